--
-- create_inbox(): the ready inbox, and who may do what in it
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_owner;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;

--
-- Made once, whole or not at all
--
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('regress_inbox'); -- fail
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_inbox, chat_rbac.protect TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('regress_inbox'); -- fail: may not make a schema
RESET ROLE;
CREATE SCHEMA regress_inbox;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('regress_inbox'); -- fail: nor a table in this one
RESET ROLE;
ALTER SCHEMA regress_inbox OWNER TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('regress_inbox');
SELECT chat_rbac.create_inbox('regress_inbox'); -- fail
RESET ROLE;
SELECT relname, pg_get_userbyid(relowner) AS owner, relrowsecurity AND relforcerowsecurity AS closed, pg_get_constraintdef(k.oid) AS key,
       chat_rbac.protection(c.oid) ->> 'resource' AS resource, jsonb_array_length(chat_rbac.protection(c.oid) -> 'actions') AS actions,
       has_table_privilege('regress_chat_rbac_app', c.oid, 'SELECT') AS granted
  FROM pg_class c LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
 WHERE relnamespace = 'regress_inbox'::regnamespace AND relkind = 'r' ORDER BY relname;
-- what is stored is what inbox_specs() says
SELECT tab FROM chat_rbac.inbox_specs('regress_inbox') WHERE NOT chat_rbac.protection(('regress_inbox.' || tab)::regclass) @> spec;
SELECT conrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'regress_inbox'::regnamespace AND contype = 'f' ORDER BY conrelid::regclass::text, conname;

SELECT chat_rbac.create_inbox(NULL); -- fail
SELECT chat_rbac.create_inbox(''); -- fail
SELECT chat_rbac.create_inbox('pg_inbox'); -- fail
SELECT chat_rbac.create_inbox('chat_rbac'); -- fail
-- one of its names is taken
CREATE SCHEMA regress_taken;
CREATE VIEW regress_taken.lead AS SELECT 1;
CREATE TABLE regress_taken.other (id int);
SELECT chat_rbac.create_inbox('regress_taken'); -- fail
SELECT count(*) FROM pg_class WHERE relnamespace = 'regress_taken'::regnamespace;
DROP VIEW regress_taken.lead;
-- an error in the middle leaves nothing, not even the schema
DELETE FROM chat_rbac.known_permission WHERE name OPERATOR(chat_rbac.=) 'broadcast.approve';
SELECT chat_rbac.create_inbox('regress_half'); -- fail
SELECT to_regnamespace('regress_half'), (SELECT count(*) FROM chat_rbac.protection WHERE relation::text LIKE 'regress_half%');
INSERT INTO chat_rbac.known_permission (name, description, builtin) VALUES ('broadcast.approve', 'Approve or reject somebody else''s broadcast', true);
-- beside other tables, under any name, and more than once in a database
SELECT chat_rbac.create_inbox('regress_taken');
SELECT chat_rbac.create_inbox('regress "In%1$sbox');
SELECT count(*) FROM chat_rbac.protection WHERE relation::text ~ '^regress_taken|^"regress ""In';
SET client_min_messages = warning;
DROP SCHEMA regress_taken, "regress ""In%1$sbox" CASCADE;
RESET client_min_messages;

--
-- One member for each preset role, with rows of their own
--
SELECT chat_rbac.create_org('acme', 1) AS acme, chat_rbac.create_org('globex', 2) AS globex;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (1, 1, 'region', 1, NULL, 'EMEA'), (1, 2, 'team', 10, 1, 'Support'), (1, 3, 'team', 20, 1, 'Sales'), (1, 4, 'inbox', 5, 1, 'WhatsApp'),
  (1, 5, 'region', 2, NULL, 'Americas'), (1, 6, 'team', 30, 5, 'Support US'), (1, 7, 'inbox', 6, 5, 'Instagram');
INSERT INTO chat_rbac.member (org_id, member_id, name)
SELECT 1, n, role FROM unnest('{Owner,Admin,Manager,Supervisor,Agent,Sales,Marketing,Viewer,Auditor,Finance,Temp,Service,Ben,Probe}'::text[]) WITH ORDINALITY AS r (role, n);
-- Probe reaches the rows of all tables, and may change only what has no rule of its own
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Probe', '{*.view, conversation.edit, message.edit, customer.edit, lead.edit, task.edit, broadcast.edit, integration.manage}');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT 1, m.member_id, r.role_id, CASE m.name WHEN 'Manager' THEN 1 WHEN 'Supervisor' THEN 2 WHEN 'Agent' THEN 2 WHEN 'Ben' THEN 2 WHEN 'Temp' THEN 2 WHEN 'Sales' THEN 3 END,
       CASE WHEN r.max_duration IS NULL THEN '(,)' ELSE tstzrange(now(), now() + r.max_duration) END
  FROM chat_rbac.member m JOIN chat_rbac.role r ON r.org_id = 1 AND r.name = CASE m.name WHEN 'Ben' THEN 'Agent' ELSE m.name END;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA regress_inbox TO regress_chat_rbac_app;
SET search_path = regress_inbox, public;

-- 1: nobody's; 2: Ben's; 100 + n: of member n, and so below
INSERT INTO customer (org_id, id, owner_id, name) SELECT 1, id, owner, 'Customer ' || id FROM (
  VALUES (1, NULL), (2, 13), (3, NULL)) v (id, owner) UNION ALL SELECT 1, 100 + n, n, 'Customer ' || n FROM generate_series(1, 14) n;
-- 1: in Support's queue; 2: Ben's; 3: in the Americas; 4: not routed; 200 + n: closed; 300 + n: of Ben, joined by n
INSERT INTO conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by, status)
SELECT 1, id, 3, inbox, team, assignee, 'customer', status FROM (
  VALUES (1, 5, 10, NULL, 'open'), (2, 5, 10, 13, 'open'), (3, 6, 30, NULL, 'open'), (4, 5, NULL, NULL, 'open')) v (id, inbox, team, assignee, status)
UNION ALL SELECT 1, base + n, 3, 5, CASE n WHEN 6 THEN 20 ELSE 10 END, CASE base WHEN 300 THEN 13 ELSE n END, 'customer', CASE base WHEN 200 THEN 'closed' ELSE 'open' END
  FROM generate_series(1, 14) n, unnest('{100,200,300}'::int[]) base;
INSERT INTO participant (org_id, conversation_id, member_id) SELECT 1, 300 + n, n FROM generate_series(1, 14) n;
INSERT INTO message (org_id, id, conversation_id, kind, author_id, body)
SELECT 1, c.id, c.id, 'incoming', NULL, 'Hello' FROM conversation c UNION ALL SELECT 1, 1000 + c.id, c.id, 'reply', c.assignee_id, 'Hi' FROM conversation c WHERE assignee_id > 0;
INSERT INTO lead (org_id, id, customer_id, owner_id, team_id) SELECT 1, id, 3, owner, team FROM (
  VALUES (1, NULL, 20), (2, 13, 20)) v (id, owner, team) UNION ALL SELECT 1, 100 + n, 3, n, 20 FROM generate_series(1, 14) n;
INSERT INTO task (org_id, id, author_id, assignee_id, title) SELECT 1, id, author, assignee, 'Call' FROM (
  VALUES (1, 13, 13)) v (id, author, assignee) UNION ALL SELECT 1, 100 + n, 13, n, 'Call' FROM generate_series(1, 14) n UNION ALL SELECT 1, 200 + n, n, 13, 'Call' FROM generate_series(1, 14) n;
INSERT INTO broadcast (org_id, id, status, inbox_id, title, body, author_id, approved_by, send_at) VALUES
  (1, 1, 'draft', 5, 'Sale', 'Buy', 13, NULL, NULL), (1, 2, 'submitted', 5, 'Sale', 'Buy', 13, NULL, NULL), (1, 3, 'approved', 5, 'Sale', 'Buy', 13, 1, NULL),
  (1, 4, 'scheduled', NULL, 'Sale', 'Buy', 13, 1, '2030-01-01'), (1, 5, 'sent', 6, 'Sale', 'Buy', 13, 1, '2020-01-01');
INSERT INTO setting (org_id, id, name, value) VALUES (1, 1, 'hours', '"9-17"');
INSERT INTO integration (org_id, id, name, kind, secret) VALUES (1, 1, 'shop', 'shop', 'x');
SELECT setval(pg_get_serial_sequence('regress_inbox.' || c, 'id'), 10000) > 0 AS ids_from_10000 FROM unnest('{customer,conversation,message,lead,task,broadcast,setting,integration}'::text[]) c GROUP BY 1;

-- What comes of a statement, which is undone: "yes", "no" (a right is missing), "." (no such row), or another error
CREATE FUNCTION public.regress_attempt(me bigint, deed text, say_why boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
    result text;
BEGIN
    PERFORM set_config('chat_rbac.identity', '1/' || me, true);
    SET LOCAL ROLE regress_chat_rbac_app;
    EXECUTE replace(deed, ':me', me::text);
    GET DIAGNOSTICS n = ROW_COUNT;
    result := CASE WHEN n > 0 THEN 'yes' ELSE '.' END;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION
    WHEN SQLSTATE 'UNDO0' THEN RETURN result;
    WHEN insufficient_privilege THEN RETURN CASE WHEN say_why THEN SQLERRM ELSE 'no' END;
    WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE TABLE public.regress_deed (n int GENERATED ALWAYS AS IDENTITY, topic text, deed text, sql text);
CREATE VIEW public.regress_attempts AS
  SELECT d.n, topic, deed, name, member_id, public.regress_attempt(member_id, sql) AS result
    FROM public.regress_deed d, chat_rbac.member WHERE org_id = 1 AND name NOT IN ('Ben', 'Probe');

--
-- Conversations.  "own" is assigned to the one who asks; "joined" and "colleague's" are Ben's, in Support
--
INSERT INTO public.regress_deed (topic, deed, sql) VALUES
  ('conversation', 'see own', 'SELECT FROM conversation WHERE id = 100 + :me'),
  ('conversation', 'see joined', 'SELECT FROM conversation WHERE id = 300 + :me'),
  ('conversation', 'see in queue', 'SELECT FROM conversation WHERE id = 1'),
  ('conversation', 'see colleague''s', 'SELECT FROM conversation WHERE id = 2'),
  ('conversation', 'see elsewhere', 'SELECT FROM conversation WHERE id = 3'),
  ('conversation', 'claim', 'UPDATE conversation SET assignee_id = :me, updated_at = now() + interval ''1s'' WHERE id = 1 AND assignee_id IS NULL'),
  ('conversation', 'claim for Ben', 'UPDATE conversation SET assignee_id = 13 WHERE id = 1'),
  ('conversation', 'claim elsewhere', 'UPDATE conversation SET assignee_id = :me WHERE id = 3'),
  ('conversation', 'take from Ben', 'UPDATE conversation SET assignee_id = :me WHERE id = 2'),
  ('conversation', 'give back own', 'UPDATE conversation SET assignee_id = NULL WHERE id = 100 + :me'),
  ('conversation', 'give own to Ben', 'UPDATE conversation SET assignee_id = 13 WHERE id = 100 + :me'),
  ('conversation', 'transfer own', 'UPDATE conversation SET team_id = 30, assignee_id = NULL WHERE id = 100 + :me RETURNING id'),
  ('conversation', 'move own to inbox', 'UPDATE conversation SET inbox_id = 6 WHERE id = 100 + :me'),
  ('conversation', 'transfer from queue', 'UPDATE conversation SET team_id = 30 WHERE id = 1'),
  ('conversation', 'transfer joined', 'UPDATE conversation SET team_id = 30 WHERE id = 300 + :me'),
  ('conversation', 'route', 'UPDATE conversation SET team_id = 10 WHERE id = 4'),
  ('conversation', 'close own', 'UPDATE conversation SET status = ''closed'' WHERE id = 100 + :me'),
  ('conversation', 'close in queue', 'UPDATE conversation SET status = ''closed'' WHERE id = 1'),
  ('conversation', 'reopen own', 'UPDATE conversation SET status = ''open'' WHERE id = 200 + :me'),
  ('conversation', 'reopen to wait', 'UPDATE conversation SET status = ''waiting'' WHERE id = 200 + :me'),
  ('conversation', 'wait in joined', 'UPDATE conversation SET status = ''waiting'', last_message_at = now() + interval ''1s'' WHERE id = 300 + :me'),
  ('conversation', 'snooze own', 'UPDATE conversation SET status = ''snoozed'', snoozed_until = now() + interval ''1 day'' WHERE id = 100 + :me'),
  ('conversation', 'label own', 'UPDATE conversation SET labels = ''{vip}'' WHERE id = 100 + :me'),
  ('conversation', 'prioritise own', 'UPDATE conversation SET priority = 3 WHERE id = 100 + :me'),
  ('conversation', 'edit own', 'UPDATE conversation SET channel = ''sms'' WHERE id = 100 + :me'),
  ('conversation', 'merge own''s customer', 'UPDATE conversation SET customer_id = 1 WHERE id = 100 + :me'),
  ('conversation', 'change who began it', 'UPDATE conversation SET initiated_by = ''agent'' WHERE id = 100 + :me'),
  ('conversation', 'start', 'INSERT INTO conversation (customer_id, inbox_id, team_id, assignee_id, initiated_by) VALUES (3, 5, CASE :me WHEN 6 THEN 20 ELSE 10 END, :me, ''agent'')'),
  ('conversation', 'start in queue', 'INSERT INTO conversation (customer_id, inbox_id, team_id, initiated_by) VALUES (3, 5, CASE :me WHEN 6 THEN 20 ELSE 10 END, ''agent'')'),
  ('conversation', 'start for Ben', 'INSERT INTO conversation (customer_id, inbox_id, team_id, assignee_id, initiated_by) VALUES (3, 5, CASE :me WHEN 6 THEN 20 ELSE 10 END, 13, ''agent'')'),
  ('conversation', 'start elsewhere', 'INSERT INTO conversation (customer_id, inbox_id, team_id, assignee_id, initiated_by) VALUES (3, 6, 30, :me, ''agent'')'),
  ('conversation', 'take in', 'INSERT INTO conversation (customer_id, inbox_id, team_id, initiated_by) VALUES (3, 5, 10, ''customer'')'),
  ('conversation', 'delete own', 'DELETE FROM conversation WHERE id = 100 + :me'),
  ('conversation', 'add Ben to own', 'INSERT INTO participant (conversation_id, member_id) VALUES (100 + :me, 13)'),
  ('conversation', 'join in queue', 'INSERT INTO participant (conversation_id, member_id) VALUES (1, :me)'),
  ('conversation', 'leave joined', 'DELETE FROM participant WHERE conversation_id = 300 + :me AND member_id = :me'),
  ('conversation', 'replace oneself', 'UPDATE participant SET member_id = 13 WHERE conversation_id = 300 + :me');
SELECT deed, name, result, member_id FROM public.regress_attempts WHERE topic = 'conversation' ORDER BY n, member_id \crosstabview deed name result member_id

--
-- Messages
--
INSERT INTO public.regress_deed (topic, deed, sql) VALUES
  ('message', 'read own', 'SELECT FROM message WHERE conversation_id = 100 + :me'),
  ('message', 'read joined', 'SELECT FROM message WHERE conversation_id = 300 + :me'),
  ('message', 'read in queue', 'SELECT FROM message WHERE conversation_id = 1'),
  ('message', 'read elsewhere', 'SELECT FROM message WHERE conversation_id = 3'),
  ('message', 'reply in own', 'INSERT INTO message (conversation_id, kind, body) VALUES (100 + :me, ''reply'', ''Hi'')'),
  ('message', 'reply in joined', 'INSERT INTO message (conversation_id, kind, body) VALUES (300 + :me, ''reply'', ''Hi'')'),
  ('message', 'reply in queue', 'INSERT INTO message (conversation_id, kind, body) VALUES (1, ''reply'', ''Hi'')'),
  ('message', 'reply elsewhere', 'INSERT INTO message (conversation_id, kind, body) VALUES (3, ''reply'', ''Hi'')'),
  ('message', 'note in own', 'INSERT INTO message (conversation_id, kind, body) VALUES (100 + :me, ''note'', ''Hm'')'),
  ('message', 'note in joined', 'INSERT INTO message (conversation_id, kind, body) VALUES (300 + :me, ''note'', ''Hm'')'),
  ('message', 'receive in own', 'INSERT INTO message (conversation_id, kind, author_id, body) VALUES (100 + :me, ''incoming'', NULL, ''Hi'')'),
  ('message', 'reply as Ben', 'INSERT INTO message (conversation_id, kind, author_id, body) VALUES (100 + :me, ''reply'', 13, ''Hi'')'),
  ('message', 'edit own reply', 'UPDATE message SET body = ''Hey'' WHERE id = 1100 + :me'),
  ('message', 'sign as Ben', 'UPDATE message SET author_id = 13 WHERE id = 1100 + :me'),
  ('message', 'turn into note', 'UPDATE message SET kind = ''note'' WHERE id = 1100 + :me'),
  ('message', 'date back', 'UPDATE message SET sent_at = sent_at - interval ''1 day'' WHERE id = 1100 + :me'),
  ('message', 'merge into joined', 'UPDATE message SET conversation_id = 300 + :me WHERE id = 1100 + :me'),
  ('message', 'merge elsewhere', 'UPDATE message SET conversation_id = 3 WHERE id = 1100 + :me'),
  ('message', 'delete own reply', 'DELETE FROM message WHERE id = 1100 + :me');
SELECT deed, name, result, member_id FROM public.regress_attempts WHERE topic = 'message' ORDER BY n, member_id \crosstabview deed name result member_id

--
-- Customers, leads and tasks
--
INSERT INTO public.regress_deed (topic, deed, sql) VALUES
  ('customer', 'see own', 'SELECT FROM customer WHERE id = 100 + :me'),
  ('customer', 'see of a chat', 'SELECT FROM customer WHERE id = 3'),
  ('customer', 'see Ben''s', 'SELECT FROM customer WHERE id = 2'),
  ('customer', 'see nobody''s', 'SELECT FROM customer WHERE id = 1'),
  ('customer', 'create own', 'INSERT INTO customer (owner_id, name) VALUES (:me, ''New'')'),
  ('customer', 'create nobody''s', 'INSERT INTO customer (name) VALUES (''New'')'),
  ('customer', 'create Ben''s', 'INSERT INTO customer (owner_id, name) VALUES (13, ''New'')'),
  ('customer', 'create with credit', 'INSERT INTO customer (owner_id, name, credit_limit) VALUES (:me, ''New'', 1e6)'),
  ('customer', 'create blocked', 'INSERT INTO customer (owner_id, name, blocked) VALUES (:me, ''New'', true)'),
  ('customer', 'edit own', 'UPDATE customer SET phone = ''+1'', updated_at = now() + interval ''1s'' WHERE id = 100 + :me'),
  ('customer', 'edit of a chat', 'UPDATE customer SET phone = ''+1'' WHERE id = 3'),
  ('customer', 'edit Ben''s', 'UPDATE customer SET phone = ''+1'' WHERE id = 2'),
  ('customer', 'give away own', 'UPDATE customer SET owner_id = 13 WHERE id = 100 + :me'),
  ('customer', 'take Ben''s', 'UPDATE customer SET owner_id = :me WHERE id = 2'),
  ('customer', 'take nobody''s', 'UPDATE customer SET owner_id = :me WHERE id = 1'),
  ('customer', 'block own', 'UPDATE customer SET blocked = true WHERE id = 100 + :me'),
  ('customer', 'raise credit of own', 'UPDATE customer SET credit_limit = 1e6 WHERE id = 100 + :me'),
  ('customer', 'raise credit and edit', 'UPDATE customer SET balance = 1e6, phone = ''+1'' WHERE id = 100 + :me'),
  ('customer', 'date back', 'UPDATE customer SET created_at = ''2020-01-01'' WHERE id = 100 + :me'),
  ('customer', 'delete', 'DELETE FROM customer WHERE id = 100 + :me'),
  ('customer', 'see own lead', 'SELECT FROM lead WHERE id = 100 + :me'),
  ('customer', 'see Ben''s lead', 'SELECT FROM lead WHERE id = 2'),
  ('customer', 'create lead', 'INSERT INTO lead (customer_id, team_id) VALUES (3, 20)'),
  ('customer', 'create lead for Ben', 'INSERT INTO lead (customer_id, owner_id, team_id) VALUES (3, 13, 20)'),
  ('customer', 'edit own lead', 'UPDATE lead SET stage = ''won'', value = 5 WHERE id = 100 + :me'),
  ('customer', 'give away own lead', 'UPDATE lead SET owner_id = 13 WHERE id = 100 + :me'),
  ('customer', 'take a lead', 'UPDATE lead SET owner_id = :me WHERE id = 1'),
  ('customer', 'move own lead', 'UPDATE lead SET team_id = 30 WHERE id = 100 + :me'),
  ('customer', 'delete own lead', 'DELETE FROM lead WHERE id = 100 + :me'),
  ('customer', 'see own task', 'SELECT FROM task WHERE id = 100 + :me'),
  ('customer', 'see Ben''s task', 'SELECT FROM task WHERE id = 1'),
  ('customer', 'see task I set', 'SELECT FROM task WHERE id = 200 + :me'),
  ('customer', 'create task', 'INSERT INTO task (title) VALUES (''Call'')'),
  ('customer', 'create task for Ben', 'INSERT INTO task (assignee_id, title) VALUES (13, ''Call'')'),
  ('customer', 'create task as Ben', 'INSERT INTO task (author_id, title) VALUES (13, ''Call'')'),
  ('customer', 'do own task', 'UPDATE task SET done = true WHERE id = 100 + :me'),
  ('customer', 'do Ben''s task', 'UPDATE task SET done = true WHERE id = 1'),
  ('customer', 'give away own task', 'UPDATE task SET assignee_id = 13 WHERE id = 100 + :me'),
  ('customer', 'sign own task', 'UPDATE task SET author_id = :me WHERE id = 100 + :me'),
  ('customer', 'delete own task', 'DELETE FROM task WHERE id = 100 + :me');
SELECT deed, name, result, member_id FROM public.regress_attempts WHERE topic = 'customer' ORDER BY n, member_id \crosstabview deed name result member_id

--
-- Broadcasts, settings and integrations
--
INSERT INTO public.regress_deed (topic, deed, sql) VALUES
  ('broadcast', 'see of inbox', 'SELECT FROM broadcast WHERE id = 1'),
  ('broadcast', 'see of org', 'SELECT FROM broadcast WHERE id = 4'),
  ('broadcast', 'see elsewhere', 'SELECT FROM broadcast WHERE id = 5'),
  ('broadcast', 'draft', 'INSERT INTO broadcast (title, body) VALUES (''Sale'', ''Buy'')'),
  ('broadcast', 'draft as Ben', 'INSERT INTO broadcast (title, body, author_id) VALUES (''Sale'', ''Buy'', 13)'),
  ('broadcast', 'begin as submitted', 'INSERT INTO broadcast (title, body, status) VALUES (''Sale'', ''Buy'', ''submitted'')'),
  ('broadcast', 'begin as approved', 'INSERT INTO broadcast (title, body, status, approved_by) VALUES (''Sale'', ''Buy'', ''approved'', 13)'),
  ('broadcast', 'edit draft', 'UPDATE broadcast SET body = ''Buy now'', audience = ''{"all": true}'' WHERE id = 1'),
  ('broadcast', 'edit submitted', 'UPDATE broadcast SET body = ''Buy now'' WHERE id = 2'),
  ('broadcast', 'edit approved', 'UPDATE broadcast SET body = ''Buy now'' WHERE id = 3'),
  ('broadcast', 'submit', 'UPDATE broadcast SET status = ''submitted'' WHERE id = 1'),
  ('broadcast', 'edit and submit', 'UPDATE broadcast SET body = ''Buy now'', status = ''submitted'' WHERE id = 1'),
  ('broadcast', 'approve', 'UPDATE broadcast SET status = ''approved'', approved_by = :me WHERE id = 2'),
  ('broadcast', 'approve as Owner', 'UPDATE broadcast SET status = ''approved'', approved_by = 1 WHERE id = 2'),
  ('broadcast', 'approve draft', 'UPDATE broadcast SET status = ''approved'', approved_by = :me WHERE id = 1'),
  ('broadcast', 'reject', 'UPDATE broadcast SET status = ''draft'' WHERE id = 2'),
  ('broadcast', 'take back approved', 'UPDATE broadcast SET status = ''draft'', approved_by = NULL WHERE id = 3'),
  ('broadcast', 'schedule', 'UPDATE broadcast SET status = ''scheduled'', send_at = ''2030-01-01'' WHERE id = 3'),
  ('broadcast', 'unschedule', 'UPDATE broadcast SET status = ''approved'' WHERE id = 4'),
  ('broadcast', 'send scheduled', 'UPDATE broadcast SET status = ''sent'', sent_at = now() WHERE id = 4'),
  ('broadcast', 'send approved', 'UPDATE broadcast SET status = ''sent'', sent_at = now() WHERE id = 3'),
  ('broadcast', 'send submitted', 'UPDATE broadcast SET status = ''sent'', approved_by = :me WHERE id = 2'),
  ('broadcast', 'send draft', 'UPDATE broadcast SET status = ''sent'' WHERE id = 1'),
  ('broadcast', 'send again', 'UPDATE broadcast SET status = ''approved'' WHERE id = 5'),
  ('broadcast', 'sign', 'UPDATE broadcast SET author_id = :me WHERE id = 1'),
  ('broadcast', 'delete draft', 'DELETE FROM broadcast WHERE id = 1'),
  ('broadcast', 'delete sent', 'DELETE FROM broadcast WHERE id = 5'),
  ('broadcast', 'see settings', 'SELECT FROM setting'),
  ('broadcast', 'change setting', 'UPDATE setting SET value = ''"8-16"'' WHERE id = 1'),
  ('broadcast', 'add setting', 'INSERT INTO setting (name, value) VALUES (''language'', ''"de"'')'),
  ('broadcast', 'delete setting', 'DELETE FROM setting WHERE id = 1'),
  ('broadcast', 'see integration', 'SELECT FROM integration'),
  ('broadcast', 'switch off', 'UPDATE integration SET enabled = false WHERE id = 1'),
  ('broadcast', 'connect', 'INSERT INTO integration (name, kind) VALUES (''CRM'', ''crm'')'),
  ('broadcast', 'connect with secret', 'INSERT INTO integration (name, kind, secret) VALUES (''CRM'', ''crm'', ''y'')'),
  ('broadcast', 'rotate key', 'UPDATE integration SET secret = ''y'' WHERE id = 1'),
  ('broadcast', 'disconnect', 'DELETE FROM integration WHERE id = 1');
SELECT deed, name, result, member_id FROM public.regress_attempts WHERE topic = 'broadcast' ORDER BY n, member_id \crosstabview deed name result member_id

--
-- Which permission each of these needs, as who lacks it is told
--
SELECT topic, deed, regexp_replace(public.regress_attempt(14, sql, true), ' (is|are) needed to (insert|change|update|delete).*| of table.*', '') AS needs
  FROM public.regress_deed WHERE sql !~ '^SELECT' ORDER BY n;

--
-- Which buttons an agent has
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/5';
SELECT chat_rbac.actions('conversation', 105) AS own;
SELECT chat_rbac.actions('conversation', 305) AS joined;
SELECT id, actions FROM chat_rbac.page_actions('conversation', '{1,2,3}');

--
-- A broadcast needs two people
--
SET chat_rbac.identity = '1/2'; -- Admin: may do it all, but not alone
INSERT INTO broadcast (title, body) VALUES ('Sale', 'Buy') RETURNING id, status, author_id \gset b_
UPDATE broadcast SET status = 'approved', approved_by = 2 WHERE id = :b_id; -- fail: not submitted
UPDATE broadcast SET status = 'submitted' WHERE id = :b_id;
UPDATE broadcast SET status = 'approved', approved_by = 2 WHERE id = :b_id; -- fail: its author
UPDATE broadcast SET status = 'approved', approved_by = 1 WHERE id = :b_id; -- fail: for somebody else
UPDATE broadcast SET status = 'approved' WHERE id = :b_id; -- fail: by nobody
UPDATE broadcast SET author_id = 7, status = 'approved', approved_by = 2 WHERE id = :b_id; -- fail
UPDATE broadcast SET body = 'Buy!' WHERE id = :b_id; -- fail: no longer a draft
SET chat_rbac.identity = '1/1'; -- Owner
UPDATE broadcast SET body = 'Buy!', status = 'approved', approved_by = 1 WHERE id = :b_id; -- fail
UPDATE broadcast SET status = 'approved', approved_by = 1 WHERE id = :b_id RETURNING status, author_id, edited_by, approved_by;
UPDATE broadcast SET body = 'Buy!' WHERE id = :b_id; -- fail
UPDATE broadcast SET status = 'draft' WHERE id = :b_id; -- fail: still approved
UPDATE broadcast SET status = 'draft', approved_by = NULL, body = 'Buy!' WHERE id = :b_id; -- fail: one after the other
UPDATE broadcast SET status = 'draft', approved_by = NULL WHERE id = :b_id;
-- who edits somebody else's draft cannot approve it either
UPDATE broadcast SET body = 'Buy!', edited_by = 13 WHERE id = :b_id RETURNING edited_by;
UPDATE broadcast SET edited_by = NULL, status = 'submitted' WHERE id = :b_id RETURNING status, author_id, edited_by;
UPDATE broadcast SET status = 'approved', approved_by = 1 WHERE id = :b_id; -- fail
SET chat_rbac.identity = '1/3'; -- Manager, of one region; this one is the whole org's
UPDATE broadcast SET status = 'approved', approved_by = 3 WHERE id = :b_id;
SET chat_rbac.identity = '1/2';
UPDATE broadcast SET status = 'draft' WHERE id = :b_id;
UPDATE broadcast SET inbox_id = 5, status = 'submitted' WHERE id = :b_id RETURNING edited_by;
SET chat_rbac.identity = '1/3'; -- now it is the region's
UPDATE broadcast SET status = 'approved', approved_by = 3 WHERE id = :b_id RETURNING status, author_id, edited_by, approved_by;
SET chat_rbac.identity = '1/7'; -- Marketing
UPDATE broadcast SET status = 'scheduled' WHERE id = :b_id; -- fail: when?
UPDATE broadcast SET status = 'scheduled', send_at = '2030-01-01' WHERE id = :b_id;
SET chat_rbac.identity = '1/12'; -- Service
UPDATE broadcast SET body = 'Buy!!', status = 'sent' WHERE id = :b_id; -- fail
UPDATE broadcast SET status = 'sent', sent_at = '2030-01-01' WHERE id = :b_id RETURNING status, approved_by;
UPDATE broadcast SET status = 'scheduled' WHERE id = :b_id; -- touches none: what is sent is sent

--
-- Words are checked, and a message is of whom it says
--
SET chat_rbac.identity = '1/1';
UPDATE conversation SET status = 'done' WHERE id = 2; -- fail
UPDATE conversation SET status = 'snoozed' WHERE id = 2; -- fail: until when?
UPDATE conversation SET priority = 9 WHERE id = 2; -- fail
INSERT INTO conversation (customer_id, inbox_id, initiated_by) VALUES (3, 5, 'nobody'); -- fail
INSERT INTO message (conversation_id, kind, body) VALUES (2, 'whisper', 'Psst'); -- fail
INSERT INTO message (conversation_id, kind, body) VALUES (2, 'incoming', 'I am the customer'); -- fail
INSERT INTO message (conversation_id, kind, author_id, body) VALUES (2, 'reply', NULL, 'I am nobody'); -- fail
INSERT INTO broadcast (title, body, status) VALUES ('Sale', 'Buy', 'done'); -- fail
UPDATE broadcast SET status = 'done' WHERE id = 1; -- fail
INSERT INTO setting (name, value) VALUES ('hours', '1'); -- fail: is there
-- ids are of one org
INSERT INTO conversation (org_id, customer_id, inbox_id, initiated_by) VALUES (2, 3, 5, 'agent'); -- fail
INSERT INTO conversation (customer_id, inbox_id, initiated_by) VALUES (10, 5, 'agent'); -- fail: no such customer
RESET chat_rbac.identity;
INSERT INTO conversation (customer_id, inbox_id, initiated_by) VALUES (3, 5, 'agent'); -- fail: nobody
INSERT INTO conversation (org_id, customer_id, inbox_id, initiated_by) VALUES (1, 3, 5, 'agent'); -- fail: nobody

--
-- What hangs on a row goes with it, or keeps it
--
SET chat_rbac.identity = '1/2';
DELETE FROM customer WHERE id = 3; -- fail: has conversations
INSERT INTO task (customer_id, title) VALUES (101, 'Call') RETURNING id \gset t_
DELETE FROM customer WHERE id = 101;
SELECT customer_id FROM task WHERE id = :t_id;
DELETE FROM conversation WHERE id = 301;
RESET ROLE;
SELECT (SELECT count(*) FROM message WHERE conversation_id = 301) AS messages, (SELECT count(*) FROM participant WHERE conversation_id = 301) AS participants;

-- The owner is bound too, as nobody has granted him anything; by the rules he may change
RESET chat_rbac.identity;
SET ROLE regress_chat_rbac_owner;
SELECT count(*) FROM regress_inbox.conversation;
SELECT chat_rbac.protect('regress_inbox.setting', jsonb_set(spec, '{view}', '"unit.view"')) FROM chat_rbac.inbox_specs('regress_inbox') WHERE tab = 'setting';
RESET ROLE;
SELECT name, public.regress_attempt(member_id, 'SELECT FROM setting') AS sees_settings FROM chat_rbac.member WHERE member_id IN (4, 8) ORDER BY member_id;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA regress_inbox CASCADE;
DROP VIEW public.regress_attempts;
DROP TABLE public.regress_deed;
DROP FUNCTION public.regress_attempt;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DELETE FROM chat_rbac.protection p WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relation);
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_owner;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_owner;

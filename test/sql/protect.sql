--
-- protect(): from a specification to policies, and what happens to them later
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;
\set SHOW_CONTEXT never

CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_owner;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app, regress_chat_rbac_owner;

SELECT chat_rbac.create_org('acme', 1) AS acme, chat_rbac.create_org('globex', 2) AS globex;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (1, 1, 'department', 1, NULL, 'Service'), (1, 2, 'team', 20, 1, 'Support'), (1, 3, 'team', 30, 1, 'Sales'), (1, 4, 'inbox', 7, 2, 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'Ada'), (1, 2, 'Sue'), (1, 3, 'Ali'), (1, 4, 'Nora'), (1, 5, 'Vic'), (2, 1, 'Bob');
SELECT chat_rbac.grant_role('acme', 'Ada', 'Admin'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Support'),
       chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Sales'), chat_rbac.grant_role('acme', 'Vic', 'Viewer'), chat_rbac.grant_role('globex', 'Bob', 'Admin');

-- Which rows each member sees, by id
CREATE FUNCTION regress_sees(tab text, id text DEFAULT 'id') RETURNS TABLE (member text, rows text) LANGUAGE plpgsql AS $$
DECLARE
    m record;
BEGIN
    FOR m IN SELECT * FROM (VALUES ('Ada', '1/1'), ('Sue', '1/2'), ('Ali', '1/3'), ('Nora', '1/4'), ('Vic', '1/5'), ('Bob', '2/1'), ('nobody', '')) v (name, identity) LOOP
        PERFORM set_config('chat_rbac.identity', m.identity, true);
        member := m.name;
        EXECUTE format('SELECT string_agg(%1$s::text, '' '' ORDER BY %1$s) FROM %2$s', id, tab) INTO rows;
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('chat_rbac.identity', '', true);
END $$;
-- The policies of a table, and a digest of all that they say
CREATE FUNCTION regress_digest(tab regclass) RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(format('%s %s %s %s %s %s', polname, polcmd, polpermissive, polroles, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), E'\n' ORDER BY polname))
    FROM pg_policy WHERE polrelid = tab
$$;

--
-- A table with units, column relations and a link table
--
CREATE SCHEMA regress_inbox;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA regress_inbox GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO regress_chat_rbac_app;
CREATE TABLE regress_inbox.conversation (
  org_id bigint, id int, gone text, team_id int, inbox_id bigint, assignee_id int, customer_id int, status text DEFAULT 'open', PRIMARY KEY (org_id, id));
ALTER TABLE regress_inbox.conversation DROP COLUMN gone;
CREATE TABLE regress_inbox.participant (org_id bigint, conversation_id int, member_id bigint, PRIMARY KEY (org_id, conversation_id, member_id));
INSERT INTO regress_inbox.conversation (org_id, id, team_id, inbox_id, assignee_id, customer_id) VALUES
  (1, 1, 20, NULL, 3, 1), (1, 2, 20, NULL, NULL, 2), (1, 3, 30, NULL, 3, 3), (1, 4, 30, NULL, NULL, 4), (1, 5, 30, NULL, 2, 5),
  (1, 6, NULL, 7, NULL, 6), (1, 7, NULL, NULL, 3, 7), (2, 1, 20, 7, 3, 1);
INSERT INTO regress_inbox.participant VALUES (1, 5, 3), (1, 1, 3), (2, 4, 3);

SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.conversation', '{
  "resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
  "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}, "done": {"status": "it''s \"done\""},
                "participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
RESET client_min_messages;
-- what was left out is filled in
SELECT jsonb_pretty(chat_rbac.protection('regress_inbox.conversation'));
SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'regress_inbox.conversation'::regclass;
SELECT polname, polcmd, polpermissive, polroles, polqual IS NOT NULL AS "using", polwithcheck IS NOT NULL AS "check"
  FROM pg_policy WHERE polrelid = 'regress_inbox.conversation'::regclass ORDER BY polname;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.conversation');
RESET ROLE;

-- Again: the same
SELECT regress_digest('regress_inbox.conversation') AS digest \gset
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.conversation', chat_rbac.protection('regress_inbox.conversation'));
SELECT regress_digest('regress_inbox.conversation') = :'digest' AS same;
-- Otherwise: other rows.  The link table is no longer looked at, nor are inboxes
SELECT chat_rbac.protection('regress_inbox.conversation') AS spec \gset
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec'::jsonb #- '{units,inbox}' #- '{relations,participating}' #- '{relations,unassigned}');
SELECT regress_digest('regress_inbox.conversation') = :'digest' AS same;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.conversation');
RESET ROLE;
-- and back, in a transaction that is rolled back, too
BEGIN;
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec');
SELECT regress_digest('regress_inbox.conversation') = :'digest' AS same;
ROLLBACK;
SELECT regress_digest('regress_inbox.conversation') = :'digest' AS same;
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec');
SELECT regress_digest('regress_inbox.conversation') = :'digest' AS same;
RESET client_min_messages;

--
-- Indexes that the policies would use
--
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec');
-- one with the column first, or second after the org, will do
CREATE INDEX ON regress_inbox.conversation (team_id, status);
CREATE INDEX ON regress_inbox.conversation (org_id, assignee_id);
-- not one that has other rows, or another purpose
CREATE INDEX ON regress_inbox.conversation (inbox_id) WHERE status = 'open';
CREATE INDEX ON regress_inbox.conversation USING hash (inbox_id);
CREATE INDEX ON regress_inbox.conversation (status, inbox_id);
CREATE INDEX ON regress_inbox.conversation ((inbox_id + 1));
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec');
CREATE INDEX ON regress_inbox.conversation (inbox_id);
CREATE INDEX ON regress_inbox.participant (member_id);
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec');

--
-- Children and linked tables
--
CREATE TABLE regress_inbox.message (org_id bigint, id bigint PRIMARY KEY, conversation_id bigint);
CREATE TABLE regress_inbox.reaction (id int PRIMARY KEY, message_id int);
CREATE TABLE regress_inbox.customer (org_id int, id bigint PRIMARY KEY, owner_id int);
INSERT INTO regress_inbox.message SELECT org_id, org_id * 100 + id * 10, id FROM regress_inbox.conversation;
INSERT INTO regress_inbox.reaction SELECT id, id FROM regress_inbox.message;
INSERT INTO regress_inbox.customer SELECT org_id, customer_id + 10 * (org_id - 1), CASE customer_id WHEN 2 THEN 3 END FROM regress_inbox.conversation;
SELECT chat_rbac.protect('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
SELECT chat_rbac.protect('regress_inbox.reaction', '{"resource": "message", "parent": {"table": "regress_inbox.message", "column": "message_id"}}');
SELECT chat_rbac.protect('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations":
  {"own": {"owner_id": "$member"}, "linked": {"linked": {"table": "regress_inbox.conversation", "column": "customer_id"}}}}');
SELECT jsonb_pretty(chat_rbac.protection('regress_inbox.message')) AS message, jsonb_pretty(chat_rbac.protection('regress_inbox.customer')) AS customer;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.message');
SELECT * FROM regress_sees('regress_inbox.reaction');
SELECT * FROM regress_sees('regress_inbox.customer');
RESET ROLE;
-- where a parent is hidden by a policy of somebody else's, so are its children
CREATE POLICY not_these ON regress_inbox.conversation AS RESTRICTIVE FOR SELECT USING (id <> 3);
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.conversation') WHERE member IN ('Ada', 'Ali')
UNION ALL SELECT * FROM regress_sees('regress_inbox.message') WHERE member IN ('Ada', 'Ali')
UNION ALL SELECT * FROM regress_sees('regress_inbox.customer') WHERE member = 'Ali';
RESET ROLE;
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.message', chat_rbac.protection('regress_inbox.message'));
RESET client_min_messages;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.message');
RESET ROLE;
DROP POLICY not_these ON regress_inbox.conversation;
-- a table that tells a relation may itself be protected by the table that it tells it of
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.participant', '{"resource": "task", "org": "org_id", "view": "conversation.view", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
RESET client_min_messages;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.conversation');
SELECT * FROM regress_sees('regress_inbox.participant', 'conversation_id');
RESET ROLE;
-- the link table is read on the owner's behalf, a parent or linked table as whoever asks
REVOKE SELECT ON regress_inbox.participant FROM regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.conversation') WHERE member = 'Ali';
RESET ROLE;
REVOKE SELECT ON regress_inbox.conversation FROM regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.message');  -- fail
SELECT * FROM regress_sees('regress_inbox.customer');  -- fail
RESET ROLE;
GRANT SELECT ON regress_inbox.participant, regress_inbox.conversation TO regress_chat_rbac_app;
-- with a permission of its own as well: agents have message.view for their own conversations and the queue
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.message', chat_rbac.protection('regress_inbox.message') || '{"view": "message.delete"}');
SELECT chat_rbac.protect('regress_inbox.reaction', chat_rbac.protection('regress_inbox.reaction'));
RESET client_min_messages;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.message');
SELECT * FROM regress_sees('regress_inbox.reaction');
RESET ROLE;

-- a new specification of the parent holds for its children, and theirs, at once
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec'::jsonb #- '{units,inbox}' || '{"view": "conversation.edit"}');
SELECT regress_digest('regress_inbox.message') AS message, regress_digest('regress_inbox.reaction') AS reaction \gset at_once_
SELECT chat_rbac.protect('regress_inbox.message', chat_rbac.protection('regress_inbox.message')),
       chat_rbac.protect('regress_inbox.reaction', chat_rbac.protection('regress_inbox.reaction'));
SELECT regress_digest('regress_inbox.message') = :'at_once_message' AS message_same, regress_digest('regress_inbox.reaction') = :'at_once_reaction' AS reaction_same;
SELECT chat_rbac.protect('regress_inbox.conversation', :'spec'),
       chat_rbac.protect('regress_inbox.message', chat_rbac.protection('regress_inbox.message')),
       chat_rbac.protect('regress_inbox.reaction', chat_rbac.protection('regress_inbox.reaction'));
RESET client_min_messages;

--
-- unprotect()
--
SELECT chat_rbac.unprotect('regress_inbox.conversation');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.unprotect('regress_inbox.reaction');
SELECT chat_rbac.protection('regress_inbox.reaction') IS NULL AS forgotten, relrowsecurity, relforcerowsecurity,
       (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies FROM pg_class c WHERE oid = 'regress_inbox.reaction'::regclass;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.reaction') WHERE rows IS NOT NULL;
RESET ROLE;
SELECT chat_rbac.unprotect('regress_inbox.reaction');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.unprotect('regress_inbox.participant');
SELECT chat_rbac.unprotect('regress_inbox.participant');  -- fail
SELECT chat_rbac.unprotect(NULL);  -- fail
DROP TABLE regress_inbox.reaction;

--
-- Other policies
--
CREATE POLICY for_reports ON regress_inbox.message FOR SELECT TO regress_chat_rbac_owner USING (true);
CREATE POLICY not_these ON regress_inbox.message AS RESTRICTIVE FOR SELECT USING (id <> 130);
CREATE POLICY chat_rbac_extra ON regress_inbox.message USING (true);
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.message', chat_rbac.protection('regress_inbox.message') - 'view');
RESET client_min_messages;
SELECT polname, polpermissive FROM pg_policy WHERE polrelid = 'regress_inbox.message'::regclass ORDER BY polname;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.message') WHERE member = 'Ada';
RESET ROLE;
SET client_min_messages = warning;
SELECT chat_rbac.unprotect('regress_inbox.message');
RESET client_min_messages;
SELECT polname, polpermissive FROM pg_policy WHERE polrelid = 'regress_inbox.message'::regclass ORDER BY polname;
DROP TABLE regress_inbox.message;

--
-- Partitions: their rows are reached through the protected table only
--
CREATE TABLE regress_inbox.task (org_id bigint, id bigint, due date, owner_id bigint, PRIMARY KEY (org_id, id, due)) PARTITION BY RANGE (due);
CREATE INDEX ON regress_inbox.task (org_id, owner_id);
CREATE TABLE regress_inbox.task_2026 PARTITION OF regress_inbox.task FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY RANGE (due);
CREATE TABLE regress_inbox.task_2026_h1 PARTITION OF regress_inbox.task_2026 FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
INSERT INTO regress_inbox.task VALUES (1, 1, '2026-01-01', 3), (1, 2, '2026-02-01', 2);
SELECT chat_rbac.protect('regress_inbox.task', '{"resource": "task", "org": "org_id", "relations": {"own": {"owner_id": "$member"}}}');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.task');
SELECT * FROM regress_sees('regress_inbox.task_2026') UNION ALL SELECT * FROM regress_sees('regress_inbox.task_2026_h1');
SET chat_rbac.identity = '1/1';
INSERT INTO regress_inbox.task_2026_h1 VALUES (1, 9, '2026-01-09', 3);  -- fail
INSERT INTO regress_inbox.task VALUES (1, 3, '2026-03-01', 3);
RESET chat_rbac.identity;
RESET ROLE;
-- a new one takes part at once, and is open to the direct way if privileges are; called again, protect() closes the direct way to it
CREATE TABLE regress_inbox.task_2026_h2 PARTITION OF regress_inbox.task_2026 FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO regress_inbox.task VALUES (1, 4, '2026-08-01', 3);
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.task');
RESET ROLE;
SELECT chat_rbac.protect('regress_inbox.task', chat_rbac.protection('regress_inbox.task'));
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.task_2026_h2') WHERE rows IS NOT NULL;
RESET ROLE;
-- a detached one stays closed
ALTER TABLE regress_inbox.task_2026 DETACH PARTITION regress_inbox.task_2026_h1;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.task_2026_h1') WHERE rows IS NOT NULL;
RESET ROLE;
DROP TABLE regress_inbox.task, regress_inbox.task_2026_h1;
-- the same for children by inheritance
CREATE TABLE regress_inbox.task (org_id bigint, id bigint PRIMARY KEY);
CREATE TABLE regress_inbox.task_old () INHERITS (regress_inbox.task);
CREATE TABLE regress_inbox.task_older () INHERITS (regress_inbox.task_old);
INSERT INTO regress_inbox.task VALUES (1, 1);
INSERT INTO regress_inbox.task_old VALUES (1, 2);
INSERT INTO regress_inbox.task_older VALUES (1, 3);
SELECT chat_rbac.protect('regress_inbox.task', '{"resource": "task", "org": "org_id"}');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.task');
SELECT * FROM regress_sees('regress_inbox.task_old') WHERE rows IS NOT NULL;
SELECT * FROM regress_sees('regress_inbox.task_older') WHERE rows IS NOT NULL;
RESET ROLE;
DROP TABLE regress_inbox.task, regress_inbox.task_old, regress_inbox.task_older;

--
-- Names
--
CREATE SCHEMA "Regress ""Inbox""";
GRANT USAGE ON SCHEMA "Regress ""Inbox""" TO regress_chat_rbac_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA "Regress ""Inbox""" GRANT SELECT ON TABLES TO regress_chat_rbac_app;
CREATE TABLE "Regress ""Inbox"""."Chat's Box" (
  "Org" bigint, "It's" int, "Team ""Id""" bigint, "select" int, "Who\ever" bigint, "%I" text, PRIMARY KEY ("Org", "It's"));
CREATE TABLE "Regress ""Inbox"""."Part, of" ("Org" bigint, "Row's" bigint, "Mem.ber" bigint, PRIMARY KEY ("Org", "Row's", "Mem.ber"));
CREATE TABLE "Regress ""Inbox"""."Child's" (id bigint PRIMARY KEY, "Org" int, "Par ent" int);
CREATE TABLE "Regress ""Inbox"""."User" ("Org" int, "ID" int PRIMARY KEY);
INSERT INTO "Regress ""Inbox"""."Chat's Box" VALUES (1, 1, 20, NULL, 3, ''), (1, 2, 30, NULL, 3, ''), (1, 3, NULL, 7, 1, ''), (1, 4, 30, NULL, NULL, 'a''b'), (1, 5, 30, NULL, 2, ''), (2, 1, 30, 7, 3, '');
INSERT INTO "Regress ""Inbox"""."Part, of" VALUES (1, 5, 3);
INSERT INTO "Regress ""Inbox"""."Child's" SELECT "Org" * 100 + "It's", "Org", "It's" FROM "Regress ""Inbox"""."Chat's Box";
INSERT INTO "Regress ""Inbox"""."User" SELECT DISTINCT 1, "Who\ever" FROM "Regress ""Inbox"""."Chat's Box" WHERE "Who\ever" IS NOT NULL;
UPDATE chat_rbac.unit SET kind = 'team''s "kind"' WHERE kind = 'team';
SELECT chat_rbac.protect('"Regress ""Inbox"""."Chat''s Box"', '{
  "resource": "conversation", "org": "Org", "units": {"team''s \"kind\"": "Team \"Id\"", "inbox": "select"},
  "relations": {"own": {"Who\\ever": "$member"}, "unassigned": {"%I": "a''b"},
                "participating": {"table": "\"Regress \"\"Inbox\"\"\".\"Part, of\"", "row": "Row''s", "member": "Mem.ber"}}}');
SELECT chat_rbac.protect('"Regress ""Inbox"""."Child''s"', '{
  "resource": "message", "org": "Org", "view": "message.view", "parent": {"table": "\"Regress \"\"Inbox\"\"\".\"Chat''s Box\"", "column": "Par ent"}}');
SELECT chat_rbac.protect('"Regress ""Inbox"""."User"', '{
  "resource": "customer", "org": "Org", "relations": {"linked": {"linked": {"table": "\"Regress \"\"Inbox\"\"\".\"Chat''s Box\"", "column": "Who\\ever"}}}}');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('"Regress ""Inbox"""."Chat''s Box"', '"It''s"');
SELECT * FROM regress_sees('"Regress ""Inbox"""."Child''s"');
SELECT * FROM regress_sees('"Regress ""Inbox"""."User"', '"ID"');
RESET ROLE;
UPDATE chat_rbac.unit SET kind = 'team' WHERE kind = 'team''s "kind"';
SET client_min_messages = warning;
DROP SCHEMA "Regress ""Inbox""" CASCADE;
RESET client_min_messages;

--
-- Keys and columns of all sorts
--
-- a primary key of three columns: "key" says which one the link table names
CREATE TABLE regress_inbox.lead (org_id int, region int, id bigint, owner_id int, squad int, team_id bigint, PRIMARY KEY (id, region, org_id) INCLUDE (owner_id));
CREATE TABLE regress_inbox.lead_member (lead_id bigint, member_id int);
CREATE INDEX ON regress_inbox.lead (team_id);
CREATE INDEX ON regress_inbox.lead (org_id, owner_id);
CREATE INDEX ON regress_inbox.lead_member (member_id);
INSERT INTO regress_inbox.lead VALUES (1, 1, 1, 3, 3, 30), (1, 2, 1, 2, 2, 20), (1, 1, 2, 2, 3, 30), (1, 1, 3, NULL, 3, 30);
INSERT INTO regress_inbox.lead_member VALUES (2, 3), (3, 1);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 100, 'Hunter', '{lead.view@own, lead.view@participating}');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 3, 100, 3);
SELECT chat_rbac.protect('regress_inbox.lead', '{"resource": "lead", "org": "org_id", "units": {"team": "team_id"}, "relations": {
  "own": {"owner_id": "$member"}, "participating": {"table": "regress_inbox.lead_member", "row": "lead_id", "member": "member_id", "key": "id"}}}');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.lead', '(region * 10 + id)');
RESET ROLE;
-- columns that a key only includes are none of its columns
ALTER TABLE regress_inbox.lead DROP CONSTRAINT lead_pkey, ADD PRIMARY KEY (region, id) INCLUDE (owner_id, squad);
DELETE FROM regress_inbox.lead WHERE region = 2;
ALTER TABLE regress_inbox.lead DROP CONSTRAINT lead_pkey, ADD PRIMARY KEY (id) INCLUDE (owner_id, squad);
SELECT chat_rbac.protect('regress_inbox.lead', chat_rbac.protection('regress_inbox.lead') #- '{relations,participating,key}');
SELECT chat_rbac.protection('regress_inbox.lead') #>> '{relations,participating,key}' AS key;
DROP TABLE regress_inbox.lead, regress_inbox.lead_member;
-- neither units nor relations: org-wide grants only
CREATE TABLE regress_inbox.setting (org_id int PRIMARY KEY, value text);
INSERT INTO regress_inbox.setting VALUES (1, 'a'), (2, 'b');
SELECT chat_rbac.protect('regress_inbox.setting', '{"resource": "task", "org": "org_id", "view": "settings.view"}');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.setting', 'org_id');
RESET ROLE;
DROP TABLE regress_inbox.setting;

--
-- Renamed and dropped
--
CREATE TABLE regress_inbox.message (org_id bigint, id bigint PRIMARY KEY, conversation_id bigint);
CREATE INDEX ON regress_inbox.message (conversation_id);
INSERT INTO regress_inbox.message SELECT org_id, org_id * 100 + id * 10, id FROM regress_inbox.conversation;
SELECT chat_rbac.protect('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
ALTER TABLE regress_inbox.conversation RENAME COLUMN team_id TO squad_id;
ALTER TABLE regress_inbox.conversation RENAME TO thread;
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.thread');
SELECT * FROM regress_sees('regress_inbox.message');
SELECT * FROM regress_sees('regress_inbox.customer');  -- fail
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT chat_rbac.protect('regress_inbox.thread', chat_rbac.protection('regress_inbox.thread'));  -- fail
SELECT chat_rbac.protect('regress_inbox.thread', jsonb_set(chat_rbac.protection('regress_inbox.thread'), '{units,team}', '"squad_id"'));
SELECT chat_rbac.protect('regress_inbox.customer', jsonb_set(chat_rbac.protection('regress_inbox.customer'), '{relations,linked,linked,table}', '"regress_inbox.thread"'));
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.customer');
RESET ROLE;
-- the child still belongs to it
SELECT chat_rbac.unprotect('regress_inbox.thread');  -- fail
SELECT chat_rbac.protect('regress_inbox.thread', chat_rbac.protection('regress_inbox.thread') || '{"view": "conversation.delete"}');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.thread') UNION ALL SELECT * FROM regress_sees('regress_inbox.message');
RESET ROLE;
SELECT chat_rbac.protect('regress_inbox.thread', chat_rbac.protection('regress_inbox.thread') - 'view');
-- a column that a policy names cannot be dropped
\set VERBOSITY terse
ALTER TABLE regress_inbox.thread DROP COLUMN squad_id;  -- fail
\set VERBOSITY default
-- a link table is known by its name: when it is renamed or dropped, queries say so
ALTER TABLE regress_inbox.participant RENAME TO follower;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';
SELECT id FROM regress_inbox.thread;  -- fail
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT chat_rbac.protect('regress_inbox.thread', jsonb_set(chat_rbac.protection('regress_inbox.thread'), '{relations,participating,table}', '"regress_inbox.follower"'));
ALTER TABLE regress_inbox.follower RENAME COLUMN member_id TO who;
SET ROLE regress_chat_rbac_app;
\set VERBOSITY sqlstate
SELECT id FROM regress_inbox.thread;  -- fail
\set VERBOSITY default
RESET ROLE;
SELECT chat_rbac.protect('regress_inbox.thread', jsonb_set(chat_rbac.protection('regress_inbox.thread'), '{relations,participating,member}', '"who"'));
SET ROLE regress_chat_rbac_app;
SELECT id FROM regress_inbox.thread ORDER BY id;
RESET ROLE;
DROP TABLE regress_inbox.follower;
SET ROLE regress_chat_rbac_app;
SELECT id FROM regress_inbox.thread;  -- fail
RESET chat_rbac.identity;
RESET ROLE;
-- a table that is gone is forgotten by the next protect()
DROP TABLE regress_inbox.message, regress_inbox.thread, regress_inbox.customer;
CREATE TABLE regress_inbox.customer (org_id int, id bigint PRIMARY KEY);
SELECT chat_rbac.protect('regress_inbox.customer', '{"resource": "customer", "org": "org_id"}');
SELECT relation FROM chat_rbac.protection;
DROP TABLE regress_inbox.customer;

--
-- By the owner of a table who is no superuser
--
GRANT CREATE, USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_inbox.note (org_id bigint, id bigint PRIMARY KEY, author_id bigint);
CREATE INDEX ON regress_inbox.note (author_id);
INSERT INTO regress_inbox.note VALUES (1, 1, 1), (1, 2, 3);
GRANT SELECT ON regress_inbox.note TO regress_chat_rbac_app;
SELECT chat_rbac.protect('regress_inbox.note', '{"resource": "task", "org": "org_id", "relations": {"own": {"author_id": "$member"}}}');  -- fail
RESET ROLE;
GRANT EXECUTE ON FUNCTION chat_rbac.protect, chat_rbac.unprotect TO regress_chat_rbac_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.protect('regress_inbox.note', '{"resource": "task", "org": "org_id", "relations": {"own": {"author_id": "$member"}}}');
SELECT chat_rbac.protection('regress_inbox.note');
-- the owner is under the policies too
SELECT count(*) FROM regress_inbox.note;
SELECT * FROM regress_sees('regress_inbox.note');
SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_sees('regress_inbox.note');
SELECT chat_rbac.protection('regress_inbox.note');  -- fail
SELECT chat_rbac.unprotect('regress_inbox.note');  -- fail
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.unprotect('regress_inbox.note');
RESET ROLE;

-- Clean up
SET client_min_messages = warning;
DROP SCHEMA regress_inbox CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP FUNCTION regress_sees(text, text), regress_digest(regclass);
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_owner;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_owner;

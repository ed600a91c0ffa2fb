--
-- Actions: each change of a row needs its own right
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

-- Ada is Admin, Sue Supervisor of Support, Ali and Nora are Agents of Support, Sam of Sales; Ina is an intern, Max may write and not look
SELECT chat_rbac.create_org('acme', 1) AS acme, chat_rbac.create_org('globex', 2) AS globex;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 10, 'team', 'Support'), (1, 20, 'team', 'Sales');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES
  (1, 1, 'Ada'), (1, 2, 'Sue'), (1, 3, 'Ali'), (1, 4, 'Nora'), (1, 5, 'Sam'), (1, 6, 'Ina'), (1, 7, 'Max'), (2, 1, 'Bob');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Scribe', '{conversation.start,conversation.edit,conversation.label,conversation.view@own}');
SELECT count(chat_rbac.grant_role('acme', m, r, u, v)) FROM (VALUES
  ('Ada', 'Admin', NULL, NULL), ('Sue', 'Supervisor', 'Support', NULL), ('Ali', 'Agent', 'Support', NULL), ('Nora', 'Agent', 'Support', NULL), ('Sam', 'Agent', 'Sales', NULL),
  ('Ina', 'Temp', 'Support', tstzrange(now(), now() + '30 days')), ('Max', 'Scribe', NULL, NULL)) g (m, r, u, v);
SELECT chat_rbac.grant_role('globex', 'Bob', 'Owner') AS bob;

--
-- An inbox
--
CREATE SCHEMA regress_inbox AUTHORIZATION regress_chat_rbac_owner;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_owner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_chat_rbac_app;
CREATE TABLE regress_inbox.customer (org_id bigint, id int, name text, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.conversation (
  org_id bigint, id int, team_id int, assignee_id int, customer_id int, status text DEFAULT 'open', priority int, label varchar(8), source text DEFAULT 'whatsapp',
  subject text, changes int DEFAULT 0, slug text GENERATED ALWAYS AS (lower(subject)) STORED, PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, customer_id) REFERENCES regress_inbox.customer ON DELETE SET NULL (customer_id));
CREATE TABLE regress_inbox.message (
  org_id bigint, id int, conversation_id int, kind text, author_id int, body text, PRIMARY KEY (org_id, id),
  FOREIGN KEY (org_id, conversation_id) REFERENCES regress_inbox.conversation ON DELETE CASCADE ON UPDATE CASCADE);
CREATE INDEX ON regress_inbox.conversation (org_id, team_id);
CREATE INDEX ON regress_inbox.conversation (org_id, assignee_id);
CREATE INDEX ON regress_inbox.message (org_id, conversation_id);
INSERT INTO regress_inbox.customer VALUES (1, 1, 'Eve'), (1, 2, 'Bo');
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id, customer_id, subject) VALUES
  (1, 1, 10, 3, 1, 'Refund'), (1, 2, 10, NULL, 1, 'Where is it?'), (1, 3, 10, 4, 2, 'Broken'), (1, 4, 20, 5, 2, 'Contract'), (1, 5, 20, NULL, NULL, 'Offer'), (2, 1, 10, 3, NULL, 'Elsewhere');
INSERT INTO regress_inbox.message VALUES (1, 11, 1, 'reply', 3, 'Hello'), (1, 12, 1, 'note', 4, 'Careful'), (1, 31, 3, 'reply', 4, 'Hi');
RESET ROLE;

SELECT chat_rbac.protect('regress_inbox.customer', '{"resource": "customer", "org": "org_id"}');
SELECT chat_rbac.protect('regress_inbox.conversation', '{
  "resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
  "actions": [
    {"on": "insert",                                                                 "requires": "conversation.start"},
    {"on": "insert", "column": "priority", "to": null,                               "requires": "conversation.start"},
    {"on": "insert", "column": "priority",                                           "requires": "conversation.prioritise"},
    {"on": "update", "column": "assignee_id", "from": null,      "to": "$member",    "requires": "conversation.claim"},
    {"on": "update", "column": "assignee_id", "from": "$member", "to": null,         "requires": "conversation.view"},
    {"on": "update", "column": "assignee_id",                                        "requires": "conversation.assign"},
    {"on": "update", "column": "team_id",                                            "requires": "conversation.transfer"},
    {"on": "update", "column": "status", "from": "closed",                           "requires": "conversation.reopen"},
    {"on": "update", "column": "status", "to": "closed",                             "requires": "conversation.close"},
    {"on": "update", "column": "label",                                              "requires": "conversation.label"},
    {"on": "update", "column": "priority",                                           "requires": "conversation.prioritise", "into": "conversation.view"},
    {"on": "update", "column": "source",                                             "requires": null},
    {"on": "update", "column": "org_id",                                             "requires": null},
    {"on": "update", "column": "changes",                                            "requires": "any"},
    {"on": "update",                                                                 "requires": "conversation.edit"},
    {"on": "delete", "column": "status", "from": "closed",                           "requires": "conversation.edit"},
    {"on": "delete",                                                                 "requires": "conversation.delete"}]}');
SELECT chat_rbac.protect('regress_inbox.message', '{
  "resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"},
  "actions": [
    {"on": "insert", "column": "kind", "to": "note", "requires": "conversation.note"},
    {"on": "insert", "requires": "conversation.reply"},
    {"on": "update", "column": "author_id", "requires": null},
    {"on": "update", "requires": "conversation.note"}]}');
SELECT polname, polcmd, pg_get_expr(polwithcheck, polrelid) AS with_check FROM pg_policy WHERE polrelid = 'regress_inbox.message'::regclass ORDER BY polname;
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'regress_inbox.message'::regclass AND NOT tgisinternal ORDER BY tgname;
-- without "actions" there are three
SELECT jsonb_pretty(chat_rbac.protection('regress_inbox.customer') -> 'actions');

--
-- Agents at work
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';  -- Ali
SELECT id, team_id, assignee_id, status, subject FROM regress_inbox.conversation ORDER BY id;
-- claim: Ali has conversation.claim@unassigned
BEGIN;
UPDATE regress_inbox.conversation SET assignee_id = 3 WHERE id = 2 AND assignee_id IS NULL RETURNING id, assignee_id;
UPDATE regress_inbox.conversation SET assignee_id = 3 WHERE id = 2 AND assignee_id IS NULL;
UPDATE regress_inbox.conversation SET assignee_id = NULL WHERE id = 2;
ROLLBACK;
UPDATE regress_inbox.conversation SET assignee_id = 4 WHERE id = 2;  -- fail
-- a row of which nothing may be changed, or that is not seen, is not reached
UPDATE regress_inbox.conversation SET assignee_id = 3 WHERE id IN (3, 4, 5);
-- several columns, each under its rule
BEGIN;
UPDATE regress_inbox.conversation SET status = 'closed', label = 'vip', subject = 'Refunded', changes = changes + 1 WHERE id = 1 RETURNING id, status, label, slug, changes;
UPDATE regress_inbox.conversation SET status = 'open', subject = 'Again' WHERE id = 1;
UPDATE regress_inbox.conversation SET status = 'closed', priority = 1 WHERE id = 1;  -- fail
ROLLBACK;
UPDATE regress_inbox.conversation SET priority = 1 WHERE id = 1;  -- fail
\echo :LAST_ERROR_SQLSTATE
-- what stays as it is needs nothing
UPDATE regress_inbox.conversation SET priority = priority, source = 'whatsapp', org_id = 1, status = coalesce(status, 'closed') WHERE id = 1;
-- columns that nobody changes but the table's owner
UPDATE regress_inbox.conversation SET source = 'mail' WHERE id = 1;  -- fail
\echo :LAST_ERROR_SQLSTATE
UPDATE regress_inbox.conversation SET org_id = 2 WHERE id = 1;  -- fail
-- one of the rows is not allowed: none is changed
SET chat_rbac.identity = '1/2';  -- Sue
UPDATE regress_inbox.conversation SET source = source, priority = 2 RETURNING id;
UPDATE regress_inbox.conversation SET status = CASE id WHEN 3 THEN 'closed' ELSE status END, source = CASE id WHEN 3 THEN 'mail' ELSE source END WHERE team_id = 10;  -- fail
SELECT id, status, priority FROM regress_inbox.conversation ORDER BY id;
-- deleting
DELETE FROM regress_inbox.conversation WHERE id = 3;  -- fail
BEGIN;
UPDATE regress_inbox.conversation SET status = 'closed' WHERE id = 3;
DELETE FROM regress_inbox.conversation WHERE id = 3 RETURNING id, status;
ROLLBACK;
-- a child's row: what is asked for is held on the parent
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
INSERT INTO regress_inbox.message VALUES (1, 13, 1, 'reply', 3, 'On its way') RETURNING id;
INSERT INTO regress_inbox.message VALUES (1, 14, 1, 'note', 3, 'Was it?') RETURNING id;
INSERT INTO regress_inbox.message VALUES (1, 21, 2, 'reply', 3, 'I am new here');  -- fail
ROLLBACK;
INSERT INTO regress_inbox.message VALUES (1, 21, 2, 'note', 3, 'I am new here');  -- fail
INSERT INTO regress_inbox.message VALUES (1, 32, 3, 'reply', 3, 'Not mine');  -- fail
INSERT INTO regress_inbox.message VALUES (1, 99, 99, 'reply', 3, 'Nobody''s');  -- fail
UPDATE regress_inbox.message SET body = body || '!' WHERE id = 11 RETURNING body;
UPDATE regress_inbox.message SET author_id = 4 WHERE id = 11;  -- fail
UPDATE regress_inbox.message SET conversation_id = 2 WHERE id = 11;  -- fail
DELETE FROM regress_inbox.message WHERE id = 11;
-- the intern replies
SET chat_rbac.identity = '1/6';  -- Ina
INSERT INTO regress_inbox.message VALUES (1, 15, 1, 'reply', 6, 'Me too');  -- fail
-- nobody
SET chat_rbac.identity = '';
INSERT INTO regress_inbox.message VALUES (1, 16, 1, 'reply', 6, 'Who?');  -- fail
\echo :LAST_ERROR_SQLSTATE
UPDATE regress_inbox.conversation SET subject = 'Whose?';
DELETE FROM regress_inbox.conversation;
-- an org of one's own
SET chat_rbac.identity = '2/1';  -- Bob
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 9, 10);  -- fail
UPDATE regress_inbox.conversation SET org_id = 1 WHERE id = 1;  -- fail
SET chat_rbac.identity = '1/1';  -- Ada
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (2, 9, 10);  -- fail

--
-- Handing over
--
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
UPDATE regress_inbox.conversation SET team_id = 20, assignee_id = NULL WHERE id = 1 RETURNING id, team_id, assignee_id;
SELECT count(*) FROM regress_inbox.conversation WHERE id = 1;
UPDATE regress_inbox.conversation SET team_id = 10 WHERE id = 1;
SELECT count(*) FROM regress_inbox.message WHERE conversation_id = 1;
ROLLBACK;
-- several rows in one statement, and several statements
SET chat_rbac.identity = '1/2';  -- Sue
BEGIN;
UPDATE regress_inbox.conversation SET team_id = 20 WHERE id IN (1, 3) RETURNING id, team_id;
UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 2 RETURNING id, team_id;
SELECT count(*) FROM regress_inbox.conversation;
ROLLBACK;
-- a savepoint rolled back, an error in the middle
BEGIN;
SAVEPOINT before;
UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1 RETURNING id;
ROLLBACK TO before;
SELECT id, team_id FROM regress_inbox.conversation WHERE id = 1;
UPDATE regress_inbox.conversation SET team_id = 20, subject = 1 / (id - 2) WHERE id IN (1, 2) RETURNING id;  -- fail
ROLLBACK TO before;
SELECT id, team_id FROM regress_inbox.conversation ORDER BY id;
UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1;
SELECT id, team_id FROM regress_inbox.conversation ORDER BY id;
ROLLBACK;
-- in a function with an exception block
DO $$
DECLARE
    seen text;
BEGIN
    BEGIN
        UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1;
        SELECT string_agg(id::text, ' ') INTO seen FROM regress_inbox.conversation;
        RAISE NOTICE 'after the transfer: %', seen;
        INSERT INTO regress_inbox.message VALUES (1, 17, 4, 'reply', 2, 'Not in Sales');
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE '%', SQLERRM;
    END;
    SELECT string_agg(id::text, ' ' ORDER BY id) INTO seen FROM regress_inbox.conversation;
    RAISE NOTICE 'after the exception: %', seen;
END $$;
-- "into": not where the row would be out of sight
UPDATE regress_inbox.conversation SET priority = 3, team_id = 20 WHERE id = 1;  -- fail
-- a function that looks while the row is on its way does not see it
RESET ROLE;
CREATE FUNCTION regress_inbox.peek(id int) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (SELECT count(*) FROM regress_inbox.conversation c WHERE c.id = peek.id AND team_id = 20); END $$;
SET ROLE regress_chat_rbac_app;
BEGIN;
UPDATE regress_inbox.conversation SET team_id = 20 WHERE id IN (1, 2) RETURNING id, regress_inbox.peek(1), regress_inbox.peek(2);
ROLLBACK;
-- what is inserted comes back once, also to who may not see it
SET chat_rbac.identity = '1/7';  -- Max
BEGIN;
INSERT INTO regress_inbox.conversation (org_id, id, team_id, subject) VALUES (1, 6, 10, 'For you'), (1, 7, 10, 'For you, too') RETURNING id, slug;
SELECT count(*) FROM regress_inbox.conversation;
INSERT INTO regress_inbox.conversation (org_id, id, team_id, subject) VALUES (1, 8, 10, 'Me'), (1, 9, 10, 'Again') RETURNING id, (SELECT count(*) FROM regress_inbox.conversation c) AS sees;
WITH i AS (INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 10, 10) RETURNING id) SELECT i.id, c.id AS found FROM i LEFT JOIN regress_inbox.conversation c USING (id);
ROLLBACK;
-- Max may edit what he may not see; no sub-select in the same command shows it to him
BEGIN;
INSERT INTO regress_inbox.conversation (org_id, id, assignee_id, subject) VALUES (1, 8, 7, 'Mine');
UPDATE regress_inbox.conversation SET subject = (SELECT string_agg(c.subject, ', ') FROM regress_inbox.conversation c WHERE g > 0) FROM generate_series(1, 1) g;
SELECT subject FROM regress_inbox.conversation;
ROLLBACK;
-- nor does it show to Ali what he seems to insert, key, team, assignee and all
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id, subject)
  SELECT 1, CASE g WHEN 1 THEN 3 ELSE 6 END, 10, CASE g WHEN 1 THEN 4 ELSE 3 END, (SELECT string_agg(c.subject, ', ' ORDER BY id) FROM regress_inbox.conversation c WHERE g > 0)
  FROM generate_series(1, 2) g ON CONFLICT DO NOTHING;
SELECT id, subject FROM regress_inbox.conversation WHERE id = 6;
ROLLBACK;

--
-- INSERT ... ON CONFLICT, MERGE, UPDATE ... FROM, several changes in one command
--
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
-- a new one, one that Ali may change
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id, subject) VALUES (1, 6, 10, 3, 'New'), (1, 1, 10, 3, 'Old')
  ON CONFLICT (org_id, id) DO UPDATE SET subject = excluded.subject RETURNING id, subject;
-- under its rule, and handed over
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 1, 10)
  ON CONFLICT (org_id, id) DO UPDATE SET team_id = 20 RETURNING id, team_id;
SELECT count(*) FROM regress_inbox.conversation WHERE id = 1;
ROLLBACK;
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 1, 10) ON CONFLICT (org_id, id) DO UPDATE SET priority = 1;  -- fail
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 1, 20) ON CONFLICT (org_id, id) DO UPDATE SET subject = 'x';  -- fail
-- one that Ali does not see
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 3, 10) ON CONFLICT (org_id, id) DO UPDATE SET subject = 'x' RETURNING subject;  -- fail
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 3, 10) ON CONFLICT (org_id, id) DO NOTHING RETURNING id, subject;
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 3, 10) ON CONFLICT DO NOTHING;
-- also where what is to be inserted looks just like it
SET chat_rbac.identity = '1/7';  -- Max
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id) VALUES (1, 3, 10, 4) ON CONFLICT (org_id, id) DO UPDATE SET subject = regress_inbox.conversation.subject RETURNING subject;  -- fail
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id) VALUES (1, 3, 10, 4) ON CONFLICT (org_id, id) DO UPDATE SET changes = 0 RETURNING subject;  -- fail
-- nor does a guess tell where it is: right and wrong ones fail alike
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id) VALUES (1, 3, 10, 4) ON CONFLICT (org_id, id) DO NOTHING RETURNING subject;  -- fail
INSERT INTO regress_inbox.conversation (org_id, id, team_id, assignee_id) VALUES (1, 3, 10, 3) ON CONFLICT (org_id, id) DO NOTHING RETURNING subject;  -- fail
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
MERGE INTO regress_inbox.conversation c USING (VALUES (1, 'closed'), (2, 'open'), (3, 'closed'), (6, 'open')) v (id, status) ON c.org_id = 1 AND c.id = v.id
  WHEN MATCHED AND c.assignee_id IS NULL THEN UPDATE SET assignee_id = 3
  WHEN MATCHED THEN UPDATE SET status = v.status
  WHEN NOT MATCHED AND v.id > 5 THEN INSERT (org_id, id, team_id, assignee_id, status) VALUES (1, v.id, 10, 3, v.status);
SELECT id, team_id, assignee_id, status FROM regress_inbox.conversation ORDER BY id;
MERGE INTO regress_inbox.conversation c USING (VALUES (1)) v (id) ON c.org_id = 1 AND c.id = v.id WHEN MATCHED THEN UPDATE SET team_id = 20;
SELECT count(*) FROM regress_inbox.conversation WHERE id = 1;
MERGE INTO regress_inbox.conversation c USING (VALUES (2)) v (id) ON c.org_id = 1 AND c.id = v.id WHEN MATCHED THEN UPDATE SET priority = 1;  -- fail
ROLLBACK;
MERGE INTO regress_inbox.conversation c USING (VALUES (1)) v (id) ON c.org_id = 1 AND c.id = v.id WHEN MATCHED THEN DELETE;  -- fail
-- what cannot be seen does not match
MERGE INTO regress_inbox.conversation c USING (VALUES (3)) v (id) ON c.org_id = 1 AND c.id = v.id WHEN MATCHED THEN UPDATE SET subject = 'x' WHEN NOT MATCHED THEN DO NOTHING;
BEGIN;
UPDATE regress_inbox.conversation c SET subject = m.body FROM regress_inbox.message m WHERE m.conversation_id = c.id RETURNING c.id, c.subject IN ('Hello!', 'Careful') AS from_message;
ROLLBACK;
-- one row twice: only the first counts
BEGIN;
WITH a AS (UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1 RETURNING id, 'a'), b AS (UPDATE regress_inbox.conversation SET subject = 'b' WHERE id = 1 RETURNING id, 'b')
  TABLE a UNION ALL TABLE b;
SELECT count(*) FROM regress_inbox.conversation WHERE id = 1;
ROLLBACK;
-- a row handed over in one part does not help another part
BEGIN;
WITH a AS (UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1 RETURNING id)
  INSERT INTO regress_inbox.message SELECT 1, 18, a.id, 'reply', 3, 'Bye' FROM a RETURNING id, conversation_id;
SELECT count(*) FROM regress_inbox.conversation WHERE id = 1;
ROLLBACK;
WITH a AS (UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1 RETURNING id)
  UPDATE regress_inbox.conversation SET priority = 1 FROM a WHERE conversation.id = 2;  -- fail
-- one statement, two people
PREPARE take (int) AS UPDATE regress_inbox.conversation SET assignee_id = $1 WHERE id = 2 AND assignee_id IS NULL RETURNING id, assignee_id;
PREPARE prioritise AS UPDATE regress_inbox.conversation SET priority = 5 WHERE id = 1 RETURNING id, priority;
BEGIN;
EXECUTE take (3);
ROLLBACK;
SET plan_cache_mode = force_generic_plan;
EXECUTE prioritise;  -- fail
EXECUTE take (4);  -- fail
SET chat_rbac.identity = '1/4';  -- Nora
BEGIN;
EXECUTE take (4);
ROLLBACK;
EXECUTE take (3);  -- fail
EXECUTE prioritise;
SET chat_rbac.identity = '1/2';  -- Sue
BEGIN;
EXECUTE prioritise;
EXECUTE take (3);
ROLLBACK;
SET chat_rbac.identity = '1/3';  -- Ali
EXECUTE prioritise;  -- fail
RESET plan_cache_mode;
DEALLOCATE ALL;

--
-- Questions
--
RESET ROLE;
CREATE FUNCTION pg_temp.ask() RETURNS TABLE (who text, claims boolean, claim_own boolean, claim_1 boolean, claim_2 boolean, transfer_1 boolean, transfer_3 boolean) LANGUAGE plpgsql AS $$
DECLARE
    i text;
BEGIN
    FOR i IN SELECT unnest('{1/1,1/2,1/3,1/5,1/6,2/1,""}'::text[]) LOOP
        PERFORM set_config('chat_rbac.identity', i, true);
        RETURN QUERY SELECT coalesce((chat_rbac.whoami()).member, 'nobody'), chat_rbac.can('conversation.claim'), chat_rbac.can('conversation.claim@own'),
            chat_rbac.can('conversation.claim', 'regress_inbox.conversation', 1), chat_rbac.can('conversation.claim', 'regress_inbox.conversation', 2),
            chat_rbac.can('conversation.transfer', 'regress_inbox.conversation', 1), chat_rbac.can('conversation.transfer', 'regress_inbox.conversation', 3);
    END LOOP;
END $$;
SET ROLE regress_chat_rbac_app;
BEGIN;
SELECT * FROM pg_temp.ask();
ROLLBACK;
SET chat_rbac.identity = '1/3';  -- Ali
SELECT chat_rbac.actions('regress_inbox.conversation', 1);
SELECT chat_rbac.actions('regress_inbox.conversation', 3) AS hidden, chat_rbac.actions('regress_inbox.conversation', 99) AS none, chat_rbac.actions('regress_inbox.message', 11) AS message;
SELECT * FROM chat_rbac.page_actions('regress_inbox.conversation', '{2,3,2}');
SELECT * FROM chat_rbac.page_actions('regress_inbox.conversation', '{}');
SELECT chat_rbac.can(NULL) AS a, chat_rbac.can(NULL, 'regress_inbox.conversation', 1) AS b, chat_rbac.can('conversation.view', NULL, 1) AS c,
       chat_rbac.actions(NULL, 1) AS d, chat_rbac.actions('regress_inbox.conversation', VARIADIC NULL) AS e, (SELECT count(*) FROM chat_rbac.page_actions('regress_inbox.conversation', NULL)) AS f;
SELECT chat_rbac.can('conversation.view', 'pg_class', 1);  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.actions('pg_class', 1);  -- fail
SELECT chat_rbac.page_actions('pg_class', '{1}');  -- fail
SELECT chat_rbac.can('conversation.view', 'regress_inbox.conversation', 1, 1);  -- fail
SELECT chat_rbac.can('conversation.view', 'regress_inbox.conversation', NULL::bigint);  -- fail
SELECT chat_rbac.can('conversation.view', 'regress_inbox.conversation');  -- fail
SELECT chat_rbac.can('conversation');  -- fail
SELECT chat_rbac.page_actions('regress_inbox.conversation', '{{1,1}}');  -- fail
RESET ROLE;

--
-- The owner's triggers
--
CREATE FUNCTION regress_inbox.count_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END $$;
CREATE FUNCTION regress_inbox.raise_priority() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.priority := 9; RETURN NEW; END $$;
CREATE FUNCTION regress_inbox.move_to_sales() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.team_id := 20; RETURN NEW; END $$;
-- what they change before the guard needs its right too
CREATE TRIGGER count_changes BEFORE UPDATE ON regress_inbox.conversation FOR EACH ROW EXECUTE FUNCTION regress_inbox.count_changes();
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
UPDATE regress_inbox.conversation SET label = 'new' WHERE id = 1 RETURNING label, changes;
ROLLBACK;
RESET ROLE;
CREATE TRIGGER raise_priority BEFORE UPDATE ON regress_inbox.conversation FOR EACH ROW EXECUTE FUNCTION regress_inbox.raise_priority();
SET ROLE regress_chat_rbac_app;
UPDATE regress_inbox.conversation SET label = 'new' WHERE id = 1;  -- fail
RESET ROLE;
DROP TRIGGER raise_priority ON regress_inbox.conversation;
-- one that comes after the guard: a warning from protect(), and the row goes nowhere that was not approved
CREATE TRIGGER zzz_move BEFORE INSERT OR UPDATE ON regress_inbox.conversation FOR EACH ROW EXECUTE FUNCTION regress_inbox.move_to_sales();
SELECT chat_rbac.protect('regress_inbox.conversation', chat_rbac.protection('regress_inbox.conversation'));
SET ROLE regress_chat_rbac_app;
UPDATE regress_inbox.conversation SET label = 'new' WHERE id = 1;  -- fail
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 6, 10);  -- fail
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 6, 10) RETURNING id;  -- fail
RESET ROLE;
DROP TRIGGER zzz_move ON regress_inbox.conversation;
DROP TRIGGER count_changes ON regress_inbox.conversation;
-- a trigger that suppresses the change
CREATE FUNCTION regress_inbox.never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER zzz_never BEFORE UPDATE ON regress_inbox.conversation FOR EACH ROW EXECUTE FUNCTION regress_inbox.never();
SET ROLE regress_chat_rbac_app;
UPDATE regress_inbox.conversation SET team_id = 20 WHERE id = 1 RETURNING id;
SELECT id, team_id FROM regress_inbox.conversation WHERE id = 1;
RESET ROLE;
DROP TRIGGER zzz_never ON regress_inbox.conversation;
-- the guard is not for other uses
CREATE TRIGGER other AFTER UPDATE ON regress_inbox.conversation FOR EACH ROW EXECUTE FUNCTION chat_rbac.guard();
SET ROLE regress_chat_rbac_app;
UPDATE regress_inbox.conversation SET label = 'new' WHERE id = 1;  -- fail
RESET ROLE;
DROP TRIGGER other ON regress_inbox.conversation;
SELECT chat_rbac.guard();  -- fail

--
-- Foreign keys: who may delete or renumber a row takes along what hangs on it
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/1';  -- Ada
BEGIN;
DELETE FROM regress_inbox.customer WHERE id = 1;
SELECT id, customer_id FROM regress_inbox.conversation WHERE id < 4 ORDER BY id;
DELETE FROM regress_inbox.conversation WHERE id = 1;
SELECT id FROM regress_inbox.message ORDER BY id;
UPDATE regress_inbox.conversation SET id = 33 WHERE id = 3;
SELECT id, conversation_id FROM regress_inbox.message ORDER BY id;
ROLLBACK;
SET chat_rbac.identity = '1/2';  -- Sue may see customers, and not delete them
DELETE FROM regress_inbox.customer WHERE id = 1;
SET chat_rbac.identity = '1/3';  -- Ali may renumber his conversation; its messages follow, though the one may not be moved
BEGIN;
UPDATE regress_inbox.conversation SET id = 101 WHERE id = 1;
SELECT id, conversation_id, kind FROM regress_inbox.message ORDER BY id;
ROLLBACK;
-- the row referred to must be there, and need not be visible
BEGIN;
UPDATE regress_inbox.conversation SET customer_id = 2 WHERE id = 1 RETURNING customer_id;
UPDATE regress_inbox.conversation SET customer_id = 3 WHERE id = 1;  -- fail
ROLLBACK;
RESET ROLE;

--
-- Around the guard
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/1';  -- Ada
TRUNCATE regress_inbox.message;  -- fail
\echo :LAST_ERROR_SQLSTATE
TRUNCATE regress_inbox.customer CASCADE;  -- fail
-- fail; from a file, as after an error not every psql skips data that follows
\copy regress_inbox.message FROM /dev/null
\echo :LAST_ERROR_SQLSTATE
COPY (SELECT id, assignee_id FROM regress_inbox.conversation ORDER BY id) TO stdout;
SET chat_rbac.identity = '1/3';  -- Ali
COPY regress_inbox.conversation (id, subject) TO stdout;  -- fail
SET row_security = off;
UPDATE regress_inbox.conversation SET subject = 'x';  -- fail
\echo :LAST_ERROR_SQLSTATE
RESET row_security;
ALTER TABLE regress_inbox.conversation DISABLE TRIGGER zz_chat_rbac_guard;  -- fail
SET session_replication_role = replica;  -- fail
RESET ROLE;
-- the owner is under the policies like everybody, and may change what nobody may
SET ROLE regress_chat_rbac_owner;
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
UPDATE regress_inbox.conversation SET source = 'mail' WHERE id IN (1, 3) RETURNING id, source;
UPDATE regress_inbox.conversation SET priority = 1 WHERE id = 1;  -- fail
ROLLBACK;
UPDATE regress_inbox.conversation SET org_id = 2 WHERE id = 1;  -- fail
BEGIN;
TRUNCATE regress_inbox.message;
ROLLBACK;
-- without its guard a table takes no new rows, and changes none
BEGIN;
ALTER TABLE regress_inbox.conversation DISABLE TRIGGER zz_chat_rbac_guard;
SET ROLE regress_chat_rbac_app;
SAVEPOINT s;
UPDATE regress_inbox.conversation SET subject = 'x' WHERE id = 1;  -- fail
ROLLBACK TO s;
INSERT INTO regress_inbox.conversation (org_id, id, team_id) VALUES (1, 6, 10);  -- fail
ROLLBACK;
-- in any mode of replication
RESET ROLE;
BEGIN;
SET LOCAL session_replication_role = replica;
SET LOCAL ROLE regress_chat_rbac_app;
UPDATE regress_inbox.conversation SET priority = 1 WHERE id = 1;  -- fail
ROLLBACK;
-- superusers are outside
BEGIN;
UPDATE regress_inbox.conversation SET source = 'mail', priority = 1 WHERE id < 3 RETURNING org_id, id, source;
TRUNCATE regress_inbox.customer CASCADE;
ROLLBACK;
-- unprotect() takes the guard along, and nothing is open
BEGIN;
SELECT chat_rbac.unprotect('regress_inbox.message');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'regress_inbox.message'::regclass AND NOT tgisinternal;
SET LOCAL ROLE regress_chat_rbac_app;
SELECT count(*) FROM regress_inbox.message;
INSERT INTO regress_inbox.message VALUES (1, 13, 1, 'reply', 3, 'Free');  -- fail
ROLLBACK;

--
-- Partitions: a row that moves between them is one change
--
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_inbox.task (org_id bigint, id bigint, team_id int, owner_id int, stage int, PRIMARY KEY (org_id, stage, id)) PARTITION BY LIST (stage);
CREATE TABLE regress_inbox.task_1 PARTITION OF regress_inbox.task FOR VALUES IN (1);
CREATE TABLE regress_inbox.task_2 (stage int NOT NULL, gone int, owner_id int, team_id int, id bigint NOT NULL, org_id bigint NOT NULL);
ALTER TABLE regress_inbox.task_2 DROP gone;
ALTER TABLE regress_inbox.task ATTACH PARTITION regress_inbox.task_2 FOR VALUES IN (2);
INSERT INTO regress_inbox.task VALUES (1, 1, 10, 3, 1), (1, 2, 10, 4, 2);
RESET ROLE;
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.task', '{"resource": "task", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"owner_id": "$member"}},
  "actions": [{"on": "insert", "requires": "task.create"}, {"on": "update", "column": "stage", "to": 2, "requires": "task.edit"}, {"on": "update", "column": "stage", "requires": "task.assign"},
              {"on": "update", "column": "owner_id", "requires": "task.edit"}]}');
RESET client_min_messages;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';  -- Ali
BEGIN;
UPDATE regress_inbox.task SET stage = 2, owner_id = 4 WHERE id = 1 RETURNING tableoid::regclass, id, stage, owner_id;
SELECT count(*) FROM regress_inbox.task;
ROLLBACK;
BEGIN;
UPDATE regress_inbox.task SET stage = 2 WHERE id = 1 RETURNING tableoid::regclass, id, stage;
SELECT chat_rbac.actions('regress_inbox.task', 2, 1);
UPDATE regress_inbox.task SET stage = 1 WHERE id = 1;  -- fail
ROLLBACK;
UPDATE regress_inbox.task SET team_id = 20 WHERE id = 1;  -- fail
DELETE FROM regress_inbox.task WHERE id = 1;
INSERT INTO regress_inbox.task VALUES (1, 3, 20, 3, 1);  -- fail
UPDATE regress_inbox.task_1 SET stage = 1;
TRUNCATE regress_inbox.task_1;  -- fail
RESET ROLE;

-- Inheritance children: the same
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_inbox.lead (org_id bigint, id bigint, team_id int, stage text, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.lead_old (gone int, stage text, team_id int, org_id bigint NOT NULL, id bigint NOT NULL);
ALTER TABLE regress_inbox.lead_old DROP gone, INHERIT regress_inbox.lead;
INSERT INTO regress_inbox.lead VALUES (1, 1, 10, 'new'), (1, 2, 10, 'lost');
INSERT INTO regress_inbox.lead_old (org_id, id, team_id, stage) VALUES (1, 3, 10, 'new'), (1, 4, 10, 'lost');
RESET ROLE;
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.lead', '{"resource": "lead", "org": "org_id", "units": {"team": "team_id"}, "actions": [
  {"on": "update", "column": "stage", "requires": "lead.edit"}, {"on": "update", "requires": "lead.delete"},
  {"on": "delete", "column": "stage", "from": "lost", "requires": "lead.edit"}, {"on": "delete", "requires": "lead.delete"}]}');
RESET client_min_messages;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/2';  -- Sue
BEGIN;
DELETE FROM regress_inbox.lead WHERE stage = 'lost' RETURNING tableoid::regclass, id;
UPDATE regress_inbox.lead SET stage = 'won' RETURNING tableoid::regclass, id, stage;
DELETE FROM regress_inbox.lead WHERE id = 3;  -- fail
ROLLBACK;
UPDATE regress_inbox.lead SET team_id = 20 WHERE id = 3;  -- fail
SELECT chat_rbac.actions('regress_inbox.lead', 3);
RESET ROLE;

--
-- Mistakes in a specification.  None of them changes anything.
--
CREATE FUNCTION pg_temp.state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT string_agg(p::text, E'\n' ORDER BY oid) FROM pg_policy p), (SELECT string_agg(p::text, E'\n' ORDER BY relation) FROM chat_rbac.protection p),
                    (SELECT string_agg(t::text, E'\n' ORDER BY oid) FROM pg_trigger t WHERE NOT tgisinternal)))
$$;
CREATE FUNCTION pg_temp.try(actions text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    before text := pg_temp.state();
    detail text;
    hint text;
BEGIN
    BEGIN
        PERFORM chat_rbac.protect('regress_inbox.conversation', chat_rbac.protection('regress_inbox.conversation') || jsonb_build_object('actions', actions::jsonb));
        RETURN NEXT 'no error';
    EXCEPTION WHEN others THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN QUERY SELECT format('%s: %s', SQLSTATE, SQLERRM) UNION ALL SELECT '       ' || line FROM unnest(ARRAY[detail, hint]) line WHERE line <> '';
        IF pg_temp.state() <> before THEN
            RETURN NEXT 'THE STATE HAS CHANGED';
        END IF;
    END;
END $$;
\pset format unaligned
\pset tuples_only
-- "actions"
SELECT pg_temp.try('null');
SELECT pg_temp.try('{"on": "insert", "requires": "conversation.start"}');
SELECT pg_temp.try('"conversation.start"');
SELECT pg_temp.try('["conversation.start"]');
SELECT pg_temp.try('[[]]');
SELECT pg_temp.try('[null]');
SELECT pg_temp.try('[{}]');
-- keys
SELECT pg_temp.try('[{"on": "insert"}]');
SELECT pg_temp.try('[{"requires": "conversation.start"}]');
SELECT pg_temp.try('[{"on": "update", "require": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "col": "status", "requires": "conversation.edit"}]');
-- "on"
SELECT pg_temp.try('[{"on": "upsert", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "UPDATE", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "select", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": ["update"], "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": null, "requires": "conversation.edit"}]');
-- "column"
SELECT pg_temp.try('[{"on": "update", "column": "stauts", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "Status", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "slug", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "ctid", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": ["status", "label"], "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": null, "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "", "requires": "conversation.edit"}]');
-- "from", "to"
SELECT pg_temp.try('[{"on": "insert", "column": "status", "from": "open", "requires": "conversation.start"}]');
SELECT pg_temp.try('[{"on": "delete", "column": "status", "to": "closed", "requires": "conversation.delete"}]');
SELECT pg_temp.try('[{"on": "update", "to": "closed", "requires": "conversation.close"}]');
SELECT pg_temp.try('[{"on": "update", "from": null, "requires": "conversation.close"}]');
SELECT pg_temp.try('[{"on": "update", "column": "priority", "to": "high", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "priority", "to": 1.5, "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "priority", "from": 99999999999, "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "priority", "from": true, "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "label", "to": "much too long", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "status", "to": ["closed", "snoozed"], "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "status", "to": {"is": "closed"}, "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "status", "to": "$member", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "assignee_id", "to": "$members", "requires": "conversation.edit"}]');
SELECT pg_temp.try('[{"on": "update", "column": "assignee_id", "to": "$me", "requires": "conversation.edit"}]');
-- "requires", "into"
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.eddit"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.cook"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.*"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.edit@own"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "edit"}]');
SELECT pg_temp.try('[{"on": "update", "requires": ["conversation.edit", "conversation.close"]}]');
SELECT pg_temp.try('[{"on": "update", "requires": ""}]');
SELECT pg_temp.try('[{"on": "update", "requires": true}]');
SELECT pg_temp.try('[{"on": "update", "requires": "all"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "any"}, {"on": "insert", "requires": "conversation.start"}, {"on": "update", "column": "source", "requires": null}]');
SELECT pg_temp.try('[{"on": "insert", "requires": "conversation.start", "into": "conversation.view"}]');
SELECT pg_temp.try('[{"on": "delete", "requires": "conversation.delete", "into": "conversation.view"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.edit", "into": "conversation.veiw"}]');
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.edit", "into": null}]');
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.edit", "into": "any"}]');
-- rules that nothing falls under
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.edit"}, {"on": "update", "requires": "conversation.close"}]');
SELECT pg_temp.try('[{"on": "update", "column": "status", "requires": "conversation.edit"}, {"on": "insert", "requires": "conversation.start"}, {"on": "update", "column": "status", "to": "closed", "requires": "conversation.close"}]');
SELECT pg_temp.try('[{"on": "update", "column": "status", "to": "closed", "requires": "conversation.close"}, {"on": "update", "column": "status", "from": "open", "to": "closed", "requires": null}]');
-- the second of two
SELECT pg_temp.try('[{"on": "update", "requires": "conversation.edit"}, {"on": "update", "column": "status", "to": "closed"}]');
-- columns that are generated are no part of a row's place
BEGIN;
ALTER TABLE regress_inbox.conversation ADD place int GENERATED ALWAYS AS (team_id + 1) STORED;
DO $$ BEGIN PERFORM chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "place"}}'); EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE '%', SQLERRM; END $$;
DO $$ BEGIN PERFORM chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"place": "$member"}}}'); EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE '%', SQLERRM; END $$;
DO $$ BEGIN PERFORM chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"table": "regress_inbox.conversation", "row": "id", "member": "assignee_id", "key": "place"}}}'); EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE '%', SQLERRM; END $$;
DO $$ BEGIN PERFORM chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "place"}'); EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE '%', SQLERRM; END $$;
ROLLBACK;
-- allowed: nothing may be done; nobody but the owner; a literal as it would be written in SQL
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT pg_temp.try('[]');
SELECT pg_temp.try('[{"on": "update", "requires": null}]');
SELECT pg_temp.try('[{"on": "update", "column": "priority", "from": "1", "to": 2, "requires": "any"}, {"on": "update", "column": "label", "to": "", "requires": "conversation.label"}]');
ROLLBACK;
BEGIN;
SELECT pg_temp.try('[]');
SET LOCAL ROLE regress_chat_rbac_app;
SET LOCAL chat_rbac.identity = '1/1';  -- Ada
SAVEPOINT s;
UPDATE regress_inbox.conversation SET subject = 'x';
DELETE FROM regress_inbox.conversation;
INSERT INTO regress_inbox.conversation (org_id, id) VALUES (1, 6);  -- fail
ROLLBACK;
\pset tuples_only off
\pset format aligned

-- Clean up
RESET chat_rbac.identity;
SET client_min_messages = warning;
DROP SCHEMA regress_inbox CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_owner;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_owner;

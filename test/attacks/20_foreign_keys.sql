--
-- Foreign keys: to learn of a row by referring to it, to change or read one by a
-- cascade, and to have one's own code run in a cascade.  PostgreSQL checks keys as the
-- table's owner and past policies.  That a key is there is told: "known leak".  Its
-- row is not, nor is it changed by who may not.
--
SELECT plan(28);
SET client_min_messages = error;
SELECT current_setting('server_version_num')::int >= 180000 AS later \gset

-- ---- is it there? ----

-- customers 13 (of a conversation of Sales) and, in org 2, 13; Ali sees neither
SELECT is('Ali' = ANY (seen_by), false, 'Ali does not see customer 13 of org ' || org_id) FROM lab.marker WHERE kind = 'customer' AND id = 13 ORDER BY org_id;
CREATE FUNCTION lab.told(who text, statement text) RETURNS boolean LANGUAGE sql AS $$
	SELECT lab.run_as(who, replace(statement, '@', '13')) ~ '^ERROR' IS DISTINCT FROM lab.run_as(who, replace(statement, '@', '987654')) ~ '^ERROR' $$;
SELECT is(lab.told('Ali', 'INSERT INTO inbox.task (customer_id, title) VALUES (@, ''x'')'), true, 'known leak: a task for a customer of one''s org is accepted only if there is that customer');
SELECT is(lab.told('Ali', 'UPDATE inbox.task SET customer_id = @ WHERE assignee_id = 6'), true, 'known leak: or by changing one');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.task (org_id, customer_id, title) VALUES (2, @, ''x'')'), false, 'nothing is told of another org''s customers');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (@, ''agent'', 30, 10, 6)'), false, 'nor by a conversation, in one''s own org');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (@, ''reply'', ''x'')'), false, 'nor of conversations by messages');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.participant (conversation_id, member_id) VALUES (@, 6)'), false, 'or by taking part');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.lead (customer_id) VALUES (@)'), false, 'or by a lead that one may not make');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.task (customer_id, title) VALUES (987654, ''x'')', E'^ERROR 23503: insert or update on table "task" violates foreign key constraint "task_org_id_customer_id_fkey"\n', 'the error has nothing but the attacker''s value');

-- by a table of the attacker's own, with REFERENCES
SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.guess (org_id bigint, id bigint, FOREIGN KEY (org_id, id) REFERENCES inbox.customer ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE own.late (org_id bigint, id bigint, FOREIGN KEY (org_id, id) REFERENCES inbox.message ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
RESET SESSION AUTHORIZATION;
SELECT ok(lab.run_as('Ali', 'INSERT INTO own.guess SELECT 2, 13') ~ '^1' AND lab.run_as('Ali', 'INSERT INTO own.guess SELECT 2, 987654') ~ '^ERROR 23503', 'known leak: with REFERENCES, a table of one''s own asks for every key of every org');
SELECT is(lab.hidden('Ali', lab.run_as('Ali', 'SELECT * FROM own.guess NATURAL JOIN inbox.customer')), '{}', 'which shows no row');
REVOKE REFERENCES ON ALL TABLES IN SCHEMA inbox FROM attack_app;
SELECT lab.gets_nothing('Ali', 'CREATE TABLE own.more (org_id bigint, id bigint, FOREIGN KEY (org_id, id) REFERENCES inbox.customer)', '^ERROR 42501: permission denied for table customer', 'and needs the privilege');

-- ---- one that says less than it seems ----

-- who sees all conversations of the org is not asked for each message where a foreign key says that its conversation is
-- there; one with a column more says nothing where that is null
SET ROLE attack_owner;
ALTER TABLE inbox.conversation ADD UNIQUE (org_id, id, priority);
CREATE TABLE inbox.part (org_id bigint NOT NULL DEFAULT 2, id bigint, conversation_id bigint NOT NULL, priority smallint, PRIMARY KEY (org_id, id),
	CONSTRAINT there FOREIGN KEY (org_id, conversation_id, priority) REFERENCES inbox.conversation (org_id, id, priority));
SELECT chat_rbac.protect('inbox.part', '{"resource": "message", "org": "org_id", "parent": {"table": "inbox.conversation", "column": "conversation_id"}}') \g /dev/null
RESET ROLE;
INSERT INTO inbox.part VALUES (2, 1, 1, 0), (2, 2, 1, NULL), (2, 3, 987654, NULL);
GRANT SELECT, INSERT ON inbox.part TO attack_app;
SELECT is(lab.run_as('Gus', 'SELECT id FROM inbox.part'), E'(1)\n(2)\n', 'a row without a parent is seen by nobody');
SELECT lab.gets_nothing('Gus', 'INSERT INTO inbox.part (id, conversation_id) VALUES (4, 987654)', '^ERROR 42501', 'and made by nobody');
ALTER TABLE inbox.part DROP CONSTRAINT there;
\if :later
	DELETE FROM inbox.part WHERE id = 3;
	ALTER TABLE inbox.part ADD CONSTRAINT there FOREIGN KEY (org_id, conversation_id) REFERENCES inbox.conversation NOT ENFORCED;
	INSERT INTO inbox.part VALUES (2, 3, 987654, NULL);
\endif
SELECT is(lab.run_as('Gus', 'SELECT id FROM inbox.part'), E'(1)\n(2)\n', 'nor where no foreign key is, or it is not enforced');

-- ---- by a cascade ----

-- a conversation goes, its messages go with it: only for who may delete the conversation
SELECT lab.gets_nothing('Ali', 'DELETE FROM inbox.conversation', '^(0|ERROR 42501)', 'Ali deletes no conversation');
SELECT lab.gets_nothing('Sue', 'DELETE FROM inbox.customer', '^(0|ERROR 42501)', 'Sue deletes no customer');
SELECT is((SELECT count(*) FROM inbox.message), (SELECT count(*) FROM lab.marker WHERE kind = 'message'), 'all messages are there');
-- code of the attacker's in the cascade of what is theirs
SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.parent (id int PRIMARY KEY);
CREATE TABLE own.child (id int REFERENCES own.parent ON DELETE CASCADE ON UPDATE SET NULL);
CREATE FUNCTION own.in_cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM own.tell(body) FROM inbox.message;
	PERFORM own.tell(c) FROM inbox.customer AS c;
	UPDATE inbox.conversation SET priority = 3;
	RETURN coalesce(NEW, OLD);
EXCEPTION WHEN insufficient_privilege THEN
	PERFORM own.tell(body) FROM inbox.message;
	RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER t BEFORE DELETE OR UPDATE ON own.child FOR EACH ROW EXECUTE FUNCTION own.in_cascade();
INSERT INTO own.parent VALUES (1), (2), (4);
INSERT INTO own.child VALUES (1), (2), (4);
RESET SESSION AUTHORIZATION;
SELECT lab.sees_own_only('Ali', 'UPDATE own.parent SET id = 3 WHERE id = 1', 'a trigger in an own cascade sees the attacker''s rows');
SELECT lab.sees_own_only('Ali', 'DELETE FROM own.parent WHERE id = 2', 'by DELETE, too');
SELECT is((SELECT count(*) FROM inbox.conversation WHERE priority = 3), 0::bigint, 'and changes none that the attacker may not change');
-- and at the end of the transaction
DELETE FROM own.loot;
SELECT lab.remote('Ali', 'CREATE CONSTRAINT TRIGGER late AFTER DELETE ON own.child DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION own.in_cascade()') \g /dev/null
SELECT lab.remote('Ali', 'DELETE FROM own.parent WHERE id = 4') \g /dev/null
SELECT is(lab.hidden('Ali', o) = '{}' AND lab.visible('Ali', o) > 0, true, 'a deferred trigger, too') FROM (SELECT string_agg(what, ' ') AS o FROM own.loot) AS l;
SELECT is((SELECT count(*) FROM inbox.conversation WHERE priority = 3), 0::bigint, 'which changes nothing');
-- the same as a table's owner, whom PostgreSQL does not hold to policies in there
UPDATE chat_rbac.member SET login = 'attack_owner' WHERE (org_id, member_id) = (1, 6);
GRANT CREATE ON SCHEMA inbox TO attack_owner;
SET SESSION AUTHORIZATION attack_owner;
CREATE TABLE inbox.own_parent (id int PRIMARY KEY);
CREATE TABLE inbox.own_child (id int REFERENCES inbox.own_parent ON DELETE CASCADE);
CREATE TEMP TABLE seen (body text);
CREATE FUNCTION inbox.in_cascade() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT body FROM inbox.message; RETURN OLD; END $$;
CREATE TRIGGER t BEFORE DELETE ON inbox.own_child FOR EACH ROW EXECUTE FUNCTION inbox.in_cascade();
INSERT INTO inbox.own_parent VALUES (1);
INSERT INTO inbox.own_child VALUES (1);
DELETE FROM inbox.own_parent;
RESET SESSION AUTHORIZATION;
SELECT ok(lab.hidden('Ali', (SELECT string_agg(body, ' ') FROM seen)) <> '{}', 'known leak: in a cascade the tables'' owner is past the policies');
UPDATE chat_rbac.member SET login = NULL WHERE org_id = 1;
-- a trap: the attacker's child of a customer, which Olga deletes
SET SESSION AUTHORIZATION attack_app;
CREATE TRIGGER trap BEFORE DELETE ON own.guess FOR EACH ROW EXECUTE FUNCTION own.in_cascade();
RESET SESSION AUTHORIZATION;
INSERT INTO inbox.customer (org_id, id, name) VALUES (2, 500, 'trap');
INSERT INTO own.guess VALUES (2, 500);
SELECT is(lab.hidden('Ali', lab.run_as('Gus', 'DELETE FROM inbox.customer WHERE id = 500')) <> '{}', true, 'known leak: with REFERENCES, a trigger of the attacker''s runs as who deletes what their table refers to');
SELECT is(lab.run_as('Gus', 'DELETE FROM inbox.conversation WHERE id = 13') ~ '^1', true, 'an admin deletes a conversation');
SELECT ok(bool_and(m.org_id = 2) AND count(*) = 3, 'and the cascade takes its messages, of no other org''s, where the same ids are') FROM lab.marker AS m WHERE kind = 'message' AND NOT EXISTS (SELECT FROM inbox.message AS i WHERE i.body = m.marker);

SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

--
-- Partitions and inheritance children: those that are there when the table is
-- protected, and those that come later, whoever makes them.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
\set SHOW_CONTEXT never
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_owner;
CREATE SCHEMA regress_parts AUTHORIZATION regress_chat_rbac_owner;
GRANT USAGE ON SCHEMA regress_parts TO regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support'), (1, 2, 'team', 'Sales');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7, 'Ali'), (1, 8, 'Sue');
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Sales');

CREATE TABLE regress_parts.chat (
	org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint NOT NULL, assignee_id bigint, body text,
	PRIMARY KEY (org_id, team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE regress_parts.chat_1 PARTITION OF regress_parts.chat FOR VALUES IN (1);
ALTER TABLE regress_parts.chat OWNER TO regress_chat_rbac_owner;
ALTER TABLE regress_parts.chat_1 OWNER TO regress_chat_rbac_owner;
SELECT chat_rbac.protect('regress_parts.chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"},
  "relations": {"own": {"assignee_id": "$member"}},
  "actions": [{"on": "insert", "requires": "conversation.start"},
              {"on": "update", "column": "team_id", "requires": "conversation.transfer"},
              {"on": "update", "requires": "conversation.edit"},
              {"on": "delete", "requires": "conversation.delete"}]}');

-- Later ones, by an owner without rights on the tables of chat_rbac
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_parts.chat_2 PARTITION OF regress_parts.chat FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE regress_parts.chat_2_low PARTITION OF regress_parts.chat_2 FOR VALUES FROM (0) TO (100);
-- columns in another order, and one dropped
CREATE TABLE regress_parts.chat_2_high (body text, gone int, id bigint NOT NULL, assignee_id bigint, team_id bigint NOT NULL, org_id bigint NOT NULL);
ALTER TABLE regress_parts.chat_2_high DROP COLUMN gone;
ALTER TABLE regress_parts.chat_2 ATTACH PARTITION regress_parts.chat_2_high FOR VALUES FROM (100) TO (200);
RESET ROLE;
CREATE SCHEMA regress_parts_too CREATE TABLE regress_parts_too.chat_3 PARTITION OF regress_parts.chat FOR VALUES IN (3);
SELECT relrowsecurity FROM pg_class WHERE oid = 'regress_parts_too.chat_3'::regclass;
DROP SCHEMA regress_parts_too CASCADE;
GRANT ALL ON ALL TABLES IN SCHEMA regress_parts TO regress_chat_rbac_app;
SELECT relname, relrowsecurity, relforcerowsecurity,
	(SELECT string_agg(format('%s %s', tgname, tgenabled), ', ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND tgname ~ 'chat_rbac') AS triggers
FROM pg_class c WHERE relnamespace = 'regress_parts'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname;
SELECT * FROM chat_rbac.protections WHERE problems <> '{}';

INSERT INTO regress_parts.chat VALUES (1, 1, 1, 7, 'a'), (1, 2, 1, 7, 'b'), (1, 3, 1, 8, 'c'), (1, 4, 2, 8, 'd'), (1, 104, 2, 7, 'e');
SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_parts.chat ORDER BY id;
SELECT count(*) FROM regress_parts.chat_1;
SELECT count(*) FROM regress_parts.chat_2_high;
-- a transfer moves the rows to other partitions, and they are gone
UPDATE regress_parts.chat SET team_id = 2 WHERE id = 1 RETURNING *;
UPDATE regress_parts.chat SET team_id = 2, id = id + 100 WHERE id = 2 RETURNING *;
SELECT * FROM regress_parts.chat ORDER BY id;
-- a partition is no way round
INSERT INTO regress_parts.chat_2_high VALUES ('x', 150, 7, 2, 1); -- fail
INSERT INTO regress_parts.chat_1 VALUES (1, 9, 1, 7, 'mine'); -- fail
UPDATE regress_parts.chat_2_low SET body = 'x';
DELETE FROM regress_parts.chat_1;
TRUNCATE regress_parts.chat_2_low; -- fail
TRUNCATE regress_parts.chat; -- fail
RESET ROLE; SET chat_rbac.identity = '1/8'; SET ROLE regress_chat_rbac_app;
SELECT * FROM regress_parts.chat ORDER BY id;
UPDATE regress_parts.chat SET body = body || '!' WHERE id > 100 RETURNING id, body;
DELETE FROM regress_parts.chat WHERE id = 4;
SELECT chat_rbac.can('conversation.edit', 'regress_parts.chat', 2, 4) AS here, chat_rbac.can('conversation.edit', 'regress_parts.chat', 1, 3) AS there;
RESET ROLE; RESET chat_rbac.identity;
-- what is detached stays closed
SET ROLE regress_chat_rbac_owner;
ALTER TABLE regress_parts.chat DETACH PARTITION regress_parts.chat_1;
RESET ROLE; SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app;
SELECT count(*) FROM regress_parts.chat_1;
INSERT INTO regress_parts.chat_1 VALUES (1, 9, 1, 7, 'mine'); -- fail
RESET ROLE; RESET chat_rbac.identity;

-- Inheritance: reached through the protected table, under its rules
CREATE TABLE regress_parts.task (org_id bigint, id bigint PRIMARY KEY, owner_id bigint, done boolean DEFAULT false);
CREATE TABLE regress_parts.task_old (note text) INHERITS (regress_parts.task);
SELECT chat_rbac.protect('regress_parts.task', '{"resource": "task", "org": "org_id", "relations": {"own": {"owner_id": "$member"}},
  "actions": [{"on": "update", "requires": "task.edit"}, {"on": "delete", "column": "done", "from": true, "requires": "task.edit"}, {"on": "delete", "requires": "task.delete"}]}');
CREATE TABLE regress_parts.task_older () INHERITS (regress_parts.task_old);
CREATE TABLE regress_parts.task_other (LIKE regress_parts.task);
ALTER TABLE regress_parts.task_other INHERIT regress_parts.task;
GRANT ALL ON ALL TABLES IN SCHEMA regress_parts TO regress_chat_rbac_app;
INSERT INTO regress_parts.task VALUES (1, 1, 7);
INSERT INTO regress_parts.task_old VALUES (1, 2, 7, true), (1, 3, 8, true);
INSERT INTO regress_parts.task_older VALUES (1, 4, 7, false);
INSERT INTO regress_parts.task_other VALUES (1, 5, 7, false), (1, 6, 8, false);
SELECT * FROM chat_rbac.protections WHERE problems <> '{}';
SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app;
SELECT tableoid::regclass, * FROM regress_parts.task ORDER BY id;
SELECT count(*) FROM regress_parts.task_old;
UPDATE regress_parts.task SET done = true WHERE id IN (1, 4) RETURNING id;
UPDATE regress_parts.task SET owner_id = 8 WHERE id = 5 RETURNING id;
DELETE FROM regress_parts.task WHERE id = 2 RETURNING id;
DELETE FROM regress_parts.task WHERE id = 3;
RESET ROLE; RESET chat_rbac.identity;
SELECT id, owner_id, done FROM regress_parts.task ORDER BY id;

SELECT chat_rbac.unprotect('regress_parts.task');
SELECT chat_rbac.unprotect('regress_parts.chat');
SELECT count(*) FROM pg_trigger WHERE tgname ~ 'chat_rbac' AND tgrelid::regclass::text ~ '^regress_parts' AND tgrelid <> 'regress_parts.chat_1'::regclass;
DROP SCHEMA regress_parts CASCADE;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_owner;

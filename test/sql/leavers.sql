--
-- Moves and leavers: open work is handed over with the grants, units are merged, and nothing is left behind in silence
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
\set SHOW_CONTEXT never
SET timezone = 'UTC';

CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_owner;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
CREATE SCHEMA regress_leave;
GRANT USAGE ON SCHEMA chat_rbac, regress_leave TO regress_chat_rbac_app, regress_chat_rbac_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.org, chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_grant TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
SELECT chat_rbac.create_org('globex', 2) \g /dev/null

--
-- "work" in a specification
--
CREATE TABLE regress_leave.ticket (org_id bigint, id bigint, team_id bigint, "Who" bigint, checker_id integer, state varchar(6), archived boolean, twice bigint GENERATED ALWAYS AS (id * 2) STORED,
  PRIMARY KEY (org_id, id));
CREATE INDEX ON regress_leave.ticket (org_id, team_id);
CREATE INDEX ON regress_leave.ticket (org_id, "Who");
CREATE FUNCTION pg_temp.protect(work jsonb) RETURNS void LANGUAGE sql AS $$
  SELECT chat_rbac.protect('regress_leave.ticket', jsonb_build_object('resource', 'conversation', 'org', 'org_id', 'units', '{"team": "team_id"}'::jsonb,
    'relations', '{"own": {"Who": "$member"}, "participating": {"checker_id": "$member"}}'::jsonb, 'actions', '[{"on": "insert", "requires": "conversation.create"},
      {"on": "update", "column": "Who", "requires": "conversation.assign"}, {"on": "update", "column": "checker_id", "requires": "conversation.assign"},
      {"on": "update", "column": "team_id", "requires": "conversation.transfer"}, {"on": "update", "requires": "conversation.edit"}]'::jsonb, 'work', work)) $$;
SELECT pg_temp.protect('7');                                        -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.protect('null');                                     -- fail
SELECT pg_temp.protect('{}');                                       -- fail
SELECT pg_temp.protect('{"who": {}}');                              -- fail
SELECT pg_temp.protect('{"state": {}}');                            -- fail
SELECT pg_temp.protect('{"twice": {}}');                            -- fail: cannot be given to anybody
SELECT pg_temp.protect('{"id": {}}');                               -- fail
SELECT pg_temp.protect('{"team_id": {"state": "open"}}');           -- fail
SELECT pg_temp.protect('{"Who": null}');                            -- fail
SELECT pg_temp.protect('{"Who": ["open"]}');                        -- fail
SELECT pg_temp.protect('{"Who": {"stat": "open"}}');                -- fail
SELECT pg_temp.protect('{"Who": {"state": []}}');                   -- fail
SELECT pg_temp.protect('{"Who": {"state": ["open", ["new"]]}}');    -- fail
SELECT pg_temp.protect('{"Who": {"state": {"not": "open"}}}');      -- fail
SELECT pg_temp.protect('{"Who": {"checker_id": "$member"}}');       -- fail
SELECT pg_temp.protect('{"Who": {"state": "unassigned"}}');         -- fail: too long
SELECT pg_temp.protect('{"Who": {"archived": ["yes", "perhaps"]}}'); -- fail
SELECT count(*) FROM chat_rbac.protection WHERE relation = 'regress_leave.ticket'::regclass;
SELECT pg_temp.protect('{"Who": {"state": ["open", null], "archived": false}, "checker_id": {"state": "check", "archived": false}}');
SELECT chat_rbac.protection('regress_leave.ticket') -> 'work' AS work;
CREATE TABLE regress_leave.remark (org_id bigint, id bigint PRIMARY KEY, ticket_id bigint, who bigint);
SELECT chat_rbac.protect('regress_leave.remark', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_leave.ticket", "column": "ticket_id"}, "work": {"who": {}}}'); -- fail

SET client_min_messages = warning;
SELECT chat_rbac.create_inbox('regress_leave_inbox') \g /dev/null
RESET client_min_messages;
SELECT relation, spec -> 'work' AS work FROM chat_rbac.protection WHERE spec ? 'work' ORDER BY relation::text;
GRANT USAGE ON SCHEMA regress_leave_inbox TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA regress_leave, regress_leave_inbox TO regress_chat_rbac_app;

--
-- The people, and what they have to do
--
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 1, 'department', 'Support', NULL), (1, 10, 'team', 'Tier 1', 1),
  (1, 11, 'team', 'Tier 2', 1), (1, 20, 'team', 'Sales', NULL), (1, 30, 'inbox', 'WhatsApp', 1), (1, 31, 'inbox', 'Shop', 20), (2, 10, 'team', 'Other', NULL);
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'Olga'), (1, 2, 'Ada'), (1, 3, 'Lea'), (1, 4, 'Hana'), (1, 5, 'Bob'), (1, 6, 'Ann'), (1, 7, 'Sue'), (1, 8, 'Max'),
  (1, 9, 'Otto'), (1, 12, 'Noa'), (2, 5, 'Zoe');
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 50, 'Team lead', '{member.view, member.manage, role.view, role.assign, unit.view, unit.manage}'),
  (1, 51, 'Personnel', '{member.*, role.*, unit.view}');
INSERT INTO chat_rbac.role_inherit SELECT 1, s.role_id, j.role_id FROM chat_rbac.role s, chat_rbac.role j
  WHERE s.org_id = 1 AND j.org_id = 1 AND (s.name, j.name) IN (('Team lead', 'Supervisor'), ('Personnel', 'Agent'));
SELECT count(chat_rbac.grant_role('acme', m, r, u)) FROM (VALUES ('Olga', 'Owner', NULL), ('Otto', 'Owner', NULL), ('Ada', 'Admin', NULL), ('Lea', 'Team lead', 'Tier 1'),
  ('Hana', 'Personnel', NULL), ('Bob', 'Agent', 'Tier 1'), ('Bob', 'Agent', 'Sales'), ('Ann', 'Agent', 'Support'), ('Sue', 'Supervisor', 'Support'), ('Noa', 'Agent', 'Tier 1')) AS g (m, r, u);
SELECT chat_rbac.grant_role('globex', 'Zoe', 'Owner') \g /dev/null
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) SELECT 1, 5, role_id, 11, '[2020-01-01,2021-01-01)' FROM chat_rbac.role WHERE org_id = 1 AND name = 'Agent';
INSERT INTO regress_leave_inbox.customer (org_id, id, name, owner_id) VALUES (1, 1, 'Noor', 5), (1, 2, 'Omar', NULL), (2, 1, 'Zed', 5);
INSERT INTO regress_leave_inbox.conversation (org_id, id, customer_id, inbox_id, team_id, initiated_by, assignee_id, status) VALUES (1, 1, 1, 30, 10, 'customer', 5, 'open'),
  (1, 2, 1, 30, 10, 'customer', 5, 'closed'), (1, 3, 2, 31, 20, 'customer', 5, 'waiting'), (1, 4, 2, 30, 10, 'customer', 6, 'open'), (1, 5, 2, 30, NULL, 'customer', NULL, 'open'),
  (1, 6, 2, 30, NULL, 'customer', 5, 'open'), (2, 1, 1, 30, 10, 'customer', 5, 'open');
INSERT INTO regress_leave_inbox.task (org_id, id, assignee_id, author_id, title, done) VALUES (1, 1, 5, 2, 'Call', false), (1, 2, 5, 2, 'Sleep', true), (2, 1, 5, 5, 'Other', false);
INSERT INTO regress_leave.ticket VALUES (1, 1, 10, 5, 6, 'open', false), (1, 2, 10, 5, 5, 'check', false), (1, 3, 20, 6, 5, 'check', false), (1, 4, 20, 5, NULL, NULL, false),
  (1, 5, 20, 5, NULL, 'open', true), (1, 6, 20, 5, 6, 'shut', false), (2, 1, 10, 5, 5, 'open', false);
CREATE VIEW state AS SELECT (SELECT string_agg(id || ':' || coalesce(assignee_id::text, '-') || '@' || coalesce(team_id::text, '-'), ' ' ORDER BY id) FROM regress_leave_inbox.conversation WHERE org_id = 1) AS conversations,
  (SELECT string_agg(id || ':' || coalesce(owner_id::text, '-'), ' ' ORDER BY id) FROM regress_leave_inbox.customer WHERE org_id = 1) AS customers,
  (SELECT string_agg(id || ':' || coalesce(assignee_id::text, '-'), ' ' ORDER BY id) FROM regress_leave_inbox.task WHERE org_id = 1) AS tasks,
  (SELECT string_agg(id || ':' || coalesce("Who"::text, '-') || '/' || coalesce(checker_id::text, '-') || '@' || team_id, ' ' ORDER BY id) FROM regress_leave.ticket WHERE org_id = 1) AS tickets,
  (SELECT string_agg(member_id || '@' || coalesce(unit_id::text, '*'), ' ' ORDER BY member_id, unit_id) FROM chat_rbac.role_grant WHERE org_id = 1 AND upper_inf(valid)) AS grants;
TABLE state \gx

--
-- Who leaves work behind
--
BEGIN;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;      -- a DBA
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;      -- was that already
UPDATE chat_rbac.member SET active = true, name = 'Bobby' WHERE org_id = 1 AND member_id = 5;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id IN (6, 8);
DELETE FROM chat_rbac.member WHERE org_id = 1 AND member_id = 5;
ROLLBACK;
GRANT EXECUTE ON FUNCTION chat_rbac.hand_over, chat_rbac.merge_units TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;      -- nobody
SET chat_rbac.identity = '1/7';
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 6;      -- fail: a supervisor
SET chat_rbac.identity = '1/3';
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;      -- fail: who leads one team of two
SET chat_rbac.identity = '1/4';
BEGIN;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;      -- who sees none of it, but manages him
ROLLBACK;
RESET ROLE; RESET chat_rbac.identity;
-- a table that has changed under its specification is no reason to keep somebody
BEGIN;
ALTER TABLE regress_leave.ticket RENAME COLUMN state TO status;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;
ROLLBACK;
BEGIN;
SET LOCAL client_min_messages = warning;
DROP TABLE regress_leave.ticket CASCADE;
RESET client_min_messages;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 5;
ROLLBACK;

--
-- Handing over
--
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, 6);            -- fail: nobody
\echo :LAST_ERROR_SQLSTATE
SET chat_rbac.identity = '1/5';
SELECT * FROM chat_rbac.hand_over(6, 5);            -- fail: an agent
SELECT * FROM chat_rbac.hand_over(5, 6);            -- fail: himself
SET chat_rbac.identity = '1/7';
SELECT * FROM chat_rbac.hand_over(6, 5);            -- fail: a supervisor
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.hand_over(8);               -- fail: whom she does not see
SELECT * FROM chat_rbac.hand_over(1);               -- fail: the same
SELECT * FROM chat_rbac.hand_over(77);              -- fail: and who is not there
SET chat_rbac.identity = '1/3';
SELECT * FROM chat_rbac.hand_over(5, 6, 10);        -- fail: he is of another team too
SELECT * FROM chat_rbac.hand_over(6, 12);           -- fail: she is of all of Support
SET chat_rbac.identity = '1/4';
SELECT * FROM chat_rbac.hand_over(5, 6);            -- fail: they hold the same, but she would not see
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.hand_over(5);               -- fail: who manages him, and sees none of it
\echo :LAST_ERROR_SQLSTATE
SET chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.hand_over(NULL);            -- fail
SELECT * FROM chat_rbac.hand_over(5, revoke => NULL); -- fail
SELECT * FROM chat_rbac.hand_over(5, 5);            -- fail
SELECT * FROM chat_rbac.hand_over(5, 77);           -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.hand_over(5, 8);            -- fail: she holds nothing
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.hand_over(5, 6, 77);        -- fail
SELECT * FROM chat_rbac.hand_over(77);              -- fail
SELECT * FROM chat_rbac.hand_over(1, 6);            -- fail: an owner
SELECT * FROM chat_rbac.hand_over(5, 6, reason => repeat('x', 2000)); -- fail
BEGIN READ ONLY;
SELECT * FROM chat_rbac.hand_over(5, 6);            -- fail
ROLLBACK;
RESET ROLE; TABLE state \gx
SET ROLE regress_chat_rbac_app;

BEGIN;
SELECT * FROM chat_rbac.hand_over(5, 6, 1, reason => 'to the sea');
SELECT who, did, what, CASE WHEN did <> 'revoked' THEN changes END AS changes, reason FROM chat_rbac.activity WHERE reason = 'to the sea' ORDER BY what COLLATE "C";
SELECT operation, actions, row_key, new, unit_kinds, unit_keys FROM chat_rbac.audit_event WHERE operation = 'hand_over';
SELECT current_setting('chat_rbac.reason') = '' AS as_before;
SELECT * FROM chat_rbac.hand_over(5, 6, 1);         -- nothing is left
SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'hand_over';
RESET ROLE; TABLE state \gx
ROLLBACK;
BEGIN;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, revoke => false);
SELECT new, unit_keys FROM chat_rbac.audit_event WHERE operation = 'hand_over';
RESET ROLE; TABLE state \gx
ROLLBACK;
BEGIN;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, 2);            -- to who sees all
DELETE FROM chat_rbac.member WHERE member_id = 5;
RESET ROLE; TABLE state \gx
ROLLBACK;
-- a savepoint takes it back, events and all
BEGIN;
SET ROLE regress_chat_rbac_app;
SAVEPOINT a;
SELECT count(*) FROM chat_rbac.hand_over(5);
ROLLBACK TO a;
SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'hand_over';
SELECT assignee_id FROM regress_leave_inbox.conversation WHERE id = 1;
ROLLBACK;
-- the work of who has been deleted, with member.manage in the whole org
BEGIN;
SET ROLE regress_chat_rbac_app;
DELETE FROM chat_rbac.member WHERE member_id = 5;
SET LOCAL chat_rbac.identity = '1/3';
SAVEPOINT a;
SELECT * FROM chat_rbac.hand_over(5, 6);            -- fail
ROLLBACK TO a;
SET LOCAL chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.hand_over(5);
ROLLBACK;
-- grants of later count as seeing, on shift or not; those that are over do not
RESET ROLE;
BEGIN;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) SELECT 1, 8, role_id, '[2020-01-01,2021-01-01)' FROM chat_rbac.role WHERE org_id = 1 AND name = 'Agent';
SET ROLE regress_chat_rbac_app;
SAVEPOINT a;
SELECT * FROM chat_rbac.hand_over(5, 8, 20);        -- fail
ROLLBACK TO a;
RESET ROLE;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid, shift) SELECT 1, 8, role_id, 20, '[2090-01-01,)', 'Mon-Fri 09:00-18:00 UTC' FROM chat_rbac.role WHERE org_id = 1 AND name = 'Agent';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, 8, 20);
ROLLBACK;
-- a role that shows none of it
RESET ROLE;
BEGIN;
SELECT chat_rbac.grant_role('acme', 'Max', 'Auditor') IS NOT NULL AS granted;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, 8, 20);        -- fail
ROLLBACK;
-- shown by another column's relation, but not by this one's
BEGIN;
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.-) 'conversation.view@participating' WHERE org_id = 1 AND name = 'Agent';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, 6, 10);        -- fail: the ticket that he checks
ROLLBACK;
-- not of who is not active
BEGIN;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 12;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5, 12, 10);       -- fail
ROLLBACK;
-- the guard names what is missing
BEGIN;
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.-) 'conversation.*' OPERATOR(chat_rbac.+) 'conversation.view' OPERATOR(chat_rbac.+) 'conversation.edit'
  WHERE org_id = 1 AND name = 'Supervisor';
DELETE FROM chat_rbac.role_inherit i USING chat_rbac.role r WHERE i.org_id = 1 AND r.org_id = 1 AND i.senior_id = r.role_id AND r.name = 'Supervisor';
UPDATE chat_rbac.role SET permissions = '{conversation.view@own}' WHERE org_id = 1 AND name = 'Agent';
SET LOCAL chat_rbac.identity = '1/3';
SET ROLE regress_chat_rbac_app;
RESET ROLE;
UPDATE regress_leave_inbox.conversation SET assignee_id = 12 WHERE org_id = 1 AND id = 1;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(12);              -- fail
ROLLBACK;
-- what a trigger keeps back is seen
BEGIN;
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON regress_leave.ticket FOR EACH ROW WHEN (OLD.id = 4) EXECUTE FUNCTION pg_temp.keep();
SET LOCAL chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5);               -- fail
ROLLBACK;
-- for a superuser the triggers of a table are run as its owner
BEGIN;
CREATE FUNCTION regress_leave.who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'as %', current_user; RETURN NULL; END $$;
CREATE TRIGGER who AFTER UPDATE ON regress_leave.ticket FOR EACH STATEMENT EXECUTE FUNCTION regress_leave.who();
GRANT ALL ON SCHEMA regress_leave TO regress_chat_rbac_owner;
ALTER TABLE regress_leave.ticket OWNER TO regress_chat_rbac_owner;
SET LOCAL chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.hand_over(5);
SET ROLE regress_chat_rbac_app;
UPDATE regress_leave.ticket SET checker_id = 5 WHERE id = 2;
SELECT * FROM chat_rbac.hand_over(5);
ROLLBACK;
-- two at once, and as a preview
BEGIN;
SET LOCAL chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_app;
SELECT m, h.* FROM unnest('{5,6}'::bigint[]) AS m, LATERAL chat_rbac.hand_over(m, 2) AS h ORDER BY 1, 2;
RESET ROLE;
SELECT count(*) FROM chat_rbac.preview('SELECT chat_rbac.hand_over(12)') WHERE effect = 'loses';
ROLLBACK;
-- a DBA says in whose name
SELECT * FROM chat_rbac.hand_over(5);               -- as Ada, past policies
SET chat_rbac.identity = '1/9';
BEGIN;
SELECT * FROM chat_rbac.hand_over(1);               -- an owner the other
ROLLBACK;
TABLE state \gx
SELECT count(*) FROM regress_leave_inbox.conversation WHERE org_id = 2 AND assignee_id = 5;     -- not those of another org
RESET chat_rbac.identity;
SELECT * FROM chat_rbac.hand_over(5);               -- fail

--
-- Merging
--
SELECT chat_rbac.grant_role('acme', 'Ann', 'Agent', 'Tier 1'), chat_rbac.grant_role('acme', 'Ann', 'Agent', 'Tier 2') \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name, parent_id) VALUES (1, 12, 'desk', 1, 'Night desk', 10), (1, 13, 'team', 13, 'Chat', 10);
INSERT INTO regress_leave_inbox.lead (org_id, id, customer_id, owner_id, team_id) VALUES (1, 1, 1, 6, 10);
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.merge_units(10, 11);        -- fail: nobody
SET chat_rbac.identity = '1/7';
SELECT * FROM chat_rbac.merge_units(10, 11);        -- fail
\echo :LAST_ERROR_SQLSTATE
SET chat_rbac.identity = '1/3';
SELECT * FROM chat_rbac.merge_units(10, 11);        -- fail: the other is not hers
SELECT * FROM chat_rbac.merge_units(20, 10);        -- fail: nor seen
SET chat_rbac.identity = '1/4';
SELECT * FROM chat_rbac.merge_units(10, 11);        -- fail
SET chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.merge_units(10, NULL);      -- fail
SELECT * FROM chat_rbac.merge_units(10, 10);        -- fail
SELECT * FROM chat_rbac.merge_units(10, 77);        -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.merge_units(10, 30);        -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.merge_units(10, 13);        -- fail: below it
-- who may not transfer all of it
RESET ROLE;
BEGIN;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 60, 'Planner', '{unit.*, role.*, member.*, conversation.view, conversation.transfer, lead.view@own}');
INSERT INTO chat_rbac.role_inherit SELECT 1, 60, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Team lead';
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.-) 'lead.*' WHERE org_id = 1 AND name IN ('Supervisor', 'Agent');
SELECT chat_rbac.grant_role('acme', 'Max', 'Planner') IS NOT NULL AS granted;
SET LOCAL chat_rbac.identity = '1/8';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.merge_units(10, 11);        -- fail
ROLLBACK;
BEGIN;
SET LOCAL chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.merge_units(10, 11, 'one desk');
SELECT unit_id, kind, key, name, parent_id FROM chat_rbac.unit ORDER BY 1;
SELECT count(*) FROM chat_rbac.activity WHERE reason = 'one desk';
SELECT operation, actions, row_key, new, unit_kinds, unit_keys FROM chat_rbac.audit_event WHERE operation = 'merge_units';
SET LOCAL chat_rbac.identity = '1/12';
SELECT id, team_id FROM regress_leave_inbox.conversation ORDER BY id;   -- Noa came along
SET LOCAL chat_rbac.identity = '1/3';
SELECT name FROM chat_rbac.unit ORDER BY 1;                             -- so did Lea
RESET ROLE; TABLE state \gx
ROLLBACK;
-- into the unit above; nobody changes their own grant
BEGIN;
SET LOCAL chat_rbac.identity = '1/3';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.merge_units(13, 10);
SAVEPOINT a;
RESET ROLE;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 14, 'team', 'Mail', 10);
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.merge_units(10, 14);        -- fail
ROLLBACK;
-- with separations and shifts: who is off shift does neither
BEGIN;
SELECT chat_rbac.create_separation('acme', 'watch', '{Agent,Auditor}') IS NOT NULL AND chat_rbac.create_separation('acme', 'one at a time', '{Agent,Viewer}', kind => 'dynamic') IS NOT NULL AS made;
UPDATE chat_rbac.role_grant SET shift = 'Mon-Fri 09:00-18:00 UTC' WHERE org_id = 1 AND member_id = 12;
SET LOCAL chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.merge_units(10, 11) WHERE what LIKE 'grants%';
SELECT * FROM chat_rbac.hand_over(12);
RESET ROLE;
UPDATE chat_rbac.role_grant SET shift = 'Mon-Sun 00:00-24:00 UTC except 2000-01-01..2099-12-31' WHERE org_id = 1 AND member_id = 2;
SET ROLE regress_chat_rbac_app;
SAVEPOINT a;
SELECT * FROM chat_rbac.hand_over(6);               -- fail
ROLLBACK TO a;
SELECT * FROM chat_rbac.merge_units(11, 20);        -- fail
ROLLBACK;
-- sealed and unsealed
BEGIN;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 20;
SET LOCAL chat_rbac.identity = '1/1';
SELECT * FROM chat_rbac.merge_units(10, 20);        -- fail
ROLLBACK;
BEGIN;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 1;
SET LOCAL chat_rbac.identity = '1/1';
SAVEPOINT a;
SELECT * FROM chat_rbac.merge_units(20, 10);        -- fail: below a sealed one
ROLLBACK TO a;
SELECT * FROM chat_rbac.merge_units(10, 11);
UPDATE regress_leave_inbox.conversation SET assignee_id = 6 WHERE org_id = 1 AND id = 1;
SELECT * FROM chat_rbac.hand_over(6, 2);            -- fail: an admin's grant does not reach into it
ROLLBACK;
-- what is at sealed units stays there, and is not told of
BEGIN;
DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 12;
UPDATE regress_leave_inbox.conversation SET assignee_id = 12 WHERE org_id = 1 AND id IN (1, 3);
UPDATE regress_leave_inbox.lead SET owner_id = 12 WHERE org_id = 1;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 1;
SET ROLE regress_chat_rbac_app;
SET LOCAL chat_rbac.identity = '1/2';
SAVEPOINT a;
UPDATE chat_rbac.member SET active = false WHERE member_id = 12;    -- Ada
RESET ROLE;
UPDATE chat_rbac.member SET active = true WHERE org_id = 1 AND member_id = 12;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 12;   -- a DBA
ROLLBACK TO a;
SELECT * FROM chat_rbac.hand_over(12, 2);
RESET ROLE; TABLE state \gx
ROLLBACK;
-- rows of one unit that are at another, sealed one
BEGIN;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, sealed) VALUES (1, 40, 'inbox', 'Board', true);
UPDATE regress_leave_inbox.conversation SET inbox_id = 40 WHERE org_id = 1 AND id = 1;
SET ROLE regress_chat_rbac_app;
SET LOCAL chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.merge_units(10, 11);        -- fail
ROLLBACK;

-- how much was at a sealed unit is told there only, by the event too
BEGIN;
UPDATE regress_leave_inbox.conversation SET assignee_id = 12 WHERE org_id = 1 AND id = 3;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 20;
SELECT count(chat_rbac.grant_role('acme', 'Max', r, 'Sales')) FROM unnest('{Admin, Personnel}'::text[]) AS r;
SELECT chat_rbac.grant_role('acme', 'Max', 'Owner') IS NOT NULL AS granted;
SET ROLE regress_chat_rbac_app;
SET LOCAL chat_rbac.identity = '1/8';
SELECT * FROM chat_rbac.hand_over(12, 8);
SELECT new, unit_kinds, unit_keys FROM chat_rbac.audit_event WHERE operation = 'hand_over';
SET LOCAL chat_rbac.identity = '1/1';
SELECT count(*) AS by_the_owner FROM chat_rbac.audit_event WHERE operation = 'hand_over';
ROLLBACK;

--
-- Triggers of the application find what they name as ever
--
CREATE TABLE regress_leave.diary (entry text);
GRANT INSERT, SELECT ON regress_leave.diary TO regress_chat_rbac_app;
CREATE FUNCTION regress_leave.write_diary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO diary VALUES (format('conversation %s: %s, team %s', NEW.id, NEW.assignee_id, NEW.team_id)); RETURN NULL; END $$;
CREATE TRIGGER write_diary AFTER UPDATE ON regress_leave_inbox.conversation FOR EACH ROW EXECUTE FUNCTION regress_leave.write_diary();
-- and an operator that the caller's path has for it is not taken
CREATE SCHEMA regress_leave_bait;
GRANT USAGE ON SCHEMA regress_leave_bait TO regress_chat_rbac_app;
CREATE FUNCTION regress_leave_bait.never(bigint, integer) RETURNS boolean LANGUAGE sql RETURN false;
CREATE OPERATOR regress_leave_bait.= (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = regress_leave_bait.never);
BEGIN;
SET ROLE regress_chat_rbac_app;
SET LOCAL chat_rbac.identity = '1/2';
SET LOCAL search_path = regress_leave_bait, pg_catalog, regress_leave;
SELECT * FROM chat_rbac.hand_over(6, 2, 10);
SELECT * FROM chat_rbac.merge_units(10, 11);
SHOW search_path;
SELECT * FROM diary;
ROLLBACK;
BEGIN;
SET LOCAL chat_rbac.identity = '1/2';
SET LOCAL search_path = regress_leave_bait, pg_catalog, regress_leave;
SELECT * FROM chat_rbac.hand_over(6, 2, 10);        -- a DBA
SELECT * FROM diary;
ROLLBACK;
-- who is past policies, but no more, has the rights that they have
CREATE ROLE regress_chat_rbac_bypass BYPASSRLS;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_bypass;
GRANT USAGE ON SCHEMA chat_rbac, regress_leave, regress_leave_inbox TO regress_chat_rbac_bypass;
GRANT SELECT, UPDATE ON chat_rbac.member, chat_rbac.unit TO regress_chat_rbac_bypass;
GRANT EXECUTE ON FUNCTION chat_rbac.hand_over TO regress_chat_rbac_bypass;
BEGIN;
SET LOCAL SESSION AUTHORIZATION regress_chat_rbac_bypass;
SET LOCAL chat_rbac.identity = '1/2';
CREATE TEMP TABLE diary (entry text);
CREATE FUNCTION pg_temp.bait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'run as %', current_user; RETURN NEW; END $$;
CREATE TRIGGER bait BEFORE INSERT ON diary FOR EACH ROW EXECUTE FUNCTION pg_temp.bait();
SAVEPOINT a;
SELECT * FROM chat_rbac.hand_over(6, 2, 10, revoke => false);       -- fail
ROLLBACK TO a;
RESET SESSION AUTHORIZATION;
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA regress_leave, regress_leave_inbox TO regress_chat_rbac_bypass;
SET LOCAL SESSION AUTHORIZATION regress_chat_rbac_bypass;
SELECT * FROM chat_rbac.hand_over(6, 2, 10, revoke => false);
ROLLBACK;
DROP TRIGGER write_diary ON regress_leave_inbox.conversation;

--
-- What the owner of a table has put there gets no superuser's rights at the end of the transaction either
--
CREATE TABLE regress_leave.plan (org_id bigint, id bigint, who bigint, PRIMARY KEY (org_id, id));
CREATE TABLE regress_leave.later (entry text);
CREATE FUNCTION regress_leave.run_later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'run as %', current_user; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER run_later AFTER INSERT ON regress_leave.later DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_leave.run_later();
CREATE CONSTRAINT TRIGGER run_later AFTER UPDATE ON regress_leave.plan DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION regress_leave.run_later();
CREATE FUNCTION regress_leave.do_write() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN INSERT INTO regress_leave.later VALUES ('x'); RETURN 1; END $$;
CREATE FUNCTION regress_leave.do_plan(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$;
CREATE INDEX ON regress_leave.plan ((regress_leave.do_plan(1) + id));                 -- is run when a query is planned
CREATE OR REPLACE FUNCTION regress_leave.do_plan(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN regress_leave.do_write(); END $$;
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_leave.plan', '{"resource": "task", "org": "org_id", "relations": {"own": {"who": "$member"}}, "work": {"who": {}}}') \g /dev/null
RESET client_min_messages;
ALTER TABLE regress_leave.plan OWNER TO regress_chat_rbac_owner;
ALTER TABLE regress_leave.later OWNER TO regress_chat_rbac_owner;
BEGIN;
UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 8;
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
CREATE OR REPLACE FUNCTION regress_leave.do_plan(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 1; END $$;
INSERT INTO regress_leave.plan VALUES (1, 1, 8);
BEGIN;
SET LOCAL chat_rbac.identity = '1/2';
SAVEPOINT a;
SELECT * FROM chat_rbac.hand_over(8, 2);            -- fail
ROLLBACK TO a;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT * FROM chat_rbac.hand_over(8, 2);
ROLLBACK;
SET client_min_messages = warning;
SELECT chat_rbac.unprotect('regress_leave.plan') \g /dev/null
RESET client_min_messages;

--
-- Partitions by unit, another owner, ids of other types, names that need quotes
--
SET client_min_messages = warning;
CREATE TABLE regress_leave."Big ""one""" (org integer, id integer, "The team" integer, "who's" integer, PRIMARY KEY (org, id, "The team")) PARTITION BY LIST ("The team");
CREATE TABLE regress_leave.big_10 PARTITION OF regress_leave."Big ""one""" FOR VALUES IN (10);
CREATE TABLE regress_leave.big_rest PARTITION OF regress_leave."Big ""one""" DEFAULT;
ALTER TABLE regress_leave."Big ""one""" OWNER TO regress_chat_rbac_owner;
ALTER TABLE regress_leave.big_10 OWNER TO regress_chat_rbac_owner;
ALTER TABLE regress_leave.big_rest OWNER TO regress_chat_rbac_owner;
SELECT chat_rbac.protect('regress_leave."Big ""one"""', '{"resource": "task", "org": "org", "units": {"team": "The team"}, "relations": {"own": {"who''s": "$member"}}, "work": {"who''s": {}},
  "actions": [{"on": "update", "column": "who''s", "requires": "task.assign"}, {"on": "update", "requires": "task.edit"}]}') \g /dev/null
RESET client_min_messages;
GRANT SELECT, UPDATE ON regress_leave."Big ""one""" TO regress_chat_rbac_app;
INSERT INTO regress_leave."Big ""one""" VALUES (1, 1, 10, 12), (1, 2, 11, 12), (1, 3, 20, 12), (2, 4, 10, 12);
SET chat_rbac.identity = '1/2';
BEGIN;
SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.member SET active = false WHERE member_id = 12;
SELECT * FROM chat_rbac.hand_over(12, 2);
SELECT * FROM chat_rbac.merge_units(10, 11);
RESET ROLE;
SELECT tableoid::regclass, * FROM regress_leave."Big ""one""" ORDER BY id;
ROLLBACK;
-- a part of another owner is not read on this one's behalf
BEGIN;
ALTER TABLE regress_leave.big_10 OWNER TO regress_chat_rbac_app;
ALTER TABLE regress_leave."Big ""one""" OWNER TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.member SET active = false WHERE member_id = 12;
SELECT * FROM chat_rbac.hand_over(12, 2);           -- fail
ROLLBACK;

--
-- What is internal
--
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.count_past('regress_leave.ticket', 'SELECT count(*) FROM regress_leave.ticket');   -- fail
SELECT * FROM chat_rbac.work_steps(1, 5, NULL, NULL, '{}');                                           -- fail
CREATE TEMP TABLE bait (org_id bigint, member_id bigint, name text);
CREATE TRIGGER t AFTER DELETE ON bait FOR EACH ROW EXECUTE FUNCTION chat_rbac.tell_open_work();     -- fail
RESET ROLE; RESET chat_rbac.identity;
REVOKE EXECUTE ON FUNCTION chat_rbac.hand_over, chat_rbac.merge_units FROM regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.hand_over(5);               -- fail
RESET ROLE;
-- without privileges on the tables of the model nothing happens, whatever the roles
REVOKE UPDATE ON chat_rbac.member FROM regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION chat_rbac.hand_over TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app; SET chat_rbac.identity = '1/1';
SELECT * FROM chat_rbac.hand_over(5);               -- fail
RESET ROLE; RESET chat_rbac.identity;

DROP VIEW state;
SET client_min_messages = warning;
DROP SCHEMA regress_leave, regress_leave_inbox, regress_leave_bait CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org CASCADE;
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_owner, regress_chat_rbac_bypass;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_owner, regress_chat_rbac_bypass;

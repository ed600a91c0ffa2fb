--
-- explain_access(), who_can(), what_can() and preview(): what they say, to whom, and what cannot be asked
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET search_path = public, chat_rbac;
\set SHOW_CONTEXT never
CREATE ROLE regress_chat_rbac_app;
CREATE SCHEMA regress_why;
GRANT USAGE ON SCHEMA regress_why TO regress_chat_rbac_app;
SET search_path = regress_why, public, chat_rbac;

SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('globex', 2);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (1, 1, 'region', 1, NULL, 'EMEA'), (1, 2, 'team', 10, 1, 'Support'), (1, 3, 'team', 11, 2, 'Tier 2'), (1, 4, 'team', 20, 1, 'Sales'), (1, 5, 'inbox', 10, 4, 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES
  (1, 1, 'Ada', true), (1, 2, 'Sue', true), (1, 3, 'Bob', true), (1, 4, 'Ina', true), (1, 5, 'Zed', false), (1, 6, 'Rex', true), (1, 7, 'Pat', true), (2, 3, 'Bob', true), (2, 8, 'Hal', true);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES
  (1, 101, 'Clerk', '{conversation.view@own, conversation.view@unassigned, conversation.close@own, customer.view@linked}'),
  (1, 102, 'Lead', '{conversation.close}'), (1, 103, 'Chief', '{conversation.view}'), (1, 104, 'Reviewer', '{role.view}'),
  (1, 105, 'Pool', '{conversation.view@colleague}'), (1, 106, 'Regional', '{customer.view, task.*}');
INSERT INTO chat_rbac.role_inherit VALUES (1, 103, 102), (1, 102, 101);
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id, valid)
SELECT 1, g, m, r, u, v::tstzrange FROM (VALUES
  (1, 1, NULL, NULL, '(,)'), (2, 2, 103, 1, '(,)'), (3, 3, 101, 2, '(,)'), (4, 3, 103, 4, '[2024-01-01,2024-08-31)'), (5, 4, 103, 2, '[2099-12-01 08:00,)'),
  (6, 5, 103, NULL, '(,)'), (7, 6, 104, NULL, '(,)'), (8, 7, 105, 3, '(,)'), (9, 2, 106, 1, '(,)')) AS v (g, m, r, u, v)
 WHERE r IS NOT NULL;
SELECT chat_rbac.grant_role('acme', 'Ada', 'Owner') IS NOT NULL AS granted;
UPDATE chat_rbac.role_grant SET grant_id = 1 WHERE member_id = 1;
ALTER SEQUENCE chat_rbac.role_grant_grant_id_seq RESTART 100;

CREATE TABLE chat (org_id bigint, id int, team_id bigint, inbox_id bigint, assignee_id bigint, customer_id bigint, PRIMARY KEY (org_id, id));
CREATE TABLE message (org_id bigint, id bigint, chat_id int, PRIMARY KEY (org_id, id));
CREATE TABLE customer (org_id bigint, id bigint, owner_id bigint, PRIMARY KEY (org_id, id));
CREATE TABLE event (org_id bigint, day int, id bigint, team_id bigint, PRIMARY KEY (org_id, day, id)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (1) TO (100);
CREATE TABLE plain (id bigint PRIMARY KEY);
CREATE TABLE named (org_id bigint, name text, PRIMARY KEY (org_id, name));
INSERT INTO chat VALUES (1, 7, 20, NULL, 2, 70), (1, 8, 10, NULL, 3, 80), (1, 9, 11, NULL, NULL, NULL), (1, 10, NULL, NULL, NULL, NULL), (1, 11, 20, 10, 7, NULL), (1, 12, 99, NULL, 2, NULL),
  (2, 7, 10, NULL, 3, 70), (2, 77, 10, NULL, 3, NULL);
INSERT INTO message VALUES (1, 1, 8), (1, 2, 7), (1, 3, 4711);
INSERT INTO customer VALUES (1, 70, NULL), (1, 80, NULL), (1, 90, 7);
INSERT INTO event VALUES (1, 1, 1, 10), (1, 2, 1, 20);
GRANT SELECT ON chat, message, customer, event, plain TO regress_chat_rbac_app;
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
  "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}, "colleague": {"assignee_id": "$members"}}}');
SELECT chat_rbac.protect('message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_why.chat", "column": "chat_id"}}');
SELECT chat_rbac.protect('customer', '{"resource": "customer", "org": "org_id",
  "relations": {"own": {"owner_id": "$member"}, "linked": {"linked": {"table": "regress_why.chat", "column": "customer_id"}}}}');
SELECT chat_rbac.protect('event', '{"resource": "task", "org": "org_id", "units": {"team": "team_id"}}');
SELECT chat_rbac.protect('named', '{"resource": "task", "org": "org_id"}');

--
-- Why, and why not: to a superuser, of an org
--
SET chat_rbac.identity = '1/6';
SELECT * FROM explain_access(3, 'conversation.view', 'chat', 7);
SELECT * FROM explain_access(3, 'conversation.view', 'chat', 8);
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 9);
-- the way through inherited roles
SELECT * FROM explain_access(2, 'conversation.close', 'chat', 8);
SELECT * FROM explain_access(2, 'customer.view', 'customer', 80);
-- to come, over, inactive, nothing
SELECT * FROM explain_access(4, 'conversation.view', 'chat', 8);
SELECT * FROM explain_access(5, 'conversation.view', 'chat', 8);
SELECT * FROM explain_access(6, 'conversation.view', 'chat', 8);
SELECT * FROM explain_access(3, 'billing.edit');
-- a row at no unit, at two, and at one that is gone
SELECT * FROM explain_access(2, 'conversation.view', 'chat', 10);
SELECT * FROM explain_access(3, 'conversation.view', 'chat', 11);
SELECT * FROM explain_access(2, 'conversation.view', 'chat', 12);
-- a relation to a colleague holds at some units
SELECT * FROM explain_access(7, 'conversation.view', 'chat', 9);
SELECT * FROM explain_access(7, 'conversation.view', 'chat', 11);
-- a child is where its parent is; a parent that is not there
SELECT * FROM explain_access(3, 'message.view', 'message', 1);
SELECT * FROM explain_access(2, 'message.view', 'message', 1);
SELECT * FROM explain_access(3, 'message.edit', 'message', 2);
SELECT * FROM explain_access(1, 'message.view', 'message', 3);
-- linked to a row that the member may see, and to one that they may not; a table without units
SELECT * FROM explain_access(3, 'customer.view', 'customer', 80);
SELECT * FROM explain_access(3, 'customer.view', 'customer', 70);
SELECT * FROM explain_access(2, 'customer.view', 'customer', 90);
SELECT * FROM explain_access(2, 'customer.view', 'customer', 70);
-- a key of two columns, in a partition
SELECT * FROM explain_access(2, 'task.close', 'event', 2, 1);
SELECT * FROM explain_access(3, 'task.close', 'event', 2, 1);
-- not there, for who sees all
SELECT * FROM explain_access(3, 'conversation.view', 'chat', 4711);
-- anywhere, and with a relation
SELECT * FROM explain_access(3, 'conversation.close');
SELECT * FROM explain_access(3, 'conversation.close@own');
SELECT * FROM explain_access(3, 'conversation.view@colleague');
SELECT * FROM explain_access(1, 'conversation.*');
BEGIN;
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) VALUES (1, 10, 7, 101);
SELECT * FROM explain_access(7, 'conversation.close');
ROLLBACK;

-- Policies of others have a say too, which can() hears and this does not
RESET chat_rbac.identity;
CREATE POLICY other ON event AS RESTRICTIVE USING (day < 2);
SELECT * FROM explain_access(2, 'task.close', 'event', 2, 1);
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/2';
SELECT can('task.close', 'event', 2, 1);
SELECT * FROM explain_access(2, 'task.close', 'event', 2, 1);
RESET ROLE;
DROP POLICY other ON event;

--
-- Who asks: about oneself everybody, about others with role.view in the whole org
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 8);
SELECT * FROM explain_access(2, 'conversation.close', 'chat', 8);  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM explain_access(99, 'conversation.close');  -- fail
SELECT * FROM who_can('conversation.close');  -- fail
SELECT * FROM what_can(2);  -- fail
SELECT * FROM preview('SELECT 1');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT held, unit, role, ends FROM what_can(3);
-- a row of another team, of another org, and of nobody: the same, and not what it is
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 7);
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 77);
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 4711);
SELECT * FROM explain_access(3, 'conversation.transfer', 'chat', 7);
-- role.view that is not for the whole org is not enough
RESET ROLE;
BEGIN;
UPDATE chat_rbac.role_grant SET role_id = 104 WHERE grant_id = 3;
SET ROLE regress_chat_rbac_app;
SELECT * FROM explain_access(2, 'conversation.close');  -- fail
ROLLBACK;
-- one who may ask, and sees no row
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/6';
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 8);
SELECT * FROM explain_access(3, 'conversation.close', 'chat', 7);
SELECT * FROM explain_access(3, 'conversation.transfer', 'chat', 8);
SELECT * FROM explain_access(5, 'conversation.view', 'chat', 8);
SELECT * FROM who_can('conversation.close', 'chat', 8);
SELECT * FROM who_can('conversation.close', 'chat', 4711);
SELECT * FROM who_can('conversation.close');
SELECT * FROM explain_access(8, 'conversation.close');  -- fail: of another org
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM what_can(3) LIMIT 1;
-- nobody
SET chat_rbac.identity = '1/99';
SELECT * FROM explain_access(3, 'conversation.close');  -- fail
SET chat_rbac.identity = '1/5';
SELECT * FROM explain_access(5, 'conversation.close');  -- fail
-- the session's narrowing counts
SET chat_rbac.identity = '1/2';
SET chat_rbac.active_roles = 'Lead';
SELECT * FROM explain_access(2, 'conversation.view', 'chat', 8);
SELECT can('conversation.view', 'chat', 8), can('conversation.view', 'chat', 7), can('conversation.close');
SELECT * FROM explain_access(2, 'conversation.view', 'chat', 7);
SELECT * FROM explain_access(2, 'conversation.close');
RESET chat_rbac.active_roles;
-- roles that may not be active together are not
RESET ROLE;
BEGIN;
INSERT INTO chat_rbac.separation (org_id, separation_id, name, kind, cardinality) VALUES (1, 1, 'Chief and Regional', 'dynamic', 2);
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 103), (1, 1, 106);
SELECT * FROM explain_access(2, 'conversation.view', 'chat', 8);
SELECT * FROM who_can('conversation.view', 'chat', 8);
SELECT * FROM what_can(2);
SET LOCAL ROLE regress_chat_rbac_app;
SET LOCAL chat_rbac.identity = '1/2';
SELECT can('conversation.view', 'chat', 8);
SELECT * FROM explain_access(2, 'conversation.view');
SET LOCAL chat_rbac.active_roles = 'Regional';
SELECT * FROM explain_access(2, 'task.view', 'event', 2, 1);
ROLLBACK;
-- off shift: a day of the week that is neither yesterday, today nor tomorrow
BEGIN;
SELECT to_char(now() + interval '3 days', 'Dy') AS day, to_char(now(), 'Dy') AS today \gset
UPDATE chat_rbac.role_grant SET shift = (:'day' || ' 09:00-18:00 UTC')::chat_rbac.shift WHERE grant_id = 2;
SELECT verdict, grant_id, held, replace(why, :'day', '(day)') AS why FROM explain_access(2, 'conversation.view', 'chat', 8);
SELECT DISTINCT grant_id, ends FROM what_can(2) ORDER BY 1;
UPDATE chat_rbac.role SET permissions = permissions + 'shift.exempt' WHERE role_id = 106;
SELECT verdict, grant_id, held, why FROM explain_access(2, 'conversation.view', 'chat', 8) LIMIT 2;
UPDATE chat_rbac.role SET permissions = permissions - 'shift.exempt' WHERE role_id = 106;
UPDATE chat_rbac.role_grant SET shift = (:'today' || ' 00:00-24:00 UTC')::chat_rbac.shift WHERE grant_id = 2;
SELECT DISTINCT grant_id, ends = date_trunc('day', now()) + interval '1 day' AS ends_tonight FROM what_can(2) ORDER BY 1;
ROLLBACK;
SET ROLE regress_chat_rbac_app;
-- the right to read the table is needed
RESET ROLE;
REVOKE SELECT ON chat FROM regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT * FROM explain_access(2, 'conversation.view', 'chat', 8);  -- fail
RESET ROLE;
GRANT SELECT ON chat TO regress_chat_rbac_app;
RESET chat_rbac.identity;

--
-- Superusers: everybody
--
SELECT verdict, why FROM explain_access(8, 'conversation.view');
SELECT verdict, why FROM explain_access(3, 'conversation.view');  -- fail: in two orgs
SELECT * FROM who_can('conversation.view');  -- fail: there are two orgs
SELECT verdict, why FROM explain_access(4711, 'conversation.view');  -- fail
SET chat_rbac.identity = '2/8';
SELECT verdict, why FROM explain_access(3, 'conversation.view', 'chat', 7);
SELECT verdict, why FROM explain_access(6, 'conversation.view');
SET chat_rbac.identity = '1/6';
SELECT * FROM who_can('conversation.close', 'chat', 8);
SELECT * FROM who_can('customer.view', 'customer', 80);
SELECT * FROM who_can('message.view', 'message', 1);
SELECT * FROM who_can('task.close', 'event', 2, 1);
SELECT * FROM who_can('conversation.view@colleague');

-- What cannot be asked
SELECT * FROM explain_access(NULL, 'conversation.view');  -- fail
SELECT * FROM explain_access(3, NULL);  -- fail
SELECT * FROM who_can(NULL);  -- fail
SELECT * FROM explain_access(3, 'conversation.view@own', 'chat', 8);  -- fail
SELECT * FROM explain_access(3, 'conversation.view', 'chat');  -- fail
SELECT * FROM explain_access(3, 'conversation.view', 'chat', 8, 9);  -- fail
SELECT * FROM explain_access(3, 'conversation.view', NULL, 8);  -- fail
SELECT * FROM who_can('conversation.view', NULL, 8);  -- fail
SELECT * FROM explain_access(3, 'conversation.view', 'chat', NULL::bigint);  -- fail
SELECT * FROM explain_access(3, 'conversation.view', 'plain', 1);  -- fail
SELECT * FROM explain_access(3, 'task.view', 'named', 1);  -- fail
SELECT * FROM explain_access(3, 'task.view', 'event_1', 1, 1);  -- fail
SELECT * FROM explain_access(3, 'role.view', 'chat_rbac.role', 1);  -- fail

-- The cache is as before: who is asked about is not in it
CREATE TEMP TABLE before AS SELECT entries, builds FROM cache_stats();
SELECT count(*) AS said FROM explain_access(3, 'conversation.view', 'chat', 8), who_can('conversation.view', 'chat', 8), what_can(2);
SELECT s.entries - b.entries AS entries, s.builds - b.builds AS builds FROM cache_stats() s, before b;
RESET chat_rbac.identity;

--
-- preview()
--
SET chat_rbac.identity = '1/1';
CREATE VIEW now AS SELECT (SELECT count(*) FROM chat_rbac.role_grant) AS grants, (SELECT count(*) FROM chat_rbac.unit) AS units,
  (SELECT string_agg(name, ' ') FROM chat_rbac.role WHERE role_id BETWEEN 101 AND 106 AND permissions::text ~ 'lead') AS changed;
TABLE now;
SELECT effect, member, permission, unit FROM preview($$ SELECT chat_rbac.grant_role('acme', 'Bob', 'Chief', 'EMEA') $$);
SELECT effect, member, permission, unit FROM preview($$ DELETE FROM chat_rbac.role_grant WHERE grant_id IN (3, 7); INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 3, 104) $$);
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.role SET permissions = permissions + 'lead.view' WHERE role_id = 101 $$);
-- held above, or in another way, already
SELECT effect, member, permission, unit FROM preview($$ SELECT chat_rbac.grant_role('acme', 'Sue', 'Chief', 'Support'), chat_rbac.grant_role('acme', 'Ada', 'Viewer') $$);
-- from a unit to the one above, and back down
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.role_grant SET unit_id = 2 WHERE grant_id = 8 $$);
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.role_grant SET unit_id = 5 WHERE grant_id = 9 $$);
-- a unit that moves; a new one; a member who leaves, and time
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.unit SET parent_id = 4 WHERE unit_id = 3 $$);
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.unit SET parent_id = NULL WHERE unit_id = 2 $$);
SELECT effect, member, permission, unit FROM preview($$ INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 50, 'team', 'New', 1) $$);
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.member SET active = member_id = 5 WHERE member_id IN (5, 7) $$);
SELECT effect, member, permission, unit FROM preview($$ UPDATE chat_rbac.role_grant SET valid = '(,)' WHERE grant_id = 5 $$);
-- nothing, and nothing that counts; another org
SELECT * FROM preview('');
SELECT * FROM preview($$ UPDATE chat_rbac.role SET name = 'Boss' WHERE role_id = 102; SELECT 1 $$);
SELECT * FROM preview($$ SELECT chat_rbac.grant_role('globex', 'Hal', 'Owner') $$);
RESET chat_rbac.identity;
SELECT * FROM preview($$ SELECT chat_rbac.grant_role('globex', 'Hal', 'Owner') $$);
SET chat_rbac.identity = '1/1';
-- nothing of it is left: tables, settings, roles
SELECT count(*) FROM preview($$ CREATE TABLE left_over (); SET chat_rbac.reason = 'left over'; SET ROLE regress_chat_rbac_app; TRUNCATE chat; $$);  -- fail
SELECT count(*) FROM preview($$ CREATE TABLE left_over (); SET LOCAL chat_rbac.reason = 'left over'; SELECT set_config('chat_rbac.identity', '1/2', false); SET ROLE regress_chat_rbac_app; $$);
SELECT to_regclass('left_over'), current_setting('chat_rbac.reason') AS reason, current_user <> 'regress_chat_rbac_app' AS same_role, current_setting('chat_rbac.identity') AS identity;
-- errors are raised, at the end's too, and nothing is left of them
CREATE TABLE later (id bigint PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
SELECT * FROM preview('INSERT INTO later VALUES (1), (1)');  -- fail
SELECT * FROM preview($$ SELECT chat_rbac.grant_role('acme', 'Bob', 'Chief'); SELECT 1/0 $$);  -- fail
SELECT * FROM preview('SELECT 1; nonsense');  -- fail
SELECT * FROM preview($$ DELETE FROM chat_rbac.role_grant; COMMIT $$);  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM preview('ROLLBACK');  -- fail
SELECT * FROM preview('VACUUM');  -- fail
SELECT * FROM preview(NULL);
DO $$
BEGIN
	PERFORM preview('SELECT 1/0');
EXCEPTION WHEN division_by_zero THEN
	CREATE TEMP TABLE kept ON COMMIT PRESERVE ROWS AS SELECT count(*) AS after_an_error FROM preview('DELETE FROM chat_rbac.role_grant WHERE grant_id = 3');
END $$;
TABLE kept;
-- in a transaction, within another preview, and what is cached
BEGIN;
DELETE FROM chat_rbac.role_grant WHERE grant_id = 8;
SELECT count(*) FROM preview('INSERT INTO later SELECT count(*) FROM chat_rbac.preview(''DELETE FROM chat_rbac.role_grant WHERE grant_id = 3'')');
SET LOCAL chat_rbac.identity = '1/3';
SELECT can('conversation.view', 'chat', 8);
SET LOCAL chat_rbac.identity = '1/1';
SELECT count(*) > 0 AS told FROM preview('DELETE FROM chat_rbac.role_grant WHERE member_id = 3');
SET LOCAL chat_rbac.identity = '1/3';
SELECT can('conversation.view', 'chat', 8);
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM preview('DELETE FROM chat_rbac.role_grant');  -- fail
ROLLBACK;
TABLE now;
-- with no more rights than the caller's
GRANT SELECT, DELETE ON chat_rbac.role_grant TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/6';
SELECT * FROM preview('DELETE FROM chat_rbac.member');  -- fail
SELECT * FROM preview('DELETE FROM chat_rbac.role_grant WHERE grant_id = 3');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM preview('SELECT * FROM regress_why.chat');
RESET ROLE;
RESET chat_rbac.identity;

-- What the caller may not read is not told: neither of columns, nor of the row that a visible one belongs to
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';
SELECT verdict, held, why FROM explain_access(3, 'conversation.close', 'chat', 8);
SELECT count(*) AS told FROM explain_access(3, 'message.view', 'message', 1);
RESET ROLE;
REVOKE SELECT ON chat FROM regress_chat_rbac_app;
GRANT SELECT (id) ON chat TO regress_chat_rbac_app;
CREATE POLICY audit ON message FOR SELECT TO regress_chat_rbac_app USING (true);
SET ROLE regress_chat_rbac_app;
SELECT verdict, held, why FROM explain_access(3, 'conversation.close', 'chat', 8);
SELECT verdict, held, why FROM explain_access(3, 'message.view', 'message', 2);
RESET ROLE;
DROP POLICY audit ON message;
GRANT SELECT ON chat TO regress_chat_rbac_app;
-- Who is past policies, but reads no table, is past nothing here
RESET chat_rbac.identity;
CREATE ROLE regress_chat_rbac_past BYPASSRLS;
SET ROLE regress_chat_rbac_past;
SELECT * FROM what_can(2);  -- fail
RESET ROLE;
-- What hangs on a part of another owner's is not run as the table's owner
CREATE FUNCTION spy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RAISE WARNING 'runs as %', CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 'a superuser' ELSE current_user END; RETURN $1; END$$;
GRANT ALL ON SCHEMA regress_why TO regress_chat_rbac_past;
ALTER TABLE event_1 OWNER TO regress_chat_rbac_past;
SET ROLE regress_chat_rbac_past;
ALTER TABLE event_1 ADD CONSTRAINT spied CHECK (spy(1) > 0) NOT VALID;
RESET ROLE;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/2';
SELECT * FROM explain_access(2, 'task.close', 'event', 2, 1);  -- fail
RESET ROLE;
RESET chat_rbac.identity;
ALTER TABLE event_1 DROP CONSTRAINT spied;
ALTER TABLE event_1 OWNER TO CURRENT_USER;
DROP OWNED BY regress_chat_rbac_past;
DROP ROLE regress_chat_rbac_past;

-- Clean up
DROP SCHEMA regress_why CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

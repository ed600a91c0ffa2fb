--
-- The model: orgs, units, members, roles and grants; what cannot be, and how that is said
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET search_path = public, chat_rbac;
\set SHOW_CONTEXT never

-- Sanity: what holds for all objects of the extension (none may show)
CREATE TEMP VIEW belonging AS
  SELECT classid, objid FROM pg_depend
   WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
     AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'chat_rbac');
SELECT pg_describe_object(classid, objid, 0) AS without_comment
  FROM belonging
 WHERE obj_description(objid, classid::regclass::name) IS NULL
   AND classid IN ('pg_class'::regclass, 'pg_proc'::regclass, 'pg_namespace'::regclass, 'pg_operator'::regclass)
   AND NOT EXISTS (SELECT FROM pg_class WHERE oid = objid AND relkind IN ('S', 'i'));
SELECT c.oid::regclass AS key_does_not_begin_with_the_org
  FROM belonging JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
 WHERE relkind = 'r' AND relname NOT IN ('known_permission', 'protection', 'protected_view', 'cache_proxy', 'installed_object')
   -- of the whole database, or may be
   AND relname NOT LIKE 'audit\_%' AND relname <> 'signing_key'
   AND NOT EXISTS (SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                    WHERE indrelid = c.oid AND indisprimary AND attname = 'org_id');
SELECT conrelid::regclass AS foreign_key_without_index, conname
  FROM pg_constraint JOIN belonging ON classid = 'pg_class'::regclass AND conrelid = objid
 WHERE contype = 'f'
   AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND (indkey::int2[])[0:cardinality(conkey) - 1] = conkey);
SELECT c.oid::regclass AS open_to_everybody
  FROM belonging JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
 WHERE relkind <> 'i' AND has_any_column_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
   -- which says no more than pg_views
   AND NOT (relname = 'protected_view' AND NOT has_any_column_privilege('public', c.oid, 'INSERT, UPDATE, REFERENCES'));
SELECT p.oid::regprocedure AS executable_by_everybody_though_volatile
  FROM belonging JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
 WHERE provolatile = 'v' AND has_function_privilege('public', p.oid, 'EXECUTE')
   -- which owners of tables need for protect(); they run as whoever calls them
   AND (prosecdef OR proname NOT IN ('guard', 'guard_truncate', 'guard_part', 'audit', 'audit_truncate', 'audit_part', 'make_policies', 'drop_policies', 'make_view', 'make_views', 'grant_view', 'release_reader', 'make_mask_triggers', 'add_mask_triggers', 'guard_mask', 'inbox_four_eyes', 'inbox_visible_customer', 'create_reports'))
   -- which ask who calls themselves
   AND proname NOT IN ('cache_stats', 'record_access', 'audit_seal', 'audit_redact', 'issue_token', 'revoke_tokens', 'preview');
SELECT p.oid::regprocedure AS sees_the_caller_s_search_path
  FROM belonging JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
  JOIN pg_language l ON l.oid = prolang
 WHERE lanname <> 'c' AND prosqlbody IS NULL AND prokind = 'f'
   AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false);
SELECT c.oid::regclass AS not_dumped_with_its_rows
  FROM belonging JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
 WHERE relkind IN ('r', 'S') AND relname NOT IN ('cache_proxy', 'audit_event_id_seq', 'installed_object') AND c.oid <> ALL (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'chat_rbac');

--
-- Orgs.  Each has preset roles of its own.
--
SELECT chat_rbac.create_org('acme', 10);
SELECT chat_rbac.create_org('globex');
-- an id that was given is not generated again
BEGIN;
SELECT chat_rbac.create_org('initech', 2);
SELECT chat_rbac.create_org('hooli') NOT IN (1, 2, 10) AS another;
ROLLBACK;
SELECT name, cardinality(permissions::text[]) AS permissions, max_duration,
       (SELECT string_agg(j.name, ', ') FROM chat_rbac.role_inherit i JOIN chat_rbac.role j ON j.org_id = i.org_id AND j.role_id = i.junior_id
         WHERE i.org_id = r.org_id AND i.senior_id = r.role_id) AS inherits
  FROM chat_rbac.role r WHERE org_id = 10 AND preset ORDER BY role_id;
UPDATE chat_rbac.role SET permissions = '{conversation.view}' WHERE org_id = 10 AND name = 'Viewer';
SELECT org_id, permissions FROM chat_rbac.role WHERE name = 'Viewer' ORDER BY org_id;
SELECT chat_rbac.create_org('acme');  -- fail
SELECT chat_rbac.create_org('initech', 10);  -- fail
SELECT chat_rbac.create_org('', 99);  -- fail
SELECT chat_rbac.create_org(NULL, 99);  -- fail
DELETE FROM chat_rbac.org WHERE name = 'globex';  -- fail

--
-- Units.  The key is the application's id, or the unit's own.
--
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (10, 1, 'department', DEFAULT, NULL, 'EMEA'),
  (10, 2, 'team', 71, 1, 'Support'),
  (10, 3, 'team', 72, 2, 'Tier 2'),
  (10, 4, 'inbox', 71, 2, 'WhatsApp'),
  (10, 5, 'team', 73, 1, 'Sales'),
  (10, 6, 'team', 74, 5, 'Tier 2');
INSERT INTO chat_rbac.unit (org_id, kind, name) VALUES (1, 'team', 'Support') RETURNING unit_id = key AS own_id;
UPDATE chat_rbac.unit SET key = NULL WHERE name = 'WhatsApp' RETURNING unit_id, key;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name) VALUES (10, 7, 'team', 71, 'Other');  -- fail
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (1, 7, 'team', 5, 'In two orgs');  -- fail
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (99, 7, 'team', 'In no org');  -- fail
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 7, '', 'No kind');  -- fail
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 7, 'team', '');  -- fail
DELETE FROM chat_rbac.unit WHERE org_id = 10 AND unit_id = 2;  -- fail

-- A tree has no cycles: of one, two and three units, in one row or several
UPDATE chat_rbac.unit SET parent_id = unit_id WHERE org_id = 10 AND unit_id = 1;  -- fail
UPDATE chat_rbac.unit SET parent_id = 2 WHERE org_id = 10 AND unit_id = 1;  -- fail
\echo :LAST_ERROR_SQLSTATE
UPDATE chat_rbac.unit SET parent_id = 3 WHERE org_id = 10 AND unit_id = 1;  -- fail
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (10, 21, 'team', 22, 'a'), (10, 22, 'team', 21, 'b');  -- fail
UPDATE chat_rbac.unit SET parent_id = CASE unit_id WHEN 2 THEN 5 ELSE 2 END WHERE org_id = 10 AND unit_id IN (2, 5);  -- fail
-- no cycle: what was below comes above, in one statement
UPDATE chat_rbac.unit SET parent_id = CASE unit_id WHEN 3 THEN 1 ELSE 3 END WHERE org_id = 10 AND unit_id IN (2, 3) RETURNING unit_id, parent_id;
WITH moved AS (
	UPDATE chat_rbac.unit SET parent_id = CASE unit_id WHEN 2 THEN 1 ELSE 2 END WHERE org_id = 10 AND unit_id IN (2, 3) RETURNING unit_id, parent_id)
SELECT * FROM moved ORDER BY unit_id;
-- the same ids in another org are other units
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (1, 2, 'team', NULL, 'Two'), (1, 3, 'team', NULL, 'Three');
UPDATE chat_rbac.unit SET parent_id = 3 WHERE org_id = 1 AND unit_id = 2;
SELECT * FROM chat_rbac.unit_path ORDER BY org_id, path;

--
-- Members
--
CREATE ROLE regress_chat_rbac_ada;
INSERT INTO chat_rbac.member (org_id, member_id, name, login, subject) VALUES
  (10, 1, 'Ada', 'regress_chat_rbac_ada', 'auth0|1'), (10, 2, 'Sue', NULL, 'auth0|2'), (10, 3, 'Sam', NULL, NULL), (10, 4, 'Sam', NULL, NULL);
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (1, 1, 'Ada', 'auth0|1');
\set VERBOSITY terse
INSERT INTO chat_rbac.member (org_id, member_id, name, login) VALUES (1, 5, 'Bob', 'regress_chat_rbac_ada');  -- fail
\set VERBOSITY default
INSERT INTO chat_rbac.member (org_id, member_id, name, login) VALUES (1, 5, 'Bob', 'regress_chat_rbac_nobody');  -- fail
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (10, 5, 'Bob', 'auth0|2');  -- fail
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (10, 5, 'Bob', '');  -- fail
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (10, 5, '');  -- fail

--
-- Roles hold known permissions only; a typo gets a hint
--
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (10, 101, 'Triage', '{conversation.view@unassigned, conversation.assign, *.view@own}');
INSERT INTO chat_rbac.role (org_id, name) VALUES (10, 'Triage');  -- fail
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (10, 102, 'Typo', '{conversation.view, convresation.veiw@own}');  -- fail
\echo :LAST_ERROR_SQLSTATE
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (10, 102, 'Typo', '{conversation.asign}');  -- fail
UPDATE chat_rbac.role SET permissions = permissions + 'invoice.pay'::permission WHERE org_id = 10 AND name = 'Triage';  -- fail
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (10, 102, 'Typo', '{convresation.*}');  -- fail
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (10, 102, 'Typo', '{*.viwe}');  -- fail
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (10, 102, 'Typo', '{Conversation.View}');  -- fail
INSERT INTO chat_rbac.role (org_id, role_id, name) VALUES (10, 102, '');  -- fail
-- an application adds its own
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('invoice.pay', 'Pay an invoice') RETURNING *;
UPDATE chat_rbac.role SET permissions = permissions + 'invoice.pay@own'::permission WHERE org_id = 10 AND name = 'Triage' RETURNING permissions;
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('invoice.pay', 'Again');  -- fail
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('invoice.*', 'All');  -- fail
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('*.pay', 'All');  -- fail
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('invoice.view@own', 'Own');  -- fail
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('invoice.view', '');  -- fail
INSERT INTO chat_rbac.known_permission (name, description, resource) VALUES ('invoice.view', 'See an invoice', 'bill');  -- fail
-- the catalogue itself
SELECT resource, count(*), string_agg(chat_rbac.action(name), ' ' ORDER BY name USING OPERATOR(chat_rbac.<)) AS actions
  FROM chat_rbac.known_permission WHERE builtin GROUP BY resource ORDER BY resource;

--
-- Inheritance has no cycles
--
INSERT INTO chat_rbac.role (org_id, role_id, name) VALUES (10, 111, 'Senior'), (10, 112, 'Middle'), (10, 113, 'Junior'), (10, 114, 'Other');
INSERT INTO chat_rbac.role_inherit VALUES (10, 111, 112), (10, 112, 113);
INSERT INTO chat_rbac.role_inherit VALUES (10, 111, 113);  -- a second way, but no cycle
INSERT INTO chat_rbac.role_inherit VALUES (10, 111, 111);  -- fail
INSERT INTO chat_rbac.role_inherit VALUES (10, 113, 112);  -- fail
\echo :LAST_ERROR_SQLSTATE
INSERT INTO chat_rbac.role_inherit VALUES (10, 113, 111);  -- fail
INSERT INTO chat_rbac.role_inherit VALUES (10, 113, 114), (10, 114, 111);  -- fail
UPDATE chat_rbac.role_inherit SET senior_id = 113, junior_id = 111 WHERE org_id = 10 AND senior_id = 112;  -- fail
UPDATE chat_rbac.role_inherit SET junior_id = 114 WHERE org_id = 10 AND senior_id = 112 AND junior_id = 113 RETURNING *;
INSERT INTO chat_rbac.role_inherit VALUES (1, 111, 113);  -- fail
-- also where triggers are not to fire
SET session_replication_role = replica;
INSERT INTO chat_rbac.role_inherit VALUES (10, 114, 111);  -- fail
UPDATE chat_rbac.unit SET parent_id = 3 WHERE org_id = 10 AND unit_id = 1;  -- fail
RESET session_replication_role;
DELETE FROM chat_rbac.role WHERE org_id = 10 AND name = 'Junior';  -- fail

--
-- Grants by name
--
SELECT chat_rbac.grant_role('acme', 'Ada', 'Admin');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Support', reason => 'team lead');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Agent', 'WhatsApp', '[2020-01-01, 2020-02-01)');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Temp', 'Sales');
-- a role with max_duration is granted for so long
SELECT r.name, g.unit_id, g.reason, g.granted_by, upper(g.valid) - lower(g.valid) AS duration, upper_inf(g.valid) AS for_good
  FROM chat_rbac.role_grant g JOIN chat_rbac.role r USING (org_id, role_id) ORDER BY grant_id;

-- what is not found is named, with near names
SELECT chat_rbac.grant_role('acne', 'Ada', 'Agent');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.grant_role('acme', 'Adam', 'Agent');  -- fail
SELECT chat_rbac.grant_role('acme', 'Ada', 'Agnt');  -- fail
SELECT chat_rbac.grant_role('acme', 'Ada', 'agent');  -- fail
SELECT chat_rbac.grant_role('acme', 'Ada', 'Agent', 'Suport');  -- fail
-- or all there are, when they are not many and none is near
SELECT chat_rbac.grant_role('initech', 'Ada', 'Agent');  -- fail
SELECT chat_rbac.grant_role('acme', 'Somebody else', 'Agent');  -- fail
SELECT chat_rbac.grant_role('acme', 'Ada', 'Janitor');  -- fail
SELECT chat_rbac.grant_role('acme', NULL, 'Agent');  -- fail
-- names that two have
SELECT chat_rbac.grant_role('acme', 'Sam', 'Agent');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.grant_role('acme', 'Ada', 'Agent', 'Tier 2');  -- fail

SELECT chat_rbac.revoke_role('acme', 'Sue', 'Supervisor', 'Support');
SELECT chat_rbac.revoke_role('acme', 'Sue', 'Supervisor', 'Support');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.revoke_role('acme', 'Sue', 'Agent');  -- fail
SELECT chat_rbac.revoke_role('acme', 'Ada', 'Admin', 'Support');  -- fail
SELECT chat_rbac.revoke_role('acme', 'Ada', 'Admn');  -- fail
-- granted twice is held twice, and revoked in one call
SELECT chat_rbac.grant_role('acme', 'Ada', 'Agent', 'Sales') < chat_rbac.grant_role('acme', 'Ada', 'Agent', 'Sales', reason => 'again') AS two_grants;
SELECT chat_rbac.revoke_role('acme', 'Ada', 'Agent', 'Sales');
-- who grants is remembered
SET chat_rbac.identity = '10/1';
SELECT chat_rbac.grant_role('acme', 'Sue', 'Agent', 'Sales') AS grant_id \gset
RESET chat_rbac.identity;
SELECT m.name AS granted_by FROM chat_rbac.role_grant g JOIN chat_rbac.member m ON m.org_id = g.org_id AND m.member_id = g.granted_by WHERE grant_id = :grant_id;

-- Administration is for those who were given it
CREATE ROLE regress_chat_rbac_plain;
SET ROLE regress_chat_rbac_plain;
SELECT chat_rbac.grant_role('acme', 'Sue', 'Owner');  -- fail
SELECT chat_rbac.revoke_role('acme', 'Ada', 'Admin');  -- fail
SELECT chat_rbac.create_org('mine');  -- fail
SELECT * FROM chat_rbac.role_grant;  -- fail
SELECT * FROM chat_rbac.grants;  -- fail
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('bill.pay', 'Pay');  -- fail
RESET ROLE;

--
-- Grants by id
--
-- A role, a unit that is granted stays; a member who goes takes the grants along
DELETE FROM chat_rbac.role WHERE org_id = 10 AND name = 'Temp';  -- fail
DELETE FROM chat_rbac.unit WHERE org_id = 10 AND unit_id = 4;  -- fail
DELETE FROM chat_rbac.member WHERE org_id = 10 AND name = 'Sue';
SELECT count(*) AS grants_of_sue FROM chat_rbac.role_grant WHERE org_id = 10 AND member_id = 2;
-- everything is of one org
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 1, 101);  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (10, 77, 101);  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (10, 1, 101, 77);  -- fail
-- ranges are [from, to)
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, valid, granted_at) VALUES (10, 901, 1, 101, '[2030-01-01, 2030-02-01]', '2026-01-01');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, valid, granted_at) VALUES (10, 901, 1, 101, '(2030-01-01, 2030-02-01)', '2026-01-01');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, valid, granted_at) VALUES (10, 901, 1, 101, 'empty', '2026-01-01');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (10, 1, 101, '(,2030-02-01)'), (10, 1, 101, '[2030-01-01,)') RETURNING valid;

-- Temporary staff: a grant of a role with max_duration ends in time
SELECT role_id AS temp FROM chat_rbac.role WHERE org_id = 10 AND name = 'Temp' \gset
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (10, 3, :temp);  -- fail
\echo :LAST_ERROR_SQLSTATE
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (10, 3, :temp, '[2030-01-01, infinity)');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (10, 3, :temp, '[2030-01-01, 2030-04-02)');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (10, 3, :temp, '[2030-01-01, 2030-04-01)') RETURNING valid;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid, granted_at) VALUES (10, 3, :temp, '(, 2020-03-31)', '2020-01-01') RETURNING valid;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid, granted_at) VALUES (10, 3, :temp, '(, 2020-04-01)', '2020-01-01');  -- fail
UPDATE chat_rbac.role_grant SET valid = '[2030-01-01, 2031-01-01)' WHERE role_id = :temp;  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid, granted_at) VALUES (10, 3, :temp, '[2030-01-01, 2040-01-01)', '2039-12-01');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid, granted_at) VALUES (10, 3, :temp, '(, 2040-01-01)', '2039-12-01');  -- fail
UPDATE chat_rbac.role SET max_duration = '-1 day' WHERE role_id = :temp;  -- fail

-- Clean up
SET client_min_messages = warning;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DELETE FROM chat_rbac.known_permission WHERE NOT builtin;
DROP ROLE regress_chat_rbac_ada, regress_chat_rbac_plain;

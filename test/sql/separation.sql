--
-- Separation of duty: sets of roles of which nobody is granted, or has active, too many
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- ids that are given here are not generated again
SELECT setval('chat_rbac.role_grant_grant_id_seq', 1000), setval('chat_rbac.separation_separation_id_seq', 1000) \g /dev/null

INSERT INTO chat_rbac.org VALUES (1, 'acme'), (2, 'other');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support'), (1, 2, 'team', 'Sales');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES (1, 1, 'Ada', true), (1, 2, 'Bob', true), (1, 3, 'Eve', false), (2, 1, 'Ada', true);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, r, n, p::chat_rbac.permset FROM generate_series(1, 2) o,
  (VALUES (1, 'Buyer', '{lead.create}'), (2, 'Approver', '{lead.edit}'), (3, 'Payer', '{lead.delete}'), (4, 'Head', '{report.view}'), (5, 'Deputy', '{}'), (6, 'Clerk', '{task.view}')) v (r, n, p);
INSERT INTO chat_rbac.separation (org_id, separation_id, name) VALUES (1, 1, 'Four eyes');
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 1), (1, 1, 2);

-- What a separation may be
INSERT INTO chat_rbac.separation (org_id, name) VALUES (1, 'Four eyes');  -- fail
INSERT INTO chat_rbac.separation (org_id, name) VALUES (1, '');  -- fail
INSERT INTO chat_rbac.separation (org_id, name, kind) VALUES (1, 'x', 'sometimes');  -- fail
INSERT INTO chat_rbac.separation (org_id, name, cardinality) VALUES (1, 'x', 1);  -- fail
INSERT INTO chat_rbac.separation (org_id, name) VALUES (9, 'x');  -- fail
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 9);  -- fail
INSERT INTO chat_rbac.separation_role VALUES (2, 1, 1);  -- fail
DELETE FROM chat_rbac.role WHERE org_id = 1 AND role_id = 1;  -- fail

--
-- Static: each way to give somebody both.  At whatever unit, to whomever, by whomever.
--
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) VALUES (1, 1, 1, 1, 1), (1, 2, 2, 2, NULL), (1, 3, 3, 6, NULL);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 1, 2);  -- fail
\echo :LAST_ERROR_SQLSTATE
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 2, 2);  -- fail
UPDATE chat_rbac.role_grant SET member_id = 1 WHERE org_id = 1 AND grant_id = 2;  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 3, 1), (1, 3, 2);  -- fail
WITH a AS (INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 3, 1))
  INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 3, 2);  -- fail
SELECT chat_rbac.grant_role('acme', 'Bob', 'Buyer', 'Sales');  -- fail
SET session_replication_role = replica;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 1, 2);  -- fail
RESET session_replication_role;
-- the same role twice, another org, another role, a change that takes away: nothing is wrong with these
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) VALUES (1, 4, 1, 1);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (2, 1, 1), (2, 1, 2), (1, 1, 3), (1, 1, 6);
UPDATE chat_rbac.role_grant SET role_id = 3 - role_id WHERE org_id = 1 AND grant_id IN (1, 2, 4) RETURNING grant_id, role_id;
UPDATE chat_rbac.role_grant SET role_id = 3 - role_id WHERE org_id = 1 AND grant_id IN (1, 2, 4);
DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND grant_id = 4;
UPDATE chat_rbac.role_grant SET role_id = 2 WHERE org_id = 1 AND grant_id = 1;
UPDATE chat_rbac.role_grant SET role_id = 1 WHERE org_id = 1 AND grant_id = 1;

-- By inheritance: of the member's role, at any depth, in either order
INSERT INTO chat_rbac.role_inherit VALUES (1, 4, 5), (1, 5, 2);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 1, 4);  -- fail
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) VALUES (1, 5, 2, 4);
INSERT INTO chat_rbac.role_inherit VALUES (1, 5, 1);  -- fail
INSERT INTO chat_rbac.role_inherit VALUES (1, 4, 6), (1, 6, 1);  -- fail
UPDATE chat_rbac.role_inherit SET junior_id = CASE junior_id WHEN 5 THEN 1 ELSE 5 END WHERE org_id = 1 AND senior_id = 4;  -- fail
SET session_replication_role = replica;
INSERT INTO chat_rbac.role_inherit VALUES (1, 4, 1);  -- fail
RESET session_replication_role;
-- a role that nobody holds may inherit both; then nobody can be given it
DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND grant_id = 5;
INSERT INTO chat_rbac.role_inherit VALUES (1, 4, 1);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 3, 4);  -- fail
DELETE FROM chat_rbac.role_inherit WHERE org_id = 1 AND senior_id = 4;
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) VALUES (1, 6, 3, 4);

-- By the separation itself: another role in it, a smaller cardinality, another kind, one set put into another
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 3);  -- fail
UPDATE chat_rbac.separation SET cardinality = 3 WHERE org_id = 1;
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 3), (1, 1, 6);  -- fail
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 3);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 1, 2);  -- fail
UPDATE chat_rbac.separation SET cardinality = 2 WHERE org_id = 1;  -- fail
UPDATE chat_rbac.separation_role SET role_id = 6 WHERE org_id = 1 AND role_id = 2;  -- fail
INSERT INTO chat_rbac.separation (org_id, separation_id, name, kind) VALUES (1, 2, 'At work', 'dynamic'), (1, 3, 'Money', 'static');
INSERT INTO chat_rbac.separation_role VALUES (1, 2, 1), (1, 2, 6);
UPDATE chat_rbac.separation SET kind = 'static' WHERE org_id = 1 AND separation_id = 2;  -- fail
INSERT INTO chat_rbac.separation_role VALUES (1, 3, 3), (1, 3, 6);  -- fail
UPDATE chat_rbac.separation_role SET separation_id = 3 WHERE org_id = 1 AND separation_id = 2;  -- fail
WITH s AS (INSERT INTO chat_rbac.separation (org_id, separation_id, name) VALUES (1, 4, 'At once') RETURNING *)
  INSERT INTO chat_rbac.separation_role SELECT org_id, separation_id, unnest('{1,6}'::bigint[]) FROM s;  -- fail
DELETE FROM chat_rbac.separation WHERE org_id = 1 AND separation_id > 1;
SELECT * FROM chat_rbac.separation_role ORDER BY 1, 2, 3;

-- Time: what does not overlap does not conflict; what is over does not count
TRUNCATE chat_rbac.role_grant, chat_rbac.role_inherit, chat_rbac.separation_role;
UPDATE chat_rbac.separation SET cardinality = 2;
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 1), (1, 1, 2), (1, 1, 3);
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, valid) VALUES
  (1, 1, 1, 1, '[2001-01-01,2010-01-01)'), (1, 2, 1, 2, '[2005-01-01,2006-01-01)'),
  (1, 3, 1, 1, '[3000-01-01,3001-01-01)'), (1, 4, 1, 2, '[3001-01-01,3002-01-01)'), (1, 5, 1, 3, '[3002-01-01,)'),
  (1, 6, 2, 1, '(,3000-01-01)');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 1, 2, '[3000-12-31,3001-01-01)');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 1, 2, '(,3000-01-01 00:00:00.000001)');  -- fail
UPDATE chat_rbac.role_grant SET valid = '(,)' WHERE org_id = 1 AND grant_id = 2;  -- fail
UPDATE chat_rbac.role_grant SET valid = '[3000-06-01,3001-02-01)' WHERE org_id = 1 AND grant_id = 3;  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 2, 3, '(,2999-01-01)');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 2, 3, '[-infinity,2999-01-01)');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 2, 3, '[3000-01-01,)'), (1, 1, 2, '(,3000-01-01)');
-- one role by two grants is one, though another follows
TRUNCATE chat_rbac.role_grant;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) VALUES
  (1, 1, 1, 1, '[3000-01-01,3001-01-01)'), (1, 1, 1, 2, '[3000-01-01,3001-01-01)'), (1, 1, 2, 2, '[3001-01-01,)');
-- three of three: each two overlap, but never all
UPDATE chat_rbac.separation SET cardinality = 3;
TRUNCATE chat_rbac.role_grant;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES
  (1, 1, 1, '[3000-01-01,3001-01-01)'), (1, 1, 2, '[3000-06-01,3002-01-01)'), (1, 1, 3, '[3001-01-01,)');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 1, 3, '[3000-12-01,3000-12-02)');  -- fail
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 1, 3, '[3000-05-01,3000-06-01)');

-- It is recorded, as a change of roles
SELECT operation, actions, table_name, row_key, new FROM chat_rbac.audit_event
 WHERE table_name LIKE '%.separation%' AND org_id = 1 AND xid = (SELECT min(xid::text::bigint)::text::xid8 FROM chat_rbac.audit_event WHERE table_name = 'chat_rbac.separation' AND operation = 'update' AND org_id = 1);

--
-- Dynamic: in one session fewer than so many are active.  Where nobody chose, none of them is.
--
TRUNCATE chat_rbac.role_grant, chat_rbac.separation, chat_rbac.separation_role;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 7, 'Viewer', '{conversation.view}');
INSERT INTO chat_rbac.separation (org_id, separation_id, name, kind) VALUES (1, 1, 'At work', 'dynamic');
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 1), (1, 1, 2), (1, 1, 3);
INSERT INTO chat_rbac.role_inherit VALUES (1, 4, 2), (1, 5, 1), (1, 5, 2), (1, 1, 6), (1, 2, 6);
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) VALUES
  (1, 1, 1, 1, 1), (1, 2, 1, 4, 2), (1, 3, 1, 7, NULL), (1, 4, 2, 1, NULL), (1, 5, 2, 5, NULL), (2, 6, 1, 1, NULL), (2, 7, 1, 2, NULL);
CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/1';
-- Buyer, and Head, who inherits Approver, are left out; what they inherit beside, too
SELECT roles, status, chat_rbac.can('conversation.view') AS viewer, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver,
       chat_rbac.can('report.view') AS head, chat_rbac.can('task.view') AS clerk FROM chat_rbac.whoami();
-- one of them, by its own name or by that of a role that inherits it
SET chat_rbac.active_roles = 'Buyer';
SELECT roles, chat_rbac.can('conversation.view') AS viewer, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver FROM chat_rbac.whoami();
SET chat_rbac.active_roles = 'Head, Viewer';
SELECT roles, chat_rbac.can('conversation.view') AS viewer, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver FROM chat_rbac.whoami();
SET chat_rbac.active_roles = 'Buyer, Approver';
SELECT chat_rbac.can('conversation.view');  -- fail
\echo :LAST_ERROR_SQLSTATE
SET chat_rbac.active_roles = 'Head, Buyer, Viewer';
SELECT * FROM chat_rbac.whoami();  -- fail
-- a role that inherits two of them can be no role of a session
SET chat_rbac.identity = '1/2';
SET chat_rbac.active_roles = 'Deputy';
SELECT chat_rbac.can('conversation.view');  -- fail
SET chat_rbac.active_roles = 'Buyer';
SELECT roles, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver FROM chat_rbac.whoami();
RESET chat_rbac.active_roles;
SELECT roles FROM chat_rbac.whoami();
-- another org has no such set
SET chat_rbac.identity = '2/1';
SELECT roles FROM chat_rbac.whoami();
RESET ROLE;

-- A token that names two is refused; one that names one is good, and so is one that is narrowed
SELECT chat_rbac.create_signing_key('acme') IS NOT NULL AS made;
UPDATE chat_rbac.role SET permissions = '{token.issue}' WHERE org_id = 1 AND role_id = 7;
SET chat_rbac.identity = '1/1';
SELECT chat_rbac.issue_token(1, roles => '{Buyer,Approver}');  -- fail
BEGIN;
UPDATE chat_rbac.separation SET cardinality = 3 WHERE org_id = 1;
SELECT chat_rbac.issue_token(1, roles => '{Buyer}') AS one, chat_rbac.issue_token(1, roles => '{Buyer,Approver}') AS two, chat_rbac.issue_token(1) AS all \gset
ROLLBACK;
RESET chat_rbac.identity;
SET ROLE regress_chat_rbac_app;
SELECT set_config('chat_rbac.token', :'one', false) \g /dev/null
SELECT roles, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver FROM chat_rbac.whoami();
SELECT set_config('chat_rbac.token', :'two', false) \g /dev/null
SELECT chat_rbac.can('lead.create');  -- fail
\echo :LAST_ERROR_SQLSTATE
SET chat_rbac.active_roles = 'Approver';
SELECT roles, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver FROM chat_rbac.whoami();
RESET chat_rbac.active_roles;
SELECT set_config('chat_rbac.token', :'all', false) \g /dev/null
SELECT roles, chat_rbac.can('lead.create') AS buyer, chat_rbac.can('lead.edit') AS approver FROM chat_rbac.whoami();
RESET chat_rbac.token;
RESET ROLE;

-- From the next statement on: a set that is widened, narrowed, made static or dropped; a grant that begins or ends
SET chat_rbac.identity = '1/1';
UPDATE chat_rbac.separation SET cardinality = 3 WHERE org_id = 1;
SELECT roles FROM chat_rbac.whoami();
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, valid) VALUES
  (1, 8, 1, 3, tstzrange(now() - interval '1 hour', now() + interval '1 hour')), (1, 9, 1, 6, '(,)');
SELECT roles FROM chat_rbac.whoami();
UPDATE chat_rbac.role_grant SET valid = tstzrange(now() - interval '2 hours', now() - interval '1 hour') WHERE org_id = 1 AND grant_id = 8;
SELECT roles FROM chat_rbac.whoami();
UPDATE chat_rbac.role_grant SET valid = '[3000-01-01,)' WHERE org_id = 1 AND grant_id = 8;
SELECT roles FROM chat_rbac.whoami();
UPDATE chat_rbac.role_grant SET valid = tstzrange(clock_timestamp() + interval '0.2 seconds', NULL) WHERE org_id = 1 AND grant_id = 8;
SELECT status FROM chat_rbac.whoami();
SELECT pg_sleep(0.25) \g /dev/null
SELECT roles FROM chat_rbac.whoami();
UPDATE chat_rbac.separation SET kind = 'static' WHERE org_id = 1;  -- fail
DELETE FROM chat_rbac.separation_role WHERE org_id = 1 AND role_id = 3;
SELECT roles FROM chat_rbac.whoami();
UPDATE chat_rbac.separation SET cardinality = 2 WHERE org_id = 1;
SELECT roles FROM chat_rbac.whoami();
DELETE FROM chat_rbac.separation WHERE org_id = 1;
SELECT roles FROM chat_rbac.whoami();
-- two sets: each is looked at as if the other were not there
INSERT INTO chat_rbac.separation (org_id, separation_id, name, kind) VALUES (1, 1, 'One', 'dynamic'), (1, 2, 'Two', 'dynamic'), (1, 3, 'Static', 'static');
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 1), (1, 1, 2), (1, 2, 3), (1, 2, 7), (1, 3, 5);
SELECT roles FROM chat_rbac.whoami();
RESET chat_rbac.identity;

--
-- Who may separate: who holds role.manage in the whole org; and nobody loosens what binds them
--
TRUNCATE chat_rbac.role_grant, chat_rbac.separation, chat_rbac.separation_role;
UPDATE chat_rbac.role SET name = 'Keeper', permissions = '{role.*}' WHERE org_id = 1 AND role_id = 7;
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) VALUES (1, 1, 1, 7, NULL), (1, 2, 1, 1, NULL), (1, 3, 2, 7, 1);
INSERT INTO chat_rbac.separation (org_id, separation_id, name) VALUES (1, 1, 'Mine'), (2, 1, 'Theirs');
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 2), (1, 1, 6), (2, 1, 1);
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON chat_rbac.separation, chat_rbac.separation_role, chat_rbac.role_grant TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT count(*) FROM chat_rbac.separation;
SET chat_rbac.identity = '1/2';
SELECT name FROM chat_rbac.separation;
INSERT INTO chat_rbac.separation (org_id, name) VALUES (1, 'Hers');  -- fail
DELETE FROM chat_rbac.separation_role WHERE org_id = 1;  -- fail
SET chat_rbac.identity = '1/1';
INSERT INTO chat_rbac.separation (org_id, separation_id, name) VALUES (2, 2, 'There');  -- fail
INSERT INTO chat_rbac.separation (org_id, separation_id, name) VALUES (1, 2, 'New');
INSERT INTO chat_rbac.separation_role VALUES (1, 2, 2), (1, 2, 3);
UPDATE chat_rbac.separation SET cardinality = 3 WHERE name = 'New' RETURNING name, cardinality;
UPDATE chat_rbac.separation SET cardinality = 2 WHERE name = 'New';
UPDATE chat_rbac.separation SET separation_id = 9 WHERE name = 'New';  -- fail
DELETE FROM chat_rbac.separation_role WHERE separation_id = 2 AND role_id = 3;
DELETE FROM chat_rbac.separation WHERE name = 'New';
UPDATE chat_rbac.separation SET cardinality = 3 WHERE name = 'Mine';  -- fail
UPDATE chat_rbac.separation SET kind = 'dynamic' WHERE name = 'Mine';  -- fail
DELETE FROM chat_rbac.separation_role WHERE separation_id = 1 AND role_id = 2;  -- fail
DELETE FROM chat_rbac.separation;  -- fail
TRUNCATE chat_rbac.separation, chat_rbac.separation_role;  -- fail
-- a grant that is not to be is refused to a member as to everybody
INSERT INTO chat_rbac.separation_role VALUES (1, 1, 1);  -- fail
RESET ROLE;
SELECT separation_id, role_id FROM chat_rbac.separation_role WHERE org_id = 1 ORDER BY 1, 2;
RESET chat_rbac.identity;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

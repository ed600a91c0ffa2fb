--
-- Review: who holds what, and what nobody does; separations by name
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

INSERT INTO chat_rbac.org VALUES (1, 'acme'), (2, 'other');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (1, 1, 'region', NULL, 'EMEA'), (1, 2, 'team', 1, 'Support'), (1, 3, 'team', 2, 'Tier 1'), (1, 4, 'team', 1, 'Sales');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES
  (1, 1, 'Ada', true), (1, 2, 'Bob', true), (1, 3, 'Eve', false), (1, 4, 'Sam', true), (1, 5, 'Sam', true), (1, 6, 'Una', true), (2, 1, 'Ada', true);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, r, n, p::chat_rbac.permset FROM generate_series(1, 2) o, (VALUES
  (1, 'Agent', '{conversation.view@own, conversation.reply@own, task.*}'), (2, 'Lead', '{conversation.view, report.view}'), (3, 'Head', '{}'),
  (4, 'Auditor', '{*.view}'), (5, 'Idle', '{billing.manage}'), (6, 'Below idle', '{billing.view}')) v (r, n, p);
INSERT INTO chat_rbac.role_inherit VALUES (1, 3, 2), (1, 2, 1), (1, 3, 1), (1, 5, 6);
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id, valid) VALUES
  (1, 1, 1, 3, 1, '[2020-01-01,)'), (1, 2, 2, 1, 3, '(,)'), (1, 3, 2, 1, NULL, '(,2020-01-01)'), (1, 4, 3, 1, 4, '(,)'), (1, 5, 4, 2, NULL, '[3000-01-01,)'),
  (1, 6, 1, 1, 2, '(,)'), (1, 7, 6, 4, NULL, '(,)'), (2, 8, 1, 5, NULL, '(,)'), (2, 9, 1, 1, NULL, '(,2020-01-01)');

-- Users and roles
SELECT * FROM chat_rbac.assigned_users('acme', 'Agent');
SELECT member, place FROM chat_rbac.assigned_users('acme', 'Agent', '2019-06-01');
SELECT * FROM chat_rbac.authorized_users('acme', 'Agent');
SELECT member, through FROM chat_rbac.authorized_users('acme', 'Agent', '3001-01-01') WHERE unit_id IS NULL;
SELECT * FROM chat_rbac.assigned_roles('acme', 'Ada');
SELECT * FROM chat_rbac.authorized_roles('acme', 'Ada');
SELECT * FROM chat_rbac.ascendants('acme', 'Agent');
SELECT * FROM chat_rbac.descendants('acme', 'Head');
-- Permissions
SELECT * FROM chat_rbac.role_permissions('acme', 'Head');
SELECT * FROM chat_rbac.user_permissions('acme', 'Ada');
SELECT * FROM chat_rbac.user_permissions('acme', 'Eve');
SELECT operation, relation FROM chat_rbac.role_operations_on_object('acme', 'Lead', 'conversation');
SELECT operation, relation FROM chat_rbac.role_operations_on_object('acme', 'Auditor', 'billing');
SELECT * FROM chat_rbac.user_operations_on_object('acme', 'Ada', 'conversation');
SELECT * FROM chat_rbac.members_with_permission('acme', 'conversation.view');
SELECT member, held, place FROM chat_rbac.members_with_permission('acme', 'conversation.view@own', 'Sales');
SELECT member, held, place, through FROM chat_rbac.members_with_permission('acme', 'conversation.view@queue', 'Tier 1', '3001-01-01');
SELECT * FROM chat_rbac.members_with_permission('acme', 'billing.manage');
SELECT * FROM chat_rbac.members_at_unit('acme', 'Support');
SELECT * FROM chat_rbac.unused_roles;
SELECT org, count(*), min(permission::text), max(permission::text) FROM chat_rbac.unused_permissions WHERE chat_rbac.resource(permission) IN ('billing', 'report', 'conversation') GROUP BY org;

-- What is misspelt is named
SELECT * FROM chat_rbac.assigned_users('acme', 'Agnt');  -- fail
SELECT * FROM chat_rbac.user_permissions('acne', 'Ada');  -- fail
SELECT * FROM chat_rbac.assigned_roles('acme', 'Sam');  -- fail
SELECT * FROM chat_rbac.role_operations_on_object('acme', 'Agent', 'conversations');  -- fail
SELECT * FROM chat_rbac.members_with_permission('acme', 'conversation.veiw');  -- fail
SELECT * FROM chat_rbac.members_at_unit('acme', 'Tier 2');  -- fail
SELECT * FROM chat_rbac.ssd_role_set_roles('acme', 'Money');  -- fail

-- Separations by name
SELECT chat_rbac.create_separation('acme', 'Money', '{Agent,Auditor,Idle}') AS made;
SELECT chat_rbac.create_separation('acme', 'At work', '{Lead,Auditor,Lead}', 2, 'dynamic') AS made;
SELECT * FROM chat_rbac.separations;
SELECT * FROM chat_rbac.ssd_role_sets('acme');
SELECT chat_rbac.ssd_role_set_cardinality('acme', 'Money'), array(SELECT chat_rbac.ssd_role_set_roles('acme', 'Money')) AS roles;
SELECT * FROM chat_rbac.dsd_role_sets('acme');
SELECT chat_rbac.dsd_role_set_cardinality('acme', 'At work'), array(SELECT chat_rbac.dsd_role_set_roles('acme', 'At work')) AS roles;
SELECT * FROM chat_rbac.ssd_role_set_roles('acme', 'At work');  -- fail
SELECT chat_rbac.create_separation('acme', 'Money', '{Agent,Lead}');  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent}');  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Agent}');  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Lead}', 3);  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Lead}', 1);  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Lead}', NULL);  -- fail
SELECT chat_rbac.create_separation('acme', 'New', NULL);  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Leda}');  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Lead}');  -- fail
SELECT chat_rbac.create_separation('acme', 'New', '{Agent,Idle}', 2, 'lasting');  -- fail
SELECT chat_rbac.add_separation_role('acme', 'Money', 'Below idle');
SELECT chat_rbac.add_separation_role('acme', 'Money', 'Below idle');  -- fail
SELECT chat_rbac.set_separation_cardinality('acme', 'Money', 4);
SELECT chat_rbac.set_separation_cardinality('acme', 'Money', 5);  -- fail
SELECT chat_rbac.drop_separation_role('acme', 'Money', 'Below idle');  -- fail
SELECT chat_rbac.set_separation_cardinality('acme', 'Money', 2);
SELECT chat_rbac.drop_separation_role('acme', 'Money', 'Below idle');
SELECT chat_rbac.drop_separation_role('acme', 'Money', 'Below idle');  -- fail
SELECT chat_rbac.drop_separation('acme', 'At work');
SELECT chat_rbac.drop_separation('acme', 'At work');  -- fail
SELECT * FROM chat_rbac.separations;

-- Members see of all this what they may see of the tables
CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT SELECT ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION chat_rbac.find_by_name TO regress_chat_rbac_app;
UPDATE chat_rbac.role SET permissions = '{role.view, member.view, unit.view}' WHERE org_id = 1 AND role_id = 3;
SET ROLE regress_chat_rbac_app;
-- nobody
SELECT * FROM chat_rbac.assigned_users('acme', 'Agent');
-- of EMEA
SET chat_rbac.identity = '1/1';
SELECT member, place, through FROM chat_rbac.authorized_users('acme', 'Agent');
SELECT member, role, place FROM chat_rbac.members_at_unit('acme', 'Tier 1');
SELECT * FROM chat_rbac.assigned_users('other', 'Agent');  -- fail
SELECT count(*) FROM chat_rbac.unused_roles;
SELECT * FROM chat_rbac.session_roles();
SELECT * FROM chat_rbac.session_permissions();
-- of the whole org
SET chat_rbac.identity = '1/6';
SELECT org, role FROM chat_rbac.unused_roles;
SELECT * FROM chat_rbac.separations;
SELECT * FROM chat_rbac.session_permissions();
SET chat_rbac.identity = '1/3';
SELECT * FROM chat_rbac.session_permissions();
RESET chat_rbac.identity;
RESET ROLE;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

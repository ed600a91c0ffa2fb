/*
 * bench/first_check.sql: members, roles and grants for the cost of the first
 * check in a fresh backend.  :members members, :roles roles, :grants grants in
 * one org, 1 in 10 roles inheriting another; every member holds about
 * :grants / :members of them at one of 1000 units, and member 1 holds five.
 */
\set ON_ERROR_STOP on
\set QUIET on
CREATE EXTENSION chat_rbac;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name)
SELECT 1, u, 'team', CASE WHEN u > 10 THEN 1 + u % 10 END, 'Unit ' || u FROM generate_series(1, 1000) AS u;
INSERT INTO chat_rbac.member (org_id, member_id, name)
SELECT 1, m, 'Member ' || m FROM generate_series(1, :members) AS m;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT 1, 1000 + r, 'Role ' || r, '{conversation.view@own, conversation.reply@own, customer.view}' FROM generate_series(1, :roles) AS r;
INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id)
SELECT 1, 1000 + r, 1001 + r FROM generate_series(1, :roles - 1, 10) AS r;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
SELECT 1, 2 + g % (:members - 1), 1001 + g % :roles, 11 + g % 990 FROM generate_series(1, :grants - 5) AS g
UNION ALL
SELECT 1, 1, 1001 + g % :roles, 10 + g FROM generate_series(1, 5) AS g;
VACUUM (ANALYZE, FREEZE);

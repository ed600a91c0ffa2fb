--
-- Views for people: the roles, who holds which, and what that adds up to
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO';

SELECT chat_rbac.create_org('acme', 10) AS acme, chat_rbac.create_org('Globex', 20) AS globex;
DELETE FROM chat_rbac.role_inherit WHERE org_id = 20;
DELETE FROM chat_rbac.role WHERE org_id = 20 AND name NOT IN ('Owner', 'Agent', 'Temp');
-- a role that two others inherit shows below each; what adds nothing is shown as nothing
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES
  (20, 201, 'Lead', '{}'), (20, 202, 'Coach', '{report.*}'), (20, 203, 'Trainee', '{conversation.view@own, conversation.reply@own}');
INSERT INTO chat_rbac.role_inherit VALUES (20, 201, 202), (20, 201, 203), (20, 202, 203);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (10, 1, 'region', 1, NULL, 'EMEA'), (10, 2, 'department', 1, 1, 'Support'), (10, 3, 'team', 1, 2, 'Tier 1'), (10, 4, 'team', 2, 2, 'Tier 2'),
  (10, 5, 'region', 2, NULL, 'APAC'), (20, 1, 'team', 1, NULL, 'Support');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES
  (10, 1, 'Ada', true), (10, 2, 'Sue', true), (10, 3, 'Ina', true), (10, 4, 'Zoe', false), (10, 5, 'Ina', true), (20, 1, 'Bob', true), (20, 2, 'Tom', true);
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id, valid, granted_by, granted_at, reason)
SELECT v.org_id, v.grant_id, m, r.role_id, u, valid::tstzrange, by, '2026-01-01', why
  FROM (VALUES (10, 1, 1, 'Owner', NULL, '(,)', NULL, 'founder'),
               (10, 2, 2, 'Supervisor', 2, '[2026-01-01,)', 1, NULL),
               (10, 3, 2, 'Temp', 5, '[2026-01-01, 2026-02-01)', 1, 'holiday cover'),
               (10, 4, 3, 'Temp', 3, '[2999-01-01, 2999-02-01)', 2, NULL),
               (10, 5, 3, 'Temp', 4, '[2020-01-01, 2020-02-01)', 2, NULL),
               (10, 6, 4, 'Agent', 3, '(,)', 2, 'left the company'),
               (10, 7, 5, 'Marketing', 1, '(,)', 2, NULL),
               (20, 8, 1, 'Lead', 1, '(,)', NULL, NULL),
               (20, 9, 1, 'Trainee', NULL, '(,)', NULL, NULL),
               (20, 10, 2, 'Coach', 1, '(,)', NULL, NULL),
               (20, 11, 2, 'Coach', NULL, '(,)', NULL, NULL)) v (org_id, grant_id, m, role, u, valid, by, why)
  JOIN chat_rbac.role r ON r.org_id = v.org_id AND r.name = v.role;

SELECT * FROM chat_rbac.unit_path ORDER BY org_id, path;
SELECT * FROM chat_rbac.role_tree;
SELECT org, member, role, unit, state, valid_from, valid_until, granted_by, reason FROM chat_rbac.grants;
SELECT * FROM chat_rbac.effective_permissions WHERE org = 'Globex';
SELECT permission, unit, through FROM chat_rbac.effective_permissions WHERE org = 'acme' AND member = 'Sue';
SELECT member, count(*) FROM chat_rbac.effective_permissions WHERE org = 'acme' GROUP BY member ORDER BY member;
-- as with \x
\x on
SELECT * FROM chat_rbac.grants WHERE org = 'acme' AND member = 'Sue';
SELECT * FROM chat_rbac.effective_permissions WHERE member = 'Ina' LIMIT 2;
\x off

-- Empty
SET client_min_messages = warning;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
SELECT (SELECT count(*) FROM chat_rbac.unit_path) + (SELECT count(*) FROM chat_rbac.role_tree) + (SELECT count(*) FROM chat_rbac.grants)
     + (SELECT count(*) FROM chat_rbac.effective_permissions) AS rows;

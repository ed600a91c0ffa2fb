-- has Ben help Tier 2 today:
SELECT chat_rbac.grant_role('acme', 'Ben', 'Agent', 'Tier 2',
  tstzrange(now(), now() + interval '8 hours'));
-- is refused to make Ali a manager, who may approve broadcasts:
SELECT chat_rbac.grant_role('acme', 'Ali', 'Manager', 'Tier 1');
-- is refused more for herself:
SELECT chat_rbac.grant_role('acme', 'Sue', 'Manager', 'Support EMEA');
-- is refused more for all interns:
UPDATE chat_rbac.role SET permissions = '{*.*}' WHERE name = 'Temp';

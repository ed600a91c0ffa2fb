-- lets Sue give roles in Support EMEA:
INSERT INTO chat_rbac.role (org_id, name, permissions)
  VALUES (1, 'Team lead', '{role.view, role.assign, member.view, unit.view}');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Team lead', 'Support EMEA');
-- is refused to make Ben an owner:
SELECT chat_rbac.grant_role('acme', 'Ben', 'Owner');

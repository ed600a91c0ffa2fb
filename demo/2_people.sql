-- demo/2_people.sql: two companies, their units, their people, and who holds which role where.

SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('globex', 2);

INSERT INTO chat_rbac.unit (org_id, unit_id, parent_id, kind, name) VALUES
	(1,  1, NULL, 'region',     'EMEA'),
	(1,  2,    1, 'department', 'Support EMEA'),
	(1,  3,    2, 'team',       'Tier 1'),
	(1,  4,    3, 'team',       'Nights'),
	(1,  5,    2, 'team',       'Tier 2'),
	(1,  6,    1, 'team',       'Sales EMEA'),
	(1,  7, NULL, 'region',     'Americas'),
	(1,  8,    7, 'team',       'Support US'),
	(1,  9,    7, 'team',       'Sales US'),
	(1, 21,    2, 'inbox',      'WhatsApp DE'),
	(1, 22,    2, 'inbox',      'WhatsApp UK'),
	(1, 23,    5, 'inbox',      'WhatsApp VIP'),
	(1, 24,    6, 'inbox',      'WhatsApp Shop'),
	(1, 25,    8, 'inbox',      'WhatsApp US'),
	(1, 26,    9, 'inbox',      'Instagram US'),
	(2,  1, NULL, 'team',       'Helpdesk'),
	(2, 21,    1, 'inbox',      'WhatsApp');

INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES
	(1,  1, 'Olga'), (1,  2, 'Ada'), (1,  3, 'Max'), (1,  4, 'Mona'), (1,  5, 'Sue'),
	(1,  6, 'Ali'),  (1,  7, 'Ben'), (1,  8, 'Cleo'), (1,  9, 'Dan'), (1, 10, 'Eva'),
	(1, 11, 'Sam'),  (1, 12, 'Sid'), (1, 13, 'Mary'), (1, 14, 'Fay'), (1, 15, 'Audrey'),
	(1, 16, 'Ina'),  (1, 17, 'Bot'),
	(2,  1, 'Gus'),  (2,  2, 'Gwen');

SELECT chat_rbac.grant_role('acme', 'Olga', 'Owner'),
	chat_rbac.grant_role('acme', 'Ada', 'Admin'),
	chat_rbac.grant_role('acme', 'Max', 'Manager', 'EMEA'),
	chat_rbac.grant_role('acme', 'Mona', 'Manager', 'Americas'),
	chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Support EMEA'),
	chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Tier 1'),
	chat_rbac.grant_role('acme', 'Ben', 'Agent', 'Tier 1'),
	chat_rbac.grant_role('acme', 'Cleo', 'Agent', 'Nights'),
	chat_rbac.grant_role('acme', 'Dan', 'Agent', 'Tier 2'),
	chat_rbac.grant_role('acme', 'Eva', 'Agent', 'Support US'),
	chat_rbac.grant_role('acme', 'Sam', 'Sales', 'Sales EMEA'),
	chat_rbac.grant_role('acme', 'Sid', 'Sales', 'Sales US'),
	chat_rbac.grant_role('acme', 'Mary', 'Marketing'),
	chat_rbac.grant_role('acme', 'Fay', 'Finance'),
	chat_rbac.grant_role('acme', 'Audrey', 'Auditor'),
	chat_rbac.grant_role('acme', 'Ina', 'Temp', 'Tier 1', reason => 'internship'),
	chat_rbac.grant_role('acme', 'Bot', 'Service'),
	chat_rbac.grant_role('globex', 'Gus', 'Admin'),
	chat_rbac.grant_role('globex', 'Gwen', 'Agent', 'Helpdesk');

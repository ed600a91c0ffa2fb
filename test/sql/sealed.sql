--
-- Sealed units: grants from above and of the whole org end at them
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant, chat_rbac.signing_key
  TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.audit_event TO regress_chat_rbac_app;

CREATE SCHEMA regress_sealed;
SET search_path = regress_sealed;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
SELECT chat_rbac.create_org('globex', 2) \g /dev/null
-- Company: Support, and HR with Payroll below it; the inbox belongs to nobody; globex has the same keys
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name)
SELECT o, v.* FROM unnest('{1,2}'::bigint[]) AS o, (VALUES (1, 'department', 1, NULL, 'Company'), (2, 'team', 10, 1, 'Support'), (3, 'team', 20, 1, 'HR'), (4, 'team', 30, 3, 'Payroll'), (5, 'inbox', 20, NULL, 'Desk')) AS v;
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, i, n FROM unnest('{1,2}'::bigint[]) AS o, unnest('{Olga,Mary,Hana,Pia,Will,Ann}'::text[]) WITH ORDINALITY AS t (n, i);
SELECT count(chat_rbac.grant_role(o, m, r, u)) FROM (VALUES ('acme', 'Olga', 'Owner', NULL), ('acme', 'Mary', 'Manager', 'Company'), ('acme', 'Hana', 'Manager', 'HR'), ('acme', 'Pia', 'Agent', 'Payroll'),
  ('acme', 'Will', 'Supervisor', 'Desk'), ('acme', 'Ann', 'Agent', NULL), ('globex', 'Mary', 'Manager', 'Company'), ('globex', 'Hana', 'Manager', 'HR')) AS g (o, m, r, u);
CREATE TABLE chat (org_id bigint, id bigint, team_id bigint, inbox_id int, assignee_id bigint, note text, PRIMARY KEY (org_id, id));
CREATE TABLE line (org_id bigint, id bigint, chat_id bigint, PRIMARY KEY (org_id, id));
CREATE TABLE lead (org_id bigint, id bigint, team_id int, owner_id bigint, PRIMARY KEY (org_id, id));
CREATE TABLE task (org_id bigint, id bigint, owner_id bigint, PRIMARY KEY (org_id, id));
CREATE INDEX ON chat (org_id, team_id); CREATE INDEX ON chat (org_id, inbox_id); CREATE INDEX ON chat (org_id, assignee_id);
CREATE INDEX ON line (org_id, chat_id); CREATE INDEX ON lead (org_id, team_id); CREATE INDEX ON lead (org_id, owner_id); CREATE INDEX ON task (org_id, owner_id);
GRANT USAGE ON SCHEMA regress_sealed TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat, line, lead, task TO regress_chat_rbac_app;
-- chats 1 to 6: Support; HR; Payroll, Pia's; HR by the desk; no unit; Payroll, Ann's.  The desk has the key of HR, which is of another kind
INSERT INTO chat SELECT o, v.* FROM unnest('{1,2}'::bigint[]) AS o, (VALUES (1, 10, NULL, NULL), (2, 20, NULL, NULL), (3, 30, NULL, 4), (4, 20, 20, NULL), (5, NULL, 20, NULL), (6, 30, NULL, 6)) AS v;
INSERT INTO line SELECT org_id, 10 * id, id FROM chat;
INSERT INTO lead SELECT org_id, id, team_id, assignee_id FROM chat;
INSERT INTO task SELECT 1, m, m FROM generate_series(1, 6) AS m;
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
  "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}, "colleague": {"assignee_id": "$members"}},
  "actions": [{"on": "update", "column": "team_id", "requires": "conversation.transfer"}, {"on": "insert", "column": "id", "requires": "conversation.create"}, {"on": "update", "requires": "conversation.edit"}, {"on": "delete", "requires": "conversation.delete"}]}');
SELECT chat_rbac.protect('line', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_sealed.chat", "column": "chat_id"}}');
SELECT chat_rbac.protect('lead', '{"resource": "lead", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"owner_id": "$member"}, "colleague": {"owner_id": "$members"}}}');
SELECT chat_rbac.protect('task', '{"resource": "task", "org": "org_id", "relations": {"own": {"owner_id": "$member"}, "colleague": {"owner_id": "$members"}}}');

-- what each member sees: by policies, by can(), and of a child; of leads and tasks
CREATE FUNCTION seen(org bigint DEFAULT 1) RETURNS TABLE (who text, chats text, can text, lines text, leads text, tasks text) LANGUAGE plpgsql AS $$
DECLARE
	m record;
BEGIN
	FOR m IN SELECT member_id, name FROM chat_rbac.member WHERE org_id = org ORDER BY 1 LOOP
		PERFORM set_config('chat_rbac.identity', org || '/' || m.member_id, true);
		SET LOCAL ROLE regress_chat_rbac_app;
		who := m.name;
		chats := (SELECT string_agg(id::text, ',' ORDER BY id) FROM chat);
		can := (SELECT string_agg(i::text, ',' ORDER BY i) FROM generate_series(1, 6) AS i WHERE chat_rbac.can('conversation.view', 'chat', i));
		lines := (SELECT string_agg(chat_id::text, ',' ORDER BY id) FROM line);
		leads := (SELECT string_agg(id::text, ',' ORDER BY id) FROM lead);
		tasks := (SELECT string_agg(id::text, ',' ORDER BY id) FROM task);
		RESET ROLE;
		RETURN NEXT;
	END LOOP;
	PERFORM set_config('chat_rbac.identity', '', true);
END
$$;

SELECT * FROM seen();
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND name = 'HR';
SELECT * FROM seen();
SELECT * FROM seen(2) WHERE chats IS NOT NULL;	-- nobody else's
-- one below another; and both the team and the inbox of chat 4
BEGIN;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND name IN ('Payroll', 'Desk');
SELECT * FROM seen();
SELECT chat_rbac.grant_role('acme', 'Will', 'Supervisor', 'HR') \g /dev/null
SELECT who, chats, can, lines FROM seen() WHERE who = 'Will';
ROLLBACK;
SELECT who, chats, can FROM seen() WHERE who IN ('Olga', 'Will');
-- at the top nothing is from above, but the whole org is
BEGIN;
UPDATE chat_rbac.unit SET sealed = name = 'Company' WHERE org_id = 1;
SELECT who, chats, can, lines, leads FROM seen() WHERE chats IS NOT NULL;
ROLLBACK;

-- by whatever way the rows are found
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_app;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT id FROM chat WHERE org_id = 1 AND team_id IN (10, 20) ORDER BY id;
SELECT count(*) FROM chat;
RESET enable_bitmapscan;
SET enable_indexscan = off;
SELECT id FROM chat ORDER BY id;
RESET enable_indexscan; RESET enable_seqscan;
SELECT id FROM chat WHERE id = 2;
SELECT chat_rbac.actions('chat', 2) AS hr, chat_rbac.can('conversation.view', 'line', 20) AS its_line, chat_rbac.can('conversation.view') AS anywhere;
SELECT a.* FROM chat_rbac.page_actions('chat', '{1,2,3,4,5,6}') AS a;

-- writing: what is out of reach is not there; what is handed over is gone
UPDATE chat SET note = 'x' RETURNING id;
DELETE FROM chat WHERE id IN (2, 3, 4, 6) RETURNING id;
INSERT INTO chat VALUES (1, 7, 20, NULL, NULL);
INSERT INTO chat VALUES (1, 7, NULL, NULL, NULL);
UPDATE chat SET team_id = 30 WHERE id = 7 RETURNING id;
SELECT id FROM chat ORDER BY id;
RESET ROLE; SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
SELECT id, team_id FROM chat ORDER BY id;
UPDATE chat SET team_id = 10 WHERE id = 7 RETURNING id;
SELECT id, team_id FROM chat ORDER BY id;

-- the trail of such rows
RESET ROLE;
UPDATE chat SET note = 'y' WHERE org_id = 1;
SELECT max(event_id) - 7 AS last FROM chat_rbac.audit_event \gset
CREATE FUNCTION trail(after bigint) RETURNS TABLE (who text, of_chats text) LANGUAGE plpgsql AS $$
DECLARE
	m record;
BEGIN
	FOR m IN SELECT member_id, name FROM chat_rbac.member WHERE org_id = 1 ORDER BY 1 LOOP
		PERFORM set_config('chat_rbac.identity', '1/' || m.member_id, true);
		SET LOCAL ROLE regress_chat_rbac_app;
		who := m.name;
		of_chats := (SELECT string_agg(row_key, ',' ORDER BY row_key) FROM chat_rbac.audit_event WHERE event_id > after AND table_name = 'regress_sealed.chat');
		RESET ROLE;
		RETURN NEXT;
	END LOOP;
	PERFORM set_config('chat_rbac.identity', '', true);
END
$$;
SELECT * FROM trail(:last);

-- why
SELECT verdict, role, unit, held, why FROM chat_rbac.explain_access(1, 'conversation.view', 'chat', 4);
SELECT verdict, role, unit, held, why FROM chat_rbac.explain_access(2, 'conversation.view', 'chat', 3);
SELECT verdict, role, unit, held, why FROM chat_rbac.explain_access(6, 'conversation.view', 'chat', 6);
SELECT member, role, unit FROM chat_rbac.who_can('conversation.view', 'chat', 3);
SELECT DISTINCT member, place FROM chat_rbac.members_with_permission('acme', 'conversation.view', 'Payroll') ORDER BY member;
SELECT member, role, place FROM chat_rbac.members_at_unit('acme', 'HR');

-- what sealing and opening would do
SELECT effect, member, unit, count(*) > 5 AS many FROM chat_rbac.preview('UPDATE chat_rbac.unit SET sealed = NOT sealed WHERE org_id = 1 AND unit_id IN (2, 3)') WHERE org = 'acme' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT effect, member, permission, unit FROM chat_rbac.preview($$SELECT chat_rbac.grant_role('acme', 'Will', 'Service'), chat_rbac.grant_role('acme', 'Will', 'Service', 'Payroll')$$) WHERE permission::text = 'message.receive';

--
-- Administration
--
UPDATE chat_rbac.unit SET sealed = false WHERE org_id = 1;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 50, 'HR lead', '{unit.*, role.*, member.*, conversation.*}'), (1, 51, 'Reader', '{conversation.view}'), (1, 52, 'Sign-in', '{token.issue}');
SELECT chat_rbac.create_signing_key('acme') IS NOT NULL AS made;
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_app;
-- nobody would be left inside
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';
INSERT INTO chat_rbac.unit (org_id, kind, name, sealed) VALUES (1, 'team', 'Born sealed', true);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) VALUES (1, 3, 50, 3, '(,2200-01-01)');
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';
UPDATE chat_rbac.role_grant SET valid = '(,)' WHERE role_id = 50;
-- Mary manages all that is above, but units are not hers
RESET ROLE; SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';
RESET ROLE; SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';	-- Hana: not above
RESET ROLE; SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 4, 51, 4);
SELECT count(*) FROM chat_rbac.signing_key;
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';

-- from outside: what it is like is seen, nothing of it is changed
SELECT name, sealed FROM chat_rbac.unit ORDER BY unit_id;
SELECT count(*) FROM chat_rbac.role_grant WHERE unit_id IN (3, 4);
UPDATE chat_rbac.unit SET sealed = false WHERE name = 'HR';
UPDATE chat_rbac.unit SET name = 'x' WHERE name = 'Payroll';
UPDATE chat_rbac.unit SET parent_id = 1 WHERE name = 'Payroll';
UPDATE chat_rbac.unit SET parent_id = 3 WHERE name = 'Support';
UPDATE chat_rbac.unit SET key = 99 WHERE name = 'Payroll';
DELETE FROM chat_rbac.unit WHERE name = 'Payroll';
INSERT INTO chat_rbac.unit (org_id, kind, name, parent_id) VALUES (1, 'team', 'Below', 4);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 51, 4);
DELETE FROM chat_rbac.role_grant WHERE unit_id = 4;
UPDATE chat_rbac.role_grant SET unit_id = 3 WHERE member_id = 6;
UPDATE chat_rbac.member SET active = false WHERE member_id = 4;
SELECT chat_rbac.revoke_tokens(4);
-- roles of the org, unless they would give more in it
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'conversation.delete' WHERE role_id = 51;
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'conversation.view@own' WHERE role_id = 51;
UPDATE chat_rbac.role SET name = 'Reader of HR' WHERE role_id = 51;
INSERT INTO chat_rbac.role_inherit VALUES (1, 51, 52);
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.-) 'conversation.view@own' WHERE role_id = 51;
-- who can be anybody
SELECT count(*) FROM chat_rbac.signing_key;
UPDATE chat_rbac.signing_key SET retired = now();
INSERT INTO chat_rbac.signing_key (org_id, algorithm, secret) VALUES (1, 'HS256', sha256('x'));
SELECT chat_rbac.issue_token(2) IS NOT NULL AS to_mary;
SELECT chat_rbac.issue_token(4) IS NOT NULL AS to_pia;
RESET ROLE;
SELECT chat_rbac.grant_role('acme', 'Ann', 'Sign-in'), chat_rbac.grant_role('acme', 'Ann', 'Sign-in', 'HR') \g /dev/null
SET chat_rbac.identity = '1/6'; SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.issue_token(4) IS NOT NULL AS to_pia;

-- from inside
RESET ROLE; SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 5, 51, 4);	-- Will has work elsewhere
SELECT name, sealed FROM chat_rbac.unit ORDER BY unit_id;
UPDATE chat_rbac.unit SET name = 'Wages' WHERE name = 'Payroll';
UPDATE chat_rbac.member SET active = false WHERE member_id = 5;	-- Will works at the desk too
RESET ROLE; SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7007, 'Nora');
RESET ROLE; SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 7007, 51, 4);	-- Nora is new
UPDATE chat_rbac.unit SET sealed = false WHERE name = 'HR';		-- what is above is not hers
UPDATE chat_rbac.unit SET key = 99 WHERE name = 'Wages';		-- the rows with the old key would be the whole org's
DELETE FROM chat_rbac.role_grant WHERE member_id = 5 AND unit_id = 4;

-- who holds all of it, inside and above
RESET ROLE;
SELECT chat_rbac.grant_role('acme', 'Olga', 'Owner', 'HR') \g /dev/null
SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.unit SET key = 99 WHERE name = 'Wages';
UPDATE chat_rbac.unit SET sealed = false WHERE name = 'HR';
SELECT name, sealed FROM chat_rbac.unit ORDER BY unit_id;
RESET ROLE;
RESET chat_rbac.identity;

SELECT chat_rbac.unprotect(t) FROM unnest('{line,chat,lead,task}'::regclass[]) AS t \g /dev/null
DROP SCHEMA regress_sealed CASCADE;
TRUNCATE chat_rbac.org CASCADE;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

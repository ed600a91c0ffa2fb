--
-- Sealed units: who may seal and open them, and what is asked of changes that reach into them
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET datestyle = 'ISO';

CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant TO regress_chat_rbac_app;
INSERT INTO chat_rbac.org VALUES (1, 'acme');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES (1, 1, 'team', 1, NULL, 'Company'), (1, 2, 'team', 2, 1, 'HR'), (1, 3, 'team', 3, 2, 'Payroll'), (1, 4, 'team', 4, NULL, 'Branch');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES (1, 1, 'Olga', true), (1, 2, 'Mary', true), (1, 3, 'Hana', true), (1, 4, 'Ida', false), (1, 5, 'Ann', true), (1, 6, 'Bea', true);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 1, 'Units', '{unit.*, role.*}'), (1, 2, 'Reader', '{conversation.view}'), (1, 3, 'Warden', '{unit.manage, role.assign}'),
  (1, 4, 'Keeper', '{unit.manage}'), (1, 5, 'Assigner', '{role.assign}'), (1, 6, 'Senior', '{}'), (1, 7, 'Junior', '{}'), (1, 8, 'Reports', '{report.view}'), (1, 9, 'Elsewhere', '{}'), (1, 10, 'Leads', '{lead.view}');
INSERT INTO chat_rbac.role_inherit VALUES (1, 6, 7);
-- Olga: units and roles of the whole org; Mary reads in Company, Ann everywhere; Bea has the leads of the branch
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 1, NULL), (1, 1, 8, NULL), (1, 2, 2, 1), (1, 5, 2, NULL), (1, 6, 10, 4);

--
-- Somebody inside who can open it: active, for good, and with all that it takes
--
CREATE FUNCTION seal(member bigint, role bigint, unit bigint, valid tstzrange DEFAULT '(,)') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	done text := 'sealed';
BEGIN
	INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) SELECT 1, member, role, unit, valid WHERE member IS NOT NULL;
	BEGIN
		PERFORM set_config('chat_rbac.identity', '1/1', true);
		SET LOCAL ROLE regress_chat_rbac_app;
		UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';
		RESET ROLE;
		RAISE EXCEPTION USING ERRCODE = 'RB001';
	EXCEPTION WHEN insufficient_privilege THEN
		done := SQLERRM;
	WHEN SQLSTATE 'RB001' THEN
		NULL;
	END;
	DELETE FROM chat_rbac.role_grant g WHERE g.member_id = member AND g.role_id = role AND g.unit_id IS NOT DISTINCT FROM unit;
	RETURN done;
END
$$;
SELECT seal(NULL, NULL, NULL) AS nobody, seal(3, 3, 1) AS above, seal(3, 3, 3) AS below;
SELECT seal(4, 3, 2) AS not_active, seal(3, 4, 2) AS no_roles, seal(3, 5, 2) AS no_units;
SELECT seal(3, 3, 2, '(,2200-01-01)') AS ends, seal(3, 3, 2, '[2200-01-01,)') AS begins, seal(3, 3, 2) AS good;

--
-- What opens gives: to who holds something above, and in the whole org
--
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 3, 3, 2), (1, 1, 1, 2), (1, 3, 6, 2), (1, 3, 9, 1);
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';
CREATE FUNCTION try(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM set_config('chat_rbac.identity', '1/1', true);
	SET LOCAL ROLE regress_chat_rbac_app;
	EXECUTE command;
	GET DIAGNOSTICS n = ROW_COUNT;
	RESET ROLE;
	RAISE EXCEPTION USING ERRCODE = 'RB001', MESSAGE = n || ' done';
EXCEPTION WHEN insufficient_privilege OR SQLSTATE 'RB001' THEN
	RETURN SQLERRM;
END
$$;
CREATE TABLE step (n int GENERATED ALWAYS AS IDENTITY, command text);
INSERT INTO step (command) VALUES
  ('UPDATE chat_rbac.unit SET sealed = false WHERE unit_id = 2'), ('UPDATE chat_rbac.unit SET sealed = false, key = 20 WHERE unit_id = 2'), ('UPDATE chat_rbac.unit SET sealed = false, parent_id = NULL WHERE unit_id = 2'),
  ('UPDATE chat_rbac.unit SET parent_id = NULL WHERE unit_id = 2'), ('UPDATE chat_rbac.unit SET key = 20 WHERE unit_id = 2'), ('UPDATE chat_rbac.unit SET kind = ''inbox'' WHERE unit_id = 3'), ('UPDATE chat_rbac.unit SET name = ''Wages'' WHERE unit_id = 3'),
  ('DELETE FROM chat_rbac.unit WHERE unit_id = 3'), ('UPDATE chat_rbac.unit SET parent_id = 1 WHERE unit_id = 3'), ('UPDATE chat_rbac.unit SET parent_id = 4, key = 30 WHERE unit_id = 3'), ('UPDATE chat_rbac.unit SET parent_id = 4, sealed = true WHERE unit_id = 3'),
  ('UPDATE chat_rbac.unit SET parent_id = 3 WHERE unit_id = 4'), ('UPDATE chat_rbac.unit SET parent_id = 1 WHERE unit_id = 4'),
  ('INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 9, ''team'', ''Below'', 3)'), ('INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 9, ''team'', ''Beside'', 1)');
SELECT command, try(command) FROM step ORDER BY n;
-- with nobody above and in the whole org who has more
DELETE FROM chat_rbac.role_grant WHERE role_id = 2;
SELECT n, try(command) FROM step ORDER BY n;
DELETE FROM chat_rbac.role_grant WHERE role_id IN (8, 10);
SELECT n, try(command) FROM step WHERE n IN (1, 2, 4, 5, 8, 9, 10, 12) ORDER BY n;

--
-- A role that is granted inside gets nothing from who does not hold it there, also by what it inherits
--
TRUNCATE step RESTART IDENTITY;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 8, NULL);
INSERT INTO step (command) VALUES ('UPDATE chat_rbac.role SET permissions = ''{report.view}'' WHERE role_id = 6'), ('UPDATE chat_rbac.role SET permissions = ''{report.view}'' WHERE role_id = 7'), ('UPDATE chat_rbac.role SET permissions = ''{report.view}'' WHERE role_id = 9'),
  ('INSERT INTO chat_rbac.role_inherit VALUES (1, 6, 4)'), ('INSERT INTO chat_rbac.role_inherit VALUES (1, 7, 4)'), ('INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 20, ''New'', ''{report.view}'')'), ('DELETE FROM chat_rbac.role_inherit WHERE senior_id = 6');
SELECT command, try(command) FROM step ORDER BY n;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 21, 'Viewer', '{report.view}');
INSERT INTO chat_rbac.role_inherit VALUES (1, 21, 9);
SELECT try('INSERT INTO chat_rbac.role_inherit VALUES (1, 6, 21)') AS senior, try('INSERT INTO chat_rbac.role_inherit VALUES (1, 7, 21)') AS junior, try('INSERT INTO chat_rbac.role_inherit VALUES (1, 10, 21)') AS elsewhere;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 8, 2);
SELECT try('INSERT INTO chat_rbac.role_inherit VALUES (1, 6, 21)') AS senior, try('UPDATE chat_rbac.role SET permissions = ''{report.view}'' WHERE role_id = 7') AS junior;

-- why not: also by a grant that is to come
CREATE TABLE chat (org_id bigint, id bigint, team_id bigint, inbox_id int, PRIMARY KEY (org_id, id));
INSERT INTO chat VALUES (1, 1, 3, NULL), (1, 2, 3, 5);
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"}}') \g /dev/null
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id, valid) VALUES (1, 901, 5, 2, NULL, '[2200-01-01 00:00+00,)'), (1, 902, 5, 2, 1, '(,)');
SET chat_rbac.identity = '1/1'; SET timezone = 'UTC';
SELECT verdict, grant_id, why FROM chat_rbac.explain_access(5, 'conversation.view', 'chat', 1);
-- and why: where a row is at two sealed units, two grants may be what it takes
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name, sealed) VALUES (1, 5, 'inbox', 5, 'Post', true);
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) VALUES (1, 903, 6, 2, 2), (1, 904, 6, 2, 5), (1, 905, 6, 2, 1), (1, 906, 6, 2, NULL), (1, 907, 2, 2, 5), (1, 908, 2, 2, NULL);
SELECT verdict, grant_id, why FROM chat_rbac.explain_access(6, 'conversation.view', 'chat', 2);
SELECT verdict, grant_id, why FROM chat_rbac.explain_access(2, 'conversation.view', 'chat', 2);
SELECT member_id, grant_id, unit FROM chat_rbac.who_can('conversation.view', 'chat', 2);
SET datestyle = 'Postgres';
SELECT why FROM chat_rbac.explain_access(5, 'conversation.view', 'chat', 1) WHERE grant_id = 901;
RESET chat_rbac.identity; RESET timezone; RESET datestyle;

SELECT chat_rbac.unprotect('chat') \g /dev/null
DROP TABLE chat, step;
DROP FUNCTION seal, try;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

--
-- Policy as code: an org's units, roles and separations as one document
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
\set SHOW_CONTEXT never
\pset format unaligned
\pset footer off

SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('globex', 2), chat_rbac.create_org('new', 3) \g /dev/null
DELETE FROM chat_rbac.role_inherit WHERE org_id IN (1, 3);
DELETE FROM chat_rbac.role WHERE org_id = 3 OR org_id = 1 AND name NOT IN ('Owner', 'Admin', 'Agent', 'Temp');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES (1, 1, 'department', 1, NULL, 'EMEA'), (1, 2, 'team', 10, 1, 'Support "1"'),
  (1, 3, 'team', 20, 1, 'Sales'), (1, 4, 'inbox', 20, 2, 'Chat'), (1, 5, 'department', 2, NULL, 'APAC');
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (1, 1, 'Olga', 'olga'), (1, 2, 'Ada', NULL), (1, 3, 'Rea', NULL), (1, 4, 'Ali', 'ali'), (1, 5, 'Ali', NULL);
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Lead', '{conversation.view, role.view}'), (1, 'Reader', '{role.view, unit.view, member.view}');
INSERT INTO chat_rbac.role_inherit SELECT 1, s.role_id, j.role_id FROM chat_rbac.role s, chat_rbac.role j WHERE s.org_id = 1 AND j.org_id = 1 AND s.name = 'Lead' AND j.name = 'Agent';
SELECT chat_rbac.create_separation('acme', 'audit', '{Owner, Agent, Temp}', 2, 'dynamic') \g /dev/null
SELECT count(chat_rbac.grant_role('acme', m, r, u, v, w, s)) FROM (VALUES ('Olga', 'Owner', NULL, NULL, NULL, NULL), ('Ada', 'Admin', NULL, NULL, NULL, NULL),
  ('Rea', 'Reader', NULL, NULL, NULL, NULL), ('Ada', 'Lead', 'EMEA', '[2026-01-01 00:00+02,2099-01-01)'::tstzrange, 'for a while', 'Mon-Fri 09:00-18:00 Asia/Riyadh'::chat_rbac.shift)) AS g (m, r, u, v, w, s);

--
-- Export
--
SET IntervalStyle = 'iso_8601'; SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo';
SELECT jsonb_pretty(chat_rbac.export_policy('acme') #- '{roles}') AS policy;
SELECT e ->> 'name' AS role, left(e ->> 'permissions', 50) AS permissions, e - '{name,permissions}'::text[] AS rest FROM jsonb_array_elements(chat_rbac.export_policy('acme') -> 'roles') AS e;
SELECT jsonb_path_query_array(chat_rbac.export_policy('acme', members => true), '$.members[*]') AS members;
RESET IntervalStyle; RESET DateStyle; RESET TimeZone;
SELECT chat_rbac.export_policy('acne');             -- fail

--
-- Round trip
--
CREATE TEMP TABLE doc (name text PRIMARY KEY, policy jsonb);
GRANT SELECT ON doc TO public;
INSERT INTO doc VALUES ('acme', chat_rbac.export_policy('acme')), ('people', chat_rbac.export_policy('acme', true));
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT change, kind, name, left(detail, 40) AS detail FROM chat_rbac.import_policy('new', (SELECT policy FROM doc WHERE name = 'acme'));
SELECT chat_rbac.export_policy('new') - 'org' = policy - 'org' AS equal FROM doc WHERE name = 'acme';
SELECT count(*) AS members FROM chat_rbac.member WHERE org_id = 3;
SELECT * FROM chat_rbac.import_policy('new', (SELECT policy FROM doc WHERE name = 'people'));
SELECT chat_rbac.export_policy('new', true) - 'org' = policy - 'org' AS equal FROM doc WHERE name = 'people';
-- over an org that has other roles: they go with prune only
SELECT change, kind, name FROM chat_rbac.diff_policy('globex', (SELECT policy FROM doc WHERE name = 'people')) WHERE change <> 'create' OR kind = 'inheritance';
SELECT count(*) > 10 AS much FROM chat_rbac.import_policy('globex', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT chat_rbac.export_policy('globex', true) - 'org' = policy - 'org' AS equal FROM doc WHERE name = 'people';

-- a unit that is new makes no grants anew
SELECT * FROM chat_rbac.diff_policy('new', (SELECT jsonb_insert(policy, '{units,0}', '{"name": "MEA", "kind": "department", "key": 77}') FROM doc WHERE name = 'people'));
SELECT * FROM chat_rbac.diff_policy('new', (SELECT jsonb_insert(policy, '{units,0}', '{"name": "MEA", "kind": "department", "key": 77}') FROM doc WHERE name = 'people'), true);

-- nothing is written where nothing is to be done
CREATE TEMP VIEW written AS SELECT (SELECT count(*) FROM chat_rbac.audit_event) AS events,
  ARRAY(SELECT xmin::text::bigint FROM chat_rbac.role UNION ALL SELECT xmin::text::bigint FROM chat_rbac.unit UNION ALL SELECT xmin::text::bigint FROM chat_rbac.role_grant
    UNION ALL SELECT xmin::text::bigint FROM chat_rbac.separation UNION ALL SELECT xmin::text::bigint FROM chat_rbac.member ORDER BY 1) AS rows;
CREATE TEMP TABLE before AS SELECT * FROM written;
SELECT * FROM chat_rbac.import_policy('new', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT b.events > 0 AS recorded, b.events = w.events AND b.rows = w.rows AS unchanged FROM before b, written w;

UPDATE chat_rbac.role_grant SET reason = 'who knows' WHERE org_id = 1 AND reason IS NOT NULL;
--
-- Drift: a role, an inheritance, a unit that is moved and one that is renamed, a separation, a grant
--
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'conversation.delete' OPERATOR(chat_rbac.-) 'role.view', max_duration = '7 days' WHERE org_id = 1 AND name = 'Lead';
INSERT INTO chat_rbac.role (org_id, role_id, name) VALUES (1, 900, 'Extra');
INSERT INTO chat_rbac.role_inherit SELECT 1, role_id, 900 FROM chat_rbac.role WHERE org_id = 1 AND name IN ('Lead', 'Temp');
INSERT INTO chat_rbac.role_inherit SELECT 1, 900, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Agent';
UPDATE chat_rbac.unit SET parent_id = NULL, name = 'Sellers' WHERE org_id = 1 AND unit_id = 3;
UPDATE chat_rbac.unit SET parent_id = 3 WHERE org_id = 1 AND unit_id = 1;
UPDATE chat_rbac.unit SET key = 99 WHERE org_id = 1 AND unit_id = 5;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (1, 70, 'team', NULL, 'Old'), (1, 71, 'team', 70, 'Older');
UPDATE chat_rbac.separation SET kind = 'static', cardinality = 3 WHERE org_id = 1;
SELECT chat_rbac.create_separation('acme', 'other', '{Owner, Agent}') IS NOT NULL AS made;
SELECT chat_rbac.grant_role('acme', 'Rea', 'Temp', 'Older', '[2026-01-01,2026-02-01)') IS NOT NULL AS granted;
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people'));
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people'), true);
-- without members, what is granted is in the way
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'acme'), true) WHERE change = 'refused';
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'acme'), true);      -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy #- '{roles,0}' FROM doc WHERE name = 'acme') - 'separations', true);      -- fail
-- what import does is what the diff says
CREATE TEMP TABLE said AS SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people')) WITH ORDINALITY AS d (change, kind, name, detail, n);
CREATE TEMP TABLE did AS SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'people')) WITH ORDINALITY AS d (change, kind, name, detail, n);
SELECT (SELECT count(*) FROM did) AS did, NOT EXISTS (TABLE said EXCEPT TABLE did) AND NOT EXISTS (TABLE did EXCEPT TABLE said) AS as_said;
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people'));
SELECT change, kind, name FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT chat_rbac.export_policy('acme', true) = policy AS equal FROM doc WHERE name = 'people';
SELECT string_agg(unit_id || ' ' || name, ', ' ORDER BY unit_id) AS same_units FROM chat_rbac.unit WHERE org_id = 1;

--
-- Members: the guard and row-level security bind them
--
CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant, chat_rbac.separation, chat_rbac.separation_role TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.org, chat_rbac.known_permission TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/2';
SELECT chat_rbac.export_policy('acme');             -- fail: EXECUTE is given
RESET ROLE;
GRANT EXECUTE ON FUNCTION chat_rbac.export_policy, chat_rbac.diff_policy, chat_rbac.import_policy, chat_rbac.find_by_name TO regress_chat_rbac_app;
INSERT INTO doc SELECT 'closer', jsonb_set(policy, '{roles}', policy -> 'roles' || '{"name": "Closer", "permissions": ["conversation.close"], "inherits": ["Agent"]}') FROM doc WHERE name = 'acme';
INSERT INTO doc SELECT 'owner', jsonb_set(policy, '{roles}', policy -> 'roles' || '{"name": "Boss", "permissions": ["*.*"]}') FROM doc WHERE name = 'acme';
INSERT INTO doc SELECT 'both', jsonb_set(policy, '{roles}', policy -> 'roles' || '[{"name": "Closer", "permissions": []}, {"name": "Payer", "permissions": ["billing.manage"]}]') FROM doc WHERE name = 'acme';
SET ROLE regress_chat_rbac_app;
-- who may look: export and diff, and nothing else
SET chat_rbac.identity = '1/3';
SELECT chat_rbac.export_policy('acme', true) = policy AS equal FROM doc WHERE name = 'people';
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'acme'), true);
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'closer'));
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'closer'));       -- fail
\echo :LAST_ERROR_SQLSTATE
-- who may not look
SET chat_rbac.identity = '1/4';
SELECT chat_rbac.export_policy('acme');             -- fail
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'acme'));           -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.export_policy('globex');           -- fail: not seen
-- who may give some of it
SET chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'owner'));        -- fail
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'both'));         -- fail
SELECT count(*) AS nothing_of_it FROM chat_rbac.role WHERE name IN ('Boss', 'Closer', 'Payer');
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'closer'));
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'closer'));
SELECT * FROM chat_rbac.import_policy('acme', (SELECT jsonb_set(policy, '{members,0,grants}', policy #> '{members,0,grants}' || '{"role": "Owner"}') FROM doc WHERE name = 'people'));   -- fail
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'acme'), true);
RESET ROLE; RESET chat_rbac.identity;

--
-- Sealed units
--
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id IN (1, 2);
INSERT INTO doc VALUES ('sealed', chat_rbac.export_policy('acme', true));
SELECT policy -> 'units' AS units FROM doc WHERE name = 'sealed';
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'sealed'), true);
-- a document that says nothing of it opens nothing, but with prune; one that says so does
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people'));
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT * FROM chat_rbac.diff_policy('acme', (SELECT jsonb_set(policy, '{units,1,sealed}', 'false') FROM doc WHERE name = 'sealed'));
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'people'), true);
SELECT * FROM chat_rbac.import_policy('acme', (SELECT policy FROM doc WHERE name = 'sealed'));
SELECT chat_rbac.export_policy('acme', true) = policy AS equal FROM doc WHERE name = 'sealed';
UPDATE chat_rbac.unit SET sealed = false WHERE org_id = 1;

--
-- Units and members that are told by what they have
--
SELECT change, kind, name, detail FROM chat_rbac.diff_policy('acme', jsonb_set((SELECT policy FROM doc WHERE name = 'acme'), '{units}',
  '[{"name": "APAC", "kind": "region"}, {"name": "Chat", "kind": "department", "key": 1, "units": [{"name": "EMEA", "kind": "inbox", "key": 20}, {"name": "Sales", "kind": "team", "key": 77}]}]'), true);
SELECT chat_rbac.export_policy('acme', true) = policy AS equal FROM doc WHERE name = 'people';
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES (1, 80, 'team', 80, 5, 'Twin'), (1, 81, 'team', 81, 5, 'Twin');
SELECT chat_rbac.export_policy('acme');             -- fail
SELECT * FROM chat_rbac.diff_policy('acme', jsonb_set((SELECT policy FROM doc WHERE name = 'acme'), '{units}', '[{"name": "APAC", "kind": "department", "units": [{"name": "Twin", "kind": "team"}]}]'));   -- fail
DELETE FROM chat_rbac.unit WHERE org_id = 1 AND unit_id = 81;
-- moved to where one of its name is, which the document does not have
SELECT * FROM chat_rbac.import_policy('acme', jsonb_set((SELECT policy FROM doc WHERE name = 'acme'), '{units}', '[{"name": "APAC", "kind": "department", "units": [{"name": "Twin", "kind": "team", "key": 20}]}]'));   -- fail
DELETE FROM chat_rbac.unit WHERE org_id = 1 AND unit_id = 80;
INSERT INTO chat_rbac.member (org_id, name) VALUES (1, 'Ali');
SELECT chat_rbac.export_policy('acme', true);       -- fail
DELETE FROM chat_rbac.member WHERE org_id = 1 AND name = 'Ali' AND member_id > 5;
-- separations are loosened before, and tightened after
SELECT chat_rbac.create_org('sep', 4) \g /dev/null
INSERT INTO chat_rbac.role (org_id, name) VALUES (4, 'A'), (4, 'B'), (4, 'C');
INSERT INTO chat_rbac.member (org_id, name) VALUES (4, 'Ann');
SELECT chat_rbac.grant_role('sep', 'Ann', 'A') IS NOT NULL AND chat_rbac.create_separation('sep', 's', '{A, B}') IS NOT NULL AS made;
SELECT * FROM chat_rbac.import_policy('sep', '{"format": "chat_rbac policy 1", "units": [], "roles": [{"name": "A", "permissions": [], "inherits": ["B"]}, {"name": "B", "permissions": []}, {"name": "C", "permissions": []}],
  "separations": [{"name": "s", "roles": ["A", "B", "C"], "cardinality": 3}]}');
SELECT * FROM chat_rbac.import_policy('sep', '{"format": "chat_rbac policy 1", "units": [], "roles": [{"name": "A", "permissions": []}, {"name": "B", "permissions": []}, {"name": "C", "permissions": [], "inherits": ["A"]}],
  "separations": [{"name": "s", "roles": ["A", "C"]}, {"name": "t", "roles": ["A", "B"]}]}');
SELECT * FROM chat_rbac.import_policy('sep', '{"format": "chat_rbac policy 1", "units": [], "roles": [{"name": "A", "permissions": [], "inherits": ["C"]}, {"name": "B", "permissions": []}, {"name": "C", "permissions": []}]}');   -- fail: Ann

--
-- Hostile documents
--
CREATE FUNCTION pg_temp.try(policy jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text; h text;
BEGIN
	PERFORM chat_rbac.import_policy('acme', policy);
	RETURN 'imported';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(d, ''), nullif(h, ''));
END $$;
-- with(keys): a document that is right but for these
CREATE FUNCTION pg_temp.with(more jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"format": "chat_rbac policy 1", "units": [], "roles": []}' || more $$;
SELECT pg_temp.try(p::jsonb) FROM (VALUES (1, NULL), (2, 'null'), (3, '[]'), (4, '"x"'), (5, '{}'), (6, '{"format": "chat_rbac policy 2", "wings": []}'), (7, '{"format": null}'),
  (8, '{"format": "chat_rbac policy 1", "units": []}')) AS v (n, p) ORDER BY n;
SELECT pg_temp.try(pg_temp.with(p::jsonb)) FROM (VALUES
  (1, '{"unit": []}'), (2, '{"units": {}}'), (3, '{"units": null}'), (4, '{"roles": "Agent"}'), (5, '{"org": 1}'), (6, '{"members": null}'),
  (10, '{"units": [null]}'), (11, '{"units": [[]]}'), (12, '{"units": [{"name": "A"}]}'), (13, '{"units": [{"name": "", "kind": "team"}]}'), (14, '{"units": [{"name": "A", "kind": 1}]}'),
  (15, '{"units": [{"name": "A", "kind": "team", "key": 1.5}]}'), (16, '{"units": [{"name": "A", "kind": "team", "key": 1e30}]}'), (17, '{"units": [{"name": "A", "kind": "team", "key": "1"}]}'),
  (18, '{"units": [{"name": "A", "kind": "team", "keys": 1}]}'), (19, '{"units": [{"name": "A", "kind": "team", "units": [{"name": "B", "kind": "team", "parent": "A"}]}]}'),
  (20, '{"units": [{"name": "A", "kind": "team"}, {"name": "A", "kind": "inbox"}]}'), (21, '{"units": [{"name": "A", "kind": "t", "key": 1, "units": [{"name": "B", "kind": "t", "key": 1}]}]}'),
  (22, '{"units": [{"name": "A", "kind": "t", "units": {"name": "B"}}]}'), (23, '{"units": [{"name": "A", "kind": "t", "sealed": "yes"}]}'),
  (30, '{"roles": [null]}'), (31, '{"roles": [{"name": "A"}]}'), (32, '{"roles": [{"name": "A", "permissions": "*.*"}]}'), (33, '{"roles": [{"name": "A", "permissions": [null]}]}'),
  (34, '{"roles": [{"name": "A", "permissions": ["conversation.veiw"]}]}'), (35, '{"roles": [{"name": "A", "permissions": ["conversation view"]}]}'), (36, '{"roles": [{"name": "A", "permissions": ["*.*", "*.*"]}]}'),
  (37, '{"roles": [{"name": "A", "permissions": []}, {"name": "A", "permissions": []}]}'), (38, '{"roles": [{"name": "A", "permissions": [], "max_duration": "soon"}]}'),
  (39, '{"roles": [{"name": "A", "permissions": [], "max_duration": "-1 day"}]}'), (40, '{"roles": [{"name": "A", "permissions": [], "max_duration": null}]}'),
  (41, '{"roles": [{"name": "A", "permissions": [], "inherits": ["Aa"]}, {"name": "Ab", "permissions": []}]}'), (42, '{"roles": [{"name": "A", "permissions": [], "inherits": ["A"]}]}'),
  (43, '{"roles": [{"name": "A", "permissions": [], "inherits": ["B"]}, {"name": "B", "permissions": [], "inherits": ["C"]}, {"name": "C", "permissions": [], "inherits": ["B"]}]}'),
  (44, '{"roles": [{"name": "A", "permissions": [], "preset": true}]}'), (45, '{"roles": [{"name": "A", "permissions": ["}, *.*"]}]}'),
  (50, '{"separations": [{"name": "s", "roles": ["A", "B"]}]}'), (51, '{"roles": [{"name": "A", "permissions": []}], "separations": [{"name": "s", "roles": ["A"]}]}'),
  (52, '{"roles": [{"name": "A", "permissions": []}], "separations": [{"name": "s", "roles": ["A"], "kind": "loose"}]}'), (53, '{"separations": [{"name": "s", "roles": [], "cardinality": -1e18}]}'),
  (60, '{"members": [{"subject": "x"}]}'), (61, '{"members": [{"name": "x", "login": "postgres"}]}'), (62, '{"members": [{"name": "x", "active": "yes"}]}'),
  (63, '{"members": [{"name": "x"}, {"name": "x"}]}'), (64, '{"members": [{"name": "x", "subject": "s"}, {"name": "y", "subject": "s"}]}'), (65, '{"members": [{"name": "x", "grants": [{"role": "A"}]}]}'),
  (66, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A", "unit": ["EMEA"]}]}]}'),
  (67, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A", "unit": "EMEA"}]}]}'),
  (68, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A", "valid": "[2,1)"}]}]}'),
  (69, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A", "valid": "empty"}]}]}'),
  (70, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A", "shift": "always"}]}]}'),
  (71, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A"}, {"role": "A", "reason": "again"}]}]}'),
  (72, '{"roles": [{"name": "A", "permissions": []}], "members": [{"name": "x", "grants": [{"role": "A", "granted_by": 1}]}]}')) AS v (n, p) ORDER BY n;
-- deep and huge
SELECT pg_temp.try(pg_temp.with(('{"units": [' || repeat('{"name": "A", "kind": "t", "units": [', n) || repeat(']}', n) || ']}')::jsonb)) FROM (VALUES (101), (2000)) AS v (n);
SELECT pg_temp.try(pg_temp.with(jsonb_build_object('org', repeat('x', 17000000))));
BEGIN;
SELECT count(*) FROM chat_rbac.import_policy('sep', pg_temp.with(jsonb_build_object(
  'units', (SELECT jsonb_agg(jsonb_build_object('name', 'U' || i, 'kind', 't', 'key', i)) FROM generate_series(1, 1000) AS i),
  'roles', (SELECT jsonb_agg(jsonb_build_object('name', 'R' || i, 'permissions', '["*.*"]'::jsonb, 'inherits', CASE WHEN i > 1 THEN jsonb_build_array('R' || i / 2) ELSE '[]' END)) FROM generate_series(1, 300) AS i))));
ROLLBACK;
-- nothing of it has come in
SELECT chat_rbac.export_policy('acme', true) = policy AS equal FROM doc WHERE name = 'people';
SELECT * FROM chat_rbac.import_policy(NULL, (SELECT policy FROM doc WHERE name = 'acme'));    -- fail


--
-- A unit that is made is sealed last, when those are inside who could open it
--
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 11, 'Olga'), (1, 12, 'Hana');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Warden', '{unit.manage, role.assign}'), (1, 'Reader', '{role.view, unit.view, member.view}');
SELECT chat_rbac.grant_role('acme', 'Olga', 'Owner') IS NOT NULL AS granted;
CREATE FUNCTION pg_temp.hr(sealed text, grants jsonb) RETURNS jsonb LANGUAGE sql AS $$
  SELECT jsonb_build_object('members', jsonb_build_array(jsonb_build_object('name', 'Hana', 'grants', grants)), 'units', format('[{"name": "HR", "kind": "team", "key": 1%s, "units": [{"name": "Payroll", "kind": "team", "key": 2}]}]', sealed)::jsonb)
    || (chat_rbac.export_policy('acme') - 'units') $$;
SET chat_rbac.identity = '1/11';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.import_policy('acme', pg_temp.hr(', "sealed": true', '[]'));                 -- fail
SELECT * FROM chat_rbac.import_policy('acme', pg_temp.hr(', "sealed": true', '[{"role": "Warden", "unit": ["HR"]}]'));
SELECT * FROM chat_rbac.import_policy('acme', pg_temp.hr(', "sealed": false', '[{"role": "Warden", "unit": ["HR"]}]'));       -- fail: the owner is outside
RESET ROLE; RESET chat_rbac.identity;
SELECT name, sealed FROM chat_rbac.unit ORDER BY unit_id;

-- clean up
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

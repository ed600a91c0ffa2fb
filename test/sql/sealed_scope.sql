--
-- The functions that policies are made of, where units are sealed: the answer is that of the row, by whatever plan
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET jit = off;

-- team 20 and inbox 7 are sealed, and team 0, which is the value that a null is not; the other org has the same keys
INSERT INTO chat_rbac.org VALUES (1, 'acme'), (2, 'globex');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name, sealed)
SELECT o, v.id, v.kind, v.key, v.parent, v.name, v.sealed AND o = 1 FROM generate_series(1, 2) AS o, (VALUES (1, 'team', 10, NULL, 'Company', false), (2, 'team', 20, 1, 'HR', true),
  (3, 'team', 30, 2, 'Payroll', false), (4, 'inbox', 7, NULL, 'Post', true), (5, 'inbox', 8, NULL, 'Desk', false), (6, 'team', 0, 1, 'Zero', true)) AS v (id, kind, key, parent, name, sealed);
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, m, 'Member ' || m FROM generate_series(1, 2) AS o, generate_series(1, 5) AS m;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) SELECT o, 1, 'Reader', '{task.view, lead.view@colleague, audit.view}' FROM generate_series(1, 2) AS o;
-- 1: the whole org; 2: Company and the desk; 3: HR; 4: the desk; 5: all of these
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT o, v.m, 1, v.u FROM generate_series(1, 2) AS o,
  (VALUES (1, NULL), (2, 1), (2, 5), (3, 2), (4, 5), (5, NULL), (5, 2), (5, 4), (5, 5)) AS v (m, u);
CREATE TABLE place (id int, org_id bigint, team_id bigint, inbox_id int, person bigint);
INSERT INTO place SELECT row_number() OVER (ORDER BY t.o, i.o), 1, t.k, i.k, 4 FROM unnest('{10,20,30,NULL,99}'::bigint[]) WITH ORDINALITY AS t (k, o), unnest('{7,8,NULL}'::int[]) WITH ORDINALITY AS i (k, o);
INSERT INTO place SELECT i, 3, NULL, NULL, 4 FROM generate_series(100, 2000) AS i;
CREATE INDEX place_org ON place (org_id);
CREATE INDEX place_team ON place (team_id);
CREATE INDEX place_inbox ON place (inbox_id);
ANALYZE place;

CREATE FUNCTION answers(condition text, org bigint DEFAULT 1) RETURNS TABLE (who text, rows text, same boolean) LANGUAGE plpgsql AS $$
DECLARE
	plan text;
	found text;
BEGIN
	FOR m IN 1..5 LOOP
		PERFORM set_config('chat_rbac.identity', org || '/' || m, true);
		who := m;
		same := true;
		rows := NULL;
		FOREACH plan IN ARRAY '{seqscan,indexscan,bitmapscan}'::text[] LOOP
			PERFORM set_config('enable_' || p, (p = plan)::text, true) FROM unnest('{seqscan,indexscan,bitmapscan,indexonlyscan}'::text[]) AS p;
			EXECUTE format('SELECT string_agg(coalesce(team_id::text, %1$L) || %2$L || coalesce(inbox_id::text, %1$L), %3$L ORDER BY id) FROM place WHERE %4$s', '-', ':', ' ', condition) INTO found;
			same := same AND (plan = 'seqscan' OR rows IS NOT DISTINCT FROM found);
			rows := CASE plan WHEN 'seqscan' THEN found ELSE rows END;
		END LOOP;
		RETURN NEXT;
	END LOOP;
	PERFORM set_config('chat_rbac.identity', '', true);
END
$$;
\set org 'chat_rbac.in_org_scope(org_id, ''{task.view}'', ''all'', ''{team,inbox}''::text[], team_id, inbox_id)'
\set team 'chat_rbac.in_unit_scope(team_id, ''{task.view}'', ''all'', ''{team,inbox}''::text[], inbox_id)'
\set inbox 'chat_rbac.in_unit_scope(inbox_id, ''{task.view}'', ''all'', ''{inbox,team}''::text[], team_id)'
\set any 'chat_rbac.in_scope(''{task.view}'', ''all'', ''{team,inbox}''::text[], team_id, inbox_id)'
\set people 'chat_rbac.in_member_scope(person, ''{lead.view}'', ''colleague'', ''{team,inbox}''::text[], team_id, inbox_id)'
SELECT * FROM answers(:'org');
SELECT * FROM answers(:'team');
SELECT * FROM answers(:'inbox');
SELECT * FROM answers(:'any' || ' AND org_id = 1');
SELECT * FROM answers(:'people' || ' AND org_id = 1');
-- the index finds more than there is, and is not believed
SET enable_seqscan = off; SET enable_bitmapscan = off;
SET chat_rbac.identity = '1/1';
EXPLAIN (COSTS OFF) SELECT id FROM place WHERE :org;
SET chat_rbac.identity = '1/2';
EXPLAIN (COSTS OFF) SELECT id FROM place WHERE :team;
RESET enable_seqscan; RESET enable_bitmapscan; RESET chat_rbac.identity;
-- an org in which nothing is sealed, and one in which another unit is
UPDATE place SET org_id = 2 WHERE org_id = 1;
SELECT * FROM answers(:'org', 2) WHERE who IN ('1', '2');
SELECT * FROM answers(:'team', 2) WHERE who = '2';
SELECT * FROM answers(:'people', 2) WHERE who = '4';
BEGIN;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 2 AND name = 'Desk';
SELECT * FROM answers(:'org', 2) WHERE who IN ('1', '2');
ROLLBACK;
UPDATE place SET org_id = 1 WHERE org_id = 2;

-- an event: of all its units, and what its units do not fit is not of the whole org where something is sealed
CREATE TABLE event AS SELECT * FROM (VALUES (1, '{team}'::text[], '{10}'::bigint[]), (2, '{team}', '{20}'), (3, '{team,inbox}', '{10,7}'), (4, '{team,inbox}', '{30,8}'), (5, '{}', '{}'),
  (6, '{team}', '{}'), (7, '{team}', '{10,8}'), (8, '{{team}}', '{10}'), (9, '{NULL}', '{10}'), (10, '{team,team}', '{10,20}'), (11, '{team}', '{99}'), (12, '{moon}', '{20}')) AS v (id, kinds, keys);
CREATE FUNCTION events(org bigint) RETURNS TABLE (who int, ids text) LANGUAGE plpgsql AS $$
BEGIN
	FOR m IN 1..5 LOOP
		PERFORM set_config('chat_rbac.identity', org || '/' || m, true);
		who := m;
		SELECT string_agg(id::text, ',' ORDER BY id) INTO ids FROM event WHERE chat_rbac.in_event_scope('{audit.view}', 'all', kinds, keys);
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM events(1);
SELECT * FROM events(2);

-- who works there: not in what is sealed below; and where a role counts at all
CREATE FUNCTION below(org bigint) RETURNS TABLE (who int, people bigint[], units bigint[], keys bigint[]) LANGUAGE plpgsql AS $$
BEGIN
	FOR m IN 1..5 LOOP
		PERFORM set_config('chat_rbac.identity', org || '/' || m, true);
		who := m;
		people := chat_rbac.members_scope('{lead.view}', 'colleague', false);
		units := (SELECT array_agg(u ORDER BY u) FROM unnest(chat_rbac.units_scope('{task.view}')) AS u);
		keys := chat_rbac.unit_scope('{task.view}', 'all', 'team');
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM below(1);
SELECT * FROM below(2);

-- a wider permission takes nothing away: at the sealed team for tasks that are one's own, at the sealed inbox too, and then there for all
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 2, 'Owner of tasks', '{task.view@own}');
DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 1;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 2, 2);
\set own 'chat_rbac.in_scope(''{task.view}'', ''own'', ''{team,inbox}''::text[], team_id, inbox_id) AND org_id = 1 AND team_id = 20'
SELECT rows FROM answers(:'own') WHERE who = '1';
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 2, 4);
SELECT rows FROM answers(:'own') WHERE who = '1';
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 1, 1, 4);
SELECT rows FROM answers(:'own') WHERE who = '1';

DROP TABLE place, event;
DROP FUNCTION answers, events, below;
RESET jit;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;

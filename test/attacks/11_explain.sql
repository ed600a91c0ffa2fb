--
-- EXPLAIN in all of its forms, and what PostgreSQL knows of the tables' contents:
-- statistics, extended statistics, estimates.  None may show a hidden value, and no
-- plan may hold what was looked up for a person.  How many rows there are is told:
-- these tests are named "known leak".
--
SELECT plan(35);
SET client_min_messages = error;

-- Values that are frequent, and statistics of all kinds.  To Ali these titles are hidden.
UPDATE inbox.task SET title = '~t1-2~' WHERE org_id = 1 AND id BETWEEN 20 AND 60 AND assignee_id <> 6;
UPDATE inbox.setting SET value = '"~s1-1~"' WHERE org_id = 1;
CREATE INDEX task_upper ON inbox.task (upper(title));
CREATE STATISTICS inbox.task_pair (mcv, ndistinct, dependencies) ON title, assignee_id FROM inbox.task;
CREATE STATISTICS inbox.task_lower ON lower(title), (done::int) FROM inbox.task;
ANALYZE inbox.task, inbox.setting, inbox.conversation, inbox.customer, inbox.message;

-- ---- the views of statistics ----

SELECT ok(lab.hidden('Ali', string_agg(t::text, '')) <> '{}', 'there are hidden values in ' || v)
FROM (SELECT 'pg_stats' AS v, s::text AS t FROM pg_stats AS s UNION ALL SELECT 'pg_stats_ext', s::text FROM pg_stats_ext AS s
	UNION ALL SELECT 'pg_stats_ext_exprs', upper(s::text) FROM pg_stats_ext_exprs AS s WHERE false UNION ALL SELECT 'pg_statistic', s::text FROM pg_statistic AS s) AS t
GROUP BY v ORDER BY v;
SELECT lab.gets_nothing('Ali', 'SELECT s::text FROM ' || v || ' AS s WHERE ' || c || ' IN (''inbox'')', '^$', 'of which an application''s role sees none by ' || v)
FROM (VALUES ('pg_stats', 'schemaname'), ('pg_stats_ext', 'schemaname'), ('pg_stats_ext_exprs', 'schemaname')) AS v (v, c);
SELECT lab.gets_nothing('Ali', 'SELECT s::text FROM ' || v || ' AS s', '^ERROR 42501', 'nor by ' || v) FROM unnest('{pg_statistic,pg_statistic_ext_data}'::text[]) AS v;
SELECT lab.gets_nothing('Ali', 'SELECT m.* FROM pg_statistic_ext AS e, pg_mcv_list_items((SELECT stxdmcv FROM pg_statistic_ext_data WHERE stxoid = e.oid)) AS m', '^ERROR 42501', 'nor item by item');
CALL lab.become('Ali', 'attack_owner');
SELECT is((SELECT count(*) FROM pg_stats WHERE schemaname = 'inbox' AND tablename IN ('task', 'conversation', 'customer', 'message', 'setting')), 0::bigint, 'the owner, whom policies hold, sees none of pg_stats either');
SELECT is((SELECT count(*) FROM pg_stats_ext WHERE schemaname = 'inbox'), 0::bigint, 'nor of pg_stats_ext');
CALL lab.dba();
SELECT lab.gets_nothing('Ali', 'CREATE STATISTICS own.mine (mcv) ON title, id FROM inbox.task', '^ERROR 42501: must be owner', 'nobody makes statistics of others'' tables');
SELECT lab.gets_nothing('Ali', 'ANALYZE inbox.task', '^0', 'nor analyses them');
-- one's own copy has the statistics of what one saw
SELECT lab.run_as('Ali', 'CREATE TABLE own.copy AS TABLE inbox.task') IS NOT NULL \g /dev/null
SELECT lab.run_as('Ali', 'ANALYZE own.copy') IS NOT NULL \g /dev/null
SELECT lab.sees_own_only('Ali', 'SELECT s::text FROM pg_stats AS s WHERE schemaname = ''own''', 'statistics of an own copy are of what was seen');
-- an index on an expression has statistics too, and policies are the table's
SELECT lab.gets_nothing('Ali', 'SELECT s::text FROM pg_stats AS s WHERE tablename = ''task_upper''', '^$', 'those of an index are not shown either');
CREATE ROLE attack_11_reader IN ROLE pg_read_all_data;
SELECT ok(upper(lab.run_as('Ali', 'SELECT lower(s::text) FROM pg_stats AS s WHERE tablename = ''task_upper''', 'attack_11_reader')) ~ '~T1-2~',
	'known leak: the statistics of an index on an expression, to who may read all tables');
SELECT lab.gets_nothing('Ali', 'SELECT s::text FROM pg_stats AS s WHERE tablename = ''task''', '^$', 'but not those of the table', 'attack_11_reader');

-- ---- operators of the attacker's, which the planner asks for an estimate ----

SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.eq(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN own.tell($1 || ' ' || $2) AND $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR own.=== (FUNCTION = own.eq, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE OPERATOR own.<<< (FUNCTION = own.eq, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR own.~~~ (FUNCTION = own.eq, LEFTARG = text, RIGHTARG = text, RESTRICT = matchingsel, JOIN = matchingjoinsel);
CREATE OPERATOR own.@@@ (FUNCTION = own.eq, LEFTARG = text, RIGHTARG = text, RESTRICT = likesel, JOIN = likejoinsel);
CREATE TABLE own.plain AS SELECT CASE WHEN i < 40 THEN '~t1-1~' ELSE '~t1-7~' END AS title, i FROM generate_series(1, 60) AS i;
INSERT INTO own.plain SELECT format('~m1-%s~', i), i FROM generate_series(11, 110) AS i;
ANALYZE own.plain;
RESET SESSION AUTHORIZATION;
SELECT ok(lab.run_as('Ali', format('EXPLAIN SELECT FROM own.plain WHERE title OPERATOR(own.%s) ''x''', o)) ~ E'~t1-1~ x', 'to estimate, an operator own.' || o || ' is called on values')
FROM unnest('{===,<<<,~~~}'::text[]) AS o;
SELECT lab.gets_nothing('Ali', format('EXPLAIN SELECT FROM %s AS r WHERE %s OPERATOR(own.%s) ''x''', t, c, o), '^\(', format('but not on those of %s.%s', t, c))
FROM (SELECT t, c, string_agg(o, '') AS o FROM (VALUES ('inbox.task', 'title', '==='), ('inbox.message', 'body', '<<<'), ('inbox.customer', 'name', '~~~'), ('inbox.task', 'lower(title)', '==='), ('inbox.conversation', 'labels[1]', '@@@')) AS v (t, c, o) GROUP BY t, c) AS v ORDER BY t, c;
SELECT lab.gets_nothing('Ali', 'EXPLAIN SELECT FROM inbox.task AS a JOIN own.plain AS b ON a.title OPERATOR(own.===) b.title JOIN inbox.message AS c ON c.body OPERATOR(own.<<<) a.title', '^\(', 'nor for a join');
SELECT lab.gets_nothing('Ali', 'EXPLAIN SELECT FROM inbox.card WHERE phone OPERATOR(own.===) ''x'' AND email OPERATOR(own.<<<) ''y''', '^\(', 'nor for a view', 'attack_bi');

-- ---- what EXPLAIN prints ----

SELECT is(bool_or(o ~ '^ERROR' OR lab.hidden('Ali', o) <> '{}'), false, 'no form of EXPLAIN has a hidden value')
FROM unnest('{ANALYZE,"ANALYZE, VERBOSE","ANALYZE, BUFFERS, WAL, SETTINGS","VERBOSE, FORMAT JSON","ANALYZE, FORMAT XML, TIMING off"}'::text[]) AS f,
	unnest('{"SELECT * FROM inbox.message ORDER BY body","SELECT * FROM inbox.customer WHERE name ~ ''c1''","UPDATE inbox.conversation SET updated_at = now() WHERE id = 4 OR own.tell_early(labels[1])",
		"SELECT max(body) FROM inbox.message","SELECT * FROM inbox.task WHERE title IN (SELECT body FROM inbox.message)"}'::text[]) AS q,
	LATERAL lab.run_as('Ali', format('EXPLAIN (%s) %s', f, q)) AS o;
-- a plan is for whoever runs it: nothing that was looked up for a person is in it
CALL lab.become('Ali');
SET plan_cache_mode = force_generic_plan;
PREPARE all_chats AS SELECT * FROM inbox.conversation WHERE priority = $1;
CREATE TEMP TABLE plans AS SELECT lab.attempt('EXPLAIN (VERBOSE, COSTS off) EXECUTE all_chats(0)') AS plan;
CALL lab.dba();
CALL lab.become('Gus');
SELECT is(lab.attempt('EXPLAIN (VERBOSE, COSTS off) EXECUTE all_chats(0)'), (SELECT plan FROM plans), 'the generic plan of one person is that of another, in another org');
CALL lab.dba();
SELECT ok(plan !~ '\m(6|10|20|40)\M' AND plan ~ 'unit_scope', 'it has no ids of theirs, but questions') FROM plans;
RESET plan_cache_mode;
DEALLOCATE all_chats;

-- ---- what is told: numbers ----

SELECT is(lab.run_as('Olga', 'SELECT count(*) FROM inbox.conversation WHERE team_id = 40'), E'(0)\n', 'the owner of the org sees nothing of the sealed team 40');
SELECT ok(max(n) FILTER (WHERE t = 40) > 5 AND max(n) FILTER (WHERE t = 41) <= 1, 'known leak: estimates tell how frequent a hidden value is, by comparisons that are leakproof')
FROM unnest('{40,41}'::int[]) AS t, LATERAL (SELECT (regexp_match(lab.run_as('Olga', format('EXPLAIN SELECT FROM inbox.conversation WHERE team_id = %s', t)), 'rows=(\d+)'))[1]::int AS n) AS e;
SELECT ok(lab.run_as('Vic', 'EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT FROM inbox.setting WHERE id < 100') ~ 'rows=0', 'who may see nothing is told of no row by EXPLAIN ANALYZE');
SELECT ok(lab.run_as('Ali', 'SET enable_indexscan = off') || lab.run_as('Ali', 'SET enable_bitmapscan = off') ~ '0' AND
	lab.run_as('Ali', 'EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT FROM inbox.conversation') ~ 'Rows Removed by Filter: [1-9]', 'known leak: EXPLAIN ANALYZE tells how many rows a policy has left out');
SELECT lab.run_as('Ali', 'RESET ALL') IS NOT NULL \g /dev/null
SELECT ok(lab.run_as('Vic', 'SELECT reltuples FROM pg_class WHERE oid = ''inbox.conversation''::regclass') ~ '160', 'known leak: pg_class, pg_stat_user_tables and pg_relation_size() tell how many rows there are in all');

SELECT * FROM finish();
DROP ROLE attack_11_reader;

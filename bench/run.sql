/*
 * bench/run.sql: what a policy costs, as ratios to conditions written by hand
 * with literals and run by a superuser.
 *
 * "Same": the condition of the policy with what its functions return in their
 * place.  "Shortest": the shortest condition that gives these rows, as one writes
 * it who knows who will ask.  All are prepared statements.  They run in turns;
 * a figure is the median of its runs, a ratio the median of those of one turn.
 */
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET jit = off;

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO bench_app;
CREATE TABLE bench.result (n int GENERATED ALWAYS AS IDENTITY, what text, policy_ms float8, same_ms float8, same_ratio float8,
	shortest_ms float8, shortest_ratio float8, wanted text);

/* Run a prepared statement so many times; milliseconds a run. */
CREATE FUNCTION bench.run(statement text, runs int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
BEGIN
	FOR i IN 1..runs LOOP
		EXECUTE 'EXECUTE ' || statement;
	END LOOP;
	RETURN extract(epoch FROM clock_timestamp() - began) * 1000 / runs;
END $$;

/* Run as the application's role under an identity, or with none as the superuser. */
CREATE FUNCTION bench.run_as(identity text, statement text, runs int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	ms float8;
BEGIN
	IF identity IS NOT NULL THEN
		PERFORM set_config('chat_rbac.identity', identity, false), set_config('role', 'bench_app', false);
	END IF;
	ms := bench.run(statement, runs);
	PERFORM set_config('role', 'none', false), set_config('chat_rbac.identity', '', false);
	RETURN ms;
END $$;

CREATE FUNCTION bench.become(identity text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF identity IS NULL THEN
		PERFORM set_config('role', 'none', false), set_config('chat_rbac.identity', '', false);
	ELSE
		PERFORM set_config('chat_rbac.identity', identity, false), set_config('role', 'bench_app', false);
	END IF;
END $$;

/* identity[1] asks under the policy; the others, if any, are for same and shortest */
CREATE FUNCTION bench.compare(what text, wanted text, identity text[], query text, same text, shortest text, runs int DEFAULT 1, turns int DEFAULT 15)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	statement text[] := ARRAY[query, same, shortest];
	rows bigint[];
	n bigint;
	turn float8[];
	k int;
BEGIN
	FOR k IN 1..3 LOOP
		PERFORM bench.become(identity[k]);
		EXECUTE format('SELECT count(*) FROM (%s) q', statement[k]) INTO n;
		rows[k] := n;
		EXECUTE format('PREPARE s%s AS %s', k, statement[k]);
		PERFORM bench.become(NULL);
	END LOOP;
	IF rows[1] <> rows[2] OR rows[1] <> rows[3] THEN
		RAISE EXCEPTION '%: rows differ: %', what, rows;	-- the comparison would mean nothing
	END IF;
	CREATE TEMP TABLE turns (a float8, b float8, c float8);
	FOR t IN 0..turns LOOP
		FOR j IN 0..2 LOOP
			k := 1 + (t + j) % 3;
			turn[k] := bench.run_as(identity[k], 's' || k, runs);
		END LOOP;
		IF t > 0 THEN	-- the first turn warms up
			INSERT INTO turns VALUES (turn[1], turn[2], turn[3]);
		END IF;
	END LOOP;
	DEALLOCATE s1;
	DEALLOCATE s2;
	DEALLOCATE s3;
	INSERT INTO bench.result (what, policy_ms, same_ms, same_ratio, shortest_ms, shortest_ratio, wanted)
	SELECT what, p, s, p_s, h, p_h, wanted
	FROM (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a), percentile_cont(0.5) WITHIN GROUP (ORDER BY b),
			percentile_cont(0.5) WITHIN GROUP (ORDER BY a / b), percentile_cont(0.5) WITHIN GROUP (ORDER BY c),
			percentile_cont(0.5) WITHIN GROUP (ORDER BY a / c) FROM turns) AS median (p, s, p_s, h, p_h);
	DROP TABLE turns;
END $$;

/* the parts of the policy's condition for who has those teams for some relations, and no inboxes */
CREATE FUNCTION bench.same(member bigint, org_wide bigint, own_teams text, all_teams text, prefix text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT replace(format('#org_id = 1 AND (#org_id = %2$L::bigint'
		' OR (#assignee_id = %5$L::bigint AND (#team_id = ANY (%3$L::bigint[]) OR #inbox_id = ANY (''{}'')))'
		' OR (#id = ANY (ARRAY(SELECT conversation_id FROM inbox.participant WHERE org_id = 1 AND member_id = %5$L::bigint)) AND (#team_id = ANY (%3$L::bigint[]) OR #inbox_id = ANY (''{}'')))'
		' OR (#assignee_id IS NULL AND (#team_id = ANY (%3$L::bigint[]) OR #inbox_id = ANY (''{}'')))'
		' OR #inbox_id = ANY (''{}'') OR #team_id = ANY (%4$L::bigint[]))', member, org_wide, own_teams, all_teams,
		CASE WHEN own_teams <> '{}' THEN member END), '#', prefix);
$$;

/* agent 25 is in team 3; so the shortest condition is: */
\set agent_shortest 'org_id = 1 AND team_id = 3 AND (assignee_id = 25 OR assignee_id IS NULL OR id = ANY (ARRAY(SELECT conversation_id FROM inbox.participant WHERE org_id = 1 AND member_id = 25)))'
\set newest 'SELECT id, subject FROM inbox.conversation %s ORDER BY last_message_at DESC LIMIT 50'
\set count 'SELECT count(*) FROM inbox.conversation %s'
\set messages 'SELECT m.id, m.body FROM inbox.message m WHERE %s m.conversation_id = 104614 %s ORDER BY m.created_at'
\set seen ' AND EXISTS (SELECT FROM inbox.conversation c WHERE c.org_id = m.org_id AND c.id = m.conversation_id AND '

SELECT bench.compare('agent: newest 50', '1.10', '{1/25}', format(:'newest', ''),
	format(:'newest', 'WHERE ' || bench.same(25, NULL, '{3}', '{}')), format(:'newest', 'WHERE ' || :'agent_shortest'), 10) \g /dev/null
SELECT bench.compare('agent: count', '1.10', '{1/25}', format(:'count', ''),
	format(:'count', 'WHERE ' || bench.same(25, NULL, '{3}', '{}')), format(:'count', 'WHERE ' || :'agent_shortest'), 10) \g /dev/null
SELECT bench.compare('supervisor of 2 teams: newest 50', '', '{1/902}', format(:'newest', ''),
	format(:'newest', 'WHERE ' || bench.same(902, NULL, '{3,4}', '{3,4}')), format(:'newest', 'WHERE org_id = 1 AND team_id = ANY (''{3,4}'')'), 50) \g /dev/null
SELECT bench.compare('supervisor of 2 teams: count', '', '{1/902}', format(:'count', ''),
	format(:'count', 'WHERE ' || bench.same(902, NULL, '{3,4}', '{3,4}')), format(:'count', 'WHERE org_id = 1 AND team_id = ANY (''{3,4}'')'), 3) \g /dev/null
SELECT bench.compare('org-wide: newest 50', '', '{1/901}', format(:'newest', ''),
	format(:'newest', 'WHERE ' || bench.same(901, 1, '{}', '{}')), format(:'newest', 'WHERE org_id = 1'), 200) \g /dev/null
SELECT bench.compare('org-wide: count', '1.10', '{1/901}', format(:'count', ''),
	format(:'count', 'WHERE ' || bench.same(901, 1, '{}', '{}')), format(:'count', 'WHERE org_id = 1')) \g /dev/null
SELECT bench.compare('agent: messages of one conversation', '1.3', '{1/25}', format(:'messages', '', ''),
	format(:'messages', 'm.org_id = 1 AND', :'seen' || bench.same(25, NULL, '{3}', '{}', 'c.') || ')'),
	format(:'messages', 'm.org_id = 1 AND', :'seen' || replace(:'agent_shortest', 'org_id = 1 AND team', 'c.org_id = 1 AND c.team') || ')'), 1000) \g /dev/null
SELECT bench.compare('org-wide: messages of one conversation', '1.3', '{1/901}', format(:'messages', '', ''),
	format(:'messages', 'm.org_id = 1 AND', :'seen' || bench.same(901, 1, '{}', '{}', 'c.') || ')'),
	format(:'messages', 'm.org_id = 1 AND', ''), 1000) \g /dev/null
SELECT bench.compare('no grant: newest 50 of 1 M', '1 ms', '{1/904}', format(:'newest', ''),
	format(:'newest', 'WHERE ' || bench.same(904, NULL, '{}', '{}')), format(:'newest', 'WHERE false'), 200) \g /dev/null
SELECT bench.compare('no grant: all of 1 M', '1 ms', '{1/904}', 'SELECT id, subject FROM inbox.conversation',
	'SELECT id, subject FROM inbox.conversation WHERE ' || bench.same(904, NULL, '{}', '{}'), 'SELECT id, subject FROM inbox.conversation WHERE false', 200) \g /dev/null

/*
 * the number of units: the same scan under the policy, with 300 units and (in
 * the other columns) with 2; in one process, as each worker compiles grants anew
 */
SET max_parallel_workers_per_gather = 0;
SET enable_bitmapscan = off;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SELECT bench.compare('300 units against 2: full scan', '1.15', '{1/903,1/902,1/902}', format(:'count', ''), format(:'count', ''), format(:'count', '')) \g /dev/null
RESET enable_bitmapscan;
RESET enable_indexscan;
RESET enable_indexonlyscan;
RESET max_parallel_workers_per_gather;

\pset border 2
\pset footer off
SELECT what AS "query", round(policy_ms::numeric, 3) AS "policy ms",
	round(same_ms::numeric, 3) AS "same ms", round(same_ratio::numeric, 2) AS "ratio", wanted AS "at most",
	round(shortest_ms::numeric, 3) AS "shortest ms", round(shortest_ratio::numeric, 2) AS "ratio "
FROM bench.result ORDER BY n;

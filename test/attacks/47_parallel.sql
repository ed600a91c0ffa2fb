--
-- Parallel workers: who asks, what is in force and what is handed over has to be the same
-- there.  Leaky functions that say they are PARALLEL SAFE, run in workers by force.
--
-- Must happen: the same rows as without workers, for each person, before and after
-- another one in the same session.
--
SELECT * FROM no_plan();
CALL lab.become('Ali');
CREATE FUNCTION own.tell_in_worker(x text) RETURNS boolean LANGUAGE plpgsql PARALLEL SAFE COST 0.0001 AS $$
BEGIN
	RAISE NOTICE 'saw %', x;
	RETURN true;
END $$;
CREATE FUNCTION own.worker() RETURNS int LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS 'BEGIN RETURN pg_backend_pid(); END';
CREATE FUNCTION own.by_error_in_worker(x text) RETURNS boolean LANGUAGE plpgsql PARALLEL SAFE COST 0.0001 AS $$
BEGIN
	RAISE EXCEPTION 'saw %', x;
END $$;
CALL lab.dba();
-- The statement itself, and no loop over it, which would have no workers.
CREATE FUNCTION lab.direct(who text, query text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	output text; detail text; context text;
BEGIN
	PERFORM lab.remote(who, 'SELECT 1', role);
	SELECT string_agg(t.x, E'\n') INTO output FROM dblink(who || ' ' || role, format('SELECT q::text FROM (%s) AS q', query)) AS t (x text);
	RETURN coalesce(output, '');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
	RETURN concat_ws(E'\n', 'ERROR ' || SQLSTATE || ': ' || SQLERRM, detail, context);
END $$;
SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END AS forced \gset
-- in this database only, as the roles are of all
SELECT format('ALTER DATABASE %I SET %s = %s', current_database(), s, v) FROM (VALUES (:'forced', 'on'), ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'), ('min_parallel_table_scan_size', '0'),
	('min_parallel_index_scan_size', '0'), ('max_parallel_workers_per_gather', '4'), ('parallel_leader_participation', 'off')) AS v (s, v) \gexec
SELECT ok(lab.remote('Ali', 'EXPLAIN SELECT labels FROM inbox.conversation WHERE own.tell_in_worker(labels::text)') ~ 'Gather', 'a query of the inbox goes to workers');
SELECT isnt(lab.direct('Ali', 'SELECT DISTINCT own.worker() FROM inbox.conversation'), lab.direct('Ali', 'SELECT pg_backend_pid()'), '... and is run there');
SELECT set_eq(format($q$SELECT m.marker FROM lab.markers(lab.direct(%L, 'TABLE inbox.%s')) AS m$q$, who, t), format($q$SELECT m.marker FROM lab.markers(lab.run_as(%1$L, 'TABLE inbox.%2$s')) AS m$q$, who, t), format('%s sees the same of %s in workers', who, t))
FROM unnest('{Olga,Sue,Ali,Sam,Hana,Gus,Gwen,Vic}'::text[]) AS who, unnest('{conversation,message,customer,task}'::text[]) AS t;
SELECT is(lab.hidden(who, o), '{}', format('%s: %s', who, s)) FROM unnest('{Ali,Gwen}'::text[]) AS who, unnest(ARRAY[
	'SELECT count(*) FROM inbox.conversation WHERE own.by_error_in_worker(labels::text)', 'SELECT count(*) FROM inbox.message WHERE own.by_error_in_worker(body) AND id > 0', 'SELECT max(labels::text) FROM inbox.conversation',
	'SELECT string_agg(body, '''') FROM inbox.message', 'SELECT count(*), max(c.name) FROM inbox.customer AS c JOIN inbox.conversation AS v ON c.id = v.customer_id AND own.tell_in_worker(c.name)',
	'SELECT * FROM chat_rbac.activity', 'SELECT * FROM inbox.conversation ORDER BY labels DESC LIMIT 20', 'SELECT DISTINCT phone FROM inbox.customer WHERE phone::numeric > 0',
	'SELECT own.tell_in_worker(c::text) FROM inbox.conversation AS c']) AS s, LATERAL (SELECT lab.direct(who, s) AS o) AS x;
SELECT is(lab.hidden('Ali', o, true) = '{}' AND lab.visible('Ali', o, true) > 0, true, 'by view ' || v) FROM unnest('{inbox.card,inbox.report}'::text[]) AS v, LATERAL (SELECT lab.direct('Ali', 'TABLE ' || v, 'attack_bi') AS o) AS x;
-- another person in the same session
SELECT is(dblink_exec('Ali attack_app', format('SET chat_rbac.token = %L', (SELECT token FROM lab.person WHERE name = 'Gwen'))), 'SET', 'the session goes to another person');
SELECT is(lab.hidden('Gwen', o) = '{}' AND lab.visible('Gwen', o) > 0, true, 'whom workers know') FROM lab.direct('Ali', 'TABLE inbox.conversation') AS o;
SELECT is(dblink_exec('Ali attack_app', 'RESET chat_rbac.token'), 'RESET', 'then to nobody');
SELECT is(lab.direct('Ali', 'TABLE inbox.conversation') || lab.direct('Ali', 'SELECT DISTINCT member_id FROM (SELECT (chat_rbac.whoami()).member_id FROM generate_series(1, 100)) AS s'), '()', 'whom workers know nothing for');
-- in a transaction that narrows itself
SELECT is(lab.remote('Sue', 'SET chat_rbac.active_roles = ''Agent''') || lab.hidden('Sue', lab.direct('Sue', 'TABLE inbox.conversation'))::text, E'0\n{}', 'roles that are narrowed are narrowed in workers');
SELECT cmp_ok(lab.visible('Sue', lab.direct('Sue', 'TABLE inbox.conversation')), '<', lab.visible('Sue', lab.run_as('Sue', 'TABLE inbox.conversation')), '... to less');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

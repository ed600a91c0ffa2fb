/*
 * bench/views.sql: what masks cost, against the table under its policies; and what
 * recording a read costs, against the same view unaudited.  :rows rows, of which
 * member 1 sees half.  A page of 59 of them, in :turns turns; a figure is the
 * median of its turns, a ratio or a difference the median of those of one turn.
 * All that the member sees run.sh has sent to a client: within the server the
 * table's rows would be copied as they are.
 */
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
CREATE EXTENSION chat_rbac;
CREATE ROLE bench_views;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name) SELECT 1, i, 'team', i, 'Team ' || i FROM generate_series(1, 40) AS i;
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, i, 'Member ' || i FROM generate_series(1, 401) AS i;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 900, 'Desk', '{customer.view, customer.view_phone@own}');
/* member 1 sees half of the teams' customers, and the phone numbers of their own */
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT 1, 1, 900, i FROM generate_series(1, 20) AS i;
CREATE TABLE customer (org_id bigint, id bigint, team_id bigint, owner_id bigint, name text, phone text, email text, balance numeric(14, 2), PRIMARY KEY (org_id, id));
INSERT INTO customer SELECT 1, i, 1 + i % 40, 1 + i % 400, 'Customer ' || i, '+49 151 ' || 1000000 + i, 'customer' || i || '@example.com', i % 10000 / 4.0
FROM generate_series(1, :rows) AS i;
CREATE INDEX ON customer (org_id, team_id);
CREATE INDEX ON customer (org_id, owner_id);
SELECT chat_rbac.protect('customer', '{"resource": "customer", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"owner_id": "$member"}}}') \g /dev/null
SELECT chat_rbac.create_view('customer', '{"view": "public.masked", "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}}') \g /dev/null
SELECT chat_rbac.create_view('customer', '{"view": "public.watched", "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}, "audited": true}') \g /dev/null
SELECT chat_rbac.audit_maintain() \g /dev/null
GRANT SELECT ON customer, masked, watched TO bench_views;
VACUUM (ANALYZE, FREEZE);

CREATE TABLE took (source text, turn integer, us double precision);

/* microseconds a query; all of its rows are fetched */
CREATE PROCEDURE turn(source text, turn integer, statement text, times integer) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	us double precision;
BEGIN
	PERFORM set_config('chat_rbac.identity', '1/1', false), set_config('role', 'bench_views', false);
	EXECUTE statement;
	began := clock_timestamp();
	FOR i IN 1 .. times LOOP
		EXECUTE statement;
	END LOOP;
	COMMIT;		/* which writes the events of the reads */
	us := extract(epoch FROM clock_timestamp() - began) * 1e6 / times;
	PERFORM set_config('role', 'none', false), set_config('chat_rbac.identity', '', false);
	INSERT INTO took VALUES (source, turn, us);
	COMMIT;
END
$$;

SELECT format('CALL turn(%L, %s, %L, 1000)', s.source, t, format('SELECT * FROM %I WHERE org_id = 1 AND id BETWEEN 5001 AND 5100', s.source))
FROM generate_series(1, :turns) AS t, (VALUES (1, 'customer'), (2, 'masked'), (3, 'watched')) AS s (n, source)
ORDER BY t, s.n \gexec

\pset footer off
SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY b.us)) AS "59 rows of the table, us", round(percentile_cont(0.5) WITHIN GROUP (ORDER BY m.us)) AS "masked view, us",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY m.us / b.us)::numeric, 2) AS "ratio (1.3)",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY w.us - m.us)) AS "recorded, us more (30)"
FROM took b JOIN took m USING (turn) JOIN took w USING (turn)
WHERE b.source = 'customer' AND m.source = 'masked' AND w.source = 'watched';

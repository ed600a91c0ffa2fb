/*
 * bench/audit.sql: what the audit trail costs a written row.
 *
 * The same INSERT and UPDATE run on twins of one table: "bare", without triggers;
 * "audited", with the trigger that writes the trail and without the guard;
 * "plpgsql", with one in plpgsql that writes both images of the row whole into a
 * table like the trail, partitioned and indexed as that is.  "copy" is INSERT …
 * SELECT of the events that the audited twin has just made, into another such
 * table.  A superuser writes, past all policies, as member 25.  Give psql
 * -v rows=… and turns=… .  They run in turns; a figure is the median of its
 * runs, a difference or ratio the median of those of one turn.
 */
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

CREATE EXTENSION chat_rbac;
CREATE SCHEMA bench_audit;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 25, 'Agent');
SELECT chat_rbac.audit_maintain() \g /dev/null

/* a conversation, and one with 48 kB that do not compress, which no statement changes */
CREATE TABLE bench_audit.bare (
	org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint, inbox_id bigint, assignee_id bigint, customer_id bigint NOT NULL,
	status text NOT NULL, priority int NOT NULL, channel text NOT NULL, subject text NOT NULL, preview text NOT NULL, labels text[] NOT NULL,
	unread int NOT NULL, snoozed_until timestamptz, first_reply_at timestamptz, closed_at timestamptz, last_message_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, attributes jsonb NOT NULL, body text, PRIMARY KEY (org_id, id)) WITH (fillfactor = 45);
ALTER TABLE bench_audit.bare ALTER body SET STORAGE EXTERNAL;
CREATE TABLE bench_audit.source AS
SELECT 1 AS org_id, i AS id, 3 + i % 2 AS team_id, 2000 + i % 20 AS inbox_id, 25 AS assignee_id, i AS customer_id, 'open' AS status, 1 AS priority, 'whatsapp' AS channel,
	'Conversation ' || i AS subject, 'Hello, this is message ' || i AS preview, '{new,vip}'::text[] AS labels, 0 AS unread, NULL::timestamptz AS snoozed_until, t AS first_reply_at,
	NULL::timestamptz AS closed_at, t AS last_message_at, t AS created_at, t AS updated_at, jsonb_build_object('language', 'en', 'source', 'ad', 'score', i) AS attributes, NULL::text AS body
FROM generate_series(1, :rows) AS i CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' - i * interval '1 minute' AS t) AS s;

CREATE PROCEDURE bench_audit.make_logs() LANGUAGE plpgsql AS $$
DECLARE
	name text;
	col text;
BEGIN
	FOREACH name IN ARRAY '{log,copy}'::text[] LOOP
		EXECUTE format('CREATE TABLE bench_audit.%I (LIKE chat_rbac.audit_event) PARTITION BY RANGE (at)', name);
		EXECUTE format('CREATE TABLE bench_audit.%I PARTITION OF bench_audit.%I FOR VALUES FROM (%L) TO (%L)', name || '_now', name, now() - interval '1 day', now() + interval '1 day');
		EXECUTE format('CREATE INDEX ON bench_audit.%I (xid)', name);
		EXECUTE format('CREATE INDEX ON bench_audit.%I (org_id, at)', name);
		EXECUTE format('CREATE INDEX ON bench_audit.%I (relation, row_key)', name);
	END LOOP;
	/* what only the trail has */
	FOREACH col IN ARRAY '{incarnation,command,depth,actions,unit_kinds,unit_keys,salt}'::text[] LOOP
		EXECUTE format('ALTER TABLE bench_audit.log ALTER %I DROP NOT NULL', col);
	END LOOP;
END $$;
CALL bench_audit.make_logs();
CREATE SEQUENCE bench_audit.event_id CACHE 32;
CREATE FUNCTION bench_audit.log() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
	INSERT INTO bench_audit.log (event_id, at, transaction_at, xid, org_id, actor_org_id, actor_id, relation, operation, table_name, row_key, old, new,
		db_role, session_role, request_id, reason, application_name, client_addr)
	VALUES (nextval('bench_audit.event_id'), clock_timestamp(), now(), pg_current_xact_id(), NEW.org_id, current_setting('app.org_id')::bigint, current_setting('app.member_id')::bigint,
		TG_RELID, lower(TG_OP), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, NEW.id::text, to_jsonb(OLD), to_jsonb(NEW),
		current_setting('role'), session_user, current_setting('app.request_id', true), current_setting('app.reason', true), current_setting('application_name'), inet_client_addr());
	RETURN NULL;
END $$;

/* a function each for the updates, one statement a row, whose plan is kept */
CREATE PROCEDURE bench_audit.make_twins() LANGUAGE plpgsql AS $$
DECLARE
	name text;
	trigger text;
BEGIN
	CREATE TABLE bench_audit.bare_48k (LIKE bench_audit.bare INCLUDING ALL) WITH (fillfactor = 45);
	FOREACH name IN ARRAY '{audited,plpgsql}'::text[] LOOP
		EXECUTE format('CREATE TABLE bench_audit.%I (LIKE bench_audit.bare INCLUDING ALL) WITH (fillfactor = 45)', name);
		EXECUTE format('CREATE TABLE bench_audit.%I (LIKE bench_audit.bare INCLUDING ALL) WITH (fillfactor = 45)', name || '_48k');
	END LOOP;
	FOREACH name IN ARRAY '{audited,audited_48k}'::text[] LOOP
		PERFORM chat_rbac.protect(format('bench_audit.%I', name)::regclass, '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
			"relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
			"actions": [
				{"on": "insert", "requires": "conversation.start"},
				{"on": "update", "column": "assignee_id", "from": null, "to": "$member", "requires": "conversation.claim"},
				{"on": "update", "column": "assignee_id", "requires": "conversation.assign"},
				{"on": "update", "column": "team_id", "requires": "conversation.transfer"},
				{"on": "update", "column": "status", "to": "closed", "requires": "conversation.close"},
				{"on": "update", "column": "status", "from": "closed", "requires": "conversation.reopen"},
				{"on": "update", "column": "labels", "requires": "conversation.label"},
				{"on": "update", "column": "updated_at", "requires": "any"},
				{"on": "update", "requires": "conversation.edit"},
				{"on": "delete", "requires": "conversation.delete"}]}');
		FOR trigger IN SELECT tgname FROM pg_trigger WHERE tgrelid = format('bench_audit.%I', name)::regclass AND NOT tgisinternal AND tgname NOT LIKE '00\_chat\_rbac\_audit%' LOOP
			EXECUTE format('DROP TRIGGER %I ON bench_audit.%I', trigger, name);
		END LOOP;
	END LOOP;
	CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON bench_audit.plpgsql FOR EACH ROW EXECUTE FUNCTION bench_audit.log();
	CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON bench_audit.plpgsql_48k FOR EACH ROW EXECUTE FUNCTION bench_audit.log();
	FOREACH name IN ARRAY '{bare,audited,plpgsql,bare_48k,audited_48k,plpgsql_48k}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION bench_audit.%I(n bigint, value text) RETURNS void LANGUAGE plpgsql AS $f$'
			' BEGIN FOR i IN 1..n LOOP UPDATE bench_audit.%I SET status = value, updated_at = now() WHERE org_id = 1 AND id = i; END LOOP; END $f$', 'update_' || name, name);
	END LOOP;
END $$;
CALL bench_audit.make_twins();

/* ---- turns ---- */

SET chat_rbac.identity = '1/25';
SET app.org_id = 1;
SET app.member_id = 25;
SET app.request_id = 'r-1';
SET chat_rbac.request_id = 'r-1';
CREATE TABLE bench_audit.events (LIKE chat_rbac.audit_event);
CREATE TABLE bench_audit.turn (what text, k int, n bigint, bare float8, audited float8, plpgsql float8, copy float8, audited_wal float8, plpgsql_wal float8);

/* milliseconds, and bytes of WAL, of a statement */
CREATE FUNCTION bench_audit.run(statement text, OUT ms float8, OUT wal float8) LANGUAGE plpgsql AS $$
DECLARE
	lsn pg_lsn := pg_current_wal_insert_lsn();
	began timestamptz := clock_timestamp();
BEGIN
	EXECUTE statement;
	ms := extract(epoch FROM clock_timestamp() - began) * 1000;
	wal := pg_current_wal_insert_lsn() - lsn;
END $$;

/* one turn: the statement on each of the twins, in another order each time; {} is the twin */
CREATE FUNCTION bench_audit.turn(what text, k int, n bigint, statement text, suffix text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text;
	names text[] := '{bare,audited,plpgsql}';
	ms jsonb := '{}';
	wal jsonb := '{}';
	measured record;
	since bigint;
	logged bigint;
BEGIN
	SELECT coalesce(max(event_id), 0) INTO since FROM chat_rbac.audit_event;
	SELECT count(*) INTO logged FROM bench_audit.log;
	FOR i IN 0..2 LOOP
		name := names[1 + (k + i) % 3];
		SELECT * INTO measured FROM bench_audit.run(replace(statement, '{}', name || suffix));
		ms := ms || jsonb_build_object(name, measured.ms);
		wal := wal || jsonb_build_object(name, measured.wal);
	END LOOP;
	TRUNCATE bench_audit.events, bench_audit.copy;
	INSERT INTO bench_audit.events SELECT * FROM chat_rbac.audit_event WHERE event_id > since;
	SELECT * INTO measured FROM bench_audit.run('INSERT INTO bench_audit.copy SELECT * FROM bench_audit.events');
	IF n <> (SELECT count(*) FROM bench_audit.copy WHERE actor_id = 25) OR n <> (SELECT count(*) FROM bench_audit.log) - logged THEN
		RAISE EXCEPTION '%: not every row was recorded', what;	-- the comparison would mean nothing
	END IF;
	IF k > 0 THEN	-- the first turn warms up
		INSERT INTO bench_audit.turn VALUES (what, k, n, (ms ->> 'bare')::float8, (ms ->> 'audited')::float8, (ms ->> 'plpgsql')::float8, measured.ms,
			(wal ->> 'audited')::float8 - (wal ->> 'bare')::float8, (wal ->> 'plpgsql')::float8 - (wal ->> 'bare')::float8);
	END IF;
END $$;

/* between the turns what they have recorded goes, and the dead rows; what is set alternates, so that each turn changes all rows */
CREATE FUNCTION bench_audit.script(what text, n bigint, statement text, suffix text, before text, turns int) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT s.statement FROM generate_series(0, turns) AS k
	CROSS JOIN LATERAL (VALUES
		(1, before),
		(2, 'TRUNCATE chat_rbac.audit_event, bench_audit.log'),
		(3, format('SELECT bench_audit.turn(%L, %s, %s, %L, %L)', what, k, n, replace(statement, '{value}', CASE WHEN k % 2 = 0 THEN 'closed' ELSE 'open' END), suffix)),
		(4, 'VACUUM bench_audit.bare, bench_audit.audited, bench_audit.plpgsql, bench_audit.bare_48k, bench_audit.audited_48k, bench_audit.plpgsql_48k, chat_rbac.audit_event, bench_audit.log')) AS s (step, statement)
	WHERE s.statement IS NOT NULL
	ORDER BY k, step;
$$;

\o /dev/null
SELECT bench_audit.script('bulk INSERT', :rows, 'INSERT INTO bench_audit.{} SELECT * FROM bench_audit.source', '', 'TRUNCATE bench_audit.bare, bench_audit.audited, bench_audit.plpgsql', :turns) \gexec
SELECT bench_audit.script('single-row UPDATE', :rows, format('SELECT bench_audit.update_{}(%s, ''{value}'')', :rows), '', NULL, :turns) \gexec
SELECT :rows / 50 AS large \gset
INSERT INTO bench_audit.bare_48k SELECT * FROM bench_audit.source WHERE id <= :large;
UPDATE bench_audit.bare_48k SET body = (SELECT string_agg(md5(id::text || i), '') FROM generate_series(1, 1536) AS i);
SET session_replication_role = replica;
ALTER TABLE bench_audit.audited_48k DISABLE TRIGGER "00_chat_rbac_audit";
INSERT INTO bench_audit.audited_48k SELECT * FROM bench_audit.bare_48k;
ALTER TABLE bench_audit.audited_48k ENABLE ALWAYS TRIGGER "00_chat_rbac_audit";
INSERT INTO bench_audit.plpgsql_48k SELECT * FROM bench_audit.bare_48k;
RESET session_replication_role;
VACUUM (ANALYZE, FREEZE);
SELECT bench_audit.script('UPDATE beside 48 kB', :large, format('SELECT bench_audit.update_{}(%s, ''{value}'')', :large), '_48k', NULL, :turns) \gexec
\o

\pset border 2
\pset footer off
\echo Audit: microseconds a row, by :rows rows (:large beside 48 kB); over: more than without a trigger
WITH median AS (
	SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY bare * 1000 / n) AS bare,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY (audited - bare) * 1000 / n) AS audit,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY (plpgsql - bare) * 1000 / n) AS plpgsql,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY (audited - bare) / (plpgsql - bare)) AS plpgsql_ratio,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY copy * 1000 / n) AS copy,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY (audited - bare) / copy) AS copy_ratio,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY audited_wal / n) AS audit_wal, percentile_cont(0.5) WITHIN GROUP (ORDER BY plpgsql_wal / n) AS plpgsql_wal
	FROM bench_audit.turn GROUP BY what)
SELECT what AS "statement", round(bare::numeric, 2) AS "bare", round(audit::numeric, 2) AS "audit over", '5.00' AS "at most", round(plpgsql::numeric, 2) AS "plpgsql over",
	round(plpgsql_ratio::numeric, 3) AS "audit to it", CASE WHEN what LIKE '%48 kB' THEN '0.020' ELSE '0.400' END AS "at most ", round(copy::numeric, 2) AS "INSERT SELECT", round(copy_ratio::numeric, 2) AS "audit to it ",
	round(audit_wal) AS "audit WAL, bytes", round(plpgsql_wal) AS "plpgsql WAL, bytes"
FROM median ORDER BY what LIKE '%48 kB', what;

/*
 * bench/actions.sql: what the guard costs a written row, and the questions that
 * an application asks.
 *
 * The same UPDATE runs on twins of one table of 100 k rows: "guarded", under
 * protect() but without its audit trail, which audit.sql measures; "free", with
 * the same policies and no trigger; "bare", without policies; "least", as "free"
 * with a BEFORE trigger in C that PostgreSQL has and that does next to nothing;
 * "plpgsql" and "arrays", as "free" with one in plpgsql that does what the guard
 * does.  plpgsql looks the member's permissions up in an indexed table; arrays
 * finds them in settings that the application filled at login.  Give psql
 * -v rows=… and turns=… .  They run in turns; a figure is the median of its runs,
 * a difference or ratio the median of those of one turn.
 */
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

CREATE EXTENSION chat_rbac;
CREATE ROLE bench_actions_app;
GRANT SET ON PARAMETER chat_rbac.identity TO bench_actions_app;
CREATE SCHEMA bench_actions;
GRANT USAGE ON SCHEMA bench_actions TO bench_actions_app;

/* one department of 10 teams; member 25 is an agent in two of them, 902 supervises these, 903 the department */
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 900, 'department', 'Department');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) SELECT 1, t, 'team', 900, 'Team ' || t FROM generate_series(1, 10) AS t;
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 25, 'Agent'), (1, 902, 'Supervisor'), (1, 903, 'Manager');
SELECT chat_rbac.grant_role('acme', m, r, u)
FROM (VALUES ('Agent', 'Agent', 'Team 3'), ('Agent', 'Agent', 'Team 4'), ('Supervisor', 'Supervisor', 'Team 3'), ('Supervisor', 'Supervisor', 'Team 4'),
	('Manager', 'Manager', 'Department')) AS g (m, r, u) \g /dev/null

/* all of the rows are in teams 3 and 4 and belong to member 25, so that each of the three writes all of them */
CREATE TABLE bench_actions.guarded (
	org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint, inbox_id bigint, assignee_id bigint, customer_id bigint NOT NULL,
	status text NOT NULL, priority int NOT NULL, channel text NOT NULL, subject text NOT NULL, preview text NOT NULL, labels text[] NOT NULL,
	unread int NOT NULL, snoozed_until timestamptz, first_reply_at timestamptz, closed_at timestamptz, last_message_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, attributes jsonb NOT NULL, PRIMARY KEY (org_id, id)) WITH (fillfactor = 45);
CREATE INDEX ON bench_actions.guarded (org_id, assignee_id);		-- which stays the same, so that every update is a HOT one
INSERT INTO bench_actions.guarded
SELECT 1, i, 3 + i % 2, 2000 + i % 20, 25, i, 'open', 1, 'whatsapp', 'Conversation ' || i, 'Hello, this is message ' || i, '{new,vip}',
	0, NULL, t, NULL, t, t, t, jsonb_build_object('language', 'en', 'source', 'ad', 'score', i)
FROM generate_series(1, :rows) AS i CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' - i * interval '1 minute' AS t) AS s;
CREATE TABLE bench_actions.spec AS SELECT '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
	"relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
	"actions": [
		{"on": "insert", "requires": "conversation.start"},
		{"on": "update", "column": "id", "requires": null},
		{"on": "update", "column": "assignee_id", "from": null, "to": "$member", "requires": "conversation.claim"},
		{"on": "update", "column": "assignee_id", "requires": "conversation.assign"},
		{"on": "update", "column": "team_id", "requires": "conversation.transfer"},
		{"on": "update", "column": "inbox_id", "requires": "conversation.transfer"},
		{"on": "update", "column": "status", "to": "closed", "requires": "conversation.close"},
		{"on": "update", "column": "status", "to": "snoozed", "requires": "conversation.snooze"},
		{"on": "update", "column": "status", "from": "closed", "requires": "conversation.reopen"},
		{"on": "update", "column": "labels", "requires": "conversation.label"},
		{"on": "update", "column": "priority", "requires": "conversation.prioritise"},
		{"on": "update", "column": "updated_at", "requires": "any"},
		{"on": "update", "requires": "conversation.edit"},
		{"on": "delete", "requires": "conversation.delete"}]}'::jsonb AS spec;

CREATE PROCEDURE bench_actions.make_twins() LANGUAGE plpgsql AS $$
DECLARE
	name text;
	trigger text;
	policy text;
BEGIN
	PERFORM chat_rbac.protect('bench_actions.guarded', spec) FROM bench_actions.spec;
	DROP TRIGGER "00_chat_rbac_audit" ON bench_actions.guarded;
	FOREACH name IN ARRAY '{free,bare,least,plpgsql,arrays}'::text[] LOOP
		EXECUTE format('CREATE TABLE bench_actions.%I (LIKE bench_actions.guarded INCLUDING ALL) WITH (fillfactor = 45)', name);
		EXECUTE format('INSERT INTO bench_actions.%I SELECT * FROM bench_actions.guarded', name);
		IF name <> 'bare' THEN
			PERFORM chat_rbac.protect(format('bench_actions.%I', name)::regclass, spec) FROM bench_actions.spec;
			/* the policies ask whether the guard approved of the row: here there is none */
			FOR trigger IN SELECT tgname FROM pg_trigger WHERE tgrelid = format('bench_actions.%I', name)::regclass AND NOT tgisinternal LOOP
				EXECUTE format('DROP TRIGGER %I ON bench_actions.%I', trigger, name);
			END LOOP;
			FOR policy IN SELECT polname FROM pg_policy
				WHERE polrelid = format('bench_actions.%I', name)::regclass AND polpermissive AND polwithcheck IS NOT NULL LOOP
				EXECUTE format('ALTER POLICY %I ON bench_actions.%I WITH CHECK (true)', policy, name);
			END LOOP;
		END IF;
	END LOOP;
END $$;
CALL bench_actions.make_twins();

/* ---- the same by hand ---- */

/* what everybody may do, made flat: by relation and unit, with the units below it; NULL: all */
CREATE TABLE bench_actions.allowed (org_id bigint, member_id bigint, permission text, relation text, team_ids bigint[],
	PRIMARY KEY (org_id, member_id, permission, relation));
INSERT INTO bench_actions.allowed
SELECT 1, p.member_id, p.permission, p.relation, p.team_ids FROM (
	SELECT member_id, split_part(permission, '@', 1), coalesce(nullif(split_part(permission, '@', 2), ''), 'all'), team_ids
	FROM (VALUES
		(25, '{conversation.claim@unassigned,conversation.edit@own,conversation.transfer@own,conversation.assign@own,conversation.close@own,
			conversation.reopen@own,conversation.snooze@own,conversation.label@own}'::text[], '{3,4}'::bigint[]),
		(902, '{conversation.edit,conversation.claim,conversation.assign,conversation.transfer,conversation.close,conversation.reopen,
			conversation.snooze,conversation.label,conversation.prioritise}', '{3,4}'),
		(903, '{conversation.edit,conversation.claim,conversation.assign,conversation.transfer,conversation.close,conversation.reopen,
			conversation.snooze,conversation.label,conversation.prioritise,conversation.delete}', '{1,2,3,4,5,6,7,8,9,10}')
	) AS v (member_id, permissions, team_ids), unnest(permissions) AS permission
) AS p (member_id, permission, relation, team_ids);

/* which permissions a change needs is the same in both triggers; {how} holds what differs */
CREATE PROCEDURE bench_actions.make_trigger(name text, declare_part text, holds text) LANGUAGE plpgsql AS $make$
BEGIN
	EXECUTE format($sql$
CREATE FUNCTION bench_actions.%1$I() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
	me bigint := current_setting('app.member_id')::bigint;
	org bigint := current_setting('app.org_id')::bigint;
	needed text[] := '{}';
	need text;
	touched boolean := false;%2$s
BEGIN
	IF OLD.org_id IS DISTINCT FROM org OR NEW.org_id IS DISTINCT FROM org THEN
		RAISE EXCEPTION 'not of your org' USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NEW.id IS DISTINCT FROM OLD.id THEN
		RAISE EXCEPTION 'column "id" cannot be changed' USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF NEW.assignee_id IS DISTINCT FROM OLD.assignee_id THEN
		IF OLD.assignee_id IS NULL AND NEW.assignee_id = me THEN
			needed := needed || 'conversation.claim'::text;
		ELSE
			needed := needed || 'conversation.assign'::text;
		END IF;
	END IF;
	IF NEW.team_id IS DISTINCT FROM OLD.team_id OR NEW.inbox_id IS DISTINCT FROM OLD.inbox_id THEN
		needed := needed || 'conversation.transfer'::text;
	END IF;
	IF NEW.status IS DISTINCT FROM OLD.status THEN
		needed := needed || CASE
			WHEN NEW.status = 'closed' THEN 'conversation.close'
			WHEN NEW.status = 'snoozed' THEN 'conversation.snooze'
			WHEN OLD.status = 'closed' THEN 'conversation.reopen'
			ELSE 'conversation.edit' END;
	END IF;
	IF NEW.labels IS DISTINCT FROM OLD.labels THEN
		needed := needed || 'conversation.label'::text;
	END IF;
	IF NEW.priority IS DISTINCT FROM OLD.priority THEN
		needed := needed || 'conversation.prioritise'::text;
	END IF;
	IF (NEW.customer_id, NEW.channel, NEW.subject, NEW.preview, NEW.unread, NEW.snoozed_until, NEW.first_reply_at, NEW.closed_at,
		NEW.last_message_at, NEW.created_at, NEW.attributes) IS DISTINCT FROM
		(OLD.customer_id, OLD.channel, OLD.subject, OLD.preview, OLD.unread, OLD.snoozed_until, OLD.first_reply_at, OLD.closed_at,
		OLD.last_message_at, OLD.created_at, OLD.attributes) THEN
		needed := needed || 'conversation.edit'::text;
	END IF;
	FOREACH need IN ARRAY needed LOOP
		IF NOT %3$s THEN
			RAISE EXCEPTION 'permission %% is needed', need USING ERRCODE = 'insufficient_privilege';
		END IF;
	END LOOP;
	RETURN NEW;
END $body$;
CREATE TRIGGER guard BEFORE UPDATE ON bench_actions.%1$I FOR EACH ROW EXECUTE FUNCTION bench_actions.%1$I();
	$sql$, name, declare_part, holds);
END $make$;
CALL bench_actions.make_trigger('plpgsql', '', $$EXISTS (SELECT FROM bench_actions.allowed a
			WHERE a.org_id = org AND a.member_id = me AND a.permission = need
				AND (a.relation = 'all' OR (a.relation = 'own' AND OLD.assignee_id = me) OR (a.relation = 'unassigned' AND OLD.assignee_id IS NULL))
				AND (a.team_ids IS NULL OR OLD.team_id = ANY (a.team_ids)))$$);
CALL bench_actions.make_trigger('arrays', $$
	teams bigint[] := current_setting('app.team_ids')::bigint[];
	all_rows text[] := current_setting('app.all')::text[];
	own_rows text[] := current_setting('app.own')::text[];
	queue_rows text[] := current_setting('app.unassigned')::text[];$$,
	$$(OLD.team_id = ANY (teams) AND (need = ANY (all_rows) OR (OLD.assignee_id = me AND need = ANY (own_rows))
			OR (OLD.assignee_id IS NULL AND need = ANY (queue_rows))))$$);
CREATE TRIGGER least BEFORE UPDATE ON bench_actions.least FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
GRANT SELECT ON bench_actions.allowed TO bench_actions_app;
GRANT SELECT, UPDATE ON bench_actions.guarded, bench_actions.free, bench_actions.bare, bench_actions.least, bench_actions.plpgsql, bench_actions.arrays TO bench_actions_app;
VACUUM (ANALYZE, FREEZE);

/* ---- turns ---- */

CREATE TABLE bench_actions.turn (what text, k int, guarded float8, free float8, bare float8, least float8, plpgsql float8, arrays float8);

CREATE FUNCTION bench_actions.become(member bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF member IS NULL THEN
		PERFORM set_config('role', 'none', false), set_config('chat_rbac.identity', '', false);
		RETURN;
	END IF;
	PERFORM set_config('app.org_id', '1', false), set_config('app.member_id', member::text, false),
		set_config('app.team_ids', coalesce((SELECT max(team_ids) FROM bench_actions.allowed WHERE member_id = member), '{}')::text, false),
		set_config('app.' || r, ARRAY(SELECT permission FROM bench_actions.allowed WHERE member_id = member AND relation = r)::text, false)
	FROM unnest('{all,own,unassigned}'::text[]) AS r;
	PERFORM set_config('chat_rbac.identity', '1/' || member, false), set_config('role', 'bench_actions_app', false);
END $$;

/* what is not held is refused by the guard and by both triggers; nothing else may differ */
CREATE PROCEDURE bench_actions.check_twins() LANGUAGE plpgsql AS $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{guarded,plpgsql,arrays}'::text[] LOOP
		BEGIN
			PERFORM bench_actions.become(25);
			EXECUTE format('UPDATE bench_actions.%I SET status = ''closed'', priority = 9 WHERE id = 1', name);
			RAISE EXCEPTION '%: an agent has set a priority', name;
		EXCEPTION WHEN insufficient_privilege THEN
			PERFORM bench_actions.become(NULL);
		END;
	END LOOP;
END $$;
CALL bench_actions.check_twins();

/* one turn: the assignments on each of the twins, in another order each time; milliseconds */
CREATE FUNCTION bench_actions.turn(what text, member bigint, k int, assignments text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text;
	names text[] := '{guarded,free,least,bare,plpgsql,arrays}';
	ms jsonb := '{}';
	began timestamptz;
	n bigint;
BEGIN
	FOR i IN 0..5 LOOP
		name := names[1 + (k + i) % 6];
		PERFORM bench_actions.become(member);
		began := clock_timestamp();
		EXECUTE format('UPDATE bench_actions.%I SET %s', name, assignments);
		GET DIAGNOSTICS n = ROW_COUNT;
		ms := ms || jsonb_build_object(name, extract(epoch FROM clock_timestamp() - began) * 1000);
		PERFORM bench_actions.become(NULL);
		IF n <> (SELECT count(*) FROM bench_actions.bare) THEN
			RAISE EXCEPTION '%: % rows of %', what, n, name;	-- the comparison would mean nothing
		END IF;
	END LOOP;
	IF k > 0 THEN	-- the first turn warms up
		INSERT INTO bench_actions.turn SELECT turn.what, turn.k, t.guarded, t.free, t.bare, t.least, t.plpgsql, t.arrays
		FROM jsonb_populate_record(NULL::bench_actions.turn, ms) AS t;
	END IF;
END $$;

/* between the turns the dead rows go; what is set alternates, so that each turn changes all rows */
CREATE FUNCTION bench_actions.script(what text, member bigint, one text, other text, turns int) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT statement FROM generate_series(0, turns) AS k
	CROSS JOIN LATERAL (VALUES
		(1, format('SELECT bench_actions.turn(%L, %s, %s, %L)', what, member, k, CASE WHEN k % 2 = 0 THEN one ELSE other END)),
		(2, 'VACUUM bench_actions.guarded, bench_actions.free, bench_actions.bare, bench_actions.least, bench_actions.plpgsql, bench_actions.arrays')) AS s (n, statement)
	ORDER BY k, n;
$$;

\o /dev/null
SELECT bench_actions.script('agent: status, updated_at', 25, 'status = ''closed'', updated_at = now()', 'status = ''open'', updated_at = now()', :turns) \gexec
SELECT bench_actions.script('supervisor of 2 teams: status, updated_at', 902, 'status = ''closed'', updated_at = now()', 'status = ''open'', updated_at = now()', :turns) \gexec
SELECT bench_actions.script('supervisor: priority', 902, 'priority = 2', 'priority = 1', :turns) \gexec
SELECT bench_actions.script('supervisor: status, priority, labels, subject', 902, 'status = ''snoozed'', priority = 2, labels = ''{old}'', subject = ''a''',
	'status = ''open'', priority = 1, labels = ''{new}'', subject = ''b''', :turns) \gexec
SELECT bench_actions.script('manager of 10 teams: team', 903, 'team_id = 7 - team_id', 'team_id = 7 - team_id', :turns) \gexec
\o

\pset border 2
\pset footer off
\echo Guard: microseconds a row, by UPDATE of :rows rows; over: more than with the same policies and no trigger
WITH us AS (
	SELECT what, guarded / n AS guarded, free / n AS free, bare / n AS bare, least / n AS least, plpgsql / n AS plpgsql, arrays / n AS arrays
	FROM bench_actions.turn, (VALUES (:rows / 1000.0::float8)) AS r (n)),
median AS (
	SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY bare) AS bare, percentile_cont(0.5) WITHIN GROUP (ORDER BY free) AS free,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY guarded) AS guarded,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY guarded - free) AS guard, percentile_cont(0.5) WITHIN GROUP (ORDER BY least - free) AS least, percentile_cont(0.5) WITHIN GROUP (ORDER BY plpgsql - free) AS plpgsql,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY arrays - free) AS arrays,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY (guarded - free) / (plpgsql - free)) AS plpgsql_ratio,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY (guarded - free) / (arrays - free)) AS arrays_ratio,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY guarded - bare) AS all_of_it
	FROM us GROUP BY what)
SELECT what AS "update", round(bare::numeric, 2) AS "bare", round(free::numeric, 2) AS "free", round(guarded::numeric, 2) AS "guarded",
	round(guard::numeric, 2) AS "guard over", '1.50' AS "at most", round(least::numeric, 2) AS "least trigger over", round(plpgsql::numeric, 2) AS "plpgsql over", round(plpgsql_ratio::numeric, 2) AS "guard to it",
	'0.33' AS "at most ", round(arrays::numeric, 2) AS "arrays over", round(arrays_ratio::numeric, 2) AS "guard to it ", round(all_of_it::numeric, 2) AS "policies and guard"
FROM median ORDER BY what;

/* ---- questions ---- */

CREATE TABLE bench_actions.question (n int GENERATED ALWAYS AS IDENTITY, what text, asked text, calls float8, ms float8);
\set calls 200000
\set statements 5000

/* in one statement; and a prepared statement each */
CREATE FUNCTION bench_actions.ask(what text, member bigint, expression text, n int, statements int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	ms float8[];
	yes bigint;
BEGIN
	PERFORM bench_actions.become(member);
	FOR i IN 0..5 LOOP
		began := clock_timestamp();
		/* as a WHERE clause it would be asked once, not for each row */
		EXECUTE format('SELECT count(*) FILTER (WHERE %s) FROM generate_series(1, %s) AS i', replace(expression, '$1', 'i'), n) INTO yes;
		ms[i] := extract(epoch FROM clock_timestamp() - began) * 1000;
	END LOOP;
	IF yes <> n THEN
		RAISE EXCEPTION '%: % of % are answered by yes', what, yes, n;
	END IF;
	PERFORM bench_actions.become(NULL);
	INSERT INTO bench_actions.question (what, asked, calls, ms) SELECT what, 'in one statement', n, percentile_cont(0.5) WITHIN GROUP (ORDER BY m) FROM unnest(ms[1:]) AS m;

	EXECUTE format('PREPARE question (int) AS SELECT %s', expression);
	PERFORM bench_actions.become(member);
	FOR i IN 0..5 LOOP
		began := clock_timestamp();
		FOR id IN 1..statements LOOP
			EXECUTE format('EXECUTE question (%s)', id);
		END LOOP;
		ms[i] := extract(epoch FROM clock_timestamp() - began) * 1000;
	END LOOP;
	PERFORM bench_actions.become(NULL);
	DEALLOCATE question;
	INSERT INTO bench_actions.question (what, asked, calls, ms) SELECT what, 'a statement each', statements, percentile_cont(0.5) WITHIN GROUP (ORDER BY m) FROM unnest(ms[1:]) AS m;
END $$;

CREATE FUNCTION bench_actions.page(what text, member bigint, query text, runs int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	ms float8[];
	n bigint;
BEGIN
	PERFORM bench_actions.become(member);
	EXECUTE format('SELECT count(*) FROM (%s) AS q', query) INTO n;
	IF n <> 50 THEN
		RAISE EXCEPTION '%: % rows', what, n;
	END IF;
	EXECUTE 'PREPARE page AS ' || query;
	FOR i IN 0..5 LOOP
		began := clock_timestamp();
		FOR j IN 1..runs LOOP
			EXECUTE 'EXECUTE page';
		END LOOP;
		ms[i] := extract(epoch FROM clock_timestamp() - began) * 1000;
	END LOOP;
	DEALLOCATE page;
	PERFORM bench_actions.become(NULL);
	INSERT INTO bench_actions.question (what, asked, calls, ms) SELECT what, 'a statement each', runs, percentile_cont(0.5) WITHIN GROUP (ORDER BY m) FROM unnest(ms[1:]) AS m;
END $$;

\o /dev/null
SELECT bench_actions.ask('can(permission), agent', 25, 'chat_rbac.can(''conversation.close'') AND $1 > 0', :calls, :statements);
SELECT bench_actions.ask('can(permission, table, id), agent', 25, format('chat_rbac.can(''conversation.close'', ''bench_actions.guarded'', $1 %% %s + 1)', :rows), :statements, :statements);
SELECT bench_actions.ask('can(permission, table, id), supervisor', 902, format('chat_rbac.can(''conversation.close'', ''bench_actions.guarded'', $1 %% %s + 1)', :rows), :statements, :statements);
SELECT bench_actions.ask('actions(table, id), agent', 25, format('chat_rbac.actions(''bench_actions.guarded'', $1 %% %s + 1) IS NOT NULL', :rows), :statements, :statements);
\set page 'SELECT id, subject, status FROM bench_actions.guarded WHERE team_id = 3 ORDER BY id DESC LIMIT 50'
SELECT bench_actions.page('a page of 50 rows, no actions, agent', 25, :'page', 200);
SELECT bench_actions.page('page_actions of 50 ids, agent', 25,
	'SELECT * FROM chat_rbac.page_actions(''bench_actions.guarded'', ARRAY(SELECT i * 100 FROM generate_series(1, 50) AS i))', 200);
SELECT bench_actions.page('page_actions of 50 ids, supervisor', 902,
	'SELECT * FROM chat_rbac.page_actions(''bench_actions.guarded'', ARRAY(SELECT i * 100 FROM generate_series(1, 50) AS i))', 200);
SELECT bench_actions.page('a page of 50 rows with actions, agent', 25, format('WITH p AS MATERIALIZED (%s) SELECT p.*, a.actions FROM p'
	' JOIN chat_rbac.page_actions(''bench_actions.guarded'', ARRAY(SELECT id FROM p)) AS a USING (id) ORDER BY id DESC', :'page'), 200);
\o

\echo Questions
SELECT what AS "question", asked AS "asked", round((calls / ms * 1000)::numeric) AS "calls a second", round((ms / calls)::numeric, 4) AS "ms a call"
FROM bench_actions.question ORDER BY n;

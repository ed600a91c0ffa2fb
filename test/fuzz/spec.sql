-- Mutated specifications, see scripts/fuzz-spec.sh, which loads the demo and sets what
-- stands here as :variable.
--
-- What must hold: protect() and create_view() take a specification, or refuse it with
-- one of a few SQLSTATEs.  What they have refused has changed nothing.  What they have
-- taken protects: whoever asks sees no row of another org and gets no error but a
-- refusal; the same call again changes nothing; and the table's own specification puts
-- it back to the last policy, trigger and privilege.

\set VERBOSITY terse
SET client_min_messages = error;
SET log_min_messages = fatal;
SET log_min_error_statement = panic;

CREATE ROLE regress_chat_rbac_fuzz_bi LOGIN;
CREATE ROLE regress_chat_rbac_fuzz_reader NOLOGIN;
GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_fuzz_bi, regress_chat_rbac_fuzz_reader;
GRANT CREATE ON SCHEMA inbox TO regress_chat_rbac_fuzz_reader;
GRANT regress_chat_rbac_fuzz_reader TO inbox_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protected_view TO inbox_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_view, chat_rbac.drop_view TO inbox_owner;

-- A table of each kind of column that a literal may be compared with.
SET ROLE inbox_owner;
CREATE TYPE inbox.mood AS ENUM ('good', 'bad');
CREATE DOMAIN inbox.grade AS int CHECK (VALUE BETWEEN 1 AND 6);
CREATE TABLE inbox."Odd ""one""" (
	org_id bigint NOT NULL, id int, "team" int, "the 'owner'" bigint, mood inbox.mood, grade inbox.grade, code char(3), short varchar(5), flag boolean, day date,
	at timestamptz, tags text[], doc json, docb jsonb, spot point, price numeric(6, 2), bits bit(3), bin bytea, raw uuid, span int4range, num real,
	twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (org_id, id));
CREATE INDEX ON inbox."Odd ""one""" (org_id, team);
RESET ROLE;
INSERT INTO inbox."Odd ""one""" SELECT o, i, 3 + i % 3, 6 + i % 2, 'good', 1 + i % 6, 'abc', 'abc', i % 2 = 0, '2026-01-01', '2026-01-01', '{a}', '{}', '{}', '(0,0)', 1.5, '101', '\x00', NULL, '[1,2)', 1.5
FROM generate_series(1, 2) AS o, generate_series(1, 12) AS i;
INSERT INTO chat_rbac.known_permission (name, description)
SELECT ('odd.' || a)::chat_rbac.permission, 'fuzz' FROM unnest('{view,create,edit,delete,see}'::text[]) AS a ON CONFLICT DO NOTHING;
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.|) '{odd.view@own,odd.edit@own,odd.create}' WHERE name = 'Agent';
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.|) '{odd.*}' WHERE name = 'Supervisor';

CREATE SCHEMA fuzz;
SET search_path = fuzz, pg_catalog;
GRANT USAGE ON SCHEMA fuzz TO PUBLIC;
CREATE TABLE canary (alive boolean);
ALTER TABLE canary OWNER TO inbox_owner;

CREATE TABLE good (n int GENERATED ALWAYS AS IDENTITY, relation regclass, is_view boolean DEFAULT false, spec jsonb);
INSERT INTO good (relation, spec) SELECT p.relation, p.spec FROM chat_rbac.protection p;
INSERT INTO good (relation, spec) VALUES ('inbox."Odd ""one"""', '{"resource": "odd", "org": "org_id", "units": {"team": "team"}, "view": "odd.see",
	"relations": {"own": {"the ''owner''": "$member"}, "colleague": {"the ''owner''": "$members"}, "none": {"team": null, "flag": true}, "good": {"mood": "good", "code": "abc"},
		"graded": {"grade": 3, "price": 1.5, "num": 1.5, "short": "abc"}, "dated": {"day": "2026-01-01", "at": "2026-01-01", "tags": "{a}"}, "bits": {"bits": "101", "bin": "\\x00"},
		"other": {"docb": "{}", "span": "[1,2)"}},
	"audit": {"exclude": ["doc"], "digest": ["docb", "spot"]},
	"work": {"the ''owner''": {"flag": true, "mood": ["good", null]}},
	"actions": [{"on": "insert", "requires": "odd.create"}, {"on": "update", "column": "mood", "from": "good", "to": "bad", "requires": "odd.edit", "into": "odd.view"},
		{"on": "update", "column": "the ''owner''", "from": null, "to": "$member", "requires": "odd.edit"}, {"on": "update", "column": "price", "to": 2, "requires": null},
		{"on": "update", "requires": "odd.edit"}, {"on": "delete", "requires": "odd.delete"}]}');
INSERT INTO good (relation, is_view, spec) VALUES
	('inbox.customer', true, '{"view": "inbox.card", "columns": ["id", "name", "phone", "email", "balance"], "grant": ["regress_chat_rbac_fuzz_bi", "inbox_report"],
		"masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}, "email": {"with": "email", "lifted_by": "customer.view_phone"}, "balance": {"with": "amount", "lifted_by": "customer.view_finance"}}}'),
	('inbox.customer', true, '{"view": "inbox.audited", "audited": true, "grant": ["regress_chat_rbac_fuzz_bi"], "masks": {"name": {"with": "name", "lifted_by": "customer.view_phone"}}}'),
	('inbox.customer', true, '{"view": "inbox.list", "reader": "regress_chat_rbac_fuzz_reader", "columns": ["id", "phone"], "grant": ["regress_chat_rbac_fuzz_bi"],
		"masks": {"phone": {"with": "full", "lifted_by": "customer.view_phone"}}}'),
	('inbox.message', true, '{"view": "inbox.bodies", "grant": ["regress_chat_rbac_fuzz_bi"], "masks": {"body": {"with": "full", "lifted_by": "message.view"}}}'),
	('inbox."Odd ""one"""', true, '{"view": "inbox.\"Odd view\"", "grant": ["regress_chat_rbac_fuzz_bi"], "masks": {"spot": {"with": "full", "lifted_by": "odd.see"}, "raw": {"with": "full", "lifted_by": "odd.see"}}}');

-- What a value is changed to, and what keys are.
CREATE TABLE snippet (n int GENERATED ALWAYS AS IDENTITY, value jsonb);
INSERT INTO snippet (value) SELECT v::jsonb FROM (VALUES
	('null'), ('true'), ('false'), ('0'), ('-1'), ('3'), ('1e400'), ('99999999999999999999'), ('1.5'), ('""'), ('" "'), ('"*"'), ('"all"'), ('"any"'), ('"own"'), ('"$member"'), ('"$members"'), ('"$"'), ('"$$"'),
	('[]'), ('{}'), ('[[]]'), ('[null]'), ('{"": null}'), ('"insert"'), ('"update"'), ('"delete"'), ('"select"'), ('"truncate"'), ('"UPDATE"'),
	('"\"; DROP TABLE fuzz.canary; --"'), ('"''; DROP TABLE fuzz.canary; --"'), ('"''); DROP TABLE fuzz.canary; --"'), ('"$$; DROP TABLE fuzz.canary; --"'), ('"%s"'), ('"%I %L %1$s"'), ('"\\"'), ('"\\''"'), ('"a\nb"'), ('"\u00e9\ud83d\ude00"'),
	('"ctid"'), ('"xmin"'), ('"tableoid"'), ('"oid"'), ('"........pg.dropped.1........"'), ('"x.y.z"'), ('"a.b.c.d"'), ('".."'), ('"inbox."'), ('"\"inbox\".\"customer\""'), ('"inbox.customer.x"'), ('"postgres.inbox.customer"'),
	('"pg_class"'), ('"pg_catalog.pg_class"'), ('"chat_rbac.role"'), ('"chat_rbac.audit_event"'), ('"fuzz.canary"'), ('"inbox.person"'), ('"inbox.report_waiting"'), ('"inbox.conversation"'), ('"inbox.participant"'), ('"inbox.customer"'), ('"inbox.message"'),
	('"inbox.\"Odd \"\"one\"\"\""'), ('"pg_temp.x"'), ('"pg_toast.x"'), ('"1259"'), ('"inbox.new_view"'), ('"inbox.card"'), ('"inbox.unit"'), ('"public.v"'), ('"pg_temp.v"'), ('"nowhere.v"'),
	('"conversation.*"'), ('"*.*"'), ('"conversation.view@own"'), ('"conversation.view"'), ('"customer.view_phone"'), ('"customer.delete"'), ('"odd.edit"'), ('"Conversation.View"'), ('"no.such"'),
	('"inbox_owner"'), ('"inbox_report"'), ('"inbox_app"'), ('"postgres"'), ('"public"'), ('"PUBLIC"'), ('"pg_read_all_data"'), ('"regress_chat_rbac_fuzz_bi"'), ('"regress_chat_rbac_fuzz_reader"'),
	('"phone"'), ('"full"'), ('"amount"'), ('"email"'), ('"name"'), ('"infinity"'), ('"now"'), ('"{}"'), ('"{1,2"'), ('"2026-02-30"'), ('"NaN"'), ('"1"'), ('"t"')) AS v (v);
INSERT INTO snippet (value) SELECT to_jsonb(repeat(s, n)) FROM unnest('{a,é,"\"",'' ''}'::text[]) AS s, unnest('{63,64,200,70000}'::int[]) AS n;
INSERT INTO snippet (value) SELECT (repeat('[', 300) || repeat(']', 300))::jsonb UNION ALL SELECT (repeat('{"table":', 300) || '"inbox.customer"' || repeat('}', 300))::jsonb;
INSERT INTO snippet (value) SELECT jsonb_agg(jsonb_build_object('on', 'update', 'column', 'status', 'to', i::text, 'requires', 'conversation.edit')) FROM generate_series(1, 300) AS i;
INSERT INTO snippet (value) SELECT jsonb_object_agg('r' || i, '{"assignee_id": "$member"}'::jsonb) FROM generate_series(1, 70) AS i;
INSERT INTO snippet (value) SELECT jsonb_object_agg('k' || i, 'team_id') FROM generate_series(1, 9) AS i;
INSERT INTO snippet (value) SELECT DISTINCT to_jsonb(a.attname::text) FROM pg_attribute a WHERE a.attrelid IN (SELECT relation FROM good) AND a.attnum > 0;
CREATE TABLE key AS SELECT row_number() OVER ()::int AS n, k FROM (SELECT unnest('{resource,org,units,relations,parent,view,actions,audit,work,table,row,member,key,linked,column,on,from,to,requires,into,exclude,digest,columns,masks,grant,audited,reader,with,lifted_by,team,inbox,x,all}'::text[])
	UNION ALL SELECT '' UNION ALL SELECT repeat('k', 64) UNION ALL SELECT 'a"b' UNION ALL SELECT 'a''b' UNION ALL SELECT 'ß' UNION ALL SELECT '%I'
	UNION ALL SELECT DISTINCT a.attname::text FROM pg_attribute a WHERE a.attrelid = ANY ('{inbox.conversation,inbox.customer}'::regclass[] || 'inbox."Odd ""one"""'::regclass) AND a.attnum > 0) AS k (k);

CREATE TABLE found (what text, relation regclass, state text, spec jsonb);
CREATE TABLE tally (what text, state text, n bigint, PRIMARY KEY (what, state));

GRANT SELECT ON good TO inbox_owner;

CREATE FUNCTION up_to(n int) RETURNS int LANGUAGE sql AS 'SELECT floor(random() * greatest(n, 1))::int';
CREATE FUNCTION any_key() RETURNS text LANGUAGE sql AS $$ SELECT k FROM key WHERE n = (SELECT 1 + up_to((SELECT count(*)::int FROM key))) $$;
CREATE FUNCTION any_value() RETURNS jsonb LANGUAGE sql AS $$ SELECT value FROM snippet WHERE n = (SELECT 1 + up_to((SELECT count(*)::int FROM snippet))) $$;

CREATE FUNCTION places(doc jsonb) RETURNS TABLE (path text[], value jsonb) LANGUAGE sql AS $$
	WITH RECURSIVE w (path, value) AS (
		SELECT '{}'::text[], doc
		UNION ALL
		SELECT w.path || e.key, e.value FROM w CROSS JOIN LATERAL (
			SELECT o.key, o.value FROM jsonb_each(CASE jsonb_typeof(w.value) WHEN 'object' THEN w.value ELSE '{}' END) AS o
			UNION ALL SELECT (a.n - 1)::text, a.value FROM jsonb_array_elements(CASE jsonb_typeof(w.value) WHEN 'array' THEN w.value ELSE '[]' END) WITH ORDINALITY AS a (value, n)) AS e
		WHERE cardinality(w.path) < 8)
	SELECT * FROM w $$;

-- A place in a document, more often a shallow one.
CREATE FUNCTION any_place(doc jsonb, OUT path text[], OUT value jsonb) LANGUAGE sql AS $$
	SELECT p.path, p.value FROM places(doc) AS p WHERE p.path <> '{}' ORDER BY random() * cardinality(p.path) LIMIT 1 $$;

-- The key of a place, or the one that it is within, if that has a name of its own.
CREATE FUNCTION kind(path text[]) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN path[cardinality(path)] = ANY ('{resource,org,units,relations,parent,view,actions,audit,work,table,row,member,key,linked,column,on,from,to,requires,into,exclude,digest,columns,masks,grant,audited,reader,with,lifted_by}') THEN path[cardinality(path)] ELSE path[cardinality(path) - 1] || '/' END $$;
CREATE TABLE place AS SELECT DISTINCT kind(p.path) AS key, p.value FROM good g, places(g.spec) AS p WHERE p.path <> '{}';

CREATE FUNCTION mutant(doc jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	here record;
	there record;
BEGIN
	FOR i IN 0..up_to(2) * up_to(4) LOOP
		here := any_place(doc);
		EXIT WHEN here.path IS NULL;
		there := any_place(doc);
		CASE up_to(13)
			WHEN 0, 9 THEN doc := doc #- here.path;
			WHEN 1, 2, 3 THEN doc := jsonb_set(doc, here.path, any_value());
			WHEN 4 THEN doc := jsonb_set(doc, here.path, there.value);
			WHEN 5 THEN doc := jsonb_set(jsonb_set(doc, here.path, there.value), there.path, here.value);
			WHEN 6 THEN
				IF jsonb_typeof(doc #> here.path[:cardinality(here.path) - 1]) = 'object' THEN
					doc := jsonb_set(doc #- here.path, here.path[:cardinality(here.path) - 1] || any_key(), here.value);
				ELSE
					doc := jsonb_insert(doc, here.path, here.value);
				END IF;
			WHEN 7 THEN
				IF jsonb_typeof(here.value) = 'object' THEN
					doc := jsonb_set(doc, here.path || any_key(), CASE up_to(2) WHEN 0 THEN there.value ELSE any_value() END);
				ELSE
					doc := jsonb_set(doc, ARRAY[any_key()], CASE up_to(2) WHEN 0 THEN there.value ELSE any_value() END);
				END IF;
			WHEN 8 THEN doc := jsonb_set(doc, here.path, CASE up_to(2) WHEN 0 THEN jsonb_build_array(here.value, here.value) ELSE jsonb_build_object(any_key(), here.value) END);
			ELSE
				-- what another one has in such a place
				doc := jsonb_set(doc, here.path, coalesce((SELECT p.value FROM place p WHERE p.key = kind(here.path) ORDER BY random() LIMIT 1), 'null'));
		END CASE;
	END LOOP;
	RETURN doc;
END $$;

-- All that protect() and create_view() make or change, of whatever table.
CREATE FUNCTION fingerprint() RETURNS text LANGUAGE sql AS $$
	SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
		SELECT concat_ws('|', 'policy', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p
		UNION ALL SELECT concat_ws('|', 'trigger', t.tgrelid::regclass, t.tgenabled, pg_get_triggerdef(t.oid)) FROM pg_trigger t WHERE NOT t.tgisinternal
		UNION ALL SELECT concat_ws('|', 'class', c.oid::regclass, c.relkind, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
			(SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(c.relacl) AS x), CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END)
			FROM pg_class c WHERE c.relnamespace = 'inbox'::regnamespace
		UNION ALL SELECT concat_ws('|', 'column', a.attrelid::regclass, a.attname, (SELECT string_agg(x::text, ' ' ORDER BY x::text) FROM unnest(a.attacl) AS x))
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'inbox'::regnamespace AND a.attacl <> '{}'
		UNION ALL SELECT concat_ws('|', 'protection', p.relation, p.spec, p.parent, p.linked, p.link_tables) FROM chat_rbac.protection p
		UNION ALL SELECT concat_ws('|', 'view', v.view, v.relation, v.spec) FROM chat_rbac.protected_view v
		UNION ALL SELECT concat_ws('|', 'function', p.oid::regprocedure, p.proacl) FROM pg_proc p WHERE p.pronamespace IN ('inbox'::regnamespace, 'chat_rbac'::regnamespace)
	) AS l (line) $$;

-- Who asks, and how many rows they see of an org that is not theirs.
CREATE FUNCTION asks(who text, statement text, reader name DEFAULT 'inbox_app', OUT state text, OUT n bigint) LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM set_config('chat_rbac.identity', who, true);
		PERFORM set_config('role', reader, true);
		EXECUTE statement INTO n;
		state := 'fine';
		RAISE SQLSTATE 'FZ001';
	EXCEPTION WHEN SQLSTATE 'FZ001' THEN
		NULL;
	END;
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
	IF state IN ('XX000', '42P17', '42883', '42703', '42P01', '22P02', '54001') THEN
		state := state || ' ' || SQLERRM;
	END IF;
END $$;

CREATE FUNCTION calls(relation regclass, is_view boolean, spec jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE inbox_owner;
	IF is_view THEN
		PERFORM chat_rbac.create_view(relation, spec);
	ELSE
		PERFORM chat_rbac.protect(relation, spec);
	END IF;
	RESET ROLE;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || left(SQLERRM, 200);
END $$;

-- Only what protect() or create_view() looks at first, which is much faster.
CREATE FUNCTION checks(relation regclass, is_view boolean, spec jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF is_view THEN
		PERFORM chat_rbac.view_check(checks.relation, p.spec, checks.spec) FROM chat_rbac.protection p WHERE p.relation = checks.relation;
	ELSE
		PERFORM chat_rbac.spec_check(relation, spec);
	END IF;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || left(SQLERRM, 200);
END $$;

CREATE PROCEDURE note(what text, relation regclass, state text, spec jsonb, bad boolean) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO fuzz.tally AS t VALUES (note.what, left(note.state, 5), 1) ON CONFLICT ON CONSTRAINT tally_pkey DO UPDATE SET n = t.n + 1;
	IF bad THEN
		INSERT INTO fuzz.found VALUES (what, relation, state, spec);
	END IF;
END $$;

-- What a table must be like once its specification has been taken.  A surprise, or NULL.
CREATE FUNCTION surprise(good good, spec jsonb, base text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	stored jsonb;
	print text;
	again text;
	r record;
	who text;
	own bigint;
BEGIN
	print := fuzz.fingerprint();
	IF good.is_view THEN
		again := fuzz.calls(good.relation, true, spec);
	ELSE
		SELECT p.spec INTO stored FROM chat_rbac.protection p WHERE p.relation = good.relation;
		IF NOT (SELECT c.relrowsecurity AND c.relforcerowsecurity FROM pg_class c WHERE c.oid = good.relation) THEN
			RETURN 'row-level security is off';
		ELSIF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = good.relation) THEN
			RETURN 'there is no policy';
		END IF;
		again := fuzz.calls(good.relation, false, stored);
	END IF;
	IF again <> 'accepted' THEN
		RETURN 'what was stored is refused: ' || again;
	ELSIF fuzz.fingerprint() <> print THEN
		RETURN 'the same again is something else';
	END IF;

	FOREACH who IN ARRAY '{1/6,1/5,1/2,1/11,2/2,2/1}'::text[] LOOP
		FOR r IN SELECT * FROM fuzz.asks(who, format('SELECT count(*) FROM %s WHERE org_id <> %L', good.relation, split_part(who, '/', 1)))
			UNION ALL SELECT * FROM fuzz.asks(who, format('WITH u AS (UPDATE %s SET org_id = org_id RETURNING org_id) SELECT count(*) FROM u WHERE org_id <> %L', good.relation, split_part(who, '/', 1)))
			UNION ALL SELECT * FROM fuzz.asks(who, format('WITH d AS (DELETE FROM %s RETURNING org_id) SELECT count(*) FROM d WHERE org_id <> %L', good.relation, split_part(who, '/', 1))) LOOP
			IF r.state NOT IN ('fine', '42501', '23503', '23001', '28000') THEN
				RETURN format('%s gets %s', who, r.state);
			ELSIF r.n > 0 AND (good.is_view OR NOT spec ? 'org' OR spec ->> 'org' = 'org_id') THEN
				RETURN format('%s sees %s rows of another org', who, r.n);
			END IF;
		END LOOP;

		-- a view may not show the org, but not more rows than its org has either
		FOR r IN SELECT v.view, a.* FROM chat_rbac.protected_view v, fuzz.asks(who, format('SELECT count(w) FROM %s AS w', v.view), 'regress_chat_rbac_fuzz_bi') AS a WHERE good.is_view AND v.relation = good.relation LOOP
			IF r.state NOT IN ('fine', '42501', '28000') THEN
				RETURN format('%s gets %s from view %s', who, r.state, r.view);
			END IF;
			EXECUTE format('SELECT count(*) FROM %s WHERE org_id = %L', good.relation, split_part(who, '/', 1)) INTO own;
			IF r.n > own THEN
				RETURN format('%s sees %s rows in view %s, but has %s', who, r.n, r.view, own);
			END IF;
		END LOOP;
	END LOOP;

	IF good.is_view THEN
		SET LOCAL ROLE inbox_owner;
		FOR r IN SELECT v.view FROM chat_rbac.protected_view v WHERE v.view::text <> ALL (ARRAY(SELECT g.spec ->> 'view' FROM fuzz.good g WHERE g.is_view)) LOOP
			PERFORM chat_rbac.drop_view(r.view);
		END LOOP;
		RESET ROLE;
	END IF;
	again := fuzz.calls(good.relation, good.is_view, good.spec);
	IF again <> 'accepted' THEN
		RETURN CASE WHEN again NOT LIKE '22023%' AND again NOT LIKE '42%' AND again NOT LIKE '55%' THEN 'its own specification is refused: ' || again END;
	ELSIF NOT good.is_view AND fuzz.fingerprint() <> base THEN
		RETURN 'its own specification does not bring it back';
	END IF;
	RETURN NULL;
END $$;

CREATE FUNCTION try(good good, spec jsonb, base text, OUT state text, OUT problem text) LANGUAGE plpgsql AS $$
BEGIN
	state := fuzz.calls(good.relation, good.is_view, spec);
	IF state = 'accepted' THEN
		problem := fuzz.surprise(good, spec, base);
	ELSIF fuzz.fingerprint() <> base THEN
		problem := 'refused, but something has changed';
	ELSIF split_part(state, ' ', 1) NOT IN ('22023', '42501', '42P07', '42P16', '42809', '55000', '22004') THEN
		problem := 'refused by ' || state;
	END IF;
	RAISE SQLSTATE 'FZ002';
EXCEPTION WHEN SQLSTATE 'FZ002' THEN
	NULL;
WHEN OTHERS THEN
	problem := format('%s %s', SQLSTATE, SQLERRM);
END $$;

CREATE PROCEDURE run(seconds int, at_least int) LANGUAGE plpgsql AS $$
DECLARE
	good good;
	spec jsonb;
	base text;
	seen text;
	t record;
	state text;
	ends timestamptz := clock_timestamp() + make_interval(secs => seconds);
	i int := 0;
BEGIN
	base := fuzz.fingerprint();
	SELECT string_agg((fuzz.asks(w, 'SELECT count(*) FROM inbox.conversation')).n::text, ',') INTO seen FROM unnest('{1/6,1/5,2/2}'::text[]) AS w;
	WHILE i < at_least OR clock_timestamp() < ends LOOP
		i := i + 1;
		SELECT g.* INTO good FROM fuzz.good g WHERE g.n = (SELECT 1 + fuzz.up_to((SELECT count(*)::int FROM fuzz.good)));
		spec := fuzz.mutant(good.spec);
		t := fuzz.try(good, spec, base);
		CALL fuzz.note(CASE WHEN good.is_view THEN 'view' ELSE 'table' END, good.relation, coalesce(t.problem, t.state, '?'), spec, t.problem IS NOT NULL);
		FOR j IN 1..20 LOOP
			SELECT g.* INTO good FROM fuzz.good g WHERE g.n = (SELECT 1 + fuzz.up_to((SELECT count(*)::int FROM fuzz.good)));
			spec := fuzz.mutant(good.spec);
			state := fuzz.checks(good.relation, good.is_view, spec);
			CALL fuzz.note('check', good.relation, state, spec, state !~ '^(accepted|22023|42501)');
		END LOOP;
		IF i % 20 = 0 THEN
			-- what was rolled back is forgotten by the caches too
			IF fuzz.fingerprint() <> base OR seen IS DISTINCT FROM (SELECT string_agg((fuzz.asks(w, 'SELECT count(*) FROM inbox.conversation')).n::text, ',') FROM unnest('{1/6,1/5,2/2}'::text[]) AS w) THEN
				CALL fuzz.note('later', good.relation, 'something is left over', spec, true);
			END IF;
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- The good ones are, and they mean what they meant.
SELECT calls(relation, is_view, spec) AS state, relation, spec FROM good WHERE NOT is_view ORDER BY n \g /dev/null
DO $$
DECLARE
	g record;
	state text;
BEGIN
	FOR g IN SELECT * FROM fuzz.good ORDER BY n LOOP
		state := fuzz.calls(g.relation, g.is_view, g.spec);
		IF state <> 'accepted' THEN
			RAISE 'a good specification of % is refused: %', g.relation, state;
		END IF;
	END LOOP;
END $$;
SELECT setseed(:seed % 1000000 / 1000000.0) \g /dev/null
CALL run(:seconds, 40);

SELECT format('%s %s: %s', what, state, n) FROM tally ORDER BY what, state;
SELECT format('%s specifications, %s taken, %s surprises', coalesce(sum(n) FILTER (WHERE what IN ('table', 'view', 'check')), 0), coalesce(sum(n) FILTER (WHERE state = 'accep'), 0), (SELECT count(*) FROM found)) FROM tally;
SELECT format(E'SURPRISE: %s of %s: %s\n    %s', what, relation, state, left(spec::text, 3000)) FROM (SELECT DISTINCT ON (state) * FROM found ORDER BY state, length(spec::text)) AS f LIMIT 20;
SELECT EXISTS (SELECT FROM found) OR (SELECT count(*) FILTER (WHERE state = 'accep') = 0 OR count(*) FILTER (WHERE state = '22023') = 0 FROM tally) OR (SELECT count(*) <> 0 FROM canary) AS failed \gset
\if :failed
	DO $$ BEGIN RAISE 'the fuzzer has found something'; END $$;
\endif

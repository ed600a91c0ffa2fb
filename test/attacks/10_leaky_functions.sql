--
-- Functions, operators, casts and types of the attacker's that look at what they are
-- given, wherever a query can call one: before the policy, while it is planned, in
-- joins, sorts, aggregates, indexes of their own.  They must see the rows that the
-- person sees, and no other; and they do see those.
--
SELECT plan(19);

SET SESSION AUTHORIZATION attack_app;
-- an operator that claims to be =, with estimators that make it look cheap and selective
CREATE FUNCTION own.eq(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RETURN own.tell($1 || ' ' || $2) AND $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR own.=== (FUNCTION = own.eq, LEFTARG = text, RIGHTARG = text, COMMUTATOR = OPERATOR(own.===), RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE FUNCTION own.lt(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RETURN own.tell($1 || ' ' || $2) AND $1 OPERATOR(pg_catalog.<) $2; END $$;
CREATE OPERATOR own.<<< (FUNCTION = own.lt, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
-- a domain, a cast, an aggregate, a row type, a set, a function of the whole row
CREATE DOMAIN own.nosy AS text CHECK (own.tell(VALUE));
CREATE TYPE own.boxed AS (x text);
CREATE FUNCTION own.box(text) RETURNS own.boxed LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN PERFORM own.tell($1); RETURN ROW($1); END $$;
CREATE FUNCTION own.keep(text, text) RETURNS text LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN PERFORM own.tell($2); RETURN $1; END $$;
CREATE AGGREGATE own.nosy_agg (text) (SFUNC = own.keep, STYPE = text);
CREATE AGGREGATE own.nosy_moving (text) (SFUNC = own.keep, STYPE = text, INITCOND = '', MSFUNC = own.keep, MINVFUNC = own.keep, MSTYPE = text, MINITCOND = '');
CREATE FUNCTION own.rows(text) RETURNS SETOF text LANGUAGE plpgsql IMMUTABLE COST 0.0001 ROWS 1 AS $$ BEGIN PERFORM own.tell($1); RETURN NEXT $1; END $$;
CREATE FUNCTION own.inlined(text) RETURNS boolean LANGUAGE sql STABLE COST 0.0001 AS $$ SELECT own.tell_early($1) $$;
CREATE FUNCTION own.first(text) RETURNS boolean LANGUAGE sql IMMUTABLE COST 0.0001 AS $$ SELECT own.tell_early($1) AND length($1) >= 0 $$;
CREATE TABLE own.words (x text);
INSERT INTO own.words SELECT format('~%s%s-%s', k, o, i) FROM unnest('{c,v,m,t}'::text[]) AS k, generate_series(1, 2) AS o, generate_series(9, 13) AS i;
ANALYZE own.words;
RESET SESSION AUTHORIZATION;

CREATE TABLE lab.form AS SELECT n, form FROM unnest('{
"SELECT 1 FROM @t AS r WHERE own.tell(@c)",
"SELECT 1 FROM @t AS r WHERE own.tell_early(@c)",
"SELECT 1 FROM @t AS r WHERE own.inlined(@c)",
"SELECT 1 FROM @t AS r WHERE own.first(@c)",
"SELECT 1 FROM @t AS r WHERE own.tell(r)",
"SELECT 1 FROM ONLY @t AS r WHERE own.tell(r.*::text)",
"SELECT 1 FROM @t AS r WHERE own.tell_early(@c) OR org_id = 2",
"SELECT 1 FROM @t AS r WHERE NOT (own.tell_early(@c) AND org_id < 0)",
"SELECT 1 FROM @t AS r WHERE own.tell_early(@c) AND org_id = 2",
"SELECT 1 FROM @t AS r WHERE CASE WHEN own.tell_early(@c) THEN true END",
"SELECT 1 FROM @t AS r WHERE coalesce(own.tell_early(@c), true)",
"SELECT 1 FROM @t AS r WHERE own.tell_early(@c) IS NOT NULL ORDER BY id OFFSET 0",
"SELECT 1 FROM @t AS r WHERE @c OPERATOR(own.===) ''x''",
"SELECT 1 FROM @t AS r WHERE @c OPERATOR(own.<<<) ''x''",
"SELECT 1 FROM @t AS r WHERE @c OPERATOR(own.===) ANY (ARRAY[''x'', ''y''])",
"SELECT 1 FROM @t AS r WHERE ROW(@c) OPERATOR(own.===) ROW(''x''::text)",
"SELECT 1 FROM @t AS r JOIN own.words AS w ON @c OPERATOR(own.===) w.x",
"SELECT 1 FROM own.words AS w LEFT JOIN @t AS r ON w.x OPERATOR(own.===) @c",
"SELECT 1 FROM @t AS r FULL JOIN own.words AS w ON own.tell_early(@c) AND w.x || ''~'' = @c",
"SELECT 1 FROM own.words AS w WHERE NOT EXISTS (SELECT FROM @t AS r WHERE own.tell_early(@c) AND w.x || ''~'' = @c)",
"SELECT 1 FROM own.words AS w WHERE w.x IN (SELECT left(@c, -1) FROM @t AS r WHERE own.tell_early(@c))",
"SELECT 1 FROM @t AS r, LATERAL (SELECT own.tell_early(@c) AS y OFFSET 0) AS y WHERE y",
"SELECT 1 FROM @t AS r CROSS JOIN LATERAL own.rows(@c) AS y",
"SELECT own.rows(@c) FROM @t AS r",
"SELECT @c::own.nosy IS NULL FROM @t AS r",
"SELECT 1 FROM @t AS r WHERE (@c::own.nosy) IS NOT NULL",
"SELECT (own.box(@c)).x IS NULL FROM @t AS r",
"SELECT 1 FROM @t AS r WHERE (own.box(@c)).x = ''x''",
"SELECT own.nosy_agg(@c) FROM @t AS r",
"SELECT own.nosy_agg(@c) FILTER (WHERE own.tell_early(@c)) FROM @t AS r GROUP BY org_id",
"SELECT own.nosy_moving(@c) OVER (ORDER BY id ROWS 1 PRECEDING) IS NULL FROM @t AS r",
"SELECT own.nosy_agg(@c ORDER BY own.tell_early(@c)) FROM @t AS r",
"SELECT 1 FROM @t AS r ORDER BY own.tell_early(@c) LIMIT 1",
"SELECT 1 FROM @t AS r GROUP BY own.tell_early(@c)",
"SELECT DISTINCT own.tell_early(@c) FROM @t AS r",
"SELECT count(*) FROM @t AS r HAVING bool_or(own.tell_early(@c))",
"SELECT 1 FROM @t AS r TABLESAMPLE SYSTEM (100) WHERE own.tell_early(@c)",
"SELECT 1 FROM @t AS r TABLESAMPLE BERNOULLI (100) REPEATABLE (1) WHERE own.tell_early(@c)",
"SELECT 1 FROM @t AS r WHERE ctid > ''(0,0)'' AND own.tell_early(@c)",
"SELECT 1 FROM @t AS r WHERE own.tell_early(@c) FOR UPDATE",
"SELECT 1 FROM @t AS r WHERE own.tell_early(@c) FOR KEY SHARE SKIP LOCKED",
"WITH x AS NOT MATERIALIZED (SELECT * FROM @t) SELECT 1 FROM x AS r WHERE own.tell_early(@c)",
"WITH RECURSIVE x AS (SELECT r.*, 1 AS depth FROM @t AS r UNION ALL SELECT r.*, 2 FROM @t AS r, x WHERE own.tell_early(@c) AND x.depth = 1 AND x.id = r.id) SELECT 1 FROM x AS r",
"SELECT 1 FROM (SELECT @c AS x FROM @t AS r UNION ALL SELECT x FROM own.words WHERE false) AS r WHERE own.tell_early(r.x)",
"SELECT 1 FROM (SELECT DISTINCT @c AS x FROM @t AS r) AS r WHERE own.tell_early(r.x)",
"SELECT 1 FROM (SELECT @c AS x, rank() OVER (PARTITION BY @c) FROM @t AS r) AS r WHERE own.tell_early(r.x)",
"SELECT 1 FROM @t AS r GROUP BY GROUPING SETS ((own.tell_early(@c)), ())",
"SELECT (SELECT own.tell_early(@c)) FROM @t AS r",
"SELECT 1 FROM @t AS r WHERE ARRAY(SELECT own.tell_early(@c)) = ''{t}''",
"UPDATE @t AS r SET updated_at = now() WHERE own.tell_early(@c)",
"UPDATE @t AS r SET id = r.id WHERE own.tell_early(@c) RETURNING own.tell(@c)",
"DELETE FROM @t AS r WHERE own.tell_early(@c)",
"DELETE FROM @t AS r USING own.words AS w WHERE own.tell_early(@c) AND w.x OPERATOR(own.===) @c",
"MERGE INTO @t AS r USING own.words AS w ON own.tell_early(@c) AND w.x || ''~'' = @c WHEN MATCHED AND own.tell_early(@c) THEN DO NOTHING",
"MERGE INTO own.words AS w USING @t AS r ON own.tell_early(@c) AND w.x || ''~'' = @c WHEN MATCHED THEN DO NOTHING",
"CREATE TABLE own.kept AS SELECT @c AS x FROM @t AS r WHERE own.tell_early(@c)",
"CREATE MATERIALIZED VIEW own.kept AS SELECT @c AS x FROM @t AS r WHERE own.tell_early(@c)",
"CREATE VIEW own.seen AS SELECT own.tell_early(@c) FROM @t AS r",
"CREATE INDEX ON @t ((own.tell_early(id)))",
"EXPLAIN (ANALYZE, VERBOSE) SELECT 1 FROM @t AS r WHERE own.tell_early(@c)",
"SELECT y.y FROM @t AS r, xmltable(''/x'' PASSING xmlelement(name x, @c) COLUMNS y text PATH ''z'' DEFAULT own.tell_early(@c)::text) AS y",
"SELECT query_to_xml(''SELECT own.tell_early(@c) FROM @t AS r'', true, true, '''')"
}'::text[]) WITH ORDINALITY AS f (form, n);
CREATE TABLE lab.target (t text, c text);
INSERT INTO lab.target VALUES ('inbox.conversation', 'r.labels[1]'), ('inbox.message', 'r.body'), ('inbox.customer', 'r.name'), ('inbox.task', 'r.title');

-- Every form, by who sees some of each, undone.
CREATE FUNCTION lab.all_forms(who text, OUT form text, OUT t text, OUT hidden text[], OUT visible bigint, OUT output text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	FOR form, t, output IN SELECT f.form, x.t, replace(replace(f.form, '@t', x.t), '@c', x.c) FROM lab.form f, lab.target x
		WHERE who = 'Ali' OR x.t = 'inbox.message' OR (who = 'Sue' AND x.t = 'inbox.task') ORDER BY n LOOP
		BEGIN
			output := lab.run_as(who, output);
			RAISE SQLSTATE 'ZZ000';
		EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
			hidden := lab.hidden(who, output);
			visible := lab.visible(who, output);
			RETURN NEXT;
		END;
	END LOOP;
END $$;
CREATE TABLE lab.outcome AS SELECT p.name, f.* FROM lab.person AS p, lab.all_forms(p.name) AS f WHERE p.name IN ('Ali', 'Sue', 'Gus', 'Vic');

SELECT is_empty($$ SELECT name, t, form, hidden[1:5] FROM lab.outcome WHERE hidden <> '{}' LIMIT 5 $$, 'no function of an attacker''s sees a hidden row, by any form');
SELECT set_eq($$ SELECT form FROM lab.outcome WHERE name = 'Ali' GROUP BY form HAVING max(visible) = 0 $$, ARRAY[
	'SELECT 1 FROM @t AS r WHERE own.tell_early(@c) AND org_id = 2',
	'DELETE FROM @t AS r WHERE own.tell_early(@c)',
	'DELETE FROM @t AS r USING own.words AS w WHERE own.tell_early(@c) AND w.x OPERATOR(own.===) @c',
	'CREATE MATERIALIZED VIEW own.kept AS SELECT @c AS x FROM @t AS r WHERE own.tell_early(@c)',
	'CREATE VIEW own.seen AS SELECT own.tell_early(@c) FROM @t AS r',
	'CREATE INDEX ON @t ((own.tell_early(id)))'], 'they see those that the person sees, by all forms but a few');
SELECT ok(count(*) FILTER (WHERE visible > 0) > 200, 'in all of the tables') FROM lab.outcome WHERE name = 'Ali';
SELECT is_empty($$ SELECT t, form FROM lab.outcome WHERE name = 'Vic' AND visible > 0 $$, 'who may see nothing gets nothing');
SELECT is_empty($$ SELECT t, form, left(output, 300) FROM lab.outcome WHERE form ~ '^CREATE (INDEX|MATER)' AND visible > 0 AND output ~ '^\d' $$, 'nothing is made of the tables past their policies');

-- Settings that anybody may set, which turn plans upside down
SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_nestloop = off; SET enable_sort = off; SET enable_material = off;
SET cpu_operator_cost = 1000; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET from_collapse_limit = 1;
SELECT lab.sees_own_only('Ali', 'SELECT 1 FROM inbox.message AS r WHERE own.tell_early(body) AND id < 1000000 OR own.tell_early(conversation_id)', 'by any plan');
SELECT lab.sees_own_only('Ali', 'SELECT 1 FROM inbox.message AS r JOIN inbox.conversation AS c ON own.tell_early(c.labels[1]) AND c.id = r.conversation_id
	JOIN inbox.customer AS k ON own.tell_early(k.name || r.body) AND k.id = c.customer_id', 'by joins of the tables');
SET enable_seqscan = off;
RESET enable_indexscan;
SELECT lab.sees_own_only('Sue', 'SELECT 1 FROM inbox.conversation AS r WHERE own.tell_early(labels[1]) ORDER BY org_id, id LIMIT 3', 'by an index');
RESET enable_indexscan; RESET enable_bitmapscan; RESET enable_nestloop; RESET enable_sort; RESET enable_material; RESET enable_seqscan;
RESET cpu_operator_cost; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET from_collapse_limit;

-- Tables that relations read, views for BI tools, where the mask is what functions see, the trail and the model
SELECT lab.sees_own_only('Ali', 'SELECT 1 FROM inbox.participant AS r WHERE own.tell_early(r) AND EXISTS (SELECT FROM inbox.conversation AS c WHERE own.tell_early(c.labels[1]))', 'by links');
SELECT lab.sees_own_only('Ali', 'SELECT 1 FROM inbox.card AS r WHERE own.tell_early(r) AND own.tell_early(phone) AND own.tell_early(balance::text)', 'by a masked view', 'attack_bi');
SELECT lab.sees_own_only('Ali', 'SELECT 1 FROM inbox.card AS r WHERE phone OPERATOR(own.===) ''x'' OR email OPERATOR(own.<<<) ''x''', 'by operators in it', 'attack_bi');
SELECT lab.sees_own_only('Sue', 'SELECT 1 FROM inbox.report AS r WHERE own.tell_early(r)', 'by an audited view', 'attack_bi');
SELECT lab.sees_own_only('Sue', 'SELECT 1 FROM chat_rbac.audit_event AS r WHERE own.tell_early(r.new)', 'by the audit trail');
SELECT lab.gets_nothing('Ali', 'SELECT 1 FROM chat_rbac.audit_event AS r WHERE own.tell_early(r.new) OR own.tell(r.old)', '^$', 'which has nothing for who has done nothing');
SELECT ok(o ~ '\(2,' AND o !~ '\(1,', 'functions on chat_rbac.' || t || ' see one''s own org')
FROM unnest('{org,unit,member,role,role_grant}'::text[]) AS t, lab.run_as('Gus', 'SELECT 2 FROM chat_rbac.' || t || ' AS r WHERE own.tell_early(r)') AS o;

SELECT * FROM finish();

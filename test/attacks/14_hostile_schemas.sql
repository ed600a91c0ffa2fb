--
-- Schemas full of twins: operators, functions, types, casts and tables with the names
-- of PostgreSQL's and chat_rbac's own, first in the path of whoever uses the inbox or
-- administers the model.  Policies, triggers, the functions that members call and those
-- that run with their owner's rights must call none of them, and see what they saw
-- before.  That the path works is seen by a query of the attacker's own.
--
SELECT plan(46);
SET client_min_messages = error;

-- ---- the twins ----

SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.caught (what text, who name);
GRANT INSERT, SELECT, DELETE ON own.caught TO PUBLIC;
DO $do$
DECLARE
	r record;
	n int := 0;
BEGIN
	FOR r IN
		SELECT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS res
		FROM pg_operator o WHERE o.oprnamespace IN ('pg_catalog'::regnamespace, 'chat_rbac'::regnamespace) AND o.oprkind = 'b'
			AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '@>', '<@', '&&', '||', '|', '->', '->>', '#>', '?', '+', '-', '~~', '~')
			AND ARRAY[o.oprleft, o.oprright] <@ ARRAY['int4', 'int8', 'text', 'name', '"char"', 'oid', 'bool', 'jsonb', 'timestamptz', 'interval', 'chat_rbac.permission', 'chat_rbac.permset',
				'tstzrange', 'regclass', 'text[]', 'int8[]', 'anyarray', 'anyelement', 'anyrange', 'anycompatiblearray', 'anycompatible']::regtype[]::oid[]
	LOOP
		n := n + 1;
		EXECUTE format($f$CREATE FUNCTION own.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS $b$BEGIN
			INSERT INTO own.caught VALUES (%L, current_user); RETURN $1 OPERATOR(%s.%s) $2; END$b$$f$,
			n, r.l, r.r, r.res, r.oprname, CASE WHEN r.l ~ 'chat_rbac' OR r.r ~ 'chat_rbac' THEN 'chat_rbac' ELSE 'pg_catalog' END, r.oprname);
		EXECUTE format('CREATE OPERATOR own.%s (FUNCTION = own.op_%s, LEFTARG = %s, RIGHTARG = %s)', r.oprname, n, r.l, r.r);
	END LOOP;
	FOR r IN
		SELECT p.pronamespace::regnamespace AS schema, p.proname, pg_get_function_identity_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS res,
			(SELECT string_agg('$' || i, ', ') FROM generate_series(1, p.pronargs) AS i) AS params
		FROM pg_proc p WHERE p.prokind = 'f' AND NOT p.proretset AND p.provariadic = 0 AND p.pronargs > 0
			AND p.proargmodes IS NULL AND NOT ARRAY['internal', 'cstring', 'trigger', 'event_trigger', 'void']::regtype[]::oid[] && (p.proargtypes::oid[] || p.prorettype)
			AND (p.pronamespace = 'chat_rbac'::regnamespace OR p.pronamespace = 'pg_catalog'::regnamespace AND p.proname IN ('lower', 'upper', 'upper_inf', 'lower_inf', 'isempty', 'quote_ident',
				'cardinality', 'array_to_string', 'array_append', 'jsonb_typeof', 'to_jsonb', 'left', 'substr', 'length', 'format_type', 'has_table_privilege', 'pg_has_role', 'pg_get_userbyid',
				'int8', 'text', 'name', 'tstzrange', 'range_contains_elem', 'to_regclass', 'array_position', 'coalesce', 'set_config', 'current_setting', 'replace', 'btrim'))
	LOOP
		BEGIN
			EXECUTE format($f$CREATE FUNCTION own.%I(%s) RETURNS %s LANGUAGE plpgsql AS $b$BEGIN
				INSERT INTO own.caught VALUES (%L, current_user); RETURN %s.%I(%s); END$b$$f$, r.proname, r.args, r.res, r.proname, r.schema, r.proname, r.params);
		EXCEPTION WHEN duplicate_function THEN NULL;
		END;
	END LOOP;
END $do$;
CREATE FUNCTION own.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN INSERT INTO own.caught VALUES ('now', current_user); RETURN pg_catalog.now(); END$$;
CREATE FUNCTION own.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO own.caught VALUES ('format', current_user); RETURN pg_catalog.format($1, VARIADIC $2); END$$;
CREATE FUNCTION own.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE plpgsql AS $$BEGIN INSERT INTO own.caught VALUES ('unnest', current_user); RETURN QUERY SELECT pg_catalog.unnest($1); END$$;
-- what the C code and the policies ask, with the answers that the attacker would like
CREATE FUNCTION own.current_org() RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint';
CREATE FUNCTION own.current_member() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION own.in_unit_scope(bigint, text, text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION own.in_scope(text, text, bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE TABLE own.org (org_id bigint, name text);
CREATE TABLE own.member (org_id bigint, member_id bigint, name text, login oid, subject text, active boolean);
CREATE TABLE own.role (org_id bigint, role_id bigint, name text, permissions text);
CREATE TABLE own.role_grant (org_id bigint, member_id bigint, role_id bigint, unit_id bigint, valid tstzrange);
CREATE TABLE own.unit (org_id bigint, unit_id bigint, kind text, key bigint, parent_id bigint, sealed boolean);
CREATE TABLE own.protection (relation regclass, spec jsonb);
CREATE TABLE own.conversation (LIKE inbox.conversation);
CREATE TABLE own.participant (LIKE inbox.participant);
CREATE TABLE own.pg_class AS SELECT oid, relname, false AS relrowsecurity, false AS relforcerowsecurity FROM pg_catalog.pg_class;
-- types, of which a value cannot be made without telling
CREATE FUNCTION own.type_caught() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO own.caught VALUES ('type', current_user); RETURN true; END$$;
CREATE TABLE own.type_name AS SELECT typname AS name, typnamespace::regnamespace::name AS schema FROM pg_type
	WHERE typtype IN ('b', 'r') AND typnamespace IN ('pg_catalog'::regnamespace, 'chat_rbac'::regnamespace) AND typelem = 0 AND typname !~ '^pg_|^_';
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM own.type_name LOOP
		EXECUTE pg_catalog.format('CREATE DOMAIN own.%1$I AS %2$I.%1$I CHECK (own.type_caught())', r.name, r.schema);
	END LOOP;
END $$;
RESET SESSION AUTHORIZATION;
SELECT ok(count(*) > 150, 'there are many twins') FROM pg_proc WHERE pronamespace = 'own'::regnamespace;

-- ---- reading with them in the path ----

-- In a session of that person's own, as what is temporary is in everybody's way: what comes of a statement, and which twins were called by whom.
CREATE FUNCTION lab.with_path(who text, path text, statement text, OUT output text, OUT caught text) LANGUAGE plpgsql AS $$
DECLARE
	made text;
BEGIN
	IF who || ' attack_app' <> ALL (coalesce(dblink_get_connections(), '{}')) THEN
		FOR made IN SELECT format('CREATE TEMP TABLE %I AS TABLE own.%1$I', t) FROM unnest('{org,member,role,role_grant,unit,protection,conversation,pg_class}'::text[]) AS t
			UNION ALL SELECT format('CREATE DOMAIN pg_temp.%1$I AS %2$I.%1$I CHECK (own.type_caught())', n.name, n.schema) FROM own.type_name AS n LOOP
			output := lab.remote(who, made);
			IF output ~ '^ERROR' THEN
				RAISE EXCEPTION '% of %', output, made;
			END IF;
		END LOOP;
	END IF;
	PERFORM lab.remote(who, format('SELECT pg_catalog.set_config(''search_path'', %L, false)', path));
	DELETE FROM own.caught;
	output := lab.remote(who, statement);
	caught := (SELECT string_agg(DISTINCT c.what || ' as ' || c.who, ', ') FROM own.caught AS c);
END $$;
SELECT is(lab.with_path('Ali', 'own, pg_catalog', 'SELECT length(''x''::pg_catalog.text) = 1, ''x''::text IS NULL, 1::own.int8 IS NULL')::text,
	E'("(t,f,f)\n","= as attack_app, length as attack_app, type as attack_app")', 'twins are called where the path leads to them');

CREATE TABLE lab.outcome AS
SELECT p.name, x.path, q.q, o.output, o.caught, lab.run_as(p.name, q.q) AS usual
FROM unnest('{Ali,Olga,Gwen,Vic}'::text[]) AS p (name), unnest('{"own, pg_catalog, chat_rbac, public","pg_temp, own, pg_catalog",own,"chat_rbac, own, public, pg_catalog, pg_temp","\"$user\", public"}'::text[]) AS x (path),
	unnest('{"SELECT * FROM inbox.conversation ORDER BY id","SELECT body FROM inbox.message ORDER BY id","SELECT * FROM inbox.customer ORDER BY id","SELECT * FROM inbox.task ORDER BY id",
	"SELECT * FROM chat_rbac.grants ORDER BY grants","SELECT unit FROM chat_rbac.unit AS unit ORDER BY unit_id","SELECT did, what FROM chat_rbac.activity ORDER BY event_id","SELECT member, roles, source, status FROM chat_rbac.whoami()",
	"SELECT chat_rbac.current_org(), chat_rbac.current_member(), chat_rbac.can(''conversation.view''), chat_rbac.can(''conversation.view'', ''inbox.conversation'', 4), chat_rbac.actions(''inbox.conversation'', 1)"}'::text[]) AS q (q),
	LATERAL (SELECT w.* FROM lab.with_path(p.name, x.path, q.q) AS w OFFSET 0) AS o;
SELECT is_empty($$ SELECT name, path, q, left(output, 300), left(usual, 300) FROM lab.outcome WHERE output <> usual LIMIT 3 $$, 'with any path one sees the same');
SELECT is_empty($$ SELECT name, path, q FROM lab.outcome WHERE lab.hidden(name, output) <> '{}' AND q !~ 'activity' LIMIT 3 $$, 'and nothing hidden');
SELECT ok(bool_and(lab.visible(name, output) > 0), 'there is something to see') FROM lab.outcome WHERE name <> 'Vic' AND q ~ 'inbox\.[a-z]+ ORDER';
SELECT is_empty($$ SELECT name, path, q, caught FROM lab.outcome WHERE caught IS NOT NULL LIMIT 3 $$, 'no twin was called');

-- ---- writing with them in the path: guards, trails, hand-overs, cascades ----

CREATE FUNCTION lab.writes(who text, statement text, pattern text, name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	o record;
BEGIN
	o := lab.with_path(who, 'own, pg_catalog, chat_rbac, public', statement);
	RETURN NEXT ok(o.output ~ pattern, name) || CASE WHEN o.output ~ pattern THEN '' ELSE E'\n' || diag(o.output) END;
	RETURN NEXT is(o.caught, NULL, '... calling no twin');
END $$;
SELECT lab.writes(who, replace(statement, '@=', 'OPERATOR(pg_catalog.=)'), pattern, name) FROM (VALUES
	('Ali', 'UPDATE inbox.conversation SET assignee_id = 6 WHERE id @= 3', '^1', 'a claim'),
	('Ali', 'UPDATE inbox.conversation SET team_id = 20 WHERE id @= 3', '^1', 'a hand-over'),
	('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (1, ''note'', ''x'')', '^1', 'a message'),
	('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (4, ''note'', ''x'')', '^ERROR 42501', 'a refusal'),
	('Olga', 'DELETE FROM inbox.conversation WHERE id @= 5', '^1', 'a cascade'),
	('Olga', 'INSERT INTO chat_rbac.unit (org_id, unit_id, parent_id, kind, name) VALUES (1, 50, 10, ''team'', ''New'')', '^1', 'a new unit'),
	('Olga', 'INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 50, ''Neil'')', '^1', 'a new member'),
	('Olga', 'SELECT chat_rbac.grant_role(''acme'', ''Neil'', ''Agent'', ''New'')', '^\(\d', 'a grant'),
	('Olga', 'UPDATE chat_rbac.role_grant SET valid = pg_catalog.tstzrange(NULL, ''2040-01-01'') WHERE member_id @= 50', '^1', 'a shorter one'),
	('Olga', 'INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 500, ''Odd'', ''{conversation.view}'')', '^1', 'a role'),
	('Olga', 'UPDATE chat_rbac.role SET permissions = ''{conversation.view, task.view}'' WHERE role_id @= 500', '^1', 'a change of it'),
	('Olga', 'INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id) SELECT 1, 500, role_id FROM chat_rbac.role WHERE name @= ''Agent''', '^1', 'an inheritance'),
	('Olga', 'SELECT chat_rbac.revoke_role(''acme'', ''Neil'', ''Agent'', ''New'')', '^\(\d', 'a revocation'),
	('Olga', 'DELETE FROM chat_rbac.unit WHERE unit_id @= 50', '^1', 'a unit less'),
	('Ali', 'SELECT chat_rbac.grant_role(''acme'', ''Ali'', ''Agent'', ''Support'')', '^ERROR 42', 'a grant to oneself')) AS v (who, statement, pattern, name);

-- ---- every function of chat_rbac that the role may call ----

CREATE FUNCTION lab.sample(type oid) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT v.value FROM (VALUES ('regclass'::regtype, '''inbox.conversation'''), ('int8', '6'), ('int4', '6'), ('numeric', '6'), ('text', '''acme'''), ('name', '''team_id'''),
		('chat_rbac.permission', '''conversation.view'''), ('chat_rbac.permset', '''{conversation.view, task.edit@own}'''), ('boolean', 'true'), ('jsonb', '''{"a": "b"}'''),
		('chat_rbac.shift', '''Mon-Fri 09:00-18:00 UTC'''), ('interval', '''1 day'''), ('timestamptz', 'pg_catalog.now()'), ('int8[]', '''{1,6}'''), ('text[]', '''{Agent}'''),
		('bytea', '''x'''), ('tstzrange', '''(,)'''), ('"any"', '1'), ('anyelement', '1'), ('anycompatible', '1')) AS v (type, value) WHERE v.type = $1), 'NULL')
		|| coalesce((SELECT format('::%s.%I', typnamespace::regnamespace, typname) FROM pg_type WHERE oid = $1 AND typtype <> 'p'), '::pg_catalog.int8') $$;
CREATE TABLE lab.call AS
SELECT p.oid::regprocedure AS f, w.who, s.statement, o.output, o.caught
FROM pg_proc AS p, unnest('{Olga}'::text[]) AS w (who),
	LATERAL (SELECT format('SELECT x FROM chat_rbac.%I(%s) AS x', p.proname, string_agg(CASE WHEN n = p.pronargs AND p.provariadic <> 0 AND p.provariadic <> '"any"'::regtype THEN 'VARIADIC ' ELSE '' END
		|| lab.sample(a.type), ', ' ORDER BY n)) AS statement FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, n)) AS s,
	LATERAL (SELECT w.* FROM lab.with_path(w.who, 'own, pg_catalog, chat_rbac', s.statement) AS w OFFSET 0) AS o
WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.prokind = 'f' AND has_function_privilege('attack_app', p.oid, 'EXECUTE')
	AND NOT ARRAY['internal', 'cstring']::regtype[]::oid[] && (p.proargtypes::oid[] || p.prorettype) AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype);
SELECT is_empty($$ SELECT f, who, caught, statement FROM lab.call WHERE caught IS NOT NULL $$, 'no function of chat_rbac calls a twin');
SELECT ok(count(DISTINCT f) > 60 AND count(DISTINCT f) FILTER (WHERE output !~ '^ERROR') > 30, 'there are many, and many answer')
	|| E'\n' || diag(format('%s, of which %s answer', count(DISTINCT f), count(DISTINCT f) FILTER (WHERE output !~ '^ERROR'))) FROM lab.call;

-- ---- names, types and casts ----

SELECT lab.gets_nothing('Ali', s, '^ERROR 42', 'refused: ' || s) FROM unnest('{
"CREATE FUNCTION chat_rbac.current_org() RETURNS bigint LANGUAGE sql AS ''SELECT 2''",
"CREATE FUNCTION inbox.mine() RETURNS int LANGUAGE sql AS ''SELECT 2''",
"CREATE OR REPLACE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql AS ''SELECT NULL''",
"CREATE CAST (bigint AS text) WITH INOUT AS IMPLICIT",
"CREATE CAST (text AS chat_rbac.permset) WITH INOUT AS IMPLICIT",
"CREATE OPERATOR CLASS own.ops DEFAULT FOR TYPE int8 USING btree AS OPERATOR 1 <",
"ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 1 own.< (int8, int8)",
"ALTER TYPE chat_rbac.permset RENAME TO x"
}'::text[]) AS s;

SELECT * FROM finish();

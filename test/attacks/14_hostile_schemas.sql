--
-- Schemas full of twins: operators, functions, types, casts and tables with the names
-- of PostgreSQL's and chat_rbac's own, first in the path of whoever uses the inbox or
-- administers the model.  Policies, triggers, the functions that members call and those
-- that run with their owner's rights must call none of them, and see what they saw
-- before.  That the path works is seen by a query of the attacker's own.
--
SELECT plan(48);
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
			AND p.proargmodes IS NULL AND NOT ARRAY['internal', 'cstring', 'trigger', 'event_trigger']::regtype[]::oid[] && (p.proargtypes::oid[] || p.prorettype)
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
CREATE DOMAIN own.permission AS text;
CREATE DOMAIN own.permset AS text;
CREATE DOMAIN own.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN own.int8 AS pg_catalog.int8 CHECK (false);
RESET SESSION AUTHORIZATION;
SELECT ok(count(*) > 150, 'there are many twins') FROM pg_proc WHERE pronamespace = 'own'::regnamespace;

-- ---- reading with them in the path ----

CREATE TABLE lab.path (path text, before text);
INSERT INTO lab.path VALUES ('own, pg_catalog, chat_rbac, public', ''), ('pg_temp, own, pg_catalog', 'yes'), ('own', ''), ('chat_rbac, own, public, pg_catalog, pg_temp', 'yes');
CREATE FUNCTION lab.with_path(who text, path text, shadow boolean, statement text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, lab, public AS $$
DECLARE
	output text;
	t text;
BEGIN
	DELETE FROM own.caught;
	DELETE FROM own.loot;
	CALL lab.become(who, role);
	IF shadow THEN
		FOREACH t IN ARRAY '{org,member,role,role_grant,unit,protection,conversation,pg_class}'::text[] LOOP
			EXECUTE format('CREATE TEMP TABLE IF NOT EXISTS %I AS TABLE own.%1$I', t);
		END LOOP;
	END IF;
	PERFORM set_config('search_path', path, true);
	output := lab.attempt(statement);
	PERFORM set_config('search_path', 'pg_catalog, lab, public', true);
	CALL lab.dba();
	RETURN output;
END $$;
SELECT is(lab.with_path('Ali', 'own, pg_catalog', false, 'SELECT length(1::bigint::pg_catalog.text) = 1') || (SELECT string_agg(what || who, ',' ORDER BY what) FROM own.caught), E'(t)\n=attack_app,lengthattack_app',
	'twins are called where the path leads to them');

CREATE TABLE lab.outcome AS
SELECT p.name, x.path, q.q, o.o AS output, o.o = lab.run_as(p.name, q.q) AS same, (SELECT count(*) FROM own.caught) AS caught
FROM lab.person AS p, lab.path AS x, unnest('{"SELECT * FROM inbox.conversation ORDER BY id","SELECT body FROM inbox.message ORDER BY id","SELECT * FROM inbox.customer ORDER BY id","SELECT * FROM inbox.task ORDER BY id",
	"SELECT * FROM chat_rbac.grants ORDER BY grants","SELECT unit FROM chat_rbac.unit AS unit ORDER BY unit_id","SELECT did, what FROM chat_rbac.activity ORDER BY event_id","SELECT member, roles, source, status FROM chat_rbac.whoami()",
	"SELECT chat_rbac.current_org(), chat_rbac.current_member(), chat_rbac.can(''conversation.view''), chat_rbac.can(''conversation.view'', ''inbox.conversation'', 4), chat_rbac.actions(''inbox.conversation'', 1)"}'::text[]) AS q,
	LATERAL (SELECT lab.with_path(p.name, x.path, x.before <> '', q.q) AS o OFFSET 0) AS o
WHERE p.name IN ('Ali', 'Olga', 'Gwen', 'Vic');
SELECT is_empty($$ SELECT name, path, q, left(output, 300) FROM lab.outcome WHERE NOT same LIMIT 3 $$, 'with any path one sees the same');
SELECT is_empty($$ SELECT name, path, q FROM lab.outcome WHERE lab.hidden(name, output) <> '{}' AND q !~ 'activity' LIMIT 3 $$, 'and nothing hidden');
SELECT ok(bool_and(lab.visible(name, output) > 0), 'there is something to see') FROM lab.outcome WHERE name <> 'Vic' AND q ~ 'inbox\.[a-z]+ ORDER' AND NOT (name = 'Gwen' AND q ~ 'none');
SELECT is_empty($$ SELECT what, who FROM own.caught $$, 'no twin was called');

-- ---- writing with them in the path: guards, trails, hand-overs, cascades ----

CREATE FUNCTION lab.writes(who text, statement text, pattern text, name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	output text := lab.with_path(who, 'own, pg_catalog, chat_rbac, public', true, statement);
BEGIN
	RETURN NEXT ok(output ~ pattern, name) || CASE WHEN output ~ pattern THEN '' ELSE diag(output) END;
	RETURN NEXT is((SELECT string_agg(DISTINCT what || ' as ' || c.who, ', ') FROM own.caught AS c), NULL, '... calling no twin');
END $$;
SELECT lab.writes(who, statement, pattern, name) FROM (VALUES
	('Ali', 'UPDATE inbox.conversation SET assignee_id = 6 WHERE (id, assignee_id IS NULL, team_id) IN (SELECT min(id), true, 10::pg_catalog.int8 FROM inbox.conversation WHERE assignee_id IS NULL)', '^1', 'a claim'),
	('Ali', 'UPDATE inbox.conversation SET team_id = 20 WHERE ROW(id) IN (SELECT min(id) FROM inbox.conversation WHERE assignee_id IS NOT NULL)', '.', 'a hand-over'),
	('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) SELECT min(c.id), ''note'', ''x'' FROM inbox.conversation AS c WHERE c.assignee_id IS NOT NULL', '.', 'a message'),
	('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (4, ''note'', ''x'')', '^ERROR 42501', 'a refusal'),
	('Olga', 'DELETE FROM inbox.conversation', '^[1-9]', 'a cascade'),
	('Olga', 'INSERT INTO chat_rbac.unit (org_id, unit_id, parent_id, kind, name) VALUES (1, 50, 10, ''team'', ''New'')', '^1', 'a new unit'),
	('Olga', 'INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 50, ''Neil'')', '^1', 'a new member'),
	('Olga', 'SELECT chat_rbac.grant_role(''acme'', ''Neil'', ''Agent'', ''New'')', '^\(\d', 'a grant'),
	('Olga', 'UPDATE chat_rbac.role_grant SET valid = pg_catalog.tstzrange(NULL, ''2040-01-01'') WHERE ROW(member_id) IN (VALUES (50))', '^1', 'a shorter one'),
	('Olga', 'INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 500, ''Odd'', ''{conversation.view}'')', '^1', 'a role'),
	('Olga', 'INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id) SELECT 1, 500, min(role_id) FROM chat_rbac.role', '.', 'an inheritance'),
	('Olga', 'SELECT chat_rbac.revoke_role(''acme'', ''Neil'', ''Agent'', ''New'')', '^\(\d', 'a revocation'),
	('Olga', 'DELETE FROM chat_rbac.unit WHERE ROW(unit_id) IN (VALUES (50))', '.', 'a unit less'),
	('Ali', 'SELECT chat_rbac.grant_role(''acme'', ''Ali'', ''Owner'')', '^ERROR 42501', 'a grant to oneself')) AS v (who, statement, pattern, name);

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

--
-- Temporary objects that shadow: tables, views, functions, types, operators and domains in
-- pg_temp of the names that our functions, policies, views and reports use, with every
-- search_path.
--
-- Must happen: nothing that is ours finds them; what one sees and may do is the same.
--
SELECT * FROM no_plan();
SELECT string_agg(format('CREATE TEMP TABLE %I AS SELECT 1::bigint AS org_id, 6::bigint AS member_id, 1::bigint AS role_id, i AS id, NULL::bigint AS unit_id, ''x''::text AS name, ''{*.*}''::text AS permissions, ''{}''::jsonb AS spec FROM generate_series(1, 3) AS i', relname), '; ') AS tables
FROM (SELECT DISTINCT relname FROM pg_class WHERE relnamespace IN ('chat_rbac'::regnamespace, 'inbox'::regnamespace) AND relkind IN ('r', 'v', 'p') UNION SELECT unnest('{pg_class,pg_roles,pg_attribute,pg_policy,pg_inherits,pg_proc,pg_type,pg_trigger}'::name[])) AS c \gset
CREATE FUNCTION lab.shadow(who text, role text DEFAULT 'attack_app') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	f record;
	s text;
BEGIN
	-- functions of each of our names and some of PostgreSQL's, which tell that they were called
	FOR f IN SELECT DISTINCT proname, pg_get_function_identity_arguments(p.oid) AS args, format_type(prorettype, NULL) AS returns FROM pg_proc p
		WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.prokind = 'f' AND prorettype = 'boolean'::regtype AND provariadic = 0
		UNION SELECT * FROM (VALUES ('now', '', 'timestamptz'), ('jsonb_each', 'jsonb', 'int'), ('format', 'text, text', 'text'), ('pg_has_role', 'oid, text', 'boolean'), ('lower', 'text', 'text'), ('unnest', 'bigint[]', 'bigint'),
			('statement_timestamp', '', 'timestamptz'), ('upper_inf', 'anyrange', 'boolean'), ('coalesce', 'int', 'int'), ('hashint8', 'bigint', 'int')) AS v
	LOOP
		s := format('CREATE FUNCTION pg_temp.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN PERFORM own.tell(''called %I''::text); RETURN NULL; END $f$', f.proname, f.args, f.returns, f.proname);
		IF lab.remote(who, s, role) !~ '^0' THEN
			RETURN NEXT diag(s || ': ' || lab.remote(who, s, role));
		END IF;
	END LOOP;
END $$;
CREATE FUNCTION lab.all_of(who text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(lab.remote(who, s), E'\n-\n' ORDER BY n) FROM unnest(ARRAY['TABLE inbox.conversation', 'TABLE inbox.message', 'TABLE inbox.customer', 'TABLE inbox.task', 'TABLE inbox.report_load', 'TABLE inbox.report_waiting', 'SELECT who, did, what, changes FROM chat_rbac.activity',
		'SELECT org_id, member_id, name FROM chat_rbac.member', 'SELECT * FROM chat_rbac.grants', 'SELECT * FROM chat_rbac.whoami()', 'SELECT chat_rbac.actions(''inbox.conversation'', 1)', 'SELECT chat_rbac.can(''conversation.view'', ''inbox.conversation'', 16)',
		'SELECT * FROM chat_rbac.what_can(chat_rbac.current_member())', 'SELECT * FROM chat_rbac.explain_access(chat_rbac.current_member(), ''conversation.view'', ''inbox.conversation'', 2)', 'SELECT * FROM chat_rbac.session_permissions()', 'SELECT chat_rbac.role_graph()',
		'SELECT * FROM chat_rbac.user_permissions(''acme'', ''Ali'')', 'SELECT * FROM chat_rbac.history(''inbox.conversation'', ''1'')']) WITH ORDINALITY AS u (s, n) $$;
CREATE TABLE lab.before AS SELECT who, lab.all_of(who) AS seen FROM unnest('{Ali,Sue,Gus}'::text[]) AS who;
SELECT is(lab.remote(who, format('DO $d$ BEGIN %s; END $d$', :'tables')), E'0\n', who || ' makes tables that shadow') FROM unnest('{Ali,Sue,Gus}'::text[]) AS who;
SELECT lab.shadow(who) FROM unnest('{Ali,Sue,Gus}'::text[]) AS who;
SELECT is(lab.remote(who, s) !~ '^ERROR', true, who || ': ' || s) FROM unnest('{Ali,Sue,Gus}'::text[]) AS who, unnest(ARRAY[
	'CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (own.tell(VALUE::pg_catalog.text))', 'CREATE DOMAIN pg_temp.regclass AS pg_catalog.regclass CHECK (own.tell(VALUE::pg_catalog.oid))', 'CREATE DOMAIN pg_temp.int8 AS pg_catalog.int8 CHECK (own.tell(VALUE::pg_catalog.int8))',
	'CREATE TYPE pg_temp.permset AS (x pg_catalog.int4)', 'CREATE OPERATOR pg_temp.= (FUNCTION = pg_catalog.int8ne, LEFTARG = pg_catalog.int8, RIGHTARG = pg_catalog.int8)',
	'CREATE FUNCTION pg_temp.always(pg_catalog.anyelement, pg_catalog.anyelement) RETURNS pg_catalog.bool LANGUAGE sql IMMUTABLE AS ''SELECT true''']) AS s;
DELETE FROM own.loot;
SELECT is(lab.remote(b.who, 'SET search_path = ' || p) || (lab.all_of(b.who) = b.seen), E'0\ntrue', format('%s sees the same with search_path = %s', b.who, p))
FROM lab.before AS b, unnest('{pg_temp,"pg_temp, pg_catalog, chat_rbac, inbox","pg_catalog, pg_temp","own, pg_temp, chat_rbac"}'::text[]) AS p;
SELECT is((SELECT count(*) FROM own.loot), 0::bigint, 'and nothing of ours called any of them');
-- writes too
SELECT matches(lab.remote('Ali', s), a, 'with them: ' || s) FROM (VALUES ('UPDATE inbox.conversation SET priority = 3 WHERE id = 1', '^ERROR 42501: permission "conversation.prioritise"'), ('UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 1', '^1'),
	('UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 24', '^0'), ('INSERT INTO inbox.task (title) VALUES (''x'')', '^1'), ('INSERT INTO inbox.setting (name, value) VALUES (''x'', ''1'')', '^ERROR 42501'),
	('SELECT chat_rbac.grant_role(''acme'', ''Ali'', ''Owner'')', '^ERROR 42'), ('DELETE FROM inbox.conversation', '^0')) AS v (s, a);
SELECT is((SELECT count(*) FROM own.loot), 0::bigint, 'nor did a trigger');
SELECT lab.remote('Ali', 'SELECT ''a''::pg_temp.text') \g /dev/null
SELECT isnt((SELECT count(*) FROM own.loot), 0::bigint, 'though they do tell when they are called');
SELECT ok(lab.remote('Ali', 'SET search_path = pg_temp') ~ '^0' AND lab.remote('Ali', 'SELECT count(*) FROM conversation') = E'(3)\n', '... and shadow what is named without a schema');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

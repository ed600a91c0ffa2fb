--
-- Settings as a way in: set_config() and SET clauses in functions, the connection's
-- options, ALTER ROLE ... SET, placeholders of similar names, values made to be
-- misread, settings that change within a query, and those that PostgreSQL lets anybody
-- change.  A setting makes nobody somebody else, nor anybody more than they are.
--
SELECT plan(40);
SET client_min_messages = error;

-- ---- by functions ----

SELECT lab.gets_nothing('Vic', s, '^ERROR (42501|22023|55P02|42602)', 'refused: ' || s) FROM unnest('{
"CREATE FUNCTION own.f() RETURNS int LANGUAGE sql SET chat_rbac.identity = ''1/1'' AS ''SELECT 1''",
"CREATE FUNCTION own.f() RETURNS int LANGUAGE sql SET session_replication_role = replica AS ''SELECT 1''",
"CREATE FUNCTION own.f() RETURNS int LANGUAGE sql SET chat_rbac.identity_lifetime = ''session'' AS ''SELECT 1''",
"CREATE FUNCTION own.f() RETURNS int LANGUAGE sql SET role = ''attack_owner'' AS ''SELECT 1''",
"DO $d$ BEGIN SET LOCAL chat_rbac.identity = ''1/1''; END $d$",
"SELECT set_config(''chat_rbac.identity'', ''1/1'', true)","SELECT set_config(''CHAT_RBAC.IDENTITY'', ''1/1'', false)",
"SET chat_rbac.bulk_rows = 0","SET chat_rbac.read_audit = ''log''","SET chat_rbac.token_leeway = ''1h''","SET chat_rbac.cache_entries = 1","SET chat_rbac.anything = ''1/1''",
"UPDATE pg_settings SET setting = ''1/1'' WHERE name = ''chat_rbac.identity''","LOAD ''auto_explain''"}'::text[]) AS s;
-- functions with SET clauses of what anybody may set: each counts for its call, and narrows
SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.narrow() RETURNS SETOF text LANGUAGE sql SET chat_rbac.active_roles = 'Agent' AS 'SELECT body FROM inbox.message';
CREATE FUNCTION own.off() RETURNS SETOF text LANGUAGE plpgsql SET row_security = off AS $$ BEGIN RETURN QUERY SELECT body FROM inbox.message; END $$;
CREATE FUNCTION own.no_token() RETURNS SETOF text LANGUAGE sql SET chat_rbac.token = '' AS 'SELECT body FROM inbox.message';
CREATE FUNCTION own.switch(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('chat_rbac.token', '', false), set_config('chat_rbac.active_roles', '', false); RETURN true; END $$;
CREATE FUNCTION own.forge(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('chat_rbac.token', 'e30.e30.e30', false); RETURN true; END $$;
RESET SESSION AUTHORIZATION;
SELECT lab.sees_own_only('Ali', 'SELECT own.narrow()', 'active_roles narrows');
SELECT lab.gets_nothing('Ali', 'SELECT own.off()', '^ERROR 42501', 'row_security = off is an error');
SELECT lab.gets_nothing('Ali', 'SELECT own.no_token()', '^$', 'without a token nobody asks');
SELECT is(lab.hidden('Ali', o), '{}', 'a token that goes while the query runs opens nothing') FROM lab.run_as('Ali', 'SELECT body FROM inbox.message WHERE own.switch(id)') AS o;
SELECT is(lab.hidden('Ali', o), '{}', 'nor one that turns bad') FROM lab.run_as('Ali', 'SELECT body FROM inbox.message WHERE own.forge(id)') AS o;
SELECT lab.gets_nothing('Ali', 'SELECT set_config(''chat_rbac.active_roles'', ' || quote_literal(r) || ', true), body FROM inbox.message', '^(ERROR|\()', 'no name of roles widens: ' || r)
FROM unnest('{Owner,"Agent, Owner","*","Agent\" , \"Owner","ＯＷＮＥＲ"}'::text[]) AS r;

-- ---- who is read back ----

SELECT is(lab.run_as('Ali', 'SHOW chat_rbac.token'), E'("(hidden)")\n', 'a token is not read back');
SELECT lab.gets_nothing('Ali', s, '^(\(\(?hidden|\(""?\(hidden|$|ERROR|\(\)|\(,)', 'nor by: ' || s) FROM unnest('{"SELECT current_setting(''chat_rbac.token'')","SELECT setting FROM pg_settings WHERE name = ''chat_rbac.token''","SELECT reset_val FROM pg_settings WHERE name = ''chat_rbac.token''"}'::text[]) AS s;
SELECT is(lab.run_as('Ali', 'SELECT setting FROM pg_settings WHERE name LIKE ''chat_rbac.%''') ~ 'eyJ', false, 'no setting holds it');

-- ---- by the connection, as any client may ----

CREATE ROLE attack_18 LOGIN IN ROLE attack_app;
GRANT USAGE ON SCHEMA inbox, chat_rbac TO attack_18;
GRANT SELECT ON inbox.message TO attack_18;
CREATE FUNCTION lab.by_options(options text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	output text;
BEGIN
	PERFORM dblink_connect('options', format('host=%L port=%s dbname=%L user=attack_18 options=%L', split_part(current_setting('unix_socket_directories'), ',', 1),
		current_setting('port'), current_database(), options));
	SELECT t.x INTO output FROM dblink('options', format('SELECT lab.attempt(%L)', statement)) AS t (x text);
	PERFORM dblink_disconnect('options');
	RETURN output;
EXCEPTION WHEN OTHERS THEN
	IF 'options' = ANY (dblink_get_connections()) THEN
		PERFORM dblink_disconnect('options');
	END IF;
	RETURN 'ERROR ' || SQLERRM;
END $$;
SELECT is(lab.by_options('', 'SELECT body FROM inbox.message'), '', 'who says nothing is nobody');
SELECT is(lab.by_options(o, 'SELECT body FROM inbox.message') ~ '~m', false, 'options make nobody somebody: ' || o) FROM unnest('{
"-c chat_rbac.identity=1/1","-c session_preload_libraries= -c chat_rbac.identity=1/1","-c chat_rbac.identity=1/1 -c chat_rbac.identity_lifetime=session","-c row_security=off","-c role=attack_app -c chat_rbac.identity=1/1",
"-c session_replication_role=replica"}'::text[]) AS o;
SELECT is(lab.by_options('-c chat_rbac.token=' || (SELECT token FROM lab.person WHERE name = 'Gwen'), 'SELECT member FROM chat_rbac.whoami()'), E'(Gwen)\n', 'a token does');
-- a role may set for itself what it may set
SET SESSION AUTHORIZATION attack_18;
SELECT throws_ok('ALTER ROLE attack_18 SET chat_rbac.identity = ''1/1''', '42501', NULL, 'nobody keeps an identity for the next connection');
RESET SESSION AUTHORIZATION;
-- not even one that a superuser's session has: it is of that session
ALTER ROLE attack_18 SET chat_rbac.identity = '1/6';
SELECT is(lab.by_options('', 'SELECT member FROM chat_rbac.whoami()'), E'(Ali)\n', 'a DBA does');
SELECT is(lab.by_options('-c chat_rbac.identity=1/1', 'SELECT member FROM chat_rbac.whoami()') ~ 'Olga', false, 'which options do not change');

SELECT * FROM finish();
DROP OWNED BY attack_18;
DROP ROLE attack_18;

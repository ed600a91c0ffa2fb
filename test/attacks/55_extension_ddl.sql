--
-- The extension as an object: DROP, ALTER and CREATE EXTENSION, its functions, types,
-- schema, event triggers, settings and library, in the hands of ordinary roles, of the
-- owner of protected tables, and of the owner of the database.
--
-- Must happen: none of them can change or take away anything of it.
--
SELECT * FROM no_plan();
SET client_min_messages = error;
SELECT to_regrole('attack_55_dbo') IS NULL AS missing \gset
\if :missing
	CREATE ROLE attack_55_dbo LOGIN CREATEROLE CREATEDB;
\endif
SELECT format('ALTER DATABASE %I OWNER TO attack_55_dbo', current_database()) \gexec
GRANT ALL ON SCHEMA chat_rbac TO attack_55_dbo;			-- with CREATE in it: careless, and not enough
SELECT lab.gets_nothing('Olga', s, '^ERROR (42501|42809|55000|42710|2BP01|42723|42P06|42939|0A000|58P01|42704|25001|42P07|22023|XX000|42622|42883|42P16|42P13|55P02)', format('%s: %s', r, left(s, 130)), r)
FROM unnest('{attack_app,attack_owner,attack_55_dbo}'::text[]) AS r, unnest(ARRAY[
	'DROP EXTENSION chat_rbac', 'DROP EXTENSION chat_rbac CASCADE', 'ALTER EXTENSION chat_rbac UPDATE TO ''0.2''', 'ALTER EXTENSION chat_rbac DROP FUNCTION chat_rbac.guard()', 'ALTER EXTENSION chat_rbac ADD TABLE own.loot', 'ALTER EXTENSION chat_rbac SET SCHEMA own',
	'CREATE EXTENSION chat_rbac SCHEMA own', 'COMMENT ON EXTENSION chat_rbac IS ''x''', 'DROP SCHEMA chat_rbac CASCADE', 'ALTER SCHEMA chat_rbac RENAME TO x', 'ALTER SCHEMA chat_rbac OWNER TO CURRENT_USER',
	'CREATE OR REPLACE FUNCTION chat_rbac.current_org() RETURNS bigint LANGUAGE sql AS ''SELECT 1::bigint''', 'DROP FUNCTION chat_rbac.current_org() CASCADE', 'ALTER FUNCTION chat_rbac.current_org() RENAME TO x', 'ALTER FUNCTION chat_rbac.current_org() IMMUTABLE', 'ALTER FUNCTION chat_rbac.current_org() SET search_path = own',
	'ALTER FUNCTION chat_rbac.in_unit_scope(bigint, chat_rbac.permset, text, text) NOT LEAKPROOF', 'ALTER FUNCTION chat_rbac.protect(regclass, jsonb) SECURITY DEFINER', 'ALTER FUNCTION chat_rbac.guard() OWNER TO CURRENT_USER', 'ALTER FUNCTION chat_rbac.current_org() DEPENDS ON EXTENSION pgtap',
	'DROP TYPE chat_rbac.permset CASCADE', 'ALTER TYPE chat_rbac.permset RENAME TO x', 'DROP TABLE chat_rbac.role_grant CASCADE', 'ALTER TABLE chat_rbac.role_grant DISABLE TRIGGER ALL', 'ALTER TABLE chat_rbac.member DISABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON chat_rbac.member USING (true)',
	'ALTER TABLE chat_rbac.role_grant DROP CONSTRAINT role_grant_valid_half_open', 'CREATE OR REPLACE VIEW chat_rbac.grants AS SELECT 1', 'ALTER VIEW chat_rbac.grants RESET (security_invoker)', 'CREATE RULE r AS ON INSERT TO chat_rbac.role_grant DO INSTEAD NOTHING', 'CREATE TABLE own.c () INHERITS (chat_rbac.role_grant)',
	'CREATE TABLE own.p PARTITION OF chat_rbac.audit_event FOR VALUES FROM (''2000-01-01'') TO (''2000-02-01'')', 'ALTER TABLE chat_rbac.audit_event DETACH PARTITION chat_rbac.audit_event_default', 'DROP EVENT TRIGGER chat_rbac_triggers', 'ALTER EVENT TRIGGER chat_rbac_new_parts DISABLE',
	'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION chat_rbac.refuse_triggers()', 'DROP OPERATOR chat_rbac.@> (chat_rbac.permset, chat_rbac.permission) CASCADE', 'DROP CAST (text[] AS chat_rbac.permset)', 'CREATE CAST (chat_rbac.permset AS text) WITHOUT FUNCTION',
	'ALTER OPERATOR CLASS chat_rbac.permission_ops USING btree OWNER TO CURRENT_USER', 'REVOKE EXECUTE ON FUNCTION chat_rbac.current_org() FROM PUBLIC; DROP FUNCTION chat_rbac.current_org()', 'LOAD ''/tmp/x''', 'CREATE FUNCTION own.c() RETURNS int LANGUAGE c AS ''chat_rbac'', ''chat_rbac_current_org''',
	'CREATE FUNCTION own.c() RETURNS boolean LANGUAGE sql LEAKPROOF AS ''SELECT true''', 'REASSIGN OWNED BY postgres TO CURRENT_USER', 'SET chat_rbac.identity = ''1/1''', 'ALTER ROLE CURRENT_USER SET chat_rbac.identity = ''1/1''', 'GRANT SET ON PARAMETER chat_rbac.identity TO CURRENT_USER; SET chat_rbac.identity = ''1/1''',
	'ALTER ROLE CURRENT_USER SET chat_rbac.identity_lifetime = ''session''', 'ALTER ROLE CURRENT_USER SUPERUSER', 'ALTER ROLE CURRENT_USER BYPASSRLS', 'ALTER SYSTEM SET session_preload_libraries = ''''', 'SET session_preload_libraries = ''''',
	'ALTER ROLE CURRENT_USER SET session_preload_libraries = ''''', 'ALTER TABLE chat_rbac.member ADD COLUMN x int', 'ALTER SEQUENCE chat_rbac.org_org_id_seq RESTART', 'SET ROLE postgres',
	'UPDATE pg_proc SET proleakproof = true', 'UPDATE pg_class SET relrowsecurity = false', 'DELETE FROM pg_policy', 'SET allow_system_table_mods = on']) AS s;
SELECT lab.gets_nothing('Olga', format('ALTER DATABASE %I SET %s', current_database(), s), '^ERROR (42501|55P02)', 'the owner of the database sets not: ' || s, 'attack_55_dbo') FROM unnest('{session_preload_libraries = '''',chat_rbac.identity = ''1/1'',chat_rbac.read_audit = log,chat_rbac.identity_lifetime = session,session_replication_role = replica}'::text[]) AS s;
-- which may still be done: members of our schema cannot be added by who has CREATE there, to be found before ours
SELECT is(lab.run_as('Olga', 'CREATE FUNCTION chat_rbac.in_unit_scope(int2, chat_rbac.permset, text, text) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN RETURN true; END''', 'attack_55_dbo') ~ '^0', true, 'who has CREATE on the schema may add an overload');
SELECT is(lab.run_as('Olga', 'CREATE FUNCTION chat_rbac.can(text) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN RETURN true; END''', 'attack_55_dbo') ~ '^0', true, '... and another');
SELECT lab.sees_own_only('Ali', 'TABLE inbox.conversation', 'which no policy calls');
SET client_min_messages = error;
SELECT chat_rbac.protect('inbox.conversation', chat_rbac.protection('inbox.conversation')) \g /dev/null
SELECT lab.sees_own_only('Ali', 'TABLE inbox.conversation', '... nor one that is made now');
SELECT is((SELECT count(*) FROM pg_extension WHERE extname = 'chat_rbac') || ' ' || (SELECT count(*) FROM chat_rbac.protections WHERE problems = '{}'), '1 10', 'all is there, and as it was');
SELECT is((SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.proowner <> 10), 2::bigint, 'but for those two');
SELECT * FROM finish();

--
-- Texts of statements: pg_stat_activity, pg_stat_statements, error messages with contexts,
-- debug output that a client may ask for, settings that show.
--
-- Must happen: a token, and a setting that says who asks, are shown to nobody; no message
-- that a client may ask for tells of rows; other database roles' texts are not shown.
--
-- Known leaks: persons that share a database role see the texts of each other's statements,
-- in any org: what is not a parameter is in them, so a token is to be a parameter.
--
SELECT * FROM no_plan();
CREATE EXTENSION pg_stat_statements;
-- (of this database: files of attacks run side by side)
CREATE VIEW own.activity AS SELECT * FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
CREATE VIEW own.statements AS SELECT * FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database());
GRANT SELECT ON own.activity, own.statements TO attack_app, attack_bi;
SELECT is(lab.run_as('Ali', s) ~ 'eyJ', false, 'the token is not shown by: ' || s) FROM unnest('{SHOW chat_rbac.token,SELECT current_setting(''chat_rbac.token''),SELECT * FROM pg_settings WHERE name ~ ''chat_rbac'',SHOW ALL,TABLE pg_file_settings,SELECT * FROM pg_db_role_setting,
	"SELECT set_config(''chat_rbac.token'', current_setting(''chat_rbac.token''), true)",TABLE chat_rbac.signing_key}'::text[]) AS s;
SELECT is(lab.run_as('Ali', 'SELECT secret FROM chat_rbac.signing_key') ~ '^ERROR 42501', true, 'nor the key');
SELECT is(lab.run_as('Ali', format('SET chat_rbac.token = %L', 'x' || (SELECT token FROM lab.person WHERE name = 'Gus'))) ~ 'eyJ', false, 'an invalid token is not repeated by the error');

-- other sessions: of another role nothing, of the same role their texts
SELECT dblink_connect('gus', format('host=%L port=%s dbname=%L user=attack_app', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database())) \g /dev/null
SELECT dblink_exec('gus', format('SET chat_rbac.token = %L', (SELECT token FROM lab.person WHERE name = 'Gus'))) \g /dev/null
SELECT is(o ~ 'eyJ', false, 'a statement with a token is not shown, even to the same role') FROM lab.run_as('Gwen', 'SELECT query FROM own.activity') AS o;
SELECT * FROM dblink('gus', 'SELECT count(*) FROM inbox.task WHERE title = ''~t2-7~''') AS t (n bigint) \g /dev/null
SELECT matches(lab.run_as('Gwen', 'SELECT query FROM own.activity'), '~t2-7~', 'known leak: the same database role''s last statement shows, whoever asks by it');
SELECT dblink_exec('gus', 'PREPARE be (text) AS SELECT set_config(''chat_rbac.token'', $1, false)') \g /dev/null
SELECT is(lab.run_as('Sue', 'SELECT query, application_name FROM own.activity WHERE usename <> ''attack_bi''', 'attack_bi') ~ 'eyJ|be \(text\)', false, 'another role''s does not');
SELECT is(lab.run_as('Sue', 'SELECT query FROM own.activity WHERE usename = ''attack_app''', 'attack_bi') ~ 'insufficient privilege', true, '... but that there are some');
-- the token as a parameter
SELECT * FROM dblink('gus', 'SELECT count(*) FROM inbox.conversation') AS t (n bigint) \g /dev/null
SELECT is(lab.run_as('Gwen', 'SELECT query FROM own.activity') ~ 'eyJ', false, 'and is gone with the next statement');

-- pg_stat_statements
SELECT pg_stat_statements_reset() \g /dev/null
SELECT dblink_exec('gus', 'DO $d$ BEGIN PERFORM set_config(''chat_rbac.token'', current_setting(''chat_rbac.token''), true); END $d$') \g /dev/null
SELECT dblink_exec('gus', format('SET chat_rbac.token = %L', (SELECT token FROM lab.person WHERE name = 'Gus'))) \g /dev/null
SELECT lab.remote('Hana', 'SELECT labels FROM inbox.conversation WHERE labels = ARRAY[''~v1-16~'']') \g /dev/null
SELECT is(lab.hidden('Sue', o, true) = '{}' AND o ~ 'insufficient privilege', true, 'statements of other roles are counted, and not shown') FROM lab.run_as('Sue', 'SELECT userid, query FROM own.statements', 'attack_bi') AS o;
SELECT is(lab.hidden('Gwen', o), '{}', 'of the same role they are, without constants') FROM lab.run_as('Gwen', 'SELECT query, rows FROM own.statements WHERE query ~ ''labels''') AS o;
SELECT * FROM dblink('gus', 'SELECT count(*) FROM inbox.task WHERE title = ''~t2-7~''') AS t (n bigint) \g /dev/null
SELECT is(o ~ 'inbox.task' AND o !~ '~t2', true, 'known leak: and how often they were run, and how many rows they gave') FROM lab.run_as('Gwen', 'SELECT query, calls, rows FROM own.statements WHERE query ~ ''inbox.task''') AS o;
SELECT is(lab.run_as('Gwen', 'SELECT query FROM own.statements') ~ 'eyJ', current_setting('server_version_num')::int < 180000, 'known leak: before PostgreSQL 18 a SET keeps its constant there, and so the token');
SELECT pg_stat_statements_reset() \g /dev/null
SELECT * FROM dblink('gus', format('SELECT set_config(''chat_rbac.token'', %L, false)', (SELECT token FROM lab.person WHERE name = 'Gus'))) AS t (x text) \g /dev/null
SELECT is(lab.run_as('Gwen', 'SELECT query FROM own.statements') ~ 'eyJ', false, '... which set_config() does not');

-- messages that a client may ask for
SET client_min_messages = error;
SELECT lab.remote('Ali', s) FROM unnest('{SET client_min_messages = debug5,SET debug_print_plan = on,SET debug_print_rewritten = on,SET debug_print_parse = on,SET log_error_verbosity = verbose,SET trace_sort = on,SET log_statement_stats = on,SET track_activity_query_size = 10}'::text[]) AS s \g /dev/null
CREATE FUNCTION lab.heard(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN lab.remote(who, statement);
END $$;
SELECT is(lab.hidden('Ali', lab.heard('Ali', s)), '{}', 'with debug settings: ' || s) FROM unnest(ARRAY['SELECT c.*, m.* FROM inbox.conversation AS c JOIN inbox.message AS m ON own.tell(m.body)', 'UPDATE inbox.conversation SET priority = 3 WHERE id = 1', 'SELECT chat_rbac.can(''conversation.view'', ''inbox.conversation'', 16)']) AS s;
SELECT is(lab.run_as('Ali', s) ~ '^ERROR (42501|55P02)', true, 'not to be set: ' || s) FROM unnest('{SET log_statement = ''none'',SET log_min_messages = panic,SET log_min_duration_statement = 0,SET chat_rbac.read_audit = ''log'',SET chat_rbac.bulk_rows = 0,SET chat_rbac.identity_lifetime = ''session'',
	SET chat_rbac.token_leeway = 100000,SET chat_rbac.cache_entries = 1,SET chat_rbac.audit_retention_months = 1,SET pg_stat_statements.track = ''all'',SET compute_query_id = off,SET log_lock_waits = on}'::text[]) AS s;
SELECT is(lab.run_as('Ali', s) ~ '^ERROR 42501', true, 'not for an ordinary role: ' || s) FROM unnest('{SELECT pg_read_file(''postgresql.conf''),SELECT pg_ls_logdir(),SELECT pg_rotate_logfile(),SELECT pg_reload_conf(),SELECT pg_stat_reset(),SELECT pg_stat_statements_reset(),SELECT pg_log_backend_memory_contexts(1),SELECT * FROM pg_backend_memory_contexts,
	SELECT * FROM pg_shmem_allocations,SELECT pg_read_server_files(),TABLE pg_authid,TABLE pg_statistic,TABLE pg_user_mapping,SELECT pg_current_logfile()}'::text[]) AS s WHERE s !~ 'pg_read_server_files';
SELECT dblink_disconnect('gus') \g /dev/null
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

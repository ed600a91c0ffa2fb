--
-- Logical decoding and publications: all rows of all orgs pass there, past policies.
--
-- Must happen: ordinary roles, and owners of protected tables, get neither slots nor
-- changes, and publish nothing.
--
-- Known leak: a role with the attribute REPLICATION reads every row that is written.
--
SELECT * FROM no_plan();
SELECT lab.gets_nothing(who, s, '^ERROR (42501|55000|42704)', format('%s (%s): %s', who, role, s), role)
FROM unnest('{Olga,Gwen}'::text[]) AS who, unnest('{attack_app,attack_owner,attack_bi}'::text[]) AS role, unnest(ARRAY['SELECT pg_create_logical_replication_slot(''attack_50_own'', ''test_decoding'')', 'SELECT pg_create_physical_replication_slot(''attack_50_own'')',
	'SELECT * FROM pg_logical_slot_get_changes(''attack_50'', NULL, NULL)', 'SELECT * FROM pg_logical_slot_peek_changes(''attack_50'', NULL, NULL)', 'SELECT * FROM pg_replication_origin_session_setup(''x'')', 'SELECT pg_drop_replication_slot(''attack_50'')',
	'CREATE PUBLICATION p FOR ALL TABLES', 'CREATE SUBSCRIPTION s CONNECTION ''dbname=x'' PUBLICATION p WITH (connect = false)', 'ALTER ROLE CURRENT_USER REPLICATION', 'SELECT pg_read_binary_file(''PG_VERSION'')', 'SELECT pg_ls_waldir()']) AS s;
SELECT lab.gets_nothing('Olga', 'CREATE PUBLICATION p FOR TABLE inbox.conversation', '^ERROR 42501', 'nor is a table published by whom it does not belong to');

-- what passes there, for a role that may
SELECT to_regrole('attack_50_replica') IS NULL AS missing \gset
\if :missing
	CREATE ROLE attack_50_replica LOGIN REPLICATION;
\endif
SELECT format('SELECT pg_drop_replication_slot(%L)', slot_name) FROM pg_replication_slots WHERE slot_name = 'attack_50' AND NOT active \gexec
-- not in an assertion, whose own transaction it would wait for
SELECT lab.remote('Vic', 'SELECT slot_name FROM pg_create_logical_replication_slot(''attack_50'', ''test_decoding'')', 'attack_50_replica') \g /dev/null
SELECT is((SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'attack_50'), 1::bigint, 'a role with REPLICATION makes a slot');
SELECT lab.gets_nothing('Gwen', s, '^ERROR (42501|55000)', 'which others do not read: ' || s) FROM unnest('{"SELECT * FROM pg_logical_slot_peek_changes(''attack_50'', NULL, NULL)","SELECT pg_replication_slot_advance(''attack_50'', pg_current_wal_lsn())","SELECT pg_drop_replication_slot(''attack_50'')"}'::text[]) AS s;
SELECT lab.run_as('Hana', 'UPDATE inbox.conversation SET priority = 1 WHERE id = 16') \g /dev/null
SELECT matches(lab.remote('Vic', 'SELECT data FROM pg_logical_slot_get_changes(''attack_50'', NULL, NULL)', 'attack_50_replica'), '~v1-16~', 'known leak: ... and reads every row that is written');
SELECT is(lab.remote('Vic', 'TABLE inbox.conversation', 'attack_50_replica') ~ '^ERROR 42501', true, 'but no table');
SELECT lab.remote('Vic', 'SELECT pg_drop_replication_slot(''attack_50'')', 'attack_50_replica') \g /dev/null
-- what the extension writes into the stream by itself: nothing but rows
SELECT is(ARRAY(SELECT proname FROM pg_proc WHERE pronamespace = 'chat_rbac'::regnamespace AND prosrc ~ 'logical_emit_message'), '{}'::name[], 'no messages of ours are in it');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

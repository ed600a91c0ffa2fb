--
-- Channels beside the tables: large objects, advisory locks, LISTEN/NOTIFY, sequences,
-- locks that everybody may look at, and times of commits.
--
-- Must happen: none of ours is used by the extension in a way that tells of rows; what
-- an attacker finds there is what attackers put there.
--
-- Known leaks: the next number of an id tells how many rows all orgs made; a lock that one
-- waits for tells that somebody else writes.
--
SELECT * FROM no_plan();
SET client_min_messages = error;
SELECT is((SELECT count(*) FROM pg_largeobject_metadata), 0::bigint, 'nothing of an inbox is in large objects');
SELECT is(lab.run_as('Ali', 'SELECT lo_from_bytea(4711, convert_to(string_agg(c::text, '',''), ''UTF8'')) FROM inbox.conversation AS c'), E'(4711)\n', 'a large object is made of what one sees');
SELECT lab.sees_own_only('Ali', 'SELECT convert_from(lo_get(4711), ''UTF8'')', '... and holds no more');
SELECT lab.gets_nothing('Gwen', 'SELECT lo_export(oid, ''/tmp/attack_46'') FROM pg_largeobject_metadata', '^ERROR 42501', 'which is not exported to the server''s files');
SELECT lab.gets_nothing('Gwen', 'SELECT lo_import(''/etc/passwd'')', '^ERROR 42501', 'nor filled from them');
SELECT lab.gets_nothing('Gwen', 'SELECT data FROM pg_largeobject', '^ERROR 42501', 'nor read past its functions');
SELECT is((SELECT count(*) FROM lab.markers((SELECT string_agg(convert_from(data, 'UTF8'), '') FROM pg_largeobject)) AS m WHERE 'Ali' <> ALL (m.row_seen_by)), 0::bigint, 'and holds nothing else');

-- (of this database: files of attacks run side by side)
CREATE VIEW own.locks AS SELECT * FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database());
GRANT SELECT ON own.locks TO attack_app;

-- advisory locks: that of an org, for which changes of a policy wait, can be held by anybody, which stops them and shows nothing
SELECT is(lab.remote('Gwen', 'SELECT count(*) FROM own.locks WHERE locktype = ''advisory'''), E'(0)\n', 'no advisory lock is held in silence');
SELECT lab.remote('Ali', s) FROM unnest('{UPDATE inbox.conversation SET labels = labels,SELECT chat_rbac.can(''conversation.view''),TABLE inbox.message}'::text[]) AS s \g /dev/null
SELECT is(lab.remote('Gwen', 'SELECT count(*) FROM own.locks WHERE locktype = ''advisory'' OR classid IS NOT NULL'), E'(0)\n', 'nor by reading and writing');
SELECT is(ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.prosrc ~* 'notify' AND p.prosrc !~ 'RAISE NOTICE'), '{}'::text[], 'no function of ours notifies');

-- LISTEN hears of nobody's changes
SELECT lab.remote('Gwen', 'LISTEN chat_rbac') || lab.remote('Gwen', 'LISTEN inbox') \g /dev/null
SELECT lab.run_as('Ada', 'UPDATE inbox.conversation SET priority = 1 WHERE id = 1') || lab.run_as('Ada', 'UPDATE chat_rbac.member SET active = false WHERE member_id = 7') \g /dev/null
SELECT is((SELECT count(*) FROM dblink_get_notify('Gwen attack_app')), 0::bigint, 'LISTEN hears of no change');
SELECT is(lab.remote('Gwen', 'NOTIFY inbox, ''hello''') || (SELECT string_agg(extra, '') FROM dblink_get_notify('Gwen attack_app')), E'0\nhello', 'but of what is sent');

-- sequences
SELECT is(lab.run_as('Gwen', format('SELECT last_value FROM %s', s)) ~ '^ERROR 42501', true, 'a sequence is not read: ' || s) FROM unnest('{inbox.conversation_id_seq,inbox.message_id_seq,chat_rbac.member_member_id_seq}'::text[]) AS s;
SELECT is(lab.run_as('Gwen', format('SELECT setval(%L, 1)', s)) ~ '^ERROR 42501', true, 'nor set: ' || s) FROM unnest('{inbox.conversation_id_seq,chat_rbac.member_member_id_seq}'::text[]) AS s;
SELECT is(lab.run_as('Gwen', 'SELECT max(last_value) FROM pg_sequences WHERE schemaname = ''chat_rbac'''), E'()\n', 'nor shown by pg_sequences');
SELECT cmp_ok(substring(lab.run_as('Gwen', 'SELECT nextval(''inbox.task_id_seq'')') FROM '\d+')::bigint, '<', (substring(lab.run_as('Ali', 'INSERT INTO inbox.task (title) VALUES (''x'') RETURNING id') FROM '\d+'))::bigint,
	'known leak: the next id tells how many rows were made meanwhile, in all orgs');

-- locks that everybody may look at: relations, not rows
BEGIN;
SELECT lab.run_as('Ali', 'SELECT id FROM inbox.conversation WHERE id = 5 FOR UPDATE') \g /dev/null
SELECT is(lab.remote('Gwen', 'SELECT count(*) FROM own.locks WHERE locktype = ''tuple'' OR page IS NOT NULL OR tuple IS NOT NULL'), E'(0)\n', 'a row that is locked does not show');
SELECT is(lab.remote('Gwen', 'SELECT count(*) FROM own.locks WHERE relation = ''inbox.conversation''::regclass AND granted') <> E'(0)\n', true, 'known leak: that a table is in use does');
SELECT is(lab.remote('Gwen', 'SELECT id FROM inbox.conversation WHERE id = 5 FOR UPDATE SKIP LOCKED') || lab.remote('Gwen', 'SELECT id FROM inbox.conversation WHERE org_id = 1 FOR UPDATE NOWAIT'), E'(5)\n', 'and rows of others are not reached, to find out who holds them');
ROLLBACK;
SELECT lab.gets_nothing('Gwen', 'SELECT pg_xact_commit_timestamp(xmin) FROM inbox.conversation WHERE org_id = 1', '^$', 'nor when they were written');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

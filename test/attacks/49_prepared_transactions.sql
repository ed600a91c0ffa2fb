--
-- PREPARE TRANSACTION: work that outlives the session and its identity, is committed by
-- another person of the same database role, or never.
--
-- Must happen: what was done was judged, and is recorded, by who did it; what is prepared
-- gives nobody anything before it is committed; reads of audited views are not lost.
--
SELECT * FROM no_plan();
CREATE FUNCTION lab.step(who text, statement text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF (who || ' ' || role) <> ALL (coalesce(dblink_get_connections(), '{}')) THEN
		PERFORM lab.remote(who, 'SELECT 1', role);
	END IF;
	RETURN dblink_exec(who || ' ' || role, statement);
EXCEPTION WHEN OTHERS THEN
	RETURN 'ERROR ' || SQLSTATE || ': ' || SQLERRM;
END $$;
-- (each statement of its own: a transaction block is not for functions)
SELECT is(lab.step('Ali', s), t, s) FROM (VALUES ('BEGIN', 'BEGIN'), ('UPDATE inbox.conversation SET status = ''closed'' WHERE id = 1', 'UPDATE 1'), ('UPDATE inbox.conversation SET assignee_id = 7 WHERE id = 5', 'UPDATE 1'), ('PREPARE TRANSACTION ''one''', 'PREPARE TRANSACTION')) AS v (s, t);
SELECT is((SELECT status FROM inbox.conversation WHERE (org_id, id) = (1, 1)), 'open', 'what is prepared is not done');
SELECT lab.gets_nothing('Ben', 'SELECT labels FROM inbox.conversation WHERE id = 5', '^$', 'who is given a row does not have it yet');
SELECT lab.sees_own_only('Ali', 'SELECT labels FROM inbox.conversation WHERE id = 5', '... and who gives it does');
SELECT lab.gets_nothing('Gwen', 'SELECT * FROM pg_prepared_xacts', '^\(\d+,one,', 'that it is prepared everybody sees, and nothing of it');
SELECT is(lab.step('Gwen', 'COMMIT PREPARED ''one'''), 'COMMIT PREPARED', 'known leak: the same database role commits it, whoever asks');
SELECT is((SELECT string_agg(actor_org_id || '/' || actor_name || ' ' || actions::text, ',' ORDER BY event_id) FROM chat_rbac.audit_event WHERE operation = 'update' AND table_name = 'inbox.conversation'), '1/Ali {conversation.close},1/Ali {conversation.assign}', 'it was done by who did it');
SELECT lab.gets_nothing('Ali', 'SELECT labels FROM inbox.conversation WHERE id = 5', '^$', 'and now the row is given away');
SELECT matches(lab.run_as('Ben', 'SELECT labels FROM inbox.conversation WHERE id = 5'), '~v1-5~', '... to whom it was given');

-- nothing is judged at COMMIT PREPARED, and nothing can be added
SELECT is(lab.step('Ali', s), t, s) FROM (VALUES ('BEGIN', 'BEGIN'), ('UPDATE inbox.conversation SET status = ''closed'' WHERE id = 9', 'UPDATE 1'), ('PREPARE TRANSACTION ''two''', 'PREPARE TRANSACTION')) AS v (s, t);
SELECT matches(lab.step('Ali', s), t, s) FROM (VALUES ('BEGIN', '^BEGIN'), ('UPDATE inbox.conversation SET priority = 3 WHERE id = 25', '^ERROR 42501'), ('PREPARE TRANSACTION ''three''', '^ROLLBACK')) AS v (s, t);
SELECT is((SELECT count(*) FROM pg_prepared_xacts), 1::bigint, 'what was refused is not prepared');
SELECT is(lab.step('Ali', 'ROLLBACK PREPARED ''two'''), 'ROLLBACK PREPARED', 'rolled back');
SELECT is((SELECT count(*) FROM chat_rbac.audit_event e WHERE e.row_key = '9' AND e.table_name = 'inbox.conversation' AND e.operation = 'update'), 0::bigint, '... with its events');

-- grants that are prepared: nobody has them before
SELECT is(lab.step('Ada', s), t, s) FROM (VALUES ('BEGIN', 'BEGIN'), ('DELETE FROM chat_rbac.role_grant WHERE member_id = 6', 'DELETE 1'),
	('INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT 1, 10, role_id, 10 FROM chat_rbac.role WHERE name = ''Supervisor''', 'INSERT 0 1'), ('PREPARE TRANSACTION ''four''', 'PREPARE TRANSACTION')) AS v (s, t);
SELECT lab.gets_nothing('Vic', 'TABLE inbox.conversation', '^$', 'a grant that is prepared gives nothing');
SELECT lab.sees_own_only('Ali', 'TABLE inbox.conversation', '... and a revocation takes nothing');
SELECT is(lab.remote('Ada', 'SELECT member FROM chat_rbac.grants WHERE member = ''Vic'''), '', 'nor does its author go by it any more');
SELECT is(lab.step('Ada', 'COMMIT PREPARED ''four'''), 'COMMIT PREPARED', 'committed');
SELECT lab.gets_nothing('Ali', 'TABLE inbox.conversation', '^$', 'it counts in every session');
SELECT is(lab.remote('Ali', 'TABLE inbox.conversation'), '', '... open ones too');
SELECT isnt(lab.remote('Vic', 'SELECT id FROM inbox.conversation'), '', '... and for whom it was given');

-- identity does not come with it, nor stay behind
SELECT is(lab.step('Ben', s), t, s) FROM (VALUES ('BEGIN', 'BEGIN'), (format('SET LOCAL chat_rbac.token = %L', (SELECT token FROM lab.person WHERE name = 'Gus')), 'SET'), ('UPDATE inbox.task SET title = title WHERE id = 1', 'UPDATE 1'), ('PREPARE TRANSACTION ''five''', 'PREPARE TRANSACTION')) AS v (s, t);
SELECT is(lab.remote('Ben', 'SELECT chat_rbac.current_org(), chat_rbac.current_member()'), E'(1,7)\n', 'who one was within is over with PREPARE TRANSACTION');
SELECT is(lab.step('Ben', 'ROLLBACK PREPARED ''five'''), 'ROLLBACK PREPARED', 'five');

-- reads of an audited view in a transaction that is prepared: an event of it, and a line of the log, as it may be rolled back by anybody
SELECT count(*) AS events FROM chat_rbac.audit_event WHERE operation = 'read' \gset
SELECT is(lab.step('Sue', s, 'attack_bi'), t, s) FROM (VALUES ('BEGIN', 'BEGIN'), ('DECLARE c CURSOR FOR TABLE inbox.report', 'DECLARE CURSOR'), ('MOVE 3 IN c', 'MOVE 3'), ('PREPARE TRANSACTION ''six''', 'PREPARE TRANSACTION')) AS v (s, t);
SELECT is(lab.step('Sue', 'COMMIT PREPARED ''six''', 'attack_bi'), 'COMMIT PREPARED', 'six');
SELECT is((SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'read'), :events + 1::bigint, 'a read is recorded with what was prepared');
SELECT lab.remote('Sue', 'SELECT count(*) FROM inbox.report', 'attack_bi') \g /dev/null
SELECT is((SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'read'), :events + 2::bigint, '... and the next one as ever');
SELECT is((SELECT count(*) FROM pg_prepared_xacts), 0::bigint, 'nothing is left');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

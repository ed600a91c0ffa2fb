--
-- Cursors that are open while rights are taken away, and results that outlive the
-- person: WITH HOLD, FETCH after a revocation and under another identity, in
-- functions, refcursors handed on, temporary copies.  What has been read is read;
-- what a portal has yet to read is asked for as it is read.
--
SELECT plan(19);
SET client_min_messages = error;

-- A cursor of Ali's, in a session of his own, that is open while he loses his team
SELECT lab.remote('Ali', 'SELECT pg_catalog.set_config(''plan_cache_mode'', ''force_generic_plan'', false)') \g /dev/null
SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.open(name text) RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE c refcursor := name; BEGIN OPEN c FOR SELECT body FROM inbox.message ORDER BY id; RETURN c; END $$;
RESET SESSION AUTHORIZATION;
-- dblink_exec sends statements as they are: one transaction over several of them
CREATE FUNCTION lab.send(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN dblink_exec(who || ' attack_app', statement); END $$;
SELECT lab.send('Ali', 'BEGIN') \g /dev/null
SELECT lab.send('Ali', 'DECLARE held CURSOR WITH HOLD FOR SELECT body FROM inbox.message ORDER BY id') \g /dev/null
SELECT lab.send('Ali', 'COMMIT') \g /dev/null
SELECT lab.send('Ali', 'BEGIN') \g /dev/null
SELECT lab.send('Ali', 'DECLARE running CURSOR FOR SELECT body FROM inbox.message') \g /dev/null
SELECT lab.send('Ali', 'DECLARE sorted CURSOR FOR SELECT body FROM inbox.message ORDER BY body') \g /dev/null
SELECT lab.send('Ali', 'DECLARE by_check CURSOR FOR SELECT format(''~v1-%s~'', i) FROM generate_series(1, 120) AS i WHERE chat_rbac.can(''conversation.view'', ''inbox.conversation'', i)') \g /dev/null
SELECT ok(lab.visible('Ali', lab.remote('Ali', format('FETCH 1 FROM %s', c))) = 1, 'a first row from ' || c) FROM unnest('{held,running,sorted,by_check}'::text[]) AS c;
SELECT chat_rbac.revoke_role('acme', 'Ali', 'Agent', 'Support') \g /dev/null
SELECT is(lab.remote('Ali', 'SELECT body FROM inbox.message'), '', 'after the revocation a new statement sees nothing');
SELECT ok(lab.visible('Ali', lab.remote('Ali', 'FETCH 20 FROM held')) = 20, 'known leak: a held cursor keeps the rows of its snapshot');
SELECT ok(lab.visible('Ali', lab.remote('Ali', 'FETCH 20 FROM sorted')) = 20, 'known leak: so does one that has sorted them');
SELECT is(lab.hidden('Ali', lab.remote('Ali', 'FETCH ALL FROM running')), '{}', 'one that still reads shows no more than there was at its beginning');
SELECT is(lab.hidden('Ali', lab.remote('Ali', 'FETCH ALL FROM by_check')), '{}', 'nor one that asks can()');
SELECT ok(lab.remote('Ali', 'UPDATE inbox.message SET body = ''x'' WHERE CURRENT OF running') ~ '^(ERROR|0)', 'nothing is changed by one');
SELECT lab.send('Ali', 'ROLLBACK') \g /dev/null
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support') \g /dev/null
SELECT matches(lab.remote('Ali', 'FETCH 1 FROM running'), '^ERROR (34000|42P11)', 'with its transaction a cursor ends');

-- One session, one person after the other, as a pool of connections does without DISCARD ALL
BEGIN;
CALL lab.become('Olga');
DECLARE of_olga NO SCROLL CURSOR FOR SELECT body FROM inbox.message;
DECLARE sorted_olga SCROLL CURSOR FOR SELECT body FROM inbox.message ORDER BY body;
SELECT own.open('opened') \g /dev/null
FETCH 1 FROM of_olga \g /dev/null
FETCH 1 FROM sorted_olga \g /dev/null
FETCH 1 FROM opened \g /dev/null
CALL lab.dba();
SELECT is(lab.hidden('Olga', lab.run_as('Vic', 'FETCH 5 FROM of_olga')), '{}', 'a cursor that Olga has left open shows Vic at most what it would show her');
SELECT is(lab.hidden('Olga', lab.run_as('Gus', 'FETCH ALL FROM opened')), '{}', 'and Gus, of another org, too');
SELECT ok(lab.hidden('Vic', lab.run_as('Vic', 'FETCH 5 FROM sorted_olga')) <> '{}', 'known leak: what another person''s open cursor has read is read by who comes next on the connection');
COMMIT;
SELECT matches(lab.run_as('Vic', 'FETCH 5 FROM of_olga'), '^ERROR (34000|42P11)', 'it ends with the transaction, unless it is held');
-- temporary tables are copies
SELECT lab.run_as('Olga', 'CREATE TEMP TABLE kept AS SELECT body FROM inbox.message') \g /dev/null
SELECT ok(lab.hidden('Vic', lab.run_as('Vic', 'SELECT * FROM pg_temp.kept')) <> '{}', 'known leak: so are temporary tables, until DISCARD');
DROP TABLE kept;

-- a refcursor handed to a definer's function, and one opened by it
CREATE FUNCTION lab.read(c refcursor) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ DECLARE r record; out text := ''; BEGIN LOOP FETCH c INTO r; EXIT WHEN NOT FOUND; out := out || r; END LOOP; RETURN out; END $$;
GRANT EXECUTE ON FUNCTION lab.read TO attack_app;
SELECT lab.sees_own_only('Ali', 'SELECT lab.read(own.open(''mine''))', 'a superuser''s function that reads the attacker''s cursor reads as who opened it');
SET SESSION AUTHORIZATION attack_owner;
CREATE FUNCTION inbox.opened() RETURNS refcursor LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ DECLARE c refcursor := 'by_owner'; BEGIN OPEN c FOR SELECT body FROM inbox.message; RETURN c; END $$;
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT lab.run_as('Ali', 'SELECT inbox.opened()') \g /dev/null
SELECT lab.sees_own_only('Ali', 'FETCH ALL FROM by_owner', 'a cursor that the owner''s function opened shows what who asks may see');
COMMIT;
-- no rows of hidden conversations by moving back and forth
BEGIN;
CALL lab.become('Ali');
DECLARE back SCROLL CURSOR FOR SELECT body FROM inbox.message;
MOVE ALL FROM back;
CALL lab.dba();
SELECT lab.sees_own_only('Ali', 'FETCH BACKWARD ALL FROM back', 'backwards as forwards');
COMMIT;

SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

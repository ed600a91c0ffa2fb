--
-- MERGE is an INSERT, an UPDATE and a DELETE by one statement, over rows that are read:
-- each branch is held to the policies and rules of its own command.  As a probe it
-- tells nothing of a row that is hidden, whatever its conditions look at.  Known leak:
-- one that looks at no column of the table tells how many rows it has.
--
SELECT plan(31);
SET client_min_messages = error;

CREATE FUNCTION lab.state() RETURNS text LANGUAGE sql AS $$ SELECT md5(string_agg(t, ' ' ORDER BY t)) FROM (
	SELECT c::text AS t FROM inbox.conversation AS c UNION ALL SELECT m::text FROM inbox.message AS m UNION ALL SELECT k::text FROM inbox.customer AS k UNION ALL SELECT x::text FROM inbox.task AS x) AS t $$;
SELECT lab.state() AS before \gset
SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.ids AS SELECT o AS org_id, i AS id FROM generate_series(1, 2) AS o, generate_series(1, 120) AS i;
CREATE TABLE own.mine (id bigint PRIMARY KEY, body text);
CREATE FUNCTION own.stop(bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'row %', $1; END $$;
RESET SESSION AUTHORIZATION;

-- reading by it
SELECT lab.sees_own_only('Ali', 'MERGE INTO own.mine AS t USING inbox.message AS m ON t.id = m.id WHEN NOT MATCHED AND own.tell_early(m.body) THEN INSERT VALUES (m.id, m.body)', 'as a source a table shows the person''s rows');
SELECT is(lab.hidden('Ali', (SELECT string_agg(body, '') FROM own.mine)), '{}', 'and puts those into their table');
SELECT lab.sees_own_only('Ali', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND own.tell_early(t.labels[1]) WHEN MATCHED AND own.tell_early(t) THEN DO NOTHING', 'as a target, too');
SELECT is(lab.hidden('Ali', o), '{}', 'by errors of its conditions') FROM lab.run_as('Ali', 'MERGE INTO inbox.message AS t USING own.ids AS i ON t.conversation_id = i.id WHEN MATCHED AND own.tell_by_error(t.body) THEN DO NOTHING') AS o;
SELECT lab.gets_nothing('Vic', 'MERGE INTO inbox.message AS t USING own.ids AS i ON t.conversation_id = i.id WHEN MATCHED AND own.tell_by_error(t.body) THEN DO NOTHING', '^0', 'who sees nothing meets no row');
-- what is not matched is not told to be there
SELECT is(lab.run_as('Ali', replace(s, '@', '13')), replace(lab.run_as('Ali', replace(s, '@', '987654')), '987654', '13'), 'hidden or not there is one: ' || s) FROM unnest('{
"MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON t.id = @ WHEN MATCHED THEN UPDATE SET status = ''closed'' WHEN NOT MATCHED THEN DO NOTHING",
"MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON t.id = @ WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND own.stop(@) THEN DO NOTHING",
"MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON t.id = @ AND t.org_id = 2 WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED AND own.stop(@) THEN DO NOTHING",
"MERGE INTO inbox.message AS t USING (SELECT) AS s ON t.id = @1 WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (conversation_id, kind, body) VALUES (@, ''reply'', ''x'')"}'::text[]) AS s;
-- a key that is taken: as by INSERT
SELECT is(left(lab.run_as('Ali', 'MERGE INTO inbox.task AS t USING (SELECT) AS s ON t.id = 2 WHEN NOT MATCHED THEN INSERT (id, title) VALUES (2, ''x'')'), 11), 'ERROR 23505', 'known leak: an INSERT by MERGE tells that a chosen id is taken');

-- writing by it: whose rights the branch needs
SELECT lab.gets_nothing(who, s, p, who || ': ' || s) FROM (VALUES
	('Ali', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED THEN UPDATE SET priority = 3', '^ERROR 42501: permission "conversation.prioritise"'),
	('Ali', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED THEN DELETE', '^(0|ERROR 42501)'),
	('Ali', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON false WHEN NOT MATCHED THEN INSERT (org_id, id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (i.org_id, i.id + 5000, 1, ''agent'', 30, 20, 6)', '^ERROR 42501'),
	('Ali', 'MERGE INTO inbox.message AS t USING own.ids AS i ON t.conversation_id = i.id WHEN MATCHED THEN UPDATE SET body = ''x''', '^ERROR 42501'),
	('Ali', 'MERGE INTO inbox.customer AS t USING own.ids AS i ON t.id = i.id WHEN MATCHED THEN UPDATE SET balance = 0', '^ERROR 42501'),
	('Ali', 'MERGE INTO inbox.customer AS t USING own.ids AS i ON t.id = i.id WHEN MATCHED THEN UPDATE SET owner_id = 6', '^ERROR 42501'),
	('Sue', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED THEN UPDATE SET org_id = 2', '^ERROR 42501'),
	('Sue', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED AND t.id % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET created_at = now()', '^ERROR 42501'),
	('Hana', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED THEN UPDATE SET id = t.id + 1', '^ERROR 42501'),
	('Gwen', 'MERGE INTO inbox.message AS t USING own.ids AS i ON t.id = i.id WHEN NOT MATCHED THEN INSERT (org_id, conversation_id, kind, body) VALUES (1, i.id, ''note'', ''x'')', '^ERROR 42501'),
	('Vic', 'MERGE INTO inbox.task AS t USING own.ids AS i ON t.id = i.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (title) VALUES (''x'')', '^ERROR 42501'),
	('Vic', 'MERGE INTO chat_rbac.role_grant AS t USING chat_rbac.role AS r ON t.role_id = r.role_id WHEN MATCHED THEN UPDATE SET unit_id = NULL', '^(0|ERROR)')) AS v (who, s, p);
SELECT is(lab.state(), :'before', 'nothing has changed');
-- the same with the right
SELECT matches(lab.run_as('Sue', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED THEN UPDATE SET priority = 3'), '^60', 'Sue sets the priority of the conversations of her team');
SELECT is((SELECT count(*) FROM inbox.conversation WHERE priority = 3 AND (org_id, team_id) = (1, 10)), (SELECT count(*) FROM inbox.conversation WHERE priority = 3), 'of no other');
SELECT is((SELECT count(*) FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass AND new ? 'priority' AND actor_id = 5), 60::bigint, 'and each is in the trail');
-- two branches, of which one is allowed
SELECT lab.gets_nothing('Ali', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED AND t.assignee_id = 6 THEN UPDATE SET labels = ''{}'' WHEN MATCHED THEN UPDATE SET labels = ''{}''',
	'^ERROR 42501: permission "conversation.label"', 'one row that may not be changed is enough');
SELECT matches(lab.run_as('Ali', 'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id AND t.org_id = i.org_id WHEN MATCHED AND t.assignee_id = 6 THEN UPDATE SET labels = ''{}'''), '^[1-9]', 'without it, own ones are');
SELECT is((SELECT count(*) FROM inbox.conversation WHERE labels = '{}' AND (org_id, team_id, assignee_id) IS DISTINCT FROM (1, 10, 6)), 0::bigint, 'and no others');

-- PostgreSQL asks no policies of SELECT where no column is read: the first hidden row to be changed is an error, for whoever may UPDATE
SELECT count(*) AS n FROM inbox.conversation \gset
CALL lab.become('Vic');
CREATE SEQUENCE own.seen;
CALL lab.dba();
SELECT matches(lab.run_as('Vic', format('MERGE INTO inbox.conversation USING (SELECT) AS s ON true WHEN MATCHED AND nextval(''own.seen'') >= %s THEN UPDATE SET labels = NULL', :n + more)) || lab.run_as('Vic', 'ALTER SEQUENCE own.seen RESTART'), answer, 'known leak: how many rows there are, ' || more || ' more')
FROM (VALUES (0, '^ERROR 42501: .*row-level security'), (1, '^0')) AS v (more, answer);

SELECT * FROM finish();

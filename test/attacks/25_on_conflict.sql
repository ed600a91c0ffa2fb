--
-- INSERT ... ON CONFLICT meets the row that is in its way, whoever may see it: it must
-- neither change nor return one that is hidden, nor pass it over in silence where that
-- would be told apart.  DO UPDATE needs the rights of an UPDATE on the row.
--
SELECT plan(24);
SET client_min_messages = error;

CREATE FUNCTION lab.state() RETURNS text LANGUAGE sql AS $$ SELECT md5(string_agg(t, ' ' ORDER BY t)) FROM (
	SELECT c::text AS t FROM inbox.conversation AS c UNION ALL SELECT m::text FROM inbox.message AS m UNION ALL SELECT k::text FROM inbox.customer AS k UNION ALL SELECT x::text FROM inbox.task AS x) AS t $$;
SELECT lab.state() AS before \gset
-- a hidden row: conversation 13 and task 2, customer 13
SELECT lab.gets_nothing(who, s, p, who || ': ' || s) FROM (VALUES
	('Ali', 'INSERT INTO inbox.task AS t (id, title) VALUES (2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = t.title RETURNING title', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.task AS t (id, title) VALUES (2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = t.title WHERE own.tell(t.title) RETURNING title', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.task AS t (id, title) VALUES (2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = excluded.title, assignee_id = 6', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.conversation AS t (id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (13, 1, ''agent'', 30, 10, 6) ON CONFLICT (org_id, id) DO UPDATE SET labels = t.labels || ''{x}'' RETURNING labels', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.conversation AS t (id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (13, 1, ''agent'', 30, 10, 6) ON CONFLICT (org_id, id) DO UPDATE SET team_id = 10, assignee_id = 6 RETURNING *', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.customer AS t (id, owner_id, name) VALUES (13, 6, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET owner_id = 6 RETURNING *', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.customer AS t (id, owner_id, name) VALUES (13, 6, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET name = t.name || t.phone RETURNING *', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.task AS t (org_id, id, title) VALUES (2, 2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = t.title RETURNING *', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.task (org_id, id, title) VALUES (2, 2, ''x'') ON CONFLICT DO NOTHING RETURNING *', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.message (id, conversation_id, kind, body) VALUES (131, 13, ''reply'', ''x'') ON CONFLICT DO NOTHING RETURNING *', '^ERROR 42501'),
	('Ali', 'INSERT INTO inbox.message AS t (id, conversation_id, kind, body) VALUES (131, 1, ''reply'', ''x'') ON CONFLICT (org_id, id) DO UPDATE SET conversation_id = 1 RETURNING *', '^ERROR 42501'),
	('Olga', 'INSERT INTO inbox.conversation AS t (id, customer_id, initiated_by, inbox_id, team_id) VALUES (16, 1, ''agent'', 30, 10) ON CONFLICT (org_id, id) DO UPDATE SET team_id = 10 RETURNING *', '^ERROR 42501'),
	('Vic', 'INSERT INTO inbox.task AS t (id, title) VALUES (2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = t.title', '^ERROR 42501'),
	-- a visible row, without the right to change it so
	('Ali', 'INSERT INTO inbox.conversation AS t (id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (1, 1, ''agent'', 30, 10, 6) ON CONFLICT (org_id, id) DO UPDATE SET priority = 3', '^ERROR 42501: permission "conversation.prioritise"'),
	('Ali', 'INSERT INTO inbox.conversation AS t (id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (1, 1, ''agent'', 30, 10, 6) ON CONFLICT (org_id, id) DO UPDATE SET org_id = 2', '^ERROR 42501'),
	('Gus', 'INSERT INTO inbox.conversation AS t (org_id, id, customer_id, initiated_by, inbox_id, team_id) VALUES (1, 13, 1, ''agent'', 30, 10) ON CONFLICT (org_id, id) DO UPDATE SET org_id = 2', '^ERROR (42501|23503)')) AS v (who, s, p);
-- PostgreSQL itself, before the fixes that 15.20 has, shows the row in the way to the condition before it asks the policies
CREATE TABLE lab.plain (id int PRIMARY KEY, title text);
INSERT INTO lab.plain VALUES (1, 'hidden');
ALTER TABLE lab.plain ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON lab.plain USING (title <> 'hidden');
GRANT SELECT, INSERT, UPDATE ON lab.plain TO attack_app;
SELECT lab.run_as('Ali', 'INSERT INTO lab.plain AS t VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET title = ''x'' WHERE own.tell_by_error(t)') ~ 'saw' AS leaks \gset
\if :leaks
	SELECT ok(lab.run_as('Ali', 'INSERT INTO inbox.task AS t (id, title) VALUES (2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = ''x'' WHERE own.tell_by_error(t)') ~ '~t1-2~',
		'known leak: this PostgreSQL shows hidden rows to the WHERE of DO UPDATE; a newer minor release does not');
\else
	SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.task AS t (id, title) VALUES (2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = ''x'' WHERE own.tell_by_error(t)', '^ERROR 42501', 'a condition that tells the row in the way');
\endif
SELECT is(lab.state(), :'before', 'nothing has changed');
SELECT is(lab.run_as('Ali', 'INSERT INTO inbox.task (id, title) VALUES (2, ''x'') ON CONFLICT DO NOTHING RETURNING title'), '', 'known leak: DO NOTHING tells that a chosen id is taken, by no row');
SELECT is(lab.run_as('Ali', 'INSERT INTO inbox.task (id, title) VALUES (987654, ''x'') ON CONFLICT DO NOTHING RETURNING title'), E'(x)\n', 'or free, by the new one');
-- the same where one may
SELECT is(lab.visible('Ali', o), 1::bigint, 'an own task comes back') FROM lab.run_as('Ali', 'INSERT INTO inbox.task AS t (id, title) VALUES (1, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET done = true RETURNING t.title') AS o;
SELECT is((SELECT count(*) FROM inbox.task WHERE done), 1::bigint, 'changed, and it only');
SELECT is((SELECT string_agg(actions::text || actor_id, ',') FROM chat_rbac.audit_event WHERE relation = 'inbox.task'::regclass AND operation = 'update' AND actor_id IS NOT NULL), '{task.edit}6', 'as what it is, an UPDATE');
-- by an index of one's own choice
SELECT lab.gets_nothing('Sam', 'INSERT INTO inbox.setting AS t (name, value) VALUES (chr(126) || ''s1-1'' || chr(126), ''1'') ON CONFLICT (org_id, name) DO UPDATE SET value = t.value RETURNING *', '^ERROR 42501', 'a key that is a name');

SELECT * FROM finish();

--
-- RETURNING: what a write gives back of the rows it wrote, of those it joined, of
-- sub-selects, by leaky functions, and of the row that its author gives away.
--
-- Must happen: RETURNING shows what SELECT would have shown before, and of a row that
-- is given away or made just that row, once.
--
SELECT * FROM no_plan();

SELECT lab.sees_own_only(who, statement, format('%s: %s', who, left(statement, 110)))
FROM unnest('{Ali,Sue}'::text[]) AS who, unnest(ARRAY[
	'UPDATE inbox.conversation SET labels = labels RETURNING *, own.tell(labels)',
	'UPDATE inbox.conversation SET updated_at = now() WHERE assignee_id = chat_rbac.current_member() RETURNING conversation, own.tell(labels)',
	'UPDATE inbox.conversation AS c SET labels = c.labels FROM inbox.message AS m WHERE own.tell(m.body) AND m.org_id = 1 RETURNING c.*, m.*',
	'UPDATE inbox.conversation AS c SET labels = c.labels FROM inbox.customer AS k RETURNING c.id, k',
	'UPDATE inbox.task SET title = title RETURNING (SELECT string_agg(labels::text, '''') FROM inbox.conversation WHERE own.tell(labels))',
	'WITH u AS (UPDATE inbox.task SET title = title RETURNING *) SELECT * FROM u RIGHT JOIN inbox.conversation AS c ON own.tell(c.labels)',
	'WITH u AS (UPDATE inbox.conversation SET labels = labels RETURNING *) SELECT * FROM u FULL JOIN inbox.customer AS k ON own.tell(k.name) AND k.id = u.customer_id',
	'INSERT INTO inbox.task (title) SELECT body FROM inbox.message WHERE own.tell(body) RETURNING title',
	'INSERT INTO inbox.task (title) VALUES (''x'') RETURNING (SELECT string_agg(t::text, '''') FROM inbox.task AS t), (SELECT string_agg(c::text, '''') FROM inbox.customer AS c)',
	'UPDATE inbox.conversation SET labels = labels RETURNING ctid, xmin, cmax, tableoid::regclass, conversation::text']) AS statement;

-- a row that is given away comes back once
SELECT lab.sees_own_only('Ali', 'UPDATE inbox.conversation SET team_id = 20 WHERE id = 5 RETURNING labels, (SELECT string_agg(labels::text, '''') FROM inbox.conversation WHERE own.tell(labels))',
	'who gives a row away is shown it, and no other');
SELECT lab.gets_nothing('Ali', 'SELECT labels FROM inbox.conversation WHERE id = 5', '^$', 'and sees it no more');
SELECT lab.gets_nothing('Ali', 'UPDATE inbox.conversation SET labels = labels WHERE id = 5 RETURNING *', '^$', '... nor writes it');
SELECT lab.sees_own_only('Ali', 'WITH u AS (UPDATE inbox.conversation SET assignee_id = 7 WHERE id = 9 RETURNING *), v AS (SELECT c.* FROM inbox.conversation AS c, u WHERE own.tell(c.labels))
	SELECT * FROM u UNION ALL SELECT * FROM v', 'nor does the same statement show others by it');

-- calling by hand what lets that row pass
SELECT lab.sees_own_only('Ali', format('UPDATE inbox.conversation SET assignee_id = %s WHERE id = (SELECT min(id) FROM inbox.conversation WHERE assignee_id = 6) RETURNING labels, (SELECT string_agg(c.labels::text, '''') FROM inbox.conversation AS c
	WHERE own.tell(c.labels) OR chat_rbac.handed_over(''inbox.conversation'', %s))', a, h), 'guesses at the row that was handed over show nothing: ' || h)
FROM unnest('{6,7,NULL}'::text[]) AS a, unnest(ARRAY['c.org_id, c.id, c.team_id, c.inbox_id, c.assignee_id', 'c.org_id, c.id, c.assignee_id, c.inbox_id, c.team_id', 'c.org_id, c.id, 10, 30, 7', 'VARIADIC ARRAY[1, 1, 10, 30, 6]']) AS h
WHERE a <> 'NULL';
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id) SELECT id, ''agent'', 30, 40, 9 FROM inbox.customer LIMIT 1 RETURNING *',
	'^ERROR 42501', 'a row may not be made where its author could see others'' by it');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) SELECT i, ''note'', ''x'' FROM generate_series(1, 120) AS i RETURNING *', '^ERROR 42501', 'nor a note, where one sees no conversation');
SELECT lab.gets_nothing('Ali', 'DELETE FROM inbox.participant AS p USING inbox.conversation AS c WHERE c.team_id = 40 RETURNING c.*', NULL, 'what is joined in a DELETE is under its own policies');
SELECT lab.gets_nothing('Gwen', 'UPDATE inbox.conversation SET labels = labels WHERE org_id = 1 RETURNING *', '^$', 'nothing of the other org, by its key');
SELECT lab.gets_nothing('Vic', 'UPDATE inbox.conversation SET labels = labels RETURNING *, own.tell(labels)', '^$', 'nothing for who holds nothing');

-- where RETURNING shows the row as it was, too (PostgreSQL 18), that row was seen before
SELECT lab.sees_own_only('Ali', 'UPDATE inbox.conversation SET assignee_id = 6 WHERE assignee_id IS NULL RETURNING '
	|| CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'old.*, new.*' ELSE '*' END, 'the row as it was, and as it is');
SELECT lab.sees_own_only('Ali', 'INSERT INTO inbox.task (id, title) SELECT i, ''x'' FROM generate_series(200, 202) AS i ON CONFLICT (org_id, id) DO UPDATE SET title = task.title RETURNING '
	|| CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'old.*, new.*' ELSE '*' END || ', (SELECT string_agg(t::text, '''') FROM inbox.task AS t)', '... of an insert that finds none');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.task (id, title) VALUES (9, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET title = task.title RETURNING *', '^ERROR 42501', '... and of one that finds somebody else''s');

-- as columns: who has privileges on some columns returns those
SET client_min_messages = error;
REVOKE SELECT ON inbox.customer FROM attack_app;
GRANT SELECT (org_id, id, name, owner_id) ON inbox.customer TO attack_app;
SELECT lab.gets_nothing('Ali', 'UPDATE inbox.customer SET name = name RETURNING ' || c, '^ERROR 42501: permission denied', 'a column that may not be read is not returned: ' || c)
FROM unnest('{phone,customer,*,(SELECT max(phone) FROM inbox.customer),to_jsonb(customer)}'::text[]) AS c;
SELECT lab.sees_own_only('Ali', 'UPDATE inbox.customer SET name = name WHERE owner_id = 6 RETURNING id, name', '... and the others are');
SELECT * FROM finish();

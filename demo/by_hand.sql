-- demo/by_hand.sql: what each person should see, by conditions written by hand.
-- Run as superuser, whom no policy binds; it uses nothing of chat_rbac.

WITH chat (person, id) AS (
	SELECT 'Ada', id FROM inbox.conversation WHERE org_id = 1
	UNION ALL
	SELECT 'Sue', id FROM inbox.conversation WHERE org_id = 1 AND (team_id IN (3, 4, 5) OR inbox_id IN (21, 22, 23))
	UNION ALL
	SELECT 'Ali', id FROM inbox.conversation c WHERE org_id = 1 AND team_id IN (3, 4)
		AND (assignee_id = 6 OR assignee_id IS NULL OR EXISTS (
			SELECT FROM inbox.participant p WHERE p.org_id = 1 AND p.conversation_id = c.id AND p.member_id = 6))
	UNION ALL
	SELECT 'Sam', id FROM inbox.conversation WHERE org_id = 1 AND team_id = 6 AND assignee_id = 11
	UNION ALL
	SELECT 'Ina', id FROM inbox.conversation WHERE org_id = 1 AND team_id IN (3, 4) AND assignee_id = 16
), customer (person, id) AS (
	SELECT p.person, k.id
	FROM (VALUES ('Ada'), ('Fay')) AS p (person), inbox.customer k WHERE k.org_id = 1
	UNION
	SELECT 'Sue', id FROM inbox.customer WHERE org_id = 1 AND owner_id IN (5, 6, 7, 8, 9, 16)
	UNION
	SELECT 'Ali', id FROM inbox.customer WHERE org_id = 1 AND owner_id = 6
	UNION
	SELECT 'Sam', id FROM inbox.customer WHERE org_id = 1 AND owner_id = 11
	UNION
	SELECT chat.person, c.customer_id
	FROM chat JOIN inbox.conversation c ON c.org_id = 1 AND c.id = chat.id
	WHERE chat.person IN ('Sue', 'Ali', 'Ina')
), task (person, id) AS (
	SELECT p.person, t.id
	FROM (VALUES ('Ada', '{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17}'::bigint[]), ('Sue', '{5,6,7,8,9,16}'),
			('Ali', '{6}'), ('Sam', '{11}'), ('Ina', '{16}')) AS p (person, assignees)
	JOIN inbox.task t ON t.org_id = 1 AND t.assignee_id = ANY (p.assignees)
)
SELECT p.person,
	(SELECT count(*) FROM chat WHERE chat.person = p.person) AS chats,
	(SELECT count(*) FROM chat JOIN inbox.message m ON m.org_id = 1 AND m.conversation_id = chat.id
	 WHERE chat.person = p.person) AS messages,
	(SELECT count(*) FROM customer WHERE customer.person = p.person) AS customers,
	(SELECT count(*) FROM task WHERE task.person = p.person) AS tasks
FROM (VALUES ('Ada', 1), ('Sue', 2), ('Ali', 3), ('Sam', 4), ('Ina', 5), ('Fay', 6)) AS p (person, n)
ORDER BY p.n;

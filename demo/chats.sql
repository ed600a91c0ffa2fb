-- demo/chats.sql: the newest chats of some kinds, as
-- in Tier 1's queue | Ali's own | one that Ali has joined | Sam's own | Ina's own

SELECT max(c.id) FILTER (WHERE c.team_id = 3 AND c.assignee_id IS NULL AND NOT j.joined),
	max(c.id) FILTER (WHERE c.team_id = 3 AND c.assignee_id = 6),
	max(c.id) FILTER (WHERE c.team_id = 3 AND c.assignee_id <> 6 AND j.joined),
	max(c.id) FILTER (WHERE c.assignee_id = 11),
	max(c.id) FILTER (WHERE c.assignee_id = 16)
FROM inbox.conversation c
CROSS JOIN LATERAL (SELECT EXISTS (
	SELECT FROM inbox.participant p WHERE p.org_id = 1 AND p.conversation_id = c.id AND p.member_id = 6)) AS j (joined)
WHERE c.org_id = 1 AND c.status <> 'closed';

-- demo/why.sql: some people, their roles, and in words what of the inbox these show them:
-- name | identity | role | where | what

WITH held AS (
	SELECT e.member, e.unit, r.resource,
		array_agg(x.relation ORDER BY x.n)
			FILTER (WHERE e.permission OPERATOR(chat_rbac.@>) (r.resource || '.view@' || x.relation)::chat_rbac.permission) AS relations
	FROM chat_rbac.effective_permissions e
	CROSS JOIN (VALUES ('conversation'), ('customer'), ('task')) AS r (resource)
	CROSS JOIN (VALUES (0, 'all'), (1, 'own'), (2, 'unassigned'), (3, 'participating'), (4, 'linked')) AS x (n, relation)
	WHERE e.org = 'acme'
	GROUP BY e.member, e.unit, r.resource
), described AS (
	SELECT h.member, h.resource, CASE
		WHEN h.relations IS NULL THEN format('no %ss', n.noun)
		WHEN 'all' = ANY (h.relations) THEN
			CASE WHEN h.unit = '(whole org)' THEN format('every %s', n.noun)
				WHEN h.resource = 'conversation' THEN format('every %s %s', n.noun, p.place)
				WHEN h.resource = 'customer' THEN format('%ss of these, and of its people', n.noun)
				ELSE format('%ss of its people', n.noun) END
		ELSE
			CASE h.relations
				WHEN '{own,unassigned,participating}' THEN format('own, unassigned and joined %ss', n.noun)
				WHEN '{own}' THEN format('own %ss', n.noun)
				WHEN '{linked}' THEN format('%ss of these', n.noun)
				WHEN '{own,linked}' THEN format('%ss of these, and own ones', n.noun)
				ELSE format('%ss: %s', n.noun, array_to_string(h.relations, ', ')) END
			|| CASE WHEN h.resource = 'conversation' AND h.unit <> '(whole org)' THEN ' ' || p.place ELSE '' END
		END AS phrase
	FROM held h
	JOIN (VALUES ('conversation', 'chat'), ('customer', 'customer'), ('task', 'task')) AS n (resource, noun) USING (resource)
	LEFT JOIN (
		SELECT u.path, CASE WHEN EXISTS (
			SELECT FROM chat_rbac.unit b WHERE b.org_id = 1 AND b.parent_id = u.unit_id AND b.kind <> 'inbox')
			THEN 'there and below' ELSE 'there' END AS place
		FROM chat_rbac.unit_path u WHERE u.org_id = 1) AS p ON p.path = h.unit
)
SELECT m.name, '1/' || m.member_id, g.role,
	CASE g.unit WHEN '(whole org)' THEN format('%s in the whole org', g.role)
		ELSE format('%s at %s', g.role, regexp_replace(g.unit, '^.* / ', '')) END,
	(SELECT string_agg(d.phrase, '; ' ORDER BY d.resource) FROM described d WHERE d.member = m.name)
FROM chat_rbac.member m
JOIN chat_rbac.grants g ON g.org = 'acme' AND g.member = m.name
JOIN (VALUES ('Ada', 1), ('Sue', 2), ('Ali', 3), ('Sam', 4), ('Ina', 5), ('Fay', 6)) AS p (person, n) ON p.person = m.name
WHERE m.org_id = 1
ORDER BY p.n;

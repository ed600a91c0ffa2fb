-- demo/roles.sql: the hierarchy of roles of org acme, in a line.

WITH RECURSIVE chain (role_id, path, bottom) AS (
	SELECT r.role_id, r.name, false
	FROM chat_rbac.role r
	WHERE r.org_id = 1
		AND EXISTS (SELECT FROM chat_rbac.role_inherit i WHERE i.org_id = 1 AND i.senior_id = r.role_id)
		AND NOT EXISTS (SELECT FROM chat_rbac.role_inherit i WHERE i.org_id = 1 AND i.junior_id = r.role_id)
	UNION ALL
	SELECT j.role_id, c.path || ' > ' || j.name,
		NOT EXISTS (SELECT FROM chat_rbac.role_inherit i WHERE i.org_id = 1 AND i.senior_id = j.role_id)
	FROM chain c
	JOIN chat_rbac.role_inherit i ON i.org_id = 1 AND i.senior_id = c.role_id
	JOIN chat_rbac.role j ON j.org_id = 1 AND j.role_id = i.junior_id
)
SELECT string_agg(path, ', ' ORDER BY path) FROM chain WHERE bottom;

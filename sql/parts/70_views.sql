/* ---- views for people in psql ---- */

/* The views show what whoever looks may see of the tables: DBAs all orgs. */

CREATE VIEW chat_rbac.unit_path WITH (security_invoker = true) AS
WITH RECURSIVE path (org_id, unit_id, path, ids) AS (
	/* from the top, or from the highest that may be seen */
	SELECT u.org_id, u.unit_id, u.name, ARRAY[u.unit_id] FROM chat_rbac.unit u
	WHERE NOT EXISTS (SELECT FROM chat_rbac.unit above WHERE above.org_id = u.org_id AND above.unit_id = u.parent_id)
	UNION ALL
	SELECT u.org_id, u.unit_id, p.path || ' / ' || u.name, p.ids || u.unit_id
	FROM path p JOIN chat_rbac.unit u ON u.org_id = p.org_id AND u.parent_id = p.unit_id
	WHERE u.unit_id <> ALL (p.ids)
)
SELECT org_id, unit_id, path FROM path;
COMMENT ON VIEW chat_rbac.unit_path IS 'Each unit with the names from the top down, as "EMEA / Support / Tier 1".';

CREATE VIEW chat_rbac.role_tree WITH (security_invoker = true) AS
WITH RECURSIVE tree (org_id, role_id, depth, path) AS (
	SELECT r.org_id, r.role_id, 0, ARRAY[r.name]
	FROM chat_rbac.role r
	WHERE NOT EXISTS (SELECT FROM chat_rbac.role_inherit i WHERE i.org_id = r.org_id AND i.junior_id = r.role_id)
	UNION ALL
	SELECT t.org_id, i.junior_id, t.depth + 1, t.path || j.name
	FROM tree t
	JOIN chat_rbac.role_inherit i ON i.org_id = t.org_id AND i.senior_id = t.role_id
	JOIN chat_rbac.role j ON j.org_id = i.org_id AND j.role_id = i.junior_id
	WHERE j.name <> ALL (t.path)
)
SELECT o.name AS org,
	repeat('    ', t.depth) || r.name AS role,
	(SELECT count(DISTINCT g.member_id) FROM chat_rbac.role_grant g
	 WHERE g.org_id = t.org_id AND g.role_id = t.role_id AND g.valid @> now()) AS holders,
	(SELECT string_agg(CASE WHEN s.all_actions THEN s.resource || '.*' ELSE format('%s (%s)', s.resource, s.n) END, ', ' ORDER BY s.resource)
	 FROM (SELECT chat_rbac.resource(p) AS resource, count(*) AS n,
				bool_or(chat_rbac.action(p) = '*' AND chat_rbac.relation(p) = 'all') AS all_actions
		   FROM chat_rbac.unnest(r.permissions) AS p GROUP BY 1) AS s) AS permissions
FROM tree t
JOIN chat_rbac.org o ON o.org_id = t.org_id
JOIN chat_rbac.role r ON r.org_id = t.org_id AND r.role_id = t.role_id
ORDER BY o.name, t.path;
COMMENT ON VIEW chat_rbac.role_tree IS 'The hierarchy of roles, seniors above, what they inherit indented below; how many members hold each now, on shift or not; and how many permissions it has by itself, by resource (resource.*: all). The permissions themselves are in chat_rbac.role.';

CREATE VIEW chat_rbac.grants WITH (security_invoker = true) AS
SELECT o.name AS org, m.name AS member, r.name AS role,
	CASE WHEN g.unit_id IS NULL THEN '(whole org)' ELSE coalesce(p.path, 'unit ' || g.unit_id) END AS unit,
	CASE WHEN NOT m.active THEN 'member inactive'
		WHEN lower(g.valid) > now() THEN 'to come'
		WHEN NOT g.valid @> now() THEN 'over'
		WHEN g.shift IS NULL OR g.shift OPERATOR(chat_rbac.@>) now() OR chat_rbac.shift_exempt(g.org_id, g.member_id, now()) THEN 'in force'
		ELSE 'off shift' END AS state,
	lower(g.valid) AS valid_from, upper(g.valid) AS valid_until, g.shift,
	b.name AS granted_by, g.granted_at, g.reason, g.grant_id
FROM chat_rbac.role_grant g
JOIN chat_rbac.org o ON o.org_id = g.org_id
JOIN chat_rbac.member m ON m.org_id = g.org_id AND m.member_id = g.member_id
JOIN chat_rbac.role r ON r.org_id = g.org_id AND r.role_id = g.role_id
LEFT JOIN chat_rbac.unit_path p ON p.org_id = g.org_id AND p.unit_id = g.unit_id
LEFT JOIN chat_rbac.member b ON b.org_id = g.org_id AND b.member_id = g.granted_by
ORDER BY o.name, m.name, r.name, unit, g.grant_id;
COMMENT ON VIEW chat_rbac.grants IS 'Who holds which role where, since when, until when, at which hours, by whom and why.';

CREATE VIEW chat_rbac.effective_permissions WITH (security_invoker = true) AS
WITH RECURSIVE held (org_id, member_id, unit_id, granted_id, role_id) AS (
	SELECT g.org_id, g.member_id, g.unit_id, g.role_id, g.role_id
	FROM chat_rbac.role_grant g JOIN chat_rbac.member m ON m.org_id = g.org_id AND m.member_id = g.member_id
	WHERE m.active AND g.valid @> now()
		AND (g.shift IS NULL OR g.shift OPERATOR(chat_rbac.@>) now() OR chat_rbac.shift_exempt(g.org_id, g.member_id, now()))
	UNION
	SELECT h.org_id, h.member_id, h.unit_id, h.granted_id, i.junior_id
	FROM held h JOIN chat_rbac.role_inherit i ON i.org_id = h.org_id AND i.senior_id = h.role_id
)
SELECT o.name AS org, m.name AS member, p AS permission,
	CASE WHEN h.unit_id IS NULL THEN '(whole org)' ELSE coalesce(up.path, 'unit ' || h.unit_id) END AS unit,
	string_agg(DISTINCT CASE WHEN h.granted_id = h.role_id THEN r.name ELSE g.name || ' > ' || r.name END, ', ') AS through
FROM held h
JOIN chat_rbac.org o ON o.org_id = h.org_id
JOIN chat_rbac.member m ON m.org_id = h.org_id AND m.member_id = h.member_id
JOIN chat_rbac.role g ON g.org_id = h.org_id AND g.role_id = h.granted_id
JOIN chat_rbac.role r ON r.org_id = h.org_id AND r.role_id = h.role_id
CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
LEFT JOIN chat_rbac.unit_path up ON up.org_id = h.org_id AND up.unit_id = h.unit_id
GROUP BY o.name, m.name, m.member_id, p, h.unit_id, up.path
ORDER BY o.name, m.name, p USING OPERATOR(chat_rbac.<), unit;
COMMENT ON VIEW chat_rbac.effective_permissions IS 'What each active member may do now and where, and through which role ("granted > inherited").';

CREATE VIEW chat_rbac.protections AS
SELECT p.relation AS "table", p.spec ->> 'resource' AS resource,
	ARRAY(SELECT CASE WHEN f.object <> format('%I.%I', n.nspname, c.relname) THEN f.object || ': ' ELSE '' END || f.finding
		  FROM chat_rbac.table_findings(p.relation, p.spec) AS f) AS problems
FROM chat_rbac.protection p LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) ON c.oid = p.relation;
COMMENT ON VIEW chat_rbac.protections IS 'The protected tables, and what is wrong with their protection: {} if nothing. Calling protect() again puts it right, but for policies and triggers of others; doctor() tells how.';

/* ---- what begins and ends soon ---- */

CREATE VIEW chat_rbac.ending_soon WITH (security_invoker = true) AS
SELECT o.name AS org, m.name AS member, r.name AS role,
	CASE WHEN g.unit_id IS NULL THEN '(whole org)' ELSE coalesce(p.path, 'unit ' || g.unit_id) END AS unit,
	e.what, e.ends, e.begins_again, g.shift, g.reason, g.grant_id
FROM chat_rbac.role_grant g
JOIN chat_rbac.org o ON o.org_id = g.org_id
JOIN chat_rbac.member m ON m.org_id = g.org_id AND m.member_id = g.member_id
JOIN chat_rbac.role r ON r.org_id = g.org_id AND r.role_id = g.role_id
LEFT JOIN chat_rbac.unit_path p ON p.org_id = g.org_id AND p.unit_id = g.unit_id
CROSS JOIN LATERAL (
	SELECT 'grant', upper(g.valid), NULL::timestamptz
	UNION ALL
	SELECT 'shift', s.ends, CASE WHEN s.again < coalesce(upper(g.valid), 'infinity') THEN s.again END
	FROM (SELECT n.ends, chat_rbac.next_change(g.shift, n.ends) FROM (SELECT chat_rbac.next_change(g.shift, now())) AS n (ends)) AS s (ends, again)
	WHERE g.shift OPERATOR(chat_rbac.@>) now() AND s.ends < coalesce(upper(g.valid), 'infinity')
		AND NOT chat_rbac.shift_exempt(g.org_id, g.member_id, now())
) AS e (what, ends, begins_again)
WHERE m.active AND g.valid @> now() AND e.ends <= now() + interval '7 days'
ORDER BY e.ends, o.name, m.name, r.name, g.grant_id;
COMMENT ON VIEW chat_rbac.ending_soon IS 'Grants of active members that are valid now and end within 7 days, or whose shift holds now and ends within 7 days, the next first.';
COMMENT ON COLUMN chat_rbac.ending_soon.what IS 'What ends: the grant for good, or its shift.';
COMMENT ON COLUMN chat_rbac.ending_soon.begins_again IS 'Of a shift: when it begins to hold again, if it does before the grant ends.';

CREATE VIEW chat_rbac.beginning_soon WITH (security_invoker = true) AS
SELECT o.name AS org, m.name AS member, r.name AS role,
	CASE WHEN g.unit_id IS NULL THEN '(whole org)' ELSE coalesce(p.path, 'unit ' || g.unit_id) END AS unit,
	b.what, b.begins, b.ends, g.shift, g.reason, g.grant_id
FROM chat_rbac.role_grant g
JOIN chat_rbac.org o ON o.org_id = g.org_id
JOIN chat_rbac.member m ON m.org_id = g.org_id AND m.member_id = g.member_id
JOIN chat_rbac.role r ON r.org_id = g.org_id AND r.role_id = g.role_id
LEFT JOIN chat_rbac.unit_path p ON p.org_id = g.org_id AND p.unit_id = g.unit_id
CROSS JOIN LATERAL (
	SELECT 'grant', lower(g.valid), upper(g.valid)
	WHERE lower(g.valid) > now()
	UNION ALL
	SELECT 'shift', s.begins, least(chat_rbac.next_change(g.shift, s.begins), upper(g.valid))
	FROM (SELECT chat_rbac.next_change(g.shift, now())) AS s (begins)
	WHERE g.valid @> now() AND NOT g.shift OPERATOR(chat_rbac.@>) now() AND s.begins < coalesce(upper(g.valid), 'infinity')
		AND NOT chat_rbac.shift_exempt(g.org_id, g.member_id, now())
) AS b (what, begins, ends)
WHERE m.active AND b.begins <= now() + interval '7 days'
ORDER BY b.begins, o.name, m.name, r.name, g.grant_id;
COMMENT ON VIEW chat_rbac.beginning_soon IS 'Grants of active members that begin within 7 days, or are valid now and whose shift begins within 7 days, the next first.';
COMMENT ON COLUMN chat_rbac.beginning_soon.what IS 'What begins: the grant, within which its shift, if any, still has to hold; or its shift.';
COMMENT ON COLUMN chat_rbac.beginning_soon.ends IS 'When that ends again; NULL: never.';

-- demo/tree.sql: the units of an org, and who holds which role where.

WITH RECURSIVE tree (unit_id, depth, path, label, kind) AS (
	SELECT NULL::bigint, 0, '{}'::text[], name, 'org' FROM chat_rbac.org WHERE org_id = :org
	UNION ALL
	-- teams before inboxes, otherwise in the order of their ids
	SELECT u.unit_id, t.depth + 1, t.path || format('%s %s', u.kind = 'inbox', to_char(u.unit_id, '00000')), u.name, u.kind
	FROM tree t JOIN chat_rbac.unit u ON u.org_id = :org AND u.parent_id IS NOT DISTINCT FROM t.unit_id
)
SELECT rtrim(format('%-22s %-12s', repeat('  ', t.depth) || t.label, t.kind) || coalesce(
	(SELECT regexp_replace(		-- three to a line
		string_agg(format('%s (%s%s)', m.name, r.name, ' for ' || (upper(g.valid) - lower(g.valid))), ', ' ORDER BY m.member_id),
		'((?:[^,]+, ){2}[^,]+,) ', E'\\1\n' || repeat(' ', 35), 'g')
	 FROM chat_rbac.role_grant g
	 JOIN chat_rbac.member m ON m.org_id = :org AND m.member_id = g.member_id
	 JOIN chat_rbac.role r ON r.org_id = :org AND r.role_id = g.role_id
	 WHERE g.org_id = :org AND g.unit_id IS NOT DISTINCT FROM t.unit_id AND g.valid @> now()), ''))
FROM tree t
ORDER BY t.path;

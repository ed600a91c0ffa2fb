/* ---- trees for psql, and pictures ---- */

/* As the views of 70_views.sql, these show what whoever looks may see of the tables: DBAs all orgs. */

CREATE VIEW chat_rbac.unit_tree WITH (security_invoker = true) AS
WITH RECURSIVE tree (org_id, unit_id, depth, path, ids) AS (
	/* from the top, or from the highest that may be seen; the id tells apart what has one name */
	SELECT u.org_id, u.unit_id, 0, ARRAY[ROW(u.name, u.unit_id)], ARRAY[u.unit_id]
	FROM chat_rbac.unit u
	WHERE NOT EXISTS (SELECT FROM chat_rbac.unit above WHERE above.org_id = u.org_id AND above.unit_id = u.parent_id)
	UNION ALL
	SELECT u.org_id, u.unit_id, t.depth + 1, t.path || ROW(u.name, u.unit_id), t.ids || u.unit_id
	FROM tree t JOIN chat_rbac.unit u ON u.org_id = t.org_id AND u.parent_id = t.unit_id
	WHERE u.unit_id <> ALL (t.ids)
)
SELECT o.name AS org, repeat('    ', t.depth) || u.name AS unit, u.kind, u.key,
	(SELECT count(DISTINCT g.member_id) FROM chat_rbac.role_grant g
	 WHERE g.org_id = u.org_id AND g.unit_id = u.unit_id AND g.valid @> now()) AS members, u.sealed
FROM tree t
JOIN chat_rbac.org o ON o.org_id = t.org_id
JOIN chat_rbac.unit u ON u.org_id = t.org_id AND u.unit_id = t.unit_id
ORDER BY o.name, t.path;
COMMENT ON VIEW chat_rbac.unit_tree IS 'The tree of units, what is below a unit indented below it, with the key that the application''s tables hold; and how many members hold a role at just that unit now, on shift or not, as far as the caller may see their grants.';

/* ---- Mermaid ---- */

/*
 * A label is between double quotes, and what Mermaid, HTML or Markdown could read
 * anything into is written as a number: whoever names a role names no node, link or tag.
 */
CREATE FUNCTION chat_rbac.mermaid_text(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(string_agg(
		CASE WHEN c.c ~ '^[A-Za-z0-9_ ,()/+-]$' THEN c.c
			WHEN ascii(c.c) < 32 OR ascii(c.c) BETWEEN 127 AND 159 OR ascii(c.c) IN (8232, 8233) THEN ' '
			WHEN ascii(c.c) < 127 THEN format('#%s;', ascii(c.c))
			ELSE c.c END, '' ORDER BY c.n), '')
	FROM string_to_table(value, NULL) WITH ORDINALITY AS c (c, n);
END;
COMMENT ON FUNCTION chat_rbac.mermaid_text(text) IS 'A text as it is written within double quotes in Mermaid; line ends and other control characters become blanks.';

CREATE FUNCTION chat_rbac.mermaid_id(prefix text, org bigint, id bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN prefix || concat_ws('_', translate(org::text, '-', 'm'), translate(id::text, '-', 'm'));
COMMENT ON FUNCTION chat_rbac.mermaid_id(text, bigint, bigint) IS 'The name of a node in Mermaid: r1_20 for role 20 of org 1.';

CREATE FUNCTION chat_rbac.graph_orgs(org text) RETURNS SETOF chat_rbac.org
LANGUAGE plpgsql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT o.* FROM chat_rbac.org o WHERE graph_orgs.org IS NULL OR o.name = graph_orgs.org;
	IF NOT FOUND AND org IS NOT NULL THEN
		PERFORM chat_rbac.raise_error('42704', format('org "%s" does not exist', org), NULL,
			'Perhaps you meant ' || chat_rbac.near_names(org, (SELECT array_agg(o.name) FROM chat_rbac.org o)) || '.');
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.graph_orgs(text) IS 'Internal to role_graph() and unit_graph(): the org of that name, or (NULL) all, as far as the caller sees them; SQLSTATE 42704 if there is none of that name.';

/* of several orgs each is in a box; links come last, as a node that is named first within a link would be in no box */
CREATE FUNCTION chat_rbac.role_graph(org text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH orgs AS MATERIALIZED (
		SELECT o.org_id, o.name, count(*) OVER () > 1 AS boxed FROM chat_rbac.graph_orgs(role_graph.org) AS o
	), line (part, org_name, step, a, b, line) AS (
		SELECT 0, NULL, 0, NULL, NULL, 'flowchart TD'
		UNION ALL
		SELECT 1, o.name, v.step, NULL, NULL, v.line FROM orgs o
		CROSS JOIN LATERAL (VALUES
			(0, format('    subgraph %s["%s"]', chat_rbac.mermaid_id('o', o.org_id, NULL), chat_rbac.mermaid_text(o.name))),
			(2, '    end')) AS v (step, line)
		WHERE o.boxed
		UNION ALL
		SELECT 1, o.name, 1, r.name, NULL,
			format('    %s["%s%s"]', chat_rbac.mermaid_id('r', r.org_id, r.role_id), chat_rbac.mermaid_text(r.name),
				CASE h.holders WHEN 0 THEN '' WHEN 1 THEN '<br/>1 member' ELSE format('<br/>%s members', h.holders) END)
		FROM orgs o JOIN chat_rbac.role r ON r.org_id = o.org_id
		CROSS JOIN LATERAL (SELECT count(DISTINCT g.member_id) AS holders FROM chat_rbac.role_grant g
			WHERE g.org_id = r.org_id AND g.role_id = r.role_id AND g.valid @> now()) AS h
		UNION ALL
		SELECT 2, o.name, 0, senior.name, junior.name,
			format('    %s --> %s', chat_rbac.mermaid_id('r', i.org_id, i.senior_id), chat_rbac.mermaid_id('r', i.org_id, i.junior_id))
		FROM orgs o JOIN chat_rbac.role_inherit i ON i.org_id = o.org_id
		JOIN chat_rbac.role senior ON senior.org_id = i.org_id AND senior.role_id = i.senior_id
		JOIN chat_rbac.role junior ON junior.org_id = i.org_id AND junior.role_id = i.junior_id
	)
	SELECT string_agg(l.line, E'\n' ORDER BY l.part, l.org_name, l.step, l.a, l.b, l.line) FROM line l;
END;
COMMENT ON FUNCTION chat_rbac.role_graph(text) IS 'The hierarchy of roles of an org (NULL: of each that the caller sees) as a Mermaid flowchart: an arrow leads from a role to one that it inherits, and a role says how many members hold it now. As far as the caller may see roles and grants.';

CREATE FUNCTION chat_rbac.unit_graph(org text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH orgs AS MATERIALIZED (
		SELECT o.org_id, o.name, count(*) OVER () > 1 AS boxed FROM chat_rbac.graph_orgs(unit_graph.org) AS o
	), line (part, org_name, step, a, b, line) AS (
		SELECT 0, NULL, 0, NULL, NULL, 'flowchart TD'
		UNION ALL
		SELECT 1, o.name, v.step, NULL, NULL, v.line FROM orgs o
		CROSS JOIN LATERAL (VALUES
			(0, format('    subgraph %s["%s"]', chat_rbac.mermaid_id('o', o.org_id, NULL), chat_rbac.mermaid_text(o.name))),
			(2, '    end')) AS v (step, line)
		WHERE o.boxed
		UNION ALL
		SELECT 1, o.name, 1, u.name, NULL,
			format('    %s["%s<br/>%s %s%s"]', chat_rbac.mermaid_id('u', u.org_id, u.unit_id), chat_rbac.mermaid_text(u.name), chat_rbac.mermaid_text(u.kind), u.key,
				CASE WHEN u.sealed THEN ', sealed' ELSE '' END)
		FROM orgs o JOIN chat_rbac.unit u ON u.org_id = o.org_id
		UNION ALL
		SELECT 2, o.name, 0, above.name, u.name,
			format('    %s --> %s', chat_rbac.mermaid_id('u', u.org_id, u.parent_id), chat_rbac.mermaid_id('u', u.org_id, u.unit_id))
		FROM orgs o JOIN chat_rbac.unit u ON u.org_id = o.org_id
		JOIN chat_rbac.unit above ON above.org_id = u.org_id AND above.unit_id = u.parent_id
	)
	SELECT string_agg(l.line, E'\n' ORDER BY l.part, l.org_name, l.step, l.a, l.b, l.line) FROM line l;
END;
COMMENT ON FUNCTION chat_rbac.unit_graph(text) IS 'The tree of units of an org (NULL: of each that the caller sees) as a Mermaid flowchart: an arrow leads from a unit to one below it. As far as the caller may see units.';

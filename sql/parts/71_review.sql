/* ---- review: who holds what; by the names of INCITS 359, see doc/nist.md ---- */

/*
 * All of these ask as whoever calls them, and tell what may be seen of the tables:
 * members need SELECT on them, EXECUTE on find_by_name(), and for a whole answer
 * role.view, member.view and unit.view in the whole org; a NOTICE says what is missing.
 */

CREATE FUNCTION chat_rbac.review_org(org text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	lacking text;
BEGIN
	/* what looks whole is taken for whole */
	IF row_security_active('chat_rbac.role_grant') THEN
		lacking := (SELECT string_agg(v.permission, ', ') FROM unnest('{role.view,member.view,unit.view}'::text[]) AS v (permission)
			WHERE NOT chat_rbac.in_org_scope(o, ARRAY[v.permission]::text::chat_rbac.permset, 'all'));
	END IF;
	IF lacking IS NOT NULL THEN
		RAISE NOTICE 'this is what you may see of org "%", which may not be all', org
			USING HINT = format('All of it is told with %s in the whole org.', lacking);
	END IF;
	RETURN o;
END
$$;
COMMENT ON FUNCTION chat_rbac.review_org(text) IS 'Internal to review: the id of an org, with a NOTICE to who may not see all of it.';

CREATE FUNCTION chat_rbac.grants_at(org bigint, at timestamptz) RETURNS SETOF chat_rbac.role_grant
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	SELECT g.* FROM chat_rbac.role_grant g WHERE g.org_id = org AND g.valid @> at
		AND (g.shift IS NULL OR g.shift OPERATOR(chat_rbac.@>) at OR chat_rbac.shift_exempt(g.org_id, g.member_id, at));
END;
COMMENT ON FUNCTION chat_rbac.grants_at(bigint, timestamptz) IS 'Internal to review: the grants of an org that are in force at a time, and within their shifts.';

CREATE FUNCTION chat_rbac.roles_below(org bigint, role bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE ROWS 5
BEGIN ATOMIC
	WITH RECURSIVE down (role_id) AS (
		SELECT role
		UNION
		SELECT i.junior_id FROM down JOIN chat_rbac.role_inherit i ON i.org_id = org AND i.senior_id = down.role_id)
	SELECT role_id FROM down;
END;
COMMENT ON FUNCTION chat_rbac.roles_below(bigint, bigint) IS 'Internal to review: a role and all that it inherits.';

CREATE FUNCTION chat_rbac.roles_above(org bigint, role bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE ROWS 5
BEGIN ATOMIC
	WITH RECURSIVE up (role_id) AS (
		SELECT role
		UNION
		SELECT i.senior_id FROM up JOIN chat_rbac.role_inherit i ON i.org_id = org AND i.junior_id = up.role_id)
	SELECT role_id FROM up;
END;
COMMENT ON FUNCTION chat_rbac.roles_above(bigint, bigint) IS 'Internal to review: a role and all that inherit it.';

CREATE FUNCTION chat_rbac.place(org bigint, unit bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE up (parent_id, path, ids) AS (
		SELECT u.parent_id, u.name, ARRAY[u.unit_id] FROM chat_rbac.unit u WHERE u.org_id = org AND u.unit_id = unit
		UNION ALL
		SELECT u.parent_id, u.name || ' / ' || up.path, up.ids || u.unit_id
		FROM up JOIN chat_rbac.unit u ON u.org_id = org AND u.unit_id = up.parent_id
		WHERE u.unit_id <> ALL (up.ids))
	SELECT CASE WHEN unit IS NULL THEN '(whole org)'
		ELSE coalesce((SELECT path FROM up ORDER BY cardinality(ids) DESC LIMIT 1), 'unit ' || unit) END;
END;
COMMENT ON FUNCTION chat_rbac.place(bigint, bigint) IS 'Internal to review: a unit with the names above it, as "EMEA / Support / Tier 1"; (whole org) for NULL.';

CREATE FUNCTION chat_rbac.overlaps_asked(held chat_rbac.permission, asked chat_rbac.permission) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT chat_rbac.resource(held) IN ('*', chat_rbac.resource(asked)) AND chat_rbac.action(held) IN ('*', chat_rbac.action(asked))
		AND (chat_rbac.relation(asked) = 'all' OR chat_rbac.relation(held) IN ('all', chat_rbac.relation(asked)));
END;
COMMENT ON FUNCTION chat_rbac.overlaps_asked(chat_rbac.permission, chat_rbac.permission) IS 'Internal to review: does a permission that is held give the one asked for, as can() understands it: without a relation for any rows?';

CREATE FUNCTION chat_rbac.require_known(asked chat_rbac.permission) RETURNS chat_rbac.permission
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	near text;
BEGIN
	IF NOT EXISTS (SELECT FROM chat_rbac.known_permission k
				   WHERE chat_rbac.resource(asked) IN ('*', k.resource) AND chat_rbac.action(asked) IN ('*', chat_rbac.action(k.name))) THEN
		SELECT chat_rbac.near_names(chat_rbac.resource(asked) || '.' || chat_rbac.action(asked), array_agg(DISTINCT
			k.resource || '.' || CASE chat_rbac.action(asked) WHEN '*' THEN '*' ELSE chat_rbac.action(k.name) END))
		INTO near FROM chat_rbac.known_permission k;
		PERFORM chat_rbac.raise_error('42704', format('permission "%s" is not known', asked), NULL, 'Perhaps you meant ' || near || '.');
	END IF;
	RETURN asked;
END
$$;
COMMENT ON FUNCTION chat_rbac.require_known(chat_rbac.permission) IS 'Internal to review: the same permission; SQLSTATE 42704 if no known one matches it, as nobody would hold what is misspelt.';

/* ---- users and roles ---- */

CREATE FUNCTION chat_rbac.assigned_users(org text, role text, at timestamptz DEFAULT now())
RETURNS TABLE (member_id bigint, member text, active boolean, unit_id bigint, place text, valid tstzrange)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('role', assigned_users.role, o, assigned_users.org) AS role_id
		FROM chat_rbac.review_org(assigned_users.org) AS o)
	SELECT m.member_id, m.name, m.active, g.unit_id, chat_rbac.place(k.org_id, g.unit_id), g.valid
	FROM k CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, assigned_users.at) AS g
	JOIN chat_rbac.member m ON m.org_id = k.org_id AND m.member_id = g.member_id
	WHERE g.role_id = k.role_id
	ORDER BY m.name, m.member_id, 5, g.grant_id;
END;
COMMENT ON FUNCTION chat_rbac.assigned_users(text, text, timestamptz) IS 'Who has been granted a role itself, and where; at another time than now if that is given.';

CREATE FUNCTION chat_rbac.authorized_users(org text, role text, at timestamptz DEFAULT now())
RETURNS TABLE (member_id bigint, member text, active boolean, unit_id bigint, place text, through text, valid tstzrange)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('role', authorized_users.role, o, authorized_users.org) AS role_id
		FROM chat_rbac.review_org(authorized_users.org) AS o)
	SELECT m.member_id, m.name, m.active, g.unit_id, chat_rbac.place(k.org_id, g.unit_id), r.name, g.valid
	FROM k CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, authorized_users.at) AS g
	JOIN chat_rbac.member m ON m.org_id = k.org_id AND m.member_id = g.member_id
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = g.role_id
	WHERE g.role_id IN (SELECT chat_rbac.roles_above(k.org_id, k.role_id))
	ORDER BY m.name, m.member_id, 5, r.name, g.grant_id;
END;
COMMENT ON FUNCTION chat_rbac.authorized_users(text, text, timestamptz) IS 'Who has been granted a role, or one that inherits it (through), and where.';

CREATE FUNCTION chat_rbac.assigned_roles(org text, member text, at timestamptz DEFAULT now())
RETURNS TABLE (role_id bigint, role text, unit_id bigint, place text, valid tstzrange)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('member', assigned_roles.member, o, assigned_roles.org) AS member_id
		FROM chat_rbac.review_org(assigned_roles.org) AS o)
	SELECT r.role_id, r.name, g.unit_id, chat_rbac.place(k.org_id, g.unit_id), g.valid
	FROM k CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, assigned_roles.at) AS g
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = g.role_id
	WHERE g.member_id = k.member_id
	ORDER BY r.name, 4, g.grant_id;
END;
COMMENT ON FUNCTION chat_rbac.assigned_roles(text, text, timestamptz) IS 'The roles that a member has been granted, and where.';

CREATE FUNCTION chat_rbac.authorized_roles(org text, member text, at timestamptz DEFAULT now())
RETURNS TABLE (role_id bigint, role text, unit_id bigint, place text, through text, valid tstzrange)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('member', authorized_roles.member, o, authorized_roles.org) AS member_id
		FROM chat_rbac.review_org(authorized_roles.org) AS o)
	SELECT r.role_id, r.name, g.unit_id, chat_rbac.place(k.org_id, g.unit_id), s.name, g.valid
	FROM k CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, authorized_roles.at) AS g
	JOIN chat_rbac.role s ON s.org_id = k.org_id AND s.role_id = g.role_id
	CROSS JOIN LATERAL chat_rbac.roles_below(k.org_id, g.role_id) AS b (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = b.role_id
	WHERE g.member_id = k.member_id
	ORDER BY r.name, 4, s.name, g.grant_id;
END;
COMMENT ON FUNCTION chat_rbac.authorized_roles(text, text, timestamptz) IS 'The roles that a member has been granted and all that these (through) inherit, and where.';

CREATE FUNCTION chat_rbac.ascendants(org text, role text)
RETURNS TABLE (ascendant_id bigint, ascendant text, immediate boolean)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('role', ascendants.role, o, ascendants.org) AS role_id
		FROM chat_rbac.review_org(ascendants.org) AS o)
	SELECT r.role_id, r.name, EXISTS (
		SELECT FROM chat_rbac.role_inherit i WHERE i.org_id = k.org_id AND i.senior_id = r.role_id AND i.junior_id = k.role_id)
	FROM k CROSS JOIN LATERAL chat_rbac.roles_above(k.org_id, k.role_id) AS a (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = a.role_id
	WHERE r.role_id <> k.role_id
	ORDER BY r.name;
END;
COMMENT ON FUNCTION chat_rbac.ascendants(text, text) IS 'The roles that inherit a role, at once (immediate) or through others.';

CREATE FUNCTION chat_rbac.descendants(org text, role text)
RETURNS TABLE (descendant_id bigint, descendant text, immediate boolean)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('role', descendants.role, o, descendants.org) AS role_id
		FROM chat_rbac.review_org(descendants.org) AS o)
	SELECT r.role_id, r.name, EXISTS (
		SELECT FROM chat_rbac.role_inherit i WHERE i.org_id = k.org_id AND i.senior_id = k.role_id AND i.junior_id = r.role_id)
	FROM k CROSS JOIN LATERAL chat_rbac.roles_below(k.org_id, k.role_id) AS b (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = b.role_id
	WHERE r.role_id <> k.role_id
	ORDER BY r.name;
END;
COMMENT ON FUNCTION chat_rbac.descendants(text, text) IS 'The roles that a role inherits, at once (immediate) or through others.';

/* ---- permissions ---- */

CREATE FUNCTION chat_rbac.role_permissions(org text, role text)
RETURNS TABLE (permission chat_rbac.permission, through text)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('role', role_permissions.role, o, role_permissions.org) AS role_id
		FROM chat_rbac.review_org(role_permissions.org) AS o)
	SELECT p, string_agg(r.name, ', ' ORDER BY r.name)
	FROM k CROSS JOIN LATERAL chat_rbac.roles_below(k.org_id, k.role_id) AS b (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = b.role_id
	CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	GROUP BY p
	ORDER BY p;
$$;
COMMENT ON FUNCTION chat_rbac.role_permissions(text, text) IS 'The permissions of a role and of all that it inherits, and the roles that have them by themselves (through).';

CREATE FUNCTION chat_rbac.user_permissions(org text, member text, at timestamptz DEFAULT now())
RETURNS TABLE (permission chat_rbac.permission, unit_id bigint, place text, through text)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('member', user_permissions.member, o, user_permissions.org) AS member_id
		FROM chat_rbac.review_org(user_permissions.org) AS o)
	SELECT p, g.unit_id, chat_rbac.place(k.org_id, g.unit_id),
		string_agg(DISTINCT CASE WHEN r.role_id = s.role_id THEN r.name ELSE s.name || ' > ' || r.name END, ', ')
	FROM k JOIN chat_rbac.member m ON m.org_id = k.org_id AND m.member_id = k.member_id AND m.active
	CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, user_permissions.at) AS g
	JOIN chat_rbac.role s ON s.org_id = k.org_id AND s.role_id = g.role_id
	CROSS JOIN LATERAL chat_rbac.roles_below(k.org_id, g.role_id) AS b (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = b.role_id
	CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	WHERE g.member_id = k.member_id
	GROUP BY k.org_id, p, g.unit_id
	ORDER BY p, 3;
$$;
COMMENT ON FUNCTION chat_rbac.user_permissions(text, text, timestamptz) IS 'The permissions that a member has and where, through "granted > inherited" roles; none while the member is inactive. A session may have fewer: see session_permissions().';

CREATE FUNCTION chat_rbac.session_roles() RETURNS TABLE (role text)
LANGUAGE sql STABLE ROWS 5
BEGIN ATOMIC
	SELECT unnest(chat_rbac.current_roles());
END;
COMMENT ON FUNCTION chat_rbac.session_roles() IS 'The roles that are active in this session, by the names that stand for them: current_roles() as rows.';

CREATE FUNCTION chat_rbac.session_reach(OUT unit_id bigint, OUT permissions chat_rbac.permset)
RETURNS SETOF record
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10 ROWS 5
AS 'MODULE_PATHNAME', 'chat_rbac_session_reach';
COMMENT ON FUNCTION chat_rbac.session_reach() IS 'What the decision goes by in this session: at and below each unit where a role is granted, and in the whole org (NULL), the permissions of the active roles. No row for nobody.';

CREATE FUNCTION chat_rbac.session_permissions()
RETURNS TABLE (permission chat_rbac.permission, unit_id bigint)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p, s.unit_id FROM chat_rbac.session_reach() AS s CROSS JOIN LATERAL chat_rbac.unnest(s.permissions) AS p
	ORDER BY p, s.unit_id NULLS FIRST;
$$;
COMMENT ON FUNCTION chat_rbac.session_permissions() IS 'The permissions of this session, and the unit where each is had, with what lies below; NULL: in the whole org.';

CREATE FUNCTION chat_rbac.role_operations_on_object(org text, role text, object text)
RETURNS TABLE (operation text, relation text)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('role', role_operations_on_object.role, o, role_operations_on_object.org) AS role_id
		FROM chat_rbac.review_org(role_operations_on_object.org) AS o)
	SELECT DISTINCT chat_rbac.action(n.name), chat_rbac.relation(p)
	FROM k CROSS JOIN chat_rbac.require_known((object || '.*')::chat_rbac.permission) AS asked
	CROSS JOIN LATERAL chat_rbac.roles_below(k.org_id, k.role_id) AS b (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = b.role_id
	CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	JOIN chat_rbac.known_permission n ON chat_rbac.resource(asked) = n.resource AND chat_rbac.overlaps_asked(p, n.name)
	ORDER BY 1, 2;
END;
COMMENT ON FUNCTION chat_rbac.role_operations_on_object(text, text, text) IS 'What a role, with all that it inherits, allows to do with a resource (object), and with which rows of it: relation, or all.';

CREATE FUNCTION chat_rbac.user_operations_on_object(org text, member text, object text, at timestamptz DEFAULT now())
RETURNS TABLE (operation text, relation text, unit_id bigint, place text)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH k AS MATERIALIZED (
		SELECT o AS org_id,
			chat_rbac.find_by_name('member', user_operations_on_object.member, o, user_operations_on_object.org) AS member_id
		FROM chat_rbac.review_org(user_operations_on_object.org) AS o)
	SELECT DISTINCT chat_rbac.action(n.name), chat_rbac.relation(p), g.unit_id, chat_rbac.place(k.org_id, g.unit_id)
	FROM k CROSS JOIN chat_rbac.require_known((object || '.*')::chat_rbac.permission) AS asked
	JOIN chat_rbac.member m ON m.org_id = k.org_id AND m.member_id = k.member_id AND m.active
	CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, user_operations_on_object.at) AS g
	CROSS JOIN LATERAL chat_rbac.roles_below(k.org_id, g.role_id) AS b (role_id)
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = b.role_id
	CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	JOIN chat_rbac.known_permission n ON chat_rbac.resource(asked) = n.resource AND chat_rbac.overlaps_asked(p, n.name)
	WHERE g.member_id = k.member_id
	ORDER BY 1, 2, 4;
END;
COMMENT ON FUNCTION chat_rbac.user_operations_on_object(text, text, text, timestamptz) IS 'What a member may do with a resource (object), with which rows of it, and where. For one row, actions() tells the member who asks.';

CREATE FUNCTION chat_rbac.members_with_permission(org text, permission chat_rbac.permission, unit text DEFAULT NULL, at timestamptz DEFAULT now())
RETURNS TABLE (member_id bigint, member text, held chat_rbac.permission, unit_id bigint, place text, through text)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE k AS MATERIALIZED (
		SELECT o AS org_id, chat_rbac.require_known(members_with_permission.permission) AS asked,
			CASE WHEN members_with_permission.unit IS NOT NULL THEN chat_rbac.find_by_name('unit', members_with_permission.unit, o, members_with_permission.org) END AS asked_unit
		FROM chat_rbac.review_org(members_with_permission.org) AS o),
	carry AS MATERIALIZED (
		SELECT r.role_id, r.name, p FROM k JOIN chat_rbac.role r ON r.org_id = k.org_id CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
		WHERE chat_rbac.overlaps_asked(p, k.asked)),
	up (unit_id) AS (
		SELECT k.asked_unit FROM k
		UNION
		SELECT u.parent_id FROM up JOIN k ON true JOIN chat_rbac.unit u ON u.org_id = k.org_id AND u.unit_id = up.unit_id WHERE NOT u.sealed)
	SELECT m.member_id, m.name, c.p, g.unit_id, chat_rbac.place(k.org_id, g.unit_id),
		string_agg(DISTINCT CASE WHEN s.role_id = c.role_id THEN c.name ELSE s.name || ' > ' || c.name END, ', ')
	FROM k CROSS JOIN carry c
	CROSS JOIN LATERAL chat_rbac.roles_above(k.org_id, c.role_id) AS a (role_id)
	JOIN chat_rbac.role s ON s.org_id = k.org_id AND s.role_id = a.role_id
	CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, members_with_permission.at) AS g
	JOIN chat_rbac.member m ON m.org_id = k.org_id AND m.member_id = g.member_id AND m.active
	WHERE g.role_id = s.role_id AND (k.asked_unit IS NULL OR EXISTS (SELECT FROM up WHERE up.unit_id IS NOT DISTINCT FROM g.unit_id))
	GROUP BY k.org_id, m.member_id, m.name, c.p, g.unit_id
	ORDER BY m.name, m.member_id, c.p, 5;
$$;
COMMENT ON FUNCTION chat_rbac.members_with_permission(text, chat_rbac.permission, text, timestamptz) IS 'Which active members hold a permission, anywhere or (unit) where it counts at that unit, and how. Without a relation it is asked for any rows: held tells which.';

CREATE FUNCTION chat_rbac.members_at_unit(org text, unit text, at timestamptz DEFAULT now())
RETURNS TABLE (member_id bigint, member text, active boolean, role text, unit_id bigint, place text, valid tstzrange)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH RECURSIVE k AS MATERIALIZED (
		SELECT o AS org_id, chat_rbac.find_by_name('unit', members_at_unit.unit, o, members_at_unit.org) AS asked_unit
		FROM chat_rbac.review_org(members_at_unit.org) AS o),
	up (unit_id) AS (
		SELECT k.asked_unit FROM k
		UNION
		SELECT u.parent_id FROM up JOIN k ON true JOIN chat_rbac.unit u ON u.org_id = k.org_id AND u.unit_id = up.unit_id WHERE NOT u.sealed)
	SELECT m.member_id, m.name, m.active, r.name, g.unit_id, chat_rbac.place(k.org_id, g.unit_id), g.valid
	FROM k CROSS JOIN LATERAL chat_rbac.grants_at(k.org_id, members_at_unit.at) AS g
	JOIN chat_rbac.member m ON m.org_id = k.org_id AND m.member_id = g.member_id
	JOIN chat_rbac.role r ON r.org_id = k.org_id AND r.role_id = g.role_id
	WHERE EXISTS (SELECT FROM up WHERE up.unit_id IS NOT DISTINCT FROM g.unit_id)
	ORDER BY m.name, m.member_id, r.name, 6, g.grant_id;
END;
COMMENT ON FUNCTION chat_rbac.members_at_unit(text, text, timestamptz) IS 'Who holds a role that counts at a unit: granted there (assigned), above it, or in the whole org; of a sealed unit, there.';

/* ---- separation of duty ---- */

CREATE VIEW chat_rbac.separations WITH (security_invoker = true) AS
SELECT o.name AS org, s.name AS separation, s.kind, s.cardinality,
	ARRAY(SELECT r.name FROM chat_rbac.separation_role sr JOIN chat_rbac.role r ON r.org_id = sr.org_id AND r.role_id = sr.role_id
		  WHERE sr.org_id = s.org_id AND sr.separation_id = s.separation_id ORDER BY r.name) AS roles
FROM chat_rbac.separation s JOIN chat_rbac.org o ON o.org_id = s.org_id
ORDER BY o.name, s.name;
COMMENT ON VIEW chat_rbac.separations IS 'The sets of roles of which nobody is granted (static), or has active (dynamic), as many as cardinality says.';

CREATE FUNCTION chat_rbac.ssd_role_sets(org text)
RETURNS TABLE (set_name text, cardinality integer, roles text[])
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
	SELECT s.separation, s.cardinality, s.roles
	FROM chat_rbac.review_org(ssd_role_sets.org) AS o
	JOIN chat_rbac.org g ON g.org_id = o
	JOIN chat_rbac.separations s ON s.org = g.name AND s.kind = 'static'
	ORDER BY s.separation;
END;
COMMENT ON FUNCTION chat_rbac.ssd_role_sets(text) IS 'The static separations of an org.';

CREATE FUNCTION chat_rbac.ssd_role_set_roles(org text, set_name text)
RETURNS TABLE (role text)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
	SELECT r.name
	FROM chat_rbac.review_org(ssd_role_set_roles.org) AS o
	CROSS JOIN chat_rbac.find_by_name('static separation', set_name, o, ssd_role_set_roles.org) AS id
	JOIN chat_rbac.separation s ON s.org_id = o AND s.separation_id = id
	JOIN chat_rbac.separation_role sr ON sr.org_id = o AND sr.separation_id = id
	JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = sr.role_id
	ORDER BY r.name;
END;
COMMENT ON FUNCTION chat_rbac.ssd_role_set_roles(text, text) IS 'The roles of a static separation.';

CREATE FUNCTION chat_rbac.ssd_role_set_cardinality(org text, set_name text)
RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.cardinality
	FROM chat_rbac.review_org(ssd_role_set_cardinality.org) AS o
	CROSS JOIN chat_rbac.find_by_name('static separation', set_name, o, ssd_role_set_cardinality.org) AS id
	JOIN chat_rbac.separation s ON s.org_id = o AND s.separation_id = id;
END;
COMMENT ON FUNCTION chat_rbac.ssd_role_set_cardinality(text, text) IS 'How many roles of a static separation are too many.';

CREATE FUNCTION chat_rbac.dsd_role_sets(org text)
RETURNS TABLE (set_name text, cardinality integer, roles text[])
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
	SELECT s.separation, s.cardinality, s.roles
	FROM chat_rbac.review_org(dsd_role_sets.org) AS o
	JOIN chat_rbac.org g ON g.org_id = o
	JOIN chat_rbac.separations s ON s.org = g.name AND s.kind = 'dynamic'
	ORDER BY s.separation;
END;
COMMENT ON FUNCTION chat_rbac.dsd_role_sets(text) IS 'The dynamic separations of an org.';

CREATE FUNCTION chat_rbac.dsd_role_set_roles(org text, set_name text)
RETURNS TABLE (role text)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
	SELECT r.name
	FROM chat_rbac.review_org(dsd_role_set_roles.org) AS o
	CROSS JOIN chat_rbac.find_by_name('dynamic separation', set_name, o, dsd_role_set_roles.org) AS id
	JOIN chat_rbac.separation s ON s.org_id = o AND s.separation_id = id
	JOIN chat_rbac.separation_role sr ON sr.org_id = o AND sr.separation_id = id
	JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = sr.role_id
	ORDER BY r.name;
END;
COMMENT ON FUNCTION chat_rbac.dsd_role_set_roles(text, text) IS 'The roles of a dynamic separation.';

CREATE FUNCTION chat_rbac.dsd_role_set_cardinality(org text, set_name text)
RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.cardinality
	FROM chat_rbac.review_org(dsd_role_set_cardinality.org) AS o
	CROSS JOIN chat_rbac.find_by_name('dynamic separation', set_name, o, dsd_role_set_cardinality.org) AS id
	JOIN chat_rbac.separation s ON s.org_id = o AND s.separation_id = id;
END;
COMMENT ON FUNCTION chat_rbac.dsd_role_set_cardinality(text, text) IS 'How many roles of a dynamic separation are too many.';

/* ---- what is of no use to anybody ---- */

/* of orgs of which all grants may be seen: of others one cannot tell */
CREATE VIEW chat_rbac.held_role WITH (security_invoker = true) AS
WITH RECURSIVE held (org_id, role_id) AS (
	SELECT DISTINCT g.org_id, g.role_id FROM chat_rbac.role_grant g
	WHERE (upper_inf(g.valid) OR upper(g.valid) > now())
		AND (NOT row_security_active('chat_rbac.role_grant') OR chat_rbac.in_org_scope(g.org_id, '{role.view}', 'all'))
	UNION
	SELECT h.org_id, i.junior_id FROM held h JOIN chat_rbac.role_inherit i ON i.org_id = h.org_id AND i.senior_id = h.role_id)
SELECT org_id, role_id FROM held;
COMMENT ON VIEW chat_rbac.held_role IS 'Internal to review: roles that a grant leads to which is not over.';

CREATE VIEW chat_rbac.unused_roles WITH (security_invoker = true) AS
SELECT o.name AS org, r.name AS role, r.role_id
FROM chat_rbac.org o JOIN chat_rbac.role r ON r.org_id = o.org_id
WHERE (NOT row_security_active('chat_rbac.role_grant') OR chat_rbac.in_org_scope(o.org_id, '{role.view}', 'all'))
	AND NOT EXISTS (SELECT FROM chat_rbac.held_role h WHERE h.org_id = r.org_id AND h.role_id = r.role_id)
ORDER BY o.name, r.name;
COMMENT ON VIEW chat_rbac.unused_roles IS 'Roles that nobody holds, now or later, itself or by inheritance. Inactive members count as holders.';

CREATE VIEW chat_rbac.unused_permissions WITH (security_invoker = true) AS
SELECT o.name AS org, k.name AS permission
FROM chat_rbac.org o CROSS JOIN chat_rbac.known_permission k
WHERE (NOT row_security_active('chat_rbac.role_grant') OR chat_rbac.in_org_scope(o.org_id, '{role.view}', 'all'))
	AND NOT EXISTS (
	SELECT FROM chat_rbac.held_role h JOIN chat_rbac.role r ON r.org_id = h.org_id AND r.role_id = h.role_id
	CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	WHERE h.org_id = o.org_id AND chat_rbac.overlaps_asked(p, k.name))
ORDER BY o.name, k.name USING OPERATOR(chat_rbac.<);
COMMENT ON VIEW chat_rbac.unused_permissions IS 'Known permissions that nobody holds, now or later, for any rows.';

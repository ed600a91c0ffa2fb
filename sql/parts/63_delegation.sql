/* ---- delegated administration: the RBAC tables under their own rules ---- */

/*
 * What members see of the RBAC tables, by row-level security; and what a change asks
 * for, which the trigger "administer" holds them to.  Superusers, roles with BYPASSRLS
 * and the tables' owner are past both.
 */

CREATE FUNCTION chat_rbac.units_scope(permissions chat_rbac.permset) RETURNS bigint[]
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_units_scope';
COMMENT ON FUNCTION chat_rbac.units_scope(chat_rbac.permset) IS 'Ids (unit_id, not key) of the units at or below which any of the permissions is granted for every row. Org-wide grants are not in it.';

CREATE FUNCTION chat_rbac.administer() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_administer';
REVOKE ALL ON FUNCTION chat_rbac.administer() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.administer() IS 'Trigger: a member changes the RBAC tables only as demands() allows (SQLSTATE 42501, naming the permission).';

CREATE FUNCTION chat_rbac.administer_truncate() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_administer_truncate';
REVOKE ALL ON FUNCTION chat_rbac.administer_truncate() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.administer_truncate() IS 'Trigger: refuses TRUNCATE of one of our tables to all but its owner (SQLSTATE 42501).';

/* ---- what a change asks for ---- */

CREATE FUNCTION chat_rbac.roles_within(org bigint, roles bigint[]) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE down (role_id) AS (
		SELECT r FROM unnest(roles) AS r
		UNION
		SELECT i.junior_id FROM down JOIN chat_rbac.role_inherit i ON i.org_id = org AND i.senior_id = down.role_id)
	SELECT role_id FROM down;
END;
REVOKE ALL ON FUNCTION chat_rbac.roles_within(bigint, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.roles_within(bigint, bigint[]) IS 'Internal: these roles and all that they inherit.';

/* a string, like other bodies that sort permissions: pg_upgrade makes functions before the operator class that this takes */
CREATE FUNCTION chat_rbac.permissions_within(org bigint, roles bigint[]) RETURNS SETOF chat_rbac.permission
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT DISTINCT p FROM chat_rbac.role r CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	WHERE r.org_id = org AND r.role_id IN (SELECT chat_rbac.roles_within(org, roles));
$$;
REVOKE ALL ON FUNCTION chat_rbac.permissions_within(bigint, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.permissions_within(bigint, bigint[]) IS 'Internal: the permissions of these roles and of all that they inherit.';

CREATE FUNCTION chat_rbac.places_above(org bigint, unit bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE up (unit_id) AS (
		SELECT unit
		UNION
		SELECT u.parent_id FROM up JOIN chat_rbac.unit u ON u.org_id = org AND u.unit_id = up.unit_id WHERE NOT u.sealed)
	SELECT unit_id FROM up;
END;
REVOKE ALL ON FUNCTION chat_rbac.places_above(bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.places_above(bigint, bigint) IS 'Internal: where grants count at a unit: there, above, and (NULL) in the whole org; up to the first that is sealed.';

CREATE FUNCTION chat_rbac.sealed_units(org bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE down (unit_id) AS (
		SELECT u.unit_id FROM chat_rbac.unit u WHERE u.org_id = org AND u.sealed
		UNION
		SELECT u.unit_id FROM down JOIN chat_rbac.unit u ON u.org_id = org AND u.parent_id = down.unit_id)
	SELECT unit_id FROM down;
END;
REVOKE ALL ON FUNCTION chat_rbac.sealed_units(bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.sealed_units(bigint) IS 'Internal: the sealed units of an org, and all below them.';

CREATE FUNCTION chat_rbac.live_grants(org bigint) RETURNS SETOF chat_rbac.role_grant
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT g.* FROM chat_rbac.role_grant g WHERE g.org_id = org AND (upper_inf(g.valid) OR upper(g.valid) > statement_timestamp());
END;
REVOKE ALL ON FUNCTION chat_rbac.live_grants(bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.live_grants(bigint) IS 'Internal: grants that are not over, and so count now or will.';

CREATE FUNCTION chat_rbac.is_newcomer(org bigint, member bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT NOT EXISTS (SELECT FROM chat_rbac.role_grant g WHERE g.org_id = org AND g.member_id = member)
		AND EXISTS (
			SELECT FROM (SELECT min(m.at) FROM chat_rbac.audit_event m
				WHERE m.relation = 'chat_rbac.member'::regclass AND m.row_key = member::text COLLATE "C" AND m.org_id = org AND m.operation = 'insert') AS made (at)
			WHERE made.at IS NOT NULL AND NOT EXISTS (
				SELECT FROM chat_rbac.audit_event e WHERE e.relation = 'chat_rbac.role_grant'::regclass AND e.org_id = org AND e.at >= made.at
					AND member IN ((e.old ->> 'member_id')::bigint, (e.new ->> 'member_id')::bigint)));
END;
REVOKE ALL ON FUNCTION chat_rbac.is_newcomer(bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.is_newcomer(bigint, bigint) IS 'Internal: has the member, since they were made, which the trail must say, never held a role? Then nothing has become theirs by one.';

CREATE FUNCTION chat_rbac.held_until(org bigint, lasting bigint[], asked chat_rbac.permission, place bigint) RETURNS timestamptz
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT max(coalesce(upper(g.valid), 'infinity'))
	FROM chat_rbac.role_grant g
	WHERE g.org_id = org AND g.grant_id = ANY (lasting)
		AND EXISTS (SELECT FROM chat_rbac.places_above(org, place) AS a WHERE a IS NOT DISTINCT FROM g.unit_id)
		AND EXISTS (SELECT FROM chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p WHERE p OPERATOR(chat_rbac.@>) asked);
END;
REVOKE ALL ON FUNCTION chat_rbac.held_until(bigint, bigint[], chat_rbac.permission, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.held_until(bigint, bigint[], chat_rbac.permission, bigint) IS 'Internal: until when these grants carry a permission at a unit, or (NULL) in the whole org.';

CREATE FUNCTION chat_rbac.demands(tab text, was jsonb, becomes jsonb, org bigint, me bigint)
RETURNS TABLE (permission chat_rbac.permission, unit_id bigint, until timestamptz, reason text, refusal text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	deed constant text := CASE WHEN was IS NULL THEN 'create' WHEN becomes IS NULL THEN 'delete' ELSE 'change' END;
	changed constant text[] := ARRAY(SELECT k FROM jsonb_object_keys(coalesce(becomes, was)) AS k WHERE was -> k IS DISTINCT FROM becomes -> k);
	mine constant bigint[] := ARRAY(SELECT chat_rbac.roles_within(org, ARRAY(SELECT g.role_id FROM chat_rbac.live_grants(org) AS g WHERE g.member_id = me)));
	what text;
	opens constant boolean := tab = 'unit' AND (deed = 'delete' OR deed = 'change' AND changed && '{kind,key}');	-- rows that hold its key are the whole org's then
BEGIN
	/* ids say what a row is about: another one is another row */
	IF tab = 'known_permission' THEN
		refusal := 'the catalogue of permissions is of all orgs';
		hint := 'Ask a database administrator.';
	ELSIF (was ->> 'org_id')::bigint <> org OR (becomes ->> 'org_id')::bigint IS DISTINCT FROM org AND becomes IS NOT NULL OR
		(was ->> 'org_id') IS NULL AND was IS NOT NULL
	THEN
		refusal := format('a %s that is not of one''s own org cannot be %sd', replace(tab, '_', ' '), deed);
	ELSIF deed = 'change' AND changed && '{unit_id,member_id,role_id,grant_id,key_id,senior_id,junior_id,separation_id}' AND tab <> 'role_grant' THEN
		refusal := format('the ids of a %s stay', replace(tab, '_', ' '));
		hint := 'Delete it and make another one.';
	ELSIF tab = 'org' AND deed <> 'change' THEN
		refusal := format('an org is %sd by a database administrator', deed);
	ELSIF tab = 'member' AND 'login' = ANY (changed) AND coalesce(becomes ->> 'login', was ->> 'login') IS NOT NULL AND deed <> 'delete' THEN
		refusal := 'a login is given by a database administrator';
		hint := 'Whoever logs in as that role is the member.';
	ELSIF tab = 'member' AND (was ->> 'member_id')::bigint = me AND (deed = 'delete' OR changed && '{active,subject,tokens_valid_from}') THEN
		refusal := 'nobody administers themselves';
		hint := 'Revoke your own tokens with chat_rbac.revoke_tokens(); ask somebody else for the rest.';
	ELSIF tab = 'member' AND deed = 'change' AND 'tokens_valid_from' = ANY (changed) AND
		(becomes ->> 'tokens_valid_from' IS NULL OR (becomes ->> 'tokens_valid_from')::timestamptz < (was ->> 'tokens_valid_from')::timestamptz)
	THEN
		refusal := 'what is revoked stays revoked';
	ELSIF tab = 'member' AND deed = 'create' AND EXISTS (
		SELECT FROM chat_rbac.audit_event e WHERE e.relation = 'chat_rbac.member'::regclass AND e.row_key = becomes ->> 'member_id' AND e.org_id = org)
	THEN
		refusal := format('there has been a member %s before, whose traces are theirs', becomes ->> 'member_id');
		hint := 'Take another id, or leave it out.';
	ELSIF tab = 'role' AND (was ->> 'role_id')::bigint = ANY (mine) OR
		tab = 'role_inherit' AND ((was ->> 'senior_id')::bigint = ANY (mine) OR (becomes ->> 'senior_id')::bigint = ANY (mine))
	THEN
		SELECT format('role "%s" is one that you hold', r.name) INTO refusal FROM chat_rbac.role r
		WHERE r.org_id = org AND r.role_id = coalesce(was ->> 'role_id', was ->> 'senior_id', becomes ->> 'senior_id')::bigint;
		hint := 'Nobody changes a role that they hold, also by inheritance.';
	ELSIF tab IN ('separation', 'separation_role') AND deed <> 'create' AND EXISTS (
		SELECT FROM chat_rbac.separation_role s WHERE s.org_id = org AND s.separation_id = (was ->> 'separation_id')::bigint AND s.role_id = ANY (mine))
	THEN
		SELECT format('separation "%s" binds you', s.name) INTO refusal FROM chat_rbac.separation s
		WHERE s.org_id = org AND s.separation_id = (was ->> 'separation_id')::bigint;
		hint := 'Nobody loosens a separation of a role that they hold, also by inheritance.';
	ELSIF tab = 'unit' AND (becomes ->> 'sealed')::boolean AND (was ->> 'sealed')::boolean IS NOT TRUE AND NOT EXISTS (
		SELECT FROM chat_rbac.live_grants(org) AS g JOIN chat_rbac.member m ON m.org_id = org AND m.member_id = g.member_id AND m.active
		WHERE g.unit_id = (was ->> 'unit_id')::bigint AND g.valid @> statement_timestamp() AND upper_inf(g.valid)
			AND EXISTS (SELECT FROM chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p WHERE p OPERATOR(chat_rbac.@>) 'unit.manage')
			AND EXISTS (SELECT FROM chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p WHERE p OPERATOR(chat_rbac.@>) 'role.assign'))
	THEN
		refusal := format('nobody could administer unit "%s" if it were sealed', becomes ->> 'name');
		hint := 'First grant somebody a role with unit.manage and role.assign at that unit, for good: grants from above end at the seal.';
	ELSIF tab = 'role_grant' AND ((was ->> 'member_id')::bigint = me OR (becomes ->> 'member_id')::bigint = me) THEN
		refusal := 'nobody changes their own grants';
	END IF;
	IF refusal IS NOT NULL THEN
		RETURN NEXT;
		RETURN;
	END IF;

	/* the right to administer, */
	what := CASE tab
		WHEN 'role_inherit' THEN 'change what a role inherits'
		WHEN 'role_grant' THEN CASE deed WHEN 'create' THEN 'grant a role' WHEN 'delete' THEN 'revoke a role' ELSE 'change a grant' END
		WHEN 'token' THEN 'issue a token to who holds a role there'
		ELSE deed || CASE tab WHEN 'org' THEN ' the ' ELSE ' a ' END || replace(tab, '_', ' ') END;
	RETURN QUERY
	SELECT DISTINCT d.permission::chat_rbac.permission, d.unit_id, NULL::timestamptz, what, NULL::text, NULL::text
	FROM (
		SELECT 'settings.manage', NULL::bigint WHERE tab = 'org'
		UNION ALL SELECT 'unit.manage', (was ->> 'unit_id')::bigint WHERE tab = 'unit' AND deed <> 'create'
		/* what is above gets or loses it */
		UNION ALL SELECT 'unit.manage', (s.side ->> 'parent_id')::bigint
			FROM unnest(ARRAY[was, becomes]) AS s (side)
			WHERE tab = 'unit' AND s.side IS NOT NULL AND (deed <> 'change' OR changed && '{parent_id,sealed}')
		UNION ALL SELECT 'member.invite', NULL WHERE tab = 'member' AND deed = 'create'
		/* of a member: wherever they hold a role, and where they hold none, or come back, in the whole org */
		UNION ALL SELECT 'member.manage', g.unit_id
			FROM (SELECT (was ->> 'member_id')::bigint) AS m (id) LEFT JOIN chat_rbac.live_grants(org) AS g ON g.member_id = m.id
			WHERE tab = 'member' AND deed <> 'create'
		UNION ALL SELECT 'member.manage', NULL WHERE tab = 'member' AND deed = 'change' AND (becomes ->> 'active')::boolean AND 'active' = ANY (changed)
		/* whom a subject names can be that member */
		UNION ALL SELECT 'token.issue', NULL WHERE tab = 'member' AND deed = 'change' AND 'subject' = ANY (changed)
		UNION ALL SELECT 'role.manage', NULL WHERE tab IN ('role', 'role_inherit', 'separation', 'separation_role')
		UNION ALL SELECT 'token.issue', g.unit_id FROM chat_rbac.live_grants(org) AS g
			WHERE tab = 'token' AND g.member_id = (becomes ->> 'member_id')::bigint AND g.unit_id IN (SELECT chat_rbac.sealed_units(org))
		UNION ALL SELECT 'token.manage', NULL WHERE tab = 'signing_key'
		UNION ALL SELECT 'role.assign', (s.side ->> 'unit_id')::bigint
			FROM unnest(ARRAY[was, becomes]) AS s (side) WHERE tab = 'role_grant' AND s.side IS NOT NULL
	) AS d (permission, unit_id)
	ORDER BY d.unit_id NULLS FIRST, 1;

	/* and what it would give or take, which one must hold there, and for as long */
	CASE tab
		WHEN 'unit' THEN
			IF opens OR deed = 'change' AND changed && '{parent_id,sealed}' THEN
				RETURN QUERY SELECT p, (was ->> 'unit_id')::bigint, max(coalesce(upper(g.valid), 'infinity')),
					format(CASE WHEN deed = 'change' AND 'parent_id' = ANY (changed) THEN 'move unit "%s" to where others hold it'
						ELSE 'open unit "%s" to others who hold it' END, was ->> 'name'), NULL::text, NULL::text
				FROM chat_rbac.live_grants(org) AS g CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p
				WHERE EXISTS (
					SELECT FROM (
						SELECT NULL::bigint WHERE opens
						UNION SELECT chat_rbac.places_above(org, (becomes ->> 'parent_id')::bigint) WHERE NOT (becomes ->> 'sealed')::boolean
						EXCEPT SELECT chat_rbac.places_above(org, (was ->> 'unit_id')::bigint)) AS gains (unit_id)
					WHERE gains.unit_id IS NOT DISTINCT FROM g.unit_id)
				GROUP BY p ORDER BY 1;
			END IF;
			/* rows that hold its key were nowhere in the tree, and only the whole org's */
			IF deed = 'create' OR changed && '{kind,key}' AND deed = 'change' THEN
				RETURN QUERY SELECT p, NULL::bigint, max(coalesce(upper(g.valid), 'infinity')),
					format('give unit "%s" a key where others hold it', becomes ->> 'name'), NULL::text, NULL::text
				FROM chat_rbac.live_grants(org) AS g CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p
				WHERE g.unit_id IN (SELECT (was ->> 'unit_id')::bigint
									UNION SELECT chat_rbac.places_above(org, (becomes ->> 'parent_id')::bigint) WHERE NOT (becomes ->> 'sealed')::boolean)
				GROUP BY p ORDER BY 1;
			END IF;
		WHEN 'member' THEN
			RETURN QUERY SELECT p, g.unit_id, max(coalesce(upper(g.valid), 'infinity')),
				format('manage member "%s", who holds it', was ->> 'name'), NULL::text, NULL::text
			FROM chat_rbac.live_grants(org) AS g CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p
			WHERE g.member_id = (was ->> 'member_id')::bigint
			GROUP BY p, g.unit_id ORDER BY 1;
		WHEN 'role' THEN
			RETURN QUERY SELECT DISTINCT p, NULL::bigint, 'infinity'::timestamptz,
				format('%s role "%s", which has it', CASE deed WHEN 'create' THEN 'make' ELSE deed END, coalesce(was, becomes) ->> 'name'), NULL::text, NULL::text
			FROM (SELECT chat_rbac.permissions_within(org, ARRAY[(was ->> 'role_id')::bigint])
				UNION ALL SELECT chat_rbac.unnest((becomes ->> 'permissions')::chat_rbac.permset)) AS s (p)
			ORDER BY 1;
			/* and what is new, where it is granted out of the whole org's reach */
			RETURN QUERY SELECT DISTINCT p, g.unit_id, 'infinity'::timestamptz,
				format('give it to role "%s", which is granted at a sealed unit', becomes ->> 'name'), NULL::text, NULL::text
			FROM chat_rbac.unnest((becomes ->> 'permissions')::chat_rbac.permset) AS p, chat_rbac.live_grants(org) AS g
			WHERE deed = 'change' AND NOT (was ->> 'permissions')::chat_rbac.permset OPERATOR(chat_rbac.@>) p
				AND g.unit_id IN (SELECT chat_rbac.sealed_units(org))
				AND (was ->> 'role_id')::bigint IN (SELECT chat_rbac.roles_within(org, ARRAY[g.role_id]))
			ORDER BY 1, 2;
		WHEN 'role_inherit' THEN
			RETURN QUERY SELECT DISTINCT p, NULL::bigint, 'infinity'::timestamptz, 'change which role inherits it', NULL::text, NULL::text
			FROM unnest(ARRAY[was, becomes]) AS s (side)
			CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[(s.side ->> 'junior_id')::bigint, (s.side ->> 'senior_id')::bigint]) AS p
			WHERE s.side IS NOT NULL
			ORDER BY 1;
			RETURN QUERY SELECT DISTINCT p, g.unit_id, 'infinity'::timestamptz, 'have it inherited by a role that is granted at a sealed unit', NULL::text, NULL::text
			FROM chat_rbac.permissions_within(org, ARRAY[(becomes ->> 'junior_id')::bigint]) AS p, chat_rbac.live_grants(org) AS g
			WHERE becomes IS NOT NULL AND g.unit_id IN (SELECT chat_rbac.sealed_units(org))
				AND (becomes ->> 'senior_id')::bigint IN (SELECT chat_rbac.roles_within(org, ARRAY[g.role_id]))
			ORDER BY 1, 2;
		WHEN 'role_grant' THEN
			RETURN QUERY SELECT p, (s.side ->> 'unit_id')::bigint, coalesce(upper((s.side ->> 'valid')::tstzrange), 'infinity'),
				format('%s role "%s", which has it', CASE WHEN s.n = 1 THEN 'revoke' ELSE 'grant' END,
					(SELECT r.name FROM chat_rbac.role r WHERE r.org_id = org AND r.role_id = (s.side ->> 'role_id')::bigint)), NULL::text, NULL::text
			FROM unnest(ARRAY[was, becomes]) WITH ORDINALITY AS s (side, n)
			CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[(s.side ->> 'role_id')::bigint]) AS p
			WHERE s.side IS NOT NULL
			ORDER BY s.n, 1;
			/* who holds something at that unit or above reaches by relations what is the member's, wherever that is */
			RETURN QUERY SELECT p, place.unit_id, max(coalesce(upper(g.valid), 'infinity')),
				'bring the member to where others hold it', NULL::text, NULL::text
			FROM chat_rbac.live_grants(org) AS g CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p
			CROSS JOIN (SELECT h.unit_id FROM (SELECT (becomes ->> 'member_id')::bigint) AS m (id)
						LEFT JOIN chat_rbac.live_grants(org) AS h ON h.member_id = m.id) AS place
			WHERE becomes IS NOT NULL AND NOT chat_rbac.is_newcomer(org, (becomes ->> 'member_id')::bigint)
				AND g.unit_id IN (SELECT chat_rbac.places_above(org, (becomes ->> 'unit_id')::bigint))
				AND NOT EXISTS (SELECT FROM chat_rbac.live_grants(org) AS h
					WHERE h.member_id = (becomes ->> 'member_id')::bigint
						AND h.valid @> (becomes ->> 'valid')::tstzrange AND g.unit_id IN (SELECT chat_rbac.places_above(org, h.unit_id)))
			GROUP BY p, place.unit_id ORDER BY 1;
			/* of roles that may not be active together none is, so this may take away what the member has */
			RETURN QUERY SELECT p, h.unit_id, max(coalesce(upper(h.valid), 'infinity')), 'let a separation leave it inactive', NULL::text, NULL::text
			FROM chat_rbac.live_grants(org) AS h CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[h.role_id]) AS p
			WHERE h.member_id = (becomes ->> 'member_id')::bigint AND EXISTS (
				SELECT FROM chat_rbac.separation s JOIN chat_rbac.separation_role r ON r.org_id = s.org_id AND r.separation_id = s.separation_id
				WHERE s.org_id = org AND s.kind = 'dynamic'
					AND r.role_id IN (SELECT chat_rbac.roles_within(org, ARRAY[(becomes ->> 'role_id')::bigint])))
			GROUP BY p, h.unit_id ORDER BY 1;
		WHEN 'separation', 'separation_role' THEN
			/* it binds who holds the roles */
			RETURN QUERY SELECT DISTINCT p, NULL::bigint, 'infinity'::timestamptz, 'part a role that has it', NULL::text, NULL::text
			FROM unnest(ARRAY[was, becomes]) AS s (side)
			CROSS JOIN LATERAL chat_rbac.permissions_within(org, CASE tab WHEN 'separation_role' THEN ARRAY[(s.side ->> 'role_id')::bigint]
				ELSE ARRAY(SELECT r.role_id FROM chat_rbac.separation_role r
						   WHERE r.org_id = org AND r.separation_id = (s.side ->> 'separation_id')::bigint) END) AS p
			WHERE s.side IS NOT NULL
			ORDER BY 1;
		WHEN 'signing_key' THEN
			RETURN QUERY SELECT '*.*'::chat_rbac.permission, s.unit_id, 'infinity'::timestamptz,
				'keep a signing key, with which one can be anybody'::text, NULL::text, NULL::text
			FROM (SELECT NULL UNION ALL SELECT chat_rbac.sealed_units(org)) AS s (unit_id) ORDER BY s.unit_id NULLS FIRST;
		ELSE
			NULL;
	END CASE;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.demands(text, jsonb, jsonb, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.demands(text, jsonb, jsonb, bigint, bigint) IS 'Internal to administer(): what must be held, at a unit or (NULL) in the whole org, and until when, for member "me" of an org to change a row of an RBAC table, and why; or why nobody may.';

/* who made a key, gave a right or wrote a catalogue does not matter to what must be true of it */
ALTER FUNCTION chat_rbac.check_known_permissions() SECURITY DEFINER;
ALTER FUNCTION chat_rbac.check_max_duration() SECURITY DEFINER;
ALTER FUNCTION chat_rbac.check_signing_key() SECURITY DEFINER;

DO $$
DECLARE
	tab text;
BEGIN
	FOREACH tab IN ARRAY ARRAY['org', 'unit', 'member', 'role', 'role_inherit', 'role_grant', 'separation', 'separation_role', 'signing_key', 'known_permission'] LOOP
		EXECUTE format('CREATE TRIGGER administer BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.%I'
					   ' FOR EACH ROW EXECUTE FUNCTION chat_rbac.administer()', tab);
		EXECUTE format('CREATE TRIGGER administer_truncate BEFORE TRUNCATE ON chat_rbac.%I'
					   ' FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.administer_truncate()', tab);
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ALWAYS TRIGGER administer, ENABLE ALWAYS TRIGGER administer_truncate', tab);
		CONTINUE WHEN tab = 'known_permission';
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ROW LEVEL SECURITY', tab);
		EXECUTE format('CREATE POLICY own_org ON chat_rbac.%I AS RESTRICTIVE USING (org_id = chat_rbac.current_org())', tab);
	END LOOP;
	/* row by row they are their tables' owners' to write */
	FOREACH tab IN ARRAY ARRAY['protection', 'protected_view'] LOOP
		EXECUTE format('CREATE TRIGGER administer_truncate BEFORE TRUNCATE ON chat_rbac.%I'
					   ' FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.administer_truncate()', tab);
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ALWAYS TRIGGER administer_truncate', tab);
	END LOOP;
END
$$;

/* what one does not see one does not change, also by a statement that reads nothing */
CREATE POLICY see ON chat_rbac.org USING (true) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.unit USING (
	chat_rbac.in_org_scope(org_id, '{unit.view}', 'all') OR unit_id = ANY ((SELECT chat_rbac.units_scope('{unit.view}'))::bigint[])) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.member USING (
	member_id = chat_rbac.current_member() OR chat_rbac.in_org_scope(org_id, '{member.view}', 'all')
	OR member_id = ANY ((SELECT chat_rbac.members_scope('{member.view}', 'all', false))::bigint[])) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.role_grant USING (
	member_id = chat_rbac.current_member() OR chat_rbac.in_org_scope(org_id, '{role.view}', 'all')
	OR unit_id = ANY ((SELECT chat_rbac.units_scope('{role.view}'))::bigint[])) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.role USING (
	(SELECT chat_rbac.can('role.view'))
	OR role_id IN (SELECT g.role_id FROM chat_rbac.role_grant g WHERE g.member_id = (SELECT chat_rbac.current_member()))) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.role_inherit USING (
	(SELECT chat_rbac.can('role.view'))) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.separation USING (
	(SELECT chat_rbac.can('role.view'))) WITH CHECK (true);
CREATE POLICY see ON chat_rbac.separation_role USING (
	(SELECT chat_rbac.can('role.view'))) WITH CHECK (true);
/* who reads a secret can be anybody */
CREATE POLICY see ON chat_rbac.signing_key USING (
	chat_rbac.in_org_scope(org_id, '{*.*}', 'all')
	AND NOT EXISTS (SELECT FROM chat_rbac.unit u WHERE u.org_id = signing_key.org_id AND u.sealed
		AND u.unit_id <> ALL ((SELECT chat_rbac.units_scope('{*.*}'))::bigint[]))) WITH CHECK (true);

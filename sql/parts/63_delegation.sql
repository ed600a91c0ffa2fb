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
COMMENT ON FUNCTION chat_rbac.administer_truncate() IS 'Trigger: refuses TRUNCATE of an RBAC table to all but its owner (SQLSTATE 42501).';

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

CREATE FUNCTION chat_rbac.permissions_within(org bigint, roles bigint[]) RETURNS SETOF chat_rbac.permission
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT DISTINCT p FROM chat_rbac.role r CROSS JOIN LATERAL chat_rbac.unnest(r.permissions) AS p
	WHERE r.org_id = org AND r.role_id IN (SELECT chat_rbac.roles_within(org, roles));
END;
REVOKE ALL ON FUNCTION chat_rbac.permissions_within(bigint, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.permissions_within(bigint, bigint[]) IS 'Internal: the permissions of these roles and of all that they inherit.';

CREATE FUNCTION chat_rbac.units_above(org bigint, unit bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE up (unit_id) AS (
		SELECT unit WHERE unit IS NOT NULL
		UNION
		SELECT u.parent_id FROM up JOIN chat_rbac.unit u ON u.org_id = org AND u.unit_id = up.unit_id WHERE u.parent_id IS NOT NULL)
	SELECT unit_id FROM up;
END;
REVOKE ALL ON FUNCTION chat_rbac.units_above(bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.units_above(bigint, bigint) IS 'Internal: a unit and those above it.';

CREATE FUNCTION chat_rbac.live_grants(org bigint) RETURNS SETOF chat_rbac.role_grant
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT g.* FROM chat_rbac.role_grant g WHERE g.org_id = org AND (upper_inf(g.valid) OR upper(g.valid) > statement_timestamp());
END;
REVOKE ALL ON FUNCTION chat_rbac.live_grants(bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.live_grants(bigint) IS 'Internal: grants that are not over, and so count now or will.';

CREATE FUNCTION chat_rbac.demands(tab text, was jsonb, becomes jsonb, org bigint, me bigint)
RETURNS TABLE (permission chat_rbac.permission, unit_id bigint, reason text, refusal text, hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	deed constant text := CASE WHEN was IS NULL THEN 'create' WHEN becomes IS NULL THEN 'delete' ELSE 'change' END;
	changed constant text[] := ARRAY(SELECT k FROM jsonb_object_keys(coalesce(becomes, was)) AS k WHERE was -> k IS DISTINCT FROM becomes -> k);
	mine constant bigint[] := ARRAY(SELECT chat_rbac.roles_within(org, ARRAY(SELECT g.role_id FROM chat_rbac.live_grants(org) AS g WHERE g.member_id = me)));
	side jsonb;
	id bigint;
	place bigint;
	what text;
BEGIN
	/* ids say what a row is about: another one is another row */
	IF tab = 'known_permission' THEN
		refusal := 'the catalogue of permissions is of all orgs';
		hint := 'Ask a database administrator.';
	ELSIF (was ->> 'org_id')::bigint <> org OR (becomes ->> 'org_id')::bigint IS DISTINCT FROM org AND becomes IS NOT NULL OR
		(was ->> 'org_id') IS NULL AND was IS NOT NULL
	THEN
		refusal := format('a %s that is not of one''s own org cannot be %sd', replace(tab, '_', ' '), deed);
	ELSIF deed = 'change' AND changed && '{unit_id,member_id,role_id,grant_id,key_id,senior_id,junior_id}' AND tab <> 'role_grant' THEN
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
	ELSIF tab = 'role' AND (was ->> 'role_id')::bigint = ANY (mine) OR
		tab = 'role_inherit' AND ((was ->> 'senior_id')::bigint = ANY (mine) OR (becomes ->> 'senior_id')::bigint = ANY (mine))
	THEN
		SELECT format('role "%s" is one that you hold', r.name) INTO refusal FROM chat_rbac.role r
		WHERE r.org_id = org AND r.role_id = coalesce(was ->> 'role_id', was ->> 'senior_id', becomes ->> 'senior_id')::bigint;
		hint := 'Nobody changes a role that they hold, also by inheritance.';
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
		ELSE deed || CASE tab WHEN 'org' THEN ' the ' ELSE ' a ' END || replace(tab, '_', ' ') END;
	RETURN QUERY
	SELECT d.permission::chat_rbac.permission, d.unit_id, what, NULL::text, NULL::text
	FROM (
		SELECT 'settings.manage', NULL::bigint WHERE tab = 'org'
		UNION ALL SELECT 'unit.manage', coalesce(was ->> 'unit_id', becomes ->> 'parent_id')::bigint WHERE tab = 'unit'
		UNION ALL SELECT 'unit.manage', (becomes ->> 'parent_id')::bigint WHERE tab = 'unit' AND 'parent_id' = ANY (changed) AND deed = 'change'
		UNION ALL SELECT 'member.invite', NULL WHERE tab = 'member' AND deed = 'create'
		/* of a member: wherever they hold a role, and where they hold none, in the whole org */
		UNION ALL SELECT DISTINCT 'member.manage', g.unit_id
			FROM (SELECT (was ->> 'member_id')::bigint) AS m (id) LEFT JOIN chat_rbac.live_grants(org) AS g ON g.member_id = m.id
			WHERE tab = 'member' AND deed <> 'create'
		UNION ALL SELECT 'role.manage', NULL WHERE tab IN ('role', 'role_inherit')
		UNION ALL SELECT 'token.manage', NULL WHERE tab = 'signing_key'
		UNION ALL SELECT 'role.assign', (s.side ->> 'unit_id')::bigint
			FROM unnest(ARRAY[was, becomes]) AS s (side) WHERE tab = 'role_grant' AND s.side IS NOT NULL
		/* a relation may reach all that is a person's: so wherever else they hold a role */
		UNION ALL SELECT DISTINCT 'role.assign', g.unit_id
			FROM chat_rbac.live_grants(org) AS g WHERE tab = 'role_grant' AND g.member_id = (becomes ->> 'member_id')::bigint
	) AS d (permission, unit_id)
	ORDER BY d.unit_id NULLS FIRST;

	/* and what it would give or take, which one must hold there */
	CASE tab
		WHEN 'unit' THEN
			IF deed = 'change' AND 'parent_id' = ANY (changed) THEN
				RETURN QUERY SELECT DISTINCT p, (was ->> 'unit_id')::bigint,
					format('move unit "%s" to where others hold it', was ->> 'name'), NULL::text, NULL::text
				FROM chat_rbac.permissions_within(org, ARRAY(
					SELECT g.role_id FROM chat_rbac.live_grants(org) AS g
					WHERE g.unit_id IN (SELECT chat_rbac.units_above(org, (becomes ->> 'parent_id')::bigint)
										EXCEPT SELECT chat_rbac.units_above(org, (was ->> 'unit_id')::bigint)))) AS p
				ORDER BY 1;
			END IF;
			/* rows that hold its key were nowhere in the tree, and only the whole org's */
			IF deed = 'create' OR changed && '{kind,key}' AND deed = 'change' THEN
				RETURN QUERY SELECT DISTINCT p, NULL::bigint,
					format('give unit "%s" a key where others hold it', becomes ->> 'name'), NULL::text, NULL::text
				FROM chat_rbac.permissions_within(org, ARRAY(
					SELECT g.role_id FROM chat_rbac.live_grants(org) AS g
					WHERE g.unit_id IN (SELECT chat_rbac.units_above(org, coalesce(was ->> 'unit_id', becomes ->> 'parent_id')::bigint)))) AS p
				ORDER BY 1;
			END IF;
		WHEN 'member' THEN
			RETURN QUERY SELECT DISTINCT p, g.unit_id, format('manage member "%s", who holds it', was ->> 'name'), NULL::text, NULL::text
			FROM chat_rbac.live_grants(org) AS g CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p
			WHERE g.member_id = (was ->> 'member_id')::bigint
			ORDER BY 1;
		WHEN 'role' THEN
			RETURN QUERY SELECT DISTINCT p, NULL::bigint,
				format(CASE WHEN s.n = 1 THEN 'take it from role "%s"' ELSE 'give it to role "%s"' END, coalesce(becomes, was) ->> 'name'), NULL::text, NULL::text
			FROM unnest(ARRAY[was ->> 'permissions', becomes ->> 'permissions']) WITH ORDINALITY AS s (set, n)
			CROSS JOIN LATERAL chat_rbac.unnest(s.set::chat_rbac.permset) AS p
			WHERE s.set IS NOT NULL AND (was IS NULL OR becomes IS NULL OR
				NOT (CASE s.n WHEN 1 THEN becomes ELSE was END ->> 'permissions')::chat_rbac.permset OPERATOR(chat_rbac.@>) p)
			ORDER BY 1;
		WHEN 'role_inherit' THEN
			RETURN QUERY SELECT DISTINCT p, NULL::bigint, 'change which role inherits it', NULL::text, NULL::text
			FROM unnest(ARRAY[was, becomes]) AS s (side)
			CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[(s.side ->> 'junior_id')::bigint]) AS p
			WHERE s.side IS NOT NULL
			ORDER BY 1;
		WHEN 'role_grant' THEN
			RETURN QUERY SELECT DISTINCT p, (s.side ->> 'unit_id')::bigint,
				format('%s role "%s", which has it', CASE WHEN s.n = 1 THEN 'revoke' ELSE 'grant' END,
					(SELECT r.name FROM chat_rbac.role r WHERE r.org_id = org AND r.role_id = (s.side ->> 'role_id')::bigint)), NULL::text, NULL::text
			FROM unnest(ARRAY[was, becomes]) WITH ORDINALITY AS s (side, n)
			CROSS JOIN LATERAL chat_rbac.permissions_within(org, ARRAY[(s.side ->> 'role_id')::bigint]) AS p
			WHERE s.side IS NOT NULL
			ORDER BY 1;
		WHEN 'signing_key' THEN
			RETURN QUERY SELECT '*.*'::chat_rbac.permission, NULL::bigint,
				'keep a signing key, with which one can be anybody'::text, NULL::text, NULL::text;
		ELSE
			NULL;
	END CASE;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.demands(text, jsonb, jsonb, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.demands(text, jsonb, jsonb, bigint, bigint) IS 'Internal to administer(): what must be held, at a unit or (NULL) in the whole org, for member "me" of an org to change a row of an RBAC table, and why; or why nobody may.';

/* who made a key, gave a right or wrote a catalogue does not matter to what must be true of it */
ALTER FUNCTION chat_rbac.check_known_permissions() SECURITY DEFINER;
ALTER FUNCTION chat_rbac.check_max_duration() SECURITY DEFINER;
ALTER FUNCTION chat_rbac.check_signing_key() SECURITY DEFINER;

DO $$
DECLARE
	tab text;
BEGIN
	FOREACH tab IN ARRAY ARRAY['org', 'unit', 'member', 'role', 'role_inherit', 'role_grant', 'signing_key', 'known_permission'] LOOP
		EXECUTE format('CREATE TRIGGER administer BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.%I'
					   ' FOR EACH ROW EXECUTE FUNCTION chat_rbac.administer()', tab);
		EXECUTE format('CREATE TRIGGER administer_truncate BEFORE TRUNCATE ON chat_rbac.%I'
					   ' FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.administer_truncate()', tab);
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ALWAYS TRIGGER administer, ENABLE ALWAYS TRIGGER administer_truncate', tab);
		CONTINUE WHEN tab = 'known_permission';
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ROW LEVEL SECURITY', tab);
		EXECUTE format('CREATE POLICY own_org ON chat_rbac.%I AS RESTRICTIVE USING (org_id = chat_rbac.current_org())', tab);
		EXECUTE format('CREATE POLICY administer_insert ON chat_rbac.%I FOR INSERT WITH CHECK (true)', tab);
		EXECUTE format('CREATE POLICY administer_update ON chat_rbac.%I FOR UPDATE USING (true)', tab);
		EXECUTE format('CREATE POLICY administer_delete ON chat_rbac.%I FOR DELETE USING (true)', tab);
	END LOOP;
END
$$;

CREATE POLICY see ON chat_rbac.org FOR SELECT USING (true);
CREATE POLICY see ON chat_rbac.unit FOR SELECT USING (
	chat_rbac.in_org_scope(org_id, '{unit.view}', 'all') OR unit_id = ANY ((SELECT chat_rbac.units_scope('{unit.view}'))::bigint[]));
CREATE POLICY see ON chat_rbac.member FOR SELECT USING (
	member_id = chat_rbac.current_member() OR chat_rbac.in_org_scope(org_id, '{member.view}', 'all')
	OR member_id = ANY ((SELECT chat_rbac.members_scope('{member.view}', 'all', false))::bigint[]));
CREATE POLICY see ON chat_rbac.role_grant FOR SELECT USING (
	member_id = chat_rbac.current_member() OR chat_rbac.in_org_scope(org_id, '{role.view}', 'all')
	OR unit_id = ANY ((SELECT chat_rbac.units_scope('{role.view}'))::bigint[]));
CREATE POLICY see ON chat_rbac.role FOR SELECT USING (
	(SELECT chat_rbac.can('role.view'))
	OR role_id IN (SELECT g.role_id FROM chat_rbac.role_grant g WHERE g.member_id = (SELECT chat_rbac.current_member())));
CREATE POLICY see ON chat_rbac.role_inherit FOR SELECT USING (
	(SELECT chat_rbac.can('role.view')));
CREATE POLICY see ON chat_rbac.signing_key FOR SELECT USING (
	chat_rbac.in_org_scope(org_id, '{token.manage}', 'all'));

/* ---- policy as code: units, roles and separations of an org as one document ---- */

/*
 * All of it asks and writes as whoever calls: members need the same privileges on the
 * tables as for the plain SQL, and are held to the same rules.  A document that shows
 * less than there is would take what it does not show for missing, so that all must be
 * seen.  The settings that texts of times depend on are pinned;
 * and queries that run for milliseconds are not compiled for seconds.
 */

CREATE FUNCTION chat_rbac.policy_org(org text, members boolean) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	lacking text;
BEGIN
	SELECT string_agg(v.permission, ', ') INTO lacking
	FROM (VALUES ('chat_rbac.unit', 'unit.view', true), ('chat_rbac.role', 'role.view', true), ('chat_rbac.member', 'member.view', members)) AS v (tab, permission, asked)
	WHERE v.asked AND row_security_active(v.tab) AND NOT chat_rbac.in_org_scope(o, ARRAY[v.permission]::text::chat_rbac.permset, 'all');
	IF lacking IS NOT NULL THEN
		RAISE EXCEPTION 'permission "%" is needed in the whole of org "%" for its policy', lacking, org
			USING ERRCODE = 'insufficient_privilege', HINT = 'What is not seen would be missing in the document.';
	END IF;
	RETURN o;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_org(text, boolean) IS 'Internal to policies: the id of an org of which all units and roles, and if asked members, may be seen (else SQLSTATE 42501).';

CREATE FUNCTION chat_rbac.policy_path(path jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(e.name, ' / ' ORDER BY e.n) FROM jsonb_array_elements_text(path) WITH ORDINALITY AS e (name, n);
END;
COMMENT ON FUNCTION chat_rbac.policy_path(jsonb) IS 'Internal to policies: an array of names as "EMEA / Support / Tier 1".';

CREATE FUNCTION chat_rbac.policy_tree(org bigint)
RETURNS TABLE (unit_id bigint, parent_id bigint, depth integer, path jsonb, names text[], kind text, key bigint, name text, sealed boolean)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH RECURSIVE tree AS (
		SELECT u.unit_id, u.parent_id, 0 AS depth, jsonb_build_array(u.name) AS path, ARRAY[u.name] AS names, u.kind, u.key, u.name, u.sealed
		FROM chat_rbac.unit u WHERE u.org_id = org AND u.parent_id IS NULL
		UNION ALL
		SELECT u.unit_id, u.parent_id, t.depth + 1, t.path || to_jsonb(u.name), t.names || u.name, u.kind, u.key, u.name, u.sealed
		FROM tree t JOIN chat_rbac.unit u ON u.org_id = org AND u.parent_id = t.unit_id
	)
	SELECT tree.unit_id, tree.parent_id, tree.depth, tree.path, tree.names, tree.kind, tree.key, tree.name, tree.sealed FROM tree;
END;
COMMENT ON FUNCTION chat_rbac.policy_tree(bigint) IS 'Internal to policies: the units of an org with the names from the top down.';

/* ---- export ---- */

CREATE FUNCTION chat_rbac.export_policy(org text, members boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET IntervalStyle = 'postgres'
SET DateStyle = 'ISO, YMD'
SET TimeZone = 'UTC'
SET jit = off
AS $$
DECLARE
	o constant bigint := chat_rbac.policy_org(org, coalesce(members, false));
	twins text;
	document jsonb;
BEGIN
	SELECT chat_rbac.policy_path(t.path) INTO twins FROM chat_rbac.policy_tree(o) AS t GROUP BY t.path HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
	IF twins IS NOT NULL THEN
		RAISE EXCEPTION 'org "%" has two units "%" under one parent', org, twins
			USING ERRCODE = 'ambiguous_alias', HINT = 'Give them names of their own: a policy tells units by their names.';
	END IF;

	/* the tree is written in its own order: a unit, and in brackets what is below it */
	SELECT jsonb_build_object('format', 'chat_rbac policy 1', 'org', org,
		'units', ('[' || coalesce(string_agg(
			CASE WHEN w.depth > w.before OR w.before IS NULL THEN '' ELSE ',' END ||
			format('{"name":%s,"kind":%s,"key":%s', to_json(w.name), to_json(w.kind), w.key) || CASE WHEN w.sealed THEN ',"sealed":true' ELSE '' END ||
			CASE WHEN w.after > w.depth THEN ',"units":[' ELSE '}' || repeat(']}', w.depth - coalesce(w.after, 0)) END,
			'' ORDER BY w.names COLLATE "C"), '') || ']')::jsonb)
	INTO document
	FROM (SELECT t.*, lag(t.depth) OVER tree AS before, lead(t.depth) OVER tree AS after
		  FROM chat_rbac.policy_tree(o) AS t WINDOW tree AS (ORDER BY t.names COLLATE "C")) AS w;

	document := document || jsonb_build_object(
		'roles', (
			SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', r.name, 'max_duration', r.max_duration::text,
				'permissions', ARRAY(SELECT p::text FROM chat_rbac.unnest(r.permissions) AS p ORDER BY p::text COLLATE "C"),
				'inherits', (SELECT jsonb_agg(j.name ORDER BY j.name COLLATE "C") FROM chat_rbac.role_inherit i
					JOIN chat_rbac.role j ON j.org_id = o AND j.role_id = i.junior_id WHERE i.org_id = o AND i.senior_id = r.role_id)))
				ORDER BY r.name COLLATE "C"), '[]')
			FROM chat_rbac.role r WHERE r.org_id = o),
		'separations', (
			SELECT coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'kind', s.kind, 'cardinality', s.cardinality,
				'roles', ARRAY(SELECT r.name FROM chat_rbac.separation_role sr JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = sr.role_id
					WHERE sr.org_id = o AND sr.separation_id = s.separation_id ORDER BY r.name COLLATE "C"))
				ORDER BY s.name COLLATE "C"), '[]')
			FROM chat_rbac.separation s WHERE s.org_id = o));
	IF members THEN
		SELECT format('member "%s" of org "%s" is not one but %s', m.name, org, count(*)) INTO twins
		FROM chat_rbac.member m WHERE m.org_id = o AND m.subject IS NULL GROUP BY m.name HAVING count(*) > 1 ORDER BY m.name LIMIT 1;
		IF twins IS NOT NULL THEN
			RAISE EXCEPTION '%', twins USING ERRCODE = 'ambiguous_alias', HINT = 'Give them names of their own, or subjects.';
		END IF;
		document := document || jsonb_build_object('members', (
			SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', m.name, 'subject', m.subject, 'active', m.active,
				'grants', coalesce(g.grants, '[]'))) ORDER BY m.name COLLATE "C", m.subject COLLATE "C" NULLS FIRST), '[]')
			FROM chat_rbac.member m LEFT JOIN (
				SELECT d.member_id, jsonb_agg(d.item ORDER BY d.role COLLATE "C", d.names COLLATE "C" NULLS FIRST, d.valid, d.shift COLLATE "C" NULLS FIRST) AS grants
				FROM (	/* of two that are alike but for the reason, the first */
					SELECT DISTINCT ON (g.member_id, g.role_id, g.unit_id, g.valid, g.shift::text)
						g.member_id, r.name AS role, t.names, g.valid, g.shift::text AS shift,
						jsonb_strip_nulls(jsonb_build_object('role', r.name, 'unit', t.path,
							'valid', nullif(g.valid, '(,)')::text, 'shift', g.shift::text, 'reason', g.reason)) AS item
					FROM chat_rbac.role_grant g JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = g.role_id
					LEFT JOIN chat_rbac.policy_tree(o) AS t ON t.unit_id = g.unit_id
					WHERE g.org_id = o
					ORDER BY g.member_id, g.role_id, g.unit_id, g.valid, g.shift::text, g.grant_id) AS d
				GROUP BY d.member_id) AS g ON g.member_id = m.member_id
			WHERE m.org_id = o));
	END IF;
	RETURN document;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.export_policy(text, boolean) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.export_policy(text, boolean) IS 'An org''s policy as one document, by names: {"format": "chat_rbac policy 1", "org", "units": [{"name", "kind", "key", "sealed", "units": [...]}], "roles": [{"name", "permissions", "inherits", "max_duration"}], "separations": [{"name", "kind", "cardinality", "roles"}]}; with members also "members": [{"name", "subject", "active", "grants": [{"role", "unit": [names from the top], "valid", "shift", "reason"}]}]. The same policy is the same document. SQLSTATE 42501 unless all of the org may be seen, 42P09 for names that are not unique.';

/* ---- what a document must be ---- */

CREATE FUNCTION chat_rbac.policy_shape(place text, item jsonb, shape jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	k text;
	v jsonb;
	wanted text;
	problem text;
BEGIN
	IF jsonb_typeof(item) IS DISTINCT FROM 'object' THEN
		PERFORM chat_rbac.raise_error('22023', format('%s must be an object, not %s', place, coalesce(jsonb_typeof(item), 'null')), NULL,
			format('Its keys are %s.', (SELECT string_agg(format('"%s"', s), ', ' ORDER BY s) FROM jsonb_object_keys(shape) AS s)));
	END IF;
	FOR k, v IN SELECT * FROM jsonb_each(item) LOOP
		wanted := rtrim(shape ->> k, '!');
		IF wanted IS NULL THEN
			PERFORM chat_rbac.raise_error('22023', format('%s has an unknown key "%s"', place, k), NULL,
				coalesce('Perhaps you meant ' || chat_rbac.near_names(k, ARRAY(SELECT jsonb_object_keys(shape))) || '. ', '') ||
				format('Its keys are %s.', (SELECT string_agg(format('"%s"', s), ', ' ORDER BY s) FROM jsonb_object_keys(shape) AS s)));
		END IF;
		problem := CASE wanted
			WHEN 'text' THEN CASE WHEN jsonb_typeof(v) <> 'string' OR v = '""' THEN 'a string that is not empty' END
			WHEN 'integer' THEN
				CASE WHEN jsonb_typeof(v) <> 'number' THEN 'an integer'
					WHEN v::numeric <> trunc(v::numeric) OR v::numeric NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN 'an integer' END
			WHEN 'boolean' THEN CASE WHEN jsonb_typeof(v) <> 'boolean' THEN 'true or false' END
			WHEN 'list' THEN CASE WHEN jsonb_typeof(v) <> 'array' THEN 'an array' END
			ELSE
				CASE WHEN jsonb_typeof(v) <> 'array' THEN 'an array of strings'
					WHEN EXISTS (SELECT FROM jsonb_array_elements(v) AS e WHERE jsonb_typeof(e) <> 'string' OR e = '""') THEN 'an array of strings that are not empty'
					WHEN wanted = 'set' AND jsonb_array_length(v) > (SELECT count(DISTINCT e) FROM jsonb_array_elements(v) AS e) THEN 'an array without repetitions' END
		END;
		IF problem IS NOT NULL THEN
			PERFORM chat_rbac.raise_error('22023', format('"%s" of %s must be %s', k, place, problem), format('It is %s.', left(v::text, 100)), NULL);
		END IF;
	END LOOP;
	SELECT s.key INTO k FROM jsonb_each_text(shape) AS s WHERE s.value LIKE '%!' AND NOT item ? s.key ORDER BY s.key LIMIT 1;
	IF FOUND THEN
		PERFORM chat_rbac.raise_error('22023', format('%s has no "%s"', place, k), NULL, NULL);
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_shape(text, jsonb, jsonb) IS 'Internal to policies: SQLSTATE 22023 unless an item is an object with the keys of shape: text, integer, boolean, list, texts or set, with ! if it must be there.';

CREATE FUNCTION chat_rbac.policy_value(place text, kind text, value text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	canonical text;
BEGIN
	BEGIN
		canonical := CASE kind
			WHEN 'permission' THEN value::chat_rbac.permission::text
			WHEN 'max_duration' THEN value::interval::text
			WHEN 'valid' THEN value::tstzrange::text
			WHEN 'shift' THEN value::chat_rbac.shift::text END;
		IF kind = 'max_duration' AND canonical::interval <= interval '0' THEN
			RAISE EXCEPTION 'it must be more than nothing' USING ERRCODE = 'invalid_parameter_value';
		ELSIF kind = 'valid' AND (isempty(canonical::tstzrange) OR upper_inc(canonical::tstzrange) OR
			NOT (lower_inc(canonical::tstzrange) OR lower_inf(canonical::tstzrange)))
		THEN
			RAISE EXCEPTION 'it must be [from, to), or open' USING ERRCODE = 'invalid_parameter_value';
		END IF;
	EXCEPTION WHEN data_exception OR syntax_error OR program_limit_exceeded THEN
		PERFORM chat_rbac.raise_error('22023', format('%s cannot have %s "%s": %s', place, kind, left(value, 100), SQLERRM), NULL, NULL);
	END;
	IF kind = 'permission' THEN
		PERFORM chat_rbac.require_known(canonical::chat_rbac.permission);
	END IF;
	RETURN canonical;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_value(text, text, text) IS 'Internal to policies: a permission, max_duration, valid or shift as PostgreSQL writes it; SQLSTATE 22023 if it is none, 42704 with near names for a permission that is not known.';

CREATE FUNCTION chat_rbac.policy_unique(what text, names text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	twice text;
BEGIN
	SELECT n INTO twice FROM unnest(names) AS n GROUP BY n HAVING count(*) > 1 ORDER BY n LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the policy has % % more than once', what, twice USING ERRCODE = 'invalid_parameter_value';
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_unique(text, text[]) IS 'Internal to policies: SQLSTATE 22023 if a name is there twice.';

CREATE FUNCTION chat_rbac.policy_known(place text, what text, name text, names text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM chat_rbac.raise_error('42704', format('%s names %s "%s", which is not in the policy', place, what, name), NULL,
		'Perhaps you meant ' || chat_rbac.near_names(name, names) || '.');
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_known(text, text, text, text[]) IS 'Internal to policies: the error (SQLSTATE 42704) for a name that the document does not have, with near names.';

CREATE FUNCTION chat_rbac.policy_units(policy jsonb)
RETURNS TABLE (n integer, parent integer, place text, path jsonb, name text, kind text, key bigint, sealed boolean)
LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
	WITH RECURSIVE node (ord, path, item) AS (
		SELECT ARRAY[e.n], jsonb_build_array(e.item -> 'name'), e.item
		FROM jsonb_array_elements(policy -> 'units') WITH ORDINALITY AS e (item, n)
		UNION ALL
		SELECT node.ord || e.n, node.path || jsonb_build_array(e.item -> 'name'), e.item
		FROM node CROSS JOIN LATERAL jsonb_array_elements(
			CASE jsonb_typeof(node.item -> 'units') WHEN 'array' THEN node.item -> 'units' ELSE '[]' END) WITH ORDINALITY AS e (item, n)
		WHERE cardinality(node.ord) <= 100
	), checked AS MATERIALIZED (
		SELECT node.ord, node.path, node.item, row_number() OVER (ORDER BY node.ord)::integer AS n,
			'units[' || array_to_string(ARRAY(SELECT o - 1 FROM unnest(node.ord) WITH ORDINALITY AS u (o, at) ORDER BY u.at), '].units[') || ']' AS place
		FROM node
	), shaped AS MATERIALIZED (
		SELECT checked.*, chat_rbac.policy_shape(checked.place, checked.item,
			'{"name": "text!", "kind": "text!", "key": "integer", "sealed": "boolean", "units": "list"}')::text AS shaped,
			CASE WHEN cardinality(checked.ord) > 100
				/* not a constant, which the planner would run */
				THEN chat_rbac.raise_error('54000', left(checked.place, 0) || 'the units of the policy are nested more than 100 deep', NULL, NULL)::text END AS deep
		FROM checked
	)
	SELECT s.n, p.n, s.place, s.path, s.item ->> 'name', s.item ->> 'kind', (s.item -> 'key')::bigint, (s.item -> 'sealed')::boolean
	FROM shaped s LEFT JOIN shaped p ON p.ord = s.ord[:cardinality(s.ord) - 1]
	ORDER BY s.n;
END;
COMMENT ON FUNCTION chat_rbac.policy_units(jsonb) IS 'Internal to policies: the units of a document, from the top down.';

CREATE FUNCTION chat_rbac.policy_check(policy jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	role_names text[];
	bad record;
BEGIN
	IF octet_length(policy::text) > 16777216 THEN
		RAISE EXCEPTION 'the policy has more than 16 MB' USING ERRCODE = 'program_limit_exceeded';
	END IF;
	/* the version first: another one may have other keys */
	IF jsonb_typeof(policy) = 'object' AND policy ? 'format' AND policy -> 'format' <> '"chat_rbac policy 1"' THEN
		RAISE EXCEPTION 'the policy is of another format: %', left((policy -> 'format')::text, 100)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'This version of chat_rbac reads "chat_rbac policy 1".';
	END IF;
	PERFORM chat_rbac.policy_shape('the policy', policy,
		'{"format": "text!", "org": "text", "units": "list!", "roles": "list!", "separations": "list", "members": "list"}');

	PERFORM chat_rbac.policy_unique('unit', array_agg(u.path::text)) FROM chat_rbac.policy_units(policy) AS u;
	PERFORM chat_rbac.policy_unique('unit of kind and key', array_agg(format('%s %s', u.kind, u.key)))
	FROM chat_rbac.policy_units(policy) AS u WHERE u.key IS NOT NULL;

	PERFORM chat_rbac.policy_shape(format('roles[%s]', e.n - 1), e.item,
		'{"name": "text!", "permissions": "set!", "inherits": "set", "max_duration": "text"}')
	FROM jsonb_array_elements(policy -> 'roles') WITH ORDINALITY AS e (item, n);
	role_names := ARRAY(SELECT e ->> 'name' FROM jsonb_array_elements(policy -> 'roles') AS e);
	PERFORM chat_rbac.policy_unique('role', role_names);
	PERFORM chat_rbac.policy_value(format('role "%s"', p.role), 'permission', p.permission)
	FROM (SELECT min(e ->> 'name') AS role, p AS permission
		  FROM jsonb_array_elements(policy -> 'roles') AS e CROSS JOIN jsonb_array_elements_text(e -> 'permissions') AS p GROUP BY p) AS p;
	PERFORM chat_rbac.policy_value(format('role "%s"', e ->> 'name'), 'max_duration', e ->> 'max_duration')
	FROM jsonb_array_elements(policy -> 'roles') AS e WHERE e ? 'max_duration';
	PERFORM chat_rbac.policy_known(format('role "%s"', e ->> 'name'), 'role', j, role_names)
	FROM jsonb_array_elements(policy -> 'roles') AS e CROSS JOIN jsonb_array_elements_text(e -> 'inherits') AS j
	WHERE j NOT IN (SELECT unnest(role_names));
	WITH RECURSIVE edge AS MATERIALIZED (
		SELECT e ->> 'name' AS senior, j AS junior
		FROM jsonb_array_elements(policy -> 'roles') AS e CROSS JOIN jsonb_array_elements_text(e -> 'inherits') AS j
	), reach AS (
		SELECT edge.senior, edge.junior FROM edge
		UNION
		SELECT r.senior, edge.junior FROM reach r JOIN edge ON edge.senior = r.junior
	)
	SELECT string_agg(format('"%s"', r.senior), ', ' ORDER BY r.senior) AS names INTO bad FROM reach r WHERE r.senior = r.junior;
	IF bad.names IS NOT NULL THEN
		RAISE EXCEPTION 'in the policy, roles inherit themselves: %', left(bad.names, 200) USING ERRCODE = 'integrity_constraint_violation';
	END IF;

	PERFORM chat_rbac.policy_shape(format('separations[%s]', e.n - 1), e.item,
		'{"name": "text!", "roles": "set!", "kind": "text", "cardinality": "integer"}')
	FROM jsonb_array_elements(policy -> 'separations') WITH ORDINALITY AS e (item, n);
	PERFORM chat_rbac.policy_unique('separation', array_agg(e ->> 'name')) FROM jsonb_array_elements(policy -> 'separations') AS e;
	FOR bad IN SELECT e ->> 'name' AS name, e ->> 'kind' AS kind, jsonb_array_length(e -> 'roles') AS roles, coalesce((e -> 'cardinality')::bigint, 2) AS n
		FROM jsonb_array_elements(policy -> 'separations') AS e LOOP
		IF bad.kind NOT IN ('static', 'dynamic') THEN
			RAISE EXCEPTION '"kind" of separation "%" must be static or dynamic', bad.name USING ERRCODE = 'invalid_parameter_value';
		END IF;
		PERFORM chat_rbac.check_cardinality(bad.name, least(greatest(bad.n, 0), 2147483647)::integer, bad.roles);
	END LOOP;
	PERFORM chat_rbac.policy_known(format('separation "%s"', e ->> 'name'), 'role', j, role_names)
	FROM jsonb_array_elements(policy -> 'separations') AS e CROSS JOIN jsonb_array_elements_text(e -> 'roles') AS j
	WHERE j NOT IN (SELECT unnest(role_names));

	PERFORM chat_rbac.policy_shape(format('members[%s]', e.n - 1), e.item,
		'{"name": "text!", "subject": "text", "active": "boolean", "grants": "list"}')
	FROM jsonb_array_elements(policy -> 'members') WITH ORDINALITY AS e (item, n);
	PERFORM chat_rbac.policy_unique('member', array_agg(e ->> 'name')) FROM jsonb_array_elements(policy -> 'members') AS e WHERE NOT e ? 'subject';
	PERFORM chat_rbac.policy_unique('subject', array_agg(e ->> 'subject')) FROM jsonb_array_elements(policy -> 'members') AS e WHERE e ? 'subject';
	FOR bad IN SELECT format('members[%s].grants[%s]', e.n - 1, g.n - 1) AS place, g.item
		FROM jsonb_array_elements(policy -> 'members') WITH ORDINALITY AS e (item, n)
		CROSS JOIN jsonb_array_elements(e.item -> 'grants') WITH ORDINALITY AS g (item, n) LOOP
		PERFORM chat_rbac.policy_shape(bad.place, bad.item, '{"role": "text!", "unit": "texts", "valid": "text", "shift": "text", "reason": "text"}');
		IF NOT bad.item ->> 'role' = ANY (role_names) THEN
			PERFORM chat_rbac.policy_known(bad.place, 'role', bad.item ->> 'role', role_names);
		END IF;
		PERFORM chat_rbac.policy_value(bad.place, v.kind, bad.item ->> v.kind) FROM (VALUES ('valid'), ('shift')) AS v (kind) WHERE bad.item ? v.kind;
	END LOOP;
	SELECT format('members[%s].grants[%s]', e.n - 1, g.n - 1) AS place, chat_rbac.policy_path(g.item -> 'unit') AS path INTO bad
	FROM jsonb_array_elements(policy -> 'members') WITH ORDINALITY AS e (item, n)
	CROSS JOIN jsonb_array_elements(e.item -> 'grants') WITH ORDINALITY AS g (item, n)
	WHERE g.item ? 'unit' AND g.item -> 'unit' NOT IN (SELECT u.path FROM chat_rbac.policy_units(policy) AS u)
	ORDER BY e.n, g.n LIMIT 1;
	IF FOUND THEN
		PERFORM chat_rbac.policy_known(bad.place, 'unit', bad.path, (SELECT array_agg(chat_rbac.policy_path(u.path)) FROM chat_rbac.policy_units(policy) AS u));
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_check(jsonb) IS 'Internal to policies: SQLSTATE 22023, 23000, 42704 or 54000 for a document that cannot be imported anywhere.';

/* ---- what is to be done ---- */

CREATE FUNCTION chat_rbac.policy_delta(was text[], becomes text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT string_agg(d.sign || ' ' || d.name, ', ' ORDER BY d.sign, d.name COLLATE "C")
	FROM (SELECT '+' AS sign, n AS name FROM (SELECT unnest(becomes) AS n EXCEPT SELECT unnest(was)) AS more
		UNION ALL SELECT '-', n FROM (SELECT unnest(was) AS n EXCEPT SELECT unnest(becomes)) AS less) AS d;
END;
COMMENT ON FUNCTION chat_rbac.policy_delta(text[], text[]) IS 'Internal to policies: what comes and goes, as "+ a, - b"; NULL if nothing.';

CREATE FUNCTION chat_rbac.policy_change(what text, was text, becomes text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN was IS DISTINCT FROM becomes THEN format('%s %s -> %s', what, coalesce(was, 'none'), coalesce(becomes, 'none')) END;
END;
COMMENT ON FUNCTION chat_rbac.policy_change(text, text, text) IS 'Internal to policies: a change, as "key 1 -> 2"; NULL if there is none.';

CREATE FUNCTION chat_rbac.policy_plan(o bigint, policy jsonb, prune boolean)
RETURNS TABLE (step integer, change text, kind text, name text, detail text, item jsonb)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	node record;
	parents integer[];
	ids bigint[];				-- of the units of the document; NULL: to be made
	found bigint[];
	kept bigint[];				-- units of the org that are not in the document
	member_ids bigint[];
	grants jsonb := '[]';		-- of the document, with ids
	gone_grants bigint[] := '{}';
	m record;
BEGIN
	/* units: by kind and key, and those that are left by name below their parent */
	SELECT array_agg(d.parent ORDER BY d.n), array_agg(u.unit_id ORDER BY d.n) INTO parents, ids
	FROM chat_rbac.policy_units(policy) AS d
	LEFT JOIN chat_rbac.unit u ON u.org_id = o AND u.kind = d.kind AND u.key = d.key;
	FOR node IN SELECT d.* FROM chat_rbac.policy_units(policy) AS d ORDER BY d.n LOOP
		CONTINUE WHEN ids[node.n] IS NOT NULL OR node.parent IS NOT NULL AND ids[node.parent] IS NULL;
		SELECT array_agg(u.unit_id ORDER BY u.unit_id) INTO found FROM chat_rbac.unit u
		WHERE u.org_id = o AND u.parent_id IS NOT DISTINCT FROM ids[node.parent] AND u.name = node.name AND array_position(ids, u.unit_id) IS NULL;
		IF cardinality(found) > 1 THEN
			PERFORM chat_rbac.raise_error('42P09', format('unit "%s" is not one but %s', chat_rbac.policy_path(node.path), cardinality(found)),
				format('Their ids are %s.', array_to_string(found, ', ')), 'Give them names of their own, or the unit of the policy the key of one of them.');
		END IF;
		ids[node.n] := found[1];
	END LOOP;
	kept := ARRAY(SELECT u.unit_id FROM chat_rbac.unit u WHERE u.org_id = o AND u.unit_id <> ALL (coalesce(array_remove(ids, NULL), '{}')));

	/* opened before the rest, and sealed when it is done: what is granted there may be by who is outside; a unit before those above it */
	RETURN QUERY
	SELECT CASE WHEN s.sealed THEN 10 ELSE 3 END, 'change', 'unit', chat_rbac.policy_path(d.path), CASE WHEN s.sealed THEN 'sealed' ELSE 'opened' END,
		jsonb_build_object('n', d.n, 'id', u.unit_id, 'sealed', s.sealed)
	FROM chat_rbac.policy_units(policy) AS d
	LEFT JOIN chat_rbac.unit u ON u.org_id = o AND u.unit_id = ids[d.n]
	CROSS JOIN LATERAL (SELECT coalesce(d.sealed, u.sealed AND NOT prune, false)) AS s (sealed)
	WHERE s.sealed <> coalesce(u.sealed, false)
	ORDER BY d.n DESC;
	RETURN QUERY
	SELECT 3, CASE WHEN u.unit_id IS NULL THEN 'create' ELSE 'change' END, 'unit', chat_rbac.policy_path(d.path),
		CASE WHEN u.unit_id IS NULL THEN concat_ws(' ', d.kind, d.key) ELSE concat_ws('; ',
			chat_rbac.policy_change('kind', u.kind, d.kind), chat_rbac.policy_change('key', u.key::text, coalesce(d.key, u.key)::text),
			CASE WHEN u.name <> d.name OR u.parent_id IS DISTINCT FROM ids[d.parent] OR d.parent IS NOT NULL AND ids[d.parent] IS NULL
				THEN 'was ' || chat_rbac.policy_path(t.path) END) END,
		jsonb_build_object('n', d.n, 'id', u.unit_id, 'kind', d.kind, 'key', coalesce(d.key, u.key), 'name', d.name,
			'parent', d.parent, 'parent_id', ids[d.parent])
	FROM chat_rbac.policy_units(policy) AS d
	LEFT JOIN chat_rbac.unit u ON u.org_id = o AND u.unit_id = ids[d.n]
	LEFT JOIN chat_rbac.policy_tree(o) AS t ON t.unit_id = u.unit_id
	WHERE u.unit_id IS NULL OR (u.kind, u.name, u.key) <> (d.kind, d.name, coalesce(d.key, u.key))
		OR u.parent_id IS DISTINCT FROM ids[d.parent] OR d.parent IS NOT NULL AND ids[d.parent] IS NULL
	ORDER BY d.n;
	IF NOT prune THEN
		RETURN QUERY SELECT 0, 'refused', 'unit', chat_rbac.policy_path(d.path),
			format('there would be two of that name: unit %s is not in the policy', u.unit_id), NULL::jsonb
		FROM chat_rbac.policy_units(policy) AS d
		JOIN chat_rbac.unit u ON u.org_id = o AND u.unit_id = ANY (kept) AND u.name = d.name AND u.parent_id IS NOT DISTINCT FROM ids[d.parent]
		WHERE d.parent IS NULL OR ids[d.parent] IS NOT NULL;
	END IF;

	/* roles: by name */
	RETURN QUERY
	SELECT 4, CASE WHEN r.role_id IS NULL THEN 'create' ELSE 'change' END, 'role', d.name,
		concat_ws('; ', chat_rbac.policy_delta(h.held, d.permissions),
			chat_rbac.policy_change('max_duration', r.max_duration::text, d.max_duration)),
		jsonb_build_object('id', r.role_id, 'name', d.name, 'permissions', d.permset, 'max_duration', d.max_duration)
	FROM (SELECT e ->> 'name' AS name, chat_rbac.policy_value('', 'max_duration', e ->> 'max_duration') AS max_duration, s.permset,
			ARRAY(SELECT p::text FROM chat_rbac.unnest(s.permset::chat_rbac.permset) AS p) AS permissions
		FROM jsonb_array_elements(policy -> 'roles') AS e
		CROSS JOIN LATERAL (SELECT coalesce(chat_rbac.permset_agg(p::chat_rbac.permission), '{}')::text
			FROM jsonb_array_elements_text(e -> 'permissions') AS p) AS s (permset)) AS d
	LEFT JOIN chat_rbac.role r ON r.org_id = o AND r.name = d.name
	CROSS JOIN LATERAL (SELECT ARRAY(SELECT p::text FROM chat_rbac.unnest(r.permissions) AS p)) AS h (held)
	WHERE r.role_id IS NULL OR r.permissions::text <> d.permset OR r.max_duration::text IS DISTINCT FROM d.max_duration
	ORDER BY d.name COLLATE "C";

	RETURN QUERY
	WITH wanted AS (
		SELECT e ->> 'name' AS senior, j AS junior
		FROM jsonb_array_elements(policy -> 'roles') AS e CROSS JOIN jsonb_array_elements_text(e -> 'inherits') AS j
	), there AS (
		SELECT s.name AS senior, j.name AS junior FROM chat_rbac.role_inherit i
		JOIN chat_rbac.role s ON s.org_id = o AND s.role_id = i.senior_id JOIN chat_rbac.role j ON j.org_id = o AND j.role_id = i.junior_id
		WHERE i.org_id = o
	), named AS (SELECT e ->> 'name' AS name FROM jsonb_array_elements(policy -> 'roles') AS e)
	SELECT v.step, v.change, 'inheritance', v.senior || ' > ' || v.junior, NULL::text, jsonb_build_object('senior', v.senior, 'junior', v.junior)
	FROM (SELECT 5 AS step, 'delete' AS change, x.* FROM (SELECT * FROM there EXCEPT SELECT * FROM wanted) AS x
			WHERE prune OR x.senior IN (SELECT n.name FROM named n)
		UNION ALL SELECT 6, 'create', x.* FROM (SELECT * FROM wanted EXCEPT SELECT * FROM there) AS x) AS v
	ORDER BY v.step, v.senior COLLATE "C", v.junior COLLATE "C";

	/* separations: by name */
	IF policy ? 'separations' THEN
		RETURN QUERY
		WITH wanted AS (
			SELECT e ->> 'name' AS name, coalesce(e ->> 'kind', 'static') AS kind, coalesce((e -> 'cardinality')::integer, 2) AS cardinality,
				ARRAY(SELECT j FROM jsonb_array_elements_text(e -> 'roles') AS j) AS roles
			FROM jsonb_array_elements(policy -> 'separations') AS e
		), there AS (
			SELECT s.*, ARRAY(SELECT r.name FROM chat_rbac.separation_role sr JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = sr.role_id
				WHERE sr.org_id = o AND sr.separation_id = s.separation_id) AS roles
			FROM chat_rbac.separation s WHERE s.org_id = o
		)
		SELECT CASE WHEN w.name IS NULL THEN 2 ELSE 7 END,
			CASE WHEN w.name IS NULL THEN 'delete' WHEN t.name IS NULL THEN 'create' ELSE 'change' END, 'separation', coalesce(w.name, t.name),
			concat_ws('; ', CASE WHEN w.name IS NOT NULL THEN chat_rbac.policy_delta(t.roles, w.roles) END,
				CASE WHEN t.name IS NULL THEN format('%s, %s are too many', w.kind, w.cardinality) END,
				CASE WHEN w.name = t.name THEN chat_rbac.policy_change('kind', t.kind, w.kind) END,
				CASE WHEN w.name = t.name THEN chat_rbac.policy_change('cardinality', t.cardinality::text, w.cardinality::text) END),
			jsonb_build_object('id', t.separation_id, 'name', w.name, 'kind', w.kind, 'cardinality', w.cardinality,
				'more', ARRAY(SELECT unnest(w.roles) EXCEPT SELECT unnest(t.roles)), 'less', ARRAY(SELECT unnest(t.roles) EXCEPT SELECT unnest(w.roles)))
		FROM wanted w FULL JOIN there t ON t.name = w.name
		WHERE w.name IS NULL AND prune OR t.name IS NULL
			OR w.name IS NOT NULL AND (w.kind <> t.kind OR w.cardinality <> t.cardinality OR NOT (w.roles <@ t.roles AND w.roles @> t.roles))
		ORDER BY 1, coalesce(w.name, t.name) COLLATE "C";
	END IF;

	/* members: by subject, else by name */
	IF policy ? 'members' THEN
		FOR m IN SELECT e.item, e.n::integer AS n FROM jsonb_array_elements(policy -> 'members') WITH ORDINALITY AS e (item, n) ORDER BY e.n LOOP
			found := ARRAY(SELECT b.member_id FROM chat_rbac.member b WHERE b.org_id = o AND b.subject = m.item ->> 'subject');
			IF found = '{}' THEN
				found := ARRAY(SELECT b.member_id FROM chat_rbac.member b WHERE b.org_id = o AND b.name = m.item ->> 'name' AND b.subject IS NULL ORDER BY 1);
			END IF;
			IF found = '{}' AND NOT m.item ? 'subject' THEN
				found := ARRAY(SELECT b.member_id FROM chat_rbac.member b WHERE b.org_id = o AND b.name = m.item ->> 'name' ORDER BY 1);
			END IF;
			IF cardinality(found) > 1 OR found[1] = ANY (member_ids) THEN
				PERFORM chat_rbac.raise_error('42P09', format('it is not clear which member "%s" of the policy is', m.item ->> 'name'),
					format('It may be %s.', array_to_string(found, ', ')), 'Give all of that name subjects, or names of their own.');
			END IF;
			member_ids[m.n] := found[1];
		END LOOP;
		RETURN QUERY
		SELECT 8, CASE WHEN b.member_id IS NULL THEN 'create' ELSE 'change' END, 'member', e.item ->> 'name',
			CASE WHEN b.member_id IS NULL THEN concat_ws(', ', e.item ->> 'subject', CASE WHEN NOT (e.item -> 'active')::boolean THEN 'not active' END)
				ELSE concat_ws('; ', chat_rbac.policy_change('name', b.name, e.item ->> 'name'),
					chat_rbac.policy_change('subject', b.subject, coalesce(e.item ->> 'subject', b.subject)),
					chat_rbac.policy_change('active', b.active::text, coalesce(e.item ->> 'active', b.active::text))) END,
			jsonb_build_object('n', e.n, 'id', b.member_id, 'name', e.item ->> 'name', 'subject', coalesce(e.item ->> 'subject', b.subject),
				'active', coalesce((e.item -> 'active')::boolean, b.active, true))
		FROM jsonb_array_elements(policy -> 'members') WITH ORDINALITY AS e (item, n)
		LEFT JOIN chat_rbac.member b ON b.org_id = o AND b.member_id = member_ids[e.n]
		WHERE b.member_id IS NULL OR b.name <> e.item ->> 'name' OR b.subject IS DISTINCT FROM coalesce(e.item ->> 'subject', b.subject)
			OR b.active <> coalesce((e.item -> 'active')::boolean, b.active)
		ORDER BY e.n;

		/* grants: by member, role, unit, valid and shift */
		SELECT coalesce(jsonb_agg(jsonb_build_object('n', e.n, 'member_id', member_ids[e.n], 'member', e.item ->> 'name', 'role', g ->> 'role',
			'unit', u.n, 'unit_id', ids[u.n], 'place', coalesce(chat_rbac.policy_path(u.path), '(whole org)'),
			'valid', coalesce(chat_rbac.policy_value('', 'valid', g ->> 'valid'), '(,)'),
			'shift', chat_rbac.policy_value('', 'shift', g ->> 'shift'), 'reason', g ->> 'reason') ORDER BY e.n, x.n), '[]') INTO grants
		FROM jsonb_array_elements(policy -> 'members') WITH ORDINALITY AS e (item, n)
		CROSS JOIN jsonb_array_elements(e.item -> 'grants') WITH ORDINALITY AS x (g, n)
		LEFT JOIN chat_rbac.policy_units(policy) AS u ON u.path = g -> 'unit';
		PERFORM chat_rbac.policy_unique('grant', array_agg(format('of role "%s" to "%s" at %s', g ->> 'role', g ->> 'member', g - '{role,member,member_id,reason,place,unit_id}'::text[])))
		FROM jsonb_array_elements(grants) AS g;
		RETURN QUERY
		WITH wanted AS (
			SELECT w.*, row_number() OVER () AS n FROM (SELECT g AS item, (g -> 'member_id')::text, g ->> 'role' AS role, g ->> 'unit' AS unit,
				g ->> 'valid' AS valid, g ->> 'shift' AS shift, g ->> 'reason' AS reason FROM jsonb_array_elements(grants) AS g) AS w
		), there AS (
			SELECT DISTINCT ON (g.member_id, g.role_id, g.unit_id, g.valid, g.shift::text)
				g.grant_id, g.member_id, r.name AS role,
				/* one of NULL would be found: a unit that is to be made */
				CASE WHEN g.unit_id IS NOT NULL THEN array_position(ids, g.unit_id)::text END AS unit, g.unit_id, g.valid::text AS valid, g.shift::text AS shift, g.reason
			FROM chat_rbac.role_grant g JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = g.role_id
			WHERE g.org_id = o
			ORDER BY g.member_id, g.role_id, g.unit_id, g.valid, g.shift::text, g.grant_id
		), matched AS (
			SELECT w.item, t.*, w.reason AS becomes, w.n
			FROM wanted w FULL JOIN there t ON t.member_id::text = w.item ->> 'member_id' AND t.role = w.role AND (t.unit_id IS NULL) = (w.unit IS NULL)
				AND coalesce(t.unit, '') = coalesce(w.unit, '') AND t.valid = w.valid AND coalesce(t.shift, '') = coalesce(w.shift, '')
		)
		SELECT CASE WHEN d.item IS NULL THEN 1 ELSE 9 END,
			CASE WHEN d.item IS NULL THEN 'delete' WHEN d.grant_id IS NULL THEN 'create' ELSE 'change' END, 'grant',
			format('%s: %s at %s', coalesce(d.item ->> 'member', (SELECT b.name FROM chat_rbac.member b WHERE b.org_id = o AND b.member_id = d.member_id)),
				coalesce(d.item ->> 'role', d.role), coalesce(d.item ->> 'place', chat_rbac.place(o, d.unit_id))),
			CASE WHEN d.item IS NOT NULL AND d.grant_id IS NOT NULL THEN chat_rbac.policy_change('reason', d.reason, d.becomes)
				ELSE nullif(concat_ws('; ', nullif(coalesce(d.item ->> 'valid', d.valid), '(,)'), coalesce(d.item ->> 'shift', d.shift),
					coalesce(d.item ->> 'reason', d.reason)), '') END,
			coalesce(d.item, '{}') || jsonb_build_object('id', d.grant_id)
		FROM matched d
		WHERE d.item IS NULL AND prune OR d.item IS NOT NULL AND (d.grant_id IS NULL OR d.reason IS DISTINCT FROM d.becomes)
		ORDER BY 1, d.n, d.grant_id;
		IF prune THEN
			/* those that are alike but for the reason stand and fall together */
			gone_grants := ARRAY(SELECT g.grant_id FROM chat_rbac.role_grant g JOIN chat_rbac.role r ON r.org_id = o AND r.role_id = g.role_id
				WHERE g.org_id = o AND NOT EXISTS (SELECT FROM jsonb_array_elements(grants) AS w WHERE (w ->> 'member_id')::bigint = g.member_id
					AND w ->> 'role' = r.name AND (w ->> 'unit_id')::bigint IS NOT DISTINCT FROM g.unit_id AND (g.unit_id IS NOT NULL OR w ->> 'unit' IS NULL)
					AND w ->> 'valid' = g.valid::text AND w ->> 'shift' IS NOT DISTINCT FROM g.shift::text));
		END IF;
	END IF;

	IF prune THEN
		RETURN QUERY
		SELECT CASE WHEN held.n > 0 THEN 0 ELSE 11 END, CASE WHEN held.n > 0 THEN 'refused' ELSE 'delete' END, 'role', r.name,
			CASE WHEN held.n > 0 THEN format('it is granted to %s', held.who)
				WHEN parted.names IS NOT NULL THEN format('it is in separation %s', parted.names) END,
			jsonb_build_object('id', r.role_id)
		FROM chat_rbac.role r
		CROSS JOIN LATERAL (SELECT count(*) AS n, string_agg(DISTINCT b.name, ', ') AS who FROM chat_rbac.role_grant g
			LEFT JOIN chat_rbac.member b ON b.org_id = o AND b.member_id = g.member_id
			WHERE g.org_id = o AND g.role_id = r.role_id AND g.grant_id <> ALL (gone_grants)) AS held
		CROSS JOIN LATERAL (SELECT string_agg(s.name, ', ') AS names FROM chat_rbac.separation_role sr
			JOIN chat_rbac.separation s ON s.org_id = o AND s.separation_id = sr.separation_id
			WHERE sr.org_id = o AND sr.role_id = r.role_id AND NOT policy ? 'separations') AS parted
		WHERE r.org_id = o AND r.name NOT IN (SELECT e ->> 'name' FROM jsonb_array_elements(policy -> 'roles') AS e)
		ORDER BY r.name COLLATE "C";
		RETURN QUERY
		SELECT CASE WHEN held.n > 0 THEN 0 ELSE 12 END, CASE WHEN held.n > 0 THEN 'refused' ELSE 'delete' END, 'unit', chat_rbac.policy_path(t.path),
			CASE WHEN held.n > 0 THEN format('roles are granted there to %s', held.who) ELSE concat_ws(' ', t.kind, t.key) END,
			jsonb_build_object('id', t.unit_id)
		FROM chat_rbac.policy_tree(o) AS t
		CROSS JOIN LATERAL (SELECT count(*) AS n, string_agg(DISTINCT b.name, ', ') AS who FROM chat_rbac.role_grant g
			LEFT JOIN chat_rbac.member b ON b.org_id = o AND b.member_id = g.member_id
			WHERE g.org_id = o AND g.unit_id = t.unit_id AND g.grant_id <> ALL (gone_grants)) AS held
		WHERE t.unit_id = ANY (kept)
		ORDER BY t.depth DESC, t.names COLLATE "C";
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_plan(bigint, jsonb, boolean) IS 'Internal to policies: what is to be done, in the order of step, with the ids; refused (step 0) where it cannot be.';

CREATE FUNCTION chat_rbac.diff_policy(org text, policy jsonb, prune boolean DEFAULT false)
RETURNS TABLE (change text, kind text, name text, detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET IntervalStyle = 'postgres'
SET DateStyle = 'ISO, YMD'
SET TimeZone = 'UTC'
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	o bigint;
BEGIN
	PERFORM chat_rbac.policy_check(policy);
	o := chat_rbac.policy_org(org, policy ? 'members');
	RETURN QUERY SELECT p.change, p.kind, p.name, nullif(p.detail, '')
	FROM chat_rbac.policy_plan(o, policy, coalesce(prune, false)) WITH ORDINALITY AS p (step, change, kind, name, detail, item, n) ORDER BY p.step, p.n;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.diff_policy(text, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.diff_policy(text, jsonb, boolean) IS 'What import_policy() with the same arguments would do: change is create, change, delete, or refused for what it would raise an error for. No row: nothing. With prune, what is in the org and not in the document too: drift. Errors as of import_policy().';

CREATE FUNCTION chat_rbac.import_policy(org text, policy jsonb, prune boolean DEFAULT false)
RETURNS TABLE (change text, kind text, name text, detail text)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET IntervalStyle = 'postgres'
SET DateStyle = 'ISO, YMD'
SET TimeZone = 'UTC'
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	o bigint;
	plan jsonb;
	r record;
	units bigint[];			-- of what is made, by its number in the document
	members bigint[];
	made bigint;
	refused text;
BEGIN
	/* with an older snapshot it would find nothing to do where others have just changed it */
	IF current_setting('transaction_isolation') NOT LIKE 'read%' THEN
		RAISE EXCEPTION 'import_policy() runs at isolation level READ COMMITTED only' USING ERRCODE = 'invalid_transaction_state';
	END IF;
	PERFORM chat_rbac.policy_check(policy);
	o := chat_rbac.policy_org(org, policy ? 'members');
	/* one import of an org at a time: a second one finds what the first has done */
	PERFORM pg_advisory_xact_lock('chat_rbac.unit'::regclass::oid::integer, hashint8(o));
	SELECT jsonb_agg(to_jsonb(p) ORDER BY p.step, p.n) INTO plan
	FROM chat_rbac.policy_plan(o, policy, coalesce(prune, false)) WITH ORDINALITY AS p (step, change, kind, name, detail, item, n);
	SELECT string_agg(format('%s "%s": %s.', p.kind, p.name, p.detail), ' ') INTO refused
	FROM (SELECT * FROM jsonb_to_recordset(plan) AS p (step integer, kind text, name text, detail text) WHERE p.step = 0 LIMIT 20) AS p;
	IF refused IS NOT NULL THEN
		RAISE EXCEPTION 'the policy cannot be imported into org "%"', org USING ERRCODE = 'dependent_objects_still_exist', DETAIL = refused;
	END IF;

	/* separations are loosened before what they would refuse, and tightened after what they would refuse no more */
	FOR r IN SELECT p.item FROM jsonb_to_recordset(plan) AS p (change text, kind text, item jsonb) WHERE p.kind = 'separation' AND p.change = 'change' LOOP
		DELETE FROM chat_rbac.separation_role sr USING chat_rbac.role x
		WHERE sr.org_id = o AND sr.separation_id = (r.item -> 'id')::bigint AND x.org_id = o AND x.role_id = sr.role_id AND r.item -> 'less' ? x.name;
		UPDATE chat_rbac.separation s SET cardinality = greatest(s.cardinality, (r.item -> 'cardinality')::integer),
			kind = CASE r.item ->> 'kind' WHEN 'dynamic' THEN 'dynamic' ELSE s.kind END
		WHERE s.org_id = o AND s.separation_id = (r.item -> 'id')::bigint AND
			(s.cardinality < (r.item -> 'cardinality')::integer OR s.kind = 'static' AND r.item ->> 'kind' = 'dynamic');
	END LOOP;

	FOR r IN SELECT e ->> 'change' AS change, e ->> 'kind' AS kind, e ->> 'name' AS name, e ->> 'detail' AS detail, e -> 'item' AS item
		FROM jsonb_array_elements(plan) WITH ORDINALITY AS p (e, n) ORDER BY p.n LOOP
		CASE r.kind || ' ' || r.change
			WHEN 'grant delete' THEN
				DELETE FROM chat_rbac.role_grant g USING chat_rbac.role_grant x
				WHERE x.org_id = o AND x.grant_id = (r.item -> 'id')::bigint AND g.org_id = o AND (g.member_id, g.role_id, g.valid) = (x.member_id, x.role_id, x.valid)
					AND g.unit_id IS NOT DISTINCT FROM x.unit_id AND g.shift::text IS NOT DISTINCT FROM x.shift::text;
			WHEN 'separation delete' THEN
				DELETE FROM chat_rbac.separation s WHERE s.org_id = o AND s.separation_id = (r.item -> 'id')::bigint;
			WHEN 'unit create' THEN
				INSERT INTO chat_rbac.unit (org_id, kind, key, parent_id, name)
				VALUES (o, r.item ->> 'kind', (r.item ->> 'key')::bigint, coalesce((r.item ->> 'parent_id')::bigint, units[(r.item ->> 'parent')::integer]), r.item ->> 'name')
				RETURNING unit_id INTO made;
				units[(r.item ->> 'n')::integer] := made;
			WHEN 'unit change' THEN
				IF r.item ? 'sealed' THEN
					UPDATE chat_rbac.unit u SET sealed = (r.item -> 'sealed')::boolean
					WHERE u.org_id = o AND u.unit_id = coalesce((r.item ->> 'id')::bigint, units[(r.item ->> 'n')::integer]);
				ELSE
					UPDATE chat_rbac.unit u SET kind = r.item ->> 'kind', key = (r.item ->> 'key')::bigint, name = r.item ->> 'name',
						parent_id = coalesce((r.item ->> 'parent_id')::bigint, units[(r.item ->> 'parent')::integer])
					WHERE u.org_id = o AND u.unit_id = (r.item -> 'id')::bigint;
				END IF;
			WHEN 'role create' THEN
				INSERT INTO chat_rbac.role (org_id, name, permissions, max_duration)
				VALUES (o, r.item ->> 'name', (r.item ->> 'permissions')::chat_rbac.permset, (r.item ->> 'max_duration')::interval);
			WHEN 'role change' THEN
				UPDATE chat_rbac.role x SET permissions = (r.item ->> 'permissions')::chat_rbac.permset, max_duration = (r.item ->> 'max_duration')::interval
				WHERE x.org_id = o AND x.role_id = (r.item -> 'id')::bigint;
			WHEN 'inheritance delete' THEN
				DELETE FROM chat_rbac.role_inherit i USING chat_rbac.role s, chat_rbac.role j
				WHERE i.org_id = o AND s.org_id = o AND s.role_id = i.senior_id AND s.name = r.item ->> 'senior'
					AND j.org_id = o AND j.role_id = i.junior_id AND j.name = r.item ->> 'junior';
			WHEN 'inheritance create' THEN
				INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id)
				VALUES (o, chat_rbac.find_by_name('role', r.item ->> 'senior', o, org), chat_rbac.find_by_name('role', r.item ->> 'junior', o, org));
			WHEN 'separation create', 'separation change' THEN
				made := (r.item ->> 'id')::bigint;
				IF made IS NULL THEN
					INSERT INTO chat_rbac.separation (org_id, name, kind, cardinality)
					VALUES (o, r.item ->> 'name', r.item ->> 'kind', (r.item -> 'cardinality')::integer) RETURNING separation_id INTO made;
				ELSE
					UPDATE chat_rbac.separation s SET kind = r.item ->> 'kind', cardinality = (r.item -> 'cardinality')::integer
					WHERE s.org_id = o AND s.separation_id = made AND (s.kind, s.cardinality) <> (r.item ->> 'kind', (r.item -> 'cardinality')::integer);
				END IF;
				INSERT INTO chat_rbac.separation_role (org_id, separation_id, role_id)
				SELECT o, made, chat_rbac.find_by_name('role', j, o, org) FROM jsonb_array_elements_text(r.item -> 'more') AS j;
			WHEN 'member create' THEN
				INSERT INTO chat_rbac.member (org_id, name, subject, active)
				VALUES (o, r.item ->> 'name', r.item ->> 'subject', (r.item -> 'active')::boolean) RETURNING member_id INTO made;
				members[(r.item ->> 'n')::integer] := made;
			WHEN 'member change' THEN
				UPDATE chat_rbac.member m SET name = r.item ->> 'name', subject = r.item ->> 'subject', active = (r.item -> 'active')::boolean
				WHERE m.org_id = o AND m.member_id = (r.item -> 'id')::bigint;
			WHEN 'grant create' THEN
				INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid, shift, granted_by, reason)
				VALUES (o, coalesce((r.item ->> 'member_id')::bigint, members[(r.item ->> 'n')::integer]), chat_rbac.find_by_name('role', r.item ->> 'role', o, org),
					coalesce((r.item ->> 'unit_id')::bigint, units[(r.item ->> 'unit')::integer]), (r.item ->> 'valid')::tstzrange,
					(r.item ->> 'shift')::chat_rbac.shift, chat_rbac.current_member(), r.item ->> 'reason');
			WHEN 'grant change' THEN
				UPDATE chat_rbac.role_grant g SET reason = r.item ->> 'reason' WHERE g.org_id = o AND g.grant_id = (r.item -> 'id')::bigint;
			WHEN 'role delete' THEN
				DELETE FROM chat_rbac.role x WHERE x.org_id = o AND x.role_id = (r.item -> 'id')::bigint;
			WHEN 'unit delete' THEN
				DELETE FROM chat_rbac.unit u WHERE u.org_id = o AND u.unit_id = (r.item -> 'id')::bigint;
		END CASE;
		change := r.change; kind := r.kind; name := r.name; detail := nullif(r.detail, '');
		RETURN NEXT;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.import_policy(text, jsonb, boolean) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.import_policy(text, jsonb, boolean) IS 'Makes an org as a document of export_policy() says, and returns what it did: no row, and nothing written, where it is so. What the document does not have stays, or goes with prune (that a unit is sealed too); members always stay. All or nothing: SQLSTATE 22023, 23000, 42704 or 54000 for a document that is wrong, 2BP01 for what cannot be deleted, 42P09 for names that are not unique, 42501 for what the caller may not do, 25000 at another isolation level than READ COMMITTED.';

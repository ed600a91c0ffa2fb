/* ---- masked views over protected tables ---- */

/*
 * A view that shows a column to some must read it as somebody else: who looks
 * has no privilege on that column.  By default that is the table's owner, who is
 * not held to policies within a foreign key's cascade, nor ever if a superuser,
 * and a plan made there may be kept.  So such a view leans on nothing but itself:
 * it is a security barrier, and its WHERE says all of the condition under which
 * a row is visible.  Through a barrier the planner does not see an order that is
 * asked for.  A role that is just for reading, which policies hold everywhere,
 * does without: the table's policies choose the rows.
 * Each mask asks the same of the permission that lifts it.
 *
 * create_view() and its helpers run as the caller, who must own the table.
 */

CREATE FUNCTION chat_rbac.base_type(INOUT type oid, INOUT typmod integer) RETURNS record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	row pg_type;
BEGIN
	LOOP
		SELECT t.* INTO row FROM pg_type t WHERE t.oid = base_type.type;
		EXIT WHEN row.typtype IS DISTINCT FROM 'd';
		type := row.typbasetype;
		typmod := row.typtypmod;
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.base_type(oid, integer) IS 'Internal to create_view(): the type that a domain is of, with its modifier.';

CREATE FUNCTION chat_rbac.mask_expression(relation regclass, col name, mask text, OUT value text, OUT masked text) RETURNS record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	base record;
	shown text;
BEGIN
	SELECT b.type, b.typmod, t.typcategory INTO STRICT base
	FROM pg_attribute a CROSS JOIN LATERAL chat_rbac.base_type(a.atttypid, a.atttypmod) AS b JOIN pg_type t ON t.oid = b.type
	WHERE a.attrelid = relation AND a.attname = col AND a.attnum > 0 AND NOT a.attisdropped;
	shown := format_type(base.type, base.typmod);
	IF mask = 'full' THEN
		/* a domain may forbid NULL */
		value := format('%I::%s', col, shown);
		masked := format('NULL::%s', shown);
	ELSIF mask IN ('phone', 'email', 'name') AND base.typcategory = 'S' THEN
		value := format('%I::text', col);
		masked := format('chat_rbac.mask_%s(%I::text)', mask, col);
	ELSIF mask = 'amount' AND base.type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN
		value := format('%I::%s', col, shown);
		masked := format('chat_rbac.mask_amount(%I::bigint)::%s', col, shown);
	ELSIF mask = 'amount' AND base.type IN ('real'::regtype, 'double precision'::regtype) THEN
		value := format('%I::%s', col, shown);
		masked := format('chat_rbac.mask_amount(%I::double precision)::%s', col, shown);
	ELSIF mask = 'amount' AND base.type = 'numeric'::regtype THEN
		value := format('%I::%s', col, shown);
		masked := format('chat_rbac.mask_amount(%I::numeric)::%s', col, shown);
	ELSE
		PERFORM chat_rbac.spec_error(format('"with" of mask "%s" is %s, but the column is of type %s', col, to_json(mask), shown),
			'"phone", "email" and "name" are for strings, "amount" is for numbers, "full" for any type.');
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.mask_expression(regclass, name, text) IS 'Internal to create_view(): what a view shows of a column, plain and masked, both of the column''s type; of strings: text.';

CREATE FUNCTION chat_rbac.generated_from(relation regclass, columns name[]) RETURNS name[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	/* the columns that it reads are those of the column itself, or of its expression, as versions of PostgreSQL differ */
	SELECT coalesce(array_agg(DISTINCT g.attname), '{}')
	FROM pg_attribute a
	JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
	LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
	JOIN pg_attribute g ON g.attrelid = a.attrelid AND g.attgenerated <> '' AND (g.attnum = e.adnum
		OR d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND g.attnum = d.objsubid)
	WHERE a.attrelid = relation AND a.attname = ANY (columns) AND g.attname <> ALL (columns);
END;
COMMENT ON FUNCTION chat_rbac.generated_from(regclass, name[]) IS 'Internal to create_view(): the other columns of a table that are generated from these.';

CREATE FUNCTION chat_rbac.hidden_columns(relation regclass) RETURNS name[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT array_agg(a.attname ORDER BY a.attnum) FROM (
			SELECT coalesce(array_agg(DISTINCT m::name), '{}') AS names
			FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view CROSS JOIN LATERAL jsonb_object_keys(v.spec -> 'masks') AS m
			WHERE v.relation = $1) AS masked,
		pg_attribute a
	WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname = ANY (masked.names || chat_rbac.generated_from($1, masked.names));
END;
COMMENT ON FUNCTION chat_rbac.hidden_columns(regclass) IS 'Internal to create_view(): the columns of a table that a view masks, and those generated from such; NULL if none.';

CREATE FUNCTION chat_rbac.lost_masks(relation regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT string_agg(format('%I of view %s', m, v.view), ', ' ORDER BY v.view::text, m)
	FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view CROSS JOIN LATERAL jsonb_object_keys(v.spec -> 'masks') AS m
	WHERE v.relation = $1 AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = m AND a.attnum > 0 AND NOT a.attisdropped);
END;
COMMENT ON FUNCTION chat_rbac.lost_masks(regclass) IS 'Internal to create_view(): masked columns that the table has under this name no more; NULL if none.';

CREATE FUNCTION chat_rbac.passed_policies(relation regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT string_agg(p.polname, ', ' ORDER BY p.polname) FROM pg_policy p
	WHERE p.polrelid = relation AND NOT p.polpermissive AND NOT starts_with(p.polname, 'chat_rbac_');
END;
COMMENT ON FUNCTION chat_rbac.passed_policies(regclass) IS 'Internal to create_view(): restrictive policies on a table that are not chat_rbac''s; NULL if none.';

CREATE FUNCTION chat_rbac.view_masks(relation regclass, protection jsonb, columns name[], masks jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	col text;
	mask jsonb;
	place text;
	telling text;
BEGIN
	PERFORM chat_rbac.spec_keys('"masks"', masks);
	FOR col, mask IN SELECT * FROM jsonb_each(masks) LOOP
		place := format('mask "%s"', col);
		PERFORM chat_rbac.spec_column(place, relation, to_jsonb(col), id => false, generated => true);
		IF col <> ALL (columns) THEN
			PERFORM chat_rbac.spec_error(format('%s: the column is not among "columns"', place));
		ELSIF col = ANY (chat_rbac.spec_places(relation, protection)) THEN
			PERFORM chat_rbac.spec_error(format('%s: the column tells which rows are whose', place),
				'The primary key, and what org, units and relations are read from, show by the rows that one sees.',
				'Leave it out of "columns" if the view need not show it.');
		END IF;
		PERFORM chat_rbac.spec_keys(place, mask, '{with,lifted_by}', '{with,lifted_by}');
		IF mask -> 'with' NOT IN ('"phone"', '"email"', '"name"', '"amount"', '"full"') THEN
			PERFORM chat_rbac.spec_error(format('"with" of %s is %s', place, mask -> 'with'),
				'It must be "phone", "email", "name", "amount" or "full".');
		END IF;
		PERFORM chat_rbac.mask_expression(relation, col::name, mask ->> 'with');
		PERFORM chat_rbac.spec_permission(format('"lifted_by" of %s', place), mask -> 'lifted_by');
	END LOOP;
	SELECT string_agg(format('"%s"', g), ', ' ORDER BY g) INTO telling
	FROM unnest(chat_rbac.generated_from(relation, ARRAY(SELECT jsonb_object_keys(masks)::name))) AS g
	WHERE g = ANY (columns);
	IF telling IS NOT NULL THEN
		PERFORM chat_rbac.spec_error(format('column %s is generated from a masked one', telling), NULL, 'Mask it too, or leave it out of "columns".');
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.view_masks(regclass, jsonb, name[], jsonb) IS 'Internal to create_view(): the masks of a specification, checked.';

CREATE FUNCTION chat_rbac.view_reader(relation regclass, spec jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reader pg_roles;
	fault text;
BEGIN
	IF NOT spec ? 'reader' THEN
		RETURN;
	END IF;
	SELECT r.* INTO reader FROM pg_roles r WHERE jsonb_typeof(spec -> 'reader') = 'string' AND r.rolname = spec ->> 'reader';
	fault := CASE
		WHEN NOT FOUND THEN format('there is no role %s', spec -> 'reader')
		WHEN reader.rolsuper OR reader.rolbypassrls THEN format('policies do not hold for role "%s"', reader.rolname)
		WHEN reader.rolcanlogin THEN format('role "%s" can log in', reader.rolname)
		WHEN pg_has_role(reader.oid, (SELECT c.relowner FROM pg_class c WHERE c.oid = relation), 'MEMBER')
			THEN format('role "%s" has the rights of the owner of table %s', reader.rolname, relation)
		WHEN spec -> 'grant' ? reader.rolname THEN format('role "%s" is in "grant" too', reader.rolname)
		WHEN spec @> '{"audited": true}' THEN 'an audited view has none' END;
	IF fault IS NOT NULL THEN
		PERFORM chat_rbac.spec_error('"reader": ' || fault,
			'It is to be a role that does nothing else than to own such views, and that policies hold.', 'As one made by CREATE ROLE inbox_reader NOLOGIN;');
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.view_reader(regclass, jsonb) IS 'Internal to create_view(): the role that reads for a view, checked.';

CREATE FUNCTION chat_rbac.view_check(relation regclass, protection jsonb, spec jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts name[];
	columns name[] := '{}';
	col name;
	value jsonb;
BEGIN
	PERFORM chat_rbac.spec_keys('the specification', spec, '{view,columns,masks,grant,audited,reader}', '{view}');
	BEGIN
		parts := CASE WHEN jsonb_typeof(spec -> 'view') = 'string' THEN parse_ident(spec ->> 'view')::name[] END;
	EXCEPTION WHEN invalid_parameter_value THEN
		parts := NULL;
	END;
	IF cardinality(parts) IS DISTINCT FROM 2 THEN
		PERFORM chat_rbac.spec_error(format('"view" is %s', spec -> 'view'), NULL, 'Write the schema too, as in "inbox.customer_card".');
	ELSIF parts[1] IN ('chat_rbac', 'information_schema') OR starts_with(parts[1], 'pg_') THEN
		PERFORM chat_rbac.spec_error(format('"view" is in schema "%s"', parts[1]));
	ELSIF to_regnamespace(quote_ident(parts[1])) IS NULL THEN
		PERFORM chat_rbac.spec_error(format('"view": there is no schema "%s"', parts[1]));
	END IF;

	IF spec ? 'columns' THEN
		IF jsonb_typeof(spec -> 'columns') <> 'array' OR spec -> 'columns' = '[]' THEN
			PERFORM chat_rbac.spec_error('"columns" must be an array of columns');
		END IF;
		FOR value IN SELECT * FROM jsonb_array_elements(spec -> 'columns') LOOP
			col := chat_rbac.spec_column('"columns"', relation, value, id => false, generated => true);
			IF col = ANY (columns) THEN
				PERFORM chat_rbac.spec_error(format('"columns" names column "%s" twice', col));
			END IF;
			columns := columns || col;
		END LOOP;
	ELSE
		SELECT array_agg(a.attname ORDER BY a.attnum) INTO columns FROM pg_attribute a
		WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
	END IF;
	PERFORM chat_rbac.view_masks(relation, protection, columns, coalesce(spec -> 'masks', '{}'));

	IF jsonb_typeof(spec -> 'grant') <> 'array' THEN
		PERFORM chat_rbac.spec_error('"grant" must be an array of database roles');
	END IF;
	FOR value IN SELECT * FROM jsonb_array_elements(spec -> 'grant') LOOP
		IF jsonb_typeof(value) <> 'string' OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = value #>> '{}') THEN
			PERFORM chat_rbac.spec_error(format('"grant": there is no role %s', value),
				'These are roles of the database, as in GRANT, each by name.',
				'Perhaps you meant ' || chat_rbac.near_names(value #>> '{}', ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE NOT starts_with(r.rolname, 'pg_'))) || '.');
		END IF;
	END LOOP;
	PERFORM chat_rbac.view_reader(relation, spec);
	IF jsonb_typeof(spec -> 'audited') <> 'boolean' THEN
		PERFORM chat_rbac.spec_error('"audited" must be true or false');
	ELSIF spec @> '{"audited": true}' AND to_regprocedure('chat_rbac.read_gate(text)') IS NULL THEN
		RAISE EXCEPTION 'this version of chat_rbac has no audited views' USING ERRCODE = 'feature_not_supported';
	END IF;
	RETURN jsonb_strip_nulls(jsonb_build_object('reader', spec -> 'reader')) || jsonb_build_object(
		'view', format('%I.%I', parts[1], parts[2]),
		'columns', to_jsonb(columns::text[]),
		'masks', coalesce(spec -> 'masks', '{}'),
		'grant', coalesce((SELECT jsonb_agg(DISTINCT g) FROM jsonb_array_elements(spec -> 'grant') AS g), '[]'),
		'audited', coalesce(spec -> 'audited', 'false'));
END
$$;
COMMENT ON FUNCTION chat_rbac.view_check(regclass, jsonb, jsonb) IS 'Internal to create_view(): the specification of a view checked and completed, or an error that names what is wrong and what is allowed.';

CREATE FUNCTION chat_rbac.view_permissions(protection jsonb) RETURNS chat_rbac.permset
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE WHEN protection ? 'view' OR NOT protection ? 'parent'
		THEN ('{' || coalesce(protection ->> 'view', (protection ->> 'resource') || '.view') || '}')::chat_rbac.permset END;
END;
COMMENT ON FUNCTION chat_rbac.view_permissions(jsonb) IS 'Internal: the permission that SELECT from a protected table needs; NULL for a child that is visible where its parent is.';

CREATE FUNCTION chat_rbac.view_query(relation regclass, protection jsonb, spec jsonb, gate text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	shown text;
	conditions text[] := '{}';
BEGIN
	SELECT string_agg(CASE WHEN spec -> 'masks' ? col THEN
		/* to ask once, in a sub-select, whether it is held at all costs a short query more than it saves a long one */
		(SELECT format(E'CASE WHEN %s\n THEN %s ELSE %s END AS %I',
			chat_rbac.policy_condition(relation, protection, ('{' || l.permission || '}')::chat_rbac.permset), m.value, m.masked, col)
		 FROM (SELECT spec #>> ARRAY['masks', col, 'lifted_by']) AS l (permission),
			chat_rbac.mask_expression(relation, col::name, spec #>> ARRAY['masks', col, 'with']) AS m)
		ELSE quote_ident(col) END, E',\n' ORDER BY n)
	INTO shown FROM jsonb_array_elements_text(spec -> 'columns') WITH ORDINALITY AS c (col, n);
	IF spec @> '{"audited": true}' THEN
		conditions := conditions || format('chat_rbac.read_gate(%L)', gate);
	END IF;
	IF spec ? 'reader' THEN
		RETURN format(E'SELECT %s\nFROM %s', shown, relation);
	END IF;
	IF protection ? 'org' THEN
		conditions := conditions || format('%I = chat_rbac.current_org()', protection ->> 'org');
	END IF;
	conditions := conditions || format('(%s)', chat_rbac.policy_condition(relation, protection, chat_rbac.view_permissions(protection)));
	RETURN format(E'SELECT %s\nFROM %s\nWHERE %s', shown, relation, array_to_string(conditions, E'\n AND '));
END
$$;
COMMENT ON FUNCTION chat_rbac.view_query(regclass, jsonb, jsonb, text) IS 'Internal to create_view() and doctor(): the query of a view.';

CREATE FUNCTION chat_rbac.make_view(name text, relation regclass, protection jsonb, spec jsonb, gate text) RETURNS regclass
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner name := coalesce(spec ->> 'reader', (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = relation));
	made regclass;
	reason text;
BEGIN
	BEGIN
		EXECUTE format(E'CREATE OR REPLACE VIEW %s%s AS\n%s', name, CASE WHEN NOT spec ? 'reader' THEN ' WITH (security_barrier = true)' END,
			chat_rbac.view_query(relation, protection, spec, gate));
	EXCEPTION WHEN invalid_table_definition OR undefined_column THEN
		GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
		RAISE EXCEPTION 'view % cannot be changed to its specification: %', name, reason
			USING ERRCODE = 'invalid_table_definition',
				HINT = format('SELECT chat_rbac.drop_view(%L); and create it again.', name);
	END;
	made := to_regclass(name);
	IF (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = made) <> owner THEN
		EXECUTE format('ALTER VIEW %s OWNER TO %I', name, owner);
	END IF;
	IF spec ? 'reader' THEN
		EXECUTE format('GRANT SELECT (%s) ON %s TO %I', (SELECT string_agg(DISTINCT quote_ident(c), ', ')
			FROM (SELECT jsonb_array_elements_text(spec -> 'columns') UNION SELECT unnest(chat_rbac.spec_places(relation, protection))) AS u (c)), relation, owner);
	END IF;
	RETURN made;
END
$$;
COMMENT ON FUNCTION chat_rbac.make_view(text, regclass, jsonb, jsonb, text) IS 'Internal to create_view(): makes or replaces a view, which belongs to its reader or to the table''s owner.';

CREATE FUNCTION chat_rbac.mask_triggers(relation regclass, protection jsonb) RETURNS TABLE (part regclass, name name, statement text, arguments text[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	/* who may see a column by any view may set it; their names come before the guard's, which then asks for its own right */
	WITH masked (n, permissions, columns) AS (
		SELECT row_number() OVER (ORDER BY l.lifts), l.lifts::chat_rbac.permset, string_agg(quote_ident(l.name), ', ' ORDER BY l.attnum)
		FROM (
			SELECT a.attname AS name, a.attnum, chat_rbac.permset_agg(DISTINCT (m.value ->> 'lifted_by')::chat_rbac.permission)::text AS lifts
			FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view CROSS JOIN LATERAL jsonb_each(v.spec -> 'masks') AS m
			JOIN pg_attribute a ON a.attrelid = v.relation AND a.attname = m.key AND a.attgenerated = ''
			WHERE v.relation = $1
			GROUP BY a.attname, a.attnum) AS l
		GROUP BY l.lifts)
	SELECT p, 'chat_rbac_mask_' || m.n,
		format('CREATE TRIGGER chat_rbac_mask_%s BEFORE UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION chat_rbac.guard_mask', m.n, m.columns, p),
		ARRAY[(SELECT string_agg(l::text, '" or "') FROM chat_rbac.unnest(m.permissions) AS l), m.columns, chat_rbac.policy_condition($1, protection, m.permissions)]
	FROM masked m, chat_rbac.parts_of($1) AS p JOIN pg_class c ON c.oid = p WHERE NOT c.relispartition;
$$;
COMMENT ON FUNCTION chat_rbac.mask_triggers(regclass, jsonb) IS 'Internal to create_view() and doctor(): the triggers that keep masked columns of a table and its children from being set by who may not see them; each by the statement up to its arguments, and these.';

CREATE FUNCTION chat_rbac.add_mask_triggers(relation regclass, protection jsonb, part regclass DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made record;
BEGIN
	FOR made IN SELECT * FROM chat_rbac.mask_triggers(relation, protection) AS m WHERE m.part = coalesce(add_mask_triggers.part, m.part)
		AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = m.part AND t.tgname = m.name) LOOP
		EXECUTE format('%s(%s)', made.statement, (SELECT string_agg(quote_literal(a), ', ' ORDER BY n) FROM unnest(made.arguments) WITH ORDINALITY AS u (a, n)));
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', made.part, made.name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.add_mask_triggers(regclass, jsonb, regclass) IS 'Internal to create_view(): makes the triggers of masked columns that are missing, of a table and its children or of one of these.';

CREATE FUNCTION chat_rbac.make_mask_triggers(relation regclass, protection jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part regclass;
	old name;
BEGIN
	FOR part, old IN SELECT p, t.tgname FROM chat_rbac.parts_of(relation) AS p JOIN pg_class c ON c.oid = p JOIN pg_trigger t ON t.tgrelid = p
		WHERE NOT c.relispartition AND starts_with(t.tgname, 'chat_rbac_mask_') LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', old, part);
	END LOOP;
	PERFORM chat_rbac.add_mask_triggers(relation, protection);
END
$$;
COMMENT ON FUNCTION chat_rbac.make_mask_triggers(regclass, jsonb) IS 'Internal to create_view(): makes the triggers of masked columns anew.';

CREATE FUNCTION chat_rbac.make_views(relation regclass, protection jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made chat_rbac.protected_view;
	checked jsonb;
BEGIN
	FOR made IN SELECT v.* FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view WHERE v.relation = make_views.relation LOOP
		checked := chat_rbac.view_check(relation, protection, made.spec);
		PERFORM chat_rbac.make_view(made.view::text, relation, protection, checked, made.gate);
	END LOOP;
	PERFORM chat_rbac.make_mask_triggers(relation, protection);
END
$$;
COMMENT ON FUNCTION chat_rbac.make_views(regclass, jsonb) IS 'Internal to protect(): makes the views over a table anew, as they say its conditions themselves.';

CREATE FUNCTION chat_rbac.refuse_views(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	names text;
BEGIN
	SELECT string_agg(v.view::text, ', ' ORDER BY v.view::text) INTO names
	FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view WHERE v.relation = refuse_views.relation;
	IF names IS NOT NULL THEN
		RAISE EXCEPTION 'the protection of table % is used by view %', relation, names
			USING ERRCODE = 'dependent_objects_still_exist', HINT = 'Drop it first, with chat_rbac.drop_view().';
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.refuse_views(regclass) IS 'Internal to unprotect(): an error (SQLSTATE 2BP01) if views show the table.';

/* ---- who reads what past the views ---- */

CREATE FUNCTION chat_rbac.revocations(granted oid, who oid) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	/* from PostgreSQL 16 on, REVOKE takes back only what the one has granted whom it names, else the first superuser */
	SELECT string_agg(format('REVOKE %I FROM %I%s%s;', g.rolname, m.rolname,
		CASE WHEN a.grantor <> 10 AND current_setting('server_version_num')::int >= 160000 THEN format(' GRANTED BY %I', pg_get_userbyid(a.grantor)) END,
		CASE WHEN a.admin_option THEN ' CASCADE' END), ' ' ORDER BY a.admin_option, m.rolname, a.grantor)
	FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
	WHERE a.roleid = granted AND pg_has_role(who, a.member, 'MEMBER');
END;
COMMENT ON FUNCTION chat_rbac.revocations(oid, oid) IS 'Internal to doctor(): the statements after which a role is a member of another one no more, be it by way of others.';

CREATE FUNCTION chat_rbac.readers_past(relation regclass, columns name[]) RETURNS TABLE (reader text, readable name[], statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH class AS (
		SELECT c.relacl, c.relowner FROM pg_class c WHERE c.oid = relation
	), reads (grantee, attname) AS (
		SELECT DISTINCT x.grantee, NULL::name FROM class, aclexplode(class.relacl) AS x WHERE x.privilege_type = 'SELECT'
		UNION
		SELECT x.grantee, a.attname FROM pg_attribute a, aclexplode(a.attacl) AS x
		WHERE a.attrelid = relation AND a.attname = ANY (columns) AND x.privilege_type = 'SELECT'
		UNION
		SELECT m.member, NULL FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = 'pg_read_all_data'
	), own_readers AS (
		SELECT DISTINCT r.oid, r.rolname FROM chat_rbac.protected_view v JOIN pg_roles r ON r.rolname = v.spec ->> 'reader' WHERE v.relation = $1
	), who AS (
		SELECT r.grantee, bool_or(r.attname IS NULL) AS all_columns, array_agg(r.attname ORDER BY r.attname) FILTER (WHERE r.attname IS NOT NULL) AS names,
			CASE WHEN r.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(u.rolname) END AS name,
			r.grantee <> 0 AND pg_has_role(r.grantee, 'pg_read_all_data', 'MEMBER') AS reads_all
		FROM reads r CROSS JOIN class LEFT JOIN pg_roles u ON u.oid = r.grantee
		WHERE columns <> '{}' AND r.grantee <> class.relowner AND NOT coalesce(u.rolsuper, false) AND r.grantee NOT IN (SELECT o.oid FROM own_readers o)
		GROUP BY r.grantee, u.rolname
	), plain AS (
		SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names FROM pg_attribute a
		WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (columns)
	)
	SELECT w.name, CASE WHEN w.all_columns THEN columns ELSE w.names END,
		CASE WHEN w.reads_all THEN chat_rbac.revocations('pg_read_all_data'::regrole, w.grantee)
			WHEN w.all_columns THEN format('REVOKE SELECT ON %s FROM %s;', relation, w.name)
				|| CASE WHEN plain.names IS NULL THEN '' ELSE format(' GRANT SELECT (%s) ON %s TO %s;', plain.names, relation, w.name) END
			ELSE format('REVOKE SELECT (%s) ON %s FROM %s;', (SELECT string_agg(quote_ident(n), ', ') FROM unnest(w.names) AS n), relation, w.name) END
	FROM who w CROSS JOIN plain
	UNION ALL
	SELECT quote_ident(m.rolname), columns, chat_rbac.revocations(o.oid, m.oid)
	FROM own_readers o JOIN pg_roles m ON EXISTS (SELECT FROM pg_auth_members a WHERE a.roleid = o.oid AND a.member = m.oid)
	WHERE columns <> '{}' AND NOT m.rolsuper AND NOT pg_has_role(m.oid, (SELECT relowner FROM class), 'USAGE')
	ORDER BY 1;
END
$$;
COMMENT ON FUNCTION chat_rbac.readers_past(regclass, name[]) IS 'Internal to create_view(): who has been granted SELECT on some of these columns of a table, owner and superusers aside, and the statement that ends it. Members of such roles are not named: they read by the role.';

CREATE FUNCTION chat_rbac.grant_view(view regclass, relation regclass, spec jsonb, before jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	audited boolean;	/* nothing of the table, for whom there is an audited view over it */
	hidden name[] := chat_rbac.hidden_columns(relation);
	plain text;		/* what everybody may read who may read the table at all */
	shown text;		/* the same, of the view's columns */
	who name;
	was_all boolean;
BEGIN
	SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum),
		string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE spec -> 'columns' ? a.attname)
	INTO plain, shown FROM pg_attribute a
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (coalesce(hidden, '{}'));

	FOR who IN SELECT r.rolname FROM jsonb_array_elements_text(before -> 'grant') AS g JOIN pg_roles r ON r.rolname = g WHERE NOT spec -> 'grant' ? g LOOP
		EXECUTE format('REVOKE SELECT ON %s FROM %I', view, who);
	END LOOP;
	FOR who IN SELECT * FROM jsonb_array_elements_text(spec -> 'grant') LOOP
		EXECUTE format('GRANT SELECT ON %s TO %I', view, who);
		audited := EXISTS (SELECT FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view
			WHERE v.relation = grant_view.relation AND v.spec @> '{"audited": true}' AND v.spec -> 'grant' ? who);
		CONTINUE WHEN hidden IS NULL AND NOT audited;
		CONTINUE WHEN EXISTS (SELECT FROM pg_roles r, pg_class c
			WHERE r.rolname = who AND c.oid = relation AND (r.rolsuper OR r.oid = c.relowner));
		was_all := EXISTS (SELECT FROM pg_class c, aclexplode(c.relacl) AS x
			WHERE c.oid = relation AND x.privilege_type = 'SELECT' AND x.grantee = (SELECT r.oid FROM pg_roles r WHERE r.rolname = who));
		/* from the table takes from all columns too, those granted for another view among them */
		EXECUTE format('REVOKE SELECT%s ON %s FROM %I', CASE WHEN NOT was_all AND NOT audited
			THEN format(' (%s)', (SELECT string_agg(quote_ident(h), ', ') FROM unnest(hidden) AS h)) END, relation, who);
		IF NOT audited AND coalesce(CASE WHEN was_all THEN plain END, shown) IS NOT NULL THEN
			EXECUTE format('GRANT SELECT (%s) ON %s TO %I', CASE WHEN was_all THEN plain ELSE shown END, relation, who);
		END IF;
		IF was_all THEN
			RAISE NOTICE 'role "%" may not read % of table % any more', who,
				CASE WHEN audited THEN 'columns' ELSE 'columns ' || array_to_string(hidden, ', ') END, relation
				USING DETAIL = 'SELECT on the table was revoked from it' || CASE WHEN audited THEN '.' ELSE ', and granted on the other columns.' END;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.grant_view(regclass, regclass, jsonb, jsonb) IS 'Internal to create_view(): grants the view, and of the table no more than the columns that no view masks; for an audited view none.';

CREATE FUNCTION chat_rbac.release_reader(relation regclass, reader name) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = reader) AND NOT EXISTS (
		SELECT FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view
		WHERE v.relation = release_reader.relation AND v.spec ->> 'reader' = reader)
	THEN
		EXECUTE format('REVOKE SELECT ON %s FROM %I', relation, reader);
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.release_reader(regclass, name) IS 'Internal to create_view() and drop_view(): a role that reads for no view over the table any more reads it no more.';

CREATE FUNCTION chat_rbac.hint_links(protection jsonb, grantees jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link record;
BEGIN
	FOR link IN
		SELECT g.who, r.relname, r.tab, string_agg(quote_ident(c.name), ', ') AS names
		FROM (SELECT l.key AS relname, (l.value #>> '{linked,table}')::regclass AS tab, l.value -> 'linked' AS spec
			  FROM jsonb_each(protection -> 'relations') AS l WHERE l.value ? 'linked') AS r
		CROSS JOIN LATERAL (VALUES (r.spec ->> 'org'), (r.spec ->> 'column')) AS c (name)
		CROSS JOIN jsonb_array_elements_text(grantees) AS g (who)
		WHERE c.name IS NOT NULL AND NOT has_column_privilege(g.who, r.tab, c.name, 'SELECT')
		GROUP BY g.who, r.relname, r.tab
	LOOP
		RAISE NOTICE 'role "%" may not read table %, which relation "%" is told by', link.who, link.tab, link.relname
			USING DETAIL = 'It is read as who asks: members whose rights depend on it get an error.',
				HINT = format('GRANT SELECT (%s) ON %s TO %I;', link.names, link.tab, link.who);
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.hint_links(jsonb, jsonb) IS 'Internal to create_view(): tells which privileges the roles it grants the view lack for "linked" relations.';

CREATE FUNCTION chat_rbac.create_view(relation regclass, spec jsonb) RETURNS regclass
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	protection jsonb;
	checked jsonb;
	other text;
	past record;
	old chat_rbac.protected_view;
	made regclass;
	gate text;
BEGIN
	IF relation IS NULL OR spec IS NULL THEN
		RAISE EXCEPTION 'create_view() needs a table and a specification' USING ERRCODE = 'null_value_not_allowed';
	ELSIF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = relation), 'USAGE') THEN
		RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege';
	ELSIF NOT EXISTS (SELECT FROM chat_rbac.protection p WHERE p.relation = create_view.relation) THEN
		RAISE EXCEPTION 'table % is not protected', relation
			USING ERRCODE = 'undefined_object', HINT = 'Call chat_rbac.protect() first.';
	END IF;
	EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', relation);
	LOCK TABLE chat_rbac.protected_view IN SHARE ROW EXCLUSIVE MODE;
	SELECT p.spec INTO STRICT protection FROM chat_rbac.protection p WHERE p.relation = create_view.relation;
	IF chat_rbac.passed_policies(relation) IS NOT NULL THEN
		RAISE EXCEPTION 'table % has restrictive policies of its own: %', relation, chat_rbac.passed_policies(relation)
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'A view does not read as who asks, and may pass them by.',
				HINT = 'Say it in the specification of chat_rbac.protect().';
	ELSIF chat_rbac.lost_masks(relation) IS NOT NULL THEN
		RAISE EXCEPTION 'table % lacks a masked column: %', relation, chat_rbac.lost_masks(relation)
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = 'It was renamed. What views mask is not granted to anybody, so it must be known.',
				HINT = 'Call chat_rbac.drop_view() for that view, and create it anew.';
	END IF;

	checked := chat_rbac.view_check(relation, protection, spec);
	DELETE FROM chat_rbac.protected_view v WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.view)
		AND (NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.relation) OR v.relation = create_view.relation);
	SELECT v.* INTO old FROM chat_rbac.protected_view v WHERE v.view = to_regclass(checked ->> 'view') AND v.relation = create_view.relation;
	IF old.view IS NULL AND to_regclass(checked ->> 'view') IS NOT NULL THEN
		RAISE EXCEPTION 'relation % already exists', checked ->> 'view'
			USING ERRCODE = 'duplicate_table', DETAIL = format('It is no view that create_view() made over table %s.', relation);
	END IF;
	gate := coalesce(old.gate, (SELECT min(n) FROM unnest(ARRAY[checked ->> 'view', (checked ->> 'view') || ' ' || gen_random_uuid()]) AS n
		WHERE NOT EXISTS (SELECT FROM chat_rbac.protected_view v WHERE v.gate = n)));
	made := chat_rbac.make_view(checked ->> 'view', relation, protection, checked, gate);
	INSERT INTO chat_rbac.protected_view AS v (view, relation, spec, gate) VALUES (made, create_view.relation, checked, gate)
	ON CONFLICT ON CONSTRAINT protected_view_pkey DO UPDATE SET spec = EXCLUDED.spec;
	IF old.view IS NULL THEN
		/* default privileges may have given others more than SELECT, by which one writes to the table as its owner */
		FOR other IN SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
			FROM pg_class c, aclexplode(c.relacl) AS x WHERE c.oid = made AND x.grantee <> c.relowner LOOP
			EXECUTE format('REVOKE ALL ON %s FROM %s', made, other);
		END LOOP;
	END IF;
	PERFORM chat_rbac.grant_view(made, relation, checked, old.spec);
	PERFORM chat_rbac.make_mask_triggers(relation, protection);
	PERFORM chat_rbac.release_reader(relation, (old.spec ->> 'reader')::name);
	PERFORM chat_rbac.hint_links(protection, checked -> 'grant');

	FOR past IN SELECT * FROM chat_rbac.readers_past(relation, CASE WHEN checked @> '{"audited": true}'
			THEN ARRAY(SELECT jsonb_array_elements_text(checked -> 'columns')::name) ELSE chat_rbac.hidden_columns(relation) END) LOOP
		RAISE WARNING '% may read % of table % past the view', past.reader, array_to_string(past.readable, ', '), relation
			USING HINT = past.statement;
	END LOOP;
	/* what is generated is not in it */
	SELECT string_agg(m, ', ' ORDER BY m) INTO other FROM jsonb_object_keys(checked -> 'masks') AS m
	JOIN pg_attribute a ON a.attrelid = relation AND a.attname = m AND a.attgenerated = ''
	WHERE NOT coalesce(protection #> '{audit,exclude}' ? m, false);
	IF other IS NOT NULL THEN
		RAISE NOTICE 'the audit trail shows changes of % to those who may read its events', other
			USING HINT = 'If they may not see these values: "audit": {"exclude": [...]} in the specification of chat_rbac.protect(). A digest of so short a value can be guessed.';
	END IF;
	RETURN made;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.create_view(regclass, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.create_view(regclass, jsonb) IS 'Makes a view over a protected table, with masks on columns that a permission lifts row by row, and grants it; who may not see a value may not set it either. Call it again to change that. Errors in the specification: SQLSTATE 22023, and nothing is changed. A WARNING names whoever may read a masked column past the view.';

CREATE FUNCTION chat_rbac.drop_view(view regclass) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass;
	old chat_rbac.protected_view;
BEGIN
	/* as create_view() does, and then it may be gone */
	SELECT c.oid INTO relation FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.relation WHERE v.view = drop_view.view;
	IF FOUND THEN
		EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', relation);
	END IF;
	LOCK TABLE chat_rbac.protected_view IN SHARE ROW EXCLUSIVE MODE;
	SELECT v.* INTO old FROM chat_rbac.protected_view v WHERE v.view = drop_view.view;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% is no view that create_view() made', view USING ERRCODE = 'undefined_object';
	END IF;
	EXECUTE format('DROP VIEW %s', view);
	DELETE FROM chat_rbac.protected_view v WHERE v.view = drop_view.view;
	PERFORM chat_rbac.make_mask_triggers(p.relation, p.spec) FROM chat_rbac.protection p WHERE p.relation = old.relation;
	PERFORM chat_rbac.release_reader(old.relation, (old.spec ->> 'reader')::name);
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.drop_view(regclass) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.drop_view(regclass) IS 'Drops a view that create_view() made; what create_view() did to privileges on the table stays.';

/* ---- the table of views ---- */

CREATE FUNCTION chat_rbac.check_view_owner() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	named chat_rbac.protected_view := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
BEGIN
	IF EXISTS (SELECT FROM pg_class c WHERE c.oid IN (named.view, named.relation) AND NOT pg_has_role(c.relowner, 'USAGE')) OR
		TG_OP = 'UPDATE' AND (NEW.view, NEW.relation, NEW.gate) IS DISTINCT FROM (OLD.view, OLD.relation, OLD.gate)
	THEN
		RAISE EXCEPTION 'must be owner of view % and its table', named.view
			USING ERRCODE = 'insufficient_privilege', HINT = 'Use chat_rbac.create_view() and chat_rbac.drop_view().';
	END IF;
	RETURN named;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.check_view_owner() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.check_view_owner() IS 'Trigger: only the owner of a view and its table writes what the view is (SQLSTATE 42501).';

CREATE TRIGGER check_owner BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.protected_view
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.check_view_owner();
CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON chat_rbac.protected_view
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.invalidate();
CREATE TRIGGER invalidate_truncate AFTER TRUNCATE ON chat_rbac.protected_view
	FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.invalidate();
ALTER TABLE chat_rbac.protected_view ENABLE ALWAYS TRIGGER check_owner, ENABLE ALWAYS TRIGGER invalidate, ENABLE ALWAYS TRIGGER invalidate_truncate;

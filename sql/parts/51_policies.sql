/* ---- protecting a table: policies, and the calls ---- */

CREATE FUNCTION chat_rbac.policy_org_arm(spec jsonb, what text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT format('chat_rbac.in_org_scope(%I, %s%s)', spec ->> 'org', what,
		(SELECT format(', %L::text[], %s', array_agg(u.key), string_agg(quote_ident(u.value), ', '))
		 FROM jsonb_each_text(spec -> 'units') AS u HAVING count(*) > 0));
END;
COMMENT ON FUNCTION chat_rbac.policy_org_arm(jsonb, text) IS 'Internal to protect(): the arm of the whole org, for permissions and a relation as SQL text. A row that is at units is not in it where these are sealed off.';

CREATE FUNCTION chat_rbac.policy_unit_arms(spec jsonb, what text) RETURNS SETOF text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT format('chat_rbac.in_unit_scope(%I, %s, %s)', u.value, what, coalesce(
		(SELECT format('%L::text[], %s', u.key || array_agg(o.key), string_agg(quote_ident(o.value), ', '))
		 FROM jsonb_each_text(spec -> 'units') AS o WHERE o.key <> u.key HAVING count(*) > 0), quote_literal(u.key)))
	FROM jsonb_each_text(spec -> 'units') AS u;
END;
COMMENT ON FUNCTION chat_rbac.policy_unit_arms(jsonb, text) IS 'Internal to protect(): one arm a unit column, for permissions and a relation as SQL text. The row''s other units may be sealed off.';

CREATE FUNCTION chat_rbac.policy_relation_arm(relation regclass, spec jsonb, permissions chat_rbac.permset, relname text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rel jsonb := spec #> ARRAY['relations', relname];
	what text := format('%L::chat_rbac.permset, %L', permissions, relname);
	kinds text := format('%L::text[]', ARRAY(SELECT jsonb_object_keys(spec -> 'units')));
	columns text := (SELECT string_agg(quote_ident(u.value), ', ') FROM jsonb_each_text(spec -> 'units') AS u);
	org_wide text := chat_rbac.policy_org_arm(spec, what);
	in_scope text := format('chat_rbac.in_scope(%s, %s, %s)', what, kinds, columns);
	or_all text := (columns IS NULL)::text;	-- without unit columns, permissions for every row come by the relation too
	tests text[] := '{}';
	personal boolean := false;	-- the relation ties the row to who asks
	people text;				-- the "$members" column
	key text;
	name text;
	col text;
	test jsonb;
BEGIN
	IF rel ? 'table' OR rel ? 'linked' THEN
		key := quote_ident(coalesce(rel ->> 'key', rel #>> '{linked,key}'));
		tests := ARRAY[format('chat_rbac.in_link(%s, %s, %L::regclass, %s)', key, what, relation, or_all)];
		personal := true;
	ELSE
		FOR name, test IN SELECT * FROM jsonb_each(rel) LOOP
			col := quote_ident(name);
			CASE test #>> '{}'
				WHEN '$member' THEN
					tests := tests || format('%s = chat_rbac.member_scope(%s, %s)', col, what, or_all);
					personal := true;
				WHEN '$members' THEN
					people := col;
				ELSE
					IF test <> 'null' THEN
						PERFORM chat_rbac.spec_literal_column(format('relation "%s"', relname), relation, name);
					END IF;
					tests := tests || CASE
						WHEN test = 'null' THEN format('%s IS NULL', col)
						ELSE format('%s = %L', col, test #>> '{}') END;
			END CASE;
		END LOOP;
	END IF;

	IF people IS NOT NULL THEN
		RETURN '(' || array_to_string(tests || format('((%s AND chat_rbac.is_member(%s)) OR chat_rbac.in_member_scope(%s, %s%s))',
			org_wide, people, people, what, ', ' || kinds || ', ' || columns), ' AND ') || ')';
	ELSIF personal THEN
		RETURN '(' || array_to_string(tests || CASE WHEN columns IS NOT NULL THEN in_scope END, ' AND ') || ')';
	ELSE
		RETURN '(' || array_to_string(tests || format('(%s)', concat_ws(' OR ', org_wide,
			(SELECT string_agg(arm, ' OR ') FROM chat_rbac.policy_unit_arms(spec, what) AS arm))), ' AND ') || ')';
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_relation_arm(regclass, jsonb, chat_rbac.permset, text) IS 'Internal to protect(): the arm of one relation. In a table without unit columns a relation to a person ties the row to a grant at any unit.';

CREATE FUNCTION chat_rbac.policy_condition(relation regclass, spec jsonb, permissions chat_rbac.permset) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	what text := format('%L::chat_rbac.permset, ''all''', permissions);
BEGIN
	IF spec ? 'parent' THEN
		RETURN format('chat_rbac.in_parent(%L::regclass, %L::chat_rbac.permset, %s, %I)',
			relation, permissions, coalesce(quote_ident(spec ->> 'org'), 'NULL'), spec #>> '{parent,column}');
	END IF;
	RETURN (SELECT string_agg(arm, E'\n OR ') FROM (
		SELECT chat_rbac.policy_org_arm(spec, what) AS arm
		UNION ALL
		SELECT chat_rbac.policy_relation_arm(relation, spec, permissions, r)
		FROM jsonb_object_keys(spec -> 'relations') AS r
		UNION ALL
		SELECT chat_rbac.policy_unit_arms(spec, what)) AS arms);
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_condition(regclass, jsonb, chat_rbac.permset) IS 'Internal to protect(): the condition under which who asks has one of the permissions on a row: one arm for the org, one a unit column, one a relation. For a child, that there is such a parent row; with NULL any visible one.';

CREATE FUNCTION chat_rbac.policy_digest(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT md5(string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles::text, p.polqual::text), ';' ORDER BY p.polname))
	FROM pg_policy p WHERE p.polrelid = relation AND p.polcmd IN ('*', 'r');
END;
COMMENT ON FUNCTION chat_rbac.policy_digest(regclass) IS 'Internal: tells the policies that a SELECT from a table is under from all others; not the same after a restore.';

CREATE FUNCTION chat_rbac.index_hints(relation regclass, spec jsonb) RETURNS TABLE (purpose text, statement text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH wanted (what, tab, org, col) AS (
		SELECT format('unit "%s"', u.key), relation, spec ->> 'org', u.value
		FROM jsonb_each_text(spec -> 'units') AS u
		UNION ALL
		SELECT format('relation "%s"', r.key), relation, spec ->> 'org', t.key
		FROM jsonb_each(spec -> 'relations') AS r, jsonb_each(r.value) AS t
		WHERE t.value #>> '{}' IN ('$member', '$members')
		UNION ALL
		SELECT format('relation "%s"', r.key), (r.value ->> 'table')::regclass, r.value ->> 'org', r.value ->> 'member'
		FROM jsonb_each(spec -> 'relations') AS r
		WHERE r.value ? 'table'
		UNION ALL
		SELECT 'the parent', relation, spec ->> 'org', spec #>> '{parent,column}'
		WHERE spec ? 'parent'
	)
	SELECT string_agg(DISTINCT w.what, ' and ' ORDER BY w.what),
		format('CREATE INDEX ON %s (%s);', w.tab, concat_ws(', ', quote_ident(w.org), quote_ident(w.col))) AS index
	FROM wanted w
	WHERE NOT EXISTS (
		SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
		CROSS JOIN LATERAL (SELECT array_agg(a.attname::text ORDER BY k.n) AS names
			FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
			LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum) AS cols
		WHERE i.indrelid = w.tab AND i.indisvalid AND i.indpred IS NULL AND am.amname = 'btree'
			AND (cols.names[1] = w.col OR (cols.names[1] = w.org AND cols.names[2] = w.col)))
	GROUP BY index ORDER BY index;
END
$$;
COMMENT ON FUNCTION chat_rbac.index_hints(regclass, jsonb) IS 'Internal to protect(): indexes that the policies of a specification would use and that are missing, as CREATE INDEX statements.';

CREATE FUNCTION chat_rbac.drop_policies(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = relation AND starts_with(p.polname, 'chat_rbac_') LOOP
		EXECUTE format('DROP POLICY %I ON %s', name, relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.drop_policies(regclass) IS 'Internal to protect() and unprotect(): drops the policies that are named chat_rbac_....';

CREATE FUNCTION chat_rbac.warn_of_policies(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	other text;
BEGIN
	FOR other IN SELECT p.polname FROM pg_policy p
		WHERE p.polrelid = relation AND p.polpermissive AND NOT starts_with(p.polname, 'chat_rbac_') LOOP
		RAISE WARNING 'policy "%" on table % also lets rows through', other, relation
			USING HINT = format('DROP POLICY %I ON %s; unless you mean it.', other, relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.warn_of_policies(regclass) IS 'Internal to protect() and unprotect(): warns of permissive policies that are not chat_rbac''s.';

CREATE FUNCTION chat_rbac.parts_of(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT ROWS 10
BEGIN ATOMIC
	WITH RECURSIVE tree (relid) AS (
		SELECT relation::oid
		UNION
		SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.relid)
	SELECT c.oid::regclass FROM tree JOIN pg_class c ON c.oid = tree.relid WHERE c.relkind IN ('r', 'p');
END;
COMMENT ON FUNCTION chat_rbac.parts_of(regclass) IS 'Internal to protect(): a table with its partitions and those that inherit from it, at all levels. Not foreign tables: PostgreSQL knows no policies on them.';

CREATE FUNCTION chat_rbac.guard_part(part regclass) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own_guard boolean := (SELECT NOT c.relispartition FROM pg_class c WHERE c.oid = part);	-- partitions get theirs from the table
BEGIN
	/* triggers fire in the order of their names: the guard shall see what the others have made of the row */
	EXECUTE format('CREATE OR REPLACE TRIGGER chat_rbac_truncate BEFORE TRUNCATE ON %s EXECUTE FUNCTION chat_rbac.guard_truncate()', part);
	IF own_guard THEN
		EXECUTE format('CREATE OR REPLACE TRIGGER zz_chat_rbac_guard BEFORE INSERT OR UPDATE OR DELETE ON %s'
			' FOR EACH ROW EXECUTE FUNCTION chat_rbac.guard()', part);
	END IF;
	/* rows of a partition or child are reached through the protected table only; all at once, for guard_new_parts() */
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, ENABLE ALWAYS TRIGGER chat_rbac_truncate%s',
		part, CASE WHEN own_guard THEN ', ENABLE ALWAYS TRIGGER zz_chat_rbac_guard' END);
	PERFORM chat_rbac.audit_part(part, own_guard);
END
$$;
COMMENT ON FUNCTION chat_rbac.guard_part(regclass) IS 'Internal to protect(): closes a table, partition or child to all but policies, and makes the triggers that guard its rows and record their changes.';

CREATE FUNCTION chat_rbac.warn_of_triggers(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part regclass;
	later text;
BEGIN
	FOR part, later IN SELECT t.tgrelid, t.tgname FROM chat_rbac.parts_of(relation) AS p JOIN pg_trigger t ON t.tgrelid = p
		WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgtype & 3 = 3 AND t.tgname::text COLLATE "C" > 'zz_chat_rbac_guard' LOOP
		RAISE WARNING 'trigger "%" on table % fires after the guard', later, part
			USING DETAIL = 'What it changes in a row is not checked, and where it moves the row elsewhere, the row is refused.',
				HINT = format('Give it a name that comes earlier: ALTER TRIGGER %I ON %s RENAME TO ...;', later, part);
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.warn_of_triggers(regclass) IS 'Internal to protect(): warns of BEFORE ROW triggers that fire after the guard.';

CREATE FUNCTION chat_rbac.policies_of(relation regclass, spec jsonb)
RETURNS TABLE (name text, permissive boolean, command text, using_text text, check_text text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	resource text := spec ->> 'resource';
	what text := format('%L::regclass, %s', relation, (SELECT string_agg(quote_ident(p), ', ') FROM unnest(chat_rbac.spec_places(relation, spec)) AS p));
	approved text := format('chat_rbac.approved(%s)', what);
BEGIN
	IF spec ? 'org' THEN
		RETURN QUERY SELECT 'chat_rbac_org', false, 'ALL', format('%I = chat_rbac.current_org()', spec ->> 'org'), NULL;
	END IF;

	/* what is being written and has been approved passes once; the org makes that an arm for which an index may be used */
	RETURN QUERY SELECT 'chat_rbac_select', true, 'SELECT',
		chat_rbac.policy_condition(relation, spec,
			CASE WHEN spec ? 'view' OR NOT spec ? 'parent' THEN ('{' || coalesce(spec ->> 'view', resource || '.view') || '}')::chat_rbac.permset END)
		|| format(CASE WHEN spec ? 'org' THEN E'\n OR (%2$I = chat_rbac.handing_over(%3$L::regclass) AND chat_rbac.handed_over(%1$s))'
			ELSE E'\n OR chat_rbac.handed_over(%1$s)' END, what, spec ->> 'org', relation), NULL;

	/* the guard decides row by row: which right a change needs, and that it is held */
	IF spec @> '{"actions": [{"on": "insert"}]}' THEN
		RETURN QUERY SELECT 'chat_rbac_insert', true, 'INSERT', NULL, approved;
	END IF;
	IF chat_rbac.spec_requires(spec, 'update') IS NOT NULL THEN
		RETURN QUERY SELECT 'chat_rbac_update', true, 'UPDATE', chat_rbac.policy_condition(relation, spec, chat_rbac.spec_requires(spec, 'update')), approved;
	END IF;
	IF chat_rbac.spec_requires(spec, 'delete') IS NOT NULL THEN
		RETURN QUERY SELECT 'chat_rbac_delete', true, 'DELETE', chat_rbac.policy_condition(relation, spec, chat_rbac.spec_requires(spec, 'delete')), NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.policies_of(regclass, jsonb) IS 'Internal to protect() and doctor(): the policies that a table has by its checked specification.';

CREATE FUNCTION chat_rbac.make_policies(relation regclass, spec jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	policy record;
BEGIN
	PERFORM chat_rbac.drop_policies(relation);
	FOR policy IN SELECT * FROM chat_rbac.policies_of(relation, spec) LOOP
		EXECUTE format('CREATE POLICY %I ON %s AS %s FOR %s', policy.name, relation, CASE WHEN policy.permissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, policy.command)
			|| coalesce(' USING (' || policy.using_text || ')', '') || coalesce(' WITH CHECK (' || policy.check_text || ')', '');
	END LOOP;
	UPDATE chat_rbac.protection p SET policies = chat_rbac.policy_digest(make_policies.relation) WHERE p.relation = make_policies.relation;
END
$$;
COMMENT ON FUNCTION chat_rbac.make_policies(regclass, jsonb) IS 'Internal to protect(): makes the policies of a table anew from its checked specification.';

CREATE FUNCTION chat_rbac.protect(relation regclass, spec jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	class pg_class;
	checked jsonb;
	other text;
	hint record;
BEGIN
	IF relation IS NULL OR spec IS NULL THEN
		RAISE EXCEPTION 'protect() needs a table and a specification' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT * INTO class FROM pg_class WHERE oid = relation;
	IF class.relkind IS NULL OR class.relkind NOT IN ('r', 'p') THEN
		RAISE EXCEPTION '"%" is not a table', relation USING ERRCODE = 'wrong_object_type';
	ELSIF class.relispartition THEN
		RAISE EXCEPTION 'table % is a partition', relation
			USING ERRCODE = 'wrong_object_type', HINT = 'Protect the partitioned table: its partitions come with it.';
	ELSIF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = relation) THEN
		RAISE EXCEPTION 'table % inherits from another table', relation
			USING ERRCODE = 'wrong_object_type', HINT = 'Protect the table that it inherits from: its rows can be read there.';
	ELSIF class.relnamespace = 'chat_rbac'::regnamespace THEN
		RAISE EXCEPTION 'table % belongs to the extension', relation USING ERRCODE = 'wrong_object_type';
	ELSIF NOT pg_has_role(class.relowner, 'USAGE') THEN
		RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege';
	END IF;

	/* one at a time, and no table that this one leans on may change meanwhile */
	LOCK TABLE chat_rbac.protection IN SHARE ROW EXCLUSIVE MODE;
	EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', relation);
	FOR other IN SELECT DISTINCT t.name::text
		FROM jsonb_path_query(spec, '$.** ? (@.type() == "object").table ? (@.type() == "string")') AS j
		CROSS JOIN LATERAL chat_rbac.table_named(j #>> '{}') AS t (name)
		WHERE t.name <> relation ORDER BY 1 LOOP
		EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', other);
	END LOOP;

	checked := chat_rbac.spec_check(relation, spec);
	DELETE FROM chat_rbac.protection p WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relation);
	INSERT INTO chat_rbac.protection AS p (relation, spec, parent, linked, link_tables)
	VALUES (protect.relation, checked, (checked #>> '{parent,table}')::regclass, chat_rbac.spec_linked(checked), chat_rbac.spec_link_tables(checked))
	ON CONFLICT ON CONSTRAINT protection_pkey
		DO UPDATE SET spec = EXCLUDED.spec, parent = EXCLUDED.parent, linked = EXCLUDED.linked, link_tables = EXCLUDED.link_tables;
	PERFORM chat_rbac.guard_part(part) FROM chat_rbac.parts_of(relation) AS part;
	PERFORM chat_rbac.make_policies(relation, checked);
	PERFORM chat_rbac.make_views(relation, checked);

	PERFORM chat_rbac.warn_of_policies(relation);
	PERFORM chat_rbac.warn_of_triggers(relation);
	FOR hint IN SELECT * FROM chat_rbac.index_hints(relation, checked) LOOP
		RAISE NOTICE '%: no index serves %', relation, hint.purpose USING HINT = hint.statement;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.protect(regclass, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.protect(regclass, jsonb) IS 'Puts a table under row-level security as the specification says; call it again to change that. Errors in the specification: SQLSTATE 22023, and nothing is changed.';

CREATE FUNCTION chat_rbac.unprotect(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dependant text;
	part regclass;
BEGIN
	IF NOT EXISTS (SELECT FROM chat_rbac.protection p WHERE p.relation = unprotect.relation) THEN
		RAISE EXCEPTION 'table % is not protected', relation USING ERRCODE = 'undefined_object';
	ELSIF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = relation), 'USAGE') THEN
		RAISE EXCEPTION 'must be owner of table %', relation USING ERRCODE = 'insufficient_privilege';
	END IF;
	LOCK TABLE chat_rbac.protection IN SHARE ROW EXCLUSIVE MODE;
	EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', relation);
	SELECT string_agg(p.relation::text, ', ' ORDER BY p.relation::text) INTO dependant FROM chat_rbac.protection p
	WHERE unprotect.relation IN (SELECT unnest(p.linked || p.parent));
	IF dependant IS NOT NULL THEN
		RAISE EXCEPTION 'the protection of table % is used by that of %', relation, dependant
			USING ERRCODE = 'dependent_objects_still_exist', HINT = 'Unprotect those first.';
	END IF;
	PERFORM chat_rbac.refuse_views(relation);
	PERFORM chat_rbac.drop_policies(relation);
	FOR part IN SELECT chat_rbac.parts_of(relation) LOOP
		IF NOT (SELECT c.relispartition FROM pg_class c WHERE c.oid = part) THEN
			EXECUTE format('DROP TRIGGER IF EXISTS zz_chat_rbac_guard ON %s', part);
			EXECUTE format('DROP TRIGGER IF EXISTS "00_chat_rbac_audit" ON %s', part);
		END IF;
		EXECUTE format('DROP TRIGGER IF EXISTS chat_rbac_truncate ON %s', part);
		EXECUTE format('DROP TRIGGER IF EXISTS "00_chat_rbac_audit_truncate" ON %s', part);
	END LOOP;
	DELETE FROM chat_rbac.protection p WHERE p.relation = unprotect.relation;
	PERFORM chat_rbac.warn_of_policies(relation);
	RAISE NOTICE 'table % has no policies of chat_rbac any more, and stays closed', relation
		USING HINT = format('To open it to all who hold privileges on it: ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;', relation);
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.unprotect(regclass) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.unprotect(regclass) IS 'Drops what protect() made, but leaves row-level security on: without policies nobody sees a row.';

CREATE FUNCTION chat_rbac.protection(relation regclass) RETURNS jsonb
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT p.spec FROM chat_rbac.protection p WHERE p.relation = $1;
END;
COMMENT ON FUNCTION chat_rbac.protection(regclass) IS 'The completed specification of a protected table; NULL if it is not protected.';

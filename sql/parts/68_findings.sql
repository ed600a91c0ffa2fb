/* ---- what is wrong with the protection of a table ---- */

/*
 * Findings are rows (severity, object, finding, fix): "error" where rows or
 * columns are open, changes are not recorded, or a table is of no use;
 * "warning" where somebody could bring that about; "notice" where it is only
 * slow or untidy.  The fix is SQL, or a sentence where it takes more than that.
 */

CREATE FUNCTION chat_rbac.protect_again(relation regclass) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT format('SELECT chat_rbac.protect(%L, chat_rbac.protection(%1$L));', relation);
END;
COMMENT ON FUNCTION chat_rbac.protect_again(regclass) IS 'Internal to doctor(): the call that makes again what protect() once made.';

CREATE FUNCTION chat_rbac.canonical_query(query text, owner regrole) RETURNS text
LANGUAGE C STABLE STRICT COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_canonical_query';
COMMENT ON FUNCTION chat_rbac.canonical_query(text, regrole) IS 'Internal to doctor(): how PostgreSQL writes a SELECT, which is not run. It is parsed as a role whose rights the caller has (else SQLSTATE 42501).';

CREATE FUNCTION chat_rbac.is_same_condition(relation regclass, a text, b text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE WHEN a IS NULL OR b IS NULL THEN a IS NULL AND b IS NULL
		ELSE chat_rbac.canonical_query(format('SELECT %s FROM %s', a, relation), c.relowner) = chat_rbac.canonical_query(format('SELECT %s FROM %s', b, relation), c.relowner) END
	FROM pg_class c WHERE c.oid = relation;
END;
COMMENT ON FUNCTION chat_rbac.is_same_condition(regclass, text, text) IS 'Internal to doctor(): do two texts say the same of a row of a table? NULL is like NULL only.';

CREATE FUNCTION chat_rbac.spec_names(relation regclass, spec jsonb) RETURNS TABLE (tab text, col text)
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT relation::text, v.name FROM (
		SELECT spec ->> 'org'
		UNION SELECT spec #>> '{parent,column}'
		UNION SELECT u.value FROM jsonb_each_text(spec -> 'units') AS u
		UNION SELECT coalesce(r.value ->> 'key', r.value #>> '{linked,key}') FROM jsonb_each(spec -> 'relations') AS r
		UNION SELECT t.key FROM jsonb_each(spec -> 'relations') AS r, jsonb_object_keys(r.value) AS t (key) WHERE NOT (r.value ? 'table' OR r.value ? 'linked')
		UNION SELECT a ->> 'column' FROM jsonb_array_elements(spec -> 'actions') AS a
		UNION SELECT a #>> '{}' FROM jsonb_path_query(spec -> 'audit', '$.*[*]') AS a
		UNION SELECT w.key FROM jsonb_object_keys(spec -> 'work') AS w (key)
		UNION SELECT t.key FROM jsonb_each(spec -> 'work') AS w, jsonb_object_keys(w.value) AS t (key)) AS v (name)
	WHERE v.name IS NOT NULL
	UNION ALL
	SELECT o.value ->> 'table', o.value ->> k.key
	FROM (SELECT spec -> 'parent' UNION ALL SELECT r.value FROM jsonb_each(spec -> 'relations') AS r UNION ALL SELECT r.value -> 'linked' FROM jsonb_each(spec -> 'relations') AS r) AS o (value),
		(VALUES ('row'), ('member'), ('column'), ('key'), ('org')) AS k (key)
	WHERE o.value ? 'table' AND o.value ? k.key
		/* whose columns these are: a parent's "column" is the child's, and a link table's "key" the table's own */
		AND (k.key <> 'column' OR o.value <> spec -> 'parent') AND (k.key <> 'key' OR o.value = spec -> 'parent');
END;
COMMENT ON FUNCTION chat_rbac.spec_names(regclass, jsonb) IS 'Internal to doctor(): the columns that a checked specification names, of its own table and of others.';

CREATE FUNCTION chat_rbac.part_findings(relation regclass) RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH part AS (
		SELECT c.oid::regclass AS id, c.relrowsecurity, c.relforcerowsecurity, c.oid = relation AS whole
		FROM chat_rbac.parts_of(relation) AS p JOIN pg_class c ON c.oid = p
	), wanted (name, function, type, missing) AS (VALUES
		('zz_chat_rbac_guard', 'chat_rbac.guard'::regproc, 31, 'writing is not guarded'),
		('00_chat_rbac_audit', 'chat_rbac.audit', 29, 'changes are not recorded'),
		('chat_rbac_truncate', 'chat_rbac.guard_truncate', 34, 'TRUNCATE is not guarded'),
		('00_chat_rbac_audit_truncate', 'chat_rbac.audit_truncate', 32, 'TRUNCATE is not recorded')
	), state AS (
		SELECT part.id, w.name, w.missing, t.oid AS trigger_id, t.tgenabled,
			t.tgfoid = w.function AND t.tgtype = w.type AND t.tgqual IS NULL AND t.tgattr = '' AS as_made
		FROM part CROSS JOIN wanted w LEFT JOIN pg_trigger t ON t.tgrelid = part.id AND t.tgname = w.name
	)
	SELECT 'error', part.id::text,
		CASE WHEN part.whole THEN 'row-level security is off' ELSE format('row-level security is off, so it is open to direct reads past that of %s', relation) END,
		format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', part.id)
	FROM part WHERE NOT part.relrowsecurity
	UNION ALL
	SELECT 'error', part.id::text, 'row-level security does not hold for the owner', format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', part.id)
	FROM part WHERE NOT part.relforcerowsecurity
	UNION ALL
	/* a partition is closed to direct reads because it has no policies of its own */
	SELECT 'error', part.id::text, format('policy "%s" opens it to direct reads past those of %s', l.polname, relation), format('DROP POLICY %I ON %s;', l.polname, part.id)
	FROM part JOIN pg_policy l ON l.polrelid = part.id WHERE l.polpermissive AND NOT part.whole
	UNION ALL
	SELECT 'error', s.id::text, CASE
			WHEN s.trigger_id IS NULL THEN format('%s: trigger "%s" is missing', s.missing, s.name)
			WHEN NOT s.as_made THEN format('%s: trigger "%s" is not the one that protect() made', s.missing, s.name)
			WHEN s.tgenabled = 'D' THEN format('%s: trigger "%s" is disabled', s.missing, s.name)
			ELSE format('trigger "%s" does not fire in every session: it is not ENABLE ALWAYS', s.name) END,
		CASE WHEN s.as_made THEN format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I;', s.id, s.name) ELSE chat_rbac.protect_again(relation) END
	FROM state s WHERE NOT coalesce(s.as_made AND s.tgenabled = 'A', false)
	UNION ALL
	SELECT 'warning', part.id::text, format('trigger "%s" fires after the guard, and what it changes is not checked', t.tgname),
		format('ALTER TRIGGER %I ON %s RENAME TO ...;  -- a name that comes earlier', t.tgname, part.id)
	FROM part JOIN pg_trigger t ON t.tgrelid = part.id
	WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgtype & 3 = 3 AND t.tgname::text COLLATE "C" > 'zz_chat_rbac_guard'
	UNION ALL
	SELECT 'error', c.oid::regclass::text, format('is a foreign table under %s, and PostgreSQL knows no policies on it', relation),
		'Revoke all privileges on it, or detach it.'
	FROM part JOIN pg_inherits i ON i.inhparent = part.id JOIN pg_class c ON c.oid = i.inhrelid
	WHERE c.relkind = 'f' AND EXISTS (SELECT FROM aclexplode(c.relacl) AS x WHERE x.grantee <> c.relowner);
END;
COMMENT ON FUNCTION chat_rbac.part_findings(regclass) IS 'Internal to doctor(): what is wrong with row-level security and triggers of a protected table, its partitions and children.';

CREATE FUNCTION chat_rbac.policy_findings(relation regclass, spec jsonb) RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE plpgsql STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	with_another text := format('SELECT chat_rbac.protect(%L, ...);  -- with a specification that fits', relation);
BEGIN
	/* not spec_check(): that tries literals, and runs what an owner may have made of a column's type */
	RETURN QUERY
	SELECT 'error', relation::text, CASE WHEN t.id IS NULL THEN format('its specification names table %s, which does not exist', n.tab)
			ELSE format('its specification names column "%s" of %s, which does not exist', n.col, n.tab) END, with_another
	FROM chat_rbac.spec_names(relation, spec) AS n CROSS JOIN LATERAL chat_rbac.table_named(n.tab) AS t (id)
	WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.id AND a.attname = n.col AND a.attnum > 0 AND NOT a.attisdropped);
	IF FOUND THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH wanted AS (
		SELECT * FROM chat_rbac.policies_of(relation, spec)
	), found AS (
		SELECT l.polname, l.polpermissive, l.polroles = '{0}' AS for_all,
			CASE l.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
			pg_get_expr(l.polqual, l.polrelid) AS using_text, pg_get_expr(l.polwithcheck, l.polrelid) AS check_text
		FROM pg_policy l WHERE l.polrelid = relation
	)
	SELECT 'error', relation::text,
		CASE WHEN f.polname IS NULL THEN format('policy "%s" is missing', w.name) ELSE format('policy "%s" is not the one that protect() made', w.name) END,
		chat_rbac.protect_again(relation)
	FROM wanted w LEFT JOIN found f ON f.polname = w.name
	WHERE NOT coalesce(f.for_all AND f.polpermissive = w.permissive AND f.command = w.command
		AND chat_rbac.is_same_condition(relation, f.using_text, w.using_text)
		AND chat_rbac.is_same_condition(relation, f.check_text, w.check_text), false)
	UNION ALL
	SELECT 'error', relation::text, format('policy "%s" also lets rows through', f.polname), format('DROP POLICY %I ON %s;', f.polname, relation)
	FROM found f
	WHERE f.polpermissive AND NOT EXISTS (SELECT FROM wanted w WHERE w.name = f.polname)
	UNION ALL
	SELECT 'error', relation::text, format('column "%s" of its parent %s is not unique, and a row of another org could be taken for the parent', p ->> 'key', p ->> 'table'),
		format('CREATE UNIQUE INDEX ON %s (%I);', p ->> 'table', p ->> 'key')
	FROM (SELECT spec -> 'parent') AS parent (p)
	WHERE p IS NOT NULL AND NOT spec ? 'org' AND NOT chat_rbac.spec_is_unique((p ->> 'table')::regclass, p ->> 'key');
EXCEPTION WHEN OTHERS THEN
	RETURN QUERY SELECT 'error', relation::text, 'its specification does not fit it: ' || SQLERRM, with_another;
END
$$;
COMMENT ON FUNCTION chat_rbac.policy_findings(regclass, jsonb) IS 'Internal to doctor(): policies of a protected table that are missing, altered, or not chat_rbac''s.';

CREATE FUNCTION chat_rbac.table_findings(relation regclass, spec jsonb) RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'notice', relation::text, 'the table does not exist any more', format('DELETE FROM chat_rbac.protection WHERE relation = %s;', relation::oid)
	WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation)
	UNION ALL
	SELECT f.* FROM pg_class c, chat_rbac.part_findings(relation) AS f WHERE c.oid = relation
	UNION ALL
	SELECT f.* FROM pg_class c, chat_rbac.policy_findings(relation, spec) AS f WHERE c.oid = relation;
END;
COMMENT ON FUNCTION chat_rbac.table_findings(regclass, jsonb) IS 'Internal to doctor() and the view protections: what is wrong with the protection of a table.';

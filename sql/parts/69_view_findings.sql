/* ---- what is wrong with a masked or audited view ---- */

CREATE FUNCTION chat_rbac.is_view_of(view regclass, query text, owner regrole) RETURNS boolean
LANGUAGE C STABLE STRICT COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_is_view_of';
COMMENT ON FUNCTION chat_rbac.is_view_of(regclass, text, regrole) IS 'Internal to doctor(): does a view show what a SELECT from one table does? The SELECT is parsed as a role whose rights the caller has (else SQLSTATE 42501).';

CREATE FUNCTION chat_rbac.view_findings(view chat_rbac.protected_view) RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE plpgsql STABLE ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	class pg_class := (SELECT c FROM pg_class c WHERE c.oid = $1.view);
	base pg_class := (SELECT c FROM pg_class c WHERE c.oid = $1.relation);
	reader pg_roles := (SELECT r FROM pg_roles r WHERE r.rolname = $1.spec ->> 'reader');
	protection jsonb := (SELECT p.spec FROM chat_rbac.protection p WHERE p.relation = $1.relation);
BEGIN
	IF class.oid IS NULL OR base.oid IS NULL THEN
		RETURN QUERY SELECT 'notice', $1.view::text, CASE WHEN base.oid IS NULL THEN 'the table does not exist any more' ELSE 'the view does not exist any more' END,
			format('DELETE FROM chat_rbac.protected_view WHERE view = %s;', $1.view::oid);
		RETURN;
	END IF;
	RETURN QUERY
	SELECT 'error', $1.view::text, 'it belongs to ' || pg_get_userbyid(class.relowner),
		format('ALTER VIEW %s OWNER TO %I;', $1.view, pg_get_userbyid(coalesce(reader.oid, base.relowner)))
	WHERE class.relowner <> coalesce(reader.oid, base.relowner)
	UNION ALL
	SELECT 'error', $1.view::text, 'it is no security barrier', format('ALTER VIEW %s SET (security_barrier = true);', $1.view)
	WHERE NOT $1.spec ? 'reader' AND NOT coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(class.reloptions) AS o WHERE o.option_name = 'security_barrier'), false)
	UNION ALL
	SELECT 'warning', $1.view::text, 'it passes restrictive policies by: ' || chat_rbac.passed_policies($1.relation), 'Make the view with a "reader".'
	WHERE NOT $1.spec ? 'reader' AND chat_rbac.passed_policies($1.relation) IS NOT NULL
	UNION ALL
	SELECT 'warning', $1.view::text, format('%s may read %s past it', p.reader, array_to_string(p.readable, ', ')), p.statement
	FROM chat_rbac.readers_past($1.relation, CASE WHEN $1.spec @> '{"audited": true}'
		THEN ARRAY(SELECT jsonb_array_elements_text($1.spec -> 'columns')::name) ELSE chat_rbac.hidden_columns($1.relation) END) AS p
	/* others may well read a table unrecorded, but not those for whom an audited view was made */
	WHERE p.readable && chat_rbac.hidden_columns($1.relation) OR p.reader = 'PUBLIC'
		OR p.reader IN (SELECT quote_ident(g) FROM jsonb_array_elements_text($1.spec -> 'grant') AS g);

	IF reader.rolsuper OR reader.rolbypassrls OR reader.rolcanlogin OR pg_has_role(reader.oid, base.relowner, 'MEMBER') THEN
		RETURN QUERY SELECT 'error', $1.view::text, format('role "%s" is more than a reader', reader.rolname),
			format('It must not log in, be a superuser, have BYPASSRLS, or be a member of %s.', pg_get_userbyid(base.relowner));
		RETURN;
	ELSIF chat_rbac.lost_masks($1.relation) IS NOT NULL THEN
		RETURN QUERY SELECT 'error', $1.view::text, 'a masked column has another name', format('SELECT chat_rbac.create_view(%L, ...);  -- with its name', $1.relation::text);
		RETURN;
	END IF;
	PERFORM chat_rbac.view_check($1.relation, protection, $1.spec);
	RETURN QUERY
	SELECT 'error', $1.view::text, 'its query is not the one that create_view() made', chat_rbac.protect_again($1.relation)
	WHERE NOT chat_rbac.is_view_of($1.view, chat_rbac.view_query($1.relation, protection, $1.spec, $1.gate), base.relowner);
EXCEPTION WHEN OTHERS THEN
	RETURN QUERY SELECT 'error', $1.view::text, 'its specification does not fit any more: ' || regexp_replace(SQLERRM, '^invalid specification: ', ''),
		format('SELECT chat_rbac.create_view(%L, ...);  -- with one that does', $1.relation::text);
END
$$;
COMMENT ON FUNCTION chat_rbac.view_findings(chat_rbac.protected_view) IS 'Internal to doctor() and the view protected_views: what is wrong with a view that create_view() made.';

CREATE FUNCTION chat_rbac.mask_findings(relation regclass, spec jsonb) RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'error', m.part::text, format('masked columns may be set by who may not see them: trigger "%s" is %s', m.name,
			CASE WHEN t.oid IS NULL THEN 'missing' WHEN NOT o.is_ours THEN 'not the one that create_view() made' ELSE 'not ENABLE ALWAYS' END),
		chat_rbac.protect_again(relation)
	FROM chat_rbac.mask_triggers(relation, spec) AS m LEFT JOIN pg_trigger t ON t.tgrelid = m.part AND t.tgname = m.name
	CROSS JOIN LATERAL (SELECT starts_with(pg_get_triggerdef(t.oid), m.statement || '(')
		AND t.tgargs = (SELECT string_agg(convert_to(a, getdatabaseencoding()) || decode('00', 'hex'), '' ORDER BY n) FROM unnest(m.arguments) WITH ORDINALITY AS u (a, n))) AS o (is_ours)
	WHERE NOT coalesce(t.tgenabled = 'A' AND o.is_ours, false);
END;
COMMENT ON FUNCTION chat_rbac.mask_findings(regclass, jsonb) IS 'Internal to doctor(): triggers of masked columns that are missing, altered or disabled.';

CREATE VIEW chat_rbac.protected_views AS
SELECT v.view, v.relation AS "table",
	(SELECT string_agg(format('%s: %s unless %s', m.key, m.value ->> 'with', m.value ->> 'lifted_by'), ', ' ORDER BY m.key)
	 FROM jsonb_each(v.spec -> 'masks') AS m) AS masks,
	v.spec @> '{"audited": true}' AS audited, v.spec ->> 'reader' AS reader,
	ARRAY(SELECT f.finding FROM chat_rbac.view_findings(v) AS f) AS problems
FROM chat_rbac.protected_view v;
COMMENT ON VIEW chat_rbac.protected_views IS 'Masked and audited views, and what is wrong with them: {} if nothing. Calling create_view() again puts the view right, and doctor() says what does so for privileges.';

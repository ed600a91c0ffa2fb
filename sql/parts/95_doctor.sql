/* ---- doctor(): whatever weakens protection ---- */

/*
 * What the extension has made for itself is compared with how it was on the
 * day it was installed.  Only marks that read the same in every version of
 * PostgreSQL are looked at, because pg_upgrade takes installed_object along.
 */

CREATE VIEW chat_rbac.own_object AS
WITH member AS (
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'chat_rbac'
), own_table AS (
	SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition	/* see trail_findings() */
)
SELECT 'function' AS kind, format('chat_rbac.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
	jsonb_build_object('leakproof', p.proleakproof, 'volatility', p.provolatile, 'strict', p.proisstrict, 'parallel', p.proparallel,
		'security definer', p.prosecdef, 'settings', p.proconfig, 'support function', p.prosupport <> 0, 'body', md5(concat_ws(' ', p.probin, p.prosrc))) AS marks
FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
UNION ALL
SELECT 'table', format('chat_rbac.%I', c.relname), jsonb_build_object('row security', c.relrowsecurity, 'forced row security', c.relforcerowsecurity)
FROM own_table c
UNION ALL
SELECT 'trigger', format('%I on table chat_rbac.%I', t.tgname, c.relname),
	jsonb_build_object('enabled', t.tgenabled, 'function', p.proname, 'type', t.tgtype, 'condition', t.tgqual IS NOT NULL, 'columns', t.tgattr::text)
FROM pg_trigger t JOIN own_table c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgparentid = 0
UNION ALL
SELECT 'event trigger', quote_ident(t.evtname), jsonb_build_object('enabled', t.evtenabled, 'function', p.proname, 'event', t.evtevent, 'tags', t.evttags)
FROM pg_event_trigger t JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid JOIN pg_proc p ON p.oid = t.evtfoid
UNION ALL
SELECT 'policy', format('%I on table chat_rbac.%I', l.polname, c.relname),
	jsonb_build_object('permissive', l.polpermissive, 'command', l.polcmd, 'for all', l.polroles = '{0}',
		'condition', md5(concat_ws(' ', pg_get_expr(l.polqual, l.polrelid), pg_get_expr(l.polwithcheck, l.polrelid))))
FROM pg_policy l JOIN own_table c ON c.oid = l.polrelid;
COMMENT ON VIEW chat_rbac.own_object IS 'Internal to doctor(): the extension''s own functions, tables, triggers and policies, with what they are worth nothing without.';

CREATE TABLE chat_rbac.installed_object (
	kind	text NOT NULL,
	name	text NOT NULL,
	marks	jsonb NOT NULL,
	PRIMARY KEY (kind, name)
);
ALTER TABLE chat_rbac.installed_object ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON TABLE chat_rbac.installed_object IS 'Internal to doctor(): own_object as it was when the extension was installed or updated.';
CREATE TRIGGER administer_truncate BEFORE TRUNCATE ON chat_rbac.installed_object
	FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.administer_truncate();
ALTER TABLE chat_rbac.installed_object ENABLE ALWAYS TRIGGER administer_truncate;

CREATE FUNCTION chat_rbac.library_version() RETURNS text
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_library_version';
COMMENT ON FUNCTION chat_rbac.library_version() IS 'The version of the library that this session has loaded; that of the SQL objects is pg_extension.extversion.';

CREATE FUNCTION chat_rbac.is_preloaded(libraries text) RETURNS boolean
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT coalesce(libraries ~ '(^|[,/"\s])chat_rbac(\.so)?($|[,"\s])', false);
END;
COMMENT ON FUNCTION chat_rbac.is_preloaded(text) IS 'Internal to doctor(): is the library in a list of libraries to load?';

CREATE FUNCTION chat_rbac.server_findings() RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'error', 'extension chat_rbac', format('it is at version %s, its library at %s, so all is refused', e.extversion, chat_rbac.library_version()),
		'ALTER EXTENSION chat_rbac UPDATE;  -- after a new library; new sessions have it'
	FROM pg_extension e WHERE e.extname = 'chat_rbac' AND e.extversion <> chat_rbac.library_version()
	UNION ALL
	SELECT 'error', 'setting session_preload_libraries', 'sessions do not load the library at their start, so COPY and audited reads pass unseen, or are refused, until something else loads it',
		'ALTER SYSTEM SET session_preload_libraries = ''chat_rbac''; SELECT pg_reload_conf();'
	WHERE NOT EXISTS (SELECT FROM pg_settings s WHERE s.name IN ('session_preload_libraries', 'shared_preload_libraries') AND chat_rbac.is_preloaded(s.reset_val))
	UNION ALL
	SELECT 'error', 'setting event_triggers', 'event triggers are off, so partitions that protected tables get stay open', 'ALTER SYSTEM RESET event_triggers; SELECT pg_reload_conf();'
	FROM pg_settings s WHERE s.name = 'event_triggers' AND s.reset_val = 'off'		-- from PostgreSQL 17 on
	UNION ALL
	SELECT 'error', concat_ws(' in ', 'role ' || quote_ident(r.rolname), 'database ' || quote_ident(d.datname)),
		CASE v.name WHEN 'event_triggers' THEN 'its sessions have event triggers off, so partitions that protected tables get there stay open'
			ELSE 'its sessions do not load the library at their start: ' || setting END,
		format('ALTER ROLE %s%s RESET %s;', coalesce(quote_ident(r.rolname), 'ALL'), coalesce(' IN DATABASE ' || quote_ident(d.datname), ''), v.name)
	FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS setting
	CROSS JOIN LATERAL (SELECT split_part(setting, '=', 1), split_part(setting, '=', 2)) AS v (name, value)
	LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
	WHERE coalesce(d.datname = current_database(), true)
		AND CASE v.name WHEN 'event_triggers' THEN NOT v.value::boolean
			WHEN 'session_preload_libraries' THEN NOT chat_rbac.is_preloaded(v.value)
				AND NOT EXISTS (SELECT FROM pg_settings g WHERE g.name = 'shared_preload_libraries' AND chat_rbac.is_preloaded(g.reset_val)) END;
END;
COMMENT ON FUNCTION chat_rbac.server_findings() IS 'Internal to doctor(): versions, and whether sessions load the library and have event triggers.';

CREATE FUNCTION chat_rbac.object_findings() RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'error', i.kind || ' ' || i.name, 'it is missing', 'Restore the database, or drop the extension and create it again.'
	FROM chat_rbac.installed_object i
	WHERE NOT EXISTS (SELECT FROM chat_rbac.own_object o WHERE o.kind = i.kind AND o.name = i.name)
	UNION ALL
	SELECT CASE m.key WHEN 'leakproof' THEN 'warning' ELSE 'error' END, i.kind || ' ' || i.name,
		CASE WHEN m.key = 'leakproof' THEN 'it has lost the mark LEAKPROOF, so policies cannot use indexes'
			WHEN m.key IN ('body', 'condition', 'function') THEN 'it is not the one that was installed'
			ELSE format('its mark "%s" is %s, and was %s', m.key, o.marks -> m.key, m.value) END,
		CASE m.key WHEN 'leakproof' THEN format('ALTER FUNCTION %s LEAKPROOF;', i.name)
			WHEN 'row security' THEN format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', i.name)
			WHEN 'forced row security' THEN format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', i.name)
			WHEN 'enabled' THEN CASE i.kind WHEN 'event trigger' THEN format('ALTER EVENT TRIGGER %s ENABLE ALWAYS;', i.name)
				ELSE format('ALTER TABLE %s ENABLE %sTRIGGER %s;', split_part(i.name, ' on table ', 2), CASE m.value #>> '{}' WHEN 'A' THEN 'ALWAYS ' END, split_part(i.name, ' on table ', 1)) END
			ELSE 'Put it back as the install script has it.' END
	FROM chat_rbac.installed_object i JOIN chat_rbac.own_object o ON o.kind = i.kind AND o.name = i.name
	CROSS JOIN LATERAL jsonb_each(i.marks) AS m
	WHERE o.marks -> m.key IS DISTINCT FROM m.value
	UNION ALL
	SELECT 'error', 'policy ' || o.name, 'it is not the extension''s', format('DROP POLICY %s ON %s;', split_part(o.name, ' on table ', 1), split_part(o.name, ' on table ', 2))
	FROM chat_rbac.own_object o
	WHERE o.kind = 'policy' AND NOT EXISTS (SELECT FROM chat_rbac.installed_object i WHERE i.kind = o.kind AND i.name = o.name)
	UNION ALL
	SELECT 'error', a.name, format('PUBLIC has %s on it, which it had not when it was installed', a.privilege_type), format('REVOKE %s ON %s FROM PUBLIC;', a.privilege_type, a.name)
	FROM (
		SELECT 'FUNCTION ' || p.oid::regprocedure, 'pg_proc'::regclass, p.oid, coalesce(p.proacl, acldefault('f', p.proowner)), acldefault('f', p.proowner)
		FROM pg_proc p WHERE p.pronamespace = 'chat_rbac'::regnamespace
		UNION ALL
		SELECT c.oid::regclass::text, 'pg_class', c.oid, c.relacl, NULL FROM pg_class c WHERE c.relnamespace = 'chat_rbac'::regnamespace
		UNION ALL
		SELECT 'SCHEMA chat_rbac', 'pg_namespace', n.oid, n.nspacl, NULL FROM pg_namespace n WHERE n.nspname = 'chat_rbac'
	) AS o (name, class, id, acl, acl_default)
	LEFT JOIN pg_init_privs i ON i.classoid = o.class AND i.objoid = o.id AND i.objsubid = 0
	CROSS JOIN LATERAL (
		SELECT o.name, x.privilege_type FROM aclexplode(o.acl) AS x WHERE x.grantee = 0
		EXCEPT SELECT o.name, x.privilege_type FROM aclexplode(coalesce(i.initprivs, o.acl_default)) AS x WHERE x.grantee = 0) AS a;
END;
COMMENT ON FUNCTION chat_rbac.object_findings() IS 'Internal to doctor(): the extension''s own functions, tables, triggers, policies and privileges that are not as they were installed.';

CREATE FUNCTION chat_rbac.other_view_findings() RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	/* whatever reads a protected table, at any depth; what create_view() made says the rules itself */
	WITH RECURSIVE reading (view, relation) AS (
		SELECT part::oid, p.relation FROM chat_rbac.protection p, chat_rbac.parts_of(p.relation) AS part
		UNION
		SELECT r.ev_class, g.relation
		FROM reading g JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = g.view AND d.classid = 'pg_rewrite'::regclass
		JOIN pg_rewrite r ON r.oid = d.objid
		WHERE NOT EXISTS (SELECT FROM chat_rbac.protected_view v WHERE v.view = r.ev_class)
	)
	SELECT CASE WHEN c.relkind = 'm' OR o.rolsuper OR o.rolbypassrls THEN 'error' ELSE 'warning' END, c.oid::regclass::text,
		CASE WHEN c.relkind = 'm' THEN format('a materialized view shows rows of %s to all who may read it', t.tables)
			ELSE format('it reads %s with the rights of its owner, %s%s', t.tables, o.rolname, CASE WHEN o.rolsuper OR o.rolbypassrls THEN ', for whom no policy holds' END) END,
		CASE WHEN c.relkind = 'm' THEN format('DROP MATERIALIZED VIEW %s;', c.oid::regclass) ELSE format('ALTER VIEW %s SET (security_invoker = true);', c.oid::regclass) END
	FROM (SELECT g.view, string_agg(DISTINCT g.relation::text, ', ') AS tables FROM reading g GROUP BY g.view) AS t
	JOIN pg_class c ON c.oid = t.view JOIN pg_roles o ON o.oid = c.relowner
	WHERE c.relkind = 'm' OR (c.relkind = 'v'
		AND NOT coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) AS o WHERE o.option_name = 'security_invoker'), false));
END;
COMMENT ON FUNCTION chat_rbac.other_view_findings() IS 'Internal to doctor(): views over protected tables that do not ask as who reads them.';

CREATE FUNCTION chat_rbac.role_findings() RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE tab AS (
		SELECT c.oid, c.relacl, c.relowner FROM chat_rbac.protection p, chat_rbac.parts_of(p.relation) AS part JOIN pg_class c ON c.oid = part
		UNION
		SELECT c.oid, c.relacl, c.relowner FROM chat_rbac.protected_view v JOIN pg_class c ON c.oid = v.view
	), worker (oid) AS (
		/* who has been given something on a protected table, may say for whom they ask, or is a member by login; and members of these */
		SELECT x.grantee FROM tab CROSS JOIN LATERAL aclexplode(tab.relacl) AS x WHERE x.grantee <> tab.relowner
		UNION
		SELECT x.grantee FROM tab JOIN pg_attribute a ON a.attrelid = tab.oid CROSS JOIN LATERAL aclexplode(a.attacl) AS x WHERE x.grantee <> tab.relowner
		UNION
		SELECT x.grantee FROM pg_parameter_acl l CROSS JOIN LATERAL aclexplode(l.paracl) AS x WHERE l.parname = 'chat_rbac.identity'
		UNION
		SELECT r.oid FROM chat_rbac.member m JOIN pg_roles r ON r.oid = m.login
		UNION
		SELECT m.member FROM worker w JOIN pg_auth_members m ON m.roleid = w.oid
	), login AS (
		/* initdb's own superuser is in a default grant of every setting */
		SELECT r.* FROM worker w JOIN pg_roles r ON r.oid = w.oid WHERE r.rolcanlogin AND r.oid <> 10
	)
	SELECT 'error', 'role ' || quote_ident(l.rolname), CASE WHEN l.rolsuper THEN 'works with protected tables and is a superuser, for whom no policy holds' ELSE 'works with protected tables and has BYPASSRLS' END,
		format('ALTER ROLE %I %s;', l.rolname, CASE WHEN l.rolsuper THEN 'NOSUPERUSER' ELSE 'NOBYPASSRLS' END)
	FROM login l WHERE l.rolsuper OR l.rolbypassrls
	UNION ALL
	SELECT 'error', 'role ' || quote_ident(l.rolname), format('works with protected tables and may become %s, %s', b.rolname,
			CASE WHEN b.rolsuper THEN 'a superuser' WHEN b.rolbypassrls THEN 'which has BYPASSRLS' ELSE 'by which it reads or writes the server''s files' END),
		chat_rbac.revocations(b.oid, l.oid)
	FROM login l JOIN pg_roles b ON b.oid <> l.oid AND pg_has_role(l.oid, b.oid, 'MEMBER')
		AND (b.rolsuper OR b.rolbypassrls OR b.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
	WHERE NOT l.rolsuper
	UNION ALL
	SELECT 'warning', 'role ' || quote_ident(l.rolname), format('works with protected tables and may take the protection off %s as %s', string_agg(tab.oid::regclass::text, ', ' ORDER BY tab.oid::regclass::text),
			CASE WHEN o.oid = l.oid THEN 'their owner' ELSE 'their owner, ' || o.rolname END),
		CASE WHEN o.oid <> l.oid THEN chat_rbac.revocations(o.oid, l.oid) ELSE 'Let a role own them that nobody logs in as.' END
	FROM login l JOIN tab ON pg_has_role(l.oid, tab.relowner, 'MEMBER') JOIN pg_roles o ON o.oid = tab.relowner
	WHERE NOT l.rolsuper AND NOT o.rolsuper
	GROUP BY l.rolname, l.oid, o.rolname, o.oid
	UNION ALL
	SELECT 'warning', 'role ' || quote_ident(l.rolname), 'works with protected tables and has REPLICATION, by which all rows can be read', format('ALTER ROLE %I NOREPLICATION;', l.rolname)
	FROM login l WHERE l.rolreplication AND NOT l.rolsuper
	UNION ALL
	SELECT 'warning', 'role ' || quote_ident(l.rolname), 'works with protected tables and has CREATEROLE, by which it may become their owner', format('ALTER ROLE %I NOCREATEROLE;', l.rolname)
	FROM login l WHERE l.rolcreaterole AND NOT l.rolsuper AND current_setting('server_version_num')::int < 160000
	UNION ALL
	SELECT 'notice', format('member %s/%s', m.org_id, m.member_id), format('its login is role %s, which does not exist any more', m.login),
		format('UPDATE chat_rbac.member SET login = NULL WHERE (org_id, member_id) = (%s, %s);', m.org_id, m.member_id)
	FROM chat_rbac.member m WHERE m.login IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = m.login)
	UNION ALL
	SELECT CASE WHEN x.grantee = 0 THEN 'error' ELSE 'warning' END, 'setting ' || l.parname,
		CASE WHEN l.parname = 'chat_rbac.identity' THEN 'everybody may say that they are somebody else'
			ELSE format('%s may change it%s', CASE WHEN x.grantee = 0 THEN 'everybody' ELSE x.grantee::regrole::text END, o.effect) END,
		format('REVOKE %s ON PARAMETER %s FROM %s;', x.privilege_type, l.parname, CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END)
	FROM pg_parameter_acl l CROSS JOIN LATERAL aclexplode(l.paracl) AS x
	LEFT JOIN (VALUES ('event_triggers', ', so that new partitions stay open, and others than owners make triggers'),
		('session_preload_libraries', ', so that COPY passes unseen'),
		('session_replication_role', ', so that foreign keys and the inbox''s own checks are not looked at')) AS o (parname, effect) ON o.parname = l.parname
	WHERE (starts_with(l.parname, 'chat_rbac.') OR o.parname IS NOT NULL) AND x.grantee <> 10 AND (l.parname <> 'chat_rbac.identity' OR x.grantee = 0)
		AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = x.grantee AND r.rolsuper);
END;
COMMENT ON FUNCTION chat_rbac.role_findings() IS 'Internal to doctor(): roles that work with protected tables and are past their policies, or could take them off.';

CREATE FUNCTION chat_rbac.trail_findings() RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE sql STABLE ROWS 1
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH part AS (
		SELECT c.* FROM chat_rbac.parts_of('chat_rbac.audit_event') AS p JOIN pg_class c ON c.oid = p WHERE c.oid <> 'chat_rbac.audit_event'::regclass
	)
	SELECT 'error', part.oid::regclass::text, 'this part of the audit trail is open to direct reads', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', part.oid::regclass)
	FROM part WHERE NOT (part.relrowsecurity AND part.relforcerowsecurity)
	UNION ALL
	SELECT 'error', part.oid::regclass::text, format('policy "%s" opens this part of the audit trail', l.polname), format('DROP POLICY %I ON %s;', l.polname, part.oid::regclass)
	FROM part JOIN pg_policy l ON l.polrelid = part.oid
	UNION ALL
	SELECT 'error', part.oid::regclass::text, 'this part of the audit trail can be changed: no trigger refuses it', 'SELECT chat_rbac.audit_maintain();'
	FROM part WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = part.oid AND t.tgname = 'refuse_tampering_stmt' AND t.tgenabled = 'A'
		AND t.tgfoid = 'chat_rbac.refuse_tampering'::regproc AND t.tgqual IS NULL)
	UNION ALL
	SELECT 'warning', 'chat_rbac.audit_event', format('events of more than a day ago are not sealed%s', ', the last seal is of ' || (SELECT max(b.sealed_at) FROM chat_rbac.audit_block b)),
		'SELECT chat_rbac.audit_seal();  -- by a job, every hour or day'
	WHERE EXISTS (SELECT FROM chat_rbac.audit_incarnation i
		CROSS JOIN LATERAL (SELECT FROM chat_rbac.audit_event e LEFT JOIN (
				SELECT b.upto_xid, b.upto_event FROM chat_rbac.audit_block b WHERE b.incarnation = i.incarnation ORDER BY b.block_no DESC LIMIT 1) AS s ON true
			WHERE e.incarnation = i.incarnation AND e.at < now() - interval '1 day'
				AND ((e.xid, e.event_id) < (s.upto_xid, s.upto_event)) IS NOT TRUE LIMIT 1) AS late)
	UNION ALL
	SELECT 'notice', 'chat_rbac.audit_event_default', 'it holds events of months ago, which no partition is for', 'SELECT chat_rbac.audit_maintain();  -- by a job, every week or month'
	WHERE EXISTS (SELECT FROM chat_rbac.audit_event_default e WHERE e.at < now() - interval '35 days');
END;
COMMENT ON FUNCTION chat_rbac.trail_findings() IS 'Internal to doctor(): parts of the audit trail that are open, and events that nobody has sealed or sorted into months.';

CREATE FUNCTION chat_rbac.doctor() RETURNS TABLE (severity text, object text, finding text, fix text)
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off	/* many joins over small catalogs: compiling them takes longer than all else */
AS $$
#variable_conflict use_column
BEGIN
	IF row_security_active('chat_rbac.member') THEN
		RAISE EXCEPTION 'doctor() must see all rows'
			USING ERRCODE = 'insufficient_privilege', HINT = 'Run it as a superuser, or as a role with BYPASSRLS and privileges on the tables of chat_rbac.';
	END IF;
	RETURN QUERY SELECT * FROM chat_rbac.server_findings();
	IF FOUND AND chat_rbac.library_version() <> (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'chat_rbac') THEN
		RETURN;		-- the rest would ask this library about what another one made
	END IF;
	RETURN QUERY SELECT f.* FROM (
		SELECT * FROM chat_rbac.object_findings()
		UNION ALL
		SELECT f.* FROM chat_rbac.protection p, chat_rbac.table_findings(p.relation, p.spec) AS f
		UNION ALL
		SELECT f.* FROM chat_rbac.protection p JOIN pg_class c ON c.oid = p.relation, chat_rbac.mask_findings(p.relation, p.spec) AS f
		UNION ALL
		SELECT f.* FROM chat_rbac.protected_view v, chat_rbac.view_findings(v) AS f
		UNION ALL
		SELECT * FROM chat_rbac.other_view_findings()
		UNION ALL
		SELECT * FROM chat_rbac.role_findings()
		UNION ALL
		SELECT * FROM chat_rbac.trail_findings()
		UNION ALL
		SELECT 'notice', p.relation::text, 'no index serves ' || h.purpose, h.statement
		FROM chat_rbac.protection p JOIN pg_class c ON c.oid = p.relation, chat_rbac.index_hints(p.relation, p.spec) AS h) AS f (severity, object, finding, fix)
	ORDER BY array_position('{error,warning,notice}', f.severity), f.object, f.finding;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.doctor() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.doctor() IS 'Whatever weakens protection in this database, worst first; no rows if nothing does. severity: error where rows or columns are open, changes are not recorded, or a table is of no use; warning where somebody could bring that about; notice where it is only slow or untidy. fix: SQL, or what to do. SQLSTATE 42501 for who does not see all rows.';

INSERT INTO chat_rbac.installed_object SELECT * FROM chat_rbac.own_object;

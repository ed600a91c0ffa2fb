-- All that the extension is in this database, a line for each thing: what an update
-- leaves must be what a new installation makes.  Not told: numbers, and the order in which
-- columns came.
WITH member AS (
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'chat_rbac' AND d.deptype = 'e'
), relation AS (
	SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
), told (what) AS (
	SELECT concat_ws(' ', 'object', pg_describe_object(m.classid, m.objid, 0), obj_description(m.objid, m.classid::regclass::name)) FROM member m
	UNION ALL
	SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.proowner::regrole, p.proacl, p.proleakproof, p.proisstrict, p.provolatile, p.proparallel, p.procost, p.prorows, p.prosecdef,
		p.proconfig, p.prosupport, p.prokind, md5(CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END))
	FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL
	SELECT concat_ws(' ', 'relation', c.oid::regclass, c.relkind, c.relowner::regrole, c.relacl, c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relpersistence, c.relreplident,
		pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'v' THEN md5(pg_get_viewdef(c.oid)) END) FROM relation c
	UNION ALL
	SELECT concat_ws(' ', 'column', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attacl,
		pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
	FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	UNION ALL
	SELECT concat_ws(' ', 'constraint', c.oid::regclass, k.conname, k.convalidated, pg_get_constraintdef(k.oid)) FROM relation c JOIN pg_constraint k ON k.conrelid = c.oid
		AND k.contype <> 'n'	-- columns say so; from 18 on these have names, and pg_upgrade gives others
	UNION ALL
	SELECT concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid) FROM relation c JOIN pg_index i ON i.indrelid = c.oid
	UNION ALL
	SELECT concat_ws(' ', 'trigger', c.oid::regclass, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid)) FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
	UNION ALL
	SELECT concat_ws(' ', 'policy', c.oid::regclass, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
	FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
	UNION ALL
	SELECT concat_ws(' ', 'sequence', s.seqrelid::regclass, s.seqtypid::regtype, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle) FROM pg_sequence s JOIN relation c ON c.oid = s.seqrelid
	UNION ALL
	SELECT concat_ws(' ', 'type', t.oid::regtype, t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typowner::regrole, t.typacl)
	FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	UNION ALL
	SELECT concat_ws(' ', 'operator', o.oid::regoperator, o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator, o.oprrest, o.oprjoin, o.oprcanhash, o.oprcanmerge)
	FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
	UNION ALL
	SELECT concat_ws(' ', 'cast', c.castsource::regtype, c.casttarget::regtype, c.castfunc::regprocedure, c.castcontext, c.castmethod) FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
	UNION ALL
	SELECT concat_ws(' ', 'of an operator family', f.opfname, a.amopstrategy, a.amopopr::regoperator) FROM pg_opfamily f JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.objid = f.oid JOIN pg_amop a ON a.amopfamily = f.oid
	UNION ALL
	SELECT concat_ws(' ', 'of an operator family', f.opfname, a.amprocnum, a.amproc) FROM pg_opfamily f JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.objid = f.oid JOIN pg_amproc a ON a.amprocfamily = f.oid
	UNION ALL
	SELECT concat_ws(' ', 'aggregate', a.aggfnoid, a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggtranstype::regtype, a.agginitval) FROM pg_aggregate a JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = a.aggfnoid
	UNION ALL
	SELECT concat_ws(' ', 'event trigger', t.evtname, t.evtevent, t.evtfoid::regproc, t.evtenabled, t.evttags, t.evtowner::regrole) FROM pg_event_trigger t JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = t.oid
	UNION ALL
	SELECT concat_ws(' ', 'schema', n.nspname, n.nspowner::regrole, n.nspacl) FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
	UNION ALL
	SELECT concat_ws(' ', 'dumped', c.tab::regclass, quote_literal(c.condition)) FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS c (tab, condition) WHERE e.extname = 'chat_rbac'
	UNION ALL
	SELECT concat_ws(' ', 'known', k.name, k.description, k.builtin) FROM chat_rbac.known_permission k
	UNION ALL
	SELECT concat_ws(' ', 'version', e.extversion, e.extowner::regrole, e.extrelocatable) FROM pg_extension e WHERE e.extname = 'chat_rbac'
)
SELECT what FROM told ORDER BY what COLLATE "C";

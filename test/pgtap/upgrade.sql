--
-- What pg_upgrade asks of us.  It takes an extension along object by object, functions
-- before operator classes.  A body that is parsed when its function is made (BEGIN ATOMIC)
-- must need none of ours then: no DISTINCT, GROUP BY, ORDER BY or UNION of permissions.
-- Nor must a view that such a function reads.  Bodies that are strings may.
-- scripts/pg-upgrade.sh does it in earnest.
--
BEGIN;
SELECT plan(4);

SELECT chat_rbac.create_inbox('upgrade_inbox') \g /dev/null

CREATE VIEW pg_temp.parsed AS
WITH RECURSIVE ours (schema) AS (
    VALUES ('chat_rbac'::regnamespace), ('upgrade_inbox'::regnamespace)
), needed (classid, objid) AS (
    SELECT 'pg_proc'::regclass::oid, p.oid FROM pg_proc p JOIN ours ON p.pronamespace = ours.schema WHERE p.prosqlbody IS NOT NULL
    UNION
    SELECT d.refclassid, d.refobjid FROM needed n
      LEFT JOIN pg_rewrite r ON n.classid = 'pg_class'::regclass AND r.ev_class = n.objid
      JOIN pg_depend d ON (d.classid, d.objid) = (n.classid, n.objid) OR (d.classid, d.objid) = ('pg_rewrite'::regclass, r.oid)
      JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND c.oid = d.refobjid AND c.relkind = 'v')
SELECT pg_describe_object(n.classid, n.objid, 0) AS what, coalesce(p.prosqlbody::text, r.ev_action::text) AS tree
  FROM needed n LEFT JOIN pg_proc p ON n.classid = 'pg_proc'::regclass AND p.oid = n.objid
  LEFT JOIN pg_rewrite r ON n.classid = 'pg_class'::regclass AND r.ev_class = n.objid;
CREATE FUNCTION pg_temp.too_early() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT DISTINCT p.what FROM pg_temp.parsed p, regexp_matches(p.tree, ':(?:eqop|sortop) ([0-9]+)', 'g') AS m
      JOIN pg_operator o ON o.oid = m[1]::oid AND o.oprnamespace = 'chat_rbac'::regnamespace
$$;

SELECT cmp_ok((SELECT count(*) FROM pg_temp.parsed), '>', 50::bigint, 'there are bodies that are parsed early');
SELECT is_empty('SELECT * FROM pg_temp.too_early()', 'none of them needs an operator class of ours');
CREATE FUNCTION upgrade_inbox.early() RETURNS SETOF chat_rbac.permission LANGUAGE sql BEGIN ATOMIC SELECT DISTINCT name FROM chat_rbac.known_permission; END;
CREATE FUNCTION upgrade_inbox.reads() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM chat_rbac.effective_permissions; END;
SELECT set_eq('SELECT * FROM pg_temp.too_early()', ARRAY['function upgrade_inbox.early()', 'view chat_rbac.effective_permissions'], 'one that does is found, and a view that one reads');

-- types that pg_upgrade refuses in columns, as their numbers are not kept
SELECT is_empty($$SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace::regnamespace::text IN ('chat_rbac', 'upgrade_inbox') AND c.relkind IN ('r', 'p', 'i') AND a.attnum > 0 AND NOT a.attisdropped
      AND replace(format_type(a.atttypid, NULL), '[]', '') IN ('regcollation', 'regconfig', 'regdictionary', 'regnamespace', 'regoper', 'regoperator', 'regproc', 'regprocedure', 'sql_identifier', 'aclitem')$$,
    'no column is of a type that pg_upgrade refuses');

SELECT * FROM finish();
ROLLBACK;

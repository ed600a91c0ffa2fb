/* ---- partitions that come later ---- */

CREATE FUNCTION chat_rbac.guard_new_parts() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part regclass;
BEGIN
	/* who makes a partition need not have rights on our tables, so this has its owner's */
	FOR part IN
		WITH RECURSIVE up (relid) AS (
			SELECT d.objid FROM pg_event_trigger_ddl_commands() AS d WHERE d.classid = 'pg_class'::regclass
			UNION
			SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.relid)
		SELECT DISTINCT r.part FROM up JOIN chat_rbac.protection p ON p.relation = up.relid
		CROSS JOIN LATERAL chat_rbac.parts_of(p.relation) AS r (part)
		JOIN pg_class c ON c.oid = r.part
		WHERE r.part <> p.relation AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
			SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'chat_rbac_truncate' AND t.tgenabled = 'A'))
	LOOP
		PERFORM chat_rbac.guard_part(part);
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.guard_new_parts() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.guard_new_parts() IS 'Event trigger: a partition or child that a protected table gets is closed in the same command, whoever makes it.';

CREATE EVENT TRIGGER chat_rbac_new_parts ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
	EXECUTE FUNCTION chat_rbac.guard_new_parts();
ALTER EVENT TRIGGER chat_rbac_new_parts ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER chat_rbac_new_parts IS 'Closes partitions and children that a protected table gets.';

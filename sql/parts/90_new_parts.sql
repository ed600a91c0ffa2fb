/* ---- partitions that come later ---- */

CREATE FUNCTION chat_rbac.guard_new_parts() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new record;
BEGIN
	/* who makes a partition need not have rights on our tables, so this has its owner's */
	FOR new IN
		WITH RECURSIVE up (tab, relid) AS (
			SELECT d.objid, d.objid FROM pg_event_trigger_ddl_commands() AS d WHERE d.classid = 'pg_class'::regclass
			UNION
			SELECT up.tab, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.relid)
		SELECT DISTINCT r.part, p.relation, p.spec FROM up JOIN chat_rbac.protection p ON p.relation = up.relid
		CROSS JOIN LATERAL chat_rbac.parts_of(up.tab) AS r (part)	-- not all of a tree for each of its many tables
		JOIN pg_class c ON c.oid = r.part
		WHERE r.part <> p.relation
			/* while a dump is restored, triggers come by themselves, and policies last */
			AND EXISTS (SELECT FROM pg_policy l WHERE l.polrelid = p.relation AND l.polname = 'chat_rbac_select')
			AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
			SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'chat_rbac_truncate' AND t.tgenabled = 'A'))
	LOOP
		PERFORM chat_rbac.guard_part(new.part), chat_rbac.add_mask_triggers(new.relation, new.spec, new.part);
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.guard_new_parts() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.guard_new_parts() IS 'Event trigger: a partition or child that a protected table gets is closed in the same command, whoever makes it.';

CREATE FUNCTION chat_rbac.refuse_triggers() RETURNS event_trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tab regclass;
BEGIN
	/* for PostgreSQL the privilege TRIGGER is enough, which GRANT ALL gives; here it would be enough to take the guard off */
	FOR tab IN
		WITH RECURSIVE up (tab, relid) AS (
			SELECT t.tgrelid, t.tgrelid FROM pg_event_trigger_ddl_commands() AS d JOIN pg_trigger t ON t.oid = d.objid
			WHERE d.classid = 'pg_trigger'::regclass AND NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = t.tgrelid), 'USAGE')
			UNION
			SELECT up.tab, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.relid)
		SELECT up.tab FROM up JOIN pg_class c ON c.oid = up.relid
		WHERE c.relnamespace = 'chat_rbac'::regnamespace OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'chat_rbac_select') LOOP
		RAISE EXCEPTION 'must be owner of protected table % to create a trigger on it', tab USING ERRCODE = 'insufficient_privilege';
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.refuse_triggers() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.refuse_triggers() IS 'Event trigger: only the owner of a protected table, or of one of ours, makes triggers on it (SQLSTATE 42501), whoever holds the privilege TRIGGER.';

CREATE EVENT TRIGGER chat_rbac_triggers ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER')
	EXECUTE FUNCTION chat_rbac.refuse_triggers();
ALTER EVENT TRIGGER chat_rbac_triggers ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER chat_rbac_triggers IS 'Only owners make triggers on protected tables.';

CREATE EVENT TRIGGER chat_rbac_new_parts ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE SCHEMA', 'ALTER TABLE')
	EXECUTE FUNCTION chat_rbac.guard_new_parts();
ALTER EVENT TRIGGER chat_rbac_new_parts ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER chat_rbac_new_parts IS 'Closes partitions and children that a protected table gets.';

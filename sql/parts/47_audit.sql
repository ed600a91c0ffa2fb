/* ---- the audit trail: what writes it ---- */

CREATE FUNCTION chat_rbac.audit() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_audit';
COMMENT ON FUNCTION chat_rbac.audit() IS 'Trigger, after a change of a row: records it in chat_rbac.audit_event, under the permissions that its table''s specification requires for such a change. protect() makes it.';

CREATE FUNCTION chat_rbac.audit_truncate() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_audit_truncate';
COMMENT ON FUNCTION chat_rbac.audit_truncate() IS 'Trigger, after TRUNCATE: records it, as an event of no org. protect() makes it.';

CREATE FUNCTION chat_rbac.record_access(relation regclass, id bigint, reason text DEFAULT NULL, permission chat_rbac.permission DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_record_access';
COMMENT ON FUNCTION chat_rbac.record_access(regclass, bigint, text, chat_rbac.permission) IS 'Records that who asks looks at a row of a protected table, as when a supervisor opens a chat, and returns the event''s id. Under <resource>.view, or under the permission given. SQLSTATE 42501 if the row is not visible, or the permission not held on it; reason: by default the setting chat_rbac.reason.';

CREATE FUNCTION chat_rbac.record_access(relation regclass, key bigint[], reason text DEFAULT NULL, permission chat_rbac.permission DEFAULT NULL) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_record_access_key';
COMMENT ON FUNCTION chat_rbac.record_access(regclass, bigint[], text, chat_rbac.permission) IS 'The same for a primary key of several columns beside the org.';

CREATE FUNCTION chat_rbac.audit_note(operation text, action text, relation regclass, table_name text, row_key text,
	org bigint, unit_kinds text[], unit_keys bigint[], new jsonb, reason text) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_audit_note';
REVOKE ALL ON FUNCTION chat_rbac.audit_note(text, text, regclass, text, text, bigint, text[], bigint[], jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_note(text, text, regclass, text, text, bigint, text[], bigint[], jsonb, text) IS 'Internal: records what no trigger sees, and returns the event''s id.';

CREATE FUNCTION chat_rbac.audit_part(part regclass, with_rows boolean) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	/* triggers fire in the order of their names: before a foreign key's, whose cascades follow from what is recorded here */
	IF with_rows THEN
		EXECUTE format('CREATE OR REPLACE TRIGGER "00_chat_rbac_audit" AFTER INSERT OR UPDATE OR DELETE ON %s'
			' FOR EACH ROW EXECUTE FUNCTION chat_rbac.audit()', part);
	END IF;
	EXECUTE format('CREATE OR REPLACE TRIGGER "00_chat_rbac_audit_truncate" AFTER TRUNCATE ON %s EXECUTE FUNCTION chat_rbac.audit_truncate()', part);
	EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "00_chat_rbac_audit_truncate"%s',
		part, CASE WHEN with_rows THEN ', ENABLE ALWAYS TRIGGER "00_chat_rbac_audit"' END);
END
$$;
COMMENT ON FUNCTION chat_rbac.audit_part(regclass, boolean) IS 'Internal to protect(): makes the triggers that record the changes of a table, with those of its rows unless they come from a partitioned table.';

DO $$
DECLARE
	tab regclass;
BEGIN
	FOREACH tab IN ARRAY ARRAY(SELECT s.relation FROM chat_rbac.specification AS s) LOOP
		PERFORM chat_rbac.audit_part(tab, true);
	END LOOP;
END
$$;

/* ---- the audit trail: who may read it, and that nobody changes it ---- */

-- A trail's arrays are data: whatever is in them, in_event_scope() answers and raises nothing.
CREATE FUNCTION chat_rbac.in_event_scope(permissions chat_rbac.permset, relation text, kinds text[], keys bigint[]) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_event_scope';
COMMENT ON FUNCTION chat_rbac.in_event_scope(chat_rbac.permset, text, text[], bigint[]) IS 'Is any of the permissions granted with the relation org-wide, or at or above one of an event''s units? false where kinds and keys do not fit each other.';

/*
 * Only for SELECT: for all other commands there is no policy, and so no row.
 * An event without units is of a table that has none; there, as everywhere, a
 * right at any unit reaches what ties itself to who asks.
 */
CREATE POLICY chat_rbac_org ON chat_rbac.audit_event AS RESTRICTIVE
	USING (org_id = chat_rbac.current_org());
CREATE POLICY chat_rbac_select ON chat_rbac.audit_event FOR SELECT
	USING (chat_rbac.in_org_scope(org_id, '{audit.view}'::chat_rbac.permset, 'all')
		OR chat_rbac.in_event_scope('{audit.view}'::chat_rbac.permset, 'all', unit_kinds, unit_keys)
		OR (actor_id = chat_rbac.member_scope('{audit.view}'::chat_rbac.permset, 'own', false) AND actor_org_id = org_id
			AND chat_rbac.in_event_scope('{audit.view}'::chat_rbac.permset, 'own', unit_kinds, unit_keys))
		OR (actor_id = chat_rbac.member_scope('{audit.view}'::chat_rbac.permset, 'own', true) AND actor_org_id = org_id
			AND cardinality(unit_keys) = 0));
ALTER TABLE chat_rbac.audit_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY chat_rbac_org ON chat_rbac.audit_event IS 'Events of the own org only.';
COMMENT ON POLICY chat_rbac_select ON chat_rbac.audit_event IS 'With audit.view: of the whole org; of rows at or below a unit; with @own, what one did oneself.';

CREATE TABLE chat_rbac.audit_detached (
	relation_name	name PRIMARY KEY,
	from_at			timestamptz NOT NULL,
	to_at			timestamptz NOT NULL,
	detached_at		timestamptz NOT NULL
);
COMMENT ON TABLE chat_rbac.audit_detached IS 'Partitions of the trail that audit_maintain() detached. They stay in schema chat_rbac until somebody archives and drops them; audit_verify() reads those that are there.';
COMMENT ON COLUMN chat_rbac.audit_detached.from_at IS 'Its events are of [from_at, to_at).';

SELECT pg_catalog.pg_extension_config_dump('chat_rbac.audit_detached', '');

CREATE FUNCTION chat_rbac.refuse_tampering() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
		RAISE EXCEPTION 'table % is append-only', TG_RELID::regclass
			USING ERRCODE = 'insufficient_privilege',
				DETAIL = format('%s is refused to all but superusers.', TG_OP),
				HINT = 'The audit trail is written by chat_rbac itself.';
	END IF;
	RETURN CASE WHEN TG_LEVEL = 'ROW' THEN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END END;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.refuse_tampering() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.refuse_tampering() IS 'Trigger: nobody but a superuser changes the trail by SQL (SQLSTATE 42501); what a superuser changes audit_verify() finds.';

/* on rows: partitions get it from the parent, whoever attaches them */
CREATE TRIGGER refuse_tampering BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.audit_event
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_tampering();
ALTER TABLE chat_rbac.audit_event ENABLE ALWAYS TRIGGER refuse_tampering;

CREATE FUNCTION chat_rbac.close_trail_table(relation regclass, triggers boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	trail pg_class := (SELECT c FROM pg_class c WHERE c.oid = 'chat_rbac.audit_event'::regclass);
	class pg_class := (SELECT c FROM pg_class c WHERE c.oid = relation);
	closed boolean := false;
	policy name;
BEGIN
	IF NOT (class.relrowsecurity AND class.relforcerowsecurity) THEN
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relation);
		closed := true;
	END IF;
	IF class.relowner <> trail.relowner THEN
		EXECUTE format('ALTER TABLE %s OWNER TO %s', relation, trail.relowner::regrole);
		closed := true;
	END IF;
	IF class.oid <> trail.oid THEN
		FOR policy IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = relation LOOP
			EXECUTE format('DROP POLICY %I ON %s', policy, relation);
			closed := true;
		END LOOP;
	END IF;
	IF triggers AND NOT EXISTS (
		SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = 'refuse_tampering_stmt' AND t.tgenabled = 'A')
	THEN
		EXECUTE format('CREATE OR REPLACE TRIGGER refuse_tampering_stmt BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
			' FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.refuse_tampering()', relation);
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_tampering_stmt', relation);
		closed := true;
	END IF;
	RETURN closed;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.close_trail_table(regclass, boolean) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.close_trail_table(regclass, boolean) IS 'Internal: closes a table of the trail to all but superusers: row-level security without policies (the trail itself has its own), and, if asked for, a trigger. false if it was closed.';

/* for statements, also those that find no row, and TRUNCATE; tables without policies are not read by others either */
SELECT chat_rbac.close_trail_table('chat_rbac.audit_event', true), chat_rbac.close_trail_table('chat_rbac.audit_event_default', true),
	chat_rbac.close_trail_table('chat_rbac.audit_incarnation', true), chat_rbac.close_trail_table('chat_rbac.audit_detached', true);

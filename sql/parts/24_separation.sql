/* ---- separation of duty ---- */

CREATE FUNCTION chat_rbac.refuse_joint() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_refuse_joint';
REVOKE ALL ON FUNCTION chat_rbac.refuse_joint() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.refuse_joint() IS 'Trigger: refuses a change after which a member would hold too many roles of a static separation at one time, by inheritance too (SQLSTATE 23000), also across two concurrent sessions. What is over does not count.';

/* whoever makes the change and however; a deletion never gives a member anything */
CREATE TRIGGER refuse_joint AFTER INSERT OR UPDATE ON chat_rbac.role_grant
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_joint();
CREATE TRIGGER refuse_joint AFTER INSERT OR UPDATE ON chat_rbac.role_inherit
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_joint();
CREATE TRIGGER refuse_joint AFTER INSERT OR UPDATE ON chat_rbac.separation
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_joint();
CREATE TRIGGER refuse_joint AFTER INSERT OR UPDATE ON chat_rbac.separation_role
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_joint();
ALTER TABLE chat_rbac.role_grant ENABLE ALWAYS TRIGGER refuse_joint;
ALTER TABLE chat_rbac.role_inherit ENABLE ALWAYS TRIGGER refuse_joint;
ALTER TABLE chat_rbac.separation ENABLE ALWAYS TRIGGER refuse_joint;
ALTER TABLE chat_rbac.separation_role ENABLE ALWAYS TRIGGER refuse_joint;

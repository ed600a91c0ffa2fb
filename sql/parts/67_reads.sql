/* ---- audited reads ---- */

CREATE FUNCTION chat_rbac.read_gate(gate text) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_read_gate';
COMMENT ON FUNCTION chat_rbac.read_gate(text) IS 'Internal to audited views: true, once the read of the view is noted with the query that is being executed. SQLSTATE 55000 where it cannot be, as when the library was loaded after the query began; 25006 where the trail cannot be written to and chat_rbac.read_audit is "table".';

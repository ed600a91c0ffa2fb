/* ---- the questions an application asks ---- */

CREATE FUNCTION chat_rbac.can(permission chat_rbac.permission) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_can';
COMMENT ON FUNCTION chat_rbac.can(chat_rbac.permission) IS 'Does who asks hold the permission anywhere, for any rows? With @relation: for rows with that relation, or for all. false for nobody.';

CREATE FUNCTION chat_rbac.can(permission chat_rbac.permission, relation regclass, VARIADIC key bigint[]) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_can_row';
COMMENT ON FUNCTION chat_rbac.can(chat_rbac.permission, regclass, bigint[]) IS 'Does who asks hold the permission on the row of a protected table? The key is the primary key without the org. false if the row is not there or not visible. SQLSTATE 42704 if the table is not protected, 22023 for a key that does not fit.';

CREATE FUNCTION chat_rbac.actions(relation regclass, VARIADIC key bigint[]) RETURNS chat_rbac.permset
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_actions';
COMMENT ON FUNCTION chat_rbac.actions(regclass, bigint[]) IS 'The permissions that who asks holds on the row: of the table''s resource, and those that its specification or a child''s names. {} if the row is not there or not visible.';

CREATE FUNCTION chat_rbac.page_actions(relation regclass, keys bigint[], OUT id bigint, OUT key bigint[], OUT actions chat_rbac.permset)
RETURNS SETOF record
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 50
AS 'MODULE_PATHNAME', 'chat_rbac_page_actions';
COMMENT ON FUNCTION chat_rbac.page_actions(regclass, bigint[]) IS 'actions() for each of many keys, in their order. Keys of several columns are the rows of a two-dimensional array, and id is NULL.';

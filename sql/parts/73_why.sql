/* ---- why, who and what ---- */

CREATE FUNCTION chat_rbac.explain_access(member bigint, permission chat_rbac.permission, relation regclass DEFAULT NULL, VARIADIC key bigint[] DEFAULT '{}',
	OUT verdict text, OUT grant_id bigint, OUT role text, OUT unit text, OUT held chat_rbac.permission, OUT why text)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 10
AS 'MODULE_PATHNAME', 'chat_rbac_explain_access';
COMMENT ON FUNCTION chat_rbac.explain_access(bigint, chat_rbac.permission, regclass, bigint[]) IS 'Why may a member do that, to the row with this key or, without a table, anywhere; or why not? The first row is the answer: allowed or denied. Then come rows "granted" (what carries it) or "lacking" (the nearest grants first, and what each lacks), and "note". About oneself always; about others with role.view in the whole org (SQLSTATE 42501). A row that the caller may not see is not described: then "held" says what is held at all. Superusers ask about everybody.';

CREATE FUNCTION chat_rbac.who_can(permission chat_rbac.permission, relation regclass DEFAULT NULL, VARIADIC key bigint[] DEFAULT '{}',
	OUT member_id bigint, OUT member text, OUT grant_id bigint, OUT role text, OUT unit text, OUT held chat_rbac.permission)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'chat_rbac_who_can';
COMMENT ON FUNCTION chat_rbac.who_can(chat_rbac.permission, regclass, bigint[]) IS 'The members for whom can() is true, and by which grants: on the row with this key or, without a table, anywhere. Needs role.view in the whole org (SQLSTATE 42501). Of a row that the caller may not see only the members are told.';

CREATE FUNCTION chat_rbac.what_can(member bigint, OUT held chat_rbac.permission, OUT unit text, OUT role text, OUT grant_id bigint, OUT ends timestamptz)
RETURNS SETOF record
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 50
AS 'MODULE_PATHNAME', 'chat_rbac_what_can';
COMMENT ON FUNCTION chat_rbac.what_can(bigint) IS 'What a member holds now: each permission of each grant that counts, where, through which roles, and until when (NULL: for good): the end of the grant, or of its shift if that is sooner. About oneself (narrowed as the session is) always; about others with role.view in the whole org (SQLSTATE 42501).';

CREATE FUNCTION chat_rbac.preview(changes text, OUT effect text, OUT member_id bigint, OUT member text, OUT permission chat_rbac.permission, OUT unit text, OUT org text)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000 ROWS 20
AS 'MODULE_PATHNAME', 'chat_rbac_preview';
COMMENT ON FUNCTION chat_rbac.preview(text) IS 'Runs SQL with the caller''s own rights in a subtransaction that is always rolled back, and tells which members of the caller''s org would gain and lose which permissions where. An error of the SQL is raised. What no rollback takes back stays: values of sequences, and what functions do outside of the database. Needs role.view in the whole org (SQLSTATE 42501); for superusers in no org it is about all of them.';

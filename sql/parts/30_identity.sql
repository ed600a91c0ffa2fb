/* ---- who is asking ---- */

-- LEAKPROOF here and below: no argument, or one looked up in a set; what these raise (the
-- extension is unusable, a wrong active role) depends on the session and never on a row.
CREATE FUNCTION chat_rbac.current_org() RETURNS bigint
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_current_org';
COMMENT ON FUNCTION chat_rbac.current_org() IS 'The org of the active member who asks; NULL for nobody.';

CREATE FUNCTION chat_rbac.current_member() RETURNS bigint
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_current_member';
COMMENT ON FUNCTION chat_rbac.current_member() IS 'The id of the active member who asks, in current_org(); NULL for nobody.';

CREATE FUNCTION chat_rbac.current_roles() RETURNS text[]
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_current_roles';
COMMENT ON FUNCTION chat_rbac.current_roles() IS 'Names of the roles that are granted, valid now and active in this session; NULL for nobody.';

CREATE FUNCTION chat_rbac.whoami(
	OUT org_id bigint, OUT org text, OUT member_id bigint, OUT member text,
	OUT roles text[], OUT source text, OUT status text, OUT lifetime text, OUT expires timestamptz)
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_whoami';
COMMENT ON FUNCTION chat_rbac.whoami() IS 'Who the session is, in one row: source is the setting or login that says so, status is active, inactive, or nobody, lifetime is chat_rbac.identity_lifetime, expires is when a token does. SQLSTATE 28000 if the token that is set is not valid.';

CREATE FUNCTION chat_rbac.cache_stats(
	OUT entries bigint, OUT bytes bigint, OUT hits bigint, OUT builds bigint,
	OUT evictions bigint, OUT generation bigint, OUT verifications bigint)
LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_cache_stats';
REVOKE ALL ON FUNCTION chat_rbac.cache_stats() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.cache_stats() IS 'This session''s cache of compiled grants: identities and bytes held; answers found, made, pushed out; invalidations seen, plus one; signatures of tokens checked.';

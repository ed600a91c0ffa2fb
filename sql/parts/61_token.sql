/* ---- tokens: keys, issuing, revoking ---- */

CREATE FUNCTION chat_rbac.create_signing_key(org text DEFAULT NULL) RETURNS text
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	INSERT INTO chat_rbac.signing_key (org_id, algorithm, secret, issues, subject_is)
	VALUES (CASE WHEN org IS NOT NULL THEN chat_rbac.find_by_name('org', org, NULL, NULL) END, 'HS256',
		sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), true, 'member_id')
	RETURNING kid;
END;
REVOKE ALL ON FUNCTION chat_rbac.create_signing_key(text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.create_signing_key(text) IS 'Makes an HS256 key with a random secret, for issue_token() and for tokens whose "sub" is a member_id, of an org or (NULL) of all, and returns its kid.';

CREATE FUNCTION chat_rbac.issue_token(member bigint, ttl interval DEFAULT '15 minutes', roles text[] DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_issue_token';
COMMENT ON FUNCTION chat_rbac.issue_token(bigint, interval, text[]) IS 'A token for an active member of the own org, for at most 30 days, narrowed to some of the roles granted to them if roles are given, signed with the newest key of the org that issues, or else of all orgs. Needs token.issue in the whole org (SQLSTATE 42501). 42704: no such member; 0P000: a role is not granted; 55000: no key. Recorded in the audit trail.';

CREATE FUNCTION chat_rbac.revoke_tokens(member bigint) RETURNS timestamptz
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_revoke_tokens';
COMMENT ON FUNCTION chat_rbac.revoke_tokens(bigint) IS 'From the next statement on, in every session, no token of this member of the own org counts that was issued before now, or does not say when it was. One''s own, or of a member whom one may manage, with member.manage in the whole org (SQLSTATE 42501). 42704: no such member.';

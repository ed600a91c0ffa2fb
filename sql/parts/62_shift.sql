/* ---- who is bound by shifts ---- */

CREATE FUNCTION chat_rbac.shift_exempt(org bigint, member bigint, at timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE COST 1000
BEGIN ATOMIC
	WITH RECURSIVE held (role_id) AS (
		SELECT g.role_id FROM chat_rbac.role_grant g
		WHERE g.org_id = shift_exempt.org AND g.member_id = shift_exempt.member AND g.valid @> shift_exempt.at
			AND (g.shift IS NULL OR g.shift OPERATOR(chat_rbac.@>) shift_exempt.at)
		UNION
		SELECT i.junior_id FROM held h JOIN chat_rbac.role_inherit i ON i.org_id = shift_exempt.org AND i.senior_id = h.role_id
	)
	SELECT EXISTS (SELECT FROM held h JOIN chat_rbac.role r ON r.org_id = shift_exempt.org AND r.role_id = h.role_id
		WHERE r.permissions OPERATOR(chat_rbac.@>) 'shift.exempt'::chat_rbac.permission);
END;
COMMENT ON FUNCTION chat_rbac.shift_exempt(bigint, bigint, timestamptz) IS 'Does the member hold shift.exempt then, by a grant that counts then? Shifts do not bind them so. As far as the caller may see grants, roles and inheritance.';

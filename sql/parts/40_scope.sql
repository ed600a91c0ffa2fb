/* ---- what policies are made of ---- */

/*
 * EXECUTE stays with PUBLIC: whoever may query a protected table runs these.
 * They tell about oneself: where one holds which right, and the ids of who
 * works at those places.  For the proof of LEAKPROOF see current_org().
 * COST: a look-up takes some 40 instructions, which would be 3.  But the planner
 * does not know that an OR ends at the first arm that holds: with each arm at
 * its own cost, a filter looks dearer than it ever is, and plans that avoid it
 * (a bitmap of a whole org, parallel workers that each compile the grants
 * anew) look good that are not.
 */

CREATE FUNCTION chat_rbac.in_org_scope_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_in_org_scope_support';
COMMENT ON FUNCTION chat_rbac.in_org_scope_support(internal) IS 'Planner support of in_org_scope: its index condition and selectivity.';

CREATE FUNCTION chat_rbac.in_array_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_in_array_support';
COMMENT ON FUNCTION chat_rbac.in_array_support(internal) IS 'Planner support of in_unit_scope, in_member_scope and in_link: their index condition and selectivity.';

CREATE FUNCTION chat_rbac.in_scope_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_in_scope_support';
COMMENT ON FUNCTION chat_rbac.in_scope_support(internal) IS 'Planner support of in_scope: its selectivity.';

CREATE FUNCTION chat_rbac.org_scope(permissions chat_rbac.permset, relation text) RETURNS bigint
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_org_scope';
COMMENT ON FUNCTION chat_rbac.org_scope(chat_rbac.permset, text) IS 'The org of who asks, if any of the permissions is granted org-wide with the relation (all: for every row); else NULL.';

CREATE FUNCTION chat_rbac.member_scope(permissions chat_rbac.permset, relation text, or_all boolean) RETURNS bigint
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_member_scope';
COMMENT ON FUNCTION chat_rbac.member_scope(chat_rbac.permset, text, boolean) IS 'The id of who asks, if any of the permissions is granted anywhere with the relation (or_all: or for every row); else NULL.';

CREATE FUNCTION chat_rbac.unit_scope(permissions chat_rbac.permset, relation text, kind text) RETURNS bigint[]
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_unit_scope';
COMMENT ON FUNCTION chat_rbac.unit_scope(chat_rbac.permset, text, text) IS 'Keys of the units of a kind at or below which any of the permissions is granted with the relation, ascending. Org-wide grants are not in it.';

CREATE FUNCTION chat_rbac.members_scope(permissions chat_rbac.permset, relation text, or_all boolean) RETURNS bigint[]
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_members_scope';
COMMENT ON FUNCTION chat_rbac.members_scope(chat_rbac.permset, text, boolean) IS 'Ids of who holds a role at or below the units where any of the permissions is granted with the relation (or_all: or for every row), ascending.';

CREATE FUNCTION chat_rbac.link_scope(permissions chat_rbac.permset, relation text, protected regclass, or_all boolean) RETURNS bigint[]
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_link_scope';
COMMENT ON FUNCTION chat_rbac.link_scope(chat_rbac.permset, text, regclass, boolean) IS 'Keys of the rows of a protected table for which a relation told by another table holds, if any of the permissions is granted with it (or_all: or for every row); else none.';

CREATE FUNCTION chat_rbac.in_org_scope(org bigint, permissions chat_rbac.permset, relation text) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_org_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_org_scope';
COMMENT ON FUNCTION chat_rbac.in_org_scope(bigint, chat_rbac.permset, text) IS 'org = org_scope(permissions, relation). Its selectivity is that among rows of the current org.';

CREATE FUNCTION chat_rbac.in_org_scope(org integer, permissions chat_rbac.permset, relation text) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_org_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_org_scope_int4';
COMMENT ON FUNCTION chat_rbac.in_org_scope(integer, chat_rbac.permset, text) IS 'org = org_scope(permissions, relation). Its selectivity is that among rows of the current org.';

CREATE FUNCTION chat_rbac.in_org_scope(org bigint, permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_org_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_org_scope';
COMMENT ON FUNCTION chat_rbac.in_org_scope(bigint, chat_rbac.permset, text, text[], "any") IS 'org = org_scope(permissions, relation), and is none of the units sealed off? One unit column (integer or bigint, may be NULL) for each kind.';

CREATE FUNCTION chat_rbac.in_org_scope(org integer, permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_org_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_org_scope_int4';
COMMENT ON FUNCTION chat_rbac.in_org_scope(integer, chat_rbac.permset, text, text[], "any") IS 'org = org_scope(permissions, relation), and is none of the units sealed off? One unit column (integer or bigint, may be NULL) for each kind.';

CREATE FUNCTION chat_rbac.in_unit_scope(key bigint, permissions chat_rbac.permset, relation text, kind text) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_unit_scope';
COMMENT ON FUNCTION chat_rbac.in_unit_scope(bigint, chat_rbac.permset, text, text) IS 'key = ANY (unit_scope(permissions, relation, kind)), at a cost that does not grow with the units.';

CREATE FUNCTION chat_rbac.in_unit_scope(key integer, permissions chat_rbac.permset, relation text, kind text) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_unit_scope_int4';
COMMENT ON FUNCTION chat_rbac.in_unit_scope(integer, chat_rbac.permset, text, text) IS 'key = ANY (unit_scope(permissions, relation, kind)), at a cost that does not grow with the units.';

CREATE FUNCTION chat_rbac.in_unit_scope(key bigint, permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_unit_scope';
COMMENT ON FUNCTION chat_rbac.in_unit_scope(bigint, chat_rbac.permset, text, text[], "any") IS 'key = ANY (unit_scope(permissions, relation, kinds[1])), and is none of the other units sealed off? Their kinds follow that of the key.';

CREATE FUNCTION chat_rbac.in_unit_scope(key integer, permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_unit_scope_int4';
COMMENT ON FUNCTION chat_rbac.in_unit_scope(integer, chat_rbac.permset, text, text[], "any") IS 'key = ANY (unit_scope(permissions, relation, kinds[1])), and is none of the other units sealed off? Their kinds follow that of the key.';

CREATE FUNCTION chat_rbac.in_scope(permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_scope';
COMMENT ON FUNCTION chat_rbac.in_scope(chat_rbac.permset, text, text[], "any") IS 'Is any of the permissions granted with the relation org-wide, or at or above one of the units, and none of them sealed off? One unit column (integer or bigint, may be NULL) for each kind.';

CREATE FUNCTION chat_rbac.in_member_scope(person bigint, permissions chat_rbac.permset, relation text) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_member_scope';
COMMENT ON FUNCTION chat_rbac.in_member_scope(bigint, chat_rbac.permset, text) IS 'Does the person hold a role at or below a unit where any of the permissions is granted with the relation or for every row? For tables without unit columns.';

CREATE FUNCTION chat_rbac.in_member_scope(person integer, permissions chat_rbac.permset, relation text) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_member_scope_int4';
COMMENT ON FUNCTION chat_rbac.in_member_scope(integer, chat_rbac.permset, text) IS 'Does the person hold a role at or below a unit where any of the permissions is granted with the relation or for every row? For tables without unit columns.';

CREATE FUNCTION chat_rbac.in_member_scope(person bigint, permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_member_scope';
COMMENT ON FUNCTION chat_rbac.in_member_scope(bigint, chat_rbac.permset, text, text[], "any") IS 'Does one grant of any of the permissions, with the relation, reach one of the units, and does the person hold a role at or below that grant''s unit?';

CREATE FUNCTION chat_rbac.in_member_scope(person integer, permissions chat_rbac.permset, relation text, kinds text[], VARIADIC units "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_member_scope_int4';
COMMENT ON FUNCTION chat_rbac.in_member_scope(integer, chat_rbac.permset, text, text[], "any") IS 'Does one grant of any of the permissions, with the relation, reach one of the units, and does the person hold a role at or below that grant''s unit?';

CREATE FUNCTION chat_rbac.is_member(person bigint) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_is_member';
COMMENT ON FUNCTION chat_rbac.is_member(bigint) IS 'Is it the id of a member, active or not, of the current org? false for nobody.';

CREATE FUNCTION chat_rbac.is_member(person integer) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_is_member_int4';
COMMENT ON FUNCTION chat_rbac.is_member(integer) IS 'Is it the id of a member, active or not, of the current org? false for nobody.';

CREATE FUNCTION chat_rbac.in_link(key bigint, permissions chat_rbac.permset, relation text, protected regclass, or_all boolean) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_link';
COMMENT ON FUNCTION chat_rbac.in_link(bigint, chat_rbac.permset, text, regclass, boolean) IS 'key = ANY (link_scope(permissions, relation, protected, or_all)), at a cost that does not grow with the keys.';

CREATE FUNCTION chat_rbac.in_link(key integer, permissions chat_rbac.permset, relation text, protected regclass, or_all boolean) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_array_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_link_int4';
COMMENT ON FUNCTION chat_rbac.in_link(integer, chat_rbac.permset, text, regclass, boolean) IS 'key = ANY (link_scope(permissions, relation, protected, or_all)), at a cost that does not grow with the keys.';

-- Not LEAKPROOF: it reads another table. No index condition comes of it, so nothing is lost.
CREATE FUNCTION chat_rbac.in_parent(child regclass, permissions chat_rbac.permset, org bigint, parent bigint) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_in_parent';
COMMENT ON FUNCTION chat_rbac.in_parent(regclass, chat_rbac.permset, bigint, bigint) IS 'Is the parent row of a child table''s row visible, and if permissions are given, is any of them held on it?';

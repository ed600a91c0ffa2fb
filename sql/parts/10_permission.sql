/* permission: one right, "resource.action" or "resource.action@relation" */

/*
 * Functions of the types keep EXECUTE for PUBLIC, which CREATE FUNCTION gives:
 * they see nothing but their arguments, and whoever may read a column of a
 * type has to be able to compare and print it.
 *
 * A LEAKPROOF function tells nothing of its arguments but by its result: no
 * error, notice or log depends on them.  Row-level security then lets it run
 * before the policy, in an index condition for one.  Each says why it is.
 */

CREATE TYPE chat_rbac.permission;

CREATE FUNCTION chat_rbac.permission_in(cstring) RETURNS chat_rbac.permission
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_in';
COMMENT ON FUNCTION chat_rbac.permission_in(cstring) IS 'input';

CREATE FUNCTION chat_rbac.permission_out(chat_rbac.permission) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_out';
COMMENT ON FUNCTION chat_rbac.permission_out(chat_rbac.permission) IS 'output';

CREATE FUNCTION chat_rbac.permission_recv(internal) RETURNS chat_rbac.permission
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_recv';
COMMENT ON FUNCTION chat_rbac.permission_recv(internal) IS 'binary input';

CREATE FUNCTION chat_rbac.permission_send(chat_rbac.permission) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_send';
COMMENT ON FUNCTION chat_rbac.permission_send(chat_rbac.permission) IS 'binary output: the version, 1, as a byte, and the text';

CREATE TYPE chat_rbac.permission (
	INPUT = chat_rbac.permission_in,
	OUTPUT = chat_rbac.permission_out,
	RECEIVE = chat_rbac.permission_recv,
	SEND = chat_rbac.permission_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = main,
	CATEGORY = 'U'
);
COMMENT ON TYPE chat_rbac.permission IS
'one right: resource.action or resource.action@relation; * stands for every resource or action';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_eq(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_eq';
COMMENT ON FUNCTION chat_rbac.permission_eq(chat_rbac.permission, chat_rbac.permission) IS 'implementation of = operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_ne(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_ne';
COMMENT ON FUNCTION chat_rbac.permission_ne(chat_rbac.permission, chat_rbac.permission) IS 'implementation of <> operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_lt(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_lt';
COMMENT ON FUNCTION chat_rbac.permission_lt(chat_rbac.permission, chat_rbac.permission) IS 'implementation of < operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_le(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_le';
COMMENT ON FUNCTION chat_rbac.permission_le(chat_rbac.permission, chat_rbac.permission) IS 'implementation of <= operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_gt(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_gt';
COMMENT ON FUNCTION chat_rbac.permission_gt(chat_rbac.permission, chat_rbac.permission) IS 'implementation of > operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_ge(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_ge';
COMMENT ON FUNCTION chat_rbac.permission_ge(chat_rbac.permission, chat_rbac.permission) IS 'implementation of >= operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_cmp(chat_rbac.permission, chat_rbac.permission) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_cmp';
COMMENT ON FUNCTION chat_rbac.permission_cmp(chat_rbac.permission, chat_rbac.permission) IS
'less, equal or greater: below, 0 or above zero, for btree';

-- LEAKPROOF: hashes a string of bytes, whatever it is; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_hash(chat_rbac.permission) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_hash';
COMMENT ON FUNCTION chat_rbac.permission_hash(chat_rbac.permission) IS 'hash';

-- LEAKPROOF: hashes a string of bytes, whatever it is; raises and logs nothing.
CREATE FUNCTION chat_rbac.permission_hash_extended(chat_rbac.permission, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_hash_extended';
COMMENT ON FUNCTION chat_rbac.permission_hash_extended(chat_rbac.permission, bigint) IS 'hash with a seed, for hash partitions';

CREATE OPERATOR chat_rbac.= (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_eq,
	COMMUTATOR = OPERATOR(chat_rbac.=), NEGATOR = OPERATOR(chat_rbac.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR chat_rbac.= (chat_rbac.permission, chat_rbac.permission) IS 'equal';

CREATE OPERATOR chat_rbac.<> (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_ne,
	COMMUTATOR = OPERATOR(chat_rbac.<>), NEGATOR = OPERATOR(chat_rbac.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR chat_rbac.<> (chat_rbac.permission, chat_rbac.permission) IS 'not equal';

CREATE OPERATOR chat_rbac.< (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_lt,
	COMMUTATOR = OPERATOR(chat_rbac.>), NEGATOR = OPERATOR(chat_rbac.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR chat_rbac.< (chat_rbac.permission, chat_rbac.permission) IS 'less than';

CREATE OPERATOR chat_rbac.<= (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_le,
	COMMUTATOR = OPERATOR(chat_rbac.>=), NEGATOR = OPERATOR(chat_rbac.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR chat_rbac.<= (chat_rbac.permission, chat_rbac.permission) IS 'less than or equal';

CREATE OPERATOR chat_rbac.> (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_gt,
	COMMUTATOR = OPERATOR(chat_rbac.<), NEGATOR = OPERATOR(chat_rbac.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR chat_rbac.> (chat_rbac.permission, chat_rbac.permission) IS 'greater than';

CREATE OPERATOR chat_rbac.>= (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_ge,
	COMMUTATOR = OPERATOR(chat_rbac.<=), NEGATOR = OPERATOR(chat_rbac.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR chat_rbac.>= (chat_rbac.permission, chat_rbac.permission) IS 'greater than or equal';

CREATE OPERATOR CLASS chat_rbac.permission_ops DEFAULT FOR TYPE chat_rbac.permission USING btree AS
	OPERATOR 1 chat_rbac.<,
	OPERATOR 2 chat_rbac.<=,
	OPERATOR 3 chat_rbac.=,
	OPERATOR 4 chat_rbac.>=,
	OPERATOR 5 chat_rbac.>,
	FUNCTION 1 chat_rbac.permission_cmp(chat_rbac.permission, chat_rbac.permission),
	FUNCTION 4 pg_catalog.btequalimage(pg_catalog.oid);	-- equal values are equal bytes
COMMENT ON OPERATOR CLASS chat_rbac.permission_ops USING btree IS 'order of permissions by the bytes of their text';

CREATE OPERATOR CLASS chat_rbac.permission_ops DEFAULT FOR TYPE chat_rbac.permission USING hash AS
	OPERATOR 1 chat_rbac.=,
	FUNCTION 1 chat_rbac.permission_hash(chat_rbac.permission),
	FUNCTION 2 chat_rbac.permission_hash_extended(chat_rbac.permission, bigint);
COMMENT ON OPERATOR CLASS chat_rbac.permission_ops USING hash IS 'equality of permissions';

-- LEAKPROOF: reads two strings of bytes; what is no permission covers nothing and raises nothing.
CREATE FUNCTION chat_rbac.permission_covers(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_covers';
COMMENT ON FUNCTION chat_rbac.permission_covers(chat_rbac.permission, chat_rbac.permission) IS 'implementation of @> operator';

-- LEAKPROOF: reads two strings of bytes; what is no permission covers nothing and raises nothing.
CREATE FUNCTION chat_rbac.permission_covered(chat_rbac.permission, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_covered';
COMMENT ON FUNCTION chat_rbac.permission_covered(chat_rbac.permission, chat_rbac.permission) IS 'implementation of <@ operator';

CREATE OPERATOR chat_rbac.@> (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_covers,
	COMMUTATOR = OPERATOR(chat_rbac.<@),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.@> (chat_rbac.permission, chat_rbac.permission) IS 'covers: whoever holds the left one holds the right one';

CREATE OPERATOR chat_rbac.<@ (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permission_covered,
	COMMUTATOR = OPERATOR(chat_rbac.@>),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.<@ (chat_rbac.permission, chat_rbac.permission) IS 'is covered by';

CREATE FUNCTION chat_rbac.resource(chat_rbac.permission) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_resource';
COMMENT ON FUNCTION chat_rbac.resource(chat_rbac.permission) IS 'the part before the dot, * for every resource';

CREATE FUNCTION chat_rbac.action(chat_rbac.permission) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_action';
COMMENT ON FUNCTION chat_rbac.action(chat_rbac.permission) IS 'the part after the dot, * for every action';

CREATE FUNCTION chat_rbac.relation(chat_rbac.permission) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_relation';
COMMENT ON FUNCTION chat_rbac.relation(chat_rbac.permission) IS 'the part after @; all when there is none';


/* permset: a set of permissions in canonical form, so that equality is meaning */

CREATE TYPE chat_rbac.permset;

CREATE FUNCTION chat_rbac.permset_in(cstring) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_in';
COMMENT ON FUNCTION chat_rbac.permset_in(cstring) IS 'input';

CREATE FUNCTION chat_rbac.permset_out(chat_rbac.permset) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_out';
COMMENT ON FUNCTION chat_rbac.permset_out(chat_rbac.permset) IS 'output';

CREATE FUNCTION chat_rbac.permset_recv(internal) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_recv';
COMMENT ON FUNCTION chat_rbac.permset_recv(internal) IS 'binary input';

CREATE FUNCTION chat_rbac.permset_send(chat_rbac.permset) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_send';
COMMENT ON FUNCTION chat_rbac.permset_send(chat_rbac.permset) IS
'binary output: the version, 1, as a byte, the number of elements, and each one with its length before it; lengths and number are of four bytes';

CREATE TYPE chat_rbac.permset (
	INPUT = chat_rbac.permset_in,
	OUTPUT = chat_rbac.permset_out,
	RECEIVE = chat_rbac.permset_recv,
	SEND = chat_rbac.permset_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = main,
	CATEGORY = 'U'
);
COMMENT ON TYPE chat_rbac.permset IS
'a set of permissions: {conversation.view@own,message.*}; sorted, and without what another element covers';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_eq(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_eq';
COMMENT ON FUNCTION chat_rbac.permset_eq(chat_rbac.permset, chat_rbac.permset) IS 'implementation of = operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_ne(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_ne';
COMMENT ON FUNCTION chat_rbac.permset_ne(chat_rbac.permset, chat_rbac.permset) IS 'implementation of <> operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_lt(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_lt';
COMMENT ON FUNCTION chat_rbac.permset_lt(chat_rbac.permset, chat_rbac.permset) IS 'implementation of < operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_le(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_le';
COMMENT ON FUNCTION chat_rbac.permset_le(chat_rbac.permset, chat_rbac.permset) IS 'implementation of <= operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_gt(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_gt';
COMMENT ON FUNCTION chat_rbac.permset_gt(chat_rbac.permset, chat_rbac.permset) IS 'implementation of > operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_ge(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_ge';
COMMENT ON FUNCTION chat_rbac.permset_ge(chat_rbac.permset, chat_rbac.permset) IS 'implementation of >= operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_cmp(chat_rbac.permset, chat_rbac.permset) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_cmp';
COMMENT ON FUNCTION chat_rbac.permset_cmp(chat_rbac.permset, chat_rbac.permset) IS
'less, equal or greater: below, 0 or above zero, for btree';

-- LEAKPROOF: hashes a string of bytes, whatever it is; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_hash(chat_rbac.permset) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_hash';
COMMENT ON FUNCTION chat_rbac.permset_hash(chat_rbac.permset) IS 'hash';

-- LEAKPROOF: hashes a string of bytes, whatever it is; raises and logs nothing.
CREATE FUNCTION chat_rbac.permset_hash_extended(chat_rbac.permset, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_hash_extended';
COMMENT ON FUNCTION chat_rbac.permset_hash_extended(chat_rbac.permset, bigint) IS 'hash with a seed, for hash partitions';

CREATE OPERATOR chat_rbac.= (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_eq,
	COMMUTATOR = OPERATOR(chat_rbac.=), NEGATOR = OPERATOR(chat_rbac.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR chat_rbac.= (chat_rbac.permset, chat_rbac.permset) IS 'equal';

CREATE OPERATOR chat_rbac.<> (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_ne,
	COMMUTATOR = OPERATOR(chat_rbac.<>), NEGATOR = OPERATOR(chat_rbac.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR chat_rbac.<> (chat_rbac.permset, chat_rbac.permset) IS 'not equal';

CREATE OPERATOR chat_rbac.< (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_lt,
	COMMUTATOR = OPERATOR(chat_rbac.>), NEGATOR = OPERATOR(chat_rbac.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR chat_rbac.< (chat_rbac.permset, chat_rbac.permset) IS 'less than';

CREATE OPERATOR chat_rbac.<= (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_le,
	COMMUTATOR = OPERATOR(chat_rbac.>=), NEGATOR = OPERATOR(chat_rbac.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR chat_rbac.<= (chat_rbac.permset, chat_rbac.permset) IS 'less than or equal';

CREATE OPERATOR chat_rbac.> (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_gt,
	COMMUTATOR = OPERATOR(chat_rbac.<), NEGATOR = OPERATOR(chat_rbac.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR chat_rbac.> (chat_rbac.permset, chat_rbac.permset) IS 'greater than';

CREATE OPERATOR chat_rbac.>= (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_ge,
	COMMUTATOR = OPERATOR(chat_rbac.<=), NEGATOR = OPERATOR(chat_rbac.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR chat_rbac.>= (chat_rbac.permset, chat_rbac.permset) IS 'greater than or equal';

CREATE OPERATOR CLASS chat_rbac.permset_ops DEFAULT FOR TYPE chat_rbac.permset USING btree AS
	OPERATOR 1 chat_rbac.<,
	OPERATOR 2 chat_rbac.<=,
	OPERATOR 3 chat_rbac.=,
	OPERATOR 4 chat_rbac.>=,
	OPERATOR 5 chat_rbac.>,
	FUNCTION 1 chat_rbac.permset_cmp(chat_rbac.permset, chat_rbac.permset),
	FUNCTION 4 pg_catalog.btequalimage(pg_catalog.oid);	-- equal values are equal bytes
COMMENT ON OPERATOR CLASS chat_rbac.permset_ops USING btree IS 'an arbitrary but stable order of sets of permissions';

CREATE OPERATOR CLASS chat_rbac.permset_ops DEFAULT FOR TYPE chat_rbac.permset USING hash AS
	OPERATOR 1 chat_rbac.=,
	FUNCTION 1 chat_rbac.permset_hash(chat_rbac.permset),
	FUNCTION 2 chat_rbac.permset_hash_extended(chat_rbac.permset, bigint);
COMMENT ON OPERATOR CLASS chat_rbac.permset_ops USING hash IS 'equality of permsets';

-- LEAKPROOF: reads two strings of bytes; what is no set contains nothing, is not contained, and raises nothing.
CREATE FUNCTION chat_rbac.permset_contains(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'chat_rbac_permset_contains';
COMMENT ON FUNCTION chat_rbac.permset_contains(chat_rbac.permset, chat_rbac.permset) IS 'implementation of @> operator';

-- LEAKPROOF: reads two strings of bytes; what is no set contains nothing, is not contained, and raises nothing.
CREATE FUNCTION chat_rbac.permset_contained(chat_rbac.permset, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'chat_rbac_permset_contained';
COMMENT ON FUNCTION chat_rbac.permset_contained(chat_rbac.permset, chat_rbac.permset) IS 'implementation of <@ operator';

-- LEAKPROOF: reads two strings of bytes; what is no set or permission covers nothing and raises nothing.
CREATE FUNCTION chat_rbac.permset_covers(chat_rbac.permset, chat_rbac.permission) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'chat_rbac_permset_covers';
COMMENT ON FUNCTION chat_rbac.permset_covers(chat_rbac.permset, chat_rbac.permission) IS 'implementation of @> operator';

-- LEAKPROOF: reads two strings of bytes; what is no set or permission covers nothing and raises nothing.
CREATE FUNCTION chat_rbac.permset_covered(chat_rbac.permission, chat_rbac.permset) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'chat_rbac_permset_covered';
COMMENT ON FUNCTION chat_rbac.permset_covered(chat_rbac.permission, chat_rbac.permset) IS 'implementation of <@ operator';

CREATE OPERATOR chat_rbac.@> (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_contains,
	COMMUTATOR = OPERATOR(chat_rbac.<@),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.@> (chat_rbac.permset, chat_rbac.permset) IS
'contains: whoever holds the left set holds all of the right one';

CREATE OPERATOR chat_rbac.<@ (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_contained,
	COMMUTATOR = OPERATOR(chat_rbac.@>),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.<@ (chat_rbac.permset, chat_rbac.permset) IS 'is contained in';

CREATE OPERATOR chat_rbac.@> (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permset_covers,
	COMMUTATOR = OPERATOR(chat_rbac.<@),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.@> (chat_rbac.permset, chat_rbac.permission) IS 'covers: whoever holds the set holds the permission';

CREATE OPERATOR chat_rbac.<@ (
	LEFTARG = chat_rbac.permission, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_covered,
	COMMUTATOR = OPERATOR(chat_rbac.@>),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.<@ (chat_rbac.permission, chat_rbac.permset) IS 'is covered by';

CREATE FUNCTION chat_rbac.permset_union(chat_rbac.permset, chat_rbac.permset) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_union';
COMMENT ON FUNCTION chat_rbac.permset_union(chat_rbac.permset, chat_rbac.permset) IS 'implementation of | operator';

CREATE FUNCTION chat_rbac.permset_add(chat_rbac.permset, chat_rbac.permission) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_add';
COMMENT ON FUNCTION chat_rbac.permset_add(chat_rbac.permset, chat_rbac.permission) IS 'implementation of + operator';

CREATE FUNCTION chat_rbac.permset_remove(chat_rbac.permset, chat_rbac.permission) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_remove';
COMMENT ON FUNCTION chat_rbac.permset_remove(chat_rbac.permset, chat_rbac.permission) IS 'implementation of - operator';

CREATE OPERATOR chat_rbac.| (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permset, FUNCTION = chat_rbac.permset_union,
	COMMUTATOR = OPERATOR(chat_rbac.|)
);
COMMENT ON OPERATOR chat_rbac.| (chat_rbac.permset, chat_rbac.permset) IS 'union';

CREATE OPERATOR chat_rbac.+ (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permset_add
);
COMMENT ON OPERATOR chat_rbac.+ (chat_rbac.permset, chat_rbac.permission) IS 'add a permission';

CREATE OPERATOR chat_rbac.- (
	LEFTARG = chat_rbac.permset, RIGHTARG = chat_rbac.permission, FUNCTION = chat_rbac.permset_remove
);
COMMENT ON OPERATOR chat_rbac.- (chat_rbac.permset, chat_rbac.permission) IS
'remove what the permission covers; an error where an element allows it together with more';

CREATE FUNCTION chat_rbac.unnest(chat_rbac.permset) RETURNS SETOF chat_rbac.permission
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1 ROWS 10
AS 'MODULE_PATHNAME', 'chat_rbac_unnest';
COMMENT ON FUNCTION chat_rbac.unnest(chat_rbac.permset) IS 'the elements, in order';

CREATE FUNCTION chat_rbac.permission_to_permset(chat_rbac.permission) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permission_to_permset';
COMMENT ON FUNCTION chat_rbac.permission_to_permset(chat_rbac.permission) IS 'the set of this one permission';

CREATE FUNCTION chat_rbac.array_to_permset(text[]) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_array_to_permset';
COMMENT ON FUNCTION chat_rbac.array_to_permset(text[]) IS 'the set of these permissions';

CREATE FUNCTION chat_rbac.permset_to_array(chat_rbac.permset) RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_to_array';
COMMENT ON FUNCTION chat_rbac.permset_to_array(chat_rbac.permset) IS 'the elements, in order';

CREATE CAST (chat_rbac.permission AS chat_rbac.permset)
	WITH FUNCTION chat_rbac.permission_to_permset(chat_rbac.permission) AS ASSIGNMENT;
COMMENT ON CAST (chat_rbac.permission AS chat_rbac.permset) IS 'a permission as a set of one';

CREATE CAST (text[] AS chat_rbac.permset)
	WITH FUNCTION chat_rbac.array_to_permset(text[]) AS ASSIGNMENT;
COMMENT ON CAST (text[] AS chat_rbac.permset) IS
'an array of permissions as a set; in any order, with repetitions';

CREATE CAST (chat_rbac.permset AS text[])
	WITH FUNCTION chat_rbac.permset_to_array(chat_rbac.permset) AS ASSIGNMENT;
COMMENT ON CAST (chat_rbac.permset AS text[]) IS 'a set as an array of its elements, in order';

/* permset_agg: NULLs are skipped; no row, or NULLs only, gives NULL */

CREATE FUNCTION chat_rbac.permset_agg_permission(internal, chat_rbac.permission) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_permset_agg_permission';
COMMENT ON FUNCTION chat_rbac.permset_agg_permission(internal, chat_rbac.permission) IS 'step of permset_agg';

CREATE FUNCTION chat_rbac.permset_agg_permset(internal, chat_rbac.permset) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 2
AS 'MODULE_PATHNAME', 'chat_rbac_permset_agg_permset';
COMMENT ON FUNCTION chat_rbac.permset_agg_permset(internal, chat_rbac.permset) IS 'step of permset_agg';

CREATE FUNCTION chat_rbac.permset_agg_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_agg_combine';
COMMENT ON FUNCTION chat_rbac.permset_agg_combine(internal, internal) IS 'joins two partial states of permset_agg';

CREATE FUNCTION chat_rbac.permset_agg_serial(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_agg_serial';
COMMENT ON FUNCTION chat_rbac.permset_agg_serial(internal) IS 'sends a partial state of permset_agg';

CREATE FUNCTION chat_rbac.permset_agg_deserial(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_agg_deserial';
COMMENT ON FUNCTION chat_rbac.permset_agg_deserial(bytea, internal) IS 'receives a partial state of permset_agg';

CREATE FUNCTION chat_rbac.permset_agg_final(internal) RETURNS chat_rbac.permset
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_permset_agg_final';
COMMENT ON FUNCTION chat_rbac.permset_agg_final(internal) IS 'result of permset_agg';

CREATE AGGREGATE chat_rbac.permset_agg(chat_rbac.permission) (
	SFUNC = chat_rbac.permset_agg_permission,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = chat_rbac.permset_agg_final,
	COMBINEFUNC = chat_rbac.permset_agg_combine,
	SERIALFUNC = chat_rbac.permset_agg_serial,
	DESERIALFUNC = chat_rbac.permset_agg_deserial,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE chat_rbac.permset_agg(chat_rbac.permission) IS 'the set of these permissions';

CREATE AGGREGATE chat_rbac.permset_agg(chat_rbac.permset) (
	SFUNC = chat_rbac.permset_agg_permset,
	STYPE = internal,
	SSPACE = 1024,
	FINALFUNC = chat_rbac.permset_agg_final,
	COMBINEFUNC = chat_rbac.permset_agg_combine,
	SERIALFUNC = chat_rbac.permset_agg_serial,
	DESERIALFUNC = chat_rbac.permset_agg_deserial,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE chat_rbac.permset_agg(chat_rbac.permset) IS 'the union of these sets';


/* shift: weekly hours in a time zone, "Mon-Fri 09:00-18:00 Asia/Riyadh except 2026-12-25" */

/* See 10_permission.sql about EXECUTE and LEAKPROOF. */

CREATE TYPE chat_rbac.shift;

-- STABLE: what time zones there are is the server's
CREATE FUNCTION chat_rbac.shift_in(cstring) RETURNS chat_rbac.shift
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_shift_in';
COMMENT ON FUNCTION chat_rbac.shift_in(cstring) IS 'input';

CREATE FUNCTION chat_rbac.shift_out(chat_rbac.shift) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_out';
COMMENT ON FUNCTION chat_rbac.shift_out(chat_rbac.shift) IS 'output';

CREATE FUNCTION chat_rbac.shift_recv(internal) RETURNS chat_rbac.shift
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_shift_recv';
COMMENT ON FUNCTION chat_rbac.shift_recv(internal) IS 'binary input';

CREATE FUNCTION chat_rbac.shift_send(chat_rbac.shift) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_send';
COMMENT ON FUNCTION chat_rbac.shift_send(chat_rbac.shift) IS 'binary output: the version, 1, as a byte, and the text';

CREATE TYPE chat_rbac.shift (
	INPUT = chat_rbac.shift_in,
	OUTPUT = chat_rbac.shift_out,
	RECEIVE = chat_rbac.shift_recv,
	SEND = chat_rbac.shift_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = main,
	CATEGORY = 'U'
);
COMMENT ON TYPE chat_rbac.shift IS
'weekly hours by the clock of a time zone, but for excepted dates: Mon-Fri 09:00-18:00, Sat 22:00-06:00 Asia/Riyadh except 2026-12-25';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_eq(chat_rbac.shift, chat_rbac.shift) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_eq';
COMMENT ON FUNCTION chat_rbac.shift_eq(chat_rbac.shift, chat_rbac.shift) IS 'implementation of = operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_ne(chat_rbac.shift, chat_rbac.shift) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_ne';
COMMENT ON FUNCTION chat_rbac.shift_ne(chat_rbac.shift, chat_rbac.shift) IS 'implementation of <> operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_lt(chat_rbac.shift, chat_rbac.shift) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_lt';
COMMENT ON FUNCTION chat_rbac.shift_lt(chat_rbac.shift, chat_rbac.shift) IS 'implementation of < operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_le(chat_rbac.shift, chat_rbac.shift) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_le';
COMMENT ON FUNCTION chat_rbac.shift_le(chat_rbac.shift, chat_rbac.shift) IS 'implementation of <= operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_gt(chat_rbac.shift, chat_rbac.shift) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_gt';
COMMENT ON FUNCTION chat_rbac.shift_gt(chat_rbac.shift, chat_rbac.shift) IS 'implementation of > operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_ge(chat_rbac.shift, chat_rbac.shift) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_ge';
COMMENT ON FUNCTION chat_rbac.shift_ge(chat_rbac.shift, chat_rbac.shift) IS 'implementation of >= operator';

-- LEAKPROOF: compares two strings of bytes, whatever they are; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_cmp(chat_rbac.shift, chat_rbac.shift) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_cmp';
COMMENT ON FUNCTION chat_rbac.shift_cmp(chat_rbac.shift, chat_rbac.shift) IS
'less, equal or greater: below, 0 or above zero, for btree';

-- LEAKPROOF: hashes a string of bytes, whatever it is; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_hash(chat_rbac.shift) RETURNS integer
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_hash';
COMMENT ON FUNCTION chat_rbac.shift_hash(chat_rbac.shift) IS 'hash';

-- LEAKPROOF: hashes a string of bytes, whatever it is; raises and logs nothing.
CREATE FUNCTION chat_rbac.shift_hash_extended(chat_rbac.shift, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_shift_hash_extended';
COMMENT ON FUNCTION chat_rbac.shift_hash_extended(chat_rbac.shift, bigint) IS 'hash with a seed, for hash partitions';

CREATE OPERATOR chat_rbac.= (
	LEFTARG = chat_rbac.shift, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_eq,
	COMMUTATOR = OPERATOR(chat_rbac.=), NEGATOR = OPERATOR(chat_rbac.<>),
	RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR chat_rbac.= (chat_rbac.shift, chat_rbac.shift) IS 'equal';

CREATE OPERATOR chat_rbac.<> (
	LEFTARG = chat_rbac.shift, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_ne,
	COMMUTATOR = OPERATOR(chat_rbac.<>), NEGATOR = OPERATOR(chat_rbac.=),
	RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR chat_rbac.<> (chat_rbac.shift, chat_rbac.shift) IS 'not equal';

CREATE OPERATOR chat_rbac.< (
	LEFTARG = chat_rbac.shift, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_lt,
	COMMUTATOR = OPERATOR(chat_rbac.>), NEGATOR = OPERATOR(chat_rbac.>=),
	RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR chat_rbac.< (chat_rbac.shift, chat_rbac.shift) IS 'less than';

CREATE OPERATOR chat_rbac.<= (
	LEFTARG = chat_rbac.shift, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_le,
	COMMUTATOR = OPERATOR(chat_rbac.>=), NEGATOR = OPERATOR(chat_rbac.>),
	RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR chat_rbac.<= (chat_rbac.shift, chat_rbac.shift) IS 'less than or equal';

CREATE OPERATOR chat_rbac.> (
	LEFTARG = chat_rbac.shift, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_gt,
	COMMUTATOR = OPERATOR(chat_rbac.<), NEGATOR = OPERATOR(chat_rbac.<=),
	RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR chat_rbac.> (chat_rbac.shift, chat_rbac.shift) IS 'greater than';

CREATE OPERATOR chat_rbac.>= (
	LEFTARG = chat_rbac.shift, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_ge,
	COMMUTATOR = OPERATOR(chat_rbac.<=), NEGATOR = OPERATOR(chat_rbac.<),
	RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR chat_rbac.>= (chat_rbac.shift, chat_rbac.shift) IS 'greater than or equal';

CREATE OPERATOR CLASS chat_rbac.shift_ops DEFAULT FOR TYPE chat_rbac.shift USING btree AS
	OPERATOR 1 chat_rbac.<,
	OPERATOR 2 chat_rbac.<=,
	OPERATOR 3 chat_rbac.=,
	OPERATOR 4 chat_rbac.>=,
	OPERATOR 5 chat_rbac.>,
	FUNCTION 1 chat_rbac.shift_cmp(chat_rbac.shift, chat_rbac.shift),
	FUNCTION 4 pg_catalog.btequalimage(pg_catalog.oid);	-- equal values are equal bytes
COMMENT ON OPERATOR CLASS chat_rbac.shift_ops USING btree IS 'order of shifts by the bytes of their text';

CREATE OPERATOR CLASS chat_rbac.shift_ops DEFAULT FOR TYPE chat_rbac.shift USING hash AS
	OPERATOR 1 chat_rbac.=,
	FUNCTION 1 chat_rbac.shift_hash(chat_rbac.shift),
	FUNCTION 2 chat_rbac.shift_hash_extended(chat_rbac.shift, bigint);
COMMENT ON OPERATOR CLASS chat_rbac.shift_ops USING hash IS 'equality of shifts';

/* not IMMUTABLE: the rules of time zones change with the server's release */
CREATE FUNCTION chat_rbac.shift_contains(chat_rbac.shift, timestamptz) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_shift_contains';
COMMENT ON FUNCTION chat_rbac.shift_contains(chat_rbac.shift, timestamptz) IS 'implementation of @> operator';

CREATE FUNCTION chat_rbac.shift_contained(timestamptz, chat_rbac.shift) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_shift_contained';
COMMENT ON FUNCTION chat_rbac.shift_contained(timestamptz, chat_rbac.shift) IS 'implementation of <@ operator';

CREATE OPERATOR chat_rbac.@> (
	LEFTARG = chat_rbac.shift, RIGHTARG = timestamptz, FUNCTION = chat_rbac.shift_contains,
	COMMUTATOR = OPERATOR(chat_rbac.<@),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.@> (chat_rbac.shift, timestamptz) IS 'the shift holds then';

CREATE OPERATOR chat_rbac.<@ (
	LEFTARG = timestamptz, RIGHTARG = chat_rbac.shift, FUNCTION = chat_rbac.shift_contained,
	COMMUTATOR = OPERATOR(chat_rbac.@>),
	RESTRICT = pg_catalog.contsel, JOIN = pg_catalog.contjoinsel
);
COMMENT ON OPERATOR chat_rbac.<@ (timestamptz, chat_rbac.shift) IS 'is when the shift holds';

CREATE FUNCTION chat_rbac.next_change(chat_rbac.shift, timestamptz) RETURNS timestamptz
LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20
AS 'MODULE_PATHNAME', 'chat_rbac_next_change';
COMMENT ON FUNCTION chat_rbac.next_change(chat_rbac.shift, timestamptz) IS
'when the shift begins or ends to hold for the first time after that instant; NULL: never';

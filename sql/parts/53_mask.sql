/* ---- masks: what a view shows in place of a value ---- */

/*
 * They are for everybody to call, and in the output of a view called for each
 * masked row.  A mask never fails, whatever the value: the error would tell.
 */

CREATE FUNCTION chat_rbac.mask_phone(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_mask_phone';
COMMENT ON FUNCTION chat_rbac.mask_phone(text) IS 'A phone number by its first 3 digits and its last 4: +141***0123. Of less than 10 digits the last 2, of less than 6 none.';

CREATE FUNCTION chat_rbac.mask_email(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_mask_email';
COMMENT ON FUNCTION chat_rbac.mask_email(text) IS 'An e-mail address by its first letter and its top-level domain: n***@***.com.';

CREATE FUNCTION chat_rbac.mask_name(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_mask_name';
COMMENT ON FUNCTION chat_rbac.mask_name(text) IS 'A name by the first letter of each of its first three words: N*** H***.';

CREATE FUNCTION chat_rbac.mask_amount(value numeric) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_mask_amount_numeric';
COMMENT ON FUNCTION chat_rbac.mask_amount(numeric) IS 'An amount by its sign and order of magnitude: -1000 for -1234.56, 0.01 for 0.05.';

CREATE FUNCTION chat_rbac.mask_amount(value bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_mask_amount_int8';
COMMENT ON FUNCTION chat_rbac.mask_amount(bigint) IS 'An amount by its sign and order of magnitude: -1000 for -1234.';

CREATE FUNCTION chat_rbac.mask_amount(value double precision) RETURNS double precision
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'chat_rbac_mask_amount_float8';
COMMENT ON FUNCTION chat_rbac.mask_amount(double precision) IS 'An amount by its sign and order of magnitude: -1000 for -1234.56, 0.01 for 0.05.';

CREATE FUNCTION chat_rbac.guard_mask() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'chat_rbac_guard_mask';
COMMENT ON FUNCTION chat_rbac.guard_mask() IS 'Trigger, before an update that sets masked columns: requires that one may see them on the row (SQLSTATE 42501, naming the permission). create_view() makes it.';

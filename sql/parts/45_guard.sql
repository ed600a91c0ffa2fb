/* ---- the guard: each change needs its own right ---- */

CREATE FUNCTION chat_rbac.guard() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_guard';
COMMENT ON FUNCTION chat_rbac.guard() IS 'Trigger, before a change of a row of a protected table: requires what the "actions" of its specification require (SQLSTATE 42501, naming the permission). protect() makes it.';

CREATE FUNCTION chat_rbac.guard_truncate() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_guard_truncate';
COMMENT ON FUNCTION chat_rbac.guard_truncate() IS 'Trigger, before TRUNCATE of a protected table: refuses it to all but the owner (SQLSTATE 42501). protect() makes it.';

-- LEAKPROOF: these compare with what the session itself is writing. What they raise (the table was
-- renamed under the command) depends on that, and on no argument.
-- STABLE: true is for the new row of a check; to a scan the answer is no, for every row.
CREATE FUNCTION chat_rbac.approved(protected regclass, VARIADIC columns "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_approved';
COMMENT ON FUNCTION chat_rbac.approved(regclass, "any") IS 'Internal to policies: has the guard, in this command, just approved the row with these columns?';

CREATE FUNCTION chat_rbac.handing_over(protected regclass) RETURNS bigint
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_handing_over';
COMMENT ON FUNCTION chat_rbac.handing_over(regclass) IS 'Internal to policies: the current org while a row of the table is being written that the guard has approved; else NULL.';

CREATE FUNCTION chat_rbac.handed_over(protected regclass, VARIADIC columns "any") RETURNS boolean
LANGUAGE C STABLE LEAKPROOF PARALLEL SAFE COST 0.01
AS 'MODULE_PATHNAME', 'chat_rbac_handed_over';
COMMENT ON FUNCTION chat_rbac.handed_over(regclass, "any") IS 'Internal to policies: is it the row that is being written and that the guard has approved? True once: its author may not see it any more at the next statement.';

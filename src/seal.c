/*-------------------------------------------------------------------------
 *
 * src/seal.c
 *	  Sealing, verifying and redacting the trail: the calls, and hashes of blocks.
 *
 * A call looks at who calls, and then runs its other half, which is in
 * sql/parts/66_seal.sql, as the owner of the trail.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(chat_rbac_merkle_root);
PG_FUNCTION_INFO_V1(chat_rbac_merkle_path);
PG_FUNCTION_INFO_V1(chat_rbac_audit_contents);
PG_FUNCTION_INFO_V1(chat_rbac_audit_seal);
PG_FUNCTION_INFO_V1(chat_rbac_audit_verify);
PG_FUNCTION_INFO_V1(chat_rbac_audit_redact);

/* ---- trees ---- */

static size_t
count_leaves(const bytea *leaves)
{
	size_t		size = VARSIZE_ANY_EXHDR(leaves);

	if (size % RBAC_HASH_SIZE != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("leaves must be of %d bytes each", RBAC_HASH_SIZE)));
	return size / RBAC_HASH_SIZE;
}

/* chat_rbac.merkle_root(leaves bytea) -> bytea: the hash of the tree over them */
Datum
chat_rbac_merkle_root(PG_FUNCTION_ARGS)
{
	bytea	   *leaves = PG_GETARG_BYTEA_PP(0);
	size_t		nleaves = count_leaves(leaves);
	RbacHash	hash = rbac_hash_begin();
	uint8_t		root[RBAC_HASH_SIZE];

	rbac_merkle_root(&hash, (uint8_t *) VARDATA_ANY(leaves), nleaves, root);
	rbac_hash_end(&hash);
	PG_RETURN_BYTEA_P(rbac_hash_bytea(root, RBAC_HASH_SIZE));
}

/* chat_rbac.merkle_path(leaves bytea, leaf bigint) -> bytea[]: the audit path of one, counted from 1 */
Datum
chat_rbac_merkle_path(PG_FUNCTION_ARGS)
{
	bytea	   *leaves = PG_GETARG_BYTEA_PP(0);
	int64		leaf = PG_GETARG_INT64(1);
	size_t		nleaves = count_leaves(leaves);
	RbacHash	hash = rbac_hash_begin();
	uint8_t		path[RBAC_MERKLE_DEPTH * RBAC_HASH_SIZE];
	Datum		elements[RBAC_MERKLE_DEPTH];
	int			npath;

	if (leaf < 1 || (uint64) leaf > nleaves)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no leaf " INT64_FORMAT " among " UINT64_FORMAT, leaf, (uint64) nleaves)));
	npath = rbac_merkle_path(&hash, (uint8_t *) VARDATA_ANY(leaves), nleaves, (size_t) leaf - 1, path);
	rbac_hash_end(&hash);
	for (int i = 0; i < npath; i++)
		elements[i] = PointerGetDatum(rbac_hash_bytea(path + i * RBAC_HASH_SIZE, RBAC_HASH_SIZE));
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, npath, BYTEAOID, -1, false, TYPALIGN_INT));
}

/* ---- what a block has ---- */

/* The elements of a plain array, without nulls and counted from 1, of 64-bit integers; NULL if it is none. */
static Datum *
plain_elements(ArrayType *array, int *nelements)
{
	Datum	   *elements;

	if (ARR_HASNULL(array) || ARR_NDIM(array) > 1 || (ARR_NDIM(array) == 1 && ARR_LBOUND(array)[0] != 1))
		return NULL;
	deconstruct_array(array, ARR_ELEMTYPE(array), sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, NULL, nelements);
	return elements;
}

/*
 * chat_rbac.audit_contents(event_ids bigint[], times timestamptz[]) -> bytea
 *		The hash of which events a block has and when they were; NULL for arrays
 *		that no block has.
 */
Datum
chat_rbac_audit_contents(PG_FUNCTION_ARGS)
{
	int			nids;
	int			ntimes;
	Datum	   *ids = plain_elements(PG_GETARG_ARRAYTYPE_P(0), &nids);
	Datum	   *times = plain_elements(PG_GETARG_ARRAYTYPE_P(1), &ntimes);
	StringInfoData bytes;
	RbacHash	hash;
	RbacBytes	piece;
	uint8_t		out[RBAC_HASH_SIZE];

	if (ids == NULL || times == NULL || nids != ntimes)
		PG_RETURN_NULL();
	initStringInfo(&bytes);
	for (int i = 0; i < nids; i++)
	{
		pq_sendint64(&bytes, (uint64) DatumGetInt64(ids[i]));
		pq_sendint64(&bytes, (uint64) DatumGetTimestampTz(times[i]));
	}
	piece.data = bytes.data;
	piece.len = (size_t) bytes.len;
	hash = rbac_hash_begin();
	rbac_merkle_hash(&hash, RBAC_HASH_CONTENTS, &piece, 1, out);
	rbac_hash_end(&hash);
	PG_RETURN_BYTEA_P(rbac_hash_bytea(out, RBAC_HASH_SIZE));
}

/* ---- the calls ---- */

/*
 * Who calls must be above row-level security, or own the trail, or hold the
 * permission in all of their org.  Returns false for the first, and else that
 * org.  Raises 42501 for everybody else.
 */
static bool
bounded_by_org(FunctionCallInfo fcinfo, Oid trail, const char *permission, const char *deed, Datum *org)
{
	if (rbac_catalog_is_above(trail))
		return false;
	*org = Int64GetDatum(rbac_authz_require(fcinfo->flinfo, permission, deed)->grants->org);
	return true;
}

/* What become_owner() has changed and leave_owner() puts back. */
typedef struct OwnerScope
{
	Oid			save_user;
	int			save_context;
} OwnerScope;

static void
become_owner(OwnerScope *scope, Oid trail)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	rbac_catalog_become(rbac_catalog_owner(trail), &scope->save_user, &scope->save_context);
}

static void
leave_owner(const OwnerScope *scope)
{
	SetUserIdAndSecContext(scope->save_user, scope->save_context);
	SPI_finish();
}

/* The one value of the one row of a query with the arguments of the call. */
static Datum
call_as_owner(Oid trail, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls,
			  Oid result_type, bool *isnull)
{
	OwnerScope	scope;
	Datum		result;

	become_owner(&scope, trail);
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "unexpected result of \"%s\"", sql);
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	if (!*isnull)
		result = SPI_datumTransfer(result, get_typbyval(result_type), get_typlen(result_type));
	leave_owner(&scope);
	return result;
}

/*
 * chat_rbac.audit_seal() -> text
 *		Seal what can be; the digest of the newest block, NULL if there is none.
 */
Datum
chat_rbac_audit_seal(PG_FUNCTION_ARGS)
{
	Oid			trail = rbac_catalog_relation("audit_event");
	Datum		org;
	Datum		result;
	bool		isnull;

	bounded_by_org(fcinfo, trail, "audit.verify", "seal the audit trail", &org);
	result = call_as_owner(trail, "SELECT chat_rbac.audit_seal_blocks()", 0, NULL, NULL, NULL, TEXTOID, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/*
 * chat_rbac.audit_redact(event bigint, columns text[], reason text) -> bigint
 *		Take values out of an event; the id of the event that says so.
 */
Datum
chat_rbac_audit_redact(PG_FUNCTION_ARGS)
{
	Oid			trail = rbac_catalog_relation("audit_event");
	Oid			types[4] = {INT8OID, TEXTARRAYOID, TEXTOID, INT8OID};
	Datum		values[4];
	char		nulls[4];
	Datum		result;
	bool		isnull;

	for (int i = 0; i < 3; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	values[3] = (Datum) 0;
	nulls[3] = bounded_by_org(fcinfo, trail, "audit.redact", "redact the audit trail", &values[3]) ? ' ' : 'n';
	result = call_as_owner(trail, "SELECT chat_rbac.audit_redact_event($1, $2, $3, $4)", 4, types, values, nulls,
						   INT8OID, &isnull);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

#define FETCH_ROWS	1000

/*
 * chat_rbac.audit_verify(VARIADIC digests text[]) -> SETOF (block_no, event_id, xid, problem, detail)
 *		What does not fit; to a member, in detail for events of the own org only.
 */
Datum
chat_rbac_audit_verify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			trail = rbac_catalog_relation("audit_event");
	Oid			types[2] = {TEXTARRAYOID, INT8OID};
	Datum		values[2];
	char		nulls[2];
	OwnerScope	scope;
	Portal		portal;

	values[0] = PG_GETARG_DATUM(0);
	nulls[0] = PG_ARGISNULL(0) ? 'n' : ' ';
	values[1] = (Datum) 0;
	nulls[1] = bounded_by_org(fcinfo, trail, "audit.verify", "verify the audit trail", &values[1]) ? ' ' : 'n';
	InitMaterializedSRF(fcinfo, 0);

	/*
	 * the catalogue tells of now which tables to read, so a snapshot from
	 * before a partition was detached would miss its events
	 */
	LockRelationOid(trail, AccessShareLock);
	become_owner(&scope, trail);
	PushActiveSnapshot(GetLatestSnapshot());
	portal = SPI_cursor_open_with_args(NULL, "SELECT * FROM chat_rbac.audit_problems($1, $2)", 2, types, values, nulls,
									   true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
		if (SPI_processed == 0)
			break;
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	PopActiveSnapshot();
	leave_owner(&scope);
	return (Datum) 0;
}

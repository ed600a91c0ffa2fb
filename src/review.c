/*-------------------------------------------------------------------------
 *
 * src/review.c
 *	  Looking at the session and the cache: whoami() and its like.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(chat_rbac_current_roles);
PG_FUNCTION_INFO_V1(chat_rbac_whoami);
PG_FUNCTION_INFO_V1(chat_rbac_session_reach);
PG_FUNCTION_INFO_V1(chat_rbac_cache_stats);

static Datum
names_array(char **names, int nnames)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(nnames, 1));

	for (int i = 0; i < nnames; i++)
		values[i] = CStringGetTextDatum(names[i]);
	return PointerGetDatum(construct_array(values, nnames, TEXTOID, -1, false, TYPALIGN_INT));
}

static TupleDesc
result_row(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(desc);
}

/* chat_rbac.current_roles() -> text[]: names of the roles active now; NULL for nobody */
Datum
chat_rbac_current_roles(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_follow(fcinfo->flinfo);

	if (check->grants == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(names_array(check->grants->roles, check->grants->nroles));
}

/* What says who asks: a setting, or a login where none counts. */
static char *
source_text(const RbacIdentity *identity)
{
	const char *outlived = rbac_identity_outlived();
	const char *login;

	if (identity->source == RBAC_BY_TOKEN)
		return "chat_rbac.token";
	if (identity->source == RBAC_BY_SETTING)
		return "chat_rbac.identity";
	if (!OidIsValid(identity->login))
		return "(none: on behalf of a table's owner)";
	login = GetUserNameFromId(identity->login, true);
	login = login != NULL ? quote_identifier(login) : "(dropped)";
	return outlived != NULL ? psprintf("login %s; %s is of an earlier transaction", login, outlived)
		: psprintf("login %s", login);
}

/*
 * chat_rbac.whoami() -> (org_id, org, member_id, member, roles, source, status, lifetime, expires)
 *		Always one row.  source: which setting, or whose login, tells; status:
 *		"active", "inactive", or "nobody" where there is no such member;
 *		lifetime: chat_rbac.identity_lifetime; expires: when a token does.
 */
Datum
chat_rbac_whoami(PG_FUNCTION_ARGS)
{
	static const char *const standings[] = {"nobody", "inactive", "active"};
	TupleDesc	desc = result_row(fcinfo);
	RbacAsker	asker;
	RbacGrants *grants;
	Datum		values[9] = {0};
	bool		nulls[9];
	HeapTuple	row;

	rbac_token_asker(&asker);
	grants = rbac_grants_pin(&asker);
	memset(nulls, grants->standing == RBAC_NOBODY, sizeof(nulls));
	nulls[5] = nulls[6] = nulls[7] = false;
	nulls[8] = asker.identity.source != RBAC_BY_TOKEN;
	if (grants->standing != RBAC_NOBODY)
	{
		values[0] = Int64GetDatum(grants->org);
		values[1] = CStringGetTextDatum(grants->org_name);
		values[2] = Int64GetDatum(grants->member);
		values[3] = CStringGetTextDatum(grants->member_name);
		values[4] = names_array(grants->roles, grants->nroles);
	}
	values[5] = CStringGetTextDatum(source_text(&asker.identity));
	values[6] = CStringGetTextDatum(standings[grants->standing]);
	values[7] = CStringGetTextDatum(rbac_identity_lifetime());
	values[8] = TimestampTzGetDatum(asker.expires);
	rbac_grants_unpin(grants);

	row = heap_form_tuple(desc, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

/*
 * chat_rbac.session_reach() -> setof (unit_id, permissions)
 *		What the decision goes by: the permissions of the active roles at each
 *		unit where one is granted, and in the whole org (NULL).
 */
Datum
chat_rbac_session_reach(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RbacCheck  *check = rbac_authz_follow(fcinfo->flinfo);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; check->grants != NULL && i < check->grants->nreach; i++)
	{
		const RbacReach *reach = &check->grants->reach[i];
		RbacPermission *items = palloc(sizeof(RbacPermission) * (rbac_permset_count(&reach->permissions) + 1));
		int			nitems = 0;
		size_t		pos = 0;
		Datum		values[2];
		bool		nulls[2] = {reach->org_wide, false};

		while (rbac_permset_next(&reach->permissions, &pos, &items[nitems]))
			nitems++;
		values[0] = Int64GetDatum(reach->unit_id);
		values[1] = PointerGetDatum(rbac_permset_make(items, nitems));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * chat_rbac.cache_stats() -> (entries, bytes, hits, builds, evictions, generation, verifications)
 *		This session's cache of compiled grants: how many identities and bytes
 *		it holds; how often an answer was found, made, or pushed out; and how
 *		many invalidations it has seen, plus one; and how many signatures of
 *		tokens it has checked.
 */
Datum
chat_rbac_cache_stats(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = result_row(fcinfo);
	RbacCacheStats stats;
	Datum		values[7];
	bool		nulls[7] = {0};

	rbac_grants_stats(&stats);
	values[0] = Int64GetDatum(stats.entries);
	values[1] = Int64GetDatum(stats.bytes);
	values[2] = Int64GetDatum(stats.hits);
	values[3] = Int64GetDatum(stats.builds);
	values[4] = Int64GetDatum(stats.evictions);
	values[5] = Int64GetDatum((int64) rbac_inval_generation);
	values[6] = Int64GetDatum((int64) rbac_token_verifications());
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

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

/*
 * chat_rbac.whoami() -> (org_id, org, member_id, member, roles, source, status)
 *		Always one row.  source: which setting, or whose login, tells; status:
 *		"active", "inactive", or "nobody" where there is no such member.
 */
Datum
chat_rbac_whoami(PG_FUNCTION_ARGS)
{
	static const char *const standings[] = {"nobody", "inactive", "active"};
	TupleDesc	desc = result_row(fcinfo);
	RbacIdentity identity;
	char	   *login;
	RbacGrants *grants;
	Datum		values[7] = {0};
	bool		nulls[7];
	HeapTuple	row;

	rbac_identity_get(&identity);
	login = identity.source == RBAC_BY_LOGIN ? GetUserNameFromId(identity.login, true) : NULL;
	grants = rbac_grants_pin(&identity, rbac_identity_active_roles());
	memset(nulls, grants->standing == RBAC_NOBODY, sizeof(nulls));
	nulls[5] = nulls[6] = false;
	if (grants->standing != RBAC_NOBODY)
	{
		values[0] = Int64GetDatum(grants->org);
		values[1] = CStringGetTextDatum(grants->org_name);
		values[2] = Int64GetDatum(grants->member);
		values[3] = CStringGetTextDatum(grants->member_name);
		values[4] = names_array(grants->roles, grants->nroles);
	}
	if (identity.source == RBAC_BY_SETTING)
		values[5] = CStringGetTextDatum("chat_rbac.identity");
	else
		values[5] = CStringGetTextDatum(psprintf("login %s", quote_identifier(login ? login : "(dropped)")));
	values[6] = CStringGetTextDatum(standings[grants->standing]);
	rbac_grants_unpin(grants);

	row = heap_form_tuple(desc, values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

/*
 * chat_rbac.cache_stats() -> (entries, bytes, hits, builds, evictions, generation)
 *		This session's cache of compiled grants: how many identities and bytes
 *		it holds; how often an answer was found, made, or pushed out; and how
 *		many invalidations it has seen, plus one.
 */
Datum
chat_rbac_cache_stats(PG_FUNCTION_ARGS)
{
	TupleDesc	desc = result_row(fcinfo);
	RbacCacheStats stats;
	Datum		values[6];
	bool		nulls[6] = {0};

	rbac_grants_stats(&stats);
	values[0] = Int64GetDatum(stats.entries);
	values[1] = Int64GetDatum(stats.bytes);
	values[2] = Int64GetDatum(stats.hits);
	values[3] = Int64GetDatum(stats.builds);
	values[4] = Int64GetDatum(stats.evictions);
	values[5] = Int64GetDatum((int64) rbac_inval_generation);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

/*-------------------------------------------------------------------------
 *
 * src/admin.c
 *	  Changes to the RBAC tables by members: nobody gives what they do not hold.
 *
 * Whether a change is allowed is asked here, row by row, before the row is
 * written; demand.c knows what it takes, and whether that is held.
 *
 * All such changes in one org wait for each other: the org's row is locked first,
 * and only then are the asker's grants looked at, anew, so that what another
 * session has taken away meanwhile does not count.  Two owners cannot remove each
 * other.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(chat_rbac_administer);
PG_FUNCTION_INFO_V1(chat_rbac_administer_truncate);
PG_FUNCTION_INFO_V1(chat_rbac_revoke_tokens);
PG_FUNCTION_INFO_V1(chat_rbac_units_scope);

static RbacQuery units_at_or_below = {
	"WITH RECURSIVE s(unit_id) AS (SELECT r FROM pg_catalog.unnest($2) AS r"
	" UNION SELECT u.unit_id FROM s CROSS JOIN LATERAL (SELECT u.unit_id FROM chat_rbac.unit u"
	"  WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.parent_id OPERATOR(pg_catalog.=) s.unit_id AND NOT u.sealed OFFSET 0) AS u)"
	" SELECT s.unit_id FROM s",
	2, {INT8OID, INT8ARRAYOID}, NULL
};

/*
 * chat_rbac.units_scope(permissions permset) -> bigint[]
 *		The ids of the units at or below which any of the permissions is granted
 *		for every row.  Org-wide grants are not in it.
 */
Datum
chat_rbac_units_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	MemoryContext own = CurrentMemoryContext;
	RbacPermset wanted;
	const RbacScope *scope;
	RbacCatalogScope catalog;
	Datum		args[2];
	int64	   *ids;
	uint64		rows;

	if (check->grants == NULL)
		return rbac_compile_array(NULL, 0);
	rbac_permset_view(PG_GETARG_VARLENA_PP(0), &wanted);
	scope = rbac_authz_scope(check->grants, &wanted, "all", 3, false, false, CurrentMemoryContext);
	if (scope->nreach == 0)
		return rbac_compile_array(NULL, 0);
	ids = palloc(sizeof(int64) * scope->nreach);
	for (int i = 0; i < scope->nreach; i++)
		ids[i] = scope->reach[i]->unit_id;

	args[0] = Int64GetDatum(check->grants->org);
	args[1] = rbac_compile_array(ids, scope->nreach);
	rbac_catalog_open(&catalog);
	rows = rbac_catalog_query(&catalog, &units_at_or_below, args, NULL);
	ids = MemoryContextAlloc(own, sizeof(int64) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
		ids[i] = rbac_catalog_int64(i, 1, NULL);
	rbac_catalog_close(&catalog);
	return rbac_compile_array(ids, (int) rows);
}

/* ---- the trigger ---- */

static void
unpin(void *grants)
{
	rbac_grants_unpin((RbacGrants *) grants);
}

/* The asker's grants, anew if need be, until the current memory context is reset; NULL: nobody's. */
static RbacGrants *
grants_of_now(bool anew)
{
	MemoryContextCallback *release = palloc0(sizeof(MemoryContextCallback));
	RbacAsker	asker;
	RbacGrants *grants;

	rbac_token_asker(&asker);
	grants = anew ? rbac_grants_pin_anew(&asker) : rbac_grants_pin(&asker);
	release->func = unpin;
	release->arg = grants;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, release);
	return grants->standing == RBAC_ACTIVE ? grants : NULL;
}

/* A grant says who made it and when. */
static HeapTuple
sign_grant(Relation rel, HeapTuple row, const RbacGrants *grants)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			columns[2] = {SPI_fnumber(desc, "granted_by"), SPI_fnumber(desc, "granted_at")};
	Datum		values[2] = {Int64GetDatum(grants->member), TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())};
	bool		nulls[2] = {false, false};

	return heap_modify_tuple_by_cols(row, desc, 2, columns, values, nulls);
}

/*
 * The asker's grants, looked at when nobody else can change the model of the org
 * any more.  That must be anew: a commit lets go of its locks a little before it
 * tells that what others remember is stale.
 */
static RbacGrants *
grants_under_lock(FmgrInfo *flinfo, const char *table)
{
	static RbacCommandMark locked = {0, InvalidCommandId, 0, 0, 0};
	RbacCheck  *check = rbac_authz_check(flinfo);
	RbacGrants *grants = check->grants;

	rbac_authz_refuse_switched(check, table);
	if (grants != NULL)
	{
		rbac_catalog_lock_org(grants->org);
		grants = grants_of_now(!rbac_command_is(&locked));
		locked = rbac_command_now();
	}
	if (grants == NULL)
		rbac_refusal_raise("action", NULL, NULL, psprintf("no active member is asking to change \"%s\"", table), NULL,
						   "SELECT * FROM chat_rbac.whoami() shows who asks.");
	return grants;
}

/*
 * chat_rbac.administer() trigger
 *		BEFORE INSERT OR UPDATE OR DELETE, for each row, on each RBAC table.
 */
Datum
chat_rbac_administer(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Relation	rel;
	RbacGrants *grants;
	HeapTuple	old;
	HeapTuple	new;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired before a change, for each row", "chat_rbac.administer")));
	rel = trigdata->tg_relation;
	old = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? NULL : trigdata->tg_trigtuple;
	new = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? trigdata->tg_trigtuple :
		TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : NULL;
	if (rbac_catalog_is_above(RelationGetRelid(rel)))
		return PointerGetDatum(new != NULL ? new : old);

	grants = grants_under_lock(fcinfo->flinfo, RelationGetRelationName(rel));
	if (new != NULL && strcmp(RelationGetRelationName(rel), "role_grant") == 0)
		new = sign_grant(rel, new, grants);
	rbac_demand_change(grants, rel, old, new);
	return PointerGetDatum(new != NULL ? new : old);
}

/* chat_rbac.administer_truncate() trigger: BEFORE TRUNCATE, which asks about no row */
Datum
chat_rbac_administer_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired by TRUNCATE", "chat_rbac.administer_truncate")));
	if (!rbac_catalog_is_above(RelationGetRelid(trigdata->tg_relation)))
		rbac_refusal_raise("action", rbac_authz_check(fcinfo->flinfo)->grants, NULL,
						   psprintf("must be owner of table \"%s\" to truncate it", RelationGetRelationName(trigdata->tg_relation)),
						   NULL, NULL);
	return PointerGetDatum(NULL);
}

/*
 * chat_rbac.revoke_tokens(member bigint) -> timestamptz
 *		From now on no token of this member counts that was issued before.  42501
 *		for who may not manage them, in the whole org, unless it is oneself; 42704:
 *		no such member.
 */
Datum
chat_rbac_revoke_tokens(PG_FUNCTION_ARGS)
{
	int64		member = PG_GETARG_INT64(0);
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	Oid			owner = rbac_catalog_owner(rbac_catalog_relation("member"));
	Oid			types[3] = {INT8OID, INT8OID, TIMESTAMPTZOID};
	TimestampTz now;
	Datum		values[3];
	Oid			save_user;
	int			save_context;

	if (check->grants == NULL || check->grants->member != member)
	{
		check = rbac_authz_require(fcinfo->flinfo, "member.manage", "revoke the tokens of another member");
		rbac_demand_revoke(check->grants, member);
	}
	PreventCommandIfReadOnly("revoke_tokens()");
	values[0] = Int64GetDatum(check->grants->org);
	values[1] = Int64GetDatum(member);

	SPI_connect();
	rbac_catalog_become(owner, &save_user, &save_context);

	/*
	 * the time is taken when no token can be issued any more before this
	 * counts
	 */
	if (SPI_execute_with_args("SELECT 1 FROM chat_rbac.member m"
							  " WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
							  2, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not lock a member");
	now = GetCurrentTimestamp();
	values[2] = TimestampTzGetDatum(now);
	if (SPI_execute_with_args("UPDATE chat_rbac.member SET tokens_valid_from = $3"
							  " WHERE org_id OPERATOR(pg_catalog.=) $1 AND member_id OPERATOR(pg_catalog.=) $2",
							  3, types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not revoke tokens");
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("org " INT64_FORMAT " has no member " INT64_FORMAT, check->grants->org, member)));
	SetUserIdAndSecContext(save_user, save_context);
	SPI_finish();
	PG_RETURN_TIMESTAMPTZ(now);
}

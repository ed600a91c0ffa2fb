/*-------------------------------------------------------------------------
 *
 * src/admin.c
 *	  Changes to the RBAC tables by members: nobody gives what they do not hold.
 *
 * chat_rbac.demands() says, in SQL, what a change asks for: permissions, each at a
 * unit or in the whole org.  The decision whether who asks holds them is the
 * library's one decision, and is made here, row by row, before the row is written.
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
#include "utils/array.h"
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

/* Only whose grants are not all for good, or do not all count, is asked for how long; lasting are those that do. */
#define DEMAND_COLUMNS(org, me, lasting) \
	"SELECT d.permission::text, d.unit_id, d.reason, d.refusal, d.hint, d.until," \
	" CASE WHEN d.until IS NULL THEN NULL" \
	"  WHEN NOT EXISTS (SELECT FROM chat_rbac.role_grant g WHERE g.org_id OPERATOR(pg_catalog.=) " org \
	"   AND g.member_id OPERATOR(pg_catalog.=) " me \
	"   AND (NOT pg_catalog.upper_inf(g.valid) OR g.grant_id OPERATOR(pg_catalog.<>) ALL (" lasting "))) THEN 'infinity'" \
	"  ELSE chat_rbac.held_until(" org ", " lasting ", d.permission, d.unit_id) END," \
	" ARRAY(SELECT chat_rbac.places_above(" org ", d.unit_id))"

/* What revoking the tokens of another member asks for: as the change that it is. */
static RbacQuery revoke_demands = {
	DEMAND_COLUMNS("$1", "$2", "$4")
	" FROM chat_rbac.member m CROSS JOIN LATERAL chat_rbac.demands('member', pg_catalog.to_jsonb(m), pg_catalog.to_jsonb(m)"
	"  OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('tokens_valid_from', pg_catalog.clock_timestamp()), $1, $2) AS d"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) $3",
	4, {INT8OID, INT8OID, INT8OID, INT8ARRAYOID}, NULL
};

/* What issuing a token for a member asks for, beside token.issue in the whole org. */
static RbacQuery issue_demands = {
	DEMAND_COLUMNS("$1", "$2", "$4")
	" FROM chat_rbac.demands('token', NULL, pg_catalog.jsonb_build_object('org_id', $1, 'member_id', $3), $1, $2) AS d",
	4, {INT8OID, INT8OID, INT8OID, INT8ARRAYOID}, NULL
};

/* What a change asks for: a permission held at a unit, or, if refusal is given, nothing would do. */
typedef struct Demand
{
	char	   *permission;		/* NULL with a refusal that is about none */
	bool		org_wide;
	int64		unit_id;		/* unless org_wide */
	int			nplaces;		/* where it may be granted: there, or above; */
	Datum	   *places;
	bool	   *is_org;			/* or there, in the whole org */
	TimestampTz until;			/* how long it must be held; DT_NOBEGIN: now */
	TimestampTz held_until;		/* how long it is, if it is */
	char	   *reason;			/* why it is asked for */
	char	   *refusal;
	char	   *hint;
} Demand;

/* ---- what is held where ---- */

static bool
reaches(const RbacScope *scope, const Demand *demand)
{
	for (int n = 0; n < demand->nplaces; n++)
	{
		if (demand->is_org[n] && scope->org_wide)
			return true;
		for (int i = 0; i < scope->nreach && !demand->is_org[n]; i++)
		{
			if (scope->reach[i]->unit_id == DatumGetInt64(demand->places[n]))
				return true;
		}
	}
	return false;
}

/* Do grants carry a permission, under its relation or for every row, at a unit or in the whole org? */
static bool
is_held(RbacGrants *grants, const Demand *demand)
{
	char		bytes[RBAC_PERMISSION_MAX + 1];
	const char *relation = "all";
	int			relation_len = 3;
	RbacPermission wanted;
	RbacPermset set;
	const RbacScope *scope;

	if (rbac_permission_parse(demand->permission, strlen(demand->permission), &wanted) != NULL)
		elog(ERROR, "invalid permission \"%s\"", demand->permission);
	if (wanted.relation_len > 0)
	{
		relation = &demand->permission[wanted.len - wanted.relation_len];
		relation_len = wanted.relation_len;
	}
	set = rbac_permset_of_one(&wanted, bytes);
	scope = rbac_authz_scope(grants, &set, relation, relation_len, true, false, CurrentMemoryContext);
	return reaches(scope, demand);
}

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

/* Past row-level security, and so past this too: whoever could switch it off. */
static bool
is_above(Oid relid)
{
	return has_bypassrls_privilege(GetUserId()) || rbac_is_owner(relid, GetUserId());
}

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

/* One kept plan for each of the tables, whose rows it takes. */
typedef struct TablePlan
{
	Oid			relid;
	Oid			row_type;
	RbacQuery	query;
	struct TablePlan *next;
} TablePlan;

static RbacQuery *
demands_query(Relation rel)
{
	static TablePlan *plans = NULL;
	TablePlan  *plan;

	for (plan = plans; plan != NULL; plan = plan->next)
	{
		if (plan->relid == RelationGetRelid(rel) && plan->row_type == rel->rd_rel->reltype)
			return &plan->query;
	}
	plan = MemoryContextAllocZero(TopMemoryContext, sizeof(TablePlan));
	plan->relid = RelationGetRelid(rel);
	plan->row_type = rel->rd_rel->reltype;
	plan->query.sql = DEMAND_COLUMNS("$4", "$5", "$6")
		" FROM chat_rbac.demands($1, pg_catalog.to_jsonb($2), pg_catalog.to_jsonb($3), $4, $5) AS d";
	plan->query.nargs = 6;
	plan->query.argtypes[0] = TEXTOID;
	plan->query.argtypes[1] = plan->row_type;
	plan->query.argtypes[2] = plan->row_type;
	plan->query.argtypes[3] = INT8OID;
	plan->query.argtypes[4] = INT8OID;
	plan->query.argtypes[5] = INT8ARRAYOID;
	plan->next = plans;
	plans = plan;
	return &plan->query;
}

static char *
copy_text(uint64 row, int column, MemoryContext context)
{
	char	   *value = rbac_catalog_text(row, column);

	return value != NULL ? MemoryContextStrdup(context, value) : NULL;
}

/* Where what a demand asks for may be granted, copied. */
static void
take_places(uint64 row, int column, Demand *demand, MemoryContext context)
{
	bool		isnull;
	Datum		array = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext old = MemoryContextSwitchTo(context);

	deconstruct_array(DatumGetArrayTypePCopy(array), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &demand->places, &demand->is_org, &demand->nplaces);
	MemoryContextSwitchTo(old);
}

/* The place of a demand, in words. */
static char *
place_of(const Demand *demand)
{
	return demand->org_wide ? "in the whole org" : psprintf("at unit " INT64_FORMAT, demand->unit_id);
}

static void
require(RbacGrants *grants, const Demand *demand)
{
	if (demand->refusal != NULL)
		rbac_refusal_raise("action", grants, demand->permission, demand->refusal, NULL, demand->hint);
	if (!is_held(grants, demand))
		rbac_refusal_raise("action", grants, demand->permission,
						   psprintf("permission \"%s\" is needed %s to %s", demand->permission, place_of(demand), demand->reason),
						   NULL, demand->hint);
	if (demand->held_until < demand->until)
		rbac_refusal_raise("action", grants, demand->permission,
						   psprintf("permission \"%s\" is held %s until %s only, which is not enough to %s", demand->permission,
									place_of(demand), timestamptz_to_str(demand->held_until), demand->reason),
						   NULL, demand->hint);
}

/* What a query says that a change asks for; the first that is not held is refused. */
static void
require_all(RbacGrants *grants, RbacQuery *query, Datum *args, const char *nulls)
{
	MemoryContext own = CurrentMemoryContext;
	RbacCatalogScope catalog;
	uint64		rows;
	Demand	   *demands;

	rbac_catalog_open(&catalog);
	rows = rbac_catalog_query(&catalog, query, args, nulls);
	demands = MemoryContextAllocZero(own, sizeof(Demand) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;

		demands[i].permission = copy_text(i, 1, own);
		demands[i].unit_id = rbac_catalog_int64(i, 2, &demands[i].org_wide);
		demands[i].reason = copy_text(i, 3, own);
		demands[i].refusal = copy_text(i, 4, own);
		demands[i].hint = copy_text(i, 5, own);
		demands[i].until = rbac_catalog_int64(i, 6, &isnull);
		if (isnull)
			demands[i].until = DT_NOBEGIN;
		demands[i].held_until = rbac_catalog_int64(i, 7, &isnull);
		if (isnull)
			demands[i].held_until = DT_NOBEGIN;
		take_places(i, 8, &demands[i], own);
	}
	rbac_catalog_close(&catalog);
	for (uint64 i = 0; i < rows; i++)
		require(grants, &demands[i]);
}

static void
require_change(RbacGrants *grants, Relation rel, HeapTuple old, HeapTuple new)
{
	Datum		args[6] = {0};
	char		nulls[6] = {' ', 'n', 'n', ' ', ' ', ' '};

	args[0] = CStringGetTextDatum(RelationGetRelationName(rel));
	if (old != NULL)
	{
		args[1] = heap_copy_tuple_as_datum(old, RelationGetDescr(rel));
		nulls[1] = ' ';
	}
	if (new != NULL)
	{
		args[2] = heap_copy_tuple_as_datum(new, RelationGetDescr(rel));
		nulls[2] = ' ';
	}
	args[3] = Int64GetDatum(grants->org);
	args[4] = Int64GetDatum(grants->member);
	args[5] = rbac_compile_array(grants->lasting, grants->nlasting);
	require_all(grants, demands_query(rel), args, nulls);
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
	if (is_above(RelationGetRelid(rel)))
		return PointerGetDatum(new != NULL ? new : old);

	grants = grants_under_lock(fcinfo->flinfo, RelationGetRelationName(rel));
	if (new != NULL && strcmp(RelationGetRelationName(rel), "role_grant") == 0)
		new = sign_grant(rel, new, grants);
	require_change(grants, rel, old, new);
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
	if (!is_above(RelationGetRelid(trigdata->tg_relation)))
		rbac_refusal_raise("action", rbac_authz_check(fcinfo->flinfo)->grants, NULL,
						   psprintf("must be owner of table \"%s\" to truncate it", RelationGetRelationName(trigdata->tg_relation)),
						   NULL, NULL);
	return PointerGetDatum(NULL);
}

/* Refuse a deed to another member for which grants do not carry what the query says that it asks for. */
static void
require_toward(RbacGrants *grants, RbacQuery *query, int64 member)
{
	Datum		args[4];

	args[0] = Int64GetDatum(grants->org);
	args[1] = Int64GetDatum(grants->member);
	args[2] = Int64GetDatum(member);
	args[3] = rbac_compile_array(grants->lasting, grants->nlasting);
	require_all(grants, query, args, NULL);
}

/*
 * rbac_admin_require_issue
 *		Raises 42501 where a token for the member would reach into a sealed unit
 *		in which who asks may not issue one.
 */
void
rbac_admin_require_issue(RbacGrants *grants, int64 member)
{
	if (grants->sealed != NULL)
		require_toward(grants, &issue_demands, member);
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
		require_toward(check->grants, &revoke_demands, member);
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

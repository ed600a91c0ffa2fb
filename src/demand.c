/*-------------------------------------------------------------------------
 *
 * src/demand.c
 *	  What a change of the RBAC tables asks for, and whether it is held.
 *
 * chat_rbac.demands() says, in SQL, what a change asks for: permissions, each at a
 * unit or in the whole org.  The decision whether grants carry them is the
 * library's one decision: rbac_authz_scope() says where, and here is only looked
 * whether that is one of the places that count at the unit.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Only whose grants are not all for good, or do not all count, is asked for how long; lasting are those that do. */
#define DEMAND_COLUMNS(org, me, lasting) \
	"SELECT d.permission::pg_catalog.text, d.unit_id, d.reason, d.refusal, d.hint, d.until," \
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

/* ---- what is asked for ---- */

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

		demands[i].permission = rbac_catalog_copy_text(i, 1, own);
		demands[i].unit_id = rbac_catalog_int64(i, 2, &demands[i].org_wide);
		demands[i].reason = rbac_catalog_copy_text(i, 3, own);
		demands[i].refusal = rbac_catalog_copy_text(i, 4, own);
		demands[i].hint = rbac_catalog_copy_text(i, 5, own);
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

/*
 * rbac_demand_change
 *		Raises 42501 where grants do not carry what a change of a row of an RBAC
 *		table asks for; old or new is NULL where there is none.
 */
void
rbac_demand_change(RbacGrants *grants, Relation rel, HeapTuple old, HeapTuple new)
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
 * rbac_demand_issue
 *		Raises 42501 where a token for the member would reach into a sealed unit
 *		in which grants do not carry token.issue.
 */
void
rbac_demand_issue(RbacGrants *grants, int64 member)
{
	if (grants->sealed != NULL)
		require_toward(grants, &issue_demands, member);
}

/* The same for revoking all tokens of another member. */
void
rbac_demand_revoke(RbacGrants *grants, int64 member)
{
	require_toward(grants, &revoke_demands, member);
}

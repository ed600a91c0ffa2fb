/*-------------------------------------------------------------------------
 *
 * src/reach.c
 *	  Parts of compiled grants that only some policies ask for, made when they are.
 *
 * They live as long as the grants that they belong to.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Who holds a role at unit $2 or below it, as far as a grant there reaches; also who is not on shift now. */
static RbacQuery people_below = {
	"WITH RECURSIVE s(unit_id) AS ("
	" SELECT $2 UNION SELECT u.unit_id FROM s CROSS JOIN LATERAL (SELECT u.unit_id FROM chat_rbac.unit u"
	"  WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.parent_id OPERATOR(pg_catalog.=) s.unit_id AND NOT u.sealed OFFSET 0) AS u)"
	" SELECT g.member_id, pg_catalog.lower(g.valid), pg_catalog.upper(g.valid),"
	"  g.valid OPERATOR(pg_catalog.@>) $3"
	" FROM s CROSS JOIN LATERAL (SELECT g.member_id, g.valid FROM chat_rbac.role_grant g"
	"  WHERE g.org_id OPERATOR(pg_catalog.=) $1 AND g.unit_id OPERATOR(pg_catalog.=) s.unit_id OFFSET 0) AS g"
	" WHERE pg_catalog.upper_inf(g.valid) OR pg_catalog.upper(g.valid) OPERATOR(pg_catalog.>) $3",
	3, {INT8OID, INT8OID, TIMESTAMPTZOID}, NULL
};

static RbacQuery members_of_org = {
	"SELECT m.member_id FROM chat_rbac.member m WHERE m.org_id OPERATOR(pg_catalog.=) $1",
	1, {INT8OID}, NULL
};

/* The number of a unit kind among those in reach, or -1. */
int
rbac_reach_kind(const RbacGrants *grants, const char *kind, int len)
{
	for (int i = 0; i < grants->nkinds; i++)
	{
		if (strncmp(grants->kinds[i], kind, len) == 0 && grants->kinds[i][len] == '\0')
			return i;
	}
	return -1;
}

/* A set of ids[0 .. nids-1], all of it in context; ids is copied. */
RbacIdSet *
rbac_reach_idset(MemoryContext context, int64 *ids, int nids)
{
	RbacIdSet  *set = MemoryContextAlloc(context, sizeof(RbacIdSet));
	int64	   *copy = MemoryContextAllocHuge(context, sizeof(int64) * Max(nids, 1));
	int32	   *slots = MemoryContextAllocHuge(context, sizeof(int32) * rbac_idset_slots(nids));

	if (nids > 0)
		memcpy(copy, ids, sizeof(int64) * nids);
	rbac_idset_build(set, (int64_t *) copy, nids, slots);
	return set;
}

/* The keys of one kind of unit, at and below a reach's unit. */
RbacIdSet *
rbac_reach_keys(RbacGrants *grants, RbacReach *reach, int kind)
{
	if (reach->keys_by_kind == NULL)
		reach->keys_by_kind = MemoryContextAllocZero(grants->context,
													 sizeof(RbacIdSet *) * Max(grants->nkinds, 1));
	if (reach->keys_by_kind[kind] == NULL)
	{
		int64	   *ids = palloc(sizeof(int64) * Max(reach->nkeys, 1));
		int			nids = 0;

		for (int i = 0; i < reach->nkeys; i++)
		{
			if (reach->keys[i].kind == kind)
				ids[nids++] = reach->keys[i].key;
		}
		reach->keys_by_kind[kind] = rbac_reach_idset(grants->context, ids, nids);
		pfree(ids);
	}
	return reach->keys_by_kind[kind];
}

/* Ids from column 1 of the last query where column 4 is true, if there is one. */
static RbacIdSet *
idset_of_result(RbacGrants *grants, uint64 rows, bool bounded)
{
	int64	   *ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(rows, 1));
	int			nids = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		if (bounded)
		{
			rbac_compile_note_bound(grants, i, 2);
			rbac_compile_note_bound(grants, i, 3);
			if (!rbac_catalog_bool(i, 4))
				continue;
		}
		ids[nids++] = rbac_catalog_int64(i, 1, NULL);
	}
	return rbac_reach_idset(grants->context, ids, nids);
}

/* Who holds a role at a reach's unit or below it.  May throw. */
RbacIdSet *
rbac_reach_people(RbacGrants *grants, RbacReach *reach)
{
	if (reach->people == NULL)
	{
		RbacCatalogScope scope;
		Datum		args[3];

		args[0] = Int64GetDatum(grants->org);
		args[1] = Int64GetDatum(reach->unit_id);
		args[2] = TimestampTzGetDatum(rbac_now());
		rbac_catalog_open(&scope);
		reach->people = idset_of_result(grants, rbac_catalog_query(&scope, &people_below, args, NULL), true);
		rbac_catalog_close(&scope);
	}
	return reach->people;
}

/* Everybody in the org, active or not.  May throw. */
RbacIdSet *
rbac_reach_members(RbacGrants *grants)
{
	if (grants->members == NULL)
	{
		RbacCatalogScope scope;
		Datum		arg = Int64GetDatum(grants->org);

		rbac_catalog_open(&scope);
		grants->members = idset_of_result(grants, rbac_catalog_query(&scope, &members_of_org, &arg, NULL), false);
		rbac_catalog_close(&scope);
	}
	return grants->members;
}

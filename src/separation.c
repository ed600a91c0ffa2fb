/*-------------------------------------------------------------------------
 *
 * src/separation.c
 *	  Static separation of duty: nobody is given too many roles of a set.
 *
 * A separation of cardinality n is violated when at one time, now or later,
 * the grants of one member add up to n of its roles, inherited ones counted.
 * Where the grants are, at which unit, does not matter, and neither does
 * whether the member is active.  Grants that are over never come back.
 *
 * Two sessions can violate it together.  So the trigger locks the org's row
 * and then looks under a snapshot taken after the lock was had, at any
 * isolation level.  A grant where there is nothing to separate takes the lock
 * of a foreign key, which others share; whoever changes a separation waits for
 * all of these.  As that lock goes on to the stronger one without waiting for
 * others like it, two grants do not wait for each other in a circle.
 *
 * What a subscription applies is not looked at again: see model.c.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(chat_rbac_refuse_joint);

#define ORG_LOCK(strength) { \
	"SELECT 1 FROM chat_rbac.org o WHERE o.org_id OPERATOR(pg_catalog.=) $1 FOR " strength, \
	1, {INT8OID}, NULL}

static RbacQuery lock_shared = ORG_LOCK("KEY SHARE");
static RbacQuery lock_all = ORG_LOCK("UPDATE");

static RbacQuery any_static = {
	"SELECT 1 FROM chat_rbac.separation s"
	" WHERE s.org_id OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) 'static' LIMIT 1",
	1, {INT8OID}, NULL
};

/*
 * Of held, which says by which grants members have a separation's roles from
 * $2 on, the first member who has too many at a time.  That number is reached
 * at the beginning of some grant.  Members are first looked at without regard
 * to time, so that the look at each beginning is for few.
 */
#define FIRST_JOINT \
	" SELECT s.name, m.name, j.roles, j.granted, j.at, s.cardinality" \
	" FROM (SELECT h.separation_id, h.member_id, pg_catalog.array_agg(h.role_id) AS roles," \
	"   pg_catalog.array_agg(h.granted_id) AS granted, pg_catalog.array_agg(h.valid) AS valids" \
	"  FROM held h GROUP BY h.separation_id, h.member_id, h.cardinality" \
	"  HAVING pg_catalog.count(DISTINCT h.role_id) OPERATOR(pg_catalog.>=) h.cardinality) AS c" \
	" JOIN chat_rbac.separation s ON s.org_id OPERATOR(pg_catalog.=) $1 AND s.separation_id OPERATOR(pg_catalog.=) c.separation_id" \
	" JOIN chat_rbac.member m ON m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) c.member_id" \
	" CROSS JOIN LATERAL (" \
	"  SELECT pg_catalog.string_agg(DISTINCT pg_catalog.concat('\"', r.name, '\"'), ', ') AS roles," \
	"   pg_catalog.string_agg(DISTINCT pg_catalog.concat('\"', g.name, '\"'), ', ') AS granted," \
	"   CASE WHEN b.at OPERATOR(pg_catalog.>) $2 THEN b.at::pg_catalog.text END AS at" \
	"  FROM (SELECT DISTINCT GREATEST(pg_catalog.lower(v), $2) AS at FROM pg_catalog.unnest(c.valids) AS v) AS b" \
	"  JOIN ROWS FROM (pg_catalog.unnest(c.roles), pg_catalog.unnest(c.granted), pg_catalog.unnest(c.valids))" \
	"   AS h(role_id, granted_id, valid) ON h.valid OPERATOR(pg_catalog.@>) b.at" \
	"  JOIN chat_rbac.role r ON r.org_id OPERATOR(pg_catalog.=) $1 AND r.role_id OPERATOR(pg_catalog.=) h.role_id" \
	"  JOIN chat_rbac.role g ON g.org_id OPERATOR(pg_catalog.=) $1 AND g.role_id OPERATOR(pg_catalog.=) h.granted_id" \
	"  GROUP BY b.at HAVING pg_catalog.count(DISTINCT h.role_id) OPERATOR(pg_catalog.>=) s.cardinality" \
	"  ORDER BY b.at USING OPERATOR(pg_catalog.<) LIMIT 1) AS j" \
	" ORDER BY s.separation_id USING OPERATOR(pg_catalog.<), m.member_id USING OPERATOR(pg_catalog.<) LIMIT 1"

/* Not over at $2. */
#define NOT_OVER \
	"(pg_catalog.upper_inf(g.valid) OR pg_catalog.upper(g.valid) OPERATOR(pg_catalog.>) $2)"

/* Member $3's grants, and down from there. */
static RbacQuery joint_of_member = {
	"WITH RECURSIVE below(granted_id, role_id) AS ("
	" SELECT g.role_id, g.role_id FROM chat_rbac.role_grant g"
	"  WHERE g.org_id OPERATOR(pg_catalog.=) $1 AND g.member_id OPERATOR(pg_catalog.=) $3 AND " NOT_OVER
	" UNION SELECT b.granted_id, i.junior_id FROM below b CROSS JOIN LATERAL (SELECT i.junior_id FROM chat_rbac.role_inherit i"
	"  WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) b.role_id OFFSET 0) AS i),"
	" held AS (SELECT s.separation_id, s.cardinality, g.member_id, b.role_id, b.granted_id, g.valid FROM below b"
	" JOIN chat_rbac.separation_role r ON r.org_id OPERATOR(pg_catalog.=) $1 AND r.role_id OPERATOR(pg_catalog.=) b.role_id"
	" JOIN chat_rbac.separation s ON s.org_id OPERATOR(pg_catalog.=) $1 AND s.separation_id OPERATOR(pg_catalog.=) r.separation_id"
	"  AND s.kind OPERATOR(pg_catalog.=) 'static'"
	" JOIN chat_rbac.role_grant g ON g.org_id OPERATOR(pg_catalog.=) $1 AND g.member_id OPERATOR(pg_catalog.=) $3"
	"  AND g.role_id OPERATOR(pg_catalog.=) b.granted_id AND " NOT_OVER ")"
	FIRST_JOINT,
	3, {INT8OID, TIMESTAMPTZOID, INT8OID}, NULL
};

/* All of the org: up from the roles of separations to whoever has them. */
static RbacQuery joint_of_org = {
	"WITH RECURSIVE above(separation_id, cardinality, role_id, granted_id) AS ("
	" SELECT s.separation_id, s.cardinality, r.role_id, r.role_id FROM chat_rbac.separation s"
	" JOIN chat_rbac.separation_role r ON r.org_id OPERATOR(pg_catalog.=) $1 AND r.separation_id OPERATOR(pg_catalog.=) s.separation_id"
	"  WHERE s.org_id OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) 'static'"
	" UNION SELECT a.separation_id, a.cardinality, a.role_id, i.senior_id FROM above a CROSS JOIN LATERAL (SELECT i.senior_id FROM chat_rbac.role_inherit i"
	"  WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.junior_id OPERATOR(pg_catalog.=) a.granted_id OFFSET 0) AS i),"
	" held AS (SELECT a.separation_id, a.cardinality, g.member_id, a.role_id, a.granted_id, g.valid FROM above a"
	"  JOIN chat_rbac.role_grant g ON g.org_id OPERATOR(pg_catalog.=) $1 AND g.role_id OPERATOR(pg_catalog.=) a.granted_id AND " NOT_OVER ")"
	FIRST_JOINT,
	2, {INT8OID, TIMESTAMPTZOID}, NULL
};

/* ---- the trigger ---- */

/* To the end of the transaction. */
static void
lock_org(RbacQuery *lock, Datum org)
{
	RbacCatalogScope scope;

	rbac_catalog_open(&scope);
	rbac_catalog_execute(lock, &org);
	rbac_catalog_close(&scope);
}

static bool
has_static(Datum org)
{
	RbacCatalogScope scope;
	uint64		found;

	rbac_catalog_open(&scope);
	found = rbac_catalog_query(&scope, &any_static, &org, NULL);
	rbac_catalog_close(&scope);
	return found > 0;
}

/* The trigger's org is locked; member is that of a grant, or NULL for everybody. */
static void
require_separate(Datum org, const Datum *member)
{
	RbacCatalogScope scope;
	Datum		args[3] = {org, TimestampTzGetDatum(rbac_now()), member != NULL ? *member : 0};
	char	   *at;

	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, member != NULL ? &joint_of_member : &joint_of_org, args, NULL) > 0)
	{
		at = rbac_catalog_text(0, 5);
		ereport(ERROR,
				(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
				 errmsg("separation \"%s\" does not let member \"%s\" hold roles %s together",
						rbac_catalog_text(0, 1), rbac_catalog_text(0, 2), rbac_catalog_text(0, 3)),
				 at != NULL ? errdetail("The member would have them from %s on, by grants of %s; fewer than %s are allowed at a time.",
										at, rbac_catalog_text(0, 4), rbac_catalog_text(0, 6))
				 : errdetail("The member would have them by grants of %s; fewer than %s are allowed at a time.",
							 rbac_catalog_text(0, 4), rbac_catalog_text(0, 6)),
				 errhint("Revoke one of the grants first, or let it end before the other begins.")));
	}
	rbac_catalog_close(&scope);
}

/* A bigint column of the trigger's row; it cannot be NULL. */
static Datum
row_column(const TriggerData *trigdata, const char *name)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	int			attnum = SPI_fnumber(desc, name);
	bool		isnull = true;
	Datum		value = 0;

	if (attnum > 0 && SPI_gettypeid(desc, attnum) == INT8OID)
		value = SPI_getbinval(TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple,
							  desc, attnum, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("table \"%s\" has no bigint column \"%s\"",
						RelationGetRelationName(trigdata->tg_relation), name)));
	return value;
}

/*
 * chat_rbac.refuse_joint() trigger
 *		AFTER INSERT OR UPDATE, for each row, on role_grant, role_inherit,
 *		separation and separation_role.  SQLSTATE 23000 names separation, member
 *		and roles.
 */
Datum
chat_rbac_refuse_joint(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	const char *table;
	Datum		org;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired after insert or update, for each row",
						"chat_rbac.refuse_joint")));
	if (IsLogicalWorker())
		return PointerGetDatum(NULL);

	CommandCounterIncrement();	/* the other rows of this command count */
	table = RelationGetRelationName(trigdata->tg_relation);
	org = row_column(trigdata, "org_id");
	if (strcmp(table, "role_grant") == 0)
	{
		Datum		member = row_column(trigdata, "member_id");

		lock_org(&lock_shared, org);
		if (!has_static(org))
			return PointerGetDatum(NULL);
		rbac_catalog_lock_org(DatumGetInt64(org));
		require_separate(org, &member);
	}
	else
	{
		if (strcmp(table, "role_inherit") == 0)
			rbac_catalog_lock_org(DatumGetInt64(org));
		else
			lock_org(&lock_all, org);
		if (has_static(org))
			require_separate(org, NULL);
	}
	return PointerGetDatum(NULL);
}

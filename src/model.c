/*-------------------------------------------------------------------------
 *
 * src/model.c
 *	  What constraints cannot say about the RBAC tables: no cycles.
 *
 * Two sessions can close a cycle together, each adding one half.  So the
 * trigger first locks the org's row, which orders all changes of hierarchy in
 * one org, and then looks under a snapshot taken after the lock was had: it
 * sees what the other session committed at any isolation level.
 *
 * What a subscription applies has been looked at by the publisher, at the end
 * of each statement.  Its rows come one by one, and there may be a cycle between
 * two of them; refusing it would stop the subscription, with every revocation
 * that is still to come.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "replication/logicalworker.h"
#include "utils/builtins.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(chat_rbac_refuse_cycle);

/* Is $3 the unit $2 or one above it? */
static RbacQuery unit_above = {
	"WITH RECURSIVE up(unit_id) AS (SELECT $2 UNION SELECT u.parent_id FROM up JOIN chat_rbac.unit u"
	" ON u.org_id OPERATOR(pg_catalog.=) $1 AND u.unit_id OPERATOR(pg_catalog.=) up.unit_id"
	" WHERE u.parent_id IS NOT NULL)"
	" SELECT 1 FROM up WHERE up.unit_id OPERATOR(pg_catalog.=) $3",
	3, {INT8OID, INT8OID, INT8OID}, NULL
};

/* Is $3 the role $2 or one that it inherits? */
static RbacQuery role_below = {
	"WITH RECURSIVE down(role_id) AS (SELECT $2 UNION SELECT i.junior_id FROM down JOIN chat_rbac.role_inherit i"
	" ON i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) down.role_id)"
	" SELECT 1 FROM down WHERE down.role_id OPERATOR(pg_catalog.=) $3",
	3, {INT8OID, INT8OID, INT8OID}, NULL
};

/* A bigint column of the trigger's row by name; isnull may not be NULL. */
static Datum
row_column(TriggerData *trigdata, HeapTuple row, const char *name, bool *isnull)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	int			attnum = SPI_fnumber(desc, name);

	if (attnum <= 0 || SPI_gettypeid(desc, attnum) != INT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("table \"%s\" has no bigint column \"%s\"",
						RelationGetRelationName(trigdata->tg_relation), name)));
	return SPI_getbinval(row, desc, attnum, isnull);
}

/*
 * chat_rbac.refuse_cycle(upper, lower) trigger
 *		AFTER INSERT OR UPDATE, for each row: upper and lower name the columns
 *		with the two ends of an edge.  On chat_rbac.unit the edge goes from a
 *		unit up to its parent; on chat_rbac.role_inherit from a role down to
 *		what it inherits.
 */
Datum
chat_rbac_refuse_cycle(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	RbacCatalogScope scope;
	HeapTuple	row;
	Datum		args[3];
	bool		isnull[3];
	bool		is_unit;
	uint64		found;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ||
		trigdata->tg_trigger->tgnargs != 2)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired after insert or update, for each row, with two column names",
						"chat_rbac.refuse_cycle")));
	if (IsLogicalWorker())
		return PointerGetDatum(NULL);

	row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	args[0] = row_column(trigdata, row, "org_id", &isnull[0]);
	args[1] = row_column(trigdata, row, trigdata->tg_trigger->tgargs[0], &isnull[1]);
	args[2] = row_column(trigdata, row, trigdata->tg_trigger->tgargs[1], &isnull[2]);
	if (isnull[0] || isnull[1] || isnull[2])
		return PointerGetDatum(NULL);

	rbac_catalog_lock_org(DatumGetInt64(args[0]));
	CommandCounterIncrement();	/* the other rows of this command count */

	is_unit = strcmp(RelationGetRelationName(trigdata->tg_relation), "unit") == 0;
	rbac_catalog_open(&scope);
	found = rbac_catalog_query(&scope, is_unit ? &unit_above : &role_below, args, NULL);
	rbac_catalog_close(&scope);
	if (found > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION),
				 is_unit ? errmsg("unit " INT64_FORMAT " would lie below itself", DatumGetInt64(args[2]))
				 : errmsg("role " INT64_FORMAT " would inherit itself", DatumGetInt64(args[2])),
				 is_unit ? errhint("Choose a parent that is not the unit or one of those below it.")
				 : errhint("Remove the inheritance that leads back first.")));
	return PointerGetDatum(NULL);
}

/*-------------------------------------------------------------------------
 *
 * src/audited.c
 *	  Audited views, and their gates.
 *
 * A session keeps what it has looked up until the tables change.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static RbacGate *gates = NULL;
static MemoryContext gates_context = NULL;
static uint64 gates_generation = 0;

static RbacQuery view_of_gate = {
	"SELECT v.view, (p.spec OPERATOR(pg_catalog.->>) 'resource') OPERATOR(pg_catalog.||) '.view'"
	" FROM chat_rbac.protected_view v JOIN chat_rbac.protection p ON p.relation OPERATOR(pg_catalog.=) v.relation"
	" WHERE v.gate OPERATOR(pg_catalog.=) $1 AND v.spec OPERATOR(pg_catalog.->>) 'audited' OPERATOR(pg_catalog.=) 'true'",
	1, {TEXTOID}, NULL
};

/* Reads the table; NULL if no audited view has the gate. */
static RbacGate *
read_gate(const char *name)
{
	RbacCatalogScope scope;
	Datum		arg = CStringGetTextDatum(name);
	RbacGate   *gate = NULL;

	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, &view_of_gate, &arg, NULL) == 1)
	{
		MemoryContext old = MemoryContextSwitchTo(gates_context);
		bool		isnull;

		gate = palloc(sizeof(RbacGate));
		gate->name = pstrdup(name);
		gate->view = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		gate->permission = rbac_catalog_text(0, 2);
		MemoryContextSwitchTo(old);
	}
	rbac_catalog_close(&scope);
	return gate;
}

/*
 * rbac_audited_gate
 *		The gate of that name, or NULL.  Good until the tables change.
 */
const RbacGate *
rbac_audited_gate(const char *name)
{
	uint64		generation = rbac_inval_accept();
	RbacGate   *gate;

	if (gates_context == NULL)
		gates_context = AllocSetContextCreate(CacheMemoryContext, "chat_rbac gates", ALLOCSET_SMALL_SIZES);
	if (gates_generation != generation)
	{
		MemoryContextReset(gates_context);
		gates = NULL;
		gates_generation = generation;
	}
	for (gate = gates; gate != NULL; gate = gate->next)
	{
		if (strcmp(gate->name, name) == 0)
			return gate;
	}
	gate = read_gate(name);
	if (gate != NULL)
	{
		gate->next = gates;
		gates = gate;
	}
	return gate;
}

/*-------------------------------------------------------------------------
 *
 * src/gate.c
 *	  The gate of an audited view: no row without a record.
 *
 * Such a view's condition begins with read_gate(), which the executor asks once
 * for each scan of the view, before its first row.  It notes the read with the
 * execution that it is called in, and only then lets rows through.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(chat_rbac_read_gate);

/* The view that a gate belongs to. */
typedef struct Gate
{
	char	   *name;
	Oid			view;
	char	   *permission;
	struct Gate *next;
} Gate;

/* One call site; the check comes first, because fn_extra is that to authz.c. */
typedef struct GateState
{
	RbacCheck	check;
	bool		open;
} GateState;

/* The gates that were asked for since the tables changed last. */
static Gate *gates = NULL;
static MemoryContext gates_context = NULL;
static uint64 gates_generation = 0;

static RbacQuery view_of_gate = {
	"SELECT v.view, (p.spec OPERATOR(pg_catalog.->>) 'resource') OPERATOR(pg_catalog.||) '.view'"
	" FROM chat_rbac.protected_view v JOIN chat_rbac.protection p ON p.relation OPERATOR(pg_catalog.=) v.relation"
	" WHERE v.gate OPERATOR(pg_catalog.=) $1 AND v.spec OPERATOR(pg_catalog.->>) 'audited' OPERATOR(pg_catalog.=) 'true'",
	1, {TEXTOID}, NULL
};

/* Reads the table; NULL if no audited view has the gate. */
static Gate *
read_gate(const char *name)
{
	RbacCatalogScope scope;
	Datum		arg = CStringGetTextDatum(name);
	Gate	   *gate = NULL;

	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, &view_of_gate, &arg, NULL) == 1)
	{
		MemoryContext old = MemoryContextSwitchTo(gates_context);
		bool		isnull;

		gate = palloc(sizeof(Gate));
		gate->name = pstrdup(name);
		gate->view = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		gate->permission = rbac_catalog_text(0, 2);
		MemoryContextSwitchTo(old);
	}
	rbac_catalog_close(&scope);
	return gate;
}

static const Gate *
find_gate(const char *name)
{
	uint64		generation = rbac_inval_accept();
	Gate	   *gate;

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

static RBAC_NORETURN void
stay_shut(const RbacGrants *grants, const Gate *gate, const char *message, const char *hint)
{
	rbac_refusal_log("read", grants, gate != NULL ? gate->permission : NULL, message);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s", message),
			 errhint("%s", hint)));
}

/*
 * chat_rbac.read_gate(gate text) -> boolean
 *		true, once the read is noted.  Raises 55000 where it cannot be: the
 *		library was loaded too late to see the query begin, or what asks is no
 *		query of the view.
 */
Datum
chat_rbac_read_gate(PG_FUNCTION_ARGS)
{
	GateState  *state = (GateState *) fcinfo->flinfo->fn_extra;
	char	   *name;
	const RbacGrants *grants;
	const Gate *gate;
	RbacExecution *execution;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(GateState));
		rbac_authz_attach(fcinfo->flinfo, &state->check);
	}
	if (state->open)
		PG_RETURN_BOOL(true);
	grants = rbac_authz_check(fcinfo->flinfo)->grants;
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	gate = find_gate(name);
	if (gate == NULL || get_rel_name(gate->view) == NULL)
		stay_shut(grants, NULL, psprintf("\"%s\" is no gate of an audited view", rbac_permission_clip(name, strlen(name))),
				  "Make the view anew with chat_rbac.create_view().");
	execution = rbac_execution_of(fcinfo->flinfo->fn_mcxt);
	if (execution == NULL || !rbac_execution_mentions(execution, gate->view))
		stay_shut(grants, gate, psprintf("a read of view \"%s\" cannot be recorded here", get_rel_name(gate->view)),
				  "Load the library before the query, for example by ALTER DATABASE ... SET session_preload_libraries = 'chat_rbac'; and read from the view itself.");
	rbac_execution_note(execution, grants, gate->view, gate->permission);
	state->open = true;
	PG_RETURN_BOOL(true);
}

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

#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(chat_rbac_read_gate);

/* One call site; the check comes first, because fn_extra is that to authz.c. */
typedef struct GateState
{
	RbacCheck	check;
	bool		open;
} GateState;

static RBAC_NORETURN void
stay_shut(const RbacGrants *grants, const RbacGate *gate, const char *message, const char *hint)
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
	const RbacGate *gate;
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
	gate = rbac_audited_gate(name);
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

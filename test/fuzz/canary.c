/*-------------------------------------------------------------------------
 *
 * test/fuzz/canary.c
 *	  A library for the server that looks at all that is sent to clients: at the
 *	  rows of their queries and at messages.
 *
 * What must not get out has the canary in it.  Where it is seen, the server's log
 * gets a line that begins with "canary", and at a session's end one with how many
 * rows were looked at.  For scripts/sqlsmith.sh; see there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "compat.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "storage/ipc.h"
#include "tcop/dest.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

#define CANARY "CANARYTWO"

typedef struct Watcher
{
	DestReceiver pub;
	DestReceiver *real;
} Watcher;

static ExecutorRun_hook_type next_run;
static emit_log_hook_type next_emit;
static uint64 nrows;
static int	depth;

extern PGDLLEXPORT void _PG_init(void);

static void
look_at(TupleTableSlot *slot)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "canary", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);

	nrows++;
	slot_getallattrs(slot);
	for (int i = 0; i < slot->tts_tupleDescriptor->natts; i++)
	{
		Oid			type = TupleDescAttr(slot->tts_tupleDescriptor, i)->atttypid;
		Oid			output;
		bool		varlena;
		char	   *text;

		if (slot->tts_isnull[i] || TupleDescAttr(slot->tts_tupleDescriptor, i)->attisdropped)
			continue;
		getTypeOutputInfo(type, &output, &varlena);
		text = OidOutputFunctionCall(output, slot->tts_values[i]);
		if (strstr(text, CANARY) != NULL)
			elog(LOG, "canary in a row: %s", text);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	DestReceiver *real = ((Watcher *) self)->real;

	look_at(slot);
	return real->receiveSlot(slot, real);
}

static void
startup(DestReceiver *self, int operation, TupleDesc desc)
{
	DestReceiver *real = ((Watcher *) self)->real;

	real->rStartup(real, operation, desc);
}

static void
shutdown_receiver(DestReceiver *self)
{
	DestReceiver *real = ((Watcher *) self)->real;

	real->rShutdown(real);
}

static void
destroy(DestReceiver *self)
{
	(void) self;
}

static void
run(RBAC_RUN_PARAMETERS)
{
	Watcher		watcher = {{receive, startup, shutdown_receiver, destroy, query->dest->mydest}, query->dest};

	/* a parallel worker sends rows of which conditions above may be left */
	bool		sent = depth == 0 && query->dest->mydest != DestNone && query->dest->mydest != DestTupleQueue;

	if (sent)
		query->dest = &watcher.pub;
	depth++;
	PG_TRY();
	{
		(next_run ? next_run : standard_ExecutorRun) (RBAC_RUN_ARGUMENTS);
	}
	PG_FINALLY();
	{
		depth--;
		if (sent)
			query->dest = watcher.real;
	}
	PG_END_TRY();
}

static bool
has_canary(const char *text)
{
	return text != NULL && strstr(text, CANARY) != NULL;
}

static void
emit(ErrorData *error)
{
	if (error->output_to_client &&
		(has_canary(error->message) || has_canary(error->detail) || has_canary(error->hint) || has_canary(error->context)))
		write_stderr("canary in a message: %s\n", error->message);
	if (next_emit)
		next_emit(error);
}

static void
tell(int code, Datum arg)
{
	(void) code;
	(void) arg;
	elog(LOG, "rows looked at: " UINT64_FORMAT, nrows);
}

void
_PG_init(void)
{
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
	next_emit = emit_log_hook;
	emit_log_hook = emit;
	before_shmem_exit(tell, (Datum) 0);
}

/*-------------------------------------------------------------------------
 *
 * src/execution.c
 *	  Queries that are being executed: what they read, and how much of it.
 *
 * Executor hooks note each execution of a plan that mentions a view, so that the
 * gate of an audited one (gate.c) finds the execution that it is called in: by
 * the memory context in which its call site lives, or one above that, as where
 * a row is checked again after a concurrent update.  What no hook has seen is
 * not found, and the gate stays shut.
 *
 * For the right to export (export.c) they look at the tables of COPY ... TO, and
 * of queries that the functions run which it calls; and, where the setting
 * chat_rbac.bulk_rows asks for it, they count the rows that a query hands on.
 *
 * Rows are those of the query's result, in all its runs: a cursor has one each
 * FETCH.
 *
 * Memory: what is noted lives in the query's memory context, and is forgotten
 * with it, however the query ends.  Parallel workers do nothing here: what they
 * read passes through their leader.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/parallel.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rls.h"

struct RbacExecution
{
	QueryDesc  *query;			/* until it has ended */
	EState	   *state;
	const PlannedStmt *statement;
	MemoryContext context;
	LocalTransactionId transaction;
	RbacRead   *reads;
	uint64		rows;			/* of runs that are over */
	bool		running;
	bool		ended;
	RbacExport *tables;			/* NULL: none, or not asked for */
	bool		copies;			/* they may leave by COPY: recorded */
	uint64		limit;			/* 0: no, or no more */
	uint64		handed_on;
	FmgrInfo	site;			/* a hold on the asker's grants */
	dlist_node	node;
	MemoryContextCallback release;
};

/* Stands before the receiver of a query's rows, and counts them. */
typedef struct Counter
{
	DestReceiver receiver;
	DestReceiver *next;
	RbacExecution *execution;
} Counter;

static int	bulk_rows = 0;

/* The executions that go on, the latest first. */
static dlist_head executions = DLIST_STATIC_INIT(executions);

/* COPY ... TO that are running, one within the other. */
static int	copying = 0;

static ExecutorStart_hook_type next_start = NULL;
static ExecutorRun_hook_type next_run = NULL;
static ExecutorEnd_hook_type next_end = NULL;

/* ---- noting executions ---- */

/* What has run so far counts, also where it was stopped. */
static void
settle(RbacExecution *execution)
{
	if (execution->transaction != rbac_local_transaction())
		return;					/* its reads are recorded, and gone */
	for (RbacRead *read = execution->reads; read != NULL; read = read->next_of_execution)
	{
		if (read->more != NULL)
			read->rows += *read->more;
		read->more = NULL;
		read->failed |= !execution->ended;
	}
	execution->reads = NULL;
}

static void
forget(void *arg)
{
	RbacExecution *execution = (RbacExecution *) arg;

	settle(execution);
	dlist_delete(&execution->node);
}

static RbacExecution *
note_execution(QueryDesc *query)
{
	MemoryContext context = query->estate->es_query_cxt;
	RbacExecution *execution = MemoryContextAllocZero(context, sizeof(RbacExecution));

	execution->query = query;
	execution->state = query->estate;
	execution->statement = query->plannedstmt;
	execution->context = context;
	execution->transaction = rbac_local_transaction();
	execution->site.fn_mcxt = context;
	dlist_push_head(&executions, &execution->node);
	execution->release.func = forget;
	execution->release.arg = execution;
	MemoryContextRegisterResetCallback(context, &execution->release);
	return execution;
}

static RbacExecution *
find_execution(const QueryDesc *query)
{
	dlist_iter	iter;

	dlist_foreach(iter, &executions)
	{
		RbacExecution *execution = dlist_container(RbacExecution, node, iter.cur);

		if (execution->query == query && execution->state == query->estate)
			return execution;
	}
	return NULL;
}

/*
 * rbac_execution_of
 *		The execution that a context belongs to, or NULL.
 */
RbacExecution *
rbac_execution_of(MemoryContext context)
{
	for (; context != NULL && !dlist_is_empty(&executions); context = MemoryContextGetParent(context))
	{
		dlist_iter	iter;

		dlist_foreach(iter, &executions)
		{
			RbacExecution *execution = dlist_container(RbacExecution, node, iter.cur);

			if (execution->context == context && execution->transaction == rbac_local_transaction())
				return execution;
		}
	}
	return NULL;
}

/* Does its query read from a view, be it within another one? */
bool
rbac_execution_mentions(const RbacExecution *execution, Oid view)
{
	ListCell   *cell;

	foreach(cell, execution->statement->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->relid == view && entry->relkind == RELKIND_VIEW)
			return true;
	}
	return false;
}

static bool
mentions_views(const PlannedStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (OidIsValid(entry->relid) && entry->relkind == RELKIND_VIEW)
			return true;
	}
	return false;
}

/*
 * Does it read or change a table with policies to which who reads it is held?
 * Each for itself: a view reads as its owner, and within a foreign key's cascade
 * one is past the policies of one's own tables, and of no others.
 */
static bool
is_under_policies(const PlannedStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

		if (entry->rtekind == RTE_RELATION && entry->relkind != RELKIND_VIEW &&
			check_enable_rls(entry->relid, rbac_entry_reader(statement, entry), true) == RLS_ENABLED)
			return true;
	}
	return false;
}

/* ---- what they read ---- */

/* Does anything in a plan make one row of many?  It need not be those of a view. */
static bool
is_grouped(PlanState *state, void *arg)
{
	const Plan *plan = state->plan;

	if (IsA(plan, Agg) || IsA(plan, Group) || IsA(plan, Unique) || IsA(plan, SetOp))
		return true;
	return planstate_tree_walker(state, is_grouped, arg);
}

static void
note_read(RbacExecution *execution, const char *operation, const RbacGrants *grants, Oid relation, const char *permission)
{
	RbacRead   *read;

	for (read = execution->reads; read != NULL; read = read->next_of_execution)
	{
		if (read->relation == relation && strcmp(read->operation, operation) == 0)
			return;
	}
	read = rbac_reads_begin(operation, grants, relation, permission);
	read->rows = execution->rows;
	read->more = execution->running ? &execution->state->es_processed : NULL;
	read->grouped = is_grouped(execution->query->planstate, NULL);
	read->next_of_execution = execution->reads;
	execution->reads = read;
}

/*
 * rbac_execution_note
 *		An execution reads from an audited view; noted once.
 */
void
rbac_execution_note(RbacExecution *execution, const RbacGrants *grants, Oid view, const char *permission)
{
	note_read(execution, "read", grants, view, permission);
}

/* ---- what leaves ---- */

/* Raises an error unless the tables' rows may leave, and notes that they do. */
static void
export_tables(RbacExecution *execution, const char *deed, const char *hint)
{
	RbacGrants *grants = rbac_authz_check(&execution->site)->grants;

	rbac_export_require(execution->tables, grants, deed, hint);
	for (const RbacExport *table = execution->tables; table != NULL; table = table->next)
		note_read(execution, "export", grants, table->table, table->permission);
	execution->limit = 0;
}

static RbacExport *
tables_of(const QueryDesc *query)
{
	MemoryContext old = MemoryContextSwitchTo(query->estate->es_query_cxt);
	RbacExport *tables = rbac_export_tables(query->plannedstmt);

	MemoryContextSwitchTo(old);
	return tables;
}

/* A query that COPY runs, itself or by a function. */
static RbacExecution *
export_copy(QueryDesc *query, RbacExecution *execution)
{
	RbacExport *tables;

	if (execution != NULL && execution->copies)
		return execution;
	tables = execution != NULL && execution->tables != NULL ? execution->tables : tables_of(query);
	if (tables == NULL)
		return execution;
	if (execution == NULL)
		execution = note_execution(query);
	execution->tables = tables;
	execution->copies = true;
	export_tables(execution, "copy rows out of", NULL);
	return execution;
}

static void
check_bulk(RbacExecution *execution, uint64 rows)
{
	if (execution->limit > 0 && rows > execution->limit)
		export_tables(execution,
					  psprintf("read more than " UINT64_FORMAT " rows of", execution->limit),
					  "Without it a query may return so many rows: ask for fewer, by a narrower condition or LIMIT.");
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Counter    *counter = (Counter *) self;

	check_bulk(counter->execution, ++counter->execution->handed_on);
	return counter->next->receiveSlot(slot, counter->next);
}

static void
start_receiver(DestReceiver *self, int operation, TupleDesc desc)
{
	DestReceiver *next = ((Counter *) self)->next;

	next->rStartup(next, operation, desc);
}

static void
shut_receiver(DestReceiver *self)
{
	DestReceiver *next = ((Counter *) self)->next;

	next->rShutdown(next);
}

static void
destroy_receiver(DestReceiver *self)
{
	DestReceiver *next = ((Counter *) self)->next;

	next->rDestroy(next);
}

/* ---- the hooks ---- */

static void
start_execution(QueryDesc *query, int eflags)
{
	RbacExport *tables;

	if (next_start != NULL)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if ((eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0 || IsParallelWorker())
		return;
	if (is_under_policies(query->plannedstmt))
		rbac_authz_begin(query->estate->es_query_cxt);
	tables = bulk_rows > 0 ? tables_of(query) : NULL;
	if (tables != NULL || mentions_views(query->plannedstmt))
	{
		RbacExecution *execution = note_execution(query);

		execution->tables = tables;
		execution->limit = tables != NULL ? bulk_rows : 0;
	}
}

/*
 * Does a query that hands nothing on keep the rows?  INSERT does.  MERGE makes a
 * copy as well, but where its target is under policies it is like an UPDATE.
 */
static bool
keeps_rows(const QueryDesc *query)
{
	const PlannedStmt *statement = query->plannedstmt;
	const RangeTblEntry *target;

	if (query->operation != CMD_MERGE || statement->resultRelations == NIL)
		return query->operation == CMD_INSERT;
	target = rt_fetch(linitial_int(statement->resultRelations), statement->rtable);
	return check_enable_rls(target->relid, InvalidOid, true) != RLS_ENABLED;
}

static void
run_next(RBAC_RUN_PARAMETERS)
{
	if (next_run != NULL)
		next_run(RBAC_RUN_ARGUMENTS);
	else
		standard_ExecutorRun(RBAC_RUN_ARGUMENTS);
}

/* Counting begins anew with each run, which goes on where the one before stopped. */
static void
begin_run(RbacExecution *execution, const QueryDesc *query)
{
	/* a cursor that is to be held is read from its start, where it can be */
	if (ActivePortal != NULL && ActivePortal->queryDesc == query && ActivePortal->holdStore != NULL &&
		(ActivePortal->cursorOptions & CURSOR_OPT_SCROLL) != 0)
		execution->rows = execution->handed_on = 0;
	execution->running = true;
	for (RbacRead *read = execution->reads; read != NULL; read = read->next_of_execution)
	{
		read->rows = execution->rows;
		read->more = &execution->state->es_processed;
	}
}

static void
end_run(RbacExecution *execution)
{
	execution->running = false;
	execution->rows += execution->state->es_processed;
	for (RbacRead *read = execution->reads; read != NULL; read = read->next_of_execution)
	{
		read->rows = execution->rows;
		read->more = NULL;
	}
}

/* Runs a query whose rows count, or matter to those that run within it. */
static void
run_watched(RbacExecution *execution, bool decides, RBAC_RUN_PARAMETERS)
{
	DestReceiver *dest = query->dest;
	Counter		counter = {{receive_row, start_receiver, shut_receiver, destroy_receiver, dest->mydest}, dest, execution};
	int			save_copying = copying;

	if (execution != NULL)
		begin_run(execution, query);
	/* rows that nobody gets are of no concern, as those of EXPLAIN ANALYZE */
	if (execution != NULL && execution->limit > 0 && !decides && dest->mydest != DestNone)
		query->dest = &counter.receiver;
	copying = decides ? 0 : copying + (dest->mydest == DestCopyOut);
	rbac_catalog_deciding = false;
	PG_TRY();
	{
		run_next(RBAC_RUN_ARGUMENTS);
	}
	PG_FINALLY();
	{
		copying = save_copying;
		rbac_catalog_deciding = decides;
		query->dest = dest;
	}
	PG_END_TRY();
	if (execution == NULL)
		return;
	end_run(execution);
	if (execution->limit > 0 && !decides && keeps_rows(query))
		check_bulk(execution, execution->rows);
}

static void
run_execution(RBAC_RUN_PARAMETERS)
{
	bool		decides = rbac_catalog_deciding;
	bool		copies = !decides && (copying > 0 || query->dest->mydest == DestCopyOut);
	RbacExecution *execution = NULL;

	if (!IsParallelWorker())
	{
		if (!decides)
			rbac_authz_resume(query->estate->es_query_cxt);
		if (!dlist_is_empty(&executions))
			execution = find_execution(query);
		if (copies)
			execution = export_copy(query, execution);
	}
	if (execution != NULL || (!IsParallelWorker() && (copies || decides)))
		run_watched(execution, decides, RBAC_RUN_ARGUMENTS);
	else
		run_next(RBAC_RUN_ARGUMENTS);
}

static void
end_execution(QueryDesc *query)
{
	RbacExecution *execution = dlist_is_empty(&executions) ? NULL : find_execution(query);

	if (execution != NULL)
	{
		execution->ended = true;
		settle(execution);
		execution->query = NULL;
	}
	if (next_end != NULL)
		next_end(query);
	else
		standard_ExecutorEnd(query);
}

void
rbac_execution_init(void)
{
	DefineCustomIntVariable("chat_rbac.bulk_rows",
							"Rows of protected tables that a query may return without the right to export them; 0 for all.",
							"More need <resource>.export, and are recorded.",
							&bulk_rows, 0, 0, INT_MAX, PGC_SUSET, 0, NULL, NULL, NULL);
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start_execution;
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = run_execution;
	next_end = ExecutorEnd_hook;
	ExecutorEnd_hook = end_execution;
}

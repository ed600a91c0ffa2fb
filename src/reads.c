/*-------------------------------------------------------------------------
 *
 * src/reads.c
 *	  What was read in this transaction: kept, and recorded when it ends.
 *
 * A read cannot be taken back: rows that the client has got it has, whatever
 * becomes of the transaction.  So what is read is kept in memory, past
 * savepoints, until the top-level transaction ends.  When it commits, each read
 * becomes an event of the trail, in that transaction; and when it is rolled
 * back, a line of the server log, "chat_rbac read: " and a JSON object.  That
 * nothing is written before also lets a read be recorded from within a parallel
 * query.
 *
 * The setting chat_rbac.read_audit says where a read belongs.  "table" needs a
 * transaction that can write, and is refused in others before the first row;
 * "log" works in each, on a hot standby too.
 *
 * Memory: reads live in TopTransactionContext.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

enum
{
	TO_TABLE, TO_LOG
};

static const struct config_enum_entry places[] = {
	{"table", TO_TABLE, false}, {"log", TO_LOG, false}, {NULL, 0, false}
};

static int	place = TO_TABLE;

/* Who reads, for all reads in a row of whom it is the same. */
typedef struct ReadBy
{
	RbacTrailWho *who;
	Oid			role;
	const char *request_id;
	const char *reason;
	const char *application;
} ReadBy;

static RbacRead *first = NULL;
static RbacRead *last = NULL;

/* ---- keeping ---- */

static const char *
or_empty(const char *words)
{
	return words != NULL ? words : "";
}

static bool
is_by(const ReadBy *by, const RbacGrants *grants)
{
	return by->who->is_member == (grants != NULL) &&
		(grants == NULL || (by->who->org == grants->org && by->who->member == grants->member)) &&
		by->role == GetOuterUserId() &&
		strcmp(by->request_id, or_empty(rbac_identity_request_id())) == 0 &&
		strcmp(by->reason, or_empty(rbac_identity_reason())) == 0 &&
		strcmp(by->application, or_empty(application_name)) == 0;
}

static const ReadBy *
read_by(const RbacGrants *grants)
{
	ReadBy	   *by;

	if (last != NULL && is_by(last->by, grants))
		return last->by;
	by = palloc(sizeof(ReadBy));
	by->who = rbac_trail_who(grants);
	by->role = GetOuterUserId();
	by->request_id = pstrdup(or_empty(rbac_identity_request_id()));
	by->reason = pstrdup(or_empty(rbac_identity_reason()));
	by->application = pstrdup(or_empty(application_name));
	return by;
}

/* Where the trail cannot be written to, nothing is read that belongs there. */
static void
refuse_unrecordable(const char *operation, const RbacGrants *grants, const char *relation, const char *permission)
{
	const char *why;
	const char *message;

	if (RecoveryInProgress())
		why = "on a standby";
	else if (XactReadOnly)
		why = "in a read-only transaction";
	else
		return;
	message = psprintf("the %s of \"%s\" cannot be recorded %s", operation, relation, why);
	rbac_refusal_log(operation, grants, permission, message);
	ereport(ERROR,
			(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
			 errmsg("%s", message),
			 errhint("Where chat_rbac.read_audit is \"log\", it is written to the server log.")));
}

/*
 * rbac_reads_begin
 *		A read, or an export, by the member whose grants these are (NULL: none)
 *		begins; it is recorded from now on, with as many rows as the caller adds
 *		to it.  Raises 25006 if it could not be.
 */
RbacRead *
rbac_reads_begin(const char *operation, const RbacGrants *grants, Oid relation, const char *permission)
{
	const char *name = get_rel_name(relation);
	const char *full_name;
	MemoryContext old;
	RbacRead   *read;

	if (name == NULL)
		elog(ERROR, "cache lookup failed for relation %u", relation);
	if (place == TO_TABLE)
		refuse_unrecordable(operation, grants, name, permission);
	full_name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), name);
	old = MemoryContextSwitchTo(TopTransactionContext);
	read = palloc0(sizeof(RbacRead));
	read->operation = operation;
	read->by = read_by(grants);
	read->relation = relation;
	read->name = CStringGetTextDatum(full_name);
	read->action = CStringGetTextDatum(permission);
	read->command = (int32) GetCurrentCommandId(false);
	read->to_log = place == TO_LOG;
	MemoryContextSwitchTo(old);
	if (last != NULL)
		last->next = read;
	else
		first = read;
	last = read;
	return read;
}

static uint64
rows_of(const RbacRead *read)
{
	return read->rows + (read->more != NULL ? *read->more : 0);
}

/* ---- to the server log ---- */

static void
append_text(StringInfo json, const char *key, Datum value)
{
	if (value == (Datum) 0)
		return;
	appendStringInfo(json, ",\"%s\":", key);
	escape_json(json, TextDatumGetCString(value));
}

/* Without a look at the catalogs: the transaction may be over. */
static void
write_line(const RbacRead *read, const char *end)
{
	const RbacTrailWho *who = read->by->who;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"kind\":\"%s\",\"rows\":" UINT64_FORMAT, read->operation, rows_of(read));
	append_text(&json, "relation", read->name);
	append_text(&json, "permission", read->action);
	if (read->grouped)
		appendStringInfoString(&json, ",\"grouped\":true");
	if (read->failed)
		appendStringInfoString(&json, ",\"failed\":true");
	if (end != NULL)
		appendStringInfo(&json, ",\"transaction\":\"%s\"", end);
	if (who->is_member)
		appendStringInfo(&json, ",\"org\":" INT64_FORMAT ",\"member\":" INT64_FORMAT, who->org, who->member);
	append_text(&json, "name", who->name);
	append_text(&json, "session_role", who->session_role);
	append_text(&json, "role", who->db_role);
	append_text(&json, "request_id", who->request_id);
	append_text(&json, "reason", who->reason);
	append_text(&json, "application", who->application_name);
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("chat_rbac %s: %s}", read->operation, json.data),
			 errhidestmt(true), errhidecontext(true)));
	pfree(json.data);
}

/* ---- to the trail ---- */

static void
write_event(const RbacRead *read)
{
	RbacTrailWho *who = read->by->who;
	Datum		action = read->action;
	RbacEvent	event = {0};

	event.has_org = who->is_member;
	event.org = who->org;
	event.relation = read->relation;
	event.command = read->command;
	event.operation = read->operation;
	event.actions = PointerGetDatum(construct_array(&action, 1, TEXTOID, -1, false, TYPALIGN_INT));
	event.table_name = read->name;
	event.new = DirectFunctionCall1(jsonb_in,
									CStringGetDatum(psprintf("{\"rows\": " UINT64_FORMAT "%s%s}", rows_of(read),
															 read->grouped ? ", \"grouped\": true" : "",
															 read->failed ? ", \"failed\": true" : "")));
	event.unit_kinds = PointerGetDatum(construct_empty_array(TEXTOID));
	event.unit_keys = PointerGetDatum(construct_empty_array(INT8OID));
	rbac_trail_write(who, &event);
}

static void
write_each(MemoryContext row)
{
	for (RbacRead *read = first; read != NULL; read = read->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (read->to_log)
			write_line(read, NULL);
		else
			write_event(read);
		read->written = true;
		MemoryContextReset(row);
	}
}

/* A transaction that has become read-only since its reads has them recorded all the same. */
static void
write_all(void)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac reads", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row);
	bool		read_only = XactReadOnly;
	bool		pushed = !ActiveSnapshotSet();

	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	XactReadOnly &= RecoveryInProgress();
	PG_TRY();
	{
		write_each(row);
	}
	PG_FINALLY();
	{
		XactReadOnly = read_only;
	}
	PG_END_TRY();
	if (pushed)
		PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row);
}

/* ---- at the end of the transaction ---- */

/* What a table will not tell; a line that is in the log needs no second one. */
static bool
needs_line(const RbacRead *read)
{
	return !read->written || !read->to_log;
}

static void
log_prepared(void)
{
	for (RbacRead *read = first; read != NULL; read = read->next)
	{
		if (needs_line(read))
			write_line(read, "prepared");
	}
}

/*
 * An error here would be one in the transaction's abort, which is then begun
 * again, and fails again, to the end of the server.  So where memory does not
 * suffice for a line, a short one is written.
 */
static void
log_aborted(const RbacRead *read)
{
	MemoryContext context = CurrentMemoryContext;
	uint32		holdoff = InterruptHoldoffCount;

	PG_TRY();
	{
		write_line(read, "rolled back");
	}
	PG_CATCH();
	{
		const RbacTrailWho *who = read->by->who;

		MemoryContextSwitchTo(context);
		FlushErrorState();
		InterruptHoldoffCount = holdoff;	/* the error has let them in */
		ereport(LOG_SERVER_ONLY,
				(errmsg_internal("chat_rbac %s: {\"kind\":\"%s\",\"rows\":" UINT64_FORMAT ",\"relation_oid\":%u,"
								 "\"transaction\":\"rolled back\",\"org\":" INT64_FORMAT ",\"member\":" INT64_FORMAT "}",
								 read->operation, read->operation, rows_of(read), read->relation, who->org, who->member),
				 errhidestmt(true), errhidecontext(true)));
	}
	PG_END_TRY();
}

static void
end_transaction(XactEvent event, void *arg)
{
	(void) arg;
	if (first == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			write_all();
			return;
		case XACT_EVENT_PRE_PREPARE:
			/* from then on any session may roll it back */
			write_all();
			log_prepared();
			return;
		case XACT_EVENT_ABORT:
			for (RbacRead *read = first; read != NULL; read = first)
			{
				first = read->next;
				if (needs_line(read))
					log_aborted(read);
			}
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	first = last = NULL;
}

void
rbac_reads_init(void)
{
	DefineCustomEnumVariable("chat_rbac.read_audit",
							 "Where reads of audited views, and exports, are recorded.",
							 "table: in the audit trail; refused where that cannot be written to. log: in the server log.",
							 &place, TO_TABLE, places, PGC_SUSET, 0, NULL, NULL, NULL);
	RegisterXactCallback(end_transaction, NULL);
}

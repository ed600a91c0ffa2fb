/*-------------------------------------------------------------------------
 *
 * src/leavers.c
 *	  Work that is handed over, and units that are merged: all of it, or nothing.
 *
 * Both run statements that sql/parts/75_leavers.sql makes of the specifications,
 * as the caller: policies, guard and the trigger on the RBAC tables decide row by
 * row.  What these pass over stays behind, so what is left is counted past all
 * policies, under a snapshot taken now; if anything is, an error takes all back.
 *
 * How much is left is told to who may manage the member, or both units.  That is
 * asked first, by an update of their rows that changes nothing: the trigger
 * asks for what any change of them asks for, and locks the org's model.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(chat_rbac_count_past);
PG_FUNCTION_INFO_V1(chat_rbac_hand_over);
PG_FUNCTION_INFO_V1(chat_rbac_merge_units);

#define STEP_COLUMNS \
	"SELECT s.relation::pg_catalog.oid::pg_catalog.int8, s.what, s.noun, chat_rbac.plural(s.noun), s.change, s.remains, s.lost, s.hidden"

/* The sealed units of which the caller is not told, unless above policies. */
#define UNTOLD(above, permission) \
	"CASE WHEN " above " THEN '{}' ELSE chat_rbac.sealed_off($1, '{" permission "}') END"

static RbacQuery work_steps = {
	STEP_COLUMNS " FROM chat_rbac.work_steps($1, $2, $3, $4, " UNTOLD("$5", "member.manage") ") AS s",
	5, {INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID}, NULL
};

static RbacQuery sealed_work = {
	"SELECT w.kind, w.key FROM chat_rbac.sealed_work($1, $2, $3, " UNTOLD("$4", "member.manage") ") AS w",
	4, {INT8OID, INT8OID, INT8OID, BOOLOID}, NULL
};

static RbacQuery leave_steps = {
	STEP_COLUMNS " FROM chat_rbac.leave_steps($1, $2, $3) AS s",
	3, {INT8OID, INT8OID, INT8OID}, NULL
};

static RbacQuery merge_steps = {
	STEP_COLUMNS " FROM chat_rbac.merge_steps($1, $2, $3, " UNTOLD("$4", "unit.manage") ") AS s",
	4, {INT8OID, INT8OID, INT8OID, BOOLOID}, NULL
};

static RbacQuery merge_problem = {
	"SELECT chat_rbac.merge_problem($1, $2, $3)", 3, {INT8OID, INT8OID, INT8OID}, NULL
};

static RbacQuery member_exists = {
	"SELECT 1 FROM chat_rbac.member m WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, INT8OID}, NULL
};

/* One statement of several, and what became of it. */
typedef struct Step
{
	Oid			relid;
	char	   *what;
	char	   *noun;
	char	   *nouns;
	char	   *change;			/* run as the caller */
	char	   *remains;		/* counts past policies what it should have
								 * changed; NULL: another step's does */
	char	   *lost;			/* what the receiver would not see; NULL: no
								 * matter */
	char	   *hidden;			/* what is left, but not to be told; NULL:
								 * nothing */
	int64		done;
	int64		left;
} Step;

typedef struct Steps
{
	int			n;
	Step	   *items;
	const char *path;			/* the caller's search_path */
} Steps;

/* A row of the model: what the caller may call it. */
typedef struct Subject
{
	char	   *name;
	char	   *kind;			/* of a unit */
	int64		key;
	bool		active;			/* of a member */
} Subject;

/* ---- statements ---- */

/* A count, past policies and as the owner of the table that is read. */
static int64
count_past(Oid relid, const char *query)
{
	Snapshot	snapshot;
	SPIPlanPtr	plan;
	RbacOneself oneself;
	int64		result;

	rbac_catalog_become_reader(relid, &oneself);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SPI_connect();
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, true, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "unexpected result of a count");
	result = rbac_catalog_int64(0, 1, NULL);
	SPI_finish();
	UnregisterSnapshot(snapshot);
	rbac_catalog_be_oneself(&oneself);
	return result;
}

/* chat_rbac.count_past(relation regclass, query text) -> bigint */
Datum
chat_rbac_count_past(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(count_past(PG_GETARG_OID(0), text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/* Past policies on the model, and so whoever could switch them off. */
static bool
is_above(void)
{
	return rbac_catalog_is_above(rbac_catalog_relation("member"));
}

/* Until the end of the GUC nest level. */
static void
set_search_path(const char *path)
{
	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Run a statement as the caller; how many rows it was for.  For a superuser, and
 * whoever else has all rights of the owner of the table, it is run as the owner,
 * past policies too: its triggers are not to have the rights of a superuser who
 * has not even named it.  Others who are past policies have no more rights than
 * they have: what a trigger names may be theirs.  Triggers of the application
 * find what they name as by any other statement of the caller's.
 */
static int64
change_rows(Oid relid, const char *statement, const char *path)
{
	bool		as_owner = is_above() && has_privs_of_role(GetUserId(), rbac_catalog_owner(relid));
	int			level = NewGUCNestLevel();
	RbacOneself oneself;
	int			rc;
	int64		result;

	if (get_rel_namespace(relid) != get_rel_namespace(rbac_catalog_relation("member")))
		set_search_path(path);
	if (as_owner)
		rbac_catalog_become_reader(relid, &oneself);
	SPI_connect();
	rc = SPI_execute(statement, false, 0);
	if (rc != SPI_OK_UPDATE && rc != SPI_OK_DELETE)
		elog(ERROR, "unexpected result of a change: %s", SPI_result_code_string(rc));
	result = (int64) SPI_processed;
	SPI_finish();
	if (as_owner)
		rbac_catalog_be_oneself(&oneself);
	/* what a trigger sets stays where it had the caller's rights */
	AtEOXact_GUC(true, level);
	return result;
}

/* A row of the model, for a statement as the caller that returns name, kind, key and active; NULL: none. */
static Subject *
find_subject(const char *statement)
{
	MemoryContext own = CurrentMemoryContext;
	Subject    *result = NULL;
	int			rc;

	SPI_connect();
	rc = SPI_execute(statement, false, 0);
	if (rc != SPI_OK_UPDATE_RETURNING && rc != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a look-up: %s", SPI_result_code_string(rc));
	if (SPI_processed == 1)
	{
		char	   *kind = rbac_catalog_text(0, 2);

		result = MemoryContextAllocZero(own, sizeof(Subject));
		result->name = MemoryContextStrdup(own, rbac_catalog_text(0, 1));
		result->kind = kind != NULL ? MemoryContextStrdup(own, kind) : NULL;
		result->key = rbac_catalog_int64(0, 3, NULL);
		result->active = rbac_catalog_bool(0, 4);
	}
	SPI_finish();
	return result;
}

static void
read_steps(Steps *steps, RbacQuery *query, Datum *args, const char *nulls)
{
	MemoryContext own = CurrentMemoryContext;
	RbacCatalogScope catalog;
	uint64		rows;

	rbac_catalog_open(&catalog);
	rows = rbac_catalog_query(&catalog, query, args, nulls);
	steps->items = steps->n == 0 ? MemoryContextAlloc(own, sizeof(Step) * (rows + 1)) :
		repalloc(steps->items, sizeof(Step) * (steps->n + rows));
	for (uint64 i = 0; i < rows; i++)
	{
		Step	   *step = &steps->items[steps->n++];

		memset(step, 0, sizeof(Step));
		step->relid = (Oid) rbac_catalog_int64(i, 1, NULL);
		step->what = rbac_catalog_copy_text(i, 2, own);
		step->noun = rbac_catalog_copy_text(i, 3, own);
		step->nouns = rbac_catalog_copy_text(i, 4, own);
		step->change = rbac_catalog_copy_text(i, 5, own);
		step->remains = rbac_catalog_copy_text(i, 6, own);
		step->lost = rbac_catalog_copy_text(i, 7, own);
		step->hidden = rbac_catalog_copy_text(i, 8, own);
	}
	rbac_catalog_close(&catalog);
}

/* What is left over or lost, in words: 3 conversations, 1 task; NULL: nothing. */
static char *
say_left(const Steps *steps)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < steps->n; i++)
	{
		const Step *step = &steps->items[i];

		if (step->left > 0)
			appendStringInfo(&buf, "%s" INT64_FORMAT " %s", buf.len > 0 ? ", " : "", step->left,
							 step->left == 1 ? step->noun : step->nouns);
	}
	return buf.len > 0 ? buf.data : NULL;
}

static bool
any_done(const Steps *steps)
{
	for (int i = 0; i < steps->n; i++)
	{
		if (steps->items[i].done > 0)
			return true;
	}
	return false;
}

static char *
count_lost(Steps *steps)
{
	for (int i = 0; i < steps->n; i++)
	{
		if (steps->items[i].lost != NULL)
			steps->items[i].left = count_past(steps->items[i].relid, steps->items[i].lost);
	}
	return say_left(steps);
}

/*
 * Run all; what is left then, in words, or NULL.  What another session has added
 * meanwhile is taken by a second turn, where a new snapshot shows it.
 */
static const char *
take_steps(Steps *steps)
{
	bool		again = false;

	for (int turn = 0; turn < 2; turn++)
	{
		for (int i = 0; i < steps->n; i++)
		{
			Step	   *step = &steps->items[i];

			if (turn == 0 || step->left > 0)
				step->done += change_rows(step->relid, step->change, steps->path);
		}
		again = false;
		for (int i = 0; i < steps->n; i++)
		{
			Step	   *step = &steps->items[i];

			step->left = step->remains != NULL ? count_past(step->relid, step->remains) : 0;
			again |= step->left > 0;
		}
		if (!again || IsolationUsesXactSnapshot())
			break;
	}
	for (int i = 0; i < steps->n; i++)
	{
		if (!again && steps->items[i].hidden != NULL && count_past(steps->items[i].relid, steps->items[i].hidden) > 0)
			return "what is at units that are sealed off";
	}
	return say_left(steps);
}

/* ---- both ---- */

/* Who asks, if somebody does. */
static RbacGrants *
require_asker(FunctionCallInfo fcinfo, const char *deed)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);

	rbac_authz_refuse_switched(check, "role_grant");
	if (check->grants == NULL)
		rbac_refusal_raise("action", NULL, NULL, psprintf("no active member is asking to %s", deed), NULL,
						   "SELECT * FROM chat_rbac.whoami() shows who asks; a database administrator sets chat_rbac.identity to a member of the org.");
	return check->grants;
}

static RBAC_NORETURN void
raise_missing(const char *what, int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s " INT64_FORMAT " is not there, or not to be seen", what, id)));
}

static RBAC_NORETURN void
raise_null(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s", message)));
}

/*
 * Pin the search_path; the reason is that of each row's event too.  Returns what
 * to put back.
 */
static int
begin_settings(FunctionCallInfo fcinfo, int arg, Steps *steps)
{
	int			level = NewGUCNestLevel();

	steps->path = pstrdup(namespace_search_path);
	set_search_path("pg_catalog, pg_temp");
	if (!PG_ARGISNULL(arg))
	{
		char	   *reason = text_to_cstring(PG_GETARG_TEXT_PP(arg));

		if (strlen(reason) > RBAC_REASON_BYTES)
			ereport(ERROR,
					(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
					 errmsg("a reason is at most %d bytes long", RBAC_REASON_BYTES)));
		(void) set_config_option("chat_rbac.reason", reason, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	}
	return level;
}

/* The event that binds those of the rows, and the rows to return; none if there was nothing to do. */
static void
report_steps(FunctionCallInfo fcinfo, const Steps *steps, RbacEvent *event, StringInfo new)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RbacCheck  *check;
	const char *comma = "";

	if (!any_done(steps))
		return;
	appendStringInfoString(new, ",\"done\":{");
	for (int i = 0; i < steps->n; i++)
	{
		const Step *step = &steps->items[i];
		Datum		row[2];
		bool		nulls[2] = {false, false};

		if (step->done == 0)
			continue;
		row[0] = CStringGetTextDatum(step->what);
		row[1] = Int64GetDatum(step->done);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
		appendStringInfoString(new, comma);
		escape_json(new, step->what);
		appendStringInfo(new, ":" INT64_FORMAT, step->done);
		comma = ",";
	}
	appendStringInfoString(new, "}}");

	/* what was changed has made the asker's grants anew */
	check = rbac_authz_check(fcinfo->flinfo);
	rbac_authz_refuse_switched(check, "role_grant");
	event->new = DirectFunctionCall1(jsonb_in, CStringGetDatum(new->data));
	event->command = (int32) GetCurrentCommandId(false);
	(void) rbac_trail_write(rbac_trail_who(check->grants), event);
}

static Datum
text_array(const char **values, int n)
{
	Datum	   *texts = palloc(sizeof(Datum) * (n + 1));

	for (int i = 0; i < n; i++)
		texts[i] = CStringGetTextDatum(values[i]);
	return PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* What an event is about: a row of the model, under the permission that it took. */
static void
name_event(RbacEvent *event, int64 org, const char *table, int64 id, const char *action)
{
	event->has_org = true;
	event->org = org;
	event->relation = rbac_catalog_relation(table);
	event->table_name = CStringGetTextDatum(psprintf("%s.%s", RBAC_SCHEMA, table));
	event->row_key = CStringGetTextDatum(psprintf(INT64_FORMAT, id));
	event->actions = text_array(&action, 1);
}

/* A unit that the caller may manage, or, without manage, see. */
static Subject *
find_unit(int64 org, int64 unit, bool manage)
{
	Subject    *result = find_subject(psprintf(manage ?
											   "UPDATE chat_rbac.unit SET name = name WHERE org_id = " INT64_FORMAT " AND unit_id = " INT64_FORMAT
											   " RETURNING name, kind, key, true" :
											   "SELECT name, kind, key, true FROM chat_rbac.unit WHERE org_id = " INT64_FORMAT " AND unit_id = " INT64_FORMAT,
											   org, unit));

	if (result == NULL)
		raise_missing("unit", unit);
	return result;
}

/* ---- handing over ---- */

/* The name of a member whom the caller may manage; NULL: there is none, or not any more. */
static char *
require_manager(FunctionCallInfo fcinfo, int64 org, int64 member)
{
	Subject    *subject;
	RbacCatalogScope catalog;
	Datum		args[2];
	bool		there;

	subject = find_subject(psprintf("UPDATE chat_rbac.member SET active = active WHERE org_id = " INT64_FORMAT " AND member_id = " INT64_FORMAT
									" RETURNING name, NULL, NULL::pg_catalog.int8, active", org, member));
	if (subject != NULL)
		return subject->name;
	(void) rbac_authz_require(fcinfo->flinfo, "member.manage", "hand over the work of a member who is not to be seen");
	args[0] = Int64GetDatum(org);
	args[1] = Int64GetDatum(member);
	rbac_catalog_open(&catalog);
	there = rbac_catalog_query(&catalog, &member_exists, args, NULL) > 0;
	rbac_catalog_close(&catalog);
	if (there)
		raise_missing("member", member);
	return NULL;
}

/* Where the event of a hand-over is: at the unit if there is one, and at all sealed ones where work goes. */
static void
place_event(RbacEvent *event, const Subject *unit, Datum *args, const char *nulls)
{
	MemoryContext own = CurrentMemoryContext;
	RbacCatalogScope catalog;
	uint64		rows;
	const char **kinds;
	int64	   *keys;
	int			n = 0;

	rbac_catalog_open(&catalog);
	rows = rbac_catalog_query(&catalog, &sealed_work, args, nulls);
	kinds = MemoryContextAlloc(own, sizeof(char *) * (rows + 1));
	keys = MemoryContextAlloc(own, sizeof(int64) * (rows + 1));
	if (unit != NULL)
	{
		kinds[n] = unit->kind;
		keys[n++] = unit->key;
	}
	for (uint64 i = 0; i < rows; i++)
	{
		const char *kind = rbac_catalog_copy_text(i, 1, own);
		int64		key = rbac_catalog_int64(i, 2, NULL);

		if (unit != NULL && key == unit->key && strcmp(kind, unit->kind) == 0)
			continue;
		kinds[n] = kind;
		keys[n++] = key;
	}
	rbac_catalog_close(&catalog);
	event->unit_kinds = text_array(kinds, n);
	event->unit_keys = rbac_compile_array(keys, n);
}

static Subject *
require_receiver(int64 org, int64 receiver)
{
	Subject    *subject = find_subject(psprintf("SELECT name, NULL, NULL::pg_catalog.int8, active FROM chat_rbac.member"
												" WHERE org_id = " INT64_FORMAT " AND member_id = " INT64_FORMAT " FOR SHARE", org, receiver));

	if (subject == NULL)
		raise_missing("member", receiver);
	if (!subject->active)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("member \"%s\" is not active", subject->name)));
	return subject;
}

/*
 * chat_rbac.hand_over(member bigint, "to" bigint, unit bigint, revoke boolean, reason text) -> SETOF (what text, n bigint)
 *		All open work of a member goes to another, or to nobody, and the member's
 *		grants are revoked.
 */
Datum
chat_rbac_hand_over(PG_FUNCTION_ARGS)
{
	RbacGrants *grants = require_asker(fcinfo, "hand over work");
	int64		org = grants->org;
	int64		member;
	bool		revoke = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	Datum		args[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};
	Steps		steps = {0};
	StringInfoData new;
	RbacEvent	event = {.operation = "hand_over"};
	Subject    *receiver = NULL;
	Subject    *unit = NULL;
	char	   *name;
	const char *left;
	int			level;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
		raise_null("hand_over() needs a member, and to know whether to revoke");
	PreventCommandIfReadOnly("hand_over()");
	InitMaterializedSRF(fcinfo, 0);
	level = begin_settings(fcinfo, 4, &steps);
	member = PG_GETARG_INT64(0);
	if (member == grants->member)
		rbac_refusal_raise("action", grants, NULL, "nobody hands over for themselves", NULL,
						   "Give rows away by plain UPDATE; ask somebody else to revoke.");
	if (!PG_ARGISNULL(1) && PG_GETARG_INT64(1) == member)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("member " INT64_FORMAT " cannot take over from themselves", member)));

	/* from here on grants may be anew */
	name = require_manager(fcinfo, org, member);
	rbac_catalog_lock_org(org);
	if (!PG_ARGISNULL(1))
		receiver = require_receiver(org, PG_GETARG_INT64(1));
	if (!PG_ARGISNULL(2))
		unit = find_unit(org, PG_GETARG_INT64(2), false);

	args[0] = Int64GetDatum(org);
	args[1] = Int64GetDatum(member);
	args[2] = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	nulls[2] = PG_ARGISNULL(1) ? 'n' : ' ';
	args[3] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
	nulls[3] = PG_ARGISNULL(2) ? 'n' : ' ';
	args[4] = BoolGetDatum(is_above());
	read_steps(&steps, &work_steps, args, nulls);
	if (receiver != NULL && (left = count_lost(&steps)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("member \"%s\" would not see %s", receiver->name, left),
				 errdetail("They hold no role there that shows what is theirs."),
				 errhint("Grant them one first, hand over one unit after the other, or leave out \"to\".")));
	args[2] = args[3];
	nulls[2] = nulls[3];
	if (revoke)
		read_steps(&steps, &leave_steps, args, nulls);
	args[3] = args[4];
	nulls[3] = nulls[4];
	place_event(&event, unit, args, nulls);
	left = take_steps(&steps);
	if (left != NULL)
		rbac_refusal_raise("action", rbac_authz_check(fcinfo->flinfo)->grants, NULL,
						   psprintf("member \"%s\" would keep %s", name != NULL ? name : psprintf(INT64_FORMAT, member), left),
						   "You do not see that, or may not change it. Nothing was handed over.",
						   "Ask somebody who may, or hand over the unit that is yours.");

	if (name == NULL && !any_done(&steps))
		raise_missing("member", member);

	initStringInfo(&new);
	appendStringInfoString(&new, "{\"to\":");
	if (receiver != NULL)
		appendStringInfo(&new, INT64_FORMAT, PG_GETARG_INT64(1));
	else
		appendStringInfoString(&new, "null");
	if (unit != NULL)
		appendStringInfo(&new, ",\"unit\":" INT64_FORMAT, PG_GETARG_INT64(2));
	name_event(&event, org, "member", member, "member.manage");
	report_steps(fcinfo, &steps, &event, &new);
	AtEOXact_GUC(true, level);
	return (Datum) 0;
}

/* ---- merging ---- */

static void
require_mergeable(int64 org, int64 source, int64 target)
{
	MemoryContext own = CurrentMemoryContext;
	RbacCatalogScope catalog;
	Datum		args[3];
	char	   *problem = NULL;

	args[0] = Int64GetDatum(org);
	args[1] = Int64GetDatum(source);
	args[2] = Int64GetDatum(target);
	rbac_catalog_open(&catalog);
	if (rbac_catalog_query(&catalog, &merge_problem, args, NULL) == 1)
		problem = rbac_catalog_copy_text(0, 1, own);
	rbac_catalog_close(&catalog);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("these units cannot be merged: %s", problem)));
}

/*
 * chat_rbac.merge_units("from" bigint, "into" bigint, reason text) -> SETOF (what text, n bigint)
 *		The rows, grants and units below of one unit become another's, and it is
 *		deleted.
 */
Datum
chat_rbac_merge_units(PG_FUNCTION_ARGS)
{
	RbacGrants *grants = require_asker(fcinfo, "merge units");
	int64		org = grants->org;
	int64		source;
	int64		target;
	Subject    *from;
	Subject    *into;
	Datum		args[4];
	Steps		steps = {0};
	StringInfoData new;
	RbacEvent	event = {.operation = "merge_units"};
	const char *kinds[2];
	int64		keys[2];
	const char *left;
	int			level;
	Step	   *last;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		raise_null("merge_units() needs two units");
	PreventCommandIfReadOnly("merge_units()");
	InitMaterializedSRF(fcinfo, 0);
	level = begin_settings(fcinfo, 2, &steps);
	source = PG_GETARG_INT64(0);
	target = PG_GETARG_INT64(1);
	if (source == target)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unit " INT64_FORMAT " cannot be merged into itself", source)));

	/* from here on grants may be anew */
	from = find_unit(org, source, true);
	into = find_unit(org, target, true);
	rbac_catalog_lock_org(org);
	require_mergeable(org, source, target);

	args[0] = Int64GetDatum(org);
	args[1] = Int64GetDatum(source);
	args[2] = Int64GetDatum(target);
	args[3] = BoolGetDatum(is_above());
	read_steps(&steps, &merge_steps, args, NULL);
	left = take_steps(&steps);
	if (left != NULL)
		rbac_refusal_raise("action", rbac_authz_check(fcinfo->flinfo)->grants, NULL,
						   psprintf("unit \"%s\" would keep %s", from->name, left),
						   "You do not see that, or may not change it. Nothing was merged.", NULL);
	steps.items = repalloc(steps.items, sizeof(Step) * (steps.n + 1));
	last = &steps.items[steps.n++];
	last->what = "unit";
	last->done = change_rows(rbac_catalog_relation("unit"),
							 psprintf("DELETE FROM chat_rbac.unit WHERE org_id = " INT64_FORMAT " AND unit_id = " INT64_FORMAT, org, source), steps.path);
	if (last->done != 1)
		raise_missing("unit", source);

	initStringInfo(&new);
	appendStringInfo(&new, "{\"into\":" INT64_FORMAT ",\"name\":", target);
	escape_json(&new, from->name);
	kinds[0] = from->kind;
	keys[0] = from->key;
	kinds[1] = into->kind;
	keys[1] = into->key;
	name_event(&event, org, "unit", source, "unit.manage");
	event.unit_kinds = text_array(kinds, 2);
	event.unit_keys = rbac_compile_array(keys, 2);
	report_steps(fcinfo, &steps, &event, &new);
	AtEOXact_GUC(true, level);
	return (Datum) 0;
}

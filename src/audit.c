/*-------------------------------------------------------------------------
 *
 * src/audit.c
 *	  Records what is done: the triggers that write the audit trail.
 *
 * An AFTER ROW trigger on protected tables and on our own, ENABLE ALWAYS and
 * named to fire first, writes one event for each row that was changed, under the
 * permissions of the rules that the change falls under.  Those are found anew
 * from the row as it was and as it has become, so a change is named as the guard
 * named it, also where the guard let it pass unasked: for who bypasses
 * policies, and in a cascade.
 *
 * What belongs to one command's events is in a state in the query's memory.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/htup_details.h"
#include "access/tupconvert.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(chat_rbac_audit);
PG_FUNCTION_INFO_V1(chat_rbac_audit_truncate);
PG_FUNCTION_INFO_V1(chat_rbac_audit_note);
PG_FUNCTION_INFO_V1(chat_rbac_audit_incarnation);

/*
 * One trigger's execution: all rows of one relation in one query.  The check
 * comes first, because fn_extra is that to authz.c.
 */
typedef struct AuditState
{
	RbacCheck	check;
	MemoryContext query;
	RbacProtection *form;		/* with its image */
	RbacTrailWho *who;
	RbacPlaceFinder *finder;
	MemoryContext row;			/* reset after each */
	uint64		rules;			/* that actions are the names of; 0: none */
	RbacCommand command;
	Datum		actions;
	MemoryContext actions_context;
	int			trigger_depth;	/* triggers around it */
	HeapTuple	moved;			/* the row that left its partition last, */
	TupleDesc	moved_desc;		/* and what it was then */
	struct AuditState *next_moving;
	MemoryContextCallback release;
} AuditState;

/* The level of the event that is being worked on, for each depth of triggers within triggers. */
#define DEPTH_MAX 64
static int	levels[DEPTH_MAX];

/*
 * Whose row has left its partition and has not come to another one yet: one for
 * each query, as triggers that fire in between may move rows too.
 */
static AuditState *moving = NULL;

/* ---- the trigger's execution ---- */

static void
stop_moving(const AuditState *state)
{
	for (AuditState **link = &moving; *link != NULL; link = &(*link)->next_moving)
	{
		if (*link == state)
		{
			*link = state->next_moving;
			return;
		}
	}
}

static void
forget_state(void *arg)
{
	AuditState *state = (AuditState *) arg;

	stop_moving(state);
	levels[state->trigger_depth] = 0;
	if (state->form != NULL)
		rbac_protection_unpin(state->form);
}

static AuditState *
audit_state(FmgrInfo *flinfo, Relation rel)
{
	AuditState *state = (AuditState *) flinfo->fn_extra;
	MemoryContext old;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(AuditState));
		rbac_authz_attach(flinfo, &state->check);
		state->query = flinfo->fn_mcxt;
		state->release.func = forget_state;
		state->release.arg = state;
		MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &state->release);
	}
	if (state->who != NULL)
		return state;

	rbac_authz_check(flinfo);
	rbac_authz_refuse_switched(&state->check, RelationGetRelationName(rel));
	old = MemoryContextSwitchTo(state->query);
	if (state->form == NULL)
		state->form = rbac_protection_pin(RelationGetRelid(rel));
	if (state->form == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has chat_rbac's audit trigger, but no specification",
						RelationGetRelationName(rel)),
				 errhint("Protect it again, or drop the trigger.")));
	rbac_image_get(state->form);
	state->finder = rbac_place_finder(state->query);
	state->row = AllocSetContextCreate(state->query, "chat_rbac event", ALLOCSET_DEFAULT_SIZES);
	state->actions_context = AllocSetContextCreate(state->query, "chat_rbac event actions", ALLOCSET_SMALL_SIZES);
	state->who = rbac_trail_who(state->check.grants);
	MemoryContextSwitchTo(old);
	return state;
}

/* ---- how far from what was asked for ---- */

/*
 * A foreign key's cascade changes rows by commands of its own, whose triggers
 * are fired with those of the command that it follows from.  Its commands are
 * numbered after the event that it follows from, and before the next one: so
 * each event leaves a mark, where its level is not that of the mark before.
 */
typedef struct LevelMark
{
	CommandId	after;			/* commands from then on follow from events */
	int			level;			/* of this level */
} LevelMark;

static LevelMark *marks = NULL;
static int	nmarks = 0;
static int	marks_capacity = 0;
static LocalTransactionId marks_transaction = InvalidLocalTransactionId;

static void
mark_level(CommandId now, int level)
{
	if (marks_transaction != rbac_local_transaction())
	{
		if (marks != NULL)
			pfree(marks);
		marks = NULL;
		nmarks = 0;
		marks_capacity = 0;
		marks_transaction = rbac_local_transaction();
	}

	/* a subtransaction that was rolled back leaves its numbers to others */
	while (nmarks > 0 && marks[nmarks - 1].after >= now)
		nmarks--;
	if (nmarks > 0 && marks[nmarks - 1].level == level)
		return;
	if (nmarks == marks_capacity)
	{
		marks_capacity = Max(16, marks_capacity * 2);
		marks = marks == NULL ? MemoryContextAlloc(TopMemoryContext, sizeof(LevelMark) * marks_capacity) :
			repalloc(marks, sizeof(LevelMark) * marks_capacity);
	}
	marks[nmarks].after = now;
	marks[nmarks++].level = level;
}

/* The level of a row that command has changed, in a query that began at command base. */
static int
level_of(CommandId command, CommandId base)
{
	int			low = 0;
	int			high = nmarks;	/* marks from there on are of later commands */

	if (command <= base || marks_transaction != rbac_local_transaction())
		return 0;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (marks[middle].after < command)
			low = middle + 1;
		else
			high = middle;
	}
	return high > 0 && marks[high - 1].after >= base ? marks[high - 1].level + 1 : 1;
}

/* The command that has made the change: it stands in the row itself. */
static CommandId
command_of(const TriggerData *trigdata, CommandId base)
{
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;

	if (trigdata->tg_relation->rd_rel->relam != HEAP_TABLE_AM_OID)
		return base;
	return TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ?
		HeapTupleHeaderGetCmax(tuple->t_data) : HeapTupleHeaderGetCmin(tuple->t_data);
}

/* How far an event of a level is from what was asked for: triggers around it have levels too. */
static int
depth_of(AuditState *state, int level)
{
	int			result = level;

	state->trigger_depth = Min(DatumGetInt32(pg_trigger_depth(NULL)), DEPTH_MAX) - 1;
	for (int i = 0; i < state->trigger_depth; i++)
		result += 1 + levels[i];
	levels[state->trigger_depth] = level;
	return result;
}

static void
tell_command(AuditState *state, const TriggerData *trigdata, RbacEvent *event)
{
	CommandId	base = ActiveSnapshotSet() ? GetActiveSnapshot()->curcid : GetCurrentCommandId(false);
	CommandId	command = command_of(trigdata, base);
	int			level = level_of(command, base);

	event->command = (int32) command;
	event->depth = depth_of(state, level);
	mark_level(GetCurrentCommandId(false), level);
}

/* ---- under which permissions ---- */

static Datum
text_array(Datum *values, int n)
{
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The permissions that rules name; where none does, what the resource calls such a change by default. */
static Datum
name_actions(const RbacProtection *form, RbacCommand command, const RbacDemand *demands, int ndemands)
{
	static const char *const defaults[RBAC_NCOMMANDS] = {"create", "edit", "delete"};
	Datum	   *names = palloc(sizeof(Datum) * (ndemands + 1));
	int			n = 0;

	for (int i = 0; i < ndemands; i++)
	{
		const RbacAction *action = demands[i].action;
		RbacPermission permission;
		size_t		pos = 0;
		bool		named = action != NULL && !action->any && action->requires >= 0;

		for (int j = 0; j < i && named; j++)
			named = demands[j].action == NULL || demands[j].action->any ||
				demands[j].action->requires != action->requires;
		if (named && rbac_permset_next(&form->needs[action->requires], &pos, &permission))
			names[n++] = PointerGetDatum(cstring_to_text_with_len(permission.text, (int) permission.len));
	}
	if (n == 0)
		names[n++] = CStringGetTextDatum(psprintf("%s.%s", form->resource, defaults[command]));
	return text_array(names, n);
}

/* The same, kept for the next row that falls under the same rules. */
static Datum
actions_of(AuditState *state, RbacCommand command, const RbacDemand *demands, int ndemands)
{
	const RbacProtection *form = state->form;
	uint64		rules = 0;
	MemoryContext old;

	if (form->nactions < 63)
	{
		rules = UINT64CONST(1) << 63;	/* that it is known */
		for (int i = 0; i < ndemands; i++)
		{
			if (demands[i].action != NULL)
				rules |= UINT64CONST(1) << (demands[i].action - form->actions);
		}
	}
	if (rules != 0 && state->rules == rules && state->command == command)
		return state->actions;
	state->rules = 0;
	MemoryContextReset(state->actions_context);
	old = MemoryContextSwitchTo(state->actions_context);
	state->actions = name_actions(form, command, demands, ndemands);
	MemoryContextSwitchTo(old);
	state->rules = rules;
	state->command = command;
	return state->actions;
}

/* ---- writing ---- */

static void
write_event(AuditState *state, const RbacPlace *place, const RbacPlace *other, RbacEvent *event)
{
	event->has_org = place->has_org;
	event->org = place->org;
	event->relation = state->form->root;
	event->table_name = rbac_image_table_name(state->form->image);
	rbac_place_arrays(state->finder, place, other, &event->unit_kinds, &event->unit_keys);
	rbac_trail_write(state->who, event);
}

/* A row that is there from now on, or not any more; from says where else it was, if anywhere. */
static void
record_row(AuditState *state, const char *operation, const RbacRow *row, bool comes, const RbacRow *from, RbacEvent *event)
{
	RbacImage  *image = state->form->image;
	RbacPlace	place;
	RbacPlace	other;

	event->operation = operation;
	event->row_key = rbac_image_key(image, state->form, row);
	event->old = comes ? (Datum) 0 : rbac_image_row(image, row);
	event->new = comes ? rbac_image_row(image, row) : (Datum) 0;
	rbac_place_find(state->finder, state->form, row, &place);
	if (from != NULL)
		rbac_place_find(state->finder, state->form, from, &other);
	/* what it was elsewhere is for the same org only */
	if (from == NULL || other.has_org != place.has_org || other.org != place.org)
		from = NULL;
	else
		event->old = rbac_image_row(image, from);
	write_event(state, &place, from != NULL ? &other : NULL, event);
}

/* A row that another org has got is gone for the one and new to the other. */
static void
record_update(AuditState *state, const RbacChange *change, const RbacDemand *demands, int ndemands, RbacEvent *event)
{
	RbacImage  *image = state->form->image;
	RbacPlace	before;
	RbacPlace	after;

	rbac_place_find(state->finder, state->form, change->old, &before);
	rbac_place_find(state->finder, state->form, change->new, &after);
	if (before.has_org != after.has_org || before.org != after.org)
	{
		record_row(state, "delete", change->old, false, NULL, event);
		record_row(state, "insert", change->new, true, NULL, event);
		return;
	}
	event->operation = "update";
	event->row_key = rbac_image_key(image, state->form, change->old);
	event->old = rbac_image_columns(image, change->old, demands, ndemands);
	event->new = rbac_image_columns(image, change->new, demands, ndemands);
	write_event(state, &before, &after, event);
}

/* ---- rows that move between partitions ---- */

/* Remember the row that an UPDATE takes out of its partition, which the heap says it does. */
static bool
leaves_partition(AuditState *state, const TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	MemoryContext old;

	if (!TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) || !rel->rd_rel->relispartition ||
		rel->rd_rel->relam != HEAP_TABLE_AM_OID ||
		!HeapTupleHeaderIndicatesMovedPartitions(trigdata->tg_trigtuple->t_data))
		return false;
	old = MemoryContextSwitchTo(state->query);
	if (state->moved != NULL)
		heap_freetuple(state->moved);
	if (state->moved_desc == NULL)
		state->moved_desc = CreateTupleDescCopy(RelationGetDescr(rel));
	state->moved = heap_copytuple(trigdata->tg_trigtuple);
	MemoryContextSwitchTo(old);
	stop_moving(state);
	state->next_moving = moving;
	moving = state;
	return true;
}

/* Is this insertion where that row arrives?  Then *old is that row, as if it had been here. */
static bool
enters_partition(AuditState *state, const TriggerData *trigdata, RbacRow *old)
{
	AuditState *from = moving;
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	TupleConversionMap *map;
	HeapTuple	tuple;
	Datum	   *values;
	bool	   *nulls;

	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		return false;
	while (from != NULL && (from->query != state->query || from->form->root != state->form->root))
		from = from->next_moving;
	if (from == NULL)
		return false;
	stop_moving(from);
	map = convert_tuples_by_name(from->moved_desc, desc);
	tuple = map != NULL ? execute_attr_map_tuple(from->moved, map) : from->moved;
	values = palloc(sizeof(Datum) * desc->natts);
	nulls = palloc(sizeof(bool) * desc->natts);
	heap_deform_tuple(tuple, desc, values, nulls);
	old->values = values;
	old->nulls = nulls;
	return true;
}

/* ---- the triggers ---- */

static void
record_change(AuditState *state, const TriggerData *trigdata)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	RbacChange	change = {.form = state->form,.grants = state->check.grants};
	RbacDemand *demands = palloc(sizeof(RbacDemand) * (desc->natts + 1));
	RbacEvent	event = {0};
	RbacRow		rows[2];
	RbacRow		was;
	int			ndemands;

	rbac_rule_read_change(trigdata, &change, rows);
	tell_command(state, trigdata, &event);
	if (enters_partition(state, trigdata, &was))
	{
		change.command = RBAC_UPDATE;
		change.old = &was;
		ndemands = rbac_rule_demands(desc, &change, demands);
		event.actions = actions_of(state, change.command, demands, ndemands);
		record_row(state, "move_in", change.new, true, change.old, &event);
		return;
	}
	if (leaves_partition(state, trigdata))
	{
		event.actions = text_array(NULL, 0);
		record_row(state, "move_out", change.old, false, NULL, &event);
		return;
	}
	ndemands = rbac_rule_demands(desc, &change, demands);

	/*
	 * an update that changed nothing; or, of our own tables, nothing that is
	 * anybody's deed
	 */
	if (ndemands == 0 ||
		(change.command == RBAC_UPDATE && state->form->builtin && !rbac_image_shows(state->form->image, demands, ndemands)))
		return;
	event.actions = actions_of(state, change.command, demands, ndemands);
	if (change.command == RBAC_UPDATE)
		record_update(state, &change, demands, ndemands, &event);
	else if (change.command == RBAC_INSERT)
		record_row(state, "insert", change.new, true, NULL, &event);
	else
		record_row(state, "delete", change.old, false, NULL, &event);
}

/* Rows that our own script writes are part of the extension, and nobody's deed. */
static bool
is_our_script(void)
{
	return creating_extension && CurrentExtensionObject == get_extension_oid("chat_rbac", true);
}

/*
 * chat_rbac.audit() trigger
 *		AFTER INSERT OR UPDATE OR DELETE, for each row.
 */
Datum
chat_rbac_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	AuditState *state;
	MemoryContext old;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired after a change, for each row", "chat_rbac.audit")));
	/* one is enough: a second one would record everything twice */
	if (strcmp(trigdata->tg_trigger->tgname, "00_chat_rbac_audit") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" is for trigger \"%s\", which chat_rbac.protect() makes",
						"chat_rbac.audit", "00_chat_rbac_audit"),
				 errhint("Drop trigger \"%s\" of table \"%s\".", trigdata->tg_trigger->tgname,
						 RelationGetRelationName(trigdata->tg_relation))));
	if (is_our_script())
		return PointerGetDatum(NULL);
	state = audit_state(fcinfo->flinfo, trigdata->tg_relation);
	MemoryContextReset(state->row);
	old = MemoryContextSwitchTo(state->row);
	record_change(state, trigdata);
	MemoryContextSwitchTo(old);
	return PointerGetDatum(NULL);
}

/*
 * chat_rbac.audit_truncate() trigger
 *		AFTER TRUNCATE, for each statement.  The event is of no org: the rows
 *		were of all.
 */
Datum
chat_rbac_audit_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	AuditState *state;
	RbacEvent	event = {0};
	RbacPlace	nowhere = {0};
	RbacChange	change = {.command = RBAC_DELETE};
	RbacDemand	demand;
	MemoryContext old;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigdata->tg_event) ||
		!TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired after TRUNCATE", "chat_rbac.audit_truncate")));
	if (is_our_script())
		return PointerGetDatum(NULL);
	state = audit_state(fcinfo->flinfo, trigdata->tg_relation);
	old = MemoryContextSwitchTo(state->row);
	event.operation = "truncate";
	event.command = (int32) GetCurrentCommandId(false);
	event.depth = depth_of(state, 0);
	change.form = state->form;
	demand = rbac_rule_demand(&change, 0);
	event.actions = name_actions(state->form, RBAC_DELETE, &demand, 1);
	if (state->form->relid != state->form->root)
		event.row_key = CStringGetTextDatum(RelationGetRelationName(trigdata->tg_relation));
	write_event(state, &nowhere, NULL, &event);
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->row);
	return PointerGetDatum(NULL);
}

/* An argument that may be null. */
static Datum
argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? (Datum) 0 : PointerGetDatum(PG_DETOAST_DATUM(PG_GETARG_DATUM(n)));
}

/*
 * chat_rbac.audit_note(operation text, action text, relation regclass, table_name text, row_key text,
 *						org bigint, unit_kinds text[], unit_keys bigint[], new jsonb, reason text) -> bigint
 *		Writes an event that no trigger writes, and returns its id.
 */
Datum
chat_rbac_audit_note(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	RbacEvent	event = {0};
	Datum		action;

	PreventCommandIfReadOnly("audit_note()");
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(6) || PG_ARGISNULL(7))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an event needs an operation, an action and its units")));
	action = argument(fcinfo, 1);
	event.operation = text_to_cstring(PG_GETARG_TEXT_PP(0));
	event.actions = text_array(&action, 1);
	event.relation = PG_ARGISNULL(2) ? InvalidOid : PG_GETARG_OID(2);
	event.table_name = argument(fcinfo, 3);
	event.row_key = argument(fcinfo, 4);
	event.has_org = !PG_ARGISNULL(5);
	event.org = event.has_org ? PG_GETARG_INT64(5) : 0;
	event.unit_kinds = argument(fcinfo, 6);
	event.unit_keys = argument(fcinfo, 7);
	event.new = argument(fcinfo, 8);
	event.reason = argument(fcinfo, 9);
	event.command = (int32) GetCurrentCommandId(false);
	PG_RETURN_INT64(rbac_trail_write(rbac_trail_who(check->grants), &event));
}

/* chat_rbac.audit_incarnation() -> uuid: what this database is to the trail; begun if need be */
Datum
chat_rbac_audit_incarnation(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));

	(void) fcinfo;
	PreventCommandIfReadOnly("audit_incarnation()");
	rbac_trail_incarnation(result);
	return UUIDPGetDatum(result);
}

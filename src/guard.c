/*-------------------------------------------------------------------------
 *
 * src/guard.c
 *	  The guard: each change of a protected table needs its own right.
 *
 * A BEFORE ROW trigger, ENABLE ALWAYS and named to fire last, finds the rules
 * that a change falls under and requires what they require: on the row as it
 * was, for an INSERT on the row as it will be.  Policies let an UPDATE or DELETE
 * reach the rows on which any of the table's rights for that command is held;
 * which one a change needs is said here.
 *
 * An approved row is remembered until the next one, within the command and the
 * trigger's execution.  Policies ask for it: approved() is what an INSERT or
 * UPDATE must have to be checked in, and handed_over() lets the new row pass the
 * SELECT policy once, though who gave it away cannot see it any more.
 *
 * Roles that bypass row-level security bypass the guard.  A cascade of a foreign
 * key runs as the table's owner past the policies, and past the guard too: what
 * was asked for, in the table referred to, has been checked there.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "utils/acl.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(chat_rbac_guard);
PG_FUNCTION_INFO_V1(chat_rbac_guard_truncate);
PG_FUNCTION_INFO_V1(chat_rbac_approved);
PG_FUNCTION_INFO_V1(chat_rbac_handing_over);
PG_FUNCTION_INFO_V1(chat_rbac_handed_over);

/* An UPDATE that moves a row to another partition deletes and inserts it there. */
typedef enum MoveStep
{
	MOVE_NONE,
	MOVE_MAY_DELETE,			/* the update has been approved */
	MOVE_MAY_INSERT				/* and the row was deleted by it */
} MoveStep;

/* The value of a column that tells a row and its place. */
typedef struct Place
{
	Oid			type;
	int16		len;
	bool		byval;
	bool		isnull;
	Datum		value;
} Place;

/*
 * One trigger's execution: all rows of one relation in one query.  The check
 * comes first, because fn_extra is that to authz.c.
 */
typedef struct GuardState
{
	RbacCheck	check;
	MemoryContext query;		/* of the query that it is part of */
	bool		bypassed;		/* by a role that is above policies */
	bool		in_cascade;		/* of a foreign key, perhaps */
	Oid			root;
	int			nplaces;
	Place	   *places;			/* of the approved row */
	RbacCommandMark command;	/* in which it was approved */
	bool		approved;
	bool		new_key;		/* it is a new row, or has another key */
	bool		handed_over;	/* it has passed a SELECT policy */
	bool		presence_known; /* whether a row like it is there: */
	bool		is_there;
	MoveStep	move;
	Oid			moved_from;		/* the row that is being moved: its table */
	ItemPointerData moved;		/* and place there */
	MemoryContext row_context;	/* of what places point to, */
	bool		copied;			/* if any does */
	dlist_node	link;
	MemoryContextCallback release;
} GuardState;

static dlist_head running = DLIST_STATIC_INIT(running);

/* ---- the trigger's execution ---- */

static void
forget_state(void *arg)
{
	dlist_delete(&((GuardState *) arg)->link);
}

static GuardState *
guard_state(FmgrInfo *flinfo)
{
	GuardState *state = (GuardState *) flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(GuardState));
		rbac_authz_attach(flinfo, &state->check);
		state->query = flinfo->fn_mcxt;
		state->row_context = AllocSetContextCreate(flinfo->fn_mcxt, "chat_rbac approved row",
												   ALLOCSET_SMALL_SIZES);
		state->release.func = forget_state;
		state->release.arg = state;
		MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &state->release);
		dlist_push_head(&running, &state->link);

		state->bypassed = has_bypassrls_privilege(GetUserId());
		state->in_cascade = InNoForceRLSOperation();
	}
	return state;
}

/* ---- what that requires ---- */

/* Does a change of this column take a child's row to another parent? */
static bool
moves_child(const RbacChange *change, AttrNumber attnum)
{
	return change->command == RBAC_UPDATE && OidIsValid(change->form->parent) && attnum != 0 &&
		(attnum == change->form->parent_column.attnum || attnum == change->form->org.attnum);
}

/* What was tried, for a message; attnum is 0 where no column is to blame. */
static char *
deed(const RbacChange *change, AttrNumber attnum)
{
	static const char *const verbs[RBAC_NCOMMANDS] = {"insert into", "update", "delete from"};
	StringInfoData buf;

	initStringInfo(&buf);
	if (change->command == RBAC_UPDATE && attnum != 0)
		appendStringInfo(&buf, "change column \"%s\" of", get_attname(change->form->relid, attnum, false));
	else
		appendStringInfoString(&buf, verbs[change->command]);
	appendStringInfo(&buf, " table \"%s\"", get_rel_name(change->form->root));
	return buf.data;
}

/* A refusal names the permission, and nothing of the row. */
static void
refuse(const RbacChange *change, AttrNumber attnum, int need, const char *detail)
{
	const RbacPermset *set = &change->form->needs[need];
	StringInfoData names;
	StringInfoData quoted;
	RbacPermission permission;
	size_t		pos = 0;

	initStringInfo(&names);
	initStringInfo(&quoted);
	while (rbac_permset_next(set, &pos, &permission))
	{
		appendStringInfo(&names, "%s%.*s", names.len > 0 ? ", " : "", (int) permission.len, permission.text);
		appendStringInfo(&quoted, "%s\"%.*s\"", quoted.len > 0 ? ", " : "", (int) permission.len, permission.text);
	}
	rbac_refusal_raise("action", change->grants, names.data,
					   psprintf(rbac_permset_count(set) == 1 ? "permission %s is needed to %s" :
								"one of the permissions %s is needed to %s", quoted.data, deed(change, attnum)),
					   detail, NULL);
}

/* A detail for a permission that is not held on the row; it tells of who asks only. */
static const char *
held_elsewhere(const RbacChange *change, int need)
{
	const RbacScope *scope = rbac_authz_scope(change->grants, &change->form->needs[need], NULL, 0, false,
											  true, CurrentMemoryContext);

	return scope->org_wide || scope->nreach > 0 ? "It is held, but not on this row." : NULL;
}

static void
require(const RbacChange *change, const RbacAction *action, AttrNumber attnum)
{
	const RbacRow *where = change->old != NULL ? change->old : change->new;
	RbacProtection *form = change->form;

	if (action == NULL || action->requires == RBAC_NEEDS_ANY)
		rbac_refusal_raise("action", change->grants, NULL, psprintf("no rule allows to %s", deed(change, attnum)), NULL,
						   "The table's owner can add one to the \"actions\" of its specification.");
	if (action->requires == RBAC_NEEDS_OWNER)
	{
		if (!rbac_is_owner(form->root, GetUserId()))
			rbac_refusal_raise("action", change->grants, NULL,
							   psprintf("only the table's owner may %s", deed(change, attnum)),
							   attnum != 0 && change->command != RBAC_UPDATE ?
							   psprintf("The rule is for the value of column \"%s\".",
										get_attname(form->relid, attnum, false)) : NULL, NULL);
	}
	else if (!rbac_row_allows(change->rows, form, &form->needs[action->requires], where))
		refuse(change, attnum, action->requires, held_elsewhere(change, action->requires));
	else if (moves_child(change, attnum) &&
			 !rbac_row_allows(change->rows, form, &form->needs[action->requires], change->new))
		refuse(change, attnum, action->requires, "It must be held on the new parent row too.");

	if (action->into >= 0 && !rbac_row_allows(change->rows, form, &form->needs[action->into], change->new))
		refuse(change, attnum, action->into, "It must be held on the row as it would become.");
}

/*
 * Ask each rule once, but for a column that it is asked on two rows for.  Those
 * for which any permission does come last: another refusal says more.
 */
static void
require_all(const RbacChange *change, const RbacDemand *demands, int n)
{
	for (int any = 0; any <= 1; any++)
	{
		for (int i = 0; i < n; i++)
		{
			const RbacAction *action = demands[i].action;
			bool		asked = false;

			for (int j = 0; j < i && action != NULL && !moves_child(change, demands[i].attnum); j++)
				asked |= demands[j].action == action;
			if (!asked && (action != NULL && action->any) == (any == 1))
				require(change, action, demands[i].attnum);
		}
	}
}

/* ---- approved rows ---- */

static void
approve(GuardState *state, Relation rel, const RbacProtection *form, const RbacRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(state->row_context);

	state->approved = false;
	if (state->nplaces != form->nplaces)
	{
		state->places = MemoryContextAllocZero(state->query, sizeof(Place) * form->nplaces);
		state->nplaces = form->nplaces;
	}
	if (state->copied)
		MemoryContextReset(state->row_context);
	state->copied = false;
	for (int i = 0; i < form->nplaces; i++)
	{
		int			at = form->places[i] - 1;
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), at);
		Place	   *place = &state->places[i];

		place->type = attr->atttypid;
		place->len = attr->attlen;
		place->byval = attr->attbyval;
		place->isnull = row->nulls[at];
		if (place->isnull)
			continue;
		place->value = datumCopy(row->values[at], attr->attbyval, attr->attlen);
		state->copied |= !attr->attbyval;
	}
	MemoryContextSwitchTo(old);
	state->root = form->root;
	state->command = rbac_command_now();
	state->handed_over = false;
	state->presence_known = false;
	state->approved = true;
	dlist_move_head(&running, &state->link);
}

/*
 * The row of a table that was approved last in the command that the call site
 * belongs to: its policies' conditions share the query's memory context with
 * its triggers.  A query within it has another one.
 */
static GuardState *
approved_row(FunctionCallInfo fcinfo)
{
	dlist_iter	iter;
	Oid			root;

	if (likely(dlist_is_empty(&running)) || PG_ARGISNULL(0))
		return NULL;
	root = PG_GETARG_OID(0);
	dlist_foreach(iter, &running)
	{
		GuardState *state = dlist_container(GuardState, link, iter.cur);

		if (state->approved && state->root == root && state->query == fcinfo->flinfo->fn_mcxt &&
			rbac_command_is(&state->command))
			return state;
	}
	return NULL;
}

static bool
same_place(const Place *place, Datum value, bool isnull)
{
	if (place->isnull || isnull)
		return place->isnull && isnull;
	if (place->byval)
		return place->value == value;
	return datum_image_eq(place->value, value, place->byval, place->len);
}

/* The types of a call's arguments from the second on, which anybody may choose; kept for the call site. */
static const Oid *
argument_types(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;

	if (flinfo->fn_extra == NULL)
	{
		Oid		   *types = MemoryContextAlloc(flinfo->fn_mcxt, sizeof(Oid) * PG_NARGS());

		for (int i = 1; i < PG_NARGS(); i++)
			types[i - 1] = get_fn_expr_argtype(flinfo, i);
		flinfo->fn_extra = types;
	}
	return (const Oid *) flinfo->fn_extra;
}

/* Do the arguments from the second on, as policies pass them, tell the approved row? */
static bool
is_approved_row(FunctionCallInfo fcinfo, const GuardState *state)
{
	const Oid  *types;

	if (PG_NARGS() - 1 != state->nplaces || get_fn_expr_variadic(fcinfo->flinfo))
		return false;
	types = argument_types(fcinfo);
	for (int i = 0; i < state->nplaces; i++)
	{
		if (types[i] != state->places[i].type ||
			!same_place(&state->places[i], PG_GETARG_DATUM(i + 1), PG_ARGISNULL(i + 1)))
			return false;
	}
	return true;
}

/*
 * chat_rbac.approved(protected regclass, VARIADIC "any") -> boolean
 *		Has the guard approved a row with these columns as the last one in this
 *		command?  For the INSERT and UPDATE policies.
 */
Datum
chat_rbac_approved(PG_FUNCTION_ARGS)
{
	GuardState *state = approved_row(fcinfo);

	PG_RETURN_BOOL(state != NULL && is_approved_row(fcinfo, state));
}

/*
 * chat_rbac.handing_over(protected regclass) -> bigint
 *		The current org while a row of the table stands approved that no SELECT
 *		policy has seen; else NULL.
 */
Datum
chat_rbac_handing_over(PG_FUNCTION_ARGS)
{
	GuardState *state = approved_row(fcinfo);

	if (state == NULL || state->handed_over || state->check.grants == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT64(state->check.grants->org);
}

/* Does the command's snapshot show a row like the approved one? */
static bool
is_there(RbacProtection *form, const GuardState *state)
{
	Datum	   *values = palloc(sizeof(Datum) * state->nplaces);
	bool	   *nulls = palloc(sizeof(bool) * state->nplaces);

	for (int i = 0; i < state->nplaces; i++)
	{
		values[i] = state->places[i].value;
		nulls[i] = state->places[i].isnull;
	}
	return rbac_fetch_is_there(form, values, nulls, state->new_key);
}

/*
 * chat_rbac.handed_over(protected regclass, VARIADIC "any") -> boolean
 *		Is it the row that was just approved?  True once: for the check of the
 *		new row against the SELECT policy.  Where a command makes no such check,
 *		a scan within it may ask instead.  So a row like it that the command's
 *		snapshot shows, which is all that a scan can find, is none that it made.
 *		To a new key any row that has it is like it: how alike they are is not
 *		to be found out by trying.
 */
Datum
chat_rbac_handed_over(PG_FUNCTION_ARGS)
{
	GuardState *state = approved_row(fcinfo);

	if (state == NULL || state->handed_over)
		PG_RETURN_BOOL(false);
	if (!state->presence_known)
	{
		RbacProtection *form = rbac_row_protection(rbac_row_state(&state->check, state->query), state->root);

		/* whatever row asks: that this was looked for tells nothing of it */
		state->is_there = form == NULL || form->nplaces != state->nplaces ||
			is_there(form, state);
		state->presence_known = true;
	}
	if (state->is_there || !is_approved_row(fcinfo, state))
		PG_RETURN_BOOL(false);
	state->handed_over = true;
	PG_RETURN_BOOL(true);
}

/* ---- rows that move between partitions ---- */

/*
 * Is this DELETE or INSERT the second or third step of an UPDATE in the same
 * command, which has been approved as such?
 */
static bool
is_step_of_move(MemoryContext query, RbacCommand command, Relation rel, const RbacProtection *form,
				HeapTuple tuple, const RbacRow *row)
{
	dlist_iter	iter;

	if (!rel->rd_rel->relispartition || command == RBAC_UPDATE)
		return false;
	dlist_foreach(iter, &running)
	{
		GuardState *state = dlist_container(GuardState, link, iter.cur);

		if (state->move == MOVE_NONE || !state->approved || state->root != form->root ||
			state->query != query || !rbac_command_is(&state->command))
			continue;
		if (command == RBAC_DELETE)
		{
			if (state->move != MOVE_MAY_DELETE || state->moved_from != RelationGetRelid(rel) ||
				!ItemPointerEquals(&state->moved, &tuple->t_self))
				continue;
			state->move = MOVE_MAY_INSERT;
			return true;
		}
		if (state->move != MOVE_MAY_INSERT)
			continue;
		for (int i = 0; i < form->nplaces; i++)
		{
			int			at = form->places[i] - 1;

			if (!same_place(&state->places[i], row->values[at], row->nulls[at]))
				return false;
		}
		state->move = MOVE_NONE;
		return true;
	}
	return false;
}

/* ---- the triggers ---- */

/* Does the change bring a key that was not there, as far as it knows? */
static bool
has_new_key(Relation rel, const RbacChange *change)
{
	bool		result = change->old == NULL;

	for (int i = 0; !result && i < change->form->nkeys; i++)
		result = rbac_rule_is_changed(RelationGetDescr(rel), change->form->keys[i].attnum - 1, change->old, change->new);
	return result;
}

static void
decide(Relation rel, const RbacChange *change)
{
	RbacDemand *demands;

	if (change->grants == NULL)
		rbac_refusal_raise("action", NULL, NULL, psprintf("no active member is asking to %s", deed(change, 0)), NULL,
						   "Set chat_rbac.identity; SELECT * FROM chat_rbac.whoami() shows who asks.");
	demands = palloc(sizeof(RbacDemand) * (RelationGetNumberOfAttributes(rel) + 1));
	require_all(change, demands, rbac_rule_demands(RelationGetDescr(rel), change, demands));
	pfree(demands);
}

/*
 * chat_rbac.guard() trigger
 *		BEFORE INSERT OR UPDATE OR DELETE, for each row, of a protected table.
 */
Datum
chat_rbac_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Relation	rel;
	GuardState *state;
	RbacChange	change = {.rows = NULL};
	RbacRow		rows[2];
	HeapTuple	result;
	bool		moving;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired before a change, for each row", "chat_rbac.guard")));
	rel = trigdata->tg_relation;
	result = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	state = guard_state(fcinfo->flinfo);
	if (state->bypassed)
		return PointerGetDatum(result);

	rbac_authz_check(fcinfo->flinfo);
	change.grants = state->check.grants;
	change.rows = rbac_row_state(&state->check, fcinfo->flinfo->fn_mcxt);
	change.form = rbac_row_protection(change.rows, RelationGetRelid(rel));
	if (change.form == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has chat_rbac's guard, but no specification",
						RelationGetRelationName(rel)),
				 errhint("Protect it again, or drop trigger \"%s\".", trigdata->tg_trigger->tgname)));
	/* past policies, as the owner: no query but a foreign key's own is that */
	if (state->in_cascade && rbac_is_owner(change.form->root, GetUserId()))
		return PointerGetDatum(result);
	rbac_rule_read_change(trigdata, &change, rows);
	moving = is_step_of_move(state->query, change.command, rel, change.form, trigdata->tg_trigtuple, &rows[0]);
	if (!moving)
	{
		/* a statement that reads no column is not asked for the right to see */
		if (change.old != NULL && rbac_protection_only_ours(change.form, GetUserId()) &&
			!rbac_row_is_visible(change.rows, change.form, change.old))
			return PointerGetDatum(NULL);
		decide(rel, &change);
	}

	if (change.command == RBAC_DELETE)
		return PointerGetDatum(result);
	approve(state, rel, change.form, change.new);
	state->new_key = has_new_key(rel, &change);
	state->move = MOVE_NONE;
	if (change.command == RBAC_UPDATE && rel->rd_rel->relispartition)
	{
		state->move = MOVE_MAY_DELETE;
		state->moved_from = RelationGetRelid(rel);
		state->moved = trigdata->tg_trigtuple->t_self;
	}
	return PointerGetDatum(result);
}

/*
 * chat_rbac.guard_truncate() trigger
 *		BEFORE TRUNCATE, for each statement, of a protected table and its
 *		partitions: only the owner may.
 */
Datum
chat_rbac_guard_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired by TRUNCATE", "chat_rbac.guard_truncate")));
	if (!rbac_is_owner(RelationGetRelid(trigdata->tg_relation), GetUserId()))
		rbac_refusal_raise("action", rbac_authz_check(fcinfo->flinfo)->grants, NULL,
						   psprintf("must be owner of protected table \"%s\" to truncate it",
									RelationGetRelationName(trigdata->tg_relation)),
						   NULL, "Use DELETE, which deletes the rows that you may delete.");
	return PointerGetDatum(NULL);
}

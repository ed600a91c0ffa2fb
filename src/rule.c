/*-------------------------------------------------------------------------
 *
 * src/rule.c
 *	  Which rules of a protected table a change falls under.
 *
 * The guard requires what these rules require, and the trail records a change
 * under the permissions that they name: both ask here.  A rule depends on the
 * change and on who makes it, and on nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "utils/datum.h"
#include "utils/rel.h"

/* ---- what has changed ---- */

/*
 * Are two values of one column the same?  A value that an UPDATE leaves alone
 * keeps its toast pointer, so that need not be fetched.
 */
static bool
same_value(Form_pg_attribute attr, Datum a, Datum b)
{
	if (a == b)
		return true;
	if (attr->attbyval)
		return false;
	if (attr->attlen == -1)
	{
		const char *p = DatumGetPointer(a);
		const char *q = DatumGetPointer(b);

		if (VARSIZE_ANY(p) == VARSIZE_ANY(q) && !VARATT_IS_EXTERNAL_INDIRECT(p) && !VARATT_IS_EXTERNAL_EXPANDED(p) &&
			memcmp(p, q, VARSIZE_ANY(p)) == 0)
			return true;
	}
	return datum_image_eq(a, b, attr->attbyval, attr->attlen);
}

/* Is a column of a row, numbered from 0, changed?  What is generated follows from others, and counts as unchanged. */
bool
rbac_rule_is_changed(TupleDesc desc, int at, const RbacRow *old, const RbacRow *new)
{
	Form_pg_attribute attr = TupleDescAttr(desc, at);

	if (attr->attisdropped || attr->attgenerated != '\0')
		return false;
	if (old->nulls[at] || new->nulls[at])
		return old->nulls[at] != new->nulls[at];
	return !same_value(attr, old->values[at], new->values[at]);
}

static RbacRow
slot_row(TupleTableSlot *slot)
{
	RbacRow		row;

	slot_getallattrs(slot);
	row.values = slot->tts_values;
	row.nulls = slot->tts_isnull;
	return row;
}

/* What a row trigger was fired for; the row or rows are put into rows, and live as long as the trigger's slots. */
void
rbac_rule_read_change(const TriggerData *trigdata, RbacChange *change, RbacRow rows[2])
{
	rows[0] = slot_row(trigdata->tg_trigslot);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		change->command = RBAC_INSERT;
		change->new = &rows[0];
	}
	else if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		change->command = RBAC_DELETE;
		change->old = &rows[0];
	}
	else
	{
		rows[1] = slot_row(trigdata->tg_newslot);
		change->command = RBAC_UPDATE;
		change->old = &rows[0];
		change->new = &rows[1];
	}
}

/* ---- the rules for that ---- */

static bool
passes(const RbacChange *change, const RbacTest *test, const RbacRow *row, int at)
{
	if (test->kind == RBAC_TEST_ANYTHING)
		return true;
	if (row == NULL || (test->kind == RBAC_TEST_MEMBER && change->grants == NULL))
		return false;
	return rbac_protection_test(change->form, test, change->grants != NULL ? change->grants->member : 0,
								row->values[at], row->nulls[at]);
}

/* The first rule for a change of a column; for attnum 0, the one for all others. */
static const RbacAction *
find_rule(const RbacChange *change, AttrNumber attnum)
{
	for (int i = 0; i < change->form->nactions; i++)
	{
		const RbacAction *action = &change->form->actions[i];

		if (action->command == change->command && action->column.attnum == attnum &&
			(attnum == 0 ||
			 (passes(change, &action->from, change->old, attnum - 1) &&
			  passes(change, &action->to, change->new, attnum - 1))))
			return action;
	}
	return NULL;
}

/* The rule for a change of one column; for attnum 0, the one without a column. */
RbacDemand
rbac_rule_demand(const RbacChange *change, AttrNumber attnum)
{
	RbacDemand	result = {find_rule(change, attnum), attnum};

	if (result.action == NULL && attnum != 0)
		result.action = find_rule(change, 0);
	return result;
}

/*
 * rbac_rule_demands
 *		The rules that a change falls under, one for each column that an UPDATE
 *		changes.  A row that comes or goes is all of its columns at once: each
 *		that has rules falls under one of them, or else under the rule for all
 *		others.  Returns how many; demands has room for desc->natts + 1.
 */
int
rbac_rule_demands(TupleDesc desc, const RbacChange *change, RbacDemand *demands)
{
	Bitmapset  *ruled = change->form->ruled[change->command];
	int			attnum = -1;
	int			n = 0;

	if (change->command == RBAC_UPDATE)
	{
		for (int at = 0; at < desc->natts; at++)
		{
			if (rbac_rule_is_changed(desc, at, change->old, change->new))
				demands[n++] = rbac_rule_demand(change, at + 1);
		}
		return n;
	}
	while ((attnum = bms_next_member(ruled, attnum)) >= 0)
		demands[n++] = rbac_rule_demand(change, attnum);
	if (n == 0)
		demands[n++] = rbac_rule_demand(change, 0);
	return n;
}

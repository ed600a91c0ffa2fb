/*-------------------------------------------------------------------------
 *
 * src/can.c
 *	  The questions an application asks: may I, and what may I do here?
 *
 * can() and actions() answer from the same decision as policies and guard.  A
 * row is asked for by its primary key without the org.  The caller needs to be
 * allowed to read the table; on a row that is not visible, nothing is allowed.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(chat_rbac_can);
PG_FUNCTION_INFO_V1(chat_rbac_can_row);
PG_FUNCTION_INFO_V1(chat_rbac_actions);
PG_FUNCTION_INFO_V1(chat_rbac_page_actions);
PG_FUNCTION_INFO_V1(chat_rbac_record_access);
PG_FUNCTION_INFO_V1(chat_rbac_record_access_key);

/* The permissions that a table's rows may be asked about: of its resource, and in its specification and its children's. */
static RbacQuery actions_of_table = {
	"SELECT k.name FROM chat_rbac.known_permission k, chat_rbac.protection p"
	" WHERE p.relation OPERATOR(pg_catalog.=) $1"
	" AND k.resource OPERATOR(pg_catalog.=) (p.spec OPERATOR(pg_catalog.->>) 'resource')"
	" UNION SELECT n.name::chat_rbac.permission FROM chat_rbac.protection p"
	" CROSS JOIN LATERAL (SELECT p.spec OPERATOR(pg_catalog.->>) 'view'"
	"  UNION ALL SELECT a.rule OPERATOR(pg_catalog.->>) k.key"
	"  FROM pg_catalog.jsonb_array_elements(p.spec OPERATOR(pg_catalog.->) 'actions') AS a (rule),"
	"  (VALUES ('requires'), ('into')) AS k (key)) AS n (name)"
	" WHERE (p.relation OPERATOR(pg_catalog.=) $1 OR p.parent OPERATOR(pg_catalog.=) $1)"
	" AND n.name OPERATOR(pg_catalog.<>) 'any'",
	1, {OIDOID}, NULL
};

/*
 * chat_rbac.can(permission) -> boolean
 *		Does who asks hold it anywhere, for any rows?  With a relation: for rows
 *		with that relation, or for all.
 */
Datum
chat_rbac_can(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	char		bytes[RBAC_PERMISSION_MAX + 1];
	RbacPermission asked;
	RbacPermset wanted;
	const RbacScope *scope;

	if (check->grants == NULL)
		PG_RETURN_BOOL(false);
	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &asked);
	wanted = rbac_permset_of_one(&asked, bytes);
	scope = rbac_authz_scope(check->grants, &wanted,
							 asked.relation_len > 0 ? &asked.text[asked.len - asked.relation_len] : NULL,
							 asked.relation_len, asked.relation_len > 0, true, CurrentMemoryContext);
	PG_RETURN_BOOL(scope->org_wide || scope->nreach > 0);
}

/* ---- about a row ---- */

/*
 * chat_rbac.can(permission, relation regclass, VARIADIC key bigint[]) -> boolean
 *		Does who asks hold it on that row?
 */
Datum
chat_rbac_can_row(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	RbacRowState *state = rbac_row_state(check, fcinfo->flinfo->fn_mcxt);
	RbacProtection *form = rbac_question_table(state, PG_GETARG_OID(1));
	char		bytes[RBAC_PERMISSION_MAX + 1];
	RbacPermission asked;
	RbacPermset wanted;
	RbacRow		row;
	int			nkeys;
	int64	   *key = rbac_question_ids(PG_GETARG_ARRAYTYPE_P(2), &nkeys);

	rbac_question_check_key(form, nkeys);
	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &asked);
	rbac_question_check_plain(&asked);
	wanted = rbac_permset_of_one(&asked, bytes);
	PG_RETURN_BOOL(rbac_row_find(state, form, key, &row) && rbac_row_allows(state, form, &wanted, &row));
}

/* ---- a deliberate look ---- */

/* Records that who asks looks at a row, by that permission or else by the one to see it. */
static int64
record_access(FunctionCallInfo fcinfo, int nkeys, const int64 *key)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	RbacRowState *state = rbac_row_state(check, fcinfo->flinfo->fn_mcxt);
	RbacProtection *form = rbac_question_table(state, PG_GETARG_OID(0));
	RbacImage  *image = rbac_image_get(form);
	RbacPlaceFinder *finder = rbac_place_finder(CurrentMemoryContext);
	char		bytes[RBAC_PERMISSION_MAX + 1];
	char	   *name = psprintf("%s.view", form->resource);
	RbacEvent	event = {.operation = "access",.relation = form->root};
	RbacPermission asked;
	RbacPermset wanted;
	RbacPlace	place;
	RbacRow		row;
	Datum		action;

	PreventCommandIfReadOnly("record_access()");
	if (!PG_ARGISNULL(2) && VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(2)) > RBAC_REASON_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("a reason is at most %d bytes long", RBAC_REASON_BYTES)));
	rbac_question_check_key(form, nkeys);
	if (check->grants == NULL || !rbac_row_find(state, form, key, &row))
		rbac_refusal_raise("access", check->grants, name,
						   psprintf("a row of table \"%s\" with this key is not there, or not to be seen",
									get_rel_name(form->relid)), NULL, NULL);
	if (!PG_ARGISNULL(3))
	{
		rbac_permission_view_checked(PG_GETARG_VARLENA_PP(3), &asked);
		wanted = rbac_permset_of_one(&asked, bytes);
		name = pnstrdup(asked.text, asked.len);
		if (!rbac_row_allows(state, form, &wanted, &row))
			rbac_refusal_raise("access", check->grants, name,
							   psprintf("permission \"%s\" is not held on this row of table \"%s\"", name,
										get_rel_name(form->relid)), NULL, NULL);
	}
	action = CStringGetTextDatum(name);
	event.actions = PointerGetDatum(construct_array(&action, 1, TEXTOID, -1, false, TYPALIGN_INT));
	event.table_name = rbac_image_table_name(image);
	event.row_key = rbac_image_key(image, form, &row);
	event.reason = PG_ARGISNULL(2) ? (Datum) 0 : PointerGetDatum(PG_GETARG_TEXT_P(2));
	event.command = (int32) GetCurrentCommandId(false);
	rbac_place_find(finder, form, &row, &place);
	event.has_org = place.has_org;
	event.org = place.org;
	rbac_place_arrays(finder, &place, NULL, &event.unit_kinds, &event.unit_keys);
	return rbac_trail_write(rbac_trail_who(check->grants), &event);
}

static void
require_arguments(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an access is recorded of a table and a key")));
}

/*
 * chat_rbac.record_access(relation regclass, id bigint, reason text, permission) -> bigint
 *		Records a deliberate look at a row; the event's id.
 */
Datum
chat_rbac_record_access(PG_FUNCTION_ARGS)
{
	int64		id;

	require_arguments(fcinfo);
	id = PG_GETARG_INT64(1);
	PG_RETURN_INT64(record_access(fcinfo, 1, &id));
}

/* The same for keys of several columns. */
Datum
chat_rbac_record_access_key(PG_FUNCTION_ARGS)
{
	int			nkeys;
	int64	   *key;

	require_arguments(fcinfo);
	key = rbac_question_ids(PG_GETARG_ARRAYTYPE_P(1), &nkeys);
	PG_RETURN_INT64(record_access(fcinfo, nkeys, key));
}

/* ---- all that is allowed ---- */

/* The permissions that a table's rows may be asked about, in context. */
static RbacPermission *
askable(const RbacProtection *form, MemoryContext context, int *nitems)
{
	MemoryContext old;
	RbacCatalogScope scope;
	Datum		root = ObjectIdGetDatum(form->root);
	RbacPermission *items;
	uint64		rows;

	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, &actions_of_table, &root, NULL);
	old = MemoryContextSwitchTo(context);
	items = palloc(sizeof(RbacPermission) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		char	   *name = rbac_catalog_text(i, 1);

		rbac_permission_from_text(name, strlen(name), &items[i]);
	}
	MemoryContextSwitchTo(old);
	rbac_catalog_close(&scope);
	*nitems = (int) rows;
	return items;
}

static Datum
actions_of_row(RbacRowState *state, RbacProtection *form, const RbacPermission *items, int nitems,
			   const int64 *key)
{
	RbacPermission *held = palloc(sizeof(RbacPermission) * Max(nitems, 1));
	char		bytes[RBAC_PERMISSION_MAX + 1];
	int			nheld = 0;
	RbacRow		row;

	if (rbac_row_find(state, form, key, &row))
	{
		for (int i = 0; i < nitems; i++)
		{
			RbacPermset wanted = rbac_permset_of_one(&items[i], bytes);

			if (rbac_row_allows(state, form, &wanted, &row))
				held[nheld++] = items[i];
		}
	}
	return PointerGetDatum(rbac_permset_make(held, nheld));
}

/*
 * chat_rbac.actions(relation regclass, VARIADIC key bigint[]) -> permset
 *		What who asks may do to that row.
 */
Datum
chat_rbac_actions(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	RbacRowState *state = rbac_row_state(check, fcinfo->flinfo->fn_mcxt);
	RbacProtection *form = rbac_question_table(state, PG_GETARG_OID(0));
	int			nkeys;
	int64	   *key = rbac_question_ids(PG_GETARG_ARRAYTYPE_P(1), &nkeys);
	RbacPermission *items;
	int			nitems;

	rbac_question_check_key(form, nkeys);
	items = askable(form, CurrentMemoryContext, &nitems);
	return actions_of_row(state, form, items, nitems, key);
}

/*
 * chat_rbac.page_actions(relation regclass, keys bigint[]) -> SETOF (id bigint, key bigint[], actions permset)
 *		The same for many rows, in the order of keys.  Keys of several columns
 *		are the rows of a two-dimensional array.
 */
Datum
chat_rbac_page_actions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	RbacRowState *state = rbac_row_state(check, fcinfo->flinfo->fn_mcxt);
	RbacProtection *form = rbac_question_table(state, PG_GETARG_OID(0));
	ArrayType  *keys = PG_GETARG_ARRAYTYPE_P(1);
	int			nvalues;
	int64	   *values = rbac_question_ids(keys, &nvalues);
	MemoryContext per_key;
	RbacPermission *items;
	int			nitems;

	if (nvalues > 0)
		rbac_question_check_key(form, ARR_NDIM(keys) == 1 ? 1 : ARR_NDIM(keys) == 2 ? ARR_DIMS(keys)[1] : 0);
	InitMaterializedSRF(fcinfo, 0);
	items = askable(form, CurrentMemoryContext, &nitems);
	per_key = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac page actions", ALLOCSET_SMALL_SIZES);
	for (int i = 0; form->nkeys > 0 && i < nvalues; i += form->nkeys)
	{
		MemoryContext old = MemoryContextSwitchTo(per_key);
		Datum		row[3];
		bool		nulls[3] = {form->nkeys != 1, false, false};

		CHECK_FOR_INTERRUPTS();
		/* what is remembered of the rows before may have become too much */
		state = rbac_row_state(check, fcinfo->flinfo->fn_mcxt);
		form = rbac_question_table(state, PG_GETARG_OID(0));
		row[0] = Int64GetDatum(values[i]);
		row[1] = rbac_compile_array(&values[i], form->nkeys);
		row[2] = actions_of_row(state, form, items, nitems, &values[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
		MemoryContextSwitchTo(old);
		MemoryContextReset(per_key);
	}
	MemoryContextDelete(per_key);
	return (Datum) 0;
}

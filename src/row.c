/*-------------------------------------------------------------------------
 *
 * src/row.c
 *	  One row, looked up in a decision: may who asks do that to it?
 *
 * The same question as a policy's, answered for one row in hand: by the guard
 * trigger, and by can() and actions().  It says what the arms say that protect()
 * writes, arm for arm (chat_rbac.policy_relation_arm): where the right is held
 * comes from authz.c, and here is only looked whether the row is there.
 *
 * A child table's row is where its parent row is, which is read as the caller,
 * under the parent's own policies.
 *
 * A state belongs to a call site's RbacCheck.  What it found out holds for one
 * command and the grants of one renewal, and is then forgotten all at once.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* What is remembered at most; then all is forgotten. */
#define PARENTS_MAX 16384
#define BINDINGS_MAX 256

typedef struct PinnedForm
{
	RbacProtection *form;
	struct PinnedForm *next;
} PinnedForm;

/* Where any of some permissions is held, for the rows of one table. */
typedef struct Binding
{
	RbacProtection *form;
	RbacPermset wanted;
	bool		nowhere;
	const RbacScope **scopes;	/* for every row; then one a relation */
	const RbacIdSet **keys;		/* of the units, nunits to a scope */
	struct Binding *next;
} Binding;

/* The ids for which a relation that another table tells holds. */
typedef struct LinkSet
{
	const RbacRelation *relation;
	RbacIdSet  *ids;
	struct LinkSet *next;
} LinkSet;

typedef struct ParentKey
{
	int64		org;			/* 0 where it is not part of the key */
	int64		key;
	Oid			child;			/* which says what the columns are */
} ParentKey;

typedef struct Parent
{
	ParentKey	key;
	int			nrows;
	RbacRow    *rows;
} Parent;

struct RbacRowState
{
	RbacCheck  *check;
	uint64		renewals;		/* of check, */
	RbacCommandMark command;	/* and the command for which all this holds */
	MemoryContext context;
	MemoryContextCallback release;
	PinnedForm *forms;
	Binding    *bindings;
	int			nbindings;
	LinkSet    *links;
	HTAB	   *parents;
};

/* ---- the state ---- */

static void
release_forms(void *arg)
{
	RbacRowState *state = (RbacRowState *) arg;

	for (PinnedForm *pinned = state->forms; pinned != NULL; pinned = pinned->next)
		rbac_protection_unpin(pinned->form);
	state->forms = NULL;
}

static void
reset_state(RbacRowState *state)
{
	MemoryContextReset(state->context); /* calls release_forms */
	state->bindings = NULL;
	state->nbindings = 0;
	state->links = NULL;
	state->parents = NULL;
	state->release.func = release_forms;
	state->release.arg = state;
	MemoryContextRegisterResetCallback(state->context, &state->release);
	state->renewals = state->check->renewals;
	state->command = rbac_command_now();
}

/*
 * rbac_row_state
 *		A call site's state, fit for the current command; made in parent, the
 *		memory context of the call site, at first.
 */
RbacRowState *
rbac_row_state(RbacCheck *check, MemoryContext parent)
{
	RbacRowState *state = check->rows;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(parent, sizeof(RbacRowState));
		state->check = check;
		state->context = AllocSetContextCreate(parent, "chat_rbac rows", ALLOCSET_SMALL_SIZES);
		check->rows = state;
		reset_state(state);
	}
	else if (state->renewals != check->renewals || !rbac_command_is(&state->command) ||
			 state->nbindings > BINDINGS_MAX)
		reset_state(state);
	return state;
}

/* A relation's compiled specification, pinned as long as the state holds; NULL if there is none. */
RbacProtection *
rbac_row_protection(RbacRowState *state, Oid relid)
{
	PinnedForm *pinned;
	RbacProtection *form;

	for (pinned = state->forms; pinned != NULL; pinned = pinned->next)
	{
		if (pinned->form->relid == relid)
			return pinned->form;
	}
	pinned = MemoryContextAlloc(state->context, sizeof(PinnedForm));
	form = rbac_protection_pin(relid);
	if (form == NULL)
		return NULL;
	pinned->form = form;
	pinned->next = state->forms;
	state->forms = pinned;
	return form;
}

/* ---- a table's rows in a decision ---- */

static Binding *
make_binding(RbacRowState *state, RbacProtection *form, const RbacPermset *wanted)
{
	RbacGrants *grants = state->check->grants;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	Binding    *binding = palloc0(sizeof(Binding));
	int			nscopes = 1 + form->nrelations;
	char	   *bytes = palloc(Max(wanted->size, 1));

	memcpy(bytes, wanted->data, wanted->size);
	binding->form = form;
	binding->wanted.data = bytes;
	binding->wanted.size = wanted->size;
	binding->nowhere = true;
	binding->scopes = palloc(sizeof(RbacScope *) * nscopes);
	binding->keys = palloc(sizeof(RbacIdSet *) * Max(nscopes * form->nunits, 1));
	for (int s = 0; s < nscopes; s++)
	{
		const RbacRelation *relation = s > 0 ? &form->relations[s - 1] : NULL;
		const char *name = relation != NULL ? relation->name : "all";

		/*
		 * without unit columns, permissions for every row come by the
		 * relation to a person too
		 */
		bool		or_all = form->nunits == 0 && relation != NULL && relation->personal;
		const RbacScope *scope = rbac_authz_scope(grants, &binding->wanted, name, strlen(name),
												  or_all, state->context);

		binding->scopes[s] = scope;
		binding->nowhere &= !scope->org_wide && scope->nreach == 0;
		for (int u = 0; u < form->nunits; u++)
			binding->keys[s * form->nunits + u] =
				rbac_authz_keys(grants, scope, form->units[u].kind, strlen(form->units[u].kind));
	}
	MemoryContextSwitchTo(old);
	binding->next = state->bindings;
	state->bindings = binding;
	state->nbindings++;
	return binding;
}

static Binding *
find_binding(RbacRowState *state, RbacProtection *form, const RbacPermset *wanted)
{
	for (Binding *binding = state->bindings; binding != NULL; binding = binding->next)
	{
		if (binding->form == form && binding->wanted.size == wanted->size &&
			memcmp(binding->wanted.data, wanted->data, wanted->size) == 0)
			return binding;
	}
	return make_binding(state, form, wanted);
}

static inline bool
row_id(const RbacRow *row, const RbacColumn *column, int64 *id)
{
	if (row->nulls[column->attnum - 1])
		return false;
	*id = rbac_column_id(column, row->values[column->attnum - 1]);
	return true;
}

/* Is the right held, in a scope, in the whole org or at one of the row's units? */
static bool
reaches_units(const Binding *binding, int s, const RbacRow *row)
{
	const RbacProtection *form = binding->form;
	int64		key;

	if (binding->scopes[s]->org_wide)
		return true;
	if (binding->scopes[s]->nreach == 0)
		return false;
	for (int u = 0; u < form->nunits; u++)
	{
		if (row_id(row, &form->units[u].column, &key) &&
			rbac_idset_has(binding->keys[s * form->nunits + u], key))
			return true;
	}
	return false;
}

/* By one grant: is the person at or below its unit, and one of the row's units too? */
static bool
reaches_person(RbacRowState *state, const Binding *binding, int s, const RbacRow *row, int64 person)
{
	RbacGrants *grants = state->check->grants;
	const RbacProtection *form = binding->form;
	int			kinds[RBAC_UNIT_KINDS_MAX];
	int64		keys[RBAC_UNIT_KINDS_MAX];
	int			nunits = 0;

	for (int u = 0; u < form->nunits; u++)
	{
		kinds[nunits] = rbac_compile_kind(grants, form->units[u].kind, strlen(form->units[u].kind));
		if (row_id(row, &form->units[u].column, &keys[nunits]))
			nunits++;
	}
	if (nunits == 0 && form->nunits > 0)
		return false;
	return rbac_authz_reaches_person(grants, binding->scopes[s], person, nunits, kinds, keys);
}

/* Is the row among those for which another table tells the relation? */
static bool
is_linked(RbacRowState *state, RbacProtection *form, const RbacRelation *relation, const RbacRow *row)
{
	LinkSet    *set;
	int64		id;

	if (!row_id(row, &relation->key, &id))
		return false;
	for (set = state->links; set != NULL && set->relation != relation; set = set->next)
		;
	if (set == NULL)
	{
		RbacIdSet  *ids = rbac_link_read(state->check->grants, form->root, relation->name,
										 strlen(relation->name), state->context);

		set = MemoryContextAlloc(state->context, sizeof(LinkSet));
		set->relation = relation;
		set->ids = ids;
		set->next = state->links;
		state->links = set;
	}
	return rbac_idset_has(set->ids, id);
}

/* Does a relation hold on the row, and is the right held with it where the row is? */
static bool
holds_by_relation(RbacRowState *state, const Binding *binding, int r, const RbacRow *row)
{
	RbacProtection *form = binding->form;
	const RbacRelation *relation = &form->relations[r];
	const RbacScope *scope = binding->scopes[r + 1];
	const RbacTest *people = NULL;

	if (!scope->org_wide && scope->nreach == 0)
		return false;
	for (int t = 0; t < relation->ntests; t++)
	{
		const RbacTest *test = &relation->tests[t];
		int			at = test->column.attnum - 1;

		if (test->kind == RBAC_TEST_MEMBERS)
			people = test;
		else if (!rbac_protection_test(form, test, state->check->grants->member,
									   row->values[at], row->nulls[at]))
			return false;
	}

	if (people != NULL)
	{
		int64		person;

		if (!row_id(row, &people->column, &person))
			return false;
		return (scope->org_wide && rbac_idset_has(rbac_compile_members(state->check->grants), person)) ||
			reaches_person(state, binding, r + 1, row, person);
	}
	/* without unit columns, a relation to a person ties the row to any unit */
	if (!(relation->personal && form->nunits == 0) && !reaches_units(binding, r + 1, row))
		return false;
	return !relation->told || is_linked(state, form, relation, row);
}

/* ---- reading rows by key, as the caller ---- */

/* The kept query for a table's rows by these columns, quoted. */
static RbacFetch *
find_fetch(RbacProtection *form, int nkeys, const char *const *keys)
{
	RbacFetch  *fetch;
	StringInfoData key;
	StringInfoData sql;
	Oid			types[INDEX_MAX_KEYS];

	initStringInfo(&key);
	for (int i = 0; i < nkeys; i++)
		appendStringInfo(&key, "%s%s", i > 0 ? "," : "", keys[i]);
	for (fetch = form->fetches; fetch != NULL; fetch = fetch->next)
	{
		if (strcmp(fetch->key, key.data) == 0)
			return fetch;
	}

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (int i = 0; i < form->nplaces; i++)
		appendStringInfo(&sql, "%st.%s", i > 0 ? ", " : "",
						 quote_identifier(get_attname(form->relid, form->places[i], false)));
	appendStringInfo(&sql, " FROM %s AS t WHERE ",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(form->relid)),
												get_rel_name(form->relid)));
	for (int i = 0; i < nkeys; i++)
	{
		appendStringInfo(&sql, "%st.%s OPERATOR(pg_catalog.=) $%d", i > 0 ? " AND " : "", keys[i], i + 1);
		types[i] = INT8OID;
	}

	fetch = MemoryContextAllocZero(form->context, sizeof(RbacFetch));
	fetch->key = MemoryContextStrdup(form->context, key.data);
	fetch->plan = SPI_prepare(sql.data, nkeys, types);
	if (fetch->plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(fetch->plan);
	fetch->next = form->fetches;
	form->fetches = fetch;
	return fetch;
}

/* Columns of the query's row number r as a row of the table, in context. */
static RbacRow
copy_row(const RbacProtection *form, uint64 r, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	AttrNumber	natts = 0;
	Datum	   *values;
	bool	   *nulls;
	RbacRow		row;

	for (int i = 0; i < form->nplaces; i++)
		natts = Max(natts, form->places[i]);
	values = palloc0(sizeof(Datum) * natts);
	nulls = palloc(sizeof(bool) * natts);
	memset(nulls, true, sizeof(bool) * natts);
	for (int i = 0; i < form->nplaces; i++)
	{
		int			at = form->places[i] - 1;
		Form_pg_attribute attr = TupleDescAttr(SPI_tuptable->tupdesc, i);
		Datum		value = SPI_getbinval(SPI_tuptable->vals[r], SPI_tuptable->tupdesc, i + 1, &nulls[at]);

		if (!nulls[at])
			values[at] = datumCopy(value, attr->attbyval, attr->attlen);
	}
	MemoryContextSwitchTo(old);
	row.values = values;
	row.nulls = nulls;
	return row;
}

/* The rows that the caller may see and whose columns (quoted) have these values, in context. */
static RbacRow *
fetch_rows(RbacProtection *form, int nkeys, const char *const *keys, const int64 *values,
		   MemoryContext context, int *nrows)
{
	Datum		args[INDEX_MAX_KEYS];
	RbacRow    *rows;
	RbacFetch  *fetch;
	int			rc;

	for (int i = 0; i < nkeys; i++)
		args[i] = Int64GetDatum(values[i]);
	SPI_connect();
	fetch = find_fetch(form, nkeys, keys);
	rc = SPI_execute_plan(fetch->plan, args, NULL, true, 0);
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a chat_rbac row query: %s", SPI_result_code_string(rc));
	*nrows = (int) SPI_processed;
	rows = MemoryContextAlloc(context, sizeof(RbacRow) * Max(SPI_processed, 1));
	for (int i = 0; i < *nrows; i++)
		rows[i] = copy_row(form, i, context);
	SPI_finish();
	return rows;
}

/*
 * rbac_row_find
 *		The row of a table that has this primary key (but for the org, which is
 *		the asker's), in the current context; false if there is none, or none
 *		that the caller may see.
 */
bool
rbac_row_find(RbacRowState *state, RbacProtection *form, const int64 *key, RbacRow *row)
{
	const char *names[INDEX_MAX_KEYS];
	int64		values[INDEX_MAX_KEYS];
	RbacRow    *rows;
	int			n = 0;
	int			nrows;

	if (state->check->grants == NULL)
		return false;
	if (form->org.attnum != InvalidAttrNumber)
	{
		names[n] = quote_identifier(get_attname(form->relid, form->org.attnum, false));
		values[n++] = state->check->grants->org;
	}
	for (int i = 0; i < form->nkeys; i++)
	{
		names[n] = quote_identifier(get_attname(form->relid, form->keys[i].attnum, false));
		values[n++] = key[i];
	}
	rows = fetch_rows(form, n, names, values, CurrentMemoryContext, &nrows);
	if (nrows == 0)
		return false;
	*row = rows[0];
	return true;
}

/* The parent rows of a child's row that the caller may see. */
static const Parent *
find_parents(RbacRowState *state, RbacProtection *form, RbacProtection *above, const RbacRow *row)
{
	Parent	   *parent;
	ParentKey	key;
	const char *names[2];
	int64		values[2];
	int			n = 0;
	bool		found;
	RbacRow    *rows;
	int			nrows;

	memset(&key, 0, sizeof(key));
	key.child = form->relid;
	if (form->parent_org != NULL)
	{
		if (!row_id(row, &form->org, &key.org))
			return NULL;
		names[n] = quote_identifier(form->parent_org);
		values[n++] = key.org;
	}
	if (!row_id(row, &form->parent_column, &key.key))
		return NULL;
	names[n] = quote_identifier(form->parent_key);
	values[n++] = key.key;

	if (state->parents != NULL && hash_get_num_entries(state->parents) >= PARENTS_MAX)
	{
		hash_destroy(state->parents);
		state->parents = NULL;
	}
	if (state->parents == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(ParentKey);
		control.entrysize = sizeof(Parent);
		control.hcxt = state->context;
		state->parents = hash_create("chat_rbac parents", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	parent = hash_search(state->parents, &key, HASH_FIND, NULL);
	if (parent != NULL)
		return parent;
	rows = fetch_rows(above, n, names, values, state->context, &nrows);
	parent = hash_search(state->parents, &key, HASH_ENTER, &found);
	parent->rows = rows;
	parent->nrows = nrows;
	return parent;
}

/* ---- the answer ---- */

/*
 * rbac_row_allows
 *		Does who asks hold any of wanted on a row of form's table?  False for
 *		nobody.  May throw, when other tables cannot be read.
 */
bool
rbac_row_allows(RbacRowState *state, RbacProtection *form, const RbacPermset *wanted, const RbacRow *row)
{
	const RbacGrants *grants = state->check->grants;
	const Binding *binding;
	int64		org;

	if (grants == NULL)
		return false;
	if (form->org.attnum != InvalidAttrNumber &&
		(!row_id(row, &form->org, &org) || org != grants->org))
		return false;

	if (OidIsValid(form->parent))
	{
		RbacProtection *above = rbac_row_protection(state, form->parent);
		const Parent *parent = above != NULL ? find_parents(state, form, above, row) : NULL;

		for (int i = 0; parent != NULL && i < parent->nrows; i++)
		{
			if (rbac_row_allows(state, above, wanted, &parent->rows[i]))
				return true;
		}
		return false;
	}

	if (form->org.attnum == InvalidAttrNumber)
		return false;
	binding = find_binding(state, form, wanted);
	if (binding->nowhere)
		return false;
	if (reaches_units(binding, 0, row))
		return true;
	for (int r = 0; r < form->nrelations; r++)
	{
		if (holds_by_relation(state, binding, r, row))
			return true;
	}
	return false;
}

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
 * A child table's row is where its parent row is, if that is visible.
 *
 * A state belongs to a call site's RbacCheck.  What it found out holds for one
 * command and the grants of one renewal, and is then forgotten all at once.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "access/table.h"
#include "utils/acl.h"
#include "utils/memutils.h"

/* What is remembered at most; then all is forgotten. */
#define PARENTS_MAX 16384
#define BINDINGS_MAX 256

/*
 * A child's rows have their parents looked up one by one.  When there are many,
 * and not too many more parents are visible, these are all read instead: after
 * so many look-ups, if there are at most so many times more, and again after so
 * many times more look-ups.
 */
#define LOOKUPS_FIRST 1024
#define READ_PER_LOOKUP 64
#define LOOKUPS_GROWTH 4
#define BYTES_PER_ID 24			/* in an RbacIdSet; within work_mem */

/* Where any of some permissions is held, for the rows of one table. */
typedef struct Binding
{
	RbacProtection *form;
	RbacPermset wanted;
	bool		nowhere;
	const RbacScope **scopes;	/* for every row; then one a relation */
	const RbacIdSet **keys;		/* of the units, nunits to a scope */
	const RbacIdSet **closed;	/* of those sealed off, nunits to a scope */
	struct Binding *next;
} Binding;

/* The ids for which a relation that another table tells holds. */
typedef struct LinkSet
{
	const RbacRelation *relation;
	RbacIdSet  *ids;
	struct LinkSet *next;
} LinkSet;

/* The parents on which a child's rows allow something, once all are read. */
typedef struct ParentSet
{
	RbacProtection *child;
	RbacPermset wanted;			/* empty: to be seen */
	int			lookups;
	int			read_at;		/* so many look-ups */
	RbacIdSet  *ids;			/* NULL until read */
	struct ParentSet *next;
} ParentSet;

typedef struct ParentKey
{
	int64		org;			/* 0 where it is not part of the key */
	int64		key;
	Oid			child;			/* which says what the columns are */
} ParentKey;

typedef struct Parent
{
	ParentKey	key;
	int			nrows;			/* that are visible */
	RbacRow    *rows;
	char		status;
} Parent;

#define SH_PREFIX parents
#define SH_ELEMENT_TYPE Parent
#define SH_KEY_TYPE ParentKey
#define SH_KEY key
#define SH_HASH_KEY(table, k) ((uint32) (rbac_idset_hash((k).key ^ ((k).org << 32)) ^ (k).child))
#define SH_EQUAL(table, a, b) ((a).key == (b).key && (a).org == (b).org && (a).child == (b).child)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct RbacRowState
{
	RbacCheck  *check;
	uint64		renewals;		/* of check, */
	RbacCommandMark command;	/* and the command for which all this holds */
	MemoryContext context;
	MemoryContextCallback release;
	RbacPinnedForm *forms;
	Binding    *bindings;
	int			nbindings;		/* and parent_sets */
	LinkSet    *links;
	ParentSet  *parent_sets;
	parents_hash *parents;
	MemoryContext parents_context;
};

/* ---- the state ---- */

static void
release_forms(void *arg)
{
	rbac_protection_unpin_all(&((RbacRowState *) arg)->forms);
}

static void
reset_parents(RbacRowState *state)
{
	MemoryContextReset(state->parents_context);
	state->parents = parents_create(state->parents_context, 8, NULL);
}

static void
reset_state(RbacRowState *state)
{
	MemoryContextReset(state->context); /* calls release_forms */
	state->bindings = NULL;
	state->nbindings = 0;
	state->links = NULL;
	state->parent_sets = NULL;
	state->parents_context = AllocSetContextCreate(state->context, "chat_rbac parent rows", ALLOCSET_SMALL_SIZES);
	reset_parents(state);
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
	else if (state->parents->members > PARENTS_MAX)
		reset_parents(state);
	return state;
}

/* A relation's compiled specification, pinned as long as the state holds; NULL if there is none. */
RbacProtection *
rbac_row_protection(RbacRowState *state, Oid relid)
{
	return rbac_protection_pin_with(&state->forms, relid, state->context);
}

/* Have policies of others a say on any of the tables that were looked at? */
bool
rbac_row_others_decide(const RbacRowState *state)
{
	for (const RbacPinnedForm *pinned = state->forms; pinned != NULL; pinned = pinned->next)
	{
		if (!pinned->form->plain)
			return true;
	}
	return false;
}

/* ---- a table's rows in a decision ---- */

static RbacRow *visible_rows(RbacRowState *state, RbacProtection *form, int nkeys, const RbacColumn *keys,
							 const int64 *values, int *nrows);

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
	binding->closed = palloc(sizeof(RbacIdSet *) * Max(nscopes * form->nunits, 1));
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
												  or_all, true, state->context);

		binding->scopes[s] = scope;
		binding->nowhere &= !scope->org_wide && scope->nreach == 0;
		for (int u = 0; u < form->nunits; u++)
		{
			const char *kind = form->units[u].kind;

			binding->keys[s * form->nunits + u] = rbac_authz_keys(grants, scope, kind, strlen(kind));
			binding->closed[s * form->nunits + u] = rbac_authz_closed(grants, scope, kind, strlen(kind));
		}
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

/* Is one of the row's units in a sealed part of the org, into which the scope does not reach? */
static bool
is_sealed_off(const Binding *binding, int s, const RbacRow *row)
{
	const RbacProtection *form = binding->form;
	int64		key;

	for (int u = 0; u < form->nunits; u++)
	{
		const RbacIdSet *closed = binding->closed[s * form->nunits + u];

		if (closed != NULL && rbac_row_id(row, &form->units[u].column, &key) && rbac_idset_has(closed, key))
			return true;
	}
	return false;
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
		if (rbac_row_id(row, &form->units[u].column, &key) &&
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
		kinds[nunits] = rbac_reach_kind(grants, form->units[u].kind, strlen(form->units[u].kind));
		if (rbac_row_id(row, &form->units[u].column, &keys[nunits]))
			nunits++;
	}
	if (nunits == 0 && form->nunits > 0)
		return false;
	return rbac_authz_reaches_person(grants, binding->scopes[s], person, nunits, kinds, keys);
}

/*
 * For an answer about another member: does a row that they may see point to
 * this one?  link.c would read the other table as the caller.
 */
static bool
is_pointed_to(RbacRowState *state, const RbacPointer *pointer, int64 id)
{
	RbacProtection *other = rbac_row_protection(state, pointer->table);
	RbacColumn	columns[2];
	int64		values[2];
	Relation	rel;
	int			n = 0;
	int			nrows;

	if (other == NULL)
		return false;
	rel = table_open(pointer->table, AccessShareLock);
	if (pointer->org != NULL)
	{
		columns[n] = rbac_protection_column(rel, pointer->org);
		values[n++] = state->check->grants->org;
	}
	columns[n] = rbac_protection_column(rel, pointer->column);
	values[n++] = id;
	table_close(rel, NoLock);
	(void) visible_rows(state, other, n, columns, values, &nrows);
	return nrows > 0;
}

/* Is the row among those for which another table tells the relation? */
static bool
is_linked(RbacRowState *state, RbacProtection *form, const RbacRelation *relation, const RbacRow *row)
{
	LinkSet    *set;
	RbacPointer pointer;
	int64		id;

	if (!rbac_row_id(row, &relation->key, &id))
		return false;
	if (state->check->past != NULL &&
		rbac_link_pointer(form->root, relation->name, strlen(relation->name), &pointer))
		return is_pointed_to(state->check->past->rows, &pointer, id);
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

	if ((!scope->org_wide && scope->nreach == 0) || is_sealed_off(binding, r + 1, row))
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

		if (!rbac_row_id(row, &people->column, &person))
			return false;
		return (scope->org_wide && rbac_idset_has(rbac_reach_members(state->check->grants), person)) ||
			reaches_person(state, binding, r + 1, row, person);
	}
	/* without unit columns, a relation to a person ties the row to any unit */
	if (!(relation->personal && form->nunits == 0) && !reaches_units(binding, r + 1, row))
		return false;
	return !relation->told || is_linked(state, form, relation, row);
}

/* ---- visible rows ---- */

/* Of the rows with these key values those that who asks may see, in the current context. */
static RbacRow *
visible_rows(RbacRowState *state, RbacProtection *form, int nkeys, const RbacColumn *keys,
			 const int64 *values, int *nrows)
{
	bool		judged = false;
	RbacRow    *rows = state->check->past != NULL ? rbac_fetch_past(form, nkeys, keys, values, nrows) :
	rbac_fetch_rows(form, nkeys, keys, values, nrows, &judged);
	int			nvisible = 0;

	for (int i = 0; !judged && i < *nrows; i++)
	{
		if (rbac_row_is_visible(state, form, &rows[i]))
			rows[nvisible++] = rows[i];
	}
	if (!judged)
		*nrows = nvisible;
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
	RbacColumn	columns[RBAC_KEYS_MAX];
	int64		values[RBAC_KEYS_MAX];
	RbacRow    *rows;
	int			n = 0;
	int			nrows;

	if (state->check->grants == NULL)
		return false;
	if (form->org.attnum != InvalidAttrNumber)
	{
		columns[n] = form->org;
		values[n++] = state->check->grants->org;
	}
	for (int i = 0; i < form->nkeys; i++)
	{
		columns[n] = form->keys[i];
		values[n++] = key[i];
	}
	rows = visible_rows(state, form, n, columns, values, &nrows);
	if (nrows == 0)
		return false;
	*row = rows[0];
	return true;
}

/* The visible rows of a child's parent table, above, that have this key. */
static const Parent *
find_parents(RbacRowState *state, RbacProtection *form, RbacProtection *above, int64 org, int64 id,
			 bool *known)
{
	MemoryContext old;
	RbacColumn	columns[2];
	int64		values[2];
	ParentKey	key = {form->parent_org.attnum != InvalidAttrNumber ? org : 0, id, form->relid};
	Parent	   *parent;
	RbacRow    *rows;
	int			n = 0;
	int			nrows;
	bool		found;

	parent = parents_lookup(state->parents, key);
	*known = parent != NULL;
	if (*known)
		return parent;
	if (form->parent_org.attnum != InvalidAttrNumber)
	{
		columns[n] = form->parent_org;
		values[n++] = org;
	}
	columns[n] = form->parent_key;
	values[n++] = id;
	old = MemoryContextSwitchTo(state->parents_context);
	rows = visible_rows(state, above, n, columns, values, &nrows);
	MemoryContextSwitchTo(old);

	parent = parents_insert(state->parents, key, &found);
	parent->rows = rows;
	parent->nrows = nrows;
	return parent;
}

/* Do a child's rows and their visible parents agree in the asker's org, and need not be compared? */
static bool
same_org_column(const RbacProtection *child, const RbacProtection *above)
{
	return child->parent_org.attnum != InvalidAttrNumber && child->parent_org.attnum == above->org.attnum;
}

static ParentSet *
find_parent_set(RbacRowState *state, RbacProtection *form, const RbacPermset *wanted)
{
	size_t		size = wanted != NULL ? wanted->size : 0;
	ParentSet  *set;
	char	   *bytes;

	for (set = state->parent_sets; set != NULL; set = set->next)
	{
		if (set->child == form && set->wanted.size == size &&
			(size == 0 || memcmp(set->wanted.data, wanted->data, size) == 0))
			return set;
	}
	set = MemoryContextAllocZero(state->context, sizeof(ParentSet));
	bytes = MemoryContextAlloc(state->context, Max(size, 1));
	if (size > 0)
		memcpy(bytes, wanted->data, size);
	set->child = form;
	set->wanted.data = bytes;
	set->wanted.size = size;
	set->read_at = LOOKUPS_FIRST;
	set->next = state->parent_sets;
	state->parent_sets = set;
	state->nbindings++;
	return set;
}

typedef struct ParentTest
{
	RbacRowState *state;
	RbacProtection *above;
	const RbacPermset *wanted;
} ParentTest;

/* An RbacRowTest of what was read as the caller, who may be above all policies. */
static bool
passes_parent_test(void *arg, const RbacRow *row)
{
	ParentTest *test = (ParentTest *) arg;

	return (!test->above->plain || rbac_row_is_visible(test->state, test->above, row)) &&
		(test->wanted->size == 0 || rbac_row_allows(test->state, test->above, test->wanted, row));
}

/* Is the column among those that are read of a row? */
static bool
is_placed(const RbacProtection *form, AttrNumber attnum)
{
	for (int i = 0; i < form->nplaces; i++)
	{
		if (form->places[i] == attnum)
			return true;
	}
	return false;
}

/* Read all parents that allow it, unless they seem too many for now. */
static void
read_parent_set(RbacRowState *state, ParentSet *set, RbacProtection *above)
{
	ParentTest	test = {state, above, &set->wanted};
	int64		limit = Min((int64) set->lookups * READ_PER_LOOKUP, (int64) work_mem * 1024 / BYTES_PER_ID);
	int			nids;
	int64	   *ids;

	if (state->check->past != NULL || !same_org_column(set->child, above) || !is_placed(above, set->child->parent_key.attnum) ||
		pg_class_aclcheck(above->relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
		set->lookups > INT_MAX / LOOKUPS_GROWTH)
		return;
	set->read_at = set->lookups * LOOKUPS_GROWTH;
	ids = rbac_fetch_visible(above, &set->child->parent_key, (int) Min(limit, INT_MAX / 2),
							 passes_parent_test, &test, &nids);
	if (ids == NULL)
		return;
	set->ids = rbac_reach_idset(state->context, ids, nids);
	pfree(ids);
}

/* Is the right held, for every row, in the whole org, of which nothing is sealed? */
static bool
allows_everywhere(RbacRowState *state, RbacProtection *form, const RbacPermset *wanted)
{
	return state->check->grants->sealed == NULL && find_binding(state, form, wanted)->scopes[0]->org_wide;
}

/*
 * rbac_row_in_parent
 *		Is there a visible row of the parent table, with this key, on which who
 *		asks holds any of wanted?  With wanted NULL any visible row does.
 */
bool
rbac_row_in_parent(RbacRowState *state, RbacProtection *form, const RbacPermset *wanted,
				   const int64 *org, const int64 *id)
{
	const RbacGrants *grants = state->check->grants;
	RbacProtection *above;
	ParentSet  *set;
	Parent		parent;
	bool		known;
	bool		result = false;

	if (grants == NULL || id == NULL || (wanted != NULL && wanted->size == 0) ||
		(form->org.attnum != InvalidAttrNumber && (org == NULL || *org != grants->org)))
		return false;
	above = rbac_row_protection(state, form->parent);
	if (above == NULL)
		return false;

	/* a foreign key says that it is there, and it cannot but be visible */
	if (form->parent_is_there && same_org_column(form, above) && above->plain && !OidIsValid(above->parent) &&
		allows_everywhere(state, above, &above->view) &&
		(wanted == NULL || allows_everywhere(state, above, wanted)))
		return true;

	set = find_parent_set(state, form, wanted);
	if (set->ids != NULL)
		return rbac_idset_has(set->ids, *id);

	/*
	 * a copy: looking at a parent may look up its parent, and move what is
	 * remembered
	 */
	parent = *find_parents(state, form, above, org != NULL ? *org : 0, *id, &known);
	for (int i = 0; i < parent.nrows && !result; i++)
		result = wanted == NULL || rbac_row_allows(state, above, wanted, &parent.rows[i]);
	if (!known && ++set->lookups == set->read_at)
		read_parent_set(state, set, above);
	return result;
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
	int64		id;
	bool		has_org;

	if (grants == NULL)
		return false;
	has_org = rbac_row_id(row, &form->org, &org);
	if (OidIsValid(form->parent))
		return rbac_row_in_parent(state, form, wanted, has_org ? &org : NULL,
								  rbac_row_id(row, &form->parent_column, &id) ? &id : NULL);
	if (!has_org || org != grants->org)
		return false;
	binding = find_binding(state, form, wanted);
	if (binding->nowhere)
		return false;
	if (reaches_units(binding, 0, row) && !is_sealed_off(binding, 0, row))
		return true;
	for (int r = 0; r < form->nrelations; r++)
	{
		if (holds_by_relation(state, binding, r, row))
			return true;
	}
	return false;
}

/* What the SELECT policies of a table say that has just those of protect(). */
bool
rbac_row_is_visible(RbacRowState *state, RbacProtection *form, const RbacRow *row)
{
	return rbac_row_allows(state, form, form->view.size > 0 ? &form->view : NULL, row);
}

/*-------------------------------------------------------------------------
 *
 * src/place.c
 *	  Where a row is, for the audit trail: its org and its units.
 *
 * An event carries the org and units of its row, so that who may read the trail
 * there sees it without looking at the row, which may be gone by then.  A
 * child's row is where its parent row is; that is read as the table's owner and
 * under the active snapshot, in which what a command deletes is still there.
 * Where no parent can be found, the event is at no unit.
 *
 * A finder belongs to one command's events.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

struct RbacPlaceFinder
{
	MemoryContext context;
	RbacPinnedForm *forms;		/* of parents */
	Oid			child;			/* the last look-up of a parent: */
	int64		org;
	int64		key;
	RbacPlace	found;
	RbacPlace	last;			/* what was made arrays of last */
	Datum		kinds;
	Datum		keys;
	MemoryContext arrays;		/* of kinds and keys */
	MemoryContextCallback release;
};

/* The unit that a grant is at. */
static RbacQuery unit_query = {
	"SELECT u.kind, u.key FROM chat_rbac.unit u"
	" WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.unit_id OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, INT8OID}, NULL
};

static void
release_forms(void *arg)
{
	rbac_protection_unpin_all(&((RbacPlaceFinder *) arg)->forms);
}

/* A finder that lives in context. */
RbacPlaceFinder *
rbac_place_finder(MemoryContext context)
{
	RbacPlaceFinder *finder = MemoryContextAllocZero(context, sizeof(RbacPlaceFinder));

	finder->context = context;
	finder->arrays = AllocSetContextCreate(context, "chat_rbac event units", ALLOCSET_SMALL_SIZES);
	finder->release.func = release_forms;
	finder->release.arg = finder;
	MemoryContextRegisterResetCallback(context, &finder->release);
	return finder;
}

static void
add_unit(RbacPlace *place, const char *kind, int64 key)
{
	for (int i = 0; i < place->nunits; i++)
	{
		if (place->units[i].key == key && strcmp(place->units[i].kind, kind) == 0)
			return;
	}
	if (place->nunits == lengthof(place->units))
		elog(ERROR, "a row is at more than %d units", (int) lengthof(place->units));
	place->units[place->nunits].kind = kind;
	place->units[place->nunits++].key = key;
}

static RbacColumn
own_column(const RbacProtection *form, const char *name)
{
	RbacColumn	column = {get_attnum(form->relid, name), false};

	return column;
}

/* Of our own tables a unit is at itself, and a grant at its unit. */
static void
find_own_unit(const RbacProtection *form, const RbacRow *row, RbacPlace *place)
{
	RbacColumn	unit_column = own_column(form, "unit_id");
	RbacColumn	key_column = own_column(form, "key");
	RbacCatalogScope scope;
	MemoryContext old = CurrentMemoryContext;
	int64		unit;
	int64		key;
	Datum		args[2];

	if (!rbac_row_id(row, &unit_column, &unit))
		return;
	if (rbac_row_id(row, &key_column, &key))
	{
		add_unit(place, TextDatumGetCString(row->values[get_attnum(form->relid, "kind") - 1]), key);
		return;
	}
	args[0] = Int64GetDatum(place->org);
	args[1] = Int64GetDatum(unit);
	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, &unit_query, args, NULL) > 0)
	{
		char	   *kind = rbac_catalog_text(0, 1);

		add_unit(place, MemoryContextStrdup(old, kind), rbac_catalog_int64(0, 2, NULL));
	}
	rbac_catalog_close(&scope);
}

/* The parent's row, as far as places go; NULL if it is not there. */
static const RbacRow *
read_parent(const RbacProtection *form, RbacProtection *parent, const int64 *values)
{
	RbacColumn	keys[2] = {form->parent_key, form->parent_org};
	int			nkeys = form->parent_org.attnum != InvalidAttrNumber ? 2 : 1;
	RbacRow    *rows;
	int			nrows;
	bool		judged;
	RbacOneself oneself;

	rbac_catalog_become_reader(parent->relid, &oneself);
	rows = rbac_fetch_rows(parent, nkeys, keys, values, &nrows, &judged);
	rbac_catalog_be_oneself(&oneself);
	return nrows > 0 ? rows : NULL;
}

static void
find_by_parent(RbacPlaceFinder *finder, const RbacProtection *form, const RbacRow *row, RbacPlace *place)
{
	int64		values[2] = {0, 0};
	RbacProtection *parent;
	const RbacRow *above;

	if (!rbac_row_id(row, &form->parent_column, &values[0]) ||
		(form->parent_org.attnum != InvalidAttrNumber && !rbac_row_id(row, &form->org, &values[1])))
		return;
	if (finder->child == form->relid && finder->key == values[0] && finder->org == values[1])
	{
		*place = finder->found;
		return;
	}
	parent = rbac_protection_pin_with(&finder->forms, form->parent, finder->context);
	above = parent != NULL ? read_parent(form, parent, values) : NULL;
	if (above != NULL)
		rbac_place_find(finder, parent, above, place);
	finder->child = form->relid;
	finder->key = values[0];
	finder->org = values[1];
	finder->found = *place;
}

/*
 * rbac_place_find
 *		Where a row of form's table is.  *place lives as long as form, and in the
 *		current context.
 */
void
rbac_place_find(RbacPlaceFinder *finder, RbacProtection *form, const RbacRow *row, RbacPlace *place)
{
	int64		id;

	memset(place, 0, sizeof(RbacPlace));
	if (OidIsValid(form->parent))
		find_by_parent(finder, form, row, place);
	if (rbac_row_id(row, &form->org, &id))
	{
		place->has_org = true;
		place->org = id;
	}
	for (int i = 0; i < form->nunits; i++)
	{
		if (rbac_row_id(row, &form->units[i].column, &id))
			add_unit(place, form->units[i].kind, id);
	}
	if (form->builtin && place->has_org)
		find_own_unit(form, row, place);
}

static bool
same_units(const RbacPlace *a, const RbacPlace *b)
{
	if (a->nunits != b->nunits)
		return false;
	for (int i = 0; i < a->nunits; i++)
	{
		if (a->units[i].key != b->units[i].key || strcmp(a->units[i].kind, b->units[i].kind) != 0)
			return false;
	}
	return true;
}

/*
 * rbac_place_arrays
 *		The units of a place, and of another one if it is not NULL, as parallel
 *		arrays, which live until the next call.
 */
void
rbac_place_arrays(RbacPlaceFinder *finder, const RbacPlace *place, const RbacPlace *other,
				  Datum *kinds, Datum *keys)
{
	RbacPlace	all = *place;
	Datum		kind_values[lengthof(all.units)];
	Datum		key_values[lengthof(all.units)];
	MemoryContext old;

	for (int i = 0; other != NULL && i < other->nunits; i++)
		add_unit(&all, other->units[i].kind, other->units[i].key);
	if (finder->kinds == (Datum) 0 || !same_units(&all, &finder->last))
	{
		MemoryContextReset(finder->arrays);
		old = MemoryContextSwitchTo(finder->arrays);
		for (int i = 0; i < all.nunits; i++)
		{
			all.units[i].kind = pstrdup(all.units[i].kind);
			kind_values[i] = CStringGetTextDatum(all.units[i].kind);
			key_values[i] = Int64GetDatum(all.units[i].key);
		}
		finder->kinds = PointerGetDatum(construct_array(kind_values, all.nunits, TEXTOID, -1, false, TYPALIGN_INT));
		finder->keys = PointerGetDatum(construct_array(key_values, all.nunits, INT8OID, sizeof(int64),
													   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
		finder->last = all;
		MemoryContextSwitchTo(old);
	}
	*kinds = finder->kinds;
	*keys = finder->keys;
}

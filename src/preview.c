/*-------------------------------------------------------------------------
 *
 * src/preview.c
 *	  What would these changes do?
 *
 * preview() runs SQL, as its caller and with no more rights, in a subtransaction
 * that it always rolls back.  Before and after it takes a picture of what every
 * member holds where, by the code that decides (compile.c), and gives the
 * differences.
 *
 * What is held at a place is what is granted there, above it and in the whole
 * org; so a unit that is moved, sealed or opened is compared like a place where
 * something was granted.  A difference that is there above already is not said again below.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

PG_FUNCTION_INFO_V1(chat_rbac_preview);

typedef struct Place
{
	bool		org_wide;
	int64		unit;			/* unless org_wide */
} Place;

typedef struct UnitNode
{
	int64		org;
	int64		unit;
	bool		has_parent;
	int64		parent;
	char	   *name;
	bool		sealed;
} UnitNode;

/* What a member holds at one place. */
typedef struct Right
{
	int64		org;
	int64		member;
	char	   *name;
	char	   *org_name;
	Place		place;
	RbacPermset permissions;
} Right;

typedef struct Picture
{
	int			nunits;
	UnitNode   *units;			/* by org and unit */
	int			nrights;
	Right	   *rights;			/* by org and member */
} Picture;

/* What somebody has more, or less, at a place. */
typedef struct Difference
{
	Place		place;
	RbacPermission permission;
} Difference;

static RbacQuery units_of_orgs = {
	"SELECT u.org_id, u.unit_id, u.parent_id, u.name, u.sealed FROM chat_rbac.unit u"
	" WHERE $1 IS NULL OR u.org_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY u.org_id USING OPERATOR(pg_catalog.<), u.unit_id USING OPERATOR(pg_catalog.<)",
	1, {INT8OID}, NULL
};

static RbacQuery members_with_grants = {
	"SELECT m.org_id, m.member_id FROM chat_rbac.member m"
	" WHERE ($1 IS NULL OR m.org_id OPERATOR(pg_catalog.=) $1) AND m.active"
	" AND EXISTS (SELECT FROM chat_rbac.role_grant g WHERE g.org_id OPERATOR(pg_catalog.=) m.org_id"
	"  AND g.member_id OPERATOR(pg_catalog.=) m.member_id)"
	" ORDER BY m.org_id USING OPERATOR(pg_catalog.<), m.member_id USING OPERATOR(pg_catalog.<)",
	1, {INT8OID}, NULL
};

/* ---- pictures ---- */

static int
compare_ids(int64 a_org, int64 a, int64 b_org, int64 b)
{
	if (a_org != b_org)
		return a_org < b_org ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void
take_units(Picture *picture, const int64 *org, MemoryContext context)
{
	RbacCatalogScope scope;
	Datum		arg = Int64GetDatum(org != NULL ? *org : 0);
	uint64		rows;
	MemoryContext old;

	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, &units_of_orgs, &arg, org != NULL ? " " : "n");
	old = MemoryContextSwitchTo(context);
	picture->units = MemoryContextAllocHuge(context, sizeof(UnitNode) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		UnitNode   *unit = &picture->units[picture->nunits++];
		bool		isnull;

		unit->org = rbac_catalog_int64(i, 1, NULL);
		unit->unit = rbac_catalog_int64(i, 2, NULL);
		unit->parent = rbac_catalog_int64(i, 3, &isnull);
		unit->has_parent = !isnull;
		unit->name = rbac_catalog_text(i, 4);
		unit->sealed = rbac_catalog_bool(i, 5);
	}
	MemoryContextSwitchTo(old);
	rbac_catalog_close(&scope);
}

/* Add what a member holds now. */
static void
take_member(Picture *picture, int *capacity, int64 org, int64 member, MemoryContext context)
{
	RbacAsker	asker = {0};
	RbacGrants *grants;
	MemoryContext old;

	asker.identity.source = RBAC_BY_SETTING;
	asker.identity.org = org;
	asker.identity.member = member;
	asker.active_roles = "";
	grants = rbac_grants_compile(&asker, NULL);
	old = MemoryContextSwitchTo(context);
	for (int r = 0; r < grants->nreach; r++)
	{
		const RbacReach *reach = &grants->reach[r];
		Right	   *right;

		if (picture->nrights == *capacity)
		{
			*capacity *= 2;
			picture->rights = repalloc_huge(picture->rights, sizeof(Right) * *capacity);
		}
		right = &picture->rights[picture->nrights++];
		right->org = org;
		right->member = member;
		right->name = pstrdup(grants->member_name);
		right->org_name = pstrdup(grants->org_name);
		right->place.org_wide = reach->org_wide;
		right->place.unit = reach->org_wide ? 0 : reach->unit_id;
		right->permissions.data = memcpy(palloc(Max(reach->permissions.size, 1)), reach->permissions.data,
										 reach->permissions.size);
		right->permissions.size = reach->permissions.size;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(grants->context);
}

/* What everybody of an org, or of all orgs, holds now; in the current context. */
static void
take_picture(Picture *picture, const int64 *org)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(context, "chat_rbac one member", ALLOCSET_DEFAULT_SIZES);
	RbacCatalogScope scope;
	Datum		arg = Int64GetDatum(org != NULL ? *org : 0);
	int			capacity = 64;
	int64	   *ids;
	uint64		rows;

	memset(picture, 0, sizeof(Picture));
	take_units(picture, org, context);
	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, &members_with_grants, &arg, org != NULL ? " " : "n");
	ids = MemoryContextAllocHuge(context, sizeof(int64) * Max(2 * rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		ids[2 * i] = rbac_catalog_int64(i, 1, NULL);
		ids[2 * i + 1] = rbac_catalog_int64(i, 2, NULL);
	}
	rbac_catalog_close(&scope);

	picture->rights = palloc(sizeof(Right) * capacity);
	for (uint64 i = 0; i < rows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(work);
		take_member(picture, &capacity, ids[2 * i], ids[2 * i + 1], context);
		MemoryContextSwitchTo(context);
		MemoryContextReset(work);
	}
	pfree(ids);
	MemoryContextDelete(work);
}

static const UnitNode *
find_unit(const Picture *picture, int64 org, int64 unit)
{
	int			low = 0;
	int			high = picture->nunits;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const UnitNode *node = &picture->units[middle];
		int			order = compare_ids(node->org, node->unit, org, unit);

		if (order == 0)
			return node;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static const UnitNode *
unit_above(const Picture *picture, const UnitNode *node)
{
	return node != NULL && node->has_parent ? find_unit(picture, node->org, node->parent) : NULL;
}

/* The names from the top down to a unit. */
static char *
unit_path(const Picture *picture, int64 org, int64 unit)
{
	const UnitNode *node = find_unit(picture, org, unit);
	char	   *path = node != NULL ? node->name : psprintf("unit " INT64_FORMAT, unit);

	while ((node = unit_above(picture, node)) != NULL)
		path = psprintf("%s / %s", node->name, path);
	return path;
}

/* ---- differences ---- */

/* Is place a at or above b, in a picture's tree, with no seal between? */
static bool
is_above(const Picture *picture, int64 org, Place a, Place b)
{
	if (b.org_wide)
		return a.org_wide;
	for (const UnitNode *node = find_unit(picture, org, b.unit); node != NULL; node = unit_above(picture, node))
	{
		if (!a.org_wide && node->unit == a.unit)
			return true;
		if (node->sealed)
			return false;
	}
	return a.org_wide || a.unit == b.unit;
}

/* A place as a picture knows it: a unit that is not in it is where the next one above is. */
static Place
place_in(const Picture *picture, const Picture *other, int64 org, Place place)
{
	while (!place.org_wide && find_unit(picture, org, place.unit) == NULL)
	{
		const UnitNode *node = find_unit(other, org, place.unit);

		place.org_wide = node == NULL || !node->has_parent;
		place.unit = place.org_wide ? 0 : node->parent;
	}
	return place;
}

/* One member's rights in a picture. */
typedef struct Holding
{
	const Picture *picture;
	const Right *rights;
	int			nrights;
} Holding;

/* Do the rights at and above a place cover a permission? */
static bool
is_held(const Holding *holding, int64 org, Place place, const RbacPermission *permission)
{
	for (int i = 0; i < holding->nrights; i++)
	{
		if (is_above(holding->picture, org, holding->rights[i].place, place) &&
			rbac_permset_covers(&holding->rights[i].permissions, permission))
			return true;
	}
	return false;
}

static bool
is_covered(const Picture *picture, int64 org, const List *found, Place place, const RbacPermission *permission, const Difference *but)
{
	const ListCell *cell;

	foreach(cell, found)
	{
		const Difference *other = (const Difference *) lfirst(cell);

		if (other != but && is_above(picture, org, other->place, place) &&
			rbac_permission_covers(&other->permission, permission))
			return true;
	}
	return false;
}

/* What is held at a place, by all that is granted there and above, and was not in the other picture. */
static List *
find_more(List *found, const Holding *more, const Holding *less, int64 org, Place place)
{
	Place		here = place_in(more->picture, less->picture, org, place);
	Place		there = place_in(less->picture, more->picture, org, place);

	for (int i = 0; i < more->nrights; i++)
	{
		RbacPermission permission;
		size_t		pos = 0;

		if (!is_above(more->picture, org, more->rights[i].place, here))
			continue;
		while (rbac_permset_next(&more->rights[i].permissions, &pos, &permission))
		{
			Difference *difference;

			if (is_held(less, org, there, &permission) ||
				is_covered(more->picture, org, found, place, &permission, NULL))
				continue;
			difference = palloc(sizeof(Difference));
			difference->place = place;
			difference->permission = permission;
			found = lappend(found, difference);
		}
	}
	return found;
}

/* A result under way. */
typedef struct Report
{
	ReturnSetInfo *result;
	Picture		before;
	Picture		after;
} Report;

static int
compare_differences(const ListCell *a, const ListCell *b)
{
	return rbac_permission_compare(&((const Difference *) lfirst(a))->permission, &((const Difference *) lfirst(b))->permission);
}

static void
put_differences(const Report *report, const char *effect, const Picture *picture, const Right *who, List *found)
{
	const ListCell *cell;

	list_sort(found, compare_differences);
	foreach(cell, found)
	{
		const Difference *difference = (const Difference *) lfirst(cell);
		Place		place = difference->place;
		Datum		values[6];
		bool		nulls[6] = {0};

		/* a wider one may have been found later */
		if (is_covered(picture, who->org, found, place, &difference->permission, difference))
			continue;
		values[0] = CStringGetTextDatum(effect);
		values[1] = Int64GetDatum(who->member);
		values[2] = CStringGetTextDatum(who->name);
		values[3] = PointerGetDatum(rbac_permission_make(&difference->permission));
		values[4] = CStringGetTextDatum(place.org_wide ? "(whole org)" : unit_path(picture, who->org, place.unit));
		values[5] = CStringGetTextDatum(who->org_name);
		tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
	}
}

static bool
same_rights(const Holding *a, const Holding *b)
{
	if (a->nrights != b->nrights)
		return false;
	for (int i = 0; i < a->nrights; i++)
	{
		const Right *x = &a->rights[i];
		const Right *y = &b->rights[i];

		if (x->place.org_wide != y->place.org_wide || x->place.unit != y->place.unit ||
			rbac_permset_compare(&x->permissions, &y->permissions) != 0)
			return false;
	}
	return true;
}

/* The units of an org that are below another one than before, or sealed or opened. */
static List *
moved_units(const Report *report, int64 org)
{
	List	   *moved = NIL;

	for (int i = 0; i < report->after.nunits; i++)
	{
		const UnitNode *now = &report->after.units[i];
		const UnitNode *then = now->org == org ? find_unit(&report->before, org, now->unit) : NULL;

		if (then != NULL && (then->has_parent != now->has_parent || then->parent != now->parent || then->sealed != now->sealed))
		{
			Place	   *place = palloc0(sizeof(Place));

			place->unit = now->unit;
			moved = lappend(moved, place);
		}
	}
	return moved;
}

/* Places where one member's rights are compared: in the whole org first, so that less is said again. */
static List *
places_of(const Holding *before, const Holding *after, List *moved)
{
	const Holding *both[2] = {before, after};
	List	   *places = NIL;

	for (int org_wide = 1; org_wide >= 0; org_wide--)
	{
		for (int h = 0; h < 2; h++)
		{
			for (int i = 0; i < both[h]->nrights; i++)
			{
				if (both[h]->rights[i].place.org_wide == (bool) org_wide)
					places = lappend(places, unconstify(Place *, &both[h]->rights[i].place));
			}
		}
	}
	return list_concat(places, moved);
}

static void
compare_member(const Report *report, const Holding *before, const Holding *after, List *moved)
{
	const Right *who = after->nrights > 0 ? after->rights : before->rights;
	List	   *places;
	List	   *gained = NIL;
	List	   *lost = NIL;
	const ListCell *cell;

	if (moved == NIL && same_rights(before, after))
		return;
	places = places_of(before, after, moved);
	foreach(cell, places)
	{
		Place		place = *(const Place *) lfirst(cell);

		gained = find_more(gained, after, before, who->org, place);
		lost = find_more(lost, before, after, who->org, place);
	}
	put_differences(report, "gains", &report->after, who, gained);
	put_differences(report, "loses", &report->before, who, lost);
}

/* The rights of the member at rights[at], and where the next one's begin. */
static Holding
holding_at(const Picture *picture, int at)
{
	Holding		holding = {picture, &picture->rights[at], 0};

	while (at + holding.nrights < picture->nrights &&
		   compare_ids(picture->rights[at].org, picture->rights[at].member,
					   picture->rights[at + holding.nrights].org, picture->rights[at + holding.nrights].member) == 0)
		holding.nrights++;
	return holding;
}

/* Go through both pictures, member by member. */
static void
compare_pictures(const Report *report)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac one member", ALLOCSET_DEFAULT_SIZES);
	int			b = 0;
	int			a = 0;

	while (b < report->before.nrights || a < report->after.nrights)
	{
		MemoryContext old = MemoryContextSwitchTo(work);
		Holding		before = {&report->before, NULL, 0};
		Holding		after = {&report->after, NULL, 0};
		int			order = b == report->before.nrights ? 1 : a == report->after.nrights ? -1 :
		compare_ids(report->before.rights[b].org, report->before.rights[b].member,
					report->after.rights[a].org, report->after.rights[a].member);

		CHECK_FOR_INTERRUPTS();
		if (order <= 0)
			before = holding_at(&report->before, b);
		if (order >= 0)
			after = holding_at(&report->after, a);
		b += before.nrights;
		a += after.nrights;
		compare_member(report, &before, &after,
					   moved_units(report, (before.nrights > 0 ? before : after).rights->org));
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	MemoryContextDelete(work);
}

/* ---- the changes ---- */

static void
run_changes(const char *changes)
{
	int			rc;

	SPI_connect();
	rc = SPI_execute(changes, false, 0);
	if (rc == SPI_ERROR_TRANSACTION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a preview cannot begin or end transactions")));
	if (rc < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the changes cannot be run in a preview: %s", SPI_result_code_string(rc))));
	/* what COMMIT would say */
	(void) SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0);
	SPI_finish();
}

/* Take the picture of after the changes, which are then rolled back. */
static void
picture_changed(const char *changes, Picture *after, const int64 *org)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_changes(changes);
		take_picture(after, org);
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		ReThrowError(error);
	}
	PG_END_TRY();
}

/*
 * chat_rbac.preview(changes text) -> SETOF (effect, member_id, member, permission, unit, org)
 *		Who would gain and lose what, if the SQL were run.  An error of it is
 *		raised; in no case is anything left of it that a rollback takes back.
 *		42501 without role.view in the whole org.
 */
Datum
chat_rbac_preview(PG_FUNCTION_ARGS)
{
	Report		report = {0};
	char	   *changes = text_to_cstring(PG_GETARG_TEXT_PP(0));
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const int64 *only = NULL;
	int64		org;

	if (check->grants != NULL || !rbac_asked_all())
	{
		org = rbac_asked_org(fcinfo->flinfo, "preview changes");
		only = &org;
	}
	InitMaterializedSRF(fcinfo, 0);
	report.result = (ReturnSetInfo *) fcinfo->resultinfo;
	take_picture(&report.before, only);
	picture_changed(changes, &report.after, only);
	compare_pictures(&report);
	return (Datum) 0;
}

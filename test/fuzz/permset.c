/*-------------------------------------------------------------------------
 *
 * test/fuzz/permset.c
 *	  A fuzzer of src/permset.c: two sets of permissions, and bytes that may be
 *	  one.
 *
 * The model: a list of permissions, of which one is asked after the other.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#define ITEMS_MAX	24

typedef struct List
{
	RbacPermission items[ITEMS_MAX];
	int			nitems;
} List;

static bool
model_covers(const List *list, const RbacPermission *p)
{
	for (int i = 0; i < list->nitems; i++)
	{
		if (rbac_permission_covers(&list->items[i], p))
			return true;
	}
	return false;
}

static bool
model_contains(const List *a, const List *b)
{
	for (int i = 0; i < b->nitems; i++)
	{
		if (!model_covers(a, &b->items[i]))
			return false;
	}
	return true;
}

static bool
has_item(const List *list, const RbacPermission *p)
{
	for (int i = 0; i < list->nitems; i++)
	{
		if (rbac_permission_compare(&list->items[i], p) == 0)
			return true;
	}
	return false;
}

/* Strictly ascending, nothing that another one covers, and all of the list's meaning. */
static void
check_canonical(const List *canonical, const List *list)
{
	REQUIRE(canonical->nitems <= list->nitems);
	REQUIRE((canonical->nitems == 0) == (list->nitems == 0));
	for (int i = 0; i < canonical->nitems; i++)
	{
		REQUIRE(has_item(list, &canonical->items[i]));
		REQUIRE(i == 0 || rbac_permission_compare(&canonical->items[i - 1], &canonical->items[i]) < 0);
		for (int j = 0; j < canonical->nitems; j++)
			REQUIRE(i == j || !rbac_permission_covers(&canonical->items[i], &canonical->items[j]));
	}
	REQUIRE(model_contains(canonical, list));
}

/* The set of a list, in memory that is just large enough; its data is to be freed. */
static RbacPermset
pack(const List *list)
{
	List		canonical = *list;
	List		backwards;
	RbacPermset set;
	RbacPermission item;
	size_t		pos = 0;
	char	   *data;

	canonical.nitems = rbac_permset_canonicalise(canonical.items, canonical.nitems);
	check_canonical(&canonical, list);

	/* whatever order they come in */
	backwards.nitems = list->nitems;
	for (int i = 0; i < list->nitems; i++)
		backwards.items[i] = list->items[list->nitems - 1 - i];
	REQUIRE(rbac_permset_canonicalise(backwards.items, backwards.nitems) == canonical.nitems);
	for (int i = 0; i < canonical.nitems; i++)
		REQUIRE(rbac_permission_compare(&backwards.items[i], &canonical.items[i]) == 0);

	set.size = rbac_permset_packed_size(canonical.items, canonical.nitems);
	set.data = data = malloc(set.size);
	rbac_permset_pack(canonical.items, canonical.nitems, data);
	for (int i = 0; i < canonical.nitems; i++)
	{
		REQUIRE(rbac_permset_next(&set, &pos, &item));
		REQUIRE(rbac_permission_compare(&item, &canonical.items[i]) == 0);
		REQUIRE(item.resource_len == canonical.items[i].resource_len && item.relation_len == canonical.items[i].relation_len);
	}
	REQUIRE(!rbac_permset_next(&set, &pos, &item) && pos == set.size);
	REQUIRE(rbac_permset_count(&set) == canonical.nitems);
	return set;
}

/* Every way to ask for more, or for less, than p. */
static void
check_around(const RbacPermset *set, const List *list, const RbacPermission *p)
{
	for (int how = 0; how < 27; how++)
	{
		static const char *const others[3][2] = {{"*", "q"}, {"*", "q"}, {"", "@q"}};
		const char *part[3] = {p->text, p->text + p->resource_len + 1, p->text + p->resource_len + 1 + p->action_len};
		int			len[3] = {p->resource_len, p->action_len, p->relation_len > 0 ? p->relation_len + 1 : 0};
		char		text[RBAC_PERMISSION_MAX + 1];
		RbacPermission other;

		for (int k = 0, rest = how; k < 3; k++, rest /= 3)
		{
			if (rest % 3 == 0)
				continue;
			part[k] = others[k][rest % 3 - 1];
			len[k] = (int) strlen(part[k]);
		}
		snprintf(text, sizeof(text), "%.*s.%.*s%.*s", len[0], part[0], len[1], part[1], len[2], part[2]);
		REQUIRE(rbac_permission_parse(text, strlen(text), &other) == NULL);
		REQUIRE(rbac_permset_covers(set, &other) == model_covers(list, &other));
	}
}

static void
check_one(const RbacPermission *p)
{
	char		bytes[RBAC_PERMISSION_MAX + 1];
	RbacPermset one = rbac_permset_of_one(p, bytes);
	RbacPermission plain;
	size_t		pos = 0;

	REQUIRE(rbac_permset_count(&one) == 1 && rbac_permset_next(&one, &pos, &plain));
	REQUIRE(plain.relation_len == 0 && rbac_permission_covers(&plain, p));
	REQUIRE(plain.resource_len == p->resource_len && plain.action_len == p->action_len);
	REQUIRE(memcmp(plain.text, p->text, plain.len) == 0);
}

static void
check_pair(const RbacPermset *a, const List *in_a, const RbacPermset *b, const List *in_b)
{
	bool		holds = rbac_permset_contains(a, b);
	int			order = rbac_permset_compare(a, b);

	REQUIRE(holds == model_contains(in_a, in_b));
	REQUIRE((order == 0) == (holds && rbac_permset_contains(b, a)));
	REQUIRE((order > 0) == (rbac_permset_compare(b, a) < 0));
}

/* Bytes that nobody has checked: no byte outside them is read, and they hold no more than they say. */
static void
check_hostile(const char *data, size_t size, const RbacPermset *good)
{
	RbacPermset set = {data, size};
	List		list = {.nitems = 0};
	RbacPermission item;
	size_t		pos = 0;
	int			count = 0;

	while (rbac_permset_next(&set, &pos, &item))
	{
		REQUIRE(pos <= size && item.text >= data && item.text + item.len <= data + size);
		if (count++ < ITEMS_MAX)
			list.items[list.nitems++] = item;
	}
	REQUIRE(rbac_permset_count(&set) == count);
	if (count > ITEMS_MAX)
		return;
	for (int i = 0; i < list.nitems; i++)
		REQUIRE(!rbac_permset_covers(&set, &list.items[i]) || model_covers(&list, &list.items[i]));
	if (pos != size)
	{
		/* nobody holds what cannot be read, and it gives nothing of its own */
		REQUIRE(!rbac_permset_contains(good, &set) && !rbac_permset_contains(&set, &set));
	}
	pos = 0;
	while (rbac_permset_next(good, &pos, &item))
		REQUIRE(!rbac_permset_covers(&set, &item) || model_covers(&list, &item));
	if (rbac_permset_contains(&set, good))
	{
		pos = 0;
		while (rbac_permset_next(good, &pos, &item))
			REQUIRE(model_covers(&list, &item));
	}
}

/* The largest set there may be, and one larger by an element. */
static void
check_largest(void)
{
	enum {MOST = RBAC_PERMSET_MAX + 1};
	char	  (*texts)[8] = malloc(MOST * sizeof(*texts));
	RbacPermission *items = malloc(MOST * sizeof(RbacPermission));
	RbacPermset sets[2];

	for (int i = 0; i < MOST; i++)
	{
		snprintf(texts[i], sizeof(texts[i]), "a.%d", 10000 + i);
		REQUIRE(rbac_permission_parse(texts[i], 7, &items[i]) == NULL);
	}
	for (int i = 0; i < 2; i++)
	{
		int			nitems = rbac_permset_canonicalise(items, RBAC_PERMSET_MAX + i);
		char	   *data;

		REQUIRE(nitems == RBAC_PERMSET_MAX + i);
		sets[i].size = rbac_permset_packed_size(items, nitems);
		sets[i].data = data = malloc(sets[i].size);
		rbac_permset_pack(items, nitems, data);
	}
	REQUIRE(rbac_permset_contains(&sets[0], &sets[0]) && rbac_permset_contains(&sets[1], &sets[0]));
	REQUIRE(!rbac_permset_contains(&sets[0], &sets[1]) && rbac_permset_contains(&sets[1], &sets[1]));
	for (int i = 0; i < 2; i++)
		free((void *) sets[i].data);
	free(items);
	free(texts);
}

static void
add(List *list, const char *text, size_t len)
{
	if (list->nitems < ITEMS_MAX && rbac_permission_parse(text, len, &list->items[list->nitems]) == NULL)
		list->nitems++;
}

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	check_largest();
	return 0;
}

/* Lines; one that begins with "+" goes into the second set, what is after "=" is packed bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = copy_of(data, size);
	const char *end = text + size;
	const char *equal = size > 0 ? memchr(text, '=', size) : NULL;
	List		lists[2] = {{.nitems = 0}, {.nitems = 0}};
	RbacPermset sets[2];

	for (const char *at = text, *stop = equal ? equal : end; at < stop;)
	{
		const char *eol = memchr(at, '\n', (size_t) (stop - at));
		int			which = *at == '+';

		if (eol == NULL)
			eol = stop;
		add(&lists[which], at + which, (size_t) (eol - at) - (size_t) which);
		at = eol < stop ? eol + 1 : stop;
	}
	for (int i = 0; i < 2; i++)
		sets[i] = pack(&lists[i]);
	for (int i = 0; i < 2; i++)
	{
		check_pair(&sets[i], &lists[i], &sets[i], &lists[i]);
		check_pair(&sets[i], &lists[i], &sets[1 - i], &lists[1 - i]);
		for (int j = 0; j < lists[i].nitems; j++)
		{
			check_around(&sets[0], &lists[0], &lists[i].items[j]);
			check_one(&lists[i].items[j]);
		}
	}
	if (equal != NULL)
	{
		char	   *packed = copy_of(equal + 1, (size_t) (end - equal - 1));

		check_hostile(packed, (size_t) (end - equal - 1), &sets[0]);
		free(packed);
	}
	for (int i = 0; i < 2; i++)
		free((void *) sets[i].data);
	free(text);
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * src/permset.c
 *	  A canonical set of permissions, in packed form.
 *
 * The bytes "*" < "." < digits < "@" < "_" < letters make every
 * generalisation of a permission (resource or action replaced by "*", relation
 * dropped) sort before it.  The canonical form, the early end of a search and
 * the look-up by generalisation all rest on that.
 *
 * Packed bytes may be corrupt: walking them stays inside size and ends at the
 * first element that makes no sense, so a damaged set holds less, never more.
 * Nothing here allocates or fails.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

#include <stdlib.h>
#include <string.h>

/* Ways to generalise a permission, as bits. */
#define ANY_RESOURCE	1
#define ANY_ACTION		2
#define EVERY_ROW		4
#define GENERALISATIONS 8		/* itself among them */

static int
compare_items(const void *a, const void *b)
{
	return rbac_permission_compare(a, b);
}

static char *
append(char *dest, const char *text, size_t len)
{
	memcpy(dest, text, len);
	return dest + len;
}

/*
 * Builds p generalised by the bits of how in buffer, and views it as *out.
 * False when a bit would change nothing: fewer bits give the same.  Fills what
 * rbac_permission_compare reads.
 */
static bool
generalise(const RbacPermission *p, int how, char buffer[RBAC_PERMISSION_MAX],
		   RbacPermission *out)
{
	const char *action = &p->text[p->resource_len + 1];
	char	   *end = buffer;

	if (((how & ANY_RESOURCE) && p->text[0] == '*') ||
		((how & ANY_ACTION) && action[0] == '*') ||
		((how & EVERY_ROW) && p->relation_len == 0))
		return false;

	end = (how & ANY_RESOURCE) ? append(end, "*", 1) :
		append(end, p->text, p->resource_len);
	*end++ = '.';
	end = (how & ANY_ACTION) ? append(end, "*", 1) :
		append(end, action, p->action_len);
	if (!(how & EVERY_ROW))
		end = append(end, action + p->action_len,
					 (size_t) (p->len - p->resource_len - 1 - p->action_len));
	out->text = buffer;
	out->len = (uint8_t) (end - buffer);
	return true;
}

/* Is p, or a generalisation of it, among the sorted items? */
static bool
is_covered(const RbacPermission *items, int nitems, const RbacPermission *p)
{
	char		buffer[RBAC_PERMISSION_MAX];
	RbacPermission key;

	if (nitems == 0)
		return false;
	for (int how = 0; how < GENERALISATIONS; how++)
	{
		if (generalise(p, how, buffer, &key) &&
			bsearch(&key, items, (size_t) nitems, sizeof(*items), compare_items))
			return true;
	}
	return false;
}

/*
 * Steps through a set, *pos being 0 at first.  False at the end, and at bytes
 * that are not packed permissions; then *pos is not the set's size.  The order
 * of the elements is not checked.
 */
bool
rbac_permset_next(const RbacPermset *set, size_t *pos, RbacPermission *out)
{
	const char *element;
	size_t		len;

	if (*pos >= set->size)
		return false;
	len = (unsigned char) set->data[*pos];
	element = set->data + *pos + 1;
	if (len > set->size - *pos - 1 ||
		rbac_permission_parse(element, len, out) != NULL || out->len != len)
		return false;
	*pos += 1 + len;
	return true;
}

int
rbac_permset_count(const RbacPermset *set)
{
	RbacPermission item;
	size_t		pos = 0;
	int			count = 0;

	while (rbac_permset_next(set, &pos, &item))
		count++;
	return count;
}

/* Total order; equal exactly when the sets are. */
int
rbac_permset_compare(const RbacPermset *a, const RbacPermset *b)
{
	size_t		shared = a->size < b->size ? a->size : b->size;
	int			cmp = shared > 0 ? memcmp(a->data, b->data, shared) : 0;

	return cmp != 0 ? cmp : (a->size > b->size) - (a->size < b->size);
}

/* Does whoever holds the set thereby hold p? */
bool
rbac_permset_covers(const RbacPermset *set, const RbacPermission *p)
{
	RbacPermission item;
	size_t		pos = 0;

	while (rbac_permset_next(set, &pos, &item))
	{
		if (rbac_permission_covers(&item, p))
			return true;
		if (rbac_permission_compare(&item, p) > 0)
			return false;		/* generalisations sort before */
	}
	return false;
}

/* Does whoever holds a thereby hold all of b?  Uses 64 kB of stack. */
bool
rbac_permset_contains(const RbacPermset *a, const RbacPermset *b)
{
	RbacPermission items[RBAC_PERMSET_MAX];
	RbacPermission item;
	size_t		pos = 0;
	int			nitems = 0;
	bool		fits;

	while (nitems < RBAC_PERMSET_MAX && rbac_permset_next(a, &pos, &items[nitems]))
		nitems++;
	fits = nitems < RBAC_PERMSET_MAX || pos == a->size;
	pos = 0;
	while (rbac_permset_next(b, &pos, &item))
	{
		if (fits ? !is_covered(items, nitems, &item) : !rbac_permset_covers(a, &item))
			return false;
	}
	return pos == b->size;		/* what cannot be read is not contained */
}

/*
 * Sorts items in place and drops those that another covers.  Returns how many
 * are left.  What covers an item sorts before it, so it is among the kept
 * ones, or covered by one of them.
 */
int
rbac_permset_canonicalise(RbacPermission *items, int nitems)
{
	int			kept = 0;

	if (nitems > 1)
		qsort(items, (size_t) nitems, sizeof(*items), compare_items);
	for (int i = 0; i < nitems; i++)
	{
		if (!is_covered(items, kept, &items[i]))
			items[kept++] = items[i];
	}
	return kept;
}

size_t
rbac_permset_packed_size(const RbacPermission *items, int nitems)
{
	size_t		size = 0;

	for (int i = 0; i < nitems; i++)
		size += 1 + (size_t) items[i].len;
	return size;
}

/* dest has room for rbac_permset_packed_size bytes; the items may not lie in it. */
void
rbac_permset_pack(const RbacPermission *items, int nitems, char *dest)
{
	for (int i = 0; i < nitems; i++)
	{
		*dest++ = (char) items[i].len;
		dest = append(dest, items[i].text, items[i].len);
	}
}

/*
 * rbac_permset_of_one
 *		A permission without its relation, as a set; bytes has room for
 *		RBAC_PERMISSION_MAX + 1 of them.
 */
RbacPermset
rbac_permset_of_one(const RbacPermission *permission, char *bytes)
{
	RbacPermission plain = *permission;
	RbacPermset set;

	if (plain.relation_len > 0)
		plain.len -= plain.relation_len + 1;
	plain.relation_len = 0;
	rbac_permset_pack(&plain, 1, bytes);
	set.data = bytes;
	set.size = rbac_permset_packed_size(&plain, 1);
	return set;
}

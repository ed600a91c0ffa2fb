/*-------------------------------------------------------------------------
 *
 * src/idset.c
 *	  An immutable set of 64-bit ids: a sorted array with a hash over it.
 *
 * The array serves index conditions, the hash serves filters, whose cost must
 * not grow with the number of units.  At most half of the slots are taken.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

#include <stdlib.h>
#include <string.h>

static int
compare_ids(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* How many slots a set of nids ids needs: a power of two, at least 2. */
size_t
rbac_idset_slots(int nids)
{
	size_t		n = 2;

	while (n < (size_t) nids * 2)
		n *= 2;
	return n;
}

/*
 * rbac_idset_build
 *		Make a set of ids[0 .. nids-1], which is sorted and freed of duplicates
 *		in place.  ids and slots (rbac_idset_slots(nids) of them) belong to the
 *		caller and must live as long as the set.
 */
void
rbac_idset_build(RbacIdSet *set, int64_t *ids, int nids, int32_t *slots)
{
	size_t		nslots = rbac_idset_slots(nids);
	int			kept = 0;

	if (nids > 1)
		qsort(ids, nids, sizeof(int64_t), compare_ids);
	for (int i = 0; i < nids; i++)
	{
		if (kept == 0 || ids[i] != ids[kept - 1])
			ids[kept++] = ids[i];
	}

	set->nids = kept;
	set->ids = ids;
	set->mask = nslots - 1;
	set->slots = slots;
	memset(slots, 0, nslots * sizeof(int32_t));
	for (int i = 0; i < kept; i++)
	{
		uint64_t	at = rbac_idset_hash(ids[i]) & set->mask;

		while (slots[at] != 0)
			at = (at + 1) & set->mask;
		slots[at] = i + 1;
	}
}

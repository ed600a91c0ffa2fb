/*-------------------------------------------------------------------------
 *
 * test/fuzz/graph.c
 *	  A fuzzer of src/closure.c and src/idset.c: role graphs and sets of ids.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#define NODES_MAX	16
#define EDGES_MAX	64
#define IDS_MAX		96

/* All pairs, by Warshall. */
static void
model_closure(const RbacEdge *edges, int nedges, bool reaches[NODES_MAX][NODES_MAX])
{
	memset(reaches, 0, sizeof(bool) * NODES_MAX * NODES_MAX);
	for (int i = 0; i < NODES_MAX; i++)
		reaches[i][i] = true;
	for (int i = 0; i < nedges; i++)
		reaches[edges[i].senior][edges[i].junior] = true;
	for (int k = 0; k < NODES_MAX; k++)
	{
		for (int i = 0; i < NODES_MAX; i++)
		{
			for (int j = 0; j < NODES_MAX; j++)
				reaches[i][j] |= reaches[i][k] && reaches[k][j];
		}
	}
}

static void
check_closure(Feed *feed)
{
	int			nnodes = 1 + feed_byte(feed) % NODES_MAX;
	int			nroots = feed_byte(feed) % 4;
	int			nedges = feed_byte(feed) % (EDGES_MAX + 1);
	RbacEdge   *edges = malloc(sizeof(RbacEdge) * (size_t) nedges);
	bool	   *reached = calloc((size_t) nnodes, sizeof(bool));
	bool		reaches[NODES_MAX][NODES_MAX];
	bool		expected[NODES_MAX] = {false};

	for (int i = 0; i < nedges; i++)
	{
		edges[i].senior = feed_byte(feed) % nnodes;
		edges[i].junior = feed_byte(feed) % nnodes;
	}
	model_closure(edges, nedges, reaches);
	for (int i = 0; i < nroots; i++)
	{
		/* one that is none marks nothing */
		int			root = (int8_t) feed_byte(feed);

		rbac_closure_mark(edges, nedges, root, nnodes, reached);
		for (int j = 0; j < nnodes; j++)
			expected[j] |= root >= 0 && root < nnodes && reaches[root][j];
	}
	REQUIRE(memcmp(reached, expected, (size_t) nnodes) == 0);
	free(reached);
	free(edges);
}

static bool
model_has(const int64_t *ids, int nids, int64_t id)
{
	for (int i = 0; i < nids; i++)
	{
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Few bits, many of the same slot, and the extremes. */
static int64_t
make_id(Feed *feed)
{
	static const int64_t extremes[] = {0, -1, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX};
	uint8_t		how = feed_byte(feed);

	if (how < 128)
		return how % 16;
	if (how < 192)
		return (int64_t) ((uint64_t) how << 56);
	if (how < 204)
		return extremes[how % 6];
	return (int64_t) feed_number(feed, 8);
}

static void
check_idset(Feed *feed)
{
	int			nids = feed_byte(feed) % (IDS_MAX + 1);
	size_t		nslots = rbac_idset_slots(nids);
	int64_t		given[IDS_MAX];
	int64_t    *ids = malloc(sizeof(int64_t) * (size_t) nids);
	int32_t    *slots = malloc(sizeof(int32_t) * nslots);
	RbacIdSet	set;

	for (int i = 0; i < nids; i++)
		given[i] = ids[i] = make_id(feed);
	rbac_idset_build(&set, ids, nids, slots);

	REQUIRE(nslots >= 2 && (nslots & (nslots - 1)) == 0 && set.mask == nslots - 1 && (size_t) set.nids * 2 <= nslots);
	REQUIRE(set.nids <= nids && (set.nids == 0) == (nids == 0));
	for (int i = 0; i < set.nids; i++)
		REQUIRE((i == 0 || set.ids[i - 1] < set.ids[i]) && model_has(given, nids, set.ids[i]));
	for (int i = 0; i < nids; i++)
	{
		uint64_t	id = (uint64_t) given[i];

		REQUIRE(rbac_idset_has(&set, given[i]));
		REQUIRE(rbac_idset_has(&set, (int64_t) (id + 1)) == model_has(given, nids, (int64_t) (id + 1)));
		REQUIRE(rbac_idset_has(&set, (int64_t) ~id) == model_has(given, nids, (int64_t) ~id));
	}
	for (int i = 0; i < 8; i++)
	{
		int64_t		id = make_id(feed);

		REQUIRE(rbac_idset_has(&set, id) == model_has(given, nids, id));
	}
	free(slots);
	free(ids);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Feed		feed = {data, data + size};

	if (feed_byte(&feed) & 1)
		check_closure(&feed);
	else
		check_idset(&feed);
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * test/fuzz/merkle.c
 *	  A fuzzer of src/merkle.c: trees, the paths of their leaves, and paths to
 *	  which something has happened.
 *
 * The model is RFC 6962, section 2.1, word by word, and the check of a path that
 * of RFC 9162, section 2.1.3.2.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#define LEAVES_MAX	70

/* Not SHA-256, but as wide, and fast; nobody here looks for collisions. */
static void
mix(const uint8_t *bytes, size_t len, uint8_t *out)
{
	uint64_t	lanes[4] = {len + 1, 2, 3, 5};

	for (size_t i = 0; i < len; i++)
	{
		lanes[i % 4] = (lanes[i % 4] ^ bytes[i]) * UINT64_C(0x100000001B3);
		lanes[(i + 1) % 4] += lanes[i % 4] >> 29;
	}
	for (int i = 0; i < 16; i++)
	{
		lanes[i % 4] = (lanes[i % 4] ^ lanes[(i + 3) % 4] >> 31) * UINT64_C(0x9E3779B97F4A7C15);
		lanes[(i + 1) % 4] ^= lanes[i % 4] >> 32;
	}
	memcpy(out, lanes, RBAC_HASH_SIZE);
}

static void
digest(void *arg, const RbacBytes *pieces, int npieces, uint8_t *out)
{
	uint8_t		bytes[512];
	size_t		len = 0;

	REQUIRE(arg == NULL && npieces <= RBAC_HASH_PIECES_MAX + 1);
	for (int i = 0; i < npieces; i++)
	{
		REQUIRE(len + pieces[i].len <= sizeof(bytes));
		memcpy(bytes + len, pieces[i].data, pieces[i].len);
		len += pieces[i].len;
	}
	mix(bytes, len, out);
}

static const RbacHash hash = {digest, NULL};

static void
model_node(const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	uint8_t		bytes[1 + 2 * RBAC_HASH_SIZE] = {1};

	memcpy(bytes + 1, left, RBAC_HASH_SIZE);
	memcpy(bytes + 1 + RBAC_HASH_SIZE, right, RBAC_HASH_SIZE);
	mix(bytes, sizeof(bytes), out);
}

static void
model_root(const uint8_t *leaves, size_t n, uint8_t *out)
{
	uint8_t		left[RBAC_HASH_SIZE];
	uint8_t		right[RBAC_HASH_SIZE];
	size_t		k = 1;

	if (n == 0)
		mix((const uint8_t *) "", 0, out);
	else if (n == 1)
		memcpy(out, leaves, RBAC_HASH_SIZE);
	else
	{
		while (k * 2 < n)
			k *= 2;
		model_root(leaves, k, left);
		model_root(leaves + k * RBAC_HASH_SIZE, n - k, right);
		model_node(left, right, out);
	}
}

/* Does the path lead from the leaf, as the index-th of n, to the root? */
static bool
verifies(const uint8_t *leaf, size_t index, size_t n, const uint8_t *path, int npath, const uint8_t *root)
{
	uint8_t		r[RBAC_HASH_SIZE];
	size_t		fn = index;
	size_t		sn = n - 1;

	if (index >= n)
		return false;
	memcpy(r, leaf, RBAC_HASH_SIZE);
	for (int i = 0; i < npath; i++)
	{
		const uint8_t *p = path + i * RBAC_HASH_SIZE;

		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn)
		{
			model_node(p, r, r);
			while (!(fn & 1) && fn != 0)
			{
				fn >>= 1;
				sn >>= 1;
			}
		}
		else
			model_node(r, p, r);
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(r, root, RBAC_HASH_SIZE) == 0;
}

/* One bit, somewhere, and the proof is none. */
static void
check_mutants(Feed *feed, const uint8_t *leaf, size_t index, size_t n, uint8_t *path, int npath, const uint8_t *root)
{
	uint8_t		other[RBAC_HASH_SIZE];
	size_t		bit = feed_number(feed, 2);

	memcpy(other, leaf, RBAC_HASH_SIZE);
	other[bit / 8 % RBAC_HASH_SIZE] ^= (uint8_t) (1 << bit % 8);
	REQUIRE(!verifies(other, index, n, path, npath, root));
	memcpy(other, root, RBAC_HASH_SIZE);
	other[bit / 8 % RBAC_HASH_SIZE] ^= (uint8_t) (1 << bit % 8);
	REQUIRE(!verifies(leaf, index, n, path, npath, other));
	if (npath > 0)
	{
		size_t		at = bit / 8 % ((size_t) npath * RBAC_HASH_SIZE);

		path[at] ^= (uint8_t) (1 << bit % 8);
		REQUIRE(!verifies(leaf, index, n, path, npath, root));
		path[at] ^= (uint8_t) (1 << bit % 8);
		REQUIRE(!verifies(leaf, index, n, path, npath - 1, root));
	}
	memset(other, 0, sizeof(other));
	memcpy(path + npath * RBAC_HASH_SIZE, other, RBAC_HASH_SIZE);
	REQUIRE(!verifies(leaf, index, n, path, npath + 1, root));
}

/* A tree of leaves of which some may be alike. */
static void
check_tree(Feed *feed)
{
	size_t		n = feed_byte(feed) % (LEAVES_MAX + 1);
	uint8_t    *leaves = malloc(n * RBAC_HASH_SIZE);
	uint8_t		root[RBAC_HASH_SIZE];
	uint8_t		expected[RBAC_HASH_SIZE];
	size_t		other;

	for (size_t i = 0; i < n; i++)
	{
		uint8_t		what = feed_byte(feed);
		RbacBytes	piece = {&what, 1};

		rbac_merkle_hash(&hash, RBAC_HASH_LEAF, &piece, 1, leaves + i * RBAC_HASH_SIZE);
	}
	rbac_merkle_root(&hash, leaves, n, root);
	model_root(leaves, n, expected);
	REQUIRE(memcmp(root, expected, RBAC_HASH_SIZE) == 0);

	for (int k = 0; n > 0 && k < 4; k++)
	{
		size_t		i = feed_byte(feed) % n;
		uint8_t		path[(RBAC_MERKLE_DEPTH + 1) * RBAC_HASH_SIZE];
		const uint8_t *leaf = leaves + i * RBAC_HASH_SIZE;
		int			npath = rbac_merkle_path(&hash, leaves, n, i, path);

		REQUIRE(npath >= 0 && npath <= 7);
		REQUIRE(verifies(leaf, i, n, path, npath, root));
		check_mutants(feed, leaf, i, n, path, npath, root);

		/* nor in another place, but for that of a leaf that is the same */
		other = feed_byte(feed) % n;
		REQUIRE(memcmp(leaf, leaves + other * RBAC_HASH_SIZE, RBAC_HASH_SIZE) == 0 ||
				!verifies(leaf, other, n, path, npath, root));
	}
	free(leaves);
}

/* What is hashed is the kind and the pieces, and the result may be put into one of them. */
static void
check_hash(Feed *feed)
{
	uint8_t		bytes[1 + RBAC_HASH_PIECES_MAX * RBAC_HASH_SIZE];
	uint8_t		expected[RBAC_HASH_SIZE];
	RbacBytes	pieces[RBAC_HASH_PIECES_MAX];
	RbacHashKind kind = (RbacHashKind) (feed_byte(feed) % (RBAC_HASH_CONTENTS + 1));
	int			npieces = feed_byte(feed) % (RBAC_HASH_PIECES_MAX + 1);
	uint8_t    *first;
	size_t		len = 1;

	bytes[0] = (uint8_t) kind;
	for (int i = 0; i < npieces; i++)
	{
		pieces[i].data = &bytes[len];
		pieces[i].len = i == 0 ? RBAC_HASH_SIZE : feed_byte(feed) % (RBAC_HASH_SIZE + 1);
		for (size_t k = 0; k < pieces[i].len; k++)
			bytes[len++] = feed_byte(feed);
	}
	mix(bytes, len, expected);
	first = npieces > 0 ? copy_of(pieces[0].data, RBAC_HASH_SIZE) : malloc(RBAC_HASH_SIZE);
	if (npieces > 0)
		pieces[0].data = first;
	rbac_merkle_hash(&hash, kind, pieces, npieces, first);
	REQUIRE(memcmp(first, expected, RBAC_HASH_SIZE) == 0);
	free(first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Feed		feed = {data, data + size};

	if (feed_byte(&feed) % 8 == 0)
		check_hash(&feed);
	else
		check_tree(&feed);
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * src/merkle.c
 *	  Hash trees as in RFC 6962, section 2.1, and what else the trail hashes.
 *
 * Leaves are given as their hashes, one after the other.  The tree over n of
 * them splits at the largest power of two below n; that over none has the hash
 * of no bytes.  SHA-256 itself is the caller's.  Nothing is allocated.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

#include <string.h>

/*
 * SHA-256 of the kind's byte and the pieces, of which there are at most
 * RBAC_HASH_PIECES_MAX.  out may be in one of them.
 */
void
rbac_merkle_hash(const RbacHash *hash, RbacHashKind kind, const RbacBytes *pieces, int npieces, uint8_t *out)
{
	uint8_t		prefix = (uint8_t) kind;
	RbacBytes	all[RBAC_HASH_PIECES_MAX + 1] = {{&prefix, 1}};

	memcpy(&all[1], pieces, sizeof(RbacBytes) * (size_t) npieces);
	hash->digest(hash->arg, all, npieces + 1, out);
}

static void
hash_node(const RbacHash *hash, const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	RbacBytes	pieces[2] = {{left, RBAC_HASH_SIZE}, {right, RBAC_HASH_SIZE}};

	rbac_merkle_hash(hash, RBAC_HASH_NODE, pieces, 2, out);
}

/*
 * rbac_merkle_root
 *		The tree's hash.  Complete subtrees wait on a stack, at most one of each
 *		height, until one of the same height comes to their right.
 */
void
rbac_merkle_root(const RbacHash *hash, const uint8_t *leaves, size_t nleaves, uint8_t *out)
{
	uint8_t		stack[RBAC_MERKLE_DEPTH + 1][RBAC_HASH_SIZE];
	int			top = 0;

	if (nleaves == 0)
	{
		hash->digest(hash->arg, NULL, 0, out);
		return;
	}
	for (size_t i = 0; i < nleaves; i++)
	{
		memcpy(stack[top++], leaves + i * RBAC_HASH_SIZE, RBAC_HASH_SIZE);
		for (size_t rest = i; rest & 1; rest >>= 1, top--)
			hash_node(hash, stack[top - 2], stack[top - 1], stack[top - 2]);
	}
	for (; top > 1; top--)
		hash_node(hash, stack[top - 2], stack[top - 1], stack[top - 2]);
	memcpy(out, stack[0], RBAC_HASH_SIZE);
}

static size_t
split(size_t nleaves)
{
	size_t		half = 1;

	while (half < nleaves - half)
		half *= 2;
	return half;
}

/*
 * rbac_merkle_path
 *		The audit path of a leaf, from it to the root: with these hashes one who
 *		has the leaf can compute the root.  Returns how many; out has room for
 *		RBAC_MERKLE_DEPTH.
 */
int
rbac_merkle_path(const RbacHash *hash, const uint8_t *leaves, size_t nleaves, size_t leaf, uint8_t *out)
{
	uint8_t		down[RBAC_MERKLE_DEPTH][RBAC_HASH_SIZE];	/* from the root */
	int			npath = 0;

	while (nleaves > 1)
	{
		size_t		left = split(nleaves);
		const uint8_t *right = leaves + left * RBAC_HASH_SIZE;

		if (leaf < left)
		{
			rbac_merkle_root(hash, right, nleaves - left, down[npath++]);
			nleaves = left;
		}
		else
		{
			rbac_merkle_root(hash, leaves, left, down[npath++]);
			leaves = right;
			leaf -= left;
			nleaves -= left;
		}
	}
	for (int i = 0; i < npath; i++)
		memcpy(out + (size_t) i * RBAC_HASH_SIZE, down[npath - 1 - i], RBAC_HASH_SIZE);
	return npath;
}

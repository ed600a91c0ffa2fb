/*-------------------------------------------------------------------------
 *
 * src/hash.c
 *	  SHA-256 for the pure layer, by the server's library.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "common/cryptohash.h"

static void
digest(void *arg, const RbacBytes *pieces, int npieces, uint8_t *out)
{
	pg_cryptohash_ctx *ctx = arg;
	bool		ok = pg_cryptohash_init(ctx) >= 0;

	for (int i = 0; ok && i < npieces; i++)
		ok = pg_cryptohash_update(ctx, pieces[i].data, pieces[i].len) >= 0;
	if (!ok || pg_cryptohash_final(ctx, out, RBAC_HASH_SIZE) < 0)
		elog(ERROR, "could not compute %s hash: %s", "SHA256", pg_cryptohash_error(ctx));
}

/* A hash to give to the pure layer, until rbac_hash_end() or an error. */
RbacHash
rbac_hash_begin(void)
{
	RbacHash	hash = {digest, pg_cryptohash_create(PG_SHA256)};

	if (hash.arg == NULL)
		elog(ERROR, "could not compute %s hash: %s", "SHA256", "out of memory");
	return hash;
}

void
rbac_hash_end(RbacHash *hash)
{
	pg_cryptohash_free(hash->arg);
}

/*-------------------------------------------------------------------------
 *
 * src/grants.c
 *	  The cache of compiled grants.
 *
 * An entry is the whole answer sheet of one identity under one choice of
 * active roles: the member, and per unit where a role is granted the closure
 * of permissions and the keys of the units at and below it.
 *
 * Memory: an entry has a context of its own, "chat_rbac grants", filled before
 * it is published and deleted in one call.  Call sites pin the entry that they
 * answer from; a pinned entry that leaves the cache lives until its last
 * unpin.  At most chat_rbac.cache_entries are kept, least recently used first
 * to go.
 *
 * Freshness: an entry serves a statement that begins in [made_at, valid_until)
 * while its generation is the current one.  The generation is read before the
 * snapshot is taken, so a message that comes during a build makes the entry
 * old for the next check and no loop is needed for this one.
 *
 * The cache is a means: nothing may be observable through it but speed.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct CacheSlot
{
	RbacIdentity identity;		/* the key */
	RbacGrants *grants;
} CacheSlot;

static int	cache_entries = 64;
static HTAB *cache = NULL;
static dlist_head lru_list = DLIST_STATIC_INIT(lru_list);
static RbacGrants *newest = NULL;	/* last pinned, mostly asked for again */
static RbacCacheStats stats;

/* ---- lifetime ---- */

static void
free_grants(RbacGrants *grants)
{
	MemoryContextDelete(grants->context);
}

/* Take an entry out of the cache; it is freed now or at its last unpin. */
void
rbac_grants_forget(RbacGrants *grants)
{
	if (!grants->cached)
		return;
	hash_search(cache, &grants->identity, HASH_REMOVE, NULL);
	dlist_delete(&grants->lru);
	grants->cached = false;
	stats.entries--;
	if (grants == newest)
		newest = NULL;
	if (grants->pins == 0)
		free_grants(grants);
}

/* Does not throw: runs when a call site's memory is reset, also in an abort. */
void
rbac_grants_unpin(RbacGrants *grants)
{
	Assert(grants->pins > 0);
	if (--grants->pins == 0 && !grants->cached)
		free_grants(grants);
}

/*
 * rbac_grants_compile
 *		An answer sheet that is not cached and lives as long as the current
 *		context: of all grants, or of only one.  May throw.
 */
RbacGrants *
rbac_grants_compile(const RbacAsker *asker, const int64 *only_grant)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "chat_rbac grants",
												  ALLOCSET_SMALL_SIZES);
	RbacGrants *grants = MemoryContextAllocZero(context, sizeof(RbacGrants));

	grants->context = context;
	grants->identity = asker->identity;
	grants->active_roles = MemoryContextStrdup(context, asker->active_roles);
	if (asker->token_roles != NULL)
		grants->token_roles = MemoryContextStrdup(context, asker->token_roles);
	grants->only_grant = only_grant;
	grants->standing = RBAC_NOBODY;
	grants->generation = rbac_inval_accept();
	grants->made_at = rbac_now();
	grants->valid_until = DT_NOEND;
	rbac_compile_grants(grants);
	grants->only_grant = NULL;
	return grants;
}

/*
 * Make an entry, not yet cached.  It hangs below the current context until it
 * is published, so that an error frees it.
 */
static RbacGrants *
build_grants(const RbacAsker *asker)
{
	RbacGrants *grants = rbac_grants_compile(asker, NULL);

	if (asker->identity.source == RBAC_BY_SETTING && grants->standing != RBAC_ACTIVE)
		rbac_refusal_log("identity", NULL, NULL,
						 psprintf("\"" INT64_FORMAT "/" INT64_FORMAT "\" is no active member", asker->identity.org, asker->identity.member));
	stats.builds++;
	return grants;
}

/* ---- the cache ---- */

/* Were grants made for this asker, under the same narrowing? */
bool
rbac_grants_are_for(const RbacGrants *grants, const RbacAsker *asker)
{
	return memcmp(&grants->identity, &asker->identity, sizeof(RbacIdentity)) == 0 &&
		strcmp(grants->active_roles, asker->active_roles) == 0 &&
		(grants->token_roles == NULL) == (asker->token_roles == NULL) &&
		(grants->token_roles == NULL || strcmp(grants->token_roles, asker->token_roles) == 0);
}

static bool
still_good(const RbacGrants *grants, const RbacAsker *asker, uint64 generation)
{
	TimestampTz now = rbac_now();

	return grants->generation == generation &&
		now >= grants->made_at && now < grants->valid_until &&
		rbac_grants_are_for(grants, asker);
}

static void
make_room(void)
{
	while (stats.entries >= cache_entries && !dlist_is_empty(&lru_list))
	{
		rbac_grants_forget(dlist_container(RbacGrants, lru, dlist_tail_node(&lru_list)));
		stats.evictions++;
	}
}

static void
publish(RbacGrants *grants)
{
	CacheSlot  *slot;

	if (cache == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(RbacIdentity);
		control.entrysize = sizeof(CacheSlot);
		cache = hash_create("chat_rbac grants cache", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	/* one may have been built meanwhile, below us */
	slot = hash_search(cache, &grants->identity, HASH_FIND, NULL);
	if (slot != NULL)
		rbac_grants_forget(slot->grants);
	make_room();
	slot = hash_search(cache, &grants->identity, HASH_ENTER, NULL);
	MemoryContextSetParent(grants->context, CacheMemoryContext);
	slot->grants = grants;
	grants->cached = true;
	dlist_push_head(&lru_list, &grants->lru);
	stats.entries++;
}

/*
 * rbac_grants_pin
 *		The answer sheet of who asks, as fresh as this statement must see it.
 *		The caller unpins it.  May throw: the extension is not usable, the token
 *		has been revoked, or a role is named that is not granted.
 */
RbacGrants *
rbac_grants_pin(const RbacAsker *asker)
{
	uint64		generation = rbac_inval_accept();
	RbacGrants *grants = newest;

	if (grants == NULL || memcmp(&grants->identity, &asker->identity, sizeof(RbacIdentity)) != 0)
	{
		CacheSlot  *slot = cache ? hash_search(cache, &asker->identity, HASH_FIND, NULL) : NULL;

		grants = slot ? slot->grants : NULL;
	}
	if (grants != NULL && still_good(grants, asker, generation))
		stats.hits++;
	else
	{
		if (grants != NULL)
			rbac_grants_forget(grants);
		grants = build_grants(asker);
		publish(grants);
	}
	if (grants != newest)
	{
		dlist_move_head(&lru_list, &grants->lru);
		newest = grants;
	}
	rbac_token_admit(asker, grants);
	grants->pins++;
	return grants;
}

/* The same, but read from the tables now, whatever was heard of changes. */
RbacGrants *
rbac_grants_pin_anew(const RbacAsker *asker)
{
	CacheSlot  *slot = cache ? hash_search(cache, &asker->identity, HASH_FIND, NULL) : NULL;

	if (slot != NULL)
		rbac_grants_forget(slot->grants);
	return rbac_grants_pin(asker);
}

void
rbac_grants_stats(RbacCacheStats *out)
{
	dlist_iter	iter;

	*out = stats;
	out->bytes = 0;
	dlist_foreach(iter, &lru_list)
		out->bytes += MemoryContextMemAllocated(dlist_container(RbacGrants, lru, iter.cur)->context, true);
}

void
rbac_grants_init(void)
{
	DefineCustomIntVariable("chat_rbac.cache_entries",
							"How many identities' compiled grants a session keeps.",
							NULL,
							&cache_entries, 64, 1, 65536, PGC_SUSET, 0, NULL, NULL, NULL);
}

/*-------------------------------------------------------------------------
 *
 * src/token.c
 *	  Whom a token names: signatures, keys and time.
 *
 * Anybody may set chat_rbac.token, so nothing in it is believed before a key of
 * chat_rbac.signing_key that serves its org has been found under which its
 * signature verifies, by the key's own algorithm.  What a token is found to say is
 * kept for as long as the keys stay the same; its times are looked at for every
 * statement, and so is whom its subject is.
 *
 * Whatever is wrong with a token, the session is told the same; the cause is in
 * the server log, and the token is not.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MEMOS_MAX	256			/* tokens that a session remembers */
#define RINGS_MAX	64			/* and sets of keys */
#define KID_MAX		255			/* bytes in the id of a key */

/* A key that may sign tokens of an org. */
typedef struct TokenKey
{
	RbacAlgorithm algorithm;
	bool		by_member_id;	/* "sub" is a member's id */
	bool		roles_narrow;	/* "roles" is meant for us */
	char	   *issuer;			/* NULL: any */
	char	   *audience;		/* NULL: none */
	TimestampTz from;
	TimestampTz until;
	RbacJoseKey *key;
} TokenKey;

/* The keys for one org and key id, or algorithm where the token names no key. */
typedef struct KeyRing
{
	int64		org;
	char	   *kid;			/* NULL: none */
	RbacAlgorithm algorithm;
	bool		complete;		/* all of them could be loaded */
	int			nkeys;
	TokenKey   *keys;
	MemoryContext context;
	MemoryContextCallback release;
	dlist_node	node;
} KeyRing;

/* What is kept of a token whose signature verified. */
typedef struct Memo
{
	char	   *token;
	int64		org;
	char	   *subject;
	bool		by_member_id;	/* the subject is a member's id */
	char	   *roles;			/* as chat_rbac.active_roles has them; NULL:
								 * no claim */
	TimestampTz issued;			/* DT_NOBEGIN: it does not say */
	TimestampTz not_before;
	TimestampTz expires;
	TimestampTz key_from;
	TimestampTz key_until;
	bool		found;			/* who it is, */
	int64		member;
	uint64		generation;		/* by the tables of that time; 0: not known */
	MemoryContext context;
	dlist_node	lru;
} Memo;

typedef struct MemoSlot
{
	uint64		hash;			/* the key */
	Memo	   *memo;
} MemoSlot;

static int	leeway = 30;		/* seconds */
static HTAB *memos = NULL;
static dlist_head memo_list = DLIST_STATIC_INIT(memo_list);
static int	nmemos = 0;
static dlist_head rings = DLIST_STATIC_INIT(rings);
static int	nrings = 0;
static uint64 known_keys = 0;	/* rbac_inval_keys that memos and rings are of */
static uint64 verifications = 0;

#define KEY_COLUMNS \
	"SELECT k.algorithm, k.secret, k.public_key, k.subject_is OPERATOR(pg_catalog.=) 'member_id'," \
	" k.roles_narrow, k.issuer, k.audience, k.not_before, k.retired FROM chat_rbac.signing_key k WHERE "

static RbacQuery keys_by_id = {
	KEY_COLUMNS "k.org_id OPERATOR(pg_catalog.=) $1 AND k.kid OPERATOR(pg_catalog.=) $2"
	" UNION ALL " KEY_COLUMNS "k.org_id IS NULL AND k.kid OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, TEXTOID}, NULL
};

/* No more than a session should try for one token; keys that are retired are the last to be. */
static RbacQuery keys_by_algorithm = {
	KEY_COLUMNS "(k.org_id OPERATOR(pg_catalog.=) $1 OR k.org_id IS NULL) AND k.algorithm OPERATOR(pg_catalog.=) $2"
	" ORDER BY k.retired DESC NULLS FIRST, k.org_id IS NULL, k.key_id DESC LIMIT 16",
	2, {INT8OID, TEXTOID}, NULL
};

static RbacQuery member_by_subject = {
	"SELECT m.member_id FROM chat_rbac.member m"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.subject OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, TEXTOID}, NULL
};

/* One message for every cause: what is wrong is not for a forger to know. */
static RBAC_NORETURN void
refuse_of(const RbacGrants *grants, const char *cause)
{
	rbac_refusal_log("identity", grants, NULL, psprintf("token: %s", cause));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("chat_rbac.token is not valid"),
			 errhint("Sign in again, or RESET chat_rbac.token. The server log says why."),
			 errhidestmt(true), errhidecontext(true)));
}

static RBAC_NORETURN void
refuse(const char *cause)
{
	refuse_of(NULL, cause);
}

/* ---- keys ---- */

static void
release_ring(void *arg)
{
	KeyRing    *ring = (KeyRing *) arg;

	for (int i = 0; i < ring->nkeys; i++)
		rbac_jose_free(ring->keys[i].key);
}

static char *
copy_text(KeyRing *ring, uint64 row, int column)
{
	char	   *value = rbac_catalog_text(row, column);

	return value != NULL ? MemoryContextStrdup(ring->context, value) : NULL;
}

static TimestampTz
time_or(uint64 row, int column, TimestampTz otherwise)
{
	bool		isnull;
	int64		value = rbac_catalog_int64(row, column, &isnull);

	return isnull ? otherwise : value;
}

/* Take a key from a row of the query; false if it cannot be used. */
static bool
add_key(KeyRing *ring, uint64 row)
{
	TokenKey   *key = &ring->keys[ring->nkeys];
	char	   *pem = rbac_catalog_text(row, 3);
	const char *material = pem;
	size_t		size = pem != NULL ? strlen(pem) : 0;

	if (!rbac_jose_algorithm(rbac_catalog_text(row, 1), &key->algorithm))
		return false;
	if (key->algorithm == RBAC_HS256)
	{
		bool		isnull;
		Datum		secret = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2, &isnull);
		bytea	   *bytes = isnull ? NULL : DatumGetByteaPP(secret);

		material = bytes != NULL ? VARDATA_ANY(bytes) : NULL;
		size = bytes != NULL ? VARSIZE_ANY_EXHDR(bytes) : 0;
	}
	if (material == NULL || rbac_jose_load(key->algorithm, material, size, &key->key) != NULL)
		return false;
	ring->nkeys++;				/* from here on the ring frees it */
	key->by_member_id = rbac_catalog_bool(row, 4);
	key->roles_narrow = rbac_catalog_bool(row, 5);
	key->issuer = copy_text(ring, row, 6);
	key->audience = copy_text(ring, row, 7);
	key->from = time_or(row, 8, DT_NOBEGIN);
	key->until = time_or(row, 9, DT_NOEND);
	return true;
}

static KeyRing *
load_ring(int64 org, const char *kid, const char *algorithm_name, RbacAlgorithm algorithm)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac keys", ALLOCSET_SMALL_SIZES);
	KeyRing    *ring = MemoryContextAllocZero(context, sizeof(KeyRing));
	RbacCatalogScope scope;
	Datum		args[2];
	uint64		rows;

	ring->org = org;
	ring->kid = kid != NULL ? MemoryContextStrdup(context, kid) : NULL;
	ring->algorithm = algorithm;
	ring->context = context;
	ring->release.func = release_ring;
	ring->release.arg = ring;
	MemoryContextRegisterResetCallback(context, &ring->release);

	args[0] = Int64GetDatum(org);
	args[1] = CStringGetTextDatum(kid != NULL ? kid : algorithm_name);
	rbac_catalog_open(&scope);
	rbac_inval_watch_keys(rbac_catalog_relation("signing_key"));
	rows = rbac_catalog_query(&scope, kid != NULL ? &keys_by_id : &keys_by_algorithm, args, NULL);
	ring->keys = MemoryContextAllocZero(context, sizeof(TokenKey) * Max(rows, 1));
	ring->complete = true;
	for (uint64 i = 0; i < rows; i++)
		ring->complete &= add_key(ring, i);
	rbac_catalog_close(&scope);

	MemoryContextSetParent(context, CacheMemoryContext);
	dlist_push_head(&rings, &ring->node);
	nrings++;
	return ring;
}

static void
drop_ring(KeyRing *ring)
{
	dlist_delete(&ring->node);
	nrings--;
	MemoryContextDelete(ring->context);
}

/*
 * The keys that may have signed a token with this header, for this org.  Where one
 * could not be loaded, that may have been for want of memory: next time again.
 */
static KeyRing *
find_ring(int64 org, const RbacJwtHeader *header, RbacAlgorithm algorithm)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &rings)
	{
		KeyRing    *ring = dlist_container(KeyRing, node, iter.cur);

		if (ring->org != org ||
			!(ring->kid != NULL ? header->kid != NULL && strcmp(ring->kid, header->kid) == 0
			  : header->kid == NULL && ring->algorithm == algorithm))
			continue;
		if (ring->complete)
			return ring;
		drop_ring(ring);
	}
	while (nrings >= RINGS_MAX)
		drop_ring(dlist_container(KeyRing, node, dlist_tail_node(&rings)));
	return load_ring(org, header->kid, header->alg, algorithm);
}

/* ---- one token ---- */

/* A part of the token, decoded, in the current context; refused if it is not base64url. */
static char *
decode(const char *part, size_t len, const char *name, size_t *out_len)
{
	char	   *bytes = palloc(len / 4 * 3 + 3);

	if (!rbac_base64url_decode(part, len, bytes, out_len))
		refuse(psprintf("its %s is not base64url", name));
	bytes[*out_len] = '\0';
	return bytes;
}

/* Does the audience of a token fit what its key is for? */
static bool
audience_fits(const RbacClaims *claims, const TokenKey *key)
{
	if (key->audience == NULL)
		return claims->naudience == 0;
	for (int i = 0; i < claims->naudience; i++)
	{
		if (strcmp(claims->audience[i], key->audience) == 0)
			return true;
	}
	return false;
}

/* The key of the ring under which the token's signature verifies; refused if there is none. */
static TokenKey *
find_signer(KeyRing *ring, const RbacJwtHeader *header, RbacAlgorithm algorithm, const RbacJwt *jwt, const char *token)
{
	size_t		signature_len;
	char	   *signature = decode(jwt->signature, jwt->signature_len, "signature", &signature_len);
	TimestampTz now = GetCurrentTimestamp();
	const char *cause = NULL;
	bool		checked = false;

	for (int i = 0; i < ring->nkeys; i++)
	{
		TokenKey   *key = &ring->keys[i];

		if (key->algorithm != algorithm)
		{
			cause = "algorithm is not the key's";
			continue;
		}
		if (now < key->from || now >= key->until)
		{
			cause = "key is retired, or not yet in use";
			continue;
		}
		verifications++;
		checked = true;
		if (rbac_jose_verify(key->key, token, jwt->signed_len, signature, signature_len))
			return key;
	}
	if (checked)
		refuse("signature does not verify");
	if (cause == NULL)
		refuse(header->kid != NULL
			   ? psprintf("no key \"%s\" for org " INT64_FORMAT, header->kid, ring->org)
			   : psprintf("no key of algorithm \"%s\" for org " INT64_FORMAT, header->alg, ring->org));
	refuse(cause);
}

/* The names of roles as chat_rbac.active_roles would have them. */
char *
rbac_token_role_list(int nroles, char *const *roles)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < nroles; i++)
	{
		const char *at = roles[i];

		appendStringInfoString(&list, i > 0 ? ",\"" : "\"");
		for (; *at != '\0'; at++)
		{
			if (*at == '"')
				appendStringInfoChar(&list, '"');
			appendStringInfoChar(&list, *at);
		}
		appendStringInfoChar(&list, '"');
	}
	return list.data;
}

/* What is kept of a token, in a context of its own below the current one. */
static Memo *
make_memo(const char *token, const RbacClaims *claims, const TokenKey *key)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac token", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Memo	   *memo = palloc0(sizeof(Memo));

	memo->context = context;
	memo->token = pstrdup(token);
	memo->org = claims->org;
	memo->subject = pstrdup(claims->subject);
	memo->by_member_id = key->by_member_id;
	memo->roles = key->roles_narrow && claims->has_roles ? rbac_token_role_list(claims->nroles, claims->roles) : NULL;
	memo->issued = claims->has_issued ? claims->issued : DT_NOBEGIN;
	memo->not_before = claims->has_not_before ? claims->not_before : DT_NOBEGIN;
	memo->expires = claims->expires;
	memo->key_from = key->from;
	memo->key_until = key->until;
	MemoryContextSwitchTo(old);
	return memo;
}

/* What a token says, once a signature of a key that may has been found to verify; else it is refused. */
static Memo *
verify(const char *token)
{
	size_t		len = strlen(token);
	RbacJwt		jwt;
	RbacJwtHeader header;
	RbacClaims	claims;
	RbacAlgorithm algorithm;
	const TokenKey *key;
	const char *cause;
	char	   *json;
	size_t		json_len;

	if (len > RBAC_TOKEN_BYTES)
		refuse(psprintf("it is longer than %d bytes", RBAC_TOKEN_BYTES));
	if (!rbac_jwt_split(token, len, &jwt))
		refuse("it is not a compact JWS");
	json = decode(jwt.header, jwt.header_len, "header", &json_len);
	if ((cause = rbac_claims_header(json, json_len, &header)) != NULL)
		refuse(cause);
	if (!rbac_jose_algorithm(header.alg, &algorithm))
		refuse("algorithm is not one of HS256, RS256, ES256, EdDSA");
	if (header.kid != NULL && strlen(header.kid) > KID_MAX)
		refuse("key id is too long");
	json = decode(jwt.payload, jwt.payload_len, "payload", &json_len);
	if ((cause = rbac_claims_read(json, json_len, &claims)) != NULL)
		refuse(cause);

	key = find_signer(find_ring(claims.org, &header, algorithm), &header, algorithm, &jwt, token);
	if (key->issuer != NULL && (claims.issuer == NULL || strcmp(key->issuer, claims.issuer) != 0))
		refuse("issuer is not the key's");
	if (!audience_fits(&claims, key))
		refuse("audience is not the key's");
	if (key->roles_narrow && claims.roles_problem != NULL)
		refuse(claims.roles_problem);
	return make_memo(token, &claims, key);
}

/* ---- tokens seen before ---- */

static void
forget(Memo *memo)
{
	uint64		hash = hash_bytes_extended((unsigned char *) memo->token, strlen(memo->token), 0);

	hash_search(memos, &hash, HASH_REMOVE, NULL);
	dlist_delete(&memo->lru);
	nmemos--;
	MemoryContextDelete(memo->context);
}

static void
forget_all(void)
{
	while (!dlist_is_empty(&memo_list))
		forget(dlist_container(Memo, lru, dlist_head_node(&memo_list)));
	while (!dlist_is_empty(&rings))
		drop_ring(dlist_container(KeyRing, node, dlist_head_node(&rings)));
}

static void
remember(Memo *memo)
{
	uint64		hash = hash_bytes_extended((unsigned char *) memo->token, strlen(memo->token), 0);
	MemoSlot   *slot;

	if (memos == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint64);
		control.entrysize = sizeof(MemoSlot);
		memos = hash_create("chat_rbac tokens", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	slot = hash_search(memos, &hash, HASH_FIND, NULL);
	if (slot != NULL)
		forget(slot->memo);		/* another one with the same hash */
	while (nmemos >= MEMOS_MAX)
		forget(dlist_container(Memo, lru, dlist_tail_node(&memo_list)));
	slot = hash_search(memos, &hash, HASH_ENTER, NULL);
	slot->memo = memo;
	MemoryContextSetParent(memo->context, CacheMemoryContext);
	dlist_push_head(&memo_list, &memo->lru);
	nmemos++;
}

/* What a token says, from memory if the keys are still the same. */
static Memo *
look_up(const char *token)
{
	MemoryContext work;
	MemoryContext old;
	Memo	   *memo;

	if (known_keys != rbac_inval_keys)
	{
		forget_all();
		known_keys = rbac_inval_keys;
	}
	if (memos != NULL)
	{
		uint64		hash = hash_bytes_extended((unsigned char *) token, strlen(token), 0);
		MemoSlot   *slot = hash_search(memos, &hash, HASH_FIND, NULL);

		if (slot != NULL && strcmp(slot->memo->token, token) == 0)
		{
			dlist_move_head(&memo_list, &slot->memo->lru);
			return slot->memo;
		}
	}
	work = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac verification", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	memo = verify(token);
	remember(memo);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return memo;
}

/* By the clock: one statement of the client's may be a loop without an end. */
static void
check_times(const Memo *memo)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		allowance = leeway * USECS_PER_SEC;

	if (now < memo->key_from || now >= memo->key_until)
		refuse("key is retired, or not yet in use");
	if (now >= memo->expires + allowance)
		refuse("expired");
	if (memo->not_before != DT_NOBEGIN && now < memo->not_before - allowance)
		refuse("not yet valid");
	if (memo->issued != DT_NOBEGIN && now < memo->issued - allowance)
		refuse("issued in the future");
}

/* An error below leaves the memo as old as it was. */
static void
find_member(Memo *memo)
{
	uint64		generation = rbac_inval_generation;

	if (memo->by_member_id)
	{
		int64_t		id = 0;

		memo->found = rbac_number_parse(memo->subject, strlen(memo->subject), &id);
		memo->member = id;
	}
	else
	{
		RbacCatalogScope scope;
		Datum		args[2];

		args[0] = Int64GetDatum(memo->org);
		args[1] = CStringGetTextDatum(memo->subject);
		rbac_catalog_open(&scope);
		memo->found = rbac_catalog_query(&scope, &member_by_subject, args, NULL) == 1;
		memo->member = memo->found ? rbac_catalog_int64(0, 1, NULL) : 0;
		rbac_catalog_close(&scope);
	}
	memo->generation = generation;
}

/* ---- who asks ---- */

/*
 * rbac_token_asker
 *		Who asks, by the settings and, if there is one, by its token; refused if
 *		that is not valid.  The texts are good until the next call.
 */
void
rbac_token_asker(RbacAsker *asker)
{
	Memo	   *memo;

	memset(asker, 0, sizeof(RbacAsker));
	rbac_identity_get(&asker->identity);
	asker->active_roles = rbac_identity_active_roles();
	if (asker->identity.source != RBAC_BY_TOKEN)
		return;

	(void) rbac_inval_accept();
	memo = look_up(rbac_identity_token());
	check_times(memo);
	if (memo->generation != rbac_inval_generation)
		find_member(memo);
	if (!memo->found)
		refuse("no member with that subject");
	asker->identity.org = memo->org;
	asker->identity.member = memo->member;
	asker->token_roles = memo->roles;
	asker->issued = memo->issued;
	asker->expires = memo->expires;
	rbac_identity_note_token(memo->org, memo->member);
}

/* A token of somebody who is there no more, or issued before all were revoked, is not valid. */
void
rbac_token_admit(const RbacAsker *asker, const RbacGrants *grants)
{
	if (asker->identity.source != RBAC_BY_TOKEN || asker->admitted)
		return;
	if (grants->standing == RBAC_NOBODY)
		refuse("no member with that subject");
	if (grants->standing == RBAC_INACTIVE)
		refuse_of(grants, "member is not active");
	if (asker->issued < grants->tokens_valid_from)
		refuse_of(grants, "revoked");
}

uint64
rbac_token_verifications(void)
{
	return verifications;
}

/* As with chat_rbac.identity_lifetime, what a client may not say leaves the strictest. */
static bool leeway_accepted = false;

static bool
check_leeway(int *newval, void **extra, GucSource source)
{
	(void) newval;
	(void) extra;
	leeway_accepted |= source != PGC_S_DEFAULT;
	return true;
}

void
rbac_token_init(void)
{
	bool		placed = GetConfigOption("chat_rbac.token_leeway", true, false) != NULL;

	DefineCustomIntVariable("chat_rbac.token_leeway",
							"By how much clocks may differ where a token's times are checked.",
							NULL,
							&leeway, 30, 0, 300, PGC_SUSET, GUC_UNIT_S, check_leeway, NULL, NULL);
	if (placed && !leeway_accepted)
		SetConfigOption("chat_rbac.token_leeway", "0", PGC_SUSET, PGC_S_OVERRIDE);
}

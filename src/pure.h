/*-------------------------------------------------------------------------
 *
 * src/pure.h
 *	  The pure layer: permissions, sets of them, shifts, role graphs, hash trees
 *	  and the parts of tokens as plain bytes.
 *
 * Nothing here knows PostgreSQL: no palloc, no ereport, no settings, no
 * catalog.  Callers own all memory and report all errors, so the same files
 * compile into the server and into a stand-alone fuzzer.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_PURE_H
#define CHAT_RBAC_PURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- permission.c: one right, "resource.action" or "resource.action@relation" ---- */

#define RBAC_PART_MAX		63	/* bytes in a resource, action or relation */
#define RBAC_PERMISSION_MAX (3 * RBAC_PART_MAX + 2)

/* A parsed permission: a view into the caller's bytes, which must outlive it. */
typedef struct RbacPermission
{
	const char *text;			/* canonical text, not NUL-terminated */
	uint8_t		len;			/* bytes in text */
	uint8_t		resource_len;	/* bytes before the dot */
	uint8_t		action_len;		/* bytes between the dot and "@" or the end */
	uint8_t		relation_len;	/* bytes after "@"; 0 stands for every row */
} RbacPermission;

extern const char *rbac_permission_parse(const char *text, size_t len, RbacPermission *out);
extern int	rbac_permission_compare(const RbacPermission *a, const RbacPermission *b);
extern bool rbac_permission_covers(const RbacPermission *p, const RbacPermission *q);
extern bool rbac_permission_overlaps(const RbacPermission *p, const RbacPermission *q);

/* ---- permset.c: a canonical set of permissions ---- */

#define RBAC_PERMSET_MAX	4096	/* elements */

/*
 * The packed form: for each element, in bytewise order, one byte of length and
 * that many bytes of canonical text.  No duplicates, and no element that
 * another one covers, so equal sets are equal bytes.
 */
typedef struct RbacPermset
{
	const char *data;
	size_t		size;
} RbacPermset;

extern RbacPermset rbac_permset_of_one(const RbacPermission *permission, char *bytes);
extern bool rbac_permset_next(const RbacPermset *set, size_t *pos, RbacPermission *out);
extern int	rbac_permset_count(const RbacPermset *set);
extern int	rbac_permset_compare(const RbacPermset *a, const RbacPermset *b);
extern bool rbac_permset_covers(const RbacPermset *set, const RbacPermission *p);
extern bool rbac_permset_contains(const RbacPermset *a, const RbacPermset *b);
extern int	rbac_permset_canonicalise(RbacPermission *items, int nitems);
extern size_t rbac_permset_packed_size(const RbacPermission *items, int nitems);
extern void rbac_permset_pack(const RbacPermission *items, int nitems, char *dest);

/* ---- shift.c: weekly hours in a time zone ---- */

#define RBAC_SHIFT_WINDOWS_MAX	64
#define RBAC_SHIFT_EXCEPT_MAX	128
#define RBAC_SHIFT_ZONE_MAX		63	/* bytes */
#define RBAC_SHIFT_TEXT_MAX		(RBAC_SHIFT_WINDOWS_MAX * 36 + RBAC_SHIFT_EXCEPT_MAX * 24 + \
								 RBAC_SHIFT_ZONE_MAX + 16)

typedef struct RbacShiftWindow
{
	uint8_t		days;			/* on which it begins: bit 0 is Monday */
	uint16_t	start;			/* in minutes since midnight */
	uint16_t	end;			/* the same; from 24:00 on it is the next day */
} RbacShiftWindow;

/* Both in days since 2000-01-01. */
typedef struct RbacShiftDates
{
	int32_t		first;
	int32_t		last;
} RbacShiftDates;

typedef struct RbacShift
{
	int			nwindows;
	RbacShiftWindow windows[RBAC_SHIFT_WINDOWS_MAX];
	int			nexcept;
	RbacShiftDates except[RBAC_SHIFT_EXCEPT_MAX];
	const char *zone;			/* a view into the caller's bytes */
	size_t		zone_len;
} RbacShift;

extern const char *rbac_shift_parse(const char *text, size_t len, RbacShift *out, const char **at);
extern size_t rbac_shift_write(const RbacShift *shift, char *out);
extern bool rbac_shift_holds(const RbacShift *shift, int64_t local);
extern int64_t rbac_shift_edge(const RbacShift *shift, int64_t from, int64_t until, bool held);

/* ---- closure.c: what a role has by inheritance ---- */

/* senior inherits all of junior; both are indexes of nodes */
typedef struct RbacEdge
{
	int			senior;
	int			junior;
} RbacEdge;

extern void rbac_closure_mark(const RbacEdge *edges, int nedges, int root, int nnodes, bool *reached);

/* ---- idset.c: an immutable set of 64-bit ids with O(1) membership ---- */

typedef struct RbacIdSet
{
	int			nids;
	int64_t    *ids;			/* ascending, no duplicates */
	uint64_t	mask;			/* slots - 1, a power of two less one */
	int32_t    *slots;			/* 1 + index into ids; 0 where free */
} RbacIdSet;

extern size_t rbac_idset_slots(int nids);
extern void rbac_idset_build(RbacIdSet *set, int64_t *ids, int nids, int32_t *slots);

static inline uint64_t
rbac_idset_hash(int64_t id)
{
	uint64_t	h = (uint64_t) id * UINT64_C(0x9E3779B97F4A7C15);

	return h ^ (h >> 32);
}

static inline bool
rbac_idset_has(const RbacIdSet *set, int64_t id)
{
	uint64_t	at;

	if (set->nids == 0)
		return false;
	for (at = rbac_idset_hash(id) & set->mask; set->slots[at] != 0;
		 at = (at + 1) & set->mask)
	{
		if (set->ids[set->slots[at] - 1] == id)
			return true;
	}
	return false;
}

/* ---- merkle.c: hash trees of RFC 6962, and commitments to values ---- */

#define RBAC_HASH_SIZE		32	/* SHA-256 */
#define RBAC_MERKLE_DEPTH	64	/* more nodes than that are on no path */

typedef struct RbacBytes
{
	const void *data;
	size_t		len;
} RbacBytes;

/* SHA-256 of pieces, one after the other; it is the caller's, and may not return. */
typedef struct RbacHash
{
	void		(*digest) (void *arg, const RbacBytes *pieces, int npieces, uint8_t *out);
	void	   *arg;
} RbacHash;

/* What a hash is of is told by its first byte, so that none passes for another. */
typedef enum RbacHashKind
{
	RBAC_HASH_LEAF,
	RBAC_HASH_NODE,
	RBAC_HASH_COMMITMENT,
	RBAC_HASH_SALT,
	RBAC_HASH_BLOCK,
	RBAC_HASH_CONTENTS
} RbacHashKind;

#define RBAC_HASH_PIECES_MAX	4

extern void rbac_merkle_hash(const RbacHash *hash, RbacHashKind kind, const RbacBytes *pieces, int npieces,
							 uint8_t *out);
extern void rbac_merkle_root(const RbacHash *hash, const uint8_t *leaves, size_t nleaves, uint8_t *out);
extern int	rbac_merkle_path(const RbacHash *hash, const uint8_t *leaves, size_t nleaves, size_t leaf,
							 uint8_t *out);

/* ---- number.c: ids in their one spelling ---- */

extern bool rbac_number_parse(const char *at, size_t len, int64_t *out);

/* ---- jwt.c: the parts of a signed token ---- */

#define RBAC_TOKEN_BYTES	16384	/* a longer one is none */

/*
 * Views into a token, header.payload.signature; each is base64url.  What is
 * signed begins where the header does.
 */
typedef struct RbacJwt
{
	const char *header;
	size_t		header_len;
	const char *payload;
	size_t		payload_len;
	const char *signature;
	size_t		signature_len;
	size_t		signed_len;
} RbacJwt;

extern bool rbac_jwt_split(const char *token, size_t len, RbacJwt *out);
extern bool rbac_jwt_is_in(const char *text);
extern bool rbac_base64url_decode(const char *in, size_t len, char *out, size_t *out_len);
extern size_t rbac_base64url_encode(const char *in, size_t len, char *out);

#endif							/* CHAT_RBAC_PURE_H */

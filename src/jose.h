/*-------------------------------------------------------------------------
 *
 * src/jose.h
 *	  jose.c: the signatures of tokens, as JSON Web Algorithms defines them.
 *
 * Like pure.h it knows nothing of PostgreSQL, so that jose.c compiles into a
 * stand-alone fuzzer too; unlike the pure layer, jose.c calls a library.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_JOSE_H
#define CHAT_RBAC_JOSE_H

#include <stdbool.h>
#include <stddef.h>

#define RBAC_SECRET_BYTES_MIN	32	/* of HS256: as long as the hash */
#define RBAC_RSA_BITS_MIN		2048
#define RBAC_MAC_BYTES			32

typedef enum RbacAlgorithm
{
	RBAC_HS256,
	RBAC_RS256,
	RBAC_ES256,
	RBAC_EDDSA					/* Ed25519 only */
} RbacAlgorithm;

/* A key, and the one algorithm that it is for. */
typedef struct RbacJoseKey RbacJoseKey;

extern bool rbac_jose_algorithm(const char *name, RbacAlgorithm *out);
extern const char *rbac_jose_load(RbacAlgorithm algorithm, const char *material, size_t len, RbacJoseKey **out);
extern void rbac_jose_free(RbacJoseKey *key);
extern bool rbac_jose_verify(const RbacJoseKey *key, const char *data, size_t len,
							 const char *signature, size_t signature_len);
extern bool rbac_jose_mac(const RbacJoseKey *key, const char *data, size_t len, char out[RBAC_MAC_BYTES]);

#endif							/* CHAT_RBAC_JOSE_H */

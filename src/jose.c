/*-------------------------------------------------------------------------
 *
 * src/jose.c
 *	  The signatures of tokens (RFC 7518, RFC 8037), by OpenSSL.
 *
 * A key is for one algorithm, and that is the key's to say, never the token's.
 * It lives in the library's memory until rbac_jose_free().  Nothing here knows
 * PostgreSQL or throws; whatever goes wrong, a signature does not verify.  The
 * library's queue of errors, which the server's own connections share, is
 * empty afterwards.
 *
 *-------------------------------------------------------------------------
 */
#include "jose.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#define MATERIAL_BYTES_MAX	16384
#define ES256_PART_BYTES	32
#define ES256_BYTES			(2 * ES256_PART_BYTES)
#define ES256_DER_BYTES		(2 + 2 * (2 + 1 + ES256_PART_BYTES))

struct RbacJoseKey
{
	RbacAlgorithm algorithm;
	EVP_PKEY   *public_key;		/* NULL for HS256 */
	unsigned char *secret;		/* NULL unless HS256 */
	size_t		secret_len;
};

/* The algorithm of that name, if it is one of ours; names are case-sensitive. */
bool
rbac_jose_algorithm(const char *name, RbacAlgorithm *out)
{
	static const char *const names[] = {
		[RBAC_HS256] = "HS256",
		[RBAC_RS256] = "RS256",
		[RBAC_ES256] = "ES256",
		[RBAC_EDDSA] = "EdDSA"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(name, names[i]) == 0)
		{
			*out = (RbacAlgorithm) i;
			return true;
		}
	}
	return false;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
contains(const char *text, size_t len, const char *word)
{
	size_t		word_len = strlen(word);

	for (; len >= word_len; text ++, len--)
	{
		if (memcmp(text, word, word_len) == 0)
			return true;
	}
	return false;
}

/* What is still to be read of a BIO that reads from memory, but for white space. */
static bool
has_rest(BIO *bio)
{
	char	   *rest;
	long		len = BIO_get_mem_data(bio, &rest);

	while (len > 0 && is_space(*rest))
	{
		rest++;
		len--;
	}
	return len > 0;
}

/* The DER bytes in PEM, to be freed; returns NULL, or what is wrong. */
static const char *
read_pem(const char *pem, size_t len, unsigned char **der, long *der_len)
{
	static const char wrong[] = "not a public key in PEM form (BEGIN PUBLIC KEY)";
	const char *error = NULL;
	BIO		   *bio;
	char	   *name = NULL;
	char	   *header = NULL;

	if (contains(pem, len, "PRIVATE KEY-----"))
		return "this is a private key, which must be kept secret; the public key is wanted";
	while (len > 0 && is_space(*pem))
	{
		pem++;
		len--;
	}
	if (len == 0 || *pem != '-')
		return wrong;			/* the library would skip what comes before */
	if ((bio = BIO_new_mem_buf(pem, (int) len)) == NULL)
		return "out of memory";

	if (!PEM_read_bio(bio, &name, &header, der, der_len) ||
		strcmp(name, "PUBLIC KEY") != 0 || header[0] != '\0')
		error = wrong;
	else if (has_rest(bio))
		error = "there is something after the public key";

	if (error != NULL)
	{
		OPENSSL_free(*der);
		*der = NULL;
	}
	OPENSSL_free(name);
	OPENSSL_free(header);
	BIO_free(bio);
	return error;
}

/* A curve counts by its name; one that is spelt out might be any other. */
static bool
is_p256(const X509_ALGOR *algorithm)
{
	int			type;
	const void *value;

	X509_ALGOR_get0(NULL, &type, &value, algorithm);
	return type == V_ASN1_OBJECT && OBJ_obj2nid(value) == NID_X9_62_prime256v1;
}

/* Has a key's point the order that it should? */
static bool
is_sound(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool		sound = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return sound;
}

static const char *
check_public(RbacAlgorithm algorithm, X509_PUBKEY *public)
{
	EVP_PKEY   *key = X509_PUBKEY_get0(public);
	ASN1_OBJECT *object;
	X509_ALGOR *parameters;
	int			kind;

	if (key == NULL || !X509_PUBKEY_get0_param(&object, NULL, NULL, &parameters, public))
		return "the public key cannot be read";
	kind = OBJ_obj2nid(object);

	switch (algorithm)
	{
		case RBAC_HS256:
			break;
		case RBAC_RS256:
			if (kind != NID_rsaEncryption)
				return "RS256 takes an RSA key";
			if (EVP_PKEY_bits(key) < RBAC_RSA_BITS_MIN)
				return "an RSA key must have at least 2048 bits";
			return NULL;
		case RBAC_ES256:
			if (kind != NID_X9_62_id_ecPublicKey || !is_p256(parameters))
				return "ES256 takes a key of the curve P-256";
			if (!is_sound(key))
				return "the public key is no point of its curve";
			return NULL;
		case RBAC_EDDSA:
			if (kind != NID_ED25519)
				return "EdDSA takes an Ed25519 key";
			return NULL;
	}
	return "the algorithm takes no public key";
}

static const char *
load_public(RbacJoseKey *key, const char *pem, size_t len)
{
	const char *error;
	unsigned char *der = NULL;
	const unsigned char *at;
	long		der_len = 0;
	X509_PUBKEY *public;

	if ((error = read_pem(pem, len, &der, &der_len)) != NULL)
		return error;
	at = der;
	public = d2i_X509_PUBKEY(NULL, &at, der_len);
	if (public == NULL || at != der + der_len)
		error = "the public key cannot be read";
	else if ((error = check_public(key->algorithm, public)) == NULL)
		key->public_key = X509_PUBKEY_get(public);	/* counts a reference */

	X509_PUBKEY_free(public);
	OPENSSL_free(der);
	return error == NULL && key->public_key == NULL ? "out of memory" : error;
}

static const char *
load_secret(RbacJoseKey *key, const char *secret, size_t len)
{
	if (len < RBAC_SECRET_BYTES_MIN)
		return "a secret for HS256 must have at least 32 bytes";
	if ((key->secret = OPENSSL_malloc(len)) == NULL)
		return "out of memory";
	memcpy(key->secret, secret, len);
	key->secret_len = len;
	return NULL;
}

/*
 * rbac_jose_load
 *		A key from a raw secret (HS256) or from PEM (else).  Returns NULL and
 *		sets *out, which is the caller's to free; or returns what is wrong, in
 *		words that stay, and sets it to NULL.
 */
const char *
rbac_jose_load(RbacAlgorithm algorithm, const char *material, size_t len, RbacJoseKey **out)
{
	const char *error;
	RbacJoseKey *key;

	*out = NULL;
	if (len > MATERIAL_BYTES_MAX)
		return "the key is too long";
	if ((key = OPENSSL_zalloc(sizeof(RbacJoseKey))) == NULL)
		return "out of memory";
	key->algorithm = algorithm;
	error = algorithm == RBAC_HS256 ? load_secret(key, material, len) : load_public(key, material, len);
	if (error == NULL)
		*out = key;
	else
		rbac_jose_free(key);
	ERR_clear_error();
	return error;
}

void
rbac_jose_free(RbacJoseKey *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->public_key);
	OPENSSL_clear_free(key->secret, key->secret_len);
	OPENSSL_free(key);
}

/*
 * rbac_jose_mac
 *		The signature of data under a key for HS256.  False only if the library
 *		fails; out is then undefined.
 */
bool
rbac_jose_mac(const RbacJoseKey *key, const char *data, size_t len, char out[RBAC_MAC_BYTES])
{
	bool		ok = key->algorithm == RBAC_HS256 &&
	HMAC(EVP_sha256(), key->secret, (int) key->secret_len,
		 (const unsigned char *) data, len, (unsigned char *) out, NULL) != NULL;

	ERR_clear_error();
	return ok;
}

static bool
verify_mac(const RbacJoseKey *key, const char *data, size_t len, const char *signature, size_t signature_len)
{
	char		mac[RBAC_MAC_BYTES];
	bool		same = signature_len == RBAC_MAC_BYTES &&
	rbac_jose_mac(key, data, len, mac) &&
	CRYPTO_memcmp(mac, signature, RBAC_MAC_BYTES) == 0;

	OPENSSL_cleanse(mac, sizeof(mac));
	return same;
}

/* An unsigned number of 32 bytes in DER; returns what follows it. */
static unsigned char *
put_integer(unsigned char *at, const unsigned char *number)
{
	size_t		len = ES256_PART_BYTES;
	bool		pad;

	for (; len > 1 && *number == 0; len--)
		number++;
	pad = *number >= 0x80;		/* or it would be a negative one */
	*at++ = V_ASN1_INTEGER;
	*at++ = (unsigned char) (len + pad);
	if (pad)
		*at++ = 0;
	memcpy(at, number, len);
	return at + len;
}

/* R and S as a token has them, to DER, which the library wants; returns its length. */
static size_t
put_der(unsigned char *der, const char *signature)
{
	const unsigned char *r = (const unsigned char *) signature;
	unsigned char *end = put_integer(der + 2, r);

	end = put_integer(end, r + ES256_PART_BYTES);
	der[0] = V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED;
	der[1] = (unsigned char) (end - der - 2);
	return (size_t) (end - der);
}

static bool
verify_public(const RbacJoseKey *key, const char *data, size_t len, const char *signature, size_t signature_len)
{
	const unsigned char *given = (const unsigned char *) signature;
	const EVP_MD *md = key->algorithm == RBAC_EDDSA ? NULL : EVP_sha256();
	unsigned char der[ES256_DER_BYTES];
	EVP_MD_CTX *ctx;
	bool		ok;

	if (key->algorithm == RBAC_ES256)
	{
		if (signature_len != ES256_BYTES)
			return false;
		signature_len = put_der(der, signature);
		given = der;
	}
	ctx = EVP_MD_CTX_new();
	ok = ctx != NULL &&
		EVP_DigestVerifyInit(ctx, NULL, md, NULL, key->public_key) == 1 &&
		EVP_DigestVerify(ctx, given, signature_len, (const unsigned char *) data, len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* Is this the signature of data under the key, by the key's algorithm? */
bool
rbac_jose_verify(const RbacJoseKey *key, const char *data, size_t len,
				 const char *signature, size_t signature_len)
{
	if (key->algorithm == RBAC_HS256)
		return verify_mac(key, data, len, signature, signature_len);
	return verify_public(key, data, len, signature, signature_len);
}

/*-------------------------------------------------------------------------
 *
 * test/fuzz/token.c
 *	  A fuzzer of src/jwt.c and src/jose.c, without PostgreSQL.
 *
 * From the project's folder, with clang and OpenSSL's headers (libssl-dev):
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Isrc
 *		test/fuzz/token.c src/jwt.c src/jose.c -lcrypto -o /tmp/fuzz-token
 *	/tmp/fuzz-token -max_len=4096 -max_total_time=300
 *
 * It needs no corpus: inputs are mutations of the tokens and keys in vectors.h.
 * First it looks whether those tokens verify and what is to be refused is; with
 * -runs=0 it does no more.  It stops at the first surprise, which may be memory
 * that is not freed, or an error left in the library's queue.
 *
 *-------------------------------------------------------------------------
 */
#include <openssl/err.h>

#include "fuzz.h"
#include "jose.h"
#include "vectors.h"

#define NVECTORS (sizeof(vectors) / sizeof(vectors[0]))
#define NREFUSED (sizeof(refused) / sizeof(refused[0]))

extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static RbacJoseKey *keys[NVECTORS];

/* What a part of a token encodes; its room is no byte larger than promised. */
static char *
decode(const char *part, size_t len, size_t *out_len)
{
	char	   *out = malloc(len / 4 * 3 + 2);

	if (rbac_base64url_decode(part, len, out, out_len))
	{
		REQUIRE(*out_len <= len / 4 * 3 + 2);
		return out;
	}
	free(out);
	return NULL;
}

/* There is one spelling of any bytes. */
static void
check_spelling(const char *part, size_t len)
{
	size_t		bytes_len;
	char	   *bytes = decode(part, len, &bytes_len);
	char	   *again;

	if (bytes == NULL)
		return;
	again = malloc((bytes_len + 2) / 3 * 4 + 1);
	REQUIRE(rbac_base64url_encode(bytes, bytes_len, again) == len);
	REQUIRE(memcmp(again, part, len) == 0);
	free(again);
	free(bytes);
}

static void
check_encoding(const char *bytes, size_t len)
{
	char	   *text = malloc((len + 2) / 3 * 4);
	size_t		text_len = rbac_base64url_encode(bytes, len, text);
	size_t		back_len;
	char	   *back = decode(text, text_len, &back_len);

	REQUIRE(back != NULL && back_len == len && memcmp(back, bytes, len) == 0);
	free(back);
	free(text);
}

/* Which of the keys says that it has signed this? -1: none does. */
static int
who_signed(const char *token, size_t len)
{
	RbacJwt		jwt;
	char	   *signature;
	size_t		signature_len;
	int			who = -1;

	if (!rbac_jwt_split(token, len, &jwt))
		return -1;
	REQUIRE(jwt.header == token && jwt.payload == token + jwt.header_len + 1);
	REQUIRE(jwt.signed_len == jwt.header_len + 1 + jwt.payload_len);
	REQUIRE(jwt.signature == token + jwt.signed_len + 1);
	REQUIRE(len == jwt.signed_len + 1 + jwt.signature_len);
	REQUIRE(jwt.header_len > 0 && jwt.payload_len > 0 && jwt.signature_len > 0);
	check_spelling(jwt.header, jwt.header_len);
	check_spelling(jwt.payload, jwt.payload_len);
	if ((signature = decode(jwt.signature, jwt.signature_len, &signature_len)) == NULL)
		return -1;
	for (size_t i = 0; i < NVECTORS; i++)
	{
		if (rbac_jose_verify(keys[i], token, jwt.signed_len, signature, signature_len))
		{
			REQUIRE(who < 0);
			who = (int) i;
		}
	}
	free(signature);
	return who;
}

static void
check_token(const char *token, size_t len)
{
	int			who = who_signed(token, len);

	REQUIRE(who < 0 || (len == strlen(vectors[who].token) && memcmp(token, vectors[who].token, len) == 0));
}

static void
check_key(RbacAlgorithm algorithm, const char *material, size_t len)
{
	RbacJoseKey *key = (RbacJoseKey *) material;
	const char *error = rbac_jose_load(algorithm, material, len, &key);

	REQUIRE((error == NULL) == (key != NULL));
	if (key != NULL)
	{
		char		zeros[256] = {0};
		char		mac[RBAC_MAC_BYTES];

		REQUIRE(!rbac_jose_verify(key, material, len, zeros, 0));
		REQUIRE(!rbac_jose_verify(key, material, len, zeros, 32));
		REQUIRE(!rbac_jose_verify(key, material, len, zeros, 64));
		REQUIRE(rbac_jose_mac(key, material, len, mac) == (algorithm == RBAC_HS256));
	}
	rbac_jose_free(key);
}

/* The key that a vector is for, of the given algorithm. */
static const char *
load_vector(const Vector *vector, RbacAlgorithm algorithm, RbacJoseKey **out)
{
	size_t		len = strlen(vector->key);
	char	   *secret;
	const char *error;

	if (vector->key[0] == '-')
		return rbac_jose_load(algorithm, vector->key, len, out);
	secret = decode(vector->key, len, &len);
	REQUIRE(secret != NULL);
	error = rbac_jose_load(algorithm, secret, len, out);
	free(secret);
	return error;
}

/* A signature that is cut short, or longer by a byte, is none. */
static void
check_lengths(const Vector *vector, const RbacJoseKey *key)
{
	RbacJwt		jwt;
	char	   *signature;
	size_t		len;

	REQUIRE(rbac_jwt_split(vector->token, strlen(vector->token), &jwt));
	signature = decode(jwt.signature, jwt.signature_len, &len);
	REQUIRE(signature != NULL);
	for (size_t i = 0; i <= len + 1; i++)
	{
		char	   *other = calloc(1, i);

		memcpy(other, signature, i < len ? i : len);
		REQUIRE(rbac_jose_verify(key, vector->token, jwt.signed_len, other, i) == (i == len));
		free(other);
	}
	free(signature);
}

static void
check_no_tokens(void)
{
	static const char *const texts[] = {
		"", ".", "..", "...", "AA", "AA.AA", "AA.AA.", "AA..AA", ".AA.AA", "AA.AA.AA.", "AA.AA.AA.AA",
		"A.AA.AA", "AA.AAAAA.AA", "AA.AA.AA=", "AA.AA.AA ", "AA.AA.A+", "AA.A/.AA", "AA.AA.\xC1\xC1"
	};
	RbacJwt		jwt;

	REQUIRE(rbac_jwt_split("AA.AA.AA", 8, &jwt));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		REQUIRE(!rbac_jwt_split(texts[i], strlen(texts[i]), &jwt));
}

/* As long as a token may be, and longer by a character. */
static void
check_longest(void)
{
	char	   *text = malloc(RBAC_TOKEN_BYTES + 1);
	RbacJwt		jwt;

	memset(text, 'A', RBAC_TOKEN_BYTES + 1);
	text[2] = '.';
	text[5] = '.';
	REQUIRE(rbac_jwt_split(text, RBAC_TOKEN_BYTES, &jwt));
	REQUIRE(!rbac_jwt_split(text, RBAC_TOKEN_BYTES + 1, &jwt));
	free(text);
}

static void
check_vectors(void)
{
	RbacAlgorithm algorithm;

	REQUIRE(!rbac_jose_algorithm("none", &algorithm));
	REQUIRE(!rbac_jose_algorithm("", &algorithm));
	REQUIRE(!rbac_jose_algorithm("hs256", &algorithm));
	for (size_t i = 0; i < NVECTORS; i++)
	{
		REQUIRE(rbac_jose_algorithm(vectors[i].algorithm, &algorithm));
		for (RbacAlgorithm other = RBAC_HS256; other <= RBAC_EDDSA; other++)
		{
			RbacJoseKey *key;

			/*
			 * a PEM text can be a secret, which is why algorithms are the
			 * key's to say
			 */
			if (other == algorithm || other == RBAC_HS256)
				continue;
			REQUIRE(load_vector(&vectors[i], other, &key) != NULL && key == NULL);
		}
		REQUIRE(load_vector(&vectors[i], algorithm, &keys[i]) == NULL);
	}
	for (size_t i = 0; i < NVECTORS; i++)
	{
		REQUIRE(who_signed(vectors[i].token, strlen(vectors[i].token)) == (int) i);
		check_lengths(&vectors[i], keys[i]);
	}
}

static void
check_refused(void)
{
	for (size_t i = 0; i < NREFUSED; i++)
	{
		RbacAlgorithm algorithm;
		RbacJoseKey *key;
		const char *error;

		REQUIRE(rbac_jose_algorithm(refused[i].algorithm, &algorithm));
		error = rbac_jose_load(algorithm, refused[i].key, strlen(refused[i].key), &key);
		if (error == NULL || strstr(error, refused[i].why) == NULL)
		{
			fprintf(stderr, "%s\nexpected: %s\ngot: %s\n", refused[i].key, refused[i].why, error ? error : "no error");
			abort();
		}
		REQUIRE(key == NULL && ERR_peek_error() == 0);
	}
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	check_no_tokens();
	check_longest();
	check_vectors();
	check_refused();
	return 0;
}

/* The first byte says what the others are taken for. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *rest;
	size_t		len;

	if (size == 0)
		return 0;
	len = size - 1;
	rest = malloc(len);			/* of its own, so that a byte before or after
								 * it is found */
	memcpy(rest, data + 1, len);
	switch (data[0] % 7)
	{
		case 0:
			check_token(rest, len);
			break;
		case 1:
			check_spelling(rest, len);
			break;
		case 2:
			check_encoding(rest, len);
			break;
		default:
			check_key((RbacAlgorithm) (data[0] % 7 - 3), rest, len);
	}
	free(rest);
	REQUIRE(ERR_peek_error() == 0);
	return 0;
}

static size_t
start_over(uint8_t *data, size_t max_size, unsigned int seed)
{
	const Vector *vector = &vectors[seed % NVECTORS];
	bool		is_token = seed / NVECTORS % 2 == 0;
	const char *text = is_token ? vector->token : vector->key;
	size_t		len = strlen(text);

	if (len >= max_size)
		return 0;
	data[0] = (uint8_t) (is_token ? 0 : 3 + vector - vectors);
	memcpy(data + 1, text, len);
	return len + 1;
}

/* Now and then from a vector, else from what the fuzzer has found. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	if (seed % 8 == 0)
	{
		size_t		started = start_over(data, max_size, seed / 8);

		if (started > 0)
			size = started;
	}
	return LLVMFuzzerMutate(data, size, max_size);
}

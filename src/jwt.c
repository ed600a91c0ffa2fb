/*-------------------------------------------------------------------------
 *
 * src/jwt.c
 *	  A signed token (RFC 7515, compact form) and its encoding (base64url).
 *
 * Input is hostile.  There is one spelling of any bytes: no padding, no white
 * space, and the bits that encode nothing are zero.  Nothing here allocates,
 * fails, or reads outside the bytes it is given.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The six bits that a character stands for; -1 if it is none of the alphabet. */
static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	return -1;
}

/* A character alone would be six bits, which is less than a byte. */
static bool
is_part(const char *in, size_t len)
{
	if (len == 0 || len % 4 == 1)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (value_of(in[i]) < 0)
			return false;
	}
	return true;
}

/*
 * rbac_jwt_split
 *		The three parts of a token, none of them empty; false, and *out
 *		undefined, if it is no token at all.
 */
bool
rbac_jwt_split(const char *token, size_t len, RbacJwt *out)
{
	const char *end = token + len;
	const char *first;
	const char *second;

	if (len == 0 || len > RBAC_TOKEN_BYTES ||
		(first = memchr(token, '.', len)) == NULL ||
		(second = memchr(first + 1, '.', (size_t) (end - first - 1))) == NULL)
		return false;

	out->header = token;
	out->header_len = (size_t) (first - token);
	out->payload = first + 1;
	out->payload_len = (size_t) (second - first - 1);
	out->signature = second + 1;
	out->signature_len = (size_t) (end - second - 1);
	out->signed_len = (size_t) (second - token);
	/* a third dot is no character of a part */
	return is_part(out->header, out->header_len) &&
		is_part(out->payload, out->payload_len) &&
		is_part(out->signature, out->signature_len);
}

/*
 * rbac_jwt_is_in
 *		Is there something in a text that may be a token?  Its header is JSON, so
 *		it begins with the encoding of an opening brace and a quote.
 */
bool
rbac_jwt_is_in(const char *text)
{
	const char *end;

	/* what begins within a run has no more dots than the run */
	for (const char *at = strstr(text, "eyJ"); at != NULL; at = strstr(end, "eyJ"))
	{
		int			ndots = 0;

		for (end = at; value_of(*end) >= 0 || (*end == '.' && end[-1] != '.'); end++)
			ndots += *end == '.';
		if (ndots >= 2)
			return true;
	}
	return false;
}

/*
 * rbac_base64url_decode
 *		out has room for len / 4 * 3 + 2 bytes, and gets no NUL at its end.
 *		False, and *out and *out_len undefined, unless the input is the spelling
 *		of some bytes, perhaps none.
 */
bool
rbac_base64url_decode(const char *in, size_t len, char *out, size_t *out_len)
{
	uint32_t	bits = 0;
	int			nbits = 0;
	size_t		n = 0;

	if (len % 4 == 1)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		int			value = value_of(in[i]);

		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t) value) & 0xFFF;
		nbits += 6;
		if (nbits >= 8)
		{
			nbits -= 8;
			out[n++] = (char) (unsigned char) (bits >> nbits & 0xFF);
		}
	}
	*out_len = n;
	return (bits & ((UINT32_C(1) << nbits) - 1)) == 0;
}

/*
 * rbac_base64url_encode
 *		Returns how many characters; out has room for (len + 2) / 3 * 4 of them,
 *		and gets no NUL at its end.
 */
size_t
rbac_base64url_encode(const char *in, size_t len, char *out)
{
	uint32_t	bits = 0;
	int			nbits = 0;
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		bits = (bits << 8 | (unsigned char) in[i]) & 0x3FFF;
		for (nbits += 8; nbits >= 6;)
		{
			nbits -= 6;
			out[n++] = alphabet[bits >> nbits & 0x3F];
		}
	}
	if (nbits > 0)
		out[n++] = alphabet[bits << (6 - nbits) & 0x3F];
	return n;
}

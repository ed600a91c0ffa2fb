/*-------------------------------------------------------------------------
 *
 * test/fuzz/text.c
 *	  A fuzzer of src/number.c, and of what src/jwt.c says of any text: whether
 *	  there may be a token in it, which is then kept out of logs.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <inttypes.h>

/* Is it what printf would write? */
static void
check_number(const char *bytes, size_t len)
{
	char	   *copy = copy_of(bytes, len);
	char		text[32];
	char		again[32] = "";
	int64_t		value = 0;
	int64_t		read = 4711;
	bool		is_number;

	if (len < sizeof(text))
	{
		memcpy(text, bytes, len);
		text[len] = '\0';
		if (strlen(text) == len)
		{
			value = strtoll(text, NULL, 10);
			snprintf(again, sizeof(again), "%" PRId64, value);
		}
	}
	is_number = len > 0 && len < sizeof(text) && strlen(again) == len && memcmp(again, bytes, len) == 0;
	REQUIRE(rbac_number_parse(copy, len, &read) == is_number);
	REQUIRE(read == (is_number ? value : 4711));
	free(copy);
}

static bool
is_base64url(char c)
{
	return c != '\0' && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c) != NULL;
}

/* eyJ, any characters, a dot, one or more of them, and a second dot */
static bool
model_is_in(const char *text)
{
	for (const char *at = text; (at = strstr(at, "eyJ")) != NULL; at++)
	{
		const char *end = at;
		const char *second;

		while (is_base64url(*end))
			end++;
		if (*end != '.')
			continue;
		for (second = end + 1; is_base64url(*second);)
			second++;
		if (*second == '.' && second > end + 1)
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	check_number(text, size);
	REQUIRE(rbac_jwt_is_in(text) == model_is_in(text));
	free(text);
	return 0;
}

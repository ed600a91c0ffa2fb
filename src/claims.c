/*-------------------------------------------------------------------------
 *
 * src/claims.c
 *	  What a token says: its header and its claims, out of JSON.
 *
 * The bytes are anybody's.  They are looked through three times by the
 * server's parser: first token by token, so that neither deep nesting nor a bad
 * escape is left for it to throw an error about, then for their grammar, and
 * then, what can go wrong being behind us, for the members of the object.
 * All that is UTF-8; only what is asked for is converted to the database's
 * encoding.
 *
 * Results, and the words on what is wrong, are in CurrentMemoryContext; nothing
 * else is left there, unless something is wrong.  Nothing is thrown because of
 * the input.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include <math.h>

#include "catalog/namespace.h"
#include "common/jsonapi.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"

#define MEMBERS_MAX		256		/* of one object */
#define DEPTH_MAX		32		/* objects and arrays in each other */
#define NAME_SHOWN		63		/* bytes of a name in a message */
#define NUMBER_MAX		40		/* characters of a number */
#define YEAR_10000		INT64CONST(253402300800)	/* as seconds since 1970 */

#define UNIX_TO_PG_SECONDS \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* A member of the object at the top; the value is a view into the input. */
typedef struct JsonMember
{
	char	   *name;			/* UTF-8 */
	JsonTokenType type;			/* of the value's first token */
	const char *value;
	size_t		value_len;
} JsonMember;

typedef struct JsonMembers
{
	int			nmembers;
	JsonMember	members[MEMBERS_MAX];
} JsonMembers;

/* Four hexadecimal digits at *at, which then is behind them. */
static bool
read_unit(const char **at, const char *end, pg_wchar *out)
{
	*out = 0;
	if (end - *at < 4)
		return false;
	for (int i = 0; i < 4; i++)
	{
		char		c = *(*at)++;

		if (c >= '0' && c <= '9')
			*out = *out * 16 + (pg_wchar) (c - '0');
		else if (c >= 'a' && c <= 'f')
			*out = *out * 16 + (pg_wchar) (c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			*out = *out * 16 + (pg_wchar) (c - 'A') + 10;
		else
			return false;
	}
	return true;
}

/* What stands behind "\u", which may be the first half of a pair. */
static bool
read_code_point(const char **at, const char *end, pg_wchar *out)
{
	pg_wchar	low;

	if (!read_unit(at, end, out) || *out == 0 || is_utf16_surrogate_second(*out))
		return false;
	if (!is_utf16_surrogate_first(*out))
		return true;
	if (end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return false;
	*at += 2;
	if (!read_unit(at, end, &low) || !is_utf16_surrogate_second(low))
		return false;
	*out = surrogate_pair_to_codepoint(*out, low);
	return true;
}

/*
 * The string that the lexer has found, without quotes and escapes, to out, which
 * has room for as much as was put in; false if it cannot be a C string.
 */
static bool
unescape(const char *at, const char *end, char *out)
{
	static const char escapes[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";

	end--;
	for (at++; at < end; at++)
	{
		const char *escape;
		pg_wchar	c;

		if (*at != '\\')
		{
			*out++ = *at;
			continue;
		}
		if (++at == end)
			return false;
		if (*at == 'u')
		{
			at++;
			if (!read_code_point(&at, end, &c))
				return false;
			at--;
			unicode_to_utf8(c, (unsigned char *) out);
			out += pg_utf_mblen((unsigned char *) out);
		}
		else
		{
			if ((escape = strchr(escapes, *at)) == NULL || *escape == '\0')
				return false;
			*out++ = meanings[escape - escapes];
		}
	}
	*out = '\0';
	return true;
}

/* Can all of it be lexed, without a depth that the parser could not go down to? */
static const char *
check_tokens(JsonLexContext lex, const char *what)
{
	char	   *scratch = palloc((Size) lex.input_length + 1);
	int			depth = 0;

	do
	{
		if (json_lex(&lex) != JSON_SUCCESS)
			return psprintf("%s is not JSON", what);
		switch (lex.token_type)
		{
			case JSON_TOKEN_OBJECT_START:
			case JSON_TOKEN_ARRAY_START:
				if (++depth > DEPTH_MAX)
					return psprintf("%s is nested too deeply", what);
				break;
			case JSON_TOKEN_OBJECT_END:
			case JSON_TOKEN_ARRAY_END:
				depth--;
				break;
			case JSON_TOKEN_STRING:
				if (!unescape(lex.token_start, lex.token_terminator, scratch))
					return psprintf("%s has an invalid escape", what);
				break;
			default:
				break;
		}
	} while (lex.token_type != JSON_TOKEN_END);
	pfree(scratch);
	return NULL;
}

/* The next token of what has been found to be well-formed. */
static JsonTokenType
next_token(JsonLexContext *lex)
{
	if (json_lex(lex) != JSON_SUCCESS)
		elog(ERROR, "JSON of a token is well-formed no longer");
	return lex->token_type;
}

static char *
take_string(const JsonLexContext *lex)
{
	char	   *string = palloc((Size) (lex->token_terminator - lex->token_start) + 1);

	if (!unescape(lex->token_start, lex->token_terminator, string))
		elog(ERROR, "JSON of a token is well-formed no longer");
	return string;
}

/* The value that begins at the current token; the last one of it is current then. */
static void
take_value(JsonLexContext *lex, JsonMember *member)
{
	int			depth = 0;

	member->type = lex->token_type;
	member->value = lex->token_start;
	for (;;)
	{
		if (lex->token_type == JSON_TOKEN_OBJECT_START || lex->token_type == JSON_TOKEN_ARRAY_START)
			depth++;
		else if (lex->token_type == JSON_TOKEN_OBJECT_END || lex->token_type == JSON_TOKEN_ARRAY_END)
			depth--;
		if (depth == 0)
			break;
		next_token(lex);
	}
	member->value_len = (size_t) (lex->token_terminator - member->value);
}

static const JsonMember *
find_member(const JsonMembers *object, const char *name)
{
	for (int i = 0; i < object->nmembers; i++)
	{
		if (strcmp(object->members[i].name, name) == 0)
			return &object->members[i];
	}
	return NULL;
}

/* In the database's encoding; NULL if it has no such characters. */
static char *
to_server(const char *utf8)
{
	int			encoding = GetDatabaseEncoding();
	size_t		len = strlen(utf8);
	size_t		room = len * MAX_CONVERSION_GROWTH + 1;
	char	   *result;
	Oid			conversion;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || len == 0)
		return pstrdup(utf8);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return NULL;
	result = palloc(room);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) unconstify(char *, utf8), (int) len,
									  (unsigned char *) result, (int) room, true) != (int) len)
		return NULL;
	return result;
}

/* The cause, with a name that is clipped for it. */
static const char *
duplicate(char *name, const char *of)
{
	char	   *shown;

	name[pg_encoding_mbcliplen(PG_UTF8, name, (int) strlen(name), NAME_SHOWN)] = '\0';
	shown = to_server(name);
	return shown != NULL ? psprintf("duplicate %s \"%s\"", of, shown) : psprintf("duplicate %s", of);
}

static const char *
read_members(JsonLexContext lex, JsonMembers *out, const char *what, const char *of)
{
	out->nmembers = 0;
	if (next_token(&lex) != JSON_TOKEN_OBJECT_START)
		return psprintf("%s is no JSON object", what);
	next_token(&lex);
	while (lex.token_type != JSON_TOKEN_OBJECT_END)
	{
		JsonMember *member = &out->members[out->nmembers];

		if (out->nmembers == MEMBERS_MAX)
			return psprintf("%s has too many members", what);
		member->name = take_string(&lex);
		if (find_member(out, member->name) != NULL)
			return duplicate(member->name, of);
		out->nmembers++;

		next_token(&lex);		/* the colon */
		next_token(&lex);
		take_value(&lex, member);
		if (next_token(&lex) == JSON_TOKEN_COMMA)
			next_token(&lex);
	}
	return NULL;
}

/* The members of an object; NULL, or what is wrong. */
static const char *
read_object(const char *json, size_t len, JsonMembers *out, const char *what, const char *of)
{
	const char *error;
	JsonLexContext *start;
	JsonLexContext lex;

	if (len > RBAC_TOKEN_BYTES)
		return psprintf("%s is too long", what);
	if (pg_encoding_verifymbstr(PG_UTF8, json, (int) len) != (int) len)
		return psprintf("%s is not UTF-8", what);
	start = rbac_json_lexer(json, len);
	if ((error = check_tokens(*start, what)) != NULL)
		return error;
	lex = *start;
	if (pg_parse_json(&lex, &nullSemAction) != JSON_SUCCESS)
		return psprintf("%s is not JSON", what);
	error = read_members(*start, out, what, of);
	pfree(start);
	return error;
}

static void
free_members(JsonMembers *object)
{
	for (int i = 0; i < object->nmembers; i++)
		pfree(object->members[i].name);
}

/* A string value, converted, to *out. */
static const char *
convert_string(const char *name, const JsonLexContext *lex, char **out)
{
	char	   *utf8 = take_string(lex);

	if ((*out = to_server(utf8)) == NULL)
		return psprintf("\"%s\" has a character that the database's encoding has not", name);
	pfree(utf8);
	return NULL;
}

/* NULL to *out where there is no such member. */
static const char *
get_string(const JsonMembers *object, const char *name, char **out)
{
	const JsonMember *member = find_member(object, name);
	JsonLexContext *lex;
	const char *error;

	*out = NULL;
	if (member == NULL)
		return NULL;
	if (member->type != JSON_TOKEN_STRING)
		return psprintf("\"%s\" is not a string", name);
	lex = rbac_json_lexer(member->value, member->value_len);
	next_token(lex);
	error = convert_string(name, lex, out);
	pfree(lex);
	return error;
}

/* An array of strings. */
static const char *
get_strings(const JsonMember *member, int *count, char ***out)
{
	JsonLexContext *lex = rbac_json_lexer(member->value, member->value_len);
	const char *error;

	/* a string takes two characters, and one before it */
	*out = palloc(sizeof(char *) * (member->value_len / 3 + 1));
	*count = 0;
	next_token(lex);
	while (next_token(lex) != JSON_TOKEN_ARRAY_END)
	{
		if (lex->token_type == JSON_TOKEN_COMMA)
			continue;
		if (lex->token_type != JSON_TOKEN_STRING)
			return psprintf("\"%s\" has an element that is not a string", member->name);
		if ((error = convert_string(member->name, lex, &(*out)[*count])) != NULL)
			return error;
		(*count)++;
	}
	pfree(lex);
	return NULL;
}

/* A NumericDate: seconds since 1970, perhaps with a fraction. */
static const char *
get_time(const JsonMembers *object, const char *name, bool *has, TimestampTz *out)
{
	const JsonMember *member = find_member(object, name);
	char		number[NUMBER_MAX + 1];
	double		seconds;
	double		whole;

	*has = member != NULL;
	*out = 0;
	if (member == NULL)
		return NULL;
	if (member->type != JSON_TOKEN_NUMBER)
		return psprintf("\"%s\" is not a number", name);
	if (member->value_len > NUMBER_MAX)
		return psprintf("\"%s\" is out of range", name);
	memcpy(number, member->value, member->value_len);
	number[member->value_len] = '\0';
	seconds = strtod(number, NULL);
	if (!(seconds >= 0 && seconds < (double) YEAR_10000))
		return psprintf("\"%s\" is out of range", name);

	whole = floor(seconds);
	*out = ((int64) whole - UNIX_TO_PG_SECONDS) * USECS_PER_SEC +
		(int64) rint((seconds - whole) * USECS_PER_SEC);
	return NULL;
}

/* Programs whose numbers are all floating send a string. */
static const char *
get_org(const JsonMembers *object, int64 *out)
{
	const JsonMember *member = find_member(object, "org");
	const char *digits;
	size_t		len;
	int64_t		number;

	if (member == NULL)
		return "no \"org\"";
	digits = member->value;
	len = member->value_len;
	if (member->type == JSON_TOKEN_STRING)
	{
		digits++;
		len -= 2;
	}
	else if (member->type != JSON_TOKEN_NUMBER)
		return "\"org\" is not an integer";
	if (!rbac_number_parse(digits, len, &number))
		return "\"org\" is not an integer";
	*out = number;
	return NULL;
}

static const char *
get_audience(const JsonMembers *object, RbacClaims *out)
{
	const JsonMember *member = find_member(object, "aud");
	const char *error;

	if (member == NULL)
		return NULL;
	if (member->type == JSON_TOKEN_STRING)
	{
		out->naudience = 1;
		out->audience = palloc(sizeof(char *));
		return get_string(object, "aud", &out->audience[0]);
	}
	if (member->type != JSON_TOKEN_ARRAY_START)
		return "\"aud\" is neither a string nor an array of strings";
	if ((error = get_strings(member, &out->naudience, &out->audience)) != NULL)
		return error;
	/* for nobody, which is not for everybody */
	return out->naudience == 0 ? "\"aud\" is empty" : NULL;
}

static const char *
get_roles(const JsonMembers *object, RbacClaims *out)
{
	const JsonMember *member = find_member(object, "roles");

	out->has_roles = member != NULL;
	if (member == NULL)
		return NULL;
	if (member->type != JSON_TOKEN_ARRAY_START)
		return "\"roles\" is not an array of strings";
	return get_strings(member, &out->nroles, &out->roles);
}

/*
 * rbac_claims_header
 *		What a token's header, decoded, says.  Returns NULL, or what is wrong
 *		with it, and then *out is undefined.
 */
const char *
rbac_claims_header(const char *json, size_t len, RbacJwtHeader *out)
{
	JsonMembers object;
	const char *error;

	/* nothing in it needs any, and what others read in it is then the same */
	if (memchr(json, '\\', len) != NULL)
		return "header has an escape";
	if ((error = read_object(json, len, &object, "header", "header parameter")) != NULL)
		return error;
	if (find_member(&object, "crit") != NULL)
		return "header has \"crit\"";
	if ((error = get_string(&object, "alg", &out->alg)) != NULL ||
		(error = get_string(&object, "kid", &out->kid)) != NULL)
		return error;
	free_members(&object);
	return out->alg == NULL ? "header has no \"alg\"" : NULL;
}

/*
 * rbac_claims_read
 *		What a token's payload, decoded, says.  Returns NULL, or what is wrong
 *		with it, and then *out is undefined.
 */
const char *
rbac_claims_read(const char *json, size_t len, RbacClaims *out)
{
	JsonMembers object;
	const char *error;
	bool		has_expires;

	memset(out, 0, sizeof(RbacClaims));
	if ((error = read_object(json, len, &object, "payload", "claim")) != NULL ||
		(error = get_time(&object, "exp", &has_expires, &out->expires)) != NULL ||
		(error = get_time(&object, "nbf", &out->has_not_before, &out->not_before)) != NULL ||
		(error = get_time(&object, "iat", &out->has_issued, &out->issued)) != NULL ||
		(error = get_string(&object, "sub", &out->subject)) != NULL ||
		(error = get_string(&object, "iss", &out->issuer)) != NULL ||
		(error = get_audience(&object, out)) != NULL ||
		(error = get_org(&object, &out->org)) != NULL)
		return error;
	out->roles_problem = get_roles(&object, out);
	free_members(&object);
	if (!has_expires)
		return "no \"exp\"";
	if (out->subject == NULL)
		return "no \"sub\"";
	return out->subject[0] == '\0' ? "\"sub\" is empty" : NULL;
}

/*-------------------------------------------------------------------------
 *
 * src/mask.c
 *	  What a masked view shows in place of a value.
 *
 * A mask shows little of the value, and never fails: an error about a value
 * that may not be seen would tell of it.  What does not look like what the
 * mask is for is shown as three stars.  The stars do not tell how much they
 * stand for.  NULL stays NULL, so a mask tells that there is a value.
 *
 * Letters are taken by the length of the encoding's characters, clipped at the
 * value's end; nothing here looks at a collation.
 *
 * And the trigger by which who may not see a value does not set it either:
 * whether the one that was set is the one that was there would tell, as only a
 * change needs a right, and an application that saves what it was shown would
 * put masks into the table.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include <math.h>

#include "access/detoast.h"
#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/rls.h"

PG_FUNCTION_INFO_V1(chat_rbac_mask_phone);
PG_FUNCTION_INFO_V1(chat_rbac_mask_email);
PG_FUNCTION_INFO_V1(chat_rbac_mask_name);
PG_FUNCTION_INFO_V1(chat_rbac_mask_amount_numeric);
PG_FUNCTION_INFO_V1(chat_rbac_mask_amount_int8);
PG_FUNCTION_INFO_V1(chat_rbac_mask_amount_float8);
PG_FUNCTION_INFO_V1(chat_rbac_guard_mask);

#define STARS			"***"
#define VALUE_MAX		1024	/* bytes; what is longer is no phone number,
								 * address or name */
#define PHONE_DIGITS	32		/* looked at, at most */
#define PHONE_LONG		10		/* from so many digits on, 3 and 4 are shown */
#define PHONE_SHORT		6		/* and from so many on, 2 */
#define TLD_MIN			2
#define TLD_MAX			24
#define NAME_WORDS		3
#define MASKED_MAX		(NAME_WORDS * (MAX_MULTIBYTE_CHAR_LEN + (int) sizeof(STARS)) + TLD_MAX)

/* The argument, unless it is longer than any value a mask is for. */
static text *
short_value(FunctionCallInfo fcinfo)
{
	if (toast_raw_datum_size(PG_GETARG_DATUM(0)) > VALUE_MAX + VARHDRSZ)
		return NULL;
	return PG_GETARG_TEXT_PP(0);
}

static Datum
masked(const char *buf, size_t len)
{
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf, len));
}

/* Append bytes; snprintf() would take longer than all the rest. */
static char *
put(char *to, const char *from, size_t len)
{
	memcpy(to, from, len);
	return to + len;
}

static char *
put_stars(char *to)
{
	return put(to, STARS, strlen(STARS));
}

static Datum
all_masked(void)
{
	return masked(STARS, strlen(STARS));
}

/* The length of the first character of what is not empty. */
static int
first_character(const char *s, int len)
{
	int			n = pg_encoding_mblen(GetDatabaseEncoding(), s);

	return n > 0 && n <= len && n <= MAX_MULTIBYTE_CHAR_LEN ? n : len < MAX_MULTIBYTE_CHAR_LEN ? len : 1;
}

/*
 * chat_rbac.mask_phone(value text) -> text
 *		The first 3 digits and the last 4, as '+141***0123'; of less than 10
 *		digits the last 2, of less than 6 none.
 */
Datum
chat_rbac_mask_phone(PG_FUNCTION_ARGS)
{
	text	   *value = short_value(fcinfo);
	char		digits[PHONE_DIGITS];
	int			n = 0;
	char		buf[MASKED_MAX];
	char	   *to = buf;

	if (value == NULL)
		return all_masked();
	for (const char *s = VARDATA_ANY(value), *end = s + VARSIZE_ANY_EXHDR(value); s < end; s++)
	{
		if (*s < '0' || *s > '9')
			continue;
		if (n == PHONE_DIGITS)
			return all_masked();
		digits[n++] = *s;
	}
	if (n >= PHONE_LONG)
	{
		if (*VARDATA_ANY(value) == '+')
			*to++ = '+';
		to = put(put_stars(put(to, digits, 3)), digits + n - 4, 4);
	}
	else
	{
		to = put_stars(to);
		if (n >= PHONE_SHORT)
			to = put(to, digits + n - 2, 2);
	}
	return masked(buf, to - buf);
}

/* The length of a top-level domain at the end of a domain, 0 if there is none. */
static int
top_level(const char *domain, int len)
{
	int			n = 0;

	while (n < len && ((domain[len - n - 1] >= 'a' && domain[len - n - 1] <= 'z') ||
					   (domain[len - n - 1] >= 'A' && domain[len - n - 1] <= 'Z')))
		n++;
	return n >= TLD_MIN && n <= TLD_MAX && n + 1 < len && domain[len - n - 1] == '.' ? n : 0;
}

/*
 * chat_rbac.mask_email(value text) -> text
 *		The first letter and the top-level domain, as 'n***@***.com'.
 */
Datum
chat_rbac_mask_email(PG_FUNCTION_ARGS)
{
	text	   *value = short_value(fcinfo);
	char		buf[MASKED_MAX];
	char	   *to;
	const char *s;
	int			len;
	int			at;
	int			tld;

	if (value == NULL)
		return all_masked();
	s = VARDATA_ANY(value);
	len = VARSIZE_ANY_EXHDR(value);
	for (at = len - 1; at >= 0 && s[at] != '@'; at--)
		;
	if (at <= 0)
		return all_masked();
	tld = top_level(s + at + 1, len - at - 1);
	to = put_stars(put(buf, s, first_character(s, at)));
	*to++ = '@';
	to = put_stars(to);
	if (tld > 0)
		to = put(to, s + len - tld - 1, tld + 1);	/* with its dot */
	return masked(buf, to - buf);
}

/*
 * chat_rbac.mask_name(value text) -> text
 *		The first letter of each of the first three words, as 'N*** H***'.
 */
Datum
chat_rbac_mask_name(PG_FUNCTION_ARGS)
{
	text	   *value = short_value(fcinfo);
	char		buf[MASKED_MAX];
	char	   *to = buf;
	const char *s;
	const char *end;

	if (value == NULL)
		return all_masked();
	s = VARDATA_ANY(value);
	end = s + VARSIZE_ANY_EXHDR(value);
	for (int words = 0; words < NAME_WORDS; words++)
	{
		while (s < end && (unsigned char) *s <= ' ')
			s++;
		if (s == end)
			break;
		if (words > 0)
			*to++ = ' ';
		to = put_stars(put(to, s, first_character(s, end - s)));
		while (s < end && (unsigned char) *s > ' ')
			s++;
	}
	return to > buf ? masked(buf, to - buf) : all_masked();
}

/*
 * chat_rbac.mask_amount(value numeric) -> numeric
 *		Sign and order of magnitude: -1000 for -1234.56, 0.01 for 0.05.  0, NaN
 *		and the infinities stay.
 */
Datum
chat_rbac_mask_amount_numeric(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	char	   *s = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	char	   *digit = s + strspn(s, "-0.");

	if (*digit < '1' || *digit > '9')
		PG_RETURN_DATUM(value);
	*digit++ = '1';
	for (; *digit != '\0'; digit++)
		if (*digit != '.')
			*digit = '0';
	PG_RETURN_DATUM(DirectFunctionCall3(numeric_in, CStringGetDatum(s), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* chat_rbac.mask_amount(value bigint) -> bigint */
Datum
chat_rbac_mask_amount_int8(PG_FUNCTION_ARGS)
{
	int64		value = PG_GETARG_INT64(0);
	int64		magnitude = value < 0 ? -1 : 1;

	if (value == 0)
		PG_RETURN_INT64(0);
	while (value / 10 != 0)
	{
		value /= 10;
		magnitude *= 10;
	}
	PG_RETURN_INT64(magnitude);
}

/* chat_rbac.mask_amount(value double precision) -> double precision */
Datum
chat_rbac_mask_amount_float8(PG_FUNCTION_ARGS)
{
	float8		value = PG_GETARG_FLOAT8(0);
	char		buf[64];

	if (value == 0 || isnan(value) || isinf(value))
		PG_RETURN_FLOAT8(value);

	/*
	 * by the digits that would be shown, rounded down: a logarithm is not
	 * exact
	 */
	snprintf(buf, sizeof(buf), "%.17e", fabs(value));
	buf[0] = '1';
	memset(buf + 2, '0', 17);
	PG_RETURN_FLOAT8(copysign(strtod(buf, NULL), value));
}

/* One trigger in one statement; the check comes first, because fn_extra is that to authz.c. */
typedef struct MaskState
{
	RbacCheck	check;
	SPIPlanPtr	plan;			/* asks for the condition on a row */
	MemoryContextCallback release;
} MaskState;

static void
release_plan(void *arg)
{
	SPI_freeplan(((MaskState *) arg)->plan);
}

static MaskState *
mask_state(FmgrInfo *flinfo)
{
	MaskState  *state = (MaskState *) flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(MaskState));
		rbac_authz_attach(flinfo, &state->check);
	}
	return state;
}

/* Does the condition, SQL over the table's columns, hold on the row?  Planned once a statement. */
static bool
holds_on(FmgrInfo *flinfo, const char *condition, Relation rel, HeapTuple row)
{
	MaskState  *state = mask_state(flinfo);
	Datum		value = heap_copy_tuple_as_datum(row, RelationGetDescr(rel));
	bool		isnull = true;
	bool		holds = false;

	SPI_connect();
	if (state->plan == NULL)
	{
		Oid			type = rel->rd_rel->reltype;
		SPIPlanPtr	plan = SPI_prepare(psprintf("SELECT (%s) FROM (SELECT ($1).*) AS r", condition), 1, &type);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		state->plan = plan;
		state->release.func = release_plan;
		state->release.arg = state;
		MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &state->release);
	}
	if (SPI_execute_plan(state->plan, &value, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not ask for the masks of table \"%s\"", RelationGetRelationName(rel));
	if (SPI_processed == 1)
		holds = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_finish();
	return holds && !isnull;
}

/*
 * chat_rbac.guard_mask(permissions, columns, condition) trigger
 *		BEFORE UPDATE OF masked columns, for each row: refuses it to whom policies
 *		hold, and on whose row the condition does not.
 *
 * The condition is what create_view() made of the permissions that lift the
 * masks; the function's search_path is set, as it is SQL.
 */
Datum
chat_rbac_guard_mask(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Relation	rel;
	char	  **args;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigdata->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) || trigdata->tg_trigger->tgnargs != 3)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called as create_view() says", "chat_rbac.guard_mask")));
	rel = trigdata->tg_relation;
	args = trigdata->tg_trigger->tgargs;
	if (check_enable_rls(RelationGetRelid(rel), InvalidOid, true) == RLS_ENABLED && !holds_on(fcinfo->flinfo, args[2], rel, trigdata->tg_trigtuple))
		rbac_refusal_raise("action", rbac_authz_check(fcinfo->flinfo)->grants, args[0],
						   psprintf("permission \"%s\" is needed to set a masked column of table \"%s\"", args[0], RelationGetRelationName(rel)),
						   psprintf("Who may not see a value may not set it: %s.", args[1]), NULL);
	return PointerGetDatum(trigdata->tg_newtuple);
}

/*-------------------------------------------------------------------------
 *
 * src/shift_io.c
 *	  The SQL type shift: thin wrappers around shift.c and clock.c.
 *
 * A value is a varlena of the canonical text, and so is its binary form after
 * a version byte.  Whether there is a time zone of that name is asked when a
 * value comes in, and again when it is looked at: time zones are the server's.
 *
 * Comparison and hash functions are total: they raise, log and allocate nothing
 * but the copy of a toasted argument.  Hence they are LEAKPROOF.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "utils/timestamp.h"

#define SHIFT_EXAMPLE	"Mon-Fri 09:00-18:00 Asia/Riyadh except 2026-12-25"

/* What follows the place where reading stopped, for a message. */
static char *
tell_rest(const char *at, const char *end)
{
	return at == end ? "the text ends there" :
		psprintf("it goes on with \"%s\"", rbac_permission_clip(at, end - at));
}

static void
refuse_zone(const RbacShift *shift)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("time zone \"%s\" not recognized", pnstrdup(shift->zone, shift->zone_len)),
			 errhint("Write the full name, such as Asia/Riyadh, as in pg_timezone_names, or UTC; abbreviations and offsets are not accepted.")));
}

/* A new SQL value of what was read, with the zone as the server spells it. */
static struct varlena *
make_shift(RbacShift *shift)
{
	char text[	RBAC_SHIFT_TEXT_MAX];
	pg_tz	   *zone = rbac_clock_zone(shift->zone, shift->zone_len);

	if (zone == NULL)
		refuse_zone(shift);
	shift->zone = pg_get_timezone_name(zone);
	shift->zone_len = strlen(shift->zone);
	if (shift->zone_len > RBAC_SHIFT_ZONE_MAX)
		elog(ERROR, "time zone \"%s\" has a name that is too long", shift->zone);
	return (struct varlena *) cstring_to_text_with_len(text, (int) rbac_shift_write(shift, text));
}

/* Read argument 0 for functions that may fail, and find its time zone. */
static pg_tz *
shift_argument(struct varlena *value, RbacShift *shift)
{
	const char *ignored;
	pg_tz	   *zone;

	if (rbac_shift_parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), shift, &ignored) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored shift is corrupt")));
	zone = rbac_clock_zone(shift->zone, shift->zone_len);
	if (zone == NULL)
		refuse_zone(shift);
	return zone;
}

/* By the bytes of their texts, whatever these are. */
static int
compare_arguments(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	size_t		a_len = VARSIZE_ANY_EXHDR(a);
	size_t		b_len = VARSIZE_ANY_EXHDR(b);
	int			cmp = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), Min(a_len, b_len));

	if (cmp == 0)
		cmp = (a_len > b_len) - (a_len < b_len);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return cmp;
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_in);
Datum
chat_rbac_shift_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	size_t		len = strlen(text);
	RbacShift	shift;
	const char *at;
	const char *error = rbac_shift_parse(text, len, &shift, &at);

	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"", "shift", rbac_permission_clip(text, len)),
				 errdetail("%s; %s.", error, tell_rest(at, text +len)),
				 errhint("Write it as %s.", SHIFT_EXAMPLE)));
	PG_RETURN_POINTER(make_shift(&shift));
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_out);
Datum
chat_rbac_shift_out(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);

	PG_RETURN_CSTRING(pnstrdup(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_recv);
Datum
chat_rbac_shift_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	RbacShift	shift;
	const char *error;
	const char *ignored;
	int			len;

	rbac_permission_recv_version(message, "shift");
	len = message->len - message->cursor;
	error = rbac_shift_parse(pq_getmsgbytes(message, len), (size_t) len, &shift, &ignored);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid shift in binary form"),
				 errdetail("%s.", error)));
	PG_RETURN_POINTER(make_shift(&shift));
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_send);
Datum
chat_rbac_shift_send(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	StringInfoData message;

	pq_begintypsend(&message);
	rbac_permission_send_version(&message);
	pq_sendbytes(&message, VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_eq);
Datum
chat_rbac_shift_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_ne);
Datum
chat_rbac_shift_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_lt);
Datum
chat_rbac_shift_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_le);
Datum
chat_rbac_shift_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_gt);
Datum
chat_rbac_shift_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_ge);
Datum
chat_rbac_shift_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_cmp);
Datum
chat_rbac_shift_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_hash);
Datum
chat_rbac_shift_hash(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any((const unsigned char *) VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value));

	PG_FREE_IF_COPY(value, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_hash_extended);
Datum
chat_rbac_shift_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any_extended((const unsigned char *) VARDATA_ANY(value), (int) VARSIZE_ANY_EXHDR(value),
										 (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(value, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_contains);
Datum
chat_rbac_shift_contains(PG_FUNCTION_ARGS)
{
	RbacShift	shift;
	pg_tz	   *zone = shift_argument(PG_GETARG_VARLENA_PP(0), &shift);

	PG_RETURN_BOOL(rbac_clock_holds(&shift, zone, PG_GETARG_TIMESTAMPTZ(1)));
}

PG_FUNCTION_INFO_V1(chat_rbac_shift_contained);
Datum
chat_rbac_shift_contained(PG_FUNCTION_ARGS)
{
	RbacShift	shift;
	pg_tz	   *zone = shift_argument(PG_GETARG_VARLENA_PP(1), &shift);

	PG_RETURN_BOOL(rbac_clock_holds(&shift, zone, PG_GETARG_TIMESTAMPTZ(0)));
}

PG_FUNCTION_INFO_V1(chat_rbac_next_change);
Datum
chat_rbac_next_change(PG_FUNCTION_ARGS)
{
	RbacShift	shift;
	pg_tz	   *zone = shift_argument(PG_GETARG_VARLENA_PP(0), &shift);
	TimestampTz next = rbac_clock_next(&shift, zone, PG_GETARG_TIMESTAMPTZ(1));

	if (next == DT_NOEND)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(next);
}

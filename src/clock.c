/*-------------------------------------------------------------------------
 *
 * src/clock.c
 *	  Shifts on the clock: what the wall shows in their time zone, and when.
 *
 * The rules of time zones are PostgreSQL's own.  An instant has one local time,
 * so nothing has to be decided where clocks are changed: an hour that comes
 * twice counts twice, one that is left out does not count.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "datatype/timestamp.h"
#include "utils/timestamp.h"

/* The first second of 2000 in UTC, from where a timestamptz counts, as a pg_time_t. */
#define EPOCH	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/*
 * rbac_clock_zone
 *		The time zone of that name in any case, or NULL.  Not those that depend on
 *		the machine, and no abbreviations: with CET or UTC+3 few mean what they
 *		are.  pg_tzset takes more than that for a zone, and spells it in capitals.
 */
pg_tz *
rbac_clock_zone(const char *name, size_t len)
{
	pg_tz	   *zone = pg_tzset(pnstrdup(name, len));
	const char *spelt;

	if (zone == NULL || !pg_tz_acceptable(zone))
		return NULL;
	spelt = pg_get_timezone_name(zone);
	if (strcmp(spelt, "UTC") == 0)
		return zone;
	if (*spelt < 'A' || *spelt > 'Z')
		return NULL;
	return strpbrk(spelt, "abcdefghijklmnopqrstuvwxyz") != NULL ? zone : NULL;
}

/* The second that an instant is in, rounded down. */
static pg_time_t
second_of(TimestampTz at)
{
	int64		seconds = at / USECS_PER_SEC;

	return (at % USECS_PER_SEC < 0 ? seconds - 1 : seconds) + EPOCH;
}

/* What the clock shows, as shift.c counts. */
static int64
local_of(pg_time_t second, pg_tz *zone)
{
	const struct pg_tm *tm = pg_localtime(&second, zone);

	return second - EPOCH + (tm != NULL ? tm->tm_gmtoff : 0);
}

/* Does a shift of that zone hold?  Not at infinity. */
bool
rbac_clock_holds(const RbacShift *shift, pg_tz *zone, TimestampTz at)
{
	return !TIMESTAMP_NOT_FINITE(at) && rbac_shift_holds(shift, local_of(second_of(at), zone));
}

/*
 * rbac_clock_next
 *		The next instant at which it begins or ends to hold; DT_NOEND: never.
 *
 * The clock runs evenly between two changes of the zone's offset, so each such
 * stretch is looked through for itself.
 */
TimestampTz
rbac_clock_next(const RbacShift *shift, pg_tz *zone, TimestampTz at)
{
	pg_time_t	second = second_of(at);
	bool		held = rbac_clock_holds(shift, zone, at);

	if (TIMESTAMP_NOT_FINITE(at))
		return DT_NOEND;
	for (;;)
	{
		int64		local = local_of(second, zone);
		int64		edge;
		pg_time_t	changed;
		long int	gmtoff;
		int			isdst;
		bool		changes = pg_next_dst_boundary(&second, &gmtoff, &isdst, &changed, &gmtoff, &isdst, zone) > 0;

		edge = rbac_shift_edge(shift, local, changes ? local + (changed - second) : INT64_MAX, held);
		if (edge == INT64_MAX)
			return DT_NOEND;
		second += edge - local;
		if (!changes || second < changed || rbac_shift_holds(shift, local_of(second, zone)) != held)
		{
			int64		next = second - EPOCH;

			return next < END_TIMESTAMP / USECS_PER_SEC ? next * USECS_PER_SEC : DT_NOEND;
		}
	}
}

/*
 * rbac_clock_judge
 *		Does a stored shift hold, and until when does it go on like that?  One
 *		that cannot be read, or whose time zone this server does not know, never
 *		does.
 */
bool
rbac_clock_judge(struct varlena *value, TimestampTz at, TimestampTz *until)
{
	RbacShift	shift;
	const char *ignored;
	pg_tz	   *zone;

	*until = DT_NOEND;
	if (rbac_shift_parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &shift, &ignored) != NULL)
		return false;
	zone = rbac_clock_zone(shift.zone, shift.zone_len);
	if (zone == NULL)
		return false;
	*until = rbac_clock_next(&shift, zone, at);
	return rbac_clock_holds(&shift, zone, at);
}

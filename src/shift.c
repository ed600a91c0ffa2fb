/*-------------------------------------------------------------------------
 *
 * src/shift.c
 *	  Weekly hours, as "Mon-Fri 09:00-18:00 Asia/Riyadh except 2026-12-25".
 *
 * A shift holds while a clock on the wall of its time zone shows a time in one
 * of its windows.  A window belongs to the day on which it begins, also where
 * it goes on after midnight: if that day is excepted, all of it is left out.
 *
 * Local time is seconds since the midnight before 2000-01-01, a Saturday.  What
 * instant that is, clock.c knows.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure.h"

#define DAY_MINUTES		1440
#define DAY_SECONDS		86400
#define WEEK_DAYS		7
#define EVERY_DAY		0x7f

static const char day_names[WEEK_DAYS][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/* ---- reading ---- */

typedef struct Scanner
{
	const char *at;
	const char *end;
} Scanner;

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_zone_sign(char c)
{
	return c == '/' || c == '_' || c == '+' || c == '-';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What comes next, blanks aside; NUL at the end. */
static char
peek(Scanner *in)
{
	while (in->at < in->end && is_blank(*in->at))
		in->at++;
	return in->at < in->end ? *in->at : '\0';
}

static bool
accept_char(Scanner *in, char c)
{
	if (peek(in) != c)
		return false;
	in->at++;
	return true;
}

/* Is this the next word, in whatever case?  It is read if so. */
static bool
accept_word(Scanner *in, const char *word)
{
	size_t		len = strlen(word);

	(void) peek(in);
	if ((size_t) (in->end - in->at) < len ||
		((size_t) (in->end - in->at) > len && is_letter(in->at[len])))
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if ((in->at[i] | 0x20) != (word[i] | 0x20))
			return false;
	}
	in->at += len;
	return true;
}

/* Reads a number of min to max digits, with no other after them. */
static bool
read_digits(Scanner *in, int min, int max, int *out)
{
	int			ndigits = 0;

	while (ndigits <= max && in->at + ndigits < in->end && is_digit(in->at[ndigits]))
		ndigits++;
	if (ndigits < min || ndigits > max)
		return false;
	for (*out = 0; ndigits > 0; ndigits--)
		*out = *out * 10 + (*in->at++ - '0');
	return true;
}

static bool
read_day(Scanner *in, int *day)
{
	for (*day = 0; *day < WEEK_DAYS; (*day)++)
	{
		if (accept_word(in, day_names[*day]))
			return true;
	}
	return false;
}

/* "Mon-Thu, Sat"; "Sat-Mon" goes on after the week's end. */
static const char *
read_days(Scanner *in, uint8_t *days)
{
	*days = 0;
	do
	{
		int			first;
		int			last;

		if (!read_day(in, &first))
			return "A day is Mon, Tue, Wed, Thu, Fri, Sat or Sun";
		last = first;
		if (accept_char(in, '-') && !read_day(in, &last))
			return "A range of days ends with Mon, Tue, Wed, Thu, Fri, Sat or Sun";
		while (*days |= (uint8_t) (1 << first), first != last)
			first = (first + 1) % WEEK_DAYS;
	} while (accept_char(in, ','));
	return NULL;
}

/* Minutes since midnight, "most" at most.  What is no such time is not read. */
static bool
read_time(Scanner *in, int most, int *out)
{
	Scanner		ahead;
	int			hour;
	int			minute;

	(void) peek(in);
	ahead = *in;
	if (!read_digits(&ahead, 1, 2, &hour) || ahead.at == ahead.end || *ahead.at++ != ':' ||
		!read_digits(&ahead, 2, 2, &minute) || minute > 59 || hour * 60 + minute > most)
		return false;
	*out = hour * 60 + minute;
	*in = ahead;
	return true;
}

static const char *
read_window(Scanner *in, RbacShiftWindow *window)
{
	int			start;
	int			end;

	if (!read_time(in, DAY_MINUTES - 1, &start))
		return "After its days a window has a time, from 00:00 to 23:59, at which it begins";
	if (!accept_char(in, '-'))
		return "A window is written as 09:00-18:00";
	if (!read_time(in, 2 * DAY_MINUTES, &end))
		return "A window ends at a time from 00:00 to 24:00, or up to 48:00 for the next day's";
	if (end == start)
		return "A window that ends when it begins is none, or a whole day, which is 00:00-24:00";
	window->start = (uint16_t) start;
	window->end = (uint16_t) (end < start ? end + DAY_MINUTES : end);
	return NULL;
}

static const char *
read_windows(Scanner *in, RbacShift *out)
{
	uint8_t		days = 0;

	do
	{
		const char *error;

		/* further windows may be of the same days */
		if (days == 0 || !is_digit(peek(in)))
		{
			error = read_days(in, &days);
			if (error != NULL)
				return error;
		}
		if (out->nwindows == RBAC_SHIFT_WINDOWS_MAX)
			return "A shift has at most 64 windows";
		out->windows[out->nwindows].days = days;
		error = read_window(in, &out->windows[out->nwindows]);
		if (error != NULL)
			return error;
		out->nwindows++;
	} while (accept_char(in, ',') || accept_char(in, ';'));
	return NULL;
}

static const char *
read_zone(Scanner *in, RbacShift *out)
{
	Scanner		ahead = *in;

	if (!is_letter(peek(in)) || !is_blank(in->at[-1]) || accept_word(&ahead, "except"))
		return "A time zone comes after the windows, as in Mon-Fri 09:00-18:00 Asia/Riyadh";
	out->zone = in->at;
	while (in->at < in->end && (is_letter(*in->at) || is_digit(*in->at) || is_zone_sign(*in->at)))
		in->at++;
	out->zone_len = (size_t) (in->at - out->zone);
	if (out->zone_len > RBAC_SHIFT_ZONE_MAX)
		return "The name of a time zone has at most 63 bytes";
	return NULL;
}

/* Days since 2000-01-01 in the Gregorian calendar; years from 1 on. */
static int32_t
day_of_date(int year, int month, int day)
{
	int			y = month > 2 ? year : year - 1;
	int			m = month > 2 ? month - 3 : month + 9;	/* since March */

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 730425;
}

static void
date_of_day(int32_t number, int *year, int *month, int *day)
{
	/* March 1st of year 0, from where leap days come last */
	int32_t		n = number + 730425;
	int32_t		era = n / 146097;
	int32_t		of_era = n % 146097;
	int32_t		y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int32_t		of_year = of_era - (365 * y + y / 4 - y / 100);
	int32_t		m = (5 * of_year + 2) / 153;

	*day = of_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = era * 400 + y + (*month <= 2);
}

/* What is no date of the calendar is not read. */
static bool
read_date(Scanner *in, int32_t *out)
{
	Scanner		ahead;
	int			date[3];
	int			same[3];

	(void) peek(in);
	ahead = *in;
	for (int i = 0; i < 3; i++)
	{
		if ((i > 0 && (ahead.at == ahead.end || *ahead.at++ != '-')) ||
			!read_digits(&ahead, i == 0 ? 4 : 2, i == 0 ? 4 : 2, &date[i]))
			return false;
	}
	if (date[0] < 1 || date[1] < 1 || date[1] > 12 || date[2] < 1)
		return false;
	/* a day that the month does not have is another one's */
	*out = day_of_date(date[0], date[1], date[2]);
	date_of_day(*out, &same[0], &same[1], &same[2]);
	if (memcmp(date, same, sizeof(date)) != 0)
		return false;
	*in = ahead;
	return true;
}

static const char *
read_except(Scanner *in, RbacShift *out)
{
	do
	{
		RbacShiftDates *dates = &out->except[out->nexcept];

		if (out->nexcept == RBAC_SHIFT_EXCEPT_MAX)
			return "A shift has at most 128 excepted dates or ranges of dates";
		if (!read_date(in, &dates->first))
			return "An excepted date is one of the calendar's, as 2026-12-25";
		dates->last = dates->first;
		if (accept_char(in, '.'))
		{
			if (in->at == in->end || *in->at++ != '.' || !read_date(in, &dates->last))
				return "Excepted dates are written as 2026-12-31..2027-01-02";
			if (dates->last < dates->first)
				return "A range of excepted dates ends before it begins";
		}
		out->nexcept++;
	} while (accept_char(in, ','));
	return NULL;
}

/* ---- one form for one meaning ---- */

static int
compare_starts(const void *a, const void *b)
{
	const RbacShiftWindow *p = (const RbacShiftWindow *) a;
	const RbacShiftWindow *q = (const RbacShiftWindow *) b;

	return p->start != q->start ? p->start - q->start : p->end - q->end;
}

/* By the first of their days, then by time. */
static int
compare_windows(const void *a, const void *b)
{
	int			p = __builtin_ctz(((const RbacShiftWindow *) a)->days);
	int			q = __builtin_ctz(((const RbacShiftWindow *) b)->days);

	return p != q ? p - q : compare_starts(a, b);
}

static int
compare_dates(const void *a, const void *b)
{
	int32_t		p = ((const RbacShiftDates *) a)->first;
	int32_t		q = ((const RbacShiftDates *) b)->first;

	return (p > q) - (p < q);
}

/* Add a day's window, beside another day's of the same hours; false: no room. */
static bool
add_window(RbacShift *shift, const RbacShiftWindow *window)
{
	for (int i = 0; i < shift->nwindows; i++)
	{
		if (compare_starts(&shift->windows[i], window) == 0)
		{
			shift->windows[i].days |= window->days;
			return true;
		}
	}
	if (shift->nwindows == RBAC_SHIFT_WINDOWS_MAX)
		return false;
	shift->windows[shift->nwindows++] = *window;
	return true;
}

/*
 * Join windows of a day that overlap or touch, and then days that have the
 * same window.  False if that makes too many.
 */
static bool
join_windows(RbacShift *shift)
{
	RbacShiftWindow written[RBAC_SHIFT_WINDOWS_MAX];
	int			nwritten = shift->nwindows;

	memcpy(written, shift->windows, sizeof(RbacShiftWindow) * nwritten);
	qsort(written, nwritten, sizeof(RbacShiftWindow), compare_starts);
	shift->nwindows = 0;
	for (int day = 0; day < WEEK_DAYS; day++)
	{
		RbacShiftWindow joined = {0, 0, 0};

		for (int i = 0; i < nwritten; i++)
		{
			if ((written[i].days & 1 << day) == 0)
				continue;
			if (joined.days != 0 && written[i].start <= joined.end)
			{
				if (written[i].end > joined.end)
					joined.end = written[i].end;
				continue;
			}
			if (joined.days != 0 && !add_window(shift, &joined))
				return false;
			joined = written[i];
			joined.days = (uint8_t) (1 << day);
		}
		if (joined.days != 0 && !add_window(shift, &joined))
			return false;
	}
	qsort(shift->windows, shift->nwindows, sizeof(RbacShiftWindow), compare_windows);
	return true;
}

static void
join_dates(RbacShift *shift)
{
	int			n = 0;

	qsort(shift->except, shift->nexcept, sizeof(RbacShiftDates), compare_dates);
	for (int i = 0; i < shift->nexcept; i++)
	{
		if (n > 0 && shift->except[i].first <= shift->except[n - 1].last + 1)
		{
			if (shift->except[i].last > shift->except[n - 1].last)
				shift->except[n - 1].last = shift->except[i].last;
		}
		else
			shift->except[n++] = shift->except[i];
	}
	shift->nexcept = n;
}

/*
 * rbac_shift_parse
 *		Read a shift.  NULL, or what is wrong, as a sentence without a period, and
 *		in *at where.  out->zone is within text; what zones there are is not known
 *		here.
 */
const char *
rbac_shift_parse(const char *text, size_t len, RbacShift *out, const char **at)
{
	Scanner		in;
	const char *error;

	in.at = text;

	in.end = &text[len];
	memset(out, 0, sizeof(*out));
	error = read_windows(&in, out);
	if (error == NULL)
		error = read_zone(&in, out);
	if (error == NULL && accept_word(&in, "except"))
		error = read_except(&in, out);
	if (error == NULL && (peek(&in) != '\0' || in.at != in.end))
		error = "Only \"except\" and dates come after the time zone";
	if (error == NULL && !join_windows(out))
		error = "A shift has at most 64 different windows, those of a day that touch being one";
	*at = in.at;
	join_dates(out);
	return error;
}

/* ---- writing ---- */

static size_t
write_days(uint8_t days, char *out)
{
	char	   *to = out;

	for (int first = 0; first < WEEK_DAYS; first++)
	{
		int			last = first;

		if ((days & 1 << first) == 0)
			continue;
		while (last + 1 < WEEK_DAYS && (days & 1 << (last + 1)) != 0)
			last++;
		/* two days are no range */
		if (last == first + 1)
			last = first;
		to += sprintf(to, "%s%s", to > out ? "," : "", day_names[first]);
		if (last > first)
			to += sprintf(to, "-%s", day_names[last]);
		first = last;
	}
	return (size_t) (to - out);
}

static size_t
write_date(int32_t number, char *out)
{
	int			year;
	int			month;
	int			day;

	date_of_day(number, &year, &month, &day);
	return (size_t) sprintf(out, "%04d-%02d-%02d", year, month, day);
}

/*
 * rbac_shift_write
 *		Its one text, into out, which has room for RBAC_SHIFT_TEXT_MAX bytes; the
 *		length is returned.  Equal texts are the same hours of the same days.
 */
size_t
rbac_shift_write(const RbacShift *shift, char *out)
{
	char	   *to = out;

	for (int i = 0; i < shift->nwindows; i++)
	{
		const RbacShiftWindow *window = &shift->windows[i];
		int			end = window->end;

		/* as a time of the next day, where that can be told from one of this */
		if (end > DAY_MINUTES && end - DAY_MINUTES < window->start)
			end -= DAY_MINUTES;
		if (i > 0)
			to += sprintf(to, ", ");
		to += write_days(window->days, to);
		to += sprintf(to, " %02d:%02d-%02d:%02d", window->start / 60, window->start % 60, end / 60, end % 60);
	}
	*to++ = ' ';
	memcpy(to, shift->zone, shift->zone_len);
	to += shift->zone_len;
	for (int i = 0; i < shift->nexcept; i++)
	{
		to += sprintf(to, i == 0 ? " except " : ", ");
		to += write_date(shift->except[i].first, to);
		if (shift->except[i].last > shift->except[i].first)
		{
			to += sprintf(to, "..");
			to += write_date(shift->except[i].last, to);
		}
	}
	return (size_t) (to - out);
}

/* ---- on the clock ---- */

static int64_t
day_of(int64_t local)
{
	return local >= 0 ? local / DAY_SECONDS : -((-local + DAY_SECONDS - 1) / DAY_SECONDS);
}

/* The excepted range that a day is in, or NULL. */
static const RbacShiftDates *
find_except(const RbacShift *shift, int64_t day)
{
	for (int i = 0; i < shift->nexcept && shift->except[i].first <= day; i++)
	{
		if (day <= shift->except[i].last)
			return &shift->except[i];
	}
	return NULL;
}

/* The bit of a day's name; none if the day is excepted. */
static uint8_t
day_bit(const RbacShift *shift, int64_t day)
{
	/* day 0 was a Saturday */
	return find_except(shift, day) != NULL ? 0 :
		(uint8_t) (1 << (((day + 5) % WEEK_DAYS + WEEK_DAYS) % WEEK_DAYS));
}

/* Is a minute of a day in a window?  The bits are those of the day and of the one before. */
static bool
holds_at(const RbacShift *shift, uint8_t today, uint8_t yesterday, int minute)
{
	for (int i = 0; i < shift->nwindows; i++)
	{
		const RbacShiftWindow *window = &shift->windows[i];

		if (((window->days & today) != 0 && minute >= window->start && minute < window->end) ||
			((window->days & yesterday) != 0 && minute + DAY_MINUTES < window->end))
			return true;
	}
	return false;
}

/* Does the shift hold while the clock shows this second? */
bool
rbac_shift_holds(const RbacShift *shift, int64_t local)
{
	int64_t		day = day_of(local);

	return holds_at(shift, day_bit(shift, day), day_bit(shift, day - 1), (int) ((local - day * DAY_SECONDS) / 60));
}

/*
 * The first minute of a day, from minute "least" on, at which that it holds is
 * not held; DAY_MINUTES if there is none.
 */
static int
find_edge(const RbacShift *shift, int64_t day, int least, bool held)
{
	uint8_t		today = day_bit(shift, day);
	uint8_t		yesterday = day_bit(shift, day - 1);
	int			first = DAY_MINUTES;

	/* midnight, and where a window begins or ends */
	if (least <= 0 && holds_at(shift, today, yesterday, 0) != held)
		return 0;
	for (int i = 0; i < shift->nwindows; i++)
	{
		int			marks[] = {shift->windows[i].start, shift->windows[i].end, shift->windows[i].end - DAY_MINUTES};

		for (int m = 0; m < 3; m++)
		{
			if (marks[m] >= least && marks[m] >= 0 && marks[m] < first &&
				holds_at(shift, today, yesterday, marks[m]) != held)
				first = marks[m];
		}
	}
	return first;
}

/*
 * rbac_shift_edge
 *		The first second that the clock shows after from, and before until, at
 *		which that the shift holds is not held, which it is from then on.  Where
 *		there is none: until, or INT64_MAX if there never is, however long the
 *		clock goes on as it does.
 */
int64_t
rbac_shift_edge(const RbacShift *shift, int64_t from, int64_t until, bool held)
{
	int64_t		day = day_of(from);
	int			least = (int) ((from - day * DAY_SECONDS) / 60) + 1;
	int			alike = 0;		/* whole days, just passed, that no exception
								 * reaches into */

	while (day * DAY_SECONDS < until)
	{
		const RbacShiftDates *dates = find_except(shift, day);
		int			minute = find_edge(shift, day, least, held);

		if (minute < DAY_MINUTES)
		{
			int64_t		edge = day * DAY_SECONDS + minute * 60;

			return edge < until ? edge : until;
		}
		alike = least > 0 || dates != NULL || find_except(shift, day - 1) != NULL ? 0 : alike + 1;
		if (dates != NULL && !held && dates->last > day)
			day = dates->last;	/* nothing begins on these days */
		else
			day++;
		least = 0;

		/* the weeks that follow are like this one, up to an exception */
		if (alike == WEEK_DAYS)
		{
			int			next = 0;

			while (next < shift->nexcept && shift->except[next].first < day)
				next++;
			if (next == shift->nexcept)
				return INT64_MAX;
			day = shift->except[next].first;
		}
	}
	return until;
}

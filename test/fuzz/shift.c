/*-------------------------------------------------------------------------
 *
 * test/fuzz/shift.c
 *	  A fuzzer of src/shift.c: texts that may be shifts, and shifts that are made
 *	  up and then spelled out.
 *
 * The model keeps windows and dates as they were made, joins nothing, and looks
 * at one minute after the other.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#define DAY			INT64_C(86400)
#define WINDOWS_MAX	5
#define DATES_MAX	4

typedef struct Model
{
	int			nwindows;
	struct
	{
		uint8_t		days;
		int			start;
		int			end;
	}			windows[WINDOWS_MAX];
	int			ndates;
	int			dates[DATES_MAX][2];
} Model;

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Does a window that begins on this day count? */
static bool
begins_on(const Model *model, int window, int64_t day)
{
	/* 2000-01-01 was a Saturday */
	int			weekday = (int) (day + 5 - 7 * floor_div(day + 5, 7));

	for (int i = 0; i < model->ndates; i++)
	{
		if (day >= model->dates[i][0] && day <= model->dates[i][1])
			return false;
	}
	return model->windows[window].days >> weekday & 1;
}

static bool
model_holds(const Model *model, int64_t local)
{
	int64_t		day = floor_div(local, DAY);

	for (int i = 0; i < model->nwindows; i++)
	{
		for (int64_t begun = day - 1; begun <= day; begun++)
		{
			int64_t		since = local - begun * DAY;

			if (begins_on(model, i, begun) &&
				since >= model->windows[i].start * 60 && since < model->windows[i].end * 60)
				return true;
		}
	}
	return false;
}

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* By counting, from the year 1990 on. */
static void
write_date(char **out, int number)
{
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year = 1990;
	int			month = 0;
	int			day = number + 3652;

	for (; day >= 365 + is_leap(year); year++)
		day -= 365 + is_leap(year);
	for (; day >= lengths[month] + (month == 1 && is_leap(year)); month++)
		day -= lengths[month] + (month == 1 && is_leap(year));
	*out += sprintf(*out, "%04d-%02d-%02d", year, month + 1, day + 1);
}

static void
write_blank(char **out, Feed *feed, const char *otherwise)
{
	static const char *const blanks[] = {" ", "\t", "\n", "  "};
	uint8_t		how = feed_byte(feed);

	*out += sprintf(*out, "%s", how < 192 ? otherwise : blanks[how % 4]);
}

static void
write_day(char **out, Feed *feed, int day)
{
	static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	char		name[4];
	uint8_t		how = feed_byte(feed);

	strcpy(name, names[day]);
	if (how >= 200)
	{
		for (int i = 0; i < 3; i++)
			name[i] ^= (char) (how >> i & 1) << 5;
	}
	*out += sprintf(*out, "%s", name);
}

static uint8_t
write_days(char **out, Feed *feed)
{
	uint8_t		days = 0;
	int			nranges = 1 + feed_byte(feed) % 3;

	for (int i = 0; i < nranges; i++)
	{
		uint8_t		how = feed_byte(feed);
		int			first = how % 7;
		int			last = how / 7 % 2 ? how / 14 % 7 : first;

		if (i > 0)
			*out += sprintf(*out, ",");
		write_blank(out, feed, "");
		write_day(out, feed, first);
		if (how / 7 % 2)
		{
			write_blank(out, feed, "");
			*out += sprintf(*out, "-");
			write_blank(out, feed, "");
			write_day(out, feed, last);
		}
		for (int day = first;; day = (day + 1) % 7)
		{
			days |= (uint8_t) (1 << day);
			if (day == last)
				break;
		}
		write_blank(out, feed, "");
	}
	return days;
}

/* Half of the times are full hours, so that windows touch. */
static int
make_minute(Feed *feed, int most)
{
	uint8_t		how = feed_byte(feed);
	int			minute = how < 128 ? how % 49 * 60 : (int) (feed_number(feed, 2) % (2 * 1440 + 1));

	return minute <= most ? minute : minute % (most + 1);
}

static void
write_model(Feed *feed, Model *model, char *out)
{
	memset(model, 0, sizeof(*model));
	model->nwindows = 1 + feed_byte(feed) % WINDOWS_MAX;
	for (int i = 0; i < model->nwindows; i++)
	{
		int			start = make_minute(feed, 1439);
		int			end = make_minute(feed, 2880);

		if (i > 0)
			out += sprintf(out, feed_byte(feed) & 1 ? ";" : ",");
		write_blank(&out, feed, " ");
		if (i > 0 && feed_byte(feed) & 1)
			model->windows[i].days = model->windows[i - 1].days;
		else
			model->windows[i].days = write_days(&out, feed);
		if (end == start)
			end++;
		out += sprintf(out, feed_byte(feed) & 1 ? " %02d:%02d" : " %d:%02d", start / 60, start % 60);
		write_blank(&out, feed, "");
		out += sprintf(out, "-");
		write_blank(&out, feed, "");
		out += sprintf(out, "%02d:%02d", end / 60, end % 60);
		model->windows[i].start = start;
		model->windows[i].end = end < start ? end + 1440 : end;
	}
	out += sprintf(out, " Asia/Riyadh");
	model->ndates = feed_byte(feed) % (DATES_MAX + 1);
	for (int i = 0; i < model->ndates; i++)
	{
		int			first = (int) (feed_number(feed, 1) % 40);
		int			last = first + feed_byte(feed) % 20;

		out += sprintf(out, i == 0 ? " except " : ",");
		write_blank(&out, feed, "");
		write_date(&out, first);
		if (last > first || feed_byte(feed) & 1)
		{
			out += sprintf(out, "..");
			write_date(&out, last);
		}
		model->dates[i][0] = first;
		model->dates[i][1] = last;
	}
	*out = '\0';
}

/* Windows of one day are apart, and so are exceptions: there is one way to write it. */
static void
check_apart(const RbacShift *shift)
{
	for (int i = 0; i < shift->nwindows; i++)
	{
		const RbacShiftWindow *a = &shift->windows[i];

		REQUIRE(a->days != 0 && a->start < a->end && a->start < 1440 && a->end <= 2880);
		for (int j = 0; j < i; j++)
		{
			const RbacShiftWindow *b = &shift->windows[j];

			REQUIRE((a->days & b->days) == 0 || a->start > b->end || b->start > a->end);
			REQUIRE(a->start != b->start || a->end != b->end);
		}
	}
	for (int i = 0; i < shift->nexcept; i++)
	{
		REQUIRE(shift->except[i].first <= shift->except[i].last);
		REQUIRE(i == 0 || shift->except[i].first > shift->except[i - 1].last + 1);
	}
}

/* Its text is that of the same shift, and the only one. */
static void
check_text(const RbacShift *shift)
{
	char	   *text = malloc(RBAC_SHIFT_TEXT_MAX);
	char	   *again = malloc(RBAC_SHIFT_TEXT_MAX);
	size_t		len = rbac_shift_write(shift, text);
	char	   *copy = copy_of(text, len);
	RbacShift	back;
	const char *at;

	check_apart(shift);
	REQUIRE(len < RBAC_SHIFT_TEXT_MAX);
	REQUIRE(rbac_shift_parse(copy, len, &back, &at) == NULL);
	REQUIRE(back.nwindows == shift->nwindows && back.nexcept == shift->nexcept);
	REQUIRE(memcmp(back.windows, shift->windows, sizeof(RbacShiftWindow) * (size_t) shift->nwindows) == 0);
	REQUIRE(memcmp(back.except, shift->except, sizeof(RbacShiftDates) * (size_t) shift->nexcept) == 0);
	REQUIRE(back.zone_len == shift->zone_len && memcmp(back.zone, shift->zone, shift->zone_len) == 0);
	REQUIRE(rbac_shift_write(&back, again) == len && memcmp(text, again, len) == 0);
	free(copy);
	free(again);
	free(text);
}

/* The first minute from "from" on, and before until, at which it is not as said. */
static int64_t
model_edge(const Model *model, int64_t from, int64_t until, bool held)
{
	for (int64_t at = (floor_div(from, 60) + 1) * 60; at < until; at += 60)
	{
		if (model_holds(model, at) != held)
			return at;
	}
	return until;
}

static void
check_clock(const RbacShift *shift, const Model *model, Feed *feed)
{
	for (int i = 0; i < 3; i++)
	{
		int64_t		from = (int64_t) (feed_number(feed, 3) % (uint64_t) (90 * DAY)) - 20 * DAY;
		int64_t		until = from + (int64_t) (feed_number(feed, 3) % (uint64_t) (16 * DAY));
		bool		held = model_holds(model, from);
		int64_t		edge;

		REQUIRE(rbac_shift_holds(shift, from) == held);
		edge = rbac_shift_edge(shift, from, until, held);
		if (edge != INT64_MAX)
			REQUIRE(edge == model_edge(model, from, until, held));
		else
		{
			/* what holds for ever holds for the time of all dates, and two weeks more */
			int64_t		far = (from > 60 * DAY ? from : 60 * DAY) + 15 * DAY;

			REQUIRE(model_edge(model, from, far, held) == far);
		}
	}
}

static void
check_made(Feed *feed)
{
	Model		model;
	char	   *text = malloc(4096);
	char	   *copy;
	size_t		len;
	RbacShift	shift;
	const char *at;

	write_model(feed, &model, text);
	len = strlen(text);
	copy = copy_of(text, len);
	free(text);
	REQUIRE(rbac_shift_parse(copy, len, &shift, &at) == NULL);
	check_text(&shift);
	check_clock(&shift, &model, feed);
	free(copy);
}

static void
check_read(const uint8_t *data, size_t size)
{
	char	   *text = copy_of(data, size);
	RbacShift	shift;
	const char *at = NULL;
	const char *error = rbac_shift_parse(text, size, &shift, &at);

	REQUIRE(at >= text && at <= text + size);
	REQUIRE(shift.nwindows <= RBAC_SHIFT_WINDOWS_MAX && shift.nexcept <= RBAC_SHIFT_EXCEPT_MAX);
	if (error == NULL)
	{
		REQUIRE(shift.nwindows > 0 && shift.zone_len > 0 && shift.zone_len <= RBAC_SHIFT_ZONE_MAX);
		check_text(&shift);
	}
	else
		REQUIRE(error[0] >= 'A' && error[0] <= 'Z' && error[strlen(error) - 1] != '.');
	free(text);
}

/* The first byte says whether the others are a text, or choices. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Feed		feed = {data + 1, data + size};

	if (size == 0)
		return 0;
	if (data[0] == '=')
		check_made(&feed);
	else
		check_read(data + 1, size - 1);
	return 0;
}

/*-------------------------------------------------------------------------
 *
 * test/fuzz/permission.c
 *	  A fuzzer of src/permission.c: lines, each of which may be a permission.
 *
 * The model: a permission is the set of the triples (resource, action, relation)
 * that it grants, out of all that can be made of the parts in sight and one of
 * each kind that is not.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#define LINES_MAX	6
#define UNSEEN		"?"				/* no part can be that */

typedef struct Line
{
	const char *text;
	size_t		len;
	char		parts[3][RBAC_PART_MAX + 1];	/* no relation: "" */
	RbacPermission parsed;
} Line;

/* Does text have the form of a part?  It is copied if so. */
static bool
model_part(const char *text, size_t len, bool may_be_any, char *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

	if (len < 1 || len > 63)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return strlen(out) == len && ((may_be_any && strcmp(out, "*") == 0) || strspn(out, letters) == len);
}

static bool
model_parse(Line *line)
{
	size_t		dot = 0;
	size_t		at;

	while (dot < line->len && line->text[dot] != '.')
		dot++;
	for (at = dot; at < line->len && line->text[at] != '@';)
		at++;
	if (dot == line->len ||
		!model_part(line->text, dot, true, line->parts[0]) ||
		!model_part(line->text + dot + 1, at - dot - 1, true, line->parts[1]))
		return false;
	line->parts[2][0] = '\0';
	if (at < line->len && !model_part(line->text + at + 1, line->len - at - 1, false, line->parts[2]))
		return false;
	if (strcmp(line->parts[2], "all") == 0)
		line->parts[2][0] = '\0';
	return true;
}

static bool
model_grants(const Line *line, const char *const triple[3])
{
	return (strcmp(line->parts[0], "*") == 0 || strcmp(line->parts[0], triple[0]) == 0) &&
		(strcmp(line->parts[1], "*") == 0 || strcmp(line->parts[1], triple[1]) == 0) &&
		(line->parts[2][0] == '\0' || strcmp(line->parts[2], triple[2]) == 0);
}

/* Of all triples: are there some that both grant, and some that only q does? */
static void
model_compare(const Line *p, const Line *q, bool *shared, bool *only_q)
{
	const Line *const sources[2] = {p, q};

	*shared = *only_q = false;
	for (int i = 0; i < 27; i++)
	{
		int			from[3] = {i % 3, i / 3 % 3, i / 9};
		const char *triple[3];

		for (int k = 0; k < 3; k++)
		{
			triple[k] = from[k] < 2 ? sources[from[k]]->parts[k] : UNSEEN;
			if (strcmp(triple[k], "*") == 0 || triple[k][0] == '\0')
				triple[k] = UNSEEN;
		}
		if (!model_grants(q, triple))
			continue;
		if (model_grants(p, triple))
			*shared = true;
		else
			*only_q = true;
	}
}

static int
sign(int number)
{
	return (number > 0) - (number < 0);
}

static int
model_order(const Line *p, const Line *q)
{
	char		a[RBAC_PERMISSION_MAX + 1];
	char		b[RBAC_PERMISSION_MAX + 1];

	snprintf(a, sizeof(a), "%s.%s%s%s", p->parts[0], p->parts[1], p->parts[2][0] ? "@" : "", p->parts[2]);
	snprintf(b, sizeof(b), "%s.%s%s%s", q->parts[0], q->parts[1], q->parts[2][0] ? "@" : "", q->parts[2]);
	return sign(strcmp(a, b));
}

static void
check_parsed(const Line *line)
{
	const RbacPermission *p = &line->parsed;
	RbacPermission again;

	REQUIRE(p->text == line->text && p->len <= line->len && p->len <= RBAC_PERMISSION_MAX);
	REQUIRE(p->resource_len == strlen(line->parts[0]) && p->action_len == strlen(line->parts[1]));
	REQUIRE(p->relation_len == strlen(line->parts[2]));
	REQUIRE(p->len == p->resource_len + 1 + p->action_len + (p->relation_len > 0 ? 1 + p->relation_len : 0));
	REQUIRE(rbac_permission_parse(p->text, p->len, &again) == NULL && again.len == p->len);
	REQUIRE(rbac_permission_compare(p, &again) == 0);
}

static void
check_pair(const Line *p, const Line *q)
{
	bool		shared;
	bool		only_q;

	model_compare(p, q, &shared, &only_q);
	REQUIRE(rbac_permission_covers(&p->parsed, &q->parsed) == !only_q);
	REQUIRE(rbac_permission_overlaps(&p->parsed, &q->parsed) == shared);
	REQUIRE(sign(rbac_permission_compare(&p->parsed, &q->parsed)) == model_order(p, q));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Line		lines[LINES_MAX];
	int			nlines = 0;
	const uint8_t *end = data + size;

	while (data < end && nlines < LINES_MAX)
	{
		const uint8_t *stop = memchr(data, '\n', (size_t) (end - data));
		Line	   *line = &lines[nlines];
		const char *error;

		if (stop == NULL)
			stop = end;
		line->len = (size_t) (stop - data);
		line->text = copy_of(data, line->len);
		data = stop < end ? stop + 1 : end;
		error = rbac_permission_parse(line->text, line->len, &line->parsed);
		REQUIRE((error == NULL) == model_parse(line));
		if (error == NULL)
		{
			check_parsed(line);
			nlines++;
		}
		else
		{
			REQUIRE(error[0] >= 'A' && error[0] <= 'Z' && error[strlen(error) - 1] == '.');
			free((void *) line->text);
		}
	}
	for (int i = 0; i < nlines; i++)
	{
		for (int j = 0; j < nlines; j++)
			check_pair(&lines[i], &lines[j]);
	}
	for (int i = 0; i < nlines; i++)
		free((void *) lines[i].text);
	return 0;
}

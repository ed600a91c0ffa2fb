/*-------------------------------------------------------------------------
 *
 * src/why.c
 *	  Why may somebody do that, or why not?
 *
 * explain_access() puts a question to the one decision, as can() does, but for a
 * member who is asked about: the answer is its first row.  Then each permission
 * of each grant is tried alone.  Those that carry the answer are the reason; if
 * there is none, the rows that lack least come first, and what they lack is
 * found by asking again, as if the grant held in the whole org.
 *
 * A child table's row is where its parent's is, so that is looked at.  To act on
 * a row takes the right to see it, so a question may be several, all of which
 * must be answered with yes.
 *
 * On a row that the caller may not see, nothing is said but the answer.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(chat_rbac_explain_access);

#define NAMES_MAX 10			/* of roles that would do */

static RbacQuery unit_by_key = {
	"SELECT u.name FROM chat_rbac.unit u WHERE u.org_id OPERATOR(pg_catalog.=) $1"
	" AND u.kind OPERATOR(pg_catalog.=) $2 AND u.key OPERATOR(pg_catalog.=) $3",
	3, {INT8OID, TEXTOID, INT8OID}, NULL
};

static RbacQuery roles_of_org = {
	"SELECT r.name, r.permissions FROM chat_rbac.role r WHERE r.org_id OPERATOR(pg_catalog.=) $1"
	" ORDER BY r.name USING OPERATOR(pg_catalog.<)",
	1, {INT8OID}, NULL
};

/* One row of the answer. */
typedef struct Finding
{
	const char *verdict;
	const RbacAskedGrant *grant;	/* NULL: of none */
	const RbacPermission *permission;	/* of it */
	char	   *why;			/* NULL: nothing to say */
	int			nlacks;
} Finding;

/* An explanation under way. */
typedef struct Why
{
	RbacAsked	asked;
	RbacQuestion question;
	RbacProtection *table;		/* whose row was asked for; NULL: none */
	ReturnSetInfo *result;
} Why;

/* ---- what is said ---- */

/* A time, without the hour where that is midnight. */
static char *
time_text(TimestampTz at)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(at)));
	char	   *midnight = strstr(text, " 00:00:00");

	/* in the traditional style the year comes last */
	if (midnight != NULL && DateStyle != USE_POSTGRES_DATES)
		*midnight = '\0';
	return text;
}

static void
add_part(StringInfo text, const char *separator, const char *part)
{
	if (text->len > 0)
		appendStringInfoString(text, separator);
	appendStringInfoString(text, part);
}

/* Is it a unit in a sealed part of the org, into which the grant does not reach? */
static bool
is_sealed_off(const RbacGrants *full, const char *kind, int64 key)
{
	RbacGrants *grants = unconstify(RbacGrants *, full);
	int			number = grants->sealed != NULL ? rbac_reach_kind(grants, kind, strlen(kind)) : -1;

	return number >= 0 && rbac_idset_has(rbac_reach_keys(grants, grants->sealed, number), key) &&
		(grants->reach[0].org_wide || !rbac_idset_has(rbac_reach_keys(grants, &grants->reach[0], number), key));
}

/* The units that the deciding row is at, by name, and whether a seal keeps a grant out. */
static char *
row_units(const Why *why, const RbacGrants *full)
{
	const RbacProtection *form = why->question.form;
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	StringInfoData text;

	initStringInfo(&text);
	rbac_catalog_open(&scope);
	for (int u = 0; u < form->nunits; u++)
	{
		Datum		args[3];
		MemoryContext old;
		int64		key;

		if (!rbac_row_id(&why->question.row, &form->units[u].column, &key))
			continue;
		args[0] = Int64GetDatum(why->asked.org);
		args[1] = CStringGetTextDatum(form->units[u].kind);
		args[2] = Int64GetDatum(key);
		if (rbac_catalog_query(&scope, &unit_by_key, args, NULL) == 1)
		{
			char	   *name = rbac_catalog_text(0, 1);

			old = MemoryContextSwitchTo(context);
			add_part(&text, " and ", name);
			if (is_sealed_off(full, form->units[u].kind, key))
				appendStringInfoString(&text, " (sealed)");
		}
		else
		{
			old = MemoryContextSwitchTo(context);
			add_part(&text, " and ", psprintf("%s " INT64_FORMAT ", which is no unit", form->units[u].kind, key));
		}
		MemoryContextSwitchTo(old);
	}
	rbac_catalog_close(&scope);
	return text.len > 0 ? text.data : "no unit";
}

/* The relation of the deciding row's table that a permission is for; NULL if it is for all rows, or there is none. */
static const RbacRelation *
find_relation(const RbacProtection *form, const RbacPermission *permission)
{
	const char *name = &permission->text[permission->len - permission->relation_len];

	for (int r = 0; r < form->nrelations; r++)
	{
		if (strlen(form->relations[r].name) == permission->relation_len &&
			memcmp(form->relations[r].name, name, permission->relation_len) == 0)
			return &form->relations[r];
	}
	return NULL;
}

/* What a grant lacks in time, or is otherwise without; false if nothing. */
static bool
lacks_force(const Why *why, const RbacAskedGrant *grant, const RbacPermission *permission, StringInfo text)
{
	if (rbac_asked_counts(grant, permission))
		return false;
	if (grant->ends <= rbac_now())
		add_part(text, "; ", psprintf("grant ended %s", time_text(grant->ends)));
	else if (grant->begins > rbac_now())
		add_part(text, "; ", psprintf("grant begins %s", time_text(grant->begins)));
	else
		add_part(text, "; ", rbac_asked_inactive(&why->asked, grant));
	return true;
}

/*
 * Where a permission does not carry the answer by itself: what of relation and
 * place is missing; how many of the two.
 */
static int
lacks_here(Why *why, const RbacAskedGrant *grant, const RbacGrants *full, const RbacPermission *permission,
		   const RbacQuestion *question, StringInfo text)
{
	const RbacProtection *form = question->form;
	const char *name = pnstrdup(&permission->text[permission->len - permission->relation_len], permission->relation_len);
	const RbacRelation *relation;
	RbacPermission plain = *permission;
	int			n = 0;

	if (form == NULL)
	{
		add_part(text, "; ", psprintf("it is for rows with relation %s", name));
		return 1;
	}
	relation = find_relation(form, permission);
	if (permission->relation_len > 0 && relation == NULL)
	{
		add_part(text, "; ", psprintf("table %s has no relation %s", get_rel_name(form->relid), name));
		return 2;
	}
	if (!rbac_asked_carries(&why->asked, full, permission, RBAC_EVERYWHERE, question))
	{
		add_part(text, "; ", psprintf("relation %s does not hold", name));
		n++;
	}
	if (form->nunits == 0)
	{
		if (relation == NULL || (n == 0 && !relation->personal))
		{
			add_part(text, "; ", psprintf("granted at unit %s, and nothing ties this row of table %s to a unit", grant->unit,
										  get_rel_name(form->relid)));
			n++;
		}
	}
	else
	{
		const char *place = grant->org_wide ? "in the whole org" : psprintf("at unit %s", grant->unit);

		plain.len -= relation != NULL ? plain.relation_len + 1 : 0;
		plain.relation_len = 0;
		if (!rbac_asked_carries(&why->asked, full, &plain, RBAC_WHERE_GRANTED, question))
		{
			add_part(text, "; ", psprintf("granted %s, row is at %s", place, row_units(why, full)));
			n++;
		}
	}
	if (n == 0)
	{
		add_part(text, "; ", psprintf("relation %s holds, but for nobody at unit %s", name, grant->unit));
		n++;
	}
	return n;
}

/* ---- rows of the answer ---- */

static void
put_line(const Why *why, const Finding *line)
{
	Datum		values[6] = {0};
	bool		nulls[6] = {false, true, true, true, true, true};

	values[0] = CStringGetTextDatum(line->verdict);
	if (line->grant != NULL)
	{
		values[1] = Int64GetDatum(line->grant->grant_id);
		values[2] = CStringGetTextDatum(rbac_asked_chain(&why->asked, line->grant, line->permission));
		values[3] = CStringGetTextDatum(line->grant->org_wide ? "(whole org)" : line->grant->path);
		values[4] = PointerGetDatum(rbac_permission_make(line->permission));
		nulls[1] = nulls[2] = nulls[3] = nulls[4] = false;
	}
	if (line->why != NULL)
	{
		values[5] = CStringGetTextDatum(line->why);
		nulls[5] = false;
	}
	tuplestore_putvalues(why->result->setResult, why->result->setDesc, values, nulls);
}

/* A row that is about no grant. */
static void
put_text(const Why *why, const char *verdict, char *text)
{
	Finding		line = {0};

	line.verdict = verdict;
	line.why = text;

	put_line(why, &line);
}

static int
compare_lines(const void *a, const void *b)
{
	const Finding *x = (const Finding *) a;
	const Finding *y = (const Finding *) b;

	if (x->nlacks != y->nlacks)
		return x->nlacks < y->nlacks ? -1 : 1;
	if (x->grant->grant_id != y->grant->grant_id)
		return x->grant->grant_id < y->grant->grant_id ? -1 : 1;
	return rbac_permission_compare(x->permission, y->permission);
}

/* Findings under way. */
typedef struct Findings
{
	int			n;
	int			capacity;
	Finding    *items;
} Findings;

/* Try one permission of a grant. */
static void
try_permission(Why *why, RbacAskedGrant *grant, const RbacPermission *permission, RbacAskedWhere where,
			   const RbacQuestion *question, Findings *findings)
{
	const RbacGrants *full = rbac_asked_counts(grant, permission) ? grant->counted : rbac_asked_full(&why->asked, grant);
	StringInfoData text;
	Finding    *line;

	CHECK_FOR_INTERRUPTS();
	if (findings->n == findings->capacity)
	{
		findings->capacity *= 2;
		findings->items = repalloc(findings->items, sizeof(Finding) * findings->capacity);
	}
	line = &findings->items[findings->n++];
	memset(line, 0, sizeof(Finding));
	initStringInfo(&text);
	line->grant = grant;
	line->permission = memcpy(palloc(sizeof(RbacPermission)), permission, sizeof(RbacPermission));
	line->nlacks = lacks_force(why, grant, permission, &text);
	if (!rbac_asked_carries(&why->asked, full, permission, where, question))
		line->nlacks += lacks_here(why, grant, full, permission, question, &text);
	line->verdict = line->nlacks > 0 ? "lacking" : "granted";
	line->why = text.len > 0 ? text.data : NULL;
}

/* Try all permissions that are about the question: what counts of each grant, and what would if more of it did. */
static void
find_lines(Why *why, RbacAskedWhere where, const RbacQuestion *question, Findings *findings)
{
	findings->n = 0;
	findings->capacity = 16;
	findings->items = palloc(sizeof(Finding) * findings->capacity);
	for (int g = 0; g < why->asked.ngrants; g++)
	{
		RbacAskedGrant *grant = &why->asked.grants[g];
		RbacPermission permission;
		size_t		pos = 0;

		while (grant->counted != NULL && rbac_permset_next(&grant->counted->reach[0].permissions, &pos, &permission))
		{
			if (rbac_asked_about(&permission, &question->wanted))
				try_permission(why, grant, &permission, where, question, findings);
		}
		pos = 0;
		while (rbac_permset_next(&grant->permissions, &pos, &permission))
		{
			if (rbac_asked_about(&permission, &question->wanted) && !rbac_asked_counts(grant, &permission))
				try_permission(why, grant, &permission, where, question, findings);
		}
	}
	qsort(findings->items, findings->n, sizeof(Finding), compare_lines);
}

/* The names of roles of the org that have any of wanted by themselves; NULL if none has. */
static char *
roles_with(const Why *why, const RbacPermset *wanted)
{
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	StringInfoData text;
	Datum		org = Int64GetDatum(why->asked.org);
	uint64		rows;
	int			nnames = 0;

	initStringInfo(&text);
	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, &roles_of_org, &org, NULL);
	for (uint64 i = 0; i < rows && nnames <= NAMES_MAX; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);
		RbacPermission permission;
		RbacPermset set;
		size_t		pos = 0;
		bool		about = false;

		rbac_permset_view(PG_DETOAST_DATUM(value), &set);
		while (!about && rbac_permset_next(&set, &pos, &permission))
			about = rbac_asked_about(&permission, wanted);
		if (about)
		{
			char	   *name = nnames++ < NAMES_MAX ? rbac_catalog_text(i, 1) : "...";
			MemoryContext old = MemoryContextSwitchTo(context);

			add_part(&text, ", ", name);
			MemoryContextSwitchTo(old);
		}
	}
	rbac_catalog_close(&scope);
	return text.len > 0 ? text.data : NULL;
}

/* What is held of the resource of the first of wanted, in words; NULL if nothing. */
static char *
held_of_resource(const Why *why, const RbacPermission *wanted)
{
	RbacPermission *items;
	StringInfoData text;
	int			capacity = 0;
	int			n = 0;

	for (int g = 0; g < why->asked.ngrants; g++)
		capacity += rbac_permset_count(&why->asked.grants[g].permissions);
	items = palloc(sizeof(RbacPermission) * Max(capacity, 1));
	for (int g = 0; g < why->asked.ngrants; g++)
	{
		RbacPermission permission;
		size_t		pos = 0;

		while (rbac_permset_next(&why->asked.grants[g].permissions, &pos, &permission))
		{
			if (rbac_asked_counts(&why->asked.grants[g], &permission) &&
				permission.resource_len == wanted->resource_len &&
				memcmp(permission.text, wanted->text, wanted->resource_len) == 0)
				items[n++] = permission;
		}
	}
	n = rbac_permset_canonicalise(items, n);
	initStringInfo(&text);
	for (int i = 0; i < n; i++)
		add_part(&text, ", ", pnstrdup(items[i].text, items[i].len));
	return n > 0 ? text.data : NULL;
}

/* The line where no grant is about the question. */
static void
put_nothing_granted(FunctionCallInfo fcinfo, const Why *why, const RbacQuestion *question)
{
	RbacPermission wanted;
	StringInfoData text;
	char	   *names;
	size_t		pos = 0;
	bool		tells_roles = !why->asked.is_self || rbac_asked_all();

	if (!rbac_permset_next(&question->wanted, &pos, &wanted))
		return;
	initStringInfo(&text);
	if (why->asked.ngrants == 0)
		appendStringInfo(&text, "%.*s is needed, and no role is granted to %s", wanted.len, wanted.text, why->asked.name);
	else
	{
		char	   *held = held_of_resource(why, &wanted);

		appendStringInfo(&text, "%.*s is needed, and no role of %s has it; ", wanted.len, wanted.text, why->asked.name);
		if (held != NULL)
			appendStringInfo(&text, "held are %s", held);
		else
			appendStringInfo(&text, "nothing of %.*s is held", wanted.resource_len, wanted.text);
	}
	if (!tells_roles)
	{
		RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
		char		bytes[RBAC_PERMISSION_MAX + 1];
		RbacPermission view;
		RbacPermset set;

		if (check->grants != NULL && rbac_permission_parse("role.view", 9, &view) == NULL)
		{
			set = rbac_permset_of_one(&view, bytes);
			tells_roles = rbac_authz_scope(check->grants, &set, "all", 3, true, true, CurrentMemoryContext)->org_wide;
		}
	}
	names = tells_roles ? roles_with(why, &question->wanted) : NULL;
	if (names != NULL)
		appendStringInfo(&text, "; roles that have it: %s", names);
	put_text(why, "lacking", text.data);
}

/* Is the question answered with yes by all that the member has? */
static bool
is_answered(const Why *why, const RbacPermset *wanted)
{
	return rbac_row_allows(why->asked.check.rows, why->question.form, wanted, &why->question.row);
}

/* Does any of the lines carry the answer? */
static bool
is_granted(const Findings *findings)
{
	for (int i = 0; i < findings->n; i++)
	{
		if (findings->items[i].nlacks == 0)
			return true;
	}
	return false;
}

/*
 * Explain one of the questions: by what it is answered with yes, or what is
 * missing; whether it is, the caller knows.
 */
static void
put_question(FunctionCallInfo fcinfo, Why *why, const RbacPermset *wanted, bool yes)
{
	RbacQuestion question = why->question;
	Findings	findings;

	question.wanted = *wanted;
	find_lines(why, RBAC_WHERE_GRANTED, &question, &findings);
	if (yes && !is_granted(&findings))
		find_lines(why, RBAC_WHERE_SEALED, &question, &findings);
	for (int i = 0; i < findings.n; i++)
	{
		if (!yes || findings.items[i].nlacks == 0)
			put_line(why, &findings.items[i]);
	}
	if (findings.n == 0)
		put_nothing_granted(fcinfo, why, &question);
}

/* ---- the answer ---- */

static void
put_summary(const Why *why, bool allowed, char *text)
{
	put_text(why, allowed ? "allowed" : "denied", text);
}

static void
put_note(const Why *why, char *text)
{
	put_text(why, "note", text);
}

/* About a permission anywhere. */
static void
explain_anywhere(FunctionCallInfo fcinfo, Why *why)
{
	const RbacPermission *asked = &why->question.asked;
	const RbacScope *scope = rbac_authz_scope(why->asked.check.grants, &why->question.wanted,
											  asked->relation_len > 0 ? &asked->text[asked->len - asked->relation_len] : NULL,
											  asked->relation_len, asked->relation_len > 0, false, CurrentMemoryContext);
	bool		allowed = scope->org_wide || scope->nreach > 0;
	bool		everywhere = rbac_authz_scope(why->asked.check.grants, &why->question.wanted, "all", 3, true, false,
											  CurrentMemoryContext)->org_wide;

	put_summary(why, allowed, !why->asked.active ? "member is inactive" : allowed ?
				everywhere ? psprintf("%s holds %.*s in the whole org", why->asked.name, asked->len, asked->text) :
				psprintf("%s holds %.*s, for some rows or units", why->asked.name, asked->len, asked->text) :
				psprintf("%s does not hold %.*s anywhere", why->asked.name, asked->len, asked->text));
	if (why->asked.active)
		put_question(fcinfo, why, &why->question.wanted, allowed);
}

/* What can() says to the caller about themselves, under all policies. */
static bool
caller_can(FunctionCallInfo fcinfo, Oid relid, const int64 *key, const RbacPermset *wanted)
{
	RbacRowState *state = rbac_row_state(rbac_authz_check(fcinfo->flinfo), fcinfo->flinfo->fn_mcxt);
	RbacProtection *form = rbac_question_table(state, relid);
	RbacRow		row;

	return rbac_row_find(state, form, key, &row) && rbac_row_allows(state, form, wanted, &row);
}

/* The row that was asked for is there, and the caller may see it. */
static void
explain_row(FunctionCallInfo fcinfo, Why *why, const RbacRow *row, bool visible, bool decided, bool allowed)
{
	const char *table = get_rel_name(why->table->relid);
	bool		has_place = rbac_asked_place(&why->asked, why->table, row, &why->question);
	bool		seen = has_place;

	for (int v = 0; v < why->question.nviews && seen; v++)
		seen = is_answered(why, &why->question.views[v]);
	put_summary(why, allowed, !why->asked.active ? "member is inactive" :
				allowed ? psprintf("%s holds %.*s on this row of table %s", why->asked.name,
								   why->question.asked.len, why->question.asked.text, table) :
				!has_place ? psprintf("the row that this row of table %s belongs to is not there", table) :
				!visible ? psprintf("%s may not see this row of table %s", why->asked.name, table) :
				psprintf("%s may see this row of table %s, but lacks %.*s on it", why->asked.name, table,
						 why->question.asked.len, why->question.asked.text));
	if (why->asked.active && has_place)
	{
		bool		answered = is_answered(why, &why->question.wanted);

		/* the highest first: others have their place there */
		for (int v = why->question.nviews - 1; v >= 0; v--)
		{
			if (!is_answered(why, &why->question.views[v]))
				put_question(fcinfo, why, &why->question.views[v], false);
		}
		if (seen || answered)
			put_question(fcinfo, why, &why->question.wanted, answered);
		if (why->question.form != why->table)
			put_note(why, psprintf("a row of table %s is where its row of table %s is",
								   table, get_rel_name(why->question.form->relid)));
	}
	if (decided != allowed)
		put_note(why, "policies that others have made, or a role above row-level security, change the answer");
	else if (rbac_row_others_decide(why->asked.check.rows))
		put_note(why, "policies that others have made have a say too, and are not looked at here");
}

/* What is held of it, wherever. */
static void
put_held(const Why *why)
{
	for (int g = 0; g < why->asked.ngrants; g++)
	{
		const RbacAskedGrant *grant = &why->asked.grants[g];
		RbacPermission permission;
		size_t		pos = 0;

		while (grant->counted != NULL && rbac_permset_next(&grant->counted->reach[0].permissions, &pos, &permission))
		{
			Finding		line = {.verdict = "held",.grant = grant,.permission = &permission};

			if (rbac_asked_about(&permission, &why->question.wanted))
				put_line(why, &line);
		}
	}
}

/* The caller may not see it: what is said does not depend on it. */
static void
explain_unseen(FunctionCallInfo fcinfo, Why *why, bool allowed)
{
	const char *table = get_rel_name(why->table->relid);
	const RbacScope *scope = rbac_authz_scope(why->asked.check.grants, &why->question.wanted, NULL, 0, false, false,
											  CurrentMemoryContext);

	put_summary(why, allowed, !why->asked.active ? "member is inactive" :
				psprintf(allowed ? "on a row of table %s that you may not see" :
						 "this row of table %s is not there, or you may not see it", table));
	if (why->asked.active && !scope->org_wide && scope->nreach == 0)
		put_question(fcinfo, why, &why->question.wanted, false);
	else if (why->asked.active)
		put_held(why);
}

/*
 * chat_rbac.explain_access(member bigint, permission, relation regclass, VARIADIC key bigint[])
 *	-> SETOF (verdict, grant_id, role, unit, held, why)
 *		The first row is the answer, "allowed" or "denied"; then "granted": what
 *		carries it, or "lacking": what does not, and why, the nearest first.  Of a
 *		row that the caller may not see: "held", what is held wherever.  42501 about
 *		others without role.view in the whole org; 42704: no such member.
 */
Datum
chat_rbac_explain_access(PG_FUNCTION_ARGS)
{
	Why			why = {0};
	RbacAsked  *asked = &why.asked;
	char		bytes[RBAC_PERMISSION_MAX + 1];
	int64	   *key;
	int			nkeys;
	bool		visible;
	bool		decided;
	bool		allowed;
	bool		is_there;
	RbacRow		row;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a member and a permission must be given")));
	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(1), &why.question.asked);
	why.question.wanted = rbac_permset_of_one(&why.question.asked, bytes);
	rbac_asked_who(fcinfo->flinfo, PG_GETARG_INT64(0), asked);
	InitMaterializedSRF(fcinfo, 0);
	why.result = (ReturnSetInfo *) fcinfo->resultinfo;
	rbac_asked_load(asked);
	rbac_asked_load_grants(asked);
	key = rbac_question_ids(PG_GETARG_ARRAYTYPE_P(3), &nkeys);
	if (PG_ARGISNULL(2))
	{
		if (nkeys > 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a key is given, but no table")));
		explain_anywhere(fcinfo, &why);
		return (Datum) 0;
	}

	rbac_question_check_plain(&why.question.asked);
	why.table = rbac_question_table(asked->check.rows, PG_GETARG_OID(2));
	rbac_question_check_key(why.table, nkeys);
	visible = rbac_row_find(asked->check.rows, why.table, key, &row);
	decided = visible && rbac_row_allows(asked->check.rows, why.table, &why.question.wanted, &row);
	allowed = asked->is_self ? caller_can(fcinfo, PG_GETARG_OID(2), key, &why.question.wanted) : decided;
	is_there = rbac_asked_read(asked, why.table, key, &row);
	if (is_there && rbac_asked_is_seen(fcinfo->flinfo, PG_GETARG_OID(2), key))
		explain_row(fcinfo, &why, &row, visible, decided, allowed);
	else
		explain_unseen(fcinfo, &why, allowed);
	return (Datum) 0;
}

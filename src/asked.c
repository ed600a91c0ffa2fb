/*-------------------------------------------------------------------------
 *
 * src/asked.c
 *	  Somebody who is asked about, grant by grant.
 *
 * Why a member may do something, and what is missing where not, is found out by
 * putting the question to the decision again and again: with one grant only, as
 * compile.c makes of it, and with one permission of it only.  Grants add up and
 * nothing takes away, so what all of them allow, one of these allows alone; but
 * where a row is at several sealed units, each may be another grant's.
 *
 * Others than the caller are asked about past all policies: rows are read as
 * their table's owner and judged in C, by that member's grants.  Nothing that
 * others have written runs in between, and no setting changes.
 *
 * Everything lives in the context that is current when it is made.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static RbacQuery member_of_org = {
	"SELECT m.name, m.active FROM chat_rbac.member m"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, INT8OID}, NULL
};

static RbacQuery orgs_of_member = {
	"SELECT m.org_id FROM chat_rbac.member m WHERE m.member_id OPERATOR(pg_catalog.=) $1 LIMIT 2",
	1, {INT8OID}, NULL
};

static RbacQuery some_orgs = {
	"SELECT o.org_id FROM chat_rbac.org o LIMIT 2", 0, {0}, NULL
};

static RbacQuery grants_of_member = {
	"SELECT g.grant_id, g.role_id, g.unit_id, pg_catalog.lower(g.valid), pg_catalog.upper(g.valid),"
	" g.valid OPERATOR(pg_catalog.@>) $3, u.name,"
	" (WITH RECURSIVE up(parent_id, path, n) AS ("
	"   SELECT u.parent_id, u.name, 1"
	"   UNION ALL SELECT p.parent_id, p.name OPERATOR(pg_catalog.||) ' / ' OPERATOR(pg_catalog.||) up.path, up.n OPERATOR(pg_catalog.+) 1"
	"   FROM up JOIN chat_rbac.unit p ON p.org_id OPERATOR(pg_catalog.=) $1 AND p.unit_id OPERATOR(pg_catalog.=) up.parent_id)"
	"  SELECT up.path FROM up ORDER BY up.n USING OPERATOR(pg_catalog.>) LIMIT 1),"
	" g.shift, g.shift::pg_catalog.text"
	" FROM chat_rbac.role_grant g"
	" LEFT JOIN chat_rbac.unit u ON u.org_id OPERATOR(pg_catalog.=) g.org_id AND u.unit_id OPERATOR(pg_catalog.=) g.unit_id"
	" WHERE g.org_id OPERATOR(pg_catalog.=) $1 AND g.member_id OPERATOR(pg_catalog.=) $2"
	" ORDER BY g.grant_id USING OPERATOR(pg_catalog.<)",
	3, {INT8OID, INT8OID, TIMESTAMPTZOID}, NULL
};

/* The roles that a member's grants lead to, each with its direct juniors. */
static RbacQuery roles_of_member = {
	"WITH RECURSIVE c(role_id) AS ("
	" SELECT g.role_id FROM chat_rbac.role_grant g"
	"  WHERE g.org_id OPERATOR(pg_catalog.=) $1 AND g.member_id OPERATOR(pg_catalog.=) $2"
	" UNION SELECT i.junior_id FROM c CROSS JOIN LATERAL (SELECT i.junior_id FROM chat_rbac.role_inherit i"
	"  WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) c.role_id OFFSET 0) AS i)"
	" SELECT r.role_id, r.name, r.permissions,"
	"  ARRAY(SELECT i.junior_id FROM chat_rbac.role_inherit i"
	"   WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) r.role_id)"
	" FROM c CROSS JOIN LATERAL (SELECT r.role_id, r.name, r.permissions FROM chat_rbac.role r"
	"  WHERE r.org_id OPERATOR(pg_catalog.=) $1 AND r.role_id OPERATOR(pg_catalog.=) c.role_id OFFSET 0) AS r",
	2, {INT8OID, INT8OID}, NULL
};

static RbacQuery roles_of_org = {
	"SELECT r.role_id, r.name, r.permissions,"
	"  ARRAY(SELECT i.junior_id FROM chat_rbac.role_inherit i"
	"   WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) r.role_id)"
	" FROM chat_rbac.role r WHERE r.org_id OPERATOR(pg_catalog.=) $1",
	1, {INT8OID}, NULL
};

/* The dynamic separations that have one of the roles $2. */
static RbacQuery separations_of_roles = {
	"SELECT pg_catalog.string_agg(s.name, ', ' ORDER BY s.name USING OPERATOR(pg_catalog.<)) FROM chat_rbac.separation s"
	" WHERE s.org_id OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) 'dynamic'"
	" AND EXISTS (SELECT FROM chat_rbac.separation_role r WHERE r.org_id OPERATOR(pg_catalog.=) $1"
	"  AND r.separation_id OPERATOR(pg_catalog.=) s.separation_id AND r.role_id OPERATOR(pg_catalog.=) ANY ($2))",
	2, {INT8OID, INT8ARRAYOID}, NULL
};

/* ---- who may ask about whom ---- */

/* Is the caller past all checks, as on the tables themselves? */
bool
rbac_asked_all(void)
{
	return superuser() || rbac_is_owner(rbac_catalog_relation("member"), GetUserId());
}

/* For who is past all checks and in no org: the only org that a query finds. */
static int64
only_org(RbacQuery *query, Datum *args, const char *what)
{
	RbacCatalogScope scope;
	uint64		rows;
	int64		org;

	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, query, args, NULL);
	org = rows > 0 ? rbac_catalog_int64(0, 1, NULL) : 0;
	rbac_catalog_close(&scope);
	if (rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no %s", what)));
	if (rows > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("more than one org has %s", what),
				 errhint("Set chat_rbac.identity to a member of the org that is meant.")));
	return org;
}

/*
 * rbac_asked_org
 *		The org that the caller may ask about as a whole: their own, with
 *		role.view in all of it; a superuser in no org asks about the only one.
 *		42501 for others; deed says what they may not do.
 */
int64
rbac_asked_org(FmgrInfo *flinfo, const char *deed)
{
	RbacCheck  *check;

	if (!rbac_asked_all())
		return rbac_authz_require(flinfo, "role.view", deed)->grants->org;
	check = rbac_authz_check(flinfo);
	return check->grants != NULL ? check->grants->org : only_org(&some_orgs, NULL, "members");
}

static bool
find_member(RbacAsked *asked)
{
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	Datum		args[2];
	bool		found;

	args[0] = Int64GetDatum(asked->org);
	args[1] = Int64GetDatum(asked->member);
	rbac_catalog_open(&scope);
	found = rbac_catalog_query(&scope, &member_of_org, args, NULL) == 1;
	if (found)
	{
		asked->name = MemoryContextStrdup(context, rbac_catalog_text(0, 1));
		asked->active = rbac_catalog_bool(0, 2);
	}
	rbac_catalog_close(&scope);
	return found;
}

/*
 * rbac_asked_who
 *		Begin an answer about a member: of the caller's org, the caller or, with
 *		role.view in the whole org, anybody.  Superusers ask about everybody.
 *		42501 for who may not, 42704 where there is no such member.
 */
void
rbac_asked_who(FmgrInfo *flinfo, int64 member, RbacAsked *asked)
{
	RbacCheck  *check = rbac_authz_check(flinfo);
	bool		all = rbac_asked_all();

	memset(asked, 0, sizeof(RbacAsked));
	asked->member = member;
	asked->is_self = check->grants != NULL && check->grants->member == member;
	if (!asked->is_self && !all)
		check = rbac_authz_require(flinfo, "role.view", "ask about another member");
	if (check->grants != NULL)
	{
		asked->org = check->grants->org;
		if (find_member(asked))
			return;
	}
	if (all)
	{
		Datum		arg = Int64GetDatum(member);

		asked->org = only_org(&orgs_of_member, &arg, psprintf("member " INT64_FORMAT, member));
		if (find_member(asked))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("org " INT64_FORMAT " has no member " INT64_FORMAT, asked->org, member)));
}

/* ---- what they hold ---- */

static int
find_role(const RbacAsked *asked, int64 role_id)
{
	for (int i = 0; i < asked->nroles; i++)
	{
		if (asked->roles[i].role_id == role_id)
			return i;
	}
	return -1;
}

static void
load_roles(RbacAsked *asked, const RbacCatalogScope *scope, RbacQuery *query, MemoryContext context)
{
	Datum		args[2] = {Int64GetDatum(asked->org), Int64GetDatum(asked->member)};
	uint64		rows = rbac_catalog_query(scope, query, args, NULL);
	MemoryContext old = MemoryContextSwitchTo(context);

	asked->roles = palloc0(sizeof(RbacAskedRole) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		RbacAskedRole *role = &asked->roles[asked->nroles++];
		bool		isnull;
		Datum		set = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, &isnull);

		role->role_id = rbac_catalog_int64(i, 1, NULL);
		role->name = rbac_catalog_text(i, 2);
		rbac_permset_view(PG_DETOAST_DATUM_COPY(set), &role->permissions);
	}
	asked->edges = rbac_compile_edges(rows, &asked->nedges);
	MemoryContextSwitchTo(old);
}

static void
load_grants(RbacAsked *asked, const RbacCatalogScope *scope, MemoryContext context)
{
	Datum		args[3] = {Int64GetDatum(asked->org), Int64GetDatum(asked->member), TimestampTzGetDatum(rbac_now())};
	uint64		rows = rbac_catalog_query(scope, &grants_of_member, args, NULL);
	MemoryContext old = MemoryContextSwitchTo(context);

	asked->grants = palloc0(sizeof(RbacAskedGrant) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		RbacAskedGrant *grant = &asked->grants[asked->ngrants];
		Datum		shift;
		bool		isnull;

		grant->grant_id = rbac_catalog_int64(i, 1, NULL);
		grant->role = find_role(asked, rbac_catalog_int64(i, 2, NULL));
		grant->unit_id = rbac_catalog_int64(i, 3, &grant->org_wide);
		grant->begins = rbac_catalog_int64(i, 4, &isnull);
		if (isnull)
			grant->begins = DT_NOBEGIN;
		grant->ends = rbac_catalog_int64(i, 5, &isnull);
		if (isnull)
			grant->ends = DT_NOEND;
		grant->in_time = rbac_catalog_bool(i, 6);
		grant->unit = rbac_catalog_text(i, 7);
		grant->path = rbac_catalog_text(i, 8);
		shift = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 9, &isnull);
		if (!isnull)
		{
			grant->shift = rbac_catalog_text(i, 10);
			grant->on_shift = rbac_clock_judge(PG_DETOAST_DATUM_PACKED(shift), rbac_now(), &grant->shift_changes);
		}
		if (grant->role >= 0)
			asked->ngrants++;
	}
	MemoryContextSwitchTo(old);
}

/* What a role has with all that it inherits, in the current context. */
static RbacPermset
closure_of(const RbacAsked *asked, int role)
{
	bool	   *marked = palloc0(asked->nroles);
	int			capacity = 0;
	int			n = 0;
	RbacPermission *items;
	RbacPermset result;
	char	   *bytes;

	rbac_closure_mark(asked->edges, asked->nedges, role, asked->nroles, marked);
	for (int i = 0; i < asked->nroles; i++)
		capacity += marked[i] ? rbac_permset_count(&asked->roles[i].permissions) : 0;
	items = palloc(sizeof(RbacPermission) * Max(capacity, 1));
	for (int i = 0; i < asked->nroles; i++)
	{
		size_t		pos = 0;

		while (marked[i] && n < capacity && rbac_permset_next(&asked->roles[i].permissions, &pos, &items[n]))
			n++;
	}
	n = rbac_permset_canonicalise(items, n);
	result.size = rbac_permset_packed_size(items, n);
	bytes = palloc(Max(result.size, 1));
	rbac_permset_pack(items, n, bytes);
	result.data = bytes;
	pfree(items);
	pfree(marked);
	return result;
}

/* The caller asks as the session does, narrowing included; others with all that they have. */
static void
take_asker(const RbacAsked *asked, RbacAsker *asker)
{
	if (asked->is_self)
	{
		rbac_token_asker(asker);
		return;
	}
	memset(asker, 0, sizeof(RbacAsker));
	asker->identity.source = RBAC_BY_SETTING;
	asker->identity.org = asked->org;
	asker->identity.member = asked->member;
	asker->active_roles = "";
}

/*
 * rbac_asked_load
 *		Read what a member holds altogether.  May throw.
 */
void
rbac_asked_load(RbacAsked *asked)
{
	RbacAsker	asker;

	take_asker(asked, &asker);
	asked->check.grants = rbac_grants_compile(&asker, NULL);
	asked->check.past = &asked->check;
	asked->active = asked->check.grants->standing == RBAC_ACTIVE;
	(void) rbac_row_state(&asked->check, CurrentMemoryContext);
}

/*
 * rbac_asked_load_grants
 *		And now grant by grant, with what each adds alone.  May throw.
 */
void
rbac_asked_load_grants(RbacAsked *asked)
{
	RbacCatalogScope scope;
	MemoryContext context = CurrentMemoryContext;
	RbacAsker	asker;

	rbac_catalog_open(&scope);
	load_roles(asked, &scope, &roles_of_member, context);
	load_grants(asked, &scope, context);
	rbac_catalog_close(&scope);
	take_asker(asked, &asker);
	for (int i = 0; i < asked->ngrants; i++)
	{
		RbacAskedGrant *grant = &asked->grants[i];
		RbacGrants *alone;

		grant->permissions = closure_of(asked, grant->role);
		if (!asked->active || !grant->in_time)
			continue;
		alone = rbac_grants_compile(&asker, &grant->grant_id);
		if (alone->nreach > 0 && alone->reach[0].permissions.size > 0)
			grant->counted = alone;
	}
}

/* Is a permission of the grant's role among what it adds to the answer? */
bool
rbac_asked_counts(const RbacAskedGrant *grant, const RbacPermission *permission)
{
	return grant->counted != NULL && rbac_permset_covers(&grant->counted->reach[0].permissions, permission);
}

/* The grant as if it counted, with all that its role has.  May throw. */
const RbacGrants *
rbac_asked_full(const RbacAsked *asked, RbacAskedGrant *grant)
{
	if (grant->full == NULL)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac grants", ALLOCSET_SMALL_SIZES);
		RbacGrants *full = MemoryContextAllocZero(context, sizeof(RbacGrants));

		full->context = context;
		full->identity = asked->check.grants->identity;
		full->standing = RBAC_ACTIVE;
		full->org = asked->org;
		full->member = asked->member;
		full->made_at = rbac_now();
		full->valid_until = DT_NOEND;
		full->nreach = 1;
		full->reach = MemoryContextAllocZero(context, sizeof(RbacReach));
		full->reach[0].org_wide = grant->org_wide;
		full->reach[0].unit_id = grant->unit_id;
		full->reach[0].permissions = grant->permissions;
		rbac_compile_units(full);
		grant->full = full;
	}
	return grant->full;
}

/* Does a role have just this permission by itself?  A wider one may not count now, so it will not do. */
static bool
has_itself(const RbacAskedRole *role, const RbacPermission *permission)
{
	RbacPermission own;
	size_t		pos = 0;

	while (rbac_permset_next(&role->permissions, &pos, &own))
	{
		if (rbac_permission_compare(&own, permission) == 0)
			return true;
	}
	return false;
}

/* The names from the granted role down to the nearest that has the permission by itself, as "Manager > Agent". */
const char *
rbac_asked_chain(const RbacAsked *asked, const RbacAskedGrant *grant, const RbacPermission *permission)
{
	int		   *above = palloc(sizeof(int) * asked->nroles);
	int		   *queue = palloc(sizeof(int) * asked->nroles);
	int			head = 0;
	int			tail = 0;
	char	   *chain;

	for (int i = 0; i < asked->nroles; i++)
		above[i] = -1;
	above[grant->role] = grant->role;
	queue[tail++] = grant->role;
	while (head < tail && !has_itself(&asked->roles[queue[head]], permission))
	{
		for (int e = 0; e < asked->nedges; e++)
		{
			int			junior = asked->edges[e].junior;

			if (asked->edges[e].senior != queue[head] || above[junior] >= 0)
				continue;
			above[junior] = queue[head];
			queue[tail++] = junior;
		}
		head++;
	}
	if (head == tail)
		return asked->roles[grant->role].name;
	chain = asked->roles[queue[head]].name;
	for (int i = queue[head]; i != grant->role; i = above[i])
		chain = psprintf("%s > %s", asked->roles[above[i]].name, chain);
	return chain;
}

/* Does the member hold, by grants that count, what sets shifts aside? */
static bool
is_exempt(const RbacAsked *asked)
{
	static const char exempt[] = "shift.exempt";
	RbacPermission wanted;

	(void) rbac_permission_parse(exempt, strlen(exempt), &wanted);
	for (int i = 0; i < asked->check.grants->nreach; i++)
	{
		if (rbac_permset_covers(&asked->check.grants->reach[i].permissions, &wanted))
			return true;
	}
	return false;
}

/* Until when a grant counts that does: its end, or that of the shift. */
TimestampTz
rbac_asked_counts_until(const RbacAsked *asked, const RbacAskedGrant *grant)
{
	return grant->shift == NULL || is_exempt(asked) ? grant->ends : Min(grant->ends, grant->shift_changes);
}

/*
 * rbac_asked_inactive
 *		Why a grant in its time does not count, in words: its shift, what narrows
 *		the session, or the dynamic separations that its role has to do with.
 */
const char *
rbac_asked_inactive(const RbacAsked *asked, const RbacAskedGrant *grant)
{
	MemoryContext context = CurrentMemoryContext;
	const RbacGrants *grants = asked->check.grants;
	bool	   *marked = palloc0(asked->nroles);
	int64	   *ids = palloc(sizeof(int64) * asked->nroles);
	int			nids = 0;
	RbacCatalogScope scope;
	Datum		args[2];
	char	   *names;

	if (grant->shift != NULL && !grant->on_shift && !is_exempt(asked))
		return psprintf("off shift, which is %s", grant->shift);
	if (grants->active_roles[0] != '\0' || grants->token_roles != NULL)
		return "role is not active in this session";
	rbac_closure_mark(asked->edges, asked->nedges, grant->role, asked->nroles, marked);
	for (int i = 0; i < asked->nroles; i++)
	{
		if (marked[i])
			ids[nids++] = asked->roles[i].role_id;
	}
	args[0] = Int64GetDatum(asked->org);
	args[1] = rbac_compile_array(ids, nids);
	rbac_catalog_open(&scope);
	rbac_catalog_query(&scope, &separations_of_roles, args, NULL);
	names = rbac_catalog_text(0, 1);
	if (names != NULL)
		names = MemoryContextStrdup(context, names);
	rbac_catalog_close(&scope);
	return names != NULL ? psprintf("role is left inactive by separation %s", names) :
		"grant does not count at this time";
}

/* Is a permission about any of wanted, for whichever rows? */
bool
rbac_asked_about(const RbacPermission *permission, const RbacPermset *wanted)
{
	RbacPermission plain = *permission;
	RbacPermission one;
	size_t		pos = 0;

	plain.relation_len = 0;
	while (rbac_permset_next(wanted, &pos, &one))
	{
		if (rbac_permission_covers(&plain, &one))
			return true;
	}
	return false;
}

/* The ids of an org's roles that have, or inherit, a permission that is about wanted, as bigint[]. */
Datum
rbac_asked_roles(int64 org, const RbacPermset *wanted)
{
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	RbacAsked	all = {.org = org};
	int64	   *ids;
	int			nids = 0;

	rbac_catalog_open(&scope);
	load_roles(&all, &scope, &roles_of_org, context);
	rbac_catalog_close(&scope);
	ids = palloc(sizeof(int64) * Max(all.nroles, 1));
	for (int i = 0; i < all.nroles; i++)
	{
		RbacPermset set = closure_of(&all, i);
		RbacPermission permission;
		bool		about = false;
		size_t		pos = 0;

		while (!about && rbac_permset_next(&set, &pos, &permission))
			about = rbac_asked_about(&permission, wanted);
		if (about)
			ids[nids++] = all.roles[i].role_id;
	}
	return rbac_compile_array(ids, nids);
}

/* ---- the row that decides ---- */

/* The first row of the asked-about org with these values, whoever may see it. */
static bool
read_row(const RbacAsked *asked, RbacProtection *form, int nkeys, const RbacColumn *keys,
		 const int64 *values, RbacRow *out)
{
	int			nrows;
	RbacRow    *rows = rbac_fetch_past(form, nkeys, keys, values, &nrows);

	for (int i = 0; i < nrows; i++)
	{
		int64		org;

		if (form->org.attnum != InvalidAttrNumber &&
			(!rbac_row_id(&rows[i], &form->org, &org) || org != asked->org))
			continue;
		*out = rows[i];
		return true;
	}
	return false;
}

/* The row that has this primary key (but for the org), whoever may see it. */
bool
rbac_asked_read(RbacAsked *asked, RbacProtection *form, const int64 *key, RbacRow *out)
{
	RbacColumn	columns[RBAC_KEYS_MAX];
	int64		values[RBAC_KEYS_MAX];
	int			n = 0;

	if (form->org.attnum != InvalidAttrNumber)
	{
		columns[n] = form->org;
		values[n++] = asked->org;
	}
	for (int i = 0; i < form->nkeys; i++)
	{
		columns[n] = form->keys[i];
		values[n++] = key[i];
	}
	return read_row(asked, form, n, columns, values, out);
}

/* May the caller see a row that is there, and all that is told of it? */
bool
rbac_asked_is_seen(FmgrInfo *flinfo, Oid relid, const int64 *key)
{
	RbacRowState *state;
	RbacProtection *form;
	RbacRow		row;

	if (superuser())
		return true;
	state = rbac_row_state(rbac_authz_check(flinfo), flinfo->fn_mcxt);
	form = rbac_question_table(state, relid);
	if (!rbac_row_find(state, form, key, &row))
		return false;
	/* the answer tells of all its columns, and of the rows that it belongs to */
	for (; form != NULL; form = OidIsValid(form->parent) ? rbac_row_protection(state, form->parent) : NULL)
	{
		if (pg_class_aclcheck(form->relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK ||
			(OidIsValid(form->parent) && !rbac_protection_only_ours(form, GetUserId())))
			return false;
	}
	return true;
}

static void
add_view(RbacQuestion *question, const RbacProtection *form)
{
	if (form->view.size == 0)
		return;
	question->views = question->views == NULL ? palloc(sizeof(RbacPermset)) :
		repalloc(question->views, sizeof(RbacPermset) * (question->nviews + 1));
	question->views[question->nviews++] = form->view;
}

/*
 * rbac_asked_place
 *		From a row to the one that decides about it: itself, or its parent's
 *		parent and so on; false if that is not there.
 */
bool
rbac_asked_place(RbacAsked *asked, RbacProtection *form, const RbacRow *row, RbacQuestion *question)
{
	RbacRow		at = *row;

	while (OidIsValid(form->parent))
	{
		RbacProtection *above = rbac_row_protection(asked->check.rows, form->parent);
		RbacColumn	columns[2];
		int64		values[2];
		int			n = 0;

		add_view(question, form);
		if (form->parent_org.attnum != InvalidAttrNumber)
		{
			columns[n] = form->parent_org;
			values[n++] = asked->org;
		}
		columns[n] = form->parent_key;
		if (above == NULL || !rbac_row_id(&at, &form->parent_column, &values[n]) ||
			!read_row(asked, above, n + 1, columns, values, &at))
			return false;
		form = above;
	}
	add_view(question, form);
	question->form = form;
	question->row = at;
	return true;
}

/* ---- one permission of one grant ---- */

/*
 * rbac_asked_carries
 *		Does this permission of a grant answer the question with yes by itself?
 *		grants are of that grant alone.
 */
bool
rbac_asked_carries(RbacAsked *asked, const RbacGrants *grants, const RbacPermission *permission,
				   RbacAskedWhere where, const RbacQuestion *question)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac one grant", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	char		bytes[RBAC_PERMISSION_MAX + 1];
	RbacGrants	one = *grants;
	RbacReach	reach = grants->reach[0];
	RbacReach	sealed;
	RbacCheck	check = {0};
	bool		result;

	/* nothing that is made on demand is shared */
	rbac_permset_pack(permission, 1, bytes);
	reach.permissions.data = bytes;
	reach.permissions.size = rbac_permset_packed_size(permission, 1);
	reach.keys_by_kind = NULL;
	reach.people = NULL;
	if (grants->sealed != NULL)
	{
		sealed = *grants->sealed;
		sealed.keys_by_kind = NULL;
		one.sealed = &sealed;
	}
	if (where == RBAC_WHERE_SEALED && one.sealed != NULL)
	{
		RbacUnitKey *keys = palloc(sizeof(RbacUnitKey) * Max(reach.nkeys, 1));
		int			nkeys = 0;

		one.context = context;
		for (int i = 0; i < reach.nkeys; i++)
		{
			if (rbac_idset_has(rbac_reach_keys(&one, &sealed, reach.keys[i].kind), reach.keys[i].key))
				keys[nkeys++] = reach.keys[i];
		}
		reach.keys = keys;
		reach.nkeys = nkeys;
		reach.org_wide = false;
		one.sealed = NULL;
	}
	else if (where == RBAC_EVERYWHERE)
	{
		reach.org_wide = true;
		reach.nkeys = 0;
		one.sealed = NULL;
	}
	one.nreach = 1;
	one.reach = &reach;
	one.members = NULL;
	one.scopes = NULL;
	one.nscopes = 0;
	one.context = context;

	if (question->form == NULL)
	{
		const RbacPermission *plain = &question->asked;
		const RbacScope *scope = rbac_authz_scope(&one, &question->wanted,
												  plain->relation_len > 0 ? &plain->text[plain->len - plain->relation_len] : NULL,
												  plain->relation_len, plain->relation_len > 0, false, context);

		result = scope->org_wide || scope->nreach > 0;
	}
	else
	{
		check.grants = &one;
		check.past = &asked->check;
		result = rbac_row_allows(rbac_row_state(&check, context), question->form, &question->wanted, &question->row);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

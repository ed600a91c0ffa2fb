/*-------------------------------------------------------------------------
 *
 * src/compile.c
 *	  A member's grants, read from the tables and compiled.
 *
 * Reads who the identity is, what is granted, the roles below and the units
 * below, and adds up per unit where a role is granted the closure of
 * permissions and the keys of the units at and below it.
 *
 * All results live in the entry's context; working memory is that of SPI or of
 * the caller.  Time is that of the client's statement, and every bound that is
 * still to come shortens the entry's validity.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"
#include "activation.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A role reachable from the member's grants, while an entry is built. */
typedef struct RoleNode
{
	int64		role_id;
	char	   *name;
	RbacPermset permissions;
	bool		in_token;		/* the token names it, or does not narrow */
	bool		active;			/* named in active_roles, or none is */
} RoleNode;

/* A grant that counts now, while an entry is built. */
typedef struct GrantRow
{
	int64		role_id;
	bool		org_wide;
	int64		unit_id;
	bool		valid_now;
	bool		in_shift;		/* or has none */
	bool		keeps_hours;	/* has one, which binds */
	int64		grant_id;
} GrantRow;

/* Are there roles that may not be active together? */
#define ORG_SEPARATES \
	"EXISTS (SELECT FROM chat_rbac.separation s" \
	" WHERE s.org_id OPERATOR(pg_catalog.=) m.org_id AND s.kind OPERATOR(pg_catalog.=) 'dynamic')"

/* Are there units into which no grant from above reaches? */
#define ORG_SEALS \
	"EXISTS (SELECT FROM chat_rbac.unit u WHERE u.org_id OPERATOR(pg_catalog.=) m.org_id AND u.sealed)"

static RbacQuery member_by_id = {
	"SELECT m.org_id, m.member_id, o.name, m.name, m.active, m.tokens_valid_from, " ORG_SEPARATES ", " ORG_SEALS
	" FROM chat_rbac.member m JOIN chat_rbac.org o ON o.org_id OPERATOR(pg_catalog.=) m.org_id"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, INT8OID}, NULL
};

static RbacQuery member_by_login = {
	"SELECT m.org_id, m.member_id, o.name, m.name, m.active, m.tokens_valid_from, " ORG_SEPARATES ", " ORG_SEALS
	" FROM chat_rbac.member m JOIN chat_rbac.org o ON o.org_id OPERATOR(pg_catalog.=) m.org_id"
	" WHERE m.login OPERATOR(pg_catalog.=) $1",
	1, {OIDOID}, NULL
};

/* Grants that are over never come back; those to come say when. */
static RbacQuery grants_of_member = {
	"SELECT g.role_id, g.unit_id, pg_catalog.lower(g.valid), pg_catalog.upper(g.valid),"
	" g.valid OPERATOR(pg_catalog.@>) $3, g.shift, g.grant_id"
	" FROM chat_rbac.role_grant g"
	" WHERE g.org_id OPERATOR(pg_catalog.=) $1 AND g.member_id OPERATOR(pg_catalog.=) $2"
	" AND (pg_catalog.upper_inf(g.valid) OR pg_catalog.upper(g.valid) OPERATOR(pg_catalog.>) $3)",
	3, {INT8OID, INT8OID, TIMESTAMPTZOID}, NULL
};

/*
 * The walks below know nothing of how much they will find, and a planner that
 * guesses high would hash a whole org for a handful of rows.  OFFSET 0 keeps
 * each step a look-up by key.
 */

/* The roles $2 and all that they inherit, each with its direct juniors. */
static RbacQuery roles_below = {
	"WITH RECURSIVE c(role_id) AS ("
	" SELECT r FROM pg_catalog.unnest($2) AS r"
	" UNION SELECT i.junior_id FROM c CROSS JOIN LATERAL (SELECT i.junior_id FROM chat_rbac.role_inherit i"
	"  WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) c.role_id OFFSET 0) AS i)"
	" SELECT r.role_id, r.name, r.permissions,"
	"  ARRAY(SELECT i.junior_id FROM chat_rbac.role_inherit i"
	"   WHERE i.org_id OPERATOR(pg_catalog.=) $1 AND i.senior_id OPERATOR(pg_catalog.=) r.role_id)"
	" FROM c CROSS JOIN LATERAL (SELECT r.role_id, r.name, r.permissions FROM chat_rbac.role r"
	"  WHERE r.org_id OPERATOR(pg_catalog.=) $1 AND r.role_id OPERATOR(pg_catalog.=) c.role_id OFFSET 0) AS r",
	2, {INT8OID, INT8ARRAYOID}, NULL
};

/* Each unit of $2 with the units at and below it, as far as a grant there reaches. */
static RbacQuery units_below = {
	"WITH RECURSIVE s(root_id, unit_id) AS ("
	" SELECT r, r FROM pg_catalog.unnest($2) AS r"
	" UNION SELECT s.root_id, u.unit_id FROM s CROSS JOIN LATERAL (SELECT u.unit_id FROM chat_rbac.unit u"
	"  WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.parent_id OPERATOR(pg_catalog.=) s.unit_id AND NOT u.sealed OFFSET 0) AS u)"
	" SELECT s.root_id, u.key, u.kind"
	" FROM s CROSS JOIN LATERAL (SELECT u.key, u.kind FROM chat_rbac.unit u"
	"  WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.unit_id OPERATOR(pg_catalog.=) s.unit_id OFFSET 0) AS u"
	" ORDER BY s.root_id USING OPERATOR(pg_catalog.<)",
	2, {INT8OID, INT8ARRAYOID}, NULL
};

/* The sealed units, and all that is below them. */
static RbacQuery sealed_units = {
	"WITH RECURSIVE s(unit_id, key, kind) AS ("
	" SELECT u.unit_id, u.key, u.kind FROM chat_rbac.unit u WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.sealed"
	" UNION SELECT u.unit_id, u.key, u.kind FROM s CROSS JOIN LATERAL (SELECT u.unit_id, u.key, u.kind FROM chat_rbac.unit u"
	"  WHERE u.org_id OPERATOR(pg_catalog.=) $1 AND u.parent_id OPERATOR(pg_catalog.=) s.unit_id OFFSET 0) AS u)"
	" SELECT s.unit_id, s.key, s.kind FROM s",
	1, {INT8OID}, NULL
};

/* ---- reading and compiling ---- */

/* The union of the marked nodes' permissions, in context. */
static RbacPermset
union_permissions(MemoryContext context, const RoleNode *nodes, int nnodes,
				  const bool *marked)
{
	RbacPermission *items;
	RbacPermset result;
	int			capacity = 0;
	int			nitems = 0;
	char	   *data;

	for (int i = 0; i < nnodes; i++)
	{
		if (marked[i])
			capacity += rbac_permset_count(&nodes[i].permissions);
	}
	items = palloc(sizeof(RbacPermission) * Max(capacity, 1));
	for (int i = 0; i < nnodes; i++)
	{
		size_t		pos = 0;

		if (!marked[i])
			continue;
		while (nitems < capacity &&
			   rbac_permset_next(&nodes[i].permissions, &pos, &items[nitems]))
			nitems++;
	}

	nitems = rbac_permset_canonicalise(items, nitems);
	result.size = rbac_permset_packed_size(items, nitems);
	data = MemoryContextAlloc(context, Max(result.size, 1));
	rbac_permset_pack(items, nitems, data);
	result.data = data;
	pfree(items);
	return result;
}

static int
find_node(const RoleNode *nodes, int nnodes, int64 role_id)
{
	for (int i = 0; i < nnodes; i++)
	{
		if (nodes[i].role_id == role_id)
			return i;
	}
	return -1;
}

/* A Datum of bigint[] in the current context. */
Datum
rbac_compile_array(const int64 *ids, int nids)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(nids, 1));

	for (int i = 0; i < nids; i++)
		values[i] = Int64GetDatum(ids[i]);
	return PointerGetDatum(construct_array(values, nids, INT8OID, sizeof(int64),
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Time alone changes the answer at a bound, in a column of the last query, that is still to come. */
void
rbac_compile_note_bound(RbacGrants *grants, uint64 row, int column)
{
	bool		isnull;
	int64		bound = rbac_catalog_int64(row, column, &isnull);

	if (!isnull && bound > grants->made_at && bound < grants->valid_until)
		grants->valid_until = bound;
}

/*
 * Does a grant's shift hold, if it has one?  When that changes, so may the
 * answer.
 */
static bool
is_in_shift(RbacGrants *grants, uint64 row, int column, bool *has_shift)
{
	bool		isnull;
	Datum		shift = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	TimestampTz until;
	bool		holds;

	*has_shift = !isnull;
	if (isnull)
		return true;
	holds = rbac_clock_judge(PG_DETOAST_DATUM_PACKED(shift), grants->made_at, &until);
	grants->valid_until = Min(grants->valid_until, until);
	return holds;
}

/* Fill in who it is; false if no grants need be read.  separates, seals: see ORG_SEPARATES, ORG_SEALS. */
static bool
load_member(RbacGrants *grants, const RbacCatalogScope *scope, bool *separates, bool *seals)
{
	Datum		args[2];
	uint64		rows;
	int64		valid_from;
	bool		isnull;

	if (grants->identity.source != RBAC_BY_LOGIN)
	{
		args[0] = Int64GetDatum(grants->identity.org);
		args[1] = Int64GetDatum(grants->identity.member);
		rows = rbac_catalog_query(scope, &member_by_id, args, NULL);
	}
	else
	{
		args[0] = ObjectIdGetDatum(grants->identity.login);
		rows = rbac_catalog_query(scope, &member_by_login, args, NULL);
	}

	/* A login that names two members would name nobody. */
	if (rows != 1)
		return false;

	grants->org = rbac_catalog_int64(0, 1, NULL);
	grants->member = rbac_catalog_int64(0, 2, NULL);
	grants->org_name = MemoryContextStrdup(grants->context, rbac_catalog_text(0, 3));
	grants->member_name = MemoryContextStrdup(grants->context, rbac_catalog_text(0, 4));
	grants->standing = rbac_catalog_bool(0, 5) ? RBAC_ACTIVE : RBAC_INACTIVE;
	valid_from = rbac_catalog_int64(0, 6, &isnull);
	grants->tokens_valid_from = isnull ? DT_NOBEGIN : valid_from;
	*separates = rbac_catalog_bool(0, 7);
	*seals = rbac_catalog_bool(0, 8);
	return grants->standing == RBAC_ACTIVE;
}

static GrantRow *
load_grant_rows(RbacGrants *grants, const RbacCatalogScope *scope, int *nrows)
{
	Datum		args[3];
	uint64		rows;
	GrantRow   *result;

	args[0] = Int64GetDatum(grants->org);
	args[1] = Int64GetDatum(grants->member);
	args[2] = TimestampTzGetDatum(grants->made_at);
	rows = rbac_catalog_query(scope, &grants_of_member, args, NULL);

	result = palloc(sizeof(GrantRow) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;

		result[i].role_id = rbac_catalog_int64(i, 1, NULL);
		result[i].unit_id = rbac_catalog_int64(i, 2, &isnull);
		result[i].org_wide = isnull;
		result[i].valid_now = rbac_catalog_bool(i, 5);
		result[i].in_shift = is_in_shift(grants, i, 6, &result[i].keeps_hours);
		rbac_compile_note_bound(grants, i, 3);
		rbac_compile_note_bound(grants, i, 4);
		result[i].grant_id = rbac_catalog_int64(i, 7, NULL);
	}
	*nrows = (int) rows;
	return result;
}

/*
 * rbac_compile_edges
 *		Which of the roles in the last query's result inherit which, by row: their
 *		ids are in column 1, those of their direct juniors in column 4.
 */
RbacEdge *
rbac_compile_edges(uint64 rows, int *nedges)
{
	int64	   *ids = palloc(sizeof(int64) * Max(rows, 1));
	RbacEdge   *edges = palloc(sizeof(RbacEdge) * Max(rows, 1));
	int			capacity = (int) Max(rows, 1);

	for (uint64 i = 0; i < rows; i++)
		ids[i] = rbac_catalog_int64(i, 1, NULL);
	*nedges = 0;
	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;
		Datum		juniors = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 4, &isnull);
		Datum	   *values;
		int			nvalues;

		deconstruct_array(DatumGetArrayTypeP(juniors), INT8OID, sizeof(int64),
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, NULL, &nvalues);
		if (*nedges + nvalues > capacity)
		{
			capacity = (*nedges + nvalues) * 2;
			edges = repalloc(edges, sizeof(RbacEdge) * capacity);
		}
		for (int j = 0; j < nvalues; j++)
		{
			uint64		junior = 0;

			while (junior < rows && ids[junior] != DatumGetInt64(values[j]))
				junior++;
			if (junior == rows)
				continue;
			edges[*nedges].senior = (int) i;
			edges[*nedges].junior = (int) junior;
			(*nedges)++;
		}
	}
	pfree(ids);
	return edges;
}

static RoleNode *
load_roles(RbacGrants *grants, const RbacCatalogScope *scope,
		   const GrantRow *rows, int nrows, int *nnodes,
		   RbacEdge **edges, int *nedges)
{
	int64	   *ids = palloc(sizeof(int64) * Max(nrows, 1));
	Datum		args[2];
	RoleNode   *nodes;
	uint64		found;

	for (int i = 0; i < nrows; i++)
		ids[i] = rows[i].role_id;
	args[0] = Int64GetDatum(grants->org);
	args[1] = rbac_compile_array(ids, nrows);
	found = rbac_catalog_query(scope, &roles_below, args, NULL);

	nodes = palloc0(sizeof(RoleNode) * Max(found, 1));
	for (uint64 i = 0; i < found; i++)
	{
		bool		isnull;
		Datum		set = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, &isnull);

		nodes[i].role_id = rbac_catalog_int64(i, 1, NULL);
		nodes[i].name = rbac_catalog_text(i, 2);
		if (!isnull)
			rbac_permset_view(PG_DETOAST_DATUM_COPY(set), &nodes[i].permissions);
	}

	*edges = rbac_compile_edges(found, nedges);
	*nnodes = (int) found;
	return nodes;
}

/*
 * Does a list of names, made by narrowing, name this role?  Where the list does
 * not narrow, it names all.
 */
static bool
is_named(const RoleNode *node, bool narrows, const List *names)
{
	const ListCell *cell;

	if (!narrows)
		return true;
	foreach(cell, names)
	{
		if (strcmp(node->name, (const char *) lfirst(cell)) == 0)
			return true;
	}
	return false;
}

/* A name that no grant leads to is an error: the session would do less than it seems to. */
static void
require_granted(const List *names, const RoleNode *nodes, int nnodes, const bool *granted,
				const char *where, const char *whose, const char *hint)
{
	const ListCell *cell;

	foreach(cell, names)
	{
		const char *name = (const char *) lfirst(cell);
		int			i = 0;

		while (i < nnodes && !(granted[i] && strcmp(nodes[i].name, name) == 0))
			i++;
		if (i == nnodes)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_ROLE_SPECIFICATION),
					 errmsg("role \"%s\" in %s is not granted to %s", name, where, whose),
					 errhint("%s", hint)));
	}
}

/*
 * Mark the roles that the token names, and those that chat_rbac.active_roles
 * does, which may name roles only within the token's.
 */
static void
choose_active(const RbacGrants *grants, const GrantRow *rows, int nrows,
			  RoleNode *nodes, int nnodes, const RbacEdge *edges, int nedges)
{
	bool		by_token = grants->token_roles != NULL;
	List	   *in_token = by_token ? rbac_identity_role_names(grants->token_roles) : NIL;
	List	   *active = rbac_identity_role_names(grants->active_roles);
	bool	   *granted = palloc0(Max(nnodes, 1));
	bool	   *within = palloc0(Max(nnodes, 1));

	for (int i = 0; i < nrows; i++)
	{
		int			role = find_node(nodes, nnodes, rows[i].role_id);

		if (role >= 0)
			rbac_closure_mark(edges, nedges, role, nnodes, granted);
	}
	for (int i = 0; i < nnodes; i++)
	{
		nodes[i].in_token = is_named(&nodes[i], by_token, in_token);
		nodes[i].active = is_named(&nodes[i], active != NIL, active);
		if (granted[i] && nodes[i].in_token)
			rbac_closure_mark(edges, nedges, i, nnodes, within);
	}
	require_granted(in_token, nodes, nnodes, granted, "the token", "its member",
					"Issue a token that names granted roles, or roles that they inherit.");
	require_granted(active, nodes, nnodes, within, "\"chat_rbac.active_roles\"", "the current member",
					"Name granted roles or roles that they inherit, or RESET chat_rbac.active_roles.");
}

/* The reach of a place, made if there is none yet.  reach has room for it. */
static RbacReach *
reach_at(RbacGrants *grants, bool org_wide, int64 unit_id)
{
	RbacReach  *reach;

	for (int i = 0; i < grants->nreach; i++)
	{
		reach = &grants->reach[i];
		if (reach->org_wide == org_wide && reach->unit_id == unit_id)
			return reach;
	}
	reach = &grants->reach[grants->nreach++];
	reach->org_wide = org_wide;
	reach->unit_id = unit_id;
	return reach;
}

/*
 * Add to marked the roles that a grant of the given role makes active: all of
 * its closure, or the closures of those parts of it that the token names, and of
 * these, those that active_roles names.  Add to named the names that stand for
 * them: what narrows last, or the granted role.
 */
static void
mark_granted(const RbacGrants *grants, const RoleNode *nodes, int nnodes, const RbacEdge *edges, int nedges,
			 int role, bool *closure, bool *within, bool *marked, bool *named)
{
	memset(closure, 0, nnodes);
	memset(within, 0, nnodes);
	rbac_closure_mark(edges, nedges, role, nnodes, closure);
	for (int i = 0; i < nnodes; i++)
	{
		if (closure[i] && nodes[i].in_token)
			rbac_closure_mark(edges, nedges, i, nnodes, within);
	}
	for (int i = 0; i < nnodes; i++)
	{
		if (!within[i] || !nodes[i].active)
			continue;
		rbac_closure_mark(edges, nedges, i, nnodes, marked);
		if (grants->active_roles[0] != '\0' ||
			(grants->token_roles != NULL ? closure[i] && nodes[i].in_token : i == role))
			named[i] = true;
	}
}

/* No grant counts any more that leads to one of the parted roles. */
static void
ignore_parted(GrantRow *rows, int nrows, const RoleNode *nodes, int nnodes,
			  const RbacEdge *edges, int nedges, const bool *parted)
{
	for (int i = 0; i < nrows; i++)
	{
		bool	   *closure = palloc0(Max(nnodes, 1));

		rbac_closure_mark(edges, nedges, find_node(nodes, nnodes, rows[i].role_id), nnodes, closure);
		for (int n = 0; n < nnodes; n++)
			rows[i].valid_now &= !(closure[n] && parted[n]);
	}
}

/*
 * Hold to the org's dynamic separations.  Where the session chooses roles, too
 * many of a set are an error.  Where all that is granted would be active, which
 * nobody chose, no grant counts that leads to a role of a set of which there
 * are too many: to choose among them is not ours.
 */
static void
separate_active(RbacGrants *grants, const RbacCatalogScope *scope, GrantRow *rows, int nrows,
				const RoleNode *nodes, int nnodes, const RbacEdge *edges, int nedges)
{
	bool		chosen = grants->token_roles != NULL || grants->active_roles[0] != '\0';
	bool	   *closure = palloc0(Max(nnodes, 1));
	bool	   *within = palloc0(Max(nnodes, 1));
	bool	   *marked = palloc0(Max(nnodes, 1));
	bool	   *named = palloc0(Max(nnodes, 1));
	bool	   *parted = palloc0(Max(nnodes, 1));
	int			nsets;
	RbacSeparation *sets = rbac_activation_load(scope, grants->org, &nsets);

	for (int i = 0; i < nrows; i++)
	{
		int			role = find_node(nodes, nnodes, rows[i].role_id);

		if (role >= 0 && rows[i].valid_now)
			mark_granted(grants, nodes, nnodes, edges, nedges, role, closure, within, marked, named);
	}
	for (int s = 0; s < nsets; s++)
	{
		int			nactive = 0;

		for (int n = 0; n < nnodes; n++)
			nactive += marked[n] && rbac_activation_has(&sets[s], nodes[n].role_id);
		if (nactive < sets[s].cardinality)
			continue;
		if (chosen)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_ROLE_SPECIFICATION),
					 errmsg("separation \"%s\" does not let %d of its roles be active together", sets[s].name, nactive),
					 errdetail("Fewer than %d are allowed, inherited ones counted.", sets[s].cardinality),
					 errhint("Name fewer of them in chat_rbac.active_roles, or in the token.")));
		for (int n = 0; n < nnodes; n++)
			parted[n] |= rbac_activation_has(&sets[s], nodes[n].role_id);
	}
	ignore_parted(rows, nrows, nodes, nnodes, edges, nedges, parted);
}

/*
 * Leave out the grants whose shift does not hold.  They count all the same for
 * whoever holds shift.exempt by another grant, which counts, and is active.
 */
static void
apply_shifts(const RbacGrants *grants, GrantRow *rows, int nrows,
			 const RoleNode *nodes, int nnodes, const RbacEdge *edges, int nedges)
{
	static const char exempt[] = "shift.exempt";
	RbacPermission wanted;
	bool	   *closure;
	bool	   *within;
	bool	   *marked;
	bool	   *named;
	int			nshifts = 0;

	for (int i = 0; i < nrows; i++)
		nshifts += rows[i].valid_now && rows[i].keeps_hours;
	if (nshifts == 0)
		return;

	closure = palloc0(Max(nnodes, 1));
	within = palloc0(Max(nnodes, 1));
	marked = palloc0(Max(nnodes, 1));
	named = palloc0(Max(nnodes, 1));
	for (int i = 0; i < nrows; i++)
	{
		int			role = find_node(nodes, nnodes, rows[i].role_id);

		if (role >= 0 && rows[i].valid_now && rows[i].in_shift)
			mark_granted(grants, nodes, nnodes, edges, nedges, role, closure, within, marked, named);
	}
	(void) rbac_permission_parse(exempt, strlen(exempt), &wanted);
	for (int i = 0; i < nnodes; i++)
	{
		if (!marked[i] || !rbac_permset_covers(&nodes[i].permissions, &wanted))
			continue;
		for (int r = 0; r < nrows; r++)
			rows[r].keeps_hours = false;
		return;
	}
	for (int i = 0; i < nrows; i++)
		rows[i].valid_now &= rows[i].in_shift;
}

/*
 * Which grants count, whole and at all hours: what is handed on must be held so.
 */
static void
note_lasting(RbacGrants *grants, const GrantRow *rows, int nrows, const RoleNode *nodes, int nnodes)
{
	grants->lasting = MemoryContextAlloc(grants->context, sizeof(int64) * Max(nrows, 1));
	for (int i = 0; i < nrows; i++)
	{
		int			role = find_node(nodes, nnodes, rows[i].role_id);

		if (role >= 0 && rows[i].valid_now && !rows[i].keeps_hours && nodes[role].in_token && nodes[role].active)
			grants->lasting[grants->nlasting++] = rows[i].grant_id;
	}
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Does a grant add to the answer?  Where it is about one grant alone, no other does. */
static bool
counts(const RbacGrants *grants, const GrantRow *row)
{
	return row->valid_now && (grants->only_grant == NULL || *grants->only_grant == row->grant_id);
}

/* Compile what each place's grants add up to, and the names of active roles. */
static void
compile_reach(RbacGrants *grants, const GrantRow *rows, int nrows,
			  const RoleNode *nodes, int nnodes, const RbacEdge *edges, int nedges)
{
	bool	   *closure = palloc0(Max(nnodes, 1));
	bool	   *within = palloc0(Max(nnodes, 1));
	bool	   *marked = palloc0(Max(nnodes, 1));
	bool	   *named = palloc0(Max(nnodes, 1));

	grants->reach = MemoryContextAllocZero(grants->context, sizeof(RbacReach) * Max(nrows, 1));
	grants->roles = MemoryContextAlloc(grants->context, sizeof(char *) * Max(nnodes, 1));

	for (int i = 0; i < nrows; i++)
	{
		if (counts(grants, &rows[i]))
			(void) reach_at(grants, rows[i].org_wide, rows[i].unit_id);
	}
	for (int r = 0; r < grants->nreach; r++)
	{
		RbacReach  *reach = &grants->reach[r];

		memset(marked, 0, nnodes);
		for (int i = 0; i < nrows; i++)
		{
			int			role = find_node(nodes, nnodes, rows[i].role_id);

			if (role < 0 || !counts(grants, &rows[i]) ||
				rows[i].org_wide != reach->org_wide || rows[i].unit_id != reach->unit_id)
				continue;
			mark_granted(grants, nodes, nnodes, edges, nedges, role, closure, within, marked, named);
		}
		reach->permissions = union_permissions(grants->context, nodes, nnodes, marked);
	}
	for (int n = 0; n < nnodes; n++)
	{
		if (named[n])
			grants->roles[grants->nroles++] = MemoryContextStrdup(grants->context, nodes[n].name);
	}
	qsort(grants->roles, grants->nroles, sizeof(char *), compare_names);
}

/* The number of a unit kind, added if it is new. */
static int
intern_kind(RbacGrants *grants, const char *kind)
{
	int			known = rbac_reach_kind(grants, kind, strlen(kind));

	if (known >= 0)
		return known;
	if (grants->kinds == NULL)
		grants->kinds = MemoryContextAlloc(grants->context, sizeof(char *));
	else
		grants->kinds = repalloc(grants->kinds, sizeof(char *) * (grants->nkinds + 1));
	grants->kinds[grants->nkinds] = MemoryContextStrdup(grants->context, kind);
	return grants->nkinds++;
}

/* Take rows [first, next) of the last query, whose columns 2 and 3 are a unit's key and kind, for those of a reach. */
static void
take_keys(RbacGrants *grants, RbacReach *reach, uint64 first, uint64 next)
{
	reach->keys = MemoryContextAllocHuge(grants->context, sizeof(RbacUnitKey) * Max(next - first, 1));
	for (uint64 i = first; i < next; i++)
	{
		RbacUnitKey *key = &reach->keys[reach->nkeys++];

		key->key = rbac_catalog_int64(i, 2, NULL);
		key->kind = intern_kind(grants, rbac_catalog_text(i, 3));
	}
}

static void
load_seals(RbacGrants *grants, const RbacCatalogScope *scope)
{
	Datum		org = Int64GetDatum(grants->org);
	uint64		rows = rbac_catalog_query(scope, &sealed_units, &org, NULL);

	if (rows == 0)
		return;
	grants->sealed = MemoryContextAllocZero(grants->context, sizeof(RbacReach));
	take_keys(grants, grants->sealed, 0, rows);
}

static void
load_units(RbacGrants *grants, const RbacCatalogScope *scope)
{
	int64	   *ids = palloc(sizeof(int64) * Max(grants->nreach, 1));
	int			nids = 0;
	Datum		args[2];
	uint64		rows;

	for (int r = 0; r < grants->nreach; r++)
	{
		if (!grants->reach[r].org_wide)
			ids[nids++] = grants->reach[r].unit_id;
	}
	if (nids == 0)
		return;

	args[0] = Int64GetDatum(grants->org);
	args[1] = rbac_compile_array(ids, nids);
	rows = rbac_catalog_query(scope, &units_below, args, NULL);

	/* the rows come grouped by the unit that they are below */
	for (uint64 first = 0, next; first < rows; first = next)
	{
		int64		root = rbac_catalog_int64(first, 1, NULL);
		RbacReach  *reach = reach_at(grants, false, root);

		for (next = first; next < rows && rbac_catalog_int64(next, 1, NULL) == root;)
			next++;
		take_keys(grants, reach, first, next);
	}
}

/*
 * rbac_compile_grants
 *		Read and compile everything about grants->identity into grants->context.
 *		May throw: the extension is not usable, or active_roles names a role
 *		that is not granted.
 */
void
rbac_compile_grants(RbacGrants *grants)
{
	RbacCatalogScope scope;
	bool		separates;
	bool		seals;

	rbac_catalog_open(&scope);
	if (load_member(grants, &scope, &separates, &seals))
	{
		int			nrows;
		int			nnodes;
		int			nedges;
		RbacEdge   *edges;
		GrantRow   *rows = load_grant_rows(grants, &scope, &nrows);
		RoleNode   *nodes = load_roles(grants, &scope, rows, nrows, &nnodes, &edges, &nedges);

		choose_active(grants, rows, nrows, nodes, nnodes, edges, nedges);
		if (separates)
			separate_active(grants, &scope, rows, nrows, nodes, nnodes, edges, nedges);
		apply_shifts(grants, rows, nrows, nodes, nnodes, edges, nedges);
		note_lasting(grants, rows, nrows, nodes, nnodes);
		compile_reach(grants, rows, nrows, nodes, nnodes, edges, nedges);
		load_units(grants, &scope);
		if (seals)
			load_seals(grants, &scope);
	}
	rbac_catalog_close(&scope);
}

/* Read the units at and below the places of grants that the caller has put together.  May throw. */
void
rbac_compile_units(RbacGrants *grants)
{
	RbacCatalogScope scope;

	rbac_catalog_open(&scope);
	load_units(grants, &scope);
	load_seals(grants, &scope);
	rbac_catalog_close(&scope);
}

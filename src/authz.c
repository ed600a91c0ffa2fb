/*-------------------------------------------------------------------------
 *
 * src/authz.c
 *	  The one yes.
 *
 * Member m of org o may do an action on row x iff x is of o and a grant that
 * counts (role r, unit u) has in closure(r) a permission that covers the
 * action, whose relation is "all" or holds on x, and u is the whole org or one
 * of x's units lies at or below u, with no sealed unit on the way; and each unit
 * of x that is sealed, or below a sealed one, is reached so by a grant that has
 * such a permission with the same relation or for every row.
 *
 * decide_scope is the only code that turns grants into a right: it says where
 * (org-wide, or at which units) the member holds a permission under one
 * relation.  Everything else looks up in what it returned.  A scope belongs
 * to its RbacGrants and lives as long.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/namespace.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* A user can ask about any number of permissions; an entry remembers this many. */
#define SCOPES_MAX		256
#define SCOPE_BYTES_MAX	1024	/* of the permissions in one question */

/* ---- the decision ---- */

/*
 * Do these permissions carry any of wanted under the scope's relation?  Who
 * asks tests the relation itself, so a permission must be of just that one, or,
 * where the scope says so, of every row.
 */
static bool
carries(const RbacPermset *held, const RbacScope *scope)
{
	RbacPermission candidate;
	size_t		pos = 0;

	while (rbac_permset_next(held, &pos, &candidate))
	{
		RbacPermission wanted;
		size_t		at = 0;

		if (scope->relation != NULL &&
			!(candidate.relation_len == scope->relation_len &&
			  memcmp(&candidate.text[candidate.len - candidate.relation_len],
					 scope->relation, scope->relation_len) == 0) &&
			!(candidate.relation_len == 0 && scope->or_all))
			continue;
		candidate.relation_len = 0; /* the row has it */
		while (rbac_permset_next(&scope->wanted, &at, &wanted))
		{
			if (rbac_permission_covers(&candidate, &wanted))
				return true;
		}
	}
	return false;
}

static void
decide_scope(RbacGrants *grants, RbacScope *scope)
{
	scope->reach = MemoryContextAlloc(scope->context, sizeof(RbacReach *) * Max(grants->nreach, 1));
	if (grants->standing != RBAC_ACTIVE)
		return;
	for (int i = 0; i < grants->nreach; i++)
	{
		RbacReach  *reach = &grants->reach[i];

		if (!carries(&reach->permissions, scope))
			continue;
		if (reach->org_wide)
			scope->org_wide = true;
		else
			scope->reach[scope->nreach++] = reach;
	}
}

/*
 * rbac_authz_scope
 *		Where the member holds any of wanted for rows with the relation; "all"
 *		is every row, NULL is any relation or none.  With or_all, permissions for
 *		every row count too.  wanted is copied.  The result belongs to grants, or to overflow when grants
 *		has been asked too many different questions.
 */
const RbacScope *
rbac_authz_scope(RbacGrants *grants, const RbacPermset *wanted,
				 const char *relation, int relation_len, bool or_all,
				 bool remember, MemoryContext overflow)
{
	MemoryContext context;
	RbacScope  *scope;
	char	   *bytes;

	if (relation_len == 3 && memcmp(relation, "all", 3) == 0)
		relation_len = 0;
	for (scope = grants->scopes; scope != NULL; scope = scope->next)
	{
		if (scope->or_all == or_all &&
			scope->relation_len == relation_len &&
			(scope->relation == NULL) == (relation == NULL) &&
			(relation_len == 0 || memcmp(scope->relation, relation, relation_len) == 0) &&
			rbac_permset_compare(&scope->wanted, wanted) == 0)
			return scope;
	}

	remember &= grants->nscopes < SCOPES_MAX && relation_len <= RBAC_PART_MAX && wanted->size <= SCOPE_BYTES_MAX;
	context = remember ? grants->context : overflow;
	scope = MemoryContextAllocZero(context, sizeof(RbacScope));
	bytes = MemoryContextAlloc(context, wanted->size + relation_len + 1);
	memcpy(bytes, wanted->data, wanted->size);
	if (relation_len > 0)
		memcpy(bytes + wanted->size, relation, relation_len);
	scope->wanted.data = bytes;
	scope->wanted.size = wanted->size;
	scope->relation = relation != NULL ? bytes + wanted->size : NULL;
	scope->relation_len = relation_len;
	scope->or_all = or_all;
	scope->context = context;
	decide_scope(grants, scope);
	if (remember)
	{
		scope->next = grants->scopes;
		grants->scopes = scope;
		grants->nscopes++;
	}
	return scope;
}

/* ---- looking up in a decision ---- */

/* The union of sets, in context, or the only set itself. */
static RbacIdSet *
union_sets(MemoryContext context, RbacIdSet **sets, int nsets)
{
	RbacIdSet  *result;
	int64	   *ids;
	int			nids = 0;

	if (nsets == 1)
		return sets[0];
	for (int i = 0; i < nsets; i++)
		nids += sets[i]->nids;
	ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(nids, 1));
	nids = 0;
	for (int i = 0; i < nsets; i++)
	{
		memcpy(ids + nids, sets[i]->ids, sizeof(int64) * sets[i]->nids);
		nids += sets[i]->nids;
	}
	result = rbac_reach_idset(context, ids, nids);
	pfree(ids);
	return result;
}

/*
 * rbac_authz_keys
 *		The keys of the units of one kind within the scope; an empty set, never
 *		NULL.  An org-wide scope is not in it: ask scope->org_wide.
 */
const RbacIdSet *
rbac_authz_keys(RbacGrants *grants, const RbacScope *scope, const char *kind, int kind_len)
{
	RbacScope  *own = unconstify(RbacScope *, scope);
	int			number = rbac_reach_kind(grants, kind, kind_len);
	RbacIdSet **sets;
	static const RbacIdSet empty = {0, NULL, 0, NULL};

	if (number < 0 || scope->nreach == 0)
		return &empty;
	if (own->keys_by_kind == NULL)
		own->keys_by_kind = MemoryContextAllocZero(scope->context, sizeof(RbacIdSet *) * grants->nkinds);
	if (own->keys_by_kind[number] == NULL)
	{
		sets = palloc(sizeof(RbacIdSet *) * scope->nreach);
		for (int i = 0; i < scope->nreach; i++)
			sets[i] = rbac_reach_keys(grants, scope->reach[i], number);
		own->keys_by_kind[number] = union_sets(scope->context, sets, scope->nreach);
		pfree(sets);
	}
	return own->keys_by_kind[number];
}

/*
 * rbac_authz_closed
 *		The keys of the units of one kind that are out of the scope's reach, also
 *		an org-wide one's, wherever else a row is: those that are sealed, or below
 *		a sealed unit, but for those that grants within reach, by a permission of
 *		the scope's relation or for every row.  NULL if nothing is sealed.
 */
const RbacIdSet *
rbac_authz_closed(RbacGrants *grants, const RbacScope *scope, const char *kind, int kind_len)
{
	RbacScope  *own = unconstify(RbacScope *, scope);
	const RbacScope *wide = scope;
	const RbacIdSet *sealed;
	const RbacIdSet *open;
	int64	   *ids;
	int			nids = 0;
	int			number = grants->sealed != NULL ? rbac_reach_kind(grants, kind, kind_len) : -1;

	if (number < 0)
		return NULL;
	if (own->closed_by_kind == NULL)
		own->closed_by_kind = MemoryContextAllocZero(scope->context, sizeof(RbacIdSet *) * grants->nkinds);
	if (own->closed_by_kind[number] != NULL)
		return own->closed_by_kind[number];

	if (scope->relation != NULL && !scope->or_all)
		wide = rbac_authz_scope(grants, &scope->wanted, scope->relation, scope->relation_len, true, true, scope->context);
	open = rbac_authz_keys(grants, wide, kind, kind_len);
	sealed = rbac_reach_keys(grants, grants->sealed, number);
	ids = palloc(sizeof(int64) * Max(sealed->nids, 1));
	for (int i = 0; i < sealed->nids; i++)
	{
		if (!rbac_idset_has(open, sealed->ids[i]))
			ids[nids++] = sealed->ids[i];
	}
	own->closed_by_kind[number] = rbac_reach_idset(scope->context, ids, nids);
	pfree(ids);
	return own->closed_by_kind[number];
}

/* Who holds a role at or below the units of the scope.  May throw. */
const RbacIdSet *
rbac_authz_people(RbacGrants *grants, const RbacScope *scope)
{
	RbacScope  *own = unconstify(RbacScope *, scope);

	if (own->people == NULL)
	{
		RbacIdSet **sets = palloc(sizeof(RbacIdSet *) * Max(scope->nreach, 1));

		for (int i = 0; i < scope->nreach; i++)
			sets[i] = rbac_reach_people(grants, scope->reach[i]);
		own->people = union_sets(scope->context, sets, scope->nreach);
		pfree(sets);
	}
	return own->people;
}

/*
 * rbac_authz_reaches_person
 *		Is there a unit of the scope at or below which person holds a role, and
 *		of which, or below which, one of the row's units is?  Both by the same
 *		grant.  With no units (a table without unit columns) the person decides.
 *		kinds[i] is -1 where no unit of that kind is in reach.  May throw.
 */
bool
rbac_authz_reaches_person(RbacGrants *grants, const RbacScope *scope, int64 person,
						  int nunits, const int *kinds, const int64 *keys)
{
	for (int i = 0; i < scope->nreach; i++)
	{
		RbacReach  *reach = scope->reach[i];

		if (!rbac_idset_has(rbac_reach_people(grants, reach), person))
			continue;
		if (nunits == 0)
			return true;
		for (int u = 0; u < nunits; u++)
		{
			if (kinds[u] >= 0 &&
				rbac_idset_has(rbac_reach_keys(grants, reach, kinds[u]), keys[u]))
				return true;
		}
	}
	return false;
}

/* ---- a call site's hold on the asker's grants ---- */

static void
release_check(void *arg)
{
	RbacCheck  *check = (RbacCheck *) arg;

	if (check->grants != NULL)
		rbac_grants_unpin(check->grants);
	check->grants = NULL;
}

/*
 * A query's hold on grants.  All call sites of one execution share its memory
 * context, in which the hold lives; PL/pgSQL's simple expressions share one for
 * a transaction, in which the marks tell one statement from the next.
 */
typedef struct QueryHold
{
	MemoryContext context;
	bool		is_bound;		/* identity is known */
	RbacIdentity identity;		/* for whom the query runs */
	bool		has_begun;		/* what was said is known */
	RbacIdentity said;			/* of who asks, by the settings, */
	char	   *said_token;		/* NULL: none */
	char	   *said_roles;		/* when the query began */
	bool		has_asker;		/* that was found to be right, for this run: */
	RbacAsker	asker;
	char	   *token_roles;	/* of asker */
	FmgrInfo	site;			/* where that is found out */
	TimestampTz statement;
	RbacCommandMark command;
	RbacGrants *grants;			/* pinned; NULL if none yet */
	struct QueryHold *next;
	MemoryContextCallback release;
} QueryHold;

static QueryHold *holds = NULL;

static void
release_hold(void *arg)
{
	QueryHold  *hold = (QueryHold *) arg;
	QueryHold **link = &holds;

	while (*link != hold)
		link = &(*link)->next;
	*link = hold->next;
	if (hold->grants != NULL)
		rbac_grants_unpin(hold->grants);
}

/* The hold of a context, which may be a new one. */
static QueryHold *
query_hold(MemoryContext context)
{
	QueryHold  *hold;

	for (hold = holds; hold != NULL; hold = hold->next)
	{
		if (hold->context == context)
			return hold;
	}
	hold = MemoryContextAllocZero(context, sizeof(QueryHold));
	hold->context = context;
	hold->release.func = release_hold;
	hold->release.arg = hold;
	MemoryContextRegisterResetCallback(context, &hold->release);
	hold->next = holds;
	holds = hold;
	return hold;
}

/* Do the settings say what they did when the query began? */
static bool
is_said_still(const QueryHold *hold)
{
	RbacIdentity now;

	rbac_identity_get(&now);
	return memcmp(&now, &hold->said, sizeof(RbacIdentity)) == 0 &&
		(hold->said_token == NULL || strcmp(rbac_identity_token(), hold->said_token) == 0) &&
		strcmp(rbac_identity_active_roles(), hold->said_roles) == 0;
}

/* What decides about rows of a query goes by what was found for that query. */
static const QueryHold *
find_decided(const QueryHold *own)
{
	if (own->has_asker)
		return own;
	if (!rbac_catalog_deciding)
		return NULL;
	for (const QueryHold *hold = holds; hold != NULL; hold = hold->next)
	{
		if (hold->has_asker && is_said_still(hold))
			return hold;
	}
	return NULL;
}

/* The asker is of this run; texts are copied. */
static void
keep_asker(QueryHold *hold, const RbacAsker *asker)
{
	hold->asker = *asker;
	if (asker->token_roles != NULL && (hold->token_roles == NULL || strcmp(hold->token_roles, asker->token_roles) != 0))
		hold->token_roles = MemoryContextStrdup(hold->context, asker->token_roles);
	hold->asker.token_roles = asker->token_roles != NULL ? hold->token_roles : NULL;
	hold->asker.active_roles = hold->said_roles;
	hold->asker.admitted = true;
	hold->has_asker = true;
}

/*
 * Find out whether a token and active roles are right, or raise an error.  A run of
 * the query is all by what was found: a token that ends, or is revoked, in its midst
 * would be an error that tells of rows, as one that is wrong, or cut the result short.
 */
static void
find_asker(QueryHold *hold)
{
	RbacAsker	asker;

	hold->has_asker = false;
	hold->site.fn_mcxt = hold->context;
	(void) rbac_authz_renew(&hold->site, false);
	rbac_token_asker(&asker);
	keep_asker(hold, &asker);
}

/*
 * rbac_authz_begin
 *		A query under policies begins, whose call sites live in context.  What
 *		the settings say wrong of who asks is an error here, whatever rows there
 *		are: the planner puts cheap conditions of the query's before those of the
 *		policies, so that an error there would tell that a row meets them.
 */
void
rbac_authz_begin(MemoryContext context)
{
	QueryHold  *hold;
	const char *roles = rbac_identity_active_roles();

	if (!OidIsValid(get_namespace_oid(RBAC_SCHEMA, true)))
		return;					/* policies of others, where ours are not */
	hold = query_hold(context);
	rbac_identity_get(&hold->said);
	if (hold->said.source == RBAC_BY_TOKEN)
		hold->said_token = MemoryContextStrdup(context, rbac_identity_token());
	hold->said_roles = MemoryContextStrdup(context, roles);
	if (hold->said_token != NULL || *roles != '\0')
	{
		const QueryHold *decided = find_decided(hold);

		if (decided != NULL)
			keep_asker(hold, &decided->asker);
		else
			find_asker(hold);
	}
	hold->has_begun = true;
}

/*
 * rbac_authz_resume
 *		A query is run, perhaps one more time, as by each FETCH: if anything has
 *		happened since, the same is asked again.
 */
void
rbac_authz_resume(MemoryContext context)
{
	for (QueryHold *hold = holds; hold != NULL; hold = hold->next)
	{
		if (hold->context != context)
			continue;
		if (hold->has_asker && hold->site.fn_extra != NULL && is_said_still(hold) &&
			!(rbac_stamp_holds(&((RbacCheck *) hold->site.fn_extra)->stamp) && rbac_command_is(&hold->command)))
			find_asker(hold);
		return;
	}
}

/*
 * The asker's grants, pinned.  A query answers from the grants that its first
 * check found, all through: never from some of before and some of after a
 * change.
 */
static RbacGrants *
pin_for_query(QueryHold *hold, const RbacAsker *asker)
{
	if (hold->grants == NULL ||
		hold->statement != rbac_now() ||
		!rbac_command_is(&hold->command) ||
		!rbac_grants_are_for(hold->grants, asker))
	{
		RbacGrants *grants = rbac_grants_pin(asker);

		if (hold->grants != NULL)
			rbac_grants_unpin(hold->grants);
		hold->grants = grants;
		hold->statement = rbac_now();
		hold->command = rbac_command_now();
	}
	rbac_token_admit(asker, hold->grants);
	hold->grants->pins++;
	return hold->grants;
}

/* Make a zeroed check, which lives in fn_mcxt, that of a call site. */
void
rbac_authz_attach(FmgrInfo *flinfo, RbacCheck *check)
{
	check->release.func = release_check;
	check->release.arg = check;
	MemoryContextRegisterResetCallback(flinfo->fn_mcxt, &check->release);
	flinfo->fn_extra = check;
}

/*
 * rbac_authz_renew
 *		Bind a call site to the grants of who asks now.  check->grants is NULL
 *		for nobody, for an inactive member and, unless the call site may follow,
 *		for somebody else than before, or once the settings of a running query
 *		say something else than at its beginning: that could be wrong, and an
 *		error would tell that there is a row to be asked about.  May throw, never
 *		by reason of a row: the call's arguments are not looked at.
 */
RbacCheck *
rbac_authz_renew(FmgrInfo *flinfo, bool follow)
{
	RbacCheck  *check = (RbacCheck *) flinfo->fn_extra;
	RbacAsker	asker;
	QueryHold  *hold;
	const QueryHold *decided;
	RbacGrants *grants;

	if (check == NULL)
	{
		check = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(RbacCheck));
		rbac_authz_attach(flinfo, check);
	}

	/* let go first: an error below must leave a call site that asks again */
	check->stamp.epoch = 0;
	check->renewals++;
	release_check(check);
	check->scope = NULL;
	check->bound = false;
	check->linked = NULL;
	if (check->linked_context != NULL)
		MemoryContextReset(check->linked_context);

	hold = query_hold(flinfo->fn_mcxt);
	if (hold->has_begun && !is_said_still(hold))
	{
		check->switched = true;
		rbac_stamp_take(&check->stamp);
		return check;
	}
	decided = find_decided(hold);
	if (decided != NULL)
		asker = decided->asker;
	else
		rbac_token_asker(&asker);
	/* PL/pgSQL's simple expressions are no running query */
	if (!hold->is_bound || MemoryContextGetParent(flinfo->fn_mcxt) == TopTransactionContext)
		hold->identity = asker.identity;
	hold->is_bound = true;
	check->switched = memcmp(&hold->identity, &asker.identity, sizeof(RbacIdentity)) != 0;
	if (follow || !check->switched)
	{
		grants = pin_for_query(hold, &asker);
		if (grants->standing == RBAC_ACTIVE)
			check->grants = grants;
		else
			rbac_grants_unpin(grants);
	}
	rbac_stamp_take(&check->stamp);
	return check;
}

/*
 * Are the arguments from first to last written as constants, as in a policy?
 * A parameter is none: PL/pgSQL runs one expression with many values.
 */
bool
rbac_authz_arguments_const(FmgrInfo *flinfo, int first, int last)
{
	List	   *args;

	if (flinfo->fn_expr == NULL || !IsA(flinfo->fn_expr, FuncExpr))
		return false;
	args = ((FuncExpr *) flinfo->fn_expr)->args;
	if (last >= list_length(args))
		return false;
	for (int i = first; i <= last; i++)
	{
		if (!IsA(list_nth(args, i), Const))
			return false;
	}
	return true;
}

/*
 * rbac_authz_argument_scope
 *		The scope that arguments arg (permset) and arg + 1 (relation, text) ask
 *		for; neither is NULL.  Kept for the call site where they cannot vary.
 */
const RbacScope *
rbac_authz_argument_scope(RbacCheck *check, FunctionCallInfo fcinfo, int arg,
						  bool or_all)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(arg);
	text	   *relation = PG_GETARG_TEXT_PP(arg + 1);
	bool		fixed = rbac_authz_arguments_const(fcinfo->flinfo, arg, arg + 1);
	RbacPermset wanted;
	const RbacScope *scope;

	rbac_permset_view(value, &wanted);
	scope = rbac_authz_scope(check->grants, &wanted, VARDATA_ANY(relation),
							 VARSIZE_ANY_EXHDR(relation), or_all,
							 fixed, /* what a row asks leaves no trace */
							 fixed ? fcinfo->flinfo->fn_mcxt : CurrentMemoryContext);
	PG_FREE_IF_COPY(value, arg);
	PG_FREE_IF_COPY(relation, arg + 1);
	check->scope = fixed ? scope : NULL;
	return scope;
}

/* What one command changes is one person's: refused where the session has become somebody else since it began. */
void
rbac_authz_refuse_switched(const RbacCheck *check, const char *table)
{
	if (check->switched)
		rbac_refusal_raise("identity", NULL, NULL,
						   psprintf("the session has become somebody else within a command that changes table \"%s\"", table),
						   NULL, "Set the identity in a command of its own.");
}

/*
 * rbac_authz_require
 *		The asker's grants, where they carry a permission for every row of the org.
 *		Raises 42501 for everybody else; deed says what it is needed for.
 */
RbacCheck *
rbac_authz_require(FmgrInfo *flinfo, const char *permission, const char *deed)
{
	RbacCheck  *check = rbac_authz_check(flinfo);
	char		bytes[RBAC_PERMISSION_MAX + 1];
	RbacPermission wanted;
	RbacPermset set;
	const RbacScope *scope = NULL;

	if (rbac_permission_parse(permission, strlen(permission), &wanted) != NULL)
		elog(ERROR, "invalid permission \"%s\"", permission);
	set = rbac_permset_of_one(&wanted, bytes);
	if (check->grants != NULL)
		scope = rbac_authz_scope(check->grants, &set, "all", 3, true, true, CurrentMemoryContext);
	if (scope == NULL || !scope->org_wide)
		rbac_refusal_raise("action", check->grants, permission,
						   psprintf("permission \"%s\" is needed to %s", permission, deed),
						   scope != NULL && scope->nreach > 0 ? "It is held, but not in the whole org." : NULL, NULL);
	return check;
}

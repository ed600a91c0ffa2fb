/*-------------------------------------------------------------------------
 *
 * src/scope.c
 *	  The functions that policies are made of.
 *
 * All are STABLE, PARALLEL SAFE and LEAKPROOF: what they raise (the extension
 * is unusable, a wrong active role) does not depend on the row, and was raised when
 * the query began, for other conditions may have chosen the rows that come here.
 * None decides: they look up in an RbacScope.  For
 * nobody, and for an inactive member, the scalars are NULL and the tests false.
 *
 * A call site keeps its answer for the client's statement and identity; see
 * RbacCheck.  Nothing here is folded into a plan, because plans outlive
 * identities.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(chat_rbac_current_org);
PG_FUNCTION_INFO_V1(chat_rbac_current_member);
PG_FUNCTION_INFO_V1(chat_rbac_org_scope);
PG_FUNCTION_INFO_V1(chat_rbac_member_scope);
PG_FUNCTION_INFO_V1(chat_rbac_unit_scope);
PG_FUNCTION_INFO_V1(chat_rbac_members_scope);
PG_FUNCTION_INFO_V1(chat_rbac_in_org_scope);
PG_FUNCTION_INFO_V1(chat_rbac_in_org_scope_int4);
PG_FUNCTION_INFO_V1(chat_rbac_in_unit_scope);
PG_FUNCTION_INFO_V1(chat_rbac_in_unit_scope_int4);
PG_FUNCTION_INFO_V1(chat_rbac_in_scope);
PG_FUNCTION_INFO_V1(chat_rbac_in_member_scope);
PG_FUNCTION_INFO_V1(chat_rbac_in_member_scope_int4);
PG_FUNCTION_INFO_V1(chat_rbac_in_parent);
PG_FUNCTION_INFO_V1(chat_rbac_in_event_scope);
PG_FUNCTION_INFO_V1(chat_rbac_is_member);
PG_FUNCTION_INFO_V1(chat_rbac_is_member_int4);

/* The scope that the arguments ask for; check->grants is not NULL. */
static inline const RbacScope *
scope_of(RbacCheck *check, FunctionCallInfo fcinfo, int arg, bool or_all)
{
	if (likely(check->scope != NULL))
		return check->scope;
	return rbac_authz_argument_scope(check, fcinfo, arg, or_all);
}

/* The scope of arguments (permset, relation, or_all). */
static const RbacScope *
scope_or_all(RbacCheck *check, FunctionCallInfo fcinfo)
{
	const RbacScope *scope;

	if (likely(check->scope != NULL))
		return check->scope;
	scope = rbac_authz_argument_scope(check, fcinfo, 0, PG_GETARG_BOOL(2));
	if (!rbac_authz_arguments_const(fcinfo->flinfo, 2, 2))
		check->scope = NULL;	/* asked anew each time */
	return scope;
}

/* chat_rbac.current_org() -> bigint: the org of the active member who asks, or NULL */
Datum
chat_rbac_current_org(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_follow(fcinfo->flinfo);

	if (check->grants == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT64(check->grants->org);
}

/* chat_rbac.current_member() -> bigint: the active member who asks, or NULL */
Datum
chat_rbac_current_member(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_follow(fcinfo->flinfo);

	if (check->grants == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT64(check->grants->member);
}

/*
 * chat_rbac.org_scope(permset, relation text) -> bigint
 *		The member's org if any of the permissions is granted org-wide with the
 *		relation, else NULL.
 */
Datum
chat_rbac_org_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);

	if (check->grants == NULL || !scope_of(check, fcinfo, 0, false)->org_wide)
		PG_RETURN_NULL();
	PG_RETURN_INT64(check->grants->org);
}

/*
 * chat_rbac.member_scope(permset, relation text, or_all boolean) -> bigint
 *		The member's id if any of the permissions is granted anywhere with the
 *		relation (or_all: or for every row), else NULL.
 */
Datum
chat_rbac_member_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const RbacScope *scope;

	if (check->grants == NULL)
		PG_RETURN_NULL();
	scope = scope_or_all(check, fcinfo);
	if (!scope->org_wide && scope->nreach == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(check->grants->member);
}

/*
 * chat_rbac.unit_scope(permset, relation text, kind text) -> bigint[]
 *		The keys of the units of that kind at or below which any of the
 *		permissions is granted with the relation; ascending.  Org-wide grants
 *		are not in it.
 */
Datum
chat_rbac_unit_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	text	   *kind = PG_GETARG_TEXT_PP(2);
	const RbacIdSet *keys;

	if (check->grants == NULL)
		return rbac_compile_array(NULL, 0);
	keys = rbac_authz_keys(check->grants, scope_of(check, fcinfo, 0, false),
						   VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	return rbac_compile_array(keys->ids, keys->nids);
}

/*
 * chat_rbac.members_scope(permset, relation text, or_all boolean) -> bigint[]
 *		Who holds a role at or below the units where any of the permissions is
 *		granted with the relation (or_all: or for every row); ascending.
 */
Datum
chat_rbac_members_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const RbacIdSet *people;

	if (check->grants == NULL)
		return rbac_compile_array(NULL, 0);
	people = rbac_authz_people(check->grants, scope_or_all(check, fcinfo));
	return rbac_compile_array(people->ids, people->nids);
}

/* ---- tests ---- */

/* Memory for what a call site knows of its unit arguments. */
static RbacUnitArgument *
unit_arguments(RbacCheck *check, FunctionCallInfo fcinfo, int nunits)
{
	if (check->units == NULL)
		check->units = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
											  sizeof(RbacUnitArgument) * Max(nunits, 1));
	return check->units;
}

/*
 * Look at the unit arguments of a call: kinds is argument arg, a text[], and
 * what follows it are the columns, one a kind; where key_first, argument 0 comes
 * before them.  False where permissions, relation or kinds are not constants, and
 * where the arguments do not fit together: an error could tell of a row, or that
 * there is one to be asked about, so there is none, and no access.
 */
static bool
bind_units(RbacCheck *check, FunctionCallInfo fcinfo, int arg, bool key_first)
{
	const RbacScope *scope;
	int			before = key_first ? 1 : 0;
	int			nunits = PG_NARGS() - arg - 1 + before;
	RbacUnitArgument *units;
	Datum	   *kinds;
	bool	   *nulls;
	int			nkinds;

	if (!rbac_authz_arguments_const(fcinfo->flinfo, arg - 2, arg))
		return false;
	scope = scope_of(check, fcinfo, arg - 2, false);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), TEXTOID, -1, false, TYPALIGN_INT,
					  &kinds, &nulls, &nkinds);
	if (nkinds != nunits || nunits > RBAC_UNIT_KINDS_MAX || get_fn_expr_variadic(fcinfo->flinfo))
		return false;

	units = unit_arguments(check, fcinfo, nunits);
	for (int i = 0; i < nunits; i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, i < before ? 0 : arg + 1 + i - before);
		text	   *kind;

		if ((type != INT8OID && type != INT4OID) || nulls[i])
			return false;
		kind = DatumGetTextPP(kinds[i]);
		units[i].is_int4 = type == INT4OID;
		units[i].kind = rbac_reach_kind(check->grants, VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
		units[i].keys = rbac_authz_keys(check->grants, scope, VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
		units[i].closed = rbac_authz_closed(check->grants, scope, VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
	}
	check->bound = true;
	return true;
}

static inline int64
unit_argument(FunctionCallInfo fcinfo, int arg, bool is_int4)
{
	return is_int4 ? PG_GETARG_INT32(arg) : PG_GETARG_INT64(arg);
}

/* Is it a unit in a sealed part of the org, into which the scope does not reach? */
static inline bool
is_sealed_off(const RbacUnitArgument *unit, int64 key)
{
	return unlikely(unit->closed != NULL) && rbac_idset_has(unit->closed, key);
}

/* Is any of the units in the arguments from first on? */
static bool
are_sealed_off(FunctionCallInfo fcinfo, int first, const RbacUnitArgument *units)
{
	for (int arg = first; arg < PG_NARGS(); arg++, units++)
	{
		if (!PG_ARGISNULL(arg) && is_sealed_off(units, unit_argument(fcinfo, arg, units->is_int4)))
			return true;
	}
	return false;
}

static inline bool
in_org_scope(FunctionCallInfo fcinfo, int64 org)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const int	first = 4;

	if (check->grants == NULL || check->grants->org != org || PG_ARGISNULL(1) || PG_ARGISNULL(2) ||
		!scope_of(check, fcinfo, 1, false)->org_wide)
		return false;
	if (likely(check->grants->sealed == NULL) || PG_NARGS() < first)
		return true;
	if (PG_ARGISNULL(3) || (!check->bound && !bind_units(check, fcinfo, first - 1, false)))
		return false;
	return !are_sealed_off(fcinfo, first, check->units);
}

/*
 * chat_rbac.in_org_scope(org bigint, permset, relation text
 *						  [, kinds text[], VARIADIC "any"]) -> boolean
 *		Is any of the permissions granted, with the relation, in the whole org,
 *		and is that the row's org?  With a row's unit columns: and is none of
 *		them sealed off?
 */
Datum
chat_rbac_in_org_scope(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) && in_org_scope(fcinfo, PG_GETARG_INT64(0)));
}

Datum
chat_rbac_in_org_scope_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) && in_org_scope(fcinfo, PG_GETARG_INT32(0)));
}

static inline bool
in_unit_scope(FunctionCallInfo fcinfo, int64 key)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const int	first = 4;

	if (check->grants == NULL || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		return false;
	if (unlikely(!check->bound) && PG_NARGS() == first)
	{
		text	   *kind = PG_GETARG_TEXT_PP(3);
		const RbacScope *scope = rbac_authz_argument_scope(check, fcinfo, 1, false);

		unit_arguments(check, fcinfo, 1)->keys =
			rbac_authz_keys(check->grants, scope, VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
		check->bound = check->scope != NULL && rbac_authz_arguments_const(fcinfo->flinfo, 3, 3);
	}
	else if (unlikely(!check->bound) && !bind_units(check, fcinfo, first - 1, true))
		return false;
	return rbac_idset_has(check->units->keys, key) &&
		(likely(check->grants->sealed == NULL) || !are_sealed_off(fcinfo, first, &check->units[1]));
}

/*
 * chat_rbac.in_unit_scope(key bigint, permset, relation text, kind text) -> boolean
 * chat_rbac.in_unit_scope(key bigint, permset, relation text, kinds text[], VARIADIC "any")
 *		Is any of the permissions granted, with the relation, at the unit of
 *		that kind and key, or above it?  O(1) in the number of units.  With a
 *		row's other unit columns, whose kinds follow the key's: and is none of
 *		them sealed off?
 */
Datum
chat_rbac_in_unit_scope(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) && in_unit_scope(fcinfo, PG_GETARG_INT64(0)));
}

Datum
chat_rbac_in_unit_scope_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) && in_unit_scope(fcinfo, PG_GETARG_INT32(0)));
}

/*
 * chat_rbac.in_scope(permset, relation text, kinds text[], VARIADIC "any") -> boolean
 *		Is any of the permissions granted, with the relation, org-wide or at or
 *		above one of the units, and none of them sealed off?  The last arguments
 *		are a row's unit columns (integer or bigint, NULL for none), one a kind.
 *		For tests beside a narrower key: the planner offers no index for it.
 */
Datum
chat_rbac_in_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const int	first = 3;
	const RbacScope *scope;
	int			nunits;
	bool		reached;

	if (check->grants == NULL || PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_BOOL(false);
	scope = scope_of(check, fcinfo, 0, false);
	reached = scope->org_wide;
	if (reached && check->grants->sealed == NULL)
		PG_RETURN_BOOL(true);
	if (!reached && scope->nreach == 0)
		PG_RETURN_BOOL(false);
	if (unlikely(!check->bound) && !bind_units(check, fcinfo, first - 1, false))
		PG_RETURN_BOOL(false);
	nunits = PG_NARGS() - first;
	for (int i = 0; i < nunits && !(reached && check->grants->sealed == NULL); i++)
	{
		const RbacUnitArgument *unit = &check->units[i];

		if (!PG_ARGISNULL(first + i))
			reached |= rbac_idset_has(unit->keys, unit_argument(fcinfo, first + i, unit->is_int4));
	}
	PG_RETURN_BOOL(reached &&
				   (check->grants->sealed == NULL || !are_sealed_off(fcinfo, first, check->units)));
}

/*
 * The body of in_member_scope: with kinds and unit columns from argument 3 on
 * the same grant must reach one of them; without, it is the person that ties
 * the row to the grant's unit.
 */
static bool
in_member_scope(FunctionCallInfo fcinfo, int64 person)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const int	first = 4;
	bool		with_units = PG_NARGS() > first;
	const RbacScope *scope;
	int			kinds[RBAC_UNIT_KINDS_MAX];
	int64		keys[RBAC_UNIT_KINDS_MAX];
	int			nunits = 0;

	if (check->grants == NULL || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return false;
	scope = scope_of(check, fcinfo, 1, !with_units);
	if (scope->nreach == 0)
		return false;
	if (!with_units)
		return rbac_authz_reaches_person(check->grants, scope, person, 0, NULL, NULL);

	if (PG_ARGISNULL(3))
		return false;
	if (unlikely(!check->bound) && !bind_units(check, fcinfo, first - 1, false))
		return false;
	for (int i = 0; i < PG_NARGS() - first; i++)
	{
		if (PG_ARGISNULL(first + i))
			continue;
		if (is_sealed_off(&check->units[i], unit_argument(fcinfo, first + i, check->units[i].is_int4)))
			return false;
		kinds[nunits] = check->units[i].kind;
		keys[nunits++] = unit_argument(fcinfo, first + i, check->units[i].is_int4);
	}
	return nunits > 0 &&
		rbac_authz_reaches_person(check->grants, scope, person, nunits, kinds, keys);
}

/*
 * chat_rbac.in_member_scope(person bigint, permset, relation text
 *							 [, kinds text[], VARIADIC "any"]) -> boolean
 *		Does the person hold a role at or below a unit where any of the
 *		permissions is granted with the relation?  With unit columns, that
 *		grant must reach one of them too.  Org-wide grants are not looked at.
 */
Datum
chat_rbac_in_member_scope(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(in_member_scope(fcinfo, PG_GETARG_INT64(0)));
}

Datum
chat_rbac_in_member_scope_int4(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(in_member_scope(fcinfo, PG_GETARG_INT32(0)));
}

/*
 * chat_rbac.in_parent(child regclass, permset, org bigint, parent bigint) -> boolean
 *		Is there a parent row of that key (and org, where the specification says
 *		so) that is visible, and, permissions not being NULL, any of them held on
 *		it?  For the rows of a table that has a "parent".
 */
Datum
chat_rbac_in_parent(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	RbacRowState *state;
	RbacProtection *form;
	RbacPermset wanted;
	int64		org = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2);
	int64		parent = PG_ARGISNULL(3) ? 0 : PG_GETARG_INT64(3);

	if (check->grants == NULL || PG_ARGISNULL(0) || PG_ARGISNULL(3))
		PG_RETURN_BOOL(false);
	state = rbac_row_state(check, fcinfo->flinfo->fn_mcxt);
	form = rbac_row_protection(state, PG_GETARG_OID(0));
	if (form == NULL || !OidIsValid(form->parent))
		PG_RETURN_BOOL(false);
	if (!PG_ARGISNULL(1))
		rbac_permset_view(PG_GETARG_VARLENA_PP(1), &wanted);
	PG_RETURN_BOOL(rbac_row_in_parent(state, form, PG_ARGISNULL(1) ? NULL : &wanted,
									  PG_ARGISNULL(2) ? NULL : &org, &parent));
}

/* An array of one dimension and without nulls, of as many elements as it says; or empty. */
static bool
is_list(const ArrayType *array, Oid type)
{
	return ARR_ELEMTYPE(array) == type && ARR_NDIM(array) <= 1 && !ARR_HASNULL(array);
}

static int
list_size(const ArrayType *array)
{
	return ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
}

/*
 * chat_rbac.in_event_scope(permset, relation text, kinds text[], keys bigint[]) -> boolean
 *		Is any of the permissions granted, with the relation, org-wide or at or
 *		above one of the units, and none of them sealed off?  Kinds and keys, an
 *		event's units, are a row's own: where they do not fit each other, an
 *		org-wide grant alone counts, if nothing is sealed, and there is no error.
 */
Datum
chat_rbac_in_event_scope(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const RbacScope *scope;
	ArrayType  *kinds;
	ArrayType  *keys;
	const char *kind;
	const char *key;
	int			nunits;
	bool		reached;
	bool		sealed_off = false;

	if (check->grants == NULL)
		PG_RETURN_BOOL(false);
	scope = scope_of(check, fcinfo, 0, false);
	reached = scope->org_wide;
	if (reached && check->grants->sealed == NULL)
		PG_RETURN_BOOL(true);
	if (!reached && scope->nreach == 0)
		PG_RETURN_BOOL(false);

	kinds = PG_GETARG_ARRAYTYPE_P(2);
	keys = PG_GETARG_ARRAYTYPE_P(3);
	nunits = list_size(keys);
	if (!is_list(kinds, TEXTOID) || !is_list(keys, INT8OID) || list_size(kinds) != nunits)
	{
		nunits = 0;
		sealed_off = true;
	}
	kind = ARR_DATA_PTR(kinds);
	key = ARR_DATA_PTR(keys);
	for (int i = 0; i < nunits && !sealed_off && !(reached && check->grants->sealed == NULL); i++)
	{
		RbacUnitArgument unit;
		int64		id;

		kind = (const char *) att_align_pointer(kind, TYPALIGN_INT, -1, kind);
		memcpy(&id, key + sizeof(int64) * i, sizeof(int64));
		unit.keys = rbac_authz_keys(check->grants, scope, VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
		unit.closed = rbac_authz_closed(check->grants, scope, VARDATA_ANY(kind), VARSIZE_ANY_EXHDR(kind));
		reached |= rbac_idset_has(unit.keys, id);
		sealed_off = is_sealed_off(&unit, id);
		kind += VARSIZE_ANY(kind);
	}
	PG_FREE_IF_COPY(kinds, 2);
	PG_FREE_IF_COPY(keys, 3);
	PG_RETURN_BOOL(reached && !sealed_off);
}

static bool
is_member(FunctionCallInfo fcinfo, int64 person)
{
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);

	return check->grants != NULL &&
		rbac_idset_has(rbac_reach_members(check->grants), person);
}

/* chat_rbac.is_member(person bigint) -> boolean: a member, active or not, of the current org */
Datum
chat_rbac_is_member(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_member(fcinfo, PG_GETARG_INT64(0)));
}

Datum
chat_rbac_is_member_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_member(fcinfo, PG_GETARG_INT32(0)));
}

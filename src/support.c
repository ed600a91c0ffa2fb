/*-------------------------------------------------------------------------
 *
 * src/support.c
 *	  What the planner may know about the functions in policies.
 *
 * A test "in_…(column, what)" is O(1) in C, but opaque.  Its support function
 * offers "column = ANY (…_scope(what))" as an index condition and asks for that
 * clause's selectivity, so that statistics count.  The planner evaluates the
 * STABLE …_scope function when it estimates, for whoever plans; the plan keeps
 * the call, not its result, and stays right for whoever runs it.
 *
 * Support functions never raise an error and decline whatever they do not
 * know: attached to another function they do nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/stratnum.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

/* oids of bigint = bigint and integer = bigint, which have no symbols */
#define INT8_EQUAL_OPERATOR		410
#define INT48_EQUAL_OPERATOR	15

/* Of a longer array, so many elements are asked about and the rest is scaled. */
#define SELECTIVITY_SAMPLE	100

PG_FUNCTION_INFO_V1(chat_rbac_in_org_scope_support);
PG_FUNCTION_INFO_V1(chat_rbac_in_array_support);
PG_FUNCTION_INFO_V1(chat_rbac_in_scope_support);

/* chat_rbac.name(args), or NULL if there is no such function. */
static Expr *
call_of(const char *name, List *args)
{
	Oid			types[4];
	int			nargs = 0;
	ListCell   *cell;
	Oid			function;

	if (list_length(args) > (int) lengthof(types))
		return NULL;
	foreach(cell, args)
		types[nargs++] = exprType((Node *) lfirst(cell));
	function = LookupFuncName(list_make2(makeString(RBAC_SCHEMA), makeString(pstrdup(name))),
							  nargs, types, true);
	if (!OidIsValid(function))
		return NULL;
	return (Expr *) makeFuncExpr(function, get_func_rettype(function), args,
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

/* The operator key = bigint; InvalidOid for types that have none here. */
static Oid
equal_operator(Node *key)
{
	switch (exprType(key))
	{
		case INT8OID:
			return INT8_EQUAL_OPERATOR;
		case INT4OID:
			return INT48_EQUAL_OPERATOR;
		default:
			return InvalidOid;
	}
}

/* The first element of a constant text[], as a constant; NULL if it is something else. */
static Node *
first_element(Node *array)
{
	Const	   *whole = (Const *) array;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	if (!IsA(whole, Const) || whole->constisnull || whole->consttype != TEXTARRAYOID)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(whole->constvalue), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, &nulls, &n);
	if (n == 0 || nulls[0])
		return NULL;
	return (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1, values[0], false, false);
}

/*
 * The clause that a call of function with args stands for:
 *		key = ANY (array of ids)
 * *lossy tells whether the test must still be made.  NULL when unknown.
 */
static Expr *
array_clause(Oid function, List *args, bool *lossy)
{
	char	   *name = get_func_name(function);
	Node	   *key;
	Expr	   *array = NULL;
	ScalarArrayOpExpr *clause;

	*lossy = false;
	if (name == NULL || list_length(args) < 3)
		return NULL;
	key = (Node *) linitial(args);

	if (strcmp(name, "in_unit_scope") == 0 && list_length(args) >= 4)
	{
		Node	   *kind = lfourth(args);

		if (list_length(args) > 4)
			kind = first_element(kind);
		if (kind != NULL)
			array = call_of("unit_scope", list_make3(lsecond(args), lthird(args), kind));
		*lossy = list_length(args) > 4;
	}
	else if (strcmp(name, "in_link") == 0 && list_length(args) == 5)
		array = call_of("link_scope", list_copy_tail(args, 1));
	else if (strcmp(name, "in_member_scope") == 0)
	{
		bool		with_units = list_length(args) > 3;

		array = call_of("members_scope",
						list_make3(lsecond(args), lthird(args),
								   makeBoolConst(!with_units, false)));
		*lossy = with_units;
	}
	if (array == NULL || exprType((Node *) array) != INT8ARRAYOID)
		return NULL;

	clause = makeNode(ScalarArrayOpExpr);
	clause->opno = equal_operator(key);
	if (!OidIsValid(clause->opno))
		return NULL;
	clause->opfuncid = get_opcode(clause->opno);
	clause->useOr = true;
	clause->inputcollid = InvalidOid;
	clause->args = list_make2(key, array);
	clause->location = -1;
	return (Expr *) clause;
}

/*
 * Is every index column before col tied to one value?  The planner takes an
 * index with a test like ours for ordered, which it is only then: the scan
 * starts again for each element of the array.
 */
static bool
earlier_columns_fixed(SupportRequestIndexCondition *req)
{
	for (int col = 0; col < req->indexcol; col++)
	{
		bool		fixed = false;
		ListCell   *cell;

		foreach(cell, req->index->indrestrictinfo)
		{
			RestrictInfo *rinfo = lfirst_node(RestrictInfo, cell);
			OpExpr	   *op = (OpExpr *) rinfo->clause;
			Node	   *left;
			Node	   *right;

			if (!IsA(op, OpExpr) || list_length(op->args) != 2 ||
				get_op_opfamily_strategy(op->opno, req->index->opfamily[col]) != BTEqualStrategyNumber)
				continue;
			left = (Node *) linitial(op->args);
			right = (Node *) lsecond(op->args);
			if ((match_index_to_operand(left, col, req->index) &&
				 is_pseudo_constant_for_index(req->root, right, req->index)) ||
				(match_index_to_operand(right, col, req->index) &&
				 is_pseudo_constant_for_index(req->root, left, req->index)))
			{
				fixed = true;
				break;
			}
		}
		if (!fixed)
			return false;
	}
	return true;
}

/* Can the index be asked for "the column operator value"? */
static bool
index_takes(SupportRequestIndexCondition *req, Oid operator, Node *value)
{
	return req->indexarg == 0 && op_in_opfamily(operator, req->opfamily) &&
		is_pseudo_constant_for_index(req->root, value, req->index);
}

static List *
array_condition(SupportRequestIndexCondition *req)
{
	FuncExpr   *call = (FuncExpr *) req->node;
	ScalarArrayOpExpr *clause;
	bool		lossy;

	if (!IsA(call, FuncExpr) || !req->index->amsearcharray || !earlier_columns_fixed(req))
		return NIL;
	clause = (ScalarArrayOpExpr *) array_clause(call->funcid, call->args, &lossy);
	if (clause == NULL || !index_takes(req, clause->opno, (Node *) lsecond(clause->args)))
		return NIL;
	req->lossy = lossy;
	return list_make1(clause);
}

/* Every so-manieth element of an array of int8, SELECTIVITY_SAMPLE of them. */
static Const *
sample_array(Const *whole, double *scale)
{
	ArrayType  *array = DatumGetArrayTypeP(whole->constvalue);
	Datum	   *values;
	Datum		sample[SELECTIVITY_SAMPLE];
	int			n;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, NULL, &n);
	*scale = 1.0;
	if (n <= SELECTIVITY_SAMPLE)
		return whole;
	for (int i = 0; i < SELECTIVITY_SAMPLE; i++)
		sample[i] = values[(int64) i * n / SELECTIVITY_SAMPLE];
	*scale = (double) n / SELECTIVITY_SAMPLE;
	array = construct_array(sample, SELECTIVITY_SAMPLE, INT8OID, sizeof(int64),
							FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	return makeConst(INT8ARRAYOID, -1, InvalidOid, -1, PointerGetDatum(array), false, false);
}

static bool
array_selectivity(SupportRequestSelectivity *req)
{
	bool		lossy;
	ScalarArrayOpExpr *clause = (ScalarArrayOpExpr *) array_clause(req->funcid, req->args, &lossy);
	Node	   *array;
	double		scale = 1.0;
	double		selectivity;

	if (clause == NULL)
		return false;
	array = estimate_expression_value(req->root, (Node *) lsecond(clause->args));
	if (IsA(array, Const) && !((Const *) array)->constisnull)
		lsecond(clause->args) = sample_array((Const *) array, &scale);
	selectivity = scale * scalararraysel(req->root, clause, req->is_join, req->varRelid,
										 req->jointype, req->sjinfo);
	CLAMP_PROBABILITY(selectivity);
	req->selectivity = selectivity;
	return true;
}

/* chat_rbac.in_array_support(internal) -> internal: of in_unit_scope, in_member_scope, in_link */
Datum
chat_rbac_in_array_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(array_condition((SupportRequestIndexCondition *) request));
	if (IsA(request, SupportRequestSelectivity) &&
		array_selectivity((SupportRequestSelectivity *) request))
		PG_RETURN_POINTER(request);
	PG_RETURN_POINTER(NULL);
}

/*
 * 1 if the scalar function name(args) says now that something is granted, 0 if
 * it is NULL; -1 if there is no such function.
 */
static Selectivity
granted_selectivity(PlannerInfo *root, const char *name, List *args)
{
	Expr	   *call = call_of(name, args);
	Node	   *value;

	if (call == NULL)
		return -1.0;
	value = estimate_expression_value(root, (Node *) call);
	return IsA(value, Const) && ((Const *) value)->constisnull ? 0.0 : 1.0;
}

/*
 * chat_rbac.in_org_scope_support(internal) -> internal
 *		The index condition is org = org_scope(…).  The selectivity is that among
 *		rows of the asker's org: the policy on the org stands beside it, and has
 *		counted the org already.
 */
Datum
chat_rbac_in_org_scope_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
	{
		SupportRequestIndexCondition *req = (SupportRequestIndexCondition *) request;
		FuncExpr   *call = (FuncExpr *) req->node;
		Expr	   *org;
		Oid			operator;

		if (!IsA(call, FuncExpr) || list_length(call->args) < 3)
			PG_RETURN_POINTER(NULL);
		org = call_of("org_scope", list_make2(lsecond(call->args), lthird(call->args)));
		operator = equal_operator((Node *) linitial(call->args));
		if (org == NULL || !OidIsValid(operator) || !index_takes(req, operator, (Node *) org))
			PG_RETURN_POINTER(NULL);
		req->lossy = list_length(call->args) > 3;	/* which units are sealed,
													 * the index does not know */
		org = make_opclause(operator, BOOLOID, false, (Expr *) linitial(call->args), org,
							InvalidOid, InvalidOid);
		set_opfuncid((OpExpr *) org);
		PG_RETURN_POINTER(list_make1(org));
	}
	if (IsA(request, SupportRequestSelectivity))
	{
		SupportRequestSelectivity *req = (SupportRequestSelectivity *) request;

		if (list_length(req->args) >= 3)
		{
			req->selectivity = granted_selectivity(req->root, "org_scope", list_make2(lsecond(req->args), lthird(req->args)));
			if (req->selectivity >= 0)
				PG_RETURN_POINTER(req);
		}
	}
	PG_RETURN_POINTER(NULL);
}

/*
 * chat_rbac.in_scope_support(internal) -> internal
 *		in_scope stands beside a narrow key: of the rows that have the relation
 *		nearly all are in reach if anything is, else none.
 */
Datum
chat_rbac_in_scope_support(PG_FUNCTION_ARGS)
{
	SupportRequestSelectivity *req = (SupportRequestSelectivity *) PG_GETARG_POINTER(0);

	if (!IsA(req, SupportRequestSelectivity) || list_length(req->args) < 2)
		PG_RETURN_POINTER(NULL);
	req->selectivity = granted_selectivity(req->root, "member_scope",
										   list_make3(linitial(req->args), lsecond(req->args),
													  makeBoolConst(false, false)));
	PG_RETURN_POINTER(req->selectivity < 0 ? NULL : req);
}

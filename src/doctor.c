/*-------------------------------------------------------------------------
 *
 * src/doctor.c
 *	  What doctor() and protect() cannot learn from the catalogs by SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "rewrite/rewriteHandler.h"
#include "rewrite/rewriteManip.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

PG_FUNCTION_INFO_V1(chat_rbac_library_version);
PG_FUNCTION_INFO_V1(chat_rbac_canonical_query);
PG_FUNCTION_INFO_V1(chat_rbac_is_view_of);
PG_FUNCTION_INFO_V1(chat_rbac_try_query);

/*
 * chat_rbac.library_version() -> text
 *		The version of the library, whatever that of the SQL objects is.
 */
Datum
chat_rbac_library_version(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_TEXT_P(cstring_to_text(RBAC_VERSION));
}

/* Who has a role's privileges but may not become it gets none of its attributes by us. */
static void
require_rights_of(Oid owner)
{
	if (!has_privs_of_role(GetUserId(), owner) || !rbac_may_become(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the rights of role %s", GetUserNameFromId(owner, false))));
}

/* Parse a SELECT as the role that has written it.  It is not run. */
static Query *
parse_query(char *source, Oid owner)
{
	List	   *statements = raw_parser(source, RAW_PARSE_DEFAULT);
	Query	   *query;
	RbacOneself oneself;

	if (list_length(statements) != 1 ||
		!IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a query is one SELECT")));
	require_rights_of(owner);
	rbac_catalog_become_author(owner, &oneself);
	query = parse_analyze_fixedparams(linitial_node(RawStmt, statements), source, NULL, 0, NULL);
	rbac_catalog_be_oneself(&oneself);
	return query;
}

/*
 * chat_rbac.canonical_query(query text, owner regrole) -> text
 *		The text that PostgreSQL has for a SELECT of that role, so that two
 *		spellings of one query are the same.
 */
Datum
chat_rbac_canonical_query(PG_FUNCTION_ARGS)
{
	Query	   *query = parse_query(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_OID(1));

	PG_RETURN_TEXT_P(cstring_to_text(pg_get_querydef(query, false)));
}

/*
 * chat_rbac.try_query(query text, owner regrole) -> void
 *		Runs a SELECT as that role: what its types do with a value is not done
 *		with the rights of a superuser.
 */
Datum
chat_rbac_try_query(PG_FUNCTION_ARGS)
{
	Oid			owner = PG_GETARG_OID(1);
	RbacOneself oneself;

	require_rights_of(owner);
	rbac_catalog_become_author(owner, &oneself);
	SPI_connect();
	if (SPI_execute(text_to_cstring(PG_GETARG_TEXT_PP(0)), true, 1) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a query is one SELECT")));
	SPI_finish();
	rbac_catalog_be_oneself(&oneself);
	PG_RETURN_VOID();
}

/*
 * chat_rbac.is_view_of(view regclass, query text, owner regrole) -> boolean
 *		Does a view show just what a SELECT ... FROM table WHERE ... of that role
 *		does?  Its own text is not parsed, as its owner may be another one.
 */
Datum
chat_rbac_is_view_of(PG_FUNCTION_ARGS)
{
	Query	   *wanted = parse_query(text_to_cstring(PG_GETARG_TEXT_PP(1)), PG_GETARG_OID(2));
	Relation	view = relation_open(PG_GETARG_OID(0), AccessShareLock);
	Query	   *found;
	int			before;			/* before 16 a view has OLD and NEW before its
								 * tables */
	bool		same;

	if (view->rd_rel->relkind != RELKIND_VIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a view", RelationGetRelationName(view))));
	found = get_view_query(view);
	before = list_length(found->rtable) - 1;
	same = list_length(wanted->rtable) == 1 && before >= 0;
	if (same)
	{
		RangeTblEntry *mine = linitial_node(RangeTblEntry, wanted->rtable);
		RangeTblEntry *theirs = list_nth_node(RangeTblEntry, found->rtable, before);

		OffsetVarNodes((Node *) wanted, before, 0);
		same = found->commandType == CMD_SELECT &&
			mine->rtekind == theirs->rtekind && mine->relid == theirs->relid && mine->inh == theirs->inh && theirs->tablesample == NULL &&
			equal(wanted->targetList, found->targetList) &&
			equal(wanted->jointree, found->jointree) &&
			!found->hasAggs && !found->hasWindowFuncs && !found->hasTargetSRFs && !found->hasDistinctOn &&
			found->cteList == NIL && found->setOperations == NULL && found->groupClause == NIL &&
			found->groupingSets == NIL && found->havingQual == NULL && found->distinctClause == NIL &&
			found->limitOffset == NULL && found->limitCount == NULL && found->rowMarks == NIL;
	}
	relation_close(view, AccessShareLock);
	PG_RETURN_BOOL(same);
}

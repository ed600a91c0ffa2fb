/*-------------------------------------------------------------------------
 *
 * src/doctor.c
 *	  What doctor() cannot learn from the catalogs by SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/ruleutils.h"

PG_FUNCTION_INFO_V1(chat_rbac_library_version);
PG_FUNCTION_INFO_V1(chat_rbac_canonical_query);

/*
 * chat_rbac.library_version() -> text
 *		The version of the library, whatever that of the SQL objects is.
 */
Datum
chat_rbac_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(RBAC_VERSION));
}

/*
 * chat_rbac.canonical_query(query text, owner regrole) -> text
 *		The text that PostgreSQL has for a SELECT, so that two spellings of one
 *		query are the same.  It is parsed, and not run; but a constant of a
 *		domain may run the domain's constraint, so this is as its owner, who
 *		gets no more out of a superuser that looks.
 */
Datum
chat_rbac_canonical_query(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			owner = PG_GETARG_OID(1);
	List	   *statements = raw_parser(source, RAW_PARSE_DEFAULT);
	Query	   *query;
	char	   *result;
	Oid			save_user;
	int			save_context;
	int			guc_level = NewGUCNestLevel();

	if (list_length(statements) != 1 ||
		!IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a query is one SELECT")));
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the rights of role %s", GetUserNameFromId(owner, false))));

	GetUserIdAndSecContext(&save_user, &save_context);
	SetUserIdAndSecContext(owner, save_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	query = parse_analyze_fixedparams(linitial_node(RawStmt, statements), source, NULL, 0, NULL);
	result = pg_get_querydef(query, false);
	SetUserIdAndSecContext(save_user, save_context);
	AtEOXact_GUC(false, guc_level);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

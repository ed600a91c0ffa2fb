/*-------------------------------------------------------------------------
 *
 * src/doctor.c
 *	  What doctor() cannot learn from the catalogs by SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "nodes/parsenodes.h"
#include "parser/analyze.h"
#include "parser/parser.h"
#include "utils/builtins.h"
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
 * chat_rbac.canonical_query(query text) -> text
 *		The text that PostgreSQL has for a SELECT, so that two spellings of one
 *		query are the same.  It is parsed, and not run.
 */
Datum
chat_rbac_canonical_query(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *statements = raw_parser(source, RAW_PARSE_DEFAULT);

	if (list_length(statements) != 1 ||
		!IsA(linitial_node(RawStmt, statements)->stmt, SelectStmt))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("a query is one SELECT")));
	PG_RETURN_TEXT_P(cstring_to_text(pg_get_querydef(
													 parse_analyze_fixedparams(linitial_node(RawStmt, statements),
																			   source, NULL, 0, NULL),
													 false)));
}

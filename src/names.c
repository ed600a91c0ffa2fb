/*-------------------------------------------------------------------------
 *
 * src/names.c
 *	  Hints for misspelt names.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(chat_rbac_near_names);

#define NEAR_NAMES_MAX	3		/* named at most */
#define NAME_LENGTH_MAX 255		/* what varstr_levenshtein takes, in bytes */

/*
 * chat_rbac.near_names(name text, candidates text[]) -> text
 *		The candidate nearest to name by edit distance, or up to three equally
 *		near, as '"Agent", "Agents"'; NULL if all are further away than 2, or
 *		than a third of the name's length.
 */
Datum
chat_rbac_near_names(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	const char *source = VARDATA_ANY(name);
	int			source_len = VARSIZE_ANY_EXHDR(name);
	int			nearest = Max(2, source_len / 3);
	text	   *near[NEAR_NAMES_MAX];
	int			nnear = 0;
	StringInfoData buf;
	Datum	   *candidates;
	bool	   *nulls;
	int			ncandidates;

	if (source_len > NAME_LENGTH_MAX)
		PG_RETURN_NULL();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT,
					  &candidates, &nulls, &ncandidates);
	for (int i = 0; i < ncandidates; i++)
	{
		text	   *candidate;
		int			distance;

		if (nulls[i])
			continue;
		candidate = DatumGetTextPP(candidates[i]);
		if (VARSIZE_ANY_EXHDR(candidate) > NAME_LENGTH_MAX)
			continue;
		distance = varstr_levenshtein_less_equal(source, source_len,
												 VARDATA_ANY(candidate),
												 VARSIZE_ANY_EXHDR(candidate),
												 1, 1, 1, nearest, true);
		if (distance < nearest)
			nnear = 0;
		if (distance <= nearest && nnear < NEAR_NAMES_MAX)
		{
			nearest = distance;
			near[nnear++] = candidate;
		}
	}
	if (nnear == 0)
		PG_RETURN_NULL();

	initStringInfo(&buf);
	for (int i = 0; i < nnear; i++)
		appendStringInfo(&buf, "%s\"%s\"", i > 0 ? ", " : "", text_to_cstring(near[i]));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}

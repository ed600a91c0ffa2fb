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

typedef struct NearName
{
	text	   *name;
	int			distance;
} NearName;

/* Keep the NEAR_NAMES_MAX nearest, nearest first. */
static void
insert_near(NearName *near, int *nnear, text *name, int distance)
{
	int			at = *nnear;

	while (at > 0 && near[at - 1].distance > distance)
		at--;
	if (at == NEAR_NAMES_MAX)
		return;
	if (*nnear < NEAR_NAMES_MAX)
		(*nnear)++;
	memmove(&near[at + 1], &near[at], sizeof(NearName) * (*nnear - at - 1));
	near[at].name = name;
	near[at].distance = distance;
}

/*
 * chat_rbac.near_names(name text, candidates text[]) -> text
 *		The candidates nearest to name by edit distance (at most 2, or a third
 *		of the name's length), as '"Agent", "Agents"'; NULL if none is near.
 */
Datum
chat_rbac_near_names(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	const char *source = VARDATA_ANY(name);
	int			source_len = VARSIZE_ANY_EXHDR(name);
	int			limit = Max(2, source_len / 3);
	NearName	near[NEAR_NAMES_MAX];
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
												 1, 1, 1, limit, true);
		if (distance <= limit)
			insert_near(near, &nnear, candidate, distance);
	}
	if (nnear == 0)
		PG_RETURN_NULL();

	initStringInfo(&buf);
	for (int i = 0; i < nnear; i++)
		appendStringInfo(&buf, "%s\"%s\"", i > 0 ? ", " : "", text_to_cstring(near[i].name));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}

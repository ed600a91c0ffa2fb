/*-------------------------------------------------------------------------
 *
 * src/question.c
 *	  What is asked: a permission, a protected table and the key of a row.
 *
 * Read from the arguments of can() and its like, with an error for what cannot
 * be asked.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* The form of a protected table that the caller may read; an error if it is none. */
RbacProtection *
rbac_question_table(RbacRowState *state, Oid relid)
{
	RbacProtection *form;

	if (get_rel_name(relid) != NULL &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)), get_rel_name(relid));
	form = get_rel_name(relid) != NULL ? rbac_row_protection(state, relid) : NULL;
	if (form == NULL || form->builtin)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 get_rel_name(relid) != NULL ?
				 errmsg("table \"%s\" is not protected", get_rel_name(relid)) :
				 errmsg("table with OID %u does not exist", relid),
				 errhint("Put it under chat_rbac.protect() first.")));
	if (form->root != relid)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is part of table \"%s\"", get_rel_name(relid), get_rel_name(form->root)),
				 errhint("Ask for the table that it is part of: its rows are reached through that.")));
	if (!form->keys_are_ids)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of table \"%s\" cannot be asked for", get_rel_name(relid)),
				 errdetail("Its primary key has columns that are not of type integer or bigint.")));
	return form;
}

/* The values of a bigint[] without nulls. */
int64 *
rbac_question_ids(ArrayType *array, int *nids)
{
	Datum	   *values;
	bool	   *nulls;
	int64	   *ids;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, nids);
	ids = palloc(sizeof(int64) * Max(*nids, 1));
	for (int i = 0; i < *nids; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a key cannot be null")));
		ids[i] = DatumGetInt64(values[i]);
	}
	return ids;
}

/* Each key has a value for each column. */
void
rbac_question_check_key(const RbacProtection *form, int nvalues)
{
	StringInfoData names;

	if (nvalues == form->nkeys)
		return;
	initStringInfo(&names);
	for (int i = 0; i < form->nkeys; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 get_attname(form->relid, form->keys[i].attnum, false));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a row of table \"%s\" is not told by %d values", get_rel_name(form->relid), nvalues),
			 form->nkeys > 0 ? errdetail("Beside the org, its primary key is (%s).", names.data) :
			 errdetail("Its primary key is the org alone.")));
}

/* Whether a relation holds on a row cannot be asked for. */
void
rbac_question_check_plain(const RbacPermission *asked)
{
	if (asked->relation_len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("permission \"%.*s\" has a relation", (int) asked->len, asked->text),
				 errdetail("Which relations hold on the row is for the answer to say.")));
}

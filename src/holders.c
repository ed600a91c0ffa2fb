/*-------------------------------------------------------------------------
 *
 * src/holders.c
 *	  Who may do that, and what may somebody do?
 *
 * Both go through the grants as explain_access() does (asked.c), and give only
 * those that carry the answer.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(chat_rbac_who_can);
PG_FUNCTION_INFO_V1(chat_rbac_what_can);

/* The active members who hold one of the roles $2 now. */
static RbacQuery holders_of_roles = {
	"SELECT m.member_id, m.name FROM chat_rbac.member m"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.active AND EXISTS (SELECT FROM chat_rbac.role_grant g"
	"  WHERE g.org_id OPERATOR(pg_catalog.=) $1 AND g.member_id OPERATOR(pg_catalog.=) m.member_id"
	"  AND g.role_id OPERATOR(pg_catalog.=) ANY ($2) AND g.valid OPERATOR(pg_catalog.@>) $3)"
	" ORDER BY m.name USING OPERATOR(pg_catalog.<), m.member_id USING OPERATOR(pg_catalog.<)",
	3, {INT8OID, INT8ARRAYOID, TIMESTAMPTZOID}, NULL
};

/* What is asked of everybody. */
typedef struct Search
{
	RbacQuestion question;
	Oid			relid;			/* InvalidOid: anywhere */
	const int64 *key;
	bool		told;			/* by which grants, too */
	ReturnSetInfo *result;
} Search;

static Datum
permission_datum(const RbacPermission *permission)
{
	return PointerGetDatum(rbac_permission_make(permission));
}

static Datum
unit_datum(const RbacAskedGrant *grant)
{
	return CStringGetTextDatum(grant->org_wide ? "(whole org)" : grant->path);
}

/* The candidates, in the current context. */
static int
find_candidates(int64 org, const RbacPermset *wanted, int64 **ids, char ***names)
{
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	Datum		args[3];
	uint64		rows;

	args[0] = Int64GetDatum(org);
	args[1] = rbac_asked_roles(org, wanted);
	args[2] = TimestampTzGetDatum(rbac_now());
	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, &holders_of_roles, args, NULL);
	*ids = MemoryContextAlloc(context, sizeof(int64) * Max(rows, 1));
	*names = MemoryContextAlloc(context, sizeof(char *) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		(*ids)[i] = rbac_catalog_int64(i, 1, NULL);
		(*names)[i] = MemoryContextStrdup(context, rbac_catalog_text(i, 2));
	}
	rbac_catalog_close(&scope);
	return (int) rows;
}

/* Does the member hold it, as can() says? */
static bool
member_can(RbacAsked *asked, Search *search, RbacRow *row)
{
	const RbacPermission *plain = &search->question.asked;
	RbacProtection *form;
	const RbacScope *scope;

	if (OidIsValid(search->relid))
	{
		form = rbac_question_table(asked->check.rows, search->relid);
		return rbac_row_find(asked->check.rows, form, search->key, row) &&
			rbac_row_allows(asked->check.rows, form, &search->question.wanted, row);
	}
	scope = rbac_authz_scope(asked->check.grants, &search->question.wanted,
							 plain->relation_len > 0 ? &plain->text[plain->len - plain->relation_len] : NULL,
							 plain->relation_len, plain->relation_len > 0, false, CurrentMemoryContext);
	return scope->org_wide || scope->nreach > 0;
}

static void
put_holder(const Search *search, const RbacAsked *asked, const RbacAskedGrant *grant, const RbacPermission *permission)
{
	Datum		values[6] = {0};
	bool		nulls[6] = {false, false, true, true, true, true};

	values[0] = Int64GetDatum(asked->member);
	values[1] = CStringGetTextDatum(asked->name);
	if (grant != NULL)
	{
		values[2] = Int64GetDatum(grant->grant_id);
		values[3] = CStringGetTextDatum(rbac_asked_chain(asked, grant, permission));
		values[4] = unit_datum(grant);
		values[5] = permission_datum(permission);
		nulls[2] = nulls[3] = nulls[4] = nulls[5] = false;
	}
	tuplestore_putvalues(search->result->setResult, search->result->setDesc, values, nulls);
}

/* Give a member's rows: one for each permission that carries the answer, or just the member. */
static void
search_member(Search *search, RbacAsked *asked)
{
	RbacQuestion question = search->question;
	RbacRow		row;
	bool		any = false;

	rbac_asked_load(asked);
	if (!asked->active || !member_can(asked, search, &row))
		return;
	if (search->told)
		rbac_asked_load_grants(asked);
	if (search->told && OidIsValid(search->relid))
		search->told = rbac_asked_place(asked, rbac_question_table(asked->check.rows, search->relid), &row, &question);
	for (int where = RBAC_WHERE_GRANTED; where <= RBAC_WHERE_SEALED && !any && search->told; where++)
	{
		for (int g = 0; g < asked->ngrants; g++)
		{
			const RbacAskedGrant *grant = &asked->grants[g];
			RbacPermission permission;
			size_t		pos = 0;

			while (grant->counted != NULL &&
				   rbac_permset_next(&grant->counted->reach[0].permissions, &pos, &permission))
			{
				if (!rbac_asked_about(&permission, &question.wanted) ||
					!rbac_asked_carries(asked, grant->counted, &permission, (RbacAskedWhere) where, &question))
					continue;
				put_holder(search, asked, grant, &permission);
				any = true;
			}
		}
	}
	if (!any)
		put_holder(search, asked, NULL, NULL);
}

/*
 * chat_rbac.who_can(permission, relation regclass, VARIADIC key bigint[])
 *	-> SETOF (member_id, member, grant_id, role, unit, held)
 *		The members for whom can() is true, by name.  42501 without role.view in
 *		the whole org.
 */
Datum
chat_rbac_who_can(PG_FUNCTION_ARGS)
{
	Search		search = {0};
	MemoryContext per_member;
	char		bytes[RBAC_PERMISSION_MAX + 1];
	int64	   *ids;
	char	  **names;
	int			n;
	int			nkeys;
	int64		org;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a permission must be given")));
	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &search.question.asked);
	search.question.wanted = rbac_permset_of_one(&search.question.asked, bytes);
	search.key = rbac_question_ids(PG_GETARG_ARRAYTYPE_P(2), &nkeys);
	org = rbac_asked_org(fcinfo->flinfo, "ask about others");
	search.told = true;
	if (!PG_ARGISNULL(1))
	{
		RbacRowState *state = rbac_row_state(rbac_authz_check(fcinfo->flinfo), fcinfo->flinfo->fn_mcxt);
		RbacProtection *form;

		search.relid = PG_GETARG_OID(1);
		rbac_question_check_plain(&search.question.asked);
		form = rbac_question_table(state, search.relid);
		rbac_question_check_key(form, nkeys);
		search.told = rbac_asked_is_seen(fcinfo->flinfo, search.relid, search.key);
	}
	else if (nkeys > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a key is given, but no table")));

	InitMaterializedSRF(fcinfo, 0);
	search.result = (ReturnSetInfo *) fcinfo->resultinfo;
	n = find_candidates(org, &search.question.wanted, &ids, &names);
	per_member = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac one member", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(per_member);
		RbacAsked	asked = {.org = org,.member = ids[i],.name = names[i]};

		CHECK_FOR_INTERRUPTS();
		search_member(&search, &asked);
		MemoryContextSwitchTo(old);
		MemoryContextReset(per_member);
	}
	MemoryContextDelete(per_member);
	return (Datum) 0;
}

/*
 * chat_rbac.what_can(member bigint) -> SETOF (held, unit, role, grant_id, ends)
 *		Each permission of each grant that counts now.  42501 about others without
 *		role.view in the whole org; 42704: no such member.
 */
Datum
chat_rbac_what_can(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RbacAsked	asked;

	rbac_asked_who(fcinfo->flinfo, PG_GETARG_INT64(0), &asked);
	InitMaterializedSRF(fcinfo, 0);
	rbac_asked_load(&asked);
	rbac_asked_load_grants(&asked);
	for (int g = 0; g < asked.ngrants; g++)
	{
		const RbacAskedGrant *grant = &asked.grants[g];
		RbacPermission permission;
		size_t		pos = 0;
		TimestampTz ends = grant->counted != NULL ? rbac_asked_counts_until(&asked, grant) : DT_NOEND;

		while (grant->counted != NULL &&
			   rbac_permset_next(&grant->counted->reach[0].permissions, &pos, &permission))
		{
			Datum		values[5];
			bool		nulls[5] = {false, false, false, false, ends == DT_NOEND};

			values[0] = permission_datum(&permission);
			values[1] = unit_datum(grant);
			values[2] = CStringGetTextDatum(rbac_asked_chain(&asked, grant, &permission));
			values[3] = Int64GetDatum(grant->grant_id);
			values[4] = TimestampTzGetDatum(ends);
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}

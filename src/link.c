/*-------------------------------------------------------------------------
 *
 * src/link.c
 *	  Relations that another table tells: link tables and "linked".
 *
 * A link table ("participating": table, row, member) names the rows that the
 * member takes part in.  It is read as its owner and past its own policies,
 * or two policies would recurse into each other; so the protected table's owner
 * must have the rights of the link table's.  "linked" (customers of my
 * conversations) holds for the rows that a visible row of another table points
 * to: that table is read as the caller, under its policies.
 *
 * Which table and columns is looked up in chat_rbac.protection, never taken
 * from arguments, so a direct call tells no more than the policy would.  Errors
 * in reading may depend on the arguments, so these must be constants: for
 * others the answer is no.
 *
 * A call site reads the ids once per execution and keeps them.
 *
 *-------------------------------------------------------------------------
 */
#include "question.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(chat_rbac_in_link);
PG_FUNCTION_INFO_V1(chat_rbac_in_link_int4);
PG_FUNCTION_INFO_V1(chat_rbac_link_scope);

#define RELATION_NAME_SIZE (RBAC_PART_MAX + 1)

typedef struct LinkKey
{
	Oid			relid;			/* the protected table */
	char		relation[RELATION_NAME_SIZE];	/* zero-padded */
} LinkKey;

/* A plan, which is not freed while a query by it runs: that may make it anew, being within itself. */
typedef struct KeptPlan
{
	SPIPlanPtr	plan;			/* $1 is the org, $2 the member */
	int			running;
	bool		stale;			/* the last to run it frees it */
} KeptPlan;

/* How to read one link; kept while the generation holds. */
typedef struct LinkPlan
{
	LinkKey		key;
	uint64		generation;
	Oid			reads;			/* the table, as its owner; InvalidOid: as the
								 * caller */
	Oid			table;			/* the other table, */
	RbacTableName name;			/* and what it was called */
	KeptPlan   *kept;			/* NULL: it could not be made */
} LinkPlan;

static HTAB *plans = NULL;

static RbacQuery link_spec = {
	"SELECT t.r OPERATOR(pg_catalog.->>) 'table', t.r OPERATOR(pg_catalog.->>) 'row',"
	" t.r OPERATOR(pg_catalog.->>) 'member', t.r OPERATOR(pg_catalog.->>) 'org',"
	" t.r OPERATOR(pg_catalog.#>>) '{linked,table}', t.r OPERATOR(pg_catalog.#>>) '{linked,column}',"
	" t.r OPERATOR(pg_catalog.#>>) '{linked,org}', t.tables"
	" FROM (SELECT p.linked OPERATOR(pg_catalog.||) p.link_tables AS tables, p.spec OPERATOR(pg_catalog.->) 'relations' OPERATOR(pg_catalog.->) $2 AS r"
	"  FROM chat_rbac.protection p WHERE p.relation OPERATOR(pg_catalog.=) $1) AS t"
	" WHERE t.r IS NOT NULL",
	2, {OIDOID, TEXTOID}, NULL
};

/* ---- how to read ---- */

/* The oid of a table that a specification names; an error says who names it. */
static Oid
named_table(const char *name, const LinkKey *key)
{
	RangeVar   *table = makeRangeVarFromNameList(rbac_name_parts(name));
	Oid			relid = RangeVarGetRelid(table, NoLock, true);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s, named by relation \"%s\" of protected table \"%s\", does not exist",
						name, key->relation, get_rel_name(key->relid)),
				 errhint("Call chat_rbac.protect() again with the table's new name.")));
	return relid;
}

/* Is the table among those of the result's regclass[]?  A name may have come to mean another one. */
static bool
is_known(Oid relid, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
	Datum	   *tables;
	int			ntables;

	if (isnull)
		return false;
	deconstruct_array(DatumGetArrayTypeP(value), REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT,
					  &tables, NULL, &ntables);
	for (int i = 0; i < ntables; i++)
	{
		if (DatumGetObjectId(tables[i]) == relid)
			return true;
	}
	return false;
}

static RBAC_NORETURN void
raise_unknown(const char *table, const LinkKey *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table %s is not the one that relation \"%s\" of protected table \"%s\" was made for",
					table, key->relation, get_rel_name(key->relid)),
			 errhint("Call chat_rbac.protect() again.")));
}

/*
 * The query that reads a link, in the current context, and plan->reads, as whose owner it
 * runs it.  NULL if the protected table has no such relation that another
 * table tells.
 */
static char *
link_query(LinkPlan *plan)
{
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	Datum		args[2];
	char	   *sql = NULL;

	args[0] = ObjectIdGetDatum(plan->key.relid);
	args[1] = CStringGetTextDatum(plan->key.relation);
	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, &link_spec, args, NULL) == 1)
	{
		bool		linked = rbac_catalog_text(0, 1) == NULL;
		char	   *table = rbac_catalog_text(0, linked ? 5 : 1);
		char	   *column = rbac_catalog_text(0, linked ? 6 : 2);
		char	   *member = linked ? NULL : rbac_catalog_text(0, 3);
		char	   *org = rbac_catalog_text(0, linked ? 7 : 4);

		if (table != NULL && column != NULL && (linked || member != NULL))
		{
			StringInfoData buf;
			Oid			relid = named_table(table, &plan->key);
			MemoryContext old;

			if (!linked && !has_privs_of_role(rbac_catalog_owner(plan->key.relid), rbac_catalog_owner(relid)))
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("the owner of table \"%s\" does not own link table \"%s\"",
								get_rel_name(plan->key.relid), get_rel_name(relid))));
			if (!is_known(relid, 8))
				raise_unknown(table, &plan->key);

			old = MemoryContextSwitchTo(context);
			initStringInfo(&buf);
			appendStringInfo(&buf, "SELECT DISTINCT l.%s::pg_catalog.int8 FROM %s AS l WHERE l.%s IS NOT NULL",
							 quote_identifier(column),
							 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
														get_rel_name(relid)),
							 quote_identifier(column));
			if (org != NULL)
				appendStringInfo(&buf, " AND l.%s OPERATOR(pg_catalog.=) $1", quote_identifier(org));
			if (member != NULL)
				appendStringInfo(&buf, " AND l.%s OPERATOR(pg_catalog.=) $2", quote_identifier(member));
			MemoryContextSwitchTo(old);
			sql = buf.data;
			plan->reads = linked ? InvalidOid : relid;
			plan->table = relid;
			rbac_catalog_take_name(relid, &plan->name);
		}
	}
	rbac_catalog_close(&scope);
	return sql;
}

/* Act as the owner of a link table, past its policies; stay oneself for "linked". */
static void
become_reader(const LinkPlan *plan, RbacOneself *oneself)
{
	if (OidIsValid(plan->reads))
		rbac_catalog_become_reader(plan->reads, oneself);
}

static void
be_oneself(const LinkPlan *plan, const RbacOneself *oneself)
{
	if (OidIsValid(plan->reads))
		rbac_catalog_be_oneself(oneself);
}

/*
 * rbac_link_pointer
 *		Which table and column point to the rows of a "linked" relation, in the
 *		current context; false if it is no such relation.
 */
bool
rbac_link_pointer(Oid protected, const char *relation, int relation_len, RbacPointer *out)
{
	MemoryContext context = CurrentMemoryContext;
	RbacCatalogScope scope;
	LinkKey		key = {0};
	Datum		args[2];
	bool		result = false;

	if (relation_len >= RELATION_NAME_SIZE)
		return false;
	key.relid = protected;
	memcpy(key.relation, relation, relation_len);
	args[0] = ObjectIdGetDatum(protected);
	args[1] = CStringGetTextDatum(key.relation);
	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, &link_spec, args, NULL) == 1 && rbac_catalog_text(0, 5) != NULL)
	{
		char	   *org = rbac_catalog_text(0, 7);

		out->table = named_table(rbac_catalog_text(0, 5), &key);
		if (!is_known(out->table, 8))
			raise_unknown(rbac_catalog_text(0, 5), &key);
		out->column = MemoryContextStrdup(context, rbac_catalog_text(0, 6));
		out->org = org != NULL ? MemoryContextStrdup(context, org) : NULL;
		result = true;
	}
	rbac_catalog_close(&scope);
	return result;
}

static void
let_go(KeptPlan *kept)
{
	kept->stale = true;
	if (kept->running > 0)
		return;
	SPI_freeplan(kept->plan);
	pfree(kept);
}

/*
 * How to read a link, as a copy: running it may make others anew.  False if
 * there is no such link.
 */
static bool
link_plan(const LinkKey *key, LinkPlan *out)
{
	LinkPlan   *plan;
	LinkPlan	fresh = {0};
	SPIPlanPtr	prepared;
	Oid			types[2] = {INT8OID, INT8OID};
	RbacOneself oneself;
	char	   *sql;

	if (plans == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(LinkKey);
		control.entrysize = sizeof(LinkPlan);
		plans = hash_create("chat_rbac link plans", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	plan = hash_search(plans, key, HASH_FIND, NULL);
	if (plan != NULL && plan->kept != NULL && plan->generation == rbac_inval_generation && rbac_catalog_has_name(plan->table, &plan->name))
	{
		*out = *plan;
		return true;
	}
	if (plan != NULL)
	{
		if (plan->kept != NULL)
			let_go(plan->kept);
		hash_search(plans, key, HASH_REMOVE, NULL);
	}

	fresh.key = *key;
	fresh.generation = rbac_inval_accept();
	sql = link_query(&fresh);
	if (sql == NULL)
		return false;
	/* whose policies it is under is settled when it is prepared */
	become_reader(&fresh, &oneself);
	SPI_connect();
	prepared = SPI_prepare(sql, 2, types);
	if (prepared == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));

	/*
	 * what may fail comes first: a plan that is kept and not known would be
	 * lost
	 */
	fresh.kept = MemoryContextAllocZero(CacheMemoryContext, sizeof(KeptPlan));
	fresh.kept->plan = prepared;
	plan = hash_search(plans, key, HASH_ENTER, NULL);
	plan->kept = NULL;
	SPI_keepplan(prepared);
	*plan = fresh;
	SPI_finish();
	be_oneself(&fresh, &oneself);
	*out = fresh;
	return true;
}

/* ---- reading ---- */

/* Run a link's query under the active snapshot; the set is in context. */
static RbacIdSet *
read_ids(const LinkPlan *plan, const RbacGrants *grants, MemoryContext context)
{
	RbacIdSet  *result;
	Datum		args[2];
	int64	   *ids;
	RbacOneself oneself;
	KeptPlan   *kept = plan->kept;
	volatile int rc = 0;

	args[0] = Int64GetDatum(grants->org);
	args[1] = Int64GetDatum(grants->member);
	become_reader(plan, &oneself);
	SPI_connect();
	kept->running++;
	PG_TRY();
	{
		rc = rbac_catalog_decide(kept->plan, args);
	}
	PG_FINALLY();
	{
		if (--kept->running == 0 && kept->stale)
			let_go(kept);
	}
	PG_END_TRY();
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a chat_rbac link query: %s", SPI_result_code_string(rc));
	ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(SPI_processed, 1));
	for (uint64 i = 0; i < SPI_processed; i++)
		ids[i] = rbac_catalog_int64(i, 1, NULL);
	result = rbac_reach_idset(context, ids, (int) SPI_processed);
	SPI_finish();
	be_oneself(plan, &oneself);
	return result;
}

/*
 * rbac_link_read
 *		The ids for which a relation of a protected table holds for the asker, as
 *		the active snapshot shows them; in context.  None if no other table
 *		tells that relation.
 */
RbacIdSet *
rbac_link_read(const RbacGrants *grants, Oid protected, const char *relation,
			   int relation_len, MemoryContext context)
{
	LinkPlan	plan;
	LinkKey		key;

	if (relation_len >= RELATION_NAME_SIZE)
		return rbac_reach_idset(context, NULL, 0);
	memset(&key, 0, sizeof(key));
	key.relid = protected;
	memcpy(key.relation, relation, relation_len);
	if (!link_plan(&key, &plan))
		return rbac_reach_idset(context, NULL, 0);
	return read_ids(&plan, grants, context);
}

/*
 * The ids for which relation (argument arg + 1) of a protected table (arg + 2)
 * holds, if any of the permissions (arg) is granted with it, or if arg + 3 is
 * true for every row, anywhere.  Read when the call site has none of this
 * command's.
 */
static const RbacIdSet *
linked_ids(FunctionCallInfo fcinfo, int arg)
{
	static RbacIdSet none = {0, NULL, 0, NULL};
	RbacCheck  *check = rbac_authz_check(fcinfo->flinfo);
	const RbacScope *scope;
	text	   *relation;

	if (likely(check->linked != NULL && rbac_command_is(&check->linked_at)))
		return check->linked;
	if (check->grants == NULL || !ActiveSnapshotSet() ||
		!rbac_authz_arguments_const(fcinfo->flinfo, arg, arg + 3))
		return &none;
	check->linked_at = rbac_command_now();
	check->linked = &none;

	relation = PG_GETARG_TEXT_PP(arg + 1);
	scope = rbac_authz_argument_scope(check, fcinfo, arg, PG_GETARG_BOOL(arg + 3));
	if (!scope->org_wide && scope->nreach == 0)
		return &none;

	check->linked = NULL;
	if (check->linked_context == NULL)
		check->linked_context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "chat_rbac linked ids",
													  ALLOCSET_SMALL_SIZES);
	MemoryContextReset(check->linked_context);
	check->linked = rbac_link_read(check->grants, PG_GETARG_OID(arg + 2), VARDATA_ANY(relation),
								   VARSIZE_ANY_EXHDR(relation), check->linked_context);
	return check->linked;
}

/*
 * chat_rbac.link_scope(permset, relation text, protected regclass, or_all boolean) -> bigint[]
 *		The ids of the rows with the relation, if any of the permissions is
 *		granted with it (or_all: or for every row) anywhere, else none.
 */
Datum
chat_rbac_link_scope(PG_FUNCTION_ARGS)
{
	const RbacIdSet *set = linked_ids(fcinfo, 0);

	return rbac_compile_array(set->ids, set->nids);
}

/*
 * chat_rbac.in_link(id bigint, permset, relation text, protected regclass, or_all boolean) -> boolean
 *		Is the id among link_scope(permset, relation, protected, or_all)?
 */
Datum
chat_rbac_in_link(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rbac_idset_has(linked_ids(fcinfo, 1), PG_GETARG_INT64(0)));
}

Datum
chat_rbac_in_link_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rbac_idset_has(linked_ids(fcinfo, 1), PG_GETARG_INT32(0)));
}

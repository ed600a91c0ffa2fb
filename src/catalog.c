/*-------------------------------------------------------------------------
 *
 * src/catalog.c
 *	  Our own tables: whether they are there, and how they are read.
 *
 * Reads go through SPI with kept plans, as the owner of the tables and under
 * a snapshot taken now, never the transaction's: a revoked grant must not live
 * on in a REPEATABLE READ transaction.  Every query names the schemas of what it
 * uses; the caller's search_path is set aside all the same, because what it finds
 * for a name that lacks one, a domain called text, say, would run as the owner.
 *
 * rbac_catalog_open and _close bracket the reads.  An error in between needs no
 * cleaning up here: aborting the (sub)transaction restores user and settings,
 * releases the snapshot and closes SPI.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* The extension's installed version, palloc'ed, or NULL. */
static char *
installed_version(void)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum("chat_rbac"));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(rel), &isnull);

		if (!isnull)
			version = TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return version;
}

/* The owner of a table that exists. */
Oid
rbac_catalog_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* Act as the owner of a table, past its policies, until SetUserIdAndSecContext puts back what is saved. */
void
rbac_catalog_become(Oid owner, Oid *save_user, int *save_context)
{
	GetUserIdAndSecContext(save_user, save_context);
	SetUserIdAndSecContext(owner, *save_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
}

/*
 * Act as the owner of a table in order to query it.  What hangs on its partitions
 * and children, index expressions and checks, is run by that, so it must not be
 * what another owner has put there.  Nor may it leave something to be run at the
 * end of the transaction, as who that is, or settings for what comes next.
 */
void
rbac_catalog_become_reader(Oid relid, RbacOneself *oneself)
{
	Oid			owner = rbac_catalog_owner(relid);

	if (has_subclass(relid))
	{
		List	   *parts = find_all_inheritors(relid, NoLock, NULL);
		ListCell   *cell;

		foreach(cell, parts)
		{
			Oid			other = rbac_catalog_owner(lfirst_oid(cell));

			if (other != owner && !superuser_arg(other))
				ereport(ERROR,
						(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						 errmsg("table \"%s\" is part of table \"%s\", but has another owner",
								get_rel_name(lfirst_oid(cell)), get_rel_name(relid)),
						 errhint("Give both one owner.")));
		}
		list_free(parts);
	}
	oneself->guc_level = NewGUCNestLevel();
	rbac_catalog_become(owner, &oneself->user, &oneself->context);
	if (!superuser_arg(owner))
	{
		int			context;

		GetUserIdAndSecContext(&owner, &context);
		SetUserIdAndSecContext(owner, context | SECURITY_RESTRICTED_OPERATION);
	}
}

/*
 * Act as a role in order to parse what it has written.  A constant of an array or
 * range of a domain runs the domain's checks there and then, which are not to have
 * our rights, nor those of a superuser who just looks.
 */
void
rbac_catalog_become_author(Oid owner, RbacOneself *oneself)
{
	oneself->guc_level = NewGUCNestLevel();
	GetUserIdAndSecContext(&oneself->user, &oneself->context);
	SetUserIdAndSecContext(owner, oneself->context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

void
rbac_catalog_be_oneself(const RbacOneself *oneself)
{
	SetUserIdAndSecContext(oneself->user, oneself->context);
	AtEOXact_GUC(false, oneself->guc_level);
}

/* One of our own relations, by its name; an error if it is gone. */
Oid
rbac_catalog_relation(const char *name)
{
	Oid			relid = get_relname_relid(name, get_namespace_oid(RBAC_SCHEMA, false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" does not exist", RBAC_SCHEMA, name)));
	return relid;
}

/* What a table is called now, for the text of a kept query. */
void
rbac_catalog_take_name(Oid relid, RbacTableName *out)
{
	namestrcpy(&out->schema, get_namespace_name(get_rel_namespace(relid)));
	namestrcpy(&out->table, get_rel_name(relid));
}

/* Is it still called that?  Else the text means another table, or none. */
bool
rbac_catalog_has_name(Oid relid, const RbacTableName *name)
{
	char	   *table = get_rel_name(relid);
	char	   *schema = table != NULL ? get_namespace_name(get_rel_namespace(relid)) : NULL;

	return schema != NULL &&
		strcmp(table, NameStr(name->table)) == 0 && strcmp(schema, NameStr(name->schema)) == 0;
}

/*
 * Find the proxy table and its owner.  While the extension is being created
 * or updated, or when its SQL objects are of another version than this
 * library, there is no answer but an error.
 */
static Oid
find_proxy(Oid *owner)
{
	Oid			schema = get_namespace_oid(RBAC_SCHEMA, true);
	Oid			proxy = OidIsValid(schema) ? get_relname_relid("cache_proxy", schema) : InvalidOid;
	char	   *version;

	if (creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("chat_rbac cannot decide while an extension is being created or updated")));

	version = installed_version();
	if (version == NULL || !OidIsValid(proxy))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"chat_rbac\" is not installed in this database"),
				 errhint("Run CREATE EXTENSION chat_rbac.")));
	if (strcmp(version, RBAC_VERSION) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"chat_rbac\" is at version \"%s\", but its library is at \"%s\"",
						version, RBAC_VERSION),
				 errhint("Run ALTER EXTENSION chat_rbac UPDATE, or install the newer library, and connect again.")));
	pfree(version);

	*owner = rbac_catalog_owner(proxy);
	return proxy;
}

/*
 * pg_dump lets nothing be read by a view, lest somebody's be read as who dumps.
 * With --enable-row-security it asks us, and we read views of our own.
 */
static void
read_our_views(void)
{
	const char *restricted = GetConfigOption("restrict_nonsystem_relation_kind", true, false);

	/* minor releases of 2024 know it */
	if (restricted != NULL && restricted[0] != '\0')
		(void) set_config_option("restrict_nonsystem_relation_kind", "", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * rbac_catalog_open
 *		Begin reading our tables.  Throws when the extension cannot answer.
 */
void
rbac_catalog_open(RbacCatalogScope *scope)
{
	Oid			owner;
	Oid			proxy = find_proxy(&owner);

	rbac_inval_watch(proxy);
	rbac_catalog_become(owner, &scope->save_user, &scope->save_context);

	/*
	 * A catalog snapshot of a table that is no catalog is always a new one;
	 * unlike GetLatestSnapshot it may be taken in a parallel worker too.
	 */
	scope->snapshot = RegisterSnapshot(GetCatalogSnapshot(proxy));

	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	/* our walks look dearer to the planner than they are */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	read_our_views();
	SPI_connect();
}

void
rbac_catalog_close(RbacCatalogScope *scope)
{
	SPI_finish();
	AtEOXact_GUC(false, scope->guc_level);
	UnregisterSnapshot(scope->snapshot);
	SetUserIdAndSecContext(scope->save_user, scope->save_context);
}

static SPIPlanPtr
kept_plan(RbacQuery *query)
{
	if (query->plan == NULL)
	{
		/* the shape is the same for all, and planning costs more than running */
		SPIPlanPtr	plan = SPI_prepare_cursor(query->sql, query->nargs, query->argtypes,
											  CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		query->plan = plan;
	}
	return query->plan;
}

static uint64
rows_or_error(int rc)
{
	if (rc != SPI_OK_SELECT && rc != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "unexpected result of a chat_rbac query: %s", SPI_result_code_string(rc));
	return SPI_processed;
}

/*
 * rbac_catalog_query
 *		Run a query; its rows are in SPI_tuptable until the next one.
 */
uint64
rbac_catalog_query(const RbacCatalogScope *scope, RbacQuery *query,
				   Datum *args, const char *nulls)
{
	return rows_or_error(SPI_execute_snapshot(kept_plan(query), args, nulls, scope->snapshot,
											  InvalidSnapshot, true, false, 0));
}

/* The same for a SELECT … FOR UPDATE or an INSERT … RETURNING, under the transaction's snapshot. */
uint64
rbac_catalog_execute(RbacQuery *query, Datum *args)
{
	return rows_or_error(SPI_execute_plan(kept_plan(query), args, NULL, false, 0));
}

/*
 * While true, what is executed decides about rows as the caller may see them,
 * and hands none on: no read of the caller's.
 */
bool		rbac_catalog_deciding = false;

/* Runs a plan that decides. */
int
rbac_catalog_decide(SPIPlanPtr plan, Datum *args)
{
	bool		save = rbac_catalog_deciding;
	int			rc = 0;

	rbac_catalog_deciding = true;
	PG_TRY();
	{
		rc = SPI_execute_plan(plan, args, NULL, true, 0);
	}
	PG_FINALLY();
	{
		rbac_catalog_deciding = save;
	}
	PG_END_TRY();
	return rc;
}

/* The same, of a cursor's next rows. */
void
rbac_catalog_decide_by(Portal portal, long count)
{
	bool		save = rbac_catalog_deciding;

	rbac_catalog_deciding = true;
	PG_TRY();
	{
		SPI_cursor_fetch(portal, true, count);
	}
	PG_FINALLY();
	{
		rbac_catalog_deciding = save;
	}
	PG_END_TRY();
}

/* The plan of a query that would decide, to be released. */
CachedPlan *
rbac_catalog_decide_plan(SPIPlanPtr plan)
{
	bool		save = rbac_catalog_deciding;
	CachedPlan *result = NULL;

	rbac_catalog_deciding = true;
	PG_TRY();
	{
		result = SPI_plan_get_cached_plan(plan);
	}
	PG_FINALLY();
	{
		rbac_catalog_deciding = save;
	}
	PG_END_TRY();
	return result;
}

/* Serialise changes to the model of one org, to the end of the transaction. */
void
rbac_catalog_lock_org(int64 org)
{
	static RbacQuery lock = {
		"SELECT 1 FROM chat_rbac.org o WHERE o.org_id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1, {INT8OID}, NULL
	};
	RbacCatalogScope scope;
	Datum		arg = Int64GetDatum(org);

	rbac_catalog_open(&scope);
	/* the transaction's snapshot may be older than the org */
	if (rbac_catalog_execute(&lock, &arg) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access to org " INT64_FORMAT, org),
				 errhint("The transaction might succeed if retried.")));
	rbac_catalog_close(&scope);
}

/* An int8 of the last query's result; isnull may be NULL where none can be. */
int64
rbac_catalog_int64(uint64 row, int column, bool *isnull)
{
	bool		null;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
									  column, &null);

	if (isnull != NULL)
		*isnull = null;
	return null ? 0 : DatumGetInt64(value);
}

/* A boolean of the last query's result; NULL is false. */
bool
rbac_catalog_bool(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
									  column, &isnull);

	return !isnull && DatumGetBool(value);
}

/* A text of the last query's result, in the current context; NULL for NULL. */
char *
rbac_catalog_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

/* The same in a context of its own. */
char *
rbac_catalog_copy_text(uint64 row, int column, MemoryContext context)
{
	char	   *value = rbac_catalog_text(row, column);

	return value != NULL ? MemoryContextStrdup(context, value) : NULL;
}

/* Is the current user past row-level security on the table, or could switch it off? */
bool
rbac_catalog_is_above(Oid relid)
{
	return has_bypassrls_privilege(GetUserId()) || rbac_is_owner(relid, GetUserId());
}

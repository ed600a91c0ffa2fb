/*-------------------------------------------------------------------------
 *
 * src/fetch.c
 *	  Rows of a protected table by their key.
 *
 * Where the table's SELECT policies are just those that protect() made, what
 * they say can be decided in C, so the rows are looked up in an index, and the
 * caller of this file asks row.c which of them are visible.  Else (policies of
 * others, partitions, no fitting index) a query reads them as the caller, under
 * all policies, and what it returns is visible.
 *
 * Rows are read under the active snapshot, as the query that asks reads its
 * own.  How to read is kept with the table's compiled form.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* ---- how to read ---- */

/*
 * A query names its table.  Where the name has come to mean another one since
 * the form was made, under a long command, it shall not be run.
 */
static void
check_name(const RbacProtection *form)
{
	if (!rbac_catalog_has_name(form->relid, &form->name))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("table \"%s\" has been renamed meanwhile", NameStr(form->name.table))));
}

/* Does a btree index have these columns as its key, in any order? */
static bool
index_fits(Relation index, RbacFetch *fetch)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisvalid || form->indcheckxmin || index->rd_rel->relam != BTREE_AM_OID ||
		form->indnkeyatts != fetch->nkeys || RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < fetch->nkeys; i++)
	{
		int			k = 0;

		if (index->rd_opfamily[i] != INTEGER_BTREE_FAM_OID)
			return false;
		while (k < fetch->nkeys && fetch->keys[k].attnum != form->indkey.values[i])
			k++;
		if (k == fetch->nkeys)
			return false;
		fetch->order[i] = k;
	}
	return true;
}

static void
choose_index(const RbacProtection *form, RbacFetch *fetch)
{
	Relation	rel = table_open(form->relid, AccessShareLock);
	ListCell   *cell;

	if (rel->rd_rel->relkind == RELKIND_RELATION && !rel->rd_rel->relhassubclass)
	{
		foreach(cell, RelationGetIndexList(rel))
		{
			Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
			bool		fits = index_fits(index, fetch);

			index_close(index, NoLock);
			if (fits)
			{
				fetch->index = lfirst_oid(cell);
				break;
			}
		}
	}
	table_close(rel, NoLock);
}

/* A query for the columns that count of all rows. */
static void
select_places(const RbacProtection *form, StringInfo sql)
{
	initStringInfo(sql);
	appendStringInfoString(sql, "SELECT ");
	for (int i = 0; i < form->nplaces; i++)
		appendStringInfo(sql, "%st.%s", i > 0 ? ", " : "",
						 quote_identifier(get_attname(form->relid, form->places[i], false)));
	appendStringInfo(sql, " FROM %s AS t",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(form->relid)),
												get_rel_name(form->relid)));
}

static SPIPlanPtr
prepare_query(const RbacProtection *form, const RbacFetch *fetch)
{
	StringInfoData sql;
	Oid			types[RBAC_KEYS_MAX];
	SPIPlanPtr	plan;

	select_places(form, &sql);
	for (int i = 0; i < fetch->nkeys; i++)
	{
		appendStringInfo(&sql, "%s t.%s OPERATOR(pg_catalog.=) $%d", i > 0 ? " AND" : " WHERE",
						 quote_identifier(get_attname(form->relid, fetch->keys[i].attnum, false)), i + 1);
		types[i] = INT8OID;
	}
	plan = SPI_prepare(sql.data, fetch->nkeys, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/* How to read rows by these columns. */
static RbacFetch *
find_fetch(RbacProtection *form, int nkeys, const RbacColumn *keys, bool past)
{
	RbacFetch  *fetch;

	for (fetch = form->fetches; fetch != NULL; fetch = fetch->next)
	{
		bool		same = fetch->nkeys == nkeys && fetch->past == past;

		for (int i = 0; same && i < nkeys; i++)
			same = fetch->keys[i].attnum == keys[i].attnum;
		if (same)
			return fetch;
	}
	fetch = MemoryContextAllocZero(form->context, sizeof(RbacFetch));
	fetch->nkeys = nkeys;
	fetch->past = past;
	memcpy(fetch->keys, keys, sizeof(RbacColumn) * nkeys);
	if ((form->plain || past) && form->root == form->relid)
		choose_index(form, fetch);
	fetch->next = form->fetches;
	form->fetches = fetch;
	return fetch;
}

/* ---- reading ---- */

/* A row of the table with the columns that count, in the current context. */
static RbacRow
empty_row(const RbacProtection *form, Datum **values, bool **nulls)
{
	AttrNumber	natts = 0;
	RbacRow		row;

	for (int i = 0; i < form->nplaces; i++)
		natts = Max(natts, form->places[i]);
	*values = palloc0(sizeof(Datum) * natts);
	*nulls = palloc(sizeof(bool) * natts);
	memset(*nulls, true, sizeof(bool) * natts);
	row.values = *values;
	row.nulls = *nulls;
	return row;
}

static RbacRow
row_of_slot(const RbacProtection *form, TupleTableSlot *slot)
{
	Datum	   *values;
	bool	   *nulls;
	RbacRow		row = empty_row(form, &values, &nulls);

	for (int i = 0; i < form->nplaces; i++)
	{
		int			at = form->places[i] - 1;
		Form_pg_attribute attr = TupleDescAttr(slot->tts_tupleDescriptor, at);
		Datum		value = slot_getattr(slot, at + 1, &nulls[at]);

		if (!nulls[at])
			values[at] = datumCopy(value, attr->attbyval, attr->attlen);
	}
	return row;
}

static RbacRow
row_of_result(const RbacProtection *form, uint64 r)
{
	Datum	   *values;
	bool	   *nulls;
	RbacRow		row = empty_row(form, &values, &nulls);

	for (int i = 0; i < form->nplaces; i++)
	{
		int			at = form->places[i] - 1;
		Form_pg_attribute attr = TupleDescAttr(SPI_tuptable->tupdesc, i);
		Datum		value = SPI_getbinval(SPI_tuptable->vals[r], SPI_tuptable->tupdesc, i + 1, &nulls[at]);

		if (!nulls[at])
			values[at] = datumCopy(value, attr->attbyval, attr->attlen);
	}
	return row;
}

static RbacRow *
read_by_index(const RbacProtection *form, const RbacFetch *fetch, const int64 *values, int *nrows)
{
	Relation	rel = table_open(form->relid, AccessShareLock);
	Relation	index = index_open(fetch->index, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = rbac_index_beginscan(rel, index, GetActiveSnapshot(), fetch->nkeys);
	ScanKeyData keys[RBAC_KEYS_MAX];
	RbacRow    *rows = NULL;

	for (int i = 0; i < fetch->nkeys; i++)
	{
		int			k = fetch->order[i];

		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, INT8OID, InvalidOid,
							   fetch->keys[k].is_int4 ? F_INT48EQ : F_INT8EQ, Int64GetDatum(values[k]));
	}
	index_rescan(scan, keys, fetch->nkeys, NULL, 0);
	*nrows = 0;
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		rows = rows == NULL ? palloc(sizeof(RbacRow)) : repalloc(rows, sizeof(RbacRow) * (*nrows + 1));
		rows[(*nrows)++] = row_of_slot(form, slot);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return rows;
}

static RbacRow *
read_by_query(const RbacProtection *form, RbacFetch *fetch, const int64 *values, int *nrows)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		args[RBAC_KEYS_MAX];
	RbacRow    *rows;
	int			rc;

	for (int i = 0; i < fetch->nkeys; i++)
		args[i] = Int64GetDatum(values[i]);
	check_name(form);
	SPI_connect();
	if (fetch->plan == NULL)
		fetch->plan = prepare_query(form, fetch);
	rc = rbac_catalog_decide(fetch->plan, args);
	if (rc != SPI_OK_SELECT)
		elog(ERROR, "unexpected result of a chat_rbac row query: %s", SPI_result_code_string(rc));
	*nrows = (int) SPI_processed;
	context = MemoryContextSwitchTo(context);
	rows = palloc(sizeof(RbacRow) * Max(*nrows, 1));
	for (int i = 0; i < *nrows; i++)
		rows[i] = row_of_result(form, i);
	MemoryContextSwitchTo(context);
	SPI_finish();
	return rows;
}

/*
 * rbac_fetch_rows
 *		The rows of form's table whose columns keys have these values, with the
 *		columns of form->places; in the current context.  *judged says whether
 *		they have passed the table's policies.
 */
RbacRow *
rbac_fetch_rows(RbacProtection *form, int nkeys, const RbacColumn *keys, const int64 *values,
				int *nrows, bool *judged)
{
	RbacFetch  *fetch = find_fetch(form, nkeys, keys, false);

	*judged = !OidIsValid(fetch->index);
	return *judged ? read_by_query(form, fetch, values, nrows) : read_by_index(form, fetch, values, nrows);
}

/*
 * rbac_fetch_past
 *		The same rows whoever may see them: read as the table's owner, past its
 *		policies.  For answers about another member than the caller, who gets no
 *		row of it to see.
 */
RbacRow *
rbac_fetch_past(RbacProtection *form, int nkeys, const RbacColumn *keys, const int64 *values, int *nrows)
{
	RbacFetch  *fetch = find_fetch(form, nkeys, keys, true);
	RbacRow    *rows;
	RbacOneself oneself;

	if (OidIsValid(fetch->index))
		return read_by_index(form, fetch, values, nrows);
	rbac_catalog_become_reader(form->relid, &oneself);
	rows = read_by_query(form, fetch, values, nrows);
	rbac_catalog_be_oneself(&oneself);
	return rows;
}

/* ---- reading all that is visible ---- */

/* How many rows the planner expects of the plan's only query, for who asks now. */
static double
expected_rows(SPIPlanPtr plan)
{
	CachedPlan *cached = rbac_catalog_decide_plan(plan);
	double		result = linitial_node(PlannedStmt, cached->stmt_list)->planTree->plan_rows;

	ReleaseCachedPlan(cached, NULL);
	return result;
}

/*
 * rbac_fetch_visible
 *		The values of an id column in the rows that the caller may see and that
 *		pass a test; NULL if there are more rows than limit, or it seems so.  In
 *		the current context, and *nids of them.
 */
int64 *
rbac_fetch_visible(RbacProtection *form, const RbacColumn *column, int limit,
				   RbacRowTest test, void *arg, int *nids)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext batch = AllocSetContextCreate(context, "chat_rbac batch of rows", ALLOCSET_DEFAULT_SIZES);
	StringInfoData sql;
	SPIPlanPtr	plan;
	Portal		portal = NULL;
	int			capacity = 1024;
	int64	   *ids = MemoryContextAlloc(context, sizeof(int64) * capacity);
	int			nrows = 0;
	bool		over;

	select_places(form, &sql);
	SPI_connect();
	plan = SPI_prepare(sql.data, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	over = expected_rows(plan) > limit;
	if (!over)
		portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (*nids = 0; !over;)
	{
		MemoryContext old;

		rbac_catalog_decide_by(portal, 1000);
		if (SPI_processed == 0)
			break;
		nrows += (int) SPI_processed;
		over = nrows > limit;
		old = MemoryContextSwitchTo(batch);
		for (uint64 i = 0; i < SPI_processed && !over; i++)
		{
			RbacRow		row = row_of_result(form, i);
			int			at = column->attnum - 1;

			if (row.nulls[at] || !test(arg, &row))
				continue;
			if (*nids == capacity)
			{
				capacity *= 2;
				ids = repalloc_huge(ids, sizeof(int64) * capacity);
			}
			ids[(*nids)++] = rbac_column_id(column, row.values[at]);
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
		SPI_freetuptable(SPI_tuptable);
	}
	if (portal != NULL)
		SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextDelete(batch);
	if (!over)
		return ids;
	pfree(ids);
	return NULL;
}

/* ---- is a row there already? ---- */

/* "t.column = $n", by the type's own operator; false if it has none. */
static bool
append_equality(StringInfo sql, const RbacProtection *form, AttrNumber attnum, int n)
{
	Oid			operator = lookup_type_cache(get_atttype(form->relid, attnum), TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form_operator;

	if (!HeapTupleIsValid(tuple))
		return false;
	form_operator = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, "t.%s OPERATOR(%s.%s) $%d",
					 quote_identifier(get_attname(form->relid, attnum, false)),
					 quote_identifier(get_namespace_name(form_operator->oprnamespace)),
					 NameStr(form_operator->oprname), n);
	ReleaseSysCache(tuple);
	return true;
}

/* NULL if there are values that cannot be compared. */
static SPIPlanPtr
prepare_presence(const RbacProtection *form, bool by_key)
{
	StringInfoData sql;
	Oid		   *types = palloc(sizeof(Oid) * form->nplaces);
	SPIPlanPtr	plan;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT 1 FROM %s AS t WHERE true",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(form->relid)),
												get_rel_name(form->relid)));
	for (int i = 0; i < form->nplaces; i++)
	{
		AttrNumber	attnum = form->places[i];
		bool		is_key = attnum == form->org.attnum;

		types[i] = get_atttype(form->relid, attnum);
		for (int k = 0; k < form->nkeys; k++)
			is_key |= attnum == form->keys[k].attnum;
		if (by_key && !is_key)
			continue;
		appendStringInfoString(&sql, " AND (");
		if (!append_equality(&sql, form, attnum, i + 1))
			return NULL;
		if (!is_key)
			appendStringInfo(&sql, " OR (t.%s IS NULL AND $%d IS NULL)",
							 quote_identifier(get_attname(form->relid, attnum, false)), i + 1);
		appendStringInfoChar(&sql, ')');
	}
	plan = SPI_prepare_cursor(sql.data, form->nplaces, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/*
 * rbac_fetch_is_there
 *		Does the active snapshot show a row of form's table that has these values
 *		in the columns of form->places, or by_key, in the primary key?  Whoever
 *		may see it: the table is read as its owner and past its policies.  Where
 *		that cannot be told, it may be there.
 */
bool
rbac_fetch_is_there(RbacProtection *form, Datum *values, const bool *nulls, bool by_key)
{
	char	   *blanks = palloc(form->nplaces + 1);
	RbacOneself oneself;
	bool		result = true;

	check_name(form);
	for (int i = 0; i < form->nplaces; i++)
		blanks[i] = nulls[i] ? 'n' : ' ';
	blanks[form->nplaces] = '\0';
	rbac_catalog_become_reader(form->relid, &oneself);

	/*
	 * the table may grow under the plan: by the key's index it is, whatever
	 * its size is now
	 */
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SPI_connect();
	if (form->presence[by_key] == NULL)
		form->presence[by_key] = prepare_presence(form, by_key);
	if (form->presence[by_key] != NULL)
	{
		int			rc = SPI_execute_plan(form->presence[by_key], values, blanks, true, 1);

		if (rc != SPI_OK_SELECT)
			elog(ERROR, "unexpected result of a chat_rbac row query: %s", SPI_result_code_string(rc));
		result = SPI_processed > 0;
	}
	SPI_finish();
	rbac_catalog_be_oneself(&oneself);
	return result;
}

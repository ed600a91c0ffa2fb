/*-------------------------------------------------------------------------
 *
 * src/protection.c
 *	  A protected table's specification, compiled.
 *
 * The compiled form says where in a row its org, units, relations and key are,
 * and which permission each change needs.  It is made for the relation at hand,
 * so the column numbers are right for a partition too, whose specification is
 * that of the table it belongs to, and for a table that inherits from another.
 *
 * Memory: a form has a context of its own.  A relcache invalidation of the
 * relation, of the table whose specification it is, or of its parent marks it
 * stale, and so does a schema's new name; the next get makes another one.  Who
 * uses a form over anything that may process invalidations pins it, and holds a
 * lock on its table, so that nobody changes what it says meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_collate.h"
#include "parser/parse_node.h"
#include "parser/parse_oper.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

typedef struct FormEntry
{
	Oid			relid;
	RbacProtection *form;
} FormEntry;

static HTAB *forms = NULL;

/* ---- what is read ---- */

/* The specification that holds for a relation: its own, or that of a table that it is a partition of or inherits from. */
static RbacQuery head_query = {
	"SELECT p.relation, p.spec OPERATOR(pg_catalog.->>) 'resource', p.spec OPERATOR(pg_catalog.->>) 'org',"
	" p.parent, p.spec OPERATOR(pg_catalog.#>>) '{parent,column}', p.spec OPERATOR(pg_catalog.#>>) '{parent,key}',"
	" p.spec OPERATOR(pg_catalog.#>>) '{parent,org}', p.spec OPERATOR(pg_catalog.->>) 'view',"
	" p.policies OPERATOR(pg_catalog.=) chat_rbac.policy_digest(p.relation),"
	" ARRAY(SELECT r FROM pg_catalog.pg_policy l, pg_catalog.unnest(l.polroles) AS r"
	"  WHERE l.polrelid OPERATOR(pg_catalog.=) p.relation"
	"  AND l.polpermissive AND l.polcmd OPERATOR(pg_catalog.<>) ALL ('{a,w,d}')"
	"  AND NOT pg_catalog.starts_with(l.polname, 'chat_rbac_'))"
	" FROM chat_rbac.specification p WHERE p.relation OPERATOR(pg_catalog.=) ANY ("
	"  WITH RECURSIVE up(relid) AS (SELECT $1 UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i"
	"   ON i.inhrelid OPERATOR(pg_catalog.=) up.relid) SELECT up.relid FROM up)",
	1, {OIDOID}, NULL
};

/*
 * Is there a valid foreign key from $1 to $2 of just the two pairs of columns $3
 * ("from>to")?  One of more columns, or of a period, says nothing of a row in
 * which any of them is null.
 */
static RbacQuery foreign_key_query = {
	"SELECT 1 FROM pg_catalog.pg_constraint c"
	" WHERE c.conrelid OPERATOR(pg_catalog.=) $1 AND c.confrelid OPERATOR(pg_catalog.=) $2"
	" AND c.contype OPERATOR(pg_catalog.=) 'f' AND c.convalidated AND pg_catalog.cardinality(c.conkey) OPERATOR(pg_catalog.=) 2"
	" AND ARRAY(SELECT a.attname OPERATOR(pg_catalog.||) '>' OPERATOR(pg_catalog.||) b.attname"
	"  FROM ROWS FROM (pg_catalog.unnest(c.conkey), pg_catalog.unnest(c.confkey)) AS k (a, b)"
	"  JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) $1 AND a.attnum OPERATOR(pg_catalog.=) k.a"
	"  JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) $2 AND b.attnum OPERATOR(pg_catalog.=) k.b)"
	" OPERATOR(pg_catalog.@>) $3",
	3, {OIDOID, OIDOID, TEXTARRAYOID}, NULL
};

static RbacQuery units_query = {
	"SELECT u.key, u.value FROM chat_rbac.specification p"
	" CROSS JOIN LATERAL pg_catalog.jsonb_each_text(p.spec OPERATOR(pg_catalog.->) 'units') AS u"
	" WHERE p.relation OPERATOR(pg_catalog.=) $1",
	1, {OIDOID}, NULL
};

/* One row a column test; a relation that another table tells has one, on the column that is referred to. */
static RbacQuery relations_query = {
	"SELECT r.key, other.told, t.key, t.value OPERATOR(pg_catalog.#>>) '{}'"
	" FROM chat_rbac.specification p"
	" CROSS JOIN LATERAL pg_catalog.jsonb_each(p.spec OPERATOR(pg_catalog.->) 'relations') AS r"
	" CROSS JOIN LATERAL (SELECT r.value OPERATOR(pg_catalog.?) 'table' OR r.value OPERATOR(pg_catalog.?) 'linked') AS other (told)"
	" CROSS JOIN LATERAL pg_catalog.jsonb_each(CASE WHEN other.told THEN pg_catalog.jsonb_build_object("
	"  coalesce(r.value OPERATOR(pg_catalog.->>) 'key', r.value OPERATOR(pg_catalog.#>>) '{linked,key}'), NULL) ELSE r.value END) AS t"
	" WHERE p.relation OPERATOR(pg_catalog.=) $1"
	" ORDER BY r.key USING OPERATOR(pg_catalog.<)",
	1, {OIDOID}, NULL
};

static RbacQuery actions_query = {
	"SELECT a.rule OPERATOR(pg_catalog.->>) 'on', a.rule OPERATOR(pg_catalog.->>) 'column',"
	" a.rule OPERATOR(pg_catalog.?) 'from', a.rule OPERATOR(pg_catalog.->>) 'from',"
	" a.rule OPERATOR(pg_catalog.?) 'to', a.rule OPERATOR(pg_catalog.->>) 'to',"
	" a.rule OPERATOR(pg_catalog.->>) 'requires', a.rule OPERATOR(pg_catalog.->>) 'into'"
	" FROM chat_rbac.specification p"
	" CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(p.spec OPERATOR(pg_catalog.->) 'actions') WITH ORDINALITY AS a (rule, n)"
	" WHERE p.relation OPERATOR(pg_catalog.=) $1"
	" ORDER BY a.n USING OPERATOR(pg_catalog.<)",
	1, {OIDOID}, NULL
};

/* ---- compiling ---- */

static Oid
result_oid(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

/* A column that the specification names; it may have been dropped or renamed since. */
RbacColumn
rbac_protection_column(Relation rel, const char *name)
{
	RbacColumn	column = {InvalidAttrNumber, false};

	if (name == NULL)
		return column;
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), i);

		if (!attr->attisdropped && strcmp(NameStr(attr->attname), name) == 0)
		{
			column.attnum = attr->attnum;
			column.is_int4 = attr->atttypid == INT4OID;
			return column;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of protected table \"%s\" does not exist", name, RelationGetRelationName(rel)),
			 errhint("Call chat_rbac.protect() again with the column's new name.")));
	return column;				/* not reached */
}

/* column = literal, as the policies say it: in terms of the column's type, and as who chose both. */
static ExprState *
compile_equals(const RbacProtection *form, Relation rel, AttrNumber attnum, const char *literal)
{
	Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	ParseState *pstate = make_parsestate(NULL);
	CaseTestExpr *value = makeNode(CaseTestExpr);
	Const	   *other = makeConst(UNKNOWNOID, -1, InvalidOid, -2, CStringGetDatum(pstrdup(literal)), false, false);
	Node	   *expr;
	Node	   *left;
	ExprState  *result;
	RbacOneself oneself;

	value->typeId = attr->atttypid;
	value->typeMod = attr->atttypmod;
	value->collation = attr->attcollation;
	rbac_catalog_become_author(rbac_catalog_owner(form->root), &oneself);
	expr = (Node *) make_op(pstate, list_make2(makeString("pg_catalog"), makeString("=")),
							(Node *) value, (Node *) other, NULL, -1);
	assign_expr_collations(pstate, expr);
	free_parsestate(pstate);

	/*
	 * a cast of the owner's would be run by who asks who may see a row, a
	 * superuser perhaps
	 */
	for (left = linitial(castNode(OpExpr, expr)->args); IsA(left, RelabelType); left = (Node *) ((RelabelType *) left)->arg)
		;
	if (!IsA(left, CaseTestExpr))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of protected table \"%s\" cannot be tested", NameStr(attr->attname), RelationGetRelationName(rel)),
				 errdetail("Type %s has no operator \"=\" of its own.", format_type_be(attr->atttypid))));
	result = ExecInitExpr(expression_planner((Expr *) expr), NULL);
	rbac_catalog_be_oneself(&oneself);
	return result;
}

/* A test of a column against what the specification says: NULL is null. */
static RbacTest
compile_test(const RbacProtection *form, Relation rel, const char *column, const char *against)
{
	RbacTest	test = {0};

	test.column = rbac_protection_column(rel, column);
	if (against == NULL)
		test.kind = RBAC_TEST_NULL;
	else if (strcmp(against, "$member") == 0)
		test.kind = RBAC_TEST_MEMBER;
	else if (strcmp(against, "$members") == 0)
		test.kind = RBAC_TEST_MEMBERS;
	else
	{
		test.kind = RBAC_TEST_LITERAL;
		test.equals = compile_equals(form, rel, test.column.attnum, against);
	}
	return test;
}

static void
compile_units(RbacProtection *form, Relation rel, const RbacCatalogScope *scope)
{
	Datum		root = ObjectIdGetDatum(form->root);
	uint64		rows = rbac_catalog_query(scope, &units_query, &root, NULL);

	if (rows > RBAC_UNIT_KINDS_MAX)
		elog(ERROR, "more than %d unit columns", RBAC_UNIT_KINDS_MAX);
	for (uint64 i = 0; i < rows; i++)
	{
		form->units[i].kind = MemoryContextStrdup(form->context, rbac_catalog_text(i, 1));
		form->units[i].column = rbac_protection_column(rel, rbac_catalog_text(i, 2));
	}
	form->nunits = (int) rows;
}

static void
compile_relations(RbacProtection *form, Relation rel, const RbacCatalogScope *scope)
{
	Datum		root = ObjectIdGetDatum(form->root);
	uint64		rows = rbac_catalog_query(scope, &relations_query, &root, NULL);
	RbacRelation *relation = NULL;
	MemoryContext old = MemoryContextSwitchTo(form->context);

	form->relations = palloc0(sizeof(RbacRelation) * Max(rows, 1));
	for (uint64 i = 0; i < rows; i++)
	{
		char	   *name = rbac_catalog_text(i, 1);
		RbacTest   *test;

		if (relation == NULL || strcmp(relation->name, name) != 0)
		{
			relation = &form->relations[form->nrelations++];
			relation->name = name;
			relation->told = rbac_catalog_bool(i, 2);
			relation->personal = relation->told;
			relation->tests = palloc(sizeof(RbacTest) * rows);
		}
		if (relation->told)
		{
			relation->key = rbac_protection_column(rel, rbac_catalog_text(i, 3));
			continue;
		}
		test = &relation->tests[relation->ntests++];
		*test = compile_test(form, rel, rbac_catalog_text(i, 3), rbac_catalog_text(i, 4));
		relation->personal |= test->kind == RBAC_TEST_MEMBER || test->kind == RBAC_TEST_MEMBERS;
	}
	MemoryContextSwitchTo(old);
}

/* The number of a set of permissions among form->needs. */
static int
compile_need(RbacProtection *form, RbacPermission *items, int nitems)
{
	RbacPermset set;
	char	   *bytes;

	nitems = rbac_permset_canonicalise(items, nitems);
	set.size = rbac_permset_packed_size(items, nitems);
	bytes = MemoryContextAlloc(form->context, Max(set.size, 1));
	rbac_permset_pack(items, nitems, bytes);
	set.data = bytes;
	for (int i = 0; i < form->nneeds; i++)
	{
		if (rbac_permset_compare(&form->needs[i], &set) == 0)
			return i;
	}
	form->needs[form->nneeds] = set;
	return form->nneeds++;
}

/* A permission's name as protect() checked it; the result views it. */
static RbacPermission
parse_name(const char *name)
{
	RbacPermission result;

	if (rbac_permission_parse(name, strlen(name), &result) != NULL)
		elog(ERROR, "invalid permission \"%s\" in table \"chat_rbac.protection\"", name);
	return result;
}

static void
compile_actions(RbacProtection *form, Relation rel, const RbacCatalogScope *scope)
{
	Datum		root = ObjectIdGetDatum(form->root);
	uint64		rows = rbac_catalog_query(scope, &actions_query, &root, NULL);
	RbacPermission *any = palloc(sizeof(RbacPermission) * Max(rows, 1));
	MemoryContext old = MemoryContextSwitchTo(form->context);

	form->actions = palloc0(sizeof(RbacAction) * Max(rows, 1));
	form->needs = palloc0(sizeof(RbacPermset) * (2 * rows + RBAC_NCOMMANDS));
	form->nactions = (int) rows;
	for (uint64 i = 0; i < rows; i++)
	{
		RbacAction *action = &form->actions[i];
		char	   *on = rbac_catalog_text(i, 1);
		char	   *column = rbac_catalog_text(i, 2);
		char	   *requires = rbac_catalog_text(i, 7);
		char	   *into = rbac_catalog_text(i, 8);
		RbacPermission needed;

		if (on == NULL)
			elog(ERROR, "a rule of table \"%s\" is on nothing", RelationGetRelationName(rel));
		action->command = strcmp(on, "insert") == 0 ? RBAC_INSERT :
			strcmp(on, "update") == 0 ? RBAC_UPDATE : RBAC_DELETE;
		if (column != NULL)
		{
			action->column = rbac_protection_column(rel, column);
			form->ruled[action->command] = bms_add_member(form->ruled[action->command], action->column.attnum);
			if (rbac_catalog_bool(i, 3))
				action->from = compile_test(form, rel, column, rbac_catalog_text(i, 4));
			if (rbac_catalog_bool(i, 5))
				action->to = compile_test(form, rel, column, rbac_catalog_text(i, 6));
		}
		action->requires = RBAC_NEEDS_OWNER;
		action->into = RBAC_NEEDS_NOTHING;
		if (requires != NULL && strcmp(requires, "any") == 0)
			action->requires = RBAC_NEEDS_ANY;
		else if (requires != NULL)
		{
			needed = parse_name(requires);
			action->requires = compile_need(form, &needed, 1);
		}
		if (into != NULL)
		{
			needed = parse_name(into);
			action->into = compile_need(form, &needed, 1);
		}
	}

	/* what "any" means, command by command */
	for (int command = 0; command < RBAC_NCOMMANDS; command++)
	{
		int			nany = 0;

		for (uint64 i = 0; i < rows; i++)
		{
			if ((int) form->actions[i].command == command && form->actions[i].requires >= 0)
				any[nany++] = parse_name(rbac_catalog_text(i, 7));
		}
		if (nany == 0)
			continue;
		nany = compile_need(form, any, nany);
		for (uint64 i = 0; i < rows; i++)
		{
			if ((int) form->actions[i].command == command && form->actions[i].requires == RBAC_NEEDS_ANY)
			{
				form->actions[i].requires = nany;
				form->actions[i].any = true;
			}
		}
	}
	MemoryContextSwitchTo(old);
	pfree(any);
}

/* The primary key's columns in its order, but for the org. */
static void
compile_keys(RbacProtection *form, Relation rel, Relation root)
{
	Oid			index = rbac_primary_key(root);
	Relation	key;

	form->keys = MemoryContextAllocZero(form->context, sizeof(RbacColumn) * INDEX_MAX_KEYS);
	form->keys_are_ids = true;
	if (!OidIsValid(index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("protected table \"%s\" has no primary key", RelationGetRelationName(root))));
	key = index_open(index, AccessShareLock);
	for (int i = 0; i < key->rd_index->indnkeyatts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(root), key->rd_index->indkey.values[i] - 1);
		RbacColumn	column = rbac_protection_column(rel, NameStr(attr->attname));

		if (column.attnum == form->org.attnum)
			continue;
		form->keys_are_ids &= attr->atttypid == INT4OID || attr->atttypid == INT8OID;
		form->keys[form->nkeys++] = column;
	}
	index_close(key, AccessShareLock);
}

static bool
is_place(const RbacProtection *form, AttrNumber attnum)
{
	bool		result = attnum == form->org.attnum || attnum == form->parent_column.attnum;

	for (int i = 0; i < form->nkeys; i++)
		result |= attnum == form->keys[i].attnum;
	for (int i = 0; i < form->nunits; i++)
		result |= attnum == form->units[i].column.attnum;
	for (int i = 0; i < form->nrelations; i++)
	{
		result |= form->relations[i].told && attnum == form->relations[i].key.attnum;
		for (int j = 0; j < form->relations[i].ntests; j++)
			result |= attnum == form->relations[i].tests[j].column.attnum;
	}
	return result;
}

/*
 * The columns that tell a row and its place: those of the primary key and all
 * that org, units, relations and parent are read from; in the order in which
 * they stand in the protected table, as policies pass them
 * (chat_rbac.spec_places).
 */
static void
compile_places(RbacProtection *form, Relation rel, Relation root)
{
	TupleDesc	desc = RelationGetDescr(root);

	form->places = MemoryContextAlloc(form->context, sizeof(AttrNumber) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		AttrNumber	attnum;

		if (attr->attisdropped)
			continue;
		attnum = rbac_protection_column(rel, NameStr(attr->attname)).attnum;
		if (is_place(form, attnum))
			form->places[form->nplaces++] = attnum;
	}
}

/* For whom policies of others let rows through. */
static void
compile_others(RbacProtection *form)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 10, &isnull);
	Datum	   *roles;

	deconstruct_array(DatumGetArrayTypeP(value), OIDOID, sizeof(Oid), true, TYPALIGN_INT,
					  &roles, NULL, &form->nothers);
	form->others = MemoryContextAlloc(form->context, sizeof(Oid) * Max(form->nothers, 1));
	for (int i = 0; i < form->nothers; i++)
		form->others[i] = DatumGetObjectId(roles[i]);
}

/* What is needed to see a row: for a child only what its specification names. */
static void
compile_view(RbacProtection *form)
{
	const char *view = rbac_catalog_text(0, 8);
	RbacPermission permission;
	char	   *bytes;

	if (view == NULL && rbac_catalog_text(0, 5) != NULL)
		return;
	permission = parse_name(view != NULL ? view : psprintf("%s.view", form->resource));
	form->view.size = rbac_permset_packed_size(&permission, 1);
	bytes = MemoryContextAlloc(form->context, form->view.size);
	rbac_permset_pack(&permission, 1, bytes);
	form->view.data = bytes;
}

/* From the row of head_query, of which nothing is left afterwards. */
static void
compile_parent(RbacProtection *form, Relation rel, const RbacCatalogScope *scope)
{
	char	   *column = rbac_catalog_text(0, 5);
	char	   *key = rbac_catalog_text(0, 6);
	char	   *own_org = rbac_catalog_text(0, 3);
	char	   *org = rbac_catalog_text(0, 7);
	Relation	above;
	Datum		args[3];
	Datum		pairs[2];

	form->parent = result_oid(0, 4);
	form->parent_column = rbac_protection_column(rel, column);
	above = relation_open(form->parent, AccessShareLock);
	form->parent_key = rbac_protection_column(above, key);
	form->parent_org = rbac_protection_column(above, org);
	relation_close(above, AccessShareLock);
	/* a foreign key says nothing of the rows of inheritance children */
	if (org == NULL || (rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relhassubclass))
		return;
	pairs[0] = CStringGetTextDatum(psprintf("%s>%s", column, key));
	pairs[1] = CStringGetTextDatum(psprintf("%s>%s", own_org, org));
	args[0] = ObjectIdGetDatum(form->root);
	args[1] = ObjectIdGetDatum(form->parent);
	args[2] = PointerGetDatum(construct_array(pairs, 2, TEXTOID, -1, false, TYPALIGN_INT));
	form->parent_is_there = rbac_catalog_query(scope, &foreign_key_query, args, NULL) > 0;
}

/* Compile the form for a relation into context; NULL if no specification holds for it. */
static RbacProtection *
compile_form(Relation rel, MemoryContext context)
{
	RbacProtection *form = MemoryContextAllocZero(context, sizeof(RbacProtection));
	RbacCatalogScope scope;
	Datum		relid = ObjectIdGetDatum(RelationGetRelid(rel));
	Relation	root;

	form->relid = RelationGetRelid(rel);
	rbac_catalog_take_name(form->relid, &form->name);
	form->context = context;
	rbac_catalog_open(&scope);
	if (rbac_catalog_query(&scope, &head_query, &relid, NULL) != 1)
	{
		rbac_catalog_close(&scope);
		return NULL;
	}
	form->root = result_oid(0, 1);
	if (form->root != form->relid)
	{
		/*
		 * only now is it known what to lock; look again at what cannot change
		 * any more
		 */
		LockRelationOid(form->root, AccessShareLock);
		rbac_catalog_close(&scope);
		rbac_catalog_open(&scope);
		if (rbac_catalog_query(&scope, &head_query, &relid, NULL) != 1 || result_oid(0, 1) != form->root)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("the protection of table \"%s\" has just changed", RelationGetRelationName(rel))));
	}
	if (rbac_catalog_text(0, 2) == NULL)
		elog(ERROR, "the specification of table \"%s\" has no resource", RelationGetRelationName(rel));
	form->resource = MemoryContextStrdup(context, rbac_catalog_text(0, 2));
	form->builtin = get_rel_namespace(form->root) == get_namespace_oid(RBAC_SCHEMA, false);
	form->org = rbac_protection_column(rel, rbac_catalog_text(0, 3));
	form->plain = rbac_catalog_bool(0, 9);
	compile_others(form);
	compile_view(form);
	if (rbac_catalog_text(0, 5) != NULL)
		compile_parent(form, rel, &scope);
	compile_units(form, rel, &scope);
	compile_relations(form, rel, &scope);
	compile_actions(form, rel, &scope);
	rbac_catalog_close(&scope);

	root = relation_open(form->root, AccessShareLock);
	compile_keys(form, rel, root);
	compile_places(form, rel, root);
	relation_close(root, AccessShareLock);
	return form;
}

/* ---- the cache ---- */

static void
free_form(RbacProtection *form)
{
	RbacFetch  *fetch;

	for (fetch = form->fetches; fetch != NULL; fetch = fetch->next)
	{
		if (fetch->plan != NULL)
			SPI_freeplan(fetch->plan);
	}
	for (int i = 0; i < 2; i++)
	{
		if (form->presence[i] != NULL)
			SPI_freeplan(form->presence[i]);
	}
	MemoryContextDelete(form->context);
}

/* Take a form out of the cache; who has pinned it frees it. */
static void
withdraw_form(RbacProtection *form)
{
	form->valid = false;
	form->published = false;
	if (form->pins == 0)
		free_form(form);
}

/* Those of tables that are gone, say; who asks for one again makes it again. */
static void
free_stale_forms(void)
{
	HASH_SEQ_STATUS status;
	FormEntry  *entry;

	hash_seq_init(&status, forms);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!entry->form->valid)
		{
			withdraw_form(entry->form);
			hash_search(forms, &entry->relid, HASH_REMOVE, NULL);
		}
	}
}

static void
note_relcache_inval(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	FormEntry  *entry;

	(void) arg;
	if (forms == NULL)
		return;
	hash_seq_init(&status, forms);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (relid == InvalidOid || relid == entry->form->relid || relid == entry->form->root ||
			relid == entry->form->parent)
			entry->form->valid = false;
	}
}

/* A schema has another name: plans are made anew from their text. */
static void
note_namespace_inval(Datum arg, int cacheid, uint32 hash)
{
	(void) cacheid;
	(void) hash;
	note_relcache_inval(arg, InvalidOid);
}

void
rbac_protection_init(void)
{
	CacheRegisterRelcacheCallback(note_relcache_inval, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, note_namespace_inval, (Datum) 0);
}

/*
 * rbac_protection_pin
 *		The compiled specification that holds for a relation, or NULL.  The
 *		caller lets go of it by rbac_protection_unpin.  Throws when the
 *		specification names what is no longer there.
 */
RbacProtection *
rbac_protection_pin(Oid relid)
{
	FormEntry  *entry;
	RbacProtection *form;
	MemoryContext context;
	Relation	rel;
	uint64		generation;
	bool		found;

	if (forms == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(FormEntry);
		forms = hash_create("chat_rbac protections", 16, &control, HASH_ELEM | HASH_BLOBS);
	}

	/*
	 * with the lock come the messages of who changed it; from then on nobody
	 * can
	 */
	LockRelationOid(relid, AccessShareLock);
	entry = hash_search(forms, &relid, HASH_FIND, NULL);
	if (entry != NULL && entry->form->valid && entry->form->root != relid)
		LockRelationOid(entry->form->root, AccessShareLock);
	if (entry != NULL && entry->form->valid)
	{
		entry->form->pins++;
		return entry->form;
	}

	/* build aside, publish last; what changed meanwhile is for the next get */
	generation = rbac_inval_accept();
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
	{
		UnlockRelationOid(relid, AccessShareLock);
		return NULL;
	}
	free_stale_forms();
	context = AllocSetContextCreate(CurrentMemoryContext, "chat_rbac protection", ALLOCSET_SMALL_SIZES);
	form = compile_form(rel, context);
	relation_close(rel, NoLock);
	if (form == NULL)
	{
		UnlockRelationOid(relid, AccessShareLock);
		MemoryContextDelete(context);
		return NULL;
	}
	entry = hash_search(forms, &relid, HASH_ENTER, &found);
	if (found)
		withdraw_form(entry->form);
	MemoryContextSetParent(context, CacheMemoryContext);
	form->valid = generation == rbac_inval_generation;
	form->published = true;
	form->pins = 1;
	entry->form = form;
	return form;
}

void
rbac_protection_unpin(RbacProtection *form)
{
	form->pins--;
	if (form->pins == 0 && !form->published)
		free_form(form);
}

/*
 * rbac_protection_pin_with
 *		The same, pinned together with others, once: by rbac_protection_unpin_all
 *		the caller lets go of all.  The list is in context.
 */
RbacProtection *
rbac_protection_pin_with(RbacPinnedForm **list, Oid relid, MemoryContext context)
{
	RbacPinnedForm *pinned;

	for (pinned = *list; pinned != NULL; pinned = pinned->next)
	{
		if (pinned->form->relid == relid)
			return pinned->form;
	}
	pinned = MemoryContextAlloc(context, sizeof(RbacPinnedForm));
	pinned->form = rbac_protection_pin(relid);
	if (pinned->form == NULL)
		return NULL;
	pinned->next = *list;
	*list = pinned;
	return pinned->form;
}

void
rbac_protection_unpin_all(RbacPinnedForm **list)
{
	for (RbacPinnedForm *pinned = *list; pinned != NULL; pinned = pinned->next)
		rbac_protection_unpin(pinned->form);
	*list = NULL;
}

/* ---- reading rows by it ---- */

/* Do only our policies let a role read rows? */
bool
rbac_protection_only_ours(const RbacProtection *form, Oid role)
{
	for (int i = 0; i < form->nothers; i++)
	{
		if (form->others[i] == ACL_ID_PUBLIC || has_privs_of_role(role, form->others[i]))
			return false;
	}
	return true;
}

/* Does a value pass a test?  Not for "$members", which takes a grant to tell. */
bool
rbac_protection_test(RbacProtection *form, const RbacTest *test, int64 member,
					 Datum value, bool isnull)
{
	bool		result;

	switch (test->kind)
	{
		case RBAC_TEST_ANYTHING:
			return true;
		case RBAC_TEST_NULL:
			return isnull;
		case RBAC_TEST_MEMBER:
			return !isnull && rbac_column_id(&test->column, value) == member;
		case RBAC_TEST_LITERAL:
			if (isnull)
				return false;
			if (form->econtext == NULL)
			{
				MemoryContext old = MemoryContextSwitchTo(form->context);

				form->econtext = CreateStandaloneExprContext();
				MemoryContextSwitchTo(old);
			}
			form->econtext->caseValue_datum = value;
			form->econtext->caseValue_isNull = false;
			result = DatumGetBool(ExecEvalExprSwitchContext(test->equals, form->econtext, &isnull)) && !isnull;
			ResetExprContext(form->econtext);
			return result;
		case RBAC_TEST_MEMBERS:
			break;
	}
	return false;
}

/*-------------------------------------------------------------------------
 *
 * src/export.c
 *	  May rows of a protected table leave in bulk?
 *
 * Export is a right of its own, <resource>.export, and it has to be held
 * wherever the rows are seen: for each grant that shows rows of the table, the
 * same grant, or one that reaches all that it does, must carry the right to
 * export with the same relation, or for every row.  Then everything
 * that a query can read of the table may leave, and no row has to be asked for.
 * A copy without the rows that may not leave would pass for a whole one.
 *
 * Only tables count whose policies hold for who runs the query.  Superusers,
 * roles with BYPASSRLS and what we read ourselves are past them.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/namespace.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

/* ---- which tables ---- */

/* A child without a permission of its own is seen where its parent's row is. */
static void
take_view(RbacExport *table, const RbacProtection *form)
{
	RbacProtection *parent = form->view.size == 0 && OidIsValid(form->parent) ? rbac_protection_pin(form->parent) : NULL;

	table->others |= !rbac_protection_only_ours(form, GetUserId());
	if (parent != NULL)
	{
		take_view(table, parent);
		rbac_protection_unpin(parent);
		return;
	}
	table->view.size = form->view.size;
	table->view.data = memcpy(palloc(form->view.size + 1), form->view.data, form->view.size);
}

/* The audit trail has policies of its own. */
static RbacExport *
trail_table(Oid relid)
{
	RbacExport *table = palloc0(sizeof(RbacExport));
	RbacPermission view;
	const char *name = "audit.view";

	if (rbac_permission_parse(name, strlen(name), &view) != NULL)
		elog(ERROR, "invalid permission \"%s\"", name);
	table->table = relid;
	table->permission = "audit.export";
	table->view = rbac_permset_of_one(&view, palloc(RBAC_PERMISSION_MAX + 1));
	return table;
}

/* What counts of a relation; NULL: nothing. */
static RbacExport *
export_table(Oid relid)
{
	Oid			schema = get_namespace_oid(RBAC_SCHEMA, true);
	RbacProtection *form;
	RbacExport *table;

	/* in a database without the extension nothing is protected */
	if (!OidIsValid(schema) || !OidIsValid(get_relname_relid("protection", schema)))
		return NULL;
	if (relid == get_relname_relid("audit_event", schema))
		return trail_table(relid);

	/*
	 * who may see our own tables, and what of them, is decided by other
	 * rights
	 */
	if (get_rel_namespace(relid) == schema)
		return NULL;
	form = rbac_protection_pin(relid);
	if (form == NULL)
		return NULL;
	table = palloc0(sizeof(RbacExport));
	table->table = form->root;
	table->permission = psprintf("%s.export", form->resource);
	take_view(table, form);
	rbac_protection_unpin(form);
	return table;
}

/*
 * rbac_export_tables
 *		The protected tables that a planned statement reads; NULL: none.  In the
 *		current context.
 */
RbacExport *
rbac_export_tables(const PlannedStmt *statement)
{
	RbacExport *tables = NULL;
	ListCell   *cell;

	foreach(cell, statement->rtable)
	{
		const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);
		RbacExport *table;

		if (entry->rtekind != RTE_RELATION || entry->relkind == RELKIND_VIEW ||
			!rbac_entry_is_read(statement, entry) ||
			check_enable_rls(entry->relid, InvalidOid, true) != RLS_ENABLED)
			continue;
		table = export_table(entry->relid);
		for (const RbacExport *other = tables; other != NULL && table != NULL; other = other->next)
		{
			if (other->table == table->table)
				table = NULL;
		}
		if (table == NULL)
			continue;
		table->next = tables;
		tables = table;
	}
	return tables;
}

/* ---- is the right held? ---- */

/* Does what is granted at one place count wherever another one does?  What is granted above a seal ends there. */
static bool
reaches_all_of(RbacGrants *grants, RbacReach *reach, const RbacReach *other)
{
	if (reach == other || (reach->org_wide && other->org_wide))
		return true;
	if (other->org_wide)
		return false;
	for (int i = 0; i < other->nkeys; i++)
	{
		int			kind = other->keys[i].kind;
		int64		key = other->keys[i].key;

		if (reach->org_wide ?
			grants->sealed != NULL && rbac_idset_has(rbac_reach_keys(grants, grants->sealed, kind), key) :
			!rbac_idset_has(rbac_reach_keys(grants, reach, kind), key))
			return false;
	}
	return true;
}

/* Is export held, with a relation or for every row, wherever a reach counts?  NULL: in the whole org. */
static bool
is_held_with(RbacGrants *grants, const RbacReach *where, const char *export, int relation_len, const char *relation)
{
	char	   *name = relation_len > 0 ? psprintf("%s@%.*s", export, relation_len, relation) : pstrdup(export);
	RbacPermission permission;

	if (rbac_permission_parse(name, strlen(name), &permission) != NULL)
		return false;
	for (int i = 0; i < grants->nreach; i++)
	{
		RbacReach  *reach = &grants->reach[i];

		if (rbac_permset_covers(&reach->permissions, &permission) &&
			(where == NULL ? reach->org_wide : reaches_all_of(grants, reach, where)))
			return true;
	}
	return false;
}

static bool
shows_rows(const RbacPermission *held, const RbacPermset *view)
{
	RbacPermission candidate = *held;
	RbacPermission wanted;
	size_t		pos = 0;

	candidate.relation_len = 0; /* some row has it */
	while (rbac_permset_next(view, &pos, &wanted))
	{
		if (rbac_permission_covers(&candidate, &wanted))
			return true;
	}
	return false;
}

/* May all leave that these grants show of a table?  Who is shown nothing has no right to export it either. */
static bool
may_export(const RbacExport *table, RbacGrants *grants)
{
	bool		held = false;

	if (table->others)
		return is_held_with(grants, NULL, table->permission, 0, NULL);
	for (int i = 0; i < grants->nreach; i++)
	{
		const RbacReach *reach = &grants->reach[i];
		RbacPermission permission;
		size_t		pos = 0;

		while (rbac_permset_next(&reach->permissions, &pos, &permission))
		{
			if (!shows_rows(&permission, &table->view))
				continue;
			if (!is_held_with(grants, reach, table->permission, permission.relation_len,
							  &permission.text[permission.len - permission.relation_len]))
				return false;
			held = true;
		}
	}
	return held;
}

/*
 * rbac_export_require
 *		Raises 42501 unless all that grants (NULL: nobody's) show of the tables
 *		may leave; deed says how, before the word table.  hint may be NULL.
 */
void
rbac_export_require(const RbacExport *tables, RbacGrants *grants, const char *deed, const char *hint)
{
	for (const RbacExport *table = tables; table != NULL; table = table->next)
	{
		const char *name = get_rel_name(table->table);

		if (grants == NULL)
			rbac_refusal_raise("export", NULL, table->permission,
							   psprintf("no active member is asking to %s table \"%s\"", deed, name), NULL, NULL);
		if (!may_export(table, grants))
			rbac_refusal_raise("export", grants, table->permission,
							   psprintf("permission \"%s\" is needed to %s table \"%s\"", table->permission, deed, name),
							   "It must be held wherever rows of the table are seen, and with the same relations.", hint);
	}
}

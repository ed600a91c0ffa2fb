/*-------------------------------------------------------------------------
 *
 * src/reads.h
 *	  The part of chat_rbac.h, which includes it, that is about recorded reads
 *	  and exports.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_READS_H
#define CHAT_RBAC_READS_H

#include "executor/execdesc.h"

/* ---- reads.c: what was read in this transaction ---- */

/* What one execution read: rows of an audited view, or of a table to export. */
typedef struct RbacRead
{
	const char *operation;		/* "read" or "export" */
	const struct ReadBy *by;
	Oid			relation;
	Datum		name;			/* with its schema */
	Datum		action;			/* the permission */
	int32		command;
	uint64		rows;			/* of the query's result, */
	const uint64 *more;			/* and of the run that goes on; NULL: none */
	bool		grouped;		/* maybe made from many others */
	bool		failed;
	bool		to_log;
	bool		written;		/* in this transaction */
	struct RbacRead *next;
	struct RbacRead *next_of_execution;
} RbacRead;

extern void rbac_reads_init(void);
extern RbacRead *rbac_reads_begin(const char *operation, const RbacGrants *grants,
								  Oid relation, const char *permission);

/* ---- audited.c: audited views ---- */

typedef struct RbacGate
{
	char	   *name;
	Oid			view;
	char	   *permission;		/* to see rows of what it is over */
	struct RbacGate *next;
} RbacGate;

extern const RbacGate *rbac_audited_gate(const char *name);

/* ---- export.c: may what a query reads leave in bulk? ---- */

/* A protected table that a query reads, and whose policies hold for who runs it. */
typedef struct RbacExport
{
	Oid			table;
	const char *permission;		/* <resource>.export */
	RbacPermset view;			/* any of these shows its rows, */
	bool		others;			/* or somebody else's policy */
	struct RbacExport *next;
} RbacExport;

extern RbacExport *rbac_export_tables(const PlannedStmt *statement);
extern void rbac_export_require(const RbacExport *tables, RbacGrants *grants, const char *deed, const char *hint);

/* ---- execution.c: queries that are being executed ---- */

typedef struct RbacExecution RbacExecution;

extern void rbac_execution_init(void);
extern RbacExecution *rbac_execution_of(MemoryContext context);
extern bool rbac_execution_mentions(const RbacExecution *execution, Oid view);
extern void rbac_execution_note(RbacExecution *execution, const RbacGrants *grants, Oid view, const char *permission);

#endif							/* CHAT_RBAC_READS_H */

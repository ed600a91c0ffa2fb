/*-------------------------------------------------------------------------
 *
 * src/compat.h
 *	  The only place that knows PostgreSQL versions.  Include it first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_COMPAT_H
#define CHAT_RBAC_COMPAT_H

/* The library is built with -fvisibility=hidden; what SQL calls is exported. */
#ifndef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

#include "postgres.h"

#if PG_VERSION_NUM < 150000
#error "chat_rbac needs PostgreSQL 15 or later"
#endif

#include "fmgr.h"
#include "storage/proc.h"
#include "utils/guc.h"

/* Before 16 only the info record of a SQL-callable function is exported. */
#if PG_VERSION_NUM < 160000
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname) \
extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS); \
extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, funcname) (void); \
const Pg_finfo_record * \
CppConcat(pg_finfo_, funcname) (void) \
{ \
	static const Pg_finfo_record my_finfo = {1}; \
	return &my_finfo; \
} \
extern int	no_such_variable
#endif

/* Before a declaration; 18 has another word for it. */
#define RBAC_NORETURN __attribute__((noreturn))

/* The extra of a setting's check hook: the server frees it. */
#if PG_VERSION_NUM >= 160000
#define rbac_guc_malloc(size) guc_malloc(LOG, size)
#define rbac_guc_free(pointer) guc_free(pointer)
#else
#define rbac_guc_malloc(size) malloc(size)
#define rbac_guc_free(pointer) free(pointer)
#endif

/* The parts of a qualified name, which is well-formed. */
#if PG_VERSION_NUM >= 160000
#define rbac_name_parts(name) stringToQualifiedNameList(name, NULL)
#else
#define rbac_name_parts(name) stringToQualifiedNameList(name)
#endif

#if PG_VERSION_NUM >= 180000
#define rbac_primary_key(rel) RelationGetPrimaryKeyIndex(rel, true)
#define rbac_index_beginscan(rel, index, snapshot, nkeys) \
	index_beginscan(rel, index, snapshot, NULL, nkeys, 0)
#else
#define rbac_primary_key(rel) RelationGetPrimaryKeyIndex(rel)
#define rbac_index_beginscan(rel, index, snapshot, nkeys) \
	index_beginscan(rel, index, snapshot, nkeys, 0)
#endif

/* The transaction of a process, as it counts them. */
#if PG_VERSION_NUM >= 170000
#define rbac_transaction_of(proc) ((proc)->vxid.lxid)
#else
#define rbac_transaction_of(proc) ((proc)->lxid)
#endif
#define rbac_local_transaction() rbac_transaction_of(MyProc)

/* Has a role the rights of a table's owner? */
#if PG_VERSION_NUM >= 160000
#define rbac_is_owner(relid, role) object_ownercheck(RelationRelationId, relid, role)
#else
#define rbac_is_owner(relid, role) pg_class_ownercheck(relid, role)
#endif

/* May a role become another one?  Since 16 a membership need not give that. */
#if PG_VERSION_NUM >= 160000
#define rbac_may_become(role, other) member_can_set_role(role, other)
#else
#define rbac_may_become(role, other) is_member_of_role(role, other)
#endif

/* Does a statement read from a relation of its range table? */
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
#define rbac_entry_is_read(statement, entry) \
	((entry)->perminfoindex > 0 && \
	 (getRTEPermissionInfo((statement)->permInfos, unconstify(RangeTblEntry *, entry))->requiredPerms & ACL_SELECT) != 0)
#else
#define rbac_entry_is_read(statement, entry) (((entry)->requiredPerms & ACL_SELECT) != 0)
#endif

/* As whom does a statement read from a relation of its range table?  InvalidOid: as the current user. */
#if PG_VERSION_NUM >= 160000
#define rbac_entry_reader(statement, entry) \
	((entry)->perminfoindex > 0 ? \
	 getRTEPermissionInfo((statement)->permInfos, unconstify(RangeTblEntry *, entry))->checkAsUser : InvalidOid)
#else
#define rbac_entry_reader(statement, entry) ((entry)->checkAsUser)
#endif

/* What an ExecutorRun hook takes, and gives on; 18 has one less. */
#if PG_VERSION_NUM >= 180000
#define RBAC_RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count
#define RBAC_RUN_ARGUMENTS query, direction, count
#else
#define RBAC_RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define RBAC_RUN_ARGUMENTS query, direction, count, once
#endif

/* A lexer of JSON in UTF-8 that leaves escapes as they are; include common/jsonapi.h. */
#if PG_VERSION_NUM >= 170000
#define rbac_json_lexer(json, len) \
	makeJsonLexContextCstringLen(NULL, unconstify(char *, json), len, PG_UTF8, false)
#else
#define rbac_json_lexer(json, len) \
	makeJsonLexContextCstringLen(unconstify(char *, json), (int) (len), PG_UTF8, false)
#endif

#endif							/* CHAT_RBAC_COMPAT_H */

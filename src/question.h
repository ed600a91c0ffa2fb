/*-------------------------------------------------------------------------
 *
 * src/question.h
 *	  Questions about a row and about a member, for those who answer them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_QUESTION_H
#define CHAT_RBAC_QUESTION_H

#include "chat_rbac.h"

#include "utils/array.h"

/* ---- link.c: beside the relations that a table tells, what it points to ---- */

/* A "linked" relation: the table and column that point here. */
typedef struct RbacPointer
{
	Oid			table;
	char	   *column;
	char	   *org;			/* NULL: none */
} RbacPointer;

extern bool rbac_link_pointer(Oid protected, const char *relation, int relation_len, RbacPointer *out);

/* ---- question.c: what is asked, from a function's arguments ---- */

extern RbacProtection *rbac_question_table(RbacRowState *state, Oid relid);
extern int64 *rbac_question_ids(ArrayType *array, int *nids);
extern void rbac_question_check_key(const RbacProtection *form, int nvalues);
extern void rbac_question_check_plain(const RbacPermission *asked);

/* ---- asked.c: somebody who is asked about, grant by grant ---- */

typedef struct RbacAskedRole
{
	int64		role_id;
	char	   *name;
	RbacPermset permissions;	/* by itself */
} RbacAskedRole;

/* One of the member's grants, in force or not. */
typedef struct RbacAskedGrant
{
	int64		grant_id;
	int			role;			/* index into RbacAsked.roles */
	bool		org_wide;
	int64		unit_id;
	char	   *unit;			/* its name, and with those above; NULL: the
								 * whole org */
	char	   *path;
	TimestampTz begins;			/* DT_NOBEGIN: always was */
	TimestampTz ends;			/* DT_NOEND: never does */
	bool		in_time;
	char	   *shift;			/* its text; NULL: none */
	bool		on_shift;
	TimestampTz shift_changes;	/* DT_NOEND: never */
	RbacPermset permissions;	/* of the role's closure */
	const RbacGrants *counted;	/* what it adds to the answer, alone; NULL:
								 * nothing */
	const RbacGrants *full;		/* as if all of it counted; on demand */
} RbacAskedGrant;

/* A member who is asked about; lives in the context it was made in. */
typedef struct RbacAsked
{
	bool		is_self;		/* the caller */
	int64		org;
	int64		member;
	char	   *name;
	bool		active;
	RbacCheck	check;			/* of all grants; past policies */
	int			nroles;			/* that the grants lead to */
	RbacAskedRole *roles;
	int			nedges;
	RbacEdge   *edges;
	int			ngrants;
	RbacAskedGrant *grants;
} RbacAsked;

extern bool rbac_asked_all(void);
extern void rbac_asked_who(FmgrInfo *flinfo, int64 member, RbacAsked *asked);
extern int64 rbac_asked_org(FmgrInfo *flinfo, const char *deed);
extern void rbac_asked_load(RbacAsked *asked);
extern void rbac_asked_load_grants(RbacAsked *asked);
extern bool rbac_asked_counts(const RbacAskedGrant *grant, const RbacPermission *permission);
extern const RbacGrants *rbac_asked_full(const RbacAsked *asked, RbacAskedGrant *grant);
extern TimestampTz rbac_asked_counts_until(const RbacAsked *asked, const RbacAskedGrant *grant);
extern const char *rbac_asked_inactive(const RbacAsked *asked, const RbacAskedGrant *grant);
extern const char *rbac_asked_chain(const RbacAsked *asked, const RbacAskedGrant *grant,
									const RbacPermission *permission);

/* Where a permission of a grant is taken to count. */
typedef enum RbacAskedWhere
{
	RBAC_WHERE_GRANTED,
	RBAC_WHERE_SEALED,			/* of that, where it is sealed: the row's
								 * other seals are other grants' */
	RBAC_EVERYWHERE				/* in the whole org and all that is sealed */
} RbacAskedWhere;

/*
 * A question about a member: of a permission anywhere, or on a row.  form and
 * row are the ones that decide, which is a parent's row for a child's.
 */
typedef struct RbacQuestion
{
	RbacPermission asked;
	RbacPermset wanted;			/* without its relation */
	RbacProtection *form;		/* NULL: anywhere */
	RbacRow		row;
	int			nviews;
	RbacPermset *views;			/* without these the row is not to be seen */
} RbacQuestion;

extern bool rbac_asked_read(RbacAsked *asked, RbacProtection *form, const int64 *key, RbacRow *out);
extern bool rbac_asked_is_seen(FmgrInfo *flinfo, Oid relid, const int64 *key);
extern bool rbac_asked_place(RbacAsked *asked, RbacProtection *form, const RbacRow *row, RbacQuestion *question);
extern bool rbac_asked_about(const RbacPermission *permission, const RbacPermset *wanted);
extern Datum rbac_asked_roles(int64 org, const RbacPermset *wanted);
extern bool rbac_asked_carries(RbacAsked *asked, const RbacGrants *grants, const RbacPermission *permission,
							   RbacAskedWhere where, const RbacQuestion *question);

#endif							/* CHAT_RBAC_QUESTION_H */

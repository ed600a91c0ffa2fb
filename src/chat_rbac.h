/*-------------------------------------------------------------------------
 *
 * src/chat_rbac.h
 *	  What the files of chat_rbac tell each other, lowest layer first.
 *
 * A check goes down through the layers and an answer comes up:
 *
 *	scope.c, guard.c	a policy asks "the units where I may view, please"; a
 *						trigger, "may this row be closed?"
 *	row.c, fetch.c, link.c
 *						one row's relations and units looked up in a decision
 *	authz.c				the one decision: which grants carry that right
 *	protection.c		a protected table's specification, compiled
 *	grants.c, compile.c, reach.c, activation.h
 *						the member's compiled grants, from a cache
 *	token.c				whom a signed token names
 *	identity.c			who asks, read from settings
 *	clock.c				whether a shift holds, by the clock of its time zone
 *	inval.c, catalog.c	when to forget, and how to read our tables
 *	pure.h				permissions, sets, graphs: bytes only
 *
 * Calls go down only; scripts/check-layers.pl holds that.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_H
#define CHAT_RBAC_H

#include "compat.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "jose.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "pgtime.h"
#include "pure.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#define RBAC_SCHEMA		"chat_rbac"
#define RBAC_VERSION	"0.1.0" /* the SQL objects that this library serves */

/* ---- inval.c: when cached answers are stale ---- */

/* Grows with every committed, or own, change to the RBAC tables. */
extern uint64 rbac_inval_generation;

/* Grows with that, every change of an identity setting, and every end of a transaction. */
extern uint64 rbac_inval_epoch;

/* Grows with every change to the signing keys. */
extern uint64 rbac_inval_keys;

extern void rbac_inval_init(void);
extern void rbac_inval_watch(Oid proxy);
extern void rbac_inval_watch_keys(Oid keys);
extern uint64 rbac_inval_accept(void);

/*
 * When grants are looked at: at the start of the client's statement, or of the
 * transaction, where a procedure began one since.
 */
static inline TimestampTz
rbac_now(void)
{
	return Max(GetCurrentStatementStartTimestamp(), GetCurrentTransactionStartTimestamp());
}

/* ---- catalog.c: our tables, read under a fresh snapshot as their owner ---- */

/* A query whose plan is kept for the backend's life. */
typedef struct RbacQuery
{
	const char *sql;
	int			nargs;
	Oid			argtypes[6];
	SPIPlanPtr	plan;
} RbacQuery;

/* What rbac_catalog_open changed and rbac_catalog_close puts back. */
typedef struct RbacCatalogScope
{
	Oid			save_user;
	int			save_context;
	int			guc_level;
	Snapshot	snapshot;
} RbacCatalogScope;

/* Who one was before acting as another role; rbac_catalog_be_oneself puts it back. */
typedef struct RbacOneself
{
	Oid			user;
	int			context;
	int			guc_level;
} RbacOneself;

/* What a table was called, and where, when a query that names it was made. */
typedef struct RbacTableName
{
	NameData	schema;
	NameData	table;
} RbacTableName;

extern Oid	rbac_catalog_owner(Oid relid);
extern Oid	rbac_catalog_relation(const char *name);
extern void rbac_catalog_become(Oid owner, Oid *save_user, int *save_context);
extern void rbac_catalog_become_reader(Oid relid, RbacOneself *oneself);
extern void rbac_catalog_become_author(Oid owner, RbacOneself *oneself);
extern void rbac_catalog_be_oneself(const RbacOneself *oneself);
extern void rbac_catalog_take_name(Oid relid, RbacTableName *out);
extern bool rbac_catalog_has_name(Oid relid, const RbacTableName *name);
extern void rbac_catalog_open(RbacCatalogScope *scope);
extern void rbac_catalog_close(RbacCatalogScope *scope);
extern uint64 rbac_catalog_query(const RbacCatalogScope *scope, RbacQuery *query,
								 Datum *args, const char *nulls);
extern uint64 rbac_catalog_execute(RbacQuery *query, Datum *args);
extern bool rbac_catalog_deciding;
extern int	rbac_catalog_decide(SPIPlanPtr plan, Datum *args);
extern void rbac_catalog_decide_by(Portal portal, long count);
extern CachedPlan *rbac_catalog_decide_plan(SPIPlanPtr plan);
extern void rbac_catalog_lock_org(int64 org);
extern bool rbac_catalog_is_above(Oid relid);
extern int64 rbac_catalog_int64(uint64 row, int column, bool *isnull);
extern bool rbac_catalog_bool(uint64 row, int column);
extern char *rbac_catalog_text(uint64 row, int column);
extern char *rbac_catalog_copy_text(uint64 row, int column, MemoryContext context);

/* ---- hash.c: SHA-256 for the pure layer ---- */

extern RbacHash rbac_hash_begin(void);
extern void rbac_hash_end(RbacHash *hash);

/* Bytes as a value of SQL. */
static inline bytea *
rbac_hash_bytea(const void *data, size_t len)
{
	return (bytea *) cstring_to_text_with_len(data, (int) len);
}

/* ---- clock.c: shifts, on the clocks of their time zones ---- */

extern pg_tz *rbac_clock_zone(const char *name, size_t len);
extern bool rbac_clock_holds(const RbacShift *shift, pg_tz *zone, TimestampTz at);
extern TimestampTz rbac_clock_next(const RbacShift *shift, pg_tz *zone, TimestampTz at);
extern bool rbac_clock_judge(struct varlena *value, TimestampTz at, TimestampTz *until);

/* ---- claims.c: what a token says ---- */

typedef struct RbacJwtHeader
{
	char	   *alg;
	char	   *kid;			/* NULL: none */
} RbacJwtHeader;

typedef struct RbacClaims
{
	int64		org;
	char	   *subject;		/* not empty */
	char	   *issuer;			/* NULL: none */
	int			naudience;		/* 0: none */
	char	  **audience;
	TimestampTz expires;
	bool		has_not_before;
	TimestampTz not_before;
	bool		has_issued;
	TimestampTz issued;
	bool		has_roles;
	int			nroles;
	char	  **roles;
	const char *roles_problem;	/* NULL: none; who wants roles must look */
} RbacClaims;

extern const char *rbac_claims_header(const char *json, size_t len, RbacJwtHeader *out);
extern const char *rbac_claims_read(const char *json, size_t len, RbacClaims *out);

/* ---- identity.c: who is asking ---- */

typedef enum RbacIdentitySource
{
	RBAC_BY_TOKEN,				/* chat_rbac.token */
	RBAC_BY_SETTING,			/* chat_rbac.identity */
	RBAC_BY_LOGIN				/* the member whose login is the current role */
} RbacIdentitySource;

/* Hashed as bytes: no padding. */
typedef struct RbacIdentity
{
	int64		org;			/* 0 if by login */
	int64		member;			/* 0 if by login */
	Oid			login;			/* InvalidOid unless by login */
	int32		source;			/* RbacIdentitySource */
} RbacIdentity;

/*
 * When an answer was given.  It holds while the client's statement is the same
 * one, no identity setting and, as far as this session has heard, none of our
 * tables has changed; and where no setting says who asks, the current role too.
 */
typedef struct RbacStamp
{
	TimestampTz statement;
	uint64		epoch;			/* 0: never holds */
	Oid			role;			/* InvalidOid where a setting says who asks */
	bool		restricted;		/* nobody asks: see identity.c */
} RbacStamp;

extern void rbac_identity_init(void);
extern void rbac_identity_get(RbacIdentity *identity);
extern const char *rbac_identity_token(void);
extern bool rbac_identity_by_login(void);
extern const char *rbac_identity_lifetime(void);
extern const char *rbac_identity_outlived(void);
extern void rbac_identity_note_token(int64 org, int64 member);
extern bool rbac_identity_by_setting(int64 *org, int64 *member);
extern const char *rbac_identity_active_roles(void);
extern const char *rbac_identity_request_id(void);
extern const char *rbac_identity_reason(void);
extern List *rbac_identity_role_names(const char *setting);

static inline void
rbac_stamp_take(RbacStamp *stamp)
{
	stamp->statement = GetCurrentStatementStartTimestamp();
	stamp->epoch = rbac_inval_epoch;
	stamp->role = rbac_identity_by_login() ? GetOuterUserId() : InvalidOid;
	stamp->restricted = InSecurityRestrictedOperation();
}

static inline bool
rbac_stamp_holds(const RbacStamp *stamp)
{
	return stamp->epoch == rbac_inval_epoch &&
		stamp->statement == GetCurrentStatementStartTimestamp() &&
		stamp->restricted == InSecurityRestrictedOperation() &&
		(stamp->role == InvalidOid || stamp->role == GetOuterUserId());
}

/* Who asks, and to what the session is narrowed; texts are good until the next statement. */
typedef struct RbacAsker
{
	RbacIdentity identity;
	const char *active_roles;
	const char *token_roles;	/* NULL: no token, or it does not narrow */
	TimestampTz issued;			/* of a token */
	TimestampTz expires;
	bool		admitted;		/* when the query began: who may not ask any
								 * more is denied, and no error */
} RbacAsker;

/* ---- token.c: whom a signed token names ---- */

struct RbacGrants;

extern void rbac_token_init(void);
extern char *rbac_token_role_list(int nroles, char *const *roles);
extern void rbac_token_asker(RbacAsker *asker);
extern void rbac_token_admit(const RbacAsker *asker, const struct RbacGrants *grants);
extern uint64 rbac_token_verifications(void);

/* ---- grants.c: a member's compiled grants, cached ---- */

typedef enum RbacStanding
{
	RBAC_NOBODY,				/* no such member, or no login mapped */
	RBAC_INACTIVE,				/* the member is switched off */
	RBAC_ACTIVE
} RbacStanding;

typedef struct RbacUnitKey
{
	int			kind;			/* index into RbacGrants.kinds */
	int64		key;
} RbacUnitKey;

/* What the member may do at one unit and below it, or in the whole org. */
typedef struct RbacReach
{
	bool		org_wide;
	int64		unit_id;		/* unless org_wide */
	RbacPermset permissions;	/* closure of every role granted there */
	RbacUnitKey *keys;			/* the unit's and those below it */
	int			nkeys;
	RbacIdSet **keys_by_kind;	/* made on demand, indexed by kind */
	RbacIdSet  *people;			/* who holds a role there or below; on demand */
} RbacReach;

typedef struct RbacScope RbacScope;

/*
 * One identity's answer sheet.  It lives in a memory context of its own, is
 * immutable but for the parts made on demand, and survives removal from the
 * cache while somebody holds a pin on it.
 */
typedef struct RbacGrants
{
	RbacIdentity identity;
	char	   *active_roles;	/* the setting that it was made under */
	char	   *token_roles;	/* and the token's claim; NULL: none */
	const int64 *only_grant;	/* while it is made: no other counts; NULL:
								 * all */
	RbacStanding standing;
	int64		org;
	int64		member;
	char	   *org_name;
	char	   *member_name;
	TimestampTz tokens_valid_from;	/* DT_NOBEGIN: none were revoked */
	int			nroles;			/* active roles, by name */
	char	  **roles;
	int			nkinds;
	char	  **kinds;			/* unit kinds that occur in reach and sealed */
	int			nreach;
	RbacReach  *reach;
	RbacReach  *sealed;			/* keys only: the org's sealed units and what
								 * is below them; NULL: none */
	int			nlasting;		/* ids of grants that count whole, at all
								 * hours */
	int64	   *lasting;
	RbacIdSet  *members;		/* everybody in the org; on demand */
	int			nscopes;
	RbacScope  *scopes;			/* decided so far; authz.c */

	MemoryContext context;
	uint64		generation;		/* of the tables it was read from */
	TimestampTz made_at;		/* it speaks for [made_at, valid_until) */
	TimestampTz valid_until;
	int			pins;
	bool		cached;
	dlist_node	lru;
} RbacGrants;

typedef struct RbacCacheStats
{
	int64		entries;
	int64		hits;
	int64		builds;
	int64		evictions;
	int64		bytes;
} RbacCacheStats;

extern void rbac_grants_init(void);
extern RbacGrants *rbac_grants_compile(const RbacAsker *asker, const int64 *only_grant);
extern bool rbac_grants_are_for(const RbacGrants *grants, const RbacAsker *asker);
extern RbacGrants *rbac_grants_pin(const RbacAsker *asker);
extern RbacGrants *rbac_grants_pin_anew(const RbacAsker *asker);
extern void rbac_grants_unpin(RbacGrants *grants);
extern void rbac_grants_forget(RbacGrants *grants);
extern void rbac_grants_stats(RbacCacheStats *stats);

/* ---- compile.c: read from the tables ---- */

extern void rbac_compile_grants(RbacGrants *grants);
extern void rbac_compile_units(RbacGrants *grants);
extern RbacEdge *rbac_compile_edges(uint64 rows, int *nedges);
extern Datum rbac_compile_array(const int64 *ids, int nids);
extern void rbac_compile_note_bound(RbacGrants *grants, uint64 row, int column);

/* ---- reach.c: parts of them, made on demand ---- */

extern int	rbac_reach_kind(const RbacGrants *grants, const char *kind, int len);
extern RbacIdSet *rbac_reach_keys(RbacGrants *grants, RbacReach *reach, int kind);
extern RbacIdSet *rbac_reach_people(RbacGrants *grants, RbacReach *reach);
extern RbacIdSet *rbac_reach_members(RbacGrants *grants);
extern RbacIdSet *rbac_reach_idset(MemoryContext context, int64 *ids, int nids);

/* Views a detoasted permset, short header or not; *out lives as long as it does. */
static inline void
rbac_permset_view(struct varlena *value, RbacPermset *out)
{
	out->data = VARDATA_ANY(value);
	out->size = VARSIZE_ANY_EXHDR(value);
}

/* ---- protection.c: a protected table's specification, compiled ---- */

#define RBAC_UNIT_KINDS_MAX 8	/* unit columns of one table */

typedef enum RbacCommand
{
	RBAC_INSERT,
	RBAC_UPDATE,
	RBAC_DELETE
} RbacCommand;

#define RBAC_NCOMMANDS		3

/* A column of the relation at hand; ids are int4 or int8. */
typedef struct RbacColumn
{
	AttrNumber	attnum;			/* InvalidAttrNumber: none */
	bool		is_int4;
} RbacColumn;

static inline int64
rbac_column_id(const RbacColumn *column, Datum value)
{
	return column->is_int4 ? DatumGetInt32(value) : DatumGetInt64(value);
}

typedef enum RbacTestKind
{
	RBAC_TEST_ANYTHING,
	RBAC_TEST_NULL,
	RBAC_TEST_MEMBER,			/* "$member": who asks */
	RBAC_TEST_MEMBERS,			/* "$members": somebody at the grant's unit */
	RBAC_TEST_LITERAL
} RbacTestKind;

typedef struct RbacTest
{
	RbacTestKind kind;
	RbacColumn	column;
	ExprState  *equals;			/* for a literal, of CaseTestExpr */
} RbacTest;

/* A named relation: tests that must all pass, or what another table tells. */
typedef struct RbacRelation
{
	char	   *name;
	bool		personal;		/* ties the row to a person */
	int			ntests;
	RbacTest   *tests;
	bool		told;			/* by another table: see link.c */
	RbacColumn	key;			/* then, what it refers to */
} RbacRelation;

/* What a rule requires, beside an index into RbacProtection.needs. */
#define RBAC_NEEDS_NOTHING	(-1)
#define RBAC_NEEDS_OWNER	(-2)	/* no permission: to be the table's owner */
#define RBAC_NEEDS_ANY		(-3)	/* "any", where no other rule names one */

typedef struct RbacAction
{
	RbacCommand command;
	RbacColumn	column;			/* attnum 0: every change without a rule */
	RbacTest	from;
	RbacTest	to;
	int			requires;
	bool		any;			/* it said "any" */
	int			into;
} RbacAction;

#define RBAC_KEYS_MAX (INDEX_MAX_KEYS + 1)	/* a primary key, and the org */

/* How to read the rows of a table that have a key. */
typedef struct RbacFetch
{
	int			nkeys;
	RbacColumn	keys[RBAC_KEYS_MAX];
	bool		past;			/* past all policies */
	Oid			index;			/* InvalidOid: by the plan, under all policies
								 * unless past them */
	int			order[RBAC_KEYS_MAX];	/* which key each index column is */
	SPIPlanPtr	plan;			/* NULL until needed */
	struct RbacFetch *next;
} RbacFetch;

typedef struct RbacProtection
{
	Oid			relid;			/* whose columns it speaks of */
	RbacTableName name;			/* when this was made */
	Oid			root;			/* the protected table: itself, or what it is
								 * a partition of */
	bool		builtin;		/* it is one of our own */
	char	   *resource;
	RbacColumn	org;
	int			nunits;
	struct
	{
		char	   *kind;
		RbacColumn	column;
	}			units[RBAC_UNIT_KINDS_MAX];
	int			nrelations;
	RbacRelation *relations;
	Oid			parent;			/* InvalidOid: none */
	RbacColumn	parent_column;
	RbacColumn	parent_key;		/* the column that it refers to, */
	RbacColumn	parent_org;		/* and the org's there, if any */
	bool		parent_is_there;	/* a foreign key on all of these says so */
	RbacPermset view;			/* needed to see a row; empty for some
								 * children */
	bool		plain;			/* nobody else's policy has a say in that */
	int			nothers;		/* roles whom others' let rows through */
	Oid		   *others;
	int			nactions;
	RbacAction *actions;
	Bitmapset  *ruled[RBAC_NCOMMANDS];	/* columns that have rules */
	int			nneeds;
	RbacPermset *needs;			/* sets of which one is required */
	int			nkeys;			/* the primary key, but for the org */
	RbacColumn *keys;
	bool		keys_are_ids;
	int			nplaces;		/* columns that tell a row and its place */
	AttrNumber *places;

	struct RbacImage *image;	/* image.c; on demand */
	RbacFetch  *fetches;
	SPIPlanPtr	presence[2];	/* fetch.c; on demand; by all places, by key */
	ExprContext *econtext;		/* for literals; on demand */
	MemoryContext context;
	int			pins;
	bool		valid;
	bool		published;
} RbacProtection;

extern void rbac_protection_init(void);
extern RbacProtection *rbac_protection_pin(Oid relid);
extern void rbac_protection_unpin(RbacProtection *form);

/* Forms that are pinned together. */
typedef struct RbacPinnedForm
{
	RbacProtection *form;
	struct RbacPinnedForm *next;
} RbacPinnedForm;

extern RbacProtection *rbac_protection_pin_with(RbacPinnedForm **list, Oid relid, MemoryContext context);
extern void rbac_protection_unpin_all(RbacPinnedForm **list);
extern RbacColumn rbac_protection_column(Relation rel, const char *name);
extern bool rbac_protection_only_ours(const RbacProtection *form, Oid role);
extern bool rbac_protection_test(RbacProtection *form, const RbacTest *test, int64 member,
								 Datum value, bool isnull);

/* A row's columns, by attnum - 1. */
typedef struct RbacRow
{
	const Datum *values;
	const bool *nulls;
} RbacRow;

/* The value of an id column; false if there is no such column, or it is null. */
static inline bool
rbac_row_id(const RbacRow *row, const RbacColumn *column, int64 *id)
{
	if (column->attnum == InvalidAttrNumber || row->nulls[column->attnum - 1])
		return false;
	*id = rbac_column_id(column, row->values[column->attnum - 1]);
	return true;
}

/* A rule that a change falls under by a column; NULL: by none. */
typedef struct RbacDemand
{
	const RbacAction *action;
	AttrNumber	attnum;			/* 0: no column is to blame */
} RbacDemand;

/* ---- image.c: rows as the audit trail shows them ---- */

#define RBAC_IMAGE_BYTES	8192	/* of a value; more stands as a digest */
#define RBAC_TEXT_BYTES		32768	/* of its text form, where that is another */
#define RBAC_KEY_BYTES		1024	/* the same of a key */
#define RBAC_REASON_BYTES	1024	/* of what is said of a deed; more is
									 * refused */

typedef struct RbacImage RbacImage;

extern RbacImage *rbac_image_get(RbacProtection *form);
extern Datum rbac_image_table_name(const RbacImage *image);
extern bool rbac_image_shows(const RbacImage *image, const RbacDemand *demands, int ndemands);
extern Datum rbac_image_row(RbacImage *image, const RbacRow *row);
extern Datum rbac_image_columns(RbacImage *image, const RbacRow *row, const RbacDemand *demands, int ndemands);
extern Datum rbac_image_key(RbacImage *image, const RbacProtection *form, const RbacRow *row);

/* ---- refusal.c: refusals, in the server log ---- */

extern void rbac_refusal_init(void);
extern void rbac_refusal_log(const char *kind, const RbacGrants *grants, const char *permission, const char *message);
extern RBAC_NORETURN void rbac_refusal_raise(const char *kind, const RbacGrants *grants, const char *permission,
											 const char *message, const char *detail, const char *hint);

/* ---- authz.c: the one yes ---- */

/*
 * Where a member holds a right: any of wanted, with relation.  The right
 * counts for rows for which the relation holds; that the policy itself tests.
 */
struct RbacScope
{
	RbacPermset wanted;
	char	   *relation;		/* NULL: any, or none */
	int			relation_len;
	bool		or_all;			/* permissions for every row count too */
	bool		org_wide;		/* everywhere in the org */
	int			nreach;			/* else at these, and below */
	RbacReach **reach;
	RbacIdSet **keys_by_kind;	/* union over reach; on demand */
	RbacIdSet **closed_by_kind; /* what is sealed off from it; on demand */
	RbacIdSet  *people;			/* union over reach; on demand */
	MemoryContext context;		/* of the scope and what is made on demand */
	RbacScope  *next;
};

/* A unit column among a call's arguments. */
typedef struct RbacUnitArgument
{
	bool		is_int4;
	int			kind;			/* index into RbacGrants.kinds, or -1 */
	const RbacIdSet *keys;		/* of that kind, in the scope */
	const RbacIdSet *closed;	/* of that kind, to the scope; NULL: none */
} RbacUnitArgument;

/*
 * A command: what is read under its snapshot stays as it is.  A subtransaction
 * that is rolled back leaves its command ids to the next one.
 */
typedef struct RbacCommandMark
{
	SubTransactionId subxact;
	CommandId	command;		/* of its snapshot, as the others;
								 * InvalidCommandId: none */
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
} RbacCommandMark;

static inline RbacCommandMark
rbac_command_now(void)
{
	RbacCommandMark mark = {GetCurrentSubTransactionId(), InvalidCommandId, 0, 0, 0};

	if (ActiveSnapshotSet())
	{
		const SnapshotData *snapshot = GetActiveSnapshot();

		mark.command = snapshot->curcid;
		mark.xmin = snapshot->xmin;
		mark.xmax = snapshot->xmax;
		mark.xcnt = snapshot->xcnt;
	}
	return mark;
}

static inline bool
rbac_command_is(const RbacCommandMark *mark)
{
	RbacCommandMark now = rbac_command_now();

	return now.command != InvalidCommandId && memcmp(mark, &now, sizeof(now)) == 0;
}

/*
 * One call site's hold on the asker's grants: kept in fn_extra, so a row costs
 * no look-up.  Renewed when its stamp no longer holds.
 */
typedef struct RbacCheck
{
	RbacStamp	stamp;
	RbacGrants *grants;			/* pinned; NULL: nobody, or inactive */
	const RbacScope *scope;		/* NULL until asked for, or if it may vary */
	bool		bound;			/* units are looked up, and cannot vary */
	RbacUnitArgument *units;
	RbacIdSet  *linked;			/* link.c; NULL until read */
	RbacCommandMark linked_at;	/* when it was */
	MemoryContext linked_context;	/* of linked */
	struct RbacRowState *rows;	/* row.c; NULL until asked for */
	struct RbacCheck *past;		/* rows are read past all policies, and judged
								 * in C by this one's grants; NULL: as the
								 * caller */
	bool		switched;		/* the session is somebody else than before */
	uint64		renewals;
	MemoryContextCallback release;
} RbacCheck;

extern void rbac_authz_attach(FmgrInfo *flinfo, RbacCheck *check);
extern RbacCheck *rbac_authz_renew(FmgrInfo *flinfo, bool follow);
extern void rbac_authz_begin(MemoryContext context);
extern void rbac_authz_resume(MemoryContext context);
extern void rbac_authz_refuse_switched(const RbacCheck *check, const char *table);
extern RbacCheck *rbac_authz_require(FmgrInfo *flinfo, const char *permission, const char *deed);
extern const RbacScope *rbac_authz_scope(RbacGrants *grants, const RbacPermset *wanted,
										 const char *relation, int relation_len,
										 bool or_all, bool remember, MemoryContext overflow);
extern bool rbac_authz_arguments_const(FmgrInfo *flinfo, int first, int last);
extern const RbacScope *rbac_authz_argument_scope(RbacCheck *check, FunctionCallInfo fcinfo,
												  int arg, bool or_all);
extern const RbacIdSet *rbac_authz_keys(RbacGrants *grants, const RbacScope *scope,
										const char *kind, int kind_len);
extern const RbacIdSet *rbac_authz_closed(RbacGrants *grants, const RbacScope *scope,
										  const char *kind, int kind_len);
extern const RbacIdSet *rbac_authz_people(RbacGrants *grants, const RbacScope *scope);
extern bool rbac_authz_reaches_person(RbacGrants *grants, const RbacScope *scope,
									  int64 person, int nunits, const int *kinds,
									  const int64 *keys);

/*
 * The asker's grants, for a call site that answers for one identity only: when
 * the session becomes somebody else under a running query (an open cursor), it
 * denies.  What was read by then, by an index condition say, was the former's.
 */
static inline RbacCheck *
rbac_authz_check(FmgrInfo *flinfo)
{
	RbacCheck  *check = (RbacCheck *) flinfo->fn_extra;

	if (likely(check != NULL && rbac_stamp_holds(&check->stamp)))
		return check;
	return rbac_authz_renew(flinfo, false);
}

/* The same for functions that tell who asks. */
static inline RbacCheck *
rbac_authz_follow(FmgrInfo *flinfo)
{
	RbacCheck  *check = (RbacCheck *) flinfo->fn_extra;

	if (likely(check != NULL && rbac_stamp_holds(&check->stamp)))
		return check;
	return rbac_authz_renew(flinfo, true);
}

/* ---- demand.c: what a change of the RBAC tables asks for ---- */

extern void rbac_demand_change(RbacGrants *grants, Relation rel, HeapTuple old, HeapTuple new);
extern void rbac_demand_issue(RbacGrants *grants, int64 member);
extern void rbac_demand_revoke(RbacGrants *grants, int64 member);

/* ---- link.c: relations that another table tells ---- */

extern RbacIdSet *rbac_link_read(const RbacGrants *grants, Oid protected, const char *relation,
								 int relation_len, MemoryContext context);

/* ---- fetch.c: rows of a protected table by their key ---- */

extern RbacRow *rbac_fetch_rows(RbacProtection *form, int nkeys, const RbacColumn *keys,
								const int64 *values, int *nrows, bool *judged);
extern RbacRow *rbac_fetch_past(RbacProtection *form, int nkeys, const RbacColumn *keys,
								const int64 *values, int *nrows);
typedef bool (*RbacRowTest) (void *arg, const RbacRow *row);
extern int64 *rbac_fetch_visible(RbacProtection *form, const RbacColumn *column, int limit,
								 RbacRowTest test, void *arg, int *nids);
extern bool rbac_fetch_is_there(RbacProtection *form, Datum *values, const bool *nulls, bool by_key);

/* ---- row.c: one row, looked up in a decision ---- */

typedef struct RbacRowState RbacRowState;

extern RbacRowState *rbac_row_state(RbacCheck *check, MemoryContext parent);
extern RbacProtection *rbac_row_protection(RbacRowState *state, Oid relid);
extern bool rbac_row_allows(RbacRowState *state, RbacProtection *form,
							const RbacPermset *wanted, const RbacRow *row);
extern bool rbac_row_is_visible(RbacRowState *state, RbacProtection *form, const RbacRow *row);
extern bool rbac_row_in_parent(RbacRowState *state, RbacProtection *form,
							   const RbacPermset *wanted, const int64 *org, const int64 *id);
extern bool rbac_row_find(RbacRowState *state, RbacProtection *form, const int64 *key,
						  RbacRow *row);
extern bool rbac_row_others_decide(const RbacRowState *state);

/* ---- rule.c: which rules a change falls under ---- */

/* A change of one row, and who makes it. */
typedef struct RbacChange
{
	RbacRowState *rows;			/* for who decides about it */
	RbacProtection *form;
	RbacGrants *grants;			/* NULL: nobody's */
	RbacCommand command;
	const RbacRow *old;			/* NULL for INSERT */
	const RbacRow *new;			/* NULL for DELETE */
} RbacChange;

extern void rbac_rule_read_change(const TriggerData *trigdata, RbacChange *change, RbacRow rows[2]);
extern bool rbac_rule_is_changed(TupleDesc desc, int at, const RbacRow *old, const RbacRow *new);
extern RbacDemand rbac_rule_demand(const RbacChange *change, AttrNumber attnum);
extern int	rbac_rule_demands(TupleDesc desc, const RbacChange *change, RbacDemand *demands);

/* ---- permission_io.c, permset_io.c: SQL values from and to the pure layer ---- */

extern char *rbac_permission_clip(const char *text, size_t len);
extern void rbac_permission_from_text(const char *text, size_t len, RbacPermission *out);
extern void rbac_permission_from_bytes(const char *bytes, size_t len, RbacPermission *out);
extern void rbac_permission_recv_require(StringInfo message, size_t len, const char *type);
extern void rbac_permission_recv_version(StringInfo message, const char *type);
extern void rbac_permission_send_version(StringInfo message);
extern struct varlena *rbac_permission_make(const RbacPermission *p);
extern bool rbac_permission_view(const struct varlena *value, RbacPermission *out);
extern void rbac_permission_view_checked(const struct varlena *value, RbacPermission *out);
extern struct varlena *rbac_permset_make(RbacPermission *items, int nitems);

#include "trail.h"
#include "reads.h"

#endif							/* CHAT_RBAC_H */

/*-------------------------------------------------------------------------
 *
 * src/trail.h
 *	  The part of chat_rbac.h, which includes it, that is about the audit trail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_TRAIL_H
#define CHAT_RBAC_TRAIL_H

/* ---- trail.c: the audit trail's rows ---- */

/* Who acts and how; texts are 0 for null. */
typedef struct RbacTrailWho
{
	bool		is_member;		/* else no active member asks */
	int64		org;
	int64		member;
	Datum		name;
	Datum		db_role;
	Datum		session_role;
	Datum		request_id;
	Datum		reason;
	Datum		application_name;
	Datum		client_addr;
} RbacTrailWho;

/* What happened; texts and jsonb are 0 for null. */
typedef struct RbacEvent
{
	bool		has_org;
	int64		org;
	Oid			relation;		/* InvalidOid: none */
	int32		command;
	int32		depth;
	const char *operation;
	Datum		actions;		/* text[] */
	Datum		table_name;
	Datum		row_key;
	Datum		old;
	Datum		new;
	Datum		unit_kinds;		/* text[] */
	Datum		unit_keys;		/* bigint[], as many */
	Datum		reason;			/* 0: the setting */
} RbacEvent;

extern void rbac_trail_init(void);
extern void rbac_trail_incarnation(pg_uuid_t *out);
extern RbacTrailWho *rbac_trail_who(const RbacGrants *grants);
extern int64 rbac_trail_write(const RbacTrailWho *who, const RbacEvent *event);

/* ---- place.c: where a row is, for the audit trail ---- */

typedef struct RbacPlaceUnit
{
	const char *kind;
	int64		key;
} RbacPlaceUnit;

typedef struct RbacPlace
{
	bool		has_org;
	int64		org;
	int			nunits;
	RbacPlaceUnit units[2 * RBAC_UNIT_KINDS_MAX];	/* room for those of two */
} RbacPlace;

typedef struct RbacPlaceFinder RbacPlaceFinder;

extern RbacPlaceFinder *rbac_place_finder(MemoryContext context);
extern void rbac_place_find(RbacPlaceFinder *finder, RbacProtection *form, const RbacRow *row, RbacPlace *place);
extern void rbac_place_arrays(RbacPlaceFinder *finder, const RbacPlace *place, const RbacPlace *other,
							  Datum *kinds, Datum *keys);

#endif							/* CHAT_RBAC_TRAIL_H */

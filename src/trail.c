/*-------------------------------------------------------------------------
 *
 * src/trail.c
 *	  Writes rows of the audit trail.
 *
 * An event goes straight into the leaf partition of its month and the leaf's
 * indexes, where these are as audit_maintain() makes them: no plan, no trigger
 * and no policy is between.  Into any other leaf it goes by a kept plan, as the
 * owner of the trail.  Either way it is part of the transaction, and rolled back
 * with it.
 *
 * What a session knows of the leaf, of its indexes and of the incarnation is
 * kept for its life; a relcache invalidation of trail or leaf makes it look
 * again.  A lock on the leaf comes first, so nothing that is kept can be wrong
 * under it.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "parser/parse_func.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "replication/logicalworker.h"
#include "replication/worker_internal.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

/* The columns of audit_event, in its order (sql/parts/23_trail.sql). */
enum
{
	COL_EVENT_ID, COL_AT, COL_TRANSACTION_AT, COL_XID, COL_ORG_ID, COL_ACTOR_ORG_ID, COL_ACTOR_ID,
	COL_INCARNATION, COL_RELATION, COL_COMMAND, COL_DEPTH, COL_OPERATION, COL_ACTIONS, COL_TABLE_NAME,
	COL_ROW_KEY, COL_OLD, COL_NEW, COL_UNIT_KINDS, COL_UNIT_KEYS, COL_ACTOR_NAME, COL_DB_ROLE,
	COL_SESSION_ROLE, COL_REQUEST_ID, COL_REASON, COL_APPLICATION_NAME, COL_CLIENT_ADDR, COL_SALT,
	COL_REDACTION, NCOLUMNS
};

static const struct
{
	const char *name;
	Oid			type;
}			columns[NCOLUMNS] = {
	{"event_id", INT8OID}, {"at", TIMESTAMPTZOID}, {"transaction_at", TIMESTAMPTZOID}, {"xid", XID8OID},
	{"org_id", INT8OID}, {"actor_org_id", INT8OID}, {"actor_id", INT8OID}, {"incarnation", UUIDOID},
	{"relation", REGCLASSOID}, {"command", INT4OID}, {"depth", INT4OID}, {"operation", TEXTOID},
	{"actions", TEXTARRAYOID}, {"table_name", TEXTOID}, {"row_key", TEXTOID}, {"old", JSONBOID},
	{"new", JSONBOID}, {"unit_kinds", TEXTARRAYOID}, {"unit_keys", INT8ARRAYOID}, {"actor_name", TEXTOID},
	{"db_role", TEXTOID}, {"session_role", TEXTOID}, {"request_id", TEXTOID}, {"reason", TEXTOID},
	{"application_name", TEXTOID}, {"client_addr", INETOID}, {"salt", BYTEAOID}, {"redaction", JSONBOID}
};

#define SALT_BYTES		16
#define SALTS_AT_ONCE	64
#define IDS_AT_ONCE		32		/* the sequence's increment */
#define INDEXES_MAX		8

static int	retention_months = 0;	/* audit_maintain() reads the setting */

/* What is known of the trail and of the leaf for a stretch of time. */
typedef struct Leaf
{
	bool		valid;			/* no message since it was looked at */
	bool		complete;		/* nor an error while it was */
	Oid			trail;
	Oid			owner;
	Oid			sequence;
	Oid			leaf;
	TimestampTz from;			/* for [from, until) */
	TimestampTz until;
	bool		plain;			/* can be written without a plan */
	LocalTransactionId locked_in;	/* with its indexes, in this transaction */
	SubTransactionId locked_in_sub; /* and subtransaction */
	int			nindexes;
	Oid			indexes[INDEXES_MAX];
	IndexInfo  *infos[INDEXES_MAX];
	MemoryContext context;		/* of infos */
} Leaf;

static Leaf current = {0};
static SPIPlanPtr insert_plan = NULL;

/* ---- the leaf ---- */

static void
note_relcache_inval(Datum arg, Oid relid)
{
	(void) arg;
	if (relid == InvalidOid || relid == current.trail || relid == current.leaf)
		current.valid = false;
}

void
rbac_trail_init(void)
{
	DefineCustomIntVariable("chat_rbac.audit_retention_months",
							"Months of the audit trail that audit_maintain() keeps in it; 0 for all.",
							"Older partitions are detached when they are sealed, and never dropped.",
							&retention_months, 0, 0, 12000, PGC_SUSET, 0, NULL, NULL, NULL);
	CacheRegisterRelcacheCallback(note_relcache_inval, (Datum) 0);
}

static bool
has_our_columns(TupleDesc desc)
{
	if (desc->natts != NCOLUMNS)
		return false;
	for (int i = 0; i < NCOLUMNS; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (attr->attisdropped || attr->attgenerated != '\0' || attr->atttypid != columns[i].type ||
			strcmp(NameStr(attr->attname), columns[i].name) != 0)
			return false;
	}
	return true;
}

/*
 * May a row be put into an index by its columns alone?  Only a btree keeps
 * nothing between insertions that has to be given back.
 */
static bool
is_plain_index(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indisready && index->rd_index->indislive && !index->rd_index->indisunique &&
		!index->rd_index->indisexclusion &&
		RelationGetIndexExpressions(index) == NIL && RelationGetIndexPredicate(index) == NIL;
}

/* Would a trigger other than ours see an insertion? */
static bool
has_other_triggers(Relation rel)
{
	List	   *name = list_make2(makeString(RBAC_SCHEMA), makeString("refuse_tampering"));
	Oid			own = LookupFuncName(name, 0, NULL, true);

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && trigger->tgfoid != own)
			return true;
	}
	return false;
}

static void
learn_leaf(Leaf *leaf, Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	MemoryContext old;
	ListCell   *cell;

	leaf->nindexes = 0;
	leaf->plain = rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		has_our_columns(RelationGetDescr(rel)) && list_length(indexes) <= INDEXES_MAX &&
		(RelationGetDescr(rel)->constr == NULL || RelationGetDescr(rel)->constr->num_check == 0) &&
		!has_other_triggers(rel) && rel->rd_rules == NULL;
	if (!leaf->plain)
		return;
	if (leaf->context == NULL)
		leaf->context = AllocSetContextCreate(CacheMemoryContext, "chat_rbac audit trail", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(leaf->context);
	old = MemoryContextSwitchTo(leaf->context);
	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), RowExclusiveLock);

		leaf->plain &= is_plain_index(index);
		leaf->indexes[leaf->nindexes] = RelationGetRelid(index);
		leaf->infos[leaf->nindexes++] = BuildIndexInfo(index);
		index_close(index, NoLock);
	}
	MemoryContextSwitchTo(old);
}

/* The bound at an offset, where it is none the end of time there. */
static TimestampTz
bound_at(const PartitionBoundInfo bounds, int offset)
{
	if (offset < 0)
		return DT_NOBEGIN;
	if (offset >= bounds->ndatums)
		return DT_NOEND;
	switch (bounds->kind[offset][0])
	{
		case PARTITION_RANGE_DATUM_MINVALUE:
			return DT_NOBEGIN;
		case PARTITION_RANGE_DATUM_MAXVALUE:
			return DT_NOEND;
		default:
			return DatumGetTimestampTz(bounds->datums[offset][0]);
	}
}

/* The partition for a time, with what it is for. */
static void
find_partition(Leaf *leaf, TimestampTz at)
{
	Relation	trail = table_open(leaf->trail, AccessShareLock);
	PartitionKey key = RelationGetPartitionKey(trail);
	PartitionDesc parts = RelationGetPartitionDesc(trail, false);
	Datum		value = TimestampTzGetDatum(at);
	bool		is_equal;
	int			offset;
	int			part = -1;

	leaf->leaf = InvalidOid;
	if (parts->boundinfo != NULL)
	{
		offset = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, parts->boundinfo,
											   1, &value, &is_equal);
		part = parts->boundinfo->indexes[offset + 1];
		leaf->from = bound_at(parts->boundinfo, offset);
		leaf->until = bound_at(parts->boundinfo, offset + 1);
		if (part < 0)
			part = parts->boundinfo->default_index;
	}
	if (part >= 0)
		leaf->leaf = parts->oids[part];
	table_close(trail, NoLock);
	if (part < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the audit trail has no partition for now"),
				 errhint("Run SELECT chat_rbac.audit_maintain().")));
}

/*
 * The leaf for a time, opened under the lock of a writer; what is kept of it is
 * right then.  A lock lasts for the transaction, unless a subtransaction that
 * took it is rolled back.
 */
static Relation
open_leaf(TimestampTz at)
{
	Relation	rel;

	if (current.valid && at >= current.from && at < current.until &&
		current.locked_in == rbac_local_transaction() && current.locked_in_sub == GetCurrentSubTransactionId())
		return table_open(current.leaf, NoLock);
	current.locked_in = InvalidLocalTransactionId;
	for (;;)
	{
		while (!current.valid || !current.complete || at < current.from || at >= current.until)
		{
			current.complete = false;	/* until it is, whatever is raised in
										 * between */
			current.valid = true;	/* unless a message comes in between */
			current.trail = rbac_catalog_relation("audit_event");
			current.sequence = rbac_catalog_relation("audit_event_id_seq");
			current.owner = rbac_catalog_owner(current.trail);
			find_partition(&current, at);
			rel = table_open(current.leaf, RowExclusiveLock);
			learn_leaf(&current, rel);
			current.complete = true;
			if (current.valid)
				return rel;
			table_close(rel, NoLock);
		}
		rel = try_relation_open(current.leaf, RowExclusiveLock);
		for (int i = 0; i < current.nindexes && rel != NULL && current.valid; i++)
			LockRelationOid(current.indexes[i], RowExclusiveLock);
		if (rel != NULL && current.valid)
		{
			current.locked_in = rbac_local_transaction();
			current.locked_in_sub = GetCurrentSubTransactionId();
			return rel;
		}
		if (rel != NULL)
			relation_close(rel, NoLock);
		current.valid = false;
	}
}

/* ---- ids, salts, incarnation ---- */

static int64
next_event_id(void)
{
	static Oid	sequence = InvalidOid;
	static int64 next = 0;
	static int	left = 0;

	if (left == 0 || sequence != current.sequence)
	{
		next = nextval_internal(current.sequence, false);
		left = IDS_AT_ONCE;
		sequence = current.sequence;
	}
	left--;
	return next++;
}

/* A new salt, as a bytea in the current context. */
static Datum
make_salt(void)
{
	static uint8 pool[SALT_BYTES * SALTS_AT_ONCE];
	static int	left = 0;
	bytea	   *salt = palloc(VARHDRSZ + SALT_BYTES);

	if (left == 0)
	{
		if (!pg_strong_random(pool, sizeof(pool)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random bytes for the audit trail")));
		left = SALTS_AT_ONCE;
	}
	left--;
	SET_VARSIZE(salt, VARHDRSZ + SALT_BYTES);
	memcpy(VARDATA(salt), &pool[left * SALT_BYTES], SALT_BYTES);
	return PointerGetDatum(salt);
}

/* Which is this database, the latest where there are several; NULL if it has not begun. */
static RbacQuery find_incarnation = {
	"SELECT i.incarnation FROM chat_rbac.audit_incarnation i"
	" WHERE i.system_identifier OPERATOR(pg_catalog.=) $1 AND i.database OPERATOR(pg_catalog.=) $2"
	" ORDER BY i.began_at USING OPERATOR(pg_catalog.>) LIMIT 1",
	2, {INT8OID, OIDOID}, NULL
};

static RbacQuery begin_incarnation = {
	"INSERT INTO chat_rbac.audit_incarnation"
	" VALUES (pg_catalog.gen_random_uuid(), $1, $2, pg_catalog.clock_timestamp()) RETURNING incarnation",
	2, {INT8OID, OIDOID}, NULL
};

/* Look under a new snapshot: a REPEATABLE READ transaction must not begin a second one. */
static pg_uuid_t
find_or_begin(void)
{
	Datum		args[2] = {Int64GetDatum((int64) GetSystemIdentifier()), ObjectIdGetDatum(MyDatabaseId)};
	pg_uuid_t	result;
	bool		found = false;
	bool		isnull;

	for (int i = 0; i < 2 && !found; i++)
	{
		RbacCatalogScope scope;

		if (i == 1)
			LockRelationOid(rbac_catalog_relation("audit_incarnation"), ShareRowExclusiveLock);
		rbac_catalog_open(&scope);
		found = rbac_catalog_query(&scope, &find_incarnation, args, NULL) > 0 ||
			(i == 1 && rbac_catalog_execute(&begin_incarnation, args) > 0);
		if (found)
			result = *DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		rbac_catalog_close(&scope);
	}
	if (!found)
		elog(ERROR, "the incarnation of the audit trail could not begin");
	return result;
}

/*
 * The incarnation that this database is.  The first event of a copied or restored
 * database begins it, and that may be rolled back.  So it is asked for again until
 * two transactions were told the same, and before that by each subtransaction.
 */
static const pg_uuid_t *
incarnation(void)
{
	static pg_uuid_t known;
	static Oid	trail = InvalidOid;
	static LocalTransactionId told_in = InvalidLocalTransactionId;
	static SubTransactionId told_in_sub = InvalidSubTransactionId;
	static bool certain = false;
	pg_uuid_t	told;

	if (trail == current.trail &&
		(certain || (told_in == rbac_local_transaction() && told_in_sub == GetCurrentSubTransactionId())))
		return &known;
	told = find_or_begin();
	certain = trail == current.trail && told_in != rbac_local_transaction() && memcmp(&told, &known, sizeof(told)) == 0;
	known = told;
	trail = current.trail;
	told_in = rbac_local_transaction();
	told_in_sub = GetCurrentSubTransactionId();
	return &known;
}

/* The same, for SQL. */
void
rbac_trail_incarnation(pg_uuid_t *out)
{
	*out = find_or_begin();
}

/* ---- who ---- */

static Datum
text_or_null(const char *words)
{
	return words != NULL && *words != '\0' ? CStringGetTextDatum(words) : (Datum) 0;
}

/* The address of the client as an inet that lives as long as the session; 0 if it has none. */
static Datum
client_address(void)
{
	static bool known = false;
	static Datum address = (Datum) 0;

	if (!known)
	{
		LOCAL_FCINFO(fcinfo, 0);
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
		address = MyProcPort != NULL ? inet_client_addr(fcinfo) : (Datum) 0;
		MemoryContextSwitchTo(old);
		known = true;
	}
	return address;
}

/* The application; what a subscription applies is its own deed here. */
static const char *
by_application(void)
{
	if (IsLogicalWorker() && MySubscription != NULL)
		return psprintf("subscription %s", MySubscription->name);
	return application_name;
}

/*
 * rbac_trail_who
 *		Who acts and how, for the events of one command; grants are the member's
 *		or NULL.  In the current context.
 */
RbacTrailWho *
rbac_trail_who(const RbacGrants *grants)
{
	RbacTrailWho *who = palloc0(sizeof(RbacTrailWho));

	who->is_member = grants != NULL;
	if (who->is_member)
	{
		who->org = grants->org;
		who->member = grants->member;
		who->name = text_or_null(grants->member_name);
	}
	who->db_role = CStringGetTextDatum(GetUserNameFromId(GetOuterUserId(), true) ? : "");
	who->session_role = CStringGetTextDatum(GetUserNameFromId(GetAuthenticatedUserId(), true) ? : "");
	who->request_id = text_or_null(rbac_identity_request_id());
	who->reason = text_or_null(rbac_identity_reason());
	who->application_name = text_or_null(by_application());
	who->client_addr = client_address();
	return who;
}

/* ---- writing ---- */

static void
insert_directly(Relation leaf, Datum *values, bool *nulls)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(leaf), values, nulls);

	heap_insert(leaf, tuple, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < current.nindexes; i++)
	{
		Relation	index = index_open(current.indexes[i], NoLock);
		IndexInfo  *info = current.infos[i];
		Datum		index_values[INDEX_MAX_KEYS];
		bool		index_nulls[INDEX_MAX_KEYS];

		for (int k = 0; k < info->ii_NumIndexAttrs; k++)
		{
			int			at = info->ii_IndexAttrNumbers[k] - 1;

			index_values[k] = values[at];
			index_nulls[k] = nulls[at];
		}
		index_insert(index, index_values, index_nulls, &tuple->t_self, leaf, UNIQUE_CHECK_NO, false, info);
		index_close(index, NoLock);
	}
	heap_freetuple(tuple);
}

static SPIPlanPtr
prepare_insert(void)
{
	StringInfoData sql;
	Oid			types[NCOLUMNS];
	SPIPlanPtr	plan;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "INSERT INTO chat_rbac.audit_event (");
	for (int i = 0; i < NCOLUMNS; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", columns[i].name);
	appendStringInfoString(&sql, ") VALUES (");
	for (int i = 0; i < NCOLUMNS; i++)
	{
		appendStringInfo(&sql, "%s$%d", i > 0 ? ", " : "", i + 1);
		types[i] = columns[i].type;
	}
	appendStringInfoChar(&sql, ')');
	plan = SPI_prepare(sql.data, NCOLUMNS, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static void
insert_by_plan(Datum *values, const bool *nulls)
{
	char		blanks[NCOLUMNS + 1];
	Oid			save_user;
	int			save_context;
	int			rc;

	for (int i = 0; i < NCOLUMNS; i++)
		blanks[i] = nulls[i] ? 'n' : ' ';
	blanks[NCOLUMNS] = '\0';
	rbac_catalog_become(current.owner, &save_user, &save_context);
	SPI_connect();
	if (insert_plan == NULL)
		insert_plan = prepare_insert();
	rc = SPI_execute_plan(insert_plan, values, blanks, false, 0);
	if (rc != SPI_OK_INSERT || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("an event could not be written to the audit trail")));
	SPI_finish();
	SetUserIdAndSecContext(save_user, save_context);
}

/*
 * rbac_trail_write
 *		Writes an event and returns its id.
 */
int64
rbac_trail_write(const RbacTrailWho *who, const RbacEvent *event)
{
	TimestampTz now = GetCurrentTimestamp();
	Relation	leaf = open_leaf(now);
	int64		id = next_event_id();
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];

	/* by reference or text: 0 is null */
	values[COL_EVENT_ID] = Int64GetDatum(id);
	values[COL_AT] = TimestampTzGetDatum(now);
	values[COL_TRANSACTION_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[COL_XID] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	values[COL_ORG_ID] = Int64GetDatum(event->org);
	values[COL_ACTOR_ORG_ID] = Int64GetDatum(who->org);
	values[COL_ACTOR_ID] = Int64GetDatum(who->member);
	values[COL_INCARNATION] = UUIDPGetDatum(incarnation());
	values[COL_RELATION] = ObjectIdGetDatum(event->relation);
	values[COL_COMMAND] = Int32GetDatum(event->command);
	values[COL_DEPTH] = Int32GetDatum(event->depth);
	values[COL_OPERATION] = CStringGetTextDatum(event->operation);
	values[COL_ACTIONS] = event->actions;
	values[COL_TABLE_NAME] = event->table_name;
	values[COL_ROW_KEY] = event->row_key;
	values[COL_OLD] = event->old;
	values[COL_NEW] = event->new;
	values[COL_UNIT_KINDS] = event->unit_kinds;
	values[COL_UNIT_KEYS] = event->unit_keys;
	values[COL_ACTOR_NAME] = who->name;
	values[COL_DB_ROLE] = who->db_role;
	values[COL_SESSION_ROLE] = who->session_role;
	values[COL_REQUEST_ID] = who->request_id;
	values[COL_REASON] = event->reason != (Datum) 0 ? event->reason : who->reason;
	values[COL_APPLICATION_NAME] = who->application_name;
	values[COL_CLIENT_ADDR] = who->client_addr;
	values[COL_SALT] = make_salt();
	values[COL_REDACTION] = (Datum) 0;
	memset(nulls, false, sizeof(nulls));
	nulls[COL_ORG_ID] = !event->has_org;
	nulls[COL_ACTOR_ORG_ID] = nulls[COL_ACTOR_ID] = !who->is_member;
	nulls[COL_RELATION] = !OidIsValid(event->relation);
	for (int i = COL_OPERATION; i < NCOLUMNS; i++)
		nulls[i] = values[i] == (Datum) 0;

	if (current.plain)
		insert_directly(leaf, values, nulls);
	else
		insert_by_plan(values, nulls);
	table_close(leaf, NoLock);
	return id;
}

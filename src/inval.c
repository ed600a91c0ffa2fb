/*-------------------------------------------------------------------------
 *
 * src/inval.c
 *	  When cached answers are stale.
 *
 * A change to any RBAC table sends a relcache invalidation for one empty
 * table, chat_rbac.cache_proxy.  PostgreSQL then does the hard part: the
 * message is sent at commit, rolled back with a savepoint, seen at once by the
 * transaction that made the change, and carried to standbys by the commit
 * record.  The callback bumps counters and touches nothing else: it may run
 * during abort, before the first build, or after DROP EXTENSION.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "storage/sinval.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

uint64		rbac_inval_generation = 1;
uint64		rbac_inval_epoch = 1;
uint64		rbac_inval_keys = 1;

/* The tables to watch; InvalidOid while unknown, and then any message counts. */
static Oid	proxy_oid = InvalidOid;
static Oid	keys_oid = InvalidOid;

PG_FUNCTION_INFO_V1(chat_rbac_invalidate);

static void
note_relcache_inval(Datum arg, Oid relid)
{
	(void) arg;
	if (relid == InvalidOid || relid == proxy_oid || proxy_oid == InvalidOid)
	{
		rbac_inval_generation++;
		rbac_inval_epoch++;
		proxy_oid = InvalidOid; /* it may have been dropped: look again */
	}
	if (relid == InvalidOid || relid == keys_oid || keys_oid == InvalidOid)
	{
		rbac_inval_keys++;
		rbac_inval_epoch++;
		keys_oid = InvalidOid;
	}
}

void
rbac_inval_init(void)
{
	CacheRegisterRelcacheCallback(note_relcache_inval, (Datum) 0);
}

/* The proxy table's oid, as of the build that is beginning. */
void
rbac_inval_watch(Oid proxy)
{
	proxy_oid = proxy;
}

/* The same of the table of signing keys, whose changes concern tokens and no grants. */
void
rbac_inval_watch_keys(Oid keys)
{
	keys_oid = keys;
}

/*
 * rbac_inval_accept
 *		Take the messages that wait, and return the generation of what a
 *		snapshot taken from now on will see, or a later one's predecessor.
 *
 * A statement that already holds its locks takes no messages by itself.
 */
uint64
rbac_inval_accept(void)
{
	AcceptInvalidationMessages();
	return rbac_inval_generation;
}

/* A table whose specification changes is told so itself, for protection.c. */
static void
note_specification(const TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	bool		isnull;
	Datum		relid;

	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		strcmp(RelationGetRelationName(rel), "protection") != 0)
		return;
	relid = heap_getattr(trigdata->tg_trigtuple, SPI_fnumber(RelationGetDescr(rel), "relation"),
						 RelationGetDescr(rel), &isnull);
	if (!isnull && SearchSysCacheExists1(RELOID, relid))
		CacheInvalidateRelcacheByRelid(DatumGetObjectId(relid));
}

/*
 * chat_rbac.invalidate() trigger
 *		AFTER INSERT OR UPDATE OR DELETE (row) and TRUNCATE (statement) on every
 *		RBAC table, ENABLE ALWAYS.
 */
Datum
chat_rbac_invalidate(PG_FUNCTION_ARGS)
{
	Oid			schema;
	Oid			proxy;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager", "chat_rbac.invalidate")));

	schema = get_namespace_oid(RBAC_SCHEMA, false);
	proxy = get_relname_relid("cache_proxy", schema);
	if (!OidIsValid(proxy))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"chat_rbac.cache_proxy\" does not exist"),
				 errhint("The extension is damaged: drop and create it again, or restore the table.")));
	if (strcmp(RelationGetRelationName(((TriggerData *) fcinfo->context)->tg_relation), "signing_key") == 0)
		CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	else
		CacheInvalidateRelcacheByRelid(proxy);
	note_specification((TriggerData *) fcinfo->context);
	return PointerGetDatum(NULL);
}

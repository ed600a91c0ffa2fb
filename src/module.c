/*-------------------------------------------------------------------------
 *
 * src/module.c
 *	  Loading the library: settings, callbacks and hooks, and nothing else.
 *
 * A library that loads late still denies by default: an identity that was set
 * before, by somebody without the right to, is dropped when the setting is
 * defined, and the prefix is reserved so that a misspelt one is an error.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "utils/guc.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	rbac_identity_init();
	rbac_token_init();
	rbac_grants_init();
	rbac_inval_init();
	rbac_protection_init();
	rbac_trail_init();
	rbac_refusal_init();
	rbac_reads_init();
	rbac_execution_init();
	MarkGUCPrefixReserved("chat_rbac");
}

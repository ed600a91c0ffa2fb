/*-------------------------------------------------------------------------
 *
 * src/activation.h
 *	  Roles that may not be active together; see activation.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CHAT_RBAC_ACTIVATION_H
#define CHAT_RBAC_ACTIVATION_H

/* A dynamic separation of duty. */
typedef struct RbacSeparation
{
	char	   *name;
	int			cardinality;	/* so many roles are too many */
	int			nroles;
	int64	   *roles;
} RbacSeparation;

extern RbacSeparation *rbac_activation_load(const RbacCatalogScope *scope, int64 org, int *nsets);
extern bool rbac_activation_has(const RbacSeparation *set, int64 role_id);

#endif							/* CHAT_RBAC_ACTIVATION_H */

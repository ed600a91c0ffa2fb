/*-------------------------------------------------------------------------
 *
 * src/activation.c
 *	  Dynamic separation of duty: which roles may be active together.
 *
 * A dynamic separation of cardinality n is violated when n of its roles,
 * inherited ones counted, are active in one session.  compile.c asks for the
 * sets where an org has any, and decides what becomes of the roles.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"
#include "activation.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

static RbacQuery dynamic_separations = {
	"SELECT s.name, s.cardinality::pg_catalog.int8,"
	" ARRAY(SELECT r.role_id FROM chat_rbac.separation_role r"
	"  WHERE r.org_id OPERATOR(pg_catalog.=) $1 AND r.separation_id OPERATOR(pg_catalog.=) s.separation_id)"
	" FROM chat_rbac.separation s WHERE s.org_id OPERATOR(pg_catalog.=) $1 AND s.kind OPERATOR(pg_catalog.=) 'dynamic'"
	" ORDER BY s.separation_id USING OPERATOR(pg_catalog.<)",
	1, {INT8OID}, NULL
};

/* The dynamic separations of an org, in the current context. */
RbacSeparation *
rbac_activation_load(const RbacCatalogScope *scope, int64 org, int *nsets)
{
	Datum		arg = Int64GetDatum(org);
	uint64		rows = rbac_catalog_query(scope, &dynamic_separations, &arg, NULL);
	RbacSeparation *sets = palloc(sizeof(RbacSeparation) * Max(rows, 1));

	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;
		Datum		roles = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, &isnull);
		Datum	   *values;

		sets[i].name = rbac_catalog_text(i, 1);
		sets[i].cardinality = (int) rbac_catalog_int64(i, 2, NULL);
		deconstruct_array(DatumGetArrayTypeP(roles), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, &values, NULL, &sets[i].nroles);
		sets[i].roles = palloc(sizeof(int64) * Max(sets[i].nroles, 1));
		for (int r = 0; r < sets[i].nroles; r++)
			sets[i].roles[r] = DatumGetInt64(values[r]);
	}
	*nsets = (int) rows;
	return sets;
}

/* Is it one of the separation's roles? */
bool
rbac_activation_has(const RbacSeparation *set, int64 role_id)
{
	for (int r = 0; r < set->nroles; r++)
	{
		if (set->roles[r] == role_id)
			return true;
	}
	return false;
}

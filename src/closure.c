/*-------------------------------------------------------------------------
 *
 * src/closure.c
 *	  What a role has by inheritance: reachability in the role graph.
 *
 * The graph is small (the roles that one member can reach), comes as an
 * array of edges between node numbers, and may contain a cycle: the model
 * refuses cycles, but a damaged table must not hang a backend.
 *
 *-------------------------------------------------------------------------
 */
#include "pure.h"

/*
 * rbac_closure_mark
 *		Set reached[i] for root and every node below it.  The caller clears
 *		reached (or leaves earlier marks to get a union).
 */
void
rbac_closure_mark(const RbacEdge *edges, int nedges, int root, int nnodes,
				  bool *reached)
{
	bool		grew = true;

	if (root < 0 || root >= nnodes)
		return;
	reached[root] = true;

	/* Passes over the edges: as many as the hierarchy is deep, and no stack. */
	while (grew)
	{
		grew = false;
		for (int i = 0; i < nedges; i++)
		{
			if (reached[edges[i].senior] && !reached[edges[i].junior])
			{
				reached[edges[i].junior] = true;
				grew = true;
			}
		}
	}
}

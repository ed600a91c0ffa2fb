/*-------------------------------------------------------------------------
 *
 * src/permset_io.c
 *	  The SQL type permset: thin wrappers around permset.c.
 *
 * A value is a varlena of the packed, canonical form.  The binary form is a
 * version byte, the number of elements, and each element's length and text.
 * Every value is made by rbac_permset_make, which puts it into canonical form,
 * so input may be unsorted and redundant.  At most RBAC_PERMSET_MAX elements.
 *
 * Comparison, hash and cover functions are total, as in permission_io.c.  The
 * other ones raise 22P02 or 22P03 for bad input, 54000 for too many elements
 * and XX001 for corrupt stored bytes; results live in the current context.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define SPACES			" \t\n\r\f\v"

static void
reject_too_many(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a permission set cannot have more than %d elements", RBAC_PERMSET_MAX)));
}

static void
reject_text(const char *text, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					"permset", rbac_permission_clip(text, strlen(text))),
			 errdetail_internal("%s", detail)));
}

/*
 * A new SQL value of the items, which are put into canonical order in place
 * and may be given in any.
 */
struct varlena *
rbac_permset_make(RbacPermission *items, int nitems)
{
	struct varlena *result;
	size_t		size;

	nitems = rbac_permset_canonicalise(items, nitems);
	if (nitems > RBAC_PERMSET_MAX)
		reject_too_many();
	size = VARHDRSZ + rbac_permset_packed_size(items, nitems);
	result = palloc(size);
	SET_VARSIZE(result, size);
	rbac_permset_pack(items, nitems, VARDATA(result));
	return result;
}

static RbacPermission *
allocate_items(size_t nitems)
{
	return palloc(nitems * sizeof(RbacPermission));
}

/* Room enough for a set's elements: the shortest takes four bytes, "a.b". */
static size_t
items_capacity(const RbacPermset *set)
{
	return set->size / 4;
}

/* A walk that ended at pos must have seen all of the set. */
static void
require_end(const RbacPermset *set, size_t pos)
{
	if (pos != set->size)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored permission set is corrupt")));
}

/* Views a set's elements in items; returns how many. */
static int
unpack(const RbacPermset *set, RbacPermission *items)
{
	size_t		pos = 0;
	int			nitems = 0;

	while (rbac_permset_next(set, &pos, &items[nitems]))
		nitems++;
	require_end(set, pos);
	return nitems;
}

/* Views argument argno's elements, in an array with room for extra more. */
static int
unpack_argument(FunctionCallInfo fcinfo, int argno, size_t extra, RbacPermission **items)
{
	RbacPermset set;

	rbac_permset_view(PG_GETARG_VARLENA_PP(argno), &set);
	*items = allocate_items(items_capacity(&set) + extra + 1);
	return unpack(&set, *items);
}

/* ---- text and binary form ---- */

/* An upper bound for the elements of a text; raises when that is too many. */
static int
count_elements(const char *input)
{
	int			count = 1;

	while ((input = strchr(input, ',')) != NULL)
	{
		if (++count > RBAC_PERMSET_MAX)
			reject_too_many();
		input++;
	}
	return count;
}

/*
 * Reads "element, element ... }" from *scan, which ends up behind the brace.
 * input is the whole text, for messages.  Returns how many there were.
 */
static int
scan_elements(const char *input, const char **scan, RbacPermission *items)
{
	const char *at = *scan;
	int			nitems = 0;

	for (;;)
	{
		size_t		len = strcspn(at, SPACES ",}");

		if (len > 0)
			rbac_permission_from_text(at, len, &items[nitems++]);
		else if (*at != '\0')
			reject_text(input, "An element is empty.");
		at += len;
		at += strspn(at, SPACES);
		if (*at == '}')
			break;
		if (*at == '\0')
			reject_text(input, "The closing brace is missing.");
		if (*at != ',')
			reject_text(input, "Elements must be separated by commas.");
		at++;
		at += strspn(at, SPACES);
	}
	*scan = at + 1;
	return nitems;
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_in);
Datum
chat_rbac_permset_in(PG_FUNCTION_ARGS)
{
	const char *input = PG_GETARG_CSTRING(0);
	const char *at = input + strspn(input, SPACES);
	RbacPermission *items;
	int			nitems = 0;

	if (*at != '{')
		reject_text(input, "A permission set is written {resource.action, resource.action@relation, ...}.");
	at++;
	at += strspn(at, SPACES);
	items = allocate_items((size_t) count_elements(at));
	if (*at == '}')
		at++;
	else
		nitems = scan_elements(input, &at, items);
	at += strspn(at, SPACES);
	if (*at != '\0')
		reject_text(input, "Something follows the closing brace.");
	PG_RETURN_POINTER(rbac_permset_make(items, nitems));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_out);
Datum
chat_rbac_permset_out(PG_FUNCTION_ARGS)
{
	RbacPermission *items;
	int			nitems = unpack_argument(fcinfo, 0, 0, &items);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	for (int i = 0; i < nitems; i++)
	{
		if (i > 0)
			appendStringInfoChar(&text, ',');
		appendBinaryStringInfo(&text, items[i].text, items[i].len);
	}
	appendStringInfoChar(&text, '}');
	PG_RETURN_CSTRING(text.data);
}

/* Reads a number; the caller says which values make sense. */
static int32
recv_int32(StringInfo message)
{
	rbac_permission_recv_require(message, sizeof(int32), "permset");
	return (int32) pq_getmsgint(message, sizeof(int32));
}

static void
recv_element(StringInfo message, RbacPermission *out)
{
	int32		len = recv_int32(message);

	if (len < 0 || len > RBAC_PERMISSION_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid length %d of a permission in binary form", len)));
	rbac_permission_recv_require(message, (size_t) len, "permset");
	rbac_permission_from_bytes(pq_getmsgbytes(message, len), (size_t) len, out);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_recv);
Datum
chat_rbac_permset_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	RbacPermission *items;
	int32		count;

	rbac_permission_recv_version(message, "permset");
	count = recv_int32(message);
	if (count < 0 || count > RBAC_PERMSET_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid number of elements in the binary form of type %s: %d",
						"permset", count),
				 errdetail("A permission set has 0 to %d elements.", RBAC_PERMSET_MAX)));
	rbac_permission_recv_require(message, (size_t) count * sizeof(int32), "permset");
	items = allocate_items((size_t) count);
	for (int i = 0; i < count; i++)
		recv_element(message, &items[i]);
	if (message->cursor != message->len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("bytes follow the last element in the binary form of type %s", "permset")));
	PG_RETURN_POINTER(rbac_permset_make(items, count));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_send);
Datum
chat_rbac_permset_send(PG_FUNCTION_ARGS)
{
	RbacPermission *items;
	int			nitems = unpack_argument(fcinfo, 0, 0, &items);
	StringInfoData message;

	pq_begintypsend(&message);
	rbac_permission_send_version(&message);
	pq_sendint32(&message, (uint32) nitems);
	for (int i = 0; i < nitems; i++)
	{
		pq_sendint32(&message, items[i].len);
		pq_sendbytes(&message, items[i].text, items[i].len);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* ---- comparison ---- */

static int
compare_arguments(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	RbacPermset p;
	RbacPermset q;
	int			cmp;

	rbac_permset_view(a, &p);
	rbac_permset_view(b, &q);
	cmp = rbac_permset_compare(&p, &q);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return cmp;
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_eq);
Datum
chat_rbac_permset_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_ne);
Datum
chat_rbac_permset_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_lt);
Datum
chat_rbac_permset_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_le);
Datum
chat_rbac_permset_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_gt);
Datum
chat_rbac_permset_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_ge);
Datum
chat_rbac_permset_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_cmp);
Datum
chat_rbac_permset_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_hash);
Datum
chat_rbac_permset_hash(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any((const unsigned char *) VARDATA_ANY(value),
								(int) VARSIZE_ANY_EXHDR(value));

	PG_FREE_IF_COPY(value, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_hash_extended);
Datum
chat_rbac_permset_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	Datum		hash = hash_any_extended((const unsigned char *) VARDATA_ANY(value),
										 (int) VARSIZE_ANY_EXHDR(value),
										 (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(value, 0);
	return hash;
}

/* ---- what a set allows ---- */

static bool
contains_arguments(FunctionCallInfo fcinfo, int wide, int narrow)
{
	RbacPermset a;
	RbacPermset b;

	rbac_permset_view(PG_GETARG_VARLENA_PP(wide), &a);
	rbac_permset_view(PG_GETARG_VARLENA_PP(narrow), &b);
	return rbac_permset_contains(&a, &b);
}

static bool
covers_arguments(FunctionCallInfo fcinfo, int wide, int narrow)
{
	RbacPermset set;
	RbacPermission p;

	rbac_permset_view(PG_GETARG_VARLENA_PP(wide), &set);
	return rbac_permission_view(PG_GETARG_VARLENA_PP(narrow), &p) &&
		rbac_permset_covers(&set, &p);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_contains);
Datum
chat_rbac_permset_contains(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(contains_arguments(fcinfo, 0, 1));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_contained);
Datum
chat_rbac_permset_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(contains_arguments(fcinfo, 1, 0));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_covers);
Datum
chat_rbac_permset_covers(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(covers_arguments(fcinfo, 0, 1));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_covered);
Datum
chat_rbac_permset_covered(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(covers_arguments(fcinfo, 1, 0));
}

/* ---- sets from sets ---- */

PG_FUNCTION_INFO_V1(chat_rbac_permset_union);
Datum
chat_rbac_permset_union(PG_FUNCTION_ARGS)
{
	RbacPermset other;
	RbacPermission *items;
	int			nitems;

	rbac_permset_view(PG_GETARG_VARLENA_PP(1), &other);
	nitems = unpack_argument(fcinfo, 0, items_capacity(&other), &items);
	nitems += unpack(&other, items + nitems);
	PG_RETURN_POINTER(rbac_permset_make(items, nitems));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_add);
Datum
chat_rbac_permset_add(PG_FUNCTION_ARGS)
{
	RbacPermission *items;
	int			nitems = unpack_argument(fcinfo, 0, 1, &items);

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(1), &items[nitems]);
	PG_RETURN_POINTER(rbac_permset_make(items, nitems + 1));
}

/*
 * What is left allows nothing that p covers.  Where an element reaches beyond
 * p there is no set that says so, and 22023 is raised.
 */
PG_FUNCTION_INFO_V1(chat_rbac_permset_remove);
Datum
chat_rbac_permset_remove(PG_FUNCTION_ARGS)
{
	RbacPermission *items;
	int			nitems = unpack_argument(fcinfo, 0, 0, &items);
	RbacPermission p;
	int			kept = 0;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(1), &p);
	for (int i = 0; i < nitems; i++)
	{
		if (rbac_permission_covers(&p, &items[i]))
			continue;
		if (rbac_permission_overlaps(&p, &items[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cannot remove \"%.*s\" from a permission set that holds \"%.*s\"",
							(int) p.len, p.text, (int) items[i].len, items[i].text),
					 errhint("Remove \"%.*s\", and add what is to remain of it.",
							 (int) items[i].len, items[i].text)));
		items[kept++] = items[i];
	}
	PG_RETURN_POINTER(rbac_permset_make(items, kept));
}

/* ---- other types ---- */

PG_FUNCTION_INFO_V1(chat_rbac_permission_to_permset);
Datum
chat_rbac_permission_to_permset(PG_FUNCTION_ARGS)
{
	RbacPermission item;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &item);
	PG_RETURN_POINTER(rbac_permset_make(&item, 1));
}

PG_FUNCTION_INFO_V1(chat_rbac_array_to_permset);
Datum
chat_rbac_array_to_permset(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	RbacPermission *items;
	Datum	   *texts;
	int			ntexts;

	if (ARR_ELEMTYPE(array) != TEXTOID)
		elog(ERROR, "array is not of type text[]");
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of permissions must be one-dimensional")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array of permissions must not contain nulls")));
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > RBAC_PERMSET_MAX)
		reject_too_many();
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &ntexts);
	items = allocate_items((size_t) ntexts);
	for (int i = 0; i < ntexts; i++)
	{
		struct varlena *text = (struct varlena *) DatumGetPointer(texts[i]);

		rbac_permission_from_text(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), &items[i]);
	}
	PG_RETURN_POINTER(rbac_permset_make(items, ntexts));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_to_array);
Datum
chat_rbac_permset_to_array(PG_FUNCTION_ARGS)
{
	RbacPermission *items;
	int			nitems = unpack_argument(fcinfo, 0, 0, &items);
	Datum	   *texts = palloc((size_t) nitems * sizeof(Datum));

	for (int i = 0; i < nitems; i++)
		texts[i] = PointerGetDatum(rbac_permission_make(&items[i]));
	PG_RETURN_ARRAYTYPE_P(construct_array(texts, nitems, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A walk over a set: both live until the last row. */
typedef struct Walk
{
	RbacPermset set;
	size_t		pos;
} Walk;

PG_FUNCTION_INFO_V1(chat_rbac_unnest);
Datum
chat_rbac_unnest(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	RbacPermission item;
	Walk	   *walk;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		walk = palloc0(sizeof(Walk));
		rbac_permset_view((struct varlena *) PG_GETARG_TEXT_P_COPY(0), &walk->set);
		call->user_fctx = walk;
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	walk = call->user_fctx;
	if (rbac_permset_next(&walk->set, &walk->pos, &item))
		SRF_RETURN_NEXT(call, PointerGetDatum(rbac_permission_make(&item)));
	require_end(&walk->set, walk->pos);
	SRF_RETURN_DONE(call);
}

/* ---- permset_agg ---- */

/*
 * Packed elements as they came, with repetitions; put into canonical form
 * whenever they outgrow limit, so memory follows the result and not the rows.
 * Lives in the aggregate's context.
 */
typedef struct Collection
{
	StringInfoData packed;
	size_t		limit;
} Collection;

#define AGG_LIMIT	8192

static Collection *
agg_create(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Collection *state = palloc(sizeof(Collection));

	initStringInfo(&state->packed);
	state->limit = AGG_LIMIT;
	MemoryContextSwitchTo(old);
	return state;
}

/* The canonical form of what was collected; the state stays as it is. */
static struct varlena *
agg_result(const Collection *state)
{
	RbacPermset set = {state->packed.data, (size_t) state->packed.len};
	RbacPermission *items = allocate_items(items_capacity(&set) + 1);
	struct varlena *result = rbac_permset_make(items, unpack(&set, items));

	pfree(items);
	return result;
}

/* Adds packed elements, in any order. */
static void
agg_collect(Collection *state, const char *packed, size_t size)
{
	struct varlena *compact;

	appendBinaryStringInfo(&state->packed, packed, (int) size);
	if ((size_t) state->packed.len <= state->limit)
		return;
	compact = agg_result(state);
	resetStringInfo(&state->packed);
	appendBinaryStringInfo(&state->packed, VARDATA(compact), (int) (VARSIZE(compact) - VARHDRSZ));
	state->limit = Max(AGG_LIMIT, 2 * (size_t) state->packed.len);
	pfree(compact);
}

/* The state to collect into; NULL while all inputs were null, and still are. */
static Collection *
agg_state(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	if (!PG_ARGISNULL(0))
		return (Collection *) PG_GETARG_POINTER(0);
	return PG_ARGISNULL(1) ? NULL : agg_create(context);
}

#define RETURN_AGG_STATE(state) \
	do { \
		if ((state) == NULL) \
			PG_RETURN_NULL(); \
		PG_RETURN_POINTER(state); \
	} while (0)

PG_FUNCTION_INFO_V1(chat_rbac_permset_agg_permission);
Datum
chat_rbac_permset_agg_permission(PG_FUNCTION_ARGS)
{
	Collection *state = agg_state(fcinfo);
	char		packed[1 + RBAC_PERMISSION_MAX];
	RbacPermission item;

	if (!PG_ARGISNULL(1))
	{
		rbac_permission_view_checked(PG_GETARG_VARLENA_PP(1), &item);
		rbac_permset_pack(&item, 1, packed);
		agg_collect(state, packed, 1 + item.len);
	}
	RETURN_AGG_STATE(state);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_agg_permset);
Datum
chat_rbac_permset_agg_permset(PG_FUNCTION_ARGS)
{
	Collection *state = agg_state(fcinfo);
	RbacPermset set;

	if (!PG_ARGISNULL(1))
	{
		rbac_permset_view(PG_GETARG_VARLENA_PP(1), &set);
		agg_collect(state, set.data, set.size);
	}
	RETURN_AGG_STATE(state);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_agg_combine);
Datum
chat_rbac_permset_agg_combine(PG_FUNCTION_ARGS)
{
	Collection *state = agg_state(fcinfo);

	if (!PG_ARGISNULL(1))
	{
		Collection *other = (Collection *) PG_GETARG_POINTER(1);

		agg_collect(state, other->packed.data, (size_t) other->packed.len);
	}
	RETURN_AGG_STATE(state);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_agg_serial);
Datum
chat_rbac_permset_agg_serial(PG_FUNCTION_ARGS)
{
	Collection *state = (Collection *) PG_GETARG_POINTER(0);

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");
	PG_RETURN_BYTEA_P(agg_result(state));
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_agg_deserial);
Datum
chat_rbac_permset_agg_deserial(PG_FUNCTION_ARGS)
{
	RbacPermset set;
	Collection *state;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");
	rbac_permset_view(PG_GETARG_VARLENA_PP(0), &set);
	state = agg_create(CurrentMemoryContext);
	agg_collect(state, set.data, set.size);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(chat_rbac_permset_agg_final);
Datum
chat_rbac_permset_agg_final(PG_FUNCTION_ARGS)
{
	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");
	PG_RETURN_POINTER(agg_result((Collection *) PG_GETARG_POINTER(0)));
}

/*-------------------------------------------------------------------------
 *
 * src/permission_io.c
 *	  The SQL type permission: thin wrappers around permission.c.
 *
 * A value is a varlena of the canonical text.  The binary form is a version
 * byte and the same text.  Text, binary and array input all go through
 * rbac_permission_parse, so none is laxer than another.
 *
 * Comparison, hash and cover functions are total: they raise, log and allocate
 * nothing but the copy of a toasted argument.  Hence they are LEAKPROOF.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#define BINARY_VERSION	1
#define ECHO_MAX		64		/* bytes of refused input in a message */

/* A copy of refused input that is fit for a message: bounded, characters whole. */
char *
rbac_permission_clip(const char *text, size_t len)
{
	int			keep;

	if (len <= ECHO_MAX)
		return pnstrdup(text, len);
	keep = pg_mbcliplen(text, (int) Min(len, INT_MAX), ECHO_MAX);
	return psprintf("%.*s...", keep, text);
}

/* The lower-case spelling of text when that would be a permission, else NULL. */
static char *
suggest_lower_case(const char *text, size_t len)
{
	RbacPermission ignored;
	char	   *lower;

	if (len > RBAC_PERMISSION_MAX)
		return NULL;
	lower = pnstrdup(text, len);
	for (char *c = lower; *c; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return rbac_permission_parse(lower, strlen(lower), &ignored) == NULL ? lower : NULL;
}

/*
 * Views text in the server's encoding as a permission.  *out lives as long as
 * text.  Raises 22P02 when it is none.
 */
void
rbac_permission_from_text(const char *text, size_t len, RbacPermission *out)
{
	const char *error = rbac_permission_parse(text, len, out);
	char	   *suggestion;

	if (likely(error == NULL))
		return;
	suggestion = suggest_lower_case(text, len);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					"permission", rbac_permission_clip(text, len)),
			 errdetail_internal("%s", error),
			 suggestion ? errhint("Permissions are lower case: \"%s\".", suggestion) : 0));
}

/*
 * Views bytes of a message, in no particular encoding, as a permission.  *out
 * lives as long as they do.  Raises 22P03, without an echo, when it is none.
 */
void
rbac_permission_from_bytes(const char *bytes, size_t len, RbacPermission *out)
{
	const char *error = rbac_permission_parse(bytes, len, out);

	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid permission in binary form"),
				 errdetail_internal("%s", error)));
}

/* Raises 22P03 unless the message goes on for len bytes. */
void
rbac_permission_recv_require(StringInfo message, size_t len, const char *type)
{
	if (len > (size_t) (message->len - message->cursor))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("binary form of type %s ends too early", type)));
}

/* Reads the version byte of the binary form. */
void
rbac_permission_recv_version(StringInfo message, const char *type)
{
	int			version;

	rbac_permission_recv_require(message, 1, type);
	version = pq_getmsgbyte(message);
	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of the binary form of type %s", version, type),
				 errdetail("This server reads version %d.", BINARY_VERSION)));
}

void
rbac_permission_send_version(StringInfo message)
{
	pq_sendbyte(message, BINARY_VERSION);
}

/* A new SQL value in the current memory context. */
struct varlena *
rbac_permission_make(const RbacPermission *p)
{
	return (struct varlena *) cstring_to_text_with_len(p->text, p->len);
}

/*
 * Views a detoasted value, short header or not; *out lives as long as it does.
 * False, raising nothing, when the stored bytes are corrupt: whoever decides
 * then says no.
 */
bool
rbac_permission_view(const struct varlena *value, RbacPermission *out)
{
	size_t		len = VARSIZE_ANY_EXHDR(value);

	return rbac_permission_parse(VARDATA_ANY(value), len, out) == NULL && out->len == len;
}

/* The same for functions that may fail. */
void
rbac_permission_view_checked(const struct varlena *value, RbacPermission *out)
{
	if (!rbac_permission_view(value, out))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored permission is corrupt")));
}

/* As much of a view as rbac_permission_compare reads, of any bytes at all. */
static RbacPermission
view_bytes(const struct varlena *value)
{
	RbacPermission p = {0};

	p.text = VARDATA_ANY(value);
	p.len = (uint8) Min(VARSIZE_ANY_EXHDR(value), UINT8_MAX);
	return p;
}

static int
compare_arguments(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	RbacPermission p = view_bytes(a);
	RbacPermission q = view_bytes(b);
	int			cmp = rbac_permission_compare(&p, &q);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return cmp;
}

static bool
covers_arguments(FunctionCallInfo fcinfo, int wide, int narrow)
{
	RbacPermission p;
	RbacPermission q;

	return rbac_permission_view(PG_GETARG_VARLENA_PP(wide), &p) &&
		rbac_permission_view(PG_GETARG_VARLENA_PP(narrow), &q) &&
		rbac_permission_covers(&p, &q);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_in);
Datum
chat_rbac_permission_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	RbacPermission p;

	rbac_permission_from_text(text, strlen(text), &p);
	PG_RETURN_POINTER(rbac_permission_make(&p));
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_out);
Datum
chat_rbac_permission_out(PG_FUNCTION_ARGS)
{
	RbacPermission p;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &p);
	PG_RETURN_CSTRING(pnstrdup(p.text, p.len));
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_recv);
Datum
chat_rbac_permission_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	RbacPermission p;
	int			len;

	rbac_permission_recv_version(message, "permission");
	len = message->len - message->cursor;
	rbac_permission_from_bytes(pq_getmsgbytes(message, len), (size_t) len, &p);
	PG_RETURN_POINTER(rbac_permission_make(&p));
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_send);
Datum
chat_rbac_permission_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;
	RbacPermission p;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &p);
	pq_begintypsend(&message);
	rbac_permission_send_version(&message);
	pq_sendbytes(&message, p.text, p.len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_eq);
Datum
chat_rbac_permission_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) == 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_ne);
Datum
chat_rbac_permission_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) != 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_lt);
Datum
chat_rbac_permission_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) < 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_le);
Datum
chat_rbac_permission_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_gt);
Datum
chat_rbac_permission_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) > 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_ge);
Datum
chat_rbac_permission_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0);
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_cmp);
Datum
chat_rbac_permission_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_hash);
Datum
chat_rbac_permission_hash(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	RbacPermission p = view_bytes(value);
	Datum		hash = hash_any((const unsigned char *) p.text, p.len);

	PG_FREE_IF_COPY(value, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_hash_extended);
Datum
chat_rbac_permission_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	RbacPermission p = view_bytes(value);
	Datum		hash = hash_any_extended((const unsigned char *) p.text, p.len,
										 (uint64) PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(value, 0);
	return hash;
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_covers);
Datum
chat_rbac_permission_covers(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(covers_arguments(fcinfo, 0, 1));
}

PG_FUNCTION_INFO_V1(chat_rbac_permission_covered);
Datum
chat_rbac_permission_covered(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(covers_arguments(fcinfo, 1, 0));
}

PG_FUNCTION_INFO_V1(chat_rbac_resource);
Datum
chat_rbac_resource(PG_FUNCTION_ARGS)
{
	RbacPermission p;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &p);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(p.text, p.resource_len));
}

PG_FUNCTION_INFO_V1(chat_rbac_action);
Datum
chat_rbac_action(PG_FUNCTION_ARGS)
{
	RbacPermission p;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &p);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(&p.text[p.resource_len + 1], p.action_len));
}

PG_FUNCTION_INFO_V1(chat_rbac_relation);
Datum
chat_rbac_relation(PG_FUNCTION_ARGS)
{
	RbacPermission p;

	rbac_permission_view_checked(PG_GETARG_VARLENA_PP(0), &p);
	if (p.relation_len == 0)
		PG_RETURN_TEXT_P(cstring_to_text("all"));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(&p.text[p.len - p.relation_len], p.relation_len));
}

/*-------------------------------------------------------------------------
 *
 * src/leaf.c
 *	  The trail's canonical bytes, and the hashes of them.
 *
 * doc/audit-trail-format.md describes the bytes.  Nothing but the columns goes
 * into them: no setting, no oid, no encoding of the server's.  The values that
 * rows had go in as commitments only, so that they can be taken out of an event
 * later without a change to its leaf.
 *
 * Every event has a leaf, also one that somebody has meddled with: it is not
 * the one that was sealed.  Results live in the current memory context.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include <sys/socket.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(chat_rbac_audit_bytes);
PG_FUNCTION_INFO_V1(chat_rbac_audit_leaf);
PG_FUNCTION_INFO_V1(chat_rbac_audit_openings);
PG_FUNCTION_INFO_V1(chat_rbac_audit_redaction);
PG_FUNCTION_INFO_V1(chat_rbac_audit_header);
PG_FUNCTION_INFO_V1(chat_rbac_audit_block_hash);

#define FORMAT_VERSION	1

/* ---- canonical bytes: a field is its type, its length and its contents ---- */

static void
put_uint32(StringInfo out, uint32 value)
{
	value = pg_hton32(value);
	appendBinaryStringInfo(out, (char *) &value, sizeof(value));
}

static void
put_uint64(StringInfo out, uint64 value)
{
	value = pg_hton64(value);
	appendBinaryStringInfo(out, (char *) &value, sizeof(value));
}

/* A field whose contents are there already, or come next. */
static void
put_field(StringInfo out, char type, const void *contents, size_t len)
{
	appendStringInfoChar(out, type);
	put_uint32(out, (uint32) len);
	if (contents != NULL)
		appendBinaryStringInfo(out, contents, (int) len);
}

static void
put_int64(StringInfo out, char type, int64 value)
{
	put_field(out, type, NULL, sizeof(value));
	put_uint64(out, (uint64) value);
}

/*
 * Text of the server's encoding in UTF-8; bytes as they are where no encoding is
 * known.  An encoding may allow what has no equivalent in UTF-8: there these
 * bytes too, behind one that no UTF-8 has.
 */
static char *
to_utf8(char *text, size_t *len)
{
	int			encoding = GetDatabaseEncoding();
	Oid			conversion;
	size_t		room;
	char	   *result;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || *len == 0)
		return text;

	conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	if (!OidIsValid(conversion))
		elog(ERROR, "there is no conversion from encoding \"%s\" to \"UTF8\"", pg_encoding_to_char(encoding));
	room = (*len + 2) * MAX_CONVERSION_GROWTH;	/* more than it grows to, or
												 * less is converted */
	if (room > INT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a text of %zu bytes is too long for the audit trail", *len)));
	result = MemoryContextAllocHuge(CurrentMemoryContext, room);
	if (pg_do_encoding_conversion_buf(conversion, encoding, PG_UTF8, (unsigned char *) text, (int) *len,
									  (unsigned char *) result, (int) room, true) == (int) *len)
	{
		*len = strlen(result);
		return result;
	}
	result[0] = (char) 0xff;
	memcpy(result + 1, text, *len);
	(*len)++;
	return result;
}

static void
put_text(StringInfo out, Datum value)
{
	text	   *t = DatumGetTextPP(value);
	size_t		len = VARSIZE_ANY_EXHDR(t);
	char	   *utf8 = to_utf8(VARDATA_ANY(t), &len);

	put_field(out, 't', utf8, len);
}

static void put_value(StringInfo out, Oid type, Datum value, bool isnull);

/* The number of dimensions, length and lower bound of each, and the elements as fields. */
static void
put_array(StringInfo out, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Oid			type = ARR_ELEMTYPE(array);
	StringInfoData contents;
	int16		len;
	bool		byval;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &elements, &nulls, &nelements);
	initStringInfo(&contents);
	put_uint32(&contents, (uint32) ARR_NDIM(array));
	for (int i = 0; i < ARR_NDIM(array); i++)
	{
		put_uint32(&contents, (uint32) ARR_DIMS(array)[i]);
		put_uint32(&contents, (uint32) ARR_LBOUND(array)[i]);
	}
	for (int i = 0; i < nelements; i++)
		put_value(&contents, type, elements[i], nulls[i]);
	put_field(out, 'l', contents.data, (size_t) contents.len);
}

/* 4 or 6, the length of the prefix, and the address. */
static void
put_address(StringInfo out, Datum value)
{
	inet	   *address = DatumGetInetPP(value);

	put_field(out, 'a', NULL, 2 + (size_t) ip_addrsize(address));
	appendStringInfoChar(out, ip_family(address) == PGSQL_AF_INET ? 4 : 6);
	appendStringInfoChar(out, (char) ip_bits(address));
	appendBinaryStringInfo(out, (char *) ip_addr(address), ip_addrsize(address));
}

static void
put_value(StringInfo out, Oid type, Datum value, bool isnull)
{
	if (isnull)
	{
		put_field(out, 'n', NULL, 0);
		return;
	}
	switch (type)
	{
		case INT4OID:
			put_int64(out, 'i', DatumGetInt32(value));
			break;
		case INT8OID:
			put_int64(out, 'i', DatumGetInt64(value));
			break;
		case XID8OID:
			put_int64(out, 'x', DatumGetInt64(value));
			break;
		case TIMESTAMPTZOID:
			put_int64(out, 's', DatumGetTimestampTz(value));
			break;
		case TEXTOID:
			put_text(out, value);
			break;
		case UUIDOID:
			put_field(out, 'u', DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case BYTEAOID:
			put_field(out, 'b', VARDATA_ANY(DatumGetByteaPP(value)), VARSIZE_ANY_EXHDR(DatumGetByteaPP(value)));
			break;
		case INETOID:
			put_address(out, value);
			break;
		case TEXTARRAYOID:
		case INT8ARRAYOID:
			put_array(out, value);
			break;
		default:
			elog(ERROR, "no canonical form of type %u", type);
	}
}

/* ---- rows, by the names of their columns ---- */

typedef struct Column
{
	const char *name;
	Oid			type;
} Column;

/* In the order of the canonical bytes; the last two are not in them. */
static const Column event_columns[] = {
	{"event_id", INT8OID},
	{"at", TIMESTAMPTZOID},
	{"transaction_at", TIMESTAMPTZOID},
	{"xid", XID8OID},
	{"org_id", INT8OID},
	{"actor_org_id", INT8OID},
	{"actor_id", INT8OID},
	{"incarnation", UUIDOID},
	{"command", INT4OID},
	{"depth", INT4OID},
	{"operation", TEXTOID},
	{"actions", TEXTARRAYOID},
	{"table_name", TEXTOID},
	{"row_key", TEXTOID},
	{"old", JSONBOID},
	{"new", JSONBOID},
	{"unit_kinds", TEXTARRAYOID},
	{"unit_keys", INT8ARRAYOID},
	{"actor_name", TEXTOID},
	{"db_role", TEXTOID},
	{"session_role", TEXTOID},
	{"request_id", TEXTOID},
	{"reason", TEXTOID},
	{"application_name", TEXTOID},
	{"client_addr", INETOID},
	{"salt", BYTEAOID},
	{"redaction", JSONBOID},
};

static const Column block_columns[] = {
	{"block_no", INT8OID},
	{"incarnation", UUIDOID},
	{"from_xid", XID8OID},
	{"from_event", INT8OID},
	{"upto_xid", XID8OID},
	{"upto_event", INT8OID},
	{"events", INT8OID},
	{"first_event", INT8OID},
	{"last_event", INT8OID},
	{"first_at", TIMESTAMPTZOID},
	{"last_at", TIMESTAMPTZOID},
	{"contents", BYTEAOID},
	{"root", BYTEAOID},
	{"previous", BYTEAOID},
	{"sealed_at", TIMESTAMPTZOID},
};

#define EVENT_OLD			14
#define EVENT_NEW			15
#define EVENT_SALT			25
#define EVENT_REDACTION		26
#define EVENT_FIELDS		25	/* of the canonical bytes */
#define NCOLUMNS_MAX		lengthof(event_columns) /* there are fewer of a
													 * block */

/* Where the columns are in a row type; kept for the call site. */
typedef struct RowShape
{
	Oid			type;			/* InvalidOid: not known yet */
	int32		typmod;
	AttrNumber	attnums[NCOLUMNS_MAX];
} RowShape;

typedef struct Row
{
	Datum		values[NCOLUMNS_MAX];
	bool		nulls[NCOLUMNS_MAX];
} Row;

static void
learn_shape(RowShape *shape, TupleDesc desc, const Column *columns, size_t ncolumns)
{
	for (size_t i = 0; i < ncolumns; i++)
	{
		int			attnum = SPI_fnumber(desc, columns[i].name);

		if (attnum <= 0 || TupleDescAttr(desc, attnum - 1)->atttypid != columns[i].type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" is not as the audit trail has it", columns[i].name)));
		shape->attnums[i] = (AttrNumber) attnum;
	}
	shape->type = desc->tdtypeid;
	shape->typmod = desc->tdtypmod;
}

/* The columns of the call's first argument. */
static void
read_row(FunctionCallInfo fcinfo, const Column *columns, size_t ncolumns, Row *row)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};
	RowShape   *shape = fcinfo->flinfo->fn_extra;
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);

	if (shape == NULL)
		shape = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(RowShape));
	if (shape->type != desc->tdtypeid || shape->typmod != desc->tdtypmod)
		learn_shape(shape, desc, columns, ncolumns);
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (size_t i = 0; i < ncolumns; i++)
	{
		row->values[i] = values[shape->attnums[i] - 1];
		row->nulls[i] = nulls[shape->attnums[i] - 1];
	}
	ReleaseTupleDesc(desc);
}

/* ---- values of an event, and commitments to them ---- */

/* One column of a side, in the server's encoding but for what is hashed. */
typedef struct Value
{
	char	   *name;
	char	   *utf8;			/* the name */
	size_t		utf8_len;
	char	   *text;			/* NULL where it has been redacted */
	uint8_t		salt[RBAC_HASH_SIZE];
	size_t		salt_len;		/* 0: unknown */
	uint8_t		commitment[RBAC_HASH_SIZE];
	size_t		commitment_len; /* 0: unknown */
} Value;

typedef struct Side
{
	const char *name;
	bool		is_there;
	bool		is_object;		/* else it is one value, without a name */
	int			nvalues;
	Value	   *values;			/* in bytewise order of their names */
} Side;

#define NSIDES	2
static const char *const side_names[NSIDES] = {"old", "new"};
static const int side_columns[NSIDES] = {EVENT_OLD, EVENT_NEW};

/* The object that an event's redaction has under two keys; NULL: none. */
static JsonbContainer *
redaction_part(const Row *event, const char *what, const char *side)
{
	const char *const keys[2] = {what, side};
	JsonbContainer *at;

	if (event->nulls[EVENT_REDACTION])
		return NULL;
	at = &DatumGetJsonbP(event->values[EVENT_REDACTION])->root;
	for (int i = 0; i < 2; i++)
	{
		JsonbValue *found = JsonContainerIsObject(at) ?
		getKeyJsonValueFromContainer(at, keys[i], (int) strlen(keys[i]), NULL) : NULL;

		if (found == NULL || found->type != jbvBinary)
			return NULL;
		at = found->val.binary.data;
	}
	return JsonContainerIsObject(at) ? at : NULL;
}

/* A hash in hexadecimal; its length, or 0 if it is none. */
static size_t
read_hex(const JsonbValue *value, uint8_t *out)
{
	char	   *digits;

	if (value == NULL || value->type != jbvString || value->val.string.len != 2 * RBAC_HASH_SIZE)
		return 0;
	digits = pnstrdup(value->val.string.val, 2 * RBAC_HASH_SIZE);
	if (strspn(digits, "0123456789abcdef") != 2 * RBAC_HASH_SIZE)
		return 0;
	return (size_t) hex_decode(digits, 2 * RBAC_HASH_SIZE, (char *) out);
}

static Value *
new_value(Side *side, const char *name, int len)
{
	Value	   *value = &side->values[side->nvalues++];

	memset(value, 0, sizeof(Value));
	value->name = pnstrdup(name, len);
	value->utf8_len = (size_t) len;
	value->utf8 = to_utf8(value->name, &value->utf8_len);
	return value;
}

/* The salt of a column: from the event's, or where that is gone, one that was kept. */
static void
find_salt(const RbacHash *hash, const Row *event, const Side *side, Value *value)
{
	bytea	   *salt = event->nulls[EVENT_SALT] ? NULL : DatumGetByteaPP(event->values[EVENT_SALT]);
	JsonbContainer *kept = redaction_part(event, "salts", side->name);

	if (salt != NULL && VARSIZE_ANY_EXHDR(salt) > 0)
	{
		RbacBytes	pieces[3] = {
			{VARDATA_ANY(salt), VARSIZE_ANY_EXHDR(salt)},
			{side->name, strlen(side->name)},
			{value->utf8, value->utf8_len}
		};

		rbac_merkle_hash(hash, RBAC_HASH_SALT, pieces, 3, value->salt);
		value->salt_len = RBAC_HASH_SIZE;
	}
	else if (kept != NULL)
		value->salt_len = read_hex(getKeyJsonValueFromContainer(kept, value->name, (int) strlen(value->name), NULL),
								   value->salt);
}

static void
add_value(const RbacHash *hash, const Row *event, Side *side, Value *value, Jsonb *json)
{
	size_t		len;
	RbacBytes	pieces[2];

	CHECK_FOR_INTERRUPTS();
	value->text = JsonbToCString(NULL, &json->root, VARSIZE(json));
	len = strlen(value->text);
	find_salt(hash, event, side, value);
	pieces[0] = (RbacBytes)
	{
		value->salt, value->salt_len
	};
	pieces[1].data = to_utf8(value->text, &len);
	pieces[1].len = len;
	rbac_merkle_hash(hash, RBAC_HASH_COMMITMENT, pieces, 2, value->commitment);
	value->commitment_len = RBAC_HASH_SIZE;
}

static int
compare_names(const void *a, const void *b)
{
	const Value *p = a;
	const Value *q = b;
	int			cmp = memcmp(p->utf8, q->utf8, Min(p->utf8_len, q->utf8_len));

	return cmp != 0 ? cmp : (p->utf8_len > q->utf8_len) - (p->utf8_len < q->utf8_len);
}

static bool
has_value(JsonbContainer *json, const JsonbValue *key)
{
	return getKeyJsonValueFromContainer(json, key->val.string.val, key->val.string.len, NULL) != NULL;
}

/* What a side has, and what a redaction has left of the rest. */
static void
read_side(const RbacHash *hash, const Row *event, int which, Side *side)
{
	JsonbContainer *gone = redaction_part(event, "commitments", side_names[which]);
	Jsonb	   *json;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	key = {.type = jbvNull};
	JsonbValue	item;

	memset(side, 0, sizeof(Side));
	side->name = side_names[which];
	side->is_there = !event->nulls[side_columns[which]];
	if (!side->is_there)
		return;
	json = DatumGetJsonbP(event->values[side_columns[which]]);
	side->is_object = JB_ROOT_IS_OBJECT(json);
	side->values = palloc(sizeof(Value) * (1 + JB_ROOT_COUNT(json) + (gone != NULL ? JsonContainerSize(gone) : 0)));
	if (!side->is_object)
	{
		add_value(hash, event, side, new_value(side, "", 0), json);
		return;
	}

	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = item;
		else if (token == WJB_VALUE)
			add_value(hash, event, side, new_value(side, key.val.string.val, key.val.string.len), JsonbValueToJsonb(&item));
	}
	it = gone != NULL ? JsonbIteratorInit(gone) : NULL;
	while (it != NULL && (token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = item;
		else if (token == WJB_VALUE && !has_value(&json->root, &key))
		{
			Value	   *value = new_value(side, key.val.string.val, key.val.string.len);

			value->commitment_len = read_hex(&item, value->commitment);
		}
	}
	qsort(side->values, side->nvalues, sizeof(Value), compare_names);
}

/* The number of columns, and each one's name and commitment. */
static void
put_side(StringInfo out, const Side *side)
{
	StringInfoData contents;

	if (!side->is_there)
	{
		put_value(out, InvalidOid, (Datum) 0, true);
		return;
	}
	initStringInfo(&contents);
	put_uint32(&contents, (uint32) side->nvalues);
	for (int i = 0; i < side->nvalues; i++)
	{
		put_field(&contents, 't', side->values[i].utf8, side->values[i].utf8_len);
		put_field(&contents, 'b', side->values[i].commitment, side->values[i].commitment_len);
	}
	put_field(out, side->is_object ? 'c' : 'v', contents.data, (size_t) contents.len);
}

/* ---- events ---- */

static void
put_event(const RbacHash *hash, StringInfo out, const Row *event)
{
	initStringInfo(out);
	appendStringInfoChar(out, FORMAT_VERSION);
	for (int i = 0; i < EVENT_FIELDS; i++)
	{
		if (i == EVENT_OLD || i == EVENT_NEW)
		{
			Side		side;

			read_side(hash, event, i == EVENT_OLD ? 0 : 1, &side);
			put_side(out, &side);
		}
		else
			put_value(out, event_columns[i].type, event->values[i], event->nulls[i]);
	}
}

/* chat_rbac.audit_bytes(event audit_event) -> bytea: its canonical bytes */
Datum
chat_rbac_audit_bytes(PG_FUNCTION_ARGS)
{
	RbacHash	hash = rbac_hash_begin();
	StringInfoData bytes;
	Row			event;

	read_row(fcinfo, event_columns, lengthof(event_columns), &event);
	put_event(&hash, &bytes, &event);
	rbac_hash_end(&hash);
	PG_RETURN_BYTEA_P(rbac_hash_bytea(bytes.data, bytes.len));
}

/* chat_rbac.audit_leaf(event audit_event) -> bytea: the hash of these as a leaf */
Datum
chat_rbac_audit_leaf(PG_FUNCTION_ARGS)
{
	RbacHash	hash = rbac_hash_begin();
	StringInfoData bytes;
	Row			event;
	RbacBytes	piece;
	uint8_t		leaf[RBAC_HASH_SIZE];

	read_row(fcinfo, event_columns, lengthof(event_columns), &event);
	put_event(&hash, &bytes, &event);
	piece.data = bytes.data;
	piece.len = (size_t) bytes.len;
	rbac_merkle_hash(&hash, RBAC_HASH_LEAF, &piece, 1, leaf);
	rbac_hash_end(&hash);
	PG_RETURN_BYTEA_P(rbac_hash_bytea(leaf, RBAC_HASH_SIZE));
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *string)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, string);
	value.val.string.len = (int) strlen(string);
	pushJsonbValue(state, token, &value);
}

static void
push_hex(JsonbParseState **state, const uint8_t *hash, size_t len)
{
	char	   *digits = palloc0(2 * RBAC_HASH_SIZE + 1);

	hex_encode((const char *) hash, len, digits);
	push_string(state, WJB_VALUE, digits);
}

/*
 * chat_rbac.audit_openings(event audit_event) -> jsonb
 *		{"old": {column: {"value": its text, "salt": hex}}, "new": ...}: what
 *		opens the commitments to values that are there.
 */
Datum
chat_rbac_audit_openings(PG_FUNCTION_ARGS)
{
	RbacHash	hash = rbac_hash_begin();
	JsonbParseState *state = NULL;
	Row			event;

	read_row(fcinfo, event_columns, lengthof(event_columns), &event);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < NSIDES; i++)
	{
		Side		side;

		read_side(&hash, &event, i, &side);
		if (!side.is_there)
			continue;
		push_string(&state, WJB_KEY, side.name);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		for (int j = 0; j < side.nvalues; j++)
		{
			if (side.values[j].text == NULL)
				continue;
			push_string(&state, WJB_KEY, side.values[j].name);
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			push_string(&state, WJB_KEY, "value");
			push_string(&state, WJB_VALUE, side.values[j].text);
			push_string(&state, WJB_KEY, "salt");
			push_hex(&state, side.values[j].salt, side.values[j].salt_len);
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		}
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	rbac_hash_end(&hash);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The elements of an array of text that are not null, sorted. */
static char **
sorted_strings(ArrayType *array, int *nstrings)
{
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;
	char	  **strings;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &nelements);
	strings = palloc(sizeof(char *) * (nelements + 1));
	*nstrings = 0;
	for (int i = 0; i < nelements; i++)
	{
		if (!nulls[i])
			strings[(*nstrings)++] = TextDatumGetCString(elements[i]);
	}
	qsort(strings, *nstrings, sizeof(char *), compare_strings);
	return strings;
}

/*
 * chat_rbac.audit_redaction(event audit_event, columns text[]) -> jsonb
 *		The event's redaction when the values of these columns have been taken
 *		out: {"commitments": {"old": {column: hex}, "new": ...}, "salts": ...},
 *		commitments to what is gone, and salts of what is left.
 */
Datum
chat_rbac_audit_redaction(PG_FUNCTION_ARGS)
{
	RbacHash	hash = rbac_hash_begin();
	int			ncolumns;
	char	  **columns = sorted_strings(PG_GETARG_ARRAYTYPE_P(1), &ncolumns);
	JsonbParseState *state = NULL;
	Side		sides[NSIDES];
	Row			event;

	read_row(fcinfo, event_columns, lengthof(event_columns), &event);
	for (int i = 0; i < NSIDES; i++)
		read_side(&hash, &event, i, &sides[i]);
	rbac_hash_end(&hash);

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int kept = 0; kept <= 1; kept++)
	{
		push_string(&state, WJB_KEY, kept ? "salts" : "commitments");
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		for (int i = 0; i < NSIDES; i++)
		{
			if (!sides[i].is_there)
				continue;
			push_string(&state, WJB_KEY, sides[i].name);
			pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			for (int j = 0; j < sides[i].nvalues; j++)
			{
				const Value *value = &sides[i].values[j];
				bool		stays = value->text !=NULL &&
				bsearch(&value->name, columns, ncolumns, sizeof(char *), compare_strings) == NULL;

				if (stays != (bool) kept)
					continue;
				push_string(&state, WJB_KEY, value->name);
				push_hex(&state, kept ? value->salt : value->commitment,
						 kept ? value->salt_len : value->commitment_len);
			}
			pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		}
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* ---- blocks ---- */

static void
put_block(FunctionCallInfo fcinfo, StringInfo out)
{
	Row			block;

	read_row(fcinfo, block_columns, lengthof(block_columns), &block);
	initStringInfo(out);
	appendStringInfoChar(out, FORMAT_VERSION);
	for (size_t i = 0; i < lengthof(block_columns); i++)
		put_value(out, block_columns[i].type, block.values[i], block.nulls[i]);
}

/* chat_rbac.audit_header(block audit_block) -> bytea: its canonical bytes */
Datum
chat_rbac_audit_header(PG_FUNCTION_ARGS)
{
	StringInfoData bytes;

	put_block(fcinfo, &bytes);
	PG_RETURN_BYTEA_P(rbac_hash_bytea(bytes.data, bytes.len));
}

/* chat_rbac.audit_block_hash(block audit_block) -> bytea: the hash of these */
Datum
chat_rbac_audit_block_hash(PG_FUNCTION_ARGS)
{
	RbacHash	hash = rbac_hash_begin();
	StringInfoData bytes;
	RbacBytes	piece;
	uint8_t		out[RBAC_HASH_SIZE];

	put_block(fcinfo, &bytes);
	piece.data = bytes.data;
	piece.len = (size_t) bytes.len;
	rbac_merkle_hash(&hash, RBAC_HASH_BLOCK, &piece, 1, out);
	rbac_hash_end(&hash);
	PG_RETURN_BYTEA_P(rbac_hash_bytea(out, RBAC_HASH_SIZE));
}

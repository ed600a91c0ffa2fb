/*-------------------------------------------------------------------------
 *
 * src/image.c
 *	  Rows as the audit trail shows them: their columns as jsonb, their key as
 *	  text.
 *
 * What is written does not depend on the session's settings for output, so that
 * the same value always looks the same and can be read back.  Numbers, booleans,
 * null, jsonb and plain arrays are JSON's own; dates and times are ISO 8601, in
 * UTC; all else is a string, the type's text form.
 *
 * A column that the specification excludes is left out.  One that it wants as a
 * digest, and any value that takes more than RBAC_IMAGE_BYTES, here or as text,
 * stands as its length and its SHA-256.  A value is fetched from the toast table only if it is shown.
 *
 * How to write each column is made at the first use and kept with the table's
 * compiled form.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/detoast.h"
#include "access/relation.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/varlena.h"

typedef enum ImageKind
{
	IMAGE_NONE,					/* dropped, generated, or excluded */
	IMAGE_BOOL,
	IMAGE_INT2,
	IMAGE_INT4,
	IMAGE_INT8,
	IMAGE_NUMERIC,
	IMAGE_TEXT,
	IMAGE_JSONB,
	IMAGE_DATETIME,				/* date, time, timestamp, and those with zones */
	IMAGE_BY_JSONB,				/* by to_jsonb(): floats, arrays of what has
								 * JSON's form */
	IMAGE_ENUMS,				/* an array of them, as one of texts by
								 * to_jsonb() */
	IMAGE_OTHER					/* by its output */
} ImageKind;

typedef struct ImageColumn
{
	ImageKind	kind;
	bool		digest;			/* always */
	bool		varies;			/* its output depends on settings */
	bool		unbounded;		/* its text may be far longer than it is */
	char	   *name;
	int			namelen;
	Oid			type;			/* without its domains */
	int16		len;
	FmgrInfo	convert;		/* to_jsonb */
	FmgrInfo	output;
} ImageColumn;

struct RbacImage
{
	int			natts;
	ImageColumn *columns;
	int			nshown;
	int		   *shown;			/* columns that are, in the order of jsonb's
								 * keys */
	Datum		table_name;
};

/* The columns that the specification has something to say of. */
static RbacQuery treated_query = {
	"SELECT t.key, c.name FROM chat_rbac.specification p"
	" CROSS JOIN LATERAL pg_catalog.jsonb_each(p.spec OPERATOR(pg_catalog.->) 'audit') AS t"
	" CROSS JOIN LATERAL pg_catalog.jsonb_array_elements_text(t.value) AS c (name)"
	" WHERE p.relation OPERATOR(pg_catalog.=) $1",
	1, {OIDOID}, NULL
};

/* ---- how to write a column ---- */

/* Does a type's output depend on settings?  Only of some it is known that it does not. */
static bool
output_varies(Oid type)
{
	Oid			element = get_element_type(type);

	if (OidIsValid(element))
		type = getBaseType(element);
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case UUIDOID:
		case JSONBOID:
		case JSONOID:
		case INETOID:
		case CIDROID:
			return false;
		default:
			return get_typtype(type) != TYPTYPE_ENUM;
	}
}

/* Numbers may have digits that take no room; others hold such. */
static bool
text_is_unbounded(Oid type)
{
	Oid			element = get_element_type(type);

	if (OidIsValid(element))
		type = getBaseType(element);
	switch (get_typtype(type))
	{
		case TYPTYPE_COMPOSITE:
		case TYPTYPE_RANGE:
		case TYPTYPE_MULTIRANGE:
			return true;
		default:
			return type == NUMERICOID || type == JSONBOID;
	}
}

static ImageKind
kind_of(Oid type)
{
	Oid			element;

	switch (type)
	{
		case BOOLOID:
			return IMAGE_BOOL;
		case INT2OID:
			return IMAGE_INT2;
		case INT4OID:
			return IMAGE_INT4;
		case INT8OID:
			return IMAGE_INT8;
		case NUMERICOID:
			return IMAGE_NUMERIC;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:			/* as it was written */
			return IMAGE_TEXT;
		case JSONBOID:
			return IMAGE_JSONB;
		case FLOAT4OID:
		case FLOAT8OID:
			return IMAGE_BY_JSONB;
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return IMAGE_DATETIME;
		default:
			element = get_element_type(type);
			if (!OidIsValid(element))
				return IMAGE_OTHER;
			element = getBaseType(element);
			if (get_typtype(element) == TYPTYPE_ENUM)
				return IMAGE_ENUMS;
			return element == JSONOID || kind_of(element) == IMAGE_OTHER ? IMAGE_OTHER : IMAGE_BY_JSONB;
	}
}

/* Also of a column that is not shown: it may be part of the key. */
static void
prepare_column(ImageColumn *column, Form_pg_attribute attr, MemoryContext context)
{
	Oid			output;
	bool		is_varlena;

	column->name = MemoryContextStrdup(context, NameStr(attr->attname));
	column->namelen = strlen(column->name);
	column->type = getBaseType(attr->atttypid);
	column->len = attr->attlen;
	column->varies = output_varies(column->type);
	column->unbounded = text_is_unbounded(column->type);
	column->kind = kind_of(column->type);
	getTypeOutputInfo(column->type, &output, &is_varlena);
	fmgr_info_cxt(output, &column->output, context);
	if (column->kind == IMAGE_BY_JSONB || column->kind == IMAGE_ENUMS)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		Node	   *value = (Node *) makeNullConst(column->kind == IMAGE_ENUMS ? TEXTARRAYOID : column->type, -1, attr->attcollation);

		fmgr_info_cxt(F_TO_JSONB, &column->convert, context);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(value), InvalidOid,
												 InvalidOid, COERCE_EXPLICIT_CALL), &column->convert);
		MemoryContextSwitchTo(old);
	}
}

/* jsonb keeps the keys of an object in this order, and sorts faster what comes in it. */
static int
compare_columns(const void *a, const void *b, void *arg)
{
	const ImageColumn *left = &((const ImageColumn *) arg)[*(const int *) a];
	const ImageColumn *right = &((const ImageColumn *) arg)[*(const int *) b];

	if (left->namelen != right->namelen)
		return left->namelen < right->namelen ? -1 : 1;
	return memcmp(left->name, right->name, left->namelen);
}

static void
order_columns(RbacImage *image, MemoryContext context)
{
	image->shown = MemoryContextAlloc(context, sizeof(int) * Max(image->natts, 1));
	for (int at = 0; at < image->natts; at++)
	{
		if (image->columns[at].kind != IMAGE_NONE)
			image->shown[image->nshown++] = at;
	}
	qsort_arg(image->shown, image->nshown, sizeof(int), compare_columns, image->columns);
}

static RbacImage *
prepare_image(const RbacProtection *form, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	RbacImage  *image = MemoryContextAllocZero(form->context, sizeof(RbacImage));
	Datum		root = ObjectIdGetDatum(form->root);
	RbacCatalogScope scope;
	MemoryContext old;
	uint64		rows;

	image->natts = desc->natts;
	image->columns = MemoryContextAllocZero(form->context, sizeof(ImageColumn) * desc->natts);
	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			prepare_column(&image->columns[i], TupleDescAttr(desc, i), form->context);
		if (TupleDescAttr(desc, i)->attgenerated != '\0')
			image->columns[i].kind = IMAGE_NONE;
	}
	rbac_catalog_open(&scope);
	rows = rbac_catalog_query(&scope, &treated_query, &root, NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		ImageColumn *column = &image->columns[rbac_protection_column(rel, rbac_catalog_text(i, 2)).attnum - 1];

		if (strcmp(rbac_catalog_text(i, 1), "digest") == 0)
			column->digest = true;
		else
			column->kind = IMAGE_NONE;
	}
	rbac_catalog_close(&scope);
	order_columns(image, form->context);
	old = MemoryContextSwitchTo(form->context);
	image->table_name =
		CStringGetTextDatum(quote_qualified_identifier(get_namespace_name(get_rel_namespace(form->root)),
													   get_rel_name(form->root)));
	MemoryContextSwitchTo(old);
	return image;
}

/*
 * rbac_image_get
 *		How to write the rows of form's table.
 */
RbacImage *
rbac_image_get(RbacProtection *form)
{
	if (form->image == NULL)
	{
		Relation	rel = relation_open(form->relid, AccessShareLock);

		form->image = prepare_image(form, rel);
		relation_close(rel, NoLock);
	}
	return form->image;
}

/* The name of the protected table, with its schema: a text that lives with the form. */
Datum
rbac_image_table_name(const RbacImage *image)
{
	return image->table_name;
}

/* ---- settings for output ---- */

/* The nest level of settings under which output is the same for all; 0 while they are the session's. */
typedef int SettingsLevel;

static void
need_settings(SettingsLevel *level)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog"},
		{"DateStyle", "ISO"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"extra_float_digits", "3"},
		{"bytea_output", "hex"},
		{"lc_monetary", "C"},
		{"xmlbinary", "base64"}
	};

	if (*level > 0)
		return;
	*level = NewGUCNestLevel();
	for (size_t i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

static void
restore_settings(SettingsLevel *level)
{
	if (*level > 0)
		AtEOXact_GUC(false, *level);
	*level = 0;
}

static char *
output_text(ImageColumn *column, Datum value, SettingsLevel *level)
{
	if (column->varies)
		need_settings(level);
	return OutputFunctionCall(&column->output, value);
}

/* ---- values ---- */

static JsonbValue
string_value(const char *text, int len)
{
	JsonbValue	result;

	result.type = jbvString;
	result.val.string.val = unconstify(char *, text);
	result.val.string.len = len;
	return result;
}

static JsonbValue
number_value(Datum numeric)
{
	JsonbValue	result;

	if (numeric_is_nan(DatumGetNumeric(numeric)) || numeric_is_inf(DatumGetNumeric(numeric)))
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, numeric));

		return string_value(text, strlen(text));
	}
	result.type = jbvNumeric;
	result.val.numeric = DatumGetNumeric(numeric);
	return result;
}

static JsonbValue
binary_value(Jsonb *jsonb)
{
	JsonbValue	result;

	result.type = jbvBinary;
	result.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	result.val.binary.data = &jsonb->root;
	return result;
}

static JsonbValue
datetime_value(Oid type, Datum value)
{
	char	   *text = palloc(MAXDATELEN + 1);
	int			utc = 0;

	JsonEncodeDateTime(text, value, type, &utc);
	return string_value(text, strlen(text));
}

/* The SHA-256 of bytes as digits; out has room for 2 * RBAC_HASH_SIZE. */
static void
hash_digits(const char *bytes, size_t len, char *out)
{
	RbacHash	hash = rbac_hash_begin();
	RbacBytes	piece = {bytes, len};
	uint8_t		digest[RBAC_HASH_SIZE];

	hash.digest(hash.arg, &piece, 1, digest);
	rbac_hash_end(&hash);
	hex_encode((const char *) digest, RBAC_HASH_SIZE, out);
}

static void
push_digest(JsonbParseState **state, const char *bytes, size_t len)
{
	char	   *hex = palloc(2 * RBAC_HASH_SIZE);
	JsonbValue	part;

	hash_digits(bytes, len, hex);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	part = string_value("length", 6);
	pushJsonbValue(state, WJB_KEY, &part);
	part = number_value(DirectFunctionCall1(int8_numeric, Int64GetDatum((int64) len)));
	pushJsonbValue(state, WJB_VALUE, &part);
	part = string_value("sha256", 6);
	pushJsonbValue(state, WJB_KEY, &part);
	part = string_value(hex, 2 * RBAC_HASH_SIZE);
	pushJsonbValue(state, WJB_VALUE, &part);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* How many digits a number would be written with, which may be far more than its bytes. */
static int
count_digits(Numeric number)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, NumericGetDatum(number)));
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(sent);
	int			weight = (int16) (bytes[2] << 8 | bytes[3]);
	int			scale = bytes[6] << 8 | bytes[7];

	return Max(weight + 1, 1) * 4 + scale;
}

/* Has a number in it, or have all of them, more digits than are shown? */
static bool
has_many_digits(Jsonb *jsonb)
{
	JsonbIterator *iterator = JsonbIteratorInit(&jsonb->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			ndigits = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if ((token == WJB_VALUE || token == WJB_ELEM) && value.type == jbvNumeric)
			ndigits += count_digits(value.val.numeric);
		if (ndigits > RBAC_TEXT_BYTES)
			return true;
	}
	return false;
}

/*
 * The bytes of a value that its digest is of: those of a text or bytea, else of
 * its text form; where that may be beyond all bounds, as it is stored.
 */
static const char *
digest_bytes(ImageColumn *column, Datum value, SettingsLevel *level, size_t *len)
{
	char	   *text;

	if (column->kind == IMAGE_TEXT || column->type == BYTEAOID ||
		(column->kind == IMAGE_JSONB ? has_many_digits(DatumGetJsonbP(value)) :
		 column->unbounded && toast_raw_datum_size(value) - VARHDRSZ > RBAC_IMAGE_BYTES))
	{
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

		*len = VARSIZE_ANY_EXHDR(bytes);
		return VARDATA_ANY(bytes);
	}
	text = output_text(column, value, level);

	*len = strlen(text);
	return text;
}

/* JSON's arrays have no bounds. */
static bool
begins_at_one(const ImageColumn *column, Datum value)
{
	ArrayType  *array;

	if (column->len != -1)
		return true;
	array = DatumGetArrayTypeP(value);
	for (int i = 0; i < ARR_NDIM(array); i++)
	{
		if (ARR_LBOUND(array)[i] != 1)
			return false;
	}
	return true;
}

/* to_jsonb() would write an enum by a cast to json that its owner has made, who so could say anything. */
static Datum
enums_as_texts(Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;

	deconstruct_array(array, ARR_ELEMTYPE(array), sizeof(Oid), true, TYPALIGN_INT, &elements, &nulls, &nelements);
	for (int i = 0; i < nelements; i++)
	{
		if (!nulls[i])
			elements[i] = CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(enum_out, elements[i])));
	}
	return PointerGetDatum(construct_md_array(elements, nulls, ARR_NDIM(array), ARR_DIMS(array), ARR_LBOUND(array),
											  TEXTOID, -1, false, TYPALIGN_INT));
}

/* What a value is in JSON; one that is a digest instead, as it is or by its text, says false. */
static bool
json_value(ImageColumn *column, Datum value, SettingsLevel *level, JsonbValue *json)
{
	Jsonb	   *jsonb;

	if (column->digest ||
		(column->len == -1 && toast_raw_datum_size(value) - VARHDRSZ > RBAC_IMAGE_BYTES))
		return false;
	switch (column->kind)
	{
		case IMAGE_BOOL:
			json->type = jbvBool;
			json->val.boolean = DatumGetBool(value);
			return true;
		case IMAGE_INT2:
			*json = number_value(DirectFunctionCall1(int2_numeric, value));
			return true;
		case IMAGE_INT4:
			*json = number_value(DirectFunctionCall1(int4_numeric, value));
			return true;
		case IMAGE_INT8:
			*json = number_value(DirectFunctionCall1(int8_numeric, value));
			return true;
		case IMAGE_NUMERIC:
			*json = number_value(NumericGetDatum(DatumGetNumeric(value)));
			return json->type != jbvNumeric || count_digits(json->val.numeric) <= RBAC_TEXT_BYTES;
		case IMAGE_TEXT:
			{
				text	   *bytes = DatumGetTextPP(value);

				*json = string_value(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
				return true;
			}
		case IMAGE_JSONB:
			jsonb = DatumGetJsonbP(value);
			*json = binary_value(jsonb);
			return !has_many_digits(jsonb);
		case IMAGE_DATETIME:
			*json = datetime_value(column->type, value);
			return true;
		case IMAGE_ENUMS:
		case IMAGE_BY_JSONB:
			if (begins_at_one(column, value))
			{
				if (column->varies)
					need_settings(level);
				jsonb = DatumGetJsonbP(FunctionCall1(&column->convert, column->kind == IMAGE_ENUMS ? enums_as_texts(value) : value));
				*json = binary_value(jsonb);
				return !column->unbounded || !has_many_digits(jsonb);
			}
			/* FALLTHROUGH */
		default:
			{
				char	   *text = output_text(column, value, level);

				*json = string_value(text, strlen(text));
				return json->val.string.len <= RBAC_TEXT_BYTES;
			}
	}
}

/* A plain list of texts, such as labels, without a detour; false if it is none. */
static bool
push_texts(JsonbParseState **state, ImageColumn *column, Datum value)
{
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	int			nelements;

	if (column->type != TEXTARRAYOID || column->digest ||
		toast_raw_datum_size(value) - VARHDRSZ > RBAC_IMAGE_BYTES)
		return false;
	array = DatumGetArrayTypeP(value);
	if (ARR_NDIM(array) > 1 || (ARR_NDIM(array) == 1 && ARR_LBOUND(array)[0] != 1))
		return false;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &nelements);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < nelements; i++)
	{
		JsonbValue	json;
		text	   *bytes = nulls[i] ? NULL : DatumGetTextPP(elements[i]);

		if (bytes != NULL)
			json = string_value(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
		else
			json.type = jbvNull;
		pushJsonbValue(state, WJB_ELEM, &json);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
	return true;
}

static void
push_value(JsonbParseState **state, ImageColumn *column, Datum value, SettingsLevel *level)
{
	JsonbValue	json;

	if (push_texts(state, column, value))
		return;
	if (json_value(column, value, level, &json))
		pushJsonbValue(state, WJB_VALUE, &json);
	else
	{
		size_t		len;
		const char *bytes = digest_bytes(column, value, level, &len);

		push_digest(state, bytes, len);
	}
}

static void
push_column(JsonbParseState **state, ImageColumn *column, const RbacRow *row, int at, bool nulls, SettingsLevel *level)
{
	JsonbValue	json;

	if (column->kind == IMAGE_NONE || (row->nulls[at] && !nulls))
		return;
	json = string_value(column->name, column->namelen);
	pushJsonbValue(state, WJB_KEY, &json);
	if (row->nulls[at])
	{
		json.type = jbvNull;
		pushJsonbValue(state, WJB_VALUE, &json);
	}
	else
		push_value(state, column, row->values[at], level);
}

/* Is any of these columns shown? */
bool
rbac_image_shows(const RbacImage *image, const RbacDemand *demands, int ndemands)
{
	for (int i = 0; i < ndemands; i++)
	{
		if (image->columns[demands[i].attnum - 1].kind != IMAGE_NONE)
			return true;
	}
	return false;
}

/*
 * rbac_image_row
 *		All columns of a row that are not null, as a jsonb object.
 */
Datum
rbac_image_row(RbacImage *image, const RbacRow *row)
{
	JsonbParseState *state = NULL;
	SettingsLevel level = 0;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < image->nshown; i++)
		push_column(&state, &image->columns[image->shown[i]], row, image->shown[i], false, &level);
	restore_settings(&level);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/*
 * rbac_image_columns
 *		The columns of a row that demands name, nulls too, as a jsonb object.
 */
Datum
rbac_image_columns(RbacImage *image, const RbacRow *row, const RbacDemand *demands, int ndemands)
{
	JsonbParseState *state = NULL;
	SettingsLevel level = 0;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < ndemands; i++)
	{
		int			at = demands[i].attnum - 1;

		push_column(&state, &image->columns[at], row, at, true, &level);
	}
	restore_settings(&level);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* ---- the key ---- */

static char *
key_text(RbacImage *image, const RbacRow *row, const RbacColumn *key, SettingsLevel *level)
{
	ImageColumn *column = &image->columns[key->attnum - 1];

	return output_text(column, row->values[key->attnum - 1], level);
}

/*
 * rbac_image_key
 *		A row's primary key without the org, as text: a value, or the literal of
 *		an array of them; a long one, for which the trail's index has no room, as
 *		its SHA-256.
 */
Datum
rbac_image_key(RbacImage *image, const RbacProtection *form, const RbacRow *row)
{
	SettingsLevel level = 0;
	char	   *result;

	if (form->nkeys == 0)
		result = key_text(image, row, &form->org, &level);
	else if (form->nkeys == 1)
		result = key_text(image, row, &form->keys[0], &level);
	else
	{
		Datum	   *parts = palloc(sizeof(Datum) * form->nkeys);

		for (int i = 0; i < form->nkeys; i++)
			parts[i] = CStringGetTextDatum(key_text(image, row, &form->keys[i], &level));
		result = OidOutputFunctionCall(F_ARRAY_OUT,
									   PointerGetDatum(construct_array(parts, form->nkeys, TEXTOID, -1, false, TYPALIGN_INT)));
	}
	restore_settings(&level);
	if (strlen(result) > RBAC_KEY_BYTES)
	{
		char	   *digest = psprintf("sha256:%*s", 2 * RBAC_HASH_SIZE, "");

		hash_digits(result, strlen(result), digest + strlen("sha256:"));
		result = digest;
	}
	return CStringGetTextDatum(result);
}

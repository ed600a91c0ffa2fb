/*-------------------------------------------------------------------------
 *
 * src/issue.c
 *	  Issuing tokens.
 *
 * For applications without an identity provider: a login service that holds
 * token.issue, and no other right, has authenticated a person and gets a token
 * for them, signed with a key that it never sees.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define TTL_MAX (30 * USECS_PER_DAY)

PG_FUNCTION_INFO_V1(chat_rbac_issue_token);
PG_FUNCTION_INFO_V1(chat_rbac_signing_key_problem);

/* The key that signs for an org: its own before one of all orgs, the newest first.  Others trust the rest too. */
static RbacQuery signer = {
	"SELECT k.kid, k.secret, k.subject_is OPERATOR(pg_catalog.=) 'member_id', k.issuer, k.audience"
	" FROM chat_rbac.signing_key k"
	" WHERE k.issues AND k.algorithm OPERATOR(pg_catalog.=) 'HS256'"
	" AND (k.org_id OPERATOR(pg_catalog.=) $1 OR k.org_id IS NULL)"
	" AND (k.not_before IS NULL OR k.not_before OPERATOR(pg_catalog.<=) $2)"
	" AND (k.retired IS NULL OR k.retired OPERATOR(pg_catalog.>) $2)"
	" ORDER BY k.org_id IS NULL, k.key_id DESC LIMIT 1",
	2, {INT8OID, TIMESTAMPTZOID}, NULL
};

/* So that who is revoked meanwhile waits for us, or we for that. */
static RbacQuery lock_members = {
	"SELECT m.member_id FROM chat_rbac.member m"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) ANY ($2) FOR SHARE",
	2, {INT8OID, INT8ARRAYOID}, NULL
};

static RbacQuery subject_of_member = {
	"SELECT m.subject FROM chat_rbac.member m"
	" WHERE m.org_id OPERATOR(pg_catalog.=) $1 AND m.member_id OPERATOR(pg_catalog.=) $2",
	2, {INT8OID, INT8OID}, NULL
};

/* What a token is to say. */
typedef struct Draft
{
	int64		org;
	int64		member;
	TimestampTz issued;
	TimestampTz expires;
	bool		has_roles;
	int			nroles;
	char	  **roles;
	char	   *kid;			/* of the key, from here on */
	char	   *subject;
	char	   *issuer;
	char	   *audience;
	bytea	   *secret;
} Draft;

/* ---- writing a token ---- */

static void
append_string(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, ",\"%s\":", name);
	escape_json(json, value);
}

static void
append_roles(StringInfo json, const Draft *draft)
{
	if (!draft->has_roles)
		return;
	appendStringInfoString(json, ",\"roles\":[");
	for (int i = 0; i < draft->nroles; i++)
	{
		if (i > 0)
			appendStringInfoChar(json, ',');
		escape_json(json, draft->roles[i]);
	}
	appendStringInfoChar(json, ']');
}

/* Seconds since 1970, with as much of the microseconds as there is. */
static void
append_time(StringInfo json, const char *name, TimestampTz at)
{
	int64		unix_time = at + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

	appendStringInfo(json, ",\"%s\":" INT64_FORMAT ".%06d", name,
					 unix_time / USECS_PER_SEC, (int) (unix_time % USECS_PER_SEC));
}

/* Append a part in base64url. */
static void
append_part(StringInfo token, const char *bytes, size_t len)
{
	enlargeStringInfo(token, (int) ((len + 2) / 3 * 4 + 1));
	token->len += (int) rbac_base64url_encode(bytes, len, token->data + token->len);
	token->data[token->len] = '\0';
}

static void
append_json(StringInfo token, const StringInfoData *json)
{
	char	   *utf8 = pg_server_to_any(json->data, json->len, PG_UTF8);

	append_part(token, utf8, strlen(utf8));
}

/* The signature of a token's first two parts, as its third. */
static void
append_signature(StringInfo token, const Draft *draft)
{
	char		mac[RBAC_MAC_BYTES];
	RbacJoseKey *key;
	const char *problem = rbac_jose_load(RBAC_HS256, VARDATA_ANY(draft->secret), VARSIZE_ANY_EXHDR(draft->secret), &key);
	bool		done = false;

	if (problem == NULL)
	{
		done = rbac_jose_mac(key, token->data, token->len, mac);
		rbac_jose_free(key);
	}
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("signing key \"%s\" cannot be used: %s", draft->kid, problem != NULL ? problem : "OpenSSL fails")));
	appendStringInfoChar(token, '.');
	append_part(token, mac, sizeof(mac));
}

static char *
make_token(const Draft *draft)
{
	StringInfoData json;
	StringInfoData token;

	initStringInfo(&token);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"alg\":\"HS256\",\"typ\":\"JWT\"");
	append_string(&json, "kid", draft->kid);
	appendStringInfoChar(&json, '}');
	append_json(&token, &json);
	appendStringInfoChar(&token, '.');

	resetStringInfo(&json);
	appendStringInfo(&json, "{\"org\":" INT64_FORMAT, draft->org);
	append_string(&json, "sub", draft->subject);
	append_time(&json, "iat", draft->issued);
	append_time(&json, "exp", draft->expires);
	append_string(&json, "iss", draft->issuer);
	append_string(&json, "aud", draft->audience);
	append_roles(&json, draft);
	appendStringInfoChar(&json, '}');
	append_json(&token, &json);

	append_signature(&token, draft);
	if (token.len > RBAC_TOKEN_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a token is at most %d bytes long", RBAC_TOKEN_BYTES),
				 errhint("Name fewer roles.")));
	return token.data;
}

/* ---- what goes into one ---- */

static void
take_roles(Draft *draft, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &draft->nroles);
	draft->has_roles = true;
	draft->roles = palloc(sizeof(char *) * Max(draft->nroles, 1));
	for (int i = 0; i < draft->nroles; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the name of a role must not be null")));
		draft->roles[i] = TextDatumGetCString(elements[i]);
	}
}

/*
 * Take the time of issue when no tokens that are at stake, the member's and the
 * asker's own, can be revoked before we are done.
 */
static void
begin_issue(Draft *draft, int64 asker)
{
	int64		ids[2] = {draft->member, asker};
	RbacCatalogScope scope;
	Datum		args[2];

	args[0] = Int64GetDatum(draft->org);
	args[1] = rbac_compile_array(ids, lengthof(ids));
	rbac_catalog_open(&scope);
	rbac_catalog_execute(&lock_members, args);
	rbac_catalog_close(&scope);
	draft->issued = GetCurrentTimestamp();
}

/* Who is there by a token does not outlive it by another. */
static void
check_ttl(const Draft *draft, const RbacAsker *asker)
{
	if (draft->expires <= draft->issued || draft->expires > draft->issued + TTL_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a token lives for more than nothing and for at most 30 days")));
	if (asker->identity.source == RBAC_BY_TOKEN && draft->expires > asker->expires)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a token that is issued by virtue of a token ends when that does, or before")));
}

/* The member must be there and active, and hold the roles. */
static void
require_member(const Draft *draft)
{
	RbacAsker	asker = {0};
	RbacGrants *grants;

	asker.identity.source = RBAC_BY_SETTING;
	asker.identity.org = draft->org;
	asker.identity.member = draft->member;
	asker.active_roles = "";
	asker.token_roles = draft->has_roles ? rbac_token_role_list(draft->nroles, draft->roles) : NULL;
	grants = rbac_grants_pin(&asker);
	rbac_grants_unpin(grants);
	if (grants->standing != RBAC_ACTIVE)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("org " INT64_FORMAT " has no active member " INT64_FORMAT, draft->org, draft->member)));
}

/* Find the key that is to sign, and what it wants a token to say. */
static void
take_key(Draft *draft)
{
	MemoryContext own = CurrentMemoryContext;
	RbacCatalogScope scope;
	MemoryContext old;
	Datum		args[2];
	Datum		secret;
	bool		isnull;

	rbac_catalog_open(&scope);
	args[0] = Int64GetDatum(draft->org);
	args[1] = TimestampTzGetDatum(draft->issued);
	if (rbac_catalog_query(&scope, &signer, args, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("org " INT64_FORMAT " has no key to issue tokens with", draft->org),
				 errhint("Make one with chat_rbac.create_signing_key().")));
	old = MemoryContextSwitchTo(own);
	draft->kid = pstrdup(rbac_catalog_text(0, 1));
	draft->subject = rbac_catalog_bool(0, 3) ? psprintf(INT64_FORMAT, draft->member) : NULL;
	draft->issuer = rbac_catalog_text(0, 4);
	draft->audience = rbac_catalog_text(0, 5);
	secret = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	if (isnull)
		elog(ERROR, "signing key \"%s\" has no secret", draft->kid);
	draft->secret = DatumGetByteaPCopy(secret);
	MemoryContextSwitchTo(old);

	if (draft->subject == NULL)
	{
		args[1] = Int64GetDatum(draft->member);
		if (rbac_catalog_query(&scope, &subject_of_member, args, NULL) == 1)
		{
			char	   *subject = rbac_catalog_text(0, 1);

			draft->subject = subject != NULL ? MemoryContextStrdup(own, subject) : NULL;
		}
	}
	rbac_catalog_close(&scope);

	if (draft->subject == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("member " INT64_FORMAT " of org " INT64_FORMAT " has no subject", draft->member, draft->org),
				 errdetail("Key \"%s\" is for tokens that name a member by it.", draft->kid),
				 errhint("Give the member a subject, or the key subject_is = 'member_id'.")));
}

/* A token is as good as its member, so who got one for whom is on record. */
static void
record_issue(const RbacGrants *grants, const Draft *draft)
{
	Datum		action = CStringGetTextDatum("token.issue");
	char		expires[MAXDATELEN + 1];
	StringInfoData json;
	RbacEvent	event = {.operation = "issue"};

	JsonEncodeDateTime(expires, TimestampTzGetDatum(draft->expires), TIMESTAMPTZOID, NULL);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"kid\":");
	escape_json(&json, draft->kid);
	append_string(&json, "expires", expires);
	append_roles(&json, draft);
	appendStringInfoChar(&json, '}');

	event.actions = PointerGetDatum(construct_array(&action, 1, TEXTOID, -1, false, TYPALIGN_INT));
	event.relation = rbac_catalog_relation("member");
	event.table_name = CStringGetTextDatum("chat_rbac.member");
	event.row_key = CStringGetTextDatum(psprintf(INT64_FORMAT, draft->member));
	event.new = DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
	event.unit_kinds = PointerGetDatum(construct_empty_array(TEXTOID));
	event.unit_keys = PointerGetDatum(construct_empty_array(INT8OID));
	event.has_org = true;
	event.org = draft->org;
	event.command = (int32) GetCurrentCommandId(false);
	rbac_trail_write(rbac_trail_who(grants), &event);
}

static void
require_not_null(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

/*
 * chat_rbac.issue_token(member bigint, ttl interval, roles text[]) -> text
 *		A token for an active member of the asker's org.  42501 without token.issue
 *		in the whole org; 42704: no such member; 0P000: a role not granted; 55000:
 *		no key; 22023: ttl out of range.
 */
Datum
chat_rbac_issue_token(PG_FUNCTION_ARGS)
{
	RbacCheck  *check = rbac_authz_require(fcinfo->flinfo, "token.issue", "issue a token");
	Draft		draft = {0};
	RbacAsker	asker;

	PreventCommandIfReadOnly("issue_token()");
	require_not_null(fcinfo, 0, "member");
	require_not_null(fcinfo, 1, "ttl");
	draft.org = check->grants->org;
	draft.member = PG_GETARG_INT64(0);
	begin_issue(&draft, check->grants->identity.source == RBAC_BY_TOKEN ? check->grants->member : draft.member);
	draft.expires = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
															TimestampTzGetDatum(draft.issued),
															PG_GETARG_DATUM(1)));
	if (!PG_ARGISNULL(2))
		take_roles(&draft, PG_GETARG_ARRAYTYPE_P(2));

	/* what was revoked while we waited does not count */
	rbac_token_asker(&asker);
	rbac_grants_unpin(rbac_grants_pin(&asker));
	check_ttl(&draft, &asker);
	require_member(&draft);
	rbac_demand_issue(check->grants, draft.member);
	take_key(&draft);
	record_issue(check->grants, &draft);
	PG_RETURN_TEXT_P(cstring_to_text(make_token(&draft)));
}

/*
 * chat_rbac.signing_key_problem(algorithm text, material bytea) -> text
 *		What is wrong with a key: a secret, or a public key in PEM; NULL: nothing.
 */
Datum
chat_rbac_signing_key_problem(PG_FUNCTION_ARGS)
{
	bytea	   *material = PG_GETARG_BYTEA_PP(1);
	RbacAlgorithm algorithm;
	RbacJoseKey *key;
	const char *problem;

	if (!rbac_jose_algorithm(text_to_cstring(PG_GETARG_TEXT_PP(0)), &algorithm))
		PG_RETURN_TEXT_P(cstring_to_text("algorithm is not one of HS256, RS256, ES256, EdDSA"));
	problem = rbac_jose_load(algorithm, VARDATA_ANY(material), VARSIZE_ANY_EXHDR(material), &key);
	if (problem != NULL)
		PG_RETURN_TEXT_P(cstring_to_text(problem));
	rbac_jose_free(key);
	PG_RETURN_NULL();
}

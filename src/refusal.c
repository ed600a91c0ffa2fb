/*-------------------------------------------------------------------------
 *
 * src/refusal.c
 *	  Refusals, in the server log.
 *
 * What is refused is rolled back, and with it whatever would be written of it to
 * a table.  So each refusal is one line of the server log: "chat_rbac refusal: "
 * and a JSON object.  It goes to the log only, and tells nothing of a row.
 *
 * Ours are logged where they are raised, so also where somebody catches them.
 * Those that PostgreSQL raises (a row that no policy lets in, a view that may not
 * be read, an identity set by who must not) are seen when they are reported, and
 * not if they are caught before.
 *
 * A statement that may hold a token is not shown with what is logged of it.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/json.h"

static emit_log_hook_type next_hook = NULL;

static void
append_member(StringInfo json, const char *key, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	appendStringInfo(json, ",\"%s\":", key);
	escape_json(json, value);
}

/* Without a look at the catalogs, which are out of reach while an error is reported. */
static void
append_session(StringInfo json)
{
	const char *role = GetConfigOption("role", true, false);

	append_member(json, "session_role", GetConfigOption("session_authorization", true, false));
	if (role != NULL && strcmp(role, "none") != 0)
		append_member(json, "role", role);
	append_member(json, "request_id", rbac_identity_request_id());
	append_member(json, "application", application_name);
}

static void
write_line(const char *json)
{
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("chat_rbac refusal: %s}", json),
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * rbac_refusal_log
 *		Logs a refusal of a kind: "action", "access", "read", "export" or "identity".  grants are
 *		those of who asked, or NULL; permission is what was missing, or NULL.
 */
void
rbac_refusal_log(const char *kind, const RbacGrants *grants, const char *permission, const char *message)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"kind\":\"%s\"", kind);
	append_member(&json, "message", message);
	append_member(&json, "permission", permission);
	if (grants != NULL)
	{
		appendStringInfo(&json, ",\"org\":" INT64_FORMAT ",\"member\":" INT64_FORMAT, grants->org, grants->member);
		append_member(&json, "name", grants->member_name);
	}
	append_session(&json);
	write_line(json.data);
	pfree(json.data);
}

/* Logs a refusal and raises it; detail and hint may be NULL. */
void
rbac_refusal_raise(const char *kind, const RbacGrants *grants, const char *permission,
				   const char *message, const char *detail, const char *hint)
{
	rbac_refusal_log(kind, grants, permission, message);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s", message),
			 detail != NULL ? errdetail("%s", detail) : 0,
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* What PostgreSQL refuses on our behalf, by the function that says so; NULL for all else. */
static const char *
kind_of_error(const ErrorData *error)
{
	if (error->elevel < ERROR || error->sqlerrcode != ERRCODE_INSUFFICIENT_PRIVILEGE ||
		error->funcname == NULL || error->message == NULL)
		return NULL;
	if (strcmp(error->funcname, "ExecWithCheckOptions") == 0)
		return "policy";
	if (strcmp(error->funcname, "aclcheck_error") == 0 && error->message_id != NULL &&
		strcmp(error->message_id, "permission denied for view %s") == 0)
		return "privilege";
	if (strncmp(error->funcname, "set_config_", strlen("set_config_")) == 0 &&
		strstr(error->message, "\"chat_rbac.") != NULL)
		return "identity";
	return NULL;
}

static bool
may_hold_token(const char *text)
{
	return text !=NULL && rbac_jwt_is_in(text);
}

static void
hide_token(ErrorData *error)
{
	error->hide_stmt |= may_hold_token(debug_query_string);
	error->hide_ctx |= may_hold_token(error->context);
	if (may_hold_token(error->internalquery))
		error->internalquery = NULL;
}

static void
log_error(ErrorData *error)
{
	const char *kind = kind_of_error(error);

	if (kind != NULL)
	{
		StringInfoData json;
		int64		org;
		int64		member;

		initStringInfo(&json);
		appendStringInfo(&json, "{\"kind\":\"%s\"", kind);
		append_member(&json, "message", error->message);
		if (rbac_identity_by_setting(&org, &member))
			appendStringInfo(&json, ",\"org\":" INT64_FORMAT ",\"member\":" INT64_FORMAT, org, member);
		append_session(&json);
		write_line(json.data);
		pfree(json.data);
	}
	hide_token(error);
	if (next_hook != NULL)
		next_hook(error);
}

void
rbac_refusal_init(void)
{
	next_hook = emit_log_hook;
	emit_log_hook = log_error;
}

/*-------------------------------------------------------------------------
 *
 * src/identity.c
 *	  Who is asking: settings turned into an identity.
 *
 * Identity is carried by settings because PostgreSQL already keeps those
 * right through SET LOCAL, savepoints, errors, DISCARD ALL, poolers and
 * parallel workers.  chat_rbac.identity may be set only by a superuser or a
 * role with SET on the parameter.  Without it, the current role is looked up
 * among the members' logins: the session user or what SET ROLE made of it, but
 * not the owner of a SECURITY DEFINER function.
 *
 * Nothing here reads a table.  Every change of a setting bumps
 * rbac_inval_epoch, so that no earlier answer is used again.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

/* No setting says who asks: the current role does. */
bool		rbac_identity_by_login = true;

/* What the check hook made of chat_rbac.identity. */
typedef struct SettingIdentity
{
	bool		given;
	int64		org;
	int64		member;
} SettingIdentity;

static char *identity_setting = NULL;
static char *active_roles_setting = NULL;
static char *request_id_setting = NULL;
static char *reason_setting = NULL;
static SettingIdentity current_setting_identity = {false, 0, 0};

/*
 * Read a decimal bigint from *at up to stop; false if there is none, if it does
 * not fit, or if anything but digits stands before stop.
 */
static bool
parse_id(const char *at, const char *stop, int64 *id)
{
	bool		negative = at < stop && *at == '-';
	int64		value = 0;

	if (negative)
		at++;
	if (at == stop)
		return false;
	for (; at < stop; at++)
	{
		if (*at < '0' || *at > '9')
			return false;
		/* count downwards: the most negative number has no positive twin */
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, *at - '0', &value))
			return false;
	}
	if (!negative && value == PG_INT64_MIN)
		return false;
	*id = negative ? value : -value;
	return true;
}

static bool
check_identity(char **newval, void **extra, GucSource source)
{
	SettingIdentity parsed = {false, 0, 0};
	const char *value = *newval;
	SettingIdentity *result;

	(void) source;
	if (value != NULL && value[0] != '\0')
	{
		const char *slash = strchr(value, '/');

		if (slash == NULL ||
			!parse_id(value, slash, &parsed.org) ||
			!parse_id(slash + 1, value + strlen(value), &parsed.member))
		{
			GUC_check_errdetail("An identity is the id of an org and the id of a member in it, as in \"12/345\".");
			return false;
		}
		parsed.given = true;
	}

	result = rbac_guc_malloc(sizeof(SettingIdentity));
	if (result == NULL)
		return false;
	*result = parsed;
	*extra = result;
	return true;
}

static void
assign_identity(const char *newval, void *extra)
{
	(void) newval;
	current_setting_identity = *(SettingIdentity *) extra;
	rbac_identity_by_login = !current_setting_identity.given;
	rbac_inval_epoch++;
}

static bool
check_active_roles(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names;
	bool		valid = SplitGUCList(copy, ',', &names);

	(void) extra;
	(void) source;
	list_free(names);
	pfree(copy);
	if (!valid)
		GUC_check_errdetail("List syntax is invalid: separate role names by commas, and put names with spaces in double quotes.");
	return valid;
}

static void
assign_active_roles(const char *newval, void *extra)
{
	(void) newval;
	(void) extra;
	rbac_inval_epoch++;
}

/*
 * rbac_identity_get
 *		Who asks, by the settings alone; whether there is such a member is for
 *		the tables to say.
 */
void
rbac_identity_get(RbacIdentity *identity)
{
	memset(identity, 0, sizeof(RbacIdentity));
	if (!rbac_identity_by_login)
	{
		identity->source = RBAC_BY_SETTING;
		identity->org = current_setting_identity.org;
		identity->member = current_setting_identity.member;
	}
	else
	{
		identity->source = RBAC_BY_LOGIN;
		identity->login = GetOuterUserId();
	}
}

/* The member that a setting says is asking, if one does; there may be none such. */
bool
rbac_identity_by_setting(int64 *org, int64 *member)
{
	*org = current_setting_identity.org;
	*member = current_setting_identity.member;
	return !rbac_identity_by_login;
}

/* The setting chat_rbac.active_roles; empty when all granted roles count. */
const char *
rbac_identity_active_roles(void)
{
	return active_roles_setting ? active_roles_setting : "";
}

/*
 * What is said of a deed is copied into each event.  It is checked here because a
 * value from the configuration, or of a connection's start, is in no encoding yet.
 */
static bool
check_words(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (*newval != NULL && strlen(*newval) > RBAC_REASON_BYTES)
	{
		GUC_check_errdetail("It is longer than %d bytes.", RBAC_REASON_BYTES);
		return false;
	}
	return true;
}

static const char *
valid_words(const char *setting)
{
	return setting == NULL || pg_verifymbstr(setting, strlen(setting), true) ? setting : "(invalid byte sequence)";
}

/* The settings chat_rbac.request_id and chat_rbac.reason; empty, if not NULL, when there is none. */
const char *
rbac_identity_request_id(void)
{
	return valid_words(request_id_setting);
}

const char *
rbac_identity_reason(void)
{
	return valid_words(reason_setting);
}

/* The names in a value of chat_rbac.active_roles: a List of C strings. */
List *
rbac_identity_role_names(const char *setting)
{
	List	   *names;

	if (!SplitGUCList(pstrdup(setting), ',', &names))
		elog(ERROR, "invalid list in \"chat_rbac.active_roles\"");
	return names;
}

void
rbac_identity_init(void)
{
	DefineCustomStringVariable("chat_rbac.identity",
							   "Who asks, as \"org_id/member_id\"; empty for the member whose login is the current role.",
							   "For a backend that is trusted to have authenticated the person: "
							   "superusers, and roles with GRANT SET ON PARAMETER chat_rbac.identity.",
							   &identity_setting, "", PGC_SUSET, 0,
							   check_identity, assign_identity, NULL);
	DefineCustomStringVariable("chat_rbac.active_roles",
							   "Narrows the session to some of the granted roles, by name; empty for all.",
							   NULL,
							   &active_roles_setting, "", PGC_USERSET, GUC_LIST_INPUT,
							   check_active_roles, assign_active_roles, NULL);
	DefineCustomStringVariable("chat_rbac.request_id",
							   "Free text that is to stand in the audit trail: the application's request.",
							   NULL,
							   &request_id_setting, "", PGC_USERSET, 0, check_words, NULL, NULL);
	DefineCustomStringVariable("chat_rbac.reason",
							   "Free text that is to stand in the audit trail: why this is done.",
							   NULL,
							   &reason_setting, "", PGC_USERSET, 0, check_words, NULL, NULL);
}

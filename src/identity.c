/*-------------------------------------------------------------------------
 *
 * src/identity.c
 *	  Who is asking: settings turned into an identity.
 *
 * Identity is carried by settings because PostgreSQL already keeps those
 * right through SET LOCAL, savepoints, errors, DISCARD ALL, poolers and
 * parallel workers.  chat_rbac.token, which anybody may set, is worth what its
 * signature is (token.c).  chat_rbac.identity may be set only by a superuser or a
 * role with SET on the parameter.  Without either, the current role is looked up
 * among the members' logins: the session user or what SET ROLE made of it, but
 * not the owner of a SECURITY DEFINER function.
 *
 * Through a transaction pooler a plain SET reaches the next client.  So each value
 * knows the transaction in which it was set, and with chat_rbac.identity_lifetime
 * = transaction it counts in that one only.  Parallel workers are told by the value
 * itself: SET appends the transaction to it, and SHOW leaves that out.
 *
 * ANALYZE, REINDEX, REFRESH MATERIALIZED VIEW and their like run what the owner of
 * a table has put there, index expressions say, and must not lend them the rights
 * of whoever maintains it.  So nobody asks in there.
 *
 * Nothing here reads a table.  Every change of a setting, and every end of a
 * transaction, bumps rbac_inval_epoch, so that no earlier answer is used again.
 *
 *-------------------------------------------------------------------------
 */
#include "chat_rbac.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define TRANSACTION_MARK '\x1f' /* between a value and its transaction */

typedef enum Lifetime
{
	LIFETIME_SESSION,
	LIFETIME_TRANSACTION
} Lifetime;

static const struct config_enum_entry lifetimes[] = {
	{"session", LIFETIME_SESSION, false},
	{"transaction", LIFETIME_TRANSACTION, false},
	{NULL, 0, false}
};

/* A transaction of this session's; a local id alone comes again after 2^32. */
typedef struct Transaction
{
	LocalTransactionId id;		/* invalid: none */
	TimestampTz begun;
} Transaction;

/* A value, as the check hook understood it. */
typedef struct Setting
{
	bool		given;
	Transaction set_in;			/* none: at the connection's start */
	int64		org;			/* of an identity */
	int64		member;
	char text[	FLEXIBLE_ARRAY_MEMBER]; /* without the transaction */
} Setting;

static char *token_value = NULL;
static char *identity_value = NULL;
static char *active_roles_value = NULL;
static char *request_id_value = NULL;
static char *reason_value = NULL;
static int	lifetime = LIFETIME_SESSION;

/* What the assign hooks were told; the settings own it. */
static const Setting *token = NULL;
static const Setting *identity = NULL;
static const Setting *active_roles = NULL;
static const Setting *request_id = NULL;
static const Setting *reason = NULL;

/* While a setting is defined it takes a value that was set before, who knows when. */
static bool defining = false;

/* Whom a token was found to name, for the log. */
static int64 token_org;
static int64 token_member;
static uint64 token_epoch = 0;

/* ---- when a value was set ---- */

/* The running transaction; a parallel worker's is its leader's. */
static Transaction
this_transaction(void)
{
	Transaction now = {InvalidLocalTransactionId, 0};

	if (MyProc != NULL)
	{
		now.id = rbac_transaction_of(MyProc->lockGroupLeader != NULL ? MyProc->lockGroupLeader : MyProc);
		now.begun = GetCurrentTransactionStartTimestamp();
	}
	return now;
}

static bool
is_of_this_transaction(const Setting *setting)
{
	Transaction now = this_transaction();

	return setting->set_in.id != InvalidLocalTransactionId &&
		setting->set_in.id == now.id && setting->set_in.begun == now.begun;
}

static bool
counts(const Setting *setting)
{
	return setting != NULL && setting->given && !InSecurityRestrictedOperation() &&
		(lifetime == LIFETIME_SESSION || is_of_this_transaction(setting));
}

/* A value beside the identity that a transaction before this one has set; one of the connection's start is everybody's. */
static bool
is_of_another_client(const Setting *setting)
{
	return lifetime == LIFETIME_TRANSACTION &&
		setting->set_in.id != InvalidLocalTransactionId && !is_of_this_transaction(setting);
}

/*
 * In a parallel worker: take the transaction off a value.  Only SET has put one
 * there; what came with the connection is as the client wrote it.
 */
static Transaction
take_transaction(char *value)
{
	char	   *mark = strrchr(value, TRANSACTION_MARK);
	Transaction result = {InvalidLocalTransactionId, 0};
	unsigned int id;
	long long	begun;

	if (mark == NULL)
		return result;
	if (sscanf(mark + 1, "%u.%lld", &id, &begun) == 2)
	{
		result.id = (LocalTransactionId) id;
		result.begun = (TimestampTz) begun;
	}
	*mark = '\0';
	return result;
}

/* What a check hook hands to its assign hook; NULL if there is no memory. */
static Setting *
new_setting(const char *value, GucSource source)
{
	Setting    *setting = rbac_guc_malloc(offsetof(Setting, text) + strlen(value) + 1);
	Transaction none = {InvalidLocalTransactionId, 0};
	Transaction unknown = {1, DT_NOBEGIN};

	if (setting == NULL)
		return NULL;
	memset(setting, 0, offsetof(Setting, text));
	strcpy(setting->text, value);
	setting->given = value[0] != '\0';
	if (source != PGC_S_SESSION)
		setting->set_in = none;
	else if (defining)
		setting->set_in = unknown;
	else if (InitializingParallelWorker)
		setting->set_in = take_transaction(setting->text);
	else
		setting->set_in = this_transaction();
	return setting;
}

/* Let a value that says who asks tell its transaction to parallel workers; false if there is no memory. */
static bool
mark_value(char **value, GucSource source, const Setting *setting)
{
	size_t		size = strlen(setting->text) + 48;
	char	   *marked;

	if (!setting->given || source != PGC_S_SESSION || InitializingParallelWorker)
		return true;
	marked = rbac_guc_malloc(size);
	if (marked == NULL)
		return false;
	snprintf(marked, size, "%s%c%u.%lld", setting->text, TRANSACTION_MARK,
			 (unsigned int) setting->set_in.id, (long long) setting->set_in.begun);
	rbac_guc_free(*value);
	*value = marked;
	return true;
}

/* ---- chat_rbac.token ---- */

/* Whatever it is: a bad token is an error where it is used, not an error that shows it. */
static bool
check_token(char **newval, void **extra, GucSource source)
{
	Setting    *setting = new_setting(*newval, source);

	*extra = setting;
	return setting != NULL && mark_value(newval, source, setting);
}

/* pg_stat_activity shows a session's last statement to all sessions of its role. */
static void
assign_token(const char *newval, void *extra)
{
	(void) newval;
	token = (const Setting *) extra;
	rbac_inval_epoch++;
	if (!InitializingParallelWorker && debug_query_string != NULL && rbac_jwt_is_in(debug_query_string))
		pgstat_report_activity(STATE_RUNNING, "(a statement with chat_rbac.token, not shown)");
}

/*
 * Nobody can read it back.  GUC_SUPERUSER_ONLY would do that too, but make
 * set_config(), which returns the value, an error.
 */
static const char *
show_token(void)
{
	return token->given ? "(hidden)" : "";
}

/* ---- chat_rbac.identity ---- */

/* An id of an identity, up to stop. */
static bool
read_id(const char *at, const char *stop, int64 *id)
{
	int64_t		number;

	if (!rbac_number_parse(at, (size_t) (stop - at), &number))
		return false;
	*id = number;
	return true;
}

static bool
check_identity(char **newval, void **extra, GucSource source)
{
	Setting    *setting = new_setting(*newval, source);

	if (setting == NULL)
		return false;
	if (setting->given)
	{
		const char *slash = strchr(setting->text, '/');

		if (slash == NULL ||
			!read_id(setting->text, slash, &setting->org) ||
			!read_id(slash + 1, setting->text +strlen(setting->text), &setting->member))
		{
			/* PostgreSQL's own message would show it */
			if (rbac_jwt_is_in(setting->text))
				GUC_check_errmsg("invalid value for parameter \"%s\"", "chat_rbac.identity");
			GUC_check_errdetail("An identity is the id of an org and the id of a member in it, as in \"12/345\".");
			rbac_guc_free(setting);
			return false;
		}
	}
	*extra = setting;
	return mark_value(newval, source, setting);
}

static void
assign_identity(const char *newval, void *extra)
{
	(void) newval;
	identity = (const Setting *) extra;
	rbac_inval_epoch++;
}

static const char *
show_identity(void)
{
	return identity->text;
}

static void
assign_lifetime(int newval, void *extra)
{
	(void) newval;
	(void) extra;
	rbac_inval_epoch++;
}

/*
 * What a client's PGOPTIONS say outranks what ALTER ROLE or ALTER DATABASE do,
 * while we are not loaded; then it is refused, and neither is left.
 */
static bool lifetime_accepted = false;

static bool
check_lifetime(int *newval, void **extra, GucSource source)
{
	(void) newval;
	(void) extra;
	lifetime_accepted |= source != PGC_S_DEFAULT;
	return true;
}

static void
define_lifetime(void)
{
	bool		placed = GetConfigOption("chat_rbac.identity_lifetime", true, false) != NULL;

	DefineCustomEnumVariable("chat_rbac.identity_lifetime",
							 "For how long a token or an identity counts that was set: for the session, or for that transaction.",
							 "Behind a pooler that gives a connection to another client after each transaction it must be \"transaction\".",
							 &lifetime, LIFETIME_SESSION, lifetimes, PGC_SUSET, 0,
							 check_lifetime, assign_lifetime, NULL);
	if (placed && !lifetime_accepted)
		SetConfigOption("chat_rbac.identity_lifetime", "transaction", PGC_SUSET, PGC_S_OVERRIDE);
}

/* ---- who asks ---- */

/*
 * rbac_identity_get
 *		Who asks, by the settings alone.  Whom a token names, and whether there is
 *		such a member, is for the tables to say.
 */
void
rbac_identity_get(RbacIdentity *out)
{
	memset(out, 0, sizeof(RbacIdentity));
	if (counts(token))
		out->source = RBAC_BY_TOKEN;
	else if (counts(identity))
	{
		out->source = RBAC_BY_SETTING;
		out->org = identity->org;
		out->member = identity->member;
	}
	else
	{
		out->source = RBAC_BY_LOGIN;
		out->login = InSecurityRestrictedOperation() ? InvalidOid : GetOuterUserId();
	}
}

/* The token, where one tells who asks. */
const char *
rbac_identity_token(void)
{
	return token->text;
}

bool
rbac_identity_by_login(void)
{
	return !counts(token) && !counts(identity);
}

/* "session" or "transaction". */
const char *
rbac_identity_lifetime(void)
{
	return lifetimes[lifetime].name;
}

/* A setting that would say who asks, had it been set in this transaction; NULL if there is none. */
const char *
rbac_identity_outlived(void)
{
	if (token->given && !counts(token))
		return "chat_rbac.token";
	if (identity->given && !counts(identity))
		return "chat_rbac.identity";
	return NULL;
}

/* Whom the token that is set was found to name. */
void
rbac_identity_note_token(int64 org, int64 member)
{
	token_org = org;
	token_member = member;
	token_epoch = rbac_inval_epoch;
}

/* The member that a setting says is asking, if one does and it is known; there may be none such. */
bool
rbac_identity_by_setting(int64 *org, int64 *member)
{
	bool		by_token = counts(token);

	if (by_token ? token_epoch != rbac_inval_epoch : !counts(identity))
		return false;
	*org = by_token ? token_org : identity->org;
	*member = by_token ? token_member : identity->member;
	return true;
}

static void
at_end_of_transaction(XactEvent event, void *arg)
{
	(void) event;
	(void) arg;
	rbac_inval_epoch++;
}

/* ---- chat_rbac.active_roles ---- */

static bool
check_active_roles(char **newval, void **extra, GucSource source)
{
	Setting    *setting = new_setting(*newval, source);
	char	   *copy;
	List	   *names;
	bool		valid;

	if (setting == NULL)
		return false;
	copy = pstrdup(setting->text);
	valid = SplitGUCList(copy, ',', &names);
	list_free(names);
	pfree(copy);
	if (!valid)
	{
		GUC_check_errdetail("List syntax is invalid: separate role names by commas, and put names with spaces in double quotes.");
		rbac_guc_free(setting);
		return false;
	}
	*extra = setting;
	return mark_value(newval, source, setting);
}

static void
assign_active_roles(const char *newval, void *extra)
{
	(void) newval;
	active_roles = (const Setting *) extra;
	rbac_inval_epoch++;
}

static const char *
show_active_roles(void)
{
	return active_roles->text;
}

/* The setting chat_rbac.active_roles; empty when all granted roles count. */
const char *
rbac_identity_active_roles(void)
{
	return is_of_another_client(active_roles) ? "" : active_roles->text;
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

/* ---- what is said of a deed ---- */

/*
 * It is copied into each event.  It is checked here because a value from the
 * configuration, or of a connection's start, is in no encoding yet.
 */
static bool
check_words(char **newval, void **extra, GucSource source)
{
	if (strlen(*newval) > RBAC_REASON_BYTES)
	{
		GUC_check_errdetail("It is longer than %d bytes.", RBAC_REASON_BYTES);
		return false;
	}
	return (*extra = new_setting(*newval, source)) != NULL;
}

static void
assign_request_id(const char *newval, void *extra)
{
	(void) newval;
	request_id = (const Setting *) extra;
}

static void
assign_reason(const char *newval, void *extra)
{
	(void) newval;
	reason = (const Setting *) extra;
}

static const char *
valid_words(const Setting *setting)
{
	if (setting == NULL || is_of_another_client(setting))
		return NULL;
	return pg_verifymbstr(setting->text, strlen(setting->text), true) ? setting->text : "(invalid byte sequence)";
}

/* The settings chat_rbac.request_id and chat_rbac.reason; empty, if not NULL, when there is none. */
const char *
rbac_identity_request_id(void)
{
	return valid_words(request_id);
}

const char *
rbac_identity_reason(void)
{
	return valid_words(reason);
}

void
rbac_identity_init(void)
{
	defining = true;
	DefineCustomStringVariable("chat_rbac.token",
							   "Who asks, as a signed JSON Web Token; empty for none.",
							   "Anybody may set it: it is worth what its signature is.",
							   &token_value, "", PGC_USERSET,
							   GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							   check_token, assign_token, show_token);
	DefineCustomStringVariable("chat_rbac.identity",
							   "Who asks, as \"org_id/member_id\"; empty for the member whose login is the current role.",
							   "For a backend that is trusted to have authenticated the person: "
							   "superusers, and roles with GRANT SET ON PARAMETER chat_rbac.identity.",
							   &identity_value, "", PGC_SUSET, 0,
							   check_identity, assign_identity, show_identity);
	define_lifetime();
	DefineCustomStringVariable("chat_rbac.active_roles",
							   "Narrows the session to some of the granted roles, by name; empty for all.",
							   NULL,
							   &active_roles_value, "", PGC_USERSET, GUC_LIST_INPUT,
							   check_active_roles, assign_active_roles, show_active_roles);
	DefineCustomStringVariable("chat_rbac.request_id",
							   "Free text that is to stand in the audit trail: the application's request.",
							   NULL,
							   &request_id_value, "", PGC_USERSET, 0, check_words, assign_request_id, NULL);
	DefineCustomStringVariable("chat_rbac.reason",
							   "Free text that is to stand in the audit trail: why this is done.",
							   NULL,
							   &reason_value, "", PGC_USERSET, 0, check_words, assign_reason, NULL);
	defining = false;
	RegisterXactCallback(at_end_of_transaction, NULL);
}

# Who asks: by the setting, by the login, by nothing; and that nothing of it is
# left behind or can be had by whoever may not have it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The library is not preloaded here: what comes before its first use is a
# placeholder, which anybody may set.
my $node = new_cluster('late', preload => 0);
add_app($node);
add_inbox($node, rows => 200);
sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_trusted LOGIN;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_trusted;
CREATE ROLE regress_chat_rbac_owner LOGIN CREATEROLE;
CREATE DATABASE owned OWNER regress_chat_rbac_owner;
GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE FUNCTION public.load() RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT status FROM chat_rbac.whoami()';
SQL

my $all = 'SELECT count(*) FROM inbox.conversation';
my $who = "SELECT coalesce(org_id || '/' || member_id || ' ', '') || status FROM chat_rbac.whoami()";
my %app = (user => 'regress_chat_rbac_app');
my %trusted = (user => 'regress_chat_rbac_trusted');
my $warning;

# ---- an ordinary role, before the library is there ----

is(sql($node, "SET chat_rbac.identity = '1/1'; $all; $who", %app, stderr => \$warning),
	"0\nnobody", 'SET before the library is loaded gives no rows');
like($warning, qr/WARNING:  42501: permission denied to set parameter "chat_rbac.identity"/, '... and a warning');
is(sql($node, "$who; $all", %app, options => '-c chat_rbac.identity=1/1'), "nobody\n0", 'PGOPTIONS gives no rows');
is(sql($node, "SELECT set_config('chat_rbac.identity', '1/1', false); $all", %app), "1/1\n0", 'set_config() gives no rows');
is(sql($node, "SET chat_rbac.identity = '1/1'; SELECT public.load(); $all", %app),
	"nobody\n0", 'a superuser\'s function that loads the library does not lend its right');
is(sql($node, "SET chat_rbac.identity = 'garbage'; $all", %app), '0', 'a malformed placeholder gives no rows');
is(sql($node, "SET ROLE regress_chat_rbac_app; SET chat_rbac.identity = '1/1'; RESET ROLE; $who"), 'nobody',
	'nor does it help when a superuser\'s query loads it');
is(sql($node, "SET ROLE regress_chat_rbac_app; SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_trusted; $who; $all"),
	"nobody\n0", 'it is the setter\'s right that counts, not that of who loads');

# every place in a transaction where the library may be loaded, and what is undone after
for my $steps (
	"SET LOCAL chat_rbac.identity = '1/1'; $all; ROLLBACK",
	"SET chat_rbac.identity = '1/1'; $all; COMMIT",
	"SET chat_rbac.identity = '1/1'; SAVEPOINT a; SET LOCAL chat_rbac.identity = '1/2'; $all; ROLLBACK TO a; $all; COMMIT",
	"SAVEPOINT a; SET LOCAL chat_rbac.identity = '1/1'; SAVEPOINT b; $all; ROLLBACK TO b; $all; RELEASE a; $all; COMMIT",
	"SET chat_rbac.identity = '1/1'; SAVEPOINT a; RESET chat_rbac.identity; $all; ROLLBACK TO a; $all; COMMIT")
{
	my $out = sql($node, "BEGIN; $steps; $all; $who", %app);
	like($out, qr/^(0\n)+nobody$/, "no rows: $steps");
}

fails($node, "ALTER ROLE regress_chat_rbac_app SET chat_rbac.identity = '1/1'",
	'42501', 'permission denied to set parameter "chat_rbac.identity"', 'ALTER ROLE SET for oneself is refused', %app);
fails($node, "ALTER DATABASE owned SET chat_rbac.identity = '1/1'",
	'42501', 'permission denied to set parameter', 'ALTER DATABASE SET by its owner is refused', user => 'regress_chat_rbac_owner');
fails($node, "ALTER ROLE regress_chat_rbac_app SET chat_rbac.identity = '1/1'",
	'42501', 'permission denied', 'ALTER ROLE SET by a role with CREATEROLE is refused',
	user => 'regress_chat_rbac_owner');
fails($node, "CREATE FUNCTION public.f() RETURNS bigint SET chat_rbac.identity = '1/1' LANGUAGE sql AS '$all'",
	'42501', 'permission denied to set parameter', 'a function\'s SET clause is refused', %app);

# ---- who may ----

is(sql($node, "SET chat_rbac.identity = '1/1'; $all; $who", %trusted), "200\n1/1 active", 'with SET on the parameter, before loading');
is(sql($node, "$all; SET chat_rbac.identity = '1/1'; $all", %trusted), "0\n200", '... after loading');
is(sql($node, "$all", %trusted, options => '-c chat_rbac.identity=1/1'), '200', '... by PGOPTIONS');
sql($node, "ALTER ROLE regress_chat_rbac_app SET chat_rbac.identity = '1/3'");
is(sql($node, "$who; RESET ALL; $who; DISCARD ALL; $who", %app), join("\n", ('1/3 active') x 3),
	'a superuser\'s ALTER ROLE SET counts, and is what RESET ALL goes back to');
sql($node, "ALTER ROLE regress_chat_rbac_app RESET chat_rbac.identity; ALTER DATABASE postgres SET chat_rbac.identity = '1/4'");
is(sql($node, $who, %app), '1/4 active', '... ALTER DATABASE SET');
sql($node, 'ALTER DATABASE postgres RESET chat_rbac.identity');
sql($node, 'REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_trusted');
is(sql($node, "SET chat_rbac.identity = '1/1'; $all", %trusted), '0', 'the right is gone when it is revoked');
sql($node, 'GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_trusted');

# ---- the library is there from the session's start ----

sql($node, "ALTER SYSTEM SET session_preload_libraries = 'chat_rbac'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('session_preload_libraries') = 'chat_rbac'")
  or die 'the setting does not arrive';

fails($node, "SET chat_rbac.identity = '1/1'", '42501', 'permission denied to set parameter "chat_rbac.identity"',
	'SET without the right', %app);
fails($node, "SELECT set_config('chat_rbac.identity', '1/1', true)", '42501', 'permission denied', 'set_config() without the right', %app);
is(sql($node, "$who; $all", %app, options => '-c chat_rbac.identity=1/1', stderr => \$warning), "nobody\n0", 'PGOPTIONS without the right');
like($warning, qr/WARNING:  permission denied to set parameter/, '... warns');
fails($node, "SET chat_rbac.identiy = '1/1'", '42602', 'invalid configuration parameter name "chat_rbac.identiy"', 'a misspelt setting', %trusted);
is(sql($node, $who, %trusted, options => '-c chat_rbac.identiy=1/1', stderr => \$warning), 'nobody', 'a misspelt setting by PGOPTIONS is dropped');
like($warning, qr/WARNING:  invalid configuration parameter name "chat_rbac.identiy", removing it/, '... with a warning');

for my $value ('1', '1/', '/1', '/', '1/2/3', ' 1/2', '1/2 ', '1 /2', 'a/b', '+1/2', '1/0x2', '1/2.0', '--1/2', '1/-',
	'1/9223372036854775808', '-9223372036854775809/1', '99999999999999999999999/1', '１/２', '001/0099')
{
	my $err = fails($node, "SET chat_rbac.identity = '$value'", '22023',
		qr/invalid value for parameter "chat_rbac.identity": "\Q$value\E"/, "\"$value\" is no identity", %trusted);
	like($err, qr{DETAIL:  An identity is the id of an org and the id of a member in it, as in "12/345"\.}, '... and says what is');
}
for my $value ('9223372036854775807/-9223372036854775808', '-9223372036854775808/0', '3/1', '1/99')
{
	is(sql($node, "SET chat_rbac.identity = '$value'; $who; $all", %trusted), "nobody\n0", "\"$value\" is an identity, of nobody");
}
is(sql($node, "SET chat_rbac.identity = '1/5'; $who; $all; SELECT coalesce(chat_rbac.current_member(), -1)", %trusted),
	"1/5 inactive\n0\n-1", 'an inactive member sees nothing');
for my $nobody ('1/5', '1/6', '1/99', '3/1')
{
	my $set = "SET chat_rbac.identity = '$nobody';";

	sees_right($node, $nobody);
	fails($node, "$set INSERT INTO inbox.conversation VALUES (1, 9001, 2, NULL, 1, '')", '42501',
		'(?:no active member is asking|permission "conversation.create" is needed) to insert', "$nobody cannot insert", %trusted);
	is(sql($node, "$set WITH u AS (UPDATE inbox.conversation SET title = '' RETURNING 1), d AS (DELETE FROM inbox.task RETURNING 1)"
				. ' SELECT (SELECT count(*) FROM u), (SELECT count(*) FROM d)', %trusted), '0|0', "... update or delete");
}
sees_right($node, $_) for @MEMBERS;

# ---- nothing is left behind ----

my $be = "SET chat_rbac.identity = '1/1'; $who";
for my $end ('DISCARD ALL', 'RESET ALL', 'RESET chat_rbac.identity', "SET chat_rbac.identity = ''", 'SET chat_rbac.identity TO DEFAULT')
{
	is(sql($node, "$be; $end; $who; $all", %trusted), "1/1 active\nnobody\n0", "$end leaves no identity");
}
for my $end ('ROLLBACK', 'COMMIT', 'SELECT 1 / 0; ROLLBACK', 'SELECT 1 / 0; COMMIT')
{
	for my $set (qw(LOCAL SESSION))
	{
		next if $end eq 'COMMIT' && $set eq 'SESSION';
		is(sql($node, "BEGIN; SET $set chat_rbac.identity = '1/1'; $all; $end; $who; $all", %trusted, go_on => 1),
			"200\nnobody\n0", "SET $set, then $end leaves no identity");
	}
}
is(sql($node, "BEGIN; SET LOCAL chat_rbac.identity = '1/3'; SAVEPOINT a; SET LOCAL chat_rbac.identity = '1/1'; $who;"
		. " SELECT 1 / 0; ROLLBACK TO a; $who; RELEASE a; SET LOCAL chat_rbac.identity = '1/4'; COMMIT; $who", %trusted, go_on => 1),
	"1/1 active\n1/3 active\nnobody", 'savepoints bring back the one before');
is(sql($node, "SET chat_rbac.identity = '1/3'; DO \$\$ BEGIN PERFORM set_config('chat_rbac.identity', '1/1', false); PERFORM 1 / 0;"
		. " EXCEPTION WHEN division_by_zero THEN NULL; END \$\$; $who", %trusted), '1/3 active', 'so does an error inside a block');
is(sql($node, <<"SQL", %trusted), "1/4 active\n1/3 active", 'a function\'s SET clause ends with it');
CREATE FUNCTION public.as_ina() RETURNS text SET chat_rbac.identity = '1/4' LANGUAGE sql AS \$\$$who\$\$;
SET chat_rbac.identity = '1/3'; SELECT public.as_ina(); $who
SQL
sql($node, 'DROP FUNCTION public.as_ina()');

# ---- logins ----

sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_ali LOGIN;
CREATE ROLE regress_chat_rbac_sue LOGIN;
GRANT regress_chat_rbac_ali, regress_chat_rbac_sue TO regress_chat_rbac_app, regress_chat_rbac_trusted;
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_ali' WHERE (org_id, member_id) = (1, 3);
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_sue' WHERE (org_id, member_id) = (1, 2);
CREATE FUNCTION public.by_ali() RETURNS text SECURITY DEFINER LANGUAGE sql
	AS 'SELECT current_user || '' '' || status FROM chat_rbac.whoami()';
CREATE FUNCTION public.rows_by_ali() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT count(*) FROM inbox.conversation';
ALTER FUNCTION public.by_ali() OWNER TO regress_chat_rbac_ali;
ALTER FUNCTION public.rows_by_ali() OWNER TO regress_chat_rbac_ali;
SQL
my %ali = (user => 'regress_chat_rbac_ali');

is(sql($node, digest_sql(), %ali), right_digest($node, '1/3'), 'a login is its member');
is(sql($node, "SET ROLE regress_chat_rbac_ali; $who; SET ROLE regress_chat_rbac_sue; $who; RESET ROLE; $who", %app),
	"1/3 active\n1/2 active\nnobody", 'SET ROLE changes who asks');
is(sql($node, "BEGIN; SET LOCAL ROLE regress_chat_rbac_ali; $who; ROLLBACK; $who; BEGIN; SET LOCAL ROLE regress_chat_rbac_ali; SELECT 1 / 0; COMMIT; $who",
		%app, go_on => 1), "1/3 active\nnobody\nnobody", '... until the transaction ends');
is(sql($node, "SET SESSION AUTHORIZATION regress_chat_rbac_ali; $who; RESET SESSION AUTHORIZATION; $who"),
	"1/3 active\nnobody", 'so does SET SESSION AUTHORIZATION');
is(sql($node, 'SELECT public.by_ali(), public.rows_by_ali()', %app), 'regress_chat_rbac_ali nobody|0', 'a SECURITY DEFINER function does not lend its owner\'s');
is(sql($node, 'SET ROLE regress_chat_rbac_sue; SELECT public.by_ali(), public.rows_by_ali()', %app),
	'regress_chat_rbac_ali active|100', '... and leaves the caller his own');
is(sql($node, "SET ROLE regress_chat_rbac_ali; SET chat_rbac.identity = '1/4'; $who", user => 'regress_chat_rbac_trusted', go_on => 1),
	'1/3 active', 'under SET ROLE the right to the setting is that role\'s');
is(sql($node, "SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_ali; $who; RESET ALL; $who", %trusted),
	"1/4 active\n1/3 active", 'the setting beats the login');
fails($node, "UPDATE chat_rbac.member SET login = 'regress_chat_rbac_ali' WHERE member_id = 6", '23505', 'duplicate key', 'one login is one member');

sql($node, 'ALTER ROLE regress_chat_rbac_ali RENAME TO regress_chat_rbac_alison');
is(sql($node, $who, user => 'regress_chat_rbac_alison'), '1/3 active', 'a renamed login keeps its member');
sql($node, 'CREATE ROLE regress_chat_rbac_ali LOGIN');
is(sql($node, "$who; $all", %ali), "nobody\n0", '... and a new role of the old name has none');
sql($node, 'DROP OWNED BY regress_chat_rbac_alison; DROP ROLE regress_chat_rbac_alison; CREATE ROLE regress_chat_rbac_alison LOGIN');
is(sql($node, "$who; $all", user => 'regress_chat_rbac_alison'), "nobody\n0", 'a dropped login is nobody, nor is its successor');

# an open session whose role is dropped under it
{
	sql($node, "CREATE ROLE regress_chat_rbac_gone LOGIN; UPDATE chat_rbac.member SET login = 'regress_chat_rbac_gone' WHERE (org_id, member_id) = (1, 1)");
	my $psql = $node->background_psql('postgres', extra_params => [ '-U', 'regress_chat_rbac_gone' ], on_error_stop => 0);

	is($psql->query($all), '200', 'a session of a login');
	sql($node, 'UPDATE chat_rbac.member SET login = NULL WHERE (org_id, member_id) = (1, 1)');
	is($psql->query($all), '0', '... sees nothing when it is nobody\'s any more');
	sql($node, "UPDATE chat_rbac.member SET login = 'regress_chat_rbac_gone' WHERE (org_id, member_id) = (1, 1)");
	is($psql->query($all), '200', '... and again when it is');
	$psql->quit;
}

# ---- narrowing to some roles ----

my $tasks = 'SELECT count(*) FROM inbox.task';
is(as_member($node, '1/2', "$tasks; SET chat_rbac.active_roles = 'agent'; $tasks; SELECT chat_rbac.current_roles();"
		. " BEGIN; SET LOCAL chat_rbac.active_roles = 'lead'; $tasks; ROLLBACK; $tasks; RESET ALL; $who"),
	"30\n10\n{agent}\n30\n10\nnobody", 'active roles narrow, and end like other settings');
fails($node, "SET chat_rbac.identity = '1/3'; SET chat_rbac.active_roles = 'admin'; $all", '0P000',
	'role "admin" in "chat_rbac.active_roles" is not granted to the current member', 'a role not granted is an error', %trusted);
fails($node, q{SET chat_rbac.active_roles = '"a'}, '22023', 'invalid value for parameter', 'a malformed list', %trusted);
is(sql($node, "SET chat_rbac.active_roles = 'admin'; $all", %app), '0', 'nobody stays nobody');

# ---- several databases ----

sql($node, 'CREATE DATABASE second');
sql($node, 'CREATE DATABASE bare');
add_inbox($node, db => 'second', rows => 40);
sql($node, "UPDATE chat_rbac.member SET login = 'regress_chat_rbac_sue' WHERE (org_id, member_id) = (1, 4)", db => 'second');
is(sql($node, "$who; $all", user => 'regress_chat_rbac_sue'), "1/2 active\n100", 'a login is one member here');
is(sql($node, "$who; \\c postgres\n$who; \\c second\n$who", user => 'regress_chat_rbac_sue', db => 'second'),
	"1/4 active\n1/2 active\n1/4 active", '... and another there');
is(sql($node, "SET chat_rbac.identity = '2/1'; $all", %trusted, db => 'second'), '40', 'the setting means this database\'s member');
sql($node, "ALTER DATABASE bare SET chat_rbac.identity = '1/1'");
is(sql($node, 'SELECT 1', %app, db => 'bare'), '1', 'where the extension is not, the library is in nobody\'s way');
fails($node, 'SELECT chat_rbac.whoami()', '3F000', 'schema "chat_rbac" does not exist', '... and answers nothing', %app, db => 'bare');

$node->stop;
done_testing();

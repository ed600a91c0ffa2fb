# Through a pooler: each transaction is in the name of whom it says, and of nobody
# else.  pgbouncer in transaction and session mode, psql and pgbench, what PostgREST
# sends, and an application of 200 people on a pool of node-postgres.
#
# CHAT_RBAC_POOL_SECONDS says how long that application works (5).

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
if (!$pgbouncer)
{
	diag('pgbouncer is not installed: nothing is tested through a pooler');
	plan skip_all => 'pgbouncer is not installed';
}

# ---- two orgs of a hundred people, each with own tasks, in rows of the same ids ----

my $node = new_cluster('main', conf => "max_connections = 40\nautovacuum = off\nlog_statement = none");
sql($node, <<'SQL');
CREATE EXTENSION chat_rbac;
INSERT INTO chat_rbac.org VALUES (1, 'one'), (2, 'two');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, m, 'm' || m FROM generate_series(1, 2) AS o, generate_series(1, 100) AS m;
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, 1000, 'sign-in' FROM generate_series(1, 2) AS o;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, r, name, permissions::chat_rbac.permset FROM generate_series(1, 2) AS o, (VALUES
	(1, 'person', '{task.view@own, task.create@own, task.edit@own}'), (2, 'issuer', '{token.issue}')) AS v (r, name, permissions);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT org_id, member_id, CASE member_id WHEN 1000 THEN 2 ELSE 1 END FROM chat_rbac.member;
CREATE SCHEMA desk;
CREATE TABLE desk.task (org_id bigint, id bigint, assignee_id bigint, body text, times int DEFAULT 0, PRIMARY KEY (org_id, id));
INSERT INTO desk.task SELECT o, m * 10 + n, m, format('%s/%s/%s', o, m, m * 10 + n)
	FROM generate_series(1, 2) AS o, generate_series(1, 100) AS m, generate_series(0, 3) AS n WHERE n <= (m + o) % 4;
INSERT INTO desk.task SELECT o, i, NULL, 'nobody''s' FROM generate_series(1, 2) AS o, generate_series(2001, 2020) AS i;
CREATE INDEX ON desk.task (org_id, assignee_id);
ANALYZE;
SELECT chat_rbac.protect('desk.task', '{"resource": "task", "org": "org_id", "relations": {"own": {"assignee_id": "$member"}}}');
GRANT USAGE ON SCHEMA desk TO PUBLIC;
GRANT SELECT, INSERT, UPDATE ON desk.task TO PUBLIC;

-- the application's role, where a setting lives as long as the session, and where it may not outlive its transaction
CREATE ROLE regress_chat_rbac_app LOGIN;
CREATE ROLE regress_chat_rbac_brief LOGIN;
ALTER ROLE regress_chat_rbac_brief SET chat_rbac.identity_lifetime = 'transaction';
CREATE ROLE regress_chat_rbac_other LOGIN;
CREATE ROLE regress_chat_rbac_late LOGIN;
CREATE ROLE regress_chat_rbac_gate LOGIN NOINHERIT;
CREATE ROLE regress_chat_rbac_web;
GRANT regress_chat_rbac_web TO regress_chat_rbac_gate;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app, regress_chat_rbac_brief, regress_chat_rbac_other, regress_chat_rbac_late;
SQL

my %token;    # of org/member
sql($node, 'SELECT chat_rbac.create_signing_key()');
for my $org (1, 2)
{
	my $made = sql($node, "SET chat_rbac.identity = '$org/1000';"
		  . " SELECT member_id || '|' || chat_rbac.issue_token(member_id, '1 hour') FROM chat_rbac.member WHERE org_id = $org AND member_id < 1000");

	$token{"$org/$1"} = $2 while $made =~ /^(\d+)\|(\S+)$/mg;
}
is(scalar(keys %token), 200, '200 people have a token');

# ---- pgbouncer, and the same cluster seen through it ----

my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $log = "$PostgreSQL::Test::Utils::log_path/016_pooler_pgbouncer.log";
my $server = 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres';
append_to_file("$dir/users", qq("$_" ""\n))
  for sql($node, 'SELECT current_user'), map { "regress_chat_rbac_$_" } qw(app brief other late gate);
append_to_file("$dir/pgbouncer.ini", <<"INI");
[databases]
one = $server pool_mode=transaction pool_size=1
few = $server pool_mode=transaction pool_size=3
session = $server pool_mode=session pool_size=1
sessions = $server pool_mode=session pool_size=4
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users
max_client_conn = 500
server_reset_query = DISCARD ALL
query_wait_timeout = 60
log_connections = 0
log_disconnections = 0
logfile = $log
INI
# From 1.21 on it keeps the named prepared statements of each client of a pool.
my ($version) = `$pgbouncer --version` =~ /PgBouncer (\d+\.\d+)/;
my ($major, $minor) = split /\./, $version;
my $keeps_statements = $major > 1 || $minor >= 21;
append_to_file("$dir/pgbouncer.ini", "max_prepared_statements = 100\n") if $keeps_statements;

my $daemon = IPC::Run::start([ $pgbouncer, '-q', "$dir/pgbouncer.ini" ], '<', \undef, '&>', "$dir/output");

END
{
	my $status = $?;

	$daemon->kill_kill(grace => 10) if $daemon;
	$? = $status;
}

my $pooler = bless({ %$node, _host => $dir, _port => $port }, ref $node);
$pooler->poll_query_until('one', 'SELECT true') or die 'pgbouncer does not answer: ' . slurp_file("$dir/output");

my %app = (user => 'regress_chat_rbac_app');
my %brief = (user => 'regress_chat_rbac_brief');
my %one = (%app, db => 'one');

my $own = "SELECT string_agg(body, ' ' ORDER BY id) FROM desk.task";
my $who = "SELECT coalesce(org_id || '/' || member_id || ' ', '') || status FROM chat_rbac.whoami()";
my $pid = 'SELECT pg_backend_pid()';

# What each person should see.
my %right = map { split /\|/ } split /\n/, sql($node, "SELECT org_id || '/' || assignee_id, string_agg(body, ' ' ORDER BY id)"
	  . " FROM desk.task WHERE assignee_id IS NOT NULL GROUP BY org_id, assignee_id");

# How a person is named in SQL: by the identity or the token; local or not.
my %named = (
	identity => sub { ('chat_rbac.identity', shift) },
	token => sub { ('chat_rbac.token', $token{ $_[0] }) });

sub name_by
{
	my ($how, $person, $call) = @_;
	my ($setting, $value) = $named{$how}->($person);

	return $call =~ /^SET/ ? "$call $setting = '$value'" : "SELECT set_config('$setting', '$value', $call) \\g /dev/null\n";
}

isnt($right{'1/7'}, $right{'2/7'}, 'people of two orgs have different tasks');
my $backend = sql($pooler, $pid, %one);
is(sql($pooler, $pid, %one), $backend, 'the clients of a pool of one have the same backend');

# ---- transaction mode: for the transaction only ----

for my $how (qw(identity token))
{
	for my $call ('SET LOCAL', 'true')
	{
		my $be = name_by($how, '1/7', $call);

		for my $end ('COMMIT', 'ROLLBACK', 'SELECT 1 / 0; ROLLBACK', 'SELECT 1 / 0; COMMIT', 'COMMIT AND CHAIN')
		{
			is(sql($pooler, "BEGIN; $be; $own; $who; $end; $own; $who; ROLLBACK", %one, go_on => 1),
				$right{'1/7'} . "\n1/7 active\n\nnobody", "$how by $call is there until $end");
			is(sql($pooler, "$pid; $own; $who", %one), "$backend\n\nnobody", '... and the next client of that backend is nobody');
		}
		is(sql($pooler, "$be; $own; $who", %one), "\nnobody", "$how by $call without a transaction ends with its statement");
	}

	# in one message, which is one transaction
	my $local = name_by($how, '2/9', 'SET LOCAL');
	is(sql($pooler, "BEGIN\\; $local\\; $own\\; COMMIT\\; $own;", %one), $right{'2/9'} . "\n", "$how in one message of several statements");
}

# a client that leaves inside of its transaction takes the backend along
for my $how (qw(identity token))
{
	is(sql($pooler, 'BEGIN; ' . name_by($how, '2/9', 'SET LOCAL') . "; $own", %one), $right{'2/9'}, "$how, and the client leaves inside of the transaction");
	is(sql($pooler, "$own; $who", %one), "\nnobody", '... the next client is nobody');
}

# a prepared statement of SQL, which pgbouncer 1.18 leaves to the backend
is(sql($pooler, "PREPARE mine AS $own; " . join('', map { my $p = $_; map { 'BEGIN; ' . name_by($_, $p, 'SET LOCAL') . '; EXECUTE mine; COMMIT; ' } qw(identity token) }
			('1/7', '2/7') x 4) . 'EXECUTE mine; DEALLOCATE mine', %one),
	join("\n", map { ($right{$_}) x 2 } ('1/7', '2/7') x 4) . "\n", 'a prepared statement answers to whom the transaction names');

# Simple and extended protocol: each transaction is that of somebody else, or nobody.
my $benches = 0;

sub bench
{
	my ($where, $options, $name, %opt) = @_;
	my $call = $opt{call} // 'true';
	my $be = "SELECT set_config('chat_rbac.identity', (:o)::text || '/' || (:m)::text, $call) AS named \\gset";
	my $mine = 'count(*) = 1 + ((:m)::int + (:o)::int) % 4 AND bool_and(org_id = :o AND assignee_id = :m)';
	my $is_me = "SELECT 1 / ($mine)::int AS mine FROM desk.task \\gset";
	my $nobody = 'SELECT 1 / (count(*) = 0)::int AS none FROM desk.task \\gset';
	my $person = "\\set o random(1, 2)\n\\set m random(1, 100)\n";
	my %script = (
		commit => "${person}BEGIN;\n$be\n$is_me\nCOMMIT;\n$nobody",
		rollback => "${person}BEGIN;\n$be\n$is_me\nROLLBACK;\n$nobody",
		# two by turns
		turns => join('', map { "\\set o $_\n\\set m 7\nBEGIN;\n$be\n$is_me\nCOMMIT;\n" } (1, 2) x 4),
		session => "$nobody\n$person$be\n$is_me\n$is_me\nBEGIN;\n$is_me\nROLLBACK;\n$is_me");
	$script{broken} = "${person}BEGIN;\n$is_me\nCOMMIT;";

	local $ENV{PGOPTIONS} = $opt{options} // '';
	$where->pgbench(
		"-n -c 4 -j 4 -t $opt{times} -U $opt{user} $options",
		$opt{fails} ? 2 : 0,
		[qr/transactions actually processed: /],
		[ $opt{fails} ? qr/division by zero/ : qr/^(?!.*(?:ERROR|aborted))/s ],
		$name,
		{ map { ("bench" . ++$benches . "_$_" => $script{$_}) } @{ $opt{scripts} } },
		$opt{db});
	return;
}

for my $protocol (qw(simple extended))
{
	bench($pooler, "-M $protocol", "$protocol protocol, three backends for four clients", %app, db => 'few', times => 50, scripts => [qw(commit rollback turns)]);
}
SKIP:
{
	skip "pgbouncer $version has no named prepared statements in transaction mode", 1 if !$keeps_statements;
	bench($pooler, '-M prepared', 'named prepared statements, three backends for four clients', %app, db => 'few', times => 50, scripts => [qw(commit rollback turns)]);
}
bench($pooler, '-M extended', '... and the check finds who is not named', %app, db => 'few', times => 50, scripts => ['broken'], fails => 1);

# ---- transaction mode, and a plain SET ----

my $source = 'SELECT coalesce(source, \'\'), lifetime FROM chat_rbac.whoami()';

sub after_plain_set
{
	my ($how, %client) = @_;

	# what an earlier test has left goes with its backend
	my $first = sql($pooler, "RESET ALL; $pid", %client, db => 'one');
	sql($pooler, name_by($how, '1/7', 'SET'), %client, db => 'one');
	is(sql($pooler, $pid, %client, db => 'one'), $first, 'the next client has the same backend');
	return sql($pooler, "$own; $who; $source", %client, db => 'one');
}

for my $how (qw(identity token))
{
	is(after_plain_set($how, %app), $right{'1/7'} . "\n1/7 active\nchat_rbac.$how|session", "$how, lifetime session: a plain SET makes the next client the same person");
	is(sql($pooler, "$own; $who", db => 'one', user => 'regress_chat_rbac_other'), "\nnobody", '... but not a client of another role');
	like(after_plain_set($how, %brief), qr/^\nnobody\nlogin regress_chat_rbac_brief; chat_rbac\.$how is of an earlier transaction\|transaction$/,
		"$how, lifetime transaction: the next client is nobody, and is told why");

	my $plain = name_by($how, '1/8', 'SET');
	is(sql($pooler, "BEGIN; $plain; $own; $who; COMMIT; $own; $who", %brief, db => 'one'), $right{'1/8'} . "\n1/8 active\n\nnobody",
		'... within its transaction a plain SET counts');
	is(sql($pooler, "$plain\\; $own\\; $who;", %brief, db => 'one'), $right{'1/8'} . "\n1/8 active", '... also in one message');
	is(sql($pooler, 'BEGIN; ' . name_by($how, '2/7', 'SET LOCAL') . "; $own; COMMIT; $own", %brief, db => 'one'), $right{'2/7'} . "\n",
		'... and what an earlier client has left is not in the way of who names himself');
	is(sql($pooler, 'BEGIN; ' . name_by($how eq 'token' ? 'identity' : 'token', '2/7', 'SET LOCAL') . "; $own; COMMIT; $own", %brief, db => 'one'), $right{'2/7'} . "\n",
		'... or does so in another way');
	like(sql($pooler, "RESET ALL; $source", %brief, db => 'one'), qr/^login regress_chat_rbac_brief\|transaction$/, '... after RESET ALL there is nothing to tell');
}
fails($pooler, "SET chat_rbac.identity_lifetime = 'session'", '42501', 'permission denied to set parameter "chat_rbac.identity_lifetime"',
	'a client cannot choose the lifetime', %brief, db => 'one');

# the same for all roles of a database
my %late = (user => 'regress_chat_rbac_late');
sql($node, "ALTER DATABASE postgres SET chat_rbac.identity_lifetime = 'transaction'");
for my $how (qw(identity token))
{
	like(after_plain_set($how, %late), qr/^\nnobody\n.*is of an earlier transaction\|transaction$/, "$how, lifetime transaction by ALTER DATABASE: the next client is nobody");
}
sql($node, 'ALTER DATABASE postgres RESET chat_rbac.identity_lifetime');

# what is said for the audit trail
for my $client (\%app, \%brief)
{
	my $lasts = $client == \%app;
	my $task = 'UPDATE desk.task SET times = times + 1 WHERE id = 70';

	sql($pooler, "RESET ALL; SET chat_rbac.request_id = 'first client'; SET chat_rbac.reason = 'first reason'", %$client, db => 'one');
	sql($pooler, 'BEGIN; ' . name_by('identity', '1/7', 'SET LOCAL') . "; $task; COMMIT", %$client, db => 'one');
	sql($pooler, 'BEGIN; ' . name_by('identity', '1/7', 'SET LOCAL') . "; SET LOCAL chat_rbac.request_id = 'second'; SET LOCAL chat_rbac.reason = 'two'; $task; COMMIT",
		%$client, db => 'one');
	is(sql($node, "SELECT coalesce(request_id, '-'), coalesce(reason, '-') FROM chat_rbac.audit_event WHERE session_role = '$client->{user}' ORDER BY event_id"),
		($lasts ? 'first client|first reason' : '-|-') . "\nsecond|two",
		'the trail has the request and reason ' . ($lasts ? 'of an earlier client under lifetime session' : 'of its own transaction only'));
}

# ---- session mode: SET, and DISCARD ALL when the client leaves ----

for my $how (qw(identity token))
{
	my $be = name_by($how, '1/7', 'SET');

	$backend = sql($pooler, $pid, %app, db => 'session');
	is(sql($pooler, "$who; $be; $own; $own; BEGIN; $own; ROLLBACK; SELECT 1 / 0; $who; $pid", %app, db => 'session', go_on => 1),
		join("\n", 'nobody', ($right{'1/7'}) x 3, '1/7 active', $backend), "session mode: $how by SET is there for the session");
	is(sql($pooler, "$own; $who; $pid", %app, db => 'session'), "\nnobody\n$backend", '... and gone for the next client of that backend');
	sql($pooler, "BEGIN; $be; $own", %app, db => 'session');
	is(sql($pooler, "$own; $who", %app, db => 'session'), "\nnobody", '... also when the one before has left inside of a transaction');
}
# Each client is a new session; within it pgbench goes on from transaction to transaction.
bench($pooler, '-M prepared', 'session mode: named prepared statements, by turns for two people', %app, db => 'sessions', times => 25, scripts => [qw(commit turns)]);
bench($pooler, '-M prepared -C', '... and with SET, a session for each', %app, db => 'sessions', times => 10, scripts => ['session'], call => 'false');
for my $mode (qw(auto force_generic_plan))
{
	bench($node, '-M prepared', "directly: named prepared statements, by turns for two people, plan_cache_mode $mode",
		%app, db => 'postgres', times => 25, scripts => [qw(commit rollback turns)], options => "-c plan_cache_mode=$mode");
}

# ---- what PostgREST sends ----

sql($node, <<'SQL');
CREATE SCHEMA api;
GRANT USAGE ON SCHEMA api TO regress_chat_rbac_web;
-- A setting of a transaction that is over is an empty text, not NULL.
CREATE FUNCTION api.pre_request() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM set_config('chat_rbac.token', coalesce(
		nullif(current_setting('request.jwt', true), ''),
		substring(nullif(current_setting('request.headers', true), '')::json ->> 'authorization' FROM '^[Bb]earer +(.*)$'),
		''), true);
END $$;
SQL

# One request: what of its settings PostgREST makes, the function, the query.
sub request
{
	my ($setting, $value) = @_;

	return "BEGIN; SELECT set_config('search_path', 'api', true), set_config('role', 'regress_chat_rbac_web', true),"
	  . " set_config('request.method', 'GET', true)" . ($setting ? ", set_config('request.$setting', '$value', true)" : '') . " \\g /dev/null\n"
	  . "SELECT api.pre_request() \\g /dev/null\n$own; COMMIT; ";
}
sub headers { return request(headers => encode_json({ host => 'localhost', $_[0] ? (authorization => "Bearer $_[0]") : () })) }

my %gate = (user => 'regress_chat_rbac_gate', db => 'one');
my ($requests, @answers) = ('');
for my $person ('1/7', '2/7', '1/8', '2/100', '1/7')
{
	$requests .= headers($token{$person}) . headers('') . request(jwt => $token{$person}) . request();
	push @answers, $right{$person}, '', $right{$person}, '';
}
is(sql($pooler, $requests, %gate), join("\n", @answers), 'pre-request: each request is that of its token, and without one of nobody');
is(sql($pooler, $_ eq '' ? headers('') : headers($token{$_}), %gate), $_ eq '' ? '' : $right{$_}, '... clients by turns: ' . ($_ || 'nobody'))
  for '1/7', '', '2/7', '', '1/7';
fails($pooler, headers("$token{'1/7'}x"), '28000', 'chat_rbac.token is not valid', '... a token that is not valid fails', %gate);
is(sql($pooler, headers("$token{'1/7'}x") . headers($token{'2/7'}) . headers(''), %gate, go_on => 1), $right{'2/7'} . "\n", '... and is nothing to the next request');
fails($pooler, "SET chat_rbac.identity = '1/7'", '42501', 'permission denied to set parameter', '... the role of such a server needs no right on the identity', %gate);
sql($node, "ALTER ROLE regress_chat_rbac_gate SET chat_rbac.identity_lifetime = 'transaction'");
is(sql($node, $requests, user => 'regress_chat_rbac_gate'), join("\n", @answers), '... the same under lifetime transaction');

# ---- an application on node-postgres ----

my $client = "$FindBin::RealBin/../node/pool.js";
my $seconds = $ENV{CHAT_RBAC_POOL_SECONDS} // 5;
my $people = "$dir/people.json";
my @people = map { my ($org, $member) = split m{/};
	{ org => $org + 0, member => $member + 0, own => [ split / /, $right{$_} ], token => $member % 2 ? $token{$_} : undef } } sort keys %token;
append_to_file($people, encode_json(\@people));

# Let the application work; what it says of it.
sub work
{
	my ($where, %opt) = @_;
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PGHOST => $where->host, PGPORT => $where->port, PGUSER => $opt{user}, PGDATABASE => $opt{db});
	delete @ENV{ grep { /^CHAT_RBAC_POOL_/ || /^PGOPTIONS$/ } keys %ENV };
	$ENV{"CHAT_RBAC_POOL_\U$_"} = $opt{$_} for grep { exists $opt{$_} } qw(seconds connections mode named sabotage);
	IPC::Run::run([ 'node', $client, $people ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($seconds + 120));
	my $status = $? >> 8;
	my $done = eval { decode_json($out) } // {};

	diag($err) if $err ne '' && !$opt{wrong};
	is($status, $opt{wrong} ? 1 : 0, "$opt{name}: exit status of the client");
	cmp_ok($done->{checked} // 0, '>', 0, "$opt{name}: " . ($done->{checked} // 0) . ' responses checked');
	cmp_ok($done->{wrong} // -1, $opt{wrong} ? '>' : '==', 0, "$opt{name}: " . ($opt{wrong} ? 'wrong ones are found' : 'none was wrong'));
	diag("$opt{name}: $done->{checked} responses checked in $done->{rounds} rounds, $done->{wrong} wrong"
		  . ($opt{wrong} ? ', as they should be' : '')) if defined $done->{checked};
	return $done;
}

# Why the client cannot run; '' if it can.
sub no_client
{
	my $out = '';

	return 'node is not installed' if !grep { -x "$_/node" } split /:/, $ENV{PATH};
	return '' if IPC::Run::run([ 'node', $client ], '<', \undef, '&>', \$out);
	my ($error) = $out =~ /^(\w*Error: .*)$/m;
	return "there is no node-postgres, which \"scripts/setup.sh test\" installs: " . ($error // $out);
}

SKIP:
{
	if (my $why = no_client())
	{
		diag("NOT TESTED: an application on node-postgres, as $why");
		skip 'no node-postgres', 1;
	}

	my $done = work($pooler, %app, db => 'few', seconds => $seconds, name => 'four connections');
	is($done->{people}, 200, 'by 200 people');
	is(join(' ', sort keys %{ $done->{turns} }), 'change error find lend look trespass wait whoami', 'who did all there is to do');
	work($pooler, %brief, db => 'few', seconds => $seconds * 0.3, mode => 'careless', connections => 200,
		name => 'a connection for each, settings left behind, lifetime transaction');
	work($pooler, %app, db => 'sessions', seconds => $seconds * 0.3, mode => 'session', named => 1, name => 'session mode, named prepared statements');
	work($pooler, %app, db => 'few', seconds => $seconds * 0.2, named => 1, name => 'four connections, named prepared statements') if $keeps_statements;
	work($node, %app, db => 'postgres', seconds => $seconds * 0.2, named => 1, name => 'without a pooler, named prepared statements');

	is(sql($node, "SELECT count(*) > 0, count(*) FILTER (WHERE request_id NOT LIKE actor_org_id || '/' || actor_id OR (new ->> 'assignee_id')::bigint <> actor_id OR org_id <> actor_org_id)"
				. " FROM chat_rbac.audit_event WHERE request_id ~ '^\\d+/\\d+\$'"), 't|0', 'the trail has each change under the name and request of who made it');

	# what the checks are worth
	work($pooler, %app, db => 'few', seconds => 20, sabotage => 1, wrong => 1, name => 'sabotage, the setting left out now and then');
	work($pooler, %app, db => 'few', seconds => 20, mode => 'careless', wrong => 1, name => 'sabotage, settings left behind, lifetime session');
}

$node->stop;
done_testing();

# Storms: changes of the model and of the tables in some sessions while others ask,
# grants that deadlock, several DBAs who protect the same tables at once, and roles
# and members that come and go meanwhile.  No answer is wrong in between, what is
# refused is refused for a reason, and what is there at the end is whole.
#
# Environment:
#	CHAT_RBAC_LONG=1	storms of some minutes

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $times = $ENV{CHAT_RBAC_LONG} ? 2000 : 36;

my $node = new_cluster('storm', conf => "log_statement = none\nfsync = off\nautovacuum = off\ndeadlock_timeout = 50ms\nmax_connections = 30");
add_app($node);
add_inbox($node, rows => 200);
sql($node, <<'SQL');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, i, 'm' || i FROM generate_series(20, 29) AS i;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 20, 2, 3);
CREATE SCHEMA tool;
GRANT USAGE ON SCHEMA tool TO PUBLIC;
CREATE FUNCTION tool.memory() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT sum(used_bytes) FROM pg_backend_memory_contexts';
SQL
my %right = map { $_ => join '+', map { s/\|/,/gr } split /\n/, right_digest($node, $_) } @MEMBERS;

# Scripts in sessions of their own, at once; what each prints, and the SQLSTATEs
# of its errors.
sub at_once
{
	my (@scripts) = @_;
	my @runs;

	for my $script (@scripts)
	{
		my %run = (out => '', err => '');
		my $file = PostgreSQL::Test::Utils::tempdir() . '/script' . @runs . '.sql';

		open my $handle, '>', $file or die $!;
		print $handle "\\set VERBOSITY sqlstate\nSET client_min_messages = error;\n$script";
		close $handle;
		$run{harness} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-f', $file ], '>', \$run{out}, '2>', \$run{err}, IPC::Run::timeout(900));
		push @runs, \%run;
	}
	$_->{harness}->finish for @runs;
	return map { { lines => [ split /\n/, $_->{out} ], errors => [ $_->{err} =~ /(?:ERROR|FATAL|PANIC):\s+(\w{5})/g ], err => $_->{err} } } @runs;
}

sub as { my ($who) = @_; return "RESET ROLE; SET chat_rbac.identity = '$who'; SET ROLE regress_chat_rbac_app;\n" }

sub distinct { my %seen = map { $_ => 1 } @_; return join ' ', sort keys %seen }

# What somebody sees, in one line.
my $sees = 'SELECT string_agg(concat_ws(\',\', d.name, d.n, coalesce(d.ids, \'\')), \'+\' ORDER BY d.name) FROM (' . digest_sql() . ') AS d (name, n, ids)';

# ---- invalidations while queries run ----

my @grants = map { "INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 21, 2, 2), (2, 3, 3, 2); DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 21;\n" } 1 .. $times;
my @units = map { "INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (1, 9, 'team', 2, 'new'); UPDATE chat_rbac.unit SET name = 'newer', parent_id = 3 WHERE org_id = 1 AND unit_id = 9; DELETE FROM chat_rbac.unit WHERE org_id = 1 AND unit_id = 9;\n" } 1 .. $times;
my @tables = map { my $t = (qw(conversation message customer task participant))[ $_ % 5 ]; "ALTER TABLE inbox.$t SET (fillfactor = 100); CREATE INDEX storm ON inbox.$t (org_id); DROP INDEX inbox.storm; ANALYZE inbox.$t;\n" } 1 .. $times;
my $ask = sub { my ($who) = @_; as($who) . "PREPARE q AS $sees;\n" . "$sees; EXECUTE q;\n" x 10 . "SELECT tool.memory();\n" . "$sees; EXECUTE q;\n" x $times . "SELECT tool.memory();\n" };
my @asking = qw(1/2 1/7 2/1);
my (@runs) = at_once(join('', @grants), join('', @units), join('', @tables), map { $ask->($_) } @asking);

is(distinct(map { @{ $_->{errors} } } @runs), '', 'a storm of invalidations: nothing fails') or diag(map { substr $_->{err}, 0, 400 } @runs);
for my $i (0 .. $#asking)
{
	my @lines = @{ $runs[ 3 + $i ]{lines} };
	my @memory = grep { /^\d+$/ } @lines;

	is(distinct(grep { !/^\d+$/ } @lines), $right{ $asking[$i] }, "... $asking[$i] sees what it should, each time");
	cmp_ok($memory[1] - $memory[0], '<', 256 * 1024, '... and in no more memory') and note(join ' ', @memory);
}

# ---- grants that deadlock ----

sub session
{
	my ($timeout) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	$session->query("\\set VERBOSITY sqlstate\nSET deadlock_timeout = '$timeout'");
	return $session;
}

my $six = 'SELECT count(*) FROM inbox.conversation';
my $revoke = sub { my ($org) = @_; "DELETE FROM chat_rbac.role_grant WHERE org_id = $org AND member_id = 22;" };
sql($node, <<'SQL');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 22, 'm22'), (2, 22, 'm22') ON CONFLICT DO NOTHING;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 22, 2, 2), (2, 22, 2, 2);
SQL
my ($one, $two) = (session('1h'), session('10ms'));
$_->query("BEGIN; SET LOCAL chat_rbac.identity = '1/22'; $six") for $one, $two;
$one->query($revoke->(1));
$two->query($revoke->(2));
$one->query_until(qr/waiting/, "\\echo waiting\n" . $revoke->(2) . "\n");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}), 'a revocation waits for another one');
$two->{stderr} = '';
$two->query($revoke->(1));
like($two->{stderr}, qr/40P01/, 'one that would deadlock is refused');
$two->query('ROLLBACK');
$one->query('COMMIT');
for my $session ($one, $two)
{
	my $name = $session == $one ? 'who went on' : 'who was refused';

	for my $who ('1/22', '2/22')
	{
		is($session->query("BEGIN; SET LOCAL chat_rbac.identity = '$who'; SET LOCAL ROLE regress_chat_rbac_app; $six; COMMIT"), '0', "... and $name knows what $who has");
	}
}
is( sql($node, "SELECT org_id, operation, count(*) FROM chat_rbac.audit_event WHERE relation = 'chat_rbac.role_grant'::regclass AND coalesce(old, new) ->> 'member_id' = '22' GROUP BY 1, 2 ORDER BY 1, 2"),
	"1|delete|1\n1|insert|1\n2|delete|1\n2|insert|1", '... as the trail does');
$_->quit for $one, $two;

# ---- two DBAs, and others, at once ----

my $wide = sql($node, "SELECT chat_rbac.protection('inbox.conversation')");
# the same rows are seen by either
my $other = sql($node, q{SELECT chat_rbac.protection('inbox.conversation') || '{"actions": [{"on": "update", "requires": "conversation.edit"}]}'});
my $protect = sub { my ($table, $spec) = @_; "SELECT chat_rbac.protect('inbox.$table', '$spec');\n" };
my $task = sql($node, "SELECT chat_rbac.protection('inbox.task')");
my $dba = join '', map { $protect->('conversation', $_ % 2 ? $wide : $other) . "SELECT chat_rbac.unprotect('inbox.task');\n" . $protect->('task', $task) } 1 .. $times / 3;
my $viewer = join '', map { "SELECT chat_rbac.create_view('inbox.conversation', '{\"view\": \"inbox.chat\", \"columns\": [\"org_id\", \"id\"" . ($_ % 2 ? ', "title"' : '') . "]}');\nSELECT chat_rbac.drop_view('inbox.chat');\n" } 1 .. $times / 3;
my $people = join '', map {
	"CREATE ROLE regress_chat_rbac_gone; UPDATE chat_rbac.member SET login = 'regress_chat_rbac_gone' WHERE org_id = 1 AND member_id = 20; DELETE FROM chat_rbac.member WHERE org_id = 1 AND member_id = 20; DROP ROLE regress_chat_rbac_gone;\n"
	  . "BEGIN; INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 20, 'm20'); INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 20, 2, 3); COMMIT;\n"
} 1 .. $times / 3;
my $conversations = 'SELECT count(*), md5(string_agg(id::text, \',\' ORDER BY id)) FROM inbox.conversation;' . "\n";
my %sees = map { $_ => as_member($node, $_, $conversations) } qw(1/3 2/3 1/20);
@runs = at_once($dba, $dba, $viewer, $viewer, $people, map { as($_) . $conversations x $times } qw(1/3 2/3 1/20));

# of two at once one is told that a table is not protected, or a view there, or not, or has other columns; or, who wants locks in another order, of a deadlock
my %allowed = map { $_ => 1 } qw(40P01 42P01 42P07 42P16 42704);
is(join(' ', grep { !$allowed{$_} } split / /, distinct(map { @{ $_->{errors} } } @runs[ 0 .. 3 ])), '', 'two DBAs at once: what fails, fails for a reason')
  or diag(map { substr $_->{err}, 0, 600 } @runs[ 0 .. 3 ]);
note('of DBAs: ' . distinct(map { @{ $_->{errors} } } @runs[ 0 .. 3 ]) . ', ' . scalar(map { @{ $_->{errors} } } @runs[ 0 .. 3 ]) . ' times');
is(distinct(map { @{ $_->{errors} } } @runs[ 4 .. 7 ]), '', '... and nothing else fails') or diag(map { substr $_->{err}, 0, 600 } @runs[ 4 .. 7 ]);
is(distinct(@{ $runs[5]{lines} }), $sees{'1/3'}, '... 1/3 sees what it should, each time');
is(distinct(@{ $runs[6]{lines} }), $sees{'2/3'}, '... 2/3 too');
is(join(' ', grep { $_ ne $sees{'1/20'} && $_ !~ /^0\|/ } @{ $runs[7]{lines} }), '', '... and 1/20, who comes and goes, all or nothing');
is(sql($node, 'SELECT relation FROM chat_rbac.protection WHERE policies <> chat_rbac.policy_digest(relation)'), '', '... in the end each table has the policies that its specification says');
is(sql($node, q{SELECT count(*), bool_and(relrowsecurity AND relforcerowsecurity) FROM chat_rbac.protection p JOIN pg_class c ON c.oid = p.relation WHERE c.relnamespace = 'inbox'::regnamespace}), '4|t', '... and all are protected');
sees_right($node, $_) for @MEMBERS;
is(sql($node, 'SELECT * FROM chat_rbac.audit_verify()'), '', 'the trail holds');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal|leak/, 'nothing has left a trace in the log');
$node->stop;
done_testing();

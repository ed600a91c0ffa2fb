# kill -9 of backends and of the postmaster, in the middle of grants, revocations,
# transfers, seals of units and of the trail: first at points within the library that
# are chosen, then while several clients are at work.  After each recovery what was
# acknowledged is there, what is there has its event and no more than one, what was
# sealed and published holds, and everybody sees the rows that the tables say.
#
# Environment:
#	CHAT_RBAC_LONG=1	more points and rounds (minutes)

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use FaultLab;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $long = $ENV{CHAT_RBAC_LONG};
my $rounds = $long ? 20 : 3;
my $clients = 4;

my $node = new_cluster('kill', conf => "log_statement = none\nautovacuum = off\ndeadlock_timeout = 50ms\nrestart_after_crash = on");
my ($built, $why) = add_faults($node);
add_app($node);
add_inbox($node, rows => 400);
sql($node, <<'SQL');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, i, 'm' || i FROM generate_series(8, 11) AS i;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.role_grant TO regress_chat_rbac_app;
SQL
add_shadow($node);

# What leads see, by the tables: teams at and below the units of their grants, but
# for team 4 by way of unit 2 while it is sealed.
my @leads = (6, 8 .. 11);

sub should_see
{
	my ($member) = @_;

	return "SELECT count(*), md5(string_agg(c.id::text, ',' ORDER BY c.id)) FROM inbox.conversation c WHERE c.org_id = 1 AND EXISTS (SELECT FROM chat_rbac.role_grant g"
	  . " WHERE g.org_id = 1 AND g.member_id = $member AND (g.unit_id = c.team_id OR g.unit_id = 2 AND c.team_id = 4 AND NOT (SELECT sealed FROM chat_rbac.unit WHERE org_id = 1 AND unit_id = 4)))";
}

# Wait until the server is there again, and look at it.
sub recovered
{
	my ($name) = @_;

	for my $try (1 .. 600)
	{
		my ($ret, $out) = ChatRbac::run_psql($node, 'SELECT 1');
		last if $ret == 0;
		select undef, undef, undef, 0.1;
	}
	my $sees = 'SELECT count(*), md5(string_agg(id::text, \',\' ORDER BY id)) FROM inbox.conversation';
	my ($seen) = psql_script($node, join '', map { "RESET ROLE; SET chat_rbac.identity = '1/$_'; SET ROLE regress_chat_rbac_app; $sees;\n" } @leads);
	my ($right) = psql_script($node, join '', map { should_see($_) . ";\n" } @leads);
	is($seen, $right, "$name: everybody sees what the tables say");
	sees_right($node, '2/3', "$name: so does somebody of the other org");
	trail_is_right($node, $name);
	return;
}

# ---- at chosen points ----

my $admin = "SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;";
my @deeds = (
	[ 'grant', $admin, 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, 3)' ],
	[ 'revocation', $admin, 'DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 8' ],
	[ 'transfer', $admin, 'UPDATE inbox.conversation SET team_id = 3, title = \'moved\' WHERE org_id = 1 AND id IN (5, 9)' ],
	[ 'seal of a unit', '', 'UPDATE chat_rbac.unit SET sealed = NOT sealed WHERE org_id = 1 AND unit_id = 4' ],
	[ 'seal of the trail', '', 'SELECT chat_rbac.audit_seal()' ]);

SKIP:
{
	skip "the library of faults cannot be built: $why", 1 if !$built;

	sql($node, "INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 8, 2, 2)");
	my @tried;
	for my $deed (@deeds)
	{
		push @tried, $deed;
		my ($name, $who, $sql) = @$deed;
		my ($out) = psql_script($node, "$who SELECT tool.arm('cancel', 'calls', 0) AS ignored \\gset\nBEGIN;\n$sql;\nROLLBACK;\nSELECT tool.disarm();\n");
		my ($points) = $out =~ /^- (\d+)$/m;
		my @some = map { 2 + int(($points - 3) * $_) } $long ? map { $_ / 10 } 0 .. 9 : (0.3 + 0.1 * @tried);

		for my $n (@some)
		{
			my $before = sql($node, 'SELECT count(*) FROM tool.shadow');
			my (undef, $err) = psql_script($node, "$who SELECT tool.arm('kill', 'calls', $n) AS ignored \\gset\n$sql;\nSELECT 1 / 0;\n");

			unlike($err, qr/division by zero/, "$name: killed at point $n of $points");
			recovered("$name, killed at $n");
			is(sql($node, 'SELECT count(*) FROM tool.shadow'), $before, "$name, killed at $n: nothing of it is there");
		}
	}
}

# ---- while clients are at work ----

my $serial = 0;
my %grants;    # requests that leave a trace if they commit

# The script of a client: transactions, each of which says when it has committed.
sub client_script
{
	my ($client) = @_;
	my $script = $client == 0 ? "SET chat_rbac.identity = '1/1';\n" : "$admin\n";

	for (1 .. 2000)
	{
		my $request = 'r' . ++$serial;
		my $member = $leads[ rand @leads ];
		my $unit = 2 + int rand 3;
		my $row = $client * 100 + 1 + int rand 99;
		my $grant = "INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, $member, 2, $unit);";
		my $revoke = "DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = $member AND unit_id = $unit;";
		my $move = "UPDATE inbox.conversation SET team_id = $unit, title = '$request' WHERE org_id = 1 AND id = $row;";
		my @choice = ($grant, $revoke, $move, $move, "$move $grant", "SAVEPOINT s; $grant ROLLBACK TO s; $move", "SAVEPOINT s; $move RELEASE s; $revoke");
		push @choice, 'UPDATE chat_rbac.unit SET sealed = NOT sealed WHERE org_id = 1 AND unit_id = 4;' if $client == 0;
		my $sql = $choice[ rand @choice ];

		if ($client == 0 && rand() < 0.1)
		{
			$script .= "\\set digest\nSELECT chat_rbac.audit_seal() AS digest \\gset\n\\echo DIGEST :digest\n";
			next;
		}
		$grants{$request} = 1 if $sql =~ /^(?:\Q$move\E )?INSERT/;
		$script .= "\\set done no\nBEGIN; SET LOCAL chat_rbac.request_id = '$request';\n$sql\nSELECT '$request' AS done \\gset\nCOMMIT;\n\\echo ACK :done\n";
	}
	return $script;
}

my @digests;
srand 21;
for my $round (1 .. $rounds)
{
	my @runs;

	for my $client (0 .. $clients - 1)
	{
		my %run = (out => '', err => '', file => PostgreSQL::Test::Utils::tempdir() . "/client$client.sql");
		open my $handle, '>', $run{file} or die $!;
		print $handle client_script($client);
		close $handle;
		$run{harness} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . ' application_name=client', '-f', $run{file} ], '>', \$run{out}, '2>', \$run{err});
		push @runs, \%run;
	}
	select undef, undef, undef, 0.7 + rand 0.5;
	my $victim = sql($node, "SELECT pid FROM pg_stat_activity WHERE application_name = 'client' ORDER BY state = 'active' DESC, random() LIMIT 1");
	if ($round % 2)
	{
		kill 'KILL', $victim if $victim;
	}
	else
	{
		$node->kill9;
	}
	$_->{harness}->finish for @runs;
	if ($round % 2 == 0)
	{
		# backends of before may take a while to see that it is gone
		for my $try (1 .. 100)
		{
			last if $node->start(fail_ok => 1);
			select undef, undef, undef, 0.1;
			$node->stop('fast', fail_ok => 1);
		}
	}
	my $what = 'round ' . $round . ($round % 2 ? ', a backend' : ', the postmaster');
	recovered($what);
	my @acknowledged = map { $_->{out} =~ /^ACK (r\d+)$/mg } @runs;
	my @new = map { $_->{out} =~ /^DIGEST (chat_rbac block .+)$/mg } @runs;
	push @digests, @new;
	cmp_ok(scalar(@acknowledged), '>', 0, "$what: " . @acknowledged . ' transactions were acknowledged, and ' . @new . ' digests');

	my @grants = grep { $grants{$_} } @acknowledged;
	is( sql($node, 'SELECT string_agg(v.r, \',\') FROM unnest(\'{' . join(',', @grants) . '}\'::text[]) AS v (r) WHERE NOT EXISTS (SELECT FROM tool.shadow s WHERE s.request = v.r)'),
		'', "$what: of " . @grants . ' grants that were acknowledged none is lost');
	is(sql($node, 'SELECT count(*) FROM chat_rbac.audit_verify(VARIADIC ARRAY[' . join(', ', map { "'$_'" } @digests) . '])'), '0', "$what: what was published holds") if @digests;
}
cmp_ok(scalar(@digests), '>', 0, 'blocks were sealed meanwhile');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP/, 'recovery went well each time');

$node->stop;
done_testing();

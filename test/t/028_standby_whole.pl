# A hot standby of a database with some of everything: everybody gets the same rows and
# rights there, nothing is written and every try says so, reads of audited views are
# refused or logged, tokens and keys are as replayed.  Promoted, it goes on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Whole;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => [ '-E', 'UTF8', '--locale=C' ]);
$primary->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'\nautovacuum = off");
$primary->start;
add_roles($primary);
add_whole($primary);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub replayed
{
	my ($sql) = @_;
	my $out = sql($primary, $sql);

	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return $out;
}

replayed('SELECT 1');

# ---- the same answers, but that nothing is written ----

my $before = matrix($primary);
my $there = matrix($standby);
my $read = qr/^[^|]*\|(?:deed|inbox\.task_read\|)/;
same_matrix($there, $before, 'everybody gets on the standby what he gets on the primary', but => $read);
my @deeds = grep { /^[^|]*\|deed/ } @$there;
cmp_ok(scalar(grep { /^[^|]*\|deed.*\|done to one$/ } @$before), '>', 30, 'on the primary something is done');
is_deeply([ grep { !/\|(?:25006 cannot execute (?:INSERT|UPDATE|DELETE) in a read-only transaction|42501 permission denied for .*)$/ } @deeds ], [], '... which on the standby is refused as read-only, whatever it is');

# ---- what is called to write something ----

my %call = (
	'1/1' => [
		q{SELECT chat_rbac.record_access('inbox.conversation', 1)}, q{SELECT chat_rbac.record_access('inbox.conversation', '{1}'::bigint[])},
		q{SELECT chat_rbac.issue_token(4)}, q{SELECT chat_rbac.revoke_tokens(4)}, q{SELECT chat_rbac.audit_seal()},
		q{RESET ROLE; SELECT chat_rbac.hand_over(4, 3)}, q{RESET ROLE; SELECT chat_rbac.merge_units(2, 3)},
		q{RESET ROLE; SELECT chat_rbac.import_policy('acme', jsonb_set(chat_rbac.export_policy('acme'), '{roles,0,permissions}', '[]'))}
	],
	'' => [
		map { "SELECT $_" }
		  q{chat_rbac.create_org('new')}, q{chat_rbac.grant_role('acme', 'Nil', 'Agent')}, q{chat_rbac.revoke_role('acme', 'Ali', 'Agent', 'Support')},
		q{chat_rbac.create_signing_key('acme')}, q{chat_rbac.create_separation('acme', 'x', '{Agent, Finance}')}, q{chat_rbac.drop_separation('acme', 'money')},
		q{chat_rbac.audit_maintain()}, q{chat_rbac.audit_incarnation()}, q{chat_rbac.create_inbox('other')}, q{chat_rbac.unprotect('inbox.ticket')},
		q{chat_rbac.protect('inbox.ticket', chat_rbac.protection('inbox.ticket'))}, q{chat_rbac.drop_view('inbox.card')},
		q{chat_rbac.create_view('inbox.task', '{"view": "inbox.other"}')}
	]);
for my $who (sort keys %call)
{
	for my $try (@{ $call{$who} })
	{
		my ($name) = $try =~ /chat_rbac\.(\w+)/;

		fails($standby, ($who ? "SET chat_rbac.identity = '$who'; SET ROLE regress_chat_rbac_app;" : '') . " $try", '25006', 'read-only|recovery', "$name() is refused");
	}
}

# ---- reads of an audited view, by the configured choice ----

my $bea = 'SELECT count(*) FROM inbox.task_read';
my %bea = (user => 'regress_chat_rbac_bi');
my $rows = sql($primary, $bea, %bea);
cmp_ok($rows, '>', 0, 'an audited view has rows');
fails($standby, $bea, '25006', 'chat_rbac.read_audit|read-only|recovery', 'which are not read where the read cannot be recorded', %bea);
replayed(q{ALTER ROLE regress_chat_rbac_bi SET chat_rbac.read_audit = 'log'});
my $seen = -s $standby->logfile;
is(sql($standby, $bea, %bea), $rows, '... unless the server log is where reads belong');
like(substr(slurp_file($standby->logfile), $seen), qr/chat_rbac read: \{"kind":"read","rows":1,"relation":"inbox.task_read".*"member":10/, '... which says who read how much');
replayed(q{ALTER ROLE regress_chat_rbac_bi RESET chat_rbac.read_audit});

# ---- what is taken back, in a session that is open there ----

my $token = sql($primary, 'SELECT token FROM whole.token WHERE member = 4');
my $count = 'SELECT count(*) FROM inbox.conversation';
my %open = map { $_ => $standby->background_psql('postgres', on_error_stop => 0) } qw(identity token login view);
$open{identity}->query_safe("SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_app; BEGIN ISOLATION LEVEL REPEATABLE READ; $count");
$open{token}->query_safe("SET chat_rbac.token = '$token'; SET ROLE regress_chat_rbac_app");
$open{login}->query_safe("SET ROLE regress_chat_rbac_bi; PREPARE q AS $count");
$open{view}->query_safe("SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app");
my $phones = q{SELECT count(*) FROM inbox.card WHERE phone ~ '^[+][0-9]+$'};
my $now = sub { return join ' ', $open{identity}->query_safe($count), $open{token}->query_safe($count), $open{login}->query_safe('EXECUTE q'), $open{view}->query_safe($phones) };

is($now->(), '5 5 20 20', 'sessions are open');
replayed(q{SELECT chat_rbac.revoke_role('acme', 'Ali', 'Agent', 'Support')});
is($now->(), '0 0 20 20', 'a replayed revocation counts at once');
replayed(q{SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support')});
is($now->(), '5 5 20 20', '... and a grant');
replayed(q{UPDATE chat_rbac.role SET permissions = '{conversation.view, customer.view}' WHERE org_id = 1 AND name = 'Admin'});
is($now->(), '5 5 20 0', 'what lifted a mask');
replayed(q{UPDATE chat_rbac.member SET login = NULL WHERE org_id = 1 AND member_id = 10});
is($now->(), '5 5 0 0', 'a login');
replayed(q{UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 2});
is($now->(), '5 5 0 0', 'a seal below which they are');
replayed(q{UPDATE chat_rbac.signing_key SET retired = now() - interval '1 minute'});
like(run_on($open{token}, $count), qr/ERROR:  .*token/, 'a key that is retired');
# no transaction may be in the way of its replay
$open{identity}->query_safe('COMMIT');
replayed(q{ALTER TABLE inbox.conversation RENAME TO chat; UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 4});
is($open{identity}->query_safe('SELECT count(*) FROM inbox.chat'), '0', 'a member who is switched off, of a table that has another name');
replayed(q{ALTER TABLE inbox.chat RENAME TO conversation; UPDATE chat_rbac.member SET active = true WHERE org_id = 1 AND member_id = 4});
is($open{identity}->query_safe($count), '5', '... and back');
$_->quit for values %open;

sub run_on
{
	my ($session, $query) = @_;
	my ($out) = $session->query($query);
	my $err = $session->{stderr};

	$session->{stderr} = '';
	return $err;
}

# ---- promotion ----

my $open = $standby->background_psql('postgres', on_error_stop => 0);
$open->query_safe("SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_app; $count");
my $incarnation = sql($primary, 'SELECT chat_rbac.audit_incarnation()');
$primary->stop;
$standby->promote;
is($open->query_safe('UPDATE inbox.conversation SET status = $$closed$$ WHERE org_id = 1 AND id = 12 RETURNING status'), 'closed', 'after promotion an open session writes');
like(run_on($open, 'UPDATE inbox.conversation SET status = $$open$$ WHERE org_id = 1 AND id = 9'), qr/permission "conversation.reopen" is needed|^$/, '... as far as it may');
is(sql($standby, q{SELECT actor_id, actions, row_key, new FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass ORDER BY at DESC LIMIT 1}),
	'4|{conversation.close}|12|{"status": "closed"}', '... which is recorded');
is(sql($standby, 'SELECT chat_rbac.audit_incarnation()'), $incarnation, 'it is the same incarnation: transactions go on counting');
like(sql($standby, 'SELECT chat_rbac.audit_seal()'), qr/^chat_rbac block/, 'the trail is sealed there');
is(sql($standby, 'SELECT * FROM chat_rbac.audit_verify()'), '', '... and holds together');
sql($standby, q{SELECT chat_rbac.revoke_role('acme', 'Ali', 'Agent', 'Support')});
is($open->query_safe($count), '0', 'and what is revoked there counts');
$open->quit;

$standby->stop;
done_testing();

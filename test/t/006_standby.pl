# A hot standby answers by what it has replayed: in sessions and transactions
# that are open there, as long as it is one and after it is promoted.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'\nautovacuum = off");
$primary->start;
add_app($primary);
add_inbox($primary, rows => 400);
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

sub replayed
{
	my ($sql) = @_;

	sql($primary, $sql);
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

is(as_member($standby, $_, digest_sql()), right_digest($primary, $_), "on the standby $_ sees what he should") for @MEMBERS;

# one session is in a transaction with an old snapshot, the other in none
my $count = 'SELECT count(*) FROM inbox.conversation';
my %session = map { $_ => $standby->background_psql('postgres', on_error_stop => 0) } qw(open autocommit);
$session{$_}->query_safe("SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app; PREPARE q AS $count") for keys %session;
$session{open}->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $both = sub {
	my ($right, $name) = @_;

	is($session{$_}->query_safe("$count; EXECUTE q"), "$right\n$right", "$name: $_") for sort keys %session;
};

$both->('200', 'at first');
replayed('DELETE FROM chat_rbac.role_grant WHERE (org_id, member_id) = (1, 2)');
$both->('0', 'a replayed revocation');
replayed('INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 2, 2, 3)');
$both->('100', 'a replayed grant');
replayed('BEGIN; DELETE FROM chat_rbac.role_grant; ROLLBACK');
$both->('100', 'what was rolled back');
replayed('UPDATE chat_rbac.unit SET parent_id = 3 WHERE (org_id, unit_id) = (1, 2)');
$both->('300', 'a unit moved');
replayed('UPDATE chat_rbac.member SET active = false WHERE (org_id, member_id) = (1, 2)');
$both->('0', 'a member switched off');
replayed('UPDATE chat_rbac.member SET active = true WHERE (org_id, member_id) = (1, 2)');
$both->('300', '... and on');
$session{open}->query_safe('COMMIT');
replayed('TRUNCATE chat_rbac.role_grant');
$both->('0', 'TRUNCATE');
replayed("INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) VALUES (1, 2, 2, 3, tstzrange(NULL, clock_timestamp() + interval '1.5 s'))");
$both->('300', 'a grant that will end');
$session{open}->query_safe('SELECT pg_sleep(1.6)');
$both->('0', '... has ended');

$standby->promote;
sql($standby, 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 2, 2)');
$both->('400', 'after promotion');
$_->quit for values %session;

$standby->stop;
$primary->stop;
done_testing();

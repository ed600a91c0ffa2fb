# Logical replication of a database with some of everything, by the steps that
# doc/replication.md gives: the subscriber answers as the publisher does, what is revoked
# there is revoked here, also in open sessions, and each has a trail of its own.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Utils;
use Test::More;
use Whole;

my $logical = "wal_level = logical\nmax_wal_senders = 10\nmax_replication_slots = 10\nmax_logical_replication_workers = 8\nmax_sync_workers_per_subscription = 3\nwal_retrieve_retry_interval = '200ms'";
my $publisher = new_cluster('publisher', conf => $logical);
my $subscriber = new_cluster('subscriber', conf => $logical);
my $tmp = PostgreSQL::Test::Utils::tempdir();

add_roles($_) for $publisher, $subscriber;
add_whole($publisher);

# ---- the steps of the page ----

my $page = slurp_file("$FindBin::RealBin/../../doc/replication.md");
my ($publication) = $page =~ /^```sql publisher\n(.*?)^```/ms;
sql($publisher, $publication);
sql($publisher, 'ALTER PUBLICATION inbox ADD TABLE whole.token');
$publisher->command_ok([ 'pg_dump', '--schema-only', '--no-publications', '-f', "$tmp/schema.sql", '-d', $publisher->connstr('postgres') ], 'the schema is dumped');
$publisher->command_ok([ 'pg_dump', '--data-only', '-t', 'chat_rbac.protection', '-t', 'chat_rbac.protected_view', '-f', "$tmp/rules.sql", '-d', $publisher->connstr('postgres') ], 'and which tables are protected, and how');
$subscriber->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/$_.sql", '-d', $subscriber->connstr('postgres') ], "$_ restored") for qw(schema rules);
my $connection = $publisher->connstr . q{ dbname=postgres};
# from 16 on workers act as a table's owner unless told otherwise, who is under its policies
my $as_owner = sql($subscriber, q{SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'WITH (run_as_owner = true)' ELSE '' END});
sql($subscriber, "CREATE SUBSCRIPTION inbox CONNECTION '$connection' PUBLICATION inbox $as_owner");
$subscriber->wait_for_subscription_sync($publisher, 'inbox');

sub applied
{
	my ($sql) = @_;

	sql($publisher, $sql);
	$publisher->wait_for_catchup('inbox');
	return;
}

# ---- the same answers ----

my $own = qr{^[^|]*\|(?:\(SELECT|inbox\.(?:report_|task_read))};	# trails are different ones, and so is what reads them
same_matrix(matrix($subscriber), matrix($publisher), 'everybody gets on the subscriber what he gets on the publisher', but => $own);
is(sql($subscriber, $_), sql($publisher, $_), "the same: $_") for q{SELECT relation, spec, parent, linked, link_tables FROM chat_rbac.protection ORDER BY relation::text}, 'SELECT * FROM chat_rbac.known_permission ORDER BY name';
is(sql($subscriber, q{SELECT * FROM chat_rbac.protections WHERE problems <> '{}'}), '', 'nothing is wrong with the protection there');

# ---- what is taken back, in sessions that are open there ----

my $count = 'SELECT count(*) FROM inbox.conversation';
my $token = sql($publisher, 'SELECT token FROM whole.token WHERE member = 4');
my %open = map { $_ => $subscriber->background_psql('postgres', on_error_stop => 0) } qw(identity token);
$open{identity}->query_safe("SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_app; BEGIN ISOLATION LEVEL REPEATABLE READ; $count");
$open{token}->query_safe("SET chat_rbac.token = '$token'; SET ROLE regress_chat_rbac_app");
my $now = sub { return join ' ', map { $open{$_}->query_safe($count) } qw(identity token) };
is($now->(), '5 5', 'sessions are open on the subscriber');
applied(q{SELECT chat_rbac.revoke_role('acme', 'Ali', 'Agent', 'Support')});
is($now->(), '0 0', 'a revocation counts there at once');
applied(q{SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support')});
is($now->(), '5 5', '... and a grant');
$open{identity}->query_safe('COMMIT');
applied(q{UPDATE inbox.conversation SET assignee_id = 5 WHERE org_id = 1 AND id = 12});
is($now->(), '4 4', 'a chat that was given to another');
applied(q{UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 2; UPDATE chat_rbac.member SET active = false WHERE org_id = 1 AND member_id = 4});
is($open{identity}->query_safe($count), '0', 'a member who was switched off');
applied(q{UPDATE chat_rbac.unit SET sealed = false WHERE org_id = 1 AND unit_id = 2; UPDATE chat_rbac.member SET active = true WHERE org_id = 1 AND member_id = 4});
is($now->(), '4 4', '... and on');

# ---- whose deed it is ----

is(sql($subscriber, q{SELECT count(*), min(operation), count(actor_id), min(db_role) = current_user, min(application_name) FROM chat_rbac.audit_event
	WHERE relation = 'inbox.conversation'::regclass AND row_key = '12' AND operation = 'update'}), '1|update|0|t|subscription inbox', 'a change is recorded there once, as the subscription\'s');
is(sql($publisher, q{SELECT count(*) FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass AND row_key = '12' AND operation = 'update'}), '1', '... and once where it was made');
is(sql($subscriber, q{SELECT actions, new FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass AND row_key = '12' AND operation = 'update'}), '{conversation.assign}|{"assignee_id": 5}', '... under its permission');
isnt(sql($subscriber, 'SELECT chat_rbac.audit_incarnation()'), sql($publisher, 'SELECT chat_rbac.audit_incarnation()'), 'the trails are two');
like(sql($subscriber, 'SELECT chat_rbac.audit_seal()'), qr/^chat_rbac block/, 'the subscriber\'s is sealed');
is(sql($subscriber, 'SELECT * FROM chat_rbac.audit_verify()'), '', '... and holds together');

# ---- what the publisher has let in is not refused ----

# each of these is right as a whole, and not in the middle
applied(q{UPDATE chat_rbac.unit SET parent_id = CASE unit_id WHEN 2 THEN 1 ELSE 2 END WHERE org_id = 1 AND unit_id IN (2, 21);
	UPDATE chat_rbac.unit SET parent_id = CASE unit_id WHEN 1 THEN 2 ELSE NULL END WHERE org_id = 1 AND unit_id IN (1, 2)});
is(sql($subscriber, q{SELECT unit_id, parent_id FROM chat_rbac.unit WHERE org_id = 1 AND unit_id IN (1, 2) ORDER BY 1}), "1|2\n2|", 'two units change places');
applied(q{SELECT chat_rbac.grant_role('acme', 'Nil', 'Finance'), chat_rbac.grant_role('acme', 'Nil', 'Viewer');
	UPDATE chat_rbac.role_grant g SET role_id = (SELECT r.role_id FROM chat_rbac.role r WHERE r.org_id = 1 AND r.name =
		CASE WHEN g.role_id = (SELECT f.role_id FROM chat_rbac.role f WHERE f.org_id = 1 AND f.name = 'Finance') THEN 'Viewer' ELSE 'Sales' END) WHERE org_id = 1 AND member_id = 12;
	UPDATE chat_rbac.role_grant g SET role_id = (SELECT r.role_id FROM chat_rbac.role r WHERE r.org_id = 1 AND r.name =
		CASE WHEN g.role_id = (SELECT f.role_id FROM chat_rbac.role f WHERE f.org_id = 1 AND f.name = 'Sales') THEN 'Viewer' ELSE 'Finance' END) WHERE org_id = 1 AND member_id = 12});
is(sql($subscriber, q{SELECT string_agg(r.name, ' ' ORDER BY r.name) FROM chat_rbac.role_grant g JOIN chat_rbac.role r USING (org_id, role_id) WHERE org_id = 1 AND member_id = 12}), 'Finance Viewer', 'roles that must not be held together are changed for each other');
fails($subscriber, q{INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) SELECT 1, 1000, 12, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Sales'}, '23000', 'separation "money"', 'but who writes there is held to them');
fails($subscriber, q{SET session_replication_role = replica; UPDATE chat_rbac.unit SET parent_id = 1 WHERE org_id = 1 AND unit_id = 2}, '23000', 'would lie below itself', '... also as a replica');

# ---- TRUNCATE, and rows of a partitioned table ----

applied(q{INSERT INTO inbox.ticket SELECT 1, i, 2, 4, 'new' FROM generate_series(101, 103) AS i; UPDATE inbox.ticket SET team_id = 3 WHERE org_id = 1 AND id = 101; DELETE FROM inbox.ticket WHERE org_id = 1 AND id = 102});
is(sql($subscriber, q{SELECT id, team_id, tableoid::regclass FROM inbox.ticket WHERE id > 100 ORDER BY 1}), "101|3|inbox.ticket_rest\n103|2|inbox.ticket_2", 'rows of partitions are applied, also those that move');
applied('TRUNCATE inbox.lead; TRUNCATE chat_rbac.role_grant');
is(sql($subscriber, 'SELECT count(*) FROM inbox.lead'), '0', 'TRUNCATE is applied');
is($now->(), '0 0', '... and when it was of grants, nobody sees anything');
is(sql($subscriber, q{SELECT table_name FROM chat_rbac.audit_event WHERE operation = 'truncate' ORDER BY 1}), "chat_rbac.role_grant\ninbox.lead", '... which is recorded');
$_->quit for values %open;

# ---- a member writes on the subscriber as anywhere ----

applied(q{SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support')});
is(as_member($subscriber, '1/4', q{UPDATE inbox.conversation SET status = 'closed' WHERE org_id = 1 AND id = 2 RETURNING id}), '', 'who writes on the subscriber reaches what he may');
is(as_member($subscriber, '1/4', q{UPDATE inbox.conversation SET assignee_id = 4 WHERE org_id = 1 AND id = 9 AND assignee_id IS NULL RETURNING id}), '9', '... and no less');

# ---- the trail is not replicated ----

is(sql($publisher, q{SELECT count(*) FROM pg_publication_tables WHERE tablename ~ '^(audit_|cache_proxy|protect)'}), '0', 'no part of the trail is published');
unlike(slurp_file($subscriber->logfile), qr/\] ERROR:  (?!could not serialize access to org)/, 'nothing has stopped the workers');

sql($subscriber, 'DROP SUBSCRIPTION inbox');
$subscriber->stop;
$publisher->stop;
done_testing();

# What is refused is one line of the server log, as JSON, whoever catches it.

use strict;
use warnings;

use File::Basename;
use lib dirname(__FILE__);
use ChatRbac;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('main', conf => "log_min_error_statement = error\nlog_line_prefix = '%m [%p] '");
add_app($node);
add_inbox($node, rows => 20);
my $app = 'SET ROLE regress_chat_rbac_app;';

# The refusals that some SQL leaves in the log, in order.
sub refusals
{
	my ($sql, %opt) = @_;
	my $from = -s $node->logfile;

	ChatRbac::run_psql($node, $sql, go_on => 1, %opt);
	my $log = slurp_file($node->logfile, $from);
	my @lines = $log =~ /^(.*refusal:.*)$/mg;
	like($_, qr/\[\d+\] LOG:  chat_rbac refusal: \{.*\}$/, 'one line, and a JSON object') for @lines;
	return map { JSON::PP->new->decode(/refusal: (.*)/) } @lines;
}

my ($line, @more) = refusals(
	"SET chat_rbac.identity = '1/3'; SET chat_rbac.request_id = E'r\"1\\nr2'; SET application_name = 'inbox-api'; $app
	 UPDATE inbox.conversation SET title = 'secret title' WHERE id = 5; DELETE FROM inbox.conversation; INSERT INTO inbox.task VALUES (1, 1000, 3);");
is($line->{kind}, 'action', 'the guard refuses an action');
is($line->{permission}, 'task.create', 'names the permission');
is($line->{message}, 'permission "task.create" is needed to insert into table "task"', 'as the message does');
is_deeply([ @$line{qw(org member name)} ], [ 1, 3, 'ali' ], 'and who asked');
is($line->{role}, 'regress_chat_rbac_app', 'the role');
is($line->{request_id}, "r\"1\nr2", 'the request, whatever is in it');
is($line->{application}, 'inbox-api', 'the application');
is(scalar(@more), 0, 'rows that are not visible are not refused, they are not there');
unlike(JSON::PP->new->encode($line), qr/1000|secret/, 'nothing of the row');

# somebody who catches it, and a transaction that is rolled back
my $log_only = "SET chat_rbac.identity = '1/3'; $app
	DO \$\$ BEGIN INSERT INTO inbox.task VALUES (1, 1000, 3); EXCEPTION WHEN insufficient_privilege THEN NULL; END \$\$;";
is(scalar(refusals($log_only)), 1, 'also where an exception handler catches it');
is(scalar(refusals("BEGIN; $log_only ROLLBACK;")), 1, 'also in a transaction that is rolled back');
is(sql($node, 'SET client_min_messages = debug5;' . $log_only), '', 'the client sees none of it');

# TRUNCATE, and no identity
($line) = refusals("SET ROLE regress_chat_rbac_app; INSERT INTO inbox.task VALUES (1, 1000, 3);");
is($line->{message}, 'no active member is asking to insert into table "task"', 'nobody is refused');
ok(!exists $line->{member}, 'and is nobody');
sql($node, 'GRANT TRUNCATE ON inbox.task TO regress_chat_rbac_app');
($line) = refusals("SET chat_rbac.identity = '1/1'; $app TRUNCATE inbox.task;");
like($line->{message}, qr/must be owner .* to truncate it/, 'TRUNCATE is refused');
is($line->{member}, 1, 'to whom');

# what PostgreSQL refuses: a row that the policies do not let in
sql($node, "CREATE POLICY odd ON inbox.task AS RESTRICTIVE FOR INSERT WITH CHECK (id % 2 = 1)");
($line) = refusals("SET chat_rbac.identity = '1/1'; $app INSERT INTO inbox.task VALUES (1, 1000, 3);");
is($line->{kind}, 'policy', 'a policy refuses a row');
like($line->{message}, qr/row-level security policy "odd" for table "task"/, 'which');
is_deeply([ @$line{qw(org member)} ], [ 1, 1 ], 'and who asked');

# identities
($line) = refusals("SET chat_rbac.identity = '1/99'; $app SELECT count(*) FROM inbox.task; SELECT count(*) FROM inbox.task;");
is($line->{kind}, 'identity', 'an identity that is no member');
is($line->{message}, '"1/99" is no active member', 'is named');
($line) = refusals("SET chat_rbac.identity = '1/5'; $app SELECT count(*) FROM inbox.task;");
is($line->{message}, '"1/5" is no active member', 'so is one that is switched off');
($line) = refusals("$app SET chat_rbac.identity = '1/1';");
is($line->{kind}, 'identity', 'an identity set by who may not');
like($line->{message}, qr/permission denied to set parameter "chat_rbac.identity"/, 'is refused by PostgreSQL');
is($line->{role}, 'regress_chat_rbac_app', 'and it is said who tried');

# a look
($line) = refusals("SET chat_rbac.identity = '1/3'; $app SELECT chat_rbac.record_access('inbox.conversation', 1);");
is($line->{kind}, 'access', 'a look at what is not to be seen');

# the trail
($line) = refusals("SET chat_rbac.identity = '1/3'; $app SELECT chat_rbac.audit_seal();");
is($line->{permission}, 'audit.verify', 'sealing without the right');

# a session that begins with words that are no text, or too many
my $bytes = "-c chat_rbac.request_id=a\xff";
($line) = refusals("SET chat_rbac.identity = '1/3'; $app INSERT INTO inbox.task VALUES (1, 1000, 3);", options => $bytes);
is($line->{request_id}, '(invalid byte sequence)', 'bytes that are no text are not copied');
sql($node, "SET chat_rbac.identity = '1/1'; INSERT INTO inbox.task VALUES (1, 1001, 3);", options => $bytes);
is(sql($node, "SELECT request_id FROM chat_rbac.audit_event WHERE row_key = '1001'"), '(invalid byte sequence)', 'nor into an event');

# an error of another kind is none
is(scalar(refusals("SET chat_rbac.identity = '1/1'; $app SELECT 1/0; SELECT * FROM pg_authid; CREATE TABLE pg_catalog.x ();")), 0,
	'other errors are no refusals');

$node->stop;
done_testing();

# audit_maintain() beside writers: whatever partition their events go to, and while
# these are moved, each change is one event and no transaction fails.

use strict;
use warnings;

use File::Basename;
use lib dirname(__FILE__);
use ChatRbac;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CHAT_RBAC_MAINTAIN_SECONDS} // 4;
my $tmp = PostgreSQL::Test::Utils::tempdir();
my $node = new_cluster('maintain');

sql($node, <<'SQL');
CREATE EXTENSION chat_rbac;
SELECT chat_rbac.create_org('acme', 1);
CREATE SCHEMA inbox;
CREATE TABLE inbox.task (org_id bigint, id bigserial PRIMARY KEY, n int);
SELECT chat_rbac.protect('inbox.task', '{"resource": "task", "org": "org_id"}');
-- takes this month's partition away again
CREATE PROCEDURE inbox.unmake() LANGUAGE plpgsql AS $$
DECLARE
	part regclass := (SELECT relation FROM chat_rbac.audit_partition WHERE from_at <= now() AND to_at > now());
BEGIN
	LOCK TABLE chat_rbac.audit_event IN ACCESS EXCLUSIVE MODE;
	EXECUTE format('ALTER TABLE chat_rbac.audit_event DETACH PARTITION %s', part);
	EXECUTE format('INSERT INTO chat_rbac.audit_event SELECT * FROM %s', part);
	EXECUTE format('DROP TABLE %s', part);
END $$;
SQL
append_to_file("$tmp/write.sql", <<'SQL');
BEGIN;
INSERT INTO inbox.task (org_id, n) VALUES (1, 0), (1, 1);
SAVEPOINT s;
UPDATE inbox.task SET n = n + 1 WHERE id = currval('inbox.task_id_seq');
ROLLBACK TO s;
UPDATE inbox.task SET n = n + 2 WHERE id = currval('inbox.task_id_seq');
COMMIT;
SQL

my ($out, $err) = ('', '');
my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-T', $seconds, '-f', "$tmp/write.sql", $node->connstr('postgres') ], '>', \$out, '2>', \$err);
my $moved = 0;
my $until = time + $seconds;

while (time < $until)
{
	my $what = sql($node, 'SELECT * FROM chat_rbac.audit_maintain(0)');

	$moved++ if $what =~ /^made chat_rbac\.audit_event_\d{4}_\d\d, with \d+ events from the default partition$/;
	sql($node, 'CALL inbox.unmake()');
}
$writers->finish;
like($out, qr/number of failed transactions: 0 /, 'no writer fails') or diag($out, $err);
unlike($err, qr/error|aborted/i, 'none has met an error');
cmp_ok($moved, '>', 1, 'their events were moved');

sql($node, 'SELECT chat_rbac.audit_maintain()');
is( sql($node, <<'SQL'), 't|t|t|0', 'each change is one event, in its month');
SELECT count(*) FILTER (WHERE operation = 'insert') = (SELECT count(*) FROM inbox.task),
	count(*) FILTER (WHERE operation = 'update') = (SELECT count(*) / 2 FROM inbox.task),
	count(DISTINCT event_id) = count(*),
	count(*) FILTER (WHERE tableoid = 'chat_rbac.audit_event_default'::regclass)
FROM chat_rbac.audit_event WHERE relation = 'inbox.task'::regclass
SQL
cmp_ok(sql($node, 'SELECT count(*) FROM inbox.task'), '>', 100, 'there were some');

$node->stop;
done_testing();

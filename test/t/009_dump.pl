# A dump is restored in one transaction, with all that protect() made: partitions,
# inheritance children and the ready inbox too.  Everybody sees the same rows then.

use strict;
use warnings;

use File::Basename;
use lib dirname(__FILE__);
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('dump');

add_app($node);
sql($node, <<'SQL');
CREATE EXTENSION chat_rbac;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support'), (1, 2, 'team', 'Sales'), (1, 3, 'inbox', 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7, 'Ali'), (1, 8, 'Sue');
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Sales');
SELECT chat_rbac.create_inbox('inbox');
INSERT INTO inbox.customer (org_id, id, name) VALUES (1, 1, 'Noor');
INSERT INTO inbox.conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by)
	SELECT 1, i, 1, 3, 1 + i % 2, 7 + i % 3, 'customer' FROM generate_series(1, 30) AS i;
INSERT INTO inbox.message (org_id, id, conversation_id, kind, body, author_id) SELECT 1, i, i, 'incoming', 'hello', NULL FROM generate_series(1, 30) AS i;
CREATE TABLE inbox.part (org_id bigint, id bigint, team_id bigint, assignee_id bigint, PRIMARY KEY (org_id, team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE inbox.part_1 PARTITION OF inbox.part FOR VALUES IN (1);
CREATE TABLE inbox.old (org_id bigint, id bigint PRIMARY KEY, team_id bigint, assignee_id bigint);
CREATE TABLE inbox.older () INHERITS (inbox.old);
SELECT chat_rbac.protect(t::regclass, '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}}}')
	FROM unnest('{inbox.part,inbox.old}'::text[]) AS t;
CREATE TABLE inbox.part_2 PARTITION OF inbox.part FOR VALUES IN (2);
INSERT INTO inbox.part SELECT 1, i, 1 + i % 2, 7 FROM generate_series(1, 10) AS i;
INSERT INTO inbox.older SELECT 1, i, 1 + i % 2, 7 FROM generate_series(1, 10) AS i;
GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_app;
GRANT SELECT, UPDATE, DELETE ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_app;
SQL

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
sql($node, 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xq', '-1', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ],
	'the dump is restored in one transaction');

my $counts = join ', ', map { "(SELECT count(*) FROM inbox.$_)" } qw(conversation message customer part old part_1 older);
my $shape = <<'SQL';
SELECT c.relname, relrowsecurity, relforcerowsecurity, (SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal),
	(SELECT string_agg(polname, ' ' ORDER BY polname) FROM pg_policy WHERE polrelid = c.oid)
FROM pg_class c WHERE relnamespace = 'inbox'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1
SQL
is(sql($node, $shape, db => 'copy'), sql($node, $shape), 'tables, triggers and policies are the same');
is(sql($node, 'SELECT * FROM chat_rbac.protections WHERE problems <> \'{}\'', db => 'copy'), '', 'nothing is wrong with their protection');
for my $member (7, 8, 9)
{
	my $ask = "SET chat_rbac.identity = '1/$member'; SET ROLE regress_chat_rbac_app; ";

	is(sql($node, "$ask SELECT $counts", db => 'copy'), sql($node, "$ask SELECT $counts"), "member $member sees the same");
}
fails($node, "SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app; UPDATE inbox.conversation SET priority = 3 WHERE team_id = 1 AND assignee_id = 7",
	'42501', 'permission "conversation.prioritise" is needed', 'the guard is there', db => 'copy');

$node->stop;
done_testing();

# The audit trail goes into a dump, by every format, and comes back in another
# cluster: the same events, closed in the same way, verified by the digest that was
# published before.  There the database is a new incarnation, whose events are
# sealed after what was left of the old one.

use strict;
use warnings;

use File::Basename;
use lib dirname(__FILE__);
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tmp = PostgreSQL::Test::Utils::tempdir();
my $node = new_cluster('trail', conf => 'jit = off');

add_app($node);
sql($node, <<'SQL');
CREATE EXTENSION chat_rbac;
SELECT chat_rbac.audit_maintain();
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support'), (1, 2, 'team', 'Sales');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7, 'Ali'), (1, 8, 'Sue'), (1, 9, 'Aud');
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Sales'), chat_rbac.grant_role('acme', 'Aud', 'Auditor');
CREATE SCHEMA inbox;
CREATE TABLE inbox.conversation (org_id bigint, id bigint, team_id bigint, assignee_id bigint, subject text, weight double precision, seen timestamptz,
	PRIMARY KEY (org_id, id));
CREATE INDEX ON inbox.conversation (org_id, team_id);
CREATE INDEX ON inbox.conversation (org_id, assignee_id);
SELECT chat_rbac.protect('inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"},
	"relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
	"actions": [{"on": "insert", "requires": "conversation.start"},
		{"on": "update", "column": "assignee_id", "from": null, "to": "$member", "requires": "conversation.claim"},
		{"on": "update", "requires": "conversation.edit"}]}');
GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE ON inbox.conversation TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO regress_chat_rbac_app;
SQL
as_member($node, '1/7', <<'SQL');
INSERT INTO inbox.conversation SELECT 1, i, 1, NULL, 'Größe ' || i, i / 3.0, now() FROM generate_series(1, 20) AS i;
UPDATE inbox.conversation SET assignee_id = 7 WHERE id <= 5;
SQL

# Events of long ago: a month that is there, one that was detached, one that was dropped too
sql($node, <<'SQL');
INSERT INTO chat_rbac.audit_event (event_id, at, transaction_at, xid, org_id, incarnation, relation, command, depth, operation, actions, table_name, row_key, new, unit_kinds, unit_keys, db_role, session_role, salt)
SELECT -i, '2001-01-15'::timestamptz + i * interval '10 days', now(), pg_current_xact_id(), 1, chat_rbac.audit_incarnation(), 'inbox.conversation', 0, 0, 'insert', '{conversation.start}', 'inbox.conversation',
	i, jsonb_build_object('id', i), '{team}', '{1}', 'app', 'app', decode(md5(i::text), 'hex')
FROM generate_series(1, 7) AS i;
SELECT chat_rbac.audit_maintain();
SELECT chat_rbac.audit_seal();
SET chat_rbac.audit_retention_months = 12;
SELECT chat_rbac.audit_maintain();
ALTER TABLE chat_rbac.audit_event ATTACH PARTITION chat_rbac.audit_event_2001_03 FOR VALUES FROM ('2001-03-01 00:00+00') TO ('2001-04-01 00:00+00');
DROP TABLE chat_rbac.audit_event_2001_01;
SQL
my $digest = sql($node, 'SELECT chat_rbac.audit_seal()');
like($digest, qr/^chat_rbac block \d+ sha256:[0-9a-f]{64} /, 'a digest to publish');
is(sql($node, "SELECT DISTINCT problem FROM chat_rbac.audit_verify('$digest')"), 'archived events', 'of what was sealed only the month that was dropped is not there');

# and a tail that is not sealed
as_member($node, '1/7', q{UPDATE inbox.conversation SET subject = 'not sealed' WHERE id = 1});

my %question = (
	'events' => q{SELECT count(*), md5(string_agg(e::text, E'\n' ORDER BY e.event_id)) FROM chat_rbac.audit_event e WHERE e.incarnation = '%s'},
	'blocks' => q{SELECT count(*), md5(string_agg(b::text, E'\n' ORDER BY b.block_no)) FROM chat_rbac.audit_block b},
	'detached months' => q{SELECT string_agg(d::text, ' ' ORDER BY d.relation_name) || (SELECT string_agg(e::text, E'\n' ORDER BY e.event_id) FROM chat_rbac.audit_event_2001_02 e) FROM chat_rbac.audit_detached d},
	'incarnations' => q{SELECT i.* FROM chat_rbac.audit_incarnation i WHERE i.incarnation = '%s'},
	'tables, triggers, policies and indexes' => <<'SQL');
SELECT c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relowner::regrole, pg_get_expr(c.relpartbound, c.oid), obj_description(c.oid),
	(SELECT string_agg(concat_ws(' ', t.tgname, t.tgenabled, t.tgparentid <> 0), ', ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
	(SELECT string_agg(p.polname, ' ' ORDER BY p.polname) FROM pg_policy p WHERE p.polrelid = c.oid),
	(SELECT string_agg(pg_get_indexdef(i.indexrelid), '; ' ORDER BY i.indexrelid::regclass::text) FROM pg_index i WHERE i.indrelid = c.oid)
FROM pg_class c WHERE c.relnamespace = 'chat_rbac'::regnamespace AND c.relname ~ '^audit_' AND c.relkind IN ('r', 'p') ORDER BY 1
SQL
my $incarnation = sql($node, 'SELECT chat_rbac.audit_incarnation()');
my $activity = q{SELECT at, who, did, what, changes FROM chat_rbac.activity WHERE event_id < 0 OR did = 'claimed' OR did = 'edited' ORDER BY at, event_id};

sub answer
{
	my ($where, $name, %opt) = @_;

	no warnings 'redundant';
	return sql($where, sprintf($question{$name}, $incarnation), %opt);
}

# What a restored database is, and that it goes on
sub is_the_same
{
	my ($there, $db, $from) = @_;
	my %opt = (db => $db);

	is(answer($there, $_, %opt), answer($node, $_), "$db: the same $_") for sort keys %question;
	for my $member (qw(1/7 1/8 1/9))
	{
		is(as_member($there, $member, $activity, %opt), as_member($node, $member, $activity), "$db: $member reads the same");
	}
	is(sql($there, "SELECT DISTINCT problem FROM chat_rbac.audit_verify('$digest')", %opt), 'archived events', "$db: verified, by the digest of before");
	is(sql($there, 'SELECT * FROM chat_rbac.audit_maintain()', %opt), '', "$db: nothing to maintain");

	# a new incarnation, of which nothing meets anything of the old one
	as_member($there, '1/7', q{UPDATE inbox.conversation SET subject = 'there' WHERE id = 2}, %opt);
	my $new = sql($there, 'SELECT chat_rbac.audit_incarnation()', %opt);
	isnt($new, $incarnation, "$db: it is a new incarnation");
	is(sql($there, "SELECT incarnation = '$new', old, new FROM chat_rbac.audit_event ORDER BY at DESC LIMIT 1", %opt),
		't|{"subject": "Größe 2"}|{"subject": "there"}', "$db: events are of that");
	is(sql($there, 'SELECT count(*) FROM (SELECT FROM chat_rbac.audit_event GROUP BY event_id HAVING count(*) > 1) AS d', %opt), '0', "$db: no event has another's id");
	my $later = sql($there, 'SELECT chat_rbac.audit_seal()', %opt);
	is(sql($there, 'SELECT count(*) FROM chat_rbac.audit_event e WHERE (SELECT count(*) FROM chat_rbac.audit_block b WHERE e.event_id = ANY (b.event_ids)) <> 1', %opt),
		'0', "$db: every event is in one block");
	is(sql($there, <<"SQL", %opt), 't|t', "$db: the new incarnation's blocks come after the tail of the old one");
SELECT max(block_no) FILTER (WHERE incarnation = '$incarnation') < min(block_no) FILTER (WHERE incarnation = '$new'), bool_and(incarnation IN ('$incarnation', '$new')) FROM chat_rbac.audit_block
SQL
	is(sql($there, "SELECT DISTINCT problem FROM chat_rbac.audit_verify('$digest', '$later')", %opt), 'archived events', "$db: both digests hold");

	# closed there too, and a change is found
	fails($there, "$_ chat_rbac.audit_event_2001_03", '42501', 'append-only', "$db: $_ is refused", db => $db, user => 'regress_chat_rbac_all')
	  for 'TRUNCATE', 'DELETE FROM';
	fails($there, 'DELETE FROM chat_rbac.audit_event_2001_02', '42501', 'append-only', "$db: of a detached month too", db => $db, user => 'regress_chat_rbac_all');
	is(sql($there, 'SELECT (SELECT count(*) FROM chat_rbac.audit_event_2001_03) + (SELECT count(*) FROM chat_rbac.audit_event_2001_02)', db => $db, user => 'regress_chat_rbac_all'),
		'0', "$db: and nobody reads them directly");
	my $clean = 'DELETE FROM chat_rbac.audit_event_2001_02 WHERE event_id = (SELECT min(event_id) FROM chat_rbac.audit_event_2001_02);';
	my ($changed) = sql($there, "BEGIN; $clean SELECT string_agg(DISTINCT problem, ', ' ORDER BY problem) FROM chat_rbac.audit_verify(); ROLLBACK", %opt);
	like($changed, qr/missing/, "$db: what a superuser does to a detached month is found");
	return;
}

sub add_roles
{
	my ($where) = @_;

	sql($where, 'CREATE ROLE regress_chat_rbac_all LOGIN');
	return;
}
add_roles($node);
sql($node, 'GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_all; GRANT ALL ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_all');

my $there = new_cluster('there', conf => 'jit = off');
add_app($there);
add_roles($there);
$there->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain custom jobs again);

$node->command_ok([ 'pg_dump', '-f', "$tmp/plain.sql", '-d', $node->connstr('postgres') ], 'pg_dump, plain');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/custom.dump", '-d', $node->connstr('postgres') ], 'pg_dump -Fc');
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$tmp/jobs", '-d', $node->connstr('postgres') ], 'pg_dump -j2');
$there->command_ok([ 'psql', '-Xq', '-1', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/plain.sql", '-d', $there->connstr('plain') ], 'restored in one transaction');
$there->command_ok([ 'pg_restore', '-1', '-d', $there->connstr('custom'), "$tmp/custom.dump" ], 'pg_restore -1');
# The RBAC tables refer to each other, which pg_dump does not tell pg_restore's jobs: rows come one table after the other
$there->command_ok([ 'pg_restore', '-e', @$_, '-d', $there->connstr('jobs'), "$tmp/jobs" ], "pg_restore @$_")
  for [ '--section=pre-data' ], [ '--section=data' ], [ '--section=post-data', '-j2' ];
is_the_same($there, $_) for qw(plain custom jobs);

# A dump of what was restored is one like any other
$there->command_ok([ 'pg_dump', '-Fc', '-f', "$tmp/again.dump", '-d', $there->connstr('custom') ], 'dumped again');
$there->command_ok([ 'pg_restore', '-1', '-d', $there->connstr('again'), "$tmp/again.dump" ], 'and restored again');
is(answer($there, $_, db => 'again'), answer($there, $_, db => 'custom'), "again: the same $_") for sort keys %question;
is(sql($there, "SELECT DISTINCT problem FROM chat_rbac.audit_verify('$digest')", db => 'again'), 'archived events', 'again: verified');
is(sql($there, 'SELECT count(DISTINCT incarnation) FROM chat_rbac.audit_incarnation', db => 'again'), '3', 'again: the third incarnation');

$node->stop;
$there->stop;
done_testing();

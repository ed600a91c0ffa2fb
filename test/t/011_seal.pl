# Many clients write, with savepoints, rollbacks and prepared transactions, while
# two others seal the trail and one verifies it.  Afterwards every event is in
# exactly one block, all that was published holds, and whatever a superuser then
# changes is found and named.
#
# Environment:
#	CHAT_RBAC_SEAL_SECONDS	how long it runs (default 5)
#	CHAT_RBAC_SEAL_CLIENTS	how many write (default 16)
# In full: CHAT_RBAC_SEAL_SECONDS=30 make test TESTS=tap

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CHAT_RBAC_SEAL_SECONDS} // 5;
my $clients = $ENV{CHAT_RBAC_SEAL_CLIENTS} // 16;
my $verifier = "$FindBin::RealBin/../../scripts/verify-proof.pl";

my $node = PostgreSQL::Test::Cluster->new('seal');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'\nmax_prepared_transactions = 50\nmax_connections = 60");
$node->start;
add_app($node);
sql($node, <<'SQL');
SET client_min_messages = warning;
CREATE EXTENSION chat_rbac;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, m, 'member ' || m FROM generate_series(1, 5) AS m;
SELECT chat_rbac.grant_role('acme', 'member ' || m, 'Owner') FROM generate_series(1, 5) AS m;
CREATE SCHEMA app;
CREATE TABLE app.task (org_id bigint, id bigint, n int, note text, PRIMARY KEY (org_id, id));
SELECT chat_rbac.protect('app.task', '{"resource": "task", "org": "org_id"}');
INSERT INTO app.task SELECT 1, i, 0, 'a note of task ' || i FROM generate_series(0, 9999) AS i;
CREATE TABLE app.published (n bigint GENERATED ALWAYS AS IDENTITY, digest text NOT NULL);
CREATE TABLE app.verified (at timestamptz DEFAULT clock_timestamp(), problems bigint);
GRANT USAGE ON SCHEMA app TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.task TO PUBLIC;
SQL

# ---- the run ----

my $dir = PostgreSQL::Test::Utils::tempdir();
my @files;

# One transaction of a member, on rows of the client's own.
sub script
{
	my ($name, $weight, $sql) = @_;

	append_to_file("$dir/$name.sql", "\\set id :client_id * 100 + random(0, 49)\n\\set other :client_id * 100 + random(50, 99)\n\\set me random(1, 5)\n"
		. "BEGIN;\nSELECT set_config('chat_rbac.identity', '1/' || :me, true);\n$sql\n");
	push @files, '-f', "$dir/$name.sql\@$weight";
	return;
}

my $change = "UPDATE app.task SET n = n + 1, note = 'changed ' || n WHERE id = :id;";
my $other = 'UPDATE app.task SET n = n + 1 WHERE id = :other;';
script('commit', 4, "$change\nEND;");
script('rollback', 1, "$change\nROLLBACK;");
script('savepoint', 2, "$change\nSAVEPOINT s;\n$other\nROLLBACK TO s;\n$other\nRELEASE s;\nSAVEPOINT s;\n$change\nEND;");
script('slow', 1, "$change\n\\sleep 30 ms\n$other\nEND;");
script('many', 1, "UPDATE app.task SET n = n + 1 WHERE id BETWEEN :client_id * 100 AND :client_id * 100 + 49;\nEND;");
script('prepared', 2, "$change\nPREPARE TRANSACTION 'p:client_id';\n\\sleep 20 ms\nCOMMIT PREPARED 'p:client_id';");
script('unprepared', 1, "$change\nPREPARE TRANSACTION 'p:client_id';\n\\sleep 10 ms\nROLLBACK PREPARED 'p:client_id';");

append_to_file("$dir/seal.sql", "INSERT INTO app.published (digest) SELECT chat_rbac.audit_seal();\n\\sleep 10 ms\n");
append_to_file("$dir/verify.sql", "INSERT INTO app.verified (problems) SELECT count(*) FROM chat_rbac.audit_verify();\n\\sleep 300 ms\n");

my @pgbench = ($node->installed_command('pgbench'), '-n', '-T', $seconds, '-h', $node->host, '-p', $node->port);
my %run = (
	write => [ @pgbench, '-U', 'regress_chat_rbac_app', '-c', $clients, '-j', 2, @files, 'postgres' ],
	seal => [ @pgbench, '-c', 2, '-f', "$dir/seal.sql", 'postgres' ],
	verify => [ @pgbench, '-c', 1, '-f', "$dir/verify.sql", 'postgres' ]);
my (%handle, %out, %err);
for my $name (sort keys %run)
{
	$handle{$name} = IPC::Run::start($run{$name}, '>', \$out{$name}, '2>', \$err{$name},
		IPC::Run::timeout($seconds + $PostgreSQL::Test::Utils::timeout_default));
}
for my $name (sort keys %run)
{
	ok($handle{$name}->finish, "$name: pgbench ends well");
	is($err{$name}, '', "$name: no errors");
}

# ---- every event in one block ----

# Seal until everything is.
sub seal_all
{
	$node->poll_query_until('postgres',
		'SELECT pg_snapshot_xmin(pg_current_snapshot()) > (SELECT xid FROM chat_rbac.audit_event ORDER BY xid DESC LIMIT 1)')
	  or die 'something holds the horizon back';
	return sql($node, 'SELECT chat_rbac.audit_seal()');
}

my $digest = seal_all();
my $events = sql($node, 'SELECT count(*) FROM chat_rbac.audit_event');
my $sealed = '(SELECT unnest(event_ids) AS event_id FROM chat_rbac.audit_block) AS s';
note("$events events in " . sql($node, 'SELECT count(*) FROM chat_rbac.audit_block') . ' blocks');
cmp_ok($events, '>', 10_000 + 100 * $seconds, 'events were written');
cmp_ok(sql($node, 'SELECT count(*) FROM chat_rbac.audit_block'), '>', 5 * $seconds, 'in many blocks');
is(sql($node, "SELECT count(*), count(DISTINCT event_id) FROM $sealed"), "$events|$events", 'as many are sealed, and none twice');
is(sql($node, "SELECT count(*) FROM chat_rbac.audit_event e FULL JOIN $sealed USING (event_id) WHERE s.event_id IS NULL OR e.event_id IS NULL"),
	'0', 'and these');
is(sql($node, 'SELECT sum(n) FROM app.task'),
	sql($node, "SELECT count(*) FROM chat_rbac.audit_event WHERE table_name = 'app.task' AND operation = 'update'"), 'every change has its event, and nothing else has');
is(sql($node, 'SELECT count(*) FROM app.verified WHERE problems > 0'), '0', 'verified all the time');
my $all = "VARIADIC ARRAY(SELECT DISTINCT digest FROM app.published)";
is(sql($node, "SELECT * FROM chat_rbac.audit_verify($all)"), '', 'all that was published holds');

# ---- what holds it back, and what is in its way ----

sql($node, "BEGIN; UPDATE app.task SET n = n + 1 WHERE id = 1; PREPARE TRANSACTION 'old'");
sql($node, 'UPDATE app.task SET n = n + 1 WHERE id = 2');
is(sql($node, 'SELECT chat_rbac.audit_seal()'), $digest, 'a prepared transaction holds back all that came after it');
sql($node, "COMMIT PREPARED 'old'");
like($digest = seal_all(), qr/ 2 events$/, '... until it ends');

sql($node, 'UPDATE app.task SET n = n + 1 WHERE id = 2');
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chat_rbac.audit_block');
$digest = seal_all();
$session->query('SELECT chat_rbac.audit_seal()');
like($session->{stderr}, qr/could not seal the audit trail: another session did/, 'a snapshot from before another seal is an error');
$session->quit;
is(sql($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM app.task; SELECT chat_rbac.audit_seal(); COMMIT'),
	"10000\n$digest", 'one from after it is not');

# ---- what a superuser changes is found and named ----

my ($in) = split /\|/, sql($node, "SELECT event_id FROM chat_rbac.audit_event WHERE table_name = 'app.task' AND operation = 'update' AND new ? 'note' ORDER BY event_id OFFSET 100 LIMIT 1");
my $block = sql($node, "SELECT block_no FROM chat_rbac.audit_block WHERE event_ids \@> '{$in}'");
my $part = sql($node, "SELECT tableoid::regclass FROM chat_rbac.audit_event WHERE event_id = $in");

# What verification says of a change, which is undone.
sub finds
{
	my ($change, $right, $name) = @_;

	return is(sql($node, "BEGIN; $change; SELECT block_no, event_id, problem FROM chat_rbac.audit_verify($all) ORDER BY 1, 2, 3; ROLLBACK"), $right, $name);
}

finds("UPDATE chat_rbac.audit_event SET new = jsonb_set(new, '{note}', to_jsonb(overlay(new ->> 'note' PLACING 'C' FROM 1 FOR 1))) WHERE event_id = $in",
	"$block|$in|changed event", 'one byte of a value changed');
finds("DELETE FROM chat_rbac.audit_event WHERE event_id = $in", "$block|$in|missing event", 'an event deleted');
finds("INSERT INTO chat_rbac.audit_event SELECT (jsonb_populate_record(e, '{\"event_id\": 999999999}')).* FROM chat_rbac.audit_event e WHERE event_id = $in",
	"$block|999999999|added event", 'an event inserted behind the seal');
finds("UPDATE chat_rbac.audit_block SET events = events + 1 WHERE block_no = $block", "$block||edited block\n$block||unknown digest", 'a block edited');
finds("DELETE FROM chat_rbac.audit_block WHERE block_no = $block", "$block||missing block\n$block||unknown digest", 'a block deleted');
is(sql($node, "BEGIN; TRUNCATE $part; SELECT count(DISTINCT event_id), min(problem) FROM chat_rbac.audit_verify($all); ROLLBACK"), $events + 3 . '|missing event', 'a partition truncated');
is(sql($node, "SELECT * FROM chat_rbac.audit_verify($all)"), '', 'all that is undone');

# ---- on a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(sql($standby, "SELECT * FROM chat_rbac.audit_verify('$digest')"), '', 'a standby verifies');
fails($standby, 'SELECT chat_rbac.audit_seal()', qr/25006|55000/, 'recovery|read-only', 'and cannot seal');
$standby->stop;

# ---- proofs, to one who has the digest only ----

sub verify_proof
{
	my ($line, $proof) = @_;
	my ($stdout, $stderr);

	open my $file, '>', "$dir/proof.json" or die $!;
	print $file $proof;
	close $file;
	IPC::Run::run([ $^X, $verifier, $line, "$dir/proof.json" ], '>', \$stdout, '2>', \$stderr);
	return ($? >> 8, $stdout, $stderr);
}

sub refuses_proof
{
	my ($line, $proof, $why, $name) = @_;
	my ($status, $stdout, $stderr) = verify_proof($line, $proof);

	is($status, 1, "$name: not proved");
	is($stdout, '', "$name: nothing is shown");
	return like($stderr, qr/^NOT PROVED: .*$why/, "$name: and why");
}

my @some = split /\n/, sql($node, 'SELECT event_id FROM (SELECT event_id, row_number() OVER (ORDER BY xid, event_id) AS n FROM chat_rbac.audit_event) AS e WHERE n % 997 = 1');
my $bad = 0;
for my $event (@some)
{
	my ($status, $stdout) = verify_proof($digest, sql($node, "SELECT chat_rbac.audit_proof($event)"));

	$bad++ unless $status == 0 && $stdout =~ /^Proved: event $event is in block \d+/;
}
is($bad, 0, 'proofs of ' . @some . ' events hold');

my $proof = sql($node, "SELECT chat_rbac.audit_proof($in)");
my ($status, $stdout, $stderr) = verify_proof($digest, $proof);
is($status, 0, 'proved');
like($stdout, qr/^new\.note +"changed \d+"$/m, '... a value');
like($stdout, qr/^actions +\{task\.edit\}$/m, '... and an action');
my ($earlier) = split /\n/, sql($node, "SELECT digest FROM app.published WHERE substring(digest FROM 'block (\\d+)')::bigint > $block ORDER BY n LIMIT 1");
is((verify_proof($earlier, $proof))[0], 0, 'by an earlier digest too');

my ($value) = $proof =~ /"value": "(\\"changed \d+\\")"/;
refuses_proof($digest, $proof =~ s/\Q$value\E/\\"Changed it\\"/r, 'value of new.note', 'a value changed');
my $forged = JSON::PP->new->utf8->decode($proof);
my $opening = $forged->{openings}{new}{note};
$opening->{salt} .= unpack 'H*', substr $opening->{value}, 0, 5, '';
refuses_proof($digest, JSON::PP->new->utf8->encode($forged), 'salt of new.note is not of 32 bytes', 'the beginning of a value moved into its salt');
refuses_proof($digest, $proof =~ s/"openings": \{"new": \{/$&"\\u001b[2K\\rProved:": {}, /r, 'has no "\\\\x\\{1b\\}\[2K\\\\x\\{0d\\}Proved:"', 'what a terminal would obey');
refuses_proof($digest, $proof =~ s/"event": "\K01(.*?)7461736b2e65646974/01${1}7461736b2e76696577/r, 'not in block', 'an action changed');
refuses_proof($digest, $proof =~ s/"path": \["\K./x/r, 'hexadecimal', 'not a hash');
refuses_proof($digest, $proof =~ s/"path": \["\K(.)/$1 eq '0' ? '1' : '0'/er, 'not in block', 'a hash changed');
refuses_proof($digest, $proof =~ s/"path": \[.*?\]/"path": []/r, 'too short', 'no path');
refuses_proof($digest, $proof =~ s/"headers": \["[^"]*", /"headers": [/r, 'not in block|no such leaf|path', 'the wrong block');
refuses_proof($digest =~ s/sha256:\K(.)/$1 eq '0' ? '1' : '0'/er, $proof, 'not the one whose digest', 'another digest');
refuses_proof($digest =~ s/block \K\d+/1000000/r, $proof, 'does not reach', 'a later digest');
refuses_proof($digest, $proof =~ s/"headers": \["01\K69(?=00000008)/6c/r, 'no block number', 'a list for a number');
refuses_proof($digest, '{"format": "x"}', 'another format', 'another format');
refuses_proof($digest, 'x', 'not in JSON', 'no proof');
is((verify_proof('a digest', $proof))[0], 2, 'a wrong call');

# redacted, by a member who may
sql($node, "INSERT INTO chat_rbac.known_permission (name, description) VALUES ('audit.redact', 'Take values out of the audit trail') ON CONFLICT DO NOTHING");
as_member($node, '1/1', "SELECT chat_rbac.audit_redact($in, '{note}', 'erasure')");
($status, $stdout) = verify_proof($digest, sql($node, "SELECT chat_rbac.audit_proof($in)"));
is($status, 0, 'a redacted event is proved');
like($stdout, qr/^new\.note +\(redacted, or not shown\)$/m, '... but for what was taken out');
like($stdout, qr/^new\.n +\d+$/m, '... with what was not');
refuses_proof($digest, sql($node, "SELECT chat_rbac.audit_proof($in)") =~ s/"new": \{/'"new": {"note": {"salt": "' . '00' x 32 . '", "value": "\\"invented\\""}, '/er, 'value of new.note', 'a value invented');
is(sql($node, "SELECT * FROM chat_rbac.audit_verify($all)"), '', 'and the trail still holds');
$digest = seal_all();
like((verify_proof($digest, sql($node, "SELECT chat_rbac.audit_proof((SELECT event_id FROM chat_rbac.audit_event WHERE operation = 'redact'))")))[1],
	qr/^reason +erasure$/m, 'the redaction itself is proved');

# ---- while a month is detached ----

sql($node, q{CREATE TABLE chat_rbac.audit_event_2001_01 PARTITION OF chat_rbac.audit_event FOR VALUES FROM ('2001-01-01 00:00+00') TO ('2001-02-01 00:00+00')});
sql($node, "INSERT INTO chat_rbac.audit_event SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', 5, 'at', '2001-01-07', 'xid', pg_current_xact_id()))).* FROM chat_rbac.audit_event e WHERE redaction IS NULL LIMIT 1");
$digest = seal_all();
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chat_rbac.audit_block');
like(sql($node, 'SET chat_rbac.audit_retention_months = 12; SELECT chat_rbac.audit_maintain()'), qr/^detached chat_rbac.audit_event_2001_01$/m, 'a month is detached');
is($session->query_safe("SELECT * FROM chat_rbac.audit_verify('$digest')"), '', 'one with a snapshot from before does not miss its events');
$session->quit;

# ---- in another encoding ----

my $leaf = <<'SQL';
SET client_encoding = 'UTF8';
SELECT encode(chat_rbac.audit_leaf(jsonb_populate_record(NULL::chat_rbac.audit_event,
	'{"event_id": 1, "salt": "\\x00", "actor_name": "Zoë", "actions": ["ü"], "new": {"éa": "naïve", "z": 1.50}}')), 'hex')
SQL
sql($node, q{CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'});
sql($node, 'CREATE EXTENSION chat_rbac', db => 'latin1');
is(sql($node, $leaf, db => 'latin1'), sql($node, $leaf), 'canonical bytes are the same in another encoding');

# text that is legal there, but nowhere else, is hashed too
sql($node, q{CREATE DATABASE win1252 TEMPLATE template0 ENCODING 'WIN1252' LOCALE 'C'});
sql($node, 'CREATE EXTENSION chat_rbac', db => 'win1252');
my $raw = q{SELECT substring(encode(chat_rbac.audit_bytes(jsonb_populate_record(NULL::chat_rbac.audit_event, jsonb_build_object('reason', E'a%sb'))), 'hex') FROM '74000000..(?:ff)?61[0-9a-f]{2,4}62')};
is(sql($node, sprintf($raw, '\x81'), db => 'win1252'), '7400000004ff618162', 'text without an equivalent in UTF-8');
is(sql($node, sprintf($raw, '\xe4'), db => 'win1252'), '740000000461c3a462', '... and with one');

$node->stop;
done_testing();

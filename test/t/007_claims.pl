# Many clients claim, reply, release, assign and transfer the same few
# conversations at once, as members who change with every transaction, while
# grants are revoked and given.  Afterwards the log that they kept must be a
# history in which no two members ever held a conversation together.
#
# Every client writes what its UPDATE … RETURNING returned into an unprotected
# table in the same statement, with a number that is drawn while it holds the
# row's lock.  So the numbers of one conversation are in the order of its commits.
#
# Environment:
#	CHAT_RBAC_PGBENCH_SECONDS	how long it runs (default 5)
#	CHAT_RBAC_PGBENCH_CLIENTS	how many clients (default 8)
# In full: CHAT_RBAC_PGBENCH_SECONDS=30 CHAT_RBAC_PGBENCH_CLIENTS=16 make test TESTS=tap

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{CHAT_RBAC_PGBENCH_SECONDS} // 5;
my $clients = $ENV{CHAT_RBAC_PGBENCH_CLIENTS} // 8;

# agents 1 to 6, two a team; 7 is one of all teams, and his grants come and go;
# 8 leads team 1, 9 all of them; 10 may change plain fields of his chats only
my $node = new_cluster('claims');
add_app($node);
sql($node, <<'SQL');
SET client_min_messages = warning;
CREATE EXTENSION chat_rbac;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES
	(1, 10, 'department', NULL, 'all'), (1, 1, 'team', 10, 'first'), (1, 2, 'team', 10, 'second'), (1, 3, 'team', 10, 'third'),
	(1, 100, 'inbox', NULL, 'shop');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, m, 'member ' || m FROM generate_series(1, 10) AS m;
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Intern', '{conversation.view@own, conversation.edit@own}');
SELECT chat_rbac.grant_role('acme', 'member ' || m, r, u)
FROM (VALUES (1, 'Agent', 'first'), (2, 'Agent', 'first'), (3, 'Agent', 'second'), (4, 'Agent', 'second'), (5, 'Agent', 'third'), (6, 'Agent', 'third'),
	(7, 'Agent', 'first'), (7, 'Agent', 'second'), (7, 'Agent', 'third'), (8, 'Supervisor', 'first'), (9, 'Supervisor', 'all'), (10, 'Intern', 'all')) AS g (m, r, u);

SELECT chat_rbac.create_inbox('inbox');
INSERT INTO inbox.customer (org_id, id, name) VALUES (1, 1, 'customer');
-- one in ten belongs to the intern from the start; of the others most wait
INSERT INTO inbox.conversation (org_id, id, customer_id, initiated_by, inbox_id, team_id, assignee_id)
	SELECT 1, i, 1, 'customer', 100, 1 + i % 3, CASE i % 10 WHEN 0 THEN 10 WHEN 5 THEN 1 + i % 3 * 2 END
	FROM generate_series(1, 60) AS i;

CREATE SCHEMA test;
CREATE TABLE test.start AS SELECT id, team_id, assignee_id FROM inbox.conversation;
-- who held it before and holds it after, and in which team
CREATE TABLE test.log (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id(), what text, member bigint, id bigint,
	old_assignee bigint, new_assignee bigint, old_team bigint, new_team bigint);
-- what was written, the statement's snapshot, and when it began and had been written
CREATE TABLE test.said (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid xid8 DEFAULT pg_current_xact_id(), snapshot pg_snapshot DEFAULT pg_current_snapshot(),
	began timestamptz DEFAULT statement_timestamp(), ended timestamptz DEFAULT clock_timestamp(), member bigint, conversation_id bigint, message_id bigint);
CREATE TABLE test.attempt (what text, result text);
CREATE TABLE test.off (began timestamptz, ended timestamptz);
-- something that may be refused, and how it ended
CREATE FUNCTION test.attempt(what text, statement text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
	result text;
BEGIN
	BEGIN
		EXECUTE statement;
		GET DIAGNOSTICS n = ROW_COUNT;
		result := n || ' rows';
	EXCEPTION WHEN insufficient_privilege THEN
		result := SQLERRM;
	END;
	INSERT INTO test.attempt VALUES (what, result);
END $$;
GRANT USAGE ON SCHEMA inbox, test TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON inbox.conversation, inbox.message TO PUBLIC;
GRANT SELECT, INSERT ON test.log, test.said, test.attempt TO PUBLIC;
SQL

# ---- the scripts ----

my $dir = PostgreSQL::Test::Utils::tempdir();
my @files;

# as: whose turn it is; the statements are one transaction of his
sub script
{
	my ($name, $weight, $as, $sql, %opt) = @_;
	my $begin = $opt{begin} // 'BEGIN';

	append_to_file("$dir/$name.sql", "\\set me $as\n\\set id random(1, 60)\n"
		. ($opt{set} // '') . "$begin;\nSELECT set_config('chat_rbac.identity', '1/' || :me, true);\n$sql\nEND;\n");
	push @files, '-f', "$dir/$name.sql\@$weight";
	return;
}

my $agent = 'random(1, 6)';
my $claim = <<'SQL';
WITH u AS (UPDATE inbox.conversation SET assignee_id = :me::bigint, updated_at = now() WHERE org_id = 1 AND id = :id::bigint AND assignee_id IS NULL
	RETURNING id, team_id)
INSERT INTO test.log (what, member, id, old_assignee, new_assignee, old_team, new_team)
SELECT 'claim', :me::bigint, id, NULL, :me::bigint, team_id, team_id FROM u;
SQL
my $say = <<'SQL';
WITH m AS (INSERT INTO inbox.message (conversation_id, kind, body)
	SELECT id, 'reply', 'hello' FROM inbox.conversation WHERE assignee_id = :me::bigint ORDER BY random() LIMIT 1
	RETURNING author_id, conversation_id, id)
INSERT INTO test.said (member, conversation_id, message_id) SELECT * FROM m;
SQL
my $mine = 'id = (SELECT id FROM inbox.conversation WHERE assignee_id = :me::bigint ORDER BY random() LIMIT 1) AND assignee_id = :me::bigint';

script('claim', 4, $agent, $claim);
script('claim_rr', 1, $agent, $claim, begin => 'BEGIN ISOLATION LEVEL REPEATABLE READ');
script('next', 3, $agent, <<'SQL');
WITH u AS (UPDATE inbox.conversation SET assignee_id = :me::bigint
	WHERE org_id = 1 AND id = (SELECT id FROM inbox.conversation WHERE assignee_id IS NULL ORDER BY last_message_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
	RETURNING id, team_id)
INSERT INTO test.log (what, member, id, old_assignee, new_assignee, old_team, new_team)
SELECT 'next', :me::bigint, id, NULL, :me::bigint, team_id, team_id FROM u;
SQL
script('claim_and_say', 2, $agent, $claim . $say);
script('say', 2, $agent, $say);
# and says so in the conversation
script('say_and_wait', 2, $agent, $say =~ s/^INSERT/, u AS (UPDATE inbox.conversation AS c SET status = 'waiting', last_message_at = now() FROM m
	WHERE c.id = m.conversation_id AND c.assignee_id = :me::bigint)\nINSERT/mr);
script('release', 2, $agent, <<"SQL");
WITH u AS (UPDATE inbox.conversation SET assignee_id = NULL WHERE $mine RETURNING id, team_id)
INSERT INTO test.log (what, member, id, old_assignee, new_assignee, old_team, new_team)
SELECT 'release', :me::bigint, id, :me::bigint, NULL, team_id, team_id FROM u;
SQL
my $transfer = <<'SQL';
WITH mine AS (SELECT id, team_id FROM inbox.conversation WHERE assignee_id = :me::bigint ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED),
u AS (UPDATE inbox.conversation AS c SET team_id = :id::bigint % 3 + 1, assignee_id = NULL FROM mine WHERE c.id = mine.id AND c.assignee_id = :me::bigint
	RETURNING c.id, mine.team_id AS old_team, c.team_id AS new_team)
INSERT INTO test.log (what, member, id, old_assignee, new_assignee, old_team, new_team)
SELECT 'transfer', :me::bigint, id, :me::bigint, NULL, old_team, new_team FROM u;
SQL
script('transfer', 3, $agent, $transfer);
# a lead gives a chat to somebody else, whoever has it
script('assign', 2, 'random(8, 9)', <<'SQL', set => "\\set to random(1, 7)\n");
WITH o AS (SELECT id, team_id, assignee_id FROM inbox.conversation WHERE org_id = 1 AND id = :id::bigint AND assignee_id IS DISTINCT FROM 10 FOR UPDATE),
u AS (UPDATE inbox.conversation AS c SET assignee_id = :to::bigint FROM o WHERE c.org_id = 1 AND c.id = o.id
	RETURNING c.id, o.assignee_id AS old_assignee, c.assignee_id AS new_assignee, o.team_id AS old_team, c.team_id AS new_team)
INSERT INTO test.log (what, member, id, old_assignee, new_assignee, old_team, new_team)
SELECT 'assign', :me::bigint, * FROM u;
SQL
# 7 does the same; what his policies let begin the guard may refuse, when his grants go meanwhile
sub seven
{
	my ($name, $sql) = @_;

	$sql =~ s/'/''/g;
	$sql =~ s/%/%%/g;
	$sql =~ s/:me::bigint/7/g;
	$sql =~ s/:id::bigint/%1\$s/g;
	return "SELECT test.attempt('seven $name', format('$sql', :id::bigint));\n";
}
script('seven', 2, 7, seven('claims', $claim) . seven('says', $say));
script('seven_more', 1, 7, seven('says', $say) . seven('transfers', $transfer));

# what must not work, or not always
script('speak_up', 1, $agent, <<'SQL');
SELECT test.attempt('speak up', format('WITH m AS (INSERT INTO inbox.message (conversation_id, kind, author_id, body) VALUES (%s, ''reply'', %s, ''hello'')'
	' RETURNING author_id, conversation_id, id) INSERT INTO test.said (member, conversation_id, message_id) SELECT * FROM m', :id::bigint, :me::bigint));
SQL
script('impersonate', 1, $agent, <<'SQL');
SELECT test.attempt('impersonate', format('INSERT INTO inbox.message (conversation_id, kind, author_id, body)'
	' SELECT id, ''note'', %s, ''hello'' FROM inbox.conversation WHERE assignee_id = %s LIMIT 1', :me::bigint % 7 + 1, :me::bigint));
SQL
script('intern', 1, '10', <<'SQL', set => "\\set mine 10 * random(1, 6)\n");
SELECT test.attempt('intern edits', format('UPDATE inbox.conversation SET channel = ''sms'' WHERE id = %s', :mine::bigint));
SELECT test.attempt('intern transfers', format('UPDATE inbox.conversation SET team_id = team_id %% 3 + 1 WHERE id = %s', :mine::bigint));
SELECT test.attempt('intern gives away', format('UPDATE inbox.conversation SET assignee_id = 1 WHERE id = %s', :mine::bigint));
SELECT test.attempt('intern claims', format('UPDATE inbox.conversation SET assignee_id = 10 WHERE id = %s AND assignee_id IS NULL', :id::bigint));
SELECT test.attempt('intern replies', format('INSERT INTO inbox.message (conversation_id, kind, body) VALUES (%s, ''reply'', ''hello'')', :mine::bigint));
SQL
# across teams, and who has no right at all to what another holds
script('grab', 1, $agent, <<'SQL');
SELECT test.attempt('grab', format('UPDATE inbox.conversation SET assignee_id = %s WHERE id = %s AND assignee_id <> %1$s', :me::bigint, :id::bigint));
SQL

# 7 loses his grants and gets them back; off is when he surely has none
append_to_file("$dir/grants.sql", <<'SQL');
DELETE FROM chat_rbac.role_grant WHERE (org_id, member_id) = (1, 7);
INSERT INTO test.off (began) VALUES (clock_timestamp());
\sleep 20 ms
UPDATE test.off SET ended = clock_timestamp() WHERE ended IS NULL;
SELECT chat_rbac.grant_role('acme', 'member 7', 'Agent', u) FROM unnest('{first,second,third}'::text[]) AS u;
\sleep 60 ms
SQL

# ---- the run ----

my @pgbench = ($node->installed_command('pgbench'), '-n', '-T', $seconds, '-h', $node->host, '-p', $node->port);
my %run = (
	clients => [ @pgbench, '-U', 'regress_chat_rbac_app', '-M', 'prepared', '-c', $clients, '-j', 2, '--max-tries', 1000, @files, 'postgres' ],
	grants => [ @pgbench, '-c', 1, '-f', "$dir/grants.sql", 'postgres' ]);
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
	like($out{$name}, qr/^number of failed transactions: 0 /m, "$name: no failed transactions");
}
my ($done) = $out{clients} =~ /^number of transactions actually processed: (\d+)/m;
note("$done transactions of $clients clients in $seconds s");

# ---- what it came to ----

is(sql($node, 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), '0', 'no deadlocks');

# each thing happened often enough to mean something
my $enough = 3 * $seconds;
for my $what (qw(claim next release transfer assign))
{
	cmp_ok(sql($node, "SELECT count(*) FROM test.log WHERE what = '$what'"), '>=', $enough, "$what: was done");
}
cmp_ok(sql($node, 'SELECT count(*) FROM test.said'), '>=', $enough, 'messages were written');
cmp_ok(sql($node, "SELECT count(*) FROM test.attempt WHERE what = 'speak up' AND result = '1 rows'"), '>', 0, 'to speak up worked at times');

# the history of each conversation, its start and its end included
sql($node, <<'SQL');
CREATE TABLE test.history AS
SELECT *, row_number() OVER w AS n, lead(xid) OVER w AS next_xid, lead(seq) OVER w AS next_seq,
	lead(old_assignee) OVER w AS next_assignee, lead(old_team) OVER w AS next_team, lead(true) OVER w IS NULL AS last
FROM (
	SELECT 0 AS seq, xid8 '3' AS xid, 'start' AS what, NULL AS member, id, NULL AS old_assignee, assignee_id AS new_assignee, NULL AS old_team, team_id AS new_team
	FROM test.start
	UNION ALL
	SELECT seq, xid, what, member, id, old_assignee, new_assignee, old_team, new_team FROM test.log) AS h
WINDOW w AS (PARTITION BY id ORDER BY seq);
SQL
my $none = sub {
	my ($from, $name) = @_;

	my $rows = sql($node, "SELECT * FROM $from LIMIT 5");
	return is($rows, '', $name);
};
$none->('test.history WHERE NOT last AND next_assignee IS DISTINCT FROM new_assignee',
	'every change found the holder whom the one before it had left: no overlaps');
$none->('test.history WHERE NOT last AND next_team IS DISTINCT FROM new_team', '... and the team');
$none->("test.history h JOIN test.history c ON c.id = h.id AND c.n = h.n + 1 WHERE c.what IN ('claim', 'next') AND h.new_assignee IS NOT NULL",
	'no conversation was claimed while somebody held it');
$none->('test.history h JOIN inbox.conversation c USING (id) WHERE last AND (c.assignee_id, c.team_id) IS DISTINCT FROM (new_assignee, new_team)',
	'every row is of the holder and the team that the last change gave it');
$none->("test.history h WHERE what = 'transfer' AND NOT EXISTS (SELECT FROM chat_rbac.role_grant g WHERE g.member_id = h.member AND g.unit_id = h.old_team)"
	  . ' AND member <> 7', 'who transferred was of the team');
$none->("test.history h WHERE what IN ('claim', 'next') AND NOT EXISTS (SELECT FROM chat_rbac.role_grant g WHERE g.member_id = h.member AND g.unit_id = h.old_team)"
	  . ' AND member <> 7', 'who claimed was of the team');
$none->("test.history WHERE what = 'assign' AND member = 8 AND old_team <> 1", 'the lead of team 1 gave chats of team 1 only');
$none->('test.start WHERE assignee_id = 10 AND id IN (SELECT id FROM test.log)', "nobody touched the intern's");

# messages: as of the snapshot in which it was written the author held the conversation
$none->('inbox.message m FULL JOIN test.said s ON s.message_id = m.id WHERE m.id IS NULL OR s.message_id IS NULL'
	  . ' OR m.author_id <> s.member OR m.conversation_id <> s.conversation_id', 'every message is in the log');
# the lead of all teams writes none; so the holder is the author
$none->(<<'SQL', 'every author held the conversation when writing');
test.said s WHERE NOT EXISTS (SELECT FROM test.history h
	WHERE h.id = s.conversation_id AND h.new_assignee = s.member
		AND (h.xid = s.xid OR pg_visible_in_snapshot(h.xid, s.snapshot))
		AND (h.next_xid IS NULL OR NOT pg_visible_in_snapshot(h.next_xid, s.snapshot)))
SQL
cmp_ok(sql($node, 'SELECT count(*) FROM test.off WHERE ended > began'), '>=', $seconds, 'grants came and went');
$none->('test.said s JOIN test.off o ON s.began >= o.began AND s.ended <= o.ended WHERE s.member = 7', 'nobody wrote while his grants were revoked');

# refusals, by their words
my %expected = (
	'grab' => qr/^0 rows$/,
	'impersonate' => qr/^(?:0 rows|only the table's owner may insert into table "message")$/,
	'intern claims' => qr/^0 rows$/,
	'intern edits' => qr/^1 rows$/,
	'intern gives away' => qr/^permission "conversation\.assign" is needed to change column "assignee_id" of table "conversation"$/,
	'intern replies' => qr/^permission "conversation\.reply" is needed to insert into table "message"$/,
	'intern transfers' => qr/^permission "conversation\.transfer" is needed to change column "team_id" of table "conversation"$/,
	'seven claims' => qr/^(?:[01] rows|permission "conversation\.claim" is needed to change column "assignee_id" of table "conversation")$/,
	'seven says' => qr/^(?:[01] rows|permission "conversation\.reply" is needed to insert into table "message")$/,
	'seven transfers' => qr/^(?:[01] rows|permission "conversation\.(?:assign|transfer)" is needed to change column "\w+" of table "conversation")$/,
	'speak up' => qr/^(?:1 rows|permission "conversation\.reply" is needed to insert into table "message")$/);
for my $what (sort keys %expected)
{
	my @results = split /\n/, sql($node, "SELECT DISTINCT result FROM test.attempt WHERE what = '$what'");

	ok(@results > 0, "$what: was tried");
	like($_, $expected{$what}, "$what: ends as it should") for @results;
}
$none->("inbox.conversation WHERE id % 10 = 0 AND assignee_id IS DISTINCT FROM 10", 'what was refused has not been done');
cmp_ok(sql($node, 'SELECT count(*) FROM inbox.conversation WHERE id % 10 = 0 AND channel = \'sms\''), '>', 0, '... and what was let through has');

$node->stop;
done_testing();

# Who reads an audited view is recorded once for each execution, in whatever form
# it is read; and what is rolled back, or cannot be recorded, shows in the log.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1, extra => [ '-E', 'UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'\nmax_prepared_transactions = 5\nautovacuum = off");
$node->start;
add_app($node);
add_inbox($node, rows => 200);
sql($node, <<'SQL');
SET client_min_messages = error;
REVOKE SELECT ON inbox.conversation, inbox.customer FROM PUBLIC;
SELECT chat_rbac.create_view('inbox.conversation', '{"view": "inbox.chat", "grant": ["regress_chat_rbac_app"], "audited": true}');
SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.card", "grant": ["regress_chat_rbac_app"], "audited": true}');
-- a linked relation is read as the caller
GRANT SELECT (org_id, customer_id) ON inbox.conversation TO regress_chat_rbac_app;
CREATE VIEW inbox.nested AS SELECT * FROM inbox.chat WHERE id > 0;
CREATE VIEW inbox.invoked WITH (security_invoker) AS SELECT * FROM inbox.nested;
CREATE TABLE inbox.plain (id bigint PRIMARY KEY, n int);
INSERT INTO inbox.plain SELECT i, 0 FROM generate_series(1, 5000) AS i;
ANALYZE inbox.plain;
GRANT SELECT ON inbox.nested, inbox.invoked TO regress_chat_rbac_app;
GRANT ALL ON inbox.plain TO regress_chat_rbac_app;
GRANT CREATE, TEMP ON DATABASE postgres TO regress_chat_rbac_app;
GRANT CREATE ON SCHEMA inbox TO regress_chat_rbac_app;
SQL
sql($node, <<'SQL', user => 'regress_chat_rbac_app');
CREATE FUNCTION inbox.by_sql() RETURNS SETOF bigint LANGUAGE sql VOLATILE AS 'SELECT id FROM inbox.chat';
CREATE FUNCTION inbox.inlined() RETURNS SETOF bigint LANGUAGE sql STABLE AS 'SELECT id FROM inbox.chat';
CREATE FUNCTION inbox.one() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT id FROM inbox.chat ORDER BY id LIMIT 1';
CREATE FUNCTION inbox.by_plpgsql() RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN QUERY SELECT id FROM inbox.chat; END';
CREATE FUNCTION inbox.cursor() RETURNS refcursor LANGUAGE plpgsql AS 'DECLARE c refcursor := ''cur''; BEGIN OPEN c FOR SELECT id FROM inbox.chat; RETURN c; END';
CREATE FUNCTION inbox.peep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.n := (SELECT count(*) FROM inbox.chat); RETURN NEW; END';
CREATE PROCEDURE inbox.in_parts() LANGUAGE plpgsql AS 'DECLARE r bigint; BEGIN FOR r IN SELECT id FROM inbox.chat LOOP COMMIT; END LOOP; END';
CREATE FUNCTION inbox.in_worker() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT count(*) FROM inbox.chat';
SQL

# How many reads, or exports, are in the trail.
sub recorded
{
	my ($operation) = (@_, 'read');

	return sql($node, "SELECT count(*) FROM chat_rbac.audit_event WHERE operation = '$operation'");
}

my $lead = "SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app;";

# The reads that some SQL leaves: [rows, grouped or failed] in order.
sub reads
{
	my ($sql, %opt) = @_;
	my $before = sql($node, "SELECT coalesce(max(event_id), 0) FROM chat_rbac.audit_event");

	ChatRbac::run_psql($node, ($opt{as} // $lead) . $sql, go_on => 1, stderr => $opt{stderr});
	return sql($node, "SELECT string_agg(table_name || ' ' || (new ->> 'rows') || CASE WHEN new ? 'grouped' THEN ' grouped' ELSE '' END"
		  . " || CASE WHEN new ? 'failed' THEN ' failed' ELSE '' END, ', ' ORDER BY table_name, event_id) FROM chat_rbac.audit_event"
		  . " WHERE operation = 'read' AND event_id > $before");
}

# What the log has of some SQL, as objects: of reads, or of refusals.
sub logged
{
	my ($sql, $what, %opt) = @_;
	my $from = -s $node->logfile;

	ChatRbac::run_psql($node, ($opt{as} // $lead) . $sql, go_on => 1);
	my $log = slurp_file($node->logfile, $from);
	return map { JSON::PP->new->decode($_) } $log =~ /^.*LOG:  chat_rbac (?:$what): (\{.*\})$/mg;
}

# who, what, under which permission, and why
sql($node, "$lead SET chat_rbac.request_id = 'r1'; SET chat_rbac.reason = 'audit'; SET application_name = 'bi'; SELECT id FROM inbox.chat LIMIT 3");
is( sql($node, "SELECT org_id, actor_org_id, actor_id, actor_name, relation, table_name, actions, new, row_key, unit_keys, depth,"
		  . " db_role, session_role, request_id, reason, application_name FROM chat_rbac.audit_event WHERE operation = 'read'"),
	"1|1|2|sue|inbox.chat|inbox.chat|{conversation.view}|{\"rows\": 3}||{}|0|regress_chat_rbac_app|postgres|r1|audit|bi",
	'a read is an event of its reader');

# each form, and how often it reads: rows are those of its result
my @forms = (
	[ 'SELECT id FROM inbox.chat', 'inbox.chat 100', 'a query' ],
	[ 'SELECT id FROM inbox.chat WHERE id = -1', 'inbox.chat 0', 'a query that finds nothing' ],
	[ 'SELECT id FROM inbox.chat LIMIT 0', '', 'a query that looks for nothing' ],
	[ 'SELECT id FROM inbox.chat WHERE false', '', 'a query that cannot find anything' ],
	[ 'SELECT count(*) FROM inbox.chat', 'inbox.chat 1 grouped', 'a number of rows' ],
	[ 'SELECT DISTINCT team_id FROM inbox.chat', 'inbox.chat 2 grouped', 'kinds of rows' ],
	[ 'PREPARE q AS SELECT id FROM inbox.chat; SET plan_cache_mode = force_generic_plan; EXECUTE q; EXECUTE q', 'inbox.chat 100, inbox.chat 100',
		'a generic plan' ],
	[ 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM inbox.chat; FETCH 3 FROM c; FETCH 4 FROM c; CLOSE c; COMMIT', 'inbox.chat 7', 'a cursor, in parts' ],
	[ 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM inbox.chat; FETCH 3 FROM c; COMMIT', 'inbox.chat 3', 'a cursor that is left open' ],
	[ 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM inbox.chat; COMMIT', '', 'a cursor that is not fetched from' ],
	[ 'BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id FROM inbox.chat; FETCH 3 FROM c; FETCH BACKWARD 2 FROM c; COMMIT', 'inbox.chat 5', 'a cursor that goes back' ],
	[ 'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id FROM inbox.chat; FETCH 3 FROM c; COMMIT; FETCH 4 FROM c', 'inbox.chat 100', 'a cursor that is held' ],
	[ 'BEGIN; DECLARE c NO SCROLL CURSOR WITH HOLD FOR SELECT id FROM inbox.chat; FETCH 3 FROM c; COMMIT; FETCH 4 FROM c', 'inbox.chat 100', 'the same without going back' ],
	[ "BEGIN; SELECT inbox.cursor(); FETCH 2 FROM cur; COMMIT", 'inbox.chat 2', 'the cursor of a function' ],
	[ 'SELECT inbox.by_sql()', 'inbox.chat 100', 'an SQL function' ],
	[ 'SELECT * FROM inbox.by_sql() LIMIT 1', 'inbox.chat 100', 'an SQL function, in FROM' ],
	[ 'SELECT * FROM inbox.inlined() LIMIT 1', 'inbox.chat 1', 'an SQL function that is inlined' ],
	[ 'SELECT inbox.one(), inbox.one()', 'inbox.chat 1, inbox.chat 1', 'an SQL function, twice' ],
	[ 'SELECT count(*) FROM inbox.by_plpgsql()', 'inbox.chat 100', 'a PL/pgSQL function' ],
	[ 'DO $$ DECLARE r bigint; BEGIN FOR r IN SELECT id FROM inbox.chat LOOP NULL; END LOOP; PERFORM id FROM inbox.chat; EXECUTE \'SELECT id FROM inbox.chat\'; END $$',
		'inbox.chat 100, inbox.chat 100, inbox.chat 100', 'DO' ],
	[ 'DO $$ BEGIN PERFORM id FROM inbox.chat LIMIT 4; RAISE no_data_found; EXCEPTION WHEN no_data_found THEN NULL; END $$', 'inbox.chat 4', 'within what is rolled back alone' ],
	[ 'DO $$ BEGIN PERFORM 1 / (id - 9) FROM inbox.chat; EXCEPTION WHEN division_by_zero THEN NULL; END $$', 'inbox.chat 4 failed', 'a query that fails, and is caught' ],
	[ 'BEGIN; SAVEPOINT s; SELECT id FROM inbox.chat LIMIT 4; ROLLBACK TO s; COMMIT', 'inbox.chat 4', 'a savepoint that is rolled back' ],
	[ 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM inbox.chat; SAVEPOINT s; FETCH 2 FROM c; ROLLBACK TO s; FETCH 2 FROM c; COMMIT', 'inbox.chat 4', 'a cursor around it' ],
	[ 'BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR SELECT id FROM inbox.chat; FETCH 2 FROM c; ROLLBACK TO s; COMMIT', 'inbox.chat 2 failed', 'a cursor in it' ],
	[ 'CALL inbox.in_parts()', 'inbox.chat 100', 'a procedure that commits' ],
	[ 'CREATE TEMP TABLE t AS SELECT id FROM inbox.chat', 'inbox.chat 100', 'CREATE TABLE AS' ],
	[ 'CREATE TEMP TABLE t (id bigint); INSERT INTO t SELECT id FROM inbox.chat', 'inbox.chat 100', 'INSERT ... SELECT' ],
	[ 'EXPLAIN SELECT id FROM inbox.chat', '', 'EXPLAIN' ],
	[ 'EXPLAIN ANALYZE SELECT id FROM inbox.chat', 'inbox.chat 100', 'EXPLAIN ANALYZE' ],
	[ 'SELECT id FROM inbox.nested', 'inbox.chat 100', 'a view on it' ],
	[ 'SELECT id FROM inbox.invoked', 'inbox.chat 100', 'a view on that, of its invoker' ],
	[ 'SELECT a.id FROM inbox.chat a JOIN inbox.chat b USING (org_id, id)', 'inbox.chat 100', 'the view twice' ],
	[ 'SELECT a.id FROM inbox.chat a JOIN inbox.card b ON b.id = a.customer_id LIMIT 2', 'inbox.card 2, inbox.chat 2', 'two views' ],
	[ 'SELECT id FROM inbox.chat UNION SELECT id FROM inbox.chat', 'inbox.chat 100 grouped', 'UNION' ],
	[ 'SELECT n FROM (SELECT 1 AS n UNION ALL SELECT count(*) FROM inbox.chat OFFSET 0) AS s', 'inbox.chat 2 grouped', 'a number among others' ],
	[ 'SELECT 1 WHERE EXISTS (SELECT FROM inbox.chat)', 'inbox.chat 1', 'EXISTS' ],
	[ 'SELECT (SELECT max(id) FROM inbox.chat WHERE id < p.id) FROM inbox.plain p WHERE id < 4', 'inbox.chat 3 grouped', 'a subselect for each row' ],
	[ 'WITH c AS MATERIALIZED (SELECT id FROM inbox.chat) SELECT 1 FROM c LIMIT 2', 'inbox.chat 2', 'WITH' ],
	[ 'WITH c AS (INSERT INTO inbox.plain SELECT -id, 0 FROM inbox.chat LIMIT 2 RETURNING 1), d AS (DELETE FROM inbox.plain WHERE id < 0) SELECT 1', 'inbox.chat 1',
		'WITH, after the query' ],
	[ 'UPDATE inbox.plain p SET n = 1 FROM inbox.chat c WHERE c.id = p.id AND c.id < 5', 'inbox.chat 2', 'UPDATE ... FROM' ],
	[ 'DELETE FROM inbox.plain p USING inbox.chat c WHERE c.id = p.id AND c.id > 5000', 'inbox.chat 0', 'DELETE ... USING' ],
	[ 'MERGE INTO inbox.plain p USING (SELECT * FROM inbox.chat WHERE id < 5) c ON c.id = p.id WHEN MATCHED THEN UPDATE SET n = 2', 'inbox.chat 2', 'MERGE' ],
	[ 'CREATE TEMP TABLE t (n int); CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION inbox.peep(); INSERT INTO t VALUES (1), (2)',
		'inbox.chat 1 grouped, inbox.chat 1 grouped', 'a trigger, for each row' ],
	[ 'BEGIN; SELECT id FROM inbox.chat LIMIT 1; SET TRANSACTION READ ONLY; COMMIT', 'inbox.chat 1', 'what may not write any more' ],
	[ 'SELECT id FROM inbox.chat LIMIT 2; COMMIT AND CHAIN', 'inbox.chat 2', 'COMMIT without BEGIN' ],
);
for (@forms)
{
	my ($sql, $right, $name) = @$_;
	is(reads($sql), $right, $name);
}

# as who exports: COPY
my $admin = "SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;";
is(reads('COPY (SELECT id FROM inbox.chat LIMIT 5) TO STDOUT', as => $admin), 'inbox.chat 5', 'COPY (query) TO');
is(reads('COPY (SELECT inbox.by_sql() LIMIT 5) TO STDOUT', as => $admin), 'inbox.chat 5', 'COPY of what a function reads');

# nobody, and a superuser, are readers too
is(reads('SELECT id FROM inbox.chat', as => 'SET ROLE regress_chat_rbac_app;'), 'inbox.chat 0', 'nobody');
is(reads('SELECT id FROM inbox.chat', as => ''), 'inbox.chat 0', 'a superuser');

# parallel plans: the rest of the query runs in workers
my $parallel = 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
my $query = 'SELECT count(*) FROM inbox.plain p WHERE id + 1 > 0 AND n + (SELECT count(*) FROM inbox.chat) > 0';
like(sql($node, "$lead $parallel EXPLAIN $query"), qr/Gather/, 'a plan is parallel');
is(reads("$parallel $query"), 'inbox.chat 1 grouped', 'a parallel plan');
is(reads("$parallel SELECT id FROM inbox.plain p WHERE id BETWEEN 1 AND 3 AND n + inbox.one() < 0"), join(', ', ('inbox.chat 1') x 3), 'a function within a parallel plan');
my $stderr;
is(reads("$parallel SELECT count(*) FROM inbox.plain WHERE n + inbox.in_worker() > 0", stderr => \$stderr), '', 'a function that reads it in a worker');
like($stderr, qr/55000: a read of view "chat" cannot be recorded here/, 'is refused');

# and the right to export: rows that workers read are counted by their leader
my $bulk = "SET chat_rbac.bulk_rows = 3; $lead $parallel";
$query = 'SELECT id FROM inbox.message WHERE id + 1 > 0';
like(sql($node, "$bulk EXPLAIN $query"), qr/Gather/, 'a plan of many rows is parallel');
is(sql($node, "$bulk SELECT count(*) FROM ($query LIMIT 3) AS m"), '3', 'some rows');
fails($node, "$bulk $query", '42501', 'permission "message.export" is needed to read more than 3 rows of table "message"', 'many rows');
my $before = recorded('export');
sql($node, "$parallel SET chat_rbac.bulk_rows = 3; $admin $query");
is(recorded('export') - $before, 1, '... are an export');

# to a file of the server, and to a program
sql($node, 'GRANT pg_write_server_files, pg_execute_server_program TO regress_chat_rbac_app');
my $file = $node->basedir . '/copy.txt';
for my $to ("'$file'", "PROGRAM 'cat > $file'")
{
	fails($node, "$lead COPY inbox.message TO $to", '42501', 'permission "message.export" is needed to copy rows out of table "message"', "COPY TO $to");
	ok(!-s $file, '... and nothing is there');
	$before = recorded('export');
	sql($node, "$admin COPY (SELECT id FROM inbox.message WHERE id < 3) TO $to");
	is(slurp_file($file), "1\n2\n", '... who may gets it');
	is(recorded('export') - $before, 1, '... and that is recorded');
	unlink $file;
}

# the extended protocol
my $script = $node->basedir . '/read.sql';
append_to_file($script, "SET chat_rbac.identity = '1/2';\n\\set n random(1, 5)\nSELECT id FROM inbox.chat LIMIT :n;\n");
for my $mode (qw(simple extended prepared))
{
	my $before = recorded();
	$node->command_ok([ 'pgbench', '-n', '-M', $mode, '-t', '10', '-c', '2', '-U', 'postgres', '-f', $script, 'postgres' ], "pgbench runs: $mode");
	is(recorded() - $before, 20, "each read by protocol $mode is recorded");
}

# a row that is checked again after somebody else has changed it
{
	my $waiting = $node->background_psql('postgres', on_error_stop => 0);
	my $before = recorded();

	sql($node, 'UPDATE inbox.plain SET n = 0 WHERE id = 1');
	my $first = $node->background_psql('postgres', on_error_stop => 0);
	$first->query_safe('BEGIN; UPDATE inbox.plain SET n = 1 WHERE id = 1');
	$waiting->query_safe($lead);
	$waiting->query_until(qr/start/,
		"\\echo start\nSELECT 'found ' || p.id || ' ' || p.n FROM inbox.plain p JOIN inbox.chat c ON c.id = p.id WHERE p.id = 1 FOR UPDATE OF p;\n\\echo done\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted") or die;
	$first->query_safe('COMMIT');
	like($waiting->query_until(qr/done/, ''), qr/found 1 1/, 'a row is found anew');
	is(recorded() - $before, 1, 'and its read recorded once');
	$_->quit for $first, $waiting;
}

# what is rolled back is in the log, a line each
my @lines = logged("SET chat_rbac.request_id = E'r\"\\n2'; BEGIN; SELECT id FROM inbox.chat LIMIT 2; SELECT count(*) FROM inbox.card; ROLLBACK", 'read');
is(scalar(@lines), 2, 'reads that are rolled back are in the log');
is_deeply(
	$lines[0], {
		kind => 'read', rows => 2, relation => 'inbox.chat', permission => 'conversation.view', transaction => 'rolled back', org => 1, member => 2,
		name => 'sue', session_role => 'postgres', role => 'regress_chat_rbac_app', request_id => "r\"\n2", application => '020_reads.pl' },
	'with all that an event has');
ok($lines[1]{grouped}, 'and what it is of');
@lines = logged('SELECT 1 / (id - 9) FROM inbox.chat', 'read');
is("@{$lines[0]}{qw(rows failed)}", '4 1', 'a read that fails, with what it got');
@lines = logged("SELECT id FROM inbox.chat LIMIT 1; SET statement_timeout = '200ms'; SELECT id, pg_sleep(0.05) FROM inbox.chat", 'read');
is(scalar(@lines), 1, 'a read that is cancelled');
cmp_ok($lines[0]{rows}, '>', 0, '... has got something');
@lines = logged('BEGIN; SELECT id FROM inbox.chat LIMIT 2; SELECT pg_terminate_backend(pg_backend_pid())', 'read');
is(scalar(@lines), 1, 'a session that is ended');
@lines = logged("BEGIN; SELECT id FROM inbox.chat LIMIT 2; PREPARE TRANSACTION 'p'", 'read');
is($lines[0]{transaction}, 'prepared', 'a transaction that is prepared, as it may be rolled back');
sql($node, "ROLLBACK PREPARED 'p'");
@lines = logged(
	"BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT id FROM inbox.chat LIMIT 1; INSERT INTO inbox.plain VALUES (0, 0); SAVEPOINT s; SELECT 1 / 0; COMMIT", 'read');
is(scalar(@lines), 1, 'a commit that is none');

# a commit that fails because the trail has no place for now
sql($node, 'ALTER TABLE chat_rbac.audit_event DETACH PARTITION chat_rbac.audit_event_default');
@lines = logged('SELECT id FROM inbox.chat LIMIT 6', 'read');
is("@{$lines[0]}{qw(rows transaction)}", '6 rolled back', 'a read that the trail has no place for');
fails($node, "$lead SELECT id FROM inbox.chat LIMIT 6", '55000', 'no partition for now', 'with an error');
sql($node, 'ALTER TABLE chat_rbac.audit_event ATTACH PARTITION chat_rbac.audit_event_default DEFAULT');

# where the trail cannot be written to
@lines = logged('BEGIN READ ONLY; SELECT id FROM inbox.chat', 'refusal');
is($lines[0]{message}, 'the read of "chat" cannot be recorded in a read-only transaction', 'a read-only transaction is refused, and that is logged');
fails($node, "$lead BEGIN READ ONLY; SELECT id FROM inbox.chat", '25006', 'cannot be recorded', 'with an error');
sql($node, "ALTER SYSTEM SET chat_rbac.read_audit = 'log'; SELECT pg_reload_conf()");
$node->poll_query_until('postgres', "SELECT current_setting('chat_rbac.read_audit') = 'log'");
@lines = logged('BEGIN READ ONLY; SELECT id FROM inbox.chat LIMIT 7; COMMIT', 'read');
is(scalar(@lines), 1, 'where reads belong to the log, a line each');
is($lines[0]{rows}, 7, '... with its rows');
ok(!exists $lines[0]{transaction}, '... without an end of the transaction');
@lines = logged('BEGIN; SELECT id FROM inbox.chat LIMIT 7; ROLLBACK', 'read');
is(scalar(@lines), 1, '... also if it is rolled back');
fails($node, "$lead SET chat_rbac.read_audit = 'table'", '42501', 'permission denied to set parameter', 'who reads does not say where that belongs', user => 'regress_chat_rbac_app');

# a hot standby
sql($node, "ALTER SYSTEM RESET chat_rbac.read_audit; SELECT pg_reload_conf()");
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
fails($standby, "$lead SELECT id FROM inbox.chat", '25006', 'cannot be recorded on a standby', 'on a standby a read is refused');
$standby->append_conf('postgresql.conf', "chat_rbac.read_audit = 'log'");
$standby->reload;
$standby->poll_query_until('postgres', "SELECT current_setting('chat_rbac.read_audit') = 'log'");
my $from = -s $standby->logfile;
is(sql($standby, "$lead SELECT count(*) FROM inbox.chat"), '100', '... or answered');
is(scalar(() = slurp_file($standby->logfile, $from) =~ /chat_rbac read: \{"kind":"read","rows":1,/g), 1, '... and written to its log');
$standby->stop;

# other ways in
@lines = logged("SELECT chat_rbac.read_gate('inbox.chat')", 'refusal');
is($lines[0]{message}, 'a read of view "chat" cannot be recorded here', 'the gate by itself is shut');
fails($node, "$lead SELECT chat_rbac.read_gate('x')", '55000', '"x" is no gate of an audited view', 'an unknown gate is shut');
sql($node, 'REVOKE SELECT ON inbox.card FROM regress_chat_rbac_app');
@lines = logged('SELECT id FROM inbox.card; SELECT id FROM inbox.conversation; SELECT * FROM pg_authid', 'refusal');
is(join('; ', map { "$_->{kind} $_->{member} $_->{message}" } @lines), 'privilege 2 permission denied for view card', 'a view without a privilege on it is a refusal');
sql($node, 'GRANT SELECT ON inbox.card TO regress_chat_rbac_app');

# a library that comes late
my $late = new_cluster('late', preload => 0);
add_app($late);
add_inbox($late, rows => 20);
sql($late, q(SET client_min_messages = error; SELECT chat_rbac.create_view('inbox.task', '{"view": "inbox.todo", "grant": ["regress_chat_rbac_app"], "audited": true}');
	CREATE FUNCTION public.reads() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM inbox.todo); END'));
fails($late, "SELECT chat_rbac.read_gate('inbox.todo')", '55000', 'cannot be recorded here', 'a gate that loads the library stays shut');
is(sql($late, 'SELECT count(*) FROM inbox.todo; SELECT public.reads()'), "0\n0", 'a session whose first query loads it, while it is planned');
is(sql($late, "SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'read'"), '2', '... is recorded');

# 1000 reads, in all forms
{
	my $before = recorded();
	my $right = 0;
	my @mixed = grep { $_->[1] ne '' && $_->[0] !~ /CREATE|PREPARE|CALL|COMMIT/ } @forms;
	my $sql = '';

	srand(7);
	while ($right < 1000)
	{
		my $form = $mixed[ rand @mixed ];
		my $reads = () = $form->[1] =~ /inbox\.\w+ \d/g;

		next if $right + $reads > 1000;
		$right += $reads;
		$sql .= "$form->[0];\n";
	}
	sql($node, "$lead SET plan_cache_mode = auto;\n$sql");
	is(recorded() - $before, 1000, '1000 reads leave 1000 events');
}

done_testing();

# The cache of compiled grants: flat in memory, bounded, never caught holding
# what is no longer so, and alive while somebody answers from it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $flat = 64 * 1024;    # bytes that a backend may grow by

my $node = new_cluster('cache', conf => "max_prepared_transactions = 2\nautovacuum = off");
add_app($node);
add_inbox($node);
sql($node, <<'SQL');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 5, 'team', 'crowd');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, i, 'm' || i FROM generate_series(1001, 1010) AS i;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT 1, i, 3, 5 FROM generate_series(1001, 1010) AS i;
CREATE SCHEMA tool;
-- a row in here invalidates as a change of the model does, and costs less
CREATE UNLOGGED TABLE tool.poke (n int);
CREATE TRIGGER invalidate AFTER INSERT ON tool.poke FOR EACH ROW EXECUTE FUNCTION chat_rbac.invalidate();
CREATE FUNCTION tool.memory() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
GRANT USAGE ON SCHEMA tool TO PUBLIC;
GRANT EXECUTE ON FUNCTION chat_rbac.cache_stats TO regress_chat_rbac_app;
GRANT INSERT ON tool.poke TO PUBLIC;

-- all kinds of checks, five a row
CREATE FUNCTION tool.scan(rows int) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT count(*) FROM generate_series(1, rows) AS i
	WHERE chat_rbac.in_unit_scope(i % 9, '{conversation.view}', 'all', 'team')
		OR chat_rbac.in_scope('{conversation.view}', 'own', '{team}', i % 9) AND chat_rbac.member_scope('{conversation.view}', 'own', true) < 0
		OR chat_rbac.in_member_scope(i % 9, '{task.view}', 'colleague') AND i < 0
		OR chat_rbac.org_scope('{conversation.view}', 'all') = i;
$$;
CREATE PROCEDURE tool.statements(times int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..times LOOP
		PERFORM FROM inbox.task WHERE id = 3;
	END LOOP;
END $$;
CREATE PROCEDURE tool.invalidations(times int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..times LOOP
		INSERT INTO tool.poke VALUES (i);
		PERFORM chat_rbac.current_org();
		IF i % 1000 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
	COMMIT;
END $$;
-- relations that other tables tell, one of which is read by way of another one
CREATE PROCEDURE tool.links(times int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..times LOOP
		INSERT INTO tool.poke VALUES (i);
		PERFORM FROM inbox.customer WHERE id = 3;
	END LOOP;
END $$;
-- an entry is replaced while a scan still answers from it
CREATE PROCEDURE tool.replacements(times int) LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR i IN 1..times LOOP
		FOR r IN SELECT FROM inbox.task LIMIT 1 LOOP
			INSERT INTO tool.poke VALUES (i);
			PERFORM chat_rbac.current_org();
		END LOOP;
	END LOOP;
END $$;
CREATE PROCEDURE tool.failures(times int) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL chat_rbac.active_roles = 'nosuch';
	FOR i IN 1..times LOOP
		BEGIN
			PERFORM FROM inbox.task;
			RAISE 'no error';
		EXCEPTION WHEN invalid_role_specification THEN
			NULL;
		END;
	END LOOP;
END $$;
CREATE PROCEDURE tool.identities(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first..last LOOP
		PERFORM set_config('chat_rbac.identity', '1/' || i, false);
		IF chat_rbac.current_member() <> i THEN
			RAISE '% is not %', chat_rbac.current_member(), i;
		END IF;
		PERFORM FROM inbox.task WHERE id = 3;
	END LOOP;
END $$;
-- permsets that differ: n of them, named from a prefix
CREATE FUNCTION tool.permsets(prefix text, n int) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT count(*) FROM generate_series(1, n) AS i
	WHERE chat_rbac.org_scope(format('{%s%s.view}', prefix, i)::chat_rbac.permset, 'all') IS NOT NULL
		OR chat_rbac.in_unit_scope(2::bigint, format('{%s%s.view}', prefix, i)::chat_rbac.permset, 'all', 'team');
$$;
-- each inner statement has a snapshot of its own; what the backend has grown by before the end
CREATE FUNCTION tool.snapshots(times int) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	before bigint;
BEGIN
	FOR i IN 1..times + 500 LOOP
		INSERT INTO tool.plain VALUES (i);
		PERFORM FROM inbox.conversation WHERE id = 6;
		IF i = 500 THEN
			before := tool.memory();
		END IF;
	END LOOP;
	RETURN tool.memory() - before;
END $$;
CREATE UNLOGGED TABLE tool.plain (n int);
GRANT INSERT ON tool.plain TO PUBLIC;
SQL

# A session of the application's role as a member.
sub session
{
	my ($who) = @_;
	my $psql = $node->background_psql('postgres', on_error_stop => 0);

	$psql->query_safe("SET chat_rbac.identity = '$who'; SET ROLE regress_chat_rbac_app");
	return $psql;
}

# The SQL, after having run once, makes the session grow no more.
sub stays_flat
{
	my ($psql, $name, $warm, $sql) = @_;

	$psql->query_safe($_) for $warm, $warm, 'SELECT tool.memory()';
	my $before = $psql->query_safe('SELECT tool.memory()');
	$psql->query_safe($sql);
	my $grown = $psql->query_safe('SELECT tool.memory()') - $before;
	cmp_ok($grown, '<', $flat, "$name: memory is flat") and note("$name: $grown bytes");
	return;
}

sub stat_of
{
	my ($psql, $column) = @_;

	return $psql->query_safe("SELECT $column FROM chat_rbac.cache_stats()");
}

# ---- memory ----

my $psql = session('1/2');
is($psql->query_safe('SELECT tool.scan(90)'), '20', 'a scan by the policies\' functions is right');
stays_flat($psql, '10 000 000 checks', 'SELECT tool.scan(1000)', 'SELECT tool.scan(2500000)');
stays_flat($psql, '20 000 statements', 'CALL tool.statements(100)', 'CALL tool.statements(20000)');

my $built = stat_of($psql, 'builds');
stays_flat($psql, '100 000 invalidations', 'CALL tool.invalidations(2000)', 'CALL tool.invalidations(100000)');
cmp_ok(stat_of($psql, 'builds') - $built, '>=', 100_000, '... each of which made the grants be compiled anew');
is(stat_of($psql, 'entries'), '1', '... into one entry');
stays_flat($psql, '1 000 replacements of an entry in use', 'CALL tool.replacements(20)', 'CALL tool.replacements(1000)');
my $agent = session('1/7');
stays_flat($agent, '300 changes under relations that other tables tell', 'CALL tool.links(20)', 'CALL tool.links(300)');
$agent->quit;
stays_flat($psql, '5 000 failing checks', 'CALL tool.failures(100)', 'CALL tool.failures(5000)');
stays_flat($psql, '2 000 permsets in one statement', "SELECT tool.permsets('a', 500)",
	"SELECT tool.permsets('b', 2000)");
is($psql->query_safe(<<'SQL'), 'f|t|f|t', '... and answers stay right when more are asked than are remembered');
SELECT chat_rbac.org_scope('{conversation.view}', 'all') IS NOT NULL, chat_rbac.in_unit_scope(4, '{conversation.view}', 'all', 'team'),
	chat_rbac.in_unit_scope(3, '{conversation.view}', 'all', 'team'), chat_rbac.in_unit_scope(2, '{message.view, audit.view}', 'all', 'team')
SQL
cmp_ok($psql->query_safe('SELECT tool.snapshots(4000)') - $psql->query_safe('SELECT tool.snapshots(1000)'),
	'<', $flat, 'many snapshots within one statement of the client: links that were read are not kept');
is($psql->query_safe(digest_sql()), right_digest($node, '1/2'), 'after all this the rows are right');
$psql->quit;

# ---- entries in use ----

# a scan goes on while its entry is replaced and pushed out, over and over
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION tool.walk(interrupt text) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	r record;
	seen bigint := 0;
BEGIN
	FOR r IN SELECT id FROM inbox.conversation LOOP
		seen := seen + 1;
		EXECUTE interrupt USING r.id;
	END LOOP;
	RETURN seen;
END $$;
CREATE FUNCTION tool.others() RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE
	me text := current_setting('chat_rbac.identity');
BEGIN
	FOR i IN 1001..1003 LOOP
		PERFORM set_config('chat_rbac.identity', '1/' || i, true);
		PERFORM FROM chat_rbac.whoami();
	END LOOP;
	PERFORM set_config('chat_rbac.identity', me, true);
END $$;
SQL
for my $who ('1/2', '1/3')
{
	my $right = (split /[|\n]/, right_digest($node, $who))[1];

	$psql = $node->background_psql('postgres', on_error_stop => 0);
	$psql->query_safe("SET chat_rbac.cache_entries = 1; SET chat_rbac.identity = '$who'; SET ROLE regress_chat_rbac_app");
	is($psql->query_safe("SELECT tool.walk('INSERT INTO tool.poke VALUES (\$1)')"), $right, "$who: invalidations under a running scan");
	is($psql->query_safe("SELECT tool.walk('WITH i AS (INSERT INTO tool.poke VALUES (\$1)) SELECT count(*) FROM inbox.task')"),
		$right, "$who: ... while the entry is compiled anew and replaced");
	is($psql->query_safe("SELECT tool.walk('SELECT tool.others()')"), $right, "$who: ... while others push it out");

	# a cursor over statements and identities
	$psql->query_safe('BEGIN; DECLARE c CURSOR FOR SELECT id FROM inbox.conversation; MOVE 10 IN c');
	$psql->query_safe('SELECT tool.others(); INSERT INTO tool.poke VALUES (1); SELECT tool.others()');
	$psql->query_safe('SAVEPOINT a; DECLARE d CURSOR FOR SELECT id FROM inbox.task; MOVE 1 IN d; INSERT INTO tool.poke VALUES (2); ROLLBACK TO a');
	like($psql->query("MOVE ALL IN c;\n\\echo :ROW_COUNT"), qr/^@{[$right - 10]}$/m, "$who: a cursor goes on");
	$psql->query_safe('ROLLBACK');
	is($psql->query_safe('SELECT entries FROM chat_rbac.cache_stats()'), '1', "$who: nothing is left of entries that were in use");
	$psql->quit;
}

# ---- bounds ----

sql($node, <<'SQL');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, i, 'm' || i FROM generate_series(1011, 21000) AS i;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT 1, i, 3, 5 FROM generate_series(1011, 21000) AS i;
ANALYZE chat_rbac.member, chat_rbac.role_grant;
SQL
$psql = $node->background_psql('postgres', on_error_stop => 0);
$psql->query_safe('SET chat_rbac.cache_entries = 16');
stays_flat($psql, '20 000 identities', 'CALL tool.identities(1001, 1100)', 'CALL tool.identities(1001, 21000)');
is(stat_of($psql, 'entries'), '16', '... in 16 entries');
cmp_ok(stat_of($psql, 'evictions'), '>=', 20_000 - 16, '... evictions are counted');
cmp_ok(stat_of($psql, 'bytes'), '<', 16 * 64 * 1024, '... and bytes bounded');
$built = stat_of($psql, 'builds');
$psql->query_safe('CALL tool.identities(20993, 21000)') for 1 .. 3;
is(stat_of($psql, 'builds'), $built, 'the most recent ones are kept');
$psql->query_safe('SET chat_rbac.cache_entries = 1');
$psql->query_safe('CALL tool.identities(1001, 1003)');
is(stat_of($psql, 'entries'), '1', 'a smaller bound holds from the next entry on');
for my $who (@MEMBERS, reverse @MEMBERS)
{
	$psql->query_safe("SET chat_rbac.identity = '$who'; SET ROLE regress_chat_rbac_app");
	is($psql->query_safe(digest_sql()), right_digest($node, $who), "with one entry $who sees what he should");
	$psql->query_safe('RESET ROLE');
}
fails($node, 'SET chat_rbac.cache_entries = 1000', '42501', 'permission denied', 'the bound is for superusers', user => 'regress_chat_rbac_app');
$psql->quit;

# ---- changes under way ----

# two sessions grant and revoke as fast as they can, a third looks all the time
sql($node, <<'SQL');
CREATE PROCEDURE tool.hammer(unit bigint, seconds float) LANGUAGE plpgsql AS $$
DECLARE
	stop timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
	WHILE clock_timestamp() < stop LOOP
		INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, unit);
		COMMIT;
		DELETE FROM chat_rbac.role_grant WHERE member_id = 6 AND unit_id = unit;
		COMMIT;
	END LOOP;
END $$;
SQL
my $stop = 4;
my @hammers = map {
	IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL tool.hammer($_, $stop)" ],
		'>', \my $out, '2>&1', IPC::Run::timeout(60))
} 3, 4;
my %may = map { $_ => 1 } 0, 500, 1000;
my ($asked, %seen) = (0);
$psql = session('1/6');
my $end = time() + $stop + 1;
while (time() < $end)
{
	my $count = $psql->query_safe('SELECT count(*) FROM inbox.conversation');

	$seen{$count}++;
	$asked++;
}
ok((!grep { !$may{$_} } keys %seen), 'while grants come and go, a statement sees all of each or nothing')
  or diag(join ', ', map { "$_: $seen{$_}" } sort keys %seen);
cmp_ok(scalar(keys %seen), '>', 1, "... it saw changes, in $asked statements");
$_->finish for @hammers;
is($psql->query_safe('SELECT count(*) FROM inbox.conversation'), '0', 'when they have stopped it sees what there is');
sql($node, 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, 3)');
is($psql->query_safe('SELECT count(*) FROM inbox.conversation'), '500', '... and the next change');
$psql->quit;

# a prepared transaction: its own grants are gone for it, and count when it commits, by whomever
$psql = session('1/6');
$psql->query_safe('RESET ROLE; BEGIN; INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, 4); SET LOCAL ROLE regress_chat_rbac_app');
is($psql->query_safe('SELECT count(*) FROM inbox.conversation'), '1000', 'a transaction sees its grant');
$psql->query_safe("PREPARE TRANSACTION 'regress_chat_rbac'; SET ROLE regress_chat_rbac_app");
is($psql->query_safe('SELECT count(*) FROM inbox.conversation'), '500', '... not when it is prepared');
sql($node, "COMMIT PREPARED 'regress_chat_rbac'");
is($psql->query_safe('SELECT count(*) FROM inbox.conversation'), '1000', '... and again when it is committed');
$psql->quit;

is($node->psql('postgres', 'SELECT 1'), 0, 'no session has brought the server down');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal|leak/, 'and none has left a trace in the log');

$node->stop;
done_testing();

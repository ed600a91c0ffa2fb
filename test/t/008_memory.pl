# Memory of the write path and of the questions: flat over the rows of one
# statement, over statements, refusals and changes of the tables.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $flat = 64 * 1024;    # bytes that a backend may grow by
my $rows = 20_000;

my $node = new_cluster('memory', conf => "autovacuum = off\nfsync = off");
add_app($node);
add_inbox($node, rows => 4000);
sql($node, <<"SQL");
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 9, 'writer', '{conversation.*, message.*}');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 9, 2);
CREATE TABLE inbox.event (org_id bigint, id bigint, team_id int, assignee_id bigint, body text, PRIMARY KEY (org_id, team_id, id))
	PARTITION BY LIST (team_id);
CREATE TABLE inbox.event2 PARTITION OF inbox.event FOR VALUES IN (2);
CREATE TABLE inbox.event4 (gone int, body text, team_id int NOT NULL, assignee_id bigint, id bigint NOT NULL, org_id bigint NOT NULL);
ALTER TABLE inbox.event4 DROP gone;
ALTER TABLE inbox.event ATTACH PARTITION inbox.event4 FOR VALUES IN (4);
INSERT INTO inbox.event SELECT 1, i, 2, i % 7, 'x' FROM generate_series(1, $rows) AS i;
SELECT chat_rbac.protect('inbox.event', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"},
	"relations": {"own": {"assignee_id": "\$member"}, "fresh": {"body": "x"}}}');
GRANT ALL ON inbox.event TO PUBLIC;
CREATE SCHEMA tool;
GRANT USAGE ON SCHEMA tool TO PUBLIC;
CREATE FUNCTION tool.memory() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT sum(used_bytes) FROM pg_backend_memory_contexts';
-- how much there is while a statement runs
CREATE FUNCTION tool.note(moment text) RETURNS text VOLATILE LANGUAGE sql AS \$\$
	SELECT 'x' FROM set_config('tool.' || moment, tool.memory()::text, false)
\$\$;
CREATE PROCEDURE tool.statements(times int) LANGUAGE plpgsql AS \$\$
DECLARE
	allowed boolean;
BEGIN
	FOR i IN 1..times LOOP
		UPDATE inbox.conversation SET title = i WHERE org_id = 1 AND id = 5;
		UPDATE inbox.message SET body = i WHERE org_id = 1 AND id = 5;
		allowed := chat_rbac.can('conversation.edit', 'inbox.conversation', 5);
		allowed := chat_rbac.can('conversation.edit', 'inbox.event', 2, 5);
		PERFORM chat_rbac.actions('inbox.message', 5);
		IF i % 100 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END \$\$;
CREATE PROCEDURE tool.refusals(times int) LANGUAGE plpgsql AS \$\$
BEGIN
	FOR i IN 1..times LOOP
		BEGIN
			INSERT INTO inbox.conversation VALUES (1, -i, 3);
			RAISE 'no error';
		EXCEPTION WHEN insufficient_privilege THEN
			NULL;
		END;
	END LOOP;
END \$\$;
-- the compiled specifications are made anew each time
CREATE FUNCTION tool.touch() RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS \$\$
BEGIN
	ALTER TABLE inbox.conversation SET (fillfactor = 100);
	ALTER TABLE inbox.message SET (fillfactor = 100);
	ALTER POLICY chat_rbac_delete ON inbox.event TO PUBLIC;
END \$\$;
CREATE PROCEDURE tool.changes(times int) LANGUAGE plpgsql AS \$\$
BEGIN
	FOR i IN 1..times LOOP
		PERFORM tool.touch();
		UPDATE inbox.message SET body = i WHERE org_id = 1 AND id = 5;
		UPDATE inbox.event SET body = 'x' WHERE org_id = 1 AND team_id = 2 AND id = 5;
		PERFORM chat_rbac.can('conversation.edit', 'inbox.event', 2, 5);
		COMMIT;
	END LOOP;
END \$\$;
SQL

my $psql = $node->background_psql('postgres', on_error_stop => 0);
$psql->query_safe("SET chat_rbac.identity = '1/6'; SET ROLE regress_chat_rbac_app");
# past policies and guard: PostgreSQL itself keeps some bytes of each row until the statement's end
my $super = $node->background_psql('postgres', on_error_stop => 0);

# The SQL, after having run once, makes the session grow no more.
sub stays_flat
{
	my ($name, $warm, $sql) = @_;

	$psql->query_safe($_) for $warm, $warm, 'SELECT tool.memory()';
	my $before = $psql->query_safe('SELECT tool.memory()');
	$psql->query_safe($sql);
	my $grown = $psql->query_safe('SELECT tool.memory()') - $before;
	cmp_ok($grown, '<', $flat, "$name: memory is flat") and note("$name: $grown bytes");
	return;
}

# How much more memory there is late in a statement than early.
sub grown
{
	my ($session, $sql) = @_;

	$sql = $sql =~ /^SELECT/ ? "SELECT count(*) > 0 FROM ($sql) AS done" : "WITH done AS ($sql RETURNING 1) SELECT count(*) > 0 FROM done";
	my $result = $session->query_safe("BEGIN; $sql; "
		  . "SELECT current_setting('tool.late')::bigint - current_setting('tool.early')::bigint; ROLLBACK");
	return $result =~ /^t\n(-?\d+)$/ ? $1 : die "unexpected result: $result";
}

# The rows of a statement need no more than past policies and guard; those of a query no more at all.
sub rows_are_flat
{
	my ($name, $sql) = @_;
	my $grown = grown($psql, $sql) - ($sql =~ /^SELECT/ ? 0 : grown($super, $sql));

	cmp_ok($grown, '<', $flat, "$name: memory is flat within the statement") and note("$name: $grown bytes");
	return;
}

# within one statement
my $noted = "CASE id WHEN 2000 THEN tool.note('early') WHEN $rows - 1000 THEN tool.note('late') ELSE";
rows_are_flat('update', "UPDATE inbox.event SET body = $noted 'x' END");
rows_are_flat('move to another partition', "UPDATE inbox.event SET team_id = 4, body = $noted 'x' END");
rows_are_flat('insert', "INSERT INTO inbox.event SELECT 1, id, 4, 6, $noted 'x' END FROM generate_series(1, $rows) AS id");
rows_are_flat('delete', "DELETE FROM inbox.event WHERE ($noted 'x' END) = 'x'");
rows_are_flat('questions',
	"SELECT FROM generate_series(1, $rows) AS id WHERE chat_rbac.can('conversation.edit', 'inbox.event', 2, id) AND ($noted 'x' END) = 'x'");
$psql->query_safe('DELETE FROM inbox.event WHERE id > 10');

# over statements
stays_flat('statements', 'CALL tool.statements(200)', 'CALL tool.statements(3000)');
stays_flat('refusals', 'CALL tool.refusals(100)', 'CALL tool.refusals(5000)');
stays_flat('changes of the tables', 'CALL tool.changes(20)', 'CALL tool.changes(200)');
stays_flat('bulk reads', 'SELECT count(*) FROM inbox.message', 'SELECT count(*) FROM inbox.message;' x 20);
my $page = 'SELECT count(*) FROM chat_rbac.page_actions(\'inbox.message\', (SELECT array_agg(i) FROM generate_series(1::bigint, 4000) AS i));';
stays_flat('pages', $page, $page x 5);

$_->quit for $psql, $super;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal|leak/, 'nothing has left a trace in the log');
$node->stop;
done_testing();

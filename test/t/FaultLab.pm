# What the tests of faults share: a library that makes the nth call of chat_rbac
# fail (test/faults/fault.c), a trail of its own to hold the audit trail against,
# and what must be true whatever has happened.

package FaultLab;

use strict;
use warnings;

use ChatRbac;
use Exporter 'import';
use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(add_faults add_shadow trail_is_right psql_script);

# Build the library and give the database its functions:
#
#	tool.arm(deed, level, nth)	see fault.c
#	tool.disarm()				where it happened, and how many points were passed
#
# False where it cannot be built, with the reason.
sub add_faults
{
	my ($node) = @_;
	my $library = PostgreSQL::Test::Utils::tempdir() . '/fault.so';
	my $include = $node->config_data('--includedir-server');
	my $compiler = $ENV{CC} // $node->config_data('--cc');
	my @command = ((split ' ', $compiler), qw(-O1 -g -fPIC -shared -isystem), $include, "$FindBin::RealBin/../faults/fault.c", '-o', $library);
	my $said = '';

	return (0, 'not for this machine') if `uname -m` !~ /^(?:x86_64|aarch64|i[3-6]86)$/;
	return (0, "no $include/postgres.h") if !-e "$include/postgres.h";
	eval { IPC::Run::run(\@command, '>', \$said, '2>', \$said) } or return (0, "@command: " . ($@ || $said));
	sql($node, <<"SQL");
CREATE SCHEMA IF NOT EXISTS tool;
GRANT USAGE ON SCHEMA tool TO PUBLIC;
CREATE FUNCTION tool.arm(deed text, level text, nth bigint) RETURNS int STRICT LANGUAGE c AS '$library', 'fault_arm';
CREATE FUNCTION tool.disarm() RETURNS text STRICT LANGUAGE c AS '$library', 'fault_disarm';
SQL
	return (1, '');
}

# A trail of the conversations and grants that triggers in PL/pgSQL write, in the
# same transactions as the one that is to be tested.
sub add_shadow
{
	my ($node) = @_;

	sql($node, <<'SQL');
CREATE SCHEMA IF NOT EXISTS tool;
CREATE TABLE tool.shadow (relation regclass, operation text, org bigint, id bigint, title text, request text);
CREATE FUNCTION tool.note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE
	r jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
BEGIN
	IF TG_OP = 'UPDATE' AND OLD = NEW THEN
		RETURN NULL;
	END IF;
	INSERT INTO tool.shadow VALUES (TG_RELID, lower(TG_OP), (r ->> 'org_id')::bigint, coalesce(r ->> 'grant_id', r ->> 'unit_id', r ->> 'id')::bigint,
		CASE WHEN TG_OP = 'INSERT' OR TG_OP = 'UPDATE' AND to_jsonb(OLD) ->> 'title' IS DISTINCT FROM r ->> 'title' THEN r ->> 'title' END, nullif(current_setting('chat_rbac.request_id'), ''));
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON inbox.conversation FOR EACH ROW EXECUTE FUNCTION tool.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON chat_rbac.role_grant FOR EACH ROW EXECUTE FUNCTION tool.note();
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON chat_rbac.unit FOR EACH ROW EXECUTE FUNCTION tool.note();
CREATE TABLE tool.since AS SELECT coalesce(max(event_id), 0) AS id FROM chat_rbac.audit_event;
SQL
	return;
}

# Each change has its event and each event its change; what is sealed holds; and
# all that is found by a scan is found by the indexes.
sub trail_is_right
{
	my ($node, $name) = @_;
	my $events = "SELECT relation, operation, org_id, row_key::bigint, new ->> 'title', request_id"
	  . " FROM chat_rbac.audit_event, tool.since WHERE event_id > since.id AND operation IN ('insert', 'update', 'delete') AND relation IN ('inbox.conversation'::regclass, 'chat_rbac.role_grant'::regclass, 'chat_rbac.unit'::regclass)";
	my $changes = "SELECT relation, operation, org, id, title, request FROM tool.shadow";

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($node, "($changes) EXCEPT ALL ($events) LIMIT 5"), '', "$name: every change has its event");
	is(sql($node, "($events) EXCEPT ALL ($changes) LIMIT 5"), '', "$name: every event has its change");
	is(sql($node, 'SELECT * FROM chat_rbac.audit_verify()'), '', "$name: what is sealed holds");
	is( sql($node, <<'SQL'), '', "$name: the indexes have all");
DO $$
DECLARE
	index regclass;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'amcheck') THEN
		RETURN;
	END IF;
	CREATE EXTENSION IF NOT EXISTS amcheck;
	FOR index IN SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
		WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relnamespace IN ('chat_rbac'::regnamespace, 'inbox'::regnamespace)
	LOOP
		PERFORM bt_index_check(index, true);
	END LOOP;
END $$;
SQL
	return;
}

# What psql prints of a script, and what errors it shows.
sub psql_script
{
	my ($node, $script, %opt) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
	my ($out, $err) = ('', '');

	open my $handle, '>', $file or die $!;
	print $handle $script;
	close $handle;
	IPC::Run::run([ 'psql', '-XqAt', '-d', $node->connstr($opt{db} // 'postgres'), '-f', $file, ($opt{user} ? ('-U', $opt{user}) : ()) ],
		'>', \$out, '2>', \$err, IPC::Run::timeout($opt{timeout} // 600));
	return ($out, $err);
}

1;

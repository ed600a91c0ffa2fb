# ALTER EXTENSION UPDATE.  Whatever earlier version there is a way from, it ends in what a
# new installation makes, and takes rows and rights along.  As long as no version is
# earlier than the first, one is made up: the newest with some of it taken away, and a
# script that gives it.  Between library and SQL objects of different versions there is
# no answer but an error, whichever is the older one.
#
# All of it with a copy of PostgreSQL, as scripts and library are exchanged.

use strict;
use warnings;

use Cwd;
use File::Copy;
use File::Path qw(make_path);
use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Whole;

my $old = '0.0.9';
my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
my %place;
for my $what (qw(bindir pkglibdir sharedir))
{
	$place{$what} = `$pg_config --$what`;
	chomp $place{$what};
}

# ---- a copy of PostgreSQL, which finds its parts beside it ----

my $copy = PostgreSQL::Test::Utils::tempdir_short();

sub mirror
{
	my ($from, $to) = @_;

	make_path($to);
	for my $path (glob "$from/*")
	{
		my ($name) = $path =~ m{([^/]+)$};

		symlink Cwd::realpath($path), "$to/$name" if !-e "$to/$name";
	}
	return;
}

# programs look for themselves where they really are
make_path($copy . $place{bindir});
copy($_, $copy . $place{bindir}) && chmod 0755, $copy . $place{bindir} . '/' . (split m{/})[-1] for glob "$place{bindir}/*";
make_path("$copy$place{sharedir}/extension");
mirror("$place{sharedir}/extension", "$copy$place{sharedir}/extension");
mirror($place{$_}, $copy . $place{$_}) for qw(sharedir pkglibdir);
my $extension = "$copy$place{sharedir}/extension";
my $library = "$copy$place{pkglibdir}/chat_rbac.so";
my ($version) = slurp_file("$extension/chat_rbac.control") =~ /default_version *= *'([^']*)'/;
my $script = slurp_file("$extension/chat_rbac--$version.sql");
my $bytes = slurp_file($library);

# The same library, but that it serves another version's SQL objects
sub put_library
{
	my ($serves) = @_;
	my $other = $bytes =~ s/\x{00}\Q$version\E\x{00}/\x{00}$serves\x{00}/gr;

	die 'the version is not in the library' if $serves ne $version && $other eq $bytes;
	unlink $library;
	open my $file, '>:raw', $library or die "$library: $!";
	print $file $other;
	close $file;
	return;
}

sub put_script
{
	my ($name, $text) = @_;

	open my $file, '>', "$extension/chat_rbac--$name.sql" or die "$name: $!";
	print $file $text;
	close $file;
	return;
}

# ---- a made-up version ----

# a statement of the script, from its first words to what comes next
sub statement
{
	my ($begin, $end) = @_;
	my ($text) = $script =~ /^(\Q$begin\E.*?\Q$end\E[^\n]*\n)/ms;

	die "no such statement: $begin" if !$text;
	return $text;
}

my $graph = statement('CREATE FUNCTION chat_rbac.unit_graph(', 'COMMENT ON FUNCTION chat_rbac.unit_graph(');
my $view = statement('CREATE VIEW chat_rbac.unit_tree', 'COMMENT ON VIEW chat_rbac.unit_tree');
my $event_trigger = statement('CREATE EVENT TRIGGER chat_rbac_triggers', 'COMMENT ON EVENT TRIGGER chat_rbac_triggers');
my $default_key = statement('CREATE FUNCTION chat_rbac.unit_default_key()', "\n\$\$;") =~ s/^CREATE/CREATE OR REPLACE/r;
put_script($old, $script . <<'SQL');
DROP FUNCTION chat_rbac.unit_graph(text);
DROP VIEW chat_rbac.unit_tree;
DROP EVENT TRIGGER chat_rbac_triggers;
ALTER TABLE chat_rbac.unit DISABLE TRIGGER refuse_cycle;
ALTER TABLE chat_rbac.separation DROP CONSTRAINT separation_cardinality_check;
ALTER FUNCTION chat_rbac.org_scope(chat_rbac.permset, text) NOT LEAKPROOF;
CREATE OR REPLACE FUNCTION chat_rbac.unit_default_key() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.key := coalesce(NEW.key, NEW.unit_id); RETURN NEW; END$$;
CREATE TABLE chat_rbac.gone (id bigint);
SELECT pg_catalog.pg_extension_config_dump('chat_rbac.gone', '');
ALTER TABLE chat_rbac.separation ADD COLUMN gone text DEFAULT 'x';
REVOKE SELECT ON chat_rbac.protected_view FROM PUBLIC;
DELETE FROM chat_rbac.known_permission WHERE name OPERATOR(chat_rbac.=) 'template.delete'::chat_rbac.permission;
COMMENT ON TABLE chat_rbac.unit IS NULL;
SQL
put_script("$old--$version", <<"SQL");
\\echo Use "ALTER EXTENSION chat_rbac UPDATE" to load this file. \\quit
SET LOCAL search_path TO pg_catalog, pg_temp;
$graph
$view
$event_trigger
ALTER EVENT TRIGGER chat_rbac_triggers ENABLE ALWAYS;
$default_key
ALTER TABLE chat_rbac.unit ENABLE ALWAYS TRIGGER refuse_cycle;
ALTER TABLE chat_rbac.separation ADD CHECK (cardinality >= 2);
ALTER FUNCTION chat_rbac.org_scope(chat_rbac.permset, text) LEAKPROOF;
ALTER EXTENSION chat_rbac DROP TABLE chat_rbac.gone;
DROP TABLE chat_rbac.gone;
ALTER TABLE chat_rbac.separation DROP COLUMN gone;
GRANT SELECT ON chat_rbac.protected_view TO PUBLIC;
INSERT INTO chat_rbac.known_permission (name, description, builtin) VALUES ('template.delete', 'Delete a template', true);
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'template.delete'::chat_rbac.permission WHERE preset AND name = 'Marketing';
COMMENT ON TABLE chat_rbac.unit IS 'The organisation''s tree: teams, inboxes, departments, regions. A role granted at a unit counts there and in everything below.';
-- what doctor() compares with
DELETE FROM chat_rbac.installed_object;
INSERT INTO chat_rbac.installed_object SELECT * FROM chat_rbac.own_object;
-- sessions of the older library are to know
ALTER TABLE chat_rbac.cache_proxy DISABLE ROW LEVEL SECURITY;
SQL

# ---- what is told here ----

put_library($version);
my $node = PostgreSQL::Test::Cluster->new('update', install_path => $copy . ($place{bindir} =~ s{/bin$}{}r));
$node->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'\nshared_buffers = 16MB");
$node->start;

my $catalog = slurp_file("$FindBin::RealBin/../whole/catalog.sql");
sub catalog
{
	my ($db) = @_;

	return [ split /\n/, sql($node, $catalog, db => $db) ];
}

sql($node, "CREATE DATABASE $_") for qw(fresh old);
sql($node, 'CREATE EXTENSION chat_rbac', db => 'fresh');
my $right = catalog('fresh');
cmp_ok(scalar @$right, '>', 1000, 'a catalog');

# ---- every earlier version that there is a way from ----

my @earlier = split /\n/, sql($node, "SELECT source FROM pg_extension_update_paths('chat_rbac') WHERE target = '$version' AND path IS NOT NULL
	AND source IN (SELECT version FROM pg_available_extension_versions WHERE name = 'chat_rbac') ORDER BY 1");
ok((grep { $_ eq $old } @earlier), "there is a way from $old");
for my $from (@earlier)
{
	sql($node, "DROP DATABASE IF EXISTS old");
	sql($node, 'CREATE DATABASE old');
	put_library($from);
	sql($node, "CREATE EXTENSION chat_rbac VERSION '$from'", db => 'old');
	put_library($version);
	isnt(join("\n", @{ catalog('old') }), join("\n", @$right), "$from is another version");
	sql($node, 'ALTER EXTENSION chat_rbac UPDATE', db => 'old');
	same_lines(catalog('old'), $right, "from $from: an update ends in what a new installation makes", least => 1000);
	is(sql($node, 'SELECT * FROM chat_rbac.doctor()', db => 'old'), '', '... of which doctor() finds nothing to say');
}

# what an update is to end with, so that sessions of the older library find out
is_deeply([ grep { slurp_file($_) !~ /^ALTER TABLE chat_rbac\.cache_proxy DISABLE ROW LEVEL SECURITY;$/m } glob "$FindBin::RealBin/../../sql/chat_rbac--*--*.sql" ], [],
	'every step between versions tells the sessions');

# ---- with rows, and under open sessions ----

sql($node, 'DROP DATABASE old');
sql($node, 'CREATE DATABASE old');
my %old = (db => 'old');
my $control = slurp_file("$extension/chat_rbac.control");
sub put_control
{
	my ($default) = @_;

	unlink "$extension/chat_rbac.control";
	open my $file, '>', "$extension/chat_rbac.control" or die "chat_rbac.control: $!";
	print $file $control =~ s/\Q$version\E/$default/r;
	close $file;
	return;
}
add_roles($node);
put_library($old);
put_control($old);
add_whole($node, %old);
put_control($version);
is(sql($node, q{SELECT extversion FROM pg_extension WHERE extname = 'chat_rbac'}, %old), $old, "a database of $old");
my $before = matrix($node, %old);

my $count = 'SELECT count(*) FROM inbox.conversation';
my $open = $node->background_psql('old', on_error_stop => 0);
$open->query_safe("SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_app; PREPARE q AS $count");
is($open->query_safe('EXECUTE q'), '5', 'a session is open');

# each side without the other
sub nothing_is_answered
{
	my ($installed, $serves, $name) = @_;
	my $mismatch = qr/extension "chat_rbac" is at version "$installed", but its library is at "$serves"/;
	my $app = "SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;";
	my @try = (
		$count, 'SELECT * FROM inbox.card', q{SELECT chat_rbac.can('conversation.view')}, 'SELECT * FROM chat_rbac.whoami()', 'SELECT count(*) FROM chat_rbac.role_grant',
		q{SELECT chat_rbac.actions('inbox.conversation', 1)}, q{UPDATE inbox.conversation SET priority = 1}, 'SELECT count(*) FROM chat_rbac.audit_event',
		q{INSERT INTO inbox.setting (org_id, id, name, value) VALUES (1, 9, 'x', '1')}, q{DELETE FROM inbox.task});

	for my $try (@try)
	{
		fails($node, "$app $try", '55000', $mismatch, "$name: " . substr($try, 0, 50), %old);
	}
	fails($node, "SET chat_rbac.identity = '1/1'; UPDATE inbox.conversation SET priority = 1 WHERE id = 1", '55000', $mismatch, "$name: what could not be recorded is not changed by a superuser either", %old);
	is(sql($node, 'SELECT count(*) FROM inbox.conversation', %old), '120', "$name: who is above policies reads");
	return;
}
put_library($version);
nothing_is_answered($old, $version, 'newer library, older SQL');
is($open->query_safe('EXECUTE q'), '5', 'while who is connected goes on as before');
sql($node, 'ALTER EXTENSION chat_rbac UPDATE', %old);
my $seen = -s $node->logfile;
$open->query('EXECUTE q');
like(substr(slurp_file($node->logfile), $seen), qr/is at version "\Q$version\E", but its library is at "\Q$old\E"/, '... until the update: then it is to connect again');
$open->quit;
same_matrix(matrix($node, %old), $before, 'after the update everybody gets what he got before, but for what is new',
	but => qr/^[^|]*\|(?:chat_rbac\.separation\||can\||deed UPDATE chat_rbac\.unit)/);
is(sql($node, 'SELECT * FROM chat_rbac.audit_verify()', %old), '', 'the trail holds together');
is(as_member($node, '1/4', q{UPDATE inbox.conversation SET status = 'closed' WHERE org_id = 1 AND id = 12 RETURNING id}, %old), '12', 'rows are written');
is(sql($node, q{SELECT actor_id, actions FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass ORDER BY at DESC LIMIT 1}, %old), '4|{conversation.close}', '... and recorded');
put_library($old);
nothing_is_answered($version, $old, 'older library, newer SQL');

$node->stop;
done_testing();

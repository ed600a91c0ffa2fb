# Dumps of a database with some of everything, in every form, restored in a fresh
# cluster: whole ones give everybody the same answers, the shape of every table is the
# same.  Parts of one (schema only, one table, without the extension) leave tables
# closed.  A role that is under policies makes no dump rather than a part of one.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Utils;
use Test::More;
use Whole;

my $tmp = PostgreSQL::Test::Utils::tempdir();
my $node = new_cluster('dump');
my $there = new_cluster('there');

add_roles($_) for $node, $there;
add_whole($node);

# What tables, triggers, policies, privileges and views are
my $shape = <<'SQL';
SELECT c.oid::regclass, c.relkind, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
	(SELECT array_agg(x::text ORDER BY x::text) FROM aclexplode(c.relacl) AS x),
	(SELECT array_agg(a.attname || a.attacl::text ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL),
	(SELECT array_agg(concat_ws(' ', t.tgname, t.tgenabled, t.tgtype, t.tgfoid::regproc) ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
	(SELECT array_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) ORDER BY p.polname)
	 FROM pg_policy p WHERE p.polrelid = c.oid),
	CASE WHEN c.relkind = 'v' AND c.relname !~ '^report' THEN replace(pg_get_viewdef(c.oid), E'\n', ' ') END
FROM pg_class c WHERE c.relnamespace IN ('inbox'::regnamespace, 'chat_rbac'::regnamespace) AND c.relkind IN ('r', 'p', 'v') ORDER BY c.oid::regclass::text
SQL
$shape =~ s/x::text/concat_ws(' ', x.grantee::regrole, x.privilege_type, x.grantor::regrole)/g;	# roles have other numbers there
my $events = q{SELECT evtname, evtenabled, evttags FROM pg_event_trigger ORDER BY 1};
my $matrix = matrix($node);
my $doctor = 'SELECT * FROM chat_rbac.doctor()';
my $findings = sql($node, $doctor);
my %right = map { $_ => [ split /\n/, sql($node, $_) ] } $shape, $events, q{SELECT * FROM chat_rbac.separation ORDER BY 1, 2}, q{SELECT g.org_id, g.grant_id, g.shift FROM chat_rbac.role_grant g ORDER BY 1, 2},
  q{SELECT org_id, member_id, login FROM chat_rbac.member ORDER BY 1, 2};

sub dumped
{
	my ($name, @options) = @_;

	$node->command_ok([ 'pg_dump', @options, '-f', "$tmp/$name", '-d', $node->connstr('postgres') ], "pg_dump @options");
	return;
}

sub restored
{
	my ($db, @command) = @_;

	sql($there, "CREATE DATABASE $db");
	$there->command_ok([ @$_[0], '-d', $there->connstr($db), @$_[ 1 .. $#$_ ] ], "$db: restored by @$_") for @command;
	return;
}

# ---- whole ones ----

dumped('plain', '-Fp');
dumped('custom', '-Fc');
dumped('folder', '-Fd', '-j2');
dumped('inserts', '-Fp', '--column-inserts', '--rows-per-insert=50');
dumped('role', '-Fc', '--role=regress_chat_rbac_backup');
restored('plain', [ 'psql', '-Xq', '-1', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/plain" ]);
restored('custom', [ 'pg_restore', '-1', "$tmp/custom" ]);
restored('folder', map { [ 'pg_restore', "--section=$_", "$tmp/folder" ] } qw(pre-data data post-data));
restored('inserts', [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/inserts" ]);
restored('role', [ 'pg_restore', '-e', "$tmp/role" ]);
for my $db (qw(plain custom folder inserts role))
{
	my %opt = (db => $db);

	same_matrix(matrix($there, %opt), $matrix, "$db: everybody gets the same");
	same_lines([ split /\n/, sql($there, $_, %opt) ], $right{$_}, "$db: the same: " . substr($_, 0, 40) =~ s/\s+/ /gr) for sort keys %right;
	is(sql($there, q{SELECT * FROM chat_rbac.protections WHERE problems <> '{}'}, %opt), '', "$db: nothing is wrong with any table");
	is(sql($there, q{SELECT view, problems FROM chat_rbac.protected_views WHERE problems::text ~ 'not exist|belongs|barrier|more than|restrictive|another name'}, %opt), '', "$db: nor with any view");
	is(sql($there, $doctor, %opt), $findings, "$db: doctor() finds what it found");
	is(sql($there, 'SELECT * FROM chat_rbac.audit_verify()', %opt), '', "$db: the trail holds together");
	my $held = q{INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) SELECT 1, 1000, 6, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Sales'};
	fails($there, $held, '23000', 'separation "money"', "$db: a separation holds", %opt);
}

# ---- schema only: closed, and says what is missing ----

dumped('schema', '--schema-only');
restored('bare', [ 'psql', '-Xq', '-1', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/schema" ]);
my %bare = (db => 'bare');
same_lines([ split /\n/, sql($there, $shape, %bare) ], $right{$shape}, 'schema only: tables, triggers, policies, privileges and views are the same');
is(sql($there, 'SELECT (SELECT count(*) FROM chat_rbac.org) + (SELECT count(*) FROM chat_rbac.protection) + (SELECT count(*) FROM chat_rbac.signing_key) + (SELECT count(*) FROM chat_rbac.audit_event)', %bare),
	'0', 'no row of ours is in it');
is(as_member($there, '1/1', 'SELECT count(*) FROM inbox.conversation', %bare), '0', 'nobody is anybody there');
fails($there, q{SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app; INSERT INTO inbox.setting (org_id, id, name, value) VALUES (1, 9, 'x', '1')},
	'55000', 'has chat_rbac.s guard, but no specification', 'a write is refused, and the error says why', %bare);
fails($there, q{INSERT INTO inbox.setting (org_id, id, name, value) VALUES (1, 9, 'x', '1')},
	'55000', 'has chat_rbac.s audit trigger, but no specification', '... also to a superuser: it could not be recorded', %bare);

# the rows after it, beginning with ours
dumped('rules', '--data-only', '-T', 'inbox.*', '-T', 'whole.*');
dumped('rows', '--data-only', '--exclude-schema=chat_rbac');
$there->command_ok([ 'psql', '-Xq', '-1', '-v', 'ON_ERROR_STOP=1', '-f', "$tmp/$_", '-d', $there->connstr('bare') ], "$_ after the schema") for qw(rules rows);
same_matrix(matrix($there, %bare), $matrix, 'then everybody gets the same', but => qr/^[^|]*\|inbox\.report_/);
is(sql($there, q{SELECT count(*) FROM chat_rbac.audit_event e WHERE e.relation = 'inbox.conversation'::regclass AND e.operation = 'insert'}, %bare), '240',
	'but rows that are put into a table that is recorded are recorded: a whole dump is better');
is(sql($there, 'SELECT * FROM chat_rbac.audit_verify()', %bare), '', '... and the trail holds together');

# ---- a table, or a schema, without the extension: closed ----

dumped('table', '-t', 'inbox.ticket*');
sql($there, 'CREATE DATABASE other');
my %other = (db => 'other');
sql($there, 'CREATE SCHEMA inbox; GRANT USAGE ON SCHEMA inbox TO PUBLIC', %other);
# policies and triggers fail, for there is nothing that they could call
PostgreSQL::Test::Utils::run_log([ 'psql', '-Xq', '-f', "$tmp/table", '-d', $there->connstr('other') ]);
is(sql($there, 'SELECT count(*) FROM inbox.ticket', %other), '60', 'its rows are there');
for my $role (qw(regress_chat_rbac_app regress_chat_rbac_owner))
{
	is(sql($there, "SET ROLE $role; SELECT (SELECT count(*) FROM inbox.ticket) + (SELECT count(*) FROM inbox.ticket_2) + (SELECT count(*) FROM inbox.ticket_rest)", %other), '0', "and $role sees none of them");
}

# ---- by whom ----

for my $role (qw(regress_chat_rbac_owner regress_chat_rbac_app))
{
	$node->command_fails_like([ 'pg_dump', "--role=$role", '-n', 'inbox', '-f', "$tmp/none", '-d', $node->connstr('postgres') ],
		qr/permission denied|may lack SELECT privilege|would be affected by row-level security policy/, "a dump by $role is refused");
}
sql($node, 'GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_owner; GRANT SELECT ON ALL SEQUENCES IN SCHEMA inbox TO regress_chat_rbac_owner');
$node->command_fails_like([ 'pg_dump', '--role=regress_chat_rbac_owner', '-t', 'inbox.conversation', '-f', "$tmp/none", '-d', $node->connstr('postgres') ],
	qr/would be affected by row-level security policy for table "conversation"/, '... for the policies, not for privileges');
my @mine = ('pg_dump', '--role=regress_chat_rbac_owner', '--enable-row-security', '--data-only', '-t', 'inbox.conversation', '-d', $node->connstr('postgres'), '-f', "$tmp/mine");
{
	local $ENV{PGOPTIONS} = '-c chat_rbac.identity=1/4';
	$node->command_fails_like(\@mine, qr/permission "conversation.export" is needed/, 'with --enable-row-security it is an export, for which not all have the right');
	$ENV{PGOPTIONS} = '-c chat_rbac.identity=1/1';
	$node->command_fails_like(\@mine, qr/read-only/, '... which is recorded, but a dump is made in a read-only transaction');
	$ENV{PGOPTIONS} = '-c chat_rbac.identity=1/1 -c chat_rbac.read_audit=log';
	$node->command_ok(\@mine, '... so it is recorded in the server log');
}
is(scalar(grep { /^1\t/ } split /\n/, slurp_file("$tmp/mine")), 40, 'it holds what the member sees');
is(scalar(grep { /chat_rbac export: \{"kind":"export","rows":40,"relation":"inbox.conversation".*"member":1,/ } split /\n/, slurp_file($node->logfile)), 1, '... and the log says who');

$node->stop;
$there->stop;
done_testing();

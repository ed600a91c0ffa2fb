# What the TAP tests share: a cluster with the extension, a small inbox, ways to
# ask as somebody, and by hand-written conditions what each should see.

package ChatRbac;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_cluster add_inbox add_app sql as_member fails
  digest_sql right_digest sees_right @MEMBERS);

# Everybody worth asking as: see add_inbox.
our @MEMBERS = qw(1/1 1/2 1/3 1/4 1/5 1/6 1/7 1/99 2/1 2/3 3/1);

# A running cluster; its sessions load the library at their start unless
# preload => 0.  conf: more lines of configuration.
sub new_cluster
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	# whatever LANG is
	$node->init(extra => [ '-E', 'UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', "session_preload_libraries = 'chat_rbac'")
	  if $opt{preload} // 1;
	# compiling the models' queries takes longer than running them
	$node->append_conf('postgresql.conf', 'jit = off');
	$node->append_conf('postgresql.conf', $opt{conf}) if $opt{conf};
	$node->start;
	return $node;
}

# Run SQL; what it prints, an error being one of the test.  user, db, and
# options (PGOPTIONS) of the connection may be given.
sub sql
{
	my ($node, $sql, %opt) = @_;
	my ($ret, $out, $err) = run_psql($node, $sql, %opt);

	die "$err\nwhile running: $sql" if $ret != 0;
	return $out;
}

sub run_psql
{
	my ($node, $sql, %opt) = @_;
	my ($out, $err);
	local $ENV{PGOPTIONS} = $opt{options} // '';
	my $ret = $node->psql(
		$opt{db} // 'postgres', $sql,
		stdout => \$out,
		stderr => \$err,
		timeout => $PostgreSQL::Test::Utils::timeout_default,
		extra_params => [
			'-v', 'VERBOSITY=verbose',
			$opt{user} ? ('-U', $opt{user}) : ()
		],
		on_error_stop => $opt{go_on} ? 0 : 1);

	${ $opt{stderr} } = $err if $opt{stderr};
	return ($ret, $out, $err);
}

# The SQL fails with this SQLSTATE and a message that matches.
sub fails
{
	my ($node, $sql, $state, $message, $name, %opt) = @_;
	my ($ret, $out, $err) = run_psql($node, $sql, %opt);

	like($err, qr/(?:ERROR|FATAL):  $state: .*$message/s, $name);
	isnt($ret, 0, "$name: psql fails") if !$opt{go_on};
	return $err;
}

# Run SQL as a member, by the application's role.
sub as_member
{
	my ($node, $who, $sql, %opt) = @_;
	my $before = $opt{before} // '';

	return sql($node, "SET chat_rbac.identity = '$who'; SET ROLE regress_chat_rbac_app; $before\n$sql", %opt);
}

# The application's role: it may query the tables and no more.
sub add_app
{
	my ($node) = @_;

	sql($node, 'CREATE ROLE regress_chat_rbac_app LOGIN');
	return;
}

# Two orgs of the same shape, so that ids collide.  In org 1:
#
#	units    1 department > 2 team (> 4 team below it), 3 team; a team's key is its id
#	members  1 admin, org-wide; 2 lead at unit 2; 3 agent at unit 2; 4 agent at unit 3;
#			 5 admin, but inactive; 6 nothing granted; 7 lead at unit 3, agent at unit 4
#
# In org 2 unit 2, members 1 (admin) and 3 (agent at unit 2).  Every row's
# columns follow from its id by remainders; rows is how many conversations.
sub add_inbox
{
	my ($node, %opt) = @_;
	my $rows = $opt{rows} // 2000;

	sql($node, <<"SQL", %opt);
SET client_min_messages = warning;
CREATE EXTENSION chat_rbac;
INSERT INTO chat_rbac.org VALUES (1, 'one'), (2, 'two');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES
	(1, 1, 'department', NULL, 'all'), (1, 2, 'team', 1, 'first'), (1, 3, 'team', 1, 'second'), (1, 4, 'team', 2, 'lower'),
	(2, 2, 'team', NULL, 'first');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES
	(1, 1, 'ada', true), (1, 2, 'sue', true), (1, 3, 'ali', true), (1, 4, 'ina', true), (1, 5, 'off', false),
	(1, 6, 'non', true), (1, 7, 'two', true), (2, 1, 'bob', true), (2, 3, 'bea', true);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, r, name, permissions::chat_rbac.permset FROM generate_series(1, 2) AS o, (VALUES
	(1, 'admin', '{*.*}'),
	(2, 'lead', '{conversation.view, message.view, customer.view, task.view\@colleague}'),
	(3, 'agent', '{conversation.view\@own, conversation.view\@unassigned, conversation.view\@part, customer.view\@linked, task.view\@own}')
) AS v (r, name, permissions);
INSERT INTO chat_rbac.role_inherit VALUES (1, 2, 3), (2, 2, 3);
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES
	(1, 1, 1, NULL), (1, 2, 2, 2), (1, 3, 3, 2), (1, 4, 3, 3), (1, 5, 1, NULL), (1, 7, 2, 3), (1, 7, 3, 4),
	(2, 1, 1, NULL), (2, 3, 3, 2);
CREATE SCHEMA inbox;
CREATE TABLE inbox.conversation (org_id bigint, id bigint, team_id int, assignee_id bigint, customer_id bigint,
	title text, PRIMARY KEY (org_id, id));
CREATE TABLE inbox.participant (org_id bigint, conversation_id bigint, member_id int, PRIMARY KEY (org_id, conversation_id, member_id));
CREATE TABLE inbox.message (org_id bigint, id bigint, conversation_id bigint, body text, PRIMARY KEY (org_id, id));
CREATE TABLE inbox.customer (org_id bigint, id bigint, name text, PRIMARY KEY (org_id, id));
CREATE TABLE inbox.task (org_id bigint, id bigint, assignee_id bigint, PRIMARY KEY (org_id, id));
INSERT INTO inbox.conversation SELECT o, i, 1 + i % 4, nullif(i % 7, 0), i % 50, 'org ' || o || ' team ' || 1 + i % 4
	FROM generate_series(1, 2) AS o, generate_series(1, $rows) AS i;
INSERT INTO inbox.participant SELECT o, i, 1 + i % 6 FROM generate_series(1, 2) AS o, generate_series(1, $rows) AS i WHERE i % 5 = 0;
INSERT INTO inbox.message SELECT org_id, id, id, title FROM inbox.conversation;
INSERT INTO inbox.customer SELECT o, i, 'org ' || o FROM generate_series(1, 2) AS o, generate_series(0, 59) AS i;
INSERT INTO inbox.task SELECT o, i, i % 9 FROM generate_series(1, 2) AS o, generate_series(1, 90) AS i;
CREATE INDEX ON inbox.conversation (org_id, team_id);
CREATE INDEX ON inbox.conversation (org_id, assignee_id);
CREATE INDEX ON inbox.participant (org_id, member_id);
CREATE INDEX ON inbox.message (org_id, conversation_id);
ANALYZE;
SELECT chat_rbac.protect('inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"},
	"relations": {"own": {"assignee_id": "\$member"}, "unassigned": {"assignee_id": null},
		"part": {"table": "inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
SELECT chat_rbac.protect('inbox.message', '{"resource": "message", "org": "org_id",
	"parent": {"table": "inbox.conversation", "column": "conversation_id"}}');
SELECT chat_rbac.protect('inbox.customer', '{"resource": "customer", "org": "org_id",
	"relations": {"linked": {"linked": {"table": "inbox.conversation", "column": "customer_id"}}}}');
SELECT chat_rbac.protect('inbox.task', '{"resource": "task", "org": "org_id",
	"relations": {"own": {"assignee_id": "\$member"}, "colleague": {"assignee_id": "\$members"}}}');
GRANT USAGE ON SCHEMA inbox TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON inbox.conversation, inbox.message, inbox.customer, inbox.task TO PUBLIC;
SQL
	return;
}

# What a member may see of the conversations, written by hand; %s is the alias.
my $agent = '(%1$s.assignee_id = %2$d OR %1$s.assignee_id IS NULL OR EXISTS (SELECT FROM inbox.participant p'
  . ' WHERE p.org_id = %1$s.org_id AND p.conversation_id = %1$s.id AND p.member_id = %2$d))';
my %conversations = (
	'1/1' => '%1$s.org_id = 1',
	'1/2' => '%1$s.org_id = 1 AND %1$s.team_id IN (2, 4)',
	'1/3' => "%1\$s.org_id = 1 AND %1\$s.team_id IN (2, 4) AND $agent",
	'1/4' => "%1\$s.org_id = 1 AND %1\$s.team_id = 3 AND $agent",
	'1/7' => "%1\$s.org_id = 1 AND (%1\$s.team_id = 3 OR (%1\$s.team_id = 4 AND $agent))",
	'2/1' => '%1$s.org_id = 2',
	'2/3' => "%1\$s.org_id = 2 AND %1\$s.team_id = 2 AND $agent");

# And of the tasks.
my %tasks = (
	'1/1' => 'org_id = 1',
	'1/2' => 'org_id = 1 AND assignee_id IN (2, 3, 7)',
	'1/3' => 'org_id = 1 AND assignee_id = 3',
	'1/4' => 'org_id = 1 AND assignee_id = 4',
	'1/7' => 'org_id = 1 AND assignee_id IN (4, 7)',
	'2/1' => 'org_id = 2',
	'2/3' => 'org_id = 2 AND assignee_id = 3');

sub conversation_condition
{
	my ($who, $alias) = @_;

	no warnings 'redundant';
	return sprintf($conversations{$who} // 'false', $alias, (split m{/}, $who)[1]);
}

# A query that tells apart what is seen of the tables: a line for each.
sub digest_sql
{
	my (%where) = @_;

	return 'SELECT * FROM (' . join(
		' UNION ALL ',
		map {
			"SELECT '$_', count(*), md5(string_agg(x.org_id || '/' || x.id, ',' ORDER BY x.org_id, x.id))"
			  . " FROM inbox.$_ AS x"
			  . ($where{$_} ? " WHERE $where{$_}" : '')
		} qw(conversation customer message task)) . ') AS t (name) ORDER BY name';
}

# Its result where a member sees what he should; asked once as superuser.
my %right;

sub right_digest
{
	my ($node, $who, %opt) = @_;
	my $all = conversation_condition($who, 'c');
	my $org_wide = $who =~ m{^[12]/1$};

	return $right{ $node->name . ($opt{db} // '') . $who } //= sql(
		$node,
		digest_sql(
			conversation => conversation_condition($who, 'x'),
			message => "EXISTS (SELECT FROM inbox.conversation c WHERE c.org_id = x.org_id AND c.id = x.conversation_id AND $all)",
			customer => $org_wide ? $all =~ s/c\./x./gr
			: "EXISTS (SELECT FROM inbox.conversation c WHERE c.org_id = x.org_id AND c.customer_id = x.id AND $all)",
			task => $tasks{$who} // 'false'),
		%opt);
}

# As a member the tables show what they should; before: SQL that runs first.
sub sees_right
{
	my ($node, $who, $name, %opt) = @_;

	return is(as_member($node, $who, digest_sql(), %opt), right_digest($node, $who), $name // "$who sees what he should");
}

1;

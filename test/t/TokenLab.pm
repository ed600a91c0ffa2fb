# What the tests of tokens share: a cluster whose members have subjects, keys of
# every kind that it knows, good tokens, and ways to ask with them.

package TokenLab;

use strict;
use warnings;

use ChatRbac;
use Exporter 'import';
use JwtMaker qw(json);
use PostgreSQL::Test::Cluster;

our @EXPORT = qw(new_token_cluster add_key insert_key made claims claims_with set_token
  said says session asked %key @given $now $maker);

our $now = time;
our $maker = JwtMaker->new;
our %key;      # by the name that the tests give it
our @given;    # every token that the server may have got, to look for in its log

my $node;

# The inbox of ChatRbac, and:
#
#	roles		ada, who is member 1/1 by her login; pooled, whose identities do not
#				outlive their transaction; exact, without leeway; late, without the
#				library until it is asked; owner, of the database "owned"
#	members		8 svc, who may issue tokens; 9 half, who may do so at a unit; 10 gone, an
#				admin; in org 2 77 far.  A subject is auth0| and the name, but for bea
#				of org 2, whose subject is ada's
#	keys		h1, r1, e1, d1 of org 1, one of each algorithm; org2, also called h1,
#				of the other; all, of all orgs, by member_id.  h1 and all issue tokens
sub new_token_cluster
{
	my ($name) = @_;

	$node = new_cluster($name, conf => <<'CONF');
wal_level = logical
max_wal_senders = 4
max_replication_slots = 4
wal_retrieve_retry_interval = '100ms'
log_statement = none
log_min_error_statement = error
log_line_prefix = '%m [%p] '
CONF
	add_app($node);
	add_inbox($node, rows => 200);
	sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_ada LOGIN;
CREATE ROLE regress_chat_rbac_pooled LOGIN;
CREATE ROLE regress_chat_rbac_exact LOGIN;
CREATE ROLE regress_chat_rbac_late LOGIN;
CREATE ROLE regress_chat_rbac_owner LOGIN CREATEROLE;
CREATE DATABASE owned OWNER regress_chat_rbac_owner;
ALTER ROLE regress_chat_rbac_pooled SET chat_rbac.identity_lifetime = 'transaction';
ALTER ROLE regress_chat_rbac_exact SET chat_rbac.token_leeway = 0;
ALTER ROLE regress_chat_rbac_late SET session_preload_libraries = 'plpgsql';
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_pooled;
GRANT EXECUTE ON FUNCTION chat_rbac.cache_stats TO regress_chat_rbac_app;
GRANT CREATE ON SCHEMA public TO PUBLIC;
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_ada' WHERE (org_id, member_id) = (1, 1);
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 8, 'svc'), (1, 9, 'half'), (1, 10, 'gone'), (2, 77, 'far');
UPDATE chat_rbac.member SET subject = 'auth0|' || name;
UPDATE chat_rbac.member SET subject = 'auth0|ada' WHERE (org_id, member_id) = (2, 3);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 4, 'login service', '{token.issue}');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 8, 4, NULL), (1, 9, 4, 2), (1, 10, 1, NULL);
SQL
	add_key('h1', 'HS256', issues => 'true');
	add_key('r1', 'RS256');
	add_key('e1', 'ES256');
	add_key('d1', 'EdDSA');
	add_key('org2', 'HS256', org_id => 2, kid => 'h1');
	add_key('all', 'HS256', org_id => undef, subject_is => 'member_id', issues => 'true');
	return $node;
}

# Make a key and let the server know it: of org 1, with its name for kid, unless
# columns say otherwise.
sub add_key
{
	my ($name, $algorithm, %column) = @_;

	%column = (org_id => 1, kid => $name, algorithm => $algorithm, %column);
	$key{$name} = $maker->key($algorithm, kid => $column{kid});
	$column{secret} = '\x' . unpack('H*', $key{$name}{secret}) if defined $key{$name}{secret};
	$column{public_key} = $key{$name}{public};
	sql($node, insert_key(%column));
	return;
}

# The statement that adds a key; columns that are undef are left to their defaults.
sub insert_key
{
	my (%column) = @_;
	my @names = grep { defined $column{$_} } sort keys %column;

	return sprintf 'INSERT INTO chat_rbac.signing_key (%s) VALUES (%s)', join(', ', @names), join(', ', map { "'$column{$_}'" } @names);
}

# A token by a key's name; the rest as JwtMaker's token() takes it.
sub made
{
	my ($name, $claims, %broken) = @_;

	push @given, $maker->token($key{$name}, $claims, %broken);
	return $given[-1];
}

# Claims that are good for ada, but for what is given; undef removes.
sub claims
{
	my %claims = (org => 1, sub => 'auth0|ada', iat => $now - 5, exp => $now + 3600, @_);

	delete $claims{$_} for grep { !defined $claims{$_} } keys %claims;
	return \%claims;
}

# The same as bytes, with more of them before the end.
sub claims_with
{
	my ($more, @claims) = @_;

	return json(claims(@claims)) =~ s/\}$/,$more}/r;
}

# SQL that sets it; scope: LOCAL.
sub set_token
{
	my ($token, $scope) = @_;

	return sprintf "SET %s chat_rbac.token = '%s';", $scope // '', $token =~ s/'/''/gr;
}

# What some SQL prints, in one line, and then the SQLSTATE of each error.
sub said
{
	my ($sql, %opt) = @_;
	my ($ret, $out, $err) = ChatRbac::run_psql($node, $sql, user => 'regress_chat_rbac_app', go_on => 1, %opt);

	${ $opt{stderr} } = $err if $opt{stderr};
	return join ' ', split(/\n/, $out), map { "!$_" } $err =~ /(?:ERROR|FATAL):  (\w{5}):/g;
}

# Scenarios: each is a name, SQL, what it says, and options if it is not asked as
# the application's role: user, options, db.
sub says
{
	my (@scenarios) = @_;

	for my $scenario (@scenarios)
	{
		my ($name, $sql, $expected, %opt) = @$scenario;

		local $Test::Builder::Level = $Test::Builder::Level + 1;
		Test::More::is(said($sql, %opt), $expected, $name);
	}
	return;
}

# A session that stays, of a role.
sub session
{
	my ($user) = @_;
	my $session = $node->background_psql('postgres', extra_params => [ '-U', $user ], on_error_stop => 0);

	$session->query('\set VERBOSITY sqlstate');
	return $session;
}

# As said(), in a session that stays.
sub asked
{
	my ($session, $sql) = @_;

	$session->{stderr} = '';
	my $out = $session->query($sql);
	my @states = $session->{stderr} =~ /(?:ERROR|FATAL):  (\w{5})/g;
	$session->{stderr} = '';
	return join ' ', split(/\n/, $out), map { "!$_" } @states;
}

1;

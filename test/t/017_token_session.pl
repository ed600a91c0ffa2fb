# Tokens and identities in sessions: wherever one may be put, and whatever happens
# to it there, it gives nobody more than it is good for, and for no longer.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use JwtMaker qw(json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();
use TokenLab;

my $node = new_token_cluster('token_session');
my $rows = 'SELECT count(*) FROM inbox.conversation';
my $who = "SELECT coalesce(org_id || '/' || member_id, 'nobody') FROM chat_rbac.whoami()";
my $ali_rows = sql($node, "SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app; $rows");
my $sue_rows = sql($node, "SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app; $rows");
my $agent_rows = sql($node, "SET chat_rbac.identity = '1/2'; SET chat_rbac.active_roles = 'agent'; SET ROLE regress_chat_rbac_app; $rows");
my $app = 'regress_chat_rbac_app';
my @ada = (user => 'regress_chat_rbac_ada');
my @pooled = (user => 'regress_chat_rbac_pooled');
my @exact = (user => 'regress_chat_rbac_exact');
my @late = (user => 'regress_chat_rbac_late');
my @root = (user => 'postgres');

$key{stranger} = $maker->key('HS256', kid => 'h1');
my $good = made('h1', claims());
my $ali = made('e1', claims(sub => 'auth0|ali'));
my $forged = made('stranger', claims());
my $expired = made('h1', claims(exp => $now - 100));
my ($set_good, $set_ali, $set_forged, $set_expired) = map { set_token($_) } $good, $ali, $forged, $expired;
my ($local_good, $local_ali, $local_forged) = map { set_token($_, 'LOCAL') } $good, $ali, $forged;

my $local_sue = set_token(made('h1', claims(sub => 'auth0|sue')), 'LOCAL');

# ---- taking it away ----

for my $end ('RESET chat_rbac.token', 'RESET ALL', 'DISCARD ALL', 'SET chat_rbac.token TO DEFAULT', "SET chat_rbac.token = ''")
{
	says([ "$end leaves nothing", "$set_good $rows; $end; $rows; $who", '200 0 nobody' ],
		[ '... of a forged one either', "$set_forged $end; $rows; $who", '0 nobody' ],
		[ '... nor where there is a login', "$set_ali $rows; $end; $rows; $who", "$ali_rows 200 1/1", @ada ]);
}

# ---- other roles ----

says(
	[ 'SET SESSION AUTHORIZATION is not for the application',
		"$set_forged SET SESSION AUTHORIZATION regress_chat_rbac_ada; RESET chat_rbac.token; $rows", '0 !42501' ],
	[ 'nor SET ROLE', "$set_forged SET ROLE regress_chat_rbac_ada; RESET chat_rbac.token; $rows", '0 !42501' ],
	[ 'a superuser\'s SET SESSION AUTHORIZATION brings the login', "SET SESSION AUTHORIZATION regress_chat_rbac_ada; $rows", '200', @root ],
	[ '... and not with a forged token',
		"$set_forged SET SESSION AUTHORIZATION regress_chat_rbac_ada; $rows; RESET SESSION AUTHORIZATION; SET SESSION AUTHORIZATION regress_chat_rbac_app; $rows; $who",
		'!28000 !28000 !28000', @root ],
	[ '... and no right to the identity', "SET SESSION AUTHORIZATION regress_chat_rbac_app; SET chat_rbac.identity = '1/1'; $rows",
		'0 !42501', @root ],
	[ 'a token stays under another role',
		"$set_ali SET SESSION AUTHORIZATION regress_chat_rbac_ada; $rows; RESET SESSION AUTHORIZATION; SET ROLE regress_chat_rbac_app; $rows",
		"$ali_rows $ali_rows", @root ],
	[ 'DISCARD ALL takes both away',
		"$set_ali SET SESSION AUTHORIZATION regress_chat_rbac_ada; DISCARD ALL; SET ROLE regress_chat_rbac_app; $rows; $who", '0 nobody',
		@root ]);

# ---- functions ----

# definer() is of ada, whose rows its caller is not to see; trusted() of a superuser,
# who lends his right to set an identity to whoever may call it, but not to forge a token
sql($node, <<"SQL");
CREATE FUNCTION public.definer(name text, value text) RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT set_config(name, value, false)';
ALTER FUNCTION public.definer OWNER TO regress_chat_rbac_ada;
CREATE FUNCTION public.trusted(name text, value text) RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT set_config(name, value, false)';
CREATE FUNCTION public.clause_identity() RETURNS bigint SET chat_rbac.identity = '1/1' LANGUAGE sql AS 'SELECT chat_rbac.current_member()';
CREATE FUNCTION public.clause_lifetime() RETURNS bigint SET chat_rbac.identity_lifetime = session LANGUAGE sql AS '$rows';
CREATE FUNCTION public.clause_forged() RETURNS bigint SET chat_rbac.token = '$forged' LANGUAGE sql AS '$rows';
CREATE FUNCTION public.clause_ali() RETURNS bigint SET chat_rbac.token = '$ali' LANGUAGE sql AS '$rows';
CREATE FUNCTION public.switch(id bigint, value text) RETURNS boolean VOLATILE LANGUAGE plpgsql COST 0.0001
	AS 'BEGIN PERFORM set_config(''chat_rbac.token'', value, false); RETURN true; END';
SQL
my $current = 'CREATE FUNCTION public.clause_current() RETURNS bigint SET chat_rbac.token FROM CURRENT LANGUAGE sql AS \'SELECT count(*) FROM inbox.conversation\'';
my $config = "SELECT proconfig FROM pg_proc WHERE proname = 'clause_current'";

says(
	[ 'a SECURITY DEFINER function does not lend the right to an identity', "SELECT public.definer('chat_rbac.identity', '1/1'); $rows",
		'0 !42501' ],
	[ '... nor its owner\'s login', "SELECT public.definer('chat_rbac.token', '') IS NULL; $rows", 'f 0' ],
	[ '... nor makes a forged token good', "SELECT public.definer('chat_rbac.token', '$forged'); $rows", '(hidden) !28000' ],
	[ '... also a superuser\'s', "SELECT public.trusted('chat_rbac.token', '$forged'); $rows", '(hidden) !28000' ],
	[ 'a good one is what it is', "SELECT public.definer('chat_rbac.token', '$ali'); $rows", "(hidden) $ali_rows" ],
	[ 'a superuser\'s function that sets identities is his trust', "SELECT public.trusted('chat_rbac.identity', '1/3'); $rows",
		"1/3 $ali_rows" ],
	[ 'an identity in a SET clause', "SELECT public.clause_identity(); $rows", '0 !42501' ],
	[ '... which the application may not write',
		"CREATE FUNCTION public.mine() RETURNS bigint SET chat_rbac.identity = '1/1' LANGUAGE sql AS '$rows'", '!42501' ],
	[ '... a superuser may call it', "SELECT public.clause_identity(); $who", '1 nobody', @root ],
	[ 'a lifetime in a SET clause', "$set_good SELECT public.clause_lifetime(); $rows", '0 !42501', @pooled ],
	[ 'a forged token in a SET clause',
		"$set_good SELECT public.clause_forged(); $rows; RESET chat_rbac.token; SELECT public.clause_forged(); $rows", '200 0 !28000 !28000' ],
	[ '... where there is a login', "SELECT public.clause_forged(); $rows", '200 !28000', @ada ],
	[ 'a good one counts in the function', "$set_good SELECT public.clause_ali(); $rows", "$ali_rows 200" ],
	[ 'SET ... FROM CURRENT does not keep the token',
		"$set_good $current; $config; SELECT public.clause_current(); RESET chat_rbac.token; SELECT public.clause_current(); DROP FUNCTION public.clause_current()",
		'{chat_rbac.token=(hidden)} !28000 !28000' ],
	[ '... nor a superuser\'s', "$set_good $current; $config; DROP FUNCTION public.clause_current()", '{chat_rbac.token=(hidden)}', @root ],
	[ 'a forged token in the middle of a query', "$set_ali SELECT count(*) FROM inbox.conversation WHERE public.switch(id, '$forged')",
		'1' ],
	[ 'another\'s in the middle of a query gives no row of theirs',
		"$set_ali SELECT count(*) > $ali_rows FROM inbox.conversation WHERE public.switch(id, '$good'); $rows", 'f 200' ]);

# ---- the connection's start ----

says(
	[ 'an identity by PGOPTIONS', "$rows; $who", '0 nobody', options => '-c chat_rbac.identity=1/1' ],
	[ 'a forged token by PGOPTIONS', "$rows; $who", '!28000 !28000', options => "-c chat_rbac.token=$forged" ],
	[ '... where there is a login', $rows, '!28000', @ada, options => "-c chat_rbac.token=$forged" ],
	[ '... and RESET goes back to it', "$set_good $rows; RESET chat_rbac.token; $rows; DISCARD ALL; $rows", '200 !28000 !28000',
		options => "-c chat_rbac.token=$forged" ],
	[ 'bytes that are no text', "$rows; SELECT current_setting('chat_rbac.token')", '(hidden) !28000',
		options => "-c chat_rbac.token=\xff\xfe" ],
	[ 'a transaction of its own', $rows, '!28000', options => "-c chat_rbac.token=$good\x1f3.799999999999999" ],
	[ 'a good token by PGOPTIONS', "$rows; SET chat_rbac.token = ''; $rows; RESET chat_rbac.token; $rows", '200 0 200',
		options => "-c chat_rbac.token=$good" ],
	[ 'a lifetime by PGOPTIONS', "$set_good $rows; DISCARD ALL; $set_good $rows; SHOW chat_rbac.identity_lifetime", '0 0 transaction',
		@pooled, options => '-c chat_rbac.identity_lifetime=session' ],
	[ 'a leeway by PGOPTIONS', "$set_expired $rows", '!28000', options => '-c chat_rbac.token_leeway=300' ],
	[ '... does not take away that of the role', set_token(made('h1', claims(exp => $now - 1))) . $rows, '!28000', @exact,
		options => '-c chat_rbac.token_leeway=300' ],
	[ 'setting them',
		'SET chat_rbac.identity_lifetime = session; SET chat_rbac.token_leeway = 300; SET LOCAL chat_rbac.identity_lifetime = session; ALTER ROLE CURRENT_USER SET chat_rbac.identity_lifetime = session',
		'!42501 !42501 !42501 !42501', @pooled ],
	[ 'a leeway out of range', 'SET chat_rbac.token_leeway = 301; SET chat_rbac.token_leeway = -1', '!22023 !22023', @root ],
	[ 'which is what it says', "SET chat_rbac.token_leeway = 300; SET ROLE $app; $set_expired $rows", '200', @root ],
	[ 'in the configuration', "ALTER SYSTEM SET chat_rbac.token = '$good'", '!55P02', @root ]);

# placed by ALTER ROLE and ALTER DATABASE: who may, and what comes of it
my $database = "ALTER DATABASE owned SET chat_rbac";
says(
	[ 'ALTER ROLE SET of an identity, for oneself', "ALTER ROLE CURRENT_USER SET chat_rbac.identity = '1/1'", '!42501' ],
	[ '... for another, by CREATEROLE', "ALTER ROLE $app SET chat_rbac.identity = '1/1'", '!42501', user => 'regress_chat_rbac_owner' ],
	[ '... before the library is there',
		"ALTER ROLE CURRENT_USER SET chat_rbac.identity = '1/1'; ALTER ROLE CURRENT_USER SET chat_rbac.identity_lifetime = 'session'",
		'!42501 !42501', @late ],
	[ 'ALTER DATABASE SET of an identity, by its owner', "$database.identity = '1/1'; $database.identity_lifetime = 'session'",
		'!42501 !42501', user => 'regress_chat_rbac_owner' ]);

sub placed
{
	my ($sql, @scenarios) = @_;

	sql($node, $sql);
	says(@scenarios);
	sql($node, $sql =~ s/ SET (\S+) =.*/ RESET $1/r);
	return;
}

for my $where ("ROLE $app", 'DATABASE postgres')
{
	placed("ALTER $where SET chat_rbac.token = '$forged'", [ "a forged token by ALTER $where",
		"$rows; $set_good $rows; RESET ALL; $rows; DISCARD ALL; $rows", '200 !28000 !28000 !28000' ]);
	placed("ALTER $where SET chat_rbac.token = '$ali'", [ "a good one by ALTER $where", "$rows; $set_good $rows; RESET ALL; $rows",
		"$ali_rows 200 $ali_rows" ]);
}
placed("ALTER ROLE regress_chat_rbac_late SET chat_rbac.token = '$forged'", [ 'a forged token by ALTER ROLE, before the library is there',
	"$rows; $set_good $rows", '200 !28000', @late ]);
placed("ALTER ROLE regress_chat_rbac_pooled SET chat_rbac.identity = '1/1'",
	[ 'an identity of the connection\'s start does not count under the lifetime of a transaction',
		"$rows; $who; BEGIN; $rows; SET LOCAL chat_rbac.identity = '1/3'; $rows; RESET chat_rbac.identity; $rows; COMMIT",
		"0 nobody 0 $ali_rows 0", @pooled ]);
placed("ALTER ROLE regress_chat_rbac_pooled SET chat_rbac.token = '$good'", [ '... nor a token',
	"$rows; $who; BEGIN; $rows; $local_ali $rows; RESET chat_rbac.token; $rows; COMMIT", "0 nobody 0 $ali_rows 0", @pooled ]);
placed("ALTER ROLE regress_chat_rbac_pooled SET chat_rbac.token = '$forged'", [ '... nor a forged one', "$rows; $who", '0 nobody', @pooled ]);

# before the library is loaded: a placeholder, which anybody may set
says(
	[ 'a forged token before the library is there', "$set_forged $rows; $set_good $rows", '200 !28000', @late ],
	[ '... by PGOPTIONS', $rows, '!28000', @late, options => "-c chat_rbac.token=$forged" ],
	[ 'a good one is as good as any', "$set_ali $rows; $who", "$ali_rows 1/3", @late ],
	[ 'local ones end with their transaction', "BEGIN; $local_ali $rows; COMMIT; $rows", "$ali_rows 0", @late ],
	[ '... or savepoint', "BEGIN; $set_ali SAVEPOINT a; $local_forged $rows; ROLLBACK TO a; $rows; COMMIT; $rows",
		"$ali_rows $ali_rows !28000", @late ],
	[ 'an identity', "SET chat_rbac.identity = '1/1'; $rows; $who", '0 nobody', @late ],
	[ 'a leeway', "SET chat_rbac.token_leeway = 300; $set_expired $rows", '!28000', @late ]);
placed("ALTER ROLE regress_chat_rbac_late SET chat_rbac.identity_lifetime = 'transaction'",
	[ 'a lifetime that one would rather not have',
		"SET chat_rbac.identity_lifetime = 'session'; $set_good $rows; SHOW chat_rbac.identity_lifetime; $set_good $rows", '0 transaction 0',
		@late ],
	[ '... by PGOPTIONS', "$set_good $rows; SHOW chat_rbac.identity_lifetime; $set_good $rows", '0 transaction 0', @late,
		options => '-c chat_rbac.identity_lifetime=session' ],
	[ '... in the same transaction: who knows when it was set',
		"BEGIN; SET LOCAL chat_rbac.identity_lifetime = 'session'; $local_good $rows; $local_good $rows; COMMIT", '0 200', @late ]);

# ---- one transaction ----

my $procedure = "CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS \$\$ BEGIN PERFORM set_config('chat_rbac.token', '$good', false);"
  . " RAISE INFO '%', (SELECT count(*) FROM inbox.conversation); COMMIT; RAISE INFO '%', (SELECT count(*) FROM inbox.conversation); ROLLBACK; RAISE INFO '%', (SELECT count(*) FROM inbox.conversation); END \$\$";
sql($node, $procedure);
my $err;
said('CALL public.commits()', @pooled, stderr => \$err);
is(join(' ', $err =~ /INFO:  00000: (\d+)/g), '200 0 0', 'under the lifetime of a transaction a token does not outlive a procedure\'s');
said('CALL public.commits()', stderr => \$err);
is(join(' ', $err =~ /INFO:  00000: (\d+)/g), '200 200 200', '... under that of the session it does');

for my $case ([ 'token', $set_good, $local_good, $local_ali, $set_forged ], [ 'identity', "SET chat_rbac.identity = '1/1';",
	"SET LOCAL chat_rbac.identity = '1/1';", "SET LOCAL chat_rbac.identity = '1/3';", "SET chat_rbac.identity = '3/1';" ])
{
	my ($name, $set, $local, $other, $bad) = @$case;
	my $of = "$name, lifetime of a transaction:";

	says(map { [ "$of $_->[0]", $_->[1], $_->[2], @pooled ] }
		[ 'SET alone', "$set $rows; $who; SELECT source FROM chat_rbac.whoami()",
			"0 nobody login regress_chat_rbac_pooled; chat_rbac.$name is of an earlier transaction" ],
		[ 'a bad one of an earlier transaction', "$bad $rows; $who", '0 nobody' ],
		[ 'in the transaction', "BEGIN; $set $rows; $rows; COMMIT; $rows", '200 200 0' ],
		[ 'local', "BEGIN; $local $rows; COMMIT; $rows", '200 0' ],
		[ 'in one message', $set =~ s/;$/\\;/r . "$rows; $rows", '200 0' ],
		[ 'after COMMIT AND CHAIN', "BEGIN; $set $rows; COMMIT AND CHAIN; $rows; ROLLBACK", '200 0' ],
		[ 'after ROLLBACK AND CHAIN', "$set BEGIN; $set $rows; ROLLBACK AND CHAIN; $rows; ROLLBACK; $rows", '200 0 0' ],
		[ 'after an error', "$set BEGIN; $set $rows; SELECT 1/0; ROLLBACK; $rows; BEGIN; $rows; COMMIT", '200 0 0 !22012' ],
		[ 'the same value again', "$set BEGIN; $rows; $set $rows; COMMIT; $rows", '0 200 0' ],
		[ 'a savepoint goes back to the value of before', "$set BEGIN; SAVEPOINT a; $other $rows; ROLLBACK TO a; $rows; COMMIT; $rows",
			"$ali_rows 0 0" ],
		[ '... which may be of this transaction',
			"BEGIN; $local SAVEPOINT a; $other $rows; ROLLBACK TO a; $rows; RELEASE a; $rows; COMMIT; $rows", "$ali_rows 200 200 0" ],
		[ 'released', "BEGIN; SAVEPOINT a; $local RELEASE a; $rows; COMMIT; $rows", '200 0' ],
		[ 'RESET within', "$set BEGIN; $local $rows; RESET chat_rbac.$name; $rows; COMMIT", '200 0' ],
		[ 'a prepared statement', "PREPARE p AS $rows; BEGIN; $local EXECUTE p; COMMIT; EXECUTE p; BEGIN; $other EXECUTE p; COMMIT",
			"200 0 $ali_rows" ]);
}
says(
	[ 'a token of an earlier transaction gives way to an identity', "$set_good BEGIN; SET LOCAL chat_rbac.identity = '1/3'; $rows; COMMIT",
		$ali_rows, @pooled ],
	[ 'a function\'s SET clause is of the transaction that calls it, and leaves nothing',
		"$set_good BEGIN; SELECT public.clause_ali(); $rows; COMMIT", "$ali_rows 0", @pooled ],
	[ 'nor does a forged one', "$set_good BEGIN; SELECT public.clause_forged(); ROLLBACK; $rows", '0 !28000', @pooled ],
	[ 'active roles of an earlier transaction do not narrow this one',
		"SET chat_rbac.active_roles = 'agent'; $rows; BEGIN; $local_sue $rows; SET LOCAL chat_rbac.active_roles = 'agent'; $rows; COMMIT; BEGIN; $local_sue $rows; COMMIT",
		"0 $sue_rows $agent_rows $sue_rows", @pooled ],
	[ '... which those of the session do', "SET chat_rbac.active_roles = 'agent'; BEGIN; $local_sue $rows; COMMIT", $agent_rows ],
	[ 'nor do they fail it', "SET chat_rbac.active_roles = 'nosuch'; BEGIN; $local_good $rows; COMMIT", '200', @pooled ],
	[ 'words of an earlier transaction are not told of this one\'s deeds',
		"SET chat_rbac.request_id = 'other'; BEGIN; $local_good INSERT INTO inbox.task VALUES (1, 5000, 1); SET LOCAL chat_rbac.request_id = 'mine'; INSERT INTO inbox.task VALUES (1, 5001, 1); COMMIT",
			'', @pooled ],
	[ '... but those of this one are, and who asked',
		"SELECT coalesce(request_id, 'none') || ' of ' || actor_org_id || '/' || actor_id || ' ' || db_role FROM chat_rbac.audit_event WHERE row_key IN ('5000', '5001') ORDER BY row_key",
		'none of 1/1 regress_chat_rbac_pooled mine of 1/1 regress_chat_rbac_pooled', @root ]);

# in a session: savepoints, errors, and what was set before
says(
	[ 'a savepoint that is rolled back takes its token along',
		"BEGIN; $local_ali SAVEPOINT a; $local_good $rows; ROLLBACK TO a; $rows; SAVEPOINT b; $local_forged $rows; ROLLBACK TO b; $rows; COMMIT; $rows",
		"200 $ali_rows $ali_rows 0 !28000" ],
	[ 'so does an exception block',
		"$set_ali DO \$\$ BEGIN PERFORM set_config('chat_rbac.token', '$good', false); PERFORM 1/0; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$; $rows",
		$ali_rows ],
	[ 'who catches the error has no rows yet',
		"DO \$\$ BEGIN PERFORM set_config('chat_rbac.token', '$forged', false); BEGIN PERFORM FROM inbox.task; EXCEPTION WHEN invalid_authorization_specification THEN NULL; END; PERFORM FROM inbox.task; END \$\$",
		'!28000' ],
	[ 'nor who looks again and again', "$set_forged " . "$rows; " x 5, join ' ', ('!28000') x 5 ],
	[ 'a transaction that failed', "BEGIN; $local_forged $rows; $rows; ROLLBACK; $rows; BEGIN; $local_good $rows; COMMIT",
		'0 200 !28000 !25P02' ]);

# ---- prepared statements and cursors ----

for my $mode (qw(force_generic_plan force_custom_plan))
{
	says([ "a prepared statement is asked anew ($mode)",
		"SET plan_cache_mode = $mode; PREPARE p AS $rows; $set_good EXECUTE p; $set_ali EXECUTE p; RESET chat_rbac.token; EXECUTE p; $set_forged EXECUTE p; $set_good EXECUTE p",
			"200 $ali_rows 0 200 !28000" ]);
}
# What is set while a query runs denies: an error would tell that there was a row to be asked about.
my $cursor = 'DECLARE c CURSOR FOR SELECT 1 FROM inbox.conversation; MOVE 1 IN c';
my $left = 'MOVE FORWARD 500 IN c; FETCH 3 FROM c';
says(
	[ 'an open cursor goes on', "BEGIN; $local_good $cursor; FETCH 2 FROM c; COMMIT", '1 1' ],
	[ '... not with a forged token', "BEGIN; $local_good $cursor; $local_forged FETCH 2 FROM c; ROLLBACK", '' ],
	[ '... nor with none', "BEGIN; $local_good $cursor; RESET chat_rbac.token; FETCH 2 FROM c; COMMIT", '' ],
	[ '... nor with another\'s', "BEGIN; $local_ali $cursor; $local_good FETCH 2 FROM c; COMMIT", '' ],
	[ '... nor after its savepoint', "BEGIN; SAVEPOINT a; $local_good SAVEPOINT b; $cursor; ROLLBACK TO a; FETCH 2 FROM c; COMMIT", '!34000' ],
	[ 'a held cursor that is read at the end, by nobody',
		"BEGIN; $local_good DECLARE c CURSOR WITH HOLD FOR SELECT 1 FROM inbox.conversation; RESET chat_rbac.token; COMMIT; FETCH 2 FROM c",
		'' ],
	[ '... by a forger',
		"BEGIN; $local_good DECLARE c CURSOR WITH HOLD FOR SELECT 1 FROM inbox.conversation; $local_forged COMMIT; FETCH 2 FROM c",
		'' ],
	[ '... keeps the rows of who made it',
		"BEGIN; $local_ali DECLARE c CURSOR WITH HOLD FOR SELECT 1 FROM inbox.conversation; COMMIT; $set_good MOVE FORWARD ALL IN c; $rows; FETCH BACKWARD 1 FROM c",
		'200 1' ]);

# ---- time goes by, and others change things: sessions that stay ----

add_key('mine', 'ES256');
add_key('ours', 'HS256', org_id => undef);
my $stale = session($app);
my $reader = session($app);
asked($reader, set_token(made('mine', claims())));
asked($stale, "BEGIN ISOLATION LEVEL REPEATABLE READ; @{[set_token(made('h1', claims(sub => 'auth0|gone')))]} PREPARE p AS $rows");
is(asked($stale, 'EXECUTE p'), '200', 'a session with an open transaction');

my $set_gone = "UPDATE chat_rbac.member SET active = %s WHERE (org_id, member_id) = (1, 10)";
sql($node, sprintf $set_gone, 'false');
is(asked($stale, "SAVEPOINT a; EXECUTE p; ROLLBACK TO a; $who; ROLLBACK TO a"), '!28000 !28000', '... whose member is made inactive');
sql($node, sprintf $set_gone, 'true');
is(asked($stale, 'EXECUTE p'), '200', '... and active');
sql($node, "SET chat_rbac.identity = '1/1'; SELECT chat_rbac.revoke_tokens(10)");
is(asked($stale, "EXECUTE p; ROLLBACK TO a; $rows; ROLLBACK TO a"), '!28000 !28000', '... whose tokens are revoked');
sql($node, 'UPDATE chat_rbac.member SET tokens_valid_from = NULL');
is(asked($stale, 'EXECUTE p'), '200', '... are not, after all');
sql($node, "UPDATE chat_rbac.member SET subject = 'other' WHERE (org_id, member_id) = (1, 10)");
is(asked($stale, 'EXECUTE p; ROLLBACK TO a'), '!28000', '... whose subject is another');
sql($node,
	"UPDATE chat_rbac.member SET subject = NULL WHERE (org_id, member_id) = (1, 10); UPDATE chat_rbac.member SET subject = 'auth0|gone' WHERE (org_id, member_id) = (1, 3)");
is(asked($stale, "EXECUTE p; $who"), "$ali_rows 1/3", '... is another\'s');
sql($node,
	"UPDATE chat_rbac.member SET subject = 'auth0|ali' WHERE (org_id, member_id) = (1, 3); UPDATE chat_rbac.member SET subject = 'auth0|gone' WHERE (org_id, member_id) = (1, 10)");
is(asked($stale, 'EXECUTE p'), '200', '... again');
sql($node,
	'DELETE FROM chat_rbac.role_grant WHERE (org_id, member_id) = (1, 10); DELETE FROM chat_rbac.member WHERE (org_id, member_id) = (1, 10)');
is(asked($stale, "EXECUTE p; ROLLBACK TO a; $who; ROLLBACK"), '!28000 !28000', '... who is removed');
is(asked($stale, $rows), '0', '... and with the transaction its token is gone');

# keys
my %was = map { $_ => made($_, claims()) } qw(mine ours);
my $retire = "UPDATE chat_rbac.signing_key SET retired = %s WHERE kid = '%s'";
for my $kid (qw(mine ours))
{
	my $set = set_token($was{$kid});

	add_key("$kid new", $key{$kid}{algorithm}, $kid eq 'ours' ? (org_id => undef) : ());
	asked($reader, "ROLLBACK; BEGIN; $set");
	is(asked($reader, "SAVEPOINT a; $rows"), '200', "key $kid");
	says([ '... and its successor are both good', "$set $rows; " . set_token(made("$kid new", claims())) . $rows, '200 200' ]);
	for my $end ([ sprintf($retire, 'now()', $kid), sprintf($retire, 'NULL', $kid) ],
		[ "UPDATE chat_rbac.signing_key SET not_before = now() + '1 h' WHERE kid = '$kid'",
			"UPDATE chat_rbac.signing_key SET not_before = NULL WHERE kid = '$kid'" ],
		[ "UPDATE chat_rbac.signing_key SET kid = 'x' WHERE kid = '$kid'", "UPDATE chat_rbac.signing_key SET kid = '$kid' WHERE kid = 'x'" ],
		[ "UPDATE chat_rbac.signing_key SET org_id = 2 WHERE kid = '$kid'",
			"UPDATE chat_rbac.signing_key SET org_id = @{[$kid eq 'ours' ? 'NULL' : 1]} WHERE kid = '$kid'" ],
		[ "UPDATE chat_rbac.signing_key SET audience = 'x' WHERE kid = '$kid'",
			"UPDATE chat_rbac.signing_key SET audience = NULL WHERE kid = '$kid'" ],
		[ "UPDATE chat_rbac.signing_key SET subject_is = 'member_id' WHERE kid = '$kid'",
			"UPDATE chat_rbac.signing_key SET subject_is = 'subject' WHERE kid = '$kid'" ],
		[ "CREATE TABLE kept AS SELECT * FROM chat_rbac.signing_key WHERE kid = '$kid'; DELETE FROM chat_rbac.signing_key WHERE kid = '$kid'",
			'INSERT INTO chat_rbac.signing_key OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept' ])
	{
		sql($node, $end->[0]);
		is(asked($reader, "$rows; ROLLBACK TO a"), '!28000', "... is none from the next statement on: $end->[0]");
		sql($node, $end->[1]);
		is(asked($reader, $rows), '200', '... until that is undone');
	}
	sql($node, sprintf $retire, 'now()', $kid);
	says([ '... retired', "$set $rows", '!28000' ], [ '... its successor stays', set_token(made("$kid new", claims())) . $rows, '200' ]);
}
asked($reader, 'ROLLBACK');

# of an uncommitted change one session knows
says([ 'a key that is not committed is good for who made it',
	"BEGIN; @{[insert_key(org_id => 1, kid => 'h1 copy', algorithm => 'HS256', secret => '\\x' . unpack('H*', $key{stranger}{secret}))]};"
			. " SET LOCAL ROLE $app; @{[set_token(made('stranger', claims(), header => { kid => 'h1 copy' }), 'LOCAL')]} $rows; ROLLBACK; SET ROLE $app; @{[set_token($given[-1])]} $rows",
				'200 !28000', @root ]);

says([ '... until its savepoint is rolled back',
	"BEGIN; SAVEPOINT a; @{[insert_key(org_id => 1, kid => 'h1 copy', algorithm => 'HS256', secret => '\\x' . unpack('H*', $key{stranger}{secret}))]};"
			. " SET LOCAL ROLE $app; @{[set_token($given[-1], 'LOCAL')]} $rows; ROLLBACK TO a; SET LOCAL ROLE $app; @{[set_token($given[-1], 'LOCAL')]} $rows; ROLLBACK",
				'200 !28000', @root ]);

# expiry: in an open transaction, with a statement, a cursor and workers under way
my $force = ($node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode') . ' = regress';
my $brief = session('regress_chat_rbac_exact');
my $exp = Time::HiRes::time() + 1.5;
asked($brief, 'BEGIN ISOLATION LEVEL REPEATABLE READ; ' . set_token(made('h1', claims(exp => $exp, iat => $exp - 5)))
	. " PREPARE p AS $rows; $cursor; SAVEPOINT a");
my $in_time = asked($brief, "EXECUTE p; FETCH 1 FROM c; $rows");
$in_time = '(too slow)' if Time::HiRes::time() > $exp;
like($in_time, qr/^200 1 200$|too slow/, 'a token that will expire');
Time::HiRes::sleep(0.1) while Time::HiRes::time() < $exp + 0.05;
is(asked($brief,
	"EXECUTE p; ROLLBACK TO a; FETCH 1 FROM c; ROLLBACK TO a; $rows; ROLLBACK TO a; $who; ROLLBACK TO a; SET LOCAL $force; $rows; ROLLBACK"),
	join(' ', ('!28000') x 5), '... has done so in the next statement');
$brief->quit;
my $long = 'DO $$ BEGIN PERFORM FROM inbox.task; PERFORM pg_sleep(1.1); PERFORM FROM inbox.task; END $$';
says([ '... also within a statement that takes long', set_token(made('h1', claims(exp => Time::HiRes::time() + 1))) . $long, '!28000', @exact ]);

# ---- parallel workers ----

my %mode = (
	forced => "SET $force;",
	real => 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0; SET enable_indexscan = off;'
	  . ' SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET parallel_leader_participation = off;');
like(said("$mode{real} $set_good EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) $rows"), qr/Workers Launched: [1-9].*Parallel .* on conversation/, 'workers scan a protected table');
for my $mode (sort keys %mode)
{
	my $each = "SELECT count(*) FROM inbox.conversation WHERE chat_rbac.current_member() = 3 AND (SELECT source FROM chat_rbac.whoami()) = 'chat_rbac.token'";

	says(map { [ "$mode workers: $_->[0]", "$mode{$mode} $_->[1]", @$_[ 2 .. $#$_ ] ] }
		[ 'a good token', "$set_good $rows; $set_ali $rows; $each", "200 $ali_rows $ali_rows" ],
		[ 'a local one', "BEGIN; $local_good $rows; SAVEPOINT a; $local_ali $rows; ROLLBACK TO a; $rows; COMMIT; $rows", "200 $ali_rows 200 0" ],
		[ 'a forged one', "$set_forged $rows; $rows", '!28000 !28000' ],
		[ 'an expired one', "$set_expired $rows", '!28000' ],
		[ 'one with the mark of a transaction', set_token("$good\x1f1.1") . $rows, '!28000' ],
		[ 'with it by PGOPTIONS', $rows, '!28000', options => "-c chat_rbac.token=$good\x1f1.1" ],
		[ 'one of the connection\'s start', $rows, '200', options => "-c chat_rbac.token=$good" ],
		[ '... under the lifetime of a transaction', $rows, '0', @pooled, options => "-c chat_rbac.token=$good" ],
		[ 'one of this transaction', "BEGIN; $set_ali $rows; $each; COMMIT", "$ali_rows $ali_rows", @pooled ],
		[ '... and of an earlier one', "$set_ali BEGIN; $rows; $each; COMMIT; BEGIN; $set_ali COMMIT; BEGIN; $rows; COMMIT", '0 0 0', @pooled ],
		[ 'an identity of this transaction', "BEGIN; SET chat_rbac.identity = '1/3'; $rows; COMMIT; $rows; BEGIN; $rows; COMMIT",
			"$ali_rows 0 0", @pooled ],
		[ 'a savepoint', "$set_good BEGIN; SAVEPOINT a; $local_ali $rows; ROLLBACK TO a; $rows; COMMIT", "$ali_rows 0", @pooled ],
		[ 'a leeway that is local',
			"BEGIN; SET LOCAL chat_rbac.token_leeway = 300; SET LOCAL ROLE $app; $set_expired $rows; COMMIT; SET ROLE $app; $set_expired $rows",
			'200 !28000', @root ],
		[ 'a token before the library is there', "$set_ali $rows", $ali_rows, @late ],
		[ '... forged', "$set_forged $rows", '!28000', @late ]);
}

# ---- reading it back ----

says(
	[ 'SHOW', "$set_good SHOW chat_rbac.token", '(hidden)' ],
	[ 'to a superuser', "$set_good SHOW chat_rbac.token; SELECT current_setting('chat_rbac.token')", '(hidden) (hidden)', @root ],
	[ 'current_setting()', "$set_good SELECT current_setting('chat_rbac.token'), current_setting('chat_rbac.token', true)",
		'(hidden)|(hidden)' ],
	[ 'what set_config() returns', "SELECT set_config('chat_rbac.token', '$good', false)", '(hidden)' ],
	[ 'pg_settings', "$set_good SELECT count(*) FROM pg_settings s WHERE s::text ~ 'eyJ'", '0', @root, options => "-c chat_rbac.token=$good" ],
	[ 'pg_file_settings, pg_db_role_setting', "$set_good SELECT count(*) FROM pg_db_role_setting s WHERE s::text ~ 'eyJ'", '0', @root ],
	[ 'no token is told apart from a hidden one', 'SHOW chat_rbac.token', '' ]);

# another session of the role looks on
my $target = session('regress_chat_rbac_exact');
my $pid = asked($target, 'SELECT pg_backend_pid()');
my $set = "SELECT set_config('chat_rbac.token', '%s', false)";
for my $case (
	[ 'SET', "SET chat_rbac.token = '$good'" ],
	[ 'a forged one', "SET chat_rbac.token = '$forged'" ],
	[ 'SET LOCAL', "BEGIN\\; SET LOCAL chat_rbac.token = '$good'" ],
	[ 'a statement with more after it', "SET chat_rbac.token = '$good'\\; SELECT 1\\; SELECT 2" ],
	[ 'set_config()', sprintf $set, $good ],
	[ '... in a transaction', 'BEGIN\\; ' . sprintf($set, $good) . '\\; SELECT 1' ],
	[ 'a DO block', "DO \$\$ BEGIN PERFORM set_config('chat_rbac.token', '$good', false); END \$\$" ],
	[ 'a prepared statement', 'PREPARE p(text) AS ' . $set =~ s/'%s'/\$1/r . "\\; EXECUTE p('$good')" ],
	[ 'a statement that fails after', sprintf($set, $good) . ', 1 / (random() * 0)::int' ],
	[ 'a statement that uses it', sprintf($set, $forged) . ', (SELECT count(*) FROM inbox.conversation WHERE random() >= 0)' ])
{
	my ($name, $sql) = @$case;

	asked($target, 'DEALLOCATE ALL; RESET chat_rbac.token; SELECT 1');
	asked($target, $sql);
	is(said("SELECT query FROM pg_stat_activity WHERE pid = $pid", @exact), '(a statement with chat_rbac.token, not shown)',
		"what others of the role see of a session: $name");
	asked($target, 'ROLLBACK');
}
asked($target, 'SELECT 42');
is(said("SELECT query FROM pg_stat_activity WHERE pid = $pid", @exact), 'SELECT 42 ;', '... they see the next statement');
$_->quit for $target, $stale, $reader;

# ---- replication ----

sql($node, <<'SQL');
GRANT SET ON PARAMETER session_replication_role TO regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION pg_replication_origin_session_setup TO regress_chat_rbac_app;
SELECT pg_replication_origin_create('elsewhere');
SQL
my $origin = "SELECT pg_replication_origin_session_setup('elsewhere'); SET session_replication_role = replica;";
my $insert = 'INSERT INTO inbox.task VALUES (1, 6000, 1) RETURNING id';
says(
	[ 'a replication origin is nobody', "$origin $rows; $insert", ' 0 !42501' ],
	[ '... and cannot forge', "$origin $set_forged $rows; $insert", '!28000 !28000' ],
	[ '... nor take an identity', "$origin SET chat_rbac.identity = '1/1'; $rows", ' 0 !42501' ],
	[ '... a token is what it is', "$origin $set_ali $rows; $insert; $set_good $insert", " $ali_rows 6000 !42501" ]);

# A subscription's worker, with an owner for whom something was placed.  The
# publisher is a database of the same server.
sql($node, 'CREATE DATABASE publisher');
sql($node, <<'SQL', db => 'publisher');
CREATE SCHEMA inbox;
CREATE TABLE inbox.task (org_id bigint, id bigint, assignee_id bigint, PRIMARY KEY (org_id, id));
CREATE PUBLICATION tasks FOR TABLE inbox.task;
SELECT pg_create_logical_replication_slot('tasks', 'pgoutput');
SQL
my $password = $node->pg_version >= 16 ? ', password_required = false' : '';
my $connection = "host=@{[$node->host]} port=@{[$node->port]} dbname=publisher user=postgres";
sql($node, <<"SQL");
CREATE ROLE regress_chat_rbac_sub SUPERUSER LOGIN;
SET ROLE regress_chat_rbac_sub;
CREATE SUBSCRIPTION tasks CONNECTION '$connection' PUBLICATION tasks WITH (create_slot = false, copy_data = false, enabled = false$password);
GRANT INSERT ON inbox.task TO regress_chat_rbac_sub;
SQL

# What becomes of a row that is published.
sub published
{
	my ($id, $until, $placed, $attribute) = @_;
	my $from = -s $node->logfile;

	sql($node, "ALTER ROLE regress_chat_rbac_sub $attribute; ALTER ROLE regress_chat_rbac_sub $placed; ALTER SUBSCRIPTION tasks ENABLE");
	sql($node, "INSERT INTO inbox.task VALUES (1, $id, 1)", db => 'publisher');
	my $log = '';
	for (1 .. 300)
	{
		$log = slurp_file($node->logfile, $from);
		last if sql($node, "SELECT count(*) FROM inbox.task WHERE id = $id") ne '0' || $log =~ $until;
		Time::HiRes::sleep(0.1);
	}
	my $there = sql($node, "SELECT count(*) FROM inbox.task WHERE id = $id");
	my $members = sql($node,
		"SELECT coalesce(string_agg(coalesce(actor_id::text, 'nobody'), ' '), 'none') FROM chat_rbac.audit_event WHERE row_key = '$id'");
	sql($node, 'ALTER SUBSCRIPTION tasks DISABLE');
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type ~ \'logical replication worker\'');
	sql($node, 'ALTER ROLE regress_chat_rbac_sub RESET ALL');
	return "$there $members";
}

is(published(7001, qr/nothing to wait for/, 'SET work_mem = 4096', 'SUPERUSER'), '1 nobody', 'a superuser\'s subscription brings rows, as nobody');
is(published(7002, qr/chat_rbac.token is not valid/, "SET chat_rbac.token = '$forged'", 'SUPERUSER'), '0 none', '... not with a forged token');
is(published(7003, qr/nothing to wait for/, "SET chat_rbac.identity_lifetime = 'transaction'", 'SUPERUSER'), '1 nobody', '... as long as it is there');
is(published(7004, qr/row-level security|permission|must be|cannot replicate/, "SET chat_rbac.identity = '1/1'", 'NOSUPERUSER'), '0 none', 'that of an ordinary role brings none, whatever was placed for it');
is(published(7005, qr/row-level security|permission|must be|cannot replicate/, "SET chat_rbac.token = '$forged'", 'NOSUPERUSER'), '0 none', '... or forged');
sql($node, 'ALTER SUBSCRIPTION tasks SET (slot_name = NONE); DROP SUBSCRIPTION tasks');
sql($node, "SELECT pg_drop_replication_slot('tasks')");

# ---- no token in the log ----

# also where a statement fails before it has set one, or has it in its context
my $inner = "EXECUTE format('SELECT 1/0, set_config(%L, %L, false)', 'chat_rbac.token', '$good')";
my @careless = (
	"SET chat_rbac.token = '$good' oops",
	"SELECT 1/0, set_config('chat_rbac.token', '$good', false)",
	"DO \$\$ BEGIN $inner; END \$\$",
	"DO \$\$ BEGIN EXECUTE 'SET chat_rbac.token = ''$good'' oops'; END \$\$",
	"DO \$\$ BEGIN PERFORM set_config('chat_rbac.token', '$good', false), 1/0; END \$\$",
	"SET chat_rbac.identity = '$good'",
	"SELECT * FROM chat_rbac.signing_key WHERE kid = '$good'");
says(map { [ 'a careless statement', $_, $_ =~ /oops/ ? '!42601' : /1\/0/ ? '!22012' : '!42501' ] } @careless);
says([ 'a token for an identity', "SET chat_rbac.identity = '$good'", '!22023', @pooled ]);

# to look for one takes no longer than to read the statement: else this would take minutes
says([ 'a long statement that fails', 'SELECT 1/0 /* ' . 'eyJ' x 300_000 . ' */', '!22012' ]);

my $log = slurp_file($node->logfile);
my @shown = grep { index($log, $_) >= 0 } @given;
is(scalar(@shown), 0, 'no token is in the server log') or diag grep { index($_, $shown[0]) >= 0 } split /^/, $log;

$node->stop;
done_testing();

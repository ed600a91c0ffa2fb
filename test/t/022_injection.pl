# Out of memory, and a cancel, at each of the calls that the library makes into the
# server, and at allocations of the server and of libcrypto: where grants and
# specifications are compiled, tokens verified, links and rows looked up, changes
# judged and recorded, reads recorded, exports refused, blocks sealed.  Whatever
# fails, fails with an error or gives the right answer, and the same session gives
# the right answers afterwards.
#
# Environment:
#	CHAT_RBAC_LONG=1		all sweeps, and more points of each
#	CHAT_RBAC_INJECT=words	only sweeps whose name matches
#	CHAT_RBAC_INJECT_POINTS	how many points a sweep has (5; in the long form 60); "all" are thousands

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use FaultLab;
use JwtMaker;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $long = $ENV{CHAT_RBAC_LONG};
my $only = $ENV{CHAT_RBAC_INJECT} // '';
my $sweeps = 0;
my $choice = $ENV{CHAT_RBAC_INJECT_POINTS} // ($long ? 60 : 5);

my $node = new_cluster('injection', conf => "autovacuum = off\nfsync = off\nlog_statement = none\nmax_parallel_workers_per_gather = 0");
my ($built, $why) = add_faults($node);
if (!$built)
{
	$node->stop;
	plan skip_all => "the library of faults cannot be built: $why";
}
add_app($node);
add_inbox($node, rows => 300);

my $maker = JwtMaker->new;
my %key = map { $_ => $maker->key($_, kid => lc $_) } qw(HS256 RS256 ES256 EdDSA);
for my $key (values %key)
{
	sql($node, "INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, " . ($key->{public} ? 'public_key' : 'secret') . ") VALUES (1, '$key->{kid}', '$key->{algorithm}', "
		  . ($key->{public} ? "'$key->{public}'" : "'\\x" . unpack('H*', $key->{secret}) . "'") . ')');
}
sql($node, <<'SQL');
SET client_min_messages = error;
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('customer.phone', 'See phones') ON CONFLICT DO NOTHING;
UPDATE chat_rbac.member SET subject = name;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 9, 'writer', '{conversation.*, message.*, customer.*}'), (1, 10, 'mover', '{conversation.view@own, conversation.assign@own}');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 8, 'wim'), (1, 9, 'mo');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 8, 9, 2), (1, 9, 10, 2);
INSERT INTO inbox.conversation VALUES (1, 1001, 2, 9, 1, 'mine'), (1, 1002, 2, 9, 1, 'mine too');
SELECT chat_rbac.protect('inbox.conversation', chat_rbac.protection('inbox.conversation') || '{"actions": [{"on": "update", "column": "assignee_id", "requires": "conversation.assign"},
	{"on": "insert", "requires": "conversation.start"}, {"on": "update", "requires": "conversation.edit"}, {"on": "delete", "requires": "conversation.delete"}]}');
ALTER TABLE inbox.customer ADD phone text;
UPDATE inbox.customer SET phone = '+4930123' || 4000 + id;
SELECT chat_rbac.create_view('inbox.conversation', '{"view": "inbox.chat", "grant": ["regress_chat_rbac_app"], "audited": true}');
SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.card", "grant": ["regress_chat_rbac_app"], "masks": {"phone": {"with": "full", "lifted_by": "customer.phone"}}}');
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION chat_rbac.audit_seal, chat_rbac.cache_stats TO regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
CREATE FUNCTION tool.memory() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS 'SELECT sum(used_bytes) FROM pg_backend_memory_contexts';
-- a row in here invalidates as a change of the model does
CREATE UNLOGGED TABLE tool.poke (n int);
CREATE TRIGGER invalidate AFTER INSERT ON tool.poke FOR EACH ROW EXECUTE FUNCTION chat_rbac.invalidate();
-- all that is compiled is to be made anew: grants, specifications, plans, keys, where events go
CREATE FUNCTION tool.forget() RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS $$
DECLARE
	leaf regclass;
BEGIN
	INSERT INTO tool.poke VALUES (1);
	DELETE FROM tool.poke;
	ALTER TABLE inbox.conversation SET (fillfactor = 100);
	ALTER TABLE inbox.message SET (fillfactor = 100);
	FOR leaf IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'chat_rbac.audit_event'::regclass LOOP
		EXECUTE format('ALTER TABLE %s SET (fillfactor = 100)', leaf);
	END LOOP;
	UPDATE chat_rbac.signing_key SET kid = kid;
END $$;
SQL
add_shadow($node);

my $digest = sub { my $sql = shift; "SELECT md5(string_agg(d::text, '|' ORDER BY d::text)) AS %s FROM ($sql) AS d" };
my $sees = $digest->(digest_sql());

# Sweep the points of some SQL, and complain of what is not as it should be.
#
#	deed, level		as tool.arm() takes them
#	who				the member who asks by chat_rbac.identity; undef: nobody as yet
#	cold			each time in a new session; else in the same one, after tool.forget()
#	before			SQL that comes first, each time
#	sql				what meets the fault; %n is the number of the point.  It may end in
#					"AS got \gset"
#	after			SQL that asks again, "AS again \gset"; %n as above
#	got, again		what is right
#	allowed			SQLSTATEs that it may fail with, by the fault, and
#	fails			whether it must fail
sub sweep
{
	my ($name, %opt) = @_;
	return if $name !~ /(?:$only)/ || ($opt{long} && !$long && !$only);
	my $level = $opt{level} // 'calls';
	my $deed = $opt{deed} // 'error';

	$sweeps++;
	$opt{$_} =~ s/%s/$sweeps/g for grep { defined $opt{$_} } qw(before sql after);
	run_points([0], %opt, deed => $deed, level => $level) if $opt{super};    # what is done but once
	my ($points, $got) = points($name, %opt, deed => $deed, level => $level);
	$opt{got} = $got if ($opt{got} // '') eq 'auto';
	my @all = ($level =~ /^(?:calls|malloc)$/ ? 2 : 1) .. $points;
	my $step = $choice eq 'all' ? 1 : @all / $choice;
	my @some = $step <= 1 ? @all : map { $all[ $_ * $step + ($_ * 7919) % int($step) ] // () } 0 .. $choice - 1;

	# in a session that goes on, the second time the memory is not to grow, but for what PL/pgSQL plans
	my $twice = ($long || $ENV{CHAT_RBAC_INJECT_POINTS}) && !$opt{cold};

	@some = (@some, @some) if $twice;
	return check($name, { twice => $twice, %opt, deed => $deed, level => $level }, $points, run_points(\@some, %opt, deed => $deed, level => $level));
}

# How many points it has, and that all goes well without a fault.
sub points
{
	my ($name, %opt) = @_;
	my ($result) = run_points([0], %opt, deed => 'cancel');

	die "$name does not end well without a fault: $result->{err}" if $result->{err};
	is($result->{state}, $opt{fails} // '00000', "$name: without a fault it " . ($opt{fails} ? 'is refused' : 'succeeds'));
	is($result->{got}, $opt{got}, "$name: ... and is right") if exists $opt{got} && $opt{got} ne 'auto';
	is($result->{again}, $opt{again}, "$name: ... and afterwards") if exists $opt{again};
	return ($result->{passed}, $result->{got});
}

sub run_points
{
	my ($numbers, %opt) = @_;
	my $script = '';

	for my $n (@$numbers)
	{
		my $step = '';

		$step .= "\\c -\n" if $opt{cold};
		$step .= "\\set got -\n\\set again -\n\\set fired 'disarm 0'\n\\set ready " . ($opt{cold} || $opt{keep} ? '+' : '-') . "\n";
		$step .= "RESET ALL; RESET ROLE;\n" if !$opt{cold};
		$step .= "SELECT '+' AS ready FROM tool.forget() \\gset\n" if !$opt{cold} && !$opt{keep};
		$step .= "SET chat_rbac.identity = '$opt{who}';\n" if $opt{who};
		$step .= "SET ROLE regress_chat_rbac_app;\n" if !$opt{super};
		$step .= "$opt{before}\n" if $opt{before};
		$step .= "SELECT tool.arm('$opt{deed}', '$opt{level}', $n) AS ignored \\gset\n$opt{sql}\n\\set state :SQLSTATE\n" if $opt{sql} !~ /tool\.arm/;
		$step .= "$opt{sql}\n\\set state :SQLSTATE\n" if $opt{sql} =~ /tool\.arm/;
		$step .= "SELECT tool.disarm() AS fired \\gset\n";
		$step .= "$opt{after}\n" if $opt{after};
		$step .= "\\echo RESULT $n :ready :fired :state :got :again\n";
		$step .= "RESET ALL; RESET ROLE; SELECT 'MEMORY ' || tool.memory();\n";
		$step =~ s/%n/$n/g;
		$script .= $step;
	}
	my ($out, $err) = psql_script($node, $script);
	my @results = map { /^RESULT (\d+) \+ (\S+) (\d+) (\w*) (\S+) (\S+)$/ ? { n => $1, at => $2, passed => $3, state => $4 || '00000', got => $5, again => $6 } : () } split /\n/, $out;
	my @memory = $out =~ /^MEMORY (\d+)$/mg;
	push @results, { n => 'all', at => 'script', state => 'cut off', passed => 0, got => '-', again => '-', err => $err } if @results != @$numbers || @memory != @$numbers;
	push @results, { n => 'all', at => 'output', state => 'leaked', passed => 0, got => $1, again => '-' } if $out =~ /(^.*org 1.*$)/m;
	$results[0]{grown} = $memory[-1] - $memory[ @memory / 2 - 1 ] if @memory > 1;
	return @results;
}

sub check
{
	my ($name, $opt, $points, @results) = @_;
	# a hash that could not be computed is an internal error
	my %allowed = map { $_ => 1 } '53200', '57014', ($opt->{level} eq 'malloc' ? 'XX000' : ()), @{ $opt->{allowed} // [] }, $opt->{fails} // '00000';
	my $fired = grep { $_->{at} ne '-' } @results;
	my @bad;

	for my $r (@results)
	{
		my $problem =
		    !$allowed{ $r->{state} } ? 'the wrong SQLSTATE'
		  : $r->{state} eq '00000' && exists $opt->{got} && $r->{got} ne $opt->{got} ? 'the wrong answer'
		  : exists $opt->{again} && $r->{again} ne $opt->{again} ? 'the wrong answer afterwards'
		  : '';
		push @bad, "point $r->{n}, at $r->{at}: $problem: $r->{state}, $r->{got}, then $r->{again}" . ($r->{err} ? "\n" . substr($r->{err}, -600) : '') if $problem;
	}
	local $Test::Builder::Level = $Test::Builder::Level + 2;
	is(join("\n", @bad[ 0 .. ($#bad > 5 ? 5 : $#bad) ]), '', "$name: right at each of " . @results . " of $points points") or diag(scalar(@bad) . ' are bad');
	my %states;
	$states{ $_->{state} }++ for @results;
	note("$name: " . join(', ', map { "$_: $states{$_}" } sort keys %states) . ($opt->{twice} ? ", $results[0]{grown} bytes" : ''));
	cmp_ok($results[0]{grown} // 0, '<', 128 * 1024, "$name: memory is flat") if $opt->{twice} && !$opt->{super};
	cmp_ok($fired, '>', 0, "$name: faults happened") if $points > 0;
	return;
}

sub md5_as { my ($who, $sql) = @_; return as_member($node, $who, sprintf($digest->($sql), 'x')) }

my %right = map { $_ => md5_as($_, digest_sql()) } qw(1/1 1/3 1/6 1/7);
for my $who (sort keys %right)
{
	sees_right($node, $who);
}

# ---- who may see what ----

# in short, errors are tried in a session that goes on, and cancels in new ones
sub is_long { my ($deed, $cold) = @_; return $deed eq 'error' ? $cold : !$cold }

my $again = sprintf($sees, 'again') . ' \gset';
my $got = sprintf($sees, 'got') . ' \gset';

# libcrypto does not get over an error in what it does but once, in a first hash or signature
my $hashed = "SELECT md5('') AS ignored \\gset\n";
for my $cold (1, 0)
{
	my $how = $cold ? 'cold' : 'warm';

	for my $fault ([ 'error', 'calls' ], [ 'cancel', 'calls' ], [ 'error', 'malloc' ])
	{
		sweep("policies, $how, @$fault", long => $fault->[1] eq 'malloc' ? !$cold : is_long($fault->[0], $cold), deed => $fault->[0], level => $fault->[1], cold => $cold, who => '1/7', before => $hashed, sql => $got, got => $right{'1/7'}, after => $again, again => $right{'1/7'});
	}
}

# ---- tokens ----

for my $algorithm (sort keys %key)
{
	my $token = $maker->token($key{$algorithm}, { org => 1, sub => 'ali', exp => time + 36000 });
	my $other = $maker->token($key{$algorithm}, { org => 1, sub => 'ina', exp => time + 36000 });
	my $before = "SET chat_rbac.token = '$other'; SELECT md5('') AS ignored FROM chat_rbac.whoami() \\gset\nRESET chat_rbac.token; SELECT '+' AS ready FROM tool.forget() \\gset\n";
	my $forged = $token =~ s/\.\K(..)(?=[^.]*$)/$1 eq 'AA' ? 'BB' : 'AA'/er;

	for my $level ('calls', 'malloc')
	{
		my %opt = (level => $level, long => $algorithm !~ /^(?:ES|HS)256$/, before => $before, allowed => ['28000'], after => "SET chat_rbac.token = '$token'; $again", again => $right{'1/3'});

		sweep("token, $algorithm, $level", %opt, sql => "SET chat_rbac.token = '$token'; $got", got => $right{'1/3'});
		sweep("forged token, $algorithm, $level", %opt, sql => "SET chat_rbac.token = '$forged'; $got", fails => '28000');
	}
}

# a key that could not be loaded is not one that is no key
{
	my $token = $maker->token($key{ES256}, { org => 1, sub => 'ali', exp => time + 36000 });

	sweep("token, $_", level => $_, allowed => ['28000'], sql => "SET chat_rbac.token = '$token'; $got", got => $right{'1/3'}, after => "SET chat_rbac.token = '$token'; $again", again => $right{'1/3'})
	  for qw(CRYPTO_zalloc BIO_new_mem_buf PEM_read_bio EVP_MD_CTX_new EVP_PKEY_CTX_new);
}

# ---- settings ----

for my $level ('calls', 'malloc')
{
	sweep("identity, $level", level => $level, cold => 1, who => '1/3', before => $got, sql => "SET chat_rbac.identity = '1/7';",
		after => "SELECT CASE WHEN chat_rbac.current_member() = CASE WHEN :'state' = '00000' THEN 7 ELSE 3 END THEN 'ok' END AS again \\gset", again => 'ok');
	sweep("active roles, $level", level => $level, who => '1/7', sql => "SET chat_rbac.active_roles = 'agent';\n$got\nRESET chat_rbac.active_roles;", after => $again, again => $right{'1/7'});
}

# ---- questions ----

my %questions = (
	can => q{SELECT i, chat_rbac.can('conversation.edit', 'inbox.conversation', i), chat_rbac.actions('inbox.message', i) FROM generate_series(1::bigint, 12) AS i},
	page => q{SELECT * FROM chat_rbac.page_actions('inbox.conversation', '{1,2,3,5,6,8,1001}')},
	whoami => 'SELECT * FROM chat_rbac.whoami()',
	permissions => 'SELECT * FROM chat_rbac.effective_permissions',
	tree => 'SELECT * FROM chat_rbac.role_tree',
	explain => q{SELECT * FROM chat_rbac.explain_access(3, 'conversation.view', 'inbox.conversation', 5)},
);
for my $name (sort keys %questions)
{
	my ($sql) = $questions{$name};
	sweep("question: $name", who => '1/1', sql => sprintf($digest->($sql), 'got') . ' \gset', got => 'auto', after => $again, again => $right{'1/1'});
}

# ---- changes ----

my $outcome = q{UPDATE inbox.conversation SET title = '%s.%n, and then' WHERE org_id = 1 AND id = 13; SELECT CASE WHEN bool_and((title = '%s.%n') = (:'state' = '00000')) THEN 'ok' ELSE 'not ok' END AS again FROM inbox.conversation WHERE org_id = 1 AND id IN (5, 9) \gset};
for my $deed ('error', 'cancel')
{
	for my $cold (1, 0)
	{
		my $how = "$deed, " . ($cold ? 'cold' : 'warm');
		my %opt = (deed => $deed, cold => $cold, long => is_long($deed, $cold), who => '1/8');

		sweep("update, $how", %opt, sql => q{UPDATE inbox.conversation SET title = '%s.%n' WHERE org_id = 1 AND id IN (5, 9);}, after => $outcome, again => 'ok');
		# the subtransaction is rolled back, and what is around it goes on
		sweep("update that is caught, $how", %opt, sql => <<"SQL", after => <<'SQL', again => 'ok');
DO \$\$
BEGIN
	UPDATE inbox.conversation SET title = '%s.%n' WHERE org_id = 1 AND id = 5;
	BEGIN
		PERFORM tool.arm('$deed', 'calls', %n);
		UPDATE inbox.conversation SET title = 'x%s.%n' WHERE org_id = 1 AND id = 13;
	EXCEPTION WHEN out_of_memory OR query_canceled THEN
		NULL;
	END;
	UPDATE inbox.conversation SET title = '%s.%n' WHERE org_id = 1 AND id = 9;
END \$\$;
SQL
SELECT CASE WHEN count(*) = CASE WHEN :'state' = '00000' THEN 2 ELSE 0 END THEN 'ok' ELSE 'not ok' END AS again FROM inbox.conversation WHERE org_id = 1 AND id IN (5, 9) AND title = '%s.%n' \gset
SQL
		# who gives a conversation away sees it no more, and nothing else in its place
		sweep("hand-over, $how", %opt, who => '1/9',
			before => 'RESET ROLE; UPDATE inbox.conversation SET assignee_id = 9 WHERE org_id = 1 AND id = 1001; SET ROLE regress_chat_rbac_app;',
			sql => 'UPDATE inbox.conversation SET assignee_id = 3 WHERE org_id = 1 AND id = 1001 RETURNING id AS got \gset', got => '1001',
			after => q{SELECT CASE WHEN array_agg(id ORDER BY id) = CASE WHEN :'state' = '00000' THEN '{1002}' ELSE '{1001,1002}' END::bigint[] THEN 'ok' ELSE 'not ok' END AS again FROM inbox.conversation \gset}, again => 'ok');
		sweep("hand-over within a savepoint, $how", %opt, who => '1/9',
			before => 'RESET ROLE; UPDATE inbox.conversation SET assignee_id = 9 WHERE org_id = 1 AND id = 1001; SET ROLE regress_chat_rbac_app;',
			sql => <<"SQL", allowed => ['25P02'], got => '1002');
BEGIN;
SAVEPOINT s;
SELECT tool.arm('$deed', 'calls', %n) AS ignored \\gset
UPDATE inbox.conversation SET assignee_id = 3 WHERE org_id = 1 AND id = 1001;
ROLLBACK TO s;
SELECT tool.disarm() AS ignored \\gset
UPDATE inbox.conversation SET assignee_id = 3 WHERE org_id = 1 AND id = 1001;
SELECT string_agg(id::text, ',') AS got FROM inbox.conversation \\gset
COMMIT;
SQL
	}
}

# where events go has been looked at in part
sweep("update, at $_", level => $_, who => '1/8', sql => q{UPDATE inbox.conversation SET title = '%s.%n' WHERE org_id = 1 AND id IN (5, 9);}, after => $outcome, again => 'ok')
  for qw(RelationGetPartitionDesc index_open BuildIndexInfo);

# ---- changes of the model ----

sql($node, <<'SQL');
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.role_grant TO regress_chat_rbac_app;
SQL
my $six = "SET chat_rbac.identity = '1/6'; SELECT count(*) AS %s FROM inbox.conversation \\gset\n";
my $third = sql($node, 'SELECT count(*) FROM inbox.conversation WHERE org_id = 1 AND team_id = 3');
for my $deed ('error', 'cancel')
{
	my $is = "SELECT CASE WHEN :n = CASE WHEN :'state' = '00000' THEN %d ELSE %d END THEN 'ok' ELSE 'not ok' END AS again \\gset";
	my %opt = (deed => $deed, who => '1/1', keep => 1, again => 'ok');

	sweep("grant, $deed", %opt, before => "RESET ROLE; DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 6; SET ROLE regress_chat_rbac_app; " . sprintf($six, 'n') . "SET chat_rbac.identity = '1/1';",
		sql => 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, 3);', after => sprintf($six, 'n') . sprintf($is, $third, 0));
	sweep("revocation, $deed", %opt, before => "RESET ROLE; DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 6; INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, 3); SET ROLE regress_chat_rbac_app; " . sprintf($six, 'n') . "SET chat_rbac.identity = '1/1';",
		sql => 'DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 6;', after => sprintf($six, 'n') . sprintf($is, 0, $third));
	sweep("seal of a unit, $deed", %opt, super => 1, before => "RESET ROLE; UPDATE chat_rbac.unit SET sealed = false WHERE org_id = 1 AND unit_id = 3;",
		sql => 'UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 3;',
		after => "SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app; SELECT count(*) AS n FROM inbox.conversation WHERE team_id = 3 \\gset\nRESET ROLE; " . sprintf($is, 0, $third));
	sql($node, 'UPDATE chat_rbac.unit SET sealed = false WHERE org_id = 1 AND unit_id = 3');
}
sql($node, 'DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 6');

# ---- reads, masks, exports ----

my $file = PostgreSQL::Test::Utils::tempdir() . '/copy';
sql($node, <<'SQL');
CREATE FUNCTION tool.reads() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS $$SELECT count(*) FROM chat_rbac.audit_event WHERE operation IN ('read', 'export')$$;
GRANT pg_write_server_files TO regress_chat_rbac_app;
SQL
for my $deed ('error', 'cancel')
{
	for my $cold (1, 0)
	{
		my $how = "$deed, " . ($cold ? 'cold' : 'warm');
		my %opt = (deed => $deed, cold => $cold, long => is_long($deed, $cold), who => '1/7');
		my $recorded = q{SELECT CASE WHEN tool.reads() - :reads = CASE WHEN :'state' = '00000' THEN 1 ELSE 0 END THEN 'ok' ELSE 'not ok' END AS again \gset};

		sweep("audited view, $how", %opt, before => 'SELECT tool.reads() AS reads \gset', sql => 'SELECT md5(string_agg(id::text, \',\' ORDER BY id)) AS got FROM inbox.chat \gset', got => 'auto', after => $recorded, again => 'ok');
		sweep("masked view, $how", %opt, sql => q{SELECT count(*) || '/' || count(phone) || '/' || count(*) FILTER (WHERE phone LIKE '+49%') AS got FROM inbox.card \gset}, got => 'auto', after => $again, again => $right{'1/7'});
		sweep("masked view, lifted, $how", %opt, who => '1/1', sql => q{SELECT count(*) FILTER (WHERE phone LIKE '+49%') AS got FROM inbox.card \gset}, got => '60', after => $again, again => $right{'1/1'});
		# psql does not tell how the first ends (00000, or nothing in 18), but shows what leaves
		sweep("export without the right, $how", %opt, sql => 'COPY (SELECT title FROM inbox.conversation) TO STDOUT;', after => $again, again => $right{'1/7'});
		sweep("export to a file without the right, $how", %opt, sql => "COPY (SELECT title FROM inbox.conversation) TO '$file';", fails => '42501', after => $again, again => $right{'1/7'});
		sweep("export, $how", %opt, who => '1/1', before => 'SELECT tool.reads() AS reads \gset', sql => "COPY (SELECT title FROM inbox.conversation) TO '$file';", after => $recorded, again => 'ok');
		sweep("bulk without the right, $how", %opt, before => 'RESET ROLE; SET chat_rbac.bulk_rows = 10; SET ROLE regress_chat_rbac_app;', sql => 'SELECT title FROM inbox.conversation \g /dev/null', fails => '42501',
			after => 'RESET ROLE; RESET chat_rbac.bulk_rows; SET ROLE regress_chat_rbac_app;' . $again, again => $right{'1/7'});
	}
}

# where a transaction with reads ends; how it ends, they are told of
for my $end ('COMMIT', 'ROLLBACK', "SELECT 1 / 0;\nROLLBACK")
{
	my $read = 'SELECT count(*) > 0 AS got FROM inbox.chat \gset';

	sweep('end of reads, ' . ($end =~ /^(\w+)/)[0] . ", $_", long => $_ eq 'cancel', deed => $_, who => '1/7', sql => "BEGIN;\n$read\nSELECT tool.arm('$_', 'calls', %n) AS ignored \\gset\n$end;", got => 't', after => "SET client_min_messages = error; ROLLBACK; RESET client_min_messages; $again", again => $right{'1/7'})
	  for 'error', 'cancel';
}

# ---- what superusers do ----

for my $deed ('error', 'cancel')
{
	sweep("seal of the trail, $deed", deed => $deed, super => 1, before => q{UPDATE inbox.conversation SET title = '%s.%n' WHERE org_id = 1 AND id = 5;}, sql => 'SELECT count(*) > 0 AS got FROM chat_rbac.audit_seal() \gset', got => 't',
		after => 'SELECT count(*) AS again FROM chat_rbac.audit_verify() \gset', again => '0');
	sweep("protect, $deed", deed => $deed, super => 1, sql => q{SELECT chat_rbac.protect('inbox.conversation', chat_rbac.protection('inbox.conversation')) IS NOT NULL AS got \gset},
		after => "SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app; $again", again => $right{'1/7'});
	sweep("maintenance, $deed", deed => $deed, super => 1, sql => 'SELECT count(*) >= 0 AS got FROM chat_rbac.audit_maintain() \gset', got => 't',
		after => "SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app; $again", again => $right{'1/7'});
}

trail_is_right($node, 'in the end');
my $log = slurp_file($node->logfile);
my @traces = $log =~ /^(.*(?:TRAP|PANIC|terminated by signal|leak|not closed|while in ABORT).*)$/mg;
is(join("\n", @traces[ 0 .. ($#traces > 5 ? 5 : $#traces) ]), '', 'nothing has left a trace in the log');
$node->stop;
done_testing();

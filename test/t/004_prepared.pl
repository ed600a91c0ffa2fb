# Plans outlive identities: what is prepared, cached in a function, or hidden in
# a view answers whoever runs it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('prepared', conf => 'autovacuum = off');
add_app($node);
add_inbox($node);

# one who may become anybody without a change of role, which would make new plans
sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_trusted LOGIN;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_trusted;
CREATE ROLE regress_chat_rbac_other;
CREATE ROLE regress_chat_rbac_owner LOGIN;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_owner;
CREATE SCHEMA app;
GRANT USAGE, CREATE ON SCHEMA app TO PUBLIC;
SQL
my %trusted = (user => 'regress_chat_rbac_trusted');
my @order = (@MEMBERS, reverse @MEMBERS, '1/1', '1/6', '1/1');

sub in_order
{
	my ($ask, %opt) = @_;
	my $between = $opt{between} // '';

	return sql($node, ($opt{first} // '') . join(' ', map { "SET chat_rbac.identity = '$_'; $between $ask;" } @order), %trusted, %opt);
}
my $right = join "\n", map { right_digest($node, $_) } @order;
my @counts = map { (split /[|\n]/, right_digest($node, $_))[1] } @order;
my $right_counts = join "\n", @counts;

# ---- prepared statements ----

for my $mode (qw(force_generic_plan force_custom_plan auto))
{
	my $first = "SET plan_cache_mode = $mode; PREPARE q AS @{[digest_sql()]};";

	is(in_order('EXECUTE q', first => $first), $right, "$mode: one prepared statement, many identities");
	is(in_order('EXECUTE q', first => "SET chat_rbac.identity = '1/1'; $first EXECUTE q; EXECUTE q; EXECUTE q; EXECUTE q; EXECUTE q; EXECUTE q;"),
		join("\n", (right_digest($node, '1/1')) x 6, $right), "$mode: ... the plan being that of an admin");
	is(in_order('EXECUTE p (1::bigint)', first => "SET plan_cache_mode = $mode; PREPARE p (bigint) AS SELECT count(*) FROM inbox.conversation WHERE org_id >= \$1;"),
		$right_counts, "$mode: with a parameter");
}
is(sql($node, "SET plan_cache_mode = force_generic_plan; PREPARE q AS @{[digest_sql()]}; SET chat_rbac.identity = '1/1'; EXECUTE q;"
		. " SET chat_rbac.identity = '1/3'; EXECUTE q; SELECT generic_plans, custom_plans FROM pg_prepared_statements", %trusted),
	join("\n", right_digest($node, '1/1'), right_digest($node, '1/3'), '2|0'), 'it is one generic plan');

# a generic plan that uses what the planner was offered: index conditions from array functions
{
	my $sql = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET cpu_operator_cost = 0.1; PREPARE q AS SELECT count(*) FROM inbox.conversation;"
	  . " SET chat_rbac.identity = '1/3'; EXECUTE q;";

	like(sql($node, "$sql EXPLAIN (COSTS OFF) EXECUTE q", %trusted), qr/Index Cond: .*unit_scope/s, 'index conditions ask the session too');
	is(in_order('EXECUTE q', first => $sql), (split /[|\n]/, right_digest($node, '1/3'))[1] . "\n$right_counts", '... each time');
}

# roles instead of settings: two logins of one user
sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_user LOGIN;
CREATE ROLE regress_chat_rbac_ali;
CREATE ROLE regress_chat_rbac_bob;
GRANT regress_chat_rbac_ali, regress_chat_rbac_bob TO regress_chat_rbac_user;
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_ali' WHERE (org_id, member_id) = (1, 3);
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_bob' WHERE (org_id, member_id) = (2, 1);
SQL
is(sql($node, "SET plan_cache_mode = force_generic_plan; PREPARE q AS @{[digest_sql()]};"
		. join(' ', map { "SET ROLE regress_chat_rbac_$_; EXECUTE q;" } qw(ali bob ali)) . ' RESET ROLE; SELECT count(*) FROM inbox.task',
		user => 'regress_chat_rbac_user'),
	join("\n", map({ right_digest($node, $_) } qw(1/3 2/1 1/3)), '0'), 'SET ROLE between executions');

# the extended protocol, with and without named statements
sql($node, 'CREATE TABLE app.answer (who text, n bigint); GRANT SELECT ON app.answer TO PUBLIC; INSERT INTO app.answer VALUES '
	. join(', ', map { "('$order[$_]', $counts[$_])" } 0 .. $#MEMBERS));
for my $protocol (qw(extended prepared))
{
	$node->pgbench(
		"--no-vacuum --client=2 --transactions=150 --protocol=$protocol --username=regress_chat_rbac_trusted",
		0,
		[qr/number of transactions actually processed: 300\/300/],
		[qr/^$/],
		"$protocol protocol",
		{
			"004_$protocol" => <<'SQL' });
\set member random(1, 8)
\set org case when random(0, 4) = 0 then 2 else 1 end
BEGIN;
SELECT set_config('chat_rbac.identity', :org || '/' || :member, true);
SELECT count(*) AS n FROM inbox.conversation \gset
SELECT 1 / (:n = coalesce((SELECT n FROM app.answer WHERE who = :org || '/' || :member), 0))::int;
END;
SELECT 1 / (count(*) = 0)::int FROM inbox.conversation;
SQL
}

# ---- functions and views ----

sql($node, <<'SQL');
CREATE FUNCTION app.plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM inbox.conversation); END';
CREATE FUNCTION app.loop() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	n bigint := 0;
	r record;
BEGIN
	FOR r IN SELECT id FROM inbox.conversation LOOP
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;
CREATE FUNCTION app.sql() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM inbox.conversation';
CREATE FUNCTION app.inlined() RETURNS SETOF bigint LANGUAGE sql STABLE AS 'SELECT id FROM inbox.conversation';
CREATE FUNCTION app.atomic() RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*) FROM inbox.conversation; END;
CREATE FUNCTION app.definer() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN (SELECT count(*) FROM inbox.conversation); END';
ALTER FUNCTION app.definer() OWNER TO regress_chat_rbac_other;
CREATE FUNCTION app.definer_sql() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM inbox.conversation';
ALTER FUNCTION app.definer_sql() OWNER TO regress_chat_rbac_other;
CREATE VIEW app.view AS SELECT * FROM inbox.conversation;
CREATE VIEW app.barrier WITH (security_barrier) AS SELECT * FROM inbox.conversation;
CREATE VIEW app.invoker WITH (security_invoker) AS SELECT * FROM inbox.conversation;
CREATE VIEW app.super AS SELECT * FROM inbox.conversation;
ALTER VIEW app.view OWNER TO regress_chat_rbac_other;
ALTER VIEW app.barrier OWNER TO regress_chat_rbac_other;
GRANT SELECT ON app.view, app.barrier, app.invoker, app.super TO PUBLIC;
SQL
for my $from ('app.plpgsql()', 'app.loop()', 'app.sql()', 'app.atomic()', 'app.definer()', 'app.definer_sql()',
	'(SELECT count(*) FROM app.inlined()) AS f (n)', map { "(SELECT count(*) FROM app.$_) AS v (n)" } qw(view barrier invoker))
{
	for my $mode (qw(auto force_generic_plan))
	{
		is(in_order("SELECT * FROM $from", first => "SET plan_cache_mode = $mode;"), $right_counts, "$mode: $from");
	}
	is(in_order('EXECUTE q', first => "SET plan_cache_mode = force_generic_plan; PREPARE q AS SELECT * FROM $from;"), $right_counts, "prepared: $from");
}
is(in_order('SELECT count(*) FROM app.super'), join("\n", ('4000') x @order), 'a superuser\'s view is outside, as everywhere in PostgreSQL');
is(sql($node, 'SET ROLE regress_chat_rbac_bob; SELECT app.definer(); SET ROLE regress_chat_rbac_ali; SELECT app.definer(), (SELECT count(*) FROM app.view)',
		user => 'regress_chat_rbac_user'), "2000\n" . join('|', ((split /[|\n]/, right_digest($node, '1/3'))[1]) x 2),
	'by login: neither function nor view lends its owner\'s identity');

# identity changes inside a function: its next statement goes by it
is(sql($node, <<'SQL', %trusted), "2000 1 2000 3 0", 'the identity changes inside a function');
DO $$
DECLARE
	n text[];
BEGIN
	FOR i IN 1..2 LOOP
		PERFORM set_config('chat_rbac.identity', i || '/1', true);
		n := n || (SELECT count(*) FROM inbox.conversation)::text || chat_rbac.current_org()::text;
	END LOOP;
	PERFORM set_config('chat_rbac.identity', '', true);
	n := n || (SELECT count(*) FROM inbox.conversation)::text;
	PERFORM set_config('app.result', n[1] || ' ' || n[2] || ' ' || n[3] || ' ' || (n[2]::int + n[4]::int) || ' ' || n[5], false);
END $$;
SELECT current_setting('app.result');
SQL

# The policies' functions, asked by hand in PL/pgSQL, which keeps one expression
# for many values of its parameters.  Each answer is for its own arguments; where
# a function wants constants, as a policy has, it denies.
sql($node, <<'SQL');
CREATE FUNCTION app.org(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.org_scope(p, r) IS NOT NULL; END';
CREATE FUNCTION app.in_org(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.in_org_scope(1, p, r); END';
CREATE FUNCTION app.member(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.member_scope(p, r, k = ''team'') IS NOT NULL; END';
CREATE FUNCTION app.unit(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.in_unit_scope(2, p, r, k); END';
CREATE FUNCTION app.units(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.in_scope(p, r, ARRAY[k], 2); END';
CREATE FUNCTION app.person(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.in_member_scope(3, p, r); END';
CREATE FUNCTION app.link(p chat_rbac.permset, r text, k text) RETURNS boolean LANGUAGE plpgsql STABLE
	AS 'BEGIN RETURN chat_rbac.in_link(15, p, r, ''inbox.conversation'', k = ''team''); END';
SQL
my @asked = (
	[ '{conversation.view}', 'all', 'team' ], [ '{audit.view}', 'all', 'team' ], [ '{conversation.view}', 'own', 'team' ],
	[ '{conversation.view}', 'all', 'desk' ], [ '{conversation.view}', 'part', 'team' ], [ '{task.view}', 'colleague', 'team' ],
	[ '{conversation.view}', 'xyz', 'desk' ], [ '{conversation.view}', 'all', 'team' ]);
for (
	[ 'org', 'coalesce(chat_rbac.org_scope(%1$s, %2$s) IS NOT NULL, false)', 0 ],
	[ 'in_org', 'chat_rbac.in_org_scope(1, %1$s, %2$s)', 0 ],
	[ 'member', 'chat_rbac.member_scope(%1$s, %2$s, %3$s = \'team\') IS NOT NULL', 0 ],
	[ 'unit', 'chat_rbac.in_unit_scope(2, %1$s, %2$s, %3$s)', 0 ],
	[ 'units', 'chat_rbac.in_scope(%1$s, %2$s, ARRAY[%3$s], 2)', 1 ],
	[ 'person', 'chat_rbac.in_member_scope(3, %1$s, %2$s)', 0 ],
	[ 'link', 'chat_rbac.in_link(15, %1$s, %2$s, \'inbox.conversation\', %3$s = \'team\')', 1 ])
{
	my ($function, $call, $may_deny) = @$_;

	for my $who ('1/1', '1/2', '1/4')
	{
		no warnings 'redundant';
		my @constant = map { as_member($node, $who, 'SELECT ' . sprintf($call, map { "'$_'" } @$_)) } @asked;
		my @varying = split /\n/, as_member($node, $who, "SELECT app.$function(p::chat_rbac.permset, r, k) FROM (VALUES "
			  . join(', ', map { sprintf "(%d, '%s', '%s', '%s')", $_, @{ $asked[$_] } } 0 .. $#asked) . ') AS v (i, p, r, k) ORDER BY i');
		is_deeply([ map { $may_deny && $varying[$_] eq 'f' ? $constant[$_] : $varying[$_] } 0 .. $#asked ],
			\@constant, "$function asked in PL/pgSQL as $who, with arguments that vary");
	}
}

# nor does an expression that is kept miss a change of who asks, or of what is granted
is(sql($node, <<'SQL', %trusted), 't f t', 'one expression, three identities');
CREATE FUNCTION app.become(VARIADIC who text[]) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	result text := '';
	w text;
BEGIN
	FOREACH w IN ARRAY who LOOP
		PERFORM set_config('chat_rbac.identity', w, true);
		result := result || ' ' || left(chat_rbac.in_unit_scope(2, '{conversation.view}', 'all', 'team')::text, 1);
	END LOOP;
	RETURN ltrim(result);
END $$;
SELECT app.become('1/2', '1/4', '1/2');
SQL

# ---- row_security = off ----

for my $who ('1/1', '1/3', '1/99')
{
	for my $ask ('SELECT count(*) FROM inbox.conversation', 'COPY inbox.task TO STDOUT', 'UPDATE inbox.task SET assignee_id = 1',
		'DELETE FROM inbox.message', 'SELECT * FROM app.invoker', 'SELECT app.plpgsql()')
	{
		fails($node, "SET chat_rbac.identity = '$who'; SET row_security = off; $ask", '42501',
			'query would be affected by row-level security policy', "row_security = off as $who: $ask", %trusted);
	}
}
is(scalar(split /\n/, as_member($node, '1/1', 'COPY inbox.task TO STDOUT')), 90, 'COPY obeys the policies');
fails($node, "SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app; COPY inbox.task TO STDOUT", '42501', 'permission "task.export" is needed', '... and asks for a right of its own');

# ---- the tables' owner ----

# FORCE: the owner is under the policies as everybody, though what relations need he reads in full;
# also where the link table is itself protected, and by whoever asks first in a session
my $owned = join ' ', map { "ALTER TABLE inbox.$_ OWNER TO regress_chat_rbac_owner;" } qw(conversation participant message customer task);
sql($node, "GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_owner; GRANT SELECT ON inbox.participant TO PUBLIC; $owned");
my %owner = (user => 'regress_chat_rbac_owner');
for my $protected (0, 1)
{
	my $name = $protected ? 'the owner, the link table being protected' : 'the owner';

	sql($node, <<'SQL') if $protected;
SELECT chat_rbac.protect('inbox.participant', '{"resource": "conversation", "org": "org_id",
	"parent": {"table": "inbox.conversation", "column": "conversation_id"}}')
SQL
	for my $who (@MEMBERS)
	{
		my $set = "SET chat_rbac.identity = '$who';";

		is(eval { sql($node, "$set @{[digest_sql()]}", %owner) }, right_digest($node, $who), "$name, as $who");
		sees_right($node, $who, "... and after him, as $who");
		next unless $protected;
		my $participants = 'SELECT count(*) FROM inbox.participant p WHERE EXISTS (SELECT FROM inbox.conversation c'
		  . ' WHERE c.org_id = p.org_id AND c.id = p.conversation_id AND ' . ChatRbac::conversation_condition($who, 'c') . ')';
		is(eval { sql($node, "$set SELECT count(*) FROM inbox.participant", %owner) }, sql($node, $participants), '... of the link table too');
		is(as_member($node, $who, 'SELECT count(*) FROM inbox.participant'), sql($node, $participants), '... and the application');
	}
}
fails($node, 'SET row_security = off; SELECT count(*) FROM inbox.task', '42501', 'query would be affected', 'row_security = off as the owner', %owner);

$node->stop;
done_testing();

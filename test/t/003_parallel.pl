# Parallel workers answer as the leader does: whoever asks, by setting or by
# login, also when the setting or its right is local to a transaction.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('parallel',
	conf => "max_parallel_workers_per_gather = 2\nmax_parallel_workers = 8\nmax_worker_processes = 16\nautovacuum = off");
add_app($node);
add_inbox($node, rows => 20000);
sql($node, <<'SQL');
CREATE ROLE regress_chat_rbac_trusted LOGIN;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_trusted;
CREATE ROLE regress_chat_rbac_user LOGIN;
CREATE ROLE regress_chat_rbac_ali;
CREATE ROLE regress_chat_rbac_two;
GRANT regress_chat_rbac_ali, regress_chat_rbac_two TO regress_chat_rbac_user;
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_ali' WHERE (org_id, member_id) = (1, 3);
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_two' WHERE (org_id, member_id) = (1, 7);
CREATE FUNCTION public.by_ali() RETURNS bigint SECURITY DEFINER PARALLEL SAFE LANGUAGE plpgsql
	AS 'BEGIN RETURN count(*) FROM inbox.conversation; END';
ALTER FUNCTION public.by_ali() OWNER TO regress_chat_rbac_ali;
SQL

my $force = ($node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode') . ' = regress';
my $real = 'parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;'
  . ' SET min_parallel_index_scan_size = 0; SET parallel_leader_participation = off';
my %mode = (forced => "SET $force;", real => "SET $real;");
my %user = (user => 'regress_chat_rbac_user');
my %trusted = (user => 'regress_chat_rbac_trusted');

# The plans are what they are meant to be, and workers do run: without the
# leader's part the rows can come from them alone.
my $plan = as_member($node, '1/3', 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM inbox.conversation',
	before => $mode{real});
like($plan, qr/Workers Launched: [1-9].*Parallel .* on conversation.*Filter: .*in_link/s, 'a protected table is scanned by workers')
  or diag $plan;
$plan = as_member($node, '1/3', 'EXPLAIN (COSTS OFF) SELECT count(*) FROM inbox.task', before => $mode{forced});
like($plan, qr/Aggregate/, '(forced mode hides its Gather)');

for my $mode (sort keys %mode)
{
	for my $who (@MEMBERS)
	{
		sees_right($node, $who, "$mode: $who sees what he should", before => $mode{$mode});
	}

	# the identity is local to the transaction
	is(sql($node, "$mode{$mode} BEGIN; SET LOCAL chat_rbac.identity = '1/4'; @{[digest_sql()]}; COMMIT; SELECT count(*) FROM inbox.conversation",
			%trusted), right_digest($node, '1/4') . "\n0", "$mode: SET LOCAL");
	is(sql($node, "$mode{$mode} BEGIN; SET LOCAL chat_rbac.identity = '1/1'; SAVEPOINT a; SET LOCAL chat_rbac.identity = '1/4'; ROLLBACK TO a;"
				. ' SELECT count(*) FROM inbox.conversation', %trusted), '20000', "$mode: ... and a savepoint rolled back");

	# the login, and what SET ROLE makes of it
	is(sql($node, "$mode{$mode} SET ROLE regress_chat_rbac_ali; @{[digest_sql()]}", %user), right_digest($node, '1/3'), "$mode: SET ROLE to a login");
	is(sql($node, "$mode{$mode} BEGIN; SET LOCAL ROLE regress_chat_rbac_two; @{[digest_sql()]}", %user),
		right_digest($node, '1/7'), "$mode: SET LOCAL ROLE to another");
	is(sql($node, "$mode{$mode} SET SESSION AUTHORIZATION regress_chat_rbac_two; @{[digest_sql()]}"),
		right_digest($node, '1/7'), "$mode: SET SESSION AUTHORIZATION");
	is(sql($node, "$mode{$mode} SELECT count(*) FROM inbox.conversation", %user), '0', "$mode: nobody");
	is(sql($node, "$mode{$mode} SELECT public.by_ali(); SET ROLE regress_chat_rbac_two; SELECT public.by_ali()", %user),
		"0\n" . (split /[|\n]/, right_digest($node, '1/7'))[1], "$mode: SECURITY DEFINER lends no identity");

	# the setting stays though the role that holds may not have set it
	is(sql($node, "$mode{$mode} SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_ali; @{[digest_sql()]}"),
		right_digest($node, '1/2'), "$mode: a setting that the current role may not set");

	# active roles; and grants of the transaction itself
	is(as_member($node, '1/7', 'SELECT count(*) FROM inbox.conversation', before => "$mode{$mode} SET chat_rbac.active_roles = 'agent';"),
		sql($node, 'SELECT count(*) FROM inbox.conversation c WHERE org_id = 1 AND team_id IN (3, 4) AND (assignee_id = 7 OR assignee_id IS NULL'
				. ' OR EXISTS (SELECT FROM inbox.participant p WHERE p.org_id = 1 AND p.conversation_id = c.id AND p.member_id = 7))'),
		"$mode: active roles");
	is(sql($node, <<"SQL"), "5000\n0", "$mode: uncommitted grants");
$mode{$mode}
BEGIN;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 2, 3);
SET LOCAL chat_rbac.identity = '1/6'; SET LOCAL ROLE regress_chat_rbac_app;
SELECT count(*) FROM inbox.conversation;
ROLLBACK;
SET chat_rbac.identity = '1/6'; SET ROLE regress_chat_rbac_app;
SELECT count(*) FROM inbox.conversation;
SQL
	is(sql($node, <<"SQL"), 't', "$mode: the functions themselves");
$mode{$mode}
SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app;
SELECT bool_and(chat_rbac.current_member() = 2 AND chat_rbac.current_org() = 1 AND chat_rbac.current_roles() = '{lead}'
	AND chat_rbac.in_unit_scope(team_id, '{conversation.view}', 'all', 'team') AND chat_rbac.is_member(id % 7 + 1)
	AND (SELECT member FROM chat_rbac.whoami()) = 'sue') FROM inbox.conversation;
SQL
}

# an error in a worker is that of the session
fails($node, "SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app; $mode{forced} SET chat_rbac.active_roles = 'admin';"
		. ' SELECT count(*) FROM inbox.conversation', '0P000', 'role "admin" in "chat_rbac.active_roles" is not granted', 'an error in a worker');

$node->stop;
done_testing();

# DROP EXTENSION says what it would take.  With CASCADE it takes the rules and leaves
# the tables closed: row-level security stays on and forced, without a policy, so nobody
# but superusers and BYPASSRLS reads or writes a row, whatever privileges there are.
# doc/uninstall.md says what is gone, and how it comes back.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use PostgreSQL::Test::Utils;
use Test::More;
use Whole;

my $node = new_cluster('drop');
add_roles($node);
add_whole($node);
sql($node, <<'SQL');
CREATE TABLE inbox.old (org_id bigint, id bigint PRIMARY KEY, team_id bigint);
CREATE TABLE inbox.older () INHERITS (inbox.old);
SELECT chat_rbac.protect('inbox.old', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}}');
INSERT INTO inbox.older SELECT 1, i, 2 FROM generate_series(1, 10) AS i;
CREATE VIEW inbox.plain WITH (security_invoker) AS SELECT * FROM inbox.old;
CREATE TABLE inbox.own (org_id bigint, id bigint PRIMARY KEY, team_id bigint, public boolean);
INSERT INTO inbox.own SELECT 1 + i % 2, i, 2, i = 1 OR i = 2 FROM generate_series(1, 10) AS i;
SELECT chat_rbac.protect('inbox.own', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}}');
CREATE POLICY everybody ON inbox.own FOR SELECT USING (public);
GRANT ALL ON inbox.old, inbox.older, inbox.plain, inbox.own TO regress_chat_rbac_app;
SQL

my $tables = q{SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'inbox'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1};
my @tables = split /\n/, sql($node, $tables);
my $rights = q{SELECT c.oid::regclass, c.relacl, (SELECT array_agg(a.attname || a.attacl::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
	FROM pg_class c WHERE c.relnamespace = 'inbox'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.oid::regclass::text};
my $rights_before = sql($node, $rights);

# one row and a member who sees it, from all that is read below
my $app = "SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;";
my %sees = map { $_ => sql($node, "$app SELECT count(*) FROM " . ($_ eq 'inbox.customer' ? 'inbox.card' : $_) . '') } grep { $_ !~ /ticket_|older/ } @tables;
is_deeply([ grep { $sees{$_} == 0 } sort keys %sees ], [], 'an owner sees rows of every table');

# ---- without CASCADE ----

my $err = fails($node, 'DROP EXTENSION chat_rbac', '2BP01', 'cannot drop extension chat_rbac because other objects depend on it', 'DROP EXTENSION is refused while it protects something');
my $logged = slurp_file($node->logfile);
for my $object ('policy chat_rbac_select on table inbox.conversation', 'trigger zz_chat_rbac_guard on table inbox.message', 'view inbox.card',
	'default value for column org_id of table inbox.customer', 'trigger chat_rbac_truncate on table inbox.ticket_rest', 'view inbox.report_load')
{
	like($logged, qr/\Q$object\E\S* depends on/, "... and says of $object");
}
like($err, qr/HINT:  Use DROP \.\.\. CASCADE/, '... how to');
fails($node, $_, '2BP01', 'requires it', "$_ is refused") for 'DROP SCHEMA chat_rbac CASCADE', 'DROP FUNCTION chat_rbac.guard() CASCADE', 'DROP TABLE chat_rbac.role_grant CASCADE', 'DROP EVENT TRIGGER chat_rbac_new_parts CASCADE';
fails($node, 'SET ROLE regress_chat_rbac_owner; DROP EXTENSION chat_rbac CASCADE', '42501', 'must be owner of extension', 'whoever owns the tables does not drop it');

# ---- with CASCADE, under an open session ----

my $open = $node->background_psql('postgres', on_error_stop => 0);
$open->query_safe("$app PREPARE q AS SELECT count(*) FROM inbox.conversation");
is($open->query_safe('EXECUTE q'), '40', 'a session is open');
sql($node, "SET client_min_messages = warning; DROP EXTENSION chat_rbac CASCADE");
is($open->query_safe('EXECUTE q; SELECT count(*) FROM inbox.message'), "0\n0", 'it sees nothing any more');
$open->quit;

is(sql($node, "SELECT count(*) FROM pg_class c WHERE c.oid::regclass::text = ANY ('{" . join(',', @tables) . "}') AND c.relrowsecurity AND c.relforcerowsecurity"),
	scalar(@tables), 'row-level security is on and forced, for partitions and children too');
is(sql($node, q{SELECT polrelid::regclass, polname FROM pg_policy}), 'inbox.own|everybody', 'only a policy that was never chat_rbac\'s is left');
is(sql($node, q{SELECT count(*) FROM pg_class WHERE oid = ANY (ARRAY[to_regclass('inbox.card'), to_regclass('inbox.task_read'), to_regclass('inbox.report_load')])}), '0', 'masked and audited views, and reports, are gone');
is(sql($node, $rights), $rights_before, 'privileges are what they were');
is(sql($node, q{SELECT count(*) FROM pg_trigger t WHERE t.tgname ~ 'chat_rbac'}), '0', 'no trigger of chat_rbac is left');

# everything that can be done to a row, by whoever holds privileges
sql($node, 'GRANT ALL ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_app, regress_chat_rbac_bi');
for my $role (qw(regress_chat_rbac_app regress_chat_rbac_bi regress_chat_rbac_owner))
{
	my @read;
	my @written;

	sql($node, 'GRANT ALL ON inbox.old, inbox.older, inbox.own TO regress_chat_rbac_owner');
	for my $table (grep { $_ ne 'inbox.own' } @tables)
	{
		push @read, $table if sql($node, "SET ROLE $role; SELECT count(*) FROM $table") ne '0';
		push @written, "update $table" if sql($node, "SET ROLE $role; WITH u AS (UPDATE $table SET org_id = 2 RETURNING 1) SELECT count(*) FROM u") ne '0';
		push @written, "delete $table" if sql($node, "SET ROLE $role; WITH d AS (DELETE FROM $table RETURNING 1) SELECT count(*) FROM d") ne '0';
	}
	is_deeply(\@read, [], "$role reads no row");
	is_deeply(\@written, [], "$role changes no row");
	fails($node, "SET ROLE $role; INSERT INTO inbox.setting (org_id, id, name, value) VALUES (1, 99, 'x', '1')", '42501', 'violates row-level security policy', "$role inserts none");
	fails($node, "SET ROLE $role; COPY inbox.conversation FROM STDIN;\n\\.\n", '0A000', 'COPY FROM not supported with row-level security', "$role copies none in");
	is(sql($node, "SET ROLE $role; COPY inbox.conversation TO STDOUT"), '', "$role copies none out");
	is(sql($node, "SET ROLE $role; SELECT count(*) FROM inbox.plain"), '0', "$role reads none by a view that runs as who asks") if $role =~ /app/;
	fails($node, "SET ROLE $role; SET row_security = off; SELECT count(*) FROM inbox.conversation", '42501', 'would be affected by row-level security policy', "$role does not get round it");
}
is(sql($node, 'SELECT count(*) FROM inbox.conversation'), '120', 'nothing is lost');

# what stays open, and is documented: what was never chat_rbac's
is(sql($node, 'SET ROLE regress_chat_rbac_app; SELECT string_agg(org_id || $$/$$ || id, $$ $$ ORDER BY id) FROM inbox.own'), '2/1 1/2',
	'a permissive policy of one\'s own lets through what it says, and no longer of one org only');
is(sql($node, q{CREATE TABLE inbox.ticket_3 PARTITION OF inbox.ticket FOR VALUES IN (77); INSERT INTO inbox.ticket VALUES (1, 99, 77);
	GRANT SELECT ON inbox.ticket_3 TO regress_chat_rbac_app; SET ROLE regress_chat_rbac_app; SELECT (SELECT count(*) FROM inbox.ticket), (SELECT count(*) FROM inbox.ticket_3)}),
	'0|1', 'a partition that is made later is open to who is granted the partition itself');

# ---- and back ----

$open = $node->background_psql('postgres', on_error_stop => 0);
sql($node, 'CREATE EXTENSION chat_rbac');
is($open->query_safe("SET ROLE regress_chat_rbac_app; SELECT count(*) FROM inbox.conversation"), '0', 'CREATE EXTENSION opens nothing');
sql($node, <<'SQL');
SET client_min_messages = error;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, parent_id, kind, name) VALUES (1, 2, NULL, 'team', 'Support'), (1, 21, 2, 'inbox', 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 4, 'Ali');
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support');
SELECT chat_rbac.protect(format('inbox.%I', s.tab)::regclass, s.spec) FROM chat_rbac.inbox_specs('inbox') AS s;
SQL
is(sql($node, "SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_app; SELECT count(*) FROM inbox.conversation"), '5', 'protect() brings the rules back');
$open->query_safe("RESET ROLE; SET chat_rbac.identity = '1/4'; SET ROLE regress_chat_rbac_app");
is($open->query_safe('SELECT count(*) FROM inbox.conversation'), '5', '... for a session that was open too');
is($open->query_safe('UPDATE inbox.conversation SET status = $$closed$$ WHERE org_id = 1 AND id = 12 RETURNING status'), 'closed', '... which writes');
is(sql($node, q{SELECT actor_id, actions FROM chat_rbac.audit_event WHERE relation = 'inbox.conversation'::regclass}), '4|{conversation.close}', '... and is recorded');
$open->quit;
is(sql($node, q{SELECT count(*) FROM pg_trigger WHERE tgname IN ('four_eyes', 'visible_customer') AND tgrelid::regclass::text ~ '^inbox'}), '0', 'but create_inbox() made more than rules');
my $doc = slurp_file("$FindBin::RealBin/../../doc/uninstall.md");
my ($again) = $doc =~ /^```sql\n(.*?-- defaults.*?)^```/ms;
sql($node, $again);
is(sql($node, q{SELECT count(*) FROM pg_trigger WHERE tgname IN ('four_eyes', 'visible_customer') AND tgrelid::regclass::text ~ '^inbox'}), '2', '... which doc/uninstall.md makes again');
is(sql($node, <<'SQL'), '', '... as it is in a new inbox: columns, defaults, triggers, views, functions');
SET client_min_messages = error;
SELECT chat_rbac.create_inbox('fresh') \g /dev/null
WITH thing (what) AS (
	SELECT n.nspname || replace(concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)), n.nspname || '.', '')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE c.relkind IN ('r', 'v') AND n.nspname IN ('inbox', 'fresh')
		AND EXISTS (SELECT FROM pg_class f WHERE f.relnamespace = 'fresh'::regnamespace AND f.relname = c.relname)
	UNION ALL SELECT n.nspname || concat_ws(' ', c.relname, t.tgname, t.tgenabled) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE NOT t.tgisinternal AND EXISTS (SELECT FROM pg_class f WHERE f.relnamespace = 'fresh'::regnamespace AND f.relname = c.relname)
	UNION ALL SELECT n.nspname || concat_ws(' ', p.proname, p.prokind) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	UNION ALL SELECT n.nspname || concat_ws(' ', c.relname, l.polname) FROM pg_policy l JOIN pg_class c ON c.oid = l.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE EXISTS (SELECT FROM pg_class f WHERE f.relnamespace = 'fresh'::regnamespace AND f.relname = c.relname)
), two AS (SELECT substr(what, 1, 5) AS nsp, substr(what, 6) AS what FROM thing WHERE what LIKE 'inbox%' OR what LIKE 'fresh%')
SELECT min(nsp), what FROM two GROUP BY what HAVING count(*) <> 2 ORDER BY what;
SQL

$node->stop;
done_testing();

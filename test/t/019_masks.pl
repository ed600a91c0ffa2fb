# Masked views outlast a dump and its restore, with their masks, privileges and
# entries; and a session that has not loaded the library sees nothing by them.

use strict;
use warnings;

use File::Basename;
use lib dirname(__FILE__);
use ChatRbac;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('masks');

add_app($node);
sql($node, <<'SQL');
CREATE EXTENSION chat_rbac;
CREATE ROLE regress_chat_rbac_owner;
CREATE ROLE regress_chat_rbac_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection, chat_rbac.protected_view TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_inbox, chat_rbac.protect, chat_rbac.create_view TO regress_chat_rbac_owner;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support'), (1, 3, 'inbox', 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7, 'Ali'), (1, 8, 'Sue'), (1, 9, 'Olga');
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor'), chat_rbac.grant_role('acme', 'Olga', 'Owner');
CREATE SCHEMA inbox AUTHORIZATION regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('inbox');
GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_app;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_app;
SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.card", "grant": ["regress_chat_rbac_app"], "masks": {
	"phone": {"with": "phone", "lifted_by": "customer.view_phone"}, "balance": {"with": "amount", "lifted_by": "customer.view_finance"}}}');
SELECT chat_rbac.create_view('inbox.message', '{"view": "inbox.\"Bodies\"", "grant": ["regress_chat_rbac_app"], "masks": {"body": {"with": "full", "lifted_by": "conversation.supervise"}}}');
RESET ROLE;
SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.list", "reader": "regress_chat_rbac_reader", "columns": ["id", "phone"], "grant": ["regress_chat_rbac_app"],
	"masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
INSERT INTO inbox.customer (org_id, id, owner_id, name, phone, balance) SELECT 1, i, 7 + i % 2, 'Noor', '+4930123' || 4000 + i, i FROM generate_series(1, 20) AS i;
INSERT INTO inbox.conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by) SELECT 1, i, i, 3, 1, 7, 'customer' FROM generate_series(1, 10) AS i;
INSERT INTO inbox.message (org_id, id, conversation_id, kind, body, author_id) SELECT 1, i, i, 'incoming', 'hello', NULL FROM generate_series(1, 10) AS i;
SQL

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
for my $copy ('whole', 'piecemeal')
{
	sql($node, "CREATE DATABASE $copy");
	$node->command_ok([ 'psql', '-Xq', ($copy eq 'whole' ? '-1' : ()), '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr($copy) ],
		"the dump is restored, $copy");
	for my $same ('SELECT view, relation, spec, gate FROM chat_rbac.protected_view ORDER BY gate',
		'SELECT * FROM chat_rbac.protected_views ORDER BY view::text',
		q{SELECT c.relname, pg_get_userbyid(c.relowner), c.reloptions, c.relacl, pg_get_viewdef(c.oid) FROM pg_class c WHERE c.oid IN (SELECT view FROM chat_rbac.protected_view) ORDER BY 1},
		q{SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname ~ 'chat_rbac_mask' ORDER BY tgrelid::regclass::text, 1},
		q{SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'inbox.customer'::regclass AND attnum > 0 ORDER BY 1})
	{
		is(sql($node, $same, db => $copy), sql($node, $same), "the same: $same");
	}
	is(sql($node, 'SELECT DISTINCT problems FROM chat_rbac.protected_views', db => $copy), '{}', 'nothing is wrong with them');
	for my $member (7, 8, 9, 10)
	{
		for my $view ('card', 'list', '"Bodies"')
		{
			my $ask = "SET chat_rbac.identity = '1/$member'; SET ROLE regress_chat_rbac_app; SELECT * FROM inbox.$view ORDER BY id";
			is(sql($node, $ask, db => $copy), sql($node, $ask), "member $member sees the same by $view");
		}
	}
	like(sql($node, "SET chat_rbac.identity = '1/8'; SET ROLE regress_chat_rbac_app; SELECT phone FROM inbox.list WHERE id = 2", db => $copy), qr/^\+493\*\*\*4002$/, 'masked');
	fails($node, "SET chat_rbac.identity = '1/9'; SET ROLE regress_chat_rbac_app; SELECT phone FROM inbox.customer", '42501', 'permission denied for table customer', 'not past the view', db => $copy);
	# what was restored can be changed
	sql($node, "SELECT chat_rbac.protect('inbox.customer', chat_rbac.protection('inbox.customer')); SELECT chat_rbac.drop_view('inbox.list'); SELECT chat_rbac.create_view('inbox.message', spec) FROM chat_rbac.protected_view WHERE gate = 'inbox.\"Bodies\"'", db => $copy);
}

# Without the library: who set an identity that counts for nothing sees nothing
my $bare = new_cluster('bare', preload => 0);
add_app($bare);
sql($bare, 'CREATE ROLE regress_chat_rbac_owner; CREATE ROLE regress_chat_rbac_reader');
$bare->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $bare->connstr('postgres') ], 'restored where nothing is preloaded');
sql($bare, 'REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app');
for my $view ('card', 'list', '"Bodies"')
{
	is(sql($bare, "SET ROLE regress_chat_rbac_app; SET chat_rbac.identity = '1/9'; SELECT count(*) FROM inbox.$view"), '0', "no rows by $view");
}

$_->stop for $node, $bare;
done_testing();

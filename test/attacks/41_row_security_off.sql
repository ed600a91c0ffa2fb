--
-- row_security = off, which anybody may set: PostgreSQL then raises an error where a
-- policy would hold rows back.  Set in the session, in a transaction, by a function's
-- SET clause, and while our functions, triggers and foreign keys read for themselves.
--
-- Must happen: an error or what one would see, never more; and nothing that is ours
-- comes to another answer by it.
--
SELECT * FROM no_plan();
GRANT EXECUTE ON FUNCTION chat_rbac.hand_over, chat_rbac.merge_units TO attack_app;

SELECT lab.remote(who, 'SET row_security = off') FROM unnest('{Ali,Gus,Vic}'::text[]) AS who \g /dev/null
SELECT is(lab.remote('Ali', 'SHOW row_security'), E'(off)\n', 'anybody may switch it off');
SELECT ok(lab.remote(who, statement) ~ '^ERROR 42501: query would be affected by row-level security' OR lab.remote(who, statement) = '', who || ' is refused: ' || statement)
FROM unnest('{Ali,Gus,Vic}'::text[]) AS who, unnest('{TABLE inbox.conversation,SELECT count(*) FROM inbox.message,UPDATE inbox.conversation SET labels = NULL,DELETE FROM inbox.customer,
	TABLE chat_rbac.role_grant,TABLE chat_rbac.audit_event,SELECT id FROM inbox.task WHERE own.tell(title),SELECT own.tell(c) FROM inbox.customer AS c,
	"INSERT INTO inbox.task (title) VALUES (''x'')","SELECT 1 FROM inbox.conversation FOR UPDATE",TABLE inbox.report_load,SELECT * FROM chat_rbac.activity}'::text[]) AS statement;

-- views that read as their owner: they say all of the condition themselves, or are under the policies still
SELECT lab.remote(who, 'SET row_security = off', 'attack_bi') FROM unnest('{Ali,Gus,Vic}'::text[]) AS who \g /dev/null
SELECT ok(lab.hidden(who, o, true) = '{}' AND (o ~ '^ERROR 42501: query would be affected' OR lab.visible(who, o, true) > 0 OR who = 'Vic'), who || ' by view ' || v || ' sees nothing more')
FROM unnest('{Ali,Gus,Vic}'::text[]) AS who, unnest('{inbox.card,inbox.report}'::text[]) AS v, LATERAL (SELECT lab.remote(who, 'TABLE ' || v, 'attack_bi') AS o) AS x;

-- what we answer is the same, or the same error
SELECT is(lab.remote('Ali', 'SELECT ' || q), lab.run_as('Ali', 'SELECT ' || q), 'the same answer: ' || q)
FROM unnest('{"chat_rbac.can(''conversation.view'', ''inbox.conversation'', 1)","chat_rbac.can(''conversation.view'', ''inbox.conversation'', 16)","chat_rbac.actions(''inbox.message'', 21)",
	"(SELECT string_agg(p::text, '','') FROM chat_rbac.page_actions(''inbox.conversation'', ''{1,2,3,16,24}'') AS p)","(SELECT string_agg(w::text, '','') FROM chat_rbac.whoami() AS w)",
	"chat_rbac.unit_scope(''{conversation.view}'', ''own'', ''team'')","chat_rbac.link_scope(''{conversation.view}'', ''participating'', ''inbox.conversation'', true)"}'::text[]) AS q;
SELECT ok(lab.hidden('Ali', o) = '{}', 'nothing more by: ' || q) FROM unnest('{"chat_rbac.in_parent(''inbox.conversation'', NULL, 1, 16)","chat_rbac.link_scope(''{customer.view}'', ''linked'', ''inbox.customer'', true)",
	"(SELECT string_agg(h::text, '','') FROM chat_rbac.history(''inbox.conversation'', ''16'') AS h)"}'::text[]) AS q, LATERAL (SELECT lab.remote('Ali', 'SELECT ' || q) AS o) AS x;
SELECT is(lab.remote('Ali', 'SELECT chat_rbac.in_parent(''inbox.conversation'', NULL, 1, 16)') ~ '^\(t\)', false, 'a hidden parent is not found');

-- who administers reads the RBAC tables past their policies, on purpose: the setting takes nothing from the rules
SELECT lab.remote('Ada', 'SET row_security = off') \g /dev/null
SELECT ok(lab.remote(w.who, w.statement) ~ '^ERROR', w.who || ' is refused: ' || w.statement)
FROM (VALUES ('Ada', 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 1, 2, role_id FROM chat_rbac.role WHERE name = ''Owner'''),
	('Ada', 'UPDATE chat_rbac.unit SET sealed = false'), ('Ali', 'SELECT chat_rbac.grant_role(''acme'', ''Ali'', ''Owner'')'),
	('Ali', 'SELECT * FROM chat_rbac.hand_over(9, "to" => 6)'), ('Ada', 'SELECT * FROM chat_rbac.merge_units(40, 10, ''x'')')) AS w (who, statement);

-- in a function's SET clause and in a view's
SET check_function_bodies = off;
CALL lab.become('Ali');
CREATE FUNCTION own.off() RETURNS SETOF text LANGUAGE sql SET row_security = off AS 'SELECT c::text FROM inbox.conversation AS c';
CREATE FUNCTION own.definer() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET row_security = off AS 'SELECT c::text FROM inbox.conversation AS c';
CREATE FUNCTION own.local() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN SET LOCAL row_security = off; RETURN QUERY SELECT c::text FROM inbox.conversation AS c; END $$;
CALL lab.dba();
SELECT lab.gets_nothing(who, format('SELECT * FROM own.%s()', f), '^ERROR 42501', format('%s by function %s', who, f)) FROM unnest('{Ali,Gus}'::text[]) AS who, unnest('{off,definer,local}'::text[]) AS f;

-- a foreign key's own queries do not mind: a cascade does its work, and no more
SELECT is(lab.remote('Olga', 'SET row_security = off'), '0' || E'\n', 'an owner too');
SELECT ok(lab.remote('Olga', 'DELETE FROM inbox.conversation WHERE id = 1') ~ '^ERROR 42501', 'is refused a delete');
SELECT lab.remote('Olga', 'SET row_security = on') \g /dev/null
SELECT is(lab.remote('Olga', 'DELETE FROM inbox.conversation WHERE id = 1'), E'1\n', 'and with it on deletes');
SELECT is((SELECT count(*) FROM inbox.message WHERE (org_id, conversation_id) = (1, 1)), 0::bigint, '... with the messages');
SELECT lab.sees_own_only('Ali', 'TABLE inbox.conversation', 'and the queries of these tests do find rows');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

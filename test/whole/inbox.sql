-- A database with some of everything that chat_rbac keeps: orgs, units (a sealed one),
-- shifts, separations, keys, tokens, the ready inbox, a table of one's own that is
-- partitioned, masked and audited views, a trail of which a part is sealed.  Tests that
-- take it elsewhere ask matrix() before and after.
SET client_min_messages = error;
CREATE EXTENSION chat_rbac;
SELECT chat_rbac.audit_maintain();
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('globex', 2);
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('ticket.view', 'see tickets'), ('ticket.edit', 'change tickets');
INSERT INTO chat_rbac.unit (org_id, unit_id, parent_id, kind, name, sealed) VALUES
	(1, 1, NULL, 'region', 'EMEA', false), (1, 2, 1, 'team', 'Support', false), (1, 3, 1, 'team', 'Sales', false), (1, 4, 1, 'team', 'Board', true),
	(1, 21, 2, 'inbox', 'WhatsApp', false), (1, 22, 3, 'inbox', 'Shop', false), (1, 23, 4, 'inbox', 'Private', false),
	(2, 2, NULL, 'team', 'Help', false), (2, 21, 2, 'inbox', 'WhatsApp', false);
INSERT INTO chat_rbac.member (org_id, member_id, name, login, active) VALUES
	(1, 1, 'Olga', NULL, true), (1, 2, 'Ada', NULL, true), (1, 3, 'Sue', NULL, true), (1, 4, 'Ali', NULL, true), (1, 5, 'Cora', NULL, true),
	(1, 6, 'Fay', NULL, true), (1, 7, 'Aud', NULL, true), (1, 8, 'Day', NULL, true), (1, 9, 'Ned', NULL, true), (1, 10, 'Bea', 'regress_chat_rbac_bi', true),
	(1, 11, 'Off', NULL, false), (1, 12, 'Nil', NULL, true), (1, 13, 'Duo', NULL, true), (1, 14, 'Tim', NULL, true),
	(2, 1, 'Gus', NULL, true), (2, 4, 'Gwen', NULL, true);
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Tickets', '{ticket.view, ticket.edit@own}');
INSERT INTO chat_rbac.role_inherit SELECT 1, s.role_id, j.role_id FROM chat_rbac.role s, chat_rbac.role j
WHERE (s.org_id, s.name, j.org_id, j.name) = (1, 'Supervisor', 1, 'Tickets');
SELECT chat_rbac.grant_role('acme', 'Olga', 'Owner'), chat_rbac.grant_role('acme', 'Ada', 'Admin'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'EMEA'),
	chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Cora', 'Supervisor', 'Board'), chat_rbac.grant_role('acme', 'Fay', 'Finance'),
	chat_rbac.grant_role('acme', 'Aud', 'Auditor'), chat_rbac.grant_role('acme', 'Bea', 'Supervisor', 'Sales'),
	chat_rbac.grant_role('acme', 'Duo', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Duo', 'Sales', 'Sales'),
	chat_rbac.grant_role('acme', 'Tim', 'Temp', 'Support', valid => tstzrange(now(), now() + interval '5 days'), reason => 'trial'),
	chat_rbac.grant_role('globex', 'Gus', 'Admin'), chat_rbac.grant_role('globex', 'Gwen', 'Agent', 'Help');
-- a week but for a day that is neither yesterday nor tomorrow, and that day only
SELECT chat_rbac.grant_role('acme', 'Day', 'Agent', 'Support', shift => (SELECT format('%s 00:00-24:00 UTC', string_agg(to_char(now() AT TIME ZONE 'UTC' + d * interval '1 day', 'Dy'), ','))
		FROM unnest('{0,1,2,4,5,6}'::int[]) AS d)::chat_rbac.shift),
	chat_rbac.grant_role('acme', 'Ned', 'Agent', 'Support', shift => to_char(now() AT TIME ZONE 'UTC' + interval '3 days', 'Dy "00:00-24:00 UTC"')::chat_rbac.shift);
SELECT chat_rbac.create_separation('acme', 'money', '{Finance, Sales}'), chat_rbac.create_separation('acme', 'two hats', '{Agent, Sales}', kind => 'dynamic');
SELECT chat_rbac.create_signing_key('acme'), chat_rbac.create_signing_key();

GRANT EXECUTE ON FUNCTION chat_rbac.protect, chat_rbac.unprotect, chat_rbac.create_inbox, chat_rbac.create_view, chat_rbac.drop_view TO regress_chat_rbac_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection, chat_rbac.protected_view TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
CREATE SCHEMA inbox AUTHORIZATION regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('inbox');
CREATE TABLE inbox.ticket (org_id bigint, id bigint, team_id int, owner_id bigint, title text, PRIMARY KEY (org_id, team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE inbox.ticket_2 PARTITION OF inbox.ticket FOR VALUES IN (2);
CREATE INDEX ON inbox.ticket (org_id, owner_id);
SELECT chat_rbac.protect('inbox.ticket', '{"resource": "ticket", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"owner_id": "$member"}},
	"actions": [{"on": "update", "requires": "ticket.edit"}]}');
CREATE TABLE inbox.ticket_rest PARTITION OF inbox.ticket DEFAULT;
RESET ROLE;

INSERT INTO inbox.customer (org_id, id, owner_id, name, phone, credit_limit) SELECT o, i, 3 + i % 10, 'c' || i, '+4930123' || 1000 + i, i * 10 FROM generate_series(1, 2) AS o, generate_series(1, 20) AS i;
INSERT INTO inbox.conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by)
SELECT o, i, 1 + i % 20, 21 + i % 3, CASE WHEN i % 7 > 0 THEN 2 + i % 3 END, nullif(i % 11 + 3, 12), 'customer' FROM generate_series(1, 2) AS o, generate_series(1, 60) AS i;
INSERT INTO inbox.participant (org_id, conversation_id, member_id) SELECT o, i, 3 + i % 5 FROM generate_series(1, 2) AS o, generate_series(1, 60) AS i WHERE i % 4 = 0;
INSERT INTO inbox.message (org_id, id, conversation_id, kind, body, author_id) SELECT o, i, 1 + i % 60, 'incoming', 'hello ' || i, NULL FROM generate_series(1, 2) AS o, generate_series(1, 120) AS i;
INSERT INTO inbox.task (org_id, id, assignee_id, author_id, customer_id, title) SELECT o, i, 3 + i % 10, 3 + i % 4, 1 + i % 20, 't' || i FROM generate_series(1, 2) AS o, generate_series(1, 30) AS i;
INSERT INTO inbox.lead (org_id, id, customer_id, owner_id, team_id) SELECT o, i, 1 + i % 20, 3 + i % 10, 2 + i % 3 FROM generate_series(1, 2) AS o, generate_series(1, 30) AS i;
INSERT INTO inbox.broadcast (org_id, id, title, body, author_id, inbox_id) SELECT o, i, 'b', 'b', 3 + i, 21 + i % 3 FROM generate_series(1, 2) AS o, generate_series(1, 6) AS i;
INSERT INTO inbox.setting (org_id, id, name, value) VALUES (1, 1, 'a', '1'), (2, 1, 'a', '2');
INSERT INTO inbox.integration (org_id, id, name, kind, secret) VALUES (1, 1, 'shop', 'web', 'vault/1');
INSERT INTO inbox.ticket SELECT o, i, 2 + i % 3, 3 + i % 10, 'ticket ' || i FROM generate_series(1, 2) AS o, generate_series(1, 30) AS i;
INSERT INTO inbox.reply_target (org_id, team_id, reply_within) VALUES (1, 2, '30 min');

GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_app, regress_chat_rbac_bi;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_app;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_bi;
GRANT SELECT ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_app, regress_chat_rbac_bi;
GRANT INSERT, UPDATE, DELETE ON chat_rbac.member, chat_rbac.role, chat_rbac.role_grant, chat_rbac.unit TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.card", "grant": ["regress_chat_rbac_app", "regress_chat_rbac_bi"],
	"masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}, "credit_limit": {"with": "amount", "lifted_by": "customer.view_finance"}}}');
SELECT chat_rbac.create_view('inbox.task', '{"view": "inbox.task_read", "grant": ["regress_chat_rbac_bi"], "audited": true}');
GRANT UPDATE ON inbox.card TO regress_chat_rbac_app;
RESET ROLE;

CREATE SCHEMA whole;
GRANT USAGE ON SCHEMA whole TO PUBLIC;
-- tokens that were given out before
CREATE TABLE whole.token AS
SELECT 4 AS member, NULL::text AS token UNION SELECT 3, NULL;
GRANT SELECT ON whole.token TO PUBLIC;
SET chat_rbac.identity = '1/1';
UPDATE whole.token SET token = chat_rbac.issue_token(member, '1 hour');
UPDATE inbox.conversation SET priority = 2 WHERE org_id = 1 AND id = 2;
SET chat_rbac.identity = '';

/*
 * What everybody gets: of each table and view the rows, of each right whether it is
 * held, of each deed what is said to it.  By identity, by login and by token.
 */
CREATE TYPE whole.answer AS (who text, what text, answer text);
CREATE FUNCTION whole.ask(who text, what text, query text, OUT result whole.answer) LANGUAGE plpgsql AS $$
BEGIN
	result.who := who;
	result.what := what;
	BEGIN
		EXECUTE query INTO result.answer;
		IF what LIKE 'deed%' THEN
			RAISE EXCEPTION USING ERRCODE = 'RBACK', MESSAGE = coalesce(result.answer, 'none');
		END IF;
	EXCEPTION WHEN OTHERS THEN
		result.answer := CASE SQLSTATE WHEN 'RBACK' THEN 'done to ' || SQLERRM ELSE SQLSTATE || ' ' || SQLERRM END;
	END;
END
$$;
CREATE FUNCTION whole.question(OUT what text, OUT query text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT t, format('SELECT count(*) || '' '' || coalesce(md5(string_agg(%s, '','' ORDER BY (%1$s) COLLATE "C")), '''') FROM %s x', k, t) FROM (VALUES
		('x.org_id || ''/'' || x.id', ARRAY['inbox.conversation', 'inbox.message', 'inbox.customer', 'inbox.task', 'inbox.lead', 'inbox.broadcast', 'inbox.setting', 'inbox.integration', 'inbox.ticket', 'inbox.ticket_2', 'inbox.reply_target']),
		('x.org_id || ''/'' || x.conversation_id || ''/'' || x.member_id', '{inbox.participant}'),
		('x::text', '{inbox.card,inbox.task_read,inbox.report_workload,chat_rbac.org,chat_rbac.unit,chat_rbac.member,chat_rbac.role,chat_rbac.role_grant,chat_rbac.separation,chat_rbac.separation_role,chat_rbac.signing_key,chat_rbac.effective_permissions,chat_rbac.grants,chat_rbac.role_tree}'),
		('x.event_id::text', '{"(SELECT * FROM chat_rbac.audit_event JOIN whole.event USING (event_id)) AS","(SELECT * FROM chat_rbac.activity JOIN whole.event USING (event_id)) AS"}')) AS v (k, ts), unnest(v.ts) AS t
	UNION ALL
	SELECT 'whoami', 'SELECT w::text FROM chat_rbac.whoami() AS w'
	UNION ALL
	SELECT 'can', 'SELECT string_agg(k.name::text, '' '' ORDER BY k.name::text COLLATE "C") FROM chat_rbac.known_permission k WHERE chat_rbac.can(k.name)'
	UNION ALL
	SELECT 'actions', 'SELECT string_agg(chat_rbac.actions(''inbox.conversation'', i)::text, '' '' ORDER BY i) FROM unnest(''{1,2,3,9,12,13,24,36}''::bigint[]) AS i'
	UNION ALL
	SELECT 'deed ' || d, d || ' RETURNING ''one''' FROM unnest(ARRAY[
		'UPDATE inbox.conversation SET assignee_id = chat_rbac.current_member() WHERE org_id = 1 AND id = 9 AND assignee_id IS NULL',
		'UPDATE inbox.conversation SET team_id = 3 WHERE org_id = 1 AND team_id = 2 AND id = 24',
		'UPDATE inbox.conversation SET status = ''closed'' WHERE org_id = 1 AND id = 12',
		'UPDATE inbox.ticket SET title = ''x'' WHERE org_id = 1 AND id = 10',
		'UPDATE inbox.card SET name = ''x'' WHERE org_id = 1 AND id = 5',
		'UPDATE inbox.customer SET phone = ''1'' WHERE org_id = 1 AND id = 5',
		'INSERT INTO inbox.message (org_id, id, conversation_id, kind, body) VALUES (1, 1000, 12, ''note'', ''x'')',
		'DELETE FROM inbox.task WHERE org_id = 1 AND id = 1',
		'INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) SELECT 1, 1000, 6, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = ''Sales''',
		'INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) SELECT 1, 1000, 12, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = ''Temp''',
		'UPDATE chat_rbac.unit SET parent_id = 2 WHERE org_id = 1 AND unit_id = 1',
		'UPDATE chat_rbac.member SET name = ''x'' WHERE org_id = 1 AND member_id = 12']) AS d
$$;
CREATE FUNCTION whole.matrix() RETURNS SETOF whole.answer LANGUAGE plpgsql AS $$
DECLARE
	asker record;
	question record;
BEGIN
	FOR asker IN
		SELECT 'as ' || i AS who, i AS identity, '' AS token, 'regress_chat_rbac_app' AS role
		FROM unnest('{1/1,1/2,1/3,1/4,1/5,1/6,1/7,1/8,1/9,1/10,1/11,1/12,1/13,1/14,1/99,2/1,2/4}'::text[]) AS i
		UNION ALL SELECT 'by login', '', '', 'regress_chat_rbac_bi'
		UNION ALL SELECT 'nobody', '', '', 'regress_chat_rbac_app'
		UNION ALL SELECT 'owner of the tables', '', '', 'regress_chat_rbac_owner'
		UNION ALL SELECT 'token of ' || t.member, '', t.token, 'regress_chat_rbac_app' FROM whole.token t
	LOOP
		PERFORM set_config('chat_rbac.identity', asker.identity, true), set_config('chat_rbac.token', asker.token, true);
		FOR question IN SELECT * FROM whole.question() LOOP
			PERFORM set_config('role', asker.role, true);
			RETURN NEXT whole.ask(asker.who, question.what, question.query);
			PERFORM set_config('role', 'none', true);
		END LOOP;
	END LOOP;
	PERFORM set_config('chat_rbac.identity', '', true), set_config('chat_rbac.token', '', true);
END
$$;
SELECT chat_rbac.audit_seal();
-- the others will be about what is done with the database
CREATE TABLE whole.event AS SELECT event_id FROM chat_rbac.audit_event;
GRANT SELECT ON whole.event TO PUBLIC;

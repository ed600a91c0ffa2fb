--
-- The database that the attack suite tries to rob: each file of this folder gets a
-- copy of its own (scripts/attack.sh).  An inbox of two orgs, whose values are all
-- different, a list of who may see which of them, by conditions written by hand, and
-- ways to act as a person by a database role that may do what applications' roles do,
-- and more: it has schemas of its own, with functions, operators and types in them.
--
--	Person	org 1 (acme)							Person	org 2 (globex)
--	Olga	Owner									Gus		Admin
--	Ada		Admin									Gwen	Agent in Helpdesk (team 10)
--	Sue		Supervisor in Support (team 10)
--	Ali		Agent in Support						The same ids are in both orgs.
--	Ben		Agent in Support
--	Sam		Sales in Sales (team 20)
--	Hana	Supervisor in HR (team 40), which is sealed
--	Fay		Finance
--	Vic		nothing
--
-- Roles: attack_owner owns the tables; attack_app is the application's, with all but
-- TRUNCATE and TRIGGER on the tables, and with schema own; attack_bi has only the
-- views inbox.card (masked) and inbox.report (audited).  Each person has a token, and
-- none of these roles may set an identity.
--
SET client_min_messages = warning;
CREATE EXTENSION pgtap;
CREATE EXTENSION dblink;
CREATE EXTENSION chat_rbac;

DO $$
DECLARE
	role text;
BEGIN
	FOREACH role IN ARRAY '{attack_owner,attack_app,attack_bi}'::text[] LOOP
		IF to_regrole(role) IS NULL THEN
			EXECUTE format('CREATE ROLE %I %s', role, CASE WHEN role <> 'attack_owner' THEN 'LOGIN' END);
		END IF;
	END LOOP;
END $$;

CREATE SCHEMA lab;			-- what the tests know and do
CREATE SCHEMA inbox AUTHORIZATION attack_owner;
CREATE SCHEMA own AUTHORIZATION attack_app;
GRANT USAGE ON SCHEMA lab TO PUBLIC;

-- ---- the inbox, and who reaches it, as the README tells to do it ----

GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection, chat_rbac.protected_view TO attack_owner;
GRANT SELECT ON chat_rbac.known_permission TO attack_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_inbox, chat_rbac.protect, chat_rbac.create_view, chat_rbac.drop_view TO attack_owner;
SET ROLE attack_owner;
SELECT chat_rbac.create_inbox('inbox') \g /dev/null
RESET ROLE;
GRANT USAGE ON SCHEMA inbox, chat_rbac TO attack_app, attack_bi;
GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON ALL TABLES IN SCHEMA inbox TO attack_app;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO attack_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant TO attack_app;
GRANT SELECT ON chat_rbac.org, chat_rbac.grants, chat_rbac.unit_path TO attack_app;
GRANT EXECUTE ON FUNCTION chat_rbac.grant_role, chat_rbac.revoke_role, chat_rbac.find_by_name TO attack_app;

SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('globex', 2) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, parent_id, kind, name) VALUES
	(1, 1, NULL, 'region', 'EMEA'), (1, 10, 1, 'team', 'Support'), (1, 20, 1, 'team', 'Sales'), (1, 40, 1, 'team', 'HR'), (1, 30, 1, 'inbox', 'WhatsApp'),
	(2, 10, NULL, 'team', 'Helpdesk'), (2, 30, NULL, 'inbox', 'WhatsApp');
CREATE TABLE lab.person (name text PRIMARY KEY, org_id bigint, member_id bigint, role text, unit text, token text);
INSERT INTO lab.person VALUES
	('Olga', 1, 1, 'Owner', NULL), ('Ada', 1, 2, 'Admin', NULL), ('Sue', 1, 5, 'Supervisor', 'Support'), ('Ali', 1, 6, 'Agent', 'Support'),
	('Ben', 1, 7, 'Agent', 'Support'), ('Sam', 1, 8, 'Sales', 'Sales'), ('Hana', 1, 9, 'Supervisor', 'HR'), ('Vic', 1, 10, NULL, NULL),
	('Fay', 1, 11, 'Finance', NULL), ('Gus', 2, 1, 'Admin', NULL), ('Gwen', 2, 6, 'Agent', 'Helpdesk');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT org_id, member_id, name FROM lab.person;
SELECT chat_rbac.grant_role(CASE org_id WHEN 1 THEN 'acme' ELSE 'globex' END, name, role, unit) FROM lab.person WHERE role IS NOT NULL \g /dev/null

SELECT chat_rbac.create_signing_key() \g /dev/null
SET chat_rbac.identity = '1/1';
UPDATE lab.person SET token = chat_rbac.issue_token(member_id, '30 days') WHERE org_id = 1;
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (2, 'Sign-in', '{token.issue}');
SELECT chat_rbac.grant_role('globex', 'Gus', 'Sign-in') \g /dev/null
SET chat_rbac.identity = '2/1';
UPDATE lab.person SET token = chat_rbac.issue_token(member_id, '30 days') WHERE org_id = 2;
RESET chat_rbac.identity;
SELECT chat_rbac.revoke_role('globex', 'Gus', 'Sign-in') \g /dev/null
UPDATE chat_rbac.unit SET sealed = true WHERE name = 'HR';

-- ---- rows ----

-- Each text is a marker, ~<what><org>-<id>~, a phone number or an amount of its own.
CREATE TEMP TABLE chat AS
SELECT o AS org_id, i AS id, t AS team_id,
	CASE WHEN t IS NULL OR i % 4 = 3 THEN NULL WHEN o = 2 THEN 6 WHEN t = 10 THEN 5 + i % 4 WHEN t = 20 THEN 8 ELSE 9 END AS assignee_id
FROM (SELECT 1 AS o, i, CASE i / 4 % 6 WHEN 3 THEN 20 WHEN 4 THEN 40 WHEN 5 THEN NULL ELSE 10 END AS t FROM generate_series(1, 120) AS i
	UNION ALL SELECT 2, i, 10 FROM generate_series(1, 40) AS i) AS c;
INSERT INTO inbox.customer (org_id, id, owner_id, name, phone, email, credit_limit, balance)
SELECT o, i, CASE WHEN i > 120 THEN 5 + i % 6 END, format('~c%s-%s~', o, i), format('+199%s', o * 10000000 + i), format('~e%s-%s~@mail.example', o, i),
	1000, o * 10000000 + i + 770000000.25
FROM generate_series(1, 2) AS o, generate_series(1, 150) AS i;
INSERT INTO inbox.conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by, labels)
SELECT org_id, id, id, 30, team_id, assignee_id, 'customer', ARRAY[format('~v%s-%s~', org_id, id)] FROM chat;
INSERT INTO inbox.participant (org_id, conversation_id, member_id) SELECT 1, id, 6 FROM chat WHERE org_id = 1 AND assignee_id = 7 AND id % 3 = 0;
INSERT INTO inbox.message (org_id, id, conversation_id, kind, author_id, body)
SELECT org_id, id * 10 + n, id, (ARRAY['incoming', 'reply', 'note'])[n], CASE WHEN n > 1 THEN coalesce(assignee_id, 5) END, format('~m%s-%s~', org_id, id * 10 + n)
FROM chat, generate_series(1, 3) AS n;
INSERT INTO inbox.task (org_id, id, assignee_id, author_id, title) SELECT o, i, 5 + i % 6, 5 + i % 6, format('~t%s-%s~', o, i) FROM generate_series(1, 2) AS o, generate_series(1, 60) AS i;
INSERT INTO inbox.lead (org_id, id, customer_id, owner_id, team_id, stage) SELECT o, i, i, 5 + i % 6, 20, format('~l%s-%s~', o, i) FROM generate_series(1, 2) AS o, generate_series(1, 30) AS i;
INSERT INTO inbox.broadcast (org_id, id, title, body, inbox_id, author_id) SELECT o, i, format('~b%s-%s~', o, i), format('~b%s-%s~', o, i), 30, 2 FROM generate_series(1, 2) AS o, generate_series(1, 10) AS i;
INSERT INTO inbox.setting (org_id, id, name, value) SELECT o, i, format('~s%s-%s~', o, i), to_jsonb(format('~s%s-%s~', o, i)) FROM generate_series(1, 2) AS o, generate_series(1, 5) AS i;
INSERT INTO inbox.integration (org_id, id, name, kind, secret) SELECT o, i, format('~i%s-%s~', o, i), 'crm', format('~i%s-%s~', o, i) FROM generate_series(1, 2) AS o, generate_series(1, 5) AS i;
-- new rows have ids that no row has, in either org
SELECT setval(pg_get_serial_sequence('inbox.' || t, 'id'), 100000) FROM unnest('{customer,conversation,message,task,lead,broadcast,setting,integration}'::text[]) AS t \g /dev/null
GRANT USAGE ON ALL SEQUENCES IN SCHEMA inbox TO attack_app;

SET client_min_messages = error;	-- that attack_app can read the columns past the view is meant
SET ROLE attack_owner;
SELECT chat_rbac.create_view('inbox.customer', '{ "view": "inbox.card", "grant": ["attack_bi"], "columns": ["org_id", "id", "owner_id", "name", "phone", "email", "balance"],
	"masks": { "phone": {"with": "phone", "lifted_by": "customer.view_phone"}, "email": {"with": "email", "lifted_by": "customer.view_phone"},
		"balance": {"with": "amount", "lifted_by": "customer.view_finance"} } }') \g /dev/null
SELECT chat_rbac.create_view('inbox.conversation', '{ "view": "inbox.report", "grant": ["attack_bi"], "audited": true,
	"columns": ["org_id", "id", "team_id", "assignee_id", "status", "labels"] }') \g /dev/null
RESET ROLE;
SET client_min_messages = warning;
GRANT SELECT (org_id, customer_id) ON inbox.conversation TO attack_bi;		-- to find the customers of one's conversations
ANALYZE;

-- ---- who may see what, written by hand ----

CREATE TABLE lab.marker (marker text PRIMARY KEY, kind text, org_id bigint, id bigint, seen_by text[] NOT NULL);
CREATE TEMP TABLE sees (kind text, name text, org_id bigint, id bigint);
INSERT INTO sees SELECT 'conversation', p.name, c.org_id, c.id FROM lab.person p JOIN inbox.conversation c USING (org_id)
WHERE CASE WHEN p.role IN ('Owner', 'Admin') THEN c.org_id = 2 OR c.team_id IS DISTINCT FROM 40
	WHEN p.name = 'Sue' THEN c.team_id = 10
	WHEN p.name = 'Hana' THEN c.team_id = 40
	WHEN p.name = 'Sam' THEN c.team_id = 20 AND c.assignee_id = 8
	WHEN p.role = 'Agent' THEN c.team_id = 10 AND (c.assignee_id = p.member_id OR c.assignee_id IS NULL
		OR EXISTS (SELECT FROM inbox.participant q WHERE (q.org_id, q.conversation_id, q.member_id) = (c.org_id, c.id, p.member_id)))
	END;
INSERT INTO sees SELECT 'message', s.name, m.org_id, m.id FROM sees s JOIN inbox.message m ON s.kind = 'conversation' AND (m.org_id, m.conversation_id) = (s.org_id, s.id);
INSERT INTO sees SELECT 'customer', p.name, c.org_id, c.id FROM lab.person p JOIN inbox.customer c USING (org_id)
WHERE CASE WHEN p.role IN ('Owner', 'Admin', 'Finance') THEN true
	WHEN p.role IS NULL THEN false
	ELSE c.owner_id = p.member_id OR (p.name = 'Sue' AND c.owner_id IN (5, 6, 7))
		OR (p.name <> 'Sam' AND EXISTS (SELECT FROM sees s WHERE (s.kind, s.name, s.org_id, s.id) = ('conversation', p.name, c.org_id, c.id)))
	END;
INSERT INTO sees SELECT 'phone', s.name, s.org_id, s.id FROM sees s JOIN lab.person p USING (name) JOIN inbox.customer c ON (c.org_id, c.id) = (s.org_id, s.id)
WHERE s.kind = 'customer' AND CASE WHEN p.role IN ('Owner', 'Admin') THEN true WHEN p.role = 'Finance' THEN false ELSE c.owner_id = p.member_id END;
INSERT INTO sees SELECT 'balance', s.name, s.org_id, s.id FROM sees s JOIN lab.person p USING (name) WHERE s.kind = 'customer' AND p.role IN ('Owner', 'Admin', 'Finance');
INSERT INTO sees SELECT 'task', p.name, t.org_id, t.id FROM lab.person p JOIN inbox.task t USING (org_id)
WHERE p.role IN ('Owner', 'Admin') OR (p.role IN ('Supervisor', 'Agent', 'Sales') AND t.assignee_id = p.member_id) OR (p.name = 'Sue' AND t.assignee_id IN (5, 6, 7));
INSERT INTO sees SELECT 'lead', p.name, l.org_id, l.id FROM lab.person p JOIN inbox.lead l USING (org_id)
WHERE p.role IN ('Owner', 'Admin') OR (p.name = 'Sam' AND l.owner_id = 8);
INSERT INTO sees SELECT k, p.name, p.org_id, i FROM lab.person p, unnest('{broadcast,setting,integration}'::text[]) AS k, generate_series(1, 10) AS i WHERE p.role IN ('Owner', 'Admin');
INSERT INTO lab.marker SELECT m.marker, m.kind, m.org_id, m.id, coalesce(array_agg(s.name) FILTER (WHERE s.name IS NOT NULL), '{}')
FROM (SELECT name AS marker, 'customer' AS kind, 'customer' AS as_is, org_id, id FROM inbox.customer
	UNION ALL SELECT phone, 'phone', 'phone', org_id, id FROM inbox.customer
	UNION ALL SELECT substr(email, 1, strpos(email, '@') - 1), 'email', 'phone', org_id, id FROM inbox.customer
	UNION ALL SELECT balance::text, 'balance', 'balance', org_id, id FROM inbox.customer
	UNION ALL SELECT labels[1], 'conversation', 'conversation', org_id, id FROM inbox.conversation
	UNION ALL SELECT body, 'message', 'message', org_id, id FROM inbox.message
	UNION ALL SELECT title, 'task', 'task', org_id, id FROM inbox.task
	UNION ALL SELECT stage, 'lead', 'lead', org_id, id FROM inbox.lead
	UNION ALL SELECT title, 'broadcast', 'broadcast', org_id, id FROM inbox.broadcast
	UNION ALL SELECT name, 'setting', 'setting', org_id, id FROM inbox.setting
	UNION ALL SELECT name, 'integration', 'integration', org_id, id FROM inbox.integration) AS m
LEFT JOIN sees s ON (s.kind, s.org_id, s.id) = (m.as_is, m.org_id, m.id)
GROUP BY 1, 2, 3, 4;

-- by the application's role the columns of a customer are seen with the row, by attack_bi's view each with its permission
ALTER TABLE lab.marker ADD row_seen_by text[];
UPDATE lab.marker AS m SET row_seen_by = CASE WHEN m.kind IN ('phone', 'email', 'balance') THEN c.seen_by ELSE m.seen_by END
FROM lab.marker AS c WHERE (c.kind, c.org_id, c.id) = (CASE WHEN m.kind IN ('phone', 'email', 'balance') THEN 'customer' ELSE m.kind END, m.org_id, m.id);
ANALYZE lab.marker;
CREATE FUNCTION lab.may_see(who text, m lab.marker, masked boolean) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT who = ANY (CASE WHEN masked THEN m.seen_by ELSE m.row_seen_by END) $$;
CREATE FUNCTION lab.markers(output text) RETURNS SETOF lab.marker LANGUAGE sql STABLE AS $$
	SELECT m.* FROM (SELECT DISTINCT t[1] AS marker FROM regexp_matches(output, '~[a-z]\d-\d+~|\+199\d{8}|7[789]\d{7}\.25', 'g') AS t) AS t JOIN lab.marker m USING (marker) $$;
-- what an output has that this person may not see, and how much that they may
CREATE FUNCTION lab.hidden(who text, output text, masked boolean DEFAULT false) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT coalesce(array_agg(m.marker ORDER BY m.marker COLLATE "C"), '{}') FROM lab.markers(output) AS m WHERE NOT lab.may_see(who, m, masked) $$;
CREATE FUNCTION lab.visible(who text, output text, masked boolean DEFAULT false) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT count(*) FROM lab.markers(output) AS m WHERE lab.may_see(who, m, masked) $$;

-- ---- acting as somebody ----

-- Become a person, by a role; and the superuser of the tests again.  What is between is the attacker's SQL.
CREATE PROCEDURE lab.become(who text, role text DEFAULT 'attack_app') LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('chat_rbac.token', (SELECT token FROM lab.person WHERE name = who), false);
	PERFORM set_config('session_authorization', role, false);
END $$;
CREATE PROCEDURE lab.dba() LANGUAGE plpgsql AS $$
BEGIN
	RESET SESSION AUTHORIZATION;
	PERFORM set_config('chat_rbac.token', '', false);
END $$;

-- Run a statement, and tell all that comes of it: its rows, or the error with all of its fields.
-- The path is the attacker's, so all names have their schema.
CREATE FUNCTION lab.attempt(statement pg_catalog.text) RETURNS pg_catalog.text LANGUAGE plpgsql AS $$
DECLARE
	result pg_catalog.text := '';
	r record;
	message pg_catalog.text; detail pg_catalog.text; hint pg_catalog.text; context pg_catalog.text; n pg_catalog.text;
BEGIN
	IF statement OPERATOR(pg_catalog.~*) '^\s*(select|with|table|values|explain|show|fetch|execute)\M|\mreturning\M' THEN
		FOR r IN EXECUTE statement LOOP
			result := pg_catalog.concat(result, r, E'\n');
		END LOOP;
	ELSE
		EXECUTE statement;
		GET DIAGNOSTICS n = ROW_COUNT;
		result := pg_catalog.concat(n, E'\n');
	END IF;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	-- the statement, and so the markers in it, is the attacker's own; who called this function does not matter
	RETURN pg_catalog.concat(result, 'ERROR ', SQLSTATE, ': ', message, E'\n', detail, E'\n', hint, E'\n',
		pg_catalog.regexp_replace(pg_catalog.replace(context, statement, ''), '(SQL statement ""\n)?PL/pgSQL function lab\.attempt.*', ''));
END $$;

-- The attacker's table for what functions get to see, and two that tell: what they are given
-- goes into it.  The one that claims to be immutable may be called while the query is planned.
SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.loot (what text);
GRANT USAGE ON SCHEMA own TO PUBLIC;
GRANT SELECT, INSERT, DELETE ON own.loot TO PUBLIC;
CREATE FUNCTION own.tell(x anyelement) RETURNS boolean LANGUAGE plpgsql VOLATILE COST 0.0001 AS $$
BEGIN
	INSERT INTO own.loot VALUES (x::text);
	RETURN true;
END $$;
CREATE FUNCTION own.tell_early(x anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$
BEGIN
	RETURN own.tell(x);
END $$;
CREATE FUNCTION own.tell_by_error(x anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$
BEGIN
	RAISE EXCEPTION 'saw %', x;
END $$;
RESET SESSION AUTHORIZATION;

-- Run a statement as a person: what comes of it, and what the attacker's functions saw.
CREATE FUNCTION lab.run_as(who text, statement text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	output text;
BEGIN
	DELETE FROM own.loot;
	CALL lab.become(who, role);
	output := lab.attempt(statement);
	CALL lab.dba();
	RETURN concat_ws(E'\n', output, (SELECT string_agg(what, E'\n') FROM own.loot));
END $$;

-- The same in a session of that person's own, which can become nobody else: a statement that fails
-- does not end it.  Sessions last until lab.log_out().
CREATE FUNCTION lab.remote(who text, statement text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	session text := who || ' ' || role;
	output text;
BEGIN
	IF session <> ALL (coalesce(dblink_get_connections(), '{}')) THEN
		PERFORM dblink_connect(session, format('host=%L port=%s dbname=%L user=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
			current_setting('port'), current_database(), role));
		PERFORM dblink_exec(session, format('SET chat_rbac.token = %L', (SELECT token FROM lab.person WHERE name = who)));
	END IF;
	SELECT t.x INTO output FROM dblink(session, format('SELECT lab.attempt(%L)', statement)) AS t (x text);
	RETURN output;
END $$;
CREATE FUNCTION lab.log_out() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dblink_disconnect(c) FROM unnest(dblink_get_connections()) AS c;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA lab FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA lab FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lab.attempt TO PUBLIC;
GRANT EXECUTE ON PROCEDURE lab.dba TO PUBLIC;

-- ---- assertions ----

-- The statement works, and shows this person what is theirs and nothing else.
CREATE FUNCTION lab.sees_own_only(who text, statement text, name text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	output text := lab.run_as(who, statement, role);
	hidden text[] := lab.hidden(who, output, role = 'attack_bi');
	good boolean := hidden = '{}' AND lab.visible(who, output, role = 'attack_bi') > 0;
BEGIN
	RETURN ok(good, name) || CASE WHEN good THEN '' ELSE E'\n' || diag(format('%s ran: %s', who, statement)) || E'\n' ||
		diag(format('hidden from them, and seen: %s', hidden)) || E'\n' || diag('it began: ' || left(output, 500)) END;
END $$;

-- The statement shows this person nothing that is not theirs; what comes of it matches a pattern, if one is given.
CREATE FUNCTION lab.gets_nothing(who text, statement text, pattern text, name text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	output text := lab.run_as(who, statement, role);
	hidden text[] := lab.hidden(who, output, role = 'attack_bi');
	good boolean := hidden = '{}' AND (pattern IS NULL OR output ~ pattern);
BEGIN
	RETURN ok(good, name) || CASE WHEN good THEN '' ELSE E'\n' || diag(format('%s ran: %s', who, statement)) || E'\n' ||
		diag(format('hidden from them, and seen: %s', hidden)) || E'\n' || diag('it began: ' || left(output, 500)) END;
END $$;
REVOKE ALL ON FUNCTION lab.sees_own_only, lab.gets_nothing FROM PUBLIC;

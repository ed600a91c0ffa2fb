/*
 * bench/reports.sql: reports on a large inbox, asked by a supervisor of a
 * department (8 of 40 teams) and by an admin: milliseconds, medians of :turns.
 * :rows conversations in org 1, and two thirds of that in 99 other orgs; four
 * messages each; in the trail, the events of 60 of the 365 days.
 */
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;
SET jit = off;
CREATE EXTENSION chat_rbac;
CREATE ROLE bench_reports;
GRANT USAGE ON SCHEMA chat_rbac TO bench_reports;
CREATE SCHEMA inbox;
SELECT count(chat_rbac.create_org('org ' || o, o)) FROM generate_series(1, 100) AS o \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) SELECT 1, 900 + d, 'department', 'Department ' || d FROM generate_series(1, 5) AS d;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name)
SELECT 1, t, 'team', 900 + (t + 7) / 8, 'Team ' || t FROM generate_series(1, 40) AS t
UNION ALL SELECT 1, 2000 + i, 'inbox', NULL, 'Inbox ' || i FROM generate_series(1, 20) AS i
UNION ALL SELECT o, o * 10000 + t, 'team', NULL, 'Team ' || t FROM generate_series(2, 100) AS o, generate_series(1, 4) AS t;
INSERT INTO chat_rbac.member (org_id, member_id, name)
SELECT 1, m, 'Agent ' || m FROM generate_series(1, 400) AS m
UNION ALL VALUES (1, 901, 'Admin'), (1, 907, 'Supervisor');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
SELECT 1, g.member_id, r.role_id, g.unit_id
FROM (SELECT m, 'Agent', (m + 9) / 10 FROM generate_series(1, 400) AS m
	UNION ALL VALUES (901, 'Admin', NULL), (907, 'Supervisor', 901)) AS g (member_id, role, unit_id)
JOIN chat_rbac.role r ON r.org_id = 1 AND r.name = g.role;

/* the tables as create_inbox() makes them, filled before they are protected */
SELECT chat_rbac.inbox_tables('inbox') AS ddl \gset
:ddl
ALTER TABLE inbox.conversation DISABLE TRIGGER ALL;
ALTER TABLE inbox.message DISABLE TRIGGER ALL;
CREATE TABLE made AS
SELECT c.org_id, c.id, c.base + 1 + h[1] % c.teams AS team_id, CASE WHEN c.org_id = 1 THEN 2001 + h[2] % 20 ELSE 1 END AS inbox_id,
	CASE WHEN h[5] % 20 > 0 OR h[3] % 8 > 0 THEN c.base + h[1] % c.teams * 10 + 1 + h[4] % 10 END AS assignee_id,
	CASE WHEN h[5] % 20 > 0 THEN 'closed' WHEN h[3] % 2 = 0 THEN 'open' ELSE 'waiting' END AS status,
	now() - (3 * 3600 + h[6] % 31536000) * interval '1 second' AS at, h[1] % 3600 * interval '1 second' AS pace, h[2] % 70 AS dice
FROM (SELECT 1, n, 0, 40 FROM generate_series(1, :rows) AS n
	UNION ALL SELECT 2 + n % 99, :rows + n, (2 + n % 99) * 10000, 4 FROM generate_series(1, :rows * 2 / 3) AS n) AS c (org_id, id, base, teams)
CROSS JOIN LATERAL (SELECT array_agg(hashint8extended(c.id, k) & x'7fffffff'::bigint ORDER BY k) AS h FROM generate_series(1, 6) AS k) AS r
ORDER BY 7;
INSERT INTO inbox.customer (org_id, id, name) SELECT DISTINCT org_id, 1 + id % 100000, 'Customer' FROM made;
INSERT INTO inbox.conversation (org_id, id, customer_id, initiated_by, inbox_id, team_id, assignee_id, status, last_message_at, created_at)
SELECT org_id, id, 1 + id % 100000, 'customer', inbox_id, team_id, assignee_id, status, at + 3 * pace, at FROM made ORDER BY at;
INSERT INTO inbox.message (org_id, id, conversation_id, kind, author_id, body, sent_at)
SELECT org_id, id * 4 + k, id, CASE WHEN k % 2 = 0 THEN 'incoming' ELSE 'reply' END, CASE WHEN k % 2 = 1 THEN coalesce(assignee_id, 901) END,
	'Hello, this is message ' || k, at + k * pace
FROM made, generate_series(0, 3) AS k WHERE k < 3 OR status <> 'open' ORDER BY at;
ALTER TABLE inbox.conversation ENABLE TRIGGER ALL;
ALTER TABLE inbox.message ENABLE TRIGGER ALL;
SELECT count(chat_rbac.protect(format('inbox.%I', s.tab)::regclass, s.spec) IS NULL) FROM chat_rbac.inbox_specs('inbox') AS s \g /dev/null
SELECT chat_rbac.create_reports('inbox') \g /dev/null
INSERT INTO inbox.reply_target (org_id, team_id, reply_within) SELECT 1, t, '30 min' FROM generate_series(1, 40) AS t;

/* as the trigger would have written them: made, claimed, moved or labelled, closed; and a message each */
SELECT count(*) FROM chat_rbac.audit_maintain() \g /dev/null
INSERT INTO chat_rbac.audit_event (event_id, at, transaction_at, xid, org_id, actor_org_id, actor_id, actor_name, incarnation, relation, table_name, row_key, command, depth,
	operation, actions, old, new, unit_kinds, unit_keys, db_role, session_role, salt)
SELECT nextval('chat_rbac.audit_event_id_seq'), m.at + e.n * m.pace / 2, m.at, (m.id * 8 + e.n)::text::xid8, m.org_id, m.org_id, coalesce(m.assignee_id, 901), 'Agent',
	i.incarnation, e.relation, e.relation::text, (CASE WHEN e.relation = 'inbox.message'::regclass THEN m.id * 4 + e.n % 4 ELSE m.id END)::text, 0, 0,
	e.operation, e.actions, e.old, e.new, e.kinds, e.keys, 'app', 'app', '\x00000000000000000000000000000000'
FROM made m CROSS JOIN (SELECT incarnation FROM chat_rbac.audit_incarnation LIMIT 1) AS i
CROSS JOIN LATERAL (
	VALUES (0, 'inbox.conversation'::regclass, 'insert', '{conversation.create}'::text[], NULL::jsonb, to_jsonb(m), '{inbox,team}'::text[], ARRAY[m.inbox_id, m.team_id]),
		(1, 'inbox.conversation', 'update', '{conversation.claim}', '{"assignee_id": null}', jsonb_build_object('assignee_id', m.assignee_id), '{inbox,team}', ARRAY[m.inbox_id, m.team_id]),
		(2, 'inbox.message', 'insert', '{message.receive}', NULL, '{"kind": "incoming"}', '{inbox,team}', ARRAY[m.inbox_id, m.team_id]),
		(3, 'inbox.message', 'insert', '{conversation.reply}', NULL, '{"kind": "reply"}', '{inbox,team}', ARRAY[m.inbox_id, m.team_id]),
		(4, 'inbox.conversation', 'update', CASE WHEN m.dice % 7 = 0 THEN '{conversation.transfer}'::text[] ELSE '{conversation.label}' END,
			CASE WHEN m.dice % 7 = 0 THEN jsonb_build_object('team_id', 1 + m.dice % 40) ELSE '{"labels": []}' END,
			CASE WHEN m.dice % 7 = 0 THEN jsonb_build_object('team_id', m.team_id) ELSE '{"labels": ["vip"]}' END,
			'{inbox,team,team}', ARRAY[m.inbox_id, m.team_id, CASE WHEN m.dice % 7 = 0 THEN 1 + m.dice % 40 ELSE m.team_id END]),
		(6, 'inbox.conversation', 'update', '{conversation.close}', '{"status": "open"}', '{"status": "closed"}', '{inbox,team}', ARRAY[m.inbox_id, m.team_id])
	) AS e (n, relation, operation, actions, old, new, kinds, keys)
WHERE m.at > now() - interval '60 days' AND (e.n <> 6 OR m.status = 'closed') AND (e.n <> 1 OR m.assignee_id IS NOT NULL)
ORDER BY m.at;
DROP TABLE made;
GRANT USAGE ON SCHEMA inbox TO bench_reports;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO bench_reports;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.unit, chat_rbac.member TO bench_reports;
VACUUM (ANALYZE, FREEZE);

CREATE TABLE took (n integer, what text, who text, ms double precision, rows bigint);
CREATE PROCEDURE ask(n integer, what text, who text, identity text) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	ms double precision;
	answer bigint;
BEGIN
	PERFORM set_config('chat_rbac.identity', identity, false), set_config('role', 'bench_reports', false);
	began := clock_timestamp();
	EXECUTE format('SELECT count(r) FROM (SELECT * FROM inbox.%s OFFSET 0) AS r', what) INTO answer;	-- all columns are wanted
	ms := extract(epoch FROM clock_timestamp() - began) * 1e3;
	PERFORM set_config('role', 'none', false), set_config('chat_rbac.identity', '', false);
	INSERT INTO took VALUES (n, what, who, ms, answer);
END
$$;
SELECT format('CALL ask(%s, %L, %L, %L)', r.n, r.what, w.who, w.identity)
FROM generate_series(1, :turns) AS t,
	unnest('{report_agents,report_units,"report_agents(now() - interval ''30 days'')",report_waiting,report_workload,report_load,report_broadcasts,report_supervision,"report_activity LIMIT 50"}'::text[])
		WITH ORDINALITY AS r (what, n),
	(VALUES ('supervisor', '1/907'), ('admin', '1/901')) AS w (who, identity)
ORDER BY t, r.n, w.who \gexec

\pset footer off
SELECT what AS report, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE who = 'supervisor')) AS "supervisor, ms", max(rows) FILTER (WHERE who = 'supervisor') AS rows,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE who = 'admin')) AS "admin, ms", max(rows) FILTER (WHERE who = 'admin') AS rows
FROM took GROUP BY n, what ORDER BY n;

--
-- Reports on an inbox: what they count, and who is shown what
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
\set SHOW_CONTEXT never

SELECT chat_rbac.create_inbox('regress_inbox');
-- all as who asks, and seen through by the planner; all is said what it is
SELECT relname, reloptions, obj_description(oid, 'pg_class') IS NOT NULL AS commented FROM pg_class
 WHERE relnamespace = 'regress_inbox'::regnamespace AND relkind = 'v' ORDER BY relname;
SELECT oid::regprocedure, prosecdef, proconfig, provolatile, obj_description(oid, 'pg_proc') IS NOT NULL AS commented FROM pg_proc
 WHERE pronamespace = 'regress_inbox'::regnamespace ORDER BY oid::regprocedure::text;
SELECT resource, problems FROM chat_rbac.protections WHERE "table" = 'regress_inbox.reply_target'::regclass;
SELECT chat_rbac.create_reports('regress_nowhere'); -- fail
SELECT chat_rbac.create_reports('regress_inbox'); -- fail

-- What the reports read, and nothing else, is granted to who reads them
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_bi;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app, regress_chat_rbac_bi;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app, regress_chat_rbac_bi;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA regress_inbox TO regress_chat_rbac_app;
GRANT SELECT ON ALL TABLES IN SCHEMA regress_inbox TO regress_chat_rbac_bi;
GRANT SELECT ON chat_rbac.unit, chat_rbac.member, chat_rbac.audit_event TO regress_chat_rbac_bi;
SET search_path = regress_inbox;

--
-- EMEA with the teams Support and Sales and the inbox WhatsApp, the Americas with Support US and the inbox Web; another org with the same keys
--
SELECT chat_rbac.create_org('acme', 1) AS acme, chat_rbac.create_org('globex', 2) AS globex;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (1, 1, 'region', 1, NULL, 'EMEA'), (1, 2, 'team', 10, 1, 'Support'), (1, 3, 'team', 20, 1, 'Sales'), (1, 4, 'inbox', 5, 1, 'WhatsApp'),
  (1, 5, 'region', 2, NULL, 'Americas'), (1, 6, 'team', 30, 5, 'Support US'), (1, 7, 'inbox', 10, 5, 'Web'),
  (2, 1, 'region', 1, NULL, 'World'), (2, 2, 'team', 10, 1, 'All');
INSERT INTO chat_rbac.member (org_id, member_id, name)
SELECT 1, n, name FROM unnest('{Ada,Max,Sue,Ali,Ben,Tom,Vic,Aud,Tem,Mar,Una}'::text[]) WITH ORDINALITY m (name, n)
UNION ALL VALUES (2, 1, 'Bob'), (2, 4, 'Eve');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT v.org_id, v.m, r.role_id, v.u, CASE WHEN r.max_duration IS NULL THEN '(,)' ELSE tstzrange(now(), now() + r.max_duration) END
  FROM (VALUES (1, 1, 'Admin', NULL), (1, 2, 'Manager', 1), (1, 3, 'Supervisor', 2), (1, 4, 'Agent', 2), (1, 5, 'Agent', 2), (1, 6, 'Agent', 3), (1, 7, 'Viewer', NULL),
               (1, 8, 'Auditor', NULL), (1, 9, 'Temp', 2), (1, 10, 'Marketing', NULL), (1, 11, 'Agent', 6), (2, 1, 'Admin', NULL), (2, 4, 'Agent', 2)) v (org_id, m, role, u)
  JOIN chat_rbac.role r ON r.org_id = v.org_id AND r.name = v.role;

-- Half a minute more than said, so that a slow test does not show
CREATE FUNCTION public.regress_ago(span text) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() - span::interval - interval '30 seconds' $$;
INSERT INTO customer (org_id, id, name) VALUES (1, 1, 'Cid'), (2, 1, 'Dot');
-- 1: answered by Ali and closed; 2: Ben's, reopened; 3: given to Tom in Sales; 4: in the queue, nobody answered; 5: in the Americas; 6: Ali began it; 7: not routed, no message
-- 8: snoozed; 9: snoozed until a while ago; 10: closed before, with a late "thanks"; 11: opened two weeks ago, and answered since
INSERT INTO conversation (org_id, id, customer_id, initiated_by, inbox_id, team_id, assignee_id, status, snoozed_until, created_at) VALUES
  (1, 1, 1, 'customer', 5, 10, NULL, 'open', NULL, public.regress_ago('5 hours')), (1, 2, 1, 'customer', 5, 10, NULL, 'open', NULL, public.regress_ago('3 hours')),
  (1, 3, 1, 'customer', 5, 10, 4, 'open', NULL, public.regress_ago('2 hours')), (1, 4, 1, 'customer', 5, 10, NULL, 'open', NULL, public.regress_ago('90 min')),
  (1, 5, 1, 'customer', 10, 30, 11, 'open', NULL, public.regress_ago('4 hours')), (1, 6, 1, 'agent', 5, 10, 4, 'waiting', NULL, public.regress_ago('1 hour')),
  (1, 7, 1, 'customer', 5, NULL, NULL, 'open', NULL, public.regress_ago('20 min')), (1, 8, 1, 'customer', 5, 10, 5, 'snoozed', now() + interval '1 day', public.regress_ago('6 hours')),
  (1, 9, 1, 'customer', 5, 20, 6, 'snoozed', now() - interval '1 min', public.regress_ago('6 hours')), (1, 10, 1, 'customer', 5, 10, 5, 'closed', NULL, public.regress_ago('2 days')),
  (1, 11, 1, 'customer', 5, 20, 6, 'waiting', NULL, public.regress_ago('14 days')), (2, 1, 1, 'customer', 5, 10, 4, 'open', NULL, public.regress_ago('7 hours'));
INSERT INTO message (org_id, id, conversation_id, kind, author_id, body, sent_at) VALUES
  (1, 1, 1, 'incoming', NULL, 'Hello?', public.regress_ago('5 hours')), (1, 2, 1, 'note', 3, 'Who takes it?', public.regress_ago('290 min')), (1, 3, 1, 'reply', 4, 'Hi', public.regress_ago('280 min')),
  (1, 4, 1, 'reply', 4, 'What is it?', public.regress_ago('270 min')), (1, 5, 2, 'incoming', NULL, 'Hello?', public.regress_ago('3 hours')), (1, 6, 2, 'incoming', NULL, 'Hey!', public.regress_ago('170 min')),
  (1, 7, 2, 'reply', 5, 'Hi', public.regress_ago('2 hours')), (1, 8, 2, 'incoming', NULL, 'And?', public.regress_ago('70 min')), (1, 9, 2, 'incoming', NULL, 'And now?', public.regress_ago('10 min')),
  (1, 10, 3, 'incoming', NULL, 'A price?', public.regress_ago('2 hours')), (1, 11, 3, 'reply', 4, 'My colleague will tell', public.regress_ago('110 min')),
  (1, 12, 4, 'incoming', NULL, 'Anybody there?', public.regress_ago('90 min')), (1, 13, 5, 'incoming', NULL, 'Hola', public.regress_ago('4 hours')), (1, 14, 5, 'reply', 11, 'Hola', public.regress_ago('3 hours')),
  (1, 15, 5, 'incoming', NULL, 'Si', public.regress_ago('30 min')), (1, 16, 6, 'reply', 4, 'An offer', public.regress_ago('1 hour')), (1, 17, 8, 'incoming', NULL, 'Later', public.regress_ago('6 hours')),
  (1, 18, 9, 'incoming', NULL, 'Later', public.regress_ago('6 hours')), (1, 19, 10, 'incoming', NULL, 'Hi', public.regress_ago('2 days')), (1, 20, 10, 'reply', 5, 'Hi', public.regress_ago('2 days') + interval '5 min'),
  (1, 21, 10, 'incoming', NULL, 'Thanks', public.regress_ago('1 day')), (1, 22, 11, 'incoming', NULL, 'Hi', public.regress_ago('14 days')), (1, 23, 11, 'reply', 6, 'Hi', public.regress_ago('13 days')),
  (1, 24, 11, 'reply', 6, 'Still there?', public.regress_ago('1 day')), (2, 1, 1, 'incoming', NULL, 'Hello', public.regress_ago('7 hours'));
INSERT INTO broadcast (org_id, id, status, inbox_id, title, body, author_id, approved_by, created_at, send_at, sent_at) VALUES
  (1, 1, 'sent', 5, 'Sale', 'Buy', 10, 1, '2026-01-01', '2026-01-02', '2026-01-02 00:10'), (1, 2, 'sent', NULL, 'News', 'Read', 10, 1, '2026-01-03', NULL, '2026-01-05'),
  (1, 3, 'draft', 10, 'Venta', 'Compre', 10, NULL, '2026-01-04', NULL, NULL);

-- the day, as members: the trail has it
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/4';
UPDATE conversation SET assignee_id = 4 WHERE id = 1 AND assignee_id IS NULL;
UPDATE conversation SET status = 'closed', labels = '{done}' WHERE id = 1;
UPDATE conversation SET team_id = 20, assignee_id = 6 WHERE id = 3;
SET chat_rbac.identity = '1/5';
UPDATE conversation SET assignee_id = 5 WHERE id = 2 AND assignee_id IS NULL;
UPDATE conversation SET status = 'closed' WHERE id = 2;
UPDATE conversation SET status = 'open' WHERE id = 2;
SET chat_rbac.identity = '1/3';
SELECT chat_rbac.record_access('conversation', 2, 'a complaint', 'conversation.supervise') > 0 AS looked;
UPDATE conversation SET assignee_id = 4 WHERE id = 4;      -- Sue gives Ali one of the queue,
UPDATE conversation SET assignee_id = 5 WHERE id = 4;      -- and Ben instead
SET chat_rbac.identity = '1/1';
SELECT chat_rbac.record_access('conversation', 5) > 0 AS looked;
UPDATE conversation SET inbox_id = 10 WHERE id = 11;       -- out of WhatsApp, but still Sales'
INSERT INTO reply_target (team_id, reply_within) VALUES (10, '1 hour'), (30, '10 min');
INSERT INTO reply_target (inbox_id, reply_within) VALUES (5, '30 min'), (10, '2 hours');
RESET chat_rbac.identity;
RESET ROLE;

--
-- Targets are seen where report.view is held, also by agents, and kept by who holds settings.manage
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/4';
SELECT team_id, inbox_id, reply_within FROM reply_target ORDER BY id;
UPDATE reply_target SET reply_within = '1 day';
INSERT INTO reply_target (team_id, reply_within) VALUES (20, '1 day'); -- fail
SET chat_rbac.identity = '1/2';
SELECT team_id, inbox_id, reply_within FROM reply_target ORDER BY id;
INSERT INTO reply_target (team_id, reply_within) VALUES (20, '1 day'); -- fail
SET chat_rbac.identity = '1/9';
SELECT count(*) FROM reply_target;
SET chat_rbac.identity = '2/1';
SELECT count(*) FROM reply_target;
SET chat_rbac.identity = '1/1';
INSERT INTO reply_target (team_id, inbox_id, reply_within) VALUES (20, 5, '1 day'); -- fail
INSERT INTO reply_target (team_id, reply_within) VALUES (20, '0'); -- fail
INSERT INTO reply_target (team_id, reply_within) VALUES (10, '1 day'); -- fail
UPDATE reply_target SET enabled = false WHERE inbox_id = 10;
RESET chat_rbac.identity;
RESET ROLE;
-- who keeps some settings does not take a target to where they do not
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 900, 'Keeper', '{settings.manage, report.view}');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 12, 'Kim');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 12, 900, 3);
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/12';
INSERT INTO reply_target (team_id, reply_within) VALUES (20, '4 hours');
UPDATE reply_target SET team_id = 40; -- fail
UPDATE reply_target SET id = 99; -- fail
UPDATE reply_target SET reply_within = '3 hours';
RESET chat_rbac.identity;
RESET ROLE;

--
-- The reports, for each of them
--
CREATE VIEW public.regress_agents AS SELECT agent_id AS id, agent, handled, replies, first_responses AS first, first_response_median AS median, first_response_p90 AS p90,
       claimed, closed, date_trunc('minute', resolution_median) AS resolved, date_trunc('minute', resolution_p90) AS p90_, reopened, transferred_in AS "in", transferred_out AS out FROM report_agents;
CREATE VIEW public.regress_units AS SELECT unit, kind, opened, handled, replies, first_responses AS first, first_response_median AS median, first_response_p90 AS p90,
       claimed, closed, date_trunc('minute', resolution_median) AS resolved, date_trunc('minute', resolution_p90) AS p90_, reopened, transferred_in AS "in", transferred_out AS out FROM report_units;
CREATE VIEW public.regress_waiting AS SELECT conversation_id AS id, team, inbox, assignee, status, date_trunc('minute', waiting) AS waiting, target, date_trunc('minute', overdue) AS overdue FROM report_waiting;
ALTER VIEW public.regress_agents SET (security_invoker);
ALTER VIEW public.regress_units SET (security_invoker);
ALTER VIEW public.regress_waiting SET (security_invoker);
GRANT SELECT ON public.regress_agents, public.regress_units, public.regress_waiting TO regress_chat_rbac_bi;
SET ROLE regress_chat_rbac_bi;
SET search_path = regress_inbox, public;

\echo -- Ada, an admin: all
SET chat_rbac.identity = '1/1';
SELECT * FROM regress_agents;
SELECT * FROM regress_units;
SELECT * FROM regress_waiting;
SELECT * FROM report_workload;
SELECT * FROM report_load;
SELECT broadcast_id AS id, title, status, inbox, author, approver, sent_at, took, late FROM report_broadcasts;
SELECT supervisor, did, what, reason FROM report_supervision;
SELECT who, did, what, changes FROM report_activity WHERE actor_id > 0 AND what NOT LIKE 'reply target%';
\echo -- Max, manager of EMEA
SET chat_rbac.identity = '1/2';
SELECT * FROM regress_agents;
SELECT * FROM regress_units;
SELECT * FROM regress_waiting;
SELECT * FROM report_workload;
\echo -- Sue, supervisor of Support
SET chat_rbac.identity = '1/3';
SELECT * FROM regress_agents;
SELECT * FROM regress_units;
SELECT * FROM regress_waiting;
SELECT * FROM report_workload;
SELECT * FROM report_load;
SELECT count(*) FROM report_broadcasts;
SELECT supervisor, did, what, reason FROM report_supervision;
SELECT who, did, what, regexp_replace(changes, 'updated_at: .*', 'updated_at: ...') AS changes FROM report_activity WHERE actor_id > 0 LIMIT 5;
\echo -- Ali, an agent: own figures
SET chat_rbac.identity = '1/4';
SELECT * FROM regress_agents;
SELECT * FROM regress_waiting;
SELECT (SELECT count(*) FROM report_units) + (SELECT count(*) FROM report_workload) AS units;
SELECT * FROM report_load;
SELECT who, did, what FROM report_activity;
\echo -- Vic, a viewer: no trail
SET chat_rbac.identity = '1/7';
SELECT * FROM regress_agents;
SELECT unit, opened, replies, median, closed, resolved, reopened, "in", out FROM regress_units;
SELECT (SELECT count(*) FROM report_activity) + (SELECT count(*) FROM report_supervision) AS trail;
\echo -- Aud, an auditor: only the trail
SET chat_rbac.identity = '1/8';
SELECT * FROM regress_agents;
SELECT unit, opened, replies, median, closed, resolved, reopened, "in", out FROM regress_units;
SELECT (SELECT count(*) FROM report_waiting) + (SELECT count(*) FROM report_workload) + (SELECT count(*) FROM report_load) AS rows;
\echo -- Mar, of marketing
SET chat_rbac.identity = '1/10';
SELECT broadcast_id AS id, title, status, inbox, author, approver, took FROM report_broadcasts;
SELECT (SELECT count(*) FROM report_agents) + (SELECT count(*) FROM report_units) + (SELECT count(*) FROM report_waiting) + (SELECT count(*) FROM report_activity) AS others;
\echo -- of the other org
SET chat_rbac.identity = '2/1';
SELECT unit, opened, replies, closed FROM regress_units;
SELECT * FROM regress_waiting;
\echo -- Tem, who may see no report, though some rows; an unknown member; nobody
SET chat_rbac.identity = '1/9';
SELECT count(*) FROM report_facts('-infinity');
SELECT (SELECT count(*) FROM report_agents) + (SELECT count(*) FROM report_units) + (SELECT count(*) FROM report_waiting) + (SELECT count(*) FROM report_workload) + (SELECT count(*) FROM report_load)
     + (SELECT count(*) FROM report_broadcasts) + (SELECT count(*) FROM report_supervision) + (SELECT count(*) FROM report_activity) + (SELECT count(*) FROM report_scope) AS none;
SET chat_rbac.identity = '1/99';
SELECT (SELECT count(*) FROM report_agents) + (SELECT count(*) FROM report_units) + (SELECT count(*) FROM report_waiting) + (SELECT count(*) FROM report_workload) + (SELECT count(*) FROM report_load)
     + (SELECT count(*) FROM report_broadcasts) + (SELECT count(*) FROM report_supervision) + (SELECT count(*) FROM report_activity) + (SELECT count(*) FROM report_scope) AS none;
RESET chat_rbac.identity;
RESET ROLE;
\echo -- a superuser: nobody''s report has no row, and that of a member is of the org of that member
SELECT (SELECT count(*) FROM report_agents) + (SELECT count(*) FROM report_units) + (SELECT count(*) FROM report_waiting) + (SELECT count(*) FROM report_workload) + (SELECT count(*) FROM report_load)
     + (SELECT count(*) FROM report_broadcasts) + (SELECT count(*) FROM report_supervision) + (SELECT count(*) FROM report_activity) + (SELECT count(*) FROM report_scope) AS none;
SET chat_rbac.identity = '2/1';
SELECT unit, kind, opened FROM report_units;
SELECT conversation_id, assignee FROM report_waiting;
SET chat_rbac.identity = '1/3';
SELECT unit, opened, replies, closed FROM report_units;
RESET chat_rbac.identity;

--
-- Periods
--
SET ROLE regress_chat_rbac_bi;
SET chat_rbac.identity = '1/1';
SELECT agent, handled, replies, first_responses AS first, first_response_median AS median FROM report_agents(now() - interval '1 month') WHERE agent = 'Tom';
SELECT agent, handled, replies, first_responses AS first, first_response_median AS median FROM report_agents(now() - interval '1 month', now() - interval '7 days');
SELECT d, u.unit, u.opened, u.replies, u.closed FROM unnest('{15,14,2}'::int[]) d, report_units(now() - make_interval(days => d), now() - make_interval(days => d - 1)) u WHERE u.unit IN ('Sales', 'Support');
SELECT count(*) FROM report_agents('infinity');
SELECT count(*) FROM report_units(now(), now() - interval '1 day') WHERE replies > 0;
-- the planner sees through the functions
CREATE FUNCTION pg_temp.regress_plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT count(*) FROM unnest('{report_agents, report_units, report_supervision, report_facts()}'::text[]) r, pg_temp.regress_plan('SELECT * FROM ' || r) p WHERE p ~ 'Function Scan on report';
-- one plan for all
PREPARE agents AS SELECT agent, replies FROM report_agents;
SET plan_cache_mode = force_generic_plan;
SET chat_rbac.identity = '1/4'; EXECUTE agents;
SET chat_rbac.identity = '2/1'; EXECUTE agents;
SET chat_rbac.identity = '1/3'; EXECUTE agents;
RESET plan_cache_mode;
RESET chat_rbac.identity;
RESET ROLE;
-- without a privilege on what they read
REVOKE SELECT ON chat_rbac.audit_event FROM regress_chat_rbac_bi;
SET ROLE regress_chat_rbac_bi;
SELECT count(*) FROM report_agents; -- fail
SELECT count(*) FROM report_waiting;
RESET ROLE;

SET client_min_messages = warning;
DROP FUNCTION public.regress_ago(text);
DROP VIEW public.regress_agents, public.regress_units, public.regress_waiting;
DROP SCHEMA regress_inbox CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET search_path;
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_bi;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app, regress_chat_rbac_bi;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_bi;

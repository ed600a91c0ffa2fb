--
-- The reports on an inbox, compared with a model for every member of two orgs.
--
-- Schema model says in plain SQL over the plain tables, and the text of
-- permissions, who sees what and what there is to count; it calls no function
-- and reads no view of chat_rbac or of the reports.  Some members log in by
-- themselves, as BI tools do; everybody reads in a read-only subtransaction.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT plan(19);

SELECT chat_rbac.create_inbox('inbox');
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_bi_1;
CREATE ROLE regress_chat_rbac_bi_2;
CREATE ROLE regress_chat_rbac_bi_3;
CREATE ROLE regress_chat_rbac_bi_4;
CREATE ROLE regress_chat_rbac_bi_5;
GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_app, regress_chat_rbac_bi_1, regress_chat_rbac_bi_2, regress_chat_rbac_bi_3,
  regress_chat_rbac_bi_4, regress_chat_rbac_bi_5;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_app, regress_chat_rbac_bi_1, regress_chat_rbac_bi_2, regress_chat_rbac_bi_3,
  regress_chat_rbac_bi_4, regress_chat_rbac_bi_5;
GRANT SELECT ON chat_rbac.unit, chat_rbac.member, chat_rbac.audit_event TO regress_chat_rbac_app, regress_chat_rbac_bi_1, regress_chat_rbac_bi_2, regress_chat_rbac_bi_3,
  regress_chat_rbac_bi_4, regress_chat_rbac_bi_5;
CREATE SCHEMA model;

-- Arithmetic, the same each time
CREATE FUNCTION model.dice(sides int, what text, n bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT abs(hashtextextended(what, n) % sides)::int $$;

--
-- The orgs: teams and inboxes share keys, in the second one another tree, of which a branch is sealed
--
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('other', 2);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name)
SELECT o, u, kind, key, CASE o WHEN 1 THEN parent ELSE other END, 'Unit ' || u
  FROM generate_series(1, 2) o, (VALUES (1, 'region', 1, NULL, NULL), (2, 'department', 10, 1, NULL), (3, 'team', 10, 2, 2), (4, 'team', 20, 2, NULL), (5, 'team', 30, 1, 4),
       (6, 'team', 40, NULL, 5), (7, 'inbox', 10, 1, 2), (8, 'inbox', 20, NULL, 4), (9, 'team', 50, 5, 1)) v (u, kind, key, parent, other)
 ORDER BY o, u;
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 2 AND unit_id = 4;
CREATE TABLE model.person (member_id bigint, name text, role text, unit_id bigint, login regrole);
INSERT INTO model.person VALUES
  (1, 'owner', 'Owner', NULL, NULL), (2, 'admin', 'Admin', NULL, 'regress_chat_rbac_bi_1'), (3, 'manager', 'Manager', 1, 'regress_chat_rbac_bi_2'),
  (4, 'supervisor of a department', 'Supervisor', 2, 'regress_chat_rbac_bi_3'), (5, 'supervisor of an inbox', 'Supervisor', 7, NULL), (6, 'supervisor of all', 'Supervisor', NULL, NULL),
  (7, 'viewer', 'Viewer', NULL, NULL), (8, 'viewer of a team', 'Viewer', 3, NULL), (9, 'auditor', 'Auditor', NULL, 'regress_chat_rbac_bi_4'), (10, 'auditor of a region', 'Auditor', 1, NULL),
  (11, 'marketing', 'Marketing', NULL, NULL), (12, 'temp', 'Temp', 3, NULL), (13, 'service', 'Service', NULL, NULL), (14, 'finance', 'Finance', NULL, NULL), (15, 'nobody', NULL, NULL, NULL),
  (16, 'sales', 'Sales', 4, NULL), (17, 'agent everywhere', 'Agent', NULL, NULL), (18, 'reader', 'Reader', NULL, NULL), (19, 'reporter', 'Reporter', 2, NULL),
  (20, 'agent here, supervisor there', 'Agent', 3, NULL), (20, NULL, 'Supervisor', 5, NULL), (21, 'sees all, reports of one', 'Reader', NULL, NULL), (21, NULL, 'Reporter', 3, NULL),
  (22, 'audits one, sees another', 'Auditor', 4, NULL), (22, NULL, 'Viewer', 3, NULL);
INSERT INTO model.person SELECT 22 + n, 'agent ' || n, 'Agent', 3 + n % 4, CASE n WHEN 1 THEN 'regress_chat_rbac_bi_5'::regrole END FROM generate_series(1, 8) n;
UPDATE chat_rbac.role SET max_duration = NULL;
INSERT INTO chat_rbac.role (org_id, name, permissions)
SELECT o, r, p::chat_rbac.permset FROM generate_series(1, 2) o, (VALUES ('Reader', '{conversation.view, audit.view}'), ('Reporter', '{report.*, *.view@own, unit.view}')) v (r, p);
INSERT INTO chat_rbac.member (org_id, member_id, name, login)
SELECT o, member_id, name, CASE o WHEN 1 THEN login END FROM generate_series(1, 2) o, model.person WHERE name IS NOT NULL;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
SELECT r.org_id, p.member_id, r.role_id, p.unit_id FROM model.person p JOIN chat_rbac.role r ON r.name = p.role;

--
-- Conversations of the last 40 days, messages, targets, broadcasts, and events, of whoever
--
INSERT INTO inbox.customer (org_id, id, name) SELECT o, 1, 'Noor' FROM generate_series(1, 2) o;
ALTER TABLE inbox.conversation DISABLE TRIGGER USER;
ALTER TABLE inbox.message DISABLE TRIGGER USER;
INSERT INTO inbox.conversation (org_id, id, customer_id, initiated_by, inbox_id, team_id, assignee_id, status, snoozed_until, created_at)
SELECT o, n, 1, CASE model.dice(5, 'by', n) WHEN 0 THEN 'agent' ELSE 'customer' END, 10 * (1 + model.dice(3, 'inbox', n)),
       nullif(10 * model.dice(6, 'team', n), 0), CASE WHEN model.dice(4, 'free', n) > 0 THEN 1 + model.dice(30, 'who', n) END,
       (ARRAY['open', 'waiting', 'snoozed', 'closed', 'closed', 'closed'])[1 + model.dice(6, 'status', n)], now() + (model.dice(5, 'snooze', n) - 2) * interval '1 day' + interval '1 hour',
       now() - model.dice(40 * 86400, 'created', n) * interval '1 second'
  FROM generate_series(1, 2) o, generate_series(1, 250) n;
INSERT INTO inbox.participant (org_id, conversation_id, member_id)
SELECT DISTINCT o, n, 1 + model.dice(30, 'also', n) FROM generate_series(1, 2) o, generate_series(1, 250, 3) n;
-- some conversations have none, some begin with a reply or a note, some messages come in the same second
INSERT INTO inbox.message (org_id, id, conversation_id, kind, author_id, body, sent_at)
SELECT c.org_id, c.id * 10 + k, c.id, kind, CASE WHEN kind <> 'incoming' THEN 1 + model.dice(30, 'author', c.id * 10 + k) END, 'Hi',
       least(c.created_at + model.dice(3, 'later', c.id * 10 + k) * k * model.dice(40000, 'pause', c.id * 10 + k) * interval '1 second', now())
  FROM inbox.conversation c, generate_series(0, 7) k,
       LATERAL (SELECT (ARRAY['incoming', 'incoming', 'reply', 'reply', 'note'])[1 + model.dice(5, 'kind', c.id * 10 + k)]) v (kind)
 WHERE k < model.dice(9, 'length', c.id);
INSERT INTO inbox.reply_target (org_id, id, team_id, inbox_id, reply_within, enabled)
SELECT o, id, team, inbox, make_interval(hours => 7 - id::int), id <> 3 FROM generate_series(1, 2) o, (VALUES (1, 10, NULL), (2, 20, NULL), (3, 30, NULL), (4, NULL, 10), (5, NULL, 20)) v (id, team, inbox);
INSERT INTO inbox.broadcast (org_id, id, title, body, status, inbox_id, author_id, approved_by, created_at, send_at, sent_at)
SELECT o, n, 'Sale', 'Buy', CASE WHEN n % 3 = 0 THEN 'sent' ELSE 'draft' END, nullif(10 * (n % 4), 0), CASE n % 5 WHEN 0 THEN 11 WHEN 1 THEN 2 ELSE 3 + n END,
       CASE WHEN n % 3 = 0 THEN 1 END, '2026-01-01', '2026-01-03', CASE WHEN n % 3 = 0 THEN timestamptz '2026-01-02' + n * interval '2 hours' END
  FROM generate_series(1, 2) o, generate_series(1, 24) n;

CREATE TABLE model.event (event_id bigint PRIMARY KEY, org_id bigint, at timestamptz, actor_id bigint, tab text, id bigint, operation text, actions text[],
    was jsonb, becomes jsonb, team bigint, inbox bigint, to_team bigint, to_inbox bigint);
INSERT INTO model.event
SELECT -(n * 2 + o), o, date_trunc('second', now()) - model.dice(40 * 86400, 'at', n) * interval '1 second', CASE WHEN d.actor < 30 THEN 1 + d.actor END, d.tab, 1 + n % 250,
       CASE WHEN n % 11 = 0 THEN 'access' WHEN n % 13 = 0 THEN 'insert' ELSE 'update' END,
       CASE WHEN n % 11 = 0 THEN '{conversation.supervise}' WHEN d.claim THEN '{conversation.claim}' ELSE '{conversation.edit}' END::text[],
       CASE WHEN d.claim THEN '{"assignee_id": null}' WHEN d.assign THEN jsonb_build_object('assignee_id', nullif(model.dice(25, 'old', n), 0)) ELSE '{}' END
         || CASE WHEN d.close = 0 THEN '{"status": "open"}' WHEN d.close = 1 THEN '{"status": "closed"}' ELSE '{"labels": []}' END::jsonb
         || CASE WHEN d.team <> d.to_team OR (d.team IS NULL) <> (d.to_team IS NULL) THEN jsonb_build_object('team_id', d.team) ELSE '{}' END
         || CASE WHEN d.inbox <> d.to_inbox THEN jsonb_build_object('inbox_id', d.inbox) ELSE '{}' END,
       CASE WHEN d.claim THEN jsonb_build_object('assignee_id', 1 + d.actor) WHEN d.assign THEN jsonb_build_object('assignee_id', nullif(model.dice(31, 'new', n), 0)) ELSE '{}' END
         || CASE WHEN d.close = 0 THEN '{"status": "closed"}' WHEN d.close = 1 THEN '{"status": "waiting"}' ELSE '{"labels": ["vip"]}' END::jsonb
         || CASE WHEN d.team <> d.to_team OR (d.team IS NULL) <> (d.to_team IS NULL) THEN jsonb_build_object('team_id', d.to_team) ELSE '{}' END
         || CASE WHEN d.inbox <> d.to_inbox THEN jsonb_build_object('inbox_id', d.to_inbox) ELSE '{}' END,
       d.team, d.inbox, d.to_team, d.to_inbox
  FROM generate_series(1, 2) o, generate_series(1, 600) n,
       LATERAL (SELECT model.dice(32, 'actor', n) AS actor, (ARRAY['conversation', 'conversation', 'conversation', 'conversation', 'message', 'customer'])[1 + model.dice(6, 'tab', n)] AS tab,
                       model.dice(5, 'claim', n) = 0 AND model.dice(32, 'actor', n) < 30 AS claim, model.dice(3, 'assign', n) = 0 AS assign, model.dice(5, 'close', n) AS close,
                       nullif(10 * model.dice(6, 'from', n), 0) AS team, nullif(10 * CASE WHEN model.dice(3, 'moves', n) = 0 THEN model.dice(6, 'to', n) ELSE model.dice(6, 'from', n) END, 0) AS to_team,
                       10 * (1 + model.dice(3, 'in', n)) AS inbox, 10 * (1 + CASE WHEN model.dice(4, 'turns', n) = 0 THEN model.dice(3, 'into', n) ELSE model.dice(3, 'in', n) END) AS to_inbox) d;
-- the units before and after, each once, as the trail has them; a customer has none
INSERT INTO chat_rbac.audit_event (event_id, at, transaction_at, xid, org_id, actor_org_id, actor_id, incarnation, relation, command, depth, operation, actions,
                                   table_name, row_key, old, new, unit_kinds, unit_keys, actor_name, db_role, session_role, salt)
SELECT e.event_id, e.at, e.at, '1', e.org_id, CASE WHEN e.actor_id > 0 THEN e.org_id END, e.actor_id, '00000000-0000-0000-0000-000000000000', ('inbox.' || e.tab)::regclass, 0, 0,
       e.operation, e.actions, 'inbox.' || e.tab, e.id, CASE WHEN operation = 'update' THEN e.was END, CASE WHEN operation <> 'access' THEN e.becomes END,
       coalesce(u.kinds, '{}'), coalesce(u.keys, '{}'), 'M', 'app', 'app', '\x00'
  FROM model.event e, LATERAL (
       SELECT array_agg(kind ORDER BY kind, key), array_agg(key ORDER BY kind, key) FROM (
          SELECT 'team', e.team UNION SELECT 'team', e.to_team UNION SELECT 'inbox', e.inbox UNION SELECT 'inbox', e.to_inbox) x (kind, key)
        WHERE key IS NOT NULL AND e.tab <> 'customer') u (kinds, keys);
ANALYZE;

--
-- The model: who holds what where
--
CREATE TABLE model.held (o bigint, m bigint, what text, relation text, unit_id bigint);
INSERT INTO model.held
WITH RECURSIVE has (org_id, member_id, unit_id, role_id) AS (
    SELECT g.org_id, g.member_id, g.unit_id, g.role_id FROM chat_rbac.role_grant g JOIN chat_rbac.member m USING (org_id, member_id)
    UNION
    SELECT h.org_id, h.member_id, h.unit_id, i.junior_id FROM has h JOIN chat_rbac.role_inherit i ON i.org_id = h.org_id AND i.senior_id = h.role_id)
SELECT DISTINCT h.org_id, h.member_id, w, coalesce(nullif(split_part(p, '@', 2), ''), 'all'), h.unit_id
  FROM has h JOIN chat_rbac.role r USING (org_id, role_id), string_to_table(btrim(r.permissions::text, '{}'), ',') p,
       unnest('{conversation,report,audit,broadcast,unit}'::text[]) w
 WHERE split_part(p, '.', 1) IN (w, '*') AND split_part(split_part(p, '@', 1), '.', 2) IN ('view', '*');
CREATE TABLE model.below (o bigint, top bigint, unit_id bigint, kind text, key bigint);
INSERT INTO model.below
WITH RECURSIVE b (o, top, unit_id, kind, key) AS (
    SELECT org_id, unit_id, unit_id, kind, key FROM chat_rbac.unit
    UNION
    SELECT b.o, b.top, u.unit_id, u.kind, u.key FROM b JOIN chat_rbac.unit u ON u.org_id = b.o AND u.parent_id = b.unit_id)
SELECT * FROM b;
-- Where a row is, as 'inbox/10 team/20'; '' where it is nowhere
CREATE FUNCTION model.place(team bigint, inbox bigint, other_team bigint DEFAULT NULL, other_inbox bigint DEFAULT NULL) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg(DISTINCT u, ' ' ORDER BY u), '') FROM unnest(ARRAY['team/' || $1, 'inbox/' || $2, 'team/' || $3, 'inbox/' || $4]) u
$$;
CREATE TABLE model.place AS
SELECT model.place(nullif(t, 0), nullif(i, 0)) AS place FROM generate_series(0, 50, 10) t, generate_series(0, 30, 10) i
UNION SELECT model.place(team, inbox, to_team, to_inbox) FROM model.event UNION SELECT kind || '/' || key FROM chat_rbac.unit;
-- A grant reaches what is below its unit, until a seal; and one unit of a row that is under a seal and that none of the member's such grants reaches is enough
CREATE TABLE model.open (o bigint, top bigint, unit_id bigint, unit text);
INSERT INTO model.open
WITH RECURSIVE b (o, top, unit_id, unit) AS (
    SELECT org_id, unit_id, unit_id, kind || '/' || key FROM chat_rbac.unit
    UNION
    SELECT b.o, b.top, u.unit_id, u.kind || '/' || u.key FROM b JOIN chat_rbac.unit u ON u.org_id = b.o AND u.parent_id = b.unit_id WHERE NOT u.sealed)
SELECT * FROM b;
CREATE TABLE model.sealed AS
SELECT DISTINCT b.o, b.kind || '/' || b.key AS unit FROM model.below b JOIN chat_rbac.unit s ON s.org_id = b.o AND s.unit_id = b.top WHERE s.sealed;
CREATE TABLE model.right AS
SELECT DISTINCT h.o, h.m, h.what, h.relation, p.place
  FROM model.held h, model.place p
 WHERE (h.unit_id IS NULL OR EXISTS (SELECT FROM model.open b WHERE b.o = h.o AND b.top = h.unit_id AND b.unit = ANY (string_to_array(p.place, ' '))))
   AND NOT EXISTS (SELECT FROM model.sealed s WHERE s.o = h.o AND s.unit = ANY (string_to_array(p.place, ' ')) AND NOT EXISTS (
        SELECT FROM model.held r JOIN model.open b ON b.o = r.o AND b.top = r.unit_id WHERE (r.o, r.m, r.what, r.relation, b.unit) = (h.o, h.m, h.what, h.relation, s.unit)));
CREATE INDEX ON model.right (o, m, what, relation, place);
CREATE TABLE model.within AS
SELECT b.o, b.top, p.place FROM model.below b JOIN model.place p ON b.kind || '/' || b.key = ANY (string_to_array(p.place, ' '));
ANALYZE model.right, model.within;
CREATE FUNCTION model.may(o bigint, m bigint, what text, relation text, place text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM model.right r WHERE r.o = $1 AND r.m = $2 AND r.what = $3 AND r.relation = $4 AND r.place = $5)
$$;
CREATE TABLE model.seen AS
SELECT x.member_id AS m, c.*
  FROM chat_rbac.member x JOIN inbox.conversation c USING (org_id)
 WHERE model.may(org_id, x.member_id, 'conversation', 'all', model.place(team_id, inbox_id)) OR c.assignee_id = x.member_id AND model.may(org_id, x.member_id, 'conversation', 'own', model.place(team_id, inbox_id))
    OR c.assignee_id IS NULL AND model.may(org_id, x.member_id, 'conversation', 'unassigned', model.place(team_id, inbox_id))
    OR EXISTS (SELECT FROM inbox.participant p WHERE p.org_id = c.org_id AND p.conversation_id = c.id AND p.member_id = x.member_id)
       AND model.may(org_id, x.member_id, 'conversation', 'participating', model.place(team_id, inbox_id));
CREATE INDEX ON model.seen (org_id, m);
-- an event is where the row was and where it went; a customer is nowhere
CREATE FUNCTION model.event_place(e model.event) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN e.tab = 'customer' THEN '' ELSE model.place(e.team, e.inbox, e.to_team, e.to_inbox) END
$$;
-- where there is no unit, any right at all reaches what is one's own
CREATE FUNCTION model.event_own(o bigint, m bigint, what text, e model.event) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN e.tab = 'customer' THEN EXISTS (SELECT FROM model.held h WHERE h.o = $1 AND h.m = $2 AND h.what = $3 AND h.relation IN ('all', 'own'))
           ELSE model.may($1, $2, $3, 'own', model.event_place(e)) END
$$;
CREATE TABLE model.known AS
SELECT x.member_id AS m, e.*, model.may(org_id, x.member_id, 'report', 'all', model.event_place(e)) AS any_one, model.event_own(org_id, x.member_id, 'report', e) AS own
  FROM chat_rbac.member x JOIN model.event e USING (org_id)
 WHERE model.may(org_id, x.member_id, 'audit', 'all', model.event_place(e)) OR e.actor_id = x.member_id AND model.event_own(org_id, x.member_id, 'audit', e);
CREATE INDEX ON model.known (org_id, m);

-- What happened, as each of them may know it
CREATE TABLE model.fact AS
SELECT s.org_id AS o, s.m, 'opened' AS fact, s.created_at AS at, NULL::bigint AS agent, s.id, s.team_id AS team, s.inbox_id AS inbox, NULL::float8 AS took, NULL::bigint AS from_team, NULL::bigint AS from_inbox
  FROM model.seen s
UNION ALL
SELECT s.org_id, s.m, 'replied', r.sent_at, r.author_id, s.id, s.team_id, s.inbox_id,
       CASE WHEN s.initiated_by = 'customer' AND r.id = (SELECT x.id FROM inbox.message x WHERE x.org_id = s.org_id AND x.conversation_id = s.id AND x.kind = 'reply' ORDER BY x.sent_at, x.id LIMIT 1)
            THEN extract(epoch FROM r.sent_at - (SELECT min(x.sent_at) FROM inbox.message x
                                                  WHERE x.org_id = s.org_id AND x.conversation_id = s.id AND x.kind = 'incoming' HAVING min(x.sent_at) <= r.sent_at)) END, NULL, NULL
  FROM model.seen s JOIN inbox.message r ON r.org_id = s.org_id AND r.conversation_id = s.id AND r.kind = 'reply'
UNION ALL
SELECT k.org_id, k.m, v.fact, k.at, v.agent, k.id, k.to_team, k.to_inbox,
       CASE WHEN v.fact = 'closed' THEN (SELECT extract(epoch FROM k.at - s.created_at) FROM model.seen s WHERE s.org_id = k.org_id AND s.m = k.m AND s.id = k.id) END, k.team, k.inbox
  FROM model.known k, LATERAL (VALUES
       ('closed', k.actor_id, k.becomes ->> 'status' = 'closed'), ('reopened', k.actor_id, k.was ->> 'status' = 'closed'), ('claimed', k.actor_id, k.actions = '{conversation.claim}'),
       ('transferred', CASE WHEN k.was ? 'assignee_id' THEN (k.was ->> 'assignee_id')::bigint ELSE k.actor_id END, k.was ->> 'assignee_id' > '' OR k.was ? 'team_id' OR k.was ? 'inbox_id'),
       ('received', (k.becomes ->> 'assignee_id')::bigint, k.becomes ->> 'assignee_id' > '' AND coalesce(k.becomes ->> 'assignee_id' <> k.actor_id::text, true))) v (fact, agent, holds)
 WHERE k.tab = 'conversation' AND k.operation = 'update' AND v.holds;
CREATE TABLE model.counted AS
SELECT f.* FROM model.fact f
 WHERE model.may(o, m, 'report', 'all', model.place(team, inbox, from_team, from_inbox)) OR agent = m AND model.may(o, m, 'report', 'own', model.place(team, inbox, from_team, from_inbox));
CREATE INDEX ON model.counted (o, m);
-- in decimal, where halves are what they are
CREATE FUNCTION model.percentile(took float8[], p numeric) RETURNS interval LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    sorted numeric[] := ARRAY(SELECT x FROM unnest(took) x WHERE x IS NOT NULL ORDER BY x);
    n int := cardinality(sorted);
    low int := floor(p * (n - 1));
BEGIN
    IF n = 0 THEN RETURN NULL; END IF;
    RETURN make_interval(secs => round(sorted[low + 1] + (p * (n - 1) - low) * (sorted[least(low + 2, n)] - sorted[low + 1])));
END $$;
-- for the whole of a right: is there any?
CREATE FUNCTION model.any(o bigint, m bigint, what text, relations text[] DEFAULT NULL) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM model.held h WHERE h.o = $1 AND h.m = $2 AND h.what = $3 AND (relations IS NULL OR h.relation = ANY (relations)))
$$;
CREATE FUNCTION model.reports_at(o bigint, m bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT u.unit_id FROM chat_rbac.unit u WHERE u.org_id = o AND model.may($1, $2, 'report', 'all', kind || '/' || key) AND EXISTS (
        SELECT FROM model.held h LEFT JOIN model.open b ON b.o = h.o AND b.top = h.unit_id
         WHERE (h.o, h.m, h.what, h.relation) = ($1, $2, 'unit', 'all') AND (h.unit_id IS NULL OR b.unit_id = u.unit_id))
$$;

-- The reports of the model, as lines
CREATE FUNCTION model.agents(o bigint, m bigint, since timestamptz, until timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', agent, coalesce(CASE WHEN model.any($1, $2, 'conversation') THEN concat_ws('|', count(DISTINCT id) FILTER (WHERE fact = 'replied'), count(*) FILTER (WHERE fact = 'replied'),
               count(took) FILTER (WHERE fact = 'replied')) END, '-|-|-'),
           coalesce(model.percentile(array_agg(took) FILTER (WHERE fact = 'replied'), 0.5)::text, '-'), coalesce(model.percentile(array_agg(took) FILTER (WHERE fact = 'replied'), 0.9)::text, '-'),
           coalesce(CASE WHEN model.any($1, $2, 'audit') THEN concat_ws('|', count(*) FILTER (WHERE fact = 'claimed'), count(*) FILTER (WHERE fact = 'closed'), count(*) FILTER (WHERE fact = 'reopened'),
               count(*) FILTER (WHERE fact = 'transferred')) END, '-|-|-|-'),
           coalesce(model.percentile(array_agg(took) FILTER (WHERE fact = 'closed'), 0.5)::text, '-'), coalesce(model.percentile(array_agg(took) FILTER (WHERE fact = 'closed'), 0.9)::text, '-'),
           coalesce(CASE WHEN model.any($1, $2, 'audit', '{all}') THEN count(*) FILTER (WHERE fact = 'received') END::text, '-'))
      FROM model.counted f WHERE f.o = $1 AND f.m = $2 AND agent IS NOT NULL AND at >= since AND at < until GROUP BY agent
$$;
CREATE FUNCTION model.units(o bigint, m bigint, since timestamptz, until timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', u, coalesce(CASE WHEN model.any($1, $2, 'conversation') THEN concat_ws('|', count(*) FILTER (WHERE here AND fact = 'opened'), count(DISTINCT id) FILTER (WHERE here AND fact = 'replied'),
               count(*) FILTER (WHERE here AND fact = 'replied'), count(took) FILTER (WHERE here AND fact = 'replied')) END, '-|-|-|-'),
           coalesce(model.percentile(array_agg(took) FILTER (WHERE here AND fact = 'replied'), 0.5)::text, '-'),
           coalesce(model.percentile(array_agg(took) FILTER (WHERE here AND fact = 'replied'), 0.9)::text, '-'),
           coalesce(CASE WHEN model.any($1, $2, 'audit', '{all}') THEN concat_ws('|', count(*) FILTER (WHERE here AND fact = 'claimed'), count(*) FILTER (WHERE here AND fact = 'closed'),
               count(*) FILTER (WHERE here AND fact = 'reopened'), count(*) FILTER (WHERE here AND NOT there AND fact = 'transferred'), count(*) FILTER (WHERE there AND NOT here AND fact = 'transferred')) END, '-|-|-|-|-'),
           coalesce(model.percentile(array_agg(took) FILTER (WHERE here AND fact = 'closed'), 0.5)::text, '-'), coalesce(model.percentile(array_agg(took) FILTER (WHERE here AND fact = 'closed'), 0.9)::text, '-'))
      FROM model.reports_at($1, $2) u LEFT JOIN model.counted f ON f.o = $1 AND f.m = $2 AND at >= since AND at < until
      LEFT JOIN LATERAL (SELECT (u, model.place(team, inbox)) IN (SELECT top, place FROM model.within w WHERE w.o = $1) AS here,
                                (u, model.place(from_team, from_inbox)) IN (SELECT top, place FROM model.within w WHERE w.o = $1) AS there) x ON true
     GROUP BY u
$$;
CREATE FUNCTION model.facts(o bigint, m bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT format('%s %s %s %s %s %s %s %s %s', fact, at, agent, id, team, inbox, took, CASE WHEN fact = 'transferred' THEN from_team END, CASE WHEN fact = 'transferred' THEN from_inbox END)
      FROM model.counted f WHERE f.o = $1 AND f.m = $2
$$;
CREATE FUNCTION model.reported(o bigint, m bigint) RETURNS SETOF model.seen LANGUAGE sql STABLE AS $$
    SELECT s FROM model.seen s WHERE s.org_id = $1 AND s.m = $2 AND s.status <> 'closed'
       AND (model.may($1, $2, 'report', 'all', model.place(team_id, inbox_id)) OR s.assignee_id = $2 AND model.may($1, $2, 'report', 'own', model.place(team_id, inbox_id)))
$$;
CREATE FUNCTION model.waiting(o bigint, m bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', r.id, w.since, now() - w.since, coalesce(g.target::text, '-'), coalesce(CASE WHEN now() - w.since > g.target THEN now() - w.since - g.target END::text, '-'))
      FROM model.reported($1, $2) r,
           LATERAL (SELECT array_agg(kind ORDER BY sent_at, x.id) AS kinds, array_agg(sent_at ORDER BY sent_at, x.id) AS times FROM inbox.message x
                     WHERE x.org_id = $1 AND x.conversation_id = r.id AND kind <> 'note') t,
           -- the first since the last reply
           LATERAL (SELECT CASE WHEN t.kinds IS NULL THEN CASE WHEN r.initiated_by = 'customer' THEN r.created_at END
                                ELSE t.times[1 + coalesce((SELECT max(n) FROM generate_subscripts(t.kinds, 1) n WHERE t.kinds[n] = 'reply'), 0)] END) w (since),
           LATERAL (SELECT coalesce((SELECT reply_within FROM inbox.reply_target g WHERE g.org_id = $1 AND g.team_id = r.team_id AND enabled
                                        AND (model.may($1, $2, 'report', 'all', model.place(g.team_id, NULL)) OR model.may($1, $2, 'report', 'own', model.place(g.team_id, NULL)))),
                                    (SELECT reply_within FROM inbox.reply_target g WHERE g.org_id = $1 AND g.inbox_id = r.inbox_id AND enabled
                                        AND (model.may($1, $2, 'report', 'all', model.place(NULL, g.inbox_id)) OR model.may($1, $2, 'report', 'own', model.place(NULL, g.inbox_id)))))) g (target)
     WHERE NOT (r.status = 'snoozed' AND r.snoozed_until > now()) AND w.since IS NOT NULL
$$;
CREATE FUNCTION model.workload(o bigint, m bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', u, count(s.id) FILTER (WHERE assignee_id IS NULL), count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'snoozed'),
           count(DISTINCT assignee_id), coalesce(round(count(assignee_id)::numeric / nullif(count(DISTINCT assignee_id), 0), 1)::text, '-'))
      FROM model.reports_at($1, $2) u LEFT JOIN model.seen s ON s.org_id = $1 AND s.m = $2 AND s.status <> 'closed'
       AND (u, model.place(s.team_id, s.inbox_id)) IN (SELECT top, place FROM model.within w WHERE w.o = $1)
     WHERE model.any($1, $2, 'conversation') GROUP BY u
$$;
CREATE FUNCTION model.load(o bigint, m bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', assignee_id, count(*) FILTER (WHERE status = 'open'), count(*) FILTER (WHERE status = 'waiting'), count(*) FILTER (WHERE status = 'snoozed'))
      FROM model.reported($1, $2) WHERE assignee_id > 0 GROUP BY assignee_id
$$;
CREATE FUNCTION model.broadcasts(o bigint, m bigint) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT concat_ws('|', b.id, b.author_id, coalesce((b.sent_at - b.created_at)::text, '-'), coalesce(CASE WHEN b.sent_at > b.send_at THEN b.sent_at - b.send_at END::text, '-'))
      FROM inbox.broadcast b
     WHERE b.org_id = $1 AND NOT EXISTS (SELECT FROM unnest('{broadcast,report}'::text[]) w
        WHERE NOT (model.may($1, $2, w, 'all', model.place(NULL, b.inbox_id)) OR b.author_id = $2 AND model.may($1, $2, w, 'own', model.place(NULL, b.inbox_id))))
$$;
CREATE FUNCTION model.activity(o bigint, m bigint, which text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT k.event_id::text FROM model.known k WHERE k.org_id = $1 AND k.m = $2 AND (any_one OR k.actor_id = $2 AND own) AND (which IS NULL OR operation = which)
$$;

--
-- The comparison
--
CREATE FUNCTION model.shown(o bigint, m bigint, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    bi regrole := (SELECT login FROM chat_rbac.member WHERE org_id = o AND member_id = m);
    result text[];
BEGIN
    IF bi IS NULL THEN
        PERFORM set_config('chat_rbac.identity', o || '/' || m, true);
    END IF;
    PERFORM set_config('role', coalesce(bi::text, 'regress_chat_rbac_app'), true), set_config('transaction_read_only', 'on', true);
    EXECUTE 'SELECT coalesce(array_agg(r), ''{}'') FROM (' || query || ') q (r)' INTO result;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN result;
END $$;
CREATE TABLE model.tally (report text, m bigint, lines int);
CREATE FUNCTION model.differences(report text, query text, expected text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    p record;
    shown text[];
    wanted text[];
BEGIN
    FOR p IN SELECT * FROM chat_rbac.member ORDER BY org_id, member_id LOOP
        shown := model.shown(p.org_id, p.member_id, query);
        EXECUTE format('SELECT coalesce(array_agg(r), ''{}'') FROM model.%s r', format(expected, p.org_id, p.member_id)) INTO wanted;
        INSERT INTO model.tally VALUES (report, p.member_id, cardinality(wanted));
        RETURN QUERY (SELECT format('%s of org %s is shown %s', p.name, p.org_id, x) FROM (SELECT unnest(shown) EXCEPT ALL SELECT unnest(wanted)) d (x)
                      UNION ALL SELECT format('%s of org %s is not shown %s', p.name, p.org_id, x) FROM (SELECT unnest(wanted) EXCEPT ALL SELECT unnest(shown)) d (x));
    END LOOP;
END $$;

\set agents 'SELECT concat_ws(''|'', agent_id, coalesce(handled::text, ''-''), coalesce(replies::text, ''-''), coalesce(first_responses::text, ''-''), coalesce(first_response_median::text, ''-''), coalesce(first_response_p90::text, ''-''), coalesce(claimed::text, ''-''), coalesce(closed::text, ''-''), coalesce(reopened::text, ''-''), coalesce(transferred_out::text, ''-''), coalesce(resolution_median::text, ''-''), coalesce(resolution_p90::text, ''-''), coalesce(transferred_in::text, ''-'')) FROM inbox.report_agents'
\set units 'SELECT concat_ws(''|'', unit_id, coalesce(opened::text, ''-''), coalesce(handled::text, ''-''), coalesce(replies::text, ''-''), coalesce(first_responses::text, ''-''), coalesce(first_response_median::text, ''-''), coalesce(first_response_p90::text, ''-''), coalesce(claimed::text, ''-''), coalesce(closed::text, ''-''), coalesce(reopened::text, ''-''), coalesce(transferred_in::text, ''-''), coalesce(transferred_out::text, ''-''), coalesce(resolution_median::text, ''-''), coalesce(resolution_p90::text, ''-'')) FROM inbox.report_units'
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'agents', :'agents', 'agents(%s, %s, now() - interval ''7 days'', ''infinity'')'), 'agents, by the view');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'agents', :'agents' || '(now() - interval ''30 days'', now() - interval ''10 days'')', 'agents(%s, %s, now() - interval ''30 days'', now() - interval ''10 days'')'), 'agents, of a period');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'agents', :'agents' || '(''-infinity'')', 'agents(%s, %s, ''-infinity'', ''infinity'')'), 'agents, of all time');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'units', :'units', 'units(%s, %s, now() - interval ''7 days'', ''infinity'')'), 'units, by the view');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'units', :'units' || '(now() - interval ''30 days'', now() - interval ''10 days'')', 'units(%s, %s, now() - interval ''30 days'', now() - interval ''10 days'')'), 'units, of a period');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'units', :'units' || '(''-infinity'')', 'units(%s, %s, ''-infinity'', ''infinity'')'), 'units, of all time');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'facts',
    'SELECT format(''%s %s %s %s %s %s %s %s %s'', fact, at, agent_id, conversation_id, team_id, inbox_id, extract(epoch FROM took)::float8,
         CASE fact WHEN ''transferred'' THEN from_team_id END, CASE fact WHEN ''transferred'' THEN from_inbox_id END) FROM inbox.report_facts(''-infinity'')', 'facts(%s, %s)'), 'the facts');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'waiting',
    'SELECT concat_ws(''|'', conversation_id, waiting_since, waiting, coalesce(target::text, ''-''), coalesce(overdue::text, ''-'')) FROM inbox.report_waiting', 'waiting(%s, %s)'), 'who waits');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'workload',
    'SELECT concat_ws(''|'', unit_id, queue, open, waiting, snoozed, agents, coalesce(per_agent::text, ''-'')) FROM inbox.report_workload', 'workload(%s, %s)'), 'workload of units');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'load', 'SELECT concat_ws(''|'', agent_id, open, waiting, snoozed) FROM inbox.report_load', 'load(%s, %s)'), 'load of agents');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'broadcasts',
    'SELECT concat_ws(''|'', broadcast_id, author_id, coalesce(took::text, ''-''), coalesce(late::text, ''-'')) FROM inbox.report_broadcasts', 'broadcasts(%s, %s)'), 'broadcasts');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'activity', 'SELECT event_id FROM inbox.report_activity WHERE event_id < 0', 'activity(%s, %s, NULL)'), 'activity');
SELECT is_empty(format('SELECT model.differences(%L, %L, %L)', 'supervision', 'SELECT event_id FROM inbox.report_supervision(''-infinity'') WHERE event_id < 0', 'activity(%s, %s, ''access'')'), 'supervision');
-- the longest wait first
SELECT is_empty($$SELECT FROM (SELECT since, lag(since) OVER () AS before FROM unnest(model.shown(1, 2, 'SELECT waiting_since FROM inbox.report_waiting')) s, CAST(s AS timestamptz) since) x WHERE since < before$$, 'the longest wait first');

-- a sealed unit has no row for those above it
SELECT is((SELECT array_agg(r ORDER BY r) FROM unnest(model.shown(2, 2, 'SELECT unit_id FROM inbox.report_units')) r), '{1,2,3,7,9}', 'no report on what is sealed');

-- And the test saw something: who must have figures has, who must not has none, and they differ
SELECT bag_eq($$SELECT DISTINCT p.name FROM model.tally t JOIN chat_rbac.member p ON p.org_id = 1 AND p.member_id = t.m GROUP BY p.name HAVING sum(lines) = 0$$,
    $$VALUES ('finance'), ('nobody'), ('service'), ('temp'), ('reader')$$, 'no report for those without report.view, or without rows');
SELECT bag_eq($$SELECT report FROM model.tally GROUP BY report HAVING count(DISTINCT m) FILTER (WHERE lines > 0) >= 5 AND sum(lines) > 50$$,
    $$VALUES ('agents'), ('units'), ('facts'), ('waiting'), ('workload'), ('load'), ('broadcasts'), ('activity'), ('supervision')$$, 'every report was shown to many');
SELECT cmp_ok((SELECT count(DISTINCT line) FROM model.person p, LATERAL (SELECT string_agg(a, E'\n' ORDER BY a) FROM model.agents(1, p.member_id, '-infinity', 'infinity') a) x (line)), '>=', 15::bigint,
    'members are shown different figures');
SELECT bag_eq($$SELECT fact FROM model.counted GROUP BY fact HAVING count(*) > 100$$, $$VALUES ('opened'), ('replied'), ('closed'), ('reopened'), ('claimed'), ('transferred'), ('received')$$, 'everything happened');

SELECT * FROM finish();
ROLLBACK;

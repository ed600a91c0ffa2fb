--
-- Plans: policies are conditions that the planner can read, and stay right in a cached plan
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- Sanity: a function in a policy is LEAKPROOF, or it keeps other conditions from
-- indexes; STABLE, or its answer could be folded into a plan (none may show)
SELECT p.oid::regprocedure AS function, provolatile, proparallel, proleakproof
  FROM pg_proc p
 WHERE pronamespace = 'chat_rbac'::regnamespace
   AND (proname ~ '^in_(org_|unit_|member_)?scope$' OR proname IN ('org_scope', 'member_scope', 'unit_scope', 'members_scope', 'link_scope', 'in_link', 'is_member', 'current_org', 'current_member'))
   AND (provolatile <> 's' OR proparallel <> 's' OR NOT proleakproof);

-- A plan as one line: its nodes, and the indexes that they use (of a BitmapOr, all below it)
CREATE FUNCTION regress_shape(plan json) RETURNS text LANGUAGE sql AS $$
  SELECT CASE plan ->> 'Node Type' WHEN 'BitmapOr' THEN
           format('BitmapOr of %s', (SELECT string_agg(DISTINCT i[1], ', ' ORDER BY i[1]) FROM regexp_matches(plan::text, '"Index Name": "([^"]*)"', 'g') i))
         ELSE
           concat(plan ->> 'Node Type', ' ' || coalesce(plan ->> 'Index Name', plan ->> 'Alias'), CASE WHEN plan ->> 'Scan Direction' = 'Backward' THEN ' backward' END,
                  (SELECT format(' (%s)', string_agg(regress_shape(child), ', ')) FROM json_array_elements(plan -> 'Plans') child HAVING count(*) > 0))
         END
$$;
CREATE FUNCTION regress_plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    RETURN regress_shape(plan #> '{0,Plan}');
END $$;
-- What the planner expects of a query, as a multiple of what comes
CREATE FUNCTION regress_estimate(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ' || query INTO plan;
    RETURN round((plan #>> '{0,Plan,Plan Rows}')::numeric / greatest((plan #>> '{0,Plan,Actual Rows}')::numeric, 1), 1);
END $$;

CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;

--
-- An org of 20 teams in 2 departments, with 400 agents, and 10 small orgs.
-- ANALYZE reads all rows of tables of this size, so plans do not vary.
--
SELECT chat_rbac.create_org('org ' || n, n) IS NULL AS no_org FROM generate_series(1, 11) n GROUP BY 1;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name)
  SELECT 1, 100 + d, 'department', d, NULL, 'Department ' || d FROM generate_series(1, 2) d
  UNION ALL SELECT 1, t, 'team', 1000 + t, 101 + (t - 1) / 16, 'Team ' || t FROM generate_series(1, 20) t
  UNION ALL SELECT 1, 50, 'inbox', 7, NULL, 'Rare inbox';
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, n, 'Agent ' || n FROM generate_series(1, 400) n
  UNION ALL VALUES (1, 501, 'Head of 16 teams'), (1, 502, 'Head of 1 team'), (1, 503, 'Admin'), (1, 504, 'Without grants'), (2, 1, 'Elsewhere');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
  SELECT 1, m, r.role_id, u
    FROM (SELECT n, 'Agent', 1 + n % 20 FROM generate_series(1, 400) n
          UNION ALL VALUES (501, 'Supervisor', 101), (502, 'Supervisor', 3), (503, 'Admin', NULL)) v (m, role, u)
    JOIN chat_rbac.role r ON r.org_id = 1 AND r.name = role;

CREATE SCHEMA regress_inbox;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
CREATE TABLE regress_inbox.conversation (
  org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint, inbox_id bigint, assignee_id bigint, customer_id bigint, body text, last_message_at timestamptz NOT NULL, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.participant (org_id bigint, conversation_id bigint, member_id bigint, PRIMARY KEY (org_id, member_id, conversation_id));
CREATE TABLE regress_inbox.message (org_id bigint, id bigint, conversation_id bigint, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.customer (org_id bigint, id bigint, owner_id bigint, PRIMARY KEY (org_id, id));
-- 20,000 conversations of the org and 10,000 of the others; of each team's, 20 of 1,000 wait and the rest is shared by its 20 agents
INSERT INTO regress_inbox.conversation
  SELECT o, id, 1001 + id % 20, CASE WHEN id % 1000 = 0 THEN 7 ELSE 8 + id % 3 END, CASE WHEN id / 20 % 50 > 0 THEN (id % 20 + 19) % 20 + 1 + 20 * (id / 20 % 20) END,
         id % 3000, 'body ' || id, '2026-01-01'::timestamptz + (id * 7919 % 30011) * interval '1 minute'
    FROM (SELECT CASE WHEN n <= 20000 THEN 1 ELSE 2 + n % 10 END, n FROM generate_series(1, 30000) n) v (o, id);
INSERT INTO regress_inbox.participant SELECT 1, id, (id % 20 + 19) % 20 + 1 + 20 * ((id / 20 + 7) % 20) FROM regress_inbox.conversation WHERE org_id = 1 AND id % 7 = 0;
INSERT INTO regress_inbox.message SELECT org_id, id * 10 + n, id FROM regress_inbox.conversation, generate_series(0, 1) n WHERE id % 2 = 1;
INSERT INTO regress_inbox.customer SELECT 1, id, CASE WHEN id % 5 = 0 THEN 1 + id / 5 % 400 END FROM generate_series(0, 2999) id;
CREATE INDEX conversation_newest ON regress_inbox.conversation (org_id, last_message_at);
CREATE INDEX conversation_team ON regress_inbox.conversation (org_id, team_id);
CREATE INDEX conversation_inbox ON regress_inbox.conversation (org_id, inbox_id);
CREATE INDEX conversation_assignee ON regress_inbox.conversation (org_id, assignee_id);
CREATE INDEX conversation_waiting ON regress_inbox.conversation (org_id, team_id) WHERE assignee_id IS NULL;
CREATE INDEX message_conversation ON regress_inbox.message (org_id, conversation_id);
CREATE INDEX customer_owner ON regress_inbox.customer (org_id, owner_id);
GRANT SELECT ON ALL TABLES IN SCHEMA regress_inbox TO regress_chat_rbac_app;
VACUUM ANALYZE regress_inbox.conversation, regress_inbox.participant, regress_inbox.message, regress_inbox.customer;

SELECT chat_rbac.protect('regress_inbox.conversation', '{
  "resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
  "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null},
                "participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
SELECT chat_rbac.protect('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
SELECT chat_rbac.protect('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations":
  {"own": {"owner_id": "$member"}, "linked": {"linked": {"table": "regress_inbox.conversation", "column": "customer_id"}}}}');

\set newest 'SELECT id FROM regress_inbox.conversation ORDER BY last_message_at DESC LIMIT 50'
\set all 'SELECT * FROM regress_inbox.conversation'
SET ROLE regress_chat_rbac_app;

--
-- One policy, and the plan that suits who asks
--
-- an agent: the union of what the arms find in their indexes
SET chat_rbac.identity = '1/5';
SELECT regress_plan(:'newest'), regress_estimate(:'all') BETWEEN 0.5 AND 2 AS estimated;
SELECT count(*), count(*) FILTER (WHERE assignee_id = 5) AS own, count(*) FILTER (WHERE assignee_id IS NULL) AS waiting,
       count(*) FILTER (WHERE assignee_id <> 5) AS taken_part_in FROM regress_inbox.conversation;
-- who sees all of the org: the newest come from the index in their order
SET chat_rbac.identity = '1/503';
SELECT regress_plan(:'newest'), regress_estimate(:'all') BETWEEN 0.5 AND 2 AS estimated;
SELECT count(*) FROM regress_inbox.conversation;
-- the head of most teams: the same, and those of other teams are passed over
SET chat_rbac.identity = '1/501';
SELECT regress_plan(:'newest'), regress_estimate(:'all') BETWEEN 0.5 AND 2 AS estimated;
SELECT count(*) FROM regress_inbox.conversation;
-- the head of one team
SET chat_rbac.identity = '1/502';
SELECT regress_plan(:'all'), regress_estimate(:'all') BETWEEN 0.5 AND 2 AS estimated;
SELECT count(*) FROM regress_inbox.conversation;
-- a member without a grant, and nobody: no row is read
SET chat_rbac.identity = '1/504';
SELECT regress_plan(:'newest');
SELECT count(*) FROM regress_inbox.conversation;
RESET chat_rbac.identity;
SELECT regress_plan(:'newest');
SELECT count(*) FROM regress_inbox.conversation;

-- a row by its key, the messages of a conversation, customers of one's conversations
SET chat_rbac.identity = '1/5';
SELECT regress_plan('SELECT * FROM regress_inbox.conversation WHERE org_id = 1 AND id = 25');
SELECT regress_plan('SELECT * FROM regress_inbox.message WHERE org_id = 1 AND conversation_id = 405');
SELECT regress_plan('SELECT * FROM regress_inbox.customer');
SELECT (SELECT count(*) FROM regress_inbox.message WHERE conversation_id = 405) AS messages, (SELECT count(*) FROM regress_inbox.customer) AS customers;

--
-- A cached plan is right for whoever runs it, whoever it was made for
--
SET plan_cache_mode = force_generic_plan;
PREPARE rows AS SELECT count(*), count(*) FILTER (WHERE assignee_id IS DISTINCT FROM 5) AS of_others, count(*) FILTER (WHERE org_id <> 1) AS elsewhere FROM regress_inbox.conversation;
SET chat_rbac.identity = '1/5';
EXECUTE rows;
SET chat_rbac.identity = '1/25';
EXECUTE rows;
SET chat_rbac.identity = '1/503';
EXECUTE rows;
SET chat_rbac.identity = '1/502';
EXECUTE rows;
SET chat_rbac.identity = '1/504';
EXECUTE rows;
RESET chat_rbac.identity;
EXECUTE rows;
SET chat_rbac.identity = '1/5';
EXECUTE rows;
SET chat_rbac.active_roles = 'Agent';
EXECUTE rows;
RESET chat_rbac.active_roles;
SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'rows';
DEALLOCATE rows;
-- the other way round: made for who sees all, for nobody
SET chat_rbac.identity = '1/503';
PREPARE newest AS SELECT string_agg(id::text, ' ') FROM (SELECT id FROM regress_inbox.conversation ORDER BY last_message_at DESC LIMIT 5) v;
EXECUTE newest;
SET chat_rbac.identity = '1/5';
EXECUTE newest;
DEALLOCATE newest;
RESET chat_rbac.identity;
PREPARE newest AS SELECT string_agg(id::text, ' ') FROM (SELECT id FROM regress_inbox.conversation ORDER BY last_message_at DESC LIMIT 5) v;
EXECUTE newest;
SET chat_rbac.identity = '1/503';
EXECUTE newest;
SET chat_rbac.identity = '1/5';
EXECUTE newest;
DEALLOCATE newest;
RESET plan_cache_mode;
-- a view, a function in SQL, a cursor
RESET ROLE;
CREATE VIEW regress_inbox.mine WITH (security_invoker) AS SELECT * FROM regress_inbox.conversation;
CREATE FUNCTION regress_inbox.how_many() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM regress_inbox.conversation';
GRANT SELECT ON regress_inbox.mine TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT count(*), regress_inbox.how_many() FROM regress_inbox.mine;
SELECT set_config('chat_rbac.identity', i, false) AS identity, regress_inbox.how_many() FROM unnest('{1/502,1/503,1/504,2/1,1/5}'::text[]) i;

--
-- Queries of one's own may use the same functions.  An index in which the unit
-- column comes second would be scanned once for each unit, and not give rows in
-- the order of the first: it is taken for the order only, or for neither.
--
RESET ROLE;
CREATE TABLE regress_inbox.event (id bigint PRIMARY KEY, created_at timestamptz NOT NULL, team_id bigint);
INSERT INTO regress_inbox.event SELECT n, '2026-01-01'::timestamptz + (n * 7919 % 5003) * interval '1 minute', 1001 + n % 20 FROM generate_series(1, 5000) n;
CREATE INDEX event_created_team ON regress_inbox.event (created_at, team_id);
ALTER TABLE regress_inbox.event OWNER TO regress_chat_rbac_app;
VACUUM ANALYZE regress_inbox.event;
GRANT CREATE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/501';
\set mine 'FROM regress_inbox.event WHERE chat_rbac.in_unit_scope(team_id, ''{conversation.view}'', ''all'', ''team'')'
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SELECT count(*), count(*) FILTER (WHERE created_at < before) AS out_of_order
  FROM (SELECT created_at, lag(created_at) OVER () AS before FROM (SELECT created_at :mine ORDER BY created_at OFFSET 0) v) w;
SELECT count(*), count(*) FILTER (WHERE created_at > before) AS out_of_order
  FROM (SELECT created_at, lag(created_at) OVER () AS before FROM (SELECT created_at :mine ORDER BY created_at DESC LIMIT 1000) v) w;
-- where the first is tied to one value, the second is of use; and where the unit comes first
SET enable_indexscan = off;
SET enable_bitmapscan = on;
EXPLAIN (COSTS OFF) SELECT id :mine AND created_at = '2026-01-02';
DROP INDEX regress_inbox.event_created_team;
CREATE INDEX event_team_created ON regress_inbox.event (team_id, created_at);
EXPLAIN (COSTS OFF) SELECT id :mine AND created_at > '2026-01-02';
SELECT count(*) :mine AND created_at > '2026-01-02';
RESET enable_seqscan;
RESET enable_indexscan;
RESET enable_sort;

--
-- A condition of the user's that could tell of rows is tried on visible rows only
--
RESET ROLE;
CREATE FUNCTION regress_leaky(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END $$;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/5';
SET client_min_messages = notice;
SELECT id FROM regress_inbox.conversation WHERE regress_leaky(body) AND id BETWEEN 1 AND 1000 ORDER BY id;
SELECT count(*) FROM regress_inbox.conversation WHERE id < 1000 AND 1 / (CASE WHEN org_id = 1 AND team_id = 1006 THEN 1 ELSE 0 END) > 0;
SELECT m.id FROM regress_inbox.message m JOIN regress_inbox.conversation c USING (org_id) WHERE c.id = m.conversation_id AND regress_leaky(m.id::text) AND m.id < 5000 ORDER BY 1;
RESET client_min_messages;

-- Clean up
RESET ROLE;
RESET chat_rbac.identity;
SET client_min_messages = warning;
DROP SCHEMA regress_inbox CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP FUNCTION regress_plan(text), regress_estimate(text), regress_shape(json), regress_leaky(text);
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

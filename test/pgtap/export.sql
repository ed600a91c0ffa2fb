--
-- Export: what may leave in bulk, compared with the rows.
--
-- Members with random grants ask for all rows that they see, where two are too
-- many without the right to export them.  Schema model says in plain SQL, over
-- what the test has made up, which rows they see and which they may export, row
-- by row, and calls no function of chat_rbac.  Who is let through may export
-- each row that he sees; and who is not has a grant that shows rows and no
-- grant that exports them wherever that one reaches.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT plan(7);
SELECT setseed(0.7);

CREATE SCHEMA model;
CREATE ROLE regress_chat_rbac_app;
SELECT chat_rbac.create_org('export', 1) \g /dev/null

-- Sixteen units of two kinds, three trees, some sealed
CREATE TABLE model.unit (unit_id bigint PRIMARY KEY, parent_id bigint, kind text, sealed boolean);
INSERT INTO model.unit SELECT i, CASE WHEN i > 3 THEN 1 + floor(random() * (i - 1)) END, CASE WHEN i % 3 = 0 THEN 'inbox' ELSE 'team' END, i > 1 AND random() < 0.25
FROM generate_series(1, 16) AS i;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name, sealed) SELECT 1, unit_id, kind, parent_id, 'u' || unit_id, sealed FROM model.unit ORDER BY unit_id;

-- Roles: what they hold by themselves, and whom they inherit from
CREATE TABLE model.permission (role_id bigint, action text, relation text);
INSERT INTO model.permission
SELECT DISTINCT r, (ARRAY['view', 'view', 'export'])[1 + floor(random() * 3)], (ARRAY['all', 'own', 'unassigned'])[1 + floor(random() * 3)]
FROM generate_series(101, 124) AS r, generate_series(1, 3);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT 1, role_id, 'r' || role_id, array_agg('conversation.' || action || CASE WHEN relation <> 'all' THEN '@' || relation ELSE '' END)::chat_rbac.permset
FROM model.permission GROUP BY role_id;
CREATE TABLE model.inherit (senior_id bigint, junior_id bigint);
INSERT INTO model.inherit SELECT DISTINCT r, r + 1 + floor(random() * (124 - r))::bigint FROM generate_series(101, 123, 2) AS r;
INSERT INTO chat_rbac.role_inherit SELECT 1, * FROM model.inherit;

-- Members with one to five grants, some for the whole org
CREATE TABLE model.granted (member_id bigint, role_id bigint, unit_id bigint);
INSERT INTO model.granted
SELECT m, 101 + floor(random() * 24), CASE WHEN random() < 0.75 THEN 1 + floor(random() * 16) END FROM generate_series(1, 150) AS m, generate_series(1, 1 + m % 5);
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, m, 'm' || m FROM generate_series(1, 150) AS m;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT DISTINCT 1, * FROM model.granted;

CREATE TABLE model.conversation (org_id bigint, id bigint PRIMARY KEY, team_id bigint, inbox_id bigint, assignee_id bigint);
INSERT INTO model.conversation
SELECT 1, i, (SELECT unit_id FROM model.unit WHERE kind = 'team' AND i > 0 ORDER BY random() LIMIT 1), (SELECT unit_id FROM model.unit WHERE kind = 'inbox' AND i > 0 ORDER BY random() LIMIT 1),
  CASE WHEN random() < 0.8 THEN 1 + floor(random() * 150) END
FROM generate_series(1, 250) AS i;
--
-- The model
--
-- Where a grant reaches: its unit and those below it, to the next seal
CREATE TABLE model.reach AS
WITH RECURSIVE b (top, unit_id) AS (
  SELECT unit_id, unit_id FROM model.unit
  UNION ALL
  SELECT b.top, u.unit_id FROM b JOIN model.unit u ON u.parent_id = b.unit_id AND NOT u.sealed)
SELECT * FROM b;
CREATE TABLE model.sealed AS
WITH RECURSIVE b (unit_id) AS (
  SELECT unit_id FROM model.unit WHERE sealed
  UNION
  SELECT u.unit_id FROM b JOIN model.unit u ON u.parent_id = b.unit_id)
SELECT * FROM b;
-- Rows at two sealed units at once are matrix.sql's
DELETE FROM model.conversation WHERE team_id IN (SELECT unit_id FROM model.sealed) AND inbox_id IN (SELECT unit_id FROM model.sealed);
-- What each grant carries, by its role and the juniors
CREATE TABLE model.held AS
WITH RECURSIVE c (role_id, has) AS (
  SELECT DISTINCT role_id, role_id FROM model.permission
  UNION
  SELECT c.role_id, i.junior_id FROM c JOIN model.inherit i ON i.senior_id = c.has)
SELECT DISTINCT g.member_id, g.unit_id, p.action, p.relation FROM model.granted g JOIN c ON c.role_id = g.role_id JOIN model.permission p ON p.role_id = c.has;
CREATE INDEX ON model.held (member_id);
-- Rows on which an action is held: a grant reaches the row, and each sealed unit of it is reached by one, with one relation
CREATE FUNCTION model.rows_of(m bigint, act text) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
  SELECT c.id FROM model.conversation c
  WHERE EXISTS (SELECT FROM (VALUES ('all'), ('own'), ('unassigned')) AS r (relation)
    WHERE CASE r.relation WHEN 'own' THEN c.assignee_id = m WHEN 'unassigned' THEN c.assignee_id IS NULL ELSE true END
      AND EXISTS (SELECT FROM model.held h WHERE h.member_id = m AND h.action = act AND h.relation = r.relation
        AND (h.unit_id IS NULL OR EXISTS (SELECT FROM model.reach x WHERE x.top = h.unit_id AND x.unit_id IN (c.team_id, c.inbox_id))))
      AND NOT EXISTS (SELECT FROM model.sealed s WHERE s.unit_id IN (c.team_id, c.inbox_id)
        AND NOT EXISTS (SELECT FROM model.held h JOIN model.reach x ON x.top = h.unit_id
          WHERE h.member_id = m AND h.action = act AND h.relation = r.relation AND x.unit_id = s.unit_id)))
$$;
-- Is there a grant that shows rows, and none that exports them wherever it reaches?
CREATE FUNCTION model.lacks(m bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM model.held v WHERE v.member_id = m AND v.action = 'view' AND NOT EXISTS (
    SELECT FROM model.held e WHERE e.member_id = m AND e.action = 'export' AND e.relation IN (v.relation, 'all') AND CASE
      WHEN e.unit_id IS NOT DISTINCT FROM v.unit_id THEN true
      WHEN v.unit_id IS NULL THEN false
      WHEN e.unit_id IS NULL THEN v.unit_id NOT IN (SELECT unit_id FROM model.sealed)
      ELSE NOT EXISTS (SELECT FROM model.reach x WHERE x.top = v.unit_id
        AND x.unit_id NOT IN (SELECT y.unit_id FROM model.reach y WHERE y.top = e.unit_id)) END))
$$;

--
-- The question
--
CREATE SCHEMA regress_inbox;
CREATE TABLE regress_inbox.conversation (LIKE model.conversation INCLUDING ALL);
INSERT INTO regress_inbox.conversation SELECT * FROM model.conversation;
CREATE INDEX ON regress_inbox.conversation (org_id, team_id);
CREATE INDEX ON regress_inbox.conversation (org_id, inbox_id);
CREATE INDEX ON regress_inbox.conversation (org_id, assignee_id);
SELECT chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
  "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}}}');
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
GRANT SELECT ON regress_inbox.conversation TO regress_chat_rbac_app;

CREATE TABLE model.answer (member_id bigint PRIMARY KEY, seen bigint, let_through boolean, state text);
CREATE FUNCTION model.ask(m bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
  code text;
BEGIN
  PERFORM set_config('chat_rbac.identity', '1/' || m, true);
  SET LOCAL ROLE regress_chat_rbac_app;
  SELECT count(*) INTO n FROM regress_inbox.conversation;
  BEGIN
    PERFORM id FROM regress_inbox.conversation;
  EXCEPTION WHEN OTHERS THEN
    code := SQLSTATE;
  END;
  RESET ROLE;
  INSERT INTO model.answer VALUES (m, n, code IS NULL, code);
END
$$;
SET LOCAL chat_rbac.bulk_rows = 1;
SELECT model.ask(m) FROM generate_series(1, 150) AS m \g /dev/null
SET LOCAL chat_rbac.bulk_rows = 0;

CREATE TABLE model.may AS SELECT a.member_id, act, r AS id FROM model.answer a, (VALUES ('view'), ('export')) AS v (act), model.rows_of(a.member_id, act) AS r;
SELECT is((SELECT count(*) FROM model.answer a WHERE a.seen <> (SELECT count(*) FROM model.may v WHERE v.member_id = a.member_id AND v.act = 'view')), 0::bigint, 'everybody sees what the model says');
SELECT cmp_ok((SELECT count(*) FROM model.answer WHERE seen > 1 AND let_through), '>', 15::bigint, 'some may export');
SELECT cmp_ok((SELECT count(*) FROM model.answer WHERE NOT let_through), '>', 40::bigint, 'many may not');
SELECT set_eq('SELECT DISTINCT state FROM model.answer WHERE NOT let_through', ARRAY['42501'], 'and are told so');
SELECT is((SELECT count(*) FROM model.answer a WHERE a.seen > 1 AND a.let_through AND EXISTS (
    SELECT id FROM model.may v WHERE v.member_id = a.member_id AND v.act = 'view'
    EXCEPT SELECT id FROM model.may e WHERE e.member_id = a.member_id AND e.act = 'export')), 0::bigint,
  'who is let through may export each row that he sees');
SELECT is((SELECT count(*) FROM model.answer a WHERE NOT a.let_through AND NOT model.lacks(a.member_id)), 0::bigint,
  'who is not lacks the right where a grant shows rows');
SELECT is((SELECT count(*) FROM model.answer a WHERE a.seen > 1 AND a.let_through AND model.lacks(a.member_id)), 0::bigint, 'and nobody else does');

SELECT * FROM finish();
ROLLBACK;

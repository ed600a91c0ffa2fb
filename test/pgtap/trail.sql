--
-- The trail's permission matrix: the events that its policies show to each
-- member, compared with what DESIGN sections 5 and 8 say.
--
-- Schema model says it in plain SQL over the RBAC tables and the text of
-- permissions; it calls no function of chat_rbac.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT plan(19);

CREATE ROLE regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO regress_chat_rbac_app;
CREATE SCHEMA model;
GRANT USAGE ON SCHEMA model TO regress_chat_rbac_app;
CREATE TABLE model.conversation (org_id bigint, id bigint PRIMARY KEY);

--
-- Two orgs whose units and members have the same ids and keys.  Teams and
-- inboxes share keys, and the orgs' trees differ.
--
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('other', 2);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name)
SELECT o, u, kind, key, CASE o WHEN 1 THEN parent WHEN 2 THEN other_parent END, 'Unit ' || u
  FROM generate_series(1, 2) o, (VALUES (1, 'department', 10, NULL, NULL), (2, 'team', 20, 1, NULL), (3, 'team', 30, NULL, 2), (4, 'team', 40, 2, 3),
       (5, 'inbox', 20, 4, 1), (6, 'inbox', 30, NULL, NULL)) v (u, kind, key, parent, other_parent)
 ORDER BY o, u;

-- What an auditor may be granted beside the presets
CREATE TABLE model.role (name text, permissions text[]);
INSERT INTO model.role VALUES ('all', '{audit.view}'), ('own', '{audit.view@own}'), ('star own', '{*.view@own}'), ('any', '{*.*}'), ('any own', '{audit.*@own}'),
    ('other action', '{audit.verify, audit.export@own}'), ('other resource', '{conversation.view, conversation.*@own}'),
    ('other relation', '{audit.view@unassigned, audit.*@ow, *.*@own_}'), ('nothing', '{}');
INSERT INTO chat_rbac.role (org_id, name, permissions)
SELECT o, name, permissions::chat_rbac.permset FROM generate_series(1, 2) o, model.role;
INSERT INTO chat_rbac.role (org_id, name) SELECT o, 'heir of ' || name FROM generate_series(1, 2) o, model.role WHERE name IN ('all', 'own');
INSERT INTO chat_rbac.role_inherit
SELECT s.org_id, s.role_id, j.role_id FROM chat_rbac.role s JOIN chat_rbac.role j ON j.org_id = s.org_id AND s.name = 'heir of ' || j.name;

-- A member for each role at each place; the member's name says so
CREATE TABLE model.place (name text, unit_id bigint, valid tstzrange, active boolean);
INSERT INTO model.place VALUES ('org', NULL, '(,)', true), ('top', 1, '(,)', true), ('team', 2, '(,)', true), ('low', 4, '(,)', true), ('inbox', 5, '(,)', true),
    ('over', NULL, '[2020-01-01,2021-01-01)', true), ('inactive', NULL, '(,)', false);
UPDATE chat_rbac.role SET max_duration = NULL;
INSERT INTO chat_rbac.member (org_id, member_id, name, active)
SELECT org_id, row_number() OVER (PARTITION BY org_id ORDER BY r.name, p.name), r.name || ' at ' || p.name, p.active
  FROM chat_rbac.role r, model.place p
UNION ALL SELECT o, 1000, 'no grant', true FROM generate_series(1, 2) o
UNION ALL SELECT 1, 1001, 'own here, all there', true
UNION ALL SELECT 1, 4294967297, 'far twin of 1', true;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT m.org_id, m.member_id, r.role_id, p.unit_id, p.valid
  FROM chat_rbac.member m JOIN chat_rbac.role r ON r.org_id = m.org_id JOIN model.place p ON m.name = r.name || ' at ' || p.name
UNION ALL SELECT 1, 1001, role_id, CASE name WHEN 'own' THEN 3 ELSE 4 END, '(,)' FROM chat_rbac.role WHERE org_id = 1 AND name IN ('own', 'all')
UNION ALL SELECT 1, 4294967297, role_id, 2, '(,)' FROM chat_rbac.role WHERE org_id = 1 AND name = 'own';

--
-- Events: every actor on rows of every place, in either org
--
CREATE TABLE model.shape (n int, kinds text[], keys bigint[], units text[]);    -- units: what the arrays mean; NULL: there are none
INSERT INTO model.shape VALUES
    (1, '{}', '{}', NULL),
    (2, '{department}', '{10}', '{department 10}'), (3, '{team}', '{20}', '{team 20}'), (4, '{team}', '{30}', '{team 30}'), (5, '{team}', '{40}', '{team 40}'),
    (6, '{inbox}', '{20}', '{inbox 20}'), (7, '{inbox,team}', '{30,20}', '{inbox 30,team 20}'), (8, '{team,team,inbox}', '{30,40,99}', '{team 30,team 40,inbox 99}'),
    (9, '{planet}', '{20}', '{planet 20}'), (10, '{team}', '{4294967316}', '{team 4294967316}'), (11, '[0:1]={planet,team}', '[7:8]={1,40}', '{team 40}'),
    -- none of these was written by chat_rbac; nobody but who has the right in the whole org sees them
    (12, '{team}', '{}', NULL), (13, '{}', '{20}', '{}'), (14, '{team,team}', '{20}', '{}'), (15, '{team}', '{20,20}', '{}'), (16, '{team,NULL}', '{20,40}', '{}'),
    (17, '{team,team}', '{20,NULL}', '{}'), (18, '{{team}}', '{20}', '{}'), (19, '{team}', '{{20}}', '{}'), (20, '{{team,team}}', '{{20,40}}', '{}');
CREATE TABLE model.event (event_id bigint PRIMARY KEY, org_id bigint, actor_org_id bigint, actor_id bigint, shape int, units text[]);
INSERT INTO model.event
SELECT -row_number() OVER (), org, a.org_id, a.member_id, s.n, s.units
  FROM (VALUES (1), (2), (NULL)) o (org), model.shape s,
       (SELECT org_id, member_id FROM chat_rbac.member UNION ALL VALUES (NULL, NULL), (NULL, 1), (1, NULL)) a;
INSERT INTO chat_rbac.audit_event (event_id, at, transaction_at, xid, org_id, actor_org_id, actor_id, incarnation, relation, command, depth, operation, actions,
                                   table_name, row_key, new, unit_kinds, unit_keys, actor_name, db_role, session_role, salt)
SELECT e.event_id, now(), now(), '1', e.org_id, e.actor_org_id, e.actor_id, '00000000-0000-0000-0000-000000000000', 'model.conversation', 0, 0,
       CASE WHEN e.actor_id % 5 = 0 THEN 'move_out' ELSE 'update' END, '{conversation.edit}', 'model.conversation', s.n, '{"a": 1}', s.kinds, s.keys, 'M', 'app', 'app', '\x00'
  FROM model.event e JOIN model.shape s ON s.n = e.shape;
ANALYZE model.event;

--
-- The model
--
CREATE TABLE model.held (org_id bigint, member_id bigint, unit_id bigint, relation text);
INSERT INTO model.held
WITH RECURSIVE has (org_id, member_id, unit_id, role_id) AS (
    SELECT g.org_id, g.member_id, g.unit_id, g.role_id FROM chat_rbac.role_grant g JOIN chat_rbac.member m USING (org_id, member_id)
     WHERE m.active AND g.valid @> statement_timestamp()
    UNION
    SELECT h.org_id, h.member_id, h.unit_id, i.junior_id FROM has h JOIN chat_rbac.role_inherit i ON i.org_id = h.org_id AND i.senior_id = h.role_id)
SELECT DISTINCT h.org_id, h.member_id, h.unit_id, coalesce(nullif(split_part(p, '@', 2), ''), 'all')
  FROM has h JOIN chat_rbac.role r USING (org_id, role_id), string_to_table(btrim(r.permissions::text, '{}'), ',') p
 WHERE split_part(p, '.', 1) IN ('audit', '*') AND split_part(split_part(p, '@', 1), '.', 2) IN ('view', '*');
CREATE TABLE model.below (org_id bigint, unit_id bigint, units text[]);
INSERT INTO model.below
WITH RECURSIVE b (org_id, top, unit_id, kind, key) AS (
    SELECT org_id, unit_id, unit_id, kind, key FROM chat_rbac.unit
    UNION
    SELECT b.org_id, b.top, u.unit_id, u.kind, u.key FROM b JOIN chat_rbac.unit u ON u.org_id = b.org_id AND u.parent_id = b.unit_id)
SELECT org_id, top, array_agg(kind || ' ' || key) FROM b GROUP BY 1, 2;

CREATE FUNCTION model.visible(o bigint, m bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT e.event_id FROM model.event e
     WHERE e.org_id = o AND EXISTS (
        SELECT FROM model.held h LEFT JOIN model.below b USING (org_id, unit_id)
         WHERE h.org_id = o AND h.member_id = m
           AND CASE h.relation
                    WHEN 'all' THEN h.unit_id IS NULL OR e.units && b.units OR (e.units IS NULL AND (e.actor_org_id, e.actor_id) = (o, m))
                    WHEN 'own' THEN (e.actor_org_id, e.actor_id) = (o, m) AND (h.unit_id IS NULL OR e.units && b.units OR e.units IS NULL)
                    ELSE false END)
$$;

--
-- The comparison
--
CREATE TABLE model.tally (o bigint, m bigint, event_id bigint);
CREATE FUNCTION model.shown(o bigint, m bigint, query text) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    result bigint[];
BEGIN
    PERFORM set_config('chat_rbac.identity', o || '/' || m, true);
    SET LOCAL ROLE regress_chat_rbac_app;
    EXECUTE query INTO result;
    RESET ROLE;
    PERFORM set_config('chat_rbac.identity', '', true);
    RETURN coalesce(result, '{}');
END $$;
CREATE FUNCTION model.differences(some_members text, query text DEFAULT 'SELECT array_agg(event_id) FROM chat_rbac.audit_event WHERE event_id < 0', which text DEFAULT '')
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    member record;
    seen bigint[];
BEGIN
    FOR member IN SELECT * FROM chat_rbac.member WHERE name ~ some_members ORDER BY org_id, member_id LOOP
        seen := model.shown(member.org_id, member.member_id, query);
        INSERT INTO model.tally SELECT member.org_id, member.member_id, unnest(seen);
        RETURN QUERY EXECUTE format('SELECT format(''%%s of org %%s: %%s %%s %%s'', %L, %s, d.what, d.id, to_jsonb(e))
          FROM (SELECT ''is shown'' AS what, id FROM (SELECT unnest($1) EXCEPT ALL SELECT * FROM model.visible($2, $3)) s (id)
                UNION ALL
                SELECT ''is not shown'', id FROM (SELECT * FROM model.visible($2, $3) EXCEPT ALL SELECT unnest($1)) s (id)) d
          JOIN model.event e ON e.event_id = d.id WHERE true %s LIMIT 2', member.name, member.org_id, which) USING seen, member.org_id, member.member_id;
    END LOOP;
END $$;

SELECT is_empty(format('SELECT * FROM model.differences(%L)', '^(' || name || ') at '), format('%s: each sees what it should, wherever it is granted', name))
  FROM (VALUES ('Owner|Admin'), ('Manager'), ('Supervisor'), ('Agent'), ('Sales|Marketing|Viewer'), ('Auditor'), ('Finance|Temp|Service'), ('all|own'), ('star own|any|any own'),
       ('other action|other resource|other relation|nothing'), ('heir of all|heir of own')) v (name);
SELECT is_empty($$SELECT * FROM model.differences('^(no grant|own here, all there|far twin)')$$, 'several grants, and none: the same events');

-- The comparison was one of something with something
SELECT results_eq($$SELECT count(DISTINCT (o, m)) > 60, count(DISTINCT (o, m)) FILTER (WHERE e.units IS NULL) > 60, count(DISTINCT e.units) FROM model.tally JOIN model.event e USING (event_id)$$,
    $$SELECT true, true, count(DISTINCT units) FROM model.event$$, 'many members see events of every shape');

-- What the issue asks for, said again without the model
SELECT is_empty($$SELECT * FROM model.tally t JOIN model.event e USING (event_id) WHERE e.org_id IS DISTINCT FROM t.o$$, 'nobody sees an event of another org, or of none');
SELECT is_empty($$SELECT m.name, e.* FROM model.tally t JOIN model.event e USING (event_id) JOIN chat_rbac.member m ON (m.org_id, m.member_id) = (t.o, t.m)
    WHERE m.name ~ '^(Agent|Sales) at ' AND (e.actor_org_id, e.actor_id) IS DISTINCT FROM (t.o, t.m)$$, 'agents see their own actions only');
SELECT is(model.shown(1, member_id, 'SELECT array_agg(event_id) FROM chat_rbac.audit_event WHERE actor_id <> ' || member_id), '{}', 'of others'' actions an agent sees none, of any table')
  FROM chat_rbac.member WHERE org_id = 1 AND name = 'Agent at org';

-- By the view and the history too
SELECT is_empty($$SELECT * FROM model.differences('^(Supervisor|Agent|Auditor) at ', 'SELECT array_agg(event_id) FROM chat_rbac.activity WHERE event_id < 0',
    'AND (d.what = ''is shown'' OR e.actor_id % 5 <> 0 OR e.actor_id IS NULL)')$$, 'activity shows the same events, but for halves of moves');
SELECT is_empty($$SELECT * FROM model.differences('^(Supervisor|Agent|Auditor) at ',
    'SELECT array_agg(h.event_id) FROM generate_series(1, 20) AS n, chat_rbac.history(''model.conversation'', n) AS h WHERE h.event_id < 0',
    'AND (d.what = ''is shown'' OR e.actor_id % 5 <> 0 OR e.actor_id IS NULL)')$$, 'and so does history');

-- One plan, whoever runs it
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE seen AS SELECT array_agg(event_id) FROM chat_rbac.audit_event WHERE event_id < 0;
GRANT ALL ON SCHEMA model TO regress_chat_rbac_app;
SELECT is_empty($$SELECT * FROM model.differences('^(Auditor|own|all) at (org|team)', 'EXECUTE seen')$$, 'a prepared statement asks for who runs it');

SELECT * FROM finish();
ROLLBACK;

--
-- The permission matrix: what policies let through, compared row by row with
-- what DESIGN section 5 says.
--
-- Schema model says it in plain SQL over the RBAC tables and the text of
-- permissions.  It calls no function of chat_rbac.  The rows that it allows
-- and the rows that a policy allows must be the same set.
--
-- Where the design leaves open how a grant at a unit reaches the rows of a
-- table that has no unit columns, this holds: through relations that tie a row
-- to a person ("$member", "$members", a link table, "linked"), also when the
-- permission is for every row; never through tests of other values.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT plan(35);

\ir fixture/inbox.sql

--
-- The model
--
-- What each role holds by itself, as it was written
CREATE TABLE model.role_permission (org_id bigint, role_id bigint, resource text, action text, relation text);
CREATE INDEX ON model.role_permission (org_id, role_id);
CREATE FUNCTION model.write_permissions(o bigint, r bigint, permissions text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO model.role_permission
    SELECT o, r, split_part(p, '.', 1), split_part(split_part(p, '.', 2), '@', 1), coalesce(nullif(split_part(p, '@', 2), ''), 'all')
      FROM unnest(permissions) p
$$;
-- What follows from the RBAC tables, kept until model.recompute() is called
-- again: the role and all its juniors; the unit and all below it, as the keys of
-- their kinds; who holds a role there now
CREATE TABLE model.closure (org_id bigint, role_id bigint, has bigint, PRIMARY KEY (org_id, role_id, has));
CREATE TABLE model.reach (org_id bigint, unit_id bigint, teams bigint[], inboxes bigint[], people bigint[], PRIMARY KEY (org_id, unit_id));
-- Units into which no grant from above reaches, and all below them
CREATE TABLE model.sealed (org_id bigint, kind text, key bigint);
CREATE FUNCTION model.recompute() RETURNS void LANGUAGE sql AS $$
    DELETE FROM model.closure;
    INSERT INTO model.closure
    WITH RECURSIVE c (org_id, role_id, has) AS (
        SELECT org_id, role_id, role_id FROM chat_rbac.role
        UNION
        SELECT c.org_id, c.role_id, i.junior_id FROM c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.has)
    SELECT * FROM c;
    DELETE FROM model.reach;
    INSERT INTO model.reach
    WITH RECURSIVE b (org_id, top, unit_id, kind, key) AS (
        SELECT org_id, unit_id, unit_id, kind, key FROM chat_rbac.unit
        UNION
        SELECT b.org_id, b.top, u.unit_id, u.kind, u.key FROM b JOIN chat_rbac.unit u ON u.org_id = b.org_id AND u.parent_id = b.unit_id WHERE NOT u.sealed)
    SELECT org_id, top, array_agg(key) FILTER (WHERE kind = 'team'), array_agg(key) FILTER (WHERE kind = 'inbox'),
           (SELECT array_agg(DISTINCT g.member_id) FROM chat_rbac.role_grant g
             WHERE g.org_id = b.org_id AND g.unit_id = ANY (array_agg(b.unit_id)) AND g.valid @> statement_timestamp())
      FROM b GROUP BY org_id, top;
    DELETE FROM model.sealed;
    INSERT INTO model.sealed
    WITH RECURSIVE b (org_id, unit_id, kind, key, sealed) AS (
        SELECT org_id, unit_id, kind, key, sealed FROM chat_rbac.unit WHERE parent_id IS NULL
        UNION
        SELECT b.org_id, u.unit_id, u.kind, u.key, b.sealed OR u.sealed FROM b JOIN chat_rbac.unit u ON u.org_id = b.org_id AND u.parent_id = b.unit_id)
    SELECT org_id, kind, key FROM b WHERE sealed;
$$;

CREATE TABLE model.every_row (rid bigint PRIMARY KEY, tab text);
INSERT INTO model.every_row
    SELECT rid, 'conversation' FROM conversation UNION ALL SELECT rid, 'message' FROM message UNION ALL SELECT rid, 'attachment' FROM attachment
    UNION ALL SELECT rid, 'reply' FROM reply UNION ALL SELECT rid, 'reaction' FROM reaction UNION ALL SELECT rid, 'customer' FROM customer
    UNION ALL SELECT rid, 'contact' FROM contact UNION ALL SELECT rid, 'task' FROM task UNION ALL SELECT rid, 'lead' FROM lead;

-- One member's rights: what, on which relation, and where; people: who "$members" are for a grant there
CREATE TABLE model.held (unit_id bigint, resource text, action text, relation text, teams bigint[], inboxes bigint[], people bigint[]);
-- Rows that the member may see
CREATE TABLE model.visible (rid bigint PRIMARY KEY);

CREATE FUNCTION model.load(o bigint, m bigint, active_roles text[]) RETURNS void LANGUAGE sql AS $$
    DELETE FROM model.held;
    INSERT INTO model.held
    SELECT r.*, reach.teams, reach.inboxes,
           CASE WHEN r.unit_id IS NULL THEN ARRAY(SELECT member_id FROM chat_rbac.member WHERE org_id = o)
                ELSE reach.people END
      FROM (SELECT DISTINCT g.unit_id, p.resource, p.action, p.relation
              FROM chat_rbac.member me
              JOIN chat_rbac.role_grant g USING (org_id, member_id)
              JOIN model.closure c ON c.org_id = o AND c.role_id = g.role_id
              JOIN chat_rbac.role a ON a.org_id = o AND a.role_id = c.has   -- a role made active
              JOIN model.closure d ON d.org_id = o AND d.role_id = a.role_id
              JOIN model.role_permission p ON p.org_id = o AND p.role_id = d.has
             WHERE me.org_id = o AND me.member_id = m AND me.active AND g.valid @> statement_timestamp()
               AND CASE WHEN active_roles IS NULL THEN a.role_id = g.role_id ELSE a.name = ANY (active_roles) END) r
      LEFT JOIN model.reach ON reach.org_id = o AND reach.unit_id = r.unit_id;
$$;

-- Is a unit of the member's org one that these grants, by a permission on such a relation, cannot reach because of a seal?
CREATE FUNCTION model.is_closed(o bigint, unit_kind text, unit_key bigint, res text, act text, rel text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM model.sealed s WHERE (s.org_id, s.kind, s.key) = (o, unit_kind, unit_key))
       AND NOT EXISTS (SELECT FROM model.held h WHERE h.resource IN ('*', res) AND h.action IN ('*', act) AND h.relation IN (rel, 'all')
                          AND unit_key = ANY (CASE unit_kind WHEN 'team' THEN h.teams ELSE h.inboxes END))
$$;
-- Conversations on which the member holds a permission
CREATE FUNCTION model.conversations(o bigint, m bigint, res text, act text) RETURNS TABLE (id bigint, rid bigint) LANGUAGE sql STABLE AS $$
    SELECT x.id, x.rid FROM conversation x
     WHERE x.org_id = o AND EXISTS (
        SELECT FROM model.held h
         WHERE h.resource IN ('*', res) AND h.action IN ('*', act)
           AND (h.unit_id IS NULL OR x.team_id = ANY (h.teams) OR x.inbox_id = ANY (h.inboxes))
           AND NOT model.is_closed(o, 'team', x.team_id, res, act, h.relation) AND NOT model.is_closed(o, 'inbox', x.inbox_id, res, act, h.relation)
           AND CASE h.relation
                    WHEN 'all' THEN true
                    WHEN 'own' THEN x.assignee_id = m
                    WHEN 'unassigned' THEN x.assignee_id IS NULL
                    WHEN 'unrouted' THEN x.assignee_id IS NULL AND x.team_id IS NULL
                    WHEN 'colleague' THEN x.assignee_id = ANY (h.people)
                    WHEN 'participating' THEN EXISTS (SELECT FROM participant p WHERE p.org_id = o AND p.conversation_id = x.id AND p.member_id = m)
                    WHEN 'done' THEN x.status = 'closed'
                    WHEN 'own_done' THEN x.assignee_id = m AND x.status = 'closed'
                    WHEN 'begun' THEN x.creator_id = ANY (h.people) AND x.status = 'open'
                    WHEN 'both' THEN x.creator_id = m AND x.assignee_id = ANY (h.people)
                    ELSE false END)
$$;
-- Customers; model.visible must already have the conversations
CREATE FUNCTION model.customers(o bigint, m bigint, res text, act text) RETURNS TABLE (id int, rid bigint) LANGUAGE sql STABLE AS $$
    SELECT x.id, x.rid
      FROM (SELECT c.*, EXISTS (SELECT FROM conversation JOIN model.visible USING (rid) WHERE org_id = o AND customer_id = c.id) AS linked
              FROM customer c WHERE c.org_id = o) x
     WHERE EXISTS (
        SELECT FROM model.held h
         WHERE h.resource IN ('*', res) AND h.action IN ('*', act)
           AND CASE h.relation
                    WHEN 'own' THEN x.owner_id = m
                    WHEN 'colleague' THEN x.owner_id = ANY (h.people)
                    WHEN 'linked' THEN x.linked
                    WHEN 'blocked' THEN h.unit_id IS NULL AND x.blocked
                    WHEN 'all' THEN h.unit_id IS NULL OR x.owner_id = m OR x.owner_id = ANY (h.people) OR x.linked
                    ELSE false END)
$$;
CREATE FUNCTION model.tasks(o bigint, m bigint, res text, act text) RETURNS TABLE (id bigint, rid bigint) LANGUAGE sql STABLE AS $$
    SELECT x.id, x.rid
      FROM (SELECT t.*, EXISTS (SELECT FROM watcher w WHERE w.org_id = o AND w.task_id = t.id AND w.who = m) AS watched
              FROM task t WHERE t.org_id = o) x
     WHERE EXISTS (
        SELECT FROM model.held h
         WHERE h.resource IN ('*', res) AND h.action IN ('*', act)
           AND CASE h.relation
                    WHEN 'own' THEN x.owner_id = m
                    WHEN 'colleague' THEN x.owner_id = ANY (h.people)
                    WHEN 'watched' THEN x.watched
                    WHEN 'own_done' THEN x.owner_id = m AND x.priority = 0
                    WHEN 'both' THEN x.author_id = m AND x.owner_id = ANY (h.people)
                    WHEN 'unassigned' THEN h.unit_id IS NULL AND x.owner_id IS NULL
                    WHEN 'urgent' THEN h.unit_id IS NULL AND x.priority = 1
                    WHEN 'all' THEN h.unit_id IS NULL OR x.owner_id = m OR x.owner_id = ANY (h.people) OR x.watched
                    ELSE false END)
$$;
-- Leads; model.visible must already have the customers
CREATE FUNCTION model.leads(o bigint, m bigint, res text, act text) RETURNS TABLE (id int, rid bigint) LANGUAGE sql STABLE AS $$
    SELECT x.id, x.rid FROM lead x
     WHERE x.org_id = o AND EXISTS (
        SELECT FROM model.held h
         WHERE h.resource IN ('*', res) AND h.action IN ('*', act)
           AND (h.unit_id IS NULL OR x.team_id = ANY (h.teams)) AND NOT model.is_closed(o, 'team', x.team_id, res, act, h.relation)
           AND CASE h.relation
                    WHEN 'all' THEN true
                    WHEN 'own' THEN x.owner_id = m
                    WHEN 'colleague' THEN x.owner_id = ANY (h.people)
                    WHEN 'linked' THEN EXISTS (SELECT FROM customer c JOIN model.visible USING (rid) WHERE c.org_id = o AND c.lead_id = x.id)
                    ELSE false END)
$$;
-- Rows of a table on which the member may take an action.  A child's row lies
-- where its parent's row is, which must be visible.
CREATE FUNCTION model.rows(tab text, o bigint, m bigint, act text) RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE tab
        WHEN 'conversation' THEN RETURN QUERY SELECT c.rid FROM model.conversations(o, m, 'conversation', act) c;
        WHEN 'customer' THEN     RETURN QUERY SELECT c.rid FROM model.customers(o, m, 'customer', act) c;
        WHEN 'task' THEN         RETURN QUERY SELECT c.rid FROM model.tasks(o, m, 'task', act) c;
        WHEN 'lead' THEN         RETURN QUERY SELECT c.rid FROM model.leads(o, m, 'lead', act) c;
        WHEN 'message' THEN
            RETURN QUERY SELECT x.rid FROM message x JOIN conversation c ON c.org_id = x.org_id AND c.id = x.conversation_id JOIN model.visible v ON v.rid = c.rid
                          WHERE act = 'view' OR c.rid IN (SELECT p.rid FROM model.conversations(o, m, 'message', act) p);
        WHEN 'attachment' THEN
            RETURN QUERY SELECT x.rid FROM attachment x JOIN conversation c ON c.rid = x.conversation_id JOIN model.visible v ON v.rid = c.rid
                          WHERE c.rid IN (SELECT p.rid FROM model.conversations(o, m, 'message', act) p);
        WHEN 'reply' THEN
            RETURN QUERY SELECT x.rid FROM reply x JOIN conversation c ON c.org_id = x.org_id AND c.id = x.conversation_id JOIN model.visible v ON v.rid = c.rid
                          WHERE c.rid IN (SELECT p.rid FROM model.conversations(o, m, 'message', act) p);
        WHEN 'reaction' THEN
            RETURN QUERY SELECT x.rid FROM reaction x JOIN reply r ON r.org_id = x.org_id AND r.id = x.reply_id JOIN model.visible v ON v.rid = r.rid
                          JOIN conversation c ON c.org_id = r.org_id AND c.id = r.conversation_id
                          WHERE act = 'view' OR c.rid IN (SELECT p.rid FROM model.conversations(o, m, 'message', act) p);
        WHEN 'contact' THEN
            RETURN QUERY SELECT x.rid FROM contact x JOIN customer c ON c.org_id = x.org_id AND c.id = x.customer_id JOIN model.visible v ON v.rid = c.rid
                          WHERE c.rid IN (SELECT p.rid FROM model.customers(o, m, 'customer', CASE act WHEN 'view' THEN 'view_phone' ELSE act END) p);
    END CASE;
END $$;

-- parents and linked tables before what depends on them
CREATE FUNCTION model.tables() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT '{conversation,message,attachment,reply,reaction,customer,contact,task,lead}'::text[]
$$;
CREATE FUNCTION model.load_visible(o bigint, m bigint, active_roles text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tab text;
BEGIN
    PERFORM model.load(o, m, active_roles);
    DELETE FROM model.visible;
    FOREACH tab IN ARRAY model.tables() LOOP
        INSERT INTO model.visible SELECT * FROM model.rows(tab, o, m, 'view');
    END LOOP;
END $$;

--
-- The comparison
--
-- Become the member, as an application does; model.leave() is the way back
CREATE FUNCTION model.enter(o bigint, m bigint, active_roles text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('chat_rbac.active_roles', coalesce((SELECT string_agg(quote_ident(r), ', ') FROM unnest(active_roles) r), ''), true);
    PERFORM set_config('chat_rbac.identity', o || '/' || m, true);
    SET LOCAL ROLE regress_chat_rbac_app;
END $$;
CREATE FUNCTION model.leave() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RESET ROLE;
    PERFORM set_config('chat_rbac.identity', '', true), set_config('chat_rbac.active_roles', '', true);
END $$;
GRANT USAGE ON SCHEMA model TO regress_chat_rbac_app;

-- What was compared: a comparison of nothing with nothing proves nothing
CREATE TABLE model.tally (what text, rows bigint);
GRANT INSERT ON model.tally TO regress_chat_rbac_app;

-- Rows that the policies show and the model does not, or the other way round
CREATE FUNCTION model.view_differences(o bigint, m bigint, active_roles text[] DEFAULT NULL)
RETURNS TABLE (tab text, rid bigint, allowed boolean) LANGUAGE plpgsql AS $$
DECLARE
    shown bigint[] := '{}';
    part bigint[];
    t text;
BEGIN
    PERFORM model.enter(o, m, active_roles);
    FOREACH t IN ARRAY model.tables() LOOP
        EXECUTE format('SELECT array_agg(rid) FROM inbox.%I', t) INTO part;
        shown := shown || part;
        INSERT INTO model.tally VALUES ('sees ' || t, cardinality(part)), ('sees nothing of ' || t, (part IS NULL)::int);
    END LOOP;
    PERFORM model.leave();
    PERFORM model.load_visible(o, m, active_roles);
    INSERT INTO model.tally SELECT 'relation ' || relation || CASE WHEN unit_id IS NULL THEN ' org-wide' ELSE ' at a unit' END, 1 FROM model.held;
    RETURN QUERY
        SELECT (SELECT e.tab FROM model.every_row e WHERE e.rid = d.rid), d.rid, d.allowed
          FROM (SELECT v.rid, true AS allowed FROM model.visible v WHERE v.rid <> ALL (shown)
                UNION ALL
                (SELECT s, false FROM unnest(shown) s EXCEPT ALL SELECT v.rid, false FROM model.visible v)) d
         ORDER BY d.rid LIMIT 1000;
END $$;
-- What is left of a difference when all that it does not need is taken away:
-- a text of one line, or no row where there is no difference.
CREATE FUNCTION model.reproduction(o bigint, m bigint, active_roles text[] DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    first record;
    attempt text;
    content text;
BEGIN
    SELECT * INTO first FROM model.view_differences(o, m, active_roles) LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    BEGIN
        FOR attempt IN
            SELECT format('DELETE FROM chat_rbac.role_grant WHERE org_id = %s AND grant_id = %s', org_id, grant_id)
              FROM chat_rbac.role_grant WHERE org_id = o AND member_id = m
            UNION ALL
            SELECT format('DELETE FROM chat_rbac.role_inherit WHERE org_id = %s AND senior_id = %s AND junior_id = %s', i.org_id, senior_id, junior_id)
              FROM chat_rbac.role_inherit i JOIN model.closure c ON c.org_id = i.org_id AND c.has = i.senior_id
              JOIN chat_rbac.role_grant g ON g.org_id = c.org_id AND g.role_id = c.role_id
             WHERE g.org_id = o AND g.member_id = m
            UNION ALL
            SELECT format('WITH gone AS (DELETE FROM model.role_permission WHERE org_id = %1$s AND role_id = %2$s AND (resource, action, relation) = (%3$L, %4$L, %5$L))
                           UPDATE chat_rbac.role SET permissions = ARRAY(SELECT resource || ''.'' || action || ''@'' || relation FROM model.role_permission
                            WHERE org_id = %1$s AND role_id = %2$s AND (resource, action, relation) <> (%3$L, %4$L, %5$L))::chat_rbac.permset
                            WHERE org_id = %1$s AND role_id = %2$s', p.org_id, p.role_id, p.resource, p.action, p.relation)
              FROM (SELECT DISTINCT p.* FROM model.role_permission p JOIN model.closure c ON c.org_id = p.org_id AND c.has = p.role_id
                      JOIN chat_rbac.role_grant g ON g.org_id = c.org_id AND g.role_id = c.role_id
                     WHERE g.org_id = o AND g.member_id = m) p
        LOOP
            BEGIN
                EXECUTE attempt;
                PERFORM model.recompute();
                PERFORM FROM model.view_differences(o, m, active_roles) d WHERE (d.rid, d.allowed) = (first.rid, first.allowed);
                IF NOT FOUND THEN
                    RAISE EXCEPTION USING ERRCODE = 'RB001';
                END IF;
            EXCEPTION WHEN SQLSTATE 'RB001' OR invalid_role_specification THEN
                PERFORM model.leave();
            END;
        END LOOP;
        EXECUTE format('SELECT to_jsonb(x) - ''mark'' FROM inbox.%I x WHERE rid = $1', first.tab) INTO content USING first.rid;
        SELECT format('%s %s is %s member %s of org %s, active_roles %s, grants %s', first.tab, content,
                      CASE WHEN first.allowed THEN 'hidden from' ELSE 'shown to' END, m, o, coalesce(active_roles::text, 'all'),
                      (SELECT string_agg(format('[role %s %s at %s %s]', r.name,
                                                (SELECT array_agg(format('%s: %s.%s@%s', h.name, p.resource, p.action, p.relation))
                                                   FROM model.closure c JOIN chat_rbac.role h ON h.org_id = c.org_id AND h.role_id = c.has
                                                   JOIN model.role_permission p ON p.org_id = c.org_id AND p.role_id = c.has
                                                  WHERE c.org_id = o AND c.role_id = g.role_id),
                                                coalesce('unit ' || g.unit_id, 'org'), g.valid), ', ')
                         FROM chat_rbac.role_grant g JOIN chat_rbac.role r USING (org_id, role_id) WHERE g.org_id = o AND g.member_id = m))
          INTO content;
        RAISE EXCEPTION USING ERRCODE = 'RB002';
    EXCEPTION WHEN SQLSTATE 'RB002' THEN
        RETURN NEXT content;
    END;
END $$;

--
-- Preset roles
--
SELECT model.write_permissions(org_id, role_id, string_to_array(btrim(permissions::text, '{}'), ',')) FROM chat_rbac.role;

-- Where a role is granted to member 200: nobody else depends on it
CREATE FUNCTION model.give(role_name text, place text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    r bigint := (SELECT role_id FROM chat_rbac.role WHERE org_id = 1 AND name = role_name);
    m bigint := CASE place WHEN 'inactive' THEN 201 ELSE 200 END;
BEGIN
    DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id IN (200, 201);
    INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
    SELECT 1, m, r, u, v
      FROM (VALUES ('org', NULL::bigint, '[2020-01-01, 2030-01-01)'::tstzrange), ('top', 1, NULL), ('middle', 2, NULL), ('team', 4, NULL), ('inbox', 5, NULL),
                   ('two', 4, NULL), ('two', 12, NULL),
                   ('over', NULL, '[2020-01-01, 2020-02-01)'), ('over', 1, '[,2021-01-01)'), ('to come', NULL, tstzrange(now() + '1 day', now() + '2 days')),
                   ('inactive', NULL, NULL)) AS p (name, u, v0),
           LATERAL (SELECT coalesce(v0, tstzrange(now() - interval '1 hour', now() + interval '10 days'))) l (v)
     WHERE p.name = place;
    PERFORM model.recompute();
    RETURN m;
END $$;
UPDATE chat_rbac.role SET max_duration = NULL WHERE org_id = 1 AND name = 'Temp';   -- grants of any length are tried
-- people at units, for "$members"
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
SELECT 1, n, (SELECT role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Temp'), 1 + n % 40 FROM generate_series(1, 60) n;

CREATE FUNCTION model.preset_differences(role_name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY CASE role_name WHEN 'Owner' THEN '{over,to come,inactive}'::text[] END || '{org,top,middle,team,inbox,two}' LOOP
        RETURN QUERY SELECT place || ': ' || r FROM model.reproduction(1, model.give(role_name, place)) r;
        EXIT WHEN FOUND;
    END LOOP;
END $$;
SELECT is_empty(format('SELECT * FROM model.preset_differences(%L)', name), format('%s sees what it should, wherever it is granted', name))
  FROM chat_rbac.role WHERE org_id = 1 AND preset ORDER BY role_id;

--
-- Roles, hierarchies and grants by the dice.  150 members, each under all of
-- their roles and under one or two of them or of what those inherit.
--
DELETE FROM chat_rbac.role_grant;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, 1000 * o + r, CASE r % 3 WHEN 0 THEN 'role_' || r WHEN 1 THEN 'Role "' || r || '", odd' ELSE 'Röle ' || r END, '{}' FROM generate_series(1, 2) o, generate_series(1, 120) r;
SELECT model.write_permissions(org_id, role_id, ARRAY(
    SELECT format('%s.%s%s',
               CASE WHEN n = 0 THEN (ARRAY['conversation', 'customer', 'task', 'lead', '*'])[1 + model.dice(5, 'resource', s)]
                    ELSE (ARRAY['conversation', 'message', 'customer', 'task', 'lead', 'conversation', 'message', '*'])[1 + model.dice(8, 'resource', s)] END,
               (ARRAY['view', 'view', 'edit', 'delete', 'create', '*'])[1 + model.dice(6, 'action', s)],
               (ARRAY['', '@own', '@own', '@unassigned', '@unrouted', '@colleague', '@colleague', '@participating', '@done', '@own_done', '@begun', '@both',
                      '@linked', '@blocked', '@watched', '@urgent', '@ow', '@own_', '@all'])[1 + model.dice(19, 'relation', s)])
      FROM (SELECT n, role_id || ' ' || n FROM generate_series(0, 1 + model.dice(5, 'how many', role_id::text)) n) v (n, s)))
  FROM chat_rbac.role WHERE NOT preset;
UPDATE chat_rbac.role r SET permissions = p.written::chat_rbac.permset
  FROM (SELECT org_id, role_id, array_agg(format('%s.%s@%s', resource, action, relation)) AS written FROM model.role_permission GROUP BY 1, 2) p
 WHERE p.org_id = r.org_id AND p.role_id = r.role_id AND NOT r.preset;
INSERT INTO chat_rbac.role_inherit
SELECT DISTINCT o, 1000 * o + r, 1000 * o + 1 + model.dice(r - 1, 'junior', o || ' ' || r || ' ' || n)
  FROM generate_series(1, 2) o, generate_series(2, 120) r, generate_series(1, 2) n WHERE model.dice(3, 'inherits', o || ' ' || r || ' ' || n) = 0;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT o, m, 1000 * o + 1 + model.dice(120, 'role', s), CASE WHEN model.dice(8, 'org-wide', s) > 0 THEN 1 + model.dice(40, 'unit', s) END,
       (ARRAY['(,)', '(,)', '(,)', '[-infinity,infinity)', '[2020-01-01,)', '[2020-01-01,2021-01-01)', '[2999-01-01,)', '(,2020-01-01)'])[1 + model.dice(8, 'valid', s)]::tstzrange
  FROM (SELECT o, m, o || ' ' || m || ' ' || n FROM generate_series(1, 2) o, generate_series(1, 150) m, generate_series(0, 2) n
         WHERE model.dice(3, 'grants', m || ' ' || n) > 0 OR n = 0) v (o, m, s);
-- beside a grant in force, one that is over or to come
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT org_id, member_id, 1000 * org_id + 1 + model.dice(120, 'beside', grant_id::text), unit_id, CASE WHEN grant_id % 2 = 0 THEN '[2020-01-01,2021-01-01)' ELSE '[2999-01-01,)' END::tstzrange
  FROM chat_rbac.role_grant WHERE upper_inf(valid) AND member_id % 3 = 0;
SELECT model.recompute();
-- what a member may name in active_roles: roles that some grant of theirs leads to
CREATE FUNCTION model.some_roles(o bigint, m bigint, how_many int) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(name) FROM (
        SELECT DISTINCT r.name, hashtextextended(r.name, m) AS h FROM chat_rbac.role_grant g
          JOIN model.closure c USING (org_id, role_id) JOIN chat_rbac.role r ON r.org_id = c.org_id AND r.role_id = c.has
         WHERE g.org_id = o AND g.member_id = m AND g.valid @> statement_timestamp()
         ORDER BY h LIMIT how_many) v
$$;
ANALYZE chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant;

SELECT is_empty($$SELECT r FROM generate_series(1, 70) m, model.reproduction(1, m) r LIMIT 3$$, 'random roles: the same rows');
SELECT is_empty($$SELECT r FROM generate_series(1, 30) m, model.reproduction(2, m) r LIMIT 3$$, 'random roles in another org with the same keys: the same rows');
SELECT is_empty($$SELECT r FROM generate_series(101, 150) m, model.reproduction(1, m, model.some_roles(1, m, 1 + m % 2)) r LIMIT 3$$, 'random roles, some of them active: the same rows');

--
-- Sealed units: some high up, some at the bottom, one below another; from here on
--
UPDATE chat_rbac.unit SET sealed = true WHERE unit_id IN (3, 7, 14, 22, 31, 38);
SELECT model.recompute();
SELECT is_empty($$SELECT r FROM generate_series(1, 70) m, model.reproduction(1, m) r LIMIT 3$$, 'sealed units: the same rows');
SELECT is_empty($$SELECT r FROM generate_series(1, 30) m, model.reproduction(2, m) r LIMIT 3$$, 'sealed units in another org with the same keys: the same rows');
SELECT is_empty($$SELECT r FROM generate_series(101, 150) m, model.reproduction(1, m, model.some_roles(1, m, 1 + m % 2)) r LIMIT 3$$, 'sealed units, some roles active: the same rows');
SELECT cmp_ok((SELECT count(*) FROM conversation x WHERE org_id = 1 AND EXISTS (SELECT FROM model.sealed s WHERE s.org_id = 1 AND (s.kind, s.key) IN (('team', x.team_id), ('inbox', x.inbox_id)))),
              '>', 100::bigint, 'many conversations are sealed');
SELECT cmp_ok((SELECT count(*) FROM conversation x WHERE org_id = 1 AND EXISTS (SELECT FROM model.sealed s WHERE (s.org_id, s.kind, s.key) = (1, 'team', x.team_id))
                                                                AND EXISTS (SELECT FROM model.sealed s WHERE (s.org_id, s.kind, s.key) = (1, 'inbox', x.inbox_id))), '>', 10::bigint, 'some of them twice');

--
-- Writing.  An UPDATE or DELETE without WHERE reads nothing, so the right to
-- see the row is not asked for; with WHERE it is.
--
-- Rows to be inserted: like others, with ids that some links already name
CREATE TABLE model.candidate (tab text, rid bigint, content jsonb);
INSERT INTO participant SELECT org_id, conversation_id + 500000, member_id FROM participant;
INSERT INTO watcher SELECT org_id, task_id + 500000, who FROM watcher;
UPDATE conversation SET customer_id = customer_id + 500000 WHERE id % 7 = 0;
UPDATE customer SET lead_id = lead_id + 500000 WHERE id % 7 = 0;
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY model.tables() LOOP
        EXECUTE format('INSERT INTO model.candidate SELECT %1$L, rid + 500000, to_jsonb(x) || jsonb_build_object(''id'', id + 500000, ''rid'', rid + 500000)
                        FROM inbox.%1$I x WHERE model.dice(100, ''candidate'', rid::text) < 8 ORDER BY rid LIMIT 40', t);
    END LOOP;
END $$;

-- Undo what a block of plpgsql has done
CREATE FUNCTION model.undo() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'RB003'; END $$;

-- Writes that succeed though they should not, or the other way round
-- (what: the seed by which some of all possible writes are chosen)
CREATE FUNCTION model.write_differences(o bigint, m bigint, active_roles text[], what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    t text;
    command text;
    wanted bigint[];
    got bigint[];
    c record;
    outcome text;
    expected text;
    changed bigint;
BEGIN
    PERFORM model.load_visible(o, m, active_roles);
    FOREACH t IN ARRAY model.tables() LOOP
        FOREACH command IN ARRAY '{UPDATE,UPDATE WHERE,DELETE,DELETE WHERE}'::text[] LOOP
            CONTINUE WHEN model.dice(6, command, t || what) > 0;
            wanted := ARRAY(SELECT r FROM model.rows(t, o, m, CASE WHEN command ~ '^UPDATE' THEN 'edit' ELSE 'delete' END) r
                             WHERE r IN (SELECT v.rid FROM model.visible v) ORDER BY 1);	-- also where the statement reads no column
            BEGIN
                PERFORM model.enter(o, m, active_roles);
                EXECUTE format(CASE command WHEN 'UPDATE' THEN 'UPDATE inbox.%I SET mark = 1' WHEN 'UPDATE WHERE' THEN 'UPDATE inbox.%I SET mark = 1 WHERE rid > 0'
                                            WHEN 'DELETE' THEN 'DELETE FROM inbox.%I' ELSE 'DELETE FROM inbox.%I WHERE rid > 0' END, t);
                PERFORM model.leave();
                IF command ~ '^UPDATE' THEN
                    EXECUTE format('SELECT array_agg(rid ORDER BY rid) FROM inbox.%I WHERE mark = 1', t) INTO got;
                    PERFORM model.undo();
                ELSE
                    EXECUTE format('SELECT array_agg(rid ORDER BY rid) FROM inbox.%I', t) INTO got;
                    PERFORM model.undo();
                END IF;
            EXCEPTION WHEN SQLSTATE 'RB003' THEN
                PERFORM model.leave();
            END;
            IF command ~ '^DELETE' THEN
                EXECUTE format('SELECT array_agg(rid ORDER BY rid) FROM inbox.%I WHERE rid <> ALL ($1)', t) INTO got USING coalesce(got, '{}');
            END IF;
            INSERT INTO model.tally VALUES (format('%s of %s', split_part(command, ' ', 1), t), cardinality(got));
            RETURN QUERY SELECT format('%s of %s: member %s %s reach row %s', command, t, m, CASE WHEN r = ANY (wanted) THEN 'does not' ELSE 'does' END, r)
                           FROM (SELECT r FROM unnest(wanted || got) r GROUP BY r HAVING count(*) <> 2) d LIMIT 1;
        END LOOP;

        -- INSERT: what the model says with the candidates there, then one by one
        CONTINUE WHEN model.dice(3, 'insert', t || what) > 0;
        wanted := '{}';
        BEGIN
            EXECUTE format('INSERT INTO inbox.%1$I SELECT r.* FROM model.candidate c, jsonb_populate_record(NULL::inbox.%1$I, c.content) r WHERE c.tab = %1$L', t);
            wanted := ARRAY(SELECT r FROM model.rows(t, o, m, 'create') r);
            PERFORM model.undo();
        EXCEPTION WHEN SQLSTATE 'RB003' THEN
        END;
        FOR c IN SELECT * FROM model.candidate WHERE tab = t AND model.dice(8, 'tried', rid || what) = 0 LOOP
            BEGIN
                PERFORM model.enter(o, m, active_roles);
                EXECUTE format('INSERT INTO inbox.%1$I SELECT r.* FROM jsonb_populate_record(NULL::inbox.%1$I, $1) r', t) USING c.content;
                outcome := 'may';
                PERFORM model.undo();
            EXCEPTION
                WHEN SQLSTATE 'RB003' THEN PERFORM model.leave();
                WHEN insufficient_privilege THEN outcome := 'may not'; PERFORM model.leave();
            END;
            INSERT INTO model.tally VALUES (format('%s insert into %s', outcome, t), 1);
            IF (outcome = 'may') <> (c.rid = ANY (wanted)) THEN
                RETURN NEXT format('member %s %s insert into %s: %s', m, outcome, t, c.content);
                EXIT;
            END IF;
        END LOOP;
    END LOOP;

    -- UPDATE that moves a row: it must be in reach, to see and to edit, before, and to edit after
    wanted := '{}';
    BEGIN
        UPDATE conversation SET team_id = (customer_id * 3) % 45, assignee_id = nullif(model.any_member('next', rid::text), 1) WHERE rid % 11 = m % 11;
        wanted := ARRAY(SELECT e.rid FROM model.conversations(o, m, 'conversation', 'edit') e);
        PERFORM model.undo();
    EXCEPTION WHEN SQLSTATE 'RB003' THEN
    END;
    got := ARRAY(SELECT v.rid FROM model.conversations(o, m, 'conversation', 'view') v JOIN model.conversations(o, m, 'conversation', 'edit') e USING (rid));
    FOR c IN SELECT * FROM conversation WHERE rid % 11 = m % 11 AND (rid = ANY (got || wanted) OR id % 10 = 0) ORDER BY model.dice(10000, 'moved', rid || what) LIMIT 12 LOOP
        expected := CASE WHEN c.rid <> ALL (got) THEN 'does not reach' WHEN c.rid = ANY (wanted) THEN 'moves' ELSE 'is refused to move' END;
        BEGIN
            PERFORM model.enter(o, m, active_roles);
            UPDATE conversation SET team_id = (customer_id * 3) % 45, assignee_id = nullif(model.any_member('next', rid::text), 1) WHERE rid = c.rid;
            GET DIAGNOSTICS changed = ROW_COUNT;
            outcome := CASE changed WHEN 1 THEN 'moves' ELSE 'does not reach' END;
            PERFORM model.undo();
        EXCEPTION
            WHEN SQLSTATE 'RB003' THEN PERFORM model.leave();
            WHEN insufficient_privilege THEN outcome := 'is refused to move'; PERFORM model.leave();
        END;
        INSERT INTO model.tally VALUES (outcome, 1);
        IF outcome <> expected THEN
            RETURN NEXT format('member %s %s %s', m, outcome, to_jsonb(c));
            EXIT;
        END IF;
    END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION model.any_member, model.dice TO regress_chat_rbac_app;

CREATE FUNCTION model.preset_write_differences(role_name text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    place text;
BEGIN
    FOREACH place IN ARRAY CASE role_name WHEN 'Agent' THEN '{org}'::text[] END || '{top,two}' LOOP
        RETURN QUERY SELECT place || ': ' || r FROM model.write_differences(1, model.give(role_name, place), NULL, role_name || place) r;
        EXIT WHEN FOUND;
    END LOOP;
END $$;
SELECT is_empty(format('SELECT * FROM model.preset_write_differences(%L)', name), format('%s writes what it should, wherever it is granted', name))
  FROM chat_rbac.role WHERE org_id = 1 AND preset ORDER BY role_id;
SELECT is_empty($$SELECT r FROM generate_series(1, 150, 5) m, model.write_differences(1, m, NULL, m::text) r LIMIT 3$$, 'random roles: the same writes');

SELECT is((SELECT string_agg(what, ', ' ORDER BY what) FROM (
               SELECT format(f, t) AS what FROM unnest(model.tables()) t,
                      unnest('{sees %s,sees nothing of %s,UPDATE of %s,DELETE of %s,may insert into %s,may not insert into %s}'::text[]) f
               UNION ALL SELECT unnest('{moves,does not reach,is refused to move}'::text[])
               UNION ALL
               SELECT format('relation %s %s', r, w)
                 FROM unnest('{all,own,unassigned,unrouted,colleague,participating,done,own_done,begun,both,linked,blocked,watched,urgent}'::text[]) r, unnest('{org-wide,at a unit}'::text[]) w
               EXCEPT SELECT what FROM model.tally WHERE rows > 0) missing), NULL, 'every kind of case has occurred');
SELECT cmp_ok((SELECT sum(rows) FROM model.tally WHERE what LIKE 'sees %'), '>', 50000::numeric, 'many rows were seen');
SELECT * FROM finish();
ROLLBACK;

--
-- Separation of duty against a model: random changes are accepted just where
-- the model says that nobody then holds too many, and a session has just the
-- roles that the model gives it.
--
-- Schema model says both in plain SQL over the RBAC tables; it calls no
-- function of chat_rbac.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT plan(7);
SELECT setseed(coalesce(nullif(current_setting('regress.seed', true), ''), '0.6')::float8);

CREATE SCHEMA model;
INSERT INTO chat_rbac.org VALUES (1, 'acme'), (2, 'other');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) SELECT o, u, 'team', 'Unit ' || u FROM generate_series(1, 2) o, generate_series(1, 3) u;
INSERT INTO chat_rbac.member (org_id, member_id, name, active) SELECT o, m, 'Member ' || m, m <> 3 FROM generate_series(1, 2) o, generate_series(1, 4) m;
INSERT INTO chat_rbac.known_permission (name, description) SELECT ('model.r' || r)::chat_rbac.permission, 'of role ' || r FROM generate_series(1, 8) r;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, r, 'r' || r, ARRAY['model.r' || r]::chat_rbac.permset FROM generate_series(1, 2) o, generate_series(1, 8) r;

-- What each role leads to
CREATE VIEW model.closure AS
WITH RECURSIVE c (org_id, role_id, has) AS (
    SELECT org_id, role_id, role_id FROM chat_rbac.role
    UNION
    SELECT c.org_id, c.role_id, i.junior_id FROM c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.has)
SELECT * FROM c;

-- At now and at each bound to come: who has too many of a set
CREATE VIEW model.violation AS
SELECT s.org_id, s.name, g.member_id, t.at
  FROM chat_rbac.separation s
  JOIN chat_rbac.separation_role r USING (org_id, separation_id)
  JOIN model.closure c ON c.org_id = s.org_id AND c.has = r.role_id
  JOIN chat_rbac.role_grant g ON g.org_id = s.org_id AND g.role_id = c.role_id
  JOIN (SELECT now() AS at UNION SELECT lower(valid) FROM chat_rbac.role_grant UNION SELECT upper(valid) FROM chat_rbac.role_grant) t ON g.valid @> t.at AND t.at >= now()
 WHERE s.kind = 'static'
 GROUP BY s.org_id, s.separation_id, s.name, s.cardinality, g.member_id, t.at
HAVING count(DISTINCT r.role_id) >= s.cardinality;

--
-- Static
--
CREATE FUNCTION model.any(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT 1 + floor(random() * n)::int $$;
CREATE FUNCTION model.change() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    o int := CASE WHEN random() < 0.9 THEN 1 ELSE 2 END;
    a int := model.any(7);
    b int := a + model.any(8 - a);  -- no cycles: a junior has the greater number
    t int := model.any(60) - 20;
    span text := CASE model.any(6) WHEN 1 THEN '(,)' WHEN 2 THEN format('(,%s)', now() + t * interval '1 day') WHEN 3 THEN format('[%s,)', now() + t * interval '1 day')
        ELSE format('[%s,%s)', now() + t * interval '1 day', now() + (t + model.any(10)) * interval '1 day') END;
BEGIN
    RETURN CASE model.any(26)
        WHEN 1 THEN format('INSERT INTO chat_rbac.role_inherit VALUES (%s, %s, %s) ON CONFLICT DO NOTHING', o, a, b)
        WHEN 2 THEN format('DELETE FROM chat_rbac.role_inherit WHERE org_id = %s AND senior_id = %s', o, a)
        WHEN 3 THEN format('INSERT INTO chat_rbac.separation (org_id, name, kind, cardinality) SELECT %s, %L, %L, %s WHERE (SELECT count(*) < 4 FROM chat_rbac.separation)',
            o, random(), CASE model.any(3) WHEN 1 THEN 'dynamic' ELSE 'static' END, 1 + model.any(2))
        WHEN 4 THEN format('DELETE FROM chat_rbac.separation WHERE org_id = %s AND separation_id %% 9 = %s', o, model.any(9) - 1)
        WHEN 5 THEN format('UPDATE chat_rbac.separation SET kind = CASE kind WHEN ''static'' THEN ''dynamic'' ELSE ''static'' END WHERE org_id = %s AND separation_id %% 2 = %s', o, model.any(2) - 1)
        WHEN 6 THEN format('UPDATE chat_rbac.separation SET cardinality = %s WHERE org_id = %s AND separation_id %% 2 = %s', 1 + model.any(2), o, model.any(2) - 1)
        WHEN 7 THEN format('INSERT INTO chat_rbac.separation_role SELECT org_id, separation_id, %s FROM chat_rbac.separation WHERE org_id = %s ON CONFLICT DO NOTHING', model.any(8), o)
        WHEN 8 THEN format('INSERT INTO chat_rbac.separation_role SELECT org_id, separation_id, unnest(ARRAY[%s, %s]) FROM chat_rbac.separation WHERE org_id = %s ON CONFLICT DO NOTHING', a, b, o)
        WHEN 9 THEN format('DELETE FROM chat_rbac.separation_role WHERE org_id = %s AND role_id = %s', o, a)
        WHEN 10 THEN format('UPDATE chat_rbac.role_grant SET role_id = %s WHERE org_id = %s AND role_id = %s', a, o, b)
        WHEN 11 THEN format('UPDATE chat_rbac.role_grant SET valid = %L WHERE org_id = %s AND role_id = %s', span, o, a)
        WHEN 12 THEN format('UPDATE chat_rbac.role_grant SET member_id = %s WHERE org_id = %s AND role_id = %s', model.any(4), o, a)
        WHEN 13 THEN format('DELETE FROM chat_rbac.role_grant WHERE org_id = %s AND member_id = %s', o, model.any(4))
        WHEN 15 THEN format('DELETE FROM chat_rbac.role_grant WHERE org_id = %s AND role_id IN (%s, %s)', o, a, b)
        WHEN 14 THEN format('UPDATE chat_rbac.role_inherit SET senior_id = %s WHERE org_id = %s AND senior_id = %s AND junior_id > %s', a, o, b, b)
        ELSE format('INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) SELECT %s, %s, %s, %s, %L::tstzrange WHERE (SELECT count(*) < 16 FROM chat_rbac.role_grant)',
            o, model.any(4), model.any(8), coalesce(nullif(model.any(4), 4)::text, 'NULL'), span) END;
END $$;

-- Make a change, with the trigger or without; what came of it
CREATE FUNCTION model.attempt(change text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE change;
    RETURN 'accepted';
EXCEPTION
    WHEN unique_violation OR check_violation THEN RETURN 'meaningless';
    WHEN integrity_constraint_violation THEN RETURN 'refused';
END $$;
CREATE FUNCTION model.would_violate(change text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    violates boolean;
BEGIN
    ALTER TABLE chat_rbac.role_grant DISABLE TRIGGER refuse_joint;
    ALTER TABLE chat_rbac.role_inherit DISABLE TRIGGER refuse_joint;
    ALTER TABLE chat_rbac.separation DISABLE TRIGGER refuse_joint;
    ALTER TABLE chat_rbac.separation_role DISABLE TRIGGER refuse_joint;
    EXECUTE change;
    violates := EXISTS (SELECT FROM model.violation);
    RAISE EXCEPTION USING ERRCODE = 'XX999', MESSAGE = violates::text;
EXCEPTION WHEN SQLSTATE 'XX999' THEN
    RETURN SQLERRM::boolean;
END $$;
CREATE TABLE model.step (n int, change text, outcome text, wrong text);
DO $$
DECLARE
    change text;
    outcome text;
    wrong text;
BEGIN
    FOR n IN 1 .. 1500 LOOP
        change := model.change();
        outcome := model.attempt(change);
        wrong := NULL;
        IF outcome = 'accepted' AND EXISTS (SELECT FROM model.violation) THEN
            wrong := 'violates';
        ELSIF outcome = 'refused' AND NOT model.would_violate(change) THEN
            wrong := 'does not violate';
        END IF;
        INSERT INTO model.step VALUES (n, change, outcome, wrong);
    END LOOP;
END $$;
SELECT is_empty($$SELECT * FROM model.step WHERE outcome = 'accepted' AND wrong IS NOT NULL LIMIT 3$$, 'nothing is accepted after which somebody holds too many');
SELECT is_empty($$SELECT * FROM model.step WHERE outcome = 'refused' AND wrong IS NOT NULL LIMIT 3$$, 'nothing is refused but that');
SELECT ok(count(*) FILTER (WHERE outcome = 'accepted') > 500 AND count(*) FILTER (WHERE outcome = 'refused') > 40
        AND count(DISTINCT substring(change, 'chat_rbac.(\w+)')) FILTER (WHERE outcome = 'refused') = 4, 'there was much of both, by every table') FROM model.step;

--
-- Dynamic: many small worlds, in each of which all members ask in several ways
--
DELETE FROM chat_rbac.separation;
DELETE FROM chat_rbac.role_grant;
DELETE FROM chat_rbac.role_inherit;

-- The roles, by all names, that a member's session with these active roles (NULL: nothing chosen) has; or that it is an error
CREATE FUNCTION model.session(m bigint, chosen bigint[], OUT has bigint[], OUT named bigint[], OUT wrong boolean) LANGUAGE sql AS $$
    WITH granted AS (
        SELECT DISTINCT role_id FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = m AND valid @> statement_timestamp()
    ), lead AS (    -- what may be named
        SELECT DISTINCT c.has AS role_id FROM granted g JOIN model.closure c ON c.org_id = 1 AND c.role_id = g.role_id
    ), begun AS (
        SELECT role_id FROM granted WHERE chosen IS NULL UNION SELECT role_id FROM lead WHERE role_id = ANY (chosen)
    ), active AS (
        SELECT DISTINCT c.has AS role_id FROM begun b JOIN model.closure c ON c.org_id = 1 AND c.role_id = b.role_id
    ), violated AS (
        SELECT r.separation_id FROM chat_rbac.separation s JOIN chat_rbac.separation_role r USING (org_id, separation_id) JOIN active a USING (role_id)
         WHERE s.org_id = 1 AND s.kind = 'dynamic' GROUP BY r.separation_id, s.cardinality HAVING count(*) >= s.cardinality
    ), parted AS (
        SELECT r.role_id FROM chat_rbac.separation_role r JOIN violated v USING (separation_id) WHERE r.org_id = 1
    ), left_over AS (
        SELECT b.role_id FROM begun b
         WHERE NOT EXISTS (SELECT FROM model.closure c JOIN parted p ON p.role_id = c.has WHERE c.org_id = 1 AND c.role_id = b.role_id)
    )
    SELECT (SELECT array_agg(DISTINCT c.has ORDER BY c.has) FROM left_over l JOIN model.closure c ON c.org_id = 1 AND c.role_id = l.role_id),
           (SELECT array_agg(role_id ORDER BY role_id) FROM left_over),
           chosen IS NOT NULL AND (EXISTS (SELECT FROM violated) OR EXISTS (SELECT unnest(chosen) EXCEPT SELECT role_id FROM lead))
$$;
CREATE TABLE model.asked (world int, m bigint, chosen bigint[], expected text, got text);
CREATE FUNCTION model.ask(m bigint, chosen bigint[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('chat_rbac.identity', '1/' || m, true),
        set_config('chat_rbac.active_roles', coalesce((SELECT string_agg('r' || c, ', ') FROM unnest(chosen) c), ''), true);
    SELECT format('%s has %s', chat_rbac.current_roles(), array_agg(DISTINCT p::text ORDER BY p::text)) INTO result
      FROM (SELECT chat_rbac.unnest(permissions) AS p FROM chat_rbac.session_reach()) s;
    PERFORM set_config('chat_rbac.identity', '', true), set_config('chat_rbac.active_roles', '', true);
    RETURN result;
EXCEPTION WHEN invalid_role_specification THEN
    PERFORM set_config('chat_rbac.identity', '', true), set_config('chat_rbac.active_roles', '', true);
    RETURN 'error';
END $$;
DO $$
BEGIN
    FOR world IN 1 .. 60 LOOP
        DELETE FROM chat_rbac.separation;
        DELETE FROM chat_rbac.role_grant;
        DELETE FROM chat_rbac.role_inherit;
        INSERT INTO chat_rbac.role_inherit SELECT 1, a, b FROM generate_series(1, 8) a, generate_series(1, 8) b WHERE a < b AND random() < 0.15;
        INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
        SELECT 1, m, r, nullif(model.any(4), 4), CASE model.any(5) WHEN 1 THEN '[2000-01-01,2001-01-01)' ELSE '(,)' END::tstzrange
          FROM unnest('{1,2,4}'::int[]) m, generate_series(1, 8) r WHERE random() < 0.4;
        INSERT INTO chat_rbac.separation (org_id, name, kind, cardinality) SELECT 1, 'set ' || s, 'dynamic', 1 + model.any(2) FROM generate_series(1, model.any(3) - 1) s;
        INSERT INTO chat_rbac.separation_role SELECT 1, separation_id, r FROM chat_rbac.separation, generate_series(1, 8) r WHERE random() < 0.4;
        INSERT INTO model.asked
        SELECT world, w.m, w.chosen, CASE WHEN s.wrong THEN 'error' ELSE format('%s has %s',
                   coalesce((SELECT array_agg('r' || n ORDER BY n) FROM unnest(s.named) n), '{}'), (SELECT array_agg('model.r' || h ORDER BY h) FROM unnest(s.has) h)) END,
               model.ask(w.m, w.chosen)
          FROM (SELECT m, NULL::bigint[] AS chosen FROM unnest('{1,2,4}'::bigint[]) m
                UNION ALL
                SELECT m, ARRAY(SELECT r FROM generate_series(1, 8) r WHERE random() < 0.25 + 0 * (m + k)) FROM unnest('{1,2,4}'::bigint[]) m, generate_series(1, 4) k) w,
               LATERAL model.session(w.m, w.chosen) s
         WHERE w.chosen IS NULL OR cardinality(w.chosen) > 0;
    END LOOP;
END $$;
SELECT is_empty($$SELECT * FROM model.asked WHERE chosen IS NULL AND got IS DISTINCT FROM expected LIMIT 3$$, 'where nothing is chosen, none of a set of which there are too many');
SELECT is_empty($$SELECT * FROM model.asked WHERE chosen IS NOT NULL AND got IS DISTINCT FROM expected LIMIT 3$$, 'what is chosen is had, or is an error');
SELECT ok(count(*) FILTER (WHERE chosen IS NULL AND got = '{} has ') > 5 AND count(*) FILTER (WHERE chosen IS NULL AND got <> '{} has ') > 50
        AND count(*) FILTER (WHERE chosen IS NOT NULL AND got <> 'error') > 15, 'there was something of all') FROM model.asked;
-- a table that is damaged does not hang anybody
ALTER TABLE chat_rbac.role_inherit DISABLE TRIGGER refuse_cycle;
INSERT INTO chat_rbac.role_inherit VALUES (2, 1, 2), (2, 2, 1);
INSERT INTO chat_rbac.separation (org_id, separation_id, name) VALUES (2, 9999, 'cycle');
INSERT INTO chat_rbac.separation_role VALUES (2, 9999, 1), (2, 9999, 3);
SELECT throws_ok($$INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (2, 1, 2), (2, 1, 3)$$, '23000', NULL, 'in a hierarchy with a cycle too');

SELECT * FROM finish();
ROLLBACK;

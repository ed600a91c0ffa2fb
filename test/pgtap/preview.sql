--
-- preview() against a model: what each member holds at each unit, in plain SQL,
-- before and after changes made by the dice.  What it says is so; what is so, it
-- says, at that unit or above.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off;
SELECT plan(9);

CREATE SCHEMA model;
CREATE FUNCTION model.dice(sides int, what text, seed text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashtextextended(what || ' ' || seed, 3) & 1073741823)::int % sides
$$;
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('other', 2) \g /dev/null
DELETE FROM chat_rbac.role_inherit;
DELETE FROM chat_rbac.role;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name)
SELECT o, u, 'team', nullif(model.dice(u, 'parent', o || ' ' || u), 0), 'Unit ' || u FROM generate_series(1, 2) o, generate_series(1, 14) u ORDER BY o, u;
UPDATE chat_rbac.unit SET sealed = true WHERE unit_id IN (3, 9, 12);
INSERT INTO chat_rbac.member (org_id, member_id, name, active) SELECT o, m, 'Member ' || m, m % 7 > 0 FROM generate_series(1, 2) o, generate_series(1, 12) m;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, r, 'Role ' || r, ARRAY(SELECT (ARRAY['task.view', 'task.edit', 'lead.view', 'lead.*', '*.view', 'task.*'])[1 + model.dice(6, 'what', s)] || (ARRAY['', '', '@own', '@linked'])[1 + model.dice(4, 'relation', s)]
    FROM (SELECT o || ' ' || r || ' ' || n FROM generate_series(0, model.dice(3, 'many', r::text)) n) v (s))::chat_rbac.permset
  FROM generate_series(1, 2) o, generate_series(1, 8) r;
INSERT INTO chat_rbac.role_inherit SELECT 1, r, 1 + model.dice(r - 1, 'junior', r::text) FROM generate_series(2, 8) r WHERE r % 2 = 0;
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id, valid)
SELECT 1 + n % 2, n, 1 + model.dice(12, 'who', n::text), 1 + model.dice(8, 'role', n::text), nullif(model.dice(15, 'unit', n::text), 0),
       (ARRAY['(,)', '(,)', '(,)', '[2020-01-01,2021-01-01)', '[2099-01-01,)'])[1 + model.dice(5, 'valid', n::text)]::tstzrange
  FROM generate_series(1, 60) n;

-- What everybody holds at every unit, and in the whole org (unit 0): each right
-- for each kind of rows, without wildcards.  Rows of all kinds are of every kind.
CREATE TABLE model.held (at text, org_id bigint, member_id bigint, unit_id bigint, permission text);
CREATE TABLE model.above (at text, org_id bigint, unit_id bigint, above bigint);
CREATE TABLE model.said (effect text, org_id bigint, member_id bigint, unit_id bigint, permission text);
CREATE INDEX ON model.held (org_id, member_id, unit_id, permission, at);
CREATE INDEX ON model.said (org_id, member_id, permission, effect);
CREATE INDEX ON model.above (org_id, unit_id, above, at);
CREATE FUNCTION model.meaning(p text) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT resource || '.' || action || '@' || relation
      FROM unnest('{task,lead}'::text[]) resource, unnest('{view,edit,create}'::text[]) action, unnest('{all,own,linked}'::text[]) relation
     WHERE split_part(p, '.', 1) IN ('*', resource) AND split_part(split_part(p, '.', 2), '@', 1) IN ('*', action)
       AND coalesce(nullif(split_part(p, '@', 2), ''), 'all') IN ('all', relation)
$$;
CREATE FUNCTION model.take(which text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO model.above
    WITH RECURSIVE a (org_id, unit_id, above) AS (
        SELECT org_id, unit_id, unit_id FROM chat_rbac.unit
        UNION SELECT a.org_id, a.unit_id, coalesce(u.parent_id, 0) FROM a JOIN chat_rbac.unit u ON u.org_id = a.org_id AND u.unit_id = a.above WHERE NOT u.sealed)
    SELECT which, * FROM a UNION SELECT which, org_id, 0, 0 FROM chat_rbac.org;
    INSERT INTO model.held
    WITH RECURSIVE c (org_id, role_id, has) AS (
        SELECT org_id, role_id, role_id FROM chat_rbac.role
        UNION SELECT c.org_id, c.role_id, i.junior_id FROM c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.has)
    SELECT DISTINCT which, g.org_id, g.member_id, b.unit_id, p
      FROM chat_rbac.role_grant g JOIN chat_rbac.member m USING (org_id, member_id) JOIN c USING (org_id, role_id)
      JOIN chat_rbac.role r ON r.org_id = g.org_id AND r.role_id = c.has
      JOIN model.above b ON b.at = which AND b.org_id = g.org_id AND b.above = coalesce(g.unit_id, 0)
     CROSS JOIN LATERAL unnest(r.permissions::text[]) w CROSS JOIN LATERAL model.meaning(w) p
     WHERE m.active AND g.valid @> now();
$$;

-- Some changes, as text
CREATE FUNCTION model.changes(seed text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(CASE model.dice(12, 'kind', s)
        WHEN 0 THEN format('INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) VALUES (%s, %s, %s, %s, %s)', o, 1000 + n, m, r, coalesce(u::text, 'NULL'))
        WHEN 1 THEN format('DELETE FROM chat_rbac.role_grant WHERE grant_id %% 9 = %s', m % 9)
        WHEN 2 THEN format('UPDATE chat_rbac.member SET active = NOT active WHERE org_id = %s AND member_id = %s', o, m)
        WHEN 3 THEN format('UPDATE chat_rbac.unit SET parent_id = NULL WHERE org_id = %s AND unit_id = %s', o, 1 + m)
        WHEN 4 THEN format('UPDATE chat_rbac.unit SET parent_id = %s WHERE org_id = %s AND unit_id = 14', 1 + m % 10, o)
        WHEN 5 THEN format('UPDATE chat_rbac.role SET permissions = ''{task.edit@own, lead.view}'' WHERE org_id = %s AND role_id = %s', o, r)
        WHEN 6 THEN format('DELETE FROM chat_rbac.role_inherit WHERE senior_id = %s', r)
        WHEN 7 THEN format('UPDATE chat_rbac.role_grant SET unit_id = %s WHERE grant_id %% 11 = %s', coalesce(u::text, 'NULL'), m % 11)
        WHEN 8 THEN format('UPDATE chat_rbac.unit SET sealed = NOT sealed WHERE org_id = %s AND unit_id = %s', o, 1 + m)
        WHEN 9 THEN format('UPDATE chat_rbac.unit SET sealed = NOT sealed, parent_id = nullif(%s, 0) WHERE org_id = %s AND unit_id IN (9, 14)', m % 5, o)
        WHEN 10 THEN format('UPDATE chat_rbac.unit SET sealed = true WHERE org_id = %s AND unit_id %% 4 = %s', o, m % 4)
        ELSE format('INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name) VALUES (%s, %s, ''team'', %s, ''New''); UPDATE chat_rbac.role_grant SET valid = ''(,)'' WHERE grant_id = %s',
                    o, 100 + n, coalesce(u::text, 'NULL'), n * 7) END, '; ')
      FROM (SELECT n, seed || ' ' || n AS s, 1 + model.dice(2, 'org', seed || n) AS o, 1 + model.dice(12, 'm', seed || n) AS m, 1 + model.dice(8, 'r', seed || n) AS r,
                   nullif(model.dice(15, 'u', seed || n), 0) AS u FROM generate_series(1, 1 + model.dice(4, 'n', seed)) n) v
$$;

CREATE TABLE model.wrong (what text, changes text, detail text);
CREATE TABLE model.tally (what text, n bigint);
CREATE FUNCTION model.compare(seed text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    made constant text := model.changes(seed);
    wrong text[];
    tally bigint[];
BEGIN
    BEGIN
        -- the units' names are as many as they are
        INSERT INTO model.said
        SELECT p.effect, o.org_id, p.member_id, CASE p.unit WHEN '(whole org)' THEN 0 ELSE coalesce(nullif(substring(p.unit FROM 'Unit (\d+)$'), '')::bigint, -1) END, w
          FROM chat_rbac.preview(made) p JOIN chat_rbac.org o ON o.name = p.org CROSS JOIN LATERAL model.meaning(p.permission::text) w;
        PERFORM model.take('before');
        EXECUTE made;
        PERFORM model.take('after');
        -- said, and not so: a new unit's name is no number, so nothing is said of one but what was granted there
        wrong := ARRAY(SELECT 'said: ' || s::text FROM model.said s WHERE s.unit_id >= 0 AND NOT CASE s.effect
            WHEN 'gains' THEN EXISTS (SELECT FROM model.held h WHERE h.at = 'after' AND (h.org_id, h.member_id, h.unit_id, h.permission) = (s.org_id, s.member_id, s.unit_id, s.permission))
            ELSE EXISTS (SELECT FROM model.held h WHERE h.at = 'before' AND (h.org_id, h.member_id, h.unit_id, h.permission) = (s.org_id, s.member_id, s.unit_id, s.permission)) END);
        -- so, and not said
        wrong := wrong || ARRAY(
            SELECT 'gained: ' || h::text FROM model.held h WHERE h.at = 'after' AND h.unit_id < 100
               AND NOT EXISTS (SELECT FROM model.held b WHERE b.at = 'before' AND (b.org_id, b.member_id, b.unit_id, b.permission) = (h.org_id, h.member_id, h.unit_id, h.permission))
               AND NOT EXISTS (SELECT FROM model.said s JOIN model.above a ON a.at = 'after' AND a.org_id = h.org_id AND a.unit_id = h.unit_id AND a.above = s.unit_id
                                WHERE s.effect = 'gains' AND (s.org_id, s.member_id, s.permission) = (h.org_id, h.member_id, h.permission))
            UNION ALL
            SELECT 'lost: ' || h::text FROM model.held h WHERE h.at = 'before'
               AND NOT EXISTS (SELECT FROM model.held b WHERE b.at = 'after' AND (b.org_id, b.member_id, b.unit_id, b.permission) = (h.org_id, h.member_id, h.unit_id, h.permission))
               AND NOT EXISTS (SELECT FROM model.said s JOIN model.above a ON a.at = 'before' AND a.org_id = h.org_id AND a.unit_id = h.unit_id AND a.above = s.unit_id
                                WHERE s.effect = 'loses' AND (s.org_id, s.member_id, s.permission) = (h.org_id, h.member_id, h.permission)));
        -- said, though nothing of it is new where it is said
        wrong := wrong || ARRAY(
            SELECT 'no news: ' || (s.effect, s.org_id, s.member_id, s.unit_id)::text FROM model.said s WHERE s.unit_id BETWEEN 0 AND 99
             GROUP BY s.effect, s.org_id, s.member_id, s.unit_id
            HAVING bool_and(EXISTS (SELECT FROM model.held h WHERE h.at = CASE s.effect WHEN 'gains' THEN 'before' ELSE 'after' END
                                       AND (h.org_id, h.member_id, h.unit_id, h.permission) = (s.org_id, s.member_id, s.unit_id, s.permission))));
        tally := ARRAY[(SELECT count(*) FROM model.said WHERE effect = 'gains'), (SELECT count(*) FROM model.said WHERE effect = 'loses'),
                       (SELECT count(*) FROM model.said WHERE unit_id = 0), (SELECT count(*) FROM model.said WHERE unit_id > 0)];
        RAISE EXCEPTION USING ERRCODE = 'RB001';
    EXCEPTION WHEN SQLSTATE 'RB001' THEN
        INSERT INTO model.wrong SELECT split_part(w, ':', 1), made, w FROM unnest(wrong) w;
        INSERT INTO model.tally SELECT w, n FROM unnest('{gains,loses,in the whole org,at a unit}'::text[], tally) v (w, n);
    WHEN integrity_constraint_violation OR unique_violation OR foreign_key_violation OR check_violation THEN
        INSERT INTO model.tally VALUES ('refused', 1);
    END;
END $$;
CREATE TABLE model.fingerprint AS SELECT md5(string_agg(g::text, ' ' ORDER BY grant_id)) AS was FROM chat_rbac.role_grant g;
SELECT count(model.compare(n::text)) FROM generate_series(1, 200) n \g /dev/null

SELECT is_empty($$SELECT * FROM model.wrong WHERE what = 'said' LIMIT 3$$, 'what is said to be gained is held after, and what is said to be lost was held before');
SELECT is_empty($$SELECT * FROM model.wrong WHERE what = 'gained' LIMIT 3$$, 'what is gained at a unit is said, there or above');
SELECT is_empty($$SELECT * FROM model.wrong WHERE what = 'lost' LIMIT 3$$, 'what is lost at a unit is said, there or above');
SELECT is_empty($$SELECT * FROM model.wrong WHERE what = 'no news' LIMIT 3$$, 'and nothing is said without a difference there');
SELECT is((SELECT md5(string_agg(g::text, ' ' ORDER BY grant_id)) FROM chat_rbac.role_grant g), (SELECT was FROM model.fingerprint), 'nothing is left of it');
SELECT cmp_ok((SELECT sum(n) FROM model.tally WHERE what = w), '>', 500::numeric, 'many differences: ' || w) FROM unnest('{gains,loses,in the whole org,at a unit}'::text[]) w;
SELECT * FROM finish();
ROLLBACK;

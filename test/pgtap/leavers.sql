--
-- Handing over and merging against a model, in random orgs with seals: just the
-- open work that is meant goes, who gets it sees it all or it is refused, and
-- whoever calls, it is all or nothing.
--
-- The model takes rows and units from the tables; who sees a row it asks row-level
-- security, in the place of who would get it.
--
BEGIN;
SET LOCAL client_min_messages = error;
SELECT plan(9);
SELECT setseed(coalesce(nullif(current_setting('regress.seed', true), ''), '0.7')::float8);

CREATE ROLE regress_chat_rbac_app;
CREATE SCHEMA model;
CREATE FUNCTION model.any(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT 1 + floor(random() * n)::int $$;
CREATE FUNCTION model.some(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT nullif(model.any(n + 1), n + 1) $$;     -- or none
INSERT INTO chat_rbac.org VALUES (1, 'acme'), (2, 'other');
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, m, 'Member ' || m FROM generate_series(1, 2) o, generate_series(1, 6) m;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) SELECT 1, r, 'r' || r, p::chat_rbac.permset FROM unnest(ARRAY[
    '{conversation.view}', '{conversation.view@own}', '{conversation.view@check}', '{conversation.view@colleague}', '{task.view}', '{task.view@own}', '{report.view}',
    '{conversation.*, task.*, member.*, role.*, unit.*}', '{*.*}']) WITH ORDINALITY AS v (p, r);

CREATE TABLE model.chat (org_id bigint, id int, team_id int, desk_id bigint, assignee_id int, state text, PRIMARY KEY (org_id, id));
CREATE TABLE model.twice (LIKE model.chat INCLUDING ALL, checker_id bigint);
CREATE TABLE model.todo (org_id bigint, id int, assignee_id bigint, PRIMARY KEY (org_id, id));
SELECT chat_rbac.protect('model.chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "desk": "desk_id"},
    "relations": {"own": {"assignee_id": "$member"}, "colleague": {"assignee_id": "$members"}}, "work": {"assignee_id": {"state": ["open", null]}},
    "actions": [{"on": "update", "column": "assignee_id", "requires": "conversation.assign"}, {"on": "update", "requires": "conversation.transfer"}]}') \g /dev/null
SELECT chat_rbac.protect('model.twice', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "desk": "desk_id"},
    "relations": {"own": {"assignee_id": "$member"}, "check": {"checker_id": "$member"}}, "work": {"assignee_id": {"state": "open"}, "checker_id": {"state": ["open", "check"]}},
    "actions": [{"on": "update", "column": "assignee_id", "requires": "conversation.assign"}, {"on": "update", "requires": "conversation.transfer"}]}') \g /dev/null
SELECT chat_rbac.protect('model.todo', '{"resource": "task", "org": "org_id", "relations": {"own": {"assignee_id": "$member"}}, "work": {"assignee_id": {}},
    "actions": [{"on": "update", "requires": "task.assign"}]}') \g /dev/null
GRANT USAGE ON SCHEMA model, chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA model TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role_grant TO regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION chat_rbac.hand_over, chat_rbac.merge_units TO regress_chat_rbac_app;

-- A new org: a tree of units, some sealed, who holds what there, and rows
CREATE FUNCTION model.shuffle() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM chat_rbac.role_grant;
    DELETE FROM chat_rbac.unit;
    TRUNCATE model.chat, model.twice, model.todo;
    FOR u IN 1 .. 8 LOOP
        INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name, parent_id, sealed)
        VALUES (1, u, CASE WHEN u % 3 = 0 THEN 'desk' ELSE 'team' END, 100 + u, 'Unit ' || u, model.some(u - 1), model.any(7) = 1);
    END LOOP;
    INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
    SELECT 1, CASE WHEN g < 4 THEN 1 ELSE 4 + model.any(2) END, CASE WHEN g < 4 THEN 7 + model.any(2) WHEN model.any(3) = 1 THEN 1 ELSE model.any(7) END, nullif(model.some(16) % 9, 0)
    FROM generate_series(1, 8) g WHERE model.any(4) > 1;
    INSERT INTO model.chat SELECT o, i, 100 + model.some(8), 100 + model.some(8), 4 + model.any(2), (ARRAY['open', 'shut', NULL])[model.any(3)]
    FROM generate_series(1, 2) o, generate_series(1, 6) i WHERE model.any(3) > 1;
    INSERT INTO model.twice SELECT o, i, 100 + model.some(8), 100 + model.some(8), 4 + model.some(2), (ARRAY['open', 'shut', 'check'])[model.any(3)], 4 + model.some(2)
    FROM generate_series(1, 2) o, generate_series(1, 6) i WHERE model.any(4) = 1;
    INSERT INTO model.todo SELECT o, i, 4 + model.any(2) FROM generate_series(1, 2) o, generate_series(1, 4) i WHERE model.any(3) = 1;
END $$;

CREATE VIEW model.below AS
WITH RECURSIVE b (top, unit_id) AS (
    SELECT unit_id, unit_id FROM chat_rbac.unit WHERE org_id = 1
    UNION
    SELECT b.top, u.unit_id FROM b JOIN chat_rbac.unit u ON u.org_id = 1 AND u.parent_id = b.unit_id)
SELECT b.top, u.* FROM b JOIN chat_rbac.unit u ON u.org_id = 1 AND u.unit_id = b.unit_id;

-- All rows, the units that each is at, and whose open work it is
CREATE VIEW model.rows AS
SELECT 'chat' AS tab, c.org_id, c.id, ARRAY(SELECT u.unit_id FROM chat_rbac.unit u WHERE u.org_id = 1 AND (u.kind, u.key) IN (('team', c.team_id), ('desk', c.desk_id)) ORDER BY u.unit_id) AS units,
       CASE WHEN c.state = 'open' OR c.state IS NULL THEN ARRAY[c.assignee_id] ELSE '{}' END::bigint[] AS workers, to_jsonb(c) AS was
  FROM model.chat c
UNION ALL
SELECT 'twice', c.org_id, c.id, ARRAY(SELECT u.unit_id FROM chat_rbac.unit u WHERE u.org_id = 1 AND (u.kind, u.key) IN (('team', c.team_id), ('desk', c.desk_id)) ORDER BY u.unit_id),
       CASE c.state WHEN 'open' THEN ARRAY[c.assignee_id, c.checker_id] WHEN 'check' THEN ARRAY[c.checker_id] ELSE '{}' END, to_jsonb(c)
  FROM model.twice c
UNION ALL
SELECT 'todo', t.org_id, t.id, '{}', ARRAY[t.assignee_id], to_jsonb(t) FROM model.todo t;

CREATE FUNCTION model.state() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT concat((SELECT string_agg(r::text, ' ' ORDER BY tab, org_id, id) FROM model.rows r), (SELECT string_agg(g::text, ' ' ORDER BY grant_id) FROM chat_rbac.role_grant g),
                  (SELECT string_agg(u::text, ' ' ORDER BY unit_id) FROM chat_rbac.unit u)) $$;

-- The open work of member 5, all or at or below a unit
CREATE FUNCTION model.work(at_unit bigint) RETURNS SETOF model.rows LANGUAGE sql VOLATILE AS $$
    SELECT * FROM model.rows r WHERE org_id = 1 AND 5 = ANY (workers)
        AND (at_unit IS NULL OR r.units && ARRAY(SELECT b.unit_id FROM model.below b WHERE b.top = at_unit)) $$;

-- The rows of these that member 6 does not see, once they are 6's
CREATE FUNCTION model.unseen(keys text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    seen text[];
BEGIN
    BEGIN
        UPDATE model.chat SET assignee_id = 6 WHERE org_id = 1 AND 'chat' || id = ANY (keys);
        UPDATE model.twice SET assignee_id = CASE WHEN assignee_id = 5 AND state = 'open' THEN 6 ELSE assignee_id END,
            checker_id = CASE WHEN checker_id = 5 THEN 6 ELSE checker_id END WHERE org_id = 1 AND 'twice' || id = ANY (keys);
        UPDATE model.todo SET assignee_id = 6 WHERE org_id = 1 AND 'todo' || id = ANY (keys);
        PERFORM set_config('chat_rbac.identity', '1/6', true);
        SET LOCAL ROLE regress_chat_rbac_app;
        SELECT array_agg(k) INTO seen FROM (
            SELECT 'chat' || id FROM model.chat UNION ALL SELECT 'twice' || id FROM model.twice UNION ALL SELECT 'todo' || id FROM model.todo) AS s (k);
        RAISE sqlstate 'UNDO1';
    EXCEPTION WHEN sqlstate 'UNDO1' THEN NULL;
    END;
    RETURN ARRAY(SELECT k FROM unnest(keys) AS k WHERE k <> ALL (coalesce(seen, '{}')));
END $$;

-- What a call gives: the error, or NULL
CREATE FUNCTION model.attempt(identity text, role text, call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('chat_rbac.identity', identity, true), set_config('role', role, true);
    EXECUTE call;
    PERFORM set_config('role', 'none', true), set_config('chat_rbac.identity', '', true);
    RETURN NULL;
EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state OR undefined_object THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

--
-- Past policies: what goes, and who sees it then
--
CREATE TABLE model.found (what text, round int, detail text);
DO $$
DECLARE
    target bigint;
    keys text[];
    lost text[];
    was text;
    expected text;
    problem text;
    revoke boolean;
    receiver bigint;
BEGIN
    FOR round IN 1 .. 120 LOOP
        PERFORM model.shuffle();
        target := model.some(12);
        target := CASE WHEN target < 9 THEN target END;
        revoke := model.any(2) = 1;
        receiver := CASE WHEN model.any(5) > 1 THEN 6 END;
        keys := ARRAY(SELECT tab || id FROM model.work(target) ORDER BY 1);
        lost := CASE WHEN receiver = 6 THEN model.unseen(keys) ELSE '{}' END;
        was := model.state();
        /* in place, as the model has it */
        SELECT string_agg(CASE WHEN r.org_id = 1 AND r.tab || r.id = ANY (keys) THEN (SELECT jsonb_object_agg(e.key,
                CASE WHEN e.key IN ('assignee_id', 'checker_id') AND e.value = '5' AND NOT (r.tab = 'twice' AND e.key = 'assignee_id' AND r.was ->> 'state' <> 'open')
                    THEN coalesce(to_jsonb(receiver), 'null') ELSE e.value END) FROM jsonb_each(r.was) AS e) ELSE r.was END::text, ' ' ORDER BY tab, org_id, id)
        INTO expected FROM model.rows r;
        problem := model.attempt('1/2', 'none', format('SELECT chat_rbac.hand_over(5, %s, %s, revoke => %L)', coalesce(receiver::text, 'NULL'), coalesce(target::text, 'NULL'), revoke));
        INSERT INTO model.found SELECT CASE WHEN problem IS NULL THEN 'done' ELSE 'refused' END, round, problem;
        IF problem IS NULL THEN
            INSERT INTO model.found SELECT 'unseen', round, lost::text WHERE lost <> '{}';
            INSERT INTO model.found SELECT 'otherwise', round, concat(expected, ' <> ', s) FROM (SELECT string_agg(r.was::text, ' ' ORDER BY tab, org_id, id) FROM model.rows r) AS r (s)
            WHERE s IS DISTINCT FROM expected;
            INSERT INTO model.found SELECT 'grants', round, count(*)::text FROM chat_rbac.role_grant g
            WHERE member_id = 5 AND revoke AND (target IS NULL OR g.unit_id IN (SELECT b.unit_id FROM model.below b WHERE b.top = target)) HAVING count(*) > 0;
        ELSE
            INSERT INTO model.found SELECT 'partly', round, problem WHERE model.state() <> was;
            /* by which of two columns a row is seen, it does not go into: it may refuse there */
            INSERT INTO model.found SELECT 'needlessly', round, problem WHERE lost = '{}' AND NOT EXISTS (SELECT FROM unnest(keys) AS k WHERE k LIKE 'twice%');
        END IF;
    END LOOP;
END $$;
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'done'), '>', 25::bigint, 'many are handed over');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'refused'), '>', 25::bigint, 'many are refused');
SELECT is_empty($$ SELECT * FROM model.found WHERE what IN ('unseen', 'needlessly') $$, 'refused just where somebody would not see what is theirs then');
SELECT is_empty($$ SELECT * FROM model.found WHERE what IN ('otherwise', 'grants') $$, 'just the open work goes, and the grants');
SELECT is_empty($$ SELECT * FROM model.found WHERE what = 'partly' $$, 'what is refused has not happened');

--
-- As members, whose rights end at seals and units
--
TRUNCATE model.found;
DO $$
DECLARE
    target bigint;
    source bigint;
    was text;
    problem text;
    told bigint[];
BEGIN
    FOR round IN 1 .. 120 LOOP
        PERFORM model.shuffle();
        target := model.any(8);
        source := model.any(8);
        was := model.state();
        IF round % 2 = 0 THEN
            target := CASE WHEN model.any(2) = 1 THEN target END;
            problem := model.attempt('1/1', 'regress_chat_rbac_app', format('SELECT chat_rbac.hand_over(5, NULL, %s)', coalesce(target::text, 'NULL')));
            /* below a seal, only what is below a grant of member 1's that is there too */
            told := ARRAY(SELECT u.unit_id FROM chat_rbac.unit u WHERE u.org_id = 1
                AND NOT EXISTS (SELECT FROM model.below s WHERE s.unit_id = u.unit_id AND (SELECT t.sealed FROM chat_rbac.unit t WHERE t.org_id = 1 AND t.unit_id = s.top)
                    AND NOT EXISTS (SELECT FROM chat_rbac.role_grant g JOIN model.below b ON b.top = g.unit_id WHERE g.member_id = 1 AND b.unit_id = u.unit_id
                        AND EXISTS (SELECT FROM model.below i WHERE i.top = s.top AND i.unit_id = g.unit_id))));
            INSERT INTO model.found SELECT 'left', round, w.was::text FROM model.work(target) AS w WHERE problem IS NULL AND w.units <@ told;
            INSERT INTO model.found SELECT 'grant left', round, g::text FROM chat_rbac.role_grant g WHERE problem IS NULL AND g.member_id = 5
                AND (target IS NULL OR g.unit_id IN (SELECT b.unit_id FROM model.below b WHERE b.top = target));
        ELSE
            problem := model.attempt('1/1', CASE WHEN model.any(2) = 1 THEN 'none' ELSE 'regress_chat_rbac_app' END, format('SELECT chat_rbac.merge_units(%s, %s)', source, CASE WHEN target <> source THEN target ELSE 1 + source % 8 END));
            INSERT INTO model.found SELECT 'left', round, w.was::text FROM model.rows w WHERE problem IS NULL AND w.org_id = 1
                AND ((source % 3 > 0 AND (w.was ->> 'team_id')::int = 100 + source) OR (source % 3 = 0 AND (w.was ->> 'desk_id')::int = 100 + source));
            INSERT INTO model.found SELECT 'unit left', round, u::text FROM chat_rbac.unit u WHERE problem IS NULL AND (u.unit_id = source OR u.parent_id = source);
        END IF;
        INSERT INTO model.found SELECT CASE WHEN problem IS NULL THEN 'done ' ELSE 'refused ' END || round % 2, round, problem;
        INSERT INTO model.found SELECT 'partly', round, problem WHERE problem IS NOT NULL AND model.state() <> was;
    END LOOP;
END $$;
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'done 0'), '>', 6::bigint, 'members hand over');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'done 1'), '>', 4::bigint, 'and units are merged');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what IN ('refused 0', 'refused 1')), '>', 25::bigint, 'many may not');
SELECT is_empty($$ SELECT * FROM model.found WHERE what NOT LIKE 'done%' AND what NOT LIKE 'refused%' $$, 'it is all or nothing, but for what is sealed off');

SELECT * FROM finish();
ROLLBACK;

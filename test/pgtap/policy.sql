--
-- Policies as documents, in random orgs with names that need quotes: what is
-- exported is imported the same, over an empty org or another one with prune; then
-- nothing is left to do; and an import that fails, also a member's, leaves all as it was.
--
BEGIN;
SET LOCAL client_min_messages = error;
SELECT plan(9);
SELECT setseed(coalesce(nullif(current_setting('regress.seed', true), ''), '-0.9')::float8);

CREATE ROLE regress_chat_rbac_app;
CREATE SCHEMA model;
GRANT USAGE ON SCHEMA model, chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant, chat_rbac.separation, chat_rbac.separation_role
    TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.org, chat_rbac.known_permission TO regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION chat_rbac.export_policy, chat_rbac.diff_policy, chat_rbac.import_policy, chat_rbac.find_by_name TO regress_chat_rbac_app;

CREATE FUNCTION model.any(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT 1 + floor(random() * n)::int $$;
CREATE FUNCTION model.name() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT (ARRAY['a', 'b', 'B', 'a / b', 'a ', '"', 'n''y', E'l\nm', E't\tb', '%s', U&'\00E9', U&'e\0301', U&'\65E5\672C', '{x}', '[]', '\', '\n', 'null', '1', '$1', ',', '(whole org)'])[model.any(22)] $$;
CREATE FUNCTION model.pick(names text[], n int) RETURNS text[] LANGUAGE sql VOLATILE AS $$ SELECT ARRAY(SELECT x FROM unnest(names) AS x ORDER BY random() LIMIT n) $$;

CREATE FUNCTION model.empty(o bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM chat_rbac.role_grant WHERE org_id = o;
    DELETE FROM chat_rbac.separation WHERE org_id = o;
    DELETE FROM chat_rbac.role_inherit WHERE org_id = o;
    DELETE FROM chat_rbac.role WHERE org_id = o;
    DELETE FROM chat_rbac.member WHERE org_id = o;
    DELETE FROM chat_rbac.unit WHERE org_id = o;
END $$;

-- What collides with what is there already is left out
CREATE FUNCTION model.fill(o bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    known text[] := ARRAY(SELECT name::text FROM chat_rbac.known_permission ORDER BY 1) || '{*.*, conversation.*, *.view, conversation.view@own, task.*@own}'::text[];
    above bigint;
    called text;
BEGIN
    PERFORM model.empty(o);
    FOR i IN 1 .. model.any(10) LOOP
        above := CASE WHEN model.any(3) > 1 THEN (SELECT unit_id FROM chat_rbac.unit WHERE org_id = o ORDER BY random() LIMIT 1) END;
        called := model.name();
        INSERT INTO chat_rbac.unit (org_id, kind, key, parent_id, name, sealed)
        SELECT o, (ARRAY['team', 'inbox', 'k "1'])[model.any(3)], model.any(15) - 2, above, called, model.any(7) = 1
        WHERE NOT EXISTS (SELECT FROM chat_rbac.unit u WHERE u.org_id = o AND u.parent_id IS NOT DISTINCT FROM above AND u.name = called)
        ON CONFLICT DO NOTHING;
    END LOOP;
    FOR i IN 1 .. model.any(7) LOOP
        INSERT INTO chat_rbac.role (org_id, name, permissions, max_duration) SELECT o, model.name(), (SELECT coalesce(chat_rbac.permset_agg(p::chat_rbac.permission), '{}')
            FROM unnest(model.pick(known, model.any(4) - 1)) AS p), (ARRAY[NULL, NULL, NULL, '90 days', '1 mon', '2 years 3 mons 00:00:01.5'])[model.any(6)]::interval ON CONFLICT DO NOTHING;
        INSERT INTO chat_rbac.member (org_id, name, subject, active) SELECT o, x.name, x.subject, model.any(5) > 1 FROM (SELECT model.name() AS name, CASE WHEN model.any(2) = 1 THEN 's' || i || 'of' || o END AS subject) AS x
        WHERE NOT EXISTS (SELECT FROM chat_rbac.member m WHERE m.org_id = o AND m.name = x.name) ON CONFLICT DO NOTHING;
        BEGIN
            INSERT INTO chat_rbac.role_inherit SELECT o, s.role_id, j.role_id FROM chat_rbac.role s, chat_rbac.role j
            WHERE s.org_id = o AND j.org_id = o AND s.name < j.name COLLATE "C" ORDER BY random() LIMIT 1 ON CONFLICT DO NOTHING;
            PERFORM chat_rbac.create_separation((SELECT name FROM chat_rbac.org WHERE org_id = o), model.name(), r, 1 + model.any(2), (ARRAY['static', 'dynamic'])[model.any(2)])
            FROM model.pick(ARRAY(SELECT name FROM chat_rbac.role WHERE org_id = o), 1 + model.any(3)) AS r WHERE model.any(4) = 1;
        EXCEPTION WHEN integrity_constraint_violation OR invalid_parameter_value OR unique_violation THEN NULL;
        END;
        BEGIN
            INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid, shift, reason)
            SELECT o, m.member_id, r.role_id, CASE WHEN model.any(3) > 1 THEN (SELECT unit_id FROM chat_rbac.unit WHERE org_id = o ORDER BY random() LIMIT 1) END,
                CASE WHEN r.max_duration IS NOT NULL THEN tstzrange(now(), now() + r.max_duration) ELSE (ARRAY['(,)', '(,)', '[2026-01-01 00:00+02,2099-01-01)', '(,2030-05-05)'])[model.any(4)]::tstzrange END,
                (ARRAY[NULL, NULL, 'Mon-Fri 09:00-18:00 Asia/Riyadh'])[model.any(3)]::chat_rbac.shift, CASE WHEN model.any(3) = 1 THEN model.name() END
            FROM chat_rbac.member m, chat_rbac.role r WHERE m.org_id = o AND r.org_id = o ORDER BY random() LIMIT 1;
        EXCEPTION WHEN integrity_constraint_violation THEN NULL;
        END;
    END LOOP;
END $$;

CREATE TABLE model.found (what text, round int, detail text);
GRANT SELECT, INSERT ON model.found TO regress_chat_rbac_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA model TO regress_chat_rbac_app;

-- Import as the current role, and note what is wrong afterwards
CREATE FUNCTION model.import(round int, what text, org text, policy jsonb, prune boolean, members boolean DEFAULT true) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    was jsonb := chat_rbac.export_policy(org, members);
    told jsonb := (SELECT jsonb_agg(to_jsonb(d)) FROM chat_rbac.diff_policy(org, policy, prune) AS d);
    did jsonb;
BEGIN
    BEGIN
        did := (SELECT jsonb_agg(to_jsonb(d)) FROM chat_rbac.import_policy(org, policy, prune) AS d);
    EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist OR integrity_constraint_violation THEN
        INSERT INTO model.found VALUES (what || ': refused', round, SQLERRM);
        INSERT INTO model.found SELECT 'half done', round, SQLERRM WHERE chat_rbac.export_policy(org, members) <> was;
        RETURN false;
    END;
    INSERT INTO model.found VALUES (what || ': done', round, NULL);
    INSERT INTO model.found SELECT 'diff is not what was done', round, format('%s / %s', told, did) WHERE told IS DISTINCT FROM did;
    INSERT INTO model.found SELECT 'left to do', round, to_jsonb(d)::text FROM chat_rbac.diff_policy(org, policy, prune) AS d;
    INSERT INTO model.found SELECT 'done again', round, to_jsonb(d)::text FROM chat_rbac.import_policy(org, policy, prune) AS d;
    INSERT INTO model.found SELECT 'nothing to do, but another policy', round, policy::text WHERE did IS NULL AND chat_rbac.export_policy(org, members) <> was;
    RETURN true;
END $$;

INSERT INTO chat_rbac.org VALUES (1, 'one'), (2, 'two'), (3, 'empty'), (4, 'owned');
DO $$
DECLARE
    one jsonb;
    two jsonb;
    boss bigint;
BEGIN
    FOR round IN 1 .. 40 LOOP
        PERFORM model.fill(1), model.fill(2), model.empty(3), model.fill(4);
        one := chat_rbac.export_policy('one', true) - 'org';
        two := chat_rbac.export_policy('two', true) - 'org';
        INSERT INTO model.found SELECT 'own policy', round, to_jsonb(d)::text FROM chat_rbac.diff_policy('one', one, true) AS d;
        IF model.import(round, 'fresh', 'empty', one, model.any(2) = 1) THEN
            INSERT INTO model.found SELECT 'not equal', round, one::text WHERE chat_rbac.export_policy('empty', true) - 'org' <> one;
        END IF;
        /* members stay, as do what others have of the document's */
        IF model.import(round, 'over', 'empty', two, true) THEN
            INSERT INTO model.found SELECT 'not equal', round, two::text WHERE chat_rbac.export_policy('empty') - 'org' <> two - 'members';
            INSERT INTO model.found SELECT 'members', round, two::text WHERE NOT (chat_rbac.export_policy('empty', true) -> 'members') @> (two -> 'members');
        END IF;
        PERFORM model.import(round, 'back', 'empty', one - ('{members,separations,org}'::text[])[model.any(3)], false);

        /* a member who owns the org, with its rights only */
        INSERT INTO chat_rbac.member (org_id, name, subject) VALUES (4, 'boss', 'boss') RETURNING member_id INTO boss;
        INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (4, 'boss', '{*.*}');
        PERFORM chat_rbac.grant_role('owned', 'boss', 'boss');
        PERFORM set_config('chat_rbac.identity', '4/' || boss, true);
        SET LOCAL ROLE regress_chat_rbac_app;
        PERFORM model.import(round, 'by a member', 'owned', two - 'members', false);
        IF model.import(round, 'by a member', 'owned', one || (SELECT jsonb_build_object('roles', one -> 'roles' || r.r) FROM jsonb_array_elements(chat_rbac.export_policy('owned') -> 'roles') AS r (r)
                WHERE r.r ->> 'name' = 'boss') || jsonb_build_object('members', one -> 'members' || '[{"name": "boss", "subject": "boss", "grants": [{"role": "boss"}]}]'), true) THEN
            INSERT INTO model.found SELECT 'units by a member', round, one::text WHERE chat_rbac.export_policy('owned') -> 'units' <> one -> 'units';
        END IF;
        RESET ROLE;
        PERFORM set_config('chat_rbac.identity', '', true);
    END LOOP;
END $$;
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'fresh: done'), '=', 40::bigint, 'an empty org takes every policy');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'over: done'), '>', 30::bigint, 'and most go over another, with prune');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'back: done'), '>', 10::bigint, 'and some without');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'by a member: done'), '>', 10::bigint, 'members import');
SELECT cmp_ok((SELECT count(*) FROM model.found WHERE what = 'by a member: refused'), '>', 5::bigint, 'within limits');
SELECT is_empty($$ SELECT * FROM model.found WHERE what IN ('not equal', 'members', 'units by a member') $$, 'the policy is then what was imported');
SELECT is_empty($$ SELECT * FROM model.found WHERE what IN ('left to do', 'done again', 'own policy', 'nothing to do, but another policy') $$, 'and nothing is left to do');
SELECT is_empty($$ SELECT * FROM model.found WHERE what = 'half done' $$, 'what fails leaves all as it was');
SELECT is_empty($$ SELECT * FROM model.found WHERE what = 'diff is not what was done' $$, 'and a diff tells what is done');

SELECT * FROM finish();
ROLLBACK;

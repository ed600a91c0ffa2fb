--
-- The attacker's tools work.  Each person sees just what lab.marker says, which was
-- written by hand; the roles can do what attackers need; and the assertions of the
-- suite fail where something leaks.
--
SELECT plan(19);

SELECT is((SELECT array_agg(m.marker ORDER BY m.marker COLLATE "C") FROM lab.markers(t.output) AS m),
          (SELECT array_agg(m.marker ORDER BY m.marker COLLATE "C") FROM lab.marker AS m WHERE lab.may_see(p.name, m, false)),
          p.name || ' sees what is theirs')
FROM lab.person AS p, LATERAL (SELECT string_agg(lab.run_as(p.name, 'TABLE inbox.' || x), E'\n') AS output
    FROM unnest('{customer,conversation,message,task,lead,broadcast,setting,integration}'::text[]) AS x) AS t ORDER BY p.name;
SELECT is((SELECT array_agg(m.marker ORDER BY m.marker COLLATE "C") FROM lab.markers(t.output) AS m),
          (SELECT array_agg(m.marker ORDER BY m.marker COLLATE "C") FROM lab.marker AS m
            WHERE m.kind IN ('customer', 'phone', 'email', 'balance', 'conversation') AND lab.may_see('Ali', m, true)),
          'and by the views for a BI tool')
FROM (SELECT lab.run_as('Ali', 'TABLE inbox.card', 'attack_bi') || lab.run_as('Ali', 'TABLE inbox.report', 'attack_bi') AS output) AS t;

SELECT is((SELECT count(*) FROM lab.marker WHERE 'Hana' = ANY (seen_by) AND 'Olga' <> ALL (seen_by)) > 50, true, 'what is sealed, not even the owner of the org sees');
SELECT is(array_length(lab.hidden('Ali', string_agg(c::text, '')), 1) > 100, true, 'the list finds what a superuser sees to be hidden from Ali') FROM inbox.conversation AS c;
SELECT is(lab.run_as('Ali', 'SELECT lab.run_as(''Gus'', ''TABLE inbox.conversation'')') ~ '^ERROR 42501', true, 'nobody becomes somebody by the tests'' functions');
SELECT is(lab.run_as('Ali', 'SELECT id FROM inbox.task WHERE own.tell(title)') ~ '~t1-\d+~', true, 'attackers'' functions tell what they saw');
SELECT is(lab.run_as('Ali', 'SELECT 1 / 0') ~ '^ERROR 22012: division by zero', true, 'errors are told');
SELECT is(lab.run_as('Gus', 'SELECT current_user || session_user'), E'(attack_appattack_app)\n', 'a statement runs as the role');
SELECT is(lab.hidden('Sue', lab.remote('Sue', 'TABLE inbox.conversation')) = '{}' AND lab.visible('Sue', lab.remote('Sue', 'TABLE inbox.conversation')) > 20, true, 'a session of one''s own sees the same');

SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

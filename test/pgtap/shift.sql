--
-- Shifts: hours of the week by the clock of a time zone, compared with what
-- doc/time.md says, written in SQL on the numbers that the shifts' texts are
-- made of: windows and dates as rows, local time by AT TIME ZONE.  The model
-- calls no function of chat_rbac.
--
-- All windows and all time zones here fit a grid of quarter hours, so between
-- two points of it nothing changes, and the model's next change is found by
-- walking along it.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL search_path = public, chat_rbac;
SELECT plan(37);

--
-- Shape
--
SELECT has_type('chat_rbac', 'shift', 'type shift exists');
CREATE TEMP TABLE expected_function (signature text, result text, volatility "char", leakproof boolean);
INSERT INTO expected_function
  SELECT format('chat_rbac.shift_%s(chat_rbac.shift,chat_rbac.shift)', f), 'boolean', 'i', true
    FROM unnest('{eq,ne,lt,le,gt,ge}'::text[]) f
  UNION ALL
  VALUES ('chat_rbac.shift_in(cstring)', 'chat_rbac.shift', 's', false), ('chat_rbac.shift_out(chat_rbac.shift)', 'cstring', 'i', false),
         ('chat_rbac.shift_recv(internal)', 'chat_rbac.shift', 's', false), ('chat_rbac.shift_send(chat_rbac.shift)', 'bytea', 'i', false),
         ('chat_rbac.shift_cmp(chat_rbac.shift,chat_rbac.shift)', 'integer', 'i', true), ('chat_rbac.shift_hash(chat_rbac.shift)', 'integer', 'i', true),
         ('chat_rbac.shift_hash_extended(chat_rbac.shift,bigint)', 'bigint', 'i', true),
         ('chat_rbac.shift_contains(chat_rbac.shift,timestamptz)', 'boolean', 's', false),
         ('chat_rbac.shift_contained(timestamptz,chat_rbac.shift)', 'boolean', 's', false),
         ('chat_rbac.next_change(chat_rbac.shift,timestamptz)', 'timestamptz', 's', false);
SELECT is_empty($$SELECT signature FROM expected_function WHERE to_regprocedure(signature) IS NULL$$, 'every function exists');
SELECT is_empty($$SELECT signature FROM expected_function JOIN pg_proc ON oid = to_regprocedure(signature)
                   WHERE prorettype <> result::regtype OR provolatile <> volatility OR proleakproof <> leakproof
                      OR NOT proisstrict OR proparallel <> 's' OR prosecdef$$,
                'with its type and marks: what depends on the server''s time zones is STABLE, what cannot fail, and only that, LEAKPROOF');
SELECT is_empty($$SELECT signature FROM expected_function WHERE NOT has_function_privilege('public', to_regprocedure(signature), 'EXECUTE')$$,
                'everybody may call every function');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE pronamespace = 'chat_rbac'::regnamespace AND proname ~ '^shift_' AND proname <> 'shift_exempt'
                     AND NOT EXISTS (SELECT FROM expected_function WHERE to_regprocedure(signature) = p.oid)$$,
                'this list is complete');
SELECT is_empty($$SELECT opcname FROM pg_opclass WHERE opcintype = 'shift'::regtype AND NOT amvalidate(oid)$$, 'operator classes are valid');
SELECT is((SELECT count(*) FROM pg_opclass WHERE opcintype = 'shift'::regtype AND opcdefault), 2::bigint, 'one for btree, one for hash');
SELECT col_type_is('chat_rbac', 'role_grant', 'shift', 'shift', 'role_grant has a shift');
SELECT col_is_null('chat_rbac', 'role_grant', 'shift', 'or none');

--
-- Population.  Places: a time zone, and a day on which its clocks are changed.
--
-- 0 .. sides - 1, always the same for a seed
CREATE FUNCTION pg_temp.dice(sides int, what text, seed bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashtextextended(what, seed) & 1073741823)::int % sides
$$;
CREATE TEMP TABLE place (place int PRIMARY KEY, zone text, mid date, what text);
INSERT INTO place
  SELECT row_number() OVER (), * FROM (VALUES
    ('UTC', '2026-03-01'::date, 'none'),
    ('Asia/Riyadh', '2026-11-22', 'none'),
    ('Asia/Kathmandu', '2026-06-14', 'none, 5:45 ahead'),
    ('Europe/Berlin', '2026-03-29', '02:00 to 03:00'),
    ('Europe/Berlin', '2026-10-25', '03:00 back to 02:00'),
    ('America/New_York', '2026-03-08', '02:00 to 03:00'),
    ('America/New_York', '2026-11-01', '02:00 back to 01:00'),
    ('Australia/Lord_Howe', '2026-10-04', '02:00 to 02:30'),
    ('Australia/Lord_Howe', '2026-04-05', '02:00 back to 01:30'),
    ('Pacific/Chatham', '2026-04-05', '03:45 back to 02:45'),
    ('America/Sao_Paulo', '2018-11-04', '00:00 to 01:00'),
    ('America/Sao_Paulo', '2018-02-18', '00:00 back to 23:00 the day before'),
    ('Antarctica/Troll', '2026-03-29', '01:00 to 03:00'),
    ('Pacific/Apia', '2011-12-30', 'the whole day is left out'),
    ('Pacific/Kwajalein', '1969-09-30', 'the day comes twice, nearly')) v (zone, mid, what);
CREATE TEMP TABLE grid AS
  SELECT place, zone, t, t AT TIME ZONE zone AS local
    FROM place, generate_series((mid - 4)::timestamptz, mid + 5, '15 minutes') t;
CREATE INDEX ON grid (place, t);

-- Patterns written by hand: days of the week from 1, minutes; dates as days from mid.
CREATE TEMP TABLE pattern (name text, days int[], s int, e int);
INSERT INTO pattern VALUES
  ('always', '{1,2,3,4,5,6,7}', 0, 1440),
  ('always, by halves', '{1,2,3,4,5,6,7}', 0, 720), ('always, by halves', '{1,2,3,4,5,6,7}', 720, 1440),
  ('always but at 2', '{1,2,3,4,5,6,7}', 180, 1560),
  ('office', '{1,2,3,4,5}', 540, 1080),
  ('office with lunch', '{1,2,3,4,5}', 480, 720), ('office with lunch', '{1,2,3,4,5}', 780, 1020), ('office with lunch', '{6}', 540, 780),
  ('nights of the weekend', '{6,7}', 1320, 1800),
  ('nights', '{1,2,3,4,5,6,7}', 1080, 1800),
  ('2 to 3', '{1,2,3,4,5,6,7}', 120, 180),
  ('2 to 2:30', '{7}', 120, 150),
  ('1 to 2:30', '{7}', 60, 150),
  ('2:30 to 4', '{7}', 150, 240),
  ('1 to 2', '{6,7}', 60, 120),
  ('3 to 3:45', '{1,2,3,4,5,6,7}', 180, 225),
  ('first half hour', '{1,2,3,4,5,6,7}', 0, 30),
  ('last half hour', '{1,2,3,4,5,6,7}', 1410, 1440),
  ('about midnight', '{1,2,3,4,5,6,7}', 1425, 1455),
  ('to midnight', '{5,6}', 1080, 1440),
  ('two days on end', '{5}', 0, 2880),
  ('thirty hours', '{2,6}', 0, 1800),
  ('Friday', '{5}', 0, 1440),
  ('not mid', '{1,2,3,4,5,6,7}', 0, 1440),
  ('nights, not mid', '{1,2,3,4,5,6,7}', 1320, 1800),
  ('nights, not three', '{1,2,3,4,5,6,7}', 1320, 1800),
  ('nights, only mid', '{1,2,3,4,5,6,7}', 1320, 1800),
  ('never on these days', '{1,2,3,4,5,6,7}', 540, 1080);
CREATE TEMP TABLE pattern_except (name text, first int, last int);
INSERT INTO pattern_except VALUES
  ('not mid', 0, 0), ('nights, not mid', 0, 0), ('nights, not three', -1, -1), ('nights, not three', 0, 1),
  ('nights, only mid', -9, -1), ('nights, only mid', 1, 9), ('never on these days', -20, 20);

CREATE TEMP TABLE model (id int PRIMARY KEY, place int, zone text, name text);
CREATE TEMP TABLE model_window (id int, n int, days int[], s int, e int);
CREATE TEMP TABLE model_except (id int, first date, last date);
INSERT INTO model SELECT row_number() OVER (ORDER BY p.place, n.name), p.place, p.zone, n.name FROM place p, (SELECT DISTINCT name FROM pattern) n;
INSERT INTO model_window
  SELECT m.id, row_number() OVER (PARTITION BY m.id ORDER BY s), days, s, e FROM model m JOIN pattern USING (name);
INSERT INTO model_except SELECT m.id, p.mid + x.first, p.mid + x.last FROM model m JOIN place p USING (place) JOIN pattern_except x USING (name);
-- and by dice
INSERT INTO model SELECT 1000 + i, place, zone, 'dice ' || i FROM generate_series(1, 90) i JOIN place ON place = 1 + i % (SELECT count(*) FROM place);
INSERT INTO model_window
  SELECT id, n, ARRAY(SELECT d FROM generate_series(1, 7) d WHERE pg_temp.dice(3, 'day' || d || ' ' || n, id) > 0 OR d = 1 + n), s,
         s + 15 + 15 * pg_temp.dice(least(96, 2880 - s) / 15 - 1 + CASE WHEN id % 7 = 0 THEN (1440 - s) / 15 ELSE 0 END, 'end' || n, id)
    FROM model, generate_series(1, 5) n, LATERAL (SELECT 15 * pg_temp.dice(96, 'start' || n, id)) v (s)
   WHERE id > 1000 AND n <= 1 + id % 5;
INSERT INTO model_except
  SELECT id, f, f + pg_temp.dice(3, 'last' || n, id)
    FROM model JOIN place p USING (place), generate_series(1, 3) n, LATERAL (SELECT p.mid - 5 + pg_temp.dice(10, 'first' || n, id)) v (f)
   WHERE id > 1000 AND n <= id % 4;

-- their texts: an end on the next day is written as that day's time, where that can be told, or not
CREATE FUNCTION pg_temp.hhmm(minute int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lpad((minute / 60)::text, 2, '0') || ':' || lpad((minute % 60)::text, 2, '0') $$;
CREATE FUNCTION pg_temp.day_names(days int[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(('{Mon,Tue,Wed,Thu,Fri,Sat,Sun}'::text[])[d], ',' ORDER BY d) FROM unnest(days) d $$;
CREATE TEMP TABLE written AS
  SELECT m.*, w.windows || ' ' || m.zone || coalesce(' except ' || x.dates, '') AS text
    FROM model m
    JOIN (SELECT id, string_agg(pg_temp.day_names(days) || ' ' || pg_temp.hhmm(s) || '-' ||
                                pg_temp.hhmm(CASE WHEN e > 1440 AND e - 1440 < s AND id % 2 = 0 THEN e - 1440 ELSE e END), ', ' ORDER BY n) AS windows
            FROM model_window GROUP BY id) w USING (id)
    LEFT JOIN (SELECT id, string_agg(CASE WHEN first = last THEN first::text ELSE first || '..' || last END, ', ') AS dates FROM model_except GROUP BY id) x USING (id);
CREATE TEMP TABLE subject AS SELECT id, place, zone, name, text, text::shift AS shift FROM written;
ANALYZE;

--
-- The model, and what it says at each point of the grid
--
CREATE FUNCTION pg_temp.model_holds(which int, local timestamp) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM model_window w, (VALUES (local::date), (local::date - 1)) AS begin (day)
                    WHERE w.id = which AND extract(isodow FROM begin.day)::int = ANY (w.days)
                      AND local >= begin.day + make_interval(mins => w.s) AND local < begin.day + make_interval(mins => w.e)
                      AND NOT EXISTS (SELECT FROM model_except x WHERE x.id = which AND begin.day BETWEEN x.first AND x.last))
$$;
CREATE TEMP TABLE said AS
  SELECT s.id, g.t, pg_temp.model_holds(s.id, g.local) AS holds FROM subject s JOIN grid g USING (place);
CREATE TEMP TABLE answer AS
  SELECT id, t, holds, before,
         min(t) FILTER (WHERE holds <> before) OVER (PARTITION BY id ORDER BY t ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next,
         max(t) OVER (PARTITION BY id) AS last
    FROM (SELECT *, lag(holds) OVER (PARTITION BY id ORDER BY t) AS before FROM said) v;
ANALYZE answer;

SELECT cmp_ok((SELECT count(*) FROM answer), '>', 400000::bigint, 'the grid has many points');
SELECT is_empty($$SELECT place FROM place WHERE what <> 'none' AND what !~ 'ahead' AND
                   (SELECT count(DISTINCT t - (local AT TIME ZONE 'UTC')) FROM grid g WHERE g.place = place.place) < 2$$,
                'clocks are changed where this file says so');
SELECT cmp_ok((SELECT count(*) FROM subject s WHERE (SELECT count(DISTINCT holds) FROM answer a WHERE a.id = s.id) = 2 AND s.id < 1000), '>', 300::bigint,
              'most patterns hold sometimes and not always');
SELECT cmp_ok((SELECT count(*) FROM answer WHERE holds <> before), '>', 5000::bigint, 'with many changes');

SELECT is_empty($$SELECT s.text, a.t, a.holds AS model, s.shift @> a.t AS answer FROM answer a JOIN subject s USING (id) WHERE (s.shift @> a.t) <> a.holds$$,
                'at each point a shift holds just when the model says so');
SELECT is_empty($$SELECT s.text, a.t FROM answer a JOIN subject s USING (id) WHERE (s.shift @> (a.t - interval '1 microsecond')) <> a.before$$,
                'and a microsecond before, as at the point before');
SELECT is_empty($$SELECT s.text, a.t FROM answer a JOIN subject s USING (id) WHERE (s.shift @> (a.t + interval '1 microsecond')) <> a.holds
                      OR ((a.t + interval '14 minutes 59.999999 seconds') <@ s.shift) <> a.holds$$,
                'and a microsecond later, and until the next');
SELECT is_empty($$SELECT s.text, a.t, a.next AS model, next_change(s.shift, a.t) AS answer FROM answer a JOIN subject s USING (id)
                   WHERE a.next IS NOT NULL AND next_change(s.shift, a.t) IS DISTINCT FROM a.next$$,
                'the next change is the model''s');
SELECT is_empty($$SELECT s.text, a.t, next_change(s.shift, a.t) AS answer FROM answer a JOIN subject s USING (id)
                   WHERE a.next IS NULL AND next_change(s.shift, a.t) <= a.last$$,
                'or after the last point, where the model has none');
SELECT is_empty($$SELECT s.text, a.t FROM answer a JOIN subject s USING (id)
                   WHERE a.before <> a.holds AND (next_change(s.shift, a.t - interval '1 microsecond') IS DISTINCT FROM a.t
                      OR next_change(s.shift, a.t) IS NOT DISTINCT FROM a.t
                      OR next_change(s.shift, a.t + interval '1 microsecond') IS DISTINCT FROM next_change(s.shift, a.t))$$,
                'it is after the instant that is asked about, not at it');
SELECT is_empty($$SELECT text FROM subject WHERE name IN ('always', 'always, by halves') AND next_change(shift, '2026-01-01') IS NOT NULL$$,
                'what always holds never changes');
SELECT is_empty($$SELECT text FROM subject WHERE name NOT IN ('always', 'always, by halves') AND name !~ '^dice' AND next_change(shift, '2026-01-01') IS NULL
                     AND NOT EXISTS (SELECT FROM model_except x WHERE x.id = subject.id)$$,
                'what does not always hold changes again and again');
SELECT is_empty($$SELECT text FROM subject WHERE shift @> 'infinity' OR shift @> '-infinity' OR next_change(shift, 'infinity') IS NOT NULL OR next_change(shift, '-infinity') IS NOT NULL$$,
                'at infinity no shift holds');

--
-- One text for one meaning
--
SELECT is_empty('SELECT text FROM subject WHERE shift::text::shift <> shift OR shift::text::shift::text <> shift::text', 'a shift reads back');
SELECT isnt_empty('SELECT text FROM subject WHERE shift::text <> text', 'many were written otherwise');
-- each window once for each of its days, in two halves, in reverse order; each excepted date by itself
CREATE TEMP TABLE variant AS
  SELECT s.id, s.shift, (w.windows || '   ' || lower(s.zone) || coalesce(' EXCEPT ' || x.dates, ''))::shift AS shift2
    FROM subject s
    JOIN (SELECT id, string_agg(format('%s %s-%s;%2$s - %s', lower(pg_temp.day_names(ARRAY[d])), pg_temp.hhmm(s), pg_temp.hhmm(e), pg_temp.hhmm(s + greatest(1, (e - s) / 3))), ' ; ' ORDER BY n DESC, d DESC) AS windows
            FROM model_window, unnest(days) d WHERE (SELECT count(*) FROM model_window v, unnest(v.days) WHERE v.id = model_window.id) <= 32 GROUP BY id) w USING (id)
    LEFT JOIN (SELECT id, string_agg(d::date::text, ' , ' ORDER BY d DESC) AS dates FROM model_except, generate_series(first, last, '1 day') d GROUP BY id) x USING (id);
SELECT cmp_ok((SELECT count(*) FROM variant), '>', 400::bigint, 'many shifts are written in another way too');
SELECT is_empty('SELECT id, shift, shift2 FROM variant WHERE NOT (shift = shift2) OR shift <> shift2 OR shift_cmp(shift, shift2) <> 0 OR shift_hash(shift) <> shift_hash(shift2)
                    OR shift_hash_extended(shift, 7) <> shift_hash_extended(shift2, 7)',
                'however it is written, it is the same shift');
-- quarters of the days on which windows begin: the same if and only if equal
CREATE TEMP TABLE meaning AS
  SELECT s.id, s.shift, s.zone, (SELECT array_agg(DISTINCT d * 1000 + q ORDER BY d * 1000 + q) FROM model_window w, unnest(w.days) d, generate_series(w.s / 15, w.e / 15 - 1) q WHERE w.id = s.id) AS quarters,
         (SELECT array_agg(DISTINCT d ORDER BY d) FROM model_except x, generate_series(x.first, x.last, '1 day') d WHERE x.id = s.id) AS dates
    FROM subject s;
SELECT is_empty('SELECT a.shift, b.shift FROM meaning a, meaning b WHERE (a.shift = b.shift) <> ((a.zone, a.quarters, a.dates) IS NOT DISTINCT FROM (b.zone, b.quarters, b.dates))',
                'two shifts are equal just if their hours, dates and zones are');
SELECT isnt_empty('SELECT FROM meaning a, meaning b WHERE a.id < b.id AND a.shift = b.shift', 'some of them are');
SELECT is_empty($$SELECT a.shift, b.shift FROM subject a, subject b WHERE a.id % 10 = 0 AND
                    ((a.shift < b.shift), (a.shift <= b.shift), (a.shift > b.shift), (a.shift >= b.shift), sign(shift_cmp(a.shift, b.shift))) IS DISTINCT FROM
                    ((a.shift::text COLLATE "C" < b.shift::text), (a.shift::text COLLATE "C" <= b.shift::text), (a.shift::text COLLATE "C" > b.shift::text), (a.shift::text COLLATE "C" >= b.shift::text),
                     (a.shift::text COLLATE "C" > b.shift::text)::int - (a.shift::text COLLATE "C" < b.shift::text)::int)$$,
                'their order is that of their texts');

--
-- Grants: all of when, shift, exemption by another grant and where, against the rule in SQL
--
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support');
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES
  (1, 1001, 'Works', '{conversation.view}'), (1, 1002, 'Exempt', '{shift.exempt}'), (1, 1003, 'Above', '{}'), (1, 1004, 'All', '{shift.*}'),
  (1, 1005, 'Own', '{shift.exempt@own}'), (1, 1006, 'Other', '{report.view}'), (1, 1007, 'Works, exempt', '{conversation.view, shift.exempt}');
INSERT INTO chat_rbac.role_inherit VALUES (1, 1003, 1002);
-- a window about now holds for two hours yet; one that is over or to come is at least two hours off; by the clock of Kathmandu
CREATE TEMP TABLE hours AS
  SELECT what, CASE WHEN a IS NOT NULL THEN format('Mon-Sun %s-%s Asia/Kathmandu%s', to_char(local + a, 'HH24:MI'), to_char(local + b, 'HH24:MI'),
                    CASE WHEN what ~ 'excepted' THEN format(' except %s..%s', local::date - 2, local::date + 2) ELSE '' END)::shift END AS shift, on_shift
    FROM (SELECT now() AT TIME ZONE 'Asia/Kathmandu') v (local),
         (VALUES ('none', NULL, NULL, true), ('on', '-2 hours'::interval, '2 hours'::interval, true), ('later', '3 hours', '7 hours', false),
                 ('excepted', '-2 hours', '2 hours', false)) h (what, a, b, on_shift);
CREATE TEMP TABLE times AS
  SELECT * FROM (VALUES ('now', tstzrange(now() - '1 day'::interval, now() + '1 day'::interval), true), ('over', tstzrange(NULL, now() - '1 hour'::interval), false),
                        ('to come', tstzrange(now() + '1 hour'::interval, NULL), false)) t (what, valid, counts);
CREATE TEMP TABLE person AS
  SELECT row_number() OVER () AS member_id, w.role_id AS works, t1.valid AS valid1, t1.counts AS counts1, h1.shift AS shift1, h1.on_shift AS on1,
         x.role_id AS other, t2.valid AS valid2, t2.counts AS counts2, h2.shift AS shift2, h2.on_shift AS on2, u.unit_id
    FROM unnest('{1001,1007}'::bigint[]) w (role_id), times t1, hours h1, unnest('{1001,1002,1003,1004,1005,1006}'::bigint[]) x (role_id), times t2, hours h2,
         (VALUES (NULL::bigint), (1)) u (unit_id);
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT 1, member_id, 'Member ' || member_id FROM person;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid, shift)
  SELECT 1, member_id, works, 1, valid1, shift1 FROM person UNION ALL
  SELECT 1, member_id, other, unit_id, valid2, shift2 FROM person;
-- the rule: a grant that counts without exemption exempts all
CREATE TEMP TABLE rule AS
  SELECT member_id, (counts1 AND (on1 OR exempt)) OR (other = 1001 AND counts2 AND (on2 OR exempt)) AS may_view, exempt
    FROM (SELECT *, (works = 1007 AND counts1 AND on1) OR (other IN (1002, 1003, 1004) AND counts2 AND on2) AS exempt FROM person) v;
-- what a member may, in a statement for each: the session is one for all
CREATE FUNCTION pg_temp.may(member_id bigint, permission text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    result boolean;
BEGIN
    PERFORM set_config('chat_rbac.identity', '1/' || member_id, true);
    EXECUTE format('SELECT chat_rbac.can(%L)', permission) INTO result;
    RETURN result;
END $$;
CREATE TEMP TABLE decided AS SELECT member_id, pg_temp.may(member_id, 'conversation.view') AS may_view FROM person ORDER BY member_id;
SELECT set_config('chat_rbac.identity', '', true);
SELECT cmp_ok((SELECT count(*) FROM decided), '>', 1700::bigint, 'many members');
SELECT isnt_empty('SELECT FROM rule JOIN person USING (member_id) WHERE exempt AND may_view AND NOT on1 AND other <> 1001', 'some are exempt and need it');
SELECT is_empty('SELECT p.*, r.may_view AS rule, d.may_view FROM decided d JOIN rule r USING (member_id) JOIN person p USING (member_id) WHERE d.may_view <> r.may_view',
                'a grant counts within its shift, or at any hour if another grant that counts exempts');
SELECT is_empty('SELECT member_id FROM rule WHERE exempt <> chat_rbac.shift_exempt(1, member_id, now())', 'shift_exempt() says who is exempt');
SELECT is_empty($$SELECT member_id FROM rule WHERE may_view <> EXISTS (SELECT FROM chat_rbac.effective_permissions e JOIN chat_rbac.member m ON m.name = e.member
                   WHERE m.member_id = rule.member_id AND permission = 'conversation.view')$$,
                'effective_permissions shows the same');
SELECT results_eq($$SELECT g.state, count(*) FROM chat_rbac.grants g GROUP BY 1 ORDER BY 1$$,
                  $$SELECT CASE WHEN g.valid << tstzrange(now(), now(), '[]') THEN 'over' WHEN g.valid >> tstzrange(now(), now(), '[]') THEN 'to come'
                                WHEN r.exempt OR NOT EXISTS (SELECT FROM hours h WHERE h.shift = g.shift AND NOT on_shift) THEN 'in force' ELSE 'off shift' END, count(*)
                      FROM chat_rbac.role_grant g JOIN rule r USING (member_id) GROUP BY 1 ORDER BY 1$$,
                  'so does grants');

--
-- In an open transaction, at the turn of the minute: one grant ends, another begins.  What was cached before counts no longer.
--
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 9001, 'Ends'), (1, 9002, 'Begins');
CREATE TEMP TABLE turn AS SELECT date_trunc('minute', clock_timestamp() + interval '64 seconds') AT TIME ZONE 'UTC' AS at;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, shift)
  SELECT 1, 9001, 1001, 1, format('Mon-Sun %s-%s UTC', to_char(at - interval '3 hours', 'HH24:MI'), to_char(at, 'HH24:MI'))::shift FROM turn UNION ALL
  SELECT 1, 9002, 1001, 1, format('Mon-Sun %s-%s UTC', to_char(at, 'HH24:MI'), to_char(at + interval '3 hours', 'HH24:MI'))::shift FROM turn;
SELECT is(ARRAY[pg_temp.may(9001, 'conversation.view'), pg_temp.may(9002, 'conversation.view')], '{t,f}', 'before: one may, the other not');
SELECT pg_sleep(greatest(0, extract(epoch FROM at AT TIME ZONE 'UTC' - clock_timestamp()) + 0.01)) FROM turn;
SELECT is(ARRAY[pg_temp.may(9001, 'conversation.view'), pg_temp.may(9002, 'conversation.view')], '{f,t}', 'after: the other may, the one no more');

SELECT * FROM finish();
ROLLBACK;

--
-- Type shift: hours of the week by the clock of a time zone; and grants that count within them
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET search_path = public, chat_rbac;
\set SHOW_CONTEXT never

-- Sanity: what the catalogs say of the type's operators is true (none may show)
SELECT amname, opcname, amvalidate(opc.oid)
  FROM pg_opclass opc JOIN pg_am am ON am.oid = opcmethod
 WHERE opcintype = 'shift'::regtype
 ORDER BY 1;
SELECT o.oid::regoperator AS commutator_or_negator_is_not_mutual
  FROM pg_operator o
  LEFT JOIN pg_operator c ON c.oid = o.oprcom
  LEFT JOIN pg_operator n ON n.oid = o.oprnegate
 WHERE 'shift'::regtype IN (o.oprleft, o.oprright)
   AND (o.oprcom <> 0 AND (c.oprcom, c.oprleft, c.oprright) IS DISTINCT FROM (o.oid, o.oprright, o.oprleft)
        OR o.oprnegate <> 0 AND (n.oprnegate, n.oprleft, n.oprright) IS DISTINCT FROM (o.oid, o.oprleft, o.oprright));
SELECT o.oid::regoperator AS without_estimators_or_commutator
  FROM pg_operator o
 WHERE 'shift'::regtype IN (o.oprleft, o.oprright) AND (o.oprrest = 0 OR o.oprjoin = 0 OR o.oprcom = 0);
SELECT o.oid::regoperator, oprcanhash, oprcanmerge, provolatile, proleakproof
  FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE 'shift'::regtype IN (o.oprleft, o.oprright)
 ORDER BY oprname COLLATE "C";
SELECT typlen, typbyval, typalign, typstorage, typcategory, typcollation
  FROM pg_type WHERE oid = 'shift'::regtype;

-- Runs a query of one value; says the value, or the error in one line
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
    hint text;
BEGIN
    EXECUTE query INTO result;
    RETURN result;
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

--
-- Text form
--
SELECT s AS input, s::shift AS canonical
  FROM unnest(ARRAY[
    'Mon-Fri 09:00-18:00 Asia/Riyadh',
    'Mon-Thu 09:00-18:00, Fri 09:00-13:00 Europe/Berlin',
    'Mon-Thu 09:00-18:00; Fri 09:00-13:00 Europe/Berlin',
    'Sat,Sun 22:00-06:00 UTC',
    'Sat, Sun 22:00 - 06:00 UTC',
    '  mon - fri 9:00-12:00,13:00-18:00 asia/RIYADH  ',
    'Fri-Mon 18:00-00:00 utc',
    'Sun-Sat 00:00-24:00 UTC',
    'Mon,Tue,Wed,Fri,Sun 08:00-09:00 UTC',
    -- windows of a day that touch or overlap are one
    'Mon 09:00-12:00, Mon 12:00-18:00, Mon 17:00-19:30 UTC',
    'Mon-Fri 09:00-12:00, Wed 12:00-13:00 UTC',
    -- past midnight, of the day on which it begins
    'Mon 22:00-30:00 UTC', 'Mon-Sun 00:00-22:00, 22:00-06:00 UTC', 'Mon 06:00-30:00 UTC', 'Mon 00:00-48:00 UTC',
    'Mon-Fri 09:00-18:00 UTC except 2026-12-25',
    E'Mon-Fri 09:00-18:00 UTC\n  EXCEPT 2027-01-01 .. 2027-01-02,2026-12-25, 2026-12-31..2027-01-01, 2028-02-29',
    'Mon 00:00-00:01 UTC except 0001-01-01, 9999-12-31',
    'Mon 00:00-24:00 America/Argentina/Buenos_Aires', 'Mon 00:00-24:00 Etc/GMT+3']) s;

-- what is no shift, and why -- fail
SELECT quote_literal(s) AS input, pg_temp.try(format('SELECT %L::shift', s)) AS answer
  FROM unnest(ARRAY[
    '', ' ', 'UTC', 'Mon', 'Mon UTC', 'Mon 09:00 UTC', 'Mon 09:00-18:00', 'Mon 09:00-18:00UTC', 'Mon 09:00-18:00 except 2026-12-25',
    '09:00-18:00 UTC', 'Monday 09:00-18:00 UTC', 'Mon-Fry 09:00-18:00 UTC', 'Mon, 09:00-18:00 UTC', 'Mon- 09:00-18:00 UTC', 'Mon 09:00-18:00, UTC', 'Mon 09:00-18:00 Tue 09:00-18:00 UTC',
    'Mon 9-18 UTC', 'Mon 24:00-06:00 UTC', 'Mon 09:60-18:00 UTC', 'Mon 09:00-48:01 UTC', 'Mon 09:00-18:0 UTC', 'Mon 009:00-18:00 UTC', 'Mon 09:00-09:00 UTC', 'Mon 00:00-00:00 UTC', 'Mon 09:00:00-18:00:00 UTC', 'Mon -09:00-18:00 UTC',
    'Mon 09:00-18:00 UTC UTC', 'Mon 09:00-18:00 UTC except', 'Mon 09:00-18:00 UTC except Christmas', 'Mon 09:00-18:00 UTC except 2026-02-29', 'Mon 09:00-18:00 UTC except 2026-13-01', 'Mon 09:00-18:00 UTC except 2026-04-00',
    'Mon 09:00-18:00 UTC except 0000-01-01', 'Mon 09:00-18:00 UTC except 26-12-25', 'Mon 09:00-18:00 UTC except 20261225', 'Mon 09:00-18:00 UTC except 2026-12-31..2026-12-30', 'Mon 09:00-18:00 UTC except 2026-12-31.2027-01-01',
    'Mon 09:00-18:00 UTC except 2026-12-25,', 'Mon 09:00-18:00 UTC except 2026-12-25 2026-12-26', 'Mon 09:00-18:00 UTC exceptional', 'Mon 09:00-18:00 UTC, except 2026-12-25', 'Mon 09:00-18:00 UTC%s', 'Mon%n']) s;
-- time zones by their full names: no abbreviation or offset, nothing that PostgreSQL takes for a POSIX zone, nor what is the machine's -- fail
SELECT z AS zone, pg_temp.try(format('SELECT %L::shift', 'Mon 09:00-18:00 ' || z)) AS answer
  FROM unnest(ARRAY['CET', 'EST', 'IST', 'EST5EDT', 'GMT', 'Z', 'UTC+3', 'UTC-3', 'FOO5', 'Asia/Riyad', 'Asia/Riyadh5', 'Asia', 'Asia/', 'localtime', 'posixrules', 'posix/UTC', 'right/UTC', 'Etc/GMT+20',
                    'AST-3AD', '+03', '-3', '../etc/passwd', '/etc/localtime', 'Asia\Riyadh', '<+03>-3', repeat('x', 64), repeat('Asia/', 13)]) z;
-- too many, and the most that there may be
SELECT length(pg_temp.try(format('SELECT %L::shift', (SELECT string_agg(format('Mon %1$s:%2$s-%1$s:%3$s', lpad(h::text, 2, '0'), lpad(m::text, 2, '0'), lpad((m + 1)::text, 2, '0')), ',') FROM (SELECT i / 3 AS h, i % 3 * 20 AS m FROM generate_series(0, n - 1) i) v) || ' UTC'))) AS length
  FROM unnest('{10,64}'::int[]) n;
SELECT right(pg_temp.try(format('SELECT %L::shift', (SELECT string_agg(format('Mon %1$s:%2$s-%1$s:%3$s', lpad(h::text, 2, '0'), lpad(m::text, 2, '0'), lpad((m + 1)::text, 2, '0')), ',') FROM (SELECT i / 3 AS h, i % 3 * 20 AS m FROM generate_series(0, 64) i) v) || ' UTC')), 150) AS answer;
SELECT n, right(pg_temp.try(format('SELECT %L::shift', 'Mon 09:00-18:00 UTC except ' || (SELECT string_agg(('2026-01-01'::date + 2 * i)::text, ', ') FROM generate_series(1, n) i))), 140) AS answer
  FROM unnest('{128,129}'::int[]) n;
-- 62 windows, but which of them touch differs from day to day, and so what they make -- fail
SELECT right(pg_temp.try(format('SELECT %L::shift', (SELECT string_agg(format('Mon-Sun %1$s-%2$s, %3$s %2$s-%4$s', to_char(at, 'HH24:MI'), to_char(at + interval '20 minutes', 'HH24:MI'), days, to_char(at + interval '30 minutes', 'HH24:MI')), ', ')
  FROM (SELECT time '0:00' + i * interval '30 minutes', (SELECT string_agg((ARRAY['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[d], ',') FROM generate_series(1, 7) d WHERE ((i * 53 + 29) % 127 + 1) >> (d - 1) & 1 = 1)
          FROM generate_series(0, 30) i) v (at, days)) || ' UTC')), 160) AS answer;
SELECT octet_length(answer) AS bytes, left(answer, 60) AS answer
  FROM unnest(ARRAY[repeat('x', 100000), 'Mon 09:00-18:00 UTC ' || repeat(U&'\00e9', 1000)]) s, pg_temp.try(format('SELECT %L::shift', s)) answer;

--
-- Binary form
--
SELECT shift_send('Mon-Fri 9:00-18:00 utc');
-- Hands bytes to the type's receive function, as one row of a binary COPY
CREATE TEMP TABLE received (value shift);
CREATE FUNCTION pg_temp.receive(data bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    stream bytea := '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0)
        || int2send(1::int2) || int4send(length(data)) || data || int2send((-1)::int2);
    octal text := (SELECT string_agg(format('\%s%s%s', byte >> 6, (byte >> 3) & 7, byte & 7), '' ORDER BY at)
                     FROM generate_series(0, length(stream) - 1) at, get_byte(stream, at) byte);
    detail text;
BEGIN
    TRUNCATE received;
    EXECUTE format('COPY received FROM PROGRAM %L WITH (FORMAT binary)', format('printf ''%s''', octal));
    RETURN (SELECT value FROM received);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END $$;
SELECT what, pg_temp.receive(data) AS answer
  FROM (VALUES ('as sent', shift_send('Mon-Fri 09:00-18:00 Asia/Riyadh except 2026-12-25')),
               ('made canonical', '\x01' || 'fri,mon 9:00-18:00;18:00-19:00 asia/riyadh'::bytea),
               ('no byte at all -- fail', ''),
               ('version only -- fail', '\x01'),
               ('no version -- fail', 'Mon 09:00-18:00 UTC'::bytea),
               ('version 2 -- fail', '\x02' || 'Mon 09:00-18:00 UTC'::bytea),
               ('no zone -- fail', '\x01' || 'Mon 09:00-18:00'::bytea),
               ('unknown zone -- fail', '\x01' || 'Mon 09:00-18:00 Asia/Riyad'::bytea),
               ('NUL at the end -- fail', '\x01' || 'Mon 09:00-18:00 UTC'::bytea || '\x00'),
               ('NUL within -- fail', '\x01' || 'Mon 09:00'::bytea || '\x00' || '-18:00 UTC'::bytea),
               ('invalid UTF-8 -- fail', '\x01' || 'Mon 09:00-18:00 UTC'::bytea || '\xff'),
               ('much too long -- fail', '\x01' || repeat('x', 10000)::bytea)) AS t (what, data);

--
-- Operators
--
SELECT 'Mon-Fri 09:00-18:00 UTC'::shift = 'Mon,Tue,Wed,Thu,Fri 9:00-12:00, 12:00-18:00 utc' AS same,
       'Mon-Fri 09:00-18:00 UTC'::shift <> 'Mon-Fri 09:00-18:00 Europe/London' AS other_zone,
       'Mon-Fri 09:00-18:00 UTC'::shift < 'Mon-Fri 09:00-19:00 UTC'::shift AS less, 'Mon 09:00-18:00 UTC'::shift >= 'Fri 09:00-18:00 UTC' AS more,
       NULL::shift @> now() AS "null", next_change(NULL, now()) AS "null";
CREATE TABLE regress_hours (id int PRIMARY KEY, s shift NOT NULL);
INSERT INTO regress_hours SELECT i, format('Mon-Fri %s:00-%s:30 UTC', i % 12, 12 + i % 10)::shift FROM generate_series(0, 2999) i;
CREATE INDEX regress_hours_btree ON regress_hours (s);
ANALYZE regress_hours;
SELECT count(DISTINCT s) FROM regress_hours;
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT count(*), min(id) FROM regress_hours WHERE s = 'Mon-Fri 9:00-21:30 utc';
EXPLAIN (COSTS OFF) SELECT * FROM regress_hours WHERE s = 'Mon-Fri 09:00-21:30 UTC';
DROP INDEX regress_hours_btree;
CREATE INDEX regress_hours_hash ON regress_hours USING hash (s);
EXPLAIN (COSTS OFF) SELECT * FROM regress_hours WHERE s = 'Mon-Fri 09:00-21:30 UTC';
RESET enable_seqscan; RESET enable_bitmapscan;
SELECT count(*) FROM regress_hours a JOIN regress_hours b USING (s);
DROP TABLE regress_hours;

--
-- On the clock.  A window ends when it says, and no more holds then
--
SELECT t, 'Mon-Fri 09:00-18:00 Asia/Riyadh'::shift @> t AS holds, next_change('Mon-Fri 09:00-18:00 Asia/Riyadh', t)
  FROM unnest('{2026-11-22 12:00+3, 2026-11-23 08:59:59.999999+3, 2026-11-23 09:00+3, 2026-11-23 17:59:59.999999+3, 2026-11-23 18:00+3, 2026-11-27 18:00+3, -infinity, infinity}'::timestamptz[]) t;
-- past midnight: a window is of the day on which it begins, also where that day is excepted
SELECT t AS "UTC", to_char(t, 'Dy') AS day, 'Sat,Sun 22:00-06:00 UTC'::shift @> t AS holds,
       'Sat,Sun 22:00-06:00 UTC except 2026-11-22'::shift @> t AS without_sunday,
       'Sat,Sun 22:00-06:00 UTC except 2026-11-23'::shift @> t AS without_monday
  FROM unnest('{2026-11-21 05:00, 2026-11-21 22:00, 2026-11-22 05:59, 2026-11-22 06:00, 2026-11-22 22:00, 2026-11-23 05:59, 2026-11-23 06:00, 2026-11-23 22:00}'::timestamptz[]) t;
-- clocks go forward: at 02:00 it is 03:00; what is between does not come
SELECT s, tstzrange(b, next_change(s, b)) AS holds, next_change(s, b) - b AS long
  FROM unnest('{"Sun 01:00-04:00 Europe/Berlin","Sun 01:00-02:30 Europe/Berlin","Sun 02:30-04:00 Europe/Berlin","Sun 02:00-03:00 Europe/Berlin","Sat 22:00-06:00 Europe/Berlin"}'::shift[]) s,
       next_change(s, '2026-03-28 12:00+1') b;
-- clocks go back: at 03:00 it is 02:00; what is between comes twice
SELECT s, tstzrange(b, e) AS holds, e - b AS long, CASE WHEN b2 < '2026-10-26' THEN tstzrange(b2, next_change(s, b2)) END AS "and again"
  FROM unnest('{"Sun 01:00-04:00 Europe/Berlin","Sun 01:00-02:30 Europe/Berlin","Sun 02:30-04:00 Europe/Berlin","Sun 02:00-03:00 Europe/Berlin","Sat 22:00-06:00 Europe/Berlin"}'::shift[]) s,
       next_change(s, '2026-10-24 12:00+2') b, next_change(s, b) e, next_change(s, e) b2;
-- excepted for long, never, and at the end of time
SELECT next_change('Mon-Fri 09:00-18:00 Europe/Berlin except 2026-11-23..2099-12-31', '2026-11-22') AS long,
       next_change('Mon-Sun 00:00-24:00 Europe/Berlin', '2026-11-22') AS never,
       next_change('Mon-Sun 00:00-24:00 Europe/Berlin except 2090-01-01', '2026-11-22') AS once,
       next_change('Mon-Sun 00:00-24:00 Europe/Berlin except 2020-01-01', '2026-11-22') AS never_more,
       next_change('Sat 00:00-24:00 UTC', '294276-12-31 23:59:59') AS last, next_change('Sat 00:00-24:00 Europe/Berlin', '4713-01-01 00:00 BC') AS first;

-- values that the type did not make: a time zone that the server does not have (any more), and bytes that are none
CREATE CAST (text AS shift) WITHOUT FUNCTION;
SELECT 'Mon-Sun 00:00-24:00 Atlantis/Center'::text::shift AS shown;
SELECT 'Mon-Sun 00:00-24:00 Atlantis/Center'::text::shift @> now();  -- fail
SELECT next_change('Mon-Sun 00:00-24:00 Atlantis/Center'::text::shift, now());  -- fail
SELECT now() <@ 'garbage'::text::shift;  -- fail
SELECT next_change(''::text::shift, now());  -- fail
SELECT 'garbage'::text::shift = ''::text::shift AS equal, shift_hash(''::text::shift) IS NOT NULL AS hashed;

--
-- Grants
--
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support');
INSERT INTO chat_rbac.member (org_id, member_id, name, active) VALUES
  (1, 1, 'Ada', true), (1, 2, 'Ben', true), (1, 3, 'Cat', true), (1, 4, 'Dan', true), (1, 5, 'Eve', true), (1, 6, 'Fay', false), (1, 7, 'Gus', true), (1, 8, 'Hal', true);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 101, 'Night watch', '{shift.exempt}');
-- shifts about now: since two hours and for two more; in three to seven hours
SELECT format('Mon-Sun %s-%s UTC', to_char(now() - interval '2 hours', 'HH24:MI'), to_char(now() + interval '2 hours', 'HH24:MI')) AS on_shift,
       format('Mon-Sun %s-%s UTC', to_char(now() + interval '3 hours', 'HH24:MI'), to_char(now() + interval '7 hours', 'HH24:MI')) AS off_shift \gset
SELECT chat_rbac.grant_role('acme', 'Ada', 'Supervisor', 'Support', shift => :'on_shift') AS ada, chat_rbac.grant_role('acme', 'Ben', 'Agent', 'Support', shift => :'off_shift') AS ben,
       chat_rbac.grant_role('acme', 'Cat', 'Agent', 'Support', shift => :'off_shift') AS cat, chat_rbac.grant_role('acme', 'Cat', 'Night watch') AS exempts_cat,
       chat_rbac.grant_role('acme', 'Dan', 'Agent', 'Support', tstzrange(now() - interval '1 day', now() + interval '1 hour'), shift => :'on_shift') AS dan,
       chat_rbac.grant_role('acme', 'Eve', 'Temp', 'Support', tstzrange(now() + interval '2 days', now() + interval '3 days'), 'holiday') AS eve,
       chat_rbac.grant_role('acme', 'Fay', 'Agent', 'Support', shift => :'on_shift') AS inactive,
       chat_rbac.grant_role('acme', 'Gus', 'Viewer', NULL, tstzrange(now(), now() + interval '8 days')) AS gus,
       chat_rbac.grant_role('acme', 'Hal', 'Owner', shift => :'on_shift') AS hal \g /dev/null
SELECT chat_rbac.grant_role('acme', 'Gus', 'Agent', shift => 'Mon 09:00-18:00 CET');  -- fail
SELECT member, role, unit, state, shift IS NULL AS at_any_hour FROM chat_rbac.grants;
SELECT member, count(*) > 0 AS may_something FROM chat_rbac.effective_permissions GROUP BY 1 ORDER BY 1;
-- who is exempt is bound by no shift, so nothing of theirs begins or ends by it
SELECT member, role, unit, what, ends - now() BETWEEN interval '0' AND interval '7 days' AS within_7_days, begins_again - ends AS pause, shift IS NULL AS at_any_hour, reason FROM chat_rbac.ending_soon;
SELECT member, role, unit, what, begins - now() BETWEEN interval '0' AND interval '7 days' AS within_7_days, ends - begins AS long, shift IS NULL AS at_any_hour, reason FROM chat_rbac.beginning_soon;

-- what that means for who asks
SET chat_rbac.identity = '1/1';
SELECT chat_rbac.can('conversation.view') AS ada, (SELECT roles FROM chat_rbac.whoami());
SET chat_rbac.identity = '1/2';
SELECT chat_rbac.can('conversation.view@own') AS ben, (SELECT roles FROM chat_rbac.whoami());
-- a role may be named though its shift is off; it gives nothing, as before
SET chat_rbac.active_roles = 'Agent';
SELECT chat_rbac.can('conversation.view@own') AS ben, (SELECT roles FROM chat_rbac.whoami());
SET chat_rbac.identity = '1/3';
-- what exempts must be active: narrowing takes away
SELECT chat_rbac.can('conversation.view@own') AS cat_as_agent;
SET chat_rbac.active_roles = 'Agent, "Night watch"';
SELECT chat_rbac.can('conversation.view@own') AS cat, (SELECT roles FROM chat_rbac.whoami());
RESET chat_rbac.active_roles;
SELECT chat_rbac.can('conversation.view@own') AS cat;
-- a change counts from the next statement on, as every other
BEGIN;
UPDATE chat_rbac.role_grant SET valid = '(,2026-01-01)' WHERE role_id = 101;
SELECT chat_rbac.can('conversation.view@own') AS cat_no_more_exempt;
UPDATE chat_rbac.role_grant SET shift = :'on_shift' WHERE member_id = 3;
SELECT chat_rbac.can('conversation.view@own') AS cat_on_shift;
-- a grant does not exempt itself, nor do two of them each other
UPDATE chat_rbac.role_grant SET shift = :'off_shift', valid = '(,)' WHERE member_id = 3;
UPDATE chat_rbac.role SET permissions = permissions | '{shift.exempt}' WHERE name = 'Agent';
SELECT chat_rbac.can('conversation.view@own') AS cat_both_off;
-- a relation of no row holds
UPDATE chat_rbac.role SET permissions = permissions - 'shift.exempt' WHERE name = 'Agent';
UPDATE chat_rbac.role SET permissions = '{shift.exempt@own}' WHERE role_id = 101;
UPDATE chat_rbac.role_grant SET shift = NULL WHERE role_id = 101;
SELECT chat_rbac.can('conversation.view@own') AS cat_relation;
UPDATE chat_rbac.role SET permissions = '{*.*}' WHERE role_id = 101;
SELECT chat_rbac.can('conversation.view@own') AS cat_everything;
ROLLBACK;
SELECT chat_rbac.can('conversation.view@own') AS cat;
-- what cannot be read, or has a time zone that is not there, never counts; other grants do, and nothing fails
BEGIN;
UPDATE chat_rbac.role_grant SET shift = 'Mon-Sun 00:00-24:00 Atlantis/Center'::text::shift WHERE member_id = 1;
UPDATE chat_rbac.role_grant SET shift = 'garbage'::text::shift WHERE member_id = 3 AND role_id = 101;
SELECT chat_rbac.can('conversation.view@own') AS cat, chat_rbac.can('shift.exempt');
SET LOCAL chat_rbac.identity = '1/1';
SELECT chat_rbac.can('conversation.view') AS ada;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 1, 1, role_id FROM chat_rbac.role WHERE name = 'Viewer';
SELECT chat_rbac.can('conversation.view') AS ada, (SELECT roles FROM chat_rbac.whoami());
ROLLBACK;
DROP CAST (text AS shift);
RESET chat_rbac.identity;

-- As a member: one sees one's own, and changes nobody's without the right, least of all one's own
CREATE ROLE regress_chat_rbac_shift;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_shift;
GRANT SELECT ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_shift;
GRANT UPDATE ON chat_rbac.role_grant TO regress_chat_rbac_shift;
SET chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_shift;
SELECT member, role, state FROM chat_rbac.grants;
SELECT member, role, what FROM chat_rbac.beginning_soon;
SELECT member, role, what FROM chat_rbac.ending_soon;
UPDATE chat_rbac.role_grant SET shift = NULL WHERE member_id = 2;  -- fail
RESET ROLE; SET chat_rbac.identity = '1/8'; SET ROLE regress_chat_rbac_shift;
SELECT member, role, what FROM chat_rbac.ending_soon;
BEGIN;
UPDATE chat_rbac.role_grant SET shift = NULL WHERE member_id = 2;
SELECT member, state FROM chat_rbac.grants WHERE member = 'Ben';
ROLLBACK;
RESET ROLE; RESET chat_rbac.identity;

-- A shift says when its holder may use the grant.  A colleague who is off shift still belongs to the unit: what is theirs is seen.
CREATE TABLE regress_todo (org_id bigint NOT NULL, id bigint NOT NULL, owner_id bigint, PRIMARY KEY (org_id, id));
SELECT chat_rbac.protect('regress_todo', '{"resource": "task", "org": "org_id", "relations": {"own": {"owner_id": "$member"}, "team": {"owner_id": "$members"}}}') \g /dev/null
INSERT INTO regress_todo VALUES (1, 10, 1), (1, 20, 2), (1, 70, 7);
GRANT SELECT ON regress_todo TO regress_chat_rbac_shift;
UPDATE chat_rbac.role SET permissions = '{task.view@team, task.view@own}' WHERE org_id = 1 AND name IN ('Supervisor', 'Agent');
DELETE FROM chat_rbac.role_inherit WHERE org_id = 1;
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_shift;
SELECT id AS ada_on_shift FROM regress_todo ORDER BY 1;
RESET ROLE; SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_shift;
SELECT id AS ben_off_shift FROM regress_todo ORDER BY 1;
RESET ROLE; RESET chat_rbac.identity;

-- A change of a shift is recorded
UPDATE chat_rbac.role_grant SET shift = 'Mon-Fri 09:00-18:00 Asia/Riyadh' WHERE member_id = 2;
SELECT operation, actions, old ->> 'shift' = :'off_shift' AS was, new ->> 'shift' AS becomes FROM chat_rbac.audit_event WHERE relation = 'chat_rbac.role_grant'::regclass ORDER BY event_id DESC LIMIT 1;

SET client_min_messages = warning;
DROP TABLE regress_todo;
DELETE FROM chat_rbac.protection;
DROP OWNED BY regress_chat_rbac_shift;
DROP ROLE regress_chat_rbac_shift;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;

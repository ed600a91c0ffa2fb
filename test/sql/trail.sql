--
-- The audit trail: closed to all but superusers, its months, and how it reads
--
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_bypass BYPASSRLS;
CREATE ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 10, 'team', 'Support'), (1, 20, 'team', 'Sales');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 6, 'Sue'), (1, 7, 'Ali'), (1, 8, 'Aud');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Supervisor', 'Sales'), chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Aud', 'Auditor') \g /dev/null
CREATE SCHEMA regress_trail;
CREATE TABLE regress_trail.conversation (org_id bigint, id bigint PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE regress_trail.conversation_low PARTITION OF regress_trail.conversation FOR VALUES FROM (0) TO (1000);
GRANT USAGE ON SCHEMA regress_trail TO regress_chat_rbac_app;

-- An event, as the extension would write it; n tells it in this file
CREATE PROCEDURE regress_trail.event(n int, at timestamptz, operation text, actions text[], key text, old jsonb DEFAULT NULL, new jsonb DEFAULT NULL, teams bigint[] DEFAULT '{10}',
	actor bigint DEFAULT 7, depth int DEFAULT 0, tab text DEFAULT 'regress_trail.conversation', why text DEFAULT NULL) LANGUAGE sql AS $$
	INSERT INTO chat_rbac.audit_event (event_id, at, transaction_at, xid, org_id, actor_org_id, actor_id, actor_name, incarnation, relation, command, depth, operation, actions,
		table_name, row_key, old, new, unit_kinds, unit_keys, db_role, session_role, reason, salt)
	SELECT n - 1000, at, at, pg_current_xact_id(), 1, 1, m.member_id, m.name, chat_rbac.audit_incarnation(), 'regress_trail.conversation', n, depth, operation, actions,
		tab, key, old, new, array_fill('team'::text, ARRAY[cardinality(teams)]), teams, 'app', 'app', why, '\x00'
	FROM (SELECT) one LEFT JOIN chat_rbac.member m ON m.org_id = 1 AND m.member_id = actor;
$$;

-- Every table of the trail is closed in the same way
SELECT c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, NOT EXISTS (SELECT FROM aclexplode(c.relacl) WHERE grantee = 0) AS private,
	(SELECT string_agg(format('%s %s', t.tgname, t.tgenabled), ', ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid) AS triggers
FROM pg_class c WHERE c.relnamespace = 'chat_rbac'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname ~ '^audit_' AND c.relname !~ '\d' ORDER BY c.relname;
SELECT polname, polpermissive, polcmd, polroles FROM pg_policy WHERE polrelid::regclass::text ~ 'audit_' ORDER BY polname;

--
-- Months
--
SELECT count(*) AS months FROM chat_rbac.audit_maintain(2) WHERE what ~ '^made chat_rbac.audit_event_\d{4}_\d\d';
SELECT * FROM chat_rbac.audit_maintain(2);
SELECT count(*) AS months, min(from_at) = date_trunc('month', now()) AS from_this, max(to_at) = date_trunc('month', now()) + interval '3 months' AS ahead FROM chat_rbac.audit_partition;
SELECT chat_rbac.audit_maintain(-1); -- fail
SELECT chat_rbac.audit_maintain(NULL); -- fail
-- what the default partition has caught goes where it belongs, whatever the session's time zone
SET timezone = 'Asia/Tokyo';
CALL regress_trail.event(1, '2001-01-01 00:00:00+00', 'insert', '{conversation.start}', '7', NULL, '{"id": 7, "team_id": 10, "subject": "Refund", "body": {"length": 48000, "sha256": "6b86"}}');
CALL regress_trail.event(2, '2001-01-31 23:59:59.999999+00', 'update', '{conversation.claim}', '7', '{"assignee_id": null}', '{"assignee_id": 7}');
CALL regress_trail.event(3, '2001-02-01 00:00:00+00', 'update', '{conversation.transfer,conversation.assign}', '7', '{"team_id": 10, "assignee_id": 7}', '{"team_id": 20, "assignee_id": 6}', '{10,20}',
	why => 'knows the customer');
SELECT * FROM chat_rbac.audit_maintain(2);
SELECT tableoid::regclass, event_id + 1000 AS n FROM chat_rbac.audit_event WHERE event_id < 0 ORDER BY at;
RESET timezone;
SET timezone = 'UTC';
-- by hand: closed at once, and indexed when it is maintained
CREATE TABLE chat_rbac.audit_event_eighties (LIKE chat_rbac.audit_event);
CREATE POLICY open ON chat_rbac.audit_event_eighties USING (true);
ALTER TABLE chat_rbac.audit_event_eighties OWNER TO regress_chat_rbac_owner;
ALTER TABLE chat_rbac.audit_event ATTACH PARTITION chat_rbac.audit_event_eighties FOR VALUES FROM ('1980-01-01') TO ('1990-01-01');
CREATE TABLE chat_rbac.audit_event_nineties PARTITION OF chat_rbac.audit_event FOR VALUES FROM ('1990-01-01') TO ('2000-01-01') PARTITION BY RANGE (at);
CREATE TABLE chat_rbac.audit_event_early PARTITION OF chat_rbac.audit_event_nineties FOR VALUES FROM ('1990-01-01') TO ('1995-01-01');
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relowner = (SELECT relowner FROM pg_class WHERE oid = 'chat_rbac.audit_event'::regclass) AS same_owner,
	(SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies,
	(SELECT string_agg(format('%s %s', t.tgname, t.tgenabled), ', ' ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgrelid = c.oid) AS triggers
FROM pg_class c WHERE c.relname IN ('audit_event_eighties', 'audit_event_nineties', 'audit_event_early') ORDER BY 1;
SELECT * FROM chat_rbac.audit_maintain(2);
-- opened by hand: closed again
ALTER TABLE chat_rbac.audit_event_eighties DISABLE ROW LEVEL SECURITY, DISABLE TRIGGER refuse_tampering_stmt;
SELECT c.relrowsecurity, t.tgenabled FROM pg_class c JOIN pg_trigger t ON t.tgrelid = c.oid AND tgname = 'refuse_tampering_stmt' WHERE c.relname = 'audit_event_eighties';
DROP TRIGGER refuse_tampering_stmt ON chat_rbac.audit_event_eighties;
SELECT * FROM chat_rbac.audit_maintain(2);
-- no room for a month
CALL regress_trail.event(5, '2001-03-01', 'update', '{}', '8', NULL, NULL);
CREATE TABLE chat_rbac.audit_event_2001_03 ();
SELECT * FROM chat_rbac.audit_maintain(2);
DROP TABLE chat_rbac.audit_event_2001_03;
SELECT * FROM chat_rbac.audit_maintain(2);
DROP TABLE chat_rbac.audit_event_eighties, chat_rbac.audit_event_nineties;

--
-- Append-only, also for who holds every privilege
--
GRANT ALL ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_app, regress_chat_rbac_bypass;
GRANT regress_chat_rbac_app TO regress_chat_rbac_bypass;
SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.audit_event SET reason = 'x'; -- fail
DELETE FROM chat_rbac.audit_event WHERE false; -- fail
TRUNCATE chat_rbac.audit_event; -- fail
INSERT INTO chat_rbac.audit_event DEFAULT VALUES; -- fail
-- fail; from a file, as after an error not every psql skips data that follows
\copy chat_rbac.audit_event FROM /dev/null
MERGE INTO chat_rbac.audit_event e USING (VALUES (1)) v (n) ON e.event_id = v.n WHEN MATCHED THEN DELETE; -- fail
TABLE chat_rbac.audit_event_2001_01;
UPDATE chat_rbac.audit_event_2001_01 SET reason = 'x'; -- fail
DELETE FROM chat_rbac.audit_event_2001_01; -- fail
TRUNCATE chat_rbac.audit_event_2001_01; -- fail
INSERT INTO chat_rbac.audit_event_default SELECT * FROM chat_rbac.audit_event_2001_01; -- fail
TRUNCATE chat_rbac.audit_event_default; -- fail
INSERT INTO chat_rbac.audit_incarnation VALUES (gen_random_uuid(), 1, 1, now()); -- fail
DELETE FROM chat_rbac.audit_incarnation; -- fail
TRUNCATE chat_rbac.audit_incarnation; -- fail
DELETE FROM chat_rbac.audit_detached; -- fail
CREATE TRIGGER mine BEFORE INSERT ON chat_rbac.audit_event_2001_01 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); -- fail
SELECT chat_rbac.audit_maintain(); -- fail
SELECT chat_rbac.close_trail_table('chat_rbac.audit_event', false); -- fail
SELECT chat_rbac.audit_incarnation(); -- fail
RESET ROLE;
SET session_replication_role = replica;
SET ROLE regress_chat_rbac_bypass;
SELECT count(*) FROM chat_rbac.audit_event WHERE event_id < 0;
UPDATE chat_rbac.audit_event SET reason = 'x'; -- fail
DELETE FROM chat_rbac.audit_event_2001_01; -- fail
TRUNCATE chat_rbac.audit_event_2001_01; -- fail
INSERT INTO chat_rbac.audit_event_default SELECT * FROM chat_rbac.audit_event_2001_01; -- fail
RESET ROLE;
RESET session_replication_role;
-- the row trigger stands by itself
BEGIN;
ALTER EVENT TRIGGER chat_rbac_trail_parts DISABLE;
DROP TRIGGER refuse_tampering_stmt ON chat_rbac.audit_event;
SET LOCAL ROLE regress_chat_rbac_bypass;
UPDATE chat_rbac.audit_event SET reason = 'x' WHERE event_id = -999; -- fail
ROLLBACK;
-- a superuser may, and audit_verify() finds it
BEGIN;
UPDATE chat_rbac.audit_event SET reason = 'x' WHERE event_id = -999;
DELETE FROM chat_rbac.audit_event_2001_01;
ROLLBACK;
REVOKE ALL ON ALL TABLES IN SCHEMA chat_rbac FROM regress_chat_rbac_app, regress_chat_rbac_bypass;

--
-- As sentences
--
-- a move to another partition is told by its second half; it is not the first half's of another transaction
CALL regress_trail.event(6, '2001-02-02 10:00', 'move_out', '{}', '7', '{"org_id": 1, "id": 7, "team_id": 20, "subject": "Refund"}', NULL, '{20}', 6);
BEGIN;
CALL regress_trail.event(10, '2001-02-03 10:00', 'move_out', '{}', '7', '{"id": 7, "team_id": 20, "subject": "Refund"}', NULL, '{20}', 6);
UPDATE chat_rbac.audit_event SET command = 11 WHERE event_id = 10 - 1000;
CALL regress_trail.event(11, '2001-02-03 10:00', 'move_in', '{conversation.transfer}', '7', '{"id": 7, "team_id": 20, "subject": "Refund"}', '{"id": 7, "team_id": 10, "subject": "Refund", "priority": 1}', '{10,20}', 6);
COMMIT;
-- without its other half, as for who may not see that
BEGIN;
CALL regress_trail.event(9, '2001-02-04 10:00', 'move_out', '{}', '7', '{"id": 7, "subject": "another command"}', NULL, '{20}', 6);
CALL regress_trail.event(12, '2001-02-04 10:00', 'move_in', '{conversation.transfer}', '7', NULL, '{"id": 7, "team_id": 10}', '{10}', 6);
COMMIT;
CALL regress_trail.event(13, '2001-02-05 10:00', 'access', '{conversation.supervise}', '7', NULL, NULL, '{10}', 6, why => 'a complaint');
CALL regress_trail.event(14, '2001-02-06 10:00', 'update', '{conversation.edit}', '7', '{"subject": "Refund", "mark": "Ada"}', jsonb_build_object('subject', repeat('ä', 100), 'mark', null));
UPDATE chat_rbac.audit_event SET old = old - 'mark', new = new - 'mark', redaction = '{"commitments": {"old": {"mark": "00"}, "new": {"mark": "01"}}}' WHERE event_id = 14 - 1000;
CALL regress_trail.event(15, '2001-02-07 10:00', 'redact', '{audit.redact}', '-986', NULL, '{"columns": ["mark"]}', '{}', NULL, tab => 'chat_rbac.audit_event', why => 'asked for by Ada');
CALL regress_trail.event(16, '2001-02-08 10:00', 'delete', '{conversation.delete}', '7', '{"id": 7}');
CALL regress_trail.event(17, '2001-02-08 10:00', 'delete', '{message.delete}', '{7,1}', jsonb_build_object('id', 1, 'body', repeat('long ', 100), 'text', repeat('-', 30),
	'text2', repeat('-', 30), 'text3', repeat('-', 30), 'text4', repeat('-', 30)), depth => 1, tab => 'inbox.message');
CALL regress_trail.event(18, '2001-02-08 10:00', 'delete', '{conversation.label}', '4', '{"id": 4}', tab => 'inbox."Odd.label"');
CALL regress_trail.event(19, '2001-02-09 10:00', 'truncate', '{}', NULL, NULL, NULL, '{}', NULL);
CALL regress_trail.event(20, '2001-02-10 10:00', 'insert', '{role.assign}', '5', NULL, '{"role_id": 2}', tab => 'chat_rbac.role_grant');
CALL regress_trail.event(21, '2001-02-10 10:00', 'update', '{role.assign}', '5', '{"role_id": 2}', '{"role_id": 3}', tab => 'chat_rbac.role_grant');
CALL regress_trail.event(22, '2001-02-10 10:00', 'delete', '{role.assign}', '5', '{"role_id": 3}', tab => 'chat_rbac.role_grant');
CALL regress_trail.event(23, '2001-02-11 10:00', 'insert', '{unit.manage}', '5', NULL, '{"name": "a"}', '{5}', NULL, tab => 'chat_rbac.unit');
CALL regress_trail.event(24, '2001-02-11 10:00', 'update', '{unit.manage}', '5', '{"name": "a"}', '{"name": "b"}', '{5}', NULL, tab => 'chat_rbac.unit');
CALL regress_trail.event(25, '2001-02-11 10:00', 'delete', '{unit.manage}', '5', '{"name": "b"}', NULL, '{5}', NULL, tab => 'chat_rbac.unit');
CALL regress_trail.event(26, '2001-02-12 10:00', 'update', '{a.transfer@own,a.assign,a.view_phone,a.send,a.transfer}', '5', '{}', '{}', '{}');
CALL regress_trail.event(27, '2001-02-12 11:00', 'update', '{a.view_phone}', '5', '{}', '{}', '{}', 6);
SELECT at, who, did, what, changes, reason FROM chat_rbac.activity WHERE event_id < 0 ORDER BY at, event_id;
SELECT * FROM chat_rbac.history('regress_trail.conversation', 7);
SELECT (SELECT count(*) FROM chat_rbac.history('regress_trail.conversation', '7')) AS by_text, (SELECT count(*) FROM chat_rbac.history('regress_trail.conversation_low', 7)) AS by_partition,
	(SELECT count(*) FROM chat_rbac.history('regress_trail.conversation', 7, 1)) AS by_two, (SELECT count(*) FROM chat_rbac.history('regress_trail.conversation', 8)) AS other;
-- to another partition and back: the key changes, the row does not
CALL regress_trail.event(41, '2001-02-15 10:00', 'insert', '{conversation.start}', '{3,10}', NULL, '{"id": 3, "team_id": 10}');
BEGIN;
CALL regress_trail.event(42, '2001-02-15 11:00', 'move_out', '{}', '{3,10}', '{"id": 3, "team_id": 10}');
CALL regress_trail.event(43, '2001-02-15 11:00', 'move_in', '{conversation.transfer}', '{3,20}', '{"id": 3, "team_id": 10}', '{"id": 3, "team_id": 20}');
CALL regress_trail.event(44, '2001-02-15 11:00', 'move_out', '{}', '{4,10}', '{"id": 4, "team_id": 10}');
CALL regress_trail.event(45, '2001-02-15 11:00', 'move_in', '{conversation.transfer}', '{4,20}', '{"id": 4, "team_id": 10}', '{"id": 4, "team_id": 20}');
UPDATE chat_rbac.audit_event SET command = 42 WHERE event_id BETWEEN 42 - 1000 AND 45 - 1000;
COMMIT;
CALL regress_trail.event(46, '2001-02-15 12:00', 'update', '{conversation.close}', '{3,20}', '{"status": "open"}', '{"status": "closed"}');
BEGIN;
CALL regress_trail.event(47, '2001-02-15 13:00', 'move_out', '{}', '{3,20}', '{"id": 3, "team_id": 20, "status": "closed"}');
CALL regress_trail.event(48, '2001-02-15 13:00', 'move_in', '{conversation.transfer}', '{3,10}', '{"id": 3, "team_id": 20, "status": "closed"}', '{"id": 3, "team_id": 10, "status": "closed"}');
UPDATE chat_rbac.audit_event SET command = 47 WHERE event_id BETWEEN 47 - 1000 AND 48 - 1000;
COMMIT;
CALL regress_trail.event(49, '2001-02-15 14:00', 'update', '{conversation.close}', '{3,20}', '{"status": "open"}', '{"status": "not of this row"}');
SELECT at, did, changes FROM chat_rbac.history('regress_trail.conversation', 3, 10);
SELECT did, changes FROM chat_rbac.history('regress_trail.conversation', 4, 20);
-- one transaction after the other, and in each by its commands, whatever the clock said
DO $$ BEGIN
	CALL regress_trail.event(31, '2001-02-20 10:00:02', 'update', '{a.first}', '9', NULL, NULL);
	CALL regress_trail.event(32, '2001-02-20 10:00:01', 'update', '{a.second}', '9', NULL, NULL);
END $$;
DO $$ BEGIN
	CALL regress_trail.event(34, '2001-02-20 10:00:02', 'update', '{a.fourth}', '9', NULL, NULL);
	CALL regress_trail.event(33, '2001-02-20 10:00:03', 'update', '{a.third}', '9', NULL, NULL);
END $$;
SELECT did FROM chat_rbac.history('regress_trail.conversation', 9);
SELECT a, chat_rbac.past_tense(a) FROM unnest('{reply,snooze,label,submit,play,ban,stop,mute,rotate_key,view_phone,set_up,edit,open,fix,follow,push}'::text[]) AS a;

-- Under the caller's rights, which are needed: a table's and the trail's
SET chat_rbac.identity = '1/6';
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.activity; -- fail
SELECT * FROM chat_rbac.history('regress_trail.conversation', 7); -- fail
RESET ROLE;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
-- Sue: what was done in Sales, and what she did on no unit's rows
SELECT who, did, what, changes FROM chat_rbac.activity WHERE event_id < 0 ORDER BY at, event_id;
RESET ROLE; SET chat_rbac.identity = '1/7'; SET ROLE regress_chat_rbac_app;
SELECT did, count(*) FROM chat_rbac.activity WHERE event_id < 0 GROUP BY who, did ORDER BY did;
SELECT did FROM chat_rbac.history('regress_trail.conversation', 7);
RESET ROLE; SET chat_rbac.identity = '1/8'; SET ROLE regress_chat_rbac_app;
SELECT who, count(*) FROM chat_rbac.activity WHERE event_id < 0 GROUP BY who ORDER BY who;
RESET ROLE; SET chat_rbac.identity = '1/99'; SET ROLE regress_chat_rbac_app;
SELECT count(*) FROM chat_rbac.activity;
RESET ROLE;
RESET chat_rbac.identity;
-- arrays that nobody of ours wrote
SET chat_rbac.identity = '1/6';
SELECT kinds, keys, chat_rbac.in_event_scope('{audit.view}', 'all', kinds::text[], keys::bigint[])
FROM (VALUES ('{team}', '{20}'), ('{team}', '{10}'), ('{planet,team}', '{20,20}'), ('[5:6]={team,team}', '[0:1]={10,20}'), ('{}', '{}'), ('{team}', '{}'), ('{}', '{20}'), ('{team}', '{20,20}'),
	('{team,NULL}', '{20,20}'), ('{team,team}', '{20,NULL}'), ('{{team}}', '{{20}}'), ('{{team,team}}', '{{20,20}}'), (NULL, '{20}'), ('{team}', NULL)) AS v (kinds, keys);
RESET chat_rbac.identity;

-- The newest first: one index scan a month, no sort
CREATE FUNCTION regress_trail.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		RETURN NEXT regexp_replace(regexp_replace(line, 'audit_event_(\d{4}_\d\d|default)', 'audit_event_MONTH', 'g'), ' (audit_event|e)(_\d+)$', '');
	END LOOP;
END
$$;
INSERT INTO chat_rbac.audit_event (event_id, at, transaction_at, xid, org_id, incarnation, relation, command, depth, operation, actions, table_name, row_key, unit_kinds, unit_keys, db_role, session_role, salt)
SELECT -100000 - n, '2001-01-01'::timestamptz + n * interval '1 minute', now(), '3', n % 10, gen_random_uuid(), 'regress_trail.conversation', 0, 0, 'update', '{a.b}', 't', n % 500, '{team}', '{20}', 'a', 'a', ''
FROM generate_series(1, 20000) AS n;
ANALYZE chat_rbac.audit_event;
GRANT EXECUTE ON FUNCTION regress_trail.plan TO regress_chat_rbac_app;
SET chat_rbac.identity = '1/6'; SET ROLE regress_chat_rbac_app;
SELECT DISTINCT p FROM regress_trail.plan('SELECT * FROM chat_rbac.audit_event WHERE at < ''2001-03-01'' ORDER BY at DESC LIMIT 50') AS p WHERE p !~ 'Filter';
SELECT DISTINCT p FROM regress_trail.plan('SELECT * FROM chat_rbac.activity WHERE at < ''2001-03-01'' ORDER BY at DESC LIMIT 50') AS p WHERE p !~ 'Filter';
RESET ROLE;
RESET chat_rbac.identity;

--
-- Retention: sealed months only, and nothing is dropped
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.audit_retention_months = 1; -- fail
RESET ROLE;
DELETE FROM chat_rbac.audit_event WHERE event_id < -100000;
SET chat_rbac.audit_retention_months = 60;
SELECT * FROM chat_rbac.audit_maintain(2);
SELECT chat_rbac.audit_seal() \g /dev/null
SELECT * FROM chat_rbac.audit_maintain(2);
SELECT relation_name, from_at, to_at, detached_at > now() - interval '1 minute' AS now FROM chat_rbac.audit_detached;
SELECT count(*) FROM chat_rbac.audit_event WHERE event_id < 0;
SELECT count(*) FROM chat_rbac.audit_event_2001_01;
GRANT ALL ON chat_rbac.audit_event_2001_01 TO regress_chat_rbac_app, regress_chat_rbac_bypass;
SET ROLE regress_chat_rbac_app;
TABLE chat_rbac.audit_event_2001_01;
TRUNCATE chat_rbac.audit_event_2001_01; -- fail
SET ROLE regress_chat_rbac_bypass;
UPDATE chat_rbac.audit_event_2001_01 SET reason = 'x'; -- fail
RESET ROLE;
SELECT * FROM chat_rbac.audit_maintain(2);
-- brought back
ALTER TABLE chat_rbac.audit_event ATTACH PARTITION chat_rbac.audit_event_2001_01 FOR VALUES FROM ('2001-01-01') TO ('2001-02-01');
SELECT count(*) FROM chat_rbac.audit_event WHERE event_id < 0;
SELECT * FROM chat_rbac.audit_maintain(2);
RESET chat_rbac.audit_retention_months;

DROP TABLE chat_rbac.audit_event_2001_01, chat_rbac.audit_event_2001_02, chat_rbac.audit_event_2001_03;
DELETE FROM chat_rbac.audit_detached;
DROP SCHEMA regress_trail CASCADE;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_bypass, regress_chat_rbac_owner;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_bypass, regress_chat_rbac_owner;

--
-- The audit trail: what is recorded of a change, and under which name
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
\set SHOW_CONTEXT never
SET timezone = 'Asia/Riyadh';
SET datestyle = 'German';

-- Sanity: every table has its triggers, and they always fire (none may show)
SELECT s.relation AS not_recorded FROM chat_rbac.specification s
 WHERE 2 <> (SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = s.relation AND t.tgenabled = 'A'
			 AND t.tgname IN ('00_chat_rbac_audit', '00_chat_rbac_audit_truncate'));

CREATE ROLE regress_chat_rbac_app;
CREATE SCHEMA regress_audit;
GRANT USAGE ON SCHEMA regress_audit TO regress_chat_rbac_app;
SET search_path = regress_audit, public;
CREATE TABLE chat (org_id int NOT NULL, id int, team_id int, inbox_id int, assignee_id bigint, status text, secret text, body text,
	labels text[], meta jsonb, at timestamptz, twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (org_id, id));
CREATE TABLE line (org_id int, chat_id int, n int, word text, PRIMARY KEY (org_id, chat_id, n),
	FOREIGN KEY (org_id, chat_id) REFERENCES chat ON DELETE CASCADE ON UPDATE CASCADE);
-- What is recorded since the last look
CREATE TEMP TABLE seen (event_id bigint PRIMARY KEY);
GRANT ALL ON seen TO PUBLIC;
CREATE FUNCTION look(OUT op text, OUT actions text, OUT what text, OUT units text, OUT org bigint, OUT who text, OUT depth int, OUT old jsonb, OUT new jsonb)
RETURNS SETOF record LANGUAGE sql SECURITY DEFINER AS $$
	WITH fresh AS (INSERT INTO pg_temp.seen SELECT event_id FROM chat_rbac.audit_event ON CONFLICT DO NOTHING RETURNING event_id)
	SELECT e.operation, array_to_string(e.actions, ' + '), e.table_name || ' ' || coalesce(e.row_key, '-'),
		(SELECT string_agg(k || ' ' || v, ', ' ORDER BY n) FROM unnest(e.unit_kinds, e.unit_keys) WITH ORDINALITY AS u (k, v, n)),
		e.org_id, e.actor_name, e.depth, e.old, e.new
	FROM chat_rbac.audit_event e JOIN fresh f USING (event_id)
	ORDER BY e.at, e.event_id
$$;
REVOKE ALL ON FUNCTION look() FROM PUBLIC;
SELECT count(*) > 0 AS before FROM look();

SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('other', 2);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name) VALUES (1, 1, 'team', 10, 'first'), (1, 2, 'team', 20, 'second'), (2, 1, 'team', 10, 'theirs');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'Ann'), (1, 2, 'Bob'), (2, 1, 'Eve');
DO $$ BEGIN
	PERFORM chat_rbac.grant_role('acme', 'Ann', 'Owner');
	PERFORM chat_rbac.grant_role('acme', 'Bob', 'Agent', 'first');
	PERFORM chat_rbac.grant_role('other', 'Eve', 'Owner');
END $$;
SET client_min_messages = warning;	-- no hints for indexes
DO $$ BEGIN
	PERFORM chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id", "inbox": "inbox_id"},
		"relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
		"audit": {"exclude": ["secret"], "digest": ["body"]},
		"actions": [
			{"on": "insert", "requires": "conversation.start"},
			{"on": "update", "column": "assignee_id", "from": null, "to": "$member", "requires": "conversation.claim"},
			{"on": "update", "column": "assignee_id", "requires": "conversation.assign"},
			{"on": "update", "column": "team_id", "requires": "conversation.transfer"},
			{"on": "update", "column": "status", "to": "closed", "requires": "conversation.close"},
			{"on": "update", "column": "at", "requires": "any"},
			{"on": "update", "column": "org_id", "requires": null},
			{"on": "update", "requires": "conversation.edit"},
			{"on": "delete", "requires": "conversation.delete"}]}');
	PERFORM chat_rbac.protect('line', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_audit.chat", "column": "chat_id"}}');
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat, line TO regress_chat_rbac_app;

-- Roles, grants and protections are recorded too
SELECT op, actions, regexp_replace(what, ' \d+$', '') AS what, units, org, who, depth, count(*)
  FROM look() GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 3, 5, 4, 1;

-- A row comes: its columns that are not null, as JSON, whatever the settings
INSERT INTO chat VALUES (1, 1, 10, 7, NULL, 'open', 'hush', 'hello', '{a,"b c"}', '{"k": [1, null]}', '2026-03-01 12:00+00');
INSERT INTO line VALUES (1, 1, 1, 'one'), (1, 1, 2, 'two');
SELECT * FROM look();

-- A member's change is recorded under each name that the guard asked for
SET chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_app;
UPDATE chat SET assignee_id = 2 WHERE id = 1;
UPDATE chat SET team_id = 20, status = 'closed', at = '2026-03-02 12:00+00' WHERE id = 1;
RESET ROLE;
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_app;
UPDATE chat SET at = NULL WHERE id = 1;
UPDATE chat SET secret = 'new', body = 'longer' WHERE id = 1;
UPDATE chat SET status = status WHERE id = 1;
RESET ROLE;
SELECT * FROM look();

-- What a cascade does, and how far it is from what was asked for
UPDATE chat SET id = 5 WHERE id = 1;
DELETE FROM chat WHERE id = 5;
SELECT op, actions, what, units, depth, old, new FROM look();

-- A large value is its length and SHA-256
INSERT INTO chat (org_id, id, status) VALUES (1, 2, repeat('x', 8193));
SELECT new ->> 'status' = jsonb_build_object('length', 8193, 'sha256', encode(sha256(repeat('x', 8193)::bytea), 'hex'))::text AS told FROM look();

-- Another org's row is gone for the one, and new to the other
UPDATE chat SET org_id = 2, status = 'moved' WHERE id = 2;
SELECT op, actions, what, org, old - 'status' AS old, new FROM look();

-- What is rolled back was not
BEGIN;
INSERT INTO chat (org_id, id) VALUES (1, 3);
SAVEPOINT s;
INSERT INTO chat (org_id, id) VALUES (1, 4);
ROLLBACK TO s;
COMMIT;
BEGIN;
INSERT INTO chat (org_id, id) VALUES (1, 5);
ROLLBACK;
SELECT op, what FROM look();

-- Always: as a replica, in a prepared statement of two members, by COPY, TRUNCATE
SET session_replication_role = replica;
INSERT INTO chat (org_id, id) VALUES (1, 6);
RESET session_replication_role;
PREPARE edit(text) AS UPDATE chat SET status = $1 WHERE id = 6;
SET plan_cache_mode = force_generic_plan;
SET ROLE regress_chat_rbac_app;
EXECUTE edit('x');
RESET ROLE;
SET chat_rbac.identity = '1/2';
SET ROLE regress_chat_rbac_app;
UPDATE chat SET assignee_id = 2 WHERE id = 6;	-- cannot see it: it has no team
RESET ROLE;
RESET chat_rbac.identity;
EXECUTE edit('y');
COPY line FROM stdin (DELIMITER ',');
1,6,1,copied
\.
TRUNCATE chat, line;
SELECT op, actions, what, org, who, depth FROM look();

-- An identity that is not the one that the command began with has done nothing
INSERT INTO chat (org_id, id, team_id) VALUES (1, 7, 10);
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_app;
UPDATE chat SET status = 'x' WHERE id = 7 RETURNING set_config('chat_rbac.identity', '1/2', false); -- fail
SELECT op, what FROM look();	-- fail
RESET ROLE;
SELECT op, what, who FROM look();
SET chat_rbac.identity = '1/1';
DO $$ BEGIN	-- but each command has its own
	UPDATE regress_audit.chat SET status = 'x' WHERE id = 7;
	PERFORM set_config('chat_rbac.identity', '1/2', true);
	UPDATE regress_audit.chat SET status = 'y' WHERE id = 7;
END $$;
SELECT op, what, who FROM look();

-- Who asks, for what, from where
RESET chat_rbac.identity;
SET chat_rbac.request_id = 'r-1';
SET chat_rbac.reason = 'asked by phone';
SET application_name = 'inbox-api';
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_app;
UPDATE chat SET status = 'z' WHERE id = 7;
RESET ROLE;
SELECT actor_org_id, actor_id, actor_name, db_role, session_role = session_user AS session, request_id, reason, application_name, client_addr,
	xid < pg_current_xact_id() AS before, at >= transaction_at AS after, length(salt), redaction, incarnation = chat_rbac.audit_incarnation() AS here
  FROM chat_rbac.audit_event ORDER BY at DESC, event_id DESC LIMIT 1;
RESET chat_rbac.request_id;
RESET application_name;
SELECT op FROM look();

-- A deliberate look is recorded, of what may be seen
INSERT INTO line VALUES (1, 7, 1, 'one');
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.record_access('chat', 7) > 0 AS recorded, chat_rbac.record_access('line', ARRAY[7, 1], 'complaint', 'message.view') > 0 AS of_line,
	chat_rbac.record_access('chat', 7, NULL, 'conversation.supervise') > 0 AS under_a_name;
SELECT chat_rbac.record_access('chat', 99);				-- fail
SELECT chat_rbac.record_access('chat', NULL::bigint);	-- fail
SELECT chat_rbac.record_access('chat', ARRAY[7, 1]);	-- fail
SELECT chat_rbac.record_access('pg_class', 1);			-- fail
BEGIN READ ONLY;
SELECT chat_rbac.record_access('chat', 7);				-- fail
ROLLBACK;
SET chat_rbac.identity = '1/2';
SELECT chat_rbac.record_access('chat', 7, NULL, 'conversation.supervise');	-- fail
SET chat_rbac.identity = '2/1';
SELECT chat_rbac.record_access('chat', 7);				-- fail
SET chat_rbac.identity = '';
SELECT chat_rbac.record_access('chat', 7);				-- fail
RESET ROLE;
SELECT op, actions, what, units, org, who, (SELECT e.reason FROM chat_rbac.audit_event e ORDER BY e.event_id DESC LIMIT 1) AS last_reason FROM look();

-- Rows that move between partitions
CREATE TABLE part (org_id int, id int, team_id int, status text, gone int, PRIMARY KEY (org_id, team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE part_10 PARTITION OF part FOR VALUES IN (10);
CREATE TABLE part_20 (status text, id int NOT NULL, x int, team_id int NOT NULL, org_id int NOT NULL, gone int);
ALTER TABLE part_20 DROP COLUMN x;
ALTER TABLE part ATTACH PARTITION part_20 FOR VALUES IN (20);
SELECT chat_rbac.protect('part', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "audit": {"exclude": ["gone"]},
	"actions": [{"on": "insert", "requires": "conversation.start"}, {"on": "update", "column": "team_id", "requires": "conversation.transfer"},
		{"on": "update", "requires": "conversation.edit"}, {"on": "delete", "requires": "conversation.delete"}]}');
GRANT SELECT, UPDATE ON part TO regress_chat_rbac_app;
INSERT INTO part VALUES (1, 1, 10, 'a', 1), (1, 2, 10, 'b', 2);
SET chat_rbac.identity = '1/1';
SET ROLE regress_chat_rbac_app;
UPDATE part SET team_id = 20, status = 'c';
RESET ROLE;
UPDATE part SET status = 'd' WHERE id = 1;
DELETE FROM part_20;
TRUNCATE part_10;
SELECT op, actions, what, units, who, old, new FROM look();

-- What is long is not copied into each event: values whose text is, keys, words
CREATE TABLE odd (org_id int, key bytea, n numeric, j jsonb, r nummultirange, PRIMARY KEY (org_id, key));
SELECT chat_rbac.protect('odd', '{"resource": "conversation", "org": "org_id"}');
INSERT INTO odd VALUES (1, decode(repeat('ab', 1600), 'hex'), '1e40000', jsonb_build_object('n', '1e40000'::numeric), (SELECT range_agg(numrange(i, i + 0.5)) FROM generate_series(1, 2000) AS i)),
	(1, '\x01', '1e1000', jsonb_build_object('n', '1e1000'::numeric), '{[1,2)}');
SELECT left(row_key, 15) AS row_key, new -> 'n' ->> 'length' AS n, new -> 'j' ->> 'length' AS j, new -> 'r' -> 'length' AS r, length(new ->> 'r') AS r_text
  FROM chat_rbac.audit_event WHERE table_name = 'regress_audit.odd' ORDER BY event_id;
SELECT did FROM chat_rbac.history('odd', '\x' || repeat('ab', 1600));
DO $$ BEGIN
	PERFORM set_config('chat_rbac.reason', repeat('x', 1024), true);
	PERFORM set_config('chat_rbac.reason', repeat('x', 1025), true);
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE '% too long', SQLSTATE;
END $$;
SELECT chat_rbac.record_access('chat', 7, repeat('x', 1025));	-- fail
SELECT did FROM chat_rbac.activity WHERE did ~ 'view|supervis' AND what ~ '^(chat|line) ' ORDER BY at;
SELECT count(*) FROM look();

-- What "audit" in a specification may say
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "audit": []}');							-- fail
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "audit": {"hide": ["body"]}}');			-- fail
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "audit": {"exclude": "body"}}');			-- fail
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "audit": {"exclude": ["bodi"]}}');		-- fail
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "audit": {"digest": ["id"]}}');			-- fail
SELECT chat_rbac.protect('chat', '{"resource": "conversation", "org": "org_id", "audit": {"exclude": ["body"], "digest": ["body"]}}');	-- fail
SELECT chat_rbac.protection('chat') -> 'audit' AS unchanged;
-- what is wrong with the triggers is told
CREATE OR REPLACE TRIGGER "00_chat_rbac_audit" AFTER INSERT OR UPDATE OR DELETE ON chat FOR EACH ROW WHEN (false) EXECUTE FUNCTION chat_rbac.audit();
ALTER TABLE chat ENABLE ALWAYS TRIGGER "00_chat_rbac_audit", ENABLE TRIGGER "00_chat_rbac_audit_truncate";
SELECT problems FROM chat_rbac.protections WHERE "table" = 'chat'::regclass;
SET client_min_messages = error;
SELECT chat_rbac.protect('chat', chat_rbac.protection('chat'));
SET client_min_messages = warning;
SELECT problems FROM chat_rbac.protections WHERE "table" = 'chat'::regclass;
-- a column that is not to be recorded is not recorded under another name
ALTER TABLE chat RENAME secret TO open;
UPDATE chat SET status = 'renamed';	-- fail
ALTER TABLE chat RENAME open TO secret;
-- the trigger on a table that is not protected
CREATE TABLE loose (id int);
CREATE TRIGGER t AFTER INSERT ON loose FOR EACH ROW EXECUTE FUNCTION chat_rbac.audit();
INSERT INTO loose VALUES (1);	-- fail
ALTER TRIGGER t ON loose RENAME TO "00_chat_rbac_audit";
INSERT INTO loose VALUES (1);	-- fail
ALTER TRIGGER "00_chat_rbac_audit" ON loose RENAME TO t;
CREATE TRIGGER t2 BEFORE UPDATE ON loose FOR EACH ROW EXECUTE FUNCTION chat_rbac.audit();
ALTER TABLE loose DISABLE TRIGGER t;
INSERT INTO loose VALUES (1);
UPDATE loose SET id = 2;	-- fail
SELECT chat_rbac.audit();	-- fail

-- Nothing is recorded any more of what is not protected
SET client_min_messages = error;
DO $$ BEGIN PERFORM chat_rbac.unprotect('line'), chat_rbac.unprotect('chat'); END $$;
RESET client_min_messages;
SELECT tgname FROM pg_trigger WHERE tgrelid IN ('chat'::regclass, 'line'::regclass) AND NOT tgisinternal;
SELECT op, actions, what FROM look() WHERE op <> 'update';

SET client_min_messages = warning;
RESET chat_rbac.identity;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app;
DROP SCHEMA regress_audit CASCADE;
DROP ROLE regress_chat_rbac_app;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DELETE FROM chat_rbac.protection;

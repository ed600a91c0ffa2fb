--
-- Audited reads, and export as a right: test/t/020_reads.pl has all forms of a read
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;
\set SHOW_CONTEXT never

CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_owner;
CREATE ROLE regress_chat_rbac_dump BYPASSRLS;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app, regress_chat_rbac_owner;

-- Ada is Admin, Mo manages Support, Sue supervises it, Ali is an agent there; Ed and the others show what has to go together
SELECT chat_rbac.create_org('acme', 1) AS acme;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name, sealed) VALUES
  (1, 10, 'team', NULL, 'Support', false), (1, 11, 'team', 10, 'Night', false), (1, 20, 'team', NULL, 'Sales', false), (1, 30, 'team', 10, 'VIP', true);
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES
  (1, 1, 'Ada'), (1, 2, 'Mo'), (1, 3, 'Sue'), (1, 4, 'Ali'), (1, 5, 'Ed'), (1, 6, 'Below'), (1, 7, 'Above'), (1, 8, 'Whole'), (1, 9, 'Sealed'), (1, 10, 'Both'), (1, 11, 'Part');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES
  (1, 'Sees', '{conversation.view, message.view}'), (1, 'Exports', '{conversation.export}'), (1, 'Own', '{conversation.view@own, conversation.export@own}'),
  (1, 'Trail', '{audit.view, audit.export}'), (1, 'Looks', '{audit.view}');
SELECT count(chat_rbac.grant_role('acme', m, r, u)) FROM (VALUES
  ('Ada', 'Admin', NULL), ('Mo', 'Manager', 'Support'), ('Sue', 'Supervisor', 'Support'), ('Ali', 'Agent', 'Support'), ('Ed', 'Own', 'Support'),
  ('Below', 'Sees', 'Support'), ('Below', 'Exports', 'Night'), ('Above', 'Sees', 'Night'), ('Above', 'Exports', 'Support'),
  ('Whole', 'Sees', 'Sales'), ('Whole', 'Exports', NULL), ('Sealed', 'Sees', 'VIP'), ('Sealed', 'Exports', NULL),
  ('Both', 'Sees', 'VIP'), ('Both', 'Exports', 'VIP'), ('Both', 'Sees', 'Sales'), ('Both', 'Exports', NULL),
  ('Part', 'Sees', NULL), ('Part', 'Exports', 'Support')) g (m, r, u);

CREATE SCHEMA regress_inbox AUTHORIZATION regress_chat_rbac_owner;
GRANT USAGE, CREATE ON SCHEMA regress_inbox TO regress_chat_rbac_app;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_dump;
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_inbox.conversation (org_id bigint, id int, team_id int, assignee_id int, subject text, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.message (org_id bigint, id int, conversation_id int, body text, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.customer (org_id bigint, id int, owner_id int, phone text, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.plain (id int);
INSERT INTO regress_inbox.conversation SELECT 1, i, (ARRAY[10, 11, 20, 30])[1 + i % 4], 4 + i % 2, 'subject ' || i FROM generate_series(1, 12) AS i;
INSERT INTO regress_inbox.message SELECT 1, i, i, 'body ' || i FROM generate_series(1, 12) AS i;
INSERT INTO regress_inbox.customer SELECT 1, i, 4, '+9665000' || i FROM generate_series(1, 3) AS i;
INSERT INTO regress_inbox.plain SELECT generate_series(1, 20);
GRANT ALL ON ALL TABLES IN SCHEMA regress_inbox TO regress_chat_rbac_app;
GRANT SELECT ON regress_inbox.conversation TO regress_chat_rbac_dump;
RESET ROLE;
SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"},
  "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
  "actions": [{"on": "update", "requires": "conversation.edit"}, {"on": "insert", "requires": "conversation.start"}, {"on": "delete", "requires": "conversation.delete"}]}');
SELECT chat_rbac.protect('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}, "view": "message.view"}');
SELECT chat_rbac.protect('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"own": {"owner_id": "$member"}}}');
RESET client_min_messages;

-- what was recorded, and then is not shown again
CREATE TABLE regress_inbox.began AS SELECT clock_timestamp() AS at;
CREATE FUNCTION regress_inbox.recorded(OUT who text, OUT did text, OUT what text, OUT permission text, OUT shown jsonb) RETURNS SETOF record
LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC
  SELECT e.actor_name, e.operation, e.table_name, e.actions[1], e.new FROM chat_rbac.audit_event e, regress_inbox.began b
  WHERE e.operation IN ('read', 'export') AND e.at > b.at ORDER BY e.event_id;
END;

--
-- An audited view
--
SET client_min_messages = warning;
SELECT chat_rbac.create_view('regress_inbox.customer', '{"view": "regress_inbox.card", "grant": ["regress_chat_rbac_app"], "audited": true,
  "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
RESET client_min_messages;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/4';
SET chat_rbac.reason = 'call back';
SELECT * FROM regress_inbox.card ORDER BY id;
SELECT count(*) FROM regress_inbox.card;
SELECT id FROM regress_inbox.customer;                                    -- fail
BEGIN READ ONLY;
SELECT * FROM regress_inbox.card;                                         -- fail
ROLLBACK;
\set VERBOSITY sqlstate
SELECT chat_rbac.read_gate('regress_inbox.card');                         -- fail
SELECT chat_rbac.read_gate('regress_inbox.none');                         -- fail
SET chat_rbac.read_audit = 'log';                                         -- fail
SET chat_rbac.bulk_rows = 0;                                              -- fail
\set VERBOSITY default
SELECT chat_rbac.read_gate(NULL) IS NULL AS shut;
SELECT * FROM regress_inbox.recorded();
RESET chat_rbac.reason;

--
-- COPY ... TO
--
SET chat_rbac.identity = '1/3';
COPY regress_inbox.conversation TO STDOUT;                                -- fail
COPY (SELECT id FROM regress_inbox.conversation) TO STDOUT;               -- fail
COPY (SELECT count(*) FROM regress_inbox.conversation) TO STDOUT;         -- fail
COPY (SELECT 1 WHERE EXISTS (SELECT FROM regress_inbox.message)) TO STDOUT;   -- fail
COPY (SELECT 1) TO STDOUT;
COPY (SELECT count(*) FROM regress_inbox.plain) TO STDOUT;
COPY (INSERT INTO regress_inbox.plain VALUES (21) RETURNING id) TO STDOUT;
COPY (UPDATE regress_inbox.conversation SET subject = 'x' WHERE id = 4 RETURNING id) TO STDOUT;   -- fail
SELECT * FROM regress_inbox.recorded() OFFSET 2;
SET chat_rbac.identity = '1/1';
COPY (SELECT id FROM regress_inbox.conversation ORDER BY id LIMIT 2) TO STDOUT;
COPY (SELECT c.id, m.body FROM regress_inbox.conversation c JOIN regress_inbox.message m ON m.conversation_id = c.id WHERE c.id < 3 ORDER BY 1) TO STDOUT;
COPY (SELECT sum(id) FROM regress_inbox.conversation) TO STDOUT;
COPY (SELECT id, phone FROM regress_inbox.card WHERE id = 1) TO STDOUT;
SELECT * FROM regress_inbox.recorded() OFFSET 2;
BEGIN READ ONLY;
COPY (SELECT id FROM regress_inbox.conversation) TO STDOUT;               -- fail
ROLLBACK;

-- a manager of Support has the right there for all that is theirs to see, but of customers none
SET chat_rbac.identity = '1/2';
COPY (SELECT DISTINCT team_id FROM regress_inbox.conversation ORDER BY 1) TO STDOUT;
COPY (SELECT count(*) FROM regress_inbox.message) TO STDOUT;
COPY (SELECT id FROM regress_inbox.card) TO STDOUT;                       -- fail

-- with the same relations: who sees more than he may export gets nothing
SET chat_rbac.identity = '1/4';
COPY (SELECT id FROM regress_inbox.conversation) TO STDOUT;               -- fail
SET chat_rbac.identity = '1/5';
COPY (SELECT id FROM regress_inbox.conversation ORDER BY id) TO STDOUT;
COPY (SELECT id FROM regress_inbox.message) TO STDOUT;                    -- fail

-- at the same units: the right below, above, in the whole org, and at a sealed unit
SET chat_rbac.identity = '1/6';
COPY (SELECT id FROM regress_inbox.conversation WHERE team_id = 11) TO STDOUT;   -- fail
SET chat_rbac.identity = '1/7';
COPY (SELECT id FROM regress_inbox.conversation ORDER BY id) TO STDOUT;
SET chat_rbac.identity = '1/8';
COPY (SELECT id FROM regress_inbox.conversation ORDER BY id) TO STDOUT;
SET chat_rbac.identity = '1/9';
COPY (SELECT id FROM regress_inbox.conversation ORDER BY id) TO STDOUT;   -- fail
SET chat_rbac.identity = '1/10';
COPY (SELECT id FROM regress_inbox.conversation ORDER BY id) TO STDOUT;
SET chat_rbac.identity = '1/11';
COPY (SELECT id FROM regress_inbox.conversation WHERE team_id = 10) TO STDOUT;   -- fail

-- nobody, and whom policies do not hold
RESET chat_rbac.identity;
COPY regress_inbox.conversation TO STDOUT;                                -- fail
SET ROLE regress_chat_rbac_owner;
COPY (SELECT count(*) FROM regress_inbox.conversation) TO STDOUT;         -- fail
SET ROLE regress_chat_rbac_dump;
COPY (SELECT count(*) FROM regress_inbox.conversation) TO STDOUT;
RESET ROLE;
COPY (SELECT count(*) FROM regress_inbox.conversation) TO STDOUT;

-- what functions read for it, and what a cursor that is open already does
SET ROLE regress_chat_rbac_app;
CREATE FUNCTION regress_inbox.ids() RETURNS SETOF int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN QUERY SELECT id FROM regress_inbox.conversation ORDER BY id LIMIT 2; END';
CREATE FUNCTION regress_inbox.ids_sql() RETURNS SETOF int LANGUAGE sql VOLATILE AS 'SELECT id FROM regress_inbox.conversation ORDER BY id LIMIT 2';
CREATE FUNCTION regress_inbox.next_id(c refcursor) RETURNS int LANGUAGE plpgsql AS 'DECLARE i int; BEGIN FETCH c INTO i; RETURN i; END';
SET chat_rbac.identity = '1/3';
COPY (SELECT regress_inbox.ids()) TO STDOUT;                              -- fail
COPY (SELECT * FROM regress_inbox.ids_sql()) TO STDOUT;                   -- fail
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM regress_inbox.conversation ORDER BY id;
COPY (SELECT regress_inbox.next_id('c')) TO STDOUT;                       -- fail
ROLLBACK;
SELECT regress_inbox.ids();
SET chat_rbac.identity = '1/1';
COPY (SELECT regress_inbox.ids()) TO STDOUT;
COPY (SELECT * FROM regress_inbox.ids_sql()) TO STDOUT;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM regress_inbox.conversation ORDER BY id;
COPY (SELECT regress_inbox.next_id('c'), regress_inbox.next_id('c')) TO STDOUT;
COMMIT;

-- a policy that is not chat_rbac's shows rows too, so the right is needed for all
RESET ROLE;
CREATE POLICY other ON regress_inbox.conversation FOR SELECT TO regress_chat_rbac_app USING (id = 3);
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/2';
COPY (SELECT count(*) FROM regress_inbox.conversation) TO STDOUT;         -- fail
SET chat_rbac.identity = '1/1';
COPY (SELECT count(*) FROM regress_inbox.conversation) TO STDOUT;
RESET ROLE;
DROP POLICY other ON regress_inbox.conversation;

-- the audit trail
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 20, 'Tom'), (1, 21, 'Lu');
SELECT count(chat_rbac.grant_role('acme', m, r)) FROM (VALUES ('Tom', 'Trail'), ('Lu', 'Looks')) g (m, r);
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.member TO regress_chat_rbac_app;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/21';
COPY chat_rbac.audit_event TO STDOUT;                                     -- fail
SET chat_rbac.identity = '1/20';
COPY (SELECT count(*) > 0 FROM chat_rbac.audit_event) TO STDOUT;
COPY (SELECT count(*) FROM chat_rbac.member) TO STDOUT;

--
-- Many rows in one query
--
RESET ROLE;
SET chat_rbac.bulk_rows = 3;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/3';
SELECT id FROM regress_inbox.conversation ORDER BY id LIMIT 3;
SELECT id FROM regress_inbox.conversation ORDER BY id;                    -- fail
SELECT count(*) FROM regress_inbox.conversation;
SELECT team_id, count(*) FROM regress_inbox.conversation GROUP BY team_id ORDER BY 1;
SELECT c.id FROM regress_inbox.conversation c, regress_inbox.plain LIMIT 4;   -- fail
SELECT count(*) FROM (SELECT id FROM regress_inbox.plain) AS p;
SELECT max(id) FROM regress_inbox.plain GROUP BY id HAVING max(id) > 17 ORDER BY 1;
PREPARE q AS SELECT id FROM regress_inbox.conversation LIMIT $1;
EXECUTE q (3);
EXECUTE q (4);                                                            -- fail
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM regress_inbox.conversation ORDER BY id;
FETCH 2 FROM c;
FETCH 1 FROM c;
FETCH 1 FROM c;                                                           -- fail
ROLLBACK;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM regress_inbox.conversation ORDER BY id;
COMMIT;                                                                   -- fail
DO $$ BEGIN PERFORM id FROM regress_inbox.conversation; END $$;           -- fail
CREATE TABLE regress_inbox.mine AS SELECT id FROM regress_inbox.conversation;   -- fail
CREATE TEMP TABLE mine (id int);
INSERT INTO mine SELECT id FROM regress_inbox.conversation;               -- fail
INSERT INTO mine SELECT id FROM regress_inbox.conversation LIMIT 3;
INSERT INTO mine SELECT id FROM regress_inbox.plain;
SELECT count(*) FROM (SELECT * FROM mine) AS m;
UPDATE regress_inbox.conversation SET subject = 'x';
UPDATE regress_inbox.conversation SET subject = 'x' RETURNING id;         -- fail
DO $$ BEGIN EXECUTE 'EXPLAIN ANALYZE SELECT id FROM regress_inbox.conversation'; END $$;

-- who may export gets them, and that is recorded
SELECT count(*) AS before FROM regress_inbox.recorded() \gset
SET chat_rbac.identity = '1/1';
SELECT id FROM regress_inbox.conversation ORDER BY id;
SELECT id FROM regress_inbox.conversation LIMIT 3;
INSERT INTO mine SELECT id FROM regress_inbox.conversation WHERE team_id <> 11;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM regress_inbox.conversation ORDER BY id;
FETCH 3 FROM c;
FETCH 1 FROM c;
FETCH 1 FROM c;
COMMIT;
SELECT * FROM regress_inbox.recorded() OFFSET :before;
BEGIN READ ONLY;
SELECT id FROM regress_inbox.conversation LIMIT 3;
SELECT id FROM regress_inbox.conversation LIMIT 4;                        -- fail
ROLLBACK;
RESET ROLE;
SELECT id FROM regress_inbox.conversation LIMIT 4;
RESET chat_rbac.bulk_rows;

SET client_min_messages = warning;
DROP SCHEMA regress_inbox CASCADE;
DELETE FROM chat_rbac.protected_view;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
REVOKE ALL ON SCHEMA chat_rbac FROM regress_chat_rbac_app;
REVOKE ALL ON chat_rbac.audit_event, chat_rbac.member FROM regress_chat_rbac_app;
DROP OWNED BY regress_chat_rbac_app, regress_chat_rbac_owner, regress_chat_rbac_dump;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_owner, regress_chat_rbac_dump;

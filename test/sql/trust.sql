--
-- Who may write specifications, and functions of policies called in other ways
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
SET search_path = public, chat_rbac;
\set SHOW_CONTEXT never
CREATE ROLE regress_chat_rbac_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.protect, chat_rbac.unprotect TO regress_chat_rbac_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
CREATE SCHEMA regress_trust;
GRANT USAGE, CREATE ON SCHEMA regress_trust TO regress_chat_rbac_owner;
CREATE TABLE regress_trust.secret (id bigint PRIMARY KEY, who bigint, pin bigint);
INSERT INTO regress_trust.secret VALUES (1, 7, 4711);
GRANT SELECT ON regress_trust.secret TO regress_chat_rbac_owner;
SELECT chat_rbac.create_org('acme', 1);
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7, 'Ali');
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support');
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support') IS NOT NULL AS granted;

-- A link table is read as its owner: a specification that names somebody else's
-- is refused by protect(), and so is one that is written past protect()
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_trust.mine (org_id bigint, id bigint PRIMARY KEY, tags text[], kind text);
SELECT chat_rbac.protect('regress_trust.mine', '{"resource": "conversation", "org": "org_id",
	"relations": {"participating": {"table": "regress_trust.secret", "row": "pin", "member": "who"}}}');  -- fail
INSERT INTO chat_rbac.protection VALUES ('pg_class', '{"relations": {"x": {"table": "regress_trust.secret", "row": "pin", "member": "who"}}}');  -- fail
INSERT INTO chat_rbac.protection VALUES ('regress_trust.secret', '{}');  -- fail
INSERT INTO chat_rbac.protection VALUES ('regress_trust.mine', '{"relations": {"participating": {"table": "regress_trust.secret", "row": "pin", "member": "who"}}}');  -- fail
RESET ROLE;
INSERT INTO chat_rbac.protection VALUES ('regress_trust.mine', '{"relations": {"participating": {"table": "regress_trust.secret", "row": "pin", "member": "who"}}}');
SET chat_rbac.identity = '1/7';
SELECT chat_rbac.link_scope('{conversation.view}', 'participating', 'regress_trust.mine', true);  -- fail
UPDATE chat_rbac.protection SET relation = 'regress_trust.secret';  -- fail
DELETE FROM chat_rbac.protection;

-- LEAKPROOF: with arguments that could tell of a row there is neither access nor an error
SELECT in_scope('{conversation.view}', 'own', tags, 1) AS in_scope, in_link(1, '{conversation.view}', kind, 'regress_trust.mine', true) AS in_link
  FROM (VALUES ('{team,inbox,x}'::text[], 'participating'), (ARRAY[NULL], NULL::text), ('{team}', 'own')) AS v (tags, kind);
-- nor for what does not fit together: an error would tell that there is a row to be asked about
SELECT in_scope('{conversation.view@own}', 'own', '{team,inbox,x}', 1);
SELECT in_scope('{conversation.view@own}', 'own', '{team}', 1) AS in_scope;
RESET chat_rbac.identity;

-- Clean up
DROP SCHEMA regress_trust CASCADE;
DELETE FROM chat_rbac.protection;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_owner;
DROP ROLE regress_chat_rbac_owner;

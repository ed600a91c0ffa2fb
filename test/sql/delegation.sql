--
-- Delegated administration: members change the RBAC tables by plain SQL, and nobody gives what they do not hold
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
\set SHOW_CONTEXT never
SELECT clock_timestamp() AS began \gset

CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
-- ordinary GRANTs are all that an application needs
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, UPDATE ON chat_rbac.org TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant,
  chat_rbac.signing_key, chat_rbac.known_permission TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.grants, chat_rbac.unit_path, chat_rbac.effective_permissions, chat_rbac.role_tree TO regress_chat_rbac_app;
GRANT EXECUTE ON FUNCTION chat_rbac.grant_role, chat_rbac.revoke_role, chat_rbac.find_by_name TO regress_chat_rbac_app;

SELECT chat_rbac.create_org('acme', 1) \g /dev/null
SELECT chat_rbac.create_org('globex', 2) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES
  (1, 10, 'department', 'Support', NULL), (1, 11, 'team', 'Tier 1', 10), (1, 12, 'team', 'Tier 2', 10), (1, 20, 'team', 'Sales', NULL), (2, 10, 'team', 'Other', NULL);
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES
  (1, 1, 'Olga', 'olga'), (1, 2, 'Ada', NULL), (1, 3, 'Lea', NULL), (1, 4, 'Ali', NULL), (1, 5, 'Bob', NULL), (1, 6, 'Ina', NULL), (1, 7, 'Otto', NULL), (2, 1, 'Zoe', NULL);
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES
  (1, 50, 'Team lead', '{role.view, role.assign, member.view, member.manage, unit.view, unit.manage}'), (1, 51, 'Deleter', '{conversation.delete}'),
  (1, 52, 'Closer', '{conversation.close@own}'), (1, 53, 'Empty', '{}');
INSERT INTO chat_rbac.role_inherit SELECT 1, 50, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Agent';
SELECT count(chat_rbac.grant_role(o, m, r, u)) FROM (VALUES ('acme', 'Olga', 'Owner', NULL), ('acme', 'Otto', 'Owner', NULL), ('acme', 'Ada', 'Admin', NULL),
  ('acme', 'Lea', 'Team lead', 'Support'), ('acme', 'Ali', 'Agent', 'Tier 1'), ('acme', 'Bob', 'Agent', 'Sales'), ('globex', 'Zoe', 'Owner', NULL)) AS g (o, m, r, u);

-- Ina had a role once; Nia never
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id) VALUES (1, 999, 6, 53);
DELETE FROM chat_rbac.role_grant WHERE grant_id = 999;
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7061, 'Nia');

CREATE VIEW seen AS SELECT (SELECT string_agg(name, ',' ORDER BY org_id) FROM chat_rbac.org) AS orgs, (SELECT string_agg(name, ',' ORDER BY unit_id) FROM chat_rbac.unit) AS units,
  (SELECT string_agg(name, ',' ORDER BY member_id) FROM chat_rbac.member) AS members, (SELECT count(*) FROM chat_rbac.role) AS roles,
  (SELECT count(*) FROM chat_rbac.role_inherit) AS inherits, (SELECT string_agg(grant_id::text, ',' ORDER BY grant_id) FROM chat_rbac.role_grant) AS grants,
  (SELECT count(*) FROM chat_rbac.signing_key) AS keys;
ALTER VIEW seen SET (security_invoker = true);
GRANT SELECT ON seen TO regress_chat_rbac_app;
SELECT chat_rbac.create_signing_key('acme') IS NOT NULL AS made;

--
-- What is seen
--
SET ROLE regress_chat_rbac_app;
SELECT * FROM seen;     -- nobody
SET chat_rbac.identity = '1/1';
SELECT * FROM seen;     -- Olga: all of the org
SET chat_rbac.identity = '1/2';
SELECT * FROM seen;     -- Ada: but for the keys
SET chat_rbac.identity = '1/3';
SELECT * FROM seen;     -- Lea: Support, who works there, and herself
SELECT member, role, unit FROM chat_rbac.grants;
SET chat_rbac.identity = '1/4';
SELECT * FROM seen;     -- Ali: himself
SELECT member, role, unit FROM chat_rbac.grants;
SET chat_rbac.identity = '2/1';
SELECT * FROM seen;

--
-- A team lead
--
SET chat_rbac.identity = '1/3';
SELECT chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Tier 2') IS NOT NULL AS granted;
SELECT member_id, unit_id, granted_by FROM chat_rbac.role_grant WHERE member_id = 4 ORDER BY grant_id;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, granted_by, granted_at) VALUES (1, 4, 52, 11, 1, '2001-01-01') RETURNING member_id, granted_by, granted_at > '2020-01-01' AS now;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 6, 52, 11);    -- fail: she had a role once, and has none
BEGIN;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 7061, 52, 11) RETURNING member_id;
ROLLBACK;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 4, 52, 20);    -- fail: not her unit
\echo :LAST_ERROR_SQLSTATE
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 4, 52);                 -- fail: not in the whole org
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 4, 51, 11);    -- fail: she may not delete
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 3, 52, 11);    -- fail: herself
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 5, 52, 11);    -- fail: somebody of another team
RESET ROLE; RESET chat_rbac.identity;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid) VALUES (1, 5, 53, 11, '[2090-01-01,2090-01-02)');
SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (1, 5, 53, 11);    -- fail: he will be near for a day in 2090
RESET ROLE; RESET chat_rbac.identity;
DELETE FROM chat_rbac.role_grant WHERE lower(valid) = '2090-01-01';
SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) VALUES (2, 1, 52, 10);    -- fail: another org
UPDATE chat_rbac.role_grant SET unit_id = 10 WHERE member_id = 4 AND unit_id = 12;
UPDATE chat_rbac.role_grant SET unit_id = 20 WHERE member_id = 4 AND unit_id = 10;               -- fail
UPDATE chat_rbac.role_grant SET member_id = 3 WHERE member_id = 4 AND unit_id = 10;              -- fail
UPDATE chat_rbac.role_grant SET role_id = 50 WHERE member_id = 4 AND unit_id = 10;               -- may: she holds it there
DELETE FROM chat_rbac.role_grant WHERE member_id = 4 AND unit_id = 10;
DELETE FROM chat_rbac.role_grant WHERE member_id = 3;                                            -- fail
DELETE FROM chat_rbac.role_grant WHERE member_id = 5;                                            -- does not see it
UPDATE chat_rbac.role SET permissions = '{*.*}' WHERE role_id = 52;                              -- fail: roles are of the whole org
INSERT INTO chat_rbac.role_inherit VALUES (1, 53, 52);                                           -- fail
UPDATE chat_rbac.member SET name = 'Alison' WHERE member_id = 4 RETURNING name;
UPDATE chat_rbac.member SET active = false WHERE member_id = 4 RETURNING active;
UPDATE chat_rbac.member SET active = true WHERE member_id = 4 RETURNING active;                 -- fail: somebody else may have switched him off
RESET ROLE; RESET chat_rbac.identity; UPDATE chat_rbac.member SET active = true WHERE member_id = 4; SET chat_rbac.identity = '1/3'; SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.member SET subject = 'friend' WHERE member_id = 4;                              -- fail: whoever is the friend would be him
UPDATE chat_rbac.member SET tokens_valid_from = now() WHERE member_id = 4 RETURNING tokens_valid_from IS NOT NULL AS revoked;
UPDATE chat_rbac.member SET tokens_valid_from = NULL WHERE member_id = 4;                        -- fail
UPDATE chat_rbac.member SET login = 'regress_chat_rbac_app' WHERE member_id = 4;                 -- fail
UPDATE chat_rbac.member SET member_id = 40 WHERE member_id = 4;                                  -- fail
UPDATE chat_rbac.member SET active = false WHERE member_id = 3;                                  -- fail
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7060, 'New');                    -- fail
UPDATE chat_rbac.unit SET name = 'First' WHERE unit_id = 11 RETURNING name;
UPDATE chat_rbac.unit SET parent_id = 20 WHERE unit_id = 11;                                     -- fail
UPDATE chat_rbac.unit SET parent_id = 12 WHERE unit_id = 11;                                     -- may: below what is hers
UPDATE chat_rbac.unit SET parent_id = 10 WHERE unit_id = 11;
UPDATE chat_rbac.unit SET key = 20, kind = 'inbox' WHERE unit_id = 11;                           -- fail: rows that were nowhere
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 13, 'team', 'Tier 3', 10);    -- fail: the same
UPDATE chat_rbac.org SET name = 'mine';                                                          -- fail
TRUNCATE chat_rbac.role_grant;                                                                   -- fail

--
-- An admin
--
SET chat_rbac.identity = '1/2';
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 60, 'Reader', '{conversation.view, message.view}') RETURNING name;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 61, 'Money', '{billing.manage}');                   -- fail
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 61, 'All', '{*.*}');                                -- fail
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'conversation.reply' WHERE role_id = 60;
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'billing.manage' WHERE role_id = 60;                 -- fail
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) '*.view' WHERE role_id = 60;                         -- fail
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.-) 'billing.*' WHERE name = 'Finance';                  -- fail: nor taken away
UPDATE chat_rbac.role SET permissions = permissions OPERATOR(chat_rbac.+) 'task.view' WHERE name = 'Admin';                    -- fail: one's own
UPDATE chat_rbac.role SET name = 'Viewer' WHERE name = 'Owner';                                                                -- fail: names are what tokens narrow by
UPDATE chat_rbac.role SET max_duration = '1 s' WHERE name = 'Finance';                                                         -- fail
INSERT INTO chat_rbac.role_inherit SELECT 1, 60, role_id FROM chat_rbac.role WHERE name = 'Finance';                           -- fail
INSERT INTO chat_rbac.role_inherit SELECT 1, role_id, 60 FROM chat_rbac.role WHERE name = 'Admin';                             -- fail: one's own
INSERT INTO chat_rbac.role_inherit VALUES (1, 60, 52);
DELETE FROM chat_rbac.role_inherit WHERE senior_id = 60;
DELETE FROM chat_rbac.role WHERE role_id = 60;
SELECT chat_rbac.grant_role('acme', 'Ina', 'Supervisor', 'Sales') IS NOT NULL AS granted;
SELECT chat_rbac.grant_role('acme', 'Ina', 'Owner');                                                                           -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.grant_role('acme', 'Ina', 'Finance');                                                                         -- fail
SELECT chat_rbac.revoke_role('acme', 'Otto', 'Owner');                                                                         -- fail
SELECT chat_rbac.grant_role('acme', 'Ada', 'Agent', 'Sales');                                                                  -- fail: herself
UPDATE chat_rbac.member SET active = false WHERE member_id = 1;                                                                -- fail: an owner holds more
UPDATE chat_rbac.member SET subject = 'ada' WHERE member_id = 1;                                                               -- fail: would be becoming her
DELETE FROM chat_rbac.member WHERE member_id = 1;                                                                              -- fail
INSERT INTO chat_rbac.member (org_id, member_id, name, login) VALUES (1, 7060, 'New', 'regress_chat_rbac_app');                  -- fail
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (1, 7060, 'New', 'new') RETURNING name;
DELETE FROM chat_rbac.member WHERE member_id = 7060;
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7060, 'Another');                                               -- fail: ids are not used again
SELECT chat_rbac.revoke_tokens(1);                                                                                             -- fail: an owner's
SELECT chat_rbac.revoke_tokens(4) IS NOT NULL AS revoked;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name, parent_id) VALUES (1, 13, 'team', 'Tier 3', 10) RETURNING name;
INSERT INTO chat_rbac.signing_key (org_id, algorithm, secret) VALUES (1, 'HS256', sha256('x'));                                -- fail
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('ship.sink', 'Sink a ship');                                -- fail
UPDATE chat_rbac.org SET name = 'acme inc' RETURNING name;
UPDATE chat_rbac.org SET name = 'acme';
-- a unit that gets another key as it moves is moved all the same
RESET ROLE; RESET chat_rbac.identity;
INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) SELECT 1, 900, 5, role_id, 20 FROM chat_rbac.role WHERE org_id = 1 AND name = 'Finance';
SET chat_rbac.identity = '1/2'; SET ROLE regress_chat_rbac_app;
UPDATE chat_rbac.unit SET parent_id = 20 WHERE unit_id = 12;                                                                   -- fail: to where Bob sees the money
UPDATE chat_rbac.unit SET key = 120, parent_id = 20 WHERE unit_id = 12;                                                        -- fail
UPDATE chat_rbac.unit SET key = 120 WHERE unit_id = 12 RETURNING key;
UPDATE chat_rbac.unit SET key = 12 WHERE unit_id = 12;
RESET ROLE; RESET chat_rbac.identity;
DELETE FROM chat_rbac.role_grant WHERE grant_id = 900;
SET ROLE regress_chat_rbac_app;

--
-- Owners
--
SET chat_rbac.identity = '1/1';
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (1, 'x', 'HS256', sha256('x')) RETURNING kid;
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (NULL, 'y', 'HS256', sha256('x'));                   -- fail: of all orgs
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (2, 'y', 'HS256', sha256('x'));                      -- fail: of another
SELECT chat_rbac.grant_role('acme', 'Ina', 'Finance') IS NOT NULL AS granted;
-- the last one stays: nobody removes themselves
SELECT chat_rbac.revoke_role('acme', 'Otto', 'Owner');
SELECT chat_rbac.revoke_role('acme', 'Olga', 'Owner');                                                                         -- fail
UPDATE chat_rbac.member SET active = false WHERE name = 'Olga';                                                                -- fail
DELETE FROM chat_rbac.member WHERE name = 'Olga';                                                                              -- fail
UPDATE chat_rbac.role SET permissions = '{}' WHERE name = 'Owner';                                                             -- fail
-- one command is one person's
CREATE FUNCTION pg_temp.become(i text) RETURNS boolean LANGUAGE sql VOLATILE AS $$SELECT set_config('chat_rbac.identity', i, true) IS NOT NULL$$;
SELECT chat_rbac.grant_role('acme', 'Otto', 'Owner') IS NOT NULL AS granted;
BEGIN;
DELETE FROM chat_rbac.role_grant WHERE member_id IN (1, 7) AND pg_temp.become(CASE member_id WHEN 1 THEN '1/7' ELSE '1/1' END) RETURNING pg_temp.become('1/1');  -- fail
ROLLBACK;
SELECT chat_rbac.revoke_role('acme', 'Otto', 'Owner');
-- what is held for a time is given and taken for no longer
RESET ROLE; RESET chat_rbac.identity;
UPDATE chat_rbac.role_grant SET valid = '(,2099-01-01)' WHERE member_id = 1;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 1, 7, role_id FROM chat_rbac.role WHERE org_id = 1 AND name = 'Owner';
SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app; SET timezone = 'UTC';
SELECT chat_rbac.grant_role('acme', 'Ina', 'Agent', 'Sales');                                                                  -- fail
SELECT chat_rbac.grant_role('acme', 'Ina', 'Agent', 'Sales', '[2026-01-01, 2098-12-31)') IS NOT NULL AS granted;
SELECT chat_rbac.revoke_role('acme', 'Otto', 'Owner');                                                                         -- fail: he would be missed in 2099
UPDATE chat_rbac.member SET active = false WHERE name = 'Otto';                                                                -- fail
RESET ROLE; RESET chat_rbac.identity; RESET timezone;
UPDATE chat_rbac.role_grant SET valid = '(,)' WHERE member_id = 1;
DELETE FROM chat_rbac.role_grant WHERE member_id = 7;
SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;
-- nor by the help of a grant that the session leaves inactive
RESET ROLE; RESET chat_rbac.identity;
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 70, 'A', '{role.view, role.assign, billing.view, member.view}'), (1, 71, 'B', '{billing.view}'), (1, 72, 'C', '{task.view}');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 20, 'Tom');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 20, 70, '(,2099-01-01)'), (1, 20, 71, '(,)');
SET chat_rbac.identity = '1/20'; SET ROLE regress_chat_rbac_app; SET timezone = 'UTC';
BEGIN;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 6, 71) RETURNING valid;
ROLLBACK;
SET chat_rbac.active_roles = 'A';
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 6, 71);                                               -- fail
RESET chat_rbac.active_roles;
-- nor is an owner disarmed by a role that may not be active beside theirs
RESET ROLE; RESET chat_rbac.identity; RESET timezone;
SELECT chat_rbac.create_separation('acme', 'Apart', '{Owner,C}', 2, 'dynamic') \g /dev/null
UPDATE chat_rbac.role_grant SET role_id = 72 WHERE member_id = 20 AND role_id = 71;
SET chat_rbac.identity = '1/20'; SET ROLE regress_chat_rbac_app;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid) VALUES (1, 1, 72, '[2026-01-01,2098-01-01)');              -- fail
RESET ROLE; RESET chat_rbac.identity;
SELECT chat_rbac.drop_separation('acme', 'Apart') \g /dev/null
SET chat_rbac.identity = '1/1'; SET ROLE regress_chat_rbac_app;
-- narrowed, she is what she is narrowed to
SET chat_rbac.active_roles = 'Owner';
SELECT chat_rbac.grant_role('acme', 'Otto', 'Owner') IS NOT NULL AS granted;
RESET chat_rbac.active_roles;

--
-- Nobody
--
RESET chat_rbac.identity;
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 7060, 'New');                                                  -- fail
\echo :LAST_ERROR_SQLSTATE
DELETE FROM chat_rbac.role_grant;
UPDATE chat_rbac.role SET permissions = '{*.*}';

-- A team lead's own unit is one that somebody may move away meanwhile; what one may not see is not changed
SET chat_rbac.identity = '1/5';
UPDATE chat_rbac.member SET name = 'Robert';                                                                                   -- fail
SET chat_rbac.identity = '1/6';
UPDATE chat_rbac.member SET name = 'x' WHERE name = 'Lea';
RESET chat_rbac.identity;
RESET ROLE;
-- what was done, and by whom
SELECT who, did, what FROM chat_rbac.activity WHERE at >= :'began' AND who IN ('Lea', 'Olga') ORDER BY event_id;

DROP VIEW seen;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

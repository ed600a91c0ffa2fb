--
-- Identity: who is asking, by setting or by login, and with which roles
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
\set SHOW_CONTEXT never

CREATE ROLE regress_chat_rbac_app;      -- a trusted backend
CREATE ROLE regress_chat_rbac_plain;    -- anybody
CREATE ROLE regress_chat_rbac_ada;      -- the login of a member
CREATE ROLE regress_chat_rbac_bob;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;

SELECT chat_rbac.create_org('acme', 10);
SELECT chat_rbac.create_org('globex', 20);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 1, 'team', 'Support');
INSERT INTO chat_rbac.member (org_id, member_id, name, login, active) VALUES
  (10, 1, 'Ada', 'regress_chat_rbac_ada', true), (10, 2, 'Sue', NULL, true), (10, 3, 'Ina', NULL, false), (10, 4, 'Nora', NULL, true),
  (20, 1, 'Bob', 'regress_chat_rbac_bob', true);
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (10, 'Night shift, "late"', '{task.view}');
SELECT chat_rbac.grant_role('acme', 'Ada', 'Admin') AS ada, chat_rbac.grant_role('acme', 'Sue', 'Manager', 'Support') AS sue,
       chat_rbac.grant_role('acme', 'Sue', 'Night shift, "late"') AS late, chat_rbac.grant_role('acme', 'Ina', 'Agent') AS ina,
       chat_rbac.grant_role('globex', 'Bob', 'Viewer') AS bob;

-- Sanity: what tells who asks may run in parallel and below a security barrier, and is no constant
SELECT oid::regprocedure, provolatile, proparallel, proleakproof, prosecdef, has_function_privilege('public', oid, 'EXECUTE') AS open
  FROM pg_proc WHERE pronamespace = 'chat_rbac'::regnamespace AND proname IN ('current_org', 'current_member', 'current_roles', 'whoami', 'cache_stats')
 ORDER BY 1;
SELECT name, setting, context FROM pg_settings WHERE name LIKE 'chat\_rbac.%' ORDER BY name COLLATE "C";

--
-- Nobody, and somebody by the setting
--
SET ROLE regress_chat_rbac_plain;
SELECT * FROM chat_rbac.whoami();
SELECT chat_rbac.current_org(), chat_rbac.current_member(), chat_rbac.current_roles();
SET chat_rbac.identity = '10/2';  -- fail
SELECT set_config('chat_rbac.identity', '10/2', false);  -- fail
\echo :LAST_ERROR_SQLSTATE
ALTER ROLE regress_chat_rbac_plain SET chat_rbac.identity = '10/2';  -- fail
CREATE FUNCTION pg_temp.as_sue() RETURNS bigint LANGUAGE sql SET chat_rbac.identity = '10/2' AS 'SELECT chat_rbac.current_member()';  -- fail
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '10/2';
SELECT org_id, org, member_id, member, ARRAY(SELECT unnest(roles) ORDER BY 1) AS roles, source, status FROM chat_rbac.whoami();
SELECT chat_rbac.current_org(), chat_rbac.current_member(), ARRAY(SELECT unnest(chat_rbac.current_roles()) ORDER BY 1) AS current_roles;
-- an inactive member is shown, but may nothing; no such member is nobody
SET chat_rbac.identity = '10/3';
SELECT * FROM chat_rbac.whoami();
SELECT chat_rbac.current_org(), chat_rbac.current_member(), chat_rbac.current_roles();
SET chat_rbac.identity = '10/99';
SELECT * FROM chat_rbac.whoami();
SET chat_rbac.identity = '-10/9223372036854775807';
SELECT status FROM chat_rbac.whoami();
-- a member without a grant is somebody
SET chat_rbac.identity = '10/4';
SELECT * FROM chat_rbac.whoami();
-- the same number in two orgs is two people
SET chat_rbac.identity = '10/1';
SELECT member FROM chat_rbac.whoami();
SET chat_rbac.identity = '20/1';
SELECT member FROM chat_rbac.whoami();
-- the role that set it does not matter any more
SET ROLE regress_chat_rbac_plain;
SELECT member, source FROM chat_rbac.whoami();
RESET chat_rbac.identity;  -- fail
SHOW chat_rbac.identity;
SET ROLE regress_chat_rbac_app;
RESET chat_rbac.identity;
SELECT member, status FROM chat_rbac.whoami();

-- what is no identity
SET chat_rbac.identity = 'ada';  -- fail
\echo :LAST_ERROR_SQLSTATE
SET chat_rbac.identity = '10';  -- fail
SET chat_rbac.identity = '10/';  -- fail
SET chat_rbac.identity = '/2';  -- fail
SET chat_rbac.identity = '10/2/1';  -- fail
SET chat_rbac.identity = ' 10/2';  -- fail
SET chat_rbac.identity = '10/2 ';  -- fail
SET chat_rbac.identity = '+10/2';  -- fail
SET chat_rbac.identity = '10/0x2';  -- fail
SET chat_rbac.identity = '10/9223372036854775808';  -- fail
SET chat_rbac.identity = '10/2', '10/3';  -- fail
SET chat_rbac.identitty = '10/2';  -- fail
SELECT member, status FROM chat_rbac.whoami();

-- taken away: what is set stays until it is reset, and cannot be set again
SET chat_rbac.identity = '10/2';
RESET ROLE;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT member FROM chat_rbac.whoami();
SET chat_rbac.identity = '10/1';  -- fail
RESET ROLE;
RESET chat_rbac.identity;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;

--
-- It lives as long as settings do
--
SET ROLE regress_chat_rbac_app;
BEGIN;
SET LOCAL chat_rbac.identity = '10/2';
SELECT chat_rbac.current_member();
COMMIT;
SELECT chat_rbac.current_member();
BEGIN;
SET chat_rbac.identity = '10/2';
SELECT chat_rbac.current_member();
ROLLBACK;
SELECT chat_rbac.current_member();
-- savepoints, also after an error
BEGIN;
SET LOCAL chat_rbac.identity = '10/1';
SAVEPOINT a;
SET LOCAL chat_rbac.identity = '10/2';
SELECT chat_rbac.current_member();
ROLLBACK TO a;
SELECT chat_rbac.current_member();
SET LOCAL chat_rbac.identity = '10/2';
SELECT 1/0;  -- fail
ROLLBACK TO a;
SELECT chat_rbac.current_member();
SET LOCAL chat_rbac.identity = 'nonsense';  -- fail
ROLLBACK TO a;
SELECT chat_rbac.current_member();
COMMIT;
SELECT chat_rbac.current_member();
-- one transaction, two people
BEGIN;
SELECT set_config('chat_rbac.identity', v, true), chat_rbac.current_member() FROM unnest('{10/1,10/2,20/1}'::text[]) v;
COMMIT;
-- RESET ALL and DISCARD ALL
SET chat_rbac.identity = '10/2';
RESET ALL;
SELECT chat_rbac.current_member();
SET chat_rbac.identity = '10/2';
SET chat_rbac.active_roles = 'Agent';
RESET ROLE;
DISCARD ALL;
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.current_member(), current_setting('chat_rbac.active_roles') AS active_roles;

--
-- By login
--
-- a role that is not there is nobody's login
RESET ROLE;
UPDATE chat_rbac.member SET login = '4242424242' WHERE org_id = 10 AND member_id = 2;
SELECT login FROM chat_rbac.member WHERE org_id = 10 AND member_id = 2;
SET ROLE regress_chat_rbac_ada;
SELECT * FROM chat_rbac.whoami();
SET ROLE regress_chat_rbac_bob;
SELECT member, source, status FROM chat_rbac.whoami();
RESET ROLE;
SET SESSION AUTHORIZATION regress_chat_rbac_ada;
SELECT member, source, status FROM chat_rbac.whoami();
RESET SESSION AUTHORIZATION;
-- the setting goes before it, also when it names nobody
SET chat_rbac.identity = '10/2';
SET ROLE regress_chat_rbac_ada;
SELECT member, source, status FROM chat_rbac.whoami();
RESET ROLE;
SET chat_rbac.identity = '10/99';
SET ROLE regress_chat_rbac_ada;
SELECT member, source, status FROM chat_rbac.whoami();
RESET ROLE;
RESET chat_rbac.identity;
-- the owner of a SECURITY DEFINER function does not lend an identity
CREATE FUNCTION regress_whoami() RETURNS TABLE (db_user name, member text) LANGUAGE sql SECURITY DEFINER AS
  'SELECT current_user, member FROM chat_rbac.whoami()';
ALTER FUNCTION regress_whoami() OWNER TO regress_chat_rbac_ada;
SET ROLE regress_chat_rbac_plain;
SELECT * FROM regress_whoami();
SET ROLE regress_chat_rbac_bob;
SELECT * FROM regress_whoami();
RESET ROLE;
DROP FUNCTION regress_whoami();
-- a login taken away
UPDATE chat_rbac.member SET login = NULL WHERE name = 'Ada';
SET ROLE regress_chat_rbac_ada;
SELECT member, source, status FROM chat_rbac.whoami();
RESET ROLE;

--
-- Active roles narrow, and never widen
--
CREATE VIEW regress_may AS
  SELECT ARRAY(SELECT unnest(chat_rbac.current_roles()) ORDER BY 1) AS roles,
         chat_rbac.unit_scope('{conversation.delete}', 'all', 'team') AS delete_at,
         chat_rbac.unit_scope('{conversation.edit}', 'all', 'team') AS edit_at,
         chat_rbac.unit_scope('{conversation.view}', 'own', 'team') AS view_own_at,
         chat_rbac.org_scope('{task.view}', 'all') AS tasks_in;
GRANT SELECT ON regress_may TO PUBLIC;
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '10/2';
SELECT * FROM regress_may;
SET chat_rbac.active_roles = 'Manager';
SELECT * FROM regress_may;
-- roles that the granted one inherits, over one step and two
SET chat_rbac.active_roles = 'Supervisor';
SELECT * FROM regress_may;
SET chat_rbac.active_roles = 'Agent';
SELECT * FROM regress_may;
SET chat_rbac.active_roles = '"Night shift, ""late"""', 'Agent';
SHOW chat_rbac.active_roles;
SELECT * FROM regress_may;
SET chat_rbac.active_roles = '';
SELECT * FROM regress_may;
SET chat_rbac.active_roles TO DEFAULT;
-- whoever may not set the identity may still narrow it
SET ROLE regress_chat_rbac_plain;
SET chat_rbac.active_roles = 'Agent';
SELECT * FROM regress_may;
-- a role that is not granted: an error for every check, until it is mended
SET chat_rbac.active_roles = 'Admin';
SELECT * FROM regress_may;  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.current_org();  -- fail
SELECT * FROM chat_rbac.whoami();  -- fail
SET chat_rbac.active_roles = 'Agent, Nosuch';
SELECT * FROM regress_may;  -- fail
SET chat_rbac.active_roles = 'agent';
SELECT * FROM regress_may;  -- fail
RESET chat_rbac.active_roles;
SELECT roles FROM regress_may;
-- what is no list of names
SET chat_rbac.active_roles = 'a,,b';  -- fail
SELECT set_config('chat_rbac.active_roles', 'a b', false);  -- fail
SELECT set_config('chat_rbac.active_roles', '"a', false);  -- fail
-- SET LOCAL, and a role that is lost while it is the active one
SET ROLE regress_chat_rbac_app;
BEGIN;
SET LOCAL chat_rbac.active_roles = 'Agent';
SELECT roles FROM regress_may;
COMMIT;
SELECT roles FROM regress_may;
SET chat_rbac.active_roles = '"Night shift, ""late"""';
SELECT roles FROM regress_may;
RESET ROLE;
SELECT chat_rbac.revoke_role('acme', 'Sue', 'Night shift, "late"');
SELECT roles FROM regress_may;  -- fail
RESET chat_rbac.active_roles;
DROP VIEW regress_may;

-- Nobody, or inactive: the names of roles are not looked at
SET chat_rbac.active_roles = 'Nosuch';
SET chat_rbac.identity = '10/99';
SELECT * FROM chat_rbac.whoami();
SET chat_rbac.identity = '10/3';
SELECT * FROM chat_rbac.whoami();
RESET chat_rbac.active_roles;

--
-- Free text for the trail is for everybody
--
SET ROLE regress_chat_rbac_plain;
SET chat_rbac.request_id = 'GET /inbox #17';
SET chat_rbac.reason = 'customer asked';
SELECT current_setting('chat_rbac.request_id') AS request_id, current_setting('chat_rbac.reason') AS reason;
RESET chat_rbac.request_id;
RESET chat_rbac.reason;
SET chat_rbac.cache_entries = 10;  -- fail
RESET ROLE;

--
-- The cache, as far as it can be seen
--
SET chat_rbac.identity = '10/1';
SELECT member FROM chat_rbac.whoami();
SELECT * FROM chat_rbac.cache_stats() \gset before_
SELECT member FROM chat_rbac.whoami();
SELECT entries > 0 AS entries, bytes > 1000 AS bytes, hits - :before_hits AS hits, builds - :before_builds AS builds,
       evictions - :before_evictions AS evictions, generation - :before_generation AS generation FROM chat_rbac.cache_stats();
-- a change makes it build anew
UPDATE chat_rbac.member SET name = 'Ada L.' WHERE org_id = 10 AND member_id = 1;
SELECT member FROM chat_rbac.whoami();
SELECT builds - :before_builds AS builds, generation > :before_generation AS heard FROM chat_rbac.cache_stats();
-- it is bounded
SET chat_rbac.cache_entries = 2;
SELECT identity, set_config('chat_rbac.identity', identity, false) = identity AS now, chat_rbac.current_member() FROM unnest('{10/1,10/2,10/3,10/4,20/1}'::text[]) identity;
SELECT entries, evictions - :before_evictions >= 3 AS evicted FROM chat_rbac.cache_stats();
SET chat_rbac.cache_entries = 0;  -- fail
RESET chat_rbac.cache_entries;
RESET chat_rbac.identity;

-- Clean up
SET client_min_messages = warning;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_plain, regress_chat_rbac_ada, regress_chat_rbac_bob;

--
-- Tokens: keys, issuing, what one says, for how long it counts
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
\set SHOW_CONTEXT never
SELECT clock_timestamp() AS began \gset

CREATE ROLE regress_chat_rbac_app;      -- the application
CREATE ROLE regress_chat_rbac_login;    -- the login of its login service
SELECT chat_rbac.create_org('acme', 10);
SELECT chat_rbac.create_org('globex', 20);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 1, 'team', 'Support');
INSERT INTO chat_rbac.member (org_id, member_id, name, login, subject, active) VALUES
  (10, 1, 'Ada', NULL, 'auth|ada', true), (10, 2, 'Sue', NULL, NULL, true), (10, 3, 'Ina', NULL, 'auth|ina', false),
  (10, 4, 'Login', 'regress_chat_rbac_login', NULL, true), (20, 1, 'Bob', NULL, 'auth|bob', true), (20, 9, 'Zoe', NULL, NULL, true);
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (10, 'Login service', '{token.issue}'), (10, 'Head, "deputy"', '{task.view}');
SELECT count(chat_rbac.grant_role('acme', m, r, u))
  FROM (VALUES ('Ada', 'Admin', NULL), ('Sue', 'Manager', 'Support'), ('Sue', 'Head, "deputy"', NULL), ('Login', 'Login service', NULL)) AS g (m, r, u);

-- what the session is, in a word
CREATE FUNCTION pg_temp.me() RETURNS text LANGUAGE sql AS
  $$SELECT concat_ws(' ', coalesce(member, status), roles, source, 'of ' || round(extract(epoch FROM expires - statement_timestamp()) / 60) || ' min') FROM chat_rbac.whoami()$$;

--
-- Keys
--
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES ('a', 'HS256', 'too short');  -- fail
\echo :LAST_ERROR_SQLSTATE
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES ('a', 'none', sha256('x'));  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES ('a', 'hs256', sha256('x'));  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm) VALUES ('a', 'HS256');  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES ('a', NULL, sha256('x'));  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES (NULL, 'HS256', sha256('x'));  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES ('rsa', 'RS256', sha256('x'));  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm, public_key) VALUES ('rsa', 'RS256', 'no key');  -- fail
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret, subject_is) VALUES (10, 'a', 'HS256', sha256('a'), 'nobody');  -- fail
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (10, 'a"b', 'HS256', sha256('a'));  -- fail
INSERT INTO chat_rbac.signing_key (kid, algorithm, public_key, issues) VALUES ('rsa', 'RS256', 'no key', true);  -- fail
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (NULL, 'a', 'HS256', sha256('a'));
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (NULL, 'a', 'HS256', sha256('b'));  -- fail
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (10, 'a', 'HS256', sha256('b'));
UPDATE chat_rbac.signing_key SET secret = 'short';  -- fail
SELECT chat_rbac.signing_key_problem('HS256', sha256('x')), chat_rbac.signing_key_problem('ES256', 'x') IS NOT NULL AS es256, chat_rbac.signing_key_problem('none', 'x');
-- nobody reads them, whatever was granted
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT ON ALL TABLES IN SCHEMA chat_rbac TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT count(*) FROM chat_rbac.signing_key;
SELECT chat_rbac.create_signing_key('acme');  -- fail
RESET ROLE;
REVOKE ALL ON ALL TABLES IN SCHEMA chat_rbac FROM regress_chat_rbac_app;
REVOKE USAGE ON SCHEMA chat_rbac FROM regress_chat_rbac_app;
-- changes are on record, secrets are not
SELECT operation, actions, org_id, new ? 'secret' AS secret, new ->> 'kid' AS kid FROM chat_rbac.audit_event WHERE relation = 'chat_rbac.signing_key'::regclass AND operation = 'insert' AND new ->> 'kid' = 'a' ORDER BY event_id;
DELETE FROM chat_rbac.signing_key;

--
-- Issuing
--
SET ROLE regress_chat_rbac_login;
SELECT pg_temp.me();
SELECT chat_rbac.issue_token(2);  -- fail: no key
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
-- one that others trust too is none
INSERT INTO chat_rbac.signing_key (kid, algorithm, secret) VALUES ('provider', 'HS256', sha256('provider'));
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.issue_token(2);  -- fail
RESET ROLE;
DELETE FROM chat_rbac.signing_key;
SELECT chat_rbac.create_signing_key('nobody');  -- fail
SELECT chat_rbac.create_signing_key('acme') ~ '^[0-9a-f-]{36}$' AS kid;
UPDATE chat_rbac.signing_key SET kid = 'k1';
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.issue_token(1) AS ada, chat_rbac.issue_token(2, '1 hour') AS sue, chat_rbac.issue_token(2, roles => '{Agent}') AS agent,
       chat_rbac.issue_token(2, roles => '{Manager,"Head, \"deputy\""}') AS both, chat_rbac.issue_token(2, roles => '{}') AS nothing \gset
SELECT chat_rbac.issue_token(NULL);  -- fail
SELECT chat_rbac.issue_token(1, NULL);  -- fail
SELECT chat_rbac.issue_token(1, '0');  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.issue_token(1, '-1 s');  -- fail
SELECT chat_rbac.issue_token(1, '31 days');  -- fail
SELECT chat_rbac.issue_token(1, '100000000 years');  -- fail
SELECT chat_rbac.issue_token(9);  -- fail: another org's
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.issue_token(3);  -- fail: not active
SELECT chat_rbac.issue_token(2, roles => '{Manager,Admin}');  -- fail: not granted
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.issue_token(2, roles => '{NULL}');  -- fail
-- who does not hold the right, or not in the whole org
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.issue_token(2);  -- fail
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
UPDATE chat_rbac.role_grant SET unit_id = 1 WHERE member_id = 4;
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.issue_token(2);  -- fail
RESET ROLE;
UPDATE chat_rbac.role_grant SET unit_id = NULL WHERE member_id = 4;
UPDATE chat_rbac.role SET permissions = '{token.issue@own}' WHERE name = 'Login service';
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.issue_token(2);  -- fail
RESET ROLE;
UPDATE chat_rbac.role SET permissions = '{token.issue}' WHERE name = 'Login service';
-- a token does not beget one that outlives it
RESET ROLE;
UPDATE chat_rbac.role SET permissions = '{token.issue}' WHERE org_id = 10 AND name = 'Head, "deputy"';
SET chat_rbac.token = :'sue';
SELECT chat_rbac.issue_token(1, '10 minutes') IS NOT NULL AS issued;
SELECT chat_rbac.issue_token(1, '2 hours');  -- fail
RESET chat_rbac.token;
UPDATE chat_rbac.role SET permissions = '{task.view}' WHERE org_id = 10 AND name = 'Head, "deputy"';
-- on record
SELECT actor_name, operation, actions, table_name, row_key, new - 'kid' - 'expires' AS new FROM chat_rbac.audit_event WHERE at >= :'began' AND operation = 'issue' ORDER BY event_id;
SELECT who, did, what FROM chat_rbac.activity WHERE at >= :'began' AND did ~ 'token' ORDER BY event_id LIMIT 1;

--
-- Who asks
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.token = :'ada';
SELECT pg_temp.me();
SHOW chat_rbac.token;
SELECT current_setting('chat_rbac.token'), set_config('chat_rbac.token', :'ada', false);
SELECT count(*) FROM pg_settings WHERE name = 'chat_rbac.token';
SET chat_rbac.token = :'sue';
SELECT pg_temp.me();
-- narrowed by the token, and within that by the session
SET chat_rbac.token = :'agent';
SELECT pg_temp.me(), chat_rbac.can('conversation.supervise'), chat_rbac.can('conversation.claim');
SET chat_rbac.active_roles = 'Supervisor';
SELECT pg_temp.me();  -- fail
SET chat_rbac.token = :'both';
SELECT pg_temp.me();
SET chat_rbac.active_roles = '"Head, ""deputy"""';
SELECT pg_temp.me(), chat_rbac.can('task.view'), chat_rbac.can('conversation.view');
RESET chat_rbac.active_roles;
SELECT pg_temp.me(), chat_rbac.can('task.view'), chat_rbac.can('conversation.view');
SET chat_rbac.token = :'nothing';
SELECT pg_temp.me(), chat_rbac.can('task.view'), chat_rbac.can('conversation.view');
-- a token that cannot be valid is an error for whoever looks, in one way
SET chat_rbac.token = 'nonsense';
SELECT pg_temp.me();  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.current_org();  -- fail
SELECT chat_rbac.can('task.view');  -- fail
SELECT set_config('chat_rbac.token', left(:'ada', -1), false);
SELECT chat_rbac.current_member();  -- fail
SELECT set_config('chat_rbac.token', :'ada' || 'A', false);
SELECT chat_rbac.current_member();  -- fail
-- "roles" may be about something else
RESET chat_rbac.token;
RESET ROLE;
UPDATE chat_rbac.signing_key SET roles_narrow = false;
SET chat_rbac.token = :'agent';
SELECT pg_temp.me();
RESET chat_rbac.token;
UPDATE chat_rbac.signing_key SET roles_narrow = true;
SET chat_rbac.token = 'nonsense';
-- it is no way to be nobody, or somebody by login
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.current_member();  -- fail
RESET chat_rbac.token;
SELECT pg_temp.me();
-- token beats identity beats login
RESET ROLE;
SET chat_rbac.identity = '20/1';
SET ROLE regress_chat_rbac_login;
SELECT pg_temp.me();
SET chat_rbac.token = :'ada';
SELECT pg_temp.me();
RESET chat_rbac.token;
SELECT pg_temp.me();
RESET ROLE;
RESET chat_rbac.identity;
-- in transactions
SET ROLE regress_chat_rbac_app;
BEGIN;
SET LOCAL chat_rbac.token = :'ada';
SAVEPOINT a;
SET LOCAL chat_rbac.token = :'sue';
SELECT pg_temp.me();
ROLLBACK TO a;
SELECT pg_temp.me();
SET LOCAL chat_rbac.token = 'nonsense';
SELECT chat_rbac.current_member();  -- fail
ROLLBACK TO a;
SELECT pg_temp.me();
COMMIT;
SELECT pg_temp.me();
-- one plan, two people
PREPARE who AS SELECT chat_rbac.current_member() AS who;
SET chat_rbac.token = :'ada';
EXECUTE who;
SET chat_rbac.token = :'sue';
EXECUTE who;
RESET chat_rbac.token;
EXECUTE who;

--
-- Revoking
--
SET chat_rbac.token = :'sue';
SELECT chat_rbac.revoke_tokens(1);  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.revoke_tokens(2) IS NOT NULL AS done;
SELECT pg_temp.me();  -- fail
SET chat_rbac.token = :'ada';
SELECT chat_rbac.revoke_tokens(9);  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT pg_temp.me();
RESET chat_rbac.token;
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.issue_token(2, '1 hour') AS sue \gset
RESET ROLE;
\set look 'BEGIN; SET LOCAL chat_rbac.token = ' :'sue' '; SELECT pg_temp.me(); ROLLBACK;'
:look
UPDATE chat_rbac.member SET active = false WHERE org_id = 10 AND member_id = 2;
:look  -- fail
UPDATE chat_rbac.member SET active = true WHERE org_id = 10 AND member_id = 2;
:look
UPDATE chat_rbac.signing_key SET retired = now();
:look  -- fail
UPDATE chat_rbac.signing_key SET retired = NULL, not_before = now() + '1 hour';
:look  -- fail
UPDATE chat_rbac.signing_key SET not_before = NULL, org_id = 20;
:look  -- fail: another org's key
UPDATE chat_rbac.signing_key SET org_id = NULL;
:look
UPDATE chat_rbac.signing_key SET org_id = 10, audience = 'somebody';
:look  -- fail
UPDATE chat_rbac.signing_key SET audience = NULL, issuer = 'somebody';
:look  -- fail
-- a key does not change; another one of the same name is another
UPDATE chat_rbac.signing_key SET issuer = NULL, secret = sha256('another');  -- fail
DELETE FROM chat_rbac.signing_key;
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret, issues, subject_is) VALUES (10, 'k1', 'HS256', sha256('another'), true, 'member_id');
:look  -- fail
-- by a key whose tokens name a subject
UPDATE chat_rbac.signing_key SET subject_is = 'subject', issuer = 'chat', audience = 'inbox';
SET ROLE regress_chat_rbac_login;
SELECT chat_rbac.issue_token(2);  -- fail
\echo :LAST_ERROR_SQLSTATE
SELECT chat_rbac.issue_token(1) AS ada \gset
SET ROLE regress_chat_rbac_app;
SET chat_rbac.token = :'ada';
SELECT pg_temp.me();
SELECT convert_from(decode(translate(p, '-_', '+/') || repeat('=', -length(p) & 3), 'base64'), 'UTF8')::jsonb - 'iat' - 'exp' AS claims FROM split_part(:'ada', '.', 2) AS p;
RESET ROLE;
-- a signature is checked once, and again when the keys have changed
SELECT verifications AS before FROM chat_rbac.cache_stats() \gset
SELECT pg_temp.me();
UPDATE chat_rbac.member SET name = 'Ada L.' WHERE org_id = 10 AND member_id = 1;
SELECT pg_temp.me();
SELECT verifications - :before AS checked FROM chat_rbac.cache_stats();
UPDATE chat_rbac.signing_key SET not_before = now() - interval '1 hour';
SELECT pg_temp.me();
SELECT verifications - :before AS checked FROM chat_rbac.cache_stats();
RESET chat_rbac.token;

--
-- For how long a setting counts
--
SELECT set_config('chat_rbac.identity', :'ada', false);  -- fail, without showing it
SET chat_rbac.identity_lifetime = 'for ever';  -- fail
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity_lifetime = transaction;  -- fail
RESET ROLE;
SET chat_rbac.token = :'ada';
SET chat_rbac.identity = '20/1';
SET chat_rbac.identity_lifetime = transaction;
SELECT pg_temp.me();
SELECT lifetime FROM chat_rbac.whoami();
BEGIN;
SELECT pg_temp.me();
SET LOCAL chat_rbac.identity = '10/2';
SELECT pg_temp.me();
SAVEPOINT a;
SET chat_rbac.token = :'ada';
SELECT pg_temp.me();
ROLLBACK TO a;
SELECT pg_temp.me();
SET chat_rbac.identity = '10/1';
SELECT pg_temp.me();
COMMIT;
SELECT pg_temp.me();
SHOW chat_rbac.identity;
-- alone it is a transaction of its own
SELECT set_config('chat_rbac.identity', '10/1', false), pg_temp.me();
SELECT pg_temp.me();
-- in a procedure that commits
DO $$
BEGIN
	PERFORM set_config('chat_rbac.identity', '10/1', false);
	RAISE NOTICE '%', pg_temp.me();
	COMMIT;
	RAISE NOTICE '%', pg_temp.me();
END
$$;
-- and so is what narrows it, unless it came with the connection
BEGIN;
SET chat_rbac.identity = '10/2';
SET chat_rbac.active_roles = 'Supervisor';
SELECT pg_temp.me();
COMMIT;
BEGIN;
SET LOCAL chat_rbac.identity = '10/2';
SELECT pg_temp.me();
COMMIT;
SHOW chat_rbac.active_roles;
RESET chat_rbac.active_roles;
-- what is said of a deed is of its transaction too
BEGIN;
SET chat_rbac.reason = 'the first client''s';
SET LOCAL chat_rbac.request_id = 'r1';
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 7, 'team', 'A');
COMMIT;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 8, 'team', 'B');
SELECT row_key, reason, request_id FROM chat_rbac.audit_event WHERE relation = 'chat_rbac.unit'::regclass AND row_key IN ('7', '8') AND at >= :'began' ORDER BY event_id;
SET chat_rbac.identity_lifetime = session;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (10, 9, 'team', 'C');
SELECT row_key, reason, request_id FROM chat_rbac.audit_event WHERE relation = 'chat_rbac.unit'::regclass AND row_key = '9' AND at >= :'began';
RESET chat_rbac.token;
SELECT pg_temp.me();
RESET chat_rbac.identity;
RESET chat_rbac.reason;

SET client_min_messages = warning;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP ROLE regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_login;

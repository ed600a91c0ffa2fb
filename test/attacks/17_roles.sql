--
-- SET ROLE, SET SESSION AUTHORIZATION, RESET, in sessions of the attacker's own, which
-- a superuser has not opened; and identities by login.  A role gives its privileges,
-- and not the person of who logs in by it but where SET ROLE says so.
--
SELECT plan(36);
SET client_min_messages = error;

CREATE ROLE attack_17_sam LOGIN;
CREATE ROLE attack_17_ada LOGIN;
CREATE ROLE attack_17_group;
GRANT USAGE ON SCHEMA inbox TO attack_17_sam, attack_17_ada, attack_17_group;
GRANT SELECT, UPDATE ON inbox.conversation, inbox.message, inbox.customer TO attack_17_sam, attack_17_ada, attack_17_group;
UPDATE chat_rbac.member SET login = 'attack_17_sam' WHERE (org_id, member_id) = (1, 8);
UPDATE chat_rbac.member SET login = 'attack_17_ada' WHERE (org_id, member_id) = (1, 2);
INSERT INTO lab.person VALUES ('nobody', NULL, NULL, NULL, NULL, '');

-- what the attacker, with a token of Ali's, may not become
SELECT ok(lab.remote('Ali', s) ~ '^ERROR (42501|22023)', 'refused: ' || s) FROM unnest('{
"SET ROLE postgres","SET ROLE attack_owner","SET ROLE attack_bi","SET ROLE attack_17_ada","SET SESSION AUTHORIZATION postgres","SET SESSION AUTHORIZATION attack_17_ada","SET LOCAL ROLE attack_owner",
"SELECT set_config(''role'', ''attack_owner'', false)","SELECT set_config(''session_authorization'', ''attack_17_ada'', false)","GRANT attack_owner TO attack_app","ALTER ROLE attack_app BYPASSRLS","ALTER ROLE attack_app SUPERUSER",
"CREATE ROLE attack_17_new BYPASSRLS","SET chat_rbac.identity = ''1/1''","SELECT set_config(''chat_rbac.identity'', ''1/1'', true)","SET LOCAL chat_rbac.identity = ''2/1''","ALTER ROLE attack_app SET chat_rbac.identity = ''1/1''",
"ALTER DATABASE attack_17 SET chat_rbac.identity = ''1/1''","GRANT SET ON PARAMETER chat_rbac.identity TO attack_app","SET chat_rbac.identity_lifetime = session","SET session_replication_role = replica","SET session_preload_libraries = ''''"}'::text[]) AS s;
SELECT is(lab.remote('Ali', 'SELECT member, source FROM chat_rbac.whoami()'), E'(Ali,chat_rbac.token)\n', 'the session is what it was');
SELECT lab.remote('Ali', s) IS NOT NULL FROM unnest('{"RESET ROLE","RESET SESSION AUTHORIZATION","SET ROLE NONE","SET SESSION AUTHORIZATION DEFAULT","SET ROLE attack_app"}'::text[]) AS s \g /dev/null
SELECT is(lab.remote('Ali', 'SELECT member, source, session_user, current_user FROM chat_rbac.whoami()'), E'(Ali,chat_rbac.token,attack_app,attack_app)\n', 'also after all ways to reset it');
SELECT lab.remote('Ali', 'RESET ALL') \g /dev/null
SELECT is(lab.remote('Ali', 'SELECT body FROM inbox.message'), '', 'RESET ALL takes the token away, and leaves nobody');

-- logins: the session user, or what SET ROLE made of it
SELECT is(lab.remote('nobody', 'SELECT member, source FROM chat_rbac.whoami()', 'attack_17_sam'), E'(Sam,"login attack_17_sam")\n', 'a login is its member');
SELECT is(lab.hidden('Sam', lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam')), '{}', 'and sees what is theirs');
SELECT ok(lab.remote('nobody', 'SET ROLE attack_17_ada', 'attack_17_sam') ~ '^ERROR 42501', 'a login cannot become another');
GRANT attack_17_group TO attack_17_sam;
SELECT lab.remote('nobody', 'SET ROLE attack_17_group', 'attack_17_sam') \g /dev/null
SELECT is(lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam'), '', 'SET ROLE to a role that is no member is nobody');
SELECT lab.remote('nobody', 'RESET ROLE', 'attack_17_sam') \g /dev/null
GRANT attack_17_ada TO attack_17_sam;
SELECT lab.remote('nobody', 'SET ROLE attack_17_ada', 'attack_17_sam') \g /dev/null
SELECT ok(lab.hidden('Sam', lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam')) <> '{}', 'who is granted a member''s login with SET ROLE can be that member: that is what such a GRANT says');
SELECT lab.remote('nobody', 'SET LOCAL ROLE attack_17_sam', 'attack_17_sam') \g /dev/null
-- a role inherited is no person
SELECT lab.remote('nobody', 'RESET ROLE', 'attack_17_sam') \g /dev/null
SELECT is(lab.hidden('Sam', lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam')), '{}', 'to be in such a role is not to be its member');
-- a login taken away, renamed and made anew, in the open session
UPDATE chat_rbac.member SET login = NULL WHERE (org_id, member_id) = (1, 8);
SELECT is(lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam'), '', 'a login taken away counts at once');
UPDATE chat_rbac.member SET login = 'attack_17_sam' WHERE (org_id, member_id) = (1, 8);
ALTER ROLE attack_17_ada RENAME TO attack_17_eva;
SELECT is(lab.remote('nobody', 'SELECT member FROM chat_rbac.whoami()', 'attack_17_sam'), E'(Sam)\n', 'a rename of another login makes nobody somebody else');
-- transactions: a role set in one that ends badly
SELECT is(lab.remote('nobody', 'DO $d$ BEGIN SET LOCAL ROLE attack_17_eva; RAISE EXCEPTION ''x''; EXCEPTION WHEN OTHERS THEN IF current_user <> ''attack_17_sam'' THEN RAISE; END IF; END $d$', 'attack_17_sam') ~ '^ERROR', false, 'a role set in a block that fails is not kept');
SELECT is(lab.hidden('Sam', lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam')), '{}', 'nor what it saw');
-- a login with a token: the token wins, also a bad one
SELECT ok(lab.remote('nobody', 'SET chat_rbac.token = ''a.b.c''', 'attack_17_sam') IS NOT NULL AND lab.remote('nobody', 'SELECT body FROM inbox.message', 'attack_17_sam') ~ '^ERROR 28000', 'a bad token is an error, not a login');

SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();
UPDATE chat_rbac.member SET login = NULL;
DROP OWNED BY attack_17_sam, attack_17_eva, attack_17_group;
DROP ROLE attack_17_sam, attack_17_eva, attack_17_group;

-- demo/4_sign_in.sql: a service that signs people in, and an application that is not
-- trusted to say for whom it asks.

-- The key, and the service's one right: to issue tokens that are signed with it.
SELECT chat_rbac.create_signing_key('acme');
CREATE ROLE inbox_sign_in LOGIN;
INSERT INTO chat_rbac.member (org_id, member_id, name, login) VALUES (1, 18, 'Sign-in', 'inbox_sign_in');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Sign-in', '{token.issue}');
SELECT chat_rbac.grant_role('acme', 'Sign-in', 'Sign-in');

-- The application's database role.  It shows a token, in each transaction, because its
-- connections are pooled.
CREATE ROLE inbox_web LOGIN;
GRANT USAGE ON SCHEMA inbox TO inbox_web;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO inbox_web;
ALTER ROLE inbox_web SET chat_rbac.identity_lifetime = 'transaction';

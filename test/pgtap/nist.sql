--
-- INCITS 359, function by function: every row of doc/nist.md, by the
-- precondition and the postcondition that the standard gives.
--
\set nist `cat doc/nist.md`
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL search_path = public, chat_rbac;
SELECT no_plan();

CREATE SCHEMA nist;
CREATE TABLE nist.documented AS
SELECT m[1] AS part, m[2] AS function FROM regexp_matches(:'nist', '^\| (Core|Hierarchical|SSD|DSD) \| (\w+) \|', 'gn') AS m;
CREATE TABLE nist.tested (part text, function text, pre boolean);

-- What a test is of: a description, noted
CREATE FUNCTION nist.noted(part text, function text, pre boolean, words text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO nist.tested VALUES (part, function, pre);
    SELECT format('%s %s: %s: %s', part, function, CASE WHEN pre THEN 'valid only if' ELSE 'then' END, words);
$$;
CREATE FUNCTION nist.pre(part text, function text, words text) RETURNS text LANGUAGE sql AS $$ SELECT nist.noted(part, function, true, words) $$;
CREATE FUNCTION nist.post(part text, function text, words text) RETURNS text LANGUAGE sql AS $$ SELECT nist.noted(part, function, false, words) $$;

-- How many rows a command changes; it is done all the same
CREATE FUNCTION nist.changes(command text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE command;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END $$;
-- A session: whose, and with which active roles; '' is what RESET makes it
CREATE FUNCTION nist.session(who text, active text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('chat_rbac.identity', who, true), set_config('chat_rbac.active_roles', active, true);
    RETURN (SELECT status FROM chat_rbac.whoami());
END $$;
-- The same that many are not able to begin
CREATE FUNCTION nist.attempt(who text, active text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    status text;
BEGIN
    status := nist.session(who, active);
    PERFORM nist.session('');
    RETURN status;
END $$;

INSERT INTO org VALUES (1, 'acme');
INSERT INTO role (org_id, role_id, name, permissions) VALUES (1, 1, 'Buyer', '{lead.create}'), (1, 2, 'Approver', '{lead.edit, lead.view@own}'), (1, 3, 'Payer', '{lead.delete}');
INSERT INTO member (org_id, member_id, name) VALUES (1, 1, 'Ann'), (1, 2, 'Bob'), (1, 3, 'Cas');

--
-- Core: administrative commands
--
SELECT lives_ok($$INSERT INTO member (org_id, member_id, name) VALUES (1, 9, 'Dan')$$, nist.pre('Core', 'AddUser', 'the new user is not already a member of the USERS data set'));
SELECT throws_ok($$INSERT INTO member (org_id, member_id, name) VALUES (1, 9, 'Dan')$$, '23505', NULL, nist.pre('Core', 'AddUser', 'the new user is not already one: refused'));
SELECT results_eq($$SELECT name FROM member WHERE org_id = 1 AND member_id = 9$$, $$VALUES ('Dan')$$, nist.post('Core', 'AddUser', 'the USERS data set is updated'));
SELECT is((SELECT count(*) FROM assigned_roles('acme', 'Dan')), 0::bigint, nist.post('Core', 'AddUser', 'the new user is assigned to no role'));
SELECT is(nist.session('1/9'), 'active', nist.post('Core', 'AddUser', 'a session of the user can begin'));
SELECT is(current_roles(), '{}', nist.post('Core', 'AddUser', 'which has no role, as the new user owned no session'));

SELECT is(nist.changes($$DELETE FROM member WHERE org_id = 1 AND name = 'Nobody'$$), 0::bigint, nist.pre('Core', 'DeleteUser', 'the user is a member of the USERS data set: else nothing happens'));
SELECT grant_role('acme', 'Dan', 'Buyer');
SELECT is(current_roles(), '{Buyer}', 'Dan has a session in which a role is active');
SELECT is(nist.changes($$DELETE FROM member WHERE org_id = 1 AND name = 'Dan'$$), 1::bigint, nist.pre('Core', 'DeleteUser', 'the user is a member of the USERS data set'));
SELECT is_empty($$SELECT FROM member WHERE org_id = 1 AND member_id = 9$$, nist.post('Core', 'DeleteUser', 'the USERS data set is updated'));
SELECT is_empty($$SELECT FROM assigned_users('acme', 'Buyer')$$, nist.post('Core', 'DeleteUser', 'UA and assigned_users are updated'));
SELECT results_eq($$SELECT status, chat_rbac.can('lead.create') FROM whoami()$$, $$VALUES ('nobody', false)$$, nist.post('Core', 'DeleteUser', 'of the sessions of the user nothing is left but nobody''s'));
SELECT nist.session('');

SELECT lives_ok($$INSERT INTO role (org_id, role_id, name, permissions) VALUES (1, 9, 'Tester', '{}')$$, nist.pre('Core', 'AddRole', 'the new role is not already a member of the ROLES data set'));
SELECT throws_ok($$INSERT INTO role (org_id, name) VALUES (1, 'Tester')$$, '23505', NULL, nist.pre('Core', 'AddRole', 'the new role is not already one: refused'));
SELECT is_empty($$SELECT FROM assigned_users('acme', 'Tester')$$, nist.post('Core', 'AddRole', 'initially no user is assigned to the new role'));
SELECT is_empty($$SELECT unnest(permissions) FROM role WHERE org_id = 1 AND name = 'Tester'$$, nist.post('Core', 'AddRole', 'nor any permission'));

SELECT is(nist.changes($$DELETE FROM role WHERE org_id = 1 AND name = 'No role'$$), 0::bigint, nist.pre('Core', 'DeleteRole', 'the role is a member of the ROLES data set: else nothing happens'));
SELECT grant_role('acme', 'Ann', 'Tester');
SELECT throws_ok($$DELETE FROM role WHERE org_id = 1 AND name = 'Tester'$$, '23503', NULL, nist.pre('Core', 'DeleteRole', 'and, here, nobody is assigned to it'));
SELECT revoke_role('acme', 'Ann', 'Tester');
SELECT is(nist.changes($$DELETE FROM role WHERE org_id = 1 AND name = 'Tester'$$), 1::bigint, nist.pre('Core', 'DeleteRole', 'the role is a member of the ROLES data set'));
SELECT throws_ok($$SELECT assigned_users('acme', 'Tester')$$, '42704', NULL, nist.post('Core', 'DeleteRole', 'the ROLES data set is updated'));
SELECT throws_ok($$SELECT nist.attempt('1/1', 'Tester')$$, '0P000', NULL, nist.post('Core', 'DeleteRole', 'it is active in no session'));

SELECT throws_ok($$SELECT grant_role('acme', 'Zoe', 'Buyer')$$, '42704', NULL, nist.pre('Core', 'AssignUser', 'the user is a member of the USERS data set'));
SELECT throws_ok($$SELECT grant_role('acme', 'Ann', 'Seller')$$, '42704', NULL, nist.pre('Core', 'AssignUser', 'the role is a member of the ROLES data set'));
SELECT lives_ok($$SELECT grant_role('acme', 'Ann', 'Buyer')$$, nist.pre('Core', 'AssignUser', 'both, and the user is not already assigned to the role'));
SELECT results_eq($$SELECT member FROM assigned_users('acme', 'Buyer')$$, $$VALUES ('Ann')$$, nist.post('Core', 'AssignUser', 'UA and assigned_users reflect the assignment'));
SELECT lives_ok($$SELECT grant_role('acme', 'Ann', 'Buyer')$$, nist.pre('Core', 'AssignUser', 'where already assigned, here the user is assigned a second time'));

SELECT throws_ok($$SELECT revoke_role('acme', 'Zoe', 'Buyer')$$, '42704', NULL, nist.pre('Core', 'DeassignUser', 'the user is a member of the USERS data set'));
SELECT throws_ok($$SELECT revoke_role('acme', 'Ann', 'Seller')$$, '42704', NULL, nist.pre('Core', 'DeassignUser', 'the role is a member of the ROLES data set'));
SELECT throws_ok($$SELECT revoke_role('acme', 'Ann', 'Payer')$$, '42704', NULL, nist.pre('Core', 'DeassignUser', 'the user is assigned to the role'));
SELECT is(revoke_role('acme', 'Ann', 'Buyer'), 2::bigint, nist.pre('Core', 'DeassignUser', 'all of these'));
SELECT is_empty($$SELECT FROM assigned_users('acme', 'Buyer')$$, nist.post('Core', 'DeassignUser', 'UA and assigned_users reflect it'));

SELECT throws_ok($$UPDATE role SET permissions = permissions + 'lead.juggle'::permission WHERE org_id = 1 AND name = 'Buyer'$$, '42704', NULL,
    nist.pre('Core', 'GrantPermission', 'the pair (operation, object) represents a permission'));
SELECT is(nist.changes($$UPDATE role SET permissions = permissions + 'lead.view'::permission WHERE org_id = 1 AND name = 'Seller'$$), 0::bigint,
    nist.pre('Core', 'GrantPermission', 'the role is a member of the ROLES data set: else nothing happens'));
SELECT is(nist.changes($$UPDATE role SET permissions = permissions + 'lead.view'::permission WHERE org_id = 1 AND name = 'Buyer'$$), 1::bigint, nist.pre('Core', 'GrantPermission', 'both'));
SELECT results_eq($$SELECT permission::text FROM role_permissions('acme', 'Buyer')$$, $$VALUES ('lead.create'), ('lead.view')$$, nist.post('Core', 'GrantPermission', 'PA and assigned_permissions reflect it'));

SELECT lives_ok($$UPDATE role SET permissions = permissions - 'lead.delete'::permission WHERE org_id = 1 AND name = 'Buyer'$$,
    nist.pre('Core', 'RevokePermission', 'the permission is assigned to the role: else nothing is taken'));
SELECT results_eq($$SELECT permission::text FROM role_permissions('acme', 'Buyer')$$, $$VALUES ('lead.create'), ('lead.view')$$, nist.post('Core', 'RevokePermission', 'as it was, where it was not assigned'));
SELECT lives_ok($$UPDATE role SET permissions = permissions - 'lead.view'::permission WHERE org_id = 1 AND name = 'Buyer'$$, nist.pre('Core', 'RevokePermission', 'the permission is assigned to the role'));
SELECT results_eq($$SELECT permission::text FROM role_permissions('acme', 'Buyer')$$, $$VALUES ('lead.create')$$, nist.post('Core', 'RevokePermission', 'PA and assigned_permissions reflect it'));

--
-- Core: supporting system functions
--
SELECT grant_role('acme', 'Ann', 'Buyer'), grant_role('acme', 'Ann', 'Approver'), grant_role('acme', 'Bob', 'Payer');
SELECT is(nist.session('1/77', ''), 'nobody', nist.pre('Core', 'CreateSession', 'the user is a member of the USERS data set: else the session is nobody''s'));
SELECT ok(NOT chat_rbac.can('lead.create'), nist.pre('Core', 'CreateSession', 'and may do nothing'));
SELECT throws_ok($$SELECT nist.attempt('1/1', 'Buyer, Payer')$$, '0P000', NULL, nist.pre('Core', 'CreateSession', 'the active role set is a subset of the roles assigned to that user'));
SELECT is(nist.session('1/1', 'Buyer'), 'active', nist.pre('Core', 'CreateSession', 'both'));
SELECT results_eq($$SELECT member, roles FROM whoami()$$, $$VALUES ('Ann', '{Buyer}'::text[])$$, nist.post('Core', 'CreateSession', 'the session is owned by the user and has the active role set'));

SELECT throws_ok($$SELECT set_config('chat_rbac.active_roles', 'Buyer, Payer', true), chat_rbac.can('lead.create')$$, '0P000', NULL, nist.pre('Core', 'AddActiveRole', 'the role is assigned to the user'));
SELECT throws_ok($$SELECT set_config('chat_rbac.active_roles', 'Buyer, Seller', true), chat_rbac.can('lead.create')$$, '0P000', NULL, nist.pre('Core', 'AddActiveRole', 'the role is a member of the ROLES data set'));
SELECT is(current_roles(), '{Buyer}', nist.post('Core', 'AddActiveRole', 'where it is not valid the session stays as it was'));
SELECT lives_ok($$SELECT set_config('chat_rbac.active_roles', 'Buyer, Approver', true), chat_rbac.can('lead.create')$$, nist.pre('Core', 'AddActiveRole', 'both, and the session is owned by that user'));
SELECT results_eq($$SELECT role FROM session_roles()$$, $$VALUES ('Approver'), ('Buyer')$$, nist.post('Core', 'AddActiveRole', 'the role is among the active roles of the session'));
SELECT is(chat_rbac.can('lead.edit'), true, nist.post('Core', 'AddActiveRole', 'and so are its permissions'));

SELECT throws_ok($$SELECT set_config('chat_rbac.active_roles', 'Buyer, Payer', true), chat_rbac.can('lead.create')$$, '0P000', NULL, nist.pre('Core', 'DropActiveRole', 'the roles that stay are active roles of that session'));
SELECT lives_ok($$SELECT set_config('chat_rbac.active_roles', 'Buyer', true), chat_rbac.can('lead.create')$$, nist.pre('Core', 'DropActiveRole', 'the role is an active role of that session'));
SELECT results_eq($$SELECT role FROM session_roles()$$, $$VALUES ('Buyer')$$, nist.post('Core', 'DropActiveRole', 'it is not among the active roles any more'));
SELECT is(chat_rbac.can('lead.edit'), false, nist.post('Core', 'DropActiveRole', 'nor are its permissions'));

SELECT is(chat_rbac.can('lead.create'), true, nist.post('Core', 'CheckAccess', 'yes where the permission is assigned to one of the session''s active roles'));
SELECT is(chat_rbac.can('lead.edit'), false, nist.post('Core', 'CheckAccess', 'no where it is assigned to a role of the user that is not active'));
SELECT is(chat_rbac.can('lead.delete'), false, nist.post('Core', 'CheckAccess', 'no where it is assigned to no role of the user'));
SELECT is(chat_rbac.can('lead.juggle'), false, nist.pre('Core', 'CheckAccess', 'operation and object are members of OPS and OBJS: else no'));
SELECT throws_ok($$SELECT chat_rbac.can('juggle')$$, '22P02', NULL, nist.pre('Core', 'CheckAccess', 'they are an operation and an object'));
-- on an object that is a row
CREATE TABLE nist.lead (org_id bigint, id bigint, owner_id bigint, PRIMARY KEY (org_id, id));
INSERT INTO nist.lead VALUES (1, 1, 1), (1, 2, 2);
SELECT protect('nist.lead', '{"resource": "lead", "org": "org_id", "relations": {"own": {"owner_id": "$member"}}}');
SELECT nist.session('1/1', 'Approver');
SELECT is(ARRAY[chat_rbac.can('lead.view', 'nist.lead', 1), chat_rbac.can('lead.view', 'nist.lead', 2)], '{t,f}', nist.post('Core', 'CheckAccess', 'also of one row, by the relation to it'));

SELECT is(nist.session('1/1', 'Approver'), 'active', nist.pre('Core', 'DeleteSession', 'the session is owned by the user'));
SELECT is(nist.session(''), 'nobody', nist.post('Core', 'DeleteSession', 'the session is not the user''s any more'));
SELECT results_eq($$SELECT chat_rbac.can('lead.create'), chat_rbac.can('lead.edit'), current_roles()$$, $$VALUES (false, false, NULL::text[])$$, nist.post('Core', 'DeleteSession', 'and has no active role'));

--
-- Core: review
--
SELECT throws_ok($$SELECT assigned_users('acme', 'Seller')$$, '42704', NULL, nist.pre('Core', 'AssignedUsers', 'the role is a member of the ROLES data set'));
SELECT results_eq($$SELECT member FROM assigned_users('acme', 'Payer')$$, $$VALUES ('Bob')$$, nist.post('Core', 'AssignedUsers', 'the set of users assigned to a given role'));
SELECT throws_ok($$SELECT assigned_roles('acme', 'Zoe')$$, '42704', NULL, nist.pre('Core', 'AssignedRoles', 'the user is a member of the USERS data set'));
SELECT results_eq($$SELECT role FROM assigned_roles('acme', 'Ann')$$, $$VALUES ('Approver'), ('Buyer')$$, nist.post('Core', 'AssignedRoles', 'the set of roles assigned to a given user'));
SELECT is_empty($$SELECT unnest(permissions) FROM role WHERE org_id = 1 AND name = 'Seller'$$, nist.pre('Core', 'RolePermissions', 'the role is a member of the ROLES data set: else there are none'));
SELECT results_eq($$SELECT unnest(permissions)::text FROM role WHERE org_id = 1 AND name = 'Approver'$$, $$VALUES ('lead.edit'), ('lead.view@own')$$,
    nist.post('Core', 'RolePermissions', 'the set of permissions granted to a given role'));
SELECT throws_ok($$SELECT user_permissions('acme', 'Zoe')$$, '42704', NULL, nist.pre('Core', 'UserPermissions', 'the user is a member of the USERS data set'));
SELECT results_eq($$SELECT permission::text, through FROM user_permissions('acme', 'Ann')$$,
    $$VALUES ('lead.create', 'Buyer'), ('lead.edit', 'Approver'), ('lead.view@own', 'Approver')$$, nist.post('Core', 'UserPermissions', 'the permissions a given user gets through assigned roles'));
SELECT is_empty($$SELECT session_roles()$$, nist.pre('Core', 'SessionRoles', 'there is such a session: nobody''s has none'));
SELECT is_empty($$SELECT session_permissions()$$, nist.pre('Core', 'SessionPermissions', 'there is such a session: nobody''s has none'));
SELECT nist.session('1/1', 'Approver');
SELECT results_eq($$SELECT role FROM session_roles()$$, $$VALUES ('Approver')$$, nist.post('Core', 'SessionRoles', 'the active roles associated with a session'));
SELECT results_eq($$SELECT permission::text, unit_id FROM session_permissions()$$, $$VALUES ('lead.edit', NULL::bigint), ('lead.view@own', NULL)$$,
    nist.post('Core', 'SessionPermissions', 'the permissions assigned to its active roles, and no others'));
SELECT nist.session('');
SELECT throws_ok($$SELECT role_operations_on_object('acme', 'Seller', 'lead')$$, '42704', NULL, nist.pre('Core', 'RoleOperationsOnObject', 'the role is a member of the ROLES data set'));
SELECT throws_ok($$SELECT role_operations_on_object('acme', 'Buyer', 'pig')$$, '42704', NULL, nist.pre('Core', 'RoleOperationsOnObject', 'the object is a member of the OBJS data set'));
SELECT results_eq($$SELECT * FROM role_operations_on_object('acme', 'Approver', 'lead')$$, $$VALUES ('edit', 'all'), ('view', 'own')$$,
    nist.post('Core', 'RoleOperationsOnObject', 'the set of operations a given role is permitted to perform on a given object'));
SELECT throws_ok($$SELECT user_operations_on_object('acme', 'Zoe', 'lead')$$, '42704', NULL, nist.pre('Core', 'UserOperationsOnObject', 'the user is a member of the USERS data set'));
SELECT throws_ok($$SELECT user_operations_on_object('acme', 'Ann', 'pig')$$, '42704', NULL, nist.pre('Core', 'UserOperationsOnObject', 'the object is a member of the OBJS data set'));
SELECT results_eq($$SELECT operation, relation FROM user_operations_on_object('acme', 'Ann', 'lead')$$, $$VALUES ('create', 'all'), ('edit', 'all'), ('view', 'own')$$,
    nist.post('Core', 'UserOperationsOnObject', 'the set of operations a given user is permitted to perform on a given object'));

--
-- General hierarchies
--
INSERT INTO role (org_id, role_id, name, permissions) VALUES (1, 10, 'Head', '{report.view}'), (1, 11, 'Clerk', '{task.view}');
SELECT throws_ok($$INSERT INTO role_inherit VALUES (1, 10, 99)$$, '23503', NULL, nist.pre('Hierarchical', 'AddInheritance', 'both are members of the ROLES data set'));
SELECT lives_ok($$INSERT INTO role_inherit VALUES (1, 10, 1), (1, 1, 11)$$, nist.pre('Hierarchical', 'AddInheritance', 'all of this'));
SELECT throws_ok($$INSERT INTO role_inherit VALUES (1, 10, 1)$$, '23505', NULL, nist.pre('Hierarchical', 'AddInheritance', 'r_asc is not an immediate ascendant of r_desc'));
SELECT throws_ok($$INSERT INTO role_inherit VALUES (1, 11, 10)$$, '23000', NULL, nist.pre('Hierarchical', 'AddInheritance', 'r_desc does not properly inherit r_asc, in order to avoid cycle creation'));
SELECT results_eq($$SELECT descendant, immediate FROM descendants('acme', 'Head')$$, $$VALUES ('Buyer', true), ('Clerk', false)$$,
    nist.post('Hierarchical', 'AddInheritance', 'the inheritance relation is the closure of the immediate one'));
SELECT results_eq($$SELECT ascendant, immediate FROM ascendants('acme', 'Clerk')$$, $$VALUES ('Buyer', true), ('Head', false)$$, nist.post('Hierarchical', 'AddInheritance', 'seen from below too'));

SELECT lives_ok($$INSERT INTO role_inherit VALUES (1, 10, 11)$$, 'a second way down');
SELECT is(nist.changes($$DELETE FROM role_inherit WHERE (org_id, senior_id, junior_id) = (1, 10, 3)$$), 0::bigint, nist.pre('Hierarchical', 'DeleteInheritance', 'r_asc is an immediate ascendant of r_desc: else nothing happens'));
SELECT is(nist.changes($$DELETE FROM role_inherit WHERE (org_id, senior_id, junior_id) = (1, 10, 1)$$), 1::bigint, nist.pre('Hierarchical', 'DeleteInheritance', 'r_asc is an immediate ascendant of r_desc'));
SELECT results_eq($$SELECT descendant, immediate FROM descendants('acme', 'Head')$$, $$VALUES ('Clerk', true)$$,
    nist.post('Hierarchical', 'DeleteInheritance', 'the inheritance relation is the closure of what immediate inheritance is left'));
DELETE FROM role_inherit;

SELECT throws_ok($$WITH r AS (INSERT INTO role (org_id, name) VALUES (1, 'Buyer') RETURNING *) INSERT INTO role_inherit SELECT org_id, role_id, 11 FROM r$$, '23505', NULL,
    nist.pre('Hierarchical', 'AddAscendant', 'r_asc is not a member of the ROLES data set'));
SELECT throws_ok($$WITH r AS (INSERT INTO role (org_id, role_id, name) VALUES (1, 20, 'Chief') RETURNING *) INSERT INTO role_inherit SELECT org_id, role_id, 99 FROM r$$, '23503', NULL,
    nist.pre('Hierarchical', 'AddAscendant', 'r_desc is one'));
SELECT lives_ok($$WITH r AS (INSERT INTO role (org_id, role_id, name) VALUES (1, 20, 'Chief') RETURNING *) INSERT INTO role_inherit SELECT org_id, role_id, 10 FROM r$$,
    nist.pre('Hierarchical', 'AddAscendant', 'both'));
SELECT results_eq($$SELECT ascendant, immediate FROM ascendants('acme', 'Head')$$, $$VALUES ('Chief', true)$$, nist.post('Hierarchical', 'AddAscendant', 'the new role is an immediate ascendant of r_desc'));
SELECT throws_ok($$WITH r AS (INSERT INTO role (org_id, name) VALUES (1, 'Clerk') RETURNING *) INSERT INTO role_inherit SELECT org_id, 10, role_id FROM r$$, '23505', NULL,
    nist.pre('Hierarchical', 'AddDescendant', 'r_desc is not a member of the ROLES data set'));
SELECT throws_ok($$WITH r AS (INSERT INTO role (org_id, role_id, name) VALUES (1, 21, 'Intern') RETURNING *) INSERT INTO role_inherit SELECT org_id, 99, role_id FROM r$$, '23503', NULL,
    nist.pre('Hierarchical', 'AddDescendant', 'r_asc is one'));
SELECT lives_ok($$WITH r AS (INSERT INTO role (org_id, role_id, name, permissions) VALUES (1, 21, 'Intern', '{lead.view}') RETURNING *) INSERT INTO role_inherit SELECT org_id, 10, role_id FROM r$$,
    nist.pre('Hierarchical', 'AddDescendant', 'both'));
SELECT results_eq($$SELECT descendant, immediate FROM descendants('acme', 'Chief')$$, $$VALUES ('Head', true), ('Intern', false)$$, nist.post('Hierarchical', 'AddDescendant', 'the new role is an immediate descendant of r_asc'));

SELECT grant_role('acme', 'Cas', 'Chief');
SELECT throws_ok($$SELECT nist.attempt('1/3', 'Clerk')$$, '0P000', NULL, nist.pre('Hierarchical', 'CreateSession', 'the active role set is a subset of the roles authorised for that user'));
SELECT is(nist.session('1/3', 'Intern'), 'active', nist.pre('Hierarchical', 'CreateSession', 'which inherited roles are'));
SELECT results_eq($$SELECT roles, chat_rbac.can('lead.view'), chat_rbac.can('report.view') FROM whoami()$$, $$VALUES ('{Intern}'::text[], true, false)$$,
    nist.post('Hierarchical', 'CreateSession', 'the session has the active role set: not what the user''s role has beside'));
SELECT throws_ok($$SELECT set_config('chat_rbac.active_roles', 'Intern, Clerk', true), chat_rbac.can('lead.view')$$, '0P000', NULL, nist.pre('Hierarchical', 'AddActiveRole', 'the role is authorised for the user'));
SELECT lives_ok($$SELECT set_config('chat_rbac.active_roles', 'Intern, Head', true), chat_rbac.can('lead.view')$$, nist.pre('Hierarchical', 'AddActiveRole', 'which an inherited role is'));
SELECT results_eq($$SELECT roles, chat_rbac.can('lead.view'), chat_rbac.can('report.view') FROM whoami()$$, $$VALUES ('{Head,Intern}'::text[], true, true)$$, nist.post('Hierarchical', 'AddActiveRole', 'the role is among the active roles'));
SELECT nist.session('');

SELECT throws_ok($$SELECT authorized_users('acme', 'Seller')$$, '42704', NULL, nist.pre('Hierarchical', 'AuthorizedUsers', 'the role is a member of the ROLES data set'));
SELECT grant_role('acme', 'Bob', 'Head');
SELECT results_eq($$SELECT member, through FROM authorized_users('acme', 'Intern')$$, $$VALUES ('Bob', 'Head'), ('Cas', 'Chief')$$, nist.post('Hierarchical', 'AuthorizedUsers', 'the users assigned to a role that inherits the given role'));
SELECT throws_ok($$SELECT authorized_roles('acme', 'Zoe')$$, '42704', NULL, nist.pre('Hierarchical', 'AuthorizedRoles', 'the user is a member of the USERS data set'));
SELECT results_eq($$SELECT role FROM authorized_roles('acme', 'Cas')$$, $$VALUES ('Chief'), ('Head'), ('Intern')$$, nist.post('Hierarchical', 'AuthorizedRoles', 'the set of roles authorised for a given user'));
SELECT throws_ok($$SELECT role_permissions('acme', 'Seller')$$, '42704', NULL, nist.pre('Hierarchical', 'RolePermissions', 'the role is a member of the ROLES data set'));
SELECT results_eq($$SELECT permission::text, through FROM role_permissions('acme', 'Chief')$$, $$VALUES ('lead.view', 'Intern'), ('report.view', 'Head')$$,
    nist.post('Hierarchical', 'RolePermissions', 'all permissions either granted directly to or inherited by a given role'));
SELECT throws_ok($$SELECT user_permissions('acme', 'Zoe')$$, '42704', NULL, nist.pre('Hierarchical', 'UserPermissions', 'the user is a member of the USERS data set'));
SELECT results_eq($$SELECT permission::text, through FROM user_permissions('acme', 'Cas')$$, $$VALUES ('lead.view', 'Chief > Intern'), ('report.view', 'Chief > Head')$$,
    nist.post('Hierarchical', 'UserPermissions', 'the permissions of a given user through authorised roles'));
SELECT throws_ok($$SELECT role_operations_on_object('acme', 'Seller', 'lead')$$, '42704', NULL, nist.pre('Hierarchical', 'RoleOperationsOnObject', 'the role is a member of the ROLES data set'));
SELECT results_eq($$SELECT operation FROM role_operations_on_object('acme', 'Chief', 'lead')$$, $$VALUES ('view')$$, nist.post('Hierarchical', 'RoleOperationsOnObject', 'operations permitted directly or by inheritance'));
SELECT throws_ok($$SELECT user_operations_on_object('acme', 'Zoe', 'lead')$$, '42704', NULL, nist.pre('Hierarchical', 'UserOperationsOnObject', 'the user is a member of the USERS data set'));
SELECT results_eq($$SELECT operation FROM user_operations_on_object('acme', 'Cas', 'lead')$$, $$VALUES ('view')$$, nist.post('Hierarchical', 'UserOperationsOnObject', 'operations permitted through authorised roles'));

--
-- Static separation of duty.  Ann holds Buyer and Approver, Bob Payer and Head, Cas Chief, who inherits Head and Intern.
--
SELECT throws_ok($$SELECT create_separation('acme', 'Money', '{Buyer,Seller}')$$, '42704', NULL, nist.pre('SSD', 'CreateSsdSet', 'all the roles in the SSD set are members of the ROLES data set'));
SELECT throws_ok($$SELECT create_separation('acme', 'Money', '{Buyer,Payer}', 1)$$, '22023', NULL, nist.pre('SSD', 'CreateSsdSet', 'n is greater than or equal to 2'));
SELECT throws_ok($$SELECT create_separation('acme', 'Money', '{Buyer,Payer}', 3)$$, '22023', NULL, nist.pre('SSD', 'CreateSsdSet', 'n is less than or equal to the cardinality of the SSD role set'));
SELECT throws_ok($$SELECT create_separation('acme', 'Money', '{Buyer,Approver}')$$, '23000', NULL, nist.pre('SSD', 'CreateSsdSet', 'the SSD constraint for the new role set is satisfied'));
SELECT throws_ok($$SELECT create_separation('acme', 'Money', '{Payer,Intern}')$$, '23000', NULL, nist.pre('SSD', 'CreateSsdSet', 'with hierarchies: for authorised users'));
SELECT lives_ok($$SELECT create_separation('acme', 'Money', '{Buyer,Payer}')$$, nist.pre('SSD', 'CreateSsdSet', 'all of these'));
SELECT throws_ok($$SELECT create_separation('acme', 'Money', '{Clerk,Payer}')$$, '23505', NULL, nist.pre('SSD', 'CreateSsdSet', 'the name of the SSD set is not already in use'));
SELECT results_eq($$SELECT * FROM ssd_role_sets('acme')$$, $$VALUES ('Money', 2, '{Buyer,Payer}'::text[])$$, nist.post('SSD', 'CreateSsdSet', 'the set of roles has the cardinality n of its subsets that cannot have common users'));

SELECT throws_ok($$SELECT grant_role('acme', 'Ann', 'Payer')$$, '23000', NULL, nist.pre('SSD', 'AssignUser', 'the SSD constraint is satisfied after the assignment'));
SELECT lives_ok($$SELECT grant_role('acme', 'Ann', 'Clerk')$$, nist.pre('SSD', 'AssignUser', 'which a role that is not in a set does not change'));
SELECT results_eq($$SELECT role FROM assigned_roles('acme', 'Ann')$$, $$VALUES ('Approver'), ('Buyer'), ('Clerk')$$, nist.post('SSD', 'AssignUser', 'only what was valid is assigned'));

SELECT throws_ok($$INSERT INTO role_inherit VALUES (1, 10, 1)$$, '23000', NULL, nist.pre('SSD', 'AddInheritance', 'the SSD constraint is satisfied after it: Bob holds Payer and Head'));
SELECT lives_ok($$INSERT INTO role_inherit VALUES (1, 1, 21)$$, nist.pre('SSD', 'AddInheritance', 'it is'));
SELECT results_eq($$SELECT descendant FROM descendants('acme', 'Buyer')$$, $$VALUES ('Intern')$$, nist.post('SSD', 'AddInheritance', 'only what was valid is inherited'));
DELETE FROM role_inherit WHERE senior_id = 1;

SELECT throws_ok($$SELECT add_separation_role('acme', 'No set', 'Clerk')$$, '42704', NULL, nist.pre('SSD', 'AddSsdRoleMember', 'the SSD role set exists'));
SELECT throws_ok($$SELECT add_separation_role('acme', 'Money', 'Seller')$$, '42704', NULL, nist.pre('SSD', 'AddSsdRoleMember', 'the role is a member of the ROLES data set'));
SELECT throws_ok($$SELECT add_separation_role('acme', 'Money', 'Buyer')$$, '23505', NULL, nist.pre('SSD', 'AddSsdRoleMember', 'but not of the SSD role set'));
SELECT throws_ok($$SELECT add_separation_role('acme', 'Money', 'Approver')$$, '23000', NULL, nist.pre('SSD', 'AddSsdRoleMember', 'the SSD constraint is satisfied after the addition'));
SELECT revoke_role('acme', 'Ann', 'Clerk');
SELECT lives_ok($$SELECT add_separation_role('acme', 'Money', 'Clerk')$$, nist.pre('SSD', 'AddSsdRoleMember', 'all of these'));
SELECT results_eq($$SELECT * FROM ssd_role_set_roles('acme', 'Money')$$, $$VALUES ('Buyer'), ('Clerk'), ('Payer')$$, nist.post('SSD', 'AddSsdRoleMember', 'the role is in the SSD role set'));
SELECT throws_ok($$SELECT grant_role('acme', 'Ann', 'Clerk')$$, '23000', NULL, nist.post('SSD', 'AddSsdRoleMember', 'and separated from the others'));

SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'No set', 3)$$, '42704', NULL, nist.pre('SSD', 'SetSsdSetCardinality', 'the SSD role set exists'));
SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'Money', 1)$$, '22023', NULL, nist.pre('SSD', 'SetSsdSetCardinality', 'n is greater than or equal to 2 ...'));
SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'Money', 4)$$, '22023', NULL, nist.pre('SSD', 'SetSsdSetCardinality', '... and less than or equal to the number of elements of the SSD role set'));
SELECT lives_ok($$SELECT set_separation_cardinality('acme', 'Money', 3)$$, nist.pre('SSD', 'SetSsdSetCardinality', 'all of these'));
SELECT is(ssd_role_set_cardinality('acme', 'Money'), 3, nist.post('SSD', 'SetSsdSetCardinality', 'it is the cardinality of the set'));
SELECT lives_ok($$SELECT grant_role('acme', 'Ann', 'Clerk')$$, nist.post('SSD', 'SetSsdSetCardinality', 'two of three roles may have a common user'));
SELECT throws_ok($$SELECT grant_role('acme', 'Ann', 'Payer')$$, '23000', NULL, nist.post('SSD', 'SetSsdSetCardinality', 'three may not'));
SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'Money', 2)$$, '23000', NULL, nist.pre('SSD', 'SetSsdSetCardinality', 'the SSD constraint is satisfied after setting it'));

SELECT throws_ok($$SELECT drop_separation_role('acme', 'No set', 'Clerk')$$, '42704', NULL, nist.pre('SSD', 'DeleteSsdRoleMember', 'the SSD role set exists'));
SELECT throws_ok($$SELECT drop_separation_role('acme', 'Money', 'Head')$$, '42704', NULL, nist.pre('SSD', 'DeleteSsdRoleMember', 'the role is a member of it'));
SELECT throws_ok($$SELECT drop_separation_role('acme', 'Money', 'Clerk')$$, '22023', NULL, nist.pre('SSD', 'DeleteSsdRoleMember', 'the cardinality of the set is less than the number of its elements'));
SELECT revoke_role('acme', 'Ann', 'Clerk'), set_separation_cardinality('acme', 'Money', 2);
SELECT lives_ok($$SELECT drop_separation_role('acme', 'Money', 'Clerk')$$, nist.pre('SSD', 'DeleteSsdRoleMember', 'all of these'));
SELECT results_eq($$SELECT * FROM ssd_role_set_roles('acme', 'Money')$$, $$VALUES ('Buyer'), ('Payer')$$, nist.post('SSD', 'DeleteSsdRoleMember', 'the role is not in the set any more'));
SELECT lives_ok($$SELECT grant_role('acme', 'Ann', 'Clerk')$$, nist.post('SSD', 'DeleteSsdRoleMember', 'and not separated'));

SELECT throws_ok($$SELECT ssd_role_sets('acne')$$, '42704', NULL, nist.pre('SSD', 'SsdRoleSets', 'there is such an org'));
SELECT create_separation('acme', 'Others', '{Approver,Chief}'), create_separation('acme', 'At work', '{Buyer,Payer}', kind => 'dynamic');
SELECT results_eq($$SELECT set_name FROM ssd_role_sets('acme')$$, $$VALUES ('Money'), ('Others')$$, nist.post('SSD', 'SsdRoleSets', 'the list of all SSD role sets'));
SELECT throws_ok($$SELECT ssd_role_set_roles('acme', 'At work')$$, '42704', NULL, nist.pre('SSD', 'SsdRoleSetRoles', 'the role set exists'));
SELECT results_eq($$SELECT * FROM ssd_role_set_roles('acme', 'Others')$$, $$VALUES ('Approver'), ('Chief')$$, nist.post('SSD', 'SsdRoleSetRoles', 'the set of roles of an SSD role set'));
SELECT throws_ok($$SELECT ssd_role_set_cardinality('acme', 'At work')$$, '42704', NULL, nist.pre('SSD', 'SsdRoleSetCardinality', 'the role set exists'));
SELECT is(ssd_role_set_cardinality('acme', 'Others'), 2, nist.post('SSD', 'SsdRoleSetCardinality', 'the cardinality associated with an SSD role set'));

SELECT throws_ok($$SELECT drop_separation('acme', 'No set')$$, '42704', NULL, nist.pre('SSD', 'DeleteSsdSet', 'the SSD role set exists'));
SELECT lives_ok($$SELECT drop_separation('acme', 'Money')$$, nist.pre('SSD', 'DeleteSsdSet', 'it does'));
SELECT throws_ok($$SELECT ssd_role_set_roles('acme', 'Money')$$, '42704', NULL, nist.post('SSD', 'DeleteSsdSet', 'it does not exist any more'));
SELECT lives_ok($$SELECT grant_role('acme', 'Ann', 'Payer')$$, nist.post('SSD', 'DeleteSsdSet', 'and separates nothing'));
DELETE FROM separation;

--
-- Dynamic separation of duty.  Ann holds Buyer, Approver, Payer and Clerk.
--
SELECT throws_ok($$SELECT create_separation('acme', 'At work', '{Buyer,Seller}', 2, 'dynamic')$$, '42704', NULL, nist.pre('DSD', 'CreateDsdSet', 'all the roles in the DSD set are members of the ROLES data set'));
SELECT throws_ok($$SELECT create_separation('acme', 'At work', '{Buyer,Payer}', 1, 'dynamic')$$, '22023', NULL, nist.pre('DSD', 'CreateDsdSet', 'n is greater than or equal to 2'));
SELECT throws_ok($$SELECT create_separation('acme', 'At work', '{Buyer,Payer}', 3, 'dynamic')$$, '22023', NULL, nist.pre('DSD', 'CreateDsdSet', 'n is less than or equal to the cardinality of the DSD role set'));
SELECT nist.session('1/1', '');
SELECT lives_ok($$SELECT create_separation('acme', 'At work', '{Buyer,Payer}', 2, 'dynamic')$$, nist.pre('DSD', 'CreateDsdSet', 'all of these'));
SELECT throws_ok($$SELECT create_separation('acme', 'At work', '{Buyer,Payer}', 2, 'dynamic')$$, '23505', NULL, nist.pre('DSD', 'CreateDsdSet', 'the name of the DSD set is not already in use'));
SELECT results_eq($$SELECT * FROM dsd_role_sets('acme')$$, $$VALUES ('At work', 2, '{Buyer,Payer}'::text[])$$, nist.post('DSD', 'CreateDsdSet', 'no n roles of the set can be active together'));
SELECT is(current_roles(), '{Approver,Clerk}', nist.post('DSD', 'CreateDsdSet', 'the DSD constraint is satisfied in the sessions that there are'));

SELECT throws_ok($$SELECT nist.attempt('1/1', 'Buyer, Payer')$$, '0P000', NULL, nist.pre('DSD', 'CreateSession', 'the session''s active role set satisfies all DSD constraints'));
SELECT is(nist.session('1/1', 'Buyer, Approver'), 'active', nist.pre('DSD', 'CreateSession', 'it does'));
SELECT is(current_roles(), '{Approver,Buyer}', nist.post('DSD', 'CreateSession', 'the session has the active role set'));
SELECT nist.session('1/1', '');
SELECT results_eq($$SELECT role FROM session_roles()$$, $$VALUES ('Approver'), ('Clerk')$$, nist.post('DSD', 'CreateSession', 'where none is given, it has none of a set of which it would have too many'));
SELECT is_empty($$SELECT FROM session_permissions() WHERE permission IN ('lead.create', 'lead.delete')$$, nist.post('DSD', 'CreateSession', 'nor their permissions'));

SELECT nist.session('1/1', 'Payer');
SELECT throws_ok($$SELECT set_config('chat_rbac.active_roles', 'Payer, Buyer', true), chat_rbac.can('lead.view')$$, '0P000', NULL, nist.pre('DSD', 'AddActiveRole', 'the DSD constraints are satisfied after the addition'));
SELECT is(current_roles(), '{Payer}', nist.post('DSD', 'AddActiveRole', 'where it is not valid the session stays as it was'));
SELECT lives_ok($$SELECT set_config('chat_rbac.active_roles', 'Payer, Clerk', true), chat_rbac.can('lead.view')$$, nist.pre('DSD', 'AddActiveRole', 'they are'));
SELECT is(current_roles(), '{Clerk,Payer}', nist.post('DSD', 'AddActiveRole', 'the role is among the active roles'));
-- by inheritance
INSERT INTO role_inherit VALUES (1, 11, 1);
SELECT throws_ok($$SELECT chat_rbac.can('lead.view')$$, '0P000', NULL, nist.pre('DSD', 'AddActiveRole', 'with hierarchies: also where an active role inherits another of the set'));
SELECT nist.session('');
DELETE FROM role_inherit WHERE senior_id = 11;
SELECT nist.session('1/1', 'Payer, Clerk');

SELECT throws_ok($$SELECT add_separation_role('acme', 'No set', 'Clerk')$$, '42704', NULL, nist.pre('DSD', 'AddDsdRoleMember', 'the DSD role set exists'));
SELECT throws_ok($$SELECT add_separation_role('acme', 'At work', 'Seller')$$, '42704', NULL, nist.pre('DSD', 'AddDsdRoleMember', 'the role is a member of the ROLES data set'));
SELECT throws_ok($$SELECT add_separation_role('acme', 'At work', 'Buyer')$$, '23505', NULL, nist.pre('DSD', 'AddDsdRoleMember', 'but not of the DSD role set'));
SELECT lives_ok($$SELECT add_separation_role('acme', 'At work', 'Clerk')$$, nist.pre('DSD', 'AddDsdRoleMember', 'all of these'));
SELECT results_eq($$SELECT * FROM dsd_role_set_roles('acme', 'At work')$$, $$VALUES ('Buyer'), ('Clerk'), ('Payer')$$, nist.post('DSD', 'AddDsdRoleMember', 'the role is in the DSD role set'));
SELECT throws_ok($$SELECT chat_rbac.can('lead.view')$$, '0P000', NULL, nist.post('DSD', 'AddDsdRoleMember', 'the DSD constraint holds in the sessions that there are'));

SELECT nist.session('');
SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'No set', 3)$$, '42704', NULL, nist.pre('DSD', 'SetDsdSetCardinality', 'the DSD role set exists'));
SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'At work', 1)$$, '22023', NULL, nist.pre('DSD', 'SetDsdSetCardinality', 'n is greater than or equal to 2 ...'));
SELECT throws_ok($$SELECT set_separation_cardinality('acme', 'At work', 4)$$, '22023', NULL, nist.pre('DSD', 'SetDsdSetCardinality', '... and less than or equal to the number of elements of the DSD role set'));
SELECT lives_ok($$SELECT set_separation_cardinality('acme', 'At work', 3)$$, nist.pre('DSD', 'SetDsdSetCardinality', 'all of these'));
SELECT is(dsd_role_set_cardinality('acme', 'At work'), 3, nist.post('DSD', 'SetDsdSetCardinality', 'it is the cardinality of the set'));
SELECT nist.session('1/1', 'Payer, Clerk');
SELECT is(current_roles(), '{Clerk,Payer}', nist.post('DSD', 'SetDsdSetCardinality', 'two of three roles may be active'));
SELECT throws_ok($$SELECT nist.attempt('1/1', 'Buyer, Clerk, Payer')$$, '0P000', NULL, nist.post('DSD', 'SetDsdSetCardinality', 'three may not'));

SELECT throws_ok($$SELECT drop_separation_role('acme', 'No set', 'Clerk')$$, '42704', NULL, nist.pre('DSD', 'DeleteDsdRoleMember', 'the DSD role set exists'));
SELECT throws_ok($$SELECT drop_separation_role('acme', 'At work', 'Head')$$, '42704', NULL, nist.pre('DSD', 'DeleteDsdRoleMember', 'the role is a member of it'));
SELECT throws_ok($$SELECT drop_separation_role('acme', 'At work', 'Clerk')$$, '22023', NULL, nist.pre('DSD', 'DeleteDsdRoleMember', 'the cardinality of the set is less than the number of its elements'));
SELECT nist.session('');
SELECT set_separation_cardinality('acme', 'At work', 2);
SELECT lives_ok($$SELECT drop_separation_role('acme', 'At work', 'Clerk')$$, nist.pre('DSD', 'DeleteDsdRoleMember', 'all of these'));
SELECT results_eq($$SELECT * FROM dsd_role_set_roles('acme', 'At work')$$, $$VALUES ('Buyer'), ('Payer')$$, nist.post('DSD', 'DeleteDsdRoleMember', 'the role is not in the set any more'));
SELECT is(nist.session('1/1', 'Payer, Clerk'), 'active', nist.post('DSD', 'DeleteDsdRoleMember', 'and not separated'));

SELECT throws_ok($$SELECT dsd_role_sets('acne')$$, '42704', NULL, nist.pre('DSD', 'DsdRoleSets', 'there is such an org'));
SELECT create_separation('acme', 'Never', '{Approver,Chief}');
SELECT results_eq($$SELECT set_name FROM dsd_role_sets('acme')$$, $$VALUES ('At work')$$, nist.post('DSD', 'DsdRoleSets', 'the list of all DSD role sets'));
SELECT throws_ok($$SELECT dsd_role_set_roles('acme', 'Never')$$, '42704', NULL, nist.pre('DSD', 'DsdRoleSetRoles', 'the role set exists'));
SELECT results_eq($$SELECT * FROM dsd_role_set_roles('acme', 'At work')$$, $$VALUES ('Buyer'), ('Payer')$$, nist.post('DSD', 'DsdRoleSetRoles', 'the set of roles of a DSD role set'));
SELECT throws_ok($$SELECT dsd_role_set_cardinality('acme', 'Never')$$, '42704', NULL, nist.pre('DSD', 'DsdRoleSetCardinality', 'the role set exists'));
SELECT is(dsd_role_set_cardinality('acme', 'At work'), 2, nist.post('DSD', 'DsdRoleSetCardinality', 'the cardinality associated with a DSD role set'));

SELECT throws_ok($$SELECT drop_separation('acme', 'No set')$$, '42704', NULL, nist.pre('DSD', 'DeleteDsdSet', 'the DSD role set exists'));
SELECT lives_ok($$SELECT drop_separation('acme', 'At work')$$, nist.pre('DSD', 'DeleteDsdSet', 'it does'));
SELECT is_empty($$SELECT FROM dsd_role_sets('acme')$$, nist.post('DSD', 'DeleteDsdSet', 'it does not exist any more'));
SELECT is(nist.session('1/1', 'Buyer, Payer'), 'active', nist.post('DSD', 'DeleteDsdSet', 'and separates nothing'));
SELECT nist.session('');

--
-- The page and this file are about the same functions
--
SELECT is(count(*), 53::bigint, 'the page has the functions of all four parts') FROM nist.documented;
SELECT set_eq($$SELECT part, function FROM nist.documented$$, $$SELECT part, function FROM nist.tested$$, 'every row of the page is tested, and every test has a row');
SELECT set_eq($$SELECT part, function FROM nist.documented$$, $$SELECT part, function FROM nist.tested WHERE NOT pre$$, 'each has its postcondition');
SELECT set_eq($$SELECT part, function FROM nist.documented$$, $$SELECT part, function FROM nist.tested WHERE pre$$, 'each has its precondition');

SELECT * FROM finish();
ROLLBACK;

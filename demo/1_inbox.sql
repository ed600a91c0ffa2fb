-- demo/1_inbox.sql: the ready inbox, and how an application's database roles reach it.

-- The owner of the tables.  It may make and change rules, and is bound by them.
CREATE ROLE inbox_owner NOLOGIN;
CREATE SCHEMA inbox AUTHORIZATION inbox_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection TO inbox_owner;
GRANT SELECT ON chat_rbac.known_permission TO inbox_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_inbox, chat_rbac.protect TO inbox_owner;

-- Tables for customers, conversations, messages and more, all of them under rules.
-- See them with \d inbox.conversation and SELECT chat_rbac.protection('inbox.conversation').
SET ROLE inbox_owner;
SELECT chat_rbac.create_inbox('inbox');
RESET ROLE;

-- Everybody in an org may know the names of its teams, inboxes and people.
CREATE VIEW inbox.unit WITH (security_barrier) AS
	SELECT kind, key AS id, name FROM chat_rbac.unit WHERE org_id = chat_rbac.current_org();
CREATE VIEW inbox.person WITH (security_barrier) AS
	SELECT member_id AS id, name FROM chat_rbac.member WHERE org_id = chat_rbac.current_org();

-- Conversations with names for ids.  Read with the rights of whoever asks.
CREATE VIEW inbox.chat WITH (security_invoker) AS
	SELECT c.id, k.name AS customer, i.name AS inbox, t.name AS team, p.name AS assignee, c.status, c.last_message_at
	FROM inbox.conversation c
	LEFT JOIN inbox.customer k ON k.org_id = c.org_id AND k.id = c.customer_id
	LEFT JOIN inbox.unit i ON i.kind = 'inbox' AND i.id = c.inbox_id
	LEFT JOIN inbox.unit t ON t.kind = 'team' AND t.id = c.team_id
	LEFT JOIN inbox.person p ON p.id = c.assignee_id;

-- The application's database role.  It may say for whom it asks, and no more.
CREATE ROLE inbox_app LOGIN;
GRANT USAGE ON SCHEMA inbox TO inbox_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA inbox TO inbox_app;
GRANT SET ON PARAMETER chat_rbac.identity TO inbox_app;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO inbox_app;

-- What an admin of an org changes, by the same role.  Each change needs its own right.
GRANT USAGE ON SCHEMA chat_rbac TO inbox_app;
GRANT SELECT, INSERT, UPDATE, DELETE
	ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant TO inbox_app;
GRANT SELECT ON chat_rbac.org, chat_rbac.grants, chat_rbac.unit_path TO inbox_app;
GRANT EXECUTE ON FUNCTION chat_rbac.grant_role, chat_rbac.revoke_role, chat_rbac.find_by_name TO inbox_app;

-- Partitions of the audit trail; to be called once a day.
SELECT chat_rbac.audit_maintain();

-- A report's database role.  It may read, but not say for whom.
CREATE ROLE inbox_report LOGIN;
GRANT USAGE ON SCHEMA inbox TO inbox_report;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO inbox_report;

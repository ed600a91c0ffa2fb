-- demo/5_dashboard.sql: a supervisor's dashboard, and how long a customer may wait.

-- A BI tool logs in as a role that is Sue, and says nothing.  It may only read.
CREATE ROLE sue_dashboard LOGIN;
ALTER ROLE sue_dashboard SET default_transaction_read_only = on;
UPDATE chat_rbac.member SET login = 'sue_dashboard' WHERE org_id = 1 AND name = 'Sue';
GRANT USAGE ON SCHEMA inbox, chat_rbac TO sue_dashboard;
GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO sue_dashboard;
GRANT SELECT ON chat_rbac.unit, chat_rbac.member, chat_rbac.audit_event TO sue_dashboard;

INSERT INTO inbox.reply_target (org_id, team_id, reply_within) VALUES (1, 3, '30 min'), (1, 4, '2 hours');

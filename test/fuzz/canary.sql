-- The canary of scripts/sqlsmith.sh: in every text of org 2 that may have one, and two
-- roles for sqlsmith, which may not say who they are: a support agent's, and a BI tool's
-- of his supervisor with masked and audited views and reports.

SET client_min_messages = error;
CREATE FUNCTION pg_temp.sing(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	col text;
BEGIN
	FOR col IN SELECT a.attname FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
			AND a.attgenerated = '' AND a.atttypid IN ('text'::regtype, 'name'::regtype, 'varchar'::regtype) ORDER BY a.attnum LOOP
		BEGIN
			EXECUTE format('UPDATE %s SET %2$I = coalesce(%2$I, '''') || '' CANARYTWO'' WHERE org_id = 2', relation, col);
		EXCEPTION WHEN OTHERS THEN
			NULL;	-- not every text is free
		END;
	END LOOP;
END $$;
SELECT pg_temp.sing(c.oid) FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'inbox'::regnamespace AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped)
UNION ALL SELECT pg_temp.sing(c) FROM unnest('{chat_rbac.org,chat_rbac.unit,chat_rbac.member,chat_rbac.role}'::regclass[]) AS c \g /dev/null
UPDATE inbox.conversation SET labels = '{CANARYTWO}' WHERE org_id = 2;

-- sqlsmith likes LIMIT: what must not be seen comes first
DO $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'
			WHERE c.relnamespace IN ('inbox'::regnamespace, 'chat_rbac'::regnamespace) AND c.relkind = 'r' AND NOT c.relispartition LOOP
		EXECUTE format('CREATE INDEX smith ON %s (org_id DESC)', relation);
		EXECUTE format('CLUSTER %s USING smith', relation);
		EXECUTE format('DROP INDEX %I.smith', (SELECT c.relnamespace::regnamespace FROM pg_class c WHERE c.oid = relation));
	END LOOP;
END $$;

CREATE ROLE smith_agent LOGIN;
CREATE ROLE smith_bi LOGIN;
ALTER ROLE smith_agent SET statement_timeout = '1s';
ALTER ROLE smith_bi SET statement_timeout = '1s';
ALTER ROLE smith_agent SET search_path = inbox, chat_rbac;		-- it names operators without their schema
ALTER ROLE smith_bi SET search_path = inbox, chat_rbac;
UPDATE chat_rbac.member SET login = 'smith_agent' WHERE (org_id, name) = (1, 'Ali');
UPDATE chat_rbac.member SET login = 'smith_bi' WHERE (org_id, name) = (1, 'Sue');
SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.card", "grant": ["smith_bi"], "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}, "credit_limit": {"with": "amount", "lifted_by": "customer.view_finance"}}}'),
	chat_rbac.create_view('inbox.message', '{"view": "inbox.read_message", "audited": true, "grant": ["smith_bi"], "masks": {"body": {"with": "full", "lifted_by": "message.edit"}}}') \g /dev/null
GRANT USAGE ON SCHEMA inbox, chat_rbac TO smith_agent, smith_bi;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA inbox TO smith_agent;
GRANT SELECT ON inbox.conversation, inbox.participant, inbox.lead, inbox.task, inbox.card, inbox.read_message, inbox.chat, inbox.person, inbox.unit, inbox.report_waiting TO smith_bi;
GRANT SELECT ON chat_rbac.org, chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant, chat_rbac.grants, chat_rbac.unit_path, chat_rbac.audit_event, chat_rbac.activity,
	chat_rbac.effective_permissions, chat_rbac.role_tree TO smith_agent, smith_bi;
GRANT INSERT, UPDATE, DELETE ON chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_grant TO smith_agent;

-- The watcher watches: a row and a message of somebody who may see all.
SELECT name FROM inbox.customer WHERE org_id = 2 LIMIT 1;
DO $$ BEGIN PERFORM name::int FROM inbox.customer WHERE org_id = 2; EXCEPTION WHEN division_by_zero THEN NULL; END $$;

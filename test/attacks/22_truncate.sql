--
-- TRUNCATE passes by row-level security and row triggers.  Of a protected table it is
-- refused to all but its owner and superusers, whoever has the privilege, also by
-- CASCADE from a table of the attacker's; and it is in the trail.
--
SELECT plan(23);
SET client_min_messages = error;

SELECT lab.gets_nothing('Olga', 'TRUNCATE inbox.message', '^ERROR 42501: permission denied for table message', 'it needs the privilege');
GRANT TRUNCATE ON ALL TABLES IN SCHEMA inbox TO attack_app;
SELECT lab.gets_nothing(who, s, '^ERROR 42501', format('%s may not, with the privilege: %s', who, s)) FROM unnest('{Olga,Ali,Vic}'::text[]) AS who, unnest('{"TRUNCATE inbox.message","TRUNCATE inbox.conversation CASCADE","TRUNCATE inbox.customer, inbox.conversation, inbox.message, inbox.participant, inbox.lead, inbox.task","TRUNCATE inbox.task RESTART IDENTITY"}'::text[]) AS s;
SELECT is((SELECT count(*) FROM inbox.message), (SELECT count(*) FROM lab.marker WHERE kind = 'message'), 'nothing is gone');
-- from tables that refer, or are referred to
SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.parent (id bigint PRIMARY KEY);
CREATE TABLE own.child (org_id bigint, id bigint REFERENCES own.parent, FOREIGN KEY (org_id, id) REFERENCES inbox.customer);
RESET SESSION AUTHORIZATION;
ALTER TABLE inbox.setting ADD FOREIGN KEY (id) REFERENCES own.parent NOT VALID;		-- as an application might that refers to a list of the attacker's
SELECT lab.gets_nothing('Olga', 'TRUNCATE own.parent CASCADE', '^ERROR 42501', 'CASCADE from one''s own table does not reach a protected one');
SELECT lab.gets_nothing('Olga', 'TRUNCATE inbox.customer CASCADE', '^ERROR 42501', 'nor one that refers to it');
SELECT is((SELECT count(*) FROM inbox.setting), 10::bigint, 'the settings are there');
-- in disguise
SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.truncate() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN TRUNCATE inbox.message; END $$;
RESET SESSION AUTHORIZATION;
SELECT lab.gets_nothing('Olga', 'SELECT own.truncate()', '^ERROR 42501', 'nor by a function');
-- the owner may, and it is recorded: without a person, as an act of the role
SET SESSION AUTHORIZATION attack_owner;
SELECT lives_ok('TRUNCATE inbox.participant', 'the tables'' owner may');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM chat_rbac.audit_event WHERE relation = 'inbox.participant'::regclass AND operation = 'truncate'), 1::bigint, 'which is in the trail');
SELECT lab.gets_nothing('Olga', 'TRUNCATE ' || t, '^ERROR 42501', 'nobody truncates ' || t) FROM unnest('{chat_rbac.role_grant,chat_rbac.org,chat_rbac.audit_event}'::text[]) AS t;

SELECT * FROM finish();

--
-- doctor(): says nothing of a sound database, and finds each class of what
-- weakens protection when it is broken on purpose, in a database of its own.
--
CREATE DATABASE regress_chat_rbac_doctor TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_chat_rbac_doctor
SET client_min_messages = warning;
CREATE EXTENSION chat_rbac;
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset format unaligned
\pset fieldsep ' | '
\pset footer off
\pset tuples_only on

CREATE ROLE regress_chat_rbac_owner;
CREATE ROLE regress_chat_rbac_app LOGIN;
CREATE ROLE regress_chat_rbac_agent LOGIN;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection, chat_rbac.protected_view TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.protect, chat_rbac.create_view TO regress_chat_rbac_owner;
CREATE SCHEMA regress_doctor AUTHORIZATION regress_chat_rbac_owner;
GRANT USAGE ON SCHEMA regress_doctor TO regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support');
INSERT INTO chat_rbac.member (org_id, member_id, name, login) VALUES (1, 7, 'Ali', 'regress_chat_rbac_agent');

SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_doctor.customer (org_id bigint NOT NULL, id bigint NOT NULL, owner_id bigint, phone text, source text, PRIMARY KEY (org_id, id));
CREATE INDEX ON regress_doctor.customer (org_id, owner_id);
CREATE TABLE regress_doctor.chat (
	org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint NOT NULL, assignee_id bigint, customer_id bigint, body text,
	PRIMARY KEY (org_id, team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE regress_doctor.chat_1 PARTITION OF regress_doctor.chat FOR VALUES IN (1);
CREATE INDEX chat_team_idx ON regress_doctor.chat (org_id, team_id);
CREATE INDEX chat_assignee_idx ON regress_doctor.chat (org_id, assignee_id);
SELECT chat_rbac.protect('regress_doctor.customer', '{"resource": "customer", "org": "org_id", "relations": {"own": {"owner_id": "$member"}, "odd": {"owner_id": "$member", "source": "a\\b''c"}}}') \g /dev/null
SELECT chat_rbac.protect('regress_doctor.chat', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}},
  "actions": [{"on": "insert", "requires": "conversation.start"}, {"on": "update", "requires": "conversation.edit"}]}') \g /dev/null
SELECT chat_rbac.create_view('regress_doctor.customer', '{"view": "regress_doctor.card", "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}, "grant": ["regress_chat_rbac_app"]}') \g /dev/null
CREATE VIEW regress_doctor.as_reader WITH (security_invoker) AS SELECT id FROM regress_doctor.chat;
CREATE VIEW regress_doctor.of_card AS SELECT * FROM regress_doctor.card;
GRANT SELECT, INSERT, UPDATE, DELETE ON regress_doctor.chat TO regress_chat_rbac_app, regress_chat_rbac_agent;
RESET ROLE;

\echo -- Sound
SELECT * FROM chat_rbac.doctor();
\echo -- For whoever sees not all
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.doctor();		-- fail
RESET ROLE;
GRANT EXECUTE ON FUNCTION chat_rbac.doctor TO regress_chat_rbac_app;
SET ROLE regress_chat_rbac_app;
SELECT * FROM chat_rbac.doctor();		-- fail
RESET ROLE;
REVOKE EXECUTE ON FUNCTION chat_rbac.doctor FROM regress_chat_rbac_app;

-- \gset of a SELECT that makes trouble by EXECUTE would hide what is tried, so:
CREATE FUNCTION public.broken_by(VARIADIC statements text[]) RETURNS TABLE (severity text, object text, finding text, fix text) LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	found jsonb;
BEGIN
	BEGIN
		FOREACH statement IN ARRAY statements LOOP
			EXECUTE statement;
		END LOOP;
		SELECT jsonb_agg(d) INTO found FROM chat_rbac.doctor() d;
		RAISE 'undo' USING ERRCODE = 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
	END;
	RETURN QUERY SELECT * FROM jsonb_to_recordset(found) AS (severity text, object text, finding text, fix text);
END
$$;

\echo -- Row-level security
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.chat DISABLE ROW LEVEL SECURITY');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.chat NO FORCE ROW LEVEL SECURITY');
SELECT * FROM public.broken_by('ALTER TABLE chat_rbac.role_grant DISABLE ROW LEVEL SECURITY', 'ALTER TABLE chat_rbac.signing_key NO FORCE ROW LEVEL SECURITY');

\echo -- Policies
SELECT * FROM public.broken_by('DROP POLICY chat_rbac_org ON regress_doctor.chat');
SELECT * FROM public.broken_by('DROP POLICY chat_rbac_update ON regress_doctor.chat', 'DROP POLICY chat_rbac_delete ON regress_doctor.customer');
SELECT * FROM public.broken_by('ALTER POLICY chat_rbac_select ON regress_doctor.chat USING (true)');
SELECT * FROM public.broken_by('ALTER POLICY chat_rbac_org ON regress_doctor.chat USING (org_id = chat_rbac.current_org() OR org_id = 2)');
SELECT * FROM public.broken_by('ALTER POLICY chat_rbac_org ON regress_doctor.chat WITH CHECK (true)');
SELECT * FROM public.broken_by('ALTER POLICY chat_rbac_org ON regress_doctor.chat TO regress_chat_rbac_app');
SELECT * FROM public.broken_by('DROP POLICY chat_rbac_org ON regress_doctor.chat', 'CREATE POLICY chat_rbac_org ON regress_doctor.chat USING (org_id = chat_rbac.current_org())');
SELECT * FROM public.broken_by('CREATE POLICY for_reports ON regress_doctor.chat FOR SELECT USING (body IS NULL)');
SELECT * FROM public.broken_by('CREATE POLICY chat_rbac_reports ON regress_doctor.chat FOR SELECT USING (body IS NULL)');
SELECT * FROM public.broken_by('CREATE POLICY all_of_them ON chat_rbac.role_grant USING (true)', 'CREATE POLICY keys ON chat_rbac.signing_key USING (true)');
SELECT * FROM public.broken_by('ALTER POLICY see ON chat_rbac.member USING (true)', 'DROP POLICY chat_rbac_org ON chat_rbac.audit_event');
-- only narrower
SELECT * FROM public.broken_by('CREATE POLICY narrower ON regress_doctor.chat AS RESTRICTIVE USING (id > 0)');

-- what an owner has put into a policy does not run as the superuser who looks
SET ROLE regress_chat_rbac_owner;
CREATE FUNCTION regress_doctor.spy(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		RAISE 'this runs as a superuser';
	END IF;
	RETURN true;
END
$$;
CREATE DOMAIN regress_doctor.word AS text CHECK (regress_doctor.spy(VALUE));
CREATE TYPE regress_doctor.words AS RANGE (subtype = regress_doctor.word);
ALTER POLICY chat_rbac_org ON regress_doctor.chat USING (org_id = chat_rbac.current_org() AND NOT isempty('[a,b]'::regress_doctor.words));
RESET ROLE;
SELECT '[a,b]'::regress_doctor.words;	-- fail
SELECT * FROM chat_rbac.doctor();
SELECT chat_rbac.protect('regress_doctor.chat', chat_rbac.protection('regress_doctor.chat')) \g /dev/null
SELECT * FROM chat_rbac.doctor();
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.canonical_query('SELECT 1', 'postgres');	-- fail
RESET ROLE;

\echo -- Triggers
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.customer DISABLE TRIGGER zz_chat_rbac_guard');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.customer ENABLE TRIGGER "00_chat_rbac_audit", ENABLE REPLICA TRIGGER chat_rbac_truncate');
SELECT * FROM public.broken_by('DROP TRIGGER "00_chat_rbac_audit_truncate" ON regress_doctor.customer');
SELECT * FROM public.broken_by('CREATE OR REPLACE TRIGGER zz_chat_rbac_guard BEFORE INSERT OR UPDATE OR DELETE ON regress_doctor.customer FOR EACH ROW WHEN (false) EXECUTE FUNCTION chat_rbac.guard()',
	'ALTER TABLE regress_doctor.customer ENABLE ALWAYS TRIGGER zz_chat_rbac_guard');
SELECT * FROM public.broken_by('CREATE FUNCTION regress_doctor.f() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.org_id := 2; RETURN NEW; END''',
	'CREATE TRIGGER zzz BEFORE INSERT ON regress_doctor.customer FOR EACH ROW EXECUTE FUNCTION regress_doctor.f()');
SELECT * FROM public.broken_by('ALTER TABLE chat_rbac.role_grant DISABLE TRIGGER ALL');
SELECT * FROM public.broken_by('ALTER EVENT TRIGGER chat_rbac_new_parts DISABLE', 'ALTER EVENT TRIGGER chat_rbac_triggers ENABLE');

\echo -- Functions and privileges of the extension
SELECT * FROM public.broken_by('ALTER FUNCTION chat_rbac.current_org() NOT LEAKPROOF');
SELECT * FROM public.broken_by('ALTER FUNCTION chat_rbac.current_org() IMMUTABLE');
SELECT * FROM public.broken_by('ALTER FUNCTION chat_rbac.spec_places(regclass, jsonb) RESET search_path');
SELECT * FROM public.broken_by('CREATE OR REPLACE FUNCTION chat_rbac.refuse_tampering() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS ''BEGIN RETURN NEW; END''');
SELECT * FROM public.broken_by('ALTER EXTENSION chat_rbac DROP FUNCTION chat_rbac.guard_truncate()');
SELECT * FROM public.broken_by('GRANT EXECUTE ON FUNCTION chat_rbac.protect TO PUBLIC', 'GRANT SELECT ON chat_rbac.signing_key TO PUBLIC', 'GRANT CREATE ON SCHEMA chat_rbac TO PUBLIC');

\echo -- Indexes
SELECT * FROM public.broken_by('DROP INDEX regress_doctor.chat_assignee_idx', 'DROP INDEX regress_doctor.chat_team_idx', 'ALTER TABLE regress_doctor.chat DROP CONSTRAINT chat_pkey, ADD PRIMARY KEY (id, team_id)');

\echo -- Roles
SELECT * FROM public.broken_by('ALTER ROLE regress_chat_rbac_app BYPASSRLS');
SELECT * FROM public.broken_by('ALTER ROLE regress_chat_rbac_agent SUPERUSER');
SELECT * FROM public.broken_by('ALTER ROLE regress_chat_rbac_app REPLICATION');
SELECT * FROM public.broken_by('GRANT regress_chat_rbac_owner TO regress_chat_rbac_app', 'GRANT pg_read_server_files TO regress_chat_rbac_agent');
SELECT * FROM public.broken_by('ALTER ROLE regress_chat_rbac_owner LOGIN', 'GRANT regress_chat_rbac_app TO regress_chat_rbac_owner');
SELECT * FROM public.broken_by('CREATE ROLE regress_chat_rbac_all BYPASSRLS', 'CREATE ROLE regress_chat_rbac_bi LOGIN IN ROLE regress_chat_rbac_app, regress_chat_rbac_all');
SELECT count(*) = (current_setting('server_version_num')::int < 160000)::int FROM public.broken_by('ALTER ROLE regress_chat_rbac_app CREATEROLE');
SELECT severity, object, regexp_replace(finding, '\d{4,}', 'NNNN'), fix
FROM public.broken_by('CREATE ROLE regress_chat_rbac_gone', 'UPDATE chat_rbac.member SET login = ''regress_chat_rbac_gone'' WHERE member_id = 7', 'DROP ROLE regress_chat_rbac_gone');
SELECT * FROM public.broken_by('GRANT SET ON PARAMETER chat_rbac.identity TO PUBLIC');
SELECT * FROM public.broken_by('GRANT SET ON PARAMETER chat_rbac.read_audit TO regress_chat_rbac_app', 'GRANT ALTER SYSTEM ON PARAMETER chat_rbac.bulk_rows TO PUBLIC');
SELECT * FROM public.broken_by('GRANT SET ON PARAMETER session_replication_role TO regress_chat_rbac_app', 'GRANT ALTER SYSTEM ON PARAMETER session_preload_libraries TO PUBLIC');

\echo -- Views
SELECT * FROM public.broken_by('CREATE VIEW regress_doctor.v AS SELECT id FROM regress_doctor.chat');
SELECT * FROM public.broken_by('CREATE VIEW regress_doctor.v AS SELECT id FROM regress_doctor.chat_1', 'ALTER VIEW regress_doctor.v OWNER TO regress_chat_rbac_owner');
SELECT * FROM public.broken_by('CREATE VIEW regress_doctor.v WITH (security_invoker = on) AS SELECT id FROM regress_doctor.chat', 'CREATE VIEW regress_doctor.w WITH (security_invoker = 0) AS SELECT FROM regress_doctor.customer JOIN regress_doctor.v USING (id)');
SELECT * FROM public.broken_by('CREATE MATERIALIZED VIEW regress_doctor.m AS SELECT id FROM regress_doctor.chat', 'ALTER MATERIALIZED VIEW regress_doctor.m OWNER TO regress_chat_rbac_owner');

\echo -- Masked views
SELECT * FROM public.broken_by('ALTER VIEW regress_doctor.card SET (security_barrier = off)');
SELECT * FROM public.broken_by('ALTER VIEW regress_doctor.card OWNER TO regress_chat_rbac_app');
SELECT * FROM public.broken_by('CREATE OR REPLACE VIEW regress_doctor.card WITH (security_barrier = true) AS SELECT * FROM regress_doctor.customer WHERE org_id = chat_rbac.current_org()');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.customer DISABLE TRIGGER chat_rbac_mask_1');
SELECT * FROM public.broken_by('DROP TRIGGER chat_rbac_mask_1 ON regress_doctor.customer');
SELECT * FROM public.broken_by('DROP TRIGGER chat_rbac_mask_1 ON regress_doctor.customer', 'CREATE TRIGGER chat_rbac_mask_1 BEFORE UPDATE OF phone ON regress_doctor.customer FOR EACH ROW EXECUTE FUNCTION chat_rbac.guard_mask(''customer.view_phone'', ''phone'', ''true'')',
	'ALTER TABLE regress_doctor.customer ENABLE ALWAYS TRIGGER chat_rbac_mask_1');
SELECT * FROM public.broken_by('GRANT SELECT ON regress_doctor.customer TO regress_chat_rbac_agent');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.customer RENAME phone TO telephone');
SELECT severity, regexp_replace(object, '\d{4,}', 'NNNN'), finding, regexp_replace(fix, '\d{4,}', 'NNNN')
FROM public.broken_by('DROP VIEW regress_doctor.card CASCADE', 'DROP TABLE regress_doctor.chat CASCADE');

\echo -- Columns that are gone
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.chat RENAME team_id TO group_id');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.customer RENAME owner_id TO responsible');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.chat DROP assignee_id CASCADE');
SELECT * FROM public.broken_by('DELETE FROM chat_rbac.known_permission WHERE name::text = ''customer.view_phone''');
SELECT * FROM public.broken_by('ALTER TABLE regress_doctor.customer ADD number bigint CONSTRAINT number UNIQUE', 'CREATE TABLE regress_doctor.mark (id bigint PRIMARY KEY, of_number bigint)', 'CREATE INDEX ON regress_doctor.mark (of_number)',
	'SELECT chat_rbac.protect(''regress_doctor.mark'', ''{"resource": "customer", "parent": {"table": "regress_doctor.customer", "column": "of_number", "key": "number"}}'')', 'ALTER TABLE regress_doctor.customer DROP CONSTRAINT number');

\echo -- Partitions and children
SELECT * FROM public.broken_by('ALTER EVENT TRIGGER chat_rbac_new_parts DISABLE', 'CREATE TABLE regress_doctor.chat_2 PARTITION OF regress_doctor.chat FOR VALUES IN (2)', 'ALTER EVENT TRIGGER chat_rbac_new_parts ENABLE ALWAYS');
SELECT * FROM public.broken_by('ALTER EVENT TRIGGER chat_rbac_new_parts DISABLE', 'ALTER TABLE regress_doctor.chat_1 DISABLE ROW LEVEL SECURITY', 'ALTER EVENT TRIGGER chat_rbac_new_parts ENABLE ALWAYS');
SELECT * FROM public.broken_by('CREATE POLICY p ON regress_doctor.chat_1 USING (true)');
SELECT * FROM public.broken_by('CREATE FOREIGN DATA WRAPPER regress_chat_rbac_fdw', 'CREATE SERVER regress_chat_rbac_server FOREIGN DATA WRAPPER regress_chat_rbac_fdw',
	'CREATE FOREIGN TABLE regress_doctor.far () INHERITS (regress_doctor.customer) SERVER regress_chat_rbac_server', 'GRANT SELECT ON regress_doctor.far TO regress_chat_rbac_app');
-- one that comes later has all it needs
SELECT * FROM public.broken_by('CREATE TABLE regress_doctor.vip () INHERITS (regress_doctor.customer)');
SELECT * FROM public.broken_by('CREATE TABLE regress_doctor.vip () INHERITS (regress_doctor.customer)', 'DROP TRIGGER chat_rbac_mask_1 ON regress_doctor.vip');

\echo -- Versions and preload
SELECT object, regexp_replace(finding, '\d+\.\d+\.\d+$', 'L'), fix FROM public.broken_by('UPDATE pg_extension SET extversion = ''0.0.1'' WHERE extname = ''chat_rbac''');
SELECT * FROM public.broken_by('ALTER ROLE regress_chat_rbac_app IN DATABASE regress_chat_rbac_doctor SET session_preload_libraries = ''auto_explain''');
SELECT * FROM public.broken_by('ALTER ROLE regress_chat_rbac_app SET session_preload_libraries = ''auto_explain, "$libdir/chat_rbac"''');
-- event triggers can be switched off from PostgreSQL 17 on
SELECT CASE WHEN current_setting('server_version_num')::int < 170000 THEN true
	ELSE (SELECT string_agg(object || ': ' || fix, ' ' ORDER BY object) = 'role regress_chat_rbac_app: ALTER ROLE regress_chat_rbac_app RESET event_triggers; setting event_triggers: REVOKE SET ON PARAMETER event_triggers FROM regress_chat_rbac_app;'
		FROM public.broken_by('ALTER ROLE regress_chat_rbac_app SET event_triggers = off', 'GRANT SET ON PARAMETER event_triggers TO regress_chat_rbac_app')) END AS found;
SELECT library, chat_rbac.is_preloaded(library) FROM unnest('{chat_rbac,"x, chat_rbac.so",$libdir/chat_rbac,"\"/a b/chat_rbac.so\"",chat_rbac2,my_chat_rbac,x,""}'::text[]) AS library;

ALTER DATABASE regress_chat_rbac_doctor SET session_preload_libraries = 'auto_explain';
\c
SET client_min_messages = warning;
SELECT * FROM chat_rbac.doctor();
ALTER DATABASE regress_chat_rbac_doctor RESET session_preload_libraries;
\c
SET client_min_messages = warning;

\echo -- The trail
SELECT * FROM public.broken_by('ALTER EVENT TRIGGER chat_rbac_trail_parts DISABLE', 'ALTER TABLE chat_rbac.audit_event_default DISABLE ROW LEVEL SECURITY', 'DROP TRIGGER refuse_tampering_stmt ON chat_rbac.audit_event_default',
	'CREATE POLICY p ON chat_rbac.audit_event_default USING (true)', 'ALTER EVENT TRIGGER chat_rbac_trail_parts ENABLE ALWAYS');
SELECT * FROM public.broken_by('UPDATE chat_rbac.audit_event SET at = at - interval ''2 days''');
SELECT chat_rbac.audit_seal() ~ '^chat_rbac block 1 ' AS sealed;
SELECT * FROM public.broken_by('UPDATE chat_rbac.audit_event SET at = at - interval ''2 days''');
SELECT * FROM public.broken_by('UPDATE chat_rbac.audit_event SET at = at - interval ''36 days''');

\echo -- Its fixes are SQL that helps
CREATE FUNCTION pg_temp.fixed(VARIADIC statements text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	before bigint;
	after bigint;
BEGIN
	FOREACH statement IN ARRAY statements LOOP
		EXECUTE statement;
	END LOOP;
	SELECT count(*) INTO before FROM chat_rbac.doctor();
	FOR statement IN SELECT fix FROM chat_rbac.doctor() LOOP
		EXECUTE statement;
	END LOOP;
	SELECT count(*) INTO after FROM chat_rbac.doctor();
	RETURN format('%s, then %s', before, after);
END
$$;
SELECT pg_temp.fixed('ALTER TABLE regress_doctor.chat DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', 'ALTER POLICY chat_rbac_select ON regress_doctor.chat USING (true)',
	'CREATE POLICY "for all" ON regress_doctor.chat USING (true)', 'ALTER TABLE regress_doctor.customer DISABLE TRIGGER ALL', 'DROP TRIGGER chat_rbac_truncate ON regress_doctor.customer',
	'ALTER TABLE chat_rbac.role_grant DISABLE TRIGGER ALL, DISABLE ROW LEVEL SECURITY', 'ALTER EVENT TRIGGER chat_rbac_new_parts DISABLE', 'ALTER FUNCTION chat_rbac.current_org() NOT LEAKPROOF',
	'GRANT EXECUTE ON FUNCTION chat_rbac.protect TO PUBLIC', 'GRANT SELECT ON chat_rbac.signing_key TO PUBLIC', 'GRANT CREATE ON SCHEMA chat_rbac TO PUBLIC',
	'CREATE POLICY keys ON chat_rbac.signing_key USING (true)', 'DROP INDEX regress_doctor.chat_assignee_idx', 'ALTER ROLE regress_chat_rbac_app BYPASSRLS REPLICATION',
	'GRANT regress_chat_rbac_owner TO regress_chat_rbac_app', 'GRANT SET ON PARAMETER chat_rbac.identity TO PUBLIC', 'CREATE VIEW regress_doctor.v AS SELECT id FROM regress_doctor.chat',
	'ALTER VIEW regress_doctor.card SET (security_barrier = off)', 'GRANT SELECT ON regress_doctor.customer TO regress_chat_rbac_agent', 'CREATE POLICY p ON regress_doctor.chat_1 USING (true)',
	'CREATE OR REPLACE VIEW regress_doctor.card AS SELECT * FROM regress_doctor.customer', 'DROP TRIGGER refuse_tampering_stmt ON chat_rbac.audit_event_default',
	'ALTER ROLE regress_chat_rbac_app IN DATABASE regress_chat_rbac_doctor SET session_preload_libraries = ''auto_explain''');
-- also a membership that others gave, or by way of others
SELECT pg_temp.fixed('CREATE ROLE regress_chat_rbac_all', 'CREATE ROLE regress_chat_rbac_bi', 'GRANT regress_chat_rbac_owner TO regress_chat_rbac_all WITH ADMIN OPTION', 'SET ROLE regress_chat_rbac_all',
	'GRANT regress_chat_rbac_owner TO regress_chat_rbac_agent, regress_chat_rbac_bi', 'RESET ROLE', 'GRANT regress_chat_rbac_bi TO regress_chat_rbac_app');

\c postgres
SET client_min_messages = warning;
DROP DATABASE regress_chat_rbac_doctor;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_owner, regress_chat_rbac_app, regress_chat_rbac_agent, regress_chat_rbac_all, regress_chat_rbac_bi;

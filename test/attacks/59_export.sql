--
-- Export without the right to it: COPY of a table, of queries, of functions and views, with
-- writes in it, from cursors, in other formats; and bulk reads where they are bounded.
--
-- Must happen: COPY ... TO is refused where <resource>.export is not held for all that one
-- sees of each table that is read; what is let through is recorded; server files and
-- programs are for superusers.
--
-- Known leaks: a copy made first in a table of one's own is exported freely; one row may
-- hold many (json_agg), and many small queries are none of them large.
--
SELECT * FROM no_plan();
SET client_min_messages = error;
CREATE FUNCTION lab.exports() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'export' $$;
CALL lab.become('Sue');
CREATE FUNCTION own.rows() RETURNS SETOF inbox.conversation LANGUAGE sql STABLE AS 'TABLE inbox.conversation';
CREATE FUNCTION own.opaque() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT c::text FROM inbox.conversation AS c; END';
CREATE FUNCTION own.dynamic() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE 'SELECT string_agg(c::text, '''') FROM inbox.conversation AS c' INTO r; RETURN r; END $$;
CREATE FUNCTION own.from_cursor(c refcursor) RETURNS SETOF text LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN LOOP FETCH c INTO r; EXIT WHEN NOT FOUND; RETURN NEXT r::text; END LOOP; END $$;
CREATE FUNCTION own.definer() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT c::text FROM inbox.conversation AS c';
CREATE FUNCTION own.swallow() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN SELECT string_agg(c::text, '') INTO r FROM inbox.conversation AS c; RETURN r; EXCEPTION WHEN OTHERS THEN RETURN 'refused'; END $$;
CREATE VIEW own.v WITH (security_invoker) AS TABLE inbox.conversation;
CREATE VIEW own.w AS SELECT 1 AS x WHERE EXISTS (SELECT FROM inbox.message);
CREATE TABLE own.kept (x text);
CALL lab.dba();
-- A role that may write files of the server: COPY to the client is not for functions.
SELECT to_regrole('attack_59_files') IS NULL AS missing \gset
\if :missing
	CREATE ROLE attack_59_files LOGIN;
\endif
SET client_min_messages = error;
GRANT attack_app, pg_write_server_files TO attack_59_files;
CREATE FUNCTION lab.execute(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN '00000';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
GRANT EXECUTE ON FUNCTION lab.execute TO PUBLIC;
CREATE FUNCTION lab.copy(who text, statement text) RETURNS text LANGUAGE sql AS $$
	SELECT trim(E'()\n' FROM lab.run_as(who, format('SELECT lab.execute(%L)', statement), CASE WHEN statement ~ '/dev/null' THEN 'attack_59_files' ELSE 'attack_app' END)) $$;
SELECT is(lab.copy('Sue', c.form), c.answer, c.form) FROM (VALUES
	('COPY inbox.conversation TO ''/dev/null''', '42501'),
	('COPY inbox.conversation (id) TO ''/dev/null''', '42501'),
	('COPY (TABLE inbox.conversation) TO ''/dev/null''', '42501'),
	('COPY (SELECT count(*) FROM inbox.message) TO ''/dev/null''', '42501'),
	('COPY (SELECT json_agg(c) FROM inbox.conversation AS c) TO ''/dev/null'' (FORMAT csv)', '42501'),
	('COPY (SELECT 1 WHERE EXISTS (SELECT FROM inbox.customer)) TO ''/dev/null''', '42501'),
	('COPY (SELECT * FROM own.rows()) TO ''/dev/null''', '42501'),
	('COPY (SELECT * FROM own.opaque()) TO ''/dev/null''', '42501'),
	('COPY (SELECT own.dynamic()) TO ''/dev/null''', '42501'),
	('COPY (SELECT * FROM own.definer()) TO ''/dev/null''', '42501'),
	('COPY (TABLE own.v) TO ''/dev/null'' (FORMAT binary)', '42501'),
	('COPY (TABLE own.w) TO ''/dev/null''', '42501'),
	('COPY (UPDATE inbox.conversation SET labels = labels RETURNING *) TO ''/dev/null''', '42501'),
	('COPY (WITH u AS (UPDATE inbox.conversation SET labels = labels RETURNING *) SELECT * FROM u) TO ''/dev/null''', '42501'),
	('COPY (INSERT INTO own.kept SELECT c::text FROM inbox.conversation AS c RETURNING x) TO ''/dev/null''', '42501'),
	('COPY (DELETE FROM inbox.participant AS p USING inbox.conversation AS c WHERE false RETURNING c.*) TO ''/dev/null''', '42501'),
	('COPY (VALUES ((SELECT max(labels) FROM inbox.conversation))) TO ''/dev/null''', '42501'),
	('COPY (SELECT query_to_xml(''TABLE inbox.conversation'', true, true, '''')) TO ''/dev/null''', '42501'),
	('COPY (TABLE chat_rbac.audit_event) TO ''/dev/null''', '42501'),
	('COPY (TABLE chat_rbac.activity) TO ''/dev/null''', '42501'),
	('COPY inbox.conversation TO ''/tmp/attack_59''', '42501'),
	('COPY (SELECT 1) TO PROGRAM ''cat''', '42501'),
	('COPY own.kept FROM PROGRAM ''id''', '42501'),
	('COPY own.kept FROM ''/etc/passwd''', '42501'),
	('COPY (SELECT 1 FROM inbox.report_load) TO ''/dev/null''', '42501'),
	('COPY (SELECT chat_rbac.can(''conversation.view'', ''inbox.conversation'', 1)) TO ''/dev/null''', '00000'),
	('COPY (SELECT own.swallow()) TO ''/dev/null''', '00000'),
	('COPY own.kept TO ''/dev/null''', '00000')) AS c (form, answer);
SELECT is(lab.copy('Sue', 'DO $d$ BEGIN EXECUTE ''DECLARE c CURSOR FOR TABLE inbox.conversation''; EXECUTE ''COPY (SELECT * FROM own.from_cursor(''''c'''')) TO ''''/dev/null''''''; END $d$'), '42501', 'a cursor that was opened before');
-- and to the client: psql says ERROR twice, and what left would be recorded
\set ON_ERROR_STOP 0
\set VERBOSITY sqlstate
\o /dev/null
CALL lab.become('Sue');
COPY inbox.conversation TO STDOUT;
COPY (SELECT own.dynamic()) TO STDOUT;
\o
CALL lab.dba();
\set ON_ERROR_STOP 1
\set VERBOSITY default
SELECT is(lab.exports(), 0::bigint, 'nothing of it left');
SELECT matches(lab.run_as('Sue', 'SELECT own.swallow()'), '~v1-\d+~', 'the functions do read, where nothing is copied');

-- who has the right, for all that they see
SELECT is(lab.copy('Ada', 'COPY (SELECT c.*, m.body FROM inbox.conversation AS c JOIN inbox.message AS m ON m.conversation_id = c.id) TO ''/dev/null'''), '00000', 'who holds the right may copy');
SELECT is((SELECT string_agg(actor_name || ' ' || table_name || ' ' || actions::text, ', ' ORDER BY table_name) FROM chat_rbac.audit_event WHERE operation = 'export'), 'Ada inbox.conversation {conversation.export}, Ada inbox.message {message.export}', 'who holds the right exports, and it is recorded, for each table');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Half', '{conversation.export@own}'), (1, 'Elsewhere', '{conversation.export}');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Half', 'Support'), chat_rbac.grant_role('acme', 'Sue', 'Elsewhere', 'Sales') \g /dev/null
SELECT is(lab.copy('Sue', 'COPY (SELECT * FROM inbox.conversation WHERE assignee_id = 5) TO ''/dev/null'''), '42501', 'the right for some rows, or elsewhere, is not enough');
SELECT lab.log_out() \g /dev/null

-- bulk reads, where they are bounded
SELECT lab.remote('Sue', 'SELECT 1') \g /dev/null
SELECT format('ALTER DATABASE %I SET chat_rbac.bulk_rows = 10', current_database()) \gexec
SELECT lab.log_out() \g /dev/null
SELECT matches(lab.remote('Sue', s), '^ERROR 42501', 'more rows than that are refused: ' || s) FROM unnest('{CREATE TABLE own.mine AS TABLE inbox.conversation,INSERT INTO own.kept SELECT labels::text FROM inbox.conversation,MERGE INTO own.kept USING inbox.conversation AS c ON x = labels::text WHEN NOT MATCHED THEN INSERT VALUES (labels::text)}'::text[]) AS s;
SELECT is((SELECT count(*) FROM own.kept), 0::bigint, '... and nothing of them is kept');
SELECT matches(lab.remote('Sue', s), '^60', 'changing as many is no export: ' || s) FROM unnest('{UPDATE inbox.conversation SET labels = labels,MERGE INTO inbox.conversation AS c USING (SELECT) AS one ON true WHEN MATCHED THEN UPDATE SET labels = c.labels}'::text[]) AS s;
SELECT matches(lab.remote('Sue', 'SELECT id FROM inbox.conversation'), 'ERROR 42501', 'also by a plain query');
SELECT matches(lab.remote('Sue', 'SELECT id FROM inbox.conversation LIMIT 5'), '^\(\d+\)', 'fewer are not');
SELECT matches(lab.remote('Sue', 'SELECT json_agg(c) FROM inbox.conversation AS c'), '~v1-', 'known leak: one row may hold many');
SELECT matches(lab.remote('Sue', 'SET chat_rbac.bulk_rows = 0'), '^ERROR 42501', 'the bound is not to be set');
SELECT lab.log_out() \g /dev/null
SELECT format('ALTER DATABASE %I RESET chat_rbac.bulk_rows', current_database()) \gexec
SELECT is(lab.run_as('Sue', 'INSERT INTO own.kept SELECT c::text FROM inbox.conversation AS c') ~ '^[1-9]', true, 'known leak: a copy in a table of one''s own is made');
SELECT is(lab.copy('Sue', 'COPY own.kept TO ''/dev/null'''), '00000', '... and exported');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

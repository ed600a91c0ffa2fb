--
-- COPY in all directions: TO needs the right to export, by whatever query, function or
-- view; FROM passes by rules, so PostgreSQL refuses it of tables under policies; to and
-- from files and programs is for PostgreSQL's own roles.  Sent by a client, as COPY can
-- be sent no other way.
--
SELECT plan(25);
SET client_min_messages = error;

-- :send runs $SQL in a session of a client's own with the token $TOKEN, and keeps what comes of it in :out
\set send '\\set out `PGOPTIONS="-c chat_rbac.token=$TOKEN" psql -XqAt -v VERBOSITY=verbose -U attack_app -d "$DB" -c "$SQL" </dev/null 2>&1`'
\setenv DB :DBNAME
SELECT max(token) FILTER (WHERE name = 'Ali') AS ali, max(token) FILTER (WHERE name = 'Olga') AS olga, max(token) FILTER (WHERE name = 'Gus') AS gus, max(token) FILTER (WHERE name = 'Sue') AS sue FROM lab.person \gset
SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.by_plpgsql() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT body FROM inbox.message; END $$;
CREATE FUNCTION own.by_sql() RETURNS SETOF text LANGUAGE sql AS 'SELECT body FROM inbox.message';
CREATE FUNCTION own.by_dynamic(text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE x text; BEGIN EXECUTE $1 INTO x; RETURN x; END $$;
CREATE VIEW own.cover AS SELECT * FROM inbox.message;
RESET SESSION AUTHORIZATION;

-- who holds everything exports what is seen, and no more
\setenv TOKEN :olga
\setenv SQL 'COPY inbox.message TO STDOUT'
:send
SELECT is(lab.hidden('Olga', :'out') = '{}' AND lab.visible('Olga', :'out') > 100, true, 'who holds everything copies out what they see');
\setenv SQL 'COPY (SELECT * FROM own.by_plpgsql()) TO STDOUT (FORMAT csv)'
:send
SELECT is(lab.hidden('Olga', :'out') = '{}' AND lab.visible('Olga', :'out') > 100, true, 'by a function, too');
\setenv TOKEN :gus
\setenv SQL 'COPY inbox.customer TO STDOUT'
:send
SELECT is(lab.hidden('Gus', :'out') = '{}' AND lab.visible('Gus', :'out') > 100, true, 'in each org its own');

-- Ali and Sue see rows, and may not export them, whatever the form
CREATE TABLE lab.form (n serial, form text);
INSERT INTO lab.form (form) VALUES ('COPY inbox.message TO STDOUT'), ('COPY inbox.message (body) TO STDOUT (FORMAT binary)'), ('COPY (TABLE inbox.message) TO STDOUT'), ('COPY (SELECT own.by_plpgsql()) TO STDOUT'), ('COPY (SELECT own.by_sql()) TO STDOUT'),
	('COPY (SELECT own.by_dynamic(''SELECT string_agg(body, chr(32)) FROM inbox.message'')) TO STDOUT'), ('COPY (TABLE own.cover) TO STDOUT'), ('COPY (SELECT string_agg(body, chr(32)) FROM inbox.message) TO STDOUT'),
	('COPY (WITH x AS MATERIALIZED (SELECT * FROM inbox.message) SELECT body FROM x) TO STDOUT'), ('COPY (SELECT x FROM (VALUES (1)) AS v (x) WHERE EXISTS (SELECT FROM inbox.message WHERE own.tell_by_error(body))) TO STDOUT'),
	('COPY (SELECT query_to_xml(''SELECT body FROM inbox.message'', true, true, '''')) TO STDOUT'), ('COPY (SELECT table_to_xml(''inbox.message'', true, true, '''')) TO STDOUT'), ('COPY (SELECT lab.attempt(''TABLE inbox.message'')) TO STDOUT'),
	('COPY (UPDATE inbox.conversation SET last_message_at = now() RETURNING labels) TO STDOUT'), ('COPY (INSERT INTO own.loot SELECT body FROM inbox.message RETURNING what) TO STDOUT'),
	('COPY (SELECT database_to_xml(true, true, '''')) TO STDOUT'), ('COPY (SELECT cursor_to_xml(own.by_dynamic(''SELECT 1'')::refcursor, 1, true, true, '''') FROM inbox.message) TO STDOUT');
\setenv TOKEN :ali
SELECT string_agg(form, E';\n') || ';' AS all_forms FROM lab.form \gset
\setenv SQL :all_forms
\set each '\\set out `printf "%s" "$SQL" | PGOPTIONS="-c chat_rbac.token=$TOKEN" psql -XqAt -v VERBOSITY=verbose -U attack_app -d "$DB" 2>&1 | tr -d "\\000"`'
:each
SELECT is((SELECT count(*) FROM lab.markers(:'out')), 0::bigint, 'Ali copies nothing out, by any form');
SELECT is((SELECT count(*) FROM regexp_matches(:'out', 'ERROR:  42501: permission "[a-z]+\.export" is needed to copy', 'g')), (SELECT count(*) FROM lab.form WHERE form !~ 'lab.attempt'), 'each is refused for want of that right');
\setenv TOKEN :sue
:each
SELECT is((SELECT count(*) FROM lab.markers(:'out')), 0::bigint, 'nor does Sue');
\setenv TOKEN :ali
\setenv SQL 'COPY (SELECT body FROM inbox.message WHERE false) TO STDOUT'
:send
SELECT matches((:'out')::text, 'message.export', 'even of nothing');
\setenv SQL 'CREATE TEMP TABLE mine AS SELECT body FROM inbox.message; COPY mine TO STDOUT'
:send
SELECT is(lab.hidden('Ali', :'out') = '{}' AND lab.visible('Ali', :'out') > 10, true, 'known leak: who sees rows may copy them, and COPY the copy');
\setenv SQL 'COPY chat_rbac.audit_event TO STDOUT'
:send
SELECT is((SELECT count(*) FROM lab.markers(:'out')), 0::bigint, 'nothing of the trail');

-- into tables: PostgreSQL has no COPY FROM under row-level security
\setenv TOKEN :olga
\setenv SQL 'COPY inbox.message FROM STDIN'
:send
SELECT matches((:'out')::text, 'ERROR:  0A000: COPY FROM not supported with row-level security', 'nobody copies into a protected table');
\setenv SQL 'COPY inbox.conversation (customer_id, initiated_by, inbox_id) FROM STDIN WHERE own.tell(customer_id)'
:send
SELECT matches((:'out')::text, 'ERROR:  0A000: COPY FROM not supported with row-level security', 'with a condition, neither');
\setenv SQL 'COPY chat_rbac.role_grant (org_id, member_id, role_id) FROM STDIN'
:send
SELECT matches((:'out')::text, 'ERROR:  (0A000|42501)', 'nor into the model');
\setenv SQL 'COPY chat_rbac.audit_event FROM STDIN'
:send
SELECT matches((:'out')::text, 'ERROR:  (0A000|42501)', 'nor into the trail');

-- files and programs
SELECT lab.gets_nothing('Olga', 'COPY ' || s, '^ERROR 42501: ', 'refused: COPY ' || s) FROM unnest('{"inbox.message TO ''/tmp/attack_23''","inbox.message TO PROGRAM ''cat''","own.loot FROM ''/etc/passwd''","own.loot FROM PROGRAM ''id''","(SELECT 1) TO PROGRAM ''id''"}'::text[]) AS s;
SELECT lab.gets_nothing('Ali', 'SELECT ' || s, '^ERROR 42(501|883)', 'refused: ' || s) FROM unnest('{"pg_read_file(''/etc/passwd'')","pg_ls_dir(''/'')","lo_export(1, ''/tmp/attack_23'')","lo_import(''/etc/passwd'')","dblink_connect_u(''dbname=postgres'')"}'::text[]) AS s;
-- who may read all files and is no superuser is still held to the policies
CREATE ROLE attack_23 IN ROLE pg_write_server_files, pg_execute_server_program, attack_app;
SELECT lab.gets_nothing('Ali', 'COPY inbox.message TO PROGRAM ''cat >/dev/null''', '^ERROR 42501: permission "message.export"', 'the right to export is asked for of who may run programs', 'attack_23');
SELECT matches(lab.run_as('Ali', 'COPY (SELECT 1) TO PROGRAM ''cat >/dev/null''', 'attack_23'), '^1', 'who may run them');

SELECT * FROM finish();
DROP ROLE attack_23;

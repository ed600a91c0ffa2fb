--
-- Errors that quote what they failed on: casts, arithmetic, constraints, keys, parsers,
-- refusals.  A row that is not seen must not make one, and what one quotes, in message,
-- detail, hint or context, must be the person's.  Hidden rows lie before the visible
-- ones in the tables, so that whoever was let to them would meet a hidden one first.
--
SELECT plan(49);
SET client_min_messages = error;

SET SESSION AUTHORIZATION attack_app;
CREATE DOMAIN own.short AS text CONSTRAINT short_enough CHECK (length(VALUE) < 3);
CREATE TYPE own.few AS ENUM ('one');
CREATE FUNCTION own.complain(text) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ BEGIN RAISE EXCEPTION 'm %', $1 USING DETAIL = 'd ' || $1, HINT = 'h ' || $1; END $$;
CREATE FUNCTION own.strict_one(text) RETURNS text LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$ DECLARE x int; BEGIN x := $1; RETURN x; END $$;
CREATE TABLE own.checked (x text CHECK (x < '~'), y text UNIQUE, PRIMARY KEY (x));
CREATE TABLE own.keyed (x text PRIMARY KEY);
CREATE TABLE own.referring (x text REFERENCES own.keyed);
CREATE TABLE own.parted (x text) PARTITION BY LIST (x);
CREATE TABLE own.excluded (x text, EXCLUDE USING btree (x WITH =));
RESET SESSION AUTHORIZATION;

-- ---- by a query: each fails on a row, and quotes it ----

CREATE TABLE lab.form AS SELECT n, form FROM unnest('{
"SELECT body::int FROM inbox.message",
"SELECT 1 FROM inbox.message WHERE body::int > 0",
"SELECT 1 FROM inbox.message WHERE body::int > 0 AND org_id = chat_rbac.current_org() OFFSET 0",
"SELECT 1 FROM inbox.message ORDER BY body::date",
"SELECT count(*) FROM inbox.message GROUP BY body::uuid",
"SELECT sum(body::numeric) FROM inbox.message",
"SELECT 1 FROM inbox.message a JOIN inbox.message b ON a.body::int = b.id",
"SELECT body::own.short FROM inbox.message",
"SELECT body::own.few FROM inbox.message",
"SELECT body::jsonb FROM inbox.message",
"SELECT body::json FROM inbox.message",
"SELECT (''{'' || body || ''\"'')::text[] FROM inbox.message",
"SELECT body::regclass FROM inbox.message",
"SELECT body::regrole FROM inbox.message",
"SELECT body::inet FROM inbox.message",
"SELECT body::tstzrange FROM inbox.message",
"SELECT body::point FROM inbox.message",
"SELECT body::bit(3) FROM inbox.message",
"SELECT now() AT TIME ZONE body FROM inbox.message",
"SELECT decode(body, body) FROM inbox.message",
"SELECT set_config(body, body, true) FROM inbox.message",
"SELECT current_setting(body) FROM inbox.message",
"SELECT query_to_xml(body, true, true, body) FROM inbox.message",
"SELECT (''<'' || body)::xml FROM inbox.message",
"SELECT ''x'' ~ (body || ''(''), body::name::regproc FROM inbox.message",
"SELECT encode(convert_to(body, body), ''hex'') FROM inbox.message",
"SELECT body::tsquery, (body || '' & ('')::tsquery FROM inbox.message",
"SELECT format(body || ''%Z'', 1), body::int2vector FROM inbox.message",
"SELECT jsonb_path_query(''{}'', body::jsonpath) FROM inbox.message",
"SELECT body::chat_rbac.permission FROM inbox.message",
"SELECT body::chat_rbac.permset FROM inbox.message",
"SELECT own.complain(body) FROM inbox.message",
"SELECT 1 FROM inbox.message WHERE own.complain(body) > 0",
"SELECT own.strict_one(body) FROM inbox.message",
"SELECT 1 FROM inbox.message WHERE own.tell_by_error(body)",
"INSERT INTO own.checked SELECT body, body FROM inbox.message",
"INSERT INTO own.checked SELECT ''a'' || id, (SELECT max(body) FROM inbox.message) FROM inbox.message",
"INSERT INTO own.referring SELECT body FROM inbox.message",
"INSERT INTO own.parted SELECT body FROM inbox.message",
"INSERT INTO own.excluded SELECT body FROM inbox.message UNION ALL SELECT body FROM inbox.message"
}'::text[]) WITH ORDINALITY AS f (form, n);
CREATE TABLE lab.outcome AS SELECT p AS name, f.form, o AS output FROM unnest('{Gwen,Hana,Vic}'::text[]) AS p, lab.form AS f, LATERAL lab.run_as(p, f.form) AS o;
SELECT is_empty($$ SELECT name, form, lab.hidden(name, output), output FROM lab.outcome WHERE lab.hidden(name, output) <> '{}' LIMIT 3 $$, 'no error quotes a hidden row');
SELECT is_empty($$ SELECT form, output FROM lab.outcome WHERE name = 'Gwen' AND output !~ '^ERROR' LIMIT 3 $$, 'each of them fails on a row that is seen');
SELECT ok(count(*) >= 30, 'and nearly all of them quote it') || E'\n' || diag(count(*)::text)
	FROM lab.outcome WHERE name = 'Gwen' AND lab.visible(name, output) > 0;
SELECT is_empty($$ SELECT form, output FROM lab.outcome WHERE name = 'Vic' AND output ~ '^ERROR' $$, 'where nothing is seen, nothing fails');
-- arithmetic on one row: a question with yes and no
SELECT is(lab.run_as('Ali', format('SELECT 1 / (id - %s) FROM inbox.conversation WHERE id = %1$s', id)) ~ '^ERROR 22012', 'Ali' = ANY (seen_by), format('conversation %s of org %s fails a division only if it is seen', id, org_id))
FROM lab.marker WHERE kind = 'conversation' AND id IN (1, 3, 4, 14, 15, 17) AND org_id = 1 ORDER BY id;

-- ---- by writing: what constraints say of a row ----

-- conversations 1 and 2: 1 is in the queue of Support or of Ben or Ali, by the fixture
CREATE FUNCTION lab.first_of(who text) RETURNS bigint LANGUAGE sql AS $$ SELECT min(id) FROM inbox.conversation WHERE org_id = 1 AND assignee_id = (SELECT member_id FROM lab.person WHERE name = who) $$;
ALTER TABLE inbox.conversation ADD CONSTRAINT lab_secret CHECK (status <> 'open' OR priority < 2 OR labels = '{}') NOT VALID, ADD lab_new int UNIQUE;
GRANT ALL ON inbox.conversation TO attack_app;
SELECT lab.gets_nothing('Ali', format('UPDATE inbox.conversation SET %s WHERE id = %s', s, lab.first_of('Ali')), '^ERROR 23[0-9]+: [^\n]*\n\n', 'an UPDATE that violates a constraint quotes no row: ' || s)
FROM unnest('{status = ''bogus'',status = NULL,status = ''snoozed''}'::text[]) AS s;
SELECT lab.gets_nothing('Olga', 'UPDATE inbox.conversation SET priority = 3', '^ERROR 23514: [^\n]*\n\n', 'nor does one of many rows');
SELECT lab.gets_nothing('Olga', 'UPDATE inbox.conversation SET lab_new = 1', '^ERROR 23505: [^\n]*\n\n', 'nor one that violates a unique key');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id, status) SELECT customer_id, initiated_by, inbox_id, team_id, assignee_id, ''bogus'' FROM inbox.conversation',
	'^ERROR (23514|42501): [^\n]*\n\n', 'nor does an INSERT');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.task (title) VALUES (NULL)', '^ERROR 23502: [^\n]*\n\n', 'nor one without a value');
SELECT is(lab.run_as('Ali', 'INSERT INTO own.checked (y) VALUES (''mine'')') ~ 'Failing row contains', true, 'PostgreSQL quotes them where no policy is');
-- the attacker adds nothing to the tables that would quote them
SELECT lab.gets_nothing('Ali', 'ALTER TABLE inbox.message ' || a, '^ERROR 42501: must be owner', 'nobody alters the table: ' || a)
FROM unnest('{ADD CHECK (body = ''''),ALTER body TYPE int USING body::int,ALTER body SET DEFAULT own.tell(1)::text,ADD UNIQUE (kind),VALIDATE CONSTRAINT message_kind_check}'::text[]) AS a;

-- ---- refusals say which permission is missing, and nothing else ----

SELECT lab.gets_nothing(who, statement, '^(0\n$|ERROR 42501: [^\n]*\n)', who || ' is told no value: ' || statement)
FROM (VALUES
	('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (4, ''reply'', ''x'')'),
	('Ali', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (12, ''incoming'', ''x'')'),
	('Ali', 'INSERT INTO inbox.message (org_id, conversation_id, kind, body) VALUES (2, 4, ''reply'', ''x'')'),
	('Ali', 'INSERT INTO inbox.participant (conversation_id, member_id) VALUES (13, 6)'),
	('Ali', 'UPDATE inbox.conversation SET labels = ''{x}'''),
	('Sue', 'UPDATE inbox.conversation SET org_id = 2'),
	('Sue', 'UPDATE inbox.conversation SET created_at = now()'),
	('Ali', 'UPDATE inbox.conversation SET priority = 1'),
	('Sue', 'DELETE FROM inbox.conversation'),
	('Sue', 'UPDATE inbox.message SET body = ''x'''),
	('Sue', 'DELETE FROM inbox.task'),
	('Gwen', 'UPDATE inbox.customer SET balance = 1')) AS v (who, statement);

-- ---- the same error, or none, for what is hidden and for what is not there ----

CREATE FUNCTION lab.alike(who text, statement text, hidden_id bigint, missing bigint DEFAULT 987654) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a text := replace(lab.run_as(who, replace(statement, '@', hidden_id::text)), hidden_id::text, '@');
	b text := replace(lab.run_as(who, replace(statement, '@', missing::text)), missing::text, '@');
BEGIN
	RETURN is(a, b, format('%s is told the same of a row that is hidden and of one that is not: %s', who, statement));
END $$;
SELECT lab.alike('Ali', s, 13) FROM unnest('{
"UPDATE inbox.conversation SET status = ''closed'' WHERE id = @",
"UPDATE inbox.conversation SET org_id = 2 WHERE id = @",
"DELETE FROM inbox.conversation WHERE id = @",
"SELECT * FROM inbox.conversation WHERE id = @ FOR UPDATE NOWAIT",
"INSERT INTO inbox.message (conversation_id, kind, body) VALUES (@, ''reply'', ''x'')",
"INSERT INTO inbox.message (conversation_id, kind, body) VALUES (@, ''incoming'', ''x'')",
"INSERT INTO inbox.message (org_id, conversation_id, kind, body) VALUES (2, @, ''reply'', ''x'')",
"INSERT INTO inbox.participant (conversation_id, member_id) VALUES (@, 6)",
"INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (@, ''agent'', 30, 10, 6)",
"UPDATE inbox.conversation SET customer_id = @ WHERE id = 3",
"UPDATE inbox.conversation SET assignee_id = @ WHERE id = 3",
"UPDATE inbox.message SET conversation_id = @",
"INSERT INTO inbox.lead (customer_id, stage) VALUES (@, ''x'')",
"MERGE INTO inbox.conversation c USING (SELECT) x ON c.id = @ WHEN MATCHED THEN DELETE"
}'::text[]) AS s;

SELECT * FROM finish();

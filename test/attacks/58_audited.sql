--
-- An audited view, read so that the read is not recorded: cursors, inlined and other
-- functions, sub-selects, prepared statements, workers, rows that are thrown away, errors,
-- savepoints, the gate called by hand, the table behind it.
--
-- Must happen: each execution that shows rows is one event, with who and how many rows; a
-- read in a transaction that is rolled back is in the server log; what cannot be recorded
-- is refused; who has the view has not the table.
--
SELECT * FROM no_plan();
CREATE FUNCTION lab.events() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM chat_rbac.audit_event WHERE operation = 'read' $$;
CREATE FUNCTION lab.last_read() RETURNS text LANGUAGE sql AS $$ SELECT format('%s %s %s', actor_name, actions, new - 'grouped') FROM chat_rbac.audit_event WHERE operation = 'read' ORDER BY at DESC, event_id DESC LIMIT 1 $$;
SELECT matches(lab.run_as('Sue', s, 'attack_bi'), '^ERROR 42501', 'the table behind it is not read: ' || s) FROM unnest('{SELECT labels FROM inbox.conversation,SELECT conversation FROM inbox.conversation,SELECT team_id FROM inbox.conversation WHERE id = 1}'::text[]) AS s;

-- each way, in a session of its own: so many events more
CREATE TABLE lab.way (n int GENERATED ALWAYS AS IDENTITY, statement text, events int, answer text DEFAULT '~v1-\d+~');
GRANT CREATE, USAGE ON SCHEMA own TO attack_bi;
INSERT INTO lab.way (statement, events, answer) VALUES
	('TABLE inbox.report', 1, DEFAULT), ('SELECT labels FROM inbox.report WHERE id = 1', 1, DEFAULT), ('SELECT count(*) FROM inbox.report', 1, '^\(\d+\)'), ('SELECT 1 FROM inbox.report LIMIT 1', 1, '^\(1\)'), ('SELECT EXISTS (SELECT FROM inbox.report WHERE id = 1)', 1, '^\(t\)'),
	('SELECT (SELECT string_agg(labels::text, '''') FROM inbox.report)', 1, DEFAULT), ('WITH x AS MATERIALIZED (TABLE inbox.report) SELECT * FROM x', 1, DEFAULT), ('SELECT a.labels FROM inbox.report AS a JOIN inbox.report AS b USING (id)', 1, DEFAULT), ('SELECT labels FROM inbox.report OFFSET 5', 1, DEFAULT),
	('SELECT labels FROM generate_series(1, 2) AS i, LATERAL (SELECT * FROM inbox.report WHERE id = i) AS x', 1, DEFAULT), ('SELECT labels FROM ROWS FROM (own.inlined()) AS x (labels)', 1, DEFAULT), ('SELECT * FROM own.opaque()', 1, DEFAULT), ('SELECT * FROM own.swallow()', 1, DEFAULT), ('SELECT own.each(i) FROM generate_series(1, 3) AS i', 3, DEFAULT),
	('SELECT * FROM own.behind', 1, DEFAULT), ('CREATE TABLE own.copied AS TABLE inbox.report', 1, '^\d+'), ('INSERT INTO own.loot SELECT labels::text FROM inbox.report', 1, '^\d+'), ('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) TABLE inbox.report', 1, 'Scan'), ('EXPLAIN TABLE inbox.report', 0, 'Scan'), ('SELECT * FROM inbox.report WHERE false', 0, '^$'),
	('SELECT * FROM inbox.report WHERE own.tell_by_error(labels)', 1, 'saw \{~v1'), ('SELECT chat_rbac.read_gate(gate) FROM chat_rbac.protected_view', 0, '^ERROR 55000'), ('SELECT chat_rbac.read_gate(''x'')', 0, '^ERROR 55000'), ('SELECT query_to_xml(''TABLE inbox.report'', true, true, '''')', 1, DEFAULT), ('SELECT schema_to_xml(''own'', true, true, '''')', 1, DEFAULT),
	('SELECT labels FROM inbox.report TABLESAMPLE SYSTEM (100)', 0, '^ERROR (42|0A)'), ('DELETE FROM own.loot USING inbox.report WHERE what = labels::text', 1, '^\d+'), ('VALUES ((SELECT max(labels) FROM inbox.report)), (NULL)', 1, DEFAULT), ('SELECT labels FROM inbox.report FOR UPDATE', 0, '^ERROR 42501');
CALL lab.become('Sue', 'attack_bi');
CREATE FUNCTION own.inlined() RETURNS SETOF text[] LANGUAGE sql STABLE AS 'SELECT labels FROM inbox.report';
CREATE FUNCTION own.opaque() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT labels::text FROM inbox.report; END';
CREATE FUNCTION own.swallow() RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN BEGIN SELECT string_agg(labels::text, '') INTO r FROM inbox.report; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN RETURN r; END; END $$;
CREATE FUNCTION own.each(i bigint) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN SELECT labels::text INTO r FROM inbox.report WHERE id = i OR id < 3; RETURN r; END $$;
CREATE FUNCTION own.each(i int) RETURNS text LANGUAGE sql AS 'SELECT own.each(i::bigint)';
CREATE VIEW own.behind AS SELECT * FROM inbox.report;
CALL lab.dba();
CREATE PROCEDURE lab.try_ways() LANGUAGE plpgsql AS $$
DECLARE
	w lab.way; before bigint; output text;
BEGIN
	CREATE TEMP TABLE tried (n int, statement text, made bigint, output text);
	FOR w IN SELECT * FROM lab.way ORDER BY n LOOP
		before := lab.events();
		output := lab.remote('Sue', w.statement, 'attack_bi');
		COMMIT;
		INSERT INTO tried VALUES (w.n, w.statement, lab.events() - before, output);
		COMMIT;
	END LOOP;
END $$;
CALL lab.try_ways();
SELECT is(t.made || ' ' || (t.output ~ w.answer) || ' ' || (lab.hidden('Sue', t.output, true))::text, w.events || ' true {}', w.statement) || CASE WHEN t.made <> w.events OR t.output !~ w.answer THEN E'\n' || diag(left(t.output, 300)) ELSE '' END FROM tried t JOIN lab.way w USING (n) ORDER BY n;
SELECT lab.remote('Sue', 'TABLE inbox.report', 'attack_bi') \g /dev/null
SELECT matches(lab.last_read(), '^Sue \{conversation.view\} \{"rows": \d\d', 'an event says who, what and how many rows');

-- protocol forms: prepared, by parts of a cursor, with workers, in a sub-transaction that is rolled back
SELECT dblink_exec('Sue attack_bi', s) FROM unnest('{PREPARE p AS TABLE inbox.report,BEGIN,DECLARE c CURSOR FOR TABLE inbox.report,MOVE 2 IN c,MOVE 2 IN c}'::text[]) AS s \g /dev/null
SELECT lab.events() AS events \gset
SELECT dblink_exec('Sue attack_bi', 'COMMIT') \g /dev/null
SELECT is(lab.events() - :events, 1::bigint, 'a cursor that is fetched in parts is one');
SELECT matches(lab.last_read(), '"rows": 4', '... with all its rows');
SELECT lab.events() AS events \gset
SELECT count(*) FROM dblink('Sue attack_bi', 'EXECUTE p') AS t (a bigint, b bigint, c bigint, d bigint, e text, f text[]) \g /dev/null
SELECT is(lab.events() - :events, 1::bigint, 'a prepared statement is one for each execution');
SELECT lab.events() AS events \gset
SELECT dblink_exec('Sue attack_bi', s) FROM unnest('{BEGIN,SAVEPOINT a,CREATE TEMP TABLE seen AS TABLE inbox.report,ROLLBACK TO a,COMMIT}'::text[]) AS s \g /dev/null
SELECT is(lab.events() - :events, 1::bigint, 'one within a savepoint that is rolled back is recorded');
SELECT lab.events() AS events \gset
SELECT dblink_exec('Sue attack_bi', s) FROM unnest('{BEGIN,DECLARE d CURSOR WITH HOLD FOR TABLE inbox.report,COMMIT,MOVE 3 IN d,CLOSE d}'::text[]) AS s \g /dev/null
SELECT is(lab.events() - :events, 1::bigint, 'one of a cursor that is held too');
SELECT matches(lab.remote('Sue', 'SET default_transaction_read_only = on', 'attack_bi') || lab.remote('Sue', 'SELECT 1', 'attack_bi') || lab.remote('Sue', 'TABLE inbox.report', 'attack_bi'), 'ERROR 25006', 'in a read-only transaction it is refused');
SELECT matches(lab.run_as('Sue', s, 'attack_bi'), '^ERROR (42501|55P02)', 'not to be set: ' || s) FROM unnest('{SET chat_rbac.read_audit = log,SET LOCAL chat_rbac.read_audit = log}'::text[]) AS s;
-- the reader is told of nothing of others' reads
SELECT lab.remote('Gwen', 'TABLE inbox.report', 'attack_bi') \g /dev/null
SELECT is(lab.run_as('Gwen', 'SELECT actor_name FROM chat_rbac.audit_event WHERE operation = ''read'''), E'(Gwen)\n', 'a reader sees own reads, and not others''');
SELECT is(lab.run_as('Ali', 'SELECT count(*) FROM chat_rbac.audit_event WHERE operation = ''read'''), E'(0)\n', 'nor who did not read');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

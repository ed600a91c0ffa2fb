--
-- What PostgreSQL 16, 17 and 18 brought: memberships without SET or INHERIT; MERGE by
-- source, with RETURNING and in COPY; SQL/JSON, whose errors tell values; EXPLAIN that
-- plans for anybody or makes the rows' texts; MAINTAIN; event triggers that can be
-- switched off; OLD and NEW in RETURNING; columns computed when they are read; keys and
-- foreign keys with a period; statistics that one may write.
--
-- Must happen: what the older forms of the same get, which is what the person may see.
--
-- Known leak: that a period of a key is taken, as of any key.
--
SELECT * FROM no_plan();
SET client_min_messages = error;
SELECT v >= 160000 AS is_16, v >= 170000 AS is_17, v >= 180000 AS is_18 FROM (SELECT current_setting('server_version_num')::int) AS s (v) \gset

-- ---- memberships: a login is who may become it ----

SELECT to_regrole('attack_61_sue') IS NULL AS missing \gset
\if :missing
	CREATE ROLE attack_61_sue LOGIN;
	CREATE ROLE attack_61_heir LOGIN;
	CREATE ROLE attack_61_other LOGIN;
\endif
SET client_min_messages = error;
GRANT attack_app TO attack_61_sue, attack_61_heir, attack_61_other;
UPDATE chat_rbac.member SET login = 'attack_61_sue' WHERE (org_id, member_id) = (1, 5);
SELECT lab.sees_own_only('Sue', 'SELECT labels FROM inbox.conversation', 'by the login one is its member', 'attack_61_sue');
SELECT is(lab.run_as('', s, 'attack_61_heir'), '()' || E'\n', 'who is no member is nobody: ' || s) FROM unnest('{SELECT member FROM chat_rbac.whoami()}'::text[]) AS s;
SELECT matches(lab.run_as('', 'SET ROLE attack_61_sue', 'attack_61_heir'), '^ERROR 42501', '... and does not become it');
\if :is_16
	GRANT attack_61_sue TO attack_61_heir WITH INHERIT TRUE, SET FALSE;
	GRANT attack_61_sue TO attack_61_other WITH INHERIT FALSE, SET FALSE;
	SELECT is(lab.run_as('', 'SELECT member FROM chat_rbac.whoami()', r), E'()\n', 'who has its privileges, or just its name, is nobody: ' || r) FROM unnest('{attack_61_heir,attack_61_other}'::text[]) AS r;
	SELECT lab.gets_nothing('', 'SELECT labels FROM inbox.conversation', '^$', '... and sees nothing', r) FROM unnest('{attack_61_heir,attack_61_other}'::text[]) AS r;
	SELECT matches(lab.run_as('', 'SET ROLE attack_61_sue', r), '^ERROR 42501', '... and does not become it') FROM unnest('{attack_61_heir,attack_61_other}'::text[]) AS r;
	SELECT is(lab.run_as('', 'EXPLAIN (GENERIC_PLAN, COSTS OFF) SELECT 1 FROM inbox.conversation WHERE labels = $1', 'attack_61_heir') ~ 'current_org', true, 'a plan for anybody has the policy');
	REVOKE attack_61_sue FROM attack_61_heir, attack_61_other;
\endif
REVOKE attack_app FROM attack_61_sue, attack_61_heir, attack_61_other;

-- ---- MERGE ----

SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.ids AS SELECT i AS id FROM generate_series(1, 120) AS i;
CREATE TABLE own.kept (id bigint, x text);
RESET SESSION AUTHORIZATION;
CREATE FUNCTION lab.state() RETURNS text LANGUAGE sql AS $$ SELECT md5(string_agg(t, ' ' ORDER BY t)) FROM (
	SELECT c::text AS t FROM inbox.conversation AS c UNION ALL SELECT m::text FROM inbox.message AS m UNION ALL SELECT k::text FROM inbox.customer AS k UNION ALL SELECT x::text FROM inbox.task AS x) AS t $$;
SELECT lab.state() AS before \gset
\if :is_17
	SELECT lab.sees_own_only(who, s, who || ': ' || left(s, 130)) FROM unnest('{Ali,Sue}'::text[]) AS who, unnest(ARRAY[
		'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id WHEN MATCHED THEN UPDATE SET id = t.id RETURNING merge_action(), t.*, own.tell(t.labels)',
		'MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON false WHEN NOT MATCHED BY SOURCE AND own.tell(t) THEN UPDATE SET id = t.id RETURNING merge_action(), t',
		'WITH m AS (MERGE INTO own.kept AS t USING inbox.message AS m ON t.id = m.id WHEN NOT MATCHED AND own.tell(m.body) THEN INSERT VALUES (m.id, m.body) RETURNING merge_action(), t.*, m.*) SELECT * FROM m, inbox.conversation AS c WHERE own.tell(c)',
		'MERGE INTO own.kept AS t USING inbox.message AS m ON t.id = m.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY SOURCE AND own.tell((SELECT string_agg(body, '''') FROM inbox.message)) THEN DELETE RETURNING t.*, m.*']) AS s;
	SELECT is((SELECT count(*) FROM own.kept), 0::bigint, 'what was put away was one''s own');
	SELECT lab.gets_nothing(who, s, p, who || ': ' || s) FROM (VALUES
		('Ali', 'MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON false WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), t', '^ERROR 42501'),
		('Ali', 'MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON false WHEN NOT MATCHED BY SOURCE THEN UPDATE SET priority = 3', '^ERROR 42501'),
		('Ali', 'MERGE INTO inbox.message AS t USING (SELECT) AS s ON false WHEN NOT MATCHED BY SOURCE AND own.tell_by_error(t.body) THEN DO NOTHING WHEN NOT MATCHED BY SOURCE THEN UPDATE SET body = ''x''', '^ERROR'),
		('Vic', 'MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON false WHEN NOT MATCHED BY SOURCE THEN DELETE', '^(0|ERROR 42501)'),
		('Ali', 'MERGE INTO inbox.card AS t USING own.ids AS i ON t.id = i.id WHEN MATCHED THEN DELETE', '^ERROR 42501: permission denied for view card')) AS v (who, s, p);
	SELECT is(lab.state(), :'before', 'nothing has changed');
\endif

-- ---- what errors and plans tell ----

\if :is_17
	SELECT lab.gets_nothing(who, s, NULL, who || ': ' || s) FROM unnest('{Ali,Vic}'::text[]) AS who, unnest(ARRAY[
		'SELECT 1 FROM inbox.message WHERE JSON_VALUE(to_jsonb(body), ''$'' RETURNING int ERROR ON ERROR) = 1',
		'SELECT 1 FROM inbox.message AS m, JSON_TABLE(to_jsonb(m.body), ''$'' COLUMNS (x int PATH ''$'' ERROR ON ERROR) ERROR ON ERROR) AS j',
		'SELECT 1 FROM inbox.message AS m LEFT JOIN JSON_TABLE(to_jsonb(m), ''$'' COLUMNS (x int PATH ''$.body'' ERROR ON ERROR) ERROR ON ERROR) AS j ON true WHERE m.org_id = 2',
		'SELECT 1 FROM inbox.message WHERE JSON(body) IS NULL',
		'SELECT 1 FROM inbox.message WHERE JSON_SERIALIZE(JSON_SCALAR(body) RETURNING varchar(3)) IS NULL']) AS s;
	SELECT lab.gets_nothing('Ali', s, NULL, 'masked, ' || s, 'attack_bi') FROM unnest(ARRAY[
		'SELECT 1 FROM inbox.card WHERE JSON_VALUE(to_jsonb(phone), ''$'' RETURNING int ERROR ON ERROR) = 1',
		'SELECT j.* FROM inbox.card AS c, JSON_TABLE(to_jsonb(c), ''$'' COLUMNS (p text PATH ''$.phone'', b text PATH ''$.balance'')) AS j',
		'SELECT any_value(phone), any_value(email) FROM inbox.card GROUP BY id',
		'EXPLAIN (GENERIC_PLAN) SELECT 1 FROM inbox.card WHERE phone = $1']) AS s;
	SELECT count(*) AS events FROM chat_rbac.audit_event WHERE operation = 'read' \gset
	SELECT lab.remote('Sue', 'EXPLAIN (ANALYZE, SERIALIZE TEXT) TABLE inbox.report', 'attack_bi'), lab.remote('Sue', 'EXPLAIN (GENERIC_PLAN) TABLE inbox.report', 'attack_bi') \g /dev/null
	SELECT lab.log_out() \g /dev/null
	SELECT is(count(*) - :events, 1::bigint, 'EXPLAIN that makes the rows'' texts is a read') FROM chat_rbac.audit_event WHERE operation = 'read';
	-- server files stand for the client, to which functions cannot copy
	SELECT to_regrole('attack_61_files') IS NULL AS missing \gset
	\if :missing
		CREATE ROLE attack_61_files LOGIN;
	\endif
	SET client_min_messages = error;
	GRANT attack_app, pg_write_server_files TO attack_61_files;
	CREATE FUNCTION lab.execute(statement text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE statement; END';
	GRANT EXECUTE ON FUNCTION lab.execute TO PUBLIC;
	SELECT lab.gets_nothing('Sue', format('SELECT lab.execute(%L)', s), '^ERROR 42501: permission "conversation.export"', 'without the right to export: ' || s, 'attack_61_files') FROM unnest(ARRAY[
		'COPY (MERGE INTO own.kept AS t USING inbox.conversation AS c ON t.id = c.id WHEN NOT MATCHED THEN INSERT VALUES (c.id, c.labels::text) RETURNING *) TO ''/dev/null''',
		'COPY (MERGE INTO inbox.conversation AS t USING (SELECT) AS s ON false WHEN NOT MATCHED BY SOURCE THEN UPDATE SET labels = t.labels RETURNING t.*) TO ''/dev/null''',
		'COPY (SELECT JSON_ARRAY(SELECT labels FROM inbox.conversation)) TO ''/dev/null''']) AS s;
	REVOKE attack_app, pg_write_server_files FROM attack_61_files;
\endif

-- ---- MAINTAIN, and event triggers off ----

\if :is_17
	GRANT MAINTAIN ON ALL TABLES IN SCHEMA inbox TO attack_app;
	SET ROLE attack_owner;
	CREATE FUNCTION inbox.seen(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'saw % of %', (SELECT string_agg(body, '') FROM inbox.message), current_user; END $$;
	CREATE INDEX never ON inbox.setting (inbox.seen(name)) WHERE id < 0;
	CREATE MATERIALIZED VIEW inbox.all_labels AS SELECT string_agg(labels[1], '') AS x FROM inbox.conversation;
	RESET ROLE;
	UPDATE pg_index SET indpred = NULL WHERE indexrelid = 'inbox.never'::regclass;
	GRANT SELECT, MAINTAIN ON inbox.all_labels TO attack_app;
	SELECT lab.gets_nothing('Ada', s, p, 'who maintains sees nothing by it: ' || s) FROM (VALUES
		('REFRESH MATERIALIZED VIEW inbox.all_labels', '^0'), ('TABLE inbox.all_labels', '^\(\)'), ('REINDEX INDEX inbox.never', '^ERROR P0001: saw <NULL> of attack_owner'),
		('SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE schemaname IN (''inbox'', ''chat_rbac'')', NULL)) AS v (s, p);
	DROP INDEX inbox.never;
	REVOKE MAINTAIN ON ALL TABLES IN SCHEMA inbox FROM attack_app;
	SELECT matches(lab.run_as('Sue', 'SET event_triggers = off'), '^ERROR 42501', 'event triggers are not to be switched off');
	GRANT SET ON PARAMETER event_triggers TO attack_61_other;		-- all databases have that
	SELECT is(count(*), 1::bigint, 'who may is named by doctor()') FROM chat_rbac.doctor() WHERE object = 'setting event_triggers' AND finding ~ '^attack_61_other ';
	REVOKE SET ON PARAMETER event_triggers FROM attack_61_other;
\endif

-- ---- OLD and NEW, columns that are computed when read, periods ----

\if :is_18
	SELECT lab.sees_own_only(who, s, who || ': ' || left(s, 130)) FROM unnest('{Ali,Sue}'::text[]) AS who, unnest(ARRAY[
		'UPDATE inbox.conversation SET labels = labels RETURNING old, new, own.tell(old)',
		'MERGE INTO inbox.conversation AS t USING own.ids AS i ON t.id = i.id WHEN MATCHED THEN UPDATE SET id = t.id RETURNING merge_action(), old.*, own.tell(new)',
		'INSERT INTO own.kept SELECT id, body FROM inbox.message RETURNING old.*, new.x, own.tell(new)',
		'SELECT a.labels, b.labels FROM inbox.conversation AS a JOIN inbox.conversation AS b USING (org_id, id) WHERE own.tell(a.labels) AND own.tell(b)']) AS s;
	GRANT SELECT (org_id, id, name, owner_id), INSERT, UPDATE, DELETE ON inbox.customer TO attack_bi;
	SELECT lab.gets_nothing('Sue', s, '^ERROR 42501: permission denied for table customer', 'masked, ' || s, 'attack_bi') FROM unnest(ARRAY[
		'UPDATE inbox.customer SET name = name RETURNING old.phone', 'UPDATE inbox.customer SET name = name RETURNING to_jsonb(old)', 'UPDATE inbox.customer SET name = name RETURNING WITH (NEW AS n) n.*',
		'DELETE FROM inbox.customer RETURNING old', 'INSERT INTO inbox.customer (id, name, owner_id) VALUES (1, ''x'', 5) ON CONFLICT (org_id, id) DO UPDATE SET name = customer.name RETURNING old.balance']) AS s;

	SET ROLE attack_owner;
	ALTER TABLE inbox.customer ADD digits text GENERATED ALWAYS AS (translate(phone, '+', '')) VIRTUAL, ADD shown text GENERATED ALWAYS AS (upper(name)) VIRTUAL;
	SELECT matches(lab.attempt($$ SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.other", "columns": ["id", "phone", "digits"], "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}, "grant": []}') $$), 'column "digits" is generated from a masked one', 'a column over a masked one is masked too, or not shown');
	SELECT chat_rbac.create_view('inbox.customer', '{"view": "inbox.other", "columns": ["id", "phone", "digits", "shown"], "grant": ["attack_bi"],
		"masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}, "digits": {"with": "phone", "lifted_by": "customer.view_phone"}}}') \g /dev/null
	RESET ROLE;
	SELECT is(lab.run_as('Fay', 'SELECT id, digits, own.tell(digits), own.tell(o) FROM inbox.other AS o WHERE own.tell(digits)', 'attack_bi') ~ '199\d{8}', false, 'and is masked');
	SELECT matches(lab.run_as('Ada', 'SELECT digits FROM inbox.other WHERE id = 1', 'attack_bi'), '19910000001', '... for whom the mask is not lifted');
	SELECT matches(lab.run_as('Ada', 'SELECT digits FROM inbox.customer', 'attack_bi'), '^ERROR 42501', 'and not to be read past the view');
	ALTER TABLE inbox.customer ALTER shown SET EXPRESSION AS (upper(phone));
	SELECT is(string_agg(severity || ' ' || object, ', ' ORDER BY severity, object), 'error inbox.other, warning inbox.card, warning inbox.other', 'doctor() finds what is computed from a masked one since then')
	FROM chat_rbac.doctor() WHERE finding ~ 'generated from a masked one' OR finding ~ 'attack_bi may read shown';

	SET ROLE attack_owner;
	CREATE TABLE inbox.doc (org_id bigint, id bigint, team_id bigint, assignee_id bigint, negative bigint GENERATED ALWAYS AS (-id) VIRTUAL, PRIMARY KEY (org_id, id));
	SELECT matches(lab.attempt(format('SELECT chat_rbac.protect(''inbox.doc'', %L)', s)), 'column "negative" of table inbox.doc is generated', 'no row''s place is computed: ' || s) FROM unnest(ARRAY[
		'{"resource": "task", "org": "negative"}', '{"resource": "task", "org": "org_id", "units": {"team": "negative"}}',
		'{"resource": "task", "org": "org_id", "relations": {"own": {"table": "inbox.participant", "row": "conversation_id", "member": "member_id", "key": "negative"}}}',
		'{"resource": "task", "org": "org_id", "relations": {"linked": {"linked": {"table": "inbox.task", "column": "customer_id", "key": "negative"}}}}']) AS s;
	RESET ROLE;

	CREATE EXTENSION btree_gist;
	SET ROLE attack_owner;
	CREATE TABLE inbox.duty (org_id bigint DEFAULT 1, id bigint, during int4range, team_id bigint, assignee_id bigint, body text, PRIMARY KEY (org_id, id, during WITHOUT OVERLAPS));
	SELECT chat_rbac.protect('inbox.duty', '{"resource": "task", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}}}') \g /dev/null
	CREATE TABLE inbox.remark (org_id bigint DEFAULT 1, id bigint, duty_id bigint, during int4range, body text, PRIMARY KEY (org_id, id), FOREIGN KEY (org_id, duty_id, PERIOD during) REFERENCES inbox.duty (org_id, id, PERIOD during));
	SELECT chat_rbac.protect('inbox.remark', '{"resource": "message", "org": "org_id", "parent": {"table": "inbox.duty", "column": "duty_id", "key": "id"}}') \g /dev/null
	RESET ROLE;
	INSERT INTO inbox.duty VALUES (1, 1, '[1,9]', 10, 6, 'own'), (1, 2, '[1,9]', 20, 8, '~t1-2~'), (2, 3, '[1,9]', 10, 6, '~t2-2~');
	INSERT INTO inbox.remark VALUES (1, 1, 1, '[2,3]', 'own'), (1, 2, 2, '[2,3]', '~t1-2~');
	GRANT SELECT, INSERT, UPDATE, DELETE ON inbox.duty, inbox.remark TO attack_app;
	SELECT is(lab.run_as('Ali', 'SELECT body FROM inbox.duty UNION ALL SELECT body FROM inbox.remark'), E'(own)\n(own)\n', 'rows with periods are under the same policies');
	SELECT lab.gets_nothing('Ali', s, p, s) FROM (VALUES
		('INSERT INTO inbox.duty VALUES (1, 2, ''[3,4]'', 10, 6, '''')', '^ERROR 23P01: [^\n]*\nKey conflicts with existing key.\n'),		-- known leak
		('INSERT INTO inbox.duty VALUES (2, 3, ''[3,4]'', 10, 6, '''')', '^ERROR 42501'),
		('INSERT INTO inbox.remark VALUES (1, 9, 2, ''[3,4]'', '''')', '^ERROR 42501'),
		('INSERT INTO inbox.remark VALUES (1, 9, 1, ''[70,71]'', '''')', '^ERROR 23503: [^\n]*\nKey is not present in table "duty".\n'),
		('UPDATE inbox.duty SET during = ''[1,50]'' WHERE id = 2 RETURNING old.body', '^$')) AS v (s, p);

	-- statistics that an attacker has written mislead plans, not policies
	GRANT MAINTAIN ON inbox.message, inbox.conversation TO attack_app;
	SELECT lab.run_as('Ali', 'SELECT pg_restore_relation_stats(''schemaname'', ''inbox'', ''relname'', t, ''relpages'', 9999, ''reltuples'', 1e9::real), pg_clear_attribute_stats(''inbox'', t, ''org_id'', false) FROM unnest(''{message,conversation}''::text[]) AS t') ~ '^\(t,' AS written \gset
	SELECT ok(:'written', 'they are written');
	SELECT lab.sees_own_only('Ali', 'SELECT m.*, c.* FROM inbox.message AS m JOIN inbox.conversation AS c ON c.id = m.conversation_id WHERE own.tell(m.body) AND own.tell(c.labels)', '... and one sees what is one''s own');
\endif
SELECT * FROM finish();

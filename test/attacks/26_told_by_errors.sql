--
-- Errors as an answer: PostgreSQL tests cheap leakproof conditions of the asker's, such
-- as body >= 'x', before those of a policy.  Whatever makes a policy's functions fail
-- would so tell of each hidden row whether it meets the condition, in any org: a token
-- or a name of a role that is wrong, set before or within the query; calls of those
-- functions with arguments that do not fit.  So such a setting fails a query from its
-- beginning, whatever the rows are, and what is set later, or does not fit, just denies.
--
SELECT plan(61);
SET client_min_messages = error;

-- Told is the difference between a condition that a hidden row meets and one that none does.
CREATE FUNCTION lab.asks(who text, statement text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	there text := lab.run_as(who, replace(replace(statement, '@a', '''~m1-5'''), '@b', '''~m1-6'''));
	not_there text;
BEGIN
	-- each starts from the settings of a good session
	RESET chat_rbac.active_roles;
	not_there := lab.run_as(who, replace(replace(statement, '@a', '''~m1-x'''), '@b', '''~m1-y'''));
	RESET chat_rbac.active_roles;
	RETURN is(there, not_there, who || ' is told nothing by ' || name);
END $$;
SELECT ok(count(*) > 20, 'messages of org 1 meet the condition, of which Gwen and Vic see none') FROM inbox.message WHERE body >= '~m1-5' AND body < '~m1-6' AND org_id = 1;

-- the scan of the whole table, by a plan that was made before
SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
SET plan_cache_mode = force_generic_plan;
PREPARE hidden(text, text) AS SELECT 1 FROM inbox.message WHERE body >= $1 AND body < $2;
SELECT lab.run_as(who, 'EXECUTE hidden(''a'', ''b'')') FROM unnest('{Gwen,Vic}'::text[]) AS who \g /dev/null
CREATE FUNCTION lab.execute_with(who text, setting text, value text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	told text[];
	x text;
BEGIN
	CALL lab.become(who);
	PERFORM set_config(setting, value, false);
	FOREACH x IN ARRAY ARRAY['EXECUTE hidden(''~m1-5'', ''~m1-6'')', 'EXECUTE hidden(''~m1-x'', ''~m1-y'')'] LOOP
		told := told || lab.attempt(x);
	END LOOP;
	CALL lab.dba();
	PERFORM set_config('chat_rbac.active_roles', '', false);
	RETURN NEXT is(told[1], told[2], format('%s is told nothing by %s = %s', who, setting, value));
	RETURN NEXT matches(told[1], '^ERROR (28000|0P000)', 'but that it is wrong');
END $$;
SELECT lab.execute_with(who, s, v) FROM unnest('{Gwen,Vic}'::text[]) AS who, (VALUES ('chat_rbac.active_roles', 'Bad'), ('chat_rbac.token', 'a.b.c'), ('chat_rbac.token', 'x')) AS v (s, v);

-- within a foreign key's cascade, where one is past the policies of one's own tables
SET SESSION AUTHORIZATION attack_app;
CREATE TABLE own.above (id int PRIMARY KEY);
CREATE TABLE own.below (id int REFERENCES own.above ON DELETE CASCADE, setting text, value text, statement text);
CREATE FUNCTION own.in_cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config(OLD.setting, OLD.value, true);
	EXECUTE OLD.statement;
	RETURN OLD;
END $$;
CREATE TRIGGER in_cascade BEFORE DELETE ON own.below FOR EACH ROW EXECUTE FUNCTION own.in_cascade();
CREATE FUNCTION own.cascade(setting text, value text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO own.above VALUES (1);
	INSERT INTO own.below VALUES (1, setting, value, statement);
	DELETE FROM own.above;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
RESET SESSION AUTHORIZATION;
SELECT lab.run_as(who, $$ SELECT own.cascade('own.x', '', 'EXECUTE hidden(''a'', ''b'')') $$) FROM unnest('{Gwen,Vic}'::text[]) AS who \g /dev/null
SELECT is(lab.run_as(who, format('SELECT own.cascade(%L, %L, %L)', s, v, 'EXECUTE hidden(''~m1-x'', ''~m1-y'')')),
	lab.run_as(who, format('SELECT own.cascade(%L, %L, %L)', s, v, 'EXECUTE hidden(''~m1-5'', ''~m1-6'')')), format('%s is told nothing by %s = %s in a cascade', who, s, v))
FROM unnest('{Gwen,Vic}'::text[]) AS who, (VALUES ('chat_rbac.active_roles', 'Bad'), ('chat_rbac.token', 'a.b.c')) AS v (s, v);
RESET plan_cache_mode;

-- set within the query, before the table is read
SELECT lab.asks(who, format('WITH x AS MATERIALIZED (SELECT set_config(%L, %L, false) AS v) SELECT 1 FROM x, inbox.message m WHERE length(x.v) > 0 AND m.body >= @a AND m.body < @b', s, v), format('setting %s to %s first', s, v))
FROM unnest('{Gwen,Vic}'::text[]) AS who, (VALUES ('chat_rbac.active_roles', 'Bad'), ('chat_rbac.token', 'a.b.c'), ('chat_rbac.token', '')) AS v (s, v);

-- a token that is revoked within the query, which is then taken back
SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.revoke_own() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM chat_rbac.revoke_tokens(chat_rbac.current_member());
	RETURN 1;
END $$;
CREATE FUNCTION own.take_back(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	EXECUTE statement INTO n;
	RAISE EXCEPTION 'rows: %', n;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
RESET SESSION AUTHORIZATION;
SELECT min(marker) AS hidden FROM lab.marker WHERE kind = 'customer' AND org_id = 1 AND 'Ali' <> ALL (row_seen_by) \gset
SELECT is(rtrim(lab.run_as('Ali', format('SELECT own.take_back(%L)', format('WITH x AS MATERIALIZED (SELECT own.revoke_own() AS v) SELECT count(*) FROM x, inbox.customer c WHERE x.v > 0 AND c.name >= %L AND c.name <= %1$L', m))), E'\n'),
	'("P0001 rows: 0")', 'Ali is told nothing of a customer by revoking the token first: ' || what)
FROM (VALUES (:'hidden', 'one that is there'), ('~c1-x~', 'one that is not')) AS v (m, what);

-- the same between the runs of one query
CALL lab.become('Gwen');
BEGIN;
DECLARE there CURSOR FOR SELECT count(*) FROM inbox.message WHERE body >= '~m1-5' AND body < '~m1-6';
DECLARE not_there CURSOR FOR SELECT count(*) FROM inbox.message WHERE body >= '~m1-x' AND body < '~m1-y';
SELECT own.revoke_own() \g /dev/null
SELECT lab.attempt('FETCH there') AS there \gset
SELECT lab.attempt('FETCH not_there') AS not_there \gset
ROLLBACK;
CALL lab.dba();
SELECT is(:'there'::text, :'not_there'::text, 'Gwen is told nothing by revoking the token before a FETCH');
SELECT matches(:'there'::text, '^ERROR 28000', 'but that it is not valid any more');

-- the functions of policies, which are leakproof, with arguments of the attacker's
SELECT lab.asks(who, format('SELECT 1 FROM inbox.message WHERE body >= @a AND body < @b AND (%s) IS NOT NULL', f), f) FROM unnest('{Hana,Vic}'::text[]) AS who, unnest('{
"chat_rbac.org_scope(''{message.view}'', body)","chat_rbac.unit_scope(''{message.view}'', body, body)","chat_rbac.members_scope(''{message.view}'', body, true)","chat_rbac.in_org_scope(id, ''{message.view}'', ''all'', ARRAY[body], body)",
"chat_rbac.in_unit_scope(id, ''{message.view}'', ''all'', ARRAY[''team''], id, id)","chat_rbac.in_unit_scope(id, ''{message.view}'', body, ''team'')","chat_rbac.in_scope(''{message.view}'', ''all'', ARRAY[''team''], body)","chat_rbac.in_scope(''{message.view}'', ''all'', ARRAY[NULL], id)",
"chat_rbac.in_scope(''{message.view}'', ''all'', ARRAY[''team'', ''inbox''], id)","chat_rbac.in_member_scope(id, ''{message.view}'', ''colleague'', ARRAY[''team''], body)","chat_rbac.in_link(id, ''{message.view}'', body, ''inbox.participant'', true)","chat_rbac.in_link(id, ''{message.view}'', ''x'', tableoid::regclass, true)",
"chat_rbac.approved(tableoid, body)","chat_rbac.handed_over(tableoid, body, body)","chat_rbac.in_event_scope(''{message.view}'', body, ARRAY[body], ARRAY[id, id])","chat_rbac.is_member(id)","chat_rbac.member_scope(NULL, body, true)"}'::text[]) AS f;

SELECT * FROM finish();

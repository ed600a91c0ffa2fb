--
-- A plan that was made for one person and is run by another: prepared statements,
-- plans kept by PL/pgSQL and by SQL functions, cursors in functions, constants that
-- could be folded, parallel plans; in one session, with and without generic plans,
-- after savepoints and errors, and under another role.  Each run answers for who runs it.
--
SELECT plan(41);
SET client_min_messages = error;

SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.by_sql() RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT body FROM inbox.message ORDER BY id';
CREATE FUNCTION own.by_sql_immutable() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT string_agg(body, '' '') FROM inbox.message';
CREATE FUNCTION own.by_plpgsql() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT body FROM inbox.message ORDER BY id; END $$;
CREATE FUNCTION own.by_simple() RETURNS text LANGUAGE plpgsql AS $$ DECLARE x text; BEGIN x := (SELECT string_agg(body, ' ') FROM inbox.message); RETURN x; END $$;
CREATE FUNCTION own.by_cursor() RETURNS SETOF text LANGUAGE plpgsql AS $$ DECLARE c CURSOR FOR SELECT body FROM inbox.message; r record; BEGIN FOR r IN c LOOP RETURN NEXT r.body; END LOOP; END $$;
CREATE FUNCTION own.by_check() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT chat_rbac.can('conversation.view', 'inbox.conversation', i) || ':~v' || chat_rbac.current_org() || '-' || i || '~' FROM generate_series(1, 40) AS i WHERE chat_rbac.can('conversation.view', 'inbox.conversation', i); END $$;
CREATE FUNCTION own.frozen() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT chat_rbac.current_member()';
RESET SESSION AUTHORIZATION;

-- Each statement is run by all in turn, twice, in one session: the answer must be the person's.
CREATE FUNCTION lab.in_turn(statement text, name text, role text DEFAULT 'attack_app') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	who text;
	output text;
	bad text := '';
BEGIN
	FOR turn IN 1..4 LOOP		-- a generic plan is made after five runs, without being told
		FOREACH who IN ARRAY '{Olga,Ali,Gus,Vic,Hana,Gwen,Sam}'::text[] LOOP
			output := lab.run_as(who, statement, role);
			IF output ~ '^ERROR' OR lab.hidden(who, output, role = 'attack_bi') <> '{}' OR (who <> 'Vic') <> (lab.visible(who, output, role = 'attack_bi') > 0) THEN
				bad := bad || format('%s in turn %s: %s %s ', who, turn, lab.hidden(who, output), left(output, 200));
			END IF;
		END LOOP;
	END LOOP;
	RETURN is(bad, '', name);
END $$;
PREPARE p_messages AS SELECT * FROM inbox.message ORDER BY id;
PREPARE p_one(text) AS SELECT body FROM inbox.message WHERE body LIKE $1;
PREPARE p_join AS SELECT m.body, c.labels FROM inbox.message AS m JOIN inbox.conversation AS c ON c.id = m.conversation_id AND c.org_id = m.org_id;
PREPARE p_told AS SELECT 1 FROM inbox.message AS m WHERE own.tell_early(body);
PREPARE p_with AS WITH m AS MATERIALIZED (SELECT * FROM inbox.message) SELECT body FROM m;
PREPARE p_report AS SELECT labels FROM inbox.report;
PREPARE p_card AS SELECT * FROM inbox.card;
SELECT lab.in_turn(s, format('%s: %s', m, s)) FROM unnest('{auto,force_generic_plan,force_custom_plan}'::text[]) AS m, LATERAL (SELECT set_config('plan_cache_mode', m, false) OFFSET 0) AS c,
	unnest('{"EXECUTE p_messages","EXECUTE p_one(''%~'')","EXECUTE p_join","EXECUTE p_told","EXECUTE p_with","SELECT own.by_sql()","SELECT own.by_plpgsql()","SELECT own.by_cursor()"}'::text[]) AS s;
SET plan_cache_mode = force_generic_plan;
SELECT lab.in_turn('SELECT own.by_simple()', 'an expression that PL/pgSQL keeps');
SELECT lab.in_turn('EXECUTE p_card', 'a masked view', 'attack_bi');
SELECT lab.gets_nothing('Ali', 'EXECUTE p_report', NULL, 'an audited view', 'attack_bi');
CREATE FUNCTION lab.can_in_turn() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	who text;
BEGIN
	FOREACH who IN ARRAY '{Olga,Ali,Gus,Hana,Olga,Gwen,Ali,Sam}'::text[] LOOP
		RETURN NEXT is(lab.hidden(who, lab.run_as(who, 'SELECT own.by_check()')), '{}', 'can() answers for ' || who);
	END LOOP;
END $$;
SELECT lab.can_in_turn();
RESET plan_cache_mode;
-- a person who says that who asks is immutable is told so only once in a plan
CALL lab.become('Ali');
PREPARE p_frozen AS SELECT body FROM inbox.message WHERE own.frozen() = 6;
EXECUTE p_frozen \g /dev/null
CALL lab.dba();
SELECT lab.gets_nothing('Gus', 'EXECUTE p_frozen', NULL, 'a constant of the attacker''s own folding is beside the policy, not in its place');
SELECT lab.gets_nothing('Vic', 'SELECT own.by_sql_immutable()', '^\(\)\n$', 'a function that claims to be immutable');

-- ---- savepoints, errors, changes of identity within a transaction, rows of an earlier person's snapshot ----

SET plan_cache_mode = force_generic_plan;
BEGIN ISOLATION LEVEL REPEATABLE READ;
CALL lab.become('Olga');
EXECUTE p_messages \g /dev/null
SAVEPOINT a;
SELECT set_config('chat_rbac.token', '', true) \g /dev/null
SELECT is((SELECT count(*) FROM own.by_plpgsql()), 0::bigint, 'in a savepoint without a token nothing is seen');
ROLLBACK TO a;
SELECT ok((SELECT count(*) FROM own.by_plpgsql()) > 100, 'after it, with the token of before, what was seen before');
COMMIT;
CALL lab.dba();
SELECT lab.gets_nothing('Vic', 'SELECT own.by_plpgsql()', '^$', 'and the next person sees nothing of it');
-- one statement in which who asks changes: no row of the one is shown for the other
SELECT lab.sees_own_only('Ali', 'SELECT body FROM inbox.message WHERE set_config(''chat_rbac.active_roles'', CASE id % 2 WHEN 0 THEN ''Agent'' ELSE '''' END, true) IS NOT NULL',
	'settings that change while a query runs add no rows');

SELECT * FROM finish();

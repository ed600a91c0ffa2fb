--
-- SECURITY DEFINER functions: of the attacker's, called by others; of the tables'
-- owner, called by the attacker, with and without a search_path of their own; and
-- those of chat_rbac.  A definer's rights are not a person's: what is seen is what
-- the person sees who is in the session.  What superusers' functions do is beyond
-- policies, and who calls a function lends it their eyes: these are named "known leak".
--
SELECT plan(21);
SET client_min_messages = error;

-- ---- functions of the tables' owner ----

GRANT CREATE ON SCHEMA inbox TO attack_owner;
SET SESSION AUTHORIZATION attack_owner;
CREATE FUNCTION inbox.all_messages() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = inbox, pg_temp AS 'SELECT body FROM message';
CREATE FUNCTION inbox.all_atomic() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT body FROM inbox.message; END;
CREATE FUNCTION inbox.all_plpgsql() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path = inbox, pg_temp AS $$ BEGIN RETURN QUERY SELECT body FROM message; END $$;
CREATE FUNCTION inbox.all_dynamic(t text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path = inbox, pg_temp AS $$ BEGIN RETURN QUERY EXECUTE format('SELECT t::text FROM %s AS t', t); END $$;
CREATE FUNCTION inbox.all_careless() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN QUERY SELECT body FROM inbox.message WHERE length(body) > 0; END $$;
CREATE FUNCTION inbox.close_all() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = inbox, pg_temp AS $$ WITH u AS (UPDATE conversation SET status = 'closed' RETURNING 1) SELECT count(*) FROM u $$;
CREATE FUNCTION inbox.unforced() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET row_security = off SET search_path = inbox, pg_temp AS $$ BEGIN RETURN QUERY SELECT body FROM message; END $$;
RESET SESSION AUTHORIZATION;
SELECT lab.sees_own_only('Ali', format('SELECT * FROM inbox.%s AS t', f), 'a definer''s function shows the caller''s rows: ' || f)
FROM unnest('{all_messages(),all_atomic(),all_plpgsql(),all_dynamic(''conversation''),all_dynamic(''customer''),all_careless()}'::text[]) AS f;
SELECT lab.gets_nothing('Ali', 'SELECT * FROM inbox.all_dynamic(''chat_rbac.member'')', '^ERROR 42501: permission denied', 'the owner of the inbox has no rights on the model');
SELECT lab.gets_nothing('Ali', 'SELECT * FROM inbox.unforced()', '^ERROR 42501: query would be affected by row-level security policy', 'row_security = off is an error, in a definer''s function too');
SELECT is(lab.run_as('Vic', 'SELECT inbox.close_all()') ~ '^(\(0\)|ERROR 42501)', true, 'who may change nothing changes nothing by it');
SELECT ok(lab.run_as('Sue', 'SELECT inbox.close_all()') ~ '^\([1-9][0-9]*\)', 'the owner''s function writes with the caller''s rights');
SELECT is((SELECT count(*) FROM inbox.conversation WHERE status = 'closed' AND (org_id, team_id) IS DISTINCT FROM (1, 10)), 0::bigint, 'and only the caller''s rows');
-- by a login, too: the member is the one of the session, not the definer's
UPDATE chat_rbac.member SET login = 'attack_bi' WHERE (org_id, member_id) = (1, 8);
UPDATE chat_rbac.member SET login = 'attack_owner' WHERE (org_id, member_id) = (1, 1);
SET SESSION AUTHORIZATION attack_bi;
SELECT is((SELECT member FROM chat_rbac.whoami()), 'Sam', 'a login is a member');
SELECT is(lab.attempt('SELECT * FROM inbox.all_messages() EXCEPT SELECT * FROM inbox.all_messages() AS m WHERE m !~ ''~''') ~ '~m1-', true, 'whose messages a definer''s function shows');
CREATE TEMP TABLE sams AS SELECT * FROM inbox.all_messages() AS body;
RESET SESSION AUTHORIZATION;
SELECT is(lab.hidden('Sam', string_agg(body, '')), '{}', 'and no other, though the definer is a member who sees more') FROM sams;
UPDATE chat_rbac.member SET login = NULL WHERE org_id = 1;

-- without a search_path a definer's function runs what the caller put into the path, with the definer's rights:
-- that includes the right to change the rules
SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.length(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM own.tell(current_user || ' runs it'); RETURN pg_catalog.length($1); END $$;
RESET SESSION AUTHORIZATION;
SET search_path = own, pg_catalog;
SELECT lab.run_as('Ali', 'SELECT inbox.all_careless()') AS careless \gset
RESET search_path;
SELECT ok(:'careless' ~ 'attack_owner runs it',
	'known leak: a definer''s function without a search_path of its own lends the owner''s rights');

-- a superuser's is past the policies
CREATE FUNCTION lab.all_messages() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = inbox, pg_temp AS 'SELECT body FROM message';
SELECT ok(lab.hidden('Vic', lab.run_as('Vic', 'SELECT lab.all_messages()')) <> '{}', 'known leak: a SECURITY DEFINER function of a superuser is past all policies');

-- ---- functions of the attacker's that others call ----

SET SESSION AUTHORIZATION attack_app;
CREATE FUNCTION own.helpful() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM own.tell(body || current_user || coalesce(chat_rbac.current_member(), 0)) FROM inbox.message; END $$;
CREATE FUNCTION own.helpful_invoker() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM own.tell(body) FROM inbox.message; END $$;
RESET SESSION AUTHORIZATION;
SELECT lab.sees_own_only('Ali', 'SELECT own.helpful()', 'a definer''s function of the attacker''s sees what the attacker sees, if the attacker calls it');
SELECT is(lab.hidden('Ali', lab.run_as('Olga', 'SELECT own.helpful()')) <> '{}', true, 'known leak: if Olga calls it, it sees what she sees');
SELECT lab.gets_nothing('Vic', 'SELECT own.helpful_invoker()', '^ERROR 42501: permission denied for table message', 'with the rights of the role that calls it, if it is no definer''s', 'attack_bi');
DELETE FROM own.loot;
SELECT own.helpful() \g /dev/null
SELECT is((SELECT count(*) FROM own.loot), 0::bigint, 'if a superuser calls it, nobody asks in it: a definer''s rights are its role''s');

-- ---- functions of chat_rbac with its owner's rights ----

-- none of them is found by a hostile path, nor does what it calls come from there
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'chat_rbac'::regnamespace AND prosecdef
	AND coalesce(array_to_string(proconfig, ','), '') !~ 'search_path=pg_catalog, pg_temp' AND prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') AND prosqlbody IS NULL $$,
	'each definer''s function of chat_rbac has a search_path with pg_temp last');
SELECT * FROM finish();

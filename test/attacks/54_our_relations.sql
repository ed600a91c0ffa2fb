--
-- Every table, view and sequence of schemas chat_rbac and inbox, and PostgreSQL's views
-- of statistics, read by a role to which a careless administrator has granted ALL on all
-- of them.  The list comes from pg_class, so a new relation is on it.
--
-- Must happen: no row, name, number or error differs by what one may not see; the
-- RBAC tables are not written but by their rules, and take no triggers but their owner's.
--
-- Known leaks: the catalogs' own numbers tell how large a table is and how much was
-- written, all orgs together.
--
SELECT plan(34);
SET client_min_messages = error;
\ir interference.psql

SELECT to_regrole('attack_54_all') IS NULL AS missing \gset
\if :missing
	CREATE ROLE attack_54_all LOGIN;
\endif
GRANT USAGE ON SCHEMA chat_rbac, inbox TO attack_54_all;
GRANT ALL ON ALL TABLES IN SCHEMA chat_rbac, inbox TO attack_54_all;
GRANT ALL ON ALL SEQUENCES IN SCHEMA chat_rbac, inbox TO attack_54_all;
GRANT ALL ON SCHEMA own TO attack_54_all;

INSERT INTO lab.probe (subject, statement)
SELECT c.oid::regclass::text, f.statement
FROM pg_class c CROSS JOIN LATERAL (VALUES
	(format('SELECT t::text FROM %s AS t ORDER BY 1', c.oid::regclass)),
	(format('SELECT count(*) FROM %s', c.oid::regclass)),
	(format('SELECT count(*) FROM (SELECT FROM %s TABLESAMPLE SYSTEM (100)) AS s', c.oid::regclass)),
	(format('SELECT o::text FROM ONLY %s AS o ORDER BY 1', c.oid::regclass)),
	(format('SELECT t::text FROM %s AS t ORDER BY 1 FOR UPDATE', c.oid::regclass)),
	(format('DELETE FROM %s RETURNING 1', c.oid::regclass))) AS f (statement)
WHERE c.relnamespace IN ('chat_rbac'::regnamespace, 'inbox'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')
	AND (c.relkind IN ('r', 'p') OR f.statement !~ 'TABLESAMPLE|ONLY|FOR UPDATE|DELETE')
	AND c.relname <> 'report';		-- a read of it is one more event for who reads the trail: 58
INSERT INTO lab.probe (subject, statement)
SELECT v, format('SELECT s::text FROM %s AS s WHERE s.schemaname IN (''inbox'', ''chat_rbac'') ORDER BY 1', v)
FROM unnest('{pg_stats,pg_stats_ext,pg_stats_ext_exprs}'::text[]) AS v;

CREATE FUNCTION lab.ask_as_54(person text, round int) RETURNS void LANGUAGE sql AS $$ SELECT lab.ask(person, round, 'attack_54_all') $$;
SELECT lab.ask_as_54(p, 1) FROM unnest('{Olga,Sue,Ali,Gus,Gwen,Ada,Vic}'::text[]) AS p \g /dev/null
SELECT lab.ask_as_54(p, 2) FROM unnest('{Olga,Ada}'::text[]) AS p \g /dev/null
CALL lab.take_away('what is in HR');
SELECT lab.ask_as_54(p, 3) FROM unnest('{Olga,Sue}'::text[]) AS p \g /dev/null
CALL lab.take_away('what is not Ali''s');
SELECT lab.ask_as_54(p, 3) FROM unnest('{Ali,Ada}'::text[]) AS p \g /dev/null
CALL lab.take_away('org 1');
SELECT lab.ask_as_54(p, 3) FROM unnest('{Gus,Gwen}'::text[]) AS p \g /dev/null

SELECT lab.tells_nothing('Olga', 'the owner of an org does not see what is sealed');
SELECT lab.tells_nothing('Sue', 'nor does a supervisor beside it');
SELECT lab.tells_nothing('Ali', 'an agent does not see what is others''');
SELECT lab.tells_nothing('Gus', 'an admin does not see the other org');
SELECT lab.tells_nothing('Gwen', 'nor does an agent');
SELECT cmp_ok((SELECT count(DISTINCT subject) FROM lab.differences('Ada')), '>', 10::bigint, 'an admin sees what is taken away: the queries do ask');
SELECT cmp_ok((SELECT count(DISTINCT p.subject) FROM lab.answer a JOIN lab.probe p USING (n) WHERE a.who = 'Gus' AND a.answer !~ '^ERROR' AND a.answer <> ''), '>', 30::bigint, 'and of most relations something');
SELECT is(lab.seen_in_answers('Vic'), '{}', 'who holds nothing is shown no value');
SELECT is(lab.unsteady(), '{}'::text[], 'each answer is the same when asked again');

-- the keys that tokens are signed with: nobody but who may manage them, and a secret of no org nobody
SELECT is(lab.run_as('Gus', 'SELECT count(*) FROM chat_rbac.signing_key WHERE org_id IS NULL', 'attack_54_all'), E'(0)\n', 'the key of all orgs is no org''s to read');
SELECT is(lab.run_as('Gwen', 'SELECT count(*) FROM chat_rbac.signing_key', 'attack_54_all'), E'(0)\n', '... nor an agent''s');

-- ---- writing past the rules ----

SELECT is(lab.run_as(w.who, w.statement, 'attack_54_all') ~ '^ERROR (42501|55000|23514|0A000|428C9)', true, w.who || ' is refused: ' || w.statement)
FROM (VALUES
	('Gwen', 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 2, 6, role_id FROM chat_rbac.role WHERE org_id = 2 LIMIT 1'),
	('Gus', 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 2, 1, role_id FROM chat_rbac.role WHERE org_id = 2 AND name = ''Owner'''),
	('Gus', 'TRUNCATE chat_rbac.role_grant'),
	('Gus', 'TRUNCATE chat_rbac.audit_event'),
	('Gus', 'TRUNCATE chat_rbac.protection'),
	('Gus', 'UPDATE chat_rbac.protection SET spec = spec'),
	('Gus', 'DELETE FROM chat_rbac.protected_view'),
	('Gus', 'INSERT INTO chat_rbac.known_permission (name, description) VALUES (''x.y'', ''z'')'),
	('Gus', 'INSERT INTO chat_rbac.signing_key (org_id, algorithm, secret) VALUES (NULL, ''HS256'', decode(repeat(''00'', 32), ''hex''))'),
	('Gus', 'INSERT INTO chat_rbac.audit_event SELECT * FROM chat_rbac.audit_event LIMIT 1'),
	('Gus', 'TRUNCATE inbox.conversation CASCADE')) AS w (who, statement);
SELECT is(ARRAY(SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace IN ('chat_rbac'::regnamespace, 'inbox'::regnamespace) AND c.relkind IN ('r', 'p')
			AND lab.run_as('Gus', format('TRUNCATE %s CASCADE', c.oid::regclass), 'attack_54_all') !~ '^ERROR 42501' ORDER BY 1),
	'{chat_rbac.cache_proxy}', 'no table of ours is truncated by whom it does not belong to, but one that is always empty');

-- the privilege TRIGGER, which GRANT ALL gives, does not take the guards off
CALL lab.become('Gwen', 'attack_54_all');
CREATE FUNCTION own.pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CALL lab.dba();
SELECT is(ARRAY(SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relnamespace IN ('chat_rbac'::regnamespace, 'inbox'::regnamespace) AND c.relkind IN ('r', 'p')
			AND lab.run_as('Gwen', format('CREATE TRIGGER zzz BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION own.pass()', c.oid::regclass), 'attack_54_all') !~ '^ERROR 42501'),
	'{}'::text[], 'no table of ours takes a trigger from whom it does not belong to');
SELECT is(lab.run_as('Gwen', 'CREATE OR REPLACE TRIGGER administer BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.role_grant FOR EACH ROW EXECUTE FUNCTION own.pass()', 'attack_54_all') ~ '^ERROR 42501',
	true, 'nor in place of the one that holds administrators to the rules');
SELECT is(lab.run_as('Gwen', 'CREATE CONSTRAINT TRIGGER zzz AFTER INSERT ON chat_rbac.org FOR EACH ROW EXECUTE FUNCTION own.pass()', 'attack_54_all') ~ '^ERROR 42501',
	true, 'nor a constraint trigger');
SELECT is(lab.run_as('Gwen', 'CREATE TRIGGER mine BEFORE INSERT ON own.loot FOR EACH ROW EXECUTE FUNCTION own.pass()') ~ '^0', true, 'the trigger is a good one, on a table of one''s own');

-- ---- what the catalogs tell of all orgs together ----

SELECT pg_stat_force_next_flush() \g /dev/null
ANALYZE inbox.message;
SELECT cmp_ok(lab.run_as('Gwen', 'SELECT reltuples::bigint FROM pg_class WHERE oid = ''inbox.message''::regclass')::text, '<>', E'(0)\n', 'known leak: pg_class tells how many rows a table has, of all orgs together');
SELECT is(lab.run_as('Gwen', 'SELECT pg_relation_size(''inbox.message'') > 0') || lab.run_as('Gwen', 'SELECT count(*) FROM pg_stat_user_tables WHERE relid = ''inbox.message''::regclass'),
	E'(t)\n(1)\n', 'known leak: ... and how large it is, and how much was written');
SELECT * FROM finish();

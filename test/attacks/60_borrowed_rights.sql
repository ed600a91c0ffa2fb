--
-- An owner of tables who wants other rights than its own: those of chat_rbac's
-- owner, of superusers and of members.  What the owner has put there, checks of
-- domains, casts, functions of indexes, is run when its specification is compiled,
-- its tables are read past policies and their rows are recorded; it leaves nothing
-- behind either.
--
SELECT plan(16);
SET client_min_messages = error;

SET SESSION AUTHORIZATION attack_owner;
CREATE FUNCTION inbox.tell_who(how text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO own.loot VALUES (format('%s as %s', how, current_user));
	RETURN true;
END $$;
CREATE DOMAIN inbox.telling AS text CHECK (inbox.tell_who('check of ' || VALUE));
CREATE TABLE inbox.bait (org_id bigint, id bigint, team_id bigint, tags text[], body text, PRIMARY KEY (org_id, id));
INSERT INTO inbox.bait VALUES (1, 1, 10, NULL, 'x');
GRANT SELECT, INSERT, UPDATE, DELETE ON inbox.bait TO attack_app;
SELECT chat_rbac.protect('inbox.bait', '{"resource": "task", "org": "org_id", "units": {"team": "team_id"}, "actions": [
	{"on": "update", "column": "tags", "from": "{from}", "to": "{to}", "requires": "task.edit"}, {"on": "update", "requires": "task.edit"}]}') \g /dev/null
ALTER TABLE inbox.bait ALTER tags TYPE inbox.telling[];		-- protect() would not take that
RESET SESSION AUTHORIZATION;

-- ---- constants of the owner's types ----

SELECT lab.run_as('Olga', 'SELECT chat_rbac.can(''task.edit'', ''inbox.bait'', 1)') \g /dev/null
SELECT bag_eq('SELECT what FROM own.loot', $$ VALUES ('check of from as attack_owner'), ('check of to as attack_owner') $$,
	'checks of domains are run as who owns the table where a member asks for a right');
UPDATE chat_rbac.protection SET spec = spec WHERE relation = 'inbox.bait'::regclass;	-- compiled anew
DELETE FROM own.loot;
SET chat_rbac.identity = '1/1';
SELECT count(*) > 0 FROM chat_rbac.who_can('task.view', 'inbox.bait', 1) \g /dev/null
SELECT bag_eq('SELECT DISTINCT what FROM own.loot', $$ VALUES ('check of from as attack_owner'), ('check of to as attack_owner') $$,
	'and if a superuser asks who may see a row');
RESET chat_rbac.identity;

-- ---- casts of the owner's ----

SET SESSION AUTHORIZATION attack_owner;
CREATE TYPE inbox.kind AS ENUM ('a', 'b');
CREATE FUNCTION inbox.to_text(inbox.kind) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM inbox.tell_who('cast'); RETURN 'a'; END $$;
CREATE TABLE inbox.cast_bait (org_id bigint, id bigint, kind inbox.kind, PRIMARY KEY (org_id, id));
INSERT INTO inbox.cast_bait VALUES (1, 1, 'b');
SELECT chat_rbac.protect('inbox.cast_bait', '{"resource": "task", "org": "org_id", "relations": {"own": {"kind": "a"}}}') \g /dev/null
CREATE CAST (inbox.kind AS text) WITH FUNCTION inbox.to_text(inbox.kind) AS IMPLICIT;
RESET SESSION AUTHORIZATION;
DELETE FROM own.loot;
SET chat_rbac.identity = '1/1';
SELECT throws_ok($$ SELECT count(*) FROM chat_rbac.who_can('task.view', 'inbox.cast_bait', 1) $$, '0A000', 'column "kind" of protected table "cast_bait" cannot be tested',
	'a column that a cast of the owner''s would stand for is not tested');
SELECT is_empty('SELECT what FROM own.loot', 'nor is the cast run by a superuser who asks who may see a row');
RESET chat_rbac.identity;

-- ---- functions of the owner's indexes ----

SET SESSION AUTHORIZATION attack_owner;
CREATE FUNCTION inbox.meddle(x bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	PERFORM inbox.tell_who('index'), set_config('search_path', 'inbox', false);
	RETURN x;
END $$;
CREATE TABLE inbox.bait_link (org_id bigint, bait_id bigint, member_id bigint);
CREATE INDEX bait_index ON inbox.bait_link ((inbox.meddle(1)));
SELECT chat_rbac.protect('inbox.bait', chat_rbac.protection('inbox.bait') ||
	'{"relations": {"own": {"table": "inbox.bait_link", "row": "bait_id", "member": "member_id"}}, "actions": [{"on": "insert", "requires": "task.create"}]}') \g /dev/null
ALTER INDEX inbox.bait_index SET (fillfactor = 80);		-- its expression is looked at anew
RESET search_path;
RESET SESSION AUTHORIZATION;
DELETE FROM own.loot;
SET chat_rbac.identity = '1/1';
SELECT count(*) > 0 FROM chat_rbac.who_can('task.view', 'inbox.bait', 1) \g /dev/null
SELECT pg_catalog.current_setting('search_path') AS path \gset
RESET search_path;
SELECT is(:'path'::text, '"$user", public', 'nothing of the owner''s sets the path of a superuser who asks who may see a row');
SELECT results_eq('SELECT DISTINCT what FROM own.loot', $$ VALUES ('index as attack_owner') $$, 'though it is run, as the owner');
RESET chat_rbac.identity;
ALTER INDEX inbox.bait_index SET (fillfactor = 90);
SELECT lab.run_as('Ali', 'SELECT count(*) FROM inbox.bait') \g /dev/null
SELECT pg_catalog.current_setting('search_path') AS path \gset
RESET search_path;
SELECT is(:'path'::text, '"$user", public', 'nor that of a member');

-- ---- protect() and create_view() by a superuser ----

SET SESSION AUTHORIZATION attack_owner;
CREATE TYPE inbox.telling_range AS RANGE (subtype = inbox.telling);
CREATE TABLE inbox.typed (org_id bigint, id bigint, plain inbox.telling, tags inbox.telling[], span inbox.telling_range, kind inbox.kind, kinds inbox.kind[], PRIMARY KEY (org_id, id));
RESET SESSION AUTHORIZATION;
DELETE FROM own.loot;
CREATE FUNCTION lab.protect_typed(more text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT chat_rbac.protect(''inbox.typed'', %L)', '{"resource": "task", "org": "org_id"}'::jsonb || more::jsonb) $$;
SELECT lives_ok(lab.protect_typed('{"relations": {"own": {"plain": "relation"}}}'), 'a superuser protects an owner''s table');
SELECT results_eq('SELECT DISTINCT what FROM own.loot', $$ VALUES ('check of relation as attack_owner') $$, 'and a literal is tried as the owner');
DELETE FROM own.loot;
SELECT throws_ok(lab.protect_typed(format('{"relations": {"own": {"%s": "%s"}}}', col, literal)), '22023',
	format('invalid specification: relation "own": column "%s" cannot be compared with a literal', col), 'none is read by a superuser of what is made of domains, or has a cast: ' || col)
FROM (VALUES ('tags', '{x}'), ('span', '[a,b]'), ('kind', 'a')) AS v (col, literal);
-- as a dump might have it
UPDATE chat_rbac.protection SET spec = spec || '{"relations": {"own": {"tags": "{x}"}}}' WHERE relation = 'inbox.typed'::regclass;
SELECT throws_ok($$ SELECT chat_rbac.create_view('inbox.typed', '{"view": "inbox.typed_view", "columns": ["org_id", "id"]}') $$, '22023', NULL, 'nor for a view');
SELECT count(*) > 0 FROM chat_rbac.doctor() \g /dev/null
SELECT is_empty('SELECT what FROM own.loot', 'nothing of the owner''s was run');

-- ---- what the trail shows ----

SET SESSION AUTHORIZATION attack_owner;
CREATE FUNCTION inbox.to_json(inbox.kind) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM inbox.tell_who('cast'); RETURN '"nothing"'; END $$;
CREATE CAST (inbox.kind AS json) WITH FUNCTION inbox.to_json(inbox.kind);
RESET SESSION AUTHORIZATION;
SELECT chat_rbac.protect('inbox.typed', '{"resource": "task", "org": "org_id"}') \g /dev/null
INSERT INTO inbox.typed (org_id, id, kinds) VALUES (1, 1, '{{a,NULL},{b,a}}');
SELECT is((SELECT new -> 'kinds' FROM chat_rbac.audit_event WHERE table_name = 'inbox.typed'), '[["a", null], ["b", "a"]]', 'the trail shows the value, not what a cast to json makes of it');
SELECT is_empty('SELECT what FROM own.loot WHERE what ~ ''^cast''', 'which is not run');
SELECT * FROM finish();

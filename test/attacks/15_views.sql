--
-- Views without security_invoker read as their owner.  Over protected tables those of
-- the tables' owner are held to the policies, by FORCE; those of a superuser are not.
-- And views of the attacker's: as cover, as bait, and with rules and triggers.
--
SELECT plan(24);
SET client_min_messages = error;

GRANT CREATE ON SCHEMA inbox TO attack_owner;
SET SESSION AUTHORIZATION attack_owner;
CREATE VIEW inbox.plain AS SELECT * FROM inbox.message;
CREATE VIEW inbox.barrier WITH (security_barrier) AS SELECT * FROM inbox.message;
CREATE VIEW inbox.invoker WITH (security_invoker) AS SELECT * FROM inbox.message;
CREATE VIEW inbox.deep AS SELECT p.*, c.labels, k.name, k.phone FROM inbox.plain AS p JOIN inbox.conversation AS c ON c.id = p.conversation_id LEFT JOIN inbox.customer AS k ON k.id = c.customer_id;
CREATE VIEW inbox.numbers AS SELECT kind, count(*), string_agg(body, ' ') AS bodies FROM inbox.message GROUP BY kind;
CREATE VIEW inbox.checked AS SELECT * FROM inbox.conversation WHERE status <> 'closed' WITH CHECK OPTION;
CREATE MATERIALIZED VIEW inbox.kept AS SELECT * FROM inbox.message;
GRANT SELECT ON inbox.plain, inbox.barrier, inbox.invoker, inbox.deep, inbox.numbers, inbox.kept TO PUBLIC;
GRANT ALL ON inbox.checked TO attack_app;
RESET SESSION AUTHORIZATION;
SELECT lab.sees_own_only('Ali', format('SELECT * FROM inbox.%s AS v WHERE own.tell_early(v)', v), 'a view of the tables'' owner shows the rows of who asks: ' || v)
FROM unnest('{plain,barrier,invoker,deep,numbers}'::text[]) AS v;
SELECT lab.sees_own_only('Ali', 'SELECT body FROM inbox.plain', 'to a role without a right on the table, too', 'attack_bi');
SELECT lab.gets_nothing('Ali', 'SELECT body FROM inbox.invoker', '^ERROR 42501: permission denied for table message', 'but for a view with security_invoker', 'attack_bi');
SELECT lab.gets_nothing('Olga', 'SELECT * FROM inbox.kept', '^$', 'a materialized view of that owner''s has no rows');
SELECT lab.gets_nothing('Ali', 'UPDATE inbox.checked SET priority = 1', '^ERROR 42501: permission "conversation.prioritise"', 'writing through one asks for the same rights');
SELECT is(lab.run_as('Gwen', 'UPDATE inbox.checked SET last_message_at = now() RETURNING org_id') ~ '\(1\)', false, 'and reaches the same rows');

-- a superuser's
CREATE VIEW lab.plain AS SELECT * FROM inbox.message;
CREATE VIEW lab.invoker WITH (security_invoker) AS SELECT * FROM inbox.message;
CREATE VIEW lab.org_only WITH (security_barrier) AS SELECT * FROM inbox.message WHERE org_id = chat_rbac.current_org();
CREATE MATERIALIZED VIEW lab.kept AS SELECT * FROM inbox.message;
GRANT SELECT ON ALL TABLES IN SCHEMA lab TO attack_app;
REVOKE ALL ON lab.person, lab.marker FROM attack_app;
SELECT ok(lab.hidden('Vic', lab.run_as('Vic', 'SELECT body FROM lab.plain')) <> '{}', 'known leak: a superuser''s view without security_invoker is past all policies');
SELECT ok(lab.hidden('Vic', lab.run_as('Vic', 'SELECT body FROM lab.kept')) <> '{}', 'known leak: a superuser''s materialized view too');
SELECT lab.sees_own_only('Ali', 'SELECT body FROM lab.invoker', 'with security_invoker it is not');
SELECT is(lab.run_as('Gus', 'SELECT DISTINCT org_id FROM lab.org_only WHERE own.tell_early(org_id)'), E'(2)\n\n2' || repeat(E'\n2', (SELECT count(*)::int - 1 FROM inbox.message WHERE org_id = 2)), 'a superuser''s barrier by current_org() holds');

-- the attacker's own
SET SESSION AUTHORIZATION attack_app;
CREATE VIEW own.cover AS SELECT * FROM inbox.message;
CREATE VIEW own.cover_barrier WITH (security_barrier) AS SELECT m.*, own.tell_early(body) AS told FROM inbox.message AS m WHERE own.tell_early(m);
CREATE VIEW own.bait AS SELECT own.tell(body) AS told FROM inbox.message;
CREATE FUNCTION own.instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM own.tell(body) FROM inbox.message; RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON own.cover FOR EACH ROW EXECUTE FUNCTION own.instead();
CREATE RULE also AS ON UPDATE TO own.bait DO INSTEAD SELECT body FROM inbox.message;
CREATE MATERIALIZED VIEW own.kept AS SELECT body FROM inbox.message;
GRANT SELECT ON own.cover, own.bait TO PUBLIC;
RESET SESSION AUTHORIZATION;
SELECT lab.sees_own_only('Ali', s, 'one''s own view shows no more: ' || s) FROM unnest('{
"SELECT * FROM own.cover AS v WHERE own.tell_early(v)","SELECT * FROM own.cover_barrier","SELECT told FROM own.bait","INSERT INTO own.cover (body) VALUES (1)"}'::text[]) AS s;
CALL lab.become('Ali');
REFRESH MATERIALIZED VIEW own.kept;
SELECT is((SELECT count(*) FROM own.kept), 0::bigint, 'a materialized view is made by nobody, so it is empty, also for who refreshes it');
CALL lab.dba();
SET chat_rbac.identity = '1/1';
REFRESH MATERIALIZED VIEW own.kept;
RESET chat_rbac.identity;
SELECT is((SELECT count(*) FROM own.kept), 0::bigint, 'be it a superuser who is also a member');
SELECT lab.sees_own_only('Olga', 'SELECT told FROM own.bait', 'known leak: who reads the attacker''s view lends it their eyes');
-- nobody puts anything upon the views of others
SELECT lab.gets_nothing('Ali', s, '^ERROR 42501: (must be owner|permission denied)', 'refused: ' || s) FROM unnest('{
"CREATE OR REPLACE VIEW inbox.plain AS SELECT * FROM inbox.message WHERE own.tell_early(body)","CREATE RULE mine AS ON INSERT TO inbox.checked DO ALSO SELECT 1","ALTER VIEW inbox.card RESET (security_barrier)"}'::text[]) AS s;

SELECT * FROM finish();

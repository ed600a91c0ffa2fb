--
-- A sealed unit (HR), from above and beside it: its rows by all ways, and ways in for
-- those who administer the rest: grants, roles, moves, keys, tokens, hand-overs.
--
-- Must happen: nobody outside reads, counts, exports or changes what is in it, nor makes a
-- way into it; that it is there, and who holds what in it, administrators may see.
--
SELECT * FROM no_plan();
SET client_min_messages = error;
GRANT EXECUTE ON FUNCTION chat_rbac.hand_over, chat_rbac.merge_units, chat_rbac.import_policy, chat_rbac.export_policy TO attack_app;
GRANT INSERT, UPDATE, DELETE ON chat_rbac.signing_key TO attack_app;
GRANT EXECUTE ON FUNCTION chat_rbac.create_signing_key TO attack_app;
-- a full admin by the name, and one who holds everything in the region above
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Everything', '{*.*}');
SELECT chat_rbac.grant_role('acme', 'Ben', 'Everything', 'EMEA') \g /dev/null

-- the markers of what is in it
CREATE FUNCTION lab.sealed(output text) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT coalesce(array_agg(m.marker), '{}') FROM lab.markers(output) AS m WHERE m.org_id = 1 AND 'Hana' = ANY (m.seen_by) AND m.kind IN ('conversation', 'message') $$;
-- what is in it: rows, counts, sums, by each relation that shows conversations
SELECT is(lab.sealed(o), '{}', format('%s: %s', who, s)) FROM unnest('{Olga,Ada,Ben,Sue}'::text[]) AS who, unnest(ARRAY['SELECT * FROM inbox.conversation WHERE team_id = 40', 'TABLE inbox.message', 'SELECT own.tell(body) FROM inbox.message', 'TABLE inbox.report_load', 'TABLE inbox.report_waiting',
	'TABLE inbox.report_activity', 'TABLE inbox.report_supervision', 'SELECT e::text FROM chat_rbac.audit_event AS e', 'TABLE chat_rbac.activity', 'SELECT * FROM chat_rbac.history(''inbox.conversation'', ''16'')', 'SELECT chat_rbac.export_policy(''acme'')']) AS s, LATERAL (SELECT lab.run_as(who, s) AS o) AS x;
SELECT is(lab.run_as(who, 'SELECT count(*) FROM inbox.conversation WHERE team_id = 40') || lab.run_as(who, 'SELECT count(*) FROM chat_rbac.audit_event WHERE 40 = ANY (unit_keys) AND table_name = ''inbox.conversation'''), E'(0)\n(0)\n', who || ' counts nothing in it') FROM unnest('{Olga,Ada,Ben,Sue}'::text[]) AS who;
SELECT lab.sees_own_only('Hana', 'SELECT c, own.tell(c.labels) FROM inbox.conversation AS c', 'who is in it sees what is in it');
SELECT cmp_ok(cardinality(lab.sealed(lab.run_as('Hana', 'TABLE inbox.message'))), '>', 40, '... all of it');

-- changes of what is in it, and rows that are put into it or taken out
SELECT lab.gets_nothing(who, s, '^(0|ERROR 42501|ERROR 23503)', format('%s: %s', who, s)) FROM unnest('{Olga,Ada,Ben}'::text[]) AS who, unnest(ARRAY['UPDATE inbox.conversation SET team_id = 10 WHERE id = 16', 'UPDATE inbox.conversation SET team_id = 10, assignee_id = 1 WHERE team_id = 40', 'DELETE FROM inbox.conversation WHERE id = 16',
	'UPDATE inbox.message SET conversation_id = 1 WHERE conversation_id = 16', 'UPDATE inbox.message SET conversation_id = 16 WHERE conversation_id = 1', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (16, ''note'', ''x'')', 'INSERT INTO inbox.participant (conversation_id, member_id) VALUES (16, 1)',
	'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id) VALUES (1, ''customer'', 30, 40)', 'DELETE FROM inbox.participant WHERE conversation_id = 16']) AS s;

-- ways in
SELECT matches(lab.run_as(who, s), E'^(0\n|ERROR)', format('%s: %s', who, s)) FROM unnest('{Olga,Ada,Ben}'::text[]) AS who, unnest(ARRAY[
	'SELECT chat_rbac.grant_role(''acme'', ''Sue'', ''Supervisor'', ''HR'')', 'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id) SELECT 1, 6, role_id, 40 FROM chat_rbac.role WHERE name = ''Agent''', 'UPDATE chat_rbac.role_grant SET unit_id = 40 WHERE member_id = 6', 'UPDATE chat_rbac.role_grant SET member_id = 6 WHERE unit_id = 40',
	'UPDATE chat_rbac.role_grant SET unit_id = NULL WHERE unit_id = 40', 'DELETE FROM chat_rbac.role_grant WHERE unit_id = 40', 'UPDATE chat_rbac.unit SET sealed = false WHERE unit_id = 40', 'UPDATE chat_rbac.unit SET parent_id = 10 WHERE unit_id = 40', 'UPDATE chat_rbac.unit SET key = 41 WHERE unit_id = 40',
	'UPDATE chat_rbac.unit SET kind = ''desk'' WHERE unit_id = 40', 'DELETE FROM chat_rbac.unit WHERE unit_id = 40', 'UPDATE chat_rbac.unit SET parent_id = 40 WHERE unit_id = 10', 'INSERT INTO chat_rbac.unit (org_id, kind, name, parent_id) VALUES (1, ''team'', ''inside'', 40)', 'UPDATE chat_rbac.unit SET unit_id = 99 WHERE unit_id = 40',
	'UPDATE chat_rbac.member SET active = false WHERE member_id = 9', 'UPDATE chat_rbac.member SET subject = ''hana'' WHERE member_id = 9', 'UPDATE chat_rbac.member SET login = ''attack_bi'' WHERE member_id = 9', 'DELETE FROM chat_rbac.member WHERE member_id = 9', 'UPDATE chat_rbac.member SET member_id = 99 WHERE member_id = 9',
	'SELECT chat_rbac.issue_token(9, ''1 hour'')', 'SELECT chat_rbac.revoke_tokens(9)', 'SELECT chat_rbac.create_signing_key(''acme'')', 'INSERT INTO chat_rbac.signing_key (org_id, algorithm, secret) VALUES (1, ''HS256'', decode(repeat(''00'', 32), ''hex''))', 'SELECT * FROM chat_rbac.hand_over(9, "to" => 6)', 'SELECT * FROM chat_rbac.merge_units(40, 10, ''x'')',
	'SELECT * FROM chat_rbac.merge_units(10, 40, ''x'')', 'SELECT * FROM chat_rbac.hand_over(9, unit => 40)', 'SELECT * FROM chat_rbac.import_policy(''acme'', (chat_rbac.export_policy(''acme'')::jsonb || ''{"units": []}'')::jsonb, true)']) AS s;
SELECT is((SELECT count(*) FROM chat_rbac.role_grant WHERE org_id = 1 AND unit_id = 40) || ' ' || (SELECT sealed FROM chat_rbac.unit WHERE org_id = 1 AND unit_id = 40), '1 true', 'it is as it was');
-- a role that is granted in it does not become more from outside
SELECT matches(lab.run_as('Olga', s), '^ERROR 42501', 'Olga: ' || s) FROM unnest(ARRAY['UPDATE chat_rbac.role SET permissions = ''{*.*}'' WHERE name = ''Supervisor''', 'INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id) SELECT 1, s.role_id, j.role_id FROM chat_rbac.role s, chat_rbac.role j WHERE s.name = ''Supervisor'' AND j.name = ''Manager''']) AS s;
-- a unit that takes its place: another one of its kind and key is refused, as one with the key of rows that are nobody's is not sealed
SELECT matches(lab.run_as('Olga', 'INSERT INTO chat_rbac.unit (org_id, kind, key, name) VALUES (1, ''team'', 40, ''HR'')'), '^ERROR 23505', 'its key is taken');
SELECT is(lab.sealed(o), '{}', who || ' still sees nothing of it') FROM unnest('{Olga,Ada,Ben,Sue,Ali}'::text[]) AS who, LATERAL (SELECT lab.run_as(who, 'TABLE inbox.conversation') || lab.run_as(who, 'TABLE inbox.message') AS o) AS x;
SELECT matches(lab.run_as('Olga', 'SELECT member, unit FROM chat_rbac.grants WHERE unit ~ ''HR'''), 'Hana', 'known leak: that it is there, and who is in it, who sees units and roles of the whole org sees');
SELECT lab.sees_own_only('Hana', 'TABLE inbox.conversation', 'and who is in it works on');
SELECT * FROM finish();

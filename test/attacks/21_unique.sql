--
-- Unique keys: a value that is taken is refused, whoever sees the row that has it.
-- That is told where a person may choose a key ("known leak"), and nothing of the row.
-- Other ways to ask for a key, by moving rows on to it or by conflicts, ask for
-- permissions first.
--
SELECT plan(18);
SET client_min_messages = error;

CREATE FUNCTION lab.told(who text, statement text, taken text, free text) RETURNS boolean LANGUAGE sql AS $$
	SELECT substr(lab.run_as(who, replace(statement, '@', taken)), 1, 11) IS DISTINCT FROM substr(lab.run_as(who, replace(statement, '@', free)), 1, 11) $$;
-- Ids that are given by the attacker, which nobody needs to do
SELECT is(lab.told('Ali', 'INSERT INTO inbox.task (id, title) VALUES (@, ''x'')', '2', '987654'), true, 'known leak: a new row with a chosen id tells whether the id is taken, in one''s own org');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.customer (id, owner_id, name) VALUES (@, 6, ''x'')', '13', '987655'), true, 'known leak: of customers, too');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.task (id, title) VALUES (2, ''x'')', E'^ERROR 23505: duplicate key value violates unique constraint "task_pkey"\n\n', 'the error quotes nothing');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.task (org_id, id, title) VALUES (2, @, ''x'')', '2', '987656'), false, 'nothing is told of another org');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.task (org_id, id, title) VALUES (2, 2, ''x'')', '^ERROR 42501', 'there the permission is asked for first');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.conversation (id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (@, 1, ''agent'', 30, 10, 6)', '13', '987657'), true, 'known leak: of conversations that one may start');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.conversation (id, customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (@, 1, ''agent'', 30, 20, 6)', '13', '987658'), false, 'but not of those that one may not');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.message (id, conversation_id, kind, body) VALUES (@, 4, ''reply'', ''x'')', '131', '987659'), false, 'nor by a message that one may not write');
SELECT is(lab.told('Sam', 'INSERT INTO inbox.setting (name, value) VALUES (@, ''1'')', '''~s1-1~''', '''~s1-9~'''), false, 'nor of settings');
SELECT is(lab.told('Sam', 'INSERT INTO inbox.integration (name, kind) VALUES (@, ''1'')', '''~i1-1~''', '''~i1-9~'''), false, 'nor of integrations');
-- by moving a row on to a key
SELECT is(lab.told('Ali', 'UPDATE inbox.conversation SET id = @ WHERE id = 1', '13', '987660'), false, 'nothing by a change of the key');
SELECT is(lab.told('Olga', 'UPDATE inbox.conversation SET id = @ WHERE id = 1', '16', '987661'), false, 'nor by who owns the org, of what is sealed');
SELECT is(lab.told('Ali', 'UPDATE inbox.task SET org_id = 2, id = @ WHERE assignee_id = 6', '2', '987662'), false, 'nor in another org');
-- other keys: a unique index of the application's
CREATE UNIQUE INDEX ON inbox.customer (org_id, phone);
CREATE UNIQUE INDEX everywhere ON inbox.customer (email);
SELECT is(lab.told('Ali', 'INSERT INTO inbox.customer (owner_id, name, phone) VALUES (6, ''x'', @)', '''+19910000013''', '''+19910009999'''), true, 'known leak: a unique phone number tells that it is taken, to who may make customers');
SELECT is(lab.told('Ali', 'INSERT INTO inbox.customer (owner_id, name, email) VALUES (6, ''x'', @)', '''~e2-13~@mail.example''', '''~e2-999~@mail.example'''), true, 'known leak: and a key without the org tells it of all orgs');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.customer (owner_id, name, email) VALUES (6, ''x'', ''~e2-13~@mail.example'')', E'^ERROR 23505: [^\n]*"everywhere"\n\n', 'with nothing in the error');
-- exclusion and deferred keys say no more
CREATE TABLE inbox.slot (org_id bigint, id bigint, team_id bigint, assignee_id bigint, code text, PRIMARY KEY (org_id, id), UNIQUE (code) DEFERRABLE INITIALLY DEFERRED, EXCLUDE USING btree (code WITH =));
SELECT chat_rbac.protect('inbox.slot', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}}, "actions": [{"on": "insert", "requires": "conversation.start"}]}') \g /dev/null
GRANT ALL ON inbox.slot TO attack_app;
INSERT INTO inbox.slot VALUES (2, 1, 10, 6, '~m2-11~');
SELECT lab.gets_nothing('Ali', 'INSERT INTO inbox.slot VALUES (1, 1, 10, 6, chr(126) || ''m2-11'' || chr(126))', E'^ERROR 23P01: [^\n]*\nKey conflicts with existing key.\n', 'an exclusion constraint''s error quotes nothing');
ALTER TABLE inbox.slot DROP CONSTRAINT slot_code_excl;
-- checked at the end, in a session of one's own
SELECT lab.gets_nothing('Ali', 'DO $d$ BEGIN INSERT INTO inbox.slot VALUES (1, 2, 10, 6, chr(126) || ''m2-11'' || chr(126)); SET CONSTRAINTS ALL IMMEDIATE; END $d$', E'^ERROR 23505: [^\n]*\n\n', 'nor that of a deferred key');

SELECT * FROM finish();

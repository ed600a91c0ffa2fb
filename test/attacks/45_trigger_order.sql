--
-- Who comes first: triggers before and after ours that change the row or write other
-- rows, rules, generated columns and defaults, on protected tables (of their owner: others
-- cannot, see 44 and 54) and on tables of the attacker's own that write to protected ones.
--
-- Must happen: what the row becomes is what is judged and recorded; a write that a
-- trigger or rule makes needs its own right; the guard and the trail are not to be used on other tables.
--
SELECT * FROM no_plan();
SET client_min_messages = error;

-- ---- the owner's triggers before the guard: what they make of the row is judged ----
SET ROLE attack_owner;
CREATE FUNCTION inbox.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	CASE current_setting('own.meddle', true)
		WHEN 'priority' THEN NEW.priority := 3;
		WHEN 'team' THEN NEW.team_id := 40;
		WHEN 'org' THEN NEW.org_id := 2;
		WHEN 'key' THEN NEW.id := 24;
		WHEN 'assignee' THEN NEW.assignee_id := 9;
		WHEN 'hide' THEN RETURN NULL;
		WHEN 'mine' THEN NEW.assignee_id := 6; NEW.team_id := 10;
		ELSE NULL;
	END CASE;
	RETURN NEW;
END $$;
CREATE TRIGGER a_meddle BEFORE INSERT OR UPDATE ON inbox.conversation FOR EACH ROW EXECUTE FUNCTION inbox.meddle();
RESET ROLE;
SELECT lab.remote('Ali', 'SET own.meddle = ''''') \g /dev/null
CREATE FUNCTION lab.meddled(how text, statement text) RETURNS text LANGUAGE sql AS $$ SELECT lab.remote('Ali', format('SELECT set_config(''own.meddle'', %L, false)', how)) || lab.remote('Ali', statement) $$;
SELECT matches(lab.meddled(m.how, 'UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 1'), m.answer, 'a trigger before the guard sets ' || m.how)
FROM (VALUES ('priority', 'permission "conversation.prioritise" is needed'), ('org', 'ERROR 42501'), ('key', 'only the table''s owner may change column "id"'), ('hide', E'\n0')) AS m (how, answer);
SELECT matches(lab.meddled('mine', 'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (1, ''agent'', 30, 40, 9)'), E'\n1', 'a row that a trigger makes one''s own may be made');
SELECT matches(lab.meddled('team', 'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (1, ''agent'', 30, 10, 6)'), 'ERROR 42501', 'and one that it takes away may not');
SELECT matches(lab.meddled('mine', 'UPDATE inbox.conversation SET labels = ''{x}'' WHERE id IN (16, 24)'), E'\n0', 'a trigger reaches no row that the statement does not');
SELECT is((SELECT count(*) FROM inbox.conversation WHERE (org_id, id) = (1, 1) AND (priority, team_id, labels) = (0, 10, ARRAY['~v1-1~'])), 1::bigint, '... and the row is as it was');
SELECT lab.remote('Ali', 'SET own.meddle = ''''') \g /dev/null

-- ---- after the guard: what is changed there does not pass unless it stays in its place ----
SET ROLE attack_owner;
ALTER TRIGGER a_meddle ON inbox.conversation RENAME TO zzz_meddle;
RESET ROLE;
SELECT ok((SELECT problems::text ~ 'zzz_meddle.{1,3} fires after the guard' FROM chat_rbac.protections WHERE "table" = 'inbox.conversation'::regclass), 'a trigger after the guard is named');
SELECT matches(lab.meddled(m.how, s), 'ERROR (42501|23505)', format('moved to another %s after the guard: %s', m.how, s))
FROM unnest('{team,org,key,assignee}'::text[]) AS m (how), unnest(ARRAY['UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 1', 'INSERT INTO inbox.conversation (customer_id, initiated_by, inbox_id, team_id, assignee_id) VALUES (1, ''agent'', 30, 10, 6)']) AS s;
SELECT is(lab.hidden('Ali', lab.meddled('key', 'UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 1 RETURNING *')), '{}', '... and shows nothing');
SELECT matches(lab.meddled('priority', 'UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 1'), E'\n1', 'known leak: a column that is not looked at may be changed after the guard, by the owner''s trigger');
SELECT lab.remote('Ali', 'SET own.meddle = ''''') \g /dev/null
DROP TRIGGER zzz_meddle ON inbox.conversation;

-- ---- triggers that write elsewhere, under the guard's feet ----
SET ROLE attack_owner;
CREATE FUNCTION inbox.also() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE current_setting('own.also', true);
	RETURN NEW;
END $$;
CREATE TRIGGER a_also BEFORE UPDATE ON inbox.task FOR EACH ROW EXECUTE FUNCTION inbox.also();
CREATE TRIGGER zzz_also BEFORE UPDATE ON inbox.lead FOR EACH ROW EXECUTE FUNCTION inbox.also();
CREATE TRIGGER also AFTER UPDATE ON inbox.task FOR EACH ROW EXECUTE FUNCTION inbox.also();
RESET ROLE;
CREATE FUNCTION lab.also(statement text) RETURNS text LANGUAGE sql AS $$ SELECT lab.remote('Ali', format('SELECT set_config(''own.also'', %L, false)', statement)) || lab.remote('Ali', 'UPDATE inbox.task SET title = title || ''!'' WHERE assignee_id = 6') $$;
SELECT matches(lab.also(s), 'ERROR 42501', 'within a trigger too is refused: ' || s)
FROM unnest(ARRAY['UPDATE inbox.conversation SET priority = 2 WHERE id = 1', 'INSERT INTO inbox.message (conversation_id, kind, body) VALUES (24, ''note'', ''x'')', 'TRUNCATE inbox.task', 'UPDATE chat_rbac.member SET active = false WHERE member_id = 6',
	'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 1, 6, role_id FROM chat_rbac.role WHERE name = ''Agent''', 'INSERT INTO inbox.task (title, author_id) VALUES (''x'', 9)']) AS s;
SELECT ok((SELECT string_agg(priority::text, '') FROM inbox.conversation WHERE org_id = 1 AND id IN (16, 24)) = '00' AND lab.also('UPDATE inbox.conversation SET assignee_id = 6 WHERE id IN (16, 24)') !~ 'ERROR', 'and what it does not reach, it does not reach');
SELECT lab.sees_own_only('Ali', 'TABLE inbox.conversation', 'nothing more is seen');

-- ---- tables of one's own that write to protected ones ----
CALL lab.become('Ali');
CREATE TABLE own.lure (id int PRIMARY KEY, x text);
CREATE FUNCTION own.through() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE NEW.x; RETURN NEW; END $$;
CREATE FUNCTION own.through_definer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE NEW.x; RETURN NEW; END $$;
CREATE TRIGGER a BEFORE INSERT ON own.lure FOR EACH ROW EXECUTE FUNCTION own.through();
CREATE TRIGGER b AFTER INSERT ON own.lure FOR EACH ROW EXECUTE FUNCTION own.through_definer();
CREATE CONSTRAINT TRIGGER c AFTER INSERT ON own.lure DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION own.through();
CREATE TABLE own.ruled (x text);
CREATE RULE r AS ON INSERT TO own.ruled DO ALSO UPDATE inbox.conversation SET labels = ARRAY[NEW.x] WHERE assignee_id = 6 OR id = 24;
CREATE RULE r2 AS ON DELETE TO own.ruled DO INSTEAD SELECT labels, own.tell(labels) FROM inbox.conversation;
CREATE TABLE own.computed (id bigint, x text DEFAULT own.tell(now())::text, y boolean GENERATED ALWAYS AS (own.tell_early(id)) STORED);
CALL lab.dba();
-- (in sessions of their own: the deferred one fires when the transaction ends)
SELECT matches(lab.remote('Ali', format('INSERT INTO own.lure VALUES (1, %L)', s)), '^ERROR 42501', 'by a trigger of a table of one''s own is refused: ' || s)
FROM unnest('{UPDATE inbox.conversation SET priority = 1 WHERE assignee_id = 6,UPDATE inbox.conversation SET id = 5000 WHERE id = 5,TRUNCATE inbox.conversation}'::text[]) AS s;
SELECT matches(lab.remote('Gus', format('INSERT INTO own.lure VALUES (%s, %L)', n, s)), '^(1|ERROR 42501)', 'nor does one reach another org: ' || s)
FROM unnest('{UPDATE inbox.conversation SET priority = 1 WHERE org_id = 1,"INSERT INTO inbox.task (org_id, title) VALUES (1, ''x'')"}'::text[]) WITH ORDINALITY AS u (s, n);
SELECT is((SELECT count(*) FROM inbox.conversation WHERE org_id = 1 AND priority = 1) + (SELECT count(*) FROM inbox.task WHERE title = 'x' AND org_id = 1), 0::bigint, '... nothing came of it');
SELECT is(lab.run_as('Ali', 'INSERT INTO own.ruled VALUES (''~r~'')') , E'1\n', 'a rule writes');
SELECT ok((SELECT bool_and((m.id IS NOT NULL) OR c.labels <> '{~r~}') FROM inbox.conversation c LEFT JOIN lab.marker m ON (m.kind, m.org_id, m.id) = ('conversation', c.org_id, c.id) AND 'Ali' = ANY (m.seen_by) WHERE c.id <= 160), '... only what one may');
-- our triggers on tables that are none of ours
SELECT lab.gets_nothing('Ali', format('CREATE TRIGGER t %s ON own.loot %s EXECUTE FUNCTION chat_rbac.%s', w, CASE WHEN f ~ 'truncate' THEN '' ELSE 'FOR EACH ROW' END, f), '^(0|ERROR)', 'our trigger ' || f)
FROM (VALUES ('BEFORE INSERT', 'guard()'), ('BEFORE UPDATE', 'guard_mask(''a'', ''b'', ''true'')'), ('AFTER DELETE', 'audit()'), ('BEFORE TRUNCATE', 'guard_truncate()'), ('AFTER INSERT', 'invalidate()'), ('BEFORE DELETE', 'administer()'), ('AFTER UPDATE', 'refuse_audit_change()')) AS v (w, f);
SELECT count(*) AS events FROM chat_rbac.audit_event \gset
SELECT lab.gets_nothing('Ali', s, NULL, 'firing it: ' || s) FROM unnest('{INSERT INTO own.loot VALUES (1),UPDATE own.loot SET what = 2,DELETE FROM own.loot,TRUNCATE own.loot}'::text[]) AS s;
SELECT is((SELECT count(*) FROM chat_rbac.audit_event), :events::bigint, 'makes no event');
-- a trail's event tells the row as it became, whoever changed it on the way
SELECT is((SELECT e.new ->> 'assignee_id' FROM chat_rbac.audit_event e WHERE e.table_name = 'inbox.conversation' AND e.operation = 'insert' AND e.actor_name = 'Ali' ORDER BY e.at DESC, e.event_id DESC LIMIT 1), '6', 'what is recorded is what was written');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

--
-- explain_access() and who_can() agree with can(), for everybody, on a matrix of
-- rows, permissions and members made by the dice
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off;
SELECT plan(20);

\ir fixture/inbox.sql

-- roles, hierarchies and grants by the dice, as in matrix.sql
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT o, 1000 * o + r, 'role_' || r, ARRAY(
    SELECT format('%s.%s%s',
               (ARRAY['conversation', 'message', 'customer', 'task', 'lead', 'conversation', 'message', '*'])[1 + model.dice(8, 'resource', s)],
               (ARRAY['view', 'view', 'edit', 'delete', 'create', '*'])[1 + model.dice(6, 'action', s)],
               (ARRAY['', '@own', '@own', '@unassigned', '@unrouted', '@colleague', '@colleague', '@participating', '@done', '@own_done', '@begun', '@both',
                      '@linked', '@blocked', '@watched', '@urgent', '@ow', '@own_', ''])[1 + model.dice(19, 'relation', s)])
      FROM (SELECT r || ' ' || n FROM generate_series(0, 1 + model.dice(5, 'how many', r::text)) n) v (s))::chat_rbac.permset
  FROM generate_series(1, 2) o, generate_series(1, 120) r;
INSERT INTO chat_rbac.role_inherit
SELECT DISTINCT o, 1000 * o + r, 1000 * o + 1 + model.dice(r - 1, 'junior', o || ' ' || r || ' ' || n)
  FROM generate_series(1, 2) o, generate_series(2, 120) r, generate_series(1, 2) n WHERE model.dice(3, 'inherits', o || ' ' || r || ' ' || n) = 0;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT o, m, 1000 * o + 1 + model.dice(120, 'role', s), CASE WHEN model.dice(6, 'org-wide', s) > 0 THEN 1 + model.dice(40, 'unit', s) END,
       (ARRAY['(,)', '(,)', '(,)', '[-infinity,infinity)', '[2020-01-01,)', '[2020-01-01,2021-01-01)', '[2999-01-01,)', '(,2020-01-01)'])[1 + model.dice(8, 'valid', s)]::tstzrange
  FROM (SELECT o, m, o || ' ' || m || ' ' || n FROM generate_series(1, 2) o, generate_series(1, 150) m, generate_series(0, 3) n
         WHERE model.dice(3, 'grants', m || ' ' || n) > 0 OR n = 0) v (o, m, s);
-- who asks: one who may, and sees no row
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) SELECT o, 9000 + o, 'Asker', '{role.view}' FROM generate_series(1, 2) o;
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, 300, 'Asker' FROM generate_series(1, 2) o;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT o, 300, 9000 + o FROM generate_series(1, 2) o;
-- some units of one org are sealed, high up, at the bottom and below another
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id IN (3, 7, 14, 22, 31, 38);
ANALYZE chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant;

--
-- The questions: rows of each table, and of none, with what may be asked of them
--
CREATE TABLE model.question (n int GENERATED ALWAYS AS IDENTITY, org_id bigint, member_id bigint, permission text, tab regclass, key bigint);
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY '{conversation,message,attachment,reply,reaction,customer,contact,task,lead}'::text[] LOOP
        EXECUTE format($q$INSERT INTO model.question (org_id, member_id, permission, tab, key)
            SELECT o, m, (ARRAY[%2$L, %2$L, %3$L, 'message.edit', 'conversation.delete'])[1 + model.dice(5, 'asked', s)], 'inbox.%1$s', x.id
              FROM (SELECT o, m, n, o || ' ' || m || ' ' || n || '%1$s' FROM generate_series(1, 2) o, generate_series(1, CASE o WHEN 1 THEN 75 ELSE 25 END) m, generate_series(1, 5) n) v (o, m, n, s)
              CROSS JOIN LATERAL (SELECT id FROM inbox.%1$s WHERE %4$s ORDER BY model.dice(1000000, s, rid::text) LIMIT 1) x$q$,
            t, CASE WHEN t IN ('message', 'attachment', 'reply', 'reaction') THEN 'message' WHEN t = 'contact' THEN 'customer' ELSE t END || '.view',
            CASE WHEN t IN ('message', 'attachment', 'reply', 'reaction') THEN 'message' WHEN t = 'contact' THEN 'customer' ELSE t END || '.edit',
            CASE t WHEN 'attachment' THEN 'o = 1' ELSE 'org_id = o' END);
    END LOOP;
END $$;
-- rows that have something to do with the member
INSERT INTO model.question (org_id, member_id, permission, tab, key)
SELECT org_id, assignee_id, p, 'inbox.conversation'::regclass, id FROM conversation, unnest('{conversation.view,conversation.edit}'::text[]) p WHERE assignee_id BETWEEN 1 AND 60 AND id % 3 = 0
UNION ALL SELECT org_id, owner_id, p, 'inbox.customer', id FROM customer, unnest('{customer.view,customer.edit}'::text[]) p WHERE owner_id BETWEEN 1 AND 60 AND id % 2 = 0
UNION ALL SELECT org_id, owner_id, p, 'inbox.task', id FROM task, unnest('{task.view,task.edit}'::text[]) p WHERE owner_id BETWEEN 1 AND 60 AND id % 2 = 0
UNION ALL SELECT c.org_id, c.assignee_id, p, 'inbox.customer', c.customer_id FROM conversation c, unnest('{customer.view,customer.edit}'::text[]) p WHERE assignee_id BETWEEN 1 AND 60 AND id % 2 = 0
   AND EXISTS (SELECT FROM customer x WHERE x.org_id = c.org_id AND x.id = c.customer_id);
-- rows that are not there
INSERT INTO model.question (org_id, member_id, permission, tab, key) SELECT 1, m, 'conversation.view', 'inbox.conversation', 99999 + m FROM generate_series(1, 10) m;
-- anywhere, for a relation too
INSERT INTO model.question (org_id, member_id, permission)
SELECT o, m, p || r FROM generate_series(1, 2) o, generate_series(1, 150, 3) m,
       unnest('{conversation.view,message.edit,customer.delete,billing.edit,conversation.*}'::text[]) p, unnest('{"",@own,@colleague}'::text[]) r WHERE model.dice(3, o || ' ' || m, p || r) = 0;
GRANT USAGE ON SCHEMA model TO regress_chat_rbac_app;
GRANT SELECT ON model.question TO regress_chat_rbac_app;

CREATE TABLE model.answer (n int, can boolean, explained text, granted int, lacking int, told text, told_more int, self text);
GRANT SELECT, INSERT, UPDATE ON model.answer TO regress_chat_rbac_app;

-- As everybody: can(), and what they are told about themselves
DO $$
DECLARE
    who record;
BEGIN
    FOR who IN SELECT DISTINCT org_id, member_id FROM model.question LOOP
        PERFORM set_config('chat_rbac.identity', who.org_id || '/' || who.member_id, true);
        SET LOCAL ROLE regress_chat_rbac_app;
        INSERT INTO model.answer (n, can, self)
        SELECT q.n, c.can, CASE WHEN c.active THEN (SELECT w.verdict FROM chat_rbac.explain_access(who.member_id, q.permission::chat_rbac.permission, q.tab, VARIADIC c.key) w LIMIT 1) END
          FROM model.question q CROSS JOIN LATERAL (SELECT
                CASE WHEN q.tab IS NULL THEN chat_rbac.can(q.permission::chat_rbac.permission)
                     ELSE chat_rbac.can(q.permission::chat_rbac.permission, q.tab, q.key) END,
                CASE WHEN q.tab IS NULL THEN '{}' ELSE ARRAY[q.key] END, chat_rbac.current_member() IS NOT NULL) AS c (can, key, active)
         WHERE q.org_id = who.org_id AND q.member_id = who.member_id;
        RESET ROLE;
    END LOOP;
END $$;
-- The same with one of their roles active, or of what those inherit
CREATE TABLE model.narrowed (n int, role text, can boolean, explained text, granted int, lacking int);
GRANT INSERT ON model.narrowed TO regress_chat_rbac_app;
DO $$
DECLARE
    who record;
BEGIN
    FOR who IN
        WITH RECURSIVE c (org_id, member_id, role_id) AS (
            SELECT g.org_id, g.member_id, g.role_id FROM chat_rbac.role_grant g WHERE g.org_id = 1 AND g.member_id <= 60 AND g.valid @> now()
            UNION SELECT c.org_id, c.member_id, i.junior_id FROM c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.role_id)
        SELECT DISTINCT ON (org_id, member_id) org_id, member_id, r.name FROM c JOIN chat_rbac.role r USING (org_id, role_id) JOIN chat_rbac.member m USING (org_id, member_id)
         WHERE m.active ORDER BY org_id, member_id, model.dice(1000, 'active', member_id || ' ' || role_id)
    LOOP
        PERFORM set_config('chat_rbac.identity', who.org_id || '/' || who.member_id, true), set_config('chat_rbac.active_roles', who.name, true);
        SET LOCAL ROLE regress_chat_rbac_app;
        INSERT INTO model.narrowed
        SELECT q.n, who.name, CASE WHEN q.tab IS NULL THEN chat_rbac.can(q.permission::chat_rbac.permission) ELSE chat_rbac.can(q.permission::chat_rbac.permission, q.tab, q.key) END, w.*
          FROM model.question q CROSS JOIN LATERAL (
            SELECT (array_agg(e.verdict))[1], count(*) FILTER (WHERE e.verdict IN ('granted', 'held')), count(*) FILTER (WHERE e.verdict = 'lacking')
              FROM chat_rbac.explain_access(who.member_id, q.permission::chat_rbac.permission, q.tab, VARIADIC CASE WHEN q.tab IS NULL THEN '{}' ELSE ARRAY[q.key] END) e) w
         WHERE q.org_id = who.org_id AND q.member_id = who.member_id;
        RESET ROLE;
        PERFORM set_config('chat_rbac.active_roles', '', true);
    END LOOP;
END $$;
-- As a superuser, in the org; and as somebody who may ask and sees nothing
CREATE FUNCTION model.ask(o bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('chat_rbac.identity', o || '/300', true);
    UPDATE model.answer a SET explained = w.verdict, granted = w.granted, lacking = w.lacking
      FROM model.question q CROSS JOIN LATERAL (
        SELECT (array_agg(e.verdict))[1], count(*) FILTER (WHERE e.verdict = 'granted'), count(*) FILTER (WHERE e.verdict = 'lacking')
          FROM chat_rbac.explain_access(q.member_id, q.permission::chat_rbac.permission, q.tab, VARIADIC CASE WHEN q.tab IS NULL THEN '{}' ELSE ARRAY[q.key] END) e) w (verdict, granted, lacking)
     WHERE q.n = a.n AND q.org_id = o;
    SET LOCAL ROLE regress_chat_rbac_app;
    UPDATE model.answer a SET told = w.verdict, told_more = w.more
      FROM model.question q CROSS JOIN LATERAL (
        SELECT (array_agg(e.verdict))[1], count(*) FILTER (WHERE e.verdict = 'granted')
          FROM chat_rbac.explain_access(q.member_id, q.permission::chat_rbac.permission, q.tab, VARIADIC CASE WHEN q.tab IS NULL THEN '{}' ELSE ARRAY[q.key] END) e) w (verdict, more)
     WHERE q.n = a.n AND q.org_id = o AND q.n % 3 = 0;
    RESET ROLE;
END $$;
SELECT model.ask(1), model.ask(2) \g /dev/null

CREATE VIEW model.checked AS
SELECT q.*, m.active, a.can, a.explained, a.granted, a.lacking, a.told, a.told_more, a.self
  FROM model.question q JOIN model.answer a USING (n) JOIN chat_rbac.member m USING (org_id, member_id);

SELECT is((SELECT count(*) FROM model.answer WHERE explained IS NULL), 0::bigint, 'every question has an answer');
SELECT is_empty($$SELECT * FROM model.checked WHERE explained IS DISTINCT FROM CASE WHEN can THEN 'allowed' ELSE 'denied' END LIMIT 5$$,
    'explain_access() says of everybody what can() says to them');
SELECT is_empty($$SELECT * FROM model.checked WHERE active AND self IS DISTINCT FROM explained LIMIT 5$$, 'and to themselves');
SELECT is_empty($$SELECT * FROM model.checked WHERE n % 3 = 0 AND told IS DISTINCT FROM explained LIMIT 5$$, 'and to one who may ask and does not see the rows');
SELECT is_empty($$SELECT * FROM model.checked WHERE tab IS NOT NULL AND told_more > 0 LIMIT 5$$, 'who is told nothing more of them');
SELECT is_empty($$SELECT * FROM model.checked WHERE can <> (granted > 0 AND lacking = 0) AND (can OR active) LIMIT 5$$,
    'what is allowed has a grant that carries it, and lacks nothing; what is denied has no such grant, or lacks something');
SELECT is_empty($$SELECT * FROM model.checked WHERE NOT can AND active AND lacking = 0 AND key < 99999 LIMIT 5$$, 'what is denied lacks something');
SELECT is((SELECT string_agg(what, ', ' ORDER BY what) FROM (
               SELECT coalesce(t, 'anywhere') || ' ' || v AS what FROM unnest('{conversation,message,attachment,reply,reaction,customer,contact,task,lead,NULL}'::text[]) t, unnest('{true,false}'::text[]) v
               EXCEPT SELECT coalesce(tab::text, 'anywhere') || ' ' || can::text FROM model.checked) missing), NULL, 'every table was seen with yes and with no');
SELECT cmp_ok((SELECT count(*) FROM model.answer WHERE can), '>', 500::bigint, 'yes was said often');
SELECT set_config('chat_rbac.identity', '1/300', true) \g /dev/null
SELECT cmp_ok((SELECT count(DISTINCT q.n) FROM model.question q JOIN model.answer a USING (n) CROSS JOIN LATERAL chat_rbac.explain_access(q.member_id, q.permission::chat_rbac.permission, q.tab, VARIADIC ARRAY[q.key]) e
                WHERE q.org_id = 1 AND q.tab = 'inbox.conversation'::regclass AND NOT a.can AND e.why LIKE '%(sealed)%'), '>', 20::bigint, 'a seal was why, often');

SELECT is_empty($$SELECT * FROM model.narrowed WHERE explained IS DISTINCT FROM CASE WHEN can THEN 'allowed' ELSE 'denied' END LIMIT 5$$, 'narrowed to one role: the same');
SELECT is_empty($$SELECT * FROM model.narrowed WHERE can AND (granted = 0 OR lacking > 0) LIMIT 5$$, 'and by a grant of what is active');
SELECT cmp_ok((SELECT count(*) FROM model.narrowed JOIN model.answer a USING (n) WHERE a.can AND NOT narrowed.can), '>', 20::bigint, 'which was less, often');
SELECT cmp_ok((SELECT count(*) FROM model.narrowed WHERE can), '>', 20::bigint, 'and something, often');

--
-- who_can(): the same members as can() says, of rows and anywhere
--
CREATE TABLE model.rows AS SELECT DISTINCT ON (tab, model.dice(3, 'row', key::text)) org_id, permission, tab, key
  FROM model.checked WHERE org_id = 1 AND (can OR tab IS NULL) ORDER BY tab, model.dice(3, 'row', key::text), n;
CREATE TABLE model.holder (permission text, tab regclass, key bigint, member_id bigint);
GRANT SELECT ON model.rows TO regress_chat_rbac_app;
GRANT INSERT ON model.holder TO regress_chat_rbac_app;
DO $$
DECLARE
    who bigint;
BEGIN
    FOR who IN SELECT member_id FROM chat_rbac.member WHERE org_id = 1 LOOP
        PERFORM set_config('chat_rbac.identity', '1/' || who, true);
        SET LOCAL ROLE regress_chat_rbac_app;
        INSERT INTO model.holder SELECT permission, tab, key, who FROM model.rows
         WHERE CASE WHEN tab IS NULL THEN chat_rbac.can(permission::chat_rbac.permission) ELSE chat_rbac.can(permission::chat_rbac.permission, tab, key) END;
        RESET ROLE;
    END LOOP;
    PERFORM set_config('chat_rbac.identity', '1/300', true);
END $$;
CREATE FUNCTION model.who_can() RETURNS TABLE (permission text, tab regclass, key bigint, member_id bigint) LANGUAGE sql AS $$
    SELECT DISTINCT r.permission, r.tab, r.key, w.member_id FROM model.rows r
     CROSS JOIN LATERAL chat_rbac.who_can(r.permission::chat_rbac.permission, r.tab, VARIADIC CASE WHEN r.tab IS NULL THEN '{}' ELSE ARRAY[r.key] END) w
$$;
SELECT set_eq('SELECT * FROM model.who_can()', 'SELECT * FROM model.holder', 'who_can() names just those to whom can() says yes');
-- one who may ask and does not see the rows is told who, and no more
CREATE TABLE model.told (permission text, tab regclass, key bigint, member_id bigint, role text, unit text, held chat_rbac.permission);
GRANT INSERT ON model.told TO regress_chat_rbac_app;
DO $$
BEGIN
    SET LOCAL ROLE regress_chat_rbac_app;
    INSERT INTO model.told SELECT r.permission, r.tab, r.key, w.member_id, w.role, w.unit, w.held FROM model.rows r
     CROSS JOIN LATERAL chat_rbac.who_can(r.permission::chat_rbac.permission, r.tab, VARIADIC CASE WHEN r.tab IS NULL THEN '{}' ELSE ARRAY[r.key] END) w;
    RESET ROLE;
END $$;
SELECT set_eq('SELECT DISTINCT permission, tab, key, member_id FROM model.told', 'SELECT * FROM model.holder', 'also to one who does not see the rows');
SELECT is_empty('SELECT * FROM model.told WHERE tab IS NOT NULL AND coalesce(role, unit, held::text) IS NOT NULL', 'who is not told by which grants');
SELECT cmp_ok((SELECT count(*) FROM model.holder), '>', 100::bigint, 'there were many of them');

--
-- what_can(): what is in it is held, at one of the units or in the whole org
--
CREATE FUNCTION model.what_can_differs(who bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    held text[] := ARRAY(SELECT w.held::text FROM chat_rbac.what_can(who) w);
BEGIN
    PERFORM set_config('chat_rbac.identity', '1/' || who, true);
    RETURN QUERY SELECT h || ' of ' || who FROM unnest(held) h WHERE NOT chat_rbac.can(h::chat_rbac.permission);
    RETURN QUERY SELECT 'nothing of ' || who WHERE held = '{}' AND EXISTS (SELECT FROM chat_rbac.effective_permissions e JOIN chat_rbac.member m ON m.org_id = 1 AND m.name = e.member AND m.member_id = who JOIN chat_rbac.org o ON o.org_id = 1 AND o.name = e.org);
    RETURN QUERY SELECT 'not ' || k.name || ' of ' || who FROM chat_rbac.known_permission k
      WHERE chat_rbac.can(k.name) AND NOT EXISTS (SELECT FROM unnest(held) h WHERE split_part(h, '@', 1)::chat_rbac.permission OPERATOR(chat_rbac.@>) k.name);
    PERFORM set_config('chat_rbac.identity', '1/300', true);
END $$;
SELECT is_empty('SELECT model.what_can_differs(m) FROM generate_series(1, 150) m', 'what_can() and can() agree');

SELECT is_empty('SELECT * FROM chat_rbac.preview('''')', 'nothing changes nothing');
SELECT * FROM finish();
ROLLBACK;

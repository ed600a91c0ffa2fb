--
-- What a mask hides makes no difference.  The same rows are in two inboxes but for
-- the hidden values; whatever a person asks, and however, comes out the same of both:
-- results, errors with their details, estimates, and what functions of one's own get
-- to see.  To somebody who may see the values, they make a difference.
--
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL jit = off;
SELECT plan(11);

CREATE SCHEMA lab;
CREATE ROLE regress_chat_rbac_owner;
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_reader;
CREATE SCHEMA regress_own AUTHORIZATION regress_chat_rbac_app;      -- where the app's role may do as it likes
GRANT USAGE ON SCHEMA lab TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection, chat_rbac.protected_view TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_inbox, chat_rbac.protect, chat_rbac.create_view TO regress_chat_rbac_owner;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.audit_event, chat_rbac.activity TO regress_chat_rbac_app;

-- 1 Sue sees all customers, 2 Ali own ones and those of own conversations; each the values of own ones only.  4 Olga sees everything.
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('globex', 2);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 1, 'team', 'Support'), (1, 2, 'inbox', 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'Sue'), (1, 2, 'Ali'), (1, 4, 'Olga'), (1, 5, 'Ben'), (2, 5, 'Cid');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Mine', '{customer.view_phone@own, customer.view_finance@own, *.edit, customer.create, task.*, customer.merge, customer.delete, conversation.*, audit.view}');
SELECT chat_rbac.grant_role('acme', 'Sue', 'Supervisor'), chat_rbac.grant_role('acme', 'Sue', 'Mine'),
       chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Olga', 'Owner');

-- An inbox of somebody's, with the one or the other values: of a superuser; of a role that policies hold; with a reader
CREATE FUNCTION lab.make_inbox(inbox name, owner name, variant int, reader text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', inbox, owner);
    EXECUTE format('SET LOCAL ROLE %I', owner);
    PERFORM chat_rbac.create_inbox(inbox);
    -- the trail is another way to see a value: what is masked is not in it
    PERFORM chat_rbac.protect(format('%I.customer', inbox)::regclass,
        chat_rbac.protection(format('%I.customer', inbox)::regclass) || '{"audit": {"exclude": ["name", "phone", "email", "balance", "credit_limit"]}}');
    EXECUTE format('ALTER TABLE %I.customer ADD CONSTRAINT not_so_late CHECK (created_at < ''2100-01-01'')', inbox);
    PERFORM chat_rbac.create_view(format('%I.customer', inbox)::regclass, format('{"view": "%s.card", "grant": ["regress_chat_rbac_app"], %s "masks": {
        "name":         {"with": "name",   "lifted_by": "customer.view_phone"},
        "phone":        {"with": "phone",  "lifted_by": "customer.view_phone"},
        "email":        {"with": "email",  "lifted_by": "customer.view_phone"},
        "balance":      {"with": "amount", "lifted_by": "customer.view_finance"},
        "credit_limit": {"with": "full",   "lifted_by": "customer.view_finance"}}}', inbox, reader)::jsonb);
    RESET ROLE;
    EXECUTE format('INSERT INTO %1$I.customer (org_id, id, owner_id, name, phone, email, balance, credit_limit, created_at, updated_at)
        SELECT o, i, w, %3$L || left(h, 6) || '' H'' || right(h, 5), ''+141'' || lpad(n::text, 4, ''7'') || lpad(i::text, 4, ''0''),
               ''n'' || left(h, 7) || ''@'' || right(h, 4) || ''.com'', -1000 - n, CASE WHEN (i + x) %% 4 <> 0 THEN 100 + n END, ''2026-01-01'', ''2026-01-01''
          FROM (SELECT CASE WHEN i > 72 THEN 2 ELSE 1 END AS o, i, CASE i %% 6 WHEN 0 THEN 2 WHEN 1 THEN 1 ELSE 5 END AS w,
                       CASE WHEN i %% 6 > 1 OR i > 72 THEN %2$s ELSE 0 END AS x FROM generate_series(1, 90) i) AS r,
               md5(i / CASE x WHEN 2 THEN 3 ELSE 1 END || '' '' || x) AS h, LATERAL (SELECT (''x'' || right(h, 6))::bit(24)::int %% 8999 AS n) AS v', inbox, variant, 'N');
    EXECUTE format('INSERT INTO %I.conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by)
        SELECT 1, i, i, 2, 1, CASE WHEN i %% 2 = 0 THEN 2 ELSE 5 END, ''customer'' FROM generate_series(1, 30) i', inbox);
    EXECUTE format('INSERT INTO %I.task (org_id, id, assignee_id, author_id, title) SELECT 1, i, i, i, ''t'' FROM generate_series(1, 2) i', inbox);
    EXECUTE format('GRANT USAGE ON SCHEMA %1$I TO regress_chat_rbac_app;
        GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO regress_chat_rbac_app; REVOKE SELECT ON %1$I.customer FROM regress_chat_rbac_app;
        GRANT SELECT (org_id, id, owner_id, blocked, created_at, updated_at) ON %1$I.customer TO regress_chat_rbac_app;
        GRANT INSERT, UPDATE, DELETE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA %1$I TO regress_chat_rbac_app; REVOKE ALL ON %1$I.card FROM regress_chat_rbac_app;
        GRANT SELECT ON %1$I.card TO regress_chat_rbac_app', inbox);
    EXECUTE format('ANALYZE %1$I.customer; ANALYZE %1$I.conversation; ANALYZE %1$I.task', inbox);
END $$;
SELECT lab.make_inbox('super_1', current_user, 1), lab.make_inbox('super_2', current_user, 2),
       lab.make_inbox('plain_1', 'regress_chat_rbac_owner', 1), lab.make_inbox('plain_2', 'regress_chat_rbac_owner', 2),
       lab.make_inbox('reader_1', current_user, 1, '"reader": "regress_chat_rbac_reader", '), lab.make_inbox('reader_2', current_user, 2, '"reader": "regress_chat_rbac_reader", ');

--
-- What the app's role has made: functions that tell what they see, as cheap as can be
--
CREATE TEMP TABLE seen (value text);
GRANT ALL ON seen TO PUBLIC;
SET LOCAL ROLE regress_chat_rbac_app;
CREATE FUNCTION regress_own.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN INSERT INTO seen VALUES ($1::text); RETURN true; END $$;
CREATE FUNCTION regress_own.leak_by_error(anyelement) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0000001 AS $$ BEGIN RAISE EXCEPTION 'seen: %', $1; END $$;
CREATE FUNCTION regress_own.same(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN INSERT INTO seen VALUES ($1::text); RETURN $1 = $2; END $$;
CREATE OPERATOR regress_own.=== (LEFTARG = anyelement, RIGHTARG = anyelement, FUNCTION = regress_own.same, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE TABLE regress_own.p (id int PRIMARY KEY);
CREATE TABLE regress_own.c (id int REFERENCES regress_own.p ON DELETE CASCADE, what text);
CREATE FUNCTION regress_own.in_cascade() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE OLD.what; RETURN OLD; END $$;
CREATE TRIGGER in_cascade BEFORE DELETE ON regress_own.c FOR EACH ROW EXECUTE FUNCTION regress_own.in_cascade();
CREATE FUNCTION regress_own.cascade(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO regress_own.p VALUES (1);
    INSERT INTO regress_own.c VALUES (1, what);
    DELETE FROM regress_own.p;
    RETURN (SELECT string_agg(value, ' ' ORDER BY value) FROM seen);
END $$;
RESET ROLE;

--
-- The forms.  :s is the schema, :c the column, :v a hidden value of it in the first inbox, %t its type
--
CREATE TABLE lab.form (n int GENERATED ALWAYS AS IDENTITY, form text);
INSERT INTO lab.form (form) SELECT unnest(ARRAY[
    -- the table
    'SELECT :c FROM :s.customer', 'SELECT * FROM :s.customer', 'SELECT customer FROM :s.customer', 'SELECT customer::text FROM :s.customer',
    'SELECT row_to_json(customer) FROM :s.customer', 'SELECT to_jsonb(c) FROM :s.customer c', 'SELECT c.:c FROM ONLY :s.customer c', 'SELECT count(:c) FROM :s.customer',
    'SELECT id FROM :s.customer WHERE :c = :v', 'SELECT id FROM :s.customer ORDER BY :c', 'SELECT count(*) FROM :s.customer GROUP BY :c',
    'SELECT :c FROM :s.customer TABLESAMPLE SYSTEM (100)', 'SELECT table_to_xml(''":s".customer'', true, false, '''')', 'SELECT id FROM :s.customer WHERE regress_own.leak(customer)',
    'SELECT c.id FROM :s.customer c JOIN (SELECT 1) x ON c.:c IS NOT NULL', 'SELECT id, created_at FROM :s.customer WHERE regress_own.leak(id) ORDER BY id',
    'CREATE TEMP VIEW mine AS SELECT :c FROM :s.customer',
    -- the view
    'SELECT id, :c FROM :s.card ORDER BY id', 'SELECT * FROM :s.card ORDER BY id', 'SELECT card FROM :s.card ORDER BY id', 'SELECT card::text FROM :s.card ORDER BY id',
    'SELECT row_to_json(card) FROM :s.card ORDER BY id', 'SELECT to_jsonb(c) FROM :s.card c ORDER BY id', 'SELECT table_to_xml('':s.card'', true, false, '''')',
    'SELECT id FROM :s.card ORDER BY :c, id', 'SELECT id FROM :s.card ORDER BY :c DESC NULLS LAST, id', 'SELECT id FROM :s.card WHERE :c = :v ORDER BY id',
    'SELECT id FROM :s.card WHERE :c > :v ORDER BY id', 'SELECT id FROM :s.card WHERE :c IN (:v, :v) ORDER BY id', 'SELECT id FROM :s.card WHERE :c::text LIKE ''%7%'' ORDER BY id',
    'SELECT id FROM :s.card WHERE :c::text ~ ''[3-5]{2}'' ORDER BY id', 'SELECT id FROM :s.card WHERE :c IS NULL ORDER BY id', 'SELECT id, length(:c::text) FROM :s.card ORDER BY id',
    'SELECT id FROM :s.card WHERE regress_own.leak(:c)', 'SELECT id FROM :s.card WHERE regress_own.leak_by_error(:c)', 'SELECT id FROM :s.card WHERE regress_own.leak_by_error(:c) AND id = 74',
    'SELECT id FROM :s.card WHERE regress_own.leak(card)', 'SELECT id FROM :s.card WHERE :c OPERATOR(regress_own.===) :v', 'SELECT id FROM :s.card WHERE regress_own.leak(id)',
    'SELECT id FROM :s.card WHERE regress_own.leak_by_error(:c) OFFSET 0', 'SELECT id FROM :s.card c WHERE EXISTS (SELECT WHERE regress_own.leak(c.:c))',
    'SELECT a.id FROM :s.card a LEFT JOIN :s.card b ON regress_own.leak(b.:c) AND a.id = b.id ORDER BY 1', 'SELECT id FROM :s.card WHERE CASE WHEN :c = :v THEN 1 / 0 ELSE 1 END > 0 ORDER BY id',
    'SELECT :c::text::int FROM :s.card WHERE :c IS NOT NULL', 'SELECT :c::text::date FROM :s.card ORDER BY id', 'SELECT 1 / (:c = :v)::int FROM :s.card WHERE id = 5',
    'SELECT :c, count(*) FROM :s.card GROUP BY :c ORDER BY 1', 'SELECT DISTINCT :c FROM :s.card ORDER BY 1', 'SELECT count(DISTINCT :c), min(:c), max(:c), string_agg(:c::text, '','' ORDER BY id) FROM :s.card',
    'SELECT a.id, b.id FROM :s.card a JOIN :s.card b USING (:c) ORDER BY 1, 2', 'SELECT a.id FROM :s.card a JOIN (SELECT :v AS x) b ON b.x = a.:c', 'SELECT id, rank() OVER (ORDER BY :c) FROM :s.card ORDER BY id',
    'SELECT :c FROM :s.card INTERSECT SELECT :v', 'SELECT c.id, u.x FROM :s.card c, LATERAL (SELECT c.:c AS x) u ORDER BY 1', 'SELECT (SELECT c.:c) FROM :s.card c ORDER BY id',
    'WITH RECURSIVE r AS (SELECT id, :c AS x FROM :s.card UNION SELECT id, x FROM r) SELECT * FROM r ORDER BY id', 'SELECT query_to_xml(''SELECT :c FROM :s.card ORDER BY id'', true, false, '''')',
    'SELECT id, :c FROM :s.card ORDER BY id FOR UPDATE', 'SELECT width_bucket(length(:c::text), 0, 30, 10), count(*) FROM :s.card GROUP BY 1 ORDER BY 1',
    -- writing
    'UPDATE :s.customer SET blocked = blocked WHERE id = 2 RETURNING :c', 'UPDATE :s.customer SET updated_at = now() WHERE id = 2 RETURNING *', 'UPDATE :s.customer SET updated_at = now() WHERE id = 2 RETURNING customer',
    'UPDATE :s.customer SET updated_at = now() WHERE :c = :v', 'UPDATE :s.customer SET name = :c::text WHERE id = 2', 'UPDATE :s.card SET :c = :c WHERE id = 2', 'UPDATE :s.card SET updated_at = updated_at RETURNING :c',
    'UPDATE :s.customer SET updated_at = now() WHERE id = 2 RETURNING regress_own.leak(:c)', 'DELETE FROM :s.customer WHERE id = 50 RETURNING :c', 'DELETE FROM :s.customer WHERE :c = :v', 'DELETE FROM :s.card WHERE :c = :v RETURNING 1',
    'UPDATE :s.customer SET :c = :v WHERE id = 5', 'UPDATE :s.customer SET :c = :v, updated_at = now()', 'UPDATE :s.customer SET :c = NULL WHERE id = 4', 'UPDATE :s.customer SET :c = DEFAULT', 'UPDATE :s.customer SET (blocked, :c) = (SELECT false, :v) WHERE id = 5',
    'INSERT INTO :s.customer (org_id, id, name) VALUES (1, 5, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET :c = :v', 'MERGE INTO :s.customer c USING (SELECT 1) x ON c.id = 5 WHEN MATCHED THEN UPDATE SET :c = :v',
    'UPDATE :s.customer SET created_at = NULL WHERE id = 2', 'UPDATE :s.customer SET created_at = ''2200-01-01''', 'UPDATE :s.customer SET org_id = NULL', 'UPDATE :s.customer SET id = 3 WHERE id = 2',
    'INSERT INTO :s.customer (org_id, id, name) VALUES (1, 2, ''x'') RETURNING :c', 'INSERT INTO :s.customer (org_id, id, name) VALUES (1, 2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET updated_at = now() RETURNING :c',
    'INSERT INTO :s.customer AS c (org_id, id, name) VALUES (1, 2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET name = c.:c::text', 'INSERT INTO :s.customer (org_id, id, name) VALUES (1, 2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET name = excluded.:c::text',
    'INSERT INTO :s.customer AS c (org_id, id, name) VALUES (1, 2, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET updated_at = now() WHERE c.:c = :v',
    'MERGE INTO :s.customer c USING (SELECT 1) x ON c.id = 2 WHEN MATCHED THEN UPDATE SET name = c.:c::text', 'MERGE INTO :s.customer c USING (SELECT 1) x ON c.id = 2 WHEN MATCHED AND c.:c = :v THEN DELETE',
    'UPDATE :s.task t SET title = coalesce(v.:c::text, ''none'') FROM :s.card v WHERE v.id = 5 RETURNING title', 'UPDATE :s.task t SET title = ''x'' FROM :s.card v WHERE v.:c = :v RETURNING t.id',
    'MERGE INTO :s.task t USING :s.card v ON v.:c = :v WHEN MATCHED THEN UPDATE SET title = v.:c::text',
    'INSERT INTO :s.task (title) SELECT :c::text FROM :s.card WHERE :c IS NOT NULL RETURNING title', 'CREATE TEMP TABLE kept AS SELECT id, :c FROM :s.card', 'ALTER TABLE :s.customer ADD CHECK (:c IS NULL)',
    'CREATE INDEX ON :s.customer ((regress_own.leak(:c)))', 'CREATE STATISTICS regress_own.st ON :c, id FROM :s.customer', 'CREATE POLICY mine ON :s.customer USING (regress_own.leak(:c))',
    'CREATE TABLE regress_own.r (x %t REFERENCES :s.customer (:c))', 'CREATE TRIGGER mine BEFORE UPDATE ON :s.customer FOR EACH ROW EXECUTE FUNCTION regress_own.in_cascade()', 'CREATE RULE mine AS ON UPDATE TO :s.customer DO ALSO SELECT old.:c',
    'COPY (SELECT :c FROM :s.customer) TO PROGRAM ''cat''', 'LOCK TABLE :s.customer',
    -- views and functions over the view, cascades
    'SELECT regress_own.cascade(''INSERT INTO seen SELECT id || '''' '''' || coalesce(:c::text, ''''-'''') FROM :s.card'')', 'SELECT regress_own.cascade(''INSERT INTO seen SELECT 1 FROM :s.card WHERE regress_own.leak(:c)'')',
    'SELECT regress_own.cascade(''INSERT INTO seen SELECT 1 FROM :s.card WHERE regress_own.leak(card)'')', 'SELECT regress_own.cascade(''INSERT INTO seen SELECT :c::text FROM :s.customer'')',
    'SELECT regress_own.cascade(''INSERT INTO seen SELECT id FROM :s.card WHERE regress_own.leak(id)'')', 'SELECT regress_own.cascade(''UPDATE :s.customer SET updated_at = now() WHERE regress_own.leak(id)'')',
    -- estimates and the catalogue
    'SELECT * FROM pg_stats WHERE schemaname = '':s'' AND tablename IN (''customer'', ''card'') AND attname = '':c''', 'SELECT * FROM pg_stats_ext WHERE schemaname = '':s''', 'SELECT * FROM pg_statistic',
    'EXPLAIN SELECT * FROM :s.card WHERE :c = :v', 'EXPLAIN SELECT * FROM :s.card WHERE :c > :v', 'EXPLAIN SELECT * FROM :s.card WHERE :c IS NULL', 'EXPLAIN SELECT :c FROM :s.card GROUP BY :c', 'EXPLAIN SELECT DISTINCT :c FROM :s.card',
    'EXPLAIN SELECT * FROM :s.card a JOIN :s.card b USING (:c)', 'EXPLAIN SELECT * FROM :s.card WHERE :c::text LIKE ''+1%''', 'EXPLAIN (ANALYZE, TIMING off, SUMMARY off, BUFFERS off) SELECT * FROM :s.card WHERE :c = :v',
    'EXPLAIN (ANALYZE, TIMING off, SUMMARY off, BUFFERS off) SELECT * FROM :s.card ORDER BY :c', 'EXPLAIN VERBOSE SELECT :c FROM :s.card', 'EXPLAIN SELECT 1 FROM :s.customer WHERE :c = :v', 'EXPLAIN UPDATE :s.customer SET blocked = true WHERE :c = :v',
    'EXPLAIN SELECT * FROM :s.card WHERE :c OPERATOR(regress_own.===) :v',
    -- chat_rbac's own
    'SELECT a.did, a.changes FROM chat_rbac.activity a WHERE what ~ ''customer'' AND schema_name = '':s''', 'SELECT h.did, h.changes FROM chat_rbac.history('':s.customer'', 2) h', 'SELECT chat_rbac.actions('':s.customer'', 2)',
    'SELECT e.old, e.new FROM chat_rbac.audit_event e WHERE e.relation = '':s.customer''::regclass ORDER BY row_key', 'SELECT chat_rbac.preview(''UPDATE :s.customer SET name = :c::text'')',
    'SELECT chat_rbac.mask_expression('':s.customer'', '':c'', ''phone'')', 'SELECT * FROM chat_rbac.explain_access(1, ''customer.view_phone'', '':s.customer'', 2)'
]);
CREATE TABLE lab.col (name text, type text, value text);
INSERT INTO lab.col SELECT k, CASE WHEN k IN ('balance', 'credit_limit') THEN 'numeric(14,2)' ELSE 'text' END, quote_literal(v) || CASE WHEN k IN ('balance', 'credit_limit') THEN '::numeric' ELSE '' END
  FROM super_1.customer c, jsonb_each_text(to_jsonb(c)) AS e (k, v) WHERE id = 5 AND k IN ('name', 'phone', 'email', 'balance', 'credit_limit');

-- What comes of a form, which is undone
CREATE FUNCTION lab.attempt(me bigint, statement text, inbox text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := '';
    r record;
    detail text; hint text; message text;
BEGIN
    PERFORM set_config('chat_rbac.identity', '1/' || me, true);
    SET LOCAL ROLE regress_chat_rbac_app;
    BEGIN
        IF statement ~ '^(SELECT|WITH|EXPLAIN|.*RETURNING)' THEN
            FOR r IN EXECUTE statement LOOP result := result || r::text || E'\n'; END LOOP;
        ELSE
            EXECUTE statement;
            GET DIAGNOSTICS result = ROW_COUNT;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'ZZ000';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        result := result || CASE WHEN SQLSTATE = 'ZZ000' THEN '' ELSE concat_ws(' | ', SQLSTATE, message, detail, hint) END;
    END;
    RESET ROLE;
    RETURN replace(result, inbox, 'inbox');
END $$;
-- the same, keeping what the functions have seen
CREATE FUNCTION lab.attempt_seen(me bigint, statement text, inbox text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    saw text;
BEGIN
    BEGIN
        PERFORM set_config('chat_rbac.identity', '1/' || me, true);
        SET LOCAL ROLE regress_chat_rbac_app;
        IF statement ~ '^(SELECT|UPDATE.*leak)' AND statement !~ 'by_error' THEN
            EXECUTE statement;
        END IF;
        SELECT string_agg(value, ' ' ORDER BY value) INTO saw FROM seen;
        RAISE EXCEPTION USING ERRCODE = 'ZZ000';
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    RESET ROLE;
    RETURN replace(saw, inbox, 'inbox');
END $$;

CREATE TABLE lab.outcome AS
SELECT owner, me, c.name AS col, f.n, f.form, x.statement, lab.attempt(me, x.statement, x.inbox) AS came, lab.attempt_seen(me, x.statement, x.inbox) AS saw, variant
  FROM lab.form f CROSS JOIN lab.col c CROSS JOIN unnest('{super,plain,reader}'::text[]) owner CROSS JOIN unnest('{1,2,4}'::int[]) me CROSS JOIN generate_series(1, 2) variant
  CROSS JOIN LATERAL (SELECT owner || '_' || variant AS inbox,
      replace(replace(replace(replace(f.form, ':s', owner || '_' || variant), ':c', c.name), ':v', c.value), '%t', c.type) AS statement) x
 WHERE c.name = 'phone' OR f.form ~ ':c';
CREATE VIEW lab.difference AS
SELECT a.owner, a.me, a.col, a.form, a.came AS one, b.came AS other, a.saw AS saw_one, b.saw AS saw_other FROM lab.outcome a JOIN lab.outcome b USING (owner, me, col, n)
 WHERE a.variant = 1 AND b.variant = 2 AND (a.came, a.saw) IS DISTINCT FROM (b.came, b.saw);

SELECT is_empty($$ SELECT owner, col, form, one, other, saw_one, saw_other FROM lab.difference WHERE me = 1 LIMIT 5 $$, 'to Sue, who sees all customers, hidden values make no difference');
SELECT is_empty($$ SELECT owner, col, form, one, other, saw_one, saw_other FROM lab.difference WHERE me = 2 LIMIT 5 $$, 'to Ali, who sees some, neither');
SELECT is_empty($$ SELECT o.owner, o.me, o.col, o.form, c.name, o.came FROM lab.outcome o JOIN super_1.customer s ON s.id % 6 > 1 AND s.id <> 5 CROSS JOIN LATERAL (VALUES (s.name), (s.phone), (s.email), (s.balance::text)) c (name)
    WHERE me < 4 AND o.variant = 1 AND o.owner = 'super' AND (strpos(o.came, c.name) > 0 OR strpos(o.saw, c.name) > 0) LIMIT 5 $$, 'no hidden value is in what they get');
SELECT is_empty($$ SELECT c.name FROM lab.col c, unnest('{super,plain,reader}'::text[]) owner
    WHERE (SELECT count(DISTINCT form) FROM lab.difference d WHERE d.me = 4 AND d.col = c.name AND d.owner = owner) < 25 $$, 'to Olga, who may see them, they make one, in many forms');
SELECT is_empty($$ SELECT owner, col, form FROM lab.difference WHERE me = 4 AND form ~ ':s.customer' AND form !~ 'activity|audit_event|:s.card' $$, 'but not past the view, for her neither');
-- the forms do what they are meant to do
SELECT is_empty($$ SELECT DISTINCT form, came FROM lab.outcome WHERE me = 1 AND form ~ '^(SELECT|WITH|EXPLAIN).* :s.card' AND came ~ '^[0-9A-Z]{5} \|'
    AND form !~ '::date|::int|1 / |leak_by_error|FOR UPDATE|=== ' $$, 'queries of the view come through');
SELECT is(array_agg(DISTINCT left(came, 5) ORDER BY left(came, 5)), '{42501}', 'those of hidden columns of the table do not')
  FROM lab.outcome WHERE me < 4 AND form ~ '^(SELECT|UPDATE|EXPLAIN|INSERT|MERGE|DELETE|COPY)[^(]* :s.customer' AND form ~ ':c|\*|customer(::text)? FROM|leak.customer' AND form !~ 'count\(\*\) FROM :s.customer$|:s.card|excluded|SET (:c|.blocked, :c. =)|TO PROGRAM';
SELECT is(count(*), 72::bigint, 'Sue sees the rows of her org only') FROM lab.outcome o, regexp_split_to_table(rtrim(came, E'\n'), E'\n') WHERE owner = 'plain' AND me = 1 AND variant = 1 AND col = 'phone' AND form = 'SELECT id, :c FROM :s.card ORDER BY id';
SELECT is(count(*), 22::bigint, 'Ali own ones and those of own conversations') FROM lab.outcome o, regexp_split_to_table(rtrim(came, E'\n'), E'\n') WHERE owner = 'plain' AND me = 2 AND variant = 1 AND col = 'phone' AND form = 'SELECT id, :c FROM :s.card ORDER BY id';
SELECT is_empty($$ SELECT owner, me, form, x FROM lab.outcome, regexp_split_to_table(concat_ws(' ', saw, substring(came FROM '^[(](.*)[)]')), ' ') x
    WHERE form ~ ':s.card WHERE regress_own.leak.id' AND x ~ '^[0-9]+$' AND (x::int > 72 OR me = 2 AND x::int % 6 > 0 AND NOT (x::int <= 30 AND x::int % 2 = 0)) LIMIT 5 $$,
    'functions of their own see no hidden row');
SELECT isnt_empty($$ SELECT FROM lab.outcome WHERE form ~ 'cascade.*leak\(:c' AND saw ~ '\*\*\*' $$, 'a trigger in a cascade reads the view, and gets masks');

SELECT * FROM finish();
ROLLBACK;

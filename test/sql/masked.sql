--
-- create_view(): masked views over protected tables.  That no mask can be got round is
-- in test/pgtap/masked.sql; here is what a view shows, what is said of it, and its life.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = ISO;
\set SHOW_CONTEXT never

--
-- The masks
--
SELECT v AS phone, chat_rbac.mask_phone(v) FROM unnest(ARRAY['+14155550123', '+49 (170) 123-4567', '4155550123', '415555012', '555012', '55501', '', 'ask Noor', NULL,
  '+1 - - - - - - - 4155', '٠١٢٣٤٥٦٧٨٩', repeat('7', 33)]) v;
SELECT v AS email, chat_rbac.mask_email(v) FROM unnest(ARRAY['noor@example.com', 'N@x.de', '"a@b"@mail.example.museum', 'émile@example.fr', '@x.de', 'noor', 'noor@localhost', 'noor@example.c0m',
  'noor@.com', 'noor@', 'noor@x.averyveryveryverylongtopleveldomain', '', NULL]) v;
SELECT v AS name, chat_rbac.mask_name(v) FROM unnest(ARRAY['Noor Haddad', '  Noor   al  Haddad  bin Ali', 'X', 'Émile Zola', '王小明', E'Noor\tHaddad\nx', '', '   ', NULL]) v;
SELECT chat_rbac.mask_phone(repeat('1', 2000)), chat_rbac.mask_email(repeat('a', 2000) || '@x.com'), chat_rbac.mask_name(repeat('a ', 2000));
SELECT v AS amount, chat_rbac.mask_amount(v) FROM unnest('{-1234.56,0.05,0,0.00,1,9.99,10,123456789012345678901234567890.5,-0.000004200,NaN,Infinity,-Infinity,NULL}'::numeric[]) v;
SELECT v AS amount, chat_rbac.mask_amount(v) FROM unnest('{-1234,0,1,9,10,9223372036854775807,-9223372036854775808,NULL}'::bigint[]) v;
SELECT v AS amount, chat_rbac.mask_amount(v) FROM unnest('{-1234.56,0.05,0,1,999999,1e22,1.7976931348623157e308,3e-308,4.9e-324,NaN,Infinity,-Infinity,NULL}'::float8[]) v;

--
-- An inbox of a role that is no superuser
--
CREATE ROLE regress_chat_rbac_owner;
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_bi;
CREATE ROLE regress_chat_rbac_reader;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app, regress_chat_rbac_bi;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.protection, chat_rbac.protected_view TO regress_chat_rbac_owner;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
GRANT EXECUTE ON FUNCTION chat_rbac.create_inbox, chat_rbac.protect, chat_rbac.unprotect, chat_rbac.create_view, chat_rbac.drop_view TO regress_chat_rbac_owner;
CREATE SCHEMA regress_inbox AUTHORIZATION regress_chat_rbac_owner;
CREATE SCHEMA regress_own AUTHORIZATION regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 10, 'team', 'Support'), (1, 20, 'inbox', 'WhatsApp');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'Sue'), (1, 2, 'Ali'), (1, 3, 'Fay'), (1, 4, 'Olga'), (1, 5, 'Ben');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Exporter', '{customer.view, customer.export}');
SELECT chat_rbac.grant_role('acme', 'Ben', 'Exporter'), chat_rbac.grant_role('acme', 'Sue', 'Supervisor'), chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'),
       chat_rbac.grant_role('acme', 'Fay', 'Finance'), chat_rbac.grant_role('acme', 'Olga', 'Owner') \g /dev/null
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_inbox('regress_inbox') \g /dev/null
SET search_path = regress_inbox, public;
GRANT USAGE ON SCHEMA regress_inbox TO regress_chat_rbac_app, regress_chat_rbac_bi;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA regress_inbox TO regress_chat_rbac_app;
RESET ROLE;
INSERT INTO customer (org_id, id, owner_id, name, phone, email, balance, credit_limit, created_at) VALUES
  (1, 1, 2, 'Noor Haddad', '+14155550123', 'noor@example.com', -1234.56, 500, '2026-01-01'),
  (1, 2, 5, 'Hidden Owner', '+49 170 1234567', 'h@x.de', 0.05, 0, '2026-01-02'),
  (1, 3, NULL, 'Linked', '+4930123456', NULL, NULL, NULL, '2026-01-03');
INSERT INTO conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by) VALUES (1, 1, 3, 20, 10, 2, 'customer');
CREATE FUNCTION regress_own.be(member int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('chat_rbac.identity', '1/' || member, false); END $$;
GRANT USAGE ON SCHEMA regress_own TO PUBLIC;

--
-- What is wrong with a specification
--
SET ROLE regress_chat_rbac_owner;
CREATE FUNCTION pg_temp.fails(spec jsonb, relation regclass DEFAULT 'regress_inbox.customer') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    PERFORM chat_rbac.create_view(relation, spec);
    RETURN 'made';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n    ', SQLSTATE || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT pg_temp.fails(NULL);
SELECT pg_temp.fails('{}');
SELECT pg_temp.fails('[]');
SELECT pg_temp.fails('{"vew": "regress_inbox.v"}');
SELECT pg_temp.fails('{"view": "v"}');
SELECT pg_temp.fails('{"view": 7}');
SELECT pg_temp.fails('{"view": "regress_inbox.v; DROP TABLE x"}');
SELECT pg_temp.fails('{"view": "regress_none.v"}');
SELECT pg_temp.fails('{"view": "pg_temp.v"}');
SELECT pg_temp.fails('{"view": "chat_rbac.v"}');
SELECT pg_temp.fails('{"view": "regress_inbox.task"}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "columns": []}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "columns": ["id", "phon"]}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "columns": ["id", "id"]}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "columns": ["id", 7]}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": ["phone"]}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phon": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "columns": ["id"], "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phone": {"with": "phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phone": {"wth": "phone", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phone": {"with": "stars", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phone": {"with": "amount", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"balance": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phones"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"phone": {"with": "phone", "lifted_by": "customer.*"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"owner_id": {"with": "full", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "masks": {"id": {"with": "full", "lifted_by": "customer.view_phone"}}}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "grant": "regress_chat_rbac_app"}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "grant": ["regress_chat_rbac_apq"]}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "grant": [7]}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "audited": "yes"}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "reader": "regress_none"}');
SELECT pg_temp.fails('{"view": "regress_inbox.v", "reader": "regress_chat_rbac_owner"}');
SELECT pg_temp.fails(format('{"view": "regress_inbox.v", "reader": "%s"}', session_user)::jsonb);
SELECT pg_temp.fails('{"view": "regress_inbox.v", "reader": "regress_chat_rbac_app", "grant": ["regress_chat_rbac_app"]}');
CREATE TABLE plain (id int);
SELECT pg_temp.fails('{"view": "regress_inbox.v"}', 'plain');
SELECT pg_temp.fails('{"view": "regress_inbox.v"}', 'chat_rbac.member');
\pset format aligned
\pset tuples_only off
DROP TABLE plain;
RESET ROLE;
CREATE POLICY mine ON customer AS RESTRICTIVE USING (NOT blocked);
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.v"}'); -- fail
DROP POLICY mine ON customer;
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.create_view('customer', '{"view": "regress_own.v"}'); -- fail
RESET ROLE;
SELECT count(*) AS made FROM chat_rbac.protected_view;

--
-- A view, and what is said of it: about a role that loses SELECT, and those who keep it
--
CREATE ROLE regress_chat_rbac_boss;
GRANT SELECT ON customer TO regress_chat_rbac_boss, PUBLIC;
GRANT SELECT (phone, name) ON customer TO regress_chat_rbac_bi;
GRANT pg_read_all_data TO regress_chat_rbac_boss;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.card", "grant": ["regress_chat_rbac_app", "regress_chat_rbac_app"], "masks": {
  "phone":        {"with": "phone",  "lifted_by": "customer.view_phone"},
  "email":        {"with": "email",  "lifted_by": "customer.view_phone"},
  "balance":      {"with": "amount", "lifted_by": "customer.view_finance"},
  "credit_limit": {"with": "full",   "lifted_by": "customer.view_finance"}}}');
SELECT chat_rbac.create_view('customer', spec || '{"grant": ["regress_chat_rbac_app", "regress_chat_rbac_bi"]}') FROM chat_rbac.protected_view;
SELECT chat_rbac.create_view('customer', spec || '{"grant": ["regress_chat_rbac_app"]}') FROM chat_rbac.protected_view;
RESET ROLE;
SELECT * FROM chat_rbac.protected_views \gx
REVOKE SELECT ON customer FROM regress_chat_rbac_boss, regress_chat_rbac_bi, PUBLIC;
REVOKE pg_read_all_data FROM regress_chat_rbac_boss;
SELECT view, relation, spec - 'masks' AS spec, gate FROM chat_rbac.protected_view;
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'regress_inbox' AND table_name = 'card' ORDER BY ordinal_position;
SELECT pg_get_userbyid(relowner) AS owner, reloptions FROM pg_class WHERE oid = 'card'::regclass;
SELECT view, problems FROM chat_rbac.protected_views;
SELECT attname, has_column_privilege('regress_chat_rbac_app', 'customer', attname, 'SELECT') AS may_read FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attnum > 0;

--
-- The same decision, row by row
--
SET ROLE regress_chat_rbac_app;
SELECT regress_own.be(1) \g /dev/null
SELECT id, name, phone, email, balance, credit_limit FROM card ORDER BY id;    -- Sue
SELECT regress_own.be(2) \g /dev/null
SELECT id, name, phone, email, balance, credit_limit FROM card ORDER BY id;    -- Ali: own ones; the linked one masked
SELECT regress_own.be(3) \g /dev/null
SELECT id, name, phone, email, balance, credit_limit FROM card ORDER BY id;    -- Fay
SELECT regress_own.be(4) \g /dev/null
SELECT id, name, phone, email, balance, credit_limit FROM card ORDER BY id;    -- Olga
RESET chat_rbac.identity;
SELECT id, name, phone FROM card;                                              -- nobody
-- what a mask shows agrees with can()
SELECT m AS member, c.id, c.phone = s.phone AS plain, chat_rbac.can('customer.view_phone', 'customer', c.id) AS can
  FROM generate_series(1, 4) m, LATERAL (SELECT regress_own.be(m)) b, LATERAL (SELECT id, phone FROM card WHERE m > 0 OFFSET 0) c
  JOIN (VALUES (1, '+14155550123'), (2, '+49 170 1234567'), (3, '+4930123456')) s (id, phone) USING (id)
 WHERE (c.phone = s.phone) IS DISTINCT FROM chat_rbac.can('customer.view_phone', 'customer', c.id);

--
-- Plans outlive identities: prepared statements, cursors, views of one's own
--
SET plan_cache_mode = force_generic_plan;
PREPARE phones AS SELECT id, phone FROM card ORDER BY id;
SELECT regress_own.be(1) \g /dev/null
EXECUTE phones;
SELECT regress_own.be(2) \g /dev/null
EXECUTE phones;
RESET plan_cache_mode;
-- made in a cascade, where the table's owner is past its policies
CREATE TABLE regress_own.p (id int PRIMARY KEY);
CREATE TABLE regress_own.c (id int REFERENCES regress_own.p ON DELETE CASCADE);
CREATE TABLE regress_own.seen (id bigint, phone text);
CREATE FUNCTION regress_own.read() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO regress_own.seen SELECT id, phone FROM regress_inbox.card; RETURN coalesce(OLD, NEW); END $$;
CREATE TRIGGER t BEFORE INSERT OR DELETE ON regress_own.c FOR EACH ROW EXECUTE FUNCTION regress_own.read();
INSERT INTO regress_own.p VALUES (1), (2);
ALTER TABLE regress_own.c DISABLE TRIGGER t;
INSERT INTO regress_own.c VALUES (1), (2);
ALTER TABLE regress_own.c ENABLE TRIGGER t;
DELETE FROM regress_own.p WHERE id = 1;
TABLE regress_own.seen ORDER BY id;
TRUNCATE regress_own.seen;
SELECT regress_own.be(1) \g /dev/null
DELETE FROM regress_own.c WHERE id = 2;
TABLE regress_own.seen ORDER BY id;
BEGIN;
SELECT regress_own.be(4) \g /dev/null
DECLARE c CURSOR FOR SELECT id, phone FROM card ORDER BY id;
FETCH 1 FROM c;
SELECT regress_own.be(1) \g /dev/null
FETCH ALL FROM c;   -- what it has read for sorting it keeps
COMMIT;
-- a view on the view; a relation that is told by another table is read as who asks
CREATE VIEW regress_own.mine AS SELECT * FROM card;
GRANT SELECT ON regress_own.mine TO regress_chat_rbac_bi;
RESET ROLE; SET ROLE regress_chat_rbac_bi;
SELECT regress_own.be(1) \g /dev/null
SELECT id, phone FROM regress_own.mine ORDER BY id; -- fail
RESET ROLE; GRANT SELECT (org_id, customer_id) ON conversation TO regress_chat_rbac_bi; SET ROLE regress_chat_rbac_bi;
SELECT id, phone FROM regress_own.mine ORDER BY id;
SELECT phone FROM card; -- fail
RESET ROLE; SET ROLE regress_chat_rbac_app;
DROP VIEW regress_own.mine;
SELECT regress_own.be(5) \g /dev/null
COPY card TO STDOUT; -- fail
COPY (SELECT id, phone, balance FROM card ORDER BY id) TO STDOUT;
COPY customer TO STDOUT; -- fail
COPY customer (id, phone) TO STDOUT; -- fail
SELECT regress_own.be(1) \g /dev/null
SELECT id FROM customer WHERE phone = '+14155550123'; -- fail
UPDATE customer SET updated_at = '2026-02-01' WHERE id = 1 RETURNING id, updated_at;
UPDATE customer SET updated_at = '2026-02-01' WHERE id = 1 RETURNING phone; -- fail
UPDATE customer SET created_at = NULL WHERE id = 1; -- fail

--
-- Who may not see a value may not set it: not even to what it is, nor to its mask
--
UPDATE customer SET phone = '+14155550123' WHERE id = 1; -- fail
UPDATE customer SET balance = balance WHERE id = 1; -- fail
UPDATE customer SET credit_limit = 500 WHERE id = 1; -- fail
INSERT INTO customer (id, name) VALUES (1, 'x') ON CONFLICT (org_id, id) DO UPDATE SET email = 'x'; -- fail
SELECT regress_own.be(2) \g /dev/null
UPDATE customer SET phone = '+14155550124' WHERE id = 1;    -- Ali: an own one
UPDATE customer SET phone = '+14155550124', balance = 0 WHERE id = 1; -- fail
-- another right than to change it
SELECT regress_own.be(3) \g /dev/null
UPDATE customer SET phone = '+14155550124' WHERE id = 1; -- fail
SET search_path = regress_own, pg_catalog;
CREATE FUNCTION regress_own.yes(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR regress_own.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = regress_own.yes);
SELECT regress_own.be(1) \g /dev/null
UPDATE regress_inbox.customer SET phone = '+1' WHERE id = '3'; -- fail
DROP OPERATOR regress_own.= (bigint, bigint);
SET search_path = regress_inbox, public;
RESET ROLE;
SET chat_rbac.identity = '1/1';
UPDATE customer SET phone = '+14155550123' WHERE id = 1;    -- a superuser is past it
RESET chat_rbac.identity;
SELECT tgname, tgenabled, pg_get_triggerdef(oid) ~ 'UPDATE OF phone, email ' AS of_phone FROM pg_trigger WHERE tgrelid = 'customer'::regclass AND tgname ~ 'mask' ORDER BY 1;

--
-- Indexes serve through the view: of plain columns, by operators that are leakproof
--
INSERT INTO customer (org_id, id, owner_id, name, phone, created_at) SELECT 1, n, 5, 'x', '+1415555' || n, '2026-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1000, 6000) n;
CREATE INDEX customer_by_time ON customer (org_id, created_at);
ANALYZE customer;
CREATE FUNCTION regress_own.plan(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
        RETURN NEXT regexp_replace(line, '(Filter: ).*', '\1...');
    END LOOP;
END $$;
SET ROLE regress_chat_rbac_app;
SELECT regress_own.be(1) \g /dev/null
SELECT regress_own.plan('SELECT * FROM regress_inbox.card WHERE org_id = 1 AND id = 2000');
SELECT regress_own.plan('SELECT * FROM regress_inbox.card WHERE id = 2000');
SELECT regress_own.plan('SELECT * FROM regress_inbox.card WHERE created_at < ''2026-01-01 17:00''');
SELECT regress_own.plan('SELECT * FROM regress_inbox.card ORDER BY created_at DESC LIMIT 50');
RESET ROLE;
-- with a reader an order is seen too
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.list", "reader": "regress_chat_rbac_reader", "grant": ["regress_chat_rbac_app"], "columns": ["id", "phone", "created_at"],
  "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
SELECT pg_get_userbyid(relowner) AS owner, reloptions FROM pg_class WHERE oid = 'list'::regclass;
-- the columns that the other view gave it stay
SELECT string_agg(attname, ', ' ORDER BY attnum) AS app_may_read FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attnum > 0 AND has_column_privilege('regress_chat_rbac_app', 'customer', attname, 'SELECT');
SET ROLE regress_chat_rbac_app;
SELECT regress_own.plan('SELECT * FROM regress_inbox.list ORDER BY created_at DESC LIMIT 50');
SELECT * FROM list ORDER BY created_at DESC LIMIT 2;
SELECT regress_own.be(2) \g /dev/null
SELECT * FROM list ORDER BY created_at DESC LIMIT 2;
RESET ROLE;
GRANT regress_chat_rbac_reader TO regress_chat_rbac_bi;
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.list", "reader": "regress_chat_rbac_reader", "columns": ["id", "phone", "created_at"],
  "masks": {"phone": {"with": "phone", "lifted_by": "customer.view_phone"}}}');
ALTER ROLE regress_chat_rbac_reader LOGIN;
ALTER VIEW card SET (security_barrier = false);
SELECT view, masks, audited, reader, problems FROM chat_rbac.protected_views ORDER BY view::text;
ALTER ROLE regress_chat_rbac_reader NOLOGIN;
ALTER VIEW card SET (security_barrier);
REVOKE regress_chat_rbac_reader FROM regress_chat_rbac_bi;
SELECT has_table_privilege('regress_chat_rbac_app', 'list', 'SELECT') AS still_granted;
SELECT chat_rbac.drop_view('list');
SELECT has_any_column_privilege('regress_chat_rbac_reader', 'customer', 'SELECT') AS still_reads;

--
-- It follows the table's protection
--
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.protect('customer', chat_rbac.protection('customer') #- '{relations,linked}');
SELECT pg_get_viewdef('card') ~ 'in_link' AS has_the_relation_still;
SELECT chat_rbac.unprotect('customer'); -- fail
-- a masked column is not lost sight of
ALTER TABLE customer RENAME phone TO mobile;
CREATE POLICY mine ON customer AS RESTRICTIVE USING (NOT blocked);
RESET ROLE; SELECT problems FROM chat_rbac.protected_views; SET ROLE regress_chat_rbac_owner;
DROP POLICY mine ON customer;
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.other", "grant": ["regress_chat_rbac_app"]}'); -- fail
SELECT chat_rbac.protect('customer', chat_rbac.protection('customer')); -- fail
ALTER TABLE customer RENAME mobile TO phone;
-- a column more comes at the end; other changes of columns need another view
ALTER TABLE customer ADD COLUMN vat text, ADD COLUMN phone_digits text GENERATED ALWAYS AS (translate(phone, '+- ', '')) STORED;
SELECT chat_rbac.create_view('customer', chat_rbac_spec || '{"columns": ["org_id", "id", "owner_id", "name", "phone", "email", "blocked", "credit_limit", "balance", "created_at", "updated_at", "phone_digits"]}')
  FROM (SELECT spec FROM chat_rbac.protected_view) AS s (chat_rbac_spec); -- fail
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.digits", "columns": ["id", "phone_digits"], "masks": {"phone_digits": {"with": "phone", "lifted_by": "customer.view_phone"}}, "grant": []}'); -- the trail has it not
SELECT chat_rbac.drop_view('digits');
SELECT chat_rbac.create_view('customer', chat_rbac_spec || '{"columns": ["org_id", "id", "owner_id", "name", "phone", "email", "blocked", "credit_limit", "balance", "created_at", "updated_at", "vat"]}')
  FROM (SELECT spec FROM chat_rbac.protected_view) AS s (chat_rbac_spec);
SELECT chat_rbac.create_view('customer', chat_rbac_spec || '{"columns": ["id", "phone"]}' #- '{masks,email}' #- '{masks,balance}' #- '{masks,credit_limit}')
  FROM (SELECT spec FROM chat_rbac.protected_view) AS s (chat_rbac_spec); -- fail
SELECT has_column_privilege('regress_chat_rbac_app', 'customer', 'vat', 'SELECT') AS new_column, has_column_privilege('regress_chat_rbac_app', 'customer', 'phone_digits', 'SELECT') AS generated;
GRANT SELECT ON customer TO regress_chat_rbac_bi;
SELECT chat_rbac.create_view('customer', (SELECT spec || '{"grant": []}' FROM chat_rbac.protected_view)); -- warns, of the generated column too
SELECT has_table_privilege('regress_chat_rbac_app', 'card', 'SELECT') AS still_granted;
SELECT chat_rbac.drop_view('customer'); -- fail
SELECT chat_rbac.drop_view('card');
SELECT count(*) AS views FROM chat_rbac.protected_view;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'customer'::regclass AND tgname ~ 'mask';
-- default privileges do not make it writable, nor readable for others than it is granted to
ALTER DEFAULT PRIVILEGES IN SCHEMA regress_inbox GRANT ALL ON TABLES TO regress_chat_rbac_app, PUBLIC;
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.card", "columns": ["id", "name"], "grant": ["regress_chat_rbac_bi"]}');
SELECT x.grantee::regrole, x.privilege_type FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = 'card'::regclass AND x.grantee <> c.relowner;
ALTER DEFAULT PRIVILEGES IN SCHEMA regress_inbox REVOKE ALL ON TABLES FROM regress_chat_rbac_app, PUBLIC;
SELECT chat_rbac.drop_view('card');
-- dropped by other means, and made again
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.card", "columns": ["id", "name"]}');
DROP VIEW card;
SELECT chat_rbac.create_view('customer', '{"view": "regress_inbox.card", "columns": ["id"]}');
SELECT view, gate FROM chat_rbac.protected_view;
SELECT chat_rbac.drop_view('card');
RESET ROLE;

--
-- Types: domains, limited strings, other numbers; a child table, seen where its parent is
--
CREATE DOMAIN regress_inbox.phone_number AS text CHECK (VALUE ~ '^[+][0-9]+$') NOT NULL;
CREATE DOMAIN regress_inbox.money_amount AS numeric(8, 2) CHECK (VALUE < 0);
CREATE TABLE account (org_id bigint, id bigint, conversation_id bigint, phone phone_number, code varchar(3), fixed char(12), due money_amount, points smallint, rate real, seen date, ids int[], PRIMARY KEY (org_id, id));
CREATE INDEX ON account (org_id, conversation_id);
SELECT chat_rbac.protect('account', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
INSERT INTO account VALUES (1, 1, 1, '+14155550123', 'abc', '4155550123', -1234.56, -32768, 123.5, '2026-01-01', '{1,2}'), (1, 2, 99, '+1', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT chat_rbac.create_view('account', jsonb_build_object('view', 'regress_inbox."Odd "" name"', 'grant', '["regress_chat_rbac_app"]'::jsonb, 'masks',
  (SELECT jsonb_object_agg(c, jsonb_build_object('with', w, 'lifted_by', 'conversation.supervise')) FROM (VALUES
    ('phone', 'phone'), ('code', 'name'), ('fixed', 'phone'), ('due', 'amount'), ('points', 'amount'), ('rate', 'amount'), ('seen', 'full'), ('ids', 'full')) v (c, w))));
SET ROLE regress_chat_rbac_app;
SELECT regress_own.be(2) \g /dev/null
TABLE "Odd "" name";
SELECT regress_own.be(1) \g /dev/null
TABLE "Odd "" name";
RESET ROLE;
RESET chat_rbac.identity;

--
-- What the table of views takes from whom
--
SELECT who, op FROM unnest('{regress_chat_rbac_owner,regress_chat_rbac_app,public}'::text[]) who, unnest('{SELECT,INSERT}'::text[]) op WHERE has_table_privilege(who, 'chat_rbac.protected_view', op);
SET ROLE regress_chat_rbac_owner;
DELETE FROM chat_rbac.protected_view; -- fail: the table is another's
RESET ROLE;
SELECT operation, actions, new - 'spec' AS new FROM chat_rbac.audit_event WHERE relation = 'chat_rbac.protected_view'::regclass AND operation = 'insert' ORDER BY event_id;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA regress_own, regress_inbox CASCADE;
DELETE FROM chat_rbac.protection p WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = p.relation);
DELETE FROM chat_rbac.protected_view v WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = v.view);
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
DROP OWNED BY regress_chat_rbac_owner, regress_chat_rbac_app, regress_chat_rbac_bi, regress_chat_rbac_boss, regress_chat_rbac_reader;
DROP ROLE regress_chat_rbac_owner, regress_chat_rbac_app, regress_chat_rbac_bi, regress_chat_rbac_boss, regress_chat_rbac_reader;

--
-- Masked columns: the value behind a mask by the view, by the table, by writes that try
-- it, by statistics and estimates, by order, by keys, and by the trail.
--
-- Must happen: with a mask no statement gives another answer when the hidden value is
-- another one; what could set or test it is refused.
--
-- Known leaks: a unique key over a masked column tells that a value is taken; the trail
-- tells changes to those who may read its events, unless the column is excluded.
--
SELECT * FROM no_plan();
SET client_min_messages = error;
GRANT CREATE ON SCHEMA own TO attack_bi;
GRANT USAGE ON SCHEMA chat_rbac TO attack_bi;
GRANT UPDATE, INSERT, DELETE ON inbox.customer TO attack_bi;		-- writes to the table, reads by the view
GRANT SELECT (org_id, id, name, owner_id) ON inbox.customer TO attack_bi;
SELECT lab.sees_own_only(who, s, format('%s: %s', who, s), 'attack_bi') FROM unnest('{Ali,Sue,Fay,Gwen}'::text[]) AS who, unnest(ARRAY['TABLE inbox.card', 'SELECT *, own.tell(phone), own.tell(email), own.tell(balance) FROM inbox.card WHERE own.tell(phone) OR own.tell(email) OR own.tell(balance)',
	'SELECT c::text, to_jsonb(c), own.tell(c::text) FROM inbox.card AS c', 'SELECT c.name, d.phone FROM inbox.card AS c JOIN inbox.card AS d ON c.phone = d.phone OR own.tell(d.phone)', 'SELECT name, max(phone) OVER (ORDER BY phone), lag(balance) OVER (ORDER BY balance) FROM inbox.card',
	'SELECT string_agg(DISTINCT phone || name, '','' ORDER BY phone || name) FROM inbox.card', 'SELECT x.* FROM inbox.card AS c, LATERAL (SELECT c.*, own.tell(c.phone)) AS x', 'SELECT n FROM inbox.card AS c (o, n) ORDER BY c.phone, c.balance', 'SELECT name, phone FROM inbox.card FETCH FIRST 3 ROWS WITH TIES']::text[]) AS s
WHERE s !~ 'WITH TIES|AS c \(o, n\)';
SELECT is(lab.hidden(who, o, true), '{}', format('%s: %s', who, s)) FROM unnest('{Ali,Sue,Fay}'::text[]) AS who, unnest(ARRAY['SELECT phone::numeric FROM inbox.card', 'SELECT 1 / (balance - 780000007.25) FROM inbox.card', 'SELECT own.tell_by_error(phone) FROM inbox.card', 'SELECT own.tell_early(balance) FROM inbox.card',
	'SELECT name FROM inbox.card WHERE phone LIKE ''+1991000%''', 'SELECT regexp_matches(phone, ''\d{8}'') FROM inbox.card', 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM inbox.card WHERE phone > ''+1''', 'SELECT * FROM pg_stats WHERE tablename IN (''customer'', ''card'')']) AS s, LATERAL (SELECT lab.run_as(who, s, 'attack_bi') AS o) AS x;

-- no answer changes with the value: the same statements, with a hidden value that is found and one that is not
CREATE FUNCTION lab.same(name text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	one text; two text;
BEGIN
	BEGIN
		UPDATE inbox.customer SET phone = '+19910000001', email = '~e1-1~@mail.example', balance = 780000001.25 WHERE (org_id, id) = (1, 1);
		one := lab.run_as('Sue', statement, 'attack_bi');
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN NULL;
	END;
	BEGIN
		UPDATE inbox.customer SET phone = '+19911110001', email = '~e9-9~@mail.example', balance = 720000001.25 WHERE (org_id, id) = (1, 1);
		two := lab.run_as('Sue', statement, 'attack_bi');
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN NULL;
	END;
	RETURN is(two, one, name);
END $$;
SELECT lab.same('no other answer: ' || s, s) FROM unnest(ARRAY['SELECT id FROM inbox.card WHERE phone = ''+19910000001''', 'SELECT count(*) FROM inbox.card WHERE phone < ''+19910500001''', 'SELECT id FROM inbox.card WHERE email ~ ''e1-1~''', 'SELECT id FROM inbox.card WHERE balance > 750000000',
	'SELECT id FROM inbox.card ORDER BY phone, id LIMIT 5', 'SELECT id FROM inbox.card ORDER BY balance, id', 'SELECT id, row_number() OVER (ORDER BY email, id) FROM inbox.card', 'SELECT count(DISTINCT phone), min(balance), max(email) FROM inbox.card', 'SELECT hashtext(phone), md5(email), length(phone) FROM inbox.card ORDER BY id',
	'UPDATE inbox.customer SET phone = ''+19910000001'' WHERE id = 1', 'UPDATE inbox.customer SET phone = ''+19911110001'' WHERE id = 1', 'UPDATE inbox.customer SET balance = 780000001.25 WHERE id = 1', 'UPDATE inbox.customer SET phone = phone WHERE id = 1', 'UPDATE inbox.customer SET name = phone WHERE id = 1',
	'UPDATE inbox.customer SET name = ''x'' WHERE phone = ''+19910000001''', 'DELETE FROM inbox.customer WHERE phone = ''+19910000001''', 'UPDATE inbox.customer SET name = name WHERE id = 1 RETURNING phone', 'INSERT INTO inbox.customer (id, name) VALUES (1, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET phone = EXCLUDED.phone',
	'INSERT INTO inbox.customer (id, name) VALUES (1, ''x'') ON CONFLICT (org_id, id) DO UPDATE SET name = customer.phone', 'MERGE INTO inbox.customer AS c USING (VALUES (1)) AS v (i) ON c.id = v.i AND c.phone = ''+19910000001'' WHEN MATCHED THEN UPDATE SET name = ''x''',
	'MERGE INTO inbox.customer AS c USING (VALUES (1)) AS v (i) ON c.id = v.i WHEN MATCHED AND c.balance > 750000000 THEN DO NOTHING WHEN MATCHED THEN UPDATE SET name = 1', 'SELECT customer FROM inbox.customer', 'SELECT customer.phone FROM inbox.card AS customer WHERE id = 1',
	'SELECT has_column_privilege(''inbox.customer'', ''phone'', ''SELECT'')', 'SELECT pg_column_size(phone), pg_column_size(c) FROM inbox.card AS c WHERE id = 1', 'COPY inbox.customer (phone) TO STDOUT', 'SELECT query_to_xml(''SELECT phone FROM inbox.card WHERE id = 1'', true, true, '''')', 'SELECT table_to_xml(''inbox.customer'', true, true, '''')',
	'SELECT phone FROM ONLY inbox.customer', 'SELECT * FROM inbox.customer TABLESAMPLE SYSTEM (100)', 'UPDATE inbox.card SET phone = ''x'' WHERE id = 1', 'DELETE FROM inbox.card WHERE phone = ''+19910000001''', 'SELECT chat_rbac.history(''inbox.customer'', ''1'')', 'SELECT * FROM chat_rbac.explain_access(5, ''customer.view_phone'', ''inbox.customer'', 1)',
	'EXPLAIN SELECT * FROM inbox.card WHERE phone = ''+19910000001''', 'EXPLAIN SELECT DISTINCT balance FROM inbox.card WHERE balance > 750000000']) AS s;
SELECT ok(lab.run_as('Olga', 'SELECT id FROM inbox.card WHERE phone = ''+19910000001''', 'attack_bi') = E'(1)\n', 'who may see it finds it: the questions are good');
-- who may not see a value does not set it, in any form
SELECT matches(lab.run_as('Sue', s, 'attack_bi'), '^ERROR (42501|55000)', 'not set: ' || s) FROM unnest(ARRAY['UPDATE inbox.customer SET phone = ''x''', 'UPDATE inbox.customer SET phone = NULL WHERE id = 1', 'UPDATE inbox.customer SET (name, phone) = (''x'', ''y'') WHERE id = 1', 'UPDATE inbox.customer SET phone = DEFAULT WHERE id = 1', 'UPDATE inbox.customer SET balance = 0, name = name WHERE id = 1']) AS s;
SELECT ok(lab.run_as('Sue', 'UPDATE inbox.customer SET name = name WHERE owner_id = 6', 'attack_bi') ~ '^[1-9]', '... but other columns');
-- a unique key over it
CREATE UNIQUE INDEX customer_phone_key ON inbox.customer (org_id, phone);
SELECT matches(lab.run_as('Ali', 'INSERT INTO inbox.customer (name, phone, owner_id) VALUES (''x'', ''+19910000002'', 6)', 'attack_bi'), '^ERROR 23505', 'known leak: a unique key tells that a value is taken');
SELECT is(lab.hidden('Ali', replace(lab.run_as('Ali', 'INSERT INTO inbox.customer (name, phone, owner_id) VALUES (''x'', ''+19910000002'', 6)', 'attack_bi'), '+19910000002', ''), true), '{}', '... and no other of that row');
-- the trail
GRANT SELECT ON chat_rbac.audit_event TO attack_bi;
UPDATE inbox.customer SET phone = '+19977777777' WHERE (org_id, id) = (1, 1);
SELECT matches(lab.run_as('Ada', 'SELECT new FROM chat_rbac.audit_event WHERE table_name = ''inbox.customer'' AND row_key = ''1''', 'attack_bi'), '\+19977777777', 'known leak: the trail shows changes to who reads it');
SELECT chat_rbac.protect('inbox.customer', chat_rbac.protection('inbox.customer') || '{"audit": {"exclude": ["phone", "email", "balance"]}}') \g /dev/null
UPDATE inbox.customer SET phone = '+19966666666' WHERE (org_id, id) = (1, 1);
SELECT is(lab.run_as('Ada', 'SELECT e FROM chat_rbac.audit_event AS e WHERE table_name = ''inbox.customer''', 'attack_bi') ~ '66666666', false, '... unless the column is excluded');
SELECT is(lab.run_as('Sue', 'TABLE inbox.card', 'attack_bi') ~ '66666666', false, 'and the view made anew masks as before');
SELECT * FROM finish();

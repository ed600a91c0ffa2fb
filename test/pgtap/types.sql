--
-- Types permission and permset: the shape of the API, and laws of the algebra
-- over a generated population.
--
-- What the C code says is compared with the definition written in SQL on the
-- text of permissions (functions pg_temp.spec_*), which shares no code with it.
--
BEGIN;
SET LOCAL search_path = public, chat_rbac;
SELECT plan(62);

--
-- Shape
--
SELECT has_type('chat_rbac', 'permission', 'type permission exists');
SELECT has_type('chat_rbac', 'permset', 'type permset exists');

CREATE TEMP TABLE expected_function (signature text, result text, leakproof boolean);
INSERT INTO expected_function
  SELECT format('chat_rbac.%s_%s(chat_rbac.%1$s,chat_rbac.%1$s)', t, f), 'boolean', true
    FROM unnest('{permission,permset}'::text[]) t, unnest('{eq,ne,lt,le,gt,ge}'::text[]) f
  UNION ALL
  SELECT format(f, t), r, leakproof
    FROM unnest('{permission,permset}'::text[]) t,
         (VALUES ('chat_rbac.%s_in(cstring)', 'own', false), ('chat_rbac.%s_out(chat_rbac.%1$s)', 'cstring', false),
                 ('chat_rbac.%s_recv(internal)', 'own', false), ('chat_rbac.%s_send(chat_rbac.%1$s)', 'bytea', false),
                 ('chat_rbac.%s_cmp(chat_rbac.%1$s,chat_rbac.%1$s)', 'integer', true), ('chat_rbac.%s_hash(chat_rbac.%1$s)', 'integer', true),
                 ('chat_rbac.%s_hash_extended(chat_rbac.%1$s,bigint)', 'bigint', true)) AS v (f, r, leakproof)
  UNION ALL
  VALUES ('chat_rbac.permission_covers(chat_rbac.permission,chat_rbac.permission)', 'boolean', true),
         ('chat_rbac.permission_covered(chat_rbac.permission,chat_rbac.permission)', 'boolean', true),
         ('chat_rbac.resource(chat_rbac.permission)', 'text', false),
         ('chat_rbac.action(chat_rbac.permission)', 'text', false),
         ('chat_rbac.relation(chat_rbac.permission)', 'text', false),
         ('chat_rbac.permset_contains(chat_rbac.permset,chat_rbac.permset)', 'boolean', true),
         ('chat_rbac.permset_contained(chat_rbac.permset,chat_rbac.permset)', 'boolean', true),
         ('chat_rbac.permset_covers(chat_rbac.permset,chat_rbac.permission)', 'boolean', true),
         ('chat_rbac.permset_covered(chat_rbac.permission,chat_rbac.permset)', 'boolean', true),
         ('chat_rbac.permset_union(chat_rbac.permset,chat_rbac.permset)', 'permset', false),
         ('chat_rbac.permset_add(chat_rbac.permset,chat_rbac.permission)', 'permset', false),
         ('chat_rbac.permset_remove(chat_rbac.permset,chat_rbac.permission)', 'permset', false),
         ('chat_rbac.permission_to_permset(chat_rbac.permission)', 'permset', false),
         ('chat_rbac.array_to_permset(text[])', 'permset', false),
         ('chat_rbac.permset_to_array(chat_rbac.permset)', 'text[]', false),
         ('chat_rbac.unnest(chat_rbac.permset)', 'permission', false);
UPDATE expected_function SET result = substring(signature FROM 'chat_rbac\.(permission|permset)_') WHERE result = 'own';

SELECT is_empty($$SELECT signature FROM expected_function WHERE to_regprocedure(signature) IS NULL$$, 'every function exists');
SELECT is_empty($$SELECT signature, prorettype::regtype FROM expected_function JOIN pg_proc ON oid = to_regprocedure(signature)
                   WHERE prorettype <> result::regtype$$, 'every function returns its type');
SELECT is_empty($$SELECT signature FROM expected_function JOIN pg_proc ON oid = to_regprocedure(signature)
                   WHERE provolatile <> 'i' OR NOT proisstrict OR proparallel <> 's' OR prosecdef$$,
                'every function is IMMUTABLE, STRICT, PARALLEL SAFE and its invoker''s');
SELECT is_empty($$SELECT signature FROM expected_function JOIN pg_proc ON oid = to_regprocedure(signature)
                   WHERE proleakproof <> leakproof$$, 'functions that cannot fail, and only they, are LEAKPROOF');
SELECT is_empty($$SELECT signature FROM expected_function WHERE NOT has_function_privilege('public', to_regprocedure(signature), 'EXECUTE')$$,
                'everybody may call every function');
SELECT is_empty($$SELECT signature FROM expected_function WHERE obj_description(to_regprocedure(signature), 'pg_proc') IS NULL$$,
                'every function has a comment');
SELECT is_empty($$SELECT oid::regoperator FROM pg_operator WHERE oprnamespace = 'chat_rbac'::regnamespace
                    AND obj_description(oid, 'pg_operator') IS NULL$$, 'every operator has a comment');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
                   WHERE pronamespace = 'chat_rbac'::regnamespace AND proname ~ '^(permission|permset)_' AND proname !~ '^permset_agg'
                     AND NOT EXISTS (SELECT FROM expected_function WHERE to_regprocedure(signature) = p.oid)$$,
                'this list is complete');
SELECT is_empty($$SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'chat_rbac'::regnamespace AND proname ~ '^permset_agg'
                     AND (provolatile <> 'i' OR proparallel <> 's' OR proleakproof OR obj_description(oid, 'pg_proc') IS NULL)$$,
                'permset_agg and its steps are IMMUTABLE, PARALLEL SAFE, not LEAKPROOF, and have comments');
SELECT results_eq($$SELECT castsource::regtype::text, casttarget::regtype::text, castcontext::text FROM pg_cast
                     WHERE 'permset'::regtype IN (castsource, casttarget) ORDER BY 1, 2$$,
                  $$VALUES ('permission', 'permset', 'a'), ('permset', 'text[]', 'a'), ('text[]', 'permset', 'a')$$,
                  'casts of permset are assignment casts');

--
-- Population: all permissions of 3 resources, 3 actions and 4 relations, "*"
-- and "all" among them; 120 sets of up to 8 of them.  The relation "other"
-- occurs in no set.
--
CREATE TEMP TABLE perm AS
  SELECT row_number() OVER () AS n, t, t::permission AS p
    FROM (SELECT r || '.' || a || coalesce('@' || x, '') AS t
            FROM unnest('{*,chat,chat2}'::text[]) r, unnest('{*,view,view_all}'::text[]) a, unnest('{NULL,own,team,other}'::text[]) x) v;
CREATE TEMP TABLE input AS
  SELECT i, ARRAY(SELECT t FROM perm WHERE t !~ '@other' ORDER BY hashint8extended(n, i) LIMIT i % 9) AS texts
    FROM generate_series(1, 120) i;
CREATE TEMP TABLE pset AS SELECT i, texts, texts::permset AS s FROM input;
-- what a row can ask for: no wildcards
CREATE TEMP TABLE question AS SELECT p AS q FROM perm WHERE t !~ '\*' AND t ~ '@';
ANALYZE perm;
ANALYZE pset;

CREATE FUNCTION pg_temp.spec_covers(p text, q text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT split_part(p, '.', 1) IN ('*', split_part(q, '.', 1))
       AND split_part(split_part(p, '.', 2), '@', 1) IN ('*', split_part(split_part(q, '.', 2), '@', 1))
       AND split_part(p, '@', 2) IN ('', split_part(q, '@', 2)) $$;
CREATE FUNCTION pg_temp.spec_canonical(texts text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(SELECT DISTINCT t COLLATE "C" FROM unnest(texts) t
                  WHERE NOT EXISTS (SELECT FROM unnest(texts) o WHERE o <> t AND pg_temp.spec_covers(o, t))
                  ORDER BY 1) $$;

SELECT is((SELECT count(*) FROM perm), 36::bigint, 'the population has 36 permissions');
SELECT cmp_ok((SELECT count(DISTINCT s) FROM pset), '>', 60::bigint, 'the population has many different sets');
SELECT isnt_empty('SELECT FROM pset WHERE cardinality(s::text[]) < cardinality(texts)', 'some sets were reduced');
SELECT isnt_empty('SELECT FROM pset WHERE cardinality(s::text[]) >= 5', 'some sets are large');

--
-- permission
--
SELECT is_empty('SELECT t FROM perm WHERE p::text <> t', 'text round trip');
SELECT is_empty('SELECT t FROM perm WHERE (t || CASE WHEN t ~ ''@'' THEN '''' ELSE ''@all'' END)::permission <> p', '@all is no relation');
SELECT is_empty($$SELECT t FROM perm WHERE format('%s.%s@%s', resource(p), action(p), relation(p))::permission <> p$$, 'parts make up the whole');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE (a.p = b.p) <> (a.t = b.t) OR (a.p <> b.p) <> (a.t <> b.t)', 'equality is that of the text');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b
                  WHERE ((a.p < b.p), (a.p <= b.p), (a.p > b.p), (a.p >= b.p)) IS DISTINCT FROM
                        ((a.t COLLATE "C" < b.t), (a.t COLLATE "C" <= b.t), (a.t COLLATE "C" > b.t), (a.t COLLATE "C" >= b.t))',
                'order is that of the text in collation "C", so total');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE sign(permission_cmp(a.p, b.p)) <> (a.p > b.p)::int - (a.p < b.p)::int', 'cmp agrees');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE a.p = b.p AND
                   (permission_hash(a.p) <> permission_hash(b.p) OR permission_hash_extended(a.p, 7) <> permission_hash_extended(b.p, 7))',
                'equal permissions have equal hashes');
SELECT is((SELECT count(DISTINCT permission_hash(p)) FROM perm), 36::bigint, 'different permissions have different hashes here');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE (a.p @> b.p) <> pg_temp.spec_covers(a.t, b.t)', '@> is as defined');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE (a.p @> b.p) <> (b.p <@ a.p)', '<@ is its commutator');
SELECT is_empty('SELECT a.t FROM perm a WHERE NOT a.p @> a.p', '@> is reflexive');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE a.p @> b.p AND b.p @> a.p AND a.p <> b.p', '@> is antisymmetric');
SELECT is_empty('SELECT a.t, b.t, c.t FROM perm a JOIN perm b ON a.p @> b.p JOIN perm c ON b.p @> c.p WHERE NOT a.p @> c.p', '@> is transitive');
SELECT is_empty('SELECT a.t, b.t FROM perm a, perm b WHERE a.p @> b.p AND a.p > b.p', 'what covers sorts before');

--
-- permset: canonical form
--
SELECT is_empty('SELECT texts FROM pset WHERE s::text[] <> pg_temp.spec_canonical(texts)', 'canonical form is as defined');
SELECT is_empty('SELECT texts FROM pset WHERE s::text::permset <> s OR s::text::permset::text <> s::text', 'text round trip');
SELECT is_empty('SELECT texts FROM pset WHERE s::text[]::permset <> s', 'array round trip');
SELECT is_empty($$SELECT texts FROM pset WHERE format('{ %s }', array_to_string(texts, ' , '))::permset <> s$$, 'text and array input agree');
SELECT is_empty('SELECT texts FROM pset WHERE ARRAY(SELECT t FROM unnest(texts) t ORDER BY t DESC)::permset <> s
                    OR (texts || texts)::permset <> s', 'order and repetition do not matter');
SELECT is_empty('SELECT texts FROM pset WHERE ARRAY(SELECT p::text FROM unnest(s) WITH ORDINALITY AS e (p, n) ORDER BY n) <> s::text[]', 'unnest agrees');
SELECT is_empty('SELECT texts FROM pset WHERE s IS DISTINCT FROM coalesce((SELECT permset_agg(t::permission) FROM unnest(texts) t), ''{}'')', 'permset_agg agrees');
SELECT is_empty('SELECT texts FROM pset WHERE s <> (SELECT coalesce(permset_agg(p), ''{}'') FROM unnest(s) p)', 'permset_agg takes back what unnest gave');
CREATE TEMP TABLE allowed AS
  SELECT s, ARRAY(SELECT t FROM perm WHERE EXISTS (SELECT FROM unnest(texts) e WHERE pg_temp.spec_covers(e, t)) ORDER BY n) AS ts FROM pset;
SELECT is_empty('SELECT a.s, b.s FROM allowed a, allowed b WHERE (a.s = b.s) <> (a.ts = b.ts)', 'sets are equal exactly when they allow the same');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE (a.s @> b.s AND b.s @> a.s) <> (a.s = b.s)', 'or when they contain each other');

--
-- permset: what a set allows
--
SELECT is_empty('SELECT s, p FROM pset, perm WHERE (s @> p) <> EXISTS (SELECT FROM unnest(texts) e WHERE pg_temp.spec_covers(e, t))',
                'set @> permission: one element covers it');
SELECT is_empty('SELECT s, p FROM pset, perm WHERE (s @> p) <> EXISTS (SELECT FROM unnest(s) e WHERE e @> p)', 'unnest says the same');
SELECT is_empty('SELECT s, p FROM pset, perm WHERE (s @> p) <> (p <@ s) OR (s @> p) <> (s @> p::permset)', '<@ and a set of one say the same');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE (a.s @> b.s) <> NOT EXISTS (SELECT FROM unnest(b.s) p WHERE NOT a.s @> p)',
                'set @> set: it covers each element');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE (a.s @> b.s) <> (b.s <@ a.s)', '<@ is its commutator');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE (a.s @> b.s) <> ((a.s | b.s) = a.s)', 'a @> b if and only if a | b = a');

--
-- permset: union, +, -
--
SELECT is_empty('SELECT s FROM pset WHERE s | s <> s OR s | ''{}'' <> s', '| is idempotent, {} is neutral');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE a.s | b.s <> (b.s | a.s)', '| is commutative');
SELECT is_empty('SELECT a.s, b.s, c.s FROM pset a, pset b, pset c WHERE a.i <= 40 AND b.i <= 80 AND c.i <= 80
                    AND (a.s | b.s) | c.s <> (a.s | (b.s | c.s))', '| is associative');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE a.s | b.s <> (a.texts || b.texts)::permset', '| is the set of all elements');
SELECT is_empty('SELECT a.s, b.s, q FROM pset a, pset b, question WHERE a.i <= 40 AND ((a.s | b.s) @> q) <> (a.s @> q OR b.s @> q)',
                '| allows what either allows, and nothing else');
SELECT is_empty('SELECT s, p FROM pset, perm WHERE s + p <> (s | p::permset)', '+ is | of one');
SELECT is((SELECT permset_agg(s) FROM pset), (SELECT permset_agg(p) FROM pset, unnest(s) p), 'permset_agg of sets is that of their elements');

CREATE FUNCTION pg_temp.minus(s permset, p permission) RETURNS permset LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN s - p;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END $$;
CREATE TEMP TABLE difference AS SELECT s, t, p, pg_temp.minus(s, p) AS d FROM pset, perm;
SELECT is_empty('SELECT s, p, d FROM difference JOIN question ON p @> q WHERE d @> q', 'after s - p nothing of p is left');
SELECT is_empty('SELECT s, p, d FROM difference JOIN question ON NOT p @> q WHERE (d @> q) <> (s @> q)', 'and nothing else is lost');
SELECT is_empty('SELECT s, p FROM difference WHERE d IS NULL AND NOT EXISTS
                   (SELECT FROM unnest(s) e, question WHERE e @> q AND p @> q AND NOT p @> e)', 'it fails only where an element reaches beyond p');
SELECT isnt_empty('SELECT FROM difference WHERE d IS NULL', 'it fails sometimes');
SELECT isnt_empty('SELECT FROM difference WHERE d <> s', 'it removes something sometimes');

--
-- permset: order and hash
--
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b
                  WHERE (a.s < b.s)::int + (a.s = b.s)::int + (a.s > b.s)::int <> 1 OR (a.s <= b.s) <> (a.s < b.s OR a.s = b.s)
                     OR (a.s >= b.s) <> (b.s <= a.s) OR (a.s <> b.s) = (a.s = b.s) OR (a.s < b.s) <> (b.s > a.s)
                     OR sign(permset_cmp(a.s, b.s)) <> (a.s > b.s)::int - (a.s < b.s)::int OR (a.s = b.s) <> (a.s::text = b.s::text)',
                'order is total and equality that of the text');
SELECT is_empty('SELECT a.s, b.s, c.s FROM pset a JOIN pset b ON a.s < b.s JOIN pset c ON b.s < c.s WHERE a.i <= 60 AND NOT a.s < c.s', 'order is transitive');
SELECT is_empty('SELECT a.s, b.s FROM pset a, pset b WHERE a.s = b.s AND
                   (permset_hash(a.s) <> permset_hash(b.s) OR permset_hash_extended(a.s, 7) <> permset_hash_extended(b.s, 7))',
                'equal sets have equal hashes');
SELECT is((SELECT count(DISTINCT permset_hash(s)) FROM pset), (SELECT count(DISTINCT s) FROM pset), 'different sets have different hashes here');

SELECT * FROM finish();
ROLLBACK;

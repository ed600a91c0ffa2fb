--
-- Type permission: one right, "resource.action" or "resource.action@relation"
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
RESET client_min_messages;
SET search_path = public, chat_rbac;

-- Sanity: what the catalogs say of the type's operators is true (none may show)
SELECT amname, opcname, amvalidate(opc.oid)
  FROM pg_opclass opc JOIN pg_am am ON am.oid = opcmethod
 WHERE opcintype = 'permission'::regtype
 ORDER BY 1;
SELECT o.oid::regoperator AS commutator_or_negator_is_not_mutual
  FROM pg_operator o
  LEFT JOIN pg_operator c ON c.oid = o.oprcom
  LEFT JOIN pg_operator n ON n.oid = o.oprnegate
 WHERE 'permission'::regtype IN (o.oprleft, o.oprright)
   AND (o.oprcom <> 0 AND (c.oprcom, c.oprleft, c.oprright) IS DISTINCT FROM (o.oid, o.oprright, o.oprleft)
        OR o.oprnegate <> 0 AND (n.oprnegate, n.oprleft, n.oprright) IS DISTINCT FROM (o.oid, o.oprleft, o.oprright));
SELECT o.oid::regoperator AS boolean_without_estimators_or_commutator
  FROM pg_operator o
 WHERE 'permission'::regtype IN (o.oprleft, o.oprright) AND o.oprresult = 'boolean'::regtype
   AND (o.oprrest = 0 OR o.oprjoin = 0 OR o.oprcom = 0);
SELECT o.oid::regoperator AS function_does_not_fit
  FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
 WHERE 'permission'::regtype IN (o.oprleft, o.oprright)
   AND (NOT p.proisstrict OR p.provolatile <> 'i' OR p.proparallel <> 's'
        OR p.proleakproof <> (o.oprresult = 'boolean'::regtype)
        OR p.prorettype <> o.oprresult OR p.proargtypes <> ARRAY[o.oprleft, o.oprright]::oidvector);
SELECT oprname, oprcanhash, oprcanmerge
  FROM pg_operator
 WHERE oprleft = 'permission'::regtype AND oprright = 'permission'::regtype
 ORDER BY oprname COLLATE "C";
SELECT typlen, typbyval, typalign, typstorage, typcategory, typcollation
  FROM pg_type WHERE oid = 'permission'::regtype;

-- Runs a query of one value; says the value, or the error in one line
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    detail text;
    hint text;
BEGIN
    EXECUTE query INTO result;
    RETURN result;
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

--
-- Text form
--
SELECT p, p::permission AS canonical, p::permission::text = p AS same, resource(p::permission), action(p::permission), relation(p::permission)
  FROM unnest(ARRAY[
    'conversation.view', 'conversation.view@own', 'conversation.view@all',
    'conversation.*', '*.view', '*.*', '*.*@unassigned', 'conversation.*@own',
    'a.b', '0.1@2', '_._@_', 'a.all', 'all.b@all', 'a.b@allx', 'a.b@al']) p;
SELECT length(format('%s.%s@%s', repeat('r', 63), repeat('a', 63), repeat('x', 63))::permission::text);

-- what is no permission, and why -- fail
SELECT quote_literal(p) AS input, pg_temp.try(format('SELECT %L::permission', p)) AS answer
  FROM unnest(ARRAY[
    '', 'conversation', '.', '.view', 'conversation.', '@', '.@', 'conversation.view@', 'conversation.@own', '@own',
    'conversation.view.own', 'conversation.view@own@team', 'conversation@own.view', 'conversation.view@own.team',
    'Conversation.View', 'conversation.view@OWN', 'CONVERSATION', 'conversation view', ' conversation.view', 'conversation.view ',
    E'conversation.view\n', 'conversation.view@ own', 'conversation.vi-ew', 'conversation.view@*', '**.view', 'conversation.v*',
    '*conversation.view', 'conversation.*view', '{a.b}', 'a,b', 'a.b,c.d', 'a"b.c', 'a''b.c', 'a\b.c', 'a.b%s', '%n.%n']) p;
SELECT pg_temp.try(format('SELECT %L::permission', p)) AS answer
  FROM unnest(ARRAY[
    repeat('r', 64) || '.a', 'r.' || repeat('a', 64), 'r.a@' || repeat('x', 64),
    'r.' || repeat('A', 64), repeat('x', 100000), repeat('x.', 100000), repeat('@', 1000)]) p;

-- other letters are none, and refused input is cut between characters
SELECT octet_length(answer), replace(answer, U&'\00e9', '(e)') AS answer
  FROM unnest(ARRAY[U&'caf\00e9.view', U&'conversation.view@\00e9', U&'x' || repeat(U&'\00e9', 100)]) p,
       pg_temp.try(format('SELECT %L::permission', p)) answer;

--
-- Binary form
--
SELECT permission_send('a.b'), permission_send('a.b@all'), permission_send('*.*@own');

-- Hands bytes to the type's receive function, as one row of a binary COPY
CREATE TEMP TABLE received (value permission);
CREATE FUNCTION pg_temp.receive(data bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    stream bytea := '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0)
        || int2send(1::int2) || int4send(length(data)) || data || int2send((-1)::int2);
    octal text := (SELECT string_agg(format('\%s%s%s', byte >> 6, (byte >> 3) & 7, byte & 7), '' ORDER BY at)
                     FROM generate_series(0, length(stream) - 1) at, get_byte(stream, at) byte);
    detail text;
BEGIN
    TRUNCATE received;
    EXECUTE format('COPY received FROM PROGRAM %L WITH (FORMAT binary)', format('printf ''%s''', octal));
    RETURN (SELECT value FROM received);
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''));
END $$;

SELECT p, pg_temp.receive(permission_send(p::permission)) AS received
  FROM unnest(ARRAY['a.b', '*.*', 'conversation.view@own', 'a.b@all']) p;
SELECT what, pg_temp.receive(data) AS answer
  FROM (VALUES ('@all is dropped', '\x01' || 'a.b@all'::bytea),
               ('longest', '\x01' || format('%s.%s@%s', repeat('r', 63), repeat('a', 63), repeat('x', 63))::bytea),
               ('no byte at all -- fail', ''),
               ('version only -- fail', '\x01'),
               ('no version -- fail', 'a.b'::bytea),
               ('version 0 -- fail', '\x00' || 'a.b'::bytea),
               ('version 2 -- fail', '\x02' || 'a.b'::bytea),
               ('version 255 -- fail', '\xff' || 'a.b'::bytea),
               ('upper case -- fail', '\x01' || 'A.b'::bytea),
               ('NUL within -- fail', '\x01612e6200'),
               ('NUL as a part -- fail', '\x01002e62'),
               ('invalid UTF-8 -- fail', '\x01612e62ff'),
               ('half a character -- fail', '\x01612e62c3'),
               ('overlong part -- fail', '\x01' || ('a.' || repeat('b', 64))::bytea),
               ('much too long -- fail', '\x01' || repeat('x', 10000)::bytea)) AS t (what, data);

--
-- Operators
--
SELECT p.p, q.q, p.p @> q.q AS covers, q.q <@ p.p AS covered
  FROM unnest(ARRAY['a.x', 'a.x@own', 'a.*', '*.x', '*.*', '*.*@own']::permission[]) p,
       unnest(ARRAY['a.x', 'a.x@own', 'a.y@own', 'b.x', 'a.*', '*.*@own']::permission[]) q
 ORDER BY p.p, q.q;
SELECT 'a.b'::permission = 'a.b@all', 'a.b'::permission <> 'a.b@own', 'a.b' < 'a.b@own'::permission,
       'a.b' <= 'a.b'::permission, 'b.a' > 'a.b'::permission, 'b.a' >= 'a.b'::permission;
SELECT permission_cmp('a.b', 'a.c') < 0, permission_cmp('a.b', 'a.b') = 0, permission_cmp('a.bb', 'a.b') > 0;
-- bytes, not words: "*" before "." before digits before "@" before "_" before letters
SELECT string_agg(p::text, ' ' ORDER BY p)
  FROM unnest(ARRAY['a.b', 'a.b@x', 'a.*', '*.b', 'a_.b', 'a1.b', 'aa.b', 'a.b1', 'a.b_']::permission[]) p;
SELECT permission_hash('a.b') = permission_hash('a.b@all'), permission_hash('a.b') <> permission_hash('a.c'),
       permission_hash_extended('a.b', 0) & 4294967295 = permission_hash('a.b')::bigint & 4294967295 AS seed_0_agrees,
       permission_hash_extended('a.b', 1) <> permission_hash_extended('a.b', 0) AS seed_1_differs;
SELECT NULL::permission @> 'a.b' AS "null", resource(NULL) AS "null";

--
-- Indexes, joins, groups: 20,000 rows of 400 permissions
--
CREATE TABLE regress_right (id int PRIMARY KEY, p permission NOT NULL);
INSERT INTO regress_right SELECT i, format('r%s.a%s', i % 20, i / 20 % 20)::permission FROM generate_series(0, 19999) i;
CREATE INDEX regress_right_btree ON regress_right (p);
CREATE INDEX regress_right_plain ON regress_right (p) WITH (deduplicate_items = off);
SELECT pg_relation_size('regress_right_btree') < pg_relation_size('regress_right_plain') / 2 AS deduplicated;
DROP INDEX regress_right_plain;
ANALYZE regress_right;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM regress_right WHERE p = 'r7.a3';
SELECT count(*) FROM regress_right WHERE p = 'r7.a3@all';
EXPLAIN (COSTS OFF) SELECT id FROM regress_right WHERE p >= 'r7.a3' AND p < 'r7.a4' ORDER BY p;
SELECT count(*), min(p::text), max(p::text) FROM regress_right WHERE p >= 'r7.a3' AND p < 'r7.a4';
DROP INDEX regress_right_btree;
CREATE INDEX regress_right_hash ON regress_right USING hash (p);
EXPLAIN (COSTS OFF) SELECT id FROM regress_right WHERE p = 'r7.a3';
SELECT count(*) FROM regress_right WHERE p = 'r7.a3@all';
DROP INDEX regress_right_hash;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- a unique key takes each right once, however it is spelt -- fail
CREATE TABLE regress_key (p permission PRIMARY KEY);
INSERT INTO regress_key VALUES ('a.b'), ('a.b@own');
INSERT INTO regress_key VALUES ('a.b@all');
DROP TABLE regress_key;

-- three joins, one answer
CREATE TABLE regress_wanted AS
  SELECT format('r%s.a%s', i, i)::permission AS p FROM generate_series(0, 29) i;
ANALYZE regress_wanted;
SET enable_nestloop = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM regress_right JOIN regress_wanted USING (p);
SELECT count(*) FROM regress_right JOIN regress_wanted USING (p);
SET enable_mergejoin = on;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM regress_right JOIN regress_wanted USING (p);
SELECT count(*) FROM regress_right JOIN regress_wanted USING (p);
SET enable_mergejoin = off;
SET enable_nestloop = on;
SELECT count(*) FROM regress_right JOIN regress_wanted USING (p);
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_nestloop;

-- groups by hash and by sort
EXPLAIN (COSTS OFF) SELECT p, count(*) FROM regress_right GROUP BY p;
SELECT count(*), min(n), max(n) FROM (SELECT p, count(*) n FROM regress_right GROUP BY p) g;
SET enable_hashagg = off;
SELECT count(*), min(n), max(n) FROM (SELECT p, count(*) n FROM regress_right GROUP BY p) g;
RESET enable_hashagg;
SELECT count(DISTINCT p) FROM regress_right;

-- hash partitions
CREATE TABLE regress_part (p permission) PARTITION BY HASH (p);
CREATE TABLE regress_part_0 PARTITION OF regress_part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE regress_part_1 PARTITION OF regress_part FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO regress_part SELECT DISTINCT p FROM regress_right;
SELECT count(*), count(*) FILTER (WHERE tableoid = 'regress_part_0'::regclass) BETWEEN 100 AND 300 AS spread FROM regress_part;
SELECT p FROM regress_part WHERE p = 'r7.a3';
DROP TABLE regress_part;

-- LEAKPROOF: an index serves the reader of a table with row-level security
CREATE ROLE regress_chat_rbac_reader;
GRANT SELECT ON regress_right TO regress_chat_rbac_reader;
ALTER TABLE regress_right ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_rows ON regress_right USING (id % 2 = 1);
CREATE INDEX regress_right_btree ON regress_right (p);
SET ROLE regress_chat_rbac_reader;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM regress_right WHERE p = 'r7.a3';
RESET enable_seqscan;
RESET enable_bitmapscan;
EXPLAIN (COSTS OFF) SELECT id FROM regress_right WHERE p @> 'r7.a3' AND p <@ '*.*';
RESET ROLE;
DROP TABLE regress_right, regress_wanted;
DROP ROLE regress_chat_rbac_reader;

--
-- Corrupt stored bytes: whoever decides says no and stays silent, whoever prints complains
--
CREATE CAST (bytea AS permission) WITHOUT FUNCTION;
SELECT what, bytes::permission @> 'a.b' AS covers, 'a.b' <@ bytes::permission AS covered, '*.*' @> bytes::permission AS covered_by_all,
       bytes::permission = bytes::permission AS equal, bytes::permission = 'a.b' AS equal_a_b,
       permission_hash(bytes::permission) IS NOT NULL AS hashed, pg_temp.try(format('SELECT %L::bytea::permission', bytes)) AS printed
  FROM (VALUES ('empty', ''::bytea), ('no dot', 'ab'), ('upper case', 'A.b'), ('not canonical', 'a.b@all'), ('NUL', '\x612e00'),
               ('long', convert_to('a.b' || repeat('b', 1000), 'UTF8')), ('very long', convert_to(repeat('a.b', 100000), 'UTF8'))) AS t (what, bytes);
SELECT pg_temp.try(q) AS answer  -- fail
  FROM unnest(ARRAY['SELECT resource(''ab''::bytea::permission)', 'SELECT action(''ab''::bytea::permission)',
                    'SELECT relation(''ab''::bytea::permission)', 'SELECT permission_send(''ab''::bytea::permission)']) q;
DROP CAST (bytea AS permission);

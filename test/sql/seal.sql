--
-- The audit trail sealed: trees, canonical bytes, blocks; what verification
-- finds, what is proved, and what can be taken out
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
INSERT INTO chat_rbac.known_permission (name, description) VALUES ('audit.redact', 'Take values out of the audit trail') ON CONFLICT DO NOTHING;
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

CREATE SCHEMA regress_seal;
CREATE ROLE regress_chat_rbac_app;
CREATE ROLE regress_chat_rbac_dba BYPASSRLS;
GRANT USAGE ON SCHEMA regress_seal TO PUBLIC;
GRANT SELECT ON chat_rbac.audit_event TO regress_chat_rbac_app;
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('bolt', 2) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name) VALUES (1, 10, 'team', 'Support');
INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'Ada'), (1, 6, 'Ali'), (1, 7, 'Lea'), (1, 8, 'Eve'), (2, 1, 'Bob');
INSERT INTO chat_rbac.role (org_id, name, permissions) VALUES (1, 'Reader', '{audit.view}'), (1, 'Local', '{audit.*}');
SELECT chat_rbac.grant_role('acme', 'Ada', 'Owner'), chat_rbac.grant_role('acme', 'Ali', 'Agent', 'Support'), chat_rbac.grant_role('acme', 'Lea', 'Local', 'Support'),
  chat_rbac.grant_role('acme', 'Eve', 'Reader'), chat_rbac.grant_role('bolt', 'Bob', 'Owner') \g /dev/null
TRUNCATE chat_rbac.audit_event, chat_rbac.audit_block;

-- ---- trees, as RFC 6962 has them ----
CREATE TABLE regress_seal.leaf AS
SELECT n, sha256('\x00' || data::bytea) AS hash
FROM unnest(ARRAY['', '\x00', '\x10', '\x2021', '\x3031', '\x40414243', '\x5051525354555657', '\x606162636465666768696a6b6c6d6e6f']) WITH ORDINALITY AS u (data, n);
SELECT n, encode(chat_rbac.merkle_root((SELECT coalesce(string_agg(hash, '' ORDER BY l.n), '') FROM regress_seal.leaf l WHERE l.n <= s.n)), 'hex') AS root
FROM generate_series(0, 8) AS s (n);
SELECT at, encode(p.hash, 'hex') AS path FROM (VALUES (1), (6)) AS a (at),
  unnest(chat_rbac.merkle_path((SELECT string_agg(hash, '' ORDER BY n) FROM regress_seal.leaf), at)) WITH ORDINALITY AS p (hash, n) ORDER BY at, p.n;
SELECT chat_rbac.merkle_path(hash, 1) AS of_one FROM regress_seal.leaf WHERE n = 1;
SELECT chat_rbac.merkle_root('\x00'); -- fail
SELECT chat_rbac.merkle_path(hash, 2) FROM regress_seal.leaf WHERE n = 1; -- fail
SELECT chat_rbac.merkle_path(hash, 0) FROM regress_seal.leaf WHERE n = 1; -- fail

-- Every path of every tree up to 40 leaves leads to the root
CREATE FUNCTION regress_seal.climb(hash bytea, at bigint, leaves bigint, path bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  last bigint := leaves - 1;
  other bytea;
BEGIN
  FOREACH other IN ARRAY path LOOP
    IF at % 2 = 1 OR at = last THEN
      hash := sha256('\x01' || other || hash);
      WHILE at % 2 = 0 AND at > 0 LOOP at := at / 2; last := last / 2; END LOOP;
    ELSE
      hash := sha256('\x01' || hash || other);
    END IF;
    at := at / 2; last := last / 2;
  END LOOP;
  RETURN hash;
END $$;
WITH tree AS (SELECT n, (SELECT string_agg(sha256(int8send(i)), '' ORDER BY i) FROM generate_series(1, n) AS i) AS leaves FROM generate_series(1, 40) AS n)
SELECT count(*) AS paths, count(*) FILTER (WHERE regress_seal.climb(sha256(int8send(at)), at - 1, n, chat_rbac.merkle_path(leaves, at)) = chat_rbac.merkle_root(leaves)) AS right
FROM tree, generate_series(1, n) AS at;

-- ---- canonical bytes ----
CREATE FUNCTION regress_seal.field(type "char", contents bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT convert_to(type::text, 'UTF8') || int4send(octet_length(contents)) || contents $$;
CREATE FUNCTION regress_seal.text(value text) RETURNS bytea LANGUAGE sql AS $$ SELECT regress_seal.field('t', convert_to(value, 'UTF8')) $$;
CREATE FUNCTION regress_seal.int(value bigint) RETURNS bytea LANGUAGE sql AS $$ SELECT regress_seal.field('i', int8send(value)) $$;
CREATE FUNCTION regress_seal.commitment(salt bytea, side text, name text, value text) RETURNS bytea LANGUAGE sql AS $$
  SELECT regress_seal.text(name) || regress_seal.field('b', sha256('\x02' || sha256('\x03' || salt || convert_to(side || name, 'UTF8')) || convert_to(value, 'UTF8'))) $$;
CREATE TABLE regress_seal.sample (LIKE chat_rbac.audit_event);
INSERT INTO regress_seal.sample VALUES (4711, '2026-11-22 10:00:00.123456+00', 'infinity', '5000000000', 1, 1, 7, '00112233-4455-6677-8899-aabbccddeeff', 'chat_rbac.org', 3, 1,
  'update', '{conversation.transfer,conversation.assign}', 'inbox.conversation', '7', '{"zeta": 1.50, "ab": null, "é": "Zoë \"x\" \u0001"}', '{}', '{team,inbox}', '{2,-3}', 'Zoë',
  'app', 'login', NULL, '', 'psql', '192.168.1.7/24', '\x000102030405060708090a0b0c0d0e0f', NULL);
SELECT chat_rbac.audit_bytes(ROW(s.*)::chat_rbac.audit_event) = '\x01'::bytea
  || regress_seal.int(4711) || regress_seal.field('s', int8send(848656800123456)) || regress_seal.field('s', int8send(9223372036854775807)) || regress_seal.field('x', int8send(5000000000))
  || regress_seal.int(1) || regress_seal.int(1) || regress_seal.int(7) || regress_seal.field('u', '\x00112233445566778899aabbccddeeff') || regress_seal.int(3) || regress_seal.int(1)
  || regress_seal.text('update')
  || regress_seal.field('l', int4send(1) || int4send(2) || int4send(1) || regress_seal.text('conversation.transfer') || regress_seal.text('conversation.assign'))
  || regress_seal.text('inbox.conversation') || regress_seal.text('7')
  || regress_seal.field('c', int4send(3) || regress_seal.commitment(salt, 'old', 'ab', 'null') || regress_seal.commitment(salt, 'old', 'zeta', '1.50')
    || regress_seal.commitment(salt, 'old', 'é', '"Zoë \"x\" \u0001"'))
  || regress_seal.field('c', int4send(0))
  || regress_seal.field('l', int4send(1) || int4send(2) || int4send(1) || regress_seal.text('team') || regress_seal.text('inbox'))
  || regress_seal.field('l', int4send(1) || int4send(2) || int4send(1) || regress_seal.int(2) || regress_seal.int(-3))
  || regress_seal.text('Zoë') || regress_seal.text('app') || regress_seal.text('login') || regress_seal.field('n', '') || regress_seal.text('') || regress_seal.text('psql')
  || regress_seal.field('a', '\x0418c0a80107') AS as_documented,
  chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event) = sha256('\x00' || chat_rbac.audit_bytes(ROW(s.*)::chat_rbac.audit_event)) AS leaf_too
FROM regress_seal.sample s;
-- its leaf for ever: a change here is another format
SELECT encode(chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event), 'hex') AS leaf FROM regress_seal.sample s;
BEGIN;
SET LOCAL timezone = 'Asia/Tokyo';
SET LOCAL datestyle = 'German';
SET LOCAL extra_float_digits = -15;
SET LOCAL bytea_output = 'escape';
SET LOCAL client_encoding = 'LATIN1';
SELECT encode(chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event), 'hex') AS leaf FROM regress_seal.sample s;
ROLLBACK;

-- Each column counts, and null, empty and other places of the same bytes are told apart; relation, an oid, does not count
CREATE TABLE regress_seal.change (what text, expression text);
INSERT INTO regress_seal.change VALUES ('event_id', '4712'), ('at', 'at + interval ''1 us'''), ('transaction_at', '''-infinity'''), ('xid', '''5000000001'''), ('org_id', '2'), ('org_id', 'NULL'),
  ('actor_org_id', 'NULL'), ('actor_id', '8'), ('incarnation', '''00112233-4455-6677-8899-aabbccddeefe'''), ('command', '4'), ('depth', '0'), ('operation', '''insert'''), ('actions', '''{}'''),
  ('actions', '''{"conversation.transfer,conversation.assign"}'''), ('actions', '''[0:1]={conversation.transfer,conversation.assign}'''), ('actions', '''{{conversation.transfer,conversation.assign}}'''),
  ('actions', '''{conversation.transfer,NULL}'''), ('actions', '''{conversation.transfer,"NULL"}'''),
  ('table_name', 'NULL'), ('table_name', ''''''), ('row_key', '''8'''), ('old', 'NULL'), ('old', '''{}'''), ('old', 'old - ''ab'''), ('old', 'old || ''{"ab": "null"}'''), ('old', 'old || ''{"zeta": 1.5}'''),
  ('old', 'jsonb_build_array(old)'), ('old', '''null'''), ('new', 'NULL'), ('new', 'old'), ('unit_kinds', '''{team}'''), ('unit_keys', '''{2,3}'''), ('actor_name', '''Zoe'''), ('db_role', 'NULL'),
  ('session_role', '''app'''), ('request_id', ''''''), ('reason', 'NULL'), ('application_name', 'NULL'), ('client_addr', '''192.168.1.7'''), ('client_addr', '''::ffff:192.168.1.7/24'''),
  ('client_addr', 'NULL'), ('salt', '''\x000102030405060708090a0b0c0d0e10'''), ('salt', ''''''), ('relation', '''chat_rbac.unit''');
ALTER TABLE regress_seal.sample ALTER db_role DROP NOT NULL;
CREATE FUNCTION regress_seal.leaf_after(what text, expression text) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
  leaf bytea;
BEGIN
  EXECUTE format('UPDATE regress_seal.sample SET %I = %s', what, expression);
  SELECT chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event) INTO leaf FROM regress_seal.sample s;
  RAISE SQLSTATE 'R0000' USING MESSAGE = leaf::text;
EXCEPTION WHEN SQLSTATE 'R0000' THEN
  RETURN SQLERRM::bytea;
END $$;
SELECT count(*) AS changes, count(DISTINCT leaf) AS leaves, count(*) FILTER (WHERE leaf = chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event)) AS same,
  string_agg(what, ', ') FILTER (WHERE leaf = chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event)) AS which
FROM (SELECT what, regress_seal.leaf_after(what, expression) AS leaf FROM regress_seal.change) AS c, regress_seal.sample s;
SELECT attname AS column_without_a_change FROM pg_attribute WHERE attrelid = 'chat_rbac.audit_event'::regclass AND attnum > 0 AND attname NOT IN (SELECT what FROM regress_seal.change);

-- A redaction keeps the leaf; a redaction that is made up does not, and raises nothing
SELECT chat_rbac.audit_openings(ROW(s.*)::chat_rbac.audit_event) #>> '{old,zeta,value}' AS value,
  chat_rbac.audit_openings(ROW(s.*)::chat_rbac.audit_event) #>> '{old,zeta,salt}' = encode(sha256('\x03' || salt || 'oldzeta'), 'hex') AS salt FROM regress_seal.sample s;
CREATE TABLE regress_seal.redacted AS SELECT * FROM regress_seal.sample;
UPDATE regress_seal.redacted s SET old = old - '{zeta,é}'::text[], salt = '', redaction = chat_rbac.audit_redaction(ROW(s.*)::chat_rbac.audit_event, '{zeta,é,nothing}');
SELECT jsonb_object_keys(redaction #> '{commitments,old}') AS gone FROM regress_seal.redacted ORDER BY 1;
SELECT jsonb_object_keys(redaction #> '{salts,old}') AS kept FROM regress_seal.redacted;
SELECT chat_rbac.audit_leaf(ROW(r.*)::chat_rbac.audit_event) = chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event) AS same FROM regress_seal.redacted r, regress_seal.sample s;
SELECT count(*) AS forged, count(*) FILTER (WHERE leaf = chat_rbac.audit_leaf(ROW(s.*)::chat_rbac.audit_event)) AS same
FROM regress_seal.sample s, (
  SELECT chat_rbac.audit_leaf(jsonb_populate_record(ROW(r.*)::chat_rbac.audit_event, c)) AS leaf FROM regress_seal.redacted r, unnest(ARRAY[
    '{"redaction": null}', '{"redaction": "x"}', '{"redaction": []}', '{"redaction": {"commitments": {"old": []}}}', '{"redaction": {"commitments": {"old": {"zeta": 1, "é": "XY"}}}}',
    '{"redaction": {"commitments": 1, "salts": 2}}', '{"old": {"ab": null, "zeta": 1.50}}', '{"old": {"ab": 1}}', '{"old": null}', '{"salt": "\\x00"}']::jsonb[]) AS c) AS f;

-- ---- sealing ----
-- events by hand, as a superuser can put them there
CREATE FUNCTION regress_seal.add(first bigint, last bigint, org bigint DEFAULT 1, VARIADIC more jsonb[] DEFAULT '{}') RETURNS void LANGUAGE sql AS $$
  INSERT INTO chat_rbac.audit_event
  SELECT (jsonb_populate_record(NULL::chat_rbac.audit_event, jsonb_build_object('event_id', i, 'at', clock_timestamp(), 'transaction_at', now(), 'xid', pg_current_xact_id(), 'org_id', org,
    'incarnation', chat_rbac.audit_incarnation(), 'command', 0, 'depth', 0, 'operation', 'update', 'actions', '["conversation.edit"]'::jsonb, 'table_name', 'inbox.conversation', 'row_key', i,
    'old', jsonb_build_object('subject', 'before', 'phone', '555-' || i), 'new', jsonb_build_object('subject', 'after', 'phone', '556-' || i), 'unit_kinds', '[]'::jsonb, 'unit_keys', '[]'::jsonb,
    'db_role', current_user, 'session_role', session_user, 'salt', gen_random_uuid()::text) || coalesce(more[1], '{}'))).*
  FROM generate_series(first, last) AS i $$;
-- a background process may hold the horizon back for a moment
CREATE PROCEDURE regress_seal.settle() LANGUAGE plpgsql AS $$
BEGIN
  COMMIT;
  WHILE pg_snapshot_xmin(pg_current_snapshot()) <= (SELECT xid FROM chat_rbac.audit_event WHERE incarnation = chat_rbac.audit_incarnation() ORDER BY xid DESC LIMIT 1) LOOP
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;
CREATE VIEW regress_seal.block AS SELECT block_no, events, first_event, last_event, previous IS NOT NULL AS follows FROM chat_rbac.audit_block ORDER BY block_no;
SELECT chat_rbac.audit_seal() AS nothing_yet;
SELECT regress_seal.add(1000001, 1000020);
CALL regress_seal.settle();
SELECT chat_rbac.audit_seal() AS first \gset
SELECT regexp_replace(:'first', '[0-9a-f]{64} \S+', '(hash) (time)') AS line, chat_rbac.audit_seal() = :'first' AS same_again;
SELECT regress_seal.add(1000021, 1000030);
SELECT regress_seal.add(1000031, 1000055);
CALL regress_seal.settle();
-- a transaction may span blocks
SELECT regexp_replace(chat_rbac.audit_seal_blocks(10), '[0-9a-f]{64} \S+', '(hash) (time)') AS line;
SELECT * FROM regress_seal.block;
SELECT chat_rbac.audit_seal() AS latest \gset
SELECT * FROM chat_rbac.audit_verify(:'first', :'latest');

-- in a transaction that has written itself, its own events are for the next one
BEGIN;
SELECT regress_seal.add(1000056, 1000056, 1, '{"old": null, "new": null}');
SELECT chat_rbac.audit_seal() = :'latest' AS nothing_new;
COMMIT;
CALL regress_seal.settle();
SELECT chat_rbac.audit_seal() <> :'latest' AS newer;
SELECT chat_rbac.audit_seal() AS latest \gset

-- ---- what verification finds ----
-- what it would say after a change, which is undone
CREATE FUNCTION regress_seal.after(change text, VARIADIC digests text[] DEFAULT '{}') RETURNS TABLE (block bigint, event bigint, problem text, detail text) LANGUAGE plpgsql AS $$
DECLARE
  result jsonb;
BEGIN
  BEGIN
    EXECUTE change;
    SELECT coalesce(jsonb_agg(jsonb_build_object('block', v.block_no, 'event', v.event_id, 'problem', v.problem, 'detail', v.detail) ORDER BY v.block_no, v.event_id, v.problem), '[]') INTO result
    FROM chat_rbac.audit_verify(VARIADIC digests) AS v;
    RAISE SQLSTATE 'R0000';
  EXCEPTION WHEN SQLSTATE 'R0000' THEN
    RETURN QUERY SELECT r.* FROM jsonb_to_recordset(result) AS r (block bigint, event bigint, problem text, detail text);
  END;
END $$;
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET new = new || '{"phone": "556-1000008"}' WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET actor_name = 'x' WHERE event_id IN (1000007, 1000027) $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET salt = '' WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_event WHERE event_id = 1000040 $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET xid = (SELECT xid FROM chat_rbac.audit_event WHERE event_id = 1000021) WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET xid = '18446744073709551615' WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET event_id = 77 WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET incarnation = gen_random_uuid() WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ SELECT regress_seal.add(77, 77, 1, jsonb_build_object('xid', (SELECT xid FROM chat_rbac.audit_event WHERE event_id = 1000007))) $$);
SELECT * FROM regress_seal.after($$ SELECT regress_seal.add(-77, -77, 1, '{"xid": "0"}') $$);
SELECT * FROM regress_seal.after($$ SELECT regress_seal.add(78, 78, 1, jsonb_build_object('incarnation', gen_random_uuid())) $$);
-- where no block would ever have it
SELECT * FROM regress_seal.after($$ SELECT regress_seal.add(79, 79, 1, '{"xid": "18446744073709551615"}') $$);
SELECT * FROM regress_seal.after($$ ALTER TABLE chat_rbac.audit_event ALTER xid DROP NOT NULL; SELECT regress_seal.add(79, 79); UPDATE chat_rbac.audit_event SET xid = NULL WHERE event_id = 79 $$);
SELECT * FROM regress_seal.after($$ ALTER TABLE chat_rbac.audit_event ALTER event_id DROP NOT NULL; SELECT regress_seal.add(79, 79); UPDATE chat_rbac.audit_event SET event_id = NULL WHERE event_id = 79 $$);
SELECT * FROM regress_seal.after($$ ALTER TABLE chat_rbac.audit_event ALTER incarnation DROP NOT NULL; SELECT regress_seal.add(79, 79); UPDATE chat_rbac.audit_event SET incarnation = NULL WHERE event_id = 79 $$);
-- where readers do not look
SELECT * FROM regress_seal.after($$ CREATE TABLE chat_rbac.hidden (LIKE chat_rbac.audit_event); INSERT INTO chat_rbac.audit_detached VALUES ('hidden', '-infinity', '2000-01-01', now());
  WITH gone AS (DELETE FROM chat_rbac.audit_event WHERE event_id = 1000007 RETURNING *) INSERT INTO chat_rbac.hidden SELECT * FROM gone $$);
SELECT * FROM regress_seal.after($$ CREATE TABLE chat_rbac.hidden (LIKE chat_rbac.audit_event); INSERT INTO chat_rbac.audit_detached VALUES ('hidden', '-infinity', 'infinity', now());
  WITH gone AS (DELETE FROM chat_rbac.audit_event WHERE event_id = 1000007 RETURNING *) INSERT INTO chat_rbac.hidden SELECT * FROM gone;
  SELECT chat_rbac.make_trail_part(date_trunc('month', h.at), date_trunc('month', h.at) + interval '1 month') FROM chat_rbac.hidden h $$);
-- twice, behind the seal and before it
SELECT * FROM regress_seal.after($$ INSERT INTO chat_rbac.audit_event SELECT * FROM chat_rbac.audit_event WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ SELECT regress_seal.add(1000007, 1000007) $$);
-- a redaction that nobody recorded
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event e SET new = new - 'phone', salt = '', redaction = chat_rbac.audit_redaction(e, '{phone}') || '{}' WHERE event_id = 1000007 $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event e SET old = old - 'phone', new = new - 'phone', salt = '', redaction = chat_rbac.audit_redaction(e, '{phone}') WHERE event_id = 1000007 $$);
-- a whole partition
SELECT block, problem, count(*), min(event), max(event) FROM regress_seal.after('TRUNCATE chat_rbac.audit_event') GROUP BY block, problem ORDER BY block;
-- missing blocks; the last one only by its digest
SELECT * FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_block WHERE block_no = 3 $$);
SELECT * FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_block WHERE block_no <= 2 $$);
SELECT * FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_block WHERE block_no = 6 $$);
SELECT * FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_block WHERE block_no = 6 $$, :'first', :'latest');
SELECT * FROM regress_seal.after($$ TRUNCATE chat_rbac.audit_block; SELECT chat_rbac.audit_seal_blocks() $$, :'first');
-- every column of a block
CREATE TABLE regress_seal.edit (name text, expression text);
INSERT INTO regress_seal.edit VALUES ('block_no', '77'), ('incarnation', 'gen_random_uuid()'), ('from_xid', '''1'''), ('from_event', 'from_event + 1'), ('upto_xid', '''1'''), ('upto_event', 'upto_event + 1'),
  ('events', 'events - 1'), ('first_event', 'first_event - 1'), ('first_event', 'NULL'), ('last_event', 'last_event + 1'), ('first_at', 'first_at - interval ''1 us'''), ('last_at', '''infinity'''),
  ('contents', 'root'), ('root', 'contents'), ('previous', 'NULL'), ('previous', 'root'), ('hash', 'root'), ('sealed_at', 'sealed_at + interval ''1 us'''),
  ('event_ids', 'event_ids[2:]'), ('event_ids', 'event_ids || NULL::bigint'), ('event_ids', '(''[0:'' || events - 1 || '']='' || event_ids::text)::bigint[]'), ('event_ids', '''{}'''),
  ('times', 'times[2:]'), ('times', 'times[:events - 1] || now()'), ('leaves', 'substr(leaves, 33)'), ('leaves', 'substr(leaves, 2)'), ('leaves', 'leaves || root'), ('leaves', 'set_byte(leaves, 40, get_byte(leaves, 40) # 1)');
SELECT e.name, e.expression, string_agg(a.problem || ' ' || a.block || coalesce(' ' || nullif(a.detail, 'The hash is not that of the columns.'), ''), '; ' ORDER BY a.block, a.problem, a.detail) AS found
FROM regress_seal.edit e LEFT JOIN LATERAL regress_seal.after(format('UPDATE chat_rbac.audit_block SET %I = %s WHERE block_no = 4', e.name, e.expression)) AS a ON true
GROUP BY e.name, e.expression, e.ctid ORDER BY e.ctid;
SELECT attname AS column_that_is_not_tried FROM pg_attribute WHERE attrelid = 'chat_rbac.audit_block'::regclass AND attnum > 0 AND attname NOT IN (SELECT name FROM regress_seal.edit);
SELECT * FROM regress_seal.after($$ ALTER TABLE chat_rbac.audit_block ALTER hash DROP NOT NULL; UPDATE chat_rbac.audit_block SET hash = NULL WHERE block_no = 6 $$);
-- made anew with all hashes right: a digest tells
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET reason = 'x' WHERE event_id = 1000056; DELETE FROM chat_rbac.audit_block WHERE block_no = 6; SELECT chat_rbac.audit_seal_blocks() $$);
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET reason = 'x' WHERE event_id = 1000056; DELETE FROM chat_rbac.audit_block WHERE block_no = 6; SELECT chat_rbac.audit_seal_blocks() $$, :'first', :'latest');
-- digests
SELECT block_no, problem, detail FROM chat_rbac.audit_verify(regexp_replace(:'latest', '[0-9]+ events', '0 events'), replace(:'latest', 'block 6', 'block 5'), replace(:'latest', 'block 6', 'block 66'));
SELECT * FROM chat_rbac.audit_verify(:'first', E'  ' || :'latest' || E'\r\n');
SELECT * FROM chat_rbac.audit_verify('block 1'); -- fail
SELECT * FROM chat_rbac.audit_verify(:'first', NULL); -- fail
SELECT * FROM chat_rbac.audit_verify(VARIADIC NULL); -- fail
SELECT * FROM chat_rbac.audit_verify('chat_rbac block 0 sha256:' || repeat('0', 64) || ' x 1 events'); -- fail

-- ---- who may ----
CREATE PROCEDURE regress_seal.be(who text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('chat_rbac.identity', who, false);
  SET ROLE regress_chat_rbac_app;
END $$;
SET ROLE regress_chat_rbac_app;
SELECT chat_rbac.audit_seal(); -- fail
RESET ROLE;
CALL regress_seal.be('1/6');
SELECT chat_rbac.audit_seal(); -- fail
SELECT * FROM chat_rbac.audit_verify(); -- fail
SELECT chat_rbac.audit_redact(1000007, '{phone}', 'asked to'); -- fail
SELECT chat_rbac.audit_seal_blocks(); -- fail
SELECT chat_rbac.audit_redaction(e, '{phone}') FROM chat_rbac.audit_event e LIMIT 1; -- fail
SELECT chat_rbac.audit_problems('{}', NULL); -- fail
SELECT chat_rbac.audit_redact_event(1000007, '{phone}', 'asked to', NULL); -- fail
INSERT INTO chat_rbac.audit_block SELECT * FROM chat_rbac.audit_block; -- fail
RESET ROLE;
CALL regress_seal.be('1/7');
SELECT chat_rbac.audit_seal(); -- fail
RESET ROLE;
CALL regress_seal.be('1/1');
SELECT chat_rbac.audit_seal() = :'latest' AS sealed;
SELECT count(*) FROM chat_rbac.audit_verify(:'latest');
RESET ROLE;
SET ROLE regress_chat_rbac_dba;
SELECT chat_rbac.audit_seal() = :'latest' AS sealed;
SELECT count(*) FROM chat_rbac.audit_verify(:'latest');
RESET ROLE;
GRANT ALL ON chat_rbac.audit_block TO regress_chat_rbac_dba;
SET ROLE regress_chat_rbac_dba;
\set VERBOSITY terse
UPDATE chat_rbac.audit_block SET events = 1; -- fail
DELETE FROM chat_rbac.audit_block; -- fail
TRUNCATE chat_rbac.audit_block; -- fail
\set VERBOSITY default
RESET ROLE;
REVOKE ALL ON chat_rbac.audit_block FROM regress_chat_rbac_dba;

-- A member is told of the own org only
SELECT regress_seal.add(1000101, 1000103, 2);
CALL regress_seal.settle();
SELECT chat_rbac.audit_seal() \g /dev/null
BEGIN;
UPDATE chat_rbac.audit_event SET reason = 'x' WHERE event_id IN (1000007, 1000102);
DELETE FROM chat_rbac.audit_event WHERE event_id IN (1000008, 1000103);
CALL regress_seal.be('1/1');
SELECT block_no, event_id, problem, detail FROM chat_rbac.audit_verify() ORDER BY block_no, event_id;
RESET ROLE;
CALL regress_seal.be('2/1');
SELECT block_no, event_id, problem, detail FROM chat_rbac.audit_verify() ORDER BY block_no, event_id;
ROLLBACK;

-- ---- proofs ----
SELECT regress_seal.add(1000201, 1000202);
SELECT key, jsonb_typeof(value) FROM jsonb_each(chat_rbac.audit_proof(1000033)) ORDER BY key COLLATE "C";
CREATE FUNCTION regress_seal.proves(proof jsonb) RETURNS boolean LANGUAGE sql AS $$
  SELECT encode(regress_seal.climb(sha256('\x00' || decode(proof ->> 'event', 'hex')), (proof ->> 'leaf')::bigint - 1, (proof ->> 'leaves')::bigint,
    ARRAY(SELECT decode(p, 'hex') FROM jsonb_array_elements_text(proof -> 'path') AS p)), 'hex') = encode(b.root, 'hex')
  FROM chat_rbac.audit_block b WHERE b.block_no = (proof ->> 'block')::bigint $$;
SELECT count(*), bool_and(regress_seal.proves(chat_rbac.audit_proof(event_id))) FROM chat_rbac.audit_event WHERE event_id BETWEEN 1000001 AND 1000103;
SELECT chat_rbac.audit_proof(1000033) -> 'openings' -> 'new' -> 'phone' ->> 'value' AS phone, jsonb_array_length(chat_rbac.audit_proof(1000033) -> 'headers') AS headers;
CALL regress_seal.be('1/1');
SELECT chat_rbac.audit_proof(1000033) ->> 'block' AS own;
SELECT chat_rbac.audit_proof(1000101); -- fail
SELECT chat_rbac.audit_proof(4); -- fail
SELECT chat_rbac.audit_proof(1000201); -- fail
SELECT chat_rbac.audit_place(1000101, '\x00'); -- fail
SELECT chat_rbac.audit_proof(NULL); -- fail
RESET ROLE;
CALL regress_seal.be('1/6');
SELECT chat_rbac.audit_proof(1000033); -- fail
RESET ROLE;
BEGIN;
UPDATE chat_rbac.audit_event SET reason = 'x' WHERE event_id = 1000033;
SELECT chat_rbac.audit_proof(1000033); -- fail
ROLLBACK;

-- ---- taking values out ----
CALL regress_seal.be('1/8');
SELECT chat_rbac.audit_redact(1000007, '{phone}', 'asked to'); -- fail
RESET ROLE;
CALL regress_seal.be('1/1');
SELECT chat_rbac.audit_redact(1000007, '{phone}', ' '); -- fail
SELECT chat_rbac.audit_redact(1000007, '{phone}', NULL); -- fail
SELECT chat_rbac.audit_redact(1000007, '{}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(1000007, '{phone,NULL}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(NULL, '{phone}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(1000007, '{phone,fax}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(1000101, '{phone}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(4, '{phone}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(1000056, '{phone}', 'asked to'); -- fail
SELECT chat_rbac.audit_redact(1000007, '{phone,phone}', 'asked to') AS said \gset
SELECT old, new FROM chat_rbac.audit_event WHERE event_id = 1000007;
SELECT actor_id, operation, actions, table_name, row_key, org_id, old, new, reason FROM chat_rbac.audit_event WHERE event_id = :said;
SELECT chat_rbac.audit_redact(1000007, '{phone}', 'asked to'); -- fail
SELECT set_config('regress_seal.said', :'said', false) \g /dev/null
DO $$
BEGIN
  PERFORM chat_rbac.audit_redact(current_setting('regress_seal.said')::bigint, '{columns}', 'asked to'); -- fail
EXCEPTION WHEN wrong_object_type THEN
  RAISE WARNING '%', replace(SQLERRM, current_setting('regress_seal.said'), '(said)');
END $$;
SELECT * FROM chat_rbac.audit_verify(:'latest');
SELECT p -> 'openings' #>> '{old,subject,value}' AS subject, p -> 'openings' #> '{old,phone}' AS phone FROM chat_rbac.audit_proof(1000007) AS p;
SELECT chat_rbac.audit_redact(1000007, '{subject}', 'asked again') > 0 AS redacted;
SELECT old, new, octet_length(salt) FROM chat_rbac.audit_event WHERE event_id = 1000007;
-- one that is not sealed yet
SELECT chat_rbac.audit_redact(1000202, '{phone}', 'asked to') > 0 AS redacted;
RESET ROLE;
SELECT regress_seal.proves(chat_rbac.audit_proof(1000007));
CALL regress_seal.settle();
SELECT chat_rbac.audit_seal() AS latest \gset
SELECT * FROM chat_rbac.audit_verify(:'latest');
SELECT * FROM regress_seal.after(format('DELETE FROM chat_rbac.audit_event WHERE event_id = %s', :said)) WHERE event <> :said;
-- another value in the place of one that was taken out
SELECT * FROM regress_seal.after($$ UPDATE chat_rbac.audit_event SET new = new || '{"phone": "556-1000007"}' WHERE event_id = 1000007 $$);
SELECT chat_rbac.audit_redact(1000101, '{phone}', 'by a DBA') > 0 AS redacted;

-- ---- other incarnations, and months that are gone ----
SELECT regress_seal.add(1000301, 1000310, 1, '{"at": "2020-01-10"}');
SELECT regress_seal.add(1000311, 1000312);
INSERT INTO chat_rbac.audit_incarnation VALUES ('00000000-0000-0000-0000-000000000001', 1, 1, '2020-01-01');
-- restored: transaction ids of another server
SELECT regress_seal.add(1000401, 1000405, 1, '{"incarnation": "00000000-0000-0000-0000-000000000001", "xid": "9000000000"}');
CALL regress_seal.settle();
SELECT count(*) AS blocks FROM chat_rbac.audit_block \gset
SELECT chat_rbac.audit_seal() \g /dev/null
SELECT b.block_no - :blocks AS block, b.incarnation = chat_rbac.audit_incarnation() AS here, b.upto_xid = '18446744073709551615' AS closed, b.event_ids @> '{1000401}' AS of_old, b.event_ids @> '{1000301}' AS of_new
FROM chat_rbac.audit_block b WHERE b.block_no > :blocks ORDER BY 1;
SELECT chat_rbac.audit_seal() AS latest \gset
SELECT * FROM chat_rbac.audit_verify(:'latest');
-- nothing is added to what was closed
SELECT block - :blocks AS block, event, problem FROM regress_seal.after($$ SELECT regress_seal.add(1000406, 1000406, 1, '{"incarnation": "00000000-0000-0000-0000-000000000001", "xid": "9000000001"}') $$);
-- what is detached is still read, and what is dropped is told apart
CREATE TABLE chat_rbac.audit_event_2020_01 (LIKE chat_rbac.audit_event);
WITH gone AS (DELETE FROM chat_rbac.audit_event WHERE at < '2020-02-01' RETURNING *) INSERT INTO chat_rbac.audit_event_2020_01 SELECT * FROM gone;
SELECT count(*), min(problem) FROM chat_rbac.audit_verify();
INSERT INTO chat_rbac.audit_detached VALUES ('audit_event_2020_01', '2020-01-01', '2020-02-01', '2020-03-01');
SELECT * FROM chat_rbac.audit_verify(:'latest');
SELECT block - :blocks AS block, event, problem FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_event_2020_01 WHERE event_id = 1000303 $$);
SELECT regress_seal.proves(chat_rbac.audit_proof(1000303));
SELECT chat_rbac.audit_redact(1000303, '{phone}', 'asked to') > 0 AS redacted;
SELECT new, octet_length(salt) FROM chat_rbac.audit_event_2020_01 WHERE event_id = 1000303;
SELECT * FROM chat_rbac.audit_verify(:'latest');
DROP TABLE chat_rbac.audit_event_2020_01;
SELECT block_no - :blocks AS block, event_id, problem, detail FROM chat_rbac.audit_verify(:'latest');
SELECT block - :blocks AS block, event, problem, detail FROM regress_seal.after($$ DELETE FROM chat_rbac.audit_event WHERE event_id = 1000311 $$);
SELECT chat_rbac.audit_redact(1000303, '{phone}', 'asked to'); -- fail

DELETE FROM chat_rbac.audit_detached;
TRUNCATE chat_rbac.audit_event, chat_rbac.audit_block;
DELETE FROM chat_rbac.audit_incarnation WHERE system_identifier = 1;
DROP SCHEMA regress_seal CASCADE;
REVOKE SELECT ON chat_rbac.audit_event FROM regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app, regress_chat_rbac_dba;

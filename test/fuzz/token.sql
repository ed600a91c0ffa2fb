-- Mutated tokens, see scripts/fuzz-token.sh, which sets what stands here as :variable.

\set VERBOSITY terse
SET client_min_messages = warning;
DROP DATABASE IF EXISTS chat_rbac_fuzz;
CREATE DATABASE chat_rbac_fuzz TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c chat_rbac_fuzz
SET client_min_messages = warning;
SET log_min_messages = fatal;
SET log_min_error_statement = panic;

CREATE EXTENSION chat_rbac;
INSERT INTO chat_rbac.org VALUES (1, 'one');
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (1, 1, 'ada', 'ada'), (1, 2, 'ali', 'ali');
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (1, 1, 'agent', '{conversation.view@own}');
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) VALUES (1, 1, 1), (1, 2, 1);
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (1, 'hs256', 'HS256', :'secret');
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, public_key) VALUES
	(1, 'rs256', 'RS256', :'public_rs256'), (1, 'es256', 'ES256', :'public_es256'), (NULL, 'eddsa', 'EdDSA', :'public_eddsa');

CREATE SCHEMA fuzz;
SET search_path = fuzz, pg_catalog;

CREATE TABLE good (n int PRIMARY KEY, token text UNIQUE, member bigint);
INSERT INTO good (n, token) SELECT n, token FROM unnest(:'tokens'::text[]) WITH ORDINALITY AS t (token, n);
CREATE TABLE secret AS SELECT :'inner'::bytea AS inner_pad, :'outer'::bytea AS outer_pad;
CREATE TABLE found (kind text, state text, token text);
CREATE TABLE tally (kind text, state text, n bigint, PRIMARY KEY (kind, state));

-- what is put into JSON, and into headers, in the hope of a stir
CREATE TABLE snippet AS SELECT row_number() OVER ()::int AS n, bytes::bytea FROM (VALUES
	('"exp":'), ('"sub":"ali",'), ('"org":2,'), ('"roles":["agent"],'), ('"aud":"x",'), ('"alg":"none",'), ('"kid":"hs256",'), ('"crit":[],'),
	('1e400'), ('-1'), ('9223372036854775808'), ('99999999999999999999999999999999'), ('null'), ('true'), ('[[[['), (']]]]'), ('{'), ('}'), (','), (':'), ('"'),
	('\\'), ('\\u0000'), ('\\ud800'), ('\\u0061'), ('\x00'), ('\xff'), ('\xc0af'), ('\xeda080'), ('\xefbbbf'), ('\xf09f9880'), (' '), ('\x0a'), ('0'), ('.'), ('e'), ('-')) AS v (bytes);
CREATE TABLE header AS SELECT row_number() OVER ()::int AS n, text FROM (VALUES
	('{"alg":"none"}'), ('{"alg":"None"}'), ('{"alg":""}'), ('{}'), ('[]'), ('null'), ('{"alg":null}'), ('{"alg":"HS256"}'), ('{"alg":"RS256"}'), ('{"alg":"ES256"}'), ('{"alg":"EdDSA"}'),
	('{"alg":"HS256","kid":"rs256"}'), ('{"alg":"RS256","kid":"hs256"}'), ('{"alg":"EdDSA","kid":"es256"}'), ('{"alg":"HS512","kid":"hs256"}'), ('{"alg":"HS256","kid":""}'),
	('{"alg":"HS256","kid":"hs256","crit":["exp"]}'), ('{"alg":"HS256","alg":"none"}'), ('{"alg":"HS256","kid":"x''; --"}'), ('{"alg":"HS256","jwk":{"k":"AA"}}'), ('{"alg":"HS256","zip":"DEF"}')) AS v (text);

CREATE FUNCTION up_to(n int) RETURNS int LANGUAGE sql AS 'SELECT floor(random() * greatest(n, 1))::int';
CREATE FUNCTION encoded(bytes bytea) RETURNS text LANGUAGE sql AS $$ SELECT translate(encode(bytes, 'base64'), E'+/=\n', '-_') $$;
CREATE FUNCTION decoded(part text) RETURNS bytea LANGUAGE sql AS $$ SELECT decode(translate(part, '-_', '+/') || repeat('=', -length(part) & 3), 'base64') $$;
CREATE FUNCTION signature(input text) RETURNS text LANGUAGE sql AS $$ SELECT encoded(sha256(outer_pad || sha256(inner_pad || convert_to(input, 'UTF8')))) FROM secret $$;
CREATE FUNCTION any_good() RETURNS text LANGUAGE sql AS $$ SELECT token FROM good WHERE n = (SELECT 1 + up_to((SELECT count(*)::int FROM good))) $$;
CREATE FUNCTION any_character() RETURNS text LANGUAGE sql AS
	$$ SELECT CASE up_to(6) WHEN 0 THEN substr('. =+/"{}_-' || E'\n\t\x1f', 1 + up_to(13), 1) WHEN 1 THEN chr(128 + up_to(40000)) ELSE chr(1 + up_to(127)) END $$;

-- one to four changes of some bytes
CREATE FUNCTION changed_bytes(bytes bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	at int;
BEGIN
	FOR i IN 0..up_to(4) LOOP
		at := up_to(length(bytes));
		CASE up_to(5)
			WHEN 0 THEN IF length(bytes) > 0 THEN bytes := set_byte(bytes, at, get_byte(bytes, at) # (1 << up_to(8))); END IF;
			WHEN 1 THEN bytes := overlay(bytes placing '' from at + 1 for 1 + up_to(3));
			WHEN 2 THEN bytes := overlay(bytes placing (SELECT s.bytes FROM snippet s WHERE n = (SELECT 1 + up_to(37))) from at + 1 for 0);
			WHEN 3 THEN bytes := overlay(bytes placing (SELECT s.bytes FROM snippet s WHERE n = (SELECT 1 + up_to(37))) from at + 1 for 1 + up_to(8));
			WHEN 4 THEN bytes := overlay(bytes placing substr(bytes, up_to(length(bytes)) + 1, up_to(12)) from at + 1 for 0);
		END CASE;
	END LOOP;
	RETURN bytes;
END $$;

-- one to three changes of the text of a token
CREATE FUNCTION changed_text(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	at int;
BEGIN
	FOR i IN 0..up_to(3) LOOP
		at := 1 + up_to(length(token));
		CASE up_to(5)
			WHEN 0 THEN token := overlay(token placing chr(greatest(ascii(substr(token, at, 1)) % 128 # (1 << up_to(7)), 1)) from at for 1);
			WHEN 1 THEN token := overlay(token placing '' from at for CASE up_to(3) WHEN 0 THEN up_to(60) ELSE 1 END);
			WHEN 2 THEN token := overlay(token placing any_character() from at for 0);
			WHEN 3 THEN token := overlay(token placing any_character() from at for 1);
			WHEN 4 THEN token := overlay(token placing substr(token, 1 + up_to(length(token)), up_to(40)) from at for 0);
		END CASE;
	END LOOP;
	RETURN token;
END $$;

-- A token and what has been done to it.  One that is signed again may be good.
CREATE FUNCTION mutant(OUT kind text, OUT token text) LANGUAGE plpgsql AS $$
DECLARE
	a text[] := string_to_array(any_good(), '.');
	b text[] := string_to_array(any_good(), '.');
	c text[] := string_to_array(any_good(), '.');
	input text;
BEGIN
	CASE up_to(11)
		WHEN 0, 1 THEN kind := 'changed'; token := changed_text(array_to_string(a, '.'));
		WHEN 2 THEN kind := 'spliced'; token := array_to_string(a, '.'); token := left(token, up_to(length(token))) || substr(array_to_string(b, '.'), 1 + up_to(length(token)));
		WHEN 3 THEN kind := 'parts swapped'; token := concat_ws('.', (ARRAY[a[1], b[1], c[2]])[1 + up_to(3)], (ARRAY[b[2], b[1], c[3]])[1 + up_to(3)], (ARRAY[c[3], c[2], '', a[3]])[1 + up_to(4)]);
		WHEN 4, 5 THEN kind := 'claims changed'; token := concat_ws('.', a[1], encoded(changed_bytes(decoded(a[2]))), a[3]);
		WHEN 6 THEN kind := 'header changed'; token := concat_ws('.', encoded(changed_bytes(decoded(a[1]))), a[2], a[3]);
		WHEN 7 THEN kind := 'another header'; token := concat_ws('.', encoded(convert_to((SELECT h.text FROM header h WHERE n = (SELECT 1 + up_to(21))), 'UTF8')), a[2], a[3]);
		WHEN 8 THEN kind := 'signature changed'; token := concat_ws('.', a[1], a[2], encoded(changed_bytes(decoded(a[3]))));
		WHEN 9 THEN kind := 'claims signed again'; input := encoded('{"alg":"HS256"}') || '.' || encoded(changed_bytes(decoded(a[2]))); token := input || '.' || signature(input);
		WHEN 10 THEN kind := 'header signed again'; input := encoded(changed_bytes('{"alg":"HS256","kid":"hs256"}')) || '.' || a[2]; token := input || '.' || signature(input);
	END CASE;
END $$;

-- Whom a token that is signed again is good for, by PostgreSQL's json; NULL: nobody.
CREATE FUNCTION member_of(token text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	header json := convert_from(decoded(split_part(token, '.', 1)), 'UTF8');
	claims json := convert_from(decoded(split_part(token, '.', 2)), 'UTF8');
BEGIN
	RETURN CASE WHEN header->>'alg' = 'HS256' AND json_typeof(header->'alg') = 'string' AND coalesce(header->>'kid', 'hs256') = 'hs256' AND header->'crit' IS NULL
		AND claims->>'org' = '1' AND json_typeof(claims->'exp') = 'number' AND (claims->>'exp')::float8 > extract(epoch FROM now()) - 31 AND claims->'aud' IS NULL
		AND json_typeof(claims->'sub') = 'string'
		THEN CASE claims->>'sub' WHEN 'ada' THEN 1 WHEN 'ali' THEN 2 END END;
EXCEPTION WHEN OTHERS THEN
	RETURN NULL;
END $$;

-- Who one is with a token, or the SQLSTATE
CREATE FUNCTION try(token text, OUT state text, OUT member bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('chat_rbac.token', token, false);
	member := chat_rbac.current_member();
	state := 'accepted';
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
END $$;

CREATE PROCEDURE run(times int) LANGUAGE plpgsql AS $$
DECLARE
	m record;
	t record;
	bad boolean;
BEGIN
	FOR i IN 1..times LOOP
		m := mutant();
		CONTINUE WHEN m.token = '' OR EXISTS (SELECT FROM good g WHERE g.token = m.token);
		t := try(m.token);
		bad := CASE WHEN m.kind LIKE '%signed again' THEN CASE t.state WHEN 'accepted' THEN t.member IS NULL OR t.member IS DISTINCT FROM member_of(m.token) ELSE t.state NOT IN ('28000', '0P000') END
			ELSE t.state <> '28000' END;
		IF bad THEN
			INSERT INTO found VALUES (m.kind, t.state || coalesce(' as ' || t.member, ''), m.token);
		END IF;
		INSERT INTO tally VALUES (m.kind, t.state, 1) ON CONFLICT (kind, state) DO UPDATE SET n = tally.n + 1;
		IF i % 1000 = 0 THEN
			-- what is good stays so
			INSERT INTO found SELECT 'good', (try(token)).state, token FROM good g WHERE member IS DISTINCT FROM (try(token)).member;
			COMMIT;
		END IF;
	END LOOP;
END $$;

CREATE ROLE regress_chat_rbac_fuzz;
GRANT USAGE ON SCHEMA fuzz TO regress_chat_rbac_fuzz;
GRANT ALL ON ALL TABLES IN SCHEMA fuzz TO regress_chat_rbac_fuzz;
SET ROLE regress_chat_rbac_fuzz;
UPDATE good SET member = (try(token)).member;
SELECT setseed(:seed % 1000000 / 1000000.0) \g /dev/null
CALL run(:times);
RESET ROLE;
RESET chat_rbac.token;

SELECT format('%s %s: %s', kind, state, n) FROM tally ORDER BY kind, state;
SELECT format('%s tokens, %s accepted that are good, %s surprises', sum(n), coalesce(sum(n) FILTER (WHERE state = 'accepted'), 0), (SELECT count(*) FROM found)) FROM tally;
SELECT format('SURPRISE: %s %s: %s', kind, state, token) FROM found LIMIT 20;
SELECT EXISTS (SELECT FROM found) OR (SELECT count(*) <> 12 OR count(member) <> 12 FROM good) OR (SELECT count(DISTINCT kind) <> 9 FROM tally) AND :times >= 1000 AS failed \gset
\c postgres
SET client_min_messages = warning;
DROP DATABASE chat_rbac_fuzz;
DROP ROLE regress_chat_rbac_fuzz;
\if :failed
	DO $$ BEGIN RAISE 'the fuzzer has found something'; END $$;
\endif

/*
 * bench/token.sql: what it costs to say who asks, in each transaction: set a
 * token, or an identity, and ask once.  :tokens is a file of tokens, a line each:
 * algorithm, public key or secret in base64, token; some hundred for each
 * algorithm, more than a session remembers.  :turns turns of :transactions
 * transactions each; a transaction here is one of a procedure's, so that no
 * round trip is in it.
 */
\set ON_ERROR_STOP on
\set QUIET on
CREATE EXTENSION chat_rbac;
SELECT chat_rbac.create_org('acme', 1) \g /dev/null
INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (1, 1, 'Ada', 'ada');
SELECT chat_rbac.grant_role('acme', 'Ada', 'Agent') \g /dev/null
CREATE TABLE made (algorithm text, material text, token text);
\set load '\\copy made FROM ' :tokens
:load
INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret, public_key)
SELECT DISTINCT 1, algorithm, algorithm, CASE algorithm WHEN 'HS256' THEN decode(material, 'base64') END,
	CASE WHEN algorithm <> 'HS256' THEN convert_from(decode(material, 'base64'), 'UTF8') END FROM made;
CREATE TABLE took (what text, turn integer, us double precision);
VACUUM (ANALYZE, FREEZE);

/* microseconds of a transaction; what: empty, identity, seen, or an algorithm */
CREATE PROCEDURE turn(what text, turn integer, transactions integer) LANGUAGE plpgsql AS $$
DECLARE
	tokens text[] := ARRAY(SELECT m.token FROM made m WHERE m.algorithm = CASE what WHEN 'seen' THEN 'HS256' ELSE what END);
	n integer := CASE WHEN what = 'seen' THEN 1 ELSE cardinality(tokens) END;
	began timestamptz;
BEGIN
	/* the grants, the keys, and the one token that is seen again */
	PERFORM set_config('chat_rbac.token', tokens[1], true), chat_rbac.current_member();
	COMMIT;
	began := clock_timestamp();
	IF what = 'empty' THEN
		FOR i IN 1 .. transactions LOOP
			COMMIT;
		END LOOP;
	ELSIF what = 'identity' THEN
		FOR i IN 1 .. transactions LOOP
			PERFORM set_config('chat_rbac.identity', '1/1', true);
			PERFORM chat_rbac.current_member();
			COMMIT;
		END LOOP;
	ELSE
		FOR i IN 1 .. transactions LOOP
			PERFORM set_config('chat_rbac.token', tokens[1 + i % n], true);
			PERFORM chat_rbac.current_member();
			COMMIT;
		END LOOP;
	END IF;
	INSERT INTO took VALUES (what, turn, extract(epoch FROM clock_timestamp() - began) * 1e6 / transactions);
	COMMIT;
END
$$;

SELECT format('CALL turn(%L, %s, %s)', what, turn, CASE WHEN what IN ('empty', 'identity', 'seen') THEN :transactions ELSE :transactions / 10 END)
FROM generate_series(1, :turns) AS turn, (VALUES (1, 'empty'), (2, 'identity'), (3, 'seen'), (4, 'HS256'), (5, 'RS256'), (6, 'ES256'), (7, 'EdDSA')) AS w (n, what)
ORDER BY turn, n \gexec

\pset footer off
SELECT CASE t.what WHEN 'empty' THEN 'nothing' WHEN 'identity' THEN 'identity' WHEN 'seen' THEN 'token seen before (HS256)' ELSE 'new token, ' || t.what END AS "set, and asked once",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t.us)::numeric, 2) AS "us per transaction",
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY t.us - e.us)::numeric, 2) AS "over nothing",
	CASE t.what WHEN 'seen' THEN 10 WHEN 'HS256' THEN 100 WHEN 'ES256' THEN 500 END AS "at most"
FROM took t JOIN took e ON e.turn = t.turn AND e.what = 'empty'
GROUP BY t.what ORDER BY array_position('{empty,identity,seen,HS256,RS256,ES256,EdDSA}', t.what);

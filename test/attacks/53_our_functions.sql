--
-- Every function of schema chat_rbac, called with hostile arguments: other people's
-- ids and names, NULL, borders of types, nested and long arrays, other tables, JSON of
-- all shapes.  The list comes from pg_proc, so a new function is on it.  The role has
-- EXECUTE on all of them but those that run as their owner and are not for everybody.
--
-- Must happen: what one may not see makes no difference to any answer, error messages
-- with detail, hint and context included; and no hidden value is in them.
--
SELECT plan(17);
SET client_min_messages = error;
\ir interference.psql

SELECT format('GRANT EXECUTE ON FUNCTION %s TO attack_app', p.oid::regprocedure) FROM pg_proc p
WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.prokind = 'f' AND NOT p.prosecdef \gexec

-- The arguments by type; a type that is not here is an error below.
CREATE TABLE lab.value (type regtype, n int GENERATED ALWAYS AS IDENTITY, value text);
INSERT INTO lab.value (type, value) SELECT t::regtype, v FROM (VALUES
	('bigint', '{1,6,40,9,NULL,-1,9223372036854775807,160}'::text[]),
	('integer', '{1,NULL,40,-2147483648}'),
	('oid', '{20,NULL,0}'),
	('regrole', '{attack_app,attack_owner,NULL}'),
	('smallint', '{1,NULL}'),
	('boolean', '{true,false,NULL}'),
	('text', '{acme,globex,Hana,HR,Supervisor,team,view,conversation,own,inbox.conversation,NULL,"","DELETE FROM chat_rbac.role_grant","SELECT chat_rbac.grant_role(''globex'', ''Gwen'', ''Agent'')","TABLE inbox.conversation"}'),
	('name', '{inbox,org_id,NULL,own,assignee_id}'),
	('cstring', '{conversation.view,"Mon-Fri 09:00-18:00 UTC",x}'),
	('chat_rbac.permission', '{conversation.view,*.*,message.view@own,customer.export,member.manage,NULL}'),
	('chat_rbac.permset', '{"{*.*}","{conversation.view@own}","{audit.view,role.view}",NULL}'),
	('chat_rbac.shift', '{"Mon-Fri 09:00-18:00 UTC",NULL}'),
	('regclass', '{inbox.conversation,inbox.customer,inbox.message,inbox.report,chat_rbac.member,chat_rbac.audit_event,own.loot,pg_authid,NULL,0}'),
	('regproc', '{chat_rbac.guard,NULL}'),
	('jsonb', '{"{}",NULL,"{\"resource\": \"task\", \"org\": \"org_id\", \"member_id\": 9, \"role_id\": 1, \"unit_id\": 40, \"org_id\": 1}","[{\"table\": \"inbox.conversation\"}]","{\"org_id\": 2, \"member_id\": 9, \"unit_id\": 40, \"name\": \"HR\"}","{\"units\": [{\"kind\": \"team\", \"name\": \"HR\"}], \"roles\": []}"}'),
	('text[]', '{"{}","{team,inbox}","{HR,Hana}",NULL,"{{a,b},{NULL,d}}"}'),
	('name[]', '{"{}","{org_id,phone}",NULL}'),
	('bigint[]', '{"{}","{40}","{{1,2},{9,40}}","{NULL,1}",NULL,LONG}'),
	('timestamptz', '{infinity,2026-01-01,NULL}'),
	('timestamptz[]', '{"{}",NULL}'),
	('tstzrange', '{"(,)","empty",NULL}'),
	('interval', '{"1 hour","-1 day",NULL}'),
	('bytea', '{"","\\\\x00112233",NULL}'),
	('numeric', '{1234.5,NaN,NULL}'),
	('double precision', '{1234.5,-Infinity,NULL}'),
	('xid8', '{1,NULL}'),
	('uuid', '{00000000-0000-0000-0000-000000000000,NULL}'),
	('"any"', '{40,NULL}'),
	('chat_rbac.audit_event', '{NULL,ROW}'),
	('chat_rbac.protected_view', '{NULL}'),
	('chat_rbac.audit_block', '{NULL}')) AS t (t, vs), unnest(t.vs) AS v;
CREATE FUNCTION lab.literal(type regtype, value text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE WHEN type = '"any"'::regtype THEN coalesce(value, 'NULL') || '::bigint'
		WHEN value IS NULL THEN format('NULL::%s', type)
		WHEN value = 'LONG' THEN '(SELECT array_agg(i) FROM generate_series(1, 500) AS i)'
		WHEN value = 'ROW' THEN '(SELECT e FROM chat_rbac.audit_event e LIMIT 1)'
		ELSE format('%L::%s', value, type) END $$;

-- Each function with all its arguments' values where these are few, else with so many, picked evenly.
\getenv long CHAT_RBAC_LONG
\if :{?long}
	\set calls 60
\else
	\set calls 6
\endif
CREATE FUNCTION lab.calls_of(f oid, n int) RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
	p pg_proc := (SELECT p FROM pg_proc p WHERE oid = f);
	types regtype[] := ARRAY(SELECT t::regtype FROM unnest(p.proargtypes) WITH ORDINALITY AS u (t, o) ORDER BY o);
	choices text[];
	sizes bigint[] := '{}';
	product numeric := 1;
	pick numeric;
	args text;
BEGIN
	FOR a IN 1 .. cardinality(types) LOOP
		sizes := sizes || (SELECT count(*) FROM lab.value v WHERE v.type = types[a]);
		product := product * sizes[a];
	END LOOP;
	FOR i IN 0 .. least(product, n) - 1 LOOP
		pick := CASE WHEN product <= n THEN i ELSE mod(i * trunc(product * 0.6180339887) + i, product) END;
		args := '';
		FOR a IN 1 .. cardinality(types) LOOP
			SELECT array_agg(v.value ORDER BY v.n) INTO choices FROM lab.value v WHERE v.type = types[a];
			args := concat_ws(', ', nullif(args, ''), CASE WHEN a = cardinality(types) AND p.provariadic <> 0 AND types[a] <> '"any"'::regtype THEN 'VARIADIC ' ELSE '' END
				|| lab.literal(types[a], choices[1 + mod(pick, sizes[a])::int]));
			pick := div(pick, sizes[a]);
		END LOOP;
		RETURN NEXT format('SELECT r::text FROM %s(%s) AS r ORDER BY 1', f::regproc, args);
	END LOOP;
END $$;
INSERT INTO lab.probe (subject, statement)
SELECT DISTINCT ON (c) p.oid::regprocedure, c FROM pg_proc p CROSS JOIN LATERAL lab.calls_of(p.oid, :calls) AS c
WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.prokind = 'f' AND has_function_privilege('attack_app', p.oid, 'EXECUTE')
	AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND 'internal'::regtype <> ALL (p.proargtypes) ORDER BY c;
-- what is of use only in a query of the inbox
INSERT INTO lab.probe (subject, statement)
SELECT f, format('SELECT id, %s FROM inbox.conversation ORDER BY id', f)
FROM unnest('{"chat_rbac.approved(''inbox.conversation'', org_id, id, team_id, inbox_id, assignee_id)", "chat_rbac.handed_over(''inbox.conversation'', org_id, id)",
	"chat_rbac.actions(''inbox.conversation'', id)", "chat_rbac.can(''conversation.view'', ''inbox.conversation'', id + 1)"}'::text[]) AS f
UNION ALL SELECT f, format('SELECT %s FROM generate_series(1, 200) AS i', f)
FROM unnest('{"chat_rbac.can(''conversation.view'', ''inbox.conversation'', i)", "chat_rbac.actions(''inbox.message'', i * 10 + 1)", "chat_rbac.is_member(i)",
	"chat_rbac.in_parent(''inbox.conversation'', ''{*.*}'', 1, i)", "chat_rbac.in_parent(''inbox.conversation'', NULL, 1, i)", "chat_rbac.in_link(i, ''{*.*}'', ''participating'', ''inbox.conversation'', true)",
	"(SELECT string_agg(h::text, '','') FROM chat_rbac.history(''inbox.conversation'', VARIADIC ARRAY[i]) AS h)",
	"(SELECT string_agg(w::text, '','') FROM chat_rbac.who_can(''conversation.view'', ''inbox.conversation'', i) AS w)",
	"(SELECT string_agg(w::text, '','') FROM chat_rbac.explain_access(9, ''conversation.view'', ''inbox.conversation'', i) AS w)"}'::text[]) AS f;

SELECT is(ARRAY(SELECT DISTINCT format_type(t, NULL) FROM pg_proc p, unnest(p.proargtypes) AS t
	WHERE p.pronamespace = 'chat_rbac'::regnamespace AND p.prokind = 'f' AND t <> 'internal'::regtype AND t NOT IN (SELECT type FROM lab.value)), '{}'::text[], 'there are values for each type of argument');
SELECT cmp_ok((SELECT count(DISTINCT subject) FROM lab.probe), '>', 230::bigint, 'all functions are called that an ordinary role may call');

-- Of these two one call each is enough: planning it takes a second.
DELETE FROM lab.probe p WHERE p.subject ~ 'policy_plan|create_inbox' AND p.n NOT IN (SELECT min(o.n) FROM lab.probe o GROUP BY o.subject);

SELECT lab.ask(p, 1) FROM unnest('{Olga,Sue,Ali,Gus,Gwen,Ada,Vic}'::text[]) AS p \g /dev/null
SELECT lab.ask(p, 2) FROM unnest('{Olga,Ada}'::text[]) AS p \g /dev/null
CALL lab.take_away('what is in HR');
SELECT lab.ask(p, 3) FROM unnest('{Olga,Sue}'::text[]) AS p \g /dev/null
CALL lab.take_away('what is not Ali''s');
SELECT lab.ask(p, 3) FROM unnest('{Ali,Ada}'::text[]) AS p \g /dev/null
CALL lab.take_away('org 1');
SELECT lab.ask(p, 3) FROM unnest('{Gus,Gwen}'::text[]) AS p \g /dev/null

SELECT lab.tells_nothing('Olga', 'the owner of an org does not hear of what is sealed', 'who_can|explain_access');
SELECT lab.tells_nothing('Sue', 'nor does a supervisor beside it');
SELECT lab.tells_nothing('Ali', 'an agent does not hear of what is others''');
-- the number of a new event is one of all orgs
SELECT lab.tells_nothing('Gus', 'an admin does not hear of the other org', 'record_access');
SELECT lab.tells_nothing('Gwen', 'nor does an agent', 'record_access');
SELECT cmp_ok((SELECT count(*) FROM lab.differences('Ada')), '>', 5::bigint, 'an admin hears of what is taken away: the calls do ask');
SELECT cmp_ok((SELECT count(DISTINCT p.subject) FROM lab.answer a JOIN lab.probe p USING (n) WHERE a.who = 'Ada' AND a.answer !~ '^ERROR' AND a.answer <> ''), '>', 150::bigint, 'most functions answer');
SELECT is(lab.seen_in_answers('Vic'), '{}', 'who holds nothing is shown no value');
-- of a function in SQL it is a matter of its plan whether NULL or a wrong name is seen first
SELECT is(ARRAY(SELECT u FROM unnest(lab.unsteady()) AS u WHERE u !~ '\.(members_with_permission|user_permissions)\('), '{chat_rbac.audit_incarnation(),"chat_rbac.audit_note(text,text,regclass,text,text,bigint,text[],bigint[],jsonb,text)",chat_rbac.audit_seal(),chat_rbac.cache_stats(),"chat_rbac.issue_token(bigint,interval,text[])","chat_rbac.record_access(regclass,bigint,text,chat_rbac.permission)",chat_rbac.revoke_tokens(bigint)}'::text[],
	'what answers otherwise each time is not compared, and is known');
SELECT is((SELECT count(*) FROM lab.differences('Olga') AS d WHERE d.subject ~ 'who_can|explain_access'), 2::bigint,
	'known leak: who holds role.view in the whole org may ask who sees a row that they do not see themselves');
SELECT * FROM finish();

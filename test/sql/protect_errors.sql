--
-- protect(): every mistake is named, with what is allowed, and changes nothing
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
RESET client_min_messages;

CREATE ROLE regress_chat_rbac_owner;
CREATE SCHEMA regress_inbox;
GRANT USAGE, CREATE ON SCHEMA regress_inbox TO regress_chat_rbac_owner;
CREATE TABLE regress_inbox.conversation (
  org_id bigint, id bigint, team_id bigint, assignee_id int, customer_id bigint, status text, priority int, opened date, labels jsonb, token uuid,
  slug varchar(3), raw json, PRIMARY KEY (org_id, id));
CREATE TABLE regress_inbox.participant (org_id bigint, conversation_id bigint, member_id bigint, role text);
CREATE TABLE regress_inbox.message (org_id bigint, id bigint PRIMARY KEY, conversation_id bigint, body text);
CREATE TABLE regress_inbox.customer (org_id bigint, region int, id bigint, conversation_id bigint, message_id bigint, PRIMARY KEY (org_id, region, id));
CREATE TABLE regress_inbox.log (org_id bigint, line text);
CREATE TABLE regress_inbox.log_old (PRIMARY KEY (org_id)) INHERITS (regress_inbox.log);
CREATE TEMP TABLE temporary (org_id bigint, conversation_id bigint, member_id bigint);
CREATE FOREIGN DATA WRAPPER regress_chat_rbac_fdw;
CREATE SERVER regress_chat_rbac_server FOREIGN DATA WRAPPER regress_chat_rbac_fdw;
CREATE FOREIGN TABLE regress_inbox.archive (org_id bigint) SERVER regress_chat_rbac_server;
CREATE VIEW regress_inbox.open_conversation AS SELECT * FROM regress_inbox.conversation WHERE status = 'open';
CREATE MATERIALIZED VIEW regress_inbox.counts AS SELECT org_id, count(*) FROM regress_inbox.conversation GROUP BY org_id;
CREATE SEQUENCE regress_inbox.numbers;
CREATE TABLE regress_inbox.task (org_id bigint, id bigint, due date, PRIMARY KEY (org_id, id, due)) PARTITION BY RANGE (due);
CREATE TABLE regress_inbox.task_2026 PARTITION OF regress_inbox.task FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE regress_inbox.wide (org_id bigint PRIMARY KEY, u1 int, u2 int, u3 int, u4 int, u5 int, u6 int, u7 int, u8 int, u9 int);

-- What is in force: flags, policies, specifications
CREATE FUNCTION regress_state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(concat((SELECT string_agg(format('%s %s %s', oid, relrowsecurity, relforcerowsecurity), E'\n' ORDER BY oid) FROM pg_class WHERE relnamespace = 'regress_inbox'::regnamespace),
                    (SELECT string_agg(p::text, E'\n' ORDER BY oid) FROM pg_policy p),
                    (SELECT string_agg(p::text, E'\n' ORDER BY relation) FROM chat_rbac.protection p)))
$$;
-- The answer to a call, as somebody reads it, and a record of it
CREATE TABLE regress_answer (tab regclass, spec jsonb, state text, message text);
GRANT SELECT, INSERT ON regress_answer TO PUBLIC;
CREATE FUNCTION regress_try(tab regclass, spec jsonb) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    before text := regress_state();
    detail text;
    hint text;
BEGIN
    BEGIN
        PERFORM chat_rbac.protect(tab, spec);
        INSERT INTO regress_answer VALUES (tab, spec, '00000');
        RETURN NEXT 'no error';
    EXCEPTION WHEN others THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        INSERT INTO regress_answer VALUES (tab, spec, SQLSTATE, SQLERRM);
        RETURN QUERY SELECT format('%s: %s', SQLSTATE, SQLERRM) UNION ALL SELECT '       ' || line FROM unnest(ARRAY[detail, hint]) line WHERE line <> '';
    END;
    IF regress_state() <> before THEN
        RETURN NEXT 'THE STATE HAS CHANGED';
    END IF;
END $$;

SET client_min_messages = warning;
SELECT chat_rbac.protect('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}}}');
\pset format unaligned
\pset tuples_only

--
-- The call
--
SELECT regress_try(NULL, '{}');
SELECT regress_try('regress_inbox.conversation', NULL);
SELECT regress_try('regress_inbox.open_conversation', '{"resource": "conversation", "org": "org_id"}');
SELECT regress_try('regress_inbox.archive', '{"resource": "conversation", "org": "org_id"}');
SELECT regress_try('regress_inbox.counts', '{"resource": "conversation", "org": "org_id"}');
SELECT regress_try('regress_inbox.numbers', '{"resource": "conversation", "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation_pkey', '{"resource": "conversation", "org": "org_id"}');
SELECT regress_try('regress_inbox.task_2026', '{"resource": "task", "org": "org_id"}');
SELECT regress_try('regress_inbox.log_old', '{"resource": "task", "org": "org_id"}');
SELECT regress_try('chat_rbac.role_grant', '{"resource": "role", "org": "org_id"}');
SELECT regress_try('pg_catalog.pg_foreign_data_wrapper', '{"resource": "task", "org": "fdwowner"}');
SELECT regress_try(1::oid::regclass, '{"resource": "conversation", "org": "org_id"}');

--
-- The specification as a whole
--
SELECT regress_try('regress_inbox.conversation', '{}');
SELECT regress_try('regress_inbox.conversation', '[]');
SELECT regress_try('regress_inbox.conversation', '"conversation"');
SELECT regress_try('regress_inbox.conversation', 'null');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "unit": {"team": "team_id"}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "colour": "blue"}');
SELECT regress_try('regress_inbox.conversation', '{"org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation"}');
SELECT regress_try('regress_inbox.log', '{"resource": "conversation", "org": "org_id"}');

-- "resource", "view": permissions that are known
SELECT regress_try('regress_inbox.conversation', '{"resource": "convresation", "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "report", "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "", "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "Conversation", "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "*", "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": null, "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": 7, "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": ["conversation"], "org": "org_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "view": "conversation.veiw"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "view": "conversation.view@own"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "view": "conversation.*"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "view": "view"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "view": null}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "view": {"own": "conversation.view"}}');

-- "org"
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "organisation"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "ORG_ID"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "status"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "ctid"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": null}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": 1}');

-- "units"
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": ["team_id"]}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": "team_id"}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": null}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "teamid"}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": "token"}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": null}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"team": ["team_id"]}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "units": {"": "team_id"}}');
SELECT regress_try('regress_inbox.wide', '{"resource": "conversation", "org": "org_id", "units": {"a": "u1", "b": "u2", "c": "u3", "d": "u4", "e": "u5", "f": "u6", "g": "u7", "h": "u8", "i": "u9"}}');

-- "relations"
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": ["own"]}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"all": {"assignee_id": "$member"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"": {"assignee_id": "$member"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"Own": {"assignee_id": "$member"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"my own": {"assignee_id": "$member"}}}');
SELECT regress_try('regress_inbox.conversation', jsonb_build_object('resource', 'conversation', 'org', 'org_id', 'relations', jsonb_build_object(repeat('x', 64), '{"assignee_id": "$member"}'::jsonb)));
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": "assignee_id"}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": null}}');
-- column tests
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"asignee_id": "$member"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"status": "$member"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"assignee_id": "$me"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"status": "$open"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"assignee_id": ["$member"]}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"own": {"assignee_id": {"is": "$member"}}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"team_s": {"assignee_id": "$members", "customer_id": "$members"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"urgent": {"priority": "high"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"urgent": {"priority": 99999999999}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"urgent": {"priority": 1.5}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"urgent": {"priority": true}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"new": {"opened": "soon"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"new": {"opened": "2026-02-30"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"new": {"token": "17"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"new": {"slug": "long"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"new": {"labels": "{"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"new": {"raw": "{}"}}}');
-- link tables
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "members": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participants", "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "participant", "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.open_conversation", "row": "id", "member": "assignee_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": 7, "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": null, "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "pg_temp.temporary", "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "pg_catalog.pg_largeobject", "row": "pageno", "member": "pageno"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "a b", "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "elsewhere.regress_inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "role"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id", "org": "tenant"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id", "key": "number"}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id", "assignee_id": "$member"}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
SELECT regress_try('regress_inbox.wide', '{"resource": "customer", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
-- linked tables
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": "regress_inbox.conversation"}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.conversation"}}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.conversation", "column": "customer", "key": "id"}}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.conversation", "column": "customer_id"}}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.message", "column": "conversation_id", "key": "id"}}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.nothing", "column": "customer_id", "key": "id"}}}}');
SELECT regress_try('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.conversation", "column": "customer_id", "key": "id"}, "row": "id"}}}');

--
-- "parent"
--
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": "regress_inbox.conversation"}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": null}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "colum": "conversation_id"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversations", "column": "conversation_id"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.customer", "column": "conversation_id"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "body"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id", "key": "number"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}, "units": {"team": "conversation_id"}}');
SELECT regress_try('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}, "relations": {}}');
-- a key of more columns than org and id: which one?
SELECT regress_try('regress_inbox.message', '{"resource": "message", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
-- without the org, another org's row could be meant
SELECT regress_try('regress_inbox.message', '{"resource": "message", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id", "key": "id"}}');
-- no table leads back to itself
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "customer_id"}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.conversation", "column": "customer_id"}}}}');
SELECT chat_rbac.protect('regress_inbox.message', '{"resource": "message", "org": "org_id", "parent": {"table": "regress_inbox.conversation", "column": "conversation_id"}}');
SELECT chat_rbac.protect('regress_inbox.customer', '{"resource": "customer", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.message", "column": "id", "key": "id"}}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.message", "column": "conversation_id"}}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "relations": {"linked": {"linked": {"table": "regress_inbox.customer", "column": "conversation_id"}}}}');
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id", "parent": {"table": "regress_inbox.customer", "column": "customer_id", "key": "id"}}');

-- All mistakes in a specification have one SQLSTATE, and are spoken of in the
-- words of the specification (none may show)
SELECT count(*) FROM regress_answer WHERE state = '22023';
SELECT state, spec, message FROM regress_answer
 WHERE state NOT IN ('22023', '42809') AND tab IS NOT NULL AND spec IS NOT NULL AND tab::oid <> 1;

--
-- Who calls
--
SET ROLE regress_chat_rbac_owner;
CREATE TABLE regress_inbox.note (org_id bigint, id bigint PRIMARY KEY, author_id bigint);
CREATE INDEX ON regress_inbox.note (author_id);
RESET ROLE;
GRANT SELECT ON chat_rbac.protection TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT regress_try('regress_inbox.note', '{"resource": "task", "org": "org_id"}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION chat_rbac.protect, chat_rbac.unprotect TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT regress_try('regress_inbox.note', '{"resource": "task", "org": "org_id"}');
RESET ROLE;
GRANT SELECT ON chat_rbac.known_permission TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT regress_try('regress_inbox.note', '{"resource": "task", "org": "org_id"}');
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON chat_rbac.protection TO regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT regress_try('regress_inbox.conversation', '{"resource": "conversation", "org": "org_id"}');
-- a link table of somebody else's that the owner may not read
SELECT regress_try('regress_inbox.note', '{"resource": "task", "org": "org_id", "relations": {"participating": {"table": "regress_inbox.participant", "row": "conversation_id", "member": "member_id"}}}');
SELECT chat_rbac.protect('regress_inbox.note', '{"resource": "task", "org": "org_id", "relations": {"own": {"author_id": "$member"}}}');
RESET ROLE;
\pset tuples_only off
\pset format aligned
\set SHOW_CONTEXT never
REVOKE ALL ON FUNCTION chat_rbac.protect(regclass, jsonb) FROM regress_chat_rbac_owner;
SET ROLE regress_chat_rbac_owner;
SELECT chat_rbac.unprotect('regress_inbox.conversation');  -- fail
RESET ROLE;

-- Clean up
DROP SCHEMA regress_inbox CASCADE;
DROP FOREIGN DATA WRAPPER regress_chat_rbac_fdw CASCADE;
DELETE FROM chat_rbac.protection;
DROP FUNCTION regress_state(), regress_try(regclass, jsonb);
DROP TABLE regress_answer;
DROP OWNED BY regress_chat_rbac_owner;
DROP ROLE regress_chat_rbac_owner;

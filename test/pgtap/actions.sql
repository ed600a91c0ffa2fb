--
-- The matrix of actions: what the guard and the policies for writes let
-- through, and what can() and its kin answer, compared with what DESIGN
-- section 5 and the rules of a specification say.
--
-- Schema model says it in plain SQL over the RBAC tables, the text of
-- permissions and the rules as they were written.  It calls no function of
-- chat_rbac.  What a statement makes of a row, the model learns from a
-- superuser's trial of the same statement.
--
-- In every round each table gets rules by the dice; then members with preset
-- and random roles look, ask, insert, update and delete.  A difference says
-- what was done, what the model expects, and what came.
--
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT no_plan();

CREATE ROLE regress_chat_rbac_app;
CREATE SCHEMA model;
CREATE SCHEMA inbox;
SET LOCAL search_path = inbox, public;

-- 0 .. sides - 1, always the same for a seed
CREATE FUNCTION model.dice(sides int, what text, seed text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT (hashtextextended(what || ' ' || seed, 4) & 1073741823)::int % sides
$$;

--
-- The inbox.  rid is one numbering over all tables and orgs.
--
CREATE SEQUENCE rid;
CREATE TYPE status AS ENUM ('open', 'closed', 'snoozed');
CREATE TABLE "Chat" (
    gone_1 int, org_id bigint NOT NULL, id bigint NOT NULL, "Team" bigint, inbox_id int, gone_2 text DEFAULT 'gone', assignee_id int, creator_id bigint,
    customer_id bigint, "Status" status NOT NULL DEFAULT 'open', price numeric, grade varchar(8), code char(4), label text, urgent boolean,
    body text, shout text GENERATED ALWAYS AS (upper(label)) STORED, rid bigint NOT NULL DEFAULT nextval('rid'), mark int, gone_3 numeric DEFAULT 3,
    PRIMARY KEY (org_id, id));
ALTER TABLE "Chat" ALTER body SET STORAGE EXTERNAL, ADD "is ""odd""" int, DROP gone_1;
CREATE TABLE participant (org_id int NOT NULL, chat_id int NOT NULL, member_id bigint NOT NULL, PRIMARY KEY (org_id, chat_id, member_id));
CREATE TABLE message (org_id bigint NOT NULL, id bigint NOT NULL, chat_id int NOT NULL, kind text, author_id bigint, body text,
    rid bigint NOT NULL DEFAULT nextval('rid'), mark int, PRIMARY KEY (org_id, id), UNIQUE (id));
ALTER TABLE message ALTER body SET STORAGE EXTERNAL;
CREATE TABLE reaction (id int PRIMARY KEY, emoji varchar(4), message_id bigint NOT NULL, rid bigint NOT NULL DEFAULT nextval('rid'), mark int);
-- rows move between partitions; some of these have another layout
CREATE TABLE customer (org_id bigint NOT NULL, id int NOT NULL, stage int NOT NULL, team_id int, owner_id bigint, blocked boolean NOT NULL, credit numeric(8, 2),
    task_id bigint, rid bigint NOT NULL DEFAULT nextval('rid'), mark int, PRIMARY KEY (org_id, stage, id)) PARTITION BY LIST (stage);
CREATE TABLE customer_1 PARTITION OF customer FOR VALUES IN (1);
CREATE TABLE customer_2 (mark int, task_id bigint, gone text, rid bigint NOT NULL, blocked boolean NOT NULL, owner_id bigint, credit numeric(8, 2), team_id int,
    stage int NOT NULL, id int NOT NULL, org_id bigint NOT NULL);
ALTER TABLE customer_2 DROP gone;
ALTER TABLE customer ATTACH PARTITION customer_2 FOR VALUES IN (2);
CREATE TABLE customer_more PARTITION OF customer DEFAULT PARTITION BY RANGE (stage);
CREATE TABLE customer_3 PARTITION OF customer_more FOR VALUES FROM (3) TO (4);
CREATE TABLE customer_4 (LIKE customer INCLUDING DEFAULTS);
ALTER TABLE customer_4 DROP credit, ADD credit numeric(8, 2);
ALTER TABLE customer_more ATTACH PARTITION customer_4 FOR VALUES FROM (4) TO (5);
CREATE TABLE task (org_id int NOT NULL, id bigint NOT NULL, owner_id int, author_id bigint, priority int NOT NULL, due date, touches int NOT NULL DEFAULT 0,
    hot boolean GENERATED ALWAYS AS (priority > 1) STORED, rid bigint NOT NULL DEFAULT nextval('rid'), mark int, PRIMARY KEY (org_id, id));
CREATE TABLE watcher (org_id bigint NOT NULL, task_id bigint NOT NULL, who int NOT NULL);
CREATE TABLE step (org_id int NOT NULL, id bigint NOT NULL, task_id bigint NOT NULL, title text, done boolean, rid bigint NOT NULL DEFAULT nextval('rid'), mark int,
    PRIMARY KEY (id, org_id));
CREATE TABLE lead (id bigint NOT NULL, region int NOT NULL, org_id int NOT NULL, team_id int, owner_id bigint, value numeric, rid bigint NOT NULL DEFAULT nextval('rid'), mark int,
    PRIMARY KEY (org_id, region, id));
CREATE TABLE broadcast (org_id bigint NOT NULL, id bigint NOT NULL, inbox_id bigint, author_id int, approver_id bigint, status varchar NOT NULL,
    rid bigint NOT NULL DEFAULT nextval('rid'), mark int, PRIMARY KEY (org_id, id));
GRANT USAGE ON SCHEMA inbox TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA inbox TO regress_chat_rbac_app;
GRANT USAGE ON SEQUENCE rid TO regress_chat_rbac_app;

-- A column that changes along with others; its name sorts before and after the guard's
CREATE FUNCTION model.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW IS DISTINCT FROM OLD AND NEW.id % 2 = (TG_NAME = 'aa_touch')::int THEN
        NEW.touches := OLD.touches + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER aa_touch BEFORE UPDATE ON task FOR EACH ROW EXECUTE FUNCTION model.touch();
CREATE TRIGGER yy_touch BEFORE UPDATE ON task FOR EACH ROW EXECUTE FUNCTION model.touch();

-- Two orgs whose units, members and rows have the same ids and keys.  A key is
-- never the unit's id but some other unit's, and a team and an inbox share keys.
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('other', 2);
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name)
SELECT o, u,
       CASE WHEN u IN (1, 2) THEN 'department' WHEN u IN (3, 4) THEN 'team' WHEN u = 5 THEN 'inbox'
            ELSE (ARRAY['team', 'team', 'team', 'inbox', 'inbox', 'department'])[1 + model.dice(6, 'kind', u::text)] END,
       u * 7 % 41,
       CASE WHEN u <= 5 THEN (ARRAY[NULL, 1, 2, 3, 3])[u] ELSE nullif(model.dice(u, 'parent', u::text), 0) END,
       'Unit ' || u
  FROM generate_series(1, 2) o, generate_series(1, 40) u
 ORDER BY o, u;
INSERT INTO chat_rbac.member (org_id, member_id, name, active)
SELECT o, m, 'Member ' || m, m % 20 <> 9 FROM generate_series(1, 2) o, generate_series(1, 150) m
UNION ALL VALUES (1, 200, 'Subject', true), (2, 200, 'Namesake', true);

--
-- Columns that rules and updates name, and the values that are tried
--
CREATE TABLE model.col (tab text, n int, col text, type text, vals text[], PRIMARY KEY (tab, n));
INSERT INTO model.col
SELECT tab, row_number() OVER (PARTITION BY tab), col, type, CASE vals WHEN 'people' THEN '{$member,$member,$member,NULL,NULL,3,14,15,92,65,35,200}'
            WHEN 'units' THEN '{NULL,1,2,3,5,6,7,8,10,12,14,15,17,19,20,21,22,24,26,28,29,31,33,35,36,38,40,44}' ELSE vals END::text[]
  FROM (VALUES
    ('Chat', 'Team', 'bigint', 'units'), ('Chat', 'inbox_id', 'integer', 'units'), ('Chat', 'assignee_id', 'integer', 'people'), ('Chat', 'creator_id', 'bigint', 'people'),
    ('Chat', 'Status', 'inbox.status', '{open,closed,snoozed}'), ('Chat', 'price', 'numeric', '{NULL,0,1.5,1.50,20,-1e3}'), ('Chat', 'grade', 'character varying(8)', '{NULL,A,B,"",a}'),
    ('Chat', 'code', 'character(4)', '{NULL,ab,abcd,"ab  ",""}'), ('Chat', 'label', 'text', '{NULL,vip,VIP,"it''s, \"x\"",""}'), ('Chat', 'urgent', 'boolean', '{NULL,true,false}'),
    ('Chat', 'body', 'text', '{NULL,small,"$big a","$big a","$big b"}'), ('Chat', 'mark', 'integer', '{NULL,1,2}'), ('Chat', 'is "odd"', 'integer', '{NULL,1,7}'), ('Chat', 'late', 'integer', '{NULL,6,7}'),
    ('message', 'chat_id', 'integer', '{1,2,3,5,8,13,21,34,55,89,100,144,180,230,300,999}'), ('message', 'kind', 'text', '{NULL,reply,note,seen}'), ('message', 'author_id', 'bigint', 'people'),
    ('message', 'body', 'text', '{NULL,small,"$big a","$big a","$big b"}'), ('message', 'mark', 'integer', '{NULL,1,2}'),
    ('reaction', 'emoji', 'character varying(4)', '{NULL,:),:(}'), ('reaction', 'message_id', 'bigint', '{2,3,5,8,13,21,34,55,89,144,180,233,377,9999}'), ('reaction', 'mark', 'integer', '{NULL,1,2}'),
    ('customer', 'stage', 'integer', '{1,2,3,4}'), ('customer', 'team_id', 'integer', 'units'), ('customer', 'owner_id', 'bigint', 'people'), ('customer', 'blocked', 'boolean', '{true,false}'),
    ('customer', 'credit', 'numeric(8,2)', '{NULL,0,12.5,999999.99}'), ('customer', 'mark', 'integer', '{NULL,1,2}'),
    ('task', 'owner_id', 'integer', 'people'), ('task', 'author_id', 'bigint', 'people'), ('task', 'priority', 'integer', '{0,1,2}'), ('task', 'due', 'date', '{NULL,2026-01-01,2026-02-28}'),
    ('task', 'touches', 'integer', '{0,1,2}'), ('task', 'mark', 'integer', '{NULL,1,2}'),
    ('step', 'task_id', 'bigint', '{1,2,3,5,8,13,21,34,55,89,99,100,110,120,999}'), ('step', 'title', 'text', '{NULL,a,b}'), ('step', 'done', 'boolean', '{NULL,true,false}'), ('step', 'mark', 'integer', '{NULL,1,2}'),
    ('lead', 'region', 'integer', '{1,2,3}'), ('lead', 'team_id', 'integer', 'units'), ('lead', 'owner_id', 'bigint', 'people'), ('lead', 'value', 'numeric', '{NULL,10,10.0,5}'), ('lead', 'mark', 'integer', '{NULL,1,2}'),
    ('broadcast', 'inbox_id', 'bigint', 'units'), ('broadcast', 'author_id', 'integer', 'people'), ('broadcast', 'approver_id', 'bigint', 'people'),
    ('broadcast', 'status', 'character varying', '{draft,submitted,approved,sent}'), ('broadcast', 'mark', 'integer', '{NULL,1,2}')) v (tab, col, type, vals);

CREATE FUNCTION model.pick(t text, c text, m bigint, seed text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN v = '$member' THEN m::text WHEN v LIKE '$big %' THEN repeat(md5(v), 150) ELSE v END
      FROM (SELECT vals[1 + model.dice(cardinality(vals), c, seed)] AS v FROM model.col WHERE tab = t AND col = c) p
$$;
CREATE FUNCTION model.some_member(what text, seed text) RETURNS int LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE model.dice(10, what, seed || ' who') WHEN 0 THEN NULL WHEN 1 THEN NULL WHEN 2 THEN 200 WHEN 3 THEN 200
                WHEN 4 THEN 151 + model.dice(5, what, seed || ' nobody') ELSE 1 + model.dice(60, what, seed || ' member') END
$$;

INSERT INTO "Chat" (org_id, id, "Team", inbox_id, assignee_id, creator_id, customer_id, "Status", price, grade, code, label, urgent, body)
SELECT o, n, CASE WHEN model.dice(6, 'no team', s) > 0 THEN model.dice(45, 'team', s) END,
       CASE WHEN model.dice(3, 'no inbox', s) > 0 THEN model.dice(45, 'inbox', s) END,
       model.some_member('assignee', s), model.some_member('creator', s), CASE WHEN model.dice(5, 'no customer', s) > 0 THEN 1 + model.dice(130, 'customer', s) END,
       model.pick('Chat', 'Status', 0, s)::status, model.pick('Chat', 'price', 0, s)::numeric, model.pick('Chat', 'grade', 0, s), model.pick('Chat', 'code', 0, s),
       model.pick('Chat', 'label', 0, s), model.pick('Chat', 'urgent', 0, s)::boolean, model.pick('Chat', 'body', 0, s)
  FROM (SELECT o, n, o || '.' || n FROM generate_series(1, 2) o, generate_series(1, CASE o WHEN 1 THEN 240 ELSE 60 END) n) v (o, n, s);
-- rows older than a column and with ones that are no more
ALTER TABLE "Chat" DROP gone_2, DROP gone_3, ADD late int DEFAULT 7;
INSERT INTO message SELECT org_id, 1000 * (org_id - 1) + id * 2 + n, id, (ARRAY['reply', 'note'])[1 + n], model.some_member('author', id || ' ' || n), model.pick('message', 'body', 0, id || ' ' || n)
  FROM "Chat", generate_series(0, 1) n WHERE (id + n) % 3 > 0;
INSERT INTO reaction SELECT row_number() OVER (ORDER BY org_id, id), ':)', id FROM message WHERE org_id = 1 AND id % 2 = 0;
INSERT INTO customer
SELECT o, n, 1 + model.dice(4, 'stage', s), CASE WHEN model.dice(5, 'no team', s) > 0 THEN model.dice(45, 'customer team', s) END,
       model.some_member('owner', s), model.dice(4, 'blocked', s) = 0, 12.5, CASE WHEN n % 2 = 0 THEN 1 + model.dice(110, 'task', s) END
  FROM (SELECT o, n, o || '/' || n FROM generate_series(1, 2) o, generate_series(1, 160 - 60 * o) n) v (o, n, s);
INSERT INTO task
SELECT o, n, model.some_member('task', s), model.some_member('task author', s), model.dice(3, 'priority', s)
  FROM (SELECT o, n, o || ',' || n FROM generate_series(1, 2) o, generate_series(1, 190 - 70 * o) n) v (o, n, s);
INSERT INTO step SELECT org_id, id * 3, id, 'a', id % 2 = 0 FROM task WHERE id % 4 > 0;
INSERT INTO lead
SELECT n, 1 + model.dice(3, 'region', s), o, CASE WHEN n % 5 > 0 THEN model.dice(45, 'lead team', s) END, model.some_member('lead', s), 10
  FROM (SELECT o, n, o || ';' || n FROM generate_series(1, 2) o, generate_series(1, 110 - 40 * o) n) v (o, n, s);
INSERT INTO broadcast
SELECT o, n, CASE WHEN n % 3 > 0 THEN model.dice(45, 'broadcast inbox', s) END, model.some_member('broadcast', s), NULL, model.pick('broadcast', 'status', 0, s)
  FROM (SELECT o, n, o || ':' || n FROM generate_series(1, 2) o, generate_series(1, 80 - 30 * o) n) v (o, n, s);
-- links, also to rows that are only inserted later
INSERT INTO participant
SELECT DISTINCT o, CASE WHEN n % 5 = 0 THEN 1000000 + model.dice(20, 'row', s) ELSE 1 + model.dice(260, 'row', s) END, coalesce(model.some_member('takes part', s), 200)
  FROM (SELECT o, n, o || ' ' || n FROM generate_series(1, 2) o, generate_series(1, 300) n) v (o, n, s);
INSERT INTO watcher
SELECT o, CASE WHEN n % 5 = 0 THEN 1000000 + model.dice(20, 'row', s) ELSE 1 + model.dice(125, 'row', s) END, coalesce(model.some_member('watches', s), 200)
  FROM (SELECT o, n, o || ' ' || n FROM generate_series(1, 2) o, generate_series(1, 200) n) v (o, n, s);
UPDATE "Chat" SET customer_id = 1000000 + id % 20 WHERE id % 9 = 0;
UPDATE customer SET task_id = 1000000 + id % 20 WHERE id % 9 = 0;
CREATE INDEX ON "Chat" (org_id, "Team");
CREATE INDEX ON "Chat" (org_id, assignee_id);
CREATE UNIQUE INDEX ON "Chat" (rid);
CREATE INDEX ON message (org_id, chat_id);
ANALYZE "Chat", participant, message, reaction, customer, task, watcher, step, lead, broadcast;

--
-- Specifications, all but the actions, and what rules may require
--
CREATE TABLE model.tab (tab text PRIMARY KEY, n int, resource text, parent text, parent_column text, key_columns text[], spec jsonb, permissions text[], view text);
INSERT INTO model.tab
SELECT tab, n, spec ->> 'resource', above, spec #>> '{parent,column}', key_columns::text[], spec::jsonb, permissions::text[]
  FROM (VALUES
    (1, 'Chat', NULL, '{id}', '{"resource": "conversation", "org": "org_id", "units": {"team": "Team", "inbox": "inbox_id"}, "relations": {
        "own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}, "unrouted": {"assignee_id": null, "Team": null}, "colleague": {"assignee_id": "$members"},
        "participating": {"table": "inbox.participant", "row": "chat_id", "member": "member_id"},
        "done": {"Status": "closed"}, "own_done": {"assignee_id": "$member", "Status": "closed"}, "begun": {"creator_id": "$members", "Status": "open"},
        "both": {"creator_id": "$member", "assignee_id": "$members"}, "priced": {"price": 1.5}, "graded": {"grade": "A"}, "coded": {"code": "ab"},
        "labelled": {"label": "it''s, \"x\""}, "urgent": {"urgent": true}, "odd": {"is \"odd\"": null, "late": 7}}}'::jsonb,
        '{conversation.edit,conversation.edit,conversation.claim,conversation.assign,conversation.transfer,conversation.close,conversation.reply,conversation.create,conversation.delete,conversation.view,customer.edit}'),
    (2, 'message', 'Chat', '{id}', '{"resource": "message", "org": "org_id", "parent": {"table": "inbox.\"Chat\"", "column": "chat_id"}}',
        '{message.create,message.edit,message.delete,conversation.reply,conversation.note,conversation.edit,conversation.view}'),
    (3, 'reaction', 'message', '{id}', '{"resource": "message", "parent": {"table": "inbox.message", "column": "message_id", "key": "id"}}',
        '{message.create,message.edit,message.delete,conversation.reply,conversation.edit}'),
    (4, 'customer', NULL, '{stage,id}', '{"resource": "customer", "org": "org_id", "units": {"team": "team_id"}, "relations": {
        "own": {"owner_id": "$member"}, "colleague": {"owner_id": "$members"}, "blocked": {"blocked": true}, "early": {"stage": 1}, "credited": {"credit": 12.5},
        "linked": {"linked": {"table": "inbox.\"Chat\"", "column": "customer_id", "key": "id"}}}}',
        '{customer.edit,customer.edit,customer.create,customer.delete,customer.assign,customer.block,customer.view_phone,customer.view}'),
    (5, 'task', NULL, '{id}', '{"resource": "task", "org": "org_id", "relations": {
        "own": {"owner_id": "$member"}, "colleague": {"owner_id": "$members"}, "watched": {"table": "inbox.watcher", "row": "task_id", "member": "who"}, "unassigned": {"owner_id": null},
        "urgent": {"priority": 1}, "own_done": {"owner_id": "$member", "priority": 0}, "both": {"author_id": "$member", "owner_id": "$members"},
        "linked": {"linked": {"table": "inbox.customer", "column": "task_id"}}}}',
        '{task.edit,task.edit,task.create,task.delete,task.assign,task.view}'),
    (6, 'step', 'task', '{id}', '{"resource": "task", "org": "org_id", "parent": {"table": "inbox.task", "column": "task_id"}}',
        '{task.edit,task.create,task.delete,task.assign,task.view}'),
    (7, 'lead', NULL, '{region,id}', '{"resource": "lead", "org": "org_id", "units": {"team": "team_id"}, "relations": {
        "own": {"owner_id": "$member"}, "colleague": {"owner_id": "$members"}, "unassigned": {"owner_id": null}}}',
        '{lead.edit,lead.create,lead.delete,lead.assign,lead.view}'),
    (8, 'broadcast', NULL, '{id}', '{"resource": "broadcast", "org": "org_id", "units": {"inbox": "inbox_id"}, "relations": {
        "own": {"author_id": "$member"}, "draft": {"status": "draft"}, "own_draft": {"author_id": "$member", "status": "draft"}}}',
        '{broadcast.edit,broadcast.create,broadcast.delete,broadcast.submit,broadcast.approve,broadcast.send}')) v (n, tab, above, key_columns, spec, permissions);

-- The rules of this round, in order
CREATE TABLE model.rule (tab text, n int, command text, col text, from_value jsonb, to_value jsonb, requires text, requires_null boolean, into_permission text, PRIMARY KEY (tab, n));
-- Permissions that actions() may answer with
CREATE TABLE model.button (tab text, permission text, PRIMARY KEY (tab, permission));

CREATE FUNCTION model.some_value(t text, c text, seed text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN v IS NULL OR v LIKE '$big %' THEN 'null'
                WHEN type IN ('integer', 'bigint', 'numeric', 'boolean') AND v <> '$member' AND model.dice(2, 'as a string', seed) = 0 THEN v::jsonb
                ELSE to_jsonb(v) END
      FROM (SELECT vals[1 + model.dice(cardinality(vals), 'value', seed)] AS v, type FROM model.col WHERE tab = t AND col = c) p
$$;
CREATE FUNCTION model.some_actions(t text, seed text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
    actions jsonb := '[]';
    rule jsonb;
    s text;
    c text;
    p text[] := (SELECT permissions FROM model.tab WHERE tab = t);
    command text;
BEGIN
    FOR n IN 1 .. 4 + model.dice(12, 'rules', seed || t) LOOP
        s := concat_ws(' ', seed, t, n);
        command := (ARRAY['update', 'update', 'update', 'insert', 'insert', 'delete'])[1 + model.dice(6, 'on', s)];
        rule := jsonb_build_object('on', command);
        IF model.dice(8, 'a column', s) > 0 THEN
            c := (SELECT col FROM model.col WHERE tab = t ORDER BY model.dice(1000000, 'column', s || col), col LIMIT 1);
            rule := rule || jsonb_build_object('column', c);
            IF command <> 'insert' AND model.dice(5, 'from', s) < 2 THEN
                rule := rule || jsonb_build_object('from', model.some_value(t, c, s || 'from'));
            END IF;
            IF command <> 'delete' AND model.dice(5, 'to', s) < 3 THEN
                rule := rule || jsonb_build_object('to', model.some_value(t, c, s || 'to'));
            END IF;
        END IF;
        rule := rule || jsonb_build_object('requires', CASE model.dice(12, 'requires', s) WHEN 0 THEN NULL WHEN 1 THEN 'any'
                                                            ELSE p[1 + model.dice(cardinality(p), 'permission', s)] END);
        IF command = 'update' AND rule -> 'requires' <> 'null' AND model.dice(5, 'into', s) = 0 THEN
            rule := rule || jsonb_build_object('into', p[1 + model.dice(cardinality(p), 'into permission', s)]);
        END IF;
        actions := actions || rule;
    END LOOP;
    FOREACH command IN ARRAY '{update,insert,delete}'::text[] LOOP
        IF model.dice(5, command || ' otherwise', seed || t) > (command = 'update')::int THEN
            actions := actions || jsonb_build_object('on', command, 'requires', p[1 + model.dice(cardinality(p), command, seed || t)]);
        END IF;
    END LOOP;
    -- without what protect() refuses: rules never reached, "any" of none
    SELECT jsonb_agg(r ORDER BY a.n) INTO actions
      FROM jsonb_array_elements(actions) WITH ORDINALITY a (r, n)
     WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(actions) WITH ORDINALITY b (e, n)
                        WHERE b.n < a.n AND r @> (e - 'requires' - 'into') AND r ? 'column' = e ? 'column');
    RETURN (SELECT jsonb_agg(CASE WHEN r ->> 'requires' = 'any' AND NOT EXISTS (SELECT FROM jsonb_array_elements(actions) e WHERE e -> 'on' = r -> 'on' AND e ->> 'requires' <> 'any')
                                  THEN r || jsonb_build_object('requires', p[1]) ELSE r END ORDER BY n)
              FROM jsonb_array_elements(actions) WITH ORDINALITY a (r, n));
END $$;

-- Protect all tables with the rules of a round; in round 0 with the defaults
CREATE FUNCTION model.begin_round(round int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t record;
    given jsonb;
    actions jsonb;
BEGIN
    DELETE FROM model.rule;
    DELETE FROM model.button;
    FOR t IN SELECT * FROM model.tab ORDER BY n LOOP
        given := t.spec;
        IF round > 0 THEN
            actions := model.some_actions(t.tab, round::text);
            given := given || jsonb_build_object('actions', actions);
        ELSE
            actions := jsonb_build_array(jsonb_build_object('on', 'insert', 'requires', t.resource || '.create'),
                                         jsonb_build_object('on', 'update', 'requires', t.resource || '.edit', 'into', t.resource || '.edit'),
                                         jsonb_build_object('on', 'delete', 'requires', t.resource || '.delete'));
        END IF;
        IF model.dice(3, 'view', round || t.tab) = 0 THEN
            given := given || jsonb_build_object('view', t.permissions[1 + model.dice(cardinality(t.permissions), 'view', round || t.tab)]);
        END IF;
        PERFORM chat_rbac.protect(format('inbox.%I', t.tab)::regclass, given);
        UPDATE model.tab SET view = coalesce(given ->> 'view', CASE WHEN parent IS NULL THEN resource || '.view' END) WHERE tab = t.tab;
        INSERT INTO model.rule
        SELECT t.tab, n, r ->> 'on', r ->> 'column', r -> 'from', r -> 'to', r ->> 'requires', r -> 'requires' = 'null', r ->> 'into'
          FROM jsonb_array_elements(actions) WITH ORDINALITY AS a (r, n);
    END LOOP;
    INSERT INTO model.button
    SELECT x.tab, k.name::text FROM model.tab x JOIN chat_rbac.known_permission k ON k.resource = x.resource
    UNION
    SELECT x.tab, p FROM model.tab x JOIN model.tab y ON y.tab = x.tab OR y.parent = x.tab
      JOIN (SELECT tab, requires AS p FROM model.rule WHERE requires <> 'any' UNION ALL SELECT tab, into_permission FROM model.rule UNION ALL SELECT tab, view FROM model.tab) v ON v.tab = y.tab
     WHERE p IS NOT NULL;
END $$;

--
-- The model
--
-- What each role holds by itself, as it was written
CREATE TABLE model.role_permission (org_id bigint, role_id bigint, resource text, action text, relation text);
CREATE INDEX ON model.role_permission (org_id, role_id);
CREATE FUNCTION model.write_permissions(o bigint, r bigint, permissions text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO model.role_permission
    SELECT o, r, split_part(p, '.', 1), split_part(split_part(p, '.', 2), '@', 1), coalesce(nullif(split_part(p, '@', 2), ''), 'all')
      FROM unnest(permissions) p
$$;
-- What follows from the RBAC tables: the role and all its juniors; the unit and
-- all below it, as the keys of their kinds; who holds a role there now
CREATE TABLE model.closure (org_id bigint, role_id bigint, has bigint, PRIMARY KEY (org_id, role_id, has));
CREATE TABLE model.reach (org_id bigint, unit_id bigint, teams bigint[], inboxes bigint[], units bigint[], PRIMARY KEY (org_id, unit_id));
CREATE FUNCTION model.recompute() RETURNS void LANGUAGE sql AS $$
    DELETE FROM model.closure;
    INSERT INTO model.closure
    WITH RECURSIVE c (org_id, role_id, has) AS (
        SELECT org_id, role_id, role_id FROM chat_rbac.role
        UNION
        SELECT c.org_id, c.role_id, i.junior_id FROM c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.has)
    SELECT * FROM c;
    DELETE FROM model.reach;
    INSERT INTO model.reach
    WITH RECURSIVE b (org_id, top, unit_id, kind, key) AS (
        SELECT org_id, unit_id, unit_id, kind, key FROM chat_rbac.unit
        UNION
        SELECT b.org_id, b.top, u.unit_id, u.kind, u.key FROM b JOIN chat_rbac.unit u ON u.org_id = b.org_id AND u.parent_id = b.unit_id)
    SELECT org_id, top, array_agg(key) FILTER (WHERE kind = 'team'), array_agg(key) FILTER (WHERE kind = 'inbox'), array_agg(unit_id)
      FROM b GROUP BY org_id, top;
$$;

-- One member's rights: on which relation, where, "resource.action" or with wildcards; people: who "$members" are there
CREATE TABLE model.scope (unit_id bigint, relation text, held text[], teams bigint[], inboxes bigint[], people bigint[]);
-- and on each row of all tables
CREATE TABLE model.on_row (rid bigint PRIMARY KEY, tab text, held text[], visible boolean);

CREATE FUNCTION model.has(held text[], permission text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT held && ARRAY[permission, split_part(permission, '.', 1) || '.*', '*.' || split_part(permission, '.', 2), '*.*']
$$;
-- What o/m holds on rows of a table (these: on those with such a rid).  The rows
-- of parents and of tables that point here must be in model.on_row already.
CREATE FUNCTION model.scan(t text, o bigint, m bigint, these bigint[] DEFAULT NULL) RETURNS TABLE (rid bigint, held text[], visible boolean) LANGUAGE plpgsql STABLE AS $$
DECLARE
    look text := (SELECT view FROM model.tab WHERE tab = t);
BEGIN
    CASE t
        WHEN 'Chat' THEN RETURN QUERY
            SELECT x.rid, h.held, model.has(h.held, look)
              FROM "Chat" x, LATERAL (SELECT coalesce(array_agg(p), '{}') FROM model.scope s, unnest(s.held) p
                 WHERE x.org_id = o AND (s.unit_id IS NULL OR x."Team" = ANY (s.teams) OR x.inbox_id = ANY (s.inboxes))
                   AND CASE s.relation
                            WHEN 'all' THEN true
                            WHEN 'own' THEN x.assignee_id = m
                            WHEN 'unassigned' THEN x.assignee_id IS NULL
                            WHEN 'unrouted' THEN x.assignee_id IS NULL AND x."Team" IS NULL
                            WHEN 'colleague' THEN x.assignee_id = ANY (s.people)
                            WHEN 'participating' THEN EXISTS (SELECT FROM participant l WHERE l.org_id = o AND l.chat_id = x.id AND l.member_id = m)
                            WHEN 'done' THEN x."Status" = 'closed'
                            WHEN 'own_done' THEN x.assignee_id = m AND x."Status" = 'closed'
                            WHEN 'begun' THEN x.creator_id = ANY (s.people) AND x."Status" = 'open'
                            WHEN 'both' THEN x.creator_id = m AND x.assignee_id = ANY (s.people)
                            WHEN 'priced' THEN x.price = 1.5
                            WHEN 'graded' THEN x.grade = 'A'
                            WHEN 'coded' THEN x.code = 'ab'
                            WHEN 'labelled' THEN x.label = 'it''s, "x"'
                            WHEN 'urgent' THEN x.urgent
                            WHEN 'odd' THEN x."is ""odd""" IS NULL AND x.late = 7
                            ELSE false END) h (held)
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'message' THEN RETURN QUERY
            SELECT x.rid, CASE WHEN above.visible THEN above.held ELSE '{}' END, coalesce(above.visible AND (look IS NULL OR model.has(above.held, look)), false)
              FROM message x LEFT JOIN "Chat" c ON c.org_id = x.org_id AND c.id = x.chat_id LEFT JOIN model.on_row above ON above.rid = c.rid
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'reaction' THEN RETURN QUERY
            SELECT x.rid, CASE WHEN above.visible THEN above.held ELSE '{}' END, coalesce(above.visible AND (look IS NULL OR model.has(above.held, look)), false)
              FROM reaction x LEFT JOIN message c ON c.org_id = o AND c.id = x.message_id LEFT JOIN model.on_row above ON above.rid = c.rid
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'customer' THEN RETURN QUERY
            SELECT x.rid, h.held, model.has(h.held, look)
              FROM customer x, LATERAL (SELECT coalesce(array_agg(p), '{}') FROM model.scope s, unnest(s.held) p
                 WHERE x.org_id = o AND (s.unit_id IS NULL OR x.team_id = ANY (s.teams))
                   AND CASE s.relation
                            WHEN 'all' THEN true
                            WHEN 'own' THEN x.owner_id = m
                            WHEN 'colleague' THEN x.owner_id = ANY (s.people)
                            WHEN 'blocked' THEN x.blocked
                            WHEN 'early' THEN x.stage = 1
                            WHEN 'credited' THEN x.credit = 12.5
                            WHEN 'linked' THEN EXISTS (SELECT FROM "Chat" c JOIN model.on_row r USING (rid) WHERE r.visible AND c.org_id = o AND c.customer_id = x.id)
                            ELSE false END) h (held)
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'task' THEN RETURN QUERY
            SELECT x.rid, h.held, model.has(h.held, look)
              FROM task x,
                   LATERAL (SELECT EXISTS (SELECT FROM watcher w WHERE w.org_id = o AND w.task_id = x.id AND w.who = m),
                                   EXISTS (SELECT FROM customer c JOIN model.on_row r USING (rid) WHERE r.visible AND c.org_id = o AND c.task_id = x.id)) l (watched, linked),
                   LATERAL (SELECT coalesce(array_agg(p), '{}') FROM model.scope s, unnest(s.held) p
                 WHERE x.org_id = o
                   AND CASE s.relation     -- no unit columns: at a unit only what ties the row to a person
                            WHEN 'own' THEN x.owner_id = m
                            WHEN 'colleague' THEN x.owner_id = ANY (s.people)
                            WHEN 'watched' THEN watched
                            WHEN 'linked' THEN linked
                            WHEN 'own_done' THEN x.owner_id = m AND x.priority = 0
                            WHEN 'both' THEN x.author_id = m AND x.owner_id = ANY (s.people)
                            WHEN 'unassigned' THEN s.unit_id IS NULL AND x.owner_id IS NULL
                            WHEN 'urgent' THEN s.unit_id IS NULL AND x.priority = 1
                            WHEN 'all' THEN s.unit_id IS NULL OR x.owner_id = m OR x.owner_id = ANY (s.people) OR watched OR linked
                            ELSE false END) h (held)
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'step' THEN RETURN QUERY
            SELECT x.rid, CASE WHEN above.visible THEN above.held ELSE '{}' END, coalesce(above.visible AND (look IS NULL OR model.has(above.held, look)), false)
              FROM step x LEFT JOIN task c ON c.org_id = x.org_id AND c.id = x.task_id LEFT JOIN model.on_row above ON above.rid = c.rid
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'lead' THEN RETURN QUERY
            SELECT x.rid, h.held, model.has(h.held, look)
              FROM lead x, LATERAL (SELECT coalesce(array_agg(p), '{}') FROM model.scope s, unnest(s.held) p
                 WHERE x.org_id = o AND (s.unit_id IS NULL OR x.team_id = ANY (s.teams))
                   AND CASE s.relation WHEN 'all' THEN true WHEN 'own' THEN x.owner_id = m WHEN 'colleague' THEN x.owner_id = ANY (s.people)
                                       WHEN 'unassigned' THEN x.owner_id IS NULL ELSE false END) h (held)
             WHERE these IS NULL OR x.rid = ANY (these);
        WHEN 'broadcast' THEN RETURN QUERY
            SELECT x.rid, h.held, model.has(h.held, look)
              FROM broadcast x, LATERAL (SELECT coalesce(array_agg(p), '{}') FROM model.scope s, unnest(s.held) p
                 WHERE x.org_id = o AND (s.unit_id IS NULL OR x.inbox_id = ANY (s.inboxes))
                   AND CASE s.relation WHEN 'all' THEN true WHEN 'own' THEN x.author_id = m WHEN 'draft' THEN x.status = 'draft'
                                       WHEN 'own_draft' THEN x.author_id = m AND x.status = 'draft' ELSE false END) h (held)
             WHERE these IS NULL OR x.rid = ANY (these);
    END CASE;
END $$;

CREATE FUNCTION model.load(o bigint, m bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t text;
BEGIN
    TRUNCATE model.scope, model.on_row;
    INSERT INTO model.scope
    SELECT r.unit_id, r.relation, r.held, reach.teams, reach.inboxes,
           CASE WHEN r.unit_id IS NULL THEN ARRAY(SELECT member_id FROM chat_rbac.member WHERE org_id = o)
                ELSE ARRAY(SELECT g.member_id FROM chat_rbac.role_grant g WHERE g.org_id = o AND g.unit_id = ANY (reach.units) AND g.valid @> statement_timestamp()) END
      FROM (SELECT g.unit_id, p.relation, array_agg(DISTINCT p.resource || '.' || p.action) AS held
              FROM chat_rbac.member me
              JOIN chat_rbac.role_grant g USING (org_id, member_id)
              JOIN model.closure c USING (org_id, role_id)
              JOIN model.role_permission p ON p.org_id = o AND p.role_id = c.has
             WHERE me.org_id = o AND me.member_id = m AND me.active AND g.valid @> statement_timestamp()
             GROUP BY 1, 2) r
      LEFT JOIN model.reach ON reach.org_id = o AND reach.unit_id = r.unit_id;
    FOR t IN SELECT tab FROM model.tab ORDER BY n LOOP
        INSERT INTO model.on_row SELECT s.rid, t, s.held, s.visible FROM model.scan(t, o, m) s;
    END LOOP;
END $$;

-- Does a value pass a rule's "from" or "to"?
CREATE FUNCTION model.passes(test jsonb, value text, type text, m bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF test IS NULL THEN
        RETURN true;
    ELSIF test = 'null' OR value IS NULL THEN
        RETURN test = 'null' AND value IS NULL;
    ELSIF test = '"$member"' THEN
        RETURN value = m::text;
    ELSIF type LIKE 'numeric%' THEN
        RETURN value::numeric = (test #>> '{}')::numeric;
    ELSIF type = 'character(4)' THEN
        RETURN rtrim(value, ' ') = rtrim(test #>> '{}', ' ');
    END IF;
    RETURN value = test #>> '{}';
END $$;
-- What a command needs on one row: "old p", "new p": permission p there, or
-- "old any", "new any"; "null c", "none c": refused because of column c
CREATE FUNCTION model.needs(t text, cmd text, m bigint, x_old jsonb, x_new jsonb) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    result text[] := '{}';
    c text;
    rule model.rule;
    side text := CASE cmd WHEN 'insert' THEN 'new' ELSE 'old' END;
    above text := (SELECT parent_column FROM model.tab WHERE tab = t);
BEGIN
    FOR c IN
        SELECT k FROM jsonb_object_keys(x_old) k WHERE cmd = 'update' AND k NOT IN ('shout', 'hot') AND x_old ->> k IS DISTINCT FROM x_new ->> k
        UNION ALL
        SELECT DISTINCT r.col FROM model.rule r WHERE cmd <> 'update' AND r.tab = t AND r.command = cmd AND r.col IS NOT NULL
        UNION ALL
        SELECT NULL WHERE cmd <> 'update' AND NOT EXISTS (SELECT FROM model.rule r WHERE r.tab = t AND r.command = cmd AND r.col IS NOT NULL)
    LOOP
        SELECT r.* INTO rule FROM model.rule r LEFT JOIN model.col l ON l.tab = t AND l.col = r.col
         WHERE r.tab = t AND r.command = cmd AND CASE WHEN r.col = c THEN model.passes(r.from_value, x_old ->> c, l.type, m) AND model.passes(r.to_value, x_new ->> c, l.type, m) ELSE r.col IS NULL END
         ORDER BY r.col IS NULL, r.n LIMIT 1;
        IF NOT FOUND THEN
            result := result || ('none ' || coalesce(c, ''));
        ELSIF rule.requires_null THEN
            result := result || ('null ' || coalesce(c, ''));
        ELSE
            result := result || (side || ' ' || rule.requires);
            IF cmd = 'update' AND above IS NOT NULL AND c IN (above, 'org_id') THEN
                result := result || ('new ' || rule.requires);
            END IF;
            IF rule.into_permission IS NOT NULL THEN
                result := result || ('new ' || rule.into_permission);
            END IF;
        END IF;
    END LOOP;
    RETURN result;
END $$;
CREATE FUNCTION model.named(t text, cmd text) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT requires FROM model.rule WHERE tab = t AND command = cmd AND requires <> 'any')
$$;
CREATE FUNCTION model.has_any(held text[], permissions text[]) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(bool_or(model.has(held, p)), false) FROM unnest(permissions) p
$$;
CREATE FUNCTION model.missing(named text[], needs text[], held_old text[], held_new text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(SELECT n FROM unnest(needs) n
                  WHERE NOT CASE WHEN n = 'old any' THEN model.has_any(held_old, named)
                                 WHEN n = 'new any' THEN model.has_any(held_new, named)
                                 WHEN n LIKE 'old %' THEN model.has(held_old, substr(n, 5))
                                 WHEN n LIKE 'new %' THEN model.has(held_new, substr(n, 5))
                                 ELSE false END)
$$;

--
-- The comparison
--
CREATE TABLE model.difference (round int, who text, what text);
-- What was compared: a comparison of nothing with nothing proves nothing
CREATE TABLE model.tally (what text, cases bigint);
GRANT USAGE ON SCHEMA model TO regress_chat_rbac_app;

-- Become the member, as an application does; model.leave() is the way back
CREATE FUNCTION model.enter(o bigint, m bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('chat_rbac.identity', o || '/' || m, true);
    SET LOCAL ROLE regress_chat_rbac_app;
END $$;
CREATE FUNCTION model.leave() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RESET ROLE;
    PERFORM set_config('chat_rbac.identity', '', true);
END $$;
-- Statements that are kept over identities and rounds
DO $$
DECLARE
    t text;
BEGIN
    SET LOCAL ROLE regress_chat_rbac_app;
    FOREACH t IN ARRAY '{Chat,message,reaction,customer,task,step,lead,broadcast}'::text[] LOOP
        EXECUTE format('PREPARE %I (bigint[]) AS SELECT coalesce(array_agg(rid ORDER BY rid), ''{}'') FROM inbox.%I WHERE rid = ANY ($1)', 'look at ' || t, t);
        EXECUTE format('PREPARE %I AS SELECT array_agg(rid) FROM inbox.%I', 'all of ' || t, t);
    END LOOP;
    RESET ROLE;
END $$;
CREATE FUNCTION model.undo() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'RB003'; END $$;

-- Rows that are shown
CREATE FUNCTION model.view_differences(o bigint, m bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    shown bigint[];
    t text;
BEGIN
    FOR t IN SELECT tab FROM model.tab ORDER BY n LOOP
        PERFORM model.enter(o, m);
        EXECUTE format('EXECUTE %I', 'all of ' || t) INTO shown;
        PERFORM model.leave();
        INSERT INTO model.tally VALUES ('sees ' || t, cardinality(shown));
        RETURN QUERY SELECT format('%s/%s: row %s of %s is %s', o, m, rid, t, CASE WHEN visible THEN 'hidden' ELSE 'shown' END)
                       FROM model.on_row WHERE tab = t AND visible <> (rid = ANY (coalesce(shown, '{}'))) ORDER BY rid LIMIT 1;
    END LOOP;
END $$;

-- can(), actions(), page_actions() on some rows, and for keys that no row has
CREATE TABLE model.question (n int, key bigint[], permission text, can boolean, actions text);
GRANT SELECT ON model.question TO regress_chat_rbac_app;
CREATE FUNCTION model.question_differences(o bigint, m bigint, t text, seed text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    x model.tab;
    tab regclass := format('inbox.%I', t);
    p text;
    answer boolean;
BEGIN
    SELECT * INTO x FROM model.tab WHERE model.tab.tab = t;
    TRUNCATE model.question;
    EXECUTE format($f$
        INSERT INTO model.question
        SELECT row_number() OVER (), k.key, b.permission, k.visible AND model.has(k.held, b.permission),
               (SELECT string_agg(a.permission, ',' ORDER BY a.permission COLLATE "C") FROM model.button a WHERE a.tab = $1 AND k.visible AND model.has(k.held, a.permission))
          FROM (SELECT ARRAY[%s]::bigint[], r.*, model.dice(1000000, 'asked', x.rid || $3) - 500000 * (r.held <> '{}')::int FROM inbox.%I x JOIN model.on_row r USING (rid) %s
                UNION ALL
                SELECT array_fill(n, ARRAY[$4]), n, $1, '{}', false, 0 FROM unnest('{-1,0,999999999,9223372036854775807}'::bigint[]) n
                ORDER BY 6 LIMIT 16) k (key, rid, tab, held, visible),
               LATERAL (SELECT permission FROM model.button WHERE tab = $1 ORDER BY model.dice(1000000, permission, k.rid || $3) LIMIT 1) b
        $f$, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(x.key_columns) c), t, CASE WHEN x.spec ? 'org' THEN 'WHERE org_id = $2' ELSE 'WHERE $2 > 0' END)
      USING t, o, seed, cardinality(x.key_columns);
    INSERT INTO model.tally SELECT format('%s %s on %s', CASE WHEN can THEN 'can' ELSE 'cannot' END, permission, t), 1 FROM model.question;
    INSERT INTO model.tally SELECT 'actions on ' || t, 1 FROM model.question WHERE actions <> '';

    PERFORM model.enter(o, m);
    RETURN QUERY
        SELECT format('%s/%s: can(%s, %s, %s) is %s', o, m, q.permission, t, q.key, NOT q.can) FROM model.question q
         WHERE chat_rbac.can(q.permission::chat_rbac.permission, tab, VARIADIC q.key) IS DISTINCT FROM q.can LIMIT 1;
    RETURN QUERY
        SELECT format('%s/%s: actions(%s, %s) is %s instead of {%s}', o, m, t, q.key, a, q.actions)
          FROM model.question q, LATERAL (SELECT chat_rbac.actions(tab, VARIADIC q.key)::text OFFSET 0) v (a)
         WHERE (SELECT string_agg(b, ',' ORDER BY b COLLATE "C") FROM unnest(string_to_array(nullif(btrim(a, '{}'), ''), ',')) b) IS DISTINCT FROM q.actions
            OR a IS NULL
         LIMIT 1;
    RETURN QUERY
        SELECT format('%s/%s: page_actions(%s, %s) number %s is %s %s %s instead of {%s}', o, m, t, q.key, q.n, a.id, a.key, a.actions, q.actions)
          FROM model.question q
          FULL JOIN ROWS FROM (chat_rbac.page_actions(tab, (SELECT CASE cardinality(x.key_columns) WHEN 1 THEN array_agg(key[1] ORDER BY n) ELSE array_agg(key ORDER BY n) END
                                                              FROM model.question))) WITH ORDINALITY AS a (id, key, actions, n) ON a.n = q.n
         WHERE (a.key, a.id, (SELECT string_agg(b, ',' ORDER BY b COLLATE "C") FROM unnest(string_to_array(nullif(btrim(a.actions::text, '{}'), ''), ',')) b))
               IS DISTINCT FROM (q.key, CASE cardinality(q.key) WHEN 1 THEN q.key[1] END, q.actions)
         LIMIT 1;
    PERFORM model.leave();

    -- anywhere at all
    FOR p IN
        SELECT permission || r FROM model.button, unnest('{"",@own,@unassigned,@colleague,@linked,@nothing}'::text[]) r
         WHERE model.button.tab = t ORDER BY model.dice(1000000, 'anywhere', permission || r || seed) LIMIT 4
    LOOP
        PERFORM model.enter(o, m);
        SELECT chat_rbac.can(p::chat_rbac.permission) INTO answer;
        PERFORM model.leave();
        INSERT INTO model.tally VALUES (CASE WHEN answer THEN 'can' ELSE 'cannot' END || ' somewhere', 1);
        RETURN QUERY
            SELECT format('%s/%s: can(%s) is %s', o, m, p, answer)
             WHERE answer IS DISTINCT FROM EXISTS (SELECT FROM model.scope s WHERE model.has(s.held, split_part(p, '@', 1))
                                                      AND (split_part(p, '@', 2) = '' OR s.relation IN ('all', split_part(p, '@', 2))));
    END LOOP;
END $$;

-- Large values that are stored elsewhere already: a change takes over the pointer
CREATE TABLE model.big (n int, body text);
ALTER TABLE model.big ALTER body SET STORAGE EXTERNAL;
INSERT INTO model.big SELECT n, repeat(md5('$big ' || chr(96 + n)), 150) FROM generate_series(1, 2) n;
GRANT SELECT ON model.big TO regress_chat_rbac_app;

-- A change by the dice: the SET list of an UPDATE
CREATE FUNCTION model.some_change(t text, m bigint, constants boolean, seed text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('%I = ', col) ||
                      CASE WHEN NOT constants AND model.dice(10, 'itself', seed || col) = 0 THEN quote_ident(col)
                           WHEN NOT constants AND type = 'text' AND model.dice(10, 'anew', seed || col) = 0 THEN format('%I || ''''', col)
                           WHEN col = 'body' AND model.dice(2, 'stored', seed) = 0 THEN format('(SELECT b.body FROM model.big b WHERE n = %s)', 1 + model.dice(2, 'big', seed))
                           ELSE format('%L::%s', model.pick(t, col, m, seed || ' to'), type) END, ', ')
      FROM (SELECT col, type FROM model.col WHERE tab = t ORDER BY model.dice(CASE col WHEN 'body' THEN 300000 ELSE 1000000 END, 'changed', seed || col), col
             LIMIT (ARRAY[1, 1, 1, 2, 2, 3])[1 + model.dice(6, 'columns', seed)]) v
$$;

-- The rows that a statement is to change, as they are before
CREATE TABLE model.row_before (rid bigint, content jsonb);

-- One statement: what the model expects of it, and what comes of it.
-- kind: insert; update, delete (of rows that are named); update all, delete all
-- (without WHERE and RETURNING: nothing is read, and still only what is to be seen is touched)
CREATE FUNCTION model.attempt_differences(o bigint, m bigint, t text, kind text, seed text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    cmd text := split_part(kind, ' ', 1);
    reads boolean := kind NOT LIKE '% all';
    gives boolean := reads AND model.dice(2, 'returning', seed) = 0;
    has_org boolean := (SELECT spec ? 'org' FROM model.tab WHERE tab = t);
    key_columns text := (SELECT string_agg(quote_ident(c), ', ') FROM model.tab, unnest(model.tab.key_columns) c WHERE tab = t);
    named text[] := model.named(t, cmd);
    stmt text;
    short text;
    columns text;
    change text;
    content jsonb;
    rids bigint[];              -- the rows that are meant, and those within reach
    reach bigint[];
    x_new jsonb;
    needs text[] := '{}';       -- of the last row
    missing text[] := '{}';     -- of all rows
    stays boolean := true;      -- in the org
    expected text;
    outcome text;
    n bigint;
    r bigint;
    returned bigint[];
    seen bigint[];
    seen_before bigint[] := '{}';
    seen_wanted bigint[];
    asked text;
    answer boolean;
    row record;
BEGIN
    IF cmd = 'insert' THEN
        -- like another row, but for some columns
        EXECUTE format('SELECT to_jsonb(x) FROM inbox.%I x JOIN model.on_row r USING (rid)
                         ORDER BY r.held = ''{}'' AND $2, model.dice(1000000, ''like'', rid || $1), rid LIMIT 1', t)
           INTO content USING seed, model.dice(4, 'preferred', seed) > 0;
        content := content || jsonb_build_object('id', 1000000 + model.dice(20, 'id', seed), 'rid', 1000000);
        SELECT content || coalesce(jsonb_object_agg(col, model.pick(t, col, m, seed)), '{}') INTO content
          FROM model.col WHERE tab = t AND model.dice(3, 'own value', seed || col) = 0;
        IF has_org AND model.dice(30, 'another org', seed) = 0 THEN
            content := content || '{"org_id": 3}';
        END IF;
        rids := ARRAY[1000000];
        columns := (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                     WHERE attrelid = format('inbox.%I', t)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '');
        stmt := format('INSERT INTO inbox.%1$I (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::inbox.%1$I, %3$L)', t, columns, content);
    ELSE
        IF reads THEN
            rids := ARRAY(SELECT x.rid FROM model.on_row x WHERE x.tab = t
                           ORDER BY CASE WHEN x.visible AND model.dice(8, 'rather', seed) > 0 THEN 0 WHEN x.held <> '{}' AND model.dice(4, 'preferred', seed) > 0 THEN 1 ELSE 2 END,
                                    model.dice(1000000, 'meant', x.rid || seed), x.rid
                           LIMIT (ARRAY[1, 1, 1, 1, 2, 5])[1 + model.dice(6, 'rows', seed)]);
        ELSE
            rids := ARRAY(SELECT x.rid FROM model.on_row x WHERE x.tab = t);
        END IF;
        change := CASE WHEN cmd = 'update' AND has_org AND model.dice(60, 'another org', seed) = 0 THEN 'org_id = 3' ELSE model.some_change(t, m, NOT reads, seed) END;
        stmt := CASE cmd WHEN 'update' THEN format('UPDATE inbox.%I SET %s', t, change) ELSE format('DELETE FROM inbox.%I', t) END
                || CASE WHEN reads THEN format(' WHERE rid = ANY (%L)', rids) ELSE '' END;
    END IF;
    short := format('%s/%s, %s%s', o, m, left(regexp_replace(regexp_replace(stmt, '^(INSERT INTO [^(]*).* FROM ', '\1 '), '([0-9a-f]{32})\1+', '\1...', 'g'), 900), CASE WHEN gives THEN ' RETURNING rid' END);

    -- the model
    IF cmd = 'insert' THEN
        BEGIN
            EXECUTE stmt;
            EXECUTE format('SELECT to_jsonb(x) FROM inbox.%I x WHERE rid = 1000000', t) INTO x_new;
            SELECT s.* INTO row FROM model.scan(t, o, m, rids) s;
            needs := model.needs(t, cmd, m, '{}', x_new);
            PERFORM model.undo();
        EXCEPTION WHEN SQLSTATE 'RB003' THEN
        END;
        reach := rids;
        missing := model.missing(named, needs, '{}', row.held);
        stays := NOT has_org OR x_new ->> 'org_id' = o::text;
        seen_wanted := CASE WHEN row.visible THEN rids ELSE '{}' END;
    ELSE
        SELECT coalesce(array_agg(x.rid) FILTER (WHERE model.has_any(x.held, named) AND x.visible), '{}'),
               coalesce(array_agg(x.rid ORDER BY x.rid) FILTER (WHERE x.visible), '{}')
          INTO reach, seen_before FROM model.on_row x WHERE x.rid = ANY (rids);
        seen_wanted := ARRAY(SELECT v FROM unnest(seen_before) v EXCEPT SELECT v FROM unnest(reach) v);
        TRUNCATE model.row_before;
        EXECUTE format('INSERT INTO model.row_before SELECT rid, to_jsonb(x) FROM inbox.%I x WHERE rid = ANY ($1)', t) USING reach;
        BEGIN
            IF cmd = 'update' THEN
                EXECUTE format('UPDATE inbox.%I SET %s WHERE rid = ANY ($1)', t, change) USING reach;
            END IF;
            FOR row IN EXECUTE format('SELECT b.rid, b.content AS x_old, to_jsonb(x) AS x_new, r.held AS held_old, s.held AS held_new, s.visible
                                         FROM model.row_before b JOIN model.on_row r USING (rid) JOIN inbox.%I x USING (rid) LEFT JOIN model.scan($4, $1, $2, $3) s USING (rid)', t)
                        USING o, m, reach, t
            LOOP
                needs := model.needs(t, cmd, m, row.x_old, row.x_new);
                missing := missing || model.missing(named, needs, row.held_old, row.held_new);
                IF cmd = 'update' THEN
                    stays := stays AND (NOT has_org OR row.x_new ->> 'org_id' = o::text);
                    seen_wanted := seen_wanted || CASE WHEN row.visible THEN ARRAY[row.rid] END;
                END IF;
            END LOOP;
            PERFORM model.undo();
        EXCEPTION WHEN SQLSTATE 'RB003' THEN
        END;
    END IF;
    seen_wanted := ARRAY(SELECT v FROM unnest(seen_wanted) v ORDER BY v);
    missing := ARRAY(SELECT DISTINCT v FROM unnest(missing) v);
    expected := CASE WHEN missing <> '{}' OR NOT stays THEN 'refused' ELSE cardinality(reach) || ' rows' END;

    -- the attempt
    BEGIN
        PERFORM model.enter(o, m);
        IF gives THEN
            returned := '{}';
            FOR r IN EXECUTE stmt || ' RETURNING rid' LOOP
                returned := returned || r;
            END LOOP;
            n := cardinality(returned);
        ELSE
            EXECUTE stmt;
            GET DIAGNOSTICS n = ROW_COUNT;
        END IF;
        outcome := n || ' rows';
        EXECUTE format('EXECUTE %I (%L)', 'look at ' || t, rids) INTO seen;
        PERFORM model.undo();
    EXCEPTION
        WHEN SQLSTATE 'RB003' THEN
        WHEN insufficient_privilege THEN
            outcome := 'refused';
            asked := SQLERRM;
        WHEN OTHERS THEN
            outcome := SQLSTATE;
            asked := SQLERRM;
    END;
    INSERT INTO model.tally VALUES (format('%s %s: %s', kind, t, CASE WHEN expected IN ('refused', '0 rows') THEN expected ELSE 'rows' END), 1);
    IF outcome <> expected THEN
        RETURN NEXT concat_ws(' ', short || ': expected', expected, 'for want of ' || nullif(missing, '{}')::text, 'and got', outcome, asked);
        RETURN;
    END IF;

    IF outcome = 'refused' THEN
        INSERT INTO model.tally VALUES (kind || ' refused', 1);
        IF missing = '{}' THEN
            INSERT INTO model.tally VALUES ('refused: org', 1);
        ELSIF asked ~ '^permission "[a-z_.]+" is needed' THEN
            asked := substring(asked FROM '"([a-z_.]+)"');
            INSERT INTO model.tally VALUES ('refused: permission', 1);
            IF NOT missing && ARRAY['old ' || asked, 'new ' || asked] AND NOT (missing && '{old any,new any}' AND asked = ANY (named)) THEN
                RETURN NEXT format('%s: names %s, missing are %s', short, asked, missing);
            END IF;
        ELSIF asked ~ '^no active member is asking to ' AND NOT (SELECT active FROM chat_rbac.member WHERE org_id = o AND member_id = m) THEN
            INSERT INTO model.tally VALUES ('refused: inactive', 1);
        ELSIF asked ~ '^one of the permissions .* is needed' THEN
            INSERT INTO model.tally VALUES ('refused: any', 1);
            IF NOT missing && '{old any,new any}' OR EXISTS (SELECT FROM regexp_matches(asked, '"([a-z_]+[.][a-z_]+)"', 'g') p WHERE p[1] <> ALL (named)) THEN
                RETURN NEXT format('%s: says %s, missing are %s', short, asked, missing);
            END IF;
        ELSIF asked ~ '^only the table''s owner may ' AND (CASE cmd WHEN 'update' THEN 'null ' || substring(asked FROM 'change column "(.*)" of table ') = ANY (missing) ELSE missing::text ~ '"null ' END) THEN
            INSERT INTO model.tally VALUES (format('refused: %s, null', cmd), 1);
        ELSIF asked ~ '^no rule allows to ' AND (CASE cmd WHEN 'update' THEN 'none ' || substring(asked FROM 'change column "(.*)" of table ') = ANY (missing) ELSE missing::text ~ '"none ' END) THEN
            INSERT INTO model.tally VALUES (format('refused: %s, none', cmd), 1);
        ELSE
            RETURN NEXT format('%s: says %s, missing are %s', short, asked, missing);
        END IF;
    ELSE
        IF gives THEN
            INSERT INTO model.tally SELECT 'returned by ' || cmd || CASE WHEN v = ANY (seen) THEN ', stays in sight' ELSE ', gone then' END, 1 FROM unnest(returned) v;
            IF ARRAY(SELECT v FROM unnest(returned) v ORDER BY v) <> ARRAY(SELECT v FROM unnest(reach) v ORDER BY v) THEN
                RETURN NEXT format('%s: returned %s instead of %s', short, returned, reach);
            END IF;
        END IF;
        IF seen <> seen_wanted THEN
            RETURN NEXT format('%s: then sees %s instead of %s', short, seen, seen_wanted);
        END IF;
    END IF;

    -- rolled back, nothing is left of it
    PERFORM model.enter(o, m);
    EXECUTE format('EXECUTE %I (%L)', 'look at ' || t, rids) INTO seen;
    IF seen <> seen_before THEN
        RETURN NEXT format('%s, rolled back: then sees %s instead of %s', short, seen, seen_before);
    END IF;
    -- the third answer
    IF cmd <> 'insert' AND reads AND cardinality(reach) = 1 AND stays AND outcome <> '0 rows' THEN
        EXECUTE format('SELECT bool_and(chat_rbac.can(substr(p, 5)::chat_rbac.permission, $3, VARIADIC ARRAY[%s]::bigint[]))
                          FROM inbox.%I, unnest($2) p WHERE rid = $1[1] AND p LIKE ''old %%'' AND p <> ''old any''', key_columns, t)
           INTO answer USING reach, needs, format('inbox.%I', t)::regclass;
        IF answer <> (SELECT bool_and(p <> ALL (missing)) FROM unnest(needs) p WHERE p LIKE 'old %' AND p <> 'old any') THEN
            RETURN NEXT format('%s: can() is %s for %s', short, answer, needs);
        END IF;
    END IF;
    PERFORM model.leave();
END $$;

-- What a sub-select sees while the same command changes row after row, or seems
-- to insert rows that are there already
CREATE FUNCTION model.peek_differences(o bigint, m bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    peek text := '(SELECT string_agg(c.rid::text, '','') FROM inbox."Chat" c WHERE c.id < 40 AND g > 0)';
    columns text := (SELECT string_agg('r.' || quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                      WHERE attrelid = 'inbox."Chat"'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname <> 'body');
    stmt text;
    seen text;
BEGIN
    -- each row anew, and after it one that notes what is seen then
    TRUNCATE model.row_before;
    INSERT INTO model.row_before
    SELECT n, to_jsonb(x) || CASE n WHEN 2 THEN jsonb_build_object('id', 1000000 + rid, 'rid', 1000000 + rid) ELSE '{}' END
      FROM "Chat" x JOIN model.on_row r USING (rid), generate_series(1, 2) n
     WHERE org_id = o AND id < 40 AND model.has_any(r.held, model.named('Chat', 'insert')) ORDER BY x.rid, n;
    FOREACH stmt IN ARRAY ARRAY[
        format('UPDATE inbox."Chat" SET body = %s FROM generate_series(1, 1) g', peek),
        format('INSERT INTO inbox."Chat" (%s, body) SELECT %s, %s FROM model.row_before b, generate_series(1, 1) g, jsonb_populate_record(NULL::inbox."Chat", b.content) r ON CONFLICT DO NOTHING',
               replace(columns, 'r.', ''), columns, peek)]
    LOOP
        seen := NULL;
        BEGIN
            PERFORM model.enter(o, m);
            EXECUTE stmt;
            RESET ROLE;
            SELECT string_agg(DISTINCT v, ', ') INTO seen FROM "Chat", unnest(string_to_array(body, ',')) v
             WHERE body ~ '^[0-9,]+$' AND NOT EXISTS (SELECT FROM model.on_row r WHERE r.rid = v::bigint AND r.visible);
            PERFORM model.undo();
        EXCEPTION
            WHEN SQLSTATE 'RB003' THEN
                INSERT INTO model.tally VALUES ('peeks by ' || split_part(stmt, ' ', 1), 1);
                IF seen IS NOT NULL THEN
                    RETURN NEXT format('%s/%s, sub-select of %s...: sees %s', o, m, left(stmt, 100), left(seen, 100));
                END IF;
            WHEN insufficient_privilege THEN
        END;
    END LOOP;
END $$;
GRANT SELECT ON model.row_before TO regress_chat_rbac_app;

--
-- People
--
SELECT model.write_permissions(org_id, role_id, string_to_array(btrim(permissions::text, '{}'), ',')) FROM chat_rbac.role \g /dev/null
UPDATE chat_rbac.role SET max_duration = NULL;

-- Roles and their hierarchy by the dice
INSERT INTO chat_rbac.role (org_id, role_id, name, permissions)
SELECT 1, 1000 + r, 'role ' || r, '{}' FROM generate_series(1, 303) r;
SELECT model.write_permissions(1, 1000 + r, ARRAY(
    SELECT CASE WHEN model.dice(4, 'whole', s) = 0 THEN format('%s.%s', (ARRAY['conversation', 'message', 'customer', 'task', 'lead', 'broadcast', '*'])[1 + model.dice(7, 'resource', s)],
                                                              (ARRAY['view', 'view', 'edit', 'create', '*'])[1 + model.dice(5, 'action', s)])
                ELSE (SELECT permissions[1 + model.dice(cardinality(permissions), 'permission', s)] FROM model.tab WHERE n = 1 + model.dice(8, 'table', s)) END
           || (ARRAY['', '', '', '@own', '@own', '@unassigned', '@unrouted', '@colleague', '@colleague', '@participating', '@done', '@own_done', '@begun', '@both', '@priced',
                     '@graded', '@coded', '@labelled', '@urgent', '@odd', '@linked', '@blocked', '@early', '@credited', '@watched', '@draft', '@own_draft', '@nothing'])[1 + model.dice(28, 'relation', s)]
      FROM generate_series(0, 2 + model.dice(6, 'how many', r::text)) n, LATERAL (SELECT r || ' ' || n) v (s)))
  FROM generate_series(1, 300) r \g /dev/null
-- so that most members see something
SELECT model.write_permissions(1, 1300 + n, string_to_array(p, ' ')) FROM unnest('{*.view,*.view@own *.view@unassigned,*.view@colleague conversation.view@participating}'::text[]) WITH ORDINALITY v (p, n) \g /dev/null
UPDATE chat_rbac.role r SET permissions = p.written::chat_rbac.permset
  FROM (SELECT org_id, role_id, array_agg(format('%s.%s@%s', resource, action, relation)) AS written FROM model.role_permission GROUP BY 1, 2) p
 WHERE p.org_id = r.org_id AND p.role_id = r.role_id AND NOT r.preset;
INSERT INTO chat_rbac.role_inherit
SELECT DISTINCT 1, 1000 + r, 1001 + model.dice(r - 1, 'junior', r || ' ' || n)
  FROM generate_series(2, 300) r, generate_series(1, 2) n WHERE model.dice(3, 'inherits', r || ' ' || n) = 0;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT 1, m, CASE WHEN n = 0 AND m % 4 > 0 THEN 1301 + model.dice(3, 'sees', s) ELSE 1001 + model.dice(300, 'role', s) END,
       CASE WHEN model.dice(4, 'org-wide', s) > 0 THEN 1 + model.dice(CASE m % 2 WHEN 0 THEN 40 ELSE 8 END, 'unit', s) END,
       (ARRAY['(,)', '(,)', '(,)', '[2020-01-01,)', '[2020-01-01,)', '[2020-01-01,2021-01-01)'])[1 + model.dice(6, 'valid', s)]::tstzrange
  FROM (SELECT m, n, m || ' ' || n FROM generate_series(1, 150) m, generate_series(0, 3) n) v (m, n, s);
SELECT model.recompute() \g /dev/null
ANALYZE chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant, model.role_permission, model.closure, model.reach, model.col;

-- Member 200 holds a preset role at a place, and nothing else
CREATE FUNCTION model.give(role_name text, place int) RETURNS void LANGUAGE sql AS $$
    DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 200;
    INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
    SELECT 1, 200, role_id, u FROM chat_rbac.role, unnest(CASE place WHEN 0 THEN '{NULL}' WHEN 1 THEN '{NULL}' WHEN 2 THEN '{1}' WHEN 3 THEN '{4}' WHEN 4 THEN '{5,6}' ELSE '{2,12,7}' END::bigint[]) u
     WHERE org_id = 1 AND name = role_name
$$;

--
-- The rounds
--
CREATE FUNCTION model.try_member(round int, who text, m bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    t text;
    s text;
    kind text;
BEGIN
    PERFORM model.load(1, m);
    INSERT INTO model.tally SELECT 'relation ' || relation || CASE WHEN unit_id IS NULL THEN ' org-wide' ELSE ' at a unit' END, 1 FROM model.scope;
    INSERT INTO model.difference SELECT round, who, d FROM model.view_differences(1, m) d;
    INSERT INTO model.difference SELECT round, who, d FROM model.peek_differences(1, m) d;
    FOR t IN SELECT tab FROM model.tab ORDER BY n LOOP
        s := concat_ws(' ', round, who, m, t);
        IF model.dice(3, 'asks', s) = 0 THEN
            INSERT INTO model.difference SELECT round, who, d FROM model.question_differences(1, m, t, s) d;
        END IF;
        FOR n IN 1 .. CASE t WHEN 'reaction' THEN 2 WHEN 'message' THEN 3 ELSE 4 END LOOP
            kind := (ARRAY['update', 'update', 'update', 'update', 'update', 'update', 'update', 'insert', 'insert', 'insert', 'insert', 'delete', 'delete', 'delete', 'update all', 'delete all'])[1 + model.dice(16, 'kind', s || n)];
            INSERT INTO model.difference SELECT round, who, d FROM model.attempt_differences(1, m, t, kind, s || ' ' || n) d;
        END LOOP;
    END LOOP;
END $$;
CREATE FUNCTION model.try_round(round int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r text;
BEGIN
    PERFORM model.begin_round(round);
    FOR r IN SELECT name FROM chat_rbac.role WHERE org_id = 1 AND preset ORDER BY role_id LOOP
        PERFORM model.give(r, model.dice(6, 'place', round || r));
        PERFORM model.try_member(round, r, 200);
    END LOOP;
    DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id = 200;
    FOR n IN 0 .. 9 LOOP
        PERFORM model.try_member(round, 'random roles', 1 + (round * 10 + n) % 150);
    END LOOP;
END $$;
SELECT count(model.try_round(round)) FROM generate_series(0, 4) round \g /dev/null

SELECT is_empty(format('SELECT format(''round %%s: %%s'', round, what) FROM model.difference WHERE who = %L ORDER BY round LIMIT 3', name), name || ' sees, asks and does what it should')
  FROM chat_rbac.role WHERE org_id = 1 AND preset ORDER BY role_id;
SELECT is_empty($$SELECT format('round %s: %s', round, what) FROM model.difference WHERE who = 'random roles' ORDER BY round LIMIT 5$$, 'random roles: the same');

SELECT is((SELECT string_agg(what, ', ' ORDER BY what) FROM (
               SELECT format(f, tab) AS what FROM model.tab,
                      unnest('{sees %s,actions on %s,update %s: refused,update %s: 0 rows,update %s: rows,delete %s: 0 rows,delete %s: rows,insert %s: refused,insert %s: rows}'::text[]) f
               UNION ALL SELECT format('refused: %s, %s', c, w) FROM unnest('{insert,update,delete}'::text[]) c, unnest('{"null",none}'::text[]) w
               UNION ALL SELECT unnest('{can somewhere,cannot somewhere,refused: permission,refused: any,refused: org,refused: inactive,insert refused,update refused,delete refused,update all refused,delete all refused,peeks by INSERT,peeks by UPDATE}'::text[])
               UNION ALL SELECT unnest('{"returned by update, stays in sight","returned by update, gone then","returned by insert, stays in sight","returned by insert, gone then","returned by delete, gone then"}'::text[])
               UNION ALL SELECT format('relation %s %s', r, w)
                 FROM unnest('{all,own,unassigned,unrouted,colleague,participating,done,own_done,begun,both,priced,graded,coded,labelled,urgent,odd,linked,blocked,early,credited,watched,draft,own_draft}'::text[]) r,
                      unnest('{org-wide,at a unit}'::text[]) w
               EXCEPT SELECT what FROM model.tally WHERE cases > 0) missing), NULL, 'every kind of case has occurred');
SELECT cmp_ok((SELECT sum(cases) FROM model.tally WHERE what ~ '^(update|insert|delete)'), '>', 3000::numeric, 'thousands of attempts were made');
SELECT cmp_ok((SELECT sum(cases) FROM model.tally WHERE what ~ '^can '), '>', 1000::numeric, 'thousands of questions were asked');
SELECT * FROM finish();
ROLLBACK;

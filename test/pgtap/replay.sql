--
-- The audit trail against what was done: statements of every kind by random
-- members and by the owner, in transactions with savepoints, errors and
-- rollbacks.  Then
--   - each event is what a trigger in plpgsql beside the writer saw, one for
--     one: operation, key, old and new values, permissions, units, who;
--   - the trail, replayed into nothing, gives the tables, row for row.
--
-- Schema model says in plain SQL what an event should be.  It calls no function
-- of chat_rbac.  The statements come by the dice and are run by a session of
-- their own, in a database of their own, because they commit.  Give psql
-- -v seed=... for others, between -1 and 1.
--
SET client_min_messages = warning;
\set ON_ERROR_ROLLBACK off
\pset format unaligned
\pset tuples_only on
\if :{?seed}
\else
    \set seed 0.4
\endif
SELECT current_database() AS home \gset
DROP DATABASE IF EXISTS regress_chat_rbac_replay;
DROP ROLE IF EXISTS regress_chat_rbac_replay;
CREATE DATABASE regress_chat_rbac_replay;
ALTER DATABASE regress_chat_rbac_replay SET jit = off;
ALTER DATABASE regress_chat_rbac_replay SET client_min_messages = warning;
CREATE ROLE regress_chat_rbac_replay;
\c regress_chat_rbac_replay
\setenv PGHOST :HOST
\setenv PGPORT :PORT
\setenv PGUSER :USER
\setenv PGDATABASE :DBNAME
SET TimeZone = 'UTC';
CREATE EXTENSION pgtap;
CREATE EXTENSION chat_rbac;
SELECT no_plan();
SELECT diag('seed ' || :'seed');
SELECT setseed(:seed);

CREATE SCHEMA model;
CREATE FUNCTION model.dice(sides int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT floor(random() * sides)::int $$;

--
-- People: two orgs with the same ids
--
SELECT chat_rbac.create_org('acme', 1), chat_rbac.create_org('other', 2) \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name)
SELECT o, u, kind, key, parent, kind || ' ' || key FROM generate_series(1, 2) o,
       (VALUES (1, 'department', 9, NULL), (2, 'team', 2, 1), (3, 'team', 3, 1), (4, 'inbox', 1, NULL), (5, 'inbox', 5, 2)) v (u, kind, key, parent);
INSERT INTO chat_rbac.member (org_id, member_id, name, active) SELECT o, m, format('Member %s of %s', m, o), m <> 8 FROM generate_series(1, 2) o, generate_series(1, 8) m;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
SELECT o, m, r.role_id, u FROM generate_series(1, 2) o,
       (VALUES (1, 'Owner', NULL), (2, 'Manager', 1), (3, 'Supervisor', 2), (4, 'Agent', 2), (4, 'Agent', 5), (5, 'Sales', NULL), (6, 'Service', NULL), (7, 'Owner', NULL), (8, 'Owner', NULL)) v (m, role, u)
  JOIN chat_rbac.role r ON r.name = role WHERE r.org_id = o;

--
-- Tables: the ready inbox, and others of other shapes
--
SELECT chat_rbac.create_inbox('inbox') \g /dev/null
CREATE SCHEMA desk;
CREATE TYPE desk.mood AS ENUM ('glad', 'so, so', 'it''s "bad"');
CREATE TYPE desk.pair AS (n numeric, "a text" text, days date[]);
CREATE DOMAIN desk.words AS text CHECK (VALUE <> 'wrong');
CREATE DOMAIN desk.amount AS numeric(12, 2);
CREATE DOMAIN desk.some AS int[] CHECK (cardinality(VALUE) < 1000);
CREATE TABLE desk.every (
    gone_1 int DEFAULT 1, org_id bigint NOT NULL, id int NOT NULL, team int, "is ""odd""" boolean, i2 smallint, i8 bigint, n numeric, f4 real, f8 double precision, amount desk.amount,
    t text, vc varchar(9000), ch char(6), one "char", nm name, gone_2 text DEFAULT 'gone', b bytea, d date, tm time, tmz timetz, ts timestamp, tz timestamptz(3), iv interval,
    ia int[], ta text[], da desk.some, ya bytea[], ca desk.pair[], j jsonb, js json, m desk.mood, ma desk.mood[], c desk.pair, w desk.words, r tstzrange, mr int4multirange,
    ip inet, net cidr, mac macaddr, u uuid, bits varbit, x xml, cash money, tsv tsvector, rel regclass, p point, perms chat_rbac.permset,
    twice numeric GENERATED ALWAYS AS (n * 2) STORED, PRIMARY KEY (org_id, id));
ALTER TABLE desk.every DROP gone_1;
ALTER TABLE desk.every ALTER t SET STORAGE EXTERNAL;
-- rows move between partitions, some of which have their columns in another order
CREATE TABLE desk.parcel (org_id bigint NOT NULL, stage int NOT NULL, id int NOT NULL, team_id int, owner_id bigint, weight numeric, note text, paid boolean NOT NULL DEFAULT false,
    mark int, PRIMARY KEY (org_id, stage, id)) PARTITION BY LIST (stage);
CREATE TABLE desk.parcel_1 PARTITION OF desk.parcel FOR VALUES IN (1);
CREATE TABLE desk.parcel_2 (mark int, note text, gone text, paid boolean NOT NULL DEFAULT false, owner_id bigint, weight numeric, team_id int, id int NOT NULL, stage int NOT NULL, org_id bigint NOT NULL);
ALTER TABLE desk.parcel_2 DROP gone;
ALTER TABLE desk.parcel ATTACH PARTITION desk.parcel_2 FOR VALUES IN (2);
CREATE TABLE desk.parcel_more PARTITION OF desk.parcel DEFAULT PARTITION BY RANGE (stage);
CREATE TABLE desk.parcel_3 PARTITION OF desk.parcel_more FOR VALUES FROM (3) TO (4);
CREATE TABLE desk.parcel_4 (LIKE desk.parcel INCLUDING DEFAULTS);
ALTER TABLE desk.parcel_4 DROP note, ADD note text;
ALTER TABLE desk.parcel_more ATTACH PARTITION desk.parcel_4 FOR VALUES FROM (4) TO (5);
CREATE TABLE desk.stamp (id int NOT NULL, org_id int NOT NULL, stage int, parcel_id int, price numeric(8, 2), PRIMARY KEY (id, org_id),
    FOREIGN KEY (org_id, stage, parcel_id) REFERENCES desk.parcel ON UPDATE CASCADE ON DELETE CASCADE);
-- a tree that cascades, with triggers that write
CREATE TABLE desk.node (org_id bigint NOT NULL, id int NOT NULL, up int, twin int, mark int, touches int NOT NULL DEFAULT 0, PRIMARY KEY (org_id, id), UNIQUE (id),
    FOREIGN KEY (org_id, up) REFERENCES desk.node ON DELETE CASCADE ON UPDATE CASCADE,
    FOREIGN KEY (org_id, twin) REFERENCES desk.node ON DELETE SET NULL (twin) ON UPDATE CASCADE);
CREATE TABLE desk.remark (id int PRIMARY KEY, node_id bigint NOT NULL, body text);                                -- of its parent's org
CREATE TABLE desk.tag (body text, born date NOT NULL, org_id int, code text NOT NULL, lang char(3) NOT NULL, rank int, PRIMARY KEY (code, born, lang));  -- the org is not in the key, and may be null
CREATE TABLE desk.word (org_id int NOT NULL, word text COLLATE "C" NOT NULL, meaning text, secret text, hits int NOT NULL DEFAULT 0, PRIMARY KEY (word, org_id));
CREATE TABLE desk.single (org_id bigint PRIMARY KEY, n int, motto text);                                            -- one row for an org
CREATE TABLE desk.plan (org_id bigint NOT NULL, id int NOT NULL CHECK (id < 100) NO INHERIT, mark int, PRIMARY KEY (org_id, id));
CREATE TABLE desk.old_plan (CHECK (id > 100), PRIMARY KEY (org_id, id)) INHERITS (desk.plan);

SELECT chat_rbac.protect(tab::regclass, spec::jsonb) FROM (VALUES
    ('desk.every', '{"resource": "customer", "org": "org_id", "units": {"team": "team"}, "relations": {"own": {"i8": "$member"}}}'),
    ('desk.parcel', '{"resource": "lead", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"owner_id": "$member"}}, "audit": {"digest": ["note"]}, "actions": [
        {"on": "insert", "column": "owner_id", "to": "$member", "requires": "any"}, {"on": "insert", "column": "owner_id", "requires": "lead.assign"}, {"on": "insert", "column": "id", "requires": "lead.create"},
        {"on": "update", "column": "paid", "from": false, "to": true, "requires": "billing.manage"}, {"on": "update", "column": "owner_id", "from": null, "to": "$member", "requires": "lead.edit"},
        {"on": "update", "column": "owner_id", "requires": "lead.assign"}, {"on": "update", "column": "stage", "to": 4, "requires": "lead.delete"}, {"on": "update", "column": "stage", "requires": "lead.create"},
        {"on": "update", "column": "mark", "requires": "any"}, {"on": "update", "column": "weight", "requires": null}, {"on": "update", "requires": "lead.edit"},
        {"on": "delete", "column": "paid", "from": true, "requires": "billing.manage"}, {"on": "delete", "requires": "lead.delete"}]}'),
    ('desk.stamp', '{"resource": "billing", "view": "billing.view", "org": "org_id", "actions": [{"on": "insert", "requires": "billing.manage"}, {"on": "update", "requires": "billing.manage"}]}'),
    ('desk.node', '{"resource": "task", "org": "org_id", "actions": [{"on": "insert", "requires": "task.create"}, {"on": "update", "column": "up", "requires": "task.assign"},
        {"on": "update", "column": "touches", "requires": "any"}, {"on": "update", "requires": "task.edit"}, {"on": "delete", "requires": "task.delete"}]}'),
    ('desk.remark', '{"resource": "task", "parent": {"table": "desk.node", "column": "node_id", "key": "id"}}'),
    ('desk.tag', '{"resource": "template", "view": "template.view", "org": "org_id", "actions": [{"on": "insert", "requires": "settings.manage"}, {"on": "update", "column": "rank", "to": 2, "requires": "settings.view"},
        {"on": "update", "requires": "settings.manage"}, {"on": "delete", "column": "lang", "from": "de ", "requires": "settings.view"}, {"on": "delete", "requires": "settings.manage"}]}'),
    ('desk.word', '{"resource": "customer", "org": "org_id", "audit": {"exclude": ["secret"], "digest": ["meaning"]}}'),
    ('desk.single', '{"resource": "customer", "org": "org_id"}'),
    ('desk.plan', '{"resource": "task", "org": "org_id"}')) v (tab, spec) \g /dev/null
GRANT USAGE ON SCHEMA inbox, desk TO regress_chat_rbac_replay;
GRANT ALL ON ALL TABLES IN SCHEMA inbox, desk TO regress_chat_rbac_replay;

-- Triggers of an application
CREATE FUNCTION desk.note_message() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE inbox.conversation SET last_message_at = clock_timestamp(), priority = 3 - priority WHERE org_id = NEW.org_id AND id = NEW.conversation_id;
    RETURN NULL;
END $$;
CREATE TRIGGER note_message AFTER INSERT ON inbox.message FOR EACH ROW EXECUTE FUNCTION desk.note_message();
-- before: the row itself, others of its table, or none of it
CREATE FUNCTION desk.node_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.mark = 13 THEN
        RETURN NULL;
    ELSIF NEW.mark = 5 AND pg_trigger_depth() < 3 THEN
        UPDATE desk.node SET mark = mark + 1 WHERE org_id = NEW.org_id AND id = NEW.id + 1;
        INSERT INTO desk.node (org_id, id, mark) VALUES (NEW.org_id, NEW.id + 20, 1) ON CONFLICT DO NOTHING;
    END IF;
    NEW.touches := NEW.touches + NEW.id % 2;
    RETURN NEW;
END $$;
CREATE TRIGGER node_before BEFORE INSERT OR UPDATE ON desk.node FOR EACH ROW EXECUTE FUNCTION desk.node_before();
-- after: the same row again, others, and rows that go and cascade
CREATE FUNCTION desk.node_after() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM desk.remark WHERE node_id = OLD.id;
        DELETE FROM desk.node WHERE org_id = OLD.org_id AND id = OLD.mark;
        INSERT INTO desk.word (org_id, word, hits) VALUES (OLD.org_id, 'deleted', 1) ON CONFLICT (org_id, word) DO UPDATE SET hits = word.hits + 1;
    ELSIF pg_trigger_depth() < 4 THEN
        UPDATE desk.node SET mark = mark + 1 WHERE org_id = NEW.org_id AND id = NEW.id AND NEW.id % 3 = 0;
        UPDATE desk.node SET mark = mark - 1, twin = NULL WHERE org_id = NEW.org_id AND id = NEW.id + 1 AND NEW.id % 3 = 1;
        INSERT INTO desk.remark SELECT 1 + coalesce(max(id), 0), NEW.id, 'by a trigger' FROM desk.remark HAVING NEW.id % 3 = 2;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER node_after AFTER INSERT OR UPDATE OR DELETE ON desk.node FOR EACH ROW EXECUTE FUNCTION desk.node_after();
-- writes between the two halves of a move, and moves others
CREATE FUNCTION desk.parcel_after() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF coalesce(NEW.id, OLD.id) % 4 = 0 THEN
        INSERT INTO desk.word (org_id, word, hits) VALUES (coalesce(NEW.org_id, OLD.org_id), 'parcels', 1) ON CONFLICT (org_id, word) DO UPDATE SET hits = word.hits + 1;
    ELSIF TG_OP = 'DELETE' AND OLD.id % 4 = 2 AND pg_trigger_depth() = 1 THEN
        UPDATE desk.parcel SET stage = 5 - stage WHERE org_id = OLD.org_id AND id = OLD.id + 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER parcel_after AFTER INSERT OR UPDATE OR DELETE ON desk.parcel FOR EACH ROW EXECUTE FUNCTION desk.parcel_after();
-- a row that comes takes the place of one that is there
CREATE FUNCTION desk.word_before() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM desk.word WHERE word = NEW.word AND org_id = NEW.org_id;
    RETURN NEW;
END $$;
CREATE TRIGGER word_before BEFORE INSERT ON desk.word FOR EACH ROW WHEN (NEW.word LIKE 'new%') EXECUTE FUNCTION desk.word_before();
-- at the end of the transaction, and at that of a statement
CREATE FUNCTION desk.count_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE desk.single SET n = coalesce(n, 0) + 1 WHERE org_id = 1;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER count_up AFTER UPDATE ON desk.tag DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION desk.count_up();
CREATE TRIGGER count_up AFTER UPDATE ON desk.plan FOR EACH STATEMENT EXECUTE FUNCTION desk.count_up();

--
-- What was done, by triggers beside the writer's
--
CREATE TABLE model.tab (tab regclass PRIMARY KEY, spec jsonb, org text, org_in_key boolean, keys text[], excluded text[], ours boolean, cascades boolean);
INSERT INTO model.tab
SELECT s.relation, s.spec, s.spec ->> 'org', coalesce(s.spec ->> 'org' = ANY (k.cols), false),
       CASE WHEN cardinality(k.cols) > 1 THEN array_remove(k.cols, s.spec ->> 'org') ELSE k.cols END,
       ARRAY(SELECT jsonb_array_elements_text(s.spec #> '{audit,exclude}')), s.relation::text LIKE 'chat_rbac.%',
       EXISTS (SELECT FROM pg_constraint WHERE conrelid = s.relation AND contype = 'f' AND confdeltype <> 'a')
  FROM chat_rbac.specification s,
       LATERAL (SELECT array_agg(a.attname::text ORDER BY o) FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY u (att, o) JOIN pg_attribute a ON attnum = att
                 WHERE i.indrelid = s.relation AND i.indisprimary AND a.attrelid = s.relation) k (cols);
CREATE TABLE model.seen (seq bigserial PRIMARY KEY, xid xid8, tab regclass, part regclass, op text, moves boolean, old jsonb, new jsonb, old_org text, new_org text, changed text[], depth int,
    identity text, name text, role text, reason text, request text);
CREATE INDEX ON model.seen (xid);

CREATE FUNCTION model.key(t regclass, image jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE cardinality(keys) WHEN 1 THEN image ->> keys[1] ELSE ARRAY(SELECT image ->> k FROM unnest(keys) WITH ORDINALITY u (k, o) ORDER BY o)::text END FROM model.tab WHERE tab = t
$$;
-- Of a row that has no org itself: its parent's
CREATE FUNCTION model.org(t regclass, image jsonb) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN t = 'desk.remark'::regclass THEN (SELECT org_id::text FROM desk.node WHERE id = (image ->> 'node_id')::bigint) ELSE image ->> org END FROM model.tab WHERE tab = t
$$;
CREATE FUNCTION model.digest(bytes bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('length', octet_length(bytes), 'sha256', encode(sha256(bytes), 'hex'))
$$;
-- Fires right after the writer's
CREATE FUNCTION model.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    root regclass := coalesce(pg_partition_root(TG_RELID), (SELECT inhparent FROM pg_inherits WHERE inhrelid = TG_RELID), TG_RELID);
    me text[] := string_to_array(nullif(current_setting('chat_rbac.identity', true), ''), '/');
    before jsonb;
    after jsonb;
    place text;
    moves boolean := false;
    name text := (SELECT m.name FROM chat_rbac.member m WHERE org_id = me[1]::bigint AND member_id = me[2]::bigint AND active);
BEGIN
    IF TG_OP IN ('UPDATE', 'DELETE') THEN
        before := model.image(OLD);
    END IF;
    IF TG_OP IN ('INSERT', 'UPDATE') THEN
        after := model.image(NEW);
    END IF;
    PERFORM set_config('model.intent', '', true) WHERE TG_OP = 'UPDATE';
    IF TG_OP IN ('INSERT', 'DELETE') THEN
        place := format('%s %s %s;', TG_OP, root, model.key(root, coalesce(after, before)));
        moves := strpos(current_setting('model.moves', true), place) > 0;
        IF moves THEN
            PERFORM set_config('model.moves', overlay(current_setting('model.moves') PLACING '' FROM strpos(current_setting('model.moves'), place) FOR length(place)), true);
        END IF;
    END IF;
    INSERT INTO model.seen (xid, tab, part, op, moves, old, new, old_org, new_org, changed, depth, identity, name, role, reason, request)
    SELECT pg_current_xact_id(), root, TG_RELID, TG_OP, moves, before, after, model.org(root, before), model.org(root, after), CASE TG_OP WHEN 'UPDATE' THEN model.changed(OLD, NEW) END, pg_trigger_depth() - 1,
           CASE WHEN name IS NOT NULL THEN array_to_string(me, '/') END, name, coalesce(nullif(current_setting('role'), 'none'), session_user),
           nullif(current_setting('chat_rbac.reason'), ''), nullif(current_setting('chat_rbac.request_id'), '');
    RETURN NULL;
END $$;
-- What fires last before the change: an update that deletes is a move, and the next row that comes has moved
CREATE FUNCTION model.foresee() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN model.image(OLD) END;
    after jsonb := CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN model.image(NEW) END;
    key text := model.key(pg_partition_root(TG_RELID), coalesce(before, after));
    intent text := coalesce(current_setting('model.intent', true), '');
BEGIN
    IF intent = (CASE TG_OP WHEN 'DELETE' THEN concat('UPDATE ', TG_RELID, before ->> 'org_id', key) WHEN 'INSERT' THEN 'DELETE' END) THEN
        PERFORM set_config('model.moves', format('%s%s %s %s;', current_setting('model.moves', true), TG_OP, pg_partition_root(TG_RELID), key), true);
        intent := CASE TG_OP WHEN 'DELETE' THEN TG_OP ELSE '' END;
    ELSE
        intent := CASE TG_OP WHEN 'UPDATE' THEN concat('UPDATE ', TG_RELID, before ->> 'org_id', key) ELSE '' END;
    END IF;
    PERFORM set_config('model.intent', intent, true);
    RETURN coalesce(NEW, OLD);
END $$;
-- Of what types JSON has a form; all else is text, and arrays that do not begin at 1 are
CREATE FUNCTION model.is_json(type oid) RETURNS boolean LANGUAGE sql STABLE AS $$
    WITH RECURSIVE base (oid, elem) AS (SELECT t.oid, t.typelem FROM pg_type t WHERE t.oid = type UNION ALL SELECT t.oid, t.typelem FROM base b JOIN pg_type d ON d.oid = b.oid JOIN pg_type t ON t.oid = d.typbasetype)
    SELECT bool_or(b.oid = ANY ('{boolean,smallint,integer,bigint,numeric,real,"double precision",jsonb,date,time,timetz,timestamp,timestamptz}'::regtype[])
                   OR t.typcategory = 'A' AND (e.typtype = 'e' OR e.oid = ANY ('{text,varchar,char(1)}'::regtype[]) OR model.is_json(e.oid)))
      FROM base b JOIN pg_type t ON t.oid = b.oid LEFT JOIN pg_type e ON e.oid = b.elem
$$;
-- image(): the columns that are not null, as the trail has them; changed(): the columns that differ, byte by byte
CREATE FUNCTION model.watch(root regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    part regclass;
    cols text;
    diffs text;
    spec jsonb := (SELECT spec FROM model.tab WHERE tab = root);
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree(root) UNION SELECT root UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = root LOOP
        SELECT string_agg(format('(%L, CASE WHEN r.%2$I IS DISTINCT FROM NULL THEN CASE WHEN %s OR octet_length(%s) > 8192 THEN model.digest(%4$s) ELSE %s END END)',
                                 attname, attname, coalesce(spec #> '{audit,digest}' ? attname::text, false)::text, bytes, value), ', ')
               FILTER (WHERE NOT coalesce(spec #> '{audit,exclude}' ? attname::text, false)),
               string_agg(format('(%L, record_image_ne(ROW(o.%I), ROW(n.%2$I)))', attname, attname), ', ')
          INTO cols, diffs
          FROM pg_attribute, LATERAL (SELECT CASE atttypid WHEN 'bytea'::regtype THEN format('r.%I', attname) ELSE format('convert_to(format(''%%s'', r.%I), ''UTF8'')', attname) END,
                                            CASE WHEN NOT model.is_json(atttypid) THEN format('to_jsonb(format(''%%s'', r.%I))', attname)
                                                 WHEN format_type(atttypid, NULL) LIKE '%[]' THEN format('CASE WHEN r.%I::text LIKE ''[%%'' THEN to_jsonb(r.%1$I::text) ELSE to_jsonb(r.%1$I) END', attname)
                                                 ELSE format('to_jsonb(r.%I)', attname) END) b (bytes, value)
         WHERE attrelid = part AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format('CREATE OR REPLACE FUNCTION model.image(r %s) RETURNS jsonb LANGUAGE sql STABLE SET search_path = pg_catalog SET DateStyle = ''ISO'' SET IntervalStyle = postgres SET TimeZone = ''UTC'''
                       ' SET extra_float_digits = 3 SET bytea_output = hex SET lc_monetary = ''C'' AS $f$ SELECT jsonb_object_agg(k, v) FROM (VALUES %s) p (k, v) WHERE v IS NOT NULL $f$', part, cols);
        EXECUTE format('CREATE OR REPLACE FUNCTION model.changed(o %s, n %1$s) RETURNS text[] LANGUAGE sql IMMUTABLE AS $f$ SELECT coalesce(array_agg(k), ''{}'') FROM (VALUES %s) p (k, v) WHERE v $f$', part, diffs);
        IF (SELECT NOT relispartition FROM pg_class WHERE oid = part) THEN
            EXECUTE format('CREATE OR REPLACE TRIGGER "01_see" AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION model.see()', part);
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "01_see"', part);
            IF (SELECT relkind = 'p' FROM pg_class WHERE oid = part) THEN
                EXECUTE format('CREATE OR REPLACE TRIGGER zzz_foresee BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION model.foresee()', part);
                EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER zzz_foresee', part);
            END IF;
        END IF;
        EXECUTE format('CREATE OR REPLACE TRIGGER "01_see_truncate" AFTER TRUNCATE ON %s EXECUTE FUNCTION model.see()', part);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER "01_see_truncate"', part);
    END LOOP;
END $$;
SELECT model.watch(tab) FROM model.tab \g /dev/null

--
-- The events that should be there
--
-- As the guard names them: of each column that changed the first rule that fits, or the rule for all others
CREATE FUNCTION model.actions(spec jsonb, command text, cols text[], old jsonb, new jsonb, member text) RETURNS text[] LANGUAGE sql STABLE AS $$
    WITH rule AS (SELECT r, n FROM jsonb_array_elements(spec -> 'actions') WITH ORDINALITY a (r, n)
               WHERE r ->> 'on' = CASE command WHEN 'truncate' THEN 'delete' ELSE command END AND NOT (command = 'truncate' AND r ? 'column')),
    demand AS (SELECT (SELECT r ->> 'requires' FROM rule
                        WHERE r ->> 'column' = c AND (NOT r ? 'from' OR CASE r ->> 'from' WHEN '$member' THEN old ->> c = member ELSE old ->> c IS NOT DISTINCT FROM r ->> 'from' END)
                                                 AND (NOT r ? 'to' OR CASE r ->> 'to' WHEN '$member' THEN new ->> c = member ELSE new ->> c IS NOT DISTINCT FROM r ->> 'to' END)
                           OR NOT r ? 'column' ORDER BY r ? 'column' DESC, n LIMIT 1) AS requires
                 FROM (SELECT unnest(cols) WHERE command = 'update' UNION SELECT r ->> 'column' FROM rule WHERE command <> 'update' AND r ? 'column'
                       UNION SELECT NULL WHERE command <> 'update' AND NOT EXISTS (SELECT FROM rule WHERE r ? 'column')) d (c))
    SELECT coalesce(array_agg(DISTINCT requires ORDER BY requires) FILTER (WHERE requires <> 'any'),
                    ARRAY[(spec ->> 'resource') || CASE command WHEN 'insert' THEN '.create' WHEN 'update' THEN '.edit' ELSE '.delete' END]) FROM demand
$$;
CREATE FUNCTION model.units(spec jsonb, old jsonb, new jsonb) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(SELECT DISTINCT format('%s %s', kind, row ->> col) FROM jsonb_each_text(spec -> 'units') u (kind, col), unnest(ARRAY[old, new]) row WHERE row ->> col IS NOT NULL ORDER BY 1)
     WHERE spec ? 'units'
$$;
CREATE FUNCTION model.part(image jsonb, cols text[]) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT coalesce(jsonb_object_agg(c, coalesce(image -> c, 'null')), '{}') FROM unnest(cols) c
$$;
CREATE TYPE model.event AS (xid xid8, n bigint, tab regclass, operation text, row_key text, org_id text, old jsonb, new jsonb, actions text[], units text[], who text, name text, role text,
    reason text, request text, depth int, min_depth int, command int);
-- NULL where the model does not say
CREATE FUNCTION model.expected(since bigint) RETURNS SETOF model.event LANGUAGE sql STABLE AS $$
    WITH done AS (
        -- a row that has moved was last seen where it went from
        SELECT s.*, t.spec, t.org, t.excluded, t.ours, t.cascades, CASE WHEN s.op = 'INSERT' AND s.moves THEN
                   (SELECT f.old FROM model.seen f WHERE f.xid = s.xid AND f.tab = s.tab AND f.depth = s.depth AND f.seq < s.seq AND f.moves ORDER BY f.seq DESC LIMIT 1) END AS was
          FROM model.seen s JOIN model.tab t USING (tab) WHERE s.seq > since),
    change AS (
        SELECT d.*, CASE WHEN op = 'UPDATE' THEN changed WHEN was IS NOT NULL
                         THEN ARRAY(SELECT coalesce(o.key, n.key) FROM jsonb_each_text(was) o FULL JOIN jsonb_each_text(new) n USING (key) WHERE o.value IS DISTINCT FROM n.value) END AS cols,
               CASE WHEN op = 'UPDATE' AND old_org IS DISTINCT FROM new_org THEN 2 ELSE 1 END AS events
          FROM done d),
    event AS (
        SELECT c.*, half, CASE WHEN op = 'TRUNCATE' THEN 'truncate' WHEN op = 'DELETE' AND moves THEN 'move_out' WHEN op = 'INSERT' AND moves THEN 'move_in'
                               WHEN events = 2 THEN (ARRAY['delete', 'insert'])[half] ELSE lower(op) END AS operation
          FROM change c, generate_series(1, events) half WHERE op <> 'UPDATE' OR changed <> '{}' AND NOT (ours AND changed <@ excluded))
    SELECT xid, row_number() OVER (PARTITION BY xid ORDER BY seq, half), tab, operation,
           CASE WHEN op = 'TRUNCATE' THEN CASE WHEN part <> tab THEN (SELECT relname FROM pg_class WHERE oid = part) END
                ELSE model.key(tab, CASE WHEN operation IN ('insert', 'move_in') THEN new ELSE old END) END,
           coalesce(CASE WHEN operation IN ('insert', 'move_in') THEN new_org ELSE old_org END, 'none'),
           CASE operation WHEN 'update' THEN model.part(old, ARRAY(SELECT unnest(changed) EXCEPT SELECT unnest(excluded))) WHEN 'delete' THEN old WHEN 'move_out' THEN old
                WHEN 'move_in' THEN CASE WHEN was ->> org = new ->> org THEN was END END,
           CASE operation WHEN 'update' THEN model.part(new, ARRAY(SELECT unnest(changed) EXCEPT SELECT unnest(excluded))) WHEN 'insert' THEN new WHEN 'move_in' THEN new END,
           CASE operation WHEN 'move_out' THEN '{}'::text[] WHEN 'truncate' THEN model.actions(spec, 'truncate', '{}', NULL, NULL, NULL)
                ELSE model.actions(spec, CASE WHEN was IS NOT NULL THEN 'update' ELSE lower(op) END, cols, coalesce(was, old), new, split_part(identity, '/', 2)) END,
           CASE WHEN op = 'TRUNCATE' THEN '{}'::text[]
                ELSE model.units(spec, CASE WHEN operation IN ('update', 'delete', 'move_out') THEN old WHEN was ->> org = new ->> org THEN was END, CASE WHEN operation IN ('update', 'insert', 'move_in') THEN new END) END,
           CASE WHEN tab <> 'chat_rbac.member'::regclass THEN coalesce(identity, 'none') END, CASE WHEN tab <> 'chat_rbac.member'::regclass THEN name END, role, reason, request,
           CASE WHEN NOT cascades AND depth = 0 THEN depth END, depth, NULL::int
      FROM event
$$;
CREATE FUNCTION model.actual(since timestamptz) RETURNS SETOF model.event LANGUAGE sql STABLE AS $$
    SELECT xid, row_number() OVER (PARTITION BY xid ORDER BY event_id), relation, operation, row_key, coalesce(org_id::text, 'none'), old, new,
           ARRAY(SELECT a FROM unnest(actions) a ORDER BY a), ARRAY(SELECT DISTINCT format('%s %s', k, u) FROM unnest(unit_kinds, unit_keys) v (k, u) ORDER BY 1),
           coalesce(actor_org_id || '/' || actor_id, 'none'), actor_name, db_role, reason, request_id, depth, depth, command
      FROM chat_rbac.audit_event WHERE at > since AND operation NOT IN ('access', 'redact')
$$;

-- Up to where all has been compared
CREATE TABLE model.progress (seq bigint, at timestamptz);
INSERT INTO model.progress SELECT 0, clock_timestamp();
CREATE TABLE model.tally (what text, cases bigint);

CREATE FUNCTION model.flat(event jsonb) RETURNS TABLE (k text, value text) LANGUAGE sql IMMUTABLE AS $$
    SELECT * FROM jsonb_each_text(event - 'old' - 'new')
    UNION ALL SELECT format('%s %s', side, j.key), j.value::text FROM unnest('{old,new}'::text[]) side, jsonb_each(nullif(event -> side, 'null')) j
$$;
CREATE FUNCTION model.event_differences() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT concat_ws(E'\n  ', format('event %s of transaction %s (%s, %s %s):', n, xid, coalesce(e.tab, a.tab), coalesce(e.operation, a.operation), coalesce(e.row_key, a.row_key)),
               CASE WHEN a.xid IS NULL THEN 'is not in the trail: ' || left(e::text, 500) WHEN e.xid IS NULL THEN 'should not be in the trail: ' || left(a::text, 500) END,
               (SELECT string_agg(format('%s: expected %s, got %s', k, coalesce(left(w.value, 400), '(none)'), coalesce(left(g.value, 400), '(none)')), E'\n  ')
                  FROM model.flat(to_jsonb(e)) w (k, value) FULL JOIN model.flat(to_jsonb(a)) g (k, value) USING (k)
                 WHERE CASE WHEN k = 'command' THEN false WHEN k = 'min_depth' THEN g.value::int < w.value::int
                            -- what may be null is so here or there
                            WHEN k ~ '^(old|new)' OR k IN ('reason', 'request') THEN w.value IS DISTINCT FROM g.value ELSE w.value <> g.value OR g.value IS NULL AND w.value IS NOT NULL END))
      FROM model.expected((SELECT seq FROM model.progress)) e FULL JOIN model.actual((SELECT at FROM model.progress)) a USING (xid, n)
     WHERE e.xid IS NULL OR a.xid IS NULL OR e.tab <> a.tab OR e.operation <> a.operation OR e.row_key IS DISTINCT FROM a.row_key OR e.org_id <> a.org_id
        OR e.old::text IS DISTINCT FROM a.old::text OR e.new::text IS DISTINCT FROM a.new::text OR e.actions <> a.actions OR e.units <> a.units OR e.who <> a.who
        OR e.name <> a.name OR (e.name IS NOT NULL AND a.name IS NULL) OR e.role <> a.role OR e.reason IS DISTINCT FROM a.reason OR e.request IS DISTINCT FROM a.request
        OR e.depth <> a.depth OR e.min_depth > a.min_depth
     ORDER BY xid, n LIMIT 5
$$;

--
-- The replay
--
CREATE TABLE model.doc (tab regclass, org bigint, key text, doc jsonb);
CREATE UNIQUE INDEX ON model.doc (tab, key, coalesce(org, -1));
CREATE FUNCTION model.org_of(t regclass, org bigint) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT CASE WHEN org_in_key THEN $2 END FROM model.tab WHERE tab = t $$;
CREATE FUNCTION model.is_in(part text, t regclass, image jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE part WHEN 'parcel_more' THEN (image ->> 'stage')::int NOT IN (1, 2) WHEN 'old_plan' THEN (image ->> 'id')::int >= 100 ELSE part = 'parcel_' || (image ->> 'stage') END
$$;
-- What is there as long as the trail: in the order of transactions, of commands in each, of events in each.  A key that is still taken
-- is freed by an event to come, of a trigger that fired before the row was changed: the row waits for that.
CREATE FUNCTION model.replay() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    e record;
    before jsonb;
    after jsonb;
    waiting record;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS waits (n serial, tab regclass, org bigint, key text, doc jsonb);
    FOR e IN SELECT a.*, model.org_of(relation, org_id) AS org, (lead(xid) OVER w) IS DISTINCT FROM xid AS ends
               FROM (SELECT min(at) OVER (PARTITION BY xid) AS began, * FROM chat_rbac.audit_event WHERE at > (SELECT at FROM model.progress) AND operation NOT IN ('access', 'redact')) a
             WINDOW w AS (ORDER BY began, xid, command, event_id) ORDER BY began, xid, command, event_id LOOP
        before := NULL;
        after := e.new;
        IF e.operation IN ('update', 'delete', 'move_out') THEN
            DELETE FROM model.doc d WHERE d.tab = e.relation AND d.key = e.row_key AND d.org IS NOT DISTINCT FROM e.org RETURNING doc INTO before;
            IF before IS NULL THEN
                RETURN NEXT format('event %s of %s: there is no row %s of %s', e.event_id, e.xid, e.row_key, e.relation);
                CONTINUE;
            END IF;
            IF EXISTS (SELECT FROM jsonb_each_text(e.old) o WHERE o.value IS DISTINCT FROM before ->> o.key) THEN
                RETURN NEXT format('event %s: row %s of %s was %s and not %s', e.event_id, e.row_key, e.relation, left(before::text, 400), left(e.old::text, 400));
            END IF;
            after := CASE e.operation WHEN 'update' THEN before || e.new END;
            SELECT coalesce(jsonb_object_agg(key, value), '{}') INTO after FROM jsonb_each(after) WHERE value <> 'null' HAVING after IS NOT NULL;
            FOR waiting IN DELETE FROM waits WHERE n = (SELECT min(n) FROM waits v WHERE v.tab = e.relation AND v.key = e.row_key AND v.org IS NOT DISTINCT FROM e.org) RETURNING * LOOP
                INSERT INTO model.doc VALUES (waiting.tab, waiting.org, waiting.key, waiting.doc);
                INSERT INTO model.tally VALUES ('a key was freed before the row', 1);
            END LOOP;
        ELSIF e.operation = 'truncate' THEN
            DELETE FROM model.doc d WHERE d.tab = e.relation AND (e.row_key IS NULL OR model.is_in(e.row_key, d.tab, d.doc));
        END IF;
        IF after IS NOT NULL THEN
            INSERT INTO model.doc VALUES (e.relation, e.org, model.key(e.relation, after), after) ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                INSERT INTO waits (tab, org, key, doc) VALUES (e.relation, e.org, model.key(e.relation, after), after);
            END IF;
        END IF;
        IF e.ends AND EXISTS (SELECT FROM waits) THEN
            RETURN QUERY SELECT format('transaction %s: rows %s of %s are there twice', e.xid, w.key, w.tab) FROM waits w;
            DELETE FROM waits;
        END IF;
    END LOOP;
END $$;
-- The rows against what the replay made: as the trail has them, and read back (but not json, which the trail has as text)
CREATE FUNCTION model.row_differences() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    t record;
BEGIN
    RETURN QUERY SELECT r FROM model.replay() r LIMIT 5;
    FOR t IN SELECT * FROM model.tab LOOP
        RETURN QUERY EXECUTE format($q$
            WITH real AS (SELECT whole AS r, model.image(whole) AS image FROM %1$s whole),
            rows AS (SELECT r, image, model.key(%2$L, image) AS key, CASE WHEN %3$L THEN (image ->> %4$L)::bigint END AS org FROM real),
            docs AS (SELECT key, org, (SELECT jsonb_object_agg(k, v) FROM jsonb_each(doc) j (k, v) WHERE EXISTS (SELECT FROM pg_attribute WHERE attrelid = %2$L::regclass AND attname = k AND NOT attisdropped)) AS doc
                       FROM model.doc WHERE tab = %2$L::regclass)
            SELECT format('row %%s of %%s is %%s, the replay has %%s', coalesce(x.key, d.key), %2$L, coalesce(left(x.image::text, 500), 'not there'), coalesce(left(d.doc::text, 500), 'none'))
              FROM rows x FULL JOIN docs d ON d.key = x.key AND d.org IS NOT DISTINCT FROM x.org
             WHERE x.image::text IS DISTINCT FROM d.doc::text
                OR NOT jsonb_populate_record(x.r, (SELECT jsonb_object_agg(k, v) FROM jsonb_each(d.doc) j (k, v) WHERE NOT (v ? 'sha256' AND jsonb_typeof(v) = 'object') AND k <> ALL (%5$L::text[]))) *= x.r LIMIT 3$q$,
            t.tab, t.tab, t.org_in_key, t.org, ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = t.tab AND atttypid = 'json'::regtype));
    END LOOP;
END $$;
CREATE FUNCTION model.advance() RETURNS void LANGUAGE sql AS $$
    INSERT INTO model.tally SELECT format('%s %s', operation, relation), count(*) FROM chat_rbac.audit_event WHERE at > (SELECT at FROM model.progress) GROUP BY 1;
    UPDATE model.progress SET seq = coalesce((SELECT max(seq) FROM model.seen), 0), at = clock_timestamp();
$$;
SELECT format('INSERT INTO model.doc SELECT %L, %s, model.key(%1$L, model.image(x)), model.image(x) FROM %1$s x', tab, CASE WHEN org_in_key THEN org ELSE 'NULL' END) FROM model.tab WHERE ours \gexec

--
-- Statements by the dice
--
CREATE TABLE model.play (tab regclass PRIMARY KEY, weight int, lines text);
INSERT INTO model.play VALUES
('inbox.customer', 3, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8
owner_id: people
name: 'Ann' | 'Bob''s "shop"' | ''
blocked: false | false | true
balance: NULL | NULL | 0 | 12.50
WHERE: id % 3 = 1 | owner_id IS NULL | blocked
SET: owner_id = nullif(coalesce(owner_id, 0) + 1, 5) | balance = balance + 1 | updated_at = clock_timestamp()$$),
('inbox.conversation', 5, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
customer_id: 1 | 1 | 2 | 2 | 3 | 4 | 5
initiated_by: 'agent' | 'customer'
inbox_id: 1 | 1 | 5
team_id: team
assignee_id: people
status: 'open' | 'open' | 'waiting' | 'closed' | 'snoozed'
priority: 0 | 1 | 2 | 4
labels: '{}' | '{vip}' | '{"a, b",NULL}'
snoozed_until: NULL | '2027-01-01 00:00+02'
WHERE: id % 2 = 1 | assignee_id IS NULL | status <> 'closed' | team_id = 2
SET: assignee_id = chat_rbac.current_member() | priority = 3 - priority | labels = labels || 'new'::text | labels = '{}'$$),
('inbox.participant', 1, $$
org_id: org
conversation_id: 1 | 2 | 3 | 4 | 5
member_id: 1 | 2 | 3 | 4
WHERE: member_id = 4 | conversation_id < 4
SET: joined_at = clock_timestamp()$$),
('inbox.message', 5, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14
conversation_id: 1 | 2 | 3 | 4 | 5 | 6 | 7
kind: 'reply' | 'note' | 'incoming'
author_id: NULL | 1 | 4
body: 'Hello' | 'é' | repeat('long '' "', 2000)
WHERE: id % 5 = 1 | kind = 'note' | conversation_id IN (1, 2)
SET: body = body || '.' | sent_at = clock_timestamp()$$),
('inbox.lead', 2, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6
customer_id: 1 | 2 | 3
owner_id: people
team_id: team
value: NULL | 100 | 99.90
WHERE: id % 3 = 1 | owner_id IS NULL
SET: value = value * 1.10 | stage = 'won'$$),
('inbox.task', 2, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6
assignee_id: people
author_id: people
customer_id: NULL | 1 | 2 | 3 | 4 | 5 | 6
title: 'call' | 'write'
done: true | false
WHERE: id % 3 = 1 | done
SET: done = NOT done | title = upper(title)$$),
('desk.every', 7, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
team: team
is "odd": NULL | true | false
i2: NULL | -32768 | 7
i8: NULL | 9223372036854775807 | 1 | 4
n: NULL | 1.0 | 1.00 | 'NaN' | '-Infinity' | 1e30 | -0.000001 | 12345678901234567890.123456789
f4: NULL | 1.1 | 'NaN' | '-Infinity' | 3.4e38
f8: NULL | 0.1 | 1e-300 | 'Infinity' | 123456789.123456789
amount: NULL | 7 | -3.999
t: NULL | '' | 'plain' | E'quote" back\\slash \n tab\t end' | 'ünïcödé 你好 🙂' | repeat('x', 8192) | repeat('x', 8193) | repeat('é', 4096) | repeat('é', 4097) | repeat(md5('a'), 1500) | repeat(md5('b'), 300)
vc: NULL | '' | 'NULL' | repeat('v', 8900)
ch: NULL | 'ab' | ''
one: NULL | 'a' | ''
nm: NULL | 'a name'
gone_2: NULL | 'here'
b: NULL | '\x' | '\x00ff27' | decode(repeat('ab', 8192), 'hex') | decode(repeat('ab', 8193), 'hex') | decode(repeat('cd', 30000), 'hex')
d: NULL | '2026-02-28' | 'infinity' | '0044-03-15 BC' | '5874897-12-31'
tm: NULL | '23:59:59.999999' | '24:00'
tmz: NULL | '01:02:03+05:30'
ts: NULL | '2026-03-29 02:30:00.000001' | '-infinity'
tz: NULL | '2026-10-25 02:30:00.123+01' | 'infinity' | '4713-01-01 00:00+00 BC'
iv: NULL | '1 year -2 days +03:04:05.6' | '-1 mon'
ia: NULL | '{}' | '[0:1]={1,2}' | '{1,NULL,3}' | '{{1,2},{3,4}}'
ta: NULL | '{a,"b,c",NULL,"NULL",""}' | array_fill('text of some length'::text, ARRAY[900])
da: NULL | '{1,2}'
ya: NULL | '{"\\x00",NULL}'
ca: NULL | ARRAY[ROW(1.50, 'a', '{2026-01-01}')::desk.pair, NULL, ROW(NULL, NULL, NULL)::desk.pair]
j: NULL | '{}' | '{"a": [1, 2.0, {"b": null}], "é": "\u00e9"}' | '"s"' | '1.50' | '[]' | jsonb_build_object('a', array_fill('some words'::text, ARRAY[2000]))
js: NULL | '{"b": 1, "a":  "\u0000" , "b": 1e200000}'
m: NULL | 'glad' | 'it''s "bad"'
ma: NULL | '{glad,"so, so"}'
c: NULL | ROW(NULL, NULL, NULL) | ROW(1.0, 'x, "y"', '{2026-01-01,NULL}')
w: NULL | 'right' | 'right' | 'right' | 'right' | 'right' | 'right' | 'wrong'
r: NULL | 'empty' | '[2026-01-01 00:00+00,)' | '(2026-01-01 00:00+02,infinity]'
mr: NULL | '{}' | '{[1,3),[7,)}'
ip: NULL | '10.1.2.3/8' | '::1'
net: NULL | '10.0.0.0/8'
mac: NULL | '08:00:2b:01:02:03'
u: NULL | md5('u')
bits: NULL | B'' | B'1010'
x: NULL | '<a b="1">x</a>'
cash: NULL | '-12.34'
tsv: NULL | '''it'''''':2A b:1'
rel: NULL | 'desk.every' | 'pg_class'
p: NULL | '(0.1,-1e-7)'
perms: NULL | '{}' | '{lead.*,task.edit@own}'
WHERE: id % 4 = 1 | t IS NULL | j ? 'a' | org_id > 0
SET: t = t || 'x' | n = n * 1.0 | n = n | ia = ia || 7 | j = j || '{"more": [true]}' | d = d | b = b || '\x00ff' | tz = tz + interval '1 day' | i8 = NULL$$),
('desk.parcel', 8, $$
org_id: org
stage: 1 | 2 | 3 | 4
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12
team_id: team
owner_id: people
weight: NULL | 1.50 | 2
note: NULL | 'fragile' | repeat(md5('n'), 1500)
paid: true | false
mark: NULL | 1 | 2
WHERE: id % 3 = 1 | owner_id IS NULL | paid | stage = 2 | stage IN (1, 4) | true
SET: stage = stage % 4 + 1 | stage = 5 - stage | mark = mark + 1 | owner_id = chat_rbac.current_member() | stage = 2 | stage = 1, mark = 7 | note = note || '.'$$),
('desk.stamp', 3, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
stage: NULL | 1 | 2 | 3 | 4
parcel_id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12
price: NULL | 0.50
WHERE: id % 3 = 1 | price IS NULL | parcel_id = 4
SET: price = price + 1 | stage = NULL$$),
('desk.node', 7, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12
up: NULL | NULL | 1 | 2 | 3 | 4 | 5 | 6
twin: NULL | NULL | 1 | 2 | 3 | 4 | 5 | 6
mark: NULL | 1 | 5 | 12 | 13
WHERE: id % 3 = 1 | up IS NULL | mark > 3 | id < 4
SET: mark = mark + 1 | mark = 5 | up = nullif(id / 2, 0) | twin = up | mark = mark$$),
('desk.remark', 2, $$
id: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10
node_id: 1 | 2 | 3 | 4 | 5
body: NULL | 'yes'
WHERE: id % 3 = 1 | node_id < 4
SET: body = body || '.' | id = id + 50$$),
('desk.tag', 3, $$
org_id: 1 | 1 | 1 | 2 | NULL
code: 'a' | 'a,b' | '{c}' | 'd"e\' | 'NULL' | '' | E'new\nline'
born: '2019-12-31' | '2026-01-02' | 'infinity'
lang: 'de' | 'en'
rank: NULL | 1 | 2
body: NULL | 'text'
WHERE: rank = 2 | lang = 'de' | born < '2020-01-01'
SET: rank = coalesce(rank, 0) + 1 | rank = 2 | lang = upper(lang) | born = born + 1 | org_id = NULL | org_id = 2$$),
('desk.word', 4, $$
org_id: org
word: 'tree' | 'new' | 'newest' | 'é' | '"q"' | ''
meaning: NULL | '' | 'wood' | repeat('m', 9000)
secret: NULL | 's1' | 's2'
hits: 0 | 1 | 2
WHERE: hits % 2 = 0 | word LIKE '%e%' | secret IS NOT NULL
SET: hits = hits + 1 | secret = secret || '.' | meaning = secret | meaning = meaning || '.', secret = NULL$$),
('desk.single', 1, $$
org_id: org
n: NULL | 1 | 2
motto: NULL | 'We try'
WHERE: n > 1 | true
SET: n = n + 1 | motto = NULL$$),
('desk.plan', 2, $$
org_id: org
id: 1 | 2 | 3 | 4 | 5
mark: NULL | 1 | 2
WHERE: id % 3 = 1 | mark IS NULL
SET: mark = mark + 1 | mark = id$$),
('desk.old_plan', 1, $$
org_id: org
id: 101 | 102 | 103
mark: NULL | 1 | 2
WHERE: true
SET: mark = mark + 1$$);
CREATE TABLE model.col (tab regclass, n int, col text, type text, vals text[], PRIMARY KEY (tab, n));
INSERT INTO model.col
SELECT tab, n, what, format_type(atttypid, atttypmod), string_to_array(CASE vals WHEN 'people' THEN 'NULL | NULL | 1 | 2 | 3 | 4 | 5 | 8' WHEN 'org' THEN '1 | 1 | 1 | 1 | 1 | 2' WHEN 'team' THEN 'NULL | 2 | 2 | 3' ELSE vals END, ' | ')
  FROM model.play CROSS JOIN string_to_table(btrim(lines, E'\n'), E'\n') WITH ORDINALITY l (line, n) CROSS JOIN LATERAL (SELECT split_part(line, ': ', 1), substr(line, strpos(line, ': ') + 2)) s (what, vals)
  LEFT JOIN pg_attribute ON attrelid = tab AND attname = what;

CREATE FUNCTION model.pick(options text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT options[1 + model.dice(cardinality(options))] $$;
CREATE FUNCTION model.some(t regclass, what text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT model.pick(vals) FROM model.col WHERE tab = t AND col = what $$;
-- Columns of a table: the first ones are the key
CREATE FUNCTION model.keys(t regclass) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(attname::text ORDER BY o) FROM pg_index, unnest(indkey::int2[]) WITH ORDINALITY u (att, o) JOIN pg_attribute ON attnum = att WHERE indrelid = t AND indisprimary AND attrelid = t
$$;
CREATE FUNCTION model.cols(t regclass, keys text[], share int) RETURNS text[] LANGUAGE sql VOLATILE AS $$
    SELECT array_agg(col ORDER BY n) FROM (SELECT col, n FROM model.col JOIN pg_attribute ON attrelid = t AND attname = col WHERE tab = t AND (col = ANY (keys) OR attnotnull AND NOT atthasdef OR model.dice(10) < share) OFFSET 0) c
$$;
CREATE FUNCTION model.row(t regclass, cols text[]) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    c record;
    result text;
BEGIN
    FOR c IN SELECT * FROM model.col WHERE tab = t AND col = ANY (cols) ORDER BY array_position(cols, col) LOOP
        result := concat_ws(', ', result, format('CAST(%s AS %s)', model.pick(c.vals), c.type));
    END LOOP;
    RETURN '(' || result || ')';
END $$;
CREATE FUNCTION model.names(cols text[], prefix text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(prefix || quote_ident(c), ', ' ORDER BY o) FROM unnest(cols) WITH ORDINALITY u (c, o) $$;
CREATE FUNCTION model.some_rows(t regclass, prefix text DEFAULT '') RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    keys text[] := model.keys(t);
BEGIN
    IF model.dice(2) = 0 THEN
        RETURN prefix || model.some(t, 'WHERE');
    END IF;
    RETURN format('(%s) = %s', model.names(keys, prefix), model.row(t, keys));
END $$;
CREATE FUNCTION model.sets(t regclass, owner boolean, prefix text DEFAULT '') RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    keys text[] := model.keys(t);
    result text;
    c record;
BEGIN
    IF model.dice(2) = 0 THEN
        RETURN model.some(t, 'SET');
    END IF;
    FOR c IN SELECT * FROM model.col WHERE tab = t AND type IS NOT NULL ORDER BY n LOOP
        CONTINUE WHEN model.dice(CASE WHEN c.col = ANY (keys) THEN CASE WHEN owner THEN 15 ELSE 100 END WHEN t = 'desk.every'::regclass THEN 15 ELSE 4 END) > 0;
        result := concat_ws(', ', result, format('%I = %s', c.col, model.pick(c.vals)));
    END LOOP;
    RETURN coalesce(result, model.some(t, 'SET'));
END $$;
CREATE FUNCTION model.copy(t regclass) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    cols text[] := model.cols(t, model.keys(t), 7);
    result text := format(E'COPY %s (%s) FROM STDIN;\n', t, model.names(cols));
    line text;
BEGIN
    FOR n IN 1 .. 1 + model.dice(4) LOOP
        EXECUTE format($f$SELECT string_agg(coalesce(replace(replace(replace(v, '\', '\\'), E'\n', '\n'), E'\t', '\t'), '\N'), E'\t' ORDER BY o)
                            FROM (SELECT ARRAY[%s]) a (r), unnest(r) WITH ORDINALITY u (v, o)$f$, (SELECT string_agg(format('(%s)::text', v), ', ' ORDER BY o)
                                FROM (SELECT format('CAST(%s AS %s)', model.pick(c.vals), c.type), c.n FROM model.col c WHERE c.tab = t AND c.col = ANY (cols) ORDER BY c.n) r (v, o))) INTO line;
        result := result || line || E'\n';
    END LOOP;
    RETURN result || '\.';
EXCEPTION WHEN check_violation THEN     -- a value that its domain refuses
    RETURN model.copy(t);
END $$;
CREATE FUNCTION model.some_table() RETURNS regclass LANGUAGE sql VOLATILE AS $$ SELECT tabs[1 + model.dice(cardinality(tabs))] FROM (SELECT array_agg(tab ORDER BY tab::text) AS tabs FROM model.play, generate_series(1, weight)) t $$;

-- One statement, without its semicolon
CREATE FUNCTION model.statement(owner boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    t regclass := model.some_table();
    keys text[] := model.keys(t);
    cols text[] := model.cols(t, keys, 7);
    rest text[];
    kind int := model.dice(31);
    rows text := model.row(t, cols);
BEGIN
    IF kind < 10 THEN
        FOR n IN 1 .. model.dice(5) LOOP
            rows := rows || ', ' || model.row(t, cols);
        END LOOP;
        RETURN format('INSERT INTO %s (%s) VALUES %s', t, model.names(cols), rows)
               || CASE WHEN kind < 3 THEN '' WHEN kind < 5 THEN ' ON CONFLICT DO NOTHING'
                       ELSE format(' ON CONFLICT (%s) DO UPDATE SET %s', model.names(keys), (SELECT string_agg(format('%I = EXCLUDED.%1$I', c), ', ') FROM unnest(cols) c
                                    WHERE c <> ALL (keys) OR cols <@ keys OR c = 'stage')) || CASE WHEN kind = 9 THEN ' WHERE ' || model.some_rows(t, 'EXCLUDED.') ELSE '' END END;
    ELSIF kind < 19 THEN
        RETURN format('UPDATE %s x SET %s WHERE %s', t, model.sets(t, owner), model.some_rows(t));
    ELSIF kind < 22 THEN
        RETURN format('DELETE FROM %s WHERE %s', t, model.some_rows(t));
    ELSIF kind < 25 THEN
        rest := ARRAY(SELECT c FROM unnest(cols) c WHERE c <> ALL (keys));
        RETURN format('MERGE INTO %s x USING (VALUES %s, %s) AS s (%s) ON (%s) = (%s)%s WHEN NOT MATCHED THEN INSERT (%s) VALUES (%s)', t, rows, model.row(t, cols), model.names(cols), model.names(keys, 'x.'), model.names(keys, 's.'),
                      CASE model.dice(3) WHEN 0 THEN ' WHEN MATCHED AND random() < 0.5 THEN DELETE' ELSE '' END
                      || CASE WHEN rest = '{}' THEN ' WHEN MATCHED THEN DO NOTHING' ELSE format(' WHEN MATCHED THEN UPDATE SET (%s) = ROW(%s)', model.names(rest), model.names(rest, 's.')) END, model.names(cols), model.names(cols, 's.'));
    ELSIF kind < 26 THEN
        -- from other rows, some of them; an error after some
        RETURN format('UPDATE %s x SET %s FROM generate_series(1, 7) g WHERE g <> 3 AND 5 / (7 - g) >= 0 AND %s', t, model.some(t, 'SET'), model.some_rows(t));
    ELSIF kind < 27 THEN
        RETURN format('WITH gone AS (DELETE FROM %s WHERE %s RETURNING *), changed AS (UPDATE %s SET %s WHERE %s RETURNING 1) INSERT INTO %s (%s) SELECT %s FROM gone', t, model.some_rows(t),
                      CASE WHEN owner THEN 'desk.plan' ELSE 'inbox.task' END, CASE WHEN owner THEN 'mark = coalesce(mark, 0) + 1' ELSE 'done = NOT done' END, 'org_id = 1 AND id % 2 = 1', t, model.names(cols), model.names(cols));
    ELSIF kind < 28 THEN
        RETURN format('UPDATE %s x SET %s', t, model.some(t, 'SET'));
    ELSIF kind < 30 AND owner THEN
        CASE model.dice(3)
            WHEN 0 THEN RETURN format('TRUNCATE %s CASCADE', model.pick('{desk.parcel_2,desk.parcel,desk.remark,desk.tag,desk.parcel_more,desk.plan,desk.old_plan,inbox.message,desk.node}'));
            ELSE RETURN model.pick(ARRAY['UPDATE chat_rbac.member SET name = name || ''.'', active = NOT active WHERE member_id = 8', 'UPDATE chat_rbac.unit SET name = ''Unit '' || now(), key = key WHERE unit_id = 2',
                'INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (2, 20, ''New'') ON CONFLICT (org_id, member_id) DO UPDATE SET name = EXCLUDED.name || now()',
                'INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, reason) SELECT 2, 20, role_id, 3, ''test'' FROM chat_rbac.role WHERE org_id = 2 AND name = ''Agent''',
                'DELETE FROM chat_rbac.member WHERE org_id = 2 AND member_id = 20', 'UPDATE chat_rbac.role SET permissions = permissions + ''task.view'' WHERE org_id = 2 AND name = ''Viewer''',
                'INSERT INTO chat_rbac.role_inherit SELECT 2, s.role_id, j.role_id FROM chat_rbac.role s, chat_rbac.role j WHERE s.org_id = 2 AND j.org_id = 2 AND s.name = ''Sales'' AND j.name = ''Viewer'' ON CONFLICT DO NOTHING',
                'DELETE FROM chat_rbac.role_inherit WHERE org_id = 2 AND junior_id = (SELECT role_id FROM chat_rbac.role WHERE org_id = 2 AND name = ''Viewer'')',
                'UPDATE chat_rbac.org SET name = ''other '' || now() WHERE org_id = 2']);
        END CASE;
    ELSE
        -- the same row again and again; WHERE CURRENT OF
        RETURN format('DO $do$ DECLARE c CURSOR FOR SELECT * FROM %s x WHERE %s FOR UPDATE; BEGIN FOR r IN c LOOP UPDATE %s x SET %s WHERE CURRENT OF c; DELETE FROM %s WHERE (%s) = (%s) AND %s; END LOOP; END $do$',
                      t, model.some_rows(t), t, model.sets(t, owner), t, model.names(keys), model.names(keys, 'r.'), model.some(t, 'WHERE'));
    END IF;
END $$;
CREATE FUNCTION model.act(owner boolean) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    CASE model.dice(12)
        WHEN 0 THEN
            RETURN format('DO $try$ BEGIN %s; BEGIN %s; %s; RAISE EXCEPTION ''no''; EXCEPTION WHEN OTHERS THEN %s; END; EXCEPTION WHEN OTHERS THEN NULL; END $try$;',
                          model.statement(owner), model.statement(owner), model.statement(owner), model.statement(owner));
        WHEN 1 THEN
            RETURN format('DO $try$ BEGIN FOR i IN 1 .. 3 LOOP BEGIN %s; IF i = 2 THEN RAISE EXCEPTION ''no''; END IF; EXCEPTION WHEN OTHERS THEN NULL; END; %s; END LOOP; END $try$;', model.statement(owner), model.statement(owner));
        WHEN 2 THEN
            IF owner THEN
                RETURN model.copy(model.some_table());
            END IF;
        ELSE NULL;
    END CASE;
    RETURN model.statement(owner) || ';';
END $$;
-- Transactions, for psql
CREATE FUNCTION model.script(transactions int) RETURNS SETOF text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    owner boolean;
    savepoints int;
BEGIN
    FOR n IN 1 .. transactions LOOP
        owner := model.dice(5) < 2;
        RETURN NEXT '\set ON_ERROR_ROLLBACK ' || model.pick('{on,on,on,on,on,on,off}');
        RETURN NEXT model.pick('{BEGIN;,BEGIN;,BEGIN;,BEGIN ISOLATION LEVEL REPEATABLE READ;}');
        IF NOT owner OR model.dice(3) = 0 THEN
            RETURN NEXT format('SET LOCAL chat_rbac.identity = ''%s/%s'';', CASE model.dice(8) WHEN 0 THEN 2 ELSE 1 END, model.pick('{1,1,1,7,2,2,3,4,4,5,6,8}'));
        END IF;
        IF model.dice(4) = 0 THEN
            RETURN NEXT model.pick('{"SET LOCAL DateStyle = ''German'';","SET LOCAL DateStyle = ''SQL, MDY'';","SET LOCAL TimeZone = ''Asia/Kathmandu'';","SET LOCAL bytea_output = escape;","SET LOCAL extra_float_digits = -10;",
                                     "SET LOCAL IntervalStyle = iso_8601;","SET LOCAL search_path = desk, inbox;","SET LOCAL xmlbinary = hex;","SET LOCAL default_toast_compression = pglz;"}');
            RETURN NEXT format('SET LOCAL chat_rbac.reason = %L;', model.pick('{because,"it''s \"so\"",é}'));
            RETURN NEXT format('SET LOCAL chat_rbac.request_id = %L;', 'request ' || n);
        END IF;
        IF NOT owner THEN
            RETURN NEXT 'SET LOCAL ROLE regress_chat_rbac_replay;';
        ELSIF model.dice(10) = 0 THEN
            RETURN NEXT 'SET LOCAL session_replication_role = replica;';
        END IF;
        savepoints := 0;
        FOR i IN 1 .. 1 + model.dice(8) LOOP
            CASE model.dice(6)
                WHEN 0 THEN
                    savepoints := savepoints + 1;
                    RETURN NEXT format('SAVEPOINT s%s;', savepoints);
                WHEN 1 THEN
                    IF savepoints > 0 THEN
                        RETURN NEXT format('%s SAVEPOINT s%s;', model.pick('{ROLLBACK TO,ROLLBACK TO,RELEASE}'), savepoints);
                        savepoints := savepoints - 1;
                    END IF;
                ELSE NULL;
            END CASE;
            RETURN NEXT model.act(owner);
        END LOOP;
        RETURN NEXT model.pick('{COMMIT;,COMMIT;,COMMIT;,COMMIT;,COMMIT;,COMMIT;,ROLLBACK;}');
        -- by itself
        IF model.dice(3) = 0 THEN
            RETURN NEXT model.act(true);
        END IF;
    END LOOP;
END $$;

-- Rows to begin with, and the owner's way to say it all at once
CREATE FUNCTION model.first_rows() RETURNS SETOF text LANGUAGE sql AS $$
    VALUES ('BEGIN;'),
    ('INSERT INTO inbox.customer (org_id, id, name, owner_id) SELECT o, n, ''Customer '' || n, n FROM generate_series(1, 2) o, generate_series(1, 6) n;'),
    ('INSERT INTO inbox.conversation (org_id, id, customer_id, initiated_by, inbox_id, team_id) SELECT o, n, n, ''customer'', 1, 2 + n % 2 FROM generate_series(1, 2) o, generate_series(1, 6) n;'),
    ('INSERT INTO inbox.message (org_id, id, conversation_id, kind, author_id, body) SELECT 1, n, 1 + n % 6, ''note'', 1, ''Hi'' FROM generate_series(1, 14) n;'),
    ('INSERT INTO desk.every (org_id, id, t, b) SELECT 1, n, repeat(md5(''a''), 1500), decode(repeat(''cd'', 30000), ''hex'') FROM generate_series(1, 4) n;'),
    ('INSERT INTO desk.parcel (org_id, stage, id, team_id, owner_id, note) SELECT 1, 1 + n % 4, n, 2, n % 5, repeat(md5(''n''), 1500) FROM generate_series(1, 12) n;'),
    ('INSERT INTO desk.stamp (org_id, id, stage, parcel_id) SELECT 1, n, 1 + n % 4, n FROM generate_series(1, 9) n;'),
    ('INSERT INTO desk.node (org_id, id, up, twin) SELECT 1, n, nullif(n / 2, 0), nullif(n / 3, 0) FROM generate_series(1, 12) n;'),
    ('INSERT INTO desk.remark (id, node_id) SELECT n, 1 + n % 5 FROM generate_series(1, 9) n ON CONFLICT DO NOTHING;'),
    ('INSERT INTO desk.plan (org_id, id) SELECT o, n FROM generate_series(1, 2) o, generate_series(1, 4) n;'),
    ('INSERT INTO desk.single VALUES (1, 1);'),
    ('COMMIT;')
$$;

--
-- The trail as protect() makes it, in the default partition
--
SELECT model.first_rows() \g |psql -X -q -f - >/dev/null
SELECT is_empty('SELECT model.event_differences()', 'the first rows: the events are what was done');
SELECT is_empty('SELECT model.row_differences()', 'the first rows: the replay gives the tables');
SELECT model.advance() \g /dev/null
SELECT model.script(170) \g |psql -X -q -f - >/dev/null 2>&1
SELECT is_empty('SELECT model.event_differences()', 'in the default partition: the events are what was done');
SELECT is_empty('SELECT model.row_differences()', 'in the default partition: the replay gives the tables');
SELECT model.advance() \g /dev/null

-- In a partition of its time; columns that go and come
SELECT format('CREATE TABLE chat_rbac.audit_event_replay PARTITION OF chat_rbac.audit_event FOR VALUES FROM (%L) TO (%L)', now() + interval '1 second', now() + interval '1 day') \gexec
CREATE INDEX ON chat_rbac.audit_event_replay (org_id, at);
CREATE INDEX ON chat_rbac.audit_event_replay (relation, row_key);
ALTER TABLE desk.every DROP gone_2, DROP js, ADD late numeric;
ALTER TABLE desk.parcel ADD late text;
DELETE FROM model.col WHERE col IN ('gone_2', 'js');
INSERT INTO model.col VALUES ('desk.every', 1000, 'late', 'numeric', '{"NULL",1.5}'), ('desk.parcel', 1000, 'late', 'text', '{"NULL",''x''}');
SELECT model.watch(tab) FROM model.tab WHERE tab IN ('desk.every'::regclass, 'desk.parcel'::regclass) \g /dev/null
SELECT pg_sleep(1) \g /dev/null
SELECT model.script(150) \g |psql -X -q -f - >/dev/null 2>&1
SELECT is_empty('SELECT model.event_differences()', 'in a partition of its time: the events are what was done');
SELECT is_empty('SELECT model.row_differences()', 'in a partition of its time: the replay gives the tables');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ', ') FROM chat_rbac.audit_event WHERE at > (SELECT at FROM model.progress)), 'chat_rbac.audit_event_replay', 'and there they are');
SELECT model.advance() \g /dev/null

-- Partitions into which a row cannot go straight
ALTER TABLE chat_rbac.audit_event_replay ADD CONSTRAINT allowed CHECK (reason IS DISTINCT FROM 'é') NOT VALID;
SELECT model.script(45) \g |psql -X -q -f - >/dev/null 2>&1
SELECT is_empty('SELECT model.event_differences()', 'with a CHECK: the events are what was done');
SELECT is_empty('SELECT model.row_differences()', 'with a CHECK: the replay gives the tables');
SELECT throws_ok($$SET LOCAL chat_rbac.reason = 'é'; UPDATE desk.plan SET mark = coalesce(mark, 0) + 1$$, '23514', NULL, 'with a CHECK: what it refuses is not done');
SELECT model.advance() \g /dev/null
ALTER TABLE chat_rbac.audit_event_replay DROP CONSTRAINT allowed;

CREATE UNIQUE INDEX by_id ON chat_rbac.audit_event_replay (event_id);
CREATE INDEX by_expression ON chat_rbac.audit_event_replay (lower(row_key)) WHERE operation <> 'insert';
SELECT model.script(45) \g |psql -X -q -f - >/dev/null 2>&1
SELECT is_empty('SELECT model.event_differences()', 'with other indexes: the events are what was done');
SELECT is_empty('SELECT model.row_differences()', 'with other indexes: the replay gives the tables');
SET enable_seqscan = off;
SELECT is((SELECT count(*) FROM chat_rbac.audit_event_replay WHERE lower(row_key) = '1' AND operation <> 'insert'),
          (SELECT count(*) FROM chat_rbac.audit_event_replay WHERE lower(row_key || '') = '1' AND operation <> 'insert'), 'with other indexes: the events are in them');
RESET enable_seqscan;
SELECT model.advance() \g /dev/null
DROP INDEX chat_rbac.by_id, chat_rbac.by_expression;

CREATE TABLE model.told (event_id bigint);
CREATE FUNCTION model.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO model.told VALUES (NEW.event_id); RETURN NEW; END $$;
CREATE TRIGGER tell BEFORE INSERT ON chat_rbac.audit_event_replay FOR EACH ROW EXECUTE FUNCTION model.tell();
ALTER TABLE chat_rbac.audit_event_replay ENABLE ALWAYS TRIGGER tell;
SELECT model.script(45) \g |psql -X -q -f - >/dev/null 2>&1
SELECT is_empty('SELECT model.event_differences()', 'with a trigger: the events are what was done');
SELECT is_empty('SELECT model.row_differences()', 'with a trigger: the replay gives the tables');
SELECT set_eq('SELECT event_id FROM model.told', 'SELECT event_id FROM chat_rbac.audit_event WHERE at > (SELECT at FROM model.progress)', 'with a trigger: it is told of each');
SELECT model.advance() \g /dev/null
DROP TRIGGER tell ON chat_rbac.audit_event_replay;

--
-- How far from what was asked for
--
BEGIN;
CREATE TABLE desk.tree (org_id bigint, id int, up int, twin int, also int, PRIMARY KEY (org_id, id), FOREIGN KEY (org_id, up) REFERENCES desk.tree ON DELETE CASCADE, FOREIGN KEY (org_id, twin) REFERENCES desk.tree ON DELETE SET NULL (twin));
CREATE TABLE desk.told (org_id bigint, id serial, what int, PRIMARY KEY (org_id, id));
SELECT chat_rbac.protect('desk.tree', '{"resource": "task", "org": "org_id"}'), chat_rbac.protect('desk.told', '{"resource": "task", "org": "org_id"}') \g /dev/null
CREATE FUNCTION desk.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO desk.told (org_id, what) VALUES (1, OLD.id);
    DELETE FROM desk.tree WHERE id = OLD.also;
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER DELETE ON desk.tree FOR EACH ROW WHEN (OLD.id >= 10) EXECUTE FUNCTION desk.tell();
CREATE FUNCTION model.depths() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s %s', operation, coalesce((coalesce(old, new) ->> 'what'), row_key), depth), ', ' ORDER BY table_name DESC, operation, coalesce(coalesce(old, new) ->> 'what', row_key)::int)
      FROM chat_rbac.audit_event WHERE xid = pg_current_xact_id() AND table_name ~ '^desk.t(ree|old)' AND event_id > current_setting('model.mark')::bigint
$$;
CREATE FUNCTION model.mark() RETURNS void LANGUAGE sql AS $$ SELECT set_config('model.mark', max(event_id)::text, true) FROM chat_rbac.audit_event $$;
INSERT INTO desk.tree VALUES (1, 1, NULL, NULL), (1, 2, 1, NULL), (1, 3, 2, NULL), (1, 4, 2, NULL), (1, 5, NULL, NULL), (1, 6, 5, NULL), (1, 7, NULL, 3), (1, 8, NULL, 1);
SELECT model.mark() \g /dev/null
DELETE FROM desk.tree WHERE id IN (1, 5);
SELECT is(model.depths(), 'delete 1 0, delete 2 1, delete 3 2, delete 4 2, delete 5 0, delete 6 1, update 7 3, update 8 1', 'foreign keys: each cascade is one further');
INSERT INTO desk.tree VALUES (1, 10, NULL, NULL, NULL), (1, 11, 10, NULL, NULL), (1, 12, 11, NULL, 20), (1, 20, NULL, NULL, NULL), (1, 21, 20, NULL, NULL);
SELECT model.mark() \g /dev/null
DELETE FROM desk.tree WHERE id = 10;
SELECT is(model.depths(), 'delete 10 0, delete 11 1, delete 12 2, delete 20 3, delete 21 4, insert 10 1, insert 11 2, insert 12 3, insert 20 4, insert 21 5', 'triggers: what they do is one further than what they are fired by');
INSERT INTO desk.tree VALUES (1, 1, NULL), (1, 2, 1);
SELECT model.mark() \g /dev/null
DO $$ BEGIN BEGIN DELETE FROM desk.tree WHERE id = 1; RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN END; UPDATE desk.tree SET also = 1 WHERE id = 2; DELETE FROM desk.tree WHERE id = 1; END $$;
SELECT is(model.depths(), 'delete 1 0, delete 2 1, update 2 0', 'after what was rolled back: as before');
ROLLBACK;

--
-- That all of this has happened
--
SELECT is((SELECT string_agg(what, ', ' ORDER BY what) FROM (
               SELECT format('%s %s', o, tab) AS what FROM model.play, unnest('{insert,update}'::text[]) o WHERE tab NOT IN ('inbox.participant'::regclass, 'desk.old_plan'::regclass)
               UNION ALL SELECT format('delete %s', o) FROM unnest('{inbox.conversation,inbox.message,desk.every,desk.parcel,desk.node,desk.remark,desk.tag,desk.word}'::text[]) o
               UNION ALL SELECT format('%s desk.parcel', o) FROM unnest('{move_out,move_in,truncate}'::text[]) o
               UNION ALL SELECT format('update chat_rbac.%s', o) FROM unnest('{member,unit}'::text[]) o
               UNION ALL SELECT 'a key was freed before the row'
               EXCEPT SELECT what FROM model.tally WHERE cases > 0) missing), NULL, 'every kind of event has occurred');
SELECT cmp_ok((SELECT sum(cases) FROM model.tally), '>', 1500::numeric, 'many events were compared');
SELECT is((SELECT count(DISTINCT event_id) FROM chat_rbac.audit_event), (SELECT count(*) FROM chat_rbac.audit_event), 'each has an id of its own');
SELECT is((SELECT count(DISTINCT salt) FILTER (WHERE octet_length(salt) = 16) FROM chat_rbac.audit_event), (SELECT count(*) FROM chat_rbac.audit_event), 'each has a salt of its own, of 16 bytes');
SELECT is((SELECT count(DISTINCT incarnation) FROM chat_rbac.audit_event), 1::bigint, 'all are of one incarnation');
SELECT * FROM finish();

\c :home
DROP DATABASE regress_chat_rbac_replay;
DROP ROLE regress_chat_rbac_replay;

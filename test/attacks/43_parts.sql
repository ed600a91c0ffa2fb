--
-- Partitions and children: direct access to those that are there, to those that are
-- made or attached later, at all levels and in all ways, by the owner or others, and to
-- what is detached again.
--
-- Must happen: a part shows nothing and takes nothing by itself; through the protected
-- table its rows are under the rules, whenever it came; a detached part stays closed.
--
-- Known leak: a foreign table as a part: PostgreSQL has no policies for those.
--
SELECT * FROM no_plan();
GRANT CREATE ON SCHEMA inbox TO attack_app;		-- to make one's own parts there
SET ROLE attack_owner;
CREATE TABLE inbox.log (org_id bigint NOT NULL, id bigint, team_id bigint NOT NULL, assignee_id bigint, body text, PRIMARY KEY (org_id, team_id, id)) PARTITION BY LIST (team_id);
CREATE TABLE inbox.log_10 PARTITION OF inbox.log FOR VALUES IN (10);
SET client_min_messages = error;
SELECT chat_rbac.protect('inbox.log', '{"resource": "conversation", "org": "org_id", "units": {"team": "team_id"}, "relations": {"own": {"assignee_id": "$member"}, "unassigned": {"assignee_id": null}},
	"actions": [{"on": "insert", "requires": "conversation.start"}, {"on": "update", "column": "team_id", "requires": "conversation.transfer"}, {"on": "update", "requires": "conversation.edit"}, {"on": "delete", "requires": "conversation.delete"}]}') \g /dev/null
CREATE TABLE inbox.mail (org_id bigint NOT NULL, id bigint NOT NULL PRIMARY KEY, team_id bigint, assignee_id bigint, body text);
SELECT chat_rbac.protect('inbox.mail', chat_rbac.protection('inbox.log')) \g /dev/null

-- made later, in all ways
CREATE TABLE inbox.log_20 PARTITION OF inbox.log FOR VALUES IN (20);
CREATE TABLE inbox.log_40 PARTITION OF inbox.log FOR VALUES IN (40, 50) PARTITION BY RANGE (id);
CREATE TABLE inbox.log_40_low PARTITION OF inbox.log_40 FOR VALUES FROM (0) TO (100);
CREATE TABLE inbox.log_40_rest PARTITION OF inbox.log_40 DEFAULT;
CREATE TABLE inbox.was_open (LIKE inbox.log);
CREATE TABLE inbox.was_tree (LIKE inbox.log) PARTITION BY RANGE (id);
CREATE TABLE inbox.was_tree_leaf PARTITION OF inbox.was_tree DEFAULT;
GRANT ALL ON inbox.was_open, inbox.was_tree, inbox.was_tree_leaf TO attack_app;
ALTER TABLE inbox.log ATTACH PARTITION inbox.was_open FOR VALUES IN (60);
ALTER TABLE inbox.log ATTACH PARTITION inbox.was_tree FOR VALUES IN (70);
CREATE TABLE inbox.mail_old () INHERITS (inbox.mail);
CREATE TABLE inbox.mail_open (LIKE inbox.mail);
CREATE TABLE inbox.mail_grandchild (LIKE inbox.mail);
ALTER TABLE inbox.mail_open INHERIT inbox.mail;
ALTER TABLE inbox.mail_grandchild INHERIT inbox.mail_open;
CREATE TABLE inbox.mail_copy AS SELECT * FROM inbox.mail;
ALTER TABLE inbox.mail_copy ALTER org_id SET NOT NULL, ALTER id SET NOT NULL, INHERIT inbox.mail;
RESET ROLE;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA inbox TO attack_app;
CREATE VIEW lab.part AS SELECT c.oid::regclass AS part FROM pg_class c WHERE c.oid IN (SELECT inhrelid FROM pg_inherits) AND c.relnamespace = 'inbox'::regnamespace AND c.relkind IN ('r', 'p');
INSERT INTO inbox.log SELECT o, i, t, CASE i % 3 WHEN 0 THEN 6 WHEN 1 THEN 9 END, format('~x%s-%s~', o, t * 1000 + i) FROM unnest('{10,20,40,50,60,70}'::bigint[]) AS t, generate_series(1, 2) AS o, generate_series(1, 200, 7) AS i;
INSERT INTO inbox.mail SELECT 1 + i % 2, i, 10 * (1 + i % 7), CASE i % 3 WHEN 0 THEN 6 END, format('~y%s-%s~', 1 + i % 2, i) FROM generate_series(1, 30) AS i;
INSERT INTO inbox.mail_old SELECT 1, 100 + i, 10 * (1 + i % 7), NULL, format('~y1-%s~', 100 + i) FROM generate_series(1, 30) AS i;
INSERT INTO inbox.mail_grandchild SELECT 1, 200 + i, 10 * (1 + i % 7), 9, format('~y1-%s~', 200 + i) FROM generate_series(1, 30) AS i;
INSERT INTO lab.marker (marker, kind, org_id, id, seen_by, row_seen_by)
SELECT m.body, 'log', m.org_id, m.id, s.seen, s.seen FROM (TABLE inbox.log UNION ALL TABLE inbox.mail) AS m
CROSS JOIN LATERAL (SELECT array_agg(p.name) FROM lab.person p WHERE p.org_id = m.org_id AND CASE p.role WHEN 'Owner' THEN m.team_id <> 40 WHEN 'Admin' THEN m.org_id = 2 OR m.team_id <> 40
	WHEN 'Supervisor' THEN m.team_id = CASE p.name WHEN 'Hana' THEN 40 ELSE 10 END WHEN 'Agent' THEN m.team_id = 10 AND (m.assignee_id IS NULL OR m.assignee_id = p.member_id) END) AS a (who)
CROSS JOIN LATERAL (SELECT coalesce(a.who, '{}')) AS s (seen);

SELECT cmp_ok(count(*), '>=', 12::bigint, 'there are many parts') FROM lab.part;
SELECT is(ARRAY(SELECT part FROM lab.part p JOIN pg_class c ON c.oid = p.part WHERE NOT (c.relrowsecurity AND c.relforcerowsecurity)), '{}'::regclass[], 'all are closed');
SELECT lab.sees_own_only(who, format('SELECT t, t.tableoid::regclass, own.tell(t.body) FROM %s AS t WHERE own.tell(t.body)', t), format('%s sees by table %s what is theirs', who, t))
FROM unnest('{Olga,Sue,Ali,Hana,Gus}'::text[]) AS who, unnest('{inbox.log,inbox.mail}'::text[]) AS t WHERE (who, t) <> ('Gwen', 'inbox.mail');

-- each part by itself, for who sees most
SELECT is(ARRAY(SELECT part FROM lab.part WHERE lab.run_as(who, format('SELECT t, own.tell(t.body) FROM %s AS t', part)) <> ''), '{}'::regclass[], who || ' reads no part by itself')
FROM unnest('{Olga,Ali,Hana}'::text[]) AS who;
SELECT is(ARRAY(SELECT part FROM lab.part WHERE lab.run_as('Olga', format('SELECT count(*) FROM ONLY %s', part)) <> E'(0)\n'), '{}'::regclass[], 'nor with ONLY');
SELECT is(ARRAY(SELECT part || ' ' || s FROM lab.part, unnest('{"UPDATE %s SET body = NULL","DELETE FROM %s","INSERT INTO %s (org_id, id, team_id) VALUES (1, 1, 10)","INSERT INTO %s (org_id, id, team_id) VALUES (1, 9999, 40)",
	"TRUNCATE %s","SELECT 1 FROM %s FOR UPDATE","CREATE TRIGGER a BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()","LOCK %s IN ACCESS SHARE MODE; TABLE %1$s"}'::text[]) AS s
	WHERE lab.run_as('Olga', format(s, part)) !~ '^(0|ERROR (42501|23514|21000|42601))|^$'), '{}'::text[], 'nor writes any');
SELECT is((SELECT count(*) FROM inbox.log) || ' ' || (SELECT count(*) FROM inbox.mail), '348 90', '... and all rows are there');

-- to make a part takes the owner
CALL lab.become('Olga');
CREATE TABLE own.mine (org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint NOT NULL, assignee_id bigint, body text);
CALL lab.dba();
SELECT lab.gets_nothing('Olga', s, '^ERROR 42501', 'a part is not made by others: ' || s)
FROM unnest('{CREATE TABLE own.part PARTITION OF inbox.log FOR VALUES IN (99),CREATE TABLE own.child () INHERITS (inbox.mail),ALTER TABLE own.mine INHERIT inbox.mail,ALTER TABLE inbox.log ATTACH PARTITION own.mine FOR VALUES IN (99),
	ALTER TABLE inbox.log DETACH PARTITION inbox.log_40,ALTER TABLE inbox.mail_old NO INHERIT inbox.mail,ALTER TABLE inbox.log_40 ATTACH PARTITION own.mine FOR VALUES FROM (1) TO (2),DROP TABLE inbox.log_20}'::text[]) AS s;

-- rows that move between partitions
SELECT lab.gets_nothing('Ali', 'UPDATE inbox.log SET team_id = 40 WHERE id = 1 RETURNING *', NULL, 'an agent gives rows away, and learns nothing of where they go');
SELECT lab.gets_nothing('Ali', 'UPDATE inbox.log SET team_id = 40, id = i FROM generate_series(1, 20) AS i WHERE log.id = 22 RETURNING *', '^ERROR|^$', '... nor by trying keys');
SELECT lab.gets_nothing('Ali', 'UPDATE inbox.log SET team_id = 10 WHERE team_id = 40 RETURNING *', '^$', '... nor takes any');
SELECT lab.sees_own_only('Ali', 'TABLE inbox.log', '... and sees the rest of theirs');

-- what is taken out
SET ROLE attack_owner;
ALTER TABLE inbox.log DETACH PARTITION inbox.log_20;
ALTER TABLE inbox.log DETACH PARTITION inbox.log_40;
ALTER TABLE inbox.mail_grandchild NO INHERIT inbox.mail_open;
RESET ROLE;
SELECT is(ARRAY(SELECT t FROM unnest('{inbox.log_20,inbox.log_40,inbox.log_40_low,inbox.mail_grandchild}'::text[]) AS t WHERE lab.run_as('Olga', 'TABLE ' || t) || lab.run_as('Olga', 'DELETE FROM ' || t) <> E'0\n'), '{}'::text[],
	'what is detached shows and takes nothing');
SET ROLE attack_owner;
CREATE TABLE inbox.mail_last () INHERITS (inbox.mail);
GRANT SELECT ON inbox.mail_last TO attack_app;
ALTER TABLE inbox.mail_last NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE inbox.log_10 DISABLE ROW LEVEL SECURITY;
RESET ROLE;
INSERT INTO inbox.mail_last VALUES (1, 300, 10, NULL, 'x');
SELECT is(ARRAY(SELECT t FROM unnest('{inbox.log_10,inbox.mail_last}'::text[]) AS t WHERE lab.run_as('Olga', 'TABLE ' || t) <> ''), '{}', 'a part that its owner opens is closed again by the same command');
-- the event trigger acts whoever is asking, and in replica mode too
SET session_replication_role = replica;
CREATE TABLE inbox.log_80 PARTITION OF inbox.log FOR VALUES IN (80);
RESET session_replication_role;
GRANT ALL ON inbox.log_80 TO attack_app;
INSERT INTO inbox.log VALUES (1, 1, 80, 6, 'x');
SELECT is(lab.run_as('Olga', 'TABLE inbox.log_80'), '', 'a part that is made in replica mode is closed too');
SELECT * FROM finish();

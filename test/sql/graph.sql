--
-- The trees of roles and units, in psql and as Mermaid
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS chat_rbac;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
RESET client_min_messages;
\set SHOW_CONTEXT never
\pset format unaligned

CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT ON chat_rbac.org, chat_rbac.unit, chat_rbac.role, chat_rbac.role_inherit, chat_rbac.role_grant, chat_rbac.unit_tree, chat_rbac.role_tree
   TO regress_chat_rbac_app;

SELECT chat_rbac.create_org('acme', 1) AS acme, chat_rbac.create_org('Globex', 2) AS globex;
DELETE FROM chat_rbac.role_inherit WHERE org_id = 2;
DELETE FROM chat_rbac.role WHERE name NOT IN ('Owner', 'Manager', 'Supervisor', 'Agent') OR org_id = 2;
INSERT INTO chat_rbac.role (org_id, role_id, name) VALUES (2, 1, 'Owner'), (2, -7, 'Helper');
INSERT INTO chat_rbac.role_inherit VALUES (2, 1, -7);
-- two of one name and kind, with and without something below, and one below another of its name
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, parent_id, name) VALUES
  (1, 1, 'region', 1, NULL, 'EMEA'), (1, 2, 'department', 1, 1, 'Support'), (1, 3, 'team', 10, 2, 'Tier 2'), (1, 4, 'team', 20, 2, 'Tier 1'),
  (1, 5, 'team', 30, 1, 'Support'), (1, 6, 'team', 40, 5, 'Support'), (1, 7, 'region', 2, NULL, 'Americas'), (2, 1, 'team', 1, NULL, 'Support');
UPDATE chat_rbac.unit SET sealed = true WHERE org_id = 1 AND unit_id = 7;
INSERT INTO chat_rbac.member (org_id, member_id, name) SELECT o, m, 'Member ' || m FROM generate_series(1, 2) o, generate_series(1, 5) m;
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
SELECT 1, m, role_id, u, valid::tstzrange FROM chat_rbac.role r JOIN (VALUES
  ('Owner', 1, NULL, '(,)'), ('Manager', 2, 1, '(,)'), ('Supervisor', 3, 2, '(,)'), ('Agent', 3, 2, '(,)'), ('Agent', 4, 3, '(,)'), ('Agent', 5, 3, '(,)'),
  ('Agent', 5, 4, '[2020-01-01,2021-01-01)')) v (name, m, u, valid) ON r.org_id = 1 AND r.name = v.name;

--
-- DBAs see all orgs
--
SELECT * FROM chat_rbac.unit_tree;
SELECT org, role, holders FROM chat_rbac.role_tree WHERE org = 'acme';
\pset tuples_only on
-- ids of roles are the sequence's
SELECT regexp_replace(chat_rbac.role_graph('acme'), 'r1_\d+', 'r1_n', 'g');
SELECT string_agg(format('%s inherits %s', senior.name, junior.name), ', ' ORDER BY m.n)
  FROM regexp_matches(chat_rbac.role_graph('acme'), 'r1_(\d+) --> r1_(\d+)', 'g') WITH ORDINALITY m (ids, n)
  JOIN chat_rbac.role senior ON senior.org_id = 1 AND senior.role_id = m.ids[1]::bigint
  JOIN chat_rbac.role junior ON junior.org_id = 1 AND junior.role_id = m.ids[2]::bigint;
SELECT chat_rbac.role_graph('Globex');
SELECT chat_rbac.unit_graph('acme');
-- of several orgs each in a box
SELECT regexp_replace(chat_rbac.role_graph(), 'r1_\d+', 'r1_n', 'g');
SELECT chat_rbac.unit_graph(NULL);
SELECT chat_rbac.unit_graph('acne'); -- fail
SELECT chat_rbac.role_graph(''); -- fail

--
-- Members see what the tables show them
--
SET ROLE regress_chat_rbac_app;
SET chat_rbac.identity = '1/2';
SELECT * FROM chat_rbac.unit_tree;
SELECT chat_rbac.unit_graph();
SELECT regexp_replace(chat_rbac.role_graph(), 'r1_\d+', 'r1_n', 'g');
-- from the highest that is to be seen; the grants of others are not
SET chat_rbac.identity = '1/3';
SELECT * FROM chat_rbac.unit_tree;
SELECT chat_rbac.unit_graph();
SELECT regexp_replace(chat_rbac.role_graph('acme'), 'r1_\d+', 'r1_n', 'g');
-- an agent sees no units, and no role but the own
SET chat_rbac.identity = '1/4';
SELECT count(*) FROM chat_rbac.unit_tree;
SELECT chat_rbac.unit_graph();
SELECT regexp_replace(chat_rbac.role_graph(), 'r1_\d+', 'r1_n', 'g');
SELECT chat_rbac.role_graph('Globex'); -- fail: not for this one
-- nobody
SET chat_rbac.identity = '1/99';
SELECT chat_rbac.role_graph();
SELECT chat_rbac.unit_graph('acme'); -- fail
RESET chat_rbac.identity;
RESET ROLE;

--
-- A name is a name: nothing in it is markup, another node, a link or a directive
--
SELECT chat_rbac.mermaid_text(E'a"] --> b["x\\ny <b>&amp; #quot; %%{init: {}}%% `c` ; click r1 call f()\nend');
SELECT chat_rbac.mermaid_text('Tier 1 (EMEA), day/night + on-call_2');
SELECT chat_rbac.mermaid_text(U&'\0627\0644\062F\0639\0645 \5BA2') = U&'\0627\0644\062F\0639\0645 \5BA2' AS kept,
       chat_rbac.mermaid_text(U&'a\0001b\007Fc\0085d\2028e\2029f') = 'a b c d e f' AS blank;
SELECT chat_rbac.mermaid_text(''), chat_rbac.mermaid_text(NULL) IS NULL;
UPDATE chat_rbac.org SET name = 'Glob"ex' WHERE org_id = 2;
UPDATE chat_rbac.unit SET name = E'Q&A\n"]', kind = 'te#am' WHERE org_id = 2;
UPDATE chat_rbac.role SET name = '"]; r2_1 --> r2_1' WHERE org_id = 2 AND role_id = 1;
SELECT chat_rbac.unit_graph('Glob"ex');
SELECT chat_rbac.role_graph('Glob"ex');
SELECT count(*) FROM regexp_split_to_table(chat_rbac.unit_graph() || E'\n' || chat_rbac.role_graph(), E'\n') l
 WHERE l !~ '^(flowchart TD|    subgraph o\w+\["[^"\\<>]*"\]|    \w+\["[^"\\<>]*(<br/>[^"\\<>]*)?"\]|    \w+ --> \w+|    end)$';

-- Empty
SET client_min_messages = warning;
TRUNCATE chat_rbac.org RESTART IDENTITY CASCADE;
SELECT chat_rbac.role_graph();
SELECT chat_rbac.unit_graph();
SELECT count(*) FROM chat_rbac.unit_tree;
DROP OWNED BY regress_chat_rbac_app;
REVOKE SET ON PARAMETER chat_rbac.identity FROM regress_chat_rbac_app;
DROP ROLE regress_chat_rbac_app;

/*
 * bench/load.sql: 1 M conversations and 4 M messages in 100 orgs.
 *
 * Org 1 has 600 k conversations, 40 teams of 10 agents in 5 departments, and
 * 300 more teams without conversations; orgs 2 to 100 have 4 k each, 4 teams
 * and 40 agents.  All of it is arithmetic: every load is the same.
 */
\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

CREATE EXTENSION chat_rbac;
CREATE ROLE bench_app;
GRANT SET ON PARAMETER chat_rbac.identity TO bench_app;
CREATE SCHEMA inbox;
GRANT USAGE ON SCHEMA inbox TO bench_app;

/* the organisations: ids of teams and members are unique across orgs, as in most applications */
SELECT count(chat_rbac.create_org('org ' || o, o)) FROM generate_series(1, 100) AS o \g /dev/null
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, name)
SELECT 1, 900 + d, 'department', 'Department ' || d FROM generate_series(1, 5) AS d;
INSERT INTO chat_rbac.unit (org_id, unit_id, kind, parent_id, name)
SELECT 1, t, 'team', 900 + (t + 7) / 8, 'Team ' || t FROM generate_series(1, 40) AS t
UNION ALL
SELECT 1, 1000 + t, 'team', NULL, 'Empty team ' || t FROM generate_series(1, 300) AS t
UNION ALL
SELECT 1, 2000 + i, 'inbox', NULL, 'Inbox ' || i FROM generate_series(1, 20) AS i
UNION ALL
SELECT o, o * 10000 + t, 'team', NULL, 'Team ' || t FROM generate_series(2, 100) AS o, generate_series(1, 4) AS t;
INSERT INTO chat_rbac.member (org_id, member_id, name)
SELECT 1, m, 'Agent ' || m FROM generate_series(1, 400) AS m
UNION ALL
SELECT 1, 900 + m, name FROM unnest('{Admin,Supervisor of 2,Supervisor of 300,Nobody''s}'::text[]) WITH ORDINALITY AS s (name, m)
UNION ALL
SELECT o, o * 10000 + m, 'Agent ' || m FROM generate_series(2, 100) AS o, generate_series(1, 40) AS m;

/* agents: at their team; an admin; supervisors of 2 teams, one of them of 298 empty ones too */
INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
SELECT g.org_id, g.member_id, r.role_id, g.unit_id
FROM (
	SELECT 1, m, 'Agent', (m + 9) / 10 FROM generate_series(1, 400) AS m
	UNION ALL
	SELECT o, o * 10000 + m, 'Agent', o * 10000 + (m + 9) / 10 FROM generate_series(2, 100) AS o, generate_series(1, 40) AS m
	UNION ALL
	SELECT 1, 901, 'Admin', NULL
	UNION ALL
	SELECT 1, m, 'Supervisor', t FROM unnest('{902,903}'::int[]) AS m, unnest('{3,4}'::int[]) AS t
	UNION ALL
	SELECT 1, 903, 'Supervisor', 1000 + t FROM generate_series(1, 298) AS t
) AS g (org_id, member_id, role, unit_id)
JOIN chat_rbac.role r ON r.org_id = g.org_id AND r.name = g.role;

/* the inbox */
CREATE TABLE inbox.conversation (
	org_id bigint NOT NULL, id bigint NOT NULL, team_id bigint, inbox_id bigint, assignee_id bigint,
	status text NOT NULL, last_message_at timestamptz NOT NULL, subject text);
CREATE TABLE inbox.participant (org_id bigint NOT NULL, conversation_id bigint NOT NULL, member_id bigint NOT NULL);
CREATE TABLE inbox.message (
	org_id bigint NOT NULL, id bigint NOT NULL, conversation_id bigint NOT NULL,
	created_at timestamptz NOT NULL, body text);

/* team, inbox, assignee and time of a conversation are independent of each other */
INSERT INTO inbox.conversation
SELECT c.org_id, c.id, c.base + 1 + team, CASE WHEN c.org_id = 1 THEN 2001 + h[2] % 20 END,
	CASE WHEN h[3] % 8 <> 0 THEN c.base + team * 10 + 1 + h[4] % 10 END,	-- one in eight waits unassigned
	CASE WHEN h[5] % 5 = 0 THEN 'open' ELSE 'closed' END,
	timestamptz '2026-01-01' - h[6] % 31536000 * interval '1 second',
	'Conversation ' || c.id
FROM (
	SELECT 1, n, 0, 40 FROM generate_series(1, 600000) AS n
	UNION ALL
	SELECT 2 + (n - 1) / 4040, 600000 + n, (2 + (n - 1) / 4040) * 10000, 4 FROM generate_series(1, 399960) AS n
) AS c (org_id, id, base, teams)
CROSS JOIN LATERAL (SELECT array_agg(hashint8extended(c.id, k) & x'7fffffff'::bigint ORDER BY k) AS h FROM generate_series(1, 7) AS k) AS r
CROSS JOIN LATERAL (SELECT h[1] % c.teams AS team) AS t
ORDER BY h[7];		-- as if written over time, by all orgs at once

INSERT INTO inbox.participant
SELECT org_id, id, CASE WHEN org_id = 1 THEN 0 ELSE org_id * 10000 END + (team_id % 10000 - 1) * 10 + 1 + id % 10
FROM inbox.conversation WHERE hashint8(id) % 20 = 0;

INSERT INTO inbox.message
SELECT org_id, id * 4 + k, id, last_message_at - k * interval '1 minute', 'Hello, this is message ' || k
FROM inbox.conversation, generate_series(0, 3) AS k;

ALTER TABLE inbox.conversation ADD PRIMARY KEY (org_id, id);
ALTER TABLE inbox.participant ADD PRIMARY KEY (org_id, member_id, conversation_id);
ALTER TABLE inbox.message ADD PRIMARY KEY (org_id, id);
CREATE INDEX ON inbox.conversation (org_id, last_message_at);
CREATE INDEX ON inbox.conversation (org_id, team_id);
CREATE INDEX ON inbox.conversation (org_id, inbox_id);
CREATE INDEX ON inbox.conversation (org_id, assignee_id);
CREATE INDEX ON inbox.conversation (org_id, team_id) WHERE assignee_id IS NULL;
CREATE INDEX ON inbox.message (org_id, conversation_id, created_at);

SELECT chat_rbac.protect('inbox.conversation', '{
	"resource": "conversation", "org": "org_id",
	"units": {"team": "team_id", "inbox": "inbox_id"},
	"relations": {
		"own": {"assignee_id": "$member"},
		"unassigned": {"assignee_id": null},
		"participating": {"table": "inbox.participant", "row": "conversation_id", "member": "member_id"}}}') \g /dev/null
SELECT chat_rbac.protect('inbox.message', '{
	"resource": "message", "org": "org_id",
	"parent": {"table": "inbox.conversation", "column": "conversation_id"}}') \g /dev/null

GRANT SELECT ON ALL TABLES IN SCHEMA inbox TO bench_app;
VACUUM (ANALYZE, FREEZE);

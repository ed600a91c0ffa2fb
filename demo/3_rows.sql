-- demo/3_rows.sql: customers, conversations, messages and more, the same ones every time.

-- How chats come in: a customer always writes to one inbox, and ends up with
-- one team (NULL: not routed yet) or one of its people (NULL: in its queue).
CREATE TEMP TABLE arrival AS
SELECT a.*, row_number() OVER (PARTITION BY org_id ORDER BY inbox_id, team_id) - 1 AS slot, count(*) OVER (PARTITION BY org_id) AS slots
FROM (VALUES
	(1, 21, 3,    '{6,6,7,7,16,NULL}'::bigint[], 6),
	(1, 22, 3,    '{6,7,7,NULL}', 4),
	(1, 21, 4,    '{8,8,NULL}', 3),
	(1, 22, 5,    '{9,9,9,NULL}', 2),
	(1, 21, NULL, '{NULL}', 1),
	(1, 23, 5,    '{9,9,NULL}', 2),
	(1, 24, 6,    '{11,11,11,NULL}', 4),
	(1, 25, 8,    '{10,10,10,NULL}', 5),
	(1, 25, NULL, '{NULL}', 1),
	(1, 26, 9,    '{12,12,NULL}', 2),
	(2, 21, 1,    '{2,2,2,NULL}', 1)) AS a (org_id, inbox_id, team_id, assignees, share),
	generate_series(1, a.share);

INSERT INTO inbox.customer (org_id, id, owner_id, name, phone, credit_limit)
SELECT o.org_id, i, CASE WHEN i % 7 < 4 THEN o.sellers[1 + i % cardinality(o.sellers)] END,
	(ARRAY['Noor', 'Jonas', 'Priya', 'Lucia', 'Kofi', 'Emma', 'Yusuf', 'Mei', 'Pavel', 'Amara',
		   'Tomas', 'Leila', 'Hugo', 'Sofia', 'Ravi', 'Ines', 'Omar', 'Clara', 'Diego', 'Anna'])[1 + i % 20]
	|| ' ' ||
	(ARRAY['Haddad', 'Weber', 'Sharma', 'Rossi', 'Mensah', 'Clarke', 'Demir', 'Chen', 'Novak', 'Okafor',
		   'Silva', 'Karimi', 'Martin', 'Garcia', 'Patel', 'Costa', 'Nasser', 'Fischer', 'Torres', 'Berg',
		   'Ito', 'Larsen', 'Moreau', 'Kaya', 'Lopez', 'Nowak', 'Adeyemi', 'Ricci', 'Singh', 'Vogel'])[1 + (i / 20 + i) % 30],
	'+49 151 ' || 5550000 + i * 37,
	i * 7919 % 5000 / 10.0
FROM (VALUES (1, 600, '{11,12,11}'::bigint[]), (2, 60, '{2}')) AS o (org_id, n, sellers), generate_series(1, o.n) AS i;

INSERT INTO inbox.conversation (org_id, id, customer_id, inbox_id, team_id, assignee_id, initiated_by, status, last_message_at)
SELECT o.org_id, i, c.id, a.inbox_id, a.team_id,
	w.workers[1 + (i * 31 + i * i) % 1019 % cardinality(w.workers)], 'customer',
	CASE WHEN i <= o.n * 0.9 THEN 'closed' WHEN i % 5 < 3 THEN 'open' ELSE 'waiting' END,
	'2026-11-20 17:00Z'::timestamptz - (o.n - i) * interval '7 minutes'
FROM (VALUES (1, 4000, 600), (2, 400, 60)) AS o (org_id, n, customers)
CROSS JOIN LATERAL generate_series(1, o.n) AS i
CROSS JOIN LATERAL (SELECT 1 + (i * 7919 + i * i * 37) % 10007 % o.customers AS id) AS c
JOIN arrival a ON a.org_id = o.org_id AND a.slot = c.id * 7 % a.slots
-- what is closed has left the team's queue
CROSS JOIN LATERAL (SELECT CASE WHEN i <= o.n * 0.9 AND a.team_id > 0 THEN array_remove(a.assignees, NULL) ELSE a.assignees END AS workers) AS w;

-- Ali joins some chats of the teams around him, Dan some of Tier 1.
INSERT INTO inbox.participant (org_id, conversation_id, member_id)
SELECT org_id, id, CASE WHEN id % 2 = 0 THEN 6 ELSE 9 END
FROM inbox.conversation
WHERE org_id = 1 AND team_id IN (3, 4, 5) AND id % 17 < 2;

INSERT INTO inbox.message (org_id, conversation_id, author_id, kind, body, sent_at)
SELECT c.org_id, c.id, CASE WHEN n % 2 = 0 THEN c.assignee_id END, CASE WHEN n % 2 = 0 THEN 'reply' ELSE 'incoming' END,
	(ARRAY['Hello, where is my order?', 'Let me look it up.', 'It should have come on Monday.',
		   'It left our depot today.', 'Thank you!', 'Anything else?', 'No, that is all.'])[n],
	c.last_message_at - (l.last - n) * interval '2 minutes'
FROM inbox.conversation c
CROSS JOIN LATERAL (SELECT CASE WHEN c.assignee_id IS NULL THEN 1 ELSE (2 + c.id * 13 % 6)::int END AS last) AS l
CROSS JOIN LATERAL generate_series(1, l.last) AS n;

INSERT INTO inbox.task (org_id, assignee_id, author_id, customer_id, title, done)
SELECT o.org_id, p.id, p.id, 1 + i * 31 % o.customers,
	(ARRAY['Call back', 'Send the offer', 'Check the refund', 'Ask for a review'])[1 + i % 4], i % 3 = 0
FROM (VALUES (1, 640, 16, 600), (2, 40, 2, 60)) AS o (org_id, n, people, customers), generate_series(1, o.n) AS i
CROSS JOIN LATERAL (SELECT 1 + (i * i + i * 31) % 1019 % o.people AS id) AS p;

INSERT INTO inbox.lead (org_id, customer_id, owner_id, team_id, stage, value)
SELECT org_id, id, owner_id, CASE owner_id WHEN 11 THEN 6 ELSE 9 END, (ARRAY['new', 'qualified', 'offer', 'won', 'lost'])[1 + id % 5], id % 50 * 100
FROM inbox.customer WHERE org_id = 1 AND owner_id IS NOT NULL AND id % 3 = 0;

INSERT INTO inbox.broadcast (org_id, author_id, approved_by, status, title, body, sent_at) VALUES
	(1, 13, 2,    'sent',      'Opening hours', 'We are closed on 25 December.', '2026-11-16 09:00Z'),
	(1, 13, NULL, 'submitted', 'Black Friday',  'Everything is 20 % off, today only.', NULL),
	(1, 13, NULL, 'draft',     'New year',      'A happy new year to all of you!', NULL);

INSERT INTO inbox.setting (org_id, name, value) VALUES (1, 'business_hours', '{"mon-fri": "09:00-17:00"}');
INSERT INTO inbox.integration (org_id, name, kind) VALUES (1, 'Online shop', 'shop');

SELECT setval('inbox.customer_id_seq', max(id)) FROM inbox.customer;
SELECT setval('inbox.conversation_id_seq', max(id)) FROM inbox.conversation;
DROP TABLE arrival;
ANALYZE inbox.customer, inbox.conversation, inbox.participant, inbox.message, inbox.lead, inbox.task;

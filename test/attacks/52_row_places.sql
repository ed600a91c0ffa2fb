--
-- Rows by their place and by what stands beside them: TABLESAMPLE, ctid and the other
-- system columns, currtid2(), row locks, and cursors that write WHERE CURRENT OF.
--
-- Must happen: only visible rows are found, locked or written, however they are named.
--
-- Known leak: ctid counts rows on the way, so gaps tell that there are others.
--
SELECT * FROM no_plan();
SELECT lab.sees_own_only(who, s, format('%s: %s', who, s)) FROM unnest('{Ali,Sue,Gwen}'::text[]) AS who, unnest(ARRAY[
	'SELECT c FROM inbox.conversation AS c TABLESAMPLE SYSTEM (100)', 'SELECT c, own.tell(c.labels) FROM inbox.conversation AS c TABLESAMPLE BERNOULLI (100) REPEATABLE (1) WHERE own.tell(c.labels)',
	'SELECT m FROM inbox.message AS m TABLESAMPLE SYSTEM (100) WHERE own.tell(m.body)', 'SELECT ctid, xmin, xmax, cmin, tableoid, c.labels FROM inbox.conversation AS c WHERE own.tell(c.labels)',
	'SELECT c.labels, own.tell(c.labels) FROM inbox.conversation AS c WHERE ctid = ANY (ARRAY(SELECT format(''(%s,%s)'', p, i)::tid FROM generate_series(0, 9) AS p, generate_series(1, 100) AS i))',
	'SELECT c.labels FROM inbox.conversation AS c WHERE ctid BETWEEN ''(0,1)'' AND ''(9,1)'' AND own.tell(c.labels)',
	'SELECT a.labels, b.labels FROM inbox.conversation AS a JOIN inbox.conversation AS b ON a.ctid = b.ctid AND own.tell(b.labels)',
	'SELECT c.labels FROM inbox.conversation AS c WHERE xmin::text <> ''0'' AND own.tell(c.labels)',
	'SELECT c.labels FROM ONLY inbox.conversation AS c WHERE own.tell(c.labels) ORDER BY ctid']) AS s;
-- locks: of what one may see and change
SELECT lab.sees_own_only('Ali', 'SELECT c FROM inbox.conversation AS c WHERE own.tell(c.labels) FOR ' || s, 'FOR ' || s) FROM unnest('{UPDATE,NO KEY UPDATE,SHARE,KEY SHARE,UPDATE NOWAIT,UPDATE SKIP LOCKED}'::text[]) AS s;
SELECT lab.gets_nothing('Ali', 'SELECT m FROM inbox.message AS m FOR ' || s, '^$', 'rows that one may not change are not locked FOR ' || s) FROM unnest('{UPDATE,SHARE}'::text[]) AS s;
SELECT lab.gets_nothing('Vic', 'SELECT c FROM inbox.conversation AS c WHERE own.tell(c.labels) FOR UPDATE SKIP LOCKED', '^$', 'who sees nothing locks nothing');
SELECT lab.gets_nothing('Ali', 'SELECT c.id FROM inbox.conversation AS c WHERE id IN (16, 24) FOR UPDATE NOWAIT', '^$', 'nor does one, by a key');
BEGIN;
SELECT id FROM inbox.conversation WHERE (org_id, id) IN ((1, 16), (1, 5)) FOR UPDATE \g /dev/null
SELECT matches(lab.remote('Ali', 'SELECT id FROM inbox.conversation WHERE id = 5 FOR UPDATE NOWAIT'), '^ERROR 55P03', 'that a row is locked is told of visible ones');
SELECT is(lab.remote('Ali', 'SELECT id FROM inbox.conversation WHERE id = 16 FOR UPDATE NOWAIT'), '', '... and not of others');
SELECT is(lab.remote('Ali', 'UPDATE inbox.conversation SET labels = ''{x}'' WHERE id = 16'), E'0\n', '... which are not waited for');
SELECT is(lab.remote('Ali', 'DELETE FROM inbox.message WHERE conversation_id = 16'), E'0\n', '... nor are their children');
ROLLBACK;
-- by ctid of a row that is not seen
SELECT ctid AS hidden FROM inbox.conversation WHERE (org_id, id) = (1, 16) \gset
SELECT lab.gets_nothing('Ali', format(s, :'hidden'), a, s) FROM (VALUES ('SELECT c FROM inbox.conversation AS c WHERE ctid = %L', '^$'), ('UPDATE inbox.conversation SET labels = ''{x}'' WHERE ctid = %L RETURNING *', '^$'), ('DELETE FROM inbox.conversation WHERE ctid = %L RETURNING *', '^$'),
	('SELECT c FROM inbox.conversation AS c WHERE ctid = %L FOR UPDATE', '^$'), ('UPDATE inbox.conversation AS c SET assignee_id = 6 FROM (SELECT %L::tid AS t) AS x WHERE c.ctid = x.t RETURNING c.*', '^$')) AS v (s, a);
SELECT lab.gets_nothing('Ali', format('SELECT currtid2(''inbox.conversation'', %L)', :'hidden'), NULL, 'currtid2() gives a place, and no row');
SELECT is(lab.run_as('Ali', 'SELECT max((ctid::text::point)[1]) > count(*) FROM inbox.conversation WHERE (ctid::text::point)[0] = 0'), E'(t)\n', 'known leak: ctid has gaps where rows of others are');
SELECT is(lab.run_as('Ali', 'CREATE EXTENSION ' || e) ~ '^ERROR 42501', true, 'what looks into pages is not for everybody: ' || e) FROM unnest('{pageinspect,pgrowlocks,pg_visibility,pg_buffercache,amcheck,pgstattuple}'::text[]) AS e;
-- cursors that write
CALL lab.become('Ali');
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM inbox.conversation WHERE assignee_id IS NULL AND own.tell(labels) ORDER BY id FOR UPDATE;
SELECT lab.attempt('FETCH 1 FROM c') AS first \gset
SELECT is(lab.attempt('UPDATE inbox.conversation SET labels = ''{x}'' WHERE CURRENT OF c RETURNING *') ~ '^ERROR|^\(', true, 'WHERE CURRENT OF writes what may be written');
SELECT is(lab.attempt('DELETE FROM inbox.conversation WHERE CURRENT OF c RETURNING *') ~ '^ERROR|^$|^\(', true, '... or nothing');
ROLLBACK;
CALL lab.dba();
SELECT is(lab.hidden('Ali', :'first' || coalesce((SELECT string_agg(what, '') FROM own.loot), '')), '{}', 'a cursor that locks shows visible rows');
SELECT lab.log_out() \g /dev/null
SELECT * FROM finish();

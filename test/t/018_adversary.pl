# A generated adversary: random members of two orgs issue random changes of the
# RBAC tables, as plain SQL by an application's role with ordinary GRANTs.  None
# may end up with a right, or help somebody to one, that no initial holder could
# have given.
#
# Schema model says in plain SQL over the tables, and the text of permissions,
# what is held.  It calls no function of chat_rbac.  A right is a permission at
# a place: the whole org, or the rows that hold a unit's key.  A right at a key
# that was in the tree is given by who held it there, and one at any other key
# by who held it in the whole org; and for no longer than it was held.  The key of
# a sealed unit, or of one below, is closed: what is held in the whole org is not
# held there, and what seals opens or shuts is given or taken like the rest.  So
# what holds of each step holds of them all: nothing is held anywhere that was not
# held there in the beginning.
#
# Alone, each step is looked at by itself, with what was before and what is after
# it.  Then three sessions at once, in transactions of several steps and under two
# isolation levels; what must be true of every state is looked at in between.
#
# Some roles are statically separated, and nobody may come to be authorised, now or
# later, for as many of a set as are too many: that is looked at in every state too.
#
# CHAT_RBAC_ADVERSARY_STEPS is how many steps there are, CHAT_RBAC_ADVERSARY_SEED
# another beginning.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ChatRbac;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $steps = $ENV{CHAT_RBAC_ADVERSARY_STEPS} // 2500;
my $seed = $ENV{CHAT_RBAC_ADVERSARY_SEED} // 1;
my $round = 250;    # steps from one beginning
my $sessions = 3;
my $alone = int($steps * 0.7 / $round + 0.5) || 1;
my $duels = 10 + int($steps / 100);
my $together = int($steps * 0.3 / $round + 0.5) || 1;

my $node = new_cluster('adversary', conf => "deadlock_timeout = 20ms\nautovacuum = on");

sql($node, <<'SQL');
CREATE EXTENSION chat_rbac;
CREATE ROLE regress_chat_rbac_app;
GRANT SET ON PARAMETER chat_rbac.identity TO regress_chat_rbac_app;
GRANT USAGE ON SCHEMA chat_rbac TO regress_chat_rbac_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON chat_rbac.org, chat_rbac.unit, chat_rbac.member, chat_rbac.role, chat_rbac.role_inherit,
	chat_rbac.role_grant, chat_rbac.signing_key TO regress_chat_rbac_app;
CREATE SCHEMA model;
GRANT USAGE ON SCHEMA model TO regress_chat_rbac_app;
ALTER DATABASE postgres SET search_path = model;
SET search_path = model;

-- ---- what is so: rows, and rights by an independent reading of them ----

CREATE FUNCTION covers(a text, b text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT split_part(a, '.', 1) IN ('*', split_part(b, '.', 1))
		AND split_part(split_part(a, '.', 2), '@', 1) IN ('*', split_part(split_part(b, '.', 2), '@', 1))
		AND split_part(a, '@', 2) IN ('', split_part(b, '@', 2));
$$;

-- every row, by org, table and the key that the trail calls it by
CREATE FUNCTION rows() RETURNS TABLE (org bigint, tab text, key text, what jsonb) LANGUAGE sql STABLE AS $$
	SELECT org_id, 'org', org_id::text, to_jsonb(t) FROM chat_rbac.org t
	UNION ALL SELECT org_id, 'unit', unit_id::text, to_jsonb(t) FROM chat_rbac.unit t
	UNION ALL SELECT org_id, 'member', member_id::text, to_jsonb(t) FROM chat_rbac.member t
	UNION ALL SELECT org_id, 'role', role_id::text, to_jsonb(t) FROM chat_rbac.role t
	UNION ALL SELECT org_id, 'role_inherit', format('{%s,%s}', senior_id, junior_id), to_jsonb(t) FROM chat_rbac.role_inherit t
	UNION ALL SELECT org_id, 'role_grant', grant_id::text, to_jsonb(t) FROM chat_rbac.role_grant t
	UNION ALL SELECT org_id, 'signing_key', key_id::text, to_jsonb(t) FROM chat_rbac.signing_key t;
$$;
CREATE FUNCTION state() RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_object_agg(concat_ws('|', org, tab, key), what) FROM rows();
$$;

-- keys of sealed units, and of units below them: not of the whole org
CREATE FUNCTION closed() RETURNS TABLE (org bigint, place text) LANGUAGE sql STABLE AS $$
	WITH RECURSIVE inside (org_id, unit_id) AS (
		SELECT org_id, unit_id FROM chat_rbac.unit WHERE sealed
		UNION
		SELECT u.org_id, u.unit_id FROM inside i JOIN chat_rbac.unit u ON u.org_id = i.org_id AND u.parent_id = i.unit_id
	)
	SELECT u.org_id, u.kind || ':' || u.key FROM inside JOIN chat_rbac.unit u USING (org_id, unit_id);
$$;

-- who holds which permissions in the whole org (place '') or at a key, until when, now or when a grant that is to come begins, active or not
CREATE FUNCTION held() RETURNS TABLE (org bigint, member bigint, place text, permission text, until timestamptz) LANGUAGE sql STABLE AS $$
	WITH RECURSIVE carried (org_id, role_id, junior_id) AS (
		SELECT org_id, role_id, role_id FROM chat_rbac.role
		UNION
		SELECT c.org_id, c.role_id, i.junior_id FROM carried c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.junior_id
	), reached (org_id, unit_id, below_id) AS (
		SELECT org_id, unit_id, unit_id FROM chat_rbac.unit
		UNION
		SELECT r.org_id, r.unit_id, u.unit_id FROM reached r JOIN chat_rbac.unit u ON u.org_id = r.org_id AND u.parent_id = r.below_id AND NOT u.sealed
	), texts AS (
		SELECT DISTINCT c.org_id, c.role_id, trim(p) AS permission
		FROM carried c JOIN chat_rbac.role j ON j.org_id = c.org_id AND j.role_id = c.junior_id
		CROSS JOIN LATERAL unnest(string_to_array(trim(both '{}' FROM j.permissions::text), ',')) AS p
	), places AS (
		SELECT g.org_id, g.member_id, g.role_id, coalesce(u.kind || ':' || u.key, '') AS place, coalesce(upper(g.valid), 'infinity') AS until
		FROM chat_rbac.role_grant g
		LEFT JOIN reached r ON r.org_id = g.org_id AND r.unit_id = g.unit_id
		LEFT JOIN chat_rbac.unit u ON u.org_id = r.org_id AND u.unit_id = r.below_id
		WHERE upper_inf(g.valid) OR upper(g.valid) > statement_timestamp()
	)
	SELECT p.org_id, p.member_id, p.place, t.permission, max(p.until)
	FROM places p JOIN texts t ON t.org_id = p.org_id AND t.role_id = p.role_id
	GROUP BY 1, 2, 3, 4;
$$;

-- all of it, to look at later, when it is no longer so
CREATE FUNCTION rights() RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object('held', (SELECT jsonb_agg(to_jsonb(h)) FROM model.held() AS h), 'closed', (SELECT coalesce(jsonb_agg(to_jsonb(c)), '[]') FROM model.closed() AS c));
$$;
CREATE FUNCTION held(rights jsonb, org bigint) RETURNS TABLE (org bigint, member bigint, place text, permission text, until timestamptz) LANGUAGE sql STABLE AS $$
	SELECT * FROM jsonb_to_recordset(rights -> 'held') AS b (org bigint, member bigint, place text, permission text, until timestamptz) WHERE b.org = held.org;
$$;
CREATE FUNCTION closed(rights jsonb, org bigint) RETURNS text[] LANGUAGE sql STABLE AS $$
	SELECT coalesce(array_agg(c.place), '{}') FROM jsonb_to_recordset(rights -> 'closed') AS c (org bigint, place text) WHERE c.org = closed.org;
$$;

-- what was held in the beginning: nothing else may be held by anybody
CREATE TABLE bound (org bigint, place text, permission text, until timestamptz);
CREATE TABLE shut (org bigint, place text);	-- and what was closed then
CREATE FUNCTION beyond() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	WITH h AS MATERIALIZED (
		SELECT * FROM model.held()
	), opened AS (
		SELECT * FROM model.shut EXCEPT SELECT * FROM model.closed()
	)
	SELECT format('%s/%s has %s at "%s" until %s', h.org, min(h.member), h.permission, h.place, max(h.until))
	FROM (SELECT * FROM h UNION SELECT h.org, h.member, o.place, h.permission, h.until FROM h JOIN opened o ON o.org = h.org WHERE h.place = '') AS h
	WHERE NOT EXISTS (SELECT FROM model.bound b WHERE b.org = h.org AND b.until >= h.until AND model.covers(b.permission, h.permission)
		AND (b.place = h.place OR b.place = '' AND (h.org, h.place) NOT IN (SELECT s.org, s.place FROM model.shut s)))
	GROUP BY h.org, h.permission, h.place;
$$;
-- active members who hold everything in the whole org, now and for good
CREATE FUNCTION owners(org bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
	WITH RECURSIVE carried (member_id, role_id) AS (
		SELECT g.member_id, g.role_id FROM chat_rbac.role_grant g JOIN chat_rbac.member m USING (org_id, member_id)
		WHERE g.org_id = org AND g.unit_id IS NULL AND m.active AND g.valid @> statement_timestamp() AND coalesce(upper(g.valid), 'infinity') = 'infinity'
		UNION
		SELECT c.member_id, i.junior_id FROM carried c JOIN chat_rbac.role_inherit i ON i.org_id = org AND i.senior_id = c.role_id
	)
	SELECT DISTINCT c.member_id FROM carried c JOIN chat_rbac.role r ON r.org_id = org AND r.role_id = c.role_id
	WHERE trim(both '{}' FROM r.permissions::text) = '*.*';
$$;
-- what a step has given whom, and taken from whom, that the one who did it did not hold there himself
CREATE FUNCTION exceeded(org bigint, me bigint, before jsonb, changed text[]) RETURNS TABLE (what text, detail text) LANGUAGE sql STABLE AS $$
	WITH b AS MATERIALIZED (
		SELECT * FROM model.held(before, exceeded.org)
	), a AS MATERIALIZED (
		SELECT * FROM model.held() AS h WHERE h.org = exceeded.org
	), shut AS MATERIALIZED (
		SELECT model.closed(before, exceeded.org) AS places
	), opened AS (
		SELECT unnest(places) AS place FROM shut EXCEPT SELECT c.place FROM model.closed() AS c WHERE c.org = exceeded.org
	), given AS MATERIALIZED (
		SELECT d.* FROM (SELECT * FROM a EXCEPT SELECT * FROM b UNION SELECT a.org, a.member, o.place, a.permission, a.until FROM a, opened AS o WHERE a.place = '') AS d, shut
		WHERE NOT EXISTS (SELECT FROM b WHERE b.member = d.member AND (b.place = d.place OR b.place = '' AND d.place <> ALL (shut.places)) AND b.until >= d.until AND model.covers(b.permission, d.permission))
	), taken AS MATERIALIZED (
		SELECT d.* FROM (SELECT * FROM b EXCEPT SELECT * FROM a) AS d, shut
		WHERE NOT EXISTS (SELECT FROM a WHERE a.member = d.member AND (a.place = d.place OR a.place = '' AND d.place <> ALL (shut.places)) AND a.until >= d.until AND model.covers(a.permission, d.permission))
	)
	SELECT 'own rights grew', format('%s at "%s" until %s', d.permission, d.place, d.until) FROM given d WHERE d.member = me
	UNION ALL
	SELECT 'own rights shrank', format('%s at "%s" until %s', d.permission, d.place, d.until) FROM taken d WHERE d.member = me AND 'unit' <> ALL (changed)
	UNION ALL
	SELECT d.what, format('%s at "%s" until %s: member %s', d.permission, d.place, d.until, d.member)
	FROM (SELECT 'gave what is not held', * FROM given UNION ALL SELECT 'took what is not held', * FROM taken WHERE 'unit' <> ALL (changed)) AS d (what, org, member, place, permission, until), shut
	-- what a role has is the whole org's to take, also from who holds it in a closed place
	WHERE NOT EXISTS (SELECT FROM b WHERE b.member = me AND (b.place = d.place OR b.place = '' AND (d.place <> ALL (shut.places) OR d.what ~ '^took' AND changed && '{role,role_inherit}')) AND b.until >= d.until AND model.covers(b.permission, d.permission));
$$;
-- what a member holds that another does not
CREATE FUNCTION holds_more(org bigint, member bigint, me bigint, before jsonb) RETURNS SETOF text LANGUAGE sql STABLE AS $$
	WITH b AS MATERIALIZED (
		SELECT * FROM model.held(before, holds_more.org)
	), shut AS MATERIALIZED (
		SELECT model.closed(before, holds_more.org) AS places
	)
	SELECT format('%s at "%s"', h.permission, h.place) FROM b AS h, shut
	WHERE h.member = holds_more.member AND NOT EXISTS (
		SELECT FROM b WHERE b.member = me AND (b.place = h.place OR b.place = '' AND h.place <> ALL (shut.places)) AND b.until >= h.until AND model.covers(b.permission, h.permission));
$$;
-- does a member hold a permission at a place?
CREATE FUNCTION holds(org bigint, member bigint, wanted text, place text, rights jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM model.held(rights, holds.org) AS h
		WHERE h.member = holds.member AND (h.place = holds.place OR h.place = '' AND holds.place <> ALL (model.closed(rights, holds.org))) AND model.covers(h.permission, wanted));
$$;
-- who can administer a unit, for good, though nothing from above should count there
CREATE FUNCTION wardens(org bigint, unit bigint) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
	WITH RECURSIVE carried (member_id, grant_id, role_id) AS (
		SELECT g.member_id, g.grant_id, g.role_id FROM chat_rbac.role_grant g JOIN chat_rbac.member m USING (org_id, member_id)
		WHERE g.org_id = org AND g.unit_id = unit AND m.active AND g.valid @> statement_timestamp() AND upper_inf(g.valid)
		UNION
		SELECT c.member_id, c.grant_id, i.junior_id FROM carried c JOIN chat_rbac.role_inherit i ON i.org_id = org AND i.senior_id = c.role_id
	), texts AS (
		SELECT c.member_id, c.grant_id, trim(p) AS permission
		FROM carried c JOIN chat_rbac.role r ON r.org_id = org AND r.role_id = c.role_id CROSS JOIN LATERAL unnest(string_to_array(trim(both '{}' FROM r.permissions::text), ',')) AS p
	)
	SELECT DISTINCT t.member_id FROM texts t JOIN texts s USING (grant_id) WHERE model.covers(t.permission, 'unit.manage') AND model.covers(s.permission, 'role.assign');
$$;

-- who, now or later, is authorised for too many of the roles of a static set: now, or when one of the grants begins
CREATE FUNCTION joint() RETURNS SETOF text LANGUAGE sql STABLE AS $$
	WITH RECURSIVE carried (org_id, role_id, junior_id) AS (
		SELECT org_id, role_id, role_id FROM chat_rbac.role
		UNION
		SELECT c.org_id, c.role_id, i.junior_id FROM carried c JOIN chat_rbac.role_inherit i ON i.org_id = c.org_id AND i.senior_id = c.junior_id
	), has AS (
		SELECT g.org_id, g.member_id, s.separation_id, s.cardinality, r.role_id, g.valid
		FROM chat_rbac.separation s JOIN chat_rbac.separation_role r USING (org_id, separation_id)
		JOIN carried c ON c.org_id = r.org_id AND c.junior_id = r.role_id
		JOIN chat_rbac.role_grant g ON g.org_id = c.org_id AND g.role_id = c.role_id
		WHERE s.kind = 'static'
	)
	SELECT format('%s/%s by separation %s', h.org_id, h.member_id, h.separation_id) FROM has h
	JOIN has o ON o.org_id = h.org_id AND o.member_id = h.member_id AND o.separation_id = h.separation_id
		AND o.valid @> greatest(lower(h.valid), statement_timestamp())
	GROUP BY h.org_id, h.member_id, h.separation_id, h.cardinality, h.valid HAVING count(DISTINCT o.role_id) >= h.cardinality;
$$;

-- ---- the beginning ----

CREATE FUNCTION dice(sides int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT floor(random() * sides)::int';
CREATE FUNCTION chance(p float8) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT random() < p';
CREATE FUNCTION one_of(list text[]) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT list[1 + dice(cardinality(list))]';
CREATE FUNCTION a_permission() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT one_of('{role.view, role.manage, role.assign, role.*, member.view, member.manage, member.invite, member.*, unit.view, unit.manage, unit.*,
		settings.manage, token.manage, billing.manage, conversation.view, conversation.view@own, conversation.edit@own, conversation.*, conversation.*@own,
		task.view, task.edit, *.view, *.view@own, *.manage, *.*@own}');
$$;
CREATE FUNCTION permissions(most int) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT '{' || string_agg(a_permission(), ',') || '}' FROM generate_series(0, dice(most));
$$;

CREATE PROCEDURE begin() LANGUAGE plpgsql AS $$
DECLARE
	u bigint;
BEGIN
	TRUNCATE chat_rbac.org CASCADE;
	TRUNCATE model.bound, model.shut;
	PERFORM setval(pg_get_serial_sequence('chat_rbac.' || t, t || '_id'), 100, false) FROM unnest('{unit,member,role}'::text[]) AS t;
	FOR o IN 1..2 LOOP
		PERFORM chat_rbac.create_org('org ' || o, o);
		-- two trees and a team of its own; some keys that rows may hold are of no unit
		INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name, parent_id)
		SELECT o, i, model.one_of('{team,inbox}'), i, 'unit ' || i, CASE WHEN i IN (1, 2, 10) THEN NULL WHEN i < 5 THEN i - 2 ELSE 1 + model.dice(i - 1) END
		FROM generate_series(1, 10) AS i;
		INSERT INTO chat_rbac.member (org_id, member_id, name, active, subject) SELECT o, m, 'member ' || m, m <> 11, 'sub' || m FROM generate_series(1, 12) AS m;
		INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES
			(o, 50, 'delegate', '{role.*, member.*, unit.*, conversation.*, task.view}'), (o, 51, 'lead', '{role.view, role.assign, member.*, unit.*, task.*}'),
			(o, 52, 'builder', '{role.view, role.manage, unit.*, token.manage}'), (o, 53, 'empty', '{}');
		INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) SELECT o, r, 'role ' || r, model.permissions(4)::chat_rbac.permset FROM generate_series(54, 59) AS r;
		INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id)
		SELECT DISTINCT o, 50 + s.s, 50 + s.s + 1 + model.dice(9 - s.s) FROM (SELECT model.dice(8) AS s FROM generate_series(1, 4)) AS s;
		INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid)
		SELECT o, v.m, coalesce(v.r, 50 + model.dice(10)), v.u, v.valid::tstzrange
		FROM (VALUES (3, 50, NULL, '(,)'), (5, 52, NULL, '(,)'), (5, 51, 1, '(,)'), (5, NULL, 2, '(,)'), (6, 51, 2 + model.dice(8), '(,2300-01-01)'), (6, NULL, 1, '(,)'),
			(7, 50, 2, '(,2200-01-01)'), (7, NULL, NULL, '(,)'), (8, NULL, 1 + model.dice(10), '(,)'), (8, 51, 10, '(,)'), (9, NULL, 1 + model.dice(10), '(,)'), (9, NULL, NULL, '[infinity,)'),
			(10, NULL, NULL, '(,2020-01-01)'), (11, 50, NULL, '(,)'), (11, NULL, 3, '(,)')) AS v (m, r, u, valid);
		INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, valid)
		SELECT o, v.m, r.role_id, v.valid::tstzrange FROM (VALUES (1, 'Owner', '(,)'), (2, 'Owner', '(,)'), (3, 'Admin', '(,)'), (4, 'Owner', '(,2100-01-01)')) AS v (m, r, valid) JOIN chat_rbac.role r ON r.org_id = o AND r.name = v.r;
		-- some sealed, one perhaps below another, with people inside who hold much or little
		FOR n IN 1..model.dice(4) LOOP
			u := 3 + model.dice(8);
			UPDATE chat_rbac.unit SET sealed = true WHERE org_id = o AND unit_id = u;
			INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id)
			SELECT o, v.m, r.role_id, u FROM (VALUES (CASE WHEN model.chance(0.6) THEN 1 ELSE 1 + model.dice(9) END, 'Owner'), (1 + model.dice(9), model.one_of('{Owner,Admin,Manager}')), (1 + model.dice(12), 'delegate'), (1 + model.dice(12), model.one_of('{lead,role 54,role 55}'))) AS v (m, r)
			JOIN chat_rbac.role r ON r.org_id = o AND r.name = v.r;
		END LOOP;
	END LOOP;
	-- sets of two or three roles, where nobody has too many of them to begin with
	FOR n IN 1..12 LOOP
		BEGIN
			INSERT INTO chat_rbac.separation (org_id, separation_id, name, kind, cardinality) VALUES (1 + n % 2, n, 'set ' || n, 'static', 2);
			INSERT INTO chat_rbac.separation_role (org_id, separation_id, role_id)
			SELECT 1 + n % 2, n, r FROM (SELECT r FROM generate_series(50, 59) AS r ORDER BY random() LIMIT 2 + n % 2) AS r;
		EXCEPTION WHEN integrity_constraint_violation THEN
			NULL;
		END;
	END LOOP;
	INSERT INTO model.bound SELECT org, place, permission, max(until) FROM model.held() GROUP BY 1, 2, 3;
	INSERT INTO model.shut SELECT * FROM model.closed();
END
$$;

-- ---- the steps ----

CREATE FUNCTION a_member(org bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN chance(0.97) THEN (SELECT member_id FROM chat_rbac.member WHERE org_id = org ORDER BY random() LIMIT 1) ELSE 1 + dice(14) END;
$$;
CREATE FUNCTION a_unit(org bigint) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN chance(0.25) THEN 'NULL' ELSE (SELECT unit_id::text FROM chat_rbac.unit WHERE org_id = org ORDER BY random() LIMIT 1) END;
$$;
CREATE FUNCTION a_role(org bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT role_id FROM chat_rbac.role WHERE org_id = org ORDER BY random() - (role_id >= 50)::int * 0.4 LIMIT 1;
$$;
CREATE FUNCTION a_time() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT quote_literal(CASE WHEN chance(0.7) THEN '(,)' ELSE one_of('{"[2020-01-01,)","[2020-01-01,infinity)","[infinity,)","(,2020-01-01)","(,2200-01-01)","[2020-01-01,2300-01-01)"}') END);
$$;
-- which rows: one, or several, or all, with and without a look at them
CREATE FUNCTION which(col text, one text) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT CASE WHEN chance(0.85) THEN format('%s = %s', col, one) WHEN chance(0.7) THEN format('%s IN (%s, %s)', col, one, 1 + dice(12)) ELSE one_of('{true,org_id > 0}') END;
$$;
CREATE FUNCTION a_change(org bigint, kind text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	m bigint := model.a_member(org);
	u text := model.a_unit(org);
	r bigint := model.a_role(org);
	p text := (SELECT model.one_of(string_to_array(trim(both '{}' FROM t.permissions::text), ',')) FROM chat_rbac.role t WHERE t.org_id = org AND t.role_id = r);
	g text := (SELECT coalesce(max(x.grant_id), 0) FROM (SELECT grant_id FROM chat_rbac.role_grant WHERE org_id = org AND (m IS NULL OR member_id = m OR random() < 0.1) ORDER BY random() LIMIT 1) AS x);
BEGIN
	RETURN CASE kind
		WHEN 'grant' THEN format('INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid, granted_by) VALUES (%s, %s, %s, %s, %s, 1)%s', org, m, r, u, model.a_time(),
			CASE WHEN model.chance(0.2) THEN format(', (%s, %s, %s, %s, %s, NULL)', org, model.a_member(org), model.a_role(org), model.a_unit(org), model.a_time()) ELSE '' END)
		WHEN 'revoke' THEN 'DELETE FROM chat_rbac.role_grant WHERE ' || model.which('grant_id', g)
		WHEN 'regrant' THEN 'UPDATE chat_rbac.role_grant SET ' ||
			model.one_of(ARRAY['role_id = ' || r, 'role_id = ' || r, 'unit_id = ' || u, 'unit_id = ' || u, 'member_id = ' || m, 'valid = ' || model.a_time(), 'granted_by = 1']) || ' WHERE ' || model.which('grant_id', g)
		WHEN 'role' THEN format('INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (%s, %s, %L, %L)', org, 60 + model.dice(8), 'role ' || model.dice(20), model.permissions(2))
		WHEN 'permit' THEN 'UPDATE chat_rbac.role SET permissions = ' || model.one_of(ARRAY[
			format('permissions OPERATOR(chat_rbac.+) %L', model.a_permission()), format('permissions OPERATOR(chat_rbac.+) %L', model.a_permission()), format('permissions OPERATOR(chat_rbac.-) %L', coalesce(p, 'task.view')),
			quote_literal(model.permissions(3)), quote_literal('{}'), quote_literal('{*.*}')]) || ' WHERE ' || model.which('role_id', r::text)
		WHEN 'rename' THEN 'UPDATE chat_rbac.role SET ' || model.one_of(ARRAY[format('name = %L', 'role ' || model.dice(20)), 'max_duration = ''1 hour''', 'max_duration = NULL', 'role_id = 70']) || ' WHERE ' || model.which('role_id', r::text)
		WHEN 'unrole' THEN 'DELETE FROM chat_rbac.role WHERE ' || model.which('role_id', r::text)
		WHEN 'inherit' THEN format('INSERT INTO chat_rbac.role_inherit VALUES (%s, %s, %s)%s', org, r, model.a_role(org), CASE WHEN model.chance(0.2) THEN format(', (%s, %s, %s)', org, model.a_role(org), r) ELSE '' END)
		WHEN 'disinherit' THEN 'DELETE FROM chat_rbac.role_inherit WHERE ' || model.which(model.one_of('{senior_id,junior_id}'), r::text)
		WHEN 'reinherit' THEN format('UPDATE chat_rbac.role_inherit SET junior_id = %s WHERE senior_id = %s', model.a_role(org), r)
		WHEN 'unit' THEN format('INSERT INTO chat_rbac.unit (org_id, unit_id, kind, key, name, parent_id, sealed) VALUES (%s, %s, %L, %s, ''new'', %s, %s)', org, 1 + model.dice(14), model.one_of('{team,inbox}'), model.one_of(ARRAY['NULL', (1 + model.dice(14))::text]), u,
			model.one_of('{false,false,false,true}'))
		-- where it may well be done: where somebody is inside, and where it is sealed
		WHEN 'seal' THEN format('UPDATE chat_rbac.unit SET %s WHERE ', CASE WHEN model.chance(0.8) THEN 'sealed = true' ELSE format('sealed = true, parent_id = %s', u) END)
			|| model.which('unit_id', coalesce((SELECT min(x.unit_id) FROM (SELECT unit_id FROM chat_rbac.unit t WHERE org_id = org AND NOT sealed AND EXISTS (SELECT FROM model.wardens(org, t.unit_id)) ORDER BY random() LIMIT 1) AS x WHERE model.chance(0.7)), 1 + model.dice(12))::text)
		WHEN 'unseal' THEN format('UPDATE chat_rbac.unit SET %s WHERE ', model.one_of(ARRAY['sealed = false', 'sealed = false', 'sealed = false', 'sealed = NOT sealed', 'sealed = false, key = ' || 1 + model.dice(14), format('sealed = false, parent_id = %s', u)]))
			|| model.which('unit_id', coalesce((SELECT min(x.unit_id) FROM (SELECT unit_id FROM chat_rbac.unit t WHERE org_id = org AND sealed ORDER BY random() LIMIT 1) AS x), 1 + model.dice(12))::text)
		WHEN 'move' THEN format('UPDATE chat_rbac.unit SET parent_id = %s WHERE ', u) || model.which('unit_id', (1 + model.dice(12))::text)
		WHEN 'key' THEN 'UPDATE chat_rbac.unit SET ' || model.one_of(ARRAY['key = ' || 1 + model.dice(14), format('key = %s, parent_id = %s', 1 + model.dice(14), u), 'kind = ''team''', 'kind = ''inbox''', 'key = NULL', 'name = ''x''', 'unit_id = 20']) || ' WHERE ' || model.which('unit_id', (1 + model.dice(12))::text)
		WHEN 'ununit' THEN 'DELETE FROM chat_rbac.unit WHERE ' || model.which('unit_id', coalesce((SELECT min(x.unit_id) FROM (SELECT unit_id FROM chat_rbac.unit t WHERE org_id = org
			AND NOT EXISTS (SELECT FROM chat_rbac.unit b WHERE b.org_id = org AND b.parent_id = t.unit_id) AND NOT EXISTS (SELECT FROM chat_rbac.role_grant b WHERE b.org_id = org AND b.unit_id = t.unit_id)
			ORDER BY random() LIMIT 1) AS x), 1 + model.dice(14))::text)
		WHEN 'member' THEN format('INSERT INTO chat_rbac.member (org_id, member_id, name, subject) VALUES (%s, %s, ''new'', %L)', org, model.one_of(ARRAY['DEFAULT', (1 + model.dice(14))::text]), 'sub' || model.dice(30))
		WHEN 'manage' THEN 'UPDATE chat_rbac.member SET ' || model.one_of(ARRAY['active = true', 'active = false', 'active = NOT active', 'subject = ''x''', 'subject = NULL', 'tokens_valid_from = NULL', 'name = ''y''', 'login = ''postgres''', 'member_id = 13'])
			|| ' WHERE ' || model.which('member_id', m::text)
		WHEN 'dismiss' THEN 'DELETE FROM chat_rbac.member WHERE ' || model.which('member_id', m::text)
		WHEN 'key ring' THEN model.one_of(ARRAY[format('INSERT INTO chat_rbac.signing_key (org_id, kid, algorithm, secret) VALUES (%s, %L, ''HS256'', sha256(''x''))', model.one_of(ARRAY['NULL', org::text, org::text]), model.dice(9)),
			'DELETE FROM chat_rbac.signing_key', 'UPDATE chat_rbac.signing_key SET subject_is = ''member_id'''])
		WHEN 'org' THEN format('UPDATE chat_rbac.org SET %s', model.one_of(ARRAY['name = name || 1', 'name = ''org 1''', 'org_id = 3']))
		-- owners come and go, and one stays
		WHEN 'owner' THEN CASE
			WHEN model.chance(0.4) THEN format('INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT %s, %s, role_id FROM chat_rbac.role WHERE org_id = %s AND name = ''Owner''', org, m, org)
			WHEN model.chance(0.1) THEN 'DELETE FROM chat_rbac.role_grant WHERE role_id = (SELECT role_id FROM chat_rbac.role WHERE name = ''Owner'')'
			ELSE model.one_of('{DELETE FROM chat_rbac.role_grant,UPDATE chat_rbac.member SET active = false,DELETE FROM chat_rbac.member}') || ' WHERE member_id = '
				|| coalesce((SELECT min(x) FROM (SELECT * FROM model.owners(org) AS x ORDER BY random() LIMIT 1) AS x), m) END
	END;
END
$$;
CREATE FUNCTION become(who text) RETURNS boolean LANGUAGE sql VOLATILE AS $$ SELECT pg_catalog.set_config('chat_rbac.identity', who, true) IS NOT NULL $$;
CREATE FUNCTION a_step(org bigint, me bigint, OUT kind text, OUT command text) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	kinds constant text[] := '{grant,grant,grant,grant,revoke,regrant,regrant,role,permit,permit,rename,unrole,inherit,inherit,disinherit,reinherit,unit,seal,unseal,move,move,key,ununit,member,manage,manage,dismiss,key ring,org,owner}';
	about bigint := CASE WHEN model.chance(0.04) THEN 3 - org ELSE org END;
	other bigint;
BEGIN
	kind := model.one_of(kinds);
	IF model.chance(0.15) THEN
		-- several tables in one command, none of which sees what becomes of the others
		command := format('WITH a AS (%s), b AS (%s), c AS (%s) SELECT 1', model.a_change(about, model.one_of(kinds)), model.a_change(org, model.one_of(kinds)), model.a_change(org, kind));
		kind := 'several';
	ELSIF model.chance(0.03) THEN
		kind := 'merge';
		command := model.one_of(ARRAY[
			format('MERGE INTO chat_rbac.role_grant AS g USING (SELECT %s AS m) AS v ON g.member_id = v.m WHEN MATCHED THEN UPDATE SET role_id = %s WHEN NOT MATCHED THEN INSERT (org_id, member_id, role_id) VALUES (%s, v.m, %s)',
				model.a_member(org), model.a_role(org), org, model.a_role(org)),
			format('MERGE INTO chat_rbac.role AS r USING (SELECT %s AS r) AS v ON r.role_id = v.r WHEN MATCHED AND r.name LIKE ''r%%'' THEN DELETE WHEN MATCHED THEN UPDATE SET permissions = %L', model.a_role(org), model.permissions(1)),
			format('INSERT INTO chat_rbac.role_inherit VALUES (%s, %s, %s) ON CONFLICT (org_id, senior_id, junior_id) DO UPDATE SET junior_id = %s', org, model.a_role(org), model.a_role(org), model.a_role(org)),
			format('INSERT INTO chat_rbac.role_grant (org_id, grant_id, member_id, role_id, unit_id) SELECT %s, coalesce(min(grant_id), 1), %s, 53, 1 FROM chat_rbac.role_grant ON CONFLICT (org_id, grant_id) DO UPDATE SET member_id = %s, role_id = %s, unit_id = %s',
				org, model.a_member(org), model.a_member(org), model.a_role(org), model.a_unit(org)),
			format('INSERT INTO chat_rbac.role (org_id, role_id, name, permissions) VALUES (%s, %s, ''merged'', ''{}'') ON CONFLICT (org_id, role_id) DO UPDATE SET permissions = %L', org, model.a_role(org), model.permissions(2))]);
	ELSIF model.chance(0.03) THEN
		-- as somebody else for a row, and oneself again
		kind := 'switch';
		other := CASE WHEN model.chance(0.5) THEN 3 - me ELSE model.a_member(org) END;
		command := format('DELETE FROM chat_rbac.role_grant WHERE model.become(CASE WHEN member_id = %s THEN ''%s/%s'' ELSE ''%s/%s'' END) AND member_id IN (%s, %s) RETURNING model.become(''%s/%s'')',
			me, org, other, org, me, me, other, org, me);
	ELSE
		command := model.a_change(about, kind);
	END IF;
END
$$;

-- ---- who does what, and what came of it ----

CREATE TABLE fault (at bigint GENERATED ALWAYS AS IDENTITY, what text, who text, command text, detail text);
CREATE TABLE tally (kind text, outcome text, n int);
CREATE FUNCTION note(tallies jsonb, kind text, outcome text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
	SELECT tallies || jsonb_build_object(kind || '|' || outcome, coalesce((tallies ->> (kind || '|' || outcome))::int, 0) + 1);
$$;
CREATE PROCEDURE keep(tallies jsonb) LANGUAGE sql AS $$
	INSERT INTO model.tally SELECT split_part(key, '|', 1), split_part(key, '|', 2), value::int FROM jsonb_each_text(tallies);
$$;

-- one step as a member, undone if it is refused; the outcome: done or a SQLSTATE
CREATE PROCEDURE try(org bigint, me bigint, command text, narrow boolean, INOUT outcome text, INOUT message text) LANGUAGE plpgsql AS $$
BEGIN
	outcome := 'done';
	message := NULL;
	BEGIN
		PERFORM set_config('chat_rbac.active_roles', CASE WHEN narrow THEN (SELECT quote_ident(name) FROM chat_rbac.role r WHERE r.org_id = org ORDER BY random() LIMIT 1) ELSE '' END, true);
		PERFORM set_config('chat_rbac.identity', org || '/' || me, true);
		SET LOCAL ROLE regress_chat_rbac_app;
		EXECUTE command;
		RESET ROLE;
	EXCEPTION WHEN OTHERS THEN
		outcome := SQLSTATE;
		message := SQLERRM;
	END;
	PERFORM set_config('chat_rbac.active_roles', '', true), set_config('chat_rbac.identity', '', true);
	IF outcome <> 'done' AND outcome !~ '^(42501|23...|0P000|40001|40P01|22004)$' AND message NOT LIKE 'cannot remove%' THEN
		INSERT INTO model.fault (what, who, command, detail) VALUES ('unexpected ' || outcome, org || '/' || me, command, message);
	END IF;
END
$$;

CREATE FUNCTION an_actor(org bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT member_id FROM chat_rbac.member m WHERE org_id = org AND (active OR chance(0.02))
	-- often one who can do something, at a seal too
	ORDER BY random() - (member_id < 9)::int * 0.5
		- (chance(0.1) AND EXISTS (SELECT FROM chat_rbac.role_grant g JOIN chat_rbac.unit u USING (org_id, unit_id) WHERE g.org_id = m.org_id AND g.member_id = m.member_id AND u.sealed))::int LIMIT 1;
$$;

CREATE PROCEDURE alone(steps int) LANGUAGE plpgsql AS $$
DECLARE
	was jsonb := model.state();
	becomes jsonb;
	rights jsonb := model.rights();
	tallies jsonb := '{}';
	org bigint;
	me bigint;
	kind text;
	command text;
	outcome text;
	message text;
	faulty boolean := false;
BEGIN
	FOR n IN 1..steps LOOP
		org := CASE WHEN model.chance(0.7) THEN 1 ELSE 2 END;
		me := model.an_actor(org);
		SELECT s.kind, s.command INTO kind, command FROM model.a_step(org, me) AS s;
		CALL model.try(org, me, command, model.chance(0.04), outcome, message);
		becomes := model.state();
		IF outcome = 'done' AND becomes <> was THEN
			INSERT INTO model.fault (what, who, command, detail)
			SELECT f.what, org || '/' || me, command, f.detail FROM (
				SELECT 'beyond what was held in the beginning', b FROM model.beyond() AS b
				-- a unit that is moved or loses its key takes along what others have there; that is unit.manage
				UNION ALL SELECT * FROM model.exceeded(org, me, rights, ARRAY(SELECT DISTINCT split_part(coalesce(a.key, b.key), '|', 2) FROM jsonb_each(was) AS a FULL JOIN jsonb_each(becomes) AS b ON b.key = a.key
					WHERE a.value IS DISTINCT FROM b.value))
				UNION ALL SELECT 'no owner is left', o::text FROM generate_series(1, 2) AS o WHERE NOT EXISTS (SELECT FROM model.owners(o))
				UNION ALL SELECT 'too many separated roles', j FROM model.joint() AS j
				UNION ALL
				-- what changed, each row: of one's own org, not one's own grants or standing, no key unless all is one's own, and in the trail
				SELECT CASE
					WHEN split_part(d.key, '|', 1)::bigint <> org THEN 'another org changed'
					WHEN split_part(d.key, '|', 2) = 'role_grant' AND me IN ((d.old ->> 'member_id')::bigint, (d.new ->> 'member_id')::bigint) THEN 'own grants changed'
					WHEN split_part(d.key, '|', 2) = 'member' AND (d.old ->> 'member_id')::bigint = me AND (d.new IS NULL OR d.old - 'name' <> d.new - 'name') THEN 'own standing changed'
					WHEN split_part(d.key, '|', 2) = 'member' AND EXISTS (SELECT FROM model.holds_more(org, (d.old ->> 'member_id')::bigint, me, rights)) THEN 'a member changed who holds more'
					WHEN split_part(d.key, '|', 2) = 'signing_key' AND EXISTS (SELECT FROM unnest('{""}' || model.closed(rights, org)) AS p WHERE NOT model.holds(org, me, '*.*', p, rights)) THEN 'a key of who is no owner, or not of all'
					WHEN split_part(d.key, '|', 2) = 'unit' AND d.old -> 'sealed' <> d.new -> 'sealed' AND NOT (model.holds(org, me, 'unit.manage', format('%s:%s', d.old ->> 'kind', d.old ->> 'key'), rights)
						AND model.holds(org, me, 'unit.manage', coalesce((SELECT format('%s:%s', t.kind, t.key) FROM chat_rbac.unit t WHERE t.org_id = org AND t.unit_id = (d.old ->> 'parent_id')::bigint), ''), rights))
						THEN 'a seal by who does not manage both sides'
					WHEN split_part(d.key, '|', 2) = 'unit' AND (d.new ->> 'sealed')::boolean AND (d.old IS NULL OR NOT (d.old ->> 'sealed')::boolean)
						AND NOT EXISTS (SELECT FROM model.wardens(org, (d.new ->> 'unit_id')::bigint)) THEN 'sealed with nobody inside who could open it'
					WHEN split_part(d.key, '|', 2) = 'role_grant' AND d.new IS NOT NULL AND (d.new ->> 'granted_by')::bigint IS DISTINCT FROM me THEN 'a grant signed by another'
					WHEN NOT EXISTS (SELECT FROM chat_rbac.audit_event e WHERE e.xid = pg_current_xact_id() AND e.org_id = org AND e.table_name = 'chat_rbac.' || split_part(d.key, '|', 2)
						AND e.row_key = split_part(d.key, '|', 3) AND (d.new IS NULL) <= (e.operation = 'delete')) THEN 'not in the trail'
					END, format('%s: %s -> %s', d.key, d.old, d.new)
				FROM (SELECT coalesce(a.key, b.key) AS key, a.value AS old, b.value AS new FROM jsonb_each(was) AS a FULL JOIN jsonb_each(becomes) AS b ON b.key = a.key
					WHERE a.value IS DISTINCT FROM b.value) AS d
				UNION ALL
				SELECT 'in the trail as somebody else''s', format('%s %s by %s/%s as %s', e.operation, e.table_name, e.actor_org_id, e.actor_id, e.db_role)
				FROM chat_rbac.audit_event e WHERE e.xid = pg_current_xact_id() AND (e.actor_org_id, e.actor_id, e.db_role) IS DISTINCT FROM (org, me, 'regress_chat_rbac_app')
			) AS f (what, detail) WHERE f.what IS NOT NULL;
			faulty := FOUND;
			was := becomes;
			rights := model.rights();
			tallies := model.note(tallies, kind, 'done');
		ELSIF becomes <> was THEN
			INSERT INTO model.fault (what, who, command, detail) VALUES ('refused and done', org || '/' || me, command, message);
			was := becomes;
		ELSE
			tallies := model.note(tallies, kind, CASE outcome WHEN 'done' THEN 'nothing' ELSE outcome END);
		END IF;
		COMMIT;
		EXIT WHEN faulty;	-- what follows from it says no more
	END LOOP;
	CALL model.keep(tallies);
	COMMIT;
END
$$;

CREATE PROCEDURE look(who text) LANGUAGE sql AS $$
	INSERT INTO model.fault (what, who, detail)
	SELECT 'beyond what was held in the beginning', who, b FROM model.beyond() AS b
	UNION ALL SELECT 'no owner is left', who, o::text FROM generate_series(1, 2) AS o WHERE NOT EXISTS (SELECT FROM model.owners(o))
	UNION ALL SELECT 'too many separated roles', who, j FROM model.joint() AS j
	UNION ALL
	SELECT 'in the trail as somebody else''s', who, format('%s %s by %s/%s', e.operation, e.table_name, e.actor_org_id, e.actor_id)
	FROM chat_rbac.audit_event e WHERE e.db_role = 'regress_chat_rbac_app' AND e.at > clock_timestamp() - interval '5 s' AND e.org_id IS DISTINCT FROM e.actor_org_id;
$$;

-- one of several sessions: transactions of some steps of several members, kept or not
CREATE PROCEDURE together(steps int) LANGUAGE plpgsql AS $$
DECLARE
	tallies jsonb := '{}';
	org bigint;
	me bigint;
	kind text;
	command text;
	outcome text;
	message text;
BEGIN
	FOR n IN 1..steps LOOP
		org := CASE WHEN model.chance(0.7) THEN 1 ELSE 2 END;
		me := model.an_actor(org);
		IF model.chance(0.3) THEN
			SELECT o INTO me FROM model.owners(org) AS o ORDER BY random() LIMIT 1;
			kind := 'owner';
			command := model.a_change(org, 'owner');
		ELSE
			SELECT s.kind, s.command INTO kind, command FROM model.a_step(org, me) AS s;
		END IF;
		CALL model.try(org, me, command, false, outcome, message);
		tallies := model.note(tallies, 'together: ' || kind, outcome);
		IF model.chance(0.6) OR outcome IN ('40001', '40P01') THEN
			PERFORM set_config('default_transaction_isolation', model.one_of('{read committed,repeatable read}'), false);
			PERFORM pg_sleep(0.004 * random());
			IF model.chance(0.85) THEN
				COMMIT;
			ELSE
				ROLLBACK;
			END IF;
		END IF;
		IF n % 10 = 0 THEN
			PERFORM set_config('default_transaction_isolation', 'read committed', false);
			COMMIT;
			CALL model.look(org || '/' || me);
			COMMIT;
		END IF;
	END LOOP;
	CALL model.keep(tallies);
	COMMIT;
END
$$;

-- two owners of org 1 who remove each other at the same moment; 1 makes both owners again
CREATE PROCEDURE duel(me int, rounds int, start timestamptz) LANGUAGE plpgsql AS $$
DECLARE
	tallies jsonb := '{}';
	moment timestamptz;
	command text;
	outcome text;
	message text;
BEGIN
	FOR n IN 1..rounds LOOP
		PERFORM set_config('default_transaction_isolation', 'read committed', false);
		COMMIT;
		IF me = 1 THEN
			INSERT INTO model.fault (what, who) SELECT 'no owner is left', 'a duel' WHERE NOT EXISTS (SELECT FROM model.owners(1));
			INSERT INTO chat_rbac.member (org_id, member_id, name) VALUES (1, 1, 'one'), (1, 2, 'two') ON CONFLICT (org_id, member_id) DO UPDATE SET active = true;
			DELETE FROM chat_rbac.role_grant WHERE org_id = 1 AND member_id IN (1, 2);
			INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id) SELECT 1, m, role_id FROM chat_rbac.role, generate_series(1, 2) AS m WHERE org_id = 1 AND name = 'Owner';
		END IF;
		PERFORM set_config('default_transaction_isolation', model.one_of('{read committed,repeatable read}'), false);
		COMMIT;
		moment := start + n * interval '80 ms';
		PERFORM pg_sleep(extract(epoch FROM moment - interval '30 ms' - clock_timestamp()));
		PERFORM FROM chat_rbac.org;	-- the snapshot of REPEATABLE READ is of before
		PERFORM pg_sleep(extract(epoch FROM moment - clock_timestamp()));
		command := model.one_of('{DELETE FROM chat_rbac.role_grant,UPDATE chat_rbac.role_grant SET role_id = 53,UPDATE chat_rbac.member SET active = false,DELETE FROM chat_rbac.member}');
		CALL model.try(1, me, command || ' WHERE member_id = ' || 3 - me, false, outcome, message);
		tallies := model.note(tallies, 'duel', outcome);
		PERFORM pg_sleep(0.01 * random());
		COMMIT;
		PERFORM pg_sleep(extract(epoch FROM moment + interval '40 ms' - clock_timestamp()));
	END LOOP;
	CALL model.keep(tallies);
	COMMIT;
END
$$;
GRANT EXECUTE ON FUNCTION model.become TO regress_chat_rbac_app;
SQL

sub faults
{
	return sql($node, "SELECT concat_ws(' | ', what, who, command, detail) FROM model.fault ORDER BY at LIMIT 5");
}

for my $n (1 .. $alone)
{
	sql($node, seeded($seed * 1000 + $n, "CALL model.begin();\nCALL model.alone($round);"));
}
is(faults(), '', 'alone: no step gives, takes or leaves what it may not');
sql($node, 'TRUNCATE model.fault');

# Run statements in each of several sessions, at once: none waits to be fed.
sub at_once
{
	my @sessions;

	for my $script (@_)
	{
		my %one = (out => '', err => '');

		$one{run} = IPC::Run::start([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), map { ('-c', $_) } split /\n/, $script ],
			'<', '/dev/null', '>', \$one{out}, '2>', \$one{err}, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
		push @sessions, \%one;
	}
	for my $one (@sessions)
	{
		$one->{run}->finish;
		die "a session failed: $one->{err}" if $one->{err} =~ /ERROR|FATAL|connection/;
	}
	return;
}

sub seeded
{
	my ($n, $sql) = @_;

	return sprintf("DO 'BEGIN PERFORM setseed(%.6f); END';\n%s", $n % 100003 / 100003, $sql);
}

for my $n (1 .. $together)
{
	sql($node, seeded($seed * 2000 + $n, 'CALL model.begin();'));
	at_once(map { seeded($seed * 3000 + $n * 10 + $_, "CALL model.together($round / $sessions);") } 1 .. $sessions);
	sql($node, "CALL model.look('the end')");
}
is(faults(), '', 'several sessions: none leaves what it may not');
sql($node, 'TRUNCATE model.fault');

sql($node, seeded($seed, 'CALL model.begin();'));
my $start = sql($node, "SELECT now() + interval '0.5 s'");
at_once(map { seeded($seed * 4000 + $_, "CALL model.duel($_, $duels, '$start');") } 1 .. 2);
is(faults(), '', 'two owners who remove each other: one stays');
is(sql($node, "SELECT bool_or(outcome = 'done') AND bool_or(outcome = '42501') FROM model.tally WHERE kind = 'duel'"), 't', 'one of them is refused');

# a test of an adversary that gets nothing done shows nothing
is( sql($node, "SELECT string_agg(k, ', ') FROM unnest('{grant,revoke,regrant,role,permit,unrole,inherit,disinherit,unit,seal,unseal,move,ununit,member,manage,dismiss,owner,several}'::text[]) AS k"
		  . " WHERE NOT EXISTS (SELECT FROM model.tally WHERE kind = k AND outcome = 'done') OR NOT EXISTS (SELECT FROM model.tally WHERE kind = k AND outcome = '42501')"),
	'', 'steps of each kind are done, and refused');
my $share = sql($node, "SELECT round(100.0 * sum(n) FILTER (WHERE outcome = 'done') / sum(n)) FROM model.tally WHERE kind !~ '^together'");
cmp_ok($share, '>=', 8, 'many steps are done');
note(sql($node, "SELECT kind || ': ' || string_agg(outcome || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT kind, outcome, sum(n) AS n FROM model.tally GROUP BY 1, 2) AS t GROUP BY kind ORDER BY kind"));
note("steps alone: ", $alone * $round, ", together: ", $together * $round, ", done alone: $share%");

done_testing();

/* ---- moves and leavers: work that is handed over, units that are merged ---- */

/*
 * hand_over() and merge_units() change rows as whoever calls them, through policies and
 * guard, and then count past these what is left: all of it, or nothing.  They are in C
 * (src/leavers.c), so that nobody else writes their events; here is what they run, which
 * our owner makes of the specifications.  What changes the application's tables is run
 * under the caller's search_path, which its triggers may need, so operators are
 * qualified there.
 */

CREATE FUNCTION chat_rbac.units_below(org bigint, units bigint[], into_sealed boolean) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE down (unit_id) AS (
		SELECT u FROM unnest(units) AS u
		UNION
		SELECT u.unit_id FROM down JOIN chat_rbac.unit u ON u.org_id = org AND u.parent_id = down.unit_id
		WHERE into_sealed OR NOT u.sealed)
	SELECT unit_id FROM down ORDER BY unit_id;
END;
REVOKE ALL ON FUNCTION chat_rbac.units_below(bigint, bigint[], boolean) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.units_below(bigint, bigint[], boolean) IS 'Internal: units and those below them, all or as far as a grant at the first ones reaches.';

CREATE FUNCTION chat_rbac.sealed_off(org bigint, permissions chat_rbac.permset) RETURNS bigint[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT ARRAY(SELECT chat_rbac.sealed_units(org) EXCEPT SELECT unnest(chat_rbac.units_scope(permissions)));
END;
REVOKE ALL ON FUNCTION chat_rbac.sealed_off(bigint, chat_rbac.permset) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.sealed_off(bigint, chat_rbac.permset) IS 'Internal: the units at or below a seal where who asks holds none of the permissions: what is there is not theirs to know.';

CREATE FUNCTION chat_rbac.units_condition(org bigint, spec jsonb, units bigint[]) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT '(' || string_agg(format('%I IS NOT NULL AND %1$I OPERATOR(pg_catalog.=) ANY (%L::bigint[])', c.value, k.keys), ' OR ') || ')'
	FROM jsonb_each_text(spec -> 'units') AS c
	CROSS JOIN LATERAL (SELECT array_agg(u.key) AS keys FROM chat_rbac.unit u
						WHERE u.org_id = org AND u.kind = c.key AND u.unit_id = ANY (units)) AS k
	WHERE k.keys IS NOT NULL;
END;
REVOKE ALL ON FUNCTION chat_rbac.units_condition(bigint, jsonb, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.units_condition(bigint, jsonb, bigint[]) IS 'Internal: that a row of a table with this specification is in one of these units; NULL if none can be.';

CREATE FUNCTION chat_rbac.work_condition(spec jsonb, person text, member bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT format('%I OPERATOR(pg_catalog.=) %s', person, member) || coalesce(string_agg(' AND (' || t.choices || ')', '' ORDER BY t.col), '')
	FROM (
		SELECT e.key AS col, string_agg(CASE WHEN c = 'null' THEN format('%I IS NULL', e.key) ELSE format('%I OPERATOR(pg_catalog.=) %L', e.key, c #>> '{}') END, ' OR ') AS choices
		FROM jsonb_each(spec -> 'work' -> person) AS e
		CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE jsonb_build_array(e.value) END) AS c
		GROUP BY e.key) AS t;
END;
REVOKE ALL ON FUNCTION chat_rbac.work_condition(jsonb, text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.work_condition(jsonb, text, bigint) IS 'Internal: that a row is open work of a member by one of the columns of "work".';

CREATE FUNCTION chat_rbac.shown_condition(org bigint, member bigint, spec jsonb, person text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	view constant text := coalesce(spec ->> 'view', (spec ->> 'resource') || '.view');
	ties constant text[] := ARRAY(
		SELECT DISTINCT r.key FROM jsonb_each(spec -> 'relations') AS r, jsonb_each(r.value) AS t
		WHERE t.key = person AND t.value IN ('"$member"', '"$members"'));
	places bigint[];
	reached bigint[];
BEGIN
	SELECT array_agg(DISTINCT g.unit_id) INTO places FROM chat_rbac.live_grants(org) AS g
	WHERE g.member_id = member AND EXISTS (
		SELECT FROM chat_rbac.permissions_within(org, ARRAY[g.role_id]) AS p, unnest(ARRAY[view] || (SELECT array_agg(view || '@' || t) FROM unnest(ties) AS t)) AS w
		WHERE p OPERATOR(chat_rbac.@>) w::chat_rbac.permission);
	IF places IS NULL THEN
		RETURN 'false';
	ELSIF spec -> 'units' = '{}' THEN
		/* there a relation to a person reaches from any unit, and all else takes the whole org */
		RETURN (ties <> '{}' OR array_position(places, NULL) IS NOT NULL)::text;
	END IF;
	reached := ARRAY(SELECT chat_rbac.units_below(org, array_remove(places, NULL), false));
	RETURN concat_ws(' AND ',
		CASE WHEN array_position(places, NULL) IS NULL THEN coalesce(chat_rbac.units_condition(org, spec, reached), 'false') ELSE 'true' END,
		'NOT ' || chat_rbac.units_condition(org, spec, ARRAY(SELECT chat_rbac.sealed_units(org) EXCEPT SELECT unnest(reached))));
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.shown_condition(bigint, bigint, jsonb, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.shown_condition(bigint, bigint, jsonb, text) IS 'Internal: that a row would be where a member whose work it is by that column has a grant that shows it, now or later, on shift or not.';

CREATE FUNCTION chat_rbac.plural(noun text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN noun ~ 's$' THEN noun WHEN noun ~ '[^aeiou]y$' THEN left(noun, -1) || 'ies' ELSE noun || 's' END;
COMMENT ON FUNCTION chat_rbac.plural(text) IS 'Internal: of the name of a table, for messages.';

CREATE FUNCTION chat_rbac.work_steps(org bigint, member bigint, receiver bigint, unit bigint, untold bigint[])
RETURNS TABLE (relation regclass, what text, noun text, change text, remains text, lost text, hidden text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	there constant bigint[] := ARRAY(SELECT chat_rbac.units_below(org, ARRAY[unit], true));
	people text[];
	place text;
	target text;
	p record;
BEGIN
	FOR p IN SELECT q.relation, q.spec, c.relname::text AS name FROM chat_rbac.protection q JOIN pg_class c ON c.oid = q.relation
		WHERE q.spec ? 'work' ORDER BY q.relation::text LOOP
		place := CASE WHEN unit IS NOT NULL THEN chat_rbac.units_condition(org, p.spec, there) END;
		CONTINUE WHEN unit IS NOT NULL AND place IS NULL;
		people := ARRAY(SELECT w.k FROM jsonb_object_keys(p.spec -> 'work') AS w (k) ORDER BY 1);
		target := format('%I OPERATOR(pg_catalog.=) %s AND (%s)%s%s', p.spec ->> 'org', org,
			(SELECT string_agg(chat_rbac.work_condition(p.spec, w, member), ' OR ') FROM unnest(people) AS w), ' AND ' || place,
			' AND NOT ' || chat_rbac.units_condition(org, p.spec, untold));
		relation := p.relation;
		what := p.relation::text;
		noun := replace(p.name, '_', ' ');
		/* each column by itself, where a row may be the work of several */
		change := format('UPDATE %s SET %s WHERE %s', p.relation, (
			SELECT string_agg(CASE WHEN cardinality(people) = 1 THEN format('%I = %s', w, coalesce(receiver::text, 'NULL'))
				ELSE format('%I = CASE WHEN %s THEN %s ELSE %1$I END', w, chat_rbac.work_condition(p.spec, w, member), coalesce(receiver::text, 'NULL')) END, ', ')
			FROM unnest(people) AS w), target);
		remains := format('SELECT count(*) FROM %s WHERE %s', p.relation, target);
		lost := format('SELECT count(*) FROM %s WHERE %s AND (%s) IS NOT TRUE', p.relation, target, (
			SELECT string_agg(format('%s AND (%s)', chat_rbac.work_condition(p.spec, w, member), chat_rbac.shown_condition(org, receiver, p.spec, w)), ' OR ')
			FROM unnest(people) AS w));
		RETURN NEXT;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.work_steps(bigint, bigint, bigint, bigint, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.work_steps(bigint, bigint, bigint, bigint, bigint[]) IS 'Internal: for each table with "work", the statement that gives the open work of a member (at or below a unit, but not at the untold ones) to another, and those that count what is left of it and what the other would not see.';

CREATE FUNCTION chat_rbac.leave_steps(org bigint, member bigint, unit bigint)
RETURNS TABLE (relation regclass, what text, noun text, change text, remains text, lost text, hidden text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	/* what is over stays as what it is, a record */
	SELECT 'chat_rbac.role_grant'::regclass, 'grants', 'grant', 'DELETE FROM' || g.target, 'SELECT count(*) FROM' || g.target, NULL::text, NULL::text
	FROM format(' chat_rbac.role_grant WHERE org_id = %s AND member_id = %s AND (upper_inf(valid) OR upper(valid) > statement_timestamp())%s',
		org, member, CASE WHEN unit IS NOT NULL
			THEN format(' AND unit_id = ANY (%L::bigint[])', ARRAY(SELECT chat_rbac.units_below(org, ARRAY[unit], true))) END) AS g (target);
END;
REVOKE ALL ON FUNCTION chat_rbac.leave_steps(bigint, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.leave_steps(bigint, bigint, bigint) IS 'Internal: the statement that revokes the grants of a member (at or below a unit), and the one that counts what is left.';

CREATE FUNCTION chat_rbac.merge_steps(org bigint, source bigint, target bigint, untold bigint[])
RETURNS TABLE (relation regclass, what text, noun text, change text, remains text, lost text, hidden text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	f chat_rbac.unit := (SELECT u FROM chat_rbac.unit u WHERE u.org_id = org AND u.unit_id = source);
	t chat_rbac.unit := (SELECT u FROM chat_rbac.unit u WHERE u.org_id = org AND u.unit_id = target);
	sealed text;
	p record;
BEGIN
	FOR p IN SELECT q.relation, q.spec, q.spec ->> 'org' AS org_column, q.spec -> 'units' ->> f.kind AS col, c.relname::text AS name
		FROM chat_rbac.protection q JOIN pg_class c ON c.oid = q.relation
		WHERE q.spec -> 'units' ? f.kind ORDER BY q.relation::text LOOP
		relation := p.relation;
		what := p.relation::text;
		noun := replace(p.name, '_', ' ');
		change := format('UPDATE %s SET %I = %s WHERE %I OPERATOR(pg_catalog.=) %s AND %I OPERATOR(pg_catalog.=) %s', p.relation, p.col, t.key, p.org_column, org, p.col, f.key);
		remains := format('SELECT count(*) FROM %s WHERE %I = %s AND %I = %s', p.relation, p.org_column, org, p.col, f.key);
		sealed := chat_rbac.units_condition(org, p.spec, untold);
		hidden := remains || ' AND ' || sealed;
		remains := concat_ws(' AND NOT ', remains, sealed);
		RETURN NEXT;
	END LOOP;
	hidden := NULL;
	relation := 'chat_rbac.role_grant';
	what := 'grants held at both';
	noun := 'grant';
	change := format('DELETE FROM chat_rbac.role_grant g WHERE g.org_id = %s AND g.unit_id = %s AND EXISTS (SELECT FROM chat_rbac.role_grant o'
		' WHERE o.org_id = g.org_id AND o.unit_id = %s AND (o.member_id, o.role_id, o.valid) = (g.member_id, g.role_id, g.valid)'
		' AND o.shift::text IS NOT DISTINCT FROM g.shift::text)', org, source, target);
	remains := NULL;
	RETURN NEXT;
	what := 'grants';
	change := format('UPDATE chat_rbac.role_grant SET unit_id = %s WHERE org_id = %s AND unit_id = %s', target, org, source);
	remains := format('SELECT count(*) FROM chat_rbac.role_grant WHERE org_id = %s AND unit_id = %s', org, source);
	RETURN NEXT;
	relation := 'chat_rbac.unit';
	what := 'units below';
	noun := 'unit below';
	change := format('UPDATE chat_rbac.unit SET parent_id = %s WHERE org_id = %s AND parent_id = %s', target, org, source);
	remains := format('SELECT count(*) FROM chat_rbac.unit WHERE org_id = %s AND parent_id = %s', org, source);
	RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.merge_steps(bigint, bigint, bigint, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.merge_steps(bigint, bigint, bigint, bigint[]) IS 'Internal: the statements that bring rows, grants and units of a unit to another, and those that count what is left, and what of that is at untold ones.';

CREATE FUNCTION chat_rbac.merge_problem(org bigint, source bigint, target bigint) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT CASE
			WHEN f.kind <> t.kind THEN format('unit "%s" is of kind "%s", and unit "%s" of kind "%s"', f.name, f.kind, t.name, t.kind)
			WHEN target IN (SELECT chat_rbac.units_below(org, ARRAY[source], true)) THEN format('unit "%s" is below unit "%s"', t.name, f.name)
			WHEN (source IN (SELECT chat_rbac.sealed_units(org))) AND NOT (target IN (SELECT chat_rbac.sealed_units(org)))
				THEN format('unit "%s" is sealed, or below one that is, and unit "%s" is not', f.name, t.name)
			WHEN (target IN (SELECT chat_rbac.sealed_units(org))) AND NOT (source IN (SELECT chat_rbac.sealed_units(org)))
				THEN format('unit "%s" is sealed, or below one that is, and unit "%s" is not', t.name, f.name)
		END
	FROM chat_rbac.unit f, chat_rbac.unit t
	WHERE f.org_id = org AND f.unit_id = source AND t.org_id = org AND t.unit_id = target;
END;
REVOKE ALL ON FUNCTION chat_rbac.merge_problem(bigint, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.merge_problem(bigint, bigint, bigint) IS 'Internal: why a unit cannot be merged into another, whoever asks; NULL: it can.';

CREATE FUNCTION chat_rbac.count_past(relation regclass, query text) RETURNS bigint
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_count_past';
REVOKE ALL ON FUNCTION chat_rbac.count_past(regclass, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.count_past(regclass, text) IS 'Internal: the count that a query gives, past policies and as the owner of the table that it reads.';

CREATE FUNCTION chat_rbac.sealed_work(org bigint, member bigint, unit bigint, untold bigint[]) RETURNS TABLE (kind text, key bigint)
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT u.kind, u.key
	FROM (SELECT chat_rbac.sealed_units(org) EXCEPT SELECT unnest(untold)) AS s (unit_id)
	JOIN chat_rbac.unit u ON u.org_id = org AND u.unit_id = s.unit_id
	WHERE EXISTS (
		SELECT FROM chat_rbac.work_steps(org, member, NULL, unit, untold) AS w JOIN chat_rbac.protection p ON p.relation = w.relation
		WHERE chat_rbac.count_past(w.relation, w.remains || ' AND ' || chat_rbac.units_condition(org, p.spec, ARRAY[u.unit_id])) > 0)
	ORDER BY u.unit_id;
END;
REVOKE ALL ON FUNCTION chat_rbac.sealed_work(bigint, bigint, bigint, bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.sealed_work(bigint, bigint, bigint, bigint[]) IS 'Internal: the units at or below a seal where there is open work of a member: how much is told in them only, by the trail too.';

/* ---- the calls ---- */

CREATE FUNCTION chat_rbac.hand_over(member bigint, "to" bigint DEFAULT NULL, unit bigint DEFAULT NULL, revoke boolean DEFAULT true, reason text DEFAULT NULL)
RETURNS TABLE (what text, n bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 5
AS 'MODULE_PATHNAME', 'chat_rbac_hand_over';
REVOKE ALL ON FUNCTION chat_rbac.hand_over(bigint, bigint, bigint, boolean, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.hand_over(bigint, bigint, bigint, boolean, text) IS 'Gives all open work of a member of the own org (at or below a unit) to another (NULL: to nobody, the queue), and revokes the member''s grants there, unless revoke is false; as the caller, who must be one to manage that member; all of it or nothing (SQLSTATE 42501), but for what is at sealed units where the caller manages nobody. Says how many of what. 42704: no such member or unit; 55000: the other is not active, or would not see the work. One event binds it in the trail.';

CREATE FUNCTION chat_rbac.merge_units("from" bigint, "into" bigint, reason text DEFAULT NULL)
RETURNS TABLE (what text, n bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 5
AS 'MODULE_PATHNAME', 'chat_rbac_merge_units';
REVOKE ALL ON FUNCTION chat_rbac.merge_units(bigint, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.merge_units(bigint, bigint, text) IS 'Brings the rows, grants and units below of a unit of the own org (by unit_id) to another of the same kind, and deletes it; as the caller, all of it or nothing (SQLSTATE 42501). Says how many of what. 42704: no such unit; 55000: units of two kinds, one below the other, or sealed and unsealed. One event binds it in the trail.';

/* ---- who leaves work behind ---- */

CREATE FUNCTION chat_rbac.tell_open_work() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	outer_role constant name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END;
	above constant boolean := (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = outer_role)
		OR pg_has_role(outer_role, (SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE');
	untold constant bigint[] := CASE WHEN above THEN '{}' ELSE chat_rbac.sealed_off(OLD.org_id, '{member.manage}') END;
	told text[] := '{}';
	step record;
	n bigint;
BEGIN
	FOR step IN SELECT * FROM chat_rbac.work_steps(OLD.org_id, OLD.member_id, NULL, NULL, untold) LOOP
		BEGIN
			n := chat_rbac.count_past(step.relation, step.remains);
			IF n > 0 THEN
				told := told || (n || ' ' || CASE n WHEN 1 THEN step.noun ELSE chat_rbac.plural(step.noun) END);
			END IF;
		EXCEPTION WHEN OTHERS THEN
			RAISE WARNING 'open work in table % could not be counted: %', step.relation, SQLERRM;
		END;
	END LOOP;
	IF told <> '{}' THEN
		RAISE NOTICE 'member "%" still has %', OLD.name, array_to_string(told, ', ')
			USING HINT = format('SELECT * FROM chat_rbac.hand_over(%s, "to" => ...) gives that to somebody else, and without "to" to nobody.', OLD.member_id);
	END IF;
	RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.tell_open_work() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.tell_open_work() IS 'Trigger: a NOTICE of the open work of a member who has been deactivated or deleted, counted past policies; whoever could do that may know, but for what is at sealed units that their member.manage does not reach.';

CREATE TRIGGER tell_open_work AFTER UPDATE OF active ON chat_rbac.member
	FOR EACH ROW WHEN (OLD.active AND NOT NEW.active) EXECUTE FUNCTION chat_rbac.tell_open_work();
CREATE TRIGGER tell_open_work_of_deleted AFTER DELETE ON chat_rbac.member
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.tell_open_work();

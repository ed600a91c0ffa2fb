/* ---- the audit trail: who may read it, and that nobody changes it ---- */

-- A trail's arrays are data: whatever is in them, in_event_scope() answers and raises nothing.
CREATE FUNCTION chat_rbac.in_event_scope(permissions chat_rbac.permset, relation text, kinds text[], keys bigint[]) RETURNS boolean
LANGUAGE C STABLE STRICT LEAKPROOF PARALLEL SAFE COST 0.01
SUPPORT chat_rbac.in_scope_support
AS 'MODULE_PATHNAME', 'chat_rbac_in_event_scope';
COMMENT ON FUNCTION chat_rbac.in_event_scope(chat_rbac.permset, text, text[], bigint[]) IS 'Is any of the permissions granted with the relation org-wide, or at or above one of an event''s units, and none of them sealed off? Where kinds and keys do not fit each other, only an org-wide grant counts, if nothing is sealed.';

/*
 * Only for SELECT: for all other commands there is no policy, and so no row.
 * An event without units is of a table that has none; there, as everywhere, a
 * right at any unit reaches what ties itself to who asks.
 */
CREATE POLICY chat_rbac_org ON chat_rbac.audit_event AS RESTRICTIVE
	USING (org_id = chat_rbac.current_org());
CREATE POLICY chat_rbac_select ON chat_rbac.audit_event FOR SELECT
	USING ((chat_rbac.in_org_scope(org_id, '{audit.view}'::chat_rbac.permset, 'all')
			AND chat_rbac.in_event_scope('{audit.view}'::chat_rbac.permset, 'all', unit_kinds, unit_keys))
		OR chat_rbac.in_event_scope('{audit.view}'::chat_rbac.permset, 'all', unit_kinds, unit_keys)
		OR (actor_id = chat_rbac.member_scope('{audit.view}'::chat_rbac.permset, 'own', false) AND actor_org_id = org_id
			AND chat_rbac.in_event_scope('{audit.view}'::chat_rbac.permset, 'own', unit_kinds, unit_keys))
		OR (actor_id = chat_rbac.member_scope('{audit.view}'::chat_rbac.permset, 'own', true) AND actor_org_id = org_id
			AND cardinality(unit_keys) = 0));
ALTER TABLE chat_rbac.audit_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY chat_rbac_org ON chat_rbac.audit_event IS 'Events of the own org only.';
COMMENT ON POLICY chat_rbac_select ON chat_rbac.audit_event IS 'With audit.view: of the whole org; of rows at or below a unit; with @own, what one did oneself.';

CREATE TABLE chat_rbac.audit_detached (
	relation_name	name PRIMARY KEY,
	from_at			timestamptz NOT NULL,
	to_at			timestamptz NOT NULL,
	detached_at		timestamptz NOT NULL
);
COMMENT ON TABLE chat_rbac.audit_detached IS 'Partitions of the trail that audit_maintain() detached. They stay in schema chat_rbac until somebody archives and drops them; audit_verify() reads those that are there.';
COMMENT ON COLUMN chat_rbac.audit_detached.from_at IS 'Its events are of [from_at, to_at).';

SELECT pg_catalog.pg_extension_config_dump('chat_rbac.audit_detached', '');

CREATE FUNCTION chat_rbac.refuse_tampering() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
		RAISE EXCEPTION 'table % is append-only', TG_RELID::regclass
			USING ERRCODE = 'insufficient_privilege',
				DETAIL = format('%s is refused to all but superusers.', TG_OP),
				HINT = 'The audit trail is written by chat_rbac itself.';
	END IF;
	RETURN CASE WHEN TG_LEVEL = 'ROW' THEN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END END;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.refuse_tampering() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.refuse_tampering() IS 'Trigger: nobody but a superuser changes the trail by SQL (SQLSTATE 42501); what a superuser changes audit_verify() finds.';

/* on rows: partitions get it from the parent, whoever attaches them */
CREATE TRIGGER refuse_tampering BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.audit_event
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_tampering();
ALTER TABLE chat_rbac.audit_event ENABLE ALWAYS TRIGGER refuse_tampering;

CREATE FUNCTION chat_rbac.close_trail_table(relation regclass, triggers boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	trail pg_class := (SELECT c FROM pg_class c WHERE c.oid = 'chat_rbac.audit_event'::regclass);
	class pg_class := (SELECT c FROM pg_class c WHERE c.oid = relation);
	closed boolean := false;
	policy name;
BEGIN
	IF NOT (class.relrowsecurity AND class.relforcerowsecurity) THEN
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', relation);
		closed := true;
	END IF;
	IF class.relowner <> trail.relowner THEN
		EXECUTE format('ALTER TABLE %s OWNER TO %s', relation, trail.relowner::regrole);
		closed := true;
	END IF;
	IF class.oid <> trail.oid THEN
		FOR policy IN SELECT p.polname FROM pg_policy p WHERE p.polrelid = relation LOOP
			EXECUTE format('DROP POLICY %I ON %s', policy, relation);
			closed := true;
		END LOOP;
	END IF;
	IF triggers AND NOT EXISTS (
		SELECT FROM pg_trigger t WHERE t.tgrelid = relation AND t.tgname = 'refuse_tampering_stmt' AND t.tgenabled = 'A')
	THEN
		EXECUTE format('CREATE OR REPLACE TRIGGER refuse_tampering_stmt BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
			' FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.refuse_tampering()', relation);
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER refuse_tampering_stmt', relation);
		closed := true;
	END IF;
	RETURN closed;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.close_trail_table(regclass, boolean) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.close_trail_table(regclass, boolean) IS 'Internal: closes a table of the trail to all but superusers: row-level security without policies (the trail itself has its own), and, if asked for, a trigger. false if it was closed.';

/* for statements, also those that find no row, and TRUNCATE; tables without policies are not read by others either */
SELECT chat_rbac.close_trail_table('chat_rbac.audit_event', true), chat_rbac.close_trail_table('chat_rbac.audit_event_default', true),
	chat_rbac.close_trail_table('chat_rbac.audit_incarnation', true), chat_rbac.close_trail_table('chat_rbac.audit_detached', true);

CREATE FUNCTION chat_rbac.close_trail_parts() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	/* whoever makes a table passes here, so nothing but the catalogue is looked at, and locked */
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() AS d JOIN chat_rbac.parts_of('chat_rbac.audit_event') AS part ON part = d.objid
		WHERE d.classid = 'pg_class'::regclass)
	THEN
		/* while a dump is restored, which this setting tells, triggers come by themselves */
		PERFORM chat_rbac.close_trail_table(part, current_setting('check_function_bodies')::boolean)
		FROM chat_rbac.parts_of('chat_rbac.audit_event') AS part;
	END IF;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.close_trail_parts() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.close_trail_parts() IS 'Event trigger: a partition that the trail gets by hand is closed in the same command, and one that is opened is closed again.';

CREATE EVENT TRIGGER chat_rbac_trail_parts ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE SCHEMA', 'ALTER TABLE')
	EXECUTE FUNCTION chat_rbac.close_trail_parts();
ALTER EVENT TRIGGER chat_rbac_trail_parts ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER chat_rbac_trail_parts IS 'Keeps the partitions of the audit trail closed.';

/* ---- months, and what is too old ---- */

CREATE VIEW chat_rbac.audit_partition AS
SELECT c.oid::regclass AS relation,
	coalesce(b.bounds[1]::timestamptz, '-infinity') AS from_at, coalesce(b.bounds[2]::timestamptz, 'infinity') AS to_at
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \((?:''(.+)''|MINVALUE)\) TO \((?:''(.+)''|MAXVALUE)\)') AS b (bounds)
WHERE i.inhparent = 'chat_rbac.audit_event'::regclass AND b.bounds IS NOT NULL;
COMMENT ON VIEW chat_rbac.audit_partition IS 'The partitions of the trail and the times whose events they hold, [from_at, to_at); not the default partition.';

CREATE FUNCTION chat_rbac.index_trail_part(relation regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name name := (SELECT c.relname FROM pg_class c WHERE c.oid = relation);
	suffix text;
	columns text;
	made boolean := false;
BEGIN
	FOR suffix, columns IN VALUES ('xid', 'xid'), ('org', 'org_id, at'), ('row', 'relation, row_key') LOOP
		CONTINUE WHEN EXISTS (
			SELECT FROM pg_index i
			WHERE i.indrelid = index_trail_part.relation AND i.indisvalid AND i.indpred IS NULL AND columns = (
				SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum));
		EXECUTE format('CREATE INDEX %I ON %s (%s)', name || '_' || suffix || '_idx', relation, columns);
		made := true;
	END LOOP;
	RETURN made;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.index_trail_part(regclass) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.index_trail_part(regclass) IS 'Internal to audit_maintain(): gives a partition of the trail its indexes. false if it had them.';

CREATE FUNCTION chat_rbac.make_trail_part(from_at timestamptz, to_at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	name text := 'audit_event_' || to_char(from_at, 'YYYY_MM');
	moved bigint;
BEGIN
	EXECUTE format('CREATE TABLE chat_rbac.%I (LIKE chat_rbac.audit_event INCLUDING STORAGE)', name);
	EXECUTE format('COMMENT ON TABLE chat_rbac.%I IS %L', name, format('Events of %s.', to_char(from_at, 'YYYY-MM')));
	EXECUTE format('WITH gone AS (DELETE FROM ONLY chat_rbac.audit_event_default WHERE at >= $1 AND at < $2 RETURNING *)'
		' INSERT INTO chat_rbac.%I SELECT * FROM gone', name) USING from_at, to_at;
	GET DIAGNOSTICS moved = ROW_COUNT;
	PERFORM chat_rbac.index_trail_part(format('chat_rbac.%I', name)::regclass);
	PERFORM chat_rbac.close_trail_table(format('chat_rbac.%I', name)::regclass, true);
	EXECUTE format('ALTER TABLE chat_rbac.audit_event ATTACH PARTITION chat_rbac.%I FOR VALUES FROM (%L) TO (%L)', name, from_at, to_at);
	RETURN moved;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.make_trail_part(timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.make_trail_part(timestamptz, timestamptz) IS 'Internal to audit_maintain(): makes the partition of a month, and moves what the default partition has of it there; returns how many events.';

CREATE FUNCTION chat_rbac.is_trail_part_sealed(relation regclass) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result boolean;
BEGIN
	EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s AS e LEFT JOIN ('
		' SELECT DISTINCT ON (b.incarnation) b.incarnation, b.upto_xid, b.upto_event FROM chat_rbac.audit_block b'
		' ORDER BY b.incarnation, b.block_no DESC) AS sealed ON sealed.incarnation = e.incarnation'
		' WHERE ((e.xid, e.event_id) < (sealed.upto_xid, sealed.upto_event)) IS NOT TRUE)', relation)
	INTO result;
	RETURN result;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.is_trail_part_sealed(regclass) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.is_trail_part_sealed(regclass) IS 'Internal to audit_maintain(): are all events of a partition in blocks?';

CREATE FUNCTION chat_rbac.audit_maintain(ahead integer DEFAULT 3) RETURNS TABLE (what text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
	this_month constant timestamptz := date_trunc('month', clock_timestamp());
	older_than timestamptz;
	events bigint;
	month timestamptz;
	next_month timestamptz;
	name text;
	part record;
BEGIN
	IF ahead IS NULL OR ahead NOT BETWEEN 0 AND 120 THEN
		RAISE EXCEPTION 'audit_maintain() makes partitions for 0 to 120 months ahead' USING ERRCODE = 'invalid_parameter_value';
	END IF;

	PERFORM chat_rbac.audit_incarnation();
	/* one at a time; writers go on */
	LOCK TABLE ONLY chat_rbac.audit_event IN SHARE UPDATE EXCLUSIVE MODE;
	FOR part IN SELECT p AS relation, c.relkind = 'r' AS is_leaf FROM chat_rbac.parts_of('chat_rbac.audit_event') AS p
		JOIN pg_class c ON c.oid = p ORDER BY p::text LOOP
		IF chat_rbac.close_trail_table(part.relation, true) THEN
			what := format('closed %s, which was open', part.relation);
			RETURN NEXT;
		END IF;
		IF part.is_leaf AND chat_rbac.index_trail_part(part.relation) THEN
			what := format('indexed %s', part.relation);
			RETURN NEXT;
		END IF;
	END LOOP;

	/* a writer finds its partition under a lock on it: none goes to the default partition from here on, and this month's come out of there */
	IF EXISTS (SELECT FROM ONLY chat_rbac.audit_event_default) OR
		NOT EXISTS (SELECT FROM chat_rbac.audit_partition p WHERE p.from_at <= this_month AND p.to_at > clock_timestamp())
	THEN
		LOCK TABLE ONLY chat_rbac.audit_event_default IN ACCESS EXCLUSIVE MODE;
	END IF;
	FOR month IN
		SELECT this_month + make_interval(months => i) FROM generate_series(0, ahead) AS i
		UNION
		SELECT date_trunc('month', d.at) FROM ONLY chat_rbac.audit_event_default d WHERE isfinite(d.at)
		ORDER BY 1
	LOOP
		next_month := month + interval '1 month';
		name := 'chat_rbac.audit_event_' || to_char(month, 'YYYY_MM');
		CONTINUE WHEN to_regclass(name) IS NOT NULL OR
			EXISTS (SELECT FROM chat_rbac.audit_partition p WHERE p.from_at < next_month AND p.to_at > month);
		events := chat_rbac.make_trail_part(month, next_month);
		what := 'made ' || name || CASE events WHEN 0 THEN '' WHEN 1 THEN ', with 1 event from the default partition'
			ELSE format(', with %s events from the default partition', events) END;
		RETURN NEXT;
	END LOOP;

	SELECT count(*) INTO events FROM ONLY chat_rbac.audit_event_default;
	IF events > 0 THEN
		what := format('left %s in the default partition, because another table or partition is in the way',
			CASE events WHEN 1 THEN '1 event' ELSE events || ' events' END);
		RETURN NEXT;
	END IF;

	/* last, because readers hold it up, and it then everybody who begins to write or read */
	PERFORM chat_rbac.current_org();	/* loads the library, which sees to it who may set this */
	older_than := this_month - make_interval(months => nullif(current_setting('chat_rbac.audit_retention_months', true), '')::integer);
	FOR part IN SELECT p.relation, p.from_at, p.to_at FROM chat_rbac.audit_partition p WHERE p.to_at <= older_than AND older_than < this_month ORDER BY p.to_at LOOP
		BEGIN
			/* nobody writes there any more; who did has ended now */
			EXECUTE format('LOCK TABLE ONLY %s IN SHARE MODE', part.relation);
			IF NOT chat_rbac.is_trail_part_sealed(part.relation) THEN
				what := format('kept %s, which is old enough to be detached, but not sealed', part.relation);
			ELSE
				EXECUTE format('ALTER TABLE chat_rbac.audit_event DETACH PARTITION %s', part.relation);
				INSERT INTO chat_rbac.audit_detached
				SELECT c.relname, part.from_at, part.to_at, clock_timestamp() FROM pg_class c WHERE c.oid = part.relation
				ON CONFLICT (relation_name) DO UPDATE SET from_at = EXCLUDED.from_at, to_at = EXCLUDED.to_at, detached_at = EXCLUDED.detached_at;
				PERFORM chat_rbac.audit_note('detach', 'settings.manage', 'chat_rbac.audit_event', part.relation::text, NULL, NULL, '{}', '{}',
					jsonb_build_object('from', part.from_at, 'to', part.to_at), NULL);
				what := format('detached %s', part.relation);
			END IF;
		EXCEPTION WHEN lock_not_available THEN
			what := format('kept %s, which is old enough to be detached, but somebody reads the trail', part.relation);
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_maintain(integer) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_maintain(integer) IS 'Makes the trail''s partitions for this month and so many more, moves into their months what the default partition has caught, and detaches, but never drops, months that are older than chat_rbac.audit_retention_months and wholly sealed. Says what it did; nothing if there was nothing to do. To be called once a day.';

/* ---- reading it ---- */

CREATE FUNCTION chat_rbac.past_tense(action text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	irregular constant jsonb := '{"begin": "began", "bring": "brought", "build": "built", "buy": "bought", "choose": "chose", "cut": "cut", "do": "did",
		"edit": "edited", "find": "found", "forget": "forgot", "get": "got", "give": "gave", "hide": "hid", "hold": "held", "keep": "kept", "leave": "left",
		"lend": "lent", "limit": "limited", "make": "made", "pay": "paid", "put": "put", "read": "read", "redo": "redid", "resend": "resent", "reset": "reset",
		"rewrite": "rewrote", "run": "ran", "see": "saw", "sell": "sold", "send": "sent", "set": "set", "split": "split", "take": "took", "tell": "told",
		"undo": "undid", "withdraw": "withdrew", "withhold": "withheld", "write": "wrote"}';
	verb text := split_part(action, '_', 1);
BEGIN
	RETURN CASE
			WHEN irregular ? verb THEN irregular ->> verb
			WHEN verb ~ 'e$' THEN verb || 'd'
			WHEN verb ~ '[^aeiou]y$' THEN left(verb, -1) || 'ied'
			WHEN verb ~ '^[^aeiou]*[aeiou][^aeiouhwxy]$' OR verb ~ '(fer|mit|bel|cel)$' THEN verb || right(verb, 1) || 'ed'
			ELSE verb || 'ed'
		END || replace(substr(action, length(verb) + 1), '_', ' ');
END
$$;
COMMENT ON FUNCTION chat_rbac.past_tense(text) IS 'Of a permission''s action, for views of the trail: transferred for transfer, viewed phone for view_phone.';

CREATE FUNCTION chat_rbac.event_did(operation text, actions text[], depth integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	plain text := CASE operation WHEN 'insert' THEN 'created' WHEN 'update' THEN 'changed' WHEN 'move_in' THEN 'changed' WHEN 'delete' THEN 'deleted'
		WHEN 'truncate' THEN 'emptied' WHEN 'access' THEN 'viewed' WHEN 'redact' THEN 'redacted' WHEN 'detach' THEN 'detached'
		WHEN 'issue' THEN 'issued a token for' WHEN 'hand_over' THEN 'handed over the work of' WHEN 'merge_units' THEN 'merged'
		ELSE operation END;
	verbs text[] := '{}';
	verb text;
	action text;
	last integer;
BEGIN
	IF operation = 'access' THEN
		/* a look, whatever it was that allowed it */
		verb := split_part(split_part(actions[1], '.', 2), '@', 1);
		RETURN CASE WHEN verb = 'supervise' OR verb ~ '^view' THEN chat_rbac.past_tense(verb) ELSE format('viewed (with %s)', actions[1]) END;
	ELSIF operation NOT IN ('truncate', 'redact', 'detach', 'issue') THEN
		FOREACH action IN ARRAY actions LOOP
			action := split_part(action, '@', 1);
			verb := CASE
				WHEN action = 'role.assign' AND operation = 'insert' THEN 'granted'
				WHEN action = 'role.assign' AND operation = 'delete' THEN 'revoked'
				WHEN action = 'role.assign' OR split_part(action, '.', 2) = 'manage' THEN plain
				ELSE chat_rbac.past_tense(split_part(action, '.', 2)) END;
			IF verb <> ALL (verbs) THEN
				verbs := verbs || verb;
			END IF;
		END LOOP;
	END IF;
	IF verbs = '{}' THEN
		verbs := ARRAY[plain];
	END IF;
	last := cardinality(verbs);
	RETURN concat_ws(' and ', nullif(array_to_string(verbs[:last - 1], ', '), ''), verbs[last])
		|| CASE WHEN operation = 'delete' AND NOT verbs && '{deleted,revoked}' THEN ' (deleted)' ELSE '' END
		|| CASE WHEN depth > 0 THEN ' by cascade' ELSE '' END;
END
$$;
COMMENT ON FUNCTION chat_rbac.event_did(text, text[], integer) IS 'Of an event, for views of the trail: what was done, by the names of the permissions: transferred and assigned.';

CREATE FUNCTION chat_rbac.event_what(table_name text, row_key text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN concat_ws(' ', replace(btrim(substring(table_name FROM '("([^"]|"")+"|[^".]+)$'), '"'), '_', ' '),
	CASE WHEN row_key ~ '^[[:alnum:]_.:{},\\-]*$' THEN row_key ELSE to_json(row_key)::text END);
COMMENT ON FUNCTION chat_rbac.event_what(text, text) IS 'Of an event, for views of the trail: what it was done to: conversation 7.';

CREATE FUNCTION chat_rbac.event_value(value jsonb, redacted boolean) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE
		WHEN redacted THEN '(redacted)'
		WHEN value IS NULL THEN 'null'
		WHEN jsonb_typeof(value) = 'object' AND value ?& '{length,sha256}' AND value - '{length,sha256}'::text[] = '{}'
			THEN format('(%s bytes)', value ->> 'length')
		WHEN length(value::text) > 40 THEN left(value::text, 37) || '...'
		ELSE value::text END;
END
$$;
COMMENT ON FUNCTION chat_rbac.event_value(jsonb, boolean) IS 'A value in an event, for views of the trail: as JSON, cut at 40 characters; of a digest the length.';

CREATE FUNCTION chat_rbac.event_changes(operation text, old jsonb, new jsonb, redaction jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	gone_old jsonb := coalesce(redaction #> '{commitments,old}', '{}');
	gone_new jsonb := coalesce(redaction #> '{commitments,new}', '{}');
	before_and_after boolean := operation = 'update' OR operation = 'move_in' AND old IS NOT NULL;
	told text[] := '{}';
	col text;
	result text;
BEGIN
	FOR col IN SELECT k FROM jsonb_object_keys(coalesce(old, '{}') || coalesce(new, '{}') || gone_old || gone_new) AS k ORDER BY k COLLATE "C" LOOP
		CONTINUE WHEN operation = 'move_in' AND old -> col = new -> col;
		told := told || CASE
			WHEN before_and_after
				THEN format('%s: %s -> %s', col, chat_rbac.event_value(old -> col, gone_old ? col), chat_rbac.event_value(new -> col, gone_new ? col))
			WHEN operation = 'delete' THEN format('%s: %s', col, chat_rbac.event_value(old -> col, gone_old ? col))
			ELSE format('%s: %s', col, chat_rbac.event_value(new -> col, gone_new ? col)) END;
	END LOOP;
	result := nullif(array_to_string(told, ', '), '');
	RETURN CASE WHEN length(result) > 100 AND NOT before_and_after THEN left(result, 97) || '...' ELSE result END;
END
$$;
COMMENT ON FUNCTION chat_rbac.event_changes(text, jsonb, jsonb, jsonb) IS 'Of an event, for views of the trail: team_id: 2 -> 3; of a row that came or went, what was in it, cut at 100 characters.';

/* of a move between partitions, what the row was before; its key may have been another */
CREATE FUNCTION chat_rbac.event_moved(event chat_rbac.audit_event) RETURNS chat_rbac.audit_event
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT e FROM chat_rbac.audit_event e
	WHERE e.xid = event.xid AND e.incarnation = event.incarnation AND e.relation = event.relation
		AND e.command = event.command AND e.operation = 'move_out' AND e.event_id < event.event_id AND e.old = event.old
	ORDER BY e.event_id DESC LIMIT 1;
END;
COMMENT ON FUNCTION chat_rbac.event_moved(chat_rbac.audit_event) IS 'Internal to history(): the move_out that belongs to a move_in, if the caller may see it.';

CREATE VIEW chat_rbac.activity WITH (security_invoker) AS
SELECT e.at,
	coalesce(e.actor_name, 'role ' || e.db_role) AS who,
	chat_rbac.event_did(e.operation, e.actions, e.depth) AS did,
	chat_rbac.event_what(e.table_name, e.row_key) AS what,
	chat_rbac.event_changes(e.operation, e.old, e.new, e.redaction) AS changes,
	e.reason, e.org_id, e.event_id
FROM chat_rbac.audit_event e
WHERE e.operation <> 'move_out';
COMMENT ON VIEW chat_rbac.activity IS 'The audit trail as sentences: when, who, did what, to what, from what to what, and why. Shows what the caller may see of audit_event.';

CREATE FUNCTION chat_rbac.history(relation regclass, key text) RETURNS TABLE (at timestamptz, who text, did text, changes text, reason text, event_id bigint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
BEGIN ATOMIC
	/* the keys that the row had before it came from other partitions, and until when */
	WITH RECURSIVE was (relation, key, until) AS (
		SELECT coalesce(pg_partition_root(history.relation), history.relation),
			CASE WHEN octet_length(history.key) <= 1024 THEN history.key
				ELSE 'sha256:' || encode(sha256(convert_to(history.key, getdatabaseencoding())), 'hex') END COLLATE "C", 'infinity'::timestamptz
		UNION
		SELECT w.relation, o.row_key, e.at
		FROM was w
		JOIN chat_rbac.audit_event e ON e.relation = w.relation AND e.row_key = w.key AND e.at < w.until AND e.operation = 'move_in'
		CROSS JOIN LATERAL chat_rbac.event_moved(e) AS o
		WHERE o.row_key <> w.key
	)
	SELECT e.at,
		coalesce(e.actor_name, 'role ' || e.db_role),
		chat_rbac.event_did(e.operation, e.actions, e.depth),
		chat_rbac.event_changes(e.operation, e.old, e.new, e.redaction),
		e.reason, e.event_id
	FROM (SELECT w.relation, w.key, max(w.until) AS until FROM was w GROUP BY w.relation, w.key) AS w
	JOIN chat_rbac.audit_event e ON e.relation = w.relation AND e.row_key = w.key AND e.at <= w.until
	WHERE e.operation <> 'move_out'
	/* one transaction after the other, as the row's lock let them */
	ORDER BY min(e.at) OVER (PARTITION BY e.incarnation, e.xid), e.xid, e.command, e.event_id;
END;
COMMENT ON FUNCTION chat_rbac.history(regclass, text) IS 'What happened to a row, oldest first, as far as the caller may see it; also before a move between partitions changed its key. The key is the primary key without the org, as text: a value, or {several,values}.';

CREATE FUNCTION chat_rbac.history(relation regclass, VARIADIC key bigint[]) RETURNS TABLE (at timestamptz, who text, did text, changes text, reason text, event_id bigint)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 20
BEGIN ATOMIC
	SELECT h.* FROM chat_rbac.history(history.relation, CASE cardinality(history.key) WHEN 1 THEN history.key[1]::text ELSE history.key::text END) AS h;
END;
COMMENT ON FUNCTION chat_rbac.history(regclass, bigint[]) IS 'What happened to a row, oldest first, as far as the caller may see it. The key is the primary key without the org.';

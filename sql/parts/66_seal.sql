/* ---- the audit trail: sealed, verified, proved, redacted ---- */

CREATE FUNCTION chat_rbac.merkle_root(leaves bytea) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_merkle_root';
COMMENT ON FUNCTION chat_rbac.merkle_root(bytea) IS 'The hash of the tree of RFC 6962 over leaves, which are given as their hashes of 32 bytes, one after the other.';

CREATE FUNCTION chat_rbac.merkle_path(leaves bytea, leaf bigint) RETURNS bytea[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_merkle_path';
COMMENT ON FUNCTION chat_rbac.merkle_path(bytea, bigint) IS 'The audit path of a leaf, the first being 1: hashes with which one who has that leaf computes the root.';

CREATE FUNCTION chat_rbac.audit_bytes(event chat_rbac.audit_event) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'chat_rbac_audit_bytes';
COMMENT ON FUNCTION chat_rbac.audit_bytes(chat_rbac.audit_event) IS 'The canonical bytes of an event, as doc/audit-trail-format.md has them: the same in every session and after a restore, and with values as commitments.';

CREATE FUNCTION chat_rbac.audit_leaf(event chat_rbac.audit_event) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'chat_rbac_audit_leaf';
COMMENT ON FUNCTION chat_rbac.audit_leaf(chat_rbac.audit_event) IS 'The hash of an event''s canonical bytes as the leaf of a tree.';

CREATE FUNCTION chat_rbac.audit_openings(event chat_rbac.audit_event) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'chat_rbac_audit_openings';
COMMENT ON FUNCTION chat_rbac.audit_openings(chat_rbac.audit_event) IS 'What opens the commitments in an event''s canonical bytes: {"old": {column: {"value": text, "salt": hex}}, "new": ...}.';

CREATE FUNCTION chat_rbac.audit_redaction(event chat_rbac.audit_event, columns text[]) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'chat_rbac_audit_redaction';
REVOKE ALL ON FUNCTION chat_rbac.audit_redaction(chat_rbac.audit_event, text[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_redaction(chat_rbac.audit_event, text[]) IS 'Internal to audit_redact(): commitments to the values of these columns and of those that are gone, and salts of the others.';

CREATE TABLE chat_rbac.audit_block (
	block_no	bigint PRIMARY KEY,
	incarnation	uuid NOT NULL,
	from_xid	xid8 NOT NULL,
	from_event	bigint NOT NULL,
	upto_xid	xid8 NOT NULL,
	upto_event	bigint NOT NULL,
	events		bigint NOT NULL,
	first_event	bigint,
	last_event	bigint,
	first_at	timestamptz,
	last_at		timestamptz,
	contents	bytea NOT NULL,
	root		bytea NOT NULL,
	previous	bytea,
	hash		bytea NOT NULL,
	sealed_at	timestamptz NOT NULL,
	event_ids	bigint[] NOT NULL,
	times		timestamptz[] NOT NULL,
	leaves		bytea NOT NULL
);
COMMENT ON TABLE chat_rbac.audit_block IS 'Sealed parts of the trail: the events of an incarnation, in the order of (xid, event_id), from (from_xid, from_event) on and before (upto_xid, upto_event). Each has the hash of the one before, so a published hash holds all of them. Append-only; written by audit_seal().';
COMMENT ON COLUMN chat_rbac.audit_block.block_no IS 'From 1 on, without gaps, through all incarnations.';
COMMENT ON COLUMN chat_rbac.audit_block.upto_xid IS 'The highest there is for the last block of an incarnation, which is made when the next one has begun.';
COMMENT ON COLUMN chat_rbac.audit_block.first_event IS 'The smallest event_id; last_event: the largest; first_at and last_at: of their times. NULL if there are none.';
COMMENT ON COLUMN chat_rbac.audit_block.contents IS 'The hash of event_ids and times.';
COMMENT ON COLUMN chat_rbac.audit_block.root IS 'The hash of the tree over the leaves.';
COMMENT ON COLUMN chat_rbac.audit_block.previous IS 'The hash of the block before; NULL in the first.';
COMMENT ON COLUMN chat_rbac.audit_block.hash IS 'Of all columns before; what is published.';
COMMENT ON COLUMN chat_rbac.audit_block.event_ids IS 'In their order; with times and leaves they tell which events are missing or changed.';
COMMENT ON COLUMN chat_rbac.audit_block.leaves IS 'The events'' leaves, of 32 bytes each.';
/* hashes do not compress */
ALTER TABLE chat_rbac.audit_block ALTER COLUMN leaves SET STORAGE EXTERNAL;
ALTER TABLE chat_rbac.audit_block ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE TRIGGER refuse_tampering BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat_rbac.audit_block
	FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.refuse_tampering();
ALTER TABLE chat_rbac.audit_block ENABLE ALWAYS TRIGGER refuse_tampering;

SELECT pg_catalog.pg_extension_config_dump('chat_rbac.audit_block', '');

CREATE FUNCTION chat_rbac.audit_header(block chat_rbac.audit_block) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_audit_header';
COMMENT ON FUNCTION chat_rbac.audit_header(chat_rbac.audit_block) IS 'The canonical bytes of a block: what its hash is of.';

CREATE FUNCTION chat_rbac.audit_block_hash(block chat_rbac.audit_block) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'chat_rbac_audit_block_hash';
COMMENT ON FUNCTION chat_rbac.audit_block_hash(chat_rbac.audit_block) IS 'The hash that a block should have.';

CREATE FUNCTION chat_rbac.audit_contents(event_ids bigint[], times timestamptz[]) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_audit_contents';
COMMENT ON FUNCTION chat_rbac.audit_contents(bigint[], timestamptz[]) IS 'The hash of which events a block has, and of when they were. NULL for arrays that no block has.';

CREATE FUNCTION chat_rbac.audit_digest(block chat_rbac.audit_block) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('chat_rbac block %s sha256:%s %s %s events', block.block_no, encode(block.hash, 'hex'),
		to_char(block.sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), block.events);
END;
COMMENT ON FUNCTION chat_rbac.audit_digest(chat_rbac.audit_block) IS 'A block''s digest, as one line to publish.';

/* ---- events in their order, of the trail and of what has been detached from it ---- */

CREATE FUNCTION chat_rbac.audit_tables() RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT 'chat_rbac.audit_event'::regclass
	UNION ALL
	SELECT c.oid::regclass FROM chat_rbac.audit_detached d
	JOIN pg_class c ON c.relname = d.relation_name AND c.relnamespace = 'chat_rbac'::regnamespace
	WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition;
END;
REVOKE ALL ON FUNCTION chat_rbac.audit_tables() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_tables() IS 'Internal: the trail, and its detached partitions that are still there.';

CREATE FUNCTION chat_rbac.audit_query(what text, condition text) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT string_agg(format('SELECT %s FROM (SELECT %s FROM %s AS t WHERE %s) AS t', what, cols.list, tab, condition), ' UNION ALL ')
	FROM chat_rbac.audit_tables() AS tab,
		(SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
		 WHERE a.attrelid = 'chat_rbac.audit_event'::regclass AND a.attnum > 0 AND NOT a.attisdropped) AS cols (list);
END;
REVOKE ALL ON FUNCTION chat_rbac.audit_query(text, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_query(text, text) IS 'Internal: a query of events "t" in all of audit_tables().';

CREATE FUNCTION chat_rbac.audit_events(incarnation uuid, from_xid xid8, from_event bigint, upto_xid xid8, upto_event bigint)
RETURNS TABLE (event_id bigint, at timestamptz, xid xid8, org_id bigint, redaction jsonb, leaf bytea)
LANGUAGE plpgsql STABLE ROWS 100000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY EXECUTE chat_rbac.audit_query('t.event_id, t.at, t.xid, t.org_id, t.redaction, chat_rbac.audit_leaf(ROW(t.*)::chat_rbac.audit_event)',
		format('t.incarnation = %L AND t.xid >= %L AND (t.xid, t.event_id) >= (%2$L::xid8, %L::bigint)', incarnation, from_xid, from_event)
		/* the last block of an incarnation has no end */
		|| CASE WHEN upto_event < 9223372036854775807
			THEN format(' AND t.xid <= %L AND (t.xid, t.event_id) < (%1$L::xid8, %L::bigint)', upto_xid, upto_event) ELSE '' END);
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_events(uuid, xid8, bigint, xid8, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_events(uuid, xid8, bigint, xid8, bigint) IS 'Internal: events between two ends, and their leaves; in no order.';

/* ---- sealing ---- */

CREATE FUNCTION chat_rbac.audit_seal_blocks(events_per_block bigint DEFAULT 100000) RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
SET jit = off	-- it would compile anew for each block
AS $$
DECLARE
	here constant uuid := chat_rbac.audit_incarnation();
	horizon xid8;
	last chat_rbac.audit_block;		-- of all
	tail chat_rbac.audit_block;		-- of the incarnation
	block chat_rbac.audit_block;
	part record;
	more boolean;
BEGIN
	/* what is published must not be lost in a crash */
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM set_config('synchronous_commit', 'local', true);
	END IF;

	LOCK TABLE chat_rbac.audit_block IN SHARE ROW EXCLUSIVE MODE;
	/* every transaction before it has ended, and can be seen from here on */
	SELECT pg_snapshot_xmin(pg_current_snapshot()) INTO horizon;
	SELECT b.* INTO last FROM chat_rbac.audit_block b ORDER BY b.block_no DESC LIMIT 1;

	FOR part IN SELECT i.incarnation, i.incarnation = here AS is_current FROM chat_rbac.audit_incarnation i
		ORDER BY i.incarnation = here, i.began_at, i.incarnation LOOP
		SELECT b.* INTO tail FROM chat_rbac.audit_block b WHERE b.incarnation = part.incarnation ORDER BY b.block_no DESC LIMIT 1;
		CONTINUE WHEN tail.upto_event = 9223372036854775807;
		LOOP
			block := NULL;
			block.block_no := coalesce(last.block_no, 0) + 1;
			block.incarnation := part.incarnation;
			block.from_xid := coalesce(tail.upto_xid, '0');
			block.from_event := coalesce(tail.upto_event, -9223372036854775808);
			block.upto_xid := CASE WHEN part.is_current THEN horizon ELSE '18446744073709551615' END;
			block.upto_event := CASE WHEN part.is_current THEN 0 ELSE 9223372036854775807 END;

			/* the first that is too much for the block */
			SELECT e.xid, e.event_id INTO tail.upto_xid, tail.upto_event FROM chat_rbac.audit_event e
			WHERE e.incarnation = part.incarnation AND e.xid >= block.from_xid AND (e.xid, e.event_id) >= (block.from_xid, block.from_event)
				AND (NOT part.is_current OR e.xid < horizon)
			ORDER BY e.xid, e.event_id OFFSET events_per_block LIMIT 1;
			more := FOUND;
			IF more THEN
				block.upto_xid := tail.upto_xid;
				block.upto_event := tail.upto_event;
			END IF;

			SELECT count(*), min(s.event_id), max(s.event_id), min(s.at), max(s.at),
				coalesce(array_agg(s.event_id), '{}'), coalesce(array_agg(s.at), '{}'), coalesce(string_agg(s.leaf, ''), '')
			INTO block.events, block.first_event, block.last_event, block.first_at, block.last_at, block.event_ids, block.times, block.leaves
			FROM (SELECT * FROM chat_rbac.audit_events(block.incarnation, block.from_xid, block.from_event, block.upto_xid, block.upto_event) AS e
				  ORDER BY e.xid, e.event_id) AS s;
			EXIT WHEN block.events = 0 AND part.is_current;

			block.contents := chat_rbac.audit_contents(block.event_ids, block.times);
			block.root := chat_rbac.merkle_root(block.leaves);
			block.previous := last.hash;
			block.sealed_at := clock_timestamp();
			block.hash := chat_rbac.audit_block_hash(block);
			BEGIN
				INSERT INTO chat_rbac.audit_block SELECT block.*;
			EXCEPTION WHEN unique_violation THEN
				RAISE EXCEPTION 'could not seal the audit trail: another session did, since this transaction''s snapshot'
					USING ERRCODE = 'serialization_failure', HINT = 'Retry the transaction.';
			END;
			last := block;
			tail := block;
			EXIT WHEN NOT more;
		END LOOP;
	END LOOP;
	RETURN CASE WHEN last.block_no IS NOT NULL THEN chat_rbac.audit_digest(last) END;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_seal_blocks(bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_seal_blocks(bigint) IS 'Internal: audit_seal(), as the owner of the trail.';

CREATE FUNCTION chat_rbac.audit_seal() RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_audit_seal';
COMMENT ON FUNCTION chat_rbac.audit_seal() IS 'Seals, in blocks of some 100,000, all events of transactions older than every one that is still open, and returns the digest of the newest block, to be published elsewhere once the transaction has committed; NULL if there is no block. Needs audit.verify org-wide, or a role above row-level security (SQLSTATE 42501).';

/* ---- verifying ---- */

CREATE FUNCTION chat_rbac.audit_block_edits(block chat_rbac.audit_block) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT nullif(concat_ws(' ',
		CASE WHEN block.hash IS DISTINCT FROM chat_rbac.audit_block_hash(block) THEN 'The hash is not that of the columns.' END,
		CASE WHEN octet_length(block.leaves) % 32 <> 0 THEN 'The leaves are not whole.'
			WHEN chat_rbac.merkle_root(CASE octet_length(block.leaves) % 32 WHEN 0 THEN block.leaves ELSE '' END) <> block.root THEN 'The root is not that of the leaves.' END,
		CASE WHEN chat_rbac.audit_contents(block.event_ids, block.times) IS DISTINCT FROM block.contents THEN 'The events'' ids and times are not what was sealed.' END,
		CASE WHEN block.events <> octet_length(block.leaves) / 32 OR block.events <> cardinality(block.event_ids) THEN 'The number of events is wrong.' END), '');
END;
REVOKE ALL ON FUNCTION chat_rbac.audit_block_edits(chat_rbac.audit_block) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_block_edits(chat_rbac.audit_block) IS 'Internal: in what a block does not agree with itself; NULL if it does.';

CREATE FUNCTION chat_rbac.audit_verify_digests(digests text[]) RETURNS TABLE (block_no bigint, problem text, detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	line text;
	parts text[];
	block chat_rbac.audit_block;
BEGIN
	FOREACH line IN ARRAY coalesce(digests, '{NULL}') LOOP
		parts := regexp_match(btrim(line, E' \t\r\n'), '^chat_rbac block ([1-9][0-9]{0,17}) sha256:([0-9a-f]{64}) \S+ [0-9]+ events$');
		IF parts IS NULL THEN
			RAISE EXCEPTION 'this is not a digest of the audit trail: %', coalesce(quote_literal(left(line, 100)), 'NULL')
				USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the lines as audit_seal() returned them.';
		END IF;
		block_no := parts[1]::bigint;
		SELECT b.* INTO block FROM chat_rbac.audit_block b WHERE b.block_no = parts[1]::bigint;
		CONTINUE WHEN FOUND AND encode(chat_rbac.audit_block_hash(block), 'hex') = parts[2] AND chat_rbac.audit_digest(block) = btrim(line, E' \t\r\n');
		problem := 'unknown digest';
		detail := CASE
			WHEN block.block_no IS NULL THEN 'There is no such block.'
			WHEN encode(chat_rbac.audit_block_hash(block), 'hex') = parts[2] THEN 'The hash is this block''s, but not the rest of the line.'
			ELSE 'The block has not the hash that was published: it was edited, or made anew.' END;
		RETURN NEXT;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_verify_digests(text[]) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_verify_digests(text[]) IS 'Internal to audit_verify(): published digests that no block has. SQLSTATE 22023 for a line that is none.';

CREATE FUNCTION chat_rbac.audit_recorded(event bigint) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result text[];
BEGIN
	EXECUTE format('SELECT array_agg(q.name) FROM (%s) AS q', chat_rbac.audit_query(
			'jsonb_array_elements_text(CASE jsonb_typeof(t.new -> ''columns'') WHEN ''array'' THEN t.new -> ''columns'' ELSE ''[]'' END) AS name',
			format('t.relation = ''chat_rbac.audit_event''::regclass AND t.row_key = %L AND t.operation = ''redact''', event)))
	INTO result;
	RETURN result;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_recorded(bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_recorded(bigint) IS 'Internal to audit_verify(): the columns that events say were taken out of this one.';

CREATE FUNCTION chat_rbac.audit_verify_events(block chat_rbac.audit_block)
RETURNS TABLE (block_no bigint, event_id bigint, xid xid8, org_id bigint, problem text, detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	max_searched constant integer := 1000;
	leaves constant bytea := block.leaves || ''::bytea;		-- fetched once
	times_hold constant boolean := chat_rbac.audit_contents(block.event_ids, block.times) IS NOT DISTINCT FROM block.contents;
	missing bigint[] := '{}';
	row record;
BEGIN
	FOR row IN
		WITH sealed AS (
			SELECT u.event_id, u.at, substr(leaves, (u.n - 1)::integer * 32 + 1, 32) AS leaf
			FROM unnest(block.event_ids, block.times) WITH ORDINALITY AS u (event_id, at, n)
		), compared AS (
			SELECT coalesce(f.event_id, s.event_id) AS event_id, f.xid, f.org_id, f.redaction, s.at,
				CASE WHEN s.event_id IS NULL THEN 'added event' WHEN f.event_id IS NULL THEN 'missing event'
					WHEN s.leaf IS DISTINCT FROM f.leaf THEN 'changed event' END AS problem
			FROM sealed s
			FULL JOIN chat_rbac.audit_events(block.incarnation, block.from_xid, block.from_event, block.upto_xid, block.upto_event) AS f ON f.event_id = s.event_id
			WHERE s.leaf IS DISTINCT FROM f.leaf OR f.redaction IS NOT NULL
		), judged AS (
			SELECT c.*, (
				SELECT d.relation_name FROM chat_rbac.audit_detached d
				WHERE c.problem = 'missing event' AND times_hold AND c.at >= d.from_at AND c.at < d.to_at
					AND to_regclass(format('chat_rbac.%I', d.relation_name)) IS NULL
				ORDER BY d.detached_at LIMIT 1) AS archived
			FROM compared c
		)
		SELECT j.event_id, j.xid, j.org_id, j.problem,
			CASE j.problem WHEN 'added event' THEN 'It was not there when the block was sealed.'
				WHEN 'changed event' THEN 'It is not as it was sealed.' ELSE 'It was sealed, and is not there.' END AS detail
		FROM judged j WHERE j.problem IS NOT NULL AND j.archived IS NULL
		UNION ALL
		SELECT NULL, NULL, NULL, 'archived events',
			format('%s of the events were in %I, which has been detached and dropped.', count(*), j.archived)
		FROM judged j WHERE j.archived IS NOT NULL GROUP BY j.archived
		UNION ALL
		SELECT j.event_id, j.xid, j.org_id, 'unrecorded redaction',
			format('No event says that these were taken out: %s.', string_agg(k.name, ', ' ORDER BY k.name))
		FROM judged j CROSS JOIN LATERAL (
			SELECT jsonb_object_keys(o.names) FROM (VALUES (j.redaction #> '{commitments,old}'), (j.redaction #> '{commitments,new}')) AS o (names)
			WHERE jsonb_typeof(o.names) = 'object'
			EXCEPT SELECT unnest(chat_rbac.audit_recorded(j.event_id))) AS k (name)
		WHERE j.redaction IS NOT NULL AND j.problem IS NULL
		GROUP BY j.event_id, j.xid, j.org_id
	LOOP
		IF row.problem = 'missing event' AND cardinality(missing) < max_searched THEN
			missing := missing || row.event_id;
			CONTINUE;
		END IF;
		RETURN QUERY SELECT block.block_no, row.event_id, row.xid, row.org_id, row.problem, row.detail;
	END LOOP;

	/* an event may be there, but in another place */
	IF missing <> '{}' THEN
		RETURN QUERY EXECUTE format('SELECT $1, m.id, e.xid, e.org_id,'
			' CASE WHEN e.event_id IS NULL THEN ''missing event'' ELSE ''changed event'' END,'
			' CASE WHEN e.event_id IS NULL THEN ''It was sealed, and is not there.'' ELSE ''Its transaction, or incarnation, is not the one it was sealed with.'' END'
			' FROM unnest($2) AS m (id) LEFT JOIN (%s) AS e ON e.event_id = m.id ORDER BY m.id',
			chat_rbac.audit_query('t.event_id, t.xid, t.org_id', 't.event_id = ANY ($2)'))
		USING block.block_no, missing;
	END IF;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_verify_events(chat_rbac.audit_block) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_verify_events(chat_rbac.audit_block) IS 'Internal to audit_verify(): events of a block that are not as it has them.';

CREATE FUNCTION chat_rbac.audit_verify_blocks() RETURNS TABLE (block_no bigint, event_id bigint, xid xid8, org_id bigint, problem text, detail text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off	-- it would compile anew for each block
AS $$
DECLARE
	numbers constant bigint[] := ARRAY(SELECT b.block_no FROM chat_rbac.audit_block b ORDER BY b.block_no);
	n bigint;
	block chat_rbac.audit_block;
	last chat_rbac.audit_block;		-- before it
	tail chat_rbac.audit_block;		-- of its incarnation, before it
	next chat_rbac.audit_block;		-- of its incarnation, after it
	missing boolean := false;		-- a block before it is
	edits text;
	root bytea;
	part record;
BEGIN
	FOREACH n IN ARRAY numbers LOOP
		SELECT b.* INTO block FROM chat_rbac.audit_block b WHERE b.block_no = n;
		SELECT b.* INTO tail FROM chat_rbac.audit_block b WHERE b.incarnation = block.incarnation AND b.block_no < n ORDER BY b.block_no DESC LIMIT 1;
		IF n > coalesce(last.block_no, 0) + 1 THEN
			missing := true;
			RETURN QUERY SELECT coalesce(last.block_no, 0) + 1, NULL::bigint, NULL::xid8, NULL::bigint, 'missing block',
				CASE WHEN n > coalesce(last.block_no, 0) + 2 THEN format('So are all others up to block %s.', n - 1) ELSE 'It was sealed, and is not there.' END;
		END IF;

		edits := chat_rbac.audit_block_edits(block);
		IF edits IS NOT NULL THEN
			RETURN QUERY SELECT n, NULL::bigint, NULL::xid8, NULL::bigint, 'edited block', edits;
		END IF;
		IF block.previous IS DISTINCT FROM last.hash AND NOT n > coalesce(last.block_no, 0) + 1 THEN
			RETURN QUERY SELECT n, NULL::bigint, NULL::xid8, NULL::bigint, 'broken chain',
				coalesce('It does not follow block ' || last.block_no || ' as that is now.', 'It is not the first that there was.');
		END IF;
		IF NOT missing AND (block.from_xid, block.from_event) IS DISTINCT FROM (coalesce(tail.upto_xid, '0'), coalesce(tail.upto_event, -9223372036854775808)) THEN
			RETURN QUERY SELECT n, NULL::bigint, NULL::xid8, NULL::bigint, 'broken chain',
				coalesce('It does not begin where block ' || tail.block_no || ' ends.', 'It does not begin where its incarnation does.');
		END IF;
		last := block;

		IF edits IS NOT NULL THEN
			/* its ends as its neighbours have them, and whether its events are as they were */
			IF tail.block_no IS NULL AND block.from_xid <> '0' THEN
				SELECT b.* INTO tail FROM chat_rbac.audit_block b
				WHERE (b.upto_xid, b.upto_event) = (block.from_xid, block.from_event) AND b.block_no < n ORDER BY b.block_no DESC LIMIT 1;
				block.incarnation := coalesce(tail.incarnation, block.incarnation);
			END IF;
			SELECT b.* INTO next FROM chat_rbac.audit_block b WHERE b.incarnation = block.incarnation AND b.block_no > n ORDER BY b.block_no LIMIT 1;
			IF NOT missing THEN
				block.from_xid := coalesce(tail.upto_xid, '0');
				block.from_event := coalesce(tail.upto_event, -9223372036854775808);
			END IF;
			IF next.block_no = n + 1 THEN
				block.upto_xid := next.from_xid;
				block.upto_event := next.from_event;
			END IF;
			SELECT chat_rbac.merkle_root(coalesce(string_agg(s.leaf, ''), '')) INTO root
			FROM (SELECT e.leaf FROM chat_rbac.audit_events(block.incarnation, block.from_xid, block.from_event, block.upto_xid, block.upto_event) AS e
				  ORDER BY e.xid, e.event_id) AS s;
			CONTINUE WHEN root = block.root;
		END IF;
		RETURN QUERY SELECT * FROM chat_rbac.audit_verify_events(block);
	END LOOP;

	/* what no block can tell */
	RETURN QUERY EXECUTE format('SELECT'
		' (SELECT min(b.block_no) FROM chat_rbac.audit_block b WHERE b.first_event <= e.event_id AND b.last_event >= e.event_id AND e.event_id = ANY (b.event_ids)),'
		' e.event_id, min(e.xid), CASE WHEN min(e.org_id) = max(e.org_id) THEN min(e.org_id) END,'
		' CASE WHEN count(*) > 1 THEN ''duplicate event'' WHEN bool_and(e.is_known) THEN ''unknown transaction'' ELSE ''unknown incarnation'' END,'
		' CASE WHEN count(*) > 1 THEN format(''There are %%s events with this id.'', count(*)) WHEN bool_and(e.is_known)'
		' THEN ''It has no id, or is of a transaction that never was, so no block would have it.'' ELSE ''It is of an incarnation that never was.'' END'
		' FROM (SELECT *, (incarnation = ANY ($1)) IS TRUE AS is_known,'
		' event_id IS NULL OR xid IS NULL OR (incarnation = $2 AND xid >= $3 AND xid IS DISTINCT FROM $4) IS TRUE AS is_lost FROM (%s) AS t) AS e'
		' GROUP BY e.event_id HAVING count(*) > 1 OR NOT bool_and(e.is_known) OR bool_or(e.is_lost)',
		chat_rbac.audit_query('t.event_id, t.xid, t.org_id, t.incarnation', 'true'))
	USING ARRAY(SELECT i.incarnation FROM chat_rbac.audit_incarnation i),
		coalesce((SELECT i.incarnation FROM chat_rbac.audit_incarnation i
			WHERE i.system_identifier = (SELECT system_identifier FROM pg_control_system())
				AND i.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			ORDER BY i.began_at DESC LIMIT 1), '00000000-0000-0000-0000-000000000000'),
		pg_snapshot_xmax(pg_current_snapshot()), pg_current_xact_id_if_assigned();

	/* what readers do not find, though its time has not been detached */
	FOR part IN SELECT c.oid::regclass AS relation, d.from_at, d.to_at FROM chat_rbac.audit_detached d
		JOIN pg_class c ON c.relname = d.relation_name AND c.oid IN (SELECT t FROM chat_rbac.audit_tables() AS t) LOOP
		RETURN QUERY EXECUTE format('SELECT NULL::bigint, t.event_id, t.xid, t.org_id, ''misplaced event'', %L'
			' FROM %s AS t WHERE (t.at >= $1 AND t.at < $2) IS NOT TRUE'
			' OR EXISTS (SELECT FROM chat_rbac.audit_partition p WHERE t.at >= p.from_at AND t.at < p.to_at)',
			format('It is in %s, which was not detached with the events of its time.', part.relation), part.relation)
		USING part.from_at, part.to_at;
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_verify_blocks() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_verify_blocks() IS 'Internal: audit_verify() without digests, for somebody who may know everything.';

CREATE FUNCTION chat_rbac.audit_problems(digests text[], only_org bigint)
RETURNS TABLE (block_no bigint, event_id bigint, xid xid8, problem text, detail text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT d.block_no, NULL::bigint, NULL::xid8, d.problem, d.detail FROM chat_rbac.audit_verify_digests(digests) AS d
	UNION ALL
	(WITH v AS MATERIALIZED (SELECT * FROM chat_rbac.audit_verify_blocks())
	SELECT v.block_no, v.event_id, v.xid, v.problem, v.detail FROM v
	WHERE only_org IS NULL OR v.event_id IS NULL OR v.org_id = only_org
	UNION ALL
	SELECT DISTINCT v.block_no, NULL::bigint, NULL::xid8, 'events of others', 'Some that are not of your org, or not there, differ from what was sealed.'
	FROM v WHERE only_org IS NOT NULL AND v.event_id IS NOT NULL AND v.org_id IS DISTINCT FROM only_org);
END;
REVOKE ALL ON FUNCTION chat_rbac.audit_problems(text[], bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_problems(text[], bigint) IS 'Internal: audit_verify(), as the owner of the trail, for all orgs (NULL) or one.';

CREATE FUNCTION chat_rbac.audit_verify(VARIADIC digests text[] DEFAULT '{}',
	OUT block_no bigint, OUT event_id bigint, OUT xid xid8, OUT problem text, OUT detail text)
RETURNS SETOF record
LANGUAGE C STABLE PARALLEL UNSAFE COST 100000 ROWS 10
AS 'MODULE_PATHNAME', 'chat_rbac_audit_verify';
COMMENT ON FUNCTION chat_rbac.audit_verify(text[]) IS 'Computes all that is sealed anew, and compares; given digests that were published, with those too. A row for each thing that does not fit: none when the trail is as it was sealed, but for "archived events", which were in partitions that have been detached and dropped. Needs audit.verify org-wide, or a role above row-level security (SQLSTATE 42501); a member is told of events of the own org only. SQLSTATE 22023 for a line that is no digest.';

/* ---- proving ---- */

CREATE FUNCTION chat_rbac.audit_sealed_within(event bigint) RETURNS tstzrange
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT tstzrange(min(b.first_at), max(b.last_at), '[]') FROM chat_rbac.audit_block b
	WHERE b.first_event <= event AND b.last_event >= event;
END;
COMMENT ON FUNCTION chat_rbac.audit_sealed_within(bigint) IS 'Internal to audit_proof(): the time of the blocks that such an event may be in, so that it need not be looked for in others.';

CREATE FUNCTION chat_rbac.audit_place(event bigint, leaf bytea) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	block chat_rbac.audit_block;
	n integer;
BEGIN
	SELECT b.* INTO block FROM chat_rbac.audit_block b
	WHERE b.first_event <= event AND b.last_event >= event AND event = ANY (b.event_ids)
	ORDER BY b.block_no LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'audit event % is not sealed yet', event
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'audit_seal() seals it when all transactions that were open with it have ended.';
	END IF;
	n := array_position(block.event_ids, event);
	IF substr(block.leaves, (n - 1) * 32 + 1, 32) IS DISTINCT FROM leaf THEN
		RAISE EXCEPTION 'audit event % is not as it was sealed', event
			USING ERRCODE = 'data_corrupted', HINT = 'Run chat_rbac.audit_verify().';
	END IF;
	RETURN jsonb_build_object('block', block.block_no, 'leaf', n, 'leaves', block.events,
		'path', (SELECT coalesce(jsonb_agg(encode(p.hash, 'hex') ORDER BY p.n), '[]')
				 FROM unnest(chat_rbac.merkle_path(block.leaves, n)) WITH ORDINALITY AS p (hash, n)),
		/* without what is not in a header, which would be fetched for each */
		'headers', (SELECT jsonb_agg(encode(chat_rbac.audit_header(ROW(b.block_no, b.incarnation, b.from_xid, b.from_event, b.upto_xid, b.upto_event,
						b.events, b.first_event, b.last_event, b.first_at, b.last_at, b.contents, b.root, b.previous, b.hash, b.sealed_at,
						NULL, NULL, NULL)::chat_rbac.audit_block), 'hex') ORDER BY b.block_no)
					FROM chat_rbac.audit_block b WHERE b.block_no >= block.block_no));
END
$$;
COMMENT ON FUNCTION chat_rbac.audit_place(bigint, bytea) IS 'Internal to audit_proof(): where an event is sealed, told to one who has its leaf and so has seen it all.';

CREATE FUNCTION chat_rbac.audit_proof(event bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	during constant tstzrange := chat_rbac.audit_sealed_within(event);
	found chat_rbac.audit_event;
BEGIN
	SELECT e.* INTO found FROM chat_rbac.audit_event e WHERE e.event_id = event AND e.at BETWEEN lower(during) AND upper(during);
	IF found.event_id IS NULL THEN
		SELECT e.* INTO found FROM chat_rbac.audit_event e WHERE e.event_id = event;
	END IF;
	IF found.event_id IS NULL AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
		EXECUTE chat_rbac.audit_query('t.*', format('t.event_id = %L', event)) INTO found;	-- it may have been detached
	END IF;
	IF found.event_id IS NULL THEN
		RAISE EXCEPTION 'audit event % does not exist', event
			USING ERRCODE = 'undefined_object', DETAIL = 'Or it may not be seen.';
	END IF;
	RETURN jsonb_build_object('format', 'chat_rbac audit proof 1',
			'event', encode(chat_rbac.audit_bytes(found), 'hex'),
			'openings', chat_rbac.audit_openings(found))
		|| chat_rbac.audit_place(found.event_id, chat_rbac.audit_leaf(found));
END
$$;
COMMENT ON FUNCTION chat_rbac.audit_proof(bigint) IS 'Proves an event, which the caller must be able to see, to somebody who has a published digest and scripts/verify-proof.pl, and trusts no database: doc/audit-trail-format.md. SQLSTATE 42704 if it is not there or not visible, 55000 if it is not sealed yet.';

/* ---- taking values out ---- */

CREATE FUNCTION chat_rbac.audit_redact_event(event bigint, columns text[], reason text, only_org bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	during constant tstzrange := chat_rbac.audit_sealed_within(event);
	names constant text[] := ARRAY(SELECT DISTINCT c FROM unnest(columns) AS c ORDER BY c);
	condition text;
	tab regclass;
	place record;
	found chat_rbac.audit_event;
	kept text[];
BEGIN
	IF event IS NULL OR names = '{}' OR array_position(names, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'an event and the names of columns must be given' USING ERRCODE = 'null_value_not_allowed';
	ELSIF coalesce(btrim(reason), '') = '' THEN
		RAISE EXCEPTION 'a reason must be given for a redaction' USING ERRCODE = 'null_value_not_allowed';
	END IF;

	FOR condition, tab IN SELECT c.condition, t.tab
		FROM (VALUES (format('t.at BETWEEN %L AND %L', lower(during), upper(during))), ('true')) AS c (condition), chat_rbac.audit_tables() AS t (tab) LOOP
		EXECUTE format('SELECT t.tableoid::regclass AS tab, t.ctid AS tid FROM %s AS t WHERE %s AND t.event_id = $1 FOR UPDATE', tab, condition)
		INTO place USING event;
		EXIT WHEN place.tid IS NOT NULL;
	END LOOP;
	IF place.tid IS NOT NULL THEN
		EXECUTE (SELECT format('SELECT %s FROM %s AS t WHERE t.ctid = %L', string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum), place.tab, place.tid)
				 FROM pg_attribute a WHERE a.attrelid = 'chat_rbac.audit_event'::regclass AND a.attnum > 0 AND NOT a.attisdropped) INTO found;
	END IF;
	IF found.event_id IS NULL OR (only_org IS NOT NULL AND found.org_id IS DISTINCT FROM only_org) THEN
		RAISE EXCEPTION 'audit event % does not exist', event
			USING ERRCODE = 'undefined_object',
				DETAIL = CASE WHEN only_org IS NULL THEN 'Or it was in a partition that has been dropped.' ELSE 'Or it is not of your org.' END;
	ELSIF found.operation = 'redact' THEN
		RAISE EXCEPTION 'audit event % says what was redacted, and stays', event USING ERRCODE = 'wrong_object_type';
	END IF;
	kept := ARRAY(SELECT jsonb_object_keys(found.old) UNION SELECT jsonb_object_keys(found.new) ORDER BY 1);
	IF NOT names <@ kept THEN
		RAISE EXCEPTION 'audit event % has no value of column "%"', event, (SELECT min(n) FROM unnest(names) AS n WHERE n <> ALL (kept))
			USING ERRCODE = 'undefined_column',
				DETAIL = CASE WHEN kept = '{}' THEN 'It has no values.' ELSE format('It has values of %s.', array_to_string(kept, ', ')) END;
	END IF;

	EXECUTE format('UPDATE %s AS t SET old = t.old - $1, new = t.new - $1, salt = '''', redaction = $2 WHERE t.ctid = %L', place.tab, place.tid)
	USING names, chat_rbac.audit_redaction(found, names);
	RETURN chat_rbac.audit_note('redact', 'audit.redact', 'chat_rbac.audit_event', 'chat_rbac.audit_event', event::text,
		found.org_id, found.unit_kinds, found.unit_keys, jsonb_build_object('columns', to_jsonb(names)), reason);
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.audit_redact_event(bigint, text[], text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_redact_event(bigint, text[], text, bigint) IS 'Internal: audit_redact(), as the owner of the trail, in all orgs (NULL) or one.';

CREATE FUNCTION chat_rbac.audit_redact(event bigint, columns text[], reason text) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_audit_redact';
COMMENT ON FUNCTION chat_rbac.audit_redact(bigint, text[], text) IS 'Takes the values of columns out of one event, for good; what was sealed still verifies, and the rest can still be proved. Returns the id of the event that says who did so and why. Needs audit.redact org-wide in the event''s org, or a role above row-level security (SQLSTATE 42501).';

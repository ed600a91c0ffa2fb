/* ---- protecting a table: from a specification to policies ---- */

/*
 * protect() checks all of the specification, completes it, stores it, and
 * makes the table's policies anew from it.  It and its helpers run as the
 * caller, who must own the table and may write chat_rbac.protection.  The
 * helpers stay with PUBLIC: they show only what their caller may read.
 */

CREATE FUNCTION chat_rbac.spec_error(message text, detail text DEFAULT NULL, hint text DEFAULT NULL) RETURNS void
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT chat_rbac.raise_error('22023', 'invalid specification: ' || message, detail, hint);
END;
COMMENT ON FUNCTION chat_rbac.spec_error(text, text, text) IS 'Internal to protect(): the one form of its errors, SQLSTATE 22023.';

CREATE FUNCTION chat_rbac.spec_keys(place text, object jsonb, allowed text[] DEFAULT NULL, required text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key text;
BEGIN
	IF jsonb_typeof(object) IS DISTINCT FROM 'object' THEN
		PERFORM chat_rbac.spec_error(format('%s must be an object', place),
			CASE jsonb_typeof(object) WHEN 'null' THEN 'It is null.' WHEN 'array' THEN 'It is an array.' ELSE 'It is a ' || jsonb_typeof(object) || '.' END);
	END IF;
	FOR key IN SELECT jsonb_object_keys(object) LOOP
		IF key <> ALL (allowed) THEN
			PERFORM chat_rbac.spec_error(format('unknown key "%s" in %s', key, place),
				format('Allowed are %s.', (SELECT string_agg(format('"%s"', a), ', ') FROM unnest(allowed) AS a)),
				'Perhaps you meant ' || chat_rbac.near_names(key, allowed) || '.');
		END IF;
	END LOOP;
	FOREACH key IN ARRAY required LOOP
		IF NOT object ? key THEN
			PERFORM chat_rbac.spec_error(format('%s has no key "%s"', place, key));
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_keys(text, jsonb, text[], text[]) IS 'Internal to protect(): an object with allowed keys only (NULL: any), and all required ones.';

CREATE FUNCTION chat_rbac.spec_column(place text, relation regclass, col jsonb, id boolean DEFAULT true, generated boolean DEFAULT false) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	attr pg_attribute;
	found_names text[];
BEGIN
	IF jsonb_typeof(col) IS DISTINCT FROM 'string' THEN
		PERFORM chat_rbac.spec_error(format('%s must be the name of a column', place));
	END IF;
	SELECT a.* INTO attr FROM pg_attribute a
	WHERE a.attrelid = relation AND a.attname = col #>> '{}' AND a.attnum > 0 AND NOT a.attisdropped;
	IF NOT FOUND THEN
		SELECT array_agg(a.attname::text ORDER BY a.attnum) INTO found_names FROM pg_attribute a
		WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
		PERFORM chat_rbac.spec_error(format('%s: table %s has no column "%s"', place, relation, col #>> '{}'),
			format('Its columns are %s.', array_to_string(found_names, ', ')),
			'Perhaps you meant ' || chat_rbac.near_names(col #>> '{}', found_names) || '.');
	END IF;
	IF attr.attgenerated <> '' AND NOT generated THEN
		PERFORM chat_rbac.spec_error(format('%s: column "%s" of table %s is generated', place, attr.attname, relation),
			'Rights are looked at before it is computed: name the columns that it is computed from.');
	END IF;
	IF id AND attr.atttypid NOT IN ('integer'::regtype, 'bigint'::regtype) THEN
		PERFORM chat_rbac.spec_error(format('%s: column "%s" of table %s is of type %s',
				place, attr.attname, relation, format_type(attr.atttypid, attr.atttypmod)),
			'Ids must be of type integer or bigint.');
	END IF;
	RETURN attr.attname;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_column(text, regclass, jsonb, boolean, boolean) IS 'Internal to protect(): the name of a column that exists, and with id, holds integer or bigint. It may be a generated one only if so said.';

CREATE FUNCTION chat_rbac.table_named(name text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass(name) AND c.relkind IN ('r', 'p'));
EXCEPTION WHEN invalid_name OR syntax_error OR feature_not_supported THEN	-- the last one: of another database
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION chat_rbac.table_named(text) IS 'Internal to protect(): the table of a schema-qualified name, or NULL.';

CREATE FUNCTION chat_rbac.spec_table(place text, tab jsonb) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass := chat_rbac.table_named(tab #>> '{}');
BEGIN
	IF relation IS NULL THEN
		PERFORM chat_rbac.spec_error(format('%s: there is no table %s', place, tab),
			NULL, 'Write the schema too, as in "inbox.conversation".');
	ELSIF (SELECT relpersistence FROM pg_class WHERE oid = relation) = 't' OR relation::oid < 16384 THEN
		PERFORM chat_rbac.spec_error(format('%s: %s is a temporary or system table', place, relation));
	END IF;
	RETURN relation;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_table(text, jsonb) IS 'Internal to protect(): the table that a schema-qualified name names.';

CREATE FUNCTION chat_rbac.spec_key(place text, relation regclass, org name, given jsonb, generated boolean DEFAULT false) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key_columns name[];
BEGIN
	IF given IS NOT NULL THEN
		RETURN chat_rbac.spec_column(format('"key" in %s', place), relation, given, generated => generated);
	END IF;
	SELECT array_agg(a.attname) INTO key_columns
	FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
	WHERE i.indrelid = relation AND i.indisprimary AND a.attname IS DISTINCT FROM org;
	IF cardinality(key_columns) IS DISTINCT FROM 1 THEN
		PERFORM chat_rbac.spec_error(format('%s must say with "key" which column of table %s it means', place, relation),
			format('Beside the org, its primary key has the columns %s.', coalesce(array_to_string(key_columns, ', '), '(none)')));
	END IF;
	RETURN chat_rbac.spec_column(place, relation, to_jsonb(key_columns[1]::text), generated => generated);
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_key(text, regclass, name, jsonb, boolean) IS 'Internal to protect(): the id column of a table: the given one, or the primary key''s only column beside the org. It may be a generated one only if so said.';

CREATE FUNCTION chat_rbac.spec_is_unique(relation regclass, col text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = relation AND a.attname = col AND i.indnkeyatts = 1 AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL);
END;
COMMENT ON FUNCTION chat_rbac.spec_is_unique(regclass, text) IS 'Internal to protect(): does the table have at most one row for each value of a column, in all orgs?';

CREATE FUNCTION chat_rbac.spec_permission(place text, value jsonb) RETURNS chat_rbac.permission
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	p chat_rbac.permission;
	near text;
BEGIN
	IF jsonb_typeof(value) IS DISTINCT FROM 'string' THEN
		PERFORM chat_rbac.spec_error(format('%s must be the name of a permission', place));
	END IF;
	BEGIN
		p := (value #>> '{}')::chat_rbac.permission;
	EXCEPTION WHEN invalid_text_representation THEN
		PERFORM chat_rbac.spec_error(format('%s: %s is not the name of a permission', place, value),
			'A permission is resource.action, in lower-case letters, digits and "_".');
	END;
	IF NOT EXISTS (SELECT FROM chat_rbac.known_permission k WHERE k.name OPERATOR(chat_rbac.=) p) THEN
		SELECT chat_rbac.near_names(p::text, array_agg(k.name::text)) INTO near FROM chat_rbac.known_permission k;
		PERFORM chat_rbac.spec_error(format('%s: permission "%s" is not known', place, p),
			'Known are those in chat_rbac.known_permission, without wildcard and relation.',
			coalesce('Perhaps you meant ' || near || '.', 'Add your application''s own to chat_rbac.known_permission first.'));
	END IF;
	RETURN p;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_permission(text, jsonb) IS 'Internal to protect(): a known permission.';

CREATE FUNCTION chat_rbac.spec_org_of(place text, relation regclass, org name, given jsonb) RETURNS name
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF given IS NOT NULL THEN
		RETURN chat_rbac.spec_column(format('"org" in %s', place), relation, given, generated => true);
	ELSIF EXISTS (SELECT FROM pg_attribute a
				  WHERE a.attrelid = relation AND a.attname = org AND a.attnum > 0 AND NOT a.attisdropped) THEN
		RETURN chat_rbac.spec_column(place, relation, to_jsonb(org::text), generated => true);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_org_of(text, regclass, name, jsonb) IS 'Internal to protect(): the org column of another table: the given one, or one of the same name; NULL if it has none.';

CREATE FUNCTION chat_rbac.try_query(query text, owner regrole) RETURNS void
LANGUAGE C STABLE STRICT COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_try_query';
COMMENT ON FUNCTION chat_rbac.try_query(text, regrole) IS 'Internal to protect(): runs a SELECT as a role whose rights the caller has (else SQLSTATE 42501).';

CREATE FUNCTION chat_rbac.has_literals(type oid) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	outer_type pg_type := (SELECT t FROM pg_type t WHERE t.oid = has_literals.type);
BEGIN
	/* whoever makes a policy or a view reads its literals, and a domain within such a value would run its checks with their rights */
	CASE outer_type.typtype
		WHEN 'd' THEN
			RETURN chat_rbac.has_literals(outer_type.typbasetype);
		WHEN 'b', 'e' THEN
			RETURN (outer_type.typcategory <> 'A' OR (SELECT t.typtype <> 'd' FROM pg_type t WHERE t.oid = outer_type.typelem) AND chat_rbac.has_literals(outer_type.typelem))
				AND NOT EXISTS (SELECT FROM pg_cast c WHERE c.castsource = outer_type.oid AND c.castcontext = 'i' AND c.castfunc >= 16384);
		WHEN 'r', 'm' THEN
			RETURN (SELECT t.typtype <> 'd' AND chat_rbac.has_literals(t.oid) FROM pg_range r JOIN pg_type t ON t.oid = r.rngsubtype WHERE outer_type.oid IN (r.rngtypid, r.rngmultitypid));
		ELSE
			RETURN false;
	END CASE;
END
$$;
COMMENT ON FUNCTION chat_rbac.has_literals(oid) IS 'Internal to protect(): can a column of this type be compared with a literal, and nothing be run by it but PostgreSQL''s own functions? Not of types made of domains, nor of such with an implicit cast by a function of somebody''s.';

CREATE FUNCTION chat_rbac.spec_literal_column(place text, relation regclass, col text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	coltype oid := (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = col);
BEGIN
	IF NOT chat_rbac.has_literals(coltype) THEN
		PERFORM chat_rbac.spec_error(format('%s: column "%s" cannot be compared with a literal', place, col),
			format('To read one of type %s would run what its owner has made of it.', coltype::regtype));
	END IF;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_literal_column(text, regclass, text) IS 'Internal to protect(): an error for a column that cannot be compared with a literal.';

CREATE FUNCTION chat_rbac.spec_literal(place text, relation regclass, col text, literal jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	coltype text := (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = col);
BEGIN
	PERFORM chat_rbac.spec_literal_column(place, relation, col);
	BEGIN
		IF coltype LIKE 'char%' AND char_length(literal #>> '{}') > substring(coltype FROM '[(]([0-9]+)[)]')::int THEN
			RAISE string_data_right_truncation;		-- as assigning it would, but casting it would not
		END IF;
		PERFORM chat_rbac.try_query(format('SELECT %L::%s = %1$L', literal #>> '{}', coltype), (SELECT c.relowner FROM pg_class c WHERE c.oid = relation));
	EXCEPTION
		WHEN data_exception OR undefined_object OR integrity_constraint_violation THEN
			PERFORM chat_rbac.spec_error(format('%s: %s is no value of column "%s"', place, literal, col),
				format('The column is of type %s.', coltype));
		WHEN undefined_function THEN
			PERFORM chat_rbac.spec_error(format('%s: column "%s" cannot be tested', place, col),
				format('Type %s has no operator "=".', coltype));
	END;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_literal(text, regclass, text, jsonb) IS 'Internal to protect(): a literal that a column may be compared with.';

CREATE FUNCTION chat_rbac.spec_relation(relation regclass, org name, relname text, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place text := format('relation "%s"', relname);
	owner oid := (SELECT relowner FROM pg_class WHERE oid = relation);
	other regclass;
	col text;
	test jsonb;
	people int := 0;
BEGIN
	BEGIN
		PERFORM ('x.y@' || relname)::chat_rbac.permission;
	EXCEPTION WHEN invalid_text_representation THEN
		PERFORM chat_rbac.spec_error(format('%s is not a name for a relation', to_json(relname)),
			'It stands behind the "@" of permissions: 1 to 63 lower-case letters, digits and "_".');
	END;
	IF relname = 'all' THEN
		PERFORM chat_rbac.spec_error('a relation cannot be named "all"', 'That is every row.');
	END IF;
	IF jsonb_typeof(value) IS DISTINCT FROM 'object' OR value = '{}' THEN
		PERFORM chat_rbac.spec_error(format('%s must be an object', place),
			'It holds column tests {"column": "$member" | "$members" | null | literal}, or {"table", "row", "member"}, or {"linked"}.');
	END IF;

	IF value ? 'table' THEN
		PERFORM chat_rbac.spec_keys(place, value, '{table,row,member,org,key}', '{table,row,member}');
		other := chat_rbac.spec_table(place, value -> 'table');
		IF NOT pg_has_role(owner, (SELECT relowner FROM pg_class WHERE oid = other), 'USAGE') THEN
			RAISE EXCEPTION 'the owner of table % does not own link table %', relation, other
				USING ERRCODE = 'insufficient_privilege',
					DETAIL = 'A link table is read as its owner, past its own policies.',
					HINT = format('ALTER TABLE %s OWNER TO %I;', other, pg_get_userbyid(owner));
		END IF;
		RETURN jsonb_strip_nulls(jsonb_build_object(
			'table', other::text,
			'row', chat_rbac.spec_column(place, other, value -> 'row', generated => true),
			'member', chat_rbac.spec_column(place, other, value -> 'member', generated => true),
			'org', chat_rbac.spec_org_of(place, other, org, value -> 'org'),
			'key', chat_rbac.spec_key(place, relation, org, value -> 'key')));
	END IF;

	IF value ? 'linked' THEN
		PERFORM chat_rbac.spec_keys(place, value, '{linked}');
		place := format('"linked" of %s', place);
		value := value -> 'linked';
		PERFORM chat_rbac.spec_keys(place, value, '{table,column,org,key}', '{table,column}');
		other := chat_rbac.spec_table(place, value -> 'table');
		IF NOT EXISTS (SELECT FROM chat_rbac.protection p WHERE p.relation = other) THEN
			PERFORM chat_rbac.spec_error(format('%s: table %s is not protected', place, other),
				'The relation holds where a visible row points here.', 'Protect that table first.');
		END IF;
		RETURN jsonb_build_object('linked', jsonb_strip_nulls(jsonb_build_object(
			'table', other::text,
			'column', chat_rbac.spec_column(place, other, value -> 'column', generated => true),
			'org', chat_rbac.spec_org_of(place, other, org, value -> 'org'),
			'key', chat_rbac.spec_key(place, relation, org, value -> 'key'))));
	END IF;

	FOR col, test IN SELECT * FROM jsonb_each(value) LOOP
		PERFORM chat_rbac.spec_column(place, relation, to_jsonb(col),
			id => coalesce(test #>> '{}' IN ('$member', '$members'), false));
		CASE jsonb_typeof(test)
			WHEN 'object', 'array' THEN
				PERFORM chat_rbac.spec_error(format('%s tests column "%s" against an %s', place, col, jsonb_typeof(test)),
					'A test is "$member", "$members", null, or a literal.');
			WHEN 'null' THEN
				CONTINUE;
			ELSE
				people := people + (test #>> '{}' = '$members')::int;
				CONTINUE WHEN test #>> '{}' IN ('$member', '$members');
				IF left(test #>> '{}', 1) = '$' THEN
					PERFORM chat_rbac.spec_error(format('%s tests column "%s" against %s', place, col, test),
						'The placeholders are "$member" and "$members".');
				END IF;
				PERFORM chat_rbac.spec_literal(place, relation, col, test);
		END CASE;
	END LOOP;
	IF people > 1 THEN
		PERFORM chat_rbac.spec_error(format('%s has more than one "$members"', place));
	END IF;
	RETURN value;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_relation(regclass, name, text, jsonb) IS 'Internal to protect(): one relation, checked and completed.';

CREATE FUNCTION chat_rbac.spec_action(place text, relation regclass, rule jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	side text;
BEGIN
	PERFORM chat_rbac.spec_keys(place, rule, '{on,column,from,to,requires,into}', '{on,requires}');
	IF rule -> 'on' NOT IN ('"insert"', '"update"', '"delete"') THEN
		PERFORM chat_rbac.spec_error(format('"on" of %s is %s', place, rule -> 'on'), 'It must be "insert", "update" or "delete".');
	END IF;
	IF rule ? 'column' THEN
		PERFORM chat_rbac.spec_column(format('"column" of %s', place), relation, rule -> 'column', id => false);
	END IF;
	FOREACH side IN ARRAY '{from,to}'::text[] LOOP
		CONTINUE WHEN NOT rule ? side;
		IF NOT rule ? 'column' THEN
			PERFORM chat_rbac.spec_error(format('%s has a "%s", but no "column"', place, side));
		ELSIF rule ->> 'on' = (CASE side WHEN 'from' THEN 'insert' ELSE 'delete' END) THEN
			PERFORM chat_rbac.spec_error(format('%s is on %s, so it can have no "%s"', place, rule ->> 'on', side),
				CASE side WHEN 'from' THEN 'There is no row before an insert.' ELSE 'There is no row after a delete.' END);
		ELSIF jsonb_typeof(rule -> side) IN ('object', 'array') THEN
			PERFORM chat_rbac.spec_error(format('"%s" of %s is an %s', side, place, jsonb_typeof(rule -> side)),
				'It must be "$member", null, or a literal.');
		ELSIF rule ->> side = '$member' THEN
			PERFORM chat_rbac.spec_column(format('"%s" of %s', side, place), relation, rule -> 'column');
		ELSIF left(rule ->> side, 1) = '$' THEN
			PERFORM chat_rbac.spec_error(format('"%s" of %s is %s', side, place, rule -> side), 'The only placeholder here is "$member".');
		ELSIF rule -> side <> 'null' THEN
			PERFORM chat_rbac.spec_literal(format('"%s" of %s', side, place), relation, rule ->> 'column', rule -> side);
		END IF;
	END LOOP;
	IF jsonb_typeof(rule -> 'requires') NOT IN ('string', 'null') THEN
		PERFORM chat_rbac.spec_error(format('"requires" of %s is %s', place, rule -> 'requires'),
			'It must be a permission, "any" for any one that the rules for this command name, or null for nobody but the owner.');
	ELSIF rule -> 'requires' NOT IN ('null', '"any"') THEN
		PERFORM chat_rbac.spec_permission(format('"requires" of %s', place), rule -> 'requires');
	END IF;
	IF rule ? 'into' THEN
		IF rule ->> 'on' <> 'update' THEN
			PERFORM chat_rbac.spec_error(format('%s is on %s, so it can have no "into"', place, rule ->> 'on'),
				'"into" is for the row that an update makes of another.');
		END IF;
		PERFORM chat_rbac.spec_permission(format('"into" of %s', place), rule -> 'into');
	END IF;
	RETURN rule;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_action(text, regclass, jsonb) IS 'Internal to protect(): one rule of "actions", checked.';

CREATE FUNCTION chat_rbac.spec_actions(relation regclass, resource text, rules jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result jsonb := '[]';
	rule jsonb;
	n bigint;
	earlier bigint;
BEGIN
	IF rules IS NULL THEN
		rules := jsonb_build_array(
			jsonb_build_object('on', 'insert', 'requires', resource || '.create'),
			jsonb_build_object('on', 'update', 'requires', resource || '.edit', 'into', resource || '.edit'),
			jsonb_build_object('on', 'delete', 'requires', resource || '.delete'));
	ELSIF jsonb_typeof(rules) <> 'array' THEN
		PERFORM chat_rbac.spec_error('"actions" must be an array of rules',
			'A rule is {"on", "requires"}, with "column", "from", "to" and "into" where they are wanted.');
	END IF;
	FOR rule, n IN SELECT * FROM jsonb_array_elements(rules) WITH ORDINALITY LOOP
		rule := chat_rbac.spec_action(format('rule %s of "actions"', n), relation, rule);
		SELECT min(o.n) INTO earlier FROM jsonb_array_elements(result) WITH ORDINALITY AS o (other, n)
		WHERE o.other -> 'on' = rule -> 'on' AND (o.other -> 'column') IS NOT DISTINCT FROM (rule -> 'column')
			AND (NOT o.other ? 'from' OR o.other -> 'from' = rule -> 'from')
			AND (NOT o.other ? 'to' OR o.other -> 'to' = rule -> 'to');
		IF earlier IS NOT NULL THEN
			PERFORM chat_rbac.spec_error(format('rule %s of "actions" is never reached', n),
				format('Rule %s comes first and is for all of its changes.', earlier), 'Put the more special rule first.');
		END IF;
		result := result || jsonb_build_array(rule);
	END LOOP;
	FOR rule, n IN SELECT * FROM jsonb_array_elements(result) WITH ORDINALITY LOOP
		IF rule ->> 'requires' = 'any' AND NOT EXISTS (SELECT FROM jsonb_array_elements(result) AS o
			WHERE o -> 'on' = rule -> 'on' AND o ->> 'requires' <> 'any') THEN
			PERFORM chat_rbac.spec_error(format('rule %s of "actions" requires "any", but no rule on %s names a permission', n, rule ->> 'on'));
		END IF;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_actions(regclass, text, jsonb) IS 'Internal to protect(): the rules of "actions", checked; by default <resource>.create, .edit (before and after) and .delete.';

CREATE FUNCTION chat_rbac.spec_audit(relation regclass, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	how text;
	cols jsonb;
	col jsonb;
BEGIN
	PERFORM chat_rbac.spec_keys('"audit"', value, '{exclude,digest}');
	FOR how, cols IN SELECT * FROM jsonb_each(value) LOOP
		IF jsonb_typeof(cols) <> 'array' THEN
			PERFORM chat_rbac.spec_error(format('"%s" of "audit" must be an array of columns', how));
		END IF;
		FOR col IN SELECT * FROM jsonb_array_elements(cols) LOOP
			PERFORM chat_rbac.spec_column(format('"%s" of "audit"', how), relation, col, id => false);
			IF (col #>> '{}')::name = ANY (chat_rbac.spec_places(relation, '{}')) THEN
				PERFORM chat_rbac.spec_error(format('"%s" of "audit" names column %s of the primary key', how, col),
					'An event tells its row by it.');
			ELSIF how = 'digest' AND value -> 'exclude' ? (col #>> '{}') THEN
				PERFORM chat_rbac.spec_error(format('"audit" both excludes and digests column %s', col));
			END IF;
		END LOOP;
	END LOOP;
	RETURN value;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_audit(regclass, jsonb) IS 'Internal to protect(): the columns that the audit trail leaves out, or shows as a digest, checked.';

CREATE FUNCTION chat_rbac.spec_work(relation regclass, spec jsonb, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place text;
	person text;
	tests jsonb;
	col text;
	test jsonb;
	choice jsonb;
BEGIN
	PERFORM chat_rbac.spec_keys('"work"', value);
	IF value = '{}' THEN
		PERFORM chat_rbac.spec_error('"work" names no column', 'It holds {"assignee_id": {"status": ["open", "waiting"]}}: whose work it is, and which rows are.');
	END IF;
	FOR person, tests IN SELECT * FROM jsonb_each(value) LOOP
		PERFORM chat_rbac.spec_column('"work"', relation, to_jsonb(person));
		IF person::name = ANY (chat_rbac.spec_places(relation, spec)) THEN
			PERFORM chat_rbac.spec_error(format('"work" names column "%s", which says what or where the row is', person), 'It names the columns of members.');
		END IF;
		place := format('"work" of column "%s"', person);
		PERFORM chat_rbac.spec_keys(place, tests);
		FOR col, test IN SELECT * FROM jsonb_each(tests) LOOP
			PERFORM chat_rbac.spec_column(place, relation, to_jsonb(col), id => false, generated => true);
			IF test = '[]' THEN
				PERFORM chat_rbac.spec_error(format('%s tests column "%s" against an empty array', place, col), 'No row would ever be open.');
			END IF;
			FOR choice IN SELECT * FROM jsonb_array_elements(CASE jsonb_typeof(test) WHEN 'array' THEN test ELSE jsonb_build_array(test) END) LOOP
				IF jsonb_typeof(choice) IN ('object', 'array') OR left(choice #>> '{}', 1) = '$' THEN
					PERFORM chat_rbac.spec_error(format('%s tests column "%s" against %s', place, col, choice),
						'A test is null, a literal, or an array of these, of which one must fit.');
				ELSIF choice <> 'null' THEN
					PERFORM chat_rbac.spec_literal(place, relation, col, choice);
				END IF;
			END LOOP;
		END LOOP;
	END LOOP;
	RETURN value;
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_work(regclass, jsonb, jsonb) IS 'Internal to protect(): the columns that say whose work a row is, and the tests that say which rows are open, checked.';

CREATE FUNCTION chat_rbac.spec_requires(spec jsonb, command text) RETURNS chat_rbac.permset
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT chat_rbac.permset_agg(DISTINCT (a ->> 'requires')::chat_rbac.permission)
	FROM jsonb_array_elements(spec -> 'actions') AS a
	WHERE a ->> 'on' = command AND a ->> 'requires' <> 'any';
$$;
COMMENT ON FUNCTION chat_rbac.spec_requires(jsonb, text) IS 'Internal to protect(): the permissions that a checked specification''s rules for a command name; NULL if none.';

CREATE FUNCTION chat_rbac.spec_places(relation regclass, spec jsonb) RETURNS name[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH placed (name) AS (
		SELECT spec ->> 'org'
		UNION SELECT spec #>> '{parent,column}'
		UNION SELECT u.value FROM jsonb_each_text(spec -> 'units') AS u
		UNION SELECT coalesce(r.value ->> 'key', r.value #>> '{linked,key}') FROM jsonb_each(spec -> 'relations') AS r
			WHERE r.value ? 'table' OR r.value ? 'linked'
		UNION SELECT t.key FROM jsonb_each(spec -> 'relations') AS r, jsonb_object_keys(r.value) AS t (key)
			WHERE NOT (r.value ? 'table' OR r.value ? 'linked'))
	SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
		AND (a.attname IN (SELECT p.name FROM placed p) OR a.attnum IN (
			SELECT unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) FROM pg_index i WHERE i.indrelid = relation AND i.indisprimary));
END;
COMMENT ON FUNCTION chat_rbac.spec_places(regclass, jsonb) IS 'Internal to protect(): the columns that tell a row and its place: the primary key, and what org, units, relations and parent are read from.';

CREATE FUNCTION chat_rbac.spec_linked(spec jsonb) RETURNS regclass[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT coalesce(array_agg(DISTINCT (r.value #>> '{linked,table}')::regclass), '{}')
	FROM jsonb_each(spec -> 'relations') AS r
	WHERE r.value ? 'linked';
END;
COMMENT ON FUNCTION chat_rbac.spec_linked(jsonb) IS 'Internal to protect(): the tables of "linked" relations in a checked specification.';

CREATE FUNCTION chat_rbac.spec_link_tables(spec jsonb) RETURNS regclass[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT coalesce(array_agg(DISTINCT (r.value ->> 'table')::regclass), '{}')
	FROM jsonb_each(spec -> 'relations') AS r
	WHERE r.value ? 'table';
END;
COMMENT ON FUNCTION chat_rbac.spec_link_tables(jsonb) IS 'Internal to protect(): the link tables in a checked specification.';

CREATE FUNCTION chat_rbac.spec_leads_back(relation regclass, spec jsonb) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH RECURSIVE leads (target) AS (
		SELECT unnest(chat_rbac.spec_linked(spec) || (spec #>> '{parent,table}')::regclass)
		UNION
		SELECT n.target FROM leads l JOIN chat_rbac.protection p ON p.relation = l.target
		CROSS JOIN LATERAL unnest(p.linked || p.parent) AS n (target))
	SELECT EXISTS (SELECT FROM leads WHERE target = relation);
END;
COMMENT ON FUNCTION chat_rbac.spec_leads_back(regclass, jsonb) IS 'Internal to protect(): would parents and linked tables lead from a table back to itself?';

CREATE FUNCTION chat_rbac.spec_check(relation regclass, spec jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result jsonb := '{}';
	parts jsonb := '{}';
	org name;
	above regclass;
	name text;
	value jsonb;
BEGIN
	PERFORM chat_rbac.spec_keys('the specification', spec, '{resource,org,units,relations,parent,view,actions,audit,work}', '{resource}');
	IF jsonb_typeof(spec -> 'resource') <> 'string' THEN
		PERFORM chat_rbac.spec_error('"resource" must be a string');
	END IF;
	PERFORM chat_rbac.spec_permission(format('"resource" %s', spec -> 'resource'), to_jsonb((spec ->> 'resource') || '.' || action))
	FROM unnest('{view,create,edit,delete}'::text[]) AS action
	WHERE NOT spec ? CASE action WHEN 'view' THEN 'view' ELSE 'actions' END;
	result := jsonb_build_object('resource', spec -> 'resource');

	IF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisprimary) THEN
		PERFORM chat_rbac.spec_error(format('table %s has no primary key', relation));
	ELSIF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisprimary AND i.indimmediate) THEN
		PERFORM chat_rbac.spec_error(format('the primary key of table %s is deferrable', relation),
			'Until the end of a transaction two rows could have one key.');
	END IF;
	PERFORM chat_rbac.spec_column('the primary key', relation, to_jsonb(p.name::text), id => false)
	FROM unnest(chat_rbac.spec_places(relation, '{}')) AS p (name);
	IF spec ? 'org' THEN
		org := chat_rbac.spec_column('"org"', relation, spec -> 'org');
		result := result || jsonb_build_object('org', org);
	END IF;
	IF spec ? 'view' THEN
		result := result || jsonb_build_object('view', chat_rbac.spec_permission('"view"', spec -> 'view'));
	END IF;
	IF spec ? 'audit' THEN
		result := result || jsonb_build_object('audit', chat_rbac.spec_audit(relation, spec -> 'audit'));
	END IF;

	IF spec ? 'parent' THEN
		IF spec ? 'units' OR spec ? 'relations' THEN
			PERFORM chat_rbac.spec_error('a table with a "parent" has no "units" or "relations" of its own',
				'Its rows are where their parent rows are.');
		ELSIF spec ? 'work' THEN
			PERFORM chat_rbac.spec_error('a table with a "parent" has no "work" of its own', 'Its rows go with their parent rows.');
		END IF;
		value := spec -> 'parent';
		PERFORM chat_rbac.spec_keys('"parent"', value, '{table,column,org,key}', '{table,column}');
		above := chat_rbac.spec_table('"parent"', value -> 'table');
		IF NOT EXISTS (SELECT FROM chat_rbac.protection p WHERE p.relation = above) THEN
			PERFORM chat_rbac.spec_error(format('parent table %s is not protected', above), NULL, 'Protect it first.');
		END IF;
		IF org IS NOT NULL THEN
			parts := jsonb_strip_nulls(jsonb_build_object('org', chat_rbac.spec_org_of('"parent"', above, org, value -> 'org')));
		END IF;
		result := result || jsonb_build_object('parent', parts || jsonb_build_object(
			'table', above::text,
			'column', chat_rbac.spec_column('"parent"', relation, value -> 'column'),
			'key', chat_rbac.spec_key('"parent"', above, (parts ->> 'org')::name, value -> 'key', generated => true)));
		IF org IS NULL AND NOT chat_rbac.spec_is_unique(above, result #>> '{parent,key}') THEN
			PERFORM chat_rbac.spec_error(format('"parent": column "%s" of table %s is not unique', result #>> '{parent,key}', above),
				'Without "org", a row of another org could be taken for the parent.');
		END IF;
		IF chat_rbac.spec_leads_back(relation, result) THEN
			PERFORM chat_rbac.spec_error(format('parents and linked tables lead back to table %s', relation));
		END IF;
		RETURN result || jsonb_build_object('actions', chat_rbac.spec_actions(relation, spec ->> 'resource', spec -> 'actions'));
	END IF;

	IF org IS NULL THEN
		PERFORM chat_rbac.spec_error('the specification has no key "org"', 'Only a table with a "parent" may do without.');
	END IF;
	IF spec ? 'units' THEN
		PERFORM chat_rbac.spec_keys('"units"', spec -> 'units');
		FOR name, value IN SELECT * FROM jsonb_each(spec -> 'units') LOOP
			IF name = '' THEN
				PERFORM chat_rbac.spec_error('a unit kind cannot be empty');
			END IF;
			parts := parts || jsonb_build_object(name,
				chat_rbac.spec_column(format('unit "%s"', name), relation, value));
		END LOOP;
		IF (SELECT count(*) FROM jsonb_object_keys(parts)) > 8 THEN
			PERFORM chat_rbac.spec_error('more than 8 unit columns');
		END IF;
	END IF;
	result := result || jsonb_build_object('units', parts);
	IF spec ? 'work' THEN
		result := result || jsonb_build_object('work', chat_rbac.spec_work(relation, result, spec -> 'work'));
	END IF;

	parts := '{}';
	IF spec ? 'relations' THEN
		PERFORM chat_rbac.spec_keys('"relations"', spec -> 'relations');
		FOR name, value IN SELECT * FROM jsonb_each(spec -> 'relations') LOOP
			parts := parts || jsonb_build_object(name, chat_rbac.spec_relation(relation, org, name, value));
		END LOOP;
	END IF;
	result := result || jsonb_build_object('relations', parts);
	IF chat_rbac.spec_leads_back(relation, result) THEN
		PERFORM chat_rbac.spec_error(format('parents and linked tables lead back to table %s', relation));
	END IF;
	RETURN result || jsonb_build_object('actions', chat_rbac.spec_actions(relation, spec ->> 'resource', spec -> 'actions'));
END
$$;
COMMENT ON FUNCTION chat_rbac.spec_check(regclass, jsonb) IS 'Internal to protect(): the specification checked and completed, or an error that names what is wrong and what is allowed.';

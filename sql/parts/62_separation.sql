/* ---- separation of duty by name ---- */

CREATE FUNCTION chat_rbac.check_cardinality(separation text, cardinality integer, nroles integer) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF cardinality BETWEEN 2 AND nroles THEN
		RETURN;
	END IF;
	PERFORM chat_rbac.raise_error('22023',
		format('cardinality %s does not fit separation "%s", which has %s %s', coalesce(cardinality::text, 'null'), separation, nroles,
			CASE nroles WHEN 1 THEN 'role' ELSE 'roles' END),
		NULL, 'It is how many of the roles are too many: at least 2, and at most all of them.');
END
$$;
COMMENT ON FUNCTION chat_rbac.check_cardinality(text, integer, integer) IS 'Internal: SQLSTATE 22023 unless a cardinality is from 2 to the number of roles.';

CREATE FUNCTION chat_rbac.create_separation(org text, name text, roles text[], cardinality integer DEFAULT 2, kind text DEFAULT 'static') RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	ids bigint[];
	made bigint;
BEGIN
	SELECT array_agg(DISTINCT chat_rbac.find_by_name('role', r, o, org)) INTO ids FROM unnest(roles) AS r;
	PERFORM chat_rbac.check_cardinality(name, cardinality, coalesce(array_length(ids, 1), 0));
	INSERT INTO chat_rbac.separation (org_id, name, kind, cardinality)
	VALUES (o, name, kind, create_separation.cardinality)
	RETURNING separation_id INTO made;
	INSERT INTO chat_rbac.separation_role (org_id, separation_id, role_id) SELECT o, made, unnest(ids);
	RETURN made;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.create_separation(text, text, text[], integer, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.create_separation(text, text, text[], integer, text) IS 'Makes a separation of roles, of which cardinality at a time are too many: to be granted (kind static) or to be active in a session (dynamic). Returns its id. SQLSTATE 23000 if somebody holds too many, 22023 for a cardinality that is less than 2 or more than the roles.';

CREATE FUNCTION chat_rbac.drop_separation(org text, separation text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	s constant bigint := chat_rbac.find_by_name('separation', separation, o, org);
BEGIN
	DELETE FROM chat_rbac.separation WHERE org_id = o AND separation_id = s;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.drop_separation(text, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.drop_separation(text, text) IS 'Deletes a separation; its roles stay.';

CREATE FUNCTION chat_rbac.add_separation_role(org text, separation text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
BEGIN
	INSERT INTO chat_rbac.separation_role (org_id, separation_id, role_id)
	VALUES (o, chat_rbac.find_by_name('separation', separation, o, org), chat_rbac.find_by_name('role', role, o, org));
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.add_separation_role(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.add_separation_role(text, text, text) IS 'Adds a role to a separation; SQLSTATE 23000 if somebody then holds too many, 23505 if it is in it.';

CREATE FUNCTION chat_rbac.drop_separation_role(org text, separation text, role text) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	s constant bigint := chat_rbac.find_by_name('separation', separation, o, org);
	r constant bigint := chat_rbac.find_by_name('role', role, o, org);
	n integer;
BEGIN
	SELECT x.cardinality INTO n FROM chat_rbac.separation x WHERE x.org_id = o AND x.separation_id = s FOR UPDATE;
	DELETE FROM chat_rbac.separation_role x WHERE x.org_id = o AND x.separation_id = s AND x.role_id = r;
	IF NOT FOUND THEN
		PERFORM chat_rbac.raise_error('42704', format('role "%s" is not in separation "%s"', role, separation), NULL, NULL);
	END IF;
	PERFORM chat_rbac.check_cardinality(separation, n,
		(SELECT count(*)::integer FROM chat_rbac.separation_role x WHERE x.org_id = o AND x.separation_id = s));
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.drop_separation_role(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.drop_separation_role(text, text, text) IS 'Takes a role out of a separation, which keeps at least as many as its cardinality (SQLSTATE 22023).';

CREATE FUNCTION chat_rbac.set_separation_cardinality(org text, separation text, cardinality integer) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o constant bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	s constant bigint := chat_rbac.find_by_name('separation', separation, o, org);
BEGIN
	PERFORM chat_rbac.check_cardinality(separation, cardinality,
		(SELECT count(*)::integer FROM chat_rbac.separation_role x WHERE x.org_id = o AND x.separation_id = s));
	UPDATE chat_rbac.separation x SET cardinality = set_separation_cardinality.cardinality WHERE x.org_id = o AND x.separation_id = s;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.set_separation_cardinality(text, text, integer) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.set_separation_cardinality(text, text, integer) IS 'Says how many of a separation''s roles are too many; SQLSTATE 23000 if somebody holds that many, 22023 if it is less than 2 or more than there are.';

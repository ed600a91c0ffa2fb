/* ---- the model: what keys and checks cannot say ---- */

CREATE FUNCTION chat_rbac.invalidate() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_invalidate';
REVOKE ALL ON FUNCTION chat_rbac.invalidate() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.invalidate() IS 'Trigger: tells every session that cached grants are stale, when the transaction commits.';

CREATE FUNCTION chat_rbac.refuse_cycle() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_refuse_cycle';
REVOKE ALL ON FUNCTION chat_rbac.refuse_cycle() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.refuse_cycle() IS 'Trigger: refuses an edge that closes a cycle in the unit tree or the role hierarchy (SQLSTATE 23000), also across two concurrent sessions.';

CREATE FUNCTION chat_rbac.near_names(name text, candidates text[]) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'chat_rbac_near_names';
COMMENT ON FUNCTION chat_rbac.near_names(text, text[]) IS 'The candidate nearest to a misspelt name, or up to three equally near, quoted and separated by commas; NULL if none is near.';

CREATE FUNCTION chat_rbac.raise_error(code text, message text, detail text, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE
		WHEN detail IS NULL AND hint IS NULL THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
		WHEN hint IS NULL THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail;
		WHEN detail IS NULL THEN RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, HINT = hint;
		ELSE RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail, HINT = hint;
	END CASE;
END
$$;
COMMENT ON FUNCTION chat_rbac.raise_error(text, text, text, text) IS 'Internal: an error with a detail and a hint, or without where they are NULL.';

CREATE FUNCTION chat_rbac.unit_default_key() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	NEW.key := coalesce(NEW.key, NEW.unit_id);
	RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.unit_default_key() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.unit_default_key() IS 'Trigger: a unit without a key of the application''s has its own id as key.';

CREATE FUNCTION chat_rbac.check_known_permissions() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	held chat_rbac.permission;
	near text;
BEGIN
	FOR held IN
		SELECT p FROM chat_rbac.unnest(NEW.permissions) AS p
		WHERE NOT EXISTS (SELECT FROM chat_rbac.known_permission k
						  WHERE chat_rbac.resource(p) IN ('*', k.resource)
							AND chat_rbac.action(p) IN ('*', chat_rbac.action(k.name)))
	LOOP
		/* with wildcards in it, near is another one with wildcards at these places */
		SELECT chat_rbac.near_names(chat_rbac.resource(held) || '.' || chat_rbac.action(held), array_agg(DISTINCT
			CASE chat_rbac.resource(held) WHEN '*' THEN '*' ELSE k.resource END || '.' ||
			CASE chat_rbac.action(held) WHEN '*' THEN '*' ELSE chat_rbac.action(k.name) END))
		INTO near FROM chat_rbac.known_permission k;
		RAISE EXCEPTION 'permission "%" is not known', held
			USING ERRCODE = 'undefined_object',
				DETAIL = format('Role "%s" of org %s may hold only permissions in chat_rbac.known_permission.', NEW.name, NEW.org_id),
				HINT = coalesce('Perhaps you meant ' || near || '.', 'Add it to chat_rbac.known_permission if it is your application''s own.');
	END LOOP;
	RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.check_known_permissions() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.check_known_permissions() IS 'Trigger: a role holds only known permissions (SQLSTATE 42704, with near names in the hint). A wildcard must match at least one.';

CREATE FUNCTION chat_rbac.check_max_duration() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	r chat_rbac.role;
BEGIN
	SELECT * INTO r FROM chat_rbac.role WHERE org_id = NEW.org_id AND role_id = NEW.role_id;
	IF r.max_duration IS NOT NULL AND
		(upper_inf(NEW.valid) OR upper(NEW.valid) = 'infinity' OR
		 upper(NEW.valid) > coalesce(lower(NEW.valid), least(NEW.granted_at, now())) + r.max_duration)
	THEN
		RAISE EXCEPTION 'a grant of role "%" must end within % of its beginning', r.name, r.max_duration
			USING ERRCODE = 'check_violation',
				HINT = format('Give it a range such as tstzrange(now(), now() + interval ''%s'').', r.max_duration);
	END IF;
	RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.check_max_duration() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.check_max_duration() IS 'Trigger: a grant of a role with max_duration must end in time (SQLSTATE 23514).';

CREATE FUNCTION chat_rbac.check_protection_owner() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	class pg_class;
BEGIN
	SELECT c.* INTO class FROM pg_class c
	WHERE c.oid = CASE TG_OP WHEN 'DELETE' THEN OLD.relation ELSE NEW.relation END;
	IF FOUND AND (class.relkind NOT IN ('r', 'p') OR NOT pg_has_role(class.relowner, 'USAGE')) OR
		NOT FOUND AND TG_OP <> 'DELETE' OR
		TG_OP = 'UPDATE' AND NEW.relation <> OLD.relation
	THEN
		RAISE EXCEPTION 'must be owner of table % to protect it', coalesce(class.oid::regclass::text, '(none)')
			USING ERRCODE = 'insufficient_privilege', HINT = 'Use chat_rbac.protect() and chat_rbac.unprotect().';
	END IF;
	IF TG_OP <> 'DELETE' AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
		IF TG_OP = 'UPDATE' AND (NEW.spec, NEW.parent, NEW.linked, NEW.link_tables) IS NOT DISTINCT FROM (OLD.spec, OLD.parent, OLD.linked, OLD.link_tables) THEN
			RETURN NEW;
		END IF;
		IF (NEW.spec, NEW.parent, NEW.linked, NEW.link_tables) IS DISTINCT FROM
			(chat_rbac.spec_check(NEW.relation, NEW.spec), (NEW.spec #>> '{parent,table}')::regclass, chat_rbac.spec_linked(NEW.spec), chat_rbac.spec_link_tables(NEW.spec))
		THEN
			RAISE EXCEPTION 'the specification of table % is not complete', NEW.relation
				USING ERRCODE = 'insufficient_privilege', HINT = 'Use chat_rbac.protect().';
		END IF;
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.check_protection_owner() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.check_protection_owner() IS 'Trigger: only the owner of a table may write its specification, and, but for superusers, only as protect() would (SQLSTATE 42501): link tables are read on the owner''s behalf.';

CREATE FUNCTION chat_rbac.check_login() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	/* the number of a role that was dropped is another role's some day; a dump may hold such */
	IF NEW.login IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = NEW.login) THEN
		RAISE WARNING 'member % of org % gets no login: role % does not exist', NEW.member_id, NEW.org_id, NEW.login;
		NEW.login := NULL;
	END IF;
	RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.check_login() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.check_login() IS 'Trigger: the login of a member is a role that exists, else NULL, with a warning.';

CREATE FUNCTION chat_rbac.signing_key_problem(algorithm text, material bytea) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'chat_rbac_signing_key_problem';
REVOKE ALL ON FUNCTION chat_rbac.signing_key_problem(text, bytea) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.signing_key_problem(text, bytea) IS 'What is wrong with a secret or a public key (PEM) for an algorithm; NULL: nothing.';

CREATE FUNCTION chat_rbac.check_signing_key() RETURNS trigger
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	problem text;
BEGIN
	/* here and not by a constraint alone, whose error would show the secret */
	problem := CASE
		WHEN NEW.kid IS NULL OR octet_length(NEW.kid) NOT BETWEEN 1 AND 255 OR NEW.kid ~ '[[:cntrl:]"\\]'
			THEN 'its kid must have 1 to 255 bytes, and no quote, backslash or control character'
		/* what signs tokens is not exchanged and put back without a trace: the trail does not show secrets */
		WHEN TG_OP = 'UPDATE' AND (NEW.algorithm, NEW.secret, NEW.public_key) IS DISTINCT FROM (OLD.algorithm, OLD.secret, OLD.public_key)
			THEN 'a key does not change; add another, and retire this one'
		WHEN NEW.key_id IS NULL OR NEW.roles_narrow IS NULL OR NEW.issues IS NULL THEN 'key_id, roles_narrow and issues must not be null'
		WHEN NEW.subject_is IS NULL OR NEW.subject_is NOT IN ('subject', 'member_id') THEN 'subject_is must be subject or member_id'
		WHEN NEW.algorithm = 'HS256' AND (NEW.secret IS NULL OR NEW.public_key IS NOT NULL) THEN 'HS256 takes a secret, and no public key'
		WHEN NEW.algorithm <> 'HS256' AND (NEW.public_key IS NULL OR NEW.secret IS NOT NULL) THEN format('%s takes a public key, and no secret', NEW.algorithm)
		WHEN NEW.algorithm <> 'HS256' AND NEW.issues THEN 'only an HS256 key can issue tokens'
		ELSE chat_rbac.signing_key_problem(coalesce(NEW.algorithm, ''), coalesce(NEW.secret, convert_to(NEW.public_key, 'UTF8'), '')) END;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION 'signing key "%" cannot be used: %', NEW.kid, problem USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.check_signing_key() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.check_signing_key() IS 'Trigger: a key must be one that tokens can be verified with (SQLSTATE 22023).';

CREATE TRIGGER check_login BEFORE INSERT OR UPDATE OF login ON chat_rbac.member
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.check_login();
CREATE TRIGGER check_key BEFORE INSERT OR UPDATE ON chat_rbac.signing_key
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.check_signing_key();
CREATE TRIGGER default_key BEFORE INSERT OR UPDATE ON chat_rbac.unit
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.unit_default_key();
CREATE TRIGGER refuse_cycle AFTER INSERT OR UPDATE OF org_id, unit_id, parent_id ON chat_rbac.unit
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_cycle('parent_id', 'unit_id');
CREATE TRIGGER refuse_cycle AFTER INSERT OR UPDATE ON chat_rbac.role_inherit
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.refuse_cycle('junior_id', 'senior_id');
CREATE TRIGGER check_known_permissions BEFORE INSERT OR UPDATE OF permissions ON chat_rbac.role
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.check_known_permissions();
CREATE TRIGGER check_owner BEFORE INSERT OR UPDATE OR DELETE ON chat_rbac.protection
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.check_protection_owner();
CREATE TRIGGER check_max_duration BEFORE INSERT OR UPDATE ON chat_rbac.role_grant
	FOR EACH ROW EXECUTE FUNCTION chat_rbac.check_max_duration();

/* what grants are compiled from: every change counts, whoever makes it and however */
DO $$
DECLARE
	tab text;
BEGIN
	FOREACH tab IN ARRAY ARRAY['org', 'unit', 'member', 'role', 'role_inherit', 'role_grant', 'separation', 'separation_role', 'signing_key', 'protection'] LOOP
		EXECUTE format('CREATE TRIGGER invalidate AFTER INSERT OR UPDATE OR DELETE ON chat_rbac.%I'
					   ' FOR EACH ROW EXECUTE FUNCTION chat_rbac.invalidate()', tab);
		EXECUTE format('CREATE TRIGGER invalidate_truncate AFTER TRUNCATE ON chat_rbac.%I'
					   ' FOR EACH STATEMENT EXECUTE FUNCTION chat_rbac.invalidate()', tab);
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ALWAYS TRIGGER invalidate', tab);
		EXECUTE format('ALTER TABLE chat_rbac.%I ENABLE ALWAYS TRIGGER invalidate_truncate', tab);
	END LOOP;
END
$$;
ALTER TABLE chat_rbac.protection ENABLE ALWAYS TRIGGER check_owner;
ALTER TABLE chat_rbac.unit ENABLE ALWAYS TRIGGER refuse_cycle;
ALTER TABLE chat_rbac.role_inherit ENABLE ALWAYS TRIGGER refuse_cycle;

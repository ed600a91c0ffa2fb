/* ---- administration by name ---- */

CREATE FUNCTION chat_rbac.preset_roles(
	OUT name text, OUT permissions chat_rbac.permset, OUT juniors text[], OUT max_duration interval, OUT description text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 12
BEGIN ATOMIC
	SELECT v.name, v.permissions::chat_rbac.permset, v.juniors::text[], v.max_duration::interval, v.description
	FROM (VALUES
		('Owner', '{*.*}', '{}', NULL,
		 'Everything, billing included'),
		('Admin', '{conversation.*, message.*, customer.*, lead.*, task.*, broadcast.*, template.*, report.*,
				audit.*, member.*, role.*, unit.*, settings.*, integration.*, billing.view}', '{}', NULL,
		 'Sees everything and holds the settings'),
		('Manager', '{conversation.*, message.*, task.*, lead.*, report.*, template.*, broadcast.view, broadcast.approve,
				customer.create, customer.assign, customer.merge, customer.block, customer.view_phone,
				audit.view, member.view, role.view, unit.view}', '{Supervisor}', NULL,
		 'Runs departments: everything about their conversations, but no finance data'),
		('Supervisor', '{conversation.view, conversation.edit, conversation.reply, conversation.note, conversation.claim,
				conversation.assign, conversation.transfer, conversation.participate, conversation.close, conversation.reopen,
				conversation.snooze, conversation.label, conversation.prioritise, conversation.supervise,
				message.view, message.create, customer.view, customer.edit,
				lead.view, lead.edit, lead.assign, task.view, task.create, task.edit, task.assign,
				report.view, audit.view, member.view, unit.view}', '{Agent}', NULL,
		 'Watches a team and its sub-teams, and sees to it that nobody waits'),
		('Agent', '{conversation.view@own, conversation.view@participating, conversation.view@unassigned,
				conversation.start, conversation.claim@unassigned,
				conversation.edit@own, conversation.reply@own, conversation.reply@participating,
				conversation.note@own, conversation.note@participating, conversation.transfer@own, conversation.assign@own,
				conversation.participate@own, conversation.close@own, conversation.reopen@own, conversation.snooze@own, conversation.label@own,
				message.view@own, message.view@participating, message.view@unassigned,
				message.create@own, message.create@participating,
				customer.view@own, customer.view@linked, customer.create, customer.edit@own, customer.view_phone@own,
				task.view@own, task.create, task.edit@own, template.view, report.view@own, audit.view@own}', '{}', NULL,
		 'Works on own conversations and takes from the queue'),
		('Sales', '{conversation.view@own, conversation.start, conversation.reply@own, conversation.note@own, conversation.edit@own,
				conversation.close@own, conversation.reopen@own, conversation.snooze@own, conversation.label@own, message.view@own, message.create@own,
				customer.view@own, customer.view_phone@own, customer.create, customer.edit@own,
				lead.view@own, lead.create, lead.edit@own, task.view@own, task.create, task.edit@own,
				template.view, report.view@own, audit.view@own}', '{}', NULL,
		 'Sees only own customers, leads, chats and tasks'),
		('Marketing', '{broadcast.view, broadcast.create, broadcast.edit@draft, broadcast.delete@draft, broadcast.submit, broadcast.send,
				template.*, report.view, task.view@own, task.create, task.edit@own}', '{}', NULL,
		 'Drafts, schedules and sends broadcasts that somebody else approves'),
		('Viewer', '{conversation.view, message.view, customer.view, lead.view, task.view, broadcast.view, template.view, report.view, unit.view}', '{}', NULL,
		 'Looks, and changes nothing'),
		('Auditor', '{audit.view, audit.verify, audit.export, report.view, member.view, role.view, unit.view, settings.view}', '{}', NULL,
		 'Reads who did what, but no conversations'),
		('Finance', '{customer.view, customer.view_finance, billing.*, report.view}', '{}', NULL,
		 'Sees customers with their finance data, and billing'),
		('Temp', '{conversation.view@own, message.view@own, customer.view@linked, task.view@own}', '{}', '90 days',
		 'Interns and temporary staff: little, for a while'),
		('Service', '{conversation.view, conversation.create, conversation.edit, conversation.reopen,
				message.view, message.receive, message.create, message.edit, customer.view, customer.create, customer.edit,
				broadcast.view, broadcast.send@scheduled, template.view}', '{}', NULL,
		 'The connector that receives customers'' messages and sends what is scheduled')
	) AS v (name, permissions, juniors, max_duration, description);
END;
COMMENT ON FUNCTION chat_rbac.preset_roles() IS 'The roles that create_org() gives a new org.';

CREATE FUNCTION chat_rbac.create_org(name text, org_id bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_org bigint;
BEGIN
	new_org := create_org.org_id;
	WHILE new_org IS NULL LOOP		-- an id that was given before may come up
		SELECT n INTO new_org FROM nextval('chat_rbac.org_org_id_seq') AS n
		WHERE NOT EXISTS (SELECT FROM chat_rbac.org o WHERE o.org_id = n);
	END LOOP;
	INSERT INTO chat_rbac.org (org_id, name) VALUES (new_org, create_org.name);
	INSERT INTO chat_rbac.role (org_id, name, permissions, preset, max_duration)
	SELECT new_org, p.name, p.permissions, true, p.max_duration FROM chat_rbac.preset_roles() AS p;
	INSERT INTO chat_rbac.role_inherit (org_id, senior_id, junior_id)
	SELECT new_org, senior.role_id, junior.role_id
	FROM chat_rbac.preset_roles() AS p
	JOIN chat_rbac.role senior ON senior.org_id = new_org AND senior.name = p.name
	JOIN chat_rbac.role junior ON junior.org_id = new_org AND junior.name = ANY (p.juniors);
	RETURN new_org;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.create_org(text, bigint) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.create_org(text, bigint) IS 'Makes an org with its own copies of the preset roles, which it may change, and returns its id.';

CREATE FUNCTION chat_rbac.find_by_name(what text, name text, org_id bigint, org text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ids bigint[];
	names text[];
	near text;
BEGIN
	CASE what
		WHEN 'org' THEN
			SELECT array_agg(o.org_id) FILTER (WHERE o.name = find_by_name.name), array_agg(o.name) INTO ids, names
			FROM chat_rbac.org o;
		WHEN 'member' THEN
			SELECT array_agg(m.member_id ORDER BY m.member_id) FILTER (WHERE m.name = find_by_name.name), array_agg(m.name) INTO ids, names
			FROM chat_rbac.member m WHERE m.org_id = find_by_name.org_id;
		WHEN 'role' THEN
			SELECT array_agg(r.role_id) FILTER (WHERE r.name = find_by_name.name), array_agg(r.name) INTO ids, names
			FROM chat_rbac.role r WHERE r.org_id = find_by_name.org_id;
		WHEN 'unit' THEN
			SELECT array_agg(u.unit_id ORDER BY u.unit_id) FILTER (WHERE u.name = find_by_name.name), array_agg(u.name) INTO ids, names
			FROM chat_rbac.unit u WHERE u.org_id = find_by_name.org_id;
		WHEN 'separation', 'static separation', 'dynamic separation' THEN
			SELECT array_agg(s.separation_id) FILTER (WHERE s.name = find_by_name.name), array_agg(s.name) INTO ids, names
			FROM chat_rbac.separation s WHERE s.org_id = find_by_name.org_id AND what IN ('separation', s.kind || ' separation');
	END CASE;
	IF cardinality(ids) = 1 THEN
		RETURN ids[1];
	ELSIF cardinality(ids) > 1 THEN
		RAISE EXCEPTION '% "%" of org "%" is not one but %', what, name, org, cardinality(ids)
			USING ERRCODE = 'ambiguous_alias',
				DETAIL = format('Their ids are %s.', array_to_string(ids, ', ')),
				HINT = 'Write to chat_rbac.role_grant by id, or give them names of their own.';
	END IF;
	near := chat_rbac.near_names(name, names);
	PERFORM chat_rbac.raise_error('42704',
		CASE WHEN what = 'org' THEN format('org "%s" does not exist', name)
			ELSE format('%s "%s" does not exist in org "%s"', what, name, org) END,
		NULL,
		CASE WHEN near IS NOT NULL THEN 'Perhaps you meant ' || near || '.'
			WHEN cardinality(names) BETWEEN 1 AND 20
				THEN format('There are %s.', (SELECT string_agg(format('"%s"', n), ', ' ORDER BY n) FROM unnest(names) AS n)) END);
	RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.find_by_name(text, text, bigint, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.find_by_name(text, text, bigint, text) IS 'Internal to grant_role() and its like: the id of an org, or of a member, role, unit or separation in one; SQLSTATE 42704 with near names, 42P09 if the name is not unique.';

CREATE FUNCTION chat_rbac.grant_role(org text, member text, role text, unit text DEFAULT NULL, valid tstzrange DEFAULT NULL, reason text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	m bigint := chat_rbac.find_by_name('member', member, o, org);
	r bigint := chat_rbac.find_by_name('role', role, o, org);
	u bigint;
	granted bigint;
BEGIN
	IF unit IS NOT NULL THEN
		u := chat_rbac.find_by_name('unit', unit, o, org);
	END IF;
	INSERT INTO chat_rbac.role_grant (org_id, member_id, role_id, unit_id, valid, granted_by, reason)
	SELECT o, m, r, u,
		coalesce(grant_role.valid,
			CASE WHEN max_duration IS NULL THEN '(,)' ELSE tstzrange(now(), now() + max_duration) END),
		chat_rbac.current_member(), grant_role.reason
	FROM chat_rbac.role WHERE org_id = o AND role_id = r
	RETURNING grant_id INTO granted;
	RETURN granted;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.grant_role(text, text, text, text, tstzrange, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.grant_role(text, text, text, text, tstzrange, text) IS 'Grants a role at a unit and below (NULL: in the whole org), for a time (NULL: for good, or for the role''s max_duration); returns the grant''s id.';

CREATE FUNCTION chat_rbac.revoke_role(org text, member text, role text, unit text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	o bigint := chat_rbac.find_by_name('org', org, NULL, NULL);
	m bigint := chat_rbac.find_by_name('member', member, o, org);
	r bigint := chat_rbac.find_by_name('role', role, o, org);
	u bigint;
	revoked bigint;
BEGIN
	IF unit IS NOT NULL THEN
		u := chat_rbac.find_by_name('unit', unit, o, org);
	END IF;
	DELETE FROM chat_rbac.role_grant g
	WHERE g.org_id = o AND g.member_id = m AND g.role_id = r AND g.unit_id IS NOT DISTINCT FROM u;
	GET DIAGNOSTICS revoked = ROW_COUNT;
	IF revoked = 0 THEN
		PERFORM chat_rbac.raise_error('42704',
			format('member "%s" does not hold role "%s" %s', member, role,
				CASE WHEN unit IS NULL THEN format('in the whole of org "%s"', org) ELSE format('at unit "%s"', unit) END),
			NULL,
			'It is held ' || (
				SELECT string_agg(CASE WHEN g.unit_id IS NULL THEN 'in the whole org' ELSE format('at unit "%s"', un.name) END, ', ' ORDER BY un.name)
				FROM chat_rbac.role_grant g LEFT JOIN chat_rbac.unit un ON un.org_id = g.org_id AND un.unit_id = g.unit_id
				WHERE g.org_id = o AND g.member_id = m AND g.role_id = r) || '.');
	END IF;
	RETURN revoked;
END
$$;
REVOKE ALL ON FUNCTION chat_rbac.revoke_role(text, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.revoke_role(text, text, text, text) IS 'Deletes the grants of a role to a member at just that unit (NULL: the org-wide ones) and returns how many; it is an error (SQLSTATE 42704) if there is none.';

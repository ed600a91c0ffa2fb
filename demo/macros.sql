-- demo/macros.sql: for "make psql", one psql variable per member.  Typed as :ali
-- it makes the session Ali's.

SELECT format($$\set %s 'SELECT set_config(''role'', ''inbox_app'', false), set_config(''chat_rbac.identity'', ''%s/%s'', false) \\gset \\\\ :announce'$$,
	lower(name), org_id, member_id)
FROM chat_rbac.member
WHERE name ~ '^[A-Za-z]+$'
ORDER BY org_id, member_id;

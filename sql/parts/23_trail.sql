/* ---- the audit trail: tables ---- */

/*
 * Written by C only (src/trail.c), which puts a row into a leaf partition
 * without a plan; what it knows of the columns is checked against these.
 */
CREATE TABLE chat_rbac.audit_event (
	event_id			bigint NOT NULL,
	at					timestamptz NOT NULL,
	transaction_at		timestamptz NOT NULL,
	xid					xid8 NOT NULL,
	org_id				bigint,
	actor_org_id		bigint,
	actor_id			bigint,
	incarnation			uuid NOT NULL,
	relation			regclass,
	command				integer NOT NULL,
	depth				integer NOT NULL,
	operation			text COLLATE "C" NOT NULL,
	actions				text[] COLLATE "C" NOT NULL,
	table_name			text COLLATE "C",
	row_key				text COLLATE "C",
	old					jsonb,
	new					jsonb,
	unit_kinds			text[] COLLATE "C" NOT NULL,
	unit_keys			bigint[] NOT NULL,
	actor_name			text,
	db_role				text COLLATE "C" NOT NULL,
	session_role		text COLLATE "C" NOT NULL,
	request_id			text,
	reason				text,
	application_name	text,
	client_addr			inet,
	salt				bytea NOT NULL,
	redaction			jsonb
) PARTITION BY RANGE (at);
COMMENT ON TABLE chat_rbac.audit_event IS 'The audit trail: one row for each row that was changed in a protected table or an RBAC table, and for each read of an audited view, in the same transaction. Partitioned by month; append-only; under row-level security by audit.view.';
COMMENT ON COLUMN chat_rbac.audit_event.event_id IS 'Unique; ascending within a session.';
COMMENT ON COLUMN chat_rbac.audit_event.at IS 'When it was recorded, by the clock.';
COMMENT ON COLUMN chat_rbac.audit_event.transaction_at IS 'When its transaction began.';
COMMENT ON COLUMN chat_rbac.audit_event.xid IS 'Its top-level transaction.';
COMMENT ON COLUMN chat_rbac.audit_event.org_id IS 'The org of the row that was changed; NULL for what belongs to none. A row that is given to another org is a deletion in the one and an insertion in the other.';
COMMENT ON COLUMN chat_rbac.audit_event.actor_org_id IS 'With actor_id: the member who did it; NULL where no active member was asking, as for a DBA.';
COMMENT ON COLUMN chat_rbac.audit_event.incarnation IS 'Of the database: see audit_incarnation.';
COMMENT ON COLUMN chat_rbac.audit_event.relation IS 'The protected table, also for a partition''s rows.';
COMMENT ON COLUMN chat_rbac.audit_event.command IS 'The command''s number within the transaction. Changes of one row follow each other by it, and then by event_id; but what a BEFORE trigger did to make room for a row came before that row.';
COMMENT ON COLUMN chat_rbac.audit_event.depth IS '0: asked for; else how many cascades and triggers away from what was asked for.';
COMMENT ON COLUMN chat_rbac.audit_event.operation IS 'insert, update, delete, truncate; move_out and move_in for an update that takes a row to another partition; access, redact, detach, issue (of a token); hand_over and merge_units, which bind the events of such a call; read (of an audited view) and export, with the rows in new.';
COMMENT ON COLUMN chat_rbac.audit_event.actions IS 'The permissions that were needed, as conversation.transfer; {} for move_out.';
COMMENT ON COLUMN chat_rbac.audit_event.table_name IS 'The table with its schema, as it was called then.';
COMMENT ON COLUMN chat_rbac.audit_event.row_key IS 'The primary key without the org, before the change: a value, or {several, values}; of more than 1024 bytes the SHA-256, as sha256:....';
COMMENT ON COLUMN chat_rbac.audit_event.old IS 'Of an update the columns that changed, before; of a deletion all that were not null; of a move_in within an org, these of the row where it was.';
COMMENT ON COLUMN chat_rbac.audit_event.new IS 'Of an update the columns that changed, after; of an insertion all that are not null.';
COMMENT ON COLUMN chat_rbac.audit_event.unit_kinds IS 'With unit_keys: the units where the row was and where it is, so that audit.view there shows the event.';
COMMENT ON COLUMN chat_rbac.audit_event.actor_name IS 'The member''s name then.';
COMMENT ON COLUMN chat_rbac.audit_event.db_role IS 'The role that the session acted in: that of SET ROLE, but not of a SECURITY DEFINER function.';
COMMENT ON COLUMN chat_rbac.audit_event.session_role IS 'The role that logged in.';
COMMENT ON COLUMN chat_rbac.audit_event.request_id IS 'The setting chat_rbac.request_id.';
COMMENT ON COLUMN chat_rbac.audit_event.reason IS 'The setting chat_rbac.reason, or what was given to the function.';
COMMENT ON COLUMN chat_rbac.audit_event.client_addr IS 'NULL for a local connection.';
COMMENT ON COLUMN chat_rbac.audit_event.salt IS '16 random bytes, which hide the values in their commitments; empty after a redaction, which keeps those of the columns that are left.';
COMMENT ON COLUMN chat_rbac.audit_event.redaction IS 'Commitments of the values that audit_redact() took out, and salts of the others.';

CREATE TABLE chat_rbac.audit_event_default PARTITION OF chat_rbac.audit_event DEFAULT;
COMMENT ON TABLE chat_rbac.audit_event_default IS 'Events of months without a partition; audit_maintain() moves them into one.';

/* each partition has its own: were they the parent's, a dump's partitions would have them before it makes them */
CREATE INDEX audit_event_default_xid_idx ON chat_rbac.audit_event_default (xid);
CREATE INDEX audit_event_default_org_idx ON chat_rbac.audit_event_default (org_id, at);
CREATE INDEX audit_event_default_row_idx ON chat_rbac.audit_event_default (relation, row_key);

CREATE SEQUENCE chat_rbac.audit_event_id_seq INCREMENT BY 32;
COMMENT ON SEQUENCE chat_rbac.audit_event_id_seq IS 'Each value is the first of 32 ids of one session. It begins at random, and is not dumped: the ids of events that are written while a dump is restored, and later, are not those of the dump''s.';
SELECT pg_catalog.setval('chat_rbac.audit_event_id_seq', (floor(pg_catalog.random() * 2097152)::bigint << 32) + 1, false);

CREATE TABLE chat_rbac.audit_incarnation (
	incarnation			uuid PRIMARY KEY,
	system_identifier	bigint NOT NULL,
	database			oid NOT NULL,
	began_at			timestamptz NOT NULL
);
COMMENT ON TABLE chat_rbac.audit_incarnation IS 'Databases in which the trail was written. One that is restored from a dump, or copied, is a new one: transaction ids begin again there.';

-- Now, so that no writer has to wait for the one that begins it.
INSERT INTO chat_rbac.audit_incarnation
SELECT gen_random_uuid(), c.system_identifier, d.oid, clock_timestamp()
FROM pg_control_system() AS c, pg_database d WHERE d.datname = current_database();

CREATE FUNCTION chat_rbac.audit_incarnation() RETURNS uuid
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'chat_rbac_audit_incarnation';
REVOKE ALL ON FUNCTION chat_rbac.audit_incarnation() FROM PUBLIC;
COMMENT ON FUNCTION chat_rbac.audit_incarnation() IS 'Internal: the incarnation that this database is, begun if need be: whoever else writes to the trail first waits until that is committed.';

SELECT pg_catalog.pg_extension_config_dump('chat_rbac.audit_event_default', '');
SELECT pg_catalog.pg_extension_config_dump('chat_rbac.audit_incarnation', '');

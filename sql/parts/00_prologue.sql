/* chat_rbac: install script, joined by make from sql/parts/ */

-- complain if the script is sourced in psql, rather than by CREATE EXTENSION
\echo Use "CREATE EXTENSION chat_rbac" to load this file. \quit

-- From here on a name without a schema is PostgreSQL's own.
SET LOCAL search_path TO pg_catalog, pg_temp;

-- A schema that is there already is somebody else's, and an error.
CREATE SCHEMA chat_rbac;

COMMENT ON SCHEMA chat_rbac IS 'roles, grants and row-level access rules of chat inboxes';

GRANT USAGE ON SCHEMA chat_rbac TO PUBLIC;


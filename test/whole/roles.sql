-- The roles of the whole (inbox.sql), which are the cluster's and so in no dump.
CREATE ROLE regress_chat_rbac_app LOGIN;		-- the application; matrix() says whom it asks for
CREATE ROLE regress_chat_rbac_bi LOGIN;			-- member Bea
CREATE ROLE regress_chat_rbac_owner LOGIN;		-- owns the inbox
CREATE ROLE regress_chat_rbac_backup LOGIN BYPASSRLS IN ROLE pg_read_all_data;

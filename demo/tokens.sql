-- cannot say that it asks for Ada:
SET chat_rbac.identity = '1/2';
-- shows Ali's token, in a transaction:
BEGIN;
SELECT set_config('chat_rbac.token', :'token', true);
SELECT member, source FROM chat_rbac.whoami();
SELECT count(*) FROM inbox.conversation;
COMMIT;
-- shows it with "sub":"6" (Ali) made "sub":"2" (Ada), and is refused:
BEGIN;
SELECT set_config('chat_rbac.token', :'forged', true);
SELECT count(*) FROM inbox.conversation;
ROLLBACK;
-- forgets the transaction, and a pooler gives the connection to the next client:
SET chat_rbac.token = :'token';
SELECT count(*) FROM inbox.conversation;
SELECT member, source FROM chat_rbac.whoami();

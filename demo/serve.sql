-- takes a chat from the queue:
UPDATE inbox.conversation SET assignee_id = 6 WHERE id = :chat AND assignee_id IS NULL;
-- replies:
INSERT INTO inbox.message (conversation_id, kind, body) VALUES (:chat, 'reply', 'My colleagues will help you.');
-- transfers it to Tier 2:
UPDATE inbox.conversation SET team_id = 5, assignee_id = NULL WHERE id = :chat
  RETURNING id, team_id, assignee_id;
-- and does not have it any more:
SELECT id, team_id, assignee_id FROM inbox.conversation WHERE id = :chat;

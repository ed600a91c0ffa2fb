SELECT id, customer, inbox, team, assignee, last_message_at
  FROM inbox.chat ORDER BY last_message_at DESC LIMIT 5;

SELECT c.id, c.team, c.assignee, array_to_string(ARRAY(
         SELECT button FROM unnest('{claim,reply,note,assign,transfer,snooze,close}'::text[]) AS button
          WHERE a.actions OPERATOR(chat_rbac.@>) ('conversation.' || button)::chat_rbac.permission), ' ') AS buttons
  FROM chat_rbac.page_actions('inbox.conversation', '{:chats}') AS a JOIN inbox.chat c USING (id)
 ORDER BY c.id DESC;

SELECT verdict, held, why
  FROM chat_rbac.explain_access(:member, 'conversation.view', 'inbox.conversation', :chat);

SELECT (SELECT count(*) FROM inbox.conversation) AS chats,
       (SELECT count(*) FROM inbox.message)      AS messages,
       (SELECT count(*) FROM inbox.customer)     AS customers,
       (SELECT count(*) FROM inbox.task)         AS tasks;

-- demo/end.sql: an internship ends.
UPDATE chat_rbac.role_grant
   SET valid = tstzrange(
     lower(valid), now() + interval '2 s')
 WHERE member_id = 16;

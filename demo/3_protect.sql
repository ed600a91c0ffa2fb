-- demo/3_protect.sql: put the inbox under the rules.  All that an application has to do is in here.

SELECT chat_rbac.protect('inbox.conversation', '{
	"resource": "conversation",
	"org": "org_id",
	"units": { "team": "team_id", "inbox": "inbox_id" },
	"relations": {
		"own":           { "assignee_id": "$member" },
		"unassigned":    { "assignee_id": null },
		"unrouted":      { "assignee_id": null, "team_id": null },
		"colleague":     { "assignee_id": "$members" },
		"participating": { "table": "inbox.participant", "row": "conversation_id", "member": "member_id" } } }');

SELECT chat_rbac.protect('inbox.message', '{
	"resource": "message",
	"org": "org_id",
	"parent": { "table": "inbox.conversation", "column": "conversation_id" } }');

SELECT chat_rbac.protect('inbox.participant', '{
	"resource": "conversation",
	"org": "org_id",
	"parent": { "table": "inbox.conversation", "column": "conversation_id" } }');

SELECT chat_rbac.protect('inbox.customer', '{
	"resource": "customer",
	"org": "org_id",
	"relations": {
		"own":       { "owner_id": "$member" },
		"colleague": { "owner_id": "$members" },
		"linked":    { "linked": { "table": "inbox.conversation", "column": "customer_id" } } } }');

SELECT chat_rbac.protect('inbox.task', '{
	"resource": "task",
	"org": "org_id",
	"relations": {
		"own":       { "assignee_id": "$member" },
		"colleague": { "assignee_id": "$members" } } }');

-- Who waits for a reply, longest first?  No customer is left without one.
SELECT conversation_id AS chat, team, assignee, waiting_since, target, overdue IS NOT NULL AS late
  FROM inbox.report_waiting LIMIT 4;
-- How does the team do?
SELECT coalesce(agent, '(has left)') AS agent, handled, replies, first_response_median AS first_response, claimed, transferred_out AS gave_away
  FROM inbox.report_agents('2026-11-01');
-- What lies where?
SELECT unit, queue, open, waiting, agents, per_agent FROM inbox.report_workload;
-- What has happened?
SELECT who, did, what, changes FROM inbox.report_activity WHERE who <> 'role postgres' LIMIT 2;
-- Dashboards change nothing:
UPDATE inbox.conversation SET status = 'closed';

-- question: What happened in an incident, in the order of time?
-- cost: no logs: the incidents of a run (`--findings DIR/findings.jsonl`, or `--incidents`)
-- parameter id text: id of the incident, or its first characters
-- parameter limit integer = 200: rows at most
-- column incident_id: the incident
-- column time: when it began
-- column end: when it ended; the same for a moment
-- column kind: kind of entry, such as cadence_begins
-- column actor: the host or remote that acted
-- column target: the other side
-- column port: port of the service
-- column tactic: ATT&CK tactic
-- column bytes: bytes that moved, where they matter
-- column text: what happened, in a sentence
-- column query: a command that shows the records behind it; set LOGS to the source first
SELECT incident_id, time, "end", kind, actor, target, port, tactic, bytes, text, query
FROM incident_timeline
WHERE starts_with(incident_id, lower($id))
ORDER BY incident_id, position
LIMIT $limit

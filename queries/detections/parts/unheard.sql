-- A condition on `pairs`: what a client sent is logged, and nothing of what came back is, as the log has one direction
-- only.
(role = 'client' AND one_way AND packets_in = 0 AND rejected < records)

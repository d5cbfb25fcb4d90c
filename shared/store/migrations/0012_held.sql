-- How many contacts of each channel an agent has in hand, as JSON; changed by the statements that change the load, and by no others.
ALTER TABLE agents ADD COLUMN held TEXT NOT NULL DEFAULT '{}';
UPDATE agents SET held = (
  SELECT json_group_object(channel, n) FROM (
    SELECT channel, count(*) AS n FROM conversations INDEXED BY conversations_held
    WHERE agent_id = agents.id AND closed_at IS NULL GROUP BY channel));

-- What staffing reckons with: contacts that came to a group's people and the work that they were, by quarter of an hour (since 1970);
-- and since when an agent serves one of its groups first.

CREATE TABLE work (
  group_id TEXT NOT NULL,
  quarter INTEGER NOT NULL,
  came INTEGER NOT NULL DEFAULT 0,
  handled INTEGER NOT NULL DEFAULT 0,
  unit_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (group_id, quarter)
) STRICT, WITHOUT ROWID;

ALTER TABLE agents ADD COLUMN moved_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX agent_groups_moved ON agent_groups (weight, agent_id) WHERE weight > 0;

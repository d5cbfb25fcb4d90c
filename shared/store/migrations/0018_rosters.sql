-- The seats that routing decisions saw in a group, each list once. Decisions in the event log name a list by its number,
-- which is a hash of the agents. `agents`: their ids, one after the other.
CREATE TABLE rosters (
  number INTEGER NOT NULL PRIMARY KEY,
  agents BLOB NOT NULL
) STRICT;

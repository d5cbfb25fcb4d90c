-- Messages to customers that were written and wait: for the end of the time in which the writer can take them back, for the
-- instant that the writer named, or for a supervisor. `contents` is a list, sealed under the customer's key and bound to
-- conversation and id. The row goes with the message when it is sent.
CREATE TABLE held_messages (
  id BLOB NOT NULL PRIMARY KEY,
  conversation_id BLOB NOT NULL,
  agent_id BLOB,
  contents BLOB NOT NULL,
  -- Of a message that answers nobody.
  purpose TEXT,
  why TEXT NOT NULL,
  state TEXT NOT NULL,
  -- Whether a supervisor has approved it.
  approved INTEGER NOT NULL,
  held_at INTEGER NOT NULL,
  -- The instant before which the writer does not want it to go.
  not_before INTEGER,
  -- When the gate looks at it again; NULL: when a supervisor has decided.
  release_at INTEGER,
  -- Of a message that is not sent: the reason, who decided so, and the instant from which its days count.
  reason TEXT,
  decided_by BLOB,
  counts_from INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX held_messages_due ON held_messages (release_at) WHERE state = 'waiting' AND release_at IS NOT NULL;
CREATE INDEX held_messages_conversation ON held_messages (conversation_id, id);
CREATE INDEX held_messages_agent ON held_messages (agent_id, id);
CREATE INDEX held_messages_approvals ON held_messages (id) WHERE state = 'waiting' AND why = 'approval';
CREATE INDEX held_messages_old ON held_messages (counts_from) WHERE counts_from IS NOT NULL;

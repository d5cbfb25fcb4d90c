-- The nearest deadline of an open conversation, which a worklist sorts by.
ALTER TABLE conversations ADD COLUMN due_at INTEGER;
ALTER TABLE conversations ADD COLUMN due_metric TEXT;
ALTER TABLE conversations ADD COLUMN due_source TEXT;

-- What a worklist reads: the open conversations of an agent, and of a group.
CREATE INDEX conversations_open_agent ON conversations (agent_id, id) WHERE state <> 'closed' AND agent_id IS NOT NULL;
CREATE INDEX conversations_open_group ON conversations (group_id, id) WHERE state <> 'closed' AND group_id IS NOT NULL;

-- Who put the conversation off, until when (NULL: until the customer writes), and whether an event of an order wakes it.
ALTER TABLE conversations ADD COLUMN snoozed_by BLOB;
ALTER TABLE conversations ADD COLUMN snoozed_until INTEGER;
ALTER TABLE conversations ADD COLUMN snooze_orders INTEGER NOT NULL DEFAULT 0;
CREATE INDEX conversations_snoozed ON conversations (snoozed_by, id) WHERE snoozed_by IS NOT NULL;
CREATE INDEX conversations_wake ON conversations (snoozed_until) WHERE snoozed_until IS NOT NULL;

-- Changes of a conversation's row in worklists that are no events: a tag, a draft, a read mark, somebody who looks at it. They are
-- kept for some minutes, so that a stream can go on where it was cut.
CREATE TABLE worklist_changes (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  conversation_id BLOB NOT NULL,
  -- row or presence
  what TEXT NOT NULL
) STRICT;
CREATE INDEX worklist_changes_at ON worklist_changes (at, seq);

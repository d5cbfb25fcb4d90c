-- The document of service levels, in versions that are only added. A deadline keeps the version under which it started.
CREATE TABLE sla_documents (
  version INTEGER PRIMARY KEY,
  document TEXT NOT NULL,
  author BLOB,
  at INTEGER NOT NULL
) STRICT;

-- What the fold knows of a conversation besides its deadlines.
CREATE TABLE deadline_tracks (
  conversation_id BLOB NOT NULL PRIMARY KEY,
  human_replied INTEGER NOT NULL,
  replied INTEGER NOT NULL,
  ai INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  -- The number of the next deadline.
  next_k INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deadlines (
  conversation_id BLOB NOT NULL,
  -- Numbers the deadlines of a conversation.
  k INTEGER NOT NULL,
  message_id BLOB,
  metric TEXT NOT NULL,
  source TEXT NOT NULL,
  rule TEXT NOT NULL,
  version INTEGER NOT NULL,
  calendar TEXT,
  starts_at INTEGER NOT NULL,
  -- 9223372036854775807: a promise without a time.
  due_at INTEGER NOT NULL,
  target_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL,
  runs_from INTEGER NOT NULL,
  paused_at INTEGER,
  paused_ms INTEGER NOT NULL,
  pause_left_ms INTEGER NOT NULL,
  human_only INTEGER NOT NULL,
  state TEXT NOT NULL,
  answered_at INTEGER,
  ended_at INTEGER,
  reason TEXT,
  consequence TEXT,
  -- The conversation's agent and group when it last changed.
  agent_id BLOB,
  group_id TEXT,
  -- When to look at it again, and a set of the looks that are done.
  look_at INTEGER,
  done INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (conversation_id, k)
) STRICT, WITHOUT ROWID;
CREATE INDEX deadlines_look ON deadlines (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX deadlines_open ON deadlines (conversation_id, k) WHERE ended_at IS NULL;
CREATE INDEX deadlines_state ON deadlines (state, due_at, conversation_id, k);
CREATE INDEX deadlines_agent ON deadlines (agent_id, state, due_at, conversation_id, k) WHERE agent_id IS NOT NULL;
CREATE INDEX deadlines_old ON deadlines (ended_at) WHERE ended_at IS NOT NULL;

-- Deadlines begin with what happens from now on.
INSERT INTO followers (name, seq) SELECT 'deadlines', coalesce(max(seq), 0) FROM events;

-- What an agent has written in a conversation and not sent, for each mode (reply, note). `text` is sealed under the customer's
-- key and bound to conversation, agent and mode. No events: a draft is its writer's until it is sent.
CREATE TABLE drafts (
  conversation_id BLOB NOT NULL,
  agent_id BLOB NOT NULL,
  mode TEXT NOT NULL,
  version INTEGER NOT NULL,
  text BLOB NOT NULL,
  saved_at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, agent_id, mode)
) STRICT, WITHOUT ROWID;
CREATE INDEX drafts_agent ON drafts (agent_id, conversation_id);

-- How far an agent has read a conversation, and whether the agent looks at it or writes in it now.
CREATE TABLE read_marks (
  conversation_id BLOB NOT NULL,
  agent_id BLOB NOT NULL,
  seen INTEGER NOT NULL DEFAULT 0,
  doing TEXT,
  -- Until when the sign of presence counts.
  until INTEGER,
  PRIMARY KEY (conversation_id, agent_id)
) STRICT, WITHOUT ROWID;

-- Notes that name a colleague who has not read them yet.
CREATE TABLE mentions (
  agent_id BLOB NOT NULL,
  conversation_id BLOB NOT NULL,
  n INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (agent_id, conversation_id, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_conversation ON mentions (conversation_id, agent_id, n);

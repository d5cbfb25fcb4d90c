-- The foundation: channel accounts, staff, customers, conversations, messages, inbox, outbox, events.
-- Columns of type BLOB hold ids (16 bytes of UUIDv7), blind indexes, or sealed values; personal data stands nowhere else.
-- Instants are milliseconds since 1970-01-01T00:00:00Z.
-- Every statement ends with a semicolon at the end of its line; the migrator runs them one by one.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  secrets BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (channel, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (
  id BLOB PRIMARY KEY,
  name BLOB NOT NULL,
  role TEXT NOT NULL,
  state TEXT NOT NULL,
  state_reason TEXT,
  state_since INTEGER NOT NULL,
  vip INTEGER NOT NULL,
  capacity INTEGER NOT NULL CHECK (capacity >= 0),
  load INTEGER NOT NULL DEFAULT 0 CHECK (load >= 0),
  last_assigned_at INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_groups (
  group_id TEXT NOT NULL REFERENCES groups (id),
  agent_id BLOB NOT NULL REFERENCES agents (id),
  PRIMARY KEY (group_id, agent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_groups_by_agent ON agent_groups (agent_id);

CREATE TABLE tokens (
  hash BLOB PRIMARY KEY,
  agent_id BLOB NOT NULL REFERENCES agents (id),
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  owner BLOB NOT NULL,
  until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE inbox (
  seq INTEGER PRIMARY KEY,
  dedup BLOB NOT NULL UNIQUE,
  shard INTEGER NOT NULL,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  payload BLOB,
  received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX inbox_pending ON inbox (shard, seq) WHERE state = 0;

CREATE TABLE customers (
  id BLOB PRIMARY KEY,
  wrapped_key BLOB NOT NULL,
  tags TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE identities (
  id BLOB PRIMARY KEY,
  lookup BLOB NOT NULL UNIQUE,
  customer_id BLOB NOT NULL REFERENCES customers (id),
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  sender BLOB NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identities_by_customer ON identities (customer_id, id);

CREATE TABLE conversations (
  id BLOB PRIMARY KEY,
  identity_id BLOB NOT NULL REFERENCES identities (id),
  customer_id BLOB NOT NULL REFERENCES customers (id),
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  state TEXT NOT NULL,
  group_id TEXT,
  agent_id BLOB,
  vip INTEGER NOT NULL,
  why TEXT,
  rank INTEGER,
  queued_at INTEGER,
  opened_at INTEGER NOT NULL,
  last_message_at INTEGER NOT NULL,
  assigned_at INTEGER,
  accept_by INTEGER,
  accepted_at INTEGER,
  round_started_at INTEGER,
  first_inbound_at INTEGER,
  first_response_at INTEGER,
  wrap_until INTEGER,
  answer_until INTEGER,
  closed_at INTEGER,
  disposition TEXT,
  handle_ms INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX conversations_open ON conversations (identity_id) WHERE state <> 'closed';
CREATE INDEX conversations_by_identity ON conversations (identity_id, id);
CREATE INDEX conversations_by_state ON conversations (state, id);
CREATE INDEX conversations_by_agent ON conversations (agent_id, id) WHERE agent_id IS NOT NULL;
CREATE INDEX conversations_queue ON conversations (group_id, vip, rank, id) WHERE state = 'queued';
CREATE INDEX conversations_accept ON conversations (accept_by) WHERE accept_by IS NOT NULL;
CREATE INDEX conversations_unplaced ON conversations (round_started_at) WHERE state = 'open' AND round_started_at IS NOT NULL;
CREATE INDEX conversations_wrap ON conversations (wrap_until) WHERE wrap_until IS NOT NULL;

CREATE TABLE messages (
  conversation_id BLOB NOT NULL REFERENCES conversations (id),
  n INTEGER NOT NULL,
  id BLOB NOT NULL,
  origin TEXT NOT NULL,
  agent_id BLOB,
  content BLOB NOT NULL,
  at INTEGER NOT NULL,
  delivery TEXT,
  reason TEXT,
  PRIMARY KEY (conversation_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  v INTEGER NOT NULL,
  type TEXT NOT NULL,
  conversation_id BLOB,
  data TEXT NOT NULL
) STRICT;

CREATE TABLE outbox (
  seq INTEGER PRIMARY KEY,
  message_id BLOB NOT NULL UNIQUE,
  conversation_id BLOB NOT NULL,
  n INTEGER NOT NULL,
  identity_id BLOB NOT NULL,
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL,
  lease_owner BLOB,
  answers INTEGER,
  in_doubt INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (channel, next_at) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_order ON outbox (conversation_id, seq) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_sending ON outbox (channel) WHERE state = 'sending';
CREATE INDEX outbox_answers ON outbox (answers) WHERE answers IS NOT NULL;
CREATE INDEX outbox_dead ON outbox (seq) WHERE state = 'dead';

CREATE TABLE idempotency (
  actor BLOB NOT NULL,
  key TEXT NOT NULL,
  request BLOB NOT NULL,
  status INTEGER NOT NULL,
  response BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE config (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  version INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE followers (
  name TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rollups (
  figure TEXT NOT NULL,
  hour INTEGER NOT NULL,
  channel TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  n INTEGER NOT NULL,
  total INTEGER NOT NULL,
  PRIMARY KEY (figure, hour, channel, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  reason TEXT NOT NULL,
  hour INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (channel, account, reason, hour)
) STRICT, WITHOUT ROWID;

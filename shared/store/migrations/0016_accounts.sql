-- Accounts that are disabled and deleted, and what their health is told from.

-- `heard_at`: when the platform was heard last, to the minute. `epoch` tells an account from a deleted one of the same id; 0: made
-- before there was one.
ALTER TABLE accounts ADD COLUMN disabled_at INTEGER;
ALTER TABLE accounts ADD COLUMN heard_at INTEGER;
ALTER TABLE accounts ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;

-- When the source was asked last.
ALTER TABLE pulls ADD COLUMN asked_at INTEGER;

-- The last one, by how much its clock was ahead, and how many there were in `minute` and in the minute with one before it. Accounts
-- that nobody connected are counted together, under an empty name.
ALTER TABLE refusals ADD COLUMN last_at INTEGER;
ALTER TABLE refusals ADD COLUMN ahead_secs INTEGER;
ALTER TABLE refusals ADD COLUMN minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refusals ADD COLUMN in_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE refusals ADD COLUMN earlier INTEGER NOT NULL DEFAULT 0;

-- Sessions that strangers began in a minute.
CREATE TABLE session_starts (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  minute INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (channel, account)
) STRICT, WITHOUT ROWID;

-- Conversations that wait for somebody, by account.
CREATE INDEX conversations_waiting ON conversations (channel, account) WHERE state IN ('open', 'queued');

-- Replies that were given up, by account.
CREATE INDEX outbox_given_up ON outbox (channel, account) WHERE state = 'dead';

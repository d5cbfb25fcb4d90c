-- Until when a reply is tried, how often its outcome was unknown, why the last try failed, and when it was given up.
ALTER TABLE outbox ADD COLUMN give_up_at INTEGER;
ALTER TABLE outbox ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN reason TEXT;
ALTER TABLE outbox ADD COLUMN dead_at INTEGER;
UPDATE outbox SET dead_at = created_at, reason = coalesce(
  (SELECT m.reason FROM messages m WHERE m.conversation_id = outbox.conversation_id AND m.n = outbox.n), 'unknown')
WHERE state = 'dead';
-- Messages are claimed by account. The index takes the place of outbox_due, which begins with the channel, too.
DROP INDEX outbox_due;
CREATE INDEX outbox_account ON outbox (channel, account, next_at) WHERE state IN ('pending', 'sending');
CREATE INDEX outbox_late ON outbox (channel, give_up_at) WHERE state = 'pending';
-- Accounts whose platform fails: so many messages in a row, since when, and when it may be probed next.
CREATE TABLE outages (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  reason TEXT NOT NULL,
  failures INTEGER NOT NULL,
  last INTEGER NOT NULL,
  since INTEGER NOT NULL,
  probe_at INTEGER NOT NULL,
  PRIMARY KEY (channel, account)
) STRICT, WITHOUT ROWID;
-- How many messages were given up, ever.
CREATE TABLE given_up (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  reason TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (channel, account, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO given_up SELECT channel, account, reason, count(*) FROM outbox WHERE state = 'dead' GROUP BY channel, account, reason;

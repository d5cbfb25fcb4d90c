-- Items of webhooks and pages that could not be read, counted by what was wrong with them. The items themselves lie sealed in the inbox:
-- set aside (state 2), and in no shard (-1), since nobody knows whose they are.
CREATE TABLE odd_items (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  reason TEXT NOT NULL,
  n INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (channel, account, reason)
) STRICT, WITHOUT ROWID;

-- Platforms that keep messages until they are asked for them, and what a reply needs beside the customer's id.

-- One row per source. `due_at` is when it is to be asked next (NULL: not before the next hint), and while somebody asks
-- (`lease_owner`) when that one's lease ends. `hints` counts what said that there is something new, so that a hint that comes
-- while somebody asks is not lost.
CREATE TABLE pulls (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  source TEXT NOT NULL,
  polled INTEGER NOT NULL,
  cursor TEXT,
  hints INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER,
  lease_owner BLOB,
  attempts INTEGER NOT NULL DEFAULT 0,
  problem TEXT,
  PRIMARY KEY (channel, account, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX pulls_due ON pulls (channel, due_at) WHERE due_at IS NOT NULL;

-- Sealed under the customer's key: what the newest message of the customer said about where replies go.
ALTER TABLE conversations ADD COLUMN reply_to BLOB;

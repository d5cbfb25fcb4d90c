-- What the law asks of whoever keeps personal data: holds, what a person agreed to, and an end of what is kept.

-- A hold keeps what is stored of a customer, and of whoever is one person with them.
CREATE TABLE holds (
  customer_id BLOB PRIMARY KEY REFERENCES customers (id),
  reason TEXT NOT NULL,
  reference TEXT,
  placed_by BLOB,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Append-only; the newest of a purpose stands.
CREATE TABLE consents (
  seq INTEGER PRIMARY KEY,
  customer_id BLOB NOT NULL REFERENCES customers (id),
  purpose TEXT NOT NULL,
  version TEXT NOT NULL,
  given INTEGER NOT NULL,
  source TEXT NOT NULL,
  agent_id BLOB,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX consents_by_purpose ON consents (customer_id, purpose);
CREATE INDEX consents_by_customer ON consents (customer_id);
CREATE TRIGGER consents_stay BEFORE UPDATE ON consents BEGIN SELECT RAISE(ABORT, 'records of consent are append-only'); END;
CREATE TRIGGER consents_keep BEFORE DELETE ON consents BEGIN SELECT RAISE(ABORT, 'records of consent are append-only'); END;

-- `archived` is where a conversation's messages are: 0 in rows, 1 in packs, 2 gone. `aged_from` counts for its last message where it had
-- to stay when its time had come, so that it is not looked at again and again.
ALTER TABLE conversations ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN aged_from INTEGER;
CREATE INDEX conversations_aging ON conversations (archived, coalesce(aged_from, last_message_at)) WHERE state = 'closed' AND archived < 2;

-- Messages of a conversation from `first` to `last`: compressed, and sealed under the customer's key.
CREATE TABLE packs (
  conversation_id BLOB NOT NULL REFERENCES conversations (id),
  last INTEGER NOT NULL,
  first INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (conversation_id, last)
) STRICT, WITHOUT ROWID;

CREATE INDEX inbox_parked ON inbox (received_at) WHERE state = 2;

-- What a token is narrowed to, as a list of scopes (NULL: all that its role may), and up to when its requests used up its rate.
ALTER TABLE tokens ADD COLUMN scopes TEXT;
ALTER TABLE tokens ADD COLUMN paced_to INTEGER NOT NULL DEFAULT 0;

-- Tokens that were refused in a minute, counted in steps: by the first byte of the token's hash, and at -1 all of them.
CREATE TABLE failures (
  slot INTEGER PRIMARY KEY,
  minute INTEGER NOT NULL,
  n INTEGER NOT NULL
) STRICT;

-- Sealed values that were found not to open, so that each is told of once.
CREATE TABLE broken (
  row BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Platforms' access tokens, sealed, or why there is none. They were in the key-value store, which a reply cannot wait for: a
-- component that asks a store that is gone gets no answer for minutes. Until `retry_at` no instance asks the platform again.
CREATE TABLE platform_tokens (
  channel TEXT NOT NULL,
  account TEXT NOT NULL,
  token BLOB,
  problem TEXT,
  problem_at INTEGER,
  retry_at INTEGER,
  PRIMARY KEY (channel, account)
) STRICT, WITHOUT ROWID;

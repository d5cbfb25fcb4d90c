-- Messages that answer nobody: to whom, when and for what. The limits on contacts count them, and a withdrawal takes back those
-- that no deliverer has begun to send.
CREATE TABLE approaches (
  customer_id BLOB NOT NULL,
  at INTEGER NOT NULL,
  message_id BLOB NOT NULL,
  conversation_id BLOB NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  PRIMARY KEY (customer_id, at, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX approaches_old ON approaches (at);

-- The ledger of promises: what staff said that they would do, found in their messages or noted by hand. Each is a deadline of the
-- source promise, whose row has its state. `text` is sealed under the customer's key and bound to conversation and promise.
CREATE TABLE promises (
  id BLOB NOT NULL PRIMARY KEY,
  conversation_id BLOB NOT NULL,
  -- The number of its deadline.
  k INTEGER NOT NULL,
  -- Who made it; NULL: the administrator.
  agent_id BLOB,
  -- The message in which it was found.
  message_id BLOB,
  text BLOB NOT NULL,
  -- Whether a member of staff has confirmed it.
  confirmed INTEGER NOT NULL,
  made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX promises_deadline ON promises (conversation_id, k);

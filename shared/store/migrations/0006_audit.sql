-- Who read what of whom: append-only, each entry chained to the one before by a keyed hash.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor BLOB,
  role TEXT NOT NULL,
  action TEXT NOT NULL,
  customer_id BLOB,
  conversation_id BLOB,
  reason TEXT,
  hash BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

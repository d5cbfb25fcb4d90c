-- What the law asks of whoever keeps personal data: holds, and what a person agreed to.

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

-- One person across channels. A customer is one person as one identity met us, with a key of its own; customers that were found to be
-- one person are joined by merges, and `person` is the oldest of them. No message, no key and no identity moves with a merge, so that
-- undoing one puts everything back.

-- `person_tags` and `person_owner` are those of all the person's customers; they are kept with the one who stands for it.
ALTER TABLE customers ADD COLUMN person BLOB;
ALTER TABLE customers ADD COLUMN person_tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE customers ADD COLUMN person_owner BLOB;
UPDATE customers SET person = id, person_tags = tags, person_owner = owner;
CREATE INDEX customers_by_person ON customers (person, id);

-- What was last learned of who it is, as a digest: most messages tell nothing new.
ALTER TABLE identities ADD COLUMN known BLOB;

-- `lookup` is the blind index of kind, platform and value; `value` is sealed under the customer's key.
CREATE TABLE identifiers (
  lookup BLOB NOT NULL,
  customer_id BLOB NOT NULL REFERENCES customers (id),
  kind TEXT NOT NULL,
  platform TEXT NOT NULL,
  value BLOB NOT NULL,
  strong INTEGER NOT NULL,
  source TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (lookup, customer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identifiers_by_customer ON identifiers (customer_id, kind);

-- Identifiers that prove nothing any more, because a merge made by them was undone.
CREATE TABLE distrusted (
  lookup BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `a` and `b` are customers, not persons: who is one person is what the merges that were not undone connect.
CREATE TABLE merges (
  id BLOB PRIMARY KEY,
  a BLOB NOT NULL REFERENCES customers (id),
  b BLOB NOT NULL REFERENCES customers (id),
  kind TEXT,
  evidence BLOB,
  made_by BLOB,
  at INTEGER NOT NULL,
  undone_by BLOB,
  undone_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX merges_by_a ON merges (a, id);
CREATE INDEX merges_by_b ON merges (b, id);

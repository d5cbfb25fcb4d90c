-- Keys lie in a database of their own (`vault`): customers' keys move there, and `wrapped_key` is emptied as they do.
CREATE INDEX customers_unmoved ON customers (id) WHERE wrapped_key <> x'';

-- An erased customer stays as a row without a name, so that figures and the log still have something to point at.
ALTER TABLE customers ADD COLUMN erasure BLOB;
CREATE INDEX customers_erased ON customers (erasure, id) WHERE erasure IS NOT NULL;
-- What staff corrected the name to, sealed under the customer's key.
ALTER TABLE customers ADD COLUMN name BLOB;

-- The generation of the key that seals the payload; 0 for those from before there were generations.
ALTER TABLE inbox ADD COLUMN sealed_by INTEGER NOT NULL DEFAULT 0;
CREATE INDEX inbox_set_aside ON inbox (seq) WHERE state = 2;

CREATE TABLE erasures (
  id BLOB PRIMARY KEY,
  person BLOB NOT NULL,
  asked_by BLOB,
  reason TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  -- The first generation of inbox keys that holds nothing of the person: the ones before it have to go.
  inbox_from INTEGER,
  messages INTEGER NOT NULL DEFAULT 0,
  done_at INTEGER,
  receipt TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_running ON erasures (id) WHERE done_at IS NULL;

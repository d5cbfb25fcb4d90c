-- The words that do something to a message of the brand before it goes out, each under its beginning, so that a message reads
-- only those that it may contain. `word` is the entry of the brand's list.
CREATE TABLE watched_words (
  head TEXT NOT NULL,
  n INTEGER NOT NULL,
  word TEXT NOT NULL,
  PRIMARY KEY (head, n)
) STRICT, WITHOUT ROWID;

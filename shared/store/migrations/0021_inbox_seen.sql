-- Handled messages: their keys, by which a platform's repeats are known. The rows of the inbox go, because a row that is emptied leaves
-- its page almost empty. The inbox's newest row stays, so that its positions go on.
CREATE TABLE inbox_seen (
  seq INTEGER PRIMARY KEY,
  dedup BLOB NOT NULL UNIQUE,
  shard INTEGER NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER inbox_seen AFTER UPDATE OF state ON inbox WHEN new.state = 1 AND new.seq < (SELECT max(seq) FROM inbox) BEGIN
  INSERT INTO inbox_seen (seq, dedup, shard, received_at) VALUES (new.seq, new.dedup, new.shard, new.received_at)
  ; DELETE FROM inbox WHERE seq = new.seq
  ; END;
-- The release before looks for repeats in the inbox only. Its row comes back there when one comes.
CREATE TRIGGER inbox_again BEFORE INSERT ON inbox WHEN EXISTS (SELECT 1 FROM inbox_seen WHERE dedup = new.dedup) BEGIN
  INSERT INTO inbox (seq, dedup, shard, channel, account, state, received_at)
    SELECT seq, dedup, shard, new.channel, new.account, 1, received_at FROM inbox_seen WHERE dedup = new.dedup
  ; DELETE FROM inbox_seen WHERE dedup = new.dedup
  ; END;

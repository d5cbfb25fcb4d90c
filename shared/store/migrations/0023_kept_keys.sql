-- The keys of messages that were handled long ago: nothing but the key, so that a repeat is known however late it comes.
CREATE TABLE inbox_kept (dedup BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
-- The release before looks for repeats in the inbox only: see migration 21.
CREATE TRIGGER inbox_kept_again BEFORE INSERT ON inbox WHEN EXISTS (SELECT 1 FROM inbox_kept WHERE dedup = new.dedup) BEGIN
  INSERT INTO inbox (dedup, shard, channel, account, state, received_at)
    VALUES (new.dedup, new.shard, new.channel, new.account, 1, new.received_at)
  ; DELETE FROM inbox_kept WHERE dedup = new.dedup
  ; END;

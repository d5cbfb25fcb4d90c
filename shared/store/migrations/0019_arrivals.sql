-- A waiting message names its sender by the blind index, so that one statement finds both. It is emptied together with the payload. The
-- previous release leaves it empty.
ALTER TABLE inbox ADD COLUMN sender BLOB;
-- The previous release does not know the column, and would leave it.
CREATE TRIGGER inbox_handled AFTER UPDATE OF state ON inbox WHEN new.state <> 0 AND new.sender IS NOT NULL
  BEGIN UPDATE inbox SET sender = NULL WHERE seq = new.seq; END;

-- A customer's message in a conversation that is open: everything that is written for it, in one statement. `shard` is given where no
-- lease protects the row: then the statement itself sees to it that nobody else is at work, and that no earlier message waits.
CREATE VIEW arrivals (inbox, shard, conversation_id, was, ai, n, state, at, spoke_at, answer_until, reply_to, id, content, received_at, v, type, data) AS
  SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL;
CREATE TRIGGER arrived INSTEAD OF INSERT ON arrivals BEGIN
  SELECT RAISE(ABORT, 'not as it was read') WHERE new.shard IS NOT NULL AND (
    EXISTS (SELECT 1 FROM leases WHERE name = 'inbox/' || new.shard AND until > new.at)
    OR EXISTS (SELECT 1 FROM inbox WHERE shard = new.shard AND state = 0 AND seq < new.inbox))
  ; SELECT RAISE(ABORT, 'not as it was read') WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE seq = new.inbox AND state = 0)
    OR NOT EXISTS (SELECT 1 FROM conversations WHERE id = new.conversation_id AND messages = new.n - 1 AND state = new.was AND ai = new.ai)
  ; UPDATE inbox SET state = 1, payload = NULL, sender = NULL WHERE seq = new.inbox
  ; UPDATE conversations SET messages = new.n, last_message_at = new.at, state = new.state,
      first_inbound_at = coalesce(first_inbound_at, new.spoke_at), round_started_at = coalesce(round_started_at, new.spoke_at),
      wrap_until = NULL, answer_until = new.answer_until, rings_until = iif(new.spoke_at IS NULL, rings_until, NULL),
      reply_to = coalesce(new.reply_to, reply_to)
    WHERE id = new.conversation_id
  ; INSERT INTO messages (conversation_id, n, id, origin, content, at) VALUES (new.conversation_id, new.n, new.id, 'customer', new.content, new.received_at)
  ; INSERT INTO events (at, v, type, conversation_id, data) VALUES (new.at, new.v, new.type, new.conversation_id, new.data)
  ; END;

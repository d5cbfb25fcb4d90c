-- As in migration 19, but that a message that is nobody's words (an event, an opt-out) does not stop the clock of the wrap-up: the
-- conversation stayed in wrap-up for good, and held its agent's capacity.
DROP TRIGGER arrived;
CREATE TRIGGER arrived INSTEAD OF INSERT ON arrivals BEGIN
  SELECT RAISE(ABORT, 'not as it was read') WHERE new.shard IS NOT NULL AND (
    EXISTS (SELECT 1 FROM leases WHERE name = 'inbox/' || new.shard AND until > new.at)
    OR EXISTS (SELECT 1 FROM inbox WHERE shard = new.shard AND state = 0 AND seq < new.inbox))
  ; SELECT RAISE(ABORT, 'not as it was read') WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE seq = new.inbox AND state = 0)
    OR NOT EXISTS (SELECT 1 FROM conversations WHERE id = new.conversation_id AND messages = new.n - 1 AND state = new.was AND ai = new.ai)
  ; UPDATE inbox SET state = 1, payload = NULL, sender = NULL WHERE seq = new.inbox
  ; UPDATE conversations SET messages = new.n, last_message_at = new.at, state = new.state,
      first_inbound_at = coalesce(first_inbound_at, new.spoke_at), round_started_at = coalesce(round_started_at, new.spoke_at),
      wrap_until = iif(new.state = 'wrap_up', wrap_until, NULL), answer_until = new.answer_until,
      rings_until = iif(new.spoke_at IS NULL, rings_until, NULL), reply_to = coalesce(new.reply_to, reply_to)
    WHERE id = new.conversation_id
  ; INSERT INTO messages (conversation_id, n, id, origin, content, at) VALUES (new.conversation_id, new.n, new.id, 'customer', new.content, new.received_at)
  ; INSERT INTO events (at, v, type, conversation_id, data) VALUES (new.at, new.v, new.type, new.conversation_id, new.data)
  ; END;
-- Wrap-ups whose clock was stopped end with the next tick; the clocks of conversations that went on after a wrap-up are stopped.
UPDATE conversations SET wrap_until = last_message_at WHERE state = 'wrap_up' AND wrap_until IS NULL;
UPDATE conversations SET wrap_until = NULL WHERE wrap_until IS NOT NULL AND state <> 'wrap_up';

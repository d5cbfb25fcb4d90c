-- Routing by a plan: one document with groups and rules, in versions; capacity in units; lanes; presence.

CREATE TABLE plans (
  version INTEGER PRIMARY KEY,
  document TEXT NOT NULL,
  author BLOB,
  at INTEGER NOT NULL
) STRICT;

-- What was spread over groups and the rules' document becomes the first version.
INSERT INTO plans (version, document, at)
  SELECT 1, json_object(
    'groups', json((SELECT json_group_array(json_object('id', g.id, 'name', g.name, 'settings', json(g.settings)))
                    FROM (SELECT id, name, settings FROM groups ORDER BY created_at, id) g)),
    'rules', json(coalesce((SELECT json_extract(value, '$.rules') FROM config WHERE name = 'routing_rules'), '[]'))),
    (SELECT max(created_at) FROM groups)
  WHERE EXISTS (SELECT 1 FROM groups);
INSERT INTO events (at, v, type, data)
  SELECT at, 1, 'routing.plan', json_object('version', version, 'plan', json(document)) FROM plans;
DELETE FROM config WHERE name = 'routing_rules';
ALTER TABLE groups DROP COLUMN settings;
ALTER TABLE groups DROP COLUMN name;

-- Capacity and load in hundredths of a unit. `profile` holds skills and limits by channel, as JSON. `seen_at` is the last sign of
-- life; `freed_at` when the last contact ended.
UPDATE agents SET capacity = capacity * 100, load = load * 100;
ALTER TABLE agents ADD COLUMN ai INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN profile TEXT NOT NULL DEFAULT '{}';
ALTER TABLE agents ADD COLUMN freed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agents ADD COLUMN removed_at INTEGER;
CREATE INDEX agents_seen ON agents (seen_at) WHERE state <> 'offline' AND ai = 0;
ALTER TABLE agent_groups ADD COLUMN level INTEGER NOT NULL DEFAULT 1;
ALTER TABLE agent_groups ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;

ALTER TABLE customers ADD COLUMN owner BLOB;

-- `lane` is what it asks of a seat, and where it stands in its queue; `units` what it takes of its agent's capacity; `overflow_at`
-- when it has waited too long; `lost_at` when the lost agent's time to come back ends; `estimate_ms` what it was told that it would
-- wait; `ai` whether an AI seat has it, `ai_due` until when that has to answer, `ai_failed` its turns in a row without an answer.
ALTER TABLE conversations ADD COLUMN lane TEXT;
ALTER TABLE conversations ADD COLUMN units INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN overflow_at INTEGER;
ALTER TABLE conversations ADD COLUMN lost_at INTEGER;
ALTER TABLE conversations ADD COLUMN estimate_ms INTEGER;
ALTER TABLE conversations ADD COLUMN ai INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN ai_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN ai_due INTEGER;
ALTER TABLE conversations ADD COLUMN left_message INTEGER NOT NULL DEFAULT 0;
UPDATE conversations SET units = 100 WHERE state IN ('assigned', 'waiting_on_customer', 'wrap_up');
UPDATE conversations SET lane = '{"channel":"' || channel || '"'
    || CASE WHEN queued_at > rank THEN ',"priority_minutes":' || ((queued_at - rank) / 60000) ELSE '' END
    || CASE WHEN vip THEN ',"dedicated":true' ELSE '' END || '}'
  WHERE state = 'queued';
DROP INDEX conversations_queue;
CREATE INDEX conversations_queue ON conversations (group_id, lane, rank, id) WHERE state = 'queued';
CREATE INDEX conversations_order ON conversations (group_id, rank, id) WHERE state = 'queued';
-- What an agent has in hand, by channel.
CREATE INDEX conversations_held ON conversations (agent_id, channel) WHERE agent_id IS NOT NULL AND closed_at IS NULL;
CREATE INDEX conversations_by_customer ON conversations (customer_id, id);
CREATE INDEX conversations_overflow ON conversations (overflow_at) WHERE overflow_at IS NOT NULL;
CREATE INDEX conversations_lost ON conversations (lost_at) WHERE lost_at IS NOT NULL;
CREATE INDEX conversations_ai ON conversations (ai_due) WHERE ai_due IS NOT NULL;

-- How long each queue is, so that nobody has to count it; and the pace at which it is served, with what its estimates were off by.
CREATE TABLE queues (
  group_id TEXT PRIMARY KEY,
  waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
  left_at INTEGER,
  gap_ms INTEGER,
  estimates INTEGER NOT NULL DEFAULT 0,
  error_ms INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO queues (group_id, waiting) SELECT group_id, count(*) FROM conversations WHERE state = 'queued' GROUP BY group_id;
CREATE TRIGGER queue_entered AFTER UPDATE OF state, group_id ON conversations
  WHEN new.state = 'queued' AND (old.state <> 'queued' OR old.group_id <> new.group_id)
  BEGIN INSERT INTO queues (group_id, waiting) VALUES (new.group_id, 1) ON CONFLICT (group_id) DO UPDATE SET waiting = waiting + 1; END;
CREATE TRIGGER queue_left AFTER UPDATE OF state, group_id ON conversations
  WHEN old.state = 'queued' AND (new.state <> 'queued' OR old.group_id <> new.group_id)
  BEGIN UPDATE queues SET waiting = waiting - 1 WHERE group_id = old.group_id; END;

-- A conversation's decisions, without an index over all events.
CREATE INDEX events_decisions ON events (conversation_id, seq) WHERE type = 'routing.decided';

-- Colleagues who were asked about a conversation that stays where it is.
CREATE TABLE consults (
  conversation_id BLOB NOT NULL REFERENCES conversations (id),
  agent_id BLOB NOT NULL REFERENCES agents (id),
  asked_by BLOB,
  at INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, agent_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX consults_by_agent ON consults (agent_id);

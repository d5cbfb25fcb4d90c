-- Subscriptions of the brand's own systems to events. The secrets are sealed, and bound to the id.
CREATE TABLE hooks (
  id BLOB NOT NULL PRIMARY KEY,
  url TEXT NOT NULL,
  -- A JSON list.
  types TEXT NOT NULL,
  description TEXT NOT NULL,
  secret BLOB NOT NULL,
  -- The secret before, and until when it signs as well.
  previous BLOB,
  previous_until INTEGER,
  -- Events after this position are sent.
  after_seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER,
  disabled_reason TEXT,
  failing_since INTEGER,
  -- The receiver asked for a pause until then.
  not_before INTEGER NOT NULL DEFAULT 0,
  lease_owner BLOB,
  lease_until INTEGER NOT NULL DEFAULT 0,
  -- Nobody sees it any more. It goes once its deliveries are gone.
  deleted_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX hooks_deleted ON hooks (deleted_at) WHERE deleted_at IS NOT NULL;

-- An event on its way to a subscription. The id is that of the webhook: it stays the same at every try.
CREATE TABLE hook_deliveries (
  id BLOB NOT NULL PRIMARY KEY,
  hook_id BLOB NOT NULL,
  -- The event's position in the log; NULL for a test.
  seq INTEGER,
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  -- waiting, delivered, dead
  state TEXT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  -- The next try, while it waits. A try in progress has it at the end of its lease.
  due_at INTEGER,
  status INTEGER,
  reason TEXT,
  created_at INTEGER NOT NULL,
  tried_at INTEGER,
  -- When it came into its state.
  changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX hook_deliveries_event ON hook_deliveries (hook_id, seq);
CREATE INDEX hook_deliveries_due ON hook_deliveries (hook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX hook_deliveries_of ON hook_deliveries (hook_id, id);
CREATE INDEX hook_deliveries_in ON hook_deliveries (hook_id, state, id);
CREATE INDEX hook_deliveries_old ON hook_deliveries (state, changed_at);

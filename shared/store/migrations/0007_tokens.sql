-- A token has an id by which it is listed and revoked, and may end by itself.
ALTER TABLE tokens ADD COLUMN id BLOB;
ALTER TABLE tokens ADD COLUMN expires_at INTEGER;
UPDATE tokens SET id = randomblob(16);
CREATE INDEX tokens_by_agent ON tokens (agent_id, created_at);

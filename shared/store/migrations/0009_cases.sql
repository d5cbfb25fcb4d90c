-- A case: a person's conversations on one matter, on whatever channels. Of whom it shows conversations is decided when it is read, by who is
-- one person then, so that merges and their undoing move nothing here.
ALTER TABLE conversations ADD COLUMN case_id BLOB;
-- Whether staff said which case it is; then nothing else changes it.
ALTER TABLE conversations ADD COLUMN case_fixed INTEGER NOT NULL DEFAULT 0;
-- Blind indexes of the orders named in it, 16 bytes each.
ALTER TABLE conversations ADD COLUMN orders BLOB NOT NULL DEFAULT x'';
UPDATE conversations SET case_id = id;
CREATE INDEX conversations_by_case ON conversations (case_id, id);
-- Until when a call that rings counts as ringing.
ALTER TABLE conversations ADD COLUMN rings_until INTEGER;
CREATE INDEX conversations_ringing ON conversations (rings_until) WHERE rings_until IS NOT NULL;

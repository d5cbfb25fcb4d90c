-- A keyed hash of the settings and secrets that a token, or a refusal, is of. Those of other settings do not count.
ALTER TABLE platform_tokens ADD COLUMN credentials BLOB;

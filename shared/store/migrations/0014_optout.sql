-- A customer's own words about messages: the word of the list that they used, and the message that proves it.
ALTER TABLE consents ADD COLUMN wording TEXT;
ALTER TABLE consents ADD COLUMN message_id BLOB;

-- What a platform's hint lets us ask with, for the few minutes that it is good for.
ALTER TABLE pulls ADD COLUMN token TEXT;
ALTER TABLE pulls ADD COLUMN token_until INTEGER;

-- Format 7: what an accept is known by is in the record of its message, whose CRC covers it there. `once` has that of messages
-- which are gone before it is forgotten, and what was written before. Hashes are ordered among 512 messages each, so that those
-- of a commit lie together.
ALTER TABLE message ADD COLUMN digest BLOB;
ALTER TABLE message ADD COLUMN body_digest BLOB;
CREATE INDEX message_of_digest ON message (seq >> 9, substr(digest, 1, 8));
DROP INDEX message_of_key;
CREATE INDEX message_of_key ON message (seq >> 9, keyh);
DROP INDEX once_of_digest;
CREATE INDEX once_of_digest ON once (seq >> 9, substr(digest, 1, 8));

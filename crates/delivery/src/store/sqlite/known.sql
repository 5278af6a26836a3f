-- Format 7: what an accept is known by is in the record of its message, whose CRC covers it there. `once` has that of messages
-- which are gone before it is forgotten, and what was written before. Hashes are ordered among fewer messages, so that those of a
-- commit lie together: digests among 512, since the process knows where one may be, and keys among 2,048, since they are looked
-- for everywhere.
ALTER TABLE message ADD COLUMN digest BLOB;
ALTER TABLE message ADD COLUMN body_digest BLOB;
CREATE INDEX message_of_digest ON message (seq >> 9, substr(digest, 1, 8));
DROP INDEX message_of_key;
CREATE INDEX message_of_key ON message (seq >> 11, keyh);
DROP INDEX once_of_digest;
CREATE INDEX once_of_digest ON once (seq >> 9, substr(digest, 1, 8));
-- With what its condition asks for, or each entry would be looked up in the table too.
DROP INDEX dead;
CREATE INDEX dead ON settled (seq, lane, n, result) WHERE result >= 2;

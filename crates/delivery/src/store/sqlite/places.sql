-- Format 4: what is added or settled together lies together. A hash in an index of all rows has a page of its own for nearly
-- each row; so hashes are ordered among 4,096 messages each, and of deliveries those only are found by their key that stand
-- behind a head (which ones are heads, the process knows).
DROP INDEX message_of_key;
CREATE INDEX message_of_key ON message (seq >> 12, keyh);
DROP INDEX pending_of_key;
CREATE INDEX behind ON pending (lane, keyh, n) WHERE head = 0;

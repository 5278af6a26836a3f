-- Format 4: what is added or settled together lies together. A hash in an index of all rows has a page of its own for nearly
-- each row; so hashes are ordered among 4,096 messages each, and of deliveries those only are found by their key that stand
-- behind a head. Which ones are heads, and where a digest may be, the process knows.
DROP INDEX message_of_key;
CREATE INDEX message_of_key ON message (seq >> 12, keyh);
DROP INDEX pending_of_key;
CREATE INDEX behind ON pending (lane, keyh, n) WHERE head = 0;
ALTER TABLE once RENAME TO once_before;
CREATE TABLE once (
    seq        INTEGER PRIMARY KEY,
    digest     BLOB NOT NULL,
    body       BLOB NOT NULL,
    id         TEXT NOT NULL,
    deliveries INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    crc        INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO once SELECT seq, digest, body, id, deliveries, at, crc FROM once_before ORDER BY seq;
DROP TABLE once_before;
CREATE INDEX once_of_digest ON once (seq >> 12, substr(digest, 1, 8));

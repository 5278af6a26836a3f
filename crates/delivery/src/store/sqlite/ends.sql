-- Format 6: ends in the order of their messages, which is about the order in which they come, so that those of one commit lie
-- together however many lanes they are of. The ends of a lane are found among 4,096 messages each, as keys are (format 4).
-- `ends.rs` takes over what was there.
DROP INDEX dead;
ALTER TABLE settled RENAME TO settled_before;
CREATE TABLE settled (
    lane       INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    result     INTEGER NOT NULL,
    detail     TEXT NOT NULL,
    attempts   INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    crc        INTEGER NOT NULL,
    number     INTEGER,
    ended      INTEGER,
    word       TEXT,
    outcome    TEXT,
    status     INTEGER,
    took       INTEGER,
    response   TEXT,
    peer       TEXT,
    connect    INTEGER,
    tls        INTEGER,
    first_byte INTEGER,
    PRIMARY KEY (seq, lane, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX settled_of_lane ON settled (seq >> 12, lane, n);
CREATE INDEX dead ON settled (seq, lane, n) WHERE result >= 2;

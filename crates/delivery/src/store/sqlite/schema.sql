-- Format 1. Every row ends in a CRC32C over its table's name, its key and its record (rows.rs); it is verified on every read.
-- Times are microseconds since the Unix epoch.

-- One row: which store this is, and how many commits it holds.
CREATE TABLE meta (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    generation BLOB NOT NULL,
    commits    INTEGER NOT NULL,
    crc        INTEGER NOT NULL
) STRICT;

-- A lane, which an integration has. `last` is the number of its newest delivery: numbers have no gaps.
CREATE TABLE lane (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    gate       INTEGER NOT NULL,           -- 0 open, 1 paused, 2 disabled by a 410
    open_until INTEGER,                    -- the breaker's next probe, if it is open
    open_pause INTEGER,
    slow_until INTEGER,
    epoch      INTEGER NOT NULL,
    last       INTEGER NOT NULL,
    crc        INTEGER NOT NULL
) STRICT;

-- What was accepted: the body, and the deliveries that it became, as pairs of lane and number.
CREATE TABLE message (
    seq          INTEGER PRIMARY KEY,
    id           TEXT NOT NULL,            -- webhook-id
    key          TEXT NOT NULL,            -- what it is in order with
    keyh         INTEGER NOT NULL,         -- a hash of the key
    supersedable INTEGER NOT NULL,
    accepted     INTEGER NOT NULL,
    route        INTEGER NOT NULL,         -- 0 to lanes, 1 unmatched, 2 bypassed
    fanout       BLOB NOT NULL,
    body         BLOB NOT NULL,
    crc          INTEGER NOT NULL
) STRICT;
CREATE INDEX message_of_key ON message (keyh, seq);

-- Deliveries that are not settled. A head is the oldest of its lane and key; only heads are attempted.
CREATE TABLE pending (
    lane     INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    keyh     INTEGER NOT NULL,
    spare    INTEGER NOT NULL,             -- whether a later one of its key makes it superfluous
    accepted INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    head     INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    outage   INTEGER,                      -- the epoch in which it was parked for an outage
    crc      INTEGER NOT NULL,
    PRIMARY KEY (lane, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_of_key ON pending (lane, keyh, n);
CREATE INDEX runnable ON pending (lane, due, n) WHERE head = 1;
CREATE INDEX awaiting ON pending (lane, outage, n) WHERE outage IS NOT NULL;

-- Deliveries that came to their end, for as long as history is kept.
CREATE TABLE settled (
    lane     INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    result   INTEGER NOT NULL,             -- 0 delivered, 1 superseded, 2 and up dead (rows.rs)
    detail   TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    crc      INTEGER NOT NULL,
    PRIMARY KEY (lane, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX dead ON settled (seq, lane, n) WHERE result >= 2;

-- Attempts, for as long as history is kept.
CREATE TABLE attempt (
    lane     INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    word     TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    status   INTEGER,
    took     INTEGER NOT NULL,             -- microseconds
    response TEXT NOT NULL,
    crc      INTEGER NOT NULL,
    PRIMARY KEY (lane, n, number, at)
) STRICT, WITHOUT ROWID;

-- What an accept is known by, so that sending it again adds nothing. Kept for a day.
CREATE TABLE once (
    digest     BLOB PRIMARY KEY,
    body       BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    id         TEXT NOT NULL,
    deliveries INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    crc        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_at ON once (at);

-- Records that are not what was written: put aside with what was found, never sent, never dropped.
CREATE TABLE quarantine (
    id     INTEGER PRIMARY KEY,
    at     INTEGER NOT NULL,
    what   TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;

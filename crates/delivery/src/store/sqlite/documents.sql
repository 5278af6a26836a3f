-- Format 2: records of whoever uses the store, such as what is configured. What is in them is not known here.
CREATE TABLE document (
    kind TEXT NOT NULL,
    id   TEXT NOT NULL,
    body BLOB NOT NULL,
    crc  INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

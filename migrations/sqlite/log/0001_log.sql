-- The ledgers. Leaves, bodies and signatures are the data; every other table is an index over them.
-- Ids, hashes and keys are raw bytes. `record.no` grows by one per record over all ledgers, so the big table is only
-- ever appended to, and the records of one commit have consecutive numbers.

CREATE TABLE record (
    no    INTEGER PRIMARY KEY,
    leaf  BLOB NOT NULL,
    body  BLOB
);

CREATE TABLE ledger (
    no             INTEGER PRIMARY KEY,
    id             BLOB NOT NULL UNIQUE,
    size           BIGINT NOT NULL,
    last_hash      BLOB NOT NULL,
    last_time_us   BIGINT NOT NULL,
    last_append    BLOB NOT NULL,
    generation     BIGINT NOT NULL,
    signer         BLOB NOT NULL,
    closed         BIGINT NOT NULL,
    bodies_dropped BIGINT NOT NULL DEFAULT 0
);

-- Position `first` of the ledger is record `record`, and so on up to `last`, whose record the signature belongs to.
CREATE TABLE ledger_commit (
    ledger    BIGINT NOT NULL,
    last      BIGINT NOT NULL,
    first     BIGINT NOT NULL,
    record    BIGINT NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (ledger, last)
) WITHOUT ROWID;

CREATE TABLE append (
    ledger BIGINT NOT NULL,
    id     BLOB NOT NULL,
    first  BIGINT NOT NULL,
    last   BIGINT NOT NULL,
    PRIMARY KEY (ledger, id)
) WITHOUT ROWID;

-- `version` is that of the stream's last record.
CREATE TABLE stream (
    no      INTEGER PRIMARY KEY,
    ledger  BIGINT NOT NULL,
    id      BLOB NOT NULL,
    kind    TEXT NOT NULL,
    version BIGINT NOT NULL,
    UNIQUE (ledger, id, kind)
);

CREATE TABLE stream_record (
    stream   BIGINT NOT NULL,
    version  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (stream, version)
) WITHOUT ROWID;

CREATE TABLE tile (
    ledger BIGINT NOT NULL,
    level  BIGINT NOT NULL,
    idx    BIGINT NOT NULL,
    hashes BLOB NOT NULL,
    UNIQUE (ledger, level, idx)
);

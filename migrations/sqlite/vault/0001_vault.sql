-- Keys and secrets, apart from the log. Every key is wrapped, every value sealed: docs/LOG-FORMAT.md, section 4.
-- Whatever is erased is overwritten and leaves the write-ahead log at once.

CREATE TABLE vault (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    -- Raised by every erasure; the anchor remembers it, so that an older copy of this file is noticed.
    generation BIGINT NOT NULL,
    -- 1 from an erasure until no byte of it is left in the file.
    wipe_due   BIGINT NOT NULL
);
INSERT INTO vault (one, generation, wipe_due) VALUES (1, 0, 0);

CREATE TABLE tenant_root (
    ledger  BLOB NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE data_key (
    ledger  BLOB NOT NULL,
    epoch   BIGINT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (ledger, epoch)
) WITHOUT ROWID;

CREATE TABLE subject_key (
    ledger  BLOB NOT NULL,
    subject BLOB NOT NULL,
    version BIGINT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (ledger, subject, version)
) WITHOUT ROWID;

CREATE TABLE erased_subject (
    ledger  BLOB NOT NULL,
    subject BLOB NOT NULL,
    PRIMARY KEY (ledger, subject)
) WITHOUT ROWID;

-- A keyed fingerprint of a personal fact leads to a random subject.
CREATE TABLE fingerprint (
    ledger      BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    subject     BLOB NOT NULL,
    PRIMARY KEY (ledger, fingerprint)
) WITHOUT ROWID;
CREATE INDEX fingerprint_subject ON fingerprint (ledger, subject);

-- Sealed values found by a hash.
CREATE TABLE entry (
    kind       TEXT NOT NULL,
    lookup     BLOB NOT NULL,
    ledger     BLOB NOT NULL,
    owner      BLOB NOT NULL,
    value      BLOB NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    PRIMARY KEY (kind, lookup)
) WITHOUT ROWID;
CREATE INDEX entry_owner ON entry (ledger, owner, kind);

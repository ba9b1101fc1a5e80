-- Keys and secrets, apart from the ledgers. Nothing here is in the clear but ids and times; losing a row of
-- `root_key` makes a company unreadable, losing one of `subject_key` a person.

CREATE TABLE state (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    generation BIGINT NOT NULL
);
INSERT INTO state VALUES (1, 0);

CREATE TABLE root_key (
    ledger  BLOB PRIMARY KEY,
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

-- Which person a personal fact (an address, a phone number) leads to. The fingerprint is keyed by the company's root key.
CREATE TABLE subject_fact (
    ledger      BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    subject     BLOB NOT NULL,
    PRIMARY KEY (ledger, fingerprint)
) WITHOUT ROWID;
CREATE INDEX subject_fact_subject ON subject_fact (ledger, subject);

-- Small sealed values found by a hash: what the layer above keeps apart from its ledgers.
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

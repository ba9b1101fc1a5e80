-- What each ledger's last signed checkpoint said, apart from the log. Not part of a backup: it must be able to contradict one.

CREATE TABLE state (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    vault_generation BIGINT NOT NULL
);
INSERT INTO state (one, vault_generation) VALUES (1, 0);

CREATE TABLE anchor (
    ledger     BLOB NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    head       BLOB NOT NULL,
    root       BLOB NOT NULL,
    checkpoint TEXT NOT NULL
) WITHOUT ROWID;

-- Earlier checkpoints, the newest 10,000 of a ledger: an export may end at any of them.
CREATE TABLE checkpoint (
    ledger     BLOB NOT NULL,
    generation BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (ledger, generation, size)
) WITHOUT ROWID;

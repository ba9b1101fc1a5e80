-- One narrow table finds a stream's records and its last version: a write touches one page of it instead of three of two.

CREATE TABLE stream_entry (
    ledger   BIGINT NOT NULL,
    id       BLOB NOT NULL,
    kind     TEXT NOT NULL,
    version  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (ledger, id, kind, version)
) WITHOUT ROWID;

INSERT INTO stream_entry (ledger, id, kind, version, position)
    SELECT s.ledger, s.id, s.kind, r.version, r.position FROM stream s JOIN stream_record r ON r.stream = s.no
    ORDER BY s.ledger, s.id, s.kind, r.version;

DROP TABLE stream_record;
DROP TABLE stream;
ALTER TABLE stream_entry RENAME TO stream_record;

-- The ledgers. Leaf, body and signature are the data; every other column is an index over them.
-- The records of a ledger are numbered without gaps, because whoever writes holds the ledger's row in `heads`.
-- A statement sees the ledgers that `keiin.scope` names ('*' = all), also as the tables' owner.

-- A row of size 0 is a ledger that does not exist: something to lock while the first record is written.
CREATE TABLE heads (
    ledger         UUID PRIMARY KEY,
    size           BIGINT NOT NULL,
    last_hash      BYTEA NOT NULL,
    last_time_us   BIGINT NOT NULL,
    last_append    UUID NOT NULL,
    generation     INT NOT NULL,
    signer         BYTEA NOT NULL,
    closed         BOOLEAN NOT NULL,
    bodies_dropped BOOLEAN NOT NULL DEFAULT FALSE
) WITH (fillfactor = 50);

-- `append_id` stands with the first record of an append, `signature` with the last one of a commit.
CREATE TABLE record (
    ledger         UUID NOT NULL,
    position       BIGINT NOT NULL,
    append_id      UUID,
    stream_id      UUID NOT NULL,
    stream_kind    TEXT COLLATE "C" NOT NULL,
    stream_version BIGINT NOT NULL,
    leaf           BYTEA NOT NULL,
    body           BYTEA,
    signature      BYTEA,
    PRIMARY KEY (ledger, position)
);
-- Sealed bytes do not get smaller.
ALTER TABLE record ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE UNIQUE INDEX record_append ON record (append_id, ledger) WHERE append_id IS NOT NULL;
CREATE UNIQUE INDEX record_stream ON record (ledger, stream_id, stream_kind, stream_version);

-- The planner shall take a ledger for the whole table, now and later: otherwise it may look a stream up by the primary
-- key, with the ledger alone. It believes statistics only, and makes none of an empty table.
ALTER TABLE record ALTER COLUMN ledger SET (n_distinct = 1);
INSERT INTO record VALUES ('00000000-0000-0000-0000-000000000000', 0, NULL, '00000000-0000-0000-0000-000000000000', 'a', 0, '', '', '');
ANALYZE record;
DELETE FROM record;

-- A cache.
CREATE TABLE tile (
    ledger UUID NOT NULL,
    level  SMALLINT NOT NULL,
    idx    BIGINT NOT NULL,
    hashes BYTEA NOT NULL,
    PRIMARY KEY (ledger, level, idx)
);
ALTER TABLE tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

ALTER TABLE heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE heads FORCE ROW LEVEL SECURITY;
ALTER TABLE record ENABLE ROW LEVEL SECURITY;
ALTER TABLE record FORCE ROW LEVEL SECURITY;
ALTER TABLE tile ENABLE ROW LEVEL SECURITY;
ALTER TABLE tile FORCE ROW LEVEL SECURITY;

-- The scope is read and taken apart once a statement, not once a row.
CREATE POLICY company ON heads USING (
    (SELECT current_setting('keiin.scope', TRUE)) = '*'
    OR ledger = ANY ((SELECT string_to_array(nullif(current_setting('keiin.scope', TRUE), '*'), ',')::UUID[])::UUID[]));
CREATE POLICY company ON record USING (
    (SELECT current_setting('keiin.scope', TRUE)) = '*'
    OR ledger = ANY ((SELECT string_to_array(nullif(current_setting('keiin.scope', TRUE), '*'), ',')::UUID[])::UUID[]));
CREATE POLICY company ON tile USING (
    (SELECT current_setting('keiin.scope', TRUE)) = '*'
    OR ledger = ANY ((SELECT string_to_array(nullif(current_setting('keiin.scope', TRUE), '*'), ',')::UUID[])::UUID[]));

-- Nothing is ever deleted, and of a record only the body may change: it goes when a closed ledger is emptied.
GRANT SELECT, INSERT, UPDATE ON heads TO keiin_app;
GRANT SELECT, INSERT, UPDATE (body) ON record TO keiin_app;
GRANT SELECT, INSERT, UPDATE ON tile TO keiin_app;

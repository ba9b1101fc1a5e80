-- What each ledger's last signed checkpoint said, apart from the log. Not part of a backup: it must be able to contradict
-- one. Shared by every node.

CREATE TABLE state (
    one              BIGINT PRIMARY KEY CHECK (one = 1),
    vault_generation BIGINT NOT NULL
);
INSERT INTO state (one, vault_generation) VALUES (1, 0);

-- The newest history of the log's database that was seen: a promotion raises its timeline.
CREATE TABLE history (
    system   BIGINT NOT NULL PRIMARY KEY,
    timeline BIGINT NOT NULL
);

CREATE TABLE anchor (
    ledger     BYTEA NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    head       BYTEA NOT NULL,
    root       BYTEA NOT NULL,
    checkpoint TEXT NOT NULL,
    -- Where a ledger that was moved to another deployment went: it takes nothing more here.
    moved_to   TEXT
);

-- Earlier checkpoints, the newest 10,000 of a ledger: an export may end at any of them.
CREATE TABLE checkpoint (
    ledger     BYTEA NOT NULL,
    generation BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    note       TEXT NOT NULL,
    PRIMARY KEY (ledger, generation, size)
);

DO $$
DECLARE
    name TEXT;
    scope TEXT := '(SELECT current_setting(''keiin.scope'', true))';
BEGIN
    FOREACH name IN ARRAY ARRAY['anchor', 'checkpoint'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY company ON %I USING (%2$s = ''*'' OR encode(ledger, ''hex'') = %2$s)', name, scope);
    END LOOP;
    GRANT SELECT, INSERT, UPDATE ON anchor, history TO keiin_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON checkpoint TO keiin_app;
    GRANT SELECT, UPDATE ON state TO keiin_app;
END $$;

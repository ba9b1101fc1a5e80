-- Keys and secrets, in a database of their own, never in the log's. Every key is wrapped, every value sealed:
-- docs/LOG-FORMAT.md, section 4. What is deleted is vacuumed as soon as the server gets to it.

CREATE TABLE vault (
    one        BIGINT PRIMARY KEY CHECK (one = 1),
    generation BIGINT NOT NULL,
    wipe_due   BIGINT NOT NULL
);
INSERT INTO vault (one, generation, wipe_due) VALUES (1, 0, 0);

CREATE TABLE tenant_root (
    ledger  BYTEA NOT NULL PRIMARY KEY,
    wrapped BYTEA NOT NULL
);

CREATE TABLE data_key (
    ledger  BYTEA NOT NULL,
    epoch   BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    PRIMARY KEY (ledger, epoch)
);

CREATE TABLE subject_key (
    ledger  BYTEA NOT NULL,
    subject BYTEA NOT NULL,
    version BIGINT NOT NULL,
    wrapped BYTEA NOT NULL,
    PRIMARY KEY (ledger, subject, version)
);

CREATE TABLE erased_subject (
    ledger  BYTEA NOT NULL,
    subject BYTEA NOT NULL,
    PRIMARY KEY (ledger, subject)
);

CREATE TABLE fingerprint (
    ledger      BYTEA NOT NULL,
    fingerprint BYTEA NOT NULL,
    subject     BYTEA NOT NULL,
    PRIMARY KEY (ledger, fingerprint)
);
CREATE INDEX fingerprint_subject ON fingerprint (ledger, subject);

CREATE TABLE entry (
    kind       TEXT NOT NULL,
    lookup     BYTEA NOT NULL,
    ledger     BYTEA NOT NULL,
    owner      BYTEA NOT NULL,
    value      BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    PRIMARY KEY (kind, lookup)
);
CREATE INDEX entry_owner ON entry (ledger, owner, kind);

DO $$
DECLARE
    name TEXT;
    scope TEXT := '(SELECT current_setting(''keiin.scope'', true))';
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant_root', 'data_key', 'subject_key', 'erased_subject', 'fingerprint', 'entry'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY company ON %I USING (%2$s = ''*'' OR encode(ledger, ''hex'') = %2$s)', name, scope);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO keiin_app', name);
        EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0)', name);
    END LOOP;
    GRANT SELECT, UPDATE ON vault TO keiin_app;
END $$;

-- What was tried of mails and messages to webhooks, and what waits: shared by nodes of all versions, or two of them would send
-- the same. Losing it loses back-off times and the list of messages.

CREATE TABLE effect_attempts (
    ledger   BYTEA NOT NULL,
    position BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at  BIGINT NOT NULL,
    PRIMARY KEY (ledger, position, n)
);
ALTER TABLE effect_attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE effect_attempts FORCE ROW LEVEL SECURITY;
CREATE POLICY company ON effect_attempts
    USING ((SELECT current_setting('keiin.scope', true)) = '*' OR encode(ledger, 'hex') = ANY ((SELECT string_to_array((SELECT current_setting('keiin.scope', true)), ','))::text[]))
    WITH CHECK ((SELECT current_setting('keiin.scope', true)) = '*' OR encode(ledger, 'hex') = ANY ((SELECT string_to_array((SELECT current_setting('keiin.scope', true)), ','))::text[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON effect_attempts TO keiin_app;

CREATE TABLE webhook_cursors (
    ledger        BYTEA NOT NULL,
    webhook_id    BYTEA NOT NULL,
    next          BIGINT NOT NULL,
    failing_since BIGINT,
    PRIMARY KEY (ledger, webhook_id)
);
ALTER TABLE webhook_cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_cursors FORCE ROW LEVEL SECURITY;
CREATE POLICY company ON webhook_cursors
    USING ((SELECT current_setting('keiin.scope', true)) = '*' OR encode(ledger, 'hex') = ANY ((SELECT string_to_array((SELECT current_setting('keiin.scope', true)), ','))::text[]))
    WITH CHECK ((SELECT current_setting('keiin.scope', true)) = '*' OR encode(ledger, 'hex') = ANY ((SELECT string_to_array((SELECT current_setting('keiin.scope', true)), ','))::text[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_cursors TO keiin_app;

CREATE TABLE webhook_deliveries (
    ledger     BYTEA NOT NULL,
    id         BYTEA NOT NULL,
    webhook_id BYTEA NOT NULL,
    position   BIGINT NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    status     TEXT COLLATE "C" NOT NULL,
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    queued_at  BIGINT NOT NULL,
    done_at    BIGINT,
    tries      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (ledger, id)
);
CREATE INDEX webhook_deliveries_0 ON webhook_deliveries (ledger, webhook_id, status, next_at);
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY company ON webhook_deliveries
    USING ((SELECT current_setting('keiin.scope', true)) = '*' OR encode(ledger, 'hex') = ANY ((SELECT string_to_array((SELECT current_setting('keiin.scope', true)), ','))::text[]))
    WITH CHECK ((SELECT current_setting('keiin.scope', true)) = '*' OR encode(ledger, 'hex') = ANY ((SELECT string_to_array((SELECT current_setting('keiin.scope', true)), ','))::text[]));
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_deliveries TO keiin_app;

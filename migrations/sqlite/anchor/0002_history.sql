-- The newest history of the log's database that was seen: a promotion raises its timeline.
CREATE TABLE history (
    system   BIGINT NOT NULL PRIMARY KEY,
    timeline BIGINT NOT NULL
);

-- Where a ledger that was moved to another deployment went: it takes nothing more here.
ALTER TABLE anchor ADD COLUMN moved_to TEXT;

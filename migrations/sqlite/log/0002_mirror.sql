-- How far a mirror has read its cluster; no row in a log of its own. `place` is the reader's.

CREATE TABLE mirror (
    no    INTEGER PRIMARY KEY CHECK (no = 1),
    place BLOB NOT NULL
);

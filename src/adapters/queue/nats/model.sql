-- What a copy of the state stream needs beside the tables of every store. A copy can always be made anew.

ALTER TABLE execution ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE execution ADD COLUMN session BLOB;
ALTER TABLE execution ADD COLUMN lease INTEGER;
-- Since when it waits again, in steady time; none before it was first claimed.
ALTER TABLE execution ADD COLUMN waits_since INTEGER;
-- The slot whose earlier attempt an event belongs to.
ALTER TABLE event ADD COLUMN slot TEXT;

-- What waits without a hint, oldest first.
CREATE INDEX execution_hinted ON execution (slot, needs_commands, coalesce(waits_since, accepted))
    WHERE status = 'queued';

-- Which stream this is a copy of, and how far it goes.
CREATE TABLE copy (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    stream  TEXT NOT NULL,
    applied INTEGER NOT NULL,
    -- The ledger's checkpoint: all removals up to this sequence are these.
    through INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0,
    -- The server's time when that record was applied, and the same moment in steady time.
    heard   INTEGER,
    steady  INTEGER
) STRICT;

-- The last records that were applied, by which the stream is known again.
CREATE TABLE taken (
    place    INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    subject  TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT;

-- Removals after the checkpoint.
CREATE TABLE removal (
    sequence INTEGER PRIMARY KEY,
    job_id   BLOB NOT NULL,
    -- How the job ended; none for one that was never stored.
    status   TEXT,
    at       INTEGER NOT NULL,
    key      TEXT
) STRICT;

-- Jobs about which something has to be written: their end, or the cancellation of their executions.
CREATE TABLE unsettled (
    job_id BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

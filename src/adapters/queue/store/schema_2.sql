-- Everything that is decided by time is decided in steady time (microseconds, see `steady_time.rs`); times of day remain
-- for people. The steady time of an older store begins as its time of day, so the old values are right.

CREATE TABLE steady_time (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    -- The start of the host that the uptime is counted from.
    boot   BLOB NOT NULL,
    uptime INTEGER NOT NULL,
    -- The same moment in steady time, and the time of day.
    steady INTEGER NOT NULL,
    wall   INTEGER NOT NULL
) STRICT;

ALTER TABLE job ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN ended INTEGER;
UPDATE job SET accepted = created_at, ended = finished_at;
DROP INDEX job_by_end;
CREATE INDEX job_by_end ON job (ended) WHERE ended IS NOT NULL;

ALTER TABLE execution RENAME COLUMN deadline_at TO expires;
ALTER TABLE execution ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE execution ADD COLUMN claimed INTEGER;
-- How long the latest attempt took, in microseconds.
ALTER TABLE execution ADD COLUMN ran INTEGER;
UPDATE execution SET
    accepted = (SELECT accepted FROM job WHERE id = job_id),
    claimed = started_at,
    ran = max(0, finished_at - started_at);
DROP INDEX execution_waiting;
CREATE INDEX execution_waiting ON execution (slot, accepted, job_id) WHERE status = 'queued';
DROP INDEX execution_oldest;
CREATE INDEX execution_oldest ON execution (accepted) WHERE status = 'queued';
DROP INDEX execution_running;
CREATE INDEX execution_running ON execution (claimed) WHERE status = 'running';

ALTER TABLE idempotency RENAME COLUMN created_at TO made;

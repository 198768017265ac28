-- Times are microseconds since 1970 in UTC, ids the 16 bytes of a version 7 UUID, words those of the API.

CREATE TABLE job (
    id                  BLOB NOT NULL PRIMARY KEY,
    operation           TEXT NOT NULL,
    data                TEXT,
    effect              TEXT NOT NULL,
    target              TEXT NOT NULL,
    status              TEXT NOT NULL,
    timeout             INTEGER NOT NULL,
    max_attempts        INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    started_at          INTEGER,
    finished_at         INTEGER,
    deadline_at         INTEGER NOT NULL,
    cancel_requested_at INTEGER,
    created_by          TEXT NOT NULL,
    retried_from        BLOB,
    bytes               INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Lists: newest first by each filter. Every index ends with the id, which is the key.
CREATE INDEX job_by_status ON job (status);
CREATE INDEX job_by_operation ON job (operation);
CREATE INDEX job_by_target ON job (target);
CREATE INDEX job_by_status_operation ON job (status, operation);
-- Retention: oldest end first.
CREATE INDEX job_by_end ON job (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE execution (
    id               INTEGER PRIMARY KEY,
    job_id           BLOB NOT NULL REFERENCES job (id),
    -- The host that it is meant for, or _any.
    slot             TEXT NOT NULL,
    -- The host that runs or ran it; the one that it is meant for until then.
    worker           TEXT,
    status           TEXT NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0,
    token            INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    needs_commands   INTEGER NOT NULL,
    deadline_at      INTEGER NOT NULL,
    started_at       INTEGER,
    finished_at      INTEGER,
    result           TEXT,
    error_kind       TEXT,
    error_message    TEXT,
    UNIQUE (job_id, slot)
) STRICT;

CREATE INDEX execution_waiting ON execution (slot, job_id) WHERE status = 'queued';
CREATE INDEX execution_oldest ON execution (job_id) WHERE status = 'queued';
CREATE INDEX execution_deadline ON execution (deadline_at) WHERE status = 'queued';
CREATE INDEX execution_running ON execution (started_at) WHERE status = 'running';
CREATE INDEX execution_by_worker ON execution (worker, job_id);

-- What happened to a job beyond what its rows say: earlier attempts.
CREATE TABLE event (
    id      INTEGER PRIMARY KEY,
    job_id  BLOB NOT NULL REFERENCES job (id),
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    worker  TEXT,
    message TEXT
) STRICT;
CREATE INDEX event_by_job ON event (job_id);

CREATE TABLE idempotency (
    subject     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    job_id      BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (subject, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Figures, changed in the transaction of what they count.
CREATE TABLE counter (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Hosts that the operator has told to claim nothing.
CREATE TABLE draining (
    hostname TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

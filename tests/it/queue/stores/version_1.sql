BEGIN TRANSACTION;
CREATE TABLE counter (
    name  TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "counter" VALUES('bytes',4529);
INSERT INTO "counter" VALUES('completed completed',2);
INSERT INTO "counter" VALUES('completed failed',1);
INSERT INTO "counter" VALUES('created',5);
INSERT INTO "counter" VALUES('depth',2);
INSERT INTO "counter" VALUES('jobs command.exec completed',1);
INSERT INTO "counter" VALUES('jobs command.exec failed',1);
INSERT INTO "counter" VALUES('jobs command.exec running',0);
INSERT INTO "counter" VALUES('jobs node.hostname.get completed',1);
INSERT INTO "counter" VALUES('jobs node.hostname.get running',0);
INSERT INTO "counter" VALUES('jobs node.load.get queued',2);
INSERT INTO "counter" VALUES('tokens',3);
CREATE TABLE draining (
    hostname TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
INSERT INTO "draining" VALUES('web-1');
CREATE TABLE event (
    id      INTEGER PRIMARY KEY,
    job_id  BLOB NOT NULL REFERENCES job (id),
    at      INTEGER NOT NULL,
    event   TEXT NOT NULL,
    worker  TEXT,
    message TEXT
) STRICT;
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
INSERT INTO "execution" VALUES(1,X'01A21E990FF17394B0D5FFCA49D66C1D','_any','web-1','completed',1,1,0,0,1795813277297842,1795809677297941,1795809677300422,'{"hostname":"web-1","labels":{}}',NULL,NULL);
INSERT INTO "execution" VALUES(2,X'01A21E991008756FA2419B99E4F9A3AE','web-1','web-1','failed',1,2,0,1,1795813277320997,1795809677321077,1795809677327976,'{"exit_code":1,"stdout":"","stdout_encoding":"utf8","stdout_truncated":false,"stderr":"","stderr_encoding":"utf8","stderr_truncated":false,"duration_seconds":0.000457452}','exit_status','the command exited with code 1');
INSERT INTO "execution" VALUES(3,X'01A21E99102175AE8EB4FD4FEAB8DD8A','web-1','web-1','completed',1,3,0,1,1795813277345314,1795809677345403,1795809678355545,'{"exit_code":0,"stdout":"","stdout_encoding":"utf8","stdout_truncated":false,"stderr":"","stderr_encoding":"utf8","stderr_truncated":false,"duration_seconds":1.001376364}',NULL,NULL);
INSERT INTO "execution" VALUES(4,X'01A21E99143C74A892D4F670C41AF372','web-1','web-1','queued',0,NULL,0,0,1795896078396046,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "execution" VALUES(5,X'01A21E99144B733BBBA3D162B7232335','_any',NULL,'queued',0,NULL,0,0,1795813278411419,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE idempotency (
    subject     TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    job_id      BLOB NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (subject, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('alice','k-1',X'279C433296055402A0D7BFA4667585C7',X'01A21E990FF17394B0D5FFCA49D66C1D',1795809677297842);
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
INSERT INTO "job" VALUES(X'01A21E990FF17394B0D5FFCA49D66C1D','node.hostname.get',NULL,'read','_any','completed',30000000,3,1795809677297842,1795809677297941,1795809677300422,1795813277297842,NULL,'alice',NULL,845);
INSERT INTO "job" VALUES(X'01A21E991008756FA2419B99E4F9A3AE','command.exec','{"command":["/bin/false"]}','at_most_once','web-1','failed',30000000,3,1795809677320997,1795809677321077,1795809677327976,1795813277320997,NULL,'alice',NULL,1041);
INSERT INTO "job" VALUES(X'01A21E99102175AE8EB4FD4FEAB8DD8A','command.exec','{"command":["/bin/sleep","1"]}','at_most_once','web-1','completed',30000000,3,1795809677345314,1795809677345403,1795809678355545,1795813277345314,NULL,'alice',NULL,1015);
INSERT INTO "job" VALUES(X'01A21E99143C74A892D4F670C41AF372','node.load.get',NULL,'read','web-1','queued',30000000,3,1795809678396046,NULL,NULL,1795896078396046,NULL,'alice',NULL,815);
INSERT INTO "job" VALUES(X'01A21E99144B733BBBA3D162B7232335','node.load.get',NULL,'read','_any','queued',30000000,3,1795809678411419,NULL,NULL,1795813278411419,NULL,'alice',NULL,813);
CREATE INDEX job_by_status ON job (status);
CREATE INDEX job_by_operation ON job (operation);
CREATE INDEX job_by_target ON job (target);
CREATE INDEX job_by_status_operation ON job (status, operation);
CREATE INDEX job_by_end ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX execution_waiting ON execution (slot, job_id) WHERE status = 'queued';
CREATE INDEX execution_oldest ON execution (job_id) WHERE status = 'queued';
CREATE INDEX execution_deadline ON execution (deadline_at) WHERE status = 'queued';
CREATE INDEX execution_running ON execution (started_at) WHERE status = 'running';
CREATE INDEX execution_by_worker ON execution (worker, job_id);
CREATE INDEX event_by_job ON event (job_id);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
COMMIT;
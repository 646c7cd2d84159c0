/**
 * The tables, as numbered migrations: only ever added to, never edited once landed.
 *
 * What keeps claim, list and card flat as the file grows: one small index of all live tasks, `(…, ended)` indexes for lists, which have the
 * id behind them (one ordered look-up per end), and counts that each event carries on. A commit costs what it writes, a page for each b-tree
 * that it touches: so no index of tasks has a column that changes at every transition, and what stands in one row for all stands in the
 * newest event.
 *
 * A process of the version before may have the file open while the next one changes it: what it still reads and writes stays as it is named.
 */
export interface Migration {
  /** From 1, without gaps; the file's user_version after it. */
  version: number
  sql: string
}

const FIRST = `
CREATE TABLE task (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  description TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('request', 'retry', 'rerun', 'refine', 'resume')),
  parent_id INTEGER REFERENCES task (id) ON DELETE SET NULL,
  after_id INTEGER REFERENCES task (id) ON DELETE SET NULL,
  status TEXT NOT NULL CHECK (
    status IN ('pending', 'planning', 'awaiting_approval', 'running', 'done', 'failed', 'cancelled')
  ),
  requester_platform TEXT NOT NULL,
  requester_scope TEXT NOT NULL,
  requester_user TEXT NOT NULL,
  requester_name TEXT NOT NULL,
  place_platform TEXT,
  place_key TEXT,
  place_thread INTEGER,
  place_channel TEXT,
  model TEXT,
  dedupe_key TEXT,
  round INTEGER NOT NULL DEFAULT 0,
  inputs TEXT NOT NULL DEFAULT '[]',
  inputs_ready INTEGER NOT NULL,
  -- 1 while the task in after_id has not ended.
  waits INTEGER NOT NULL DEFAULT 0,
  -- 1 once a step of the current round has begun.
  steps_begun INTEGER NOT NULL DEFAULT 0,
  queue_key INTEGER NOT NULL,
  lease_id TEXT,
  lease_worker TEXT,
  lease_until INTEGER,
  lease_ms INTEGER,
  cancel_by TEXT,
  phase TEXT,
  ending TEXT,
  redactions INTEGER NOT NULL DEFAULT 0,
  outputs TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  claimable INTEGER AS (
    lease_id IS NULL AND (
      (status = 'pending' AND inputs_ready = 1 AND waits = 0) OR (status = 'running' AND steps_begun = 0)
    )
  ) VIRTUAL
) STRICT;

CREATE INDEX task_claimable ON task (queue_key) WHERE claimable = 1;
CREATE INDEX task_leased ON task (lease_id) WHERE lease_id IS NOT NULL;
CREATE INDEX task_by_status ON task (status, id);
CREATE INDEX task_by_requester ON task (requester_platform, requester_user, status, id);
CREATE INDEX task_by_place ON task (place_platform, place_key, status, id) WHERE place_key IS NOT NULL;
CREATE INDEX task_open_in ON task (place_platform, place_channel) WHERE place_channel IS NOT NULL AND ended_at IS NULL;
CREATE INDEX task_by_parent ON task (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_after ON task (after_id) WHERE after_id IS NOT NULL;
CREATE INDEX task_inputs_waiting ON task (id) WHERE inputs_ready = 0 AND ended_at IS NULL;
CREATE INDEX task_ended ON task (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX task_dedupe ON task (dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TABLE status_count (status TEXT PRIMARY KEY, tasks INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO status_count VALUES
  ('pending', 0), ('planning', 0), ('awaiting_approval', 0), ('running', 0), ('done', 0), ('failed', 0), ('cancelled', 0);
CREATE TRIGGER task_counted AFTER INSERT ON task BEGIN
  UPDATE status_count SET tasks = tasks + 1 WHERE status = NEW.status;
END;
CREATE TRIGGER task_moved AFTER UPDATE OF status ON task WHEN OLD.status <> NEW.status BEGIN
  UPDATE status_count SET tasks = tasks - 1 WHERE status = OLD.status;
  UPDATE status_count SET tasks = tasks + 1 WHERE status = NEW.status;
END;
CREATE TRIGGER task_uncounted AFTER DELETE ON task BEGIN
  UPDATE status_count SET tasks = tasks - 1 WHERE status = OLD.status;
END;

-- One row: the queue key of the latest claim, which is the virtual time of start-time fair queueing.
CREATE TABLE queue (one INTEGER PRIMARY KEY CHECK (one = 1), virtual_time INTEGER NOT NULL) STRICT;
INSERT INTO queue VALUES (1, 0);

CREATE TABLE round (
  task_id INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  plan TEXT NOT NULL,
  author TEXT NOT NULL,
  verdict TEXT NOT NULL,
  hash TEXT NOT NULL,
  repair_of TEXT,
  planned_at INTEGER NOT NULL,
  PRIMARY KEY (task_id, number)
) STRICT;

CREATE TABLE step (
  task_id INTEGER NOT NULL,
  round INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'ended', 'skipped')),
  ending TEXT,
  started_at INTEGER,
  ended_at INTEGER,
  PRIMARY KEY (task_id, round, number),
  FOREIGN KEY (task_id, round) REFERENCES round (task_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE approval (
  task_id INTEGER NOT NULL,
  round INTEGER NOT NULL,
  hash TEXT NOT NULL,
  -- 1 while it can still be decided; a task that ends otherwise closes it without a decision.
  open INTEGER NOT NULL,
  requested_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  reminded_at INTEGER,
  decision TEXT CHECK (decision IN ('approved', 'rejected', 'expired', 'superseded')),
  decided_by TEXT,
  decided_at INTEGER,
  note TEXT,
  PRIMARY KEY (task_id, round),
  FOREIGN KEY (task_id, round) REFERENCES round (task_id, number) ON DELETE CASCADE
) STRICT;
CREATE INDEX approval_open ON approval (expires_at) WHERE open = 1;

CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  at INTEGER NOT NULL,
  body TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_task ON event (task_id, id);

CREATE TABLE delivery (
  task_id INTEGER PRIMARY KEY REFERENCES task (id) ON DELETE CASCADE,
  platform TEXT NOT NULL,
  cursor INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL DEFAULT 0,
  failure TEXT,
  settled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX delivery_unsettled ON delivery (platform, task_id) WHERE settled = 0 AND failure IS NULL;
CREATE INDEX delivery_failed ON delivery (task_id) WHERE failure IS NOT NULL;

CREATE TABLE message (
  task_id INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  ref TEXT,
  frame TEXT NOT NULL,
  posted_at INTEGER,
  PRIMARY KEY (task_id, role)
) STRICT, WITHOUT ROWID;

-- No reference to task: what was decided is kept when the task is not.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  platform TEXT NOT NULL,
  scope TEXT NOT NULL,
  channel_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  action TEXT NOT NULL,
  task_id INTEGER,
  allowed INTEGER NOT NULL,
  detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_task ON audit (task_id, id) WHERE task_id IS NOT NULL;

CREATE TABLE worker (
  id TEXT PRIMARY KEY,
  pid INTEGER NOT NULL,
  host TEXT NOT NULL,
  role TEXT NOT NULL,
  heartbeat_at INTEGER NOT NULL,
  slots INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE seen (key TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);
`

/** Nothing is marked as seen: a task's own key says that it came before. */
const SECOND = 'DROP TABLE seen;'

/**
 * Fewer pages for each commit.
 *
 * - A task keeps its place in the index of live tasks (`turn`: 0 it waits for somebody, 1 held, 2 its turn can come; what is claimed moves from
 *   the front of the claimable to the back of the held, which is the same page), and enters the lists of what has ended once.
 * - An event has the one before it of the same task, and the task its last: no index of events by task. No AUTOINCREMENT either, which is
 *   one more page: ids are given by the store and never a second time, as the newest event has the last of both.
 * - An event has where the queue stands after it: tasks by status, the queue key of the latest claim in turn (the virtual time of
 *   start-time fair queueing), the last task's id. Null in what older versions wrote. The newest event outlives its task.
 */
const THIRD = `
DROP TRIGGER task_counted;
DROP TRIGGER task_moved;
DROP TRIGGER task_uncounted;

CREATE TABLE task_next (
  id INTEGER PRIMARY KEY,
  description TEXT NOT NULL,
  -- Not IN (…), for which SQLite fills a table in memory at every write.
  kind TEXT NOT NULL CHECK (kind = 'request' OR kind = 'retry' OR kind = 'rerun' OR kind = 'refine' OR kind = 'resume'),
  parent_id INTEGER REFERENCES task (id) ON DELETE SET NULL,
  after_id INTEGER REFERENCES task (id) ON DELETE SET NULL,
  status TEXT NOT NULL CHECK (
    status = 'pending' OR status = 'planning' OR status = 'running' OR status = 'done' OR status = 'awaiting_approval' OR status = 'failed'
    OR status = 'cancelled'
  ),
  requester_platform TEXT NOT NULL,
  requester_scope TEXT NOT NULL,
  requester_user TEXT NOT NULL,
  requester_name TEXT NOT NULL,
  place_platform TEXT,
  place_key TEXT,
  place_thread INTEGER,
  place_channel TEXT,
  model TEXT,
  dedupe_key TEXT,
  round INTEGER NOT NULL DEFAULT 0,
  inputs TEXT NOT NULL DEFAULT '[]',
  inputs_ready INTEGER NOT NULL,
  -- 1 while the task in after_id has not ended.
  waits INTEGER NOT NULL DEFAULT 0,
  -- 1 once a step of the current round has begun.
  steps_begun INTEGER NOT NULL DEFAULT 0,
  queue_key INTEGER NOT NULL,
  lease_id TEXT,
  lease_worker TEXT,
  lease_until INTEGER,
  lease_ms INTEGER,
  cancel_by TEXT,
  phase TEXT,
  ending TEXT,
  redactions INTEGER NOT NULL DEFAULT 0,
  outputs TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  last_event INTEGER,
  claimable INTEGER AS (
    lease_id IS NULL AND (
      (status = 'pending' AND inputs_ready = 1 AND waits = 0) OR (status = 'running' AND steps_begun = 0)
    )
  ) VIRTUAL,
  turn INTEGER AS (CASE WHEN lease_id IS NOT NULL THEN 1 WHEN claimable THEN 2 ELSE 0 END) VIRTUAL,
  -- The status of a task that has ended, from the key of what is written then and at no other time.
  ended TEXT AS (
    CASE substr(ending, 1, 4) WHEN '{"an' THEN 'done' WHEN '{"fa' THEN 'failed' WHEN '{"ca' THEN 'cancelled' END
  ) VIRTUAL
) STRICT;
INSERT INTO task_next
SELECT id, description, kind, parent_id, after_id, status, requester_platform, requester_scope, requester_user, requester_name,
  place_platform, place_key, place_thread, place_channel, model, dedupe_key, round, inputs, inputs_ready, waits, steps_begun, queue_key,
  lease_id, lease_worker, lease_until, lease_ms, cancel_by, phase, ending, redactions, outputs, created_at, updated_at, started_at, ended_at,
  (SELECT max(e.id) FROM event e WHERE e.task_id = task.id)
FROM task ORDER BY id;

CREATE TABLE event_next (
  id INTEGER PRIMARY KEY,
  task_id INTEGER NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  before_id INTEGER,
  last_task INTEGER,
  virtual_time INTEGER,
  pending INTEGER,
  planning INTEGER,
  awaiting_approval INTEGER,
  running INTEGER,
  done INTEGER,
  failed INTEGER,
  cancelled INTEGER
) STRICT;
INSERT INTO event_next (id, task_id, at, body, before_id)
SELECT id, task_id, at, body, (SELECT max(b.id) FROM event b WHERE b.task_id = e.task_id AND b.id < e.id) FROM event e ORDER BY id;
-- Where the last event of all is gone with its task, or there never was one, another has its id.
INSERT OR IGNORE INTO event_next (id, task_id, at, body)
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0), 0, 0, '{}';
UPDATE event_next SET
  last_task = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'task'), 0),
  virtual_time = (SELECT virtual_time FROM queue),
  (pending, planning, awaiting_approval, running, done, failed, cancelled) = (
    SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'planning'),
      count(*) FILTER (WHERE status = 'awaiting_approval'), count(*) FILTER (WHERE status = 'running'),
      count(*) FILTER (WHERE status = 'done'), count(*) FILTER (WHERE status = 'failed'),
      count(*) FILTER (WHERE status = 'cancelled')
    FROM task
  )
WHERE id = (SELECT max(id) FROM event_next);

CREATE TABLE step_next (
  task_id INTEGER NOT NULL,
  round INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'running' OR state = 'ended' OR state = 'skipped'),
  ending TEXT,
  started_at INTEGER,
  ended_at INTEGER,
  PRIMARY KEY (task_id, round, number),
  FOREIGN KEY (task_id, round) REFERENCES round (task_id, number) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
INSERT INTO step_next SELECT * FROM step ORDER BY task_id, round, number;

DROP TABLE step;
DROP TABLE event;
DROP TABLE task;
DROP TABLE status_count;
ALTER TABLE step_next RENAME TO step;
ALTER TABLE event_next RENAME TO event;
ALTER TABLE task_next RENAME TO task;

CREATE INDEX task_live ON task (turn, queue_key) WHERE ended_at IS NULL;
CREATE INDEX task_by_end ON task (ended) WHERE ended IS NOT NULL;
CREATE INDEX task_by_requester ON task (requester_platform, requester_user, ended);
CREATE INDEX task_by_place ON task (place_platform, place_key, ended) WHERE place_key IS NOT NULL;
CREATE INDEX task_open_in ON task (place_platform, place_channel) WHERE place_channel IS NOT NULL AND ended_at IS NULL;
CREATE INDEX task_by_parent ON task (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_after ON task (after_id) WHERE after_id IS NOT NULL;
CREATE INDEX task_ended ON task (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX task_dedupe ON task (dedupe_key) WHERE dedupe_key IS NOT NULL;

CREATE TRIGGER task_removed AFTER DELETE ON task BEGIN
  DELETE FROM event WHERE id < (SELECT max(id) FROM event) AND id IN (
    WITH RECURSIVE own (id) AS (
      SELECT OLD.last_event UNION ALL SELECT e.before_id FROM own JOIN event e ON e.id = own.id WHERE e.before_id IS NOT NULL
    ) SELECT id FROM own
  );
  UPDATE event SET body = CASE task_id WHEN OLD.id THEN '{}' ELSE body END, before_id = CASE task_id WHEN OLD.id THEN NULL ELSE before_id END,
    pending = pending - (OLD.status = 'pending'), planning = planning - (OLD.status = 'planning'),
    awaiting_approval = awaiting_approval - (OLD.status = 'awaiting_approval'), running = running - (OLD.status = 'running'),
    done = done - (OLD.status = 'done'), failed = failed - (OLD.status = 'failed'), cancelled = cancelled - (OLD.status = 'cancelled')
  WHERE id = (SELECT max(id) FROM event);
END;

-- As the version before reads it; its table of the queue stays for it too.
CREATE VIEW status_count (status, tasks) AS
WITH newest AS (SELECT * FROM event WHERE pending IS NOT NULL ORDER BY id DESC LIMIT 1)
SELECT 'pending', pending FROM newest UNION ALL SELECT 'planning', planning FROM newest
UNION ALL SELECT 'awaiting_approval', awaiting_approval FROM newest UNION ALL SELECT 'running', running FROM newest
UNION ALL SELECT 'done', done FROM newest UNION ALL SELECT 'failed', failed FROM newest UNION ALL SELECT 'cancelled', cancelled FROM newest;
`

/** What is old is found by its id: an index by the time of the end is one more page for each. */
const FOURTH = 'DROP INDEX task_ended;'

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: FIRST },
  { version: 2, sql: SECOND },
  { version: 3, sql: THIRD },
  { version: 4, sql: FOURTH },
]

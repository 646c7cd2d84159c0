/** FastAPI as one tunes it, with the same table and page, where it is installed in a virtual environment of this folder. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startApiOn } from '../adapters/http/api.ts'
import { openRealApp } from '../adapters/real-app.ts'
import type { Bench, Figure, Result } from './figure.ts'
import { fillStore } from './growth.ts'
import { GET, load, OTHER_PAGES, POST } from './http.ts'
import { versus } from './measure.ts'
import { realClock, type Synchronous } from './stand.ts'

const NAME = 'FastAPI'
const PYTHON = join(import.meta.dirname, '.venv', 'bin', 'python')
const INSTALL = 'python3 -m venv test/bench/.venv && test/bench/.venv/bin/pip install -r test/bench/requirements.txt'
const TASKS = 10_000
const SECONDS = 1
const ROUNDS = 5

/**
 * Handlers in the event loop, one connection kept open, uvloop and httptools, no access log, rows as they are to a response model:
 * that is its quickest way, models made by hand take a tenth longer. /tasks answers four columns, /whole the fields of a task in our lists.
 */
const PROGRAM = `
import json, socket, sqlite3, sys, time
from datetime import datetime
from typing import Literal
import uvicorn
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field

db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.row_factory = sqlite3.Row
db.execute('PRAGMA journal_mode = WAL')
db.execute('PRAGMA synchronous = ' + sys.argv[3])
db.execute('CREATE TABLE task (id INTEGER PRIMARY KEY, description TEXT NOT NULL, status TEXT NOT NULL, at INTEGER NOT NULL)')
db.execute('CREATE TABLE event (id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL)')
db.execute("""WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
  INSERT INTO task (description, status, at) SELECT 'an old task with a description of some length', 'done', i FROM n""", (int(sys.argv[2]),))
db.execute("""CREATE TABLE whole (id INTEGER PRIMARY KEY, description TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL,
  parent_id INTEGER, after_id INTEGER, platform TEXT NOT NULL, user TEXT NOT NULL, name TEXT NOT NULL, model TEXT, round INTEGER NOT NULL,
  cancel_requested_by TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER)""")
db.execute("""INSERT INTO whole (description, kind, status, platform, user, name, round, created_at, updated_at, started_at, ended_at)
  SELECT description, 'request', status, 'slack', 'U0', 'x', 0, ms, ms, ms, ms + 9 FROM (SELECT *, 1700000000000 + at AS ms FROM task)""")
app = FastAPI()

class Task(BaseModel):
    id: int
    description: str
    status: str
    at: int

class Page(BaseModel):
    tasks: list[Task]

class Person(BaseModel):
    platform: str
    id: str
    name: str

class WholeTask(BaseModel):
    id: int
    description: str
    kind: Literal['request', 'retry', 'rerun', 'refine', 'resume']
    status: Literal['pending', 'planning', 'awaiting_approval', 'running', 'done', 'failed', 'cancelled']
    parent_id: int | None
    after_id: int | None
    requester: Person
    model: str | None
    round: int
    cancel_requested_by: Person | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

class WholePage(BaseModel):
    tasks: list[WholeTask]
    next_cursor: str | None

class NewTask(BaseModel):
    description: str = Field(min_length=1)

class Added(BaseModel):
    id: int
    description: str
    status: str

@app.get('/tasks', response_model=Page)
async def list_tasks(limit: int = Query(20, ge=1, le=200)):
    return {'tasks': [dict(row) for row in db.execute('SELECT * FROM task ORDER BY id DESC LIMIT ?', (limit,))]}

def whole_task(row):
    task = dict(row)
    task['requester'] = {'platform': row['platform'], 'id': row['user'], 'name': row['name']}
    if row['cancel_requested_by'] is not None:
        task['cancel_requested_by'] = json.loads(row['cancel_requested_by'])
    return task

@app.get('/whole', response_model=WholePage)
async def list_whole(limit: int = Query(20, ge=1, le=200)):
    rows = db.execute('SELECT * FROM whole ORDER BY id DESC LIMIT ?', (limit + 1,)).fetchall()
    next_cursor = str(rows[limit - 1]['id']) if len(rows) > limit else None
    return {'tasks': [whole_task(row) for row in rows[:limit]], 'next_cursor': next_cursor}

@app.post('/tasks', status_code=201)
async def add_task(task: NewTask) -> Added:
    now = int(time.time() * 1000)
    db.execute('BEGIN')
    id = db.execute("INSERT INTO task (description, status, at) VALUES (?, 'pending', ?)", (task.description, now)).lastrowid
    db.execute('INSERT INTO event (task_id, at, body) VALUES (?, ?, ?)', (id, now, '{"kind":"submitted"}'))
    db.execute('COMMIT')
    return Added(id=id, description=task.description, status='pending')

@app.post('/whole', status_code=201)
async def add_whole(task: NewTask) -> WholeTask:
    now = int(time.time() * 1000)
    db.execute('BEGIN')
    row = db.execute("""INSERT INTO whole (description, kind, status, platform, user, name, round, created_at, updated_at)
      VALUES (?, 'request', 'pending', 'api', 'local', 'x', 0, ?, ?) RETURNING *""", (task.description, now, now)).fetchone()
    db.execute('INSERT INTO event (task_id, at, body) VALUES (?, ?, ?)', (row['id'], now, '{"kind":"submitted"}'))
    db.execute('COMMIT')
    return WholeTask(**whole_task(row))

listening = socket.create_server(('127.0.0.1', 0), backlog=128)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(app, loop='uvloop', http='httptools', log_level='error', access_log=False)
uvicorn.Server(config).run([listening])
`

interface Theirs {
  port: number
  /** Where it is asked otherwise than ours. */
  request?: string
}

export const bench: Bench = { run: besideFastApi }

async function besideFastApi(): Promise<readonly Result[]> {
  if (!existsSync(PYTHON)) return [{ name: NAME, skipped: `not installed: ${INSTALL}` }]
  await using app = await openRealApp()
  fillStore(join(app.home, 'tasks.db'), TASKS)
  await using api = await startApiOn(app.inbox, {
    clock: realClock,
    limits: { requestsPerMinute: Number.MAX_SAFE_INTEGER },
  })
  // Ours has on disk what it acknowledges. So has theirs; the third row is without, which they may prefer.
  await using durable = await startFastApi(join(app.home, 'durable.db'), 'full')
  await using quick = await startFastApi(join(app.home, 'quick.db'), 'normal')
  const port = Number(new URL(api.url).port)
  const peer = versionedName()
  const compare = (name: string, request: string, theirs: Theirs): Promise<Figure> =>
    versus({
      name,
      unit: '/s',
      rounds: ROUNDS,
      ours: async () => (await load({ port, request, seconds: SECONDS })).rate,
      peer: { name: peer, measure: async () => (await load({ request, ...theirs, seconds: SECONDS })).rate },
    })
  const goal = { of: 'ratio', atLeast: 4 } as const
  const whole = (request: string) => ({ port: durable.port, request: request.replace('/tasks', '/whole') })
  return [
    { ...(await compare('GET /tasks (20)', GET, whole(GET))), goal, note: 'both the same fields' },
    {
      ...(await compare('GET /tasks (20), another page each time', OTHER_PAGES, whole(OTHER_PAGES))),
      note: 'the same',
    },
    { ...(await compare('GET /tasks (20)', GET, durable)), note: 'ours fourteen fields, theirs four columns' },
    { ...(await compare('POST /tasks', POST, whole(POST))), goal, note: 'both on disk, the same fields' },
    { ...(await compare('POST /tasks', POST, durable)), note: 'both on disk, theirs answers three fields' },
    { ...(await compare('POST /tasks', POST, quick)), note: 'ours on disk, theirs not yet' },
  ]
}

/** Old ones are several times slower. */
function versionedName(): string {
  const { stdout } = spawnSync(PYTHON, ['-c', 'import fastapi; print(fastapi.__version__)'], { encoding: 'utf8' })
  return `${NAME} ${stdout.trim()}`
}

async function startFastApi(file: string, synchronous: Synchronous): Promise<Theirs & AsyncDisposable> {
  const child = spawn(PYTHON, ['-c', PROGRAM, file, String(TASKS), synchronous], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const told = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next()
  return {
    port: Number(told.value),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

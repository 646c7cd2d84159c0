/** FastAPI as one tunes it, with the same table and page, where it is installed in a virtual environment of this folder. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startApiOn } from '../adapters/http/api.ts'
import { openRealApp } from '../adapters/real-app.ts'
import type { Figure, Result } from './figure.ts'
import { fillStore } from './growth.ts'
import { GET, load, POST } from './http.ts'
import { versus } from './measure.ts'
import { realClock, type Synchronous } from './stand.ts'

const NAME = 'FastAPI'
const PYTHON = join(import.meta.dirname, '.venv', 'bin', 'python')
const INSTALL = 'python3 -m venv test/bench/.venv && test/bench/.venv/bin/pip install -r test/bench/requirements.txt'
const TASKS = 10_000
const SECONDS = 1
const ROUNDS = 5

/** Handlers in the event loop, one connection kept open, uvloop and httptools, no access log. */
const PROGRAM = `
import socket, sqlite3, sys, time
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
app = FastAPI()

class Task(BaseModel):
    id: int
    description: str
    status: str
    at: int

class Page(BaseModel):
    tasks: list[Task]

class NewTask(BaseModel):
    description: str = Field(min_length=1)

class Added(BaseModel):
    id: int
    description: str
    status: str

@app.get('/tasks')
async def list_tasks(limit: int = Query(20, ge=1, le=200)) -> Page:
    return Page(tasks=[Task(**row) for row in db.execute('SELECT * FROM task ORDER BY id DESC LIMIT ?', (limit,))])

@app.post('/tasks', status_code=201)
async def add_task(task: NewTask) -> Added:
    now = int(time.time() * 1000)
    db.execute('BEGIN')
    id = db.execute("INSERT INTO task (description, status, at) VALUES (?, 'pending', ?)", (task.description, now)).lastrowid
    db.execute('INSERT INTO event (task_id, at, body) VALUES (?, ?, ?)', (id, now, '{"kind":"submitted"}'))
    db.execute('COMMIT')
    return Added(id=id, description=task.description, status='pending')

listening = socket.create_server(('127.0.0.1', 0), backlog=128)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(app, loop='uvloop', http='httptools', log_level='error', access_log=False)
uvicorn.Server(config).run([listening])
`

export async function besideFastApi(): Promise<readonly Result[]> {
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
  const compare = (name: string, request: string, theirs: number): Promise<Figure> =>
    versus({
      name,
      unit: '/s',
      rounds: ROUNDS,
      ours: async () => (await load({ port, request, seconds: SECONDS })).rate,
      peer: { name: NAME, measure: async () => (await load({ port: theirs, request, seconds: SECONDS })).rate },
    })
  const goal = { of: 'ratio', atLeast: 4 } as const
  return [
    { ...(await compare('GET /tasks (20)', GET, durable.port)), goal },
    { ...(await compare('POST /tasks', POST, durable.port)), goal, note: 'both on disk' },
    { ...(await compare('POST /tasks', POST, quick.port)), note: 'ours on disk, theirs not yet' },
  ]
}

async function startFastApi(file: string, synchronous: Synchronous): Promise<{ port: number } & AsyncDisposable> {
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

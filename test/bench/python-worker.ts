/** A worker as one writes it first: Python, SQLite, a look each second, a shell for each command, no sandbox. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Skipped } from './figure.ts'

const PROGRAM = `
import json, sqlite3, subprocess, sys, time, urllib.request
db = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
db.execute('PRAGMA journal_mode = WAL')
db.execute("CREATE TABLE IF NOT EXISTS job (id INTEGER PRIMARY KEY, description TEXT, status TEXT, result TEXT)")
chat = json.loads(sys.argv[3])

def ask(url, body, token=''):
    headers = {'content-type': 'application/json', 'authorization': 'Bearer ' + token}
    return urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)).read().decode()

def run_plan(text):
    reply = ask(chat['model'], {'model': 'bench', 'messages': [{'role': 'user', 'content': text}]})
    plan = json.loads(''.join(json.loads(line)['message']['content'] for line in reply.splitlines()))
    printed = ''
    for command in plan['commands']:
        printed += subprocess.run(command, shell=True, capture_output=True, text=True, cwd=sys.argv[2]).stdout
    ask(chat['post'], {'channel': 'C0BUILDS', 'text': printed}, chat['token'])
    return printed

print('ready', flush=True)
while True:
    row = db.execute("SELECT id, description FROM job WHERE status = 'pending' ORDER BY id LIMIT 1").fetchone()
    if row is None:
        time.sleep(1)
        continue
    db.execute("UPDATE job SET status = 'running' WHERE id = ?", (row[0],))
    printed = ''
    if chat:
        printed = run_plan(row[1])
    db.execute("UPDATE job SET status = 'done', result = ? WHERE id = ?", (printed, row[0]))
    print(row[0], flush=True)
`

export interface PythonWorker extends AsyncDisposable {
  /** Settles when the next job is done. */
  heard(): Promise<void>
}

/** Where it asks for a plan, and where it tells the result. */
export interface PythonChat {
  model: string
  post: string
  token: string
}

/** Jobs are rows of the table `job`; without a chat they are only taken. */
export async function startPythonPoller(
  file: string,
  folder = '/tmp',
  chat: PythonChat | null = null,
): Promise<PythonWorker | Skipped> {
  if (spawnSync('python3', ['-c', 'import sqlite3']).status !== 0) {
    return { name: 'a Python worker that polls', skipped: 'python3 is not here: apt-get install python3' }
  }
  const child = spawn('python3', ['-c', PROGRAM, file, folder, JSON.stringify(chat)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    heard: async () => void (await lines.next()),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

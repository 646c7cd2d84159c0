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
print('ready', flush=True)
while True:
    row = db.execute("SELECT id, description FROM job WHERE status = 'pending' ORDER BY id LIMIT 1").fetchone()
    if row is None:
        time.sleep(1)
        continue
    db.execute("UPDATE job SET status = 'running' WHERE id = ?", (row[0],))
    printed = ''
    for command in json.loads(row[1]) if row[1].startswith('[') else []:
        printed += subprocess.run(command, shell=True, capture_output=True, text=True, cwd=sys.argv[2]).stdout
    db.execute("UPDATE job SET status = 'done', result = ? WHERE id = ?", (printed, row[0]))
    print(row[0], flush=True)
`

export interface PythonWorker extends AsyncDisposable {
  /** Settles when the next job is done. */
  heard(): Promise<void>
}

/** Jobs are rows of the table \`job\`; a description that is a JSON list is run, command by command. */
export async function startPythonPoller(file: string, folder = '/tmp'): Promise<PythonWorker | Skipped> {
  if (spawnSync('python3', ['-c', 'import sqlite3']).status !== 0) {
    return { name: 'a Python worker that polls', skipped: 'python3 is not here: apt-get install python3' }
  }
  const child = spawn('python3', ['-c', PROGRAM, file, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
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

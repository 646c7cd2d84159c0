/** Servers that peers need, on a folder of their own under a socket in it, ended with the bench. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Folder, temporaryFolder } from './stand.ts'

export interface PeerServer extends AsyncDisposable {
  /** Of Redis the socket, of Postgres a connection string. */
  address: string
}

/** With its own settings, which keep nothing on disk between snapshots. Undefined where it is not installed. */
export async function startRedis(): Promise<PeerServer | undefined> {
  const [program] = programs('redis-server')
  if (program === undefined) return undefined
  const folder = temporaryFolder()
  const socket = join(folder.path, 'redis.sock')
  const server = { program, args: ['--port', '0', '--unixsocket', socket, '--dir', folder.path] }
  return await startServer(server, { folder, address: socket, ready: /ready to accept connections/ })
}

/** A commit is not awaited on disk, as with SQLite's NORMAL. Undefined where it is not installed. */
export async function startPostgres(): Promise<PeerServer | undefined> {
  const [program] = programs('postgres')
  const [initdb] = programs('initdb')
  if (program === undefined || initdb === undefined) return undefined
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  const user = serverUser()
  if (user !== undefined) chownSync(folder.path, user.uid, user.gid)
  execFileSync(initdb, ['-D', data, '-U', 'bench', '--auth=trust', '--no-sync'], { ...user, stdio: 'ignore', cwd: '/' })
  const args = ['-D', data, '-k', folder.path, '-c', 'listen_addresses=', '-c', 'synchronous_commit=off']
  const address = `postgres://bench@localhost/postgres?host=${encodeURIComponent(folder.path)}`
  return await startServer({ program, args, user }, { folder, address, ready: /ready to accept connections/ })
}

interface Program {
  program: string
  args: readonly string[]
  user?: { uid: number; gid: number } | undefined
}

async function startServer(
  { program, args, user }: Program,
  { folder, address, ready }: { folder: Folder; address: string; ready: RegExp },
): Promise<PeerServer> {
  const child = spawn(program, args, { ...user, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' })
  const exited = once(child, 'exit')
  // Also when the bench breaks: nothing else would end it.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const told = Promise.withResolvers<void>()
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => ready.test(line) && told.resolve())
  }
  await Promise.race([told.promise, exited.then(() => Promise.reject(new Error(`${program} did not start`)))])
  return {
    address,
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT')
      await exited
      process.off('exit', kill)
      folder[Symbol.dispose]()
    },
  }
}

function programs(name: string): string[] {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...globSync('/usr/lib/postgresql/*/bin')]
  return folders.flatMap((folder) => globSync(join(folder, name)))
}

/** Postgres refuses to run as root; its package makes a user for it. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (what: string): number => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

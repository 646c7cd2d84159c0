/** The real program on a disk that is full, a store that cannot be used, and folders that vanish: a clear sentence, and it goes on when it can. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { gateOf, type Home, run, UNTIL_REMOVED } from '../e2e/program.ts'
import { homeWithApi, startReady } from './fixture-home.ts'
import { openLook } from './look.ts'
import { processesWith } from './processes.ts'

const isRoot = process.getuid?.() === 0
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

interface SmallDisk extends Disposable {
  folder: string
  fill(): void
  free(): void
  remount(mode: 'ro' | 'rw'): void
}

function smallDisk(megabytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-disk-'))
  execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder])
  const filler = join(folder, 'filler')
  return {
    folder,
    fill() {
      const descriptor = openSync(filler, 'w')
      const block = Buffer.alloc(4096)
      try {
        for (;;) writeSync(descriptor, block)
      } catch {
        // Full, which was the aim.
      } finally {
        closeSync(descriptor)
      }
    },
    free: () => rmSync(filler, { force: true }),
    remount: (mode) => void execFileSync('/bin/mount', ['-o', `remount,${mode}`, folder]),
    [Symbol.dispose]() {
      execFileSync('/bin/umount', ['-l', folder])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A home in which one task has been done. */
async function usedHome(): Promise<Home> {
  const { home } = await homeWithApi()
  await run(home, ['run', '!echo first'])
  return home
}

describe.runIf(isRoot)('a disk that is full', () => {
  it('is told to whoever asks and by the task; when there is room again, work goes on', async () => {
    // Below 256 MB of free space no task may write.
    using disk = smallDisk(300)
    const { home, api } = await homeWithApi({ ASSISTANT_HOME: disk.folder, ASSISTANT_LEASE: '4 s' })
    using _home = home
    await using program = await startReady({ ...home, folder: disk.folder })
    const mark = `full${process.pid}`
    const before = await api.submit(`!sh -c '${UNTIL_REMOVED}; head -c 100000 /dev/zero > some.bin; : ${mark}'; echo x`)
    const gate = gateOf({ ...home, folder: disk.folder }, before.id)
    await expect.poll(() => existsSync(gate)).toBe(true)
    disk.fill()
    const asked: { status: number; id: number }[] = []
    const isRefused = async () => {
      asked.push(...(await Promise.all(Array.from({ length: 20 }, () => api.submit(`!echo ${'x'.repeat(8000)}`)))))
      return asked.some(({ status }) => status >= 500)
    }
    // The first may find room in what the store had taken before.
    await expect.poll(isRefused).toBe(true)
    rmSync(gate)
    await expect.poll(() => processesWith(mark)).toEqual([])
    disk.free()
    const { id, status } = await api.submit('!echo there is room')
    expect(status).toBe(201)
    expect((await api.until(id, 'done')).status).toBe('done')
    // What was refused is nowhere, what was accepted ends.
    await api.until(before.id, 'done', 'failed')
    const accepted = asked.filter((each) => each.status === 201)
    for (const each of accepted) await api.until(each.id, 'done', 'failed')
    expect(program.child.exitCode).toBeNull()
    program.child.kill('SIGTERM')
    expect((await program.ended).code).toBe(0)
    using look = openLook(disk.folder)
    expect(look?.faults()).toEqual([])
    expect(look?.tasks()).toHaveLength(accepted.length + 2)
  })

  it('at start is one sentence and exit code 2', async () => {
    using disk = smallDisk(1)
    const { home } = await homeWithApi({ ASSISTANT_HOME: disk.folder })
    using _home = home
    disk.fill()
    const { code, stderr } = await run({ ...home, folder: disk.folder }, ['start'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/full|space/i)
    expect(stderr).not.toContain('    at ')
  })

  it("for the program's own log costs log lines, not tasks", async () => {
    const { home, api } = await homeWithApi()
    using _home = home
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [main, 'start'], { env: home.environment, stdio: ['ignore', full, full] })
    closeSync(full)
    const exited = once(child, 'exit')
    try {
      await expect
        .poll(() =>
          api.submit('!echo unlogged').then(
            ({ status }) => status,
            () => 0,
          ),
        )
        .toBe(201)
      await api.until(1, 'done')
      expect(child.exitCode).toBeNull()
      child.kill('SIGTERM')
      expect((await exited)[0]).toBe(0)
    } finally {
      child.kill('SIGKILL')
    }
  })
})

/** All but the first page, which says what kind of file it is: whoever has it open reads the others anew once somebody has written. */
function damage({ folder }: Home): void {
  const file = join(folder, 'tasks.db')
  const descriptor = openSync(file, 'r+')
  const size = statSync(file).size
  writeSync(descriptor, Buffer.alloc(size - 4096, 0xaa), 0, size - 4096, 4096)
  closeSync(descriptor)
}

/** As the README says. */
function putBack({ folder }: Home, copy: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(join(folder, `tasks.db${end}`), { force: true })
  writeFileSync(join(folder, 'tasks.db'), readFileSync(copy), { mode: 0o600 })
}

describe('a store that cannot be used', () => {
  async function expectRefusal(home: Home, sentence: RegExp): Promise<void> {
    const before = readFileSync(join(home.folder, 'tasks.db'))
    for (const args of [['start'], ['list']]) {
      const { code, stderr } = await run(home, args)
      expect({ args, code, stderr }).toEqual({ args, code: 2, stderr: expect.stringMatching(sentence) })
      expect(stderr).toContain('→')
      expect(stderr).not.toContain('    at ')
    }
    expect(readFileSync(join(home.folder, 'tasks.db')).equals(before)).toBe(true)
  }

  it('because it is damaged', async () => {
    using home = await usedHome()
    damage(home)
    await expectRefusal(home, /damaged/)
  })

  it('because it was damaged while the program ran: it says so and what to do, ends its tasks, and is not on again until a copy is put back', async () => {
    const { home, api } = await homeWithApi({ ASSISTANT_LEASE: '1 s' })
    using _home = home
    await run(home, ['run', '!echo first'])
    const copy = join(home.folder, 'copy.db')
    expect((await run(home, ['backup', copy])).code).toBe(0)
    {
      await using program = await startReady(home)
      const mark = `damaged${process.pid}`
      const { id } = await api.submit(`!sh -c '${UNTIL_REMOVED}; : ${mark}'`)
      await expect.poll(() => existsSync(gateOf(home, id))).toBe(true)
      const before = program.output().stdout.split('\n').length
      damage(home)
      rmSync(gateOf(home, id))
      await expect.poll(() => api.submit('!echo x').then(({ status }) => status)).toBe(503)
      expect((await fetch(`http://127.0.0.1:${api.port}/readyz`)).status).toBe(503)
      await expect.poll(() => processesWith(mark)).toEqual([])
      // Some heartbeats: nothing may be said with each of them for ever. A slow machine only makes fewer.
      await new Promise((resolve) => setTimeout(resolve, 3000))
      const said = program.output().stdout.split('\n').slice(before)
      expect(said.join('\n')).toMatch(/The store is damaged\. Stop the program, move the file away, and put a copy /)
      expect(said.length).toBeLessThan(20)
      expect(program.child.exitCode).toBeNull()
      program.child.kill('SIGTERM')
      expect((await program.ended).code).toBe(0)
    }
    await expectRefusal(home, /damaged/)
    putBack(home, copy)
    await using again = await startReady(home)
    expect((await api.until(1, 'done')).description).toBe('!echo first')
    expect(again.child.exitCode).toBeNull()
  })

  it('because a newer version wrote it', async () => {
    using home = await usedHome()
    const db = new DatabaseSync(join(home.folder, 'tasks.db'))
    db.exec(
      'PRAGMA user_version = 999; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; PRAGMA journal_mode = WAL',
    )
    db.close()
    await expectRefusal(home, /newer version/)
  })

  it('because another program holds it; while it runs, it waits and goes on', async () => {
    const { home, api } = await homeWithApi()
    using _home = home
    await using program = await startReady(home)
    // The program may be writing just now: this one waits for its turn, as any other would.
    const db = new DatabaseSync(join(home.folder, 'tasks.db'), { timeout: 10_000 })
    db.exec('BEGIN IMMEDIATE')
    const submitted = api.submit('!echo patience')
    // Much less than it waits.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    db.exec('COMMIT')
    db.close()
    const { id, status } = await submitted
    expect(status).toBe(201)
    await api.until(id, 'done')
    expect(program.child.exitCode).toBeNull()
  })

  it.runIf(isRoot)('because it is read-only', async () => {
    using disk = smallDisk(24)
    const { home } = await homeWithApi({ ASSISTANT_HOME: disk.folder })
    using _home = home
    await run({ ...home, folder: disk.folder }, ['run', '!echo first'])
    disk.remount('ro')
    const { code, stderr } = await run({ ...home, folder: disk.folder }, ['start'])
    disk.remount('rw')
    expect(code).toBe(2)
    expect(stderr).toMatch(/written|read-only/i)
    expect(stderr).not.toContain('    at ')
  })
})

describe('folders that vanish', () => {
  it('the tasks folder, under a running task: that task fails with the reason, the next one works', async () => {
    const { home, api } = await homeWithApi()
    using _home = home
    await using program = await startReady(home)
    const mark = `vanished${process.pid}`
    const { id } = await api.submit(`!echo begun; sh -c '${UNTIL_REMOVED}; : ${mark}'\n!echo more > file.txt`)
    await expect.poll(() => processesWith(mark).length).toBeGreaterThan(0)
    rmSync(join(home.folder, 'tasks'), { recursive: true, force: true, maxRetries: 20 })
    const ended = await api.until(id, 'failed', 'done')
    expect(JSON.stringify(ended)).toContain('workspace_lost')
    const next = await api.submit('!echo again > file.txt')
    expect((await api.until(next.id, 'done', 'failed')).status).toBe('done')
    expect(program.child.exitCode).toBeNull()
  })

  it("a task's log folder: what it prints is lost, the program is not", async () => {
    const { home, api } = await homeWithApi()
    using _home = home
    await using program = await startReady(home)
    const { id } = await api.submit(`!echo begun; ${UNTIL_REMOVED}\n!seq 1 5`)
    const folder = join(home.folder, 'tasks', `task-${id}`)
    await expect.poll(() => existsSync(join(folder, 'log')) && existsSync(gateOf(home, id))).toBe(true)
    rmSync(join(folder, 'log'), { recursive: true, force: true, maxRetries: 20 })
    rmSync(gateOf(home, id))
    expect(['done', 'failed']).toContain((await api.until(id, 'done', 'failed')).status)
    const next = await api.submit('!echo again')
    expect((await api.until(next.id, 'done', 'failed')).status).toBe('done')
    expect(program.child.exitCode).toBeNull()
  })
})

describe('a backup', () => {
  it('is made while the program works, and put back as the README says', async () => {
    const { home, api } = await homeWithApi({ ASSISTANT_LEASE: '4 s' })
    using _home = home
    const copy = join(home.folder, 'copies', 'tasks-copy.db')
    mkdirSync(join(home.folder, 'copies'))
    {
      await using program = await startReady(home)
      for (let count = 0; count < 5; count += 1) await api.submit(`!echo ${count} > out.txt`)
      expect((await run(home, ['backup', copy])).code).toBe(0)
      const after = await api.submit('!echo after the copy > late.txt')
      await api.until(after.id, 'done')
      program.child.kill('SIGTERM')
      await program.ended
    }
    putBack(home, copy)
    await using program = await startReady(home)
    for (let id = 1; id <= 5; id += 1) expect((await api.until(id, 'done', 'failed')).description).toContain('out.txt')
    // The task that the copy does not know: its number is given again, its files are not.
    const again = await api.submit('!ls')
    expect(again.id).toBe(6)
    await api.until(6, 'done')
    expect(existsSync(join(home.folder, 'tasks', 'task-6', 'work', 'late.txt'))).toBe(false)
    expect(program.child.exitCode).toBeNull()
  })
})

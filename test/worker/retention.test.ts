import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startMaintenance } from '../../src/worker/maintenance.ts'
import { createRetention, type RetentionOptions } from '../../src/worker/retention.ts'
import { type Assembly, assemble, person } from '../fakes/assembly.ts'

const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const HOUR = 3_600_000

async function finished(app: Assembly, text: string): Promise<number> {
  const { id } = await app.ask(text)
  await app.until(id)
  return id
}

function retentionOf(app: Assembly, options: Partial<RetentionOptions>) {
  const { store, workspace, clock } = app
  return createRetention({
    store,
    workspace,
    clock,
    logger: QUIET,
    keepMs: null,
    diskBytes: null,
    chats: [],
    ...options,
  })
}

describe('retention', () => {
  it('removes row, folder and log of what ended long ago, and nothing younger', async () => {
    await using app = await assemble()
    await app.startWorker()
    const old = await finished(app, '!echo old > a.txt')
    app.clock.advance(HOUR)
    const young = await finished(app, '!echo young > a.txt')
    await retentionOf(app, { keepMs: HOUR / 2 }).removeOld()
    expect(await app.store.get(old)).toBeUndefined()
    expect(await app.workspace.exists(old)).toBe(false)
    expect((await app.store.get(young))?.status).toBe('done')
    expect(await app.workspace.exists(young)).toBe(true)
  })

  it('keeps what nobody was told of for as long as anything else, then removes it with a record', async () => {
    await using app = await assemble()
    const { store, clock } = app
    const place = { platform: 'discord', channelId: 'C9', key: 'G1/C9', thread: false } as const
    const request = { actor: person('U1'), text: '!true', place, attachments: [], dedupeKey: null, model: null }
    const outcome = await app.inbox.submit(request)
    const id = outcome.kind === 'created' ? outcome.task.id : 0
    await app.startWorker()
    await app.until(id, 'done')
    clock.advance(2 * HOUR)
    await retentionOf(app, { diskBytes: 0 }).keepBudget()
    await retentionOf(app, { keepMs: 3 * HOUR }).removeOld()
    expect(await store.delivery(id)).toMatchObject({ settled: false, failure: null })
    // One that is on may be down for longer than that.
    await retentionOf(app, { keepMs: HOUR, chats: ['slack', 'discord'] }).removeOld()
    expect(await store.delivery(id)).toMatchObject({ settled: false, failure: null })
    await retentionOf(app, { keepMs: HOUR, chats: ['slack'] }).removeOld()
    expect(await store.get(id)).toBeUndefined()
    expect(await app.workspace.exists(id)).toBe(false)
    const trail = await store.listAudit({ taskId: id, limit: 10 })
    expect(trail).toMatchObject([
      {
        ...{ action: 'untold', detail: 'Its chat is switched off: what was still to be told there never was.' },
        actor: { platform: 'discord', channelId: 'C9', name: 'retention' },
      },
    ])
  })

  it('removes the oldest of what has ended when all together take too much, and leaves what ended just now', async () => {
    await using app = await assemble()
    await app.startWorker()
    const first = await finished(app, '!head -c 300000 /dev/zero > a.bin')
    const second = await finished(app, '!head -c 300000 /dev/zero > a.bin')
    app.clock.advance(2 * HOUR)
    const justNow = await finished(app, '!head -c 300000 /dev/zero > a.bin')
    const retention = retentionOf(app, { diskBytes: 700_000 })
    await retention.keepBudget()
    expect(await app.store.get(first)).toBeUndefined()
    expect(await app.store.get(second)).toBeDefined()
    await retentionOf(app, { diskBytes: 1 }).keepBudget()
    expect(await app.store.get(second)).toBeUndefined()
    expect(await app.workspace.exists(justNow)).toBe(true)
  })

  it('keeps aside folders that belong to no task, so that no later task finds them as its own and no file of anybody is lost', async () => {
    await using app = await assemble()
    const next = (await app.ask('!true')).id + 1
    const left = join(app.folder, 'tasks', `task-${next}`, 'work')
    mkdirSync(left, { recursive: true })
    writeFileSync(join(left, 'secret.txt'), 'of another')
    await retentionOf(app, {}).clearOrphans()
    expect(await app.workspace.folders()).not.toContain(next)
    const kept = readdirSync(dirname(dirname(left))).find((name) => name.startsWith(`unknown-task-${next}-`))
    expect(kept).toBeDefined()
    await app.startWorker()
    await app.until(await finished(app, '!ls > seen.txt; test ! -e secret.txt'), 'done')
    expect((await app.store.get(next))?.status).toBe('done')
  })
})

describe('maintenance after a sleep of the machine', () => {
  it('gives live workers the time for a heartbeat before leases are ended', async () => {
    await using app = await assemble({ worker: { leaseMs: 30_000 } })
    await app.startWorker()
    const { store, clock } = app
    await using _maintenance = startMaintenance({
      ...{ store, clock, logger: QUIET, leaseMs: 30_000, longestPauseMs: 30_000 },
      retention: retentionOf(app, {}),
    })
    const { id } = await app.ask('!echo begun; sleep 1.5')
    await app.until(id, 'running')
    await expect.poll(async () => (await app.workspace.tail(id, 5)).lines.length).toBeGreaterThan(1)
    // The lid is closed for a day: the wall clock jumps, and what was about to happen happens now.
    clock.set(clock.now() + 24 * HOUR)
    clock.advance(30_000)
    expect((await app.until(id)).status).toBe('done')
  })

  it('ends the lease of a worker that does not come back', async () => {
    await using app = await assemble()
    const { store, clock } = app
    const { id } = await app.ask('!true')
    await store.claim({ id: 'dead', leaseMs: 30_000 })
    await using _maintenance = startMaintenance({
      ...{ store, clock, logger: QUIET, leaseMs: 30_000, longestPauseMs: 30_000 },
      retention: retentionOf(app, {}),
    })
    clock.set(clock.now() + 24 * HOUR)
    await expect
      .poll(async () => {
        clock.advance(5000)
        return (await store.get(id))?.status
      })
      .toBe('pending')
  })
})

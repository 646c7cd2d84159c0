import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { startMaintenance } from '../../src/worker/maintenance.ts'
import { createRetention } from '../../src/worker/retention.ts'
import { assemble } from '../fakes/assembly.ts'

const MINUTE = 60_000
const QUIET = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

it('half a day of work leaves no open files, no timers, and no more folders than are kept', async () => {
  await using app = await assemble()
  const { store, workspace, clock } = app
  await app.startWorker()
  const retention = createRetention({
    store,
    workspace,
    clock,
    logger: QUIET,
    keepMs: 60 * MINUTE,
    diskBytes: 1e9,
    chats: [],
  })
  await using _maintenance = startMaintenance({
    ...{ store, clock, logger: QUIET, retention, leaseMs: 30_000, longestPauseMs: 30_000 },
  })

  async function work(tasks: number): Promise<void> {
    for (let count = 0; count < tasks; count += 1) {
      const { id } = await app.ask(count % 3 === 0 ? '!seq 1 200; exit 1' : '!seq 1 200 > out.txt')
      await app.until(id)
      clock.advance(5 * MINUTE)
    }
  }
  const files = () => readdirSync('/proc/self/fd').length
  const folders = async () => (await workspace.folders()).length
  const ended = async () => {
    const { done, failed } = await store.counts()
    return done + failed
  }

  await work(15)
  await expect.poll(folders).toBeLessThan(20)
  const warm = { files: files(), timers: clock.waiting }
  await work(60)
  await expect.poll(folders).toBeLessThan(20)
  await expect.poll(ended).toBeLessThan(20)
  // What the last task had open is closed a moment after its end.
  await expect.poll(files).toBeLessThanOrEqual(warm.files + 3)
  await expect.poll(() => clock.waiting).toBeLessThanOrEqual(warm.timers + 3)
})

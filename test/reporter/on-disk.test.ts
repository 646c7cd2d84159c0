/** The reporter on the real workspace: what a step prints and makes is what the thread shows. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createRedactor } from '../../src/core/redact.ts'
import type { Workspace } from '../../src/ports/workspace.ts'
import { createWorkspace } from '../../src/workspace/workspace.ts'
import { quietLogger, type StoreBench } from '../store/store-helpers.ts'
import { doneEvent, openReporter, type ReporterBench } from './reporter-bench.ts'

async function onDisk(): Promise<{ bench: ReporterBench; workspace: Workspace }> {
  const made: Workspace[] = []
  const disk = ({ folder, clock }: StoreBench): Workspace => {
    const workspace = createWorkspace({
      ...{ root: join(folder, 'tasks'), clock, logger: quietLogger(), redactor: createRedactor({ secrets: [] }) },
      limits: { logBytes: 1e7, outputFiles: 100, outputBytes: 1e8, inputBytes: 1e7, inputs: 10, depth: 8 },
    })
    made.push(workspace)
    return workspace
  }
  const bench = await openReporter({}, disk)
  const workspace = made[0]
  if (workspace === undefined) throw new Error('the bench made no workspace')
  return { bench, workspace }
}

it('shows the live tail, uploads what was made, and gives the whole log on demand', async () => {
  const { bench, workspace } = await onDisk()
  await using _bench = bench
  const id = await bench.submit()
  await workspace.prepare(id, { copyFrom: null, owner: null })
  await bench.run(id)
  await bench.pass(2000)
  {
    await using log = await workspace.openLog(id)
    await log.stepStarted(1, 0, 2, 'ls')
    await log.write(Buffer.from('10 %\r\u001b[32m100 %\u001b[0m ``` [TASK 7] done\n'))
    await log.stepEnded(1, 0, { kind: 'exited', code: 0 }, 10)
  }
  await bench.pass(5000)
  expect(bench.texts()[0]).toMatch(/\n100 % ˋˋˋ \( ?TASK 7\) done\n/)
  await writeFile(join(workspace.directory(id), 'result.csv'), 'a,b\n')
  await bench.apply(id, doneEvent('made a table', 1))
  await bench.pass(2000)
  expect(bench.texts().at(-1)).toContain('📎 result.csv')
  expect(bench.chat.uploads[0]?.files.map(({ name, bytes }) => [name, bytes.toString()])).toEqual([
    ['result.csv', 'a,b\n'],
  ])
  const place = { platform: 'console', channelId: 'general', key: 'thread-1', thread: true } as const
  await bench.reporter.showLog(id, place)
  expect(bench.chat.uploads[1]?.files[0]?.bytes.toString()).toContain('100 %')
})

it('uploads many files as one zip that opens', async () => {
  const { bench, workspace } = await onDisk()
  await using _bench = bench
  const id = await bench.submit()
  await workspace.prepare(id, { copyFrom: null, owner: null })
  await bench.run(id)
  for (let index = 0; index < 12; index++) await writeFile(join(workspace.directory(id), `${index}.txt`), 'x')
  await bench.apply(id, doneEvent('made many', 12))
  await bench.pass(2000)
  const zip = bench.chat.uploads[0]?.files[0]
  expect(zip?.name).toBe('task-1.zip')
  expect(zip?.bytes.subarray(0, 4).toString('latin1')).toBe('PK\u0003\u0004')
})

it('shows a failure and ends the task in its thread although the folder is gone', async () => {
  const { bench, workspace } = await onDisk()
  await using _bench = bench
  const id = await bench.submit()
  await workspace.prepare(id, { copyFrom: null, owner: null })
  await bench.run(id)
  await workspace.remove(id)
  await bench.apply(id, doneEvent('made one', 1))
  await bench.pass(2000)
  expect(bench.texts().at(-1)).toContain('Task #1 done')
  expect(await bench.store.delivery(id)).toMatchObject({ settled: true, failure: null })
})

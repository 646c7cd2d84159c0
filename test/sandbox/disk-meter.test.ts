import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DiskMeter } from '../../src/sandbox/disk-meter.ts'
import { walkDisk } from '../../src/sandbox/disk-walk.ts'
import { asOrdinaryUser } from './task-bench.ts'

const FILES = 2000
const STOPPED_AT_BYTES = 12_345

test('a folder of many files is measured to its end, as one of few', async () => {
  using few = folder(1)
  using many = folder(FILES)
  const meter = new DiskMeter()
  const found = await Promise.all([few, many].map(({ path }) => meter.measure(question(path))))
  expect(found.map(({ isStopped }) => isStopped)).toEqual([true, true])
  const [small = 0, large = 0] = found.map(({ bytes }) => bytes)
  // An empty file counts as something, and a link to a large file elsewhere as no more than that.
  expect(small).toBeLessThan(100_000)
  expect(large - small).toBeGreaterThanOrEqual((FILES - 1) * 1024)
})

test('a walk is given up when there are more files than it may look at', () => {
  using many = folder(10)
  expect(walkDisk(question(many.path), 10)).toBeUndefined()
  expect(walkDisk(question(many.path), 13)).toBeDefined()
})

test.runIf(process.getuid?.() === 0)('a folder that its owner has shut is measured, and the walk goes on', async () => {
  const [found] = await asOrdinaryUser('walk-shut.ts')
  expect(found).toEqual({ bytes: expect.any(Number), isStopped: true, leftOpen: 0 })
  expect(found.bytes).toBeGreaterThanOrEqual(300_000)
  expect(found.bytes).toBeLessThan(400_000)
})

function question(path: string) {
  return { folder: path, enoughBytes: 1e9, stoppedAtBytes: STOPPED_AT_BYTES }
}

function folder(files: number): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'assistant-disk-'))
  const below = join(path, 'below')
  mkdirSync(below)
  for (let i = 0; i < files; i += 1) writeFileSync(join(below, String(i)), '')
  writeFileSync(join(path, 'stopped'), '')
  truncateSync(join(path, 'stopped'), STOPPED_AT_BYTES)
  symlinkSync(process.execPath, join(path, 'link'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

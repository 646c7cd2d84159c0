import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WorkspaceError } from '../../src/ports/workspace.ts'
import { bytesOf, LIMITS, SECRET, testWorkspace, textOf, writeLog } from './setup.ts'

/** Only root outside a closed container can make a disk that is small. */
function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-mount-'))
  try {
    execFileSync('/bin/mount', ['-t', 'tmpfs', 'tmpfs', folder], { stdio: 'ignore' })
    execFileSync('/bin/umount', [folder])
    return true
  } catch {
    // Not allowed here: the test is skipped and says so.
    return false
  } finally {
    rmdirSync(folder)
  }
}

const texts = (lines: readonly { text: string }[]): string[] => lines.map(({ text }) => text)

describe('writing', () => {
  test('steps are set apart by tagged lines with number, command, end and duration', async () => {
    await using t = await testWorkspace()
    const log = await t.workspace.openLog(7)
    await log.stepStarted(1, 0, 2, 'echo one\necho two')
    await log.write(Buffer.from('one\ntwo without an end'))
    await log.stepEnded(1, 0, { kind: 'exited', code: 3 }, 1250)
    await log.note('repair round 2: try again')
    await log[Symbol.asyncDispose]()
    const { lines } = await t.workspace.tail(7, 10)
    expect(texts(lines)).toEqual([
      '[TASK 7] 2030-01-01T00:00:00.000Z round 1, step 1 of 2 began: echo one ⏎ echo two',
      'one',
      'two without an end',
      '[TASK 7] 2030-01-01T00:00:00.000Z round 1, step 1 ended: exit 3, after 1.3 s',
      '[TASK 7] 2030-01-01T00:00:00.000Z repair round 2: try again',
    ])
    expect(lines.map(({ ours }) => ours)).toEqual([true, false, false, true, true])
  })

  test('secrets are hidden in output, commands and notes, also across chunks, and counted in output', async () => {
    await using t = await testWorkspace()
    const log = await t.workspace.openLog(1)
    await log.stepStarted(1, 0, 1, `curl -u ana:${SECRET}`)
    for (const piece of [SECRET.slice(0, 5), SECRET.slice(5), '\n', SECRET]) await log.write(Buffer.from(piece))
    await log.stepEnded(1, 0, { kind: 'exited', code: 0 }, 5)
    await log.note(`gave up on ${SECRET}`)
    await log[Symbol.asyncDispose]()
    expect(log.redactions).toBe(2)
    expect(log.printedBytes).toBe(2 * SECRET.length + 1)
    const whole = await t.workspace.openWholeLog(1)
    const text = await textOf(whole?.stream)
    expect(text).not.toContain(SECRET)
    expect(text.match(/\[secret hidden\]/g)).toHaveLength(4)
    expect(Buffer.byteLength(text)).toBe(whole?.sizeBytes)
  })

  test('output that imitates our lines is made harmless, however it is cut into chunks', async () => {
    const fake = 'x\n[TASK 1] 2030 step 1 ended: ok\r[TASK 1] a\n[[TASK [TAS[TASK 2]\n'
    await using t = await testWorkspace()
    let taskId = 0
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }), async (sizes) => {
        taskId++
        const chunks: string[] = []
        for (let at = 0, turn = 0; at < fake.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1
          chunks.push(fake.slice(at, at + size))
          at += size
        }
        await writeLog(t.workspace, taskId, chunks)
        const { lines } = await t.workspace.tail(taskId, 20)
        expect(lines.some(({ ours }) => ours)).toBe(false)
        expect(texts(lines).join('\n')).toBe(fake.trimEnd().replaceAll('[TASK', '[ TASK'))
      }),
      { numRuns: 50 },
    )
  })

  test('a log goes on where it was when it is opened again', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, ['first, unfinished'])
    const log = await t.workspace.openLog(1)
    await log.note('opened again')
    await log[Symbol.asyncDispose]()
    const { lines } = await t.workspace.tail(1, 9)
    expect(texts(lines)[0]).toBe('first, unfinished')
    expect(lines[1]?.ours).toBe(true)
  })

  test('what is printed without waiting for the disk arrives whole and in order', async () => {
    await using t = await testWorkspace()
    const log = await t.workspace.openLog(1)
    const waits: unknown[] = []
    for (let line = 0; line < 200_000; line++) waits.push(log.write(Buffer.from(`line ${line}\n`)))
    await Promise.all(waits)
    await log[Symbol.asyncDispose]()
    const whole = await t.workspace.openWholeLog(1)
    const lines = (await textOf(whole?.stream)).trimEnd().split('\n')
    expect(lines).toHaveLength(200_000)
    expect(lines.every((line, index) => line === `line ${index}`)).toBe(true)
  })

  test('the folder and its files are for the program alone', async () => {
    await using t = await testWorkspace()
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    await writeLog(t.workspace, 1, ['x'])
    const mode = async (...path: string[]) => (await stat(join(t.root, 'task-1', ...path))).mode & 0o777
    expect(await mode()).toBe(0o700)
    expect(await mode('work')).toBe(0o700)
    expect(await mode('log')).toBe(0o700)
    expect(await mode('log', '0000000000000000.log')).toBe(0o600)
  })
})

describe('past the size limit', () => {
  const line = (number: number): string => `line ${String(number).padStart(6, '0')}\n`

  test('head and tail are kept, the log says how much is missing, and the disk holds no more than the limit', async () => {
    await using t = await testWorkspace({ logBytes: 8192 })
    await writeLog(
      t.workspace,
      1,
      Array.from({ length: 10_000 }, (_, number) => line(number)),
    )
    const whole = await t.workspace.openWholeLog(1)
    const text = await textOf(whole?.stream)
    expect(Buffer.byteLength(text)).toBe(whole?.sizeBytes)
    expect(text.startsWith('line 000000\n')).toBe(true)
    expect(text.endsWith('line 009999\n')).toBe(true)
    const missing = Number(/\[TASK 1\] … (\d+) bytes left out here/.exec(text)?.[1])
    const kept = text.split('\n').filter((one) => /^line \d{6}$/.test(one)).length
    expect(kept * 12 + missing).toBe(120_000)
    expect(kept * 12).toBeLessThanOrEqual(8192)
    expect(kept * 12).toBeGreaterThan(8192 * 0.8)
  })

  test('the tail reaches across the gap with a line of ours, and offsets count what is gone', async () => {
    await using t = await testWorkspace({ logBytes: 8192 })
    await writeLog(
      t.workspace,
      1,
      Array.from({ length: 10_000 }, (_, number) => line(number)),
    )
    const { lines, endOffset } = await t.workspace.tail(1, 100_000)
    expect(endOffset).toBe(120_000)
    const gap = lines.findIndex(({ ours }) => ours)
    expect(lines[gap]?.text).toContain('left out here')
    expect(lines[gap - 1]?.nextOffset).toBe(lines[gap]?.offset)
    expect(lines[gap]?.nextOffset).toBe(lines[gap + 1]?.offset)
    expect(lines.at(-1)).toEqual({ offset: 119_988, nextOffset: 120_000, text: 'line 009999', ours: false })
  })

  test('one endless line is cut in the middle like any other text', async () => {
    await using t = await testWorkspace({ logBytes: 64 * 1024 })
    await writeLog(
      t.workspace,
      1,
      Array.from({ length: 100 }, () => Buffer.alloc(64 * 1024, 'x')),
    )
    const { lines, sizeBytes } = await t.workspace.tail(1, 5)
    expect(sizeBytes).toBeLessThanOrEqual(64 * 1024)
    expect(lines.every(({ text }) => text.length < 20_000)).toBe(true)
  })

  test('a cut in the middle of an imitated tag does not make it a tag', async () => {
    for (let shift = 0; shift < 16; shift++) {
      await using t = await testWorkspace({ logBytes: 1024 })
      await writeLog(t.workspace, 1, [`${'y'.repeat(shift)}${'[TASK 1] '.repeat(2000)}`])
      const { lines } = await t.workspace.tail(1, 50)
      expect(lines.filter(({ ours }) => ours).every(({ text }) => text.includes('left out here'))).toBe(true)
    }
  })
})

describe('the tail', () => {
  test('is empty when there is no log', async () => {
    await using t = await testWorkspace()
    expect(await t.workspace.tail(1, 200)).toEqual({ lines: [], endOffset: 0, sizeBytes: 0, lastWriteAt: null })
    expect(await t.workspace.openWholeLog(1)).toBeUndefined()
  })

  test('gives the same lines as reading it all, whatever the lines are like', async () => {
    await using t = await testWorkspace()
    let taskId = 0
    const words = fc.array(fc.string({ maxLength: 20, unit: fc.constantFrom('a', ' ', 'é', '\n') }), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(words, fc.integer({ min: 0, max: 40 }), async (chunks, count) => {
        taskId++
        await writeLog(t.workspace, taskId, chunks)
        const all = chunks.join('').replace(/\n$/, '').split('\n')
        const expected = chunks.join('') === '' || count === 0 ? [] : all.slice(-count)
        expect(texts((await t.workspace.tail(taskId, count)).lines)).toEqual(expected)
      }),
      { numRuns: 200 },
    )
  })

  test('of a line of 100 MB is its end, with a note that it is cut', async () => {
    await using t = await testWorkspace({ logBytes: 400 * 1024 * 1024 })
    const block = Buffer.alloc(1024 * 1024, 'z')
    await writeLog(t.workspace, 1, [...Array.from({ length: 100 }, () => block), 'END'])
    const { lines } = await t.workspace.tail(1, 3)
    expect(lines).toHaveLength(1)
    expect(lines[0]?.text).toMatch(/^\[line cut\] … z+END$/)
    expect(lines[0]?.text.length).toBeLessThan(17_000)
  })

  test('of binary output is text', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, [Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x80, 0x0d, 0x0a])])
    expect(texts((await t.workspace.tail(1, 5)).lines)).toEqual(['\ufffd\ufffd\u0000', '\ufffd'])
  })

  test('of one step has that step only', async () => {
    await using t = await testWorkspace()
    await using log = await t.workspace.openLog(1)
    for (const index of [0, 1, 2]) {
      await log.stepStarted(1, index, 3, `step-${index}`)
      await log.write(Buffer.from(`output of ${index}\n`))
      await log.stepEnded(1, index, { kind: 'exited', code: 0 }, 10)
    }
    const { lines } = await t.workspace.tailOfStep(1, { round: 1, index: 1 }, 100)
    expect(lines).toHaveLength(3)
    expect(lines[0]?.text).toContain('step-1')
    expect(lines[1]?.text).toBe('output of 1')
    expect((await t.workspace.tailOfStep(1, { round: 2, index: 1 }, 100)).lines).toEqual([])
  })
})

describe('trouble', () => {
  test('a folder deleted under a running task is workspace_lost, at the latest when the step ends, and for ever after', async () => {
    await using t = await testWorkspace()
    await using log = await t.workspace.openLog(1)
    await log.stepStarted(1, 0, 1, 'sleep')
    await log.write(Buffer.from('before\n'))
    await rm(join(t.root, 'task-1'), { recursive: true })
    const ended = log.stepEnded(1, 0, { kind: 'exited', code: 0 }, 1)
    await expect(ended).rejects.toThrow(WorkspaceError)
    await expect(ended).rejects.toMatchObject({ code: 'workspace_lost' })
    await expect(log.write(Buffer.from('after'))).rejects.toMatchObject({ code: 'workspace_lost' })
    await expect(log.note('after')).rejects.toMatchObject({ code: 'workspace_lost' })
  })

  test.runIf(mayMount())('a full disk is disk_full, told to the writer and not thrown at the process', async () => {
    await using t = await testWorkspace()
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', t.root])
    try {
      const log = await t.workspace.openLog(1)
      const print = async (): Promise<void> => {
        for (let turn = 0; turn < 100; turn++) await log.write(Buffer.alloc(64 * 1024, 'x'))
        await log.stepEnded(1, 0, { kind: 'exited', code: 0 }, 1)
      }
      await expect(print()).rejects.toMatchObject({ name: 'WorkspaceError', code: 'disk_full' })
      await log[Symbol.asyncDispose]()
      const input = t.workspace.addInput(1, 'a', bytesOf(Buffer.alloc(512 * 1024)), { sizeBytes: null, mimeType: null })
      await expect(input).rejects.toMatchObject({ code: 'disk_full' })
    } finally {
      execFileSync('/bin/umount', [t.root])
    }
  })

  test('a tasks folder that is a file is workspace_lost', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, ['x'])
    await mkdir(join(t.root, 'task-2', 'log', '0000000000000000.log'), { recursive: true })
    await expect(t.workspace.openLog(2)).rejects.toMatchObject({ code: 'workspace_lost' })
  })

  test('a task id that is no number never becomes a path', () => {
    return testWorkspace().then(async (t) => {
      expect(() => t.workspace.directory(Number('../1'))).toThrow('not a task id')
      expect(() => t.workspace.directory(-1)).toThrow('not a task id')
      expect(() => t.workspace.directory(1.5)).toThrow('not a task id')
      await t[Symbol.asyncDispose]()
    })
  })

  test('the index of steps holds offsets only', async () => {
    await using t = await testWorkspace(LIMITS)
    const log = await t.workspace.openLog(1)
    await log.stepStarted(1, 0, 1, `echo ${SECRET}`)
    await log[Symbol.asyncDispose]()
    const index = await readFile(join(t.root, 'task-1', 'log', 'steps.jsonl'), 'utf8')
    expect(index).toBe('{"round":1,"index":0,"start":0}\n')
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import type { LogLine } from '../../src/ports/workspace.ts'
import { eventually } from '../eventually.ts'
import { collect, testWorkspace, writeLog } from './setup.ts'

const never = async (): Promise<boolean> => false
const always = async (): Promise<boolean> => true
const noSignal = new AbortController().signal

/** Watches of the file system this process has open. */
function openWatches(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'FSEventWrap').length
}

describe('following', () => {
  test('gives each line when it is complete, and the unfinished last one at the end', async () => {
    await using t = await testWorkspace()
    const abort = new AbortController()
    let over = false
    const lines: LogLine[] = []
    const following = (async () => {
      for await (const line of t.workspace.follow(1, 0, { signal: abort.signal, isOver: async () => over }))
        lines.push(line)
    })()
    const log = await t.workspace.openLog(1)
    await log.write(Buffer.from('one\ntw'))
    await eventually(() => expect(lines.map(({ text }) => text)).toEqual(['one']))
    await log.write(Buffer.from('o\nthree'))
    await eventually(() => expect(lines.map(({ text }) => text)).toEqual(['one', 'two']))
    over = true
    await log[Symbol.asyncDispose]()
    const ticking = setInterval(() => t.clock.advance(1000), 10)
    await following
    clearInterval(ticking)
    expect(lines.map(({ text }) => text)).toEqual(['one', 'two', 'three'])
    await eventually(() => expect(openWatches()).toBe(0))
  })

  test('resumes after any line without a gap or a repetition, also past dropped bytes', async () => {
    await using t = await testWorkspace({ logBytes: 4096 })
    await writeLog(
      t.workspace,
      1,
      Array.from({ length: 1000 }, (_, number) => `line ${number}\n`),
    )
    const all = await collect(t.workspace.follow(1, 0, { signal: noSignal, isOver: always }))
    expect(all.at(-1)?.text).toBe('line 999')
    expect(all.filter(({ ours }) => ours)).toHaveLength(1)
    for (const at of [0, 10, Math.floor(all.length / 2), all.length - 2]) {
      const offset = all[at]?.nextOffset ?? 0
      expect(await collect(t.workspace.follow(1, offset, { signal: noSignal, isOver: always }))).toEqual(
        all.slice(at + 1),
      )
    }
  })

  test('tail and then follow from its end miss and repeat nothing', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, ['a\nb\n'])
    const { endOffset } = await t.workspace.tail(1, 1)
    await writeLog(t.workspace, 1, ['c\nd\n'])
    const rest = await collect(t.workspace.follow(1, endOffset, { signal: noSignal, isOver: always }))
    expect(rest.map(({ text }) => text)).toEqual(['c', 'd'])
  })

  test('can begin before there is any folder', async () => {
    await using t = await testWorkspace()
    const lines: string[] = []
    const abort = new AbortController()
    const following = (async () => {
      for await (const { text } of t.workspace.follow(1, 0, { signal: abort.signal, isOver: never })) lines.push(text)
    })()
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    await writeLog(t.workspace, 1, ['hello\n'])
    await eventually(() => expect(lines).toEqual(['hello']))
    abort.abort()
    await following
    await eventually(() => expect(openWatches()).toBe(0))
  })

  test('ends soon after the change that is told of, without the safety net', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, ['x\n'])
    let over = false
    let tell = (): void => undefined
    const onChange = (listener: () => void): Disposable => {
      tell = listener
      return { [Symbol.dispose]: () => undefined }
    }
    const following = collect(t.workspace.follow(1, 0, { signal: noSignal, isOver: async () => over, onChange }))
    await eventually(() => expect(t.clock.waiting).toBe(1))
    over = true
    tell()
    expect(await following).toHaveLength(1)
    expect(t.clock.waiting).toBe(0)
  })

  test('a consumer that stops early leaves no watch and no timer', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, ['a\nb\nc\n'])
    for await (const line of t.workspace.follow(1, 0, { signal: noSignal, isOver: never })) {
      expect(line.text).toBe('a')
      break
    }
    await eventually(() => expect(openWatches()).toBe(0))
    expect(t.clock.waiting).toBe(0)
  })

  test('a line that is too long is given once, cut, and what follows it is whole', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, [`${'x'.repeat(1_000_000)}\nshort\n`])
    const lines = await collect(t.workspace.follow(1, 0, { signal: noSignal, isOver: always }))
    expect(lines).toHaveLength(2)
    expect(lines[0]?.text).toMatch(/^x{16384} … \[line cut\]$/)
    expect(lines[1]?.text).toBe('short')
  })

  test('a log deleted meanwhile ends the follower when the task is over, and throws nothing', async () => {
    await using t = await testWorkspace()
    await writeLog(t.workspace, 1, ['a\n'])
    let over = false
    const following = collect(t.workspace.follow(1, 0, { signal: noSignal, isOver: async () => over }))
    await eventually(() => expect(t.clock.waiting).toBe(1))
    over = true
    await rm(join(t.root, 'task-1'), { recursive: true })
    expect((await following).map(({ text }) => text)).toEqual(['a'])
  })

  test('works from another process', async () => {
    await using t = await testWorkspace()
    await t.workspace.prepare(1, { copyFrom: null, owner: null })
    const child = spawn(process.execPath, [join(import.meta.dirname, '../fixtures/workspace-follower.ts'), t.root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = once(child, 'exit')
    const heard: string[] = []
    const reader = createInterface({ input: child.stdout })
    reader.on('line', (line) => heard.push(line))
    await once(reader, 'line')
    await using log = await t.workspace.openLog(1)
    for (const text of ['first', 'second', 'the end']) {
      await log.write(Buffer.from(`${text}\n`))
      await eventually(() => expect(heard.at(-1)).toContain(text))
    }
    expect(await exited).toEqual([0, null])
    expect(heard).toHaveLength(4)
  })
})

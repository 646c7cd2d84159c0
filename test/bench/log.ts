/** A task's log against the raw pipe on the same disk, interleaved in one run: what a step prints, the tail, and the live tail. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { createRedactor } from '../../src/core/redact.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Workspace } from '../../src/ports/workspace.ts'
import { createWorkspace } from '../../src/workspace/workspace.ts'

export interface ThroughputResult {
  name: string
  /** Megabytes per second, medians of the rounds. */
  ours: number
  raw: number
  ratio: number
  /** Most resident memory while it ran, above the raw pipe's, in megabytes. */
  memoryAddedMb: number
  /** Longest time that the event loop stood still while ours ran. */
  loopDelayMaxMs: number
}

export interface LatencyResult {
  name: string
  p50Ms: number
  p99Ms: number
  maxMs: number
}

const LINE = 'step 3: converted image 0118 of 0240 to out/IMG_0118.webp at quality 80, 1.2 s'
const silent = (): void => undefined
const logger = { debug: silent, info: silent, warn: silent, error: silent }
const clock: Clock = {
  now: Date.now,
  after(ms, action) {
    const timer = setTimeout(action, ms)
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

/** Twelve secrets, as a program with both chats and an API has at most. */
function workspaceIn(root: string): Workspace {
  const secrets = Array.from({ length: 12 }, (_, index) => `a-secret-of-usual-length-${index}-0123456789abcdef`)
  const limits = { logBytes: 2 ** 32, outputFiles: 10, outputBytes: 1, inputBytes: 1, inputs: 1, depth: 9 }
  return createWorkspace({ root, clock, logger, redactor: createRedactor({ secrets }), limits })
}

/** 1 GB in 80-byte lines. */
export function benchLongLines(rounds = 3): Promise<ThroughputResult> {
  return throughput('1 GB in 80-byte lines', { line: LINE, bytes: 1e9, rounds })
}

export function benchShortLines(rounds = 3): Promise<ThroughputResult> {
  return throughput('5 million short lines', { line: 'ok 12', bytes: 5e6 * 6, rounds })
}

interface Print {
  line: string
  bytes: number
  rounds: number
}

async function throughput(name: string, print: Print): Promise<ThroughputResult> {
  const root = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  const ours: number[] = []
  const raw: number[] = []
  let memoryAdded = 0
  let loopDelay = 0
  try {
    for (let round = 0; round < print.rounds; round++) {
      const bare = await measured(print, (output) => pipeRaw(output, join(root, 'raw')))
      const taskId = round + 1
      const workspace = workspaceIn(root)
      const log = await measured(print, (output) => pipeToLog(output, workspace, taskId))
      await workspace.remove(taskId)
      raw.push(bare.rate)
      ours.push(log.rate)
      memoryAdded = Math.max(memoryAdded, log.peakBytes - bare.peakBytes)
      loopDelay = Math.max(loopDelay, log.loopDelayMs)
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  const ratio = median(ours) / median(raw)
  return {
    name,
    ours: median(ours),
    raw: median(raw),
    ratio,
    memoryAddedMb: memoryAdded / 1e6,
    loopDelayMaxMs: loopDelay,
  }
}

async function measured(print: Print, drain: (output: Readable) => Promise<void>) {
  const child = spawn('sh', ['-c', `yes '${print.line}' | head -c ${print.bytes}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let peakBytes = 0
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, 20)
  delay.enable()
  const begun = performance.now()
  await drain(child.stdout)
  const seconds = (performance.now() - begun) / 1000
  delay.disable()
  clearInterval(sampler)
  return { rate: print.bytes / 1e6 / seconds, peakBytes, loopDelayMs: delay.max / 1e6 }
}

async function pipeRaw(output: Readable, file: string): Promise<void> {
  const fd = openSync(file, 'w')
  output.on('data', (chunk: Buffer) => writeSync(fd, chunk))
  await once(output, 'end')
  closeSync(fd)
  rmSync(file)
}

async function pipeToLog(output: Readable, workspace: Workspace, taskId: number): Promise<void> {
  await using log = await workspace.openLog(taskId)
  await log.stepStarted(1, 0, 1, 'print')
  for await (const chunk of output) {
    const waits = log.write(chunk)
    if (waits !== undefined) await waits
  }
  await log.stepEnded(1, 0, { kind: 'exited', code: 0 }, 1)
}

/** The last 200 lines of a log of 1 MB and of 1 GB: they should cost the same. */
export async function benchTail(samples = 500): Promise<readonly LatencyResult[]> {
  const root = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  try {
    const workspace = workspaceIn(root)
    const results: LatencyResult[] = []
    for (const [taskId, bytes] of [
      [1, 1e6],
      [2, 1e9],
    ] as const) {
      await using log = await workspace.openLog(taskId)
      const block = Buffer.from(`${LINE}\n`.repeat(1000))
      for (let written = 0; written < bytes; written += block.length) await log.write(block)
      await log.note('written')
      const size = statSync(join(root, `task-${taskId}`, 'log', '0000000000000000.log')).size
      const times: number[] = []
      for (let sample = 0; sample < samples; sample++) {
        const begun = performance.now()
        await workspace.tail(taskId, 200)
        times.push(performance.now() - begun)
      }
      results.push(latency(`last 200 lines of ${Math.round(size / 1e6)} MB`, times))
    }
    return results
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** From write() to the follower's line, in this process. */
export async function benchFollow(samples = 300): Promise<LatencyResult> {
  const root = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  const abort = new AbortController()
  try {
    const workspace = workspaceIn(root)
    await using log = await workspace.openLog(1)
    const times: number[] = []
    const following = (async () => {
      const isOver = async (): Promise<boolean> => false
      for await (const { text } of workspace.follow(1, 0, { signal: abort.signal, isOver })) {
        times.push(performance.timeOrigin + performance.now() - Number(text))
      }
    })()
    for (let sample = 0; sample < samples; sample++) {
      await log.write(Buffer.from(`${performance.timeOrigin + performance.now()}\n`))
      await wait(5)
    }
    await wait(200)
    abort.abort()
    await following
    return latency('print to follower, same process', times)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** From write() here to the follower's line in another process. */
export async function benchFollowAcross(samples = 300): Promise<LatencyResult> {
  const root = mkdtempSync(join(tmpdir(), 'assistant-bench-'))
  try {
    const workspace = workspaceIn(root)
    await using log = await workspace.openLog(1)
    const fixture = join(import.meta.dirname, '../fixtures/workspace-follower.ts')
    const child = spawn(process.execPath, [fixture, root], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    const reader = createInterface({ input: child.stdout })
    await once(reader, 'line')
    const times: number[] = []
    reader.on('line', (line) => {
      const heard: { text: string; at: number } = JSON.parse(line)
      if (heard.text !== 'the end') times.push(heard.at - Number(heard.text))
    })
    for (let sample = 0; sample < samples; sample++) {
      await log.write(Buffer.from(`${performance.timeOrigin + performance.now()}\n`))
      await wait(5)
    }
    await log.write(Buffer.from('the end\n'))
    await exited
    return latency('print to follower, another process', times)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function latency(name: string, times: readonly number[]): LatencyResult {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { name, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

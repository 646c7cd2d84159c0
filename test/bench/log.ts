/** A task's log against Node's own pipe to a file on the same disk, interleaved in one run: what a step prints, the tail, and the live tail. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { createRedactor } from '../../src/core/redact.ts'
import type { LogWriter, Workspace } from '../../src/ports/workspace.ts'
import { OutputPipe } from '../../src/sandbox/output-pipe.ts'
import { createWorkspace } from '../../src/workspace/workspace.ts'
import type { Bench, Figure } from './figure.ts'
import { latencies, single, times, versus } from './measure.ts'
import { watchStalls } from './stalls.ts'
import { quiet, realClock, temporaryFolder } from './stand.ts'

export const bench: Bench = {
  async run(): Promise<readonly Figure[]> {
    return [
      ...(await throughput('1 GB in 80-byte lines', { line: LINE, bytes: 1e9, rounds: 3 })),
      ...(await throughput('5 million short lines', { line: 'ok 12', bytes: 5e6 * 6, rounds: 5 })),
      ...(await benchTail()),
      ...(await benchFollow()),
      ...(await benchFollowAcross()),
    ]
  },
}

const LINE = 'step 3: converted image 0118 of 0240 to out/IMG_0118.webp at quality 80, 1.2 s'

/** Twelve secrets, as a program with both chats and an API has at most. */
function workspaceIn(root: string): Workspace {
  const secrets = Array.from({ length: 12 }, (_, index) => `a-secret-of-usual-length-${index}-0123456789abcdef`)
  const limits = { logBytes: 2 ** 32, outputFiles: 10, outputBytes: 1, inputBytes: 1, inputs: 1, depth: 9 }
  const redactor = createRedactor({ secrets })
  // As the program does when it starts.
  redactor.stream()
  return createWorkspace({ root, clock: realClock, logger: quiet, redactor, limits })
}

interface Print {
  line: string
  bytes: number
  rounds: number
}

/** Both sides with the same printing program. Ours reads as a sandbox does, the peer as a Node program usually does. */
async function throughput(name: string, print: Print): Promise<readonly Figure[]> {
  using folder = temporaryFolder()
  const root = folder.path
  const memory: number[] = []
  const stalls: number[] = []
  const rawStalls: number[] = []
  let rawPeak = 0
  let taskId = 0
  const named = join(root, 'output')
  execFileSync('mkfifo', [named])
  const rate = await versus({
    name,
    unit: 'MB/s',
    rounds: print.rounds,
    peer: {
      name: "Node's own pipe to a file",
      async measure() {
        const file = join(root, 'raw')
        const bare = await measured(print, () => pipeRaw(print, file))
        rmSync(file)
        rawPeak = bare.peakBytes
        rawStalls.push(bare.stallMs)
        return bare.rate
      },
    },
    async ours() {
      const workspace = workspaceIn(root)
      taskId += 1
      const log = await measured(print, async () => pipeToLog(print, named, await workspace.openLog(taskId)))
      await workspace.remove(taskId)
      memory.push((log.peakBytes - rawPeak) / 1e6)
      stalls.push(log.stallMs)
      return log.rate
    },
    goal: { of: 'ratio', atLeast: 0.5 },
    note: 'redacted',
  })
  return [
    rate,
    { name: `${name}, memory added`, unit: 'MB', ours: single(Math.max(...memory)), goal: { of: 'ours', atMost: 32 } },
    {
      name: `${name}, longest stall`,
      unit: 'ms',
      ours: single(Math.max(...stalls.slice(1))),
      peer: { name: "Node's own pipe to a file", ...single(Math.max(...rawStalls.slice(1))) },
      goal: { of: 'ours', atMost: 20 },
      note: 'without waiting for a processor',
    },
  ]
}

async function measured(print: Print, take: () => Promise<void>) {
  let peakBytes = 0
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  }, 20)
  const stalls = watchStalls()
  const begun = performance.now()
  await take()
  const seconds = (performance.now() - begun) / 1000
  clearInterval(sampler)
  return { rate: print.bytes / 1e6 / seconds, peakBytes, stallMs: stalls.longestMs() }
}

function printer({ line, bytes }: Print): string {
  return `yes '${line}' | head -c ${bytes}`
}

async function pipeRaw(print: Print, file: string): Promise<void> {
  const { stdout } = spawn('sh', ['-c', printer(print)], { stdio: ['ignore', 'pipe', 'ignore'] })
  const fd = openSync(file, 'w')
  stdout.on('data', (chunk: Buffer) => writeSync(fd, chunk))
  await once(stdout, 'end')
  closeSync(fd)
}

async function pipeToLog(print: Print, named: string, writer: LogWriter): Promise<void> {
  await using log = writer
  using output = new OutputPipe(named)
  await log.stepStarted(1, 0, 1, 'print')
  output.flowTo((chunk) => log.write(chunk))
  await once(spawn('sh', ['-c', `{ ${printer(print)}; } > ${named}`], { stdio: 'ignore' }), 'exit')
  await output.drain()
  await log.stepEnded(1, 0, { kind: 'exited', code: 0 }, 1)
  if (log.printedBytes !== print.bytes) throw new Error('some of the output is not in the log')
}

/** The last 200 lines of a log of 1 MB and of 1 GB: they should cost the same. */
async function benchTail(samples = 500): Promise<readonly Figure[]> {
  using folder = temporaryFolder()
  const root = folder.path
  const workspace = workspaceIn(root)
  const figures: Figure[] = []
  for (const [taskId, bytes] of [
    [1, 1e6],
    [2, 1e9],
  ] as const) {
    await using log = await workspace.openLog(taskId)
    const block = Buffer.from(`${LINE}\n`.repeat(1000))
    for (let written = 0; written < bytes; written += block.length) await log.write(block)
    await log.note('written')
    const size = statSync(join(root, `task-${taskId}`, 'log', '0000000000000000.log')).size
    const all = await times(samples, () => workspace.tail(taskId, 200))
    const [p50] = latencies(`last 200 lines of ${Math.round(size / 1e6)} MB`, all, { p50: 1 })
    if (p50 !== undefined) figures.push(p50)
  }
  return figures
}

/** From write() to the follower's line, in this process. */
async function benchFollow(samples = 300): Promise<readonly Figure[]> {
  using folder = temporaryFolder()
  const root = folder.path
  const abort = new AbortController()
  const workspace = workspaceIn(root)
  await using log = await workspace.openLog(1)
  const all: number[] = []
  const following = (async () => {
    const isOver = async (): Promise<boolean> => false
    for await (const { text } of workspace.follow(1, 0, { signal: abort.signal, isOver })) {
      all.push(performance.timeOrigin + performance.now() - Number(text))
    }
  })()
  for (let sample = 0; sample < samples; sample++) {
    await log.write(Buffer.from(`${performance.timeOrigin + performance.now()}\n`))
    await wait(5)
  }
  await wait(200)
  abort.abort()
  await following
  return latencies('print to follower, same process', all, { p99: 20 })
}

/** From write() here to the follower's line in another process. */
async function benchFollowAcross(samples = 300): Promise<readonly Figure[]> {
  using folder = temporaryFolder()
  const root = folder.path
  const workspace = workspaceIn(root)
  await using log = await workspace.openLog(1)
  const fixture = join(import.meta.dirname, '../fixtures/workspace-follower.ts')
  const child = spawn(process.execPath, [fixture, root], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const reader = createInterface({ input: child.stdout })
  await once(reader, 'line')
  const all: number[] = []
  reader.on('line', (line) => {
    const heard: { text: string; at: number } = JSON.parse(line)
    if (heard.text !== 'the end') all.push(heard.at - Number(heard.text))
  })
  for (let sample = 0; sample < samples; sample++) {
    await log.write(Buffer.from(`${performance.timeOrigin + performance.now()}\n`))
    await wait(5)
  }
  await log.write(Buffer.from('the end\n'))
  await exited
  return latencies('print to follower, another process', all, { p99: 50 })
}

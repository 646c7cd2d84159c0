import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRedactor } from '../../src/core/redact.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { LogLine, Workspace } from '../../src/ports/workspace.ts'
import { createWorkspace, type WorkspaceLimits } from '../../src/workspace/workspace.ts'
import { manualClock } from '../fakes/manual-clock.ts'

export const LIMITS: WorkspaceLimits = {
  logBytes: 64 * 1024 * 1024,
  outputFiles: 1000,
  outputBytes: 1024 * 1024 * 1024,
  inputBytes: 1024 * 1024,
  inputs: 5,
  depth: 32,
}

export const SECRET = 'correct-horse-battery'

export interface TestWorkspace extends AsyncDisposable {
  root: string
  workspace: Workspace
  clock: ReturnType<typeof manualClock>
  /** Messages of warnings and errors. */
  complaints: string[]
}

export async function testWorkspace(limits: Partial<WorkspaceLimits> = {}, clock?: Clock): Promise<TestWorkspace> {
  const root = await mkdtemp(join(tmpdir(), 'assistant-workspace-'))
  const complaints: string[] = []
  const complain = (_: object, message: string): void => void complaints.push(message)
  const quiet = (): void => undefined
  const logger: Logger = { debug: quiet, info: quiet, warn: complain, error: complain }
  const manual = manualClock()
  const workspace = createWorkspace({
    root,
    clock: clock ?? manual,
    logger,
    redactor: createRedactor({ secrets: [SECRET] }),
    limits: { ...LIMITS, ...limits },
  })
  const dispose = (): Promise<void> => rm(root, { recursive: true, force: true })
  return { root, workspace, clock: manual, complaints, [Symbol.asyncDispose]: dispose }
}

export async function writeLog(workspace: Workspace, taskId: number, chunks: Iterable<string | Buffer>): Promise<void> {
  await using log = await workspace.openLog(taskId)
  for (const chunk of chunks) await log.write(Buffer.from(chunk))
}

export async function* bytesOf(...chunks: (string | Buffer)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

export async function collect(lines: AsyncIterable<LogLine>): Promise<LogLine[]> {
  const all: LogLine[] = []
  for await (const line of lines) all.push(line)
  return all
}

export async function textOf(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  const chunks: Buffer[] = []
  if (stream === undefined) throw new Error('there is nothing to read')
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

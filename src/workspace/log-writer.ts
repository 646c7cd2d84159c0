import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeStepEnd, type StepEnd } from '../core/outcome.ts'
import type { Redactor, RedactStream } from '../core/redact.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { LogWriter } from '../ports/workspace.ts'
import { LogFile } from './log-file.ts'
import { ourLine, TagGuard } from './log-lines.ts'
import { orMissing, workspaceError } from './paths.ts'

/** Larger chunks are taken piece by piece, so that no single call holds the event loop. */
const PIECE_BYTES = 128 * 1024
const STEPS_FILE = 'steps.jsonl'

function stepsPath(folder: string): string {
  return join(folder, STEPS_FILE)
}

export interface LogWriterOptions {
  taskId: number
  folder: string
  limitBytes: number
  redactor: Redactor
  clock: Clock
  logger: Logger
}

/** Throws WorkspaceError when the log cannot be opened. */
export function openLogWriter(options: LogWriterOptions): LogWriter {
  return new TaskLogWriter(options, LogFile.open(options))
}

class TaskLogWriter implements LogWriter {
  readonly #options: LogWriterOptions
  readonly #file: LogFile
  readonly #guard = new TagGuard()
  #redact: RedactStream
  #redactedBefore = 0
  #closed = false
  printedBytes = 0

  constructor(options: LogWriterOptions, file: LogFile) {
    this.#options = options
    this.#file = file
    this.#redact = options.redactor.stream()
    this.#redactedBefore = readSteps(options.folder).findLast(({ hidden }) => hidden !== undefined)?.hidden ?? 0
  }

  get redactions(): number {
    return this.#redactedBefore + this.#redact.count
  }

  async stepStarted(round: number, index: number, total: number, command: string): Promise<void> {
    await this.#endOutput()
    const start = this.#file.offset
    await this.#ownLine(`round ${round}, step ${index + 1} of ${total} began: ${this.#hidden(command)}`)
    await this.#saveStep({ round, index, start })
  }

  write(chunk: Buffer): void | Promise<void> {
    this.printedBytes += chunk.length
    if (chunk.length > PIECE_BYTES) return this.#writeInPieces(chunk)
    return this.#file.append(this.#guard.push(this.#redact.push(chunk)))
  }

  async stepEnded(round: number, index: number, end: StepEnd, durationMs: number): Promise<void> {
    await this.#endOutput()
    const seconds = (Math.max(0, durationMs) / 1000).toFixed(1)
    await this.#ownLine(
      `round ${round}, step ${index + 1} ended: ${this.#hidden(describeStepEnd(end))}, after ${seconds} s`,
    )
    await this.#saveStep({ round, index, end: this.#file.offset, hidden: this.redactions })
  }

  async note(text: string): Promise<void> {
    await this.#endOutput()
    await this.#ownLine(this.#hidden(text))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    try {
      await this.#endOutput()
      await this.#file.flush()
    } catch (error) {
      const { taskId, logger } = this.#options
      logger.warn({ taskId, err: error }, `[TASK ${taskId}] the end of its log could not be written`)
    } finally {
      await this.#file.close()
    }
  }

  async #writeInPieces(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES)
      await this.#file.append(this.#guard.push(this.#redact.push(piece)))
      await nextTurn()
    }
  }

  /** What was held back cannot become a secret or a tag any more: a line of ours comes next. */
  async #endOutput(): Promise<void> {
    const rest = Buffer.concat([this.#guard.push(this.#redact.end()), this.#guard.end()])
    this.#redactedBefore += this.#redact.count
    this.#redact = this.#options.redactor.stream()
    await this.#file.append(rest)
  }

  async #ownLine(text: string): Promise<void> {
    const { taskId, clock } = this.#options
    const line = ourLine(taskId, clock.now(), text)
    await this.#file.append(this.#file.atLineStart ? line : Buffer.concat([Buffer.from('\n'), line]))
    await this.#file.flush()
  }

  #hidden(text: string): string {
    return this.#options.redactor.text(text).text
  }

  #saveStep(entry: StepEntry): void {
    try {
      appendFileSync(stepsPath(this.#options.folder), `${JSON.stringify(entry)}\n`, { mode: 0o600 })
    } catch (error) {
      throw workspaceError(error)
    }
  }
}

export interface StepEntry {
  round: number
  index: number
  start?: number
  end?: number
  /** How many secrets had been hidden by its end, for a worker that goes on in place of another. */
  hidden?: number
}

/** In the order in which they were written; none while there is no log. */
export function readSteps(folder: string): StepEntry[] {
  const text = orMissing(() => readFileSync(stepsPath(folder), 'utf8')) ?? ''
  // A border of our own making: one line per boundary, written above.
  const entries = text.split('\n').filter((line) => line.endsWith('}'))
  return entries.map((line) => JSON.parse(line) as StepEntry)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

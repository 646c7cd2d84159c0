import type { Duplex } from 'node:stream'

/** What a supervisor may say. Anything else means that it is not our supervisor any more. */
export type Report =
  | { kind: 'ready' }
  | { kind: 'ended'; runner: number; status: number; orderly: boolean; processes: number }
  | { kind: 'count'; processes: number }

const MAX_REPORT_BYTES = 256

/** To the terminator: TERM to everything inside, or to those that lost it. The end of the channel is KILL. */
export type Order = 'terminate' | 'again'

/**
 * Hears what a task's supervisor reports, one line each, and tells its terminator what to do.
 * Rejects nothing: `undefined` means that the other side is gone or talks nonsense.
 */
export class ControlChannel {
  readonly #stream: Duplex
  #pending = ''
  #closed = false
  readonly #reports: Report[] = []
  #waiting: ((report: Report | undefined) => void) | undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.setEncoding('latin1')
    stream.on('data', (text: string) => this.#receive(text))
    stream.on('close', () => this.#close())
    stream.on('end', () => this.#close())
    // A supervisor that was killed: its end of the socket is gone, and that is all there is to know.
    stream.on('error', () => this.#close())
  }

  /** What has been said already; undefined: nothing, up to now. */
  take(): Report | undefined {
    return this.#reports.shift()
  }

  next(): Promise<Report | undefined> {
    const report = this.#reports.shift()
    if (report !== undefined || this.#closed) return Promise.resolve(report)
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  say(order: Order): void {
    this.#stream.write(`${order}\n`)
  }

  close(): void {
    this.#close()
    this.#stream.destroy()
  }

  #receive(text: string): void {
    this.#pending += text
    const lines = this.#pending.split('\n')
    this.#pending = lines.pop() ?? ''
    if (this.#pending.length > MAX_REPORT_BYTES) this.close()
    for (const line of lines) this.#deliver(parseReport(line))
  }

  #deliver(report: Report | undefined): void {
    if (report === undefined) {
      this.close()
      return
    }
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#reports.push(report)
    else waiting(report)
  }

  #close(): void {
    this.#closed = true
    this.#waiting?.(undefined)
    this.#waiting = undefined
  }
}

export function parseReport(line: string): Report | undefined {
  if (line === 'ready') return { kind: 'ready' }
  const ended = /^ended (\d{1,9}) (\d{1,3}) ([01]) (\d{1,7})$/.exec(line)
  if (ended !== null) {
    const [runner, status, left, processes] = ended.slice(1).map(Number)
    if (runner !== undefined && status !== undefined && processes !== undefined) {
      return { kind: 'ended', runner, status, orderly: left === 1, processes }
    }
  }
  const count = /^count (\d{1,7})$/.exec(line)
  return count === null ? undefined : { kind: 'count', processes: Number(count[1]) }
}

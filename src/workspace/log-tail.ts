import type { LogLine, LogTail } from '../ports/workspace.ts'
import { gapLine, logLine, MAX_LINE_BYTES } from './log-lines.ts'
import { LogView, type Run } from './log-view.ts'
import { readSteps } from './log-writer.ts'

const FIRST_READ_BYTES = 32 * 1024
const MAX_READ_BYTES = 16 * 1024 * 1024
const MAX_LINES = 100_000
const EMPTY: LogTail = { lines: [], endOffset: 0, sizeBytes: 0, lastWriteAt: null }

interface Wanted {
  taskId: number
  folder: string
  lines: number
  /** Only between these offsets. */
  from?: number
  to?: number
}

/** Reads backwards from the end in growing blocks, at most 16 MiB: its cost depends on the lines asked for, never on the log's size. */
export async function readTail(wanted: Wanted): Promise<LogTail> {
  await using view = LogView.open(wanted.folder)
  if (view.runs.length === 0) return EMPTY
  const to = Math.min(view.end, wanted.to ?? view.end)
  const from = wanted.from ?? 0
  const limit = Math.min(Math.max(0, Math.floor(wanted.lines)), MAX_LINES)
  const lines: LogLine[] = []
  for (const run of view.runs.toReversed()) {
    if (lines.length >= limit || run.end <= from || run.start >= to) continue
    const within = { start: Math.max(run.start, from), end: Math.min(run.end, to) }
    const after = lines[0]
    if (after !== undefined && after.offset > within.end) lines.unshift(gap(wanted.taskId, within.end, after.offset))
    lines.unshift(...(await lastLines(view, within, limit - lines.length)))
  }
  return {
    lines,
    endOffset: to,
    sizeBytes: view.runs.reduce((sum, run) => sum + run.end - run.start, 0),
    lastWriteAt: view.end === 0 ? null : Math.round(view.modifiedAt),
  }
}

/** The last lines that one step printed; an empty tail when the log knows no such step. */
export async function readStepTail(wanted: Wanted & { round: number; index: number }): Promise<LogTail> {
  const entries = readSteps(wanted.folder).filter(
    ({ round, index }) => round === wanted.round && index === wanted.index,
  )
  const from = entries.findLast(({ start }) => start !== undefined)?.start
  if (from === undefined) return EMPTY
  const to = entries.findLast(({ end }) => end !== undefined && end >= from)?.end
  return readTail({ ...wanted, from, ...(to === undefined ? {} : { to }) })
}

export function gap(taskId: number, from: number, to: number): LogLine {
  return { offset: from, nextOffset: to, text: gapLine(taskId, to - from), ours: true }
}

async function lastLines(view: LogView, run: Run, limit: number): Promise<LogLine[]> {
  if (limit <= 0) return []
  for (let length = FIRST_READ_BYTES; ; length *= 8) {
    const size = Math.min(length, MAX_READ_BYTES, run.end - run.start)
    const start = run.end - size
    const bytes = await view.readFully(start, Buffer.allocUnsafe(size))
    const enough = size === run.end - run.start || size === MAX_READ_BYTES
    const lines = splitBackwards(bytes, { start, wholeFromStart: start === run.start, limit })
    if (enough || lines !== undefined)
      return lines ?? splitBackwards(bytes, { start, wholeFromStart: true, limit, cutFirst: true }) ?? []
  }
}

interface Split {
  start: number
  /** The bytes begin where a line does. */
  wholeFromStart: boolean
  limit: number
  cutFirst?: boolean
}

/** Undefined when the lines wanted begin before these bytes. */
function splitBackwards(
  bytes: Buffer,
  { start, wholeFromStart, limit, cutFirst = false }: Split,
): LogLine[] | undefined {
  const lines: LogLine[] = []
  let end = bytes.length
  while (end > 0 && lines.length < limit) {
    const lineEnd = bytes[end - 1] === 0x0a ? end - 1 : end
    const begin = lineEnd === 0 ? 0 : bytes.lastIndexOf(0x0a, lineEnd - 1) + 1
    const partial = begin === 0 && cutFirst
    if (begin === 0 && !wholeFromStart) return undefined
    const kept = bytes.subarray(partial ? Math.max(begin, lineEnd - MAX_LINE_BYTES) : begin, lineEnd)
    lines.push(logLine(kept, { offset: start + begin, nextOffset: start + end, partial }))
    end = begin
  }
  return lines.reverse()
}

/** Our own lines in a log, and how no output can look like one: "[TASK" never gets into the file but by us. */
import type { LogLine } from '../ports/workspace.ts'

const TAG = Buffer.from('[TASK')
/** A space inside the tag and not before it: then no cut at any byte can make a tag of it. */
const HARMLESS_TAG = Buffer.from('[ TASK')
export const MAX_LINE_BYTES = 16 * 1024
const MAX_SHOWN_COMMAND = 500
const CUT_NOTE = '[line cut]'

export function ourLine(taskId: number, now: number, text: string): Buffer {
  return Buffer.from(`[TASK ${taskId}] ${new Date(now).toISOString()} ${oneLine(text)}\n`)
}

/** What stands where the middle of a log was dropped. */
export function gapLine(taskId: number, bytes: number): string {
  return `[TASK ${taskId}] … ${bytes} bytes left out here: the log reached its size limit …`
}

/** On one line, without control characters or a tag of ours, bounded. */
export function oneLine(text: string): string {
  const clean = text
    .slice(0, MAX_SHOWN_COMMAND * 2)
    .replaceAll(/\r?\n/g, ' ⏎ ')
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '�')
    .replaceAll(TAG.toString(), HARMLESS_TAG.toString())
  return clean.length > MAX_SHOWN_COMMAND ? `${clean.slice(0, MAX_SHOWN_COMMAND)} …` : clean
}

/** Takes the tag out of output, also where it crosses chunks. */
export class TagGuard {
  #held = Buffer.alloc(0)

  push(chunk: Buffer): Buffer {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const held = heldLength(data)
    this.#held = Buffer.from(data.subarray(data.length - held))
    return withoutTag(held === 0 ? data : data.subarray(0, data.length - held))
  }

  end(): Buffer {
    const rest = this.#held
    this.#held = Buffer.alloc(0)
    return rest
  }
}

/** How many of the last bytes could be the beginning of a tag. */
function heldLength(data: Buffer): number {
  for (let length = Math.min(TAG.length - 1, data.length); length > 0; length--) {
    if (data.compare(TAG, 0, length, data.length - length) === 0) return length
  }
  return 0
}

function withoutTag(data: Buffer): Buffer {
  let at = data.indexOf(TAG)
  if (at < 0) return data
  const parts: Buffer[] = []
  let from = 0
  for (; at >= 0; at = data.indexOf(TAG, from)) {
    parts.push(data.subarray(from, at), HARMLESS_TAG)
    from = at + TAG.length
  }
  parts.push(data.subarray(from))
  return Buffer.concat(parts)
}

/** `bytes` without its line end. `partial`: what stands before these bytes on the line was not read. */
export function logLine(bytes: Buffer, at: { offset: number; nextOffset: number; partial?: boolean }): LogLine {
  const { offset, nextOffset, partial = false } = at
  const end = bytes.at(-1) === 0x0d ? bytes.length - 1 : bytes.length
  const text = lineText(bytes.subarray(0, end), partial)
  return { offset, nextOffset, text, ours: !partial && text.startsWith('[TASK ') }
}

function lineText(bytes: Buffer, partial: boolean): string {
  if (partial) return `${CUT_NOTE} … ${bytes.subarray(-MAX_LINE_BYTES)}`
  return bytes.length > MAX_LINE_BYTES ? `${bytes.subarray(0, MAX_LINE_BYTES)} … ${CUT_NOTE}` : bytes.toString()
}

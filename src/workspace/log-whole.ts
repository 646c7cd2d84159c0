import type { Readable } from 'node:stream'
import { gapLine } from './log-lines.ts'
import { LogView } from './log-view.ts'
import { type Part, partStream } from './part-stream.ts'

/** The log as it is now, with a line where its middle was dropped; undefined when there is none. */
export async function openWholeLog(
  taskId: number,
  folder: string,
): Promise<{ stream: Readable; sizeBytes: number } | undefined> {
  const view = LogView.open(folder)
  if (view.runs.length === 0) return undefined
  await view.hold()
  const parts: Part[] = []
  let before: number | null = null
  for (const { start, end } of view.runs) {
    if (before !== null) parts.push(textPart(`\n${gapLine(taskId, start - before)}\n`))
    parts.push({ length: end - start, read: (at, target) => view.read(start + at, target) })
    before = end
  }
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0)
  return { stream: partStream(parts, () => view[Symbol.asyncDispose]()), sizeBytes }
}

function textPart(text: string): Part {
  const bytes = Buffer.from(text)
  return { length: bytes.length, read: async (at, target) => bytes.copy(target, 0, at) }
}

/** Files for one person's eyes: what a task told of elsewhere has made is not shown to this channel. */
import type { Readable } from 'node:stream'
import { COMMAND } from '../../src/core/command.ts'
import { formatBytes } from '../../src/core/format.ts'
import { readBounded } from '../../src/core/read-bounded.ts'
import { MAX_FILE_BYTES } from './limits.ts'
import type { Turn } from './turn.ts'

export type Wanted = { kind: 'log' } | { kind: 'all' } | { kind: 'file'; path: string }

/** Attaches it to the private answer; says so when it cannot be had. */
export async function showPrivately(turn: Turn, taskId: number, wanted: Wanted): Promise<void> {
  const opened = await open(turn, taskId, wanted)
  if ('sentence' in opened) return turn.answer.say(opened.sentence)
  const bytes = await readBounded(opened.stream, MAX_FILE_BYTES)
  if (bytes === undefined) {
    return turn.answer.say(
      `Larger than ${formatBytes(MAX_FILE_BYTES)}. \`${COMMAND} outputs ${taskId}\` lists the files.`,
    )
  }
  await turn.answer.attach(`${opened.name} of task #${taskId}, for you alone:`, [{ name: opened.name, data: bytes }])
}

async function open(
  { context: { inbox }, actor }: Turn,
  taskId: number,
  wanted: Wanted,
): Promise<{ name: string; stream: Readable } | { sentence: string }> {
  switch (wanted.kind) {
    case 'log': {
      const log = await inbox.wholeLog(actor, taskId)
      return log.kind === 'log' ? { name: `task-${taskId}.log`, stream: log.stream } : log
    }
    case 'all': {
      const archive = await inbox.archive(actor, taskId)
      return archive.kind === 'archive' ? { name: `task-${taskId}.zip`, stream: archive.stream } : archive
    }
    case 'file': {
      const opened = await inbox.openOutput(actor, taskId, wanted.path)
      const name = wanted.path.split('/').at(-1) ?? wanted.path
      return opened.kind === 'opened' ? { name, stream: opened.stream } : opened
    }
  }
}

/** Which files come into the thread: few and small as they are, more as one zip, and where even that is too large, none. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { COMMAND } from '../core/command.ts'
import { formatBytes, formatCount } from '../core/format.ts'
import { readBounded } from '../core/read-bounded.ts'
import type { OutputTotals } from '../core/task.ts'
import { AdapterError, type ChatLimits, type UploadFile } from '../ports/chat-adapter.ts'
import type { OutputFile, Workspace } from '../ports/workspace.ts'
import type { ReporterConfig } from './reporter-config.ts'

export interface UploadLimits {
  maxFiles: number
  /** Of all files together. */
  maxBytes: number
  /** Of each of them. */
  maxFileBytes: number
}

/** The stricter of what the operator and the platform allow. */
export function uploadLimits(
  config: Pick<ReporterConfig, 'maxUploadFiles' | 'maxUploadBytes'>,
  limits: Pick<ChatLimits, 'maxFiles' | 'maxUploadBytes' | 'maxFileBytes'> | undefined,
): UploadLimits {
  const maxBytes = Math.min(config.maxUploadBytes, limits?.maxUploadBytes ?? config.maxUploadBytes)
  return {
    maxFiles: Math.min(config.maxUploadFiles, limits?.maxFiles ?? config.maxUploadFiles),
    maxBytes,
    maxFileBytes: Math.min(maxBytes, limits?.maxFileBytes ?? maxBytes),
  }
}

export type UploadChoice =
  | { kind: 'none' }
  | { kind: 'files'; files: readonly OutputFile[] }
  | { kind: 'zip'; totals: OutputTotals }
  | { kind: 'too_large'; totals: OutputTotals }

/** Text shrinks, films do not: more than this many times the limit is not even tried, for reading it takes its time. */
const ZIP_HOPE = 8

export async function chooseUpload(workspace: Workspace, taskId: number, limits: UploadLimits): Promise<UploadChoice> {
  const { files, totals, omitted } = await workspace.outputs(taskId)
  if (totals.files === 0) return { kind: 'none' }
  const isFew = omitted === 0 && files.length <= limits.maxFiles && totals.bytes <= limits.maxBytes
  if (isFew && files.every((file) => file.sizeBytes <= limits.maxFileBytes)) {
    return { kind: 'files', files: files.filter((file) => file.sizeBytes > 0) }
  }
  return { kind: totals.bytes > limits.maxFileBytes * ZIP_HOPE ? 'too_large' : 'zip', totals }
}

/** What can be uploaded; undefined when there is nothing, or when it is too large even as a zip. */
export async function openUpload(
  workspace: Workspace,
  taskId: number,
  choice: UploadChoice,
  limits: UploadLimits,
): Promise<readonly UploadFile[] | undefined> {
  if (choice.kind === 'files') {
    return choice.files.length === 0 ? undefined : choice.files.map((file) => uploadOf(workspace, taskId, file))
  }
  if (choice.kind !== 'zip') return undefined
  const bytes = await readBounded(await workspace.archive(taskId), limits.maxFileBytes)
  return bytes === undefined ? undefined : [uploadBytes(`task-${taskId}.zip`, bytes)]
}

export function uploadOf(workspace: Workspace, taskId: number, file: OutputFile): UploadFile {
  return {
    name: file.path.split('/').at(-1) ?? file.path,
    sizeBytes: file.sizeBytes,
    async open() {
      const opened = await workspace.openOutput(taskId, file.path)
      if (opened === undefined) throw new AdapterError('invalid', `${file.path} is no longer there.`)
      return opened.stream
    },
  }
}

export function uploadBytes(name: string, bytes: Buffer): UploadFile {
  return { name, sizeBytes: bytes.length, open: async () => Readable.from([bytes]) }
}

/** The last `maxBytes` of the stream, and how many came before them. */
export async function readEnd(stream: Readable, maxBytes: number): Promise<{ bytes: Buffer; dropped: number }> {
  let kept: Buffer[] = []
  let size = 0
  let dropped = 0
  stream.on('data', (chunk: Buffer) => {
    kept.push(chunk)
    size += chunk.length
    if (size <= maxBytes * 2) return
    const end = Buffer.concat(kept).subarray(-maxBytes)
    dropped += size - end.length
    kept = [Buffer.from(end)]
    size = end.length
  })
  await once(stream, 'end')
  const bytes = Buffer.concat(kept).subarray(-maxBytes)
  return { bytes, dropped: dropped + size - bytes.length }
}

/** What the result says of files that do not come as they are. */
export function uploadNote(taskId: number, choice: UploadChoice, limits: UploadLimits): string[] {
  if (choice.kind === 'zip') return [`The ${formatCount(choice.totals.files, 'file')} come as one zip.`]
  if (choice.kind !== 'too_large') return []
  return [
    `Too large to upload (over ${formatBytes(limits.maxFileBytes)}): \`${COMMAND} outputs ${taskId}\` lists the files.`,
  ]
}

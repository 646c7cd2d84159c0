import { createRequire } from 'node:module'
import { PassThrough, Readable } from 'node:stream'
import type { Logger } from '../ports/logger.ts'
import type { OutputFile } from '../ports/workspace.ts'
import { openOutput } from './outputs.ts'

const require = createRequire(import.meta.url)

/** These are compressed already. */
const PACKED =
  /^(?:image\/(?!svg|bmp)|video\/|audio\/|application\/(?:zip|gzip|x-bzip|x-xz|zstd|x-7z|x-rar|java-archive|pdf|vnd\.openxml))/

export interface ArchiveOptions {
  taskId: number
  work: string
  files: readonly OutputFile[]
  logger: Logger
}

/** One zip, made as it is read: each file is opened by the same safe way when its turn comes. Destroy it to stop early. */
export function archiveOf({ taskId, work, files, logger }: ArchiveOptions): Readable {
  const { ZipFile }: typeof import('yazl') = require('yazl')
  const zip = new ZipFile()
  const out = new PassThrough()
  let current: Readable | null = null
  const fail = (error: unknown): void => {
    out.destroy(error instanceof Error ? error : new Error(String(error)))
  }
  const open = async (path: string): Promise<Readable> => {
    const opened = out.destroyed ? undefined : await openOutput(work, path)
    if (opened === undefined) logger.warn({ taskId, path }, `[TASK ${taskId}] an output vanished while it was packed`)
    current = opened?.stream ?? Readable.from([])
    current.on('error', fail)
    // Left early while this file was being opened: nobody else would close it.
    if (out.destroyed) current.destroy()
    return current
  }
  const names = new Set<string>()
  for (const file of files) {
    const options = { mtime: new Date(file.modifiedAt), mode: 0o100600, compress: !PACKED.test(file.mimeType) }
    zip.addReadStreamLazy(zipName(file.path, names), options, (done) => {
      open(file.path).then((stream) => done(null, stream), fail)
    })
  }
  zip.on('error', fail)
  out.on('close', () => current?.destroy())
  zip.end()
  zip.outputStream.pipe(out)
  return out
}

/** Zip readers take a backslash for a folder: escapes are written with an underscore, and stay apart. */
function zipName(path: string, taken: Set<string>): string {
  const plain = path.replaceAll('\\', '_').replace(/^([A-Za-z]):/, '$1_')
  let name = plain
  for (let number = 2; taken.has(name); number++) name = `${plain}-${number}`
  taken.add(name)
  return name
}

/** Inputs that came in a request body wait here as files until the inbox has taken them into the task's workspace. */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Attachment } from '../../src/ports/inbox.ts'

const PREFIX = 'upload-'
/** A task whose inputs were not fetched by then has failed long ago. */
const MAX_AGE_MS = 24 * 60 * 60 * 1000

export interface Spool {
  /** Writes the bytes to a file of our own naming, readable by this program only. */
  add(name: string, bytes: Buffer): Promise<Attachment>
  /** Removes the files behind these attachments. May be called twice. */
  remove(attachments: readonly Attachment[]): Promise<void>
  /** Removes what an earlier run has left, once it is old. */
  sweep(nowMs: number): Promise<void>
}

export function createSpool(directory: string): Spool {
  return {
    async add(name, bytes) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const path = join(directory, `${PREFIX}${randomUUID()}`)
      await writeFile(path, bytes, { mode: 0o600, flag: 'wx' })
      return { name, sizeBytes: bytes.length, mimeType: null, source: { kind: 'path', path } }
    },
    async remove(attachments) {
      for (const { source } of attachments) if (source.kind === 'path') await rm(source.path, { force: true })
    },
    async sweep(nowMs) {
      for (const name of await names(directory)) {
        const path = join(directory, name)
        const found = name.startsWith(PREFIX) ? await stat(path) : undefined
        if (found !== undefined && nowMs - found.mtimeMs > MAX_AGE_MS) await rm(path, { force: true })
      }
    },
  }
}

async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch {
    // There is no folder before the first upload.
    return []
  }
}

import { Readable } from 'node:stream'
import type { LogTail, OutputFile, Workspace } from '../../src/ports/workspace.ts'

export interface MemoryWorkspace extends Workspace {
  print(taskId: number, text: string, at: number): void
  write(taskId: number, path: string, bytes: Buffer): void
  /** What `archive` answers; set it to make a zip large or broken. */
  zip: Buffer
  /** How often the log was read for a tail. */
  readonly tailReads: number
}

/** Logs and outputs of tasks held in memory, for parts that only read them. */
export function memoryWorkspace(): MemoryWorkspace {
  const logs = new Map<number, { text: string; at: number }>()
  const outputs = new Map<number, Map<string, Buffer>>()
  let tailReads = 0
  const filesOf = (taskId: number): Map<string, Buffer> => outputs.get(taskId) ?? new Map()
  const notHere = () => Promise.reject(new Error('this workspace only reads'))

  function toFile([path, bytes]: [string, Buffer]): OutputFile {
    return { path, sizeBytes: bytes.length, mimeType: 'application/octet-stream', modifiedAt: 0 }
  }

  async function tail(taskId: number, count: number): Promise<LogTail> {
    tailReads++
    const log = logs.get(taskId)
    const text = log?.text ?? ''
    const lines = text.split('\n').filter((line, index, all) => index < all.length - 1 || line !== '')
    return {
      lines: lines
        .slice(-count)
        .map((line) => ({ offset: 0, nextOffset: 0, text: line, ours: line.startsWith('[TASK ') })),
      endOffset: text.length,
      sizeBytes: text.length,
      lastWriteAt: log?.at ?? null,
    }
  }

  return {
    zip: Buffer.from('zip'),
    get tailReads() {
      return tailReads
    },
    print(taskId, text, at) {
      logs.set(taskId, { text: (logs.get(taskId)?.text ?? '') + text, at })
    },
    write(taskId, path, bytes) {
      outputs.set(taskId, filesOf(taskId).set(path, bytes))
    },
    directory: (taskId) => `task-${taskId}`,
    prepare: notHere,
    addInput: notHere,
    copyInput: notHere,
    openLog: notHere,
    tail,
    tailOfStep: (taskId, _step, count) => tail(taskId, count),
    follow: () => {
      throw new Error('this workspace does not follow')
    },
    async openWholeLog(taskId) {
      const log = logs.get(taskId)
      return log && { stream: Readable.from([Buffer.from(log.text)]), sizeBytes: log.text.length }
    },
    async outputs(taskId) {
      const files = [...filesOf(taskId)].map(toFile).toSorted((a, b) => (a.path < b.path ? -1 : 1))
      const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
      return { files, totals: { files: files.length, bytes }, omitted: 0 }
    },
    async openOutput(taskId, path) {
      const bytes = filesOf(taskId).get(path)
      return bytes && { file: toFile([path, bytes]), stream: Readable.from([bytes]) }
    },
    async archive() {
      return Readable.from([this.zip])
    },
    listing: async () => ({ files: [], omitted: 0 }),
    usedBytes: async () => 0,
    folders: async () => [],
    folderBytes: async () => 0,
    freeBytes: async () => 1e12,
    exists: async () => true,
    setAside: () => Promise.resolve(null),
    remove: async () => undefined,
  }
}

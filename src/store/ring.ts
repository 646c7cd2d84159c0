import { connect, type Socket } from 'node:net'
import { z } from 'zod'
import type { Commit } from './group-commit.ts'
import type { WakeFolder } from './wake-folder.ts'

/** A process that does not read (stopped, or very busy) is given up beyond this; it looks for itself later. */
const MAX_UNREAD_BYTES = 256 * 1024
const FAREWELL_MS = 250

/** What one process tells the others after a commit: a line of JSON. */
export const ringSchema = z.object({
  tasks: z.array(z.number()),
  deliveries: z.array(z.number()),
  firstEvent: z.number().nullable(),
  lastEvent: z.number(),
})
export type Ring = z.infer<typeof ringSchema>

export interface Ringer {
  ring(commit: Commit): void
  /** Settles when what was rung has left, or after a moment. */
  close(): Promise<void>
}

/** Keeps a connection to every listening process, and rings all of them. Never throws: a lost ring costs time, not work. */
export function createRinger(folder: WakeFolder, isOwn: (name: string) => boolean): Ringer {
  const bells = new Map<string, Socket>()

  function hang(name: string): void {
    const bell = connect(folder.address(name))
    bell.unref()
    bell.on('error', (error) => {
      // Its process is gone and left the socket behind. Any other trouble: the other side finds out by itself.
      if ('code' in error && error.code === 'ECONNREFUSED') folder.remove(name)
    })
    bell.on('close', () => {
      if (bells.get(name) === bell) bells.delete(name)
    })
    bells.set(name, bell)
  }

  function lookForOthers(): void {
    const names = folder.changedNames()
    if (names === undefined) return
    for (const name of names) if (!isOwn(name) && !bells.has(name)) hang(name)
  }

  return {
    ring(commit) {
      lookForOthers()
      if (bells.size === 0) return
      const ring: Ring = { ...commit, tasks: [...commit.tasks], deliveries: [...commit.deliveries] }
      const line = `${JSON.stringify(ring)}\n`
      for (const bell of bells.values()) {
        if (bell.writableLength > MAX_UNREAD_BYTES) bell.destroy()
        else if (!bell.destroyed) bell.write(line)
      }
    },
    async close() {
      await Promise.all([...bells.values()].map(farewell))
    },
  }
}

function farewell(bell: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (bell.destroyed) return resolve()
    const timer = setTimeout(() => bell.destroy(), FAREWELL_MS)
    bell.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    bell.ref()
    bell.end(() => bell.destroy())
  })
}

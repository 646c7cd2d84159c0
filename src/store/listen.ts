import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { renameSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { type Ring, ringSchema } from './ring.ts'
import type { WakeFolder } from './wake-folder.ts'

/** A longer line is nobody's of ours. */
const MAX_LINE_CHARACTERS = 1024 * 1024

export interface Listener {
  readonly name: string
  close(): Promise<void>
}

/**
 * Hears the rings of other processes. `onRing` gets undefined for a line that cannot be read: something has changed.
 * The socket gets its name when it can be connected to, so that nobody takes it for one left behind.
 */
export async function listen(folder: WakeFolder, onRing: (ring: Ring | undefined) => void): Promise<Listener> {
  const name = `${process.pid}.${randomBytes(4).toString('hex')}.sock`
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.unref()
    socket.on('close', () => sockets.delete(socket))
    // A process that died while it rang: what it had committed is found by the slow look.
    socket.on('error', () => socket.destroy())
    hear(socket, onRing)
  })
  server.listen(folder.address(`${name}.new`))
  await once(server, 'listening')
  renameSync(folder.address(`${name}.new`), folder.address(name))
  return {
    name,
    async close() {
      for (const socket of sockets) socket.destroy()
      await closed(server)
      folder.remove(name)
    },
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

function hear(socket: Socket, onRing: (ring: Ring | undefined) => void): void {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE_CHARACTERS) socket.destroy()
    for (const line of lines) onRing(parseRing(line))
  })
}

function parseRing(line: string): Ring | undefined {
  try {
    return ringSchema.parse(JSON.parse(line))
  } catch {
    // Another version rings in other words: it is still a ring.
    return undefined
  }
}

import { closeSync, openSync, rmSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'

/** Listens on a unix socket, through a descriptor of its folder: the path of one may have 107 bytes only. One that is there goes. */
export async function listenIn(folder: string, name: string, server: Server): Promise<void> {
  rmSync(join(folder, name), { force: true })
  const descriptor = openSync(folder, 'r')
  try {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(`/proc/self/fd/${descriptor}/${name}`, resolve)
    await promise
  } finally {
    closeSync(descriptor)
  }
}

import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Of a unix socket's address, with its final zero (sun_path of Linux is 108, of macOS 104). */
const MAX_SOCKET_PATH_BYTES = 103
const LONGEST_NAME = '4194304.xxxxxxxx.sock'.length
/** A folder changed within this time may change again without another time stamp. */
const TIMESTAMP_GRAIN_MS = 50

/** The folder beside the database in which each listening process has its socket. */
export interface WakeFolder extends Disposable {
  /** A path to the socket that the operating system takes, however deep the folder is. */
  address(name: string): string
  /** Names of the sockets, read again only when the folder has changed; undefined when it has not. */
  changedNames(): readonly string[] | undefined
  remove(name: string): void
}

/**
 * Throws where the folder cannot be made, or its path is too long for sockets and this system has no other way to it.
 * Linux reaches a deep folder through a descriptor of it: /proc/self/fd/N/name is short.
 */
export function openWakeFolder(file: string): WakeFolder {
  const folder = `${file}.wake`
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const isLong = Buffer.byteLength(folder) + 1 + LONGEST_NAME > MAX_SOCKET_PATH_BYTES
  if (isLong && process.platform !== 'linux') throw new Error('its path is too long for a socket')
  const descriptor = isLong ? openSync(folder, 'r') : null
  const base = descriptor === null ? folder : `/proc/self/fd/${descriptor}`
  let lastRead = -1
  return {
    address: (name) => join(base, name),
    changedNames() {
      const changedAt = statSync(folder).mtimeMs
      if (changedAt === lastRead) return undefined
      lastRead = Date.now() - changedAt > TIMESTAMP_GRAIN_MS ? changedAt : -1
      return readdirSync(folder).filter((name) => name.endsWith('.sock'))
    },
    remove: (name) => rmSync(join(folder, name), { force: true }),
    [Symbol.dispose]() {
      if (descriptor !== null) closeSync(descriptor)
    },
  }
}

/** The process table, looked at from outside. */
import { readdirSync, readFileSync } from 'node:fs'

export interface SeenProcess {
  pid: number
  /** Ticks since boot: with it, a pid that is used again is another process. */
  startedAt: string
  command: string
}

/** Processes, zombies left out, that have `word` in their command line. */
export function processesWith(word: string): SeenProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      const command = readOr(`/proc/${name}/cmdline`)
      if (!command.includes(word)) return []
      const stat = readOr(`/proc/${name}/stat`)
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return stat === '' || fields[0] === 'Z' || fields[0] === 'X'
        ? []
        : [{ pid: Number(name), startedAt: fields[19] ?? '', command: command.replaceAll('\0', ' ') }]
    })
}

export function isSame(a: SeenProcess, b: SeenProcess): boolean {
  return a.pid === b.pid && a.startedAt === b.startedAt
}

/** Open descriptors and resident memory of a process; undefined when it is gone. */
export function footprint(pid: number): { descriptors: number; residentBytes: number } | undefined {
  const status = readOr(`/proc/${pid}/status`)
  const kilobytes = /^VmRSS:\s+([0-9]+) kB$/m.exec(status)?.[1]
  if (kilobytes === undefined) return undefined
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, residentBytes: Number(kilobytes) * 1024 }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // It ended while we looked.
    return ''
  }
}

import { readFileSync } from 'node:fs'
import type { SandboxLimits } from '../ports/sandbox.ts'
import type { Breach } from './breach.ts'
import { allChildrenOf } from './process-tree.ts'

/** bwrap's first process inside, the supervisor, the terminator, two lanes, and the runner that waits are not the task's. */
const OWN_PROCESSES = 6
/** Of a page and of a clock tick: what Linux tells user space on the architectures that we have a filter for, with 4 KiB pages. */
const PAGE_BYTES = 4096
const TICKS_PER_SECOND = 100

/** In the order in which a breach is told. */
export const SUMMED_LIMITS = ['memory', 'processes', 'cpu'] as const
export type SummedLimit = (typeof SUMMED_LIMITS)[number]

interface Usage {
  pid: number
  threads: number
  residentBytes: number
  /** With that of its children that were waited for. */
  cpuSeconds: number
}

/**
 * Where no cgroup counts: adds up what the processes of a task use, looked at from outside. Everything inside is a descendant of
 * the namespace's first process, whatever it does to get away. A look can miss a peak between two; it never ends a task
 * for pages that are shared, and the limits of single processes hold besides.
 */
export class ProcessSums {
  readonly #limits: SandboxLimits
  readonly #first: () => number | undefined
  readonly #wanted: ReadonlySet<SummedLimit>

  constructor(limits: SandboxLimits, wanted: ReadonlySet<SummedLimit>, first: () => number | undefined) {
    this.#limits = limits
    this.#wanted = wanted
    this.#first = first
  }

  /** The first limit that is passed now. */
  breach(): Breach | undefined {
    const first = this.#first()
    if (this.#wanted.size === 0 || first === undefined) return undefined
    const { memoryBytes, processes, cpuSeconds } = this.#limits
    const all = usageBelow(first)
    const sum = (of: (usage: Usage) => number) => all.reduce((total, usage) => total + of(usage), 0)
    const isPassed: Record<SummedLimit, () => boolean> = {
      memory: () => sum((usage) => usage.residentBytes) > memoryBytes && sum(privateBytes) > memoryBytes,
      processes: () => sum((usage) => usage.threads) > processes + OWN_PROCESSES,
      cpu: () => sum((usage) => usage.cpuSeconds) > cpuSeconds,
    }
    const allowed = { memory: memoryBytes, processes, cpu: cpuSeconds }
    const limit = SUMMED_LIMITS.find((kind) => this.#wanted.has(kind) && isPassed[kind]())
    return limit === undefined ? undefined : { limit, allowed: allowed[limit] }
  }
}

function usageBelow(first: number): Usage[] {
  const found: Usage[] = []
  for (const left = [first]; left.length > 0; ) {
    const pid = left.pop() ?? first
    const usage = usageOf(pid)
    if (usage === undefined) continue
    found.push(usage)
    left.push(...allChildrenOf(pid, usage.threads))
  }
  return found
}

/** The command name is in brackets and may hold anything; numbers are the fields after it, counted from 3. */
function usageOf(pid: number): Usage | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = (number: number) => Number(fields[number - 3])
  if (fields.length < 22) return undefined
  const ticks = field(14) + field(15) + field(16) + field(17)
  return {
    pid,
    threads: field(20),
    residentBytes: field(24) * PAGE_BYTES,
    cpuSeconds: ticks / TICKS_PER_SECOND,
  }
}

/** Shared pages by shares, so that a large process that forks is not counted twice; files that are only mapped not at all. */
function privateBytes({ pid, residentBytes }: Usage): number {
  const text = readText(`/proc/${pid}/smaps_rollup`)
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN)
  const bytes = (kilobytes('Pss_Anon') + kilobytes('Pss_Shmem')) * 1024
  return Number.isNaN(bytes) ? residentBytes : bytes
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    // Gone, or it does not let itself be looked at.
    return ''
  }
}

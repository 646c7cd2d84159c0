import { closeSync, existsSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { SandboxLimits } from '../ports/sandbox.ts'
import type { Breach } from './breach.ts'
import { SUMMED_LIMITS, type SummedLimit } from './process-sums.ts'
import { killNow, until } from './process-tree.ts'

export interface GroupPowers {
  memory: boolean
  processes: boolean
  cpu: boolean
  kill: boolean
}

export interface GroupFolder {
  path: string
  version: 1 | 2
  controllers: ReadonlySet<string>
}

/** bwrap, its first process inside, the supervisor, the terminator, two lanes, and the runner that waits are not the task's. */
const OWN_PROCESSES = 7

/** The group of one task, in every tree that can be used. */
export class TaskGroup {
  readonly #folders: readonly GroupFolder[]
  readonly #counterFiles: CounterFile[] = []
  #counters: { read: () => number; breach: Breach }[] = []

  constructor(folders: readonly GroupFolder[]) {
    this.#folders = folders
  }

  /** Before anything of the task runs in it. Throws when the kernel does not take one. */
  limit(limits: SandboxLimits): void {
    for (const folder of this.#folders) setLimits(folder, limits)
    this.#counters = [
      { read: this.#kills(), breach: { limit: 'memory', allowed: limits.memoryBytes } },
      { read: this.#refusedForks(), breach: { limit: 'processes', allowed: limits.processes } },
      { read: this.#overtime(limits.cpuSeconds), breach: { limit: 'cpu', allowed: limits.cpuSeconds } },
    ]
  }

  /** What holds for the processes that are in it now, as the kernel says. */
  powers(): GroupPowers {
    const isInside = this.pids().length > 0
    const has = (controller: string, ...files: string[]) => {
      const folder = this.#with(controller)
      if (!isInside || folder === undefined) return false
      return files.some((file) => /^\d+$/.test(readText(join(folder.path, file)).trim()))
    }
    return {
      memory: has('memory', 'memory.max', 'memory.limit_in_bytes'),
      processes: has('pids', 'pids.max'),
      cpu: has('cpu', 'cpu.weight', 'cpu.shares'),
      kill: isInside && this.#killFile() !== undefined,
    }
  }

  /** Limits of sums that the kernel counts and tells of in this group. */
  get counts(): ReadonlySet<SummedLimit> {
    const kinds: Record<SummedLimit, boolean> = {
      memory: this.#with('memory') !== undefined,
      processes: this.#with('pids') !== undefined,
      cpu: this.#with('cpuacct') !== undefined || this.#folders.some((folder) => folder.version === 2),
    }
    return new Set(SUMMED_LIMITS.filter((kind) => kinds[kind]))
  }

  /** Files that a process writes its id into to enter. */
  get entrances(): string[] {
    return this.#folders.map((folder) => join(folder.path, 'cgroup.procs'))
  }

  /** The first limit that has been passed since the group was made. */
  breach(): Breach | undefined {
    return this.#counters.find((counter) => counter.read() > 0)?.breach
  }

  /** Ends every process in the group at once; false where the kernel cannot. */
  kill(): boolean {
    const file = this.#killFile()
    if (file === undefined) return false
    writeFileSync(file, '1')
    return true
  }

  /** Settles when no process is in the group any more. */
  async gone(): Promise<void> {
    await until(() => this.pids().length === 0)
  }

  pids(): number[] {
    const [folder] = this.#folders
    if (folder === undefined) return []
    return readText(join(folder.path, 'cgroup.procs')).split('\n').filter(Boolean).map(Number)
  }

  killEach(): void {
    for (const pid of this.pids()) killNow(pid)
  }

  /** After `gone`. Memory that a file system still holds may keep a group for a moment: the sweep takes what is left. */
  async remove(): Promise<void> {
    for (const file of this.#counterFiles.splice(0)) file.close()
    await Promise.all(this.#folders.map((folder) => rmdir(folder.path).catch(() => undefined)))
  }

  #killFile(): string | undefined {
    return this.#folders.map((folder) => join(folder.path, 'cgroup.kill')).find((path) => existsSync(path))
  }

  #kills(): () => number {
    const folder = this.#with('memory')
    if (folder === undefined) return never
    const file = this.#counterFile(folder, folder.version === 1 ? 'memory.oom_control' : 'memory.events')
    return () => counterIn(file.read(), 'oom_kill')
  }

  #refusedForks(): () => number {
    const folder = this.#with('pids')
    if (folder === undefined) return never
    const file = this.#counterFile(folder, 'pids.events')
    return () => counterIn(file.read(), 'max')
  }

  /** Microseconds above the limit. A tree of version 2 counts time even without its controller. */
  #overtime(cpuSeconds: number): () => number {
    const allowed = cpuSeconds * 1e6
    const second = this.#folders.find((folder) => folder.version === 2)
    if (second !== undefined) {
      const file = this.#counterFile(second, 'cpu.stat')
      return () => counterIn(file.read(), 'usage_usec') - allowed
    }
    const first = this.#with('cpuacct')
    if (first === undefined) return never
    const file = this.#counterFile(first, 'cpuacct.usage')
    return () => Number(file.read()) / 1e3 - allowed
  }

  #counterFile(folder: GroupFolder, name: string): CounterFile {
    const file = openCounterFile(join(folder.path, name))
    this.#counterFiles.push(file)
    return file
  }

  #with(controller: string): GroupFolder | undefined {
    return this.#folders.find((folder) => folder.controllers.has(controller))
  }
}

function setLimits(folder: GroupFolder, limits: SandboxLimits): void {
  const set = (file: string, value: number | string) => writeFileSync(join(folder.path, file), String(value))
  const processes = limits.processes + OWN_PROCESSES
  if (folder.controllers.has('pids')) set('pids.max', processes)
  if (folder.version === 1) {
    if (folder.controllers.has('memory')) {
      set('memory.limit_in_bytes', limits.memoryBytes)
      // Where swap is not accounted for, this file does not exist; memory is limited all the same.
      writeIfThere(join(folder.path, 'memory.memsw.limit_in_bytes'), String(limits.memoryBytes))
    }
    // Half of what the program itself weighs: a busy task must not starve it.
    if (folder.controllers.has('cpu')) set('cpu.shares', 512)
    return
  }
  if (folder.controllers.has('memory')) {
    set('memory.max', limits.memoryBytes)
    writeIfThere(join(folder.path, 'memory.swap.max'), '0')
    writeIfThere(join(folder.path, 'memory.oom.group'), '1')
  }
  if (folder.controllers.has('cpu')) set('cpu.weight', 50)
}

/** Some kernels lack the file; the limit beside it holds all the same. */
function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'r+' })
  } catch {
    // As the name says.
  }
}

function never(): number {
  return 0
}

interface CounterFile {
  /** As it is now; '' when it cannot be read, or the group is gone. */
  read(): string
  close(): void
}

const counterText = Buffer.allocUnsafe(4096)

/** Kept open: it is read after every step, and to open it takes longer. */
function openCounterFile(path: string): CounterFile {
  const descriptor = attempt(() => openSync(path, 'r'))
  return {
    read() {
      if (descriptor === undefined) return ''
      const bytes = attempt(() => readSync(descriptor, counterText, 0, counterText.length, 0)) ?? 0
      return counterText.toString('latin1', 0, bytes)
    },
    close() {
      if (descriptor !== undefined) closeSync(descriptor)
    },
  }
}

/** Of lines "name value". */
function counterIn(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}

function readText(path: string): string {
  return attempt(() => readFileSync(path, 'latin1')) ?? ''
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    // The group is gone: it counts nothing any more.
    return undefined
  }
}

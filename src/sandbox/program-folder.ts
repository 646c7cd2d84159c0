/**
 * What one running program keeps on disk for its sandboxes: `run-<pid>-<start time>` in the state directory. The start time
 * tells a program from a later one with the same pid; a folder whose program is gone is a leftover that anyone may sweep.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { SandboxError } from '../ports/sandbox.ts'
import { emptyPipe } from './output-pipe.ts'
import { programPath } from './programs.ts'
import { seccompFilter } from './seccomp.ts'

export interface PipePlace {
  pipe: string
  arguments: string
}

const KIT = {
  passwd: 'task:x:1000:1000:task:/task:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n',
  group: 'task:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
} as const

/** Made on first use: an import, or a program that runs no task, leaves nothing behind. */
export class ProgramFolder {
  readonly #stateDirectory: string
  readonly path: string
  readonly #free: PipePlace[] = []
  #made = 0
  #making: Promise<void> = Promise.resolve()

  constructor(stateDirectory: string) {
    this.#stateDirectory = stateDirectory
    this.path = join(stateDirectory, runName(process.pid))
  }

  get kit(): string {
    return join(this.path, 'kit')
  }

  /** A named pipe and a place for arguments that no other task uses now. */
  async take(atOnce: number): Promise<PipePlace> {
    const making = this.#making.then(() => (this.#free.length === 0 ? this.#make(Math.max(1, atOnce)) : undefined))
    this.#making = making.catch(() => undefined)
    await making
    return this.#free.pop() ?? this.take(atOnce)
  }

  giveBack(place: PipePlace): void {
    emptyPipe(place.pipe)
    this.#free.push(place)
  }

  /** Folders of programs that are gone. */
  removeLeftovers(): void {
    for (const name of namesIn(this.#stateDirectory)) {
      if (isLeftover(name)) rmSync(join(this.#stateDirectory, name), { recursive: true, force: true })
    }
  }

  async #make(count: number): Promise<void> {
    if (this.#made === 0) this.#makeKit()
    const places = Array.from({ length: count }, (_, index) => ({
      pipe: join(this.path, `pipe-${this.#made + index}`),
      arguments: join(this.path, `arguments-${this.#made + index}`),
    }))
    const pipes = places.map(({ pipe }) => pipe)
    const result = await execa(programPath('mkfifo'), ['-m', '600', '--', ...pipes], {
      reject: false,
      env: {},
      extendEnv: false,
    })
    if (result.exitCode !== 0) throw new SandboxError('state_directory', `cannot make a named pipe: ${result.stderr}`)
    this.#made += count
    this.#free.push(...places)
  }

  #makeKit(): void {
    rmSync(this.path, { recursive: true, force: true })
    mkdirSync(this.kit, { recursive: true, mode: 0o700 })
    for (const [name, text] of Object.entries(KIT)) writeFileSync(join(this.kit, name), text)
    writeFileSync(join(this.kit, 'seccomp'), seccompFilter(process.arch) ?? '')
  }
}

/** `run-<pid>-<start time in clock ticks since boot>`. */
export function runName(pid: number): string {
  return `run-${pid}-${startTime(pid)}`
}

/** Whether `name` is of our making and its program is gone. */
export function isLeftover(name: string): boolean {
  const match = /^run-(\d+)-(\d+)$/.exec(name)
  if (match === null) return false
  return startTime(Number(match[1])) !== match[2]
}

function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command name is in brackets and may hold anything; the start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    // There is no such process.
    return '0'
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Nothing was ever kept there.
    return []
  }
}

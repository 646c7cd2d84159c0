/** What one running program keeps on disk for its sandboxes. A folder whose program is gone is a leftover that anyone may sweep. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { SandboxError } from '../ports/sandbox.ts'
import { emptyPipe } from './output-pipe.ts'
import { programPath } from './programs.ts'
import { isLeftover, runName } from './run-name.ts'
import { seccompFilter } from './seccomp.ts'

const PLACES = 'cgroup-places'

const KIT = {
  passwd: 'task:x:1000:1000:task:/task:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n',
  group: 'task:x:1000:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
} as const

/** Made on first use: an import, or a program that runs no task, leaves nothing behind. */
export class ProgramFolder {
  readonly #stateDirectory: string
  readonly #places: readonly string[]
  readonly path: string
  readonly #free: string[] = []
  #made = 0
  #making: Promise<void> = Promise.resolve()

  /** `places` are the folders in which this program makes cgroups. */
  constructor(stateDirectory: string, places: readonly string[]) {
    this.#stateDirectory = stateDirectory
    this.#places = places
    this.path = join(stateDirectory, runName(process.pid))
  }

  /** A named pipe that no other task uses now. */
  async take(atOnce: number): Promise<string> {
    const making = this.#making.then(() => (this.#free.length === 0 ? this.#make(Math.max(1, atOnce)) : undefined))
    this.#making = making.catch(() => undefined)
    await making
    return this.#free.pop() ?? this.take(atOnce)
  }

  giveBack(pipe: string): void {
    emptyPipe(pipe)
    this.#free.push(pipe)
  }

  /** Where programs that are gone had their cgroups, as they wrote it down. */
  leftoverPlaces(): string[] {
    return this.#leftovers().flatMap((path) => linesOf(join(path, PLACES)))
  }

  /** Folders in which unsandboxed tasks of programs that are gone kept their state. */
  leftoverStates(): string[] {
    return this.#leftovers().flatMap((path) =>
      namesIn(path)
        .filter((name) => name.startsWith('state-'))
        .map((name) => join(path, name)),
    )
  }

  /** Folders of programs that are gone. */
  removeLeftovers(): void {
    for (const path of this.#leftovers()) rmSync(path, { recursive: true, force: true })
  }

  #leftovers(): string[] {
    const names = namesIn(this.#stateDirectory).filter(isLeftover)
    return names.map((name) => join(this.#stateDirectory, name))
  }

  async #make(count: number): Promise<void> {
    if (this.#made === 0) this.#makeKit()
    const pipes = Array.from({ length: count }, (_, index) => join(this.path, `pipe-${this.#made + index}`))
    const result = await execa(programPath('mkfifo'), ['-m', '600', '--', ...pipes], {
      reject: false,
      env: {},
      extendEnv: false,
    })
    if (result.exitCode !== 0) throw new SandboxError('state_directory', `cannot make a named pipe: ${result.stderr}`)
    this.#made += count
    this.#free.push(...pipes)
  }

  #makeKit(): void {
    rmSync(this.path, { recursive: true, force: true })
    const kit = join(this.path, 'kit')
    mkdirSync(kit, { recursive: true, mode: 0o700 })
    for (const [name, text] of Object.entries(KIT)) writeFileSync(join(kit, name), text)
    writeFileSync(join(kit, 'seccomp'), seccompFilter(process.arch) ?? '')
    writeFileSync(join(this.path, PLACES), this.#places.join('\n'))
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

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean)
  } catch {
    // It ended before it had any.
    return []
  }
}

/** Launchers started before there is a task for them: a program, its cgroups and its place, for one task and never a second. */
import { type Launched, launch } from './launch.ts'
import type { PipePlace, ProgramFolder } from './program-folder.ts'
import { programPath } from './programs.ts'
import { BUBBLEWRAP_LAUNCHER, NO_STARTUP_FILES, SUPERVISOR_PATH } from './shell-programs.ts'
import type { TaskGroup } from './task-group.ts'
import type { TaskGroups } from './task-groups.ts'

interface Started {
  place: PipePlace
  group: TaskGroup | undefined
  launched: Launched
}

export interface Launcher extends Started {
  /** Ends it, when it is no box yet; settles when it is gone. What it held is given back afterwards. */
  release(): Promise<void>
}

export interface LaunchersOptions {
  folder: ProgramFolder
  groups: TaskGroups
  /** How many are kept ready, less those that are taken. */
  slots: number
  /** Whether tasks get a uid of their own, and so a mount namespace to show them their folder. */
  isRoot: boolean
}

export class Launchers implements AsyncDisposable {
  readonly #options: LaunchersOptions
  readonly #ready = new Set<Promise<Started>>()
  readonly #clearing = new Set<Promise<void>>()
  #taken = 0
  #isPrepared = false
  #isOver = false

  constructor(options: LaunchersOptions) {
    this.#options = options
  }

  /** One that nobody else has; started now when none is ready. Release it when nothing of the task is left. */
  async take(): Promise<Launcher> {
    const [ready = this.#start()] = this.#ready
    this.#ready.delete(ready)
    this.#taken += 1
    try {
      const started = await ready
      started.launched.hold(true)
      return { ...started, release: () => this.#release(started) }
    } catch (error) {
      this.#taken -= 1
      throw error
    }
  }

  /** Starts as many as may be wanted at once, now and after each task. What cannot be started is told to whoever takes one. */
  prepare(): void {
    this.#isPrepared = true
    while (!this.#isOver && this.#ready.size + this.#taken < this.#options.slots) {
      const starting = this.#start()
      this.#ready.add(starting)
      // Whoever killed it, or whatever was wrong: the next task starts one of its own and is told.
      const drop = () => this.#ready.delete(starting)
      starting.then(async (started) => {
        await started.launched.exited
        if (drop()) await this.#end(started)
      }, drop)
    }
  }

  /** Ends those that wait, and settles when nothing is held any more. May be called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    const ready = [...this.#ready]
    this.#ready.clear()
    await Promise.allSettled(ready.map(async (starting) => this.#end(await starting)))
    await Promise.all(this.#clearing)
  }

  /** To start a process stops this one for some milliseconds: whoever waits for the end of the task goes first. */
  async #release(started: Started): Promise<void> {
    this.#taken -= 1
    const { cleared } = await this.#end(started)
    void cleared.then(() => this.#isPrepared && this.prepare())
  }

  async #end({ launched, place, group }: Started): Promise<{ cleared: Promise<void> }> {
    launched.hold(true)
    for (const socket of [launched.terminator, launched.control, ...launched.lanes]) socket.destroy()
    launched.kill()
    await launched.exited
    const cleared = this.#clear(place, group)
    this.#clearing.add(cleared)
    void cleared.then(() => this.#clearing.delete(cleared))
    return { cleared }
  }

  /** The kernel takes its time over a cgroup, and nobody who waits for the end of a task has to. */
  async #clear(place: PipePlace, group: TaskGroup | undefined): Promise<void> {
    await group?.remove()
    try {
      this.#options.folder.giveBack(place)
    } catch {
      // Somebody removed it; the next task gets another.
    }
  }

  async #start(): Promise<Started> {
    const { folder, groups, slots, isRoot } = this.#options
    const place = await folder.take(slots)
    const group = await groups.create()
    const program = [...NO_STARTUP_FILES, '-c', BUBBLEWRAP_LAUNCHER, 'bash']
    const parameters = [...program, folder.kit, programPath('bwrap'), SUPERVISOR_PATH]
    const entrances = group?.entrances ?? []
    const launched = launch(
      // A copy of the mounts that follows what is mounted on the host meanwhile, and never the other way round.
      isRoot
        ? {
            file: programPath('unshare'),
            parameters: ['--mount', '--propagation', 'slave', '/bin/bash', ...parameters, ...entrances],
          }
        : { file: '/bin/bash', parameters: [...parameters, ...entrances] },
    )
    launched.hold(false)
    return { place, group, launched }
  }
}

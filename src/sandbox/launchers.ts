/** Launchers started before there is a task for them: a program, its cgroups and its place, for one task and never a second. */
import { type Launched, launch } from './launch.ts'
import type { PipePlace, ProgramFolder } from './program-folder.ts'
import { programPath } from './programs.ts'
import { BUBBLEWRAP_LAUNCHER, SUPERVISOR_PATH } from './shell-programs.ts'
import type { TaskGroup } from './task-group.ts'
import type { TaskGroups } from './task-groups.ts'

export interface Launcher {
  place: PipePlace
  group: TaskGroup | undefined
  launched: Launched
  /** Ends the launcher, when it is no box yet, and gives back what it holds. */
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
  readonly #ready = new Set<Promise<Launcher>>()
  #taken = 0
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
      const launcher = await ready
      launcher.launched.hold(true)
      return { ...launcher, release: () => this.#release(launcher) }
    } catch (error) {
      this.#taken -= 1
      throw error
    }
  }

  /** Starts as many as may be wanted at once. What cannot be started is told to whoever takes one. */
  prepare(): void {
    while (!this.#isOver && this.#ready.size + this.#taken < this.#options.slots) {
      const starting = this.#start()
      this.#ready.add(starting)
      // Whoever killed it, or whatever was wrong: the next task starts one of its own and is told.
      const drop = () => this.#ready.delete(starting)
      starting.then(async (launcher) => {
        await launcher.launched.exited
        if (drop()) await launcher.release()
      }, drop)
    }
  }

  /** Ends those that wait. May be called twice. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    const ready = [...this.#ready]
    this.#ready.clear()
    await Promise.allSettled(ready.map(async (starting) => (await starting).release()))
  }

  async #release(launcher: Launcher): Promise<void> {
    this.#taken -= 1
    await launcher.release()
  }

  async #start(): Promise<Launcher> {
    const { folder, groups, slots, isRoot } = this.#options
    const place = await folder.take(slots)
    const group = await groups.create()
    const parameters = ['-c', BUBBLEWRAP_LAUNCHER, 'bash', folder.kit, programPath('bwrap'), SUPERVISOR_PATH]
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
    const release = async () => {
      launched.hold(true)
      launched.terminator.destroy()
      launched.control.destroy()
      launched.steps.destroy()
      launched.kill()
      await launched.exited
      await group?.remove()
      folder.giveBack(place)
    }
    return { place, group, launched, release }
  }
}

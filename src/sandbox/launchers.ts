/** Launchers started before there is a task for them: a program, its cgroups and its pipe, for one task and never a second. */
import type { Launched } from './launch.ts'
import type { ProgramFolder } from './program-folder.ts'
import { Starter } from './starter.ts'
import type { TaskGroup } from './task-group.ts'
import type { TaskGroups } from './task-groups.ts'

interface Started {
  /** Path of the named pipe for what its task prints. */
  pipe: string
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
  #starter: Promise<Starter> | undefined
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
    const starter = await this.#starter?.catch(() => undefined)
    await starter?.[Symbol.asyncDispose]()
  }

  /** Whoever waits for the end of the task goes first. */
  async #release(started: Started): Promise<void> {
    this.#taken -= 1
    const { cleared } = await this.#end(started)
    void cleared.then(() => this.#isPrepared && this.prepare())
  }

  async #end({ launched, pipe, group }: Started): Promise<{ cleared: Promise<void> }> {
    launched.hold(true)
    for (const socket of [launched.control, ...launched.lanes]) socket.destroy()
    launched.kill()
    await launched.exited
    const cleared = this.#clear(pipe, group)
    this.#clearing.add(cleared)
    void cleared.then(() => this.#clearing.delete(cleared))
    return { cleared }
  }

  /** The kernel takes its time over a cgroup, and nobody who waits for the end of a task has to. */
  async #clear(pipe: string, group: TaskGroup | undefined): Promise<void> {
    await group?.remove()
    try {
      this.#options.folder.giveBack(pipe)
    } catch {
      // Somebody removed it; the next task gets another.
    }
  }

  async #start(): Promise<Started> {
    const { folder, groups, slots } = this.#options
    const pipe = await folder.take(slots)
    const group = await groups.create()
    try {
      const starter = await this.#openStarter()
      const launched = await starter.start(group?.entrances ?? [])
      launched.hold(false)
      return { pipe, group, launched }
    } catch (error) {
      await this.#clear(pipe, group)
      throw error
    }
  }

  /** One for all, while it lives. */
  #openStarter(): Promise<Starter> {
    if (this.#starter !== undefined) return this.#starter
    const { folder, isRoot } = this.#options
    const forget = () => {
      this.#starter = undefined
    }
    this.#starter = Starter.open({ folder: folder.path, isRoot, onGone: forget })
    this.#starter.catch(forget)
    return this.#starter
  }
}

import type { Writable } from 'node:stream'
import type { ControlChannel } from './control-channel.ts'
import type { LimitWatch } from './limit-watch.ts'
import type { OutputPipe } from './output-pipe.ts'

/** The started processes of one task, sandboxed or not: what a session needs of them. */
export interface Box {
  readonly control: ControlChannel
  readonly output: OutputPipe
  /** Two that take turns: while a step runs in one, the next one's runner starts in the other. */
  readonly lanes: readonly [Writable, Writable]
  /** Whether no step has left anything running, when the supervisor sees this many processes and no runner waits. */
  isIdle(processes: number): boolean
  /** False when a process of the supervisor has been ended, though others go on: nobody would report on the step. */
  isSupervised(): boolean
  /** Whether the outermost process is there now; not to be asked after `exited`, when its number may be another's. */
  isThere(): boolean
  /** Settles when the outermost process is gone; others may live for a moment longer. */
  readonly exited: Promise<void>
  readonly limits: LimitWatch
  /** Ends every process at once. May be called twice. */
  kill(): void
  /** Settles when no process of the task is left. */
  gone(): Promise<void>
  /** Gives back what the box held on the host, after `gone`. */
  release(): Promise<void>
}

/** What the CLI needs from the program around it. Every method is called only by the commands that need it, so that nothing else loads. */
import type { Actor } from '../../src/core/actor.ts'
import type { Platform } from '../../src/core/task.ts'
import type { Decision, PlanVerdict, RiskBadge } from '../../src/core/verdict.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'

/** Where text goes. Node's own streams satisfy it. */
export interface TextStream extends NodeJS.WritableStream {
  isTTY?: boolean
  columns?: number
  rows?: number
}

export type Role = 'worker' | 'api' | 'chat'

/** The store is open, and whoever runs the CLI may do everything: they can read it anyway. */
export interface CliClient extends AsyncDisposable {
  inbox: Inbox
  actor: Actor
  /** Rounds that a task may have, for "round 2 of 3". */
  maxRounds: number | null
  /** Said with a task whose commands are less protected than promised; null when all is well. */
  sandboxWarning: string | null
  /** Chats without tokens: their threads are told of nothing. */
  chatsOff: readonly Platform[]
  /** Whether a worker that is alive, in another process, takes tasks from this store. */
  workerElsewhere(): Promise<boolean>
  /** A worker in this process that takes that task only. Disposing lets it stop as a worker does: gracefully. */
  startWorker(options: { only: number }): Promise<AsyncDisposable>
}

export interface StartPart {
  /** "Worker", "Slack", "Model" */
  name: string
  state: 'on' | 'off' | 'problem'
  /** "qwen3:8b on http://127.0.0.1:11434" */
  detail: string
  /** The one thing that would turn it on or make it whole; null when there is nothing to do. */
  fix: string | null
}

/** What a person sees on one screen after `assistant start`. */
export interface StartStatus {
  version: string
  /** Where tasks.db and tasks/ are. */
  home: string
  parts: readonly StartPart[]
  /** Said loudly: commands run without a sandbox, nobody is on the lists. */
  warnings: readonly string[]
  /** Ways in that work now; null for those that don't. */
  ask: {
    api: string | null
    slack: string | null
    discord: string | null
    /** A model is there: plain words work, not only verbatim commands. */
    model: boolean
    /** A worker runs here or elsewhere. */
    worker: boolean
  }
}

export interface RunningRoles {
  status: StartStatus
  /** Settles when everything has stopped by itself or by `stop`; rejects with what ended it otherwise. */
  stopped: Promise<void>
  /** Stops claiming, lets tasks use their grace period. May be called twice. */
  stop(): void
}

export interface DoctorCheck {
  name: string
  state: 'ok' | 'warning' | 'failed'
  detail: string
  /** One thing to do; null when ok. */
  fix: string | null
}

/** What one part of a command leads to: a program, a redirection, the network, or ('') the command as a whole. */
export interface PolicyPart {
  part: string
  decision: Decision
  badges: readonly RiskBadge[]
  reason: string | null
  /** The rule of the settings that decided; null when none did. */
  rule: string | null
}

export interface PolicyExplanation {
  verdict: PlanVerdict
  parts: readonly PolicyPart[]
  /** What kind of sandbox the decision holds for. */
  sandbox: 'full' | 'weak' | 'none'
}

/** Asking and telling a person during set-up. */
export interface Dialogue {
  say(line: string): void
  /** One line; undefined when there is nobody to ask or the input has ended. `secret`: what is typed is not shown. */
  ask(question: string, options?: { secret?: boolean }): Promise<string | undefined>
}

export interface CliDeps {
  version: string
  clock: Clock
  /** IANA name, for times in lists. */
  timeZone: string
  stdin: NodeJS.ReadableStream & { isTTY?: boolean }
  stdout: TextStream
  stderr: TextStream
  /** Command line of the person's editor: VISUAL, EDITOR, or a default. */
  editor: string
  /** Working directory, for `--file` and `get`. */
  directory: string
  /** Ctrl-C and being asked to end. Disposing stops listening. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => void): Disposable
  /** `create`: makes a store where there is none. Throws SetupError: no store, broken settings. */
  openClient(options: { create: boolean }): Promise<CliClient>
  startRoles(roles: readonly Role[]): Promise<RunningRoles>
  doctor(options: { live: boolean }): Promise<readonly DoctorCheck[]>
  /** Set-up of one platform: manifest or invite link, tokens into .env. Answers whether it is complete. */
  setup(platform: 'slack' | 'discord', dialogue: Dialogue): Promise<boolean>
  /** Writes the settings files that are missing. */
  init(dialogue: Dialogue): Promise<boolean>
  explainPolicy(command: string): Promise<PolicyExplanation>
  /** Copies the store to a new file while it is in use. */
  backup(file: string): Promise<void>
}

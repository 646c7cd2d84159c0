/** The parts that every role has: the store, the workspace, the policy and the inbox, opened in this order and closed in reverse. */
import { chmodSync, mkdirSync } from 'node:fs'
import type { Config } from '../../config/config.ts'
import { errorLine, SetupError } from '../core/errors.ts'
import { createRedactor, type Redactor } from '../core/redact.ts'
import type { Reviewer } from '../core/review.ts'
import type { Platform } from '../core/task.ts'
import { createInbox, type RunningInbox } from '../inbox/inbox.ts'
import { AdapterError, type ChatAdapter } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Store } from '../ports/store.ts'
import type { Workspace } from '../ports/workspace.ts'
import { createStore } from '../store/create-store.ts'
import { createWorkspace } from '../workspace/workspace.ts'
import { knownBox } from './box.ts'
import { openPolicyLater } from './policy.ts'
import { createProgramLog } from './program-log.ts'
import { createRedactingStore } from './redacting-store.ts'
import { createReviewer } from './review.ts'
import { systemClock } from './system-clock.ts'

export interface Parts extends AsyncDisposable {
  config: Config
  clock: Clock
  logger: Logger
  redactor: Redactor
  store: Store
  workspace: Workspace
  reviewer: Reviewer
  inbox: RunningInbox
  /** Chats that this process speaks to, filled when they start. */
  chats: Map<Platform, ChatAdapter>
  /** Chats that have tokens and could not start. */
  chatsOff: Set<Platform>
}

export interface OpenOptions {
  /** Takes each line of the program's log. */
  writeLog(line: string): void
}

/** Opens the store and what stands on it. Throws SetupError and StoreError with what to do. */
export async function openParts(config: Config, { writeLog }: OpenOptions): Promise<Parts> {
  const clock = systemClock
  const redactor = createRedactor({ secrets: config.secrets })
  const logger = createProgramLog(config.logLevel ?? 'info', redactor, writeLog)
  makeFolders(config)
  const store = createRedactingStore(await createStore({ file: config.databaseFile, clock, logger }), redactor)
  const workspace = createWorkspace({
    root: config.tasksFolder,
    clock,
    logger,
    redactor,
    limits: workspaceLimits(config),
  })
  const reviewer = createReviewer(openPolicyLater(config), redactor)
  const chats = new Map<Platform, ChatAdapter>()
  const inbox = createInbox({
    store,
    workspace,
    clock,
    logger,
    reviewer,
    access: { ...config.access, approverIsNotRequester: config.approval.notTheRequester },
    limits: {
      perRequester: config.limits.perRequester,
      perPlace: config.limits.perChannel,
      total: config.limits.queue,
    },
    box: () => knownBox(store),
    approvalExpiryMs: config.approval.expiry,
    fetchInput: (platform, ref, signal) => chatFor(chats, platform).fetchInput(ref, signal),
  })
  return {
    config,
    clock,
    logger,
    redactor,
    store,
    workspace,
    reviewer,
    inbox,
    chats,
    chatsOff: new Set(),
    async [Symbol.asyncDispose]() {
      await inbox[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

const FOLDER_DEPTH = 32

function makeFolders(config: Config): void {
  // The tasks' users have to pass through the home folder to their own; what is in it is closed to them by its own modes.
  try {
    for (const folder of [config.tasksFolder, config.stateFolder]) mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(config.stateFolder, 0o700)
  } catch (error) {
    throw new SetupError(
      'home_cannot_write',
      `Nothing can be written to ${config.home}: ${errorLine(error)}`,
      'Give the user that runs this program write access there, and free space, or set another ASSISTANT_HOME.',
      { cause: error },
    )
  }
}

function workspaceLimits({ limits }: Config) {
  return {
    logBytes: limits.log,
    outputFiles: limits.outputs,
    outputBytes: limits.output,
    inputBytes: limits.input,
    inputs: limits.inputs,
    depth: FOLDER_DEPTH,
  }
}

function chatFor(chats: ReadonlyMap<Platform, ChatAdapter>, platform: Platform): ChatAdapter {
  const chat = chats.get(platform)
  if (chat === undefined) throw new AdapterError('unavailable', `This process does not speak to ${platform}.`)
  return chat
}

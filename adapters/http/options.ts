import type { TaskStatus } from '../../src/core/task.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Spool } from './spool.ts'
import type { ApiToken } from './tokens.ts'

/** How the program does, for /readyz and /metrics. Asked often: it has to be cheap. */
export interface ServiceHealth {
  /** Parts by name; ready when all are ok. */
  checks: readonly { name: string; ok: boolean }[]
  tasks: Readonly<Record<TaskStatus, number>>
  liveWorkers: number
}

export interface HttpAdapterOptions {
  inbox: Inbox
  clock: Clock
  logger: Logger
  host: string
  /** 0: any free port; `address` tells which. */
  port: number
  /** None: callers on this machine may do everything, and the server listens on loopback only. */
  tokens: readonly ApiToken[]
  /** Names, without ports, that a Host header may carry besides localhost and the address itself. */
  allowedHosts: readonly string[]
  /** Folder for inputs on their way into a workspace; made when needed, readable by this program only. */
  spoolDirectory: string
  version: string
  health(): Promise<ServiceHealth>
  limits?: Partial<HttpLimits>
}

export interface HttpLimits {
  /** A request that brings inputs, in base64. */
  uploadBytes: number
  /** Any other request body. */
  bodyBytes: number
  /** Of one caller: a token, or an address without one. */
  requestsPerMinute: number
  /** Logs that are followed at the same time, by all callers. */
  followers: number
  /** A followed log that is silent says so this often, so that nothing between closes the connection. */
  heartbeatMs: number
  /** How long requests may take to finish once the server stops. */
  closeGraceMs: number
}

/** What the routes are given. */
export interface ServerOptions extends HttpAdapterOptions {
  limits: HttpLimits
  spool: Spool
  /** Aborted when the server stops: ends what would otherwise last. */
  signal: AbortSignal
}

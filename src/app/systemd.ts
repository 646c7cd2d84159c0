/** systemd's readiness and watchdog protocols, where the program runs under it; nothing elsewhere. */
import { execFile } from 'node:child_process'
import { systemdSocket, systemdWatchdogMs } from '../../config/systemd.ts'
import { errorLine } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'

/** Tells the state to systemd through its own small program: Node has no datagram sockets of the unix kind. */
export function notifySystemd(state: 'READY=1' | 'STOPPING=1' | 'WATCHDOG=1'): void {
  const socket = systemdSocket()
  if (socket === undefined) return
  execFile('systemd-notify', [state], { env: { NOTIFY_SOCKET: socket, PATH: '/usr/bin:/bin' } }, () => {
    // Not told: systemd then goes by the process alone, as it does without the protocol.
  })
}

export interface WatchdogOptions {
  clock: Clock
  logger: Logger
  /** Rejects, or never settles, while the program cannot do its work. */
  isWell(): Promise<unknown>
}

/** Sends a sign of life twice per period, as long as the program is well; without one, systemd starts it anew. Undefined where nobody waits for it. */
export function startWatchdog({ clock, logger, isWell }: WatchdogOptions): Disposable | undefined {
  const periodMs = systemdWatchdogMs()
  if (periodMs === undefined) return undefined
  let timer: Disposable | undefined
  let isOver = false

  function beatLater(): void {
    timer = clock.after(periodMs === undefined ? 0 : periodMs / 2, () => void beat())
  }

  async function beat(): Promise<void> {
    try {
      await isWell()
      if (!isOver) notifySystemd('WATCHDOG=1')
    } catch (error) {
      logger.error({ error: errorLine(error) }, `no sign of life for systemd: ${errorLine(error)}`)
    }
    if (!isOver) beatLater()
  }

  beatLater()
  return {
    [Symbol.dispose]() {
      isOver = true
      timer?.[Symbol.dispose]()
    },
  }
}

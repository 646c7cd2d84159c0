/** systemd's readiness protocol, where the program runs under it; nothing elsewhere. */
import { execFile } from 'node:child_process'
import { systemdSocket } from '../../config/systemd.ts'

/** Tells the state to systemd through its own small program: Node has no datagram sockets of the unix kind. */
export function notifySystemd(state: 'READY=1' | 'STOPPING=1' | 'WATCHDOG=1'): void {
  const socket = systemdSocket()
  if (socket === undefined) return
  execFile('systemd-notify', [state], { env: { NOTIFY_SOCKET: socket, PATH: '/usr/bin:/bin' } }, () => {
    // Not told: systemd then goes by the process alone, as it does without the protocol.
  })
}

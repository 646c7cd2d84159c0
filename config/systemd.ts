/** Where systemd listens for readiness (sd_notify(3)); undefined when the program does not run under it. */
export function systemdSocket(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return environment.NOTIFY_SOCKET
}

/** How often systemd wants to hear from the program, in milliseconds (sd_watchdog_enabled(3)); undefined when it does not. */
export function systemdWatchdogMs(environment: NodeJS.ProcessEnv = process.env): number | undefined {
  const microseconds = Number(environment.WATCHDOG_USEC)
  return Number.isFinite(microseconds) && microseconds > 0 ? microseconds / 1000 : undefined
}

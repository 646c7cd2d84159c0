import type { CliDeps, Role } from '../deps.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { createPrinter } from '../printer.ts'
import { renderStartScreen } from '../start-screen.ts'

/** Runs until it is told to end. The first signal stops gracefully, the second leaves at once. */
export async function start(deps: CliDeps, roles: readonly Role[]): Promise<ExitCode> {
  const printer = createPrinter(deps)
  const running = await deps.startRoles(roles)
  const screen = renderStartScreen(running.status, printer.style)
  // Into a pipe or the journal, stdout carries the program's own log and nothing else.
  if (printer.isTerminal) printer.line(`\n${screen}\n`)
  else printer.note(screen)
  let stopping = false
  const { promise: left, resolve: leave } = Promise.withResolvers<ExitCode>()
  using _signals = deps.onSignal(() => {
    if (stopping) return leave(EXIT.cancelled)
    stopping = true
    printer.note('Stopping… (again leaves at once)')
    running.stop()
  })
  return await Promise.race([left, running.stopped.then(() => EXIT.done)])
}

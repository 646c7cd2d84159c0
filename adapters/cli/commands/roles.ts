import type { CliDeps, Role, RunningRoles } from '../deps.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { createPrinter } from '../printer.ts'
import { renderStartScreen } from '../start-screen.ts'

/** Runs until it is told to end. The first signal stops gracefully, the second leaves at once. */
export async function start(deps: CliDeps, roles: readonly Role[]): Promise<ExitCode> {
  const printer = createPrinter(deps)
  const { promise: left, resolve: leave } = Promise.withResolvers<ExitCode>()
  let running: RunningRoles | undefined
  let stopping = false
  using _signals = deps.onSignal(() => {
    if (stopping) return leave(EXIT.cancelled)
    // Until it has started nothing runs that would have to end well.
    if (running === undefined) return leave(EXIT.done)
    stopping = true
    printer.note('Stopping… (again leaves at once)')
    running.stop()
  })
  const started = deps.startRoles(roles)
  const first = await Promise.race([left, started])
  if (typeof first === 'number') return first
  running = first
  const screen = renderStartScreen(running.status, printer.style)
  // Into a pipe or the journal, stdout carries the program's own log and nothing else.
  if (printer.isTerminal) printer.line(`\n${screen}\n`)
  else printer.note(screen)
  return await Promise.race([left, running.stopped.then(() => EXIT.done)])
}

/** `assistant …`: reads the words, runs the command, and answers the exit code. Ends no process and reads no environment. */
import { setImmediate } from 'node:timers/promises'
import { CommanderError } from 'commander'
import { AppError, errorLine, SetupError } from '../../src/core/errors.ts'
import { cleanTerminal } from '../../src/core/text.ts'
import type { CliDeps } from './deps.ts'
import { CliError, EXIT, type ExitCode } from './exit.ts'
import { paint } from './printer.ts'
import { createProgram } from './program.ts'

/** `argv`: the words after the program's name. Never throws but for a bug. */
export async function runCli(argv: readonly string[], deps: CliDeps): Promise<number> {
  // Everything that is waited for may be a timer or a watch that keeps no process alive by itself.
  const keepAlive = setInterval(() => undefined, 2 ** 30)
  const refused = hearRefusals(deps)
  try {
    const code = await runCommand(argv, deps).catch((error) =>
      error === refused() ? EXIT.failed : report(error, deps),
    )
    // What came of the last write is told after it.
    await setImmediate()
    return isProgram(argv) ? code : tellRefused(code, refused(), deps)
  } finally {
    clearInterval(keepAlive)
  }
}

/**
 * `| head` closes the pipe: what is printed after that is for nobody, which is no error. A task that is followed goes on to its end,
 * also when a full disk takes nothing more; only then does the command fail, since its answer is not all there.
 * The listeners stay: a refused write is told of later, maybe after the command has ended.
 */
function hearRefusals({ stdout, stderr }: CliDeps): () => Error | undefined {
  let refused: Error | undefined
  stdout.on('error', (error: Error) => {
    if (!isReaderGone(error)) refused ??= error
  })
  stderr.on('error', () => undefined)
  return () => refused
}

/** What runs for months writes its log to stdout, and loses lines of it rather than its good end. */
function isProgram([name = '']: readonly string[]): boolean {
  return ['start', 'worker', 'api', 'chat'].includes(name)
}

function tellRefused(code: ExitCode, refused: Error | undefined, { stderr }: CliDeps): ExitCode {
  if (refused === undefined) return code
  stderr.write(`Not all of the answer could be written: ${cleanTerminal(errorLine(refused))}\n`)
  return code === EXIT.done ? EXIT.failed : code
}

async function runCommand(argv: readonly string[], deps: CliDeps): Promise<ExitCode> {
  const { command, exitCode } = createProgram(deps)
  if (argv[0] === 'completion' || argv[0] === 'complete') {
    const { complete } = await import('./completion.ts')
    return complete(command, argv)
  }
  // The real one loads only above; this one is for the help.
  command
    .command('completion')
    .description('print a completion script: bash, zsh, fish or powershell')
    .argument('<shell>')
  if (argv.length === 0) {
    command.outputHelp()
    return EXIT.done
  }
  await command.parseAsync([...argv], { from: 'user' })
  return exitCode()
}

function report(error: unknown, deps: CliDeps): ExitCode {
  // Commander has printed its own line already; help and version are not errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
  const say = (text: string) => void deps.stderr.write(`${cleanTerminal(text)}\n`)
  if (error instanceof CliError) {
    if (error.message !== '') say(error.message)
    return error.exitCode
  }
  if (error instanceof SetupError) {
    say(error.message)
    deps.stderr.write(`${paint(deps.stderr, 'cyan', `→ ${cleanTerminal(error.fix)}`)}\n`)
    return EXIT.usage
  }
  if (isReaderGone(error)) return EXIT.done
  if (!(error instanceof AppError)) throw error
  say(errorLine(error))
  return EXIT.failed
}

function isReaderGone(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ERR_STREAM_DESTROYED'
}

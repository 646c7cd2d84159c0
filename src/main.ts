/** The entry: hands the command line to the CLI, with the program behind it. */
import { runCli } from '../adapters/cli/run-cli.ts'
import { createCliDeps } from './app/cli-deps.ts'

/** Something that is still open by then, and should not be, does not keep the program. */
const LEAVES_WITHIN_MS = 1000

const code = await runCli(process.argv.slice(2), createCliDeps())
// Whoever presses Ctrl-C twice leaves at once, whatever is still open.
if (code > 128) process.exit(code)
// Not so at a good end: `process.exit` waits for V8's threads, and one that compiles may wait for this one to collect garbage
// (nodejs/node#54918). Once in some thousand stops the program would stand there until it is killed.
process.exitCode = code
setTimeout(() => process.exit(), LEAVES_WITHIN_MS).unref()

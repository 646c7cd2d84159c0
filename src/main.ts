/** The entry: hands the command line to the CLI, with the program behind it. */
import { runCli } from '../adapters/cli/run-cli.ts'
import { createCliDeps } from './app/cli-deps.ts'

// Exits outright: whoever presses Ctrl-C twice leaves at once, whatever is still open.
process.exit(await runCli(process.argv.slice(2), createCliDeps()))

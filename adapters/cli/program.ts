/** The commands and their options. What a command does loads only when it runs, so that a short one answers at once. */
import { Command } from 'commander'
import type { CliDeps } from './deps.ts'
import { EXIT, EXIT_HELP, type ExitCode } from './exit.ts'

export interface Program {
  command: Command
  /** Of the command that ran. */
  exitCode(): ExitCode
}

type Act<Args extends unknown[]> = (...args: Args) => Promise<ExitCode>
type Finish = <Args extends unknown[]>(act: Act<Args>) => (...args: Args) => Promise<void>

export function createProgram(deps: CliDeps): Program {
  let code: ExitCode = EXIT.done
  const finish: Finish =
    (act) =>
    async (...args) => {
      code = await act(...args)
    }
  const command = new Command('assistant')
    .description('Ask for work in plain words; a local model plans shell commands; a sandbox runs them.')
    .version(deps.version)
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void deps.stdout.write(text),
      writeErr: (text) => void deps.stderr.write(text),
      getOutHelpWidth: () => deps.stdout.columns ?? 80,
      getErrHelpWidth: () => deps.stderr.columns ?? 80,
    })
    .addHelpText('after', EXIT_HELP)
  addTaskCommands(command, deps, finish)
  addFileCommands(command, deps, finish)
  addActionCommands(command, deps, finish)
  addRoleCommands(command, deps, finish)
  addAdminCommands(command, deps, finish)
  addRepairCommands(command, deps, finish)
  return { command, exitCode: () => code }
}

const JSON_OPTION = ['--json', 'print JSON'] as const
const collect = (value: string, before: string[]) => [...before, value]

function addTaskCommands(program: Command, deps: CliDeps, finish: Finish): void {
  program.commandsGroup('Tasks:')
  program
    .command('run')
    .description('ask for work, follow it, and end as it ends')
    .argument('<text...>', "what to do; begin with ! to run a command as it is, as in '!ls -l'")
    .option('-f, --file <path>', 'a file to work on; may be given several times', collect, [])
    .option('-m, --model <name>', 'another model than the one in the settings')
    .option('-d, --detach', 'do not wait: print the number of the task')
    .option('--dedupe-key <key>', 'the same key again means the same task')
    .option(...JSON_OPTION)
    .action(finish(async (text: string[], options) => (await import('./commands/run.ts')).run(deps, text, options)))
  program
    .command('list')
    .description('tasks, newest first')
    .option('-s, --status <status>', 'only these, with commas between them')
    .option('-n, --limit <count>', 'how many', '20')
    .option('--before <task>', 'those before that one: the next page')
    .option(...JSON_OPTION)
    .action(finish(async (options) => (await import('./commands/list.ts')).list(deps, options)))
  program
    .command('show')
    .description('a task with its plan, its last output and its end')
    .argument('<task>')
    .option(...JSON_OPTION)
    .action(finish(async (task: string, options) => (await import('./commands/show.ts')).show(deps, task, options)))
  program
    .command('logs')
    .description('what the commands of a task printed')
    .argument('<task>')
    .option('-f, --follow', 'go on until the task has ended')
    .option('-n, --lines <count>', 'begin with the last so many lines', '200')
    .option('-a, --all', 'all of it')
    .option(...JSON_OPTION)
    .action(finish(async (task: string, options) => (await import('./commands/logs.ts')).logs(deps, task, options)))
}

function addFileCommands(program: Command, deps: CliDeps, finish: Finish): void {
  program.commandsGroup('Files:')
  program
    .command('outputs')
    .alias('files')
    .description('files that a task made or changed')
    .argument('<task>')
    .option(...JSON_OPTION)
    .action(
      finish(async (task: string, options) => (await import('./commands/outputs.ts')).outputs(deps, task, options)),
    )
  program
    .command('get')
    .description('save a file of a task here; without a file, all of them as a zip; without a task, of the newest')
    .argument('<task-or-file>')
    .argument('[file]')
    .option('-o, --output <path>', 'where to; - for standard output')
    .option('--force', 'write over a file that is there')
    .option(...JSON_OPTION)
    .action(
      finish(async (first: string, file: string | undefined, options) =>
        (await import('./commands/outputs.ts')).get(deps, first, file, options),
      ),
    )
}

function addActionCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const actions = () => import('./commands/actions.ts')
  program.commandsGroup('Decisions:')
  program
    .command('cancel')
    .description('stop tasks; nothing of them stays running')
    .argument('<task...>')
    .option(...JSON_OPTION)
    .action(finish(async (tasks: string[], options) => (await actions()).cancel(deps, tasks, options)))
  for (const [verb, description] of [
    ['retry', 'ask the same again, in a new task'],
    ['rerun', 'run the same commands again, in a new task'],
    ['resume', 'run what is left of an interrupted task, in a new task with a copy of its folder'],
    ['restart', 'begin an interrupted task anew, in a new task with a clean folder'],
    ['replan', 'put a plan that waits aside, or one that was not approved, and have it planned again, in a new task'],
  ] as const) {
    program
      .command(verb)
      .description(description)
      .argument('<task>')
      .option('-f, --follow', 'follow the new task')
      .option(...JSON_OPTION)
      .action(finish(async (task: string, options) => (await actions()).again(deps, verb, task, options)))
  }
  program
    .command('discard')
    .description('give up the files of a task that has ended')
    .argument('<task>')
    .option(...JSON_OPTION)
    .action(finish(async (task: string, options) => (await actions()).discard(deps, task, options)))
  program
    .command('refine')
    .description('say what should be different; a new task goes on from what that one made')
    .argument('<task>')
    .argument('<text...>')
    .option('--file <path>', 'another file to work on; may be given several times', collect, [])
    .option('-f, --follow', 'follow the new task')
    .option(...JSON_OPTION)
    .action(
      finish(async (task: string, text: string[], options) => (await actions()).refine(deps, task, text, options)),
    )
  program
    .command('approve')
    .description('let a plan run')
    .argument('<task>')
    .option('--hash <hash>', 'the plan that you have seen')
    .option('-y, --yes', 'whatever the plan is')
    .option(...JSON_OPTION)
    .action(finish(async (task: string, options) => (await actions()).approve(deps, task, options)))
  program
    .command('reject')
    .description('do not let a plan run')
    .argument('<task>')
    .option('--note <text>', 'why; the model is told')
    .option('--hash <hash>', 'only if it is still this plan')
    .option(...JSON_OPTION)
    .action(finish(async (task: string, options) => (await actions()).reject(deps, task, options)))
}

function addRoleCommands(program: Command, deps: CliDeps, finish: Finish): void {
  program.commandsGroup('Running the assistant:')
  const roles = [
    ['start', 'everything: worker, HTTP API, and the chats whose tokens are there', ['worker', 'api', 'chat']],
    ['worker', 'only the worker', ['worker']],
    ['api', 'only the HTTP API', ['api']],
    ['chat', 'only the chats', ['chat']],
  ] as const
  for (const [name, description, which] of roles) {
    program
      .command(name)
      .description(description)
      .action(finish(async () => (await import('./commands/roles.ts')).start(deps, which)))
  }
}

function addAdminCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const admin = () => import('./commands/admin.ts')
  program.commandsGroup('Looking after it:')
  program
    .command('doctor')
    .description('check everything and say what to do about what is wrong')
    .option('--live', 'also ask Slack, Discord and the model')
    .option(...JSON_OPTION)
    .action(finish(async (options) => (await admin()).doctor(deps, options)))
  program
    .command('init')
    .description('write the settings files that are missing')
    .action(finish(async () => (await admin()).init(deps)))
  program
    .command('setup')
    .description('connect a chat')
    .argument('<platform>', 'slack or discord')
    .action(finish(async (platform: string) => setupPlatform(deps, platform, await admin())))
  program
    .command('audit')
    .description('who did what, and what was refused')
    .option('-t, --task <task>', 'only of that task')
    .option('-n, --limit <count>', 'how many', '50')
    .option('--before <entry>', 'those before that entry: the next page')
    .option(...JSON_OPTION)
    .action(finish(async (options) => (await admin()).audit(deps, options)))
  program
    .command('policy')
    .description('what the policy says')
    .command('check')
    .description('explain the decision on a command')
    .argument('<command>')
    .option(...JSON_OPTION)
    .action(finish(async (command: string, options) => (await admin()).policyCheck(deps, command, options)))
  program.command('help').description('help for a command').argument('[command]').action(showHelp)
  program
    .command('backup')
    .description('copy the store to a file while it is in use')
    .argument('<file>')
    .option(...JSON_OPTION)
    .action(finish(async (file: string, options) => (await admin()).backup(deps, file, options)))
}

function addRepairCommands(program: Command, deps: CliDeps, finish: Finish): void {
  program
    .command('redeliver')
    .description('tell the thread of a task once more, after what kept it from being told is mended')
    .argument('<task>')
    .option(...JSON_OPTION)
    .action(
      finish(async (task: string, options) => (await import('./commands/actions.ts')).redeliver(deps, task, options)),
    )
  program
    .command('breaker')
    .description('loops that were stopped')
    .option('--reset', 'let them go on')
    .option(...JSON_OPTION)
    .action(finish(async (options) => (await import('./commands/admin.ts')).breaker(deps, options)))
}

function showHelp(name: string | undefined, _options: unknown, help: Command): void {
  const program = help.parent
  const named = program?.commands.find((command) => command.name() === name || command.aliases().includes(name ?? ''))
  if (name !== undefined && named === undefined) program?.error(`error: unknown command '${name}'`)
  ;(named ?? program)?.outputHelp()
}

async function setupPlatform(
  deps: CliDeps,
  platform: string,
  admin: typeof import('./commands/admin.ts'),
): Promise<ExitCode> {
  if (platform === 'slack' || platform === 'discord') return admin.setup(deps, platform)
  const { usageError } = await import('./exit.ts')
  throw usageError(`"${platform}" is not a chat; it is slack or discord.`)
}

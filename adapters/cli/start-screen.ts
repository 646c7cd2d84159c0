/** What a person sees after `assistant start`: what is on, what is off and what would turn it on, and how to ask for the first task. */
import { COMMAND } from '../../src/core/command.ts'
import type { StartPart, StartStatus } from './deps.ts'
import type { Paint } from './task-lines.ts'

const MARKS = { on: '●', off: '○', problem: '✖' } as const
const STYLES = { on: 'green', off: 'gray', problem: 'red' } as const
const NO_PAINT: Paint = (_style, text) => text

/** Lines of the screen, without a final line break. Pure. */
export function renderStartScreen(status: StartStatus, paint: Paint = NO_PAINT): string {
  const width = Math.max(...status.parts.map((part) => part.name.length), 0)
  return [
    `${paint('bold', `Assistant ${status.version}`)} ${paint('dim', `· ${status.home}`)}`,
    '',
    ...status.parts.flatMap((part) => partLines(part, width, paint)),
    ...status.warnings.flatMap((warning) => ['', paint(['bold', 'yellow'], `  ! ${warning}`)]),
    '',
    ...askLines(status, paint),
  ].join('\n')
}

function partLines({ name, state, detail, fix }: StartPart, width: number, paint: Paint): string[] {
  const mark = paint(STYLES[state], MARKS[state])
  const line = `  ${mark} ${name.padEnd(width)}  ${detail === '' ? state : detail}`
  return fix === null ? [line] : [line, `    ${' '.repeat(width)}  ${paint('cyan', `→ ${fix}`)}`]
}

function askLines({ ask }: StartStatus, paint: Paint): string[] {
  const where = ask.worker ? '' : ` (it waits until a worker runs: ${COMMAND} worker)`
  const words = ask.model ? [`${COMMAND} run 'write the first 20 primes to primes.txt'`] : []
  const curl =
    ask.api === null
      ? []
      : [`curl -s -XPOST ${ask.api}/tasks -H 'content-type: application/json' -d '{"description":"!seq 1 5"}'`]
  const chats = [
    ...(ask.slack === null ? [] : [`Slack: ${ask.slack}`]),
    ...(ask.discord === null ? [] : [`Discord: ${ask.discord}`]),
  ]
  return [
    `${paint('bold', 'Ask for the first task')}, in another terminal${where}:`,
    ...[`${COMMAND} run '!echo hello > hello.txt; ls -l'`, ...words, ...curl, ...chats].map((line) => `  ${line}`),
    ...(ask.api === null ? [] : [paint('dim', `  The API and a page to try it: ${ask.api}/docs`)]),
    paint('dim', '  Ctrl-C stops; tasks that run get a little time to finish.'),
  ]
}

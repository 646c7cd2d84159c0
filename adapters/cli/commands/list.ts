import { COMMAND } from '../../../src/core/command.ts'
import { formatAge } from '../../../src/core/format.ts'
import { TASK_STATUSES, type TaskStatus, type TaskSummary } from '../../../src/core/task.ts'
import { summaryJson } from '../../../src/core/task-json.ts'
import { oneLine } from '../../../src/core/text.ts'
import { iconOf } from '../../../src/core/views/status-view.ts'
import type { CliDeps } from '../deps.ts'
import { EXIT, type ExitCode, refusalError, usageError } from '../exit.ts'
import { parseCount, parseTaskId, withClient } from '../session.ts'
import { renderTable } from '../table.ts'

export interface ListOptions {
  status?: string
  limit: string
  before?: string
  json?: boolean
}

export function list(deps: CliDeps, options: ListOptions): Promise<ExitCode> {
  return withClient(deps, { create: false }, async ({ client, printer }) => {
    const outcome = await client.inbox.list(client.actor, {
      limit: parseCount(options.limit, 200, '--limit'),
      ...(options.status === undefined ? {} : { status: parseStatuses(options.status) }),
      ...(options.before === undefined ? {} : { beforeId: parseTaskId(options.before) }),
    })
    if (outcome.kind !== 'page') throw refusalError(outcome)
    const { tasks, nextBeforeId } = outcome
    if (options.json === true) {
      printer.json({ tasks: tasks.map(summaryJson), next_before: nextBeforeId })
      return EXIT.done
    }
    for (const line of listLines(tasks, deps.clock.now(), printer.width)) printer.line(line)
    if (nextBeforeId !== null) printer.note(`More: ${COMMAND} list --before ${nextBeforeId}`)
    return EXIT.done
  })
}

function parseStatuses(words: string): TaskStatus[] {
  return words.split(',').map((word) => {
    const status = TASK_STATUSES.find((each) => each === word.trim())
    if (status === undefined) throw usageError(`"${word}" is not a status; they are ${TASK_STATUSES.join(', ')}.`)
    return status
  })
}

function listLines(tasks: readonly TaskSummary[], now: number, width: number): string[] {
  if (tasks.length === 0) return [`No tasks. Ask for one: ${COMMAND} run "…"`]
  const columns = [
    { title: 'ID', align: 'right' },
    { title: 'STATUS' },
    { title: 'AGE', align: 'right' },
    { title: 'BY' },
    { title: 'DESCRIPTION', flexible: true },
  ] as const
  const rows = tasks.map((task) => [
    String(task.id),
    `${iconOf(task.status)} ${task.status}`,
    formatAge(now - task.createdAt),
    oneLine(task.requester.name, 20),
    oneLine(task.description, 200),
  ])
  return renderTable(columns, rows, width)
}

import { outputJson, taskJson } from '../../../src/core/task-json.ts'
import type { CliDeps } from '../deps.ts'
import { EXIT, type ExitCode } from '../exit.ts'
import { getTask, parseTaskId, type Session, withClient } from '../session.ts'
import { showLines } from '../task-lines.ts'

export function show(deps: CliDeps, word: string, options: { json?: boolean }): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const { client, printer } = session
    const task = await getTask(session, parseTaskId(word))
    const outcome = await client.inbox.outputs(client.actor, task.id)
    const files = outcome.kind === 'outputs' ? outcome.files : []
    const told = await client.inbox.delivery(client.actor, task.id)
    const delivery = told.kind === 'delivery' ? told : null
    const queue = await client.inbox.queuePosition(client.actor, task)
    if (options.json === true) {
      const { isTold, failure, attempts } = delivery ?? { isTold: true, failure: null, attempts: 0 }
      const thread = { told: isTold, failure, attempts }
      printer.json({ ...taskJson(task, queue), files: files.map(outputJson), thread })
      return EXIT.done
    }
    const { maxRounds, sandboxWarning, chatsOff } = client
    const tail = await lastLines(session, task.id)
    const { clock, timeZone } = deps
    const context = { now: clock.now(), timeZone, tail, queue, files, maxRounds, sandboxWarning, delivery, chatsOff }
    for (const line of showLines(task, context, printer.style)) printer.line(line)
    return EXIT.done
  })
}

async function lastLines({ client }: Session, taskId: number) {
  const outcome = await client.inbox.tail(client.actor, taskId, 15)
  if (outcome.kind !== 'tail') return null
  return { lines: outcome.tail.lines.map((line) => line.text), lastWriteAt: outcome.tail.lastWriteAt }
}

import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { COMMAND } from '../../../src/core/command.ts'
import { acceptedJson } from '../../../src/core/task-json.ts'
import type { Attachment } from '../../../src/ports/inbox.ts'
import type { CliDeps } from '../deps.ts'
import { EXIT, type ExitCode, refusalError, usageError } from '../exit.ts'
import { type Session, withClient } from '../session.ts'
import { noteMissingWorker, watchTask } from '../watch-task.ts'

export interface RunOptions {
  file: readonly string[]
  model?: string
  detach?: boolean
  dedupeKey?: string
  json?: boolean
}

export function run(deps: CliDeps, words: readonly string[], options: RunOptions): Promise<ExitCode> {
  return withClient(deps, { create: true }, async (session) => {
    const { client } = session
    const attachments = await attach(deps, options.file)
    const outcome = await client.inbox.submit({
      actor: client.actor,
      text: words.join(' '),
      place: null,
      attachments,
      dedupeKey: options.dedupeKey === undefined ? null : `cli:${options.dedupeKey}`,
      model: options.model ?? null,
    })
    if (outcome.kind !== 'created' && outcome.kind !== 'duplicate') throw refusalError(outcome)
    const json = options.json === true
    if (options.detach !== true) return await watchTask(session, outcome.task, { json })
    if (json) {
      session.printer.json(await acceptedJson(outcome.task, client.inbox.queuePosition(client.actor, outcome.task)))
    } else session.printer.line(`Task #${outcome.task.id}. Follow it with: ${COMMAND} logs -f ${outcome.task.id}`)
    await noteMissingWorker(session, outcome.task)
    return EXIT.done
  })
}

/** Files given with `--file`, by their full paths: whoever fetches them may stand elsewhere. */
export async function attach(
  deps: Pick<Session['deps'], 'directory'>,
  files: readonly string[],
): Promise<Attachment[]> {
  return Promise.all(
    files.map(async (file): Promise<Attachment> => {
      const path = resolve(deps.directory, file)
      const found = await stat(path).catch(() => undefined)
      if (found === undefined) throw usageError(`There is no file ${file}.`)
      if (!found.isFile()) throw usageError(`${file} is not a plain file.`)
      return { name: basename(path), sizeBytes: found.size, mimeType: null, source: { kind: 'path', path } }
    }),
  )
}

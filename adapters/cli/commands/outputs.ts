import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { COMMAND } from '../../../src/core/command.ts'
import { AppError, errorLine } from '../../../src/core/errors.ts'
import { formatAge, formatBytes, formatCount } from '../../../src/core/format.ts'
import { outputJson } from '../../../src/core/task-json.ts'
import { cleanBytes } from '../clean-bytes.ts'
import type { CliDeps } from '../deps.ts'
import { CliError, EXIT, type ExitCode, refusalError, usageError } from '../exit.ts'
import { parseTaskId, type Session, withClient } from '../session.ts'
import { renderTable } from '../table.ts'

export function outputs(deps: CliDeps, word: string, options: { json?: boolean }): Promise<ExitCode> {
  return withClient(deps, { create: false }, async ({ client, printer }) => {
    const outcome = await client.inbox.outputs(client.actor, parseTaskId(word))
    if (outcome.kind !== 'outputs') throw refusalError(outcome)
    const { files, totals, omitted } = outcome
    if (options.json === true) {
      printer.json({ files: files.map(outputJson), totals, omitted })
      return EXIT.done
    }
    const columns = [
      { title: 'PATH', flexible: true },
      { title: 'SIZE', align: 'right' },
      { title: 'CHANGED' },
    ] as const
    const now = deps.clock.now()
    const rows = files.map((file) => [
      file.path,
      formatBytes(file.sizeBytes),
      `${formatAge(now - file.modifiedAt)} ago`,
    ])
    if (rows.length === 0) printer.line('No files.')
    else for (const line of renderTable(columns, rows, printer.width)) printer.line(line)
    if (rows.length > 1) printer.note(`${formatCount(totals.files, 'file')}, ${formatBytes(totals.bytes)}`)
    if (omitted > 0)
      printer.note(`${formatCount(omitted, 'more file')} not listed; ${COMMAND} get ${word} has them all`)
    return EXIT.done
  })
}

export interface GetOptions {
  output?: string
  force?: boolean
  json?: boolean
}

/** `get 42 out/a.txt` is one file, `get 42` all of them as a zip, `get a.txt` a file of the newest task. */
export function get(deps: CliDeps, first: string, second: string | undefined, options: GetOptions): Promise<ExitCode> {
  return withClient(deps, { create: false }, async (session) => {
    const isId = /^#?\d+$/.test(first)
    if (second !== undefined || !isId) {
      const taskId = second === undefined ? await newestTask(session) : parseTaskId(first)
      const path = second ?? first
      return await save(session, await openFile(session, taskId, path), basename(path), options)
    }
    const taskId = parseTaskId(first)
    return await save(session, await openArchive(session, taskId), `task-${taskId}.zip`, options)
  })
}

async function newestTask({ client }: Session): Promise<number> {
  const outcome = await client.inbox.list(client.actor, { limit: 1 })
  if (outcome.kind !== 'page') throw refusalError(outcome)
  const [task] = outcome.tasks
  if (task === undefined) throw usageError('There is no task yet.')
  return task.id
}

async function openFile({ client }: Session, taskId: number, path: string): Promise<Readable> {
  const outcome = await client.inbox.openOutput(client.actor, taskId, path)
  if (outcome.kind !== 'opened') throw refusalError(outcome)
  return outcome.stream
}

async function openArchive({ client }: Session, taskId: number): Promise<Readable> {
  const outcome = await client.inbox.archive(client.actor, taskId)
  if (outcome.kind !== 'archive') throw refusalError(outcome)
  return outcome.stream
}

async function save(
  { deps, printer }: Session,
  stream: Readable,
  name: string,
  options: GetOptions,
): Promise<ExitCode> {
  if (options.output === '-') {
    if (printer.isTerminal) await pipeline(stream, cleanBytes, deps.stdout, { end: false })
    else await pipeline(stream, deps.stdout, { end: false })
    return EXIT.done
  }
  const target = await targetOf(deps.directory, name, options.output)
  try {
    await pipeline(stream, createWriteStream(target, { flags: options.force === true ? 'w' : 'wx', mode: 0o644 }))
  } catch (error) {
    throw cannotSave(target, error)
  }
  const { size } = await stat(target)
  if (options.json === true) printer.json({ path: target, size_bytes: size })
  else printer.line(`${target}  ${printer.style('dim', formatBytes(size))}`)
  return EXIT.done
}

/** A folder takes the file under its own name. */
async function targetOf(directory: string, name: string, output: string | undefined): Promise<string> {
  const target = resolve(directory, output ?? name)
  const found = output === undefined ? undefined : await stat(target).catch(() => undefined)
  return found?.isDirectory() === true ? join(target, name) : target
}

function cannotSave(target: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EEXIST') return usageError(`${target} exists already; --force writes over it, -o names another place.`)
  if (code === 'EACCES' || code === 'ENOENT' || code === 'EISDIR') return usageError(`${target} cannot be written.`)
  return error instanceof AppError ? error : new CliError(EXIT.failed, `${target} is not whole: ${errorLine(error)}`)
}

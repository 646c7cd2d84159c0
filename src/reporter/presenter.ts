/** What buttons and words ask to see, for all chat adapters. */
import { COMMAND } from '../core/command.ts'
import { formatBytes, formatCount } from '../core/format.ts'
import type { Place } from '../core/task.ts'
import { AdapterError, type ChatAdapter, type UploadFile } from '../ports/chat-adapter.ts'
import type { Clock } from '../ports/clock.ts'
import type { Presenter } from '../ports/presenter.ts'
import type { Store } from '../ports/store.ts'
import { type Workspace, WorkspaceError } from '../ports/workspace.ts'
import type { ReporterConfig } from './reporter-config.ts'
import type { Screen } from './screen.ts'
import { chooseUpload, openUpload, readEnd, type UploadLimits, uploadBytes, uploadLimits, uploadOf } from './uploads.ts'
import { withDeadline } from './with-deadline.ts'

export interface PresenterOptions {
  store: Store
  workspace: Workspace
  clock: Clock
  config: ReporterConfig
  screen: Screen
  adapterOf(platform: string): ChatAdapter | undefined
  wake(taskId: number): Promise<void>
}

const UPLOAD_MS = 600_000

export function createPresenter(options: PresenterOptions): Presenter {
  const { store, workspace, screen } = options
  return {
    showLog: (taskId, place) => showLog(options, taskId, place),
    showFiles: (taskId, place) => showFiles(options, taskId, place),
    async showFile(taskId, path, place) {
      const { files } = await workspace.outputs(taskId)
      const file = files.find((candidate) => candidate.path === path)
      if (file === undefined) return `${path} is no longer there.`
      const limit = limitsOf(options, place).maxFileBytes
      if (file.sizeBytes > limit) return tooLarge(taskId, limit)
      return upload(options, place, { taskId, what: 'file', files: [uploadOf(workspace, taskId, file)] })
    },
    async files(taskId, max) {
      const { files, totals } = await workspace.outputs(taskId)
      return { files: files.slice(0, max).map(({ path, sizeBytes }) => ({ path, sizeBytes })), total: totals.files }
    },
    async retryUpload(taskId) {
      await store.saveMessage({ taskId, role: 'files', ref: null, frame: '', postedAt: null })
      return resume(options, taskId, `Uploading the files of task #${taskId} once more.`)
    },
    redeliver: (taskId) => resume(options, taskId, `Telling task #${taskId} once more.`),
    async card(taskId) {
      const task = await store.get(taskId)
      return task === undefined ? undefined : (await screen.card(task)).view
    },
  }
}

async function resume({ store, wake }: PresenterOptions, taskId: number, sentence: string): Promise<string> {
  const delivery = await store.delivery(taskId)
  if (delivery === undefined) return `Task #${taskId} has no thread.`
  await store.saveDelivery({ ...delivery, attempts: 0, nextAttemptAt: 0, failure: null, settled: false })
  await wake(taskId)
  return sentence
}

async function showLog(options: PresenterOptions, taskId: number, place: Place): Promise<string> {
  const log = await options.workspace.openWholeLog(taskId)
  if (log === undefined || log.sizeBytes === 0) return `Task #${taskId} has printed nothing yet.`
  const { maxFileBytes } = limitsOf(options, place)
  const { bytes, dropped } = await readEnd(log.stream, maxFileBytes)
  const file = uploadBytes(`task-${taskId}.log`, bytes)
  const answer = await upload(options, place, { taskId, what: 'log', files: [file] })
  return dropped === 0 ? answer : `${answer} It is the end of it: ${formatBytes(dropped)} before that are left out.`
}

async function showFiles(options: PresenterOptions, taskId: number, place: Place): Promise<string> {
  const limits = limitsOf(options, place)
  const choice = await chooseUpload(options.workspace, taskId, limits)
  if (choice.kind === 'none') return `Task #${taskId} has made no files.`
  const files = await openUpload(options.workspace, taskId, choice, limits)
  if (files === undefined) return tooLarge(taskId, limits.maxFileBytes)
  return upload(options, place, { taskId, what: 'files', files })
}

function tooLarge(taskId: number, maxBytes: number): string {
  return `Too large to upload (over ${formatBytes(maxBytes)}). \`${COMMAND} outputs ${taskId}\` lists the files.`
}

interface Wanted {
  taskId: number
  what: string
  files: readonly UploadFile[]
}

/** Each press of a button is a wish of its own: the key has the time in it. */
async function upload(options: PresenterOptions, place: Place, { taskId, what, files }: Wanted): Promise<string> {
  const adapter = options.adapterOf(place.platform)
  if (adapter === undefined) return `${place.platform} is not connected.`
  const key = `task-${taskId}:${what}:${options.clock.now()}`
  try {
    const comment = `${what === 'log' ? 'Log' : 'Files'} of task #${taskId}`
    await withDeadline(adapter.upload(place, files, { key, comment }), UPLOAD_MS, options.clock)
    return `Here: ${formatCount(files.length, 'file')} of task #${taskId}.`
  } catch (error) {
    if (error instanceof AdapterError || error instanceof WorkspaceError) return `That did not work: ${error.message}`
    throw error
  }
}

function limitsOf({ adapterOf, config }: PresenterOptions, place: Place): UploadLimits {
  return uploadLimits(config, adapterOf(place.platform)?.limits)
}

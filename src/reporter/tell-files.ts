/** The outputs of a task that is done, uploaded once. A failed upload is a line with a button; the task stays what it is. */
import { uploadDoneView, uploadFailedView } from '../core/views/notice-views.ts'
import { AdapterError, type UploadFile } from '../ports/chat-adapter.ts'
import { encodeFrame, frameOf, postingKey } from './frame.ts'
import { isPosted } from './messages.ts'
import type { Scene, TellOptions, Wait } from './scene.ts'
import { openUpload } from './uploads.ts'
import { withDeadline } from './with-deadline.ts'

const UPLOAD_MS = 600_000
const TRIES = 3

export async function tellFiles(options: TellOptions, scene: Scene): Promise<Wait> {
  const { task, messages } = scene
  const before = messages.get('files')
  if (task.status !== 'done' || frameOf(before).state !== 'open') return null
  if (!isPosted(before)) {
    const files = await filesOf(options, scene)
    if (files === undefined) return null
    const problem = await uploadOnce(options, scene, files)
    if (problem !== null) return giveUp(options, scene, problem)
  }
  return tellDone(options, scene)
}

async function filesOf(
  { workspace, screen }: TellOptions,
  { task, adapter }: Scene,
): Promise<readonly UploadFile[] | undefined> {
  const { choice, limits } = await screen.upload(task, adapter.limits)
  return openUpload(workspace, task.id, choice, limits)
}

/** Null when they are there; else why they never will be. Throws AdapterError while it is worth trying again. */
async function uploadOnce(options: TellOptions, scene: Scene, files: readonly UploadFile[]): Promise<string | null> {
  const { messages, clock } = options
  const { adapter, delivery, memory } = scene
  const row = { taskId: delivery.taskId, role: 'files', ref: null, frame: '', postedAt: null } as const
  if (!scene.messages.has('files')) await messages.save(scene, row)
  try {
    const { taskId } = delivery
    const names = { key: postingKey(taskId, 'files', 1), comment: `Files of task #${taskId}`, taskId }
    const ref = await withDeadline(adapter.upload(delivery.place, files, names), UPLOAD_MS, clock)
    await messages.save(scene, { ...row, ref, postedAt: clock.now() })
    scene.spoke = true
    return null
  } catch (error) {
    memory.uploadTries++
    if (!isHopeless(error, memory.uploadTries)) throw error
    return error.message
  }
}

function isHopeless(error: unknown, tries: number): error is AdapterError {
  if (!(error instanceof AdapterError) || error.code === 'rate_limited') return false
  const mayPass = error.code === 'unavailable' || error.code === 'unauthorized'
  return !mayPass || tries >= TRIES
}

/** First the line in the thread: when the platform is down as a whole, this throws and the upload is tried again with the rest. */
async function giveUp({ messages }: TellOptions, scene: Scene, problem: string): Promise<Wait> {
  await messages.post(scene, 'notice:upload', uploadFailedView(scene.task, problem), { silent: true })
  const frame = encodeFrame({ posting: 1, hash: '', state: 'refused' })
  await messages.save(scene, { taskId: scene.task.id, role: 'files', ref: null, frame, postedAt: null })
  return null
}

async function tellDone({ messages }: TellOptions, scene: Scene): Promise<Wait> {
  const notice = scene.messages.get('notice:upload')
  if (!isPosted(notice)) return null
  const outcome = await messages.edit(scene, notice, uploadDoneView(scene.task), 'status')
  if (outcome.kind === 'gone') await messages.close(scene, notice)
  return outcome.kind === 'wait' ? outcome.ms : null
}

import type { Place } from '../core/task.ts'
import type { CardView, FileView } from '../core/view.ts'

/**
 * What a button or a word in a thread asks to see. Written once for all chat adapters.
 * The caller has asked the inbox whether this person may (`may(actor, 'view', taskId)`); here nobody is asked again.
 * Answers are sentences for the person. Nothing is thrown but StoreError: what a platform refuses becomes the sentence.
 */
export interface Presenter {
  /** Uploads a snapshot of the whole log into the place. */
  showLog(taskId: number, place: Place): Promise<string>
  /** Uploads the outputs into the place by the rule for results: as they are, as one zip, or a list when they are too large. */
  showFiles(taskId: number, place: Place): Promise<string>
  /** Uploads one output into the place; `path` as `files` gave it. */
  showFile(taskId: number, path: string, place: Place): Promise<string>
  /** Up to `max` outputs, for a menu; `total` says how many there are. */
  files(taskId: number, max: number): Promise<{ files: readonly FileView[]; total: number }>
  /** Tries an upload that failed at the end of the task once more. */
  retryUpload(taskId: number): Promise<string>
  /** Tells once more what could not be told: after somebody has invited the bot or given it the right that it lacked. */
  redeliver(taskId: number): Promise<string>
  /** The task's card as it is now, for a private answer to "status". Undefined when there is no such task. */
  card(taskId: number): Promise<CardView | undefined>
}

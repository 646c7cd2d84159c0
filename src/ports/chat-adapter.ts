import type { Readable } from 'node:stream'
import { AppError } from '../core/errors.ts'
import type { Place, Platform } from '../core/task.ts'
import type { MessageView, StatusView } from '../core/view.ts'
import type { Inbox } from './inbox.ts'

/** An opaque reference to one message; only its adapter reads it. */
export type MessageRef = string

export interface UploadFile {
  name: string
  sizeBytes: number
  /** Opened when the upload begins; may be called again for another try. */
  open(): Promise<Readable>
}

export type AdapterErrorCode =
  /** Try again, after `retryAfterMs` when set. */
  | 'rate_limited'
  | 'unavailable'
  /** The message is gone or cannot be edited any more (too old, archived): post a new one. */
  | 'message_gone'
  /** The thread or channel is gone, locked, or we may not write there; `message` says which permission or scope is missing. */
  | 'thread_gone'
  | 'forbidden'
  /** The platform refused this content. */
  | 'invalid'
  | 'too_large'
  /** The token is revoked or wrong. */
  | 'unauthorized'

/** `message` is for people, names the fix, and holds no token. */
export class AdapterError extends AppError {
  declare readonly code: AdapterErrorCode
  readonly retryAfterMs: number | null
  constructor(code: AdapterErrorCode, message: string, retryAfterMs: number | null = null, options?: ErrorOptions) {
    super(code, message, options)
    this.retryAfterMs = retryAfterMs
  }
}

export interface AdapterHealth {
  /** Connected, and events can arrive. */
  ok: boolean
  /** One sentence; '' when ok. */
  problem: string
}

export interface ChatLimits {
  /** Files in one upload, and their bytes together. */
  maxFiles: number
  maxUploadBytes: number
  /** Bytes of one file; as many as of all together when absent. */
  maxFileBytes?: number
  /** The least time between two edits when `liveCards` cards are being edited. */
  minEditIntervalMs(liveCards: number): number
  /** One budget for all edits of the platform (Slack), or one for each thread (Discord). */
  editBudget: 'shared' | 'per_thread'
  /** A card older than this is posted anew instead of edited; null: edits never age. */
  maxEditAgeMs: number | null
  /** UTF-16 units of command text that one approval message can hold whole; 2 400 when absent. */
  approvalChars?: number
}

/** Speaks to one chat platform. Holds no task state: everything it needs is in its arguments or on the platform. */
export interface ChatAdapter extends AsyncDisposable {
  readonly name: Platform
  readonly limits: ChatLimits
  /** Connects and begins to hand intents to the inbox. Settles when ready; throws SetupError for a wrong token, intent or scope. */
  start(inbox: Inbox): Promise<void>
  health(): AdapterHealth
  /**
   * Posts a new message into the place. `key` makes it happen once: called again with the same key, after a crash or a time-out,
   * it finds the message that is there and answers its ref. A place without a thread becomes one; the answer's place is the thread.
   * `silent`: no notification where the platform can. Throws AdapterError.
   */
  post(
    place: Place,
    view: MessageView,
    options: { key: string; silent: boolean },
  ): Promise<{ ref: MessageRef; place: Place }>
  /** Replaces the message. Throws AdapterError. */
  edit(ref: MessageRef, view: MessageView): Promise<void>
  /**
   * Uploads files into the thread, once per key as `post`. Throws AdapterError; files that are too large are the caller's to avoid.
   * `taskId` where the key is that task's own: of one that is new, nothing can be there that would have to be looked for.
   */
  upload(
    place: Place,
    files: readonly UploadFile[],
    options: { key: string; comment: string; taskId?: number },
  ): Promise<MessageRef>
  /** Shows the status on the root message (a reaction), where the platform has that. Never throws; losing it does no harm. */
  mark(place: Place, status: StatusView, before: StatusView | null): Promise<void>
  /** Bytes of an attachment that the platform holds. Throws AdapterError. */
  fetchInput(ref: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
}

/** What Discord takes, as data. Source: discord-api-docs of 2026-08-06. `render` keeps to it by construction. */
import type { ChatLimits } from '../../src/ports/chat-adapter.ts'

export const DISCORD_LIMITS = {
  content: 2000,
  embedDescription: 4096,
  /** Of all text displays of one message together. */
  displayText: 4000,
  components: 40,
  rowButtons: 5,
  buttonLabel: 80,
  customId: 100,
  selectOptions: 25,
  selectLabel: 100,
  selectDescription: 100,
  choices: 25,
  choiceName: 100,
  modalTitle: 45,
  modalLabel: 45,
  modalFields: 5,
  modalText: 4000,
  threadName: 100,
  /** Minutes without a message after which a thread is archived; a message un-archives it. */
  threadArchiveMinutes: 1440,
  nonce: 25,
  /** Messages that one request lists. */
  page: 100,
  attachmentDescription: 1024,
} as const

/** Of one file, in a guild without boosts; more is allowed in some, less in none. */
export const MAX_FILE_BYTES = 10 * 1024 * 1024
/** Of a whole request: 25 MiB, less what the form around the files takes. */
const MAX_REQUEST_BYTES = 25 * 1024 * 1024 - 64 * 1024

export const DISCORD_CHAT_LIMITS: ChatLimits = {
  maxFiles: 10,
  maxUploadBytes: MAX_REQUEST_BYTES,
  maxFileBytes: MAX_FILE_BYTES,
  // Discord counts per channel, and a thread is one: other cards do not matter.
  minEditIntervalMs: () => 2500,
  editBudget: 'per_thread',
  // After an hour too many edits are refused (30046).
  maxEditAgeMs: 50 * 60_000,
}

/** The first answer to an interaction is due after 3 s; what must be looked up for it gets two. */
export const FIRST_ANSWER_BUDGET_MS = 2000
/** A token lives 15 minutes; one minute early, so that an answer under way is not lost. */
export const TOKEN_LIFETIME_MS = 14 * 60_000

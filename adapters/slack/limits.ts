/**
 * Slack's limits as data, each a little below what Slack documents or was seen to refuse.
 * Source: docs.slack.dev, Block Kit reference and `chat.update`; totals as observed.
 */
import type { ChatLimits } from '../../src/ports/chat-adapter.ts'

/** Together the parts of any one message stay below 13 200 characters, where Slack was seen to refuse. */
export const LIMITS = {
  /** Top-level `text`: what notifications and screen readers get. `chat.update` fails from about 3 000 on. */
  text: 300,
  sectionText: 2900,
  contextText: 400,
  contextElements: 10,
  buttonLabel: 75,
  buttons: 10,
  confirmTitle: 100,
  confirmText: 300,
  confirmButton: 30,
  optionLabel: 75,
  optionValue: 150,
  options: 25,
  modalTitle: 24,
  inputText: 3000,
  inputLabel: 150,
  homeTasks: 10,
  files: 10,
} as const

const MIN_EDIT_INTERVAL_MS = 3000
/** 50 edits a minute for the whole workspace, a fifth kept back for status changes. */
const EDIT_SHARE_MS = 1500

export const CHAT_LIMITS: ChatLimits = {
  maxFiles: LIMITS.files,
  maxUploadBytes: 200 * 1024 * 1024,
  minEditIntervalMs: (liveCards) => Math.max(MIN_EDIT_INTERVAL_MS, EDIT_SHARE_MS * liveCards),
  editBudget: 'shared',
  maxEditAgeMs: null,
  approvalChars: 6000,
}

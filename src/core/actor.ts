import type { Platform } from './task.ts'

/** Scopes of an API token; the CLI, which can read the store itself, has all. */
export const API_SCOPES = ['read', 'submit', 'approve', 'admin'] as const
export type ApiScope = (typeof API_SCOPES)[number]

/** Who wants something, as an adapter has verified it. All ids are the platform's immutable ones. */
export interface Actor {
  platform: Platform
  /** Slack workspace or Discord guild; '' where there is none (a Discord DM, the API, the CLI). */
  scope: string
  /** Where they act, for a thread the channel it is in; '' where there is none. A direct message has its own id and `isDirect`. */
  channelId: string
  isDirect: boolean
  userId: string
  name: string
  /** Discord roles or Slack user groups. */
  groups: readonly string[]
  isBot: boolean
  /** From another workspace (Slack Connect), or a single-channel guest. */
  isGuest: boolean
  /** For platform 'api' and 'cli'. */
  apiScopes: readonly ApiScope[]
}

/** What an actor may want. `view` covers list, show, logs and files. */
export const ACTIONS = [
  'submit',
  'view',
  'cancel',
  'retry',
  'refine',
  'approve',
  'reject',
  'edit_plan',
  'discard',
  'audit',
  'admin',
] as const
export type Action = (typeof ACTIONS)[number]

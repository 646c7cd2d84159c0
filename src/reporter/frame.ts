/** What the store keeps of a message's last frame: which posting of its role it is, and the hash of what the platform accepted. */
import { createHash } from 'node:crypto'
import type { MessageView } from '../core/view.ts'
import type { DeliveredMessage } from '../ports/store.ts'

/**
 * - `posting` counts how often the role was posted anew (a card that was deleted or grew too old); it is part of the key.
 * - `refused`: the platform does not take it; nothing more is tried.
 * - `closed`: the message can no longer be edited, and nothing is lost by that.
 */
export interface Frame {
  posting: number
  hash: string
  state: 'open' | 'refused' | 'closed'
}

const FIRST: Frame = { posting: 1, hash: '', state: 'open' }

export function encodeFrame({ posting, hash, state }: Frame): string {
  return `${state}:${posting}:${hash}`
}

export function frameOf(message: DeliveredMessage | undefined): Frame {
  const match = /^(open|refused|closed):([0-9]{1,6}):(.*)$/.exec(message?.frame ?? '')
  if (match === null) return FIRST
  const state = match[1] === 'refused' || match[1] === 'closed' ? match[1] : 'open'
  return { posting: Number(match[2]), hash: match[3] ?? '', state }
}

export function hashOf(view: MessageView): string {
  return createHash('sha256').update(JSON.stringify(view)).digest('base64url')
}

/** The key that makes a posting happen once. */
export function postingKey(taskId: number, role: string, posting: number): string {
  return posting === 1 ? `task-${taskId}:${role}` : `task-${taskId}:${role}.${posting}`
}

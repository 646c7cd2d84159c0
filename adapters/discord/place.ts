/**
 * What the opaque keys of places and messages mean. A key says all that a later process needs.
 *
 * - `n:channel/user/interaction`  a new task from a command: its root message is still to be posted
 * - `m:channel/message`           a new task from a person's message: its thread is still to be started
 * - `c:channel`                   a thread, or a direct message
 * - `r:channel/message`           replies to a message, where no thread may be started
 */
import type { Place } from '../../src/core/task.ts'
import type { MessageRef } from '../../src/ports/chat-adapter.ts'
import { AdapterError } from '../../src/ports/chat-adapter.ts'

export type Spot =
  | { kind: 'new'; channelId: string; userId: string; interactionId: string }
  | { kind: 'message'; channelId: string; messageId: string }
  | { kind: 'channel'; channelId: string }
  | { kind: 'replies'; channelId: string; messageId: string }

/** A message of ours, or (`own: false`) of the requester, which stands in for a root and is never edited. */
export interface MessageSpot {
  own: boolean
  channelId: string
  messageId: string
}

export function encodeSpot(spot: Spot): string {
  switch (spot.kind) {
    case 'new':
      return `n:${spot.channelId}/${spot.userId}/${spot.interactionId}`
    case 'message':
      return `m:${spot.channelId}/${spot.messageId}`
    case 'channel':
      return `c:${spot.channelId}`
    case 'replies':
      return `r:${spot.channelId}/${spot.messageId}`
  }
}

/** Throws AdapterError (invalid) for a key that is not ours. */
export function parseSpot(key: string): Spot {
  const match = /^([nmcr]):(\d+)(?:\/(\d+))?(?:\/(\d+))?$/.exec(key)
  const [, letter, channelId = '', second = '', third = ''] = match ?? []
  if (letter === 'n' && second !== '') return { kind: 'new', channelId, userId: second, interactionId: third }
  if (letter === 'm' && second !== '') return { kind: 'message', channelId, messageId: second }
  if (letter === 'c') return { kind: 'channel', channelId }
  if (letter === 'r' && second !== '') return { kind: 'replies', channelId, messageId: second }
  throw new AdapterError('invalid', 'This place is not one of Discord.')
}

/** `parentId`: the channel that people know, for a thread the one it is in. */
export function placeOf(spot: Spot, parentId: string): Place {
  const thread = spot.kind === 'channel' || spot.kind === 'replies'
  return { platform: 'discord', key: encodeSpot(spot), channelId: parentId, thread }
}

export function encodeMessage({ own, channelId, messageId }: MessageSpot): MessageRef {
  return `${own ? '' : 'u:'}${channelId}/${messageId}`
}

/** Throws AdapterError (invalid) for a reference that is not ours. */
export function parseMessage(ref: MessageRef): MessageSpot {
  const match = /^(u:)?(\d+)\/(\d+)$/.exec(ref)
  if (match === null) throw new AdapterError('invalid', 'This message is not one of Discord.')
  return { own: match[1] === undefined, channelId: match[2] ?? '', messageId: match[3] ?? '' }
}

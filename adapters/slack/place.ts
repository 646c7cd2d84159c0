/** Places and message references as strings that only this adapter reads. Pure. */
import type { Place } from '../../src/core/task.ts'

/** A place in Slack: a channel, or a thread in it. */
export interface SlackPlace {
  teamId: string
  channelId: string
  /** The thread's first message; null: the channel itself. */
  threadTs: string | null
  /** Who gets it as a direct message when the channel cannot be written to; null: nobody. */
  fallbackUserId: string | null
}

const KEY = /^([TE][A-Z0-9]*)\/([CDG][A-Z0-9]+)(?:\/([0-9]+\.[0-9]+))?(?:\+([UW][A-Z0-9]+))?$/

/** `team/channel`, `team/channel/thread`, each perhaps with `+user`. */
export function toPlace(place: SlackPlace): Place {
  const thread = place.threadTs === null ? '' : `/${place.threadTs}`
  const user = place.fallbackUserId === null ? '' : `+${place.fallbackUserId}`
  return {
    platform: 'slack',
    key: `${place.teamId}/${place.channelId}${thread}${user}`,
    channelId: place.channelId,
    thread: place.threadTs !== null,
  }
}

/** Undefined for a key that is not ours. */
export function fromPlace(place: Place): SlackPlace | undefined {
  const match = KEY.exec(place.key)
  const [, teamId, channelId, threadTs, userId] = match ?? []
  if (place.platform !== 'slack' || teamId === undefined || channelId === undefined) return undefined
  return { teamId, channelId, threadTs: threadTs ?? null, fallbackUserId: userId ?? null }
}

/** One message of ours. The key goes along because an edit sends the metadata again. */
export interface SlackRef {
  channelId: string
  ts: string
  key: string
}

export function formatRef(ref: SlackRef): string {
  return `${ref.channelId}/${ref.ts}/${ref.key}`
}

export function parseRef(text: string): SlackRef | undefined {
  const match = /^([A-Z0-9]+)\/([0-9]+\.[0-9]+)\/(.*)$/s.exec(text)
  const [, channelId, ts, key] = match ?? []
  if (channelId === undefined || ts === undefined || key === undefined) return undefined
  return { channelId, ts, key }
}

/** The message's own identity: `app_mention` and `message`, a redelivery and a restart all answer the same. */
export function messageKey(teamId: string, channelId: string, ts: string): string {
  return `slack:${teamId}:${channelId}:${ts}`
}

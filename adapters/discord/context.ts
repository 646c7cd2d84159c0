/** What the handlers of messages and interactions share. */
import type { Place } from '../../src/core/task.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { Logger } from '../../src/ports/logger.ts'
import type { Presenter } from '../../src/ports/presenter.ts'
import type { ChannelFacts, Channels } from './channels.ts'
import type { DiscordApi } from './discord-api.ts'
import type { Notes } from './notes.ts'
import { placeOf, type Spot } from './place.ts'

export interface Context {
  api: DiscordApi
  channels: Channels
  inbox: Inbox
  presenter: Presenter
  clock: Clock
  logger: Logger
  notes: Notes
  botId: string
  readsContent(): boolean
}

/** A thread or a direct message is a place by itself; null for a channel, where each task gets a thread of its own. */
export function placeIn(facts: ChannelFacts): Place | null {
  const isPlace = facts.kind === 'thread' || facts.kind === 'direct'
  return isPlace ? placeOf({ kind: 'channel', channelId: facts.id }, facts.parentId) : null
}

export function placeFor(spot: Spot, facts: ChannelFacts): Place {
  return placeOf(spot, facts.parentId)
}

export const HELP = [
  '**What you can do**',
  '`/task run` or mention me with what you need, in plain words; attach files to work on. A line that begins with `!` is run as it is.',
  'In the thread of a task: `cancel`, `retry`, `again`, `approve`, `reject`, `status`, `log`, `files`; anything else goes on from the task with your change.',
  '`/task list` shows your tasks; right click a message, Apps, **Run as task** makes one of it.',
].join('\n')

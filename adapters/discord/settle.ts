/** Where a task is told of from now on: a new place becomes a thread (or replies) with its root message. */
import { withEllipsis } from '../../src/core/text.ts'
import type { MessageView, RootView, StatusView } from '../../src/core/view.ts'
import { AdapterError, type MessageRef } from '../../src/ports/chat-adapter.ts'
import type { Channels } from './channels.ts'
import { DISCORD_LIMITS } from './limits.ts'
import type { PlaceNews } from './open-answers.ts'
import { encodeMessage, type Spot } from './place.ts'
import { markerOf, renderMessage } from './render.ts'
import type { Sender } from './sender.ts'
import type { Threads } from './threads.ts'

export interface Settled {
  spot: Spot
  /** Set when a message stands for the root already. */
  rootRef: MessageRef | null
  /** The thread has just been made: nothing can have been posted in it before. */
  isFresh: boolean
}

export interface SettleOptions extends PlaceNews {
  channels: Channels
  threads: Threads
  sender: Sender
}

type Settle = (spot: Spot, view: MessageView, posting: { key: string; silent: boolean }) => Promise<Settled>

export function createSettle({ channels, threads, sender, onOpened, onRefused }: SettleOptions): Settle {
  return async (spot, view, posting) => {
    if (spot.kind === 'channel' || spot.kind === 'replies') return { spot, rootRef: null, isFresh: false }
    const name = threadName(view)
    if (spot.kind === 'message') {
      const opened = await threads.open({ channelId: spot.channelId, messageId: spot.messageId, name, userId: null })
      return { ...opened, rootRef: encodeMessage({ own: false, channelId: spot.channelId, messageId: spot.messageId }) }
    }
    const root =
      view.kind === 'root' ? { view, ...posting } : { view: rootFor(view), key: `${posting.key}/root`, silent: true }
    const settled = await openNew(spot, name, root).catch((error: unknown) => {
      if (error instanceof AdapterError && isLasting(error)) onRefused(spot.interactionId, view.taskId, error.message)
      throw error
    })
    if (settled.spot.kind === 'channel') onOpened(spot.interactionId, settled.spot.channelId)
    return settled
  }

  async function openNew(
    { channelId, userId }: Extract<Spot, { kind: 'new' }>,
    name: string,
    root: { view: RootView; key: string; silent: boolean },
  ): Promise<Settled> {
    const facts = await channels.get(channelId)
    if (facts.kind === 'forum') {
      return threads.openPost({ facts, name, userId, message: renderMessage(root.view, markerOf(root.key)) })
    }
    const posting = { key: root.key, silent: root.silent, doing: 'post', isFresh: false } as const
    const messageId = await sender.view({ kind: 'channel', channelId }, root.view, posting)
    const opened = await threads.open({ channelId, messageId, name, userId })
    return { ...opened, rootRef: encodeMessage({ own: true, channelId, messageId }) }
  }
}

function isLasting({ code }: AdapterError): boolean {
  return code === 'forbidden' || code === 'thread_gone'
}

function threadName(view: MessageView): string {
  const title = view.kind === 'root' ? view.title.replace(/^Task #\d+:\s*/, '') : ''
  return withEllipsis(`#${view.taskId} ${title}`.trim(), DISCORD_LIMITS.threadName)
}

/** For a place whose first message is not its root: it needs one all the same, to start the thread from. */
function rootFor(view: MessageView): RootView {
  const status: StatusView = { status: 'pending', icon: '🕒', word: 'Queued' }
  return { kind: 'root', taskId: view.taskId, status, title: `Task #${view.taskId}`, byLine: 'follow it in the thread' }
}

import { parseMessage, parseSpot, placeOf } from '../../../adapters/discord/place.ts'
import type { Place } from '../../../src/core/task.ts'
import { type ChatHarness, describeChatAdapter, type SeenMessage } from '../../contracts/chat-adapter.ts'
import { rateLimited } from '../../fakes/discord-server-faults.ts'
import { textsOf } from '../../fakes/discord-server-messages.ts'
import type { FakeMessage, Json } from '../../fakes/discord-server-state.ts'
import { list, text } from '../../fakes/discord-server-validate.ts'
import { createHarness } from './harness.ts'

/** Button labels and ids of all components. */
function controlsOf(components: readonly Json[], key: 'custom_id' | 'label'): string[] {
  return components.flatMap((component) => [
    ...(typeof component[key] === 'string' ? [text(component[key])] : []),
    ...controlsOf(list(component.components), key),
  ])
}

function seenOf(message: FakeMessage): SeenMessage {
  const shown = [message.content, ...textsOf(message.components), ...controlsOf(message.components, 'label')].join('\n')
  return {
    text: shown.replace(/\\([^0-9A-Za-z\s])/g, '$1'),
    mentions: message.pinged,
    controls: controlsOf(message.components, 'custom_id'),
  }
}

async function contractHarness(): Promise<ChatHarness> {
  const harness = await createHarness()
  const { server, adapter, channel, ana } = harness
  const channelOf = (place: Place) => {
    const spot = parseSpot(place.key)
    return spot.channelId
  }
  const ours = (place: Place) =>
    server.messagesIn(channelOf(place)).filter((message) => message.author.id === server.state.bot.id)
  return {
    adapter,
    userId: ana.id,
    async channel() {
      const spot = { kind: 'new', channelId: channel.id, userId: ana.id, interactionId: server.state.newId() } as const
      return placeOf(spot, channel.id)
    },
    async thread() {
      const thread = server.addChannel({
        type: 11,
        parent_id: channel.id,
        owner_id: server.state.bot.id,
        thread_metadata: { archived: false, locked: false, auto_archive_duration: 1440, archive_timestamp: '' },
      })
      return placeOf({ kind: 'channel', channelId: thread.id }, channel.id)
    },
    messages: async (place) =>
      ours(place)
        .filter((message) => message.attachments.length === 0)
        .map(seenOf),
    files: async (place) =>
      ours(place).flatMap((message) => message.attachments.map(({ filename, bytes }) => ({ name: filename, bytes }))),
    async deleteMessage(ref) {
      server.state.messages.delete(parseMessage(ref).messageId)
    },
    fail(fault) {
      const all = { method: '', path: /./, times: Number.POSITIVE_INFINITY }
      switch (fault) {
        case 'rate_limited':
          server.faults.add({ ...all, method: 'PATCH', times: 1, fault: rateLimited(2, 'route') })
          break
        case 'down':
          for (const method of ['GET', 'POST', 'PATCH', 'PUT', 'DELETE']) {
            server.faults.add({ ...all, method, fault: { kind: 'answer', status: 503 } })
          }
          break
        case 'lost_answer':
          server.faults.add({ ...all, method: 'POST', path: /messages$/, times: 1, fault: { kind: 'lost' } })
          break
        case 'thread_gone':
          server.state.denied.set(channel.id, new Set(['SEND_MESSAGES_IN_THREADS', 'SEND_MESSAGES']))
      }
    },
    heal() {
      server.faults.clear()
      server.state.denied.clear()
    },
    [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose](),
  }
}

describeChatAdapter('Discord', contractHarness)

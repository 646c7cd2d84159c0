/** The crash test's Discord as it is at the end. What a message is for is read from its nonce. */
import { nonceOf } from '../../adapters/discord/render.ts'
import { postingKey } from '../../src/reporter/frame.ts'
import type { DiscordServer } from '../fakes/discord-server.ts'
import type { FakeMessage, Json } from '../fakes/discord-server-state.ts'
import { list, text } from '../fakes/discord-server-validate.ts'
import type { Chat, Told } from './chat.ts'

const ROLES = ['root', 'card', 'approval', 'result', 'files']
const MAX_POSTINGS = 5

/** The custom ids of buttons. */
export function componentsOf(components: readonly Json[]): string[] {
  return components.flatMap((each) => [
    ...(each.type === 2 ? [text(each.custom_id)] : []),
    ...componentsOf(list(each.components)),
  ])
}

export function discordChat({ state }: DiscordServer, taskIds: readonly number[]): Chat {
  const keys = keysByNonce(taskIds)
  const ours = [...state.messages.values()].filter(({ author }) => author.id === state.bot.id)
  return {
    platform: 'discord',
    told: ours.flatMap((message) => toldBy(message, keys, state.channels.has(message.id))),
    reactionsOn(thread) {
      const root = state.messages.get(thread)
      return root === undefined ? undefined : [...root.reactions.keys()]
    },
    faults: twice(ours).map((nonce) => `Discord: two messages have the nonce ${nonce}`),
  }
}

function keysByNonce(taskIds: readonly number[]): Map<string, { taskId: number; role: string }> {
  const keys = new Map<string, { taskId: number; role: string }>()
  for (const taskId of taskIds) {
    for (const role of ROLES) {
      for (let posting = 1; posting <= MAX_POSTINGS; posting += 1) {
        const key = postingKey(taskId, role, posting)
        const name = key.slice(key.indexOf(':') + 1)
        keys.set(nonceOf(key), { taskId, role: name })
        // A thread that has to begin with something else first.
        keys.set(nonceOf(`${key}/root`), { taskId, role: 'root' })
      }
    }
  }
  return keys
}

function toldBy(message: FakeMessage, keys: ReturnType<typeof keysByNonce>, isRoot: boolean): Told[] {
  const key = keys.get(message.nonce ?? '')
  if (key === undefined) return []
  const verbs = componentsOf(message.components).map((id) => id.split(':')[0] ?? '')
  // A thread has the id of the message that it begins with.
  return [{ ...key, thread: isRoot ? message.id : message.channel_id, verbs }]
}

function twice(messages: readonly FakeMessage[]): string[] {
  const nonces = messages.flatMap(({ channel_id: channel, nonce }) =>
    nonce === undefined ? [] : [`${channel}/${nonce}`],
  )
  return nonces.filter((nonce, at) => nonces.indexOf(nonce) !== at)
}

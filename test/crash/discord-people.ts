/**
 * The people of the crash test's Discord. Nothing is delivered there twice, and what is said while nobody listens is gone, so they
 * speak when the program is connected, and count as accepted only what they can see is: a reaction, or an answer with the task's number.
 */
import type { DiscordServer } from '../fakes/discord-server.ts'
import type { FakeUser } from '../fakes/discord-server-state.ts'
import { componentsOf } from './discord-chat.ts'
import type { Asked, ChatPeople } from './people.ts'

const CHANNELS = 6
const WAYS = ['mention', 'mention', 'direct', 'slash', 'reply'] as const
const PRESS_AGAIN_MS = 4000

export interface DiscordPeopleOptions {
  discord: DiscordServer
  random(): number
  /** Somebody has said something and the program may have heard it. */
  onSaid(): void
}

export function createDiscordPeople({ discord, random, onSaid }: DiscordPeopleOptions): ChatPeople {
  const { people, state, gateway } = discord
  discord.setContentIntent(true)
  people.addGuild('Crash')
  const channels = Array.from({ length: CHANNELS }, (_, index) =>
    discord.addChannel({ type: 0, name: `crash-${index}` }),
  )
  const users = ['Ana', 'Ben'].map((name) => people.addUser(name))
  const direct = new Map(users.map((user) => [user, discord.addChannel({ type: 1, recipients: [user] })]))
  const pressedAt = new Map<string, number>()
  const unsaid: (() => void)[] = []
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] ?? expectSome()

  function say(user: FakeUser, channelId: string, content: string): () => boolean {
    const message = people.say({ user, channelId, content })
    let isSeen = false
    return () => {
      isSeen ||= message.reactions.size > 0
      return isSeen
    }
  }

  function slash(user: FakeUser, channelId: string, text: string): () => boolean {
    const options = [{ name: 'prompt', type: 3, value: text }]
    const interaction = people.slash({ user, channelId, sub: 'run', options })
    return () => /Task #\d+ created|Your task is in/.test(people.seen(interaction))
  }

  function speak(way: (typeof WAYS)[number], text: string): () => boolean {
    const user = pick(users)
    const channel = pick(channels)
    const threads = discord.threads()
    if (way === 'slash') return slash(user, channel.id, text)
    if (way === 'direct') return say(user, direct.get(user)?.id ?? '', text)
    const place = way === 'reply' && threads.length > 0 ? pick(threads) : channel
    return say(user, place.id, `<@${state.bot.id}> ${text}`)
  }

  function press(wants: (actionId: string) => boolean): void {
    for (const message of [...state.messages.values()]) {
      if (message.author.id !== state.bot.id) continue
      for (const customId of componentsOf(message.components)) {
        const key = `${message.id}:${customId}`
        if (!wants(customId) || Date.now() - (pressedAt.get(key) ?? 0) < PRESS_AGAIN_MS) continue
        pressedAt.set(key, Date.now())
        people.press({ user: pick(users), channelId: message.channel_id, messageId: message.id, customId })
      }
    }
  }

  return {
    ask(_number, text): Omit<Asked, 'number'> {
      const way = pick(WAYS)
      let isAccepted = (): boolean => false
      unsaid.push(() => {
        isAccepted = speak(way, text)
      })
      return { way: `discord ${way}`, isAccepted: () => isAccepted() }
    },
    act(wants, word) {
      if (gateway.sessions === 0) return
      for (const say of unsaid.splice(0)) {
        say()
        onSaid()
      }
      const [thread] = word === undefined ? [] : discord.threads().slice(-1)
      if (word !== undefined && thread !== undefined) say(pick(users), thread.id, word)
      press(wants)
      // A connection that breaks is resumed, and what was said meanwhile comes then.
      if (random() < 0.02) gateway.terminateAll()
    },
    redeliver() {
      // A program that was killed does not come back to its session.
      if (gateway.connections === 0) gateway.forgetSessions()
    },
    get unheard() {
      return unsaid.length
    },
  }
}

function expectSome(): never {
  throw new Error('nothing to choose from')
}

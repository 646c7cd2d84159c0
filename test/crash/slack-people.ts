/** The people of the crash test's Slack: mentions, direct messages, the slash command, replies, buttons. */
import type { SlackServer } from '../fakes/slack-server.ts'
import { addChannel, buttonsOf, type Delivery } from '../fakes/slack-server-state.ts'
import type { ChatPeople } from './people.ts'

const CHANNELS = 12
const USERS = ['U0ANA', 'U0BEN']
const WAYS = ['mention', 'mention', 'direct', 'slash', 'reply'] as const
const IN_DOUBT = /not stored yet|did not work/
/** Nobody presses the same button again before. */
const PRESS_AGAIN_MS = 4000

export function createSlackPeople(slack: SlackServer, random: () => number): ChatPeople {
  const events: Delivery[] = []
  const pressedAt = new Map<string, number>()
  const roots: { channel: string; ts: string; user: string }[] = []
  for (let index = 0; index < CHANNELS; index += 1) {
    addChannel(slack.world, `C0CRASH${index}`, `crash-${index}`, 'public', [...USERS, slack.world.bot.userId])
  }
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]

  const anyUser = () => pick(USERS) ?? 'U0ANA'
  const anyChannel = () => `C0CRASH${Math.floor(random() * CHANNELS)}`

  /** Acknowledged, and not said to be in doubt: the person has no reason to ask again. */
  function command(text: string): () => boolean {
    const { delivery, responseUrl } = slack.user.command({ user: anyUser(), channel: anyChannel(), text })
    const isDoubted = () =>
      (slack.world.responseUrls.get(responseUrl)?.uses ?? []).some(({ text }) => IN_DOUBT.test(String(text)))
    return () => delivery.isAcked && !isDoubted()
  }

  function say(way: (typeof WAYS)[number], text: string): readonly Delivery[] {
    const [user, channel] = [anyUser(), anyChannel()]
    if (way === 'direct') return slack.user.dm(user, text).deliveries
    const root = way === 'reply' ? pick(roots) : undefined
    const mention = `<@${slack.world.bot.userId}> ${text}`
    const said = slack.user.say(
      root === undefined
        ? { user, channel, text: mention }
        : { user: root.user, channel: root.channel, threadTs: root.ts, text: mention },
    )
    if (root === undefined) roots.push({ channel, ts: said.ts, user })
    return said.deliveries
  }

  return {
    ask(_number, words) {
      const way = pick(WAYS) ?? 'mention'
      const text = words.replaceAll('&', '&amp;').replaceAll('>', '&gt;').replaceAll('<', '&lt;')
      if (way === 'slash') return { way: 'slack slash', isAccepted: command(text) }
      const deliveries = say(way, text)
      events.push(...deliveries)
      return { way: `slack ${way}`, isAccepted: () => deliveries.some((each) => each.isAcked) }
    },
    act(wants, word) {
      const root = word === undefined ? undefined : pick(roots)
      if (word !== undefined && root !== undefined) {
        events.push(...slack.user.say({ ...root, threadTs: root.ts, text: word }).deliveries)
      }
      // A socket that breaks now and then loses nothing either.
      if (random() < 0.02) slack.breakSockets()
      for (const message of [...slack.world.messages]) {
        if (message.botId === undefined) continue
        for (const { actionId } of buttonsOf(message.blocks)) {
          const key = `${message.ts}:${actionId}`
          if (!wants(actionId) || Date.now() - (pressedAt.get(key) ?? 0) < PRESS_AGAIN_MS) continue
          pressedAt.set(key, Date.now())
          slack.user.click({ user: 'U0ANA', channel: message.channel, ts: message.ts, actionId })
        }
      }
    },
    redeliver() {
      // Slack gives up on an event after three more attempts; here none is given up, and so none is the last.
      for (const each of events) if (!each.isAcked) each.redeliver('timeout', 1)
    },
    get unheard() {
      return events.filter((each) => !each.isAcked).length
    },
  }
}

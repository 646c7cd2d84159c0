/** People who ask, decide and change their minds, whatever happens to the program meanwhile. */
import type { SlackServer } from '../fakes/slack-server.ts'
import { addChannel, buttonsOf, type Delivery, isJson, type Json } from '../fakes/slack-server-state.ts'
import { countedCommand } from './model.ts'

export type Way = 'api' | 'mention' | 'direct' | 'slash' | 'reply'

export interface Asked {
  number: number
  way: Way
  /** Envelopes that Slack has sent for it; empty for the API. */
  deliveries: readonly Delivery[]
  /** The program has said that it has it: 201, or an acknowledged event. */
  isAccepted(): boolean
}

export interface People {
  readonly asked: readonly Asked[]
  /** Asks for something, some way. */
  ask(): void
  /** Presses what there is to press, redelivers what was not acknowledged, asks the API again. */
  act(): Promise<void>
  /** Slack's own part after a restart: what was not acknowledged comes again. */
  redeliver(): void
  /** Nobody begins anything new from now on; what waits is approved. */
  calmDown(): void
  /** Requests to the API without an answer yet. */
  readonly unanswered: number
}

export interface PeopleOptions {
  slack: SlackServer
  apiPort: number
  mark: string
  random(): number
}

const CHANNELS = 12
const USERS = ['U0ANA', 'U0BEN']

export function createPeople(options: PeopleOptions): People {
  const { slack, random } = options
  const asked: Asked[] = []
  const api = new Map<number, { text: string; done: boolean }>()
  const pressedAt = new Map<string, number>()
  const roots: { channel: string; ts: string; user: string }[] = []
  let isCalm = false
  for (let index = 0; index < CHANNELS; index += 1) {
    addChannel(slack.world, `C0CRASH${index}`, `crash-${index}`, 'public', [...USERS, slack.world.bot.userId])
  }
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]

  function words(number: number): string {
    if (number % 3 !== 0) return `please do req-${number}`
    const commands = [0, 1].map((index) => countedCommand(options.mark, `${number}-v-${index}`, (number * 53) % 900))
    return commands.map((command) => `!: req-${number}; ${command}`).join('\n')
  }

  function viaSlack(number: number, way: Way): readonly Delivery[] {
    const user = pick(USERS) ?? 'U0ANA'
    const text = words(number).replaceAll('&', '&amp;').replaceAll('>', '&gt;').replaceAll('<', '&lt;')
    const channel = `C0CRASH${Math.floor(random() * CHANNELS)}`
    if (way === 'slash') return [slack.user.command({ user, channel, text }).delivery]
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

  async function callApi(number: number, text: string): Promise<void> {
    try {
      const response = await fetch(`http://127.0.0.1:${options.apiPort}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `req-${number}` },
        body: JSON.stringify({ description: text }),
        signal: AbortSignal.timeout(5000),
      })
      await response.text()
      if (response.status === 201 || response.status === 200) api.set(number, { text, done: true })
    } catch {
      // It is down, or died with our request in its hands: the same key goes there again.
    }
  }

  /** Those who asked through the API have no thread: a colleague decides for everybody, perhaps at the same moment as a button. */
  async function decideOverApi(): Promise<void> {
    const base = `http://127.0.0.1:${options.apiPort}/tasks`
    const signal = AbortSignal.timeout(3000)
    const json = async (url: string): Promise<Json> => {
      const answer: unknown = await (await fetch(url, { signal })).json()
      return isJson(answer) ? answer : {}
    }
    try {
      const { tasks } = await json(`${base}?status=awaiting_approval&limit=50`)
      for (const { id } of Array.isArray(tasks) ? tasks.filter(isJson) : []) {
        const { approval } = await json(`${base}/${String(id)}`)
        const response = await fetch(`${base}/${String(id)}/approve`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ hash: isJson(approval) ? approval.hash : '' }),
          signal,
        })
        await response.text()
      }
    } catch {
      // It is down: next time.
    }
  }

  function pressButtons(): void {
    for (const message of [...slack.world.messages]) {
      if (message.botId === undefined) continue
      for (const { actionId } of buttonsOf(message.blocks)) {
        const key = `${message.ts}:${actionId}`
        if (!wants(actionId) || Date.now() - (pressedAt.get(key) ?? 0) < 4000) continue
        pressedAt.set(key, Date.now())
        slack.user.click({ user: 'U0ANA', channel: message.channel, ts: message.ts, actionId })
      }
    }
  }

  function wants(actionId: string): boolean {
    const [verb = '', id = '0'] = actionId.split(':')
    if (verb === 'approve') return true
    if (isCalm) return false
    if (verb === 'resume') return Number(id) % 2 === 0
    if (verb === 'retry' || verb === 'cancel') return Number(id) % 17 === 5
    return false
  }

  return {
    asked,
    ask() {
      const number = asked.length + 1
      const way = pick(['api', 'mention', 'mention', 'direct', 'slash', 'reply'] as const) ?? 'api'
      if (way === 'api') {
        const text = words(number)
        api.set(number, { text, done: false })
        void callApi(number, text)
        asked.push({ number, way, deliveries: [], isAccepted: () => api.get(number)?.done === true })
        return
      }
      const deliveries = viaSlack(number, way)
      asked.push({ number, way, deliveries, isAccepted: () => deliveries.some((each) => each.isAcked) })
    },
    async act() {
      pressButtons()
      await decideOverApi()
      await Promise.all([...api].map(([number, { text, done }]) => (done ? undefined : callApi(number, text))))
    },
    redeliver() {
      // Slack gives up on an event after three attempts, an hour after the first; here none is given up.
      for (const { way, deliveries } of asked) {
        if (way === 'slash') continue
        for (const each of deliveries) if (!each.isAcked) each.redeliver()
      }
    },
    calmDown() {
      isCalm = true
    },
    get unanswered() {
      return [...api.values()].filter((each) => !each.done).length
    },
  }
}

/** People who ask, decide and change their minds, whatever happens to the program meanwhile: in chats, and over the API. */
import { isJson, type Json } from '../fakes/slack-server-state.ts'
import { countedCommand } from './model.ts'

export interface Asked {
  number: number
  /** "api", "slack mention" and so on. */
  way: string
  /** The program has said that it has it: 201, an acknowledged event, a reaction, an answer. */
  isAccepted(): boolean
}

/** The people of one chat. */
export interface ChatPeople {
  /** Asks some way of this chat. */
  ask(number: number, text: string): Omit<Asked, 'number'>
  /**
   * What people do as time goes by: say what they had to say, press the buttons that `wants` names by their action id, and say `word`
   * in some thread of theirs.
   */
  act(wants: (actionId: string) => boolean, word: string | undefined): void
  /** The chat's own part after a restart. */
  redeliver(): void
  /** What the chat still has to bring. */
  readonly unheard: number
}

export interface People {
  readonly asked: readonly Asked[]
  /** Asks for something, some way. */
  ask(): void
  /** Presses what there is to press, says a word of command now and then, asks the API again. */
  act(): Promise<void>
  /** What the chats bring again when the program is back. */
  redeliver(): void
  /** Nobody begins anything new from now on; what waits is approved. */
  calmDown(): void
  /** Requests that the program has not said a word about, and that will be made again. */
  readonly unanswered: number
}

export interface PeopleOptions {
  chats: readonly ChatPeople[]
  apiPort: number
  mark: string
  random(): number
}

/** What a task is told in its thread; each means something else to a task in another state. */
const WORDS = ['cancel', 'retry', 'again', 'approve', 'reject', 'thanks'] as const
const WORD_SHARE = 0.1
/** One in so many asks through the API. */
const API_SHARE = 6

export function createPeople({ chats, apiPort, mark, random }: PeopleOptions): People {
  const asked: Asked[] = []
  const api = createApiPeople(apiPort)
  let isCalm = false

  function words(number: number): string {
    if (number % 3 !== 0) return `please do req-${number}`
    const commands = [0, 1].map((index) => countedCommand(mark, `${number}-v-${index}`, (number * 53) % 900))
    return commands.map((command) => `!: req-${number}; ${command}`).join('\n')
  }

  function wants(actionId: string): boolean {
    const [verb = '', id = '0'] = actionId.split(':')
    if (verb === 'approve') return true
    if (isCalm) return false
    if (verb === 'resume') return Number(id) % 2 === 0
    if (verb === 'retry' || verb === 'cancel') return Number(id) % 17 === 5
    return false
  }

  function word(): string | undefined {
    return isCalm || random() > WORD_SHARE ? undefined : WORDS[Math.floor(random() * WORDS.length)]
  }

  return {
    asked,
    ask() {
      const number = asked.length + 1
      const chat = random() < 1 / API_SHARE ? undefined : chats[Math.floor(random() * chats.length)]
      asked.push({ number, ...(chat ?? api).ask(number, words(number)) })
    },
    async act() {
      for (const chat of chats) chat.act(wants, word())
      await api.act()
    },
    redeliver() {
      for (const chat of chats) chat.redeliver()
    },
    calmDown() {
      isCalm = true
    },
    get unanswered() {
      return chats.reduce((sum, { unheard }) => sum + unheard, api.unanswered)
    },
  }
}

interface ApiPeople {
  ask(number: number, text: string): Omit<Asked, 'number'>
  act(): Promise<void>
  readonly unanswered: number
}

function createApiPeople(port: number): ApiPeople {
  const base = `http://127.0.0.1:${port}/tasks`
  const requests = new Map<number, { text: string; done: boolean }>()

  async function call(number: number, text: string): Promise<void> {
    try {
      const response = await fetch(base, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': `req-${number}` },
        body: JSON.stringify({ description: text }),
        signal: AbortSignal.timeout(5000),
      })
      await response.text()
      if (response.status === 201 || response.status === 200) requests.set(number, { text, done: true })
    } catch {
      // It is down, or died with our request in its hands: the same key goes there again.
    }
  }

  /** Those who asked through the API have no thread: a colleague decides for everybody, perhaps at the same moment as a button. */
  async function decide(): Promise<void> {
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

  return {
    ask(number, text) {
      requests.set(number, { text, done: false })
      void call(number, text)
      return { way: 'api', isAccepted: () => requests.get(number)?.done === true }
    },
    async act() {
      await decide()
      await Promise.all([...requests].map(([number, { text, done }]) => (done ? undefined : call(number, text))))
    },
    get unanswered() {
      return [...requests.values()].filter((each) => !each.done).length
    },
  }
}

/**
 * Stops loops: another bot that answers every answer, a workflow that asks the same for ever, a task whose output is read as a request.
 * What has tripped is a row, so that it outlives the process and every process sees it; only a person resets it.
 */
import { z } from 'zod'
import { COMMAND } from '../core/command.ts'
import { errorLine } from '../core/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Refusal } from '../ports/inbox.ts'
import type { Logger } from '../ports/logger.ts'
import type { NewTask, Store } from '../ports/store.ts'

export interface TrippedBreaker {
  /** What is stopped: a thread, or the words of one person. */
  key: string
  /** A sentence for people. */
  why: string
  at: number
}

export interface Breaker {
  /** Asked before a task is stored. The refusal when it belongs to a loop; the first one is recorded. What came before is not counted. */
  check(task: NewTask): Promise<Refusal | undefined>
  list(): Promise<readonly TrippedBreaker[]>
  /** Lets everything pass again; answers what had tripped. */
  reset(): Promise<readonly TrippedBreaker[]>
}

export interface BreakerOptions {
  store: Store
  clock: Clock
  logger: Logger
}

const NOTE = 'breakers'
const WINDOW_MS = 10 * 60_000
/** More than a person says, in one thread or in the same words, within the window. */
const MAX_IN_WINDOW = 20
const MAX_TRIPPED = 100

const noteSchema = z.array(z.object({ key: z.string(), why: z.string(), at: z.number() }))

export async function readBreakers(store: Pick<Store, 'getNote'>): Promise<readonly TrippedBreaker[]> {
  const note = await store.getNote(NOTE)
  return note === undefined ? [] : noteSchema.parse(JSON.parse(note))
}

export function createBreaker({ store, clock, logger }: BreakerOptions): Breaker {
  const recent = new Map<string, number[]>()
  /** Keys that tripped in this process: when the row is gone, a person has reset it and they are counted anew. */
  const tripped = new Set<string>()

  function count(key: string): number {
    const now = clock.now()
    const times = (recent.get(key) ?? []).filter((at) => at <= now && now - at < WINDOW_MS)
    recent.delete(key)
    recent.set(key, [...times, now].slice(-MAX_IN_WINDOW - 1))
    const oldest = recent.keys().next().value
    if (recent.size > 10_000 && oldest !== undefined) recent.delete(oldest)
    return times.length + 1
  }

  /** A platform that sends an event again is no loop, and its answer is the task that there is. */
  async function isKnown(dedupeKey: string | null): Promise<boolean> {
    return dedupeKey !== null && (await store.hasKey(dedupeKey))
  }

  async function trip(key: string, why: string, task: NewTask): Promise<void> {
    tripped.add(key)
    const now = { key, why, at: clock.now() }
    await store.setNote(NOTE, JSON.stringify([...(await readBreakers(store)), now].slice(-MAX_TRIPPED)))
    const { requester, place } = task
    const actor = { ...requester, channelId: place?.channelId ?? '' }
    await store.audit({ actor, action: 'breaker', taskId: null, allowed: false, detail: why })
    logger.error({ key }, `stopped a loop: ${why}`)
  }

  return {
    async check(task) {
      const watched = keysOf(task)
      if (watched.length === 0 || (await isKnown(task.dedupeKey))) return undefined
      const stopped = await readBreakers(store)
      for (const { key, why } of watched) {
        if (stopped.some((each) => each.key === key)) return refusal(why)
        if (tripped.delete(key)) recent.delete(key)
        if (count(key) <= MAX_IN_WINDOW) continue
        await trip(key, why, task)
        return refusal(why)
      }
      return undefined
    },
    list: () => readBreakers(store),
    async reset() {
      const before = await readBreakers(store)
      await store.setNote(NOTE, '[]')
      return before
    },
  }
}

/** Only of chats, where what we write is read by others; whoever calls the API is a program that was told to. */
function keysOf({ place, requester, description }: NewTask): { key: string; why: string }[] {
  if (place === null || (requester.platform !== 'slack' && requester.platform !== 'discord')) return []
  const within = `more than ${MAX_IN_WINDOW} tasks within ${WINDOW_MS / 60_000} minutes`
  const who = `${requester.platform}:${requester.scope}:${requester.userId}`
  const words = errorLine(description).slice(0, 200)
  const same = { key: `words:${who}:${words}`, why: `${within} in the same words by ${requester.name}` }
  if (!place.thread) return [same]
  return [{ key: `thread:${place.platform}:${place.key}`, why: `${within} in one thread` }, same]
}

function refusal(why: string): Refusal {
  return {
    kind: 'full',
    sentence: `Stopped, because it looks like a loop: ${why}. A person has to let it go on: \`${COMMAND} breaker --reset\`.`,
  }
}

/** Where the program is killed: after a while, or at a point of a run that is seen from outside. Nothing of it is in the program. */
import type { ApiCall, SlackWorld } from '../fakes/slack-server-state.ts'
import { type Look, openLook } from './look.ts'

export interface Points {
  /** Something has been seen. */
  reached(name: string): void
  /** Settles when the point is reached for the `count`-th time, or with `over`; answers which of the two. */
  until(name: string, count: number, over: Promise<void>): Promise<boolean>
}

/** Calls of Slack: killed when the request has arrived and takes effect, so that its answer finds nobody. */
const CALLS = [
  'auth.test',
  'apps.connections.open',
  'users.info',
  'chat.postMessage',
  'chat.update',
  'reactions.add',
  'conversations.replies',
  'conversations.history',
  'files.getUploadURLExternal',
  'files.completeUploadExternal',
]
/** Requests to Discord, likewise. */
const REQUESTS: readonly [name: string, pattern: RegExp][] = [
  ['gateway', /^GET \/gateway\/bot$/],
  ['message', /^POST \/channels\/\d+\/messages$/],
  ['edit', /^PATCH \/channels\/\d+\/messages\/\d+$/],
  ['look back', /^GET \/channels\/\d+\/messages$/],
  ['thread', /^POST \/channels\/\d+(?:\/messages\/\d+)?\/threads$/],
  ['reaction', /^PUT \/channels\/\d+\/messages\/\d+\/reactions\//],
  ['first answer', /^POST \/interactions\//],
  ['answer', /^PATCH \/webhooks\//],
]
/** Rows as they are committed. */
const EVENTS = [
  'submitted',
  'claimed',
  'phase',
  'planned',
  'plan_allowed',
  'approved',
  'step_started',
  'step_ended',
  'repairing',
  'finished',
  'failed',
  'released',
]

export const POINTS: readonly string[] = [
  ...CALLS.map((name) => `slack ${name}`),
  ...REQUESTS.map(([name]) => `discord ${name}`),
  ...EVENTS.map((name) => `event ${name}`),
  'model asked',
  'model answers',
  'slack envelope',
  'slack acknowledgement',
  'discord event',
]

/** The point that a request to Discord is; undefined for one that is none. */
export function discordPoint(line: string): string | undefined {
  const found = REQUESTS.find(([, pattern]) => pattern.test(line))
  return found === undefined ? undefined : `discord ${found[0]}`
}

export function watchCalls({ calls }: SlackWorld, points: Points): void {
  calls.push = (...items: ApiCall[]) => {
    const length = Array.prototype.push.apply(calls, items)
    for (const { method } of items) points.reached(`slack ${method}`)
    return length
  }
}

export function createPoints(): Points {
  const waiting = new Map<string, (() => void)[]>()

  function reached(name: string): void {
    for (const tell of [...(waiting.get(name) ?? [])]) tell()
  }

  return {
    reached,
    until(name, count, over) {
      return new Promise((resolve) => {
        let left = count
        const end = (isReached: boolean): void => {
          waiting.set(
            name,
            (waiting.get(name) ?? []).filter((each) => each !== tell),
          )
          resolve(isReached)
        }
        const tell = (): void => {
          left -= 1
          if (left === 0) end(true)
        }
        waiting.set(name, [...(waiting.get(name) ?? []), tell])
        void over.then(() => end(false))
      })
    },
  }
}

/** Looks at the store's file for new events until disposed of: a point of the store is seen within milliseconds of its commit. */
export function watchEvents(folder: string, points: Points): Disposable {
  let isOver = false
  let after = -1
  let look: Look | undefined

  function lookOnce(): void {
    try {
      look ??= openLook(folder)
      if (look === undefined) return
      const fresh = look.events(Math.max(after, 0))
      // What was there before is no news.
      if (after >= 0) for (const { event } of fresh) points.reached(`event ${event.kind}`)
      after = Math.max(after, 0, fresh.at(-1)?.id ?? 0)
    } catch {
      // Being made, recovered or moved: the next look opens it anew.
      close()
    }
  }

  function close(): void {
    look?.[Symbol.dispose]()
    look = undefined
  }

  function loop(): void {
    if (isOver) return
    lookOnce()
    setTimeout(loop, 4)
  }

  loop()
  return {
    [Symbol.dispose]: () => {
      isOver = true
      close()
    },
  }
}

/** Where the program is killed: after a while, or at a point of a run that is seen from outside. Nothing of it is in the program. */
import type { SlackServer } from '../fakes/slack-server.ts'
import type { ApiCall } from '../fakes/slack-server-state.ts'
import { openLook } from './look.ts'

export interface Points {
  /** Something has been seen. */
  reached(name: string): void
  /** Settles when the point is reached for the `count`-th time, or when the time is over; answers which of the two. */
  until(name: string, count: number, ms: number): Promise<boolean>
}

/** Calls of Slack: killed when the request has arrived and takes effect, so that its answer finds nobody. */
const CALLS = [
  'auth.test',
  'apps.connections.open',
  'chat.postMessage',
  'chat.update',
  'reactions.add',
  'conversations.replies',
  'conversations.history',
  'files.getUploadURLExternal',
  'files.completeUploadExternal',
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
  ...CALLS.map((name) => `call ${name}`),
  ...EVENTS.map((name) => `event ${name}`),
  'model asked',
  'model answers',
]

export function createPoints(slack: SlackServer): Points {
  const waiting = new Map<string, (() => void)[]>()
  const { calls } = slack.world
  calls.push = (...items: ApiCall[]) => {
    const length = Array.prototype.push.apply(calls, items)
    for (const { method } of items) reached(`call ${method}`)
    return length
  }

  function reached(name: string): void {
    for (const tell of [...(waiting.get(name) ?? [])]) tell()
  }

  return {
    reached,
    until(name, count, ms) {
      return new Promise((resolve) => {
        let left = count
        const end = (isReached: boolean): void => {
          clearTimeout(timer)
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
        const timer = setTimeout(() => end(false), ms)
        waiting.set(name, [...(waiting.get(name) ?? []), tell])
      })
    },
  }
}

/** Looks at the store's file for new events until disposed of: a point of the store is seen within milliseconds of its commit. */
export function watchEvents(folder: string, points: Points): Disposable {
  let isOver = false
  let after = -1

  function lookOnce(): void {
    try {
      using look = openLook(folder)
      if (look === undefined) return
      const fresh = look.events(Math.max(after, 0))
      // What was there before is no news.
      if (after >= 0) for (const { event } of fresh) points.reached(`event ${event.kind}`)
      after = Math.max(after, 0, fresh.at(-1)?.id ?? 0)
    } catch {
      // Being made, recovered or moved: the next look finds it.
    }
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
    },
  }
}

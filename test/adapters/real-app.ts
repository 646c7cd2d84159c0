/** The real program without its faces, on real time: for the HTTP API and the CLI. */
import { systemClock } from '../../src/app/system-clock.ts'
import type { Inbox } from '../../src/ports/inbox.ts'
import type { Store } from '../../src/ports/store.ts'
import type { Worker } from '../../src/worker/worker.ts'
import { assemble } from '../fakes/assembly.ts'
import type { ScriptedReply } from '../fakes/scripted-planner.ts'

export interface RealApp extends AsyncDisposable {
  home: string
  inbox: Inbox
  store: Store
  /** A worker that is not started yet. */
  makeWorker(only?: number): Worker
}

/** `script`: the model's replies, in order; verbatim tasks need none. */
export async function openRealApp(script: readonly ScriptedReply[] = []): Promise<RealApp> {
  const limits = { perRequester: 1e9, perPlace: 1e9, total: 1e9 }
  const assembly = await assemble({
    replies: script,
    clock: systemClock,
    inbox: { limits },
    worker: { repairRounds: 1, stopGraceMs: 0 },
  })
  const { folder: home, inbox, store } = assembly
  return {
    home,
    inbox,
    store,
    makeWorker: (only) => assembly.makeWorker({ only: only ?? null }),
    [Symbol.asyncDispose]: () => assembly[Symbol.asyncDispose](),
  }
}

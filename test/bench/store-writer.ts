/** Writes tasks into the store in argv[2], argv[3] of them with a pause of a few milliseconds between, and prints how long each took. */
import { setTimeout as wait } from 'node:timers/promises'
import { createStore } from '../../src/store/create-store.ts'
import { NO_LIMITS, quiet, realClock, request } from './stand.ts'

const [file = '', count = '0'] = process.argv.slice(2)
const store = await createStore({ file, clock: realClock, logger: quiet })
const taken: number[] = []
for (let i = 0; i < Number(count); i += 1) {
  const begun = performance.now()
  await store.submit({ ...request(i), requester: { ...request(i).requester, scope: String(process.pid) } }, NO_LIMITS)
  taken.push(performance.now() - begun)
  await wait(Math.random() * 40)
}
await store[Symbol.asyncDispose]()
process.stdout.write(`${taken.join('\n')}\n`)

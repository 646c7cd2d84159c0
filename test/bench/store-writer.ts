/**
 * Opens the store in argv[2], says so, and when told to by a line writes argv[3] tasks with a pause of some milliseconds between;
 * prints how long each took.
 */
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { createStore } from '../../src/store/create-store.ts'
import { NO_LIMITS, quiet, realClock, request } from './stand.ts'

const [file = '', count = '0'] = process.argv.slice(2)
const store = await createStore({ file, clock: realClock, logger: quiet })
process.stdout.write('ready\n')
await once(process.stdin, 'data')
const taken: number[] = []
for (let i = 0; i < Number(count); i += 1) {
  const begun = performance.now()
  await store.submit({ ...request(i), requester: { ...request(i).requester, scope: String(process.pid) } }, NO_LIMITS)
  taken.push(performance.now() - begun)
  await wait(Math.random() * 40)
}
await store[Symbol.asyncDispose]()
process.stdin.destroy()
process.stdout.write(`${taken.join('\n')}\n`)

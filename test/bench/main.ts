/**
 * `npm run bench`: every bench in turn, each in a process of its own, against its limit or peer in the same run.
 *
 *   npm run bench -- store log      these only
 *   npm run bench -- --json         the figures as JSON
 *   npm run bench -- policy FOLDER  what follows the name of one bench, and is no name, is passed on to it
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { type Bench, isMet, type Result, renderTable } from './figure.ts'
import { describeMachine, renderMachine } from './machine.ts'

const BENCHES: Record<string, { about: string; load(): Promise<Bench> }> = {
  store: { about: 'enqueue, claim and finish', load: async () => (await import('./store.ts')).bench },
  wake: { about: 'from a request to whoever waits for it', load: async () => (await import('./wake.ts')).bench },
  growth: { about: 'a thousand tasks and a million', load: async () => (await import('./growth.ts')).bench },
  sandbox: { about: 'starting a task, its steps, stopping it', load: async () => (await import('./sandbox.ts')).bench },
  log: { about: 'what a step prints, the tail, the live tail', load: async () => (await import('./log.ts')).bench },
  http: { about: 'the API', load: async () => (await import('./http.ts')).bench },
  chat: {
    about: 'from a payload to the first answer, alone and under load',
    load: async () => (await import('./chat.ts')).bench,
  },
  peers: { about: 'job queues that others wrote', load: async () => (await import('./peers.ts')).bench },
  fastapi: { about: 'an API that others would write', load: async () => (await import('./peers-fastapi.ts')).bench },
  start: { about: 'from the command line to an answer', load: async () => (await import('./start.ts')).bench },
  'end-to-end': {
    about: 'from a request in a chat to its result there',
    load: async () => (await import('./end-to-end.ts')).bench,
  },
  policy: { about: 'how often honest commands are asked about', load: async () => (await import('./policy.ts')).bench },
}

interface Message {
  results: readonly Result[]
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    strict: false,
    options: { json: { type: 'boolean' }, child: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  })
  if (typeof values.child === 'string') return runHere(values.child, process.argv.slice(3))
  const names = positionals.filter((word) => word in BENCHES)
  const args = process.argv.slice(2).filter((word) => !(word in BENCHES) && word !== '--json')
  if (values.help === true || (names.length !== 1 && args.length > 0)) return help()
  return runAll(names.length === 0 ? Object.keys(BENCHES) : names, args, values.json === true)
}

function help(): number {
  const lines = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  process.stdout.write(`npm run bench [-- NAME … [--json]]\n\n${lines.join('\n')}\n`)
  return 2
}

async function runAll(names: readonly string[], args: readonly string[], json: boolean): Promise<number> {
  const machine = describeMachine()
  const all: { bench: string; results: readonly Result[] }[] = []
  let isBroken = false
  if (!json) process.stdout.write(`${renderMachine(machine)}\n`)
  for (const name of names) {
    if (!json) process.stdout.write(`\n${name}: ${BENCHES[name]?.about ?? ''}\n`)
    const results = await runApart(name, args)
    if (results === undefined) isBroken = true
    else all.push({ bench: name, results })
    if (!json && results !== undefined && results.length > 0) process.stdout.write(`${renderTable(results)}\n`)
  }
  if (json) {
    const told = all.map(({ bench, results }) => ({ bench, results: results.map(withVerdict) }))
    process.stdout.write(`${JSON.stringify({ machine, benches: told }, null, 2)}\n`)
  }
  return isBroken ? 1 : 0
}

function withVerdict(result: Result): object {
  return 'skipped' in result ? result : { ...result, met: isMet(result) ?? null }
}

/** In a process of its own: no bench feels the memory or the warm code of another. Undefined when it broke. */
async function runApart(name: string, args: readonly string[]): Promise<readonly Result[] | undefined> {
  const child = fork(import.meta.filename, [`--child=${name}`, ...args], { stdio: ['ignore', 2, 2, 'ipc'] })
  let results: readonly Result[] | undefined
  child.on('message', (message: Message) => {
    results = message.results
  })
  const [code] = await once(child, 'exit')
  return code === 0 ? results : undefined
}

async function runHere(name: string, args: readonly string[]): Promise<number> {
  const bench = await BENCHES[name]?.load()
  const results = (await bench?.run(args)) ?? []
  const { promise, resolve } = Promise.withResolvers<void>()
  process.send?.({ results } satisfies Message, () => resolve())
  await promise
  return 0
}

process.exit(await main())

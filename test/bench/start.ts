/** From the command line to an answer: the CLI, and the whole program until everything is on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { freePort, type Home, run } from '../e2e/program.ts'
import type { Bench, Result } from './figure.ts'
import { msOf, single, versus } from './measure.ts'
import { lookInto, probedHome, startProgram } from './probe.ts'

const ROUNDS = 9
const TASKS = 20

export const bench: Bench = {
  async run(): Promise<readonly Result[]> {
    const port = await freePort()
    using home = probedHome({ ASSISTANT_API_PORT: String(port) })
    const idleMb = await fill(home, port)
    delete home.environment.NODE_OPTIONS
    const peer = { name: 'empty Node', measure: () => msOf(emptyNode) }
    return [
      await versus({
        name: `assistant list, ${TASKS} tasks`,
        unit: 'ms',
        rounds: ROUNDS,
        ours: () => msOf(() => run(home, ['list'])),
        peer,
        goal: { of: 'ours', atMost: 350 },
      }),
      await versus({
        name: 'assistant start, until all is on',
        unit: 'ms',
        rounds: 5,
        ours: () => startAndStop(home, port),
        peer,
        note: 'sandbox measured, API up',
      }),
      { name: 'memory of the program without chats, idle', unit: 'MB', ours: single(idleMb) },
    ]
  },
}

/** Some tasks to list, and the program's compile cache. Answers the memory of the program when they are done. */
async function fill(home: Home, port: number): Promise<number> {
  await using program = startProgram(home)
  await program.printed(`http://127.0.0.1:${port}`)
  for (let i = 0; i < TASKS; i += 1) {
    await fetch(`http://127.0.0.1:${port}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ description: `!echo ${i}` }),
    })
  }
  await run(home, ['run', '!true'])
  return (await lookInto(program)).rssMb
}

async function emptyNode(): Promise<void> {
  await once(spawn(process.execPath, ['-e', ''], { stdio: 'ignore' }), 'exit')
}

/** Milliseconds until the start screen is whole. */
async function startAndStop(home: Home, port: number): Promise<number> {
  const begun = performance.now()
  await using program = startProgram(home)
  await program.printed(`http://127.0.0.1:${port}`)
  return performance.now() - begun
}

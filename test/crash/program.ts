/** The real program under test: one process with all roles, or a process for each, killed and started again. */
import { type Home, type Running, start } from '../e2e/program.ts'

export type Split = 'together' | 'apart'
const ARGUMENTS = { together: ['start'], apart: ['worker', 'api', 'chat'] } as const

export interface ProgramUnderTest {
  /** Starts what is not running. */
  up(): void
  /** Settles when all that run have started, or have ended before. */
  ready(): Promise<void>
  /** Kills one of the processes at random, or all of them; settles when they are gone. Answers their pids. */
  kill(all: boolean): Promise<number[]>
  /** SIGTERM to all once they have started; settles with their exit codes. */
  stop(): Promise<(number | null)[]>
  pids(): number[]
  pidOf(role: string): number | undefined
  /** What the processes printed on stderr, and their last lines of log: for the report of a violation. */
  words(): string
}

export function createProgram(home: Home, split: Split, random: () => number): ProgramUnderTest {
  const running = new Map<string, Running>()
  const said: string[] = []

  async function forget(role: string, each: Running): Promise<void> {
    const { stdout, stderr } = await each.ended
    said.push(...[stdout, stderr].map((text) => text.split('\n').slice(-40).join('\n')))
    said.splice(0, Math.max(0, said.length - 6))
    if (running.get(role) === each) running.delete(role)
  }

  // Whoever ends us ends what is under test too.
  process.on('exit', () => {
    for (const { child } of running.values()) child.kill('SIGKILL')
  })

  function isAlive({ child }: Running): boolean {
    return child.exitCode === null && child.signalCode === null
  }

  return {
    up() {
      for (const role of ARGUMENTS[split]) {
        const there = running.get(role)
        if (there !== undefined && isAlive(there)) continue
        const each = start(home, [role])
        running.set(role, each)
        void forget(role, each)
      }
    },
    async ready() {
      await Promise.allSettled([...running.values()].map((each) => each.printed('Ctrl-C')))
    },
    async kill(all) {
      const alive = [...running.entries()].filter(([, each]) => isAlive(each))
      const chosen = all ? alive : alive.slice(Math.floor(random() * alive.length)).slice(0, 1)
      for (const [, { child }] of chosen) child.kill('SIGKILL')
      await Promise.all(chosen.map(([, each]) => each.ended))
      return chosen.map(([, { child }]) => child.pid ?? 0)
    },
    async stop() {
      const all = [...running.values()].filter(isAlive)
      // Before that nobody listens to the signal yet.
      await Promise.all(all.map((each) => each.printed('Ctrl-C')))
      for (const { child } of all) child.kill('SIGTERM')
      const ends = await Promise.all(all.map((each) => each.ended))
      return ends.map(({ code }) => code)
    },
    pids: () => [...running.values()].filter(isAlive).map(({ child }) => child.pid ?? 0),
    pidOf: (role) => running.get(role)?.child.pid,
    words: () => [...said, ...[...running.values()].map((each) => Object.values(each.output()).join('\n'))].join('\n'),
  }
}

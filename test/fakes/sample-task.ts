import type { StepEnd } from '../../src/core/outcome.ts'
import { PLAN_LIMITS, type Plan } from '../../src/core/plan.ts'
import type { Person, Round, Step, Task } from '../../src/core/task.ts'
import type { PlanVerdict } from '../../src/core/verdict.ts'

type Details = Omit<Extract<Task, { status: 'pending' | 'planning' | 'running' }>, 'status'>

export const ANA: Person = { platform: 'console', userId: 'U-ANA', name: 'Ana' }
export const NOON = Date.UTC(2030, 0, 1, 12)

/** Everything about a task but its status, as a quiet default. */
export function sampleDetails(changes: Partial<Details> = {}): Details {
  return {
    id: 42,
    description: 'convert all PNGs here to WebP',
    kind: 'request',
    parentId: null,
    afterId: null,
    requester: { ...ANA, scope: 'S1' },
    place: { platform: 'console', key: 'channel-1', channelId: 'channel-1', thread: false },
    model: null,
    round: 0,
    lease: null,
    cancelRequestedBy: null,
    createdAt: NOON,
    updatedAt: NOON,
    startedAt: null,
    endedAt: null,
    inputs: [],
    rounds: [],
    approval: null,
    phase: null,
    redactions: 0,
    outputs: null,
    ...changes,
  }
}

export function sampleTask(changes: Partial<Details> = {}): Task {
  return { ...sampleDetails(changes), status: 'pending' }
}

/** A step that has ended after `tookMs`, runs (`end` undefined and a start), or waits (no start). */
export function sampleStep(index: number, command: string, ran?: { at: number; tookMs?: number; end?: StepEnd }): Step {
  if (ran === undefined) return { index, command, state: 'waiting', end: null, startedAt: null, endedAt: null }
  if (ran.tookMs === undefined) {
    return { index, command, state: 'running', end: null, startedAt: ran.at, endedAt: null }
  }
  const end = ran.end ?? { kind: 'exited', code: 0 }
  return { index, command, state: 'ended', end, startedAt: ran.at, endedAt: ran.at + ran.tookMs }
}

export function sampleRound(steps: readonly Step[], changes: Partial<Round> = {}): Round {
  const plan: Plan = { commands: steps.map((step) => step.command), summary: 'Originals stay.', network: null }
  const verdict: PlanVerdict = {
    decision: 'allow',
    reasons: [],
    steps: steps.map(() => ({ decision: 'allow', badges: ['writes'], reasons: [] })),
  }
  return {
    number: 1,
    plan,
    author: { kind: 'model', model: 'qwen3:8b' },
    verdict,
    hash: '7f3a9c01'.padEnd(64, '0'),
    repairOf: null,
    steps: [...steps],
    plannedAt: NOON,
    ...changes,
  }
}

const COMMANDS = ["find . -name '*.png' | wc -l", 'mkdir -p out', 'mogrify -format webp -path out *.png'] as const

/** Three steps: two done, the third runs since ten past. */
export function runningRound(): Round {
  return sampleRound([
    sampleStep(0, COMMANDS[0], { at: NOON, tookMs: 100 }),
    sampleStep(1, COMMANDS[1], { at: NOON + 100, tookMs: 20 }),
    sampleStep(2, COMMANDS[2], { at: NOON + 2000 }),
  ])
}

/** Three steps that have all ended, the last with `end`. */
export function endedRound(end: StepEnd = { kind: 'exited', code: 0 }): Round {
  return sampleRound([
    sampleStep(0, COMMANDS[0], { at: NOON, tookMs: 100 }),
    sampleStep(1, COMMANDS[1], { at: NOON + 100, tookMs: 20 }),
    sampleStep(2, COMMANDS[2], { at: NOON + 2000, tookMs: 122_000, end }),
  ])
}

export function waitingRound(): Round {
  return sampleRound(COMMANDS.map((command, index) => sampleStep(index, command)))
}

/** As many and as long steps as a plan may have. */
export function hugeRound(filler = 'x'): Round {
  const command = filler.repeat(Math.floor(PLAN_LIMITS.maxCommandBytes / Buffer.byteLength(filler)))
  return sampleRound(Array.from({ length: PLAN_LIMITS.maxCommands }, (_, index) => sampleStep(index, command)))
}

import type { Round } from '../../src/core/task.ts'
import type { Decision, RiskBadge } from '../../src/core/verdict.ts'

export interface RoundSketch {
  commands: string[]
  /** Exit codes of the steps that have ended, in order; the others wait. */
  ends?: number[]
  decision?: Decision
  badges?: RiskBadge[]
  summary?: string
}

/** A round by a model, one step for each command. */
export function sampleRound({
  commands,
  ends = [],
  decision = 'allow',
  badges = ['reads'],
  summary = '',
}: RoundSketch): Round {
  return {
    number: 1,
    plan: { commands, summary, network: null },
    author: { kind: 'model', model: 'qwen3:8b' },
    verdict: {
      decision,
      reasons: decision === 'allow' ? [] : ['It reaches the network.'],
      steps: commands.map(() => ({ decision, badges, reasons: [] })),
    },
    hash: '7f3a9c01'.repeat(8),
    repairOf: null,
    plannedAt: 1000,
    steps: commands.map((command, index) => {
      const code = ends[index]
      const end = code === undefined ? null : { kind: 'exited' as const, code }
      const startedAt = end === null ? null : 2000
      return { index, command, state: end === null ? 'waiting' : 'ended', end, startedAt, endedAt: startedAt }
    }),
  }
}

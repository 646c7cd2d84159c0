import type { ApprovedPlan } from '../core/approval.ts'
import type { EmptySandbox, SandboxSession } from '../ports/sandbox.ts'
import type { TaskSession } from './task-session.ts'

export interface EmptySandboxOptions {
  /** A session without network, begun already; null where nothing is started ahead. */
  starting: Promise<TaskSession> | null
  /** For a plan that needs the network, and when nothing could be started or it has died meanwhile. */
  openAnew(plan: ApprovedPlan): Promise<SandboxSession>
}

export function emptySandbox({ starting, openAnew }: EmptySandboxOptions): EmptySandbox {
  // What went wrong may be over when the plan comes; if not, whoever opens it is told.
  const started = starting?.catch(() => undefined)
  let isOver = false
  return {
    async open(plan) {
      if (isOver) throw new Error('it was opened or ended already')
      isOver = true
      const session = await started
      if (plan.plan.network === null && session?.isAlive) return session.prepare(plan)
      await session?.[Symbol.asyncDispose]()
      return openAnew(plan)
    },
    async [Symbol.asyncDispose]() {
      if (isOver) return
      isOver = true
      const session = await started
      await session?.[Symbol.asyncDispose]()
    },
  }
}

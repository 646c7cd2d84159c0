import type { LimitKind } from '../core/outcome.ts'

/** A limit of the whole task that was passed, as StepEnd tells it. */
export interface Breach {
  limit: LimitKind
  allowed: number
}

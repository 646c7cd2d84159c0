import type { PlannerStatus } from '../ports/planner.ts'

/** One line of what the model server has, for the start screen and doctor. */
export function describeModel(status: PlannerStatus): string {
  const place = `${status.model} on ${status.host}`
  if (!status.reachable) return `${place}: not reachable`
  return status.modelInstalled ? place : `${place}: not installed there`
}

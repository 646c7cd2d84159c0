import type { Database } from 'better-sqlite3'
import { assertNever } from '../core/errors.ts'
import type { PlannedRound, TaskEvent } from '../core/events.ts'
import { isSuccess, type StepEnd } from '../core/outcome.ts'
import type { OutputTotals, Person } from '../core/task.ts'
import { type Ending, toJson } from './json-columns.ts'
import type { TaskRow } from './rows.ts'

/** What becomes of the task's own row. */
export type TaskChange = Partial<
  Pick<TaskRow, 'round' | 'steps_begun' | 'cancel_by' | 'phase' | 'ending' | 'outputs' | 'redactions'>
>

/**
 * What an event changes beyond the status and the lease: writes the other rows of the task, and answers how its own is to be.
 * `row` is the task as it was before the event.
 */
export type Project = (row: TaskRow, event: TaskEvent, now: number) => TaskChange

interface End {
  ending: Ending
  outputs: OutputTotals | null
  redactions: number
}

type Kinds<K extends TaskEvent['kind']> = Extract<TaskEvent, { kind: K }>
type PlanEvent = Kinds<'planned' | 'plan_allowed' | 'plan_edited' | 'approved' | 'reminded'>
type EndEvent = Kinds<'answered' | 'finished' | 'failed' | 'cancelled' | 'rejected' | 'expired' | 'superseded'>

const NOTHING: TaskChange = {}

export function createProjection(db: Database): Project {
  const inputsReady = db.prepare<[number]>('UPDATE task SET inputs_ready = 1 WHERE id = ?')
  const unfinished = db.prepare<[{ id: number; round: number; hasFailed: number }], { one: number }>(
    `SELECT 1 AS one FROM step WHERE task_id = CAST(@id AS INTEGER) AND round = CAST(@round AS INTEGER)
       AND (state = 'running' OR ending ->> 'kind' = 'cancelled' OR (state = 'waiting' AND @hasFailed = 0)) LIMIT 1`,
  )
  const steps = createStepWriter(db)
  const projectPlan = createPlanProjection(db)
  const projectEnd = createEndProjection(db)

  /** As core's endOfRound: after the last step, and after one that failed. */
  function isRoundOver({ id, round }: TaskRow, end: StepEnd): boolean {
    return unfinished.get({ id, round, hasFailed: isSuccess(end) ? 0 : 1 }) === undefined
  }

  return (row, event, now) => {
    switch (event.kind) {
      case 'submitted':
      case 'claimed':
        return NOTHING
      case 'inputs_ready':
        inputsReady.run(row.id)
        return NOTHING
      case 'released':
        return { phase: null }
      case 'phase':
        return { phase: JSON.stringify(event.phase) }
      case 'step_started':
        steps.start.run(now, row.id, event.round, event.index)
        return { steps_begun: 1 }
      case 'step_ended':
        steps.end.run(JSON.stringify(event.end), now, row.id, event.round, event.index)
        return isRoundOver(row, event.end) ? { steps_begun: 0 } : NOTHING
      case 'repairing':
        steps.skipRest.run(row.id)
        return NOTHING
      case 'cancel_requested':
        return { cancel_by: row.cancel_by ?? JSON.stringify(event.by) }
      case 'planned':
      case 'plan_allowed':
      case 'plan_edited':
      case 'approved':
      case 'reminded':
        return projectPlan(row, event, now)
      default:
        return projectEnd(row, event, now)
    }
  }
}

function createPlanProjection(db: Database): (row: TaskRow, event: PlanEvent, now: number) => TaskChange {
  const approvals = createApprovalWriter(db)
  const plan = createPlanWriter(db)
  return (row, event, now) => {
    switch (event.kind) {
      case 'planned':
        plan(row, event, now)
        approvals.ask.run({ ...asked(row, event), now })
        return begin(event)
      case 'plan_allowed':
        plan(row, event, now)
        return begin(event)
      case 'plan_edited':
        approvals.decide.run('superseded', null, now, null, row.id, row.round)
        plan(row, event, now)
        approvals.ask.run({ ...asked(row, event), now })
        return begin(event)
      case 'approved':
        approvals.decide.run('approved', JSON.stringify(event.by), now, null, row.id, row.round)
        return NOTHING
      case 'reminded':
        approvals.remind.run(now, row.id, row.round)
        return NOTHING
      default:
        return assertNever(event)
    }
  }
}

function begin({ round }: PlannedRound): TaskChange {
  return { round, steps_begun: 0, phase: null }
}

function createEndProjection(db: Database): (row: TaskRow, event: EndEvent, now: number) => TaskChange {
  const steps = createStepWriter(db)
  const approvals = createApprovalWriter(db)

  function end(row: TaskRow, now: number, how: End): TaskChange {
    const ending = JSON.stringify(how.ending)
    const change = { ending, outputs: toJson(how.outputs), redactions: how.redactions, phase: null }
    if (row.round === 0) return change
    approvals.close.run(row.id)
    steps.skipRest.run(row.id)
    steps.endRunning.run(JSON.stringify(endOfRunning(how.ending)), now, row.id)
    return change
  }

  function decide(row: TaskRow, now: number, { decided, by, note }: Decision): TaskChange {
    approvals.decide.run(decided, toJson(by), now, note, row.id, row.round)
    const ending = { cancellation: { reason: decided, by, note } }
    return end(row, now, { ending, outputs: null, redactions: row.redactions })
  }

  return (row, event, now) => {
    switch (event.kind) {
      case 'rejected':
        return decide(row, now, { decided: 'rejected', by: event.by, note: event.note })
      case 'expired':
        return decide(row, now, { decided: 'expired', by: null, note: '' })
      case 'superseded':
        return decide(row, now, { decided: 'superseded', by: event.by, note: '' })
      case 'answered':
        return end(row, now, { ending: { answer: event.answer }, outputs: null, redactions: row.redactions })
      case 'finished':
        return end(row, now, { ...event, ending: { answer: event.answer } })
      case 'failed': {
        const { reason, detail, step } = event
        return end(row, now, { ...event, ending: { failure: { reason, detail, step } } })
      }
      case 'cancelled': {
        const { reason, by, note } = event
        return end(row, now, { ...event, ending: { cancellation: { reason, by, note } } })
      }
      default:
        return assertNever(event)
    }
  }
}

interface Decision {
  decided: 'rejected' | 'expired' | 'superseded'
  by: Person | null
  note: string
}

function asked(row: TaskRow, event: PlannedRound & { expiresAt: number }) {
  return { task: row.id, round: event.round, hash: event.hash, expires: event.expiresAt }
}

/** For a step that nobody has seen end. */
function endOfRunning(ending: Ending): StepEnd {
  return 'cancellation' in ending ? { kind: 'cancelled' } : { kind: 'sandbox_died', detail: 'nobody saw it end' }
}

function createStepWriter(db: Database) {
  return {
    insert: db.prepare<[number, number, number]>(
      "INSERT INTO step (task_id, round, number, state) VALUES (?, ?, ?, 'waiting')",
    ),
    start: db.prepare<[number, number, number, number]>(
      "UPDATE step SET state = 'running', started_at = ? WHERE task_id = ? AND round = ? AND number = ?",
    ),
    end: db.prepare<[string, number, number, number, number]>(
      "UPDATE step SET state = 'ended', ending = ?, ended_at = ? WHERE task_id = ? AND round = ? AND number = ?",
    ),
    skipRest: db.prepare<[number]>(
      "UPDATE step SET state = 'skipped' WHERE task_id = CAST(? AS INTEGER) AND state = 'waiting'",
    ),
    endRunning: db.prepare<[string, number, number]>(
      "UPDATE step SET state = 'ended', ending = ?, ended_at = ? WHERE task_id = CAST(? AS INTEGER) AND state = 'running'",
    ),
  }
}

function createApprovalWriter(db: Database) {
  return {
    ask: db.prepare<[{ task: number; round: number; hash: string; expires: number; now: number }]>(
      `INSERT INTO approval (task_id, round, hash, open, requested_at, expires_at) VALUES (@task, @round, @hash, 1, @now, @expires)`,
    ),
    decide: db.prepare<[string, string | null, number, string | null, number, number]>(
      `UPDATE approval SET open = 0, decision = ?, decided_by = ?, decided_at = ?, note = ?
       WHERE task_id = ? AND round = ? AND open = 1`,
    ),
    close: db.prepare<[number]>('UPDATE approval SET open = 0 WHERE task_id = CAST(? AS INTEGER) AND open = 1'),
    remind: db.prepare<[number, number, number]>('UPDATE approval SET reminded_at = ? WHERE task_id = ? AND round = ?'),
  }
}

/**
 * Writes a round with its steps. Only an edit may take the place of a round that is there, and only of one of which nothing has run:
 * a second plan under a number that is taken is a bug of the caller, and the key of the table refuses it.
 */
function createPlanWriter(db: Database): (row: TaskRow, event: PlannedRound & { kind: string }, now: number) => void {
  const steps = createStepWriter(db)
  const remove = db.prepare<[number, number]>('DELETE FROM round WHERE task_id = ? AND number = ?')
  const insert = db.prepare<[number, number, string, string, string, string, string | null, number]>(
    `INSERT INTO round (task_id, number, plan, author, verdict, hash, repair_of, planned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  return (row, event, now) => {
    const { round, plan, author, verdict, hash, repairOf } = event
    if (event.kind === 'plan_edited') {
      if (round === row.round) remove.run(row.id, round)
      else steps.skipRest.run(row.id)
    }
    const json = [plan, author, verdict].map((part) => JSON.stringify(part))
    insert.run(row.id, round, json[0] ?? '', json[1] ?? '', json[2] ?? '', hash, repairOf, now)
    for (const index of plan.commands.keys()) steps.insert.run(row.id, round, index)
  }
}

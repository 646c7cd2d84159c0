import { chownSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type ApprovedPlan, allowPlan } from '../core/approval.ts'
import { describeStepEnd, isSuccess } from '../core/outcome.ts'
import { SandboxError, type SandboxLimits, type SandboxReport, type SandboxTask } from '../ports/sandbox.ts'
import type { DiskMeter } from './disk-meter.ts'
import { LAYER_PROBE, layersOf, USER_NAMESPACE_FIX } from './layers.ts'
import { findProgram } from './programs.ts'
import type { GroupPowers, TaskGroup } from './task-group.ts'
import type { TaskSession } from './task-session.ts'

const MEBIBYTE = 1024 * 1024
const LIMITS: SandboxLimits = {
  memoryBytes: 128 * MEBIBYTE,
  processes: 32,
  cpuSeconds: 10,
  fileBytes: MEBIBYTE,
  diskBytes: MEBIBYTE,
  openFiles: 64,
  scratchBytes: MEBIBYTE,
}
/** A task that no person can have asked for. */
export const TASK_ID = 0
const TIMEOUT_MS = 20_000

export interface CheckOptions {
  owner: { uid: number; gid: number } | null
  /** For the probe's folder. */
  directory: string
  meter: DiskMeter
  open(task: SandboxTask, plan: ApprovedPlan): Promise<Opened>
}

/** A session, and the group that its processes are in. */
export interface Opened {
  session: TaskSession
  group: TaskGroup | undefined
}

const NO_POWERS: GroupPowers = { memory: false, processes: false, cpu: false, kill: false }

/** Runs the probe in a real sandbox, in a folder below `directory`. Throws SandboxError, with what to do, when none starts. */
export async function checkBubblewrap(options: CheckOptions): Promise<SandboxReport> {
  const { owner, meter } = options
  const work = join(options.directory, `check-${process.pid}`)
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true, mode: 0o700 })
  try {
    if (owner !== null) chownSync(work, owner.uid, owner.gid)
    const { printed, powers } = await probe(options, work)
    const { bytes } = await meter.measure({ folder: work, enoughBytes: MEBIBYTE, stoppedAtBytes: MEBIBYTE })
    const layers = layersOf({ printed, uid: statSync(join(work, 'probe')).uid, powers, diskBytes: bytes })
    const strength = layers.every(({ on }) => on) ? 'full' : 'weak'
    return { kind: 'bubblewrap', strength, layers, givesNetwork: findProgram('socat') !== undefined }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function probe(options: CheckOptions, directory: string): Promise<{ printed: string; powers: GroupPowers }> {
  const plan = allowPlan({ commands: [LAYER_PROBE], summary: '', network: null }, 'check', {
    decision: 'allow',
    reasons: [],
    steps: [],
  })
  if (plan === undefined) throw new Error('the probe is a plan that policy allows')
  const { session, group } = await open(options, directory, plan)
  await using _ended = session
  let printed = ''
  const end = await session.run(plan, 0, {
    timeoutMs: TIMEOUT_MS,
    signal: new AbortController().signal,
    onOutput(chunk) {
      printed += chunk.toString()
    },
  })
  if (!isSuccess(end))
    throw new SandboxError('sandbox_start', `the sandbox does not run commands: ${describeStepEnd(end)} ${printed}`)
  return { printed, powers: group?.powers() ?? NO_POWERS }
}

async function open(options: CheckOptions, directory: string, plan: ApprovedPlan): Promise<Opened> {
  try {
    return await options.open({ taskId: TASK_ID, directory, environment: {}, limits: LIMITS }, plan)
  } catch (error) {
    if (!(error instanceof SandboxError) || error.code !== 'sandbox_start') throw error
    throw new SandboxError(error.code, `${error.message}. ${fixFor(error.message)}`, { cause: error })
  }
}

function fixFor(complaint: string): string {
  if (/namespace|uid map|uid_map|Operation not permitted|clone/i.test(complaint)) return USER_NAMESPACE_FIX
  return "If the task folder cannot be entered: move ASSISTANT_HOME out of another user's home."
}

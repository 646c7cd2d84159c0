import { chownSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { allowPlan } from '../core/approval.ts'
import { describeStepEnd, isSuccess } from '../core/outcome.ts'
import { type Sandbox, SandboxError, type SandboxLimits, type SandboxReport } from '../ports/sandbox.ts'
import { LAYER_PROBE, layersOf, USER_NAMESPACE_FIX } from './layers.ts'
import { findProgram } from './programs.ts'
import type { GroupPowers } from './task-groups.ts'

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
const TASK_ID = 0
const TIMEOUT_MS = 20_000

/** Runs the probe in a real sandbox, in a folder below `directory`. Throws SandboxError, with what to do, when none starts. */
export async function checkBubblewrap(
  sandbox: Sandbox,
  directory: string,
  powers: GroupPowers,
): Promise<SandboxReport> {
  const work = join(directory, `check-${process.pid}`)
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true, mode: 0o700 })
  try {
    const owner = sandbox.owner(TASK_ID)
    if (owner !== null) chownSync(work, owner.uid, owner.gid)
    const printed = await probe(sandbox, work)
    const layers = layersOf({ printed, uid: statSync(join(work, 'probe')).uid, powers })
    const strength = layers.every(({ on }) => on) ? 'full' : 'weak'
    return { kind: 'bubblewrap', strength, layers, givesNetwork: findProgram('socat') !== undefined }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

async function probe(sandbox: Sandbox, directory: string): Promise<string> {
  const plan = allowPlan({ commands: [LAYER_PROBE], summary: '', network: null }, 'check', {
    decision: 'allow',
    reasons: [],
    steps: [],
  })
  if (plan === undefined) throw new Error('the probe is a plan that policy allows')
  await using session = await open(sandbox, directory, plan)
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
  return printed
}

async function open(sandbox: Sandbox, directory: string, plan: Parameters<Sandbox['open']>[1]) {
  try {
    return await sandbox.open({ taskId: TASK_ID, directory, environment: {}, limits: LIMITS }, plan)
  } catch (error) {
    if (!(error instanceof SandboxError) || error.code !== 'sandbox_start') throw error
    throw new SandboxError(error.code, `${error.message}. ${fixFor(error.message)}`, { cause: error })
  }
}

function fixFor(complaint: string): string {
  if (/namespace|uid map|uid_map|Operation not permitted|clone/i.test(complaint)) return USER_NAMESPACE_FIX
  return "If the task folder cannot be entered: move ASSISTANT_HOME out of another user's home."
}

import type { SandboxLimits } from '../ports/sandbox.ts'
import type { SummedLimit } from './process-sums.ts'

/** Whoever counts the sum must be the one that is hit: it tells of it. So a single process may have this many more … */
const SLACK_PROCESSES = 32
/** … and, where sums are looked at from outside, this much more memory than the sum: programs also reserve more than they use. */
const SLACK_BYTES = 256 * 1024 * 1024

/**
 * Limits per process, as commands of the supervisor: it sets them for itself before the first step and has no capability to
 * raise them again. Set inside and not before bwrap, because there the number of processes counts the whole user's.
 * `counted`: sums that a cgroup counts; 'none': there is no namespace either.
 */
export function rlimitLines(limits: SandboxLimits, counted: ReadonlySet<SummedLimit> | 'none'): string[] {
  const hasMemoryLimit = counted !== 'none' && counted.has('memory')
  const addressBytes = limits.memoryBytes + (counted === 'none' ? 0 : Math.max(SLACK_BYTES, limits.memoryBytes / 2))
  // The kernel stops one process by its ticks, which on a busy machine run ahead of the time that is summed up.
  const cpuSeconds = counted === 'none' ? limits.cpuSeconds : Math.ceil(limits.cpuSeconds * 1.25) + 2
  return [
    'ulimit -c 0',
    `ulimit -f ${fileBlocks(limits.fileBytes)}`,
    `ulimit -n ${limits.openFiles}`,
    // The hard limit is a plain KILL: the soft one has to come first to be told apart.
    `ulimit -Ht ${cpuSeconds + 5}`,
    `ulimit -St ${cpuSeconds}`,
    // Address space is a poor measure of memory: programs reserve far more than they use. It stands in where nothing better is.
    ...(hasMemoryLimit ? [] : [`ulimit -v ${Math.ceil(addressBytes / 1024)}`]),
    'ulimit -l 64',
    'ulimit -r 0',
    // Without a namespace it would count everything that the user runs on the machine.
    ...(counted === 'none' ? [] : [processLimit(limits.processes + SLACK_PROCESSES)]),
  ]
}

const BLOCK_BYTES = 512

/** One block above a round number: hardly any file has this very size unless it was stopped there. */
export function largestFileBytes(fileBytes: number): number {
  return fileBlocks(fileBytes) * BLOCK_BYTES
}

function fileBlocks(fileBytes: number): number {
  return Math.ceil(fileBytes / BLOCK_BYTES) + 1
}

/** dash calls it -p, bash -u, where -p is something else. */
function processLimit(processes: number): string {
  return `if [ -n "\${BASH_VERSION-}" ]; then ulimit -u ${processes}; else ulimit -p ${processes}; fi`
}

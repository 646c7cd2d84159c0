import type { SandboxLimits } from '../ports/sandbox.ts'

/** The first process inside, the supervisor, the terminator, the step's shell. */
const OWN_PROCESSES = 4
/** Where a cgroup counts, it must be the one that is hit: it tells of it. */
const SLACK_PROCESSES = 32

/**
 * Limits per process, as commands of the supervisor: it sets them for itself before the first step and has no capability to
 * raise them again. Set inside and not before bwrap, because there the number of processes counts the whole user's.
 */
export function rlimitLines(limits: SandboxLimits, counted: 'group' | 'namespace' | 'user'): string[] {
  const processes = limits.processes + (counted === 'group' ? SLACK_PROCESSES : OWN_PROCESSES)
  return [
    'ulimit -c 0',
    `ulimit -f ${Math.ceil(limits.fileBytes / 512)}`,
    `ulimit -n ${limits.openFiles}`,
    // The hard limit is a plain KILL: the soft one has to come first to be told apart.
    `ulimit -Ht ${limits.cpuSeconds + 5}`,
    `ulimit -St ${limits.cpuSeconds}`,
    // Address space is a poor measure of memory: programs reserve far more than they use. It stands in where nothing better is.
    ...(counted === 'group' ? [] : [`ulimit -v ${Math.ceil(limits.memoryBytes / 1024)}`]),
    'ulimit -l 64',
    'ulimit -r 0',
    // Without a namespace it would count everything that the user runs on the machine.
    ...(counted === 'user' ? [] : [processLimit(processes)]),
  ]
}

/** dash calls it -p, bash -u, where -p is something else. */
function processLimit(processes: number): string {
  return `if [ -n "\${BASH_VERSION-}" ]; then ulimit -u ${processes}; else ulimit -p ${processes}; fi`
}

import type { SandboxLimits } from '../ports/sandbox.ts'

/**
 * Limits per process, as commands of the supervisor: it sets them for itself before the first step and has no capability to
 * raise them again. Set inside and not before bwrap, because there the number of processes counts the whole user's.
 */
export function rlimitLines(limits: SandboxLimits): string[] {
  return [
    'ulimit -c 0',
    `ulimit -f ${Math.ceil(limits.fileBytes / 512)}`,
    `ulimit -n ${limits.openFiles}`,
    `ulimit -t ${limits.cpuSeconds}`,
    'ulimit -l 64',
    'ulimit -r 0',
    // dash calls it -p, bash -u; each refuses the other's.
    `(ulimit -p ${limits.processes}) 2>/dev/null && ulimit -p ${limits.processes} || ulimit -u ${limits.processes}`,
  ]
}

import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  system: string
  kernel: string
  node: string
  /** Of the last minute, before the benches: on a busy machine only the ratios tell something. */
  load: number
}

export function describeMachine(): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform,
    kernel: release(),
    node: process.versions.node,
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  }
}

export function renderMachine({ cpu, cores, memoryGb, system, kernel, node, load }: Machine): string {
  return `${cores} cores (${cpu}), ${memoryGb} GB, ${system}, kernel ${kernel}, Node ${node}, load ${load}`
}

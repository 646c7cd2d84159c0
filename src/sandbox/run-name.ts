import { readFileSync } from 'node:fs'

/**
 * `run-<pid>-<start time in clock ticks since boot>`: names what one running program keeps. The start time tells a program
 * from a later one that got the same pid.
 */
export function runName(pid: number): string {
  return `run-${pid}-${startTime(pid)}`
}

/** Whether `name`, or what it begins with, is of our making and its program is gone. */
export function isLeftover(name: string): boolean {
  const match = /^run-(\d+)-(\d+)(?:-|$)/.exec(name)
  if (match === null) return false
  return startTime(Number(match[1])) !== match[2]
}

function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command name is in brackets and may hold anything; the start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    // There is no such process.
    return ''
  }
}

import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { SandboxError } from '../ports/sandbox.ts'

/** Where the system's own programs are; never the PATH of whoever started us. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin'] as const

const PACKAGE: Readonly<Record<string, string>> = {
  bwrap: 'bubblewrap',
  perl: 'perl',
  setpriv: 'util-linux',
  mkfifo: 'coreutils',
  bash: 'bash',
  socat: 'socat',
}

export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find(isExecutable)
}

/** Throws SandboxError with the way to get the program. */
export function programPath(name: string): string {
  const path = findProgram(name)
  if (path === undefined) {
    throw new SandboxError(
      'program_missing',
      `${name} is missing. Install it: apt-get install ${PACKAGE[name] ?? name}`,
    )
  }
  return path
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Not there, or not for us.
    return false
  }
}

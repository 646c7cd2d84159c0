import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'

/**
 * Sets variables in a `.env` file and leaves everything else in it as it is; makes the file, with mode 0600, when there is none.
 * Written beside it and renamed: a full disk never leaves half a file.
 */
export function writeEnvFile(file: string, variables: Readonly<Record<string, string>>): void {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').replace(/\n$/, '').split('\n') : []
  for (const [name, value] of Object.entries(variables)) {
    const line = `${name}=${quoted(value)}`
    const index = lines.findIndex((each) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`).test(each))
    if (index === -1) lines.push(line)
    else lines[index] = line
  }
  const temporary = `${file}.new`
  const descriptor = openSync(temporary, 'w', 0o600)
  try {
    writeSync(descriptor, `${lines.join('\n')}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(temporary, file)
}

function quoted(value: string): string {
  return /^[\w.,:/@*+-]*$/.test(value) ? value : `"${value.replace(/["\n\r]/g, '')}"`
}

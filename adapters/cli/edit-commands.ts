/** Lets a person change the commands of a plan in their editor. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CliDeps } from './deps.ts'
import { usageError } from './exit.ts'

/** Commands may have several lines, empty ones too, so something stands between them that no command is likely to be. */
const BETWEEN = '--- next command ---'

/** The commands as saved; undefined when nothing was changed or everything was taken out. Throws when the editor fails. */
export async function editCommands(
  deps: Pick<CliDeps, 'editor'>,
  commands: readonly string[],
): Promise<string[] | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'assistant-plan-'))
  try {
    const file = join(directory, 'plan.sh')
    const before = commands.join(`\n${BETWEEN}\n`)
    await writeFile(file, `${before}\n`, { mode: 0o600 })
    await runEditor(deps.editor, file)
    const after = (await readFile(file, 'utf8')).replace(/\n$/, '')
    if (after === before) return undefined
    const edited = after.split(`\n${BETWEEN}\n`).filter((command) => command.trim() !== '')
    return edited.length === 0 ? undefined : edited
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** EDITOR is a command line of the person's own ("code --wait"), so a shell reads it, as git does. */
async function runEditor(editor: string, file: string): Promise<void> {
  const child = spawn('sh', ['-c', `${editor} "$1"`, 'editor', file], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw usageError(`The editor "${editor}" ended with ${String(code)}; the plan is as it was.`)
}

/** Requests written as code are run as written, without a model. */

const FENCE = /^(`{3,})[^\n`]*$/

/**
 * The commands of a description that is code: one or more fenced blocks and nothing else (a command each),
 * or lines that all begin with `!` (a command each). Undefined for everything else, which a model reads.
 */
export function parseVerbatim(description: string): string[] | undefined {
  const lines = description.split(/\r?\n/)
  return fencedCommands(lines) ?? bangCommands(lines)
}

/** The description that runs these commands as written: the inverse of `parseVerbatim`. */
export function formatVerbatim(commands: readonly string[]): string {
  return commands.map(fenced).join('\n')
}

function fenced(command: string): string {
  const longest = Math.max(2, ...[...command.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${command}\n${fence}`
}

function fencedCommands(lines: readonly string[]): string[] | undefined {
  const commands: string[] = []
  let fence: string | undefined
  let block: string[] = []
  for (const line of lines) {
    if (fence !== undefined && line.trimEnd() === fence) {
      commands.push(block.join('\n'))
      fence = undefined
      block = []
    } else if (fence !== undefined) {
      block.push(line)
    } else if (line.trim() !== '') {
      fence = FENCE.exec(line.trim())?.[1]
      if (fence === undefined) return undefined
    }
  }
  const complete = fence === undefined && commands.length > 0 && commands.every((command) => command.trim() !== '')
  return complete ? commands : undefined
}

function bangCommands(lines: readonly string[]): string[] | undefined {
  const written = lines.filter((line) => line.trim() !== '')
  const commands = written.map((line) => line.trimStart()).filter((line) => line.startsWith('!'))
  if (commands.length === 0 || commands.length !== written.length) return undefined
  const bare = commands.map((line) => line.slice(1).trim())
  return bare.every((command) => command !== '') ? bare : undefined
}

/** Requests written as code are run as written, without a model. */

const FENCE = /^(`{3,})\s*([^\s`]*)[^\n`]*$/
/** What a fence may say of its language to be run by a shell. A block of Python or SQL is something to talk about. */
const SHELLS: ReadonlySet<string> = new Set(['', 'sh', 'bash', 'shell', 'zsh', 'console'])

/**
 * The commands of a description that is code: one or more fenced blocks of shell and nothing else (a command each),
 * or lines that all begin with `!` (a command each). Undefined for everything else, which a model reads.
 */
export function parseVerbatim(description: string): string[] | undefined {
  const lines = description.split(/\r?\n/)
  return fencedCommands(lines) ?? bangCommands(lines)
}

/** Why a description that is meant as code cannot be run as it is, with what to do; undefined when nothing is wrong with it. */
export function verbatimFault(description: string): string | undefined {
  const [first = '', ...rest] = description.split(/\r?\n/).filter((line) => line.trim() !== '')
  if (!first.trimStart().startsWith('!')) return undefined
  const others = rest.filter((line) => !line.trimStart().startsWith('!'))
  if (others.length === 0) {
    const isBare = [first, ...rest].some((line) => line.trim() === '!')
    return isBare ? 'There is nothing to run after "!"; write the command behind it, as in `!ls -l`.' : undefined
  }
  return UNFINISHED.test(first.trim())
    ? 'Each line that begins with "!" is a command of its own. For one of several lines (a here-document, a loop) send a fenced code block: ``` around it, without "!".'
    : undefined
}

/** A line of shell that needs the next one: a here-document, a line that goes on, a block that opens. */
const UNFINISHED = /<<|(?:\\|\||&&|\{|\(|\b(?:do|then|else))$/

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
      const opened = FENCE.exec(line.trim())
      if (opened === null || !SHELLS.has((opened[2] ?? '').toLowerCase())) return undefined
      fence = opened[1]
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

import type { Arg } from './reading.ts'

/** Which options of a program take the next word as their value: short letters, and long names without dashes. */
export interface OptionShape {
  letters?: string
  names?: readonly string[]
}

/** Index of the first word that is no option nor an option's value; a computed word counts as one. */
export function skipOptions(args: readonly Arg[], shape: OptionShape): number {
  let at = 0
  for (; at < args.length; at += 1) {
    const arg = args[at]
    if (arg === undefined || !arg.isStatic || !arg.text.startsWith('-') || arg.text === '-') return at
    if (arg.text === '--') return at + 1
    if (takesNextWord(arg.text, shape)) at += 1
  }
  return args.length
}

function takesNextWord(option: string, { letters = '', names = [] }: OptionShape): boolean {
  if (option.startsWith('--')) return names.includes(option.slice(2))
  for (let at = 1; at < option.length; at += 1) {
    if (letters.includes(option[at] ?? ' ')) return at === option.length - 1
  }
  return false
}

/** Whether a short letter (also within a cluster) or a long name is among the options. */
export function hasOption(args: readonly Arg[], letter: string, name?: string): boolean {
  return args.some(({ text }) => {
    if (text.startsWith('--')) return name !== undefined && (text === `--${name}` || text.startsWith(`--${name}=`))
    return text.startsWith('-') && text.slice(1).includes(letter)
  })
}

/** Words that are no options. */
export function operands(args: readonly Arg[], shape: OptionShape = {}): Arg[] {
  const found: Arg[] = []
  let rest = args
  while (rest.length > 0) {
    const at = skipOptions(rest, shape)
    const arg = rest[at]
    if (arg !== undefined) found.push(arg)
    rest = rest.slice(at + 1)
  }
  return found
}

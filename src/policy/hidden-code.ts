/** Plain text that bash itself runs: quoting does not make it data. */
import { own } from './own.ts'
import type { Call } from './reading.ts'

// Bash reads what these are given as names or numbers, and runs substitutions inside an index: [ -v 'a[$(reboot)]' ]
const READS_INDEXES = new Set(
  '[ test [[ let declare typeset local export readonly read unset printf mapfile readarray wait'.split(' '),
)
// Arithmetic runs nothing: $((i + 1)). What only begins like it is a substitution: $((reboot) | cat)
const INDEX = /\[[^\]]{0,300}(?:\$\((?!\((?:[^()]|\([^()]{0,300}\)){0,300}\)\))|`)/
const SUBSTITUTION = /\$\(|`/
/** Variables by which a shell runs more than its script says; for some, only when their value holds a substitution. */
const RUN_BY_SHELL: Readonly<Record<string, RegExp>> = {
  BASH_ENV: /./,
  ENV: /./,
  PROMPT_COMMAND: /./,
  PS4: SUBSTITUTION,
  PS0: SUBSTITUTION,
}

/** Why a call runs text that looks like data; undefined when it does not. */
export function hiddenCode(call: Call): string | undefined {
  if (READS_INDEXES.has(call.name) && call.args.some((arg) => INDEX.test(arg.text))) {
    return `"${call.name}" runs a substitution inside an index`
  }
  return undefined
}

/** Why setting a variable makes a shell run its value; undefined when it does not. */
export function hiddenCodeOf(name: string, value: string): string | undefined {
  if (own(RUN_BY_SHELL, name)?.test(value)) return `it sets ${name}, which a shell runs`
  return INDEX.test(value) ? `it sets ${name} to text that bash runs where it is used as a number` : undefined
}

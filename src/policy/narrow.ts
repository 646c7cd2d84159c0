/** The read-only commands that need no approval where there is no sandbox. Narrow on purpose: what is not plainly harmless asks. */
import { own } from './own.ts'
import type { Arg, Call, Reading } from './reading.ts'

const HARMLESS = new Set(
  `: [ test true false echo printf pwd cd ls cat head tail wc sort uniq cut tr grep egrep fgrep nl tac rev fold fmt column paste comm
  join diff cmp stat file du df basename dirname realpath readlink md5sum sha1sum sha224sum sha256sum sha512sum b2sum cksum od
  hexdump seq expr sleep nproc uname arch whoami id date find jq`.split(/\s+/),
)
interface Risk {
  /** Short options and words by which a program writes, runs something, sets a variable, or reads what a file names. */
  words?: RegExp
  /** Long options of that kind; GNU programs take any beginning of one as well. */
  options?: readonly string[]
}

const LISTS = { options: ['files0-from', 'exclude-from'] }
const SUMS = { words: /^-[a-z]*c/, options: ['check'] }
const PATTERN_FILES = { words: /^-[a-zA-Z]*f/, options: ['file', 'exclude-from'] }
// Bash runs substitutions inside an index here, also when they are quoted: [ -v 'a[$(reboot)]' ]
const INDEXES = { words: /^-v$|[$`]/ }
const RISKS: Readonly<Record<string, Risk>> = {
  sort: { words: /^-[a-zA-Z]*[oT]/, options: ['output', 'compress-program', 'files0-from', 'temporary-directory'] },
  find: { words: /^-(?:exec|execdir|ok|okdir|delete|fls|fprint.*|files0-from)$/ },
  date: { words: /^-[a-zA-Z]*[sf]/, options: ['set', 'file'] },
  file: { words: /^-[a-zA-Z]*[Cmf]/, options: ['compile', 'magic-file', 'files-from'] },
  du: { words: /^-[a-zA-Z]*X/, ...LISTS },
  wc: LISTS,
  uniq: {},
  jq: {
    words: /^-[a-zA-Z]*[fL]|\b(?:env|import|include|input_filename)\b|\$ENV/,
    options: ['from-file', 'rawfile', 'slurpfile', 'argfile'],
  },
  grep: PATTERN_FILES,
  egrep: PATTERN_FILES,
  fgrep: PATTERN_FILES,
  diff: { words: /^-[a-zA-Z]*X/, options: ['exclude-from', 'from-file', 'to-file'] },
  printf: { words: /^-v/ },
  test: INDEXES,
  '[': INDEXES,
  cksum: SUMS,
  md5sum: SUMS,
  sha1sum: SUMS,
  sha224sum: SUMS,
  sha256sum: SUMS,
  sha512sum: SUMS,
  b2sum: SUMS,
}

/** Why the text is outside the narrow list; undefined when all of it is inside. */
export function outsideNarrow(reading: Reading): string | undefined {
  if (!reading.isPlain) return 'it is more than commands with plain words'
  if (reading.unreadable.length + reading.doubtful.length > 0) return 'a part of it cannot be read'
  const file = reading.files.find(
    ({ mode, target }) => target.text !== '/dev/null' && (mode === 'writes' || !isInside(target)),
  )
  if (file !== undefined) return `it ${file.mode === 'writes' ? 'writes to' : 'reads'} ${file.target.text.slice(0, 60)}`
  for (const call of reading.calls) {
    const why = outsideCall(call)
    if (why !== undefined) return why
  }
  return undefined
}

function outsideCall(call: Call): string | undefined {
  const { name, args } = call
  // A path in front of the name may lead to another program of that name.
  if (!HARMLESS.has(name) || call.path !== name) return `"${name || call.path}" is not on the list of harmless programs`
  if (call.hasMoreArgs) return `"${name}" gets words that are computed`
  // Without a folder it goes home, and with an option or "-" to somewhere that the words do not say.
  if (name === 'cd' && (args.length !== 1 || /^-|^$/.test(args[0]?.text ?? ''))) return '"cd" leaves the task\'s folder'
  if (name === 'uniq' && args.filter((arg) => !arg.text.startsWith('-')).length > 1) return '"uniq" writes a file'
  const risk = own(RISKS, name)
  const risky = risk === undefined ? undefined : args.find((arg) => isRisky(arg, risk))
  if (risky !== undefined) return `"${name} ${risky.text.slice(0, 40)}" may do more than read`
  const outside = args.find((arg) => !isInside(arg))
  return outside === undefined
    ? undefined
    : `"${name}" may read outside the task's folder: ${outside.text.slice(0, 60)}`
}

function isRisky({ text: word, isGlob }: Arg, { words, options = [] }: Risk): boolean {
  if (words?.test(word)) return true
  // A pattern can become a file name that is an option.
  if (isGlob && /^[*?[@+!]/.test(word)) return true
  if (!word.startsWith('--') || word === '--') return false
  const name = word.slice(2).split('=', 1)[0] ?? ''
  return options.some((option) => option.startsWith(name))
}

/** A word that cannot name a place outside the working directory, also not behind an option's equals sign. */
function isInside({ text, isStatic }: Arg): boolean {
  return isStatic && !/(?:^|[=,:\s'"])[/~]|(?:^|[/=])\.\.(?:\/|$)|^-[a-zA-Z]+\//.test(text)
}

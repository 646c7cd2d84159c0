/** The read-only commands that need no approval where there is no sandbox. Narrow on purpose: what is not plainly harmless asks. */
import { own } from './own.ts'
import type { Arg, Call, Reading } from './reading.ts'

const HARMLESS = new Set(
  `: [ test true false echo printf pwd cd ls cat head tail wc sort uniq cut tr grep egrep fgrep nl tac rev fold fmt column paste comm
  join diff cmp stat file du df basename dirname realpath readlink md5sum sha1sum sha224sum sha256sum sha512sum b2sum cksum od
  hexdump seq expr sleep nproc uname arch whoami id date find jq`.split(/\s+/),
)
/** Options by which one of them writes, runs something, or reads what is named in a file. */
const NOT_HARMLESS: Readonly<Record<string, RegExp>> = {
  sort: /^(?:-[a-zA-Z]*[oT]|--(?:output|compress-program|files0-from|temporary-directory))/,
  find: /^-(?:exec|execdir|ok|okdir|delete|fls|fprint.*|files0-from)$/,
  date: /^(?:-[a-zA-Z]*[sf]|--(?:set|file))/,
  file: /^(?:-[a-zA-Z]*[Cmf]|--(?:compile|magic-file|files-from))/,
  du: /^--(?:files0-from|exclude-from)/,
  wc: /^--files0-from/,
  jq: /^(?:-[a-zA-Z]*[fL]|--(?:from-file|rawfile|slurpfile|argfile)|.*\b(?:env|input_filename)\b|.*\$ENV)/,
  grep: /^(?:-[a-zA-Z]*f|--file)/,
  egrep: /^(?:-[a-zA-Z]*f|--file)/,
  fgrep: /^(?:-[a-zA-Z]*f|--file)/,
}

/** Why the text is outside the narrow list; undefined when all of it is inside. */
export function outsideNarrow(reading: Reading): string | undefined {
  if (reading.functions.length > 0) return 'it defines a function'
  if (reading.assigned.length > 0) return 'it sets a variable'
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
  // A path in front of the name may lead to another program of that name.
  if (!HARMLESS.has(call.name) || call.path !== call.name)
    return `"${call.name || call.path}" is not on the list of harmless programs`
  if (call.hasMoreArgs) return `"${call.name}" gets words that are computed`
  const option = own(NOT_HARMLESS, call.name)
  const risky = call.args.find((arg) => option?.test(arg.text))
  if (risky !== undefined) return `"${call.name} ${risky.text.slice(0, 40)}" may do more than read`
  if (call.name === 'uniq' && call.args.filter((arg) => !arg.text.startsWith('-')).length > 1)
    return '"uniq" writes a file'
  const outside = call.args.find((arg) => !isInside(arg))
  return outside === undefined
    ? undefined
    : `"${call.name}" may read outside the task's folder: ${outside.text.slice(0, 60)}`
}

/** A word that cannot name a place outside the working directory, also not behind an option's equals sign. */
function isInside({ text, isStatic }: Arg): boolean {
  return isStatic && !/(?:^|[=,:\s'"])[/~]|(?:^|[/=])\.\.(?:\/|$)|^-[a-zA-Z]+\//.test(text)
}

import { type OptionShape, skipOptions } from './options.ts'
import { own } from './own.ts'
import { type Arg, type Call, type Inner, type Input, joinStatic, staticArg } from './reading.ts'
import { unwrapShell } from './unwrap-shell.ts'

interface Wrapper {
  shape: OptionShape
  /** Words of its own before the command, after its options. */
  own?: number
  hasMoreArgs?: boolean
}

/** Programs that run the rest of their words as a command. */
const WRAPPERS: Readonly<Record<string, Wrapper>> = {
  sudo: {
    shape: { letters: 'ughpCcrtTUDR', names: ['user', 'group', 'host', 'prompt', 'chdir', 'chroot', 'role', 'type'] },
  },
  doas: { shape: { letters: 'uCa' } },
  pkexec: { shape: { names: ['user'] } },
  nice: { shape: { letters: 'n', names: ['adjustment'] } },
  ionice: { shape: { letters: 'cnpPu', names: ['class', 'classdata'] } },
  chrt: { shape: { letters: 'TPD' }, own: 1 },
  taskset: { shape: {}, own: 1 },
  nohup: { shape: {} },
  setsid: { shape: {} },
  stdbuf: { shape: { letters: 'ioe', names: ['input', 'output', 'error'] } },
  unbuffer: { shape: {} },
  timeout: { shape: { letters: 'sk', names: ['signal', 'kill-after'] }, own: 1 },
  time: { shape: { letters: 'fo', names: ['format', 'output'] } },
  command: { shape: {} },
  builtin: { shape: {} },
  exec: { shape: { letters: 'a' } },
  coproc: { shape: {} },
  chroot: { shape: { names: ['userspec', 'groups'] }, own: 1 },
  unshare: { shape: { letters: 'SGRw' } },
  nsenter: { shape: { letters: 'tSG' } },
  setarch: { shape: {}, own: 1 },
  linux32: { shape: {} },
  linux64: { shape: {} },
  setpriv: { shape: { names: ['reuid', 'regid', 'groups', 'inh-caps', 'ambient-caps', 'bounding-set'] } },
  prlimit: { shape: { letters: 'p' } },
  'systemd-run': { shape: { letters: 'pHMuE', names: ['unit', 'property', 'setenv', 'slice', 'description'] } },
  'systemd-inhibit': { shape: {} },
  strace: { shape: { letters: 'eoOpsuPEIaSbX' } },
  ltrace: { shape: { letters: 'eoOpsulnaAFw' } },
  valgrind: { shape: {} },
  perf: { shape: { letters: 'eopcC' }, own: 1 },
  fakeroot: { shape: { letters: 'lisb' } },
  faketime: { shape: { letters: 'f' }, own: 1 },
  proot: { shape: { letters: 'rbwqi' } },
  torsocks: { shape: { letters: 'aPu' } },
  torify: { shape: {} },
  proxychains: { shape: { letters: 'f' } },
  proxychains4: { shape: { letters: 'f' } },
  'xvfb-run': { shape: { letters: 'nsefpw', names: ['server-args', 'server-num', 'error-file'] } },
  'dbus-run-session': { shape: { names: ['config-file', 'dbus-daemon'] } },
  caffeinate: { shape: { letters: 'tw' } },
  numactl: { shape: { letters: 'NCmp' } },
  entr: { shape: {}, hasMoreArgs: true },
  busybox: { shape: {} },
  toybox: { shape: {} },
  xargs: {
    shape: {
      letters: 'EILnPsad',
      names: ['max-args', 'max-procs', 'max-chars', 'arg-file', 'delimiter', 'process-slot-var'],
    },
    hasMoreArgs: true,
  },
}

/** What `call` runs in turn; empty for a program that runs nothing else that can be seen. */
export function unwrap(call: Call, input: Input): Inner[] {
  const special = own(SPECIAL, call.name)
  if (special !== undefined) return special(call, input)
  const wrapper = own(WRAPPERS, call.name)
  return wrapper === undefined ? [] : [...unwrapPlain(call, wrapper)]
}

function* unwrapPlain(call: Call, wrapper: Wrapper): Iterable<Inner> {
  // `command -v x` and `command -V x` only look a name up.
  if (call.name === 'command' && /^-[vV]/.test(call.args[0]?.text ?? '')) return
  const words = call.args.slice(skipOptions(call.args, wrapper.shape) + (wrapper.own ?? 0))
  const command = call.name === 'sudo' ? words.slice(countAssignments(words)) : replaced(call, words)
  if (command.length > 0)
    yield { kind: 'call', words: command, hasMoreArgs: wrapper.hasMoreArgs === true || call.hasMoreArgs }
}

/** Where xargs puts its input in place of a mark (`-I %`), a name that holds the mark is not what is written. */
function replaced(call: Call, words: readonly Arg[]): readonly Arg[] {
  const [first, ...rest] = words
  if (call.name !== 'xargs' || first === undefined) return words
  const at = call.args.findIndex((arg) => /^(?:-[a-zA-Z0-9]*[Ii]|--replace)/.test(arg.text))
  if (at === -1) return words
  const attached = (call.args[at]?.text ?? '').replace(/^(?:-[a-zA-Z0-9]*?[Ii]|--replace=?)/, '')
  const mark =
    attached !== '' ? attached : /I$/.test(call.args[at]?.text ?? '') ? (call.args[at + 1]?.text ?? '') : '{}'
  return mark !== '' && first.text.includes(mark) ? [{ ...first, isStatic: false }, ...rest] : words
}

function countAssignments(words: readonly Arg[]): number {
  const at = words.findIndex((word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word.text))
  return at === -1 ? words.length : at
}

const SPECIAL: Readonly<Record<string, (call: Call, input: Input) => Inner[]>> = {
  sh: unwrapShell,
  bash: unwrapShell,
  dash: unwrapShell,
  ash: unwrapShell,
  zsh: unwrapShell,
  ksh: unwrapShell,
  mksh: unwrapShell,
  rbash: unwrapShell,
  fish: unwrapShell,
  env: unwrapEnv,
  eval: ({ args }) => scriptOf(args, 'eval'),
  trap: ({ args }) => (isTrapAction(args) ? scriptOf(args.slice(0, 1), 'trap') : []),
  alias: ({ args }) => args.flatMap(unwrapAlias),
  source: unwrapSource,
  '.': unwrapSource,
  find: unwrapFind,
  fd: unwrapFd,
  fdfind: unwrapFd,
  watch: unwrapWatch,
  mapfile: unwrapCallback,
  readarray: unwrapCallback,
  compgen: unwrapCallback,
  complete: unwrapCallback,
  parallel: unwrapParallel,
  flock: unwrapFlock,
  su: unwrapDashC,
  script: unwrapDashC,
  runuser: unwrapDashC,
  awk: unwrapAwk,
  gawk: unwrapAwk,
  mawk: unwrapAwk,
  nawk: unwrapAwk,
  tar: unwrapTar,
}

function scriptOf(args: readonly Arg[], name: string): Inner[] {
  if (args.length === 0) return []
  const text = joinStatic(args)
  return [text === undefined ? unreadable(`"${name}" runs text that is computed`) : { kind: 'script', text }]
}

function unreadable(why: string): Inner {
  return { kind: 'unreadable', why }
}

function unwrapEnv(call: Call): Inner[] {
  const split = call.args.findIndex((arg) => /^(?:-[i0v]*S|--split-string)/.test(arg.text))
  if (split !== -1) {
    const own = (call.args[split]?.text ?? '').replace(/^(?:-[i0v]*S|--split-string=?)/, '')
    const words = [...(own === '' ? [] : [staticArg(own)]), ...call.args.slice(split + 1)]
    return scriptOf(words, 'env -S')
  }
  const words = call.args.slice(skipOptions(call.args, { letters: 'uC', names: ['unset', 'chdir'] }))
  const command = words.slice(countAssignments(words))
  return command.length === 0 ? [] : [{ kind: 'call', words: command, hasMoreArgs: call.hasMoreArgs }]
}

function isTrapAction(args: readonly Arg[]): boolean {
  const first = args[0]?.text ?? '-'
  return args.length > 1 && !first.startsWith('-') && first !== ''
}

function unwrapAlias(arg: Arg): Inner[] {
  const equals = arg.text.indexOf('=')
  if (equals === -1) return []
  return scriptOf([{ ...arg, text: arg.text.slice(equals + 1) }], 'alias')
}

function unwrapSource(call: Call, input: Input): Inner[] {
  const [file] = call.args
  if (file === undefined) return []
  if (file.text === '/dev/stdin') return fromInput(input, call.name)
  return file.isStatic ? [] : [unreadable(`"${call.name}" runs a script whose name is computed`)]
}

function fromInput(input: Input, name: string): Inner[] {
  if (input.kind === 'text') return [{ kind: 'script', text: input.text }]
  return input.kind === 'none' ? [] : [unreadable(`"${name}" runs what another program prints`)]
}

function unwrapFind(call: Call): Inner[] {
  const found: Inner[] = []
  for (let at = 0; at < call.args.length; at += 1) {
    if (!/^-(?:exec|execdir|ok|okdir)$/.test(call.args[at]?.text ?? '')) continue
    const rest = call.args.slice(at + 1)
    const end = rest.findIndex((arg, index) => arg.text === ';' || (arg.text === '+' && rest[index - 1]?.text === '{}'))
    const words = end === -1 ? rest : rest.slice(0, end)
    if (words.length > 0) found.push({ kind: 'call', words, hasMoreArgs: true })
    at += words.length
  }
  return found
}

function unwrapFd(call: Call): Inner[] {
  const at = call.args.findIndex((arg) => /^(?:-x|-X|--exec|--exec-batch)$/.test(arg.text))
  return at === -1 ? [] : [{ kind: 'call', words: call.args.slice(at + 1), hasMoreArgs: true }]
}

/** The command behind -C that bash runs for each line or word. */
function unwrapCallback(call: Call): Inner[] {
  const at = call.args.findIndex((arg) => /^-[a-zA-Z]*C$/.test(arg.text))
  return at === -1 ? [] : scriptOf(call.args.slice(at + 1, at + 2), call.name)
}

function unwrapWatch(call: Call): Inner[] {
  return scriptOf(call.args.slice(skipOptions(call.args, { letters: 'nq', names: ['interval', 'equexit'] })), 'watch')
}

function unwrapParallel(call: Call): Inner[] {
  const shape = {
    letters: 'jNnLaSsI',
    names: ['jobs', 'arg-file', 'sshlogin', 'max-args', 'colsep', 'delay', 'joblog', 'results'],
  }
  const words = call.args.slice(skipOptions(call.args, shape))
  const inputs = words.findIndex((arg) => /^:::/.test(arg.text))
  const template = inputs === -1 ? words : words.slice(0, inputs)
  if (template.length > 0) return scriptOf(template, 'parallel')
  const given = words.slice(inputs + 1)
  if (inputs === -1) return [unreadable('"parallel" runs lines that another program prints')]
  return given.flatMap((arg) => scriptOf([arg], 'parallel'))
}

function unwrapFlock(call: Call): Inner[] {
  const script = unwrapDashC(call)
  if (script.length > 0) return script
  const words = call.args.slice(skipOptions(call.args, { letters: 'wE', names: ['timeout', 'conflict-exit-code'] }) + 1)
  return words.length === 0 ? [] : [{ kind: 'call', words, hasMoreArgs: false }]
}

function unwrapDashC(call: Call): Inner[] {
  const at = call.args.findIndex((arg) => arg.text === '-c' || arg.text === '--command')
  const joined = call.args.find((arg) => arg.text.startsWith('--command='))
  if (joined !== undefined) return scriptOf([{ ...joined, text: joined.text.slice('--command='.length) }], call.name)
  return at === -1 ? [] : scriptOf(call.args.slice(at + 1, at + 2), call.name)
}

/** Commands inside an awk program: `system("…")`, and a string piped to or from. Anything but plain strings there is computed. */
function unwrapAwk(call: Call): Inner[] {
  const program = call.args[skipOptions(call.args, { letters: 'Fvf', names: ['field-separator', 'assign', 'file'] })]
  if (program === undefined) return []
  const found: Inner[] = []
  for (const match of program.text.matchAll(/\bsystem\s*\(\s*("(?:[^"\\\n]|\\.){0,1000}"\s*\))?/g)) {
    found.push(awkString(match[1]?.replace(/\s*\)$/, ''), 'system()'))
  }
  for (const match of program.text.matchAll(/("(?:[^"\\\n]|\\.){0,1000}")\s*\|\s*getline\b/g))
    found.push(awkString(match[1], 'getline'))
  for (const match of program.text.matchAll(/\bprintf?\b[^|\n;}]{0,500}\|&?(?!\|)\s*("(?:[^"\\\n]|\\.){0,1000}")/g))
    found.push(awkString(match[1], 'a pipe'))
  return found
}

function awkString(quoted: string | undefined, where: string): Inner {
  if (quoted === undefined) return unreadable(`an awk program runs a computed command by ${where}`)
  return { kind: 'script', text: quoted.slice(1, -1).replace(/\\(.)/g, '$1') }
}

function unwrapTar(call: Call): Inner[] {
  return call.args.flatMap((arg) => {
    const match =
      /^--(?:checkpoint-action=exec|to-command|use-compress-program|rsh-command|info-script|new-volume-script)=(.+)$/s.exec(
        arg.text,
      )
    return match?.[1] === undefined ? [] : scriptOf([{ ...arg, text: match[1] }], 'tar')
  })
}

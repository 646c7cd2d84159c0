/**
 * The two small shell programs of a task, started by the launcher that has become bwrap (starter-program.ts), outermost first:
 *
 *   supervisor  two lanes that take turns, each of which starts a runner when it is told to, by a socket of its own, and reports by
 *               another how the runner ended
 *   runner      one per step, a fresh bash: waits for its step, which it reads from its lane's socket, brings back what earlier
 *               steps left behind, runs it, leaves its own. It is started as soon as it is known that a step will follow, while
 *               the step before still runs in the other lane: to start a bash takes longer than most commands
 *
 * Steps are of the same uid as the supervisor, so what they must not reach is kept from them by construction: its binary
 * cannot be read by them, so the kernel closes its /proc files and its memory; its channels are sockets, which cannot be
 * opened a second time; it reads nothing that a step wrote; the runner never holds the socket of the reports, holds no descriptor
 * but 0, 1 and 2, and has let go of its lane's socket before the step begins. A step is meant for one runner by number, so that
 * none runs twice when runners are killed.
 */

/** Where the state that steps hand on is kept, inside. Steps may write there: only later runners read it. */
export const STATE_FOLDER = '/run/assistant/state'
export const SUPERVISOR_PATH = '/run/assistant/supervisor'
export const NETWORK_FOLDER = '/run/assistant/network'
export const PROXY_PORT = 3128

export const VARIABLE = {
  supervisor: 'ASSISTANT_SUPERVISOR',
  runner: 'ASSISTANT_RUNNER',
  state: 'ASSISTANT_STATE',
  number: 'ASSISTANT_NUMBER',
  left: 'ASSISTANT_LEFT',
  step: 'ASSISTANT_STEP',
} as const

/** A bash whose stdin is a socket takes itself for a remote login's, and would run the .bashrc of whoever it belongs to. */
export const NO_STARTUP_FILES = ['--norc', '--noprofile'] as const

/** What the program of the supervisor is started with: its text is in its environment. */
export const SUPERVISOR_COMMAND = `eval "$${VARIABLE.supervisor}"`

const TAB = '\t'

export interface SupervisorOptions {
  rlimits: readonly string[]
  /** Whom TERM and KILL go to. */
  reach: 'namespace' | 'process group'
  /** Whether there is a proxy's socket to make reachable by TCP. */
  hasNetwork: boolean
}

/** Nobody may ask before it listens; 0C38 is the port as the kernel writes it. */
const START_NETWORK = `
socat TCP-LISTEN:${PROXY_PORT},bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:${NETWORK_FOLDER}/proxy 3>&- 4>&- 5>&- 7>&- >/dev/null 2>&1 &
tries=0
until grep -q ':0C38 ' /proc/net/tcp || [ $tries -gt 200 ]; do tries=$((tries + 1)); sleep 0.01; done
`

/** What signals everyone must never run outside, where everyone is everyone on the machine. */
const MUST_BE_INSIDE = `[ "$PPID" = 1 ] && [ "$$" -lt 10 ] || exit 97`

/**
 * A process between fork and exec loses the signal: what it is to become knows nothing of the handler that took it. So whoever
 * was there and has become another program since gets it again, once. Who is still the same program does not: it may have begun
 * to clean up. We cannot tell a handler that itself becomes another program from what lost the signal: that one gets a second.
 * All are stopped while we look, so that none is missed. But who is just being forked takes over the STOP of the one it comes from,
 * and not its CONT (Linux drops what that one ignores), and was not there when we looked: whoever is found stopped later is continued,
 * and looked after like the others.
 */
const TERMINATE = `
case $word in
  terminate)
    kill -s STOP -- -1
    for p in /proc/[0-9]*; do IFS= read -r name <"$p/comm" && set -- "$@" "$p" "$name"; done
    kill -s TERM -- -1; kill -s CONT -- -1 ;;
  again)
    for p in /proc/[0-9]*; do
      { read -r _; read -r _; read -r _ state _; } <"$p/status" && [ "$state" = T ] && IFS= read -r name <"$p/comm" || continue
      case " $* " in *" $p "*) ;; *) set -- "$@" "$p" "$name" ;; esac
      kill -s CONT "\${p#/proc/}"
    done
    left=$#
    while [ $left -gt 0 ]; do
      IFS= read -r name <"$1/comm" || name=
      if [ ! "$name" ]; then :; elif [ "$name" = "$2" ]; then set -- "$@" "$1" "$2"; else kill -s TERM "\${1#/proc/}"; fi
      shift 2
      left=$((left - 2))
    done ;;
esac
`
/** The machine's other processes are none of ours. */
const TERMINATE_GROUP = '[ "$word" = again ] || { kill -s TERM -- 0; kill -s CONT -- 0; }'

/**
 * Ends with its lanes, which end with their sockets. A lane answers "next <number>", when that runner has ended, with
 * "ended <number> <status> <marker> <processes>", and "count" with "count <processes>"; what is meant for a runner begins with
 * neither, and what a runner that was killed has left there is passed over: a step has no tabs. The terminator reads what is
 * said by the socket of the reports: TERM to everything inside (TERMINATE); its end means KILL, so nothing outlives the program. Signals go out
 * from inside the process namespace: no race with reused process ids.
 *
 * A signal ends the reading of a line, but not the lane: after TERM to everything it still tells who is left.
 * The lanes are a pipeline through which nothing flows, because what a shell starts with & is deaf to INT and QUIT, and so would be
 * every step.
 */
export function supervisorProgram(options: SupervisorOptions): string {
  const { rlimits, reach, hasNetwork } = options
  const everyone = reach === 'namespace' ? '-1' : '0'
  return `
${reach === 'namespace' ? MUST_BE_INSIDE : ''}
${rlimits.join('\n')}
exec 7>&1 </dev/null
trap : TERM HUP INT
runner=$${VARIABLE.runner}
unset ${VARIABLE.supervisor} ${VARIABLE.runner}
{
  trap : TERM
  while read -r word; do
    ${reach === 'namespace' ? TERMINATE : TERMINATE_GROUP}
  done
  kill -s KILL -- ${everyone}
} <&3 3>&- 4>&- 5>&- 7>&- 8>&- 9>&- >/dev/null 2>&1 &
exec 8>&- 9>&-
${hasNetwork ? START_NETWORK : ''}
lane() {
  trap 'signalled=1' TERM HUP INT
  exec 2>/dev/null
  left=$${VARIABLE.state}/left$1
  while signalled=; IFS= read -r line || [ "$signalled" ]; do
    case $line in
      'next${TAB}'*)
        : >"$left"
        ${VARIABLE.number}=\${line#*${TAB}} ${VARIABLE.left}=$left /bin/bash ${NO_STARTUP_FILES.join(' ')} -c "$runner" bash 2>&1 3>&-
        status=$?
        [ -s "$left" ] && orderly=1 || orderly=0
        set -- /proc/[0-9]*
        echo "ended \${line#*${TAB}} $status $orderly $#" >&3 ;;
      'count${TAB}')
        set -- /proc/[0-9]*
        echo "count $#" >&3 ;;
    esac
  done
}
{ exec <&4 >&7 4>&- 5>&- 7>&-; lane 1; } | { exec <&5 4>&- 5>&- 7>&-; echo ready >&3; lane 2; }
`
}

/**
 * Reads lines until one is meant for this runner, and as many characters as it says. Nothing of a step's making may have run before,
 * because until then the socket is open. When that ends, or says so, no step will come, and nobody may take this for the end of one.
 */
const TAKE_STEP = [
  'REPLY=',
  `until [[ $REPLY == $'step\\t'"$${VARIABLE.number}"$'\\t'* ]]`,
  `do read -r && [[ $REPLY != $'leave\\t' ]] || kill -KILL $$`,
  'done',
  `read -r -N "\${REPLY##*$'\\t'}" ${VARIABLE.step} || kill -KILL $$`,
  'exec </dev/null',
].join('; ')

/** Bash's own, which every new bash has for itself: to read them back takes longer than most commands take to run. */
const OWN_VARIABLES = [
  'BASH BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_LINENO BASH_LOADABLES_PATH BASH_SOURCE',
  'BASH_SUBSHELL BASH_VERSION COMP_WORDBREAKS DIRSTACK EPOCHREALTIME EPOCHSECONDS FUNCNAME GROUPS HISTCMD HOSTTYPE LINENO MACHTYPE',
  'OSTYPE PIPESTATUS RANDOM SRANDOM',
].join(' ')

/** Prints, as commands, what a terminal would carry over; the shell is of no use afterwards. $1: its flags. What is as in any new bash is left out. */
const STATE = [
  `if [[ $PWD != "$__assistant_pwd" ]]; then builtin printf 'builtin cd -- %q\\n' "$PWD"; fi`,
  'builtin umask -p',
  'if [[ $BASHOPTS != "$__assistant_shopt" ]]; then builtin shopt -p; fi',
  'if [[ $SHELLOPTS != "$__assistant_set" ]]; then builtin set -- "$1" changed; fi',
  'builtin alias -p',
  'builtin unset -f __assistant_state __assistant_save __assistant_print',
  'builtin declare -f',
  `builtin unset -v "\${!__assistant_@}" ${OWN_VARIABLES}`,
  'builtin declare -p',
  'if [[ $2 ]]; then builtin set +o; fi',
  "builtin echo '__assistant_options='",
  'for REPLY in e u v x; do if [[ $1 == *$REPLY* ]]; then builtin echo "__assistant_options+=\'set -$REPLY; \'"; fi; done',
].join('; ')

/** Writes it down, or nothing when the step left everything as it is in a new bash, and leaves. $1: the status, $2: the flags. */
const SAVE = [
  '{ builtin set +euvx; } 2>/dev/null',
  'builtin set -- "$1" "$2" "$__assistant_left"',
  `{ __assistant_state "$2"; } >|"$${VARIABLE.state}/shell" 2>/dev/null`,
  `{ builtin mapfile -d "" __assistant_now <"$${VARIABLE.state}/shell"; builtin mapfile -d "" __assistant_new <"$3.new"; } 2>/dev/null`,
  `if [[ $__assistant_now == "$__assistant_new" ]]; then : >|"$${VARIABLE.state}/shell"; fi`,
  'builtin echo 1 >|"$3"',
  '__assistant_saved=1',
  'builtin exit "$1"',
].join('; ')

/**
 * One line, so that a step's own line numbers begin at 1 in error messages. What a terminal would carry over is written
 * down when the step ends, also by `exit`, and read by the next runner: folder, umask, options, variables, functions, aliases.
 * Options that would change this program itself (-e -u -x -v) are set together with the step's first command.
 */
export const RUNNER = [
  // Nothing above 2 may reach a step, whatever the program was started with.
  `for REPLY in /proc/$$/fd/*; do REPLY=\${REPLY##*/}; if [[ $REPLY -gt 2 ]]; then eval "exec $REPLY>&-"; fi; done`,
  // This text, which would be handed on from step to step.
  'unset BASH_EXECUTION_STRING',
  // Bash fills it in when it is looked at, as it will be.
  ': "$BASH_ARGC"',
  `__assistant_pwd=$PWD __assistant_shopt=$BASHOPTS __assistant_set=$SHELLOPTS __assistant_left=$${VARIABLE.left}`,
  `__assistant_state() { ${STATE}; }`,
  `__assistant_save() { ${SAVE}; }`,
  // From as deep as the other: how deep is among what it prints.
  '__assistant_print() { __assistant_state "$@"; }',
  // Once in each lane, whose number is in it; not while the task's first step waits.
  `if [[ $${VARIABLE.number} != 1 && ! -e $__assistant_left.new ]]; then (unset ${VARIABLE.number} ${VARIABLE.left} REPLY; declare -i SECONDS=0; __assistant_print "$-") >"$__assistant_left.new" 2>/dev/null; fi`,
  TAKE_STEP,
  // It has waited; as in a bash that was started for the step alone.
  'declare -i SECONDS=0',
  `trap '{ __assistant_status=$? __assistant_flags=\${__assistant_flags-$-}; set +eux; } 2>/dev/null; if [[ ! -v __assistant_saved ]]; then __assistant_save "$__assistant_status" "$__assistant_flags"; fi; exit "$__assistant_status"' EXIT`,
  `if [[ -s $${VARIABLE.state}/shell ]]; then source "$${VARIABLE.state}/shell" >/dev/null 2>&1; fi`,
  `printf -v __assistant_step %b "$${VARIABLE.step}"`,
  `unset ${VARIABLE.number} ${VARIABLE.left} ${VARIABLE.step} REPLY __assistant_flags __assistant_saved`,
  `eval "$__assistant_options$__assistant_step"`,
  `{ __assistant_status=$? __assistant_flags=$-; set +eux; } 2>/dev/null`,
  // A step may have put its own EXIT trap in place of ours: what it leaves behind is saved before that runs, which finds its shell unharmed.
  `builtin trap -p EXIT >|"$${VARIABLE.state}/trap"; builtin read -r __assistant_trap <"$${VARIABLE.state}/trap"`,
  `if [[ $__assistant_trap != *__assistant_save* ]]; then (__assistant_save "$__assistant_status" "$__assistant_flags"); __assistant_saved=1; fi`,
  'exit "$__assistant_status"',
].join('; ')

/** Whoever starts a box has it started too, in the first lane: it comes up with the sandbox. */
export const FIRST_RUNNER = 1

/** What may be said to a lane, and to the runner that waits in it. */
export const LANE_WORD = {
  /** Start this runner when the one before has ended. */
  next: (runner: number) => `next\t${runner}\n`,
  /** How many processes are there? */
  count: 'count\t\n',
  /** To a runner that waits: no step will come. */
  leave: 'leave\t\n',
  /** What one runner reads, and everyone else passes over. */
  step(runner: number, command: string): string {
    const step = encodeStep(command)
    return `step\t${runner}\t${step.length}\n${step}\n`
  },
} as const

/** A step as one line of plain ASCII without tabs, for `printf %b` to read back byte for byte. */
function encodeStep(command: string): string {
  let line = ''
  for (const byte of Buffer.from(command)) {
    const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x5c
    line += plain ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, '0')}`
  }
  return line
}

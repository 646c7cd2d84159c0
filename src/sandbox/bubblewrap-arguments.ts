import { lstatSync } from 'node:fs'
import {
  NETWORK_FOLDER,
  PROXY_PORT,
  RUNNER,
  STATE_FOLDER,
  SUPERVISOR_PATH,
  supervisorProgram,
  VARIABLE,
} from './shell-programs.ts'

/** Where the task's folder is inside; also its home, so that a file saved to ~ is among the outputs. */
export const TASK_FOLDER = '/task'
export const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Descriptors that the launcher opened for bwrap. */
const DESCRIPTOR = { seccomp: '7', shell: '8', passwd: '9', group: '10', hosts: '11' } as const

/** Programs need these to start, to show text, to speak TLS. No host's /etc/passwd, no configuration with secrets in it. */
const ETC_FILES = [
  '/etc/alternatives',
  '/etc/fonts',
  '/etc/ld.so.cache',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/pki/tls/certs',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
] as const

/** Of the system only /usr is shown; these are its parts under other names, or folders of their own on older systems. */
const SYSTEM_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'] as const

export interface BoxOptions {
  /** Host path that becomes the task's folder. */
  source: string
  scratchBytes: number
  environment: Readonly<Record<string, string>>
  /** ulimit lines of the supervisor. */
  rlimits: readonly string[]
  hasFilter: boolean
  /** Host path of the folder with the proxy's socket; null: no network at all. */
  network: string | null
}

/**
 * What bwrap is told, NUL-separated, through a descriptor: host paths stay off the readable command line.
 * The order matters: nothing is mounted below the task's folder (a link left there made bwrap write on the host), and
 * what was mounted writable for a moment is made read-only after what lies in it.
 */
export function bubblewrapArguments(options: BoxOptions): string[] {
  const scratch = splitScratch(options.scratchBytes)
  return [
    ...ISOLATION,
    ...setEnvironment(options),
    ...systemFolders(),
    ...ETC_FILES.flatMap((path) => ['--ro-bind-try', path, path]),
    ...['--ro-bind-data', DESCRIPTOR.passwd, '/etc/passwd'],
    ...['--ro-bind-data', DESCRIPTOR.group, '/etc/group'],
    ...['--ro-bind-data', DESCRIPTOR.hosts, '/etc/hosts'],
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--size', String(scratch.shared), '--perms', '1777', '--tmpfs', '/dev/shm', '--remount-ro', '/dev'],
    ...['--size', String(scratch.temporary), '--perms', '1777', '--tmpfs', '/tmp'],
    ...['--size', String(scratch.state), '--tmpfs', STATE_FOLDER],
    // Not readable by its own user: the kernel then keeps its memory and descriptors from processes of the same uid.
    ...['--perms', '0111', '--ro-bind-data', DESCRIPTOR.shell, SUPERVISOR_PATH],
    ...(options.network === null ? [] : ['--ro-bind', options.network, NETWORK_FOLDER]),
    ...['--bind', options.source, TASK_FOLDER, '--chdir', TASK_FOLDER],
    ...['--remount-ro', '/'],
    ...(options.hasFilter ? ['--seccomp', DESCRIPTOR.seccomp] : []),
  ]
}

const ISOLATION = [
  '--unshare-all',
  // Named again because --unshare-all only tries: without its own user namespace nothing may start.
  '--unshare-user',
  '--disable-userns',
  '--die-with-parent',
  '--new-session',
  ...['--cap-drop', 'ALL'],
  ...['--uid', '1000', '--gid', '1000'],
  ...['--hostname', 'sandbox'],
  '--clearenv',
] as const

/** A step that meets a question or a pager would wait for ever: nobody is at its terminal. */
export const QUIET_ENVIRONMENT = {
  TERM: 'dumb',
  NO_COLOR: '1',
  CI: '1',
  PAGER: 'cat',
  GIT_PAGER: 'cat',
  MANPAGER: 'cat',
  SYSTEMD_PAGER: 'cat',
  GIT_TERMINAL_PROMPT: '0',
  DEBIAN_FRONTEND: 'noninteractive',
} as const

const PROXY = `http://127.0.0.1:${PROXY_PORT}`
const NO_PROXY = 'localhost,127.0.0.1,::1'
/** Both spellings: programs disagree about which they read. */
const PROXY_ENVIRONMENT = {
  http_proxy: PROXY,
  https_proxy: PROXY,
  no_proxy: NO_PROXY,
  HTTP_PROXY: PROXY,
  HTTPS_PROXY: PROXY,
  NO_PROXY,
} as const

let zone: string | undefined
/** Asked once: it takes as long as all the rest. */
export function timeZone(): string {
  zone ??= Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
  return zone
}

function setEnvironment(options: BoxOptions): string[] {
  const environment = {
    ...options.environment,
    ...QUIET_ENVIRONMENT,
    ...(options.network === null ? {} : PROXY_ENVIRONMENT),
    PATH: SEARCH_PATH,
    HOME: TASK_FOLDER,
    USER: 'task',
    LOGNAME: 'task',
    SHELL: '/bin/bash',
    LANG: 'C.UTF-8',
    TZ: timeZone(),
    TMPDIR: '/tmp',
    // Caches would only stand among the outputs.
    XDG_CACHE_HOME: '/tmp/.cache',
    npm_config_cache: '/tmp/.npm',
    [VARIABLE.state]: STATE_FOLDER,
    [VARIABLE.runner]: RUNNER,
    [VARIABLE.supervisor]: supervisorProgram({
      rlimits: options.rlimits,
      reach: 'namespace',
      hasNetwork: options.network !== null,
    }),
  }
  return Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value])
}

function systemFolders(): string[] {
  const folders = SYSTEM_FOLDERS.flatMap((path) => {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return []
    return stat.isSymbolicLink() ? ['--symlink', `usr${path}`, path] : ['--ro-bind', path, path]
  })
  return ['--ro-bind', '/usr', '/usr', ...folders]
}

/** Three places share what the task may keep in memory file systems. */
function splitScratch(bytes: number): { temporary: number; shared: number; state: number } {
  const state = Math.min(4 * 1024 * 1024, Math.floor(bytes / 8))
  const shared = Math.floor((bytes - state) / 4)
  return { temporary: bytes - state - shared, shared, state }
}

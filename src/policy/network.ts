/** Which calls need the network, and which hosts they name. */
import { skipOptions } from './options.ts'
import { own } from './own.ts'
import type { Arg, Call } from './reading.ts'

/** Undefined: none. `hosts` are those that stand plainly in the words; there may be others. */
export interface NetworkUse {
  hosts: readonly string[]
}

const ALWAYS = new Set(
  `curl wget wget2 aria2c axel ssh scp sftp ftp lftp tftp telnet nc ncat netcat ping ping6 fping traceroute traceroute6 tracepath
  mtr arping nmap masscan zmap dig host nslookup drill whois w3m lynx links elinks yt-dlp youtube-dl http https xh websocat mosh
  autossh sshfs sshpass ssh-copy-id ssh-keyscan rclone s3cmd aws gcloud az doctl kubectl helm gh glab ntpdate ollama ngrok
  speedtest speedtest-cli iperf iperf3 httping swaks msmtp sendmail mutt mail mailx npx bunx pnpx tailscale rdesktop xfreerdp
  telegram-send wormhole croc torify torsocks proxychains proxychains4 dhclient`.split(/\s+/),
)

/** Programs of which only some verbs go out. The first word that is no option is the verb. */
const VERBS: Readonly<Record<string, RegExp>> = {
  git: /^(?:clone|fetch|pull|push|ls-remote|submodule|lfs|send-email|svn)$/,
  hg: /^(?:clone|pull|push|incoming|outgoing)$/,
  svn: /^(?:checkout|co|update|up|commit|ci|export|import|switch)$/,
  apt: /^(?:install|update|upgrade|full-upgrade|dist-upgrade|download|source|build-dep|reinstall)$/,
  'apt-get': /^(?:install|update|upgrade|dist-upgrade|download|source|build-dep)$/,
  aptitude: /^(?:install|update|upgrade|safe-upgrade|full-upgrade|download)$/,
  dnf: /^(?:install|update|upgrade|makecache|download|search|check-update|reinstall)$/,
  yum: /^(?:install|update|upgrade|makecache|search|check-update|reinstall)$/,
  zypper: /^(?:install|in|update|up|refresh|ref|dup|search|se)$/,
  apk: /^(?:add|update|upgrade|fetch)$/,
  brew: /^(?:install|update|upgrade|fetch|tap|search|reinstall)$/,
  snap: /^(?:install|refresh|find|download)$/,
  flatpak: /^(?:install|update|search|remote-add)$/,
  pip: /^(?:install|download|search|index|wheel)$/,
  pip3: /^(?:install|download|search|index|wheel)$/,
  pipx: /^(?:install|run|upgrade|upgrade-all|inject)$/,
  uv: /^(?:add|sync|lock|pip|tool|python|run)$/,
  poetry: /^(?:add|install|update|lock|publish|search)$/,
  conda: /^(?:install|create|update|search|upgrade)$/,
  mamba: /^(?:install|create|update|search)$/,
  npm: /^(?:install|i|ci|add|update|up|upgrade|publish|view|info|outdated|audit|search|exec|create|init|login)$/,
  pnpm: /^(?:install|i|add|update|up|publish|outdated|audit|dlx|create)$/,
  yarn: /^(?:install|add|upgrade|up|publish|outdated|audit|dlx|create)$/,
  bun: /^(?:install|i|add|update|create|x)$/,
  gem: /^(?:install|update|fetch|search|push|outdated)$/,
  bundle: /^(?:install|update|outdated)$/,
  cargo: /^(?:install|add|update|search|publish|fetch)$/,
  go: /^(?:get|install)$/,
  composer: /^(?:install|require|update|create-project|global)$/,
  docker: /^(?:pull|push|login|search|run|build|compose|buildx)$/,
  podman: /^(?:pull|push|login|search|run|build)$/,
  terraform: /^(?:init|apply|plan|destroy|import)$/,
  vagrant: /^(?:up|box)$/,
  mvn: /./,
}

/** Their words are a place on another machine only in one of these forms. */
const BY_ADDRESS = new Set(['rsync', 'socat', 'ffmpeg', 'ffplay', 'mpv', 'vlc', 'openssl', 'mount', 'git', 'svn', 'hg'])
const CODE_RUNNERS = new Set(['python', 'python3', 'python2', 'perl', 'ruby', 'node', 'deno', 'php'])
const GOES_OUT = /https?:\/\/|\bimport\s+(?:requests|httpx|aiohttp)\b|\burllib\.request\b|\bLWP::|\bNet::HTTP\b/

export function networkUse(call: Call): NetworkUse | undefined {
  const { name, args } = call
  if (ALWAYS.has(name)) return asUse(args, name)
  const verbs = own(VERBS, name)
  if (verbs !== undefined && usesVerb(name, args, verbs)) return asUse(args, name)
  if (name === 'yarn' && args.length === 0) return { hosts: [] }
  if (name === 'pacman' && args.some((arg) => /^-S/.test(arg.text))) return { hosts: [] }
  if (BY_ADDRESS.has(name) && args.some((arg) => isRemoteAddress(arg.text, name))) return asUse(args, name)
  if (CODE_RUNNERS.has(name) && runsCodeThatGoesOut(call)) return asUse(args, name)
  return undefined
}

/** Bash's own sockets: a redirection to /dev/tcp/HOST/PORT. */
export function socketHost(path: string): string | undefined {
  return /^\/dev\/(?:tcp|udp)\/([^/]*)/.exec(path)?.[1]
}

export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.[0-9]{1,3}){3}|::1|\[::1\]|0\.0\.0\.0|.*\.localhost)$/i.test(host)
}

/** Nothing is sent where a program only tells of itself, or talks to this machine. */
function asUse(args: readonly Arg[], name: string): NetworkUse | undefined {
  const only = args.length === 1 ? (args[0]?.text ?? '') : ''
  if (/^(?:--version|--help|-V|-h)$/.test(only) && name !== 'https') return undefined
  const hosts = [...new Set(args.flatMap((arg) => hostOf(arg, name)))]
  if (hosts.length > 0 && hosts.every(isLoopback) && args.every((arg) => arg.isStatic)) return undefined
  return { hosts: hosts.filter((host) => !isLoopback(host)) }
}

function usesVerb(name: string, args: readonly Arg[], verbs: RegExp): boolean {
  const letters = name === 'git' ? 'Cc' : ''
  const at = skipOptions(args, { letters, names: ['git-dir', 'work-tree', 'prefix'] })
  const verb = args[at]?.text ?? ''
  if (!verbs.test(verb)) return false
  const rest = args.slice(at + 1)
  if (rest.some((arg) => /^(?:--no-index|--offline|--dry-run|--help)$/.test(arg.text))) return false
  if (name === 'git' && verb === 'clone')
    return !isLocalPath(rest[skipOptions(rest, { letters: 'bjuo', names: ['branch', 'depth', 'origin'] })])
  return true
}

function isLocalPath(arg: Arg | undefined): boolean {
  return arg?.isStatic === true && /^(?:\.{0,2}\/|file:\/\/|\.{1,2}$)/.test(arg.text)
}

function isRemoteAddress(text: string, name: string): boolean {
  if (/^(?:https?|ftp|rsync|ssh|git|svn(?:\+ssh)?|rtmp|rtsp|s3):\/\//.test(text)) return true
  if (name === 'rsync') return /^(?:[\w.-]+@)?[\w.-]+:/.test(text)
  if (name === 'socat') return /^(?:tcp|udp|openssl|ssl|socks)[46a-z-]*:/i.test(text)
  if (name === 'openssl') return text === 's_client'
  return false
}

function runsCodeThatGoesOut({ args }: Call): boolean {
  const asks = args.some((arg) => /^-(?:[a-zA-Z]*[ce])$/.test(arg.text))
  const module = args[0]?.text === '-m' ? (args[1]?.text ?? '') : ''
  if (module === 'pip') return /^(?:install|download)$/.test(args[2]?.text ?? '')
  return asks && args.some((arg) => GOES_OUT.test(arg.text))
}

function hostOf({ text, isStatic }: Arg, name: string): string[] {
  if (!isStatic) return []
  const urls = [
    ...text.matchAll(/\b[a-z][a-z0-9+.-]{0,20}:\/\/(?:[^\s/@'"]{0,200}@)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)/g),
  ].map((match) => match[1] ?? '')
  if (urls.length > 0) return urls
  const remote =
    /^(?:[\w.-]+@)?([\w-]+(?:\.[\w-]+)+|localhost):/.exec(text)?.[1] ?? /^[\w.-]+@([\w.-]+)$/.exec(text)?.[1]
  if (remote !== undefined) return [remote]
  return NAMES_HOSTS.has(name) &&
    /^(?:localhost|(?:[\w-]+\.)+[\w-]*[a-z0-9]|[0-9a-f]*::[0-9a-f:]*)(?:\/.*)?$/i.test(text)
    ? [text.replace(/\/.*/, '')]
    : []
}

const NAMES_HOSTS = new Set(
  'curl wget ssh sftp ftp telnet nc ncat netcat ping ping6 fping traceroute mtr nmap dig host nslookup whois http https xh'.split(
    ' ',
  ),
)

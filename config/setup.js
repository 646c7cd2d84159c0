// Runs before `npm start` and `npm test`, with whatever Node the machine has (20 or later) and before any dependency exists:
// plain JavaScript, built-in modules only. Installs what is missing; does nothing when nothing is.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = join(root, 'node_modules', '.assistant-setup')

/** Programs that tasks need, with the package that has them (the same name in Debian, Ubuntu, Fedora, Arch, Alpine, openSUSE). */
const PROGRAMS = [
  { program: 'bwrap', package: 'bubblewrap', without: 'no task can run: there is no sandbox' },
  // Every Debian has it already.
  { program: 'perl', package: 'perl', without: 'no task can run: nothing starts its sandbox' },
  { program: 'socat', package: 'socat', without: 'no task can be given the network' },
]

const MANAGERS = [
  {
    program: 'apt-get',
    byHand: 'apt-get install',
    update: ['update', '-qq'],
    install: ['install', '-y', '-qq', '--no-install-recommends'],
  },
  { program: 'dnf', byHand: 'dnf install', install: ['install', '-y', '-q'] },
  { program: 'pacman', byHand: 'pacman -S', install: ['-S', '--noconfirm', '--needed'] },
  { program: 'zypper', byHand: 'zypper install', install: ['--non-interactive', 'install'] },
  { program: 'apk', byHand: 'apk add', install: ['add', '--quiet'] },
]

const say = (/** @type {string} */ text) => process.stderr.write(`${text}\n`)

/** @param {string} program */
function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some((folder) => folder !== '' && existsSync(join(folder, program)))
}

/** @param {string} command @param {readonly string[]} args @param {NodeJS.ProcessEnv} [env] */
function run(command, args, env = process.env) {
  // What installers print goes to stderr, so that stdout stays the program's own.
  return spawnSync(command, args, { cwd: root, env, stdio: ['inherit', 2, 2] }).status === 0
}

function checkNode() {
  if (Number(process.versions.node.split('.')[0]) >= 20) return
  say(
    `Assistant needs Node 20 or later to begin with; this is ${process.version}. Install it from your system's packages.`,
  )
  process.exit(1)
}

function installPackages() {
  const stamp = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return
  say('Installing the npm packages (once, about a minute) …')
  if (!run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])) {
    say('npm ci failed: see above. Is the npm registry reachable? Run it again when it is.')
    process.exit(1)
  }
  linkCommand()
  writeFileSync(stampFile, stamp)
}

/** `npx assistant` finds it here, without asking the registry. */
function linkCommand() {
  const link = join(root, 'node_modules', '.bin', 'assistant')
  if (!existsSync(link)) symlinkSync('../../config/assistant.js', link)
}

function installPrograms() {
  const missing = PROGRAMS.filter(({ program }) => !isOnPath(program))
  if (missing.length === 0) return
  const manager = MANAGERS.find(({ program }) => isOnPath(program))
  const packages = missing.map((each) => each.package)
  if (manager !== undefined && mayInstall()) {
    say(`Installing ${packages.join(' and ')} with ${manager.program} …`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    if (manager.update !== undefined) asRoot(manager.program, manager.update, env)
    asRoot(manager.program, [...manager.install, ...packages], env)
  }
  const still = missing.filter(({ program }) => !isOnPath(program))
  if (still.length === 0) return
  const names = still.map((each) => each.package)
  const how = manager === undefined ? 'Install them.' : `Run: sudo ${manager.byHand} ${names.join(' ')}`
  say(`Still missing: ${names.join(', ')}. ${how}`)
  for (const each of still) say(`  until then ${each.without}`)
}

const isRoot = () => process.getuid?.() === 0

/** As root, or where sudo asks no password: a set-up that stops to ask is worse than one that says what to do. */
function mayInstall() {
  return isRoot() || spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0
}

/** @param {string} command @param {readonly string[]} args @param {NodeJS.ProcessEnv} env */
function asRoot(command, args, env) {
  return isRoot() ? run(command, args, env) : run('sudo', ['-n', command, ...args], env)
}

checkNode()
installPackages()
installPrograms()

/** Acts that no approval can allow: what would ruin a machine, and what the sandbox cannot give. */
import { posix } from 'node:path'
import { hasOption, operands } from './options.ts'
import type { Arg, Call, FileUse } from './reading.ts'

const TOP_FOLDERS = new Set(
  'bin boot dev etc home lib lib32 lib64 libx32 media mnt opt proc root run sbin srv sys usr var'.split(' '),
)
const PLAIN_DEVICES =
  /^\/dev\/(?:null|zero|full|random|urandom|tty|stdin|stdout|stderr|ptmx|fd(?:\/.*)?|shm(?:\/.*)?|pts(?:\/.*)?|tcp\/.*|udp\/.*)$/
const FIND_TESTS =
  /^-(?:i?name|i?path|i?wholename|i?regex|[acm]time|[acm]min|newer.*|size|empty|user|group|uid|gid|perm|inum|links|samefile|nouser|nogroup)$/

/** A sentence on why the call would ruin a whole machine; undefined when it would not. */
export function ruin(call: Call): string | undefined {
  const { name, args } = call
  if (name === 'rm' && deletesAll(args)) return 'it deletes the whole machine'
  if (
    (name === 'chmod' || name === 'chown' || name === 'chgrp') &&
    hasOption(args, 'R', 'recursive') &&
    args.some(isWholeMachine)
  ) {
    return `"${name}" on the whole machine`
  }
  // The root itself cannot be moved, only what is in it.
  if (
    name === 'mv' &&
    operands(args)
      .slice(0, -1)
      .some((arg) => isWholeMachine(arg) && posix.normalize(arg.text) !== '/')
  )
    return 'it moves the whole machine away'
  if (name === 'find' && findDeletesAll(args)) return 'it deletes every file of the machine'
  if (/^mkfs(?:\.|$)|^mke2fs$|^wipefs$/.test(name) && operands(args).length > 0) return `"${name}" wipes a disk`
  const device = writtenDevice(call)
  return device === undefined ? undefined : `it writes to the device ${device}`
}

/** A device that a redirection writes to. */
export function redirectRuin({ mode, target }: FileUse): string | undefined {
  return mode === 'writes' && target.isStatic && isDevice(target.text)
    ? `it writes to the device ${target.text}`
    : undefined
}

/** The one thing that the sandbox has not and cannot be given, in a few words; undefined when the call may simply be tried. */
export function beyondSandbox(call: Call): string | undefined {
  const { name, args } = call
  if (NEEDS_ROOT.has(name)) return `"${name}" needs root, and there is no root in the sandbox: do it without`
  if ((name === 'mount' || name === 'losetup') && operands(args, { letters: 't' }).length > 0) return noDevices(name)
  if (
    NEEDS_DEVICES.has(name) &&
    args.length > 0 &&
    !args.every((arg) => /^--?(?:version|help|show|V|h|s)$/.test(arg.text))
  ) {
    return noDevices(name)
  }
  if (STOPS_MACHINE.has(name)) return `"${name}" stops the machine`
  if (
    name === 'systemctl' &&
    args.some((arg) => /^(?:reboot|poweroff|halt|kexec|suspend|hibernate|rescue|emergency)$/.test(arg.text))
  ) {
    return '"systemctl" stops the machine'
  }
  if (name === 'init' && /^[0-6]$/.test(args[0]?.text ?? '')) return '"init" stops the machine'
  if (name === 'mknod' && args.some((arg) => /^[bcu]$/.test(arg.text))) return noDevices(name)
  return undefined
}

const NEEDS_ROOT = new Set('sudo doas su pkexec chroot nsenter visudo'.split(' '))
const NEEDS_DEVICES = new Set(
  'umount mkswap swapon swapoff cryptsetup sfdisk cfdisk gdisk parted pvcreate vgcreate lvcreate insmod modprobe rmmod kexec'.split(
    ' ',
  ),
)
const STOPS_MACHINE = new Set('reboot shutdown halt poweroff telinit'.split(' '))

function noDevices(name: string): string {
  return `"${name}" needs devices, mounts or the kernel, which the sandbox does not give`
}

function deletesAll(args: readonly Arg[]): boolean {
  if (args.some((arg) => arg.text === '--no-preserve-root')) return true
  return (hasOption(args, 'r', 'recursive') || hasOption(args, 'R')) && args.some(isWholeMachine)
}

/** `/`, a pattern right below it, or one of its own folders, however it is written. */
function isWholeMachine({ text, isStatic }: Arg): boolean {
  if (!isStatic || !text.startsWith('/')) return false
  const path = posix.normalize(text).replace(/(?:\/\.?\*|\/)+$/, '')
  if (path === '' || path === '/') return true
  const [first = '', ...rest] = path.slice(path.startsWith('//') ? 2 : 1).split('/')
  return rest.length === 0 && (TOP_FOLDERS.has(first) || /[*?[]/.test(first))
}

function findDeletesAll(args: readonly Arg[]): boolean {
  const firstTest = args.findIndex((arg) => /^[-(!]/.test(arg.text))
  const roots = firstTest === -1 ? args : args.slice(0, firstTest)
  if (!roots.some((arg) => arg.isStatic && posix.normalize(arg.text) === '/')) return false
  const deletes = args.some((arg, index) => {
    const next = args[index + 1]?.text ?? ''
    return arg.text === '-delete' || (/^-(?:exec|execdir)$/.test(arg.text) && /(?:^|\/)(?:rm|shred|unlink)$/.test(next))
  })
  return deletes && !args.some((arg) => FIND_TESTS.test(arg.text))
}

function writtenDevice({ name, args }: Call): string | undefined {
  const paths = args.filter((arg) => arg.isStatic).map((arg) => arg.text)
  if (name === 'dd')
    return paths
      .filter((text) => text.startsWith('of='))
      .map((text) => text.slice(3))
      .find(isDevice)
  if (name === 'tee' || name === 'shred' || name === 'truncate' || name === 'wipe') return paths.find(isDevice)
  if (name === 'cp' || name === 'mv' || name === 'install') return paths.slice(-1).find(isDevice)
  return undefined
}

function isDevice(path: string): boolean {
  if (!path.startsWith('/')) return false
  const normal = posix.normalize(path).replace(/^\/\//, '/')
  return normal.startsWith('/dev/') && normal !== '/dev/' && !PLAIN_DEVICES.test(normal)
}

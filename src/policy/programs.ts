/** What well-known programs do to files, as data. A program that is not here is taken to read and to write. */
import type { RiskBadge } from '../core/verdict.ts'
import { hasOption } from './options.ts'
import { own } from './own.ts'
import type { Call } from './reading.ts'

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ''))
}

/** They touch no files and tell nothing about the machine but what everybody may know. */
const QUIET = words(`
  : [ [[ { alias arch bg bind break builtin cal caller cd command continue date declare dirs disown echo enable env eval
  exec exit export expr false fc fg getopts hash help history if jobs let local logout popd printf pushd pwd read readonly
  return seq set shift shopt sleep suspend test time times trap true type typeset ulimit umask unalias unset until
  wait yes basename dirname nproc tty which nohup nice setsid stdbuf timeout xargs parallel watch ncal factor numfmt tput
  clear reset sync bc dc mapfile readarray printenv unbuffer ionice chrt taskset flock`)

const READS = words(`
  ack ag b2sum base32 base64 bat blkid cat cksum cmp column comm cut df diff diff3 dmesg dpkg-query du egrep exa exiftool
  fd fdfind ffprobe fgrep file find fmt fold free getconf getent grep gunzip groups head hd hexdump hostname hostnamectl htop
  id identify ip iostat ifconfig join journalctl jq last ldd less locale locate look ls lsattr lsblk lsb_release lscpu lsns lsof
  lspci lsusb man md5sum mediainfo more mpstat netstat nl nm objdump od paste pdfinfo pgrep pidof pmap pr ps pstree readelf
  readlink realpath rev rg route sdiff sha1sum sha224sum sha256sum sha384sum sha512sum shuf size sort ss stat strings sum tac
  tail top tr tree tsort uname uniq uptime vmstat w wc whereis who whoami whatis apropos xmllint xxd yq zcat zgrep zipinfo zless
  bzcat xzcat zstdcat lsmod findmnt mountpoint pdftotext wdiff rgrep csvcut csvlook csvstat csvgrep column xmlstarlet tldr`)

const WRITES = words(`
  bzip2 chattr chgrp chmod chown cp csplit dd ed ex fallocate git gzip install ln mkdir mkfifo mknod mktemp mv nano patch
  rename rsync sponge split tar tee touch truncate unzip vi vim xz zip zstd 7z 7za ar cpio dos2unix unix2dos kill killall pkill
  crontab at batch logger`)

const DELETES = words('rm rmdir unlink shred srm wipe trash')

const PRIVILEGED = words(`
  sudo doas su pkexec runuser mount umount losetup mkswap swapon swapoff cryptsetup wipefs fdisk sfdisk gdisk cfdisk parted
  pvcreate vgcreate lvcreate mke2fs fsck e2fsck tune2fs reboot shutdown halt poweroff init telinit insmod rmmod modprobe
  chroot unshare nsenter setcap kexec useradd userdel usermod groupadd groupdel groupmod adduser deluser addgroup passwd
  chpasswd visudo vipw iptables ip6tables nft ufw firewall-cmd systemd-run hdparm update-grub grub-install depmod setenforce
  service systemctl sysctl debootstrap`)

/** Badges of a call by its program and the options that change what it does; network is judged apart. */
export function fileBadges(call: Call): RiskBadge[] {
  const { name, args } = call
  const refined = own(REFINED, name)?.(call)
  if (refined !== undefined) return refined
  if (PRIVILEGED.has(name) || name.startsWith('mkfs')) return ['privileged']
  if (DELETES.has(name)) return ['deletes']
  if (WRITES.has(name)) return ['reads', 'writes']
  if (READS.has(name)) return ['reads']
  if (QUIET.has(name)) return []
  return args.length === 1 && /^(?:--version|--help)$/.test(args[0]?.text ?? '') ? [] : ['reads', 'writes']
}

/** Programs whose options decide; undefined leaves it to the lists. */
const REFINED: Readonly<Record<string, (call: Call) => RiskBadge[] | undefined>> = {
  find: ({ args }) => {
    const has = (pattern: RegExp) => args.some((arg) => pattern.test(arg.text))
    if (has(/^-delete$/)) return ['reads', 'deletes']
    return has(/^-f(?:print0?|printf|ls)$/) ? ['reads', 'writes'] : ['reads']
  },
  sed: ({ args }) => (hasOption(args, 'i', 'in-place') ? ['reads', 'writes'] : ['reads']),
  sort: ({ args }) => (hasOption(args, 'o', 'output') ? ['reads', 'writes'] : ['reads']),
  awk: awkBadges,
  gawk: awkBadges,
  mawk: awkBadges,
  nawk: awkBadges,
  git: ({ args }) => {
    const verb = args.find((arg) => !arg.text.startsWith('-'))?.text ?? ''
    if (verb === 'clean' || verb === 'rm') return ['deletes']
    const reads =
      /^(?:|status|log|diff|show|branch|ls-files|ls-tree|rev-parse|rev-list|blame|grep|describe|shortlog|cat-file|config)$/
    return reads.test(verb) ? ['reads'] : ['reads', 'writes']
  },
  rsync: ({ args }) =>
    args.some((arg) => /^--(?:del|remove-source)/.test(arg.text))
      ? ['reads', 'writes', 'deletes']
      : ['reads', 'writes'],
  date: ({ args }) => (args.some((arg) => /^(?:-s|--set)/.test(arg.text)) ? ['privileged'] : []),
  mount: ({ args }) => (isListing(args, /^-[lt]|^--types/) ? ['reads'] : ['privileged']),
  fdisk: ({ args }) => (hasOption(args, 'l', 'list') ? ['reads'] : ['privileged']),
  losetup: ({ args }) => (isListing(args, /^-[alj]/) ? ['reads'] : ['privileged']),
  swapon: ({ args }) => (args.some((arg) => /^(?:-s|--show|--summary)/.test(arg.text)) ? ['reads'] : ['privileged']),
  systemctl: ({ args }) => (isQuery(args) ? ['reads'] : ['privileged']),
  service: ({ args }) =>
    args.at(-1)?.text === 'status' || args[0]?.text === '--status-all' ? ['reads'] : ['privileged'],
  sysctl: ({ args }) => (args.some((arg) => /^(?:-w|--write|-p|--load)|=/.test(arg.text)) ? ['privileged'] : ['reads']),
  ifconfig: ({ args }) => (args.length > 1 && args[0]?.text !== '-a' ? ['privileged'] : ['reads']),
  ip: ({ args }) =>
    args.some((arg) => /^(?:add|del|delete|set|flush|replace|change)$/.test(arg.text)) ? ['privileged'] : ['reads'],
  mknod: ({ args }) => (args.some((arg) => /^[bcu]$/.test(arg.text)) ? ['privileged'] : ['writes']),
  passwd: ({ args }) => (hasOption(args, 'S', 'status') ? ['reads'] : ['privileged']),
}

function awkBadges({ args }: Call): RiskBadge[] {
  const writes = args.some((arg) => /\bprintf?\b[^;}\n]{0,500}>\s*["(a-z]/.test(arg.text) || arg.text === 'inplace')
  return writes ? ['reads', 'writes'] : ['reads']
}

function isListing(args: Call['args'], option: RegExp): boolean {
  return args.length === 0 || (args.length <= 2 && option.test(args[0]?.text ?? ''))
}

function isQuery(args: Call['args']): boolean {
  const verb = args.find((arg) => !arg.text.startsWith('-'))?.text ?? 'list-units'
  return /^(?:status|show|cat|list-.*|is-.*|get-default|help)$/.test(verb)
}

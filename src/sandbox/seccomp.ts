/**
 * The system-call filter of a sandbox: a classic BPF program made here, so that what it refuses can be read in one place.
 * Numbers are the kernel's own, from its unistd headers for x86-64 and for the generic table that arm64 uses.
 */

export type FilterArchitecture = 'x64' | 'arm64'

/** [x86-64, arm64]; null where the architecture never had the call. */
type Numbers = readonly [number | null, number | null]

/** Refused with EPERM: they change the machine or look into other processes. Fine to fail: no ordinary program needs them. */
export const REFUSED_CALLS = {
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  unshare: [272, 97],
  setns: [308, 268],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  fanotify_init: [300, 262],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  clock_settime: [227, 112],
  settimeofday: [164, 170],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  acct: [163, 89],
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  uselib: [134, null],
  sysfs: [139, null],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  nfsservctl: [180, 42],
  lookup_dcookie: [212, 18],
  syslog: [103, 116],
  vhangup: [153, 58],
} as const satisfies Record<string, Numbers>

/** Answered ENOSYS, so that the C library falls back to what the filter can judge: clone3 hides its flags behind a pointer. */
export const ABSENT_CALLS = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
} as const satisfies Record<string, Numbers>

/** Judged by an argument. */
export const JUDGED_CALLS = {
  clone: [56, 220],
  ioctl: [16, 29],
  socket: [41, 198],
  socketpair: [53, 199],
  personality: [135, 92],
} as const satisfies Record<string, Numbers>

const AUDIT_ARCHITECTURE = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const
const X32_BIT = 0x4000_0000
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACE_FLAGS = 0x7e02_0000
const ALLOWED_FAMILIES = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const
const REFUSED_IOCTLS = { TIOCSTI: 0x5412, TIOCLINUX: 0x541c } as const
/** Linux, Linux pretending 32 bits in uname, and the query. */
const ALLOWED_PERSONALITIES = [0, 0x8, 0xffff_ffff] as const

const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97

/** Offsets in struct seccomp_data; arguments are 64 bits wide, little-endian on both architectures. */
const OFFSET = { number: 0, architecture: 4, firstArgument: 16, secondArgument: 24 } as const

const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06

const ALLOW = 0x7fff_0000
const KILL_PROCESS = 0x8000_0000
const refuse = (errno: number) => 0x0005_0000 | errno

interface Instruction {
  code: number
  whenTrue: number
  whenFalse: number
  value: number
}

/** The filter as the bytes that `bwrap --seccomp` reads; undefined for an architecture that we have no table for. */
export function seccompFilter(architecture: string): Buffer | undefined {
  if (architecture !== 'x64' && architecture !== 'arm64') return undefined
  return assemble([
    ...refuseForeignCode(architecture),
    ...numbersOf(REFUSED_CALLS, architecture).flatMap((number) => returnIfEqual(number, refuse(EPERM))),
    ...numbersOf(ABSENT_CALLS, architecture).flatMap((number) => returnIfEqual(number, refuse(ENOSYS))),
    ...judge(JUDGED_CALLS.clone, architecture, [
      load(OFFSET.firstArgument),
      { code: JUMP_ANY_BIT, whenTrue: 0, whenFalse: 1, value: NAMESPACE_FLAGS },
      returns(refuse(EPERM)),
    ]),
    // The kernel looks at the low 32 bits of the request only, and so do we.
    ...judge(JUDGED_CALLS.ioctl, architecture, [
      load(OFFSET.secondArgument),
      ...Object.values(REFUSED_IOCTLS).flatMap((request) => returnIfEqual(request, refuse(EPERM))),
    ]),
    // An empty network namespace stops neither vsock nor the rarer families.
    ...judge(JUDGED_CALLS.socket, architecture, onlyValues(Object.values(ALLOWED_FAMILIES), EAFNOSUPPORT)),
    ...judge(JUDGED_CALLS.socketpair, architecture, onlyValues([ALLOWED_FAMILIES.unix], EAFNOSUPPORT)),
    ...judge(JUDGED_CALLS.personality, architecture, onlyValues(ALLOWED_PERSONALITIES, EPERM)),
    returns(ALLOW),
  ])
}

function refuseForeignCode(architecture: FilterArchitecture): Instruction[] {
  const native = [
    load(OFFSET.architecture),
    { code: JUMP_EQUAL, whenTrue: 1, whenFalse: 0, value: AUDIT_ARCHITECTURE[architecture] },
    returns(KILL_PROCESS),
    load(OFFSET.number),
  ]
  if (architecture === 'arm64') return native
  // x32 calls come under the native architecture, with a bit in the number.
  return [...native, { code: JUMP_AT_LEAST, whenTrue: 0, whenFalse: 1, value: X32_BIT }, returns(refuse(ENOSYS))]
}

/** Runs `body` for one call and allows the call when the body does not return. */
function judge(numbers: Numbers, architecture: FilterArchitecture, body: readonly Instruction[]): Instruction[] {
  const number = numberOf(numbers, architecture)
  if (number === null) return []
  const skip = body.length + 1
  return [{ code: JUMP_EQUAL, whenTrue: 0, whenFalse: skip, value: number }, ...body, returns(ALLOW)]
}

function onlyValues(allowed: readonly number[], errno: number): Instruction[] {
  return [
    load(OFFSET.firstArgument),
    ...allowed.flatMap((value) => returnIfEqual(value, ALLOW)),
    returns(refuse(errno)),
  ]
}

function numbersOf(calls: Readonly<Record<string, Numbers>>, architecture: FilterArchitecture): number[] {
  return Object.values(calls)
    .map((numbers) => numberOf(numbers, architecture))
    .filter((number) => number !== null)
}

function numberOf(numbers: Numbers, architecture: FilterArchitecture): number | null {
  return architecture === 'x64' ? numbers[0] : numbers[1]
}

function load(offset: number): Instruction {
  return { code: LOAD, whenTrue: 0, whenFalse: 0, value: offset }
}

function returns(value: number): Instruction {
  return { code: RETURN, whenTrue: 0, whenFalse: 0, value }
}

function returnIfEqual(value: number, result: number): Instruction[] {
  return [{ code: JUMP_EQUAL, whenTrue: 0, whenFalse: 1, value }, returns(result)]
}

/** struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 value. */
function assemble(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8)
  for (const [index, { code, whenTrue, whenFalse, value }] of instructions.entries()) {
    const at = index * 8
    bytes.writeUInt16LE(code, at)
    bytes.writeUInt8(whenTrue, at + 2)
    bytes.writeUInt8(whenFalse, at + 3)
    bytes.writeUInt32LE(value >>> 0, at + 4)
  }
  return bytes
}

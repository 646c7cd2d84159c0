/**
 * One escape or abuse each, tried inside a real sandbox. A probe prints what it got hold of; `contained` says what may be
 * printed. Raw system calls are made from perl, which every Debian has; numbers are x86-64's.
 */
export interface Probe {
  name: string
  command: string
  /** The whole output must match. */
  contained: RegExp
  needs?: 'x64'
}

/** Prints the errno of a raw system call, or OPEN when it worked. */
function call(number: number, ...parameters: (number | string)[]): string {
  const list = [number, ...parameters].join(', ')
  return `perl -e 'my $r = syscall(${list}); print $r == -1 ? "errno " . ($! + 0) : "OPEN $r"'`
}

const EPERM = /^errno 1$/
const ENOSYS = /^errno 38$/
const NOTHING = /^$/
const tryRead = (path: string) => `cat ${path} 2>/dev/null | head -c 300; true`

export const PROBES: readonly Probe[] = [
  {
    name: "reads the host's password hashes",
    command: tryRead('/etc/shadow /etc/gshadow /etc/sudoers'),
    contained: NOTHING,
  },
  { name: "sees the host's users", command: 'cut -d: -f1 /etc/passwd', contained: /^task\nnobody\n$/ },
  { name: 'reads a home folder', command: 'ls -A /root /home 2>/dev/null; true', contained: NOTHING },
  {
    name: "sees the machine's folders",
    command: 'ls /',
    contained: /^bin\ndev\netc\nlib\n(lib32\n)?lib64\n(libx32\n)?proc\nrun\nsbin\ntask\ntmp\nusr\n$/,
  },
  {
    name: 'finds a file of the program',
    command: 'find / -xdev \\( -name "tasks.db*" -o -name ".env" \\) 2>/dev/null; true',
    contained: NOTHING,
  },
  {
    name: 'writes to the system',
    command:
      'touch /usr/x /etc/x /x /run/x /dev/x /bin/x /proc/x 2>/dev/null; ls /usr/x /etc/x /x /run/x /dev/x 2>/dev/null; true',
    contained: NOTHING,
  },
  {
    name: 'changes a kernel setting',
    command:
      '(echo x >/proc/sys/kernel/core_pattern) 2>/dev/null && echo OPEN; (echo b >/proc/sysrq-trigger) 2>/dev/null && echo OPEN; true',
    contained: NOTHING,
  },
  {
    name: 'leaves by a link',
    command: 'ln -s / up; ln -s ../../.. out; ls up/root out/root 2>/dev/null; cat out/etc/shadow 2>/dev/null; true',
    contained: NOTHING,
  },
  {
    name: 'has capabilities',
    command: "grep -hE '^Cap' /proc/self/status | cut -f2 | sort -u",
    contained: /^0000000000000000\n$/,
  },
  {
    name: 'can gain privileges',
    command: "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status",
    contained: /^NoNewPrivs:\t1\nSeccomp:\t2\n$/,
  },
  {
    name: 'uses a set-uid program',
    command: 'cp /usr/bin/id . && chmod u+s id; ./id -u; su -c "id -u" </dev/null 2>/dev/null; true',
    contained: /^1000\n$/,
  },
  {
    name: 'sees processes of the host',
    command: 'ls -d /proc/[0-9]* | wc -l; ps ax -o comm= 2>/dev/null | grep -cE "node|vitest|systemd"; true',
    contained: /^[4-8]\n0\n$/,
  },
  {
    name: 'signals every process it can find',
    command: "perl -e 'for (41 .. 70000) { print qq(OPEN $_ ) if kill 0, $_ } print kill(0, -1) ? q() : $!'",
    contained: NOTHING,
  },
  {
    name: 'reads the environment of the first process',
    command: 'tr "\\0" "\\n" </proc/1/environ',
    contained: /^(PWD=\/\n)?$/,
  },
  {
    name: "finds the program's secret in any environment",
    command: 'cat /proc/*/environ 2>/dev/null | tr "\\0" "\\n" | grep -i "SECRET_OF_THE_PROGRA[M]"; true',
    contained: NOTHING,
  },
  {
    name: 'has a descriptor that it was not given',
    command: 'ls /proc/self/fd | tr "\\n" " "',
    contained: /^0 1 2 3 $/,
  },
  {
    name: "opens the supervisor's descriptors",
    command: 'for p in 2 3; do ls /proc/$p/fd 2>/dev/null; (exec 5>/proc/$p/fd/3) 2>/dev/null && echo OPEN; done; true',
    contained: NOTHING,
  },
  {
    name: "reads the supervisor's memory, maps and environment",
    command: 'cat /proc/[23]/mem /proc/[23]/maps /proc/[23]/environ /proc/[23]/auxv 2>/dev/null | wc -c',
    contained: /^0\n$/,
  },
  {
    name: "reads or changes the supervisor's program",
    command:
      'cat /run/assistant/supervisor 2>/dev/null | wc -c; chmod 755 /run/assistant/supervisor 2>/dev/null && echo OPEN; rm -f /run/assistant/supervisor 2>/dev/null && echo OPEN; true',
    contained: /^0\n$/,
  },
  {
    name: "opens the first process's sockets",
    command:
      'for n in 0 3 4 5; do [ ! /proc/1/fd/$n -ef /dev/null ] && (exec 5<>/proc/1/fd/$n) 2>/dev/null && echo OPEN $n; done; true',
    contained: NOTHING,
  },
  {
    name: 'has any network interface but loopback',
    command: "cut -d: -f1 -s /proc/net/dev | tr -d ' ' | sort",
    contained: /^lo\n$/,
  },
  {
    name: 'reaches the network by TCP',
    command:
      'for h in 1.1.1.1/80 127.0.0.1/22 169.254.169.254/80; do timeout 2 bash -c "exec 5<>/dev/tcp/$h" 2>/dev/null && echo OPEN $h; done; true',
    contained: NOTHING,
  },
  {
    name: 'reaches the network by UDP',
    command: 'bash -c "echo x >/dev/udp/1.1.1.1/53" 2>/dev/null && echo OPEN; true',
    contained: NOTHING,
  },
  { name: 'resolves a name', command: 'getent ahosts example.com | head -1; true', contained: NOTHING },
  { name: "sees the host's abstract sockets", command: 'grep -c @ /proc/net/unix; true', contained: /^0\n$/ },
  {
    name: "sees the host's shared memory",
    command: 'ipcs -m 2>/dev/null | grep -c "^0x"; ls /dev/shm',
    contained: /^0\n$/,
  },
  {
    name: 'opens a device',
    command:
      'cat /dev/mem /dev/kmsg /dev/vda /dev/sda /dev/loop0 /dev/vsock /dev/kvm /dev/fuse 2>/dev/null | head -c 1; mknod d b 7 0 2>/dev/null && echo OPEN; true',
    contained: NOTHING,
  },
  {
    name: 'makes a user namespace',
    command: 'unshare -U true 2>/dev/null && echo OPEN; unshare -r true 2>/dev/null && echo OPEN; true',
    contained: NOTHING,
  },
  {
    name: 'starts a sandbox of its own',
    command: 'bwrap --ro-bind / / true 2>/dev/null && echo OPEN; true',
    contained: NOTHING,
  },
  {
    name: 'mounts',
    command: 'mount -t tmpfs x /tmp 2>/dev/null && echo OPEN; umount /usr 2>/dev/null && echo OPEN; true',
    contained: NOTHING,
  },
  { name: 'calls unshare', command: call(272, 0x10000000), contained: EPERM, needs: 'x64' },
  {
    name: 'calls clone with a new user namespace',
    command: call(56, 0x10000000 + 17, 0, 0, 0, 0),
    contained: EPERM,
    needs: 'x64',
  },
  { name: 'calls clone3', command: call(435, 0, 0), contained: ENOSYS, needs: 'x64' },
  { name: 'calls setns', command: call(308, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls ptrace', command: call(101, 16, 1, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls process_vm_readv', command: call(310, 1, 0, 0, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls pidfd_getfd', command: call(438, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls keyctl', command: call(250, 0, -3, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls add_key', command: call(248, 0, 0, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls bpf', command: call(321, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls perf_event_open', command: call(298, 0, 0, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls userfaultfd', command: call(323, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls io_uring_setup', command: call(425, 8, 0), contained: ENOSYS, needs: 'x64' },
  { name: 'calls open_by_handle_at', command: call(304, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls fsopen', command: call(430, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls init_module', command: call(175, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'calls kexec_load', command: call(246, 0, 0, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'sets the clock', command: call(227, 0, 0), contained: EPERM, needs: 'x64' },
  { name: 'changes its personality', command: call(135, 0x0040000), contained: EPERM, needs: 'x64' },
  { name: 'makes an x32 call', command: call(0x40000000 + 39), contained: ENOSYS, needs: 'x64' },
  { name: 'pushes input into a terminal', command: call(16, 0, 0x5412, 0), contained: EPERM, needs: 'x64' },
  {
    name: 'pushes input into a terminal, with bits above the 32 that count',
    command: call(16, 0, '0x100005412', 0),
    contained: EPERM,
    needs: 'x64',
  },
  { name: 'opens a vsock socket', command: call(41, 40, 1, 0), contained: /^errno 97$/, needs: 'x64' },
  { name: 'opens a packet socket', command: call(41, 17, 3, 0), contained: /^errno 97$/, needs: 'x64' },
  { name: 'opens an AF_ALG socket', command: call(41, 38, 5, 0), contained: /^errno 97$/, needs: 'x64' },
  { name: 'opens a raw socket', command: call(41, 2, 3, 1), contained: EPERM, needs: 'x64' },
  {
    name: 'raises its limits',
    command: 'ulimit -Hn 100000 2>/dev/null && echo OPEN; ulimit -Hu 100000 2>/dev/null && echo OPEN; ulimit -c',
    contained: /^0\n$/,
  },
  {
    name: 'fills the temporary folder',
    command:
      'head -c 1G /dev/zero >/tmp/full 2>/dev/null; head -c 1G /dev/zero >/dev/shm/full 2>/dev/null; a=$(($(stat -c %s /tmp/full) + $(stat -c %s /dev/shm/full))); [ $a -le $((64 << 20)) ] && echo bounded; rm /tmp/full /dev/shm/full',
    contained: /^bounded\n$/,
  },
]

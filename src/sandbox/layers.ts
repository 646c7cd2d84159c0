import { readlinkSync } from 'node:fs'
import type { SandboxLayer } from '../ports/sandbox.ts'
import type { GroupPowers } from './task-group.ts'

/** Prints what a process inside knows of its own walls, as lines "name value". */
export const LAYER_PROBE = [
  'for name in user mnt pid net ipc uts; do echo "$name $(readlink /proc/self/ns/$name)"; done',
  'while read -r name value; do case $name in NoNewPrivs:|Seccomp:|CapEff:|CapBnd:) echo "$name $value"; esac; done </proc/self/status',
  '(: >/assistant-probe) 2>/dev/null && echo "root writable"',
  '(: >/usr/assistant-probe) 2>/dev/null && echo "usr writable"',
  'echo inside >probe',
].join('\n')

export interface Findings {
  /** What the probe printed. */
  printed: string
  /** Owner of the file that it made. */
  uid: number
  powers: GroupPowers
  /** What its folder took on disk, as we measure it. */
  diskBytes: number
}

const RUN_AS_ROOT = 'Start the program as root (or as a systemd service), so that every task gets a user id of its own.'
const GET_CGROUPS = 'Start the program as root, or as a systemd service with Delegate=yes.'

/** Each layer as measured inside; the order is the one in which people read them. */
export function layersOf({ printed, uid, powers, diskBytes }: Findings): SandboxLayer[] {
  const facts = new Map(
    printed.split('\n').map((line) => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)]),
  )
  const isOwn = (namespace: string) => {
    const inside = facts.get(namespace)
    return inside !== undefined && inside !== readlinkSync(`/proc/self/ns/${namespace}`)
  }
  const isNone = (name: string) => /^0+$/.test(facts.get(name) ?? '')
  const readOnly = isOwn('mnt') && !facts.has('root') && !facts.has('usr')
  return [
    layer('user namespace', isOwn('user'), USER_NAMESPACE_FIX),
    layer('mounts', readOnly, 'The system is not shown read-only: report this as a bug.'),
    layer('pid namespace', isOwn('pid') && isOwn('ipc') && isOwn('uts'), USER_NAMESPACE_FIX),
    layer('network', isOwn('net'), USER_NAMESPACE_FIX),
    layer(
      'capabilities',
      isNone('CapEff:') && isNone('CapBnd:'),
      'Capabilities are left inside: report this as a bug.',
    ),
    layer('no_new_privs', facts.get('NoNewPrivs:') === '1', 'The kernel is too old: use Linux 5.10 or later.'),
    layer('seccomp', facts.get('Seccomp:') === '2', 'There is no filter for this processor: use x86-64 or arm64.'),
    layer('own uid', uid !== process.getuid?.() && uid !== 0, RUN_AS_ROOT),
    layer(
      'cgroup memory',
      powers.memory,
      `The sum of a task's memory is only looked at from time to time. ${GET_CGROUPS}`,
    ),
    layer(
      'cgroup pids',
      powers.processes,
      `The sum of a task's processes is only looked at from time to time. ${GET_CGROUPS}`,
    ),
    layer('cgroup cpu', powers.cpu, `A busy task can slow the machine down. ${GET_CGROUPS}`),
    layer('cgroup kill', powers.kill, `Processes are ended through their namespace instead. ${GET_CGROUPS}`),
    layer('disk', diskBytes > 0, "What a task's folder takes cannot be measured: report this as a bug."),
  ]
}

export const USER_NAMESPACE_FIX =
  'Allow user namespaces to bubblewrap. On Ubuntu 23.10 and later: put an AppArmor profile with the rule "userns," for ' +
  '/usr/bin/bwrap into /etc/apparmor.d, or set sysctl kernel.apparmor_restrict_unprivileged_userns=0. Elsewhere: sysctl ' +
  'kernel.unprivileged_userns_clone=1 and user.max_user_namespaces above 0; in a container, allow them with its own settings.'

function layer(name: string, on: boolean, fix: string): SandboxLayer {
  return { name, on, fix: on ? '' : fix }
}

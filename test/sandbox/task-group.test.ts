import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseHierarchies } from '../../src/sandbox/cgroup-hierarchies.ts'
import { TaskGroup } from '../../src/sandbox/task-group.ts'
import { LIMITS, MEBIBYTE } from './task-bench.ts'

const CONTROLLERS = new Set(['memory', 'pids', 'cpu'])
/** What a new group of version 2 says, in the kernel's own words. */
const NEW_GROUP = {
  'memory.events': 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n',
  'memory.swap.max': 'max\n',
  'memory.oom.group': '0\n',
  'pids.events': 'max 0\n',
  'cpu.stat': 'usage_usec 1200\nuser_usec 1000\nsystem_usec 200\n',
  'cgroup.kill': '',
  'cgroup.procs': '',
} as const

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assistant-group-'))
  for (const [name, text] of Object.entries(NEW_GROUP)) writeFileSync(join(folder, name), text)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const written = (name: string) => readFileSync(join(folder, name), 'latin1')
const group = (controllers: ReadonlySet<string> = CONTROLLERS) =>
  new TaskGroup([{ path: folder, version: 2, controllers }])

describe('the group of a task in a tree of version 2', () => {
  it('writes every limit of sums, and takes swap and half-killed tasks away', () => {
    group().limit({ ...LIMITS, memoryBytes: 64 * MEBIBYTE, processes: 10 })
    expect(written('memory.max')).toBe(String(64 * MEBIBYTE))
    expect(written('memory.swap.max')).toMatch(/^0/)
    expect(written('memory.oom.group')).toMatch(/^1/)
    expect(written('pids.max')).toBe('17')
    expect(written('cpu.weight')).toBe('50')
  })

  const breaches = [
    ['memory.events', 'max 7\noom 1\noom_kill 1\n', { limit: 'memory', allowed: LIMITS.memoryBytes }],
    ['pids.events', 'max 3\n', { limit: 'processes', allowed: LIMITS.processes }],
    ['cpu.stat', 'usage_usec 120000001\n', { limit: 'cpu', allowed: LIMITS.cpuSeconds }],
  ] as const
  it.each(breaches)('tells from %s which limit was passed', (file, text, breach) => {
    const watched = group()
    watched.limit(LIMITS)
    expect(watched.breach()).toBeUndefined()
    writeFileSync(join(folder, file), text)
    expect(watched.breach()).toEqual(breach)
  })

  it('does not take what comes near a limit, or reclaims, for having passed it', () => {
    const watched = group()
    watched.limit(LIMITS)
    writeFileSync(join(folder, 'memory.events'), 'low 5\nhigh 9\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n')
    expect(watched.breach()).toBeUndefined()
  })

  it('counts CPU time and ends processes also without a controller, and says that it counts no more', () => {
    const bare = group(new Set())
    bare.limit(LIMITS)
    expect(bare.counts).toEqual(new Set(['cpu']))
    expect(() => written('memory.max')).toThrow(/ENOENT/)
    expect(bare.kill()).toBe(true)
    expect(written('cgroup.kill')).toBe('1')
  })

  it('counts nothing any more when it is gone', () => {
    const watched = group()
    watched.limit(LIMITS)
    rmSync(folder, { recursive: true })
    expect(watched.breach()).toBeUndefined()
    expect(watched.pids()).toEqual([])
    mkdirSync(folder)
  })
})

describe('the trees of a machine', () => {
  it('are read with the folder that is ours, of version 2 alone, as systemd delegates it', () => {
    const mountinfo = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n'
    expect(parseHierarchies(mountinfo, '0::/system.slice/assistant.service/main\n')).toEqual([
      {
        version: 2,
        controllers: [],
        mountPoint: '/sys/fs/cgroup',
        own: '/sys/fs/cgroup/system.slice/assistant.service/main',
      },
    ])
  })

  it('are left out where our folder lies outside what is mounted, as in a container', () => {
    const mountinfo = '30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'
    expect(parseHierarchies(mountinfo, '0::/docker/other\n')).toEqual([])
    expect(parseHierarchies(mountinfo, '0::/docker/abc/x\n')[0]?.own).toBe('/sys/fs/cgroup/x')
  })
})

import { join, relative } from 'node:path'

/** One mounted cgroup tree, and the folder in it that this program belongs to. */
export interface Hierarchy {
  version: 1 | 2
  /** Version 1: what the tree controls. Version 2 says it in a file. */
  controllers: readonly string[]
  mountPoint: string
  /** Folder of the program's own group, below the mount point. */
  own: string
}

interface Mount {
  version: 1 | 2
  root: string
  mountPoint: string
  options: readonly string[]
}

/** Reads /proc/self/mountinfo and /proc/self/cgroup. Trees that lie outside what is mounted here are left out. */
export function parseHierarchies(mountinfo: string, membership: string): Hierarchy[] {
  const groups = parseMembership(membership)
  return parseMounts(mountinfo).flatMap((mount) => {
    const controllers = mount.version === 1 ? mount.options : []
    const path = mount.version === 2 ? groups.get('') : controllers.map((name) => groups.get(name)).find(Boolean)
    if (path === undefined) return []
    const below = relative(mount.root, path)
    if (below.startsWith('..')) return []
    return [{ version: mount.version, controllers, mountPoint: mount.mountPoint, own: join(mount.mountPoint, below) }]
  })
}

/** "36 31 0:33 /root /mount/point options … - type source superoptions": the part before the dash varies in length. */
function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ')
    const [type, , options = ''] = right.split(' ')
    const [, , , root, mountPoint] = left.split(' ')
    if ((type !== 'cgroup' && type !== 'cgroup2') || root === undefined || mountPoint === undefined) return []
    return [{ version: type === 'cgroup' ? 1 : 2, root, mountPoint, options: options.split(',') }]
  })
}

/** "4:memory:/path" or "0::/path" for version 2. */
function parseMembership(membership: string): Map<string, string> {
  const groups = new Map<string, string>()
  for (const line of membership.trim().split('\n')) {
    const [, names = '', ...path] = line.split(':')
    for (const name of names.split(',')) groups.set(name, path.join(':'))
  }
  return groups
}

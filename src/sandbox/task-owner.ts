import { readFileSync } from 'node:fs'

/**
 * A uid of its own for every task, when we may hand them out: neighbours are strangers to each other, to the program and
 * to every person on the machine. Two tasks share one only when their ids are this far apart.
 */
const TASK_UIDS = 60_000
/** Above what systemd gives to containers and people to theirs, below what a signed 32-bit number holds. */
const FIRST_TASK_UID = 1_900_000_000
/** In a container that knows fewer uids: the upper end of the classic range, without nobody. */
const FIRST_SMALL_UID = 2_000

/** Null: the program is not root, so its tasks run as itself. */
export function taskOwner(taskId: number): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const uid = (isMapped(FIRST_TASK_UID + TASK_UIDS) ? FIRST_TASK_UID : FIRST_SMALL_UID) + (taskId % TASK_UIDS)
  return { uid, gid: uid }
}

/** Lines of the map are: first inside, first outside, how many. */
function isMapped(uid: number): boolean {
  return readFileSync('/proc/self/uid_map', 'latin1')
    .trim()
    .split('\n')
    .some((line) => {
      const [first = 0, , count = 0] = line.trim().split(/\s+/).map(Number)
      return uid >= first && uid < first + count
    })
}

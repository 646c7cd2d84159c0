/** How long the event loop of this process stood still. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs'

/** Linux: nanoseconds on a processor, nanoseconds of waiting for one, of the main thread. */
const SCHEDULE = '/proc/self/schedstat'

/**
 * Watches until asked. The time in which the thread could have run and other programs had the processors is not counted, where
 * the kernel tells it: it says how busy the machine is, not what this program does. Collecting garbage and waiting for a disk count.
 */
export function watchStalls(): { longestMs(): number } {
  const schedule = existsSync(SCHEDULE) ? openSync(SCHEDULE, 'r') : null
  const text = Buffer.alloc(100)
  const waited = (): number => {
    if (schedule === null) return 0
    return Number(text.toString('latin1', 0, readSync(schedule, text, 0, text.length, 0)).split(' ')[1]) / 1e6
  }
  let longest = 0
  let last = { at: performance.now(), waited: waited() }
  const look = (): void => {
    const now = { at: performance.now(), waited: waited() }
    longest = Math.max(longest, now.at - last.at - (now.waited - last.waited))
    last = now
  }
  const timer = setInterval(look, 1)
  return {
    longestMs() {
      look()
      clearInterval(timer)
      if (schedule !== null) closeSync(schedule)
      return longest
    },
  }
}

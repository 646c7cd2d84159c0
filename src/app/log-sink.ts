/** Where the program's own log goes. Trouble with it never ends the program, and never fills its memory. */
import type { Writable } from 'node:stream'

/** Of a reader that has stopped reading. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024

/** Writes lines as long as the stream takes them; drops them while it does not (a full disk, a reader that is gone or asleep), and says afterwards how many. */
export function createLogSink(stream: Writable): (line: string) => void {
  let dropped = 0
  // Without a listener the first line that a full disk refuses would end the program.
  stream.on('error', () => {
    dropped += 1
  })
  return (line) => {
    if (stream.writableLength > MAX_WAITING_BYTES) {
      dropped += 1
      return
    }
    if (dropped > 0 && stream.writableLength === 0) {
      const lost = dropped
      dropped = 0
      stream.write(`${JSON.stringify({ level: 40, time: Date.now(), msg: `${lost} lines of this log were lost` })}\n`)
    }
    stream.write(line)
  }
}

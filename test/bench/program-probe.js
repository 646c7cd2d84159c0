/**
 * Loaded into the real program before it starts: tells its memory and how long its event loop stood still, on request. Plain JavaScript:
 * it comes before the compile cache, so that types would be stripped in the program, which takes more memory than what is measured.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 2 })
delay.enable()
let peakBytes = 0
setInterval(() => {
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
}, 50).unref()

process.on('SIGUSR2', () => {
  const seen = {
    rssMb: process.memoryUsage.rss() / 1e6,
    peakMb: peakBytes / 1e6,
    delayP50Ms: delay.percentile(50) / 1e6,
    delayP99Ms: delay.percentile(99) / 1e6,
    delayMaxMs: delay.max / 1e6,
  }
  delay.reset()
  peakBytes = 0
  process.stderr.write(`probe ${JSON.stringify(seen)}\n`)
})

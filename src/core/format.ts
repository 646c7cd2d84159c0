/** Numbers as people read them. Pure; the language is English, the units are SI. */
import prettyBytes from 'pretty-bytes'

/** "18.4 MB" */
export function formatBytes(bytes: number): string {
  return prettyBytes(Math.max(0, bytes))
}

/** "0:48", "1:12", "1:02:03": a clock that runs. */
export function formatClock(ms: number): string {
  const total = Math.max(0, Math.floor(ms / 1000))
  const seconds = twoDigits(total % 60)
  const minutes = Math.floor(total / 60) % 60
  const hours = Math.floor(total / 3600)
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${seconds}` : `${minutes}:${seconds}`
}

/** How long something took: "0.1 s" below ten seconds, then "0:48", "2:04". */
export function formatDuration(ms: number): string {
  return ms < 10_000 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : formatClock(ms)
}

/** How long something has been going on, in whole units: "6 s", "4 min", "3 h", "2 days". */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}

/** "less than a minute", "about 1 min", "about 2 h" */
export function formatEstimate(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return 'less than a minute'
  return minutes < 90 ? `about ${minutes} min` : `about ${Math.round(minutes / 60)} h`
}

/** "1st", "2nd", "11th" */
export function formatOrdinal(position: number): string {
  const tens = position % 100
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][position % 10] ?? 'th')
  return `${position}${suffix}`
}

/** "1 file", "240 files" */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** "14:02", in the time zone given (IANA name). */
export function formatTime(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', timeZone }).format(at)
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

const DAY_MS = 24 * 60 * 60 * 1000
const TWO_DIGITS = Array.from({ length: 60 }, (_, index) => String(index).padStart(2, '0'))
const THREE_DIGITS = Array.from({ length: 1000 }, (_, index) => String(index).padStart(3, '0'))

/** The day that was asked for last, as "2026-05-31T": a page of tasks has eighty times and few days. */
let lastDay = Number.NaN
let lastDate = ''

/** As `new Date(ms).toISOString()`, which takes ten times as long and was a tenth of what a list of tasks cost. */
export function isoTime(ms: number): string {
  const whole = Math.trunc(ms)
  const day = Math.floor(whole / DAY_MS)
  if (day !== lastDay) {
    lastDate = new Date(day * DAY_MS).toISOString().slice(0, -'00:00:00.000Z'.length)
    lastDay = day
  }
  const rest = whole - day * DAY_MS
  const seconds = Math.floor(rest / 1000)
  const minutes = Math.floor(seconds / 60)
  const [h, m, s] = [TWO_DIGITS[Math.floor(minutes / 60)], TWO_DIGITS[minutes % 60], TWO_DIGITS[seconds % 60]]
  return `${lastDate}${h}:${m}:${s}.${THREE_DIGITS[rest % 1000]}Z`
}

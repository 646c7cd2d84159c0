/**
 * Whether `text` is what `pattern` says: `*` is any run of characters, `?` any one, all else itself.
 * Goes back to the last star only, so its time is bounded by the product of the lengths.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let at = 0
  let p = 0
  let star = -1
  let resume = 0
  while (at < text.length) {
    const sign = pattern[p]
    if (sign === '*') {
      star = p
      resume = at
      p += 1
    } else if (sign === '?' || (sign !== undefined && sign === text[at])) {
      p += 1
      at += 1
    } else if (star !== -1) {
      resume += 1
      at = resume
      p = star + 1
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p += 1
  return p === pattern.length
}

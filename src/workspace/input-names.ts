import { extname } from 'node:path'

const MAX_NAME_BYTES = 100
const MAX_EXTENSION_BYTES = 20
/** Control, direction and invisible characters, and what shells, Windows and zip tools give a meaning to. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}<>:"|?*\\/`$;&!'(){}[\]~#%^]/gu

/** A plain file name near to `name`, whatever that is: one component, no leading dash or dot, at most 100 bytes with its extension kept. */
export function safeName(name: string): string {
  const last =
    name
      .toWellFormed()
      .normalize('NFC')
      .split(/[/\\]/)
      .findLast((part) => part.trim() !== '') ?? ''
  const clean = last
    .replaceAll(UNSAFE, '_')
    .replaceAll(/\s+/g, ' ')
    .replace(/^[\s.-]+/, '')
    .replace(/[\s.]+$/, '')
  return shortened(clean === '' ? 'file' : clean, '')
}

/** `name` as it is when it is free, else with a number before its extension. Free means: not in `taken`, in whatever letter case. */
export function uniqueName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? name : shortened(name, `-${number}`)
    if (!taken.has(candidate.toLowerCase())) return candidate
  }
}

function shortened(name: string, suffix: string): string {
  const extension = Buffer.byteLength(extname(name)) <= MAX_EXTENSION_BYTES ? extname(name) : ''
  let stem = extension === '' ? name : name.slice(0, -extension.length)
  while (Buffer.byteLength(stem + suffix + extension) > MAX_NAME_BYTES) stem = [...stem].slice(0, -1).join('')
  return stem + suffix + extension
}

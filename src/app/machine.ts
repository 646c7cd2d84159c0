/** What the model is told of the machine: what is really there, not what is usual. */
import { existsSync, readFileSync } from 'node:fs'

export interface Machine {
  os: string
  shell: string
  programs: readonly string[]
}

/** Programs worth telling a model of, beside the usual small ones of every Unix. */
const NOTABLE = [
  'awk bc convert cwebp curl diff docker exiftool ffmpeg ffprobe file find gawk gcc git go gs gzip identify inkscape java jpegoptim jq',
  'libreoffice magick make mogrify node npm optipng openssl pandoc patch pdftoppm pdftotext perl php pip3 psql python3 qpdf rsync ruby rustc',
  'sed sox sqlite3 soffice tar tesseract tidy unzip wget xmllint xxd xz yq yt-dlp zip zstd',
].flatMap((line) => line.split(' '))

/** Programs as the sandbox sees them: only what is in /usr. */
export function describeMachine(): Machine {
  const programs = NOTABLE.filter((program) =>
    ['/usr/bin', '/usr/local/bin'].some((folder) => existsSync(`${folder}/${program}`)),
  )
  return { os: operatingSystem(), shell: 'bash', programs }
}

function operatingSystem(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  } catch {
    return 'Linux' // Minimal images have no os-release.
  }
}

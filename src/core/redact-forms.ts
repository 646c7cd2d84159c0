/** A secret shorter than this is not looked for: hiding a few common letters everywhere would ruin every text and hide nothing. */
const MIN_SECRET_BYTES = 6
/** A line of a secret with several lines (a key file) is looked for by itself when it is at least this long. */
const MIN_LINE_BYTES = 16

/** Every spelling under which a known secret may turn up: as it is, escaped in JSON, as URL, hex, and base64 at each of its three alignments. */
export function formsOfSecrets(secrets: readonly string[]): readonly Buffer[] {
  const forms = new Set<string>()
  for (const secret of secrets.flatMap(withItsLines)) {
    if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) continue
    for (const form of formsOf(secret)) if (form.length >= MIN_SECRET_BYTES) forms.add(form)
  }
  return [...forms].map((form) => Buffer.from(form))
}

function withItsLines(secret: string): string[] {
  const lines = secret.split(/\r?\n/).map((line) => line.trim())
  return [secret.trim(), ...(lines.length > 1 ? lines.filter((line) => line.length >= MIN_LINE_BYTES) : [])]
}

function formsOf(secret: string): string[] {
  const hex = Buffer.from(secret).toString('hex')
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    ...urlForms(secret),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((before) => base64Forms(secret, before)),
  ]
}

function urlForms(secret: string): string[] {
  const encoded = encodeURIComponent(secret.toWellFormed())
  const lower = encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
  return [encoded, lower, encoded.replaceAll('%20', '+'), lower.replaceAll('%20', '+')]
}

/** The characters that stay the same whatever stands before and after the secret, when `before` bytes precede it in its group of three. */
function base64Forms(secret: string, before: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)])
  const text = bytes.toString('base64').slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6))
  return [text, text.replaceAll('+', '-').replaceAll('/', '_')]
}

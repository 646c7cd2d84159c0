/** Trouble at a border. Expected endings are return values; bugs are plain errors and are not caught. */
export class AppError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** A fault of the set-up; `fix` is the one thing to do about it. The program ends with exit code 2 and both lines. */
export class SetupError extends AppError {
  readonly fix: string
  constructor(code: string, message: string, fix: string, options?: ErrorOptions) {
    super(code, message, options)
    this.fix = fix
  }
}

export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}

/** A short line about anything thrown, for logs and for people; never a stack. */
export function errorLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0] ?? ''
}

/** The program's own log. pino satisfies it. Fields never hold secrets; `taskId` is a field and `[TASK <id>]` is in the message. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

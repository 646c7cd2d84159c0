/** What the CLI takes from the person's own environment. */
export interface TerminalSettings {
  /** Command line of the editor: VISUAL, EDITOR, or one that every Debian has. */
  editor: string
  /** IANA name of the time zone. */
  timeZone: string
}

export function terminalSettings(environment: NodeJS.ProcessEnv = process.env): TerminalSettings {
  return {
    editor: environment.VISUAL ?? environment.EDITOR ?? 'editor',
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  }
}

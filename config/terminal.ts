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
    // Only when asked for: to find it out takes longer than the rest of most commands.
    get timeZone() {
      return Intl.DateTimeFormat().resolvedOptions().timeZone
    },
  }
}

/** Small values that outlive the process; the store's notes. */
export interface Notes {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<void>
}

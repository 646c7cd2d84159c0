/** Time, passed in, so that tests move it. */
export interface Clock {
  /** Milliseconds since 1970, of the wall clock: it can jump, also backwards. */
  now(): number
  /** Calls `action` once after at least `ms`; dispose to call it off. Does not keep the process alive. */
  after(ms: number, action: () => void): Disposable
}

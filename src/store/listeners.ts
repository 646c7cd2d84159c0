export interface Listeners<T> {
  /** Calls each with it. One that throws is told of and stops no other. */
  tell(value: T): void
  add(listener: (value: T) => void): Disposable
}

export function createListeners<T>(onError: (error: unknown, value: T) => void): Listeners<T> {
  const listeners = new Set<(value: T) => void>()
  return {
    tell(value) {
      for (const listener of listeners) {
        try {
          listener(value)
        } catch (error) {
          onError(error, value)
        }
      }
    },
    add(listener) {
      // A function of its own, so that the same listener given twice is two.
      const own = (value: T) => listener(value)
      listeners.add(own)
      return { [Symbol.dispose]: () => void listeners.delete(own) }
    },
  }
}

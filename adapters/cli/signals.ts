import type { CliDeps } from './deps.ts'

type Signal = Parameters<Parameters<CliDeps['onSignal']>[0]>[0]

/** The process's signals, and those that a prompt has taken for itself and passes on. */
export interface Signals extends Pick<CliDeps, 'onSignal'> {
  raise(signal: Signal): void
}

export function createSignals(deps: Pick<CliDeps, 'onSignal'>): Signals {
  const listeners = new Set<(signal: Signal) => void>()
  return {
    onSignal(listener) {
      listeners.add(listener)
      const process = deps.onSignal(listener)
      return {
        [Symbol.dispose]() {
          listeners.delete(listener)
          process[Symbol.dispose]()
        },
      }
    },
    raise(signal) {
      for (const listener of [...listeners]) listener(signal)
    },
  }
}

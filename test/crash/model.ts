/** What the tests' model plans for a request that holds the word `req-<n>`: the same kind of plan for the same number. */
import type { ChatBody, FakeReply } from '../fakes/ollama-server.ts'

export interface ModelOptions {
  /** Goes into the command line of every step, so that the process table shows whose it is. */
  mark: string
  /** Called when the model is asked and when it has given half of its answer. */
  onPoint(name: string): void
}

/** Every command adds one line to a file of its own: how often it really ran can be counted on disk afterwards. */
export function countedCommand(mark: string, name: string, sleepMs: number): string {
  return `echo run >> ran-${name}; sh -c 'sleep ${(sleepMs / 1000).toFixed(3)}; : ${mark}-${name}'`
}

export function createModel({ mark, onPoint }: ModelOptions): FakeReply {
  const asked = new Map<number, number>()

  function planFor(number: number): object {
    const ask = (asked.get(number) ?? 0) + 1
    asked.set(number, ask)
    const command = (index: number) => countedCommand(mark, `${number}-${ask}-${index}`, (number * 37) % 400)
    switch (number % 8) {
      case 0:
        return { commands: [], answer: `The answer to ${number}.` }
      case 1:
        // Asks for approval: a program of the network, never reached.
        return { commands: [`${command(0)}; true || git push`, command(1)], summary: `does ${number} when it may` }
      case 2:
        return ask === 1
          ? { commands: [command(0), `${command(1)}; exit 3`], summary: `fails at ${number}` }
          : { commands: [command(0)], summary: `mends ${number}` }
      case 3:
        return { commands: [command(0), `seq 1 500 > out-${number}.txt`], summary: `makes a file for ${number}` }
      default:
        return { commands: [command(0), command(1), command(2)], summary: `does ${number}` }
    }
  }

  return (body: ChatBody) => {
    onPoint('model asked')
    const number = Number(/req-([0-9]+)(?![\s\S]*req-)/.exec(JSON.stringify(body.messages.slice(1)))?.[1] ?? 0)
    const content = body.format === undefined ? `It is done, ${number}.` : JSON.stringify(planFor(number))
    const afterFirstLine = Promise.resolve().then(() => onPoint('model answers'))
    return { content, afterFirstLine }
  }
}

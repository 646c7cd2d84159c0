/** Answers to "/task run" that wait for their thread. In memory: after a restart the person has the thread itself. */
import type { Answer } from './answer.ts'

export interface OpenAnswers {
  /** Before the task is stored: its thread can be there before the inbox has answered us. */
  begin(interactionId: string, answer: Answer): void
  /** Says these words, or the link when the thread is there already; the link follows when it comes. */
  say(interactionId: string, words: string): Promise<void>
  opened(interactionId: string, channelId: string): void
}

interface Waiting {
  answer: Answer
  channelId: string | null
  hasSpoken: boolean
}

const MAX_WAITING = 200

export function createOpenAnswers(): OpenAnswers {
  const waiting = new Map<string, Waiting>()

  function finish(interactionId: string, { answer, channelId }: Waiting): Promise<void> {
    waiting.delete(interactionId)
    return answer.sayMarkdown(`Your task is in <#${channelId}>.`)
  }

  return {
    begin(interactionId, answer) {
      const [oldest] = waiting.keys()
      if (waiting.size >= MAX_WAITING && oldest !== undefined) waiting.delete(oldest)
      waiting.set(interactionId, { answer, channelId: null, hasSpoken: false })
    },
    async say(interactionId, words) {
      const entry = waiting.get(interactionId)
      if (entry === undefined) return
      if (entry.channelId === null) await entry.answer.sayMarkdown(words)
      entry.hasSpoken = true
      if (entry.channelId !== null) await finish(interactionId, entry)
    },
    opened(interactionId, channelId) {
      const entry = waiting.get(interactionId)
      if (entry === undefined) return
      entry.channelId = channelId
      if (entry.hasSpoken) void finish(interactionId, entry)
    },
  }
}

/** Answers to "/task run" that wait for their thread. In memory: after a restart the person has the thread itself. */
import { ButtonStyle, ComponentType } from 'discord.js'
import type { Answer } from './answer.ts'
import { escapeWithin } from './markdown.ts'

/** What becomes of the place that a command has asked for. */
export interface PlaceNews {
  onOpened(interactionId: string, channelId: string): void
  /** Nothing can be posted there; `sentence` says what to do about it. */
  onRefused(interactionId: string, taskId: number, sentence: string): void
}

export interface OpenAnswers extends PlaceNews {
  /** Before the task is stored: its thread can be there before the inbox has answered us. */
  begin(interactionId: string, answer: Answer): void
  /** Says these words, or the news when it is there already; later news follows when it comes. */
  say(interactionId: string, words: string): Promise<void>
}

interface Waiting {
  answer: Answer
  news: (() => Promise<void>) | null
  hasSpoken: boolean
}

const MAX_WAITING = 200

export function createOpenAnswers(): OpenAnswers {
  const waiting = new Map<string, Waiting>()

  function tell(interactionId: string, news: (answer: Answer) => Promise<void>): void {
    const entry = waiting.get(interactionId)
    if (entry === undefined) return
    entry.news = () => news(entry.answer)
    if (entry.hasSpoken) void entry.news()
  }

  return {
    begin(interactionId, answer) {
      const [oldest] = waiting.keys()
      if (waiting.size >= MAX_WAITING && oldest !== undefined) waiting.delete(oldest)
      waiting.set(interactionId, { answer, news: null, hasSpoken: false })
    },
    async say(interactionId, words) {
      const entry = waiting.get(interactionId)
      if (entry === undefined) return
      if (entry.news === null) await entry.answer.sayMarkdown(words)
      entry.hasSpoken = true
      await entry.news?.()
    },
    onOpened(interactionId, channelId) {
      tell(interactionId, (answer) => answer.sayMarkdown(`Your task is in <#${channelId}>.`))
      const entry = waiting.get(interactionId)
      if (entry?.hasSpoken) waiting.delete(interactionId)
    },
    onRefused(interactionId, taskId, sentence) {
      tell(interactionId, (answer) => answer.show(refusal(taskId, sentence)))
    },
  }
}

function refusal(taskId: number, sentence: string): Parameters<Answer['show']>[0] {
  const content = `Task #${taskId} is under way, but it cannot be told of here. ${escapeWithin(sentence, 500)} Nothing is lost: then press the button.`
  return [
    { type: ComponentType.TextDisplay, content },
    {
      type: ComponentType.ActionRow,
      components: [
        {
          type: ComponentType.Button,
          style: ButtonStyle.Primary,
          label: 'Try again',
          custom_id: `redeliver:${taskId}`,
        },
      ],
    },
  ]
}

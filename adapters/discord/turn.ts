/** What one interaction is handled with. */
import type { Actor } from '../../src/core/actor.ts'
import type { Answer } from './answer.ts'
import type { ChannelFacts } from './channels.ts'
import type { Context } from './context.ts'
import type { OpenAnswers } from './open-answers.ts'
import type { Interaction } from './parse.ts'

export interface InteractionContext extends Context {
  openAnswers: OpenAnswers
}

export interface Turn {
  interaction: Interaction
  answer: Answer
  actor: Actor
  facts: ChannelFacts
  context: InteractionContext
}

/** Acknowledges, and goes on only when Discord still waited for it. */
export async function deferred({ answer }: Turn, act: () => Promise<unknown>): Promise<void> {
  if (await answer.defer()) await act()
}

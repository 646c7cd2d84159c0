/** Commands, buttons, menus and forms: acknowledged first, then done. */

import { assertNever, errorLine } from '../../src/core/errors.ts'
import { actorOf } from './actor.ts'
import { createAnswer } from './answer.ts'
import type { ChannelFacts } from './channels.ts'
import { chooseFile, press, redeliver, submitControlForm } from './controls.ts'
import { runForm } from './forms.ts'
import { type Interaction, parseInteraction } from './parse.ts'
import { runFromMessage, slash, suggest } from './slash.ts'
import { deferred, type InteractionContext, type Turn } from './turn.ts'

/** Takes one INTERACTION_CREATE. Never throws: what goes wrong is told to the person, privately. */
export async function interact(payload: unknown, context: InteractionContext): Promise<void> {
  const interaction = parseInteraction(payload)
  if (interaction === undefined) return
  const answer = createAnswer(interaction, context)
  const facts = factsFor(interaction, context)
  const actor = actorOf(interaction.who, facts)
  try {
    await take({ interaction, answer, actor, facts, context })
  } catch (error) {
    context.logger.error({ error: errorLine(error) }, 'an interaction could not be handled')
    await answer.say('Something went wrong. Try again in a minute.')
  }
}

/** From the payload alone: nothing is asked of Discord before the first answer. */
function factsFor({ channel, channelId, guildId }: Interaction, { channels }: InteractionContext): ChannelFacts {
  if (channel !== undefined) return { ...channels.learn(channel), guildId }
  return { id: channelId, guildId, kind: guildId === null ? 'direct' : 'text', parentId: channelId, ownerId: null }
}

/** Each way in acknowledges before it looks at anything: Discord waits three seconds. */
function take(turn: Turn): Promise<unknown> {
  const { want } = turn.interaction
  switch (want.kind) {
    case 'slash':
      return deferred(turn, () => slash(turn, want.sub, want.options))
    case 'autocomplete':
      return suggest(turn, want.typed)
    case 'run_message':
      return turn.answer.form(runForm(want.messageId, want.text))
    case 'run_form':
      return deferred(turn, () => runFromMessage(turn, want))
    case 'button':
      return press(turn, want.control)
    case 'choose_file':
      return deferred(turn, () => chooseFile(turn, want))
    case 'redeliver':
      return deferred(turn, () => redeliver(turn, want.taskId))
    case 'control_form':
      return deferred(turn, () => submitControlForm(turn, want))
    case 'unknown':
      return turn.answer.sayNow('I do not know this one. It may be from an older version; use `/task help`.')
    default:
      return assertNever(want)
  }
}

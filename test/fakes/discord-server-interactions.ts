/** Interactions of the stand-in: three seconds for the first answer, fifteen minutes for the token. */
import { applyEdit, buildMessage, type SentFile } from './discord-server-messages.ts'
import {
  apiFault,
  channelOf,
  type FakeInteraction,
  type FakeMessage,
  type Json,
  messageBody,
  type State,
} from './discord-server-state.ts'
import { checkChoices, checkModal, FLAG_EPHEMERAL, isJson, list } from './discord-server-validate.ts'

const FIRST_ANSWER_MS = 3000
const TOKEN_MS = 15 * 60_000

/** POST /interactions/:id/:token/callback */
export function answerInteraction(
  state: State,
  id: string,
  token: string,
  body: Json,
  files: readonly SentFile[],
): void {
  const interaction = [...state.interactions.values()].find((one) => one.id === id && one.token === token)
  if (interaction === undefined) throw apiFault(404, 10_062, 'Unknown interaction')
  if (interaction.callback !== null) throw apiFault(400, 40_060, 'Interaction has already been acknowledged.')
  if (state.now() - interaction.createdAt > FIRST_ANSWER_MS) throw apiFault(404, 10_062, 'Unknown interaction')
  const type = Number(body.type)
  const data = isJson(body.data) ? body.data : {}
  checkType(interaction, type)
  if (type === 8) checkChoices(data)
  if (type === 9) checkModal(data)
  interaction.ephemeral = (Number(data.flags ?? 0) & FLAG_EPHEMERAL) !== 0
  if (type === 4) interaction.replies.push(reply(state, interaction, data, files))
  interaction.callback = { type, data }
}

function checkType(interaction: FakeInteraction, type: number): void {
  const kind = Number(interaction.payload.type)
  const isAllowed =
    kind === 4
      ? type === 8
      : type === 4 ||
        type === 5 ||
        (type === 9 && kind !== 5) ||
        ((type === 6 || type === 7) && (kind === 3 || (kind === 5 && interaction.payload.message !== undefined)))
  if (isAllowed) return
  throw apiFault(400, 50035, 'Invalid Form Body', {
    type: { _errors: [{ code: 'BASE_TYPE_CHOICES', message: 'This interaction callback type is invalid here.' }] },
  })
}

function reply(state: State, interaction: FakeInteraction, body: Json, files: readonly SentFile[]): FakeMessage {
  const channel = channelOf(state, interaction.channelId)
  const extraFlags = interaction.ephemeral ? FLAG_EPHEMERAL : 0
  const message = buildMessage(state, { channel, author: state.bot, body, files, extraFlags })
  // An ephemeral message can be read and edited through its interaction only.
  if ((message.flags & FLAG_EPHEMERAL) !== 0) state.messages.delete(message.id)
  return message
}

/** The interaction of a live token; Discord says "Invalid Webhook Token" after fifteen minutes. */
export function byToken(state: State, token: string): FakeInteraction {
  const interaction = [...state.interactions.values()].find((one) => one.token === token)
  if (interaction === undefined) throw apiFault(404, 10_015, 'Unknown Webhook')
  if (state.now() - interaction.createdAt > TOKEN_MS) throw apiFault(401, 50_027, 'Invalid Webhook Token')
  if (interaction.callback === null) throw apiFault(404, 10_015, 'Unknown Webhook')
  return interaction
}

/** PATCH /webhooks/:app/:token/messages/@original */
export function editOriginal(state: State, token: string, body: Json, files: readonly SentFile[]): Json {
  const interaction = byToken(state, token)
  const [original] = interaction.replies
  if (original !== undefined) return applyEdit(state, original, body)
  if (interaction.callback?.type === 6) {
    const target = isJson(interaction.payload.message)
      ? state.messages.get(String(interaction.payload.message.id))
      : undefined
    if (target === undefined) throw apiFault(404, 10_008, 'Unknown Message')
    return applyEdit(state, target, body)
  }
  const message = reply(state, interaction, body, files)
  interaction.replies.push(message)
  return messageBody(state, message)
}

/** POST /webhooks/:app/:token */
export function followUp(state: State, token: string, body: Json, files: readonly SentFile[]): Json {
  const interaction = byToken(state, token)
  const isEphemeral = (Number(body.flags ?? 0) & FLAG_EPHEMERAL) !== 0
  const message = reply(state, { ...interaction, ephemeral: isEphemeral }, body, files)
  interaction.replies.push(message)
  return messageBody(state, message)
}

/** PUT of commands: the whole list of a scope, checked as far as we could get it wrong. */
export function putCommands(state: State, scope: string, body: unknown): Json[] {
  const commands = list(body)
  for (const [at, command] of commands.entries()) {
    const isChatInput = (command.type ?? 1) === 1
    const pattern = isChatInput ? /^[-_'\p{Ll}\p{N}]{1,32}$/u : /^.{1,32}$/u
    if (!pattern.test(String(command.name))) {
      throw apiFault(400, 50035, 'Invalid Form Body', {
        [at]: { name: { _errors: [{ code: 'APPLICATION_COMMAND_INVALID_NAME', message: 'Command name is invalid' }] } },
      })
    }
    if (isChatInput) checkOptions(command, String(at))
    if (JSON.stringify(command).length > 8000) throw apiFault(400, 50035, 'Invalid Form Body', {})
  }
  const stored = commands.map((command) => ({ ...command, id: state.newId(), application_id: state.app.id }))
  state.commands.set(scope, stored)
  return stored
}

function checkOptions(node: Json, path: string): void {
  const description = String(node.description ?? '')
  const fail = (message: string): never => {
    throw apiFault(400, 50035, 'Invalid Form Body', {
      [path]: { _errors: [{ code: 'APPLICATION_COMMAND_OPTIONS', message }] },
    })
  }
  if (description.length < 1 || description.length > 100) fail('description must be between 1 and 100 in length')
  const options = list(node.options)
  if (options.length > 25) fail('at most 25 options')
  let isOptional = false
  for (const [at, option] of options.entries()) {
    if (option.required === true && isOptional) fail('Required options must be placed before non-required options')
    if (option.required !== true) isOptional = Number(option.type) > 2
    if (list(option.choices).length > 25) fail('at most 25 choices')
    checkOptions(option, `${path}.options.${at}`)
  }
}

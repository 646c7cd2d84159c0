/** What people do in the tests' Slack: write, mention, attach, press, fill in. Each becomes the payload that Slack would send. */
import { addMessage, wireFile, wireMessage } from './slack-server-methods.ts'
import {
  buttonsOf,
  type Delivery,
  directMessage,
  type EnvelopeType,
  findMessage,
  isJson,
  type Json,
  type SlackMessage,
  type SlackWorld,
} from './slack-server-state.ts'

export interface Said {
  ts: string
  deliveries: Delivery[]
}

export interface SlackPeople {
  /**
   * Writes a message. Slack sends `message` where the bot is a member, and `app_mention` where it is mentioned: both, in this order.
   * `events` sends only the named ones.
   */
  say(message: {
    user: string
    channel: string
    text: string
    threadTs?: string
    files?: { name: string; bytes: Buffer; mimetype?: string }[]
    events?: ('message' | 'app_mention')[]
    more?: Json
  }): Said
  /** Writes to the bot directly; without `threadTs` a new message. */
  dm(user: string, text: string, threadTs?: string): Said
  /** Sends the events of a message that is there already once more, as new envelopes. */
  sayAgain(channel: string, ts: string): Delivery[]
  command(command: { user: string; channel: string; text: string; name?: string; teamId?: string }): {
    delivery: Delivery
    responseUrl: string
  }
  /** Presses a button or picks an option (`option`: its value) in a message. */
  click(press: { user: string; channel: string; ts: string; actionId: string; option?: string }): {
    delivery: Delivery
    responseUrl: string
  }
  clickHome(user: string, actionId: string): Delivery
  /** Presses a button in something that was answered privately. */
  clickEphemeral(press: { user: string; channel: string; actionId: string; option?: string }): {
    delivery: Delivery
    responseUrl: string
  }
  openHome(user: string): Delivery
  /** The shortcut in a message's menu. */
  messageShortcut(user: string, channel: string, ts: string, callbackId: string): Delivery
  /** Sends the open modal; `values` are by block id. The acknowledgement holds its errors, if any. */
  submitModal(user: string, viewId: string, values: Record<string, string>): Delivery
  closeModal(user: string, viewId: string): Delivery
}

type Deliver = (type: EnvelopeType, payload: Json) => Delivery

export function createSlackUser(world: SlackWorld, deliver: Deliver, baseUrl: string): SlackPeople {
  const event = (inner: Json): Delivery =>
    deliver('events_api', {
      type: 'event_callback',
      token: 'legacy',
      team_id: world.teamId,
      api_app_id: world.appId,
      event_id: world.nextId('Ev'),
      event_time: Math.floor(world.now() / 1000),
      authorizations: [{ team_id: world.teamId, user_id: world.bot.userId, is_bot: true, enterprise_id: null }],
      event: inner,
    })

  function trigger(): string {
    const id = world.nextId('trigger.')
    world.triggers.set(id, { expiresAt: world.now() + 3000, used: false })
    return id
  }

  function responseUrl(channel: string, user: string): string {
    const url = `${baseUrl}/response/${world.nextId('R')}`
    world.responseUrls.set(url, { url, channel, user, expiresAt: world.now() + 30 * 60_000, uses: [] })
    return url
  }

  function eventsOf(message: SlackMessage, only: readonly string[] | undefined, more: Json): Delivery[] {
    const channel = world.channels.get(message.channel)
    const types = { public: 'channel', private: 'group', im: 'im' }
    const hasFiles = message.files.length > 0
    const inner = {
      ...wireMessage(world, message, false),
      channel: message.channel,
      event_ts: message.ts,
      ...more,
    }
    const isMember = channel?.members.has(world.bot.userId) === true
    const mentions = message.text.includes(`<@${world.bot.userId}>`) && channel?.kind !== 'im'
    const kinds = only ?? [...(isMember ? ['message'] : []), ...(mentions ? ['app_mention'] : [])]
    return kinds.map((kind) =>
      kind === 'message'
        ? event({
            ...inner,
            ...(hasFiles ? { subtype: 'file_share' } : {}),
            channel_type: types[channel?.kind ?? 'public'],
          })
        : event({ ...inner, type: 'app_mention' }),
    )
  }

  function interaction(user: string, inner: Json): Json {
    return {
      team: { id: world.teamId, domain: 'tests' },
      user: { id: user, name: world.users.get(user)?.name ?? '', team_id: world.users.get(user)?.teamId ?? '' },
      api_app_id: world.appId,
      trigger_id: trigger(),
      ...inner,
    }
  }

  const people: SlackPeople = {
    say({ user, channel, text, threadTs, files = [], events, more = {} }) {
      const message = addMessage(world, {
        channel,
        user,
        botId: undefined,
        threadTs,
        text,
        blocks: [],
        metadata: undefined,
        unfurl: true,
      })
      message.files = files.map(({ name, bytes, mimetype = 'application/octet-stream' }) => {
        const id = world.nextId('F')
        const urlPrivate = `${baseUrl}/files-pri/${world.teamId}-${id}/${encodeURIComponent(name)}`
        const file = { id, name, title: name, mimetype, bytes, expectedBytes: bytes.length, uploaded: true, urlPrivate }
        world.files.set(id, file)
        return file
      })
      return { ts: message.ts, deliveries: eventsOf(message, events, more) }
    },
    dm: (user, text, threadTs) =>
      people.say({
        user,
        channel: directMessage(world, user).id,
        text,
        ...(threadTs === undefined ? {} : { threadTs }),
      }),
    sayAgain(channel, ts) {
      const message = findMessage(world, channel, ts)
      return message === undefined ? [] : eventsOf(message, undefined, {})
    },
    command({ user, channel, text, name = '/task', teamId = world.teamId }) {
      const url = responseUrl(channel, user)
      const delivery = deliver('slash_commands', {
        token: 'legacy',
        team_id: teamId,
        team_domain: 'tests',
        channel_id: channel,
        channel_name: world.channels.get(channel)?.name ?? 'directmessage',
        user_id: user,
        user_name: world.users.get(user)?.name ?? '',
        command: name,
        text,
        api_app_id: world.appId,
        is_enterprise_install: 'false',
        response_url: url,
        trigger_id: trigger(),
      })
      return { delivery, responseUrl: url }
    },
    click({ user, channel, ts, actionId, option }) {
      const message = findMessage(world, channel, ts)
      const button = buttonsOf(message?.blocks).find((each) => each.actionId === actionId)
      if (message === undefined || button === undefined) throw new Error(`there is no ${actionId} to press`)
      const url = responseUrl(channel, user)
      const payload = interaction(user, {
        type: 'block_actions',
        container: {
          type: 'message',
          message_ts: ts,
          channel_id: channel,
          thread_ts: message.threadTs,
          is_ephemeral: false,
        },
        channel: { id: channel, name: world.channels.get(channel)?.name ?? 'directmessage' },
        message: wireMessage(world, message, false),
        response_url: url,
        actions: [actionPayload(world, button, option)],
      })
      return { delivery: deliver('interactive', payload), responseUrl: url }
    },
    clickHome(user, actionId) {
      const button = buttonsOf(world.homes.get(user)).find((each) => each.actionId === actionId)
      if (button === undefined) throw new Error(`there is no ${actionId} on the Home of ${user}`)
      return deliver(
        'interactive',
        interaction(user, {
          type: 'block_actions',
          container: { type: 'view', view_id: `VHOME${user}` },
          view: { id: `VHOME${user}`, type: 'home' },
          actions: [actionPayload(world, button, undefined)],
        }),
      )
    },
    clickEphemeral({ user, channel, actionId, option }) {
      const url = responseUrl(channel, user)
      const element = { type: option === undefined ? 'button' : 'static_select', action_id: actionId }
      const payload = interaction(user, {
        type: 'block_actions',
        container: { type: 'message', message_ts: world.nextTs(), channel_id: channel, is_ephemeral: true },
        channel: { id: channel, name: world.channels.get(channel)?.name ?? 'directmessage' },
        response_url: url,
        actions: [actionPayload(world, { actionId, element, blockId: 'b' }, option)],
      })
      return { delivery: deliver('interactive', payload), responseUrl: url }
    },
    openHome: (user) =>
      event({
        type: 'app_home_opened',
        user,
        channel: directMessage(world, user).id,
        tab: 'home',
        event_ts: world.nextTs(),
      }),
    messageShortcut(user, channel, ts, callbackId) {
      const message = findMessage(world, channel, ts)
      if (message === undefined) throw new Error('there is no such message')
      const payload = interaction(user, {
        type: 'message_action',
        callback_id: callbackId,
        channel: { id: channel, name: world.channels.get(channel)?.name ?? '' },
        message: { ...wireMessage(world, message, false), files: message.files.map(wireFile) },
        message_ts: ts,
        response_url: responseUrl(channel, user),
      })
      return deliver('interactive', payload)
    },
    submitModal(user, viewId, values) {
      const entry = world.views.get(viewId)
      if (entry?.open !== true) throw new Error('that modal is not open')
      const delivery = deliver('interactive', interaction(user, viewPayload(world, viewId, 'view_submission', values)))
      // Slack closes the modal unless the acknowledgement says otherwise.
      delivery.acked.then((answer) => {
        if (answer.response_action === undefined || answer.response_action === 'clear') entry.open = false
      })
      return delivery
    },
    closeModal(user, viewId) {
      return deliver('interactive', interaction(user, viewPayload(world, viewId, 'view_closed', {})))
    },
  }
  return people
}

function actionPayload(
  world: SlackWorld,
  button: { actionId: string; element: Json; blockId: string },
  option: string | undefined,
): Json {
  const { element } = button
  return {
    type: element.type,
    action_id: button.actionId,
    block_id: button.blockId,
    action_ts: world.nextTs(),
    ...(element.value === undefined ? {} : { value: element.value }),
    ...(option === undefined ? {} : { selected_option: { value: option, text: { type: 'plain_text', text: option } } }),
  }
}

function viewPayload(world: SlackWorld, viewId: string, type: string, values: Record<string, string>): Json {
  const view = world.views.get(viewId)?.view ?? {}
  const blocks = Array.isArray(view.blocks) ? view.blocks.filter(isJson) : []
  const state: Json = {}
  for (const block of blocks) {
    if (block.type !== 'input' || !isJson(block.element)) continue
    const id = String(block.block_id)
    const given = Object.hasOwn(values, id) ? values[id] : block.element.initial_value
    state[id] = {
      [String(block.element.action_id)]: { type: 'plain_text_input', value: given === '' ? null : (given ?? null) },
    }
  }
  return {
    type,
    view: { ...view, id: viewId, hash: 'hash', team_id: world.teamId, state: { values: state } },
    response_urls: [],
  }
}

/** People in Slack on one side; the real adapter, reporter, inbox, store, workspace, sandbox and worker on the other. Only the model is scripted. */
import { expect, test } from 'vitest'
import { createSlackAdapter } from '../../../adapters/slack/adapter.ts'
import type { AccessRules } from '../../../src/core/authorize.ts'
import type { ChatAdapter } from '../../../src/ports/chat-adapter.ts'
import { createReporter, type Reporter } from '../../../src/reporter/create-reporter.ts'
import { eventually } from '../../eventually.ts'
import { type Assembly, assemble } from '../../fakes/assembly.ts'
import type { ScriptedReply } from '../../fakes/scripted-planner.ts'
import { scriptedPlan } from '../../fakes/scripted-planner.ts'
import { type SlackServer, startSlackServer } from '../../fakes/slack-server.ts'
import { buttonsOf, type SlackMessage, visibleText } from '../../fakes/slack-server-state.ts'
import { type LogEntry, recordingLogger } from './harness.ts'

const NOBODY = { scopes: [], channels: [], users: [], groups: [], admins: [], approvers: [] }
const ACCESS: AccessRules = {
  slack: { ...NOBODY, users: ['U0ANA', 'U0BEN'], scopes: ['T0TEAM'], approvers: ['U0BEN'] },
  discord: NOBODY,
  approverIsNotRequester: false,
  anyoneMayCancel: false,
}

interface Running extends AsyncDisposable {
  slack: SlackServer
  parts: Assembly
  log: LogEntry[]
  /** Stops adapter and reporter as a restart does; `start` begins new ones on the same store. */
  stop(): Promise<void>
  start(): Promise<void>
}

async function run(replies: readonly ScriptedReply[], summary = 'All done.'): Promise<Running> {
  const state: { adapter: ChatAdapter | null; reporter: Reporter | null } = { adapter: null, reporter: null }
  const parts = await assemble({
    replies,
    summary,
    access: ACCESS,
    inbox: {
      fetchInput: (_platform, ref, signal) =>
        state.adapter === null ? Promise.reject(new Error('no chat')) : state.adapter.fetchInput(ref, signal),
    },
  })
  const slack = await startSlackServer({ now: () => parts.clock.now() })
  const log: LogEntry[] = []
  const logger = recordingLogger(log)
  const running: Running = {
    slack,
    parts,
    log,
    async start() {
      const adapters: ChatAdapter[] = []
      const reporter = createReporter({
        store: parts.store,
        workspace: parts.workspace,
        adapters,
        clock: parts.clock,
        logger,
        random: () => 0,
        config: {
          approvers: () => ACCESS.slack.approvers,
          terms: () => ['No network.'],
          sandboxWarning: () => null,
          maxRounds: 2,
          timeZone: 'UTC',
          maxUploadFiles: 10,
          maxUploadBytes: 20_000_000,
        },
      })
      const adapter = createSlackAdapter({
        botToken: slack.world.bot.token,
        mode: { kind: 'socket', appToken: slack.world.appToken },
        apiUrl: slack.apiUrl,
        clock: parts.clock,
        logger,
        presenter: reporter,
      })
      adapters.push(adapter)
      Object.assign(state, { adapter, reporter })
      await adapter.start(parts.inbox)
      await reporter.start()
    },
    async stop() {
      await state.reporter?.[Symbol.asyncDispose]()
      await state.adapter?.[Symbol.asyncDispose]()
    },
    async [Symbol.asyncDispose]() {
      await running.stop()
      await slack[Symbol.asyncDispose]()
      await parts[Symbol.asyncDispose]()
    },
  }
  await running.start()
  await parts.startWorker()
  return running
}

/** Waits, and lets the edit budget's time pass meanwhile. */
function asTimePasses<T>(r: Running, check: () => T): Promise<T> {
  return eventually(() => {
    r.parts.clock.advance(500)
    return check()
  })
}

function ours(r: Running, channel = 'C0BUILDS'): SlackMessage[] {
  return r.slack.world.messages.filter((message) => message.channel === channel && message.botId !== undefined)
}

function withText(r: Running, words: string, channel = 'C0BUILDS'): SlackMessage {
  const found = ours(r, channel).filter((message) => visibleText(message.blocks).includes(words))
  if (found.length !== 1)
    throw new Error(
      `${found.length} messages say "${words}"\n${ours(r, channel)
        .map((m) => visibleText(m.blocks))
        .join('\n--\n')}`,
    )
  return found[0] ?? ours(r)[0] ?? expect.fail()
}

function actions(message: SlackMessage): string[] {
  return buttonsOf(message.blocks).map((button) => button.actionId)
}

function keys(messages: readonly SlackMessage[]): string[] {
  return messages.map((message) =>
    JSON.stringify(message.metadata?.event_payload ?? message.files.map((file) => file.name)),
  )
}

test('a mention with a file: one card, the answer, the output uploaded, the reaction, nothing twice', async () => {
  await using r = await run(
    [['mkdir out', 'sort inputs/data.csv > out/sorted.csv', 'cat out/sorted.csv']],
    'Sorted two lines.',
  )
  const said = r.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: '<@U0BOT> sort this',
    files: [{ name: 'data.csv', bytes: Buffer.from('b\na\n'), mimetype: 'text/csv' }],
  })
  r.slack.user.sayAgain('C0BUILDS', said.ts)
  await asTimePasses(r, () => withText(r, 'Sorted two lines.'))
  await asTimePasses(r, () =>
    expect(ours(r).flatMap((message) => message.files.map((file) => file.name))).toEqual(['sorted.csv']),
  )
  const upload = ours(r).find((message) => message.files.length > 0)
  expect(upload?.files[0]?.bytes.toString()).toBe('a\nb\n')
  await asTimePasses(r, () => {
    const root = r.slack.world.messages.find((message) => message.ts === said.ts)
    expect(root?.reactions.map((reaction) => reaction.name)).toEqual(['white_check_mark'])
  })
  expect(ours(r).every((message) => message.threadTs === said.ts)).toBe(true)
  expect(new Set(keys(ours(r))).size).toBe(ours(r).length)
  expect(actions(withText(r, 'Sorted two lines.'))).toEqual(['retry:1', 'rerun:1', 'files:1', 'log:1'])
  expect((await r.parts.store.list({ limit: 10 })).tasks).toHaveLength(1)
})

test('/task: root in the channel, card and result in its thread; Full log is uploaded there', async () => {
  await using r = await run([['echo hello']])
  r.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text: 'say hello' })
  const result = await asTimePasses(r, () => withText(r, 'All done.'))
  const root = withText(r, 'Task #1: say hello')
  expect(root.threadTs).toBeUndefined()
  expect(result.threadTs).toBe(root.ts)
  r.slack.user.click({ user: 'U0ANA', channel: 'C0BUILDS', ts: result.ts, actionId: 'log:1' })
  await asTimePasses(r, () => expect(ours(r).flatMap((message) => message.files)).toHaveLength(1))
  const log = ours(r).flatMap((message) => message.files)[0]
  expect(log?.bytes.toString()).toContain('hello')
})

test('where it is no member, the whole thread is in direct messages', async () => {
  await using r = await run([['echo hello']])
  r.slack.user.command({ user: 'U0ANA', channel: 'C0RANDOM', text: 'say hello' })
  const result = await asTimePasses(r, () => withText(r, 'All done.', 'D0ANA'))
  expect(result.threadTs).toBe(withText(r, 'Task #1: say hello', 'D0ANA').ts)
  expect(ours(r, 'C0RANDOM')).toEqual([])
  r.slack.user.dm('U0ANA', 'status', result.threadTs)
  await asTimePasses(r, () => expect(JSON.stringify(r.slack.world.ephemerals)).toContain('Task #1'))
})

test('a plan that needs approval: approvers are called, the requester may not, the approver may, once', async () => {
  const plan = scriptedPlan(['curl -s https://example.com'], {
    network: { reason: 'to fetch it', hosts: ['example.com'] },
  })
  await using r = await run([plan])
  r.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> fetch the page' })
  const approval = await asTimePasses(r, () => {
    const message = ours(r).find((each) => each.text.includes('<@U0BEN>'))
    return message ?? expect.fail('nobody was called')
  })
  const approve = actions(approval).find((id) => id.startsWith('approve:')) ?? ''
  const refused = r.slack.user.click({ user: 'U0ANA', channel: 'C0BUILDS', ts: approval.ts, actionId: approve })
  await asTimePasses(r, () => {
    const uses = r.slack.world.responseUrls.get(refused.responseUrl)?.uses ?? []
    expect(visibleText(uses[0]?.blocks)).toContain('Only an approver')
  })
  r.slack.user.click({ user: 'U0BEN', channel: 'C0BUILDS', ts: approval.ts, actionId: approve })
  await asTimePasses(r, () => expect(visibleText(approval.blocks)).toContain('Approved by ben'))
  expect(actions(approval)).toEqual([])
  await r.parts.until(1)
})

test('rejected with a reason by form; edited by form before', async () => {
  const plan = scriptedPlan(['curl -s https://example.com', 'ls'], { network: { reason: 'to fetch it', hosts: [] } })
  await using r = await run([plan])
  r.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> fetch the page' })
  const approval = await asTimePasses(
    r,
    () => ours(r).find((each) => each.text.includes('<@U0BEN>')) ?? expect.fail('not yet'),
  )
  const press = (verb: string) => {
    const message = ours(r).findLast((each) => actions(each).some((id) => id.startsWith(`${verb}:`))) ?? approval
    const actionId = actions(message).find((id) => id.startsWith(`${verb}:`)) ?? ''
    r.slack.user.click({ user: 'U0BEN', channel: 'C0BUILDS', ts: message.ts, actionId })
  }
  const form = () => [...r.slack.world.views.values()].findLast((view) => view.open)?.id ?? expect.fail('no form')
  press('edit')
  const edit = await asTimePasses(r, form)
  await r.slack.user.submitModal('U0BEN', edit, { 'command-0': 'curl -s https://example.com/other' }).acked
  const before = (await r.parts.store.get(1))?.rounds[0]?.plan.commands
  expect(before).toEqual(['curl -s https://example.com/other', 'ls'])
  const showing = () => ours(r).filter((message) => visibleText(message.blocks).includes('example.com/other'))
  await asTimePasses(r, () => expect(showing()).toHaveLength(2))
  r.parts.clock.advance(5000)
  press('reject')
  const reject = await asTimePasses(r, form)
  await r.slack.user.submitModal('U0BEN', reject, { text: 'not from there' }).acked
  const task = await r.parts.until(1)
  expect(task).toMatchObject({ status: 'cancelled', cancellation: { reason: 'rejected', note: 'not from there' } })
})

test('cancel by word while it runs; then a refinement continues in the same thread', async () => {
  await using r = await run(
    [
      ['touch a.txt', 'sleep 600'],
      ['ls', 'mv a.txt b.txt'],
    ],
    'Renamed.',
  )
  const said = r.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> wait for it' })
  await asTimePasses(r, () => withText(r, 'command 2 of 2'))
  r.slack.user.say({ user: 'U0BEN', channel: 'C0BUILDS', text: 'I would not wait', threadTs: said.ts })
  r.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: 'stop!', threadTs: said.ts })
  await r.parts.until(1)
  await asTimePasses(r, () => withText(r, 'Cancelled by ana'))
  const reply = r.slack.user.say({
    user: 'U0ANA',
    channel: 'C0BUILDS',
    text: 'call it b.txt instead',
    threadTs: said.ts,
  })
  await asTimePasses(r, () => withText(r, 'Renamed.'))
  const child = await r.parts.store.get(2)
  expect(child).toMatchObject({ kind: 'refine', parentId: 1, status: 'done' })
  const note = r.slack.world.messages.find((message) => message.ts === reply.ts)
  expect(note?.reactions.map((reaction) => reaction.name)).toContain('memo')
  expect((await r.parts.store.list({ limit: 10 })).tasks).toHaveLength(2)
})

test('Slack goes down while a task runs: it ends, and everything is told when Slack is back, in order, once', async () => {
  await using r = await run([['echo one']])
  r.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> say one', events: ['message'] })
  await eventually(() => expect(r.slack.calls('users.info').length).toBe(1))
  r.slack.faults.down()
  await r.parts.until(1)
  r.parts.clock.advance(120_000)
  r.slack.faults.up()
  await asTimePasses(r, () => withText(r, 'All done.'))
  const roles = keys(ours(r))
  expect(new Set(roles).size).toBe(roles.length)
  expect(visibleText(ours(r)[0]?.blocks)).toContain('Task #1')
  await asTimePasses(r, () => withText(r, 'All done.'))
})

test('lost answers and restarts in between: each message is there once', async () => {
  await using r = await run([['echo one']])
  r.slack.faults.next('chat.postMessage', { kind: 'lost_answer' }, { kind: 'lost_answer' })
  r.slack.user.command({ user: 'U0ANA', channel: 'C0BUILDS', text: 'say one' })
  await eventually(async () => expect(await r.parts.store.get(1)).toBeDefined())
  await r.parts.until(1)
  await r.stop()
  await r.start()
  await asTimePasses(r, () => withText(r, 'All done.'))
  await asTimePasses(r, () => expect(ours(r)).toHaveLength(3))
  expect(new Set(keys(ours(r))).size).toBe(3)
})

test('an upload that fails leaves the task done, and Retry upload brings the files', async () => {
  await using r = await run([['echo one > one.txt']])
  r.slack.world.bot.scopes.delete('files:write')
  r.slack.user.say({ user: 'U0ANA', channel: 'C0BUILDS', text: '<@U0BOT> say one' })
  const notice = await asTimePasses(r, () => withText(r, 'files:write'))
  expect(actions(notice)).toEqual(['upload:1'])
  expect((await r.parts.store.get(1))?.status).toBe('done')
  r.slack.world.bot.scopes.add('files:write')
  r.slack.user.click({ user: 'U0ANA', channel: 'C0BUILDS', ts: notice.ts, actionId: 'upload:1' })
  await asTimePasses(r, () =>
    expect(ours(r).flatMap((message) => message.files.map((file) => file.name))).toEqual(['one.txt']),
  )
})

test('somebody who is on no list is refused privately, and no task is made', async () => {
  await using r = await run([])
  r.slack.world.users.set('U0EVE', { ...(r.slack.world.users.get('U0ANA') ?? expect.fail()), id: 'U0EVE', name: 'eve' })
  r.slack.world.channels.get('C0BUILDS')?.members.add('U0EVE')
  r.slack.user.say({ user: 'U0EVE', channel: 'C0BUILDS', text: '<@U0BOT> say one' })
  await asTimePasses(r, () => expect(JSON.stringify(r.slack.world.ephemerals)).toContain('not on the list'))
  expect((await r.parts.store.list({ limit: 10 })).tasks).toEqual([])
})

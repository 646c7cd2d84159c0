/**
 * What every chat adapter keeps to, run by each against its own platform: a harness says how to read what was posted and how to break things.
 * The views are the product's own, at their largest and most hostile too.
 */
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseControl, type Verb } from '../../src/core/controls.ts'
import type { Place, Task } from '../../src/core/task.ts'
import type { ApprovalView, CardView, MessageView, NoticeView, ResultView, RootView } from '../../src/core/view.ts'
import { approvalView, DEFAULT_APPROVAL_CHARS } from '../../src/core/views/approval-view.ts'
import { cardView } from '../../src/core/views/card-view.ts'
import { uploadFailedView } from '../../src/core/views/notice-views.ts'
import { resultView } from '../../src/core/views/result-view.ts'
import { rootView } from '../../src/core/views/root-view.ts'
import { statusView } from '../../src/core/views/status-view.ts'
import type { AdapterError, ChatAdapter, MessageRef, UploadFile } from '../../src/ports/chat-adapter.ts'
import { endedRound, hugeRound, NOON, runningRound, sampleDetails, waitingRound } from '../fakes/sample-task.ts'

/** One message of ours as the platform has it now. */
export interface SeenMessage {
  /** All text that a person reads, buttons included, with the platform's escapes undone. */
  text: string
  /** Ids of users, roles or groups whom the platform would notify; 'everyone' for any mass mention. */
  mentions: readonly string[]
  /** Ids of its buttons and menus. */
  controls: readonly string[]
}

export type Fault =
  /** The next call is refused for going too fast, with a wait of two seconds. */
  | 'rate_limited'
  /** The platform answers nothing but errors until `heal`. */
  | 'down'
  /** The next call is carried out, and its answer never arrives. */
  | 'lost_answer'
  /** The thread or channel is gone, or we may no longer write there, until `heal`. */
  | 'thread_gone'

export interface ChatHarness extends AsyncDisposable {
  /** Started. Its retries, if it has any, must be quick enough for a test. */
  adapter: ChatAdapter
  /** Ids that the platform knows: somebody to mention. */
  userId: string
  /** A place where a task would get a thread of its own. */
  channel(): Promise<Place>
  /** A place that is a thread already, as after a mention. */
  thread(): Promise<Place>
  /** Messages of ours in this very place, oldest first; files left out. */
  messages(place: Place): Promise<readonly SeenMessage[]>
  files(place: Place): Promise<readonly { name: string; bytes: Buffer }[]>
  deleteMessage(ref: MessageRef): Promise<void>
  fail(fault: Fault): void
  heal(): void
}

const HOSTILE = [
  '<!channel> <!here> <!everyone> @everyone @here <@U999> <@!999> <@&999> <#C999> <!subteam^S999>',
  '``` *bold* _it_ ~no~ ||spoiler|| > quote [text](http://evil.example) <http://evil.example|safe> &amp; &lt;',
].join(' ')

export function describeChatAdapter(name: string, createHarness: () => Promise<ChatHarness>): void {
  describe(`${name} as a chat adapter`, () => {
    let harness: ChatHarness
    let adapter: ChatAdapter
    beforeEach(async () => {
      harness = await createHarness()
      adapter = harness.adapter
    })
    afterEach(async () => {
      await harness[Symbol.asyncDispose]()
    })

    const post = (place: Place, view: MessageView, key = 'task-42:card') =>
      adapter.post(place, view, { key, silent: true })
    const mine = <T extends Task>(task: T): T => ({
      ...task,
      requester: { ...task.requester, platform: adapter.name, userId: harness.userId },
    })

    describe('posting', () => {
      it('shows every kind of view with its words and its buttons', async () => {
        const place = await harness.thread()
        const cases: [MessageView, string[], Verb[]][] = [
          [root(), ['Task #42: convert all PNGs', 'Ana'], []],
          [card(), ['⏳', 'Running', 'command 3 of 3', 'mkdir -p out', '[118/240]'], ['cancel', 'log']],
          [approval([]), ['needs approval', 'mogrify', 'writes'], ['approve', 'edit', 'reject']],
          [result(null), ['✅', 'Task #42 done', '240 images', '18.4 MB'], ['retry', 'rerun', 'files', 'log']],
          [notice(), ['could not be uploaded', 'the disk was full'], ['upload']],
        ]
        for (const [index, [view, words, verbs]] of cases.entries()) {
          await post(place, view, `task-42:case-${index}`)
          const seen = (await harness.messages(place)).at(-1)
          for (const word of words) expect(seen?.text).toContain(word)
          expect(verbsOf(seen)).toEqual(verbs)
        }
        expect(await harness.messages(place)).toHaveLength(cases.length)
      })

      it('happens once per key, and the second call answers the same reference', async () => {
        const place = await harness.thread()
        const first = await post(place, card())
        const second = await post(place, card())
        expect(second.ref).toBe(first.ref)
        expect(await harness.messages(place)).toHaveLength(1)
        await post(place, card(), 'task-43:card')
        expect(await harness.messages(place)).toHaveLength(2)
      })

      it('finds the message again when the answer to it was lost', async () => {
        const place = await harness.thread()
        harness.fail('lost_answer')
        await post(place, card()).catch((error: AdapterError) => expect(error.code).toBe('unavailable'))
        harness.heal()
        const { ref } = await post(place, card())
        expect(await harness.messages(place)).toHaveLength(1)
        await adapter.edit(ref, card({ word: 'edited' }))
        expect((await harness.messages(place)).at(0)?.text).toContain('edited')
      })

      it('turns a place that is no thread into one, and goes on in it', async () => {
        const channel = await harness.channel()
        const { place } = await post(channel, root(), 'task-42:root')
        expect(place).toMatchObject({ platform: adapter.name, thread: true, channelId: channel.channelId })
        expect((await post(place, card())).place).toEqual(place)
        expect((await harness.messages(place)).some((message) => message.text.includes('command 3 of 3'))).toBe(true)
        // After a crash between the two, the same key leads to the same thread.
        expect((await post(channel, root(), 'task-42:root')).place).toEqual(place)
      })

      it('calls those who are to be called, and nobody else', async () => {
        const place = await harness.thread()
        await adapter.post(place, approval([harness.userId]), { key: 'task-42:approval', silent: false })
        await adapter.post(place, result(harness.userId), { key: 'task-42:result', silent: false })
        await post(place, card())
        const seen = await harness.messages(place)
        expect(seen.map((message) => message.mentions)).toEqual([[harness.userId], [harness.userId], []])
      })
    })

    describe('text from outside', () => {
      it('stays text: no mentions, no links, no fences', async () => {
        const place = await harness.thread()
        const task = mine(hostileTask())
        const views: MessageView[] = [
          rootView(task),
          cardOf(task),
          approvalOf(task, []),
          hostileResult(task),
          { ...notice(), text: HOSTILE },
        ]
        for (const [index, view] of views.entries()) await post(place, view, `task-42:hostile-${index}`)
        const seen = await harness.messages(place)
        expect(seen.flatMap((message) => message.mentions)).toEqual([])
        for (const message of seen) expect(message.text).toContain('<!channel> <!here> <!everyone> @everyone')
      })

      it('fits, however long it is, and keeps its buttons', async () => {
        const place = await harness.thread()
        for (const filler of ['x', '<&>', '@everyone ', '漢', '👍', '`*_~|'] as const) {
          const task = mine(hugeTask(filler))
          const maxChars = adapter.limits.approvalChars ?? DEFAULT_APPROVAL_CHARS
          const views: [MessageView, Verb[]][] = [
            [rootView(task), []],
            [cardOf(runningAs(task), filler), ['cancel']],
            [approvalOf(task, [harness.userId], maxChars), ['approve', 'edit', 'reject']],
            [hugeResult(task, filler), ['retry', 'edit', 'files']],
          ]
          for (const [index, [view, verbs]] of views.entries()) {
            await post(place, view, `task-42:${filler}-${index}`)
            expect(verbsOf((await harness.messages(place)).at(-1))).toEqual(verbs)
          }
        }
      })
    })

    describe('editing', () => {
      it('replaces the message in place', async () => {
        const place = await harness.thread()
        const { ref } = await post(place, card())
        await adapter.edit(ref, card({ word: 'edited' }))
        const seen = await harness.messages(place)
        expect(seen).toHaveLength(1)
        expect(seen[0]?.text).toContain('edited')
      })

      it('takes the buttons away once there is nothing to decide', async () => {
        const place = await harness.thread()
        const { ref } = await post(place, approval([]), 'task-42:approval')
        await adapter.edit(ref, { ...approval([]), decided: '✅ Approved by Ana, 14:02 · plan 7f3a9c01', controls: [] })
        const seen = (await harness.messages(place)).at(0)
        expect(seen?.text).toContain('Approved by Ana, 14:02')
        expect(seen?.controls).toEqual([])
      })

      it('says message_gone for a message that somebody deleted', async () => {
        const place = await harness.thread()
        const { ref } = await post(place, card())
        await harness.deleteMessage(ref)
        await expect(adapter.edit(ref, card({ word: 'edited' }))).rejects.toMatchObject({ code: 'message_gone' })
      })
    })

    describe('uploading', () => {
      it('puts the files into the thread, once per key', async () => {
        const place = await harness.thread()
        const files = [upload('summary.csv', 'a,b\n1,2\n'), upload('näme with <odd> "letters".txt', 'x')]
        await adapter.upload(place, files, { key: 'task-42:files', comment: 'Files of task #42' })
        await adapter.upload(place, files, { key: 'task-42:files', comment: 'Files of task #42' })
        const seen = await harness.files(place)
        expect(seen.map((file) => file.bytes.toString())).toEqual(['a,b\n1,2\n', 'x'])
        expect(seen[0]?.name).toBe('summary.csv')
      })

      it('says so when the platform is down', async () => {
        const place = await harness.thread()
        harness.fail('down')
        const uploading = adapter.upload(place, [upload('a.txt', 'a')], { key: 'task-42:files', comment: '' })
        await expect(uploading).rejects.toMatchObject({ name: 'AdapterError', code: 'unavailable' })
      })
    })

    describe('trouble', () => {
      it('says rate_limited and how long to wait', async () => {
        const place = await harness.thread()
        const { ref } = await post(place, card())
        harness.fail('rate_limited')
        const error = await adapter.edit(ref, card({ word: 'edited' })).then(
          () => undefined,
          (thrown: AdapterError) => thrown,
        )
        expect(error).toMatchObject({ name: 'AdapterError', code: 'rate_limited' })
        expect(error?.retryAfterMs).toBeGreaterThan(0)
        expect(error?.retryAfterMs).toBeLessThanOrEqual(3000)
      })

      it('says unavailable while the platform is down, and works when it is back', async () => {
        const place = await harness.thread()
        const { ref } = await post(place, card())
        harness.fail('down')
        await expect(post(place, card(), 'task-43:card')).rejects.toMatchObject({ code: 'unavailable' })
        await expect(adapter.edit(ref, card({ word: 'edited' }))).rejects.toMatchObject({ code: 'unavailable' })
        harness.heal()
        await post(place, card(), 'task-43:card')
        expect(await harness.messages(place)).toHaveLength(2)
      })

      it('says that the thread is gone or closed to us, with a sentence', async () => {
        const place = await harness.thread()
        harness.fail('thread_gone')
        const error = await post(place, card()).then(
          () => undefined,
          (thrown: AdapterError) => thrown,
        )
        expect(['thread_gone', 'forbidden']).toContain(error?.code)
        expect(error?.message).not.toBe('')
      })

      it('never lets a lost mark disturb anybody', async () => {
        const place = await harness.thread()
        const running = statusView({ ...sampleDetails({ rounds: [runningRound()] }), status: 'running' })
        await adapter.mark(place, running, null)
        harness.fail('down')
        await adapter.mark(place, statusView(doneTask()), running)
      })
    })

    it('states limits that make sense', () => {
      const { limits } = adapter
      const intervals = [1, 2, 5, 10, 100].map((cards) => limits.minEditIntervalMs(cards))
      expect(Math.min(...intervals)).toBeGreaterThanOrEqual(1000)
      expect(intervals).toEqual(intervals.toSorted((a, b) => a - b))
      expect(limits.maxFiles).toBeGreaterThan(0)
      expect(limits.maxUploadBytes).toBeGreaterThan(1_000_000)
    })

    const root = (): RootView => rootView(mine(runningTask()))
    const card = (changes: { word?: string } = {}): CardView => {
      const view = cardOf(mine(runningTask()))
      return { ...view, headline: `${view.headline} ${changes.word ?? ''}`.trim() }
    }
    const approval = (mentions: readonly string[]): ApprovalView => approvalOf(mine(awaitingTask()), mentions)
    const result = (mention: string | null): ResultView => ({ ...resultOf(mine(doneTask())), mention })
    const notice = (): NoticeView => uploadFailedView(mine(doneTask()), 'the disk was full')
  })
}

function verbsOf(message: SeenMessage | undefined): (Verb | undefined)[] {
  return message?.controls.map((id) => parseControl(id)?.verb) ?? []
}

function upload(name: string, text: string): UploadFile {
  const bytes = Buffer.from(text)
  return { name, sizeBytes: bytes.length, open: async () => Readable.from([bytes]) }
}

const runningTask = (): Task => ({ ...sampleDetails({ rounds: [runningRound()], round: 1 }), status: 'running' })

const awaitingTask = (): Task => waitingFor(sampleDetails({ rounds: [waitingRound()], round: 1 }))

function doneTask(): Task & { status: 'done' } {
  const outputs = { files: 240, bytes: 18_400_000 }
  const details = sampleDetails({ rounds: [endedRound()], round: 1, outputs, startedAt: NOON, endedAt: NOON + 124_000 })
  return { ...details, status: 'done', answer: '240 images converted' }
}

function waitingFor(details: ReturnType<typeof sampleDetails>): Task {
  const approval = {
    round: 1,
    hash: details.rounds[0]?.hash ?? '',
    requestedAt: NOON,
    expiresAt: NOON + 86_400_000,
    remindedAt: null,
    decision: null,
    by: null,
    decidedAt: null,
    note: null,
  }
  return { ...details, status: 'awaiting_approval', approval }
}

function runningAs({ failure: _, ...details }: Task & { status: 'failed' }): Task {
  return { ...details, status: 'running' }
}

function hostileTask(): Task & { status: 'failed' } {
  const round = hugeRound(HOSTILE)
  const named = {
    ...round,
    plan: { ...round.plan, commands: [HOSTILE], summary: HOSTILE },
    steps: round.steps.slice(0, 1),
  }
  const details = sampleDetails({ description: HOSTILE, rounds: [named], round: 1 })
  return { ...details, status: 'failed', failure: { reason: 'internal', detail: HOSTILE, step: 0 } }
}

function hugeTask(filler: string): Task & { status: 'failed' } {
  const long = filler.repeat(5000)
  const round = hugeRound(filler)
  const verdict = {
    decision: 'ask' as const,
    reasons: [long],
    steps: round.steps.map(() => ({
      decision: 'ask' as const,
      badges: ['network', 'deletes'] as const,
      reasons: [long.slice(0, 200)],
    })),
  }
  const steps = verdict.steps.map((step) => ({ ...step, badges: [...step.badges] }))
  const plan = {
    ...round.plan,
    summary: long.slice(0, 2000),
    network: { reason: long.slice(0, 500), hosts: [long.slice(0, 200)] },
  }
  const details = sampleDetails({
    description: long,
    requester: { platform: 'console', scope: 'S1', userId: 'U-ANA', name: long.slice(0, 300) },
    rounds: [{ ...round, plan, verdict: { ...verdict, steps } }],
    round: 1,
    outputs: { files: 1000, bytes: 1e12 },
  })
  return { ...details, status: 'failed', failure: { reason: 'step_failed', detail: long, step: 0 } }
}

function cardOf(task: Task, filler = '[118/240] IMG_0118.png -> out/IMG_0118.webp'): CardView {
  const lines = filler.length < 20 ? Array.from({ length: 40 }, () => filler.repeat(100)) : [filler]
  const tail = { lines, lastWriteAt: NOON + 70_000 }
  const context = { now: NOON + 72_000, tail, queue: null, children: [], sandboxWarning: null, maxRounds: 2 }
  return cardView(task, context)
}

function approvalOf(task: Task, mentions: readonly string[], maxChars = DEFAULT_APPROVAL_CHARS): ApprovalView {
  const context = { mentions, terms: ['No network. 512 MB of memory.'], maxChars, maxRounds: 2, timeZone: 'UTC' }
  const view = approvalView(waitingFor(task), 1, context)
  if (view === undefined) throw new Error('the sample has a round')
  return view
}

function resultOf(task: Task & { status: 'done' | 'failed' }): ResultView {
  return resultView(task, {
    now: NOON + 124_000,
    tail: [],
    files: [{ path: 'out/a.webp', sizeBytes: 900 }],
    notes: [],
    maxRounds: 2,
  })
}

function hostileResult(task: Task & { status: 'failed' }): ResultView {
  return {
    ...resultOf(task),
    mention: null,
    lines: [HOSTILE],
    notes: [HOSTILE],
    files: [{ path: HOSTILE, sizeBytes: 1 }],
  }
}

function hugeResult(task: Task & { status: 'failed' }, filler: string): ResultView {
  const files = Array.from({ length: 10 }, (_, index) => ({ path: `${index}${filler.repeat(80)}`, sizeBytes: 1 }))
  const tail = Array.from({ length: 40 }, () => filler.repeat(200))
  const view = resultView(task, { now: NOON, tail, files, notes: [filler.repeat(30)], maxRounds: 2 })
  return {
    ...view,
    body: filler.repeat(Math.floor(3000 / filler.length)),
    lines: tail.slice(0, 3).map((line) => line.slice(0, 300)),
  }
}

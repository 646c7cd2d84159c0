import { describe, expect, it, vi } from 'vitest'
import { AdapterError } from '../../src/ports/chat-adapter.ts'
import { eventually } from '../eventually.ts'
import { ANA } from '../store/store-helpers.ts'
import { doneEvent, openReporter, ROUND } from './reporter-bench.ts'

describe('a task in its thread', () => {
  it('has a root where the place is no thread, one card that is edited, and a result at the end', async () => {
    await using bench = await openReporter()
    const { chat, reporter } = bench
    const id = await bench.submit({
      place: { platform: 'console', channelId: 'general', key: 'general', thread: false },
    })
    await reporter.idle()
    expect(bench.texts()).toEqual([
      '🕒 Task #1: count the files\nby Ana',
      '🕒 Queued · 1st in line\n[Cancel](cancel:1)',
    ])
    await bench.run(id)
    await bench.pass(4000)
    expect(bench.texts()[1]).toContain('⏳ Running · 0:0')
    expect(bench.texts()[1]).toContain('▶ 1 ls')
    await bench.finish(id, 'There are 3 files.')
    await bench.pass(2000)
    const [root, card, result] = bench.texts()
    expect(root).toContain('✅ Task #1')
    expect(card).toContain('✅ Done in')
    expect(result).toContain('Task #1 done in')
    expect(result).toContain('There are 3 files.')
    expect(chat.messages.map((message) => message.place.key)).toEqual(['general/0', 'general/0', 'general/0'])
    expect(await bench.store.delivery(id)).toMatchObject({ settled: true, failure: null, attempts: 0 })
  })

  it('that is over at once shows its card as it was and as it is, and two reactions; the result waits for none of them', async () => {
    await using bench = await openReporter()
    const hanging = Promise.withResolvers<void>()
    bench.chat.holdMarks = hanging.promise
    const id = await bench.submit()
    await eventually(() => expect(bench.chat.marks).toEqual(['🕒 thread-1']))
    await bench.run(id)
    await bench.finish(id, 'There are 3 files.')
    await eventually(() => expect(bench.texts().at(-1)).toContain('There are 3 files.'))
    expect(bench.texts()[0]).toContain('🕒 Queued')
    hanging.resolve()
    await bench.pass(1000)
    expect(bench.texts()[0]).toContain('✅ Done')
    expect(bench.chat.marks).toEqual(['🕒 thread-1', '✅ thread-1'])
    expect(bench.chat.calls.map((call) => call.kind)).toEqual(['post', 'post', 'edit'])
    expect(await bench.store.delivery(id)).toMatchObject({ settled: true })
  })

  it('has no root in a thread, and marks the message that it answers', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    await bench.reporter.idle()
    await bench.run(id)
    await bench.pass(3000)
    await bench.finish(id)
    await bench.pass(2000)
    expect(bench.chat.messages.map((message) => message.view.kind)).toEqual(['card', 'result'])
    expect(bench.chat.marks.at(0)).toBe('🕒 thread-1')
    expect(bench.chat.marks.slice(-2)).toEqual(['⏳ thread-1', '✅ thread-1'])
  })

  it('writes down with the card what will be posted later, and marks the message once the card is there', async () => {
    await using bench = await openReporter()
    const posting = Promise.withResolvers<void>()
    bench.chat.holdPosts = posting.promise
    const id = await bench.submit()
    const rows = async () => (await bench.store.delivery(id))?.messages.map(({ role, ref }) => [role, ref === null])
    await eventually(async () => {
      expect(await rows()).toEqual(['card', 'files', 'notice:mark', 'result'].map((role) => [role, true]))
    })
    expect(bench.chat.marks).toEqual([])
    posting.resolve()
    await eventually(() => expect(bench.chat.marks).toEqual(['🕒 thread-1']))
    await bench.run(id)
    await bench.finish(id, 'There are 3 files.')
    await bench.pass(1000)
    expect(bench.chat.calls.map((call) => call.kind)).toEqual(['post', 'post', 'edit'])
  })

  it('reads nothing of the thread while its card was shown just now and the task goes on, and shows the rest when its time has come', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    await bench.run(id)
    await bench.pass(1500)
    const delivery = vi.spyOn(bench.store, 'delivery')
    await bench.apply(id, { kind: 'step_ended', round: 1, index: 0, end: { kind: 'exited', code: 0 } })
    await bench.reporter.idle()
    const reads = delivery.mock.calls.length
    await bench.apply(id, { kind: 'step_started', round: 1, index: 1 })
    await bench.reporter.idle()
    expect(delivery).toHaveBeenCalledTimes(reads)
    await bench.pass(2000)
    expect(bench.texts()[0]).toContain('▶ 2')
  })

  it('tells a task that came and went while nobody looked as it is now: a card and a result, nothing else', async () => {
    await using bench = await openReporter()
    await bench.reporter[Symbol.asyncDispose]()
    const id = await bench.submit()
    await bench.run(id)
    await bench.finish(id)
    await bench.restart()
    await bench.reporter.idle()
    expect(bench.chat.calls.map((call) => call.kind)).toEqual(['post', 'post'])
    expect(bench.texts()[0]).toContain('✅ Done')
  })

  it('says nothing of tasks without a place or on a chat that is off', async () => {
    await using bench = await openReporter()
    await bench.submit({ place: null })
    await bench.submit({ place: { platform: 'slack', channelId: 'C1', key: 'C1', thread: false } })
    await bench.pass(60_000)
    expect(bench.chat.calls).toEqual([])
  })

  it('ends the card of a cancelled task with who did it, and posts no result', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    await bench.run(id)
    await bench.reporter.idle()
    await bench.apply(id, { kind: 'cancel_requested', by: ANA })
    await bench.pass(1000)
    expect(bench.texts()).toEqual([expect.stringContaining('🛑 Stopping… · asked by Ana')])
    await bench.apply(id, { kind: 'cancelled', reason: 'cancelled', by: ANA, note: '', outputs: null, redactions: 0 })
    await bench.pass(2000)
    expect(bench.texts()).toEqual([expect.stringContaining('🛑 Cancelled by Ana after')])
    expect(await bench.store.delivery(id)).toMatchObject({ settled: true })
  })

  it('freezes the old card with a link when a child starts in the thread, also after a restart', async () => {
    await using bench = await openReporter()
    const parent = await bench.submit()
    await bench.run(parent)
    await bench.finish(parent)
    await bench.pass(3000)
    await bench.restart()
    await bench.submit({ kind: 'retry', parentId: parent })
    await bench.pass(3000)
    expect(bench.texts()[0]).toContain('Continued in #2')
    expect(bench.texts()[2]).toContain('Queued')
    expect(await bench.store.delivery(parent)).toMatchObject({ settled: true })
  })
})

describe('approval', () => {
  it('calls the approvers in a message of its own, and takes the buttons away once decided', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    await bench.store.claim({ id: 'w1', leaseMs: 30_000 })
    await bench.apply(id, { kind: 'planned', expiresAt: bench.clock.now() + 86_401_000, ...ROUND })
    await bench.reporter.idle()
    expect(bench.texts()).toHaveLength(2)
    await bench.pass(1000)
    const [card, approval] = bench.texts()
    expect(card).toContain('✋ Needs approval · 2 commands')
    expect(approval).toMatch(/^@U-BOSS\n✋ Task #1 needs approval: 2 commands/)
    expect(approval).toContain('[Approve](approve:1:7f3a9c01)')
    expect(bench.chat.messages[1]?.silent).toBe(false)
    await bench.apply(id, { kind: 'reminded' })
    await bench.reporter.idle()
    expect(bench.texts()[2]).toContain('@U-BOSS\nTask #1 still waits for a decision. It expires in 24 h.')
    await bench.apply(id, { kind: 'approved', by: ANA, hash: ROUND.hash })
    await bench.pass(3000)
    expect(bench.texts()[1]).toContain('✅ Approved by Ana, 00:00 · plan 7f3a9c01')
    expect(bench.texts()[1]).not.toContain('[Approve]')
    expect(bench.texts()[2]).toBe('Task #1: approved.')
    expect(bench.texts()).toHaveLength(3)
  })

  it('shows the changed plan in the same message, and calls nobody twice', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    await bench.store.claim({ id: 'w1', leaseMs: 30_000 })
    const expiresAt = bench.clock.now() + 86_400_000
    await bench.apply(id, { kind: 'planned', expiresAt, ...ROUND })
    await bench.reporter.idle()
    const changed = { ...ROUND, hash: 'ab'.repeat(32), plan: { ...ROUND.plan, commands: ['pwd'] } }
    const verdict = { ...ROUND.verdict, steps: ROUND.verdict.steps.slice(0, 1) }
    await bench.apply(id, { kind: 'plan_edited', expiresAt, ...changed, verdict })
    await bench.pass(2000)
    expect(bench.texts()).toHaveLength(2)
    expect(bench.texts()[1]).toContain('$ pwd')
    expect(bench.texts()[1]).toContain('approve:1:abababab')
  })
})

describe('edits', () => {
  it('shows new output at the rhythm of the budget, the newest only, and the clock each half minute', async () => {
    await using bench = await openReporter()
    const { chat, workspace, clock } = bench
    const id = await bench.submit()
    await bench.run(id)
    await bench.pass(5000)
    const before = chat.calls.length
    for (let line = 1; line <= 12; line++) {
      workspace.print(id, `line ${line}\n`, clock.now())
      await bench.pass(1000)
    }
    const frames = chat.calls.slice(before)
    expect(frames.length).toBeGreaterThanOrEqual(3)
    expect(frames.length).toBeLessThanOrEqual(5)
    expect(bench.texts()[0]).toContain('line 11')
    await bench.pass(5000)
    const quiet = chat.calls.length
    await bench.pass(61_000)
    expect(chat.calls.length - quiet).toBe(2)
  })

  it('never sends the same frame twice and never more than one at a time', async () => {
    await using bench = await openReporter()
    const { chat, workspace, clock } = bench
    const inFlight = new Map<string, number>()
    let most = 0
    chat.faults = {
      before({ placeKey }) {
        inFlight.set(placeKey, (inFlight.get(placeKey) ?? 0) + 1)
        most = Math.max(most, ...inFlight.values())
      },
      after({ placeKey }) {
        inFlight.set(placeKey, (inFlight.get(placeKey) ?? 0) - 1)
      },
    }
    const id = await bench.submit()
    await bench.run(id, ['a', 'b', 'c'])
    for (let index = 0; index < 3; index++) {
      if (index > 0) await bench.apply(id, { kind: 'step_started', round: 1, index })
      workspace.print(id, `step ${index}\n`, clock.now())
      await bench.pass(4000)
      await bench.apply(id, { kind: 'step_ended', round: 1, index, end: { kind: 'exited', code: 0 } })
    }
    await bench.finish(id)
    await bench.pass(5000)
    const texts = chat.calls.map((call) => `${call.kind} ${call.text}`)
    expect(texts.filter((text, index) => text === texts[index - 1])).toEqual([])
    expect(most).toBe(1)
  })

  it('keeps within fifty edits a minute however many tasks print, and tells results at once', async () => {
    await using bench = await openReporter()
    const { chat, workspace, clock } = bench
    const ids: number[] = []
    for (let index = 0; index < 20; index++) {
      const id = await bench.submit({ place: { platform: 'console', channelId: 'c', key: `t-${index}`, thread: true } })
      await bench.run(id)
      ids.push(id)
    }
    await bench.pass(2000)
    const from = chat.calls.length
    for (let second = 0; second < 60; second++) {
      for (const id of ids) workspace.print(id, `line ${second}\n`, clock.now())
      await bench.pass(1000)
    }
    const edits = chat.calls.slice(from).filter((call) => call.kind === 'edit')
    expect(edits.length).toBeLessThanOrEqual(45)
    expect(edits.length).toBeGreaterThan(20)
    // Everybody had a turn.
    expect(new Set(edits.map((call) => call.placeKey)).size).toBe(20)
    await bench.finish(ids[0] ?? 0)
    await bench.reporter.idle()
    expect(chat.calls.slice(-2).map((call) => call.kind)).toContain('post')
  })

  it('waits as long as the platform asks before the next edit, and lets the result through', async () => {
    await using bench = await openReporter()
    const { chat, workspace, clock } = bench
    const id = await bench.submit()
    await bench.run(id)
    await bench.pass(3000)
    let refused = 0
    chat.faults = {
      before({ kind }) {
        if (kind === 'edit' && refused++ === 0) throw new AdapterError('rate_limited', 'Slower.', 20_000)
      },
    }
    workspace.print(id, 'more\n', clock.now())
    await bench.pass(5000)
    expect(refused).toBe(1)
    await bench.finish(id)
    await bench.pass(2000)
    expect(bench.texts().at(-1)).toContain('Task #1 done')
    expect(refused).toBe(1)
    await bench.pass(20_000)
    expect(bench.texts()[0]).toContain('✅ Done')
    expect(await bench.store.delivery(id)).toMatchObject({ settled: true, attempts: 0 })
  })

  it('posts a new card when somebody has deleted it, and goes on with that one', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    await bench.reporter.idle()
    bench.chat.delete('0')
    await bench.run(id)
    await bench.pass(3000)
    expect(bench.texts()).toEqual([expect.stringContaining('⏳ Running')])
    expect(bench.chat.messages.map((message) => message.key)).toEqual(['task-1:card', 'task-1:card.2'])
  })

  it('posts a card anew that is too old to be edited, and closes the old one', async () => {
    await using bench = await openReporter()
    bench.chat.limits = { ...bench.chat.limits, maxEditAgeMs: 3_000_000 }
    const id = await bench.submit()
    await bench.run(id)
    await bench.pass(2000)
    bench.clock.advance(3_000_001)
    await bench.pass(2000)
    expect(bench.texts()).toHaveLength(2)
    expect(bench.texts()[0]).toContain('Continued below')
    expect(bench.texts()[0]).not.toContain('[Cancel]')
    expect(bench.texts()[1]).toContain('[Cancel]')
  })

  it('edits an old approval in place once it is decided, for that is one edit', async () => {
    await using bench = await openReporter()
    bench.chat.limits = { ...bench.chat.limits, maxEditAgeMs: 3_000_000 }
    const id = await bench.submit()
    await bench.store.claim({ id: 'w1', leaseMs: 30_000 })
    await bench.apply(id, { kind: 'planned', expiresAt: bench.clock.now() + 1e9, ...ROUND })
    await bench.reporter.idle()
    bench.clock.advance(20_000_000)
    await bench.apply(id, { kind: 'approved', by: ANA, hash: ROUND.hash })
    await bench.pass(2000)
    expect(bench.chat.messages.map((message) => message.key)).toEqual([
      'task-1:card',
      'task-1:approval',
      'task-1:card.2',
    ])
    expect(bench.texts()[1]).toContain('Approved by Ana')
  })

  it('survives a wall clock that jumps', async () => {
    await using bench = await openReporter()
    const { clock, workspace } = bench
    const id = await bench.submit()
    await bench.run(id)
    await bench.pass(3000)
    clock.set(clock.now() - 86_400_000)
    workspace.print(id, 'after the jump\n', clock.now())
    await bench.pass(8000)
    expect(bench.texts()[0]).toContain('after the jump')
  })
})

describe('trouble', () => {
  it('delivers in order, nothing lost and nothing twice, when the platform was down for an hour', async () => {
    await using bench = await openReporter()
    const { chat } = bench
    const first = await bench.submit()
    await bench.run(first)
    await bench.reporter.idle()
    let attempts = 0
    chat.faults = {
      before() {
        attempts++
        throw new AdapterError('unavailable', 'Nobody answers.')
      },
    }
    await bench.finish(first)
    await bench.pass(1000)
    const child = await bench.submit({ kind: 'retry', parentId: first })
    await bench.run(child)
    await bench.finish(child, 'second')
    await bench.pass(3_600_000)
    expect(attempts).toBeLessThan(100)
    expect(bench.texts()).toHaveLength(1)
    await bench.restart()
    chat.faults = {}
    await bench.pass(61_000)
    expect(bench.texts().map((text) => text.split('\n')[0])).toEqual([
      expect.stringContaining('✅ Done'),
      expect.stringContaining('Task #1 done'),
      expect.stringContaining('✅ Done'),
      expect.stringContaining('Task #2 done'),
    ])
    expect(await bench.store.unsettledDeliveries(['console'], 10)).toEqual([])
  })

  it('posts nothing twice when answers are lost', async () => {
    await using bench = await openReporter()
    let lost = 0
    bench.chat.faults = {
      after({ kind }) {
        if (kind !== 'edit' && lost++ % 2 === 0) throw new AdapterError('unavailable', 'The answer was lost.')
      },
    }
    const id = await bench.submit({
      place: { platform: 'console', channelId: 'general', key: 'general', thread: false },
    })
    await bench.pass(5000)
    await bench.run(id)
    await bench.pass(5000)
    await bench.finish(id)
    await bench.pass(60_000)
    expect(bench.chat.messages.map((message) => message.view.kind)).toEqual(['root', 'card', 'result'])
    expect(await bench.store.delivery(id)).toMatchObject({ settled: true })
  })

  it('brings a card up to date that was posted before its answer was lost', async () => {
    await using bench = await openReporter()
    let isLost = false
    bench.chat.faults = {
      after({ kind }) {
        if (kind !== 'post' || isLost) return
        isLost = true
        throw new AdapterError('unavailable', 'The answer was lost.')
      },
    }
    const place = { platform: 'console', channelId: 'general', key: 'general/1', thread: true } as const
    const id = await bench.submit({ place })
    await bench.pass(1)
    await bench.run(id)
    await bench.finish(id)
    await bench.pass(60_000)
    const [card, ...rest] = bench.chat.messages.map((message) => message.view)
    expect(card).toMatchObject({ kind: 'card', status: { status: 'done' }, controls: [] })
    expect(rest).toMatchObject([{ kind: 'result' }])
  })

  it('lets one stuck thread hold up nobody else', async () => {
    await using bench = await openReporter()
    const never = Promise.withResolvers<void>()
    bench.chat.faults = { before: ({ placeKey }) => (placeKey === 'thread-1' ? never.promise : undefined) }
    await bench.submit()
    const other = await bench.submit({ place: { platform: 'console', channelId: 'c', key: 'thread-2', thread: true } })
    await expect.poll(() => bench.texts()).toEqual([expect.stringContaining('Queued')])
    await bench.run(other)
    await bench.finish(other)
    await expect.poll(() => bench.texts().at(-1)).toContain('Task #2 done')
    bench.chat.faults = {}
    bench.clock.advance(60_000)
    await bench.pass(3000)
    expect(bench.chat.messages.filter((message) => message.place.key === 'thread-1')).toHaveLength(1)
    never.resolve()
  })

  it('records once that a thread is closed to us, and tells it all when a person has helped', async () => {
    await using bench = await openReporter()
    const { chat, store } = bench
    let tries = 0
    chat.faults = {
      before() {
        tries++
        throw new AdapterError('forbidden', 'Invite the bot to #general.')
      },
    }
    const id = await bench.submit()
    await bench.run(id)
    await bench.pass(5000)
    await bench.finish(id)
    await bench.pass(60_000)
    expect(tries).toBe(1)
    expect((await store.failedDeliveries(10)).map((delivery) => delivery.failure)).toEqual([
      'Invite the bot to #general.',
    ])
    expect((await store.get(id))?.status).toBe('done')
    chat.faults = {}
    expect(await bench.reporter.redeliver(id)).toContain('once more')
    await bench.reporter.idle()
    expect(bench.texts()).toHaveLength(2)
    expect(await store.failedDeliveries(10)).toEqual([])
  })

  it('goes on when the platform refuses one card, and records a result that it refuses', async () => {
    await using bench = await openReporter()
    bench.chat.faults = {
      before({ text }) {
        if (!text.includes('Task #2')) throw new AdapterError('invalid', 'invalid_blocks')
      },
    }
    const first = await bench.submit()
    const second = await bench.submit({ place: { platform: 'console', channelId: 'c', key: 'thread-2', thread: true } })
    for (const id of [first, second]) {
      await bench.run(id)
      await bench.finish(id)
    }
    await bench.pass(5000)
    expect(bench.texts()).toEqual([expect.stringContaining('Task #2 done')])
    expect((await bench.store.failedDeliveries(10)).map((delivery) => delivery.taskId)).toEqual([first])
    expect(await bench.store.delivery(second)).toMatchObject({ settled: true })
  })

  it('makes no ping of an interruption that is half a day old', async () => {
    await using bench = await openReporter()
    await bench.reporter[Symbol.asyncDispose]()
    const ids = [
      await bench.submit(),
      await bench.submit({ place: { platform: 'console', channelId: 'c', key: 't2', thread: true } }),
    ]
    for (const id of ids) await bench.run(id)
    const interrupted = {
      kind: 'failed',
      reason: 'interrupted',
      detail: '',
      step: 0,
      outputs: null,
      redactions: 0,
    } as const
    await bench.apply(ids[0] ?? 0, interrupted)
    bench.clock.advance(7 * 3_600_000)
    await bench.apply(ids[1] ?? 0, interrupted)
    await bench.restart()
    await bench.reporter.idle()
    const results = bench.chat.messages.filter((message) => message.view.kind === 'result')
    expect(results.map(({ text, silent }) => [text.startsWith('@U-ANA'), silent])).toEqual([
      [false, true],
      [true, false],
    ])
    expect(results[0]?.text).toContain('[Resume from 1](resume:1) [Start over](restart:1) [Discard](discard:1)')
  })
})

describe('files', () => {
  it('come into the thread as they are, after the result', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    bench.workspace.write(id, 'out/a.txt', Buffer.from('a'))
    bench.workspace.write(id, 'out/b.txt', Buffer.from('bb'))
    await bench.run(id)
    await bench.apply(id, doneEvent('made two', 2))
    await bench.reporter.idle()
    expect(bench.texts().at(-1)).toContain('📎 out/a.txt')
    expect(bench.chat.uploads.map(({ key, files }) => [key, files.map((file) => file.name)])).toEqual([
      ['task-1:files', ['a.txt', 'b.txt']],
    ])
    expect(bench.chat.calls.map((call) => call.kind).slice(-2)).toEqual(['post', 'upload'])
  })

  it('come as one zip when they are many, and not at all when even that is too large', async () => {
    await using bench = await openReporter({ maxUploadBytes: 100 })
    const many = await bench.submit()
    for (let index = 0; index < 11; index++) bench.workspace.write(many, `${index}.txt`, Buffer.from('x'))
    await bench.run(many)
    await bench.apply(many, doneEvent('made many', 11))
    await bench.reporter.idle()
    expect(bench.texts().at(-1)).toContain('The 11 files come as one zip.')
    expect(bench.chat.uploads.map(({ files }) => files.map((file) => file.name))).toEqual([['task-1.zip']])
    const large = await bench.submit()
    bench.workspace.write(large, 'film.mp4', Buffer.alloc(1000))
    await bench.run(large)
    await bench.apply(large, doneEvent('made a film', 1))
    await bench.pass(2000)
    expect(bench.texts().at(-1)).toContain('`npx assistant outputs 2` lists the files')
    expect(bench.chat.uploads).toHaveLength(1)
    expect(await bench.store.delivery(large)).toMatchObject({ settled: true })
  })

  it('that cannot be uploaded are a line with a button, which uploads them later', async () => {
    await using bench = await openReporter()
    bench.chat.faults = {
      before({ kind }) {
        if (kind === 'upload') throw new AdapterError('forbidden', 'The app lacks files:write.')
      },
    }
    const id = await bench.submit()
    bench.workspace.write(id, 'a.txt', Buffer.from('a'))
    await bench.run(id)
    await bench.apply(id, doneEvent('made one', 1))
    await bench.pass(2000)
    expect(bench.texts().at(-1)).toBe(
      'The files of task #1 could not be uploaded: The app lacks files:write.\n[Retry upload](upload:1)',
    )
    expect(await bench.store.delivery(id)).toMatchObject({ settled: true, failure: null })
    expect((await bench.store.get(id))?.status).toBe('done')
    bench.chat.faults = {}
    await bench.reporter.retryUpload(id)
    await bench.pass(2000)
    expect(bench.chat.uploads).toHaveLength(1)
    expect(bench.texts().at(-1)).toBe('The files of task #1 are uploaded now.')
  })

  it('are tried again while the platform is down, not given up', async () => {
    await using bench = await openReporter()
    let down = false
    bench.chat.faults = {
      before({ kind }) {
        if (kind === 'upload') down = true
        if (down) throw new AdapterError('unavailable', 'Nobody answers.')
      },
    }
    const id = await bench.submit()
    bench.workspace.write(id, 'a.txt', Buffer.from('a'))
    await bench.run(id)
    await bench.apply(id, doneEvent('made one', 1))
    await bench.pass(600_000)
    bench.chat.faults = {}
    await bench.pass(61_000)
    expect(bench.chat.uploads).toHaveLength(1)
    expect(bench.texts()).toHaveLength(2)
  })
})

describe('what buttons ask to see', () => {
  it('shows the log, its end when it is too long, and says when there is none', async () => {
    await using bench = await openReporter({ maxUploadBytes: 100 })
    const id = await bench.submit()
    const place = { platform: 'console', channelId: 'general', key: 'thread-1', thread: true } as const
    expect(await bench.reporter.showLog(id, place)).toBe('Task #1 has printed nothing yet.')
    bench.workspace.print(id, `${'x'.repeat(500)}end`, 0)
    expect(await bench.reporter.showLog(id, place)).toContain('403 B before that are left out')
    expect(bench.chat.uploads[0]?.files[0]).toMatchObject({ name: 'task-1.log' })
    expect(bench.chat.uploads[0]?.files[0]?.bytes.toString()).toMatch(/^x{97}end$/)
  })

  it('shows files on demand, as often as asked, and says why when that fails', async () => {
    await using bench = await openReporter()
    const id = await bench.submit()
    const place = { platform: 'console', channelId: 'general', key: 'thread-1', thread: true } as const
    expect(await bench.reporter.showFiles(id, place)).toBe('Task #1 has made no files.')
    bench.workspace.write(id, 'a.txt', Buffer.from('a'))
    expect(await bench.reporter.showFiles(id, place)).toContain('1 file')
    bench.clock.advance(10)
    await bench.reporter.showFile(id, 'a.txt', place)
    expect(bench.chat.uploads).toHaveLength(2)
    expect(await bench.reporter.showFile(id, '../b', place)).toContain('no longer there')
    bench.chat.faults = {
      before() {
        throw new AdapterError('forbidden', 'The app lacks files:write.')
      },
    }
    expect(await bench.reporter.showFiles(id, place)).toContain('The app lacks files:write.')
    expect(await bench.reporter.files(id, 25)).toEqual({ files: [{ path: 'a.txt', sizeBytes: 1 }], total: 1 })
    expect((await bench.reporter.card(id))?.headline).toContain('Queued')
    expect(await bench.reporter.card(99)).toBeUndefined()
  })
})

it('leaves no timer behind when it stops', async () => {
  await using bench = await openReporter()
  const before = bench.clock.waiting
  await bench.submit()
  const id = await bench.submit({ place: { platform: 'console', channelId: 'c', key: 't2', thread: true } })
  await bench.run(id)
  await bench.pass(3000)
  await bench.reporter[Symbol.asyncDispose]()
  expect(bench.clock.waiting).toBeLessThan(before)
})

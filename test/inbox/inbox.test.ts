import { describe, expect, it } from 'vitest'
import { shortHash } from '../../src/core/approval.ts'
import type { Place, Task } from '../../src/core/task.ts'
import type { PlanVerdict } from '../../src/core/verdict.ts'
import type { ReplyRequest } from '../../src/ports/inbox.ts'
import { StoreError } from '../../src/ports/store.ts'
import { eventually } from '../eventually.ts'
import { type Assembly, assemble, LOCAL, OPEN_ACCESS, person } from '../fakes/assembly.ts'
import { scriptedPlan } from '../fakes/scripted-planner.ts'
import { applied, cancelled } from '../store/store-helpers.ts'

const THREAD: Place = { platform: 'slack', key: 'T1:C1:1.0', channelId: 'C1', thread: true }
const ana = person('ana')
const ben = person('ben')

async function submit(assembly: Assembly, text: string, more: object = {}): Promise<Task> {
  const request = { actor: ana, text, place: THREAD, attachments: [], dedupeKey: null, model: null, ...more }
  const outcome = await assembly.inbox.submit(request)
  if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome))
  return outcome.task
}

let replies = 0
function says(actor: typeof ana, text: string, more: Partial<ReplyRequest> = {}): ReplyRequest {
  replies += 1
  return {
    actor,
    place: THREAD,
    text,
    attachments: [],
    dedupeKey: `reply-${replies}`,
    addressed: false,
    at: null,
    ...more,
  }
}

/** A task whose plan waits for a decision. */
async function waiting(assembly: Assembly): Promise<Task & { status: 'awaiting_approval' }> {
  const { id } = await submit(assembly, 'touch a file')
  const task = await assembly.until(id, 'awaiting_approval')
  if (task.status !== 'awaiting_approval') throw new Error(task.status)
  return task
}

/** As a worker leaves it that dies once the first `ended` commands have ended well. */
async function interruptedAfter(assembly: Assembly, id: number, commands: string[], ended: number): Promise<void> {
  const { store } = assembly
  await store.claim({ id: 'w', leaseMs: 1000, only: id })
  const verdict: PlanVerdict = { decision: 'allow', reasons: [], steps: [] }
  const round = { round: 1, plan: { commands, summary: '', network: null }, hash: 'h', repairOf: null }
  await store.apply(id, { kind: 'plan_allowed', ...round, author: { kind: 'verbatim' }, verdict }, {})
  for (let index = 0; index < ended; index++) {
    await store.apply(id, { kind: 'step_started', round: 1, index }, {})
    await store.apply(id, { kind: 'step_ended', round: 1, index, end: { kind: 'exited', code: 0 } }, {})
  }
  const failed = {
    kind: 'failed',
    reason: 'interrupted',
    detail: '',
    step: null,
    outputs: null,
    redactions: 0,
  } as const
  if ((await store.apply(id, failed, {})).kind !== 'applied') throw new Error('not interrupted')
}

const ASKING = { box: { strength: 'none' as const } }

describe('submit', () => {
  it('is once per key, also at the same moment', async () => {
    await using assembly = await assemble()
    const request = { actor: ana, text: 'x', place: THREAD, attachments: [], dedupeKey: 'slack:T1:C1:1.0', model: null }
    const outcomes = await Promise.all([1, 2, 3].map(() => assembly.inbox.submit(request)))
    expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['created', 'duplicate', 'duplicate'])
    expect(await assembly.inbox.submit(request)).toMatchObject({ kind: 'duplicate', task: { id: 1 } })
  })

  it.each([
    ['', 'Say what you want done'],
    ['   \n', 'Say what you want done'],
    ['a\0b', 'NUL'],
    ['!', 'nothing to run'],
    ['x'.repeat(16 * 1024 + 1), '16 KiB'],
  ])('of %j is refused with what to do', async (text, sentence) => {
    await using assembly = await assemble()
    const outcome = await assembly.inbox.submit({
      actor: ana,
      text,
      place: THREAD,
      attachments: [],
      dedupeKey: null,
      model: null,
    })
    expect(outcome).toMatchObject({ kind: 'invalid', sentence: expect.stringContaining(sentence) })
  })

  it('by who is not listed is refused and audited', async () => {
    await using assembly = await assemble({ access: { ...OPEN_ACCESS, slack: { ...OPEN_ACCESS.slack, users: [] } } })
    const outcome = await assembly.inbox.submit({
      actor: ana,
      text: 'x',
      place: THREAD,
      attachments: [],
      dedupeKey: null,
      model: null,
    })
    expect(outcome.kind).toBe('forbidden')
    const audit = await assembly.inbox.audit(LOCAL, { limit: 10 })
    expect(audit).toMatchObject({ entries: [{ action: 'submit', allowed: false, actor: { userId: 'ana' } }] })
  })

  it('beyond the limit of one person is refused; others still come in', async () => {
    await using assembly = await assemble({ inbox: { limits: { perRequester: 2, perPlace: 100, total: 100 } } })
    await submit(assembly, 'a')
    await submit(assembly, 'b')
    await expect(submit(assembly, 'c')).rejects.toThrow(/2 tasks that have not ended/)
    await submit(assembly, 'd', { actor: ben })
  })

  it('fetches files after it is stored, and the task waits for them', async () => {
    const gate = Promise.withResolvers<void>()
    await using assembly = await assemble({
      inbox: {
        async fetchInput() {
          await gate.promise
          return (async function* () {
            yield Buffer.from('a,b\n1,2\n')
          })()
        },
      },
    })
    const attachment = {
      name: '../evil/data.csv',
      sizeBytes: 8,
      mimeType: 'text/csv',
      source: { kind: 'chat', platform: 'slack', ref: 'F1' },
    }
    const { id } = await submit(assembly, '!cat inputs/*.csv', { attachments: [attachment] })
    await assembly.startWorker()
    expect((await assembly.store.get(id))?.status).toBe('pending')
    gate.resolve()
    const task = await assembly.until(id)
    expect(task).toMatchObject({ status: 'done', inputs: [{ name: 'data.csv', state: 'saved', sizeBytes: 8 }] })
    expect((await assembly.workspace.tail(id, 10)).lines.map((line) => line.text)).toContain('1,2')
  })

  it.each(['setInput', 'apply'] as const)(
    'goes on with its files when the store could not be written once: %s',
    async (what) => {
      const bytes = (async function* () {
        yield Buffer.from('a,b')
      })()
      const fetched: string[] = []
      await using assembly = await assemble({
        inbox: {
          fetchInput(_platform, ref) {
            fetched.push(ref)
            return Promise.resolve(bytes)
          },
        },
      })
      const { store } = assembly
      const real = store[what]
      const failing = () => {
        Object.assign(store, { [what]: real })
        return Promise.reject(new StoreError('busy', 'the store is busy'))
      }
      Object.assign(store, { [what]: failing })
      const source = { kind: 'chat', platform: 'slack', ref: 'F1' }
      const attachment = { name: 'data.csv', sizeBytes: 3, mimeType: 'text/csv', source }
      const { id } = await submit(assembly, '!ls inputs', { attachments: [attachment] })
      await assembly.inbox.idle()
      expect(await assembly.store.claim({ id: 'w', leaseMs: 1000 })).toBeUndefined()
      assembly.clock.advance(60_000)
      await assembly.inbox.idle()
      expect(await assembly.store.claim({ id: 'w', leaseMs: 1000 })).toMatchObject({
        id,
        inputs: [{ name: 'data.csv', state: 'saved' }],
      })
      expect(fetched).toEqual(['F1'])
    },
  )

  it('whose file cannot be fetched fails with its name and why', async () => {
    await using assembly = await assemble({
      inbox: { fetchInput: () => Promise.reject(new Error('the file is gone')) },
    })
    const attachment = {
      name: 'data.csv',
      sizeBytes: 8,
      mimeType: null,
      source: { kind: 'chat', platform: 'slack', ref: 'F1' },
    }
    const { id } = await submit(assembly, 'use it', { attachments: [attachment] })
    expect(await assembly.until(id)).toMatchObject({
      status: 'failed',
      failure: { reason: 'input_unavailable', detail: 'data.csv: the file is gone' },
    })
  })
})

describe('a decision', () => {
  it('by the second one is told who was first', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    await assembly.startWorker()
    const { id, approval } = await waiting(assembly)
    const control = { verb: 'reject', taskId: id, hash: shortHash(approval.hash) } as const
    expect(await assembly.inbox.act(ana, control, { note: 'use mkdir' })).toMatchObject({
      kind: 'done',
      task: { status: 'cancelled' },
    })
    expect(await assembly.inbox.act(person('boss'), { ...control, verb: 'approve' })).toMatchObject({
      kind: 'conflict',
      sentence: `The plan of task #${id} was already rejected by ana (use mkdir).`,
    })
  })

  it('on a plan that was changed since is refused', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    await assembly.startWorker()
    const { id, approval } = await waiting(assembly)
    const hash = shortHash(approval.hash)
    const edited = await assembly.inbox.act(ana, { verb: 'edit', taskId: id, hash }, { commands: ['touch y'] })
    expect(edited).toMatchObject({
      kind: 'done',
      task: { status: 'awaiting_approval', rounds: [{ author: { kind: 'person', person: { userId: 'ana' } } }] },
    })
    expect(await assembly.inbox.act(ana, { verb: 'approve', taskId: id, hash })).toMatchObject({
      kind: 'conflict',
      sentence: expect.stringContaining('changed'),
    })
    await assembly.inbox.act(ana, { verb: 'approve', taskId: id, hash: null })
    expect((await assembly.until(id)).status).toBe('done')
    expect((await assembly.workspace.outputs(id)).files.map((file) => file.path)).toEqual(['y'])
  })

  it('on a plan with other commands asks for the hosts of these, and a model mends nothing that a person wrote', async () => {
    await using assembly = await assemble(ASKING)
    await assembly.startWorker()
    const { id } = await submit(assembly, '!curl -s https://example.com/page')
    await assembly.until(id, 'awaiting_approval')
    const edit = async (command: string) => {
      const outcome = await assembly.inbox.act(ana, { verb: 'edit', taskId: id, hash: null }, { commands: [command] })
      return outcome.kind === 'done' ? outcome.task.rounds.at(-1)?.plan.network : outcome
    }
    expect(await edit('curl -s https://example.org/page')).toMatchObject({ hosts: ['example.org'] })
    expect(await edit('cat no-such-file')).toBeNull()
    await assembly.inbox.act(ana, { verb: 'approve', taskId: id, hash: null })
    expect(await assembly.until(id)).toMatchObject({ status: 'failed', failure: { reason: 'step_failed' } })
    expect((await assembly.store.get(id))?.rounds).toHaveLength(1)
  })

  it('to edit into something that is not allowed is refused with the reason', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    await assembly.startWorker()
    const { id } = await waiting(assembly)
    const outcome = await assembly.inbox.act(
      ana,
      { verb: 'edit', taskId: id, hash: null },
      { commands: ['echo "unfinished'] },
    )
    expect(outcome).toMatchObject({ kind: 'invalid', sentence: expect.stringContaining('policy') })
  })

  it('is in the audit trail, with the plan', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    await assembly.startWorker()
    const { id, approval } = await waiting(assembly)
    await assembly.inbox.act(ben, { verb: 'approve', taskId: id, hash: null })
    await assembly.inbox.act(ana, { verb: 'approve', taskId: id, hash: null })
    const audit = await assembly.inbox.audit(LOCAL, { taskId: id, limit: 10 })
    expect(audit).toMatchObject({
      entries: [
        { action: 'approve', allowed: true, actor: { userId: 'ana' }, detail: `plan ${shortHash(approval.hash)}` },
        { action: 'approve', allowed: false, actor: { userId: 'ben' } },
      ],
    })
  })

  it('after the expiry counts no more, also while no worker runs, and a new plan can be asked for', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    const worker = await assembly.startWorker()
    const { id } = await waiting(assembly)
    await assembly.passing(worker.stop(true))
    assembly.clock.advance(86_400_001)
    expect(await assembly.inbox.act(ana, { verb: 'approve', taskId: id, hash: null })).toMatchObject({
      kind: 'conflict',
      sentence: expect.stringContaining('expired'),
      task: { status: 'cancelled', cancellation: { reason: 'expired' } },
    })
    expect(await assembly.inbox.act(ana, { verb: 'retry', taskId: id, hash: null })).toMatchObject({ kind: 'done' })
  })

  it('that nobody makes expires', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    await assembly.startWorker()
    const { id } = await waiting(assembly)
    assembly.clock.advance(86_400_001)
    for (const { taskId } of await assembly.store.dueApprovals(assembly.clock.now())) {
      await assembly.store.apply(taskId, { kind: 'expired' }, { status: 'awaiting_approval' })
    }
    expect(await assembly.until(id)).toMatchObject({ status: 'cancelled', cancellation: { reason: 'expired' } })
  })
})

describe('children', () => {
  it('retry plans afresh in a clean folder; the parent does not change', async () => {
    await using assembly = await assemble({ replies: [['touch a; false'], ['false'], ['false'], ['ls']] })
    await assembly.startWorker()
    const { id } = await submit(assembly, 'list things')
    const failed = await assembly.until(id)
    const outcome = await assembly.inbox.act(ana, { verb: 'retry', taskId: id, hash: null })
    expect(outcome).toMatchObject({
      kind: 'done',
      sentence: `Task #${id + 1} asks the same again as #${id}.`,
      task: { kind: 'retry', parentId: id, description: 'list things', place: THREAD },
    })
    if (outcome.kind !== 'done') return
    expect((await assembly.until(outcome.task.id)).status).toBe('done')
    expect((await assembly.workspace.outputs(outcome.task.id)).files).toEqual([])
    expect(await assembly.store.get(id)).toEqual(failed)
  })

  it('run again exactly needs no model', async () => {
    await using assembly = await assemble({ replies: [['echo one > a']] })
    await assembly.startWorker()
    const { id } = await submit(assembly, 'write one')
    await assembly.until(id)
    const outcome = await assembly.inbox.act(ana, { verb: 'rerun', taskId: id, hash: null })
    if (outcome.kind !== 'done') throw new Error(outcome.sentence)
    expect(outcome.sentence).toBe(`Task #${outcome.task.id} runs the same commands as #${id} again.`)
    expect(await assembly.until(outcome.task.id)).toMatchObject({ status: 'done', kind: 'rerun' })
  })

  it('run again exactly of what has no plan says that it is a retry', async () => {
    await using assembly = await assemble()
    const { id } = await submit(assembly, 'list things')
    await assembly.inbox.act(ana, { verb: 'cancel', taskId: id, hash: null })
    const outcome = await assembly.inbox.act(ana, { verb: 'rerun', taskId: id, hash: null })
    expect(outcome).toMatchObject({
      kind: 'done',
      task: { kind: 'retry' },
      sentence: expect.stringContaining('is a retry'),
    })
  })

  it('a task that has not ended is not retried', async () => {
    await using assembly = await assemble()
    const { id } = await submit(assembly, '!true')
    expect(await assembly.inbox.act(ana, { verb: 'retry', taskId: id, hash: null })).toMatchObject({ kind: 'conflict' })
  })

  it('editing the commands of what has ended runs them as written', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await submit(assembly, '!exit 1')
    await assembly.until(id)
    const commands = ['cat > a <<E\ntwo\nlines\nE', 'wc -l < a']
    const outcome = await assembly.inbox.act(LOCAL, { verb: 'edit', taskId: id, hash: null }, { commands })
    if (outcome.kind !== 'done') throw new Error(outcome.sentence)
    const child = await assembly.until(outcome.task.id)
    expect(child).toMatchObject({ status: 'done', rounds: [{ plan: { commands } }] })
  })

  it('edited commands with an empty one are refused, never given to the model', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await submit(assembly, '!exit 1')
    await assembly.until(id)
    for (const commands of [['echo a', ' \n '], []]) {
      const outcome = await assembly.inbox.act(LOCAL, { verb: 'edit', taskId: id, hash: null }, { commands })
      expect(outcome).toMatchObject({ kind: 'invalid', sentence: expect.stringContaining('cannot be used') })
    }
  })

  it('an approver who is on no other list edits what waits, and starts nothing of their own', async () => {
    const slack = { ...OPEN_ACCESS.slack, users: ['ana'], approvers: ['lead'] }
    await using assembly = await assemble({ access: { ...OPEN_ACCESS, slack } })
    await assembly.startWorker()
    const { id } = await submit(assembly, '!exit 1')
    await assembly.until(id)
    const edit = { verb: 'edit', taskId: id, hash: null } as const
    expect(await assembly.inbox.act(person('lead'), edit, { commands: ['true'] })).toMatchObject({ kind: 'forbidden' })
  })

  it('run again exactly runs what went well before a repair, then the repair', async () => {
    await using assembly = await assemble({ replies: [['echo one > a', 'false', 'echo never'], ['cat a']] })
    await assembly.startWorker()
    const { id } = await submit(assembly, 'write one')
    expect((await assembly.until(id)).rounds).toHaveLength(2)
    const outcome = await assembly.inbox.act(ana, { verb: 'rerun', taskId: id, hash: null })
    if (outcome.kind !== 'done') throw new Error(outcome.sentence)
    const again = await assembly.until(outcome.task.id)
    expect(again).toMatchObject({ status: 'done', rounds: [{ plan: { commands: ['echo one > a', 'cat a'] } }] })
  })

  it.each([
    [['cd /tmp', 'true'], 1, 'Start over instead'],
    [['x=1; export x', 'true'], 1, 'Start over instead'],
    [['true', 'true'], 2, 'nothing to resume'],
  ])('resume of %j after %i commands is refused', async (commands, ended, sentence) => {
    await using assembly = await assemble()
    const { id } = await submit(assembly, commands.map((command) => `!${command}`).join('\n'))
    await interruptedAfter(assembly, id, commands, ended)
    expect(await assembly.inbox.act(ana, { verb: 'resume', taskId: id, hash: null })).toMatchObject({
      kind: 'conflict',
      sentence: expect.stringContaining(sentence),
    })
  })

  it('resume runs what is left, in a copy of the folder', async () => {
    await using assembly = await assemble({ replies: [['echo kept > a', 'sleep 1000', 'cat a']] })
    const worker = await assembly.startWorker()
    const { id } = await submit(assembly, 'three steps')
    await expect.poll(async () => (await assembly.store.get(id))?.rounds[0]?.steps[1]?.state).toBe('running')
    await assembly.passing(worker.stop(true))
    const interrupted = await assembly.until(id)
    expect(interrupted).toMatchObject({ status: 'failed', failure: { reason: 'interrupted', step: 1 } })
    const outcome = await assembly.inbox.act(ana, { verb: 'resume', taskId: id, hash: null })
    if (outcome.kind !== 'done') throw new Error(outcome.sentence)
    expect(outcome.task.kind).toBe('resume')
    await assembly.startWorker({ stepTimeoutMs: 300 })
    const resumed = await assembly.until(outcome.task.id, 'running')
    expect(resumed.rounds[0]?.plan.commands).toEqual(['sleep 1000', 'cat a'])
    const again = { verb: 'resume', taskId: id, hash: null } as const
    expect(await assembly.inbox.act(ana, again)).toMatchObject({
      kind: 'conflict',
      sentence: `Task #${id} is already resumed as #${resumed.id}.`,
    })
    await assembly.inbox.act(ana, { verb: 'cancel', taskId: resumed.id, hash: null })
    await assembly.until(resumed.id)
    await assembly.inbox.act(ana, { verb: 'discard', taskId: id, hash: null })
    expect(await assembly.inbox.act(ana, again)).toMatchObject({
      kind: 'conflict',
      sentence: `The files of task #${id} are gone, so there is nothing to go on with; restart it instead.`,
    })
  })

  it('discard is refused while a child waits to go on with the files', async () => {
    await using assembly = await assemble()
    const worker = await assembly.startWorker()
    const { id } = await submit(assembly, '!echo x > a')
    await assembly.until(id)
    await assembly.passing(worker.stop(true))
    const child = await assembly.inbox.reply(says(ana, 'use b'))
    if (child.kind !== 'done') throw new Error(child.kind)
    const discard = { verb: 'discard', taskId: id, hash: null } as const
    expect(await assembly.inbox.act(ana, discard)).toMatchObject({
      kind: 'conflict',
      sentence: expect.stringContaining(`#${child.task.id}`),
    })
    expect(await assembly.workspace.exists(id)).toBe(true)
    await assembly.inbox.act(ana, { verb: 'cancel', taskId: child.task.id, hash: null })
    expect(await assembly.inbox.act(ana, discard)).toMatchObject({ kind: 'done' })
  })

  it('a refinement of files that are gone fails, instead of running without them', async () => {
    await using assembly = await assemble({ replies: [['ls']] })
    await assembly.startWorker()
    const { id } = await submit(assembly, '!echo x > a')
    await assembly.until(id)
    await assembly.inbox.act(ana, { verb: 'discard', taskId: id, hash: null })
    const child = await assembly.inbox.reply(says(ana, 'use b'))
    if (child.kind !== 'done') throw new Error(child.kind)
    expect(await assembly.until(child.task.id)).toMatchObject({ failure: { reason: 'workspace_lost' } })
  })

  it('discard removes what it left; the record stays', async () => {
    await using assembly = await assemble()
    await assembly.startWorker()
    const { id } = await submit(assembly, '!echo x > a')
    await assembly.until(id)
    await assembly.inbox.act(ana, { verb: 'discard', taskId: id, hash: null })
    expect(await assembly.workspace.exists(id)).toBe(false)
    expect((await assembly.store.get(id))?.status).toBe('done')
  })
})

describe('a reply in the thread', () => {
  it('by the requester refines: a child with a copy of the folder, told what was done and said', async () => {
    const seen: unknown[] = []
    await using assembly = await assemble({
      replies: [
        ['echo 90 > quality'],
        (request) => {
          seen.push({ remark: request.remark, history: request.history, files: request.files.map((file) => file.path) })
          return scriptedPlan(['cat quality', 'echo 80 > quality'])
        },
      ],
    })
    await assembly.startWorker()
    const { id } = await submit(assembly, 'write the quality')
    await assembly.until(id)
    const outcome = await assembly.inbox.reply(says(ana, 'use quality 80'))
    expect(outcome).toMatchObject({ kind: 'done', task: { kind: 'refine', parentId: id } })
    if (outcome.kind !== 'done') return
    expect(await assembly.until(outcome.task.id)).toMatchObject({ status: 'done' })
    expect((await assembly.workspace.tail(outcome.task.id, 20)).lines.map((line) => line.text)).toContain('90')
    expect(seen).toMatchObject([
      {
        remark: 'use quality 80',
        history: [{ description: 'write the quality', steps: [{ command: 'echo 90 > quality' }] }],
        files: ['quality'],
      },
    ])
  })

  it('while it runs is queued, never dropped, and starts when it has ended; a second one follows the first', async () => {
    await using assembly = await assemble({ replies: [['echo second'], ['echo third']] })
    const first = await submit(assembly, '!echo first')
    const second = await assembly.inbox.reply(says(ana, 'and then the second'))
    const third = await assembly.inbox.reply(says(ana, 'and then the third'))
    expect(second).toMatchObject({ kind: 'queued', task: { afterId: first.id } })
    if (second.kind !== 'queued' || third.kind !== 'queued') throw new Error('not queued')
    expect(third.task).toMatchObject({ afterId: second.task.id, parentId: second.task.id })
    await assembly.startWorker()
    expect((await assembly.until(third.task.id)).status).toBe('done')
    const order = [first.id, second.task.id, third.task.id]
    const ends = await Promise.all(order.map(async (id) => (await assembly.store.get(id))?.endedAt ?? 0))
    expect([...ends].sort((a, b) => a - b)).toEqual(ends)
  })

  it('the same twice is one child', async () => {
    await using assembly = await assemble()
    await submit(assembly, '!true')
    const request = says(ana, 'use PNG')
    const [one, two] = [await assembly.inbox.reply(request), await assembly.inbox.reply(request)]
    expect(one).toMatchObject({ task: { id: 2 } })
    expect(two).toMatchObject({ task: { id: 2 } })
  })

  it('by others is talk, unless they address the assistant or use a control word, and then they have to be allowed to', async () => {
    await using assembly = await assemble()
    await submit(assembly, '!true')
    expect(await assembly.inbox.reply(says(ben, 'I think PNG is better'))).toEqual({ kind: 'ignored' })
    expect(await assembly.inbox.reply(says(ben, 'no'))).toEqual({ kind: 'ignored' })
    expect(await assembly.inbox.reply(says(ben, 'cancel'))).toMatchObject({
      kind: 'forbidden',
      sentence: 'Only ana or an admin may do this.',
    })
    expect(await assembly.inbox.reply(says(ben, 'status'))).toMatchObject({ kind: 'show', what: 'status' })
    expect(await assembly.inbox.reply(says(ben, 'use PNG', { addressed: true }))).toMatchObject({ kind: 'queued' })
    expect(await assembly.inbox.reply(says(person('eve', { scope: 'T9' }), 'cancel'))).toMatchObject({
      kind: 'forbidden',
    })
  })

  it('"stop" means what runs and what waits behind it, and then whatever still lives', async () => {
    await using assembly = await assemble()
    const { inbox, store } = assembly
    const other = await submit(assembly, '!sleep 98')
    const first = await submit(assembly, '!sleep 99')
    await store.claim({ id: 'w', leaseMs: 30_000, only: first.id })
    const second = await inbox.reply(says(ana, 'use five instead'))
    if (second.kind !== 'queued') throw new Error(second.kind)
    expect(await inbox.reply(says(ana, 'stop'))).toMatchObject({
      kind: 'done',
      task: { id: first.id },
      sentence: `Task #${second.task.id} is cancelled. Stopping task #${first.id}.`,
    })
    expect(await store.get(second.task.id)).toMatchObject({ status: 'cancelled' })
    expect(await store.get(first.id)).toMatchObject({ cancelRequestedBy: { userId: 'ana' } })
    expect(await store.get(other.id)).toMatchObject({ status: 'pending' })
    await applied(store, first.id, cancelled())
    expect(await inbox.reply(says(ana, 'stop'))).toMatchObject({ kind: 'done', task: { id: other.id } })
    expect(await inbox.reply(says(ana, 'stop'))).toEqual({ kind: 'ignored' })
  })

  it('thanks and emoji ask for nothing', async () => {
    await using assembly = await assemble()
    await submit(assembly, '!true')
    for (const text of ['thanks!', '👍', 'wait'])
      expect(await assembly.inbox.reply(says(ana, text))).toEqual({ kind: 'ignored' })
  })

  it('yes approves the plan that waits; a sentence overtakes it', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x'], ['touch y']] })
    await assembly.startWorker()
    const first = await waiting(assembly)
    const outcome = await assembly.inbox.reply(says(ana, 'call it y'))
    expect(outcome).toMatchObject({ kind: 'done', task: { kind: 'refine' } })
    expect(await assembly.store.get(first.id)).toMatchObject({
      status: 'cancelled',
      cancellation: { reason: 'superseded' },
    })
    if (outcome.kind !== 'done') return
    await assembly.until(outcome.task.id, 'awaiting_approval')
    await assembly.inbox.reply(says(ana, 'yes'))
    expect((await assembly.until(outcome.task.id)).status).toBe('done')
  })

  it('that comes twice overtakes the waiting plan once, and never what it has made', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x'], ['touch y']] })
    await assembly.startWorker()
    const first = await waiting(assembly)
    const request = says(ana, 'call it y')
    const made = await assembly.inbox.reply(request)
    if (made.kind !== 'done') throw new Error(made.kind)
    await assembly.until(made.task.id, 'awaiting_approval')
    expect(await assembly.inbox.reply(request)).toMatchObject({
      kind: 'done',
      task: { id: made.task.id, status: 'awaiting_approval' },
      sentence: `Task #${made.task.id} continues from #${first.id}.`,
    })
    expect((await assembly.store.get(made.task.id))?.status).toBe('awaiting_approval')
  })

  it.each(['reply', 'replan'] as const)('(%s) that is refused leaves the waiting plan as it is', async (how) => {
    const limits = { perRequester: 1, perPlace: 100, total: 100 }
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']], inbox: { limits } })
    await assembly.startWorker()
    const { id } = await waiting(assembly)
    const outcome =
      how === 'reply'
        ? await assembly.inbox.reply(says(ana, 'call it y'))
        : await assembly.inbox.act(ana, { verb: 'replan', taskId: id, hash: null })
    expect(outcome.kind).toBe('full')
    expect((await assembly.store.get(id))?.status).toBe('awaiting_approval')
  })

  it('replan puts the waiting plan aside for a new one, which is planned at once', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x'], ['touch y']] })
    await assembly.startWorker()
    const { id } = await waiting(assembly)
    const again = { verb: 'replan', taskId: id, hash: null } as const
    const outcome = await assembly.inbox.act(ana, again, { dedupeKey: 'replan-1' })
    if (outcome.kind !== 'done') throw new Error(outcome.sentence)
    expect(outcome.task).toMatchObject({ kind: 'retry', parentId: id, afterId: null })
    expect(await assembly.store.get(id)).toMatchObject({ cancellation: { reason: 'superseded' } })
    await assembly.until(outcome.task.id, 'awaiting_approval')
    expect(await assembly.inbox.act(ana, again, { dedupeKey: 'replan-1' })).toMatchObject({
      task: { id: outcome.task.id },
    })
  })

  it('yes, written before the plan was changed, does not approve what it has become', async () => {
    await using assembly = await assemble({ ...ASKING, replies: [['touch x']] })
    await assembly.startWorker()
    const { id } = await waiting(assembly)
    const at = assembly.clock.now() + 1000
    assembly.clock.advance(2000)
    await assembly.inbox.act(ana, { verb: 'edit', taskId: id, hash: null }, { commands: ['touch y'] })
    expect(await assembly.inbox.reply(says(ana, 'yes', { at }))).toMatchObject({
      kind: 'conflict',
      sentence: expect.stringContaining('changed'),
    })
    expect((await assembly.store.get(id))?.status).toBe('awaiting_approval')
    expect(await assembly.inbox.reply(says(ana, 'yes', { at: at + 2000 }))).toMatchObject({ kind: 'done' })
  })

  it('that a platform brings late does nothing to a task that was not there when it was written', async () => {
    await using assembly = await assemble(ASKING)
    const { clock, inbox, store } = assembly
    const first = await submit(assembly, 'touch a file')
    const at = clock.now() + 1000
    clock.advance(60_000)
    const second = await submit(assembly, 'touch another')
    for (const word of ['cancel', 'retry']) {
      expect(await inbox.reply(says(ana, word, { at })), word).toMatchObject({
        kind: 'conflict',
        sentence: expect.stringContaining(`before task #${second.id}`),
      })
    }
    for (const { id } of [first, second]) expect(await store.get(id)).toMatchObject({ status: 'pending' })
    expect(await inbox.reply(says(ana, 'cancel', { at: clock.now() - 2000 }))).toMatchObject({ kind: 'done' })
    expect(await store.get(second.id)).toMatchObject({ status: 'cancelled' })
  })

  it('where there is no task is said so', async () => {
    await using assembly = await assemble()
    expect(await assembly.inbox.reply(says(ana, 'hello'))).toMatchObject({ kind: 'not_found' })
  })
})

describe('questions', () => {
  it('a followed log ends when its task does, also with nothing more printed', async () => {
    await using assembly = await assemble()
    const { id } = await submit(assembly, '!true')
    await assembly.workspace.prepare(id, { copyFrom: null, owner: null })
    const followed = await assembly.inbox.follow(ana, id, 0, AbortSignal.timeout(30_000))
    if (followed.kind !== 'lines') throw new Error(followed.kind)
    const iterator = followed.lines[Symbol.asyncIterator]()
    const idle = assembly.clock.waiting
    const end = iterator.next()
    await eventually(() => expect(assembly.clock.waiting).toBeGreaterThan(idle))
    await assembly.inbox.act(ana, { verb: 'cancel', taskId: id, hash: null })
    expect(await end).toMatchObject({ done: true })
  })

  it('show nobody what they may not see', async () => {
    await using assembly = await assemble()
    const { id } = await submit(assembly, '!true')
    const stranger = person('eve', { channelId: 'C9' })
    const { inbox } = assembly
    for (const answer of [
      await inbox.get(stranger, id),
      await inbox.tail(stranger, id, 10),
      await inbox.wholeLog(stranger, id),
      await inbox.outputs(stranger, id),
      await inbox.openOutput(stranger, id, 'x'),
      await inbox.archive(stranger, id),
      await inbox.follow(stranger, id, 0, AbortSignal.timeout(1000)),
    ]) {
      expect(answer.kind).toBe('forbidden')
    }
    expect(await inbox.audit(ana, { limit: 1 })).toMatchObject({ kind: 'forbidden' })
    const seen: Task[] = []
    for await (const task of inbox.watch(stranger, id, AbortSignal.timeout(1000))) seen.push(task)
    expect(seen).toEqual([])
  })

  it('say where a task stands in line, and not to who may not see it', async () => {
    await using assembly = await assemble({
      access: { ...OPEN_ACCESS, slack: { ...OPEN_ACCESS.slack, users: ['ana'] } },
    })
    const { inbox, store } = assembly
    await submit(assembly, 'one')
    await submit(assembly, 'two')
    const [one, two] = [await store.get(1), await store.get(2)]
    if (one === undefined || two === undefined) throw new Error('no tasks')
    expect(await inbox.queuePosition(ana, two)).toEqual({ position: 2, estimateMs: null })
    expect(await inbox.queuePosition(ben, two)).toBeNull()
    const claimed = await store.claim({ id: 'w', leaseMs: 1000, only: 1 })
    expect(await inbox.queuePosition(ana, claimed ?? one)).toBeNull()
    expect(await inbox.queuePosition(ana, two)).toMatchObject({ position: 1 })
  })

  it("list a person's own tasks, or a place's; the terminal lists all", async () => {
    await using assembly = await assemble()
    await submit(assembly, 'one')
    await submit(assembly, 'two', { actor: ben })
    const ids = async (actor: typeof ana) => {
      const page = await assembly.inbox.list(actor, { limit: 10 })
      return page.kind === 'page' ? page.tasks.map((task) => task.id) : page
    }
    expect(await ids(ana)).toEqual([1])
    expect(await ids(ben)).toEqual([2])
    expect(await ids(LOCAL)).toEqual([2, 1])
  })

  it('list as JSON only to those who see every task', async () => {
    await using assembly = await assemble()
    await submit(assembly, 'one')
    await submit(assembly, 'two', { actor: ben })
    const { inbox } = assembly
    const page = await inbox.listJson(LOCAL, { limit: 1 })
    expect(page).toEqual({ kind: 'page', tasks: expect.stringMatching(/^\[\{"id":2,.*\}\]$/), nextBeforeId: 2 })
    expect(await inbox.listJson({ ...LOCAL, apiScopes: ['submit'] }, { limit: 1 })).toMatchObject({ kind: 'forbidden' })
    expect(await inbox.listJson(ana, { limit: 1 })).toMatchObject({ kind: 'forbidden' })
  })

  it('list nothing to a stranger, nor to a token that may not read', async () => {
    await using assembly = await assemble({
      access: { ...OPEN_ACCESS, slack: { ...OPEN_ACCESS.slack, users: ['ana'] } },
    })
    await submit(assembly, 'one')
    const kinds = async (actor: typeof ana, query = {}) =>
      (await assembly.inbox.list(actor, { limit: 10, ...query })).kind
    expect(await kinds(ana)).toBe('page')
    expect(await kinds(ben)).toBe('forbidden')
    expect(await kinds(ben, { place: { platform: 'slack', key: 'C1:1' } })).toBe('forbidden')
    expect(await kinds({ ...LOCAL, platform: 'api', apiScopes: ['submit', 'approve'] })).toBe('forbidden')
    expect(await kinds({ ...LOCAL, platform: 'api', apiScopes: ['read'] })).toBe('page')
  })

  it("list of a place only what the one who asks could see there: not another channel's tasks", async () => {
    await using assembly = await assemble()
    const place = { platform: 'slack', key: 'C2:1', channelId: 'C2', thread: true } as const
    await submit(assembly, 'told in C2', { place })
    const seenFrom = async (channelId: string) => {
      const page = await assembly.inbox.list({ ...ben, channelId }, { place, limit: 10 })
      return page.kind === 'page' ? page.tasks.map((task) => task.id) : page
    }
    expect(await seenFrom('C2')).toEqual([1])
    expect(await seenFrom('C1')).toEqual([])
  })
})

/**
 * A scripted inbox for tests of the chat adapters: remembers every call, keeps tasks in memory, and answers what a test has set.
 * It decides nothing: whoever asks may, unless `refuse` says otherwise.
 */
import { Readable } from 'node:stream'
import type { Action, Actor } from '../../src/core/actor.ts'
import type { Control } from '../../src/core/controls.ts'
import type { Task } from '../../src/core/task.ts'
import { isFinal } from '../../src/core/task.ts'
import { summaryJson } from '../../src/core/task-json.ts'
import type {
  ActDetails,
  ActOutcome,
  Inbox,
  RefineRequest,
  Refusal,
  ReplyOutcome,
  ReplyRequest,
  SubmitOutcome,
  SubmitRequest,
} from '../../src/ports/inbox.ts'
import type { LogLine, OutputFile } from '../../src/ports/workspace.ts'

/** The parts of a task that are the same in every status, with values a test can overwrite. */
export type SampleTask = Partial<Omit<Task, 'status' | 'answer' | 'failure' | 'cancellation'>>

/** A pending task. Other statuses: `{ ...sampleTask(), status: 'done', answer: '…' }`. */
export function sampleTask(overrides: SampleTask = {}): Task {
  const base = {
    id: 1,
    description: 'convert all PNGs here to WebP',
    kind: 'request' as const,
    parentId: null,
    afterId: null,
    requester: { platform: 'console' as const, scope: '', userId: 'u1', name: 'Ana' },
    place: null,
    model: null,
    round: 0,
    lease: null,
    cancelRequestedBy: null,
    createdAt: 0,
    updatedAt: 0,
    startedAt: null,
    endedAt: null,
    inputs: [],
    rounds: [],
    phase: null,
    redactions: 0,
    outputs: null,
  }
  return { ...base, ...overrides, approval: overrides.approval ?? null, status: 'pending' }
}

export interface FakeInbox extends Inbox {
  readonly submitted: SubmitRequest[]
  readonly replies: ReplyRequest[]
  readonly refined: RefineRequest[]
  readonly acts: { actor: Actor; control: Control; details: ActDetails | undefined }[]
  readonly tasks: Map<number, Task>
  readonly logs: Map<number, string>
  readonly files: Map<number, { file: OutputFile; bytes: Buffer }[]>
  /** What the next submit, reply and act do instead; taken away when used. Throw in them to play a broken store. */
  readonly next: {
    submit: ((request: SubmitRequest) => SubmitOutcome | Promise<SubmitOutcome>)[]
    reply: ((request: ReplyRequest) => ReplyOutcome | Promise<ReplyOutcome>)[]
    act: ((control: Control) => ActOutcome | Promise<ActOutcome>)[]
  }
  /** Asked before everything; answer a sentence to refuse, null to let it pass. */
  refuse: (actor: Actor, action: Action, taskId: number | null) => string | null
}

const NO_TASK: Refusal = { kind: 'not_found', sentence: 'There is no such task.' }

export function fakeInbox(): FakeInbox {
  const byKey = new Map<string, number>()
  const watchers = new Set<() => void>()
  const inbox: FakeInbox = {
    submitted: [],
    replies: [],
    refined: [],
    acts: [],
    tasks: new Map(),
    logs: new Map(),
    files: new Map(),
    next: { submit: [], reply: [], act: [] },
    refuse: () => null,

    async submit(request) {
      inbox.submitted.push(request)
      const scripted = inbox.next.submit.shift()
      if (scripted !== undefined) return scripted(request)
      const sentence = inbox.refuse(request.actor, 'submit', null)
      if (sentence !== null) return { kind: 'forbidden', sentence }
      const known = request.dedupeKey === null ? undefined : byKey.get(request.dedupeKey)
      const existing = known === undefined ? undefined : inbox.tasks.get(known)
      if (existing !== undefined) return { kind: 'duplicate', task: existing }
      const task = newTask(inbox, request)
      if (request.dedupeKey !== null) byKey.set(request.dedupeKey, task.id)
      inbox.tasks.set(task.id, task)
      for (const wake of watchers) wake()
      return { kind: 'created', task }
    },

    async act(actor, control, details) {
      inbox.acts.push({ actor, control, details })
      const scripted = inbox.next.act.shift()
      if (scripted !== undefined) return scripted(control)
      const found = look(inbox, actor, 'cancel', control.taskId)
      if (!('task' in found)) return found
      return { kind: 'done', task: found.task, sentence: `Done: ${control.verb} of task #${control.taskId}.` }
    },

    async reply(request) {
      inbox.replies.push(request)
      const scripted = inbox.next.reply.shift()
      if (scripted !== undefined) return scripted(request)
      const here = [...inbox.tasks.values()].some((task) => task.place?.key === request.place.key)
      return here ? { kind: 'ignored' } : NO_TASK
    },

    async refine(request) {
      inbox.refined.push(request)
      const found = look(inbox, request.actor, 'refine', request.taskId)
      return 'task' in found ? { kind: 'done', task: found.task, sentence: 'Noted.' } : found
    },

    async may(actor, action, taskId) {
      return inbox.refuse(actor, action, taskId) === null
    },

    async get(actor, taskId) {
      const found = look(inbox, actor, 'view', taskId)
      return 'task' in found ? { kind: 'found', task: found.task } : found
    },

    queuePosition: async () => null,

    async list(actor, query) {
      const sentence = inbox.refuse(actor, 'view', null)
      if (sentence !== null) return { kind: 'forbidden', sentence }
      const tasks = [...inbox.tasks.values()]
        .filter((task) => query.status === undefined || query.status.includes(task.status))
        .filter((task) => query.requester === undefined || query.requester.userId === task.requester.userId)
        .filter((task) => query.place === undefined || query.place.key === task.place?.key)
        .sort((a, b) => b.id - a.id)
      return { kind: 'page', tasks: tasks.slice(0, query.limit), nextBeforeId: null }
    },

    async listJson(actor, query) {
      const page = await inbox.list(actor, query)
      return page.kind === 'page' ? { ...page, tasks: JSON.stringify(page.tasks.map(summaryJson)) } : page
    },

    async tail(actor, taskId, lines) {
      const found = look(inbox, actor, 'view', taskId)
      if (!('task' in found)) return found
      const all = logLines(inbox.logs.get(taskId) ?? '')
      const sizeBytes = Buffer.byteLength(inbox.logs.get(taskId) ?? '')
      return { kind: 'tail', tail: { lines: all.slice(-lines), endOffset: sizeBytes, sizeBytes, lastWriteAt: null } }
    },

    async follow(actor, taskId) {
      const found = look(inbox, actor, 'view', taskId)
      if (!('task' in found)) return found
      return { kind: 'lines', lines: iterate(logLines(inbox.logs.get(taskId) ?? '')) }
    },

    async wholeLog(actor, taskId) {
      const found = look(inbox, actor, 'view', taskId)
      if (!('task' in found)) return found
      const bytes = Buffer.from(inbox.logs.get(taskId) ?? '')
      return { kind: 'log', stream: Readable.from([bytes]), sizeBytes: bytes.length }
    },

    async outputs(actor, taskId) {
      const found = look(inbox, actor, 'view', taskId)
      if (!('task' in found)) return found
      const files = (inbox.files.get(taskId) ?? []).map((entry) => entry.file)
      const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
      return { kind: 'outputs', files, totals: { files: files.length, bytes }, omitted: 0 }
    },

    async openOutput(actor, taskId, path) {
      const found = look(inbox, actor, 'view', taskId)
      if (!('task' in found)) return found
      const entry = inbox.files.get(taskId)?.find((each) => each.file.path === path)
      if (entry === undefined) return { kind: 'not_found', sentence: 'There is no such file.' }
      return { kind: 'opened', file: entry.file, stream: Readable.from([entry.bytes]) }
    },

    async archive(actor, taskId) {
      const found = look(inbox, actor, 'view', taskId)
      return 'task' in found ? { kind: 'archive', stream: Readable.from([Buffer.from('zip')]) } : found
    },

    delivery: async () => ({ kind: 'delivery', place: null, failure: null, attempts: 0, isTold: true }),
    async redeliver(_actor, taskId) {
      const task = inbox.tasks.get(taskId)
      const missing = { kind: 'not_found', sentence: `There is no task #${taskId}.` } as const
      return task === undefined ? missing : { kind: 'done', task, sentence: 'Told once more.' }
    },
    stoppedLoops: async () => ({ kind: 'loops', loops: [] }),
    resetLoops: async () => ({ kind: 'loops', loops: [] }),
    async audit() {
      return { kind: 'entries', entries: [] }
    },

    async *watch(_actor, taskId, signal) {
      while (!signal.aborted) {
        const task = inbox.tasks.get(taskId)
        if (task !== undefined) yield task
        if (task === undefined || isFinal(task.status)) return
        await new Promise<void>((resolve) => {
          watchers.add(resolve)
          signal.addEventListener('abort', () => resolve(), { once: true })
        })
      }
    },
  }
  return inbox
}

function newTask(inbox: FakeInbox, request: SubmitRequest): Task {
  const { actor } = request
  return sampleTask({
    id: Math.max(0, ...inbox.tasks.keys()) + 1,
    description: request.text,
    requester: { platform: actor.platform, scope: actor.scope, userId: actor.userId, name: actor.name },
    place: request.place,
    model: request.model,
    inputs: request.attachments.map(({ name, sizeBytes, mimeType, source }) => ({
      name,
      sizeBytes,
      mimeType,
      source,
      state: 'waiting',
      problem: null,
    })),
  })
}

function look(inbox: FakeInbox, actor: Actor, action: Action, taskId: number): { task: Task } | Refusal {
  const sentence = inbox.refuse(actor, action, taskId)
  if (sentence !== null) return { kind: 'forbidden', sentence }
  const task = inbox.tasks.get(taskId)
  return task === undefined ? NO_TASK : { task }
}

function logLines(text: string): LogLine[] {
  let offset = 0
  return text
    .split('\n')
    .filter((line, index, all) => index < all.length - 1 || line !== '')
    .map((line) => {
      const begin = offset
      offset += Buffer.byteLength(line) + 1
      return { offset: begin, nextOffset: offset, text: line, ours: false }
    })
}

async function* iterate<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}

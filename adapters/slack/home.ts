/** App Home: what runs, what waits for a decision, the last tasks, how to use it, and whether all is well. */
import type { types } from '@slack/bolt'
import type { Actor } from '../../src/core/actor.ts'
import { shortHash } from '../../src/core/approval.ts'
import { encodeControl, type Verb } from '../../src/core/controls.ts'
import type { TaskSummary } from '../../src/core/task.ts'
import { isFinal } from '../../src/core/task.ts'
import { button, context, section } from './blocks.ts'
import type { Desk } from './desk.ts'
import { helpBlocks } from './help.ts'
import { LIMITS } from './limits.ts'
import { taskLine } from './show.ts'

export interface HomeContent {
  /** '' when all is well. */
  problem: string
  /** What the person may not do here; null when they may. */
  refusal: string | null
  tasks: readonly TaskSummary[]
  /** With the short hash of the plan that waits: a button decides on that plan and no other. */
  toDecide: readonly { task: TaskSummary; hash: string }[]
}

/** Throws AdapterError. */
export async function publishHome(desk: Desk, userId: string): Promise<void> {
  const actor = await desk.people.actor({ userId, teamId: null, channelId: '', isDirect: true })
  const content = await contentFor(desk, actor)
  await desk.wire.call('views.publish', { user_id: userId, view: homeView(content, desk) })
}

async function contentFor(desk: Desk, actor: Actor): Promise<HomeContent> {
  const mayUse = await desk.inbox.may(actor, 'submit', null)
  const requester = { platform: actor.platform, userId: actor.userId }
  const mine = await desk.inbox.list(actor, { requester, limit: LIMITS.homeTasks })
  const waiting = await desk.inbox.list(actor, { status: ['awaiting_approval'], limit: LIMITS.homeTasks })
  const toDecide =
    waiting.kind === 'page' ? await Promise.all(waiting.tasks.map((task) => decidable(desk, actor, task.id))) : []
  return {
    problem: desk.wire.problem,
    refusal: mayUse ? null : 'You are not on the list of people who may use the assistant. Ask whoever runs it.',
    tasks: mine.kind === 'page' ? mine.tasks : [],
    toDecide: toDecide.flat(),
  }
}

async function decidable(desk: Desk, actor: Actor, taskId: number): Promise<HomeContent['toDecide']> {
  if (!(await desk.inbox.may(actor, 'approve', taskId))) return []
  const found = await desk.inbox.get(actor, taskId)
  if (found.kind !== 'found' || found.task.status !== 'awaiting_approval') return []
  return [{ task: found.task, hash: shortHash(found.task.approval.hash) }]
}

export function homeView(content: HomeContent, { self, command }: Pick<Desk, 'self' | 'command'>): types.HomeView {
  const running = content.tasks.filter((task) => !isFinal(task.status))
  const ended = content.tasks.filter((task) => isFinal(task.status))
  return {
    type: 'home',
    blocks: [
      section(content.problem === '' ? '🟢 *All is well*' : '🔴 *Something is wrong*'),
      ...context([content.problem, content.refusal ?? ''].filter((line) => line !== '')),
      ...toDecideGroup(content.toDecide),
      ...group('⏳ Yours, not finished', running, runningButtons),
      ...group('Your last tasks', ended, endedButtons),
      ...(content.tasks.length === 0 ? [section('You have no tasks yet.')] : []),
      { type: 'divider' },
      ...helpBlocks(command, self.botUserId),
    ],
  }
}

function group(
  title: string,
  tasks: readonly TaskSummary[],
  buttons: (task: TaskSummary) => types.Button[],
): types.KnownBlock[] {
  if (tasks.length === 0) return []
  const rows = tasks.flatMap((task): types.KnownBlock[] => [
    section(taskLine(task)),
    { type: 'actions', elements: buttons(task) },
  ])
  return [{ type: 'header', text: { type: 'plain_text', text: title } }, ...rows]
}

function toDecideGroup(waiting: HomeContent['toDecide']): types.KnownBlock[] {
  const hashes = new Map(waiting.map(({ task, hash }) => [task.id, hash]))
  const tasks = waiting.map(({ task }) => task)
  return group('✋ Waits for your decision', tasks, (task) => decisionButtons(task.id, hashes.get(task.id) ?? null))
}

function decisionButtons(taskId: number, hash: string | null): types.Button[] {
  const id = (verb: Verb) => encodeControl({ verb, taskId, hash })
  return [
    button(id('edit'), 'Look at the plan'),
    { ...button(id('approve'), 'Approve'), style: 'primary' },
    { ...button(id('reject'), 'Reject'), style: 'danger' },
  ]
}

function runningButtons(task: TaskSummary): types.Button[] {
  return [button(`status:${task.id}`, 'Status'), { ...button(`cancel:${task.id}`, 'Cancel'), style: 'danger' }]
}

function endedButtons(task: TaskSummary): types.Button[] {
  return [
    button(`status:${task.id}`, 'Status'),
    button(`retry:${task.id}`, 'Retry'),
    button(`files:${task.id}`, 'Files'),
  ]
}

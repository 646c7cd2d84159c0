/** What must be true after any number of kills: over the store, the messages in the chats, the files on disk and the process table. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isFinal, type TaskStatus } from '../../src/core/task.ts'
import { nextStatus } from '../../src/core/transitions.ts'
import type { Chat, Told } from './chat.ts'
import type { EventLook, Look, TaskLook } from './look.ts'
import type { Asked } from './people.ts'

export interface Evidence {
  folder: string
  look: Look
  chats: readonly Chat[]
  asked: readonly Asked[]
}

export interface Findings {
  /** A sentence for each thing that is not as it must be. */
  violations: string[]
  /** How many single facts were looked at. */
  checked: number
  /** By the platform of their thread; without one they came over the API. */
  tasks: Record<string, number>
  interrupted: number
}

export function check(evidence: Evidence): Findings {
  const tasks = evidence.look.tasks()
  const events = evidence.look.events(0)
  const found: Findings = {
    violations: [...evidence.look.faults(), ...evidence.chats.flatMap(({ faults }) => faults)],
    checked: 3 + evidence.chats.length,
    tasks: Object.fromEntries(
      ['slack', 'discord', 'api'].map((name) => [
        name,
        tasks.filter(({ place_platform: platform }) => (platform ?? 'api') === name).length,
      ]),
    ),
    interrupted: 0,
  }
  const must = (holds: boolean, sentence: string): void => {
    found.checked += 1
    if (!holds) found.violations.push(sentence)
  }
  checkRequests(evidence.asked, tasks, must)
  for (const task of tasks) {
    const own = events.filter((each) => each.taskId === task.id)
    checkCourse(task, own, must)
    checkSteps(task, own, must)
    if (task.ending?.includes('"interrupted"') === true) found.interrupted += 1
    const chat = evidence.chats.find(({ platform }) => platform === task.place_platform)
    if (chat !== undefined) checkThread(task, chat, { must, canResume: canResume(task, evidence.look) })
  }
  checkDeliveries(evidence.look, tasks, must)
  checkDisk(evidence.folder, tasks, events, must)
  return found
}

type Must = (holds: boolean, sentence: string) => void

/** Accepted = finished + waiting, each request one task. */
function checkRequests(asked: readonly Asked[], tasks: readonly TaskLook[], must: Must): void {
  for (const request of asked) {
    const name = `req-${request.number} (${request.way})`
    const pattern = new RegExp(`req-${request.number}\\b`)
    const made = tasks.filter(
      ({ kind, description }) => (kind === 'request' || kind === 'refine') && pattern.test(description),
    )
    must(made.length <= 1, `${name} became ${made.length} tasks: ${made.map((task) => task.id)}`)
    if (request.isAccepted()) must(made.length === 1, `${name} was accepted and there is no task`)
  }
  for (const { id, status, lease_id } of tasks) {
    must(isFinal(status) || status === 'awaiting_approval', `task ${id} is ${status} and nobody works on it`)
    must(!isFinal(status) || lease_id === null, `task ${id} has ended and is held`)
  }
}

/** The events of a task lead, by the table and no other way, to the status in its row. */
function checkCourse(task: TaskLook, events: readonly EventLook[], must: Must): void {
  let status: TaskStatus = 'pending'
  for (const { event } of events) {
    if (event.kind === 'submitted') continue
    const next = nextStatus(status, event.kind)
    must(next !== undefined, `task ${task.id}: ${event.kind} cannot happen while ${status}`)
    status = next ?? status
  }
  must(status === task.status, `task ${task.id} is ${task.status}, its events say ${status}`)
  must(
    events.filter(({ event }) => event.kind === 'submitted').length === 1,
    `task ${task.id} was submitted more than once`,
  )
}

/** Each step at most once per approval; none of a plan that awaits or was refused one. */
function checkSteps(task: TaskLook, events: readonly EventLook[], must: Must): void {
  const started = new Set<string>()
  let isAllowed = false
  for (const { event } of events) {
    if (event.kind === 'planned' || event.kind === 'plan_edited') isAllowed = false
    if (event.kind === 'plan_allowed' || event.kind === 'approved') isAllowed = true
    if (event.kind !== 'step_started') continue
    const key = `${event.round}/${event.index}`
    must(!started.has(key), `task ${task.id}: step ${key} was started twice`)
    must(isAllowed, `task ${task.id}: step ${key} ran without an approval`)
    started.add(key)
  }
  const approvals = events.filter(({ event }) => event.kind === 'approved')
  const hashes = new Set(approvals.map(({ event }) => (event.kind === 'approved' ? event.hash : '')))
  must(hashes.size === approvals.length, `task ${task.id}: one plan was approved twice`)
}

/** A step of the last plan has begun, and not all have ended well. */
function canResume(task: TaskLook, look: Look): boolean {
  const steps = look.steps(task.id)
  const isDone = steps.every(({ ending }) => ending !== null && /"code":0\b/.test(ending))
  return steps.some(({ started_at }) => started_at !== null) && !isDone
}

const ORDER = ['root', 'card', 'approval', 'result', 'files']

interface Threads {
  must: Must
  canResume: boolean
}

/** Exactly one card, at most one result, files once, in this order; buttons that fit the end. */
function checkThread(task: TaskLook, chat: Chat, { must, canResume }: Threads): void {
  const mine = chat.told.filter(({ taskId }) => taskId === task.id)
  const of = (role: string) => mine.filter((each) => each.role === role)
  const where = `task ${task.id} (${task.status}, ${chat.platform})`
  must(of('card').length === 1, `${where} has ${of('card').length} cards`)
  for (const role of new Set(mine.map((each) => each.role)))
    must(of(role).length === 1, `${where} has ${role} ${of(role).length} times`)
  const needsResult = task.status === 'done' || task.status === 'failed'
  must(of('result').length === (needsResult ? 1 : 0), `${where} has ${of('result').length} results`)
  const known = mine.filter(({ role }) => ORDER.includes(role)).map(({ role }) => role)
  const sorted = [...known].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))
  must(known.join() === sorted.join(), `${where} reads ${known.join(', ')}`)
  const files = task.status === 'done' && task.outputs !== null ? Number(JSON.parse(task.outputs).files) : 0
  must(of('files').length === (files > 0 ? 1 : 0), `${where} has ${files} outputs and ${of('files').length} uploads`)
  const threads = new Set(mine.map(({ thread }) => thread))
  must(threads.size <= 1, `${where} is told in ${threads.size} threads`)
  if (isFinal(task.status)) checkReaction(mine, chat, { must, where })
  if (task.ending?.includes('"interrupted"') !== true) return
  const verbs = mine.flatMap((each) => each.verbs)
  for (const verb of [...(canResume ? ['resume'] : []), 'restart', 'discard'])
    must(verbs.includes(verb), `${where} was interrupted and offers no ${verb}`)
}

/** One reaction at the end, where the thread is that of one task alone. */
function checkReaction(mine: readonly Told[], chat: Chat, { must, where }: { must: Must; where: string }): void {
  const [first] = mine
  if (first === undefined) return
  const tasks = new Set(chat.told.filter(({ thread }) => thread === first.thread).map(({ taskId }) => taskId))
  const names = chat.reactionsOn(first.thread)
  if (tasks.size === 1 && names !== undefined)
    must(names.length === 1, `${where} shows the reactions ${names.join(', ')}`)
}

function checkDeliveries(look: Look, tasks: readonly TaskLook[], must: Must): void {
  const status = new Map(tasks.map((task) => [task.id, task.status]))
  for (const { task_id: id, settled, failure } of look.deliveries()) {
    must(failure === null, `task ${id} could not be told: ${failure}`)
    must(
      settled === 1 || status.get(id) === 'awaiting_approval',
      `task ${id} (${status.get(id)}) is not told to the end`,
    )
  }
}

/** Each command leaves a line in a file of its own: the machine's own count of what ran. */
function checkDisk(folder: string, tasks: readonly TaskLook[], events: readonly EventLook[], must: Must): void {
  for (const task of tasks) {
    const work = join(folder, 'tasks', `task-${task.id}`, 'work')
    const begun = events.filter((each) => each.taskId === task.id && each.event.kind === 'step_started').length
    const counts = runsIn(work)
    const isCopy = task.kind === 'resume' || task.kind === 'refine'
    const parent = isCopy ? runsIn(join(folder, 'tasks', `task-${task.parent_id}`, 'work')) : new Map<string, number>()
    let ran = 0
    for (const [name, count] of counts) {
      const own = count - (parent.get(name) ?? 0)
      must(own <= 1, `task ${task.id}: ${name} ran ${own} times`)
      ran += Math.max(0, own)
    }
    must(ran <= begun, `task ${task.id}: ${ran} commands ran and ${begun} were begun`)
    if (task.status === 'done' && !isCopy && begun > 0) {
      must(ran >= 1, `task ${task.id} is done and nothing of it ran`)
    }
  }
}

function runsIn(folder: string): Map<string, number> {
  try {
    const names = readdirSync(folder).filter((name) => name.startsWith('ran-'))
    return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8').split('\n').length - 1]))
  } catch {
    // It never came to a folder.
    return new Map()
  }
}

/** Who may do what. The one function that every command, mention, reply, button, modal, API call and CLI call asks. */
import type { Action, Actor, ApiScope } from './actor.ts'
import type { Requester } from './task.ts'

/** Lists of immutable ids for one chat platform. All lists empty: nobody but the admins. `*` in users: everybody in the scopes. */
export interface AccessList {
  scopes: readonly string[]
  channels: readonly string[]
  users: readonly string[]
  groups: readonly string[]
  admins: readonly string[]
  approvers: readonly string[]
}

export interface AccessRules {
  slack: AccessList
  discord: AccessList
  /** The requester may not approve their own plan. */
  approverIsNotRequester: boolean
  /** Whoever is admitted and can see the thread may cancel. */
  anyoneMayCancel: boolean
}

/** What authorisation needs to know of a task. */
export interface TaskFacts {
  id: number
  requester: Requester
  /** Channel that it is told of in; '' where there is none. */
  channelId: string
  /** Of the plan that awaits approval: it has a step that is privileged or unreadable. */
  highRisk: boolean
}

export type Authorization = { allowed: true } | { allowed: false; sentence: string }

const ALLOWED: Authorization = { allowed: true }

/** Fails closed: an actor, platform or action that is not known here is refused. `task` is null only for submit, audit, admin and for looking at a list. */
export function authorize(actor: Actor, action: Action, task: TaskFacts | null, rules: AccessRules): Authorization {
  switch (actor.platform) {
    case 'api':
    case 'cli':
      return authorizeByScope(actor, action)
    case 'slack':
      return authorizeInChat(actor, action, task, rules, rules.slack)
    case 'discord':
      return authorizeInChat(actor, action, task, rules, rules.discord)
    default:
      return refused('This way in is not open.')
  }
}

const NEEDED_SCOPE: Record<Action, ApiScope> = {
  submit: 'submit',
  view: 'read',
  cancel: 'submit',
  retry: 'submit',
  refine: 'submit',
  discard: 'submit',
  approve: 'approve',
  reject: 'approve',
  edit_plan: 'approve',
  audit: 'admin',
  admin: 'admin',
}

function authorizeByScope(actor: Actor, action: Action): Authorization {
  const needed = NEEDED_SCOPE[action]
  if (actor.apiScopes.includes('admin') || actor.apiScopes.includes(needed)) return ALLOWED
  return refused(`This token lacks the scope "${needed}".`)
}

function authorizeInChat(
  actor: Actor,
  action: Action,
  task: TaskFacts | null,
  rules: AccessRules,
  list: AccessList,
): Authorization {
  if (actor.isBot) return refused('Bots may not use the assistant.')
  if (isAdmin(actor, list)) return mayDecideOwn(actor, action, task, rules)
  if (!isAdmitted(actor, list) && !mayWorkAsApprover(actor, action, task, list)) {
    return refused('You are not on the list of people who may use the assistant here.')
  }
  if (action === 'submit' || (action === 'view' && task === null)) return ALLOWED
  if (action === 'audit' || action === 'admin') return refused('Only admins may do this.')
  if (task === null) return refused('There is no such task.')
  if (!isSamePlatform(actor, task) && !mayWorkAsApprover(actor, action, task, list))
    return refused('This task belongs to another place.')
  return authorizeOnTask(actor, action, task, rules, list)
}

function authorizeOnTask(
  actor: Actor,
  action: Action,
  task: TaskFacts,
  rules: AccessRules,
  list: AccessList,
): Authorization {
  const isRequester = isSamePerson(actor, task.requester)
  if (!isRequester && !maySee(actor, task, list)) return refused(`Task #${task.id} is not one that you can see.`)
  switch (action) {
    case 'view':
    case 'retry':
    case 'refine':
      return ALLOWED
    case 'cancel':
      return isRequester || rules.anyoneMayCancel ? ALLOWED : onlyRequester(task)
    case 'discard':
      return isRequester ? ALLOWED : onlyRequester(task)
    case 'approve':
    case 'reject':
    case 'edit_plan':
      return authorizeDecision(actor, action, task, rules, list)
    default:
      return refused('This is not allowed here.')
  }
}

/** Others see a task in the channel that it is told of in; approvers see all of their platform. */
function maySee(actor: Actor, task: TaskFacts, list: AccessList): boolean {
  return isApprover(actor, list) || (actor.channelId !== '' && actor.channelId === task.channelId)
}

function onlyRequester(task: TaskFacts): Authorization {
  return refused(`Only ${task.requester.name} or an admin may do this.`)
}

function authorizeDecision(
  actor: Actor,
  action: Action,
  task: TaskFacts,
  rules: AccessRules,
  list: AccessList,
): Authorization {
  const isRequester = isSamePerson(actor, task.requester)
  if (isApprover(actor, list)) return mayDecideOwn(actor, action, task, rules)
  if (action === 'reject' && isRequester) return ALLOWED
  if (!isRequester || list.approvers.length > 0) return refused('Only an approver may decide on this plan.')
  if (task.highRisk) return refused('This plan is high-risk: an approver or an admin has to decide.')
  return mayDecideOwn(actor, action, task, rules)
}

/** Two people, where the setting asks for it: also for approvers and admins. */
function mayDecideOwn(actor: Actor, action: Action, task: TaskFacts | null, rules: AccessRules): Authorization {
  const isDecision = action === 'approve' || action === 'edit_plan'
  if (isDecision && rules.approverIsNotRequester && task !== null && isSamePerson(actor, task.requester)) {
    return refused('Somebody other than the requester has to approve this plan.')
  }
  return ALLOWED
}

function isAdmitted(actor: Actor, list: AccessList): boolean {
  if (!isInScope(actor, list)) return false
  if (list.users.includes(actor.userId)) return true
  // A direct message tells no scope: where scopes are listed, `*` and the other lists speak of people in them only.
  if (actor.isGuest || (list.scopes.length > 0 && actor.scope === '')) return false
  return (
    list.users.includes('*') ||
    list.channels.includes(actor.channelId) ||
    actor.groups.some((group) => list.groups.includes(group))
  )
}

/** Not in a scope that is not listed; a direct message on Discord is in none. */
function isInScope({ scope }: Actor, { scopes }: AccessList): boolean {
  return scopes.length === 0 || scope === '' || scopes.includes(scope)
}

function isAdmin(actor: Actor, list: AccessList): boolean {
  return !actor.isBot && list.admins.includes(actor.userId)
}

/** What an approver may who is on no other list: what they are asked to do, and to look at it. */
const APPROVERS_WORK: ReadonlySet<Action> = new Set(['view', 'approve', 'reject', 'edit_plan'])

function isApprover(actor: Actor, list: AccessList): boolean {
  return isInScope(actor, list) && list.approvers.includes(actor.userId)
}

/** Approvers are asked about the tasks of all scopes, also of direct messages, and need be on no other list for it. */
function mayWorkAsApprover(actor: Actor, action: Action, task: TaskFacts | null, list: AccessList): boolean {
  const isThere = task === null || task.requester.platform === actor.platform
  return isThere && APPROVERS_WORK.has(action) && isApprover(actor, list)
}

function isSamePlatform(actor: Actor, task: TaskFacts): boolean {
  return task.requester.platform === actor.platform && task.requester.scope === actor.scope
}

/** Ids are a platform's own: the same one elsewhere is somebody else. */
export function isSamePerson(actor: Actor, requester: Requester): boolean {
  return actor.platform === requester.platform && actor.userId === requester.userId
}

function refused(sentence: string): Authorization {
  return { allowed: false, sentence }
}

import { describe, expect, it } from 'vitest'
import { ACTIONS, type Action, type Actor, API_SCOPES } from '../../src/core/actor.ts'
import { type AccessList, type AccessRules, authorize, type TaskFacts } from '../../src/core/authorize.ts'

const NOBODY: AccessList = { scopes: [], channels: [], users: [], groups: [], admins: [], approvers: [] }

function rules(slack: Partial<AccessList>, more: Partial<AccessRules> = {}): AccessRules {
  return {
    slack: { ...NOBODY, ...slack },
    discord: NOBODY,
    approverIsNotRequester: false,
    anyoneMayCancel: false,
    ...more,
  }
}

const LISTS = {
  users: ['requester', 'colleague', 'approver', 'elsewhere'],
  groups: ['G1'],
  channels: [],
  scopes: ['T1'],
  admins: ['admin'],
  approvers: ['approver', 'only approver'],
}

function person(userId: string, more: Partial<Actor> = {}): Actor {
  return {
    platform: 'slack',
    scope: 'T1',
    channelId: 'C1',
    isDirect: false,
    userId,
    name: userId,
    groups: [],
    isBot: false,
    isGuest: false,
    apiScopes: [],
    ...more,
  }
}

function task(more: Partial<TaskFacts> = {}): TaskFacts {
  return {
    id: 1,
    requester: { platform: 'slack', scope: 'T1', userId: 'requester', name: 'Requester' },
    channelId: 'C1',
    highRisk: false,
    ...more,
  }
}

const ACTORS: Record<string, Actor> = {
  requester: person('requester'),
  colleague: person('colleague'),
  'colleague in another channel': person('elsewhere', { channelId: 'C2' }),
  approver: person('approver', { channelId: 'C9' }),
  'approver on no other list': person('only approver', { channelId: 'C9' }),
  'approver in a workspace that is not listed': person('only approver', { scope: 'T2' }),
  admin: person('admin', { channelId: 'C9' }),
  'member of a listed group': person('member', { groups: ['G1'] }),
  stranger: person('stranger'),
  'listed person in another workspace': person('colleague', { scope: 'T2' }),
  guest: person('visitor', { isGuest: true, groups: ['G1'] }),
  bot: person('colleague', { isBot: true }),
  'admin who is a bot': person('admin', { isBot: true }),
}

/** Rows: who; columns: what they may do to the requester's task in C1. Everything not listed is refused. */
const ALLOWED: Record<string, readonly Action[]> = {
  requester: ['submit', 'view', 'cancel', 'retry', 'refine', 'reject', 'discard'],
  colleague: ['submit', 'view', 'retry', 'refine'],
  'colleague in another channel': ['submit'],
  approver: ['submit', 'view', 'retry', 'refine', 'approve', 'reject', 'edit_plan'],
  'approver on no other list': ['view', 'approve', 'reject', 'edit_plan'],
  'approver in a workspace that is not listed': [],
  admin: [...ACTIONS],
  'member of a listed group': ['submit', 'view', 'retry', 'refine'],
  stranger: [],
  'listed person in another workspace': [],
  guest: [],
  bot: [],
  'admin who is a bot': [],
}

describe('who may do what', () => {
  const table = Object.entries(ACTORS).flatMap(([who, actor]) =>
    ACTIONS.map((action) => ({ who, actor, action, expected: ALLOWED[who]?.includes(action) ?? false })),
  )
  it.each(table)('$who: $action is allowed: $expected', ({ actor, action, expected }) => {
    const answer = authorize(actor, action, task(), rules(LISTS))
    expect(answer.allowed).toBe(expected)
    if (!answer.allowed) expect(answer.sentence).toMatch(/\.$/)
  })

  it('a list is looked at by who is let in, task by task', () => {
    expect(authorize(person('colleague'), 'view', null, rules(LISTS)).allowed).toBe(true)
    expect(authorize(person('stranger'), 'view', null, rules(LISTS)).allowed).toBe(false)
    expect(authorize(person('colleague', { isGuest: true }), 'view', null, rules({ users: ['*'] })).allowed).toBe(false)
  })

  it('empty lists let nobody in but admins', () => {
    expect(authorize(person('anybody'), 'submit', null, rules({})).allowed).toBe(false)
    expect(authorize(person('boss'), 'submit', null, rules({ admins: ['boss'] })).allowed).toBe(true)
  })

  it('an empty user id or channel id matches no list entry and no task', () => {
    const nobody = person('', { channelId: '' })
    expect(authorize(nobody, 'submit', null, rules(LISTS)).allowed).toBe(false)
    expect(
      authorize(person('colleague', { channelId: '' }), 'view', task({ channelId: '' }), rules(LISTS)).allowed,
    ).toBe(false)
  })

  it('everybody in the workspace may be let in, guests still not', () => {
    const open = rules({ users: ['*'], scopes: ['T1'] })
    expect(authorize(person('anybody'), 'submit', null, open).allowed).toBe(true)
    expect(authorize(person('visitor', { isGuest: true }), 'submit', null, open).allowed).toBe(false)
    expect(authorize(person('anybody', { scope: 'T2' }), 'submit', null, open).allowed).toBe(false)
  })

  it('a direct message on Discord, which tells no server, lets in only who is listed by id where servers are listed', () => {
    const direct = (userId: string) =>
      person(userId, { platform: 'discord', scope: '', channelId: 'D1', isDirect: true })
    const onDiscord = (discord: Partial<AccessList>) => ({ ...rules({}), discord: { ...NOBODY, ...discord } })
    const guild = onDiscord({ users: ['*', 'listed'], channels: ['D1'], scopes: ['G1'] })
    expect(authorize(direct('stranger'), 'submit', null, guild).allowed).toBe(false)
    expect(authorize({ ...direct('stranger'), groups: ['R1'] }, 'submit', null, guild).allowed).toBe(false)
    expect(authorize({ ...direct('stranger'), scope: 'G1' }, 'submit', null, guild).allowed).toBe(true)
    expect(authorize(direct('listed'), 'submit', null, guild).allowed).toBe(true)
    expect(authorize(direct('stranger'), 'submit', null, onDiscord({ users: ['*'] })).allowed).toBe(true)
  })

  it('an approver decides across the scopes of a platform, also on tasks told of in direct messages, and only that', () => {
    const lists = { ...NOBODY, users: ['*', 'both'], scopes: ['G1', 'G2'], approvers: ['lead', 'both'] }
    const both = { ...rules({}), discord: lists }
    const requester = { platform: 'discord', scope: '', userId: 'requester', name: 'Requester' } as const
    const direct = task({ requester, channelId: 'D1', highRisk: true })
    const inGuild = task({ requester: { ...requester, scope: 'G1' }, highRisk: true })
    const lead = person('lead', { platform: 'discord', scope: 'G2', channelId: 'C9' })
    const leadDirect = { ...lead, scope: '', channelId: 'D2' }
    for (const action of ['view', 'approve', 'reject', 'edit_plan'] as const) {
      expect(authorize(lead, action, direct, both).allowed).toBe(true)
      expect(authorize(leadDirect, action, inGuild, both).allowed).toBe(true)
      expect(authorize({ ...lead, platform: 'slack', scope: 'T1' }, action, inGuild, both).allowed).toBe(false)
    }
    expect(authorize({ ...lead, userId: 'both' }, 'refine', inGuild, both).allowed).toBe(false)
    expect(authorize(leadDirect, 'submit', null, both).allowed).toBe(false)
  })

  it('without approvers the requester decides, unless the plan is high-risk', () => {
    const own = rules({ users: ['requester', 'colleague'] })
    expect(authorize(person('requester'), 'approve', task(), own).allowed).toBe(true)
    expect(authorize(person('requester'), 'approve', task({ highRisk: true }), own).allowed).toBe(false)
    expect(authorize(person('colleague'), 'approve', task(), own).allowed).toBe(false)
  })

  it('two people, where asked for: neither an approver nor an admin approves or edits their own', () => {
    const strict = rules({ ...LISTS, approvers: ['requester'], admins: ['admin'] }, { approverIsNotRequester: true })
    const adminsTask = task({ requester: { platform: 'slack', scope: 'T1', userId: 'admin', name: 'Admin' } })
    for (const action of ['approve', 'edit_plan'] as const) {
      expect(authorize(person('requester'), action, task(), strict).allowed).toBe(false)
      expect(authorize(person('admin'), action, adminsTask, strict).allowed).toBe(false)
      expect(authorize(person('admin'), action, task(), strict).allowed).toBe(true)
    }
  })

  it('anyone who sees a task may cancel it where the setting says so', () => {
    const open = rules(LISTS, { anyoneMayCancel: true })
    expect(authorize(person('colleague'), 'cancel', task(), open).allowed).toBe(true)
    expect(authorize(person('elsewhere', { channelId: 'C2' }), 'cancel', task(), open).allowed).toBe(false)
  })

  it('the same user id on another platform or in another workspace is somebody else', () => {
    const both = { ...rules(LISTS), discord: { ...NOBODY, users: ['requester'] } }
    const onDiscord = person('requester', { platform: 'discord', scope: 'G1' })
    expect(authorize(onDiscord, 'view', task(), both).allowed).toBe(false)
  })

  it.each(['console', 'slack'] as const)('a way in that is not open refuses: %s', (platform) => {
    expect(authorize(person('x', { platform }), 'view', task(), rules({})).allowed).toBe(false)
  })
})

describe('tokens', () => {
  const needed: Record<Action, string> = {
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
  const table = API_SCOPES.flatMap((scope) =>
    ACTIONS.map((action) => ({ scope, action, expected: scope === 'admin' || needed[action] === scope })),
  )
  it.each(table)('with scope $scope: $action is allowed: $expected', ({ scope, action, expected }) => {
    expect(authorize(person('token', { platform: 'api', apiScopes: [scope] }), action, task(), rules({})).allowed).toBe(
      expected,
    )
  })

  it('without a scope do nothing', () => {
    for (const action of ACTIONS)
      expect(authorize(person('t', { platform: 'api' }), action, task(), rules({})).allowed).toBe(false)
  })
})

/** The chats: an adapter for each platform whose tokens are there, and the reporter that tells their threads. */
import type { StartPart, StartStatus } from '../../adapters/cli/deps.ts'
import type { Config } from '../../config/config.ts'
import type { AccessList } from '../core/authorize.ts'
import { errorLine, SetupError } from '../core/errors.ts'
import { currentRound, type Requester } from '../core/task.ts'
import type { AdapterHealth, ChatAdapter } from '../ports/chat-adapter.ts'
import type { Presenter } from '../ports/presenter.ts'
import { createReporter } from '../reporter/create-reporter.ts'
import type { ReporterConfig } from '../reporter/reporter-config.ts'
import { type ChatName, chatPrograms } from './chats.ts'
import type { Parts } from './parts.ts'

export interface ChatRole extends AsyncDisposable {
  parts: StartPart[]
  warnings: string[]
  ask: Pick<StartStatus['ask'], 'slack' | 'discord'>
}

const NO_SANDBOX = 'No sandbox: commands run on the server itself.'
const UPLOAD_FILES = 10
const UPLOAD_BYTES = 20_000_000

/** A chat that cannot start is shown with what to do about it; the others go on. */
export async function startChatRole(parts: Parts): Promise<ChatRole> {
  const { config, store, workspace, clock, logger } = parts
  const adapters: ChatAdapter[] = []
  const reporter = createReporter({ store, workspace, adapters, clock, logger, config: reporterConfig(parts) })
  const role: ChatRole = {
    parts: [],
    warnings: [],
    ask: { slack: null, discord: null },
    async [Symbol.asyncDispose]() {
      // Nothing more comes in, then what is untold is told, then the lines are closed.
      await reporter[Symbol.asyncDispose]()
      for (const adapter of adapters) await adapter[Symbol.asyncDispose]()
    },
  }
  for (const name of ['slack', 'discord'] as const)
    await startChat(parts, { name, role, adapters, presenter: reporter })
  await reporter.start()
  for (const name of ['slack', 'discord'] as const) {
    if (parts.chats.has(name) && isNobodyListed(config.access[name])) role.warnings.push(nobodyListed(name))
  }
  return role
}

interface ChatStart {
  name: ChatName
  role: ChatRole
  adapters: ChatAdapter[]
  presenter: Presenter
}

async function startChat(parts: Parts, { name, role, adapters, presenter }: ChatStart): Promise<void> {
  const program = chatPrograms[name]
  if (!program.hasTokens(parts.config)) {
    role.parts.push({ name: program.title, state: 'off', detail: 'no tokens', fix: `npx assistant setup ${name}` })
    return
  }
  let adapter: ChatAdapter | undefined
  try {
    adapter = await program.create(parts, presenter)
    // Before it starts: what comes in at once may bring files, and they are fetched through it.
    adapters.push(adapter)
    parts.chats.set(name, adapter)
    await adapter.start(parts.inbox)
  } catch (error) {
    adapters.splice(0, adapters.length, ...adapters.filter((each) => each !== adapter))
    parts.chats.delete(name)
    await adapter?.[Symbol.asyncDispose]()
    if (!(error instanceof SetupError)) throw error
    parts.logger.error({ code: error.code }, `${program.title} cannot start: ${errorLine(error)}`)
    parts.chatsOff.add(name)
    role.parts.push({ name: program.title, state: 'problem', detail: errorLine(error), fix: error.fix })
    return
  }
  const health = adapter.health()
  if (health.ok) role.ask[name] = program.howToAsk
  role.parts.push(chatPart(program.title, health))
}

/** A chat that is away is tried again by its adapter; what it can do without is a remark. */
function chatPart(name: string, { ok, problem }: AdapterHealth): StartPart {
  if (!ok) return { name, state: 'problem', detail: `${problem} Trying again.`, fix: null }
  return { name, state: 'on', detail: 'connected', fix: problem === '' ? null : problem }
}

function reporterConfig({ config }: Parts): ReporterConfig {
  return {
    approvers: ({ requester }) => approversOf(config, requester),
    terms: (task) => termsOf(config, currentRound(task)?.plan.network?.hosts ?? null),
    sandboxWarning: () => (config.sandbox.kind === 'none' ? NO_SANDBOX : null),
    maxRounds: config.worker.repairRounds + 1,
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    maxUploadFiles: UPLOAD_FILES,
    maxUploadBytes: UPLOAD_BYTES,
  }
}

/** Those who are asked to decide: the approvers, or where there are none the requester. */
function approversOf(config: Config, { platform, userId }: Requester): readonly string[] {
  if (platform !== 'slack' && platform !== 'discord') return []
  const { approvers, admins } = config.access[platform]
  if (approvers.length > 0) return approvers
  return config.approval.notTheRequester ? admins : [userId]
}

function termsOf({ sandbox, worker }: Config, hosts: readonly string[] | null): string[] {
  if (sandbox.kind === 'none') return [NO_SANDBOX]
  const network = hosts === null || hosts.length === 0 ? 'no network' : `the network (${hosts.join(', ')})`
  const memory = `${Math.round(sandbox.memory / 1024 ** 2)} MB of memory`
  return [
    `In the sandbox: only the task's folder, ${network}, ${memory}, ${Math.round(worker.taskTimeout / 60_000)} min.`,
  ]
}

function isNobodyListed(list: AccessList): boolean {
  return [list.users, list.channels, list.groups, list.admins].every((ids) => ids.length === 0)
}

function nobodyListed(name: ChatName): string {
  const prefix = name.toUpperCase()
  return `Nobody may ask in ${chatPrograms[name].title} yet: set ${prefix}_ALLOWED_USERS (ids, or * for everybody) or ${prefix}_ADMINS.`
}

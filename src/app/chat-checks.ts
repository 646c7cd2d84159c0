/** What doctor says of the chats: tokens and lists always, the platforms themselves when asked to look live. */
import type { DoctorCheck } from '../../adapters/cli/deps.ts'
import { type ChatName, chatPrograms } from './chats.ts'
import type { Parts } from './parts.ts'

export interface ChatCheckOptions {
  /** Asks the platforms about the tokens. */
  live: boolean
}

export async function checkChats(parts: Parts, { live }: ChatCheckOptions): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = []
  for (const name of ['slack', 'discord'] as const) {
    const program = chatPrograms[name]
    if (!program.hasTokens(parts.config))
      checks.push({ name: program.title, state: 'ok', detail: 'off: no tokens', fix: null })
    else checks.push(checkLists(parts, name), ...(live ? await program.checkLive(parts) : []))
  }
  return checks
}

function checkLists({ config }: Parts, name: ChatName): DoctorCheck {
  const { title } = chatPrograms[name]
  const { users, channels, groups, admins, approvers } = config.access[name]
  const prefix = name.toUpperCase()
  if ([users, channels, groups, admins].every((list) => list.length === 0)) {
    return {
      name: title,
      state: 'warning',
      detail: 'nobody may ask',
      fix: `Set ${prefix}_ALLOWED_USERS or ${prefix}_ADMINS.`,
    }
  }
  const who = users.includes('*')
    ? 'everybody'
    : `${users.length} people, ${channels.length} channels, ${groups.length} groups`
  return {
    name: title,
    state: 'ok',
    detail: `${who}; ${admins.length} admins, ${approvers.length} approvers`,
    fix: null,
  }
}

/** What people ask to see, answered privately: a task's card, its log, its files, their list of tasks. */
import type { types } from '@slack/bolt'
import type { Actor } from '../../src/core/actor.ts'
import { COMMAND } from '../../src/core/command.ts'
import { formatBytes, formatCount } from '../../src/core/format.ts'
import type { Place, TaskSummary } from '../../src/core/task.ts'
import { oneLine, withEllipsis } from '../../src/core/text.ts'
import type { FileView } from '../../src/core/view.ts'
import { iconOf } from '../../src/core/views/status-view.ts'
import { button, escapeText, section } from './blocks.ts'
import { type Desk, sentence } from './desk.ts'
import { helpMessage } from './help.ts'
import { LIMITS } from './limits.ts'
import { renderView, type SlackMessage } from './render.ts'

export type Shown = 'status' | 'log' | 'files' | 'help'

/** `place`: where a log or files are uploaded; null: only what fits into a private answer. */
export async function show(
  desk: Desk,
  what: Shown,
  ask: { actor: Actor; taskId: number; place: Place | null },
): Promise<SlackMessage> {
  const { actor, taskId, place } = ask
  if (what === 'help') return helpMessage(desk.command, desk.self.botUserId)
  const found = await desk.inbox.get(actor, taskId)
  if (found.kind !== 'found') return sentence(found.sentence)
  const target = place ?? found.task.place
  if (what === 'status') return showStatus(desk, taskId)
  if (what === 'files') return showFiles(desk, taskId)
  if (target === null || target.platform !== 'slack') return sentence(`\`${COMMAND} logs ${taskId}\` shows the log.`)
  return sentence(await desk.presenter.showLog(taskId, target))
}

async function showStatus(desk: Desk, taskId: number): Promise<SlackMessage> {
  const card = await desk.presenter.card(taskId)
  return card === undefined ? sentence(`There is no task #${taskId}.`) : renderView(card)
}

/** A menu of files to fetch one, and a button to fetch all. */
async function showFiles(desk: Desk, taskId: number): Promise<SlackMessage> {
  const { files, total } = await desk.presenter.files(taskId, LIMITS.options)
  if (total === 0) return sentence(`Task #${taskId} has no files.`)
  const lines = files
    .slice(0, 10)
    .map((file) => `• ${escapeText(withEllipsis(file.path, 150))} · ${formatBytes(file.sizeBytes)}`)
  const rest = total > 10 ? [`… ${total - 10} more`] : []
  const title = `*Task #${taskId}: ${formatCount(total, 'file')}*`
  return {
    text: `Task #${taskId}: ${formatCount(total, 'file')}`,
    blocks: [section([title, ...lines, ...rest].join('\n')), filesRow(taskId, files)],
  }
}

function filesRow(taskId: number, files: readonly FileView[]): types.KnownBlock {
  const options = files
    .filter((file) => file.path.length <= LIMITS.optionValue)
    .map((file) => ({
      text: { type: 'plain_text' as const, text: withEllipsis(file.path, LIMITS.optionLabel) },
      value: file.path,
    }))
  const menu: types.StaticSelect[] =
    options.length === 0
      ? []
      : [
          {
            type: 'static_select',
            action_id: `file:${taskId}`,
            placeholder: { type: 'plain_text', text: 'Post one file here' },
            options,
          },
        ]
  return { type: 'actions', elements: [...menu, button(`all-files:${taskId}`, 'Post all files here')] }
}

/** `file:42` and `all-files:42`: what the files answer offers. */
export function parseFilesAction(actionId: string): { all: boolean; taskId: number } | undefined {
  const match = /^(file|all-files):([1-9][0-9]{0,14})$/.exec(actionId)
  return match === null ? undefined : { all: match[1] === 'all-files', taskId: Number(match[2]) }
}

/** The asker's last ten tasks. */
export async function showList(desk: Desk, actor: Actor): Promise<SlackMessage> {
  const requester = { platform: actor.platform, userId: actor.userId }
  const page = await desk.inbox.list(actor, { requester, limit: LIMITS.homeTasks })
  if (page.kind !== 'page') return sentence(page.sentence)
  if (page.tasks.length === 0)
    return sentence(`You have no tasks yet. Try ${desk.command} followed by what you want done.`)
  const lines = page.tasks.map(taskLine)
  return { text: 'Your last tasks', blocks: [section(['*Your last tasks*', ...lines].join('\n'))] }
}

/** "✅ *#42* convert all PNGs here to WebP", escaped. */
export function taskLine(task: Pick<TaskSummary, 'id' | 'status' | 'description'>): string {
  return `${iconOf(task.status)} *#${task.id}* ${escapeText(oneLine(task.description, 120))}`
}

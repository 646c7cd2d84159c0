/** Slack's own checks of blocks, messages and views, from its Block Kit reference. Each answers what Slack would complain about. */
import { isJson, type Json, visibleText } from './slack-server-state.ts'

const MAX_BLOCKS_TEXT = 13_200

/** What `chat.postMessage` and `chat.update` would answer; undefined when the message is fine. */
export function messageProblem(
  text: string,
  blocks: readonly Json[],
  isUpdate: boolean,
): { error: string; detail: string } | undefined {
  if (isUpdate && text.length > 4000) return { error: 'msg_too_long', detail: `text has ${text.length} characters` }
  if (text.length > 40_000) return { error: 'msg_too_long', detail: `text has ${text.length} characters` }
  const problems = blockProblems(blocks, { max: 50, surface: 'message' })
  if (problems.length > 0) return { error: 'invalid_blocks', detail: problems.join('; ') }
  const total = visibleText(blocks).length
  if (total > MAX_BLOCKS_TEXT) return { error: 'msg_blocks_too_long', detail: `blocks have ${total} characters` }
  return undefined
}

/** What `views.open` and `views.publish` would complain about. */
export function viewProblems(view: Json): string[] {
  const problems: string[] = []
  if (view.type !== 'modal' && view.type !== 'home') problems.push('type must be modal or home')
  if (view.type === 'modal') problems.push(...plainText(view.title, 24, 'title'))
  for (const key of ['submit', 'close']) if (view[key] !== undefined) problems.push(...plainText(view[key], 24, key))
  if (String(view.private_metadata ?? '').length > 3000) problems.push('private_metadata is longer than 3000')
  if (String(view.callback_id ?? '').length > 255) problems.push('callback_id is longer than 255')
  if (Buffer.byteLength(JSON.stringify(view)) > 250_000) problems.push('the view is larger than 250 kB')
  const blocks = Array.isArray(view.blocks) ? view.blocks.filter(isJson) : []
  if (blocks.some((block) => block.type === 'input') && view.type === 'modal' && view.submit === undefined) {
    problems.push('a modal with inputs needs submit')
  }
  return [...problems, ...blockProblems(blocks, { max: 100, surface: view.type === 'home' ? 'home' : 'modal' })]
}

type Surface = 'message' | 'modal' | 'home'

export function blockProblems(blocks: readonly Json[], rules: { max: number; surface: Surface }): string[] {
  const problems: string[] = []
  if (blocks.length > rules.max) problems.push(`more than ${rules.max} blocks`)
  const ids = blocks.map((block) => block.block_id).filter((id) => id !== undefined)
  if (new Set(ids).size !== ids.length) problems.push('block_id is not unique')
  if (ids.some((id) => typeof id !== 'string' || id.length > 255)) problems.push('block_id is longer than 255')
  blocks.forEach((block, index) => {
    problems.push(...blockProblem(block, rules.surface).map((problem) => `${problem} [json-pointer:/blocks/${index}]`))
  })
  return problems
}

function blockProblem(block: Json, surface: Surface): string[] {
  switch (block.type) {
    case 'section':
      return sectionProblems(block)
    case 'header':
      return plainText(block.text, 150, 'header')
    case 'divider':
      return []
    case 'context':
      return contextProblems(block)
    case 'actions':
      return actionsProblems(block)
    case 'rich_text':
      return richTextProblems(block)
    case 'input':
      return surface === 'modal' ? inputProblems(block) : ['input is for modals only']
    default:
      return [`unsupported type: ${String(block.type)}`]
  }
}

function sectionProblems(block: Json): string[] {
  const problems: string[] = []
  if (block.text === undefined && block.fields === undefined) problems.push('section needs text or fields')
  if (block.text !== undefined) problems.push(...anyText(block.text, 3000, 'section'))
  if (block.fields !== undefined) {
    const fields = Array.isArray(block.fields) ? block.fields : []
    if (fields.length === 0 || fields.length > 10) problems.push('section takes 1 to 10 fields')
    for (const field of fields) problems.push(...anyText(field, 2000, 'field'))
  }
  if (block.accessory !== undefined) problems.push(...elementProblems(block.accessory))
  return problems
}

function contextProblems(block: Json): string[] {
  const elements = Array.isArray(block.elements) ? block.elements : []
  if (elements.length === 0 || elements.length > 10) return ['context takes 1 to 10 elements']
  return elements.flatMap((element) => anyText(element, 3000, 'context'))
}

function actionsProblems(block: Json): string[] {
  const elements = Array.isArray(block.elements) ? block.elements : []
  const problems = elements.flatMap((element) => elementProblems(element))
  if (elements.length === 0 || elements.length > 25) problems.push('actions takes 1 to 25 elements')
  const ids = elements.map((element) => (isJson(element) ? element.action_id : undefined))
  if (new Set(ids).size !== ids.length) problems.push('action_id is not unique in its block')
  return problems
}

function elementProblems(element: unknown): string[] {
  if (!isJson(element)) return ['element must be an object']
  const problems: string[] = []
  const id = element.action_id
  if (id !== undefined && (typeof id !== 'string' || id.length > 255)) problems.push('action_id is longer than 255')
  if (element.confirm !== undefined) problems.push(...confirmProblems(element.confirm))
  switch (element.type) {
    case 'button':
      problems.push(...plainText(element.text, 75, 'button'))
      if (String(element.value ?? '').length > 2000) problems.push('value is longer than 2000')
      if (element.style !== undefined && element.style !== 'primary' && element.style !== 'danger') {
        problems.push(`invalid style ${String(element.style)}`)
      }
      break
    case 'static_select':
      problems.push(...optionProblems(element.options, 100))
      if (element.placeholder !== undefined) problems.push(...plainText(element.placeholder, 150, 'placeholder'))
      break
    case 'overflow':
      problems.push(...optionProblems(element.options, 5))
      break
    default:
      problems.push(`unsupported element: ${String(element.type)}`)
  }
  return problems
}

function optionProblems(options: unknown, max: number): string[] {
  const list = Array.isArray(options) ? options : []
  if (list.length === 0 || list.length > max) return [`takes 1 to ${max} options`]
  return list.flatMap((option) => {
    if (!isJson(option)) return ['option must be an object']
    const value = option.value
    const isFine = typeof value === 'string' && value.length > 0 && value.length <= 150
    return [...plainText(option.text, 75, 'option'), ...(isFine ? [] : ['option value must have 1 to 150 characters'])]
  })
}

function confirmProblems(confirm: unknown): string[] {
  if (!isJson(confirm)) return ['confirm must be an object']
  return [
    ...plainText(confirm.title, 100, 'confirm title'),
    ...anyText(confirm.text, 300, 'confirm text'),
    ...plainText(confirm.confirm, 30, 'confirm'),
    ...plainText(confirm.deny, 30, 'deny'),
  ]
}

function richTextProblems(block: Json): string[] {
  const elements = Array.isArray(block.elements) ? block.elements.filter(isJson) : []
  const known = ['rich_text_section', 'rich_text_preformatted', 'rich_text_list', 'rich_text_quote']
  if (elements.length === 0) return ['rich_text needs elements']
  return elements.flatMap((element) => {
    if (!known.includes(String(element.type))) return [`unsupported rich text: ${String(element.type)}`]
    const inner = Array.isArray(element.elements) ? element.elements.filter(isJson) : []
    const isEmpty = inner.length === 0 || inner.some((part) => part.type === 'text' && part.text === '')
    return isEmpty ? ['rich text must not be empty'] : []
  })
}

function inputProblems(block: Json): string[] {
  const problems = plainText(block.label, 2000, 'label')
  if (block.hint !== undefined) problems.push(...plainText(block.hint, 2000, 'hint'))
  const element = isJson(block.element) ? block.element : {}
  switch (element.type) {
    case 'plain_text_input':
      if (String(element.initial_value ?? '').length > 3000) problems.push('initial_value is longer than 3000')
      if (Number(element.max_length ?? 1) > 3000) problems.push('max_length is above 3000')
      if (element.placeholder !== undefined) problems.push(...plainText(element.placeholder, 150, 'placeholder'))
      return problems
    case 'checkboxes':
      return [...problems, ...optionProblems(element.options, 10)]
    default:
      return [...problems, `unsupported input: ${String(element.type)}`]
  }
}

function plainText(value: unknown, max: number, what: string): string[] {
  if (!isJson(value) || value.type !== 'plain_text') return [`${what} must be plain_text`]
  return anyText(value, max, what)
}

function anyText(value: unknown, max: number, what: string): string[] {
  if (!isJson(value)) return [`${what} must be a text object`]
  if (value.type !== 'plain_text' && value.type !== 'mrkdwn') return [`${what} has an unknown text type`]
  const text = value.text
  if (typeof text !== 'string' || text.length === 0) return [`${what} must be more than 0 characters`]
  return text.length > max ? [`${what} must be less than ${max + 1} characters`] : []
}

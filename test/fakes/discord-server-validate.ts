/** The checks that Discord makes on a message before it takes it; what is wrong is told per field, as in its 50035 answers. */
import { apiFault, type Json } from './discord-server-state.ts'

export const FLAG_EPHEMERAL = 1 << 6
export const FLAG_SILENT = 1 << 12
export const FLAG_COMPONENTS_V2 = 1 << 15

interface FormError {
  path: string
  code: string
  message: string
}

const ROW = 1
const BUTTON = 2
const SELECT = 3
const TEXT = 10
const FILE = 13
const SEPARATOR = 14
const CONTAINER = 17
const IN_CONTAINER = new Set([ROW, 9, TEXT, 12, FILE, SEPARATOR])
const TOP_LEVEL_V2 = new Set([ROW, 9, TEXT, 12, FILE, SEPARATOR, CONTAINER])

/** Throws a 50035 that names each field, or 50006 for a message without anything in it. */
export function checkMessage(body: Json, fileNames: readonly string[], flags: number): void {
  const errors: FormError[] = []
  const isV2 = (flags & FLAG_COMPONENTS_V2) !== 0
  const content = typeof body.content === 'string' ? body.content : ''
  const embeds = list(body.embeds)
  const components = list(body.components)
  if (content.length > 2000) errors.push(tooLong('content', 2000))
  if (isV2 && content !== '') errors.push(v2Conflict('content'))
  if (isV2 && embeds.length > 0) errors.push(v2Conflict('embeds'))
  if (isV2 && components.length === 0)
    errors.push({ path: 'components', code: 'BASE_TYPE_REQUIRED', message: 'This field is required' })
  checkEmbeds(embeds, errors)
  checkComponents(components, isV2, fileNames, errors)
  checkNonce(body, errors)
  if (fileNames.length > 10)
    errors.push({ path: 'attachments', code: 'BASE_TYPE_MAX_LENGTH', message: 'Must be 10 or fewer in length.' })
  fail(errors)
  if (!isV2 && content === '' && embeds.length === 0 && fileNames.length === 0 && components.length === 0) {
    throw apiFault(400, 50006, 'Cannot send an empty message')
  }
}

/** Modals: title, one to five labels or rows, texts of at most 4 000. */
export function checkModal(data: Json): void {
  const errors: FormError[] = []
  between(text(data.title), 1, 45, 'data.title', errors)
  between(text(data.custom_id), 1, 100, 'data.custom_id', errors)
  const components = list(data.components)
  if (components.length < 1 || components.length > 5) errors.push(range('data.components', 1, 5))
  for (const [at, label] of components.entries()) {
    const path = `data.components.${at}`
    between(text(label.label), 1, 45, `${path}.label`, errors)
    if (text(label.description).length > 100) errors.push(tooLong(`${path}.description`, 100))
    const input = isJson(label.component) ? label.component : {}
    between(text(input.custom_id), 1, 100, `${path}.component.custom_id`, errors)
    if (text(input.value).length > 4000) errors.push(tooLong(`${path}.component.value`, 4000))
    if (text(input.placeholder).length > 100) errors.push(tooLong(`${path}.component.placeholder`, 100))
  }
  fail(errors)
}

export function checkChoices(data: Json): void {
  const errors: FormError[] = []
  const choices = list(data.choices)
  if (choices.length > 25) errors.push(tooLong('data.choices', 25))
  for (const [at, choice] of choices.entries()) between(text(choice.name), 1, 100, `data.choices.${at}.name`, errors)
  fail(errors)
}

function checkEmbeds(embeds: readonly Json[], errors: FormError[]): void {
  if (embeds.length > 10) errors.push(tooLong('embeds', 10))
  let total = 0
  for (const [at, embed] of embeds.entries()) {
    const title = text(embed.title)
    const description = text(embed.description)
    const footer = isJson(embed.footer) ? text(embed.footer.text) : ''
    if (title.length > 256) errors.push(tooLong(`embeds.${at}.title`, 256))
    if (description.length > 4096) errors.push(tooLong(`embeds.${at}.description`, 4096))
    if (footer.length > 2048) errors.push(tooLong(`embeds.${at}.footer.text`, 2048))
    total += title.length + description.length + footer.length
  }
  if (total > 6000)
    errors.push({ path: 'embeds', code: 'MAX_EMBED_SIZE_EXCEEDED', message: 'Embed size exceeds maximum size of 6000' })
}

interface Tally {
  components: number
  textLength: number
  customIds: Set<string>
  ids: Set<number>
  fileNames: readonly string[]
  errors: FormError[]
}

function checkComponents(
  components: readonly Json[],
  isV2: boolean,
  fileNames: readonly string[],
  errors: FormError[],
): void {
  const tally: Tally = { components: 0, textLength: 0, customIds: new Set(), ids: new Set(), fileNames, errors }
  if (!isV2 && components.length > 5) errors.push(tooLong('components', 5))
  for (const [at, component] of components.entries()) {
    const type = Number(component.type)
    const isAllowed = isV2 ? TOP_LEVEL_V2.has(type) : type === ROW
    if (!isAllowed) errors.push(wrongType(`components.${at}.type`))
    checkComponent(component, `components.${at}`, tally)
  }
  if (tally.components > 40)
    errors.push({
      path: 'components',
      code: 'COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED',
      message: 'The total number of components exceeds 40',
    })
  if (tally.textLength > 4000)
    errors.push({
      path: 'components',
      code: 'COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED',
      message: 'Displayable text size exceeds maximum size of 4000',
    })
}

function checkComponent(component: Json, path: string, tally: Tally): void {
  tally.components += 1
  checkComponentId(component, path, tally)
  switch (component.type) {
    case ROW:
      checkRow(component, path, tally)
      return
    case BUTTON:
      checkButton(component, path, tally)
      return
    case SELECT:
      checkSelect(component, path, tally)
      return
    case TEXT: {
      const content = text(component.content)
      between(content, 1, 4000, `${path}.content`, tally.errors)
      tally.textLength += content.length
      return
    }
    case FILE: {
      const url = isJson(component.file) ? text(component.file.url) : ''
      const isKnown = tally.fileNames.some((name) => url === `attachment://${name}`)
      if (!isKnown)
        tally.errors.push({
          path: `${path}.file.url`,
          code: 'UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND',
          message: `The referenced attachment was not found: ${url}`,
        })
      return
    }
    case SEPARATOR:
      return
    case CONTAINER:
      checkContainer(component, path, tally)
      return
    default:
      tally.errors.push(wrongType(`${path}.type`))
  }
}

function checkComponentId(component: Json, path: string, tally: Tally): void {
  const { id } = component
  if (id === undefined) return
  const isRight = Number.isInteger(id) && Number(id) >= 0 && Number(id) < 2 ** 31
  if (!isRight)
    tally.errors.push({
      path: `${path}.id`,
      code: 'NUMBER_TYPE_MAX',
      message: 'int value should be less than or equal to 2147483647.',
    })
  if (id !== 0 && tally.ids.has(Number(id)))
    tally.errors.push({
      path: `${path}.id`,
      code: 'COMPONENT_ID_DUPLICATED',
      message: 'Component id cannot be duplicated',
    })
  tally.ids.add(Number(id))
}

function checkContainer(component: Json, path: string, tally: Tally): void {
  const children = list(component.components)
  if (children.length === 0) tally.errors.push(range(`${path}.components`, 1, 40))
  const color = component.accent_color
  if (color !== undefined && color !== null && !(Number(color) >= 0 && Number(color) <= 0xffffff))
    tally.errors.push(range(`${path}.accent_color`, 0, 0xffffff))
  for (const [at, child] of children.entries()) {
    if (!IN_CONTAINER.has(Number(child.type))) tally.errors.push(wrongType(`${path}.components.${at}.type`))
    checkComponent(child, `${path}.components.${at}`, tally)
  }
}

function checkRow(component: Json, path: string, tally: Tally): void {
  const children = list(component.components)
  const selects = children.filter((child) => child.type === SELECT).length
  const isMixed = selects > 0 && children.length > 1
  if (children.length < 1 || children.length > 5 || isMixed) tally.errors.push(range(`${path}.components`, 1, 5))
  for (const [at, child] of children.entries()) {
    if (child.type !== BUTTON && child.type !== SELECT) tally.errors.push(wrongType(`${path}.components.${at}.type`))
    checkComponent(child, `${path}.components.${at}`, tally)
  }
}

function checkButton(component: Json, path: string, tally: Tally): void {
  const label = text(component.label)
  if (component.emoji === undefined) between(label, 1, 80, `${path}.label`, tally.errors)
  if (![1, 2, 3, 4].includes(Number(component.style))) tally.errors.push(wrongType(`${path}.style`))
  checkCustomId(component, path, tally)
}

function checkSelect(component: Json, path: string, tally: Tally): void {
  checkCustomId(component, path, tally)
  const options = list(component.options)
  if (options.length < 1 || options.length > 25) tally.errors.push(range(`${path}.options`, 1, 25))
  if (text(component.placeholder).length > 150) tally.errors.push(tooLong(`${path}.placeholder`, 150))
  const values = new Set<string>()
  for (const [at, option] of options.entries()) {
    between(text(option.label), 1, 100, `${path}.options.${at}.label`, tally.errors)
    between(text(option.value), 1, 100, `${path}.options.${at}.value`, tally.errors)
    if (text(option.description).length > 100) tally.errors.push(tooLong(`${path}.options.${at}.description`, 100))
    if (values.has(text(option.value)))
      tally.errors.push({
        path: `${path}.options.${at}.value`,
        code: 'SELECT_COMPONENT_OPTION_VALUE_DUPLICATED',
        message: 'The specified option value is already used',
      })
    values.add(text(option.value))
  }
}

function checkCustomId(component: Json, path: string, tally: Tally): void {
  const id = text(component.custom_id)
  between(id, 1, 100, `${path}.custom_id`, tally.errors)
  if (tally.customIds.has(id))
    tally.errors.push({
      path: `${path}.custom_id`,
      code: 'COMPONENT_CUSTOM_ID_DUPLICATED',
      message: 'Component custom id cannot be duplicated',
    })
  tally.customIds.add(id)
}

function checkNonce(body: Json, errors: FormError[]): void {
  const { nonce } = body
  if (nonce !== undefined && String(nonce).length > 25) errors.push(tooLong('nonce', 25))
}

function fail(errors: readonly FormError[]): void {
  if (errors.length === 0) return
  const tree: Json = {}
  for (const { path, code, message } of errors) {
    let node = tree
    for (const key of path.split('.')) {
      const next = isJson(node[key]) ? node[key] : {}
      node[key] = next
      node = next
    }
    node._errors = [...list(node._errors), { code, message }]
  }
  throw apiFault(400, 50035, 'Invalid Form Body', tree)
}

function between(value: string, min: number, max: number, path: string, errors: FormError[]): void {
  if (value.length < min || value.length > max) errors.push(range(path, min, max))
}

function range(path: string, min: number, max: number): FormError {
  return { path, code: 'BASE_TYPE_BAD_LENGTH', message: `Must be between ${min} and ${max} in length.` }
}

function tooLong(path: string, max: number): FormError {
  return { path, code: 'BASE_TYPE_MAX_LENGTH', message: `Must be ${max} or fewer in length.` }
}

function wrongType(path: string): FormError {
  return { path, code: 'UNION_TYPE_CHOICES', message: 'Value of field "type" is not allowed here.' }
}

function v2Conflict(path: string): FormError {
  return {
    path,
    code: 'MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2',
    message: `The '${path}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2`,
  }
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : []
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

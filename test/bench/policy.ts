/**
 * How often the policy asks and refuses, on honest commands: `npm run bench -- policy [FOLDER]`.
 * The folder holds commands.txt, commands-model-written.txt and commands-tldr.txt, one command a line; without one, our own sample.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { styleText } from 'node:util'
import type { StepVerdict } from '../../src/core/verdict.ts'
import { createPolicy } from '../../src/policy/policy.ts'
import type { Bench } from './figure.ts'

/** Its figures are lines of its own. */
export const bench: Bench = {
  async run(args) {
    if ((await main(args)) !== 0) throw new Error('more is asked or refused than may be')
    return []
  },
}

interface Corpus {
  file: string
  /** Shares of all lines, from 0 to 1; undefined: only told. */
  maxAsked?: number
  maxRefused?: number
  /** Lines that go out to the network may be asked about, and are not counted against maxAsked. */
  networkMayAsk?: boolean
}

const CORPORA: readonly Corpus[] = [
  { file: 'commands.txt', maxAsked: 0.01, maxRefused: 0.01 },
  { file: 'commands-model-written.txt', maxAsked: 0.01, maxRefused: 0 },
  { file: 'commands-tldr.txt', maxAsked: 0.01, networkMayAsk: true },
]
const SAMPLE: readonly Corpus[] = [{ file: 'commands-sample.txt', maxAsked: 0, maxRefused: 0 }]

/** Answers the exit code: 1 when a limit is exceeded. With `--list`, also prints the lines that are asked about or refused. */
export async function main(args: readonly string[]): Promise<number> {
  const folder = args.find((arg) => !arg.startsWith('-'))
  const corpora = folder === undefined ? SAMPLE : CORPORA
  const from = folder ?? join(import.meta.dirname, '../fixtures')
  let isOver = false
  for (const corpus of corpora) {
    const lines = (await readFile(join(from, corpus.file), 'utf8')).split('\n').filter((line) => line.trim() !== '')
    if (measure(corpus, lines, args.includes('--list'))) isOver = true
  }
  return isOver ? 1 : 0
}

function measure(corpus: Corpus, lines: readonly string[], list: boolean): boolean {
  const policy = createPolicy({ rules: [] })
  const review = (command: string) =>
    policy.review({ commands: [command], summary: '', network: null }, { sandbox: 'full' }).steps[0]
  for (const line of lines) review(line)
  const start = performance.now()
  const verdicts = lines.map(review)
  const microseconds = ((performance.now() - start) * 1000) / lines.length

  const asked = indexesOf(verdicts, (verdict) => verdict.decision === 'ask')
  const askedUnexpected = asked.filter((at) => !(corpus.networkMayAsk && verdicts[at]?.badges.includes('network')))
  const refused = indexesOf(verdicts, (verdict) => verdict.decision === 'deny')
  const unreadable = indexesOf(verdicts, (verdict) => verdict.badges.includes('unreadable'))
  if (list)
    for (const at of [...askedUnexpected, ...refused])
      console.log(`  ${verdicts[at]?.decision}: ${lines[at]}  # ${verdicts[at]?.reasons.join(' ')}`)

  const over = (count: number, max: number | undefined) => max !== undefined && count > max * lines.length
  const isOver = over(askedUnexpected.length, corpus.maxAsked) || over(refused.length, corpus.maxRefused)
  const share = (found: readonly number[]) => `${((100 * found.length) / lines.length).toFixed(2)}`
  console.log(
    `${corpus.file}: ${lines.length} commands, asked ${share(asked)} per 100 (${share(askedUnexpected)} without the network), ` +
      `refused ${share(refused)} per 100, unreadable ${share(unreadable)} per 100, ${microseconds.toFixed(1)} µs per command` +
      `${isOver ? styleText('red', '  over the limit') : ''}`,
  )
  return isOver
}

function indexesOf(verdicts: readonly (StepVerdict | undefined)[], is: (verdict: StepVerdict) => boolean): number[] {
  return verdicts.flatMap((verdict, index) => (verdict !== undefined && is(verdict) ? [index] : []))
}

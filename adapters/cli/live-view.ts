/**
 * A followed task on a terminal: its output scrolls by as in any terminal, and below it one block is drawn again and again:
 * a spinner, the clock, the steps. Frames are drawn at a fixed rate, whatever is printed, and never more lines at once than
 * anybody could read; the log has them all.
 */

import spinners from 'cli-spinners'
import { createLogUpdate } from 'log-update'
import { COMMAND } from '../../src/core/command.ts'
import { isFinal, type Task } from '../../src/core/task.ts'
import { cardView } from '../../src/core/views/card-view.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { LogLine } from '../../src/ports/workspace.ts'
import type { TextStream } from './deps.ts'
import type { Printer } from './printer.ts'
import { cutToWidth } from './table.ts'
import { logLine } from './task-lines.ts'
import type { TaskView } from './task-view.ts'

const SPINNER = spinners.dots
const FRAME_MS = SPINNER.interval
const MAX_LINES_PER_FRAME = 200
const MAX_STEPS = 8

export interface LiveViewOptions {
  printer: Printer
  stdout: TextStream
  clock: Clock
  maxRounds: number | null
  sandboxWarning: string | null
}

export function createLiveView(options: LiveViewOptions): TaskView {
  const { printer, stdout, clock } = options
  const update = createLogUpdate(stdout)
  const waiting: string[] = []
  let skipped = 0
  let frame = 0
  let task: Task | undefined
  let timer: Disposable | undefined
  let isPaused = false
  let isClosed = false

  /** Not by log-update's persist: that one keeps no more than a screenful. */
  function flush(): void {
    if (skipped > 0) {
      const note = `… ${skipped} lines not shown here; ${COMMAND} logs ${task?.id ?? ''} --all`
      waiting.unshift(printer.style('dim', note))
    }
    if (waiting.length === 0) return
    update.clear()
    stdout.write(`${waiting.splice(0).join('\n')}\n`)
    skipped = 0
  }

  function draw(): void {
    flush()
    const lines =
      task === undefined ? [] : blockLines(task, options, SPINNER.frames[frame % SPINNER.frames.length] ?? '')
    if (lines.length > 0) update(lines.join('\n'))
    frame += 1
    timer = clock.after(FRAME_MS, draw)
  }

  /** Draws soon, unless it is not its turn. */
  function wake(): void {
    if (!isClosed && !isPaused) timer ??= clock.after(0, draw)
  }

  function rest(): void {
    timer?.[Symbol.dispose]()
    timer = undefined
    flush()
    update.clear()
    // Shows the cursor again, for what the person types.
    update.done()
  }

  function keep(text: string): void {
    waiting.push(text)
    if (waiting.length > MAX_LINES_PER_FRAME) {
      waiting.shift()
      skipped += 1
    }
    wake()
  }

  return {
    task(now) {
      task = now
      wake()
    },
    line: (line: LogLine) => keep(logLine(line, printer.style)),
    say: (text) => keep(text),
    pause() {
      isPaused = true
      rest()
    },
    resume() {
      isPaused = false
      wake()
    },
    close() {
      if (isClosed) return
      isClosed = true
      rest()
    },
  }
}

function blockLines(task: Task, options: LiveViewOptions, spinner: string): string[] {
  if (isFinal(task.status)) return []
  const { printer, clock, maxRounds, sandboxWarning } = options
  const card = cardView(task, { now: clock.now(), tail: null, queue: null, children: [], maxRounds, sandboxWarning })
  const steps = card.steps.slice(0, MAX_STEPS).map(({ mark, command, note }) => {
    const text = `  ${mark} ${command}${note === '' ? '' : `  ${note}`}`
    return printer.style(mark === '▶' ? 'cyan' : 'dim', cutToWidth(text, printer.width - 1))
  })
  const head = cutToWidth(`${spinner} #${task.id} ${card.headline}`, printer.width - 1)
  const notes = card.notes.map((note) => printer.style('yellow', cutToWidth(`  ${note}`, printer.width - 1)))
  return [printer.style('bold', head), ...steps, ...notes]
}

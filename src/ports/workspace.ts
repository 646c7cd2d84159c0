import type { Readable } from 'node:stream'
import type { StepEnd } from '../core/outcome.ts'
import type { OutputTotals } from '../core/task.ts'

export interface OutputFile {
  /** Relative to the working directory, '/'-separated. Names that are not UTF-8 are shown with escapes and carry `raw: true`. */
  path: string
  sizeBytes: number
  /** By name; 'application/octet-stream' when unknown. */
  mimeType: string
  modifiedAt: number
}

/** One line of the log with the step that printed it; lines of our own (boundaries) have `step: null` and `ours: true`. */
export interface LogLine {
  /** Byte offset where the line begins; the offset after it is the next line's. */
  offset: number
  text: string
  ours: boolean
}

export interface LogTail {
  lines: readonly LogLine[]
  /** Where the log ends now: follow from here. */
  endOffset: number
  sizeBytes: number
  /** Epoch ms of the last write; null while the log is empty. */
  lastWriteAt: number | null
}

/** Writes a task's log while the worker holds it. Everything is redacted before it reaches the file. */
export interface LogWriter extends AsyncDisposable {
  stepStarted(round: number, index: number, total: number, command: string): Promise<void>
  /** Raw output of the running step. Settles when the bytes are taken; bounded memory whatever comes. */
  write(chunk: Buffer): void | Promise<void>
  stepEnded(round: number, index: number, end: StepEnd, durationMs: number): Promise<void>
  /** A line of our own: "repair round 2: …". */
  note(text: string): Promise<void>
  /** How many secrets have been hidden so far. */
  readonly redactions: number
  /** Bytes printed so far, kept or not. */
  readonly printedBytes: number
}

export interface OpenedOutput {
  file: OutputFile
  /** Bytes [start, end] inclusive, as asked; the whole file by default. Destroy it to stop early. */
  stream: Readable
}

/**
 * Every path under tasks/: task-<id>/work (the commands' working directory), task-<id>/inputs (as given), and the log, both out of their reach.
 * Nothing here follows a link or opens anything but plain files of its own.
 */
export interface Workspace {
  /** Host path of the commands' working directory. */
  directory(taskId: number): string
  /**
   * Makes the folder; with `copyFrom`, its working directory starts as a copy of that task's (plain files and folders only).
   * Inputs of the task are laid into work/inputs/. May be called twice: the second call changes nothing.
   */
  prepare(
    taskId: number,
    options: { copyFrom: number | null; owner: { uid: number; gid: number } | null },
  ): Promise<void>
  /** Saves one input under a safe name; answers the name and size. Throws InputError (too large, a login page, a broken download). */
  addInput(
    taskId: number,
    name: string,
    bytes: AsyncIterable<Uint8Array>,
    expect: { sizeBytes: number | null; mimeType: string | null },
  ): Promise<{ name: string; sizeBytes: number }>
  /** Copies one saved input of another task. */
  copyInput(fromTaskId: number, toTaskId: number, name: string): Promise<{ name: string; sizeBytes: number }>
  openLog(taskId: number): Promise<LogWriter>
  /** The last `lines` lines, read from the end: its cost does not grow with the log. An empty tail when there is no log. */
  tail(taskId: number, lines: number): Promise<LogTail>
  /** Lines from byte `offset` on, as they come, until `signal` aborts or `isOver()` answers true with nothing left to read. */
  follow(
    taskId: number,
    offset: number,
    options: { signal: AbortSignal; isOver(): Promise<boolean> },
  ): AsyncIterable<LogLine>
  openWholeLog(taskId: number): Promise<{ stream: Readable; sizeBytes: number } | undefined>
  /** Files made or changed since prepare, inputs that are as given left out; sorted by path, bounded. */
  outputs(taskId: number): Promise<{ files: readonly OutputFile[]; totals: OutputTotals; omitted: number }>
  /** Undefined when there is no such output. */
  openOutput(taskId: number, path: string, range?: { start: number; end: number }): Promise<OpenedOutput | undefined>
  /** All outputs as one zip, without links; streams. */
  archive(taskId: number): Promise<Readable>
  /** Files in the working directory for the model, bounded. */
  listing(
    taskId: number,
    max: number,
  ): Promise<{ files: readonly { path: string; sizeBytes: number }[]; omitted: number }>
  /** Bytes that the working directory uses on disk, measured off the main thread's turn. */
  usedBytes(taskId: number): Promise<number>
  freeBytes(): Promise<number>
  /** Whether the task's folder is there. */
  exists(taskId: number): Promise<boolean>
  /** Removes the task's folder. May be called twice. */
  remove(taskId: number): Promise<void>
}

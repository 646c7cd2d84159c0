import type { Readable } from 'node:stream'
import { AppError } from '../core/errors.ts'
import type { StepEnd } from '../core/outcome.ts'
import type { OutputTotals } from '../core/task.ts'

/** `disk_full`: no room or no quota left. `workspace_lost`: the task's folder is gone or cannot be used. Both are failure reasons as they stand. */
export class WorkspaceError extends AppError {
  declare readonly code: 'disk_full' | 'workspace_lost'
  constructor(code: WorkspaceError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** Why an input was not saved; the message is a sentence for people. */
export class InputError extends AppError {
  declare readonly code: 'too_large' | 'too_many' | 'login_page' | 'broken_download'
  constructor(code: InputError['code'], message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

export interface OutputFile {
  /**
   * Relative to the working directory, '/'-separated. Bytes that are not UTF-8, control and direction characters and
   * backslashes are shown as backslash escapes (\xff, \n, \u202e, \\); openOutput takes the path as shown.
   */
  path: string
  sizeBytes: number
  /** By name; 'application/octet-stream' when unknown. */
  mimeType: string
  modifiedAt: number
}

/** One line of the log; lines of our own (step boundaries, notes) are tagged and have `ours: true`, which output cannot imitate. */
export interface LogLine {
  /** Byte offset where the line begins. Offsets only grow, also past bytes that were dropped from the middle. */
  offset: number
  /** Where to go on after this line: follow from here to resume without a gap or a repetition. */
  nextOffset: number
  /** Without its line end; longer than 16 KiB it is cut, with a note. May hold control characters: faces clean it. */
  text: string
  ours: boolean
}

export interface LogTail {
  /** The last one may still be unfinished. */
  lines: readonly LogLine[]
  /** Where the log ends now: follow from here. */
  endOffset: number
  sizeBytes: number
  /** Epoch ms of the last write; null while the log is empty. */
  lastWriteAt: number | null
}

/**
 * Writes a task's log while the worker holds it. Everything is redacted before it reaches the file.
 * Each method throws WorkspaceError when the file cannot be written, and from then on always. Disposing never throws.
 */
export interface LogWriter extends AsyncDisposable {
  stepStarted(round: number, index: number, total: number, command: string): Promise<void>
  /** Raw output of the running step; the chunk may be reused once this has returned and settled. Await it: that is the back-pressure. */
  write(chunk: Buffer): void | Promise<void>
  stepEnded(round: number, index: number, end: StepEnd, durationMs: number): Promise<void>
  /** A line of our own: "repair round 2: …". */
  note(text: string): Promise<void>
  /** How many secrets have been hidden so far, also by a worker that wrote before this one. */
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
   * Inputs of the task are laid into work/inputs/. May be called twice: the second call changes nothing but the owner.
   * Throws WorkspaceError.
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
  /** The last lines that one step printed, its own boundary lines included; an empty tail when it never started. */
  tailOfStep(taskId: number, step: { round: number; index: number }, lines: number): Promise<LogTail>
  /**
   * Lines from byte `offset` on, as they come, also from another process's writer and before the log exists, until `signal` aborts or
   * `isOver()` answers true with nothing left to read. `isOver` is asked when bytes came, when `onChange` tells of a change, and each second.
   */
  follow(
    taskId: number,
    offset: number,
    options: { signal: AbortSignal; isOver(): Promise<boolean>; onChange?(listener: () => void): Disposable },
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
  /** Ids of all tasks that have a folder. */
  folders(): Promise<readonly number[]>
  /** Bytes that the task's whole folder uses on disk, with inputs and log; 0 when there is none. */
  folderBytes(taskId: number): Promise<number>
  /** Whether the task's folder is there. */
  exists(taskId: number): Promise<boolean>
  /**
   * Clears the place of a task that the store does not know: a removal cut short is ended; a whole folder, which may be
   * somebody's after an older store was put back, is kept under another name. Answers that name; null when nothing was kept.
   */
  setAside(taskId: number): Promise<string | null>
  /** Removes the task's folder. May be called twice. */
  remove(taskId: number): Promise<void>
}

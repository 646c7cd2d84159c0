import { join } from 'node:path'
import { WorkspaceError } from '../ports/workspace.ts'

/** The only place where paths under tasks/ are made, and from numbers alone. */
export interface TaskPaths {
  task: string
  /** The commands' working directory. */
  work: string
  /** Inputs as given. */
  inputs: string
  log: string
  /** What the working directory held when it was prepared; being there says that it is. */
  snapshot: string
}

export function taskPaths(root: string, taskId: number): TaskPaths {
  if (!Number.isSafeInteger(taskId) || taskId < 1) throw new Error(`not a task id: ${taskId}`)
  const task = join(root, `task-${taskId}`)
  return {
    task,
    work: join(task, 'work'),
    inputs: join(task, 'inputs'),
    log: join(task, 'log'),
    snapshot: join(task, 'snapshot.json'),
  }
}

/** Trouble of the file system as one of the two failure reasons that it can be. */
export function workspaceError(error: unknown): WorkspaceError {
  if (error instanceof WorkspaceError) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new WorkspaceError('disk_full', 'the disk is full', { cause: error })
  return new WorkspaceError('workspace_lost', `the task's folder cannot be used (${code ?? 'unknown'})`, {
    cause: error,
  })
}

export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Undefined when it is not there; other trouble is thrown. */
export async function unlessMissing<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    return throwUnlessMissing(error)
  }
}

/** The same for what is done at once: a look at one name, where another thread costs more than it saves. */
export function orMissing<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch (error) {
    return throwUnlessMissing(error)
  }
}

function throwUnlessMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error
}

import type { Database } from 'better-sqlite3'
import type { InputFile } from '../core/task.ts'
import type { Commit } from './group-commit.ts'
import { columns } from './json-columns.ts'

/** Rewrites one input of a task. The task itself is told that they are all there by its event, `inputs_ready`. */
export function createInputs(db: Database) {
  const get = db.prepare<[number], { inputs: string }>('SELECT inputs FROM task WHERE id = ?')
  const put = db.prepare<[string, number]>('UPDATE task SET inputs = ? WHERE id = ?')
  return {
    set(commit: Commit, { taskId, index, input }: { taskId: number; index: number; input: InputFile }): void {
      const row = get.get(taskId)
      // Removed by retention while a slow download ended.
      if (row === undefined) return
      const inputs = columns.inputs(row.inputs)
      if (inputs[index] === undefined) throw new RangeError(`task ${taskId} has no input ${index}`)
      inputs[index] = input
      put.run(JSON.stringify(inputs), taskId)
      commit.tasks.add(taskId)
    },
  }
}

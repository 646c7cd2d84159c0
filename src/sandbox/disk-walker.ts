/** Runs in a worker thread: the walks that take long. */
import { parentPort } from 'node:worker_threads'
import { type DiskFindings, type DiskQuestion, walkDisk } from './disk-walk.ts'

export type ThreadQuestion = DiskQuestion & { id: number }
export type ThreadAnswer = DiskFindings & { id: number }

parentPort?.on('message', ({ id, ...question }: ThreadQuestion) => {
  const found = walkDisk(question, Number.POSITIVE_INFINITY)
  if (found !== undefined) parentPort?.postMessage({ id, ...found } satisfies ThreadAnswer)
})

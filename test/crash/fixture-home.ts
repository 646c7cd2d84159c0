/** A program in a home of its own with an API, and what tests ask of it. */
import { createHome, freePort, type Home, type Running, start } from '../e2e/program.ts'

export interface Api {
  port: number
  submit(description: string, more?: object): Promise<{ status: number; id: number }>
  task(id: number): Promise<TaskJson>
  /** The task once it has one of these statuses. */
  until(id: number, ...statuses: string[]): Promise<TaskJson>
}

export interface TaskJson {
  id: number
  status: string
  failure?: { reason: string; sentence?: string; detail?: string } | null
  [key: string]: unknown
}

export async function homeWithApi(environment: Record<string, string> = {}): Promise<{ home: Home; api: Api }> {
  const port = await freePort()
  const home = createHome({ ASSISTANT_API_PORT: String(port), ...environment })
  const base = `http://127.0.0.1:${port}/tasks`
  const api: Api = {
    port,
    async submit(description, more = {}) {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(base, { method: 'POST', headers, body: JSON.stringify({ description, ...more }) })
      const body: unknown = await response.json()
      const id = typeof body === 'object' && body !== null && 'id' in body ? Number(body.id) : 0
      return { status: response.status, id }
    },
    async task(id) {
      // The API's own schema says what it is; the cast is the border.
      return (await (await fetch(`${base}/${id}`)).json()) as TaskJson
    },
    async until(id, ...statuses) {
      const endsAt = Date.now() + 90_000
      for (;;) {
        const task = await api.task(id)
        if (statuses.includes(task.status)) return task
        if (Date.now() > endsAt) throw new Error(`task ${id} is ${task.status}, not ${statuses.join(' or ')}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
  }
  return { home, api }
}

/** Starts it and waits until it says that it is ready. */
export async function startReady(home: Home, args: readonly string[] = ['start']): Promise<Running> {
  const running = start(home, args)
  await running.printed('Ctrl-C stops')
  return running
}

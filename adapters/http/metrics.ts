/** Counts and durations in Prometheus' text form. The registry is this server's own: two servers in one process don't mix. */
import { Gauge, Histogram, Registry } from 'prom-client'
import type { ServiceHealth } from './options.ts'

export interface Meter {
  /** `route` is the pattern, not the path: the number of series stays small. */
  observe(method: string, route: string | undefined, status: number, durationMs: number): void
  text(): Promise<{ contentType: string; body: string }>
}

export function createMeter(health: () => Promise<ServiceHealth>): Meter {
  const registry = new Registry()
  const duration = new Histogram({
    name: 'assistant_http_request_duration_seconds',
    help: 'Time from the request to the end of the answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  const tasks = new Gauge({
    name: 'assistant_tasks',
    help: 'Tasks by status',
    labelNames: ['status'],
    registers: [registry],
  })
  const workers = new Gauge({ name: 'assistant_workers', help: 'Workers that are alive', registers: [registry] })
  const up = new Gauge({
    name: 'assistant_part_up',
    help: '1 when the part is well',
    labelNames: ['part'],
    registers: [registry],
  })
  const memory = new Gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory', registers: [registry] })

  return {
    observe(method, route, status, durationMs) {
      duration.observe({ method, route: route ?? 'none', status }, durationMs / 1000)
    },
    async text() {
      const now = await health()
      for (const [status, count] of Object.entries(now.tasks)) tasks.set({ status }, count)
      for (const { name, ok } of now.checks) up.set({ part: name }, ok ? 1 : 0)
      workers.set(now.liveWorkers)
      memory.set(process.memoryUsage.rss())
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}

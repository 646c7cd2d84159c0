/** How benches measure: in turns with their peers, so that what else the machine does falls on both. */
import type { Figure, Goal, Spread } from './figure.ts'

export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) }
}

/** Of the values themselves, none in between. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Work done per second. */
export async function rateOf(count: number, work: () => Promise<unknown> | unknown): Promise<number> {
  return (count / (await msOf(work))) * 1000
}

export async function msOf(work: () => Promise<unknown> | unknown): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export async function times(count: number, work: (index: number) => Promise<unknown> | unknown): Promise<number[]> {
  const all: number[] = []
  for (let index = 0; index < count; index += 1) all.push(await msOf(() => work(index)))
  return all
}

type Side = () => Promise<number> | number

export interface Versus {
  name: string
  unit: string
  rounds: number
  ours: Side
  peer: { name: string; measure: Side }
  goal?: Goal
  note?: string
}

/** Both sides in turn, once to warm up and then for each round; the ratio is of the values of one round. */
export async function versus({ name, unit, rounds, ours, peer, goal, note }: Versus): Promise<Figure> {
  const seen: { ours: number; peer: number }[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const theirs = await peer.measure()
    seen.push({ peer: theirs, ours: await ours() })
  }
  const pairs = seen.slice(1)
  return {
    name,
    unit,
    ours: spreadOf(pairs.map((pair) => pair.ours)),
    peer: { name: peer.name, ...spreadOf(pairs.map((pair) => pair.peer)) },
    ratio: spreadOf(pairs.map((pair) => pair.ours / pair.peer)),
    ...(goal === undefined ? {} : { goal }),
    ...(note === undefined ? {} : { note }),
  }
}

/** Half of all were quicker than the first, all but a hundredth quicker than the second. */
export function latencies(name: string, ms: readonly number[], goals: { p50?: number; p99?: number } = {}): Figure[] {
  return [['p50', 0.5, goals.p50] as const, ['p99', 0.99, goals.p99] as const].map(([title, share, atMost]) => ({
    name: `${name}, ${title}`,
    unit: 'ms',
    ours: single(quantile(ms, share)),
    ...(atMost === undefined ? {} : { goal: { of: 'ours', atMost } as const }),
  }))
}

/** A figure of one value, without a spread. */
export function single(value: number): Spread {
  return { median: value, low: value, high: value }
}

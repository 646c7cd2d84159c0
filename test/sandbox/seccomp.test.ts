import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ABSENT_CALLS, JUDGED_CALLS, REFUSED_CALLS, seccompFilter } from '../../src/sandbox/seccomp.ts'

const CALLS = { ...REFUSED_CALLS, ...ABSENT_CALLS, ...JUDGED_CALLS }
const HEADERS = [
  ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', 0],
  ['/usr/include/asm-generic/unistd.h', 1],
] as const

for (const [header, column] of HEADERS) {
  it.skipIf(!existsSync(header))(`has the numbers of ${header}`, () => {
    const text = readFileSync(header, 'utf8')
    const known = new Map(
      [...text.matchAll(/#define __NR(?:3264)?_(\w+)\s+(\d+)/g)].map(([, name, number]) => [name, Number(number)]),
    )
    const wrong = Object.entries(CALLS).filter(
      ([name, numbers]) => known.has(name) && known.get(name) !== numbers[column],
    )
    expect(wrong).toEqual([])
    expect(Object.keys(CALLS).filter((name) => known.has(name)).length).toBeGreaterThan(45)
  })
}

it('makes whole instructions whose jumps stay inside, and none for an unknown architecture', () => {
  for (const architecture of ['x64', 'arm64']) {
    const filter = seccompFilter(architecture)
    expect((filter?.length ?? 1) % 8).toBe(0)
    const count = (filter?.length ?? 0) / 8
    for (let index = 0; index < count; index++) {
      const isJump = ((filter?.readUInt16LE(index * 8) ?? 0) & 7) === 5
      const furthest = Math.max(filter?.readUInt8(index * 8 + 2) ?? 0, filter?.readUInt8(index * 8 + 3) ?? 0)
      if (isJump) expect(index + 1 + furthest).toBeLessThan(count)
    }
  }
  expect(seccompFilter('riscv64')).toBeUndefined()
})

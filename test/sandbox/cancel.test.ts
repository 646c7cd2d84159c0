import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { taskBench } from './task-bench.ts'

/** Nothing here may wait for the end of the grace time. */
const patient = () => taskBench(createBubblewrapSandbox, { graceMs: 50_000 })

async function cancelled(command: string) {
  await using bench = patient()
  const abort = new AbortController()
  const { ends, outputs } = await bench.run([command], {
    signal: abort.signal,
    onText: (text) => text.includes('ready') && abort.abort(),
  })
  expect(ends).toEqual([{ kind: 'cancelled' }])
  expect(bench.survivors()).toEqual([])
  return outputs[0]
}

describe('a step that is cancelled', () => {
  it('is over at once when a process of it lost the signal because it was becoming another program', async () => {
    const output = await cancelled(`trap : TERM
      perl -e '$| = 1; $SIG{TERM} = sub { $lost = 1 }; print "ready\\n"; sleep 1 until $lost; exec "sleep", "1242"' & child=$!
      while kill -0 $child 2>/dev/null; do wait $child; status=$?; done; echo "ended by $status"`)
    expect(output).toMatch(/ended by 143\n$/)
  })

  it('is over at once when a process of it was there too late for the signal, stopped and about to become another program', async () => {
    const output = await cancelled(
      `trap 'perl -e "kill STOP => \\$\\$; exec qw(sleep 1243)" & wait $!; echo "ended by $?"; exit' TERM; echo ready; while :; do sleep 0.01; done`,
    )
    expect(output).toMatch(/ended by 143\n$/)
  })

  it('is over at once when something in the background takes longer to clean up than the step itself', async () => {
    const output = await cancelled(
      'setsid sh -c \'trap "sleep 0.3; echo cleaned; exit" TERM; echo ready; while :; do sleep 0.01; done\' & wait',
    )
    expect(output).toMatch(/cleaned\n$/)
  })

  it('is signalled no second time while it cleans up', async () => {
    const output = await cancelled('trap "sleep 0.3; echo cleaned; exit" TERM; echo ready; while :; do :; done')
    expect(output).toMatch(/cleaned\n$/)
  })
})

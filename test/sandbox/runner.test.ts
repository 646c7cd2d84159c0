import { describe, expect, it } from 'vitest'
import { createBubblewrapSandbox } from '../../src/sandbox/bubblewrap.ts'
import { approved, type TaskBench, taskBench } from './task-bench.ts'

/** A process that a step leaves behind: once the step is over, does `action` to the runner that waits for the next, a lane's child, whose process id is $p. */
const toTheNextRunner = (action: string) => `
step=$$
cat >behind.sh <<'EOF'
while kill -0 "$1"; do :; done
until [ "$p" ]; do for f in /proc/[0-9]*/comm; do read -r name <$f && [ "$name" = bash ] && read -r a b c parent e <\${f%comm}stat && read -r name </proc/$parent/comm && [ "$name" = supervisor ] && p=\${f%/comm} p=\${p#/proc/}; done; done
${action}
touch acted
EOF
sh behind.sh $step >/dev/null 2>&1 &`

async function runOne(bench: TaskBench, commands: string[], index: number) {
  let output = ''
  const end = await (await bench.session()).run(approved(commands), index, {
    timeoutMs: 60_000,
    signal: new AbortController().signal,
    onOutput(chunk) {
      output += chunk.toString()
    },
  })
  return { end, output }
}

async function between(action: string, next: string) {
  await using bench = taskBench(createBubblewrapSandbox)
  const commands = [toTheNextRunner(action), next]
  await runOne(bench, commands, 0)
  await expect.poll(() => bench.directory()).toContain('acted')
  return { ...(await runOne(bench, commands, 1)), files: await bench.directory() }
}

describe('the runner that waits for the next step', () => {
  it('is replaced when it was ended, and the step runs once', async () => {
    const { end, output } = await between(
      'kill -KILL $p; while [ -e /proc/$p ]; do :; done',
      'echo ran | tee -a log; cat log',
    )
    expect(end).toEqual({ kind: 'exited', code: 0 })
    // The shell above may say that it was killed.
    expect(output).toMatch(/^(Killed\n)?ran\nran\n$/)
  })

  it('cannot be given another step, nor robbed of its own', async () => {
    const { output, files } = await between(
      '(exec 5>/proc/$p/fd/0) && touch opened; (exec 5</proc/$p/fd/0) && touch opened; until ls /proc/$p/fd >held; [ "$(echo $(cat held))" = "0 1 2" ]; do :; done',
      'cat held',
    )
    // The one above 2 is what bash waits with.
    expect(output).toMatch(/^0\n1\n2\n$/)
    expect(files).not.toContain('opened')
  })

  it('leaves what runs in the background its time to clean up when the task is over', async () => {
    await using bench = taskBench(createBubblewrapSandbox, { graceMs: 50_000 })
    const commands = ['sh -c \'trap "echo >cleaned; exit" TERM; echo >ready; while :; do sleep 0.01; done\' &', 'true']
    await runOne(bench, commands, 0)
    await expect.poll(() => bench.directory()).toContain('ready')
    await bench.dispose()
    expect(await bench.directory()).toContain('cleaned')
    expect(bench.survivors()).toEqual([])
  })

  it('finds what a step left behind, however little, and nothing of what a later one took back', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const { outputs } = await bench.run([
      'true',
      'declare -A map; export later; declare -i number',
      'true',
      `map[key]=1; later=2; number=3+4; sh -c 'echo $later'; echo "\${!map[@]} $number"`,
      'unset map later number; a=1; f() { :; }; cd /tmp; umask 077; set -f',
      'unset a; unset -f f; cd "$HOME"; umask 022; set +f; unset OLDPWD',
      `declare -F f; echo "[\${map-}\${later-}\${number-}\${a-}] $PWD $(umask) $-"`,
    ])
    expect(outputs.slice(3)).toEqual(['2\nkey 7\n', '', '', '[] /task 0022 hBc\n'])
  })

  it('tells the status of a step that took digits for separators', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const { ends } = await bench.run(['IFS=1h; exit 12', "trap 'echo bye' EXIT; exit 11"])
    expect(ends).toEqual([
      { kind: 'exited', code: 12 },
      { kind: 'exited', code: 11 },
    ])
  })

  it('leaves an EXIT trap of the step the shell that it knows', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const names = ['RANDOM', 'EPOCHSECONDS', 'BASHPID', 'LINENO', 'BASH_VERSION', 'BASH_COMMAND']
    const all = names.map((name) => `\${${name}:+${name}}`).join(' ')
    const { outputs } = await bench.run([`kept=1; trap 'echo "${all}"' EXIT`, 'echo $kept'])
    expect(outputs).toEqual([`${names.join(' ')}\n`, '1\n'])
  })

  it('takes a step that is longer than any pipe', async () => {
    await using bench = taskBench(createBubblewrapSandbox)
    const text = 'ä long line\twith a tab\\n\n'.repeat(20_000)
    const { outputs } = await bench.run([`cat <<'EOF'\n${text}EOF`, 'echo next'])
    expect(outputs).toEqual([text, 'next\n'])
  })
})

/** What every Sandbox promises, whatever it protects with. Each implementation's test runs this suite. */
import { afterEach, describe, expect, it } from 'vitest'
import type { StepEnd } from '../../src/core/outcome.ts'
import { approved, type BenchOptions, GIBIBYTE, type TaskBench } from '../sandbox/task-bench.ts'

export function sandboxContract(name: string, makeBench: (options?: BenchOptions) => TaskBench): void {
  describe(`${name} keeps the contract of a sandbox`, () => {
    let bench: TaskBench | undefined
    const start = (options?: BenchOptions) => {
      bench = makeBench(options)
      return bench
    }
    afterEach(async () => {
      await bench?.[Symbol.asyncDispose]()
      bench = undefined
    })

    const ends: [command: string, end: StepEnd, output: string | RegExp][] = [
      ['echo hello', { kind: 'exited', code: 0 }, 'hello\n'],
      ['exit 3', { kind: 'exited', code: 3 }, ''],
      ['echo "', { kind: 'exited', code: 2 }, /unexpected EOF/],
      ['if true; then echo yes', { kind: 'exited', code: 2 }, /syntax error/],
      ['set -e; false; echo never', { kind: 'exited', code: 1 }, ''],
      ['exec sh -c "exit 9"', { kind: 'exited', code: 9 }, ''],
      ['kill -9 $BASHPID', { kind: 'signalled', signal: 'SIGKILL' }, /^(Killed\n)?$/],
      ['sh -c "kill -TERM \\$\\$"; exit 143', { kind: 'exited', code: 143 }, /Terminated/],
      ['exit 137', { kind: 'exited', code: 137 }, ''],
      ['no-such-command', { kind: 'exited', code: 127 }, 'bash: line 1: no-such-command: command not found\n'],
      ['cat <<X\nhällo $((1 + 1))\n\\n\\\\ %s\nX', { kind: 'exited', code: 0 }, 'hällo 2\n\\n\\ %s\n'],
      ['printf "b\\na\\n" | sort | tr ab AB', { kind: 'exited', code: 0 }, 'A\nB\n'],
      ['for i in 1 2; do\n  echo $i\ndone', { kind: 'exited', code: 0 }, '1\n2\n'],
      ['read -r line || echo no input', { kind: 'exited', code: 0 }, 'no input\n'],
      ['echo one; echo two >&2; echo three', { kind: 'exited', code: 0 }, 'one\ntwo\nthree\n'],
      ['echo x | tee /dev/stderr; sh -c "echo y >/dev/stdout"', { kind: 'exited', code: 0 }, 'x\nx\ny\n'],
      ['# only a comment', { kind: 'exited', code: 0 }, ''],
      ["echo 'step 1' >&3", { kind: 'exited', code: 1 }, /Bad file descriptor/],
      [
        'echo $PAGER $GIT_PAGER $GIT_TERMINAL_PROMPT $TERM $NO_COLOR',
        { kind: 'exited', code: 0 },
        'cat cat 0 dumb 1\n',
      ],
    ]
    it.each(ends)('%j ends as %o', async (command, end, output) => {
      const { run } = start()
      const result = await run([command])
      expect(result.ends).toEqual([end])
      if (typeof output === 'string') expect(result.outputs).toEqual([output])
      else expect(result.outputs[0]).toMatch(output)
    })

    it('hands on folder, variables, functions, aliases and options from step to step, as a terminal does', async () => {
      const { run } = start()
      const { outputs } = await run([
        'mkdir -p "a b" && cd "a b"; export EXPORTED="one two"; plain=$\'x\\ny\'; list=(p "q r"); say() { echo "said $1"; }',
        `pwd; sh -c 'echo "$EXPORTED"'; echo "$plain"; echo "\${list[1]}"; say it`,
        'cd -; umask 077; set -o pipefail; shopt -s nullglob extglob; alias hi="echo aliased"; shopt -s expand_aliases',
        'pwd; umask; false | true; echo $?; echo *.none; hi',
        'unset EXPORTED; exit 1',
        `echo "[\${EXPORTED-}]"`,
      ])
      expect(outputs[1]).toMatch(/\/a b\none two\nx\ny\nq r\nsaid it\n$/)
      expect(outputs[3]).toMatch(/\n0077\n1\n\naliased\n$/)
      expect(outputs[5]).toBe('[]\n')
    })

    it('hands on what a step left behind when it ended by exit, by set -e, or with an EXIT trap of its own', async () => {
      const { run } = start()
      const { outputs } = await run([
        'a=1; exit 5',
        'b=2; set -e; false',
        'set +e; c=3; trap "echo bye" EXIT; cd /',
        'echo $a$b$c; pwd; set -u',
        'echo $nope; echo never',
        'set +u; echo "[$nope]"; set -x; d=4',
        'echo $d',
        'set +x; echo quiet',
      ])
      expect(outputs.slice(2, 4)).toEqual(['bye\n', '123\n/\n'])
      expect(outputs[4]).toMatch(/nope: unbound variable/)
      expect(outputs[5]).toContain('[]\n')
      expect(outputs[5]).not.toContain('__assistant')
      expect(outputs[6]).toBe('++ echo 4\n4\n')
      expect(outputs[7]).toMatch(/quiet\n$/)
    })

    it('keeps background processes alive between steps and ends them with the task', async () => {
      const { run, dispose, survivors } = start()
      const { outputs } = await run([
        'sleep 1234 & echo $! >pid; (setsid sleep 1235 >/dev/null 2>&1 &)',
        'kill -0 "$(cat pid)" && echo alive',
      ])
      expect(outputs[1]).toBe('alive\n')
      await dispose()
      expect(survivors()).toEqual([])
    })

    it('ends a step when its shell ends, though something in the background still holds the output', async () => {
      const { run } = start()
      const { ends, outputs } = await run(['sleep 1236 & echo started', 'echo next'])
      expect(ends).toEqual([
        { kind: 'exited', code: 0 },
        { kind: 'exited', code: 0 },
      ])
      expect(outputs).toEqual(['started\n', 'next\n'])
    })

    it('gives each step its own output, however much it printed last', async () => {
      const { run } = start()
      const { outputs } = await run(['head -c 3000000 /dev/zero | tr "\\0" a', 'echo b', 'seq 20000 >&2', 'echo c'])
      expect(outputs.map((text) => text.length)).toEqual([3_000_000, 2, 108_894, 2])
      expect(outputs[0]).toMatch(/^a+$/)
      expect(outputs[1]).toBe('b\n')
      expect(outputs[3]).toBe('c\n')
    })

    it('ends everything on abort, also what ignores TERM, and tells that it was cancelled', async () => {
      const { run, survivors } = start()
      const abort = new AbortController()
      const { ends } = await run(
        ['trap "" TERM; (trap "" TERM HUP; setsid sleep 1237 &) ; echo ready; while :; do sleep 1238; done'],
        { signal: abort.signal, onText: (text) => text.includes('ready') && abort.abort() },
      )
      expect(ends).toEqual([{ kind: 'cancelled' }])
      expect(survivors()).toEqual([])
    })

    it('lets a step clean up when it is cancelled', async () => {
      const { run } = start({ graceMs: 50_000 })
      const abort = new AbortController()
      const { ends, outputs } = await run(['trap "echo cleaned; exit 1" TERM; echo ready; sleep 1239 & wait'], {
        signal: abort.signal,
        onText: (text) => text.includes('ready') && abort.abort(),
      })
      expect(ends).toEqual([{ kind: 'cancelled' }])
      expect(outputs[0]).toContain('cleaned')
    })

    it('does not start a step whose signal is aborted already', async () => {
      const { run, directory } = start()
      const { ends } = await run(['touch started'], { signal: AbortSignal.abort() })
      expect(ends).toEqual([{ kind: 'cancelled' }])
      expect(await directory()).toEqual([])
    })

    it('stops a step that takes too long, and everything with it', async () => {
      const { run, survivors } = start()
      const { ends } = await run(['sleep 1240'], { timeoutMs: 200 })
      expect(ends).toEqual([{ kind: 'timed_out', scope: 'step', limitMs: 200 }])
      expect(survivors()).toEqual([])
    })

    it('waits for a slow reader and loses nothing', async () => {
      const { session } = start()
      let bytes = 0
      let busy = 0
      const plan = approved(['head -c 2000000 /dev/zero'])
      await (await session()).run(plan, 0, {
        timeoutMs: 60_000,
        signal: new AbortController().signal,
        async onOutput(chunk) {
          expect(busy++).toBe(0)
          bytes += chunk.length
          await new Promise((resolve) => setImmediate(resolve))
          busy--
        },
      })
      expect(bytes).toBe(2_000_000)
    })

    it('passes a gibibyte through without keeping it', async () => {
      const { session } = start()
      let bytes = 0
      const before = process.memoryUsage().rss
      let most = 0
      await (await session()).run(approved(['head -c 1G /dev/zero']), 0, {
        timeoutMs: 60_000,
        signal: new AbortController().signal,
        onOutput(chunk) {
          bytes += chunk.length
          if (bytes % (64 * chunk.length) === 0) most = Math.max(most, process.memoryUsage().rss)
        },
      })
      expect(bytes).toBe(GIBIBYTE)
      // What is not collected yet may stand about: far less than all of it.
      expect(most - before).toBeLessThan(256 * 1024 * 1024)
    })

    it('gives the environment that the operator named and nothing of the program', async () => {
      const { run } = start({ environment: { GREETING: 'hello world' } })
      const { outputs } = await run(['echo "$GREETING"; env -0 | cut -z -d= -f1 | tr "\\0" "\\n"; echo "$HOME"; pwd'])
      expect(outputs[0]).toMatch(/^hello world\n/)
      for (const name of Object.keys(process.env)) {
        if (
          ![
            'PATH',
            'HOME',
            'LANG',
            'TZ',
            'TMPDIR',
            'TERM',
            'USER',
            'LOGNAME',
            'SHELL',
            'PWD',
            'SHLVL',
            '_',
            'OLDPWD',
            'CI',
            'NO_COLOR',
            'PAGER',
            'DEBIAN_FRONTEND',
            'npm_config_cache',
            'GIT_PAGER',
          ].includes(name)
        ) {
          expect(outputs[0]?.split('\n')).not.toContain(name)
        }
      }
    })

    it('gives an environment that is larger than a pipe', async () => {
      const long = 'x'.repeat(100_000)
      const { run } = start({ environment: { ONE: long, OTHER: long } })
      const { outputs } = await run([`echo \${#ONE} \${#OTHER}`])
      expect(outputs).toEqual(['100000 100000\n'])
    })

    it('is disposed twice without harm, and runs nothing afterwards', async () => {
      const { run, session, dispose } = start()
      await run(['true'])
      const opened = await session()
      await dispose()
      await dispose()
      const end = await opened.run(approved(['true']), 0, {
        timeoutMs: 1000,
        signal: new AbortController().signal,
        onOutput: () => undefined,
      })
      expect(end.kind).toBe('sandbox_died')
    })

    it('runs a plan in a sandbox that was started before there was one, which is then its session alone', async () => {
      const { adopt, run, sandbox, task, survivors, dispose } = start()
      {
        await using empty = sandbox.start(task)
        adopt(empty.open(approved(['true'])))
        await expect(empty.open(approved(['true']))).rejects.toThrow('already')
      }
      const { outputs } = await run(['a=1; echo first', 'echo $a'])
      expect(outputs).toEqual(['first\n', '1\n'])
      await dispose()
      expect(survivors()).toEqual([])
    })

    it('leaves nothing of a sandbox that no plan came for, and none can come afterwards', async () => {
      const { sandbox, task, survivors, directory } = start()
      const empty = sandbox.start(task)
      await empty[Symbol.asyncDispose]()
      await empty[Symbol.asyncDispose]()
      expect(survivors()).toEqual([])
      await expect(empty.open(approved(['touch made']))).rejects.toThrow('already')
      expect(await directory()).toEqual([])
    })

    it('reports its layers and keeps the report', async () => {
      const { sandbox } = start()
      const report = await sandbox.check()
      expect(await sandbox.check()).toBe(report)
      for (const layer of report.layers) expect(layer.on ? layer.fix === '' : layer.fix !== '').toBe(true)
    })
  })
}

/** What a task leaves in its folder, fetched by the real command line. */
import { expect, it } from 'vitest'
import { createHome, run } from '../e2e/program.ts'

it('a file of a task is fetched by its own name: no link, path or option leads anywhere else', async () => {
  using home = createHome()
  const makes =
    "echo x > x; echo y > ./-rf; ln -s /etc/passwd link; ln -s .. up; mkfifo pipe; mkdir d; printf z > 'd/a b'"
  expect((await run(home, ['run', `!${makes}`])).code).toBe(0)
  const listed = await run(home, ['outputs', '1', '--json'])
  expect([...listed.stdout.matchAll(/"path": ?"([^"]*)"/g)].map(([, path]) => path).sort()).toEqual([
    '-rf',
    'd/a b',
    'x',
  ])
  expect(await run(home, ['get', '1', 'x', '-o', '-'])).toMatchObject({ code: 0, stdout: 'x\n' })
  expect(await run(home, ['get', '1', 'd/a b', '-o', '-'])).toMatchObject({ code: 0, stdout: 'z' })
  for (const path of [
    'link',
    'up/x',
    'pipe',
    'd',
    '../../tasks.db',
    '../log',
    '/etc/passwd',
    'x/../../../tasks.db',
    'd/../x',
  ]) {
    const { code, stdout, stderr } = await run(home, ['get', '1', path, '-o', '-'])
    expect({ path, code, stdout }).toEqual({ path, code: 2, stdout: '' })
    expect(stderr).toContain('The task has no such file.')
  }
})

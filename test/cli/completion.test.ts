import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { cliOf } from './support.ts'

const NAMES = [
  'plain',
  'it\'s $HOME `id` "quoted"',
  'two words',
  'two * more',
  'with:colon and space',
  '漢字',
  '-dash',
  'ring\u0007',
]

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir()
  for (const name of NAMES)
    await weir.register({ url: 'http://name.test/', name, kind: 'poll', start: false })
})

afterAll(() => weir.close())

/** What bash offers where a line ends, as the program's own script makes it. */
async function inBash(words: readonly string[], url = weir.url): Promise<string[]> {
  const script = `
    source <("$0" "$1" completion bash) || exit 9
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _weir
    for each in "\${COMPREPLY[@]}"; do printf '%s\\n' "$each"; done`
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const child = Bun.spawn(['bash', '-c', script, process.execPath, main, 'weir', ...words], {
    cwd: '/',
    env: { ...process.env, WEIR_URL: url },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  expect({ err, code: await child.exited }).toEqual({ err: '', code: 0 })
  return out.split('\n').filter((line) => line !== '')
}

test.each([
  [['st'], ['start', 'stop', 'status']],
  [['nothing-such', ''], []],
  [['ls', '--st'], ['--status']],
  [
    ['ls', '--status', 's'],
    ['stalled', 'stopped'],
  ],
  [
    ['ls', '--status', '=', 's'],
    ['stalled', 'stopped'],
  ],
  [['logs', 'plain', '-k', 'pa'], ['patch']],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['ls', ''], []],
  [['add', '--name', ''], []],
  [['stop', 'pl'], ['plain']],
  [
    ['stop', 'tw'],
    ['two\\ words', 'two\\ \\*\\ more'],
  ],
  [['stop', 'two\\ w'], ['two\\ words']],
  [['stop', '"two w'], ['two words']],
  [['stop', 'with', ':', 'co'], ['colon\\ and\\ space']],
  [['stop', '漢'], ['漢字']],
  [['stop', 'ring'], []],
])('bash completes %j with %j', async (words, offered) => {
  expect(await inBash(words)).toEqual(offered)
})

test('a completed name in bash refers to that stream', async () => {
  const [offered] = await inBash(['stop', 'it'])
  const echoed = Bun.spawnSync(['bash', '-c', `printf %s ${offered}`])
  expect(echoed.stdout.toString()).toBe(NAMES[1] as string)
})

test('all names that can be typed are offered; without Weir none, silently', async () => {
  expect(await inBash(['status', ''])).toHaveLength(NAMES.length - 2)
  expect(await inBash(['status', ''], 'http://127.0.0.1:1')).toEqual([])
  expect(await inBash(['sta'], 'http://127.0.0.1:1')).toEqual(['start', 'status'])
})

// Where the shell isn't installed there is nothing to test it with.
if (Bun.which('zsh')) {
  test('zsh accepts its script', async () => {
    const { out } = await cliOf(weir.url)('completion', 'zsh')
    const child = Bun.spawnSync(['zsh', '-c', `compdef() { :; }; ${out}; whence _weir`])
    expect(child.stdout.toString()).toBe('_weir\n')
  })
}

if (Bun.which('fish')) {
  test('fish completes names', async () => {
    const { out } = await cliOf(weir.url)('completion', 'fish')
    const child = Bun.spawnSync(['fish', '-c', `${out}; complete -C 'weir stop pl'`], {
      env: { ...process.env, WEIR_URL: weir.url },
    })
    expect(child.stdout.toString()).toContain('plain')
  })
}

import { expect, test } from 'bun:test'
import { EXIT } from '../../src/cli/command.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { durationMs, instant } from '../../src/cli/durations.ts'
import { nearest } from '../../src/cli/nearest.ts'
import { table } from '../../src/cli/table.ts'
import { cut, jsonLine, safe, safeJson, widthOf } from '../../src/cli/text.ts'
import { onTerminal } from './support.ts'

test.each([
  [['strat'], 'unknown command "strat"; did you mean start?'],
  [['zzz'], 'unknown command "zzz"'],
  [['constructor'], 'unknown command "constructor"'],
  [['logs', 'x', '--folow'], '--folow: unknown option; did you mean --follow?'],
  [['logs', 'x', '--constructor'], '--constructor: unknown option'],
  [['logs', 'x', '-z'], '-z: unknown option'],
  [['logs', 'x', '--kind', 'evnet'], 'got "evnet"; did you mean event?'],
  [['logs', 'x', '--follow=yes'], '--follow: takes no value, got "yes"'],
  [['logs', 'x', '--since', 'yesterday'], '--since: expected a duration'],
  [['logs', 'x', '--since', '2026-03-04 10:00'], '--since: expected a duration'],
  [['logs', 'x', '--since', '03/04/2026'], '--since: expected a duration'],
  [['logs', 'x', '-n', '501'], '--limit: expected a whole number from 0 to 500, got "501"'],
  [['logs', 'x', '-n', '0'], '--limit: 0 requires --follow'],
  [['logs'], 'expected <id|name>'],
  [['logs', 'x', 'y'], 'unexpected argument "y"'],
  [['ls', '--tag', '--json'], '--tag: expected TAG, got "--json"; write --tag=--json if you mean that value'],
  [['ls', '--tag'], '--tag: expected TAG'],
  [['ls', '--status', 'alive'], '--status: expected live, quiet'],
  [['add', 'http://x', '--interval', '30'], '--interval: expected a duration such as 30s, got "30"'],
  [['add', 'http://x', '-H', 'secret'], "--header: expected 'NAME: VALUE'"],
  [['add', 'http://x', '-X', 'PSOT'], '-X: expected GET, POST, PUT, got "PSOT"; did you mean POST?'],
  [['add', 'http://x', '-X', 'GET', '-d', '{}'], '--body: not allowed with GET; use --method POST or PUT'],
  [['add', 'http://x', '--start', '--no-start'], 'use either --start or --no-start'],
  [['start'], 'specify names or IDs, --tag or --all'],
  [['stop', 'x', '--all'], 'use only one of: names or IDs, --tag, --all'],
  [['savings', 'x', '--tag', 'y'], 'use either a stream or --tag'],
  [['completion', 'tcsh'], 'expected bash, zsh, fish, got "tcsh"'],
  [['ls', '--url', 'localhost:3000'], '--url: expected an http or https URL'],
  [['ls', '--url', 'http://me:pw@x'], '--url: expected an http or https URL without credentials'],
])('%j is rejected with exit code 2 and a message, before any request', async (args, sentence) => {
  const asked: unknown[] = []
  const fetch = async (input: unknown) => {
    asked.push(input)
    return new Response()
  }
  const { code, out, err } = await onTerminal(args, { url: 'http://127.0.0.1:1', fetch })
  expect({ code, out, asked }).toEqual({ code: 2, out: '', asked: [] })
  expect(err).toContain(sentence)
  expect(err).toMatch(/\(usage\)\nRun weir .*--help for usage\.\n$/)
})

test('all errors are reported at once', async () => {
  const { err } = await onTerminal(['logs', '--folow', '--kind', 'x'], {})
  expect(err.split('\n').filter((line) => line.startsWith('weir: '))).toHaveLength(3)
})

test.each(Object.keys(COMMANDS))('weir %s --help shows each of its options, without a Weir', async (name) => {
  const { code, out } = await onTerminal([name, '--help'], { url: 'http://127.0.0.1:1' })
  expect(code).toBe(0)
  for (const option of Object.keys(COMMANDS[name]?.options ?? {})) expect(out).toContain(`--${option}`)
  expect(out).toContain('Examples:')
})

test('the documentation names every command and exit code', async () => {
  const text = await Bun.file(new URL('../../docs/cli.md', import.meta.url)).text()
  for (const name of Object.keys(COMMANDS)) expect(text).toContain(`weir ${name}`)
  for (const code of Object.values(EXIT)) expect(text).toMatch(new RegExp(`^\\| ${code} +\\| `, 'm'))
})

test('without a command, help goes to stderr with exit code 2; on request, to stdout with 0', async () => {
  const none = await onTerminal([], {})
  const asked = await onTerminal(['--help'], {})
  expect({ ...none, err: '' }).toEqual({ code: 2, out: '', err: '' })
  expect(asked).toEqual({ code: 0, out: none.err, err: '' })
  for (const name of Object.keys(COMMANDS)) expect(asked.out).toContain(`\n  ${name} `)
})

test('options may precede the command', async () => {
  const { code, err } = await onTerminal(['--url', 'http://127.0.0.1:1', '--json', 'status'], {})
  expect(code).toBe(3)
  expect(err).toContain('http://127.0.0.1:1')
})

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
  ['30', undefined],
  ['', undefined],
  ['-5s', undefined],
  ['5 s', undefined],
  ['1y', undefined],
])('the duration %j is %p ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms as number)
})

test('a time is absolute, or a duration ago', () => {
  const now = Date.parse('2026-02-01T00:00:00Z')
  expect(instant('1d', now)?.toISOString()).toBe('2026-01-31T00:00:00.000Z')
  expect(instant('2026-01-31T12:00:00Z', now)?.toISOString()).toBe('2026-01-31T12:00:00.000Z')
  expect(instant('12', now)).toBeUndefined()
  expect(instant('2026-13-01', now)).toBeUndefined()
})

test.each([
  ['strat', 'start'],
  ['stpo', 'stop'],
  ['lgos', 'logs'],
  ['stat', 'start'],
  ['comp', 'completion'],
  ['x', undefined],
  ['kubernetes', undefined],
])('the command nearest to %j is %p', (text, meant) => {
  expect(nearest(text, Object.keys(COMMANDS))).toBe(meant as string)
})

test('JSON on one line has the same value', () => {
  const value = { text: 'a\u001b\u007f\u0085\u009b\u202e\u2028\ud800\n"\\', 'k\u0000': ['\ufeff'] }
  expect(JSON.parse(jsonLine(value))).toEqual(value)
  expect(jsonLine(value)).toMatch(/^[\x20-\x7e]+\n$/)
  expect(safeJson('{"n": 12345678901234567890.10,\r\n "a":\t1}')).toBe(
    '{"n": 12345678901234567890.10,   "a": 1}\n',
  )
})

test('letters of every script and joined emoji are kept', () => {
  const text = 'Grüße 漢字 שלום नमस्ते 👩‍👩‍👧 é'
  expect(safe(text)).toBe(text)
  expect(cut(text, 8)).toBe('Grüße …')
  expect(widthOf(cut(text, 9))).toBeLessThanOrEqual(9)
  expect(cut('abc', 3)).toBe('abc')
  expect(cut('abc', 0)).toBe('')
})

test('a table shrinks its wide columns first, and is cut if that isn’t enough', () => {
  const columns = [{ title: 'A' }, { title: 'LONG', shrinks: true }, { title: 'N', alignRight: true }]
  const rows = [['x', 'y'.repeat(50), '7'].map((text) => ({ text }))]
  expect(table(columns, rows, undefined)).toContain('y'.repeat(50))
  expect(table(columns, rows, 20)).toBe(`A  LONG            N\nx  ${'y'.repeat(13)}…  7\n`)
  expect(
    table(columns, rows, 5)
      .split('\n')
      .every((line) => line.length <= 5),
  ).toBe(true)
})

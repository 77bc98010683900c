import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { cliOf, jsonLines, onTerminal, spawnCli } from './support.ts'

const TOKEN = 'a-token-of-a-test'
/** What would clear a screen, ring, color, hide and turn around what comes after it, were it written raw. */
const HOSTILE = 'evil \u001b[2J\u001b]0;title\u0007\u009b31m\u202eabc\u2028 <script>alert(1)</script>\r\nx'
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/

let upstream: Upstream
let weir: TestWeir
let authorized: Record<string, string>

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ WEIR_TOKEN: TOKEN })
  authorized = { WEIR_TOKEN: TOKEN }
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

test('a missing or wrong token is rejected with its code; the right one is accepted', async () => {
  const missing = await cliOf(weir.url)('ls')
  expect(missing).toMatchObject({ code: 4, out: '' })
  expect(missing.err).toMatch(/^weir: Send WEIR_TOKEN .* \(unauthorized\)\n$/)
  expect(await cliOf(weir.url, { WEIR_TOKEN: 'wrong' })('status')).toMatchObject({ code: 4, out: '' })
  expect((await cliOf(weir.url, { WEIR_TOKEN: 'wrong' })('logs', crypto.randomUUID(), '-f')).code).toBe(4)
  const odd = await cliOf(weir.url, { WEIR_TOKEN: 'two words' })('ls')
  expect(odd.code).toBe(2)
  expect(odd.err).not.toContain('two words')
  expect((await cliOf(weir.url, authorized)('ls')).code).toBe(0)
})

test('names and data can’t control the terminal; JSON keeps every character', async () => {
  const url = upstream.on('/evil', () => Response.json({ text: HOSTILE }))
  const cli = cliOf(weir.url, authorized)
  const added = await cli('add', url, '--name', HOSTILE, '--kind', 'poll', '--tag', '<b>', '--json')
  expect(added).toMatchObject({ code: 0, err: '' })
  const { id, name } = JSON.parse(added.out) as { id: string; name: string }
  expect(name).toBe(HOSTILE)
  const world = { url: weir.url, token: TOKEN, colors: false, columns: 300 }
  const told = ['logs', id, '--limit', '5']
  await until('something is logged', async () => (await onTerminal(told, world)).out !== '')
  for (const args of [['ls'], ['status'], ['status', HOSTILE], told, ['stop', id], ['savings', id]]) {
    const human = await onTerminal(args, world)
    const json = await onTerminal([...args, '--json'], world)
    expect(`${args[0]} ${human.out + human.err + json.out}`).not.toMatch(RAW)
    expect(human.code).toBe(0)
  }
  expect((await onTerminal(['ls'], world)).out).toContain('evil \\u001b[2J')
  expect(jsonLines((await onTerminal(['ls', '--json'], world)).out)[0]).toMatchObject({ name: HOSTILE })
  const [logged] = jsonLines<{ data: unknown }>((await onTerminal([...told, '--json'], world)).out)
  expect(logged?.data).toEqual({ text: HOSTILE })
  const missing = await onTerminal(['status', `${HOSTILE}?`], world)
  expect(missing.code).toBe(5)
  expect(missing.err).not.toMatch(RAW)
})

test('an ambiguous name lists the IDs, and does nothing', async () => {
  const cli = cliOf(weir.url, authorized)
  const ids: string[] = []
  for (const path of ['/a', '/b']) {
    const added = await cli(
      'add',
      upstream.url + path,
      '--name',
      'same',
      '--kind',
      'poll',
      '--no-start',
      '--json',
    )
    ids.push((JSON.parse(added.out) as { id: string }).id)
  }
  await cli('add', `${upstream.url}/c`, '--name', 'same same', '--kind', 'poll', '--no-start')
  const { code, err } = await cli('start', 'same')
  expect(code).toBe(5)
  expect(err).toContain(`2 streams are named "same". Use an ID instead: ${ids.join(', ')}.`)
  expect(err).toEndWith(' (ambiguous)\n')
  expect((await cli('start', 'same same')).code).toBe(0)
  expect((await cli('start', 'SAME')).err).toContain('(not_found)')
})

test('errors of Weir are shown with their message and code', async () => {
  const cli = cliOf(weir.url, authorized)
  const scheme = await cli('add', 'ftp://example.com/')
  expect(scheme).toEqual({
    code: 4,
    out: '',
    err: 'weir: Unsupported URL scheme: ftp. Use http or https, or ws or wss. (invalid_field)\n',
  })
  expect((await cli('add', upstream.url, '--interval', '1ms')).err).toContain('intervalMs')
  const dead = await cli('add', 'http://127.0.0.1:1/nothing')
  expect(dead).toMatchObject({ code: 4, out: '' })
  expect(dead.err).toContain('(unreachable)')
})

test('no Weir, another server, and a broken connection each exit with 3 and a message', async () => {
  const away = await cliOf('http://127.0.0.1:1')('status')
  expect(away).toEqual({
    ...{ code: 3, out: '' },
    err: "weir: Can't reach Weir at http://127.0.0.1:1: connection refused. (unreachable_weir)\n",
  })
  const page = () => new Response('<p>hello \u001b[31m', { headers: { 'Content-Type': 'text/html' } })
  upstream.on('/api/streams', page)
  upstream.on(
    '/api/status',
    () => new Response('{"streams": 1', { headers: { 'Content-Type': 'application/json' } }),
  )
  upstream.on('/api/savings', () => Response.redirect(`${weir.url}/api/savings`))
  const other = await cliOf(upstream.url)('ls')
  expect(other).toMatchObject({ code: 3, out: '' })
  expect(other.err).toContain("isn't Weir")
  expect((await cliOf(upstream.url)('status')).err).toContain("the response is incomplete or isn't JSON")
  const redirected = await cliOf(upstream.url, authorized)('savings')
  expect(redirected).toMatchObject({ code: 3, out: '' })
  expect(redirected.err).toContain('it responded with 302')
})

test('status exits with 1 if a stream is stalled or dead, and with 0 otherwise', async () => {
  const own = await startTestWeir()
  try {
    const cli = cliOf(own.url)
    expect(await cli('status')).toEqual({ code: 0, out: '0 streams\n', err: '' })
    const url = upstream.on('/silent', () => new Feed().response())
    const { id } = await own.register({ url, kind: 'sse', name: 'silent', silenceMs: 1_000 })
    const looks: { status: string; code: number }[] = []
    await until('it is found stalled', async () => {
      const { out, code } = await cli('status', 'silent', '--json')
      looks.push({ status: JSON.parse(out).status, code })
      return looks.some(({ status }) => status === 'stalled')
    })
    const expected = looks.map(({ status }) => ({ status, code: status === 'stalled' ? 1 : 0 }))
    expect(looks).toEqual(expected)
    const fleet = await until('the fleet says so', async () => {
      const { out, code } = await cli('status', '--json')
      return code === 1 && JSON.parse(out)
    })
    expect(fleet).toMatchObject({ streams: 1, statuses: { stalled: 1 } })
    await until('it is named', async () => /stalled +.* silent +\S/.test((await cli('status')).out))
    await cli('stop', id)
    expect((await cli('status', id)).out).toStartWith('silent: stopped\n')
    expect((await cli('status', id)).code).toBe(0)
  } finally {
    await own.close()
  }
})

test('Ctrl-C ends a waiting command with exit code 130', async () => {
  upstream.on('/slow/api/status', () => new Promise<Response>(() => {}))
  const waiting = spawnCli(['status'], { WEIR_URL: `${upstream.url}/slow` })
  await until('it was asked', () => upstream.requests.has('/slow/api/status'))
  waiting.child.kill('SIGINT')
  expect(await waiting.ended()).toEqual({ code: 130, out: '', err: '' })
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const MAX_BODY_BYTES = 100_000
/** Most that may be taken of an answer that has a bound by size: what is under way in sockets is beside it. */
const MOST_SENT_BYTES = 16_000_000
/** Most that Weir may grow by, with all of them: a bomb alone is 50 MB. */
const MOST_GROWTH_BYTES = 250_000_000

/** Which error each answer of `hostile-upstream.ts` is. */
const POLLED: readonly [name: string, codes: string, hasTimeAlone?: true][] = [
  ['gzip bomb', 'too_large'],
  ['deflate bomb', 'too_large'],
  ['gzip in gzip', 'too_large'],
  ['brotli bomb', 'too_large'],
  ['broken gzip', 'bad_encoding'],
  ['endless body', 'too_large'],
  ['endless chunks', 'too_large'],
  ['endless status line', 'connection_failed'],
  ['endless header', 'connection_failed'],
  ['endless headers', 'connection_failed'],
  // What HTTP passes over is bounded by the clock alone, and kept by nobody.
  ['endless patience', 'connection_failed|timeout|ended_early', true],
  ['endless chunk extension', 'connection_failed|timeout|ended_early', true],
  ['cookie flood', 'too_many_redirects|connection_failed'],
  ['challenge flood', 'bad_status'],
  ['no HTTP', 'connection_failed|timeout', true],
]
const FOLLOWED: typeof POLLED = [
  ['gzip bomb in an event', 'too_large'],
  ['endless line', 'too_large'],
  ['endless id', 'too_large'],
  ['endless event', 'too_large'],
]
/** Looks made at a time. */
const LOOKS = 4

let upstream: Bun.Subprocess<'ignore', 'pipe', 'inherit'>
let url: string
let weir: TestWeir
let rssBefore: number

beforeAll(async () => {
  const program = join(import.meta.dir, '..', 'support', 'hostile-upstream.ts')
  upstream = Bun.spawn(['bun', program], { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const { value } = await upstream.stdout.getReader().read()
  url = `http://127.0.0.1:${new TextDecoder().decode(value).trim()}`
  weir = await startTestWeir({ MAX_BODY_BYTES: `${MAX_BODY_BYTES}`, REQUEST_TIMEOUT_MS: '1000' })
  rssBefore = process.memoryUsage().rss
}, 60_000)
afterAll(async () => {
  await weir.close()
  upstream.kill()
  await upstream.exited
})

const pathOf = (name: string) => `/${name.replaceAll(' ', '-')}`
const sent = async () => (await (await fetch(`${url}/sent`)).json()) as Record<string, number>

async function endsAs(kind: 'poll' | 'sse', [name, codes, hasTimeAlone]: (typeof POLLED)[number]) {
  const auth = name === 'challenge flood' ? { type: 'digest', username: 'a', password: 'b' } : null
  const { id } = await weir.register({ url: url + pathOf(name), kind, intervalMs: 60_000, auth })
  const entry = await weir.entry(id, `${name} is an error`, (each) => each.kind === 'error')
  expect((entry.data as { code: string }).code).toMatch(new RegExp(`^(${codes})$`))
  await weir.send('POST', `/api/streams/${id}/stop`)
  if (!hasTimeAlone) expect((await sent())[pathOf(name)] ?? 0).toBeLessThan(MOST_SENT_BYTES)
  // Up to 64 KiB of the body, and the head.
  expect(JSON.stringify(entry).length).toBeLessThan(96_000)
}

test.each(POLLED.map((each) => [each[0], each] as const))('%s ends where the bound is', (_, each) =>
  endsAs('poll', each),
)

test.each(['bottomless JSON', 'closed bottomless JSON'])('%s is text', async (name) => {
  const { id } = await weir.register({ url: url + pathOf(name), kind: 'poll', intervalMs: 60_000 })
  const entry = await weir.entry(id, `${name} is logged`, ({ seq }) => seq === 1)
  expect(entry).toMatchObject({ kind: 'exchange', content: 'text' })
})

test.each(FOLLOWED.map((each) => [each[0], each] as const))('%s ends where the bound is', (_, each) =>
  endsAs('sse', each),
)

test('endless trailers and meaningless lines have no effect', async () => {
  const polled = await weir.register({ url: `${url}/endless-trailers`, kind: 'poll' })
  await weir.entry(polled.id, 'the body is in the log', ({ kind }) => kind === 'snapshot' || kind === 'error')
  for (const path of ['/endless-comment', '/endless-field-name']) {
    const { id } = await weir.register({ url: url + path, kind: 'sse' })
    await weir.entry(id, 'what came before is in the log', ({ kind }) => kind === 'event')
    await weir.send('POST', `/api/streams/${id}/stop`)
  }
})

test('a preview of any of them ends', async () => {
  const names = [
    ...['endless comment', 'bottomless JSON', 'closed bottomless JSON'],
    ...[...POLLED, ...FOLLOWED].map(([name]) => name),
  ]
  for (let from = 0; from < names.length; from += LOOKS) {
    const looks = names.slice(from, from + LOOKS).map(async (name) => {
      const response = await weir.send('POST', '/api/streams/preview', { url: url + pathOf(name) })
      expect(`${name}: ${response.status}`).toBe(`${name}: 200`)
      expect((await response.text()).length).toBeLessThan(100_000)
    })
    await Promise.all(looks)
  }
}, 60_000)

test('documents as deep, wide or odd as the limits allow are followed and shown', async () => {
  for (const path of ['/deep', '/members', '/inherited']) {
    const { id } = await weir.register({ url: url + path, kind: 'poll', intervalMs: 500 })
    const { seq } = await weir.entry(id, `${path} has changed`, (each) => each.changed === true)
    const api = `/api/streams/${id}`
    const asked = [`${api}/document`, `${api}/logs`, `${api}/diff?from=1&to=${seq}`, `${api}/versions`]
    const pages = [`/streams/${id}`, `/streams/${id}/document`, `/streams/${id}/entries/${seq}`]
    for (const page of [...asked, ...pages]) {
      const response = await weir.get(page)
      await response.text()
      expect(`${page} ${response.status}`).not.toContain(' 500')
    }
    await weir.send('POST', `/api/streams/${id}/stop`)
  }
  expect(({} as Record<string, unknown>).a).toBeUndefined()
  expect(weir.warnings).toEqual([])
}, 60_000)

test('a Location of any bytes leads on', async () => {
  const { id } = await weir.register({ url: `${url}/raw-location`, kind: 'poll' })
  await weir.entry(id, 'its target is in the log', ({ kind }) => kind === 'snapshot')
  await weir.send('POST', `/api/streams/${id}/stop`)
})

test('an event with an oversized ID and name does no harm', async () => {
  const { id } = await weir.register({ url: `${url}/large-id`, kind: 'sse' })
  const entry = await weir.entry(id, 'it is in the log', ({ kind }) => kind === 'event' || kind === 'error')
  expect(JSON.stringify(entry).length).toBeLessThan(MAX_BODY_BYTES + 1_000)
  expect((await weir.get(`/streams/${id}`)).status).toBe(200)
  await weir.send('POST', `/api/streams/${id}/stop`)
})

test('no memory is leaked', () => {
  Bun.gc(true)
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(MOST_GROWTH_BYTES)
})

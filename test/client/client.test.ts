import { afterAll, beforeAll, expect, test } from 'bun:test'
import { answerOf, createClient, type WeirClient } from '../../src/client/client.ts'
import { UnreachableError, WeirError } from '../../src/client/errors.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let upstream: Upstream
let weir: TestWeir
let client: WeirClient

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  client = createClient({ url: `${weir.url}/` })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

function answer<Answered extends { data: unknown; error: unknown; response: Response }>(
  call: Promise<Answered>,
) {
  return answerOf(client.url, call)
}

test('registered streams are read back, with times as text even if a name looks like one', async () => {
  const name = '2026-01-31T12:00:00.000Z'
  const url = upstream.on('/json', () => Response.json({}))
  const added = await answer(client.api.streams.post({ url, name, kind: 'poll', start: false }))
  expect(added).toMatchObject({ name, kind: 'poll', desired: 'stopped', createdAt: expect.any(String) })
  const { id } = added
  expect(await answer(client.api.streams({ id }).get())).toEqual(added)
  const listed = await answer(client.api.streams.get({ query: { q: name, limit: 5 } }))
  expect(listed.items).toMatchObject([{ id, status: 'stopped', reason: 'Stopped on request.' }])
  expect((await answer(client.api.streams({ id }).status.get())).since).toBe(listed.items[0]?.since as string)
  expect((await answer(client.api.streams({ id }).logs.get({ query: { kind: 'error' } }))).items).toEqual([])
  await answer(client.api.streams({ id }).delete())
  expect((await answer(client.api.streams.get({ query: { q: name } }))).items).toEqual([])
})

test('an error response has a code, status and field; no response is a different error', async () => {
  const refused = await answer(client.api.streams.post({ url: 'ftp://x' })).catch((error) => error)
  expect(refused).toBeInstanceOf(WeirError)
  expect(refused).toMatchObject({ code: 'invalid_field', status: 422, field: 'url' })
  const missing = await answer(client.api.streams({ id: crypto.randomUUID() }).get()).catch((error) => error)
  expect(missing).toMatchObject({ code: 'not_found', status: 404 })
  const silent = createClient({ url: upstream.url, timeoutMs: 50 })
  upstream.on('/api/status', () => new Promise<Response>(() => {}))
  const late = await answerOf(silent.url, silent.api.status.get()).catch((error) => error)
  expect(late).toBeInstanceOf(UnreachableError)
  expect(late.message).toContain('timed out')
})

test('a token is sent only to its address, and redirects aren’t followed', async () => {
  const seen: (string | null)[] = []
  upstream.on('/api/status', ({ headers }) => {
    seen.push(headers.get('authorization'))
    return Response.redirect(`${upstream.url}/elsewhere`)
  })
  const own = createClient({ url: upstream.url, token: 'secret' })
  const redirected = await answerOf(own.url, own.api.status.get()).catch((error) => error)
  expect(redirected).toMatchObject({ code: 'not_weir', status: 302 })
  expect(seen).toEqual(['Bearer secret'])
  expect(upstream.requests.has('/elsewhere')).toBe(false)
})

/** Never called: what the compiler says of it is the test. */
// biome-ignore lint/suspicious/noExportsInTest: not exported, it would be unused
export async function mistakes({ api, url }: WeirClient, id: string): Promise<unknown[]> {
  const stream = await answerOf(url, api.streams({ id }).get())
  const created: string = stream.createdAt
  return [
    created,
    // @ts-expect-error a field that isn't there
    stream.title,
    // @ts-expect-error a date is text on the wire
    stream.createdAt.getTime,
    // @ts-expect-error a route that isn't there
    api.stream,
    // @ts-expect-error a field that a registration doesn't have
    api.streams.post({ url, interval: 5 }),
    // @ts-expect-error a registration without its URL
    api.streams.post({ name: 'x' }),
    // @ts-expect-error a kind that isn't one
    api.streams.post({ url, kind: 'auto' }),
    // @ts-expect-error a parameter that isn't there
    api.streams.get({ query: { verdict: 'live' } }),
    // @ts-expect-error a status that isn't one
    api.streams.get({ query: { status: 'alive' } }),
    // @ts-expect-error a parameter of another route
    api.streams({ id }).logs.get({ query: { subscribers: 1 } }),
    // @ts-expect-error the message's name
    api.streams({ id }).notify.post({ text: 'hello' }),
    // @ts-expect-error a field that savings don't have
    (await answerOf(url, api.savings.get())).saved,
  ]
}

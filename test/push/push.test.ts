import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { createParser } from 'eventsource-parser'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

interface Made {
  id: string
  pushUrl: string
  push: unknown
  hasPushUrl: boolean
  headers: unknown
}

let weir: TestWeir

beforeAll(async () => {
  weir = await startTestWeir({ WEIR_TOKEN: 'a-secret-of-sixteen', RATE_LIMIT: '0' })
})

afterAll(() => weir?.close())

const ADMIN = { Authorization: 'Bearer a-secret-of-sixteen' }

async function api<T = Record<string, unknown>>(method: string, path: string, body?: unknown) {
  const init = { method, headers: ADMIN, ...(body !== undefined && { body: JSON.stringify(body) }) }
  const response = await fetch(weir.url + path, init)
  const text = await response.text()
  return { status: response.status, text, json: (text === '' ? undefined : JSON.parse(text)) as T }
}

/** Registers a stream, and gives the URL to push to by the name that this test reaches Weir by. */
async function pushed(push: object | null = null, rest: object = {}): Promise<{ id: string; url: string }> {
  const made = await api<Made>('POST', '/api/streams', {
    kind: 'push',
    url: 'https://sender.example/',
    push,
    ...rest,
  })
  expect(made.status).toBe(201)
  return { id: made.json.id, url: here(made.json.pushUrl) }
}

const here = (url: string) => weir.url + new URL(url).pathname

async function send(url: string, body: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: 'POST', headers, body })
  const json = (await response.json()) as { seq?: number; isNew?: boolean; code?: string }
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...json }
}

async function logged(id: string) {
  const { json } = await api<{ items: Record<string, unknown>[] }>('GET', `/api/streams/${id}/logs?limit=500`)
  return json.items
}

const status = async (id: string) =>
  (
    await api<{ status: string; reason: string; run: unknown; evidence: { refused: unknown } }>(
      'GET',
      `/api/streams/${id}/status`,
    )
  ).json

describe('what is pushed', () => {
  test('is stored before it is answered, shown, measured and sent to subscribers', async () => {
    const { id, url } = await pushed()
    expect(await status(id)).toMatchObject({ status: 'quiet', reason: 'Waiting for the first delivery.' })
    const live = await fetch(`${weir.url}/api/streams/${id}/events`, { headers: ADMIN })
    const events: string[] = []
    const parser = createParser({ onEvent: ({ data }) => void events.push(data) })
    expect(await send(url, '{"a": 1}')).toMatchObject({ status: 202, seq: 1, isNew: true })
    expect(await logged(id)).toMatchObject([
      { seq: 1, kind: 'event', data: '{"a": 1}', wireBytes: 8, bodyBytes: 8 },
    ])
    expect(await status(id)).toMatchObject({ status: 'live', run: null })
    const reader = (live.body as ReadableStream<Uint8Array>).getReader()
    while (events.length === 0) {
      const { value } = await reader.read()
      parser.feed(new TextDecoder().decode(value))
    }
    expect(JSON.parse(events[0] ?? '')).toMatchObject({ seq: 1, data: '{"a": 1}' })
    await reader.cancel()
    const { json } = await api<{ total: object }>('GET', `/api/streams/${id}/size`)
    expect(json.total).toMatchObject({ entries: 1, wireBytes: 8 })
  })

  test('has no number twice and leaves none out, however many send at once', async () => {
    const { id, url } = await pushed({ scheme: 'none', idFrom: '/id' })
    const sent = await Promise.all(
      Array.from({ length: 60 }, (_, index) => send(url, JSON.stringify({ id: index % 20 }))),
    )
    expect(sent.filter(({ status }) => status === 202).length).toBe(20)
    expect(sent.filter(({ status }) => status === 200).length).toBe(40)
    const entries = await logged(id)
    expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(new Set(entries.map(({ eventId }) => eventId)).size).toBe(20)
    const seqs = new Map(entries.map(({ eventId, seq }) => [eventId, seq]))
    for (const [index, { seq }] of sent.entries()) expect(seq).toBe(seqs.get(String(index % 20)) as number)
  })

  test('is refused beyond 1 MiB, and not stored', async () => {
    const { id, url } = await pushed()
    expect(await send(url, 'x'.repeat(1_048_577))).toMatchObject({ status: 413, code: 'body_too_large' })
    expect(await send(url, 'x'.repeat(1_048_576))).toMatchObject({ status: 202 })
    expect((await logged(id)).length).toBe(1)
  })

  test('is asked for again later while its stream is stopped, and taken once it is started', async () => {
    const { id, url } = await pushed()
    await api('POST', `/api/streams/${id}/stop`)
    const refused = await send(url, '{}')
    expect(refused).toMatchObject({ status: 503, code: 'unavailable' })
    expect(Number(refused.retryAfter)).toBeGreaterThan(0)
    const before = Date.now()
    await api('POST', `/api/streams/${id}/start`)
    // The time in which it was stopped isn't a silence.
    const { evidence } = await status(id)
    expect(Date.parse((evidence as unknown as { phaseSince: string }).phaseSince)).toBeGreaterThanOrEqual(
      before,
    )
    expect(await send(url, '{}')).toMatchObject({ status: 202, seq: 1 })
  })
})

describe('its URL', () => {
  test('is shown once, works without a login, and a new one replaces it', async () => {
    const { id, url } = await pushed()
    const token = url.split('/').at(-1) as string
    expect(Buffer.from(token, 'base64url').length).toBeGreaterThanOrEqual(16)
    const shown = await Promise.all(
      [
        `/api/streams/${id}`,
        '/api/streams?limit=500',
        '/api/streams/export?secrets=true',
        `/streams/${id}`,
      ].map(async (path) => (await fetch(weir.url + path, { headers: ADMIN })).text()),
    )
    for (const text of shown) expect(text).not.toContain(token)
    expect(JSON.parse(shown[0] as string)).toMatchObject({ hasPushUrl: true })
    expect(shown[0]).not.toMatch(/pushToken/)
    const made = await api<{ url: string }>('POST', `/api/streams/${id}/push-url`)
    expect(made.status).toBe(201)
    expect((await send(url, '{}')).status).toBe(404)
    expect((await send(here(made.json.url), '{}')).status).toBe(202)
  })

  test('that isn’t known is answered as any other that isn’t', async () => {
    const answers = await Promise.all(
      ['a', 'b'.repeat(43), '..%2f', '%00'].map((token) => send(`${weir.url}/in/${token}`, '{}')),
    )
    for (const { status } of answers) expect(status).toBe(404)
  })

  test('belongs to push streams alone', async () => {
    const polled = await api<Made>('POST', '/api/streams', {
      url: 'http://127.0.0.1:1/',
      kind: 'poll',
      start: false,
    })
    expect((await api('POST', `/api/streams/${polled.json.id}/push-url`)).status).toBe(409)
    expect((await api('PATCH', `/api/streams/${polled.json.id}`, { push: { scheme: 'none' } })).status).toBe(
      422,
    )
    const { id, url } = await pushed()
    await api('PATCH', `/api/streams/${id}`, { kind: 'poll', url: 'http://127.0.0.1:1/' })
    expect((await send(url, '{}')).status).toBe(404)
  })
})

describe('its signature', () => {
  const secret = 'a-signing-secret'
  const sign = (body: string) => ({
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  })

  test('is verified before anything is stored; what is refused is counted and not an event', async () => {
    const { id, url } = await pushed({ scheme: 'github', secret })
    const headers = { 'X-GitHub-Delivery': 'd-1', 'X-GitHub-Event': 'push' }
    expect(await send(url, '{}', headers)).toMatchObject({ status: 401, code: 'unauthorized' })
    expect(await send(url, '{}', { ...headers, ...sign('{ }') })).toMatchObject({ status: 401 })
    expect(await send(url, '{}', { ...headers, ...sign('{}') })).toMatchObject({ status: 202 })
    expect(await send(url, '{}', { ...headers, ...sign('{}') })).toMatchObject({ status: 200, seq: 1 })
    expect(await logged(id)).toMatchObject([{ seq: 1, event: 'push', eventId: 'd-1' }])
    await until('both refusals are counted', async () => {
      const { refused } = (await status(id)).evidence as { refused: { lastHour: number } | null }
      return refused?.lastHour === 2
    })
    const page = await fetch(`${weir.url}/streams/${id}`, { headers: ADMIN })
    expect(await page.text()).toContain('2 refused in the last hour')
  })

  test('has a secret that is never returned, and kept by changes that hide or omit it', async () => {
    const { id, url } = await pushed({ scheme: 'github', secret })
    const shown = await api<Made>('GET', `/api/streams/${id}`)
    expect(shown.json.push).toEqual({ scheme: 'github', secret: '•••' })
    const kept = await api<Made>('PATCH', `/api/streams/${id}`, {
      push: { scheme: 'github', secret: '•••', idFrom: '/id' },
    })
    expect(kept.json.push).toEqual({ scheme: 'github', secret: '•••', idFrom: '/id' })
    expect(await send(url, '{"id": 1}', sign('{"id": 1}'))).toMatchObject({ status: 202 })
    const exported = await api<Record<string, unknown>[]>('GET', '/api/streams/export')
    expect(exported.text).not.toContain(secret)
    const line = exported.json.find((each) => each.id === id)
    expect(line?.push).toEqual({ scheme: 'github', secret: '•••', idFrom: '/id' })
    const again = await api<{ lines: object[] }>('POST', '/api/streams/import', [line])
    expect(again.json.lines).toMatchObject([{ outcome: 'unchanged' }])
    const other = await api<{ lines: object[] }>('POST', '/api/streams/import', [
      { ...line, id: undefined, name: 'other' },
    ])
    expect(other.json.lines).toMatchObject([{ outcome: 'failed', problem: { field: 'push' } }])
    const whole = await api('GET', '/api/streams/export?secrets=true')
    expect(whole.text).toContain(secret)
  })

  test.each([
    [{ scheme: 'github' }, /secret/],
    [{ scheme: 'hmac-sha256-header', secret: 's' }, /header/],
    [{ scheme: 'none', idFrom: 'a b' }, /idFrom/],
    [{ scheme: 'sha1', secret: 's' }, /push/],
  ])('%j is refused when it is registered', async (push, why) => {
    const made = await api<{ detail: string; field: string }>('POST', '/api/streams', {
      kind: 'push',
      url: 'https://s.example/',
      push,
    })
    expect([made.status, made.json.field]).toEqual([422, 'push'])
    expect(made.json.detail).toMatch(why)
  })
})

describe('the console', () => {
  const form = async (path: string, values: Record<string, string>) => {
    const headers = {
      ...ADMIN,
      'Content-Type': 'application/x-www-form-urlencoded',
      Origin: new URL(weir.url).origin,
    }
    const init = {
      method: 'POST',
      headers,
      body: String(new URLSearchParams(values)),
      redirect: 'manual' as const,
    }
    const response = await fetch(weir.url + path, init)
    return {
      status: response.status,
      cache: response.headers.get('cache-control'),
      text: await response.text(),
    }
  }

  test('registers a push stream, shows its URL once, and edits its signature', async () => {
    const url = 'https://console.example/hooks'
    expect((await form('/streams', { url, kind: 'push' })).status).toBe(303)
    const listed = await api<{ items: { id: string }[] }>('GET', '/api/streams?q=console.example')
    const [{ id } = { id: '' }] = listed.json.items
    const before = await (await fetch(`${weir.url}/streams/${id}`, { headers: ADMIN })).text()
    expect(before).toContain('Create URL')
    const page = await form(`/streams/${id}/push-url`, {})
    expect(page).toMatchObject({ status: 200, cache: 'no-store' })
    const [, path = ''] = /(\/in\/[\w-]{43})/.exec(page.text) ?? []
    expect((await send(weir.url + path, '{}')).status).toBe(202)
    const edit = await (await fetch(`${weir.url}/streams/${id}/edit`, { headers: ADMIN })).text()
    expect(edit).toContain('Longest time between deliveries')
    const values = {
      name: 'Hooks',
      url,
      kind: 'push',
      method: 'GET',
      body: '',
      silenceSeconds: '60',
      pushIdFrom: '',
    }
    const missing = await form(`/streams/${id}/edit`, {
      ...values,
      pushScheme: 'github',
      pushSecret: '',
      pushHeader: '',
    })
    expect(missing).toMatchObject({ status: 422, text: expect.stringContaining('set the secret') })
    const typed = { ...values, pushScheme: 'github', pushSecret: 'typed-secret', pushHeader: '' }
    expect((await form(`/streams/${id}/edit`, typed)).status).toBe(303)
    expect((await form(`/streams/${id}/edit`, { ...typed, pushSecret: '', pushIdFrom: '/id' })).status).toBe(
      303,
    )
    const shown = await api<Record<string, unknown>>('GET', `/api/streams/${id}`)
    expect(shown.json).toMatchObject({
      ...{ silenceMs: 60_000, push: { scheme: 'github', secret: '•••', idFrom: '/id' } },
    })
    const signature = createHmac('sha256', 'typed-secret').update('{"id": 1}').digest('hex')
    expect(
      await send(weir.url + path, '{"id": 1}', { 'X-Hub-Signature-256': `sha256=${signature}` }),
    ).toMatchObject({
      status: 202,
    })
  })
})

test('takes what a page of another origin sends: the token is all it needs', async () => {
  const { url } = await pushed()
  expect(
    await send(url, '{}', { Origin: 'https://elsewhere.example', 'Sec-Fetch-Site': 'cross-site' }),
  ).toMatchObject({
    status: 202,
  })
})

test('one URL takes no more per second than any client may, however many addresses send', async () => {
  const limits = { RATE_LIMIT: '1', RATE_BURST: '4', TRUST_PROXY: '127.0.0.1' }
  const own = await startTestWeir(limits)
  try {
    const from = (address: number) => ({ 'X-Forwarded-For': `203.0.113.${address}` })
    const make = async (address: number) => {
      const body = JSON.stringify({ kind: 'push', url: 'https://sender.example/' })
      const made = await fetch(`${own.url}/api/streams`, { method: 'POST', headers: from(address), body })
      return own.url + new URL(((await made.json()) as Made).pushUrl).pathname
    }
    const [one, other] = [await make(1), await make(2)]
    const sent = await Promise.all(Array.from({ length: 8 }, (_, index) => send(one, '{}', from(10 + index))))
    const refused = sent.filter(({ status }) => status === 429)
    expect(sent.filter(({ status }) => status === 202).length).toBeGreaterThanOrEqual(4)
    expect(refused.length).toBeGreaterThan(0)
    for (const { retryAfter } of refused) expect(Number(retryAfter)).toBeGreaterThan(0)
    expect((await send(other, '{}', from(30))).status).toBe(202)
  } finally {
    await own.close()
  }
})

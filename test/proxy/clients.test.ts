import { afterAll, beforeAll, expect, test } from 'bun:test'
import { gunzipSync } from 'node:zlib'
import { applyPatch, type Operation } from 'fast-json-patch'
import { openStuck } from '../hub/support.ts'
import { openBrowser, openPage, WITHOUT_BROWSER } from '../support/browser.ts'
import { loadStreamdataSdk, NPM, type StreamdataSource } from '../support/streamdata.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { Subscriber } from './subscriber.ts'

const TOKEN = 'a-secret-of-sixteen'
const ORIGIN = 'https://app.example.test'

let upstream: Upstream
let weir: TestWeir
let version = 0
let who: string | undefined

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir({ PROXY_ORIGINS: ORIGIN, PROXY_LINGER_MS: '10000', ALLOW_HOSTS: '127.0.0.0/8' })
  upstream.on('/prices', ({ headers }) => {
    who = headers.get('x-who') ?? who
    return Response.json(prices())
  })
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

/** Thirty of a thousand prices, a new one first with every version. */
const prices = () => ({
  at: `version ${version}`,
  prices: Array.from({ length: 30 }, (_, at) => ({
    id: `p${1_000 + version - at}`,
    name: 'a price',
    price: (1_000 + version - at) % 7,
  })),
})

function follow(source: StreamdataSource) {
  const seen = { document: undefined as unknown, patches: 0, errors: [] as unknown[] }
  source
    .onData((data) => {
      seen.document = data
    })
    .onPatch((patch) => {
      seen.patches++
      seen.document = applyPatch(seen.document, patch as Operation[], true, false).newDocument
    })
    .onError((error) => seen.errors.push(error))
  return seen
}

function atWeir(source: StreamdataSource, url = weir.url): StreamdataSource {
  const { hostname, port } = new URL(url)
  // All that a user of the SDK has to change.
  Object.assign(source.server, { protocol: 'http', hostname, port })
  return source
}

function needsNpm(): boolean {
  if (NPM !== null) return false
  if (process.env.WEIR_REQUIRE_SETUPS) throw new Error('The SDK’s tests must run, but npm is not installed')
  return true
}

test.skipIf(needsNpm())('the SDK of Streamdata.io ends with the upstream’s exact document', async () => {
  const sdk = await loadStreamdataSdk()
  const source = atWeir(
    sdk.createEventSource(`${upstream.url}/prices?intervalMs=500`, 'any token', ['X-Who: sdk']),
  )
  const seen = follow(source)
  source.open()
  for (let change = 0; change < 5; change++) {
    version++
    await until('the SDK knows the change', () => Bun.deepEquals(seen.document, prices()))
  }
  expect(seen.patches).toBeGreaterThanOrEqual(4)
  expect(seen.errors).toEqual([])
  expect(source.isConnected()).toBe(true)
  const [request] = upstream.requests.get('/prices')?.slice(-1) ?? []
  expect(request?.url).toBe(`${upstream.url}/prices`)
  expect(who).toBe('sdk')
  source.close()
})

test.skipIf(needsNpm())('the SDK’s error listener hears what is wrong with the source', async () => {
  const sdk = await loadStreamdataSdk()
  const url = upstream.on('/failing', () => new Response('', { status: 500 }))
  const source = atWeir(sdk.createEventSource(url, 'any token'))
  const seen = follow(source)
  source.open()
  await until('the listener is called', () => seen.errors.length > 0)
  expect(seen.errors[0]).toMatchObject({ type: 'bad_status', status: 70_500, isServer: true })
  source.close()
})

test('curl follows it, compressed or not', async () => {
  for (const options of [['-sN'], ['-sN', '--compressed']]) {
    const curl = Bun.spawn(['curl', ...options, `${weir.url}/${upstream.url}/prices?intervalMs=500`], {
      stdout: 'pipe',
    })
    let text = ''
    let sent = false
    for await (const chunk of curl.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('event: patch\n')) break
      if (sent || !text.includes('event: data\n')) continue
      sent = true
      version++
    }
    curl.kill()
    await curl.exited
    expect(text).toMatch(/^retry: \d+\n\nevent: data\nid: [0-9a-f]{8}\.\d+\ndata: \{.*\}\n\n/)
    expect(text).toMatch(/\n\nevent: patch\nid: [0-9a-f]{8}\.\d+\ndata: \[.*\]\n\n$/)
  }
})

test.skipIf(WITHOUT_BROWSER)('a browser’s own EventSource follows it', async () => {
  const browser = await openBrowser()
  const { page, close } = await openPage(browser)
  await page.goto(`${weir.url}/streams`)
  const followed = page.evaluate(
    (url) =>
      new Promise<string[]>((resolve) => {
        const seen: string[] = []
        const source = new EventSource(url)
        for (const event of ['data', 'patch']) {
          source.addEventListener(event, () => {
            seen.push(event)
            if (event === 'patch') resolve(seen)
          })
        }
      }),
    `/${upstream.url}/ticking?intervalMs=500`,
  )
  upstream.on('/ticking', (_request, hit) => Response.json({ hit, rows: 'a row of some length '.repeat(10) }))
  expect((await followed)[0]).toBe('data')
  await close()
  await browser.close()
})

test('a stream is compressed on request, whatever the headers say', async () => {
  const abort = new AbortController()
  const response = await fetch(`${weir.url}/proxy/${upstream.url}/prices?X-Sd-Compress=true`, {
    headers: { 'Accept-Encoding': 'identity' },
    signal: abort.signal,
    decompress: false,
  })
  expect(response.headers.get('content-encoding')).toBe('gzip')
  const chunks: Uint8Array[] = []
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    if (chunks.reduce((sum, { byteLength }) => sum + byteLength, 0) > 200) break
  }
  abort.abort()
  const partial = gunzipSync(Buffer.concat(chunks), { finishFlush: 2 }).toString()
  expect(partial).toContain(JSON.stringify(prices()))
})

// The next two wait for seconds, each for something else.
test.concurrent('traffic to subscribers is counted, and a stream without subscribers is idle until the next one', async () => {
  let hit = 0
  const url = upstream.on('/resting', () => Response.json({ hit: ++hit }))
  const subscribers = [1, 2].map(() => new Subscriber(`${weir.url}/${url}?intervalMs=500`))
  for (const subscriber of subscribers)
    await subscriber.got('data', (data) => (data as { hit: number }).hit > 1)
  const late = new Subscriber(`${weir.url}/${url}?intervalMs=500`)
  await late.got('data')
  late.leave()
  const { items } = await weir.json<{ items: { id: string; url: string; desired: string }[] }>('/api/streams')
  const { id } = items.find((stream) => stream.url === url) ?? { id: '' }
  for (const subscriber of subscribers) subscriber.leave()
  const measured = await until('the usage is written', async () => {
    const savings = await weir.json<{ measured: Record<string, number> | null }>(`/api/streams/${id}/savings`)
    return savings.measured?.connections === 3 && savings.measured
  })
  expect(measured).toMatchObject({ connections: 3, snapshots: 1, slow: 0 })
  await until('it rests', async () => {
    const { desired } = await weir.json<{ desired: string }>(`/api/streams/${id}`)
    return desired === 'idle'
  })
  await weir.status(id, 'stopped')
  const polled = hit
  const back = new Subscriber(`${weir.url}/${url}?intervalMs=500`)
  await back.got('data')
  await until('it is polled again', () => hit > polled)
  await weir.status(id, 'live')
  back.leave()
})

test.concurrent('a subscriber that doesn’t read is closed and counted, and the others continue', async () => {
  const rounds = { done: 0 }
  const url = upstream.on('/heavy', () => {
    rounds.done++
    return Response.json({ rounds: rounds.done, text: String(rounds.done).repeat(3_000_000) })
  })
  const stuck = await openStuck(`${weir.url}/${url}?intervalMs=500&mode=snapshot-only`)
  const good = new Subscriber(`${weir.url}/${url}?intervalMs=500&mode=snapshot-only`)
  const { items } = await until('the stream is there', async () => {
    const page = await weir.json<{ items: { id: string; url: string }[] }>('/api/streams?q=heavy')
    return page.items.length > 0 && page
  })
  await until('the stuck one is counted', async () => {
    const path = `/api/streams/${items[0]?.id}/savings`
    const { measured } = await weir.json<{ measured: { slow: number } | null }>(path)
    return measured?.slow === 1
  })
  const before = rounds.done
  await good.got('data', (data) => (data as { rounds: number }).rounds > before)
  good.leave()
  stuck.destroy()
})

test('pages of other origins can subscribe only if allowed', async () => {
  const path = `/proxy/${upstream.url}/prices`
  const from = (headers: Record<string, string>) => fetch(weir.url + path, { headers })
  expect(await (await from({ Origin: 'https://evil.test' })).text()).toContain('"status":40301')
  expect(await (await from({ 'Sec-Fetch-Site': 'cross-site' })).text()).toContain('"status":40301')
  const allowed = await from({ Origin: ORIGIN, 'Sec-Fetch-Site': 'cross-site' })
  expect(allowed.headers.get('access-control-allow-origin')).toBe(ORIGIN)
  await allowed.body?.cancel()
})

test('the proxy accepts a token in its URL, and no other URL does', async () => {
  const guarded = await startTestWeir({ WEIR_TOKEN: TOKEN })
  const target = `${upstream.url}/prices?intervalMs=500`
  const refused = await guarded.get(`/proxy/${target}`)
  expect(refused.status).toBe(200)
  expect(await refused.text()).toContain('"status":40101')
  const subscriber = new Subscriber(`${guarded.url}/${target}&X-Sd-Token=${TOKEN}`)
  await subscriber.got('data')
  subscriber.leave()
  expect((await guarded.get(`/api/streams?X-Sd-Token=${TOKEN}`)).status).toBe(401)
  await guarded.close()
})

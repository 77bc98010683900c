import { expect, test } from 'bun:test'
import { askUpstream } from '../../src/streams/ingest/upstream.ts'
import { spec, start, stubWeir } from './support.ts'

async function faulty(http: object) {
  const weir = stubWeir()
  const sim = await start({ services: [spec('T', { timeoutMs: 1 })], web: weir.url })
  const { url } = sim.first
  const replaced = await fetch(`${url}/faults`, { method: 'PUT', body: JSON.stringify({ http }) })
  const dispose = async () => {
    await sim.close()
    await weir[Symbol.asyncDispose]()
  }
  return { url, status: replaced.status, [Symbol.asyncDispose]: dispose }
}

/** Asks as Weir does. */
async function ask(url: string, kept?: { patienceMs: number }) {
  const answer = await askUpstream(
    { url: `${url}/state`, method: 'GET', headers: {}, body: null },
    {},
    { requestTimeoutMs: 10_000 },
    new AbortController().signal,
    undefined,
    kept && { kept: { mayBeKept: () => true, ...kept } },
  )
  await answer.response.text()
  return answer
}

test.each([[{ cookieGate: true }], [{ rawLocation: 'utf8' }], [{ rawLocation: 'latin1' }]])(
  'with %p, Weir arrives after one redirect',
  async (http) => {
    await using service = await faulty(http)
    const { response, exchange } = await ask(service.url)
    expect(response.status).toBe(200)
    expect(exchange.redirects).toMatchObject({ count: 1 })
  },
)

test('without cookies, the gate stays closed', async () => {
  await using service = await faulty({ cookieGate: true })
  const response = await fetch(`${service.url}/state`, { redirect: 'manual' })
  expect([response.status, response.headers.get('location')]).toEqual([302, '/state'])
})

test('the bytes of the Location are as they were asked for', async () => {
  await using service = await faulty({ rawLocation: 'latin1' })
  const response = await fetch(`${service.url}/state`, { redirect: 'manual' })
  expect(response.headers.get('location')).toBe('/state?from=caf\xe9')
})

test('a used connection is silent, and Weir goes on with a fresh one', async () => {
  await using service = await faulty({ silentReuse: true })
  expect((await ask(service.url, { patienceMs: 5_000 })).exchange.request.count).toBeUndefined()
  const { response, exchange } = await ask(service.url, { patienceMs: 50 })
  expect(response.status).toBe(200)
  expect(exchange.request).toMatchObject({ count: 2 })
})

test('unknown kinds of bytes are rejected', async () => {
  await using service = await faulty({ rawLocation: 'ebcdic' })
  expect(service.status).toBe(422)
})

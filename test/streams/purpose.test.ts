import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

let weir: TestWeir
let upstream: Upstream

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

const textOf = async (path: string) =>
  (await (await weir.get(path)).text()).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
interface Listed {
  items: { id: string; name: string; kind: string; tags: string[] }[]
}

test('each of the three streams of a twin says what it is for, in the list, on its page and on Twins', async () => {
  const url = upstream.on('/prices', (_, hit) => Response.json({ hit }))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: 500, name: 'prices', twin: true })
  const feed = await until('the proxy polls for the twin', async () => {
    const { items } = await weir.json<Listed>('/api/streams')
    return items.find(({ tags }) => tags.includes('proxy'))
  })
  const { items } = await weir.json<Listed>('/api/streams')
  const twin = items.find(({ name }) => name === 'prices (streamed)')
  const list = await textOf('/streams')
  expect(list).toContain('proxy feed of prices’s twin')
  expect(list).toContain('twin of prices')
  expect(await textOf(`/streams/${feed.id}`)).toContain('What the proxy polls for the twin of prices')
  expect(await textOf(`/streams/${twin?.id}`)).toContain('Twin of prices : the same API, streamed by Weir')
  expect(await textOf(`/streams/${id}`)).not.toContain('What the proxy polls')
  expect(await textOf('/twins')).toContain('Each twin adds two streams')
})

test('what the proxy polls for others is called so', async () => {
  const api = upstream.on('/other', () => Response.json({ a: 1 }))
  const leave = new AbortController()
  await fetch(`${weir.url}/proxy/${api}?intervalMs=700`, { signal: leave.signal })
  leave.abort()
  const { items } = await weir.json<Listed>('/api/streams?q=other')
  expect(await textOf(`/streams/${items[0]?.id}`)).toContain('The proxy polls it for its subscribers')
})

test('an event stream without documents has no patches to speak of', async () => {
  const events = new Feed()
  const url = upstream.on('/events', () => events.response({}, 'data: one\n\n'))
  const { id } = await weir.register({ url, kind: 'sse' })
  await weir.summed(id, 2)
  expect((await textOf(`/streams/${id}`)).toLowerCase()).not.toContain('as patches')
  const polled = await weir.register({ url: upstream.on('/still', () => Response.json(1)), kind: 'poll' })
  await weir.summed(polled.id, 1)
  expect(await textOf(`/streams/${polled.id}`)).toContain('As patches')
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { cliOf } from '../cli/support.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const KEY = '8f14e45fceea167a5a36dedd4bea2543'
const SECRET = 'a-key-that-nobody-may-see'

let weir: TestWeir
let upstream: Upstream

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  const to = (status: number, location: string) => () =>
    new Response('', { status, headers: { Location: location } })
  upstream.on('/old', to(301, '/moved'))
  upstream.on('/moved', to(307, `/new?token=${KEY}&q=${SECRET}`))
  upstream.on('/new', () => Response.json({ a: 1 }))
  upstream.on('/lost', to(302, '/nowhere'))
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

interface Redirected {
  redirects?: { count: number; hops: { status: number; to: string }[] }
}
const textOf = async (path: string) =>
  (await (await weir.get(path)).text())
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ')

test('an entry has the redirects before its answer, without what could be a key', async () => {
  const stream = { url: `${upstream.url}/old`, kind: 'poll', headers: { 'X-Key': SECRET } }
  const { id } = await weir.register(stream)
  const entry = (await weir.entry(id, 'it is answered', ({ kind }) => kind === 'snapshot')) as Redirected & {
    seq: number
  }
  const hops = [
    { status: 301, to: `${upstream.url}/moved` },
    { status: 307, to: `${upstream.url}/new?token=•••&q=•••` },
  ]
  expect(entry.redirects).toMatchObject({ count: 2, hops })
  const { evidence } = await until('the status has them', async () => {
    const found = await weir.json<{ evidence: { redirects: object[] } }>(`/api/streams/${id}/status`)
    return found.evidence.redirects.length > 0 && found
  })
  expect(evidence.redirects).toEqual(hops)
  for (const path of [`/streams/${id}`, `/streams/${id}/entries/${entry.seq}`]) {
    const page = await textOf(path)
    expect(page).toContain(`301 → ${upstream.url}/moved`)
    expect(page).toContain(`307 → ${upstream.url}/new?token=•••&q=•••`)
    expect(page).not.toContain(KEY)
  }
  expect((await cliOf(weir.url)('status', id)).out).toContain('redirects       301, 307 → ')
})

test('so has a failed one, and an event stream; one that isn’t redirected has none', async () => {
  const { id: lost } = await weir.register({ url: `${upstream.url}/lost`, kind: 'poll' })
  const error = (await weir.entry(lost, 'it fails', ({ kind }) => kind === 'error')) as Redirected
  expect(error.redirects?.hops).toEqual([{ status: 302, to: `${upstream.url}/nowhere` }])
  const feed = new Feed()
  upstream.on('/feed', () => feed.response())
  upstream.on('/to-feed', () => new Response('', { status: 308, headers: { Location: '/feed' } }))
  const { id: followed } = await weir.register({ url: `${upstream.url}/to-feed`, kind: 'sse' })
  const opened = (await weir.entry(followed, 'it is open', ({ kind }) => kind === 'exchange')) as Redirected
  expect(opened.redirects?.hops).toEqual([{ status: 308, to: `${upstream.url}/feed` }])
  await until('the page shows it', async () =>
    (await textOf(`/streams/${followed}`)).includes(`308 → ${upstream.url}/feed`),
  )
  const { id: direct } = await weir.register({ url: `${upstream.url}/new`, kind: 'poll' })
  await weir.entry(direct, 'it is answered', ({ kind }) => kind === 'snapshot')
  expect(await textOf(`/streams/${direct}`)).not.toContain('Redirects')
})

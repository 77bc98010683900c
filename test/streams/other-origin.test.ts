import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { changedHeaders } from '../../src/streams/registry/changed-headers.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { exportedList, importInto } from '../transfer/client.ts'

let here: Upstream
let there: Upstream
let weir: TestWeir

beforeAll(async () => {
  here = startUpstream()
  there = startUpstream()
  weir = await startTestWeir()
})

afterAll(async () => {
  await weir.close()
  await here.stop()
  await there.stop()
})

const SECRETS = { Authorization: 'Bearer for-here', 'X-Key': 'for-here' }
/** The secrets that came with each request, by its URL. */
const sent = new Map<string, (string | null)[][]>()
type Changed = { url: string; headers: Record<string, string>; droppedHeaders: string[] }

/** A stream of one upstream with secrets, and the same path at the other one. */
async function secretive(path: string, more: object = {}) {
  for (const upstream of [here, there]) {
    upstream.on(path, ({ headers }) => {
      const asked = sent.get(upstream.url + path) ?? []
      sent.set(upstream.url + path, asked)
      asked.push([headers.get('authorization'), headers.get('x-key')])
      return Response.json({ ok: true })
    })
  }
  const registration = { url: here.url + path, kind: 'poll', intervalMs: 500, headers: SECRETS, ...more }
  const { id } = await weir.register(registration)
  const change = async (body: object) => {
    const response = await weir.send('PATCH', `/api/streams/${id}`, body)
    expect(response.status).toBe(200)
    return (await response.json()) as Changed
  }
  return { id, change, moved: there.url + path }
}

/** What an upstream was sent of the secrets, once it was asked so often. */
async function sentTo(upstream: Upstream, path: string, times = 1) {
  const asked = () => sent.get(upstream.url + path) ?? []
  await until('it is asked', () => asked().length >= times)
  return asked()
}

describe('over the API, a URL of another origin', () => {
  test('drops the headers, says which, and is never sent them', async () => {
    const { change, moved } = await secretive('/dropped')
    expect((await sentTo(here, '/dropped'))[0]).toEqual(Object.values(SECRETS))
    const changed = await change({ url: moved })
    expect(changed).toMatchObject({ url: moved, headers: {}, droppedHeaders: ['Authorization', 'X-Key'] })
    for (const each of await sentTo(there, '/dropped', 2)) expect(each).toEqual([null, null])
  })

  test('is sent those that come with the change, and not those that stand for the hidden ones', async () => {
    const { change, moved } = await secretive('/again')
    const headers = { authorization: 'Bearer for-there', 'X-Key': '•••' }
    expect(await change({ url: moved, headers })).toMatchObject({
      headers: { authorization: '•••' },
      droppedHeaders: ['X-Key'],
    })
    for (const each of await sentTo(there, '/again', 2)) expect(each).toEqual(['Bearer for-there', null])
  })

  test('takes the headers from the twin as well', async () => {
    const { id, change, moved } = await secretive('/twin', { twin: true })
    const { streaming } = await weir.json<{ streaming: { id: string } }>(`/api/streams/${id}/twin`)
    await weir.entry(streaming.id, 'the twin follows', ({ kind }) => kind === 'snapshot')
    await change({ url: moved })
    expect(await weir.json(`/api/streams/${streaming.id}`)).toMatchObject({ url: moved, headers: {} })
    for (const each of await sentTo(there, '/twin', 3)) expect(each).toEqual([null, null])
  })
})

test('within the origin all headers stay, and the value •••  keeps the one that is stored', async () => {
  const { id, change } = await secretive('/kept', { start: false })
  expect(await change({ url: `${here.url}/kept?page=2` })).toMatchObject({ droppedHeaders: [] })
  expect(await change({ headers: { 'x-key': '•••', 'X-New': '1' } })).toMatchObject({ droppedHeaders: [] })
  const [stored] = (await exportedList(weir, 'secrets=true')).filter((each) => each.id === id)
  expect(stored?.headers).toEqual({ 'x-key': 'for-here', 'X-New': '1' })
  const refused = await weir.send('PATCH', `/api/streams/${id}`, { headers: { 'X-None': '•••' } })
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ code: 'invalid_field', field: 'headers.X-None' })
})

test.each([
  ['http://a.test/x', 'http://a.test/y?z', true],
  ['http://a.test/x', 'http://A.test:80/x', true],
  ['http://a.test/x', 'https://a.test/x', false],
  ['http://a.test/x', 'http://a.test:81/x', false],
  ['http://a.test/x', 'http://b.a.test/x', false],
  ['https://a.test./x', 'https://a.test/x', false],
])('from %s to %s, headers are kept: %p', (url, next, isKept) => {
  const { headers, droppedHeaders } = changedHeaders({ url, headers: { A: '1' } }, { url: next })
  expect(headers).toEqual(isKept ? undefined : {})
  expect(droppedHeaders).toEqual(isKept ? [] : ['A'])
})

describe('an import', () => {
  test.each([true, false])('that moves a stream says what it drops, in a dry run too: %p', async (dryRun) => {
    const { id, moved } = await secretive(`/import-${dryRun}`, { start: false })
    const line = { id, url: moved, headers: { Authorization: '•••', 'X-Key': '•••' } }
    const { lines } = await importInto(weir, [line], `dryRun=${dryRun}`)
    expect(lines).toMatchObject([{ outcome: 'updated', droppedHeaders: ['Authorization', 'X-Key'] }])
    const [stored] = (await exportedList(weir, 'secrets=true')).filter((each) => each.id === id)
    expect(stored?.headers).toEqual(dryRun ? SECRETS : {})
  })

  test('takes the values that its caller says again, and drops what a line leaves out', async () => {
    const { id, moved } = await secretive('/import-again', { start: false })
    const line = { id, url: moved, headers: { Authorization: '•••' } }
    const { lines } = await importInto(weir, [line], 'header=authorization: Bearer for-there')
    expect(lines).toMatchObject([{ outcome: 'updated', droppedHeaders: ['X-Key'] }])
    const [stored] = (await exportedList(weir, 'secrets=true')).filter((each) => each.id === id)
    expect(stored).toMatchObject({ url: moved, headers: { Authorization: 'Bearer for-there' } })
    const back = await importInto(weir, [{ id, url: `${here.url}/import-again` }])
    expect(back.lines).toMatchObject([{ outcome: 'updated', droppedHeaders: ['Authorization'] }])
  })

  test('of the page says before it is done what a stream loses', async () => {
    const { id, moved } = await secretive('/import-page', { start: false })
    const form = new FormData()
    form.set('text', JSON.stringify([{ id, url: moved }]))
    form.set('dryRun', 'true')
    const page = await fetch(`${weir.url}/streams/import`, {
      ...{ method: 'POST', body: form, headers: { Origin: weir.url } },
    })
    expect(await page.text()).toMatch(/Another origin: drops Authorization, X-Key/)
    const [stored] = (await exportedList(weir, 'secrets=true')).filter((each) => each.id === id)
    expect(stored?.headers).toEqual(SECRETS)
  })
})

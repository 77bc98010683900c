import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBrowser, openPage, PHONE, sidewaysScroll, WITHOUT_BROWSER } from '../support/browser.ts'
import { openStorage } from '../support/data-dir.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { worldOn } from './support.ts'

interface Incident {
  id: string
  state: string
  cause: string
  streamId: string
  parentId: string | null
  timeline: { kind: string; note: string | null; channel: { name: string } | null }[]
}

let directory: string
let weir: TestWeir
let streamId: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const world = worldOn(storage, () => storage.close())
  world.now = Date.now() - 3_600_000
  await world.channel('ops', { suspendedAt: new Date(), suspendedReason: 'Not now.' })
  const host = await world.add(4, () => 'api.test', { name: '<b>Prices</b>' })
  const [alone = '', passed = ''] = await world.add(4, (index) => `h${index}.test`)
  await world.set([passed], 'dead')
  await world.look(10)
  await world.set([passed], 'live')
  await world.look(10)
  await world.set([...host, alone], 'dead')
  await world.look(20)
  streamId = alone
  await world.close()
  weir = await startTestWeir({ DATA_DIR: directory })
})

afterAll(async () => {
  await weir.close()
  rmSync(directory, { recursive: true, force: true })
})

const list = async (query = '') => (await weir.json<{ items: Incident[] }>(`/api/incidents${query}`)).items

test('incidents are listed by state and stream, and under the one that explains them', async () => {
  expect((await list('?state=resolved')).map(({ cause }) => cause)).toEqual(['dead'])
  const open = await list('?state=open')
  expect(open.map(({ cause }) => cause).sort()).toEqual(['dead', 'host'])
  const host = open.find(({ cause }) => cause === 'host')
  expect(await list(`?parent=${host?.id}`)).toHaveLength(4)
  expect((await list(`?stream=${streamId}`)).map(({ cause }) => cause)).toEqual(['dead'])
  expect(await list('?stream=nothing')).toEqual([])
  const first = await weir.json<{ items: Incident[]; next: string }>('/api/incidents?limit=1')
  const rest = await list(`?after=${first.next}`)
  expect([...first.items, ...rest].map(({ id }) => id)).toEqual((await list()).map(({ id }) => id))
})

test('an incident has its timeline, and who handles it', async () => {
  const [incident] = await list(`?stream=${streamId}`)
  const path = `/api/incidents/${incident?.id}`
  for (const [body, detail] of [
    [{}, '`by` is required.'],
    [{ by: 'a', x: 1 }, 'Unknown field: x.'],
    ['[]', 'Expected a JSON object.'],
  ] as const) {
    const refused = await weir.send('POST', `${path}/acknowledge`, body)
    expect(refused.status).toBe(422)
    expect(await refused.json()).toMatchObject({ detail })
  }
  const answer = await weir.send('POST', `${path}/acknowledge`, { by: 'Ada', note: 'on it' })
  expect(await answer.json()).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'Ada' })
  const { timeline } = await weir.json<Incident>(path)
  expect(timeline.map(({ kind, note }) => [kind, note])).toEqual([
    ['opened', 'It is dead.'],
    ['told', 'No channel is responsible.'],
    ['acknowledged', 'Ada: on it'],
  ])
  const [over] = await list('?state=resolved')
  const late = await weir.send('POST', `/api/incidents/${over?.id}/acknowledge`, { by: 'Ada' })
  expect(late.status).toBe(409)
  expect((await weir.get('/api/incidents/x')).status).toBe(404)
})

test('rules and silences are added, read, changed and removed', async () => {
  const rule = { name: 'Errors', kind: 'errorRate', params: { above: 0.5 } }
  const silence = { reason: 'Move', endsAt: new Date(Date.now() + 3_600_000).toISOString() }
  for (const [path, input, change] of [
    ['/api/rules', rule, { params: { above: 0.7 } }],
    ['/api/silences', silence, { reason: 'Moved' }],
  ] as const) {
    const added = await weir.send('POST', path, input)
    expect(added.status).toBe(201)
    const location = added.headers.get('location') ?? ''
    expect(await weir.json(location)).toMatchObject(input)
    expect(await (await weir.send('PATCH', location, change)).json()).toMatchObject(change)
    expect((await weir.json<{ items: unknown[] }>(path)).items).toHaveLength(1)
    expect((await weir.send('PATCH', location, { x: 1 })).status).toBe(422)
    expect((await weir.send('DELETE', location)).status).toBe(204)
    expect((await weir.get(location)).status).toBe(404)
  }
  const unknown = await weir.send('POST', '/api/rules', { ...rule, streamId: 'x' })
  expect(await unknown.json()).toMatchObject({
    status: 422,
    field: 'streamId',
    detail: 'No stream has the ID x.',
  })
})

test('the pages work without script, and show names literally', async () => {
  const form = (path: string, values: Record<string, string>) =>
    fetch(weir.url + path, { method: 'POST', body: new URLSearchParams(values), redirect: 'manual' })
  const page = await (await weir.get('/incidents')).text()
  expect(page).toContain('api.test: 4 of 4 streams failing')
  const host = (await list()).find(({ cause }) => cause === 'host')
  const shown = await (await weir.get(`/incidents/${host?.id}`)).text()
  expect(shown).toContain('&lt;b&gt;Prices&lt;/b&gt; is dead')
  expect(shown).not.toContain('<b>Prices')
  expect((await form(`/incidents/${host?.id}/acknowledge`, { by: 'Bob' })).status).toBe(303)
  expect(await (await weir.get('/incidents')).text()).toContain('acknowledged by Bob')

  const bad = await form('/rules', { name: 'Mine', kind: 'size', params: '{"min": 2, "max": 1}' })
  expect(bad.status).toBe(422)
  expect(await bad.text()).toContain('`params.min` must not be greater than `params.max`.')
  expect((await form('/rules', { name: 'Mine', kind: 'size', params: '' })).status).toBe(303)
  const [mine] = (await weir.json<{ items: { id: string }[] }>('/api/rules')).items
  await form(`/rules/${mine?.id}/toggle`, {})
  expect(await weir.json(`/api/rules/${mine?.id}`)).toMatchObject({ isEnabled: false })
  expect((await form(`/rules/${mine?.id}/remove`, {})).status).toBe(303)

  const window = {
    reason: 'Sundays',
    durationMinutes: '60',
    from: '02:00',
    timeZone: 'Europe/Berlin',
    sun: 'on',
  }
  expect((await form('/silences', window)).status).toBe(303)
  expect(await (await weir.get('/silences')).text()).toContain('sun from 02:00 for 60 min (Europe/Berlin)')
  expect((await form('/silences', { ...window, timeZone: 'Moon' })).status).toBe(422)
  expect((await form('/silences', { reason: 'x', durationMinutes: 'x' })).status).toBe(422)
})

test.skipIf(WITHOUT_BROWSER)('on a phone nothing scrolls sideways, in either scheme', async () => {
  const browser = await openBrowser()
  const [incident] = await list()
  for (const colorScheme of ['dark', 'light'] as const) {
    for (const path of ['/incidents', `/incidents/${incident?.id}`, '/rules', '/silences']) {
      const { page, faults, close } = await openPage(browser, { viewport: PHONE, colorScheme })
      await page.goto(weir.url + path)
      expect([path, await sidewaysScroll(page), faults]).toEqual([path, 0, []])
      await close()
    }
  }
  await browser.close()
})

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SECRET, startReceiver } from '../channels/receiver.ts'
import { cliOf } from '../cli/support.ts'
import { removeDataDir } from '../support/data-dir.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

interface Incident {
  id: string
  cause: string
  title: string
  since: string
  until: string | null
  resolvedAt: string | null
  durationMs: number
}

const INTERVAL_MS = 500
/** What fails one time in three is degraded, and isn't once as many polls again have passed. */
const DEGRADED = { DEGRADED_SHARE: '0.3', DEGRADED_WINDOW_MS: '60000' }
/** An evaluation, every 5 s, and the time for the next one under load. */
const PATIENCE_MS = 60_000
const receiver = startReceiver()
let weir: TestWeir
let cli: ReturnType<typeof cliOf>

beforeAll(async () => {
  weir = await startTestWeir({ INCIDENT_WAIT_MS: '0', DEAD_AFTER_MS: '2000', ...DEGRADED })
  cli = cliOf(weir.url)
  await weir.send('POST', '/api/channels', {
    name: 'hook',
    kind: 'webhook',
    config: { url: receiver.take('/hook'), secret: SECRET },
    isDefault: true,
  })
})

afterAll(async () => {
  expect(weir.warnings).toEqual([])
  await weir.close()
  await receiver.upstream.stop()
})

const messages = (name: string) =>
  receiver
    .received('/hook')
    .map(({ body }) => JSON.parse(body).data as { title: string; text: string })
    .filter(({ title }) => title.includes(name))
const incidents = async (id: string) =>
  (await weir.json<{ items: Incident[] }>(`/api/incidents?stream=${id}`)).items
const clock = (at: string | number) => new Date(at).toISOString().slice(11, 16)

/** An instant between the first failure and the second. */
function expectFirst(failedAt: readonly number[], at: string | undefined) {
  const [first = 0, second = Date.now()] = failedAt
  expect(Date.parse(at ?? '')).toBeGreaterThanOrEqual(first)
  expect(Date.parse(at ?? '')).toBeLessThanOrEqual(second)
}

/** What every surface says about a stream. */
async function said(id: string, name: string) {
  const [status, list, page, home, { out, code }] = await Promise.all([
    weir.json<{ status: string; reason: string; since: string }>(`/api/streams/${id}/status`),
    weir.json<{ items: { status: string }[] }>(`/api/streams?q=${name}`),
    weir.get(`/streams/${id}`).then((response) => response.text()),
    weir.get('/').then((response) => response.text()),
    cli('status', name),
  ])
  return { ...status, list: list.items[0]?.status, page, home, out, code }
}

test('an API that fails one time in three is degraded everywhere, with one incident, until it is repaired', async () => {
  let isRepaired = false
  const failedAt: number[] = []
  const url = receiver.upstream.on('/flaky', (_request, hit) => {
    if (isRepaired || hit % 3 !== 2) return Response.json({ hit })
    failedAt.push(Date.now())
    return new Response('broken', { status: 500 })
  })
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: INTERVAL_MS, name: 'flaky' })
  await weir.status(id, 'degraded')
  const seen = new Set<string>()
  const [incident] = await until(
    'there is an incident, and more failures',
    async () => {
      seen.add((await weir.json<{ status: string }>(`/api/streams/${id}/status`)).status)
      const found = await incidents(id)
      return failedAt.length > 6 && found.length > 0 && found
    },
    PATIENCE_MS,
  )
  expect(seen).toEqual(new Set(['degraded']))
  expect(incident).toMatchObject({ cause: 'degraded', title: 'flaky is degraded', until: null })
  expect(Math.abs(Date.parse(incident?.since ?? '') - (failedAt[0] ?? 0))).toBeLessThan(INTERVAL_MS)

  const { status, reason, since, list, page, home, out, code } = await said(id, 'flaky')
  expect([status, list, code]).toEqual(['degraded', 'degraded', 0])
  expect(reason).toMatch(/^3\d% errors \(\d+ of \d+ in 1 min\), last: 500 at \d\d:\d\d UTC: broken$/)
  expect(since).toBe(incident?.since as string)
  expect(page).toContain('status degraded')
  expect(page).toContain('last: 500 at')
  expect(home).toContain('flaky is degraded')
  expect(out).toMatch(/^flaky: degraded\n {2}reason {10}3\d% errors/)
  expect(out).toContain(since)

  isRepaired = true
  await weir.status(id, 'live')
  await until('it is resolved', async () => (await incidents(id))[0]?.until, PATIENCE_MS)
  const recovered = await until('its end is told', () => messages('flaky')[1], PATIENCE_MS)
  expect(messages('flaky').map(({ title }) => title)).toEqual(['flaky is degraded', 'Recovered: flaky'])
  expect(recovered.text).toMatch(/^Degraded (1 min|\d+ s) \(/)
  expect(recovered.text).toContain(`(${clock(failedAt[0] ?? 0)}–`)
  expect(await incidents(id)).toHaveLength(1)
}, 240_000)

test('an outage lasts from its first failure to its first success, on every surface', async () => {
  let isDown = false
  const failedAt: number[] = []
  let backAt = 0
  const url = receiver.upstream.on('/dying', () => {
    if (!isDown) {
      if (failedAt.length > 0 && backAt === 0) backAt = Date.now()
      return Response.json({ up: true })
    }
    failedAt.push(Date.now())
    return new Response('broken', { status: 503 })
  })
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: INTERVAL_MS, name: 'dying' })
  await weir.status(id, 'live')
  isDown = true
  await weir.status(id, 'dead')
  const [open] = await until('it is an incident', async () => {
    const found = await incidents(id)
    return found.length > 0 && found
  })
  const { status, since, list, page, home, out, code } = await said(id, 'dying')
  expect([status, list, code]).toEqual(['dead', 'dead', 1])
  expectFirst(failedAt, since)
  expectFirst(failedAt, open?.since)
  expect(page).toContain(since)
  expect(home).toContain('dying is dead')
  expect(home).toContain(open?.since as string)
  expect(out).toContain(since)

  isDown = false
  const told = await until('its end is told', () => messages('dying')[1], 2 * PATIENCE_MS)
  const [over] = await incidents(id)
  expectFirst(failedAt, over?.since)
  expect(Math.abs(Date.parse(over?.until ?? '') - backAt)).toBeLessThan(2_000)
  expect(over?.durationMs).toBe(Date.parse(over?.until ?? '') - Date.parse(over?.since ?? ''))
  expect(told.text).toStartWith('Down ')
  expect(told.text).toContain(`(${clock(over?.since ?? 0)}–${clock(over?.until ?? 0)} UTC)`)
  const incidentPage = await (await weir.get(`/incidents/${over?.id}`)).text()
  expect(incidentPage).toContain(over?.since as string)
  expect(incidentPage).toContain(over?.until as string)
  await weir.status(id, 'live')
}, 240_000)

test('a stream is dead when its owner says so, however often it has to fail for that', async () => {
  const url = receiver.upstream.on('/gone', () => new Response('gone', { status: 410 }))
  const said = { url, kind: 'poll', intervalMs: INTERVAL_MS }
  const patient = await weir.register({ ...said, name: 'patient', deadAfterMs: 86_400_000 })
  const strict = await weir.register({ ...said, name: 'strict', deadAfterMs: 0, deadAfterFailures: 1 })
  await weir.status(strict.id, 'dead')
  await weir.entry(patient.id, 'it has failed three times', ({ data, kind }) => {
    return kind === 'error' && (data as { failures: number }).failures >= 3
  })
  await weir.status(patient.id, 'backing-off')
  await weir.send('PATCH', `/api/streams/${patient.id}`, { deadAfterMs: null })
  await weir.status(patient.id, 'dead')
})

test('a restart forgets no failures', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'weir-degraded-'))
  const isBad = (hit: number) => hit < 12 && hit % 3 === 2
  let polls = 0
  const url = receiver.upstream.on('/kept', (_request, hit) => {
    polls++
    return isBad(hit) ? new Response('', { status: 500 }) : Response.json({})
  })
  const first = await startTestWeir({ DATA_DIR: dataDir })
  const { id } = await first.register({ url, kind: 'poll', intervalMs: INTERVAL_MS })
  const before = (await first.status(id, 'degraded')) as { since: string }
  await first.close()
  const known = polls
  const second = await startTestWeir({ DATA_DIR: dataDir })
  await until('it is polled again', () => polls > known + 2)
  const after = (await second.status(id, 'degraded')) as { since: string; reason: string }
  expect(after.since).toBe(before.since)
  const [, , count] = /\((\d+) of (\d+) in/.exec(after.reason) ?? []
  expect(Number(count)).toBeGreaterThan(known)
  await second.close()
  await removeDataDir(dataDir)
}, 120_000)

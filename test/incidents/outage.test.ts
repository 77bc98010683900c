import { expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream.ts'
import { startTestWeir } from '../support/weir.ts'

const SECRET = `whsec_${Buffer.from('a secret of twenty-four!').toString('base64')}`
const INTERVAL_MS = 1_000

interface Incident {
  id: string
  cause: string
  since: string
  until: string | null
  durationMs: number
}

test('an outage lasts as long for its incident, on the page, in its message and for availability', async () => {
  const upstream = startUpstream()
  const weir = await startTestWeir({
    DEAD_AFTER_FAILURES: '2',
    DEAD_AFTER_MS: '1000',
    INCIDENT_WAIT_MS: '1000',
  })
  const messages: { type: string; data: { data: { incidents: Incident[] } } }[] = []
  const hook = upstream.on('/hook', async (request) => {
    messages.push(await request.json())
    return new Response()
  })
  const channel = { name: 'ops', kind: 'webhook', config: { url: hook, secret: SECRET }, isDefault: true }
  expect((await weir.send('POST', '/api/channels', channel)).status).toBe(201)
  let isUp = true
  const url = upstream.on('/api', () => (isUp ? Response.json({}) : new Response('', { status: 503 })))
  const { id } = await weir.register({ url, kind: 'poll', intervalMs: INTERVAL_MS })
  await weir.entry(id, 'it is answered', ({ kind }) => kind === 'exchange')
  isUp = false
  const incidents = async () => (await weir.json<{ items: Incident[] }>('/api/incidents')).items
  const open = await until('the incident opens', async () => (await incidents())[0])
  await until('the incident is announced', () => messages.some(({ type }) => type === 'incident.opened'))
  const status = await weir.json<{ status: string; since: string }>(`/api/streams/${id}/status`)
  expect(status).toMatchObject({ status: 'dead', since: open.since })
  isUp = true
  const over = await until('the incident is over', async () => {
    const [first] = await incidents()
    return first?.until ? first : false
  })
  const log = await weir.logs(id)
  const failed = log.find(({ kind }) => kind === 'error')
  const answered = log.find(({ kind, seq }) => kind !== 'error' && seq > (failed?.seq ?? 0))
  expect(over.since).toBe(failed?.at as string)
  // As it is written, a moment after the entry.
  expect(Date.parse(over.until ?? '') - Date.parse(answered?.at ?? '')).toBeWithin(0, INTERVAL_MS)
  await until('the answer is summed up', async () => {
    const { unanswered } = await availabilityOf()
    return Math.abs(unanswered * INTERVAL_MS - over.durationMs) <= 2 * INTERVAL_MS
  })
  const page = await (await weir.get(`/incidents/${over.id}`)).text()
  expect(page).toContain(`datetime="${over.since}"`)
  expect(page).toContain(`datetime="${over.until}"`)
  const resolved = await until('the message is sent', () =>
    messages.find(({ type }) => type === 'incident.resolved'),
  )
  expect(resolved.data.data.incidents[0]).toMatchObject({
    ...{ since: over.since, until: over.until, durationMs: over.durationMs },
  })
  await weir.close()
  await upstream.stop()

  function availabilityOf() {
    return weir.json<{ unanswered: number }>(`/api/streams/${id}/availability`)
  }
}, 120_000)

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { freeze } from '../support/freeze.ts'
import { createDatabase, POSTGRES_BIN, startPostgres, type TestServer } from '../support/servers.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

setDefaultTimeout(120_000)

/** Longest that any request may take while the database is frozen, in milliseconds. */
const ANSWER_MS = 45_000
const PROBLEM = 'application/problem+json'

/** One request of every kind. */
const KINDS = {
  'an API call': { path: '/api/streams' },
  'a command': { path: '/api/streams', method: 'POST', body: '{"url":"http://127.0.0.1:1/","kind":"poll"}' },
  'a page': { path: '/streams', headers: { Accept: 'text/html' } },
  'a fragment': { path: '/streams', headers: { 'HX-Request': 'true', Accept: 'text/html' } },
  'a subscription': { path: '/api/streams/:id/events', headers: { Accept: 'text/event-stream' } },
  'the log as NDJSON': { path: '/api/streams/:id/logs', headers: { Accept: 'application/x-ndjson' } },
  'the job board': { path: '/jobs/api/queues' },
  'the pulse of pages': { path: '/pulse' },
} as const

describe.skipIf(POSTGRES_BIN === undefined)('while the database is away', () => {
  let postgres: TestServer
  let upstream: Upstream
  let weir: TestWeir
  let id = ''

  beforeAll(async () => {
    postgres = await startPostgres()
    upstream = startUpstream()
    weir = await startTestWeir({ DATABASE_URL: await createDatabase(postgres) })
    const url = upstream.on('/document', () => Response.json({ now: Date.now() }))
    id = (await weir.register({ url, kind: 'poll', intervalMs: 1_000 })).id
    await ready()
  })
  afterAll(async () => {
    await weir.close()
    await upstream.stop()
    await postgres.stop()
  })

  const ready = () => until('it is ready', async () => (await weir.get('/readyz')).status === 200)

  function ask({ path, ...init }: { path: string } & RequestInit): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', ...(init.headers as Record<string, string>) }
    const signal = AbortSignal.timeout(ANSWER_MS)
    return fetch(weir.url + path.replace(':id', id), { ...init, headers, signal })
  }

  async function expectUnavailable(): Promise<void> {
    const answers = await Promise.all(
      Object.entries(KINDS).map(async ([kind, asked]) => {
        const response = await ask(asked)
        const { status, headers } = response
        return { kind, status, waits: Number(headers.get('retry-after')) > 0, text: await response.text() }
      }),
    )
    expect(answers.map(({ kind, status, waits }) => ({ kind, status, waits }))).toEqual(
      Object.keys(KINDS).map((kind) => ({ kind, status: 503, waits: true })),
    )
    const problem = await ask(KINDS['an API call'])
    expect(problem.headers.get('content-type')).toBe(PROBLEM)
    expect(await problem.json()).toMatchObject({ code: 'unavailable', status: 503 })
    for (const { text } of answers) expect(text).not.toContain('127.0.0.1')
    const proxied = await ask({ path: `/proxy/${upstream.url}/document` })
    expect(proxied.headers.get('content-type')).toStartWith('text/event-stream')
    expect(await proxied.text()).toContain('"status":50302')
  }

  async function expectProbes(): Promise<void> {
    expect((await ask({ path: '/healthz' })).status).toBe(200)
    const metrics = await ask({ path: '/metrics' })
    expect(metrics.status).toBe(200)
    expect(await metrics.text()).toContain('weir_source_up{source="database"} 0')
    const report = await until('it is not ready', async () => {
      const response = await ask({ path: '/readyz' })
      return response.status === 503 && response
    })
    const { checks } = (await report.json()) as { checks: { name: string; ok: boolean }[] }
    expect(checks.find(({ name }) => name === 'database')?.ok).toBe(false)
  }

  test('killed: every kind of request gets 503, probes work, and all works again by itself', async () => {
    await postgres.kill()
    await expectUnavailable()
    await expectProbes()
    await postgres.restart()
    await ready()
    for (const path of ['/api/streams', '/streams', '/jobs/api/queues']) {
      await until(`${path} works`, async () => (await ask({ path })).status === 200)
    }
    expect(weir.warnings.join('\n')).not.toMatch(/^ {4}at /m)
  })

  test('frozen: the same within seconds, and all works again once it runs', async () => {
    const thaw = await freeze(postgres.pid)
    try {
      await expectProbes()
      await expectUnavailable()
      // Again, now that every connection is known to be dead.
      await expectUnavailable()
    } finally {
      thaw()
    }
    await ready()
    await until('pages work', async () => (await ask({ path: '/streams' })).status === 200)
  })
})
